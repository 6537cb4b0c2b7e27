/*
 * Instructions on segment registers, selectors and descriptors: MOV, PUSH and
 * POP of segment registers, LES and kin, ARPL, LAR, LSL, VERR, VERW, SLDT,
 * LLDT, STR, LTR, and FS/GS bases (SDM 2; 3A 5.10).
 *
 * Invariants: a load of SS by MOV or POP (not LSS) inhibits interrupts until
 * the next instruction has been executed (SDM 3A 6.8.3).
 */
#include "emu/machine.h"
#include "emu/x86/flags.h"
#include "emu/x86/system.h"
#include "emu/x86/decode.h"

static void set_zf(struct cpu *c, bool zf)
{
    uint32_t flags = flags_pack(c->fa, c->fb) & ~(uint32_t)FLAG_ZF;
    flags_unpack(flags | (zf ? (uint32_t)FLAG_ZF : 0), &c->fa, &c->fb);
}

/* --- segment registers --------------------------------------------------- */

const struct uop *op_push_seg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_PUSH_SEG);
    uint64_t mask = stack_mask(c);
    uint64_t sp = (c->r[R_SP] - u->size) & mask;
    uint64_t linear = segment_linear(c, SEG_SS, sp, u->size, true);
    /* With 32 bits the upper half of the slot keeps what it held. */
    mem_store(c, linear, c->seg[u->reg].selector, u->size == 4 ? 2 : u->size);
    stack_set_sp(c, sp, mask);
    return uop_resume(c, u);
}

const struct uop *op_pop_seg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_POP_SEG);
    uint64_t mask = stack_mask(c);
    uint16_t selector = (uint16_t)stack_peek(c, 0, u->size);
    uint64_t next = uop_next_rip(c, u);
    segment_load(c, (enum seg)u->reg, selector);
    stack_set_sp(c, c->r[R_SP] + u->size, mask);
    if (u->reg == SEG_SS)
        cpu_start_ss_shadow(c, next);
    c->rip = next;
    return uop_leave(c, u);
}

const struct uop *op_mov_from_seg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned seg = u->reg & 7u;
    if (seg >= SEG_COUNT)
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_MOV_SEG);
    uop_set_rm(c, u, c->seg[seg].selector, u->flags & UOP_MEM ? 2 : u->size);
    return uop_resume(c, u);
}

const struct uop *op_mov_to_seg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned seg = u->reg & 7u;
    if (seg >= SEG_COUNT || seg == SEG_CS)
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_MOV_SEG);
    uint64_t next = uop_next_rip(c, u);
    segment_load(c, (enum seg)seg, (uint16_t)uop_get_rm(c, u, 2));
    if (seg == SEG_SS)
        cpu_start_ss_shadow(c, next);
    c->rip = next;
    return uop_leave(c, u);
}

const struct uop *op_lseg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_MOV_SEG);
    enum seg seg = (enum seg)u->imm;
    uint64_t linear = uop_linear(c, u, u->size + 2u, false);
    uint64_t offset = mem_load(c, linear, u->size);
    uint16_t selector =
        (uint16_t)mem_load(c, system_linear(c, linear, u->size), 2);
    uint64_t next = uop_next_rip(c, u);
    segment_load(c, seg, selector);
    reg_set(c, u->reg, offset, u->size);
    c->rip = next;
    return uop_leave(c, u);
}

/* --- selectors and descriptors ------------------------------------------- */

static void require_protected(struct cpu *c)
{
    if (!cpu_protected(c))
        cpu_fault(c, VEC_UD);
}

const struct uop *op_arpl(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    require_protected(c);
    uint64_t linear = 0;
    if (u->flags & UOP_MEM) {
        linear = uop_linear(c, u, 2, true);
        mmu_probe_write(c, linear, 2);
    }
    uint64_t selector =
        u->flags & UOP_MEM ? mem_load(c, linear, 2) : reg_get(c, u->rm, 2);
    uint64_t rpl = reg_get(c, u->reg, 2) & 3;
    bool raise = (selector & 3) < rpl;
    if (raise) {
        selector = (selector & 0xFFFC) | rpl;
        if (u->flags & UOP_MEM)
            mem_store(c, linear, selector, 2);
        else
            reg_set(c, u->rm, selector, 2);
    }
    set_zf(c, raise);
    return uop_resume(c, u);
}

/* May code at this CPL with this RPL see the descriptor at all? */
static bool visible(const struct cpu *c, const struct descriptor *d)
{
    if (descriptor_is_code(d) && (d->hi & DESC_CONFORMING))
        return true;
    return DESC_DPL(d) >= c->cpl && DESC_DPL(d) >= (d->selector & 3u);
}

/* Reads the operand's descriptor for LAR, LSL, VERR and VERW. */
static bool inspect(struct cpu *c, const struct uop *u, struct descriptor *d)
{
    uint16_t selector = (uint16_t)uop_get_rm(c, u, 2);

    return !selector_null(selector) && descriptor_read(c, selector, d) &&
           visible(c, d);
}

/* System types whose access rights, or limit, may be asked for. */
static bool type_in(const struct cpu *c, const struct descriptor *d,
                    uint32_t legacy, uint32_t long_mode)
{
    if (d->hi & DESC_S)
        return true;
    return ((c->long_mode ? long_mode : legacy) >> DESC_TYPE(d)) & 1;
}

static NOINLINE void do_lar(struct cpu *c, const struct uop *u)
{
    require_protected(c);
    cpu_sensitive(c, SENSITIVE_LAR);
    struct descriptor d;
    bool found = inspect(c, u, &d) && type_in(c, &d, 0x1A3E, 0x1A04);
    if (found)
        reg_set(c, u->reg, d.hi & 0x00F0FF00, u->size);
    set_zf(c, found);
}

const struct uop *op_lar(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    do_lar(c, u);
    return uop_resume(c, u);
}

static NOINLINE void do_lsl(struct cpu *c, const struct uop *u)
{
    require_protected(c);
    cpu_sensitive(c, SENSITIVE_LSL);
    struct descriptor d;
    bool found = inspect(c, u, &d) && type_in(c, &d, 0x0A0E, 0x0A04);
    if (found)
        reg_set(c, u->reg, descriptor_limit(&d), u->size);
    set_zf(c, found);
}

const struct uop *op_lsl(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    do_lsl(c, u);
    return uop_resume(c, u);
}

static NOINLINE void do_verr(struct cpu *c, const struct uop *u)
{
    require_protected(c);
    cpu_sensitive(c, SENSITIVE_VERR);
    struct descriptor d;
    bool readable = inspect(c, u, &d) && (d.hi & DESC_S) &&
                    (!descriptor_is_code(&d) || (d.hi & 0x200));
    set_zf(c, readable);
}

const struct uop *op_verr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    do_verr(c, u);
    return uop_resume(c, u);
}

static NOINLINE void do_verw(struct cpu *c, const struct uop *u)
{
    require_protected(c);
    cpu_sensitive(c, SENSITIVE_VERW);
    struct descriptor d;
    set_zf(c, inspect(c, u, &d) && descriptor_is_writable_data(&d));
}

const struct uop *op_verw(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    do_verw(c, u);
    return uop_resume(c, u);
}

/* --- LDTR and TR --------------------------------------------------------- */

static const struct uop *store_selector(struct cpu *c, const struct uop *u,
                                        uint16_t selector, enum sensitive what)
{
    require_protected(c);
    cpu_sensitive(c, what);
    uop_set_rm(c, u, selector, u->flags & UOP_MEM ? 2 : u->size);
    return uop_resume(c, u);
}

const struct uop *op_sldt(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    return store_selector(c, u, c->ldtr.selector, SENSITIVE_SLDT);
}

const struct uop *op_str(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    return store_selector(c, u, c->tr.selector, SENSITIVE_STR);
}

/* The descriptor for LLDT or LTR: in the GDT, of one of these types, present;
 * in long mode with the upper half of its base. */
static void system_descriptor(struct cpu *c, uint16_t selector, uint32_t types,
                              struct descriptor *d)
{
    uint32_t error = selector & 0xFFFCu;

    if (selector & 4)
        cpu_fault_error(c, VEC_GP, error);
    descriptor_fetch(c, selector, VEC_GP, d);
    if ((d->hi & DESC_S) || !((types >> DESC_TYPE(d)) & 1))
        cpu_fault_error(c, VEC_GP, error);
    if (!(d->hi & DESC_P))
        cpu_fault_error(c, VEC_NP, error);
    if (c->long_mode)
        descriptor_fetch_upper(c, VEC_GP, d);
}

/* Base with the upper half, canonical. */
static uint64_t system_base(struct cpu *c, const struct descriptor *d)
{
    uint64_t base = descriptor_base(d) | (uint64_t)d->hi2 << 32;
    if (!canonical(base))
        cpu_fault_error(c, VEC_GP, d->selector & 0xFFFCu);
    return base;
}

static NOINLINE void do_lldt(struct cpu *c, const struct uop *u)
{
    require_protected(c);
    cpu_sensitive(c, SENSITIVE_LLDT);
    cpu_require_cpl0(c);
    uint16_t selector = (uint16_t)uop_get_rm(c, u, 2);
    if (selector_null(selector)) {
        c->ldtr = (struct segment){.selector = selector};
        return;
    }
    struct descriptor d;
    system_descriptor(c, selector, 1u << SYS_LDT, &d);
    uint64_t base = system_base(c, &d);
    descriptor_to_segment(&d, &c->ldtr);
    c->ldtr.base = base;
}

const struct uop *op_lldt(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    do_lldt(c, u);
    return uop_resume(c, u);
}

static NOINLINE void do_ltr(struct cpu *c, const struct uop *u)
{
    require_protected(c);
    cpu_sensitive(c, SENSITIVE_LTR);
    cpu_require_cpl0(c);
    uint16_t selector = (uint16_t)uop_get_rm(c, u, 2);
    if (selector_null(selector))
        cpu_gp(c);
    struct descriptor d;
    uint32_t types = 1u << SYS_TSS32 | (c->long_mode ? 0 : 1u << SYS_TSS16);
    system_descriptor(c, selector, types, &d);
    uint64_t base = system_base(c, &d);
    descriptor_set_busy(c, &d, true);
    descriptor_to_segment(&d, &c->tr);
    c->tr.base = base;
}

const struct uop *op_ltr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    do_ltr(c, u);
    return uop_resume(c, u);
}

/* --- FS and GS bases ----------------------------------------------------- */

static enum seg base_segment(struct cpu *c, const struct uop *u)
{
    if (!(c->cr4 & CR4_FSGSBASE))
        cpu_fault(c, VEC_UD);
    return u->reg & 1 ? SEG_GS : SEG_FS;
}

const struct uop *op_rdsegbase(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    enum seg seg = base_segment(c, u);
    reg_set(c, u->rm, c->seg[seg].base, u->size);
    return uop_resume(c, u);
}

const struct uop *op_wrsegbase(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    enum seg seg = base_segment(c, u);
    uint64_t base = reg_get(c, u->rm, u->size);
    if (!canonical(base))
        cpu_gp(c);
    c->seg[seg].base = c->seg_base[seg] = base;
    return uop_resume(c, u);
}

const struct uop *op_swapgs(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_SWAPGS);
    cpu_require_cpl0(c);
    uint64_t base = c->seg[SEG_GS].base;
    c->seg[SEG_GS].base = c->seg_base[SEG_GS] = c->msr.kernel_gs_base;
    c->msr.kernel_gs_base = base;
    return uop_resume(c, u);
}
