/*
 * Paging in all its forms: rights, page sizes, accessed and dirty bits, error
 * codes, CR2, accesses that cross pages, and TLB invalidation (SDM 3A chapter
 * 4, 4.6 to 4.10).
 */
#include "emu/x86/mmu.h"
#include "tests/support/rig.h"

#include <string.h>

#define PAGE RIG_DATA /* the page under test */
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX (UINT64_C(1) << 63)
#define ANY_IP UINT64_MAX

/* Snippets work in 32-bit and 64-bit code alike. */
GUEST(load, 32, "mov eax, [ebx]\nnop\n")
GUEST(store, 32, "mov [ebx], eax\nnop\n")
GUEST(modify, 32, "add dword ptr [ebx], 1\nnop\n")
GUEST(fetch, 32, "call ebx\nnop\n") /* RBX in 64-bit code */

enum op { LOAD, STORE, MODIFY, FETCH };

/* Does it to `address` with what `prepare` changed; ends in the handler of #PF,
 * or of #UD behind it. */
static void run_op(struct rig *r, enum op op, uint64_t address)
{
    static const struct {
        const uint8_t *start, *end;
    } code[] = {{load, load_end},
                {store, store_end},
                {modify, modify_end},
                {fetch, fetch_end}};
    unsigned size = (unsigned)(code[op].end - code[op].start);
    rig_load(r, RIG_CODE, code[op].start, code[op].end);
    rig_poke(r, RIG_CODE + size, 0x0B0F, 2);
    r->cpu->r[R_BX] = address;
    r->cpu->r[R_AX] = 0x12345678;
    r->cpu->rip = RIG_CODE;
    rig_run(r);
}

struct rights {
    enum rig_mode mode;
    unsigned cpl;
    uint64_t pte; /* rights besides the frame */
    unsigned cr4;
    bool wp, ac;
    enum op op;
    int error; /* -1: no fault */
};

static void check_rights(const struct rights *t, unsigned line)
{
    struct rig *r = rig_new(t->mode, t->cpl);
    r->cpu->cr4 |= t->cr4;
    if (!t->wp)
        r->cpu->cr0 &= ~(uint64_t)CR0_WP;
    if (t->ac)
        r->cpu->eflags |= FLAG_AC;
    if (t->cr4) /* the rig's own pages are the supervisor's then */
        for (uint32_t page = 0; page < 0x20000; page += 4096)
            rig_set_pte(r, page, rig_pte(r, page) & ~UINT64_C(4));
    rig_set_pte(r, PAGE, PAGE | t->pte);
    rig_poke(r, PAGE, 0xC3, 1); /* ret */
    cpu_mode_changed(r->cpu);
    mmu_flush_all(r->cpu);
    run_op(r, t->op, PAGE);
    rig_expect(r->out.vector == VEC_PF ? r->out.error : UINT32_MAX,
               (uint32_t)t->error, "error code", __FILE__, line);
    if (t->error >= 0) {
        EXPECT(r->cpu->cr2, PAGE);
        EXPECT(r->out.ip, t->op == FETCH ? PAGE : RIG_CODE);
        EXPECT(rig_pte(r, PAGE) & (A | D), 0);
    } else {
        bool wrote = t->op == STORE || t->op == MODIFY;
        EXPECT(r->out.vector, VEC_UD);
        EXPECT(rig_pte(r, PAGE) & (A | D), wrote ? A | D : A);
    }
    rig_free(r);
}

static void rights_and_error_codes(void)
{
    static const enum rig_mode modes[] = {RIG_PAGED32, RIG_PAE, RIG_LONG};
    for (unsigned i = 0; i < 3; i++) {
        const enum rig_mode m = modes[i];
        const int nx = m == RIG_LONG ? PF_I : 0; /* PAE has NXE off here */
        const struct rights cases[] = {
            /* user */
            {m, 3, P | W | U, 0, true, false, LOAD, -1},
            {m, 3, P | W | U, 0, true, false, STORE, -1},
            {m, 3, P | W | U, 0, true, false, FETCH, -1},
            {m, 3, P | U, 0, true, false, LOAD, -1},
            {m, 3, P | U, 0, true, false, STORE, PF_P | PF_W | PF_U},
            {m, 3, P | U, 0, false, false, STORE, PF_P | PF_W | PF_U},
            {m, 3, P | U, 0, true, false, MODIFY, PF_P | PF_W | PF_U},
            {m, 3, P | W, 0, true, false, LOAD, PF_P | PF_U},
            {m, 3, P | W, 0, true, false, STORE, PF_P | PF_U | PF_W},
            {m, 3, P | W, 0, true, false, FETCH, PF_P | PF_U | nx},
            {m, 3, 0, 0, true, false, LOAD, PF_U},
            {m, 3, 0, 0, true, false, STORE, PF_U | PF_W},
            {m, 3, W | U, 0, true, false, FETCH, PF_U | nx},
            /* supervisor */
            {m, 0, P | W, 0, true, false, STORE, -1},
            {m, 0, P, 0, true, false, STORE, PF_P | PF_W},
            {m, 0, P, 0, true, false, MODIFY, PF_P | PF_W},
            {m, 0, P, 0, false, false, STORE, -1},
            {m, 0, P | U, 0, true, false, STORE, PF_P | PF_W},
            {m, 0, P | U, 0, false, false, MODIFY, -1},
            {m, 0, P | U, 0, true, false, FETCH, -1},
            {m, 0, 0, 0, true, false, LOAD, 0},
            {m, 0, 0, 0, true, false, STORE, PF_W},
            /* SMEP and SMAP */
            {m, 0, P | W | U, CR4_SMEP, true, false, FETCH, PF_P | PF_I},
            {m, 0, P | W | U, CR4_SMEP, true, false, LOAD, -1},
            {m, 0, P | W, CR4_SMEP, true, false, FETCH, -1},
            {m, 0, P | W | U, CR4_SMAP, true, false, LOAD, PF_P},
            {m, 0, P | W | U, CR4_SMAP, true, false, STORE, PF_P | PF_W},
            {m, 0, P | W | U, CR4_SMAP, true, true, STORE, -1},
            {m, 0, P | U, CR4_SMAP, false, false, STORE, PF_P | PF_W},
            {m, 0, P | W | U, CR4_SMAP, true, false, FETCH, -1},
            {m, 0, P | W, CR4_SMAP, true, false, STORE, -1},
        };
        for (unsigned n = 0; n < sizeof cases / sizeof *cases; n++)
            check_rights(&cases[n], n);
    }
}

static void no_execute_and_reserved_bits(void)
{
    const uint64_t high = UINT64_C(1) << 45; /* beyond 40 physical bits */
    const struct rights cases[] = {
        {RIG_LONG, 0, P | W | NX, 0, true, false, LOAD, -1},
        {RIG_LONG, 0, P | W | NX, 0, true, false, FETCH, PF_P | PF_I},
        {RIG_LONG, 3, P | W | U | NX, 0, true, false, FETCH,
         PF_P | PF_I | PF_U},
        {RIG_LONG, 0, P | W | high, 0, true, false, LOAD, PF_P | PF_RSVD},
        {RIG_LONG, 3, P | W | U | high, 0, true, false, STORE,
         PF_P | PF_RSVD | PF_U | PF_W},
        {RIG_LONG, 0, W | high, 0, true, false, LOAD, 0}, /* not present */
        /* NXE is off: the bit is reserved */
        {RIG_PAE, 0, P | W | NX, 0, true, false, LOAD, PF_P | PF_RSVD},
        {RIG_PAE, 0, P | W | UINT64_C(1) << 55, 0, true, false, LOAD,
         PF_P | PF_RSVD},
        {RIG_LONG, 0, P | W | UINT64_C(1) << 55, 0, true, false, LOAD, -1},
    };
    for (unsigned n = 0; n < sizeof cases / sizeof *cases; n++)
        check_rights(&cases[n], 1000 + n);
}

/* Rights are those that every level grants. */
static void each_level_can_take_rights_away(void)
{
    static const uint32_t tables[] = {RIG_PML4, RIG_PDPT, RIG_PD64};
    for (unsigned level = 0; level < 3; level++)
        for (unsigned what = 0; what < 3; what++) {
            static const uint64_t flip[] = {W, U, NX};
            static const unsigned error[] = {PF_P | PF_W | PF_U,
                                             PF_P | PF_U, PF_P | PF_U | PF_I};
            struct rig *r = rig_new(RIG_LONG, 3);
            /* A second mapping of the first 2 MiB, at 2 MiB, 1 GiB or
             * 512 GiB. */
            uint64_t entry = rig_peek(r, tables[level], 8) ^ flip[what];
            rig_poke(r, tables[level] + 8, entry, 8);
            uint64_t alias = UINT64_C(1) << (39 - level * 9);
            run_op(r, what == 2 ? FETCH : STORE, PAGE + alias);
            EXPECT(r->out.vector, VEC_PF);
            EXPECT(r->out.error, what == 2 ? error[2] | 0u
                                 : what    ? error[1] | PF_W
                                           : error[0]);
            EXPECT(r->cpu->cr2, PAGE + alias);
            rig_free(r);
        }
}

/* --- large pages ---------------------------------------------------------- */

static void large_pages_map_what_they_say(void)
{
    struct rig *r = rig_new(RIG_PAGED32, 0);
    rig_poke(r, RIG_PD32 + 4 * 4, 0x400000 | PS | P | W, 4); /* 4 MiB */
    rig_poke(r, RIG_PD32 + 5 * 4, 0x600000 | PS | P | W, 4); /* bit 21 */
    run_op(r, STORE, 0x1012344);
    EXPECT(r->out.vector, VEC_UD);
    EXPECT(rig_peek(r, 0x412344, 4), 0x12345678);
    EXPECT(rig_peek(r, RIG_PD32 + 16, 4), 0x400000 | PS | P | W | A | D);
    run_op(r, LOAD, 0x1400000);
    EXPECT_FAULT(r, VEC_PF, PF_P | PF_RSVD, RIG_CODE);
    r->cpu->cr4 &= ~(uint64_t)CR4_PSE; /* PS is ignored without PSE */
    mmu_flush_all(r->cpu);
    run_op(r, LOAD, 0x1012344);
    EXPECT_FAULT(r, VEC_PF, 0, RIG_CODE); /* its "table" is empty */
    rig_free(r);
    r = rig_new(RIG_LONG, 0);
    rig_poke(r, RIG_PD64 + 2 * 8, 0x800000 | PS | P | W, 8); /* 2 MiB */
    rig_poke(r, RIG_PD64 + 3 * 8, 0x802000 | PS | P | W, 8);
    rig_poke(r, RIG_PDPT + 1 * 8, 0 | PS | P | W, 8); /* 1 GiB */
    rig_poke(r, RIG_PDPT + 2 * 8, 0x200000 | PS | P | W, 8);
    rig_poke(r, RIG_PML4 + 1 * 8, RIG_PDPT | PS | P | W, 8);
    run_op(r, STORE, 0x412344);
    EXPECT(rig_peek(r, 0x812344, 4), 0x12345678);
    EXPECT(rig_peek(r, RIG_PD64 + 16, 8), 0x800000 | PS | P | W | A | D);
    run_op(r, STORE, 0x40A12344);
    EXPECT(rig_peek(r, 0xA12344, 4), 0x12345678);
    run_op(r, LOAD, 0x600000);
    EXPECT_FAULT(r, VEC_PF, PF_P | PF_RSVD, RIG_CODE);
    run_op(r, LOAD, 0x80000000);
    EXPECT_FAULT(r, VEC_PF, PF_P | PF_RSVD, RIG_CODE);
    rig_free(r);
}

GUEST(reload_cr3, 32, "mov eax, 0x27000\nmov cr3, eax\nhlt")
static void pae_pointers_are_read_and_checked_by_mov_cr3(void)
{
    struct rig *r = rig_new(RIG_PAE, 0);
    rig_poke(r, RIG_PDPT32 + 8, 0x2, 8); /* absent: bits do not matter */
    RIG_RUN(r, reload_cr3);
    EXPECT_DONE(r);
    rig_poke(r, RIG_PDPT32 + 8, 0x23, 8); /* a reserved bit */
    r->cpu->rip = RIG_CODE;
    RIG_RUN(r, reload_cr3);
    EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE + 5);
    rig_free(r);
}

/* --- crossing pages ------------------------------------------------------- */

static void nothing_is_written_when_the_second_page_faults(void)
{
    static const enum rig_mode modes[] = {RIG_PAGED32, RIG_PAE, RIG_LONG};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned op = STORE; op <= MODIFY; op++) {
            struct rig *r = rig_new(modes[i], 0);
            rig_poke(r, PAGE + 0xFFC, 0xAABBCCDD, 4);
            rig_set_pte(r, PAGE + 0x1000, (PAGE + 0x1000) | P);
            mmu_flush_all(r->cpu);
            run_op(r, (enum op)op, PAGE + 0xFFE);
            EXPECT_FAULT(r, VEC_PF, PF_P | PF_W, RIG_CODE);
            EXPECT(r->cpu->cr2, PAGE + 0x1000);
            EXPECT(rig_peek(r, PAGE + 0xFFC, 4), 0xAABBCCDD);
            rig_set_pte(r, PAGE, PAGE); /* both: the first one is reported */
            mmu_flush_all(r->cpu);
            run_op(r, (enum op)op, PAGE + 0xFFE);
            EXPECT(r->cpu->cr2, PAGE + 0xFFE);
            rig_free(r);
        }
}

GUEST(push_all, 32, "pushad\nnop\n")
GUEST(enter_frame, 32, "enter 16, 3\nnop\n")
static void pusha_and_enter_write_nothing_when_they_fault(void)
{
    static const uint8_t *const code[][2] = {{push_all, push_all_end},
                                             {enter_frame, enter_frame_end}};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = rig_new(RIG_PAGED32, 3);
        rig_set_pte(r, PAGE, PAGE | P | U);
        memset(r->machine->ram + PAGE + 0x1000, 0x55, 0x100);
        mmu_flush_all(r->cpu);
        r->cpu->r[R_SP] = PAGE + 0x1008;
        r->cpu->r[R_BP] = PAGE + 0x1080;
        rig_load(r, RIG_CODE, code[i][0], code[i][1]);
        rig_run(r);
        EXPECT_FAULT(r, VEC_PF, PF_P | PF_W | PF_U, RIG_CODE);
        EXPECT(rig_peek(r, PAGE + 0x1000, 8), 0x5555555555555555);
        EXPECT(r->out.sp, PAGE + 0x1008);
        EXPECT(r->cpu->r[R_BP], PAGE + 0x1080);
        rig_free(r);
    }
}

/* --- the TLB
 * ----------------------------------------------------------------------------------
 */

GUEST(change_invlpg, 64,
      "mov rcx, [rbx]\nmov [rdi], rsi\ninvlpg [rbx]\n"
      "mov rdx, [rbx]\nhlt")
GUEST(change_cr3, 64,
      "mov rcx, [rbx]\nmov [rdi], rsi\nmov rax, cr3\n"
      "mov cr3, rax\nmov rdx, [rbx]\nhlt")
GUEST(change_pge, 64,
      "mov rcx, [rbx]\nmov [rdi], rsi\nmov rax, cr4\nxor eax, 0x80\n"
      "mov cr4, rax\nmov rdx, [rbx]\nhlt")
static void a_changed_entry_is_seen_after_invalidation(void)
{
    static const struct {
        const uint8_t *start, *end;
        uint64_t global;
    } cases[] = {
        {change_invlpg, change_invlpg_end, 0},
        {change_invlpg, change_invlpg_end, G},
        {change_cr3, change_cr3_end, 0},
        {change_pge, change_pge_end, 0},
        {change_pge, change_pge_end, G},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_LONG, 0);
        rig_set_pte(r, PAGE, PAGE | P | W | cases[i].global);
        rig_poke(r, PAGE, 0x1111, 8);
        rig_poke(r, PAGE + 0x1000, 0x2222, 8);
        r->cpu->r[R_BX] = PAGE;
        r->cpu->r[R_DI] = RIG_PT64 + (PAGE >> 12) * 8;
        r->cpu->r[R_SI] = (PAGE + 0x1000) | P | W;
        rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
        rig_run(r);
        EXPECT_DONE(r);
        EXPECT(r->cpu->r[R_CX], 0x1111);
        EXPECT(r->cpu->r[R_DX], 0x2222);
        rig_free(r);
    }
}

/* A piece of a large page is dropped by INVLPG of any address in it. */
GUEST(change_large, 64,
      "mov rcx, [rbx]\nmov rcx, [rbx + 0x5000]\nmov [rdi], rsi\n"
      "invlpg [rbx + 0x100000]\nmov rdx, [rbx + 0x5000]\nhlt")
static void invlpg_drops_a_large_page_whole(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    rig_poke(r, RIG_PD64 + 16, 0x800000 | PS | P | W, 8);
    rig_poke(r, 0xA05000, 0x2222, 8);
    r->cpu->r[R_BX] = 0x400000;
    r->cpu->r[R_DI] = RIG_PD64 + 16;
    r->cpu->r[R_SI] = 0xA00000 | PS | P | W;
    RIG_RUN(r, change_large);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_DX], 0x2222);
    rig_free(r);
}

GUEST(smap_toggle, 64, "stac\nmov eax, [rbx]\nclac\nmov ecx, [rbx]\nhlt")
static void stac_and_clac_lift_smap(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    for (uint32_t page = 0; page < RIG_DATA; page += 4096)
        rig_set_pte(r, page, rig_pte(r, page) & ~UINT64_C(4));
    r->cpu->cr4 |= CR4_SMAP;
    cpu_mode_changed(r->cpu);
    r->cpu->r[R_BX] = PAGE;
    rig_poke(r, PAGE, 0x77, 4);
    RIG_RUN(r, smap_toggle);
    EXPECT_FAULT(r, VEC_PF, PF_P, RIG_CODE + 8);
    EXPECT(r->cpu->r[R_AX], 0x77);
    rig_free(r);
    r = rig_new(RIG_LONG, 3);
    RIG_RUN(r, smap_toggle);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE);
    rig_free(r);
}

static const struct test tests[] = {
    {"rights_and_error_codes", rights_and_error_codes},
    {"no_execute_and_reserved_bits", no_execute_and_reserved_bits},
    {"each_level_can_take_rights_away", each_level_can_take_rights_away},
    {"large_pages_map_what_they_say", large_pages_map_what_they_say},
    {"pae_pointers_are_read_and_checked_by_mov_cr3",
     pae_pointers_are_read_and_checked_by_mov_cr3},
    {"nothing_is_written_when_the_second_page_faults",
     nothing_is_written_when_the_second_page_faults},
    {"pusha_and_enter_write_nothing_when_they_fault",
     pusha_and_enter_write_nothing_when_they_fault},
    {"a_changed_entry_is_seen_after_invalidation",
     a_changed_entry_is_seen_after_invalidation},
    {"invlpg_drops_a_large_page_whole", invlpg_drops_a_large_page_whole},
    {"stac_and_clac_lift_smap", stac_and_clac_lift_smap},
    {NULL, NULL},
};

TEST_MAIN("paging", tests)
