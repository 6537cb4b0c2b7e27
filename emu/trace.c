/*
 * Ledger sinks that write. See trace.h.
 *
 * Invariant: a file that cannot be written stops nobody; trace_close() tells.
 */
#include "emu/trace.h"

#include <errno.h>
#include <string.h>

#define LINE_BYTES 512
#define BUFFER_BYTES (1u << 18)

static void log_event(void *ctx, const struct event *event)
{
    struct trace *trace = ctx;
    char line[LINE_BYTES];

    if (!log_on(trace->log, LOG_EXITS))
        return;
    event_format(event, line, sizeof(line));
    fprintf(trace->log->file, "%s\n", line);
}

static void write_event(void *ctx, const struct event *event)
{
    struct trace *trace = ctx;
    char line[LINE_BYTES];

    size_t length = event_json(event, line, sizeof(line) - 1);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    line[length++] = '\n';
    fwrite(line, 1, length, trace->file);
}

void trace_log(struct trace *trace, struct ledger *ledger, struct log *log)
{
    *trace = (struct trace){
        .sink = {.on_event = log_event, .ctx = trace, .kinds = EVENT_ALL},
        .ledger = ledger,
        .log = log,
    };
    ledger_add_sink(ledger, &trace->sink);
}

int trace_open(struct trace *trace, struct ledger *ledger, const char *path)
{
    *trace = (struct trace){
        .sink = {.on_event = write_event, .ctx = trace, .kinds = EVENT_ALL},
        .path = path,
    };
    trace->file = fopen(path, "we");
    if (!trace->file)
        return -errno;
    setvbuf(trace->file, NULL, _IOFBF, BUFFER_BYTES);
    trace->ledger = ledger;
    ledger_add_sink(ledger, &trace->sink);
    return 0;
}

int trace_close(struct trace *trace)
{
    int error = 0;

    if (!trace->ledger)
        return 0;
    ledger_remove_sink(trace->ledger, &trace->sink);
    trace->ledger = NULL;
    if (trace->file) {
        bool failed = ferror(trace->file) != 0;
        errno = 0;
        if (fclose(trace->file) != 0 || failed)
            error = errno ? -errno : -EIO;
        trace->file = NULL;
    }
    return error;
}
