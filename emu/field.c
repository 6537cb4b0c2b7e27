/*
 * Field tables as text. See field.h for what a table is; snapshots read the
 * same tables elsewhere.
 *
 * Invariant: nothing here writes to the state it is shown.
 */
#include "emu/field.h"

#include "emu/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Longer arrays (video memory, a controller's buffer) are cut here. */
#define SHOWN_ELEMENTS 16u

/* Text that keeps counting when the buffer is full, as snprintf does. */
struct text {
    char *start;
    size_t size, used;
};

static void append(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct text *text, const char *format, ...)
{
    va_list args;
    bool room = text->used < text->size;

    va_start(args, format);
    int n = vsnprintf(room ? text->start + text->used : NULL,
                      room ? text->size - text->used : 0, format, args);
    va_end(args);
    if (n > 0)
        text->used += (size_t)n;
}

size_t field_size(enum field_type type)
{
    switch (type) {
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_U8:
        return 1;
    case FIELD_U16:
        return 2;
    case FIELD_U32:
    case FIELD_I32:
        return 4;
    case FIELD_U64:
    case FIELD_I64:
        return 8;
    case FIELD_TIMER:
        return sizeof(struct timer);
    }
    return 0;
}

static void print_element(struct text *text, enum field_type type,
                          const uint8_t *at)
{
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int32_t i32;
    int64_t i64;

    /* memcpy, because a table may describe a packed struct. */
    switch (type) {
    case FIELD_BOOL:
    case FIELD_U8:
        append(text, "0x%x", (unsigned)*at);
        break;
    case FIELD_U16:
        memcpy(&u16, at, sizeof(u16));
        append(text, "0x%x", (unsigned)u16);
        break;
    case FIELD_U32:
        memcpy(&u32, at, sizeof(u32));
        append(text, "0x%" PRIx32, u32);
        break;
    case FIELD_U64:
        memcpy(&u64, at, sizeof(u64));
        append(text, "0x%" PRIx64, u64);
        break;
    case FIELD_I32:
        memcpy(&i32, at, sizeof(i32));
        append(text, "%" PRId32, i32);
        break;
    case FIELD_I64:
        memcpy(&i64, at, sizeof(i64));
        append(text, "%" PRId64, i64);
        break;
    case FIELD_TIMER:
        memcpy(&u64, at + offsetof(struct timer, deadline_ns), sizeof(u64));
        if (u64 == CLOCK_NEVER)
            append(text, "never");
        else
            append(text, "%" PRIu64 "ns", u64);
        break;
    }
}

size_t field_print(const struct field *fields, const void *state, char *text,
                   size_t size)
{
    struct text out = {.start = text, .size = size, .used = 0};

    if (size)
        text[0] = '\0';
    for (const struct field *f = fields; f->name; f++) {
        enum field_type type = (enum field_type)f->type;
        const uint8_t *at = (const uint8_t *)state + f->offset;

        append(&out, "%s=", f->name);
        for (uint32_t i = 0; i < f->count; i++) {
            if (i == SHOWN_ELEMENTS) {
                append(&out, ",...");
                break;
            }
            if (i)
                append(&out, ",");
            print_element(&out, type, at + i * field_size(type));
        }
        append(&out, "\n");
    }
    return out.used;
}
