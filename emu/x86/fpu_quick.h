/* What the quick x87 handlers share. */
#ifndef EMU_X86_FPU_QUICK_H
#define EMU_X86_FPU_QUICK_H

#include "emu/x86/fpu.h"

/* An 80-bit value in memory. */
struct f80 {
    uint8_t bytes[10];
};

/* Takes over the host's flags and the condition codes in `condition`. */
ALWAYS_INLINE void fpu_status(struct cpu *c, unsigned status,
                              unsigned condition)
{
    c->fpu.fsw = (uint16_t)((c->fpu.fsw & ~condition) |
                            (status & (condition | FSW_FLAGS)));
}

ALWAYS_INLINE const struct uop *fpu_quick_end(UOP_ARGS)
{
    fpu_note(c, u, uop_rip(c, u));
    return uop_next(c, u, fa, fb, budget);
}

#endif
