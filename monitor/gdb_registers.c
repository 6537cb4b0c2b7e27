/*
 * Registers by gdb's numbers: see gdb_registers.h. Between runs only, when
 * cpu.rip and the flags are all there.
 *
 * Not modelled: writing a selector checks that the descriptor is there and
 * present, and no privileges: it is the debugger's word.
 */
#include "monitor/gdb_registers.h"

#include "emu/x86/fp.h"
#include "emu/x86/system.h"

#include <setjmp.h>
#include <string.h>

enum {
    N_GENERAL = 0, N_RIP = 16, N_EFLAGS, N_SEG, N_FS_BASE = 24, N_GS_BASE,
    N_KERNEL_GS_BASE, N_CR0, N_CR2, N_CR3, N_CR4, N_CR8, N_EFER, N_ST,
    N_FCTRL = 41, N_FSTAT, N_FTAG, N_FISEG, N_FIOFF, N_FOSEG, N_FOOFF, N_FOP,
    N_XMM = 49, N_MXCSR = 65,
};
#define MSR_EFER 0xC0000080u

#define CORE(name, bits, type)                                                 \
    {                                                                          \
        name, bits, type, NULL, GDB_FEATURE_CORE                               \
    }
#define BASE(name)                                                             \
    {                                                                          \
        name, 64, "int64", NULL, GDB_FEATURE_SEGMENTS                          \
    }
#define SYSTEM(name, type)                                                     \
    {                                                                          \
        name, 64, type, NULL, GDB_FEATURE_SYSTEM                               \
    }
#define ST(n)                                                                  \
    {                                                                          \
        "st" #n, 80, "i387_ext", NULL, GDB_FEATURE_CORE                        \
    }
#define X87(name)                                                              \
    {                                                                          \
        name, 32, "int", "float", GDB_FEATURE_CORE                             \
    }
#define XMM(n)                                                                 \
    {                                                                          \
        "xmm" #n, 128, "vec128", NULL, GDB_FEATURE_SSE                         \
    }

const struct gdb_register gdb_registers[GDB_REGISTERS] = {
    CORE("rax", 64, "int64"), CORE("rbx", 64, "int64"),
    CORE("rcx", 64, "int64"), CORE("rdx", 64, "int64"),
    CORE("rsi", 64, "int64"), CORE("rdi", 64, "int64"),
    CORE("rbp", 64, "data_ptr"), CORE("rsp", 64, "data_ptr"),
    CORE("r8", 64, "int64"), CORE("r9", 64, "int64"),
    CORE("r10", 64, "int64"), CORE("r11", 64, "int64"),
    CORE("r12", 64, "int64"), CORE("r13", 64, "int64"),
    CORE("r14", 64, "int64"), CORE("r15", 64, "int64"),
    CORE("rip", 64, "code_ptr"), CORE("eflags", 32, "x64_eflags"),
    CORE("cs", 32, "int32"), CORE("ss", 32, "int32"),
    CORE("ds", 32, "int32"), CORE("es", 32, "int32"),
    CORE("fs", 32, "int32"), CORE("gs", 32, "int32"),
    BASE("fs_base"), BASE("gs_base"), SYSTEM("k_gs_base", "int64"),
    SYSTEM("cr0", "x64_cr0"), SYSTEM("cr2", "int64"),
    SYSTEM("cr3", "x64_cr3"), SYSTEM("cr4", "x64_cr4"),
    SYSTEM("cr8", "int64"), SYSTEM("efer", "x64_efer"),
    ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),
    X87("fctrl"), X87("fstat"), X87("ftag"), X87("fiseg"),
    X87("fioff"), X87("foseg"), X87("fooff"), X87("fop"),
    XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7),
    XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15),
    {"mxcsr", 32, "x64_mxcsr", "vector", GDB_FEATURE_SSE},
};

/* Gdb's order of the general and the segment registers. */
static const uint8_t general[] = {
    R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP,
    R_8, R_9, R_10, R_11, R_12, R_13, R_14, R_15,
};
static const uint8_t segments[] = {
    SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS,
};

/* --- Reading ------------------------------------------------------------- */

static uint64_t read_general(const struct cpu *c, unsigned n)
{
    if (cpu_64bit(c))
        return c->r[general[n]];
    return n < 8 ? (uint32_t)c->r[general[n]] : 0;
}

static uint16_t tag_word(const struct fpu *f)
{
    unsigned word = 0;

    for (unsigned n = 0; n < 8; n++) {
        unsigned exponent = f->reg[n].exponent & 0x7FFFu;
        uint64_t mantissa = f->reg[n].mantissa;
        unsigned tag = 0; /* valid */
        if (!((f->tags >> n) & 1))
            tag = 3; /* empty */
        else if (exponent == 0 && mantissa == 0)
            tag = 1; /* zero */
        else if (exponent == 0 || exponent == 0x7FFF || !(mantissa >> 63))
            tag = 2; /* special */
        word |= tag << (n * 2);
    }
    return (uint16_t)word;
}

static uint64_t read_system(struct cpu *c, unsigned n)
{
    const struct intc *intc = &c->machine->intc;

    switch (n) {
    case N_FS_BASE:
        return c->seg[SEG_FS].base;
    case N_GS_BASE:
        return c->seg[SEG_GS].base;
    case N_KERNEL_GS_BASE:
        return c->msr.kernel_gs_base;
    case N_CR0:
        return c->cr0;
    case N_CR2:
        return c->cr2;
    case N_CR3:
        return c->cr3;
    case N_CR4:
        return c->cr4;
    case N_CR8:
        return intc->get_tpr ? (uint64_t)intc->get_tpr(intc->ctx) >> 4 : c->cr8;
    default:
        return c->msr.efer;
    }
}

static uint64_t read_x87(const struct cpu *c, unsigned n)
{
    const struct fpu *f = &c->fpu;

    switch (n) {
    case N_FCTRL:
        return f->fcw;
    case N_FSTAT:
        return f->fsw;
    case N_FTAG:
        return tag_word(f);
    case N_FISEG:
        return f->fcs;
    case N_FIOFF:
        return (uint32_t)f->fip;
    case N_FOSEG:
        return f->fds;
    case N_FOOFF:
        return (uint32_t)f->fdp;
    default:
        return f->fop;
    }
}

static unsigned st_slot(const struct cpu *c, unsigned n)
{
    return (((unsigned)c->fpu.fsw >> 11) + (n - N_ST)) & 7;
}

size_t gdb_register_read(struct cpu *c, unsigned n,
                         uint8_t data[GDB_REGISTER_BYTES])
{
    uint64_t value;

    if (n >= GDB_REGISTERS)
        return 0;
    memset(data, 0, GDB_REGISTER_BYTES);
    if (n >= N_XMM && n < N_MXCSR) {
        memcpy(data, &c->xmm[n - N_XMM], 16);
        return 16;
    }
    if (n >= N_ST && n < N_FCTRL) {
        unsigned slot = st_slot(c, n);
        memcpy(data, &c->fpu.reg[slot].mantissa, 8);
        memcpy(data + 8, &c->fpu.reg[slot].exponent, 2);
        return 10;
    }
    if (n < N_RIP)
        value = read_general(c, n);
    else if (n == N_RIP)
        value = cpu_rip(c);
    else if (n == N_EFLAGS)
        value = cpu_get_eflags(c);
    else if (n < N_FS_BASE)
        value = c->seg[segments[n - N_SEG]].selector;
    else if (n < N_ST)
        value = read_system(c, n);
    else if (n == N_MXCSR)
        value = c->mxcsr;
    else
        value = read_x87(c, n);
    memcpy(data, &value, 8);
    return gdb_registers[n].bits / 8;
}

/* --- Writing ------------------------------------------------------------- */

static bool write_general(struct cpu *c, unsigned n, uint64_t value)
{
    uint64_t *reg = &c->r[general[n]];

    if (cpu_64bit(c))
        *reg = value;
    else if (n < 8)
        *reg = (*reg & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
    return true;
}

static bool write_rip(struct cpu *c, uint64_t value)
{
    c->rip = value & c->ip_mask;
    c->shadow_rip = UINT64_MAX;
    /* A CPU that is sent elsewhere does not wait at its HLT. */
    c->pending &= ~(uint32_t)PENDING_HALT;
    return true;
}

/* The descriptor as it stands in memory, without a fault. */
static bool peek_descriptor(struct cpu *c, uint16_t selector,
                            struct descriptor *d)
{
    bool local = (selector & 4) != 0;
    uint64_t base = local ? c->ldtr.base : c->gdtr.base;
    uint32_t limit = local ? c->ldtr.limit : c->gdtr.limit;
    uint32_t offset = selector & 0xFFF8u;

    *d = (struct descriptor){.selector = selector,
                             .linear = system_linear(c, base, offset)};
    return offset + 7 <= limit && mmu_peek(c, d->linear, &d->lo, 4) == 4 &&
           mmu_peek(c, d->linear + 4, &d->hi, 4) == 4;
}

static bool write_segment(struct cpu *c, enum seg seg, uint64_t value)
{
    uint16_t selector = (uint16_t)value;
    struct descriptor d;

    if (value > UINT16_MAX)
        return false;
    if (cpu_real_or_v86(c)) {
        segment_load_real(c, seg, selector);
        return true;
    }
    if (selector_null(selector)) {
        if (seg == SEG_CS)
            return false;
        segment_set_null(c, seg, selector);
    } else {
        if (!peek_descriptor(c, selector, &d) ||
            (d.hi & (DESC_P | DESC_S)) != (DESC_P | DESC_S) ||
            (seg == SEG_CS && !descriptor_is_code(&d)) ||
            (seg == SEG_SS && !descriptor_is_writable_data(&d)))
            return false;
        descriptor_to_segment(&d, &c->seg[seg]);
        c->seg[seg].access |= ACC_ACCESSED;
        if (seg == SEG_CS)
            c->cpl = selector & 3;
    }
    cpu_mode_changed(c);
    return true;
}

static bool write_base(struct cpu *c, enum seg seg, uint64_t value)
{
    if (!canonical(value))
        return false;
    c->seg[seg].base = value;
    cpu_mode_changed(c);
    return true;
}

static bool write_system(struct cpu *c, unsigned n, uint64_t value)
{
    const struct intc *intc = &c->machine->intc;

    switch (n) {
    case N_FS_BASE:
        return write_base(c, SEG_FS, value);
    case N_GS_BASE:
        return write_base(c, SEG_GS, value);
    case N_KERNEL_GS_BASE:
        if (!canonical(value))
            return false;
        c->msr.kernel_gs_base = value;
        return true;
    case N_CR0:
        return cr0_write(c, value);
    case N_CR2:
        c->cr2 = value;
        return true;
    case N_CR3:
        return cr3_write(c, value);
    case N_CR4:
        return cr4_write(c, value);
    case N_CR8:
        if (value > 15)
            return false;
        c->cr8 = value;
        if (intc->set_tpr)
            intc->set_tpr(intc->ctx, (uint8_t)(value << 4));
        return true;
    default:
        /* LMA follows from LME and CR0.PG; a script may write back all. */
        return msr_write(c, MSR_EFER,
                         (value & ~(uint64_t)EFER_LMA) |
                             (c->msr.efer & EFER_LMA));
    }
}

static bool write_x87(struct cpu *c, unsigned n, uint64_t value)
{
    struct fpu *f = &c->fpu;

    switch (n) {
    case N_FCTRL:
        f->fcw = (uint16_t)((value & 0x1F3F) | 0x40);
        break;
    case N_FSTAT:
        f->fsw = (uint16_t)value;
        break;
    case N_FTAG:
        f->tags = 0;
        for (unsigned i = 0; i < 8; i++)
            if (((value >> (i * 2)) & 3) != 3)
                f->tags |= (uint8_t)(1u << i);
        break;
    case N_FISEG:
        f->fcs = (uint16_t)value;
        break;
    case N_FIOFF:
        f->fip = value;
        break;
    case N_FOSEG:
        f->fds = (uint16_t)value;
        break;
    case N_FOOFF:
        f->fdp = value;
        break;
    default:
        f->fop = (uint16_t)(value & 0x7FF);
        break;
    }
    /* ES and B say whether an unmasked exception waits (SDM 1 8.1.3.3). */
    bool waits = (f->fsw & ~(unsigned)f->fcw & 0x3Fu) != 0;
    f->fsw = (uint16_t)((f->fsw & 0x7F7Fu) | (waits ? 0x8080u : 0u));
    return true;
}

static bool write_scalar(struct cpu *c, unsigned n, uint64_t value)
{
    if (n < N_RIP)
        return write_general(c, n, value);
    if (n == N_RIP)
        return write_rip(c, value);
    if (n == N_EFLAGS) {
        cpu_set_eflags(c, (uint32_t)value);
        return true;
    }
    if (n < N_FS_BASE)
        return write_segment(c, (enum seg)segments[n - N_SEG], value);
    if (n < N_ST)
        return write_system(c, n, value);
    if (n < N_MXCSR)
        return write_x87(c, n, value);
    if (value & ~(uint64_t)MXCSR_DEFINED)
        return false;
    c->mxcsr = (uint32_t)value;
    cpu_mode_changed(c);
    return true;
}

bool gdb_register_write(struct cpu *c, unsigned n,
                        const uint8_t data[GDB_REGISTER_BYTES])
{
    uint8_t now[GDB_REGISTER_BYTES];
    uint64_t value = 0;
    size_t size = gdb_register_read(c, n, now);

    if (size == 0)
        return false;
    if (memcmp(now, data, size) == 0)
        return true;
    if (n >= N_XMM && n < N_MXCSR) {
        memcpy(&c->xmm[n - N_XMM], data, 16);
        return true;
    }
    if (n >= N_ST && n < N_FCTRL) {
        unsigned slot = st_slot(c, n);
        memcpy(&c->fpu.reg[slot].mantissa, data, 8);
        memcpy(&c->fpu.reg[slot].exponent, data + 8, 2);
        return true;
    }
    memcpy(&value, data, size);
    /* What a control register hangs on may fault as an instruction would. */
    if (setjmp(c->unwind) != UNWIND_NONE)
        return false;
    return write_scalar(c, n, value);
}
