/*
 * Segment registers and selectors: loads with all their checks, limits, LAR,
 * LSL, VERR, VERW, ARPL, BOUND (SDM 3A 3.4, 5.3 to 5.6, 5.10; SDM 2).
 */
#include "tests/support/rig.h"

/* --- loads
 * -----------------------------------------------------------------------------
 */

GUEST(load_ds, 32, "mov ds, ax\nud2")
GUEST(load_ss, 32, "mov ss, ax\nud2")
GUEST(pop_es, 32, "push eax\npop es\nud2")
GUEST(lfs, 32, "lfs ebx, [0x10000]\nud2")

struct load {
    unsigned cpl, selector, access; /* of SEL_FREE; 0: leave it alone */
    int ds, ss;                     /* vector; -1: loads */
};

static void try_load(const struct load *t, bool stack, unsigned line)
{
    struct rig *r = rig_new(RIG_PROT32, t->cpl);
    bool down = (t->access & 0x1C) == 0x14; /* expand-down */
    if (t->access)
        rig_descriptor(r, SEL_FREE, 0x1000, down ? 0 : 0xFFFFF, t->access);
    r->cpu->r[R_AX] = t->selector;
    if (stack)
        RIG_RUN(r, load_ss);
    else
        RIG_RUN(r, load_ds);
    int want = stack ? t->ss : t->ds;
    rig_expect((uint64_t)r->out.vector, want < 0 ? VEC_UD : (uint64_t)want,
               stack ? "vector of the SS load" : "vector of the DS load",
               __FILE__, line);
    const struct segment *s = &r->cpu->seg[stack ? SEG_SS : SEG_DS];
    if (want >= 0) {
        EXPECT(r->out.error, t->selector & 0xFFFC);
        EXPECT(r->out.ip, RIG_CODE);
    } else if (t->access && !stack) {
        EXPECT(s->base, 0x1000);
        EXPECT(s->limit, down ? 0xFFF : 0xFFFFFFFF);
        EXPECT(s->selector, t->selector);
        EXPECT(s->access, t->access | ACC_ACCESSED);
        EXPECT(rig_peek(r, RIG_GDT + SEL_FREE + 5, 1), (t->access & 0xFF) | 1);
    }
    if (want >= 0 && t->access) /* not marked accessed */
        EXPECT(rig_peek(r, RIG_GDT + SEL_FREE + 5, 1), t->access & 0xFF);
    rig_free(r);
}

static void loads_check_type_privilege_and_presence(void)
{
    static const struct load cases[] = {
        {0, 0, 0, -1, VEC_GP},                    /* null */
        {0, 3, 0, -1, VEC_GP},                    /* null, whatever its RPL */
        {0, SEL_FREE, 0xC092, -1, -1},            /* writable */
        {0, SEL_FREE, 0xC090, -1, VEC_GP},        /* read-only */
        {0, SEL_FREE, 0xC096, -1, -1},            /* expand-down */
        {0, SEL_FREE, 0xC09A, -1, VEC_GP},        /* readable code */
        {0, SEL_FREE, 0xC098, VEC_GP, VEC_GP},    /* execute-only */
        {0, SEL_FREE, 0xC09C, VEC_GP, VEC_GP},    /* conforming, the same */
        {0, SEL_FREE, 0xC09E, -1, VEC_GP},        /* conforming, readable */
        {0, SEL_FREE, 0xC012, VEC_NP, VEC_SS},    /* not present */
        {0, SEL_FREE, 0xC010, VEC_NP, VEC_GP},    /* type comes first */
        {0, SEL_FREE, 0x0082, VEC_GP, VEC_GP},    /* LDT */
        {0, SEL_FREE, 0x0089, VEC_GP, VEC_GP},    /* TSS */
        {0, SEL_FREE | 3, 0xC092, VEC_GP, VEC_GP}, /* RPL > DPL */
        {0, SEL_FREE | 3, 0xC0F2, -1, VEC_GP},
        {0, SEL_FREE, 0xC0F2, -1, VEC_GP},        /* SS needs DPL = CPL */
        {3, SEL_FREE | 3, 0xC0F2, -1, -1},
        {3, SEL_FREE, 0xC0F2, -1, VEC_GP},        /* SS needs RPL = CPL */
        {3, SEL_FREE, 0xC092, VEC_GP, VEC_GP},
        {3, SEL_FREE | 3, 0xC0D2, VEC_GP, VEC_GP},
        {3, SEL_FREE | 3, 0xC09E, -1, VEC_GP},    /* conforming: any */
        {3, SEL_FREE | 3, 0xC09A, VEC_GP, VEC_GP},
        {0, 0x100, 0, VEC_GP, VEC_GP},            /* beyond the GDT */
        {0, 0x804, 0, VEC_GP, VEC_GP},            /* beyond the LDT */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        try_load(&cases[i], false, i);
        try_load(&cases[i], true, i);
    }
}

static void null_ss_is_for_64_bit_kernels(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, load_ss);
    EXPECT(r->out.vector, VEC_UD);
    rig_free(r);
    r = rig_new(RIG_LONG, 3);
    r->cpu->r[R_AX] = 3;
    RIG_RUN(r, load_ss);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    rig_free(r);
    r = rig_new(RIG_COMPAT, 0);
    RIG_RUN(r, load_ss);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
    rig_free(r);
}

static void a_failed_load_changes_nothing_else(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    r->cpu->r[R_AX] = 0x2000;
    RIG_RUN(r, pop_es);
    EXPECT_FAULT(r, VEC_GP, 0x2000, RIG_CODE + 1);
    EXPECT(r->cpu->r[R_SP] + 16, RIG_STACK0 - 4); /* POP is undone */
    rig_free(r);
    r = rig_new(RIG_PROT32, 0);
    r->cpu->r[R_BX] = 77;
    rig_poke(r, RIG_DATA, UINT64_C(0x200012345678), 8);
    RIG_RUN(r, lfs);
    EXPECT_FAULT(r, VEC_GP, 0x2000, RIG_CODE);
    EXPECT(r->cpu->r[R_BX], 77);
    rig_free(r);
}

/* --- limits
 * -------------------------------------------------------------------------------
 */

GUEST(read_gs, 32, "mov eax, gs:[ebx]\nud2")
GUEST(write_gs, 32, "mov gs:[ebx], eax\nud2")
static void limits_and_rights_are_checked_on_access(void)
{
    static const struct {
        unsigned access;
        uint32_t limit, offset;
        bool read, write;
    } cases[] = {
        {0x4093, 0x1000, 0xFFD, true, true},
        {0x4093, 0x1000, 0xFFE, false, false},
        {0x4093, 0x1000, 0xFFFFFFFF, false, false},
        {0x4091, 0x1000, 0, true, false},       /* read-only */
        {0x409B, 0x1000, 0, true, false},       /* code */
        {0x4099, 0x1000, 0, false, false},      /* execute-only */
        {0x0000, 0x1000, 0, false, false},      /* null */
        {0x4097, 0x1000, 0x1000, false, false}, /* expand-down: above it */
        {0x4097, 0x1000, 0x1001, true, true},
        {0x4097, 0x1000, 0x20000, true, true},
        {0x0097, 0x1000, 0xFFFC, true, true}, /* 16-bit: to FFFF */
        {0x0097, 0x1000, 0xFFFD, false, false},
        {0x4095, 0x1000, 0x1001, true, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned write = 0; write < 2; write++) {
            struct rig *r = rig_new(RIG_PROT32, 0);
            r->cpu->seg[SEG_GS] = (struct segment){
                .selector = SEL_FREE, .limit = cases[i].limit,
                .access = (uint16_t)cases[i].access};
            cpu_mode_changed(r->cpu);
            r->cpu->r[R_BX] = cases[i].offset;
            if (write)
                RIG_RUN(r, write_gs);
            else
                RIG_RUN(r, read_gs);
            bool good = write ? cases[i].write : cases[i].read;
            rig_expect((uint64_t)r->out.vector, good ? VEC_UD : VEC_GP,
                       write ? "write" : "read", __FILE__, i);
            if (!good)
                EXPECT(r->out.error, 0);
            rig_free(r);
        }
}

GUEST(push_low, 32, "push eax\nud2")
static void a_stack_access_beyond_its_limit_is_a_stack_fault(void)
{
    struct rig *r = rig_new(RIG_PROT32, 3); /* the handler has another stack */
    r->cpu->seg[SEG_SS].access = 0xC0F7;    /* expand-down */
    r->cpu->seg[SEG_SS].limit = 0x6FFF;
    cpu_mode_changed(r->cpu);
    r->cpu->r[R_SP] = 0x7004;
    RIG_RUN(r, push_low);
    EXPECT(r->out.vector, VEC_UD);
    rig_free(r);
    r = rig_new(RIG_PROT32, 3);
    r->cpu->seg[SEG_SS].access = 0xC0F7;
    r->cpu->seg[SEG_SS].limit = 0x6FFF;
    cpu_mode_changed(r->cpu);
    r->cpu->r[R_SP] = 0x7003;
    RIG_RUN(r, push_low);
    EXPECT_FAULT(r, VEC_SS, 0, RIG_CODE);
    EXPECT(r->out.sp, 0x7003);
    rig_free(r);
}

GUEST(odd_ds, 64, "mov rax, [rbx]\nud2")
GUEST(odd_ss, 64, "mov rax, [rsp]\nud2")
GUEST(odd_bp, 64, "mov rax, [rbp]\nud2")
GUEST(odd_fs, 64, "mov rax, fs:[rbx]\nud2")
static void non_canonical_accesses_fault(void)
{
    static const struct {
        const uint8_t *start, *end;
        uint64_t address;
        int vector;
    } cases[] = {
        {odd_ds, odd_ds_end, 0x800000000000, VEC_GP},
        {odd_ds, odd_ds_end, 0x7FFFFFFFFFFC, VEC_GP}, /* its last byte */
        {odd_ss, odd_ss_end, 0x800000000000, VEC_SS},
        {odd_bp, odd_bp_end, 0xFFFF7FFFFFFFFFFF, VEC_SS},
        {odd_fs, odd_fs_end, 0x7FFFFFFFFFF0, VEC_GP}, /* with the base */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_LONG, 3);
        r->cpu->seg[SEG_FS].base = 0x1000;
        cpu_mode_changed(r->cpu);
        r->cpu->r[R_BX] = r->cpu->r[R_BP] = r->cpu->r[R_SP] = cases[i].address;
        rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
        rig_run(r);
        EXPECT_FAULT(r, cases[i].vector, 0, RIG_CODE);
        rig_free(r);
    }
}

/* --- questions about descriptors ------------------------------------------ */

GUEST(ask, 32,
      "mov ebx, 0x55555555\nmov ecx, ebx\nxor edx, edx\nxor esi, esi\n"
      "lar ebx, eax\nsetz dl\nlsl ecx, eax\nsetz dh\n"
      "verr ax\nsetz al\nmovzx esi, al\npush esi\nmov eax, edi\nverw ax\n"
      "setz al\nmovzx edi, al\npop esi\nud2")
struct question {
    unsigned cpl, selector, access;
    bool lar, lsl, verr, verw;
};
static void ask_about(enum rig_mode mode, const struct question *q,
                      unsigned line)
{
    struct rig *r = rig_new(mode, q->cpl);
    rig_descriptor(r, SEL_FREE, 0, 0x12345, q->access);
    rig_poke(r, RIG_GDT + SEL_FREE + 8, 0, 8);
    r->cpu->r[R_AX] = r->cpu->r[R_DI] = q->selector;
    RIG_RUN(r, ask);
    EXPECT(r->out.vector, VEC_UD);
    struct cpu *c = r->cpu;
    rig_expect(c->r[R_DX] & 1, q->lar, "LAR", __FILE__, line);
    rig_expect(c->r[R_DX] >> 8, q->lsl, "LSL", __FILE__, line);
    rig_expect(c->r[R_SI], q->verr, "VERR", __FILE__, line);
    rig_expect(c->r[R_DI], q->verw, "VERW", __FILE__, line);
    uint32_t rights = (q->access & 0xF0FF) << 8;
    uint32_t limit = q->access & 0x8000 ? 0x12345FFF : 0x12345;
    EXPECT(c->r[R_BX] & 0xFFF0FFFF, q->lar ? rights : 0x55505555);
    EXPECT(c->r[R_CX], q->lsl ? limit : 0x55555555);
    rig_free(r);
}

static void lar_lsl_verr_and_verw(void)
{
    static const struct question legacy[] = {
        {0, 0, 0x4092, false, false, false, false},
        {0, SEL_FREE, 0x4092, true, true, true, true},
        {0, SEL_FREE, 0xC090, true, true, true, false},
        {0, SEL_FREE, 0x4012, true, true, true, true}, /* P is not looked at */
        {0, SEL_FREE, 0x409A, true, true, true, false},
        {0, SEL_FREE, 0x4098, true, true, false, false},
        {3, SEL_FREE, 0x4092, false, false, false, false},
        {0, SEL_FREE | 3, 0x4092, false, false, false, false},
        {3, SEL_FREE | 3, 0x409E, true, true, true, false}, /* conforming */
        {3, SEL_FREE | 3, 0x40F2, true, true, true, true},
        {0, 0x2000, 0x4092, false, false, false, false},
        {0, SEL_FREE, 0x0081, true, true, false, false},  /* TSS, 16 bits */
        {0, SEL_FREE, 0x0082, true, true, false, false},  /* LDT */
        {0, SEL_FREE, 0x0089, true, true, false, false},  /* TSS */
        {0, SEL_FREE, 0x008B, true, true, false, false},  /* busy */
        {0, SEL_FREE, 0x0084, true, false, false, false}, /* call gate, 16 */
        {0, SEL_FREE, 0x008C, true, false, false, false}, /* call gate */
        {0, SEL_FREE, 0x0085, true, false, false, false}, /* task gate */
        {0, SEL_FREE, 0x0086, false, false, false, false},
        {0, SEL_FREE, 0x008E, false, false, false, false}, /* interrupt gate */
        {0, SEL_FREE, 0x0080, false, false, false, false},
    };
    static const struct question compat[] = {
        {0, SEL_FREE, 0x0081, false, false, false, false},
        {0, SEL_FREE, 0x0082, true, true, false, false},
        {0, SEL_FREE, 0x0089, true, true, false, false},
        {0, SEL_FREE, 0x008C, true, false, false, false},
        {0, SEL_FREE, 0x0084, false, false, false, false},
        {0, SEL_FREE, 0x0085, false, false, false, false},
    };
    for (unsigned i = 0; i < sizeof legacy / sizeof *legacy; i++)
        ask_about(RIG_PROT32, &legacy[i], i);
    for (unsigned i = 0; i < sizeof compat / sizeof *compat; i++)
        ask_about(RIG_COMPAT, &compat[i], 100 + i);
}

GUEST(arpl, 32,
      "mov eax, 0x12340010\nmov ebx, 3\narpl ax, bx\nsetz cl\n"
      "arpl ax, bx\nsetz ch\nhlt")
static void arpl_raises_rpl_only(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    RIG_RUN(r, arpl);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], 0x12340013);
    EXPECT(r->cpu->r[R_CX], 1);
    rig_free(r);
}

GUEST(bound, 32, "bound eax, [0x10000]\nud2")
static void bound_faults_outside_its_signed_range(void)
{
    static const struct {
        uint32_t index;
        bool good;
    } cases[] = {{0xFFFFFFFB, true}, {7, true}, {0xFFFFFFFA, false},
                 {8, false},         {0, true}, {0x80000000, false}};
    for (unsigned i = 0; i < 6; i++) {
        struct rig *r = rig_new(RIG_PROT32, 0);
        rig_poke(r, RIG_DATA, UINT64_C(0x7FFFFFFFB), 8); /* -5 to 7 */
        r->cpu->r[R_AX] = cases[i].index;
        RIG_RUN(r, bound);
        EXPECT_FAULT(r, cases[i].good ? VEC_UD : VEC_BR, NO_ERROR,
                     RIG_CODE + (cases[i].good ? 6 : 0));
        rig_free(r);
    }
}

static const struct test tests[] = {
    {"loads_check_type_privilege_and_presence",
     loads_check_type_privilege_and_presence},
    {"null_ss_is_for_64_bit_kernels", null_ss_is_for_64_bit_kernels},
    {"a_failed_load_changes_nothing_else", a_failed_load_changes_nothing_else},
    {"limits_and_rights_are_checked_on_access",
     limits_and_rights_are_checked_on_access},
    {"a_stack_access_beyond_its_limit_is_a_stack_fault",
     a_stack_access_beyond_its_limit_is_a_stack_fault},
    {"non_canonical_accesses_fault", non_canonical_accesses_fault},
    {"lar_lsl_verr_and_verw", lar_lsl_verr_and_verw},
    {"arpl_raises_rpl_only", arpl_raises_rpl_only},
    {"bound_faults_outside_its_signed_range",
     bound_faults_outside_its_signed_range},
    {NULL, NULL},
};

TEST_MAIN("segment", tests)
