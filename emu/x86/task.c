/*
 * Tasks: the task-state segment, task switches, and the I/O permission bitmap
 * (SDM 3A chapter 7; SDM 1 18.5.2).
 *
 * Order of a switch (7.3): checks and reads of the new TSS, the old task is
 * saved, busy bits and link are written; from there on the CPU is the new
 * task, and what fails (LDT, segments, EIP) is a fault of the new task.
 *
 * Not modelled: the difference between static and dynamic fields when both
 * TSSs overlap.
 */
#include "emu/machine.h"
#include "emu/x86/system.h"

/* What a TSS says about a task, of either size. */
struct task {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t seg[SEG_COUNT], ldt;
    bool trap, wide;
};

#define DR6_BT 0x8000u

static bool tss_is_32bit(unsigned type)
{
    return type >= SYS_TSS32;
}

static uint32_t tss_read(struct cpu *c, uint64_t base, uint32_t offset,
                         unsigned size)
{
    return (uint32_t)mmu_system_load(c, system_linear(c, base, offset), size);
}

static void tss_write(struct cpu *c, uint32_t offset, uint32_t value,
                      unsigned size)
{
    mmu_system_store(c, system_linear(c, c->tr.base, offset), value, size);
}

static void read_task(struct cpu *c, const struct descriptor *tss,
                      struct task *t)
{
    uint64_t base = descriptor_base(tss);

    *t = (struct task){.wide = tss_is_32bit(DESC_TYPE(tss))};
    unsigned step = t->wide ? 4 : 2;
    uint32_t at = t->wide ? 0x20 : 0x0E;
    t->eip = tss_read(c, base, at, step);
    t->eflags = tss_read(c, base, at + step, step);
    at += 2 * step;
    for (unsigned i = 0; i < 8; i++, at += step)
        t->gpr[i] = tss_read(c, base, at, step);
    for (unsigned i = 0; i < (t->wide ? 6u : 4u); i++, at += step)
        t->seg[i] = (uint16_t)tss_read(c, base, at, 2);
    t->ldt = (uint16_t)tss_read(c, base, at, 2);
    if (t->wide) {
        t->cr3 = tss_read(c, base, 0x1C, 4);
        t->trap = tss_read(c, base, 0x64, 2) & 1;
    }
}

static void save_task(struct cpu *c, uint64_t rip, uint32_t eflags)
{
    bool wide = tss_is_32bit(c->tr.access & ACC_TYPE);
    unsigned step = wide ? 4 : 2;
    uint32_t at = wide ? 0x20 : 0x0E;

    tss_write(c, at, (uint32_t)rip, step);
    tss_write(c, at + step, eflags, step);
    at += 2 * step;
    for (unsigned i = 0; i < 8; i++, at += step)
        tss_write(c, at, (uint32_t)c->r[i], step);
    for (unsigned i = 0; i < (wide ? 6u : 4u); i++, at += step)
        tss_write(c, at, c->seg[i].selector, 2);
}

/* Marks the current TSS's descriptor available. */
static void release_current(struct cpu *c)
{
    struct descriptor old;

    if (descriptor_read(c, c->tr.selector, &old))
        descriptor_set_busy(c, &old, false);
}

/* The CPU becomes the new task, with no segment usable yet. */
static void become(struct cpu *c, const struct descriptor *tss,
                   const struct task *t, enum task_source source)
{
    bool nested = source == TASK_CALL || source == TASK_INTERRUPT;
    uint32_t eflags = t->eflags & (t->wide ? 0x3F7FD5u : 0x7FD5u);

    descriptor_to_segment(tss, &c->tr);
    c->tr.selector &= 0xFFFCu;
    c->tr.access |= 2; /* busy */
    c->cr0 |= CR0_TS;
    c->dr[7] &= ~UINT64_C(0x155); /* breakpoints local to the old task */
    for (unsigned i = 0; i < 8; i++)
        c->r[i] = t->gpr[i];
    for (unsigned i = 0; i < SEG_COUNT; i++)
        c->seg[i] = (struct segment){.selector = t->seg[i]};
    c->ldtr = (struct segment){.selector = t->ldt};
    c->cpl = eflags & FLAG_VM ? 3 : t->seg[SEG_CS] & 3u;
    c->rip = t->eip;
    cpu_set_eflags(c, eflags | (nested ? (uint32_t)FLAG_NT : 0));
    cpu_mode_changed(c);
    if (t->trap) {
        c->dr6_trap |= DR6_BT;
        c->pending |= PENDING_TRAP;
    }
}

static void load_ldt(struct cpu *c, uint16_t selector)
{
    struct descriptor d;
    uint32_t error = selector & 0xFFFCu;

    if (selector_null(selector))
        return;
    if (selector & 4)
        cpu_fault_error(c, VEC_TS, error);
    descriptor_fetch(c, selector, VEC_TS, &d);
    if ((d.hi & (DESC_S | DESC_P)) != DESC_P || DESC_TYPE(&d) != SYS_LDT)
        cpu_fault_error(c, VEC_TS, error);
    descriptor_to_segment(&d, &c->ldtr);
}

static void load_code(struct cpu *c, uint16_t selector)
{
    struct descriptor d;
    uint32_t error = selector & 0xFFFCu;
    unsigned rpl = selector & 3u;

    if (selector_null(selector))
        cpu_fault_error(c, VEC_TS, error);
    descriptor_fetch(c, selector, VEC_TS, &d);
    bool fine =
        descriptor_is_code(&d) &&
        (d.hi & DESC_CONFORMING ? DESC_DPL(&d) <= rpl : DESC_DPL(&d) == rpl);
    if (!fine)
        cpu_fault_error(c, VEC_TS, error);
    if (!(d.hi & DESC_P))
        cpu_fault_error(c, VEC_NP, error);
    code_load(c, &d, rpl);
}

static void load_segments(struct cpu *c, const struct task *t)
{
    static const enum seg data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};

    load_ldt(c, t->ldt);
    if (c->eflags & FLAG_VM) {
        for (unsigned i = 0; i < SEG_COUNT; i++)
            segment_set_v86(c, (enum seg)i, t->seg[i]);
    } else {
        load_code(c, t->seg[SEG_CS]);
        segment_load_protected(c, SEG_SS, t->seg[SEG_SS], VEC_TS);
        for (unsigned i = 0; i < 4; i++)
            segment_load_protected(c, data[i], t->seg[data[i]], VEC_TS);
    }
    cpu_mode_changed(c);
    if (c->rip > c->seg[SEG_CS].limit)
        cpu_gp(c);
}

void task_switch(struct cpu *c, struct descriptor *tss, enum task_source source,
                 uint64_t return_rip)
{
    uint32_t least = tss_is_32bit(DESC_TYPE(tss)) ? 0x67 : 0x2B;
    uint32_t old_eflags = cpu_get_eflags(c);
    struct task task;

    if (descriptor_limit(tss) < least)
        cpu_fault_error(c, VEC_TS, tss->selector & 0xFFFCu);
    read_task(c, tss, &task);
    if (source == TASK_RETURN)
        old_eflags &= ~(uint32_t)FLAG_NT;
    save_task(c, return_rip, old_eflags);
    if (source == TASK_CALL || source == TASK_INTERRUPT)
        mmu_system_store(c, system_linear(c, descriptor_base(tss), 0),
                         c->tr.selector, 2);
    if (source != TASK_RETURN)
        descriptor_set_busy(c, tss, true);
    if (source == TASK_JUMP || source == TASK_RETURN)
        release_current(c);
    if (task.wide && (c->cr0 & CR0_PG) && !cr3_write(c, task.cr3))
        cpu_gp(c);
    become(c, tss, &task, source);
    load_segments(c, &task);
}

void task_gate(struct cpu *c, const struct descriptor *gate,
               enum task_source source, uint64_t return_rip)
{
    uint16_t selector = (uint16_t)(gate->lo >> 16);
    uint32_t error = selector & 0xFFFCu;
    struct descriptor tss;

    if (selector & 4)
        cpu_fault_error(c, VEC_GP, error);
    descriptor_fetch(c, selector, VEC_GP, &tss);
    if ((tss.hi & DESC_S) ||
        (DESC_TYPE(&tss) != SYS_TSS16 && DESC_TYPE(&tss) != SYS_TSS32))
        cpu_fault_error(c, VEC_GP, error);
    if (!(tss.hi & DESC_P))
        cpu_fault_error(c, VEC_NP, error);
    task_switch(c, &tss, source, return_rip);
}

void task_return(struct cpu *c, uint64_t return_rip)
{
    uint16_t selector = (uint16_t)tss_read(c, c->tr.base, 0, 2);
    uint32_t error = selector & 0xFFFCu;
    struct descriptor tss;

    if (selector & 4)
        cpu_fault_error(c, VEC_TS, error);
    descriptor_fetch(c, selector, VEC_TS, &tss);
    if ((tss.hi & DESC_S) || (DESC_TYPE(&tss) != SYS_TSS16_BUSY &&
                              DESC_TYPE(&tss) != SYS_TSS32_BUSY))
        cpu_fault_error(c, VEC_TS, error);
    if (!(tss.hi & DESC_P))
        cpu_fault_error(c, VEC_NP, error);
    task_switch(c, &tss, TASK_RETURN, return_rip);
}

void task_check_io(struct cpu *c, unsigned port, unsigned size)
{
    unsigned type = c->tr.access & ACC_TYPE;

    if (!(c->cr0 & CR0_PE))
        return;
    if (!(c->eflags & FLAG_VM) && c->cpl <= ((c->eflags >> 12) & 3))
        return;
    if (!(c->tr.access & ACC_P) ||
        (type != SYS_TSS32 && type != SYS_TSS32_BUSY) || c->tr.limit < 0x67)
        cpu_gp(c);
    uint32_t at = tss_read(c, c->tr.base, 0x66, 2) + port / 8;
    /* Two bytes are read always: the bitmap ends with one of all ones. */
    if (at + 1 > c->tr.limit)
        cpu_gp(c);
    uint32_t bits = tss_read(c, c->tr.base, at, 2) >> (port & 7);
    if (bits & ((1u << size) - 1))
        cpu_gp(c);
}
