/*
 * What the SSE handlers share. An instruction's meaning is a body: a function
 * of the destination's old value, the source and the immediate. Each body gets
 * one handler for registers, one for each address kind, and a slow one that
 * can do all of these and fault.
 */
#ifndef EMU_X86_SSE_H
#define EMU_X86_SSE_H

#include "emu/x86/fp.h"
#include "emu/x86/quick.h"

#include <emmintrin.h>

/* `cpu` is for the few that have an implicit operand. */
typedef __m128i sse_body(__m128i a, __m128i b, const struct cpu *cpu,
                         unsigned imm);
#define SSE_BODY(NAME)                                                         \
    ALWAYS_INLINE __m128i NAME##_body(__m128i a, __m128i b,                    \
                                      const struct cpu *c, unsigned imm)
#define SSE_UNUSED (void)a, (void)b, (void)c, (void)imm

ALWAYS_INLINE __m128i xmm_get(const struct cpu *c, unsigned n)
{
    return *(const __m128i *)&c->xmm[n];
}
ALWAYS_INLINE void xmm_set(struct cpu *c, unsigned n, __m128i value)
{
    *(__m128i *)&c->xmm[n] = value;
}
/* Integers in the low half. */
ALWAYS_INLINE __m128i xmm_from(uint64_t value)
{
    return _mm_cvtsi64_si128((long long)value);
}
ALWAYS_INLINE uint64_t xmm_low(__m128i value)
{
    return (uint64_t)_mm_cvtsi128_si64(value);
}

/* `size` bytes, zero-extended. */
ALWAYS_INLINE __m128i xmm_load(const void *p, unsigned size)
{
    if (size == 16)
        return _mm_loadu_si128(p);
    return xmm_from(host_load(p, size));
}

ALWAYS_INLINE bool sse_quick_load(const struct cpu *c, const struct uop *u,
                                  enum ea_kind kind, unsigned size,
                                  bool aligned, __m128i *value)
{
    const void *p;
    uint64_t linear = quick_ea(c, u, kind);
    if (aligned && UNLIKELY(linear & 15))
        return false;
    if (UNLIKELY(!tlb_read(c, linear, size, &p)))
        return false;
    *value = xmm_load(p, size);
    return true;
}

/* After uop_sync(): the source, from register or memory, zero-extended; and a
 * store. An operand of 16 bytes that is not aligned is #GP(0) when `aligned`.
 */
__m128i sse_load(struct cpu *cpu, const struct uop *u, unsigned size,
                 bool aligned);
void sse_store(struct cpu *cpu, const struct uop *u, const void *data,
               unsigned size, bool aligned);

/* Runs a body that may raise SIMD floating-point exceptions, and raises the
 * unmasked ones. After uop_sync(). */
__m128i sse_run(struct cpu *cpu, sse_body *body, __m128i a, __m128i b,
                unsigned imm);

/* All that slow handlers do between uop_sync() and uop_resume(). */
void sse_slow(struct cpu *cpu, const struct uop *u, sse_body *body,
              unsigned size, bool aligned);
void sse_fp_slow(struct cpu *cpu, const struct uop *u, sse_body *body,
                 unsigned size);

/* The handlers of one instruction. */
struct sse_forms {
    uop_fn *reg;
    uop_fn *mem[EA_KINDS + 1]; /* the last: slow */
};
static inline uop_fn *sse_choose(const struct sse_forms *f,
                                 const struct insn *i, uint32_t mode,
                                 uint32_t slow_modes)
{
    if (mode & slow_modes)
        return f->mem[EA_NONE];
    return i->memory ? f->mem[quick_ea_kind(i, mode)] : f->reg;
}

#define SSE_MEMORY(KIND, NAME, SIZE, ALIGNED)                                  \
    static const struct uop *NAME##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        __m128i b;                                                             \
        if (!sse_quick_load(c, u, KIND, SIZE, ALIGNED, &b))                    \
            return NAME##_slow(c, u, fa, fb, budget);                          \
        xmm_set(c, u->reg,                                                     \
                NAME##_body(xmm_get(c, u->reg), b, c, (uint8_t)u->imm));       \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
#define SSE_REGISTER(NAME)                                                     \
    static const struct uop *NAME##_reg(UOP_ARGS)                              \
    {                                                                          \
        xmm_set(c, u->reg,                                                     \
                NAME##_body(xmm_get(c, u->reg), xmm_get(c, u->rm), c,          \
                            (uint8_t)u->imm));                                 \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
#define SSE_QUICK(NAME, SIZE, ALIGNED)                                         \
    SSE_REGISTER(NAME)                                                         \
    SSE_MEMORY(EA_BASE, NAME, SIZE, ALIGNED)                                   \
    SSE_MEMORY(EA_SIB, NAME, SIZE, ALIGNED)                                    \
    SSE_MEMORY(EA_SEG, NAME, SIZE, ALIGNED)                                    \
    SSE_MEMORY(EA_FLAT32, NAME, SIZE, ALIGNED)
#define SSE_FORMS(NAME)                                                        \
    {                                                                          \
        NAME##_reg, {NAME##_EA_BASE, NAME##_EA_SIB, NAME##_EA_SEG,             \
                     NAME##_EA_FLAT32, NAME##_slow }                           \
    }

/* Instructions without exceptions, and with them. */
#define SSE_INT_HANDLERS(NAME, SIZE, ALIGNED)                                  \
    static const struct uop *NAME##_slow(UOP_ARGS)                             \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_slow(c, u, NAME##_body, SIZE, ALIGNED);                            \
        return uop_resume(c, u);                                               \
    }                                                                          \
    SSE_QUICK(NAME, SIZE, ALIGNED)
#define SSE_FP_HANDLERS(NAME, SIZE)                                            \
    static const struct uop *NAME##_slow(UOP_ARGS)                             \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_fp_slow(c, u, NAME##_body, SIZE);                                  \
        return uop_resume(c, u);                                               \
    }                                                                          \
    SSE_QUICK(NAME, SIZE, (SIZE) == 16)

/* A body that executes 66 0F 3A OP /r ib: a shelf of that instruction with each
 * of the 256 immediates, from xmm1 to xmm0, where the calling convention has b
 * and a. */
#define SSE_SHELF(NAME, OP)                                                    \
    __asm__(".pushsection .text\n"                                             \
            "sse_shelf_" #NAME ":\n"                                           \
            ".set sse_imm, 0\n"                                                \
            ".rept 256\n"                                                      \
            ".byte 0x66, 0x0F, 0x3A, " #OP ", 0xC1, sse_imm, 0xC3, 0x90\n"     \
            ".set sse_imm, sse_imm + 1\n"                                      \
            ".endr\n"                                                          \
            ".popsection\n");                                                  \
    extern const uint8_t sse_shelf_##NAME[256 * 8];                            \
    SSE_BODY(NAME)                                                             \
    {                                                                          \
        SSE_UNUSED;                                                            \
        __m128i (*entry)(__m128i, __m128i);                                    \
        const uint8_t *at = sse_shelf_##NAME + imm * 8;                        \
        memcpy(&entry, &at, sizeof entry);                                     \
        return entry(a, b);                                                    \
    }

/* Tables of 256 (16) entries, made from their index. */
#define TABLE_4(DO, N) DO((N)), DO((N) + 1), DO((N) + 2), DO((N) + 3)
#define TABLE_16(DO, N)                                                        \
    TABLE_4(DO, N), TABLE_4(DO, (N) + 4), TABLE_4(DO, (N) + 8),                \
        TABLE_4(DO, (N) + 12)
#define TABLE_64(DO, N)                                                        \
    TABLE_16(DO, N), TABLE_16(DO, (N) + 16), TABLE_16(DO, (N) + 32),           \
        TABLE_16(DO, (N) + 48)
#define TABLE_256(DO)                                                          \
    TABLE_64(DO, 0), TABLE_64(DO, 64), TABLE_64(DO, 128), TABLE_64(DO, 192)

/* PSHUFB masks that select four words by an immediate, for PSHUF*W. */
extern const uint64_t sse_word_shuffle[256];

ALWAYS_INLINE __m128i sse_pshufb(__m128i a, __m128i mask)
{
    __asm__("pshufb %1, %0" : "+x"(a) : "x"(mask));
    return a;
}

#endif
