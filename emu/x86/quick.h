/*
 * What the quick handlers share (exec_alu.c, exec_move.c, exec_control.c): how
 * an effective address is made without segmentation's checks, and how tables
 * of specialised handlers are indexed.
 *
 * A quick handler exists for each of these address kinds; anything else goes
 * to the slow handler, which can do all.
 */
#ifndef EMU_X86_QUICK_H
#define EMU_X86_QUICK_H

#include "emu/x86/decode.h"
#include "emu/x86/flags.h"

enum ea_kind {
    EA_BASE,   /* 64-bit: base + displacement */
    EA_SIB,    /* 64-bit: base + index * scale + displacement */
    EA_SEG,    /* 64-bit, FS or GS: the segment's base added */
    EA_FLAT32, /* 32-bit code, flat segment */
    EA_KINDS,
    EA_NONE = EA_KINDS /* 16-bit, limits to check, mixed sizes: slow */
};

static inline enum ea_kind quick_ea_kind(const struct insn *i, uint32_t mode)
{
    if ((mode & MODE_CODE) == MODE_CODE64) {
        if (i->address_size != 8)
            return EA_NONE;
        if (i->seg == SEG_FS || i->seg == SEG_GS)
            return EA_SEG;
        return i->index == R_ZERO ? EA_BASE : EA_SIB;
    }
    if ((mode & MODE_CODE) != MODE_CODE32 || i->address_size != 4)
        return EA_NONE;
    uint32_t flat = i->seg == SEG_DS   ? MODE_FLAT_DS
                    : i->seg == SEG_SS ? MODE_FLAT_SS
                    : i->seg == SEG_ES ? MODE_FLAT_ES
                                       : 0;
    return (mode & flat) ? EA_FLAT32 : EA_NONE;
}

ALWAYS_INLINE uint64_t quick_ea(const struct cpu *c, const struct uop *u,
                                enum ea_kind kind)
{
    uint64_t disp = (uint64_t)(int64_t)u->disp;
    uint64_t sib = c->r[u->base] + c->r[u->index] * u->scale + disp;
    switch (kind) {
    case EA_BASE:
        return c->r[u->base] + disp;
    case EA_SIB:
        return sib;
    case EA_SEG:
        return sib + c->seg_base[u->seg];
    default:
        return (uint32_t)sib;
    }
}

/* The value of a register of W bytes, by its place in struct cpu. */
ALWAYS_INLINE uint64_t quick_get(const struct cpu *c, unsigned n, unsigned w)
{
    return reg_get(c, n, w);
}

ALWAYS_INLINE uint64_t host_load(const void *p, unsigned w)
{
    uint64_t v = 0;
    memcpy(&v, p, w);
    return v;
}
ALWAYS_INLINE void host_store(void *p, uint64_t v, unsigned w)
{
    memcpy(p, &v, w);
}

/* 1, 2, 4, 8 -> 0, 1, 2, 3 */
static inline unsigned size_index(unsigned size)
{
    return (unsigned)__builtin_ctz(size);
}

ALWAYS_INLINE uint64_t sign_extend(uint64_t v, unsigned w)
{
    switch (w) {
    case 1:
        return (uint64_t)(int64_t)(int8_t)v;
    case 2:
        return (uint64_t)(int64_t)(int16_t)v;
    case 4:
        return (uint64_t)(int64_t)(int32_t)v;
    default:
        return v;
    }
}
ALWAYS_INLINE uint64_t trunc_to(uint64_t v, unsigned w)
{
    return w == 8 ? v : v & ((UINT64_C(1) << (w * 8)) - 1);
}

/* A vector of carries as flags_b (see flags.h). */
ALWAYS_INLINE uint64_t carries(uint64_t cv, unsigned w)
{
    if (w == 8)
        return cv & ~(uint64_t)(FB_PDB | FB_SFD);
    return (cv << (64 - w * 8)) | (cv & FB_AF);
}

/* Sets CF and OF as given, AF clear, the others from the result. */
ALWAYS_INLINE uint64_t flags_co(bool cf, bool of)
{
    return ((uint64_t)cf << 63) | ((uint64_t)(cf != of) << 62);
}

/* The result of `a op b` in W bytes, and its flags. */
ALWAYS_INLINE uint64_t alu(enum alu op, unsigned w, uint64_t a, uint64_t b,
                           uint64_t *fa, uint64_t *fb)
{
    uint64_t result, cv = 0;
    uint64_t carry = (op == ALU_ADC || op == ALU_SBB) ? *fb >> 63 : 0;
    switch (op) {
    case ALU_ADD:
    case ALU_ADC:
        result = trunc_to(a + b + carry, w);
        cv = (a & b) | ((a | b) & ~result);
        break;
    case ALU_SUB:
    case ALU_SBB:
    case ALU_CMP:
        result = trunc_to(a - b - carry, w);
        cv = (~a & b) | ((~a | b) & result);
        break;
    case ALU_OR:
        result = a | b;
        break;
    case ALU_XOR:
        result = a ^ b;
        break;
    default:
        result = a & b;
        break;
    }
    *fa = sign_extend(result, w);
    *fb = carries(trunc_to(cv, w), w);
    return result;
}

/* OP for each operand width. */
#define EACH_WIDTH(DO, ...)                                                    \
    DO(1, __VA_ARGS__) DO(2, __VA_ARGS__) DO(4, __VA_ARGS__)                   \
    DO(8, __VA_ARGS__)
#define EACH_EA(DO, ...)                                                       \
    DO(EA_BASE, __VA_ARGS__) DO(EA_SIB, __VA_ARGS__) DO(EA_SEG, __VA_ARGS__)   \
    DO(EA_FLAT32, __VA_ARGS__)

#endif
