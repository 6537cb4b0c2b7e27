/*
 * Real-address mode and virtual-8086 mode: the interrupt vector table, limits
 * of FFFF, address arithmetic, unreal mode, and what IOPL does in v86 mode
 * (SDM 3A chapter 20).
 */
#include "tests/support/rig.h"

#define IOPL3 0x3000u

/* --- real mode
 * ---------------------------------------------------------------------------
 */

GUEST(int_21, 16, "stc\nsti\nint 0x21\nhlt")
static void int_n_goes_through_the_vector_table(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    RIG_RUN(r, int_21);
    EXPECT_FAULT(r, 0x21, NO_ERROR, RIG_CODE + 4);
    EXPECT(r->out.flags, FLAG_IF | FLAG_CF | 2);
    EXPECT(r->cpu->eflags & FLAG_IF, 0);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0 - 6);
    r->cpu->idtr.limit = 0x21 * 4 + 2; /* a byte short */
    r->cpu->rip = RIG_CODE;
    RIG_RUN(r, int_21);
    EXPECT_FAULT(r, VEC_GP, NO_ERROR, RIG_CODE + 2);
    r->cpu->idtr.limit = VEC_GP * 4 + 2; /* #GP's, too, but not #DF's */
    r->cpu->rip = RIG_CODE;
    RIG_RUN(r, int_21);
    EXPECT_FAULT(r, VEC_DF, NO_ERROR, RIG_CODE + 2);
    r->cpu->idtr.limit = 3;
    r->cpu->rip = RIG_CODE;
    RIG_RUN(r, int_21);
    EXPECT(r->out.stop, STOP_SHUTDOWN);
    rig_free(r);
}

GUEST(word_at_ffff, 16, "mov ax, [bx]\nhlt")
GUEST(word_at_bp, 16, "mov ax, [bp]\nhlt")
GUEST(push_at_1, 16, "mov sp, 1\npush ax\nhlt")
static void a_word_at_ffff_is_beyond_the_limit(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    r->cpu->r[R_BX] = r->cpu->r[R_BP] = 0xFFFF;
    RIG_RUN(r, word_at_ffff);
    EXPECT_FAULT(r, VEC_GP, NO_ERROR, RIG_CODE);
    r->cpu->rip = RIG_CODE;
    RIG_RUN(r, word_at_bp);
    EXPECT_FAULT(r, VEC_SS, NO_ERROR, RIG_CODE);
    rig_free(r);
    r = rig_new(RIG_REAL, 0); /* even the fault finds no stack: shutdown */
    RIG_RUN(r, push_at_1);
    EXPECT(r->out.stop, STOP_SHUTDOWN);
    rig_free(r);
}

/* inc ax in the last byte: then IP would be 10000H. */
static void ip_does_not_wrap_at_64_kib(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    rig_poke(r, 0xFFFF, 0x40, 1);
    r->cpu->rip = 0xFFFF;
    rig_run(r);
    EXPECT_FAULT(r, VEC_GP, NO_ERROR, 0); /* pushed as a word */
    EXPECT(r->cpu->r[R_AX], 1);
    rig_free(r);
}

GUEST(high_memory, 16, "mov ax, 0xFFFF\nmov ds, ax\nmov al, [0x510]\nhlt")
static void ffff_0510_is_above_1_mib_with_a20(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    rig_poke(r, 0x500, 0x11, 1);
    rig_poke(r, 0x100500, 0x22, 1);
    RIG_RUN(r, high_memory);
    EXPECT(r->cpu->r[R_AX] & 0xFF, 0x22);
    cpu_set_a20(r->cpu, false);
    r->cpu->rip = RIG_CODE;
    rig_run(r);
    EXPECT(r->cpu->r[R_AX] & 0xFF, 0x11);
    rig_free(r);
}

GUEST(address_wrap, 16,
      "mov bx, 0x8010\nmov si, 0x8000\nmov al, [bx + si]\n"
      "mov ah, [bx - 0x7FFF]\nhlt")
static void a_16_bit_address_wraps_within_the_segment(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    rig_poke(r, 0x10, 0x77, 1);
    rig_poke(r, 0x10010, 0x66, 1);
    rig_poke(r, 0x11, 0x55, 1);
    RIG_RUN(r, address_wrap);
    EXPECT(r->cpu->r[R_AX], 0x5577);
    rig_free(r);
}

/* In and out of protected mode with a 4 GiB DS: it stays that long. */
GUEST(unreal, 16,
      "lgdt cs:[0x8080]\nmov eax, cr0\nor al, 1\nmov cr0, eax\n"
      "mov bx, 8\nmov ds, bx\nand al, 0xFE\nmov cr0, eax\n"
      "mov bx, 0x1000\nmov ds, bx\nmov esi, 0x200000\n"
      "mov ecx, [esi]\nmov [esi + 4], ecx\n"
      "hlt\n"
      ".org unreal + 0x80\n.word 15\n.long 0x8090\n"
      ".org unreal + 0x98\n.quad 0x008F92000000FFFF\n")
static void a_limit_from_protected_mode_stays(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    rig_poke(r, 0x210000, 0xCAFEF00D, 4);
    RIG_RUN(r, unreal);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_CX], 0xCAFEF00D);
    EXPECT(rig_peek(r, 0x210004, 4), 0xCAFEF00D);
    EXPECT(r->cpu->seg[SEG_DS].base, 0x10000);
    rig_free(r);
}

GUEST(into_pm, 16,
      "lgdt cs:[0x8080]\nmov eax, cr0\nor al, 1\nmov cr0, eax\n"
      "ljmp 8, 0x8030\n"
      ".org into_pm + 0x30\n.code32\nmov ax, 16\nmov ds, ax\n"
      "mov eax, [0x210000]\nhlt\n"
      ".org into_pm + 0x80\n.word 23\n.long 0x8090\n"
      ".org into_pm + 0x98\n.quad 0x00CF9A000000FFFF\n"
      ".quad 0x00CF92000000FFFF\n")
static void a_boot_loaders_way_into_protected_mode(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    rig_poke(r, 0x210000, 0xCAFEF00D, 4);
    RIG_RUN(r, into_pm);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], 0xCAFEF00D);
    rig_free(r);
}

GUEST(far_16, 16, "lcall 0x900, 0x10\nmov bx, 1\nhlt")
GUEST(far_16_back, 16, "mov ax, cs\nmov si, sp\nlret")
static void far_calls_load_selector_times_16(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    rig_load(r, 0x9010, far_16_back, far_16_back_end);
    RIG_RUN(r, far_16);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], 0x900);
    EXPECT(r->cpu->r[R_BX], 1);
    EXPECT(r->cpu->r[R_SI], RIG_STACK0 - 4);
    EXPECT(r->cpu->seg[SEG_CS].base, 0);
    rig_free(r);
}

GUEST(protected_only, 16, "lar ax, bx\nhlt")
GUEST(protected_only_2, 16, "str ax\nhlt")
GUEST(protected_only_3, 16, "arpl ax, bx\nhlt")
static void selector_instructions_do_not_exist_there(void)
{
    static const uint8_t *const code[][2] = {
        {protected_only, protected_only_end},
        {protected_only_2, protected_only_2_end},
        {protected_only_3, protected_only_3_end}};
    for (unsigned i = 0; i < 6; i++) {
        struct rig *r = rig_new(i < 3 ? RIG_REAL : RIG_V86, 3);
        rig_load(r, RIG_CODE, code[i % 3][0], code[i % 3][1]);
        rig_run(r);
        EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE);
        rig_free(r);
    }
}

/* --- v86 mode
 * --------------------------------------------------------------------------------
 */

GUEST(v_pushf, 16, "pushf")
GUEST(v_popf, 16, "popf")
GUEST(v_cli, 16, "cli")
GUEST(v_sti, 16, "sti")
GUEST(v_int, 16, "int 0x80")
GUEST(v_iret, 16, "iret")
GUEST(v_hlt, 16, "hlt")
GUEST(v_cr, 16, "mov eax, cr0")
GUEST(v_in, 16, "in al, 0x80")
static void iopl_decides_in_v86_mode(void)
{
    static const struct {
        const uint8_t *start, *end;
        bool always;
    } cases[] = {
        {v_pushf, v_pushf_end, false}, {v_popf, v_popf_end, false},
        {v_cli, v_cli_end, false},     {v_sti, v_sti_end, false},
        {v_int, v_int_end, false},     {v_iret, v_iret_end, false},
        {v_hlt, v_hlt_end, true},      {v_cr, v_cr_end, true},
        {v_in, v_in_end, true}, /* the bitmap says no */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned iopl = 0; iopl < 4; iopl++) {
            struct rig *r = rig_new(RIG_V86, 3);
            cpu_set_eflags(r->cpu, FLAG_VM | iopl << 12 | FLAG_IF | 2);
            rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
            uint32_t size = (uint32_t)(cases[i].end - cases[i].start);
            rig_poke(r, RIG_CODE + size, 0x0B0F, 2);
            rig_poke(r, RIG_STACK3, 0x00009000, 4); /* for IRET: 0:9000 */
            rig_poke(r, 0x9000, 0x0B0F, 2);
            rig_run(r);
            if (iopl < 3 || cases[i].always)
                EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
            else if (cases[i].start == v_int)
                EXPECT_FAULT(r, 0x80, NO_ERROR, RIG_CODE + 2);
            else
                EXPECT_FAULT(r, VEC_UD, NO_ERROR,
                             cases[i].start == v_iret ? 0x9000
                                                      : RIG_CODE + size);
            EXPECT(r->out.flags & FLAG_VM, FLAG_VM);
            EXPECT(r->out.flags >> 12 & 3, iopl);
            rig_free(r);
        }
}

static void an_interrupt_saves_and_clears_the_segments(void)
{
    struct rig *r = rig_new(RIG_V86, 3);
    static const enum seg order[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < 4; i++)
        r->cpu->seg[order[i]].selector = (uint16_t)(0x1111 * (i + 1));
    r->cpu->seg[SEG_SS].selector = 0x100;
    r->cpu->seg[SEG_SS].base = 0x1000;
    cpu_set_eflags(r->cpu, FLAG_VM | FLAG_IF | 2);
    rig_poke(r, RIG_CODE, 0x9090, 2);
    rig_interrupt(r, 0x50);
    rig_run(r);
    EXPECT_FAULT(r, 0x50, NO_ERROR, RIG_CODE);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0 - 36);
    EXPECT(r->out.flags, FLAG_VM | FLAG_IF | 2);
    EXPECT(r->out.ss, 0x100);
    EXPECT(r->out.sp, RIG_STACK3);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(r->out.seg[i], 0x1111 * (i + 1));
        EXPECT(r->cpu->seg[order[i]].selector, 0);
    }
    EXPECT(r->cpu->eflags & FLAG_VM, 0);
    /* And back: everything as it was. */
    rig_poke(r, rig_handler(0x50) + 1, 0xCF, 1);
    rig_poke(r, RIG_CODE, 0x0B0F, 2);
    rig_run(r);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE);
    EXPECT(r->out.seg[3], 0x4444);
    EXPECT(r->out.ss, 0x100);
    rig_free(r);
}

static void a_handler_for_v86_mode_is_in_ring_0(void)
{
    struct rig *r = rig_new(RIG_V86, 3);
    cpu_set_eflags(r->cpu, FLAG_VM | IOPL3 | 2);
    rig_gate(r, RIG_IDT + 0x80 * 8, 14, 3, SEL_CODE32_1, 0x4800, 0);
    RIG_RUN(r, v_int);
    EXPECT_FAULT(r, VEC_GP, SEL_CODE32_1 & ~3u, RIG_CODE);
    rig_free(r);
    r = rig_new(RIG_V86, 3);
    cpu_set_eflags(r->cpu, FLAG_VM | IOPL3 | 2);
    rig_descriptor(r, SEL_FREE, 0, 0xFFFFF, 0xC09E); /* conforming */
    rig_gate(r, RIG_IDT + 0x80 * 8, 14, 3, SEL_FREE, 0x4800, 0);
    RIG_RUN(r, v_int);
    EXPECT_FAULT(r, VEC_GP, SEL_FREE, RIG_CODE);
    rig_free(r);
}

static const struct test tests[] = {
    {"int_n_goes_through_the_vector_table",
     int_n_goes_through_the_vector_table},
    {"a_word_at_ffff_is_beyond_the_limit", a_word_at_ffff_is_beyond_the_limit},
    {"ip_does_not_wrap_at_64_kib", ip_does_not_wrap_at_64_kib},
    {"ffff_0510_is_above_1_mib_with_a20", ffff_0510_is_above_1_mib_with_a20},
    {"a_16_bit_address_wraps_within_the_segment",
     a_16_bit_address_wraps_within_the_segment},
    {"a_limit_from_protected_mode_stays", a_limit_from_protected_mode_stays},
    {"a_boot_loaders_way_into_protected_mode",
     a_boot_loaders_way_into_protected_mode},
    {"far_calls_load_selector_times_16", far_calls_load_selector_times_16},
    {"selector_instructions_do_not_exist_there",
     selector_instructions_do_not_exist_there},
    {"iopl_decides_in_v86_mode", iopl_decides_in_v86_mode},
    {"an_interrupt_saves_and_clears_the_segments",
     an_interrupt_saves_and_clears_the_segments},
    {"a_handler_for_v86_mode_is_in_ring_0",
     a_handler_for_v86_mode_is_in_ring_0},
    {NULL, NULL},
};

TEST_MAIN("real", tests)
