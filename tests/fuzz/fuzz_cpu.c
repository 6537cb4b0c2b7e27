/*
 * libFuzzer: bytes as guest code, in every mode and at every privilege level.
 *
 * Whatever a guest executes, nothing of the host may break. And it is executed
 * the same way in blocks, linked and fused, as one instruction at a time: both
 * are run, and must end with the same registers and memory.
 */
#include "tests/support/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTRUCTIONS 600u
#define ACCESSES 3000u /* of devices; a REP can make 2^32 */
#define CODE_BYTES 1024u
#define COMPARED_BYTES 0x40000u /* of low memory: tables, code, data */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rig's assertions, without CUnit. */
CU_BOOL CU_assertImplementation(CU_BOOL value, unsigned line,
                                const char *condition, const char *file,
                                const char *function, CU_BOOL fatal)
{
    (void)function;
    (void)fatal;
    if (!value) {
        fprintf(stderr, "%s:%u: %s\n", file, line, condition);
        abort();
    }
    return value;
}

struct setup {
    uint8_t mode, cpl, flags, seed;
};

/* A CPU and the count of its accesses to devices. */
struct subject {
    struct rig *rig;
    struct event_sink sink;
    unsigned accesses;
};

/* As the host's window thread would: kicks the CPU out of a long REP. */
static void on_access(void *ctx, const struct event *event)
{
    struct subject *s = ctx;
    (void)event;
    if (++s->accesses >= ACCESSES)
        s->rig->machine->kicked = true;
}

static uint64_t no_base(void *ctx)
{
    (void)ctx;
    return UINT64_C(0xFEE00900);
}
static bool set_base(void *ctx, uint64_t base)
{
    (void)ctx;
    return (base & 0xFFF) == 0x900;
}
static uint8_t no_tpr(void *ctx)
{
    (void)ctx;
    return 0;
}
static void set_tpr(void *ctx, uint8_t tpr)
{
    (void)ctx;
    (void)tpr;
}

/* Registers with small numbers, addresses of data, and patterns. */
static void fill_registers(struct cpu *c, unsigned seed)
{
    static const uint64_t values[] = {
        0, 1, UINT64_MAX, RIG_DATA, RIG_DATA + 0xFFD, RIG_CODE, 0x80000000u,
        UINT64_C(0x8000000000000000), 7, 0xFFFF, RIG_DATA + 0x800, 64,
    };
    uint64_t high = cpu_64bit(c) ? UINT64_MAX : UINT32_MAX;
    for (unsigned i = 0; i < 16; i++) {
        if (i != R_SP)
            c->r[i] = values[(seed + i * 5) % 12] & high;
        for (unsigned k = 0; k < 4; k++)
            c->xmm[i].u32[k] = (seed + i) * 0x9E3779B9u >> k;
    }
}

static struct rig *prepare(const struct setup *in, const uint8_t *code,
                           size_t size)
{
    static const uint8_t cpls[] = {0, 3, 0, 1};
    enum rig_mode mode = in->mode % (RIG_COMPAT + 1u);
    unsigned cpl = mode == RIG_V86 ? 3 : mode == RIG_REAL ? 0 : in->cpl % 4;
    if (mode != RIG_V86)
        cpl = mode == RIG_PROT32 ? cpls[cpl] : cpl == 3 ? 3 : 0;
    if (mode == RIG_PROT16 || mode == RIG_REAL)
        cpl = 0;
    struct rig *r = rig_new(mode, cpl);
    struct cpu *c = r->cpu;
    struct intc *intc = &r->machine->intc;
    intc->get_base = no_base;
    intc->set_base = set_base;
    intc->get_tpr = no_tpr;
    intc->set_tpr = set_tpr;
    fill_registers(c, in->seed);
    rig_load(r, RIG_CODE, code, code + size);
    uint32_t flags = cpu_get_eflags(c);
    flags |= (in->flags & 1 ? FLAG_TF : 0u) | (in->flags & 2 ? FLAG_IF : 0u) |
             (in->flags & 4 ? FLAG_AC : 0u) | (in->flags & 8 ? FLAG_DF : 0u) |
             (uint32_t)((in->flags >> 4) & 3) << 12;
    cpu_set_eflags(c, flags);
    if (in->flags & 0x40) {
        c->dr[0] = RIG_CODE + 16;
        c->dr[1] = RIG_DATA;
        c->dr[7] = 0x00D0040Fu;
    }
    if (in->flags & 0x80)
        c->cr0 |= CR0_AM | CR0_TS;
    cpu_mode_changed(c);
    return r;
}

/* What cpu.h promises of the derived members. */
static void check_invariants(struct cpu *c)
{
    uint32_t mode = c->mode, pending = c->pending & PENDING_STEP;
    const struct tlb *tlb = c->tlb_now;
    uint64_t mask = c->ip_mask;
    if (c->r[R_ZERO] || (c->eflags & FLAGS_ARITH) || c->cpl > 3)
        abort();
    cpu_mode_changed(c);
    if (c->mode != mode || c->tlb_now != tlb || c->ip_mask != mask ||
        (c->pending & PENDING_STEP) != pending)
        abort();
}

static enum stop run(struct rig *r, unsigned slice)
{
    struct machine *m = r->machine;
    enum stop stop = STOP_BUDGET;
    uint64_t begin = m->clock.instructions;
    /* A fault retires nothing: bound the turns as well. */
    for (unsigned turn = 0; turn < INSTRUCTIONS && stop == STOP_BUDGET;
         turn++) {
        uint64_t done = m->clock.instructions - begin;
        if (done >= INSTRUCTIONS)
            break;
        uint64_t left = INSTRUCTIONS - done;
        stop = m->accel->run(m->engine, r->cpu,
                             m->clock.instructions +
                                 (slice < left ? slice : left));
    }
    return stop;
}

static void complain(const char *what, uint64_t blocks, uint64_t steps)
{
    fprintf(stderr, "%s: %llx in blocks, %llx in steps\n", what,
            (unsigned long long)blocks, (unsigned long long)steps);
    abort();
}

static void compare(const struct rig *blocks, const struct rig *steps)
{
    struct cpu *a = blocks->cpu, *b = steps->cpu;
    char name[8];
    for (unsigned i = 0; i < 16; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        if (a->r[i] != b->r[i])
            complain(name, a->r[i], b->r[i]);
    }
    if (a->rip != b->rip)
        complain("rip", a->rip, b->rip);
    if (cpu_get_eflags(a) != cpu_get_eflags(b))
        complain("eflags", cpu_get_eflags(a), cpu_get_eflags(b));
    if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)) != 0)
        complain("xmm", a->xmm[0].u64[0], b->xmm[0].u64[0]);
    if (memcmp(&a->fpu, &b->fpu, sizeof(a->fpu)) != 0)
        complain("fpu", a->fpu.fsw, b->fpu.fsw);
    if (a->cr2 != b->cr2)
        complain("cr2", a->cr2, b->cr2);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (a->seg[i].selector != b->seg[i].selector)
            complain("selector", a->seg[i].selector, b->seg[i].selector);
    const uint8_t *p = blocks->machine->ram, *q = steps->machine->ram;
    for (uint32_t at = 0; memcmp(p, q, COMPARED_BYTES) != 0; at++)
        if (p[at] != q[at]) {
            fprintf(stderr, "at %x: ", at);
            complain("memory", p[at], q[at]);
        }
}

static void subject_open(struct subject *s, const struct setup *in,
                         const uint8_t *code, size_t size)
{
    s->rig = prepare(in, code, size);
    s->sink = (struct event_sink){
        .on_event = on_access, .ctx = s,
        .kinds = 1u << EVENT_MMIO | 1u << EVENT_PIO,
    };
    ledger_add_sink(&s->rig->machine->ledger, &s->sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setup in;
    if (size <= sizeof(in) || size > sizeof(in) + CODE_BYTES)
        return 0;
    memcpy(&in, data, sizeof(in));
    struct subject one = {0}, two = {0};
    subject_open(&one, &in, data + sizeof(in), size - sizeof(in));
    subject_open(&two, &in, data + sizeof(in), size - sizeof(in));
    struct rig *blocks = one.rig, *steps = two.rig;
    enum stop a = run(blocks, INSTRUCTIONS), b = run(steps, 1);
    check_invariants(blocks->cpu);
    check_invariants(steps->cpu);
    if (a == b && blocks->machine->clock.instructions ==
                      steps->machine->clock.instructions)
        compare(blocks, steps);
    else if (a > STOP_KICK && b > STOP_KICK) /* those come when they come */
        complain("stop", a, b);
    rig_free(blocks);
    rig_free(steps);
    return 0;
}
