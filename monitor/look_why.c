/*
 * `why`: the last exception explained from the ledger (SDM 3A chapter 6, 4.7,
 * 5.3, 5.5, 6.13), and the three that made a triple fault.
 *
 * An event holds vector, error code, CR2 and rip; tables and registers are as
 * they are now. The scene says how much of that is still as it was: exact
 * when the CPU is at the instruction, or at the first one of its handler.
 *
 * Not modelled: EVENT_EXCEPTION has no CPL, so far from the fault it is
 * unknown; faults of a task switch are explained as those of a selector.
 */
#include "monitor/look.h"

#include "emu/x86/decode.h"
#include "emu/x86/disasm.h"
#include "emu/x86/system.h"

#include <inttypes.h>
#include <string.h>

/* What is known of where an exception came. */
struct scene {
    struct cpu *c;
    FILE *out;
    const struct symbols *symbols;
    const struct event *event;
    bool exact;      /* registers are as they were */
    unsigned cpl;    /* valid if exact */
    uint64_t linear; /* of the instruction */
    uint32_t mode;
    uint8_t bytes[15];
    size_t have;
    char text[160];
};

static bool has_error_code(unsigned vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) ||
           vector == VEC_AC;
}

/* --- the scene ------------------------------------------------------------ */

static uint64_t gate_offset(const struct look_descriptor *d)
{
    uint64_t offset = d->lo & 0xFFFFu;

    if (DESC_TYPE(d) > SYS_TRAP16)
        offset |= (d->hi & 0xFFFF0000u) | (uint64_t)d->hi2 << 32;
    return offset;
}

/* CS as it was pushed, if the CPU is at the handler's first instruction. */
static bool pushed_cs(struct cpu *c, unsigned vector, uint16_t *cs)
{
    struct look_descriptor gate;
    uint64_t sp = c->r[R_SP], base = cpu_64bit(c) ? 0 : c->seg[SEG_SS].base;
    unsigned size = 2, skip = 1;
    uint16_t far[2];

    if (!cpu_64bit(c))
        sp &= c->seg[SEG_SS].access & ACC_DB ? UINT32_MAX : 0xFFFFu;
    if (!(c->cr0 & CR0_PE)) {
        if (look_read(c, LOOK_LINEAR, c->idtr.base + vector * 4, far, 4) != 4 ||
            far[0] != c->rip || far[1] != c->seg[SEG_CS].selector)
            return false;
    } else {
        if (look_gate(c, vector, &gate) != LOOK_DESCRIPTOR_OK ||
            gate_offset(&gate) != c->rip)
            return false;
        size = c->long_mode ? 8 : DESC_TYPE(&gate) > SYS_TRAP16 ? 4 : 2;
        skip = has_error_code(vector) ? 2 : 1;
    }
    return look_read(c, LOOK_LINEAR, base + sp + skip * size, cs, 2) == 2;
}

static void use_cs(struct scene *s, uint16_t cs)
{
    struct cpu *c = s->c;
    struct look_descriptor d;

    s->exact = true;
    s->cpl = cs & 3u;
    if (!(c->cr0 & CR0_PE)) {
        s->cpl = 0;
        s->linear = cs * 16u + s->event->rip;
        return;
    }
    if (look_descriptor(c, cs, &d) != LOOK_DESCRIPTOR_OK)
        return;
    s->mode = d.hi & DESC_DB ? MODE_CODE32 : MODE_CODE16;
    if (c->long_mode && (d.hi & DESC_L))
        s->mode = MODE_CODE64;
    uint32_t base = d.lo >> 16 | (d.hi & 0xFFu) << 16 | (d.hi & 0xFF000000u);
    s->linear = s->event->rip + (s->mode == MODE_CODE64 ? 0 : base);
}

static void set_scene(struct scene *s)
{
    struct cpu *c = s->c;
    uint16_t cs;

    s->mode = c->mode & MODE_CODE;
    s->linear = c->seg_base[SEG_CS] + s->event->rip;
    s->cpl = c->cpl;
    s->exact = c->rip == s->event->rip;
    if (!s->exact && pushed_cs(c, s->event->reason, &cs))
        use_cs(s, cs);
    if (!c->long_mode)
        s->linear &= UINT32_MAX;
    s->have = look_read(c, LOOK_LINEAR, s->linear, s->bytes, sizeof(s->bytes));
    if (s->have)
        (void)disasm(s->bytes, s->have, s->mode, s->event->rip, s->text,
                     sizeof(s->text));
    else
        (void)snprintf(s->text, sizeof(s->text), "(not memory)");
}

/* --- page faults ---------------------------------------------------------- */

static void why_page_fault(struct scene *s)
{
    const unsigned e = (unsigned)s->event->value;
    const enum access access = e & PF_I   ? ACCESS_FETCH
                               : e & PF_W ? ACCESS_WRITE
                                          : ACCESS_READ;
    struct look_path path;
    struct walk w;

    fprintf(s->out, "  %s of %016" PRIx64 " with %s rights: %s\n",
            e & PF_I   ? "fetch"
            : e & PF_W ? "write"
                       : "read",
            s->event->addr, e & PF_U ? "user" : "supervisor",
            e & PF_RSVD ? "a reserved bit is set in an entry"
            : e & PF_P  ? "the page is there, but does not allow it"
                        : "no page is there");
    fprintf(s->out, "  rule: SDM 3A 4.7 (error code), %s\n",
            e & PF_RSVD ? "4.3 to 4.5 (formats of entries)"
            : e & PF_P  ? "4.6 (access rights)"
                        : "4.3 to 4.5 (bit P)");
    (void)look_walk(s->c, s->out, s->event->addr);
    if (look_path(s->c, s->event->addr, &path) &&
        (path.end == LOOK_NO_PAGING ||
         mmu_walk(s->c, s->event->addr, access, (e & PF_U) != 0, false, &w)))
        fprintf(s->out, "  The tables allow it now: they have changed since, "
                        "or the TLB held an older entry.\n");
}

/* --- selectors ------------------------------------------------------------ */

static void why_gate(struct scene *s, unsigned vector)
{
    struct look_descriptor d;
    const unsigned size = s->c->long_mode ? 16 : s->c->cr0 & CR0_PE ? 8 : 4;

    fprintf(s->out,
            "  the %s entry of vector %u (%s): ", size == 4 ? "IVT" : "IDT",
            vector, look_vector_name(vector));
    if (vector * size + size - 1 > s->c->idtr.limit) {
        fprintf(s->out, "beyond IDTR's limit %x (SDM 3A 6.10, 6.12)\n",
                s->c->idtr.limit);
        return;
    }
    if (look_gate(s->c, vector, &d) != LOOK_DESCRIPTOR_OK) {
        fprintf(s->out, "not memory\n");
        return;
    }
    look_print_descriptor(s->c, s->out, &d);
    const unsigned type = DESC_TYPE(&d);
    const bool gate =
        !(d.hi & DESC_S) &&
        (type == SYS_INT32 || type == SYS_TRAP32 ||
         (!s->c->long_mode && (type >= SYS_TASK_GATE && type <= SYS_TRAP16)));
    if (!gate)
        fprintf(s->out, "\n  not an interrupt, trap or task gate: #GP "
                        "(SDM 3A 6.11)\n");
    else if (!(d.hi & DESC_P))
        fprintf(s->out, "\n  P is 0: #NP (SDM 3A 6.12)\n");
    else if (s->exact && DESC_DPL(&d) < s->cpl)
        fprintf(s->out,
                "\n  DPL %u is less than CPL %u: INT n may not use it "
                "(SDM 3A 6.12.1.1)\n",
                DESC_DPL(&d), s->cpl);
    else
        fprintf(s->out, "\n  the gate itself is good now\n");
}

static const char *selector_rule(const struct scene *s,
                                 const struct look_descriptor *d)
{
    switch (s->event->reason) {
    case VEC_NP:
        return d->hi & DESC_P ? "it is present now: changed since"
                              : "P is 0 (SDM 3A 5.8, 6.15 #NP)";
    case VEC_SS:
        return d->hi & DESC_P
                   ? "a stack of this segment did not fit (SDM 3A 5.3)"
                   : "P is 0 in a stack segment (SDM 3A 6.15 #SS)";
    case VEC_TS:
        return "the TSS, or a stack segment that it names, is not usable: "
               "type, DPL, RPL or limit (SDM 3A 6.15 #TS, 7.2)";
    default:
        break;
    }
    if (!(d->hi & DESC_S))
        return "a system descriptor where a segment was wanted, or a gate "
               "whose DPL is below CPL or RPL (SDM 3A 5.5, 5.8)";
    if (d->hi & DESC_CODE)
        return "code: DPL must equal CPL (conforming: not exceed it), a "
               "64-bit segment must not have D, it cannot be SS (SDM 3A 5.8)";
    return "data: DPL must not be below CPL and RPL; SS needs a writable "
           "one with DPL = RPL = CPL; it cannot be CS (SDM 3A 5.5, 5.7)";
}

static void why_selector(struct scene *s, uint32_t error)
{
    const uint16_t selector = (uint16_t)(error & 0xFFFCu);
    struct look_descriptor d;

    fprintf(s->out, "  error code %04x: %s%s (SDM 3A 6.13)\n", error,
            error & 2   ? "IDT"
            : error & 4 ? "LDT"
                        : "GDT",
            error & 1 ? ", while an event was being delivered (EXT)" : "");
    if (error & 2) {
        why_gate(s, (error >> 3) & 0xFF);
        return;
    }
    fprintf(s->out, "  ");
    look_print_selector(s->c, s->out, selector);
    switch (look_descriptor(s->c, selector, &d)) {
    case LOOK_DESCRIPTOR_OK:
        fprintf(s->out, "  rule: %s\n", selector_rule(s, &d));
        break;
    case LOOK_DESCRIPTOR_OUTSIDE:
        fprintf(s->out, "  rule: the selector must lie within its table "
                        "(SDM 3A 3.5.1, 5.3)\n");
        break;
    default:
        break;
    }
}

/* --- #GP(0), #SS(0) ------------------------------------------------------- */

/* Instructions that need CPL 0, or IOPL, by mnemonic (SDM 3A 5.9). */
static bool privileged(const struct scene *s)
{
    static const char *const ring0[] = {
        "hlt", "lgdt", "lidt", "lldt", "ltr", "lmsw", "clts", "invlpg",
        "invd", "wbinvd", "rdmsr", "wrmsr", "swapgs", "sysret", "sysexit",
    };
    static const char *const iopl[] = {"cli", "sti", "in", "out", "insb",
                                       "insw", "insd", "outsb", "outsw",
                                       "outsd"};
    const unsigned level = (cpu_get_eflags(s->c) >> 12) & 3;
    const size_t n = strcspn(s->text, " ");

    if (!s->exact || s->cpl == 0)
        return false;
    for (size_t i = 0; i < sizeof(ring0) / sizeof(ring0[0]); i++)
        if (n == strlen(ring0[i]) && !strncmp(s->text, ring0[i], n)) {
            fprintf(s->out,
                    "  rule: %s needs CPL 0; CPL is %u (SDM 3A "
                    "5.9)\n",
                    ring0[i], s->cpl);
            return true;
        }
    if (!strncmp(s->text, "mov cr", 6) || !strncmp(s->text, "mov dr", 6) ||
        (!strncmp(s->text, "mov ", 4) &&
         (strstr(s->text, ", cr") || strstr(s->text, ", dr")))) {
        fprintf(s->out,
                "  rule: MOV to and from CRn, DRn needs CPL 0; CPL is "
                "%u (SDM 3A 5.9)\n",
                s->cpl);
        return true;
    }
    for (size_t i = 0; i < sizeof(iopl) / sizeof(iopl[0]); i++)
        if (n == strlen(iopl[i]) && !strncmp(s->text, iopl[i], n) &&
            s->cpl > level) {
            fprintf(s->out,
                    "  rule: %s needs CPL <= IOPL%s; CPL is %u, IOPL "
                    "%u (SDM 1 18.5)\n",
                    iopl[i],
                    i >= 2 ? ", or a TSS whose I/O map allows the port" : "",
                    s->cpl, level);
            return true;
        }
    return false;
}

/* The memory operand's offset and segment against the limit. */
static bool bad_operand(const struct scene *s)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    const struct cpu *c = s->c;
    struct insn i;

    if (!s->exact || decode(s->bytes, s->have, s->mode, &i) != DECODE_OK ||
        !i.memory || i.seg >= SEG_COUNT)
        return false;
    uint64_t offset = (uint64_t)(int64_t)i.disp;
    if (i.rip_relative)
        offset += s->event->rip + i.length;
    else
        offset += c->r[i.base] + c->r[i.index] * i.scale;
    if (i.address_size < 8)
        offset &= (UINT64_C(1) << i.address_size * 8) - 1;
    const struct segment *seg = &c->seg[i.seg];
    if (s->mode == MODE_CODE64) {
        offset += i.seg >= SEG_FS ? seg->base : 0;
        if (canonical(offset))
            return false;
        fprintf(s->out,
                "  rule: the operand's address %016" PRIx64 " is not "
                "canonical (SDM 1 3.3.7.1)\n",
                offset);
        return true;
    }
    if (!(seg->access & ACC_P) && (c->cr0 & CR0_PE)) {
        fprintf(s->out,
                "  rule: the operand is in %s, which holds a null "
                "selector (SDM 3A 3.4.2)\n",
                names[i.seg]);
        return true;
    }
    if (segment_within(seg, offset, i.operand_size ? i.operand_size : 1))
        return false;
    fprintf(s->out,
            "  rule: offset %08" PRIx64 " is beyond %s's limit %08x "
            "(SDM 3A 5.3)\n",
            offset, names[i.seg], seg->limit);
    return true;
}

static bool bad_msr(const struct scene *s)
{
    uint64_t value;
    const uint32_t index = (uint32_t)s->c->r[R_CX];

    if (!s->exact ||
        (strncmp(s->text, "rdmsr", 5) && strncmp(s->text, "wrmsr", 5)))
        return false;
    fprintf(s->out, "  rule: MSR %08x %s (SDM 2 RDMSR, WRMSR; SDM 4)\n", index,
            msr_read(s->c, index, &value)
                ? "exists: the value has reserved bits, or it is read-only"
                : "does not exist");
    return true;
}

static void why_general(struct scene *s)
{
    if (!s->exact) {
        fprintf(s->out,
                "  The CPU has gone on: registers at the fault, and "
                "so its cause, are not observable now. Stop at it "
                "with a breakpoint on exception %u.\n",
                s->event->reason);
        return;
    }
    if (privileged(s) || bad_msr(s) || bad_operand(s))
        return;
    fprintf(s->out,
            "  rule: one of the checks of this instruction in SDM 2, "
            "\"Exceptions\": an operand over a segment's limit or to "
            "a read-only one, a reserved bit set, a null selector "
            "(SDM 3A 6.15 %s)\n",
            look_vector_name(s->event->reason));
}

/* --- all vectors ---------------------------------------------------------- */

static void why_other(struct scene *s)
{
    const struct cpu *c = s->c;

    switch (s->event->reason) {
    case VEC_DE:
        fprintf(s->out, "  rule: the divisor is 0, or the quotient does not "
                        "fit (SDM 2 DIV, IDIV)\n");
        break;
    case VEC_DB:
        fprintf(s->out, "  DR6=%08" PRIx64 "%s%s%s\n", c->dr[6],
                c->dr[6] & 0xF ? ": a breakpoint of DR0 to DR3" : "",
                c->dr[6] & 0x4000 ? ": single step (EFLAGS.TF)" : "",
                c->dr[6] & 0x2000 ? ": DR7.GD, MOV DRn" : "");
        break;
    case VEC_UD:
        fprintf(s->out,
                "  rule: no such instruction in this mode, a LOCK or "
                "operand it does not take%s (SDM 3A 6.15 #UD)\n",
                c->cr4 & CR4_OSFXSR ? "" : ", or SSE with CR4.OSFXSR = 0");
        break;
    case VEC_NM:
        fprintf(s->out,
                "  rule: CR0.EM=%u, CR0.TS=%u: x87, MMX and SSE are "
                "off (SDM 3A 2.5)\n",
                (unsigned)(c->cr0 >> 2) & 1, (unsigned)(c->cr0 >> 3) & 1);
        break;
    case VEC_DF:
        fprintf(s->out, "  rule: a fault came while another one was being "
                        "delivered (SDM 3A table 6-5)\n");
        break;
    case VEC_AC:
        fprintf(s->out, "  rule: CR0.AM and EFLAGS.AC are set at CPL 3, and "
                        "an operand is not aligned (SDM 3A 6.15 #AC)\n");
        break;
    default:
        fprintf(s->out, "  see SDM 3A 6.15\n");
        break;
    }
}

static void explain(struct cpu *c, FILE *out, const struct symbols *symbols,
                    const struct event *e)
{
    struct scene s = {.c = c, .out = out, .symbols = symbols, .event = e};
    char symbol[128];

    set_scene(&s);
    look_symbol(symbols, s.linear, symbol, sizeof(symbol));
    fprintf(out, "#%" PRIu64 " %s", e->seq, look_vector_name(e->reason));
    if (has_error_code(e->reason))
        fprintf(out, ", error code %04x", (unsigned)e->value);
    fprintf(out, "\n  at %016" PRIx64 "%s%s: %s%s\n", s.linear,
            symbol[0] ? " " : "", symbol, s.text,
            s.exact ? "" : " (if CS is still the same)");
    if (s.exact && (c->cr0 & CR0_PE))
        fprintf(out, "  CPL was %u\n", s.cpl);
    if (e->reason == VEC_PF)
        why_page_fault(&s);
    else if (e->reason >= VEC_TS && e->reason <= VEC_GP && e->value)
        why_selector(&s, (uint32_t)e->value);
    else if (e->reason == VEC_GP || e->reason == VEC_SS)
        why_general(&s);
    else
        why_other(&s);
}

/* --- the ledger ----------------------------------------------------------- */

#define SHOWN 6u /* as many as a triple fault can well have */

/* The newest events of a kind, newest first. Returns how many. */
static unsigned newest(const struct cpu *c, enum event_kind kind,
                       const struct event *found[SHOWN])
{
    const struct ledger *ledger = &c->machine->ledger;
    unsigned n = 0;

    for (unsigned i = 0; i < EVENT_RING; i++) {
        const struct event *e = &ledger->ring[i];

        if (!e->seq || e->kind != kind ||
            (kind == EVENT_EXCEPTION && e->cpu != c->index))
            continue;
        unsigned at = n < SHOWN ? n++ : SHOWN;
        while (at > 0 && found[at - 1]->seq < e->seq) {
            if (at < SHOWN)
                found[at] = found[at - 1];
            at--;
        }
        if (at < SHOWN)
            found[at] = e;
    }
    return n;
}

static void autopsy(struct cpu *c, FILE *out, const struct symbols *symbols,
                    const struct event *const *found, unsigned n)
{
    unsigned faults = 0;

    fprintf(out, "Triple fault: a fault while the double fault was being "
                 "delivered; the CPU shuts down (SDM 3A 6.15 #DF).\n");
    if (c->rip != found[0]->rip)
        fprintf(out, "The machine has been reset since: registers and tables "
                     "are not those of the fault.\n");
    /* From the double fault's events on: those that share its rip. */
    while (faults < n && found[faults]->rip == found[0]->rip)
        faults++;
    for (unsigned i = faults; i-- > 0;)
        explain(c, out, symbols, found[i]);
    fprintf(out, "The gates that they needed:\n");
    for (unsigned i = faults; i-- > 0;) {
        struct scene s = {.c = c, .out = out, .event = found[i]};

        why_gate(&s, found[i]->reason & 0xFF);
    }
}

int look_why(struct cpu *c, FILE *out, const struct symbols *symbols)
{
    struct machine *m = c->machine;
    const struct event *found[SHOWN], *stops[SHOWN];
    const unsigned n = newest(c, EVENT_EXCEPTION, found);

    if (n == 0) {
        if (m->accel && !(m->accel->observes & (1u << EVENT_EXCEPTION)))
            fprintf(out,
                    "not observable: engine %s does not see "
                    "exceptions\n",
                    m->accel->name);
        else if (m->ledger.count[EVENT_EXCEPTION])
            fprintf(out,
                    "%" PRIu64 " exceptions, but none is in the ledger's "
                    "ring: it records no exceptions\n",
                    m->ledger.count[EVENT_EXCEPTION]);
        else
            fprintf(out, "no exception so far\n");
        return -1;
    }
    const bool stop = newest(c, EVENT_STOP, stops) > 0 &&
                      stops[0]->seq > found[0]->seq &&
                      stops[0]->detail == STOP_SHUTDOWN;
    if (stop || m->last_stop == STOP_SHUTDOWN)
        autopsy(c, out, symbols, found, n);
    else
        explain(c, out, symbols, found[0]);
    return 0;
}
