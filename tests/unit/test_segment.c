/*
 * Segments, far transfers, tasks (emu/x86/segment.c, farcall.c, task.c),
 * against SDM 3A chapters 5 and 7.
 */
#include "tests/unit/cpu_rig.h"

#include "emu/x86/uop.h"

#define NO_FAULT (-1)

static void null_selector_is_fine_for_data_not_for_stack(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_DS, 3)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->seg[SEG_DS].selector, 3);
    CU_ASSERT_EQUAL(r.c->mode & MODE_FLAT_DS, 0);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, 0, 1, false)),
                    VEC_GP);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_SS, 0)), VEC_GP);
    CU_ASSERT_EQUAL(r.c->fault.error, 0);
    CU_ASSERT_EQUAL(r.c->seg[SEG_SS].selector, RIG_DATA0);
    rig_free(&r);
}

static void load_faults_name_the_selector(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_DS, 0x103)), VEC_GP);
    CU_ASSERT_EQUAL(r.c->fault.error, 0x100); /* beyond the limit */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_DS, 0x0C)), VEC_GP);
    CU_ASSERT_EQUAL(r.c->fault.error, 0x0C); /* no LDT */
    rig_descriptor(&r, RIG_FREE, 0, 0xFFFFF, 0xC013);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_ES, RIG_FREE)), VEC_NP);
    CU_ASSERT_EQUAL(r.c->fault.error, RIG_FREE);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_SS, RIG_FREE)), VEC_SS);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_SS, RIG_DATA3)), VEC_GP);
    rig_descriptor(&r, RIG_FREE, 0, 0xFFFFF, 0xC099); /* execute-only */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_FS, RIG_FREE)), VEC_GP);
    rig_protected(&r, 3);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_DS, RIG_DATA0)), VEC_GP);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_DS, RIG_DATA3)),
                    NO_FAULT);
    rig_free(&r);
}

static void a_load_sets_the_accessed_bit_in_memory(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    rig_descriptor(&r, RIG_FREE, 0x1234000, 0x10, 0xC092);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_GS, RIG_FREE)), NO_FAULT);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_GDT + RIG_FREE + 5, 1), 0x93);
    CU_ASSERT_EQUAL(r.c->seg[SEG_GS].base, 0x1234000);
    CU_ASSERT_EQUAL(r.c->seg[SEG_GS].limit, 0x10FFF);
    CU_ASSERT_EQUAL(r.c->seg_base[SEG_GS], 0x1234000);
    rig_free(&r);
}

static void real_mode_load_keeps_the_limit(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    r.c->cr0 &= ~(uint64_t)CR0_PE;
    cpu_mode_changed(r.c);
    segment_load(r.c, SEG_DS, 0xB800);
    CU_ASSERT_EQUAL(r.c->seg[SEG_DS].base, 0xB8000);
    CU_ASSERT_EQUAL(r.c->seg[SEG_DS].limit, UINT32_MAX);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, 0x100000, 4, true)),
                    NO_FAULT);
    cpu_reset(r.c);
    segment_load(r.c, SEG_SS, 0x10);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_SS, 0xFFFF, 2, true)),
                    VEC_SS);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, 0xFFFF, 2, true)),
                    VEC_GP);
    rig_free(&r);
}

static void limits_grow_up_and_down(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    struct segment *s = &r.c->seg[SEG_DS];
    *s = (struct segment){.base = 0x1000, .limit = 0xFFF, .access = 0x4093};
    CU_ASSERT_EQUAL(segment_linear(r.c, SEG_DS, 0xFFC, 4, true), 0x1FFC);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, 0xFFD, 4, true)),
                    VEC_GP);
    s->access = 0x4097; /* expand-down, 32 bits */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, 0xFFF, 1, true)),
                    VEC_GP);
    CU_ASSERT_EQUAL(segment_linear(r.c, SEG_DS, 0xFFFFFFFC, 4, true), 0xFFC);
    s->access = 0x0097; /* 16 bits: up to FFFF */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, 0xFFFE, 4, true)),
                    VEC_GP);
    CU_ASSERT_EQUAL(segment_linear(r.c, SEG_DS, 0x1000, 4, true), 0x2000);
    s->access = 0x4091; /* read-only */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, 0, 4, true)),
                    VEC_GP);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_CS, 0, 4, true)),
                    VEC_GP);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_CS, 0, 4, false)),
                    NO_FAULT);
    rig_free(&r);
}

static void addresses_in_64_bit_mode_must_be_canonical(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_long(&r);
    const uint64_t hole = UINT64_C(0x0000800000000000);
    r.c->seg[SEG_DS].base = 0x1000; /* ignored */
    cpu_mode_changed(r.c);
    CU_ASSERT_EQUAL(segment_linear(r.c, SEG_DS, 0x10, 8, true), 0x10);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_DS, hole, 1, false)),
                    VEC_GP);
    CU_ASSERT_EQUAL(
        RAISES(r.c, segment_linear(r.c, SEG_SS, hole - 4, 8, false)), VEC_SS);
    r.c->seg[SEG_FS].base = hole - 8;
    cpu_mode_changed(r.c);
    CU_ASSERT_EQUAL(segment_linear(r.c, SEG_FS, 0, 8, true), hole - 8);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_linear(r.c, SEG_FS, 8, 1, true)),
                    VEC_GP);
    rig_free(&r);
}

static void call_gate_switches_stack_and_copies_parameters(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    rig_write(&r, RIG_GDT + RIG_FREE, rig_gate(RIG_CODE0, 0x6000, 0xEC, 2), 8);
    r.c->r[R_SP] = RIG_STACK3 - 8;
    rig_write(&r, RIG_STACK3 - 8, 0x11111111, 4);
    rig_write(&r, RIG_STACK3 - 4, 0x22222222, 4);
    CU_ASSERT_EQUAL(
        RAISES(r.c, segment_far_call(r.c, RIG_FREE | 3, 0, 4, 0x5007)),
        NO_FAULT);
    CU_ASSERT_EQUAL(r.c->cpl, 0);
    CU_ASSERT_EQUAL(r.c->seg[SEG_CS].selector, RIG_CODE0);
    CU_ASSERT_EQUAL(r.c->seg[SEG_SS].selector, RIG_DATA0);
    CU_ASSERT_EQUAL(r.c->rip, 0x6000);
    CU_ASSERT_EQUAL(r.c->r[R_SP], RIG_STACK - 24);
    static const uint32_t frame[] = {
        0x5007, RIG_CODE3, 0x11111111, 0x22222222, RIG_STACK3 - 8, RIG_DATA3,
    };
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(rig_read(&r, RIG_STACK - 24 + i * 4, 4), frame[i]);

    /* And back: RETF 8 drops the parameters from both stacks; DS, which ring
     * 3 may not use, becomes null. */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_load(r.c, SEG_DS, RIG_DATA0)),
                    NO_FAULT);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_return(r.c, 4, 8)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->cpl, 3);
    CU_ASSERT_EQUAL(r.c->rip, 0x5007);
    CU_ASSERT_EQUAL(r.c->r[R_SP], RIG_STACK3);
    CU_ASSERT_EQUAL(r.c->seg[SEG_DS].selector, 0);
    CU_ASSERT_EQUAL(r.c->seg[SEG_ES].selector, RIG_DATA3);
    CU_ASSERT_PTR_EQUAL(r.c->tlb_now, &r.c->tlb[TLB_USER]);
    rig_free(&r);
}

static void a_failed_far_call_changes_nothing(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    rig_write(&r, RIG_GDT + RIG_FREE, rig_gate(RIG_CODE0, 0x6000, 0xEC, 0), 8);
    rig_write(&r, RIG_TSS + 8, RIG_DATA3, 2); /* ring 3 stack for ring 0 */
    CU_ASSERT_EQUAL(
        RAISES(r.c, segment_far_call(r.c, RIG_FREE | 3, 0, 4, 0x5007)), VEC_TS);
    CU_ASSERT_EQUAL(r.c->fault.error, RIG_DATA3 & 0xFFFC);
    CU_ASSERT_EQUAL(r.c->cpl, 3);
    CU_ASSERT_EQUAL(r.c->rip, 0x5000);
    CU_ASSERT_EQUAL(r.c->r[R_SP], RIG_STACK3);
    CU_ASSERT_EQUAL(r.c->seg[SEG_SS].selector, RIG_DATA3);
    /* A gate that ring 3 may not use; code of an inner ring, directly. */
    rig_write(&r, RIG_GDT + RIG_FREE, rig_gate(RIG_CODE0, 0, 0x8C, 0), 8);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_call(r.c, RIG_FREE, 0, 4, 0)),
                    VEC_GP);
    CU_ASSERT_EQUAL(r.c->fault.error, RIG_FREE);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_jump(r.c, RIG_CODE0, 0, 4)),
                    VEC_GP);
    CU_ASSERT_EQUAL(r.c->fault.error, RIG_CODE0);
    rig_free(&r);
}

static void conforming_code_keeps_the_privilege(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    rig_descriptor(&r, RIG_FREE, 0, 0xFFFFF, 0xC09E);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_jump(r.c, RIG_FREE, 0x7000, 4)),
                    NO_FAULT);
    CU_ASSERT_EQUAL(r.c->cpl, 3);
    CU_ASSERT_EQUAL(r.c->seg[SEG_CS].selector, RIG_FREE | 3);
    CU_ASSERT_EQUAL(r.c->rip, 0x7000);
    rig_free(&r);
}

static void a_far_jump_changes_the_code_width(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    CU_ASSERT_EQUAL(r.c->mode & MODE_CODE, MODE_CODE32);
    rig_descriptor(&r, RIG_FREE, 0, 0xFFFF, 0x009B);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_jump(r.c, RIG_FREE, 0x12345678, 2)),
                    NO_FAULT);
    CU_ASSERT_EQUAL(r.c->rip, 0x5678);
    CU_ASSERT_EQUAL(r.c->mode & (MODE_CODE | MODE_CS_SHORT),
                    MODE_CODE16 | MODE_CS_SHORT);
    r.c->long_mode = true;
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_jump(r.c, RIG_CODE64, 0x9000, 4)),
                    NO_FAULT);
    CU_ASSERT_EQUAL(r.c->mode & MODE_CODE, MODE_CODE64);
    CU_ASSERT_EQUAL(r.c->ip_mask, UINT64_MAX);
    rig_descriptor(&r, RIG_FREE, 0, 0xFFFFF, 0xE09B); /* L and D */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_jump(r.c, RIG_FREE, 0, 4)), VEC_GP);
    rig_free(&r);
}

/* A second 32-bit TSS at RIG_FREE: entry at 0x7000 in ring 0. */
static void make_task(struct rig *r)
{
    rig_descriptor(r, RIG_FREE, RIG_TSS2, 0x67, 0x89);
    rig_write(r, RIG_TSS2 + 0x20, 0x7000, 4);
    rig_write(r, RIG_TSS2 + 0x24, 2, 4);
    rig_write(r, RIG_TSS2 + 0x28, 0xA5A5A5A5, 4);
    rig_write(r, RIG_TSS2 + 0x38, 0x7F00, 4);
    for (unsigned i = 0; i < 6; i++)
        rig_write(r, RIG_TSS2 + 0x48 + i * 4, i == 1 ? RIG_CODE0 : RIG_DATA0,
                  2);
}

static void a_called_task_links_back_and_returns(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    make_task(&r);
    r.c->r[R_AX] = 0x12345678;
    uint64_t sp = r.c->r[R_SP];
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_call(r.c, RIG_FREE, 0, 4, 0x5007)),
                    NO_FAULT);
    CU_ASSERT_EQUAL(r.c->rip, 0x7000);
    CU_ASSERT_EQUAL(r.c->r[R_AX], 0xA5A5A5A5);
    CU_ASSERT_EQUAL(r.c->r[R_SP], 0x7F00);
    CU_ASSERT_EQUAL(r.c->tr.selector, RIG_FREE);
    CU_ASSERT(r.c->eflags & FLAG_NT);
    CU_ASSERT(r.c->cr0 & CR0_TS);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_TSS2, 2), RIG_TR);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_GDT + RIG_FREE + 5, 1), 0x8B);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_GDT + RIG_TR + 5, 1), 0x8B);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_TSS + 0x20, 4), 0x5007);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_TSS + 0x28, 4), 0x12345678);
    /* It is busy now: calling it again is #GP. */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_call(r.c, RIG_FREE, 0, 4, 0)),
                    VEC_GP);
    static const struct uop fake; /* IRET's own: only its length counts */
    r.c->uop = &fake;
    CU_ASSERT_EQUAL(RAISES(r.c, interrupt_return(r.c, 4)), NO_FAULT);
    CU_ASSERT_EQUAL(r.c->rip, 0x5007);
    CU_ASSERT_EQUAL(r.c->r[R_AX], 0x12345678);
    CU_ASSERT_EQUAL(r.c->r[R_SP], sp);
    CU_ASSERT_EQUAL(r.c->tr.selector, RIG_TR);
    CU_ASSERT_EQUAL(r.c->eflags & FLAG_NT, 0);
    CU_ASSERT_EQUAL(rig_read(&r, RIG_GDT + RIG_FREE + 5, 1), 0x89);
    rig_free(&r);
}

static void a_bad_segment_faults_in_the_new_task(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 0);
    make_task(&r);
    rig_write(&r, RIG_TSS2 + 0x50, RIG_DATA3, 2); /* SS of another ring */
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_call(r.c, RIG_FREE, 0, 4, 0x5007)),
                    VEC_TS);
    CU_ASSERT_EQUAL(r.c->fault.error, RIG_DATA3 & 0xFFFC);
    CU_ASSERT_EQUAL(r.c->rip, 0x7000);
    CU_ASSERT_EQUAL(r.c->tr.selector, RIG_FREE);
    /* Too short a TSS is found in the old one. */
    rig_protected(&r, 0);
    make_task(&r);
    rig_descriptor(&r, RIG_FREE, RIG_TSS2, 0x66, 0x89);
    CU_ASSERT_EQUAL(RAISES(r.c, segment_far_call(r.c, RIG_FREE, 0, 4, 0x5007)),
                    VEC_TS);
    CU_ASSERT_EQUAL(r.c->rip, 0x5000);
    CU_ASSERT_EQUAL(r.c->tr.selector, RIG_TR);
    rig_free(&r);
}

static void the_io_bitmap_decides_for_ring_3(void)
{
    struct rig r;
    CU_ASSERT_FATAL(rig_new(&r));
    rig_protected(&r, 3);
    r.c->tr.limit = 0x68 + 32;
    rig_write(&r, RIG_TSS + 0x66, 0x68, 2);
    rig_write(&r, RIG_TSS + 0x68 + 0x10, 0xFF04, 2); /* 82h denied */
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0x80, 2)), NO_FAULT);
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0x81, 2)), VEC_GP);
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0x83, 4)), NO_FAULT);
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0x87, 2)), VEC_GP);
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0xFF, 1)), NO_FAULT);
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0x100, 1)), VEC_GP);
    r.c->eflags |= FLAG_IOPL;
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0x82, 1)), NO_FAULT);
    r.c->eflags |= FLAG_VM; /* v86 mode asks the bitmap even so */
    CU_ASSERT_EQUAL(RAISES(r.c, task_check_io(r.c, 0x82, 1)), VEC_GP);
    rig_free(&r);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Random descriptors behind the first six, a random TSS, perhaps long mode. */
static void randomise(struct rig *r, uint64_t *seed)
{
    rig_protected(r, next_random(seed) & 1 ? 3 : 0);
    for (unsigned k = 0x38; k < 0x100; k += 8) {
        uint64_t d = next_random(seed) & 0xF0FFFF0000FFFFFF;
        if (next_random(seed) & 1)
            rig_write(r, RIG_GDT + k, d | UINT64_C(0x800000000000), 8);
    }
    for (unsigned k = 0; k < 0x68; k += 4)
        rig_write(r, RIG_TSS + k, next_random(seed) & 0xFFFF, 4);
    r->c->long_mode = next_random(seed) % 4 == 0;
    cpu_mode_changed(r->c);
}

static int random_transfer(struct rig *r, uint64_t what)
{
    static const struct uop fake; /* only its place and length count */
    uint16_t selector = (uint16_t)(what >> 16 & 0x1FF);
    unsigned size = what & 64 ? 4 : 2;
    struct cpu *c = r->c;

    c->uop = &fake;
    switch (what >> 32 & 3) {
    case 0:
        return RAISES(c, segment_far_call(c, selector, 0x100, size, 0x5007));
    case 1:
        return RAISES(c, segment_far_jump(c, selector, 0x100, size));
    case 2:
        return what & 128 ? RAISES(c, segment_far_return(c, size, 4))
                          : RAISES(c, interrupt_return(c, size));
    default:
        return RAISES(c, segment_load(c, (enum seg)(what % 2 * 4), selector));
    }
}

/* Whatever a guest puts into its tables, one operation either completes or
 * raises one of the faults that it may raise, and CPL matches CS. */
static void storm_of_random_tables(void)
{
    struct rig r;
    uint64_t seed = 0x123456789ABCDEF;
    unsigned done = 0;
    CU_ASSERT_FATAL(rig_new(&r));
    for (unsigned i = 0; i < 200000; i++) {
        if (i % 8 == 0)
            randomise(&r, &seed);
        int vector = random_transfer(&r, next_random(&seed));
        CU_ASSERT(vector == NO_FAULT || (vector >= VEC_TS && vector <= VEC_PF));
        CU_ASSERT(cpu_real_or_v86(r.c) || vector != NO_FAULT ||
                  (r.c->seg[SEG_CS].selector & 3) == r.c->cpl);
        done += vector == NO_FAULT;
    }
    CU_ASSERT(done > 1000);
    rig_free(&r);
}

static const struct test tests[] = {
    {"null selector is fine for data, not for the stack",
     null_selector_is_fine_for_data_not_for_stack},
    {"load faults name the selector", load_faults_name_the_selector},
    {"a load sets the accessed bit in memory",
     a_load_sets_the_accessed_bit_in_memory},
    {"a real-mode load keeps the limit", real_mode_load_keeps_the_limit},
    {"limits grow up and down", limits_grow_up_and_down},
    {"64-bit addresses must be canonical",
     addresses_in_64_bit_mode_must_be_canonical},
    {"a call gate switches stacks and copies parameters",
     call_gate_switches_stack_and_copies_parameters},
    {"a failed far call changes nothing", a_failed_far_call_changes_nothing},
    {"conforming code keeps the privilege",
     conforming_code_keeps_the_privilege},
    {"a far jump changes the code width", a_far_jump_changes_the_code_width},
    {"a called task links back and returns",
     a_called_task_links_back_and_returns},
    {"a bad segment faults in the new task",
     a_bad_segment_faults_in_the_new_task},
    {"the I/O bitmap decides for ring 3", the_io_bitmap_decides_for_ring_3},
    {"storm of random tables", storm_of_random_tables},
    {NULL, NULL},
};

TEST_MAIN("segment", tests)
