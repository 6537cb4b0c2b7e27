/*
 * The interpreter's run loop: finds blocks, enters them, and between them does
 * what the architecture does between instructions: exceptions, interrupts,
 * single-step traps, breakpoints (SDM 3A chapter 6, table 6-2).
 *
 * Invariants
 * - Instructions retired = run_until - budget, exactly, whenever the loop is
 *   at its top, where a fault counts as one; clock.instructions is brought up
 * to that on the way out.
 * - A guest fault unwinds to the setjmp() in interp_run(); nothing that the
 *   loop holds needs to be released.
 */
#include "accel/interp/interp.h"
#include "accel/interp/block.h"

#include "emu/machine.h"
#include "emu/x86/fp.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct interp {
    struct machine *machine;
    struct block_cache cache;
    uint64_t cs_base;     /* what the jump cache was filled under */
    uint32_t cs_limit;    /* of the last CS that was shorter than 4 GiB */
    uint64_t held_traps;  /* DR6 bits that a load of SS has earned, while the
                             instruction behind it runs */
    int64_t least_budget; /* with less than this left, a slice ends */
    pthread_t thread;     /* that runs the CPUs */
};

static int interp_open(struct machine *machine, void **self)
{
    struct interp *in = calloc(1, sizeof *in);
    if (!in || block_cache_init(&in->cache, machine) < 0) {
        free(in);
        snprintf(machine->error, sizeof machine->error,
                 "not enough memory for the interpreter's block cache");
        return -ENOMEM;
    }
    in->machine = machine;
    in->thread = pthread_self();
    for (unsigned n = 0; n < machine->cpus; n++) {
        machine->cpu[n]->code = &in->cache.code;
        mmu_memory_changed(machine->cpu[n]);
    }
    *self = in;
    return 0;
}

static void interp_close(void *self)
{
    struct interp *in = self;
    for (unsigned n = 0; n < in->machine->cpus; n++)
        in->machine->cpu[n]->code = NULL;
    block_cache_fini(&in->cache);
    free(in);
}

static void drop_all(struct interp *in)
{
    in->cache.reset_wanted = true;
    for (unsigned n = 0; n < in->machine->cpus; n++) {
        mmu_memory_changed(in->machine->cpu[n]);
        in->machine->cpu[n]->pending |= PENDING_LEAVE;
    }
}

static void interp_region(void *self, const struct region *region, bool mapped)
{
    (void)region;
    (void)mapped;
    drop_all(self);
}

static void interp_flush(void *self)
{
    drop_all(self);
}

static void interp_written(void *self, uint64_t gpa, uint64_t size)
{
    struct interp *in = self;
    block_invalidate(&in->cache, gpa, size);
    for (unsigned n = 0; n < in->machine->cpus; n++)
        in->machine->cpu[n]->pending |= PENDING_LEAVE;
}

/* machine->kicked is set already; blocks look at it when their budget ends.
 * On the CPU's own thread (a device armed an earlier timer) it is sooner. */
static void interp_kick(void *self)
{
    struct interp *in = self;
    if (pthread_equal(in->thread, pthread_self()))
        for (unsigned n = 0; n < in->machine->cpus; n++)
            in->machine->cpu[n]->pending |= PENDING_LEAVE;
}

/* --- running -------------------------------------------------------------- */

static void enter(struct cpu *c, const struct code_block *b)
{
    uint64_t linear_offset = b->gpa & 4095;
    c->r[R_IPPAGE] = c->rip - linear_offset;
    const struct uop *u = b->uops;
#ifdef VITRINE_NO_TAILCALL
    while (u)
        u = u->fn(c, u, c->fa, c->fb, c->budget);
#else
    u->fn(c, u, c->fa, c->fb, c->budget);
#endif
    c->uop = NULL;
}

/* Enters a block for one instruction: with a budget of 1, no branch in it can
 * go on to another block. The rest of the budget is held back meanwhile. */
static void hold_budget(struct cpu *c)
{
    c->budget_held = c->budget - 1;
    c->budget = 1;
    c->run_until -= (uint64_t)c->budget_held;
}
static void release_budget(struct cpu *c)
{
    c->budget += c->budget_held;
    c->run_until += (uint64_t)c->budget_held;
    c->budget_held = 0;
}
static void enter_single(struct cpu *c, const struct code_block *b)
{
    hold_budget(c);
    enter(c, b);
    release_budget(c);
    c->link_from = NULL;
}

static void remember(struct interp *in, struct cpu *c, struct code_block *b)
{
    if (c->link_from) {
        if (b->cached && !b->straddles)
            block_link(&in->cache, c->link_from, b);
        c->link_from = NULL;
    } else if (b->cached && !b->straddles) {
        struct jump *j = jump_slot(c, c->rip);
        j->rip = c->rip;
        j->key = c->jump_key;
        j->ip_page = c->rip - (b->gpa & 4095);
        j->first = b->uops;
        block_note_jump(b, c->rip);
    }
}

static void update_jump_key(struct interp *in, struct cpu *c)
{
    const struct segment *cs = &c->seg[SEG_CS];
    bool other_limit = (c->mode & MODE_CS_SHORT) && in->cs_limit != cs->limit;
    if (in->cs_base != cs->base || other_limit) {
        in->cs_base = cs->base;
        in->cs_limit = cs->limit;
        c->code_generation++;
    }
    c->jump_key =
        c->code_generation << 20 | c->mode << 1 | (c->cpl == 3 ? 1u : 0u);
}

/* Runs one block's worth, or with few instructions left exactly as many. */
static void run_block(struct interp *in, struct cpu *c)
{
    update_jump_key(in, c);
    struct code_block *b = block_find(&in->cache, c, BLOCK_MAX);
    if (c->budget >= b->count) {
        remember(in, c, b);
        enter(c, b);
        return;
    }
    c->link_from = NULL;
    enter_single(c, block_find(&in->cache, c, 1));
}

/* --- single steps and breakpoints ----------------------------------------- */

/* DR6 bits of instruction breakpoints that stand at rip. */
static uint64_t code_breakpoints(const struct cpu *c)
{
    uint64_t hit = 0, dr7 = c->dr[7];
    uint64_t linear = c->seg_base[SEG_CS] + c->rip;
    if (!cpu_64bit(c))
        linear = (uint32_t)linear;
    for (unsigned n = 0; n < 4; n++)
        if ((dr7 & (3u << (n * 2))) && ((dr7 >> (16 + n * 4)) & 3) == 0 &&
            c->dr[n] == linear)
            hit |= UINT64_C(1) << n;
    return hit;
}

/* Instructions after which TF's trap is not taken: they entered a handler, or
 * loaded SS (SDM 3A 6.8.3). */
static bool inhibits_trap(const struct cpu *c, const struct uop *u)
{
    if (c->pending & PENDING_SS)
        return true;
    return u->fn == op_int || u->fn == op_int3 || u->fn == op_into ||
           u->fn == op_int1 || u->fn == op_syscall || u->fn == op_sysenter;
}

static bool is_string(const struct uop *u)
{
    return u->fn == op_movs || u->fn == op_stos || u->fn == op_lods ||
           u->fn == op_cmps || u->fn == op_scas || u->fn == op_ins ||
           u->fn == op_outs;
}

/* RF lasts for one instruction, unless that one (IRET) set it; a repeated one
 * that is not done sets it (SDM 3A 17.3.1.1). */
static void update_rf(struct cpu *c, const struct uop *u, uint64_t rip,
                      bool was_set)
{
    if (is_string(u) && c->rip == rip)
        c->eflags |= FLAG_RF;
    else if (was_set && u->fn != op_iret)
        c->eflags &= ~(uint32_t)FLAG_RF;
}

/* Exactly one instruction, then the traps that it earned. Behind a load of SS
 * breakpoints do not work, and the load's own traps wait until now. */
static void run_single(struct interp *in, struct cpu *c, bool after_ss)
{
    bool trap = (c->eflags & FLAG_TF) != 0;
    if (!(c->eflags & FLAG_RF) && !after_ss) {
        uint64_t hit = code_breakpoints(c);
        if (hit) {
            c->dr[6] = (c->dr[6] & ~UINT64_C(0xF)) | hit;
            cpu_fault(c, VEC_DB);
        }
    }
    c->link_from = NULL;
    update_jump_key(in, c);
    in->held_traps = c->dr6_trap;
    struct code_block *b = block_find(&in->cache, c, 1);
    bool resume_flag = (c->eflags & FLAG_RF) != 0;
    uint64_t rip = c->rip;
    enter_single(c, b);
    if (b->lead && (c->pending & PENDING_DEBUG) && c->rip == rip)
        return; /* a breakpoint: nothing ran */
    in->held_traps = 0;
    update_rf(c, &b->uops[b->lead], rip, resume_flag);
    if (trap && !inhibits_trap(c, &b->uops[b->lead]))
        c->dr6_trap |= UINT64_C(1) << 14;
    if (c->dr6_trap)
        c->pending |= PENDING_TRAP;
}

/* --- between instructions ------------------------------------------------- */

static bool take_interrupt(struct cpu *c)
{
    if ((c->pending & PENDING_NMI) && !c->nmi_blocked) {
        c->pending &= ~(uint32_t)(PENDING_NMI | PENDING_HALT);
        interrupt_nmi(c);
        return true;
    }
    if ((c->pending & PENDING_INTR) && (c->eflags & FLAG_IF)) {
        int vector = c->machine->intc.acknowledge(c->machine->intc.ctx);
        if (vector >= 0) {
            c->pending &= ~(uint32_t)PENDING_HALT;
            interrupt_external(c, (unsigned)vector);
            return true;
        }
    }
    return false;
}

/* Does what is pending. Sets *acted when the state moved on (so that there may
 * be more to see to); returns the reason to leave the engine, if any. */
static enum stop see_to_pending(struct interp *in, struct cpu *c, bool *acted)
{
    *acted = true;
    c->pending &= ~(uint32_t)PENDING_LEAVE;
    if (c->pending & PENDING_SHUTDOWN)
        return STOP_SHUTDOWN;
    if (c->pending & PENDING_SS) {
        c->pending &= ~(uint32_t)(PENDING_SHADOW | PENDING_SS | PENDING_TRAP);
        run_single(in, c, true);
        return STOP_NONE;
    }
    if (c->pending & PENDING_TRAP) {
        uint64_t bits = c->dr6_trap;
        c->dr6_trap = 0;
        c->pending &= ~(uint32_t)PENDING_TRAP;
        interrupt_debug_trap(c, bits);
        return STOP_NONE;
    }
    if (c->pending & PENDING_SHADOW) {
        c->pending &= ~(uint32_t)PENDING_SHADOW;
        run_single(in, c, false);
        return STOP_NONE;
    }
    if (take_interrupt(c))
        return STOP_NONE;
    if (c->pending & PENDING_HALT)
        return STOP_HALT;
    if (c->pending & PENDING_STEP)
        run_single(in, c, false);
    else
        *acted = false;
    return STOP_NONE;
}

/* A fault unwound: settle the count and deliver it. The instruction will run
 * again, so it has earned no traps yet. */
static bool settle_fault(struct interp *in, struct cpu *c)
{
    c->dr6_trap = in->held_traps;
    in->held_traps = 0;
    if (c->dr6_trap)
        c->pending |= PENDING_TRAP;
    else
        c->pending &= ~(uint32_t)PENDING_TRAP;
    if (c->uop)
        c->budget -= c->uop->n;
    release_budget(c);
    c->budget--; /* or handlers that fault at once would never end a slice */
    c->uop = NULL;
    c->link_from = NULL;
    return interrupt_raise(c);
}

static enum stop loop(struct interp *in, struct cpu *c)
{
    const atomic_bool *kicked = &in->machine->kicked;
    for (;;) {
        if (UNLIKELY(in->cache.reset_wanted))
            block_reset(&in->cache);
        if (UNLIKELY(c->pending & PENDING_DEBUG)) {
            c->pending &= ~(uint32_t)PENDING_DEBUG;
            return STOP_DEBUG;
        }
        if (c->budget < in->least_budget)
            return STOP_BUDGET;
        if (atomic_load_explicit(kicked, memory_order_relaxed))
            return STOP_KICK;
        if (UNLIKELY(c->pending)) {
            bool acted;
            enum stop stop = see_to_pending(in, c, &acted);
            if (stop != STOP_NONE)
                return stop;
            if (acted)
                continue;
        }
        run_block(in, c);
    }
}

static enum stop interp_run(void *self, struct cpu *c, uint64_t until)
{
    struct interp *in = self;
    struct clock *clock = &in->machine->clock;
    in->thread = pthread_self();
    /* To end a long slice on a block's boundary spares single steps; only
     * instruction-derived time, and whoever steps, need the exact count. */
    uint64_t count = until - clock->instructions;
    bool exact = clock->icount || count < 100 * BLOCK_MAX;
    in->least_budget = exact ? 1 : BLOCK_MAX;
    c->run_until = until;
    c->budget = (int64_t)count;
    c->uop = NULL;
    c->link_from = NULL;
    fp_enter(c);
    enum stop stop;
    if (setjmp(c->unwind) != UNWIND_NONE && !settle_fault(in, c))
        stop = STOP_SHUTDOWN;
    else
        stop = loop(in, c);
    fp_leave(c);
    cpu_sync_clock(c);
    return stop;
}

const struct accel interp_accel = {
    .name = "interp",
    .description = "interpreter",
    .observes = EVENT_ALL & ~(1u << EVENT_KVM),
    .open = interp_open,
    .run = interp_run,
    .kick = interp_kick,
    .region = interp_region,
    .written = interp_written,
    .flush = interp_flush,
    .close = interp_close,
};
