/*
 * The CPU's state for people and for snapshots: the field table, and the
 * registers in the layout of QEMU's `info registers`.
 *
 * Invariant: cpu_fields has what a guest can observe and nothing derived;
 * whoever loads it calls cpu_mode_changed(), cpu_interrupt_window() and
 * mmu_flush_all() after.
 */
#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "emu/x86/flags.h"

#include <inttypes.h>
#include <stdio.h>

#define SEGMENT_FIELDS(MEMBER)                                                 \
    FIELD(cpu, MEMBER.base, FIELD_U64), FIELD(cpu, MEMBER.limit, FIELD_U32),   \
        FIELD(cpu, MEMBER.selector, FIELD_U16),                                \
        FIELD(cpu, MEMBER.access, FIELD_U16)

const struct field cpu_fields[] = {
    FIELD_ARRAY(cpu, r, FIELD_U64, 16),
    FIELD(cpu, fa, FIELD_U64),
    FIELD(cpu, fb, FIELD_U64),
    FIELD(cpu, rip, FIELD_U64),
    FIELD(cpu, eflags, FIELD_U32),
    FIELD(cpu, cpl, FIELD_U8),
    FIELD(cpu, long_mode, FIELD_BOOL),
    FIELD(cpu, pending, FIELD_U32),
    SEGMENT_FIELDS(seg[SEG_ES]),
    SEGMENT_FIELDS(seg[SEG_CS]),
    SEGMENT_FIELDS(seg[SEG_SS]),
    SEGMENT_FIELDS(seg[SEG_DS]),
    SEGMENT_FIELDS(seg[SEG_FS]),
    SEGMENT_FIELDS(seg[SEG_GS]),
    SEGMENT_FIELDS(ldtr),
    SEGMENT_FIELDS(tr),
    FIELD(cpu, gdtr.base, FIELD_U64),
    FIELD(cpu, gdtr.limit, FIELD_U16),
    FIELD(cpu, idtr.base, FIELD_U64),
    FIELD(cpu, idtr.limit, FIELD_U16),
    FIELD(cpu, cr0, FIELD_U64),
    FIELD(cpu, cr2, FIELD_U64),
    FIELD(cpu, cr3, FIELD_U64),
    FIELD(cpu, cr4, FIELD_U64),
    FIELD(cpu, cr8, FIELD_U64),
    FIELD_ARRAY(cpu, dr, FIELD_U64, 8),
    FIELD_ARRAY(cpu, pdpte, FIELD_U64, 4),
    FIELD(cpu, msr.efer, FIELD_U64),
    FIELD(cpu, msr.star, FIELD_U64),
    FIELD(cpu, msr.lstar, FIELD_U64),
    FIELD(cpu, msr.cstar, FIELD_U64),
    FIELD(cpu, msr.fmask, FIELD_U64),
    FIELD(cpu, msr.kernel_gs_base, FIELD_U64),
    FIELD(cpu, msr.tsc_aux, FIELD_U64),
    FIELD(cpu, msr.sysenter_cs, FIELD_U64),
    FIELD(cpu, msr.sysenter_esp, FIELD_U64),
    FIELD(cpu, msr.sysenter_eip, FIELD_U64),
    FIELD(cpu, msr.pat, FIELD_U64),
    FIELD(cpu, msr.misc_enable, FIELD_U64),
    FIELD(cpu, msr.mtrr_def_type, FIELD_U64),
    FIELD_ARRAY(cpu, msr.mtrr_base, FIELD_U64, 8),
    FIELD_ARRAY(cpu, msr.mtrr_mask, FIELD_U64, 8),
    FIELD_ARRAY(cpu, msr.mtrr_fixed, FIELD_U64, 11),
    FIELD(cpu, msr.mcg_status, FIELD_U64),
    FIELD(cpu, msr.bios_sign_id, FIELD_U64),
    FIELD(cpu, msr.debugctl, FIELD_U64),
    FIELD(cpu, msr.feature_control, FIELD_U64),
    FIELD(cpu, msr.spec_ctrl, FIELD_U64),
    FIELD(cpu, msr.tsc_offset, FIELD_I64),
    /* Eight registers of 16 bytes: mantissa, then exponent and padding. */
    FIELD_ARRAY(cpu, fpu.reg, FIELD_U64, 16),
    FIELD(cpu, fpu.fcw, FIELD_U16),
    FIELD(cpu, fpu.fsw, FIELD_U16),
    FIELD(cpu, fpu.tags, FIELD_U8),
    FIELD(cpu, fpu.fop, FIELD_U16),
    FIELD(cpu, fpu.fip, FIELD_U64),
    FIELD(cpu, fpu.fdp, FIELD_U64),
    FIELD(cpu, fpu.fcs, FIELD_U16),
    FIELD(cpu, fpu.fds, FIELD_U16),
    FIELD_ARRAY(cpu, xmm, FIELD_U64, 32),
    FIELD(cpu, mxcsr, FIELD_U32),
    FIELD(cpu, intr_line, FIELD_BOOL),
    FIELD(cpu, nmi_blocked, FIELD_BOOL),
    FIELD(cpu, shadow_rip, FIELD_U64),
    FIELD(cpu, dr6_trap, FIELD_U64),
    FIELD(cpu, a20_mask, FIELD_U64),
    FIELD_END,
};

static void dump_general(const struct cpu *c, FILE *f)
{
    static const char *const name[] = {
        "AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP",
    };
    static const uint8_t number[] = {
        R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP,
    };

    for (unsigned i = 0; i < 8; i++) {
        char end = i % 4 == 3 ? '\n' : ' ';
        if (c->long_mode)
            fprintf(f, "R%s=%016" PRIx64 "%c", name[i], c->r[number[i]], end);
        else
            fprintf(f, "E%s=%08x%c", name[i], (uint32_t)c->r[number[i]], end);
    }
    for (unsigned i = 8; c->long_mode && i < 16; i++)
        fprintf(f, "R%-2u=%016" PRIx64 "%c", i, c->r[i],
                i % 4 == 3 ? '\n' : ' ');
}

static void dump_flags(const struct cpu *c, FILE *f)
{
    static const char letters[] = "DOSZAPC";
    static const uint32_t bits[] = {
        FLAG_DF, FLAG_OF, FLAG_SF, FLAG_ZF, FLAG_AF, FLAG_PF, FLAG_CF,
    };
    uint32_t eflags = cpu_get_eflags(c);

    if (c->long_mode)
        fprintf(f, "RIP=%016" PRIx64 " RFL=%08x [", c->rip, eflags);
    else
        fprintf(f, "EIP=%08x EFL=%08x [", (uint32_t)c->rip, eflags);
    for (unsigned i = 0; i < 7; i++)
        fputc(eflags & bits[i] ? letters[i] : '-', f);
    fprintf(f, "] CPL=%u II=%d A20=%d SMM=0 HLT=%d\n", c->cpl,
            (c->pending & PENDING_SHADOW) != 0, (int)((c->a20_mask >> 20) & 1),
            cpu_halted(c));
}

static void dump_attributes(const struct cpu *c, const struct segment *s,
                            FILE *f)
{
    static const char *const system_type[2][16] = {
        {"Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16",
         "TaskGate", "IntGate16", "TrapGate16", "Reserved", "TSS32-avl",
         "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32",
         "TrapGate32"},
        {"<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved",
         "Reserved", "Reserved", "Reserved", "TSS64-avl", "Reserved",
         "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64"},
    };
    unsigned a = s->access;

    if (!(c->cr0 & CR0_PE) || !(a & ACC_P))
        return;
    fprintf(f, " DPL=%u ", ACC_DPL(a));
    if (!(a & ACC_S)) {
        fputs(system_type[c->long_mode][a & ACC_TYPE], f);
        return;
    }
    const char *kind = (a & ACC_DB) || c->long_mode ? "DS  " : "DS16";
    if (a & ACC_CODE)
        kind = a & ACC_L ? "CS64" : a & ACC_DB ? "CS32" : "CS16";
    char second = a & ACC_CODE ? 'C' : 'E', third = a & ACC_CODE ? 'R' : 'W';
    fprintf(f, "%s [%c%c%c]", kind, a & ACC_EXPAND_DOWN ? second : '-',
            a & ACC_WRITABLE ? third : '-', a & ACC_ACCESSED ? 'A' : '-');
}

static void dump_segment(const struct cpu *c, const char *name,
                         const struct segment *s, FILE *f)
{
    fprintf(f, "%-3s=%04x ", name, s->selector);
    if (c->long_mode)
        fprintf(f, "%016" PRIx64, s->base);
    else
        fprintf(f, "%08x", (uint32_t)s->base);
    fprintf(f, " %08x %08x", s->limit, (unsigned)s->access << 8);
    dump_attributes(c, s, f);
    fputc('\n', f);
}

static void dump_system(const struct cpu *c, FILE *f)
{
    const int w = c->long_mode ? 16 : 8;

    fprintf(f, "GDT=     %0*" PRIx64 " %08x\n", w, c->gdtr.base, c->gdtr.limit);
    fprintf(f, "IDT=     %0*" PRIx64 " %08x\n", w, c->idtr.base, c->idtr.limit);
    fprintf(f, "CR0=%08x CR2=%0*" PRIx64 " CR3=%0*" PRIx64 " CR4=%08x\n",
            (uint32_t)c->cr0, w, c->cr2, w, c->cr3, (uint32_t)c->cr4);
    for (unsigned i = 0; i < 4; i++)
        fprintf(f, "DR%u=%016" PRIx64 "%c", i, c->dr[i], i == 3 ? '\n' : ' ');
    fprintf(f, "DR6=%016" PRIx64 " DR7=%016" PRIx64 "\n", c->dr[6], c->dr[7]);
    fprintf(f, "EFER=%016" PRIx64 "\n", c->msr.efer);
}

static void dump_fpu(const struct cpu *c, FILE *f)
{
    const unsigned top = (c->fpu.fsw >> 11) & 7u;

    fprintf(f, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", c->fpu.fcw,
            c->fpu.fsw, top, c->fpu.tags, c->mxcsr);
    for (unsigned i = 0; i < 8; i++)
        fprintf(f, "FPR%u=%016" PRIx64 " %04x%c", i, c->fpu.reg[i].mantissa,
                c->fpu.reg[i].exponent, i % 2 ? '\n' : ' ');
    for (unsigned i = 0; i < (c->long_mode ? 16u : 8u); i++)
        fprintf(f, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i,
                c->xmm[i].u64[1], c->xmm[i].u64[0], i % 2 ? '\n' : ' ');
}

void cpu_dump(struct cpu *c, void *stdio_file)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    FILE *f = stdio_file;

    dump_general(c, f);
    dump_flags(c, f);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        dump_segment(c, names[i], &c->seg[i], f);
    dump_segment(c, "LDT", &c->ldtr, f);
    dump_segment(c, "TR", &c->tr, f);
    dump_system(c, f);
    dump_fpu(c, f);
}
