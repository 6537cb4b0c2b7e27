/*
 * SSE conversions with general registers and mm registers, and the comparisons
 * that set EFLAGS: [U]COMISx, PTEST (SDM 2).
 *
 * A body's integer operand or result is in the low half of a vector.
 */
#include "emu/x86/fpu.h"
#include "emu/x86/sse.h"

#define FP_MODES (MODE_NO_SSE | MODE_SSE_TRAPS)

/* --- CVTSI2SS, CVTSI2SD: r/m32 or r/m64 to xmm ---------------------------- */

#define FROM_GPR_BODY(NAME, W, SUFFIX, TYPE)                                   \
    SSE_BODY(NAME##_##W)                                                       \
    {                                                                          \
        SSE_UNUSED;                                                            \
        __asm__ volatile(#NAME SUFFIX " %1, %0"                                \
                         : "+x"(a)                                             \
                         : "r"((TYPE)xmm_low(b)));                             \
        return a;                                                              \
    }
#define FROM_GPR_KIND(KIND, NAME, W)                                           \
    static const struct uop *NAME##_##W##_##KIND(UOP_ARGS)                     \
    {                                                                          \
        __m128i b;                                                             \
        if (!sse_quick_load(c, u, KIND, W, false, &b))                         \
            return NAME##_##W##_slow(c, u, fa, fb, budget);                    \
        xmm_set(c, u->reg,                                                     \
                NAME##_##W##_body(xmm_get(c, u->reg), b, c, 0));               \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
#define FROM_GPR(NAME, W, SUFFIX, TYPE)                                        \
    FROM_GPR_BODY(NAME, W, SUFFIX, TYPE)                                       \
    static const struct uop *NAME##_##W##_slow(UOP_ARGS)                       \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_check(c);                                                          \
        __m128i b = xmm_from(uop_get_rm(c, u, W));                             \
        xmm_set(c, u->reg, sse_run(c, NAME##_##W##_body, xmm_get(c, u->reg),   \
                                   b, 0));                                     \
        return uop_resume(c, u);                                               \
    }                                                                          \
    static const struct uop *NAME##_##W##_reg(UOP_ARGS)                        \
    {                                                                          \
        __m128i b = xmm_from(c->r[u->rm]);                                     \
        xmm_set(c, u->reg,                                                     \
                NAME##_##W##_body(xmm_get(c, u->reg), b, c, 0));               \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    EACH_EA(FROM_GPR_KIND, NAME, W)
FROM_GPR(CVTSI2SS, 4, "l", uint32_t)
FROM_GPR(CVTSI2SS, 8, "q", uint64_t)
FROM_GPR(CVTSI2SD, 4, "l", uint32_t)
FROM_GPR(CVTSI2SD, 8, "q", uint64_t)

#define WIDTHS(NAME) [SSE_##NAME] = {SSE_FORMS(NAME##_4), SSE_FORMS(NAME##_8)},
static const struct sse_forms from_gpr[SSE_FROM_GPR_COUNT][2] = {
    WIDTHS(CVTSI2SS) WIDTHS(CVTSI2SD)
};

uop_fn *select_sse_from_gpr(const struct insn *i, uint32_t mode)
{
    return sse_choose(&from_gpr[i->opcode->parameter][i->operand_size == 8], i,
                      mode, FP_MODES);
}

/* --- CVT[T]SS2SI, CVT[T]SD2SI: xmm or memory to r32 or r64 ---------------- */

#define TO_GPR_BODY(NAME, W, SUFFIX, TYPE)                                     \
    SSE_BODY(NAME##_##W)                                                       \
    {                                                                          \
        TYPE r;                                                                \
        SSE_UNUSED;                                                            \
        __asm__ volatile(#NAME SUFFIX " %1, %0" : "=r"(r) : "x"(b));           \
        return xmm_from(r);                                                    \
    }
#define TO_GPR_KIND(KIND, NAME, W, SIZE)                                       \
    static const struct uop *NAME##_##W##_##KIND(UOP_ARGS)                     \
    {                                                                          \
        __m128i b;                                                             \
        if (!sse_quick_load(c, u, KIND, SIZE, false, &b))                      \
            return NAME##_##W##_slow(c, u, fa, fb, budget);                    \
        c->r[u->reg] = xmm_low(NAME##_##W##_body(b, b, c, 0));                 \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
#define TO_GPR(NAME, W, SUFFIX, TYPE, SIZE)                                    \
    TO_GPR_BODY(NAME, W, SUFFIX, TYPE)                                         \
    static const struct uop *NAME##_##W##_slow(UOP_ARGS)                       \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_check(c);                                                          \
        __m128i b = sse_load(c, u, SIZE, false);                               \
        c->r[u->reg] = xmm_low(sse_run(c, NAME##_##W##_body, b, b, 0));        \
        return uop_resume(c, u);                                               \
    }                                                                          \
    static const struct uop *NAME##_##W##_reg(UOP_ARGS)                        \
    {                                                                          \
        __m128i b = xmm_get(c, u->rm);                                         \
        c->r[u->reg] = xmm_low(NAME##_##W##_body(b, b, c, 0));                 \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    EACH_EA(TO_GPR_KIND, NAME, W, SIZE)
#define TO_GPR_WIDTHS(NAME, SIZE)                                              \
    TO_GPR(NAME, 4, "l", uint32_t, SIZE) TO_GPR(NAME, 8, "q", uint64_t, SIZE)
TO_GPR_WIDTHS(CVTSS2SI, 4)
TO_GPR_WIDTHS(CVTTSS2SI, 4)
TO_GPR_WIDTHS(CVTSD2SI, 8)
TO_GPR_WIDTHS(CVTTSD2SI, 8)

static const struct sse_forms to_gpr[SSE_TO_GPR_COUNT][2] = {
    WIDTHS(CVTSS2SI) WIDTHS(CVTTSS2SI) WIDTHS(CVTSD2SI) WIDTHS(CVTTSD2SI)
};

uop_fn *select_sse_to_gpr(const struct insn *i, uint32_t mode)
{
    return sse_choose(&to_gpr[i->opcode->parameter][i->operand_size == 8], i,
                      mode, FP_MODES);
}

/* --- COMISx, UCOMISx ------------------------------------------------------ */

/* ZF, PF and CF as the lazy flags; the others are clear. */
ALWAYS_INLINE void set_zpc(bool zf, bool pf, bool cf, uint64_t *fa,
                           uint64_t *fb)
{
    *fa = !zf;
    *fb = (cf ? FB_CF | FB_PO : 0) | (pf != zf ? 0x100u : 0u);
}

/* The body's result is ZF, PF << 1, CF << 2. */
#define COMPARE_KIND(KIND, NAME, SIZE)                                         \
    static const struct uop *NAME##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        __m128i b;                                                             \
        if (!sse_quick_load(c, u, KIND, SIZE, false, &b))                      \
            return NAME##_slow(c, u, fa, fb, budget);                          \
        NAME##_flags(xmm_get(c, u->reg), b, &fa, &fb);                         \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
#define COMPARE(NAME, SIZE)                                                    \
    ALWAYS_INLINE void NAME##_flags(__m128i a, __m128i b, uint64_t *fa,        \
                                    uint64_t *fb)                              \
    {                                                                          \
        bool zf, pf, cf;                                                       \
        __asm__ volatile(#NAME " %4, %3"                                       \
                         : "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf)               \
                         : "x"(a), "x"(b));                                    \
        set_zpc(zf, pf, cf, fa, fb);                                           \
    }                                                                          \
    SSE_BODY(NAME)                                                             \
    {                                                                          \
        SSE_UNUSED;                                                            \
        uint64_t fa, fb;                                                       \
        NAME##_flags(a, b, &fa, &fb);                                          \
        return _mm_set_epi64x((long long)fb, (long long)fa);                   \
    }                                                                          \
    static const struct uop *NAME##_slow(UOP_ARGS)                             \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_check(c);                                                          \
        __m128i b = sse_load(c, u, SIZE, false);                               \
        __m128i flags = sse_run(c, NAME##_body, xmm_get(c, u->reg), b, 0);     \
        c->fa = xmm_low(flags);                                                \
        c->fb = xmm_low(_mm_unpackhi_epi64(flags, flags));                     \
        return uop_resume(c, u);                                               \
    }                                                                          \
    static const struct uop *NAME##_reg(UOP_ARGS)                              \
    {                                                                          \
        NAME##_flags(xmm_get(c, u->reg), xmm_get(c, u->rm), &fa, &fb);         \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    EACH_EA(COMPARE_KIND, NAME, SIZE)
COMPARE(COMISS, 4)
COMPARE(COMISD, 8)
COMPARE(UCOMISS, 4)
COMPARE(UCOMISD, 8)

#define FORMS(NAME) [SSE_##NAME] = SSE_FORMS(NAME),
static const struct sse_forms compares[SSE_COMPARE_COUNT] = {
    FORMS(COMISS) FORMS(COMISD) FORMS(UCOMISS) FORMS(UCOMISD)
};

uop_fn *select_sse_compare(const struct insn *i, uint32_t mode)
{
    return sse_choose(&compares[i->opcode->parameter], i, mode, FP_MODES);
}

const struct uop *op_ptest(UOP_ARGS)
{
    bool zf, cf;
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    __m128i b = sse_load(c, u, 16, true);
    __asm__("ptest %3, %2"
            : "=@ccz"(zf), "=@ccc"(cf)
            : "x"(xmm_get(c, u->reg)), "x"(b));
    set_zpc(zf, false, cf, &c->fa, &c->fb);
    return uop_resume(c, u);
}

/* --- conversions with mm registers: slow only ----------------------------- */

/* The mm operand or result is in the low half of b, or of what is returned;
 * the host's mm0 does the work. */
#define FROM_MMX(NAME)                                                         \
    static __m128i NAME##_body(__m128i a, __m128i b, const struct cpu *c,      \
                               unsigned imm)                                   \
    {                                                                          \
        SSE_UNUSED;                                                            \
        __asm__ volatile("movq %1, %%mm0\n\t" #NAME " %%mm0, %0\n\temms"       \
                         : "+x"(a)                                             \
                         : "r"(xmm_low(b))                                     \
                         : "mm0");                                             \
        return a;                                                              \
    }
#define TO_MMX(NAME)                                                           \
    static __m128i NAME##_body(__m128i a, __m128i b, const struct cpu *c,      \
                               unsigned imm)                                   \
    {                                                                          \
        uint64_t r;                                                            \
        SSE_UNUSED;                                                            \
        __asm__ volatile(#NAME " %1, %%mm0\n\tmovq %%mm0, %0\n\temms"          \
                         : "=r"(r)                                             \
                         : "x"(b)                                              \
                         : "mm0");                                             \
        return xmm_from(r);                                                    \
    }
FROM_MMX(CVTPI2PS)
FROM_MMX(CVTPI2PD)
TO_MMX(CVTPS2PI)
TO_MMX(CVTTPS2PI)
TO_MMX(CVTPD2PI)
TO_MMX(CVTTPD2PI)

/* With a memory operand the x87 is left alone. The switch to MMX comes before
 * any SIMD exception. */
static void from_mmx(struct cpu *c, const struct uop *u, sse_body *body)
{
    sse_check(c);
    __m128i b;
    if (u->flags & UOP_MEM) {
        b = sse_load(c, u, 8, false);
    } else {
        mmx_check(c);
        mmx_enter(c);
        b = xmm_from(mmx_get(c, u->rm));
    }
    xmm_set(c, u->reg, sse_run(c, body, xmm_get(c, u->reg), b, 0));
}

static void to_mmx(struct cpu *c, const struct uop *u, sse_body *body,
                   unsigned size)
{
    sse_check(c);
    mmx_check(c);
    __m128i b = sse_load(c, u, size, size == 16);
    mmx_enter(c);
    mmx_set(c, u->reg, xmm_low(sse_run(c, body, b, b, 0)));
}

#define MMX_HANDLER(NAME, FUNCTION, ...)                                       \
    static const struct uop *NAME(UOP_ARGS)                                    \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        FUNCTION(c, u, NAME##_body, ##__VA_ARGS__);                            \
        return uop_resume(c, u);                                               \
    }
MMX_HANDLER(CVTPI2PS, from_mmx)
MMX_HANDLER(CVTPI2PD, from_mmx)
MMX_HANDLER(CVTPS2PI, to_mmx, 8)
MMX_HANDLER(CVTTPS2PI, to_mmx, 8)
MMX_HANDLER(CVTPD2PI, to_mmx, 16)
MMX_HANDLER(CVTTPD2PI, to_mmx, 16)

uop_fn *select_sse_mmx(const struct insn *i, uint32_t mode)
{
    static uop_fn *const handlers[SSE_MMX_COUNT] = {
        [SSE_CVTPI2PS] = CVTPI2PS,   [SSE_CVTPI2PD] = CVTPI2PD,
        [SSE_CVTPS2PI] = CVTPS2PI,   [SSE_CVTTPS2PI] = CVTTPS2PI,
        [SSE_CVTPD2PI] = CVTPD2PI,   [SSE_CVTTPD2PI] = CVTTPD2PI,
    };
    (void)mode;
    return handlers[i->opcode->parameter];
}
