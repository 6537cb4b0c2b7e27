/*
 * Control registers, MSRs, CPUID and CPU models (emu/x86/exec_control_regs.c,
 * exec_msr.c, cpuid.c), and what the CPU is like after reset.
 */
#include "tests/unit/cpu_rig.h"

static void reset_is_the_manual_s(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    cpu_reset(r.c);
    const struct cpu *c = r.c;
    CU_ASSERT_EQUAL(c->rip, 0xFFF0);
    CU_ASSERT_EQUAL(c->seg[SEG_CS].base, 0xFFFF0000u);
    CU_ASSERT_EQUAL(c->seg[SEG_CS].selector, 0xF000);
    CU_ASSERT_EQUAL(c->cr0, 0x60000010u);
    CU_ASSERT_EQUAL(c->dr[6], 0xFFFF0FF0u);
    CU_ASSERT_EQUAL(c->dr[7], 0x400);
    CU_ASSERT_EQUAL(c->idtr.limit, 0xFFFF);
    CU_ASSERT_EQUAL(c->cpl, 0);
    CU_ASSERT_EQUAL(cpu_get_eflags(c), 2);
    CU_ASSERT_EQUAL(c->r[R_DX], cpu_model_signature(c->model));
    CU_ASSERT_EQUAL(c->mode & MODE_CODE, MODE_CODE16);
    CU_ASSERT(cpu_tsc(r.c) < 1000000000);
    rig_free(&r);
}

static void cr0_refuses_what_makes_no_sense(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    CU_ASSERT_FALSE(cr0_write(r.c, CR0_PG));
    CU_ASSERT_FALSE(cr0_write(r.c, CR0_PE | CR0_NW));
    CU_ASSERT_FALSE(cr0_write(r.c, CR0_PE | UINT64_C(1) << 40));
    CU_ASSERT_EQUAL(r.c->cr0, CR0_PE | CR0_ET);
    CU_ASSERT(cr0_write(r.c, CR0_PE | CR0_WP | 0x1000));
    CU_ASSERT_EQUAL(r.c->cr0, CR0_PE | CR0_WP | CR0_ET);
    rig_free(&r);
}

static void long_mode_needs_pae_and_leaves_by_compatibility_mode(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    CU_ASSERT(msr_write(r.c, 0xC0000080, EFER_LME));
    CU_ASSERT_FALSE(cr0_write(r.c, CR0_PE | CR0_PG));
    CU_ASSERT(cr4_write(r.c, CR4_PAE));
    CU_ASSERT(cr0_write(r.c, CR0_PE | CR0_PG));
    CU_ASSERT(r.c->long_mode);
    CU_ASSERT_EQUAL(r.c->msr.efer, EFER_LME | EFER_LMA);
    CU_ASSERT_FALSE(msr_write(r.c, 0xC0000080, 0)); /* LME while PG is set */
    CU_ASSERT_FALSE(cr4_write(r.c, 0));             /* PAE while LMA is set */
    rig_set_segment(&r, SEG_CS, RIG_CODE64);
    cpu_mode_changed(r.c);
    CU_ASSERT_FALSE(cr0_write(r.c, CR0_PE)); /* not from 64-bit code */
    rig_set_segment(&r, SEG_CS, RIG_CODE0);
    cpu_mode_changed(r.c);
    CU_ASSERT(cr0_write(r.c, CR0_PE));
    CU_ASSERT_FALSE(r.c->long_mode);
    CU_ASSERT_EQUAL(r.c->msr.efer, EFER_LME);
    rig_free(&r);
}

static void pae_tables_with_reserved_bits_are_refused(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    CU_ASSERT(cr4_write(r.c, CR4_PAE));
    rig_write(&r, 0x4020, 0x10001, 8);
    rig_write(&r, 0x4028, 0x20003, 8); /* bit 1 is reserved */
    CU_ASSERT(cr3_write(r.c, 0x4020)); /* no paging yet: not looked at */
    CU_ASSERT_FALSE(cr0_write(r.c, CR0_PE | CR0_PG));
    rig_write(&r, 0x4028, 0x20002, 8); /* not present: fine */
    CU_ASSERT(cr0_write(r.c, CR0_PE | CR0_PG));
    CU_ASSERT_EQUAL(r.c->pdpte[0], 0x10001);
    rig_write(&r, 0x4028, 0x20003, 8);
    CU_ASSERT_FALSE(cr3_write(r.c, 0x4020));
    CU_ASSERT_EQUAL(r.c->pdpte[1], 0x20002);
    rig_free(&r);
}

static void cr4_allows_what_the_model_announces(void)
{
    struct rig r;
    struct cpu_model model;
    char error[128];
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    CU_ASSERT_FALSE(cr4_write(r.c, CR4_VME));
    CU_ASSERT_FALSE(cr4_write(r.c, 1u << 18)); /* OSXSAVE */
    CU_ASSERT(cr4_write(r.c, CR4_SMEP | CR4_SMAP | CR4_FSGSBASE));
    CU_ASSERT_EQUAL(cpu_model_parse("max,-smap", &model, error, 128), 0);
    r.c->model = &model;
    CU_ASSERT_FALSE(cr4_write(r.c, CR4_SMAP));
    CU_ASSERT(cr4_write(r.c, CR4_SMEP));
    r.c->model = cpu_model_find("486");
    CU_ASSERT_FALSE(cr4_write(r.c, CR4_PSE));
    rig_free(&r);
}

static void bad_msr_values_are_refused(void)
{
    struct rig r;
    uint64_t value;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    const uint64_t hole = UINT64_C(1) << 47;
    CU_ASSERT_FALSE(msr_write(r.c, 0xC0000082, hole)); /* LSTAR */
    CU_ASSERT(msr_write(r.c, 0xC0000082, ~(hole - 1)));
    CU_ASSERT(msr_read(r.c, 0xC0000082, &value));
    CU_ASSERT_EQUAL(value, ~(hole - 1));
    CU_ASSERT_FALSE(msr_write(r.c, 0x277, 2)); /* PAT: no type 2 */
    CU_ASSERT_FALSE(msr_write(r.c, 0x250, 7)); /* MTRR: nor 7 */
    CU_ASSERT(msr_write(r.c, 0x277, 7));
    CU_ASSERT_FALSE(msr_write(r.c, 0x200, UINT64_C(1) << 40 | 6));
    CU_ASSERT(msr_write(r.c, 0x201, 0xFFFFF800));
    CU_ASSERT_FALSE(msr_write(r.c, 0xFE, 0)); /* MTRRcap */
    CU_ASSERT_FALSE(msr_write(r.c, 0xC0000103, UINT64_C(1) << 32));
    CU_ASSERT_FALSE(msr_read(r.c, 0x12345678, &value));
    CU_ASSERT_FALSE(msr_write(r.c, 0x12345678, 0));
    CU_ASSERT(msr_write(r.c, 0x3A, 1)); /* FEATURE_CONTROL: lock */
    CU_ASSERT_FALSE(msr_write(r.c, 0x3A, 1));
    rig_free(&r);
}

static void segment_bases_are_msrs(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_long(&r);
    CU_ASSERT(msr_write(r.c, 0xC0000100, 0x123000));
    CU_ASSERT_EQUAL(segment_linear(r.c, SEG_FS, 4, 4, false), 0x123004);
    rig_free(&r);
}

static void tsc_counts_from_what_was_written(void)
{
    struct rig r;
    uint64_t value;
    CU_ASSERT_FATAL(rig_new(&r));
    r.machine->clock.icount = true;
    r.machine->clock.instructions = 1000;
    CU_ASSERT(msr_write(r.c, 0x10, 5000));
    r.machine->clock.instructions = 1007;
    CU_ASSERT(msr_read(r.c, 0x10, &value));
    CU_ASSERT_EQUAL(value, 5007);
    rig_free(&r);
}

static void cpuid_tells_the_model(void)
{
    struct rig r;
    uint32_t out[4];
    char brand[49] = {0};
    CU_ASSERT_FATAL(rig_new(&r));
    rig_long(&r);
    cpu_cpuid(r.c, 0, 0, out);
    CU_ASSERT_EQUAL(memcmp(&out[1], "Genu", 4), 0);
    CU_ASSERT_EQUAL(memcmp(&out[3], "ineI", 4), 0);
    CU_ASSERT_EQUAL(memcmp(&out[2], "ntel", 4), 0);
    uint32_t highest = out[0];
    cpu_cpuid(r.c, 0x40000000, 0, out);
    CU_ASSERT_EQUAL(memcmp(&out[1], "VitrineVitri", 12), 0);
    for (unsigned i = 0; i < 3; i++) {
        cpu_cpuid(r.c, 0x80000002 + i, 0, out);
        memcpy(brand + i * 16, out, 16);
    }
    CU_ASSERT_STRING_EQUAL(brand, "Vitrine virtual CPU");
    cpu_cpuid(r.c, 0x15, 0, out);
    CU_ASSERT_EQUAL(out[2] / out[0] * out[1], 1000000000);
    uint32_t beyond[4];
    cpu_cpuid(r.c, highest, 0, out);
    cpu_cpuid(r.c, highest + 7, 0, beyond);
    CU_ASSERT_EQUAL(memcmp(out, beyond, sizeof(out)), 0);
    /* SYSCALL shows in 64-bit mode only. */
    cpu_cpuid(r.c, 0x80000001, 0, out);
    CU_ASSERT(out[3] & CPUID_SYSCALL);
    rig_protected(&r, 0);
    cpu_cpuid(r.c, 0x80000001, 0, out);
    CU_ASSERT_FALSE(out[3] & CPUID_SYSCALL);
    rig_free(&r);
}

static void cpu_option_adds_and_removes_features(void)
{
    struct cpu_model m;
    char error[128] = "";
    CU_ASSERT_EQUAL(
        cpu_model_parse("qemu64,-sse4.2,lm=off,+nx", &m, error, sizeof(error)),
        0);
    CU_ASSERT_FALSE(m.leaf1_ecx & CPUID_SSE42);
    CU_ASSERT(m.leaf1_ecx & CPUID_SSE41);
    CU_ASSERT_FALSE(m.ext_edx & CPUID_LM);
    CU_ASSERT_EQUAL(cpu_model_parse("max,-avx2", &m, error, 128), 0);
    CU_ASSERT(cpu_model_parse("max,+avx2", &m, error, 128) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "avx2"));
    CU_ASSERT(cpu_model_parse("max,+frobnicate", &m, error, 128) < 0);
    CU_ASSERT(cpu_model_parse("z80", &m, error, 128) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "z80"));
    CU_ASSERT(cpu_model_parse("", &m, error, 128) < 0);
    CU_ASSERT(cpu_model_parse("max,nx=maybe", &m, error, 128) < 0);
}

static void a20_masks_bit_20(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    rig_write(&r, 0x000500, 0x11, 1);
    rig_write(&r, 0x100500, 0x22, 1);
    CU_ASSERT_EQUAL(mmu_load(r.c, 0x100500, 1), 0x22);
    cpu_set_a20(r.c, false);
    CU_ASSERT_EQUAL(mmu_load(r.c, 0x100500, 1), 0x11);
    cpu_set_a20(r.c, true);
    CU_ASSERT_EQUAL(mmu_load(r.c, 0x100500, 1), 0x22);
    rig_free(&r);
}

static void the_tlb_bank_follows_privilege_and_ac(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    const struct tlb *tlb = r.c->tlb;
    CU_ASSERT_PTR_EQUAL(r.c->tlb_now, &tlb[TLB_KERNEL]);
    CU_ASSERT(cr4_write(r.c, CR4_SMAP));
    cpu_set_eflags(r.c, FLAG_AC);
    CU_ASSERT_PTR_EQUAL(r.c->tlb_now, &tlb[TLB_KERNEL_AC]);
    rig_protected(&r, 3);
    cpu_set_eflags(r.c, FLAG_AC);
    CU_ASSERT_PTR_EQUAL(r.c->tlb_now, &tlb[TLB_USER]);
    r.c->cr0 |= CR0_AM;
    cpu_mode_changed(r.c);
    CU_ASSERT_PTR_EQUAL(r.c->tlb_now, &tlb[TLB_CHECKED]);
    rig_free(&r);
}

static const struct test tests[] = {
    {"reset is the manual's", reset_is_the_manual_s},
    {"CR0 refuses what makes no sense", cr0_refuses_what_makes_no_sense},
    {"long mode needs PAE, and leaves by compatibility mode",
     long_mode_needs_pae_and_leaves_by_compatibility_mode},
    {"PAE tables with reserved bits are refused",
     pae_tables_with_reserved_bits_are_refused},
    {"CR4 allows what the model announces",
     cr4_allows_what_the_model_announces},
    {"bad MSR values are refused", bad_msr_values_are_refused},
    {"segment bases are MSRs", segment_bases_are_msrs},
    {"the TSC counts from what was written", tsc_counts_from_what_was_written},
    {"CPUID tells the model", cpuid_tells_the_model},
    {"-cpu adds and removes features", cpu_option_adds_and_removes_features},
    {"A20 masks bit 20", a20_masks_bit_20},
    {"the TLB bank follows privilege and AC",
     the_tlb_bank_follows_privilege_and_ac},
    {NULL, NULL},
};

TEST_MAIN("control", tests)
