/*
 * SSE stores, and moves between xmm registers and general registers (SDM 2).
 */
#include "emu/x86/fpu.h"
#include "emu/x86/sse.h"

/* --- stores --------------------------------------------------------------- */

/* What is stored: the low bytes of the register, or its high half. */
ALWAYS_INLINE const uint8_t *
store_part(const struct cpu *c, const struct uop *u, enum sse_store store)
{
    return c->xmm[u->reg].u8 + (store == SSE_STORE_HIGH8 ? 8 : 0);
}

ALWAYS_INLINE const struct uop *store_quick(UOP_ARGS, enum sse_store store,
                                            unsigned size, enum ea_kind kind,
                                            uop_fn *slow)
{
    void *p;
    uint64_t linear = quick_ea(c, u, kind);
    bool misaligned = store == SSE_STORE_ALIGNED16 && (linear & 15);
    if (UNLIKELY(misaligned || !tlb_write(c, linear, size, &p)))
        return slow(c, u, fa, fb, budget);
    memcpy(p, store_part(c, u, store), size);
    return uop_next(c, u, fa, fb, budget);
}

#define STORE_KIND(KIND, NAME, SIZE)                                           \
    static const struct uop *NAME##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        return store_quick(c, u, fa, fb, budget, SSE_STORE_##NAME, SIZE, KIND, \
                           NAME##_slow);                                       \
    }
#define STORE(NAME, SIZE)                                                      \
    static const struct uop *NAME##_slow(UOP_ARGS)                             \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_check(c);                                                          \
        sse_store(c, u, store_part(c, u, SSE_STORE_##NAME), SIZE,              \
                  SSE_STORE_##NAME == SSE_STORE_ALIGNED16);                    \
        return uop_resume(c, u);                                               \
    }                                                                          \
    EACH_EA(STORE_KIND, NAME, SIZE)
SSE_STORE_LIST(STORE)

#define STORE_ROW(NAME, SIZE)                                                  \
    [SSE_STORE_##NAME] = {NAME##_EA_BASE, NAME##_EA_SIB, NAME##_EA_SEG,        \
                          NAME##_EA_FLAT32, NAME##_slow},
static uop_fn *const stores[SSE_STORE_COUNT][EA_KINDS + 1] = {
    SSE_STORE_LIST(STORE_ROW)
};

static uop_fn *choose_store(enum sse_store store, const struct insn *i,
                            uint32_t mode)
{
    return stores[store]
                 [(mode & MODE_NO_SSE) ? EA_NONE : quick_ea_kind(i, mode)];
}

uop_fn *select_sse_store(const struct insn *i, uint32_t mode)
{
    return choose_store((enum sse_store)i->opcode->parameter, i, mode);
}

/* --- the register forms of stores: ModRM.rm is the destination ------------ */

/* Names as for loads in SSE_C_LIST: all, the low half (clearing or keeping the
 * rest), the low dword. */
ALWAYS_INLINE void copy(struct cpu *c, const struct uop *u, enum sse_int how)
{
    union xmm from = c->xmm[u->reg];
    union xmm *to = &c->xmm[u->rm];
    switch (how) {
    case SSE_MERGE4:
        to->u32[0] = from.u32[0];
        break;
    case SSE_MERGE8:
        to->u64[0] = from.u64[0];
        break;
    case SSE_LOAD8:
        to->u64[0] = from.u64[0];
        to->u64[1] = 0;
        break;
    default:
        *to = from;
        break;
    }
}

#define COPY(NAME)                                                             \
    static const struct uop *copy_##NAME(UOP_ARGS)                             \
    {                                                                          \
        copy(c, u, SSE_##NAME);                                                \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    static const struct uop *copy_##NAME##_slow(UOP_ARGS)                      \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        sse_check(c);                                                          \
        copy(c, u, SSE_##NAME);                                                \
        return uop_resume(c, u);                                               \
    }
COPY(MOVAPS)
COPY(LOAD8)
COPY(MERGE8)
COPY(MERGE4)

uop_fn *select_sse_copy(const struct insn *i, uint32_t mode)
{
    bool slow = (mode & MODE_NO_SSE) != 0;
    switch (i->opcode->parameter) {
    case SSE_LOAD8:
        return slow ? copy_LOAD8_slow : copy_LOAD8;
    case SSE_MERGE8:
        return slow ? copy_MERGE8_slow : copy_MERGE8;
    case SSE_MERGE4:
        return slow ? copy_MERGE4_slow : copy_MERGE4;
    default:
        return slow ? copy_MOVAPS_slow : copy_MOVAPS;
    }
}

/* --- MOVD, MOVQ with a general register or memory ------------------------- */

static const struct uop *to_xmm_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    xmm_set(c, u->reg, xmm_from(uop_get_rm(c, u, u->size)));
    return uop_resume(c, u);
}
static const struct uop *from_xmm_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    uop_set_rm(c, u, c->xmm[u->reg].u64[0], u->size);
    return uop_resume(c, u);
}

#define TRANSFER(W)                                                            \
    static const struct uop *to_xmm_##W(UOP_ARGS)                              \
    {                                                                          \
        xmm_set(c, u->reg, xmm_from(reg_get(c, u->rm, W)));                    \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    static const struct uop *from_xmm_##W(UOP_ARGS)                            \
    {                                                                          \
        reg_set(c, u->rm, c->xmm[u->reg].u64[0], W);                           \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
TRANSFER(4)
TRANSFER(8)

#define LOAD_KIND(KIND, W)                                                     \
    static const struct uop *to_xmm_##W##_##KIND(UOP_ARGS)                     \
    {                                                                          \
        __m128i b;                                                             \
        if (!sse_quick_load(c, u, KIND, W, false, &b))                         \
            return to_xmm_slow(c, u, fa, fb, budget);                          \
        xmm_set(c, u->reg, b);                                                 \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
EACH_EA(LOAD_KIND, 4)
EACH_EA(LOAD_KIND, 8)

#define LOAD_ROW(W)                                                            \
    {                                                                          \
        to_xmm_##W, {to_xmm_##W##_EA_BASE, to_xmm_##W##_EA_SIB,                \
                     to_xmm_##W##_EA_SEG, to_xmm_##W##_EA_FLAT32,              \
                     to_xmm_slow }                                             \
    }
static const struct sse_forms loads[2] = {LOAD_ROW(4), LOAD_ROW(8)};

uop_fn *select_movd_to_xmm(const struct insn *i, uint32_t mode)
{
    return sse_choose(&loads[i->operand_size == 8], i, mode, MODE_NO_SSE);
}

uop_fn *select_movd_from_xmm(const struct insn *i, uint32_t mode)
{
    bool wide = i->operand_size == 8;
    if (i->memory)
        return choose_store(wide ? SSE_STORE_LOW8 : SSE_STORE_LOW4, i, mode);
    if (mode & MODE_NO_SSE)
        return from_xmm_slow;
    return wide ? from_xmm_8 : from_xmm_4;
}

/* --- sign masks ----------------------------------------------------------- */

ALWAYS_INLINE void pmovmskb(struct cpu *c, const struct uop *u)
{
    reg_set(c, u->reg, (unsigned)_mm_movemask_epi8(xmm_get(c, u->rm)), 4);
}
static const struct uop *pmovmskb_quick(UOP_ARGS)
{
    pmovmskb(c, u);
    return uop_next(c, u, fa, fb, budget);
}
static const struct uop *pmovmskb_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    pmovmskb(c, u);
    return uop_resume(c, u);
}
uop_fn *select_pmovmskb(const struct insn *i, uint32_t mode)
{
    (void)i;
    return mode & MODE_NO_SSE ? pmovmskb_slow : pmovmskb_quick;
}

const struct uop *op_movmskps(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    __m128 v = _mm_castsi128_ps(xmm_get(c, u->rm));
    reg_set(c, u->reg, (unsigned)_mm_movemask_ps(v), 4);
    return uop_resume(c, u);
}

const struct uop *op_movmskpd(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    __m128d v = _mm_castsi128_pd(xmm_get(c, u->rm));
    reg_set(c, u->reg, (unsigned)_mm_movemask_pd(v), 4);
    return uop_resume(c, u);
}

/* --- PINSR, PEXTR, EXTRACTPS: element by element -------------------------- */

/* A byte or word in a register form is the low part of r32. */
static const struct uop *insert(UOP_ARGS, unsigned size)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    uint64_t value = u->flags & UOP_MEM
                         ? mem_load(c, uop_linear(c, u, size, false), size)
                         : c->r[u->rm];
    unsigned n = (unsigned)u->imm & (16 / size - 1);
    memcpy(c->xmm[u->reg].u8 + n * size, &value, size);
    return uop_resume(c, u);
}

static const struct uop *extract(UOP_ARGS, unsigned size)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    uint64_t value = 0;
    unsigned n = (unsigned)u->imm & (16 / size - 1);
    memcpy(&value, c->xmm[u->reg].u8 + n * size, size);
    if (u->flags & UOP_MEM)
        mem_store(c, uop_linear(c, u, size, true), value, size);
    else
        c->r[u->rm] = value;
    return uop_resume(c, u);
}

const struct uop *op_pinsrb(UOP_ARGS)
{
    return insert(c, u, fa, fb, budget, 1);
}
const struct uop *op_pinsrw(UOP_ARGS)
{
    return insert(c, u, fa, fb, budget, 2);
}
const struct uop *op_pinsrd(UOP_ARGS)
{
    return insert(c, u, fa, fb, budget, u->size);
}
const struct uop *op_pextrb(UOP_ARGS)
{
    return extract(c, u, fa, fb, budget, 1);
}
const struct uop *op_pextrw(UOP_ARGS)
{
    return extract(c, u, fa, fb, budget, 2);
}
const struct uop *op_pextrd(UOP_ARGS)
{
    return extract(c, u, fa, fb, budget, u->size);
}
const struct uop *op_extractps(UOP_ARGS)
{
    return extract(c, u, fa, fb, budget, 4);
}

/* 0F C5, whose destination is ModRM.reg. */
const struct uop *op_pextrw_reg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    reg_set(c, u->reg, c->xmm[u->rm].u16[u->imm & 7], 4);
    return uop_resume(c, u);
}

/* --- MASKMOVDQU, MASKMOVQ: bytes with a sign bit in the mask, to [rDI] ---- */

static void store_masked(struct cpu *c, const struct uop *u,
                         const uint8_t *data, const uint8_t *mask,
                         unsigned size)
{
    uint64_t ea = c->r[R_DI];
    if (u->flags & UOP_ADDR32)
        ea = (uint32_t)ea;
    else if (u->flags & UOP_ADDR16)
        ea = (uint16_t)ea;
    uint64_t linear = segment_linear(c, (enum seg)u->seg, ea, size, true);
    for (unsigned n = 0; n < size; n++)
        if (mask[n] & 0x80)
            mmu_probe_write(c, linear + n, 1);
    for (unsigned n = 0; n < size; n++)
        if (mask[n] & 0x80)
            mem_store(c, linear + n, data[n], 1);
}

const struct uop *op_maskmovdqu(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    store_masked(c, u, c->xmm[u->reg].u8, c->xmm[u->rm].u8, 16);
    return uop_resume(c, u);
}

const struct uop *op_maskmovq(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    uint64_t data = mmx_get(c, u->reg), mask = mmx_get(c, u->rm);
    store_masked(c, u, (const uint8_t *)&data, (const uint8_t *)&mask, 8);
    mmx_enter(c);
    return uop_resume(c, u);
}

/* --- between the register files ------------------------------------------- */

const struct uop *op_movq2dq(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    mmx_check(c);
    mmx_enter(c);
    xmm_set(c, u->reg, xmm_from(mmx_get(c, u->rm)));
    return uop_resume(c, u);
}

const struct uop *op_movdq2q(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    sse_check(c);
    mmx_check(c);
    mmx_enter(c);
    mmx_set(c, u->reg, c->xmm[u->rm].u64[0]);
    return uop_resume(c, u);
}
