/*
 * A compare and the conditional branch behind it, as one uop: CMP, TEST, and
 * ADD, SUB, AND with a branch on zero or sign. The first of the two uops gets
 * a handler that does both; the second stays where it is and keeps the link.
 *
 * The condition is evaluated from the operands, which is quicker than from the
 * flags; the flags are made as always, for whoever looks later.
 */
#include "emu/x86/fused.h"
#include "emu/x86/quick.h"

/* Is condition `cc` met after `a op b` gave `result`? */
ALWAYS_INLINE bool met(enum alu op, unsigned cc, unsigned w, uint64_t a,
                       uint64_t b, uint64_t result, uint64_t fa, uint64_t fb)
{
    int64_t x = (int64_t)sign_extend(a, w), y = (int64_t)sign_extend(b, w);
    int64_t r = (int64_t)sign_extend(result, w);
    bool subtract = op == ALU_CMP || op == ALU_SUB;
    bool yes;
    switch (cc >> 1) {
    case 1:
        yes = subtract && a < b;
        break;
    case 2:
        yes = result == 0;
        break;
    case 3:
        yes = subtract ? a <= b : result == 0;
        break;
    case 4:
        yes = r < 0;
        break;
    case 6:
        yes = subtract ? x < y : r < 0;
        break;
    case 7:
        yes = subtract ? x <= y : r <= 0;
        break;
    default:
        return flags_condition(cc, fa, fb);
    }
    return yes != (cc & 1);
}

ALWAYS_INLINE const struct uop *fused(UOP_ARGS, enum alu op, unsigned w,
                                      bool imm, unsigned cc)
{
    uint64_t a = quick_get(c, u->rm, w);
    uint64_t b = imm ? trunc_to(u->imm, w) : quick_get(c, u->reg, w);
    uint64_t result = alu(op, w, a, b, &fa, &fb);
    if (op != ALU_CMP && op != ALU_TEST)
        reg_set(c, u->rm, result, w);
    if (met(op, cc, w, a, b, result, fa, fb))
        return uop_branch(c, u + 1, fa, fb, budget);
    return uop_next(c, u + 1, fa, fb, budget);
}

#define FORMS(W, OP, CC)                                                       \
    static const struct uop *OP##_rr_##W##_##CC(UOP_ARGS)                      \
    {                                                                          \
        return fused(c, u, fa, fb, budget, OP, W, false, CC);                  \
    }                                                                          \
    static const struct uop *OP##_ri_##W##_##CC(UOP_ARGS)                      \
    {                                                                          \
        return fused(c, u, fa, fb, budget, OP, W, true, CC);                   \
    }
#define EACH_CC(DO, OP)                                                        \
    DO(OP, 0) DO(OP, 1) DO(OP, 2) DO(OP, 3) DO(OP, 4) DO(OP, 5) DO(OP, 6)      \
    DO(OP, 7) DO(OP, 8) DO(OP, 9) DO(OP, 10) DO(OP, 11) DO(OP, 12)             \
    DO(OP, 13) DO(OP, 14) DO(OP, 15)
/* Those that a result alone decides. */
#define RESULT_CC(DO, OP) DO(OP, 4) DO(OP, 5) DO(OP, 8) DO(OP, 9)
#define ALL(OP, CC) EACH_WIDTH(FORMS, OP, CC)
EACH_CC(ALL, ALU_CMP)
EACH_CC(ALL, ALU_TEST)
RESULT_CC(ALL, ALU_ADD)
RESULT_CC(ALL, ALU_SUB)
RESULT_CC(ALL, ALU_AND)

#define WIDTHS(OP, FORM, CC)                                                   \
    {                                                                          \
        OP##_##FORM##_1_##CC, OP##_##FORM##_2_##CC, OP##_##FORM##_4_##CC,      \
            OP##_##FORM##_8_##CC                                               \
    }
#define ROW(OP, CC) [CC] = {WIDTHS(OP, rr, CC), WIDTHS(OP, ri, CC)},

uop_fn *fused_handler(const struct insn *first, const struct insn *second)
{
    static uop_fn *const table[ALU_OPS][16][2][4] = {
        [ALU_CMP] = {EACH_CC(ROW, ALU_CMP)},
        [ALU_TEST] = {EACH_CC(ROW, ALU_TEST)},
        [ALU_ADD] = {RESULT_CC(ROW, ALU_ADD)},
        [ALU_SUB] = {RESULT_CC(ROW, ALU_SUB)},
        [ALU_AND] = {RESULT_CC(ROW, ALU_AND)},
    };
    if (first->memory || first->opcode->select != select_alu ||
        second->opcode->select != select_jcc)
        return NULL;
    unsigned source = first->opcode->operand[1];
    bool imm = source == Ib || source == Ibs || source == Iz;
    return table[first->opcode->parameter][second->opcode->parameter][imm]
                [size_index(first->operand_size)];
}
