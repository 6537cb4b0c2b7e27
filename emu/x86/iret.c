/*
 * IRET, IRETD and IRETQ in every mode (SDM 2 IRET; 3A 6.12, 6.14, 7.4, 20.2).
 *
 * Invariants: as in farcall.c, all checks come first. Which flags may change
 * depends on the CPL and IOPL before the return.
 */
#include "emu/machine.h"
#include "emu/x86/system.h"
#include "emu/x86/uop.h"

#define FLAGS_USER (FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT)
#define FLAGS_WIDE (FLAG_RF | FLAG_AC | FLAG_ID) /* not in 16-bit images */

static void set_flags(struct cpu *c, uint32_t image, uint32_t mask)
{
    uint32_t old = cpu_get_eflags(c);
    cpu_set_eflags(c, (old & ~mask) | (image & mask));
}

/* Real mode; v86 mode with IOPL 3. */
static void return_real(struct cpu *c, unsigned size)
{
    uint32_t mask = FLAGS_USER | FLAG_IF;
    uint64_t stack = stack_mask(c);

    if (!(c->eflags & FLAG_VM))
        mask |= FLAG_IOPL;
    if (size != 2)
        mask |= FLAGS_WIDE;
    uint64_t rip = stack_peek(c, 0, size);
    uint16_t selector = (uint16_t)stack_peek(c, size, size);
    uint32_t image = (uint32_t)stack_peek(c, 2 * size, size);
    if (rip > c->seg[SEG_CS].limit)
        cpu_gp(c);
    stack_set_sp(c, c->r[R_SP] + 3 * size, stack);
    segment_load_real(c, SEG_CS, selector);
    c->rip = rip;
    set_flags(c, image, mask);
}

/* From ring 0 to a v86 task: nine doublewords. */
static void return_v86(struct cpu *c, uint64_t rip, uint16_t cs, uint32_t image)
{
    /* In the order of their places on the stack, from ESP + 16. */
    static const enum seg order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint16_t selector[5];

    uint64_t sp = stack_peek(c, 12, 4);
    for (unsigned i = 0; i < 5; i++)
        selector[i] = (uint16_t)stack_peek(c, 16 + i * 4, 4);
    if ((uint32_t)rip > 0xFFFF)
        cpu_gp(c);
    c->cpl = 3;
    for (unsigned i = 0; i < 5; i++)
        segment_set_v86(c, order[i], selector[i]);
    segment_set_v86(c, SEG_CS, cs);
    c->r[R_SP] = sp;
    c->rip = rip;
    cpu_set_eflags(c, image & 0x3F7FD5u);
    cpu_mode_changed(c);
}

static void return_protected(struct cpu *c, unsigned size)
{
    struct descriptor code;
    uint64_t rip = stack_peek(c, 0, size);
    uint16_t selector = (uint16_t)stack_peek(c, size, size);
    uint32_t image = (uint32_t)stack_peek(c, 2 * size, size);
    unsigned iopl = (c->eflags >> 12) & 3;
    uint32_t mask = FLAGS_USER | (size != 2 ? (uint32_t)FLAGS_WIDE : 0);

    if (size == 4 && !c->long_mode && (image & FLAG_VM) && c->cpl == 0) {
        return_v86(c, rip, selector, image);
        return;
    }
    if (c->cpl <= iopl)
        mask |= FLAG_IF;
    if (c->cpl == 0)
        mask |= FLAG_IOPL | (size != 2 ? FLAG_VIF | FLAG_VIP : 0u);
    if (selector_null(selector))
        cpu_gp(c);
    descriptor_fetch(c, selector, VEC_GP, &code);
    code_check_return(c, &code);
    if (!code_is_64bit(c, &code))
        rip = (uint32_t)rip;
    if ((selector & 3u) != c->cpl || cpu_64bit(c)) {
        return_outer(c, &code, rip, 3 * size, size, 0);
    } else {
        uint64_t stack = stack_mask(c);
        code_check_offset(c, &code, rip);
        code_load(c, &code, c->cpl);
        stack_set_sp(c, c->r[R_SP] + 3 * size, stack);
        cpu_mode_changed(c);
        c->rip = rip;
    }
    set_flags(c, image, mask);
}

void interrupt_return(struct cpu *c, unsigned size)
{
    if (!(c->cr0 & CR0_PE)) {
        return_real(c, size);
    } else if (c->eflags & FLAG_VM) {
        if ((c->eflags & FLAG_IOPL) != FLAG_IOPL)
            cpu_gp(c);
        return_real(c, size);
    } else if (c->eflags & FLAG_NT) {
        if (c->long_mode)
            cpu_gp(c);
        task_return(c, uop_next_rip(c, c->uop));
    } else {
        return_protected(c, size);
    }
    c->nmi_blocked = false;
}
