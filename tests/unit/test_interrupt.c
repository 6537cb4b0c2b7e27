/*
 * Delivery and return (emu/x86/interrupt.c, iret.c), against SDM 3A chapter 6.
 */
#include "tests/unit/cpu_rig.h"

#include "emu/x86/uop.h"

#define NO_FAULT (-1)

static void gate32(struct rig *r, unsigned vector, unsigned access)
{
    rig_write(r, RIG_IDT + vector * 8,
              rig_gate(RIG_CODE0, 0x6000 + vector * 16, access, 0), 8);
}
static void gate64(struct rig *r, unsigned vector, unsigned ist)
{
    rig_write(r, RIG_IDT + vector * 16,
              rig_gate(RIG_CODE64, 0x6000 + vector * 16, 0x8E, ist), 8);
    rig_write(r, RIG_IDT + vector * 16 + 8, 0, 8);
}
static void frame_is(struct rig *r, uint64_t sp, const uint32_t *words,
                     unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        CU_ASSERT_EQUAL(rig_read(r, sp + i * 4, 4), words[i]);
}

static void real_mode_pushes_three_words(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    cpu_reset(r.c);
    rig_write(&r, 0x21 * 4, 0x12340056, 4);
    r.c->r[R_SP] = 0xFFFF0000u + 0x7000;
    r.c->rip = 0x100;
    r.c->seg[SEG_CS].selector = 0x40;
    cpu_set_eflags(r.c, FLAG_IF | FLAG_CF);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_software(r.c, 0x21, 0x102)),
                    NO_FAULT);
    CU_ASSERT_EQUAL(r.c->rip, 0x56);
    CU_ASSERT_EQUAL(r.c->seg[SEG_CS].base, 0x12340);
    CU_ASSERT_EQUAL(r.c->r[R_SP], 0xFFFF6FFA);
    CU_ASSERT_EQUAL(rig_read(&r, 0x6FFA, 2), 0x102);
    CU_ASSERT_EQUAL(rig_read(&r, 0x6FFC, 2), 0x40);
    CU_ASSERT_EQUAL(rig_read(&r, 0x6FFE, 2), FLAG_IF | FLAG_CF | 2);
    CU_ASSERT_EQUAL(r.c->eflags & FLAG_IF, 0);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_return(r.c, 2)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->rip, 0x102);
    CU_ASSERT_EQUAL(r.c->seg[SEG_CS].selector, 0x40);
    CU_ASSERT_EQUAL(cpu_get_eflags(r.c), FLAG_IF | FLAG_CF | 2);
    r.c->idtr.limit = 0x21 * 4 + 2; /* one byte short */
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_software(r.c, 0x21, 0)), VEC_GP);
    rig_free(&r);
}

static void ring_3_goes_to_the_tss_stack_and_back(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    gate32(&r, 0x80, 0xEE);
    cpu_set_eflags(r.c, FLAG_IF | FLAG_ZF | FLAG_TF);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_software(r.c, 0x80, 0x5002)),
                    NO_FAULT);
    const uint32_t flags = FLAG_IF | FLAG_ZF | FLAG_TF | 2;
    const uint32_t frame[] = {0x5002, RIG_CODE3, flags, RIG_STACK3, RIG_DATA3};
    frame_is(&r, RIG_STACK - 20, frame, 5);
    CU_ASSERT_EQUAL(r.c->cpl, 0);
    CU_ASSERT_EQUAL(r.c->rip, 0x6800);
    CU_ASSERT_EQUAL(r.c->r[R_SP], RIG_STACK - 20);
    CU_ASSERT_EQUAL(r.c->eflags & (FLAG_IF | FLAG_TF), 0);
    CU_ASSERT_EQUAL(r.c->pending & PENDING_STEP, 0);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_return(r.c, 4)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->cpl, 3);
    CU_ASSERT_EQUAL(r.c->rip, 0x5002);
    CU_ASSERT_EQUAL(r.c->r[R_SP], RIG_STACK3);
    CU_ASSERT_EQUAL(cpu_get_eflags(r.c), flags);
    rig_free(&r);
}

static void a_gate_s_dpl_stops_int_n_only(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    gate32(&r, 0x30, 0x8E);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_software(r.c, 0x30, 0x5002)), VEC_GP);
    CU_ASSERT_EQUAL(r.c->fault.error, 0x30 * 8 + 2);
    CU_ASSERT_EQUAL(r.c->rip, 0x5000);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_external(r.c, 0x30)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->cpl, 0);
    rig_free(&r);
}

static void iret_from_ring_3_cannot_raise_iopl_or_if(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    r.c->r[R_SP] = RIG_STACK3 - 12;
    rig_write(&r, RIG_STACK3 - 12, 0x5100, 4);
    rig_write(&r, RIG_STACK3 - 8, RIG_CODE3, 4);
    rig_write(&r, RIG_STACK3 - 4, FLAG_IF | FLAG_IOPL | FLAG_VM | FLAG_CF, 4);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_return(r.c, 4)), NO_FAULT);
    CU_ASSERT_EQUAL(cpu_get_eflags(r.c), FLAG_CF | 2);
    CU_ASSERT_EQUAL(r.c->rip, 0x5100);
    CU_ASSERT_EQUAL(r.c->r[R_SP], RIG_STACK3);
    rig_free(&r);
}

/* Raises a fault and follows what comes of it, as the run loop does. */
static bool raise_all(struct cpu *c, enum vector vector, uint32_t error)
{
    bool alive = true;

    c->fault = (struct fault){
        .vector = (uint8_t)vector, .has_error = true, .error = error,
    };
    /* Each unwinding lands here and delivers the next. */
    (void)setjmp(c->unwind);
    alive = interrupt_raise(c);
    return alive;
}

static void a_fault_pushes_its_code_and_rf(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    gate32(&r, VEC_PF, 0x8F); /* trap gate: IF stays */
    cpu_set_eflags(r.c, FLAG_IF);
    r.c->cr2 = 0xDEAD000;
    uint64_t sp = r.c->r[R_SP];
    uint64_t before = r.machine->ledger.vector_count[VEC_PF];
    CU_ASSERT(raise_all(r.c, VEC_PF, 2));
    const uint32_t frame[] = {2, 0x5000, RIG_CODE0, FLAG_RF | FLAG_IF | 2};
    frame_is(&r, sp - 16, frame, 4);
    CU_ASSERT(r.c->eflags & FLAG_IF);
    CU_ASSERT_EQUAL(r.machine->ledger.vector_count[VEC_PF], before + 1);
    CU_ASSERT_EQUAL(r.c->delivering, 0);
    rig_free(&r);
}

static void contributory_faults_make_a_double_fault(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    gate32(&r, VEC_DF, 0x8E); /* #GP's own gate is not there */
    CU_ASSERT(raise_all(r.c, VEC_GP, 0x18));
    CU_ASSERT_EQUAL(r.c->rip, 0x6000 + VEC_DF * 16);
    const uint32_t frame[] = {0, 0x5000, RIG_CODE3};
    frame_is(&r, RIG_STACK - 24, frame, 3);
    rig_free(&r);
}

static void a_benign_first_event_is_handled_serially(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    gate32(&r, VEC_GP, 0x8E);
    uint64_t sp = r.c->r[R_SP];
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_external(r.c, 0x40)), VEC_GP);
    CU_ASSERT_EQUAL(r.c->r[R_SP], sp);
    CU_ASSERT(raise_all(r.c, VEC_GP, r.c->fault.error));
    CU_ASSERT_EQUAL(r.c->rip, 0x6000 + VEC_GP * 16);
    /* Not the program's doing: EXT is set. */
    CU_ASSERT_EQUAL(rig_read(&r, sp - 16, 4), 0x40 * 8 + 3);
    rig_free(&r);
}

static void no_double_fault_handler_means_shutdown(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    r.c->idtr.limit = 0;
    CU_ASSERT_FALSE(raise_all(r.c, VEC_UD, 0));
    cpu_reset(r.c);
    r.c->idtr.limit = 0;
    CU_ASSERT_FALSE(raise_all(r.c, VEC_DE, 0));
    rig_free(&r);
}

static void long_mode_aligns_and_always_pushes_ss(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_long(&r);
    gate64(&r, 0x20, 0);
    r.c->r[R_SP] = 0x7F07;
    r.c->rip = 0x5000;
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_external(r.c, 0x20)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->r[R_SP], 0x7F00 - 40);
    CU_ASSERT_EQUAL(rig_read(&r, 0x7F00 - 40, 8), 0x5000);
    CU_ASSERT_EQUAL(rig_read(&r, 0x7F00 - 16, 8), 0x7F07);
    CU_ASSERT_EQUAL(rig_read(&r, 0x7F00 - 8, 8), RIG_DATA0);
    CU_ASSERT_EQUAL(r.c->seg[SEG_SS].selector, RIG_DATA0);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_return(r.c, 8)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->r[R_SP], 0x7F07);
    CU_ASSERT_EQUAL(r.c->rip, 0x5000);
    rig_free(&r);
}

static void ist_switches_the_stack_without_a_change_of_ring(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_long(&r);
    gate64(&r, VEC_NMI, 3);
    rig_write(&r, RIG_TSS + 0x24 + 2 * 8, 0x9008, 8);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_nmi(r.c)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->r[R_SP], 0x9000 - 40);
    CU_ASSERT(r.c->nmi_blocked);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_return(r.c, 8)), NO_FAULT);
    CU_ASSERT_FALSE(r.c->nmi_blocked);
    /* A stack pointer that is not canonical: #SS(0), nothing changed. */
    rig_write(&r, RIG_TSS + 0x24 + 2 * 8, UINT64_C(1) << 60, 8);
    uint64_t sp = r.c->r[R_SP];
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_nmi(r.c)), VEC_SS);
    CU_ASSERT_EQUAL(r.c->r[R_SP], sp);
    rig_free(&r);
}

static void leaving_v86_mode_saves_and_clears_the_segments(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    gate32(&r, 0x21, 0xEE);
    static const uint32_t image[] = {
        0x100, 0x700, FLAG_VM | FLAG_IF | FLAG_IOPL | 2,
        0x1000, 0x800, 0x900, 0xA00, 0xB00, 0xC00,
    };
    r.c->r[R_SP] = RIG_STACK - 36;
    for (unsigned i = 0; i < 9; i++)
        rig_write(&r, RIG_STACK - 36 + i * 4, image[i], 4);
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_return(r.c, 4)), NO_FAULT);
    CU_ASSERT(r.c->eflags & FLAG_VM);
    CU_ASSERT_EQUAL(r.c->cpl, 3);
    CU_ASSERT_EQUAL(r.c->seg[SEG_CS].base, 0x7000);
    CU_ASSERT_EQUAL(r.c->seg[SEG_ES].selector, 0x900);
    CU_ASSERT_EQUAL(r.c->seg[SEG_GS].base, 0xC000);
    CU_ASSERT_EQUAL(r.c->r[R_SP], 0x1000);
    CU_ASSERT_EQUAL(r.c->mode & MODE_CODE, MODE_CODE16);

    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_software(r.c, 0x21, 0x102)),
                    NO_FAULT);
    uint32_t frame[9];
    memcpy(frame, image, sizeof(frame));
    frame[0] = 0x102;
    frame_is(&r, RIG_STACK - 36, frame, 9);
    CU_ASSERT_EQUAL(r.c->cpl, 0);
    CU_ASSERT_EQUAL(r.c->eflags & FLAG_VM, 0);
    CU_ASSERT_EQUAL(r.c->seg[SEG_DS].selector, 0);
    CU_ASSERT_EQUAL(r.c->seg[SEG_DS].access & ACC_P, 0);
    rig_free(&r);
}

static void a_task_gate_gets_the_error_code_in_the_new_task(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    rig_descriptor(&r, RIG_FREE, RIG_TSS2, 0x67, 0x89);
    rig_write(&r, RIG_TSS2 + 0x20, 0x7000, 4);
    rig_write(&r, RIG_TSS2 + 0x38, 0x7F00, 4);
    for (unsigned i = 0; i < 6; i++)
        rig_write(&r, RIG_TSS2 + 0x48 + i * 4, i == 1 ? RIG_CODE0 : RIG_DATA0,
                  2);
    rig_write(&r, RIG_IDT + VEC_DF * 8, rig_gate(RIG_FREE, 0, 0x85, 0), 8);
    CU_ASSERT(raise_all(r.c, VEC_SS, 0));
    CU_ASSERT_EQUAL(r.c->rip, 0x7000);
    CU_ASSERT_EQUAL(r.c->r[R_SP], 0x7F00 - 4);
    CU_ASSERT_EQUAL(rig_read(&r, 0x7F00 - 4, 4), 0);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_TSS + 0x20, 4), 0x5000);
    CU_ASSERT_EQUAL(r.c->tr.selector, RIG_FREE);
    rig_free(&r);
}

static void an_interrupt_after_sti_waits_one_instruction(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    r.c->eflags |= FLAG_IF;
    r.c->pending = 0;
    cpu_start_shadow(r.c, 0x5001);
    CU_ASSERT_EQUAL(r.c->pending, 0);
    r.c->rip = 0x5001; /* a slice ended right after STI */
    cpu_set_intr(r.c, true);
    CU_ASSERT_EQUAL(r.c->pending, PENDING_INTR | PENDING_SHADOW);
    cpu_set_intr(r.c, false);
    CU_ASSERT_EQUAL(r.c->pending & PENDING_INTR, 0);
    r.c->pending = 0;
    r.c->rip = 0x5002;
    cpu_start_shadow(r.c, 0x5001);
    cpu_set_intr(r.c, true);
    CU_ASSERT_EQUAL(r.c->pending, PENDING_INTR);
    CU_ASSERT(cpu_has_work(r.c));
    rig_free(&r);
}

static void debug_traps_set_dr6_and_clear_gd(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    gate32(&r, VEC_DB, 0x8E);
    r.c->dr[7] |= 0x2000;
    r.c->dr[6] |= 2; /* an older hit */
    uint64_t sp = r.c->r[R_SP];
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_debug_trap(r.c, 0x4001)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->dr[6], 0xFFFF4FF1u);
    CU_ASSERT_EQUAL(r.c->dr[7], 0x400);
    CU_ASSERT_EQUAL(rig_read(&r, sp - 4, 4) & FLAG_RF, 0);
    rig_free(&r);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Random gates, TSS and stack: every exception ends in a handler or in
 * shutdown, after at most a few deliveries. */
static void storm_of_random_gates(void)
{
    struct rig r;
    uint64_t seed = 0xFEDCBA987654321;
    unsigned handled = 0, dead = 0;
    CU_ASSERT_FATAL(rig_new(&r));
    for (unsigned i = 0; i < 100000; i++) {
        rig_protected(&r, next_random(&seed) & 1 ? 3 : 0);
        bool wide = next_random(&seed) % 4 == 0;
        for (unsigned k = 0; k < 0x400; k += 8) {
            uint64_t entropy = next_random(&seed);
            uint64_t gate =
                rig_gate((unsigned)(entropy & 0x7F), (uint32_t)(entropy >> 32),
                         0x80 | ((entropy >> 8) & 0x7F), entropy >> 16 & 7);
            rig_write(&r, RIG_IDT + k, gate, 8);
        }
        rig_write(&r, RIG_TSS + 4, next_random(&seed), 8);
        r.c->long_mode = wide;
        r.c->tr.limit = (uint32_t)(next_random(&seed) & 0x7F);
        r.c->r[R_SP] = next_random(&seed) & 0xFFFFFFFF;
        cpu_mode_changed(r.c);
        uint64_t before = r.machine->ledger.count[EVENT_EXCEPTION];
        if (raise_all(r.c, (enum vector)(next_random(&seed) % 20), 0))
            handled++;
        else
            dead++;
        CU_ASSERT(r.machine->ledger.count[EVENT_EXCEPTION] - before <= 8);
    }
    CU_ASSERT(handled > 100 && dead > 100);
    rig_free(&r);
}

static const struct test tests[] = {
    {"real mode pushes three words", real_mode_pushes_three_words},
    {"ring 3 goes to the TSS's stack and back",
     ring_3_goes_to_the_tss_stack_and_back},
    {"a gate's DPL stops INT n only", a_gate_s_dpl_stops_int_n_only},
    {"IRET in ring 3 cannot raise IOPL or IF",
     iret_from_ring_3_cannot_raise_iopl_or_if},
    {"a fault pushes its error code and RF", a_fault_pushes_its_code_and_rf},
    {"contributory faults make a double fault",
     contributory_faults_make_a_double_fault},
    {"a benign first event is handled serially",
     a_benign_first_event_is_handled_serially},
    {"no double-fault handler means shutdown",
     no_double_fault_handler_means_shutdown},
    {"long mode aligns, and always pushes SS",
     long_mode_aligns_and_always_pushes_ss},
    {"IST switches stacks without a change of ring",
     ist_switches_the_stack_without_a_change_of_ring},
    {"leaving v86 mode saves and clears the segments",
     leaving_v86_mode_saves_and_clears_the_segments},
    {"a task gate gets the error code in the new task",
     a_task_gate_gets_the_error_code_in_the_new_task},
    {"an interrupt after STI waits one instruction",
     an_interrupt_after_sti_waits_one_instruction},
    {"debug traps set DR6 and clear GD", debug_traps_set_dr6_and_clear_gd},
    {"storm of random gates", storm_of_random_gates},
    {NULL, NULL},
};

TEST_MAIN("interrupt", tests)
