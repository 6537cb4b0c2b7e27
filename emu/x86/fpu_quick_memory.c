/*
 * Quick handlers for the x87's memory forms; see fpu_quick.c. The host's
 * instruction reads or writes the guest's memory itself.
 */
#include "emu/x86/fpu_quick.h"

ALWAYS_INLINE bool find_read(const struct cpu *c, const struct uop *u,
                             enum ea_kind kind, unsigned size, const void **p)
{
    return fpu_masked(c) && tlb_read(c, quick_ea(c, u, kind), size, p);
}
ALWAYS_INLINE bool find_write(const struct cpu *c, const struct uop *u,
                              enum ea_kind kind, unsigned size, void **p)
{
    return fpu_masked(c) && fpu_valid(c, 0) &&
           tlb_write(c, quick_ea(c, u, kind), size, p);
}
ALWAYS_INLINE const struct uop *finish(UOP_ARGS)
{
    fpu_note_data(c, u);
    return fpu_quick_end(c, u, fa, fb, budget);
}

struct f16 {
    uint8_t bytes[2];
};
struct f32 {
    uint8_t bytes[4];
};
struct f64 {
    uint8_t bytes[8];
};

#define SLOW fpu_slow_memory(c, u, fa, fb, budget)
#define FINISH finish(c, u, fa, fb, budget)
#define ST0 (*(struct f80 *)fpu_st(c, 0))

/* --- ST(0) op= memory, and comparisons with it ---------------------------- */

#define ALU_KIND(KIND, INSN, TYPE)                                             \
    static const struct uop *INSN##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        const void *p;                                                         \
        uint16_t status;                                                       \
        if (UNLIKELY(!find_read(c, u, KIND, sizeof(struct TYPE), &p) ||        \
                     !fpu_valid(c, 0)))                                        \
            return SLOW;                                                       \
        __asm__ volatile("fldt %1\n\t" #INSN " %2\n\tfnstsw %0\n\tfstpt %1"    \
                         : "=&a"(status), "+m"(ST0)                             \
                         : "m"(*(const struct TYPE *)p));                      \
        fpu_status(c, status, FSW_C1);                                         \
        return FINISH;                                                         \
    }
/* With a final pop on the host in any case. */
#define COMPARE_KIND(KIND, NAME, INSN, TYPE, POPS)                             \
    static const struct uop *NAME##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        const void *p;                                                         \
        uint16_t status;                                                       \
        if (UNLIKELY(!find_read(c, u, KIND, sizeof(struct TYPE), &p) ||        \
                     !fpu_valid(c, 0)))                                        \
            return SLOW;                                                       \
        __asm__ volatile("fldt %1\n\t" #INSN " %2\n\tfnstsw %0"                \
                         : "=&a"(status)                                        \
                         : "m"(ST0), "m"(*(const struct TYPE *)p));            \
        fpu_status(c, status, FSW_CONDITION);                                  \
        if (POPS)                                                              \
            fpu_pop(c);                                                        \
        return FINISH;                                                         \
    }
#define ALU(INSN, TYPE) EACH_EA(ALU_KIND, INSN, TYPE)
#define COMPARE(NAME, INSN, TYPE, POPS)                                        \
    EACH_EA(COMPARE_KIND, NAME, INSN, TYPE, POPS)
/* Intel's operand sizes as AT&T's suffixes: s, l for m32, m64; s, l for m16int,
 * m32int. */
#define ALU_ALL(PREFIX, SUFFIX, TYPE)                                          \
    ALU(PREFIX##add##SUFFIX, TYPE)                                             \
    ALU(PREFIX##mul##SUFFIX, TYPE)                                             \
    ALU(PREFIX##sub##SUFFIX, TYPE)                                             \
    ALU(PREFIX##subr##SUFFIX, TYPE)                                            \
    ALU(PREFIX##div##SUFFIX, TYPE)                                             \
    ALU(PREFIX##divr##SUFFIX, TYPE)                                            \
    COMPARE(PREFIX##com##SUFFIX, PREFIX##comp##SUFFIX, TYPE, false)            \
    COMPARE(PREFIX##comp##SUFFIX, PREFIX##comp##SUFFIX, TYPE, true)
ALU_ALL(f, s, f32)
ALU_ALL(f, l, f64)
ALU_ALL(fi, s, f16)
ALU_ALL(fi, l, f32)

/* --- loads ---------------------------------------------------------------- */

#define LOAD_KIND(KIND, INSN, TYPE)                                            \
    static const struct uop *INSN##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        const void *p;                                                         \
        uint16_t status;                                                       \
        if (UNLIKELY(!find_read(c, u, KIND, sizeof(struct TYPE), &p) ||        \
                     fpu_valid(c, 7)))                                         \
            return SLOW;                                                       \
        fpu_push(c);                                                           \
        __asm__ volatile(#INSN " %2\n\tfnstsw %0\n\tfstpt %1"                  \
                         : "=&a"(status), "=m"(ST0)                             \
                         : "m"(*(const struct TYPE *)p));                      \
        fpu_status(c, status, FSW_C1);                                         \
        return FINISH;                                                         \
    }
#define LOAD(INSN, TYPE) EACH_EA(LOAD_KIND, INSN, TYPE)
LOAD(flds, f32)
LOAD(fldl, f64)
LOAD(fldt, f80)
LOAD(filds, f16)
LOAD(fildl, f32)
LOAD(fildll, f64)

/* --- stores --------------------------------------------------------------- */

/* Those that do not pop are made of those that do. */
#define STORE_KIND(KIND, NAME, INSN, TYPE, POPS)                               \
    static const struct uop *NAME##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        void *p;                                                               \
        uint16_t status;                                                       \
        if (UNLIKELY(!find_write(c, u, KIND, sizeof(struct TYPE), &p)))        \
            return SLOW;                                                       \
        __asm__ volatile("fldt %2\n\t" #INSN " %1\n\tfnstsw %0"                \
                         : "=&a"(status), "=m"(*(struct TYPE *)p)               \
                         : "m"(ST0));                                          \
        fpu_status(c, status, FSW_C1);                                         \
        if (POPS)                                                              \
            fpu_pop(c);                                                        \
        return FINISH;                                                         \
    }
#define STORE(NAME, INSN, TYPE, POPS)                                          \
    EACH_EA(STORE_KIND, NAME, INSN, TYPE, POPS)
STORE(fsts, fstps, f32, false)
STORE(fstps, fstps, f32, true)
STORE(fstl, fstpl, f64, false)
STORE(fstpl, fstpl, f64, true)
STORE(fstpt, fstpt, f80, true)
STORE(fists, fistps, f16, false)
STORE(fistps, fistps, f16, true)
STORE(fistl, fistpl, f32, false)
STORE(fistpl, fistpl, f32, true)
STORE(fistpll, fistpll, f64, true)
STORE(fisttps, fisttps, f16, true)
STORE(fisttpl, fisttpl, f32, true)
STORE(fisttpll, fisttpll, f64, true)

/* --- by encoding ---------------------------------------------------------- */

#define KINDS(NAME)                                                            \
    {                                                                          \
        NAME##_EA_BASE, NAME##_EA_SIB, NAME##_EA_SEG, NAME##_EA_FLAT32, NULL   \
    }
#define NOT_QUICK                                                              \
    {                                                                          \
        NULL                                                                   \
    }
#define ALU_ROW(PREFIX, SUFFIX)                                                \
    {                                                                          \
        KINDS(PREFIX##add##SUFFIX), KINDS(PREFIX##mul##SUFFIX),                \
            KINDS(PREFIX##com##SUFFIX), KINDS(PREFIX##comp##SUFFIX),           \
            KINDS(PREFIX##sub##SUFFIX), KINDS(PREFIX##subr##SUFFIX),           \
            KINDS(PREFIX##div##SUFFIX), KINDS(PREFIX##divr##SUFFIX)            \
    }

uop_fn *fpu_quick_memory(unsigned fop, enum ea_kind kind)
{
    static uop_fn *const handlers[8][8][EA_KINDS + 1] = {
        ALU_ROW(f, s),
        {KINDS(flds), NOT_QUICK, KINDS(fsts), KINDS(fstps)},
        ALU_ROW(fi, l),
        {KINDS(fildl), KINDS(fisttpl), KINDS(fistl), KINDS(fistpl), NOT_QUICK,
         KINDS(fldt), NOT_QUICK, KINDS(fstpt)},
        ALU_ROW(f, l),
        {KINDS(fldl), KINDS(fisttpll), KINDS(fstl), KINDS(fstpl)},
        ALU_ROW(fi, s),
        {KINDS(filds), KINDS(fisttps), KINDS(fists), KINDS(fistps), NOT_QUICK,
         KINDS(fildll), NOT_QUICK, KINDS(fistpll)},
    };
    return handlers[fop >> 8][(fop >> 3) & 7][kind];
}
