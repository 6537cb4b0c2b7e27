/*
 * Segments: descriptors, loads of segment registers, and the check that every
 * slow access makes (SDM 3A 3.4, 5.2 to 5.6; 64-bit mode: 3A 3.2.4).
 *
 * Far transfers are in farcall.c, task switches in task.c.
 *
 * Invariants: all checks come before the first change; the accessed bit in
 * memory is set last of what may fault, and before the register changes.
 * Not modelled: the limit check of an access that wraps around the end of a
 * flat 4 GiB segment (implementation-specific, SDM 3A 5.3).
 */
#include "emu/machine.h"
#include "emu/x86/system.h"

/* --- descriptors --------------------------------------------------------- */

/* The table of a selector; false when it is the LDT and there is none. */
static bool table_of(const struct cpu *c, uint16_t selector, uint64_t *base,
                     uint32_t *limit)
{
    if (!(selector & 4)) {
        *base = c->gdtr.base;
        *limit = c->gdtr.limit;
        return true;
    }
    *base = c->ldtr.base;
    *limit = c->ldtr.limit;
    return (c->ldtr.access & ACC_P) && !selector_null(c->ldtr.selector);
}

bool descriptor_read(struct cpu *c, uint16_t selector, struct descriptor *desc)
{
    uint64_t base;
    uint32_t limit, offset = selector & 0xFFF8u;

    if (!table_of(c, selector, &base, &limit) || offset + 7 > limit)
        return false;
    desc->selector = selector;
    desc->linear = system_linear(c, base, offset);
    uint64_t raw = mmu_system_load(c, desc->linear, 8);
    desc->lo = (uint32_t)raw;
    desc->hi = (uint32_t)(raw >> 32);
    desc->hi2 = 0;
    return true;
}

void descriptor_fetch(struct cpu *c, uint16_t selector, enum vector vector,
                      struct descriptor *desc)
{
    if (!descriptor_read(c, selector, desc))
        cpu_fault_error(c, vector, selector & 0xFFFCu);
}

void descriptor_fetch_upper(struct cpu *c, enum vector vector,
                            struct descriptor *desc)
{
    uint64_t base;
    uint32_t limit, offset = desc->selector & 0xFFF8u;
    uint32_t error = desc->selector & 0xFFFCu;

    if (!table_of(c, desc->selector, &base, &limit) || offset + 15 > limit)
        cpu_fault_error(c, vector, error);
    uint64_t raw = mmu_system_load(c, system_linear(c, base, offset + 8), 8);
    if ((raw >> 40) & 0x1F)
        cpu_fault_error(c, vector, error);
    desc->hi2 = (uint32_t)raw;
}

uint32_t descriptor_base(const struct descriptor *d)
{
    return (d->lo >> 16) | ((d->hi & 0xFFu) << 16) | (d->hi & 0xFF000000u);
}

uint32_t descriptor_limit(const struct descriptor *d)
{
    uint32_t limit = (d->lo & 0xFFFFu) | (d->hi & 0xF0000u);
    return d->hi & 0x800000u ? (limit << 12) | 0xFFFu : limit;
}

void descriptor_to_segment(const struct descriptor *d, struct segment *s)
{
    s->selector = d->selector;
    s->base = descriptor_base(d);
    s->limit = descriptor_limit(d);
    s->access = DESC_ACCESS(d);
}

static void write_type(struct cpu *c, struct descriptor *d, uint32_t hi)
{
    if (d->hi == hi)
        return;
    mmu_system_store(c, system_linear(c, d->linear, 5), (hi >> 8) & 0xFF, 1);
    d->hi = hi;
}

void descriptor_set_accessed(struct cpu *c, struct descriptor *d)
{
    write_type(c, d, d->hi | (ACC_ACCESSED << 8));
}

void descriptor_set_busy(struct cpu *c, struct descriptor *d, bool busy)
{
    uint32_t bit = 2u << 8; /* TSS types: 1, 9 available; 3, 11 busy */
    write_type(c, d, busy ? d->hi | bit : d->hi & ~bit);
}

/* --- loads of data and stack segments ------------------------------------ */

void segment_load_real(struct cpu *c, enum seg seg, uint16_t selector)
{
    struct segment *s = &c->seg[seg];

    if (c->eflags & FLAG_VM) {
        segment_set_v86(c, seg, selector);
    } else {
        /* Limit and attributes stay as protected mode left them: "unreal". */
        s->selector = selector;
        s->base = (uint32_t)selector << 4;
        s->access |= ACC_P | ACC_S;
    }
    cpu_mode_changed(c);
}

void segment_set_v86(struct cpu *c, enum seg seg, uint16_t selector)
{
    c->seg[seg] = (struct segment){
        .base = (uint32_t)selector << 4,
        .limit = 0xFFFF,
        .selector = selector,
        .access = 0xF3,
    };
}

void segment_set_null(struct cpu *c, enum seg seg, uint16_t selector)
{
    c->seg[seg] = (struct segment){
        .selector = selector,
        .access = seg == SEG_SS ? (uint16_t)((selector & 3u) << 5) : 0,
    };
}

void stack_check(struct cpu *c, const struct descriptor *d, unsigned dpl,
                 enum vector vector)
{
    uint32_t error = d->selector & 0xFFFCu;

    if ((d->selector & 3u) != dpl || DESC_DPL(d) != dpl ||
        !descriptor_is_writable_data(d))
        cpu_fault_error(c, vector, error);
    if (!(d->hi & DESC_P))
        cpu_fault_error(c, VEC_SS, error);
}

static void check_data(struct cpu *c, const struct descriptor *d,
                       enum vector vector)
{
    uint32_t error = d->selector & 0xFFFCu;
    bool code = descriptor_is_code(d);

    if (!(d->hi & DESC_S) || (code && !(d->hi & 0x200u)))
        cpu_fault_error(c, vector, error);
    if (!code || !(d->hi & DESC_CONFORMING)) {
        if (DESC_DPL(d) < c->cpl || DESC_DPL(d) < (d->selector & 3u))
            cpu_fault_error(c, vector, error);
    }
    if (!(d->hi & DESC_P))
        cpu_fault_error(c, VEC_NP, error);
}

void segment_load_protected(struct cpu *c, enum seg seg, uint16_t selector,
                            enum vector vector)
{
    struct descriptor d;

    if (selector_null(selector)) {
        bool fine = seg != SEG_SS ||
                    (cpu_64bit(c) && c->cpl != 3 && (selector & 3u) == c->cpl);
        if (!fine)
            cpu_fault_error(c, vector, 0);
        segment_set_null(c, seg, selector);
        return;
    }
    descriptor_fetch(c, selector, vector, &d);
    if (seg == SEG_SS)
        stack_check(c, &d, c->cpl, vector);
    else
        check_data(c, &d, vector);
    descriptor_set_accessed(c, &d);
    descriptor_to_segment(&d, &c->seg[seg]);
}

void segment_load(struct cpu *c, enum seg seg, uint16_t selector)
{
    if (cpu_real_or_v86(c)) {
        segment_load_real(c, seg, selector);
        return;
    }
    segment_load_protected(c, seg, selector, VEC_GP);
    cpu_mode_changed(c);
}

void segment_drop_inner(struct cpu *c)
{
    static const enum seg data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned i = 0; i < 4; i++) {
        const struct segment *s = &c->seg[data[i]];
        bool conforming = (s->access & (ACC_CODE | ACC_EXPAND_DOWN)) ==
                          (ACC_CODE | ACC_EXPAND_DOWN);
        /* One that is null already stays as it is: in 64-bit mode its base
         * may well be in use (thread-local storage). */
        if ((s->access & ACC_P) && !conforming && ACC_DPL(s->access) < c->cpl)
            segment_set_null(c, data[i], 0);
    }
}

/* --- code segments ------------------------------------------------------- */

static void check_code_type(struct cpu *c, const struct descriptor *d)
{
    bool both =
        c->long_mode && (d->hi & (DESC_L | DESC_DB)) == (DESC_L | DESC_DB);

    if (!descriptor_is_code(d) || both)
        cpu_fault_error(c, VEC_GP, d->selector & 0xFFFCu);
}

static void check_code_present(struct cpu *c, const struct descriptor *d)
{
    if (!(d->hi & DESC_P))
        cpu_fault_error(c, VEC_NP, d->selector & 0xFFFCu);
}

void code_check_direct(struct cpu *c, const struct descriptor *d)
{
    unsigned dpl = DESC_DPL(d), rpl = d->selector & 3u;

    check_code_type(c, d);
    bool fine = d->hi & DESC_CONFORMING ? dpl <= c->cpl
                                        : dpl == c->cpl && rpl <= c->cpl;
    if (!fine)
        cpu_fault_error(c, VEC_GP, d->selector & 0xFFFCu);
    check_code_present(c, d);
}

void code_check_return(struct cpu *c, const struct descriptor *d)
{
    unsigned dpl = DESC_DPL(d), rpl = d->selector & 3u;

    check_code_type(c, d);
    bool fine = d->hi & DESC_CONFORMING ? dpl <= rpl : dpl == rpl;
    if (!fine || rpl < c->cpl)
        cpu_fault_error(c, VEC_GP, d->selector & 0xFFFCu);
    check_code_present(c, d);
}

void code_check_offset(struct cpu *c, const struct descriptor *d,
                       uint64_t offset)
{
    bool fine =
        code_is_64bit(c, d) ? canonical(offset) : offset <= descriptor_limit(d);
    if (!fine)
        cpu_gp(c);
}

void code_load(struct cpu *c, struct descriptor *d, unsigned cpl)
{
    descriptor_set_accessed(c, d);
    descriptor_to_segment(d, &c->seg[SEG_CS]);
    c->seg[SEG_CS].selector = (uint16_t)((d->selector & 0xFFFCu) | cpl);
    c->cpl = (uint8_t)cpl;
}

/* --- accesses ------------------------------------------------------------ */

bool segment_within(const struct segment *s, uint64_t offset, unsigned size)
{
    const unsigned down = ACC_CODE | ACC_EXPAND_DOWN;
    uint64_t last = offset + size - 1;

    if ((s->access & down) == ACC_EXPAND_DOWN) {
        uint64_t top = s->access & ACC_DB ? UINT32_MAX : 0xFFFF;
        return offset > s->limit && last <= top && last >= offset;
    }
    if (s->limit == UINT32_MAX)
        return true;
    return last <= s->limit && last >= offset;
}

/* Protected mode: is the segment usable at all, and for this? */
static bool type_allows(const struct segment *s, bool write)
{
    if (!(s->access & ACC_P))
        return false;
    if (s->access & ACC_CODE)
        return !write && (s->access & ACC_WRITABLE);
    return !write || (s->access & ACC_WRITABLE);
}

uint64_t segment_linear(struct cpu *c, enum seg seg, uint64_t offset,
                        unsigned size, bool write)
{
    const struct segment *s = &c->seg[seg];

    if (cpu_64bit(c)) {
        uint64_t linear = c->seg_base[seg] + offset;
        if (LIKELY(canonical(linear) && canonical(linear + size - 1)))
            return linear;
    } else if (LIKELY(segment_within(s, offset, size) &&
                      (cpu_real_or_v86(c) || type_allows(s, write)))) {
        return (uint32_t)(s->base + offset);
    }
    cpu_fault_error(c, seg == SEG_SS ? VEC_SS : VEC_GP, 0);
}
