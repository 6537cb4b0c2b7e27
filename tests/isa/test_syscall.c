/*
 * The fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT, and SWAPGS (SDM
 * 2; 3A 5.8.7, 5.8.8).
 */
#include "tests/support/rig.h"

#define STAR_USER 0x20u   /* SYSRET: SS 28H | 3, CS 20H or 30H | 3 */
#define STAR_KERNEL 0x28u /* SYSCALL: CS 28H, SS 30H */

static struct rig *prepared(enum rig_mode mode, unsigned cpl)
{
    struct rig *r = rig_new(mode, cpl);
    struct msrs *m = &r->cpu->msr;
    m->star = (uint64_t)STAR_USER << 48 | (uint64_t)STAR_KERNEL << 32;
    m->lstar = RIG_CODE + 0x100;
    m->fmask = FLAG_IF | FLAG_DF;
    m->sysenter_cs = SEL_CODE32;
    m->sysenter_esp = RIG_STACK0;
    m->sysenter_eip = RIG_CODE + 0x100;
    rig_poke(r, RIG_CODE + 0x100, 0xF4, 1);
    return r;
}

GUEST(call_system, 64, "std\nstc\nsyscall\n")
static void syscall_saves_rip_and_flags_and_masks_them(void)
{
    struct rig *r = prepared(RIG_LONG, 3);
    cpu_set_eflags(r->cpu, FLAG_IF | 2);
    RIG_RUN(r, call_system);
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, RIG_CODE + 0x101);
    EXPECT(r->cpu->r[R_CX], RIG_CODE + 4);
    EXPECT(r->cpu->r[R_11], FLAG_IF | FLAG_DF | FLAG_CF | 2);
    EXPECT(cpu_get_eflags(r->cpu), FLAG_CF | 2);
    EXPECT(r->cpu->cpl, 0);
    EXPECT(r->cpu->seg[SEG_CS].selector, 0x28);
    EXPECT(r->cpu->seg[SEG_SS].selector, 0x30);
    EXPECT(r->cpu->seg[SEG_CS].access, 0xA09B);
    EXPECT(r->cpu->seg[SEG_SS].access, 0xC093);
    EXPECT(r->cpu->r[R_SP], RIG_STACK3); /* not switched */
    rig_free(r);
}

static void syscall_needs_sce_and_64_bit_mode(void)
{
    struct rig *r = prepared(RIG_LONG, 3);
    r->cpu->msr.efer &= ~(uint64_t)EFER_SCE;
    RIG_RUN(r, call_system);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE + 2);
    rig_free(r);
    r = prepared(RIG_COMPAT, 3);
    RIG_RUN(r, call_system);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE + 2);
    rig_free(r);
}

GUEST(back_64, 64,
      "mov rcx, 0x9000\nmov r11, 0x3F7ED7\n.byte 0x48, 0x0F, 0x07\n")
GUEST(back_32, 64,
      "mov rcx, 0xFFFFFFFF00009000\nmov r11, 0x202\n.byte 0x0F, 0x07\n")
GUEST(say_ud, 64, "ud2")
static void sysret_returns_to_64_bit_or_compatibility_code(void)
{
    struct rig *r = prepared(RIG_LONG, 0);
    rig_load(r, 0x9000, say_ud, say_ud_end);
    RIG_RUN(r, back_64);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.cs, 0x33);
    EXPECT(r->out.ss, 0x2B);
    /* RF and VM cannot be set; the fault's image has RF. */
    EXPECT(r->out.flags, (0x3C7ED7u & 0x3F7FD7u) | FLAG_RF);
    rig_free(r);
    r = prepared(RIG_LONG, 0);
    rig_load(r, 0x9000, say_ud, say_ud_end);
    RIG_RUN(r, back_32);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.cs, 0x23);
    EXPECT(r->out.ss, 0x2B);
    rig_free(r);
}

GUEST(back_odd, 64, "mov rcx, 0x800000000000\n.byte 0x48, 0x0F, 0x07\n")
static void sysret_to_a_non_canonical_address_faults_in_ring_0(void)
{
    struct rig *r = prepared(RIG_LONG, 0);
    RIG_RUN(r, back_odd);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 10);
    EXPECT(r->out.cs, SEL_CODE64);
    rig_free(r);
    r = prepared(RIG_LONG, 3);
    RIG_RUN(r, back_64);
    EXPECT(r->out.vector, VEC_GP); /* ring 3 may not */
    rig_free(r);
}

GUEST(enter_system, 32, "stc\nsysenter\n")
static void sysenter_takes_all_from_msrs(void)
{
    struct rig *r = prepared(RIG_PROT32, 3);
    cpu_set_eflags(r->cpu, FLAG_IF | 2);
    RIG_RUN(r, enter_system);
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, RIG_CODE + 0x101);
    EXPECT(r->cpu->r[R_SP], RIG_STACK0);
    EXPECT(cpu_get_eflags(r->cpu), FLAG_CF | 2); /* IF cleared */
    EXPECT(r->cpu->seg[SEG_CS].selector, SEL_CODE32);
    EXPECT(r->cpu->seg[SEG_SS].selector, SEL_CODE32 + 8);
    EXPECT(r->cpu->cpl, 0);
    rig_free(r);
    r = prepared(RIG_PROT32, 3);
    r->cpu->msr.sysenter_cs = 3; /* null */
    RIG_RUN(r, enter_system);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 1);
    rig_free(r);
    r = prepared(RIG_COMPAT, 3); /* to 64-bit code */
    r->cpu->msr.sysenter_cs = SEL_CODE64;
    RIG_RUN(r, enter_system);
    EXPECT_DONE(r);
    EXPECT(r->cpu->mode & MODE_CODE, MODE_CODE64);
    rig_free(r);
}

GUEST(exit_system, 32, "mov edx, 0x9000\nmov ecx, 0x7000\nsysexit\n")
GUEST(exit_system_64, 64,
      "mov edx, 0x9000\nmov ecx, 0x7000\n.byte 0x48, 0x0F, 0x35\n")
static void sysexit_goes_to_ring_3(void)
{
    struct rig *r = prepared(RIG_PROT32, 0);
    rig_load(r, 0x9000, say_ud, say_ud_end);
    RIG_RUN(r, exit_system);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.cs, SEL_CODE32 + 16 + 3);
    EXPECT(r->out.ss, SEL_CODE32 + 24 + 3);
    EXPECT(r->out.sp, 0x7000);
    rig_free(r);
    r = prepared(RIG_LONG, 0);
    rig_load(r, 0x9000, say_ud, say_ud_end);
    RIG_RUN(r, exit_system_64);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9000);
    EXPECT(r->out.cs, SEL_CODE32 + 32 + 3);
    EXPECT(r->out.ss, SEL_CODE32 + 40 + 3);
    rig_free(r);
}

GUEST(swap, 64,
      "mov ecx, 0xC0000102\nmov eax, 0x10000\nxor edx, edx\nwrmsr\n"
      "swapgs\nmov eax, gs:[0]\nmov ecx, 0xC0000102\nrdmsr\nhlt")
static void swapgs_exchanges_the_bases(void)
{
    struct rig *r = prepared(RIG_LONG, 0);
    r->cpu->seg[SEG_GS].base = 0x11000;
    cpu_mode_changed(r->cpu);
    rig_poke(r, 0x10000, 0xCAFE, 4);
    RIG_RUN(r, swap);
    EXPECT_DONE(r);
    EXPECT(r->cpu->seg[SEG_GS].base, 0x10000);
    EXPECT(r->cpu->r[R_AX], 0x11000); /* what RDMSR gave last */
    EXPECT(r->cpu->msr.kernel_gs_base, 0x11000);
    rig_free(r);
    r = prepared(RIG_LONG, 3);
    rig_poke(r, RIG_CODE, 0xF8010F, 3);
    rig_run(r);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    rig_free(r);
    r = prepared(RIG_COMPAT, 0);
    rig_poke(r, RIG_CODE, 0xF8010F, 3);
    rig_run(r);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE);
    rig_free(r);
}

static const struct test tests[] = {
    {"syscall_saves_rip_and_flags_and_masks_them",
     syscall_saves_rip_and_flags_and_masks_them},
    {"syscall_needs_sce_and_64_bit_mode", syscall_needs_sce_and_64_bit_mode},
    {"sysret_returns_to_64_bit_or_compatibility_code",
     sysret_returns_to_64_bit_or_compatibility_code},
    {"sysret_to_a_non_canonical_address_faults_in_ring_0",
     sysret_to_a_non_canonical_address_faults_in_ring_0},
    {"sysenter_takes_all_from_msrs", sysenter_takes_all_from_msrs},
    {"sysexit_goes_to_ring_3", sysexit_goes_to_ring_3},
    {"swapgs_exchanges_the_bases", swapgs_exchanges_the_bases},
    {NULL, NULL},
};

TEST_MAIN("syscall", tests)
