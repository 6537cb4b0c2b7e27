/*
 * Floating-point control that the host holds for the guest (fp.h), and MXCSR
 * (SDM 1 10.2.3).
 *
 * A guest that unmasks an exception in MXCSR runs in another cpu.mode
 * (MODE_SSE_TRAPS), in which the decoder chooses handlers that check.
 */
#include "emu/x86/fp.h"

#include "emu/x86/fpu.h"

#define HOST_MXCSR 0x1F80u

void fp_enter(struct cpu *c)
{
    fp_set_host_mxcsr(fp_host_mxcsr(c->mxcsr));
    fpu_control_changed(c);
}

void fp_leave(struct cpu *c)
{
    fp_collect(c);
    fp_set_host_mxcsr(HOST_MXCSR);
    __asm__ volatile("fninit");
}

void fp_collect(struct cpu *c)
{
    c->mxcsr |= fp_get_host_mxcsr() & MXCSR_FLAGS;
}

void fp_set_mxcsr(struct cpu *c, uint32_t mxcsr)
{
    c->mxcsr = mxcsr;
    fp_set_host_mxcsr(fp_host_mxcsr(mxcsr));
    cpu_mode_changed(c);
}

void sse_check(struct cpu *c)
{
    if ((c->cr0 & CR0_EM) || !(c->cr4 & CR4_OSFXSR))
        cpu_fault(c, VEC_UD);
    if (c->cr0 & CR0_TS)
        cpu_fault(c, VEC_NM);
}

uint32_t fp_mode(const struct cpu *c)
{
    uint32_t mode = 0;
    if (c->cr0 & (CR0_EM | CR0_TS))
        mode |= MODE_NO_FPU | MODE_NO_SSE;
    if (!(c->cr4 & CR4_OSFXSR))
        mode |= MODE_NO_SSE;
    if ((c->mxcsr & MXCSR_MASKS) != MXCSR_MASKS)
        mode |= MODE_SSE_TRAPS;
    return mode;
}

const struct uop *op_ldmxcsr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    uint32_t mxcsr = (uint32_t)mem_load(c, uop_linear(c, u, 4, false), 4);
    if (mxcsr & ~MXCSR_DEFINED)
        cpu_gp(c);
    fp_set_mxcsr(c, mxcsr);
    return uop_resume(c, u);
}

const struct uop *op_stmxcsr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    fp_collect(c);
    mem_store(c, uop_linear(c, u, 4, true), c->mxcsr, 4);
    return uop_resume(c, u);
}
