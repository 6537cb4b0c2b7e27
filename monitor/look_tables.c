/*
 * Descriptor tables as they stand in memory (SDM 3A 3.4.5, 3.5, 6.10, 6.14,
 * 7.2, 7.7; 20.1.4 for the IVT).
 *
 * Not modelled: what the CPU has in its hidden registers, which may be older
 * than the tables: `info segments` shows those.
 */
#include "monitor/look.h"

#include "emu/x86/system.h"

#include <inttypes.h>
#include <string.h>

static const char *const system_types[2][16] = {
    {"reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate",
     "IntGate16", "TrapGate16", "reserved", "TSS32-avl", "reserved",
     "TSS32-busy", "CallGate32", "reserved", "IntGate32", "TrapGate32"},
    {"reserved", "reserved", "LDT", "reserved", "reserved", "reserved",
     "reserved", "reserved", "reserved", "TSS64-avl", "reserved",
     "TSS64-busy", "CallGate64", "reserved", "IntGate64", "TrapGate64"},
};

const char *look_system_type(const struct cpu *c, unsigned type)
{
    return system_types[c->long_mode][type & 15];
}

const char *look_vector_name(unsigned vector)
{
    static const char *const names[] = {
        "#DE divide error", "#DB debug", "NMI", "#BP breakpoint",
        "#OF overflow", "#BR bound range", "#UD invalid opcode",
        "#NM no coprocessor", "#DF double fault",
        "coprocessor segment overrun", "#TS invalid TSS",
        "#NP segment not present", "#SS stack fault",
        "#GP general protection", "#PF page fault", "reserved",
        "#MF x87 error", "#AC alignment check", "#MC machine check",
        "#XM SIMD error",
    };
    return vector < sizeof(names) / sizeof(names[0]) ? names[vector]
                                                     : "interrupt";
}

/* --- reading -------------------------------------------------------------- */

static enum look_descriptor_state read_entry(struct cpu *c, uint64_t base,
                                             uint32_t limit, uint32_t offset,
                                             unsigned size,
                                             struct look_descriptor *d)
{
    uint32_t raw[4] = {0};

    *d = (struct look_descriptor){.linear = system_linear(c, base, offset)};
    if (offset + size - 1 > limit)
        return LOOK_DESCRIPTOR_OUTSIDE;
    if (look_read(c, LOOK_LINEAR, d->linear, raw, size) != size)
        return LOOK_DESCRIPTOR_UNREADABLE;
    d->lo = raw[0];
    d->hi = raw[1];
    d->hi2 = raw[2];
    d->wide = size == 16;
    return LOOK_DESCRIPTOR_OK;
}

/* System descriptors of long mode take two places. */
static bool is_wide(const struct cpu *c, const struct look_descriptor *d)
{
    return c->long_mode && !(d->hi & DESC_S) && DESC_TYPE(d) != 0;
}

static enum look_descriptor_state table_entry(struct cpu *c, uint64_t base,
                                              uint32_t limit, uint32_t offset,
                                              struct look_descriptor *d)
{
    enum look_descriptor_state s = read_entry(c, base, limit, offset, 8, d);

    if (s != LOOK_DESCRIPTOR_OK || !is_wide(c, d))
        return s;
    struct look_descriptor full;
    /* Cut off by the limit: what there is of it is still shown. */
    if (read_entry(c, base, limit, offset, 16, &full) == LOOK_DESCRIPTOR_OK)
        *d = full;
    return s;
}

enum look_descriptor_state look_descriptor(struct cpu *c, uint16_t selector,
                                           struct look_descriptor *d)
{
    const uint32_t offset = selector & 0xFFF8u;

    *d = (struct look_descriptor){.linear = 0};
    if (selector_null(selector))
        return LOOK_DESCRIPTOR_NULL;
    if (!(selector & 4))
        return table_entry(c, c->gdtr.base, c->gdtr.limit, offset, d);
    if (selector_null(c->ldtr.selector) || !(c->ldtr.access & ACC_P))
        return LOOK_DESCRIPTOR_OUTSIDE;
    return table_entry(c, c->ldtr.base, c->ldtr.limit, offset, d);
}

enum look_descriptor_state look_gate(struct cpu *c, unsigned vector,
                                     struct look_descriptor *gate)
{
    const unsigned size = c->long_mode ? 16 : 8;

    return read_entry(c, c->idtr.base, c->idtr.limit, vector * size, size,
                      gate);
}

/* --- printing ------------------------------------------------------------- */

static bool is_gate(const struct look_descriptor *d)
{
    const unsigned type = DESC_TYPE(d);

    return !(d->hi & DESC_S) && (type & 7) >= SYS_CALL16;
}

static void print_gate(struct cpu *c, FILE *out,
                       const struct look_descriptor *d)
{
    const unsigned type = DESC_TYPE(d);
    uint64_t offset = d->lo & 0xFFFFu;

    if (type > SYS_TRAP16)
        offset |= (d->hi & 0xFFFF0000u) | (uint64_t)d->hi2 << 32;
    fprintf(out, "%-10s", look_system_type(c, type));
    if (type == SYS_TASK_GATE)
        fprintf(out, " TSS %04x", d->lo >> 16);
    else
        fprintf(out, " %04x:%0*" PRIx64, d->lo >> 16, c->long_mode ? 16 : 8,
                offset);
    fprintf(out, " DPL %u", DESC_DPL(d));
    if (type == SYS_CALL16 || (type == SYS_CALL32 && !c->long_mode))
        fprintf(out, " parameters %u", d->hi & 31);
    else if (c->long_mode && (d->hi & 7) && type != SYS_CALL32)
        fprintf(out, " IST %u", d->hi & 7);
    fprintf(out, "%s", d->hi & DESC_P ? "" : " NOT PRESENT");
}

void look_print_descriptor(struct cpu *c, FILE *out,
                           const struct look_descriptor *d)
{
    if (is_gate(d)) {
        print_gate(c, out, d);
        return;
    }
    uint64_t base = d->lo >> 16 | (d->hi & 0xFFu) << 16 |
                    (d->hi & 0xFF000000u) | (uint64_t)d->hi2 << 32;
    uint32_t limit = (d->lo & 0xFFFFu) | (d->hi & 0xF0000u);

    if (d->hi & 0x800000u)
        limit = limit << 12 | 0xFFF;
    if (!(d->hi & DESC_S))
        fprintf(out, "%-10s", look_system_type(c, DESC_TYPE(d)));
    else if (d->hi & DESC_CODE)
        fprintf(out, "code%s%s%s%s",
                d->hi & DESC_L    ? "64"
                : d->hi & DESC_DB ? "32"
                                  : "16",
                d->hi & 0x200 ? " readable" : " execute-only",
                d->hi & DESC_CONFORMING ? " conforming" : "",
                d->hi & 0x100 ? " accessed" : "");
    else
        fprintf(out, "data%s%s%s%s", d->hi & DESC_DB ? "32" : "16",
                d->hi & 0x200 ? " writable" : " read-only",
                d->hi & 0x400 ? " expand-down" : "",
                d->hi & 0x100 ? " accessed" : "");
    fprintf(out, " base %0*" PRIx64 " limit %08x DPL %u%s",
            c->long_mode ? 16 : 8, base, limit, DESC_DPL(d),
            d->hi & DESC_P ? "" : " NOT PRESENT");
}

void look_print_selector(struct cpu *c, FILE *out, uint16_t selector)
{
    struct look_descriptor d;

    fprintf(out, "selector %04x: %s entry %u, RPL %u: ", selector,
            selector & 4 ? "LDT" : "GDT", (unsigned)selector >> 3,
            selector & 3u);
    switch (look_descriptor(c, selector, &d)) {
    case LOOK_DESCRIPTOR_OK:
        look_print_descriptor(c, out, &d);
        break;
    case LOOK_DESCRIPTOR_NULL:
        fprintf(out, "null");
        break;
    case LOOK_DESCRIPTOR_OUTSIDE:
        if ((selector & 4) && selector_null(c->ldtr.selector))
            fprintf(out, "there is no LDT");
        else
            fprintf(out, "beyond the table's limit %x",
                    selector & 4 ? c->ldtr.limit : c->gdtr.limit);
        break;
    case LOOK_DESCRIPTOR_UNREADABLE:
        fprintf(out, "%016" PRIx64 " is not memory", d.linear);
        break;
    }
    fputc('\n', out);
}

static void print_table(struct cpu *c, FILE *out, const char *name,
                        uint64_t base, uint32_t limit, unsigned ti)
{
    unsigned shown = 0, empty = 0;

    fprintf(out, "%s at %016" PRIx64 ", limit %x\n", name, base, limit);
    for (uint32_t at = 0; at < 0x10000 && at + 7 <= limit; at += 8) {
        struct look_descriptor d;
        enum look_descriptor_state s = table_entry(c, base, limit, at, &d);

        if (s != LOOK_DESCRIPTOR_OK) {
            fprintf(out, "%016" PRIx64 ": Cannot access memory\n", d.linear);
            break;
        }
        if (!d.lo && !d.hi) {
            empty++;
            continue;
        }
        fprintf(out, "%04x ", at | ti);
        look_print_descriptor(c, out, &d);
        fputc('\n', out);
        shown++;
        if (d.wide)
            at += 8;
    }
    fprintf(out, "%u entries, %u more are all zero\n", shown, empty);
}

void look_gdt(struct cpu *c, FILE *out)
{
    if (!(c->cr0 & CR0_PE))
        fprintf(out, "real mode: the GDT is not used yet\n");
    print_table(c, out, "GDT", c->gdtr.base, c->gdtr.limit, 0);
}

void look_ldt(struct cpu *c, FILE *out)
{
    if (selector_null(c->ldtr.selector) || !(c->ldtr.access & ACC_P))
        fprintf(out, "no LDT (LDTR=%04x)\n", c->ldtr.selector);
    else
        print_table(c, out, "LDT", c->ldtr.base, c->ldtr.limit, 4);
}

/* --- vectors -------------------------------------------------------------- */

static void print_ivt(struct cpu *c, FILE *out, uint64_t base, uint32_t limit)
{
    fprintf(out, "IVT at %08" PRIx64 ", limit %x\n", base, limit);
    for (unsigned v = 0; v < 256 && v * 4 + 3 <= limit; v++) {
        uint16_t far[2];

        if (look_read(c, LOOK_LINEAR, base + v * 4, far, 4) != 4) {
            fprintf(out, "%02x Cannot access memory\n", v);
            return;
        }
        fprintf(out, "%02x %04x:%04x (%06x)%s%s\n", v, far[1], far[0],
                far[1] * 16u + far[0], v < 20 ? " " : "",
                v < 20 ? look_vector_name(v) : "");
    }
}

void look_ivt(struct cpu *c, FILE *out)
{
    const bool real = !(c->cr0 & CR0_PE);

    print_ivt(c, out, real ? c->idtr.base : 0, real ? c->idtr.limit : 0x3FF);
}

void look_idt(struct cpu *c, FILE *out, const struct symbols *symbols)
{
    unsigned empty = 0;

    if (!(c->cr0 & CR0_PE)) {
        look_ivt(c, out);
        return;
    }
    fprintf(out, "IDT at %016" PRIx64 ", limit %x\n", c->idtr.base,
            c->idtr.limit);
    for (unsigned v = 0; v < 256; v++) {
        struct look_descriptor d;
        enum look_descriptor_state s = look_gate(c, v, &d);
        char symbol[128];

        if (s == LOOK_DESCRIPTOR_OUTSIDE)
            break;
        if (s == LOOK_DESCRIPTOR_UNREADABLE) {
            fprintf(out, "%02x Cannot access memory\n", v);
            break;
        }
        if (!d.lo && !d.hi) {
            empty++;
            continue;
        }
        look_symbol(symbols,
                    (d.lo & 0xFFFFu) | (d.hi & 0xFFFF0000u) |
                        (uint64_t)d.hi2 << 32,
                    symbol, sizeof(symbol));
        fprintf(out, "%02x ", v);
        look_print_descriptor(c, out, &d);
        fprintf(out, "%s%s%s%s\n", symbol[0] ? " " : "", symbol,
                v < 20 ? " " : "", v < 20 ? look_vector_name(v) : "");
    }
    fprintf(out, "%u entries are all zero\n", empty);
}

/* --- TSS ------------------------------------------------------------------ */

static uint64_t tss_get(const uint8_t *tss, unsigned at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, tss + at, size);
    return value;
}

static void print_tss16(FILE *out, const uint8_t *t)
{
    static const char *const names[] = {
        "link", "SP0", "SS0", "SP1", "SS1", "SP2", "SS2", "IP", "FLAGS",
        "AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "ES", "CS", "SS",
        "DS", "LDT",
    };

    for (unsigned i = 0; i < 22; i++)
        fprintf(out, "%-5s %04" PRIx64 "%c", names[i], tss_get(t, i * 2, 2),
                i % 8 == 7 ? '\n' : ' ');
    fputc('\n', out);
}

static void print_tss32(FILE *out, const uint8_t *t)
{
    static const char *const names[] = {
        "link", "ESP0", "SS0", "ESP1", "SS1", "ESP2", "SS2", "CR3", "EIP",
        "EFL", "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI", "ES",
        "CS", "SS", "DS", "FS", "GS", "LDT",
    };

    for (unsigned i = 0; i < 25; i++) {
        /* A selector is followed by reserved bytes. */
        unsigned size = i == 0 || i >= 18 || (i <= 6 && i % 2 == 0) ? 2 : 4;

        fprintf(out, "%-5s %0*" PRIx64 "%c", names[i], (int)size * 2,
                tss_get(t, i * 4, size), i % 5 == 4 ? '\n' : ' ');
    }
    fprintf(out, "T=%" PRIu64 "\n", tss_get(t, 100, 2) & 1);
}

static void print_tss64(FILE *out, const uint8_t *t)
{
    for (unsigned i = 0; i < 3; i++)
        fprintf(out, "RSP%u %016" PRIx64 "\n", i, tss_get(t, 4 + i * 8, 8));
    for (unsigned i = 1; i <= 7; i++)
        fprintf(out, "IST%u %016" PRIx64 "\n", i, tss_get(t, 28 + i * 8, 8));
}

void look_tss(struct cpu *c, FILE *out)
{
    const unsigned type = c->tr.access & ACC_TYPE;
    const bool narrow = type <= SYS_TSS16_BUSY;
    const unsigned size = narrow ? 44 : 104;
    uint8_t tss[104];

    fprintf(out, "TR=%04x base %016" PRIx64 " limit %x %s\n", c->tr.selector,
            c->tr.base, c->tr.limit, look_system_type(c, type));
    if (selector_null(c->tr.selector)) {
        fprintf(out, "no task register was loaded\n");
        return;
    }
    if (c->tr.limit + UINT64_C(1) < size)
        fprintf(out, "the limit is less than %u bytes: #TS when it is used\n",
                size);
    if (look_read(c, LOOK_LINEAR, c->tr.base, tss, size) != size) {
        fprintf(out, "%016" PRIx64 ": Cannot access memory\n", c->tr.base);
        return;
    }
    if (narrow) {
        print_tss16(out, tss);
        return;
    }
    if (c->long_mode)
        print_tss64(out, tss);
    else
        print_tss32(out, tss);
    unsigned map = (unsigned)tss_get(tss, 102, 2);
    fprintf(out, "I/O map at %x%s\n", map,
            map > c->tr.limit ? ": beyond the limit, no port is allowed" : "");
}
