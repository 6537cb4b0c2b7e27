/*
 * VGA: the registers behind the I/O ports, the raster's timing, and the
 * device's life. IBM PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem"; names of registers are SRn (sequencer), CRn (CRTC), GRn
 * (graphics controller), ARn (attribute controller).
 *
 *      3C0/3C1 attribute   3C4/3C5 sequencer   3C6-3C9 DAC
 *      3CE/3CF graphics    3x4/3x5 CRTC        3xA status   (x: B or D)
 *
 * MISC bit 0 chooses 3Bx (monochrome) or 3Dx; the other set does not answer.
 *
 * Not modelled: the vertical retrace interrupt (IRQ 2; few cards wire it), the
 * sequencer's reset states, the diagnostic bits 5:4 of status 1, light pen,
 * and PCI's VGA palette snooping.
 *
 * Invariant: ports work a byte at a time; wider accesses are bytes in order.
 */
#include "devices/vga.h"

#include "devices/vga_state.h"

#include <errno.h>
#include <stdlib.h>

/* Bits that exist; the rest read as 0. */
static const uint8_t sr_bits[8] = {0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF};
static const uint8_t gr_bits[16] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03,
                                    0x7B, 0x0F, 0x0F, 0xFF};
static const uint8_t ar_bits[32] = {
    0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F,
    0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0xEF, 0xFF, 0x3F, 0x0F, 0x0F};

enum { CR_LAST = 0x18, AR_PAS = 0x20 };

struct vga_geometry vga_geometry(const struct vga *v)
{
    struct vga_geometry g;
    unsigned overflow = v->cr[0x07], scan = v->cr[0x09];

    g.dots_per_char = v->sr[1] & 0x01 ? 8 : 9;
    g.dot_doubling = (v->sr[1] & 0x08) != 0;
    g.columns = v->cr[0x01] + 1u;
    g.lines =
        (v->cr[0x12] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1u;
    g.row_lines = (scan & 0x1F) + 1;
    g.line_doubling = (scan & 0x80) != 0;
    g.line_compare = v->cr[0x18] | (overflow & 0x10) << 4 | (scan & 0x40) << 3;
    return g;
}

/*
 * Where the beam is. Status 1 is what programs wait on, so it follows from the
 * virtual clock and the timing registers:
 *
 *      bit 3  vertical retrace        bit 0  not displaying (either blank)
 */
static uint8_t status_1(struct vga *v)
{
    unsigned total_dots, total_lines, shown_dots, shown_lines, start, length;
    uint64_t hz;

    if (vga_vbe_on(v)) {
        /* A VBE mode sets no timing: 60 Hz with a classic frame's shape. */
        total_dots = 100, shown_dots = 80;
        total_lines = 525, shown_lines = 480;
        start = 490, length = 2;
        hz = 60u * 100 * 525;
    } else {
        struct vga_geometry g = vga_geometry(v);
        unsigned overflow = v->cr[0x07];
        total_dots = (v->cr[0x00] + 5u) * g.dots_per_char;
        total_lines =
            (v->cr[0x06] | (overflow & 0x01) << 8 | (overflow & 0x20) << 4) +
            2u;
        shown_dots = g.columns * g.dots_per_char;
        shown_lines = g.lines;
        start = v->cr[0x10] | (overflow & 0x04) << 6 | (overflow & 0x80) << 2;
        /* The end is compared in four bits only. */
        length = (v->cr[0x11] - start) & 0x0F;
        if (length == 0)
            length = 16;
        /* A raster without retrace would hang whoever waits for one. */
        if (start >= total_lines)
            start = total_lines - 1;
        hz = (v->misc & 0x0C) == 0x04 ? 28322000 : 25175000;
        if (g.dot_doubling)
            hz /= 2;
    }

    uint64_t ticks = clock_ticks(v->dev->clock, hz);
    unsigned dot = (unsigned)(ticks % ((uint64_t)total_dots * total_lines));
    unsigned line = dot / total_dots;
    unsigned column = dot % total_dots;
    uint8_t status = 0;
    if (line >= start && line - start < length)
        status |= 0x08;
    if (line >= shown_lines || column >= shown_dots)
        status |= 0x01;
    return status;
}

static uint8_t dac_data_read(struct vga *v)
{
    uint8_t value = v->dac[v->dac_read_index * 3u + v->dac_component];

    if (++v->dac_component == 3) {
        v->dac_component = 0;
        v->dac_read_index++;
    }
    return value;
}

static void dac_data_write(struct vga *v, uint8_t value)
{
    if (!(v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC))
        value &= 0x3F;
    v->dac[v->dac_write_index * 3u + v->dac_component] = value;
    if (++v->dac_component == 3) {
        v->dac_component = 0;
        v->dac_write_index++;
    }
}

static void attribute_write(struct vga *v, uint8_t value)
{
    unsigned index = v->ar_index & 0x1Fu;

    if (!v->ar_data) {
        v->ar_index = value & 0x3F;
    } else if (index >= 0x10 || !(v->ar_index & AR_PAS)) {
        /* While the palette feeds the screen (PAS) it cannot be written. */
        v->ar[index] = value & ar_bits[index];
    }
    v->ar_data = !v->ar_data;
}

static void crtc_write(struct vga *v, uint8_t value)
{
    unsigned index = v->cr_index;

    if (index > CR_LAST)
        return;
    /* CR11.7 protects CR0 to CR7, but for the line compare bit in CR7. */
    if (index <= 0x07 && v->cr[0x11] & 0x80) {
        if (index == 0x07)
            v->cr[0x07] = (uint8_t)((v->cr[0x07] & ~0x10) | (value & 0x10));
        return;
    }
    v->cr[index] = value;
}

/* Does this port answer as MISC bit 0 has it? */
static bool decoded(const struct vga *v, unsigned port)
{
    switch (port & ~0x0Fu) {
    case 0x3B0:
        return !(v->misc & 1);
    case 0x3D0:
        return v->misc & 1;
    default:
        return true;
    }
}

uint8_t vga_port_read(struct vga *v, unsigned port)
{
    if (!decoded(v, port))
        return 0xFF;
    switch (port) {
    case 0x3C0:
        return v->ar_index;
    case 0x3C1:
        return v->ar[v->ar_index & 0x1F];
    case 0x3C2:
        return 0x10; /* status 0: a colour display is there, no interrupt */
    case 0x3C4:
        return v->sr_index;
    case 0x3C5:
        return v->sr[v->sr_index & 7];
    case 0x3C6:
        return v->dac_mask;
    case 0x3C7:
        return v->dac_state;
    case 0x3C8:
        return v->dac_write_index;
    case 0x3C9:
        return dac_data_read(v);
    case 0x3CA:
        return v->feature;
    case 0x3CC:
        return v->misc;
    case 0x3CE:
        return v->gr_index;
    case 0x3CF:
        return v->gr[v->gr_index & 15];
    case 0x3B4:
    case 0x3D4:
        return v->cr_index;
    case 0x3B5:
    case 0x3D5:
        return v->cr[v->cr_index & 31];
    case 0x3BA:
    case 0x3DA:
        v->ar_data = false;
        return status_1(v);
    default:
        return 0xFF;
    }
}

void vga_port_write(struct vga *v, unsigned port, uint8_t value)
{
    if (!decoded(v, port))
        return;
    switch (port) {
    case 0x3C0:
        attribute_write(v, value);
        break;
    case 0x3C2:
        v->misc = value & 0xEF;
        vga_memory_update(v);
        break;
    case 0x3C4:
        v->sr_index = value & 7;
        break;
    case 0x3C5:
        v->sr[v->sr_index & 7] = value & sr_bits[v->sr_index & 7];
        vga_memory_update(v);
        break;
    case 0x3C6:
        v->dac_mask = value;
        break;
    case 0x3C7:
        v->dac_read_index = value;
        v->dac_component = 0;
        v->dac_state = 3;
        break;
    case 0x3C8:
        v->dac_write_index = value;
        v->dac_component = 0;
        v->dac_state = 0;
        break;
    case 0x3C9:
        dac_data_write(v, value);
        break;
    case 0x3CE:
        v->gr_index = value & 15;
        break;
    case 0x3CF:
        v->gr[v->gr_index & 15] = value & gr_bits[v->gr_index & 15];
        vga_memory_update(v);
        break;
    case 0x3B4:
    case 0x3D4:
        v->cr_index = value & 31;
        break;
    case 0x3B5:
    case 0x3D5:
        crtc_write(v, value);
        break;
    case 0x3BA:
    case 0x3DA:
        v->feature = value & 0x0B;
        break;
    default:
        break;
    }
}

static uint64_t vga_read(struct device *dev, unsigned bank, uint64_t off,
                         unsigned size)
{
    struct vga *v = dev->state;
    uint64_t value = 0;

    switch (bank) {
    case VGA_BANK_WINDOW:
        return vga_memory_read(v, (uint32_t)off, size);
    case VGA_BANK_MMIO:
        return vga_mmio_read(v, (unsigned)off, size);
    case VGA_BANK_DISPI:
        return vga_dispi_read(v, (unsigned)off, size);
    default:
        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)vga_port_read(v, bank + (unsigned)off + i)
                     << (i * 8);
        return value;
    }
}

static void vga_write(struct device *dev, unsigned bank, uint64_t off,
                      uint64_t value, unsigned size)
{
    struct vga *v = dev->state;

    switch (bank) {
    case VGA_BANK_WINDOW:
        vga_memory_write(v, (uint32_t)off, value, size);
        break;
    case VGA_BANK_MMIO:
        vga_mmio_write(v, (unsigned)off, value, size);
        break;
    case VGA_BANK_DISPI:
        vga_dispi_write(v, (unsigned)off, value, size);
        break;
    default:
        for (unsigned i = 0; i < size; i++)
            vga_port_write(v, bank + (unsigned)off + i,
                           (uint8_t)(value >> (i * 8)));
    }
}

/* A page-aligned block that a REGION_RAM or _ROM can stand on. */
static uint8_t *alloc_pages(size_t size)
{
    void *block = NULL;

    if (posix_memalign(&block, 4096, size))
        return NULL;
    return block;
}

static int add_rom(struct vga *v, const struct vga_config *config)
{
    size_t size = 4096;

    if (config->rom_bytes > (16u << 20))
        return -EINVAL;
    while (size < config->rom_bytes)
        size *= 2;
    v->rom = alloc_pages(size);
    if (!v->rom)
        return -ENOMEM;
    memset(v->rom, 0xFF, size);
    memcpy(v->rom, config->rom, config->rom_bytes);
    pci_add_rom(&v->pci, (struct region){.name = "vga.rom",
                                         .size = size,
                                         .kind = REGION_ROM,
                                         .host = v->rom,
                                         .dev = v->dev});
    return 0;
}

static int map_legacy(struct vga *v)
{
    static const struct {
        const char *name;
        uint16_t base, size;
    } ranges[VGA_PORT_RANGES] = {
        {"vga.crtc-mono", 0x3B4, 2}, {"vga.status-mono", 0x3BA, 1},
        {"vga", 0x3C0, 16},          {"vga.crtc", 0x3D4, 2},
        {"vga.status", 0x3DA, 1},
    };
    int error = 0;

    for (unsigned i = 0; i < VGA_PORT_RANGES && !error; i++) {
        v->ports[i] = (struct region){.name = ranges[i].name,
                                      .base = ranges[i].base,
                                      .size = ranges[i].size,
                                      .kind = REGION_DEVICE,
                                      .dev = v->dev,
                                      .bank = ranges[i].base};
        error = bus_map(v->dev->io, &v->ports[i]);
    }
    if (error)
        return error;
    v->dispi_ports = (struct region){.name = "vga.dispi",
                                     .base = 0x1CE,
                                     .size = 4,
                                     .kind = REGION_DEVICE,
                                     .dev = v->dev,
                                     .bank = VGA_BANK_DISPI};
    error = bus_map(v->dev->io, &v->dispi_ports);
    if (error)
        return error;
    v->window = (struct region){.name = "vga.window",
                                .base = VGA_WINDOW_BASE,
                                .size = VGA_WINDOW_BYTES,
                                .kind = REGION_DEVICE,
                                .dev = v->dev,
                                .bank = VGA_BANK_WINDOW};
    return bus_map(v->dev->memory, &v->window);
}

static int vga_init(struct device *dev)
{
    struct vga *v = dev->state;
    const struct vga_config *config = dev->config;
    uint32_t size = config ? config->vram_bytes : 0;

    v->dev = dev;
    if (size == 0)
        size = 16u << 20;
    if (size & (size - 1) || size < 256u << 10 || size > 256u << 20)
        return -EINVAL;
    v->vram = alloc_pages(size);
    if (!v->vram)
        return -ENOMEM;
    memset(v->vram, 0, size);
    v->vram_bytes = size;

    pci_init(&v->pci, dev, 0x1234, 0x1111, 0x0300, 0, 2, 0);
    pci_set16(&v->pci, PCI_SUBSYSTEM_VENDOR, 0x1AF4);
    pci_set16(&v->pci, PCI_SUBSYSTEM, 0x1100);
    pci_add_bar(&v->pci, 0,
                (struct region){.name = "vga.vram",
                                .size = size,
                                .kind = REGION_RAM,
                                .host = v->vram,
                                .dev = dev},
                false, true);
    pci_add_bar(&v->pci, 2,
                (struct region){.name = "vga.mmio",
                                .size = 4096,
                                .kind = REGION_DEVICE,
                                .dev = dev,
                                .bank = VGA_BANK_MMIO},
                false, false);
    if (config && config->rom && config->rom_bytes) {
        int error = add_rom(v, config);
        if (error)
            return error;
    }
    return map_legacy(v);
}

static void vga_reset(struct device *dev)
{
    struct vga *v = dev->state;

    pci_reset(&v->pci);
    v->misc = v->feature = 0;
    v->sr_index = v->gr_index = v->cr_index = v->ar_index = 0;
    v->ar_data = false;
    memset(v->sr, 0, sizeof(v->sr));
    memset(v->gr, 0, sizeof(v->gr));
    memset(v->cr, 0, sizeof(v->cr));
    memset(v->ar, 0, sizeof(v->ar));
    memset(v->dac, 0, sizeof(v->dac));
    v->dac_mask = 0xFF;
    v->dac_read_index = v->dac_write_index = 0;
    v->dac_component = v->dac_state = 0;
    v->latch = 0;
    vga_vbe_reset(v);
    vga_memory_update(v);
}

static int vga_loaded(struct device *dev)
{
    struct vga *v = dev->state;

    if (v->sr_index > 7 || v->gr_index > 15 || v->cr_index > 31 ||
        v->ar_index > 63 || v->dac_component > 2)
        return -EINVAL;
    if (vga_vbe_loaded(v))
        return -EINVAL;
    pci_remap(&v->pci);
    vga_memory_update(v);
    return 0;
}

static void vga_fini(struct device *dev)
{
    struct vga *v = dev->state;

    free(v->vram);
    free(v->rom);
    v->vram = v->rom = NULL;
}

struct pci_function *vga_pci(struct device *dev)
{
    return &((struct vga *)dev->state)->pci;
}

void vga_display(struct device *dev, struct display *display)
{
    *display = (struct display){
        .render = vga_render, .text = vga_text, .ctx = dev};
}

/* Video memory itself is a REGION_RAM that this device owns. */
static const struct field vga_fields[] = {
    FIELD_ARRAY(vga, pci.config, FIELD_U8, 256),
    FIELD(vga, misc, FIELD_U8),
    FIELD(vga, feature, FIELD_U8),
    FIELD(vga, sr_index, FIELD_U8),
    FIELD_ARRAY(vga, sr, FIELD_U8, 8),
    FIELD(vga, gr_index, FIELD_U8),
    FIELD_ARRAY(vga, gr, FIELD_U8, 16),
    FIELD(vga, cr_index, FIELD_U8),
    FIELD_ARRAY(vga, cr, FIELD_U8, 32),
    FIELD(vga, ar_index, FIELD_U8),
    FIELD_ARRAY(vga, ar, FIELD_U8, 32),
    FIELD(vga, ar_data, FIELD_BOOL),
    FIELD_ARRAY(vga, dac, FIELD_U8, 768),
    FIELD(vga, dac_mask, FIELD_U8),
    FIELD(vga, dac_read_index, FIELD_U8),
    FIELD(vga, dac_write_index, FIELD_U8),
    FIELD(vga, dac_component, FIELD_U8),
    FIELD(vga, dac_state, FIELD_U8),
    FIELD(vga, latch, FIELD_U32),
    FIELD(vga, dispi_index, FIELD_U16),
    FIELD_ARRAY(vga, dispi, FIELD_U16, DISPI_REGISTERS),
    FIELD(vga, big_endian, FIELD_BOOL),
    FIELD_END,
};

const struct device_class vga_class = {
    .name = "vga",
    .description = "standard VGA with Bochs VBE",
    .state_size = sizeof(struct vga),
    .fields = vga_fields,
    .max_access = 8,
    .init = vga_init,
    .reset = vga_reset,
    .loaded = vga_loaded,
    .fini = vga_fini,
    .read = vga_read,
    .write = vga_write,
};
