/*
 * Far JMP, CALL and RET in protected and long mode: direct, conforming, and
 * through call gates (SDM 3A 5.8; SDM 2 CALL, JMP, RET).
 */
#include "tests/support/rig.h"

#define GATE16 4
#define GATE32 12
#define TARGET 0x9000u

/* The snippets' far pointers all say SEL_FREE:9000; HLT is at 9000. */
GUEST(jump, 32, "ljmp 0x68, 0x9000")
GUEST(call, 32, "lcall 0x68, 0x9000\nud2")
GUEST(jump_3, 32, "ljmp 0x6B, 0x9000")
GUEST(call_3, 32, "lcall 0x6B, 0x9000\nud2")

static struct rig *with_target(enum rig_mode mode, unsigned cpl,
                               unsigned access, uint32_t limit)
{
    struct rig *r = rig_new(mode, cpl);
    rig_descriptor(r, SEL_FREE, 0, limit, access);
    /* Where the target runs in ring 3, HLT is a #GP at 9000. */
    rig_poke(r, TARGET, 0xF4, 1);
    return r;
}

static void direct_transfers_check_type_privilege_and_presence(void)
{
    static const struct {
        unsigned cpl, rpl, access;
        int vector; /* -1: arrives */
    } cases[] = {
        {0, 0, 0xC09A, -1},     {0, 0, 0xC098, -1},
        {0, 0, 0xC01A, VEC_NP}, {0, 0, 0xC092, VEC_GP},
        {0, 0, 0xC0FA, VEC_GP}, /* outwards */
        {3, 0, 0xC09A, VEC_GP}, /* inwards */
        {3, 0, 0xC09E, -1},     /* conforming: CPL stays 3 */
        {0, 0, 0xC0FE, VEC_GP}, /* conforming, DPL > CPL */
        {3, 3, 0xC0FA, -1},     {3, 0, 0xC0FA, -1},
        {0, 3, 0xC09A, VEC_GP}, /* RPL > CPL */
        {0, 3, 0xC09E, -1},     /* RPL does not matter */
        {0, 0, 0x0082, VEC_GP}, /* an LDT */
        {0, 0, 0x008E, VEC_GP}, /* an interrupt gate */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned is_call = 0; is_call < 2; is_call++) {
            struct rig *r =
                with_target(RIG_PROT32, cases[i].cpl, cases[i].access, 0xFFFFF);
            uint64_t sp = r->cpu->r[R_SP];
            if (is_call)
                RIG_LOAD(r, call);
            else
                RIG_LOAD(r, jump);
            rig_poke(r, RIG_CODE + 5, SEL_FREE | cases[i].rpl, 1);
            rig_run(r);
            if (cases[i].vector >= 0) {
                EXPECT_FAULT(r, cases[i].vector, SEL_FREE, RIG_CODE);
                if (cases[i].cpl)
                    EXPECT(r->out.sp, sp);
            } else if (cases[i].cpl) {
                EXPECT_FAULT(r, VEC_GP, 0, TARGET);
                EXPECT(r->out.cs, SEL_FREE | 3);
                EXPECT(r->out.sp, sp - is_call * 8);
            } else {
                EXPECT_DONE(r);
                EXPECT(r->cpu->rip, TARGET + 1);
                EXPECT(r->cpu->seg[SEG_CS].selector, SEL_FREE);
                EXPECT(r->cpu->r[R_SP], sp - is_call * 8);
                if (is_call) {
                    EXPECT(rig_peek(r, (uint32_t)sp - 8, 4), RIG_CODE + 7);
                    EXPECT(rig_peek(r, (uint32_t)sp - 4, 2), SEL_CODE32);
                }
            }
            rig_free(r);
        }
}

static void a_target_beyond_the_limit_faults_at_the_transfer(void)
{
    struct rig *r = with_target(RIG_PROT32, 0, 0x409A, TARGET - 1);
    RIG_RUN(r, jump);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    r->cpu->rip = RIG_CODE;
    r->cpu->r[R_SP] = RIG_STACK0;
    RIG_RUN(r, call);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0 - 16);
    rig_free(r);
}

/* --- call gates
 * ------------------------------------------------------------------------------
 */

static struct rig *with_gate(enum rig_mode mode, unsigned cpl, unsigned type,
                             unsigned dpl, unsigned code, unsigned count)
{
    struct rig *r = rig_new(mode, cpl);
    rig_gate(r, RIG_GDT + SEL_FREE, type, dpl, code, TARGET, count);
    rig_poke(r, TARGET, 0xF4, 1);
    return r;
}

static void a_call_gate_copies_parameters_to_the_inner_stack(void)
{
    struct rig *r = with_gate(RIG_PROT32, 3, GATE32, 3, SEL_CODE32, 3);
    for (unsigned i = 0; i < 4; i++)
        rig_poke(r, RIG_STACK3 - 16 + i * 4, 0x11111111 * (i + 1), 4);
    r->cpu->r[R_SP] = RIG_STACK3 - 16;
    RIG_RUN(r, call_3);
    EXPECT_DONE(r);
    uint32_t sp = RIG_STACK0 - 28;
    EXPECT(r->cpu->r[R_SP], sp);
    EXPECT(rig_peek(r, sp, 4), RIG_CODE + 7);
    EXPECT(rig_peek(r, sp + 4, 4), SEL_UCODE32);
    EXPECT(rig_peek(r, sp + 8, 4), 0x11111111);
    EXPECT(rig_peek(r, sp + 12, 4), 0x22222222);
    EXPECT(rig_peek(r, sp + 16, 4), 0x33333333);
    EXPECT(rig_peek(r, sp + 20, 4), RIG_STACK3 - 16);
    EXPECT(rig_peek(r, sp + 24, 4), SEL_UDATA);
    EXPECT(r->cpu->cpl, 0);
    EXPECT(r->cpu->seg[SEG_CS].selector, SEL_CODE32);
    rig_free(r);
    r = with_gate(RIG_PROT32, 3, GATE16, 3, SEL_CODE32, 2);
    r->cpu->r[R_SP] = RIG_STACK3 - 16;
    rig_poke(r, RIG_STACK3 - 16, 0x22221111, 4);
    RIG_RUN(r, call_3);
    EXPECT_DONE(r);
    sp = RIG_STACK0 - 12; /* words */
    EXPECT(r->cpu->r[R_SP], sp);
    EXPECT(rig_peek(r, sp, 8), 0x22221111001B8007);
    EXPECT(rig_peek(r, sp + 8, 2), (RIG_STACK3 - 16) & 0xFFFF);
    rig_free(r);
}

GUEST(there_and_back, 32,
      "push 1\npush 2\nlcall 0x6B, 0x9000\nmov edx, esp\nud2")
GUEST(back, 32, "mov eax, [esp + 8]\nlret 8")
static void lret_releases_parameters_on_both_stacks(void)
{
    struct rig *r = with_gate(RIG_PROT32, 3, GATE32, 3, SEL_CODE32, 2);
    rig_load(r, TARGET, back, back_end);
    RIG_RUN(r, there_and_back);
    EXPECT(r->out.vector, VEC_UD);
    EXPECT(r->out.cs, SEL_UCODE32);
    EXPECT(r->cpu->r[R_AX], 2);
    EXPECT(r->cpu->r[R_DX], RIG_STACK3);
    rig_free(r);
}

static void a_gate_checks_itself_and_then_its_target(void)
{
    static const struct {
        unsigned cpl, dpl, code;
        bool absent, is_jump;
        int vector;
        uint32_t error;
    } cases[] = {
        {3, 0, SEL_CODE32, false, false, VEC_GP, SEL_FREE},
        {3, 3, SEL_CODE32, true, false, VEC_NP, SEL_FREE},
        {3, 3, 0, false, false, VEC_GP, 0},
        {3, 3, SEL_DATA, false, false, VEC_GP, SEL_DATA},
        {3, 3, 0x2000, false, false, VEC_GP, 0x2000},
        {0, 0, SEL_UCODE32, false, false, VEC_GP, SEL_UCODE32 & ~3u},
        {3, 3, SEL_FREE2, false, false, VEC_NP, SEL_FREE2},
        {3, 3, SEL_CODE32, false, true, VEC_GP, SEL_CODE32}, /* JMP inwards */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = with_gate(RIG_PROT32, cases[i].cpl, GATE32,
                                  cases[i].dpl, cases[i].code, 0);
        rig_descriptor(r, SEL_FREE2, 0, 0xFFFFF, 0xC01A);
        if (cases[i].absent)
            rig_poke(r, RIG_GDT + SEL_FREE + 5, 0x6C, 1);
        if (cases[i].is_jump)
            RIG_LOAD(r, jump);
        else
            RIG_LOAD(r, call);
        rig_run(r);
        EXPECT_FAULT(r, cases[i].vector, cases[i].error, RIG_CODE);
        rig_free(r);
    }
}

static void a_gate_to_conforming_code_keeps_ring_and_stack(void)
{
    struct rig *r = with_gate(RIG_PROT32, 3, GATE32, 3, SEL_FREE2, 5);
    rig_descriptor(r, SEL_FREE2, 0, 0xFFFFF, 0xC09E);
    RIG_RUN(r, call);
    EXPECT_FAULT(r, VEC_GP, 0, TARGET); /* HLT in ring 3 */
    EXPECT(r->out.cs, SEL_FREE2 | 3);
    EXPECT(r->out.sp, RIG_STACK3 - 8);
    rig_free(r);
}

GUEST(call_mem, 64, "rex.w lcall [rbx]\nud2")
static void a_64_bit_gate_switches_to_a_null_ss(void)
{
    struct rig *r = with_gate(RIG_LONG, 3, GATE32, 3, SEL_CODE64, 0);
    rig_poke(r, RIG_DATA + 8, SEL_FREE | 3, 2);
    r->cpu->r[R_BX] = RIG_DATA;
    RIG_RUN(r, call_mem);
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, TARGET + 1);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0 - 32);
    EXPECT(rig_peek(r, RIG_STACK0 - 24, 8), SEL_UCODE64);
    EXPECT(rig_peek(r, RIG_STACK0 - 16, 8), RIG_STACK3);
    EXPECT(rig_peek(r, RIG_STACK0 - 8, 8), SEL_UDATA);
    EXPECT(r->cpu->seg[SEG_SS].selector, 0);
    rig_free(r);
    r = with_gate(RIG_LONG, 3, GATE32, 3, SEL_CODE32, 0); /* not 64-bit */
    rig_poke(r, RIG_DATA + 8, SEL_FREE | 3, 2);
    r->cpu->r[R_BX] = RIG_DATA;
    RIG_RUN(r, call_mem);
    EXPECT_FAULT(r, VEC_GP, SEL_CODE32, RIG_CODE);
    rig_free(r);
    r = with_gate(RIG_LONG, 3, GATE32, 3, SEL_CODE64, 0); /* upper half */
    rig_poke(r, RIG_GDT + SEL_FREE + 13, 1, 1);
    rig_poke(r, RIG_DATA + 8, SEL_FREE | 3, 2);
    r->cpu->r[R_BX] = RIG_DATA;
    RIG_RUN(r, call_mem);
    EXPECT_FAULT(r, VEC_GP, SEL_FREE, RIG_CODE);
    rig_free(r);
}

/* --- RET
 * --------------------------------------------------------------------------------------
 */

GUEST(ret_far, 32, "push 0x23\npush 0x7000\npush eax\npush 0x9000\nlret\nud2")
static void lret_goes_outwards_only(void)
{
    static const struct {
        unsigned cpl, selector;
        int vector;
        uint32_t error, ip;
    } cases[] = {
        {0, SEL_UCODE32, VEC_GP, 0, TARGET}, /* arrives; HLT faults there */
        {0, SEL_CODE32, -1, 0, 0},
        {3, SEL_CODE32, VEC_GP, SEL_CODE32, RIG_CODE + 13}, /* inwards */
        {0, SEL_CODE32 | 3, VEC_GP, SEL_CODE32, RIG_CODE + 13},
        {0, 0, VEC_GP, 0, RIG_CODE + 13},
        {0, SEL_DATA, VEC_GP, SEL_DATA, RIG_CODE + 13},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_PROT32, cases[i].cpl);
        rig_poke(r, TARGET, 0xF4, 1);
        r->cpu->r[R_AX] = cases[i].selector;
        RIG_RUN(r, ret_far);
        if (cases[i].vector < 0)
            EXPECT_DONE(r);
        else
            EXPECT_FAULT(r, cases[i].vector, cases[i].error, cases[i].ip);
        rig_free(r);
    }
}

static const struct test tests[] = {
    {"direct_transfers_check_type_privilege_and_presence",
     direct_transfers_check_type_privilege_and_presence},
    {"a_target_beyond_the_limit_faults_at_the_transfer",
     a_target_beyond_the_limit_faults_at_the_transfer},
    {"a_call_gate_copies_parameters_to_the_inner_stack",
     a_call_gate_copies_parameters_to_the_inner_stack},
    {"lret_releases_parameters_on_both_stacks",
     lret_releases_parameters_on_both_stacks},
    {"a_gate_checks_itself_and_then_its_target",
     a_gate_checks_itself_and_then_its_target},
    {"a_gate_to_conforming_code_keeps_ring_and_stack",
     a_gate_to_conforming_code_keeps_ring_and_stack},
    {"a_64_bit_gate_switches_to_a_null_ss",
     a_64_bit_gate_switches_to_a_null_ss},
    {"lret_goes_outwards_only", lret_goes_outwards_only},
    {NULL, NULL},
};

TEST_MAIN("farcall", tests)
