/*
 * What the x87 handlers share (SDM 1 chapter 8).
 */
#ifndef EMU_X86_FPU_H
#define EMU_X86_FPU_H

#include "emu/x86/fp.h"
#include "emu/x86/quick.h"

enum { /* FSW */
    FSW_FLAGS = 0x3Fu, FSW_IE = 1u << 0, FSW_SF = 1u << 6, FSW_ES = 1u << 7,
    FSW_C0 = 1u << 8, FSW_C1 = 1u << 9, FSW_C2 = 1u << 10,
    FSW_C3 = 1u << 14, FSW_B = 1u << 15,
    FSW_CONDITION = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3,
};
#define FSW_TOP (7u << 11)
enum { /* FCW */
    FCW_MASKS = 0x3Fu, FCW_DEFINED = 0x1F3Fu, FCW_ONE = 0x40u,
    FCW_INIT = 0x37Fu,
};

/* Raises #NM when the x87 is off; and #MF when an unmasked exception waits.
 * After uop_sync(). */
void fpu_check(struct cpu *cpu);
void fpu_check_waiting(struct cpu *cpu);
/* The same for MMX: #UD, #NM, #MF. */
void mmx_check(struct cpu *cpu);
/* Recomputes ES and B, and loads the host's control word, after FCW or the
 * flags were set. */
void fpu_control_changed(struct cpu *cpu);
void fpu_init(struct cpu *cpu);

/* Quick handlers by FOP (fpu_quick.c, fpu_quick_memory.c); NULL: none. */
uop_fn *fpu_quick_register(unsigned fop);
uop_fn *fpu_quick_memory(unsigned fop, enum ea_kind kind);
/* The slow ones, which can do all (exec_fpu.c). */
uop_fn fpu_slow_register, fpu_slow_memory;

static inline unsigned fpu_top(const struct cpu *c)
{
    return (c->fpu.fsw >> 11) & 7u;
}
static inline void fpu_set_top(struct cpu *c, unsigned top)
{
    c->fpu.fsw = (uint16_t)((c->fpu.fsw & ~FSW_TOP) | (top & 7) << 11);
}
/* The 80 bits of ST(n), and whether its register is not empty. */
static inline void *fpu_st(struct cpu *c, unsigned n)
{
    return &c->fpu.reg[(fpu_top(c) + n) & 7];
}
static inline bool fpu_valid(const struct cpu *c, unsigned n)
{
    return (c->fpu.tags >> ((fpu_top(c) + n) & 7)) & 1;
}
static inline void fpu_pop(struct cpu *c)
{
    unsigned top = fpu_top(c);
    c->fpu.tags &= (uint8_t) ~(1u << top);
    fpu_set_top(c, top + 1);
}
static inline void fpu_push(struct cpu *c)
{
    unsigned top = (fpu_top(c) - 1) & 7;
    c->fpu.tags |= (uint8_t)(1u << top);
    fpu_set_top(c, top);
}

static inline void fpu_host_fcw(uint16_t fcw)
{
    __asm__ volatile("fldcw %0" : : "m"(fcw));
}

/* No exception can be waiting or become one: what quick handlers need. */
static inline bool fpu_masked(const struct cpu *c)
{
    return (c->fpu.fcw & FCW_MASKS) == FCW_MASKS;
}

/* Instruction and data pointers; the uop's imm is FOP. */
static inline void fpu_note(struct cpu *c, const struct uop *u, uint64_t rip)
{
    c->fpu.fip = rip;
    c->fpu.fcs = c->seg[SEG_CS].selector;
    c->fpu.fop = (uint16_t)u->imm;
}
static inline void fpu_note_data(struct cpu *c, const struct uop *u)
{
    c->fpu.fdp = uop_ea(c, u);
    c->fpu.fds = c->seg[u->seg].selector;
}

/* MMX instructions make the x87 stack full with TOP 0. */
static inline void mmx_enter(struct cpu *c)
{
    c->fpu.fsw &= (uint16_t)~FSW_TOP;
    c->fpu.tags = 0xFF;
}
static inline uint64_t mmx_get(const struct cpu *c, unsigned n)
{
    return c->fpu.reg[n & 7].mantissa;
}
static inline void mmx_set(struct cpu *c, unsigned n, uint64_t value)
{
    c->fpu.reg[n & 7].mantissa = value;
    c->fpu.reg[n & 7].exponent = 0xFFFF;
}

#endif
