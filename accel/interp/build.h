/*
 * Making one block: fetching, decoding, choosing handlers. block.c finds the
 * place and keeps the result.
 */
#ifndef ACCEL_INTERP_BUILD_H
#define ACCEL_INTERP_BUILD_H

#include "accel/interp/block.h"

/* Where the bytes of a block come from. */
struct source {
    struct cpu *c;
    uint64_t rip, linear, gpa;
    const uint8_t *host; /* of gpa; NULL: fetched through the bus */
    uint8_t bytes[32];   /* copies, when they are not contiguous */
};

/* How many bytes from rip on CS's limit allows; at most 15 matter. */
uint64_t block_limit_left(const struct cpu *c, uint64_t rip);
/* Fills in a block of at most `limit` instructions at the source; the caller
 * has set gpa, cs_base and cs_limit. Unwinds if the first instruction cannot be
 * fetched. */
void block_build(struct code_block *block, struct source *source,
                 unsigned limit);

#endif
