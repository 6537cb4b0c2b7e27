/*
 * Control and debug registers: MOV CR, MOV DR, LMSW, SMSW, CLTS (SDM 3A 2.5,
 * 4.1, 9.8.5, 17.2; SDM 2 MOV).
 *
 * Invariants: a write is checked whole before anything changes; whatever the
 * TLB or the decoder derived from the old value is dropped.
 * Not modelled: caching (CD and NW are stored), CR4.VME and PVI (reserved),
 * restricted transactional memory's bits in DR6 and DR7.
 */
#include "emu/machine.h"
#include "emu/x86/system.h"
#include "emu/x86/decode.h"

#define CR0_STORED (0xE005003Fu)
#define DR6_BD 0x2000u
#define DR7_GD 0x2000u

void cpu_paging_event(struct cpu *c, enum paging_event what, uint64_t value)
{
    struct event event = {
        .kind = EVENT_PAGING,
        .detail = (uint8_t)what,
        .reason = what == PAGING_INVLPG ? 14 : 28, /* INVLPG, CR access */
    };

    if (what == PAGING_INVLPG)
        event.addr = value;
    else
        event.value = value;
    cpu_event(c, &event);
}

/* --- PAE page-directory pointers (SDM 3A 4.4.1) -------------------------- */

/* Loads the four registers from memory. False: reserved bits are set. */
static bool load_pdptes(struct cpu *c, uint64_t cr3)
{
    const uint64_t reserved = UINT64_C(0x1E6) | UINT64_MAX
                                                    << c->model->physical_bits;
    uint64_t entry[4];

    for (unsigned i = 0; i < 4; i++) {
        uint64_t gpa = ((cr3 & 0xFFFFFFE0u) + i * 8) & c->a20_mask;
        entry[i] = bus_read(&c->machine->memory, gpa, 8);
        if ((entry[i] & 1) && (entry[i] & reserved))
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        c->pdpte[i] = entry[i];
    return true;
}

/* --- CR0, CR3, CR4 ------------------------------------------------------- */

/* PG goes up: long mode if EFER.LME says so, else PAE tables if CR4 does. */
static bool enter_paging(struct cpu *c)
{
    if (!(c->msr.efer & EFER_LME))
        return !(c->cr4 & CR4_PAE) || load_pdptes(c, c->cr3);
    unsigned tss = c->tr.access & ACC_TYPE;
    if (!(c->cr4 & CR4_PAE) || (c->seg[SEG_CS].access & ACC_L) ||
        tss == SYS_TSS16 || tss == SYS_TSS16_BUSY)
        return false;
    c->msr.efer |= EFER_LMA;
    c->long_mode = true;
    return true;
}

static bool leave_paging(struct cpu *c)
{
    if (cpu_64bit(c))
        return false;
    c->msr.efer &= ~(uint64_t)EFER_LMA;
    c->long_mode = false;
    return true;
}

bool cr0_write(struct cpu *c, uint64_t value)
{
    uint64_t old = c->cr0;

    if (value >> 32)
        return false;
    value = (value & CR0_STORED) | CR0_ET;
    uint64_t changed = value ^ old;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    if ((value & CR0_NW) && !(value & CR0_CD))
        return false;
    if (changed & CR0_PG) {
        if (!(value & CR0_PG ? enter_paging(c) : leave_paging(c)))
            return false;
    } else if ((value & CR0_PG) && (changed & (CR0_CD | CR0_NW)) &&
               (c->cr4 & CR4_PAE) && !c->long_mode) {
        if (!load_pdptes(c, c->cr3))
            return false;
    }
    c->cr0 = value;
    if (changed & (CR0_PG | CR0_PE | CR0_WP))
        mmu_flush_all(c);
    if (changed & (CR0_PG | CR0_WP | CR0_CD | CR0_NW))
        cpu_paging_event(c, PAGING_CR0, value);
    cpu_mode_changed(c);
    return true;
}

bool cr3_write(struct cpu *c, uint64_t value)
{
    if (c->long_mode && (value >> c->model->physical_bits))
        return false;
    if ((c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !c->long_mode &&
        !load_pdptes(c, value))
        return false;
    c->cr3 = value;
    mmu_flush(c);
    cpu_paging_event(c, PAGING_CR3, value);
    return true;
}

static uint64_t cr4_allowed(const struct cpu_model *m)
{
    static const struct {
        uint32_t feature, bit;
    } leaf1[] = {
        {CPUID_TSC, CR4_TSD},     {CPUID_DE, CR4_DE},
        {CPUID_PSE, CR4_PSE},     {CPUID_PAE, CR4_PAE},
        {CPUID_MCE, CR4_MCE},     {CPUID_PGE, CR4_PGE},
        {CPUID_FXSR, CR4_OSFXSR}, {CPUID_SSE, CR4_OSXMMEXCPT},
        {CPUID_MMX, CR4_PCE},
    };
    uint64_t allowed = 0;

    for (size_t i = 0; i < sizeof(leaf1) / sizeof(*leaf1); i++) {
        if (m->leaf1_edx & leaf1[i].feature)
            allowed |= leaf1[i].bit;
    }
    if (m->leaf7_ebx & CPUID_FSGSBASE)
        allowed |= CR4_FSGSBASE;
    if (m->leaf7_ebx & CPUID_SMEP)
        allowed |= CR4_SMEP;
    if (m->leaf7_ebx & CPUID_SMAP)
        allowed |= CR4_SMAP;
    return allowed;
}

bool cr4_write(struct cpu *c, uint64_t value)
{
    const uint64_t paging = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP;
    uint64_t changed = value ^ c->cr4;

    if (value & ~cr4_allowed(c->model))
        return false;
    if (c->long_mode && !(value & CR4_PAE))
        return false;
    if ((changed & paging) && (value & CR4_PAE) && (c->cr0 & CR0_PG) &&
        !c->long_mode && !load_pdptes(c, c->cr3))
        return false;
    c->cr4 = value;
    if (changed & paging)
        mmu_flush_all(c);
    cpu_paging_event(c, PAGING_CR4, value);
    cpu_mode_changed(c);
    return true;
}

static uint64_t cr8_read(struct cpu *c)
{
    const struct intc *intc = &c->machine->intc;
    return intc->get_tpr ? intc->get_tpr(intc->ctx) >> 4 : c->cr8;
}

static bool cr8_write(struct cpu *c, uint64_t value)
{
    const struct intc *intc = &c->machine->intc;

    if (value > 15)
        return false;
    c->cr8 = value;
    if (intc->set_tpr)
        intc->set_tpr(intc->ctx, (uint8_t)(value << 4));
    return true;
}

/* --- MOV CR -------------------------------------------------------------- */

static bool cr_exists(const struct cpu *c, unsigned number)
{
    return number == 0 || (number >= 2 && number <= 4) ||
           (number == 8 && cpu_64bit(c));
}

const struct uop *op_mov_from_cr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t value;
    if (!cr_exists(c, u->reg))
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_MOV_CR);
    cpu_require_cpl0(c);
    switch (u->reg) {
    case 0:
        value = c->cr0;
        break;
    case 2:
        value = c->cr2;
        break;
    case 3:
        value = c->cr3;
        break;
    case 4:
        value = c->cr4;
        break;
    default:
        value = cr8_read(c);
        break;
    }
    reg_set(c, u->rm, value, cpu_64bit(c) ? 8 : 4);
    return uop_resume(c, u);
}

static bool cr_write(struct cpu *c, unsigned number, uint64_t value)
{
    switch (number) {
    case 0:
        return cr0_write(c, value);
    case 2:
        c->cr2 = value;
        return true;
    case 3:
        return cr3_write(c, value);
    case 4:
        return cr4_write(c, value);
    default:
        return cr8_write(c, value);
    }
}

const struct uop *op_mov_to_cr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if (!cr_exists(c, u->reg))
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_MOV_CR);
    cpu_require_cpl0(c);
    uint64_t next = uop_next_rip(c, u);
    if (!cr_write(c, u->reg, reg_get(c, u->rm, cpu_64bit(c) ? 8 : 4)))
        cpu_gp(c);
    c->rip = next;
    return uop_leave(c, u);
}

const struct uop *op_clts(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_CLTS);
    cpu_require_cpl0(c);
    c->cr0 &= ~(uint64_t)CR0_TS;
    cpu_mode_changed(c);
    c->rip = uop_next_rip(c, u);
    return uop_leave(c, u);
}

const struct uop *op_smsw(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_SMSW);
    uop_set_rm(c, u, c->cr0, u->flags & UOP_MEM ? 2 : u->size);
    return uop_resume(c, u);
}

const struct uop *op_lmsw(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_LMSW);
    cpu_require_cpl0(c);
    uint64_t value = uop_get_rm(c, u, 2);
    uint64_t next = uop_next_rip(c, u);
    /* PE may be set, not cleared. */
    if (!cr0_write(c, (c->cr0 & ~UINT64_C(0xE)) | (value & 0xF)))
        cpu_gp(c);
    c->rip = next;
    return uop_leave(c, u);
}

/* --- MOV DR -------------------------------------------------------------- */

/* The register that number means, after all checks. */
static unsigned debug_register(struct cpu *c, unsigned number)
{
    if (number > 7 || ((number == 4 || number == 5) && (c->cr4 & CR4_DE)))
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_MOV_DR);
    cpu_require_cpl0(c);
    if (c->dr[7] & DR7_GD) {
        c->dr[6] |= DR6_BD;
        cpu_fault(c, VEC_DB);
    }
    return number == 4 || number == 5 ? number + 2 : number;
}

const struct uop *op_mov_from_dr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned number = debug_register(c, u->reg);
    reg_set(c, u->rm, c->dr[number], cpu_64bit(c) ? 8 : 4);
    return uop_resume(c, u);
}

const struct uop *op_mov_to_dr(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned number = debug_register(c, u->reg);
    uint64_t value = reg_get(c, u->rm, cpu_64bit(c) ? 8 : 4);
    if (number >= 6 && (value >> 32))
        cpu_gp(c);
    if (number == 6)
        value = (value & 0xE00F) | 0xFFFF0FF0u;
    else if (number == 7)
        value = (value & 0xFFFF23FFu) | 0x400;
    /* Pages with data breakpoints must not be in the TLB. */
    bool armed = ((c->dr[7] | (number == 7 ? value : 0)) & 0xFF) != 0;
    c->dr[number] = value;
    c->eflags &= ~(uint32_t)FLAG_RF; /* may be old while nothing steps */
    if (number != 6 && armed)
        mmu_flush_all(c);
    c->rip = uop_next_rip(c, u);
    cpu_mode_changed(c);
    return uop_leave(c, u);
}
