/* Making one block: see build.h. */
#include "accel/interp/build.h"

#include "emu/machine.h"
#include "emu/x86/disasm.h"
#include "emu/x86/fused.h"

#define PAGE UINT64_C(4096)

/* Falls through to the next instruction at the end of a block. */
static const struct uop *block_end(UOP_ARGS)
{
    int64_t left = budget - (u->n + 1);
    if (LIKELY(u->link && left >= BLOCK_MAX))
        return uop_goto(c, u->link, fa, fb, left);
    /* Not a branch: running past CS's limit is a fault of the next fetch. */
    uint64_t next = uop_next_rip(c, u);
    bool same_page = next - c->r[R_IPPAGE] < PAGE;
    const struct jump *j = jump_slot(c, next);
    if (!same_page && j->rip == next && j->key == c->jump_key &&
        left >= BLOCK_MAX)
        return uop_jump(c, u, fa, fb, budget, next);
    c->fa = fa;
    c->fb = fb;
    c->budget = left;
    c->rip = next;
    c->link_from = same_page ? u : NULL;
    return NULL;
}

/* Stands before an instruction that has a breakpoint, and is no instruction
 * itself. imm: its guest-physical address. */
static const struct uop *block_breakpoint(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if (!debug_exec_hit(c->machine, c, cpu_linear_rip(c), u->imm))
        return uop_next(c, u, c->fa, c->fb, c->budget);
    c->pending |= PENDING_DEBUG;
    return NULL;
}

uint64_t block_limit_left(const struct cpu *c, uint64_t rip)
{
    if (!(c->mode & MODE_CS_SHORT))
        return 15;
    uint64_t limit = c->seg[SEG_CS].limit;
    return rip > limit ? 0 : limit - rip + 1;
}

/* Copies up to 15 bytes at the source's start, over the page's end if
 * need be; *second is the other page's address then. */
static unsigned fetch_bytes(struct source *s, unsigned need_second,
                            uint64_t *second)
{
    unsigned head = (unsigned)(PAGE - (s->gpa & (PAGE - 1)));
    unsigned n = head < 15 ? head : 15;
    for (unsigned i = 0; i < n; i++)
        s->bytes[i] = s->host ? s->host[i]
                              : (uint8_t)machine_mmio_read(s->c->machine, s->c,
                                                           s->gpa + i, 1);
    if (!need_second || n == 15)
        return n;
    uint8_t *host;
    uint64_t next = s->linear + head;
    if (!s->c->long_mode)
        next = (uint32_t)next;
    *second = mmu_fetch_page(s->c, next, &host);
    for (unsigned i = n; i < 15; i++)
        s->bytes[i] = host ? host[i - n]
                           : (uint8_t)machine_mmio_read(s->c->machine, s->c,
                                                        *second + i - n, 1);
    return 15;
}

/* Is this between registers, and of a kind that can neither fault nor leave? */
static bool only_computes(const struct insn *i)
{
    static select_fn *const kinds[] = {
        select_alu,  select_unary, select_shift, select_mov,   select_movx,
        select_lea,  select_imul,  select_cmov,  select_setcc, select_bt,
    };
    if (i->memory && i->opcode->select != select_lea)
        return false;
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
        if (i->opcode->select == kinds[n])
            return true;
    return false;
}

/* Turns flag writes that nobody can see into handlers without them. Only such
 * instructions may stand in between: a fault would show the flags. */
static void mark_dead_flags(struct insn *insns, unsigned count)
{
    unsigned dead = 0; /* flags that are surely rewritten before use */
    for (unsigned n = count; n-- > 0;) {
        struct insn *i = &insns[n];
        const struct opcode *o = i->opcode;
        if (!o || !only_computes(i)) {
            dead = 0;
            continue;
        }
        i->flags_dead = o->write && (o->write & ~dead) == 0;
        if (!(o->attributes & A_MAYWRITE))
            dead |= o->write;
        dead &= ~(unsigned)o->read;
    }
}

static void log_block(struct source *s, const struct insn *insns,
                      unsigned count, bool straddles)
{
    struct log *log = &s->c->machine->log;
    uint64_t rip = s->rip;
    const uint8_t *bytes = s->host && !straddles ? s->host : s->bytes;
    log_line(log, LOG_IN_ASM, "----------------\nIN:\n");
    for (unsigned n = 0; n < count; n++) {
        char text[128];
        disasm(bytes, insns[n].length, s->c->mode, rip, text, sizeof text);
        log_line(log, LOG_IN_ASM, "0x%08llx:  %s\n", (unsigned long long)rip,
                 text);
        bytes += insns[n].length;
        rip += insns[n].length;
    }
}

static void put_breakpoint(struct code_block *b, uint64_t gpa)
{
    b->lead = 1;
    b->uops[0] = (struct uop){.fn = block_breakpoint, .imm = gpa,
                              .off = (uint16_t)(gpa & (PAGE - 1)),
                              .base = R_ZERO, .index = R_ZERO, .scale = 1};
}

/* Is a breakpoint on the instruction at this place in the source's page? */
static bool has_breakpoint(const struct source *s, unsigned distance)
{
    const struct machine *m = s->c->machine;
    return m->debug.exec_armed &&
           debug_exec_at(m, s->linear + distance, s->gpa + distance);
}

static void bind_all(struct code_block *b, const struct insn *insns,
                     unsigned count, unsigned off)
{
    for (unsigned n = 0; n < count; n++) {
        struct uop *u = &b->uops[b->lead + n];
        if (insns[n].opcode) {
            decode_bind(&insns[n], b->mode, u);
        } else {
            *u = (struct uop){.fn = op_ud, .len = insns[n].length,
                              .base = R_ZERO, .index = R_ZERO, .scale = 1};
        }
        u->off = (uint16_t)off;
        u->n = (uint8_t)n;
        /* rip-relative: from the end of the instruction */
        if (insns[n].rip_relative)
            u->disp += (int32_t)(off + insns[n].length);
        off += insns[n].length;
    }
    for (unsigned n = 0; n + 1 < count; n++) {
        uop_fn *both = insns[n].opcode && insns[n + 1].opcode
                           ? fused_handler(&insns[n], &insns[n + 1])
                           : NULL;
        if (both)
            b->uops[b->lead + n].fn = both;
    }
    struct uop *last = &b->uops[b->lead + count - 1];
    struct uop *end = last + 1;
    *end = (struct uop){.fn = block_end, .off = last->off, .len = last->len,
                        .n = last->n, .size = 8, .base = R_ZERO,
                        .index = R_ZERO, .scale = 1};
    b->count = (uint8_t)count;
}

/* Decodes one instruction at the head of `s` that needs a second page. */
static void build_straddling(struct code_block *b, struct source *s,
                             struct insn *insn)
{
    fetch_bytes(s, true, &b->second_gpa);
    enum decode_result result = decode(s->bytes, 15, s->c->mode, insn);
    if (result == DECODE_LONG || result == DECODE_MORE ||
        insn->length > block_limit_left(s->c, s->rip))
        cpu_gp(s->c);
    if (result == DECODE_UD)
        insn->opcode = NULL;
    b->straddles = true;
}

void block_build(struct code_block *b, struct source *s, unsigned limit)
{
    struct cpu *c = s->c;
    struct insn insns[BLOCK_MAX];
    unsigned count = 0;
    unsigned start = (unsigned)(s->gpa & (PAGE - 1)), at = start;
    uint64_t unused;
    const uint8_t *host = s->host;
    if (!host) {
        fetch_bytes(s, false, &unused);
        host = s->bytes;
        limit = 1;
    }
    b->straddles = false;
    b->second_gpa = 0;
    b->lead = 0;
    if (has_breakpoint(s, 0)) {
        put_breakpoint(b, s->gpa);
        limit = 1;
    }
    while (count < limit && at < PAGE) {
        struct insn *i = &insns[count];
        if (count && has_breakpoint(s, at - start))
            break;
        uint64_t left = block_limit_left(c, s->rip + (at - start));
        size_t size = PAGE - at < left ? PAGE - at : left;
        enum decode_result result =
            decode(host + (at - start), size, c->mode, i);
        if (result == DECODE_MORE || result == DECODE_LONG) {
            if (count)
                break;
            if (result == DECODE_LONG || size == left)
                cpu_gp(c); /* over 15 bytes, or past CS's limit */
            build_straddling(b, s, i);
        } else if (result == DECODE_UD) {
            i->opcode = NULL;
        }
        at += i->length;
        count++;
        if (!i->opcode || (i->opcode->attributes & A_END))
            break;
    }
    mark_dead_flags(insns, count);
    b->mode = c->mode;
    b->bytes = (uint16_t)(at - start);
    bind_all(b, insns, count, start);
    if (log_on(&c->machine->log, LOG_IN_ASM))
        log_block(s, insns, count, b->straddles);
}
