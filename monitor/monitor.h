/*
 * The monitor: a client of the machine and its ledger, never of an engine.
 *
 * It owns the thread that runs the machine: while the guest runs there is no
 * prompt; Ctrl-C, a breakpoint or the end of a step stops the guest and the
 * prompt comes back. All output goes through one FILE.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "emu/machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct symbols;
struct monitor;

/* A parsed argument; `type` is the letter of the command's args string. */
struct arg {
    const char *name;
    bool given;
    uint64_t value;   /* expressions, counts, addresses */
    const char *text; /* words, file names, the rest of the line */
};

/*
 * A command. `args` is "name:type" words: x expression, a address, n count,
 * w word, f file, r rest of the line; a `?` behind makes it optional. Parsing,
 * completion, help and the manual's chapter are made from the table.
 */
struct command {
    const char *name;    /* "info registers" for a subcommand */
    const char *aliases; /* "r regs", separated by blanks; or NULL */
    const char *args;
    const char *help; /* one line */
    /* 0, or -1 with a message already printed: a script stops there. */
    int (*run)(struct monitor *mon, const struct arg *args);
};

struct monitor {
    struct machine *machine;
    struct symbols *symbols; /* may be NULL */
    FILE *out;
    unsigned cpu; /* the one that is looked at */
    bool quit;
    int exit_status; /* of a script: 0, or 1 after a failed assert */
    void *impl;      /* the shell's own */
};

/* The shell without a prompt; `out` stays the caller's. NULL: out of memory. */
struct monitor *monitor_new(struct machine *machine, FILE *out);
/* Removes its breakpoints, too. */
void monitor_free(struct monitor *mon);
/* Runs one line: 0, or -1 with a message already printed. */
int monitor_line(struct monitor *mon, const char *line);

/* Tables of commands, each ending with a NULL name. */
extern const struct command control_commands[]; /* run, step, break, watch */
extern const struct command look_commands[];    /* registers, memory, walks */
extern const struct command shell_commands[];   /* help, script, assert */

#endif
