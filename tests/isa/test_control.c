/*
 * Near control transfer: Jcc, JMP, CALL, RET, LOOPcc, JCXZ in every operand
 * size, and what happens at the edges of CS and of the canonical range (SDM 2
 * JMP, CALL, RET, Jcc, LOOP; 3A 5.3).
 */
#include "tests/support/rig.h"

#include <stdio.h>

/* --- conditions ----------------------------------------------------------- */

/* SHL before the jump would change the flags: so flags are loaded after. */
#define ONE_JCC16(CC)                                                          \
    "shl ax, 1\npush dx\npopf\nj" CC " 1f\njmp 2f\n1: inc ax\n2:\n"
GUEST(all_conditions_16, 16,
      ONE_JCC16("o") ONE_JCC16("no") ONE_JCC16("b") ONE_JCC16("nb")
          ONE_JCC16("z") ONE_JCC16("nz") ONE_JCC16("be") ONE_JCC16("nbe")
              ONE_JCC16("s") ONE_JCC16("ns") ONE_JCC16("p") ONE_JCC16("np")
                  ONE_JCC16("l") ONE_JCC16("nl") ONE_JCC16("le")
                      ONE_JCC16("nle") "hlt")

static uint16_t conditions(uint32_t f)
{
    bool o = f & FLAG_OF, b = f & FLAG_CF, z = f & FLAG_ZF, s = f & FLAG_SF;
    bool p = f & FLAG_PF;
    bool met[16] = {o, !o, b, !b, z, !z, b || z, !(b || z), s, !s, p, !p,
                    s != o, s == o, z || s != o, !z && s == o};
    uint16_t word = 0;
    for (unsigned i = 0; i < 16; i++)
        word = (uint16_t)(word << 1 | met[i]);
    return word;
}

static void every_combination_of_flags(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    static const uint32_t bit[] = {FLAG_CF, FLAG_PF, FLAG_ZF, FLAG_SF,
                                   FLAG_OF};
    RIG_LOAD(r, all_conditions_16);
    for (unsigned set = 0; set < 32; set++) {
        uint32_t flags = 2;
        for (unsigned i = 0; i < 5; i++)
            flags |= set >> i & 1 ? bit[i] : 0;
        r->cpu->r[R_DX] = flags;
        r->cpu->r[R_AX] = 0;
        r->cpu->rip = RIG_CODE;
        rig_run(r);
        EXPECT(r->cpu->r[R_AX], conditions(flags));
    }
    rig_free(r);
}

/* --- operand sizes -------------------------------------------------------- */

GUEST(jumps_64, 64,
      "lea rbx, [rip + 1f]\njmp rbx\nhlt\n"
      "1: lea rbx, [rip + 2f]\nmov [0x10000], rbx\njmp [0x10000]\nhlt\n"
      "2: call 3f\n4: mov ecx, 1\nhlt\n"
      "3: mov rdx, [rsp]\nlea rbx, [rip + 4b]\nsub rdx, rbx\n"
      "lea rbx, [rip + 5f]\ncall rbx\nret\n5: inc esi\nret 0\n")
static void jmp_call_and_ret_in_64_bit_mode(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    for (unsigned i = 0; i < 3; i++) { /* the second time through caches */
        r->cpu->r[R_DX] = 99;
        r->cpu->rip = RIG_CODE;
        RIG_RUN(r, jumps_64);
        EXPECT_DONE(r);
        EXPECT(r->cpu->r[R_DX], 0);
        EXPECT(r->cpu->r[R_CX], 1);
        EXPECT(r->cpu->r[R_SI], i + 1);
        EXPECT(r->cpu->r[R_SP], RIG_STACK0);
    }
    rig_free(r);
}

/* In 64-bit mode a 66 prefix does not narrow a near branch (Intel). */
GUEST(prefixed_64, 64,
      ".byte 0x66\ncall 1f\n.byte 0, 0\nhlt\n1: mov rax, [rsp]\nhlt")
static void operand_size_is_ignored_by_near_branches_in_64_bit_mode(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, prefixed_64);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0 - 8);
    rig_free(r);
}

/* 32-bit code at 8000: a 16-bit branch truncates EIP; it is below 64 KiB. */
GUEST(narrow_32, 32,
      ".byte 0x66, 0xE8\n.word 1f-2f\n2: hlt\n"           /* callw */
      "1: mov ax, [esp]\nmov edx, esp\n.byte 0x66, 0xC3") /* retw */
static void a_16_bit_call_and_ret_in_32_bit_code_use_words(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    RIG_RUN(r, narrow_32);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], RIG_CODE + 4);
    EXPECT(r->cpu->r[R_DX], RIG_STACK0 - 2);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0);
    rig_free(r);
}

GUEST(narrow_high, 32, ".byte 0x66, 0xEB, 0x10") /* jmpw +16 */
static void a_16_bit_jump_drops_the_upper_half_of_eip(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    rig_load(r, 0x18000, narrow_high, narrow_high_end);
    rig_poke(r, 0x8013, 0xF4, 1);
    r->cpu->rip = 0x18000;
    rig_run(r);
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, 0x8014);
    rig_free(r);
}

GUEST(ret_pops, 32, "push 11\npush 22\ncall 1f\nhlt\n1: ret 8")
GUEST(ret_pops_16, 16, "push 11\npush 22\ncall 1f\nhlt\n1: ret 4")
static void ret_with_a_count_releases_the_parameters(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    RIG_RUN(r, ret_pops);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0);
    rig_free(r);
    r = rig_new(RIG_REAL, 0);
    r->cpu->r[R_SP] = 0xABCD6000; /* only SP counts, only SP changes */
    RIG_RUN(r, ret_pops_16);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_SP], 0xABCD6000);
    rig_free(r);
}

/* CALL through memory that is addressed by ESP: the address is taken first. */
GUEST(call_esp, 32,
      "push offset " AT(call_esp, 1f) "\ncall [esp]\n"
                                      "1: mov eax, [esp]\nhlt")
static void call_through_esp_reads_before_it_pushes(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    RIG_RUN(r, call_esp);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], RIG_CODE + 8);
    rig_free(r);
}

/* --- LOOP, JCXZ ----------------------------------------------------------- */

GUEST(loops, 64,
      "mov ecx, 5\n1: inc eax\nloop 1b\n"                       /* eax 5 */
      "mov rcx, 0x100000001\n1: inc ebx\n.byte 0x67\nloop 1b\n" /* ECX */
      "mov r8, rcx\n"
      "mov ecx, 9\nxor edx, edx\n1: inc edx\ncmp edx, 4\nloopne 1b\n"
      "mov r9, rcx\n"
      "mov ecx, 9\nxor esi, esi\n1: inc esi\ncmp esi, 1\nloope 1b\n"
      "mov r10, rcx\n"
      "xor ecx, ecx\njrcxz 1f\nhlt\n"
      "1: mov rcx, 0x100000000\njecxz 2f\nhlt\n2: jrcxz 3f\n"
      "mov edi, 1\n3: hlt")
static void loop_counts_in_the_width_of_the_address_size(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, loops);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], 5);
    EXPECT(r->cpu->r[R_BX], 1);
    EXPECT(r->cpu->r[R_8], 0); /* a 32-bit count clears the upper half */
    EXPECT(r->cpu->r[R_DX], 4);
    EXPECT(r->cpu->r[R_9], 5);
    EXPECT(r->cpu->r[R_SI], 2);
    EXPECT(r->cpu->r[R_10], 7);
    EXPECT(r->cpu->r[R_DI], 1);
    rig_free(r);
}

GUEST(loop_16, 16, "1: inc ax\nloop 1b\nhlt")
static void loop_with_cx_0_goes_65536_times_around(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    r->cpu->r[R_CX] = 0x12340000;
    r->cpu->r[R_DX] = 0;
    RIG_RUN(r, loop_16);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX] & 0xFFFF, 0);
    EXPECT(r->cpu->r[R_CX], 0x12340000);
    rig_free(r);
}

/* --- beyond CS's limit ---------------------------------------------------- */

/* A 32-bit segment of 1000H bytes at RIG_CODE. */
static struct rig *short_segment(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    r->cpu->seg[SEG_CS].base = RIG_CODE;
    r->cpu->seg[SEG_CS].limit = 0xFFF;
    r->cpu->rip = 0;
    cpu_mode_changed(r->cpu);
    return r;
}

GUEST(jmp_out, 32, "nop\njmp .+0x1000\n")
GUEST(jcc_out, 32, "cmp eax, eax\nje .+0x1000\n")
GUEST(call_out, 32, "nop\ncall .+0x1000\n")
GUEST(jmp_reg_out, 32, "mov eax, 0x1000\njmp eax\n")
GUEST(jmp_mem_out, 32, "mov dword ptr [0x10000], 0x1000\njmp [0x10000]\n")
GUEST(call_reg_out, 32, "mov eax, 0x1000\ncall eax\n")
GUEST(ret_out, 32, "push 0x1000\nret\n")
GUEST(loop_out, 32,
      "mov ecx, 7\njmp 1f\n.org loop_out+0xF80\n1: mov ecx, 7\n"
      "loop .+0x80\n")
static void a_near_branch_beyond_the_limit_faults_at_the_branch(void)
{
    static const struct {
        const uint8_t *start, *end;
        uint32_t ip, sp;
    } cases[] = {
        {jmp_out, jmp_out_end, 1, 0},
        {jcc_out, jcc_out_end, 2, 0},
        {call_out, call_out_end, 1, 0},
        {jmp_reg_out, jmp_reg_out_end, 5, 0},
        {jmp_mem_out, jmp_mem_out_end, 10, 0},
        {call_reg_out, call_reg_out_end, 5, 0},
        {ret_out, ret_out_end, 5, 4},
        {loop_out, loop_out_end, 0xF85, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = short_segment();
        rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
        rig_run(r);
        EXPECT_FAULT(r, VEC_GP, 0, cases[i].ip);
        EXPECT(r->cpu->r[R_SP], RIG_STACK0 - cases[i].sp - 16);
        if (cases[i].start == loop_out)
            EXPECT(r->cpu->r[R_CX], 7); /* undone */
        rig_free(r);
    }
}

GUEST(to_edge, 32, "jmp .+0xFFF\n")
static void falling_off_the_limit_faults_at_the_next_instruction(void)
{
    struct rig *r = short_segment();
    RIG_LOAD(r, to_edge);
    rig_poke(r, RIG_CODE + 0xFFF, 0x40, 1); /* inc eax */
    rig_run(r);
    EXPECT_FAULT(r, VEC_GP, 0, 0x1000);
    EXPECT(r->cpu->r[R_AX], 1); /* has been executed, once */
    rig_free(r);
}

static void an_instruction_cut_off_by_the_limit_faults_at_itself(void)
{
    struct rig *r = short_segment();
    RIG_LOAD(r, to_edge);
    rig_poke(r, RIG_CODE + 0xFFF, 0x9090C0FE, 4); /* inc al */
    rig_run(r);
    EXPECT_FAULT(r, VEC_GP, 0, 0xFFF);
    rig_free(r);
    /* The same where the limit lies in the second page of an instruction. */
    r = short_segment();
    r->cpu->seg[SEG_CS].limit = 0x1000;
    cpu_mode_changed(r->cpu);
    RIG_LOAD(r, to_edge);
    rig_poke(r, RIG_CODE + 0xFFF, 0xF40100C0C7, 6); /* mov eax, imm32 */
    rig_run(r);
    EXPECT_FAULT(r, VEC_GP, 0, 0xFFF);
    rig_free(r);
}

/* A jump that has been made before must still see a shorter limit. */
GUEST(shrink, 32,
      "mov ebx, offset " AT(shrink, 2f) "\nmov eax, 0x9000\njmp eax\n"
                                        "2: ljmp 0x68, offset " AT(
                                            shrink, 1f) "\n1: jmp eax\nhlt\n")
static void a_known_target_is_checked_against_a_new_limit(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    rig_descriptor(r, SEL_FREE, 0, 0x8FFF, 0x409A);
    rig_descriptor(r, SEL_CODE32, 0, 0xFFFF, 0x409A);
    r->cpu->seg[SEG_CS].limit = 0xFFFF;
    cpu_mode_changed(r->cpu);
    rig_poke(r, 0x9000, 0xE3FF, 2); /* jmp ebx */
    RIG_RUN(r, shrink);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 19);
    rig_free(r);
}

/* --- code segments that do not start on a page ---------------------------- */

/* CS = 07C1: the page ends at offset 3F0, in the middle of a run. */
GUEST(unaligned, 16,
      "mov cx, 300\n1: jmp 3f\n.org unaligned+0x3E0\n3: inc ax\njmp 2f\n.org "
      "unaligned+0x3EF\n"
      "nop\ninc bx\n2: inc dx\ndec cx\nje 4f\njmp 1b\n4: hlt\n")
GUEST(unaligned_far, 16,
      "mov cx, 300\n1: jmp 3f\n.org unaligned_far+0x3E8\n3: inc ax\njmp "
      "2f\n.org unaligned_far+0x3F4\n"
      "2: call 5f\ndec cx\nje 4f\njmp 1b\n4: hlt\n5: inc dx\nret\n")
static void branches_across_a_page_inside_an_unaligned_segment(void)
{
    static const uint8_t *const code[][2] = {
        {unaligned, unaligned_end}, {unaligned_far, unaligned_far_end}};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = rig_new(RIG_REAL, 0);
        r->cpu->seg[SEG_CS].selector = 0x7C1;
        r->cpu->seg[SEG_CS].base = 0x7C10;
        cpu_mode_changed(r->cpu);
        rig_load(r, 0x7C10, code[i][0], code[i][1]);
        r->cpu->rip = 0;
        rig_run(r);
        EXPECT_DONE(r);
        EXPECT(r->cpu->r[R_AX], 300);
        EXPECT(r->cpu->r[R_DX], 300);
        EXPECT(r->cpu->r[R_CX], 0);
        rig_free(r);
    }
}

/* --- canonical addresses -------------------------------------------------- */

GUEST(jmp_odd, 64, "mov rax, 0x800000000000\njmp rax\n")
GUEST(call_odd, 64, "mov rax, 0x800000000000\ncall rax\n")
GUEST(ret_odd, 64, "mov rax, 0xFFFF7FFFFFFFFFFF\npush rax\nret\n")
static void a_non_canonical_target_faults_at_the_branch(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, jmp_odd);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 10);
    rig_free(r);
    r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, call_odd);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 10);
    EXPECT(r->out.sp, RIG_STACK0);
    rig_free(r);
    r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, ret_odd);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 11);
    EXPECT(r->out.sp, RIG_STACK0 - 8);
    rig_free(r);
}

static void falling_off_the_canonical_range_faults_behind_it(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    /* The last lower-half page is RIG_CODE's. */
    rig_poke(r, RIG_PML4 + 255 * 8, RIG_PDPT | 7, 8);
    rig_poke(r, RIG_PDPT + 511 * 8, RIG_PD64 | 7, 8);
    rig_poke(r, RIG_PD64 + 511 * 8, RIG_PT64 | 7, 8);
    rig_poke(r, RIG_PT64 + 511 * 8, RIG_CODE | 7, 8);
    rig_poke(r, RIG_CODE + 0xFFE, 0xC0FF, 2); /* inc eax */
    r->cpu->rip = 0x7FFFFFFFFFFE;
    rig_run(r);
    EXPECT_FAULT(r, VEC_GP, 0, 0x800000000000);
    EXPECT(r->cpu->r[R_AX], 1);
    rig_free(r);
}

static const struct test tests[] = {
    {"every_condition_with_every_combination_of_flags",
     every_combination_of_flags},
    {"jmp_call_and_ret_in_64_bit_mode", jmp_call_and_ret_in_64_bit_mode},
    {"operand_size_is_ignored_by_near_branches_in_64_bit_mode",
     operand_size_is_ignored_by_near_branches_in_64_bit_mode},
    {"a_16_bit_call_and_ret_in_32_bit_code_use_words",
     a_16_bit_call_and_ret_in_32_bit_code_use_words},
    {"a_16_bit_jump_drops_the_upper_half_of_eip",
     a_16_bit_jump_drops_the_upper_half_of_eip},
    {"ret_with_a_count_releases_the_parameters",
     ret_with_a_count_releases_the_parameters},
    {"call_through_esp_reads_before_it_pushes",
     call_through_esp_reads_before_it_pushes},
    {"loop_counts_in_the_width_of_the_address_size",
     loop_counts_in_the_width_of_the_address_size},
    {"loop_with_cx_0_goes_65536_times_around",
     loop_with_cx_0_goes_65536_times_around},
    {"a_near_branch_beyond_the_limit_faults_at_the_branch",
     a_near_branch_beyond_the_limit_faults_at_the_branch},
    {"falling_off_the_limit_faults_at_the_next_instruction",
     falling_off_the_limit_faults_at_the_next_instruction},
    {"an_instruction_cut_off_by_the_limit_faults_at_itself",
     an_instruction_cut_off_by_the_limit_faults_at_itself},
    {"a_known_target_is_checked_against_a_new_limit",
     a_known_target_is_checked_against_a_new_limit},
    {"branches_across_a_page_inside_an_unaligned_segment",
     branches_across_a_page_inside_an_unaligned_segment},
    {"a_non_canonical_target_faults_at_the_branch",
     a_non_canonical_target_faults_at_the_branch},
    {"falling_off_the_canonical_range_faults_behind_it",
     falling_off_the_canonical_range_faults_behind_it},
    {NULL, NULL},
};

TEST_MAIN("control", tests)
