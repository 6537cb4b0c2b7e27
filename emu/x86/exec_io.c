/*
 * Port instructions: IN, OUT, INS, OUTS (SDM 1 chapter 18; SDM 2).
 *
 * Invariants: permission, and for INS the destination, are checked before the
 * port is touched, for a device cannot take back a read. A repeated one stops
 * between two iterations when something is pending, with its registers
 * updated and rip at itself.
 */
#include "emu/machine.h"
#include "emu/x86/system.h"
#include "emu/x86/decode.h"

/* Iterations before a repeated instruction lets the run loop look around. */
#define CHUNK 1024u

/* Breakpoints on ports: CR4.DE and R/W = 10 (SDM 3A 17.2.4). */
static void check_breakpoints(struct cpu *c, unsigned port, unsigned size)
{
    uint64_t dr7 = c->dr[7];

    if (!(dr7 & 0xFF) || !(c->cr4 & CR4_DE))
        return;
    for (unsigned n = 0; n < 4; n++) {
        unsigned length = ((dr7 >> (18 + n * 4)) & 3) + 1;
        uint64_t start = c->dr[n] & ~(uint64_t)(length - 1);
        if (!(dr7 & (3u << (n * 2))) || ((dr7 >> (16 + n * 4)) & 3) != 2)
            continue;
        if (port < start + length && start < port + size) {
            c->dr6_trap |= UINT64_C(1) << n;
            c->pending |= PENDING_TRAP;
        }
    }
}

static uint16_t port_of(const struct cpu *c, const struct uop *u)
{
    return (uint16_t)(u->base == R_DX ? c->r[R_DX] : u->imm & 0xFF);
}

/* Permission and bookkeeping that all four share. */
static void begin(struct cpu *c, uint16_t port, unsigned size)
{
    cpu_sensitive(c, SENSITIVE_IO);
    cpu_sync_icount(c);
    task_check_io(c, port, size);
    check_breakpoints(c, port, size);
}

const struct uop *op_in(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint16_t port = port_of(c, u);
    begin(c, port, u->size);
    uint64_t value = machine_pio_read(c->machine, c, port, u->size);
    reg_set(c, R_AX, value, u->size); /* AL is byte 0 of r[] */
    return uop_resume(c, u);
}

const struct uop *op_out(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint16_t port = port_of(c, u);
    begin(c, port, u->size);
    machine_pio_write(c->machine, c, port, reg_get(c, R_AX, u->size), u->size);
    return uop_resume(c, u);
}

/* --- strings ------------------------------------------------------------- */

static uint64_t address_mask(const struct uop *u)
{
    if (u->flags & UOP_ADDR16)
        return 0xFFFF;
    return u->flags & UOP_ADDR32 ? UINT32_MAX : UINT64_MAX;
}

/* Adds to an index or count register in the width of the address size. */
static void advance(struct cpu *c, unsigned reg, uint64_t delta, uint64_t mask)
{
    uint64_t value = (c->r[reg] + delta) & mask;
    c->r[reg] = mask == 0xFFFF ? (c->r[reg] & ~mask) | value : value;
}

static uint64_t step_of(const struct cpu *c, const struct uop *u)
{
    return c->eflags & FLAG_DF ? (uint64_t)0 - u->size : u->size;
}

static void ins_once(struct cpu *c, const struct uop *u)
{
    uint64_t mask = address_mask(u);
    uint16_t port = (uint16_t)c->r[R_DX];
    uint64_t linear =
        segment_linear(c, SEG_ES, c->r[R_DI] & mask, u->size, true);

    mmu_probe_write(c, linear, u->size);
    check_breakpoints(c, port, u->size);
    mem_store(c, linear, machine_pio_read(c->machine, c, port, u->size),
              u->size);
    advance(c, R_DI, step_of(c, u), mask);
}

static void outs_once(struct cpu *c, const struct uop *u)
{
    uint64_t mask = address_mask(u);
    uint16_t port = (uint16_t)c->r[R_DX];
    uint64_t linear =
        segment_linear(c, (enum seg)u->seg, c->r[R_SI] & mask, u->size, false);
    uint64_t value = mem_load(c, linear, u->size);

    check_breakpoints(c, port, u->size);
    machine_pio_write(c->machine, c, port, value, u->size);
    advance(c, R_SI, step_of(c, u), mask);
}

/* Runs `once` as often as the prefix says; NULL when it was interrupted. */
static const struct uop *repeat(struct cpu *c, const struct uop *u,
                                void (*once)(struct cpu *c,
                                             const struct uop *u))
{
    uint64_t mask = address_mask(u);

    cpu_sensitive(c, SENSITIVE_IO);
    cpu_sync_icount(c);
    if (!(u->flags & (UOP_REP | UOP_REPNE))) {
        task_check_io(c, (uint16_t)c->r[R_DX], u->size);
        once(c, u);
        return uop_resume(c, u);
    }
    if (!(c->r[R_CX] & mask))
        return uop_resume(c, u);
    task_check_io(c, (uint16_t)c->r[R_DX], u->size);
    for (unsigned n = 0; n < CHUNK; n++) {
        once(c, u);
        advance(c, R_CX, UINT64_MAX, mask);
        if (!(c->r[R_CX] & mask))
            return uop_resume(c, u);
        if (c->pending) {
            /* Single-stepping, an iteration counts as an instruction. */
            c->budget -= u->n + (c->pending & PENDING_STEP ? 1 : 0);
            return NULL;
        }
    }
    /* A long one pays for each chunk, or the budget would never end. */
    c->budget -= u->n + 1;
    return NULL;
}

const struct uop *op_ins(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    return repeat(c, u, ins_once);
}

const struct uop *op_outs(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    return repeat(c, u, outs_once);
}
