/*
 * Micro-operations: decoded instructions as the interpreter runs them.
 *
 * A handler executes one instruction and jumps to the next one's handler as
 * its last act (gcc turns the call into a jmp). The flags and the budget
 * travel in registers. There are two ways to write one:
 *
 * - quick: touches only registers and memory that the inline TLB has, cannot
 *   fault, calls nothing. If it finds that it cannot do it, it tail-calls its
 *   slow twin, having changed nothing. Ends with uop_next().
 * - slow: begins with uop_sync(), after which rip, flags, budget and the
 *   position are in struct cpu, and anything may be called and may unwind.
 *   Reads and changes c->fa, c->fb. Ends with uop_resume() when execution goes
 *   on with the next instruction, or sets c->rip and ends with uop_leave().
 */
#ifndef EMU_X86_UOP_H
#define EMU_X86_UOP_H

#include "emu/x86/cpu.h"
#include "emu/x86/mmu.h"

struct uop;

/* No block holds more instructions than this: while the budget is at least as
 * large, a block can be entered without counting in it. */
#define BLOCK_MAX 48

/* For the work of a slow handler that needs local variables with an address:
 * in the handler itself they would turn its last call into no jump. */
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define UOP_ARGS                                                               \
    struct cpu *c, const struct uop *u, uint64_t fa, uint64_t fb,              \
        int64_t budget
typedef const struct uop *uop_fn(UOP_ARGS);

struct uop {
    uop_fn *fn;
    union {
        uint64_t imm;           /* sign-extended; far pointers: offset |
                                   selector << 32; ENTER: size | level << 16 */
        const struct uop *link; /* direct branches: the target, once known */
    };
    int32_t disp; /* of the address; RIP-relative ones count from the page;
                     relative branches: from the end of the instruction */
    uint8_t reg;  /* ModRM.reg (with REX.R), or the opcode's register; byte
                     registers: offset into r[] in bytes */
    uint8_t rm;   /* ModRM.rm as a register; same rule */
    uint8_t base, index; /* R_ZERO when absent */
    uint8_t scale;       /* 1, 2, 4, 8: a multiplication beats a shift by CL */
    uint8_t seg;         /* enum seg of the memory operand */
    uint8_t flags;       /* UOP_... */
    uint8_t size;        /* operand size in bytes: 1, 2, 4, 8 */
    uint16_t off;        /* of the instruction's first byte in its page */
    uint8_t len;         /* 1 to 15 */
    uint8_t n;           /* instructions before this one in its block */
};

enum {
    UOP_MEM = 1u << 0,   /* the E operand is memory */
    UOP_LOCK = 1u << 1,
    UOP_REP = 1u << 2,   /* F3 as REP/REPE */
    UOP_REPNE = 1u << 3, /* F2 */
    UOP_ADDR16 = 1u << 4, /* address size; neither: 64 */
    UOP_ADDR32 = 1u << 5,
};

#ifdef VITRINE_NO_TAILCALL
/* For builds in which gcc does not make the jump (sanitizers): the run loop
 * calls what is returned. */
static inline const struct uop *uop_goto(UOP_ARGS)
{
    c->fa = fa;
    c->fb = fb;
    c->budget = budget;
    return u;
}
#else
static inline const struct uop *uop_goto(UOP_ARGS)
{
    return u->fn(c, u, fa, fb, budget);
}
#endif

static inline const struct uop *uop_next(UOP_ARGS)
{
    return uop_goto(c, u + 1, fa, fb, budget);
}

/* rip of the instruction, and of the one after it. */
static inline uint64_t uop_rip(const struct cpu *c, const struct uop *u)
{
    return (c->r[R_IPPAGE] + u->off) & c->ip_mask;
}
static inline uint64_t uop_next_rip(const struct cpu *c, const struct uop *u)
{
    return (c->r[R_IPPAGE] + u->off + u->len) & c->ip_mask;
}

/* Puts everything where a fault or a helper needs to find it. */
static inline void uop_sync(UOP_ARGS)
{
    c->fa = fa;
    c->fb = fb;
    c->budget = budget;
    c->uop = u;
    c->rip = uop_rip(c, u);
}

/* Ends the block: control goes to the run loop with rip in c->rip; this
 * instruction counts as retired. */
static inline const struct uop *uop_leave(struct cpu *c, const struct uop *u)
{
    c->budget -= u->n + 1;
    return NULL;
}

/* Goes on behind a slow instruction, or leaves if something came up. */
static inline const struct uop *uop_resume(struct cpu *c, const struct uop *u)
{
    if (UNLIKELY(c->pending)) {
        c->rip = uop_next_rip(c, u);
        return uop_leave(c, u);
    }
    return uop_next(c, u, c->fa, c->fb, c->budget);
}

/* Leaves for `target` (an offset in CS) after a branch: counts it, checks CS's
 * limit or canonicality (#GP(0) at the branch), and goes back to the run loop.
 * If `link` is a uop, the run loop may link it to the target's block. */
const struct uop *uop_depart(UOP_ARGS, uint64_t target, bool link);

/* Goes on at `target` if the jump cache knows its block; else departs. */
static inline const struct uop *uop_jump(UOP_ARGS, uint64_t target)
{
    const struct jump *j = jump_slot(c, target);
    int64_t left = budget - (u->n + 1);
    if (UNLIKELY(j->rip != target || j->key != c->jump_key || left < BLOCK_MAX))
        return uop_depart(c, u, fa, fb, budget, target, false);
    c->r[R_IPPAGE] = j->ip_page;
    return uop_goto(c, j->first, fa, fb, left);
}

/* Takes a direct branch: straight to its block when linked. */
static inline const struct uop *uop_branch(UOP_ARGS)
{
    int64_t left = budget - (u->n + 1);
    if (UNLIKELY(!u->link || left < BLOCK_MAX)) {
        uint64_t mask = u->size == 2 ? 0xFFFF : c->ip_mask;
        uint64_t target =
            (uop_next_rip(c, u) + (uint64_t)(int64_t)u->disp) & mask;
        /* Links stay within a page; CS need not begin on one. */
        if (target - c->r[R_IPPAGE] >= 4096)
            return uop_jump(c, u, fa, fb, budget, target);
        return uop_depart(c, u, fa, fb, budget, target, true);
    }
    return uop_goto(c, u->link, fa, fb, left);
}

/* Effective address (offset within the segment). */
static inline uint64_t uop_ea(const struct cpu *c, const struct uop *u)
{
    uint64_t ea =
        c->r[u->base] + c->r[u->index] * u->scale + (uint64_t)(int64_t)u->disp;
    if (u->flags & UOP_ADDR32)
        ea = (uint32_t)ea;
    else if (u->flags & UOP_ADDR16)
        ea = (uint16_t)ea;
    return ea;
}
/* Linear address of the memory operand for an access of `size` bytes, with
 * the segment's checks. After uop_sync() only. */
static inline uint64_t uop_linear(struct cpu *c, const struct uop *u,
                                  unsigned size, bool write)
{
    return segment_linear(c, (enum seg)u->seg, uop_ea(c, u), size, write);
}

/* Registers of 1, 2, 4 or 8 bytes. A byte register's number is its byte
 * offset in r[] (AH is 1, CL is 8); writing 4 bytes clears the upper half. */
static inline uint64_t reg_get(const struct cpu *c, unsigned n, unsigned size)
{
    switch (size) {
    case 1:
        return ((const uint8_t *)c->r)[n];
    case 2:
        return (uint16_t)c->r[n];
    case 4:
        return (uint32_t)c->r[n];
    default:
        return c->r[n];
    }
}
static inline void reg_set(struct cpu *c, unsigned n, uint64_t value,
                           unsigned size)
{
    switch (size) {
    case 1:
        ((uint8_t *)c->r)[n] = (uint8_t)value;
        break;
    case 2:
        memcpy(&c->r[n], &value, 2);
        break;
    case 4:
        c->r[n] = (uint32_t)value;
        break;
    default:
        c->r[n] = value;
        break;
    }
}

/* Slow-path operand access: the E operand, register or memory. */
static inline uint64_t uop_get_rm(struct cpu *c, const struct uop *u,
                                  unsigned size)
{
    if (u->flags & UOP_MEM)
        return mem_load(c, uop_linear(c, u, size, false), size);
    return reg_get(c, u->rm, size);
}
static inline void uop_set_rm(struct cpu *c, const struct uop *u,
                              uint64_t value, unsigned size)
{
    if (u->flags & UOP_MEM)
        mem_store(c, uop_linear(c, u, size, true), value, size);
    else
        reg_set(c, u->rm, value, size);
}

#endif
