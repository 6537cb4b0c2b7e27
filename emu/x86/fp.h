/*
 * Floating point, between the guest's state and the host's: the handlers
 * execute the host's own x87 and SSE instructions, so that every bit of every
 * result is right.
 *
 * Invariants, between fp_enter() and fp_leave()
 * - The host's MXCSR has the guest's rounding, FTZ and DAZ, masks everything
 *   and gathers the sticky flags: the guest's flags are cpu.mxcsr's and these.
 * - The host's x87 stack is empty and its control word is the guest's. Its
 *   flags are a subset of the guest's, and never unmasked ones.
 * - So host code that runs meanwhile (devices) leaves floating point alone.
 */
#ifndef EMU_X86_FP_H
#define EMU_X86_FP_H

#include "emu/x86/cpu.h"

enum { /* MXCSR; the six flags, and their masks seven places up */
    MXCSR_IE = 1u << 0, MXCSR_DE = 1u << 1, MXCSR_ZE = 1u << 2,
    MXCSR_OE = 1u << 3, MXCSR_UE = 1u << 4, MXCSR_PE = 1u << 5,
    MXCSR_FLAGS = 0x3Fu, MXCSR_DAZ = 1u << 6, MXCSR_MASKS = 0x1F80u,
    MXCSR_RC = 3u << 13, MXCSR_FTZ = 1u << 15,
};
#define MXCSR_DEFINED 0xFFFFu

/* An engine calls these around running the guest: they load the guest's
 * floating-point control into the host, and collect the flags and put the
 * host's back. */
void fp_enter(struct cpu *cpu);
void fp_leave(struct cpu *cpu);
/* Brings cpu.mxcsr up to date while the guest runs. */
void fp_collect(struct cpu *cpu);
/* Sets MXCSR, here and in the host. May change cpu.mode. */
void fp_set_mxcsr(struct cpu *cpu, uint32_t mxcsr);
/* Raises #UD or #NM when SSE is off. After uop_sync(). */
void sse_check(struct cpu *cpu);
/* MODE_NO_FPU, MODE_NO_SSE, MODE_SSE_TRAPS as they are now. */
uint32_t fp_mode(const struct cpu *cpu);

static inline void fp_set_host_mxcsr(uint32_t mxcsr)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}
static inline uint32_t fp_get_host_mxcsr(void)
{
    uint32_t mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr;
}
/* What the host's MXCSR is for a guest's. */
static inline uint32_t fp_host_mxcsr(uint32_t guest)
{
    return (guest & (MXCSR_RC | MXCSR_FTZ | MXCSR_DAZ)) | MXCSR_MASKS;
}

#endif
