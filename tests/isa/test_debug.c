/*
 * Debug exceptions: single-stepping, instruction and data breakpoints, RF,
 * general detect, and how MOV SS and POP SS hold all of them off (SDM 3A
 * 17.2, 17.3; 6.8.3).
 */
#include "emu/x86/mmu.h"
#include "tests/support/rig.h"

#define DR6_BS 0x4000u
#define DR6_BD 0x2000u

/* Runs with the traps collected: the handler's HLT, then IRET by hand. */
#define MAX_TRAPS 16
struct traps {
    unsigned count;
    uint64_t ip[MAX_TRAPS], dr6[MAX_TRAPS], flags[MAX_TRAPS];
};

/* Goes back to where the trap came from, with these flags. */
static void go_back(struct rig *r, uint64_t flags)
{
    struct cpu *c = r->cpu;
    c->rip = r->out.ip;
    c->r[R_SP] += c->long_mode ? 40 : 12;
    if (c->long_mode)
        c->r[R_SP] = r->out.sp;
    cpu_set_eflags(c, (uint32_t)flags);
    c->dr[6] = 0xFFFF0FF0;
    cpu_mode_changed(c);
}

/* Until something else than #DB comes; RF is given back as it was pushed, or
 * set, as a handler does for instruction breakpoints. */
static struct traps collect(struct rig *r, bool set_rf)
{
    struct traps t = {0};
    rig_run(r);
    while (r->out.vector == VEC_DB && t.count < MAX_TRAPS) {
        t.ip[t.count] = r->out.ip - RIG_CODE;
        t.dr6[t.count] = r->cpu->dr[6] & 0xE00F;
        t.flags[t.count++] = r->out.flags;
        go_back(r, r->out.flags | (set_rf ? FLAG_RF : 0u));
        rig_run(r);
    }
    return t;
}

static struct rig *stepping(enum rig_mode mode)
{
    struct rig *r = rig_new(mode, 0);
    cpu_set_eflags(r->cpu, FLAG_TF | 2);
    return r;
}

/* --- single steps --------------------------------------------------------- */

GUEST(plain, 32, "nop\ninc eax\njmp 1f\nnop\n1: nop\nud2")
static void every_instruction_traps_behind_itself(void)
{
    struct rig *r = stepping(RIG_PROT32);
    RIG_LOAD(r, plain);
    struct traps t = collect(r, false);
    EXPECT(t.count, 4);
    EXPECT(t.ip[0], 1);
    EXPECT(t.ip[1], 2);
    EXPECT(t.ip[2], 5);
    EXPECT(t.ip[3], 6);
    EXPECT(t.dr6[0], DR6_BS);
    EXPECT(t.flags[0] & FLAG_TF, FLAG_TF); /* pushed, then cleared */
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE + 6);
    EXPECT(r->cpu->eflags & FLAG_TF, 0);
    rig_free(r);
}

GUEST(set_tf, 32,
      "pushfd\nor dword ptr [esp], 0x100\npopfd\nnop\nnop\n"
      "pushfd\nand dword ptr [esp], ~0x100\npopfd\nnop\nud2")
static void popf_starts_and_ends_it_an_instruction_later(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    RIG_LOAD(r, set_tf);
    struct traps t = collect(r, false);
    EXPECT(t.count, 5);
    EXPECT(t.ip[0], 10); /* not behind the POPF, behind the NOP */
    EXPECT(t.ip[4], 20); /* the POPF that clears TF still traps */
    rig_free(r);
}

GUEST(rep_step, 64, "rep movsb\nnop\nud2")
GUEST(rep_step_scas, 64, "repe scasb\nnop\nud2")
GUEST(rep_step_lods, 64, "rep lodsb\nnop\nud2")
GUEST(rep_step_stos, 64, "rep stosb\nnop\nud2")
GUEST(rep_step_cmps, 64, "repe cmpsb\nnop\nud2")
static void a_repeated_instruction_traps_after_each_iteration(void)
{
    static const uint8_t *const code[][2] = {
        {rep_step, rep_step_end},
        {rep_step_scas, rep_step_scas_end},
        {rep_step_lods, rep_step_lods_end},
        {rep_step_stos, rep_step_stos_end},
        {rep_step_cmps, rep_step_cmps_end},
    };
    for (unsigned i = 0; i < 5; i++) {
        struct rig *r = stepping(RIG_LONG);
        r->cpu->r[R_SI] = RIG_DATA;
        r->cpu->r[R_DI] = RIG_DATA + 0x100;
        r->cpu->r[R_CX] = 5;
        rig_load(r, RIG_CODE, code[i][0], code[i][1]);
        rig_run(r);
        EXPECT_FAULT(r, VEC_DB, NO_ERROR, RIG_CODE); /* at itself */
        EXPECT(r->cpu->r[R_CX], 4);
        EXPECT(r->out.flags & FLAG_RF, FLAG_RF); /* all but the last */
        go_back(r, r->out.flags);
        struct traps t = collect(r, false);
        EXPECT(t.count, 5);
        EXPECT(t.ip[2], 0);
        EXPECT(t.ip[3], 2); /* after the last one: behind it */
        EXPECT(t.flags[3] & FLAG_RF, 0);
        EXPECT(r->cpu->r[R_CX], 0);
        rig_free(r);
    }
}

GUEST(mov_ss, 32, "mov eax, ss\nmov ss, ax\nnop\nnop\nud2")
GUEST(pop_ss, 32, "push ss\nnop\npop ss\nnop\nnop\nud2")
GUEST(sti_step, 32, "nop\nnop\nsti\nnop\nnop\nud2")
static void no_trap_between_a_load_of_ss_and_the_next(void)
{
    struct rig *r = stepping(RIG_PROT32);
    RIG_LOAD(r, mov_ss);
    struct traps t = collect(r, false);
    EXPECT(t.count, 3);
    EXPECT(t.ip[0], 2);
    EXPECT(t.ip[1], 5);
    EXPECT(t.ip[2], 6);
    rig_free(r);
    r = stepping(RIG_PROT32);
    RIG_LOAD(r, pop_ss);
    t = collect(r, false);
    EXPECT(t.count, 4);
    EXPECT(t.ip[1], 2);
    EXPECT(t.ip[2], 4);
    rig_free(r);
    r = stepping(RIG_PROT32); /* STI holds off interrupts only */
    RIG_LOAD(r, sti_step);
    t = collect(r, false);
    EXPECT(t.count, 5);
    EXPECT(t.ip[2], 3);
    rig_free(r);
}

GUEST(int_step, 32, "nop\nint 0x80\nud2")
static void int_n_enters_its_handler_without_a_trap(void)
{
    struct rig *r = stepping(RIG_PROT32);
    RIG_LOAD(r, int_step);
    struct traps t = collect(r, false);
    EXPECT(t.count, 1);
    EXPECT_FAULT(r, 0x80, NO_ERROR, RIG_CODE + 3);
    EXPECT(r->out.flags & FLAG_TF, FLAG_TF);
    rig_free(r);
}

/* --- breakpoints ---------------------------------------------------------- */

static struct rig *watching(enum rig_mode mode, uint64_t dr0, uint64_t dr7)
{
    struct rig *r = rig_new(mode, 0);
    r->cpu->dr[0] = dr0;
    r->cpu->dr[7] = dr7 | 0x400;
    cpu_mode_changed(r->cpu);
    mmu_flush_all(r->cpu);
    return r;
}

static void an_instruction_breakpoint_is_a_fault_until_rf(void)
{
    static const enum rig_mode modes[] = {RIG_PROT32, RIG_LONG};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = watching(modes[i], RIG_CODE + 1, 1);
        RIG_LOAD(r, plain); /* FF C0 or 40: nothing depends on it */
        if (modes[i] == RIG_LONG)
            rig_poke(r, RIG_CODE + 1, 0x90, 1);
        rig_run(r);
        EXPECT_FAULT(r, VEC_DB, NO_ERROR, RIG_CODE + 1);
        EXPECT(r->cpu->dr[6] & 0xE00F, 1);
        EXPECT(r->cpu->r[R_AX], 0);
        EXPECT(r->out.flags & FLAG_RF, 0);
        go_back(r, r->out.flags); /* without RF: again */
        rig_run(r);
        EXPECT_FAULT(r, VEC_DB, NO_ERROR, RIG_CODE + 1);
        go_back(r, r->out.flags | FLAG_RF);
        rig_run(r);
        EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE + 6);
        rig_free(r);
    }
}

GUEST(iret_rf, 32,
      "push 0x10002\npush 8\npush offset " AT(
          iret_rf, 1f) "\niretd\n"
                       "1: inc eax\ncmp eax, 2\njb 1b\nud2")
static void iret_sets_rf_for_one_instruction(void)
{
    struct rig *r = watching(RIG_PROT32, 0, 1);
    RIG_LOAD(r, iret_rf);
    r->cpu->dr[0] = RIG_CODE + 13;
    rig_run(r);
    EXPECT_FAULT(r, VEC_DB, NO_ERROR, RIG_CODE + 13);
    EXPECT(r->cpu->r[R_AX], 1); /* the second time */
    rig_free(r);
}

/* RF that an IRET set long ago is not there any more. */
GUEST(old_rf, 32,
      "push 0x10002\npush 8\npush offset " AT(
          old_rf, 1f) "\niretd\n"
                      "1: nop\nmov eax, 1\nmov dr7, eax\nnop\nud2")
static void rf_does_not_outlive_its_instruction(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    r->cpu->dr[0] = RIG_CODE + 22;
    RIG_LOAD(r, old_rf);
    rig_run(r);
    EXPECT_FAULT(r, VEC_DB, NO_ERROR, RIG_CODE + 22);
    rig_free(r);
}

GUEST(touch, 32,
      "mov eax, [0x10000]\nnop\nmov [0x10000], eax\nnop\n"
      "mov [0x10003], ax\nnop\nmov [0x10004], eax\nud2")
static void data_breakpoints_trap_behind_the_access(void)
{
    struct rig *r = watching(RIG_PAGED32, RIG_DATA, 0xF0001 | 0x1); /* RW4 */
    RIG_LOAD(r, touch);
    struct traps t = collect(r, false);
    EXPECT(t.count, 3);
    EXPECT(t.ip[0], 5);
    EXPECT(t.ip[1], 11);
    EXPECT(t.ip[2], 18); /* overlaps in one byte */
    EXPECT(t.dr6[0], 1);
    rig_free(r);
    r = watching(RIG_PAGED32, RIG_DATA, 0xD0002); /* W4, global */
    RIG_LOAD(r, touch);
    t = collect(r, false);
    EXPECT(t.count, 2);
    EXPECT(t.ip[0], 11);
    rig_free(r);
}

GUEST(ss_touch, 32, "mov ss, [0x10000]\nnop\nnop\nud2")
static void a_data_breakpoint_on_a_load_of_ss_waits(void)
{
    struct rig *r = watching(RIG_PROT32, RIG_DATA, 0x30001);
    rig_poke(r, RIG_DATA, SEL_DATA, 2);
    RIG_LOAD(r, ss_touch);
    struct traps t = collect(r, false);
    EXPECT(t.count, 1);
    EXPECT(t.ip[0], 7);
    EXPECT(t.dr6[0], 1);
    rig_free(r);
    /* An instruction breakpoint behind it is suppressed. */
    r = watching(RIG_PROT32, RIG_CODE + 6, 1);
    rig_poke(r, RIG_DATA, SEL_DATA, 2);
    RIG_LOAD(r, ss_touch);
    t = collect(r, false);
    EXPECT(t.count, 0);
    rig_free(r);
}

GUEST(rep_watch, 64, "rep stosd\nnop\nud2")
static void a_data_breakpoint_stops_between_iterations(void)
{
    struct rig *r = watching(RIG_LONG, RIG_DATA + 8, 0xD0001);
    r->cpu->r[R_DI] = RIG_DATA;
    r->cpu->r[R_CX] = 6;
    RIG_LOAD(r, rep_watch);
    rig_run(r);
    EXPECT_FAULT(r, VEC_DB, NO_ERROR, RIG_CODE);
    EXPECT(r->cpu->r[R_CX], 3);
    EXPECT(r->cpu->r[R_DI], RIG_DATA + 12);
    rig_free(r);
}

GUEST(touch_absent, 32, "mov eax, [0x10000]\nud2")
GUEST(touch_push, 32, "mov esp, 0x12000\npush [0x10000]\nud2")
static void an_access_that_faults_earns_no_breakpoint(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = watching(RIG_PAGED32, RIG_DATA, 0xF0001);
        rig_set_pte(r, i ? RIG_DATA + 0x1000 : RIG_DATA, 0);
        /* the handler must have a stack for the second */
        if (i)
            RIG_LOAD(r, touch_push);
        else
            RIG_LOAD(r, touch_absent);
        if (i) {
            r->cpu->cpl = 3;
            r->cpu->seg[SEG_CS].selector = SEL_UCODE32;
            r->cpu->seg[SEG_CS].access |= ACCESS_RING3;
            r->cpu->seg[SEG_SS].selector = SEL_UDATA;
            r->cpu->seg[SEG_SS].access |= ACCESS_RING3;
            cpu_mode_changed(r->cpu);
        }
        rig_run(r);
        EXPECT(r->out.vector, VEC_PF);
        EXPECT(r->cpu->dr[6] & 0xF, 0);
        rig_free(r);
    }
}

GUEST(use_dr, 32, "mov eax, dr6\nnop\nud2")
static void general_detect_guards_the_debug_registers(void)
{
    struct rig *r = watching(RIG_PROT32, 0, 0x2000);
    RIG_LOAD(r, use_dr);
    rig_run(r);
    EXPECT_FAULT(r, VEC_DB, NO_ERROR, RIG_CODE);
    EXPECT(r->cpu->dr[6] & 0xE00F, DR6_BD);
    EXPECT(r->cpu->dr[7] & 0x2000, 0); /* for the handler's sake */
    rig_free(r);
}

static const struct test tests[] = {
    {"every_instruction_traps_behind_itself",
     every_instruction_traps_behind_itself},
    {"popf_starts_and_ends_it_an_instruction_later",
     popf_starts_and_ends_it_an_instruction_later},
    {"a_repeated_instruction_traps_after_each_iteration",
     a_repeated_instruction_traps_after_each_iteration},
    {"no_trap_between_a_load_of_ss_and_the_next",
     no_trap_between_a_load_of_ss_and_the_next},
    {"int_n_enters_its_handler_without_a_trap",
     int_n_enters_its_handler_without_a_trap},
    {"an_instruction_breakpoint_is_a_fault_until_rf",
     an_instruction_breakpoint_is_a_fault_until_rf},
    {"iret_sets_rf_for_one_instruction", iret_sets_rf_for_one_instruction},
    {"rf_does_not_outlive_its_instruction",
     rf_does_not_outlive_its_instruction},
    {"data_breakpoints_trap_behind_the_access",
     data_breakpoints_trap_behind_the_access},
    {"a_data_breakpoint_on_a_load_of_ss_waits",
     a_data_breakpoint_on_a_load_of_ss_waits},
    {"a_data_breakpoint_stops_between_iterations",
     a_data_breakpoint_stops_between_iterations},
    {"an_access_that_faults_earns_no_breakpoint",
     an_access_that_faults_earns_no_breakpoint},
    {"general_detect_guards_the_debug_registers",
     general_detect_guards_the_debug_registers},
    {NULL, NULL},
};

TEST_MAIN("debug", tests)
