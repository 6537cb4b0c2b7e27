/*
 * VGA: the Bochs VBE extension ("dispi") and the MMIO page of BAR 2, as
 * QEMU's docs/specs/standard-vga.txt and the Bochs VBE interface describe
 * them.
 *
 *      port 1CE  index, 16 bits          BAR 2 + 400  ports 3C0-3DF, bytes
 *      port 1CF  data, 16 bits           BAR 2 + 500  dispi registers, words
 *      port 1D0  data, the same          BAR 2 + 600  size of this block (8)
 *                                        BAR 2 + 604  framebuffer byte order
 *
 * Setting ENABLE.ENABLED starts a mode; from then on XRES, YRES, BPP, the
 * virtual size and the offsets decide what is shown (at 8 bits a pixel and
 * more), and the window at A0000 is 64 KB of plain memory at BANK.
 *
 * Not modelled: the EDID block at BAR 2 + 0 (reads as ones, which drivers
 * take for "no EDID"); 64 KB windows at other places.
 *
 * Invariant, kept by fix_up(): while enabled, BPP is 4, 8, 15, 16, 24 or 32;
 * 8 <= XRES <= VIRT_WIDTH; a pixel row, and the whole screen, fit in memory.
 */
#include "devices/vga_state.h"

#include <errno.h>

#define ID_LOWEST 0xB0C0u
#define ID_HIGHEST 0xB0C5u

#define BYTE_ORDER_LITTLE 0x1E1E1E1Eu
#define BYTE_ORDER_BIG 0xBEBEBEBEu

static bool bpp_known(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 ||
           bpp == 32;
}

/* Bytes (at 4 bits, plane bytes) of `pixels` pixels side by side. */
static uint32_t row_bytes(unsigned bpp, uint32_t pixels)
{
    return bpp == 4 ? pixels / 8 : pixels * ((bpp + 7) / 8);
}

uint32_t vga_vbe_pitch(const struct vga *v)
{
    return row_bytes(v->dispi[DISPI_BPP], v->dispi[DISPI_VIRT_WIDTH]);
}

uint64_t vga_vbe_start(const struct vga *v)
{
    return (uint64_t)v->dispi[DISPI_Y_OFFSET] * vga_vbe_pitch(v) +
           row_bytes(v->dispi[DISPI_BPP], v->dispi[DISPI_X_OFFSET]);
}

static uint16_t clamp(unsigned value, unsigned low, unsigned high)
{
    return (uint16_t)(value < low ? low : value > high ? high : value);
}

/* Brings the registers of an enabled mode into agreement with each other and
 * with the memory there is. Offsets that would show what is not there go back
 * to 0, as on QEMU. */
static void fix_up(struct vga *v)
{
    uint16_t *d = v->dispi;

    if (!vga_vbe_on(v))
        return;
    if (!bpp_known(d[DISPI_BPP]))
        d[DISPI_BPP] = 8;
    uint32_t memory = v->vram_bytes;
    if (d[DISPI_BPP] == 4)
        memory /= 4;

    d[DISPI_XRES] = clamp(d[DISPI_XRES] & ~7u, 8, DISPI_MAX_XRES);
    d[DISPI_VIRT_WIDTH] =
        clamp(d[DISPI_VIRT_WIDTH] & ~7u, d[DISPI_XRES], 0xFFF8);
    uint32_t pitch = vga_vbe_pitch(v);
    uint32_t most = memory / pitch; /* not 0: 256 KB hold 0xFFF8 x 32 bits */
    d[DISPI_YRES] =
        clamp(d[DISPI_YRES], 1, most < DISPI_MAX_YRES ? most : DISPI_MAX_YRES);
    d[DISPI_VIRT_HEIGHT] = clamp(most, 1, 0xFFFF);

    uint32_t shown = d[DISPI_YRES] * pitch;
    if (vga_vbe_start(v) > memory - shown) {
        d[DISPI_Y_OFFSET] = 0;
        if (vga_vbe_start(v) > memory - shown)
            d[DISPI_X_OFFSET] = 0;
    }
}

/* The chip's own registers follow, as on QEMU, so that a driver which knows
 * only dispi gets a usable window and a guest's VGA code sees what is up. */
static void set_up_chip(struct vga *v)
{
    bool planar = v->dispi[DISPI_BPP] == 4;

    v->gr[6] = (uint8_t)((v->gr[6] & ~0x0E) | 0x05); /* graphics at A0000 */
    v->gr[5] = (uint8_t)((v->gr[5] & ~0x70) | (planar ? 0 : 0x40));
    v->sr[4] = (uint8_t)((v->sr[4] & ~0x08) | (planar ? 0x06 : 0x0E));
    v->sr[2] |= 0x0F;
}

static void set_enable(struct vga *v, uint16_t value)
{
    uint16_t *d = v->dispi;
    bool was = vga_vbe_on(v);

    d[DISPI_ENABLE] = value & (DISPI_ENABLED | DISPI_GETCAPS | DISPI_8BIT_DAC |
                               DISPI_LFB | DISPI_NOCLEARMEM);
    if (!(value & DISPI_ENABLED)) {
        d[DISPI_BANK] = 0;
        return;
    }
    if (was) {
        fix_up(v);
        return;
    }
    d[DISPI_VIRT_WIDTH] = 0;
    d[DISPI_X_OFFSET] = d[DISPI_Y_OFFSET] = 0;
    fix_up(v);
    set_up_chip(v);
    if (!(value & DISPI_NOCLEARMEM)) {
        size_t bytes = (size_t)d[DISPI_YRES] * vga_vbe_pitch(v);
        memset(v->vram, 0, d[DISPI_BPP] == 4 ? bytes * 4 : bytes);
    }
}

static uint16_t register_read(const struct vga *v, unsigned index)
{
    if (index >= DISPI_REGISTERS)
        return 0;
    if (v->dispi[DISPI_ENABLE] & DISPI_GETCAPS) {
        switch (index) {
        case DISPI_XRES:
            return DISPI_MAX_XRES;
        case DISPI_YRES:
            return DISPI_MAX_YRES;
        case DISPI_BPP:
            return 32;
        default:
            break;
        }
    }
    if (index == DISPI_MEMORY_64K)
        return (uint16_t)(v->vram_bytes >> 16);
    return v->dispi[index];
}

static void register_write(struct vga *v, unsigned index, uint16_t value)
{
    switch (index) {
    case DISPI_ID:
        /* A driver asks for the version it knows and reads it back. */
        if (value >= ID_LOWEST && value <= ID_HIGHEST)
            v->dispi[DISPI_ID] = value;
        break;
    case DISPI_ENABLE:
        set_enable(v, value);
        break;
    case DISPI_BANK:
        v->dispi[DISPI_BANK] =
            value & (uint16_t)((v->dispi[DISPI_BPP] == 4 ? v->vram_bytes / 4
                                                         : v->vram_bytes) /
                                   0x10000 -
                               1);
        break;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_BPP:
    case DISPI_VIRT_WIDTH:
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET:
        v->dispi[index] = value;
        fix_up(v);
        break;
    default:
        break; /* VIRT_HEIGHT and MEMORY_64K are the hardware's to say */
    }
    vga_memory_update(v);
}

void vga_vbe_reset(struct vga *v)
{
    memset(v->dispi, 0, sizeof(v->dispi));
    v->dispi[DISPI_ID] = ID_HIGHEST;
    v->dispi_index = 0;
    v->big_endian = false;
}

int vga_vbe_loaded(struct vga *v)
{
    uint16_t saved[DISPI_REGISTERS];

    memcpy(saved, v->dispi, sizeof(saved));
    fix_up(v);
    return memcmp(saved, v->dispi, sizeof(saved)) ? -EINVAL : 0;
}

/* Ports 1CE-1D1. Words are what the interface has; a byte stands for a word
 * with a zero upper half, and a double word at 1CE for an index and its
 * data. */
uint64_t vga_dispi_read(struct vga *v, unsigned off, unsigned size)
{
    if (size > 2)
        return vga_dispi_read(v, off, 2) | vga_dispi_read(v, off + 2, size - 2)
                                               << 16;
    uint16_t value =
        off == 0 ? v->dispi_index : register_read(v, v->dispi_index);
    return off > 2 ? 0xFF : value;
}

void vga_dispi_write(struct vga *v, unsigned off, uint64_t value, unsigned size)
{
    if (size > 2) {
        vga_dispi_write(v, off, value & 0xFFFF, 2);
        vga_dispi_write(v, off + 2, value >> 16, size - 2);
    } else if (off == 0) {
        v->dispi_index = (uint16_t)value;
    } else if (off <= 2) {
        register_write(v, v->dispi_index, (uint16_t)value);
    }
}

static uint32_t extended_read(const struct vga *v, unsigned off)
{
    switch (off) {
    case 0x600:
        return 8;
    case 0x604:
        return v->big_endian ? BYTE_ORDER_BIG : BYTE_ORDER_LITTLE;
    default:
        return UINT32_MAX;
    }
}

uint64_t vga_mmio_read(struct vga *v, unsigned off, unsigned size)
{
    if (size == 8)
        return vga_mmio_read(v, off, 4) | vga_mmio_read(v, off + 4, 4) << 32;
    if (off >= 0x400 && off < 0x420) {
        uint64_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)vga_port_read(v, off - 0x400 + 0x3C0 + i)
                     << (i * 8);
        return value;
    }
    if (off >= 0x500 && off < 0x500 + 2 * DISPI_REGISTERS) {
        unsigned index = (off - 0x500) / 2;
        uint32_t value = register_read(v, index) |
                         (uint32_t)register_read(v, index + 1) << 16;
        return value >> (off & 1) * 8;
    }
    return extended_read(v, off);
}

void vga_mmio_write(struct vga *v, unsigned off, uint64_t value, unsigned size)
{
    if (size == 8) {
        vga_mmio_write(v, off, (uint32_t)value, 4);
        vga_mmio_write(v, off + 4, value >> 32, 4);
    } else if (off >= 0x400 && off < 0x420) {
        for (unsigned i = 0; i < size; i++)
            vga_port_write(v, off - 0x400 + 0x3C0 + i,
                           (uint8_t)(value >> (i * 8)));
    } else if (off >= 0x500 && off < 0x500 + 2 * DISPI_REGISTERS) {
        for (unsigned i = 0; i < size; i += 2)
            register_write(v, (off - 0x500 + i) / 2,
                           (uint16_t)(value >> (i * 8)));
    } else if (off == 0x604 && size == 4) {
        if (value == BYTE_ORDER_BIG)
            v->big_endian = true;
        else if (value == BYTE_ORDER_LITTLE)
            v->big_endian = false;
    }
}
