/* The monitor as main.c starts it. */
#ifndef MONITOR_START_H
#define MONITOR_START_H

#include "emu/machine.h"

#include <stdbool.h>
#include <stdio.h>

struct monitor_options {
    bool stdio;          /* -monitor stdio: a prompt */
    const char *script;  /* -monitor script:FILE or -x FILE, or NULL */
    const char *symbols; /* -symbols FILE, or NULL */
    bool stopped;        /* -S: a prompt at once; the guest waits */
};

/*
 * Runs the machine (which has been reset) under the monitor, to the end.
 * Returns the exit status: a script's (0, or 1 when a line failed), what quit
 * said, or what the guest asked for.
 */
int monitor_main(struct machine *machine,
                 const struct monitor_options *options);

/* What gdb's "monitor LINE" runs; `ctx` is a struct monitor. */
void monitor_gdb_line(void *ctx, const char *line, FILE *out);

#endif
