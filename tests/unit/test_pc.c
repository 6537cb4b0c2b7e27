/* The board: parts, places, solder, and what the firmware is told. */
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/mc146818.h"
#include "emu/boot/acpi.h"
#include "emu/boot/kernel.h"
#include "emu/machine.h"
#include "emu/pc.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define BIOS_BYTES 0x10000u

struct bench {
    struct machine *machine;
    struct pc_options options;
    struct chardev chardev;
    uint8_t bios[BIOS_BYTES];
    char text[16];
    size_t length;
};

static void take(struct chardev *chr, const uint8_t *data, size_t size)
{
    struct bench *b = chr->impl;

    for (; size && b->length < sizeof(b->text) - 1; size--)
        b->text[b->length++] = (char)*data++;
}

static void prepare(struct bench *b, uint64_t ram)
{
    memset(b, 0, sizeof(*b));
    memset(b->bios, 0xF4, BIOS_BYTES);
    b->bios[0xFFF0] = 0xEA;
    b->chardev.name = "test";
    b->chardev.write = take;
    b->chardev.impl = b;
    b->options.bios = b->bios;
    b->options.bios_bytes = BIOS_BYTES;
    b->options.serial[0] = &b->chardev;
    b->machine = machine_new(ram, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b->machine);
}

static void open_bench(struct bench *b, uint64_t ram)
{
    prepare(b, ram);
    CU_ASSERT_EQUAL_FATAL(pc_build(b->machine, &b->options), 0);
    machine_reset(b->machine);
}

static uint64_t in(struct bench *b, unsigned port, unsigned size)
{
    return bus_read(&b->machine->io, port, size);
}

static void out(struct bench *b, unsigned port, uint64_t value, unsigned size)
{
    bus_write(&b->machine->io, port, value, size);
}

static uint32_t config_read(struct bench *b, unsigned devfn, unsigned reg)
{
    out(b, 0xCF8, 0x80000000u | devfn << 8 | reg, 4);
    return (uint32_t)in(b, 0xCFC, 4);
}

static void config_write(struct bench *b, unsigned devfn, unsigned reg,
                         uint32_t value)
{
    out(b, 0xCF8, 0x80000000u | devfn << 8 | reg, 4);
    out(b, 0xCFC, value, 4);
}

static unsigned cmos(struct bench *b, unsigned index)
{
    return mc146818_get_cmos(machine_find(b->machine, "rtc"), index);
}

static uint64_t cmos16(struct bench *b, unsigned index)
{
    return cmos(b, index) | (uint64_t)cmos(b, index + 1) << 8;
}

static void pci_bus_is_qemus(void)
{
    struct bench b;

    open_bench(&b, 64 * MIB);
    CU_ASSERT_EQUAL(config_read(&b, 0x00, 0), 0x12378086);
    CU_ASSERT_EQUAL(config_read(&b, 0x08, 0), 0x70008086);
    CU_ASSERT_EQUAL(config_read(&b, 0x09, 0), 0x70108086);
    CU_ASSERT_EQUAL(config_read(&b, 0x0A, 0), 0xFFFFFFFF);
    CU_ASSERT_EQUAL(config_read(&b, 0x0B, 0), 0x71138086);
    CU_ASSERT_EQUAL(config_read(&b, 0x10, 0), 0x11111234);
    CU_ASSERT_EQUAL(config_read(&b, 0x18, 0), 0xFFFFFFFF);
    machine_free(b.machine);
}

static void every_place_answers(void)
{
    static const struct {
        unsigned port;
        const char *name;
    } ports[] = {
        {0x00, "dma0"},    {0x20, "pic0"},    {0x40, "pit"},
        {0x60, "kbd"},     {0x61, "ports"},   {0x64, "kbd"},
        {0x70, "rtc"},     {0x80, "ports"},   {0x87, "dma0"},
        {0x92, "ports"},   {0xA1, "pic1"},    {0xB2, "piix4-pm"},
        {0xDE, "dma1"},    {0x170, "ide"},    {0x1F7, "ide"},
        {0x3C4, "vga"},    {0x3F2, "fdc"},    {0x3F6, "ide"},
        {0x3F7, "fdc"},    {0x3FD, "com1"},   {0x4D0, "pic0"},
        {0x4D1, "pic1"},   {0x511, "fw_cfg"}, {0x51B, "fw_cfg"},
        {0xCF9, "i440fx"}, {0xCFF, "i440fx"}, {0xAFE3, "piix4-pm"},
    };
    struct bench b;
    const struct region *r;

    open_bench(&b, 64 * MIB);
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        r = bus_find(&b.machine->io, ports[i].port);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r->dev);
        CU_ASSERT_STRING_EQUAL(r->dev->name, ports[i].name);
    }
    CU_ASSERT_PTR_NULL(bus_find(&b.machine->io, 0x2F8)); /* no COM2 */
    r = bus_find(&b.machine->memory, 0xFEC00000);
    CU_ASSERT_STRING_EQUAL(r->dev->name, "ioapic");
    r = bus_find(&b.machine->memory, 0xFED00000);
    CU_ASSERT_STRING_EQUAL(r->dev->name, "hpet");
    r = bus_find(&b.machine->memory, 0xFEE00000);
    CU_ASSERT_STRING_EQUAL(r->dev->name, "lapic0");
    CU_ASSERT_EQUAL(bus_read(&b.machine->memory, 0xFFFFFFF0, 1), 0xEA);
    CU_ASSERT_EQUAL(bus_read(&b.machine->memory, 0xFFFF0, 1), 0xEA);
    machine_free(b.machine);
}

static void ram_is_split_at_the_pci_hole(void)
{
    struct bench b;

    CU_ASSERT_EQUAL(pc_ram_below_4g(128 * MIB), 128 * MIB);
    CU_ASSERT_EQUAL(pc_ram_below_4g(3583 * MIB), 3583 * MIB);
    CU_ASSERT_EQUAL(pc_ram_below_4g(3584 * MIB), 3072 * MIB);
    open_bench(&b, 5120 * MIB);
    CU_ASSERT_PTR_EQUAL(
        bus_host(&b.machine->memory, UINT64_C(0x100000000), 1, true),
        b.machine->ram + 3072 * MIB);
    CU_ASSERT_PTR_NULL(bus_host(&b.machine->memory, 3072 * MIB, 1, true));
    CU_ASSERT_EQUAL(cmos16(&b, 0x34), (3072 - 16) * 16);
    CU_ASSERT_EQUAL(cmos16(&b, 0x5B), 2048 * 16);
    CU_ASSERT_EQUAL(cmos(&b, 0x5D), 0);
    machine_free(b.machine);
}

static void cmos_tells_memory_and_boot_order(void)
{
    struct bench b;

    prepare(&b, 8 * MIB);
    b.options.boot_order = "dc";
    CU_ASSERT_EQUAL_FATAL(pc_build(b.machine, &b.options), 0);
    CU_ASSERT_EQUAL(cmos16(&b, 0x15), 640);
    CU_ASSERT_EQUAL(cmos16(&b, 0x17), 7168);
    CU_ASSERT_EQUAL(cmos16(&b, 0x30), 7168);
    CU_ASSERT_EQUAL(cmos16(&b, 0x34), 0);
    CU_ASSERT_EQUAL(cmos(&b, 0x3D), 0x23);
    CU_ASSERT_EQUAL(cmos(&b, 0x38), 0x01);
    CU_ASSERT_EQUAL(cmos(&b, 0x10), 0x00); /* no floppy drive */
    CU_ASSERT_EQUAL(cmos(&b, 0x14) & 0xC1, 0x00);
    CU_ASSERT_EQUAL(cmos(&b, 0x5F), 0);
    machine_free(b.machine);
}

static const uint8_t *file(struct bench *b, const char *name, size_t *size)
{
    struct device *fw = machine_find(b->machine, "fw_cfg");
    int key = fw_cfg_find(fw, name);

    return key < 0 ? NULL : fw_cfg_item(fw, (unsigned)key, size);
}

static void fw_cfg_has_what_firmware_asks_for(void)
{
    struct bench b;
    const uint8_t *data;
    size_t size;

    open_bench(&b, 5120 * MIB);
    data = file(&b, "etc/e820", &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    CU_ASSERT_EQUAL(size, 40);
    CU_ASSERT_EQUAL(data[11], 0xC0); /* 3 GiB from 0 */
    CU_ASSERT_EQUAL(data[24], 1);    /* the rest from 4 GiB */
    CU_ASSERT_EQUAL(data[31], 0x80);
    CU_ASSERT_EQUAL(data[36], 1); /* RAM */
    data =
        fw_cfg_item(machine_find(b.machine, "fw_cfg"), FW_CFG_NB_CPUS, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    CU_ASSERT_EQUAL(data[0], 1);
    CU_ASSERT_PTR_NOT_NULL(file(&b, "etc/acpi/rsdp", &size));
    CU_ASSERT_PTR_NOT_NULL(file(&b, "etc/table-loader", &size));
    CU_ASSERT_PTR_NULL(file(&b, "bootorder", &size));
    machine_free(b.machine);
}

static void acpi_follows_where_firmware_put_the_pm_registers(void)
{
    struct bench b;
    const uint8_t *tables;
    size_t size;
    int key;

    open_bench(&b, 64 * MIB);
    tables = file(&b, "etc/acpi/tables", &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tables);
    CU_ASSERT_EQUAL(get_le32(tables + 64 + 56), 0x600);
    config_write(&b, 0x0B, 0x40, 0xB001);
    config_write(&b, 0x0B, 0x80, 1);
    key = fw_cfg_find(machine_find(b.machine, "fw_cfg"), "etc/acpi/tables");
    out(&b, 0x510, (unsigned)key, 2);
    CU_ASSERT_EQUAL(get_le32(tables + 64 + 56), 0xB000);
    CU_ASSERT_EQUAL(get_le32(tables + 64 + 76), 0xB008);
    CU_ASSERT_EQUAL(in(&b, 0xB004, 2), 0); /* and there they are */
    machine_free(b.machine);
}

static void a_plan_becomes_fw_cfg_items(void)
{
    struct bench b;
    struct boot_plan plan = {0};
    uint8_t kernel[4] = {1, 2, 3, 4}, rom[3] = {0x55, 0xAA, 1};
    const uint8_t *data;
    size_t size;

    prepare(&b, 64 * MIB);
    plan.blob[0].key = BOOT_KERNEL_DATA;
    plan.blob[0].image = (struct image){kernel, 4};
    plan.blobs = 1;
    plan.number[0].key = BOOT_KERNEL_SIZE;
    plan.number[0].value = 4;
    plan.numbers = 1;
    plan.rom = (struct image){rom, 3};
    b.options.plan = &plan;
    CU_ASSERT_EQUAL_FATAL(pc_build(b.machine, &b.options), 0);
    data =
        fw_cfg_item(machine_find(b.machine, "fw_cfg"), BOOT_KERNEL_DATA, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    CU_ASSERT_EQUAL(size, 4);
    CU_ASSERT_EQUAL(memcmp(data, kernel, 4), 0);
    CU_ASSERT_PTR_NOT_NULL(file(&b, "genroms/vitrineboot.bin", &size));
    CU_ASSERT_EQUAL(size, 3);
    data = file(&b, "bootorder", &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    CU_ASSERT_STRING_EQUAL(data, BOOT_ROM_PRIORITY);
    machine_free(b.machine);
}

static void pit_reaches_the_cpu_through_pic_and_lint0(void)
{
    struct bench b;
    struct machine *m;

    prepare(&b, 64 * MIB);
    m = b.machine;
    clock_init(&m->clock, true, 0);
    CU_ASSERT_EQUAL_FATAL(pc_build(m, &b.options), 0);
    machine_reset(m);
    clock_start(&m->clock);
    out(&b, 0x20, 0x11, 1);
    out(&b, 0x21, 0x08, 1);
    out(&b, 0x21, 0x04, 1);
    out(&b, 0x21, 0x01, 1);
    out(&b, 0x21, 0xFE, 1);
    CU_ASSERT_EQUAL(m->intc.acknowledge(m->intc.ctx), -1);
    out(&b, 0x43, 0x34, 1); /* counter 0, mode 2, 1000 ticks */
    out(&b, 0x40, 1000 & 0xFF, 1);
    out(&b, 0x40, 1000 >> 8, 1);
    clock_skip_to(&m->clock, clock_now_ns(&m->clock) + 1000000);
    clock_run(&m->clock);
    CU_ASSERT_EQUAL(m->intc.acknowledge(m->intc.ctx), 0x08);
    machine_free(m);
}

static void steered_pci_interrupt_reaches_the_ioapic(void)
{
    struct bench b;
    struct machine *m;
    struct device *piix3;

    open_bench(&b, 64 * MIB);
    m = b.machine;
    bus_write(&m->memory, 0xFEE000F0, 0x1FF, 4);
    bus_write(&m->memory, 0xFEC00000, 0x10 + 2 * 11, 4);
    bus_write(&m->memory, 0xFEC00010, 0x8055, 4);
    config_write(&b, 0x08, 0x60, 0x80800B80); /* PIRQB -> IRQ 11 */
    piix3 = machine_find(m, "piix3");
    piix3->class->line(piix3, 2 * 4, true); /* slot 2, INTA# */
    CU_ASSERT_EQUAL(m->intc.acknowledge(m->intc.ctx), 0x55);
    /* Level: the EOI finds it still asserted. */
    bus_write(&m->memory, 0xFEE000B0, 0, 4);
    CU_ASSERT_EQUAL(m->intc.acknowledge(m->intc.ctx), 0x55);
    piix3->class->line(piix3, 2 * 4, false);
    bus_write(&m->memory, 0xFEE000B0, 0, 4);
    CU_ASSERT_EQUAL(m->intc.acknowledge(m->intc.ctx), -1);
    machine_free(m);
}

static void reset_and_power_reach_the_machine(void)
{
    static const struct {
        unsigned port, value;
    } resets[] = {{0xCF9, 6}, {0x92, 1}, {0x64, 0xFE}};
    struct bench b;

    open_bench(&b, 64 * MIB);
    for (unsigned i = 0; i < 3; i++) {
        atomic_store(&b.machine->requests, 0);
        machine_reset(b.machine);
        out(&b, resets[i].port, resets[i].value, 1);
        CU_ASSERT_EQUAL(atomic_load(&b.machine->requests), REQUEST_RESET);
    }
    atomic_store(&b.machine->requests, 0);
    config_write(&b, 0x0B, 0x40, 0x601);
    config_write(&b, 0x0B, 0x80, 1);
    out(&b, 0x604, 0x2000, 2);
    CU_ASSERT_EQUAL(atomic_load(&b.machine->requests), REQUEST_SHUTDOWN);
    pc_power_button(b.machine);
    CU_ASSERT_EQUAL(in(&b, 0x600, 2) & 0x100, 0x100);
    machine_free(b.machine);
}

static void debug_exit_sets_the_status(void)
{
    struct bench b;

    prepare(&b, 64 * MIB);
    b.options.debug_exit = true;
    b.options.debug_exit_port = 0xF4;
    b.options.debug_exit_ports = 4;
    CU_ASSERT_EQUAL_FATAL(pc_build(b.machine, &b.options), 0);
    machine_reset(b.machine);
    out(&b, 0xF4, 0x10, 4);
    CU_ASSERT_EQUAL(b.machine->exit_status, 0x21);
    CU_ASSERT_EQUAL(atomic_load(&b.machine->requests), REQUEST_SHUTDOWN);
    machine_free(b.machine);
}

static void serial_and_debugcon_write_to_their_chardevs(void)
{
    struct bench b;

    prepare(&b, 64 * MIB);
    b.options.debugcon[0].port = 0x402;
    b.options.debugcon[0].chardev = &b.chardev;
    CU_ASSERT_EQUAL_FATAL(pc_build(b.machine, &b.options), 0);
    machine_reset(b.machine);
    CU_ASSERT_EQUAL(in(&b, 0x402, 1), 0xE9);
    out(&b, 0x402, 'd', 1);
    CU_ASSERT_STRING_EQUAL(b.text, "d");
    machine_free(b.machine);
}

static void a_port_that_is_taken_is_an_error_with_a_sentence(void)
{
    struct bench b;

    prepare(&b, 64 * MIB);
    b.options.debugcon[0].port = 0x3F8;
    b.options.debugcon[0].chardev = &b.chardev;
    CU_ASSERT(pc_build(b.machine, &b.options) < 0);
    CU_ASSERT_STRING_EQUAL(b.machine->error,
                           "debugcon0: port 0x3f8 is in use by another device");
    machine_free(b.machine);
}

static void parts_that_are_not_wanted_are_not_there(void)
{
    struct bench b;
    size_t size;

    prepare(&b, 64 * MIB);
    b.options.vga = PC_VGA_NONE;
    b.options.no_hpet = true;
    b.options.no_acpi = true;
    CU_ASSERT_EQUAL_FATAL(pc_build(b.machine, &b.options), 0);
    machine_reset(b.machine);
    CU_ASSERT_PTR_NULL(machine_find(b.machine, "vga"));
    CU_ASSERT_PTR_NULL(bus_find(&b.machine->memory, 0xFED00000));
    CU_ASSERT_PTR_NULL(b.machine->display.render);
    CU_ASSERT_EQUAL(config_read(&b, 0x10, 0), 0xFFFFFFFF);
    CU_ASSERT_PTR_NULL(file(&b, "etc/acpi/tables", &size));
    machine_free(b.machine);
}

static const struct test tests[] = {
    {"pci_bus_is_qemus", pci_bus_is_qemus},
    {"every_place_answers", every_place_answers},
    {"ram_is_split_at_the_pci_hole", ram_is_split_at_the_pci_hole},
    {"cmos_tells_memory_and_boot_order", cmos_tells_memory_and_boot_order},
    {"fw_cfg_has_what_firmware_asks_for", fw_cfg_has_what_firmware_asks_for},
    {"acpi_follows_where_firmware_put_the_pm_registers",
     acpi_follows_where_firmware_put_the_pm_registers},
    {"a_plan_becomes_fw_cfg_items", a_plan_becomes_fw_cfg_items},
    {"pit_reaches_the_cpu_through_pic_and_lint0",
     pit_reaches_the_cpu_through_pic_and_lint0},
    {"steered_pci_interrupt_reaches_the_ioapic",
     steered_pci_interrupt_reaches_the_ioapic},
    {"reset_and_power_reach_the_machine", reset_and_power_reach_the_machine},
    {"debug_exit_sets_the_status", debug_exit_sets_the_status},
    {"serial_and_debugcon_write_to_their_chardevs",
     serial_and_debugcon_write_to_their_chardevs},
    {"a_port_that_is_taken_is_an_error_with_a_sentence",
     a_port_that_is_taken_is_an_error_with_a_sentence},
    {"parts_that_are_not_wanted_are_not_there",
     parts_that_are_not_wanted_are_not_there},
    {NULL, NULL},
};

TEST_MAIN("pc", tests)
