/*
 * Interrupts and exceptions: classes and double faults, delivery through the
 * IVT and through 16-, 32- and 64-bit IDT gates, and IRET (SDM 3A chapter 6;
 * 20.3 for v86 mode; SDM 2 INT, IRET).
 *
 * Invariants: until a delivery has done all that may fault, the CPU is as it
 * was; then it unwinds, and interrupt_raise() is called for the new fault
 * with `delivering` still saying what was under way. Software interrupts do
 * not set `delivering`: their faults are ordinary ones.
 *
 * Not modelled: virtual interrupts (CR4.VME, PVI); RF in the image pushed
 * between two iterations of a string instruction, unless single-stepping or an
 * instruction breakpoint could make use of it.
 */
#include "emu/machine.h"
#include "emu/x86/system.h"
#include "emu/x86/uop.h"

#include <inttypes.h>

#define DR7_GD UINT64_C(0x2000)

/* One event on its way to its handler. */
struct delivery {
    unsigned vector;
    bool software; /* INT n, INT3, INTO: the gate's DPL counts */
    bool has_error;
    uint32_t error;
    uint64_t return_rip;
    uint32_t eflags; /* as pushed */
};

/* Error code for a fault that has to do with the vector's gate. */
static uint32_t gate_error(const struct delivery *d)
{
    return d->vector * 8 + 2;
}

static void log_delivery(struct cpu *c, const struct delivery *d)
{
    struct log *log = &c->machine->log;
    const uint64_t *count = c->machine->ledger.count;

    if (!log_on(log, LOG_INT))
        return;
    log_line(log, LOG_INT,
             "%6" PRIu64 ": v=%02x e=%04x i=%d cpl=%u IP=%04x:%016" PRIx64
             " pc=%016" PRIx64 " SP=%04x:%016" PRIx64 " %s=%016" PRIx64 "\n",
             count[EVENT_EXCEPTION] + count[EVENT_IRQ], d->vector, d->error,
             d->software, c->cpl, c->seg[SEG_CS].selector, d->return_rip,
             c->seg_base[SEG_CS] + d->return_rip, c->seg[SEG_SS].selector,
             c->r[R_SP], d->vector == VEC_PF ? "CR2" : "RAX",
             d->vector == VEC_PF ? c->cr2 : c->r[R_AX]);
}

static void drop_flags(struct cpu *c, uint32_t mask)
{
    c->eflags &= ~mask;
    cpu_interrupt_window(c);
    cpu_mode_changed(c);
}

/* --- real mode ----------------------------------------------------------- */

static void deliver_real(struct cpu *c, const struct delivery *d)
{
    uint32_t at = d->vector * 4;
    struct stack stack;

    if (at + 3 > c->idtr.limit)
        cpu_fault_error(c, VEC_GP, gate_error(d));
    uint64_t entry = mmu_system_load(c, system_linear(c, c->idtr.base, at), 4);
    stack_current(c, false, &stack);
    stack_push(c, &stack, d->eflags, 2);
    stack_push(c, &stack, c->seg[SEG_CS].selector, 2);
    stack_push(c, &stack, d->return_rip, 2);
    if ((entry & 0xFFFF) > c->seg[SEG_CS].limit)
        cpu_gp(c);
    stack_commit(c, &stack, false);
    c->rip = entry & 0xFFFF;
    segment_load_real(c, SEG_CS, (uint16_t)(entry >> 16));
    drop_flags(c, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
}

/* --- gates --------------------------------------------------------------- */

static void read_gate(struct cpu *c, const struct delivery *d,
                      struct descriptor *gate)
{
    unsigned size = c->long_mode ? 16 : 8;
    uint32_t at = d->vector * size;

    if (at + size - 1 > c->idtr.limit)
        cpu_fault_error(c, VEC_GP, gate_error(d));
    gate->linear = system_linear(c, c->idtr.base, at);
    uint64_t raw = mmu_system_load(c, gate->linear, 8);
    gate->selector = 0;
    gate->lo = (uint32_t)raw;
    gate->hi = (uint32_t)(raw >> 32);
    gate->hi2 = 0;
    if (c->long_mode)
        gate->hi2 = (uint32_t)mmu_system_load(
            c, system_linear(c, c->idtr.base, at + 8), 4);
}

static bool gate_type_valid(const struct cpu *c, const struct descriptor *gate)
{
    if (gate->hi & DESC_S)
        return false;
    switch (DESC_TYPE(gate)) {
    case SYS_INT32:
    case SYS_TRAP32:
        return true;
    case SYS_TASK_GATE:
    case SYS_INT16:
    case SYS_TRAP16:
        return !c->long_mode;
    default:
        return false;
    }
}

static void gate_code(struct cpu *c, const struct descriptor *gate,
                      struct descriptor *code)
{
    uint16_t selector = (uint16_t)(gate->lo >> 16);
    uint32_t error = selector & 0xFFFCu;

    if (selector_null(selector))
        cpu_gp(c);
    descriptor_fetch(c, selector, VEC_GP, code);
    if (!descriptor_is_code(code) || DESC_DPL(code) > c->cpl)
        cpu_fault_error(c, VEC_GP, error);
    if (c->long_mode && (code->hi & (DESC_L | DESC_DB)) != DESC_L)
        cpu_fault_error(c, VEC_GP, error);
    if (!(code->hi & DESC_P))
        cpu_fault_error(c, VEC_NP, error);
}

/* The stack the handler gets, and whether SS changes with it. */
static bool gate_stack(struct cpu *c, const struct descriptor *gate,
                       const struct descriptor *code, struct stack *stack)
{
    unsigned dpl = DESC_DPL(code);
    unsigned ist = c->long_mode ? gate->hi & 7u : 0;
    bool inner = !(code->hi & DESC_CONFORMING) && dpl < c->cpl;

    if ((c->eflags & FLAG_VM) && (!inner || dpl != 0))
        cpu_fault_error(c, VEC_GP, code->selector & 0xFFFCu);
    if (inner || ist)
        stack_from_tss(c, inner ? dpl : c->cpl, ist, stack);
    else
        stack_current(c, c->long_mode, stack);
    if (c->long_mode)
        stack->sp &= ~UINT64_C(15);
    return inner;
}

static void push_frame(struct cpu *c, const struct delivery *d,
                       struct stack *stack, bool inner, unsigned size)
{
    static const enum seg data[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};

    if (c->eflags & FLAG_VM) {
        for (unsigned i = 0; i < 4; i++)
            stack_push(c, stack, c->seg[data[i]].selector, size);
    }
    if (inner || c->long_mode) {
        stack_push(c, stack, c->seg[SEG_SS].selector, size);
        stack_push(c, stack, c->r[R_SP], size);
    }
    stack_push(c, stack, d->eflags, size);
    stack_push(c, stack, c->seg[SEG_CS].selector, size);
    stack_push(c, stack, d->return_rip, size);
    if (d->has_error)
        stack_push(c, stack, d->error, size);
}

static void enter_gate(struct cpu *c, const struct delivery *d,
                       const struct descriptor *gate)
{
    bool narrow = DESC_TYPE(gate) <= SYS_TRAP16;
    bool keeps_if = DESC_TYPE(gate) & 1;
    uint64_t offset = gate->lo & 0xFFFFu;
    struct descriptor code;
    struct stack stack;

    if (!narrow)
        offset |= (gate->hi & 0xFFFF0000u) | (uint64_t)gate->hi2 << 32;
    gate_code(c, gate, &code);
    bool inner = gate_stack(c, gate, &code, &stack);
    push_frame(c, d, &stack, inner, c->long_mode ? 8 : narrow ? 2 : 4);
    code_check_offset(c, &code, offset);
    code_load(c, &code, inner ? DESC_DPL(&code) : c->cpl);
    stack_commit(c, &stack, inner);
    if (c->eflags & FLAG_VM) {
        static const enum seg data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
        for (unsigned i = 0; i < 4; i++)
            segment_set_null(c, data[i], 0);
    }
    drop_flags(c, FLAG_TF | FLAG_VM | FLAG_NT | FLAG_RF |
                      (keeps_if ? 0u : (uint32_t)FLAG_IF));
    c->rip = offset;
}

static void enter_task(struct cpu *c, const struct delivery *d,
                       const struct descriptor *gate)
{
    /* RF is saved in the old TSS as it would be pushed. */
    c->eflags = (c->eflags & ~(uint32_t)FLAG_RF) | (d->eflags & FLAG_RF);
    task_gate(c, gate, TASK_INTERRUPT, d->return_rip);
    if (d->has_error) {
        struct stack stack;
        stack_current(c, false, &stack);
        stack_push(c, &stack, d->error,
                   (c->tr.access & ACC_TYPE) >= SYS_TSS32 ? 4 : 2);
        stack_commit(c, &stack, false);
    }
}

static void deliver_protected(struct cpu *c, const struct delivery *d)
{
    struct descriptor gate;

    read_gate(c, d, &gate);
    if (!gate_type_valid(c, &gate) || (d->software && DESC_DPL(&gate) < c->cpl))
        cpu_fault_error(c, VEC_GP, gate_error(d));
    if (!(gate.hi & DESC_P))
        cpu_fault_error(c, VEC_NP, gate_error(d));
    if (DESC_TYPE(&gate) == SYS_TASK_GATE)
        enter_task(c, d, &gate);
    else
        enter_gate(c, d, &gate);
}

static void deliver(struct cpu *c, const struct delivery *d)
{
    log_delivery(c, d);
    if (c->cr0 & CR0_PE)
        deliver_protected(c, d);
    else
        deliver_real(c, d);
    c->delivering = 0;
    c->pending &= ~(uint32_t)(PENDING_HALT | PENDING_SHADOW | PENDING_SS);
}

/* EFLAGS as pushed by all but faults. */
static uint32_t plain_eflags(const struct cpu *c)
{
    return cpu_get_eflags(c) & ~(uint32_t)FLAG_RF;
}

/* The same for traps and interrupts, which come between instructions or between
 * iterations. RF is kept exactly only while instructions run singly. */
static uint32_t event_eflags(const struct cpu *c)
{
    return c->pending & PENDING_STEP ? cpu_get_eflags(c) : plain_eflags(c);
}

/* --- exceptions ---------------------------------------------------------- */

static bool contributory(unsigned vector)
{
    return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

static void publish(struct cpu *c, enum event_kind kind, unsigned vector,
                    uint32_t error)
{
    struct event event = {
        .kind = (uint8_t)kind,
        .reason = (uint16_t)vector,
        .value = error,
        .addr = kind == EVENT_EXCEPTION && vector == VEC_PF ? c->cr2 : 0,
    };

    cpu_event(c, &event);
}

/* What becomes of a fault during the delivery of another (SDM 3A table 6-5).
 * False: shutdown. */
static bool combine(const struct cpu *c, struct fault *f)
{
    bool serious = contributory(f->vector) || f->vector == VEC_PF;

    if (!c->delivering || !serious)
        return true;
    if (c->delivering_df)
        return false;
    if ((c->delivering_contributory && contributory(f->vector)) ||
        c->delivering_pf)
        *f = (struct fault){.vector = VEC_DF, .has_error = true};
    return true;
}

static void begin(struct cpu *c, unsigned vector, bool exception)
{
    c->delivering = (uint16_t)(vector + 1);
    c->delivering_contributory = exception && contributory(vector);
    c->delivering_pf = exception && vector == VEC_PF;
    c->delivering_df = exception && vector == VEC_DF;
}

bool interrupt_raise(struct cpu *c)
{
    struct fault f = c->fault;

    /* EXT: an event from outside the program is being delivered. */
    if (c->delivering && f.has_error && f.vector >= VEC_TS &&
        f.vector <= VEC_GP)
        f.error |= 1;
    publish(c, EVENT_EXCEPTION, f.vector, f.error);
    if (c->delivering)
        log_line(&c->machine->log, LOG_INT,
                 "check_exception old: 0x%x new 0x%x\n", c->delivering - 1u,
                 f.vector);
    if (!combine(c, &f)) {
        log_line(&c->machine->log, LOG_INT, "Triple fault\n");
        c->delivering = 0;
        return false;
    }
    if (f.vector == VEC_DF)
        publish(c, EVENT_EXCEPTION, VEC_DF, 0);
    begin(c, f.vector, true);
    /* An instruction breakpoint leaves RF to its handler; general detect, as
     * every other fault, pushes it set. */
    bool rf = f.vector != VEC_DB || (c->dr[7] & DR7_GD);
    if (f.vector == VEC_DB)
        c->dr[7] &= ~DR7_GD;
    deliver(c, &(struct delivery){
                   .vector = f.vector,
                   .has_error = f.has_error,
                   .error = f.error,
                   .return_rip = c->rip,
                   .eflags = rf ? cpu_get_eflags(c) | FLAG_RF
                                : plain_eflags(c),
               });
    return true;
}

void interrupt_debug_trap(struct cpu *c, uint64_t dr6_bits)
{
    c->pending &= ~(uint32_t)PENDING_TRAP;
    c->dr6_trap = 0;
    c->dr[6] = (c->dr[6] & ~UINT64_C(0xF)) | dr6_bits;
    c->dr[7] &= ~DR7_GD;
    publish(c, EVENT_EXCEPTION, VEC_DB, 0);
    begin(c, VEC_DB, true);
    deliver(c, &(struct delivery){
                   .vector = VEC_DB,
                   .return_rip = c->rip,
                   .eflags = event_eflags(c),
               });
}

/* --- interrupts ---------------------------------------------------------- */

void interrupt_external(struct cpu *c, unsigned vector)
{
    c->pending &= ~(uint32_t)PENDING_HALT;
    publish(c, EVENT_IRQ, vector, 0);
    begin(c, vector, false);
    deliver(c, &(struct delivery){
                   .vector = vector,
                   .return_rip = c->rip,
                   .eflags = event_eflags(c),
               });
}

void interrupt_nmi(struct cpu *c)
{
    c->pending &= ~(uint32_t)(PENDING_HALT | PENDING_NMI);
    c->nmi_blocked = true;
    publish(c, EVENT_IRQ, VEC_NMI, 0);
    begin(c, VEC_NMI, false);
    deliver(c, &(struct delivery){
                   .vector = VEC_NMI,
                   .return_rip = c->rip,
                   .eflags = event_eflags(c),
               });
}

void interrupt_software(struct cpu *c, unsigned vector, uint64_t return_rip)
{
    deliver(c, &(struct delivery){
                   .vector = vector,
                   .software = true,
                   .return_rip = return_rip,
                   .eflags = plain_eflags(c),
               });
}

void interrupt_icebp(struct cpu *c, uint64_t return_rip)
{
    publish(c, EVENT_EXCEPTION, VEC_DB, 0);
    begin(c, VEC_DB, true);
    c->dr[7] &= ~DR7_GD;
    deliver(c, &(struct delivery){
                   .vector = VEC_DB,
                   .return_rip = return_rip,
                   .eflags = plain_eflags(c),
               });
}
