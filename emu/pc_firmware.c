/*
 * What the board tells its firmware. SeaBIOS takes memory and boot order from
 * CMOS (where an AT keeps them; the map is Ralf Brown's CMOS.LST), the rest
 * from fw_cfg; OVMF does likewise.
 *
 * Not modelled: NUMA, SMBIOS tables (SeaBIOS makes its own).
 */
#include "emu/pc_firmware.h"

#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i82077.h"
#include "devices/ide.h"
#include "devices/mc146818.h"
#include "devices/piix4_pm.h"
#include "emu/boot/acpi.h"
#include "emu/boot/kernel.h"
#include "emu/pc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024u
#define MIB (1024u * KIB)
#define HPET_ID 0x8086A201u
/* Where SeaBIOS puts the PM registers; only until it says so itself. */
#define PM_BASE_DEFAULT 0x600u
#define E820_RAM 1u

/* CMOS. */
enum { CMOS_FLOPPIES = 0x10, CMOS_EQUIPMENT = 0x14, CMOS_BASE_KIB = 0x15,
       CMOS_EXTENDED_KIB = 0x17, CMOS_EXTENDED_KIB_2 = 0x30,
       CMOS_ABOVE_16M = 0x34, CMOS_BOOT_1 = 0x38, CMOS_TRANSLATION = 0x39,
       CMOS_BOOT_2 = 0x3D, CMOS_ABOVE_4G = 0x5B, CMOS_CPUS = 0x5F };

static void set_cmos(struct device *rtc, unsigned index, uint64_t value,
                     unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        mc146818_set_cmos(rtc, index + i, (uint8_t)(value >> i * 8));
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

static void cmos_memory(struct device *rtc, uint64_t ram)
{
    uint64_t below = pc_ram_below_4g(ram);
    uint64_t extended = below > MIB ? (below - MIB) / KIB : 0;
    uint64_t above_16m = below > 16 * MIB ? (below - 16 * MIB) / (64 * KIB) : 0;

    extended = at_most(extended, 0xFFFF);
    set_cmos(rtc, CMOS_BASE_KIB, 640, 2);
    set_cmos(rtc, CMOS_EXTENDED_KIB, extended, 2);
    set_cmos(rtc, CMOS_EXTENDED_KIB_2, extended, 2);
    set_cmos(rtc, CMOS_ABOVE_16M, at_most(above_16m, 0xFFFF), 2);
    set_cmos(rtc, CMOS_ABOVE_4G, (ram - below) / (64 * KIB), 3);
}

/* SeaBIOS's numbers: 1 floppy, 2 hard disk, 3 CD-ROM, 4 network. */
static unsigned boot_number(char letter)
{
    switch (letter) {
    case 'a': return 1;
    case 'b': return 1;
    case 'c': return 2;
    case 'd': return 3;
    case 'n': return 4;
    default: return 0;
    }
}

static void cmos_boot_order(struct device *rtc, const char *order)
{
    unsigned n[3] = {0};

    for (unsigned i = 0; i < 3 && order[i]; i++)
        n[i] = boot_number(order[i]);
    set_cmos(rtc, CMOS_BOOT_2, n[1] << 4 | n[0], 1);
    /* Bit 0: do not insist on a floppy's boot signature. */
    set_cmos(rtc, CMOS_BOOT_1, n[2] << 4 | 1, 1);
}

static void cmos_drives(struct machine *machine, struct device *rtc,
                        const struct pc_options *options)
{
    struct device *ide = machine_find(machine, "ide");
    unsigned a = i82077_cmos_type(options->floppy[0]);
    unsigned b = i82077_cmos_type(options->floppy[1]);
    unsigned translation = 0, equipment = 0x06; /* FPU, PS/2 mouse */

    set_cmos(rtc, CMOS_FLOPPIES, a << 4 | b, 1);
    if (a || b)
        equipment |= a && b ? 0x41 : 0x01;
    set_cmos(rtc, CMOS_EQUIPMENT, equipment, 1);
    /* Two bits a disk: 0 no translation, 1 LBA. */
    for (unsigned i = 0; i < PC_IDE_DRIVES; i++) {
        unsigned cylinders, heads, sectors;

        if (ide_geometry(ide, i, &cylinders, &heads, &sectors) &&
            cylinders > 1024)
            translation |= 1u << 2 * i;
    }
    set_cmos(rtc, CMOS_TRANSLATION, translation, 1);
}

void pc_fill_cmos(struct machine *machine, const struct pc_options *options)
{
    struct device *rtc = machine_find(machine, "rtc");

    cmos_memory(rtc, machine->ram_bytes);
    cmos_boot_order(rtc, options->boot_order ? options->boot_order : "cad");
    cmos_drives(machine, rtc, options);
    set_cmos(rtc, CMOS_CPUS, machine->cpus - 1, 1);
}

/* --- fw_cfg ------------------------------------------------------------- */

static void e820_entry(uint8_t *at, uint64_t base, uint64_t size)
{
    put_le32(at, (uint32_t)base);
    put_le32(at + 4, (uint32_t)(base >> 32));
    put_le32(at + 8, (uint32_t)size);
    put_le32(at + 12, (uint32_t)(size >> 32));
    put_le32(at + 16, E820_RAM);
}

/* Whole RAM ranges; the firmware carves its own reservations out of them. */
static int add_e820(struct device *fw, uint64_t ram)
{
    uint64_t below = pc_ram_below_4g(ram);
    uint8_t table[40];

    e820_entry(table, 0, below);
    e820_entry(table + 20, UINT64_C(1) << 32, ram - below);
    return fw_cfg_add_file(fw, "etc/e820", table, ram > below ? 40 : 20);
}

/* The firmware has placed the PM registers by the time it asks. */
static void refresh_acpi(void *ctx, uint8_t *data, size_t size)
{
    uint16_t base = piix4_pm_base(ctx);

    acpi_set_pm_base(data, size, base ? base : PM_BASE_DEFAULT);
}

static int add_acpi(struct machine *machine, struct device *fw,
                    const struct pc_options *options)
{
    struct acpi_config config = {
        .cpus = machine->cpus,
        .ram_below_4g = (uint32_t)pc_ram_below_4g(machine->ram_bytes),
        .pm_base = PM_BASE_DEFAULT,
        .gpe0_base = PIIX4_PM_GPE0_BASE,
        .acpi_enable = PIIX4_PM_ACPI_ENABLE,
        .acpi_disable = PIIX4_PM_ACPI_DISABLE,
        .hpet_id = options->no_hpet ? 0 : HPET_ID,
        .serials = (options->serial[0] ? 1u : 0u) |
                   (options->serial[1] ? 2u : 0u),
        .floppy = true,
    };
    struct acpi_tables tables;
    int err = acpi_build(&config, &tables);

    if (err < 0)
        return err;
    err = fw_cfg_add_file(fw, ACPI_RSDP_FILE, tables.rsdp, tables.rsdp_size);
    if (!err)
        err = fw_cfg_add_file(fw, ACPI_TABLES_FILE, tables.tables,
                              tables.tables_size);
    if (!err)
        err = fw_cfg_add_file(fw, ACPI_LOADER_FILE, tables.loader,
                              tables.loader_size);
    if (!err)
        err = fw_cfg_set_refresh(fw, ACPI_TABLES_FILE, refresh_acpi,
                                 machine_find(machine, "piix4-pm"));
    acpi_free(&tables);
    return err;
}

static int add_numbers(struct machine *machine, struct device *fw,
                       const struct pc_options *options)
{
    static const uint8_t no_uuid[16];
    const struct {
        unsigned key;
        uint64_t value;
        unsigned bytes;
    } numbers[] = {
        {FW_CFG_RAM_SIZE, machine->ram_bytes, 8},
        {FW_CFG_NOGRAPHIC, options->nographic, 2},
        {FW_CFG_NB_CPUS, machine->cpus, 2},
        {FW_CFG_MAX_CPUS, machine->cpus, 2},
        {FW_CFG_BOOT_MENU, options->boot_menu, 2},
        /* The PIT is at IOAPIC pin 2: SeaBIOS's MP table says so, too. */
        {FW_CFG_IRQ0_OVERRIDE, 1, 4},
    };
    int err = fw_cfg_add_bytes(fw, FW_CFG_UUID,
                               options->uuid ? options->uuid : no_uuid, 16);

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !err; i++) {
        uint8_t bytes[8];

        put_le32(bytes, (uint32_t)numbers[i].value);
        put_le32(bytes + 4, (uint32_t)(numbers[i].value >> 32));
        err = fw_cfg_add_bytes(fw, numbers[i].key, bytes, numbers[i].bytes);
    }
    if (!err && options->boot_menu && options->boot_menu_wait_ms) {
        uint8_t wait[2];

        put_le16(wait, (uint16_t)at_most(options->boot_menu_wait_ms, 0xFFFF));
        err = fw_cfg_add_file(fw, "etc/boot-menu-wait", wait, 2);
    }
    return err;
}

/* -kernel: see emu/boot/kernel.h. */
static int add_plan(struct device *fw, const struct boot_plan *plan)
{
    int err = 0;

    for (unsigned i = 0; i < plan->numbers && !err; i++)
        err = fw_cfg_add_i32(fw, plan->number[i].key, plan->number[i].value);
    for (unsigned i = 0; i < plan->blobs && !err; i++)
        err = fw_cfg_add_bytes(fw, plan->blob[i].key, plan->blob[i].image.data,
                               plan->blob[i].image.size);
    if (!err)
        err =
            fw_cfg_add_file(fw, BOOT_ROM_NAME, plan->rom.data, plan->rom.size);
    if (!err)
        err = fw_cfg_add_file(fw, "bootorder", BOOT_ROM_PRIORITY,
                              sizeof(BOOT_ROM_PRIORITY));
    return err;
}

int pc_fill_fw_cfg(struct machine *machine, const struct pc_options *options)
{
    struct device *fw = machine_find(machine, "fw_cfg");
    int err = add_numbers(machine, fw, options);

    if (!err)
        err = add_e820(fw, machine->ram_bytes);
    if (!err && !options->no_acpi)
        err = add_acpi(machine, fw, options);
    if (!err && options->plan)
        err = add_plan(fw, options->plan);
    for (size_t i = 0; i < options->file_count && !err; i++)
        err = fw_cfg_add_file(fw, options->files[i].name,
                              options->files[i].data, options->files[i].size);
    return err;
}
