/*
 * A CPU with RAM and no engine: tests set up descriptor tables by hand, call
 * one operation of the system half and look at what it did.
 */
#ifndef TESTS_UNIT_CPU_RIG_H
#define TESTS_UNIT_CPU_RIG_H

#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "emu/x86/mmu.h"
#include "emu/x86/system.h"
#include "tests/support/test.h"

#include <setjmp.h>
#include <string.h>

#define RIG_RAM (UINT64_C(2) << 20)
#define RIG_GDT 0x1000u
#define RIG_IDT 0x2000u
#define RIG_TSS 0x3000u
#define RIG_TSS2 0x3800u
#define RIG_STACK 0x8000u  /* ring 0, grows down from here */
#define RIG_STACK3 0xA000u /* ring 3 */

/* Selectors of the rig's GDT. */
enum {
    RIG_CODE0 = 0x08, RIG_DATA0 = 0x10, RIG_CODE3 = 0x1B, RIG_DATA3 = 0x23,
    RIG_TR = 0x28, RIG_CODE64 = 0x38, RIG_FREE = 0x40, RIG_FREE2 = 0x50,
};

struct rig {
    struct machine *machine;
    struct cpu *c;
    struct region ram;
};

static inline void rig_write(struct rig *r, uint64_t at, uint64_t value,
                             unsigned size)
{
    memcpy(r->machine->ram + at, &value, size);
}
static inline uint64_t rig_read(const struct rig *r, uint64_t at, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, r->machine->ram + at, size);
    return value;
}

/* A descriptor: `access` is bits 15:8 and 23:20 of its upper half, as in
 * struct segment; limit as it stands in the descriptor. */
static inline void rig_descriptor(struct rig *r, unsigned selector,
                                  uint32_t base, uint32_t limit,
                                  unsigned access)
{
    uint64_t d = (limit & 0xFFFF) | (uint64_t)(base & 0xFFFFFF) << 16 |
                 (uint64_t)(access & 0xFF) << 40 |
                 (uint64_t)((limit >> 16) & 0xF) << 48 |
                 (uint64_t)(access >> 12) << 52 | (uint64_t)(base >> 24) << 56;
    rig_write(r, RIG_GDT + (selector & 0xFFF8u), d, 8);
}
static inline uint64_t rig_gate(unsigned selector, uint32_t offset,
                                unsigned access, unsigned params)
{
    return (offset & 0xFFFF) | (uint64_t)selector << 16 |
           (uint64_t)params << 32 | (uint64_t)access << 40 |
           (uint64_t)(offset >> 16) << 48;
}

static inline bool rig_new(struct rig *r)
{
    r->machine = machine_new(RIG_RAM, 1);
    if (!r->machine)
        return false;
    r->c = r->machine->cpu[0];
    r->ram = (struct region){
        .name = "ram", .size = RIG_RAM, .kind = REGION_RAM,
        .host = r->machine->ram,
    };
    bus_map(&r->machine->memory, &r->ram);
    mmu_memory_changed(r->c);
    return true;
}
static inline void rig_free(struct rig *r)
{
    machine_free(r->machine);
}

static inline void rig_set_segment(struct rig *r, enum seg seg,
                                   unsigned selector)
{
    uint64_t d = rig_read(r, RIG_GDT + (selector & 0xFFF8u), 8);
    struct descriptor desc = {
        .selector = (uint16_t)selector,
        .lo = (uint32_t)d,
        .hi = (uint32_t)(d >> 32),
    };
    descriptor_to_segment(&desc, &r->c->seg[seg]);
}

/* Protected mode at this CPL (0 or 3), flat, with a 32-bit TSS and a full IDT
 * limit; no gate is valid yet. */
static inline void rig_protected(struct rig *r, unsigned cpl)
{
    struct cpu *c = r->c;
    bool user = cpl == 3;

    memset(r->machine->ram, 0, 0x10000); /* all that the tests look at */
    cpu_reset(c);
    rig_descriptor(r, RIG_CODE0, 0, 0xFFFFF, 0xC09B);
    rig_descriptor(r, RIG_DATA0, 0, 0xFFFFF, 0xC093);
    rig_descriptor(r, RIG_CODE3, 0, 0xFFFFF, 0xC0FB);
    rig_descriptor(r, RIG_DATA3, 0, 0xFFFFF, 0xC0F3);
    rig_descriptor(r, RIG_TR, RIG_TSS, 0x67, 0x8B);
    rig_descriptor(r, RIG_CODE64, 0, 0xFFFFF, 0xA09B);
    rig_write(r, RIG_TSS + 4, RIG_STACK, 4);
    rig_write(r, RIG_TSS + 8, RIG_DATA0, 2);
    c->gdtr = (struct table_register){.base = RIG_GDT, .limit = 0xFF};
    c->idtr = (struct table_register){.base = RIG_IDT, .limit = 0x7FF};
    c->cr0 = CR0_PE | CR0_ET;
    c->cpl = (uint8_t)cpl;
    rig_set_segment(r, SEG_CS, user ? RIG_CODE3 : RIG_CODE0);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        if (i != SEG_CS)
            rig_set_segment(r, (enum seg)i, user ? RIG_DATA3 : RIG_DATA0);
    }
    c->tr = (struct segment){
        .base = RIG_TSS, .limit = 0x67, .selector = RIG_TR, .access = 0x8B,
    };
    c->r[R_SP] = user ? RIG_STACK3 : RIG_STACK - 0x100;
    c->rip = 0x5000;
    cpu_mode_changed(c);
    mmu_flush_all(c);
}

/* Turns rig_protected()'s state into 64-bit mode at CPL 0, without paging
 * underneath: linear addresses are physical as long as they are low. */
static inline void rig_long(struct rig *r)
{
    struct cpu *c = r->c;

    rig_protected(r, 0);
    c->long_mode = true;
    rig_set_segment(r, SEG_CS, RIG_CODE64);
    rig_write(r, RIG_TSS + 4, RIG_STACK, 8);
    cpu_mode_changed(c);
}

/* Runs STATEMENT: the vector it raised, or -1. The error code is in
 * c->fault.error. */
#define RAISES(C, STATEMENT)                                                   \
    (setjmp((C)->unwind) == UNWIND_NONE ? ((STATEMENT), -1)                    \
                                        : (int)(C)->fault.vector)

#endif
