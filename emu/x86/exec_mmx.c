/*
 * MMX, with what SSE to SSSE3 added to it (SDM 1 chapter 9).
 *
 * An mm register is the mantissa of the physical x87 register of its number.
 * Every MMX instruction makes the x87 stack full with TOP 0; writing a register
 * sets its exponent to all ones; EMMS empties the stack. The host's mm0 does
 * the work.
 */
#include "emu/x86/fpu.h"
#include "emu/x86/sse.h"

/* --- mm <- mm op mm/m ----------------------------------------------------- */

typedef uint64_t mmx_body(uint64_t a, uint64_t b);

#define BODY(NAME, SIZE)                                                       \
    ALWAYS_INLINE uint64_t NAME##_body(uint64_t a, uint64_t b)                 \
    {                                                                          \
        __asm__("movq %0, %%mm0\n\t" #NAME " %1, %%mm0\n\t"                    \
                "movq %%mm0, %0\n\temms"                                       \
                : "+m"(a)                                                      \
                : "m"(b)                                                       \
                : "mm0");                                                      \
        return a;                                                              \
    }
MMX_LIST(BODY)
#undef BODY

static uint64_t mmx_load(struct cpu *c, const struct uop *u, unsigned size)
{
    return u->flags & UOP_MEM ? mem_load(c, uop_linear(c, u, size, false), size)
                              : mmx_get(c, u->rm);
}

static void mmx_slow(struct cpu *c, const struct uop *u, mmx_body *body,
                     unsigned size)
{
    mmx_check(c);
    uint64_t b = mmx_load(c, u, size);
    mmx_enter(c);
    mmx_set(c, u->reg, body(mmx_get(c, u->reg), b));
}

/* Quick ones look for a waiting x87 exception themselves. */
ALWAYS_INLINE const struct uop *mmx_finish(UOP_ARGS, uint64_t result)
{
    mmx_enter(c);
    mmx_set(c, u->reg, result);
    return uop_next(c, u, fa, fb, budget);
}
ALWAYS_INLINE bool mmx_quick_load(const struct cpu *c, const struct uop *u,
                                  enum ea_kind kind, unsigned size,
                                  uint64_t *value)
{
    const void *p;
    if (UNLIKELY(c->fpu.fsw & FSW_ES))
        return false;
    if (UNLIKELY(!tlb_read(c, quick_ea(c, u, kind), size, &p)))
        return false;
    *value = host_load(p, size);
    return true;
}

#define MEMORY(KIND, NAME, SIZE)                                               \
    static const struct uop *NAME##_##KIND(UOP_ARGS)                           \
    {                                                                          \
        uint64_t b;                                                            \
        if (!mmx_quick_load(c, u, KIND, SIZE, &b))                             \
            return NAME##_slow(c, u, fa, fb, budget);                          \
        return mmx_finish(c, u, fa, fb, budget,                                \
                          NAME##_body(mmx_get(c, u->reg), b));                 \
    }
#define HANDLERS(NAME, SIZE)                                                   \
    static const struct uop *NAME##_slow(UOP_ARGS)                             \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        mmx_slow(c, u, NAME##_body, SIZE);                                     \
        return uop_resume(c, u);                                               \
    }                                                                          \
    static const struct uop *NAME##_reg(UOP_ARGS)                              \
    {                                                                          \
        if (UNLIKELY(c->fpu.fsw & FSW_ES))                                     \
            return NAME##_slow(c, u, fa, fb, budget);                          \
        return mmx_finish(                                                     \
            c, u, fa, fb, budget,                                              \
            NAME##_body(mmx_get(c, u->reg), mmx_get(c, u->rm)));               \
    }                                                                          \
    EACH_EA(MEMORY, NAME, SIZE)
MMX_LIST(HANDLERS)

#define ROW(NAME, SIZE) [MMX_##NAME] = SSE_FORMS(NAME),
static const struct sse_forms handlers[MMX_COUNT] = {MMX_LIST(ROW)};

uop_fn *select_mmx(const struct insn *i, uint32_t mode)
{
    return sse_choose(&handlers[i->opcode->parameter], i, mode, MODE_NO_FPU);
}

/* --- moves ---------------------------------------------------------------- */

/* MOVQ mm, mm/m64 is an operation like the others. */
ALWAYS_INLINE uint64_t MOVQ_body(uint64_t a, uint64_t b)
{
    (void)a;
    return b;
}
HANDLERS(MOVQ, 8)
static const struct sse_forms movq_load = SSE_FORMS(MOVQ);

uop_fn *select_mmx_load(const struct insn *i, uint32_t mode)
{
    return sse_choose(&movq_load, i, mode, MODE_NO_FPU);
}

/* MOVQ mm/m64, mm; MOVNTQ */
static const struct uop *store_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    uint64_t value = mmx_get(c, u->reg);
    if (u->flags & UOP_MEM) {
        mem_store(c, uop_linear(c, u, 8, true), value, 8);
        mmx_enter(c);
    } else {
        mmx_enter(c);
        mmx_set(c, u->rm, value);
    }
    return uop_resume(c, u);
}

#define STORE(KIND, ...)                                                       \
    static const struct uop *store_##KIND(UOP_ARGS)                            \
    {                                                                          \
        void *p;                                                               \
        if (UNLIKELY((c->fpu.fsw & FSW_ES) ||                                  \
                     !tlb_write(c, quick_ea(c, u, KIND), 8, &p)))              \
            return store_slow(c, u, fa, fb, budget);                           \
        host_store(p, mmx_get(c, u->reg), 8);                                  \
        mmx_enter(c);                                                          \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
EACH_EA(STORE, )

uop_fn *select_mmx_store(const struct insn *i, uint32_t mode)
{
    static const struct sse_forms store = {
        store_slow, {store_EA_BASE, store_EA_SIB, store_EA_SEG,
                     store_EA_FLAT32, store_slow}};
    return sse_choose(&store, i, mode, MODE_NO_FPU);
}

const struct uop *op_movd_to_mm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    uint64_t value = uop_get_rm(c, u, u->size);
    mmx_enter(c);
    mmx_set(c, u->reg, value);
    return uop_resume(c, u);
}

const struct uop *op_movd_from_mm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    uop_set_rm(c, u, mmx_get(c, u->reg), u->size);
    mmx_enter(c);
    return uop_resume(c, u);
}

const struct uop *op_emms(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    c->fpu.fsw &= (uint16_t)~FSW_TOP;
    c->fpu.tags = 0;
    return uop_resume(c, u);
}

/* --- with an immediate ---------------------------------------------------- */

#define SHIFT(NAME)                                                            \
    static const struct uop *NAME##_imm(UOP_ARGS)                              \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        mmx_check(c);                                                          \
        mmx_enter(c);                                                          \
        mmx_set(c, u->rm,                                                      \
                NAME##_body(mmx_get(c, u->rm), (uint8_t)u->imm));              \
        return uop_resume(c, u);                                               \
    }
MMX_SHIFT_LIST(SHIFT)

uop_fn *select_mmx_shift(const struct insn *i, uint32_t mode)
{
#define SHIFT_ROW(NAME) [SSE_SHIFT_##NAME] = NAME##_imm,
    static uop_fn *const shifts[SSE_SHIFT_COUNT] = {
        MMX_SHIFT_LIST(SHIFT_ROW)
    };
#undef SHIFT_ROW
    (void)mode;
    return shifts[i->opcode->parameter];
}

const struct uop *op_pshufw(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    __m128i b = xmm_from(mmx_load(c, u, 8));
    __m128i mask = xmm_from(sse_word_shuffle[(uint8_t)u->imm]);
    mmx_enter(c);
    mmx_set(c, u->reg, xmm_low(sse_pshufb(b, mask)));
    return uop_resume(c, u);
}

const struct uop *op_palignr_mm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    uint64_t low = mmx_load(c, u, 8), high = mmx_get(c, u->reg);
    unsigned bits = (unsigned)(u->imm & 0xFF) * 8;
    uint64_t result = bits == 0    ? low
                      : bits < 64  ? low >> bits | high << (64 - bits)
                      : bits < 128 ? high >> (bits - 64)
                                   : 0;
    mmx_enter(c);
    mmx_set(c, u->reg, result);
    return uop_resume(c, u);
}

const struct uop *op_pinsrw_mm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    uint64_t value = u->flags & UOP_MEM
                         ? mem_load(c, uop_linear(c, u, 2, false), 2)
                         : (uint16_t)c->r[u->rm];
    unsigned at = (unsigned)(u->imm & 3) * 16;
    uint64_t old = mmx_get(c, u->reg) & ~(UINT64_C(0xFFFF) << at);
    mmx_enter(c);
    mmx_set(c, u->reg, old | value << at);
    return uop_resume(c, u);
}

const struct uop *op_pextrw_mm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    mmx_enter(c);
    reg_set(c, u->reg, (uint16_t)(mmx_get(c, u->rm) >> (u->imm & 3) * 16), 4);
    return uop_resume(c, u);
}

const struct uop *op_pmovmskb_mm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mmx_check(c);
    mmx_enter(c);
    reg_set(c, u->reg, (unsigned)_mm_movemask_epi8(xmm_from(mmx_get(c, u->rm))),
            4);
    return uop_resume(c, u);
}
