/*
 * 82441FX (i440FX) PCI and memory controller: the host bridge. It owns the
 * memory map: RAM, the firmware image, and what the first megabyte shows.
 */
#ifndef DEVICES_I440FX_H
#define DEVICES_I440FX_H

#include "devices/pci.h"
#include "emu/device.h"

#include <stdint.h>

extern const struct device_class i440fx_class;

/* Banks. CONFADD: 4 ports at 0xCF8; CONFDATA: 4 ports at 0xCFC. The banks
 * from I440FX_SHADOW on are the device's own (write-only shadow RAM). */
enum { I440FX_CONFADD, I440FX_CONFDATA, I440FX_SHADOW };

#define I440FX_BIOS_MAX (16u << 20)

struct i440fx_config {
    uint8_t *ram;          /* below_4g bytes, then above_4g bytes */
    uint64_t ram_below_4g; /* at least 1 MiB, whole pages */
    uint64_t ram_above_4g; /* at 4 GiB; may be 0 */
    /* The firmware: a whole number of pages, at most I440FX_BIOS_MAX. It ends
     * at 4 GiB; its last 128 KiB also show at 0xE0000 until shadowed. */
    uint8_t *bios;
    uint32_t bios_bytes;
    /* Who answers at port 0xCF9, which lies within CONFADD: accesses to it
     * that are not dword are passed on to this device's bank. NULL: nobody. */
    struct device *isa_bridge;
    unsigned isa_bridge_bank;
};

/* The bridge's own function, bus 0 device 0; plugged by its init. */
struct pci_function *i440fx_pci(struct device *dev);
/* Puts a function into bus 0 at devfn (device << 3 | function). 0, or -EEXIST
 * when the place is taken. The function must outlive the bridge. */
int i440fx_plug(struct device *dev, struct pci_function *function,
                unsigned devfn);
/* The function at devfn, or NULL. */
struct pci_function *i440fx_function(struct device *dev, unsigned devfn);

#endif
