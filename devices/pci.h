/*
 * A PCI function: 256 bytes of configuration space (PCI 2.2, chapter 6), its
 * base address registers, and where they put the function's regions.
 *
 * A device that is a PCI function embeds one struct pci_function in its
 * state, fills it in its init, and hands it to the board through
 * `struct pci_function *xxx_pci(struct device *)`. The host bridge (i440fx.c)
 * finds functions by bus 0 device/function number.
 */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include "emu/bus.h"
#include "emu/device.h"

#include <stdbool.h>
#include <stdint.h>

#define PCI_BARS 6

/* Offsets in configuration space. */
enum {
    PCI_VENDOR = 0x00, PCI_DEVICE = 0x02, PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06, PCI_REVISION = 0x08, PCI_PROG_IF = 0x09,
    PCI_CLASS = 0x0A, PCI_HEADER_TYPE = 0x0E, PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2C, PCI_SUBSYSTEM = 0x2E, PCI_ROM = 0x30,
    PCI_INTERRUPT_LINE = 0x3C, PCI_INTERRUPT_PIN = 0x3D,
};
/* PCI_COMMAND */
enum { PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4 };

struct pci_bar {
    struct region region; /* size 0: this BAR is not implemented */
    bool io;
    bool prefetchable;
};

struct pci_function {
    struct device *dev;
    uint8_t config[256];
    uint8_t writable[256]; /* a 1 bit is one that the guest can change */
    struct pci_bar bar[PCI_BARS];
    struct pci_bar rom; /* expansion ROM; region.kind is REGION_ROM */
    /* After a configuration write was stored; may be NULL. */
    void (*written)(struct pci_function *function, unsigned off, unsigned size);
};

/* Fills the header. `class_code` is class << 8 | subclass. Pin 0 = none, 1 =
 * INTA#. Command and interrupt line become writable. */
void pci_init(struct pci_function *function, struct device *dev,
              uint16_t vendor, uint16_t device, uint16_t class_code,
              uint8_t prog_if, uint8_t revision, unsigned pin);
/* Implements BAR n. `region` needs name, size (a power of two), kind, and
 * host or dev+bank; the guest decides the base. */
void pci_add_bar(struct pci_function *function, unsigned n,
                 struct region region, bool io, bool prefetchable);
void pci_add_rom(struct pci_function *function, struct region region);

/* Unmaps everything and clears command and BARs. */
void pci_reset(struct pci_function *function);
/* A guest's access, 1, 2 or 4 bytes within the 256. Writes move regions as
 * BARs and the command register say; a place that is taken is logged and the
 * region stays unmapped until it is moved. */
uint32_t pci_config_read(struct pci_function *function, unsigned off,
                         unsigned size);
void pci_config_write(struct pci_function *function, unsigned off,
                      uint32_t value, unsigned size);
/* Little-endian accessors for a device's own use (no write masks). */
uint16_t pci_get16(const struct pci_function *function, unsigned off);
void pci_set16(struct pci_function *function, unsigned off, uint16_t value);
void pci_set32(struct pci_function *function, unsigned off, uint32_t value);
/* Maps BARs again after config was loaded from a snapshot. */
void pci_remap(struct pci_function *function);

#endif
