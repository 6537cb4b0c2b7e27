/*
 * The CPU's state: power-on values, derived values, lines from outside, and
 * the two ways out of an instruction (a fault, an event).
 *
 * SDM 3A 9.1 (state after reset), 3A 3.4 (flat segments), 2.3 (EFLAGS).
 * Not modelled: INIT as something different from reset, SMM, virtual-8086
 * mode extensions, the local APIC's part of the CPU (devices/lapic.c).
 */
#include "emu/x86/cpu.h"
#include "emu/x86/fp.h"

#include "emu/machine.h"
#include "emu/x86/flags.h"
#include "emu/x86/system.h"

#include <stdlib.h>
#include <string.h>

#define SEG_REAL_DATA 0x0093u /* present, writable, accessed */
#define SEG_REAL_CODE 0x009Bu

struct cpu *cpu_new(struct machine *machine, unsigned index)
{
    struct cpu *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->machine = machine;
    c->index = index;
    c->model = &cpu_models[0];
    c->a20_mask = UINT64_MAX;
    mmu_memory_changed(c); /* empty TLBs are not all zeros */
    cpu_reset(c);
    return c;
}

void cpu_free(struct cpu *c)
{
    free(c);
}

static void reset_segments(struct cpu *c)
{
    for (unsigned i = 0; i < SEG_COUNT; i++)
        c->seg[i] = (struct segment){
            .limit = 0xFFFF,
            .access = i == SEG_CS ? SEG_REAL_CODE : SEG_REAL_DATA,
        };
    /* The first fetch is from FFFFFFF0; the first far jump brings CS down. */
    c->seg[SEG_CS].selector = 0xF000;
    c->seg[SEG_CS].base = 0xFFFF0000u;
    c->ldtr = (struct segment){.limit = 0xFFFF, .access = 0x82};
    c->tr = (struct segment){.limit = 0xFFFF, .access = 0x8B};
    c->gdtr = (struct table_register){.limit = 0xFFFF};
    c->idtr = (struct table_register){.limit = 0xFFFF};
}

static void reset_msrs(struct cpu *c)
{
    memset(&c->msr, 0, sizeof(c->msr));
    c->msr.pat = UINT64_C(0x0007040600070406);
    /* Fast strings on; branch trace and PEBS not available. */
    c->msr.misc_enable = 0x1801;
    c->msr.bios_sign_id = UINT64_C(1) << 32;
    c->msr.tsc_offset = -(int64_t)clock_now_ns(&c->machine->clock);
}

void cpu_reset(struct cpu *c)
{
    memset(c->r, 0, sizeof(c->r));
    c->r[R_DX] = cpu_model_signature(c->model);
    c->rip = 0xFFF0;
    flags_unpack(0, &c->fa, &c->fb);
    c->eflags = 2;
    c->cpl = 0;
    c->long_mode = false;
    reset_segments(c);
    c->cr0 = CR0_CD | CR0_NW | CR0_ET;
    c->cr2 = c->cr3 = c->cr4 = c->cr8 = 0;
    memset(c->dr, 0, sizeof(c->dr));
    c->dr[6] = 0xFFFF0FF0u;
    c->dr[7] = 0x400;
    memset(c->pdpte, 0, sizeof(c->pdpte));
    reset_msrs(c);
    memset(&c->fpu, 0, sizeof(c->fpu));
    c->fpu.fcw = 0x40; /* not what FNINIT makes of it */
    memset(c->xmm, 0, sizeof(c->xmm));
    c->mxcsr = 0x1F80;
    c->intr_line = false;
    c->nmi_blocked = false;
    c->shadow_rip = UINT64_MAX;
    c->pending = 0;
    c->dr6_trap = 0;
    c->delivering = 0;
    c->delivering_contributory = c->delivering_pf = c->delivering_df = false;
    cpu_mode_changed(c);
    mmu_flush_all(c);
    c->pending |= PENDING_LEAVE;
}

/* --- lines --------------------------------------------------------------- */

void cpu_interrupt_window(struct cpu *c)
{
    if (c->intr_line && (c->eflags & FLAG_IF))
        c->pending |= PENDING_INTR;
    else
        c->pending &= ~(uint32_t)PENDING_INTR;
}

/* An event that arrives between STI, MOV SS or POP SS and the instruction
 * after it waits for that one. A false match delays it by an instruction. */
static void respect_shadow(struct cpu *c)
{
    if (c->rip == c->shadow_rip)
        c->pending |= PENDING_SHADOW;
    c->shadow_rip = UINT64_MAX;
}

void cpu_set_intr(struct cpu *c, bool level)
{
    if (level && !c->intr_line)
        respect_shadow(c);
    c->intr_line = level;
    cpu_interrupt_window(c);
}

void cpu_set_nmi(struct cpu *c, bool level)
{
    /* Edge-triggered: remembered until taken. */
    if (!level)
        return;
    respect_shadow(c);
    c->pending |= PENDING_NMI;
}

void cpu_set_a20(struct cpu *c, bool enabled)
{
    uint64_t mask = enabled ? UINT64_MAX : ~(UINT64_C(1) << 20);

    if (mask == c->a20_mask)
        return;
    c->a20_mask = mask;
    mmu_flush_all(c);
    c->pending |= PENDING_LEAVE;
}

bool cpu_has_work(struct cpu *c)
{
    if ((c->pending & PENDING_NMI) && !c->nmi_blocked)
        return true;
    return c->intr_line && (c->eflags & FLAG_IF);
}

bool cpu_halted(const struct cpu *c)
{
    return (c->pending & PENDING_HALT) != 0;
}

uint64_t cpu_linear_rip(const struct cpu *c)
{
    uint64_t linear = c->seg_base[SEG_CS] + c->rip;
    return c->long_mode ? linear : (uint32_t)linear;
}

uint64_t cpu_rip(const struct cpu *c)
{
    return c->rip;
}

unsigned cpu_index(const struct cpu *c)
{
    return c->index;
}

uint64_t cpu_tsc(struct cpu *c)
{
    return clock_now_ns(&c->machine->clock) + (uint64_t)c->msr.tsc_offset;
}

/* --- EFLAGS -------------------------------------------------------------- */

uint32_t cpu_get_eflags(const struct cpu *c)
{
    return c->eflags | flags_pack(c->fa, c->fb) | 2u;
}

void cpu_set_eflags(struct cpu *c, uint32_t eflags)
{
    uint32_t old = c->eflags;

    flags_unpack(eflags, &c->fa, &c->fb);
    c->eflags = (eflags & ~(uint32_t)FLAGS_ARITH & 0x3FFFFFu) | 2u;
    cpu_interrupt_window(c);
    if ((old ^ c->eflags) & (FLAG_TF | FLAG_AC | FLAG_VM))
        cpu_mode_changed(c);
}

/* --- derived values ------------------------------------------------------ */

void cpu_choose_bank(struct cpu *c)
{
    enum tlb_bank bank = TLB_KERNEL;
    bool ac = (c->eflags & FLAG_AC) != 0;

    if (c->cpl == 3)
        bank = ac && (c->cr0 & CR0_AM) ? TLB_CHECKED : TLB_USER;
    else if (ac && (c->cr4 & CR4_SMAP))
        bank = TLB_KERNEL_AC;
    c->tlb_now = &c->tlb[bank];
}

static bool flat(const struct segment *s)
{
    const unsigned look =
        ACC_P | ACC_S | ACC_CODE | ACC_EXPAND_DOWN | ACC_WRITABLE;
    return s->base == 0 && s->limit == UINT32_MAX &&
           (s->access & look) == (ACC_P | ACC_S | ACC_WRITABLE);
}

static uint32_t compute_mode(const struct cpu *c)
{
    const struct segment *cs = &c->seg[SEG_CS];
    uint32_t mode = 0;

    if (c->seg[SEG_SS].access & ACC_DB)
        mode |= MODE_STACK32;
    if (c->long_mode && (cs->access & ACC_L))
        return mode | MODE_CODE64 | MODE_FLAT_ES | MODE_FLAT_SS | MODE_FLAT_DS;
    mode |= cs->access & ACC_DB ? MODE_CODE32 : MODE_CODE16;
    if (flat(&c->seg[SEG_ES]))
        mode |= MODE_FLAT_ES;
    if (flat(&c->seg[SEG_SS]))
        mode |= MODE_FLAT_SS;
    if (flat(&c->seg[SEG_DS]))
        mode |= MODE_FLAT_DS;
    if (cs->limit != UINT32_MAX)
        mode |= MODE_CS_SHORT;
    return mode;
}

/* Does DR7 arm a breakpoint on execution? Those on data are the TLB's affair,
 * those on ports the port instructions'. */
static bool execution_breakpoints(uint64_t dr7)
{
    for (unsigned n = 0; n < 4; n++) {
        if ((dr7 & (3u << (n * 2))) && !((dr7 >> (16 + n * 4)) & 3))
            return true;
    }
    return false;
}

void cpu_mode_changed(struct cpu *c)
{
    struct tlb *old_tlb = c->tlb_now;
    uint64_t old_ip_mask = c->ip_mask;
    uint32_t old_mode = c->mode;

    c->mode = compute_mode(c) | fp_mode(c);
    bool wide = (c->mode & MODE_CODE) == MODE_CODE64;
    c->ip_mask = wide ? UINT64_MAX : UINT32_MAX;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        c->seg_base[i] = wide && i < SEG_FS ? 0 : c->seg[i].base;
    cpu_choose_bank(c);
    if ((c->eflags & FLAG_TF) || execution_breakpoints(c->dr[7]))
        c->pending |= PENDING_STEP;
    else
        c->pending &= ~(uint32_t)PENDING_STEP;
    if (c->mode != old_mode || c->ip_mask != old_ip_mask ||
        c->tlb_now != old_tlb)
        c->pending |= PENDING_LEAVE;
}

/* --- faults and events --------------------------------------------------- */

_Noreturn static void raise_fault(struct cpu *c, enum vector vector,
                                  bool has_error, uint32_t error)
{
    c->fault.vector = (uint8_t)vector;
    c->fault.has_error = has_error;
    c->fault.error = error;
    longjmp(c->unwind, UNWIND_FAULT);
}

void cpu_fault(struct cpu *c, enum vector vector)
{
    raise_fault(c, vector, false, 0);
}

void cpu_fault_error(struct cpu *c, enum vector vector, uint32_t error)
{
    raise_fault(c, vector, true, error);
}

void cpu_gp(struct cpu *c)
{
    raise_fault(c, VEC_GP, true, 0);
}

void cpu_event(struct cpu *c, struct event *event)
{
    event->cpu = (uint16_t)c->index;
    event->rip = c->rip;
    machine_trap(c->machine, event);
}

void cpu_sensitive(struct cpu *c, enum sensitive what)
{
    struct ledger *ledger = &c->machine->ledger;

    if (!(ledger->wanted & (1u << EVENT_SENSITIVE))) {
        ledger->seq++;
        ledger->count[EVENT_SENSITIVE]++;
        ledger->sensitive_count[what]++;
        return;
    }
    struct event event = {
        .kind = EVENT_SENSITIVE,
        .detail = (uint8_t)what,
        .addr = c->seg_base[SEG_CS] + c->rip,
    };
    cpu_event(c, &event);
}
