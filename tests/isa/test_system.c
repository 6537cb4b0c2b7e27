/*
 * System instructions: the flags that POPF and kin may change, CLI and STI,
 * interrupt shadows, control registers, MSRs, CPUID, time stamps, and the fast
 * system calls (SDM 2; 3A 2.5, 2.8, 5.8.7, 6.8).
 */
#include "emu/x86/cpuid.h"
#include "tests/support/rig.h"

#include <string.h>

#define ALL_FLAGS 0x3F7ED5u /* but TF, which would trap */
#define IOPL3 0x3000u

/* --- POPF, PUSHF ---------------------------------------------------------- */

GUEST(popf_32, 32, "push eax\npopfd\npushfd\npop ebx\nud2")
GUEST(popf_16, 32, "push eax\npopfw\npushfd\npop ebx\nud2")
GUEST(popf_64, 64, "push rax\npopfq\npushfq\npop rbx\nud2")

static uint32_t popf(enum rig_mode mode, unsigned cpl, uint32_t before,
                     uint32_t image)
{
    struct rig *r = rig_new(mode, cpl);
    cpu_set_eflags(r->cpu, before);
    r->cpu->r[R_AX] = image;
    if (mode == RIG_LONG)
        RIG_RUN(r, popf_64);
    else
        RIG_RUN(r, popf_32);
    EXPECT(r->out.vector, VEC_UD);
    EXPECT(r->cpu->r[R_BX], r->out.flags & ~(uint64_t)FLAG_RF);
    uint32_t flags = (uint32_t)r->cpu->r[R_BX];
    rig_free(r);
    return flags;
}

static void popf_changes_what_cpl_and_iopl_allow(void)
{
    const uint32_t most = 0x244CD7; /* all but IF and IOPL */
    EXPECT(popf(RIG_PROT32, 0, 2, ALL_FLAGS), most | IOPL3 | FLAG_IF);
    EXPECT(popf(RIG_LONG, 0, 2, ALL_FLAGS), most | IOPL3 | FLAG_IF);
    EXPECT(popf(RIG_PROT32, 3, 2, ALL_FLAGS), most);
    EXPECT(popf(RIG_PROT32, 3, FLAG_IF | 2, 0), FLAG_IF | 2);
    EXPECT(popf(RIG_PROT32, 3, IOPL3 | 2, ALL_FLAGS), most | IOPL3 | FLAG_IF);
    EXPECT(popf(RIG_PROT32, 3, IOPL3 | FLAG_IF | 2, 0), IOPL3 | 2);
    EXPECT(popf(RIG_LONG, 3, 2, ALL_FLAGS), most);
    EXPECT(popf(RIG_PROT32, 1, 0x1002, 0x3202), 0x1202);
    EXPECT(popf(RIG_PROT32, 1, 0x0202, 0x0002), 0x0202);
}

static void a_16_bit_popf_leaves_the_upper_half(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    cpu_set_eflags(r->cpu, FLAG_ID | 2);
    r->cpu->r[R_AX] = 0x0001;
    RIG_RUN(r, popf_16);
    EXPECT(r->cpu->r[R_BX], FLAG_ID | 3);
    rig_free(r);
}

/* --- what needs IOPL, what needs CPL 0 ------------------------------------ */

static const struct outcome *run_bytes(struct rig *r, const char *bytes,
                                       unsigned size)
{
    rig_load(r, RIG_CODE, (const uint8_t *)bytes,
             (const uint8_t *)bytes + size);
    rig_poke(r, RIG_CODE + size, 0xF4, 1);
    r->cpu->rip = RIG_CODE;
    return rig_run(r);
}
#define RUN_BYTES(RIG, BYTES) run_bytes(RIG, BYTES, sizeof(BYTES) - 1)

static void cli_and_sti_need_iopl(void)
{
    struct rig *r = rig_new(RIG_PROT32, 3);
    RUN_BYTES(r, "\xFA");
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    rig_free(r);
    r = rig_new(RIG_PROT32, 3);
    RUN_BYTES(r, "\xFB");
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    rig_free(r);
    r = rig_new(RIG_PROT32, 3);
    cpu_set_eflags(r->cpu, IOPL3 | FLAG_IF | 2);
    RUN_BYTES(r, "\xFA\x0F\x0B"); /* cli; ud2 */
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE + 1);
    EXPECT(r->out.flags & FLAG_IF, 0);
    rig_free(r);
}

static void privileged_instructions_fault_in_ring_3(void)
{
    static const struct {
        unsigned size;
        const char *bytes;
    } cases[] = {
        {1, "\xF4"},         /* hlt */
        {2, "\x0F\x06"},     /* clts */
        {2, "\x0F\x08"},     /* invd */
        {2, "\x0F\x09"},     /* wbinvd */
        {2, "\x0F\x30"},     /* wrmsr */
        {2, "\x0F\x32"},     /* rdmsr */
        {3, "\x0F\x20\xC0"}, /* mov eax, cr0 */
        {3, "\x0F\x22\xD8"}, /* mov cr3, eax */
        {3, "\x0F\x21\xC0"}, /* mov eax, dr0 */
        {3, "\x0F\x23\xF8"}, /* mov dr7, eax */
        {3, "\x0F\x01\x10"}, /* lgdt [eax] */
        {3, "\x0F\x01\x18"}, /* lidt [eax] */
        {3, "\x0F\x01\xF0"}, /* lmsw ax */
        {3, "\x0F\x01\x38"}, /* invlpg [eax] */
        {3, "\x0F\x00\xD0"}, /* lldt ax */
        {3, "\x0F\x00\xD8"}, /* ltr ax */
        {2, "\xE4\x80"},     /* in al, 80h */
        {1, "\xEE"},         /* out dx, al */
        {1, "\x6D"},         /* insd */
        {2, "\xF3\x6E"},     /* rep outsb */
        {2, "\x0F\x35"},     /* sysexit */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_PAGED32, 3);
        r->cpu->r[R_AX] = r->cpu->r[R_SI] = r->cpu->r[R_DI] = RIG_DATA;
        r->cpu->r[R_CX] = 1;
        r->cpu->msr.sysenter_cs = 8;
        run_bytes(r, cases[i].bytes, cases[i].size);
        EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
        rig_free(r);
    }
}

/* Not privileged, which is their fame: SGDT SIDT SLDT STR SMSW. */
GUEST(unprivileged, 32,
      "sgdt [0x10000]\nsidt [0x10008]\nsldt eax\nstr ebx\nsmsw ecx\nud2")
static void sgdt_and_kin_tell_ring_3(void)
{
    struct rig *r = rig_new(RIG_PROT32, 3);
    RIG_RUN(r, unprivileged);
    EXPECT(r->out.vector, VEC_UD);
    EXPECT(rig_peek(r, RIG_DATA, 6), (uint64_t)RIG_GDT << 16 | 0xFF);
    EXPECT(rig_peek(r, RIG_DATA + 8, 6), (uint64_t)RIG_IDT << 16 | 0xFFF);
    EXPECT(r->cpu->r[R_AX], SEL_LDT);
    EXPECT(r->cpu->r[R_BX], SEL_TSS);
    EXPECT(r->cpu->r[R_CX], r->cpu->cr0);
    rig_free(r);
}

/* --- shadows
 * ------------------------------------------------------------------------------
 */

GUEST(sti_hlt, 32, "sti\nhlt\nnop\nhlt")
GUEST(sti_nop, 32, "sti\nnop\nnop\nnop\nhlt")
GUEST(sti_cli, 32, "sti\ncli\nnop\nnop\nhlt")
GUEST(sti_sti, 32, "sti\nsti\nnop\nnop\nhlt")
GUEST(sti_ss, 32, "mov ax, ss\nsti\nmov ss, ax\nnop\nnop\nhlt")
GUEST(popf_if, 32, "push 0x202\npopfd\nnop\nnop\nhlt")
static void an_interrupt_waits_for_the_shadow_to_end(void)
{
    static const struct {
        const uint8_t *start, *end;
        uint32_t ip; /* 0: none comes */
    } cases[] = {
        {sti_hlt, sti_hlt_end, 2}, {sti_nop, sti_nop_end, 2},
        {sti_cli, sti_cli_end, 0}, {sti_sti, sti_sti_end, 2},
        {sti_ss, sti_ss_end, 7},   {popf_if, popf_if_end, 6},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_PROT32, 0);
        rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
        rig_interrupt(r, 0x40);
        rig_run(r);
        if (cases[i].ip)
            EXPECT_FAULT(r, 0x40, NO_ERROR, RIG_CODE + cases[i].ip);
        else
            EXPECT_DONE(r);
        rig_free(r);
    }
}

static void hlt_waits_and_an_interrupt_ends_it(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    cpu_set_eflags(r->cpu, FLAG_IF | 2);
    RUN_BYTES(r, "\xF4\x90");
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, RIG_CODE + 1);
    r->cpu->pending |= PENDING_HALT; /* the rig had ended it */
    rig_interrupt(r, 0x41);
    rig_run(r);
    EXPECT_FAULT(r, 0x41, NO_ERROR, RIG_CODE + 1);
    rig_free(r);
}

/* --- control registers ---------------------------------------------------- */

GUEST(write_cr0, 64, "mov cr0, rax\nhlt")
GUEST(write_cr3, 64, "mov cr3, rax\nhlt")
GUEST(write_cr4, 64, "mov cr4, rax\nhlt")
GUEST(write_cr8, 64, "mov cr8, rax\nhlt")
GUEST(write_dr7, 64, "mov dr7, rax\nhlt")
static void impossible_control_register_values_are_refused(void)
{
    static const struct {
        const uint8_t *start, *end;
        uint64_t value;
    } cases[] = {
        {write_cr0, write_cr0_end, 0x80000010},  /* PG without PE */
        {write_cr0, write_cr0_end, 0xA0000011},  /* NW without CD */
        {write_cr0, write_cr0_end, 0x00000011},  /* no PG in 64-bit code */
        {write_cr0, write_cr0_end, 0x180000011}, /* upper half */
        {write_cr3, write_cr3_end, UINT64_C(1) << 45},
        {write_cr3, write_cr3_end, UINT64_C(1) << 63}, /* no PCID */
        {write_cr4, write_cr4_end, 0x610},             /* no PAE */
        {write_cr4, write_cr4_end, 0x2620},            /* VMXE */
        {write_cr4, write_cr4_end, 0x80000620},
        {write_cr8, write_cr8_end, 16},
        {write_dr7, write_dr7_end, 0x100000400},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_LONG, 0);
        uint64_t cr0 = r->cpu->cr0, cr3 = r->cpu->cr3, cr4 = r->cpu->cr4;
        rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
        r->cpu->r[R_AX] = cases[i].value;
        rig_run(r);
        EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
        EXPECT(r->cpu->cr0, cr0);
        EXPECT(r->cpu->cr3, cr3);
        EXPECT(r->cpu->cr4, cr4);
        rig_free(r);
    }
}

static void registers_that_do_not_exist_are_undefined(void)
{
    static const char *const cases[] = {
        "\x0F\x20\xC8", /* mov eax, cr1 */
        "\x0F\x22\xE8", /* mov cr5, eax */
        "\x0F\x20\xF8", /* mov eax, cr7 */
        "\x0F\x21\xE0", /* mov eax, dr4 with CR4.DE */
    };
    for (unsigned i = 0; i < 4; i++) {
        struct rig *r = rig_new(RIG_PROT32, 0);
        r->cpu->cr4 |= CR4_DE;
        run_bytes(r, cases[i], 3);
        EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE);
        rig_free(r);
    }
    struct rig *r = rig_new(RIG_PROT32, 0);
    RUN_BYTES(r, "\x0F\x21\xE0"); /* without it: DR6 */
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], 0xFFFF0FF0);
    rig_free(r);
}

GUEST(lmsw, 32, "mov eax, 0xFFFE\nlmsw ax\nsmsw ebx\nclts\nsmsw ecx\nhlt")
static void lmsw_sets_but_does_not_clear_pe(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    RIG_RUN(r, lmsw);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_BX] & 0x1F, 0x1F); /* ET reads as 1 */
    EXPECT(r->cpu->r[R_CX] & 0x1F, 0x17); /* CLTS */
    rig_free(r);
}

GUEST(enter_long, 32,
      "mov ecx, 0xC0000080\nmov eax, 0x100\nxor edx, edx\nwrmsr\n"
      "mov eax, 0x20\nmov cr4, eax\nmov eax, 0x20000\nmov cr3, eax\n"
      "mov eax, 0x80000011\nmov cr0, eax\n"
      "ljmp 0x28, offset " AT(
          enter_long,
          1f) "\n"
              ".code64\n1: mov rax, 0x123456789\nmov ecx, 0xC0000080\n"
              "push rax\nrdmsr\npop rbx\nhlt")
static void long_mode_is_entered_as_the_manual_says(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    RIG_RUN(r, enter_long);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_BX], 0x123456789);
    EXPECT(r->cpu->r[R_AX], EFER_LME | EFER_LMA);
    rig_free(r);
    r = rig_new(RIG_PROT32, 0); /* a 16-bit TSS must not go along */
    r->cpu->tr.access = 0x83;
    RIG_RUN(r, enter_long);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 35);
    EXPECT(r->cpu->long_mode, false);
    rig_free(r);
}

/* --- MSRs, CPUID, TSC ----------------------------------------------------- */

static void msr_access(uint32_t index, uint64_t value, bool write, bool good)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    r->cpu->r[R_CX] = index;
    r->cpu->r[R_AX] = (uint32_t)value;
    r->cpu->r[R_DX] = value >> 32;
    if (write)
        RUN_BYTES(r, "\x0F\x30");
    else
        RUN_BYTES(r, "\x0F\x32");
    if (good)
        EXPECT_DONE(r);
    else
        EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    rig_free(r);
}

static void unknown_msrs_and_bad_values_fault(void)
{
    const uint64_t odd = UINT64_C(1) << 47; /* not canonical */
    msr_access(0x12345678, 0, false, false);
    msr_access(0x12345678, 0, true, false);
    msr_access(0xC0000082, odd, true, false);          /* LSTAR */
    msr_access(0xC0000082, odd * 0x1FFFF, true, true); /* canonical */
    msr_access(0xC0000101, odd, true, false);          /* GS base */
    msr_access(0xC0000080, 0x1D01 ^ 0x1000, true, true);
    msr_access(0xC0000080, 0x1000, true, false); /* SVME */
    msr_access(0xC0000080, 0x0001, true, false); /* LME off, paging on */
    msr_access(0x176, odd, true, false);         /* SYSENTER_EIP */
    msr_access(0x277, 2, true, false);           /* PAT: reserved type */
}

static void rdtsc_obeys_cr4_tsd(void)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3)
        for (unsigned tsd = 0; tsd < 2; tsd++) {
            struct rig *r = rig_new(RIG_PROT32, cpl);
            r->cpu->cr4 |= tsd ? CR4_TSD : 0u;
            RUN_BYTES(r, "\x0F\x31\x0F\x0B"); /* rdtsc; ud2 */
            if (cpl && tsd)
                EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
            else
                EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE + 2);
            rig_free(r);
        }
}

GUEST(cpuid_leaves, 64,
      "xor eax, eax\ncpuid\nmov [0x10000], ebx\nmov [0x10004], edx\n"
      "mov [0x10008], ecx\nmov esi, eax\n"
      "mov rax, -1\nxor ecx, ecx\ncpuid\nmov r8, rax\n" /* past the end */
      "mov eax, 1\ncpuid\nmov r9, rdx\n"
      "mov eax, 0x80000000\ncpuid\nmov edi, eax\nhlt")
static void cpuid_leaves_are_consistent(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, cpuid_leaves);
    EXPECT_DONE(r);
    CU_ASSERT(!memcmp(r->machine->ram + RIG_DATA, "GenuineIntel", 12));
    CU_ASSERT(r->cpu->r[R_SI] >= 7);
    EXPECT(r->cpu->r[R_8] >> 32, 0); /* writes whole registers */
    EXPECT(r->cpu->r[R_9], r->cpu->model->leaf1_edx);
    CU_ASSERT(r->cpu->r[R_DI] >= 0x80000008);
    rig_free(r);
}

static const struct test tests[] = {
    {"popf_changes_what_cpl_and_iopl_allow",
     popf_changes_what_cpl_and_iopl_allow},
    {"a_16_bit_popf_leaves_the_upper_half",
     a_16_bit_popf_leaves_the_upper_half},
    {"cli_and_sti_need_iopl", cli_and_sti_need_iopl},
    {"privileged_instructions_fault_in_ring_3",
     privileged_instructions_fault_in_ring_3},
    {"sgdt_and_kin_tell_ring_3", sgdt_and_kin_tell_ring_3},
    {"an_interrupt_waits_for_the_shadow_to_end",
     an_interrupt_waits_for_the_shadow_to_end},
    {"hlt_waits_and_an_interrupt_ends_it", hlt_waits_and_an_interrupt_ends_it},
    {"impossible_control_register_values_are_refused",
     impossible_control_register_values_are_refused},
    {"registers_that_do_not_exist_are_undefined",
     registers_that_do_not_exist_are_undefined},
    {"lmsw_sets_but_does_not_clear_pe", lmsw_sets_but_does_not_clear_pe},
    {"long_mode_is_entered_as_the_manual_says",
     long_mode_is_entered_as_the_manual_says},
    {"unknown_msrs_and_bad_values_fault", unknown_msrs_and_bad_values_fault},
    {"rdtsc_obeys_cr4_tsd", rdtsc_obeys_cr4_tsd},
    {"cpuid_leaves_are_consistent", cpuid_leaves_are_consistent},
    {NULL, NULL},
};

TEST_MAIN("system", tests)
