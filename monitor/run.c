/*
 * Moving the machine, and saying where it stands afterwards.
 *
 * Invariants: a stop that no point of the user's means (a mode breakpoint
 * without a change of mode, a watchpoint whose condition is false) is run on
 * from without a word, and counts no instruction twice: what was left of a
 * step's budget is what it goes on with.
 */
#include "monitor/shell.h"

#include "emu/x86/disasm.h"
#include "emu/x86/mmu.h"

#include <inttypes.h>
#include <string.h>

void shell_mode(const struct cpu *cpu, char *text, size_t size)
{
    static const char *const widths[] = {"16", "32", "64", "?"};
    const char *width = widths[cpu->mode & MODE_CODE];
    const char *paging = cpu->cr0 & CR0_PG ? ", paging" : "";

    if (!(cpu->cr0 & CR0_PE))
        snprintf(text, size, "real mode%s%s",
                 (cpu->mode & MODE_CODE) ? ", code bits " : "",
                 (cpu->mode & MODE_CODE) ? width : "");
    else if (cpu->eflags & FLAG_VM)
        snprintf(text, size, "virtual-8086 mode%s", paging);
    else if (cpu->long_mode && cpu_64bit(cpu))
        snprintf(text, size, "64-bit mode");
    else if (cpu->long_mode)
        snprintf(text, size, "compatibility mode, %s-bit code", width);
    else
        snprintf(text, size, "protected mode, %s-bit code%s", width, paging);
}

unsigned shell_disasm(struct monitor *mon, uint64_t addr, uint64_t rip,
                      char *text, size_t size, uint8_t bytes[16])
{
    struct cpu *cpu = mon->machine->cpu[mon->cpu];
    size_t got = mmu_peek(cpu, addr, bytes, 15);

    if (got == 0) {
        snprintf(text, size, "(no memory here)");
        return 0;
    }
    return disasm(bytes, got, cpu->mode, rip, text, size);
}

void shell_where(struct monitor *mon)
{
    struct cpu *cpu = mon->machine->cpu[mon->cpu];
    uint64_t linear = cpu_linear_rip(cpu);
    uint8_t bytes[16];
    char text[128], symbol[240], hex[40] = "", mode[48];

    unsigned length =
        shell_disasm(mon, linear, cpu->rip, text, sizeof(text), bytes);
    for (unsigned i = 0; i < length && i < 15; i++)
        snprintf(hex + i * 2, 3, "%02x", bytes[i]);
    fputs("=> ", mon->out);
    if (cpu_real_or_v86(cpu))
        fprintf(mon->out, "%04x:%04" PRIx64 " ", cpu->seg[SEG_CS].selector,
                cpu->rip);
    if (cpu_64bit(cpu))
        fprintf(mon->out, "%016" PRIx64, linear);
    else
        fprintf(mon->out, "%08" PRIx64, linear);
    if (symbols_format(mon->symbols, linear, symbol, sizeof(symbol)))
        fprintf(mon->out, " <%s>", symbol);
    shell_mode(cpu, mode, sizeof(mode));
    fprintf(mon->out, "  %-16s %s    ; %s%s\n", hex, text, mode,
            cpu_halted(cpu) ? ", halted" : "");
}

/* What ended the run, if it was no point. True: the guest is gone. */
static void say_why(struct monitor *mon, unsigned result)
{
    struct shell *shell = shell_of(mon);
    struct machine *m = mon->machine;

    if (result & REQUEST_QUIT) {
        mon->quit = true;
        return;
    }
    if (result & REQUEST_SHUTDOWN) {
        fprintf(mon->out, "the guest has shut down (status %d)\n",
                m->exit_status);
        shell->off = true;
    } else if (result & REQUEST_RESET) {
        fprintf(mon->out, m->last_stop == STOP_SHUTDOWN
                              ? "triple fault (-no-reboot)\n"
                              : "the guest asks for a reset (-no-reboot)\n");
    } else if (m->last_stop == STOP_ERROR) {
        shell_error(mon, "%s",
                    m->error[0] ? m->error : "the engine cannot go on");
    } else if (m->last_stop == STOP_KICK) {
        fputs("stopped\n", mon->out);
    }
}

/* One run, or one that goes on behind stops that nobody means. */
static unsigned run_on(struct monitor *mon, uint64_t count, bool quiet)
{
    struct machine *m = mon->machine;
    uint64_t until = m->clock.instructions + count;
    unsigned result;
    bool user = false;

    if (count && until < count)
        until = UINT64_MAX;
    for (;;) {
        points_before_run(mon);
        if (count)
            result = machine_step(m, until - m->clock.instructions);
        else
            result = machine_run(m);
        if (result != REQUEST_STOP || m->last_stop != STOP_DEBUG)
            return result;
        if (points_stopped(mon, quiet, &user))
            return result;
        if (count && m->clock.instructions >= until) {
            m->last_stop = STOP_BUDGET;
            return result;
        }
    }
}

int shell_run(struct monitor *mon, uint64_t count, bool quiet)
{
    struct shell *shell = shell_of(mon);
    struct machine *m = mon->machine;

    if (shell->off)
        return shell_error(mon, "the guest is off; reset switches it on");
    fflush(mon->out);
    unsigned result = run_on(mon, count, quiet);
    say_why(mon, result);
    if (!quiet && !mon->quit)
        shell_where(mon);
    return m->last_stop == STOP_ERROR ? -1 : 0;
}
