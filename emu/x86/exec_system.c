/*
 * The rest of the system instructions: far transfers and interrupts as
 * instructions, flags, HLT, descriptor-table registers, TLB, fast system
 * calls, time stamps, CPUID (SDM 2; 3A 2.8, 5.8.7, 5.8.8).
 *
 * Invariants: privilege is checked before anything else is looked at; rip is
 * set last, so that a fault finds the instruction's own.
 * Not modelled: SYSCALL and SYSENTER as AMD's compatibility mode has them
 * (SYSCALL there is #UD, as on Intel), CR4.VME.
 */
#include "emu/machine.h"
#include "emu/x86/flags.h"
#include "emu/x86/system.h"
#include "emu/x86/decode.h"

/* --- far transfers and interrupts ---------------------------------------- */

/* The pointer operand of a far jump or call through memory. */
static uint16_t far_pointer(struct cpu *c, const struct uop *u,
                            uint64_t *offset)
{
    uint64_t linear = uop_linear(c, u, u->size + 2u, false);

    *offset = mem_load(c, linear, u->size);
    return (uint16_t)mem_load(c, system_linear(c, linear, u->size), 2);
}

const struct uop *op_callf(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_FAR_CALL);
    segment_far_call(c, (uint16_t)(u->imm >> 32), (uint32_t)u->imm, u->size,
                     uop_next_rip(c, u));
    return uop_leave(c, u);
}

const struct uop *op_callf_mem(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t offset;
    cpu_sensitive(c, SENSITIVE_FAR_CALL);
    uint16_t selector = far_pointer(c, u, &offset);
    segment_far_call(c, selector, offset, u->size, uop_next_rip(c, u));
    return uop_leave(c, u);
}

const struct uop *op_jmpf(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_FAR_JMP);
    segment_far_jump(c, (uint16_t)(u->imm >> 32), (uint32_t)u->imm, u->size);
    return uop_leave(c, u);
}

const struct uop *op_jmpf_mem(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t offset;
    cpu_sensitive(c, SENSITIVE_FAR_JMP);
    uint16_t selector = far_pointer(c, u, &offset);
    segment_far_jump(c, selector, offset, u->size);
    return uop_leave(c, u);
}

const struct uop *op_retf(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_FAR_RET);
    segment_far_return(c, u->size, (unsigned)(u->imm & 0xFFFF));
    return uop_leave(c, u);
}

/* INT3 and INTO count as exceptions too. */
static void software_exception(struct cpu *c, const struct uop *u,
                               enum vector vector)
{
    struct event event = {.kind = EVENT_EXCEPTION, .reason = (uint16_t)vector};

    cpu_event(c, &event);
    interrupt_software(c, (unsigned)vector, uop_next_rip(c, u));
}

const struct uop *op_int3(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    software_exception(c, u, VEC_BP);
    return uop_leave(c, u);
}

const struct uop *op_into(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if (flags_of(c->fb))
        software_exception(c, u, VEC_OF);
    else
        c->rip = uop_next_rip(c, u);
    return uop_leave(c, u);
}

const struct uop *op_int1(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    interrupt_icebp(c, uop_next_rip(c, u));
    return uop_leave(c, u);
}

/* Virtual-8086 mode: what IOPL below 3 forbids. */
static void require_v86_iopl(struct cpu *c)
{
    if ((c->eflags & FLAG_VM) && (c->eflags & FLAG_IOPL) != FLAG_IOPL)
        cpu_gp(c);
}

const struct uop *op_int(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_INT);
    require_v86_iopl(c);
    interrupt_software(c, (unsigned)(u->imm & 0xFF), uop_next_rip(c, u));
    return uop_leave(c, u);
}

const struct uop *op_iret(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_IRET);
    interrupt_return(c, u->size);
    return uop_leave(c, u);
}

const struct uop *op_bound(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t linear = uop_linear(c, u, u->size * 2u, false);
    uint64_t second = system_linear(c, linear, u->size);
    int64_t index, low, high;
    if (u->size == 2) {
        index = (int16_t)reg_get(c, u->reg, 2);
        low = (int16_t)mem_load(c, linear, 2);
        high = (int16_t)mem_load(c, second, 2);
    } else {
        index = (int32_t)reg_get(c, u->reg, 4);
        low = (int32_t)mem_load(c, linear, 4);
        high = (int32_t)mem_load(c, second, 4);
    }
    if (index < low || index > high)
        cpu_fault(c, VEC_BR);
    return uop_resume(c, u);
}

const struct uop *op_ud(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_fault(c, VEC_UD);
}

/* --- flags --------------------------------------------------------------- */

/* CLI and STI (without VME and PVI). */
static void require_iopl(struct cpu *c)
{
    if ((c->cr0 & CR0_PE) && c->cpl > ((c->eflags >> 12) & 3))
        cpu_gp(c);
}

const struct uop *op_cli(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_CLI);
    require_iopl(c);
    c->eflags &= ~(uint32_t)FLAG_IF;
    cpu_interrupt_window(c);
    return uop_resume(c, u);
}

const struct uop *op_sti(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_STI);
    require_iopl(c);
    if (!(c->eflags & FLAG_IF)) {
        c->eflags |= FLAG_IF;
        cpu_interrupt_window(c);
        /* One more instruction first: STI; HLT must not miss its wake-up. */
        cpu_start_shadow(c, uop_next_rip(c, u));
    }
    return uop_resume(c, u);
}

const struct uop *op_cld(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    c->eflags &= ~(uint32_t)FLAG_DF;
    return uop_resume(c, u);
}

const struct uop *op_std(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    c->eflags |= FLAG_DF;
    return uop_resume(c, u);
}

const struct uop *op_pushf(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_PUSHF);
    require_v86_iopl(c);
    uint64_t mask = stack_mask(c);
    uint64_t sp = (c->r[R_SP] - u->size) & mask;
    uint64_t linear = segment_linear(c, SEG_SS, sp, u->size, true);
    mem_store(c, linear, cpu_get_eflags(c) & ~(uint32_t)(FLAG_VM | FLAG_RF),
              u->size);
    stack_set_sp(c, sp, mask);
    return uop_resume(c, u);
}

/* Flags that POPF may change now. */
static uint32_t popf_mask(const struct cpu *c, unsigned size)
{
    uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;

    if (size != 2)
        mask |= FLAG_AC | FLAG_ID;
    if (c->eflags & FLAG_VM)
        return mask | FLAG_IF; /* IOPL is 3, or it had faulted */
    if (c->cpl == 0)
        mask |= FLAG_IOPL;
    if (c->cpl <= ((c->eflags >> 12) & 3))
        mask |= FLAG_IF;
    return mask;
}

const struct uop *op_popf(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_POPF);
    require_v86_iopl(c);
    uint32_t image = (uint32_t)stack_peek(c, 0, u->size);
    uint32_t mask = popf_mask(c, u->size);
    uint64_t next = uop_next_rip(c, u);
    stack_set_sp(c, c->r[R_SP] + u->size, stack_mask(c));
    uint32_t kept = cpu_get_eflags(c) & ~(mask | FLAG_RF);
    if (u->size != 2 && !(c->eflags & FLAG_VM))
        kept &= ~(uint32_t)(FLAG_VIF | FLAG_VIP);
    cpu_set_eflags(c, kept | (image & mask));
    c->rip = next;
    return uop_leave(c, u);
}

/* EFLAGS.AC chooses the TLB bank, which no decoded code depends on. */
static const struct uop *set_ac(struct cpu *c, const struct uop *u, bool ac)
{
    if (c->cpl != 0 || !(c->model->leaf7_ebx & CPUID_SMAP))
        cpu_fault(c, VEC_UD);
    c->eflags = ac ? c->eflags | FLAG_AC : c->eflags & ~(uint32_t)FLAG_AC;
    cpu_choose_bank(c);
    return uop_resume(c, u);
}

const struct uop *op_clac(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    return set_ac(c, u, false);
}

const struct uop *op_stac(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    return set_ac(c, u, true);
}

/* --- halting, caches, TLB ------------------------------------------------ */

const struct uop *op_hlt(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    struct event event = {.kind = EVENT_HLT, .reason = 12};
    cpu_sensitive(c, SENSITIVE_HLT);
    cpu_require_cpl0(c);
    cpu_event(c, &event);
    c->pending |= PENDING_HALT;
    c->rip = uop_next_rip(c, u);
    return uop_leave(c, u);
}

const struct uop *op_wbinvd(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_WBINVD);
    cpu_require_cpl0(c);
    return uop_resume(c, u);
}

const struct uop *op_clflush(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    /* Checked like a load, without being one for a device. */
    mmu_probe_read(c, uop_linear(c, u, 1, false), 1);
    return uop_resume(c, u);
}

const struct uop *op_invlpg(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_INVLPG);
    cpu_require_cpl0(c);
    /* No access is made: no limit, type or canonical check. */
    uint64_t linear = c->seg_base[u->seg] + uop_ea(c, u);
    if (!cpu_64bit(c))
        linear = (uint32_t)linear;
    uint64_t next = uop_next_rip(c, u);
    mmu_invlpg(c, linear);
    cpu_paging_event(c, PAGING_INVLPG, linear);
    c->rip = next;
    return uop_leave(c, u);
}

/* --- descriptor-table registers ------------------------------------------ */

static const struct uop *store_table(struct cpu *c, const struct uop *u,
                                     const struct table_register *table)
{
    unsigned size = cpu_64bit(c) ? 8 : 4;
    uint64_t linear = uop_linear(c, u, size + 2, true);
    uint64_t base_at = system_linear(c, linear, 2);

    /* Both parts must be writable before either is written. */
    mmu_probe_write(c, linear, 2);
    mmu_probe_write(c, base_at, size);
    mem_store(c, linear, table->limit, 2);
    mem_store(c, base_at, table->base, size);
    return uop_resume(c, u);
}

static const struct uop *load_table(struct cpu *c, const struct uop *u,
                                    struct table_register *table)
{
    unsigned size = cpu_64bit(c) ? 8 : 4;

    cpu_require_cpl0(c);
    uint64_t linear = uop_linear(c, u, size + 2, false);
    uint16_t limit = (uint16_t)mem_load(c, linear, 2);
    uint64_t base = mem_load(c, system_linear(c, linear, 2), size);
    if (size == 8 && !canonical(base))
        cpu_gp(c);
    if (size == 4 && u->size == 2)
        base &= 0xFFFFFF;
    table->base = base;
    table->limit = limit;
    return uop_resume(c, u);
}

const struct uop *op_sgdt(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_SGDT);
    return store_table(c, u, &c->gdtr);
}

const struct uop *op_sidt(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_SIDT);
    return store_table(c, u, &c->idtr);
}

const struct uop *op_lgdt(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_LGDT);
    return load_table(c, u, &c->gdtr);
}

const struct uop *op_lidt(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_LIDT);
    return load_table(c, u, &c->idtr);
}

/* --- identification, time ------------------------------------------------ */

static NOINLINE void do_cpuid(struct cpu *c)
{
    uint32_t leaf = (uint32_t)c->r[R_AX], out[4];
    uint32_t subleaf = (uint32_t)c->r[R_CX];
    struct event event = {
        .kind = EVENT_CPUID, .reason = 10, .addr = leaf, .value = subleaf,
    };
    cpu_sensitive(c, SENSITIVE_CPUID);
    cpu_event(c, &event);
    cpu_cpuid(c, leaf, subleaf, out);
    c->r[R_AX] = out[0];
    c->r[R_BX] = out[1];
    c->r[R_CX] = out[2];
    c->r[R_DX] = out[3];
}

const struct uop *op_cpuid(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    do_cpuid(c);
    return uop_resume(c, u);
}

static void read_tsc(struct cpu *c)
{
    cpu_sensitive(c, SENSITIVE_RDTSC);
    cpu_sync_icount(c);
    if ((c->cr4 & CR4_TSD) && c->cpl != 0)
        cpu_gp(c);
    uint64_t tsc = cpu_tsc(c);
    c->r[R_AX] = (uint32_t)tsc;
    c->r[R_DX] = tsc >> 32;
}

const struct uop *op_rdtsc(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if (!(c->model->leaf1_edx & CPUID_TSC))
        cpu_fault(c, VEC_UD);
    read_tsc(c);
    return uop_resume(c, u);
}

const struct uop *op_rdtscp(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if (!(c->model->ext_edx & CPUID_RDTSCP))
        cpu_fault(c, VEC_UD);
    read_tsc(c);
    c->r[R_CX] = (uint32_t)c->msr.tsc_aux;
    return uop_resume(c, u);
}

const struct uop *op_rdpmc(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    cpu_sensitive(c, SENSITIVE_RDPMC);
    /* There are no counters: whatever ECX is, it names none. */
    cpu_gp(c);
}

/* --- fast system calls --------------------------------------------------- */

/* CS and SS as SYSCALL and its kin make them, out of no descriptor. */
static void flat_segments(struct cpu *c, uint16_t cs, uint16_t ss, unsigned cpl,
                          bool wide)
{
    const unsigned common = ACC_P | ACC_S | ACC_G | cpl << 5;

    c->seg[SEG_CS] = (struct segment){
        .limit = UINT32_MAX,
        .selector = (uint16_t)((cs & 0xFFFCu) | cpl),
        .access = (uint16_t)(common | ACC_CODE | ACC_WRITABLE | ACC_ACCESSED |
                             (wide ? ACC_L : ACC_DB)),
    };
    c->seg[SEG_SS] = (struct segment){
        .limit = UINT32_MAX,
        .selector = (uint16_t)((ss & 0xFFFCu) | cpl),
        .access =
            (uint16_t)(common | ACC_WRITABLE | ACC_ACCESSED | ACC_DB),
    };
    c->cpl = (uint8_t)cpl;
}

const struct uop *op_syscall(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if (!(c->msr.efer & EFER_SCE) || !cpu_64bit(c))
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_SYSCALL);
    uint16_t cs = (uint16_t)(c->msr.star >> 32);
    uint32_t eflags = cpu_get_eflags(c) & ~(uint32_t)FLAG_RF;
    c->r[R_CX] = uop_next_rip(c, u);
    c->r[R_11] = eflags;
    flat_segments(c, cs & 0xFFFCu, (uint16_t)((cs & 0xFFFCu) + 8), 0, true);
    cpu_set_eflags(c, eflags & ~(uint32_t)c->msr.fmask);
    cpu_mode_changed(c);
    c->rip = c->msr.lstar;
    return uop_leave(c, u);
}

const struct uop *op_sysret(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if (!(c->msr.efer & EFER_SCE) || !cpu_64bit(c))
        cpu_fault(c, VEC_UD);
    cpu_sensitive(c, SENSITIVE_SYSRET);
    cpu_require_cpl0(c);
    bool wide = u->size == 8;
    uint64_t rip = wide ? c->r[R_CX] : (uint32_t)c->r[R_CX];
    if (!canonical(rip))
        cpu_gp(c);
    uint16_t base = (uint16_t)(c->msr.star >> 48);
    flat_segments(c, (uint16_t)(base + (wide ? 16 : 0)), (uint16_t)(base + 8),
                  3, wide);
    cpu_set_eflags(c, (uint32_t)c->r[R_11] & 0x3C7FD7u);
    cpu_mode_changed(c);
    c->rip = rip;
    return uop_leave(c, u);
}

static void require_sysenter(struct cpu *c)
{
    if (!(c->model->leaf1_edx & CPUID_SEP))
        cpu_fault(c, VEC_UD);
    if (!(c->cr0 & CR0_PE) || !(c->msr.sysenter_cs & 0xFFFC))
        cpu_gp(c);
}

const struct uop *op_sysenter(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    require_sysenter(c);
    cpu_sensitive(c, SENSITIVE_SYSENTER);
    uint16_t cs = (uint16_t)(c->msr.sysenter_cs & 0xFFFC);
    uint64_t mask = c->long_mode ? UINT64_MAX : UINT32_MAX;
    flat_segments(c, cs, (uint16_t)(cs + 8), 0, c->long_mode);
    c->r[R_SP] = c->msr.sysenter_esp & mask;
    cpu_set_eflags(c, cpu_get_eflags(c) &
                          ~(uint32_t)(FLAG_VM | FLAG_IF | FLAG_RF));
    cpu_mode_changed(c);
    c->rip = c->msr.sysenter_eip & mask;
    return uop_leave(c, u);
}

const struct uop *op_sysexit(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    require_sysenter(c);
    cpu_sensitive(c, SENSITIVE_SYSEXIT);
    cpu_require_cpl0(c);
    bool wide = u->size == 8;
    uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;
    uint64_t rip = c->r[R_DX] & mask, sp = c->r[R_CX] & mask;
    if (wide && (!canonical(rip) || !canonical(sp)))
        cpu_gp(c);
    uint16_t cs = (uint16_t)((c->msr.sysenter_cs & 0xFFFC) + (wide ? 32 : 16));
    flat_segments(c, cs, (uint16_t)(cs + 8), 3, wide);
    c->r[R_SP] = sp;
    cpu_mode_changed(c);
    c->rip = rip;
    return uop_leave(c, u);
}
