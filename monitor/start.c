/*
 * The monitor's main loop: script, guest, prompt. See start.h.
 *
 * What is recorded for `events` from the start is what is rare enough to cost
 * nothing: exceptions, interrupts, paging, MSRs, HLT and stops.
 */
#include "monitor/start.h"

#include "monitor/line.h"
#include "monitor/shell.h"

#include <stdlib.h>
#include <string.h>

#define PROMPT "(vitrine) "

static int load_symbols(struct monitor *mon, const char *path)
{
    char error[160];

    mon->symbols = symbols_load(path, error, sizeof(error));
    return mon->symbols ? 0 : shell_error(mon, "-symbols %s: %s", path, error);
}

/* A Ctrl-C that came when nothing ran any more is not for the next run. */
static void forget_stop(struct machine *machine)
{
    atomic_fetch_and(&machine->requests, ~(unsigned)REQUEST_STOP);
}

static void prompt(struct shell *shell)
{
    struct monitor *mon = &shell->mon;
    char *line;

    line_open(shell);
    while (!mon->quit && (line = line_read(shell, PROMPT))) {
        const char *text = line;
        if (line[strspn(line, " \t")] == '\0')
            text = shell->last;
        else
            snprintf(shell->last, sizeof(shell->last), "%s", line);
        forget_stop(mon->machine);
        monitor_line(mon, text);
        free(line);
        /* As without a monitor: a machine that is off is the end. */
        if (shell->off)
            mon->quit = true;
    }
    line_close(shell);
}

static int run_all(struct shell *shell, const struct monitor_options *options)
{
    struct monitor *mon = &shell->mon;
    int status = 0;

    if (options->symbols && load_symbols(mon, options->symbols) < 0)
        return 1;
    if (options->script && shell_script(mon, options->script) < 0)
        status = 1;
    if (!options->stdio)
        return mon->exit_status ? mon->exit_status : status;
    if (!mon->quit && !options->script && !options->stopped)
        shell_run(mon, 0, false);
    else if (!mon->quit && !options->script)
        shell_where(mon);
    if (!mon->quit && !shell->off)
        prompt(shell);
    if (mon->exit_status || status)
        return mon->exit_status ? mon->exit_status : status;
    return mon->machine->exit_status;
}

void monitor_gdb_line(void *ctx, const char *line, FILE *out)
{
    struct monitor *mon = ctx;

    mon->out = out;
    monitor_line(mon, line);
    mon->out = stdout;
    if (mon->quit)
        machine_request(mon->machine, REQUEST_QUIT);
}

int monitor_main(struct machine *machine, const struct monitor_options *options)
{
    struct shell *shell = shell_new(machine, stdout);

    if (!shell) {
        fputs("vitrine: monitor: out of memory\n", stderr);
        return 1;
    }
    ledger_record(&machine->ledger, 1u << EVENT_EXCEPTION | 1u << EVENT_IRQ |
                                        1u << EVENT_PAGING | 1u << EVENT_HLT |
                                        1u << EVENT_MSR | 1u << EVENT_STOP);
    int status = run_all(shell, options);
    fflush(stdout);
    ledger_record(&machine->ledger, 0);
    shell_free(shell);
    return status;
}
