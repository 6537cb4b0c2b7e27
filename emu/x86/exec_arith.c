/*
 * INC DEC NEG NOT, MUL IMUL DIV IDIV, the bit instructions BT BTS BTR BTC BSF
 * BSR POPCNT, XADD CMPXCHG CMPXCHG8B/16B, sign extension in rAX, and the flag
 * instructions CLC STC CMC SAHF LAHF.
 *
 * LOCK needs nothing here: one thread runs the CPUs.
 */
#include "emu/x86/quick.h"

/* --- INC DEC NEG NOT ------------------------------------------------------ */

ALWAYS_INLINE uint64_t unary(enum unary op, unsigned w, uint64_t a,
                             uint64_t *fa, uint64_t *fb)
{
    uint64_t result, cv;
    switch (op) {
    case UNARY_NOT:
        return trunc_to(~a, w);
    case UNARY_NEG:
        result = trunc_to(0 - a, w);
        cv = a | result;
        *fa = sign_extend(result, w);
        *fb = carries(cv, w);
        return result;
    case UNARY_INC:
        result = trunc_to(a + 1, w);
        cv = trunc_to((a & 1) | ((a | 1) & ~result), w);
        break;
    default:
        result = trunc_to(a - 1, w);
        cv = trunc_to((~a & 1) | ((~a | 1) & result), w);
        break;
    }
    /* CF stays: keep it, and give PO the value that makes OF right. */
    uint64_t p = carries(cv, w);
    uint64_t of = (p ^ (p << 1)) & FB_CF;
    uint64_t cf = *fb & FB_CF;
    *fa = sign_extend(result, w);
    *fb = cf | ((of ^ cf) >> 1) | (p & FB_AF);
    return result;
}

ALWAYS_INLINE const struct uop *unary_mem(UOP_ARGS, enum unary op, unsigned w,
                                          enum ea_kind kind, uop_fn *slow)
{
    void *p;
    if (UNLIKELY(!tlb_write(c, quick_ea(c, u, kind), w, &p)))
        return slow(c, u, fa, fb, budget);
    host_store(p, unary(op, w, host_load(p, w), &fa, &fb), w);
    return uop_next(c, u, fa, fb, budget);
}
ALWAYS_INLINE uint64_t unary_sized(enum unary op, unsigned w, uint64_t a,
                                   uint64_t *fa, uint64_t *fb)
{
    return w == 1   ? unary(op, 1, a, fa, fb)
           : w == 2 ? unary(op, 2, a, fa, fb)
           : w == 4 ? unary(op, 4, a, fa, fb)
                    : unary(op, 8, a, fa, fb);
}

#define UNARY_MEM(KIND, OP, W)                                                 \
    static const struct uop *OP##_mem_##W##_##KIND(UOP_ARGS)                   \
    {                                                                          \
        return unary_mem(c, u, fa, fb, budget, OP, W, KIND, OP##_slow);        \
    }
#define UNARY_W(W, OP)                                                         \
    static const struct uop *OP##_reg_##W(UOP_ARGS)                            \
    {                                                                          \
        reg_set(c, u->rm, unary(OP, W, quick_get(c, u->rm, W), &fa, &fb), W);  \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    EACH_EA(UNARY_MEM, OP, W)
#define UNARY(OP)                                                              \
    static const struct uop *OP##_slow(UOP_ARGS)                               \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        unsigned w = u->size;                                                  \
        uint64_t linear = uop_linear(c, u, w, true);                           \
        mmu_probe_write(c, linear, w);                                         \
        uint64_t v = mem_load(c, linear, w);                                   \
        v = unary_sized(OP, w, v, &fa, &fb);                                   \
        mem_store(c, linear, v, w);                                            \
        c->fa = fa;                                                            \
        c->fb = fb;                                                            \
        return uop_resume(c, u);                                               \
    }                                                                          \
    EACH_WIDTH(UNARY_W, OP)
UNARY(UNARY_INC)
UNARY(UNARY_DEC)
UNARY(UNARY_NOT)
UNARY(UNARY_NEG)

uop_fn *select_unary(const struct insn *i, uint32_t mode)
{
#define KINDS(OP, W)                                                           \
    {                                                                          \
        OP##_mem_##W##_EA_BASE, OP##_mem_##W##_EA_SIB, OP##_mem_##W##_EA_SEG,  \
            OP##_mem_##W##_EA_FLAT32, OP##_slow                                \
    }
#define ROW(OP)                                                                \
    [OP] = {{OP##_reg_1, OP##_reg_2, OP##_reg_4, OP##_reg_8},                  \
            {KINDS(OP, 1), KINDS(OP, 2), KINDS(OP, 4), KINDS(OP, 8)}}
    static const struct {
        uop_fn *reg[4];
        uop_fn *mem[4][EA_KINDS + 1];
    } table[] = {ROW(UNARY_INC), ROW(UNARY_DEC), ROW(UNARY_NOT),
                 ROW(UNARY_NEG)};
    unsigned w = size_index(i->operand_size), op = i->opcode->parameter;
    return i->memory ? table[op].mem[w][quick_ea_kind(i, mode)]
                     : table[op].reg[w];
}

/* --- MUL, IMUL, DIV, IDIV ------------------------------------------------- */

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

/* Writes a double-width product to AX, DX:AX, EDX:EAX, RDX:RAX. */
static void set_double(struct cpu *c, unsigned w, uint64_t high, uint64_t low)
{
    if (w == 1) {
        reg_set(c, R_AX, (high << 8) | (low & 0xFF), 2);
    } else {
        reg_set(c, R_AX, low, w);
        reg_set(c, R_DX, high, w);
    }
}

/* CF = OF = overflow; SF ZF PF as of the low half, which is what Intel
 * processors leave although they call it undefined. */
static void multiply_flags(struct cpu *c, unsigned w, uint64_t low,
                           bool overflow)
{
    c->fa = sign_extend(low, w);
    c->fb = flags_co(overflow, overflow);
}

const struct uop *op_mul(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    u128 product = (u128)reg_get(c, R_AX, w) * uop_get_rm(c, u, w);
    uint64_t low = trunc_to((uint64_t)product, w);
    uint64_t high = trunc_to((uint64_t)(product >> (w * 8)), w);
    set_double(c, w, high, low);
    multiply_flags(c, w, low, high != 0);
    return uop_resume(c, u);
}

const struct uop *op_imul1(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    i128 product = (i128)(int64_t)sign_extend(reg_get(c, R_AX, w), w) *
                   (int64_t)sign_extend(uop_get_rm(c, u, w), w);
    uint64_t low = trunc_to((uint64_t)product, w);
    uint64_t high = trunc_to((uint64_t)((u128)product >> (w * 8)), w);
    set_double(c, w, high, low);
    multiply_flags(c, w, low, product != (int64_t)sign_extend(low, w));
    return uop_resume(c, u);
}

ALWAYS_INLINE uint64_t imul(unsigned w, uint64_t a, uint64_t b, uint64_t *fa,
                            uint64_t *fb)
{
    int64_t x = (int64_t)sign_extend(a, w), y = (int64_t)sign_extend(b, w);
    int64_t product;
    bool overflow;
    if (w == 8) {
        overflow = __builtin_mul_overflow(x, y, &product);
    } else {
        product = x * y;
        overflow = product != (int64_t)sign_extend((uint64_t)product, w);
    }
    *fa = sign_extend((uint64_t)product, w);
    *fb = flags_co(overflow, overflow);
    return trunc_to((uint64_t)product, w);
}
#define IMUL_W(W, ...)                                                         \
    static const struct uop *imul_rr_##W(UOP_ARGS)                             \
    {                                                                          \
        uint64_t v = imul(W, quick_get(c, u->reg, W),                          \
                          quick_get(c, u->rm, W), &fa, &fb);                   \
        reg_set(c, u->reg, v, W);                                              \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    static const struct uop *imul_rri_##W(UOP_ARGS)                            \
    {                                                                          \
        uint64_t v = imul(W, quick_get(c, u->rm, W), u->imm, &fa, &fb);        \
        reg_set(c, u->reg, v, W);                                              \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    static const struct uop *imul_mem_##W(UOP_ARGS)                            \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        uint64_t m = mem_load(c, uop_linear(c, u, W, false), W);               \
        m = imul(W, quick_get(c, u->reg, W), m, &c->fa, &c->fb);               \
        reg_set(c, u->reg, m, W);                                              \
        return uop_resume(c, u);                                               \
    }                                                                          \
    static const struct uop *imul_mem_imm_##W(UOP_ARGS)                        \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        uint64_t m = mem_load(c, uop_linear(c, u, W, false), W);               \
        reg_set(c, u->reg, imul(W, m, u->imm, &c->fa, &c->fb), W);             \
        return uop_resume(c, u);                                               \
    }
IMUL_W(2, 0)
IMUL_W(4, 0)
IMUL_W(8, 0)

/* parameter: 1 for the form without an immediate */
uop_fn *select_imul(const struct insn *i, uint32_t mode)
{
    (void)mode;
    static uop_fn *const table[2][2][3] = {
        {{imul_rri_2, imul_rri_4, imul_rri_8},
         {imul_mem_imm_2, imul_mem_imm_4, imul_mem_imm_8}},
        {{imul_rr_2, imul_rr_4, imul_rr_8},
         {imul_mem_2, imul_mem_4, imul_mem_8}}};
    return table[i->opcode->parameter][i->memory]
                [size_index(i->operand_size) - 1];
}

/* Unsigned dividend rDX:rAX (AX for bytes), widened to 128 bits. */
static u128 dividend(const struct cpu *c, unsigned w)
{
    if (w == 1)
        return (uint16_t)c->r[R_AX];
    return (u128)reg_get(c, R_DX, w) << (w * 8) | reg_get(c, R_AX, w);
}

const struct uop *op_div(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    uint64_t divisor = uop_get_rm(c, u, w);
    if (!divisor)
        cpu_fault(c, VEC_DE);
    uint64_t quotient, rest;
    if (w < 8) {
        uint64_t n = (uint64_t)dividend(c, w);
        quotient = n / divisor;
        rest = n % divisor;
    } else {
        if (c->r[R_DX] >= divisor)
            cpu_fault(c, VEC_DE);
        __asm__("divq %4" /* cannot overflow: checked above */
                : "=a"(quotient), "=d"(rest)
                : "0"(c->r[R_AX]), "1"(c->r[R_DX]), "r"(divisor)
                : "cc");
    }
    if (quotient != trunc_to(quotient, w))
        cpu_fault(c, VEC_DE);
    set_double(c, w, rest, quotient);
    return uop_resume(c, u);
}

const struct uop *op_idiv(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    int64_t divisor = (int64_t)sign_extend(uop_get_rm(c, u, w), w);
    if (!divisor)
        cpu_fault(c, VEC_DE);
    if (w == 4) { /* fits 64 bits, and is by far the commonest */
        int64_t n64 = (int64_t)(c->r[R_DX] << 32 | (uint32_t)c->r[R_AX]);
        if (n64 == INT64_MIN && divisor == -1)
            cpu_fault(c, VEC_DE);
        int64_t q = n64 / divisor;
        if (q != (int32_t)q)
            cpu_fault(c, VEC_DE);
        set_double(c, 4, (uint32_t)(n64 % divisor), (uint32_t)q);
        return uop_resume(c, u);
    }
    u128 raw = dividend(c, w);
    unsigned unused = 128 - w * 16;
    i128 n = (i128)(raw << unused) >> unused;
    /* The one quotient that a host division cannot form; the most negative
     * 128-bit dividend by -1 overflows the host too. */
    if (divisor == -1 && raw << unused == (u128)1 << 127)
        cpu_fault(c, VEC_DE);
    i128 quotient = n / divisor;
    int64_t rest = (int64_t)(n % divisor);
    if (quotient != (int64_t)sign_extend((uint64_t)quotient, w))
        cpu_fault(c, VEC_DE);
    set_double(c, w, trunc_to((uint64_t)rest, w),
               trunc_to((uint64_t)quotient, w));
    return uop_resume(c, u);
}

/* --- bits ----------------------------------------------------------------- */

ALWAYS_INLINE uint64_t change_bit(enum bt op, uint64_t v, unsigned n)
{
    uint64_t mask = UINT64_C(1) << n;
    return op == BT_BTS   ? v | mask
           : op == BT_BTR ? v & ~mask
           : op == BT_BTC ? v ^ mask
                          : v;
}

/* Only CF changes (the undefined flags stay as they were, as on Intel). */
ALWAYS_INLINE uint64_t with_cf(uint64_t fb, bool cf)
{
    bool of = flags_of(fb);
    return (fb & ~(FB_CF | FB_PO)) | flags_co(cf, of);
}

ALWAYS_INLINE const struct uop *bt_register(UOP_ARGS, enum bt op, bool imm)
{
    unsigned w = u->size;
    unsigned n = (unsigned)(imm ? u->imm : c->r[u->reg]) & (w * 8 - 1);
    uint64_t v = reg_get(c, u->rm, w);
    if (op != BT_BT)
        reg_set(c, u->rm, change_bit(op, v, n), w);
    return uop_next(c, u, fa, with_cf(fb, (v >> n) & 1), budget);
}

/* A register bit index reaches beyond the operand: it is signed and selects
 * an operand-sized unit at a distance from the address. */
ALWAYS_INLINE const struct uop *bt_memory(UOP_ARGS, enum bt op, bool imm)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size, n;
    uint64_t ea = uop_ea(c, u);
    if (imm) {
        n = (unsigned)u->imm & (w * 8 - 1);
    } else {
        int64_t index = (int64_t)sign_extend(reg_get(c, u->reg, w), w);
        n = (unsigned)index & (w * 8 - 1);
        int64_t units = index >> (3 + size_index(w));
        ea += (uint64_t)(units * (int64_t)w);
        if (u->flags & UOP_ADDR32)
            ea = (uint32_t)ea;
        else if (u->flags & UOP_ADDR16)
            ea = (uint16_t)ea;
    }
    uint64_t at = segment_linear(c, (enum seg)u->seg, ea, w, op != BT_BT);
    if (op != BT_BT)
        mmu_probe_write(c, at, w);
    uint64_t v = mem_load(c, at, w);
    if (op != BT_BT)
        mem_store(c, at, change_bit(op, v, n), w);
    c->fb = with_cf(fb, (v >> n) & 1);
    return uop_resume(c, u);
}

#define BT_HANDLERS(OP)                                                        \
    static const struct uop *OP##_reg(UOP_ARGS)                                \
    {                                                                          \
        return bt_register(c, u, fa, fb, budget, OP, false);                   \
    }                                                                          \
    static const struct uop *OP##_imm(UOP_ARGS)                                \
    {                                                                          \
        return bt_register(c, u, fa, fb, budget, OP, true);                    \
    }                                                                          \
    static const struct uop *OP##_mem_reg(UOP_ARGS)                            \
    {                                                                          \
        return bt_memory(c, u, fa, fb, budget, OP, false);                     \
    }                                                                          \
    static const struct uop *OP##_mem_imm(UOP_ARGS)                            \
    {                                                                          \
        return bt_memory(c, u, fa, fb, budget, OP, true);                      \
    }
BT_HANDLERS(BT_BT)
BT_HANDLERS(BT_BTS)
BT_HANDLERS(BT_BTR)
BT_HANDLERS(BT_BTC)

uop_fn *select_bt(const struct insn *i, uint32_t mode)
{
    (void)mode;
#define BT_ROW(OP) [OP] = { OP##_reg, OP##_imm, OP##_mem_reg, OP##_mem_imm }
    static uop_fn *const table[][4] = {BT_ROW(BT_BT), BT_ROW(BT_BTS),
                                       BT_ROW(BT_BTR), BT_ROW(BT_BTC)};
    bool imm = i->opcode->operand[1] == Ib;
    return table[i->opcode->parameter][i->memory * 2 + imm];
}

/* A source of 0 sets ZF and leaves the destination (all of it) alone. */
ALWAYS_INLINE void bit_scan(struct cpu *c, const struct uop *u, uint64_t v,
                            bool forward)
{
    if (v) {
        unsigned n = forward ? (unsigned)__builtin_ctzll(v)
                             : 63u - (unsigned)__builtin_clzll(v);
        reg_set(c, u->reg, n, u->size);
    }
}
ALWAYS_INLINE void popcnt(struct cpu *c, const struct uop *u, uint64_t v,
                          bool unused)
{
    (void)unused;
    reg_set(c, u->reg, (unsigned)__builtin_popcountll(v), u->size);
}

/* ZF tells whether the source was 0. PF: the scans leave it as of a result of
 * 0, POPCNT clears it. */
#define COUNTING(NAME, BODY, ARGUMENT, PF_DELTA)                               \
    const struct uop *NAME(UOP_ARGS)                                           \
    {                                                                          \
        uint64_t v;                                                            \
        if (u->flags & UOP_MEM) {                                              \
            uop_sync(c, u, fa, fb, budget);                                    \
            v = uop_get_rm(c, u, u->size);                                     \
            BODY(c, u, v, ARGUMENT);                                           \
            c->fa = v != 0;                                                    \
            c->fb = v ? 0 : (PF_DELTA);                                        \
            return uop_resume(c, u);                                           \
        }                                                                      \
        v = reg_get(c, u->rm, u->size);                                        \
        BODY(c, u, v, ARGUMENT);                                               \
        return uop_next(c, u, v != 0, v ? 0 : (PF_DELTA), budget);             \
    }
COUNTING(op_bsf, bit_scan, true, 0)
COUNTING(op_bsr, bit_scan, false, 0)
COUNTING(op_popcnt, popcnt, false, 0x100)

/* --- XADD, CMPXCHG -------------------------------------------------------- */

const struct uop *op_xadd(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    uint64_t r = reg_get(c, u->reg, w), linear = 0, m;
    if (u->flags & UOP_MEM) {
        linear = uop_linear(c, u, w, true);
        mmu_probe_write(c, linear, w);
        m = mem_load(c, linear, w);
    } else {
        m = reg_get(c, u->rm, w);
    }
    uint64_t sum = trunc_to(m + r, w);
    if (u->flags & UOP_MEM) {
        mem_store(c, linear, sum, w);
        reg_set(c, u->reg, m, w);
    } else {
        reg_set(c, u->reg, m, w);
        reg_set(c, u->rm, sum, w);
    }
    alu(ALU_ADD, w, m, r, &c->fa, &c->fb);
    return uop_resume(c, u);
}

/* Memory is written in either case, with its old value on a mismatch. */
const struct uop *op_cmpxchg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    uint64_t a = reg_get(c, R_AX, w), r = reg_get(c, u->reg, w);
    uint64_t linear = 0, m;
    if (u->flags & UOP_MEM) {
        linear = uop_linear(c, u, w, true);
        mmu_probe_write(c, linear, w);
        m = mem_load(c, linear, w);
        mem_store(c, linear, a == m ? r : m, w);
    } else {
        m = reg_get(c, u->rm, w);
        if (a == m)
            reg_set(c, u->rm, r, w);
    }
    if (a != m)
        reg_set(c, R_AX, m, w);
    alu(ALU_CMP, w, a, m, &c->fa, &c->fb);
    return uop_resume(c, u);
}

/* CMPXCHG8B and, with REX.W, CMPXCHG16B: only ZF changes. */
const struct uop *op_cmpxchg8b(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned half = u->size == 8 ? 8 : 4;
    uint64_t linear = uop_linear(c, u, half * 2, true);
    if (half == 8 && (linear & 15))
        cpu_gp(c);
    mmu_probe_write(c, linear, half * 2);
    uint64_t low = mem_load(c, linear, half);
    uint64_t high = mem_load(c, linear + half, half);
    bool equal =
        low == reg_get(c, R_AX, half) && high == reg_get(c, R_DX, half);
    mem_store(c, linear, equal ? reg_get(c, R_BX, half) : low, half);
    mem_store(c, linear + half, equal ? reg_get(c, R_CX, half) : high, half);
    if (!equal) {
        reg_set(c, R_AX, low, half);
        reg_set(c, R_DX, high, half);
    }
    uint32_t flags = flags_pack(fa, fb) & ~(uint32_t)FLAG_ZF;
    flags_unpack(flags | (equal ? FLAG_ZF : 0u), &c->fa, &c->fb);
    return uop_resume(c, u);
}

/* --- rAX sign extension, flags -------------------------------------------- */

const struct uop *op_cbw(UOP_ARGS) /* CBW CWDE CDQE */
{
    unsigned w = u->size;
    uint64_t v = sign_extend(reg_get(c, R_AX, w / 2), w / 2);
    reg_set(c, R_AX, v, w);
    return uop_next(c, u, fa, fb, budget);
}
const struct uop *op_cwd(UOP_ARGS) /* CWD CDQ CQO */
{
    unsigned w = u->size;
    int64_t v = (int64_t)sign_extend(reg_get(c, R_AX, w), w);
    reg_set(c, R_DX, (uint64_t)(v >> 63), w);
    return uop_next(c, u, fa, fb, budget);
}
const struct uop *op_clc(UOP_ARGS)
{
    return uop_next(c, u, fa, with_cf(fb, false), budget);
}
const struct uop *op_stc(UOP_ARGS)
{
    return uop_next(c, u, fa, with_cf(fb, true), budget);
}
const struct uop *op_cmc(UOP_ARGS)
{
    return uop_next(c, u, fa, with_cf(fb, !flags_cf(fb)), budget);
}
const struct uop *op_sahf(UOP_ARGS)
{
    uint32_t flags = (uint8_t)(c->r[R_AX] >> 8);
    flags |= flags_of(fb) ? FLAG_OF : 0u;
    flags_unpack(flags, &fa, &fb);
    return uop_next(c, u, fa, fb, budget);
}
const struct uop *op_lahf(UOP_ARGS)
{
    reg_set(c, 1, (flags_pack(fa, fb) & 0xD5) | 2, 1);
    return uop_next(c, u, fa, fb, budget);
}
/* AL = CF ? FF : 00; every Intel processor has it, no early manual does. */
const struct uop *op_salc(UOP_ARGS)
{
    reg_set(c, R_AX, flags_cf(fb) ? 0xFF : 0, 1);
    return uop_next(c, u, fa, fb, budget);
}
