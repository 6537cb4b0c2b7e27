/*
 * String instructions: MOVS STOS LODS CMPS SCAS with REP, REPE, REPNE (SDM 2B
 * REP). INS and OUTS are with the other port instructions.
 *
 * A repeated instruction keeps rSI, rDI and rCX up to date as it goes, so a
 * fault or an interrupt in the middle finds them right, and rip stays at the
 * instruction until it is done. MOVS and STOS go a page at a time where both
 * ends are plain memory and DF is clear.
 */
#include "emu/x86/quick.h"

#include "emu/machine.h"

/* How many pages' worth a repetition does before it lets the machine look at
 * its timers. */
#define CHUNKS_A_TURN 256

struct string {
    struct cpu *c;
    unsigned w;
    uint64_t mask; /* of the address size */
    uint64_t step; /* +w or -w */
    bool repeated;
    enum seg source;
};

static struct string string_begin(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    return (struct string){
        .c = c,
        .w = u->size,
        .mask = u->flags & UOP_ADDR16   ? 0xFFFF
                : u->flags & UOP_ADDR32 ? UINT32_MAX
                                        : UINT64_MAX,
        .step = c->eflags & FLAG_DF ? (uint64_t)0 - u->size : u->size,
        .repeated = (u->flags & (UOP_REP | UOP_REPNE)) != 0,
        .source = (enum seg)u->seg,
    };
}

static void set_masked(const struct string *s, unsigned reg, uint64_t v)
{
    if (s->mask == 0xFFFF)
        memcpy(&s->c->r[reg], &v, 2);
    else
        s->c->r[reg] = v & s->mask; /* 32 bits: clears the upper half */
}
static uint64_t get_masked(const struct string *s, unsigned reg)
{
    return s->c->r[reg] & s->mask;
}
static void advance(const struct string *s, unsigned reg, uint64_t elements)
{
    set_masked(s, reg, s->c->r[reg] + s->step * elements);
}

/* What is left to do, or one element when each iteration may trap. */
static uint64_t elements_now(const struct string *s)
{
    return s->c->pending & PENDING_STEP ? 1 : get_masked(s, R_CX);
}

static uint64_t source_at(const struct string *s)
{
    return segment_linear(s->c, s->source, get_masked(s, R_SI), s->w, false);
}
static uint64_t dest_at(const struct string *s, bool write)
{
    return segment_linear(s->c, SEG_ES, get_masked(s, R_DI), s->w, write);
}

/* Elements from here that stay within the page, the segment and the address
 * size: at least 1, since the first one was checked. */
static uint64_t span(const struct string *s, enum seg seg, unsigned reg,
                     uint64_t linear)
{
    const struct cpu *c = s->c;
    uint64_t offset = get_masked(s, reg);
    uint64_t bytes = 4096 - (linear & 4095);
    uint64_t left = s->mask - offset;
    if (!cpu_64bit(c)) {
        const struct segment *g = &c->seg[seg];
        bool down =
            (g->access & (ACC_CODE | ACC_EXPAND_DOWN)) == ACC_EXPAND_DOWN;
        if (down)
            return 1;
        if (g->limit - offset < left)
            left = g->limit - offset;
    }
    if (left < bytes - 1)
        bytes = left + 1;
    return bytes >= s->w ? bytes / s->w : 1;
}

/* Copies as REP MOVS does, lowest address first, overlap included. */
static void copy_up(uint8_t *to, const uint8_t *from, size_t bytes, unsigned w)
{
    if (to > from && to < from + bytes) {
        for (size_t i = 0; i < bytes; i += w) {
            uint64_t v;
            memcpy(&v, from + i, w);
            memcpy(to + i, &v, w);
        }
    } else {
        memmove(to, from, bytes);
    }
}

/* The first element goes by way of the TLB, so that both pages get into it; the
 * source's host pointer is taken before the store, which may put the source's
 * page out again when both have the same place in the TLB. */
static NOINLINE uint64_t movs_chunk(const struct string *s, uint64_t count)
{
    struct cpu *c = s->c;
    uint64_t from = source_at(s), to = dest_at(s, true);
    const void *host_from = NULL;
    void *host_to = NULL;
    uint64_t value = mem_load(c, from, s->w);
    bool plain = count > 1 && !(c->eflags & FLAG_DF) &&
                 tlb_read(c, from, s->w, &host_from);
    mem_store(c, to, value, s->w);
    if (!plain || !tlb_write(c, to, s->w, &host_to))
        return 1;
    uint64_t n = span(s, s->source, R_SI, from);
    uint64_t m = span(s, SEG_ES, R_DI, to);
    n = n < m ? n : m;
    n = n < count ? n : count;
    copy_up((uint8_t *)host_to + s->w, (const uint8_t *)host_from + s->w,
            (n - 1) * s->w, s->w);
    return n;
}

static void fill(uint8_t *to, uint64_t value, uint64_t n, unsigned w)
{
    if (w == 1) {
        memset(to, (int)(value & 0xFF), n);
        return;
    }
    uint64_t pattern = w == 2   ? (uint16_t)value * UINT64_C(0x0001000100010001)
                       : w == 4 ? (uint32_t)value * UINT64_C(0x0000000100000001)
                                : value;
    size_t bytes = n * w, done = 0;
    for (; done + 8 <= bytes; done += 8)
        memcpy(to + done, &pattern, 8);
    memcpy(to + done, &pattern, bytes - done);
}

static NOINLINE uint64_t stos_chunk(const struct string *s, uint64_t count)
{
    struct cpu *c = s->c;
    uint64_t to = dest_at(s, true), value = c->r[R_AX];
    void *host;
    if (count > 1 && !(c->eflags & FLAG_DF) && tlb_write(c, to, s->w, &host)) {
        uint64_t n = span(s, SEG_ES, R_DI, to);
        n = n < count ? n : count;
        fill(host, value, n, s->w);
        return n;
    }
    mem_store(c, to, value, s->w);
    return 1;
}

/* Leaves with rip still at the instruction, which has not retired. */
static const struct uop *interrupted(struct cpu *c, const struct uop *u)
{
    c->budget -= u->n;
    return NULL;
}

/* A long repetition asks for the kick itself, so that its slice ends. It costs
 * no budget: the count of instructions must not depend on what is decoded. */
static bool wanted_elsewhere(struct cpu *c, unsigned turn)
{
    atomic_bool *kicked = &c->machine->kicked;
    if (turn >= CHUNKS_A_TURN)
        atomic_store_explicit(kicked, true, memory_order_relaxed);
    return c->pending || atomic_load_explicit(kicked, memory_order_relaxed);
}

const struct uop *op_movs(UOP_ARGS)
{
    struct string s = string_begin(c, u, fa, fb, budget);
    if (!s.repeated) {
        movs_chunk(&s, 1);
        advance(&s, R_SI, 1);
        advance(&s, R_DI, 1);
        return uop_resume(c, u);
    }
    for (unsigned turn = 0; get_masked(&s, R_CX); turn++) {
        if (turn && wanted_elsewhere(c, turn))
            return interrupted(c, u);
        uint64_t n = movs_chunk(&s, elements_now(&s));
        advance(&s, R_SI, n);
        advance(&s, R_DI, n);
        set_masked(&s, R_CX, c->r[R_CX] - n);
    }
    return uop_resume(c, u);
}

const struct uop *op_stos(UOP_ARGS)
{
    struct string s = string_begin(c, u, fa, fb, budget);
    if (!s.repeated) {
        stos_chunk(&s, 1);
        advance(&s, R_DI, 1);
        return uop_resume(c, u);
    }
    for (unsigned turn = 0; get_masked(&s, R_CX); turn++) {
        if (turn && wanted_elsewhere(c, turn))
            return interrupted(c, u);
        uint64_t n = stos_chunk(&s, elements_now(&s));
        advance(&s, R_DI, n);
        set_masked(&s, R_CX, c->r[R_CX] - n);
    }
    return uop_resume(c, u);
}

/* The three that go an element at a time share their loop. */
enum string_op { LODS, CMPS, SCAS };

ALWAYS_INLINE void one_element(const struct string *s, enum string_op op)
{
    struct cpu *c = s->c;
    uint64_t a, b;
    switch (op) {
    case LODS:
        reg_set(c, R_AX, mem_load(c, source_at(s), s->w), s->w);
        advance(s, R_SI, 1);
        break;
    case CMPS:
        a = mem_load(c, source_at(s), s->w);
        b = mem_load(c, dest_at(s, false), s->w);
        advance(s, R_SI, 1);
        advance(s, R_DI, 1);
        alu(ALU_CMP, s->w, a, b, &c->fa, &c->fb);
        break;
    default:
        b = mem_load(c, dest_at(s, false), s->w);
        advance(s, R_DI, 1);
        a = reg_get(c, R_AX, s->w);
        alu(ALU_CMP, s->w, a, b, &c->fa, &c->fb);
        break;
    }
}

/* Elements of [a] against [b], or against rAX when b is NULL, until one ends
 * the repetition: how many were looked at, the last of them included. */
ALWAYS_INLINE uint64_t scan(const uint8_t *a, const uint8_t *b, uint64_t value,
                            uint64_t n, unsigned w, bool while_equal)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t other = b ? host_load(b + i * w, w) : value;
        if ((host_load(a + i * w, w) == other) != while_equal)
            return i + 1;
    }
    return n;
}
static uint64_t scan_sized(const uint8_t *a, const uint8_t *b, uint64_t value,
                           uint64_t n, unsigned w, bool while_equal)
{
    value = trunc_to(value, w);
    switch (w) {
    case 1:
        return scan(a, b, value, n, 1, while_equal);
    case 2:
        return scan(a, b, value, n, 2, while_equal);
    case 4:
        return scan(a, b, value, n, 4, while_equal);
    default:
        return scan(a, b, value, n, 8, while_equal);
    }
}

/* As many of `count` elements as plain memory in one page allows, all but the
 * last of which change nothing that lasts: that one is left to one_element().
 * 0 when there is no quick way. */
static uint64_t skip_quickly(const struct string *s, enum string_op op,
                             uint64_t count, bool while_equal)
{
    struct cpu *c = s->c;
    if (op == LODS || count < 4 || (c->eflags & FLAG_DF))
        return 0;
    uint64_t to = dest_at(s, false);
    const void *host_to, *host_from = NULL;
    if (!tlb_read(c, to, s->w, &host_to))
        return 0;
    uint64_t n = span(s, SEG_ES, R_DI, to);
    if (op == CMPS) {
        uint64_t from = source_at(s);
        if (!tlb_read(c, from, s->w, &host_from))
            return 0;
        uint64_t m = span(s, s->source, R_SI, from);
        n = n < m ? n : m;
    }
    n = n < count ? n : count;
    return scan_sized(host_to, host_from, c->r[R_AX], n, s->w, while_equal) - 1;
}

ALWAYS_INLINE const struct uop *string_loop(UOP_ARGS, enum string_op op)
{
    struct string s = string_begin(c, u, fa, fb, budget);
    if (!s.repeated) {
        one_element(&s, op);
        return uop_resume(c, u);
    }
    bool while_equal = (u->flags & UOP_REP) != 0;
    for (unsigned turn = 0; get_masked(&s, R_CX); turn++) {
        if (turn && wanted_elsewhere(c, turn))
            return interrupted(c, u);
        uint64_t skip = skip_quickly(&s, op, elements_now(&s), while_equal);
        if (skip) {
            advance(&s, R_DI, skip);
            if (op == CMPS)
                advance(&s, R_SI, skip);
            set_masked(&s, R_CX, c->r[R_CX] - skip);
        }
        one_element(&s, op);
        set_masked(&s, R_CX, c->r[R_CX] - 1);
        if (op != LODS && flags_zf(c->fa) != while_equal)
            break;
    }
    return uop_resume(c, u);
}

const struct uop *op_lods(UOP_ARGS)
{
    return string_loop(c, u, fa, fb, budget, LODS);
}
const struct uop *op_cmps(UOP_ARGS)
{
    return string_loop(c, u, fa, fb, budget, CMPS);
}
const struct uop *op_scas(UOP_ARGS)
{
    return string_loop(c, u, fa, fb, budget, SCAS);
}
