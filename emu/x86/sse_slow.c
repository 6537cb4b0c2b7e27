/*
 * The slow side of every SSE instruction: operands at any address, the faults
 * of SSE (SDM 2 2.4), and SIMD floating-point exceptions (SDM 1 11.5).
 *
 * Not modelled: beside an unmasked overflow or underflow PE may be set although
 * the result, were its exponent not bounded, would be exact; and DPPS and DPPD
 * report the flags of their additions although an unmasked exception in the
 * products came first.
 */
#include "emu/x86/sse.h"

__m128i sse_load(struct cpu *c, const struct uop *u, unsigned size,
                 bool aligned)
{
    __m128i value = _mm_setzero_si128();
    if (!(u->flags & UOP_MEM))
        return xmm_get(c, u->rm);
    uint64_t linear = uop_linear(c, u, size, false);
    if (aligned && (linear & (size - 1)))
        cpu_gp(c);
    mmu_load_block(c, linear, &value, size);
    return value;
}

void sse_store(struct cpu *c, const struct uop *u, const void *data,
               unsigned size, bool aligned)
{
    uint64_t linear = uop_linear(c, u, size, true);
    if (aligned && (linear & (size - 1)))
        cpu_gp(c);
    mmu_store_block(c, linear, data, size);
}

void sse_slow(struct cpu *c, const struct uop *u, sse_body *body, unsigned size,
              bool aligned)
{
    sse_check(c);
    __m128i b = sse_load(c, u, size, aligned);
    xmm_set(c, u->reg, body(xmm_get(c, u->reg), b, c, (uint8_t)u->imm));
}

void sse_fp_slow(struct cpu *c, const struct uop *u, sse_body *body,
                 unsigned size)
{
    sse_check(c);
    __m128i b = sse_load(c, u, size, size == 16);
    xmm_set(c, u->reg,
            sse_run(c, body, xmm_get(c, u->reg), b, (uint8_t)u->imm));
}

_Noreturn static void raise_simd(struct cpu *c)
{
    /* The host's flags are in c->mxcsr by now. */
    cpu_fault(c, (c->cr4 & CR4_OSXMMEXCPT) ? VEC_XM : VEC_UD);
}

/* Runs the body under `mxcsr` and returns the flags that it raised. */
static uint32_t flags_of_run(struct cpu *c, sse_body *body, __m128i a,
                             __m128i b, unsigned imm, uint32_t mxcsr,
                             __m128i *result)
{
    fp_set_host_mxcsr(mxcsr);
    *result = body(a, b, c, imm);
    return fp_get_host_mxcsr() & MXCSR_FLAGS;
}

__m128i sse_run(struct cpu *c, sse_body *body, __m128i a, __m128i b,
                unsigned imm)
{
    if (!(c->mode & MODE_SSE_TRAPS))
        return body(a, b, c, imm);
    fp_collect(c);
    uint32_t unmasked = ~(c->mxcsr >> 7) & MXCSR_FLAGS;
    uint32_t host = fp_host_mxcsr(c->mxcsr);
    /* Flush-to-zero needs underflow masked; and unmasked underflow is raised
     * by a tiny result even if it is exact. Flushing is what shows one. */
    if (unmasked & MXCSR_UE)
        host &= ~(uint32_t)MXCSR_FTZ;
    __m128i result, ignored;
    uint32_t raised = flags_of_run(c, body, a, b, imm, host, &result);
    if (unmasked & MXCSR_UE)
        raised |= flags_of_run(c, body, a, b, imm, host | MXCSR_FTZ, &ignored) &
                  MXCSR_UE;
    fp_set_host_mxcsr(host);
    /* What is found before computing keeps the computing from happening. */
    const uint32_t early = MXCSR_IE | MXCSR_DE | MXCSR_ZE;
    if (raised & unmasked & early)
        raised &= early;
    c->mxcsr |= raised;
    if (raised & unmasked)
        raise_simd(c);
    return result;
}
