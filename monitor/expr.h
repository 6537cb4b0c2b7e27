/*
 * Expressions: what the monitor takes wherever a number may stand.
 *
 *   numbers     26  0x1A  0b11010
 *   registers   rax eax ax al r8d rip cs cr0 eflags ...; $rax says that no
 *               symbol is meant
 *   flags       cf pf af zf sf tf if df of iopl nt vm ac ...; cpl, bits (16,
 *               32 or 64: the width of the code), pe, pg, lma
 *   symbols     names of -symbols; 'name' says that no register is meant
 *   memory      [A], as wide as the code; byte [A], word [A], dword [A],
 *               qword [A]; phys in front: a guest-physical address
 *   counts      exits pio: how many events of a kind there were; also
 *               exits cli and the other sensitive instructions
 *   events      port addr value size write vector reg ...: where an event is
 *               at hand (break on KIND if ...)
 *   operators   C's, with C's precedence: || && | ^ & == != < <= > >= << >>
 *               + - * / % and unary - ~ !; SEG:OFFSET is SEG * 16 + OFFSET
 *
 * Everything is unsigned and has 64 bits; && and || look at the right side
 * only when they must.
 *
 * Invariants: parsing and evaluation recurse at most EXPR_DEPTH deep; an
 * expression has at most EXPR_NODES nodes; evaluation changes nothing.
 * Not modelled: signed comparison, floating point, C types.
 */
#ifndef MONITOR_EXPR_H
#define MONITOR_EXPR_H

#include "emu/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPR_DEPTH 64
#define EXPR_NODES 256
#define EXPR_ERROR 160

struct cpu;
struct machine;
struct symbols;
struct expr;

/* What names mean while an expression is evaluated. */
struct expr_context {
    struct machine *machine;
    struct cpu *cpu;
    const struct event *event; /* NULL: none */
};

/*
 * Parses as much of `text` as is an expression; *end is where it stops.
 * `symbols` may be NULL; a symbol's value is taken now. `event`: the names of
 * an event's fields are known. NULL, with one line in `error` that says where,
 * when it is none.
 */
struct expr *expr_parse(const char *text, const struct symbols *symbols,
                        bool event, const char **end, char error[EXPR_ERROR]);
void expr_free(struct expr *expr);
/* False, with one line in `error`: memory that is not there, or a division by
 * zero. */
bool expr_eval(const struct expr *expr, const struct expr_context *context,
               uint64_t *value, char error[EXPR_ERROR]);

/* Names of registers and flags, for completion; NULL at the end. */
const char *expr_name(unsigned index);

/* The value of a register or flag by name; false when there is none. */
bool expr_register(const struct cpu *cpu, const char *name, uint64_t *value);

#endif
