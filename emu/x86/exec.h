/* Pieces of instructions that several exec_*.c share. After uop_sync() only. */
#ifndef EMU_X86_EXEC_H
#define EMU_X86_EXEC_H

#include "emu/x86/uop.h"

/* Pushes with the width of the current stack; faults before it changes rSP. */
void exec_push(struct cpu *cpu, uint64_t value, unsigned size);
/* Reads the stack at rSP + offset; leaves rSP alone. */
uint64_t exec_stack_read(struct cpu *cpu, unsigned offset, unsigned size);
/* Moves rSP up, in the width of the current stack. */
void exec_add_sp(struct cpu *cpu, uint64_t bytes);

#endif
