/*
 * The log: which items are on, and where their lines go.
 *
 * Not modelled: QEMU's -dfilter and its `%d` in the file name.
 */
#include "emu/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const struct log_help log_items[] = {
    {"int", "interrupts and exceptions, with the CPU's state", LOG_INT},
    {"cpu_reset", "the CPU's state before a reset", LOG_CPU_RESET},
    {"guest_errors", "what a guest does that no guest should",
     LOG_GUEST_ERRORS},
    {"in_asm", "guest code, as each block is decoded", LOG_IN_ASM},
    {"exits", "every event of the ledger", LOG_EXITS},
    {"unimp", "what Vitrine does not model", LOG_UNIMP},
    {NULL, NULL, 0},
};

void log_init(struct log *log)
{
    log->mask = 0;
    log->file = stderr;
    log->owned = false;
}

void log_fini(struct log *log)
{
    if (log->owned)
        fclose(log->file);
    else
        fflush(log->file);
    log_init(log);
}

static const struct log_help *find_item(const char *name, size_t length)
{
    for (const struct log_help *item = log_items; item->name; item++) {
        if (strlen(item->name) == length && !memcmp(item->name, name, length))
            return item;
    }
    return NULL;
}

const char *log_parse(struct log *log, const char *items)
{
    uint32_t mask = 0;

    for (const char *at = items;;) {
        size_t length = strcspn(at, ",");
        const struct log_help *item = find_item(at, length);
        if (!item)
            return at;
        mask |= (uint32_t)item->item;
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    log->mask |= mask;
    return NULL;
}

int log_open(struct log *log, const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        return -errno;
    /* By the line: a log is read when something has gone wrong. */
    setvbuf(file, NULL, _IOLBF, 0);
    if (log->owned)
        fclose(log->file);
    log->file = file;
    log->owned = true;
    return 0;
}

void log_line(struct log *log, enum log_item item, const char *format, ...)
{
    va_list args;

    if (!log_on(log, item))
        return;
    va_start(args, format);
    vfprintf(log->file, format, args);
    va_end(args);
    size_t length = strlen(format);
    if (length == 0 || format[length - 1] != '\n')
        fputc('\n', log->file);
}
