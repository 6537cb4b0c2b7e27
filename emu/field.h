/*
 * Field tables: one table a struct, from which snapshots, `info DEVICE`,
 * register displays and test differences are all made.
 *
 * Only state that the guest can observe (or that decides what it will
 * observe) belongs in a table; host pointers, caches and backends do not.
 */
#ifndef EMU_FIELD_H
#define EMU_FIELD_H

#include <stddef.h>
#include <stdint.h>

/* How the bytes at a field's offset are to be read. Host byte order. */
enum field_type {
    FIELD_BOOL, /* bool */
    FIELD_U8,
    FIELD_U16,
    FIELD_U32,
    FIELD_U64,
    FIELD_I32,
    FIELD_I64,
    FIELD_TIMER, /* struct timer: its deadline is the state */
};

/*
 * One member of a struct. `count` is the number of elements (1 for a scalar),
 * `since` the snapshot version that first had it (1 is the first). A table
 * ends with an entry whose name is NULL.
 */
struct field {
    const char *name;
    uint32_t offset;
    uint32_t count;
    uint8_t type;
    uint8_t since;
};

#define FIELD(STRUCT, MEMBER, TYPE)                                            \
    {                                                                          \
        .name = #MEMBER, .offset = offsetof(struct STRUCT, MEMBER),            \
        .count = 1, .type = (TYPE), .since = 1                                 \
    }
#define FIELD_ARRAY(STRUCT, MEMBER, TYPE, COUNT)                               \
    {                                                                          \
        .name = #MEMBER, .offset = offsetof(struct STRUCT, MEMBER),            \
        .count = (COUNT), .type = (TYPE), .since = 1                           \
    }
#define FIELD_END                                                              \
    {                                                                          \
        .name = NULL                                                           \
    }

/* Size in bytes of one element of a field of this type. */
size_t field_size(enum field_type type);

/*
 * Writes "name=value" pairs (hexadecimal; arrays as a list, long ones cut
 * with "...") for every field of `state` into `text`, one a line. Returns the
 * length it needed, as snprintf does; `text` is always terminated.
 */
size_t field_print(const struct field *fields, const void *state, char *text,
                   size_t size);

#endif
