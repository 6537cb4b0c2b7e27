/*
 * The stack: PUSH POP PUSHA POPA (SDM 2B), and what else pushes and pops.
 */
#include "emu/x86/exec.h"
#include "emu/x86/quick.h"

/* Stack width and mask of the current mode. */
static uint64_t stack_mask(const struct cpu *c)
{
    return cpu_64bit(c)               ? UINT64_MAX
           : (c->mode & MODE_STACK32) ? UINT32_MAX
                                      : 0xFFFF;
}
static void set_sp(struct cpu *c, uint64_t sp)
{
    uint64_t mask = stack_mask(c);
    if (mask == 0xFFFF)
        memcpy(&c->r[R_SP], &sp, 2);
    else
        c->r[R_SP] = sp & mask;
}
void exec_push(struct cpu *c, uint64_t value, unsigned size)
{
    uint64_t sp = (c->r[R_SP] - size) & stack_mask(c);
    mem_store(c, segment_linear(c, SEG_SS, sp, size, true), value, size);
    set_sp(c, sp);
}
uint64_t exec_stack_read(struct cpu *c, unsigned offset, unsigned size)
{
    uint64_t sp = (c->r[R_SP] + offset) & stack_mask(c);
    return mem_load(c, segment_linear(c, SEG_SS, sp, size, false), size);
}
void exec_add_sp(struct cpu *c, uint64_t bytes)
{
    set_sp(c, c->r[R_SP] + bytes);
}

static const struct uop *push_rm_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    exec_push(c, uop_get_rm(c, u, u->size), u->size);
    return uop_resume(c, u);
}
static const struct uop *push_imm_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    exec_push(c, u->imm, u->size);
    return uop_resume(c, u);
}
static const struct uop *pop_reg_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t v = exec_stack_read(c, 0, u->size);
    exec_add_sp(c, u->size);
    reg_set(c, u->rm, v, u->size);
    return uop_resume(c, u);
}

ALWAYS_INLINE const struct uop *push_quick(UOP_ARGS, unsigned w, bool imm)
{
    void *p;
    uint64_t sp = w == 8 ? c->r[R_SP] - 8 : (uint32_t)(c->r[R_SP] - 4);
    if (UNLIKELY(!tlb_write(c, sp, w, &p)))
        return imm ? push_imm_slow(c, u, fa, fb, budget)
                   : push_rm_slow(c, u, fa, fb, budget);
    host_store(p, imm ? u->imm : c->r[u->rm], w);
    c->r[R_SP] = sp;
    return uop_next(c, u, fa, fb, budget);
}
ALWAYS_INLINE const struct uop *pop_quick(UOP_ARGS, unsigned w)
{
    const void *p;
    uint64_t sp = w == 8 ? c->r[R_SP] : (uint32_t)c->r[R_SP];
    if (UNLIKELY(!tlb_read(c, sp, w, &p)))
        return pop_reg_slow(c, u, fa, fb, budget);
    uint64_t v = host_load(p, w);
    c->r[R_SP] = w == 8 ? sp + 8 : (uint32_t)(sp + 4);
    c->r[u->rm] = v;
    return uop_next(c, u, fa, fb, budget);
}
static const struct uop *push_reg_8(UOP_ARGS)
{
    return push_quick(c, u, fa, fb, budget, 8, false);
}
static const struct uop *push_reg_4(UOP_ARGS)
{
    return push_quick(c, u, fa, fb, budget, 4, false);
}
static const struct uop *push_imm_8(UOP_ARGS)
{
    return push_quick(c, u, fa, fb, budget, 8, true);
}
static const struct uop *push_imm_4(UOP_ARGS)
{
    return push_quick(c, u, fa, fb, budget, 4, true);
}
static const struct uop *pop_reg_8(UOP_ARGS)
{
    return pop_quick(c, u, fa, fb, budget, 8);
}
static const struct uop *pop_reg_4(UOP_ARGS)
{
    return pop_quick(c, u, fa, fb, budget, 4);
}

/* Is the stack flat, and of the width of this push? */
static bool quick_stack(const struct insn *i, uint32_t mode)
{
    if ((mode & MODE_CODE) == MODE_CODE64)
        return i->operand_size == 8;
    return i->operand_size == 4 && (mode & MODE_STACK32) &&
           (mode & MODE_FLAT_SS);
}

uop_fn *select_push(const struct insn *i, uint32_t mode)
{
    bool imm = i->opcode->operand[0] == Iz || i->opcode->operand[0] == Ibs;
    if (i->memory || !quick_stack(i, mode))
        return imm ? push_imm_slow : push_rm_slow;
    if (i->operand_size == 8)
        return imm ? push_imm_8 : push_reg_8;
    return imm ? push_imm_4 : push_reg_4;
}

uop_fn *select_pop(const struct insn *i, uint32_t mode)
{
    if (!quick_stack(i, mode))
        return pop_reg_slow;
    return i->operand_size == 8 ? pop_reg_8 : pop_reg_4;
}

/* POP to memory: an address that uses rSP uses its new value (SDM 2B POP). */
const struct uop *op_pop_rm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t v = exec_stack_read(c, 0, u->size);
    uint64_t old = c->r[R_SP];
    if (u->flags & UOP_MEM) {
        exec_add_sp(c, u->size);
        uint64_t ea = uop_ea(c, u);
        c->r[R_SP] = old;
        uint64_t at = segment_linear(c, (enum seg)u->seg, ea, u->size, true);
        mem_store(c, at, v, u->size);
        exec_add_sp(c, u->size);
    } else {
        exec_add_sp(c, u->size);
        reg_set(c, u->rm, v, u->size);
    }
    return uop_resume(c, u);
}

const struct uop *op_pusha(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    uint64_t mask = stack_mask(c);
    uint64_t sp = c->r[R_SP];
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned n = 0; n < 8; n++) {
            uint64_t at = (sp - (n + 1) * w) & mask;
            uint64_t linear = segment_linear(c, SEG_SS, at, w, true);
            if (pass == 0)
                mmu_probe_write(c, linear, w);
            else
                mem_store(c, linear, c->r[n], w);
        }
    set_sp(c, sp - 8 * w);
    return uop_resume(c, u);
}

const struct uop *op_popa(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    uint64_t values[8];
    for (unsigned n = 0; n < 8; n++)
        values[n] = exec_stack_read(c, n * w, w);
    for (unsigned n = 0; n < 8; n++)
        if (7 - n != R_SP)
            reg_set(c, 7 - n, values[n], w);
    exec_add_sp(c, 8 * w);
    return uop_resume(c, u);
}
