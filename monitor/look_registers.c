/*
 * Registers: QEMU's layout, and the control registers bit by bit with the
 * names of the SDM (SDM 3A 2.3, 2.5; SDM 1 3.4.3, 8.1, 10.2).
 *
 * What an engine cannot know is said to be so, never shown as 0. Not modelled
 * and so not shown: DR4, DR5, performance counters, last-branch records.
 */
#include "monitor/look.h"

#include "emu/x86/system.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct look_bit {
    unsigned bit;
    const char *name, *meaning;
};

static const struct look_bit eflags_bits[] = {
    {0, "CF", "carry"}, {2, "PF", "parity"}, {4, "AF", "auxiliary carry"},
    {6, "ZF", "zero"}, {7, "SF", "sign"}, {8, "TF", "trap: single step"},
    {9, "IF", "interrupts enabled"}, {10, "DF", "direction: down"},
    {11, "OF", "overflow"}, {14, "NT", "nested task"}, {16, "RF", "resume"},
    {17, "VM", "virtual-8086 mode"},
    {18, "AC", "alignment check; lifts SMAP"}, {19, "VIF", "virtual IF"},
    {20, "VIP", "virtual interrupt pending"}, {21, "ID", "CPUID is there"},
    {0, NULL, NULL},
};
static const struct look_bit cr0_bits[] = {
    {0, "PE", "protection enable"}, {1, "MP", "monitor coprocessor"},
    {2, "EM", "emulation: no x87"}, {3, "TS", "task switched"},
    {4, "ET", "extension type (fixed)"}, {5, "NE", "numeric error: #MF"},
    {16, "WP", "write protect in ring 0"}, {18, "AM", "alignment mask"},
    {29, "NW", "not write-through"}, {30, "CD", "cache disable"},
    {31, "PG", "paging"}, {0, NULL, NULL},
};
static const struct look_bit cr4_bits[] = {
    {0, "VME", "virtual-8086 extensions"}, {1, "PVI", "virtual interrupts"},
    {2, "TSD", "RDTSC only in ring 0"}, {3, "DE", "debugging extensions"},
    {4, "PSE", "4 MiB pages"}, {5, "PAE", "64-bit page entries"},
    {6, "MCE", "machine check"}, {7, "PGE", "global pages"},
    {8, "PCE", "RDPMC in every ring"}, {9, "OSFXSR", "SSE enabled"},
    {10, "OSXMMEXCPT", "#XM for SSE exceptions"},
    {11, "UMIP", "no SGDT and so on in ring 3"}, {12, "LA57", "5 levels"},
    {13, "VMXE", "VMX"}, {16, "FSGSBASE", "RDFSBASE and so on"},
    {17, "PCIDE", "process-context identifiers"}, {18, "OSXSAVE", "XSAVE"},
    {20, "SMEP", "ring 0 does not run user pages"},
    {21, "SMAP", "ring 0 does not touch user pages"},
    {22, "PKE", "protection keys"}, {0, NULL, NULL},
};
static const struct look_bit efer_bits[] = {
    {0, "SCE", "SYSCALL enabled"}, {8, "LME", "long mode enable"},
    {10, "LMA", "long mode active"}, {11, "NXE", "no-execute pages"},
    {0, NULL, NULL},
};
static const struct look_bit mxcsr_bits[] = {
    {0, "IE", ""}, {1, "DE", ""}, {2, "ZE", ""}, {3, "OE", ""}, {4, "UE", ""},
    {5, "PE", ""}, {6, "DAZ", ""}, {7, "IM", ""}, {8, "DM", ""},
    {9, "ZM", ""}, {10, "OM", ""}, {11, "UM", ""}, {12, "PM", ""},
    {15, "FZ", ""}, {0, NULL, NULL},
};

/* Every bit: its name, 1 or 0, and what it does. */
static void print_bits(FILE *out, const char *name, uint64_t value,
                       const struct look_bit *bits)
{
    fprintf(out, "%s=%0*" PRIx64 "\n", name, value > UINT32_MAX ? 16 : 8,
            value);
    for (; bits->name; bits++)
        fprintf(out, "  %2u %-10s %u  %s\n", bits->bit, bits->name,
                (unsigned)(value >> bits->bit) & 1, bits->meaning);
}

/* The names of the set bits. */
static size_t names(uint64_t value, const struct look_bit *bits, char *text,
                    size_t size)
{
    size_t used = 0;

    if (size)
        text[0] = '\0';
    for (; bits->name && used < size; bits++)
        if (value >> bits->bit & 1)
            used += (size_t)snprintf(text + used, size - used, "%s%s",
                                     used ? " " : "", bits->name);
    return used;
}

void look_eflags(uint32_t eflags, char *text, size_t size)
{
    size_t used = names(eflags, eflags_bits, text, size);

    if (used < size)
        (void)snprintf(text + used, size - used, "%sIOPL=%u", used ? " " : "",
                       (eflags >> 12) & 3);
}

static const char *mode_name(const struct cpu *c)
{
    const unsigned code = c->mode & MODE_CODE;

    if (!(c->cr0 & CR0_PE))
        return "real mode";
    if (c->eflags & FLAG_VM)
        return "virtual-8086 mode";
    if (c->long_mode)
        return code == MODE_CODE64 ? "64-bit mode" : "compatibility mode";
    return code == MODE_CODE16 ? "protected mode, 16-bit code"
                               : "protected mode, 32-bit code";
}

void look_registers(struct cpu *c, FILE *out)
{
    char text[256];

    cpu_dump(c, out);
    look_eflags(cpu_get_eflags(c), text, sizeof(text));
    fprintf(out, "EFLAGS: %s\n", text);
    names(c->cr0, cr0_bits, text, sizeof(text));
    fprintf(out, "CR0: %s\n", text);
    fprintf(out, "CR3: tables at %010" PRIx64 "%s%s\n",
            c->cr3 & (c->long_mode         ? UINT64_C(0xFFFFFFF000)
                      : (c->cr4 & CR4_PAE) ? UINT64_C(0xFFFFFFE0)
                                           : UINT64_C(0xFFFFF000)),
            c->cr3 & 8 ? " PWT" : "", c->cr3 & 16 ? " PCD" : "");
    names(c->cr4, cr4_bits, text, sizeof(text));
    fprintf(out, "CR4: %s\n", text);
    names(c->msr.efer, efer_bits, text, sizeof(text));
    fprintf(out, "EFER: %s\n", text);
    fprintf(out, "Mode: %s, CPL %u\n", mode_name(c), c->cpl);
}

void look_control(struct cpu *c, FILE *out)
{
    print_bits(out, "CR0", c->cr0, cr0_bits);
    fprintf(out, "CR2=%016" PRIx64 " (address of the last page fault)\n",
            c->cr2);
    fprintf(out, "CR3=%016" PRIx64 " PWT=%u PCD=%u\n", c->cr3,
            (unsigned)(c->cr3 >> 3) & 1, (unsigned)(c->cr3 >> 4) & 1);
    print_bits(out, "CR4", c->cr4, cr4_bits);
    print_bits(out, "EFER", c->msr.efer, efer_bits);
    print_bits(out, "EFLAGS", cpu_get_eflags(c), eflags_bits);
    fprintf(out, "  12 IOPL       %u  privilege for I/O, CLI, STI\n",
            (cpu_get_eflags(c) >> 12) & 3);
}

/* --- segments ------------------------------------------------------------- */

static void print_segment(const struct cpu *c, FILE *out, const char *name,
                          const struct segment *s, bool system)
{
    const unsigned a = s->access;
    const bool real = cpu_real_or_v86(c);

    fprintf(out, "%-4s %04x  base %016" PRIx64 "  limit %08x  access %04x",
            name, s->selector, s->base, s->limit, a);
    if (!(a & ACC_P) && !real) {
        fprintf(out, "  unusable\n");
        return;
    }
    if (system)
        fprintf(out, "  %s", look_system_type(c, a & ACC_TYPE));
    else if (a & ACC_CODE)
        fprintf(out, "  code%s%s%s",
                a & ACC_L    ? "64"
                : a & ACC_DB ? "32"
                             : "16",
                a & ACC_WRITABLE ? " readable" : "",
                a & ACC_EXPAND_DOWN ? " conforming" : "");
    else
        fprintf(out, "  data%s%s%s", a & ACC_DB ? "32" : "16",
                a & ACC_WRITABLE ? " writable" : " read-only",
                a & ACC_EXPAND_DOWN ? " expand-down" : "");
    fprintf(out, " DPL %u", ACC_DPL(a));
    if (!real && !system)
        fprintf(out, " RPL %u", s->selector & 3u);
    if (!system)
        fprintf(out, "%s", a & ACC_ACCESSED ? " accessed" : "");
    fputc('\n', out);
}

void look_segments(struct cpu *c, FILE *out)
{
    static const char *const name[] = {"ES", "CS", "SS", "DS", "FS", "GS"};

    for (unsigned i = 0; i < SEG_COUNT; i++)
        print_segment(c, out, name[i], &c->seg[i], false);
    print_segment(c, out, "LDTR", &c->ldtr, true);
    print_segment(c, out, "TR", &c->tr, true);
    fprintf(out, "GDTR       base %016" PRIx64 "  limit %04x\n", c->gdtr.base,
            c->gdtr.limit);
    fprintf(out, "IDTR       base %016" PRIx64 "  limit %04x\n", c->idtr.base,
            c->idtr.limit);
    if (cpu_64bit(c))
        fprintf(out, "64-bit mode: bases of ES, CS, SS, DS and all limits "
                     "have no effect\n");
}

/* --- FPU, SSE ------------------------------------------------------------- */

static double extended(uint64_t mantissa, uint16_t exponent)
{
    double v = ldexp((double)mantissa, (exponent & 0x7FFF) - 16383 - 63);

    return exponent & 0x8000 ? -v : v;
}

void look_fpu(struct cpu *c, FILE *out)
{
    static const char *const rounding[] = {"nearest", "down", "up", "zero"};
    static const char *const precision[] = {"single", "?", "double",
                                            "extended"};
    static const struct look_bit status[] = {
        {0, "IE", ""}, {1, "DE", ""}, {2, "ZE", ""}, {3, "OE", ""},
        {4, "UE", ""}, {5, "PE", ""}, {6, "SF", ""}, {7, "ES", ""},
        {8, "C0", ""}, {9, "C1", ""}, {10, "C2", ""}, {14, "C3", ""},
        {15, "B", ""}, {0, NULL, NULL},
    };
    const struct fpu *f = &c->fpu;
    const unsigned top = (f->fsw >> 11) & 7u;
    char text[128];

    names(f->fsw, status, text, sizeof(text));
    fprintf(out, "FCW=%04x rounding %s, precision %s, masks %02x\n", f->fcw,
            rounding[(f->fcw >> 10) & 3], precision[(f->fcw >> 8) & 3],
            f->fcw & 0x3F);
    fprintf(out, "FSW=%04x TOP=%u%s%s\n", f->fsw, top, text[0] ? " " : "",
            text);
    for (unsigned i = 0; i < 8; i++) {
        const unsigned n = (top + i) & 7;
        const uint64_t m = f->reg[n].mantissa;
        const uint16_t e = f->reg[n].exponent;

        fprintf(out, "ST%u R%u %04x %016" PRIx64 " ", i, n, e, m);
        if (!(f->tags & (1u << n)))
            fprintf(out, "empty\n");
        else if ((e & 0x7FFF) == 0x7FFF)
            fprintf(out, "%s%s\n", e & 0x8000 ? "-" : "+",
                    m << 1 ? "nan" : "inf");
        else
            fprintf(out, "%.17g\n", extended(m, e));
    }
    fprintf(out, "FIP=%04x:%016" PRIx64 " FDP=%04x:%016" PRIx64 " FOP=%03x\n",
            f->fcs, f->fip, f->fds, f->fdp, f->fop);
    if (c->cr0 & (CR0_EM | CR0_TS))
        fprintf(out, "CR0.%s is set: x87 instructions raise #NM\n",
                c->cr0 & CR0_EM ? "EM" : "TS");
}

void look_sse(struct cpu *c, FILE *out)
{
    static const char *const rounding[] = {"nearest", "down", "up", "zero"};
    char text[128];

    names(c->mxcsr, mxcsr_bits, text, sizeof(text));
    fprintf(out, "MXCSR=%08x rounding %s %s\n", c->mxcsr,
            rounding[(c->mxcsr >> 13) & 3], text);
    for (unsigned i = 0; i < (c->long_mode ? 16u : 8u); i++) {
        const union xmm *x = &c->xmm[i];

        fprintf(out,
                "XMM%02u=%016" PRIx64 " %016" PRIx64
                "  ps %g %g %g %g  pd %g %g\n",
                i, x->u64[1], x->u64[0], (double)x->f32[3], (double)x->f32[2],
                (double)x->f32[1], (double)x->f32[0], x->f64[1], x->f64[0]);
    }
    if (!(c->cr4 & CR4_OSFXSR))
        fprintf(out, "CR4.OSFXSR is 0: SSE instructions raise #UD\n");
}

/* --- debug registers, MSRs ------------------------------------------------ */

void look_debug_registers(struct cpu *c, FILE *out)
{
    static const char *const kind[] = {"execute", "write", "I/O",
                                       "read or write"};
    static const unsigned length[] = {1, 2, 8, 4};

    for (unsigned i = 0; i < 4; i++) {
        const unsigned type = (unsigned)(c->dr[7] >> (16 + i * 4)) & 3;
        const unsigned on = (unsigned)(c->dr[7] >> (i * 2)) & 3;

        fprintf(out, "DR%u=%016" PRIx64, i, c->dr[i]);
        if (on)
            fprintf(out, " %s, %u byte%s%s%s", kind[type],
                    type ? length[(c->dr[7] >> (18 + i * 4)) & 3] : 1u,
                    type && (c->dr[7] >> (18 + i * 4)) & 3 ? "s" : "",
                    on & 1 ? " local" : "", on & 2 ? " global" : "");
        else
            fprintf(out, " off");
        fputc('\n', out);
    }
    fprintf(out, "DR6=%016" PRIx64 "%s%s%s%s%s%s%s\n", c->dr[6],
            c->dr[6] & 1 ? " B0" : "", c->dr[6] & 2 ? " B1" : "",
            c->dr[6] & 4 ? " B2" : "", c->dr[6] & 8 ? " B3" : "",
            c->dr[6] & 0x2000 ? " BD" : "", c->dr[6] & 0x4000 ? " BS" : "",
            c->dr[6] & 0x8000 ? " BT" : "");
    fprintf(out, "DR7=%016" PRIx64 "%s\n", c->dr[7],
            c->dr[7] & 0x2000 ? " GD" : "");
}

void look_msrs(struct cpu *c, FILE *out)
{
    static const struct {
        uint32_t index;
        const char *name;
    } list[] = {
        {0x10, "IA32_TIME_STAMP_COUNTER"},
        {0x1B, "IA32_APIC_BASE"},
        {0x3A, "IA32_FEATURE_CONTROL"},
        {0x48, "IA32_SPEC_CTRL"},
        {0x8B, "IA32_BIOS_SIGN_ID"},
        {0xCE, "MSR_PLATFORM_INFO"},
        {0xFE, "IA32_MTRRCAP"},
        {0x10A, "IA32_ARCH_CAPABILITIES"},
        {0x174, "IA32_SYSENTER_CS"},
        {0x175, "IA32_SYSENTER_ESP"},
        {0x176, "IA32_SYSENTER_EIP"},
        {0x179, "IA32_MCG_CAP"},
        {0x17A, "IA32_MCG_STATUS"},
        {0x1A0, "IA32_MISC_ENABLE"},
        {0x1D9, "IA32_DEBUGCTL"},
        {0x277, "IA32_PAT"},
        {0x2FF, "IA32_MTRR_DEF_TYPE"},
        {0xC0000080, "IA32_EFER"},
        {0xC0000081, "IA32_STAR"},
        {0xC0000082, "IA32_LSTAR"},
        {0xC0000083, "IA32_CSTAR"},
        {0xC0000084, "IA32_FMASK"},
        {0xC0000100, "IA32_FS_BASE"},
        {0xC0000101, "IA32_GS_BASE"},
        {0xC0000102, "IA32_KERNEL_GS_BASE"},
        {0xC0000103, "IA32_TSC_AUX"},
    };
    uint64_t value;

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        fprintf(out, "%08" PRIx32 " %-24s ", list[i].index, list[i].name);
        if (msr_read(c, list[i].index, &value))
            fprintf(out, "%016" PRIx64 "\n", value);
        else
            fprintf(out, "not there: RDMSR raises #GP\n");
    }
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t mask;

        if (msr_read(c, 0x200 + i * 2, &value) &&
            msr_read(c, 0x201 + i * 2, &mask) && (mask & 0x800))
            fprintf(out,
                    "%08" PRIx32 " %-24s %016" PRIx64 " mask %016" PRIx64 "\n",
                    0x200 + i * 2, "IA32_MTRR_PHYSBASE/MASK", value, mask);
    }
}
