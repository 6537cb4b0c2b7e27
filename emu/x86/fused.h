/* Pairs of instructions that run as one uop; see exec_fused.c. */
#ifndef EMU_X86_FUSED_H
#define EMU_X86_FUSED_H

#include "emu/x86/decode.h"

/* The handler for `first` that also does `second`, or NULL. */
uop_fn *fused_handler(const struct insn *first, const struct insn *second);

#endif
