/*
 * Ledger sinks that write: `-d exits` as text into the log, `-trace
 * file=x.jsonl` as one JSON object a line.
 */
#ifndef EMU_TRACE_H
#define EMU_TRACE_H

#include "emu/event.h"
#include "emu/log.h"

#include <stdio.h>

struct trace {
    struct event_sink sink;
    struct ledger *ledger;
    struct log *log; /* text: lines go to log->file */
    FILE *file;      /* JSON */
    const char *path;
};

/* Every event as a line of text in the log, as long as LOG_EXITS is on. */
void trace_log(struct trace *trace, struct ledger *ledger, struct log *log);
/* Every event as JSON into a new file. 0 or -errno. */
int trace_open(struct trace *trace, struct ledger *ledger, const char *path);
/* Detaches the sink and closes the file. 0, or -errno when something could not
 * be written. */
int trace_close(struct trace *trace);

#endif
