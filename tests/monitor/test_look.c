/* What the monitor's looking commands print, on a machine of RAM only. */
#include "monitor/look.h"

#include "emu/x86/mmu.h"
#include "tests/support/rig.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RECORD ((1u << EVENT_EXCEPTION) | (1u << EVENT_STOP))

/* --- output as a string --------------------------------------------------- */

struct capture {
    char *text;
    size_t size;
    FILE *file;
};

static FILE *begin(struct capture *t)
{
    *t = (struct capture){0};
    t->file = open_memstream(&t->text, &t->size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t->file);
    return t->file;
}

static void end(struct capture *t)
{
    fclose(t->file);
    free(t->text);
}

static void expect_text(struct capture *t, const char *want)
{
    fflush(t->file);
    if (strcmp(t->text, want))
        printf("\ngot:\n%swant:\n%s", t->text, want);
    CU_ASSERT_STRING_EQUAL(t->text, want);
    end(t);
}

static void has(struct capture *t, const char *want)
{
    fflush(t->file);
    if (!strstr(t->text, want))
        printf("\nno \"%s\" in:\n%s", want, t->text);
    CU_ASSERT_PTR_NOT_NULL(strstr(t->text, want));
}

static unsigned lines(struct capture *t)
{
    unsigned n = 0;

    fflush(t->file);
    for (const char *p = t->text; (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

/* --- x -------------------------------------------------------------------- */

/* What QEMU 7.2 prints for the same bytes. */
static const uint8_t reset_code[] = {
    0xEA, 0x5B, 0xE0, 0x00, 0xF0, 0x30, 0x36, 0x2F,
    0x32, 0x33, 0x2F, 0x39, 0x39, 0x00, 0xFC, 0x00,
};

static void examine(enum rig_mode mode, const char *format, const char *want)
{
    struct rig *r = rig_new(mode, 0);
    struct look_format f;
    struct capture t;

    memcpy(r->machine->ram + 0x10000, reset_code, sizeof(reset_code));
    begin(&t);
    CU_ASSERT_TRUE_FATAL(look_parse_format(format, &f, t.file));
    CU_ASSERT_EQUAL(
        look_examine(r->cpu, t.file, NULL, &f, LOOK_LINEAR, 0x10000, NULL), 0);
    expect_text(&t, want);
    rig_free(r);
}

static void x_prints_as_qemu_does(void)
{
    examine(RIG_LONG, "9xb",
            "0000000000010000: 0xea 0x5b 0xe0 0x00 0xf0 0x30 0x36 0x2f\n"
            "0000000000010008: 0x32\n");
    examine(RIG_PAGED32, "3gx",
            "0000000000010000: 0x2f3630f000e05bea 0x00fc0039392f3332\n"
            "0000000000010010: 0x0000000000000000\n");
    examine(RIG_REAL, "3dh", "0000000000010000: 23530   224 12528\n");
    examine(RIG_PAE, "2dg",
            "0000000000010000:  3401960375889976298    70931939903615794\n");
    examine(RIG_PROT32, "2ow", "0000000000010000: 000070055752 005715430360\n");
    examine(RIG_PROT32, "1uw", "0000000000010000:   14703594\n");
    examine(RIG_PROT32, "9cb",
            "0000000000010000: '\\xea' '[' '\\xe0' '\\x00' '\\xf0' '0' '6' "
            "'/'\n0000000000010008: '2'\n");
    examine(RIG_PROT32, "", "0000000000010000: 0x00e05bea\n");
}

static void x_prints_strings(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct look_format f = {.count = 2, .format = 's', .size = 1};
    struct capture t;

    memcpy(r->machine->ram + 0x10000, "Hi \"x\"\n\0there", 14);
    begin(&t);
    look_examine(r->cpu, t.file, NULL, &f, LOOK_LINEAR, 0x10000, NULL);
    expect_text(&t, "0000000000010000: \"Hi \\\"x\\\"\\n\"\n"
                    "0000000000010008: \"there\"\n");
    rig_free(r);
}

static void x_says_where_memory_ends(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct look_format f;
    struct capture t;

    begin(&t);
    look_parse_format("2gx", &f, t.file);
    CU_ASSERT_EQUAL(
        look_examine(r->cpu, t.file, NULL, &f, LOOK_LINEAR, 0x3FFFF8, NULL),
        -1);
    expect_text(&t, "00000000003ffff8: 0x0000000000000000 "
                    "Cannot access memory\n");
    begin(&t);
    CU_ASSERT_FALSE(look_parse_format("8xq", &f, t.file));
    CU_ASSERT_FALSE(look_parse_format("99999999xb", &f, t.file));
    expect_text(&t, "invalid char in format: 'q'\ncount: at most 65536\n");
    rig_free(r);
}

GUEST(some_code, 64, "mov eax, 5\n xor rdi, rdi\n hlt")

static void disassembly_has_an_arrow_at_rip(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;
    uint64_t next;

    RIG_LOAD(r, some_code);
    r->cpu->rip = RIG_CODE + 5;
    begin(&t);
    look_disassemble(r->cpu, t.file, NULL, LOOK_LINEAR, RIG_CODE, 3, &next);
    expect_text(&t, "   0x0000000000008000:  b8 05 00 00 00           mov eax, "
                    "0x05\n"
                    "=> 0x0000000000008005:  48 31 ff                 xor rdi, "
                    "rdi\n"
                    "   0x0000000000008008:  f4                       hlt\n");
    EXPECT(next, RIG_CODE + 9);
    rig_free(r);
}

/* --- writing, searching, files -------------------------------------------- */

static void write_reaches_memory_and_the_engine(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    uint8_t inc[] = {0x48, 0xFF, 0xC0, 0xF4}; /* inc rax; hlt */

    RIG_RUN(r, some_code);
    EXPECT(r->cpu->r[R_AX], 5);
    EXPECT(look_write(r->cpu, LOOK_LINEAR, RIG_CODE, inc, 4), 4);
    r->cpu->rip = RIG_CODE;
    rig_run(r);
    EXPECT(r->cpu->r[R_AX], 6);
    EXPECT(look_write(r->cpu, LOOK_LINEAR, 0x3FFFFE, inc, 4), 2);
    EXPECT(look_write(r->cpu, LOOK_PHYSICAL, RIG_RAM, inc, 4), 0);
    rig_free(r);
}

static void search_finds_bytes_across_pages(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    memcpy(r->machine->ram + 0x10FFE, "abcd", 4);
    begin(&t);
    look_search(r->cpu, t.file, LOOK_LINEAR, 0x10000, 0x2000, "\"abcd\"");
    look_search(r->cpu, t.file, LOOK_LINEAR, 0x10000, 0x2000, "61 6263");
    CU_ASSERT_EQUAL(
        look_search(r->cpu, t.file, LOOK_LINEAR, 0x10000, 0x2000, "6g"), -1);
    expect_text(&t, "0000000000010ffe\n1 match\n0000000000010ffe\n1 match\n"
                    "pattern: bytes like 55 aa, or text in \"quotes\"\n");
    begin(&t);
    look_search(r->cpu, t.file, LOOK_LINEAR, 0x40000, 0x10000, "00");
    has(&t, "... stopped after 100 matches\n");
    end(&t);
    rig_free(r);
}

static void saved_memory_loads_back(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    char path[] = "/tmp/look-test-XXXXXX";
    struct capture t;

    FILE *file = fdopen(mkstemp(path), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fclose(file);
    memcpy(r->machine->ram + 0x10000, reset_code, sizeof(reset_code));
    begin(&t);
    CU_ASSERT_EQUAL(look_save(r->cpu, t.file, LOOK_LINEAR, 0x10000, 5000, path),
                    0);
    CU_ASSERT_EQUAL(look_load(r->cpu, t.file, LOOK_PHYSICAL, 0x90001, path), 0);
    has(&t, "5000 bytes loaded at 0000000000090001\n");
    EXPECT(memcmp(r->machine->ram + 0x90001, reset_code, 16), 0);
    CU_ASSERT_EQUAL(look_save(r->cpu, t.file, LOOK_LINEAR, 0x3FFFF0, 32, path),
                    -1);
    CU_ASSERT_EQUAL(look_load(r->cpu, t.file, LOOK_LINEAR, 0, "/nowhere/x"),
                    -1);
    end(&t);
    remove(path);
    rig_free(r);
}

/* --- registers and tables ------------------------------------------------- */

static void registers_are_decoded(void)
{
    struct rig *r = rig_new(RIG_LONG, 3);
    struct capture t;

    begin(&t);
    look_registers(r->cpu, t.file);
    has(&t, "RAX=");
    has(&t, "EFLAGS: ");
    has(&t, " IOPL=");
    has(&t, "CR0: PE ");
    has(&t, "CR3: tables at 0000020000\n");
    has(&t, "EFER: ");
    has(&t, "Mode: 64-bit mode, CPL 3\n");
    end(&t);
    begin(&t);
    look_control(r->cpu, t.file);
    has(&t, "  31 PG         1  paging\n");
    has(&t, "   5 PAE        1  64-bit page entries\n");
    has(&t, "  10 LMA        1  long mode active\n");
    end(&t);
    begin(&t);
    look_segments(r->cpu, t.file);
    has(&t, "CS   0033  base 0000000000000000");
    has(&t, "code64 readable DPL 3 RPL 3");
    has(&t, "64-bit mode: bases");
    end(&t);
    rig_free(r);
}

static void fpu_shows_values_and_empty_registers(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    r->cpu->fpu.fsw = 7 << 11;
    r->cpu->fpu.tags = 0x80;
    r->cpu->fpu.reg[7].mantissa = UINT64_C(0xC000000000000000);
    r->cpu->fpu.reg[7].exponent = 0xC000;
    r->cpu->xmm[3].f64[0] = 2.5;
    begin(&t);
    look_fpu(r->cpu, t.file);
    look_sse(r->cpu, t.file);
    has(&t, "ST0 R7 c000 c000000000000000 -3\n");
    has(&t, "ST1 R0");
    has(&t, " empty\n");
    has(&t, "XMM03=0000000000000000 4004000000000000");
    has(&t, "pd 0 2.5\n");
    end(&t);
    begin(&t);
    look_msrs(r->cpu, t.file);
    look_debug_registers(r->cpu, t.file);
    has(&t, "c0000080 IA32_EFER");
    /* This machine has no local APIC. */
    has(&t, "IA32_APIC_BASE           not there: RDMSR raises #GP\n");
    has(&t, "DR3=0000000000000000 off\n");
    end(&t);
    rig_free(r);
}

static void tables_are_decoded(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    begin(&t);
    look_gdt(r->cpu, t.file);
    has(&t, "0008 code32 readable");
    has(&t, "0028 code64 readable");
    has(&t, "0048 TSS64-busy base 0000000000003000 limit 00000067 DPL 0\n");
    end(&t);
    begin(&t);
    look_idt(r->cpu, t.file, NULL);
    has(&t, "0e IntGate64  0028:00000000000040e0 DPL 0 #PF page fault\n");
    CU_ASSERT_EQUAL(lines(&t), 258);
    end(&t);
    begin(&t);
    look_tss(r->cpu, t.file);
    has(&t, "RSP0 0000000000006000\n");
    has(&t, "IST1 0000000000007800\n");
    has(&t, "I/O map at ffff: beyond the limit");
    end(&t);
    begin(&t);
    look_ldt(r->cpu, t.file);
    CU_ASSERT_TRUE(lines(&t) >= 1);
    end(&t);
    rig_free(r);
    r = rig_new(RIG_REAL, 0);
    begin(&t);
    look_idt(r->cpu, t.file, NULL);
    has(&t, "IVT at 00000000, limit ");
    has(&t, "06 0000:4060 (004060) #UD invalid opcode\n");
    end(&t);
    begin(&t);
    look_ivt(r->cpu, t.file);
    CU_ASSERT_EQUAL(lines(&t), 257);
    end(&t);
    rig_free(r);
}

/* --- paging --------------------------------------------------------------- */

static void walk_names_every_level(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    rig_set_pte(r, 0x10000, 0x10000 | 5); /* user, read-only */
    begin(&t);
    CU_ASSERT_EQUAL(look_walk(r->cpu, t.file, 0x10123), 0);
    has(&t, "0000000000010123: 4-level paging, CR3=0000020000\n");
    has(&t, "PML4E [  0] at 0000020000: 0000000000021007 P RW US");
    has(&t, "PTE   [ 16] at 0000023080: 0000000000010005 P US\n");
    has(&t, "physical 0000010123, page of 4 KiB\n");
    has(&t, "user        read: yes  write: no (RW is 0 in some level; #PF "
            "error 7)  fetch: yes\n");
    end(&t);
    rig_set_pte(r, 0x10000, 0);
    begin(&t);
    CU_ASSERT_EQUAL(look_walk(r->cpu, t.file, 0x10123), -1);
    has(&t, "fails: P is 0 in the PTE: not present");
    end(&t);
    rig_set_pte(r, 0x10000, UINT64_C(1) << 45 | 7);
    begin(&t);
    CU_ASSERT_EQUAL(look_walk(r->cpu, t.file, 0x10123), -1);
    has(&t, "fails: reserved bits 200000000000 are set in the PTE");
    end(&t);
    begin(&t);
    CU_ASSERT_EQUAL(look_walk(r->cpu, t.file, UINT64_C(0x800000000000)), -1);
    has(&t, "fails: not canonical");
    end(&t);
    rig_free(r);
}

/* Random entries in every table: the monitor's walk and the CPU's agree. */
static void walks_agree_with_the_cpu(void)
{
    static const enum rig_mode modes[] = {RIG_LONG, RIG_PAE, RIG_PAGED32};
    uint64_t x = 88172645463325252u;

    for (unsigned m = 0; m < 3; m++) {
        struct rig *r = rig_new(modes[m], 0);
        unsigned differ = 0, found = 0;

        for (unsigned i = 0; i < 20000; i++) {
            struct look_path path;
            struct walk w;

            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            uint32_t linear = (uint32_t)(x >> 20) & 0x3FFFFF;
            uint64_t entry = (x & 0x1FF0FF) | (i % 7 != 0);
            if (i % 4 == 0)
                entry |= UINT64_C(1) << (x >> 58);
            /* A table's entry now and then, always back afterwards. */
            uint32_t at = modes[m] == RIG_PAGED32 ? RIG_PD32 : RIG_PD64;
            uint64_t old = rig_peek(r, at, 8);
            if (i % 3 == 0)
                rig_poke(r, at, (old & ~UINT64_C(0xFFF)) | (entry & 0xFFF), 4);
            rig_set_pte(r, linear, entry);
            bool a = look_path(r->cpu, linear, &path);
            bool b = mmu_walk(r->cpu, linear, ACCESS_READ, false, false, &w);
            differ +=
                a != b ||
                (a && (path.gpa != w.gpa || path.page_size != w.page_size));
            differ +=
                !a && (path.end == LOOK_RESERVED) != ((w.error & PF_RSVD) != 0);
            found += a;
            rig_poke(r, at, old, 8);
        }
        EXPECT(differ, 0);
        CU_ASSERT_TRUE(found > 100 && found < 20000);
        rig_free(r);
    }
}

static void info_mem_joins_ranges(void)
{
    struct rig *r = rig_new(RIG_PAGED32, 0);
    struct capture t;

    rig_set_pte(r, 0x10000, 0x10001);
    rig_set_pte(r, 0x11000, 0);
    begin(&t);
    look_mem(r->cpu, t.file);
    expect_text(&t, "0000000000000000-0000000000010000 0000000000010000 urw\n"
                    "0000000000010000-0000000000011000 0000000000001000 -r-\n"
                    "0000000000012000-0000000000400000 00000000003ee000 "
                    "urw\n");
    begin(&t);
    look_tlb(r->cpu, t.file, 0x3FE000);
    expect_text(&t, "00000000003fe000: 00000000003fe000 -------UW\n"
                    "00000000003ff000: 00000000003ff000 -------UW\n");
    rig_free(r);
    r = rig_new(RIG_PROT32, 0);
    begin(&t);
    look_mem(r->cpu, t.file);
    look_tlb(r->cpu, t.file, 0);
    expect_text(&t, "PG disabled\nPG disabled\n");
    rig_free(r);
}

static void tables_that_contain_themselves_end(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    /* Every entry of the PML4 leads to the PML4: 2^36 pages. */
    for (uint32_t i = 0; i < 512; i++)
        rig_poke(r, RIG_PML4 + i * 8, RIG_PML4 | 7, 8);
    begin(&t);
    look_mem(r->cpu, t.file);
    has(&t, "... stopped after 16777216 entries\n");
    look_tlb(r->cpu, t.file, 0);
    has(&t, "... cut after 2000 lines\n");
    end(&t);
    /* Tables outside RAM. */
    for (uint32_t i = 0; i < 512; i++)
        rig_poke(r, RIG_PML4 + i * 8, 0xFEE00007, 8);
    begin(&t);
    look_mem(r->cpu, t.file);
    has(&t, "512 page tables are not in RAM: left out\n");
    CU_ASSERT_EQUAL(look_walk(r->cpu, t.file, 0), -1);
    has(&t, "not followed: the PDPTE is neither in RAM nor in ROM\n");
    end(&t);
    rig_free(r);
}

/* --- the stack ------------------------------------------------------------ */

static void backtrace_follows_frames_and_stops(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    rig_poke(r, 0x10000, 0x10020, 8);
    rig_poke(r, 0x10008, 0x1111, 8);
    rig_poke(r, 0x10020, 0, 8);
    rig_poke(r, 0x10028, 0x2222, 8);
    r->cpu->rip = RIG_CODE;
    r->cpu->r[R_BP] = 0x10000;
    begin(&t);
    look_backtrace(r->cpu, t.file, NULL, 10);
    expect_text(&t, "#0  0000000000008000 frame 0000000000010000\n"
                    "#1  0000000000001111 frame 0000000000010020\n"
                    "#2  0000000000002222 frame 0000000000000000\n"
                    "end: rBP is 0\n");
    rig_poke(r, 0x10020, 0x10000, 8); /* a ring */
    begin(&t);
    look_backtrace(r->cpu, t.file, NULL, UINT64_MAX);
    has(&t, "end: the chain does not go up\n");
    end(&t);
    r->cpu->r[R_SP] = 0x3FFFF8;
    begin(&t);
    look_stack(r->cpu, t.file, NULL, UINT64_MAX);
    expect_text(&t, "00000000003ffff8: 0x0000000000000000\n"
                    "0000000000400000: Cannot access memory\n");
    rig_free(r);
}

/* --- why
 * ----------------------------------------------------------------------------
 */

GUEST(write_byte, 64, "mov byte ptr [0x10123], 1\n hlt")
GUEST(load_bad, 64, "mov ax, 0x1230\n mov ds, ax\n hlt")
GUEST(read_msr, 64, "mov ecx, 0x12345\n rdmsr\n hlt")
GUEST(halt, 64, "hlt")
GUEST(not_canonical, 64,
      "mov rax, 0x1234567812345678\n mov rbx, [rax + 8]\n hlt")
GUEST(undefined, 64, "ud2\n hlt")

/* Runs the code, goes back to the handler's HLT, asks why. */
static void ask(struct rig *r, const uint8_t *code, const uint8_t *code_end,
                struct capture *t)
{
    ledger_record(&r->machine->ledger, RECORD);
    rig_load(r, RIG_CODE, code, code_end);
    rig_run(r);
    if (r->out.vector >= 0)
        r->cpu->rip = rig_handler((unsigned)r->out.vector);
    begin(t);
    CU_ASSERT_EQUAL(look_why(r->cpu, t->file, NULL), 0);
}
#define ASK(RIG, NAME, T) ask(RIG, NAME, NAME##_end, T)

static void why_explains_a_page_fault(void)
{
    struct rig *r = rig_new(RIG_LONG, 3);
    struct capture t;

    rig_set_pte(r, 0x10000, 0x10005);
    ASK(r, write_byte, &t);
    has(&t, " #PF page fault, error code 0007\n");
    has(&t, "mov byte ptr [0x0000000000010123], 0x01\n");
    has(&t, "CPL was 3\n");
    has(&t, "write of 0000000000010123 with user rights: the page is there, "
            "but does not allow it\n");
    has(&t, "SDM 3A 4.7");
    has(&t, "write: no (RW is 0 in some level; #PF error 7)");
    end(&t);
    rig_set_pte(r, 0x10000, 0x10007);
    begin(&t);
    look_why(r->cpu, t.file, NULL);
    has(&t, "The tables allow it now");
    end(&t);
    rig_free(r);
}

static void why_explains_general_protection(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    ASK(r, load_bad, &t);
    has(&t, " #GP general protection, error code 1230\n");
    has(&t, "error code 1230: GDT (SDM 3A 6.13)\n");
    has(&t, "selector 1230: GDT entry 582, RPL 0: beyond the table's limit");
    end(&t);
    rig_free(r);
    r = rig_new(RIG_LONG, 0);
    ASK(r, read_msr, &t);
    has(&t, "rule: MSR 00012345 does not exist");
    end(&t);
    rig_free(r);
    r = rig_new(RIG_LONG, 3);
    ASK(r, halt, &t);
    has(&t, "rule: hlt needs CPL 0; CPL is 3 (SDM 3A 5.9)\n");
    end(&t);
    rig_free(r);
    r = rig_new(RIG_LONG, 0);
    ASK(r, not_canonical, &t);
    has(&t, "rule: the operand's address 1234567812345680 is not canonical");
    end(&t);
    rig_free(r);
}

static void why_does_an_autopsy_of_a_triple_fault(void)
{
    struct rig *r = rig_new(RIG_LONG, 0);
    struct capture t;

    /* The gates of #UD, #GP and #DF are not there. */
    rig_poke(r, RIG_IDT + 6 * 16, 0, 8);
    rig_poke(r, RIG_IDT + 13 * 16, 0, 8);
    rig_poke(r, RIG_IDT + 8 * 16, 0, 8);
    r->machine->no_reboot = true;
    ASK(r, undefined, &t);
    EXPECT(r->out.stop, STOP_SHUTDOWN);
    r->machine->last_stop = STOP_SHUTDOWN;
    end(&t);
    begin(&t);
    look_why(r->cpu, t.file, NULL);
    has(&t, "Triple fault: ");
    has(&t, " #UD invalid opcode\n");
    has(&t, "the IDT entry of vector 6 (#UD invalid opcode): ");
    has(&t, "not an interrupt, trap or task gate: #GP (SDM 3A 6.11)\n");
    has(&t, "the IDT entry of vector 8 (#DF double fault): ");
    end(&t);
    rig_free(r);
}

static void why_never_guesses(void)
{
    struct rig *r = rig_new(RIG_LONG, 3);
    struct capture t;

    begin(&t);
    CU_ASSERT_EQUAL(look_why(r->cpu, t.file, NULL), -1);
    expect_text(&t, "no exception so far\n");
    RIG_RUN(r, undefined);
    begin(&t);
    CU_ASSERT_EQUAL(look_why(r->cpu, t.file, NULL), -1);
    expect_text(&t, "1 exceptions, but none is in the ledger's ring: it "
                    "records no exceptions\n");
    rig_free(r);
    r = rig_new(RIG_LONG, 3);
    ASK(r, halt, &t);
    end(&t);
    r->cpu->rip = RIG_DATA; /* far from it */
    begin(&t);
    look_why(r->cpu, t.file, NULL);
    has(&t, "not observable now");
    end(&t);
    rig_free(r);
}

/* --- mad guests ----------------------------------------------------------- */

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* Random registers, tables and pages: everything ends, and soon. */
static void nothing_hangs_on_garbage(void)
{
    static const enum rig_mode modes[] = {RIG_REAL, RIG_PROT32, RIG_PAGED32,
                                          RIG_PAE, RIG_LONG, RIG_COMPAT};
    uint64_t x = 1234567891234567u;

    for (unsigned n = 0; n < 60; n++) {
        struct rig *r = rig_new(modes[n % 6], 0);
        struct cpu *c = r->cpu;
        struct look_format f = {.count = 20, .format = 'i', .size = 1};
        struct capture t;

        for (unsigned i = 0; i < 0x27000; i += 8)
            if (next_random(&x) % 3 == 0 &&
                (i < RIG_PML4 || next_random(&x) % 16 == 0))
                rig_poke(r, i, next_random(&x), 8);
        for (unsigned i = 0; i < 16; i++)
            c->r[i] = next_random(&x) % 4
                          ? next_random(&x) >> (next_random(&x) & 63)
                          : UINT64_MAX;
        c->gdtr.base =
            next_random(&x) % 2 ? next_random(&x) : next_random(&x) & 0xFFFFF;
        c->idtr.base =
            next_random(&x) % 2 ? next_random(&x) : next_random(&x) & 0xFFFFF;
        c->gdtr.limit = c->idtr.limit = (uint16_t)next_random(&x);
        c->tr.base = next_random(&x) & 0xFFFFF;
        c->ldtr.base = next_random(&x) & 0xFFFFF;
        c->tr.access = (uint16_t)next_random(&x);
        c->ldtr.limit = 0xFFFFFFFF;
        c->ldtr.selector = 8;
        c->seg[SEG_SS].base = next_random(&x);
        c->rip = next_random(&x) & 0xFFFFF;
        begin(&t);
        look_registers(c, t.file);
        look_control(c, t.file);
        look_segments(c, t.file);
        look_fpu(c, t.file);
        look_sse(c, t.file);
        look_gdt(c, t.file);
        look_ldt(c, t.file);
        look_idt(c, t.file, NULL);
        look_ivt(c, t.file);
        look_tss(c, t.file);
        look_mem(c, t.file);
        look_tlb(c, t.file, 0);
        look_stack(c, t.file, NULL, 64);
        look_backtrace(c, t.file, NULL, 64);
        look_walk(c, t.file, next_random(&x));
        look_examine(c, t.file, NULL, &f, LOOK_LINEAR,
                     next_random(&x) & 0xFFFFF, NULL);
        for (unsigned v = 0; v < 32; v++) {
            struct event e = {.kind = EVENT_EXCEPTION, .reason = (uint16_t)v,
                              .value = next_random(&x) & 0xFFFF, .addr = next_random(&x),
                              .rip = v % 2 ? c->rip : next_random(&x)};
            r->machine->ledger.recorded = r->machine->ledger.wanted = RECORD;
            ledger_publish(&r->machine->ledger, &e);
            r->machine->last_stop = v % 8 ? STOP_DEBUG : STOP_SHUTDOWN;
            look_why(c, t.file, NULL);
        }
        fflush(t.file);
        CU_ASSERT_TRUE(t.size < 4000000);
        end(&t);
        rig_free(r);
    }
}

static const struct test tests[] = {
    {"x_prints_as_qemu_does", x_prints_as_qemu_does},
    {"x_prints_strings", x_prints_strings},
    {"x_says_where_memory_ends", x_says_where_memory_ends},
    {"disassembly_has_an_arrow_at_rip", disassembly_has_an_arrow_at_rip},
    {"write_reaches_memory_and_the_engine",
     write_reaches_memory_and_the_engine},
    {"search_finds_bytes_across_pages", search_finds_bytes_across_pages},
    {"saved_memory_loads_back", saved_memory_loads_back},
    {"registers_are_decoded", registers_are_decoded},
    {"fpu_shows_values_and_empty_registers",
     fpu_shows_values_and_empty_registers},
    {"tables_are_decoded", tables_are_decoded},
    {"walk_names_every_level", walk_names_every_level},
    {"walks_agree_with_the_cpu", walks_agree_with_the_cpu},
    {"info_mem_joins_ranges", info_mem_joins_ranges},
    {"tables_that_contain_themselves_end", tables_that_contain_themselves_end},
    {"backtrace_follows_frames_and_stops", backtrace_follows_frames_and_stops},
    {"why_explains_a_page_fault", why_explains_a_page_fault},
    {"why_explains_general_protection", why_explains_general_protection},
    {"why_does_an_autopsy_of_a_triple_fault",
     why_does_an_autopsy_of_a_triple_fault},
    {"why_never_guesses", why_never_guesses},
    {"nothing_hangs_on_garbage", nothing_hangs_on_garbage},
    {NULL, NULL},
};
TEST_MAIN("monitor.look", tests)
