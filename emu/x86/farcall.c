/*
 * Far JMP, CALL and RET in every mode: direct, through call gates of 16, 32
 * and 64 bits with their stack switch, and to tasks (SDM 3A 5.8, SDM 2 CALL,
 * JMP, RET).
 *
 * Invariants: everything that can fault has happened before CS, SS, CPL, RSP
 * or rip change, so a fault finds the old state. What a failed transfer has
 * written below the stack pointer stays, as on hardware.
 */
#include "emu/machine.h"
#include "emu/x86/system.h"
#include "emu/x86/uop.h"

/* --- stacks -------------------------------------------------------------- */

uint64_t stack_mask(const struct cpu *c)
{
    if (cpu_64bit(c))
        return UINT64_MAX;
    return c->seg[SEG_SS].access & ACC_DB ? UINT32_MAX : 0xFFFF;
}

void stack_set_sp(struct cpu *c, uint64_t sp, uint64_t mask)
{
    if (mask == 0xFFFF)
        c->r[R_SP] = (c->r[R_SP] & ~mask) | (sp & mask);
    else
        c->r[R_SP] = sp & mask;
}

void stack_current(struct cpu *c, bool wide, struct stack *stack)
{
    *stack = (struct stack){
        .ss = c->seg[SEG_SS],
        .mask = stack_mask(c),
        .cpl = c->cpl,
        .flat64 = wide || cpu_64bit(c),
    };
    if (stack->flat64)
        stack->mask = UINT64_MAX;
    /* Coming from compatibility mode, only ESP means anything. */
    stack->sp = cpu_64bit(c) ? c->r[R_SP] : (uint32_t)c->r[R_SP];
    if (!stack->flat64)
        stack->sp &= stack->mask;
}

static uint64_t tss_load(struct cpu *c, uint32_t offset, unsigned size)
{
    if (offset + size - 1 > c->tr.limit)
        cpu_fault_error(c, VEC_TS, c->tr.selector & 0xFFFCu);
    return mmu_system_load(c, system_linear(c, c->tr.base, offset), size);
}

static void stack_from_tss64(struct cpu *c, unsigned cpl, unsigned ist,
                             struct stack *stack)
{
    uint32_t offset = ist ? 28 + ist * 8 : 4 + cpl * 8;

    *stack = (struct stack){
        .ss = {.selector = (uint16_t)cpl, .access = (uint16_t)(cpl << 5)},
        .sp = tss_load(c, offset, 8),
        .mask = UINT64_MAX,
        .cpl = cpl,
        .flat64 = true,
    };
    if (!canonical(stack->sp))
        cpu_fault_error(c, VEC_SS, 0);
}

void stack_from_tss(struct cpu *c, unsigned cpl, unsigned ist,
                    struct stack *stack)
{
    uint16_t selector;
    uint64_t sp;

    if (c->long_mode) {
        stack_from_tss64(c, cpl, ist, stack);
        return;
    }
    if ((c->tr.access & ACC_TYPE) >= SYS_TSS32) {
        uint32_t offset = 4 + cpl * 8;
        /* The limit must cover both before either is read. */
        (void)tss_load(c, offset + 5, 1);
        sp = tss_load(c, offset, 4);
        selector = (uint16_t)tss_load(c, offset + 4, 2);
    } else {
        uint32_t offset = 2 + cpl * 4;
        (void)tss_load(c, offset + 3, 1);
        sp = tss_load(c, offset, 2);
        selector = (uint16_t)tss_load(c, offset + 2, 2);
    }
    *stack = (struct stack){.cpl = cpl, .error = selector & 0xFFFCu};
    if (selector_null(selector))
        cpu_fault_error(c, VEC_TS, 0);
    descriptor_fetch(c, selector, VEC_TS, &stack->desc);
    stack_check(c, &stack->desc, cpl, VEC_TS);
    descriptor_set_accessed(c, &stack->desc);
    descriptor_to_segment(&stack->desc, &stack->ss);
    stack->mask = stack->ss.access & ACC_DB ? UINT32_MAX : 0xFFFF;
    stack->sp = sp & stack->mask;
}

void stack_push(struct cpu *c, struct stack *stack, uint64_t value,
                unsigned size)
{
    uint64_t sp = (stack->sp - size) & stack->mask;
    uint64_t linear = sp;
    bool fits;

    if (stack->flat64) {
        fits = canonical(sp) && canonical(sp + size - 1);
    } else {
        fits =
            (stack->ss.access & ACC_P) && segment_within(&stack->ss, sp, size);
        linear = (uint32_t)(stack->ss.base + sp);
    }
    if (!fits)
        cpu_fault_error(c, VEC_SS, stack->error);
    mmu_store_as(c, stack->cpl, linear, value, size);
    stack->sp = sp;
}

uint64_t stack_peek(struct cpu *c, uint64_t offset, unsigned size)
{
    uint64_t sp = (c->r[R_SP] + offset) & stack_mask(c);
    return mem_load(c, segment_linear(c, SEG_SS, sp, size, false), size);
}

void stack_commit(struct cpu *c, struct stack *stack, bool inner)
{
    if (inner)
        c->seg[SEG_SS] = stack->ss;
    stack_set_sp(c, stack->sp, stack->mask);
}

/* --- common to JMP and CALL ---------------------------------------------- */

static uint64_t offset_mask(unsigned operand_size)
{
    return operand_size == 2   ? 0xFFFF
           : operand_size == 4 ? UINT32_MAX
                               : UINT64_MAX;
}

static void finish(struct cpu *c, uint64_t rip)
{
    cpu_mode_changed(c);
    c->rip = rip & c->ip_mask;
}

/* Real and v86 mode: the offset must fit, the rest cannot fail. */
static void check_real_offset(struct cpu *c, uint64_t offset)
{
    if (offset > c->seg[SEG_CS].limit)
        cpu_gp(c);
}

static void jump_real(struct cpu *c, uint16_t selector, uint64_t offset)
{
    segment_load_real(c, SEG_CS, selector);
    c->rip = offset;
}

/* Offset as the target takes it: a compatibility-mode target has 32 bits. */
static uint64_t target_offset(const struct cpu *c, const struct descriptor *d,
                              uint64_t offset)
{
    return code_is_64bit(c, d) ? offset : (uint32_t)offset;
}

/* DPL and presence of a gate or TSS that is the target of a far transfer. */
static void check_system_target(struct cpu *c, const struct descriptor *d)
{
    uint32_t error = d->selector & 0xFFFCu;

    if (DESC_DPL(d) < c->cpl || DESC_DPL(d) < (d->selector & 3u))
        cpu_fault_error(c, VEC_GP, error);
    if (!(d->hi & DESC_P))
        cpu_fault_error(c, VEC_NP, error);
}

/* Where a call gate leads; the code segment is checked but for DPL == CPL. */
static uint64_t gate_target(struct cpu *c, struct descriptor *gate,
                            struct descriptor *code)
{
    uint16_t selector = (uint16_t)(gate->lo >> 16);
    uint64_t offset = gate->lo & 0xFFFFu;

    if (c->long_mode)
        descriptor_fetch_upper(c, VEC_GP, gate);
    check_system_target(c, gate);
    if (DESC_TYPE(gate) == SYS_CALL32)
        offset |= (gate->hi & 0xFFFF0000u) | (uint64_t)gate->hi2 << 32;
    if (selector_null(selector))
        cpu_gp(c);
    descriptor_fetch(c, selector, VEC_GP, code);
    uint32_t error = selector & 0xFFFCu;
    if (!descriptor_is_code(code) || DESC_DPL(code) > c->cpl)
        cpu_fault_error(c, VEC_GP, error);
    if (c->long_mode && (code->hi & (DESC_L | DESC_DB)) != DESC_L)
        cpu_fault_error(c, VEC_GP, error);
    return offset;
}

static void check_gate_code_present(struct cpu *c,
                                    const struct descriptor *code)
{
    if (!(code->hi & DESC_P))
        cpu_fault_error(c, VEC_NP, code->selector & 0xFFFCu);
}

/* A TSS or task gate as the target of JMP or CALL. False: not one. */
static bool far_to_task(struct cpu *c, struct descriptor *d,
                        enum task_source source, uint64_t return_rip)
{
    if (c->long_mode)
        return false;
    switch (DESC_TYPE(d)) {
    case SYS_TSS16:
    case SYS_TSS32:
        check_system_target(c, d);
        if (d->selector & 4)
            cpu_fault_error(c, VEC_GP, d->selector & 0xFFFCu);
        task_switch(c, d, source, return_rip);
        return true;
    case SYS_TASK_GATE:
        check_system_target(c, d);
        task_gate(c, d, source, return_rip);
        return true;
    default:
        return false;
    }
}

static bool is_call_gate(const struct cpu *c, const struct descriptor *d)
{
    return DESC_TYPE(d) == SYS_CALL32 ||
           (DESC_TYPE(d) == SYS_CALL16 && !c->long_mode);
}

/* --- JMP ----------------------------------------------------------------- */

static void jump_gate(struct cpu *c, struct descriptor *gate)
{
    struct descriptor code;
    uint64_t offset = gate_target(c, gate, &code);

    if (!(code.hi & DESC_CONFORMING) && DESC_DPL(&code) != c->cpl)
        cpu_fault_error(c, VEC_GP, code.selector & 0xFFFCu);
    check_gate_code_present(c, &code);
    code_check_offset(c, &code, offset);
    code_load(c, &code, c->cpl);
    finish(c, offset);
}

void segment_far_jump(struct cpu *c, uint16_t selector, uint64_t offset,
                      unsigned operand_size)
{
    struct descriptor d;

    offset &= offset_mask(operand_size);
    if (cpu_real_or_v86(c)) {
        check_real_offset(c, offset);
        jump_real(c, selector, offset);
        return;
    }
    if (selector_null(selector))
        cpu_gp(c);
    descriptor_fetch(c, selector, VEC_GP, &d);
    if (d.hi & DESC_S) {
        code_check_direct(c, &d);
        offset = target_offset(c, &d, offset);
        code_check_offset(c, &d, offset);
        code_load(c, &d, c->cpl);
        finish(c, offset);
    } else if (is_call_gate(c, &d)) {
        jump_gate(c, &d);
    } else if (!far_to_task(c, &d, TASK_JUMP, uop_next_rip(c, c->uop))) {
        cpu_fault_error(c, VEC_GP, selector & 0xFFFCu);
    }
}

/* --- CALL ---------------------------------------------------------------- */

static void call_real(struct cpu *c, uint16_t selector, uint64_t offset,
                      unsigned size, uint64_t return_rip)
{
    struct stack stack;

    check_real_offset(c, offset);
    stack_current(c, false, &stack);
    stack_push(c, &stack, c->seg[SEG_CS].selector, size);
    stack_push(c, &stack, return_rip, size);
    stack_commit(c, &stack, false);
    jump_real(c, selector, offset);
}

static void call_direct(struct cpu *c, struct descriptor *d, uint64_t offset,
                        unsigned size, uint64_t return_rip)
{
    struct stack stack;

    code_check_direct(c, d);
    offset = target_offset(c, d, offset);
    stack_current(c, false, &stack);
    stack_push(c, &stack, c->seg[SEG_CS].selector, size);
    stack_push(c, &stack, return_rip, size);
    code_check_offset(c, d, offset);
    code_load(c, d, c->cpl);
    stack_commit(c, &stack, false);
    finish(c, offset);
}

/* Old SS:SP, then the parameters (legacy gates only), onto the new stack. */
static void push_caller(struct cpu *c, struct stack *stack,
                        const struct descriptor *gate, unsigned size)
{
    stack_push(c, stack, c->seg[SEG_SS].selector, size);
    stack_push(c, stack, c->r[R_SP], size);
    if (c->long_mode)
        return;
    for (unsigned n = gate->hi & 0x1F; n > 0; n--)
        stack_push(c, stack, stack_peek(c, (n - 1) * size, size), size);
}

static void call_gate(struct cpu *c, struct descriptor *gate,
                      uint64_t return_rip)
{
    struct descriptor code;
    struct stack stack;
    uint64_t offset = gate_target(c, gate, &code);
    unsigned size = c->long_mode ? 8 : DESC_TYPE(gate) == SYS_CALL32 ? 4 : 2;
    unsigned dpl = DESC_DPL(&code);
    bool inner = !(code.hi & DESC_CONFORMING) && dpl < c->cpl;

    check_gate_code_present(c, &code);
    if (inner) {
        stack_from_tss(c, dpl, 0, &stack);
        push_caller(c, &stack, gate, size);
    } else {
        stack_current(c, c->long_mode, &stack);
    }
    stack_push(c, &stack, c->seg[SEG_CS].selector, size);
    stack_push(c, &stack, return_rip, size);
    code_check_offset(c, &code, offset);
    code_load(c, &code, inner ? dpl : c->cpl);
    stack_commit(c, &stack, inner);
    finish(c, offset);
}

void segment_far_call(struct cpu *c, uint16_t selector, uint64_t offset,
                      unsigned operand_size, uint64_t return_rip)
{
    struct descriptor d;

    offset &= offset_mask(operand_size);
    if (cpu_real_or_v86(c)) {
        call_real(c, selector, offset, operand_size, return_rip);
        return;
    }
    if (selector_null(selector))
        cpu_gp(c);
    descriptor_fetch(c, selector, VEC_GP, &d);
    if (d.hi & DESC_S)
        call_direct(c, &d, offset, operand_size, return_rip);
    else if (is_call_gate(c, &d))
        call_gate(c, &d, return_rip);
    else if (!far_to_task(c, &d, TASK_CALL, return_rip))
        cpu_fault_error(c, VEC_GP, selector & 0xFFFCu);
}

/* --- RET ----------------------------------------------------------------- */

/* The stack segment that a return to an outer ring finds. In 64-bit mode it
 * may be null below ring 3. */
static void outer_stack(struct cpu *c, const struct descriptor *code,
                        uint16_t selector, struct segment *ss)
{
    unsigned rpl = code->selector & 3u;
    struct descriptor d;

    if (selector_null(selector)) {
        if (!code_is_64bit(c, code) || rpl == 3 || (selector & 3u) != rpl)
            cpu_gp(c);
        *ss = (struct segment){
            .selector = selector,
            .access = (uint16_t)(rpl << 5),
        };
        return;
    }
    descriptor_fetch(c, selector, VEC_GP, &d);
    stack_check(c, &d, rpl, VEC_GP);
    descriptor_set_accessed(c, &d);
    descriptor_to_segment(&d, ss);
}

void return_outer(struct cpu *c, struct descriptor *code, uint64_t rip,
                  uint64_t offset, unsigned size, uint64_t release)
{
    uint64_t sp = stack_peek(c, offset, size);
    uint16_t selector = (uint16_t)stack_peek(c, offset + size, 2);
    struct segment ss;

    outer_stack(c, code, selector, &ss);
    code_check_offset(c, code, rip);
    code_load(c, code, code->selector & 3u);
    c->seg[SEG_SS] = ss;
    uint64_t mask = code_is_64bit(c, code) ? UINT64_MAX
                    : ss.access & ACC_DB   ? UINT32_MAX
                                           : 0xFFFF;
    stack_set_sp(c, sp + release, mask);
    segment_drop_inner(c);
    finish(c, rip);
}

static void return_real(struct cpu *c, unsigned size, unsigned pop_bytes)
{
    uint64_t rip = stack_peek(c, 0, size);
    uint16_t selector = (uint16_t)stack_peek(c, size, size);
    uint64_t mask = stack_mask(c);

    check_real_offset(c, rip);
    stack_set_sp(c, c->r[R_SP] + 2 * size + pop_bytes, mask);
    jump_real(c, selector, rip);
}

void segment_far_return(struct cpu *c, unsigned size, unsigned pop_bytes)
{
    struct descriptor code;

    if (cpu_real_or_v86(c)) {
        return_real(c, size, pop_bytes);
        return;
    }
    uint64_t rip = stack_peek(c, 0, size);
    uint16_t selector = (uint16_t)stack_peek(c, size, size);
    if (selector_null(selector))
        cpu_gp(c);
    descriptor_fetch(c, selector, VEC_GP, &code);
    code_check_return(c, &code);
    rip = target_offset(c, &code, rip);
    if ((selector & 3u) != c->cpl) {
        return_outer(c, &code, rip, 2 * size + pop_bytes, size, pop_bytes);
        return;
    }
    uint64_t mask = stack_mask(c);
    code_check_offset(c, &code, rip);
    code_load(c, &code, c->cpl);
    stack_set_sp(c, c->r[R_SP] + 2 * size + pop_bytes, mask);
    finish(c, rip);
}
