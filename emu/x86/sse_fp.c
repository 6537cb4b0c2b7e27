/*
 * SSE's floating-point arithmetic and conversions among xmm registers (SDM 1
 * chapters 10 to 12), by the host's instructions. The host's MXCSR is the
 * guest's (fp.h), so rounding, flushing and sticky flags come by themselves.
 *
 * The bodies are volatile: they depend on MXCSR and change it.
 */
#include "emu/x86/sse.h"

#define HOST(NAME, SIZE)                                                       \
    SSE_BODY(NAME)                                                             \
    {                                                                          \
        SSE_UNUSED;                                                            \
        __asm__ volatile(#NAME " %1, %0" : "+x"(a) : "x"(b));                  \
        return a;                                                              \
    }
SSE_FP_LIST(HOST)
#undef HOST

/* Comparisons: eight predicates. */
#define PREDICATE(NAME, N)                                                     \
    case N:                                                                    \
        __asm__ volatile(#NAME " $" #N ", %1, %0" : "+x"(a) : "x"(b));         \
        return a;
#define COMPARE(NAME)                                                          \
    SSE_BODY(NAME)                                                             \
    {                                                                          \
        SSE_UNUSED;                                                            \
        switch (imm & 7) {                                                     \
            PREDICATE(NAME, 0)                                                 \
            PREDICATE(NAME, 1)                                                 \
            PREDICATE(NAME, 2)                                                 \
            PREDICATE(NAME, 3)                                                 \
            PREDICATE(NAME, 4)                                                 \
            PREDICATE(NAME, 5)                                                 \
            PREDICATE(NAME, 6)                                                 \
        default:                                                               \
            __asm__ volatile(#NAME " $7, %1, %0" : "+x"(a) : "x"(b));          \
            return a;                                                          \
        }                                                                      \
    }
COMPARE(CMPPS)
COMPARE(CMPPD)
COMPARE(CMPSS)
COMPARE(CMPSD)
#undef COMPARE
#undef PREDICATE

/* The compiler does not see into shelf entries, so their order is kept. */
SSE_SHELF(ROUNDPS, 0x08)
SSE_SHELF(ROUNDPD, 0x09)
SSE_SHELF(ROUNDSS, 0x0A)
SSE_SHELF(ROUNDSD, 0x0B)
SSE_SHELF(DPPS, 0x40)
SSE_SHELF(DPPD, 0x41)

SSE_FP_LIST(SSE_FP_HANDLERS)
SSE_FP_IMM_LIST(SSE_FP_HANDLERS)

#define ROW(NAME, SIZE) [SSE_##NAME] = SSE_FORMS(NAME),
static const struct sse_forms handlers[SSE_FP_COUNT] = {
    SSE_FP_LIST(ROW) SSE_FP_IMM_LIST(ROW)
};

uop_fn *select_sse_fp(const struct insn *i, uint32_t mode)
{
    return sse_choose(&handlers[i->opcode->parameter], i, mode,
                      MODE_NO_SSE | MODE_SSE_TRAPS);
}
