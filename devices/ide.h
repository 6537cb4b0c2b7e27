/*
 * The IDE half of the PIIX3: two ATA channels at the legacy ports, and one PCI
 * bus-master function that serves both.
 *
 * The device maps its own legacy ports in init (through dev->io), because the
 * chip itself decodes them in compatibility mode; the guest places the bus
 * master block through BAR 4.
 *
 * Drives: dev->drive[0..3] are primary master, primary slave, secondary
 * master, secondary slave. The board must set them before device_init(); the
 * device then takes over each block's `changed` callback.
 */
#ifndef DEVICES_IDE_H
#define DEVICES_IDE_H

#include "devices/pci.h"
#include "emu/device.h"

#include <stdbool.h>

#define IDE_UNITS 4

/* Outputs: each channel's interrupt, which a PC wires to IRQ 14 and 15. */
enum ide_wire { IDE_WIRE_PRIMARY, IDE_WIRE_SECONDARY };

/* Banks, as read and write get them. */
enum ide_bank {
    IDE_BANK_COMMAND0,   /* 0x1F0, 8 ports; offset 0 is the data port and
                            takes 1, 2 and 4 bytes */
    IDE_BANK_CONTROL0,   /* 0x3F6, 1 port (0x3F7 is the floppy's) */
    IDE_BANK_COMMAND1,   /* 0x170, 8 ports */
    IDE_BANK_CONTROL1,   /* 0x376, 1 port */
    IDE_BANK_BUS_MASTER, /* BAR 4, 16 ports: 8 a channel */
    IDE_BANKS
};

/* What is on the cables. dev->config may be NULL: hard disks only. */
struct ide_config {
    struct {
        /* A CD-ROM is there even when drive[n] is NULL or has no medium in
         * it; a hard disk is there when drive[n] is not NULL. */
        bool cdrom;
        /* At most 40 and 20 characters; NULL chooses a name. */
        const char *model, *serial;
    } unit[IDE_UNITS];
};

extern const struct device_class ide_class;

/* The PCI function, for the host bridge (PIIX3 function 1). */
struct pci_function *ide_pci(struct device *dev);

/* Geometry that IDENTIFY DEVICE reports for hard disk `unit`, as a board's
 * CMOS wants it. False for a CD-ROM or an empty place. */
bool ide_geometry(struct device *dev, unsigned unit, unsigned *cylinders,
                  unsigned *heads, unsigned *sectors);

#endif
