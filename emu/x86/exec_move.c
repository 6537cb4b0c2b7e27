/*
 * Data movement: MOV MOVZX MOVSX MOVSXD LEA XCHG CMOVcc SETcc, MOV to and from
 * an absolute offset, MOVBE, MOVNTI, BSWAP, XLAT. The stack is in exec_stack.c.
 */
#include "emu/x86/quick.h"

static uop_fn mov_load_slow, mov_store_slow, mov_store_imm_slow;

/* --- MOV ------------------------------------------------------------------ */

ALWAYS_INLINE const struct uop *mov_load(UOP_ARGS, unsigned w,
                                         enum ea_kind kind)
{
    const void *p;
    if (UNLIKELY(!tlb_read(c, quick_ea(c, u, kind), w, &p)))
        return mov_load_slow(c, u, fa, fb, budget);
    reg_set(c, u->reg, host_load(p, w), w);
    return uop_next(c, u, fa, fb, budget);
}

ALWAYS_INLINE const struct uop *mov_store(UOP_ARGS, unsigned w,
                                          enum ea_kind kind, bool imm)
{
    void *p;
    if (UNLIKELY(!tlb_write(c, quick_ea(c, u, kind), w, &p)))
        return imm ? mov_store_imm_slow(c, u, fa, fb, budget)
                   : mov_store_slow(c, u, fa, fb, budget);
    host_store(p, imm ? u->imm : quick_get(c, u->reg, w), w);
    return uop_next(c, u, fa, fb, budget);
}

static const struct uop *mov_load_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    reg_set(c, u->reg, mem_load(c, uop_linear(c, u, w, false), w), w);
    return uop_resume(c, u);
}
static const struct uop *mov_store_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size;
    mem_store(c, uop_linear(c, u, w, true), reg_get(c, u->reg, w), w);
    return uop_resume(c, u);
}
static const struct uop *mov_store_imm_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    mem_store(c, uop_linear(c, u, u->size, true), u->imm, u->size);
    return uop_resume(c, u);
}

#define MOV_REG(W, ...)                                                        \
    static const struct uop *mov_rr_##W(UOP_ARGS) /* rm = reg */               \
    {                                                                          \
        reg_set(c, u->rm, quick_get(c, u->reg, W), W);                         \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    static const struct uop *mov_rr_reversed_##W(UOP_ARGS) /* reg = rm */      \
    {                                                                          \
        reg_set(c, u->reg, quick_get(c, u->rm, W), W);                         \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    static const struct uop *mov_ri_##W(UOP_ARGS)                              \
    {                                                                          \
        reg_set(c, u->rm, u->imm, W);                                          \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
EACH_WIDTH(MOV_REG, 0)
#define MOV_MEM(KIND, W)                                                       \
    static const struct uop *mov_load_##W##_##KIND(UOP_ARGS)                   \
    {                                                                          \
        return mov_load(c, u, fa, fb, budget, W, KIND);                        \
    }                                                                          \
    static const struct uop *mov_store_##W##_##KIND(UOP_ARGS)                  \
    {                                                                          \
        return mov_store(c, u, fa, fb, budget, W, KIND, false);                \
    }                                                                          \
    static const struct uop *mov_store_imm_##W##_##KIND(UOP_ARGS)              \
    {                                                                          \
        return mov_store(c, u, fa, fb, budget, W, KIND, true);                 \
    }
#define MOV_MEM_W(W, ...) EACH_EA(MOV_MEM, W)
EACH_WIDTH(MOV_MEM_W, 0)

#define KINDS(NAME, SLOW)                                                      \
    {                                                                          \
        NAME##_EA_BASE, NAME##_EA_SIB, NAME##_EA_SEG, NAME##_EA_FLAT32, SLOW   \
    }
#define WIDTH_KINDS(NAME, SLOW)                                                \
    {                                                                          \
        KINDS(NAME##_1, SLOW), KINDS(NAME##_2, SLOW), KINDS(NAME##_4, SLOW),   \
            KINDS(NAME##_8, SLOW)                                              \
    }

uop_fn *select_mov(const struct insn *i, uint32_t mode)
{
    static uop_fn *const reg[3][4] = {
        {mov_rr_1, mov_rr_2, mov_rr_4, mov_rr_8},
        {mov_rr_reversed_1, mov_rr_reversed_2, mov_rr_reversed_4,
         mov_rr_reversed_8},
        {mov_ri_1, mov_ri_2, mov_ri_4, mov_ri_8},
    };
    static uop_fn *const load[4][EA_KINDS + 1] =
        WIDTH_KINDS(mov_load, mov_load_slow);
    static uop_fn *const store[4][EA_KINDS + 1] =
        WIDTH_KINDS(mov_store, mov_store_slow);
    static uop_fn *const store_imm[4][EA_KINDS + 1] =
        WIDTH_KINDS(mov_store_imm, mov_store_imm_slow);
    const uint8_t *operand = i->opcode->operand;
    unsigned w = size_index(i->operand_size);
    bool to_reg = operand[0] == Gb || operand[0] == Gv;
    bool imm = operand[1] == Ib || operand[1] == Iz || operand[1] == Iv;
    if (!i->memory)
        return reg[imm ? 2 : to_reg][w];
    enum ea_kind kind = quick_ea_kind(i, mode);
    return imm ? store_imm[w][kind] : to_reg ? load[w][kind] : store[w][kind];
}

/* --- MOVZX, MOVSX, MOVSXD ------------------------------------------------- */

ALWAYS_INLINE uint64_t widen(enum movx how, uint64_t v)
{
    switch (how) {
    case MOVX_ZX8:
    case MOVX_ZX16:
        return v;
    case MOVX_SX8:
        return sign_extend(v, 1);
    case MOVX_SX16:
        return sign_extend(v, 2);
    default:
        return sign_extend(v, 4);
    }
}
ALWAYS_INLINE unsigned source_width(enum movx how)
{
    return how == MOVX_ZX8 || how == MOVX_SX8     ? 1
           : how == MOVX_ZX16 || how == MOVX_SX16 ? 2
                                                  : 4;
}

ALWAYS_INLINE const struct uop *movx_slow(UOP_ARGS, enum movx how)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = source_width(how);
    uint64_t v = mem_load(c, uop_linear(c, u, w, false), w);
    reg_set(c, u->reg, widen(how, v), u->size);
    return uop_resume(c, u);
}

#define MOVX_W(W, HOW)                                                         \
    static const struct uop *HOW##_rr_##W(UOP_ARGS)                            \
    {                                                                          \
        uint64_t v = quick_get(c, u->rm, source_width(HOW));                   \
        reg_set(c, u->reg, widen(HOW, v), W);                                  \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    EACH_EA(MOVX_MEM, HOW, W)
#define MOVX_MEM(KIND, HOW, W)                                                 \
    static const struct uop *HOW##_rm_##W##_##KIND(UOP_ARGS)                   \
    {                                                                          \
        const void *p;                                                         \
        unsigned w = source_width(HOW);                                        \
        if (UNLIKELY(!tlb_read(c, quick_ea(c, u, KIND), w, &p)))               \
            return HOW##_slow(c, u, fa, fb, budget);                           \
        reg_set(c, u->reg, widen(HOW, host_load(p, w)), W);                    \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
#define MOVX_ALL(HOW)                                                          \
    static const struct uop *HOW##_slow(UOP_ARGS)                              \
    {                                                                          \
        return movx_slow(c, u, fa, fb, budget, HOW);                           \
    }                                                                          \
    MOVX_W(2, HOW) MOVX_W(4, HOW) MOVX_W(8, HOW)
MOVX_ALL(MOVX_ZX8)
MOVX_ALL(MOVX_ZX16)
MOVX_ALL(MOVX_SX8)
MOVX_ALL(MOVX_SX16)
MOVX_ALL(MOVX_SXD)

uop_fn *select_movx(const struct insn *i, uint32_t mode)
{
#define MOVX_ROW(HOW)                                                          \
    [HOW] = {{HOW##_rr_2, HOW##_rr_4, HOW##_rr_8},                             \
             {KINDS(HOW##_rm_2, HOW##_slow), KINDS(HOW##_rm_4, HOW##_slow),    \
              KINDS(HOW##_rm_8, HOW##_slow)}}
    static const struct {
        uop_fn *reg[3];
        uop_fn *mem[3][EA_KINDS + 1];
    } table[] = {MOVX_ROW(MOVX_ZX8), MOVX_ROW(MOVX_ZX16), MOVX_ROW(MOVX_SX8),
                 MOVX_ROW(MOVX_SX16), MOVX_ROW(MOVX_SXD)};
    unsigned w = size_index(i->operand_size) - 1;
    unsigned how = i->opcode->parameter;
    return i->memory ? table[how].mem[w][quick_ea_kind(i, mode)]
                     : table[how].reg[w];
}

/* --- LEA ------------------------------------------------------------------ */

static const struct uop *lea_any(UOP_ARGS)
{
    reg_set(c, u->reg, uop_ea(c, u), u->size);
    return uop_next(c, u, fa, fb, budget);
}
static const struct uop *lea_base_8(UOP_ARGS)
{
    c->r[u->reg] = quick_ea(c, u, EA_BASE);
    return uop_next(c, u, fa, fb, budget);
}
static const struct uop *lea_sib_8(UOP_ARGS)
{
    c->r[u->reg] = quick_ea(c, u, EA_SIB);
    return uop_next(c, u, fa, fb, budget);
}
/* 32-bit result of a 32- or 64-bit address: the low half either way. */
static const struct uop *lea_4(UOP_ARGS)
{
    c->r[u->reg] = (uint32_t)quick_ea(c, u, EA_SIB);
    return uop_next(c, u, fa, fb, budget);
}

uop_fn *select_lea(const struct insn *i, uint32_t mode)
{
    (void)mode;
    if (i->operand_size == 4 && i->address_size >= 4)
        return lea_4;
    if (i->operand_size != 8 || i->address_size != 8)
        return lea_any;
    return i->index == R_ZERO ? lea_base_8 : lea_sib_8;
}

/* --- XCHG and the rest ---------------------------------------------------- */

const struct uop *op_xchg(UOP_ARGS)
{
    unsigned w = u->size;
    if (!(u->flags & UOP_MEM)) {
        uint64_t v = reg_get(c, u->rm, w);
        reg_set(c, u->rm, reg_get(c, u->reg, w), w);
        reg_set(c, u->reg, v, w);
        return uop_next(c, u, fa, fb, budget);
    }
    uop_sync(c, u, fa, fb, budget);
    uint64_t linear = uop_linear(c, u, w, true);
    mmu_probe_write(c, linear, w);
    uint64_t m = mem_load(c, linear, w);
    mem_store(c, linear, reg_get(c, u->reg, w), w);
    reg_set(c, u->reg, m, w);
    return uop_resume(c, u);
}

/* 90 is NOP (it would clear the upper half of RAX otherwise), F3 90 PAUSE. */
const struct uop *op_xchg_ax(UOP_ARGS)
{
    if (u->rm != R_AX) {
        uint64_t a = reg_get(c, R_AX, u->size);
        reg_set(c, R_AX, reg_get(c, u->rm, u->size), u->size);
        reg_set(c, u->rm, a, u->size);
    } else if (u->flags & UOP_REP) {
        uop_sync(c, u, fa, fb, budget);
        cpu_sensitive(c, SENSITIVE_PAUSE);
    }
    return uop_next(c, u, fa, fb, budget);
}

const struct uop *op_nop(UOP_ARGS)
{
    return uop_next(c, u, fa, fb, budget);
}

const struct uop *op_mov_from_moffs(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t at = segment_linear(c, (enum seg)u->seg, u->imm, u->size, false);
    reg_set(c, R_AX, mem_load(c, at, u->size), u->size);
    return uop_resume(c, u);
}
const struct uop *op_mov_to_moffs(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t at = segment_linear(c, (enum seg)u->seg, u->imm, u->size, true);
    mem_store(c, at, c->r[R_AX], u->size);
    return uop_resume(c, u);
}

const struct uop *op_xlat(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t ea = c->r[R_BX] + (uint8_t)c->r[R_AX];
    if (u->flags & UOP_ADDR32)
        ea = (uint32_t)ea;
    else if (u->flags & UOP_ADDR16)
        ea = (uint16_t)ea;
    uint64_t at = segment_linear(c, (enum seg)u->seg, ea, 1, false);
    reg_set(c, R_AX, mem_load(c, at, 1), 1);
    return uop_resume(c, u);
}

static uint64_t swap_bytes(uint64_t v, unsigned w)
{
    return w == 2   ? __builtin_bswap16((uint16_t)v)
           : w == 4 ? __builtin_bswap32((uint32_t)v)
                    : __builtin_bswap64(v);
}

const struct uop *op_movbe_load(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t v = mem_load(c, uop_linear(c, u, u->size, false), u->size);
    reg_set(c, u->reg, swap_bytes(v, u->size), u->size);
    return uop_resume(c, u);
}
const struct uop *op_movbe_store(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t v = swap_bytes(reg_get(c, u->reg, u->size), u->size);
    mem_store(c, uop_linear(c, u, u->size, true), v, u->size);
    return uop_resume(c, u);
}
const struct uop *op_movnti(UOP_ARGS)
{
    return mov_store_slow(c, u, fa, fb, budget);
}
/* A 16-bit BSWAP is undefined; processors, this host too, give 0. */
const struct uop *op_bswap(UOP_ARGS)
{
    uint64_t v = u->size == 2 ? 0 : swap_bytes(c->r[u->rm], u->size);
    reg_set(c, u->rm, v, u->size);
    return uop_next(c, u, fa, fb, budget);
}

/* --- SETcc, CMOVcc -------------------------------------------------------- */

ALWAYS_INLINE const struct uop *cmov_reg(UOP_ARGS, unsigned cc, unsigned w)
{
    uint64_t v = quick_get(c, flags_condition(cc, fa, fb) ? u->rm : u->reg, w);
    reg_set(c, u->reg, v, w); /* 32 bits: clears the upper half either way */
    return uop_next(c, u, fa, fb, budget);
}
/* The load is made, and faults, whatever the condition is. */
ALWAYS_INLINE const struct uop *cmov_mem(UOP_ARGS, unsigned cc)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t v = mem_load(c, uop_linear(c, u, u->size, false), u->size);
    if (!flags_condition(cc, fa, fb))
        v = reg_get(c, u->reg, u->size);
    reg_set(c, u->reg, v, u->size);
    return uop_resume(c, u);
}
#define CC_HANDLERS(CC)                                                        \
    static const struct uop *cmov_2_##CC(UOP_ARGS)                             \
    {                                                                          \
        return cmov_reg(c, u, fa, fb, budget, CC, 2);                          \
    }                                                                          \
    static const struct uop *cmov_4_##CC(UOP_ARGS)                             \
    {                                                                          \
        return cmov_reg(c, u, fa, fb, budget, CC, 4);                          \
    }                                                                          \
    static const struct uop *cmov_8_##CC(UOP_ARGS)                             \
    {                                                                          \
        return cmov_reg(c, u, fa, fb, budget, CC, 8);                          \
    }                                                                          \
    static const struct uop *cmov_mem_##CC(UOP_ARGS)                           \
    {                                                                          \
        return cmov_mem(c, u, fa, fb, budget, CC);                             \
    }                                                                          \
    static const struct uop *setcc_reg_##CC(UOP_ARGS)                          \
    {                                                                          \
        reg_set(c, u->rm, flags_condition(CC, fa, fb), 1);                     \
        return uop_next(c, u, fa, fb, budget);                                 \
    }                                                                          \
    static const struct uop *setcc_mem_##CC(UOP_ARGS)                          \
    {                                                                          \
        uop_sync(c, u, fa, fb, budget);                                        \
        uop_set_rm(c, u, flags_condition(CC, fa, fb), 1);                      \
        return uop_resume(c, u);                                               \
    }
#define EACH_CC(DO)                                                            \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)  \
    DO(12) DO(13) DO(14) DO(15)
EACH_CC(CC_HANDLERS)

uop_fn *select_cmov(const struct insn *i, uint32_t mode)
{
    (void)mode;
#define CMOV_ROW(CC) {cmov_2_##CC, cmov_4_##CC, cmov_8_##CC, cmov_mem_##CC},
    static uop_fn *const table[16][4] = {EACH_CC(CMOV_ROW)};
    unsigned form = i->memory ? 3 : size_index(i->operand_size) - 1;
    return table[i->opcode->parameter][form];
}

uop_fn *select_setcc(const struct insn *i, uint32_t mode)
{
    (void)mode;
#define SETCC_ROW(CC) {setcc_reg_##CC, setcc_mem_##CC},
    static uop_fn *const table[16][2] = {EACH_CC(SETCC_ROW)};
    return table[i->opcode->parameter][i->memory];
}
