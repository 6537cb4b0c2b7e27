/*
 * Task switches by JMP, CALL, IRET and task gates (SDM 3A chapter 7).
 */
#include "tests/support/rig.h"

#include <string.h>

#define SEL_TSS2 SEL_FREE
#define TSS_AVAILABLE 0x89
#define TASK2 0x9000u
#define STACK2 0x6C00u

static uint8_t tss_type(const struct rig *r, unsigned selector)
{
    return rig_peek(r, RIG_GDT + selector + 5, 1) & 0xF;
}

/* A second task at TASK2, ring 0, with recognisable registers. */
static struct rig *two_tasks(unsigned cpl)
{
    struct rig *r = rig_new(RIG_PROT32, cpl);
    rig_descriptor(r, SEL_TSS2, RIG_TSS2, 0x67, TSS_AVAILABLE | 0x60);
    memset(r->machine->ram + RIG_TSS2, 0, 0x68);
    rig_poke(r, RIG_TSS2 + 0x20, TASK2, 4);
    rig_poke(r, RIG_TSS2 + 0x24, 0x0802, 4); /* OF */
    for (unsigned i = 0; i < 8; i++)
        rig_poke(r, RIG_TSS2 + 0x28 + i * 4,
                 i == R_SP ? STACK2 : 0xA0A00000 + i, 4);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        rig_poke(r, RIG_TSS2 + 0x48 + i * 4,
                 i == SEG_CS ? SEL_CODE32 : SEL_DATA, 4);
    rig_poke(r, TASK2, 0xF4, 1);
    return r;
}

GUEST(jump, 32, "stc\nmov esi, 0x1234\nljmp 0x68, 0\nhlt")
static void jmp_switches_without_a_link(void)
{
    struct rig *r = two_tasks(0);
    RIG_RUN(r, jump);
    EXPECT_DONE(r);
    struct cpu *c = r->cpu;
    EXPECT(c->rip, TASK2 + 1);
    EXPECT(c->r[R_AX], 0xA0A00000);
    EXPECT(c->r[R_DI], 0xA0A00007);
    EXPECT(c->r[R_SP], STACK2);
    EXPECT(cpu_get_eflags(c), 0x0802);
    EXPECT(c->cr0 & CR0_TS, CR0_TS);
    EXPECT(c->tr.selector, SEL_TSS2);
    EXPECT(tss_type(r, SEL_TSS), 9);
    EXPECT(tss_type(r, SEL_TSS2), 11);
    EXPECT(rig_peek(r, RIG_TSS2, 2), 0);
    /* The old task's state */
    EXPECT(rig_peek(r, RIG_TSS + 0x20, 4), RIG_CODE + 13);
    EXPECT(rig_peek(r, RIG_TSS + 0x24, 4), 3);
    EXPECT(rig_peek(r, RIG_TSS + 0x40, 4), 0x1234);
    EXPECT(rig_peek(r, RIG_TSS + 0x4C, 2), SEL_CODE32);
    rig_free(r);
}

GUEST(call, 32, "lcall 0x68, 0\nmov edx, 99\nhlt")
GUEST(call_back, 32, "pushfd\npop ebx\niretd\nhlt")
static void call_links_and_iret_comes_back(void)
{
    struct rig *r = two_tasks(0);
    rig_load(r, TASK2, call_back, call_back_end);
    RIG_RUN(r, call);
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, RIG_CODE + 13);
    EXPECT(r->cpu->r[R_DX], 99);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0);
    EXPECT(r->cpu->tr.selector, SEL_TSS);
    EXPECT(tss_type(r, SEL_TSS), 11);
    EXPECT(tss_type(r, SEL_TSS2), 9);
    EXPECT(rig_peek(r, RIG_TSS2, 2), SEL_TSS);
    EXPECT(rig_peek(r, RIG_TSS2 + 0x34, 4), 0x4802); /* NT in its EBX */
    EXPECT(rig_peek(r, RIG_TSS2 + 0x24, 4), 0x0802); /* not in its image */
    EXPECT(rig_peek(r, RIG_TSS2 + 0x20, 4), TASK2 + 3);
    EXPECT(r->cpu->eflags & FLAG_NT, 0);
    rig_free(r);
}

GUEST(touch, 32, "mov eax, [0x10000]\nud2")
static void a_task_gate_takes_interrupts_and_faults(void)
{
    struct rig *r = two_tasks(3);
    rig_gate(r, RIG_IDT + VEC_UD * 8, 5, 0, SEL_TSS2, 0, 0);
    rig_gate(r, RIG_IDT + VEC_GP * 8, 5, 0, SEL_TSS2, 0, 0);
    RIG_RUN(r, touch);
    EXPECT(r->out.vector, -1);
    EXPECT(r->cpu->rip, TASK2 + 1);
    EXPECT(r->cpu->eflags & FLAG_NT, FLAG_NT);
    EXPECT(rig_peek(r, RIG_TSS2, 2), SEL_TSS);
    EXPECT(tss_type(r, SEL_TSS), 11); /* both are busy */
    EXPECT(tss_type(r, SEL_TSS2), 11);
    EXPECT(rig_peek(r, RIG_TSS + 0x20, 4), RIG_CODE + 5);
    EXPECT(r->cpu->r[R_SP], STACK2);
    rig_free(r);
    r = two_tasks(3); /* with an error code: on the new stack */
    rig_gate(r, RIG_IDT + VEC_GP * 8, 5, 0, SEL_TSS2, 0, 0);
    rig_poke(r, RIG_CODE, 0xF4, 1);
    rig_run(r);
    EXPECT(r->cpu->rip, TASK2 + 1);
    EXPECT(r->cpu->r[R_SP], STACK2 - 4);
    EXPECT(rig_peek(r, STACK2 - 4, 4), 0);
    EXPECT(rig_peek(r, RIG_TSS + 0x20, 4), RIG_CODE);
    EXPECT(rig_peek(r, RIG_TSS + 0x24, 4) & FLAG_RF, FLAG_RF);
    rig_free(r);
}

GUEST(far_68, 32, "ljmp 0x68, 0")
static void targets_that_are_not_available_fault_in_the_old_task(void)
{
    static const struct {
        unsigned access, limit, cpl;
        int vector;
    } cases[] = {
        {0x8B, 0x67, 0, VEC_GP}, /* busy */
        {0x09, 0x67, 0, VEC_NP}, /* not present */
        {0x89, 0x66, 0, VEC_TS}, /* too short */
        {0x89, 0x67, 3, VEC_GP}, /* DPL 0 */
        {0x81, 0x2A, 0, VEC_TS}, /* too short for 16 bits */
    };
    for (unsigned i = 0; i < 5; i++) {
        struct rig *r = two_tasks(cases[i].cpl);
        rig_descriptor(r, SEL_TSS2, RIG_TSS2, cases[i].limit, cases[i].access);
        RIG_RUN(r, far_68);
        EXPECT_FAULT(r, cases[i].vector, SEL_TSS2, RIG_CODE);
        EXPECT(r->cpu->tr.selector, SEL_TSS);
        EXPECT(tss_type(r, SEL_TSS), 11);
        rig_free(r);
    }
}

static void bad_segments_fault_in_the_new_task(void)
{
    static const struct {
        unsigned offset, selector;
        int vector;
    } cases[] = {
        {0x54, SEL_FREE2, VEC_NP}, /* DS: absent */
        {0x48, SEL_TSS, VEC_TS},   /* ES: not a segment */
        {0x58, 0x2000, VEC_TS},    /* FS: outside the table */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = two_tasks(0);
        rig_descriptor(r, SEL_FREE2, 0, 0xFFFFF, 0xC012);
        rig_poke(r, RIG_TSS2 + cases[i].offset, cases[i].selector, 4);
        RIG_RUN(r, far_68);
        EXPECT_FAULT(r, cases[i].vector, cases[i].selector, TASK2);
        EXPECT(r->cpu->tr.selector, SEL_TSS2);
        EXPECT(tss_type(r, SEL_TSS2), 11);
        rig_free(r);
    }
}

static void the_trap_bit_is_a_debug_exception(void)
{
    struct rig *r = two_tasks(0);
    rig_poke(r, RIG_TSS2 + 0x64, 1, 2);
    r->cpu->dr[7] = 0x401 | 0x3; /* L0 and G0, elsewhere */
    r->cpu->dr[0] = 0xFFFF0000;
    cpu_mode_changed(r->cpu);
    RIG_RUN(r, far_68);
    EXPECT_FAULT(r, VEC_DB, NO_ERROR, TASK2);
    EXPECT(r->cpu->dr[6] & 0xE000, 0x8000);
    EXPECT(r->cpu->dr[7] & 3, 2); /* local ones go */
    rig_free(r);
}

static void a_16_bit_tss_holds_16_bit_registers(void)
{
    struct rig *r = two_tasks(0);
    rig_descriptor(r, SEL_TSS2, RIG_TSS2, 0x2B, 0x81);
    memset(r->machine->ram + RIG_TSS2, 0, 0x68);
    rig_poke(r, RIG_TSS2 + 0x0E, TASK2, 2);
    rig_poke(r, RIG_TSS2 + 0x10, 2, 2);
    rig_poke(r, RIG_TSS2 + 0x12, 0xBEEF, 2);
    rig_poke(r, RIG_TSS2 + 0x1A, STACK2, 2);
    static const uint16_t segments[] = {SEL_DATA, SEL_CODE32, SEL_DATA,
                                        SEL_DATA};
    for (unsigned i = 0; i < 4; i++)
        rig_poke(r, RIG_TSS2 + 0x22 + i * 2, segments[i], 2);
    RIG_RUN(r, far_68);
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, TASK2 + 1);
    EXPECT(r->cpu->r[R_AX] & 0xFFFF, 0xBEEF);
    EXPECT(r->cpu->r[R_SP] & 0xFFFF, STACK2);
    EXPECT(tss_type(r, SEL_TSS2), 3);
    rig_free(r);
}

static void a_task_switch_changes_page_tables(void)
{
    struct rig *r = rig_new(RIG_PAGED32, 0);
    struct rig *t = two_tasks(0);
    memcpy(r->machine->ram + RIG_TSS2, t->machine->ram + RIG_TSS2, 0x68);
    rig_free(t);
    rig_descriptor(r, SEL_TSS2, RIG_TSS2, 0x67, TSS_AVAILABLE);
    memcpy(r->machine->ram + 0x30000, r->machine->ram + RIG_PD32, 4096);
    memcpy(r->machine->ram + 0x31000, r->machine->ram + RIG_PT32, 4096);
    rig_poke(r, 0x30000, 0x31007, 4);
    rig_poke(r, 0x31000 + (TASK2 >> 12) * 4, 0x40007, 4);
    rig_poke(r, 0x40000, 0xF440, 2); /* inc eax; hlt: the new TASK2 */
    rig_poke(r, TASK2, 0xF4, 1);
    rig_poke(r, RIG_TSS2 + 0x1C, 0x30000, 4);
    RIG_RUN(r, far_68);
    EXPECT_DONE(r);
    EXPECT(r->cpu->cr3, 0x30000);
    EXPECT(r->cpu->r[R_AX], 0xA0A00001);
    rig_free(r);
}

static const struct test tests[] = {
    {"jmp_switches_without_a_link", jmp_switches_without_a_link},
    {"call_links_and_iret_comes_back", call_links_and_iret_comes_back},
    {"a_task_gate_takes_interrupts_and_faults",
     a_task_gate_takes_interrupts_and_faults},
    {"targets_that_are_not_available_fault_in_the_old_task",
     targets_that_are_not_available_fault_in_the_old_task},
    {"bad_segments_fault_in_the_new_task", bad_segments_fault_in_the_new_task},
    {"the_trap_bit_is_a_debug_exception", the_trap_bit_is_a_debug_exception},
    {"a_16_bit_tss_holds_16_bit_registers",
     a_16_bit_tss_holds_16_bit_registers},
    {"a_task_switch_changes_page_tables", a_task_switch_changes_page_tables},
    {NULL, NULL},
};

TEST_MAIN("task", tests)
