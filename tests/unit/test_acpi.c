/* The ACPI tables, their linker script, and the AML emitter. */
#include "emu/boot/acpi.h"
#include "emu/boot/aml.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RSDP_GPA 0xF5A40u
#define TABLES_GPA 0x0FFE0000u

static const struct acpi_config config = {
    .cpus = 2,
    .ram_below_4g = 0x10000000,
    .pm_base = 0x600,
    .gpe0_base = 0xAFE0,
    .acpi_enable = 0xF1,
    .acpi_disable = 0xF0,
    .hpet_id = 0x8086A201,
    .serials = 3,
    .floppy = true,
};

static uint32_t le32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static uint8_t sum(const uint8_t *data, size_t size)
{
    uint8_t total = 0;

    while (size--)
        total = (uint8_t)(total + *data++);
    return total;
}

static void open_linked(struct acpi_tables *t)
{
    CU_ASSERT_EQUAL_FATAL(acpi_build(&config, t), 0);
    CU_ASSERT_EQUAL_FATAL(acpi_link(t, RSDP_GPA, TABLES_GPA), 0);
}

/* A table by its guest address, checked to lie within the blob. */
static const uint8_t *table_at(const struct acpi_tables *t, uint32_t gpa)
{
    CU_ASSERT_FATAL(gpa >= TABLES_GPA &&
                    gpa - TABLES_GPA + 36 <= t->tables_size);
    const uint8_t *table = t->tables + (gpa - TABLES_GPA);
    CU_ASSERT_FATAL(le32(table + 4) <= t->tables_size - (gpa - TABLES_GPA));
    return table;
}

/* Found by walking from the RSDP, as an OS does; NULL when it is not listed. */
static const uint8_t *find(const struct acpi_tables *t, const char *signature)
{
    const uint8_t *rsdt = table_at(t, le32(t->rsdp + 16));

    for (uint32_t at = 36; at < le32(rsdt + 4); at += 4) {
        const uint8_t *table = table_at(t, le32(rsdt + at));

        if (memcmp(table, signature, 4) == 0)
            return table;
    }
    return NULL;
}

static void every_table_is_reached_and_sums_to_zero(void)
{
    struct acpi_tables t;
    const uint8_t *fadt, *dsdt, *facs, *rsdt;

    open_linked(&t);
    CU_ASSERT_EQUAL(t.rsdp_size, 20);
    CU_ASSERT_EQUAL(memcmp(t.rsdp, "RSD PTR ", 8), 0);
    CU_ASSERT_EQUAL(sum(t.rsdp, 20), 0);
    rsdt = table_at(&t, le32(t.rsdp + 16));
    CU_ASSERT_EQUAL(memcmp(rsdt, "RSDT", 4), 0);
    CU_ASSERT_EQUAL(sum(rsdt, le32(rsdt + 4)), 0);
    for (uint32_t at = 36; at < le32(rsdt + 4); at += 4) {
        const uint8_t *table = table_at(&t, le32(rsdt + at));

        CU_ASSERT_EQUAL(sum(table, le32(table + 4)), 0);
    }
    fadt = find(&t, "FACP");
    CU_ASSERT_PTR_NOT_NULL_FATAL(fadt);
    CU_ASSERT_EQUAL(le32(fadt + 4), 116);
    dsdt = table_at(&t, le32(fadt + 40));
    CU_ASSERT_EQUAL(memcmp(dsdt, "DSDT", 4), 0);
    CU_ASSERT_EQUAL(sum(dsdt, le32(dsdt + 4)), 0);
    facs = table_at(&t, le32(fadt + 36));
    CU_ASSERT_EQUAL(memcmp(facs, "FACS", 4), 0);
    CU_ASSERT_EQUAL(le32(fadt + 36) % 64, 0);
    CU_ASSERT_PTR_NOT_NULL(find(&t, "APIC"));
    CU_ASSERT_PTR_NOT_NULL(find(&t, "HPET"));
    acpi_free(&t);
}

static void fadt_describes_piix4(void)
{
    struct acpi_tables t;
    const uint8_t *fadt;

    CU_ASSERT_EQUAL_FATAL(acpi_build(&config, &t), 0);
    acpi_set_pm_base(t.tables, t.tables_size, 0xB000);
    acpi_set_pm_base(t.tables, 100, 0x1234); /* too short: left alone */
    CU_ASSERT_EQUAL_FATAL(acpi_link(&t, RSDP_GPA, TABLES_GPA), 0);
    fadt = find(&t, "FACP");
    CU_ASSERT_EQUAL(sum(fadt, 116), 0);
    CU_ASSERT_EQUAL(fadt[46], 9);
    CU_ASSERT_EQUAL(le32(fadt + 48), 0xB2);
    CU_ASSERT_EQUAL(fadt[52], 0xF1);
    CU_ASSERT_EQUAL(fadt[53], 0xF0);
    CU_ASSERT_EQUAL(le32(fadt + 56), 0xB000);
    CU_ASSERT_EQUAL(le32(fadt + 64), 0xB004);
    CU_ASSERT_EQUAL(le32(fadt + 76), 0xB008);
    CU_ASSERT_EQUAL(le32(fadt + 80), 0xAFE0);
    CU_ASSERT_EQUAL(fadt[88], 4);
    CU_ASSERT_EQUAL(fadt[89], 2);
    CU_ASSERT_EQUAL(fadt[91], 4);
    acpi_free(&t);
}

static void madt_lists_cpus_ioapic_and_overrides(void)
{
    struct acpi_tables t;
    const uint8_t *madt;
    unsigned cpus = 0, ioapics = 0, overrides = 0, nmis = 0;

    open_linked(&t);
    madt = find(&t, "APIC");
    CU_ASSERT_EQUAL(le32(madt + 36), 0xFEE00000);
    for (uint32_t at = 44; at < le32(madt + 4); at += madt[at + 1]) {
        CU_ASSERT_FATAL(madt[at + 1] >= 6);
        switch (madt[at]) {
        case 0:
            CU_ASSERT_EQUAL(madt[at + 3], cpus); /* APIC ID */
            cpus++;
            break;
        case 1:
            CU_ASSERT_EQUAL(le32(madt + at + 4), 0xFEC00000);
            ioapics++;
            break;
        case 2:
            CU_ASSERT_EQUAL(le32(madt + at + 4),
                            madt[at + 3] ? madt[at + 3] : 2u);
            overrides++;
            break;
        default:
            nmis++;
            break;
        }
    }
    CU_ASSERT_EQUAL(cpus, 2);
    CU_ASSERT_EQUAL(ioapics, 1);
    CU_ASSERT_EQUAL(overrides, 5);
    CU_ASSERT_EQUAL(nmis, 1);
    acpi_free(&t);
}

static void what_is_not_there_is_not_listed(void)
{
    struct acpi_config bare = config;
    struct acpi_tables t;

    bare.hpet_id = 0;
    bare.serials = 0;
    bare.floppy = false;
    CU_ASSERT_EQUAL_FATAL(acpi_build(&bare, &t), 0);
    CU_ASSERT_EQUAL_FATAL(acpi_link(&t, RSDP_GPA, TABLES_GPA), 0);
    CU_ASSERT_PTR_NULL(find(&t, "HPET"));
    CU_ASSERT_PTR_NULL(memmem(t.tables, t.tables_size, "COM1", 4));
    CU_ASSERT_PTR_NULL(memmem(t.tables, t.tables_size, "FDC0", 4));
    acpi_free(&t);
    bare.cpus = 0;
    CU_ASSERT_EQUAL(acpi_build(&bare, &t), -EINVAL);
    bare.cpus = 255;
    CU_ASSERT_EQUAL(acpi_build(&bare, &t), -EINVAL);
}

static void linking_at_a_misaligned_address_is_refused(void)
{
    struct acpi_tables t;

    CU_ASSERT_EQUAL_FATAL(acpi_build(&config, &t), 0);
    CU_ASSERT_EQUAL(acpi_link(&t, RSDP_GPA + 8, TABLES_GPA), -EINVAL);
    CU_ASSERT_EQUAL(acpi_link(&t, RSDP_GPA, TABLES_GPA + 32), -EINVAL);
    acpi_free(&t);
}

/* Any script at all: refused or run, never outside of the blobs (ASan). */
static void broken_scripts_do_no_harm(void)
{
    unsigned refused = 0;

    srand(1);
    for (unsigned i = 0; i < 2000; i++) {
        struct acpi_tables t;

        CU_ASSERT_EQUAL_FATAL(acpi_build(&config, &t), 0);
        for (unsigned n = 0; n < 1u + (unsigned)rand() % 8; n++)
            t.loader[(size_t)rand() % t.loader_size] = (uint8_t)rand();
        refused += acpi_link(&t, RSDP_GPA, TABLES_GPA) == -EINVAL;
        acpi_free(&t);
    }
    CU_ASSERT(refused > 100);
}

static void script_steps_are_128_bytes(void)
{
    struct acpi_tables t;

    CU_ASSERT_EQUAL_FATAL(acpi_build(&config, &t), 0);
    CU_ASSERT_EQUAL(t.loader_size % 128, 0);
    CU_ASSERT_EQUAL(le32(t.loader), 1); /* allocations come first */
    CU_ASSERT_STRING_EQUAL(t.loader + 4, ACPI_RSDP_FILE);
    CU_ASSERT_EQUAL(t.loader[64], 2); /* the F segment */
    CU_ASSERT_EQUAL(le32(t.loader + 128), 1);
    CU_ASSERT_STRING_EQUAL(t.loader + 132, ACPI_TABLES_FILE);
    acpi_free(&t);
}

/* Is there an iasl? */
static bool have_iasl(void)
{
    return system("command -v iasl >/dev/null 2>&1") == 0;
}

/* Has iasl disassemble the DSDT and compile the result; returns the text. */
static char *through_iasl(const struct acpi_tables *t, const char *dir)
{
    const uint8_t *dsdt = table_at(t, le32(find(t, "FACP") + 40));
    char path[128], command[512], *text;
    FILE *file;
    size_t size;

    (void)snprintf(path, sizeof(path), "%s/dsdt.aml", dir);
    file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(dsdt, 1, le32(dsdt + 4), file), le32(dsdt + 4));
    CU_ASSERT_EQUAL(fclose(file), 0);
    (void)snprintf(command, sizeof(command),
                   "cd %s && iasl -d dsdt.aml >log 2>&1 && "
                   "iasl -p again dsdt.dsl >log 2>&1",
                   dir);
    CU_ASSERT_EQUAL(system(command), 0);
    (void)snprintf(path, sizeof(path), "%s/dsdt.dsl", dir);
    file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    text = calloc(1, 1u << 20);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size = fread(text, 1, (1u << 20) - 1, file);
    CU_ASSERT(size > 1000);
    CU_ASSERT_EQUAL(fclose(file), 0);
    return text;
}

/* Is `what` in the text, whatever the white space? */
static bool contains(const char *text, const char *what)
{
    for (; *text; text++) {
        const char *a = text, *b = what;

        for (;;) {
            while (*a == ' ' || *a == '\n')
                a++;
            while (*b == ' ')
                b++;
            if (!*b)
                return true;
            if (*a != *b)
                break;
            a++;
            b++;
        }
    }
    return false;
}

static void dsdt_survives_iasl(void)
{
    static const char *const expected[] = {
        "Name (\\_S5, Package (0x04)",
        "EisaId (\"PNP0A03\")",
        "OperationRegion (P40C, PCI_Config, 0x60, 0x04)",
        "Field (PCI0.ISA.P40C, ByteAcc, NoLock, Preserve) { PRQ0, 8, PRQ1, 8,",
        "If ((0x80 & Arg0)) { Return (0x09) }",
        "CreateDWordField (PRR0, \\_SB.IQCR._Y00._INT, PRRI)",
        "PRQ2 |= 0x80",
        "EisaId (\"PNP0103\")",
        "Processor (CP01, 0x01, 0x00000000, 0x00)",
        "_HID, \"ACPI0006\"",
        /* Slot 1 is the PIIX, slot 3 rotates by two. */
        "Package (0x04) { 0x0001FFFF, Zero, LNKS, Zero }",
        "Package (0x04) { 0x0001FFFF, One, LNKB, Zero }",
        "Package (0x04) { 0x0003FFFF, Zero, LNKC, Zero }",
        "Package (0x04) { 0x001FFFFF, 0x03, LNKB, Zero }",
        "0x10000000, // Range Minimum",
    };
    struct acpi_tables t;
    char dir[] = "/tmp/vitrine-acpi-XXXXXX", command[64], *text;

    if (!have_iasl()) {
        test_skip("iasl (package acpica-tools) is not installed");
        return;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    open_linked(&t);
    text = through_iasl(&t, dir);
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (!contains(text, expected[i]))
            fprintf(stderr, "not in the DSDT: %s\n", expected[i]);
        CU_ASSERT_TRUE(contains(text, expected[i]));
    }
    free(text);
    acpi_free(&t);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void aml_integers_take_the_shortest_form(void)
{
    static const uint8_t expected[] = {
        0x00, 0x01, 0x0A, 0x02, 0x0A, 0xFF, 0x0B, 0x00, 0x01, 0x0C,
        0x00, 0x00, 0x01, 0x00, 0x0E, 0,    0,    0,    0,    1, 0, 0, 0,
    };
    struct aml aml = {0};

    aml_integer(&aml, 0);
    aml_integer(&aml, 1);
    aml_integer(&aml, 2);
    aml_integer(&aml, 0xFF);
    aml_integer(&aml, 0x100);
    aml_integer(&aml, 0x10000);
    aml_integer(&aml, UINT64_C(0x100000000));
    CU_ASSERT_FALSE(aml.failed);
    CU_ASSERT_EQUAL_FATAL(aml.size, sizeof(expected));
    CU_ASSERT_EQUAL(memcmp(aml.data, expected, sizeof(expected)), 0);
    aml_free(&aml);
}

static void aml_names_are_padded_and_prefixed(void)
{
    static const uint8_t expected[] = "\\.A___B1__"
                                      "^^_STA"
                                      "\\/\3_SB_PCI0ISA_";
    struct aml aml = {0};

    aml_path(&aml, "\\A.B1");
    aml_path(&aml, "^^_STA");
    aml_path(&aml, "\\_SB.PCI0.ISA");
    CU_ASSERT_FALSE(aml.failed);
    CU_ASSERT_EQUAL_FATAL(aml.size, sizeof(expected) - 1);
    /* The first path is a dual name: 0x2E is '.'. */
    CU_ASSERT_EQUAL(memcmp(aml.data, expected, sizeof(expected) - 1), 0);
    aml_free(&aml);
    static const char *const bad[] = {"ABCDE", "1BC", "abc", "A..B", "A.",
                                      "A B"};
    for (unsigned i = 0; i < 6; i++) {
        aml_path(&aml, bad[i]);
        CU_ASSERT_TRUE(aml.failed);
        aml_free(&aml);
    }
}

static void package_lengths_count_themselves(void)
{
    /* Contents, PkgLength bytes: the limits of each form (20.2.4). */
    static const struct {
        size_t contents;
        uint8_t lead[4];
        unsigned bytes;
    } cases[] = {
        {0, {0x01}, 1},
        {62, {0x3F}, 1},
        {63, {0x41, 0x04}, 2},
        {4093, {0x4F, 0xFF}, 2},
        {4094, {0x81, 0x00, 0x01}, 3},
        {0xFFFFF - 3, {0x8F, 0xFF, 0xFF}, 3},
        {0x100000 - 3, {0xC1, 0x00, 0x00, 0x01}, 4},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct aml aml = {0};
        uint8_t *contents = malloc(cases[i].contents + 1);
        size_t mark;

        memset(contents, 0x5A, cases[i].contents + 1);
        mark = aml_else(&aml);
        aml_bytes(&aml, contents, cases[i].contents);
        aml_close(&aml, mark);
        CU_ASSERT_FALSE(aml.failed);
        CU_ASSERT_EQUAL_FATAL(aml.size, 1 + cases[i].bytes + cases[i].contents);
        CU_ASSERT_EQUAL(memcmp(aml.data + 1, cases[i].lead, cases[i].bytes), 0);
        CU_ASSERT_EQUAL(
            memcmp(aml.data + 1 + cases[i].bytes, contents, cases[i].contents),
            0);
        aml_free(&aml);
        free(contents);
    }
}

static void eisa_ids_are_compressed(void)
{
    CU_ASSERT_EQUAL(aml_eisa_id("PNP0A03"), 0x030AD041);
    CU_ASSERT_EQUAL(aml_eisa_id("PNP0C0F"), 0x0F0CD041);
}

static const struct test tests[] = {
    {"every_table_is_reached_and_sums_to_zero",
     every_table_is_reached_and_sums_to_zero},
    {"fadt_describes_piix4", fadt_describes_piix4},
    {"madt_lists_cpus_ioapic_and_overrides",
     madt_lists_cpus_ioapic_and_overrides},
    {"what_is_not_there_is_not_listed", what_is_not_there_is_not_listed},
    {"linking_at_a_misaligned_address_is_refused",
     linking_at_a_misaligned_address_is_refused},
    {"broken_scripts_do_no_harm", broken_scripts_do_no_harm},
    {"script_steps_are_128_bytes", script_steps_are_128_bytes},
    {"dsdt_survives_iasl", dsdt_survives_iasl},
    {"aml_integers_take_the_shortest_form",
     aml_integers_take_the_shortest_form},
    {"aml_names_are_padded_and_prefixed", aml_names_are_padded_and_prefixed},
    {"package_lengths_count_themselves", package_lengths_count_themselves},
    {"eisa_ids_are_compressed", eisa_ids_are_compressed},
    {NULL, NULL},
};

TEST_MAIN("acpi", tests)
