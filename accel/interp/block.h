/*
 * The block cache: guest code as decoded once.
 *
 * A block is a run of instructions within one physical page, up to the first
 * that leaves (a taken conditional branch leaves from its middle). It is found
 * by physical address and mode, so that one copy serves all linear addresses.
 * Direct branches link blocks of one page to each other; all else goes through
 * the CPU's jump cache.
 *
 * Invariants
 * - A link never crosses a page, so links hold whatever the page tables say.
 * - An instruction that straddles two pages is a block by itself, which is
 *   never linked and never in the jump cache: both pages are looked up at
 *   every entry.
 * - The memory of a dropped block stays as it is until block_find() or
 *   block_reset(), which only the run loop calls: handlers may still be in it.
 */
#ifndef ACCEL_INTERP_BLOCK_H
#define ACCEL_INTERP_BLOCK_H

#include "emu/x86/decode.h"

struct machine;

/* A branch that was linked to a block. */
struct link_site {
    struct uop *from;
    struct link_site *next;
};

struct code_block {
    uint64_t gpa;        /* of the first byte */
    uint64_t second_gpa; /* straddling: page of the rest; else 0 */
    uint64_t cs_base;    /* these two count only with MODE_CS_SHORT */
    uint32_t cs_limit;
    uint32_t mode;
    uint16_t bytes;
    uint8_t count; /* instructions */
    bool straddles;
    uint8_t lead; /* 1: uops[0] is a breakpoint's, the instruction is
                     next */
    bool cached;  /* found by block_find(); else used once */
    struct code_block *hash_next;
    struct code_block *page_next[2]; /* on the lists of its one or two pages */
    struct link_site *incoming;
    uint64_t jump_rip; /* its entry in the jump cache, if there is just one */
    uint8_t jumps;     /* entries made for it: 0, 1, 2 = many */
    struct uop uops[]; /* lead + count + 1: the last one falls through */
};

#define BLOCK_BUCKETS 65536u

struct block_cache {
    struct machine *machine;
    struct code_map code;
    struct code_block **buckets;
    struct code_block **pages; /* by guest-physical page number */
    uint8_t *arena;
    size_t arena_size, arena_used;
    struct code_block *single; /* for running one instruction */
    /* Dropped blocks and link sites, to be used again: code that is written
     * over and over must not eat the arena. By number of uops. */
    struct code_block *free_blocks[BLOCK_MAX + 3];
    struct link_site *free_sites;
    bool reset_wanted;
    uint64_t built, dropped, resets; /* statistics */
};

int block_cache_init(struct block_cache *cache, struct machine *machine);
void block_cache_fini(struct block_cache *cache);

/* The block at cpu->rip, decoded if need be; with `limit` 1 a block of only
 * one instruction, which is not kept. Unwinds when fetching faults. */
struct code_block *block_find(struct block_cache *cache, struct cpu *cpu,
                              unsigned limit);
/* Notes that the CPU's jump cache leads from `rip` to the block. */
void block_note_jump(struct code_block *block, uint64_t rip);
/* Makes a direct branch go straight to `to` from now on. */
void block_link(struct block_cache *cache, const struct uop *from,
                struct code_block *to);
/* Drops all blocks that overlap [gpa, gpa + size). */
void block_invalidate(struct block_cache *cache, uint64_t gpa, uint64_t size);
/* Drops everything and reuses the memory. Only from the run loop. */
void block_reset(struct block_cache *cache);

#endif
