/*
 * Fetching: self-modifying code, instructions across two pages, their length
 * limit and prefixes, A20 with code cached, and repeated instructions that
 * fault or are interrupted in the middle (SDM 3A 8.1.3, 8.7.5 of the A20 gate;
 * SDM 2A 2.1, 2B REP).
 */
#include "emu/x86/mmu.h"
#include "tests/support/rig.h"

#include <string.h>

/* --- self-modifying code -------------------------------------------------- */

/* The instruction right behind the store is what was stored. */
GUEST(next, 64, "mov byte ptr [rip + 1f + 1], 42\n1: mov al, 7\nhlt")
/* Further on in the same block, every time round. */
GUEST(ahead, 64,
      "mov ecx, 100\nxor ebx, ebx\n"
      "2: mov [rip + 1f + 1], cl\nnop\nnop\nadd edx, ebx\n"
      "1: mov al, 7\nmovzx eax, al\nadd rbx, rax\ndec ecx\njnz 2b\nhlt")
/* A loop that changes its own head while it is linked to itself. */
GUEST(behind, 64,
      "xor ebx, ebx\nmov ecx, 100\n1: mov al, 7\nmovzx eax, al\n"
      "add rbx, rax\nmov [rip + 1b + 1], cl\ndec ecx\njnz 1b\nhlt")
/* Another page, called again and again, patched in between. */
GUEST(apart, 64,
      "mov ecx, 100\nxor ebx, ebx\nmov esi, 0x9000\n"
      "mov dword ptr [rsi], 0xC307B0\n" /* mov al, 7; ret */
      "2: mov [rsi + 1], cl\ncall rsi\nmovzx eax, al\n"
      "add rbx, rax\ndec ecx\njnz 2b\nhlt")
/* The same through another linear address. */
GUEST(alias, 64,
      "mov ecx, 100\nxor ebx, ebx\nmov esi, 0x9000\n"
      "mov edi, 0x209000\nmov dword ptr [rsi], 0xC307B0\n"
      "2: mov [rdi + 1], cl\ncall rsi\nmovzx eax, al\n"
      "add rbx, rax\ndec ecx\njnz 2b\nhlt")
/* By a string instruction; by one that overwrites itself. */
GUEST(by_string, 64,
      "mov ecx, 100\nxor ebx, ebx\nmov esi, 0x9000\n"
      "mov dword ptr [rsi], 0xC307B0\n"
      "2: lea rdi, [rsi + 1]\nmov al, cl\nmov edx, ecx\n"
      "mov ecx, 1\nrep stosb\nmov ecx, edx\ncall rsi\n"
      "movzx eax, al\nadd rbx, rax\ndec ecx\njnz 2b\nhlt")
static void changed_code_runs_as_changed(void)
{
    static const struct {
        const uint8_t *start, *end;
        uint64_t sum;
    } cases[] = {
        {ahead, ahead_end, 5050},         {behind, behind_end, 5050 + 6},
        {apart, apart_end, 5050},         {alias, alias_end, 5050},
        {by_string, by_string_end, 5050},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_LONG, 0);
        rig_set_pte(r, 0x209000, 0x9007);
        rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
        rig_run(r);
        EXPECT_DONE(r);
        EXPECT(r->cpu->r[R_BX], cases[i].sum);
        rig_free(r);
    }
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, next);
    EXPECT(r->cpu->r[R_AX], 42);
    rig_free(r);
}

GUEST(eat_self, 64,
      "cld\nmov ecx, 64\nlea rdi, [rip + 1f]\nmov al, 0xF4\n"
      "1: rep stosb\nnop\nnop\nnop")
static void a_repeated_store_over_itself_stops_being_one(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    RIG_RUN(r, eat_self);
    EXPECT_DONE(r);
    EXPECT(r->cpu->rip, RIG_CODE + 16); /* the first byte is HLT now */
    CU_ASSERT(r->cpu->r[R_CX] < 64);
    EXPECT(r->cpu->r[R_DI] + r->cpu->r[R_CX], RIG_CODE + 15 + 64);
    rig_free(r);
}

/* Page tables change under code: the other page's code runs. */
GUEST(remap, 64,
      "mov ebx, 0x9000\ncall rbx\nmov ecx, eax\n"
      "mov dword ptr [0x23048], 0xA007\ninvlpg [rbx]\ncall rbx\nhlt")
static void code_follows_the_page_tables(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    rig_poke(r, 0x9000, 0xC301B0, 3);
    rig_poke(r, 0xA000, 0xC302B0, 3);
    RIG_RUN(r, remap);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_CX] & 0xFF, 1);
    EXPECT(r->cpu->r[R_AX] & 0xFF, 2);
    rig_free(r);
}

/* --- two pages
 * --------------------------------------------------------------------------------
 */

GUEST(long_move, 64, "mov eax, 0x11223344\nhlt")
static void an_instruction_across_pages_needs_both(void)
{
    struct rig *r = rig_new(RIG_LONG, 3);
    rig_load(r, 0x9FFD, long_move, long_move_end);
    rig_set_pte(r, 0xA000, 0);
    mmu_flush_all(r->cpu);
    r->cpu->rip = 0x9FFD;
    rig_run(r);
    EXPECT_FAULT(r, VEC_PF, PF_U | PF_I, 0x9FFD);
    EXPECT(r->cpu->cr2, 0xA000);
    rig_free(r);
    /* Present, it runs; and again with the second page remapped. */
    r = rig_new(RIG_LONG, 0);
    rig_load(r, 0x9FFD, long_move, long_move_end);
    r->cpu->rip = 0x9FFD;
    rig_run(r);
    EXPECT_DONE(r);
    EXPECT(r->cpu->r[R_AX], 0x11223344);
    rig_poke(r, 0xB000, 0xF45566, 3);
    rig_set_pte(r, 0xA000, 0xB007);
    mmu_invlpg(r->cpu, 0xA000);
    r->cpu->rip = 0x9FFD;
    rig_run(r);
    EXPECT(r->cpu->r[R_AX], 0x55663344);
    rig_free(r);
}

/* A short instruction at the end of a page does not touch the next one. */
GUEST(last_byte, 64, "jmp .-1\n")
static void the_next_page_is_not_needed_too_early(void)
{
    struct rig *r = rig_new(RIG_LONG, 3);
    rig_poke(r, 0x9FFE, 0x0B0F, 2); /* ud2 in the last two bytes */
    rig_set_pte(r, 0xA000, 0);
    mmu_flush_all(r->cpu);
    r->cpu->rip = 0x9FFE;
    rig_run(r);
    EXPECT_FAULT(r, VEC_UD, NO_ERROR, 0x9FFE);
    rig_free(r);
}

static void patching_the_second_page_of_an_instruction(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    rig_load(r, 0x9FFD, long_move, long_move_end);
    for (unsigned i = 0; i < 3; i++) {
        rig_poke(r, 0xA001, i, 1);
        r->cpu->rip = 0x9FFD;
        rig_run(r);
        EXPECT(r->cpu->r[R_AX], 0x00223344 | i << 24);
    }
    rig_free(r);
}

/* --- length, prefixes ----------------------------------------------------- */

static void an_instruction_has_at_most_15_bytes(void)
{
    for (unsigned prefixes = 13; prefixes < 16; prefixes++) {
        struct rig *r = rig_new(RIG_LONG, 0);
        memset(r->machine->ram + RIG_CODE, 0x2E, prefixes);
        rig_poke(r, RIG_CODE + prefixes, 0xF490, 2); /* nop; hlt */
        rig_run(r);
        if (prefixes <= 14)
            EXPECT_DONE(r);
        else
            EXPECT_FAULT(r, VEC_GP, 0, RIG_CODE);
        rig_free(r);
    }
}

static void lock_is_for_few(void)
{
    static const struct {
        const char *bytes;
        bool good;
    } cases[] = {
        {"\xF0\x01\x03", true},  /* add [rbx], eax */
        {"\xF0\x03\x03", false}, /* add eax, [rbx] */
        {"\xF0\x01\xC3", false}, /* add ebx, eax */
        {"\xF0\x90\xF4", false}, /* nop */
        {"\xF0\x89\x03", false}, /* mov [rbx], eax */
        {"\xF0\x87\x03", true},  /* xchg */
        {"\xF0\x39\x03", false}, /* cmp */
        {"\xF0\xFF\x03", true},  /* inc */
        {"\xF0\xF7\x13", true},  /* not */
        {"\xF0\xF7\x23", false}, /* mul */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_new(RIG_LONG, 0);
        memcpy(r->machine->ram + RIG_CODE, cases[i].bytes, 3);
        rig_poke(r, RIG_CODE + 3, 0xF4, 1);
        r->cpu->r[R_BX] = RIG_DATA;
        rig_run(r);
        if (cases[i].good)
            EXPECT_DONE(r);
        else
            EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE);
        rig_free(r);
    }
}

/* --- alignment
 * --------------------------------------------------------------------------------
 */

GUEST(misaligned, 32,
      "mov eax, [ebx]\nmov ax, [ebx + 1]\nmov al, [ebx]\n"
      "mov [ebx], eax\nud2")
static void alignment_is_checked_in_ring_3_when_asked(void)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3)
        for (unsigned ask = 0; ask < 4; ask++) {
            struct rig *r = rig_new(RIG_PAGED32, cpl);
            r->cpu->cr0 |= ask & 1 ? CR0_AM : 0u;
            cpu_set_eflags(r->cpu, 2 | (ask & 2 ? FLAG_AC : 0u));
            cpu_mode_changed(r->cpu);
            r->cpu->r[R_BX] = RIG_DATA + 3;
            RIG_RUN(r, misaligned);
            if (cpl == 3 && ask == 3)
                EXPECT_FAULT(r, VEC_AC, 0, RIG_CODE);
            else
                EXPECT(r->out.vector, VEC_UD);
            rig_free(r);
        }
}

/* --- A20
 * ------------------------------------------------------------------------------------------
 */

static void a20_decides_which_code_runs(void)
{
    struct rig *r = rig_new(RIG_REAL, 0);
    rig_poke(r, 0x000510, 0xF401B0, 3); /* mov al, 1; hlt */
    rig_poke(r, 0x100510, 0xF402B0, 3);
    for (unsigned turn = 0; turn < 6; turn++) {
        bool enabled = turn % 2;
        cpu_set_a20(r->cpu, enabled);
        r->cpu->seg[SEG_CS].selector = 0xFFFF;
        r->cpu->seg[SEG_CS].base = 0xFFFF0;
        cpu_mode_changed(r->cpu);
        r->cpu->rip = 0x520;
        rig_run(r);
        EXPECT(r->cpu->r[R_AX] & 0xFF, enabled ? 2 : 1);
    }
    rig_free(r);
}

/* --- repetition
 * ------------------------------------------------------------------------------------
 */

GUEST(rep_movs, 64, "rep movsd\nud2")
GUEST(rep_stos, 64, "rep stosd\nud2")
GUEST(rep_lods, 64, "rep lodsd\nud2")
GUEST(rep_scas, 64, "repne scasd\nud2")
GUEST(rep_cmps, 64, "repe cmpsd\nud2")
static void a_faulting_repetition_leaves_exact_registers(void)
{
    static const struct {
        const uint8_t *start, *end;
        bool source, dest;
    } cases[] = {
        {rep_movs, rep_movs_end, true, true},
        {rep_stos, rep_stos_end, false, true},
        {rep_lods, rep_lods_end, true, false},
        {rep_scas, rep_scas_end, false, true},
        {rep_cmps, rep_cmps_end, true, true},
    };
    for (unsigned i = 0; i < 5; i++)
        for (unsigned hole = 0; hole < 2; hole++) {
            if (!(hole ? cases[i].dest : cases[i].source))
                continue;
            struct rig *r = rig_new(RIG_LONG, 0);
            /* Source and destination cross a page at different times. */
            uint32_t si = RIG_DATA + 0x800, di = RIG_DATA + 0x4C00;
            uint32_t done = hole ? 0x400 / 4 : 0x800 / 4;
            rig_set_pte(r, hole ? RIG_DATA + 0x5000 : RIG_DATA + 0x1000, 0);
            mmu_flush_all(r->cpu);
            r->cpu->r[R_SI] = si;
            r->cpu->r[R_DI] = di;
            r->cpu->r[R_CX] = 0x1000;
            r->cpu->r[R_AX] = 1; /* not found by REPNE SCAS */
            rig_load(r, RIG_CODE, cases[i].start, cases[i].end);
            rig_run(r);
            EXPECT(r->out.vector, VEC_PF);
            EXPECT(r->out.ip, RIG_CODE);
            EXPECT(r->cpu->r[R_CX], 0x1000 - done);
            if (cases[i].source)
                EXPECT(r->cpu->r[R_SI], si + done * 4);
            if (cases[i].dest)
                EXPECT(r->cpu->r[R_DI], di + done * 4);
            rig_free(r);
        }
}

static void a_count_of_0_touches_nothing(void)
{
    static const uint8_t *const code[][2] = {
        {rep_movs, rep_movs_end}, {rep_stos, rep_stos_end},
        {rep_lods, rep_lods_end}, {rep_scas, rep_scas_end},
        {rep_cmps, rep_cmps_end}};
    for (unsigned i = 0; i < 5; i++) {
        struct rig *r = rig_new(RIG_LONG, 0);
        r->cpu->r[R_SI] = r->cpu->r[R_DI] = 0x8000000000000000; /* bad */
        cpu_set_eflags(r->cpu, FLAG_ZF | FLAG_CF | 2);
        rig_load(r, RIG_CODE, code[i][0], code[i][1]);
        rig_run(r);
        EXPECT_FAULT(r, VEC_UD, NO_ERROR, RIG_CODE + 2);
        EXPECT(r->out.flags & (FLAG_ZF | FLAG_CF), FLAG_ZF | FLAG_CF);
        EXPECT(r->cpu->r[R_SI], 0x8000000000000000);
        rig_free(r);
    }
}

GUEST(rep_down, 32, "std\nrep movsw\nud2")
static void repetition_downwards_and_with_16_bit_addresses(void)
{
    struct rig *r = rig_new(RIG_PROT32, 0);
    for (unsigned i = 0; i < 16; i++)
        rig_poke(r, RIG_DATA + i, i, 1);
    r->cpu->r[R_SI] = RIG_DATA + 6;
    r->cpu->r[R_DI] = RIG_DATA + 8; /* overlapping, downwards */
    r->cpu->r[R_CX] = 4;
    RIG_RUN(r, rep_down);
    EXPECT(rig_peek(r, RIG_DATA + 2, 8), 0x0706050403020100);
    EXPECT(r->cpu->r[R_SI], RIG_DATA - 2);
    rig_free(r);
}

static const struct test tests[] = {
    {"changed_code_runs_as_changed", changed_code_runs_as_changed},
    {"a_repeated_store_over_itself_stops_being_one",
     a_repeated_store_over_itself_stops_being_one},
    {"code_follows_the_page_tables", code_follows_the_page_tables},
    {"an_instruction_across_pages_needs_both",
     an_instruction_across_pages_needs_both},
    {"the_next_page_is_not_needed_too_early",
     the_next_page_is_not_needed_too_early},
    {"patching_the_second_page_of_an_instruction",
     patching_the_second_page_of_an_instruction},
    {"an_instruction_has_at_most_15_bytes",
     an_instruction_has_at_most_15_bytes},
    {"lock_is_for_few", lock_is_for_few},
    {"alignment_is_checked_in_ring_3_when_asked",
     alignment_is_checked_in_ring_3_when_asked},
    {"a20_decides_which_code_runs", a20_decides_which_code_runs},
    {"a_faulting_repetition_leaves_exact_registers",
     a_faulting_repetition_leaves_exact_registers},
    {"a_count_of_0_touches_nothing", a_count_of_0_touches_nothing},
    {"repetition_downwards_and_with_16_bit_addresses",
     repetition_downwards_and_with_16_bit_addresses},
    {NULL, NULL},
};

TEST_MAIN("fetch", tests)
