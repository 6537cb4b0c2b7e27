/*
 * ADD OR ADC SBB AND SUB XOR CMP TEST, in every operand form (SDM 2A, 2B).
 *
 * The meaning is alu() (quick.h), once; the handlers below are that body with
 * operation, width, operand form and address kind made constant.
 */
#include "emu/x86/quick.h"

ALWAYS_INLINE bool writes_back(enum alu op)
{
    return op != ALU_CMP && op != ALU_TEST;
}

/* rm op= reg, and rm op= imm, for registers. */
ALWAYS_INLINE const struct uop *alu_register(UOP_ARGS, enum alu op, unsigned w,
                                             bool imm, bool dead)
{
    uint64_t a = quick_get(c, u->rm, w);
    uint64_t b = imm ? trunc_to(u->imm, w) : quick_get(c, u->reg, w);
    uint64_t a2 = fa, b2 = fb;
    uint64_t result = alu(op, w, a, b, &a2, &b2);
    if (writes_back(op))
        reg_set(c, u->rm, result, w);
    return dead ? uop_next(c, u, fa, fb, budget)
                : uop_next(c, u, a2, b2, budget);
}

/* reg op= memory */
ALWAYS_INLINE const struct uop *alu_load(UOP_ARGS, enum alu op, unsigned w,
                                         enum ea_kind kind, uop_fn *slow)
{
    const void *p;
    if (UNLIKELY(!tlb_read(c, quick_ea(c, u, kind), w, &p)))
        return slow(c, u, fa, fb, budget);
    uint64_t a = quick_get(c, u->reg, w);
    uint64_t result = alu(op, w, a, host_load(p, w), &fa, &fb);
    if (writes_back(op))
        reg_set(c, u->reg, result, w);
    return uop_next(c, u, fa, fb, budget);
}

/* memory op= reg, memory op= imm */
ALWAYS_INLINE const struct uop *alu_store(UOP_ARGS, enum alu op, unsigned w,
                                          enum ea_kind kind, bool imm,
                                          uop_fn *slow)
{
    uint64_t linear = quick_ea(c, u, kind);
    uint64_t b = imm ? trunc_to(u->imm, w) : quick_get(c, u->reg, w);
    if (writes_back(op)) {
        void *p;
        if (UNLIKELY(!tlb_write(c, linear, w, &p)))
            return slow(c, u, fa, fb, budget);
        host_store(p, alu(op, w, host_load(p, w), b, &fa, &fb), w);
    } else {
        const void *p;
        if (UNLIKELY(!tlb_read(c, linear, w, &p)))
            return slow(c, u, fa, fb, budget);
        alu(op, w, host_load(p, w), b, &fa, &fb);
    }
    return uop_next(c, u, fa, fb, budget);
}

/* The slow twins: any address, any width. */
enum slow_form { TO_REG, FROM_REG, FROM_IMM };

ALWAYS_INLINE const struct uop *alu_slow_w(UOP_ARGS, enum alu op, unsigned w,
                                           enum slow_form form)
{
    uop_sync(c, u, fa, fb, budget);
    bool write = form != TO_REG && writes_back(op);
    uint64_t linear = uop_linear(c, u, w, write);
    if (write)
        mmu_probe_write(c, linear, w);
    uint64_t m = mem_load(c, linear, w);
    uint64_t r =
        form == FROM_IMM ? trunc_to(u->imm, w) : quick_get(c, u->reg, w);
    uint64_t result = form == TO_REG ? alu(op, w, r, m, &fa, &fb)
                                     : alu(op, w, m, r, &fa, &fb);
    if (write)
        mem_store(c, linear, result, w);
    else if (writes_back(op))
        reg_set(c, u->reg, result, w);
    c->fa = fa;
    c->fb = fb;
    return uop_resume(c, u);
}

ALWAYS_INLINE const struct uop *alu_slow(UOP_ARGS, enum alu op,
                                         enum slow_form form)
{
    switch (u->size) {
    case 1:
        return alu_slow_w(c, u, fa, fb, budget, op, 1, form);
    case 2:
        return alu_slow_w(c, u, fa, fb, budget, op, 2, form);
    case 4:
        return alu_slow_w(c, u, fa, fb, budget, op, 4, form);
    default:
        return alu_slow_w(c, u, fa, fb, budget, op, 8, form);
    }
}

#define EACH_ALU(DO)                                                           \
    DO(ALU_ADD) DO(ALU_OR) DO(ALU_ADC) DO(ALU_SBB) DO(ALU_AND) DO(ALU_SUB)     \
    DO(ALU_XOR) DO(ALU_CMP) DO(ALU_TEST)

#define REGISTER(W, OP)                                                        \
    static const struct uop *OP##_rr_##W(UOP_ARGS)                             \
    {                                                                          \
        return alu_register(c, u, fa, fb, budget, OP, W, false, false);        \
    }                                                                          \
    static const struct uop *OP##_rr_dead_##W(UOP_ARGS)                        \
    {                                                                          \
        return alu_register(c, u, fa, fb, budget, OP, W, false, true);         \
    }                                                                          \
    static const struct uop *OP##_ri_##W(UOP_ARGS)                             \
    {                                                                          \
        return alu_register(c, u, fa, fb, budget, OP, W, true, false);         \
    }                                                                          \
    static const struct uop *OP##_ri_dead_##W(UOP_ARGS)                        \
    {                                                                          \
        return alu_register(c, u, fa, fb, budget, OP, W, true, true);          \
    }
#define MEMORY(KIND, OP, W)                                                    \
    static const struct uop *OP##_rm_##W##_##KIND(UOP_ARGS)                    \
    {                                                                          \
        return alu_load(c, u, fa, fb, budget, OP, W, KIND, OP##_rm_slow);      \
    }                                                                          \
    static const struct uop *OP##_mr_##W##_##KIND(UOP_ARGS)                    \
    {                                                                          \
        return alu_store(c, u, fa, fb, budget, OP, W, KIND, false,             \
                         OP##_mr_slow);                                        \
    }                                                                          \
    static const struct uop *OP##_mi_##W##_##KIND(UOP_ARGS)                    \
    {                                                                          \
        return alu_store(c, u, fa, fb, budget, OP, W, KIND, true,              \
                         OP##_mi_slow);                                        \
    }
#define MEMORY_WIDTH(W, OP) EACH_EA(MEMORY, OP, W)
#define SLOW(OP)                                                               \
    static const struct uop *OP##_rm_slow(UOP_ARGS)                            \
    {                                                                          \
        return alu_slow(c, u, fa, fb, budget, OP, TO_REG);                     \
    }                                                                          \
    static const struct uop *OP##_mr_slow(UOP_ARGS)                            \
    {                                                                          \
        return alu_slow(c, u, fa, fb, budget, OP, FROM_REG);                   \
    }                                                                          \
    static const struct uop *OP##_mi_slow(UOP_ARGS)                            \
    {                                                                          \
        return alu_slow(c, u, fa, fb, budget, OP, FROM_IMM);                   \
    }
#define ALL_OF(OP)                                                             \
    SLOW(OP)                                                                   \
    EACH_WIDTH(REGISTER, OP)                                                   \
    EACH_WIDTH(MEMORY_WIDTH, OP)
EACH_ALU(ALL_OF)

#define ROW_WIDTHS(OP, FORM)                                                   \
    {                                                                          \
        OP##_##FORM##_1, OP##_##FORM##_2, OP##_##FORM##_4, OP##_##FORM##_8     \
    }
#define ROW_KINDS(OP, FORM, W)                                                 \
    {                                                                          \
        OP##_##FORM##_##W##_EA_BASE, OP##_##FORM##_##W##_EA_SIB,               \
            OP##_##FORM##_##W##_EA_SEG, OP##_##FORM##_##W##_EA_FLAT32,         \
            OP##_##FORM##_slow                                                 \
    }
#define ROW_MEMORY(OP, FORM)                                                   \
    {                                                                          \
        ROW_KINDS(OP, FORM, 1), ROW_KINDS(OP, FORM, 2),                        \
            ROW_KINDS(OP, FORM, 4), ROW_KINDS(OP, FORM, 8)                     \
    }
#define ROW(OP)                                                                \
    [OP] = {{{ROW_WIDTHS(OP, rr), ROW_WIDTHS(OP, rr_dead)},                    \
             {ROW_WIDTHS(OP, ri), ROW_WIDTHS(OP, ri_dead)}},                   \
            {ROW_MEMORY(OP, rm), ROW_MEMORY(OP, mr), ROW_MEMORY(OP, mi)}},

static const struct {
    uop_fn *reg[2][2][4];            /* immediate?, flags dead?, width */
    uop_fn *mem[3][4][EA_KINDS + 1]; /* form, width, kind */
} handlers[ALU_OPS] = {EACH_ALU(ROW)};

static bool is_immediate(unsigned operand)
{
    return operand == Ib || operand == Ibs || operand == Iz;
}

uop_fn *select_alu(const struct insn *i, uint32_t mode)
{
    const struct opcode *o = i->opcode;
    unsigned w = size_index(i->operand_size);
    bool imm = is_immediate(o->operand[1]);
    if (!i->memory)
        return handlers[o->parameter].reg[imm][i->flags_dead][w];
    enum slow_form form = imm ? FROM_IMM
                          : o->operand[0] == Gb || o->operand[0] == Gv
                              ? TO_REG
                              : FROM_REG;
    return handlers[o->parameter].mem[form][w][quick_ea_kind(i, mode)];
}
