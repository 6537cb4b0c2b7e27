/*
 * The software TLB's upkeep: flushing, INVLPG, and taking back the right to
 * write directly. What fills it is in mmu.c; its layout is in cpu.h.
 */
#include "emu/x86/mmu.h"
#include "emu/x86/mmu_internal.h"

static void kill_entry(struct tlb *tlb, unsigned index)
{
    struct tlb_entry *e = &tlb->entry[index];
    e->tag_r = e->tag_w = dead_tag(index);
    e->gpa = 0;
}

static void flush_bank(struct tlb *tlb, bool keep_global)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < tlb->filled_count; i++) {
        unsigned index = tlb->filled[i];
        if (keep_global && (tlb->entry[index].gpa & TLB_GLOBAL))
            tlb->filled[kept++] = (uint16_t)index;
        else
            kill_entry(tlb, index);
    }
    tlb->filled_count = kept;
    if (!kept)
        tlb->large = false;
}

static void forget_fetches(struct cpu *c)
{
    c->code_generation++;
    memset(c->fetched, 0, sizeof c->fetched);
    for (unsigned i = 0; i < FETCH_TLB; i++)
        c->fetch[i].linear = UINT64_MAX;
}

void mmu_flush_all(struct cpu *c)
{
    for (unsigned b = 0; b < TLB_BANKS; b++)
        flush_bank(&c->tlb[b], false);
    forget_fetches(c);
}

void mmu_flush(struct cpu *c)
{
    for (unsigned b = 0; b < TLB_BANKS; b++)
        flush_bank(&c->tlb[b], true);
    forget_fetches(c);
}

void mmu_memory_changed(struct cpu *c)
{
    for (unsigned b = 0; b < TLB_BANKS; b++) {
        struct tlb *tlb = &c->tlb[b];
        for (unsigned i = 0; i < TLB_SIZE; i++)
            kill_entry(tlb, i);
        tlb->filled_count = 0;
        tlb->large = false;
    }
    for (unsigned i = 0; i < PHYS_CACHE; i++)
        c->phys[i].gpa = 1;
    forget_fetches(c);
}

void mmu_invlpg(struct cpu *c, uint64_t linear)
{
    unsigned index = (unsigned)(linear >> 12) & (TLB_SIZE - 1);
    for (unsigned b = 0; b < TLB_BANKS; b++) {
        struct tlb *tlb = &c->tlb[b];
        /* A piece of a large page may sit at any index: drop all pieces. */
        if (tlb->large) {
            for (unsigned i = 0; i < tlb->filled_count; i++)
                if (tlb->entry[tlb->filled[i]].gpa & TLB_LARGE) {
                    struct tlb_entry *e = &tlb->entry[tlb->filled[i]];
                    e->tag_r = e->tag_w = dead_tag(tlb->filled[i]);
                    e->gpa = TLB_FILLED;
                }
            tlb->large = false;
        }
        struct tlb_entry *e = &tlb->entry[index];
        e->tag_r = e->tag_w = dead_tag(index);
        e->gpa &= TLB_FILLED;
    }
    unsigned bit = fetched_bit(linear);
    if (c->fetched[bit / 64] & (UINT64_C(1) << (bit % 64)))
        forget_fetches(c);
}

void mmu_protect_page(struct cpu *c, uint64_t gpa)
{
    uint64_t page = gpa & ~(PAGE - 1);
    for (unsigned b = 0; b < TLB_BANKS; b++) {
        struct tlb *tlb = &c->tlb[b];
        for (unsigned i = 0; i < tlb->filled_count; i++) {
            unsigned index = tlb->filled[i];
            if ((tlb->entry[index].gpa & ~(PAGE - 1)) == page)
                tlb->entry[index].tag_w = dead_tag(index);
        }
    }
}
