/*
 * Model-specific registers: RDMSR, WRMSR and the registers behind them (SDM 4
 * chapter 2). What is not here does not exist: #GP, logged under `unimp`.
 *
 * MTRRs, PAT and MISC_ENABLE are storage with the checks that hardware makes;
 * memory types have no effect. IA32_SPEC_CTRL and PRED_CMD have nothing to
 * control.
 * Not modelled: last-branch records, BTF, machine-check banks, performance
 * counters, microcode (a load is accepted and ignored).
 */
#include "emu/machine.h"
#include "emu/x86/system.h"
#include "emu/x86/decode.h"

#include <inttypes.h>

enum {
    MSR_P5_MC_ADDR = 0x0, MSR_P5_MC_TYPE = 0x1, MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1B, MSR_EBL_CR_POWERON = 0x2A,
    MSR_SMI_COUNT = 0x34, MSR_FEATURE_CONTROL = 0x3A, MSR_SPEC_CTRL = 0x48,
    MSR_PRED_CMD = 0x49, MSR_BIOS_UPDT_TRIG = 0x79, MSR_BIOS_SIGN_ID = 0x8B,
    MSR_FSB_FREQ = 0xCD, MSR_PLATFORM_INFO = 0xCE, MSR_MTRRCAP = 0xFE,
    MSR_ARCH_CAPABILITIES = 0x10A, MSR_BBL_CR_CTL3 = 0x11E,
    MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176, MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17A,
    MSR_MISC_ENABLE = 0x1A0, MSR_DEBUGCTL = 0x1D9, MSR_LASTBRANCH = 0x1DB,
    MSR_LASTINTTO = 0x1DE, MSR_MTRR_PHYS = 0x200, MSR_MTRR_PHYS_END = 0x20F,
    MSR_MTRR_FIX64K = 0x250, MSR_MTRR_FIX16K_0 = 0x258,
    MSR_MTRR_FIX16K_1 = 0x259, MSR_MTRR_FIX4K = 0x268,
    MSR_MTRR_FIX4K_END = 0x26F, MSR_PAT = 0x277, MSR_MTRR_DEF_TYPE = 0x2FF,
};
#define MSR_EFER 0xC0000080u
#define MSR_STAR 0xC0000081u
#define MSR_LSTAR 0xC0000082u
#define MSR_CSTAR 0xC0000083u
#define MSR_FMASK 0xC0000084u
#define MSR_FS_BASE 0xC0000100u
#define MSR_GS_BASE 0xC0000101u
#define MSR_KERNEL_GS_BASE 0xC0000102u
#define MSR_TSC_AUX 0xC0000103u

/* Nothing speculates here: RDCL_NO, IBRS_ALL, SSB_NO, MDS_NO, PSCHANGE_MC_NO,
 * TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO,
 * ITS_NO. */
#define ARCH_CAPABILITIES UINT64_C(0x400000000D10E173)
#define SPEC_CTRL_BITS 0x403 /* IBRS, STIBP, BHI_DIS_S */
#define MTRRCAP 0x508 /* 8 variable ranges, fixed ranges, write-combining */
#define MISC_ENABLE_FIXED 0x1800u
#define MISC_ENABLE_WRITABLE UINT64_C(0x450089)

/* --- paging-related: EFER ------------------------------------------------ */

static bool efer_write(struct cpu *c, uint64_t value)
{
    const uint32_t ext = c->model->ext_edx;
    uint64_t allowed = EFER_LMA;
    uint64_t old = c->msr.efer;

    if (ext & CPUID_SYSCALL)
        allowed |= EFER_SCE;
    if (ext & CPUID_LM)
        allowed |= EFER_LME;
    if (ext & CPUID_NX)
        allowed |= EFER_NXE;
    if (value & ~allowed)
        return false;
    if (((value ^ old) & EFER_LME) && (c->cr0 & CR0_PG))
        return false;
    value = (value & ~(uint64_t)EFER_LMA) | (old & EFER_LMA);
    c->msr.efer = value;
    if ((value ^ old) & EFER_NXE)
        mmu_flush_all(c);
    cpu_paging_event(c, PAGING_EFER, value);
    return true;
}

/* --- memory types -------------------------------------------------------- */

static bool mtrr_type_valid(unsigned type)
{
    return type <= 6 && type != 2 && type != 3;
}

static bool all_types_valid(uint64_t value, bool pat)
{
    for (unsigned i = 0; i < 64; i += 8) {
        unsigned type = (value >> i) & 0xFF;
        if (!mtrr_type_valid(type) && !(pat && type == 7))
            return false;
    }
    return true;
}

static uint64_t *mtrr_fixed(struct cpu *c, uint32_t index)
{
    uint64_t *fixed = c->msr.mtrr_fixed;

    switch (index) {
    case MSR_MTRR_FIX64K:
        return &fixed[0];
    case MSR_MTRR_FIX16K_0:
        return &fixed[1];
    case MSR_MTRR_FIX16K_1:
        return &fixed[2];
    default:
        if (index >= MSR_MTRR_FIX4K && index <= MSR_MTRR_FIX4K_END)
            return &fixed[3 + index - MSR_MTRR_FIX4K];
        return NULL;
    }
}

static uint64_t *mtrr_variable(struct cpu *c, uint32_t index)
{
    if (index < MSR_MTRR_PHYS || index > MSR_MTRR_PHYS_END)
        return NULL;
    unsigned n = (index - MSR_MTRR_PHYS) / 2;
    return index & 1 ? &c->msr.mtrr_mask[n] : &c->msr.mtrr_base[n];
}

/* The MTRR with this number, NULL if there is none. */
static uint64_t *mtrr(struct cpu *c, uint32_t index)
{
    if (!(c->model->leaf1_edx & CPUID_MTRR))
        return NULL;
    if (index == MSR_MTRR_DEF_TYPE)
        return &c->msr.mtrr_def_type;
    uint64_t *fixed = mtrr_fixed(c, index);
    return fixed ? fixed : mtrr_variable(c, index);
}

static bool mtrr_write(struct cpu *c, uint32_t index, uint64_t value)
{
    uint64_t high = UINT64_MAX << c->model->physical_bits;
    uint64_t reserved = 0;

    if (index == MSR_MTRR_DEF_TYPE) {
        reserved = ~UINT64_C(0xCFF);
        if (!mtrr_type_valid(value & 0xFF))
            return false;
    } else if (index >= MSR_MTRR_FIX64K) {
        if (!all_types_valid(value, false))
            return false;
    } else if (index & 1) {
        reserved = high | 0x7FF;
    } else {
        reserved = high | 0xF00;
        if (!mtrr_type_valid(value & 0xFF))
            return false;
    }
    if (value & reserved)
        return false;
    *mtrr(c, index) = value;
    return true;
}

/* --- registers that are storage ------------------------------------------ */

/* Plain 64-bit storage, `canonical` ones with that check. */
static uint64_t *plain(struct cpu *c, uint32_t index, bool *is_address)
{
    const bool lm = (c->model->ext_edx & CPUID_LM) != 0;
    const bool sep = (c->model->leaf1_edx & CPUID_SEP) != 0;

    *is_address = true;
    switch (index) {
    case MSR_SYSENTER_ESP:
        return sep ? &c->msr.sysenter_esp : NULL;
    case MSR_SYSENTER_EIP:
        return sep ? &c->msr.sysenter_eip : NULL;
    case MSR_LSTAR:
        return lm ? &c->msr.lstar : NULL;
    case MSR_CSTAR:
        return lm ? &c->msr.cstar : NULL;
    case MSR_KERNEL_GS_BASE:
        return lm ? &c->msr.kernel_gs_base : NULL;
    case MSR_FS_BASE:
        return lm ? &c->seg[SEG_FS].base : NULL;
    case MSR_GS_BASE:
        return lm ? &c->seg[SEG_GS].base : NULL;
    default:
        break;
    }
    *is_address = false;
    switch (index) {
    case MSR_SYSENTER_CS:
        return sep ? &c->msr.sysenter_cs : NULL;
    case MSR_STAR:
        return lm ? &c->msr.star : NULL;
    case MSR_FMASK:
        return lm ? &c->msr.fmask : NULL;
    default:
        return NULL;
    }
}

static bool plain_write(struct cpu *c, uint64_t *where, bool is_address,
                        uint64_t value)
{
    if (is_address && !canonical(value))
        return false;
    *where = value;
    c->seg_base[SEG_FS] = c->seg[SEG_FS].base;
    c->seg_base[SEG_GS] = c->seg[SEG_GS].base;
    return true;
}

/* --- reading ------------------------------------------------------------- */

static bool read_rest(struct cpu *c, uint32_t index, uint64_t *value)
{
    const struct cpu_model *m = c->model;
    const struct msrs *msr = &c->msr;
    const struct intc *intc = &c->machine->intc;

    *value = 0;
    switch (index) {
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
    case MSR_PLATFORM_ID:
    case MSR_EBL_CR_POWERON:
    case MSR_SMI_COUNT:
    case MSR_BBL_CR_CTL3:
    case MSR_MCG_CAP: /* no banks */
        return true;
    case MSR_TSC:
        *value = cpu_tsc(c);
        return (m->leaf1_edx & CPUID_TSC) != 0;
    case MSR_APIC_BASE:
        if (intc->get_base)
            *value = intc->get_base(intc->ctx);
        return intc->get_base != NULL;
    case MSR_FEATURE_CONTROL:
        *value = msr->feature_control;
        return true;
    case MSR_SPEC_CTRL:
        *value = msr->spec_ctrl;
        return (m->leaf7_edx & CPUID_SPEC_CTRL) != 0;
    case MSR_BIOS_SIGN_ID:
        *value = msr->bios_sign_id;
        return true;
    case MSR_FSB_FREQ:
        *value = 5; /* 100 MHz */
        return true;
    case MSR_PLATFORM_INFO:
        *value = 10 << 8; /* ten times 100 MHz */
        return true;
    case MSR_MTRRCAP:
        *value = MTRRCAP;
        return (m->leaf1_edx & CPUID_MTRR) != 0;
    case MSR_ARCH_CAPABILITIES:
        *value = ARCH_CAPABILITIES;
        return (m->leaf7_edx & CPUID_ARCH_CAPABILITIES) != 0;
    case MSR_MCG_STATUS:
        *value = msr->mcg_status;
        return true;
    case MSR_MISC_ENABLE:
        *value = msr->misc_enable;
        return true;
    case MSR_DEBUGCTL:
        *value = msr->debugctl;
        return true;
    case MSR_PAT:
        *value = msr->pat;
        return (m->leaf1_edx & CPUID_PAT) != 0;
    case MSR_EFER:
        *value = msr->efer;
        return m->ext_edx != 0;
    case MSR_TSC_AUX:
        *value = msr->tsc_aux;
        return (m->ext_edx & CPUID_RDTSCP) != 0;
    default:
        return index >= MSR_LASTBRANCH && index <= MSR_LASTINTTO;
    }
}

bool msr_read(struct cpu *c, uint32_t index, uint64_t *value)
{
    bool is_address;
    const uint64_t *where = plain(c, index, &is_address);

    if (!where)
        where = mtrr(c, index);
    if (where) {
        *value = *where;
        return true;
    }
    return read_rest(c, index, value);
}

/* --- writing ------------------------------------------------------------- */

static bool feature_control_write(struct cpu *c, uint64_t value)
{
    /* Only the lock bit exists; locked, it is read-only. */
    if ((c->msr.feature_control & 1) || (value & ~UINT64_C(1)))
        return false;
    c->msr.feature_control = value;
    return true;
}

static bool tsc_write(struct cpu *c, uint64_t value)
{
    if (!(c->model->leaf1_edx & CPUID_TSC))
        return false;
    c->msr.tsc_offset = (int64_t)(value - clock_now_ns(&c->machine->clock));
    return true;
}

/* Stores the value if it has no bits outside `allowed`. */
static bool masked_write(uint64_t *where, uint64_t value, uint64_t allowed)
{
    if (value & ~allowed)
        return false;
    *where = value;
    return true;
}

static bool write_rest(struct cpu *c, uint32_t index, uint64_t value)
{
    const struct cpu_model *m = c->model;
    const struct intc *intc = &c->machine->intc;

    switch (index) {
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
    case MSR_EBL_CR_POWERON:
    case MSR_BIOS_UPDT_TRIG:
    case MSR_BBL_CR_CTL3:
        return true;
    case MSR_TSC:
        return tsc_write(c, value);
    case MSR_APIC_BASE:
        return intc->set_base && intc->set_base(intc->ctx, value);
    case MSR_FEATURE_CONTROL:
        return feature_control_write(c, value);
    case MSR_SPEC_CTRL:
        return (m->leaf7_edx & CPUID_SPEC_CTRL) &&
               masked_write(&c->msr.spec_ctrl, value, SPEC_CTRL_BITS);
    case MSR_PRED_CMD:
        return (m->leaf7_edx & CPUID_SPEC_CTRL) && value <= 1;
    case MSR_BIOS_SIGN_ID:
        c->msr.bios_sign_id = value;
        return true;
    case MSR_MCG_STATUS:
        return masked_write(&c->msr.mcg_status, value, 7);
    case MSR_MISC_ENABLE:
        c->msr.misc_enable = (value & MISC_ENABLE_WRITABLE) | MISC_ENABLE_FIXED;
        return true;
    case MSR_DEBUGCTL:
        return masked_write(&c->msr.debugctl, value, 3);
    case MSR_PAT:
        if (!(m->leaf1_edx & CPUID_PAT) || !all_types_valid(value, true))
            return false;
        c->msr.pat = value;
        return true;
    case MSR_EFER:
        return m->ext_edx && efer_write(c, value);
    case MSR_TSC_AUX:
        return (m->ext_edx & CPUID_RDTSCP) &&
               masked_write(&c->msr.tsc_aux, value, UINT32_MAX);
    default:
        return false;
    }
}

bool msr_write(struct cpu *c, uint32_t index, uint64_t value)
{
    bool is_address;
    uint64_t *where = plain(c, index, &is_address);

    if (where)
        return plain_write(c, where, is_address, value);
    if (mtrr(c, index))
        return mtrr_write(c, index, value);
    return write_rest(c, index, value);
}

/* --- instructions -------------------------------------------------------- */

static void msr_event(struct cpu *c, uint32_t index, uint64_t value, bool write)
{
    struct event event = {
        .kind = EVENT_MSR,
        .reason = write ? 32 : 31, /* VMX exit reasons WRMSR, RDMSR */
        .addr = index,
        .value = value,
        .write = write,
        .size = 8,
    };
    cpu_event(c, &event);
}

static void require_msrs(struct cpu *c)
{
    if (!(c->model->leaf1_edx & CPUID_MSR))
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_MSR);
    cpu_sync_icount(c);
    cpu_require_cpl0(c);
}

const struct uop *op_rdmsr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    require_msrs(c);
    uint32_t index = (uint32_t)c->r[R_CX];
    uint64_t value;
    if (!msr_read(c, index, &value)) {
        log_line(&c->machine->log, LOG_UNIMP,
                 "rdmsr %08" PRIx32 " at %016" PRIx64 "\n", index, c->rip);
        cpu_gp(c);
    }
    msr_event(c, index, value, false);
    c->r[R_AX] = (uint32_t)value;
    c->r[R_DX] = value >> 32;
    return uop_resume(c, u);
}

const struct uop *op_wrmsr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    require_msrs(c);
    uint32_t index = (uint32_t)c->r[R_CX];
    uint64_t value = (uint32_t)c->r[R_AX] | c->r[R_DX] << 32;
    if (!msr_write(c, index, value)) {
        log_line(&c->machine->log, LOG_UNIMP,
                 "wrmsr %08" PRIx32 " = %016" PRIx64 " at %016" PRIx64 "\n",
                 index, value, c->rip);
        cpu_gp(c);
    }
    msr_event(c, index, value, true);
    c->rip = uop_next_rip(c, u);
    return uop_leave(c, u);
}
