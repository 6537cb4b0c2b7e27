/*
 * The six arithmetic flags, kept lazily in two 64-bit words whatever the
 * operation and its width were:
 *
 *   fa   the result, sign-extended to 64 bits
 *   fb   63: CF   62: OF ^ CF   15..8: PF delta   3: AF   0: SF delta
 *
 *   CF = fb[63]                OF = fb[63] ^ fb[62]
 *   ZF = (fa == 0)             SF = fa[63] ^ fb[0]
 *   AF = fb[3]                 PF = even parity of fa[7:0] ^ fb[15:8]
 *
 * An addition's or subtraction's vector of carries, moved up so that its top
 * bit is bit 63, is just that: bit 63 is the carry out, bit 62 the carry into
 * the sign, and bit 3 (kept in place) the half carry. The deltas serve the few
 * instructions that set flags which no result could have (POPF, COMISD).
 */
#ifndef EMU_X86_FLAGS_H
#define EMU_X86_FLAGS_H

#include "emu/x86/cpu.h"

#define FB_CF (UINT64_C(1) << 63)
#define FB_PO (UINT64_C(1) << 62) /* OF ^ CF */
#define FB_AF (UINT64_C(1) << 3)
#define FB_PDB 0xFF00u
#define FB_SFD 1u

static inline bool flags_cf(uint64_t fb)
{
    return (fb >> 63) != 0;
}
static inline bool flags_of(uint64_t fb)
{
    return (((fb << 1) ^ fb) >> 63) != 0;
}
static inline bool flags_zf(uint64_t fa)
{
    return fa == 0;
}
static inline bool flags_sf(uint64_t fa, uint64_t fb)
{
    return ((fa ^ (fb << 63)) >> 63) != 0;
}
static inline bool flags_pf(uint64_t fa, uint64_t fb)
{
    return !__builtin_parity((unsigned)((fa ^ (fb >> 8)) & 0xFF));
}
static inline bool flags_af(uint64_t fb)
{
    return (fb >> 3) & 1;
}

/* The arithmetic flags as EFLAGS bits. */
static inline uint32_t flags_pack(uint64_t fa, uint64_t fb)
{
    return (flags_cf(fb) ? FLAG_CF : 0u) | (flags_pf(fa, fb) ? FLAG_PF : 0u) |
           (flags_af(fb) ? FLAG_AF : 0u) | (flags_zf(fa) ? FLAG_ZF : 0u) |
           (flags_sf(fa, fb) ? FLAG_SF : 0u) | (flags_of(fb) ? FLAG_OF : 0u);
}

/* And back: any combination of EFLAGS bits. */
static inline void flags_unpack(uint32_t eflags, uint64_t *fa, uint64_t *fb)
{
    bool zero = (eflags & FLAG_ZF) != 0, cf = (eflags & FLAG_CF) != 0;
    bool of = (eflags & FLAG_OF) != 0, pf = (eflags & FLAG_PF) != 0;
    *fa = zero ? 0 : 1; /* parity of 0 is even, of 1 odd */
    *fb = (cf ? FB_CF : 0) | (of != cf ? FB_PO : 0) |
          ((eflags & FLAG_AF) ? FB_AF : 0) | (pf != zero ? 0x100u : 0u) |
          ((eflags & FLAG_SF) ? FB_SFD : 0u);
}

/* Condition codes as Jcc, SETcc and CMOVcc number them (SDM 1 appendix B). */
static inline bool flags_condition(unsigned cc, uint64_t fa, uint64_t fb)
{
    bool met;
    switch (cc >> 1) {
    case 0: met = flags_of(fb); break;
    case 1: met = flags_cf(fb); break;
    case 2: met = flags_zf(fa); break;
    case 3: met = flags_cf(fb) || flags_zf(fa); break;
    case 4: met = flags_sf(fa, fb); break;
    case 5: met = flags_pf(fa, fb); break;
    case 6: met = flags_sf(fa, fb) != flags_of(fb); break;
    default:
        met = flags_zf(fa) || flags_sf(fa, fb) != flags_of(fb);
        break;
    }
    return met != (cc & 1);
}

#endif
