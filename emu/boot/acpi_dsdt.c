/*
 * The DSDT: what an OS cannot find out about this board by probing. Its shape
 * is that of QEMU's pc, whose hardware this is:
 *
 *     \_S5                    SLP_TYP 0 is "off"
 *     \_SB.PCI0               the host bridge, its windows, its routing table
 *     \_SB.PCI0.ISA           the PIIX3, with its PIRQ registers, and what is
 *                             on the ISA bus
 *     \_SB.LNKA to LNKD       the four PIRQs as interrupt link devices
 *     \_SB.LNKS               SCI's interrupt, which is not steered
 *     \_SB.HPET, \_SB.CPnn, \_GPE
 *
 * Disassemble it in a guest, or see tests/unit/test_acpi.c.
 *
 * Not modelled: hotplug of processors, memory and PCI cards; S1 to S4.
 */
#include "emu/boot/acpi.h"

#include "emu/boot/aml.h"

#include <stdio.h>

#define SLOTS 32u
#define PINS 4u
#define PCI_WINDOW_END 0xFEBFFFFFu
#define SCI_IRQ 9u

static const uint32_t link_irqs[] = {5, 10, 11};
static const uint32_t sci_irqs[] = {SCI_IRQ};

static void sleep_states(struct aml *aml)
{
    size_t package;

    aml_name(aml, "\\_S5");
    package = aml_package(aml, 4);
    for (unsigned i = 0; i < 4; i++)
        aml_integer(aml, 0);
    aml_close(aml, package);
}

static void bridge_windows(struct aml *aml, const struct acpi_config *config)
{
    size_t crs;

    aml_name(aml, "_CRS");
    crs = aml_resources(aml);
    aml_window_bus(aml, 0, 0xFF);
    aml_io(aml, 0x0CF8, 8);
    aml_window_io(aml, 0, 0x0CF7);
    aml_window_io(aml, 0x0D00, 0xFFFF);
    aml_window_memory(aml, true, 0xA0000, 0xBFFFF);
    aml_window_memory(aml, false, config->ram_below_4g, PCI_WINDOW_END);
    aml_resources_close(aml, crs);
}

/* Ports that no device claims but that nobody else may be given. */
static void motherboard(struct aml *aml, const struct acpi_config *config)
{
    size_t dev = aml_device(aml, "MBRD"), crs;

    aml_name_eisa(aml, "_HID", "PNP0C02");
    aml_name(aml, "_CRS");
    crs = aml_resources(aml);
    aml_io(aml, config->gpe0_base, 4);
    aml_io(aml, 0x00B2, 2);
    aml_resources_close(aml, crs);
    aml_close(aml, dev);

    dev = aml_device(aml, "FWCF");
    aml_name_string(aml, "_HID", "QEMU0002");
    aml_name_integer(aml, "_STA", 0x0B);
    aml_name(aml, "_CRS");
    crs = aml_resources(aml);
    aml_io(aml, 0x0510, 12);
    aml_resources_close(aml, crs);
    aml_close(aml, dev);
}

/* A device with one range of ports and one interrupt. */
static void isa_device(struct aml *aml, const char *name, const char *id,
                       unsigned unit, uint16_t port, uint8_t ports,
                       unsigned irq)
{
    size_t dev = aml_device(aml, name), crs;

    aml_name_eisa(aml, "_HID", id);
    if (unit)
        aml_name_integer(aml, "_UID", unit);
    aml_name_integer(aml, "_STA", 0x0F);
    aml_name(aml, "_CRS");
    crs = aml_resources(aml);
    if (ports)
        aml_io(aml, port, ports);
    /* The keyboard controller's two ports are not neighbours. */
    if (port == 0x60)
        aml_io(aml, 0x64, 1);
    aml_irq(aml, irq);
    aml_resources_close(aml, crs);
    aml_close(aml, dev);
}

static void floppy_controller(struct aml *aml)
{
    size_t dev = aml_device(aml, "FDC0"), crs;

    aml_name_eisa(aml, "_HID", "PNP0700");
    aml_name_integer(aml, "_STA", 0x0F);
    aml_name(aml, "_CRS");
    crs = aml_resources(aml);
    aml_io(aml, 0x03F2, 4);
    aml_io(aml, 0x03F7, 1);
    aml_irq(aml, 6);
    aml_dma(aml, 2);
    aml_resources_close(aml, crs);
    aml_close(aml, dev);
}

static void isa_bus(struct aml *aml, const struct acpi_config *config)
{
    size_t isa = aml_device(aml, "ISA");

    aml_name_integer(aml, "_ADR", 0x00010000);
    aml_operation_region(aml, "P40C", AML_PCI_CONFIG, 0x60, 4);
    isa_device(aml, "RTC", "PNP0B00", 0, 0x70, 8, 8);
    isa_device(aml, "KBD", "PNP0303", 0, 0x60, 1, 1);
    isa_device(aml, "MOU", "PNP0F13", 0, 0, 0, 12);
    if (config->floppy)
        floppy_controller(aml);
    if (config->serials & 1)
        isa_device(aml, "COM1", "PNP0501", 1, 0x3F8, 8, 4);
    if (config->serials & 2)
        isa_device(aml, "COM2", "PNP0501", 2, 0x2F8, 8, 3);
    aml_close(aml, isa);
}

/* The PIRQ registers, and what all link devices share. */
static void link_methods(struct aml *aml)
{
    static const uint32_t none[] = {0};
    size_t field, method, crs, test;

    field = aml_field(aml, "PCI0.ISA.P40C", AML_FIELD_BYTE);
    aml_field_unit(aml, "PRQ0", 8);
    aml_field_unit(aml, "PRQ1", 8);
    aml_field_unit(aml, "PRQ2", 8);
    aml_field_unit(aml, "PRQ3", 8);
    aml_close(aml, field);

    /* IQST (register): _STA, enabled unless bit 7 is set. */
    method = aml_method(aml, "IQST", 1, false);
    test = aml_if(aml);
    aml_op(aml, AML_AND);
    aml_integer(aml, 0x80);
    aml_op(aml, AML_ARG0);
    aml_op(aml, AML_ZERO); /* AND's result is not stored */
    aml_op(aml, AML_RETURN);
    aml_integer(aml, 0x09);
    aml_close(aml, test);
    aml_op(aml, AML_RETURN);
    aml_integer(aml, 0x0B);
    aml_close(aml, method);

    /* IQCR (register): _CRS, a template with the interrupt filled in. */
    method = aml_method(aml, "IQCR", 1, true);
    aml_name(aml, "PRR0");
    crs = aml_resources(aml);
    aml_interrupts(aml, none, 1);
    aml_resources_close(aml, crs);
    aml_op(aml, AML_CREATE_DWORD_FIELD);
    aml_path(aml, "PRR0");
    aml_integer(aml, 5); /* the interrupt's place in its descriptor */
    aml_path(aml, "PRRI");
    test = aml_if(aml);
    aml_op(aml, AML_LESS);
    aml_op(aml, AML_ARG0);
    aml_integer(aml, 0x80);
    aml_op(aml, AML_STORE);
    aml_op(aml, AML_ARG0);
    aml_path(aml, "PRRI");
    aml_close(aml, test);
    aml_op(aml, AML_RETURN);
    aml_path(aml, "PRR0");
    aml_close(aml, method);
}

/* A method that returns `function` of a PIRQ register. */
static void link_query(struct aml *aml, const char *name, const char *function,
                       const char *reg)
{
    size_t method = aml_method(aml, name, 0, false);

    aml_op(aml, AML_RETURN);
    aml_path(aml, function);
    aml_path(aml, reg);
    aml_close(aml, method);
}

static void link_choices(struct aml *aml, const char *name,
                         const uint32_t *irqs, uint8_t count)
{
    size_t resources;

    aml_name(aml, name);
    resources = aml_resources(aml);
    aml_interrupts(aml, irqs, count);
    aml_resources_close(aml, resources);
}

static void link_device(struct aml *aml, unsigned n)
{
    const char name[] = {'L', 'N', 'K', (char)('A' + n), 0};
    const char reg[] = {'P', 'R', 'Q', (char)('0' + n), 0};
    size_t dev = aml_device(aml, name), method;

    aml_name_eisa(aml, "_HID", "PNP0C0F");
    aml_name_integer(aml, "_UID", n);
    link_choices(aml, "_PRS", link_irqs,
                 sizeof(link_irqs) / sizeof(link_irqs[0]));
    link_query(aml, "_STA", "IQST", reg);
    link_query(aml, "_CRS", "IQCR", reg);

    method = aml_method(aml, "_DIS", 0, false);
    aml_op(aml, AML_OR);
    aml_path(aml, reg);
    aml_integer(aml, 0x80);
    aml_path(aml, reg);
    aml_close(aml, method);

    method = aml_method(aml, "_SRS", 1, false);
    aml_op(aml, AML_CREATE_DWORD_FIELD);
    aml_op(aml, AML_ARG0);
    aml_integer(aml, 5);
    aml_path(aml, "PRRI");
    aml_op(aml, AML_STORE);
    aml_path(aml, "PRRI");
    aml_path(aml, reg);
    aml_close(aml, method);
    aml_close(aml, dev);
}

static void sci_link(struct aml *aml)
{
    size_t dev = aml_device(aml, "LNKS"), method;

    aml_name_eisa(aml, "_HID", "PNP0C0F");
    aml_name_integer(aml, "_UID", 4);
    link_choices(aml, "_PRS", sci_irqs, 1);
    link_choices(aml, "_CRS", sci_irqs, 1);
    aml_name_integer(aml, "_STA", 0x0B);
    method = aml_method(aml, "_DIS", 0, false);
    aml_close(aml, method);
    method = aml_method(aml, "_SRS", 1, false);
    aml_close(aml, method);
    aml_close(aml, dev);
}

/* Each slot's four pins, rotated by the slot (devices/piix3.c). Slot 1 is the
 * PIIX itself, whose power management function interrupts by SCI. */
static void routing_table(struct aml *aml)
{
    size_t scope = aml_scope(aml, "\\_SB.PCI0"), table, entry;

    aml_name(aml, "_PRT");
    table = aml_package(aml, SLOTS * PINS);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned pin = 0; pin < PINS; pin++) {
            char link = (char)('A' + (slot + PINS - 1 + pin) % PINS);
            const char name[] = {'L', 'N', 'K',
                                 slot == 1 && pin == 0 ? 'S' : link, 0};

            entry = aml_package(aml, 4);
            aml_integer(aml, slot << 16 | 0xFFFF);
            aml_integer(aml, pin);
            aml_path(aml, name);
            aml_integer(aml, 0);
            aml_close(aml, entry);
        }
    }
    aml_close(aml, table);
    aml_close(aml, scope);
}

static void system_devices(struct aml *aml, const struct acpi_config *config)
{
    size_t scope = aml_scope(aml, "\\_SB"), dev, crs;

    if (config->hpet_id) {
        dev = aml_device(aml, "HPET");
        aml_name_eisa(aml, "_HID", "PNP0103");
        aml_name_integer(aml, "_UID", 0);
        aml_name_integer(aml, "_STA", 0x0F);
        aml_name(aml, "_CRS");
        crs = aml_resources(aml);
        aml_memory32(aml, false, 0xFED00000, 0x400);
        aml_resources_close(aml, crs);
        aml_close(aml, dev);
    }
    for (unsigned i = 0; i < config->cpus; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "CP%02X", i & 0xFF);
        aml_processor(aml, name, (uint8_t)i);
    }
    aml_close(aml, scope);

    scope = aml_scope(aml, "\\_GPE");
    aml_name_string(aml, "_HID", "ACPI0006");
    aml_close(aml, scope);
}

void acpi_dsdt(struct aml *aml, const struct acpi_config *config)
{
    size_t scope, dev;

    sleep_states(aml);

    scope = aml_scope(aml, "\\_SB");
    dev = aml_device(aml, "PCI0");
    aml_name_eisa(aml, "_HID", "PNP0A03");
    aml_name_integer(aml, "_ADR", 0);
    aml_name_integer(aml, "_UID", 0);
    bridge_windows(aml, config);
    motherboard(aml, config);
    isa_bus(aml, config);
    aml_close(aml, dev);

    link_methods(aml);
    for (unsigned i = 0; i < PINS; i++)
        link_device(aml, i);
    sci_link(aml);
    aml_close(aml, scope);

    routing_table(aml);
    system_devices(aml, config);
}
