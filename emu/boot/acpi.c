/*
 * ACPI tables as fixed layouts (ACPI 1.0b, chapter 5: every x86 OS of the last
 * 25 years reads these), and the linker script (QEMU's docs/specs/acpi*,
 * SeaBIOS's romfile_loader).
 *
 * The "tables" blob:  FACS | FADT | DSDT | MADT | HPET | RSDT
 *
 * FACS comes first, since it must be aligned to 64 bytes; FADT second, so
 * that acpi_set_pm_base() knows where it is. Pointers hold the offset of what
 * they point to within its blob until the script adds the blob's address.
 *
 * Not modelled: ACPI 2.0 tables (XSDT, 64-bit FADT fields): Windows 2000
 * wants revision 1 on this board, and nobody misses the others.
 */
#include "emu/boot/acpi.h"

#include "emu/boot/aml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 36u
#define FACS_SIZE 64u
#define FADT_OFFSET FACS_SIZE
#define FADT_SIZE 116u
#define RSDP_SIZE 20u
#define MAX_CPUS 254u

/* Offsets in the FADT (table 5-5). */
enum { FADT_FACS = 36, FADT_DSDT = 40, FADT_PM1A_EVT = 56, FADT_PM1A_CNT = 64,
       FADT_PM_TMR = 76 };
/* Offset of the RSDT's address in the RSDP, of a checksum in a header. */
enum { RSDP_RSDT = 16, RSDP_CHECKSUM = 8, HEADER_CHECKSUM = 9 };

/* Each step of the script is 128 bytes. */
enum { STEP_SIZE = 128, FILE_SIZE = 56 };
enum { STEP_ALLOCATE = 1, STEP_ADD_POINTER = 2, STEP_ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };

struct builder {
    const struct acpi_config *config;
    struct aml tables, loader; /* used as growing buffers */
    uint32_t listed[4];        /* tables that the RSDT points to */
    unsigned count;
};

static void put(struct aml *out, uint64_t value, unsigned size)
{
    aml_number(out, value, size);
}

/* A fixed-size, zero-padded name. */
static void put_name(struct aml *out, const char *name, size_t size)
{
    size_t length = strlen(name);

    aml_bytes(out, name, length < size ? length : size);
    for (; length < size; length++)
        put(out, 0, 1);
}

static void step_pad(struct aml *out)
{
    while (!out->failed && out->size % STEP_SIZE)
        put(out, 0, 1);
}

static void step_allocate(struct builder *b, const char *file, uint32_t align,
                          unsigned zone)
{
    put(&b->loader, STEP_ALLOCATE, 4);
    put_name(&b->loader, file, FILE_SIZE);
    put(&b->loader, align, 4);
    put(&b->loader, zone, 1);
    step_pad(&b->loader);
}

/* Adds the address of the tables to the 4 bytes at `offset` of `file`. */
static void step_pointer(struct builder *b, const char *file, uint32_t offset)
{
    put(&b->loader, STEP_ADD_POINTER, 4);
    put_name(&b->loader, file, FILE_SIZE);
    put_name(&b->loader, ACPI_TABLES_FILE, FILE_SIZE);
    put(&b->loader, offset, 4);
    put(&b->loader, 4, 1);
    step_pad(&b->loader);
}

static void step_checksum(struct builder *b, const char *file, uint32_t offset,
                          uint32_t start, uint32_t length)
{
    put(&b->loader, STEP_ADD_CHECKSUM, 4);
    put_name(&b->loader, file, FILE_SIZE);
    put(&b->loader, offset, 4);
    put(&b->loader, start, 4);
    put(&b->loader, length, 4);
    step_pad(&b->loader);
}

/* Table 5-3; length and checksum are filled in by end_table(). */
static uint32_t begin_table(struct builder *b, const char *signature,
                            unsigned revision)
{
    uint32_t at = (uint32_t)b->tables.size;

    aml_bytes(&b->tables, signature, 4);
    put(&b->tables, 0, 4);
    put(&b->tables, revision, 1);
    put(&b->tables, 0, 1);
    aml_bytes(&b->tables, "VITRINVITRINPC", 14);
    put(&b->tables, 1, 4);
    aml_bytes(&b->tables, "VITR", 4);
    put(&b->tables, 1, 4);
    return at;
}

static void end_table(struct builder *b, uint32_t at)
{
    uint32_t length = (uint32_t)b->tables.size - at;

    if (b->tables.failed)
        return;
    for (unsigned i = 0; i < 4; i++)
        b->tables.data[at + 4 + i] = (uint8_t)(length >> i * 8);
    step_checksum(b, ACPI_TABLES_FILE, at + HEADER_CHECKSUM, at, length);
}

static void build_facs(struct builder *b)
{
    aml_bytes(&b->tables, "FACS", 4);
    put(&b->tables, FACS_SIZE, 4);
    while (!b->tables.failed && b->tables.size < FACS_SIZE)
        put(&b->tables, 0, 1);
}

/* Table 5-5, revision 1. */
static void build_fadt(struct builder *b)
{
    const struct acpi_config *c = b->config;
    struct aml *t = &b->tables;
    uint32_t at = begin_table(b, "FACP", 1);

    put(t, 0, 4); /* FIRMWARE_CTRL: FACS is at offset 0 */
    put(t, 0, 4); /* DSDT: filled in by build_tables() */
    put(t, 1, 1); /* INT_MODEL: APICs */
    put(t, 0, 1);
    put(t, 9, 2);    /* SCI_INT */
    put(t, 0xB2, 4); /* SMI_CMD */
    put(t, c->acpi_enable, 1);
    put(t, c->acpi_disable, 1);
    put(t, 0, 2);            /* S4BIOS_REQ, reserved */
    put(t, 0, 4);            /* PM1a_EVT_BLK: acpi_set_pm_base() */
    put(t, 0, 4);            /* PM1b_EVT_BLK */
    put(t, 0, 4);            /* PM1a_CNT_BLK */
    put(t, 0, 8);            /* PM1b_CNT_BLK, PM2_CNT_BLK */
    put(t, 0, 4);            /* PM_TMR_BLK */
    put(t, c->gpe0_base, 4); /* GPE0_BLK */
    put(t, 0, 4);            /* GPE1_BLK */
    put(t, 4, 1);            /* PM1_EVT_LEN */
    put(t, 2, 1);            /* PM1_CNT_LEN */
    put(t, 0, 1);            /* PM2_CNT_LEN */
    put(t, 4, 1);            /* PM_TM_LEN */
    put(t, 4, 1);            /* GPE0_BLK_LEN */
    put(t, 0, 3);            /* GPE1_BLK_LEN, GPE1_BASE, reserved */
    put(t, 0x0FFF, 2);       /* P_LVL2_LAT: no C2 */
    put(t, 0x0FFF, 2);       /* P_LVL3_LAT: no C3 */
    put(t, 0, 4);            /* FLUSH_SIZE, FLUSH_STRIDE */
    put(t, 0, 4);            /* DUTY_*, DAY_ALRM, MON_ALRM */
    put(t, 0x32, 1);         /* CENTURY */
    put(t, 0, 3);
    put(t, 0x80A5, 4); /* WBINVD, C1, sleep button no, RTC wakes from S4,
                          USE_PLATFORM_CLOCK */
    end_table(b, at);
    b->listed[b->count++] = at;
    if (!t->failed)
        acpi_set_pm_base(t->data, t->size, c->pm_base);
}

static void madt_override(struct aml *t, unsigned irq, uint32_t gsi,
                          unsigned flags)
{
    put(t, 2, 1);
    put(t, 10, 1);
    put(t, 0, 1); /* ISA */
    put(t, irq, 1);
    put(t, gsi, 4);
    put(t, flags, 2);
}

/* 5.2.8. */
static void build_madt(struct builder *b)
{
    struct aml *t = &b->tables;
    uint32_t at = begin_table(b, "APIC", 1);

    put(t, 0xFEE00000, 4);
    put(t, 1, 4); /* PCAT_COMPAT: there is a PIC pair, too */
    for (unsigned i = 0; i < b->config->cpus; i++) {
        put(t, 0, 1); /* processor local APIC */
        put(t, 8, 1);
        put(t, i, 1);
        put(t, i, 1);
        put(t, 1, 4);
    }
    put(t, 1, 1); /* I/O APIC */
    put(t, 12, 1);
    put(t, 0, 2);
    put(t, 0xFEC00000, 4);
    put(t, 0, 4);
    /* The PIT is at pin 2. What the PCI bridge steers to, and SCI, is level
     * and (as these wires go) active high, where ISA would be an edge. */
    madt_override(t, 0, 2, 0);
    madt_override(t, 5, 5, 0x0D);
    madt_override(t, 9, 9, 0x0D);
    madt_override(t, 10, 10, 0x0D);
    madt_override(t, 11, 11, 0x0D);
    put(t, 4, 1); /* NMI: LINT1 of all processors */
    put(t, 6, 1);
    put(t, 0xFF, 1);
    put(t, 0, 2);
    put(t, 1, 1);
    end_table(b, at);
    b->listed[b->count++] = at;
}

/* IA-PC HPET 1.0a, 3.2.4. */
static void build_hpet(struct builder *b)
{
    struct aml *t = &b->tables;
    uint32_t at = begin_table(b, "HPET", 1);

    put(t, b->config->hpet_id, 4);
    put(t, 0, 4); /* generic address: memory */
    put(t, 0xFED00000, 8);
    put(t, 0, 1); /* number */
    put(t, 0, 2); /* shortest periodic tick: no limit of its own */
    put(t, 0, 1);
    end_table(b, at);
    b->listed[b->count++] = at;
}

static void build_rsdt(struct builder *b)
{
    uint32_t at = begin_table(b, "RSDT", 1);

    for (unsigned i = 0; i < b->count; i++) {
        step_pointer(b, ACPI_TABLES_FILE, (uint32_t)b->tables.size);
        put(&b->tables, b->listed[i], 4);
    }
    end_table(b, at);
}

static void build_tables(struct builder *b)
{
    struct aml *t = &b->tables;
    uint32_t dsdt = FADT_OFFSET + FADT_SIZE;

    build_facs(b);
    /* A checksum covers pointers, so those must come first in the script. */
    step_pointer(b, ACPI_TABLES_FILE, FADT_OFFSET + FADT_FACS);
    step_pointer(b, ACPI_TABLES_FILE, FADT_OFFSET + FADT_DSDT);
    build_fadt(b);
    if (!t->failed)
        for (unsigned i = 0; i < 4; i++)
            t->data[FADT_OFFSET + FADT_DSDT + i] = (uint8_t)(dsdt >> i * 8);
    (void)begin_table(b, "DSDT", 1);
    acpi_dsdt(t, b->config);
    end_table(b, dsdt);
    build_madt(b);
    if (b->config->hpet_id)
        build_hpet(b);
    build_rsdt(b);
}

/* Table 5-1, and the end of the script. `rsdt` is its offset. */
static uint8_t *build_rsdp(struct builder *b, uint32_t rsdt)
{
    uint8_t *rsdp = calloc(1, RSDP_SIZE);

    if (!rsdp)
        return NULL;
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "VITRIN", 6);
    for (unsigned i = 0; i < 4; i++)
        rsdp[RSDP_RSDT + i] = (uint8_t)(rsdt >> i * 8);
    step_pointer(b, ACPI_RSDP_FILE, RSDP_RSDT);
    step_checksum(b, ACPI_RSDP_FILE, RSDP_CHECKSUM, 0, RSDP_SIZE);
    return rsdp;
}

int acpi_build(const struct acpi_config *config, struct acpi_tables *out)
{
    struct builder b = {.config = config};
    uint32_t rsdt;

    memset(out, 0, sizeof(*out));
    if (!config->cpus || config->cpus > MAX_CPUS)
        return -EINVAL;
    step_allocate(&b, ACPI_RSDP_FILE, 16, ZONE_FSEG);
    step_allocate(&b, ACPI_TABLES_FILE, 64, ZONE_HIGH);
    build_tables(&b);
    rsdt = (uint32_t)b.tables.size - HEADER_SIZE - 4 * b.count;
    out->rsdp = build_rsdp(&b, rsdt);
    if (!out->rsdp || b.tables.failed || b.loader.failed) {
        aml_free(&b.tables);
        aml_free(&b.loader);
        acpi_free(out);
        return -ENOMEM;
    }
    out->rsdp_size = RSDP_SIZE;
    out->tables = b.tables.data;
    out->tables_size = b.tables.size;
    out->loader = b.loader.data;
    out->loader_size = b.loader.size;
    return 0;
}

void acpi_free(struct acpi_tables *tables)
{
    free(tables->rsdp);
    free(tables->tables);
    free(tables->loader);
    memset(tables, 0, sizeof(*tables));
}

static void put_le32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> i * 8);
}

static uint32_t get_le32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

void acpi_set_pm_base(uint8_t *tables, size_t size, uint16_t pm_base)
{
    uint8_t *fadt = tables + FADT_OFFSET;

    if (size < FADT_OFFSET + FADT_SIZE)
        return;
    put_le32(fadt + FADT_PM1A_EVT, pm_base);
    put_le32(fadt + FADT_PM1A_CNT, pm_base + 4u);
    put_le32(fadt + FADT_PM_TMR, pm_base + 8u);
}

/* --- Running the script ------------------------------------------------ */

struct blob {
    uint8_t *data;
    size_t size;
    uint32_t gpa;
};

static bool find_blob(const struct acpi_tables *t, const uint8_t *name,
                      uint32_t rsdp_gpa, uint32_t tables_gpa, struct blob *blob)
{
    if (!memchr(name, 0, FILE_SIZE))
        return false;
    if (strcmp((const char *)name, ACPI_RSDP_FILE) == 0)
        *blob = (struct blob){t->rsdp, t->rsdp_size, rsdp_gpa};
    else if (strcmp((const char *)name, ACPI_TABLES_FILE) == 0)
        *blob = (struct blob){t->tables, t->tables_size, tables_gpa};
    else
        return false;
    return true;
}

static int run_step(struct acpi_tables *t, const uint8_t *step,
                    uint32_t rsdp_gpa, uint32_t tables_gpa)
{
    const uint8_t *args = step + 4;
    uint32_t command = get_le32(step), offset, start, length;
    struct blob to, from;

    if (!find_blob(t, args, rsdp_gpa, tables_gpa, &to))
        return -EINVAL;
    if (command == STEP_ADD_POINTER) {
        offset = get_le32(args + 2 * FILE_SIZE);
        if (!find_blob(t, args + FILE_SIZE, rsdp_gpa, tables_gpa, &from) ||
            args[2 * FILE_SIZE + 4] != 4 || to.size < 4 || offset > to.size - 4)
            return -EINVAL;
        put_le32(to.data + offset, get_le32(to.data + offset) + from.gpa);
    } else if (command == STEP_ADD_CHECKSUM) {
        uint8_t sum = 0;

        offset = get_le32(args + FILE_SIZE);
        start = get_le32(args + FILE_SIZE + 4);
        length = get_le32(args + FILE_SIZE + 8);
        if (offset >= to.size || start > to.size || length > to.size - start)
            return -EINVAL;
        for (uint32_t i = 0; i < length; i++)
            sum = (uint8_t)(sum + to.data[start + i]);
        to.data[offset] = (uint8_t)(to.data[offset] - sum);
    } else if (command == STEP_ALLOCATE) {
        uint32_t align = get_le32(args + FILE_SIZE);

        if (!align || (align & (align - 1)) || (to.gpa & (align - 1)))
            return -EINVAL;
    } else {
        return -EINVAL;
    }
    return 0;
}

int acpi_link(struct acpi_tables *tables, uint32_t rsdp_gpa,
              uint32_t tables_gpa)
{
    for (size_t at = 0; at + STEP_SIZE <= tables->loader_size;
         at += STEP_SIZE) {
        int err = run_step(tables, tables->loader + at, rsdp_gpa, tables_gpa);

        if (err < 0)
            return err;
    }
    return 0;
}
