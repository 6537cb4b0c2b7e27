/*
 * Delivery of interrupts and exceptions as guest code sees it: gates of all
 * widths, stacks, error codes, double and triple faults, IRET (SDM 3A chapter
 * 6; SDM 2 INT, IRET).
 */
#include "emu/x86/mmu.h"
#include "tests/support/rig.h"

enum { INT16 = 6, TRAP16 = 7, INT32 = 14, TRAP32 = 15, EXT = 1, IDT = 2 };

/* --- what is pushed ------------------------------------------------------- */

GUEST(int_80, 64, "stc\nint 0x80\nhlt") /* the same bytes in all modes */
static void int_n_pushes_what_its_gate_says(void)
{
    static const struct {
        enum rig_mode mode;
        unsigned cpl, type, bytes;
    } cases[] = {
        {RIG_PROT32, 0, INT32, 12},  {RIG_PROT32, 0, INT16, 6},
        {RIG_PROT32, 3, TRAP32, 20}, {RIG_PROT32, 3, TRAP16, 10},
        {RIG_LONG, 0, INT32, 40},    {RIG_LONG, 3, TRAP32, 40},
        {RIG_COMPAT, 3, INT32, 40},  {RIG_PROT16, 0, INT32, 12},
        {RIG_PAGED32, 1, INT32, 20},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool user = cases[i].cpl != 0, trap = cases[i].type & 1;
        struct rig *r = rig_new(cases[i].mode, cases[i].cpl);
        struct cpu *c = r->cpu;
        uint16_t cs = c->seg[SEG_CS].selector, ss = c->seg[SEG_SS].selector;
        uint64_t sp = c->r[R_SP];
        rig_idt(r, 0x80, cases[i].type, 3, 0);
        cpu_set_eflags(c, FLAG_IF | FLAG_NT | 2);
        RIG_RUN(r, int_80);
        EXPECT_FAULT(r, 0x80, NO_ERROR, RIG_CODE + 3);
        EXPECT(r->out.cs, cs);
        EXPECT(r->out.flags, FLAG_IF | FLAG_NT | FLAG_CF | 2);
        EXPECT(c->eflags, (trap ? FLAG_IF : 0u) | 2);
        EXPECT(c->cpl, 0);
        EXPECT(c->r[R_SP], (user ? RIG_STACK0 : sp) - cases[i].bytes);
        if (user || cases[i].mode >= RIG_LONG) {
            EXPECT(r->out.ss, ss);
            EXPECT(r->out.sp, sp);
        }
        if (cases[i].mode >= RIG_LONG && user)
            EXPECT(c->seg[SEG_SS].selector, 0); /* null, RPL 0 */
        rig_free(r);
    }
}

static void long_mode_aligns_the_stack_and_uses_the_ist(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    r->cpu->r[R_SP] = RIG_STACK0 - 3;
    RIG_RUN(r, int_80);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0 - 16 - 40);
    EXPECT(r->out.sp, RIG_STACK0 - 3);
    rig_free(r);
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        r = rig_new(RIG_LONG, cpl);
        rig_idt(r, 0x80, INT32, 3, 2);
        RIG_RUN(r, int_80);
        EXPECT(r->cpu->r[R_SP], RIG_IST - 256 - 40);
        rig_free(r);
    }
}

/* --- error codes
 * ---------------------------------------------------------------------------
 */

/* Breaks vector 80H's gate in one way and expects a #GP or #NP from INT 80H at
 * the instruction (or, for IRQ, from the interrupt, with EXT set). */
static void a_broken_gate_faults_with_its_error_code(void)
{
    static const struct {
        unsigned type, dpl, selector;
        bool absent, software_only;
        int vector;
        uint32_t error;
    } cases[] = {
        {INT32, 0, SEL_CODE32, false, true, VEC_GP, 0x80 * 8 + IDT},
        {INT32, 3, SEL_CODE32, true, false, VEC_NP, 0x80 * 8 + IDT},
        {0, 3, SEL_CODE32, false, false, VEC_GP, 0x80 * 8 + IDT},
        {12, 3, SEL_CODE32, false, false, VEC_GP, 0x80 * 8 + IDT},
        {INT32, 3, 0, false, false, VEC_GP, 0},
        {INT32, 3, SEL_DATA, false, false, VEC_GP, SEL_DATA},
        {INT32, 3, SEL_FREE, false, false, VEC_NP, SEL_FREE},
        {INT32, 3, 0x2000, false, false, VEC_GP, 0x2000},
        {5, 3, SEL_CODE32, false, false, VEC_GP, SEL_CODE32}, /* task gate */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned irq = 0; irq < 2; irq++) {
            if (irq && cases[i].software_only)
                continue;
            struct rig *r = rig_new(RIG_PROT32, 3);
            rig_descriptor(r, SEL_FREE, 0, 0xFFFFF, 0xC01A); /* absent */
            uint32_t at = RIG_IDT + 0x80 * 8;
            rig_gate(r, at, cases[i].type, cases[i].dpl, cases[i].selector,
                     rig_handler(0x80), 0);
            if (cases[i].absent)
                rig_poke(r, at + 5, 0x6E, 1);
            RIG_LOAD(r, int_80);
            if (irq) {
                cpu_set_eflags(r->cpu, FLAG_IF | 2);
                rig_interrupt(r, 0x80);
            }
            rig_run(r);
            EXPECT_FAULT(r, cases[i].vector, cases[i].error | (irq ? EXT : 0u),
                         RIG_CODE + (irq ? 0 : 1));
            rig_free(r);
        }
}

static void every_vector_counts_as_external(void)
{
    static const unsigned vectors[] = {0x20, 0x7F, 0xFE, 0xFF};
    for (unsigned i = 0; i < 4; i++) {
        struct rig *r = rig_new(RIG_PROT32, 0);
        rig_poke(r, RIG_IDT + vectors[i] * 8 + 5, 0, 1);
        cpu_set_eflags(r->cpu, FLAG_IF | 2);
        rig_interrupt(r, vectors[i]);
        RIG_RUN(r, int_80);
        EXPECT_FAULT(r, VEC_GP, vectors[i] * 8 + IDT + EXT, RIG_CODE);
        rig_free(r);
    }
}

static void a_bad_inner_stack_is_an_invalid_tss(void)
{
    static const struct {
        uint16_t ss;
        int vector;
        uint32_t error;
    } cases[] = {
        {0, VEC_TS, 0},
        {SEL_UDATA, VEC_TS, SEL_UDATA & ~3u},
        {SEL_CODE32, VEC_TS, SEL_CODE32},
        {SEL_FREE, VEC_SS, SEL_FREE},
        {0x2000, VEC_TS, 0x2000},
        {SEL_DATA | 3, VEC_TS, SEL_DATA},
    };
    for (unsigned i = 0; i < 6; i++) {
        struct rig *r = rig_new(RIG_PROT32, 3);
        /* #TS and #SS are handled in ring 1, whose stack is good. */
        for (unsigned v = VEC_TS; v <= VEC_SS; v++)
            rig_gate(r, RIG_IDT + v * 8, INT32, 0, SEL_CODE32_1 & ~3u,
                     rig_handler(v), 0);
        rig_descriptor(r, SEL_FREE, 0, 0xFFFFF, 0xC012);
        rig_poke(r, RIG_TSS + 8, cases[i].ss, 2);
        RIG_LOAD(r, int_80);
        /* Ring 0 is unusable: stop at the first instruction of ring 1. */
        struct machine *m = r->machine;
        for (unsigned n = 0; n < 4 && r->cpu->cpl == 3; n++)
            m->accel->run(m->engine, r->cpu, m->clock.instructions + 1);
        EXPECT(r->cpu->cpl, 1);
        EXPECT(rig_peek(r, RIG_STACK1 - 24, 4), cases[i].error);
        EXPECT(rig_peek(r, RIG_STACK1 - 20, 4), RIG_CODE + 1);
        rig_free(r);
    }
}

/* --- double and triple faults --------------------------------------------- */

GUEST(ud, 32, "ud2")
GUEST(divide, 32, "xor ecx, ecx\ndiv ecx\n")
GUEST(touch, 32, "mov eax, [0x10000]\n")
GUEST(protect, 32, "mov ax, 0x3000\nmov ds, ax\n")
static void which_faults_make_a_double_fault(void)
{
    static const struct {
        const uint8_t *start, *end;
        unsigned first; /* its gate is broken: a #GP comes of it */
        int vector;
        uint32_t error;
        unsigned ip;
    } cases[] = {
        {divide, divide_end, VEC_DE, VEC_DF, 0, 2},
        {protect, protect_end, VEC_GP, VEC_DF, 0, 4},
        {touch, touch_end, VEC_PF, VEC_DF, 0, 0},
        {ud, ud_end, VEC_UD, VEC_GP, VEC_UD * 8 + IDT + EXT, 0}, /* benign */
    };
    for (unsigned i = 0; i < 4; i++) {
        struct rig *r = rig_new(RIG_PAGED32, 0);
        rig_set_pte(r, RIG_DATA, 0);
        rig_poke(r, RIG_IDT + cases[i].first * 8 + 5, 0, 1);
        rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
        rig_run(r);
        EXPECT_FAULT(r, cases[i].vector, cases[i].error,
                     RIG_CODE + cases[i].ip);
        /* Without #DF's gate (or, for #UD, #GP's and #DF's): shutdown. */
        rig_poke(r, RIG_IDT + VEC_DF * 8 + 5, 0, 1);
        rig_poke(r, RIG_IDT + VEC_GP * 8 + 5, 0, 1);
        r->cpu->rip = RIG_CODE;
        r->cpu->r[R_SP] = RIG_STACK0;
        rig_run(r);
        EXPECT(r->out.stop, STOP_SHUTDOWN);
        rig_free(r);
    }
}

static void a_page_fault_after_a_contributory_one_is_handled(void)
{
    struct rig *r = rig_new(RIG_PAGED32, 3);
    rig_set_pte(r, 0x5000, 0); /* ring 0's stack */
    RIG_RUN(r, divide);
    /* #DE -> #PF on the push -> #PF again -> #DF -> #PF -> shutdown */
    EXPECT(r->out.stop, STOP_SHUTDOWN);
    EXPECT(r->cpu->cr2, RIG_STACK0 - 4);
    rig_free(r);
    r = rig_new(RIG_LONG, 3); /* with an IST for #PF it is just that */
    rig_set_pte(r, 0x5000, 0);
    rig_idt(r, VEC_PF, INT32, 0, 1);
    RIG_RUN(r, divide);
    EXPECT_FAULT(r, VEC_PF, PF_W, RIG_CODE + 2);
    EXPECT(r->cpu->cr2, RIG_STACK0 - 8);
    rig_free(r);
}

/* Nothing retires here, yet the engine must come back. */
static void endless_faults_end_a_slice(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    rig_idt(r, VEC_UD, INT32, 0, 1);
    rig_poke(r, rig_handler(VEC_UD), 0x0B0F, 2);
    RIG_RUN(r, ud);
    EXPECT(r->out.stop, STOP_BUDGET);
    rig_free(r);
}

/* --- IRET
 * -----------------------------------------------------------------------------------------
 */

GUEST(iret_user, 32,
      "push 0x23\npush 0x7000\npush 0x3202\npush 0x1B\npush 0x9000\niretd")
static void iret_to_ring_3_drops_inner_data_segments(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    rig_poke(r, 0x9000, 0x0B0F, 2);
    r->cpu->seg[SEG_FS] = r->cpu->seg[SEG_DS];
    r->cpu->seg[SEG_FS].selector = SEL_UDATA;
    r->cpu->seg[SEG_FS].access |= ACCESS_RING3;
    RIG_RUN(r, iret_user);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.cs, SEL_UCODE32);
    EXPECT(r->out.ss, SEL_UDATA);
    EXPECT(r->out.sp, 0x7000);
    EXPECT(r->out.flags, 0x13202);
    EXPECT(r->cpu->seg[SEG_DS].selector, 0);
    EXPECT(r->cpu->seg[SEG_FS].selector, SEL_UDATA);
    rig_free(r);
}

GUEST(iret_same, 32, "push 0x3202\npush 0x1B\npush 0x9000\niretd")
static void iret_in_ring_3_keeps_iopl_and_if(void)
{
    struct rig *r = rig_new(RIG_PROT32, 3);
    rig_poke(r, 0x9000, 0x0B0F, 2);
    RIG_RUN(r, iret_same);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.flags, 0x10002);
    rig_free(r);
}

GUEST(iret_compat, 64,
      "push 0x23\npush 0x7000\npush 0x202\npush 0x1B\npush 0x9000\niretq")
GUEST(iret_64, 64,
      "push 0x23\nmov rax, 0x7FFFFFFF7000\npush rax\npush 0x202\npush 0x33\n"
      "push 0x9000\niretq")
GUEST(iret_null_ss, 64,
      "push 0\npush 0x5800\npush 2\npush 0x28\npush 0x9000\niretq")
GUEST(iret_odd, 64,
      "push 0x23\npush 0x7000\npush 2\npush 0x33\nmov rax, 0x800000000000\n"
      "push rax\niretq")
static void iretq_goes_anywhere(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    rig_poke(r, 0x9000, 0x0B0F, 2);
    RIG_RUN(r, iret_compat);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.cs, SEL_UCODE32);
    rig_free(r);
    r = rig_new(RIG_LONG, 0);
    rig_poke(r, 0x9000, 0x0B0F, 2);
    RIG_RUN(r, iret_64);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.cs, SEL_UCODE64);
    EXPECT(r->out.sp, 0x7FFFFFFF7000);
    rig_free(r);
    r = rig_new(RIG_LONG, 0); /* SS:RSP are popped in the same ring, too */
    rig_poke(r, 0x9000, 0xF4, 1);
    RIG_RUN(r, iret_null_ss);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_SP], 0x5800);
    EXPECT(r->cpu->seg[SEG_SS].selector, 0);
    rig_free(r);
    r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, iret_odd);
    EXPECT(r->out.vector, VEC_GP);
    EXPECT(r->out.cs, SEL_CODE64); /* the fault is IRET's own */
    EXPECT(r->out.error, 0);
    rig_free(r);
}

GUEST(iret_nt, 64, "push 0x4002\npopfq\niretq")
static void iret_with_nt_faults_in_long_mode(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, iret_nt);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 6);
    rig_free(r);
}

GUEST(nmi_iret, 64, "nop\nnop\nhlt")
static void nmis_are_blocked_until_iret(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_LOAD(r, nmi_iret);
    cpu_set_nmi(r->cpu, true);
    rig_run(r);
    EXPECT_FAULT(r, VEC_NMI, NO_ERROR, RIG_CODE);
    cpu_set_nmi(r->cpu, true);
    rig_poke(r, rig_handler(VEC_NMI) + 1, 0xCF48, 2); /* iretq */
    rig_run(r); /* IRETs, then takes the second */
    EXPECT_FAULT(r, VEC_NMI, NO_ERROR, RIG_CODE);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0 - 40);
    rig_free(r);
}

static const struct test tests[] = {
    {"int_n_pushes_what_its_gate_says", int_n_pushes_what_its_gate_says},
    {"long_mode_aligns_the_stack_and_uses_the_ist",
     long_mode_aligns_the_stack_and_uses_the_ist},
    {"a_broken_gate_faults_with_its_error_code",
     a_broken_gate_faults_with_its_error_code},
    {"every_vector_counts_as_external", every_vector_counts_as_external},
    {"a_bad_inner_stack_is_an_invalid_tss",
     a_bad_inner_stack_is_an_invalid_tss},
    {"which_faults_make_a_double_fault", which_faults_make_a_double_fault},
    {"a_page_fault_after_a_contributory_one_is_handled",
     a_page_fault_after_a_contributory_one_is_handled},
    {"endless_faults_end_a_slice", endless_faults_end_a_slice},
    {"iret_to_ring_3_drops_inner_data_segments",
     iret_to_ring_3_drops_inner_data_segments},
    {"iret_in_ring_3_keeps_iopl_and_if", iret_in_ring_3_keeps_iopl_and_if},
    {"iretq_goes_anywhere", iretq_goes_anywhere},
    {"iret_with_nt_faults_in_long_mode", iret_with_nt_faults_in_long_mode},
    {"nmis_are_blocked_until_iret", nmis_are_blocked_until_iret},
    {NULL, NULL},
};

TEST_MAIN("interrupt", tests)
