/*
 * The board's ACPI tables: RSDP, RSDT, FADT, FACS, MADT, HPET and DSDT, with
 * the script by which firmware puts them into memory.
 *
 * The tables are made without knowing where they will be. Firmware (SeaBIOS,
 * OVMF) fetches the two blobs and the script from fw_cfg, chooses addresses,
 * and runs the script; acpi_link() does the same for tests and for machines
 * without such firmware.
 */
#ifndef EMU_BOOT_ACPI_H
#define EMU_BOOT_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* fw_cfg files. */
#define ACPI_RSDP_FILE "etc/acpi/rsdp"
#define ACPI_TABLES_FILE "etc/acpi/tables"
#define ACPI_LOADER_FILE "etc/table-loader"

/* What the tables tell about the board. */
struct acpi_config {
    unsigned cpus;         /* 1 to 254; APIC IDs from 0 */
    uint32_t ram_below_4g; /* where the PCI window begins */
    uint16_t pm_base;      /* port of the PM1a event block */
    uint16_t gpe0_base;
    uint8_t acpi_enable, acpi_disable; /* what port 0xB2 takes */
    uint32_t hpet_id; /* low half of its GCAP_ID; 0: there is none */
    unsigned serials; /* bit n: COM n + 1 is there (n = 0 or 1) */
    bool floppy;
};

struct acpi_tables {
    uint8_t *rsdp, *tables, *loader; /* malloc'd */
    size_t rsdp_size, tables_size, loader_size;
};

/* 0, -EINVAL for a board that the tables cannot describe, or -ENOMEM. */
int acpi_build(const struct acpi_config *config, struct acpi_tables *out);
void acpi_free(struct acpi_tables *tables);

/* Firmware chooses where the PM registers are before it fetches the tables:
 * changes the FADT in a "tables" blob that has not been linked. */
void acpi_set_pm_base(uint8_t *tables, size_t size, uint16_t pm_base);

/* Runs the script on the blobs, in place, for these addresses (below 4 GiB).
 * 0, or -EINVAL when the script reaches outside of them. */
int acpi_link(struct acpi_tables *tables, uint32_t rsdp_gpa,
              uint32_t tables_gpa);

/* Appends the DSDT's AML, which follows its header; acpi_dsdt.c. */
struct aml;
void acpi_dsdt(struct aml *aml, const struct acpi_config *config);

#endif
