/* What mmu.c, mmu_tlb.c and mmu_walk.c share; nobody else includes it. */
#ifndef EMU_X86_MMU_INTERNAL_H
#define EMU_X86_MMU_INTERNAL_H

#include "emu/x86/mmu.h"

enum {
    WALK_USER = 1u << 0,        /* with user rights */
    WALK_TOUCH = 1u << 1,       /* set accessed and dirty bits */
    WALK_SMAP_LIFTED = 1u << 2, /* explicit access while EFLAGS.AC is set */
};
bool mmu_walk_rules(struct cpu *cpu, uint64_t linear, enum access access,
                    unsigned rules, struct walk *walk);

/* The cached host pointer of a physical page (host NULL: MMIO). */
struct phys_page *mmu_phys_page(struct cpu *cpu, uint64_t gpa);

/* Writes within one physical page, telling the engine if code changes. */
void mmu_physical_store(struct cpu *cpu, uint64_t gpa, uint64_t value,
                        unsigned size);

#define PAGE UINT64_C(4096)

/* A tag that entry `index` can never match: it belongs to another index. */
static inline uint64_t dead_tag(unsigned index)
{
    return index ? 0 : PAGE;
}

/* The place of a linear page in cpu.fetched, a hash set of 1024 bits. */
static inline unsigned fetched_bit(uint64_t linear)
{
    uint64_t page = linear >> 12;
    return (unsigned)((page ^ (page >> 10)) & 1023);
}

static inline bool cpu_long_paging(const struct cpu *c)
{
    return (c->msr.efer & EFER_LMA) != 0;
}

#endif
