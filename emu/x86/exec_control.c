/*
 * Near control transfer: Jcc JMP CALL RET LOOPcc JCXZ, and the frames ENTER
 * and LEAVE. Far transfers are in segment.c and exec_system.c.
 */
#include "emu/x86/exec.h"
#include "emu/x86/quick.h"

#include "emu/machine.h"
#include "emu/x86/system.h"

void cpu_sync_clock(struct cpu *c)
{
    uint64_t left = (uint64_t)c->budget - (c->uop ? c->uop->n : 0u);
    c->machine->clock.instructions = c->run_until - left;
}

/* Checks that a branch in a short CS stays within it, before anything
 * changes. */
static void check_target(struct cpu *c, uint64_t target)
{
    if ((c->mode & MODE_CS_SHORT) && target > c->seg[SEG_CS].limit)
        cpu_gp(c);
    if (cpu_64bit(c) && !canonical(target))
        cpu_gp(c);
}

const struct uop *uop_depart(UOP_ARGS, uint64_t target, bool link)
{
    uop_sync(c, u, fa, fb, budget);
    check_target(c, target);
    c->budget = budget - (u->n + 1);
    c->rip = target;
    c->link_from = link ? u : NULL;
    return NULL;
}

/* Goes on at a checked target behind a slow branch, or leaves if something
 * came up. */
static const struct uop *go_to(UOP_ARGS, uint64_t target)
{
    if (c->pending) {
        c->rip = target;
        return uop_leave(c, u);
    }
    return uop_jump(c, u, fa, fb, budget, target);
}

/* --- direct branches ------------------------------------------------------ */

static const struct uop *jmp_direct(UOP_ARGS)
{
    return uop_branch(c, u, fa, fb, budget);
}

uop_fn *select_jmp(const struct insn *i, uint32_t mode)
{
    (void)i;
    (void)mode;
    return jmp_direct;
}

#define JCC(CC)                                                                \
    static const struct uop *jcc_##CC(UOP_ARGS)                                \
    {                                                                          \
        if (flags_condition(CC, fa, fb))                                       \
            return uop_branch(c, u, fa, fb, budget);                           \
        return uop_next(c, u, fa, fb, budget);                                 \
    }
/* clang-format off */
JCC(0) JCC(1) JCC(2) JCC(3) JCC(4) JCC(5) JCC(6) JCC(7)
JCC(8) JCC(9) JCC(10) JCC(11) JCC(12) JCC(13) JCC(14) JCC(15)
/* clang-format on */

uop_fn *select_jcc(const struct insn *i, uint32_t mode)
{
    (void)mode;
    static uop_fn *const table[16] = {
        jcc_0, jcc_1, jcc_2,  jcc_3,  jcc_4,  jcc_5,  jcc_6,  jcc_7,
        jcc_8, jcc_9, jcc_10, jcc_11, jcc_12, jcc_13, jcc_14, jcc_15};
    return table[i->opcode->parameter];
}

/* LOOPNE LOOPE LOOP JCXZ: `reg` holds the opcode's low bits, 0 to 3. */
const struct uop *op_loop(UOP_ARGS)
{
    unsigned w = u->flags & UOP_ADDR16 ? 2 : u->flags & UOP_ADDR32 ? 4 : 8;
    uint64_t count = reg_get(c, R_CX, w);
    bool taken;
    if (u->reg == 3) {
        taken = count == 0;
    } else {
        count = trunc_to(count - 1, w);
        taken = count != 0 && (u->reg == 2 || flags_zf(fa) == (u->reg == 1));
    }
    uint64_t mask = u->size == 2 ? 0xFFFF : c->ip_mask;
    if (taken) { /* checked before the count changes */
        uop_sync(c, u, fa, fb, budget);
        check_target(c,
                     (uop_next_rip(c, u) + (uint64_t)(int64_t)u->disp) & mask);
    }
    if (u->reg != 3)
        reg_set(c, R_CX, count, w);
    if (taken)
        return uop_branch(c, u, fa, fb, budget);
    return uop_next(c, u, fa, fb, budget);
}

/* --- CALL ----------------------------------------------------------------- */

static const struct uop *call_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t next = uop_next_rip(c, u);
    uint64_t target = next + (uint64_t)(int64_t)u->disp;
    target &= u->size == 2 ? 0xFFFF : c->ip_mask;
    check_target(c, target);
    exec_push(c, next, u->size);
    if (c->pending) {
        c->rip = target;
        return uop_leave(c, u);
    }
    return uop_branch(c, u, fa, fb, budget);
}

ALWAYS_INLINE const struct uop *call_quick(UOP_ARGS, unsigned w)
{
    void *p;
    uint64_t sp = w == 8 ? c->r[R_SP] - 8 : (uint32_t)(c->r[R_SP] - 4);
    if (UNLIKELY(!u->link || !tlb_write(c, sp, w, &p)))
        return call_slow(c, u, fa, fb, budget);
    host_store(p, uop_next_rip(c, u), w);
    c->r[R_SP] = sp;
    return uop_branch(c, u, fa, fb, budget);
}
/* To another page: through the jump cache. */
ALWAYS_INLINE const struct uop *call_far_page(UOP_ARGS, unsigned w)
{
    void *p;
    uint64_t next = uop_next_rip(c, u);
    uint64_t target = (next + (uint64_t)(int64_t)u->disp) & c->ip_mask;
    const struct jump *j = jump_slot(c, target);
    uint64_t sp = w == 8 ? c->r[R_SP] - 8 : (uint32_t)(c->r[R_SP] - 4);
    if (UNLIKELY(j->rip != target || j->key != c->jump_key ||
                 !tlb_write(c, sp, w, &p)))
        return call_slow(c, u, fa, fb, budget);
    host_store(p, next, w);
    c->r[R_SP] = sp;
    return uop_jump(c, u, fa, fb, budget, target);
}
static const struct uop *call_8(UOP_ARGS)
{
    if (!u->link)
        return call_far_page(c, u, fa, fb, budget, 8);
    return call_quick(c, u, fa, fb, budget, 8);
}
static const struct uop *call_4(UOP_ARGS)
{
    if (!u->link)
        return call_far_page(c, u, fa, fb, budget, 4);
    return call_quick(c, u, fa, fb, budget, 4);
}

/* 4 or 8 when the stack is flat and as wide as the operand, else 0. */
static unsigned quick_width(const struct insn *i, uint32_t mode)
{
    if ((mode & MODE_CODE) == MODE_CODE64)
        return i->operand_size == 8 ? 8 : 0;
    bool flat = (mode & MODE_STACK32) && (mode & MODE_FLAT_SS);
    return i->operand_size == 4 && flat ? 4 : 0;
}

uop_fn *select_call(const struct insn *i, uint32_t mode)
{
    unsigned w = quick_width(i, mode);
    return w == 8 ? call_8 : w == 4 ? call_4 : call_slow;
}

static const struct uop *call_rm_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t target = uop_get_rm(c, u, u->size);
    check_target(c, target);
    exec_push(c, uop_next_rip(c, u), u->size);
    return go_to(c, u, fa, fb, budget, target);
}
static const struct uop *call_reg_8(UOP_ARGS)
{
    void *p;
    uint64_t target = c->r[u->rm];
    uint64_t sp = c->r[R_SP] - 8;
    if (UNLIKELY(!canonical(target) || !tlb_write(c, sp, 8, &p)))
        return call_rm_slow(c, u, fa, fb, budget);
    host_store(p, uop_next_rip(c, u), 8);
    c->r[R_SP] = sp;
    return uop_jump(c, u, fa, fb, budget, target);
}

uop_fn *select_call_rm(const struct insn *i, uint32_t mode)
{
    return !i->memory && quick_width(i, mode) == 8 ? call_reg_8 : call_rm_slow;
}

static const struct uop *jmp_rm_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t target = uop_get_rm(c, u, u->size);
    check_target(c, target);
    return go_to(c, u, fa, fb, budget, target);
}
static const struct uop *jmp_reg(UOP_ARGS)
{
    uint64_t target = reg_get(c, u->rm, u->size);
    return uop_jump(c, u, fa, fb, budget, target);
}
#define JMP_MEM(KIND, W)                                                       \
    static const struct uop *jmp_mem_##W##_##KIND(UOP_ARGS)                    \
    {                                                                          \
        const void *p;                                                         \
        if (UNLIKELY(!tlb_read(c, quick_ea(c, u, KIND), W, &p)))               \
            return jmp_rm_slow(c, u, fa, fb, budget);                          \
        return uop_jump(c, u, fa, fb, budget, host_load(p, W));                \
    }
EACH_EA(JMP_MEM, 8)
EACH_EA(JMP_MEM, 4)

uop_fn *select_jmp_rm(const struct insn *i, uint32_t mode)
{
#define ROW(W)                                                                 \
    {                                                                          \
        jmp_mem_##W##_EA_BASE, jmp_mem_##W##_EA_SIB, jmp_mem_##W##_EA_SEG,     \
            jmp_mem_##W##_EA_FLAT32, jmp_rm_slow                               \
    }
    static uop_fn *const table[2][EA_KINDS + 1] = {ROW(4), ROW(8)};
    if (!i->memory)
        return jmp_reg;
    if (i->operand_size < 4)
        return jmp_rm_slow;
    return table[i->operand_size == 8][quick_ea_kind(i, mode)];
}

/* --- RET ------------------------------------------------------------------ */

static const struct uop *ret_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t target = exec_stack_read(c, 0, u->size);
    check_target(c, target);
    exec_add_sp(c, u->size + u->imm);
    return go_to(c, u, fa, fb, budget, target);
}
ALWAYS_INLINE const struct uop *ret_quick(UOP_ARGS, unsigned w)
{
    const void *p;
    uint64_t sp = w == 8 ? c->r[R_SP] : (uint32_t)c->r[R_SP];
    if (UNLIKELY(!tlb_read(c, sp, w, &p)))
        return ret_slow(c, u, fa, fb, budget);
    uint64_t target = host_load(p, w);
    const struct jump *j = jump_slot(c, target);
    if (UNLIKELY(j->rip != target || j->key != c->jump_key))
        return ret_slow(c, u, fa, fb, budget);
    sp += w + u->imm;
    c->r[R_SP] = w == 8 ? sp : (uint32_t)sp;
    return uop_jump(c, u, fa, fb, budget, target);
}
static const struct uop *ret_8(UOP_ARGS)
{
    return ret_quick(c, u, fa, fb, budget, 8);
}
static const struct uop *ret_4(UOP_ARGS)
{
    return ret_quick(c, u, fa, fb, budget, 4);
}

uop_fn *select_ret(const struct insn *i, uint32_t mode)
{
    unsigned w = quick_width(i, mode);
    return w == 8 ? ret_8 : w == 4 ? ret_4 : ret_slow;
}

/* --- frames --------------------------------------------------------------- */

static const struct uop *leave_slow(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = cpu_64bit(c) ? 8 : c->mode & MODE_STACK32 ? 4 : 2;
    uint64_t bp = reg_get(c, R_BP, w);
    uint64_t at = segment_linear(c, SEG_SS, bp, u->size, false);
    uint64_t v = mem_load(c, at, u->size);
    reg_set(c, R_SP, bp, w);
    exec_add_sp(c, u->size);
    reg_set(c, R_BP, v, u->size);
    return uop_resume(c, u);
}
ALWAYS_INLINE const struct uop *leave_quick(UOP_ARGS, unsigned w)
{
    const void *p;
    uint64_t bp = w == 8 ? c->r[R_BP] : (uint32_t)c->r[R_BP];
    if (UNLIKELY(!tlb_read(c, bp, w, &p)))
        return leave_slow(c, u, fa, fb, budget);
    c->r[R_BP] = host_load(p, w);
    c->r[R_SP] = w == 8 ? bp + 8 : (uint32_t)(bp + 4);
    return uop_next(c, u, fa, fb, budget);
}
static const struct uop *leave_8(UOP_ARGS)
{
    return leave_quick(c, u, fa, fb, budget, 8);
}
static const struct uop *leave_4(UOP_ARGS)
{
    return leave_quick(c, u, fa, fb, budget, 4);
}
uop_fn *select_leave(const struct insn *i, uint32_t mode)
{
    unsigned w = quick_width(i, mode);
    return w == 8 ? leave_8 : w == 4 ? leave_4 : leave_slow;
}

/* ENTER's pushes: rBP, then the outer frames' pointers, then this frame's. What
 * it copies may lie in what it has just pushed, so they go one by one; all are
 * probed before the first. */
static void enter_pushes(struct cpu *c, unsigned w, unsigned stack,
                         unsigned level, bool probe)
{
    uint64_t sp = c->r[R_SP], bp = c->r[R_BP];
    unsigned count = level ? level + 1 : 1;
    for (unsigned n = 0; n < count; n++) {
        uint64_t value = n == 0 ? bp : sp - w;
        if (n > 0 && n < level) {
            uint64_t from = trunc_to(bp - n * w, stack);
            value = mem_load(c, segment_linear(c, SEG_SS, from, w, false), w);
        }
        uint64_t to = trunc_to(sp - (n + 1) * w, stack);
        uint64_t linear = segment_linear(c, SEG_SS, to, w, true);
        if (probe)
            mmu_probe_write(c, linear, w);
        else
            mem_store(c, linear, value, w);
    }
}

const struct uop *op_enter(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned w = u->size, level = (u->imm >> 16) & 31;
    unsigned stack = cpu_64bit(c) ? 8 : c->mode & MODE_STACK32 ? 4 : 2;
    uint64_t sp = c->r[R_SP], pushed = (level ? level + 1 : 1) * w;
    uint64_t end = trunc_to(sp - pushed - (u->imm & 0xFFFF), stack);
    mmu_probe_write(c, segment_linear(c, SEG_SS, end, w, true), w);
    enter_pushes(c, w, stack, level, true);
    enter_pushes(c, w, stack, level, false);
    reg_set(c, R_BP, trunc_to(sp - w, stack), w);
    reg_set(c, R_SP, end, stack);
    return uop_resume(c, u);
}
