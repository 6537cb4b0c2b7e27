/*
 * A standard VGA (IBM VGA, 256 KB in four planes) with the Bochs VBE
 * extension and a linear framebuffer: QEMU's `-vga std`, PCI 1234:1111.
 *
 * The device maps its own ports (3B4-3B5, 3BA, 3C0-3CF, 3D4-3D5, 3DA, dispi
 * 1CE-1D1) on dev->io and its window (A0000-BFFFF) on dev->memory when it is
 * initialised: a VGA decodes these addresses whatever its PCI command register
 * says here. The BARs and the ROM go where the guest puts them.
 */
#ifndef DEVICES_VGA_H
#define DEVICES_VGA_H

#include "devices/pci.h"
#include "emu/backend.h"
#include "emu/device.h"

#include <stddef.h>
#include <stdint.h>

/* dev->config of a vga; NULL means no ROM and 16 MB. */
struct vga_config {
    const uint8_t *rom;  /* the VGA BIOS, copied in init; NULL: none */
    size_t rom_bytes;    /* up to 16 MB */
    uint32_t vram_bytes; /* 256 KB to 256 MB, a power of two; 0: 16 MB */
};

/* No output wires and no input lines. */
extern const struct device_class vga_class;

/* The PCI function, for the host bridge. */
struct pci_function *vga_pci(struct device *dev);

/* Fills in what a window, a screendump and a text dump ask the device for.
 * The caller keeps `dev` alive as long as it uses the display. */
void vga_display(struct device *dev, struct display *display);

#endif
