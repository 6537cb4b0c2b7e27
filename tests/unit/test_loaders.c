/* What kernels and BIOS images are, where they go, and what is said when they
 * are broken. */
#include "emu/boot/bios.h"
#include "emu/boot/kernel.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

/* A bzImage of protocol 2.10 with 4 + 1 sectors of setup. */
#define LINUX_SETUP 2560u
static uint8_t *make_linux(size_t kernel_bytes, size_t *size)
{
    *size = LINUX_SETUP + kernel_bytes;
    uint8_t *p = calloc(1, *size);
    p[0x1F1] = 4;
    put_le32(p + 0x1F4, (uint32_t)((kernel_bytes + 15) / 16));
    put_le16(p + 0x1FE, 0xAA55);
    memcpy(p + 0x202, "HdrS", 4);
    put_le16(p + 0x206, 0x020A);
    p[0x211] = 1;
    put_le32(p + 0x22C, 0x7FFFFFFF);
    put_le32(p + 0x238, 2047);
    put_le32(p + 0x258, 0x1000000);
    put_le32(p + 0x260, 0x800000);
    for (size_t i = LINUX_SETUP; i < *size; i++)
        p[i] = (uint8_t)(i * 7);
    return p;
}

/* A 32-bit or 64-bit ELF with a multiboot header and one segment of 0x100
 * bytes at file offset 0x200, going to 1 MiB, with 0x1000 bytes in memory. */
#define ELF_BYTES 0x300u
static void make_elf(uint8_t *p, bool wide)
{
    memset(p, 0, ELF_BYTES);
    memcpy(p, "\177ELF", 4);
    p[4] = wide ? 2 : 1;
    p[5] = 1;
    put_le16(p + 18, wide ? 62 : 3);
    uint8_t *ph = p + 64;
    if (wide) {
        put_le32(p + 24, 0x100010);
        put_le32(p + 32, 64);
        put_le16(p + 54, 56);
        put_le16(p + 56, 1);
        put_le32(ph, 1);
        put_le32(ph + 8, 0x200);
        put_le32(ph + 16, 0x100000);
        put_le32(ph + 24, 0x100000);
        put_le32(ph + 32, 0x100);
        put_le32(ph + 40, 0x1000);
    } else {
        put_le32(p + 24, 0x100010);
        put_le32(p + 28, 64);
        put_le16(p + 42, 32);
        put_le16(p + 44, 1);
        put_le32(ph, 1);
        put_le32(ph + 4, 0x200);
        put_le32(ph + 8, 0x100000);
        put_le32(ph + 12, 0x100000);
        put_le32(ph + 16, 0x100);
        put_le32(ph + 20, 0x1000);
    }
    uint32_t flags = 3;
    put_le32(p + 0x200, 0x1BADB002);
    put_le32(p + 0x204, flags);
    put_le32(p + 0x208, -(0x1BADB002 + flags));
}

static void says(const struct boot_error *error, const char *words)
{
    if (!strstr(error->text, words))
        printf("\n  lacks \"%s\": %s\n", words, error->text);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->text, words));
    CU_ASSERT_PTR_NULL(strchr(error->text, '\n'));
}

/* Parses a copy of exactly `size` bytes, so that the sanitizer sees one byte
 * too many. */
static int parse_multiboot(const uint8_t *bytes, size_t size,
                           struct multiboot_image *image,
                           struct boot_error *error)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    int result = multiboot_parse(copy, size, image, error);
    free(copy);
    return result;
}

static int parse_linux(const uint8_t *bytes, size_t size,
                       struct linux_image *image, struct boot_error *error)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    int result = linux_parse(copy, size, image, error);
    free(copy);
    return result;
}

static void test_linux_layout(void)
{
    struct linux_image image;
    struct boot_error error;
    size_t size;
    uint8_t *p = make_linux(100000, &size);
    CU_ASSERT_EQUAL(parse_linux(p, size, &image, &error), 1);
    CU_ASSERT_EQUAL(image.setup_bytes, LINUX_SETUP);
    CU_ASSERT_EQUAL(image.kernel_bytes, 100000);
    CU_ASSERT_EQUAL(image.load_gpa, 0x100000);
    CU_ASSERT_EQUAL(image.work_end_gpa, 0x1800000);
    CU_ASSERT_EQUAL(image.cmdline_max, 2047);
    p[0x1F1] = 0; /* means 4 */
    CU_ASSERT_EQUAL(parse_linux(p, size, &image, &error), 1);
    CU_ASSERT_EQUAL(image.setup_bytes, LINUX_SETUP);
    free(p);
}

static void test_linux_broken(void)
{
    struct linux_image image;
    struct boot_error error;
    size_t size;
    uint8_t *p = make_linux(100000, &size);
    CU_ASSERT_EQUAL(parse_linux(p, size - 5000, &image, &error), -1);
    says(&error, "cut short");
    CU_ASSERT_EQUAL(parse_linux(p, 2000, &image, &error), -1);
    says(&error, "cut short");
    CU_ASSERT_EQUAL(parse_linux(p, 0x210, &image, &error), -1);
    says(&error, "cut short");
    CU_ASSERT_EQUAL(parse_linux(p, 0x100, &image, &error), 0);
    CU_ASSERT_EQUAL(parse_linux(p, 0, &image, &error), 0);
    p[0x1F1] = 200;
    CU_ASSERT_EQUAL(parse_linux(p, size, &image, &error), -1);
    says(&error, "200 sectors");
    p[0x1F1] = 4;
    put_le16(p + 0x206, 0x0201);
    CU_ASSERT_EQUAL(parse_linux(p, size, &image, &error), -1);
    says(&error, "2.01");
    put_le16(p + 0x206, 0x020A);
    p[0x211] = 0;
    CU_ASSERT_EQUAL(parse_linux(p, size, &image, &error), -1);
    says(&error, "zImage");
    free(p);
}

/* Where a key goes, from the ROM's steps; 0 when it does not. */
static const struct boot_step *step_of(const struct boot_plan *plan,
                                       unsigned key)
{
    for (unsigned i = 0; i < plan->steps; i++)
        if (plan->step[i].control >> 16 == key)
            return &plan->step[i];
    return NULL;
}

static const struct image *blob_of(const struct boot_plan *plan, unsigned key)
{
    for (unsigned i = 0; i < plan->blobs; i++)
        if (plan->blob[i].key == key)
            return &plan->blob[i].image;
    return NULL;
}

static int plan_linux(struct boot_plan *plan, size_t initrd_bytes,
                      const char *append, uint64_t ram,
                      struct boot_error *error)
{
    struct linux_image image;
    struct image kernel, initrd = {0};
    kernel.data = make_linux(100000, &kernel.size);
    CU_ASSERT_EQUAL(linux_parse(kernel.data, kernel.size, &image, error), 1);
    if (initrd_bytes) {
        initrd.data = calloc(1, initrd_bytes);
        initrd.size = initrd_bytes;
    }
    memset(plan, 0, sizeof(*plan));
    return linux_plan(plan, &image, &kernel, &initrd, append, ram, error);
}

static void test_linux_plan(void)
{
    struct boot_plan plan;
    struct boot_error error;
    CU_ASSERT_EQUAL(
        plan_linux(&plan, 5000, "console=ttyS0 vga=0x317", 128 * MIB, &error),
        0);
    CU_ASSERT_EQUAL(plan.kind, BOOT_LINUX);
    CU_ASSERT_EQUAL(plan.entry, 0x1000);
    const struct boot_step *kernel = step_of(&plan, BOOT_KERNEL_DATA);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kernel);
    CU_ASSERT_EQUAL(kernel->gpa, 0x100000);
    CU_ASSERT_EQUAL(kernel->length, 100000);
    const struct boot_step *initrd = step_of(&plan, BOOT_INITRD_DATA);
    CU_ASSERT_PTR_NOT_NULL_FATAL(initrd);
    CU_ASSERT_EQUAL(initrd->gpa, 127 * MIB - 8192);
    CU_ASSERT_EQUAL(initrd->length, 5000);
    const struct image *setup = blob_of(&plan, BOOT_SETUP_DATA);
    CU_ASSERT_PTR_NOT_NULL_FATAL(setup);
    CU_ASSERT_EQUAL(setup->size, LINUX_SETUP);
    CU_ASSERT_EQUAL(get_le32(setup->data + 0x218), initrd->gpa);
    CU_ASSERT_EQUAL(get_le32(setup->data + 0x21C), 5000);
    CU_ASSERT_EQUAL(get_le32(setup->data + 0x228), 0x20000);
    CU_ASSERT_EQUAL(get_le16(setup->data + 0x1FA), 0x317);
    CU_ASSERT_EQUAL(setup->data[0x211], 0x81);
    CU_ASSERT_EQUAL(setup->data[0x210], 0xFF);
    const struct image *code = blob_of(&plan, BOOT_KERNEL_DATA);
    CU_ASSERT_PTR_NOT_NULL_FATAL(code);
    CU_ASSERT_EQUAL(code->size, 100000);
    CU_ASSERT_EQUAL(code->data[9], (uint8_t)((LINUX_SETUP + 9) * 7));
    const struct image *cmdline = blob_of(&plan, BOOT_CMDLINE_DATA);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cmdline);
    CU_ASSERT_STRING_EQUAL((const char *)cmdline->data,
                           "console=ttyS0 vga=0x317");
    boot_plan_free(&plan);
}

static void test_linux_limits(void)
{
    struct boot_plan plan;
    struct boot_error error;
    char *text = malloc(3000);
    memset(text, 'x', 2999);
    text[2999] = '\0';
    CU_ASSERT_EQUAL(plan_linux(&plan, 0, text, 128 * MIB, &error), -1);
    says(&error, "takes 2047");
    boot_plan_free(&plan);
    free(text);
    CU_ASSERT_EQUAL(plan_linux(&plan, 0, "", 8 * MIB, &error), -1);
    says(&error, "larger -m");
    boot_plan_free(&plan);
    CU_ASSERT_EQUAL(plan_linux(&plan, 0, "", 1 * MIB, &error), -1);
    boot_plan_free(&plan);
    CU_ASSERT_EQUAL(plan_linux(&plan, 10 * MIB, "", 32 * MIB, &error), -1);
    says(&error, "larger -m");
    boot_plan_free(&plan);
    /* The header's limit for the initrd counts, however much RAM there is. */
    CU_ASSERT_EQUAL(plan_linux(&plan, 4096, "", 3584 * MIB, &error), 0);
    CU_ASSERT_EQUAL(step_of(&plan, BOOT_INITRD_DATA)->gpa, 0x7FFFF000);
    boot_plan_free(&plan);
}

static void test_multiboot_elf(void)
{
    struct multiboot_image image;
    struct boot_error error;
    uint8_t bytes[ELF_BYTES];
    for (int wide = 0; wide < 2; wide++) {
        make_elf(bytes, wide);
        CU_ASSERT_EQUAL(parse_multiboot(bytes, ELF_BYTES, &image, &error), 1);
        CU_ASSERT_EQUAL(image.entry, 0x100010);
        CU_ASSERT_EQUAL(image.segments, 1);
        CU_ASSERT_EQUAL(image.segment[0].gpa, 0x100000);
        CU_ASSERT_EQUAL(image.segment[0].offset, 0x200);
        CU_ASSERT_EQUAL(image.segment[0].file_bytes, 0x100);
        CU_ASSERT_EQUAL(image.segment[0].memory_bytes, 0x1000);
    }
}

static void test_multiboot_high_entry(void)
{
    struct multiboot_image image;
    struct boot_error error;
    uint8_t bytes[ELF_BYTES];
    make_elf(bytes, true);
    put_le32(bytes + 24, 0x80000020);
    put_le32(bytes + 28, 0xFFFFFFFF);
    put_le32(bytes + 64 + 16, 0x80000000);
    put_le32(bytes + 64 + 20, 0xFFFFFFFF);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, ELF_BYTES, &image, &error), 1);
    CU_ASSERT_EQUAL(image.entry, 0x100020);
}

static void test_multiboot_file_headers_are_clipped(void)
{
    struct multiboot_image image;
    struct boot_error error;
    uint8_t bytes[ELF_BYTES];
    make_elf(bytes, false);
    put_le32(bytes + 64 + 4, 0);
    put_le32(bytes + 64 + 12, 0xFFE00);
    put_le32(bytes + 64 + 8, 0xFFE00);
    put_le32(bytes + 64 + 16, 0x300);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, ELF_BYTES, &image, &error), 1);
    CU_ASSERT_EQUAL(image.segment[0].gpa, 0x100000);
    CU_ASSERT_EQUAL(image.segment[0].offset, 0x200);
    CU_ASSERT_EQUAL(image.segment[0].file_bytes, 0x100);
    CU_ASSERT_EQUAL(image.segment[0].memory_bytes, 0xE00);
}

static void test_multiboot_broken(void)
{
    struct multiboot_image image;
    struct boot_error error;
    uint8_t good[ELF_BYTES], bytes[ELF_BYTES];
    make_elf(good, true);
    struct {
        unsigned at;
        uint32_t value;
        const char *words;
    } cases[] = {
        {64 + 36, 0x80000000, "more bytes in the file"}, /* file 2^63 */
        {64 + 44, 0x80000000, "below 4 GiB"},            /* memory 2^63 */
        {64 + 12, 0x80000000, "cut short"},              /* offset 2^63 */
        {64 + 28, 0x80000000, "below 4 GiB"},            /* address 2^63 */
        {64 + 24, 0x1000, "link it at 1 MiB"},
        {64 + 24, 0xA0000, "link it at 1 MiB"},
        {24, 0x200000, "entry 0x200000 is in no segment"},
        {28, 1, "entry 0x100100010 is in no segment"},
        {32, 0x10000, "program headers are not all there"},
        {36, 0x80000000, "program headers are not all there"},
        {52, 0x00100000, "too few"}, /* e_phentsize 16 */
        {56, 0xFFFF, "program headers are not all there"},
        {56, 0, "nothing to load"},
        {16, 40u << 16, "another machine"},
        {0x204, 0x13, NULL}, /* the checksum is wrong: no header */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(bytes, good, ELF_BYTES);
        put_le32(bytes + cases[i].at, cases[i].value);
        int result = parse_multiboot(bytes, ELF_BYTES, &image, &error);
        CU_ASSERT_EQUAL(result, cases[i].words ? -1 : 0);
        if (cases[i].words)
            says(&error, cases[i].words);
    }
    /* A required feature that does not exist. */
    memcpy(bytes, good, ELF_BYTES);
    put_le32(bytes + 0x204, 0x13);
    put_le32(bytes + 0x208, -(0x1BADB002 + 0x13u));
    CU_ASSERT_EQUAL(parse_multiboot(bytes, ELF_BYTES, &image, &error), -1);
    says(&error, "flags 0x10");
    CU_ASSERT_EQUAL(parse_multiboot(good, ELF_BYTES, &image, &error), 1);
    CU_ASSERT_EQUAL(parse_multiboot(good, ELF_BYTES - 1, &image, &error), -1);
    says(&error, "cut short");
    CU_ASSERT_EQUAL(parse_multiboot(good, 0x280, &image, &error), -1);
    says(&error, "cut short");
}

static void make_kludge(uint8_t *p, uint32_t header, uint32_t load,
                        uint32_t load_end, uint32_t bss_end, uint32_t entry)
{
    uint32_t flags = 1u << 16;
    put_le32(p, 0x1BADB002);
    put_le32(p + 4, flags);
    put_le32(p + 8, -(0x1BADB002 + flags));
    put_le32(p + 12, header);
    put_le32(p + 16, load);
    put_le32(p + 20, load_end);
    put_le32(p + 24, bss_end);
    put_le32(p + 28, entry);
}

static void test_multiboot_addresses(void)
{
    struct multiboot_image image;
    struct boot_error error;
    uint8_t bytes[0x400] = {0};
    make_kludge(bytes + 0x80, 0x100020, 0x100000, 0x100200, 0x108000, 0x100040);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, sizeof(bytes), &image, &error), 1);
    CU_ASSERT_EQUAL(image.segment[0].offset, 0x60);
    CU_ASSERT_EQUAL(image.segment[0].file_bytes, 0x200);
    CU_ASSERT_EQUAL(image.segment[0].memory_bytes, 0x8000);
    CU_ASSERT_EQUAL(image.entry, 0x100040);
    /* load_end 0: to the end of the file; bss_end 0: no more than that. */
    make_kludge(bytes + 0x80, 0x100020, 0x100000, 0, 0, 0x100040);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, sizeof(bytes), &image, &error), 1);
    CU_ASSERT_EQUAL(image.segment[0].file_bytes, 0x3A0);
    CU_ASSERT_EQUAL(image.segment[0].memory_bytes, 0x3A0);
    make_kludge(bytes + 0x80, 0x100020, 0x100000, 0x200000, 0, 0x100040);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, sizeof(bytes), &image, &error), -1);
    says(&error, "cut short");
    make_kludge(bytes + 0x80, 0x100020, 0x100000, 0xFFFFF, 0, 0x100040);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, sizeof(bytes), &image, &error), -1);
    says(&error, "before it begins");
    make_kludge(bytes + 0x80, 0x100020, 0x200000, 0, 0, 0x100040);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, sizeof(bytes), &image, &error), -1);
    says(&error, "disagree");
    make_kludge(bytes + 0x80, 0x100020, 0x100000, 0, 0, 0x300000);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, sizeof(bytes), &image, &error), -1);
    says(&error, "in no segment");
    /* A header at the very end of the file is not read past. */
    CU_ASSERT_EQUAL(parse_multiboot(bytes, 0x80 + 16, &image, &error), -1);
    says(&error, "cut short");
}

static void test_multiboot_header_is_in_the_first_8_kib(void)
{
    struct multiboot_image image;
    struct boot_error error;
    uint8_t *bytes = calloc(1, 0x4000);
    make_kludge(bytes + 8192 - 12, 0x100000, 0x100000, 0, 0, 0x100000);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, 0x4000, &image, &error), 1);
    memset(bytes, 0, 0x4000);
    make_kludge(bytes + 8192 - 8, 0x100000, 0x100000, 0, 0, 0x100000);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, 0x4000, &image, &error), 0);
    memset(bytes, 0, 0x4000);
    make_kludge(bytes + 0x82, 0x100000, 0x100000, 0, 0, 0x100000);
    CU_ASSERT_EQUAL(parse_multiboot(bytes, 0x4000, &image, &error), 0);
    free(bytes);
}

static int plan_multiboot(struct boot_plan *plan, uint64_t ram,
                          size_t module_bytes, struct boot_error *error)
{
    struct multiboot_image image;
    struct image kernel = {.data = malloc(ELF_BYTES), .size = ELF_BYTES};
    uint8_t *bytes = calloc(1, module_bytes);
    struct multiboot_module modules[2] = {
        {.image = {bytes, module_bytes}, .text = "first arg"},
        {.image = {bytes, 10}, .text = "second"},
    };
    make_elf(kernel.data, false);
    CU_ASSERT_EQUAL(multiboot_parse(kernel.data, kernel.size, &image, error),
                    1);
    memset(plan, 0, sizeof(*plan));
    int result = multiboot_plan(plan, &image, &kernel, "kernel one two",
                                modules, 2, ram, error);
    free(bytes);
    return result;
}

static void test_multiboot_plan(void)
{
    struct boot_plan plan;
    struct boot_error error;
    CU_ASSERT_EQUAL(plan_multiboot(&plan, 64 * MIB, 5000, &error), 0);
    CU_ASSERT_EQUAL(plan.entry, 0x100010);
    CU_ASSERT_EQUAL(plan.info, 0x9000);
    const uint8_t *info = blob_of(&plan, BOOT_SETUP_DATA)->data;
    CU_ASSERT_EQUAL(get_le32(info) & 0x24F, 0x24F);
    const char *cmdline = (const char *)info + get_le32(info + 16) - plan.info;
    CU_ASSERT_STRING_EQUAL(cmdline, "kernel one two");
    CU_ASSERT_EQUAL(get_le32(info + 20), 2);
    const uint8_t *mods = info + get_le32(info + 24) - plan.info;
    /* The segment ends at 0x101000. */
    CU_ASSERT_EQUAL(get_le32(mods), 0x101000);
    CU_ASSERT_EQUAL(get_le32(mods + 4), 0x101000 + 5000);
    CU_ASSERT_STRING_EQUAL((const char *)info + get_le32(mods + 8) - plan.info,
                           "first arg");
    CU_ASSERT_EQUAL(get_le32(mods + 16), 0x103000);
    CU_ASSERT_EQUAL(get_le32(mods + 20), 0x103000 + 10);
    CU_ASSERT_EQUAL(blob_of(&plan, BOOT_INITRD_DATA)->size, 5010);
    /* Skip to 0x200, read 0x100 to 1 MiB, zero 0xF00 after it. */
    CU_ASSERT_EQUAL(plan.step[0].control, 0x11000C);
    CU_ASSERT_EQUAL(plan.step[0].length, 0x200);
    CU_ASSERT_EQUAL(plan.step[1].control, BOOT_STEP_READ);
    CU_ASSERT_EQUAL(plan.step[1].gpa, 0x100000);
    CU_ASSERT_EQUAL(plan.step[2].control, 0xFFFF000A);
    CU_ASSERT_EQUAL(plan.step[2].length, 0xF00);
    CU_ASSERT_EQUAL(plan.step[2].gpa, 0x100100);
    boot_plan_free(&plan);
    CU_ASSERT_EQUAL(plan_multiboot(&plan, 4 * MIB, 3 * MIB, &error), -1);
    says(&error, "larger -m");
    boot_plan_free(&plan);
    CU_ASSERT_EQUAL(plan_multiboot(&plan, 2 * MIB, 10, &error), -1);
    says(&error, "larger -m");
    boot_plan_free(&plan);
}

static void test_rom(void)
{
    struct boot_plan plan;
    struct boot_error error;
    uint8_t sum = 0, pnp_sum = 0;
    CU_ASSERT_EQUAL(plan_multiboot(&plan, 64 * MIB, 5000, &error), 0);
    CU_ASSERT_EQUAL_FATAL(boot_rom_make(&plan), 0);
    const uint8_t *rom = plan.rom.data;
    CU_ASSERT_EQUAL(rom[0], 0x55);
    CU_ASSERT_EQUAL(rom[1], 0xAA);
    CU_ASSERT_EQUAL(rom[2] * 512u, plan.rom.size);
    CU_ASSERT_EQUAL(rom[3], 0xCB); /* far return */
    for (size_t i = 0; i < plan.rom.size; i++)
        sum = (uint8_t)(sum + rom[i]);
    CU_ASSERT_EQUAL(sum, 0);
    unsigned pnp = get_le16(rom + 0x1A);
    CU_ASSERT_EQUAL_FATAL(pnp, 0x20);
    CU_ASSERT_EQUAL(memcmp(rom + pnp, "$PnP", 4), 0);
    for (unsigned i = 0; i < 32; i++)
        pnp_sum = (uint8_t)(pnp_sum + rom[pnp + i]);
    CU_ASSERT_EQUAL(pnp_sum, 0);
    CU_ASSERT(get_le16(rom + pnp + 0x1A) < plan.rom.size); /* BEV */
    CU_ASSERT_EQUAL(rom[0x40], BOOT_MULTIBOOT);
    CU_ASSERT_EQUAL(get_le16(rom + 0x42), plan.steps);
    CU_ASSERT_EQUAL(get_le32(rom + 0x44), plan.entry);
    CU_ASSERT_EQUAL(get_le32(rom + 0x48), plan.info);
    boot_plan_free(&plan);
}

/* A file of these bytes, for as long as the test runs. */
struct temporary {
    char path[64];
};

static void write_file(struct temporary *file, const void *bytes, size_t size)
{
    strcpy(file->path, "/tmp/vitrine-test-XXXXXX");
    int fd = mkstemp(file->path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void kernel_refused(const char *path, const char *words)
{
    struct boot_plan plan;
    struct boot_error error;
    struct boot_request request = {.kernel = path, .low_ram_bytes = 128 * MIB};
    CU_ASSERT_EQUAL(boot_plan_make(&plan, &request, &error), -1);
    says(&error, words);
    says(&error, "-kernel");
}

static void test_files_that_are_none(void)
{
    struct temporary empty, text;
    kernel_refused("/dev/urandom", "not a file");
    kernel_refused("/dev/zero", "not a file");
    kernel_refused("/tmp", "is a directory");
    kernel_refused("/nonexistent/kernel", "No such file");
    write_file(&empty, "", 0);
    kernel_refused(empty.path, "is empty");
    unlink(empty.path);
    write_file(&text, "hello", 5);
    kernel_refused(text.path, "neither a Linux bzImage nor a multiboot");
    unlink(text.path);
    struct temporary fifo;
    write_file(&fifo, "", 0);
    unlink(fifo.path);
    CU_ASSERT_EQUAL(mkfifo(fifo.path, 0600), 0);
    kernel_refused(fifo.path, "not a file"); /* and does not wait */
    unlink(fifo.path);
}

static void test_modules_from_initrd(void)
{
    struct boot_plan plan;
    struct boot_error error;
    struct temporary kernel, module;
    uint8_t bytes[ELF_BYTES];
    char initrd[300];
    make_elf(bytes, false);
    write_file(&kernel, bytes, sizeof(bytes));
    write_file(&module, "module", 6);
    snprintf(initrd, sizeof(initrd), "%s a=1,,2 b, %s", module.path,
             module.path);
    struct boot_request request = {.kernel = kernel.path,
                                   .initrd = initrd,
                                   .append = "x y",
                                   .low_ram_bytes = 128 * MIB};
    CU_ASSERT_EQUAL_FATAL(boot_plan_make(&plan, &request, &error), 0);
    const uint8_t *info = blob_of(&plan, BOOT_SETUP_DATA)->data;
    CU_ASSERT_EQUAL(get_le32(info + 20), 2);
    const uint8_t *mods = info + get_le32(info + 24) - plan.info;
    const char *text = (const char *)info + get_le32(mods + 8) - plan.info;
    CU_ASSERT_STRING_EQUAL(strchr(text, ' '), " a=1,2 b");
    text = (const char *)info + get_le32(info + 16) - plan.info;
    CU_ASSERT_STRING_EQUAL(strchr(text, ' '), " x y");
    boot_plan_free(&plan);

    request.initrd = "/nonexistent arg";
    CU_ASSERT_EQUAL(boot_plan_make(&plan, &request, &error), -1);
    says(&error, "-initrd /nonexistent: No such file");
    request.initrd = ",";
    CU_ASSERT_EQUAL(boot_plan_make(&plan, &request, &error), -1);
    says(&error, "without a name");
    unlink(kernel.path);
    unlink(module.path);
}

static void test_bios(void)
{
    struct boot_error error;
    uint8_t *bytes = calloc(1, 0x20000);
    bytes[0x20000 - 16] = 0xEA;
    CU_ASSERT_EQUAL(bios_check(bytes, 0x20000, "b", &error), 0);
    CU_ASSERT_EQUAL(bios_check(bytes, 0x1FFFF, "b", &error), -1);
    says(&error, "multiple of 64 KiB");
    CU_ASSERT_EQUAL(bios_check(bytes, 0, "b", &error), -1);
    CU_ASSERT_EQUAL(bios_check(bytes, 0x10000, "b", &error), -1);
    says(&error, "no code at its reset vector");
    bytes[0] = 0x55;
    bytes[1] = 0xAA;
    bytes[2] = 64;
    CU_ASSERT_EQUAL(bios_check_vga(bytes, 32768, "v", &error), 0);
    CU_ASSERT_EQUAL(bios_check_vga(bytes, 32767, "v", &error), -1);
    says(&error, "cut short");
    CU_ASSERT_EQUAL(bios_check_vga(bytes, 100, "v", &error), -1);
    bytes[1] = 0;
    CU_ASSERT_EQUAL(bios_check_vga(bytes, 32768, "v", &error), -1);
    says(&error, "55 AA");
    free(bytes);
}

static void test_bios_search(void)
{
    struct boot_error error;
    char path[256];
    const char *const dirs[] = {"/nonexistent", "/etc"};
    CU_ASSERT_EQUAL(bios_find("passwd", dirs, 2, path, sizeof(path), &error),
                    0);
    CU_ASSERT_STRING_EQUAL(path, "/etc/passwd");
    CU_ASSERT_EQUAL(
        bios_find("no-such.bin", dirs, 2, path, sizeof(path), &error), -1);
    says(&error, "-bios");
    CU_ASSERT_EQUAL(
        bios_find("/no/such.bin", dirs, 2, path, sizeof(path), &error), -1);
    struct image image;
    CU_ASSERT_EQUAL(bios_load("/dev/zero", dirs, 2, &image, &error), -1);
    says(&error, "not a file");
}

/* Every image with a few random bytes, and every truncation: no crash, and
 * what is accepted lies within the file. */
static void test_damaged_images_are_survived(void)
{
    struct multiboot_image *image = malloc(sizeof(*image));
    struct linux_image linux_image;
    struct boot_error error;
    uint8_t bytes[ELF_BYTES];
    uint32_t seed = 7;
    size_t size;
    uint8_t *linux_bytes = make_linux(3000, &size);
    for (unsigned round = 0; round < 60000; round++) {
        make_elf(bytes, round & 1);
        for (unsigned i = 0; i < 1 + round % 4; i++) {
            seed = seed * 1664525 + 1013904223;
            /* Mostly the headers, where it matters. */
            bytes[(seed >> 8) % (round % 3 ? 128 : ELF_BYTES)] =
                (uint8_t)(seed >> 24);
        }
        seed = seed * 1664525 + 1013904223;
        size_t length = round % 5 ? ELF_BYTES : (seed >> 8) % ELF_BYTES;
        if (parse_multiboot(bytes, length, image, &error) > 0)
            for (unsigned i = 0; i < image->segments; i++)
                CU_ASSERT((uint64_t)image->segment[i].offset +
                              image->segment[i].file_bytes <=
                          length);
        uint8_t *at = linux_bytes + 0x1F0 + (seed >> 20) % 0x78;
        uint8_t before = *at;
        *at = (uint8_t)(seed >> 8);
        parse_linux(linux_bytes, (seed >> 4) % 7 ? size : size / 2,
                    &linux_image, &error);
        *at = before;
    }
    free(linux_bytes);
    free(image);
}

static const struct test tests[] = {
    {"linux_is_split_at_its_setup_code", test_linux_layout},
    {"linux_that_is_broken_is_refused", test_linux_broken},
    {"linux_goes_where_the_protocol_says", test_linux_plan},
    {"linux_that_does_not_fit_is_refused", test_linux_limits},
    {"multiboot_elf_32_and_64", test_multiboot_elf},
    {"multiboot_entry_linked_high_is_translated", test_multiboot_high_entry},
    {"multiboot_file_headers_below_1_mib_are_clipped",
     test_multiboot_file_headers_are_clipped},
    {"multiboot_that_is_broken_is_refused", test_multiboot_broken},
    {"multiboot_addresses_of_the_header", test_multiboot_addresses},
    {"multiboot_header_is_in_the_first_8_kib",
     test_multiboot_header_is_in_the_first_8_kib},
    {"multiboot_information_and_modules", test_multiboot_plan},
    {"rom_has_its_headers_and_checksums", test_rom},
    {"files_that_are_none_are_refused", test_files_that_are_none},
    {"initrd_names_modules", test_modules_from_initrd},
    {"bios_images_are_checked", test_bios},
    {"bios_images_are_searched", test_bios_search},
    {"damaged_images_are_survived", test_damaged_images_are_survived},
    {NULL, NULL},
};
TEST_MAIN("loaders", tests)
