/*
 * Quick handlers for the x87's register forms: the common instructions when
 * all exceptions are masked and no stack fault is in sight. Anything else is
 * fpu_slow_register()'s.
 *
 * The host's flags are sticky too and stay in its status word: they are a
 * subset of the guest's (fp.h), so that adding them all after each instruction
 * adds the new ones only. C1 is the host's; C0, C2 and C3 stay as they were
 * where the manual leaves them undefined, as Intel's CPUs have it.
 */
#include "emu/x86/fpu_quick.h"

static bool usable(const struct cpu *c, unsigned n)
{
    return fpu_masked(c) && fpu_valid(c, 0) && fpu_valid(c, n);
}
static bool can_push(const struct cpu *c)
{
    return fpu_masked(c) && !fpu_valid(c, 7);
}

#define SLOW fpu_slow_register(c, u, fa, fb, budget)
#define NEXT fpu_quick_end(c, u, fa, fb, budget)
#define STI (u->rm & 7u)

/* --- arithmetic ----------------------------------------------------------- */

/* r = a op b: with a in ST(1) and b in ST(0), DE xx. */
#define ALU(NAME, CODE)                                                        \
    ALWAYS_INLINE unsigned NAME(const struct f80 *a, const struct f80 *b,      \
                                struct f80 *r)                                 \
    {                                                                          \
        uint16_t status;                                                       \
        __asm__ volatile("fldt %2\n\tfldt %3\n\t.byte 0xDE, " #CODE            \
                         "\n\tfnstsw %0\n\tfstpt %1"                           \
                         : "=&a"(status), "=m"(*r)                              \
                         : "m"(*a), "m"(*b));                                  \
        return status;                                                         \
    }                                                                          \
    static const struct uop *NAME##_to_st0(UOP_ARGS)                           \
    {                                                                          \
        if (UNLIKELY(!usable(c, STI)))                                         \
            return SLOW;                                                       \
        fpu_status(c, NAME(fpu_st(c, 0), fpu_st(c, STI), fpu_st(c, 0)),        \
                   FSW_C1);                                                    \
        return NEXT;                                                           \
    }                                                                          \
    static const struct uop *NAME##_to_sti(UOP_ARGS)                           \
    {                                                                          \
        if (UNLIKELY(!usable(c, STI)))                                         \
            return SLOW;                                                       \
        fpu_status(c, NAME(fpu_st(c, STI), fpu_st(c, 0), fpu_st(c, STI)),      \
                   FSW_C1);                                                    \
        return NEXT;                                                           \
    }                                                                          \
    static const struct uop *NAME##_pop(UOP_ARGS)                              \
    {                                                                          \
        if (UNLIKELY(!usable(c, STI)))                                         \
            return SLOW;                                                       \
        fpu_status(c, NAME(fpu_st(c, STI), fpu_st(c, 0), fpu_st(c, STI)),      \
                   FSW_C1);                                                    \
        fpu_pop(c);                                                            \
        return NEXT;                                                           \
    }
ALU(fadd, 0xC1)
ALU(fmul, 0xC9)
ALU(fsub, 0xE9)
ALU(fsubr, 0xE1)
ALU(fdiv, 0xF9)
ALU(fdivr, 0xF1)

/* --- comparisons ---------------------------------------------------------- */

#define COMPARE(NAME, INSN)                                                    \
    ALWAYS_INLINE const struct uop *NAME(UOP_ARGS, unsigned pops)              \
    {                                                                          \
        uint16_t status;                                                       \
        if (UNLIKELY(!usable(c, STI)))                                         \
            return SLOW;                                                       \
        __asm__ volatile("fldt %2\n\tfldt %1\n\t" INSN "\n\tfnstsw %0"         \
                         : "=&a"(status)                                        \
                         : "m"(*(struct f80 *)fpu_st(c, 0)),                   \
                           "m"(*(struct f80 *)fpu_st(c, STI)));                \
        fpu_status(c, status, FSW_CONDITION);                                  \
        while (pops--)                                                         \
            fpu_pop(c);                                                        \
        return NEXT;                                                           \
    }                                                                          \
    static const struct uop *NAME##_0(UOP_ARGS)                                \
    {                                                                          \
        return NAME(c, u, fa, fb, budget, 0);                                  \
    }                                                                          \
    static const struct uop *NAME##_1(UOP_ARGS)                                \
    {                                                                          \
        return NAME(c, u, fa, fb, budget, 1);                                  \
    }                                                                          \
    static const struct uop *NAME##_2(UOP_ARGS)                                \
    {                                                                          \
        return NAME(c, u, fa, fb, budget, 2);                                  \
    }
COMPARE(fcom, "fcompp")
COMPARE(fucom, "fucompp")

/* These leave C1 alone. */
#define COMPARE_EFLAGS(NAME, INSN, POPS)                                       \
    static const struct uop *NAME(UOP_ARGS)                                    \
    {                                                                          \
        bool zf, pf, cf;                                                       \
        uint16_t status;                                                       \
        if (UNLIKELY(!usable(c, STI)))                                         \
            return SLOW;                                                       \
        __asm__ volatile("fldt %5\n\tfldt %4\n\t" INSN                         \
                         " %%st(1), %%st\n\tfnstsw %0\n\tfstp %%st(0)"         \
                         : "=&a"(status), "=@ccz"(zf), "=@ccp"(pf),             \
                           "=@ccc"(cf)                                         \
                         : "m"(*(struct f80 *)fpu_st(c, 0)),                   \
                           "m"(*(struct f80 *)fpu_st(c, STI)));                \
        fpu_status(c, status, 0);                                              \
        fa = !zf;                                                              \
        fb = (cf ? FB_CF | FB_PO : 0) | (pf != zf ? 0x100u : 0u);              \
        if (POPS)                                                              \
            fpu_pop(c);                                                        \
        return NEXT;                                                           \
    }
COMPARE_EFLAGS(fcomi, "fcomip", false)
COMPARE_EFLAGS(fucomi, "fucomip", false)
COMPARE_EFLAGS(fcomip, "fcomip", true)
COMPARE_EFLAGS(fucomip, "fucomip", true)

/* --- moves ---------------------------------------------------------------- */

static const struct uop *fld(UOP_ARGS)
{
    if (UNLIKELY(!can_push(c) || !fpu_valid(c, STI)))
        return SLOW;
    struct f80 value;
    memcpy(&value, fpu_st(c, STI), sizeof value);
    fpu_push(c);
    memcpy(fpu_st(c, 0), &value, sizeof value);
    fpu_status(c, 0, FSW_C1);
    return NEXT;
}

ALWAYS_INLINE const struct uop *store(UOP_ARGS, bool pop)
{
    if (UNLIKELY(!fpu_masked(c) || !fpu_valid(c, 0)))
        return SLOW;
    memmove(fpu_st(c, STI), fpu_st(c, 0), sizeof(struct f80));
    c->fpu.tags |= (uint8_t)(1u << ((fpu_top(c) + STI) & 7));
    fpu_status(c, 0, FSW_C1);
    if (pop)
        fpu_pop(c);
    return NEXT;
}
static const struct uop *fst(UOP_ARGS)
{
    return store(c, u, fa, fb, budget, false);
}
static const struct uop *fstp(UOP_ARGS)
{
    return store(c, u, fa, fb, budget, true);
}

static const struct uop *fxch(UOP_ARGS)
{
    if (UNLIKELY(!usable(c, STI)))
        return SLOW;
    struct f80 value;
    memcpy(&value, fpu_st(c, STI), sizeof value);
    memmove(fpu_st(c, STI), fpu_st(c, 0), sizeof value);
    memcpy(fpu_st(c, 0), &value, sizeof value);
    fpu_status(c, 0, FSW_C1);
    return NEXT;
}

/* Constants that no rounding mode changes. */
ALWAYS_INLINE const struct uop *constant(UOP_ARGS, uint64_t mantissa,
                                         uint16_t exponent)
{
    if (UNLIKELY(!can_push(c)))
        return SLOW;
    fpu_push(c);
    c->fpu.reg[fpu_top(c)].mantissa = mantissa;
    c->fpu.reg[fpu_top(c)].exponent = exponent;
    fpu_status(c, 0, FSW_C1);
    return NEXT;
}
static const struct uop *fld1(UOP_ARGS)
{
    return constant(c, u, fa, fb, budget, UINT64_C(1) << 63, 0x3FFF);
}
static const struct uop *fldz(UOP_ARGS)
{
    return constant(c, u, fa, fb, budget, 0, 0);
}

/* FCHS, FABS: the sign. */
ALWAYS_INLINE const struct uop *sign(UOP_ARGS, unsigned keep, unsigned flip)
{
    if (UNLIKELY(!usable(c, 0)))
        return SLOW;
    uint16_t *exponent = &c->fpu.reg[fpu_top(c)].exponent;
    *exponent = (uint16_t)((*exponent & keep) ^ flip);
    fpu_status(c, 0, FSW_C1);
    return NEXT;
}
static const struct uop *fchs(UOP_ARGS)
{
    return sign(c, u, fa, fb, budget, 0xFFFF, 0x8000);
}
static const struct uop *fabs_(UOP_ARGS)
{
    return sign(c, u, fa, fb, budget, 0x7FFF, 0);
}

/* --- functions of ST(0), of ST(0) and ST(1) ------------------------------- */

#define UNARY(NAME, CONDITION)                                                 \
    static const struct uop *NAME(UOP_ARGS)                                    \
    {                                                                          \
        uint16_t status;                                                       \
        if (UNLIKELY(!usable(c, 0)))                                           \
            return SLOW;                                                       \
        __asm__ volatile("fldt %1\n\t" #NAME "\n\tfnstsw %0\n\tfstpt %1"       \
                         : "=&a"(status), "+m"(*(struct f80 *)fpu_st(c, 0)));   \
        fpu_status(c, status, CONDITION);                                      \
        return NEXT;                                                           \
    }
UNARY(fsqrt, FSW_C1)
UNARY(frndint, FSW_C1)
UNARY(f2xm1, FSW_C1)
UNARY(fsin, FSW_C1 | FSW_C2)
UNARY(fcos, FSW_C1 | FSW_C2)

/* These look at ST(0) and only report. */
#define EXAMINE(NAME)                                                          \
    static const struct uop *NAME(UOP_ARGS)                                    \
    {                                                                          \
        uint16_t status;                                                       \
        if (UNLIKELY(!usable(c, 0)))                                           \
            return SLOW;                                                       \
        __asm__ volatile("fldt %1\n\t" #NAME "\n\tfnstsw %0\n\tfstp %%st(0)"   \
                         : "=&a"(status)                                        \
                         : "m"(*(struct f80 *)fpu_st(c, 0)));                  \
        fpu_status(c, status, FSW_CONDITION);                                  \
        return NEXT;                                                           \
    }
EXAMINE(fxam)
EXAMINE(ftst)

/* f(ST(1), ST(0)) to ST(1), and pop. */
#define BINARY(NAME)                                                           \
    static const struct uop *NAME(UOP_ARGS)                                    \
    {                                                                          \
        uint16_t status;                                                       \
        if (UNLIKELY(!usable(c, 1)))                                           \
            return SLOW;                                                       \
        __asm__ volatile("fldt %1\n\tfldt %2\n\t" #NAME                        \
                         "\n\tfnstsw %0\n\tfstpt %1"                           \
                         : "=&a"(status), "+m"(*(struct f80 *)fpu_st(c, 1))     \
                         : "m"(*(struct f80 *)fpu_st(c, 0)));                  \
        fpu_status(c, status, FSW_C1);                                         \
        fpu_pop(c);                                                            \
        return NEXT;                                                           \
    }
BINARY(fyl2x)
BINARY(fyl2xp1)
BINARY(fpatan)

static const struct uop *fscale(UOP_ARGS)
{
    uint16_t status;
    if (UNLIKELY(!usable(c, 1)))
        return SLOW;
    __asm__ volatile("fldt %2\n\tfldt %1\n\tfscale\n\tfnstsw %0\n\t"
                     "fstpt %1\n\tfstp %%st(0)"
                     : "=&a"(status), "+m"(*(struct f80 *)fpu_st(c, 0))
                     : "m"(*(struct f80 *)fpu_st(c, 1)));
    fpu_status(c, status, FSW_C1);
    return NEXT;
}

/* --- by encoding ---------------------------------------------------------- */

uop_fn *fpu_quick_register(unsigned fop)
{
    /* By opcode and ModRM.reg, where ModRM.rm is ST(i). */
    static uop_fn *const with_sti[8][8] = {
        {fadd_to_st0, fmul_to_st0, fcom_0, fcom_1, fsub_to_st0, fsubr_to_st0,
         fdiv_to_st0, fdivr_to_st0},
        {fld, fxch},
        {NULL},
        {[5] = fucomi, [6] = fcomi},
        {fadd_to_sti, fmul_to_sti, NULL, NULL, fsubr_to_sti, fsub_to_sti,
         fdivr_to_sti, fdiv_to_sti},
        {[2] = fst, [3] = fstp, [4] = fucom_0, [5] = fucom_1},
        {fadd_pop, fmul_pop, NULL, NULL, fsubr_pop, fsub_pop, fdivr_pop,
         fdiv_pop},
        {[5] = fucomip, [6] = fcomip},
    };
    /* D9 E0..FF */
    static uop_fn *const special[32] = {
        [0x00] = fchs,   [0x01] = fabs_,    [0x04] = ftst,   [0x05] = fxam,
        [0x08] = fld1,   [0x0E] = fldz,     [0x10] = f2xm1,  [0x11] = fyl2x,
        [0x13] = fpatan, [0x19] = fyl2xp1,  [0x1A] = fsqrt,  [0x1C] = frndint,
        [0x1D] = fscale, [0x1E] = fsin,     [0x1F] = fcos,
    };
    unsigned op = fop >> 8, modrm = fop & 0xFF;
    if (op == 1 && modrm >= 0xE0)
        return special[modrm - 0xE0];
    if (fop == 0x6D9) /* FCOMPP */
        return fcom_2;
    if (fop == 0x2E9) /* FUCOMPP */
        return fucom_2;
    return with_sti[op][(modrm >> 3) & 7];
}
