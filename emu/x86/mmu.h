/*
 * Linear memory: paging (SDM 3A chapter 4), the software TLB in front of it,
 * and the accesses that instructions make.
 *
 * All of these work on linear addresses, unwind with a fault when the access
 * is not allowed, and check the whole access before they write any of it.
 */
#ifndef EMU_X86_MMU_H
#define EMU_X86_MMU_H

#include "emu/x86/cpu.h"

#include <stddef.h>
#include <string.h>

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Page-fault error code bits. */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

/* What a walk found, for the TLB and for `walk VA`. */
struct walk {
    uint64_t gpa;       /* of the byte asked for */
    uint64_t page_size; /* 4 KiB, 2 MiB, 4 MiB, 1 GiB */
    bool global, writable, user, no_execute, dirty;
    uint32_t error;                  /* page-fault error code when it failed */
    unsigned levels;                 /* entries read */
    uint64_t entry[5], entry_gpa[5]; /* from the top level down */
};
/* Translates without side effects when `touch` is false; with it, sets A and
 * D bits as a real access does. False: a page fault (walk->error). */
bool mmu_walk(struct cpu *cpu, uint64_t linear, enum access access, bool user,
              bool touch, struct walk *walk);

/* TLB maintenance. */
void mmu_flush_all(struct cpu *cpu); /* global pages too */
void mmu_flush(struct cpu *cpu);     /* MOV CR3 */
void mmu_invlpg(struct cpu *cpu, uint64_t linear);
/* Write tags of every entry that maps this physical page are dropped: code
 * was decoded there, or it stops being writable. */
void mmu_protect_page(struct cpu *cpu, uint64_t gpa);

/* The memory map changed: forgets every host pointer. */
void mmu_memory_changed(struct cpu *cpu);

/* Guest-physical address and host pointer of the page that holds `linear`, for
 * execution. Faults as a fetch does. *host is NULL for MMIO. */
uint64_t mmu_fetch_page(struct cpu *cpu, uint64_t linear, uint8_t **host);

/* The slow way in: any size from 1 to 8. */
uint64_t mmu_load(struct cpu *cpu, uint64_t linear, unsigned size);
void mmu_store(struct cpu *cpu, uint64_t linear, uint64_t value, unsigned size);
/* Faults now if a write of `size` bytes (at most 4096) would fault. */
void mmu_probe_write(struct cpu *cpu, uint64_t linear, size_t size);
void mmu_probe_read(struct cpu *cpu, uint64_t linear, size_t size);
/* Any size up to 4096; checks all before the first byte. */
void mmu_load_block(struct cpu *cpu, uint64_t linear, void *data, size_t size);
void mmu_store_block(struct cpu *cpu, uint64_t linear, const void *data,
                     size_t size);
/* Accesses that are made with supervisor rights whatever the CPL is:
 * descriptor tables, TSS, stacks of inner rings. */
uint64_t mmu_system_load(struct cpu *cpu, uint64_t linear, unsigned size);
void mmu_system_store(struct cpu *cpu, uint64_t linear, uint64_t value,
                      unsigned size);
/* Accesses with the rights of a given privilege level (inner or outer stacks
 * of a far transfer): user when cpl == 3. */
uint64_t mmu_load_as(struct cpu *cpu, unsigned cpl, uint64_t linear,
                     unsigned size);
void mmu_store_as(struct cpu *cpu, unsigned cpl, uint64_t linear,
                  uint64_t value, unsigned size);
/* For fault-free debugging access (monitor, gdb, logs): bytes copied. */
size_t mmu_peek(struct cpu *cpu, uint64_t linear, void *data, size_t size);

/*
 * Segmentation (SDM 3A 5.3): offset to linear address for an access of `size`
 * bytes, with limit, type and canonical checks: #GP(0), or #SS(0) for SS.
 */
uint64_t segment_linear(struct cpu *cpu, enum seg seg, uint64_t offset,
                        unsigned size, bool write);

/* Finds the host address for an access that the TLB allows directly; false
 * when it does not. */
static inline bool tlb_read(const struct cpu *c, uint64_t linear, unsigned size,
                            const void **host)
{
    const struct tlb_entry *e =
        &c->tlb_now->entry[(linear >> 12) & (TLB_SIZE - 1)];
    if (UNLIKELY(linear - e->tag_r > 4096 - size))
        return false;
    *host = (const void *)(uintptr_t)(linear + e->addend);
    return true;
}
static inline bool tlb_write(const struct cpu *c, uint64_t linear,
                             unsigned size, void **host)
{
    const struct tlb_entry *e =
        &c->tlb_now->entry[(linear >> 12) & (TLB_SIZE - 1)];
    if (UNLIKELY(linear - e->tag_w > 4096 - size))
        return false;
    *host = (void *)(uintptr_t)(linear + e->addend);
    return true;
}

/* An access at the current privilege: quick when the TLB has it. */
static inline uint64_t mem_load(struct cpu *c, uint64_t linear, unsigned size)
{
    const void *p;
    uint64_t value = 0;
    if (UNLIKELY(!tlb_read(c, linear, size, &p)))
        return mmu_load(c, linear, size);
    memcpy(&value, p, size);
    return value;
}
static inline void mem_store(struct cpu *c, uint64_t linear, uint64_t value,
                             unsigned size)
{
    void *p;
    if (UNLIKELY(!tlb_write(c, linear, size, &p)))
        mmu_store(c, linear, value, size);
    else
        memcpy(p, &value, size);
}

#endif
