/*
 * Packed integers, logic, shuffles and register moves of SSE to SSE4.2 (SDM 2),
 * everything xmm <- xmm op xmm/m that raises no floating-point exception.
 *
 * Most bodies are the host's instruction. What takes an immediate is C here,
 * or executes one of 256 host instructions from a shelf, as an immediate must
 * be in the code.
 */
#include "emu/x86/sse.h"

/* --- by the host's instruction -------------------------------------------- */

#define HOST(NAME, SIZE)                                                       \
    SSE_BODY(NAME)                                                             \
    {                                                                          \
        SSE_UNUSED;                                                            \
        __asm__(#NAME " %1, %0" : "+x"(a) : "x"(b));                           \
        return a;                                                              \
    }
SSE_INT_LIST(HOST)
#undef HOST

/* --- moves ---------------------------------------------------------------- */

#define SOURCE(NAME, VALUE)                                                    \
    SSE_BODY(NAME)                                                             \
    {                                                                          \
        SSE_UNUSED;                                                            \
        return VALUE;                                                          \
    }
SOURCE(MOVAPS, b)
SOURCE(MOVUPS, b)
SOURCE(LOAD8, _mm_move_epi64(b))
SOURCE(LOAD4, b) /* memory only: it came zero-extended */
SOURCE(MERGE8,
       _mm_castpd_si128(_mm_move_sd(_mm_castsi128_pd(a), _mm_castsi128_pd(b))))
SOURCE(MERGE4,
       _mm_castps_si128(_mm_move_ss(_mm_castsi128_ps(a), _mm_castsi128_ps(b))))
SOURCE(MOVHLPS, _mm_castps_si128(_mm_movehl_ps(_mm_castsi128_ps(a),
                                               _mm_castsi128_ps(b))))
SOURCE(MOVLHPS, _mm_unpacklo_epi64(a, b))
#undef SOURCE

/* --- variable blends: the mask is XMM0 ------------------------------------ */

#define BLEND_VARIABLE(NAME)                                                   \
    SSE_BODY(NAME)                                                             \
    {                                                                          \
        SSE_UNUSED;                                                            \
        __asm__(#NAME " %%xmm0, %1, %0"                                        \
                : "+x"(a)                                                      \
                : "x"(b), "Yz"(xmm_get(c, 0)));                                \
        return a;                                                              \
    }
BLEND_VARIABLE(PBLENDVB)
BLEND_VARIABLE(BLENDVPS)
BLEND_VARIABLE(BLENDVPD)
#undef BLEND_VARIABLE

/* --- shuffles: PSHUFB with a mask looked up by the immediate -------------- */

#define LANES(I, BITS, ONE)                                                    \
    (((uint64_t)((I) & 3) * (ONE)) | ((uint64_t)((I) >> 2 & 3) * (ONE)) << (BITS))
#define WORDS(I)                                                               \
    (0x0100010001000100u + (LANES(I, 16, 0x0202u) |                            \
                            LANES((I) >> 4, 16, 0x0202u) << 32))
const uint64_t sse_word_shuffle[256] = {TABLE_256(WORDS)};

/* Two dwords by four bits. */
#define DWORDS(I) (0x0302010003020100u + LANES(I, 32, 0x04040404u))
static const uint64_t dword_shuffle[16] = {TABLE_16(DWORDS, 0)};

ALWAYS_INLINE __m128i pair(uint64_t low, uint64_t high)
{
    return _mm_set_epi64x((long long)high, (long long)low);
}

SSE_BODY(PSHUFD)
{
    SSE_UNUSED;
    return sse_pshufb(b,
                      pair(dword_shuffle[imm & 15], dword_shuffle[imm >> 4]));
}

/* Bytes that stay where they are. */
#define LOW_BYTES 0x0706050403020100u
#define HIGH_BYTES 0x0F0E0D0C0B0A0908u

SSE_BODY(PSHUFLW)
{
    SSE_UNUSED;
    return sse_pshufb(b, pair(sse_word_shuffle[imm], HIGH_BYTES));
}

SSE_BODY(PSHUFHW)
{
    SSE_UNUSED;
    return sse_pshufb(
        b, pair(LOW_BYTES, sse_word_shuffle[imm] + 0x0808080808080808u));
}

SSE_BODY(SHUFPS)
{
    SSE_UNUSED;
    a = sse_pshufb(a, xmm_from(dword_shuffle[imm & 15]));
    b = sse_pshufb(b, xmm_from(dword_shuffle[imm >> 4]));
    return _mm_unpacklo_epi64(a, b);
}

SSE_BODY(SHUFPD)
{
    SSE_UNUSED;
    a = sse_pshufb(a, xmm_from(imm & 1 ? HIGH_BYTES : LOW_BYTES));
    b = sse_pshufb(b, xmm_from(imm & 2 ? HIGH_BYTES : LOW_BYTES));
    return _mm_unpacklo_epi64(a, b);
}

/* A window over `nothing, the 16 bytes, nothing`: PSHUFB masks that shift by
 * whole bytes. */
#define ABSENT 0x8080808080808080u
static const uint64_t byte_window[6] = {ABSENT, ABSENT, LOW_BYTES,
                                        HIGH_BYTES, ABSENT, ABSENT};

ALWAYS_INLINE __m128i shift_bytes(__m128i a, int right)
{
    const uint8_t *window = (const uint8_t *)byte_window + 16;
    right = right > 16 ? 16 : right < -16 ? -16 : right;
    return sse_pshufb(a, _mm_loadu_si128((const void *)(window + right)));
}

SSE_BODY(PALIGNR)
{
    SSE_UNUSED;
    int n = (int)imm;
    return _mm_or_si128(shift_bytes(b, n), shift_bytes(a, n - 16));
}

SSE_BODY(INSERTPS)
{
    SSE_UNUSED;
    union xmm to, from;
    memcpy(&to, &a, sizeof to);
    memcpy(&from, &b, sizeof from);
    to.u32[(imm >> 4) & 3] = from.u32[imm >> 6];
    for (unsigned n = 0; n < 4; n++)
        if ((imm >> n) & 1)
            to.u32[n] = 0;
    memcpy(&a, &to, sizeof a);
    return a;
}

/* --- by the host's instruction with that immediate ------------------------ */

SSE_SHELF(BLENDPS, 0x0C)
SSE_SHELF(BLENDPD, 0x0D)
SSE_SHELF(PBLENDW, 0x0E)
SSE_SHELF(MPSADBW, 0x42)

/* --- handlers ------------------------------------------------------------- */

#define HANDLERS(NAME, SIZE) SSE_INT_HANDLERS(NAME, SIZE, (SIZE) == 16)
#define UNALIGNED(NAME, SIZE) SSE_INT_HANDLERS(NAME, SIZE, false)
SSE_INT_LIST(HANDLERS)
SSE_C_LIST(HANDLERS)
SSE_UNALIGNED_LIST(UNALIGNED)

#define ROW(NAME, SIZE) [SSE_##NAME] = SSE_FORMS(NAME),
static const struct sse_forms handlers[SSE_INT_COUNT] = {
    SSE_INT_LIST(ROW) SSE_C_LIST(ROW) SSE_UNALIGNED_LIST(ROW)
};

uop_fn *select_sse_int(const struct insn *i, uint32_t mode)
{
    return sse_choose(&handlers[i->opcode->parameter], i, mode, MODE_NO_SSE);
}

/* INSERTPS from memory ignores the source selector. */
const struct uop *op_insertps_mem(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    __m128i b = sse_load(c, u, 4, false);
    xmm_set(c, u->reg,
            INSERTPS_body(xmm_get(c, u->reg), b, c, (uint8_t)u->imm & 0x3F));
    return uop_resume(c, u);
}

/* --- shifts by an immediate: the destination is ModRM.rm ------------------ */

SSE_BODY(PSRLDQ)
{
    SSE_UNUSED;
    return shift_bytes(a, (int)imm);
}
SSE_BODY(PSLLDQ)
{
    SSE_UNUSED;
    return shift_bytes(a, -(int)imm);
}

#define SHIFT(NAME, B)                                                         \
    static const struct uop *NAME##_imm_slow(UOP_ARGS)                         \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_check(c);                                                          \
        xmm_set(c, u->rm, NAME##_body(xmm_get(c, u->rm), B, c,                 \
                                      (uint8_t)u->imm));                       \
        return uop_resume(c, u);                                               \
    }                                                                          \
    static const struct uop *NAME##_imm(UOP_ARGS)                              \
    {                                                                          \
        xmm_set(c, u->rm, NAME##_body(xmm_get(c, u->rm), B, c,                 \
                                      (uint8_t)u->imm));                       \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
/* The others take their count from a register: any value above the width has
 * the same effect in both forms. */
#define SHIFT_COUNT(NAME) SHIFT(NAME, xmm_from((uint8_t)u->imm))
#define SHIFT_BYTES(NAME) SHIFT(NAME, _mm_setzero_si128())
MMX_SHIFT_LIST(SHIFT_COUNT)
SSE_SHIFT_LIST(SHIFT_BYTES)

#define SHIFT_ROW(NAME) [SSE_SHIFT_##NAME] = {NAME##_imm, NAME##_imm_slow},
static uop_fn *const shifts[SSE_SHIFT_COUNT][2] = {
    MMX_SHIFT_LIST(SHIFT_ROW) SSE_SHIFT_LIST(SHIFT_ROW)
};

uop_fn *select_sse_shift(const struct insn *i, uint32_t mode)
{
    return shifts[i->opcode->parameter][(mode & MODE_NO_SSE) != 0];
}
