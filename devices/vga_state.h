/*
 * The VGA's inside, shared by its five files:
 *
 *      ports ----> vga.c  --------.           .---> vga_render.c (pixels)
 *      dispi ----> vga_vbe.c ------> struct vga ---> vga_text.c   (UTF-8)
 *      window ---> vga_memory.c --'   and vram
 *
 * Video memory is kept as the hardware's four planes side by side: the byte of
 * plane p at plane offset a is vram[4 * a + p]. One 32-bit load is what the
 * hardware latches and what the shift registers get. It also makes the linear
 * framebuffer of the 8-bit and deeper VBE modes plain memory.
 *
 * Invariant: every index register is masked when it is written, and every
 * video memory address when it is used. No register value is trusted.
 */
#ifndef DEVICES_VGA_STATE_H
#define DEVICES_VGA_STATE_H

#include "devices/pci.h"
#include "emu/device.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Banks of device_class.read and .write. A bank from 0x3B0 up is the port that
 * the region starts at. */
enum vga_bank {
    VGA_BANK_WINDOW = 1, /* A0000-BFFFF */
    VGA_BANK_MMIO = 2,   /* BAR 2 */
    VGA_BANK_DISPI = 3,  /* ports 1CE-1D1 */
    VGA_BANK_PORTS = 0x3B0,
};

#define VGA_PORT_RANGES 5
#define VGA_WINDOW_BASE 0xA0000u
#define VGA_WINDOW_BYTES 0x20000u

/* Dispi registers (Bochs VBE). */
enum {
    DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK,
    DISPI_VIRT_WIDTH, DISPI_VIRT_HEIGHT, DISPI_X_OFFSET, DISPI_Y_OFFSET,
    DISPI_MEMORY_64K, DISPI_REGISTERS
};
/* DISPI_ENABLE */
enum {
    DISPI_ENABLED = 0x01, DISPI_GETCAPS = 0x02, DISPI_8BIT_DAC = 0x20,
    DISPI_LFB = 0x40, DISPI_NOCLEARMEM = 0x80
};
#define DISPI_MAX_XRES 2560u
#define DISPI_MAX_YRES 1600u

/* How the window is reached now: the ways that need no thought, and the one
 * that does. Derived from the registers by vga_memory_update(). */
enum vga_path {
    VGA_PATH_SLOW,     /* byte by byte through the whole data path */
    VGA_PATH_LINEAR,   /* VBE's banked window: plain memory */
    VGA_PATH_CHAIN4,   /* mode 13h, every plane enabled, no logic */
    VGA_PATH_ODD_EVEN, /* text, planes 0 and 1 enabled, no logic */
    VGA_PATH_PLANAR,   /* any map mask, write mode 0, no logic */
};

struct vga {
    struct device *dev;
    struct pci_function pci;
    uint8_t *vram;
    uint32_t vram_bytes; /* a power of two */
    uint8_t *rom;
    struct region window, dispi_ports, ports[VGA_PORT_RANGES];

    uint8_t misc;    /* miscellaneous output, 3C2/3CC */
    uint8_t feature; /* feature control, 3DA/3CA */
    uint8_t sr_index, sr[8];
    uint8_t gr_index, gr[16];
    uint8_t cr_index, cr[32];
    uint8_t ar_index; /* bits 4:0 index, bit 5 palette address source */
    uint8_t ar[32];
    bool ar_data; /* the flip-flop: the next write to 3C0 is data */
    uint8_t dac[768], dac_mask;
    uint8_t dac_read_index, dac_write_index;
    uint8_t dac_component; /* 0 to 2: which of red, green, blue is next */
    uint8_t dac_state;     /* 3C7: 0 after a write index, 3 after a read's */
    uint32_t latch;        /* plane p is bits 8p+7:8p */
    uint16_t dispi_index, dispi[DISPI_REGISTERS];
    bool big_endian; /* framebuffer's byte order, BAR 2 offset 0x604 */

    /* Derived. */
    enum vga_path write_path, read_path;
    uint32_t window_from, window_bytes; /* within A0000-BFFFF; 0: closed */
    uint32_t bank_base;                 /* bytes, or plane bytes when planar */
    uint32_t plane_mask;                /* plane offsets are within this */
    uint32_t map_mask; /* SR2 with each bit widened to a byte */
};

static inline bool vga_vbe_on(const struct vga *v)
{
    return (v->dispi[DISPI_ENABLE] & DISPI_ENABLED) != 0;
}

static inline uint32_t vga_load32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return le32toh(value);
}

static inline void vga_store32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
}

/* The four bytes latched for plane offset `offset`. */
static inline uint8_t *vga_cell(const struct vga *v, uint32_t offset)
{
    return v->vram + (size_t)(offset & v->plane_mask) * 4;
}

/* Widens each of the low four bits to a byte of the same plane. */
uint32_t vga_widen(unsigned bits);

/* What the CRTC's timing registers make of the screen. Units are lines and
 * dots; a dot is a pixel of the line buffer, before any doubling. */
struct vga_geometry {
    unsigned dots_per_char; /* 8 or 9 */
    unsigned columns;       /* characters displayed, 1 to 256 */
    unsigned lines;         /* scan lines displayed, 1 to 1024 */
    unsigned row_lines;     /* scan lines a character row, 1 to 32 */
    bool line_doubling;     /* CR9.7: each row scan twice */
    bool dot_doubling;      /* SR1.3: the dot clock is halved */
    unsigned line_compare;
};
struct vga_geometry vga_geometry(const struct vga *v);

/* vga.c: one byte of ports 3B0 to 3DF; also reached through BAR 2. */
uint8_t vga_port_read(struct vga *v, unsigned port);
void vga_port_write(struct vga *v, unsigned port, uint8_t value);

/* vga_memory.c */
void vga_memory_update(struct vga *v); /* after any register that matters */
uint64_t vga_memory_read(struct vga *v, uint32_t off, unsigned size);
void vga_memory_write(struct vga *v, uint32_t off, uint64_t value,
                      unsigned size);

/* vga_vbe.c */
void vga_vbe_reset(struct vga *v);
/* 0, or -EINVAL for registers that no guest could have left so. */
int vga_vbe_loaded(struct vga *v);
uint64_t vga_dispi_read(struct vga *v, unsigned off, unsigned size);
void vga_dispi_write(struct vga *v, unsigned off, uint64_t value,
                     unsigned size);
uint64_t vga_mmio_read(struct vga *v, unsigned off, unsigned size);
void vga_mmio_write(struct vga *v, unsigned off, uint64_t value, unsigned size);
/* Bytes from one line to the next (plane bytes at 4 bits a pixel). */
uint32_t vga_vbe_pitch(const struct vga *v);
/* Byte (or plane byte) of the screen's top left pixel. */
uint64_t vga_vbe_start(const struct vga *v);

/* Plane offset the CRTC fetches from at this counter and row scan. */
uint32_t vga_fetch_offset(const struct vga *v, uint32_t counter, unsigned row);

/* vga_render.c, vga_text.c: struct display's functions; ctx is the device. */
void vga_render(void *ctx, struct surface *surface);
size_t vga_text(void *ctx, char *text, size_t size);

#endif
