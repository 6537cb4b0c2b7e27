/*
 * VGA: the window at A0000-BFFFF and the data path between the CPU and the
 * four planes. IBM PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem", graphics controller; and FreeVGA's notes.
 *
 *                     SR4, GR5, GR6                  GR0-GR3, GR5, GR8, latch
 *      CPU address ---> plane offset, planes (SR2) ---> set/reset, logic,
 *                                                       bit mask ---> vram
 *
 * Who selects the plane:
 *
 *      chain-4 (SR4.3)     address bits 1:0, which are 0 in the offset
 *      odd/even (!SR4.2)   address bit 0; GR6.1 takes it out of the offset
 *      otherwise           SR2 for writes, GR4 for reads
 *
 * What nearly every program does needs none of the data path, so the registers
 * are boiled down to an enum vga_path when they change; the window then costs
 * a compare and a store. A path is an optimisation only: VGA_PATH_SLOW gives
 * the same result for every register setting.
 *
 * Not modelled: SR4.1 (64 KB cards) and MISC.5, the odd/even page select; with
 * the window at 128 KB, address bit 16 is the odd/even page, as on the IBM.
 *
 * Invariants: an access off the selected part of the window reads as ones and
 * writes nothing. plane_mask * 4 + 3 < vram_bytes.
 */
#include "devices/vga_state.h"

static const uint32_t widened[16] = {
    0x00000000, 0x000000FF, 0x0000FF00, 0x0000FFFF, 0x00FF0000, 0x00FF00FF,
    0x00FFFF00, 0x00FFFFFF, 0xFF000000, 0xFF0000FF, 0xFF00FF00, 0xFF00FFFF,
    0xFFFF0000, 0xFFFF00FF, 0xFFFFFF00, 0xFFFFFFFF};

uint32_t vga_widen(unsigned bits)
{
    return widened[bits & 15];
}

static bool chain4(const struct vga *v)
{
    return (v->sr[4] & 0x08) != 0;
}

static bool odd_even_write(const struct vga *v)
{
    return !(v->sr[4] & 0x04);
}

static bool odd_even_read(const struct vga *v)
{
    return (v->gr[5] & 0x10) != 0;
}

static bool window_128k(const struct vga *v)
{
    return (v->gr[6] & 0x0C) == 0;
}

static enum vga_path choose_write_path(const struct vga *v)
{
    /* Write mode 0 with nothing in the way: the CPU's byte as it is. */
    bool plain = (v->gr[5] & 3) == 0 && (v->gr[1] & 15) == 0 && v->gr[3] == 0 &&
                 v->gr[8] == 0xFF;
    unsigned planes = v->sr[2] & 15;

    if (!plain)
        return VGA_PATH_SLOW;
    if (chain4(v))
        return planes == 15 && !vga_vbe_on(v) ? VGA_PATH_CHAIN4 : VGA_PATH_SLOW;
    if (odd_even_write(v))
        return planes == 3 && v->gr[6] & 0x02 && !window_128k(v)
                   ? VGA_PATH_ODD_EVEN
                   : VGA_PATH_SLOW;
    return v->gr[6] & 0x02 ? VGA_PATH_SLOW : VGA_PATH_PLANAR;
}

void vga_memory_update(struct vga *v)
{
    static const struct {
        uint32_t from, bytes;
    } maps[4] = {
        {0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    unsigned map = (v->gr[6] >> 2) & 3u;

    v->window_from = maps[map].from;
    v->window_bytes = v->misc & 0x02 ? maps[map].bytes : 0;
    v->bank_base = 0;
    v->plane_mask = 0xFFFF;
    v->map_mask = widened[v->sr[2] & 15];
    if (vga_vbe_on(v)) {
        v->plane_mask = v->vram_bytes / 4 - 1;
        v->bank_base = (uint32_t)v->dispi[DISPI_BANK] << 16;
        if (v->dispi[DISPI_BPP] != 4) {
            /* The chip is out of the way, whatever its registers hold. */
            v->window_from = 0;
            v->window_bytes = 0x10000;
            v->write_path = v->read_path = VGA_PATH_LINEAR;
            return;
        }
    }
    v->write_path = choose_write_path(v);
    v->read_path = chain4(v) && !(v->gr[5] & 0x08) && !vga_vbe_on(v)
                       ? VGA_PATH_CHAIN4
                       : VGA_PATH_SLOW;
}

/* Odd/even takes address bit 0 out of the offset. */
static uint32_t odd_even_offset(const struct vga *v, uint32_t a)
{
    if (!(v->gr[6] & 0x02))
        return a;
    return window_128k(v) ? (a & 0xFFFE) | ((a >> 16) & 1) : a & ~1u;
}

static uint8_t read_byte(struct vga *v, uint32_t a)
{
    uint32_t offset = a;
    unsigned plane = v->gr[4] & 3;

    if (chain4(v)) {
        plane = a & 3;
        offset = a & ~3u;
    } else if (odd_even_read(v)) {
        plane = (plane & 2) | (a & 1);
        offset = odd_even_offset(v, a);
    } else {
        offset = odd_even_offset(v, a);
    }
    v->latch = vga_load32(vga_cell(v, v->bank_base + offset));
    if (!(v->gr[5] & 0x08))
        return (uint8_t)(v->latch >> (plane * 8));

    /* Read mode 1: a 1 wherever all planes that matter equal GR2. */
    uint32_t differ =
        (v->latch ^ widened[v->gr[2] & 15]) & widened[v->gr[7] & 15];
    differ |= differ >> 16;
    differ |= differ >> 8;
    return (uint8_t)~differ;
}

static uint32_t logic(const struct vga *v, uint32_t data)
{
    switch (v->gr[3] >> 3) {
    case 1:
        return data & v->latch;
    case 2:
        return data | v->latch;
    case 3:
        return data ^ v->latch;
    default:
        return data;
    }
}

/* What the CPU's byte makes of the four plane bytes. */
static uint32_t data_path(const struct vga *v, uint8_t value)
{
    unsigned rotate = v->gr[3] & 7u;
    uint8_t rotated = (uint8_t)(value >> rotate | value << (8 - rotate));
    uint8_t mask = v->gr[8];
    uint32_t data, bits;

    switch (v->gr[5] & 3) {
    case 0:
        bits = widened[v->gr[1] & 15];
        data =
            (rotated * 0x01010101u & ~bits) | (widened[v->gr[0] & 15] & bits);
        break;
    case 1:
        return v->latch;
    case 2:
        data = widened[value & 15];
        break;
    default:
        mask &= rotated;
        data = widened[v->gr[0] & 15];
    }
    data = logic(v, data);
    bits = mask * 0x01010101u;
    return (data & bits) | (v->latch & ~bits);
}

static void write_byte(struct vga *v, uint32_t a, uint8_t value)
{
    uint32_t offset = a;
    unsigned planes = v->sr[2] & 15;

    if (chain4(v)) {
        planes &= 1u << (a & 3);
        offset = a & ~3u;
    } else {
        if (odd_even_write(v))
            planes &= a & 1 ? 0xAu : 0x5u;
        offset = odd_even_offset(v, a);
    }
    uint8_t *cell = vga_cell(v, v->bank_base + offset);
    uint32_t enabled = widened[planes];
    vga_store32(cell, (vga_load32(cell) & ~enabled) |
                          (data_path(v, value) & enabled));
}

/* VBE's window: `a` counts bytes of video memory. Split where memory wraps. */
static uint64_t linear_read(const struct vga *v, uint32_t a, unsigned size)
{
    uint32_t at = (v->bank_base + a) & (v->vram_bytes - 1);
    uint64_t value = 0;

    if (at + size <= v->vram_bytes) {
        memcpy(&value, v->vram + at, size);
        return le64toh(value);
    }
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)v->vram[(at + i) & (v->vram_bytes - 1)] << (i * 8);
    return value;
}

static void linear_write(struct vga *v, uint32_t a, uint64_t value,
                         unsigned size)
{
    uint32_t at = (v->bank_base + a) & (v->vram_bytes - 1);

    if (at + size <= v->vram_bytes) {
        value = htole64(value);
        memcpy(v->vram + at, &value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        v->vram[(at + i) & (v->vram_bytes - 1)] = (uint8_t)(value >> (i * 8));
}

static uint64_t chain4_read(struct vga *v, uint32_t a, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size;) {
        uint32_t at = a + i;
        v->latch = vga_load32(vga_cell(v, at & ~3u));
        if ((at & 3) == 0 && size - i >= 4) {
            value |= (uint64_t)v->latch << (i * 8);
            i += 4;
        } else {
            value |= (uint64_t)(uint8_t)(v->latch >> (at & 3) * 8) << (i * 8);
            i++;
        }
    }
    return value;
}

static void chain4_write(struct vga *v, uint32_t a, uint64_t value,
                         unsigned size)
{
    for (unsigned i = 0; i < size;) {
        uint8_t *cell = vga_cell(v, (a + i) & ~3u);
        if (((a + i) & 3) == 0 && size - i >= 4) {
            vga_store32(cell, (uint32_t)(value >> (i * 8)));
            i += 4;
        } else {
            cell[(a + i) & 3] = (uint8_t)(value >> (i * 8));
            i++;
        }
    }
}

/* The whole access must lie in the selected part of the window; what straddles
 * its edge goes byte by byte. Returns false when it does not. */
static inline bool inside(const struct vga *v, uint32_t off, unsigned size)
{
    return off >= v->window_from &&
           off - v->window_from + size <= v->window_bytes;
}

uint64_t vga_memory_read(struct vga *v, uint32_t off, unsigned size)
{
    uint64_t value = 0;

    if (inside(v, off, size)) {
        uint32_t a = off - v->window_from;
        if (v->read_path == VGA_PATH_LINEAR)
            return linear_read(v, a, size);
        if (v->read_path == VGA_PATH_CHAIN4)
            return chain4_read(v, a, size);
        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)read_byte(v, a + i) << (i * 8);
        return value;
    }
    if (size == 1)
        return 0xFF;
    for (unsigned i = 0; i < size; i++)
        value |= vga_memory_read(v, off + i, 1) << (i * 8);
    return value;
}

void vga_memory_write(struct vga *v, uint32_t off, uint64_t value,
                      unsigned size)
{
    if (!inside(v, off, size)) {
        for (unsigned i = 0; size > 1 && i < size; i++)
            vga_memory_write(v, off + i, (uint8_t)(value >> (i * 8)), 1);
        return;
    }

    uint32_t a = off - v->window_from;
    switch (v->write_path) {
    case VGA_PATH_LINEAR:
        linear_write(v, a, value, size);
        break;
    case VGA_PATH_CHAIN4:
        chain4_write(v, a, value, size);
        break;
    case VGA_PATH_ODD_EVEN:
        for (unsigned i = 0; i < size; i++)
            vga_cell(v, v->bank_base + ((a + i) & ~1u))[(a + i) & 1] =
                (uint8_t)(value >> (i * 8));
        break;
    case VGA_PATH_PLANAR:
        for (unsigned i = 0; i < size; i++) {
            uint8_t *cell = vga_cell(v, v->bank_base + a + i);
            uint32_t data = (uint8_t)(value >> (i * 8)) * 0x01010101u;
            vga_store32(cell, (vga_load32(cell) & ~v->map_mask) |
                                  (data & v->map_mask));
        }
        break;
    default:
        for (unsigned i = 0; i < size; i++)
            write_byte(v, a + i, (uint8_t)(value >> (i * 8)));
    }
}
