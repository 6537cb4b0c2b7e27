/*
 * Shifts and rotates: ROL ROR RCL RCR SHL SHR SAR SHLD SHRD (SDM 2B).
 *
 * The count is masked to 5 bits (6 with 64-bit operands). A count of zero
 * leaves all flags. OF is defined for a count of 1 only; for others it follows
 * the same formula, as Intel processors do.
 */
#include "emu/x86/quick.h"

struct shifted {
    uint64_t result, fa, fb;
};

/* Rotates change CF and OF only. */
ALWAYS_INLINE void rotate_flags(struct shifted *s, bool cf, bool of)
{
    s->fb = (s->fb & ~(FB_CF | FB_PO)) | flags_co(cf, of);
}

ALWAYS_INLINE bool bit(uint64_t v, unsigned n)
{
    return (v >> n) & 1;
}

ALWAYS_INLINE void rotate(struct shifted *s, enum shift op, unsigned w,
                          uint64_t a, unsigned count)
{
    unsigned bits = w * 8, n = count % bits, top = bits - 1;
    if (op == SHIFT_ROL) {
        s->result = n ? trunc_to(a << n | a >> (bits - n), w) : a;
        bool cf = bit(s->result, 0);
        rotate_flags(s, cf, cf ^ bit(s->result, top));
    } else {
        s->result = n ? trunc_to(a >> n | a << (bits - n), w) : a;
        bool cf = bit(s->result, top);
        rotate_flags(s, cf, cf ^ bit(s->result, top - 1));
    }
}

/* Through carry: a rotation of w * 8 + 1 bits. */
ALWAYS_INLINE void rotate_carry(struct shifted *s, enum shift op, unsigned w,
                                uint64_t a, unsigned count)
{
    unsigned bits = w * 8, n = count % (bits + 1), top = bits - 1;
    uint64_t carry = s->fb >> 63;
    bool cf = carry;
    s->result = a;
    if (n && op == SHIFT_RCL) {
        uint64_t high = n == bits && bits == 64 ? 0 : a << n;
        if (n >= 64)
            high = 0;
        uint64_t low = n > 1 ? a >> (bits + 1 - n) : 0;
        s->result = trunc_to(high | carry << (n - 1) | low, w);
        cf = bit(a, bits - n);
    } else if (n) {
        uint64_t low = n >= 64 ? 0 : a >> n;
        uint64_t high = n > 1 ? a << (bits + 1 - n) : 0;
        s->result = trunc_to(low | carry << (bits - n) | high, w);
        cf = bit(a, n - 1);
    }
    bool of = op == SHIFT_RCL ? cf ^ bit(s->result, top)
                              : bit(s->result, top) ^ bit(s->result, top - 1);
    rotate_flags(s, cf, of);
}

/* SHL SHR SAR with 1 <= count < 64; count may exceed the width. */
ALWAYS_INLINE void shift(struct shifted *s, enum shift op, unsigned w,
                         uint64_t a, unsigned count)
{
    unsigned top = w * 8 - 1;
    bool cf, of;
    if (op == SHIFT_SHL) {
        s->result = trunc_to(a << count, w);
        cf = count <= top + 1 && bit(a, top + 1 - count);
        of = cf ^ bit(s->result, top);
    } else if (op == SHIFT_SHR) {
        s->result = a >> count;
        cf = bit(a, count - 1);
        of = bit(s->result << 1 ^ s->result, top);
    } else {
        int64_t v = (int64_t)sign_extend(a, w);
        s->result = trunc_to((uint64_t)(v >> count), w);
        cf = bit((uint64_t)v, count - 1);
        of = false;
    }
    s->fa = sign_extend(s->result, w);
    s->fb = flags_co(cf, of);
}

ALWAYS_INLINE struct shifted do_shift(enum shift op, unsigned w, uint64_t a,
                                      unsigned count, uint64_t fa, uint64_t fb)
{
    struct shifted s = {a, fa, fb};
    count &= w == 8 ? 63 : 31;
    if (count == 0)
        return s;
    if (op <= SHIFT_ROR)
        rotate(&s, op, w, a, count);
    else if (op <= SHIFT_RCR)
        rotate_carry(&s, op, w, a, count);
    else
        shift(&s, op, w, a, count);
    return s;
}

enum count_from { COUNT_IMM, COUNT_CL };

ALWAYS_INLINE const struct uop *shift_reg(UOP_ARGS, enum shift op, unsigned w,
                                          enum count_from from)
{
    unsigned count = from == COUNT_IMM ? (uint8_t)u->imm : (uint8_t)c->r[R_CX];
    struct shifted s = do_shift(op, w, quick_get(c, u->rm, w), count, fa, fb);
    reg_set(c, u->rm, s.result, w);
    return uop_next(c, u, s.fa, s.fb, budget);
}

/* Immediate counts are nearly always in range and not zero: no test. */
ALWAYS_INLINE const struct uop *shift_reg_imm(UOP_ARGS, enum shift op,
                                              unsigned w, bool dead)
{
    struct shifted s = {0, fa, fb};
    unsigned count = (uint8_t)u->imm; /* 1 <= count < w * 8: select_shift */
    uint64_t a = quick_get(c, u->rm, w);
    if (op <= SHIFT_ROR)
        rotate(&s, op, w, a, count);
    else
        shift(&s, op, w, a, count);
    reg_set(c, u->rm, s.result, w);
    return dead ? uop_next(c, u, fa, fb, budget)
                : uop_next(c, u, s.fa, s.fb, budget);
}

ALWAYS_INLINE const struct uop *shift_mem(UOP_ARGS, enum shift op, unsigned w,
                                          enum count_from from)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned count = from == COUNT_IMM ? (uint8_t)u->imm : (uint8_t)c->r[R_CX];
    uint64_t linear = uop_linear(c, u, w, true);
    mmu_probe_write(c, linear, w);
    struct shifted s = do_shift(op, w, mem_load(c, linear, w), count, fa, fb);
    mem_store(c, linear, s.result, w);
    c->fa = s.fa;
    c->fb = s.fb;
    return uop_resume(c, u);
}

#define FORMS(W, OP)                                                           \
    static const struct uop *OP##_imm_##W(UOP_ARGS)                            \
    {                                                                          \
        return shift_reg(c, u, fa, fb, budget, OP, W, COUNT_IMM);              \
    }                                                                          \
    static const struct uop *OP##_cl_##W(UOP_ARGS)                             \
    {                                                                          \
        return shift_reg(c, u, fa, fb, budget, OP, W, COUNT_CL);               \
    }                                                                          \
    static const struct uop *OP##_mem_imm_##W(UOP_ARGS)                        \
    {                                                                          \
        return shift_mem(c, u, fa, fb, budget, OP, W, COUNT_IMM);              \
    }                                                                          \
    static const struct uop *OP##_mem_cl_##W(UOP_ARGS)                         \
    {                                                                          \
        return shift_mem(c, u, fa, fb, budget, OP, W, COUNT_CL);               \
    }
#define PLAIN(W, OP)                                                           \
    static const struct uop *OP##_plain_##W(UOP_ARGS)                          \
    {                                                                          \
        return shift_reg_imm(c, u, fa, fb, budget, OP, W, false);              \
    }                                                                          \
    static const struct uop *OP##_dead_##W(UOP_ARGS)                           \
    {                                                                          \
        return shift_reg_imm(c, u, fa, fb, budget, OP, W, true);               \
    }
#define EACH_SHIFT(DO)                                                         \
    DO(SHIFT_ROL) DO(SHIFT_ROR) DO(SHIFT_RCL) DO(SHIFT_RCR) DO(SHIFT_SHL)      \
    DO(SHIFT_SHR) DO(SHIFT_SAR)
#define ALL_FORMS(OP) EACH_WIDTH(FORMS, OP)
EACH_SHIFT(ALL_FORMS)
#define EACH_PLAIN(DO)                                                         \
    DO(SHIFT_ROL) DO(SHIFT_ROR) DO(SHIFT_SHL) DO(SHIFT_SHR) DO(SHIFT_SAR)
#define ALL_PLAIN(OP) EACH_WIDTH(PLAIN, OP)
EACH_PLAIN(ALL_PLAIN)

#define WIDTHS(NAME)                                                           \
    {                                                                          \
        NAME##_1, NAME##_2, NAME##_4, NAME##_8                                 \
    }

uop_fn *select_shift(const struct insn *i, uint32_t mode)
{
    (void)mode;
#define ROW(OP)                                                                \
    [OP] = {WIDTHS(OP##_imm), WIDTHS(OP##_cl), WIDTHS(OP##_mem_imm),           \
            WIDTHS(OP##_mem_cl)},
    static uop_fn *const table[][4][4] = {EACH_SHIFT(ROW)};
#define PLAIN_ROW(OP) [OP] = {WIDTHS(OP##_plain), WIDTHS(OP##_dead)},
    static uop_fn *const plain[][2][4] = {EACH_PLAIN(PLAIN_ROW)};
    unsigned op = i->opcode->parameter, w = size_index(i->operand_size);
    bool cl = i->opcode->operand[1] == CL;
    uint64_t count = i->opcode->operand[1] == one ? 1 : i->imm;
    if (!i->memory && !cl && op != SHIFT_RCL && op != SHIFT_RCR && count > 0 &&
        count < i->operand_size * 8u)
        return plain[op][i->flags_dead][w];
    return table[op][i->memory * 2 + cl][w];
}

/* --- SHLD, SHRD ----------------------------------------------------------- */

/* With 16-bit operands and a count over 16 the result is undefined; Intel
 * processors shift through the concatenation dest:src:dest. */
static struct shifted double_shift(bool left, unsigned w, uint64_t dest,
                                   uint64_t src, unsigned count, uint64_t fa,
                                   uint64_t fb)
{
    struct shifted s = {dest, fa, fb};
    unsigned bits = w * 8;
    count &= w == 8 ? 63 : 31;
    if (count == 0)
        return s;
    bool cf;
    if (w == 2) {
        uint64_t all = dest << 32 | src << 16 | dest;
        s.result =
            left ? (all << count >> 32) & 0xFFFF : (all >> count) & 0xFFFF;
        cf = left ? bit(all, 48 - count) : bit(all, count - 1);
    } else if (left) {
        s.result = trunc_to(dest << count | src >> (bits - count), w);
        cf = bit(dest, bits - count);
    } else {
        s.result = trunc_to(dest >> count | src << (bits - count), w);
        cf = bit(dest, count - 1);
    }
    bool of = bit(s.result ^ dest, bits - 1);
    s.fa = sign_extend(s.result, w);
    s.fb = flags_co(cf, of);
    return s;
}

static const struct uop *shift_double(UOP_ARGS, bool left, unsigned count)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    uint64_t src = reg_get(c, u->reg, w), linear = 0, dest;
    if (u->flags & UOP_MEM) {
        linear = uop_linear(c, u, w, true);
        mmu_probe_write(c, linear, w);
        dest = mem_load(c, linear, w);
    } else {
        dest = reg_get(c, u->rm, w);
    }
    struct shifted s = double_shift(left, w, dest, src, count, fa, fb);
    if (u->flags & UOP_MEM)
        mem_store(c, linear, s.result, w);
    else
        reg_set(c, u->rm, s.result, w);
    c->fa = s.fa;
    c->fb = s.fb;
    return uop_resume(c, u);
}

const struct uop *op_shld(UOP_ARGS)
{
    return shift_double(c, u, fa, fb, budget, true, (uint8_t)u->imm);
}
const struct uop *op_shld_cl(UOP_ARGS)
{
    return shift_double(c, u, fa, fb, budget, true, (uint8_t)c->r[R_CX]);
}
const struct uop *op_shrd(UOP_ARGS)
{
    return shift_double(c, u, fa, fb, budget, false, (uint8_t)u->imm);
}
const struct uop *op_shrd_cl(UOP_ARGS)
{
    return shift_double(c, u, fa, fb, budget, false, (uint8_t)c->r[R_CX]);
}
