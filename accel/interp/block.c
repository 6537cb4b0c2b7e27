/* The block cache: see block.h. */
#include "accel/interp/block.h"
#include "accel/interp/build.h"

#include "emu/machine.h"
#include "emu/x86/system.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE UINT64_C(4096)
#define ARENA_SIZE (UINT64_C(96) << 20)
/* The largest block, with room to spare. */
#define BLOCK_BYTES                                                            \
    (sizeof(struct code_block) + (BLOCK_MAX + 2) * sizeof(struct uop))

static void *map_zeroed(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void invalidate_callback(void *ctx, uint64_t gpa, uint64_t size)
{
    block_invalidate(ctx, gpa, size);
}

int block_cache_init(struct block_cache *cache, struct machine *machine)
{
    *cache = (struct block_cache){.machine = machine};
    uint64_t top = machine->ram_bytes + (UINT64_C(4) << 30);
    cache->code.pages = top / PAGE;
    cache->code.granules = map_zeroed(cache->code.pages * sizeof(uint64_t));
    cache->code.invalidate = invalidate_callback;
    cache->code.ctx = cache;
    cache->pages = map_zeroed(cache->code.pages * sizeof(struct code_block *));
    cache->buckets = map_zeroed(BLOCK_BUCKETS * sizeof(struct code_block *));
    cache->arena_size = ARENA_SIZE;
    cache->arena = map_zeroed(ARENA_SIZE);
    cache->single = calloc(1, BLOCK_BYTES);
    if (!cache->code.granules || !cache->pages || !cache->buckets ||
        !cache->arena || !cache->single) {
        block_cache_fini(cache);
        return -ENOMEM;
    }
    return 0;
}

static void unmap(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

void block_cache_fini(struct block_cache *cache)
{
    unmap(cache->code.granules, cache->code.pages * sizeof(uint64_t));
    unmap(cache->pages, cache->code.pages * sizeof(struct code_block *));
    unmap(cache->buckets, BLOCK_BUCKETS * sizeof(struct code_block *));
    unmap(cache->arena, cache->arena_size);
    free(cache->single);
    *cache = (struct block_cache){0};
}

static unsigned bucket_of(uint64_t gpa, uint32_t mode)
{
    uint64_t h = (gpa ^ ((uint64_t)mode << 20)) * UINT64_C(0x9E3779B97F4A7C15);
    return (unsigned)(h >> 48);
}

/* What the first uop of a dropped block becomes: back to the run loop, which
 * finds the new code. */
static const struct uop *block_stale(UOP_ARGS)
{
    c->fa = fa;
    c->fb = fb;
    c->budget = budget;
    c->rip = uop_rip(c, u);
    return NULL;
}

/* --- keeping -------------------------------------------------------------- */

static uint64_t granule_mask(unsigned first_byte, unsigned last_byte)
{
    return (UINT64_MAX << (first_byte / 64)) &
           (UINT64_MAX >> (63 - last_byte / 64));
}

/* The granules of page `gpa` that a block occupies. */
static uint64_t granules_in(const struct code_block *b, uint64_t page)
{
    unsigned first = (unsigned)(b->gpa & (PAGE - 1));
    if ((b->gpa & ~(PAGE - 1)) == page) {
        unsigned last = first + b->bytes - 1u;
        return granule_mask(first, last < PAGE ? last : PAGE - 1);
    }
    return granule_mask(0, first + b->bytes - 1u - (unsigned)PAGE);
}

static void occupy(struct block_cache *cache, struct code_block *b,
                   unsigned list, uint64_t page)
{
    uint64_t number = page / PAGE;
    b->page_next[list] = cache->pages[number];
    cache->pages[number] = b;
    if (!cache->code.granules[number])
        for (unsigned n = 0; n < cache->machine->cpus; n++)
            mmu_protect_page(cache->machine->cpu[n], page);
    cache->code.granules[number] |= granules_in(b, page);
}

static unsigned uop_count(const struct code_block *b)
{
    return b->lead + b->count + 1u;
}

/* Moves a block that was built at the arena's end to where it stays. */
static struct code_block *place(struct block_cache *cache,
                                struct code_block *built)
{
    unsigned uops = uop_count(built);
    size_t size = sizeof *built + uops * sizeof(struct uop);
    struct code_block *b = cache->free_blocks[uops];
    if (b) {
        cache->free_blocks[uops] = b->hash_next;
        memcpy(b, built, size);
        return b;
    }
    cache->arena_used += size;
    return built;
}

static struct code_block *keep(struct block_cache *cache,
                               struct code_block *built)
{
    struct code_block *b = place(cache, built);
    unsigned bucket = bucket_of(b->gpa, b->mode);
    b->cached = true;
    b->incoming = NULL;
    b->jumps = 0;
    b->hash_next = cache->buckets[bucket];
    cache->buckets[bucket] = b;
    occupy(cache, b, 0, b->gpa & ~(PAGE - 1));
    if (b->straddles)
        occupy(cache, b, 1, b->second_gpa);
    cache->built++;
    return b;
}

static uint64_t linear_of(const struct cpu *c, uint64_t rip)
{
    if (cpu_64bit(c))
        return rip;
    uint64_t linear = c->seg[SEG_CS].base + rip;
    return c->long_mode ? linear & UINT32_MAX : (uint32_t)linear;
}

static bool same_key(const struct code_block *b, const struct cpu *c,
                     uint64_t gpa)
{
    return b->gpa == gpa && b->mode == c->mode &&
           (!(b->mode & MODE_CS_SHORT) ||
            (b->cs_base == c->seg[SEG_CS].base &&
             b->cs_limit == c->seg[SEG_CS].limit));
}

/* A straddling block is good only for the second page that it was made of. */
static bool second_page_matches(struct cpu *c, const struct code_block *b,
                                uint64_t linear)
{
    if (!b->straddles)
        return true;
    uint8_t *host;
    uint64_t next = (linear & ~(PAGE - 1)) + PAGE;
    if (!c->long_mode)
        next = (uint32_t)next;
    return mmu_fetch_page(c, next, &host) == b->second_gpa;
}

struct code_block *block_find(struct block_cache *cache, struct cpu *c,
                              unsigned limit)
{
    struct source s = {.c = c, .rip = c->rip,
                       .linear = linear_of(c, c->rip)};
    uint8_t *host;
    if (block_limit_left(c, c->rip) == 0)
        cpu_gp(c);
    if (cpu_64bit(c) && !canonical(c->rip))
        cpu_gp(c);
    s.gpa = mmu_fetch_page(c, s.linear, &host) | (s.linear & (PAGE - 1));
    s.host = host ? host + (s.gpa & (PAGE - 1)) : NULL;
    struct code_block *b;
    if (limit > 1) {
        b = cache->buckets[bucket_of(s.gpa, c->mode)];
        for (; b; b = b->hash_next)
            if (same_key(b, c, s.gpa) && second_page_matches(c, b, s.linear))
                return b;
    }
    bool cached = limit > 1 && host && s.gpa / PAGE < cache->code.pages;
    if (cached && cache->arena_size - cache->arena_used < BLOCK_BYTES)
        cached = false;
    if (limit > 1 && !cached)
        cache->reset_wanted = cache->reset_wanted || host;
    b = cached ? (struct code_block *)(void *)(cache->arena + cache->arena_used)
               : cache->single;
    b->gpa = s.gpa;
    b->cs_base = c->seg[SEG_CS].base;
    b->cs_limit = c->seg[SEG_CS].limit;
    b->cached = false;
    block_build(b, &s, cached ? BLOCK_MAX : 1);
    /* Both halves in one physical page would put it on one list twice. */
    if (b->straddles && b->second_gpa == (b->gpa & ~(PAGE - 1)))
        cached = false;
    return cached ? keep(cache, b) : b;
}

void block_note_jump(struct code_block *b, uint64_t rip)
{
    if (b->jumps == 0 || b->jump_rip != rip)
        b->jumps = b->jumps ? 2 : 1;
    b->jump_rip = rip;
}

static struct link_site *new_site(struct block_cache *cache)
{
    struct link_site *site = cache->free_sites;
    if (site) {
        cache->free_sites = site->next;
        return site;
    }
    if (cache->arena_size - cache->arena_used < sizeof *site)
        return NULL;
    site = (struct link_site *)(void *)(cache->arena + cache->arena_used);
    cache->arena_used += sizeof *site;
    return site;
}

void block_link(struct block_cache *cache, const struct uop *from,
                struct code_block *to)
{
    struct link_site *site = new_site(cache);
    if (!site)
        return;
    site->from = (struct uop *)(uintptr_t)from;
    site->next = to->incoming;
    to->incoming = site;
    site->from->link = to->uops;
}

/* --- dropping ------------------------------------------------------------- */

static void remove_from_page(struct block_cache *cache, struct code_block *b,
                             unsigned list, uint64_t page)
{
    struct code_block **p = &cache->pages[page / PAGE];
    while (*p && *p != b) {
        bool first = ((*p)->gpa & ~(PAGE - 1)) == page;
        p = &(*p)->page_next[first ? 0 : 1];
    }
    if (*p)
        *p = b->page_next[list];
}

/* A site whose own block was dropped and used again is harmless: its link
 * field does not lead here any more. */
static void unlink_incoming(struct block_cache *cache, struct code_block *b)
{
    struct link_site *next;
    for (struct link_site *s = b->incoming; s; s = next) {
        next = s->next;
        if (s->from->link == b->uops)
            s->from->link = NULL;
        s->next = cache->free_sites;
        cache->free_sites = s;
    }
    b->incoming = NULL;
}

/* Takes the block out of the jump caches. False when it may be there more than
 * once: its memory cannot be used again then, and leads to the run loop. */
static bool forget_jump(struct block_cache *cache, const struct code_block *b)
{
    if (b->jumps > 1)
        return false;
    for (unsigned n = 0; b->jumps && n < cache->machine->cpus; n++) {
        struct jump *j = jump_slot(cache->machine->cpu[n], b->jump_rip);
        if (j->first == b->uops)
            j->key = UINT64_MAX;
    }
    return true;
}

static void drop(struct block_cache *cache, struct code_block *b)
{
    struct code_block **p = &cache->buckets[bucket_of(b->gpa, b->mode)];
    while (*p && *p != b)
        p = &(*p)->hash_next;
    if (*p)
        *p = b->hash_next;
    remove_from_page(cache, b, 0, b->gpa & ~(PAGE - 1));
    if (b->straddles)
        remove_from_page(cache, b, 1, b->second_gpa);
    unlink_incoming(cache, b);
    b->uops[0].fn = block_stale;
    cache->dropped++;
    if (forget_jump(cache, b)) {
        b->hash_next = cache->free_blocks[uop_count(b)];
        cache->free_blocks[uop_count(b)] = b;
    }
}

static void invalidate_page(struct block_cache *cache, uint64_t page,
                            uint64_t mask)
{
    uint64_t number = page / PAGE, left = 0;
    struct code_block *next;
    for (struct code_block *b = cache->pages[number]; b; b = next) {
        uint64_t granules = granules_in(b, page);
        next = b->page_next[(b->gpa & ~(PAGE - 1)) == page ? 0 : 1];
        if (granules & mask)
            drop(cache, b);
        else
            left |= granules;
    }
    cache->code.granules[number] = left;
    for (unsigned n = 0; n < cache->machine->cpus; n++)
        cache->machine->cpu[n]->link_from = NULL;
}

void block_invalidate(struct block_cache *cache, uint64_t gpa, uint64_t size)
{
    while (size) {
        uint64_t page = gpa & ~(PAGE - 1);
        uint64_t n = PAGE - (gpa - page);
        if (n > size)
            n = size;
        if (page / PAGE < cache->code.pages &&
            cache->code.granules[page / PAGE])
            invalidate_page(cache, page,
                            granule_mask((unsigned)(gpa - page),
                                         (unsigned)(gpa - page + n - 1)));
        gpa += n;
        size -= n;
    }
}

void block_reset(struct block_cache *cache)
{
    for (unsigned n = 0; n < BLOCK_BUCKETS; n++)
        for (struct code_block *b = cache->buckets[n]; b; b = b->hash_next) {
            uint64_t first = b->gpa / PAGE;
            cache->pages[first] = NULL;
            cache->code.granules[first] = 0;
            if (b->straddles) {
                cache->pages[b->second_gpa / PAGE] = NULL;
                cache->code.granules[b->second_gpa / PAGE] = 0;
            }
        }
    memset(cache->buckets, 0, BLOCK_BUCKETS * sizeof(struct code_block *));
    cache->arena_used = 0;
    memset(cache->free_blocks, 0, sizeof cache->free_blocks);
    cache->free_sites = NULL;
    cache->reset_wanted = false;
    cache->resets++;
    for (unsigned n = 0; n < cache->machine->cpus; n++) {
        cache->machine->cpu[n]->code_generation++;
        cache->machine->cpu[n]->link_from = NULL;
    }
}
