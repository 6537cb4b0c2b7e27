/*
 * The log (`-d item,...`, `-D file`), with QEMU's items. Testing a mask is all
 * that a log point costs when it is off.
 */
#ifndef EMU_LOG_H
#define EMU_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum log_item {
    LOG_INT = 1u << 0,          /* interrupts and exceptions, with state */
    LOG_CPU_RESET = 1u << 1,    /* CPU state before a reset */
    LOG_GUEST_ERRORS = 1u << 2, /* what a guest does that no guest should */
    LOG_IN_ASM = 1u << 3,       /* guest code of each block decoded */
    LOG_EXITS = 1u << 4,        /* every event of the ledger */
    LOG_UNIMP = 1u << 5,        /* what Vitrine does not model */
};

struct log {
    uint32_t mask;
    FILE *file; /* never NULL once initialised */
    bool owned; /* close it in log_fini */
};

void log_init(struct log *log);
void log_fini(struct log *log);
/* Parses "int,cpu_reset" into the mask. Returns NULL, or the start of the
 * first item that is not known. */
const char *log_parse(struct log *log, const char *items);
/* Writes to `path` instead of stderr. 0 or -errno. */
int log_open(struct log *log, const char *path);
/* A table of item names and help texts, ends with a NULL name. */
struct log_help {
    const char *name, *help;
    enum log_item item;
};
extern const struct log_help log_items[];

static inline bool log_on(const struct log *log, enum log_item item)
{
    return (log->mask & (uint32_t)item) != 0;
}
/* Writes when the item is on. A newline ends each line. */
void log_line(struct log *log, enum log_item item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
