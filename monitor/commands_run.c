/*
 * Commands that move the machine: step, next, finish, until, continue, reset
 * and the like. They are rows of control_commands (commands_control.c).
 *
 * next and finish tell calls by the disassembler's text, and returns by the
 * stack pointer: a function that is called again on the way, deeper in the
 * stack, does not end them.
 * Not modelled: next over LOOP; finish across a switch of stacks.
 */
#include "monitor/commands.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_REGISTERS 16

struct snapshot {
    uint64_t r[SHOWN_REGISTERS], cr0, cr2, cr3, cr4, efer;
    uint32_t eflags;
    uint16_t selector[SEG_COUNT];
};

static struct cpu *cpu_of(struct monitor *mon)
{
    return mon->machine->cpu[mon->cpu];
}

static void take_snapshot(const struct cpu *c, struct snapshot *s)
{
    memcpy(s->r, c->r, sizeof(s->r));
    s->cr0 = c->cr0;
    s->cr2 = c->cr2;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    s->efer = c->msr.efer;
    s->eflags = cpu_get_eflags(c);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        s->selector[i] = c->seg[i].selector;
}

static void say_change(struct monitor *mon, const char *name, uint64_t before,
                       uint64_t now, unsigned *count)
{
    if (before == now)
        return;
    fprintf(mon->out, "%s%s 0x%" PRIx64 " -> 0x%" PRIx64, *count ? ", " : "   ",
            name, before, now);
    ++*count;
}

static void say_flags(struct monitor *mon, uint32_t before, uint32_t now,
                      unsigned *count)
{
    static const char *const flags[] = {
        "cf", NULL, "pf", NULL, "af", NULL, "zf", "sf", "tf", "if", "df",
        "of", NULL, NULL, "nt", NULL, "rf", "vm", "ac", "vif", "vip", "id",
    };

    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (flags[i] && ((before ^ now) >> i & 1)) {
            fprintf(mon->out, "%s%s=%u", *count ? ", " : "   ", flags[i],
                    now >> i & 1);
            ++*count;
        }
    say_change(mon, "iopl", before >> 12 & 3, now >> 12 & 3, count);
}

/* What a step has changed, rip left out. */
static void say_changes(struct monitor *mon, const struct snapshot *before)
{
    static const char *const wide[] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char *const narrow[] = {"eax", "ecx", "edx", "ebx",
                                         "esp", "ebp", "esi", "edi"};
    static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    struct snapshot now;
    unsigned count = 0;

    take_snapshot(cpu_of(mon), &now);
    for (unsigned i = 0; i < SHOWN_REGISTERS; i++)
        say_change(mon, i < 8 && !cpu_64bit(cpu_of(mon)) ? narrow[i] : wide[i],
                   before->r[i], now.r[i], &count);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        say_change(mon, segments[i], before->selector[i], now.selector[i],
                   &count);
    say_change(mon, "cr0", before->cr0, now.cr0, &count);
    say_change(mon, "cr2", before->cr2, now.cr2, &count);
    say_change(mon, "cr3", before->cr3, now.cr3, &count);
    say_change(mon, "cr4", before->cr4, now.cr4, &count);
    say_change(mon, "efer", before->efer, now.efer, &count);
    say_flags(mon, before->eflags, now.eflags, &count);
    if (count)
        fputc('\n', mon->out);
}

int run_step(struct monitor *mon, const struct arg *args)
{
    struct snapshot before;
    uint64_t count = args[0].given ? args[0].value : 1;

    if (count == 0)
        return shell_error(mon, "step 0 goes nowhere");
    take_snapshot(cpu_of(mon), &before);
    int result = shell_run(mon, count, true);
    if (result == 0 && !mon->quit) {
        say_changes(mon, &before);
        shell_where(mon);
    }
    return result;
}

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* The instruction here as text; returns its length. */
static unsigned here(struct monitor *mon, char *text, size_t size)
{
    struct cpu *cpu = cpu_of(mon);
    uint8_t bytes[16];

    return shell_disasm(mon, cpu_linear_rip(cpu), cpu->rip, text, size, bytes);
}

static bool is_call(const char *text)
{
    return begins(text, "call") || begins(text, "int") ||
           (begins(text, "rep") && !strstr(text, "ret"));
}

static uint64_t stack_pointer(const struct cpu *cpu)
{
    if (cpu_64bit(cpu))
        return cpu->r[R_SP];
    return cpu->mode & MODE_STACK32 ? (uint32_t)cpu->r[R_SP]
                                    : (uint16_t)cpu->r[R_SP];
}

/* Runs to an address, and there only with as much on the stack (or less) as
 * `sp` says; NULL: however much. *arrived: it stopped there. */
static int run_to(struct monitor *mon, uint64_t linear, const uint64_t *sp,
                  bool *arrived)
{
    struct cpu *cpu = cpu_of(mon);
    struct point like = {
        .debug = {.kind = DEBUG_EXEC, .addr = linear, .size = 1},
        .internal = true,
        .detail = -1,
    };
    char text[64], error[EXPR_ERROR];
    const char *end;

    if (sp) {
        snprintf(text, sizeof(text), "%s >= 0x%" PRIx64,
                 cpu_64bit(cpu)             ? "$rsp"
                 : cpu->mode & MODE_STACK32 ? "$esp"
                                            : "$sp",
                 *sp);
        like.condition = expr_parse(text, NULL, false, &end, error);
        if (!like.condition)
            return shell_error(mon, "%s", error);
    }
    struct point *p = point_add(mon, &like);
    if (!p) {
        expr_free(like.condition);
        return shell_error(mon, "out of memory");
    }
    int result = shell_run(mon, 0, true);
    *arrived = p->debug.hits != p->hits_before &&
               mon->machine->last_stop == STOP_DEBUG &&
               cpu_linear_rip(cpu) == linear;
    point_remove(mon, p);
    return result;
}

/* One instruction, or a whole call. *whole: nothing else stopped it. */
static int over(struct monitor *mon, bool *whole)
{
    struct cpu *cpu = cpu_of(mon);
    char text[128];
    unsigned length = here(mon, text, sizeof(text));
    int result;

    if (length && is_call(text)) {
        uint64_t sp = stack_pointer(cpu);
        result = run_to(mon, cpu_linear_rip(cpu) + length, &sp, whole);
    } else {
        result = shell_run(mon, 1, true);
        *whole = mon->machine->last_stop == STOP_BUDGET;
    }
    if (mon->quit || shell_of(mon)->off)
        *whole = false;
    return result;
}

int run_next(struct monitor *mon, const struct arg *args)
{
    uint64_t count = args[0].given ? args[0].value : 1;
    struct snapshot before;
    bool whole = true;
    int result = 0;

    take_snapshot(cpu_of(mon), &before);
    while (count-- && whole && result == 0)
        result = over(mon, &whole);
    if (result == 0 && !mon->quit) {
        say_changes(mon, &before);
        shell_where(mon);
    }
    return result;
}

int run_finish(struct monitor *mon, const struct arg *args)
{
    uint64_t sp = stack_pointer(cpu_of(mon));
    bool whole = true, done = false;
    char text[128];
    int result = 0;

    (void)args;
    while (!done && whole && result == 0) {
        unsigned length = here(mon, text, sizeof(text));
        done = length && stack_pointer(cpu_of(mon)) >= sp &&
               (begins(text, "ret") || begins(text, "iret") ||
                begins(text, "sysret") || begins(text, "sysexit"));
        result = over(mon, &whole);
    }
    if (result == 0 && !mon->quit)
        shell_where(mon);
    return result;
}

int run_until(struct monitor *mon, const struct arg *args)
{
    bool arrived;
    int result = run_to(mon, args[0].value, NULL, &arrived);

    if (result == 0 && !mon->quit)
        shell_where(mon);
    return result;
}

int run_continue(struct monitor *mon, const struct arg *args)
{
    struct debug_point *hit = mon->machine->debug.hit.point;

    if (args[0].given && args[0].value > 1) {
        if (!hit)
            return shell_error(mon,
                               "no breakpoint has stopped here, so there "
                               "is none to pass %llu times",
                               (unsigned long long)args[0].value - 1);
        hit->ignore = args[0].value - 1;
    }
    return shell_run(mon, 0, false);
}

int run_stop(struct monitor *mon, const struct arg *args)
{
    (void)args;
    fputs("the guest is stopped; Ctrl-C stops it while it runs\n", mon->out);
    return 0;
}

int run_reset(struct monitor *mon, const struct arg *args)
{
    (void)args;
    atomic_fetch_and(&mon->machine->requests, (unsigned)REQUEST_QUIT);
    machine_reset(mon->machine);
    shell_of(mon)->off = false;
    shell_where(mon);
    return 0;
}

int run_quit(struct monitor *mon, const struct arg *args)
{
    mon->quit = true;
    if (args[0].given)
        mon->exit_status = (int)(args[0].value & 0xFF);
    return 0;
}

int run_where(struct monitor *mon, const struct arg *args)
{
    (void)args;
    shell_where(mon);
    return 0;
}
