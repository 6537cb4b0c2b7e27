/*
 * The x87's computing instructions (SDM 1 chapter 8): one slow handler that
 * can do them all.
 *
 * It loads the guest's whole x87 state into the host's x87, executes there the
 * very instruction that the guest has, and stores the state back. So results,
 * condition codes, stack faults, tags, what an unmasked exception suppresses
 * and what it does not are the host's own. The quick handlers (fpu_quick*.c)
 * serve the common instructions when nothing exceptional is about.
 *
 * Not modelled: FERR# and IRQ 13 (CR0.NE clear): the exception stays in FSW
 * and the instruction goes on. FOP, FCS and FDS are kept as the 387 kept them.
 */
#include "emu/machine.h"
#include "emu/x86/fpu.h"

/* --- the shelf ------------------------------------------------------------ */
/*
 * Every x87 instruction there is, each as a little function. Register forms
 * are entries C0..FF of their opcode byte, four bytes each; memory forms have
 * their operand at (%rdi), the first argument.
 */
__asm__(".pushsection .text\n"
        ".p2align 4\n"
        "fpu_shelf_register:\n"
        ".set fpu_op, 0xD8\n"
        ".rept 8\n"
        ".set fpu_modrm, 0xC0\n"
        ".rept 64\n"
        ".byte fpu_op, fpu_modrm, 0xC3, 0x90\n" /* insn; ret; nop */
        ".set fpu_modrm, fpu_modrm + 1\n"
        ".endr\n"
        ".set fpu_op, fpu_op + 1\n"
        ".endr\n"
        "fpu_shelf_memory:\n"
        ".set fpu_op, 0xD8\n"
        ".rept 8\n"
        ".set fpu_modrm, 0x07\n"
        ".rept 8\n"
        ".byte fpu_op, fpu_modrm, 0xC3, 0x90\n"
        ".set fpu_modrm, fpu_modrm + 8\n"
        ".endr\n"
        ".set fpu_op, fpu_op + 1\n"
        ".endr\n"
        ".popsection\n");
extern const uint8_t fpu_shelf_register[8 * 64 * 4];
extern const uint8_t fpu_shelf_memory[8 * 8 * 4];

/* Executes one with SF, ZF, AF, PF and CF as in `flags` (LAHF's byte), for
 * FCMOVcc; returns what they are after, for FCOMI. */
static unsigned shelf_call(const uint8_t *entry, void *operand, unsigned flags)
{
    uint64_t ax = (uint64_t)flags << 8;
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* the red zone */
                     "sahf\n\t"
                     "call *%[entry]\n\t"
                     "lahf\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     : "+a"(ax)
                     : [entry] "r"(entry), "D"(operand)
                     : "memory", "cc");
    return (unsigned)(ax >> 8) & 0xFF;
}

/* --- the guest's state in the host ---------------------------------------- */
/* FNSAVE's 32-bit protected-mode image. */
struct fsave {
    uint32_t fcw, fsw, ftw, fip, fcs_fop, fdp, fds;
    uint8_t st[8][10];
} __attribute__((packed));

static void state_load(struct cpu *c)
{
    struct fpu *f = &c->fpu;
    struct fsave image = {.fcw = f->fcw};
    /* With CR0.NE clear an unmasked flag may be standing; the host must not
     * trip over it. */
    unsigned standing = f->fsw & ~f->fcw & FSW_FLAGS;
    image.fsw = f->fsw & ~(standing | FSW_ES | FSW_B);
    for (unsigned n = 0; n < 8; n++) {
        if (!((f->tags >> n) & 1))
            image.ftw |= 3u << (n * 2);
        memcpy(image.st[n], fpu_st(c, n), 10);
    }
    __asm__ volatile("frstor %0" : : "m"(image));
}

/* Returns the unmasked exceptions that the instruction raised. */
static unsigned state_save(struct cpu *c)
{
    struct fpu *f = &c->fpu;
    struct fsave image;
    unsigned standing = f->fsw & ~f->fcw & FSW_FLAGS;
    __asm__ volatile("fnsave %0" : "=m"(image)); /* and FNINIT */
    unsigned raised = image.fsw & ~(unsigned)f->fcw & FSW_FLAGS;
    f->fsw = (uint16_t)(image.fsw | standing);
    f->tags = 0;
    for (unsigned n = 0; n < 8; n++) {
        if (((image.ftw >> (n * 2)) & 3) != 3)
            f->tags |= (uint8_t)(1u << n);
        memcpy(fpu_st(c, n), image.st[n], 10);
    }
    fpu_control_changed(c);
    return raised;
}

/* --- checks --------------------------------------------------------------- */

void fpu_check(struct cpu *c)
{
    if (c->cr0 & (CR0_EM | CR0_TS))
        cpu_fault(c, VEC_NM);
}

static void raise_pending(struct cpu *c)
{
    if (!(c->fpu.fsw & FSW_ES))
        return;
    if (c->cr0 & CR0_NE)
        cpu_fault(c, VEC_MF);
    log_line(&c->machine->log, LOG_UNIMP,
             "x87: FERR# and IRQ 13 (CR0.NE is clear)\n");
}

void fpu_check_waiting(struct cpu *c)
{
    fpu_check(c);
    raise_pending(c);
}

void mmx_check(struct cpu *c)
{
    if (c->cr0 & CR0_EM)
        cpu_fault(c, VEC_UD);
    if (c->cr0 & CR0_TS)
        cpu_fault(c, VEC_NM);
    raise_pending(c);
}

void fpu_control_changed(struct cpu *c)
{
    struct fpu *f = &c->fpu;
    if (f->fsw & ~f->fcw & FSW_FLAGS)
        f->fsw |= FSW_ES | FSW_B;
    else
        f->fsw &= (uint16_t) ~(FSW_ES | FSW_B);
    __asm__ volatile("fnclex");
    fpu_host_fcw(f->fcw);
}

/* --- the slow handlers ---------------------------------------------------- */

const struct uop *fpu_slow_register(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check_waiting(c);
    unsigned fop = u->imm & 0x7FF;
    /* FCMOVcc reads EFLAGS, FCOMI and its kin write ZF, PF and CF and clear
     * the others. */
    unsigned group = fop & 0x7F8;
    bool compares =
        group == 0x3E8 || group == 0x3F0 || group == 0x7E8 || group == 0x7F0;
    state_load(c);
    unsigned flags =
        shelf_call(fpu_shelf_register + ((fop >> 8) * 64 + (fop & 0x3F)) * 4,
                   NULL, flags_pack(fa, fb) & 0xFF);
    state_save(c);
    fpu_note(c, u, c->rip);
    if (compares)
        flags_unpack(flags & (FLAG_ZF | FLAG_PF | FLAG_CF), &c->fa, &c->fb);
    return uop_resume(c, u);
}

/* Sizes of memory operands, by opcode and ModRM.reg. */
static const uint8_t operand_bytes[8][8] = {
    {4, 4, 4, 4, 4, 4, 4, 4},  {4, 0, 4, 4, 0, 0, 0, 0},
    {4, 4, 4, 4, 4, 4, 4, 4},  {4, 4, 4, 4, 0, 10, 0, 10},
    {8, 8, 8, 8, 8, 8, 8, 8},  {8, 8, 8, 8, 0, 0, 0, 0},
    {2, 2, 2, 2, 2, 2, 2, 2},  {2, 2, 2, 2, 10, 8, 10, 8},
};
/* And which of them are written: bit reg. */
static const uint8_t stores[8] = {0, 0x0C, 0, 0x8E, 0, 0x0E, 0, 0xCE};

static void memory_form(struct cpu *c, const struct uop *u)
{
    unsigned op = (unsigned)(u->imm >> 8) & 7, reg = (u->imm >> 3) & 7;
    unsigned size = operand_bytes[op][reg];
    bool write = (stores[op] >> reg) & 1;
    uint8_t operand[16] = {0};
    uint64_t linear = uop_linear(c, u, size, write);
    if (write)
        mmu_probe_write(c, linear, size);
    else
        mmu_load_block(c, linear, operand, size);
    state_load(c);
    shelf_call(fpu_shelf_memory + (op * 8 + reg) * 4, operand, 0);
    /* An unmasked exception other than inexact keeps a store from memory. */
    if (!(state_save(c) & ~(unsigned)MXCSR_PE) && write)
        mmu_store_block(c, linear, operand, size);
    fpu_note(c, u, c->rip);
    fpu_note_data(c, u);
}

const struct uop *fpu_slow_memory(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check_waiting(c);
    memory_form(c, u);
    return uop_resume(c, u);
}

uop_fn *select_fpu(const struct insn *i, uint32_t mode)
{
    unsigned fop = (i->opcode->byte & 7u) << 8 | i->modrm;
    uop_fn *quick = NULL;
    if (!(mode & MODE_NO_FPU))
        quick = i->memory ? fpu_quick_memory(fop, quick_ea_kind(i, mode))
                          : fpu_quick_register(fop);
    if (quick)
        return quick;
    return i->memory ? fpu_slow_memory : fpu_slow_register;
}
