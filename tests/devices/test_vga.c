/*
 * The VGA: registers, the data path to the planes, what is shown in each kind
 * of mode, VBE, PCI; and a storm of whatever a guest could do.
 *
 * Modes are set as the IBM BIOS sets them, from its parameter tables.
 */
#include "devices/vga.h"
#include "devices/vga_state.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rig {
    struct bus memory, io;
    struct clock clock;
    struct log log;
    struct device *dev;
    struct vga *v;
    struct display display;
    struct surface surface;
    uint8_t rom[600];
    struct vga_config config;
};

static void rig_open(struct rig *r, uint32_t vram_bytes)
{
    memset(r, 0, sizeof(*r));
    CU_ASSERT_EQUAL_FATAL(bus_init(&r->memory, "memory", UINT64_C(1) << 32), 0);
    CU_ASSERT_EQUAL_FATAL(bus_init(&r->io, "io", 0x10000), 0);
    clock_init(&r->clock, true, 0);
    log_init(&r->log);
    for (unsigned i = 0; i < sizeof(r->rom); i++)
        r->rom[i] = (uint8_t)(i * 7);
    r->config = (struct vga_config){
        .rom = r->rom, .rom_bytes = sizeof(r->rom), .vram_bytes = vram_bytes};
    r->dev =
        device_new(&vga_class, "vga", &r->clock, &r->memory, &r->io, &r->log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->dev);
    r->dev->config = &r->config;
    CU_ASSERT_EQUAL_FATAL(device_init(r->dev), 0);
    device_reset(r->dev);
    r->v = r->dev->state;
    vga_display(r->dev, &r->display);
}

static void rig_close(struct rig *r)
{
    surface_free(&r->surface);
    device_free(r->dev);
    bus_fini(&r->memory);
    bus_fini(&r->io);
    log_fini(&r->log);
}

static uint8_t in(struct rig *r, unsigned port)
{
    return (uint8_t)bus_read(&r->io, port, 1);
}

static void out(struct rig *r, unsigned port, unsigned value)
{
    bus_write(&r->io, port, value, 1);
}

/* Index and data at once, as programs do it: a word to the index port. */
static void set(struct rig *r, unsigned port, unsigned index, unsigned value)
{
    bus_write(&r->io, port, index | value << 8, 2);
}

static uint8_t get(struct rig *r, unsigned port, unsigned index)
{
    out(r, port, index);
    return in(r, port + 1);
}

static void set_ar(struct rig *r, unsigned index, unsigned value)
{
    in(r, 0x3DA);
    out(r, 0x3C0, index);
    out(r, 0x3C0, value);
    out(r, 0x3C0, 0x20);
}

static void dispi(struct rig *r, unsigned index, unsigned value)
{
    bus_write(&r->io, 0x1CE, index, 2);
    bus_write(&r->io, 0x1CF, value, 2);
}

static unsigned dispi_get(struct rig *r, unsigned index)
{
    bus_write(&r->io, 0x1CE, index, 2);
    return (unsigned)bus_read(&r->io, 0x1CF, 2);
}

static void poke(struct rig *r, uint32_t addr, uint64_t value, unsigned size)
{
    bus_write(&r->memory, addr, value, size);
}

static uint64_t peek(struct rig *r, uint32_t addr, unsigned size)
{
    return bus_read(&r->memory, addr, size);
}

static uint8_t plane(const struct rig *r, unsigned p, uint32_t offset)
{
    return r->v->vram[offset * 4 + p];
}

static uint32_t pixel(const struct rig *r, unsigned x, unsigned y)
{
    if (x >= r->surface.width || y >= r->surface.height)
        return 0xDEAD0000;
    return r->surface.pixels[y * r->surface.stride + x];
}

static void render(struct rig *r)
{
    r->display.render(r->display.ctx, &r->surface);
}

struct mode {
    uint8_t misc, sr[5], cr[25], gr[9], ar[20];
};

#define AR_EGA                                                                 \
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B,    \
        0x3C, 0x3D, 0x3E, 0x3F

static const struct mode mode_03 = { /* text 80x25, 9x16 */
    0x67, {0x03, 0x00, 0x03, 0x00, 0x02},
    {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0,
     0, 0, 0, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF},
    {0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF},
    {AR_EGA, 0x0C, 0x00, 0x0F, 0x08}};
static const struct mode mode_01 = { /* text 40x25, 9x16 */
    0x67, {0x03, 0x08, 0x03, 0x00, 0x02},
    {0x2D, 0x27, 0x28, 0x90, 0x2B, 0xA0, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0,
     0, 0, 0, 0x9C, 0x8E, 0x8F, 0x14, 0x1F, 0x96, 0xB9, 0xA3, 0xFF},
    {0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF},
    {AR_EGA, 0x0C, 0x00, 0x0F, 0x08}};
static const struct mode mode_04 = { /* CGA 320x200, 4 colours */
    0x63, {0x03, 0x09, 0x03, 0x00, 0x02},
    {0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0x00, 0xC1, 0, 0, 0, 0, 0,
     0, 0x9C, 0x8E, 0x8F, 0x14, 0x00, 0x96, 0xB9, 0xA2, 0xFF},
    {0, 0, 0, 0, 0, 0x30, 0x0F, 0, 0xFF},
    {0x00, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
     0x16, 0x17, 0x01, 0x00, 0x03, 0x00}};
static const struct mode mode_06 = { /* CGA 640x200, 2 colours */
    0x63, {0x03, 0x01, 0x01, 0x00, 0x06},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0xC1, 0, 0, 0, 0, 0,
     0, 0x9C, 0x8E, 0x8F, 0x28, 0x00, 0x96, 0xB9, 0xC2, 0xFF},
    {0, 0, 0, 0, 0, 0x00, 0x0D, 0, 0xFF},
    {0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
     0x17, 0x17, 0x17, 0x01, 0x00, 0x01, 0x00}};
static const struct mode mode_12 = { /* 640x480, 16 colours */
    0xE3, {0x03, 0x01, 0x0F, 0x00, 0x06},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0x00, 0x40, 0, 0, 0, 0, 0,
     0, 0xEA, 0x8C, 0xDF, 0x28, 0x00, 0xE7, 0x04, 0xE3, 0xFF},
    {0, 0, 0, 0, 0, 0x00, 0x05, 0x0F, 0xFF},
    {AR_EGA, 0x01, 0x00, 0x0F, 0x00}};
static const struct mode mode_13 = { /* 320x200, 256 colours */
    0x63, {0x03, 0x01, 0x0F, 0x00, 0x0E},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0x41, 0, 0, 0, 0, 0,
     0, 0x9C, 0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF},
    {0, 0, 0, 0, 0, 0x40, 0x05, 0x0F, 0xFF},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0x00, 0x0F,
     0x00}};

/* DAC entry i gets a colour of its own that the tests can compute. */
static uint32_t color_of(unsigned i)
{
    uint32_t red = i & 0x3F, green = (i >> 2) & 0x3F, blue = (i * 5) & 0x3F;

    return (red << 2 | red >> 4) << 16 | (green << 2 | green >> 4) << 8 |
           (blue << 2 | blue >> 4);
}

static void set_mode(struct rig *r, const struct mode *m)
{
    out(r, 0x3C2, m->misc);
    for (unsigned i = 0; i < 5; i++)
        set(r, 0x3C4, i, m->sr[i]);
    set(r, 0x3D4, 0x11, 0);
    for (unsigned i = 0; i < 25; i++)
        set(r, 0x3D4, i, m->cr[i]);
    for (unsigned i = 0; i < 9; i++)
        set(r, 0x3CE, i, m->gr[i]);
    in(r, 0x3DA);
    for (unsigned i = 0; i < 20; i++) {
        out(r, 0x3C0, i);
        out(r, 0x3C0, m->ar[i]);
    }
    out(r, 0x3C0, 0x20);
    out(r, 0x3C6, 0xFF);
    out(r, 0x3C8, 0);
    for (unsigned i = 0; i < 256; i++) {
        out(r, 0x3C9, i & 0x3F);
        out(r, 0x3C9, (i >> 2) & 0x3F);
        out(r, 0x3C9, (i * 5) & 0x3F);
    }
}

/* ------------------------------------------------------------ registers */

static void crtc_protect_locks_0_to_7_but_line_compare(void)
{
    struct rig r;
    rig_open(&r, 0);
    out(&r, 0x3C2, 0x01);
    for (unsigned i = 0; i < 8; i++)
        set(&r, 0x3D4, i, 0x00);
    set(&r, 0x3D4, 0x11, 0x80);
    for (unsigned i = 0; i < 9; i++)
        set(&r, 0x3D4, i, 0xFF);
    for (unsigned i = 0; i < 7; i++)
        CU_ASSERT_EQUAL(get(&r, 0x3D4, i), 0);
    CU_ASSERT_EQUAL(get(&r, 0x3D4, 7), 0x10);
    CU_ASSERT_EQUAL(get(&r, 0x3D4, 8), 0xFF);
    set(&r, 0x3D4, 0x11, 0x00);
    set(&r, 0x3D4, 7, 0x42);
    CU_ASSERT_EQUAL(get(&r, 0x3D4, 7), 0x42);
    rig_close(&r);
}

static void misc_bit_0_moves_the_crtc(void)
{
    struct rig r;
    rig_open(&r, 0);
    out(&r, 0x3C2, 0x01);
    set(&r, 0x3D4, 0x0E, 0x5A);
    CU_ASSERT_EQUAL(get(&r, 0x3B4, 0x0E), 0xFF);
    out(&r, 0x3C2, 0x00);
    CU_ASSERT_EQUAL(in(&r, 0x3CC), 0x00);
    CU_ASSERT_EQUAL(get(&r, 0x3B4, 0x0E), 0x5A);
    CU_ASSERT_EQUAL(get(&r, 0x3D4, 0x0E), 0xFF);
    CU_ASSERT_EQUAL(in(&r, 0x3DA), 0xFF);
    rig_close(&r);
}

static void attribute_flip_flop_starts_over_at_status_reads(void)
{
    struct rig r;
    rig_open(&r, 0);
    out(&r, 0x3C2, 0x01);
    in(&r, 0x3DA);
    out(&r, 0x3C0, 0x11);
    in(&r, 0x3DA); /* the data never comes */
    out(&r, 0x3C0, 0x12);
    out(&r, 0x3C0, 0x05);
    CU_ASSERT_EQUAL(in(&r, 0x3C0), 0x12);
    CU_ASSERT_EQUAL(in(&r, 0x3C1), 0x05);
    out(&r, 0x3C0, 0x11);
    CU_ASSERT_EQUAL(in(&r, 0x3C1), 0x00);
    rig_close(&r);
}

static void palette_is_locked_while_it_feeds_the_screen(void)
{
    struct rig r;
    rig_open(&r, 0);
    out(&r, 0x3C2, 0x01);
    in(&r, 0x3DA);
    out(&r, 0x3C0, 0x03), out(&r, 0x3C0, 0x15);
    out(&r, 0x3C0, 0x23), out(&r, 0x3C0, 0x2A); /* PAS is 1 */
    in(&r, 0x3DA);
    out(&r, 0x3C0, 0x03);
    CU_ASSERT_EQUAL(in(&r, 0x3C1), 0x15);
    rig_close(&r);
}

static void dac_counts_through_red_green_blue(void)
{
    struct rig r;
    rig_open(&r, 0);
    out(&r, 0x3C8, 0xFF);
    out(&r, 0x3C9, 0x3F), out(&r, 0x3C9, 0xC1), out(&r, 0x3C9, 0x02);
    CU_ASSERT_EQUAL(in(&r, 0x3C8), 0x00); /* 255 wraps to 0 */
    CU_ASSERT_EQUAL(in(&r, 0x3C7), 0x00);
    out(&r, 0x3C9, 0x11);
    out(&r, 0x3C7, 0xFF);
    CU_ASSERT_EQUAL(in(&r, 0x3C7), 0x03);
    CU_ASSERT_EQUAL(in(&r, 0x3C9), 0x3F);
    CU_ASSERT_EQUAL(in(&r, 0x3C9), 0x01); /* six bits */
    CU_ASSERT_EQUAL(in(&r, 0x3C9), 0x02);
    CU_ASSERT_EQUAL(in(&r, 0x3C9), 0x11);
    dispi(&r, DISPI_ENABLE, DISPI_8BIT_DAC);
    out(&r, 0x3C8, 7);
    out(&r, 0x3C9, 0xC1);
    out(&r, 0x3C7, 7);
    CU_ASSERT_EQUAL(in(&r, 0x3C9), 0xC1);
    rig_close(&r);
}

/* 28.322 MHz / (100 x 9) / 449 = 70.09 Hz; the retrace pulse is 2 lines. */
static void retrace_comes_70_times_a_second_in_text_mode(void)
{
    struct rig r;
    unsigned edges = 0, active = 0, samples = 0, blank = 0;
    uint8_t before = 0;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    for (uint64_t ns = 0; ns < NS_PER_SECOND; ns += 10000, samples++) {
        clock_skip_to(&r.clock, ns);
        uint8_t now = in(&r, 0x3DA);
        edges += now & 8 && !(before & 8);
        active += (now & 8) != 0;
        blank += now & 1;
        CU_ASSERT_FALSE(now & 8 && !(now & 1));
        before = now;
    }
    CU_ASSERT_EQUAL(edges, 70);
    /* 2 of 449 lines; 1 - (400 x 720) / (449 x 900) = 28.7 %. */
    CU_ASSERT(active > samples * 2 / 449 * 9 / 10);
    CU_ASSERT(active < samples * 2 / 449 * 11 / 10);
    CU_ASSERT(blank > samples * 28 / 100 && blank < samples * 30 / 100);
    rig_close(&r);
}

static void retrace_comes_whatever_the_crtc_holds(void)
{
    struct rig r;
    rig_open(&r, 0);
    srand(1);
    for (unsigned i = 0; i < 50; i++) {
        unsigned seen = 0;
        out(&r, 0x3C2, 0x01 | (rand() & 0x0C));
        set(&r, 0x3D4, 0x11, 0);
        for (unsigned c = 0; c < 25; c++)
            set(&r, 0x3D4, c, c == 0x11 ? 0 : (unsigned)rand() & 0xFF);
        uint64_t from = clock_now_ns(&r.clock);
        for (uint64_t ns = 0; ns < 100000000 && seen != 3; ns += 3000) {
            clock_skip_to(&r.clock, from + ns);
            seen |= in(&r, 0x3DA) & 8 ? 2u : 1u;
        }
        CU_ASSERT(seen & 2);
    }
    rig_close(&r);
}

/* ------------------------------------------------------- the data path */

static void planar_rig(struct rig *r)
{
    rig_open(r, 0);
    set_mode(r, &mode_12);
}

static void write_mode_0_masks_planes_and_bits(void)
{
    struct rig r;
    planar_rig(&r);
    set(&r, 0x3C4, 2, 0x05);
    poke(&r, 0xA0010, 0xC3, 1);
    CU_ASSERT_EQUAL(plane(&r, 0, 0x10), 0xC3);
    CU_ASSERT_EQUAL(plane(&r, 1, 0x10), 0x00);
    CU_ASSERT_EQUAL(plane(&r, 2, 0x10), 0xC3);
    CU_ASSERT_EQUAL(plane(&r, 3, 0x10), 0x00);
    /* The bit mask takes the other bits from the latches. */
    set(&r, 0x3C4, 2, 0x0F);
    peek(&r, 0xA0010, 1);
    set(&r, 0x3CE, 8, 0x0F);
    poke(&r, 0xA0011, 0x00, 1);
    CU_ASSERT_EQUAL(plane(&r, 0, 0x11), 0xC0);
    CU_ASSERT_EQUAL(plane(&r, 1, 0x11), 0x00);
    poke(&r, 0xA0012, 0xFF, 1);
    CU_ASSERT_EQUAL(plane(&r, 2, 0x12), 0xCF);
    CU_ASSERT_EQUAL(plane(&r, 3, 0x12), 0x0F);
    rig_close(&r);
}

static void set_reset_rotate_and_logic_shape_mode_0(void)
{
    struct rig r;
    planar_rig(&r);
    set(&r, 0x3CE, 0, 0x01); /* set plane 0, reset plane 1 ... */
    set(&r, 0x3CE, 1, 0x03); /* ... where enabled */
    set(&r, 0x3CE, 3, 0x04); /* rotate right by 4 */
    poke(&r, 0xA0000, 0x1E, 1);
    CU_ASSERT_EQUAL(plane(&r, 0, 0), 0xFF);
    CU_ASSERT_EQUAL(plane(&r, 1, 0), 0x00);
    CU_ASSERT_EQUAL(plane(&r, 2, 0), 0xE1);
    CU_ASSERT_EQUAL(plane(&r, 3, 0), 0xE1);
    set(&r, 0x3CE, 1, 0);
    static const uint8_t expected[4] = {0x3C, 0x3C & 0xE1, 0x3C | 0xE1,
                                        0x3C ^ 0xE1};
    for (unsigned f = 0; f < 4; f++) {
        set(&r, 0x3CE, 3, f << 3);
        peek(&r, 0xA0000, 1);
        poke(&r, 0xA0020 + f, 0x3C, 1);
        CU_ASSERT_EQUAL(plane(&r, 2, 0x20 + f), expected[f]);
    }
    rig_close(&r);
}

static void write_mode_1_copies_latches(void)
{
    struct rig r;
    planar_rig(&r);
    memcpy(r.v->vram, "\x12\x34\x56\x78", 4);
    set(&r, 0x3CE, 5, 1);
    set(&r, 0x3C4, 2, 0x0E);
    set(&r, 0x3CE, 8, 0x00); /* the bit mask has no say */
    peek(&r, 0xA0000, 1);
    poke(&r, 0xA0100, 0xFF, 1);
    CU_ASSERT_EQUAL(memcmp(r.v->vram + 0x400, "\x00\x34\x56\x78", 4), 0);
    rig_close(&r);
}

static void write_mode_2_takes_a_colour(void)
{
    struct rig r;
    planar_rig(&r);
    set(&r, 0x3CE, 5, 2);
    set(&r, 0x3CE, 8, 0x18);
    peek(&r, 0xA0000, 1);
    poke(&r, 0xA0000, 0x0A, 1);
    CU_ASSERT_EQUAL(memcmp(r.v->vram, "\x00\x18\x00\x18", 4), 0);
    rig_close(&r);
}

static void write_mode_3_uses_the_byte_as_a_mask(void)
{
    struct rig r;
    planar_rig(&r);
    memset(r.v->vram, 0x0F, 4);
    set(&r, 0x3CE, 5, 3);
    set(&r, 0x3CE, 0, 0x04); /* the colour: plane 2 */
    set(&r, 0x3CE, 8, 0xF8);
    set(&r, 0x3CE, 3, 0x01); /* 0x3C rotates to 0x1E, & 0xF8 = 0x18 */
    peek(&r, 0xA0000, 1);
    poke(&r, 0xA0000, 0x3C, 1);
    CU_ASSERT_EQUAL(memcmp(r.v->vram, "\x07\x07\x1F\x07", 4), 0);
    rig_close(&r);
}

static void read_modes_choose_a_plane_or_compare_colours(void)
{
    struct rig r;
    planar_rig(&r);
    memcpy(r.v->vram, "\xF0\xCC\xAA\x00", 4);
    for (unsigned p = 0; p < 4; p++) {
        set(&r, 0x3CE, 4, p);
        CU_ASSERT_EQUAL(peek(&r, 0xA0000, 1), r.v->vram[p]);
    }
    set(&r, 0x3CE, 5, 8);
    set(&r, 0x3CE, 2, 0x03);
    set(&r, 0x3CE, 7, 0x0F);
    /* Colour 3 where planes 0 and 1 are set, 2 and 3 are not. */
    CU_ASSERT_EQUAL(peek(&r, 0xA0000, 1), 0xF0 & 0xCC & ~0xAA);
    set(&r, 0x3CE, 7, 0x03);
    CU_ASSERT_EQUAL(peek(&r, 0xA0000, 1), 0xF0 & 0xCC);
    set(&r, 0x3CE, 7, 0x00);
    CU_ASSERT_EQUAL(peek(&r, 0xA0000, 1), 0xFF);
    rig_close(&r);
}

static void chain_4_spreads_bytes_over_planes(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_13);
    poke(&r, 0xA0004, UINT64_C(0x8877665544332211), 8);
    CU_ASSERT_EQUAL(plane(&r, 0, 4), 0x11);
    CU_ASSERT_EQUAL(plane(&r, 3, 4), 0x44);
    CU_ASSERT_EQUAL(plane(&r, 0, 8), 0x55);
    CU_ASSERT_EQUAL(peek(&r, 0xA0004, 8), UINT64_C(0x8877665544332211));
    CU_ASSERT_EQUAL(peek(&r, 0xA0006, 4), 0x66554433);
    set(&r, 0x3C4, 2, 0x0D); /* plane 1 is protected */
    poke(&r, 0xA0004, 0, 4);
    CU_ASSERT_EQUAL(peek(&r, 0xA0004, 4), 0x00002200);
    /* Mode X sees the same planes at the same offsets. */
    set(&r, 0x3C4, 4, 0x06);
    set(&r, 0x3CE, 4, 1);
    CU_ASSERT_EQUAL(peek(&r, 0xA0004, 1), 0x22);
    rig_close(&r);
}

static void text_memory_is_odd_even(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    poke(&r, 0xB8000, 0x07410742, 4);
    CU_ASSERT_EQUAL(plane(&r, 0, 0), 0x42);
    CU_ASSERT_EQUAL(plane(&r, 1, 0), 0x07);
    CU_ASSERT_EQUAL(plane(&r, 0, 2), 0x41);
    CU_ASSERT_EQUAL(peek(&r, 0xB8001, 2), 0x4107);
    rig_close(&r);
}

static void window_answers_where_gr6_says(void)
{
    static const struct {
        uint32_t low, high;
    } where[4] = {{0xA0000, 0xBFFFF},
                  {0xA0000, 0xAFFFF},
                  {0xB0000, 0xB7FFF},
                  {0xB8000, 0xBFFFF}};
    struct rig r;
    planar_rig(&r);
    memset(r.v->vram, 0x5A, 0x40000);
    for (unsigned m = 0; m < 4; m++) {
        set(&r, 0x3CE, 6, 1 | m << 2);
        for (uint32_t a = 0xA0000; a < 0xC0000; a += 0x7FFF) {
            bool there = a >= where[m].low && a <= where[m].high;
            CU_ASSERT_EQUAL(peek(&r, a, 1), there ? 0x5A : 0xFF);
        }
        /* Half in, half out. */
        if (where[m].high < 0xBFFFF)
            CU_ASSERT_EQUAL(peek(&r, where[m].high - 1, 4), 0xFFFF5A5A);
    }
    out(&r, 0x3C2, in(&r, 0x3CC) & ~2u); /* RAM off */
    CU_ASSERT_EQUAL(peek(&r, 0xB8000, 1), 0xFF);
    rig_close(&r);
}

/* Two cards with the same registers; one has its short cuts taken away. */
static void short_cuts_give_what_the_data_path_gives(void)
{
    struct rig a, b;
    static const unsigned sizes[4] = {1, 2, 4, 8};
    rig_open(&a, 256u << 10);
    rig_open(&b, 256u << 10);
    srand(2);
    out(&a, 0x3C2, 3);
    out(&b, 0x3C2, 3);
    for (unsigned i = 0; i < 60000; i++) {
        if (i % 16 == 0) {
            /* Mostly settings that take short cuts. */
            unsigned sr4 = (unsigned)rand() & 0x0E;
            unsigned sr2 =
                rand() % 3 ? (rand() % 2 ? 15u : 3u) : (unsigned)rand() & 15;
            unsigned gr5 =
                rand() % 3 ? (unsigned)rand() & 0x10 : (unsigned)rand() & 0x7B;
            unsigned gr6 = (unsigned)rand() & 15;
            unsigned gr8 = rand() % 3 ? 0xFF : (unsigned)rand() & 0xFF;
            unsigned gr4 = (unsigned)rand() & 3;
            for (struct rig *r = &a; r; r = r == &a ? &b : NULL) {
                set(r, 0x3C4, 4, sr4);
                set(r, 0x3C4, 2, sr2);
                set(r, 0x3CE, 4, gr4);
                set(r, 0x3CE, 5, gr5);
                set(r, 0x3CE, 6, gr6);
                set(r, 0x3CE, 8, gr8);
            }
            b.v->read_path = b.v->write_path = VGA_PATH_SLOW;
        }
        uint32_t addr = 0xA0000 + (uint32_t)rand() % 0x1FFF8;
        unsigned size = sizes[rand() & 3];
        uint64_t value = (uint64_t)rand() << 33 ^ (uint64_t)rand();
        poke(&a, addr, value, size);
        poke(&b, addr, value, size);
        addr = 0xA0000 + (uint32_t)rand() % 0x1FFF8;
        CU_ASSERT_EQUAL_FATAL(peek(&a, addr, size), peek(&b, addr, size));
        CU_ASSERT_EQUAL_FATAL(a.v->latch, b.v->latch);
    }
    CU_ASSERT_EQUAL(memcmp(a.v->vram, b.v->vram, 256u << 10), 0);
    rig_close(&a);
    rig_close(&b);
}

/* ------------------------------------------------------------ pictures */

/* A glyph into character map 0, as the BIOS does: plane 2, sequential. */
static void load_glyph(struct rig *r, unsigned ch, uint8_t row_byte)
{
    for (unsigned row = 0; row < 16; row++)
        r->v->vram[(ch * 32 + row) * 4 + 2] = row == 3 ? row_byte : 0;
}

static void text_shows_glyphs_colours_and_the_ninth_dot(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    set(&r, 0x3D4, 0x0A, 0x20); /* no cursor */
    load_glyph(&r, 'A', 0x81);
    load_glyph(&r, 0xC4, 0x81);
    poke(&r, 0xB8000, 0x1F41, 2); /* white on blue */
    poke(&r, 0xB8002, 0x1FC4, 2);
    poke(&r, 0xB80A0, 0x4E41, 2); /* second row: yellow on red */
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 720);
    CU_ASSERT_EQUAL(r.surface.height, 400);
    uint32_t white = color_of(0x3F), blue = color_of(1);
    CU_ASSERT_EQUAL(pixel(&r, 0, 2), blue);
    CU_ASSERT_EQUAL(pixel(&r, 0, 3), white);
    CU_ASSERT_EQUAL(pixel(&r, 1, 3), blue);
    CU_ASSERT_EQUAL(pixel(&r, 7, 3), white);
    CU_ASSERT_EQUAL(pixel(&r, 8, 3), blue); /* 'A' ends at eight */
    CU_ASSERT_EQUAL(pixel(&r, 9, 3), white);
    CU_ASSERT_EQUAL(pixel(&r, 17, 3), white); /* a line goes on */
    CU_ASSERT_EQUAL(pixel(&r, 17, 4), blue);
    CU_ASSERT_EQUAL(pixel(&r, 0, 19), color_of(0x3E));
    CU_ASSERT_EQUAL(pixel(&r, 1, 19), color_of(4));
    set(&r, 0x3C4, 1, 1); /* eight dots */
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 640);
    CU_ASSERT_EQUAL(pixel(&r, 8, 3), white);
    rig_close(&r);
}

static void text_has_two_fonts(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    /* Map A (attribute bit 3 set) is number 5: 0x2000 + 0x4000. */
    set(&r, 0x3C4, 3, 0x24);
    r.v->vram[(0x6000 + 'A' * 32) * 4 + 2] = 0xFF;
    poke(&r, 0xB8002, 0x0F41, 2);
    poke(&r, 0xB8004, 0x0741, 2);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 9, 0), color_of(0x3F));
    CU_ASSERT_EQUAL(pixel(&r, 18, 0), color_of(0));
    rig_close(&r);
}

static void cursor_and_attributes_blink(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    load_glyph(&r, 'A', 0xFF);
    poke(&r, 0xB8000, 0x8741, 2); /* blinking grey on black */
    poke(&r, 0xB8002, 0x0720, 2);
    set(&r, 0x3D4, 0x0F, 1);
    uint32_t grey = color_of(7), black = color_of(0);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 3), grey);
    CU_ASSERT_EQUAL(pixel(&r, 9, 12), black); /* lines 13 and 14 */
    CU_ASSERT_EQUAL(pixel(&r, 9, 13), grey);
    CU_ASSERT_EQUAL(pixel(&r, 17, 14), grey);
    CU_ASSERT_EQUAL(pixel(&r, 9, 15), black);
    clock_skip_to(&r.clock, NS_PER_SECOND * 10 / 60);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 9, 13), black);
    CU_ASSERT_EQUAL(pixel(&r, 0, 3), grey);
    clock_skip_to(&r.clock, NS_PER_SECOND * 20 / 60);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 9, 13), grey);
    CU_ASSERT_EQUAL(pixel(&r, 0, 3), black);
    /* Without blinking, bit 7 is a bright background. */
    set_ar(&r, 0x10, 0x04);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 3), grey);
    CU_ASSERT_EQUAL(pixel(&r, 0, 0), color_of(0x38));
    rig_close(&r);
}

static void text_dump_is_utf8(void)
{
    struct rig r;
    char text[8192];
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    for (unsigned i = 0; i < 80 * 25; i++)
        poke(&r, 0xB8000 + i * 2, 0x0720, 2);
    static const uint8_t line[6] = {'H', 'i', 0xC9, 0xE1, 0x01, 0x00};
    for (unsigned i = 0; i < 6; i++)
        poke(&r, 0xB8000 + i * 2, line[i], 1);
    poke(&r, 0xB8000 + 24 * 160 + 158, '!', 1);
    size_t length = r.display.text(r.display.ctx, text, sizeof(text));
    CU_ASSERT_EQUAL(length, strlen(text));
    CU_ASSERT_EQUAL(strncmp(text, "Hi\u2554\u00DF\u263A\n\n", 11), 0);
    unsigned lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    CU_ASSERT_EQUAL(lines, 25);
    CU_ASSERT_STRING_EQUAL(text + length - 2, "!\n");
    /* A start address scrolls the dump as it does the picture. */
    set(&r, 0x3D4, 0x0D, 80);
    r.display.text(r.display.ctx, text, sizeof(text));
    CU_ASSERT_EQUAL(text[0], '\n');
    set(&r, 0x3D4, 0x0D, 0);
    /* Small buffers get whole characters only. */
    for (size_t size = 1; size < 16; size++) {
        memset(text, 'x', sizeof(text));
        length = r.display.text(r.display.ctx, text, size);
        CU_ASSERT(length < size);
        CU_ASSERT_EQUAL(text[length], '\0');
        CU_ASSERT_EQUAL(text[size], 'x');
        CU_ASSERT(length == 0 || text[length - 1] == '\n');
    }
    set_mode(&r, &mode_12);
    CU_ASSERT_EQUAL(r.display.text(r.display.ctx, text, sizeof(text)), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    rig_close(&r);
}

static void forty_columns_and_fifty_lines(void)
{
    struct rig r;
    char text[8192];
    unsigned lines = 0;
    rig_open(&r, 0);
    set_mode(&r, &mode_01);
    load_glyph(&r, 'A', 0x80);
    poke(&r, 0xB8002, 0x0741, 2);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 720);
    CU_ASSERT_EQUAL(pixel(&r, 18, 3), color_of(7)); /* dots twice as wide */
    CU_ASSERT_EQUAL(pixel(&r, 19, 3), color_of(7));
    CU_ASSERT_EQUAL(pixel(&r, 20, 3), color_of(0));
    set_mode(&r, &mode_03);
    set(&r, 0x3D4, 9, 0x47); /* eight lines a row */
    r.display.text(r.display.ctx, text, sizeof(text));
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    CU_ASSERT_EQUAL(lines, 50);
    rig_close(&r);
}

static void mode_13h_shows_each_pixel_as_2x2(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_13);
    for (unsigned y = 0; y < 200; y++)
        for (unsigned x = 0; x < 320; x++)
            poke(&r, 0xA0000 + y * 320 + x, x * 3 + y * 7, 1);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 640);
    CU_ASSERT_EQUAL(r.surface.height, 400);
    bool same = true;
    for (unsigned y = 0; y < 400; y++)
        for (unsigned x = 0; x < 640; x++)
            same = same &&
                   pixel(&r, x, y) == color_of((x / 2 * 3 + y / 2 * 7) & 0xFF);
    CU_ASSERT(same);
    out(&r, 0x3C6, 0x0F);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 638, 0), color_of((319 * 3) & 0x0F));
    rig_close(&r);
}

static void mode_x_pans_scrolls_and_splits(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_13);
    set(&r, 0x3C4, 4, 0x06);
    set(&r, 0x3D4, 0x14, 0x00);
    set(&r, 0x3D4, 0x17, 0xE3);
    for (unsigned p = 0; p < 4; p++) {
        set(&r, 0x3C4, 2, 1u << p);
        for (uint32_t a = 0; a < 0x8000; a++)
            poke(&r, 0xA0000 + a, a / 80 * 16 + a % 80 + p * 64, 1);
    }
#define MODE_X(X, Y) color_of(((Y)*16 + (X) / 4 + (X) % 4 * 64) & 0xFF)
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 2 * 5, 2 * 3), MODE_X(5, 3));
    CU_ASSERT_EQUAL(pixel(&r, 639, 399), MODE_X(319, 199));
    /* Start address: two lines down and four pixels in. */
    set(&r, 0x3D4, 0x0D, 161);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 0), MODE_X(4, 2));
    /* Panning by three pixels (in half-pixels). */
    set_ar(&r, 0x13, 6);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 0), MODE_X(7, 2));
    /* Line compare at 99: memory from 0 on below, still panned ... */
    set(&r, 0x3D4, 0x18, 99);
    set(&r, 0x3D4, 0x07, 0x0F);
    set(&r, 0x3D4, 0x09, 0x01);
    set(&r, 0x3D4, 0x11, 0x0E);
    set(&r, 0x3D4, 0x07, 0x0F);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 99), MODE_X(7, 2 + 49));
    CU_ASSERT_EQUAL(pixel(&r, 0, 100), MODE_X(3, 0));
    CU_ASSERT_EQUAL(pixel(&r, 0, 101), MODE_X(3, 0));
    CU_ASSERT_EQUAL(pixel(&r, 0, 102), MODE_X(3, 1));
    /* ... unless AR10.5 says otherwise. */
    set_ar(&r, 0x10, 0x61);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 99), MODE_X(7, 2 + 49));
    CU_ASSERT_EQUAL(pixel(&r, 0, 100), MODE_X(0, 0));
#undef MODE_X
    rig_close(&r);
}

static void mode_12h_shows_four_planes(void)
{
    struct rig r;
    planar_rig(&r);
    /* Pixel x of line 1 has colour x. */
    poke(&r, 0xA0050, 0, 2);
    set(&r, 0x3C4, 2, 1), poke(&r, 0xA0050, 0x5555, 2);
    set(&r, 0x3C4, 2, 2), poke(&r, 0xA0050, 0x3333, 2);
    set(&r, 0x3C4, 2, 4), poke(&r, 0xA0050, 0x0F0F, 2);
    set(&r, 0x3C4, 2, 8), poke(&r, 0xA0050, 0xFF00, 2);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 640);
    CU_ASSERT_EQUAL(r.surface.height, 480);
    for (unsigned x = 0; x < 16; x++) {
        CU_ASSERT_EQUAL(pixel(&r, x, 1), color_of(mode_12.ar[x]));
        CU_ASSERT_EQUAL(pixel(&r, x, 0), color_of(0));
    }
    /* A plane that AR12 turns off, and colour select. */
    set_ar(&r, 0x12, 0x07);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 15, 1), color_of(mode_12.ar[7]));
    set_ar(&r, 0x10, 0x81);
    set_ar(&r, 0x14, 0x0E);
    render(&r);
    /* P7-P4 come from AR14: 1110; 0xE7. */
    CU_ASSERT_EQUAL(pixel(&r, 15, 1), color_of(0xE7));
    /* Dots that panning drops. */
    set_ar(&r, 0x13, 3);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 1), color_of(0xE3));
    rig_close(&r);
}

static void cga_modes_interleave_lines(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_04);
    poke(&r, 0xB8000, 0xE41B, 2); /* pixels 0 1 2 3 3 2 1 0 */
    poke(&r, 0xBA000, 0xFF, 1);   /* line 1 */
    poke(&r, 0xB8050, 0xAA, 1);   /* line 2 */
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 640);
    CU_ASSERT_EQUAL(r.surface.height, 400);
    static const uint8_t expected[8] = {0, 1, 2, 3, 3, 2, 1, 0};
    for (unsigned x = 0; x < 8; x++) {
        uint32_t color = color_of(mode_04.ar[expected[x]]);
        CU_ASSERT_EQUAL(pixel(&r, x * 2, 0), color);
        CU_ASSERT_EQUAL(pixel(&r, x * 2 + 1, 1), color);
    }
    CU_ASSERT_EQUAL(pixel(&r, 0, 2), color_of(mode_04.ar[3]));
    CU_ASSERT_EQUAL(pixel(&r, 8, 2), color_of(0));
    CU_ASSERT_EQUAL(pixel(&r, 0, 4), color_of(mode_04.ar[2]));
    CU_ASSERT_EQUAL(pixel(&r, 0, 6), color_of(0));

    memset(r.v->vram, 0, 0x40000);
    set_mode(&r, &mode_06);
    poke(&r, 0xB8000, 0xA5, 1);
    poke(&r, 0xBA001, 0x80, 1);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 640);
    for (unsigned x = 0; x < 8; x++)
        CU_ASSERT_EQUAL(pixel(&r, x, 0),
                        color_of(0xA5 >> (7 - x) & 1 ? 0x17 : 0));
    CU_ASSERT_EQUAL(pixel(&r, 8, 2), color_of(0x17));
    CU_ASSERT_EQUAL(pixel(&r, 9, 2), color_of(0));
    rig_close(&r);
}

static void blanked_screen_is_black_and_keeps_its_size(void)
{
    struct rig r;
    rig_open(&r, 0);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 640);
    set_mode(&r, &mode_13);
    memset(r.v->vram, 0x3F, 0x40000);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 5, 5), color_of(0x3F));
    set(&r, 0x3C4, 1, 0x21);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 5, 5), 0);
    CU_ASSERT_EQUAL(r.surface.height, 400);
    set(&r, 0x3C4, 1, 0x01);
    in(&r, 0x3DA);
    out(&r, 0x3C0, 0x00);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 5, 5), 0);
    rig_close(&r);
}

/* ----------------------------------------------------------------- VBE */

#define LFB 0xE0000000u
#define MMIO 0xFEBF0000u

static void map_bars(struct rig *r)
{
    struct pci_function *f = vga_pci(r->dev);
    pci_config_write(f, PCI_BAR0, LFB, 4);
    pci_config_write(f, PCI_BAR0 + 8, MMIO, 4);
    pci_config_write(f, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO, 2);
}

static void vbe_mode(struct rig *r, unsigned x, unsigned y, unsigned bpp)
{
    dispi(r, DISPI_ENABLE, 0);
    dispi(r, DISPI_XRES, x);
    dispi(r, DISPI_YRES, y);
    dispi(r, DISPI_BPP, bpp);
    dispi(r, DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
}

static void vbe_tells_what_it_can(void)
{
    struct rig r;
    rig_open(&r, 0);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_ID), 0xB0C5);
    dispi(&r, DISPI_ID, 0xB0C2);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_ID), 0xB0C2);
    dispi(&r, DISPI_ID, 0x1234);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_ID), 0xB0C2);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_MEMORY_64K), 256);
    CU_ASSERT_EQUAL(bus_read(&r.io, 0x1D0, 2), 256);
    dispi(&r, DISPI_XRES, 640);
    dispi(&r, DISPI_ENABLE, DISPI_GETCAPS);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_XRES), 2560);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_YRES), 1600);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_BPP), 32);
    dispi(&r, DISPI_ENABLE, 0);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_XRES), 640);
    rig_close(&r);
}

static void vbe_shows_every_depth(void)
{
    static const struct {
        unsigned bpp;
        uint32_t pixel, shown;
    } depths[] = {
        /* 31, 1, 16 of 31: the top bits fill the bottom ones. */
        {15, 0x7C30, 0xFF0884},
        {16, 0xF830, 0xFF0484},
        {24, 0x123456, 0x123456},
        {32, 0xAB123456, 0x123456},
        {8, 0x2A, 0},
    };
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    map_bars(&r);
    for (unsigned i = 0; i < 5; i++) {
        unsigned bytes = (depths[i].bpp + 7) / 8;
        vbe_mode(&r, 800, 600, depths[i].bpp);
        for (unsigned b = 0; b < bytes; b++)
            poke(&r, LFB + (2 * 800 + 799) * bytes + b,
                 depths[i].pixel >> (b * 8) & 0xFF, 1);
        render(&r);
        CU_ASSERT_EQUAL(r.surface.width, 800);
        CU_ASSERT_EQUAL(r.surface.height, 600);
        uint32_t shown = depths[i].bpp == 8 ? color_of(0x2A) : depths[i].shown;
        CU_ASSERT_EQUAL(pixel(&r, 799, 2), shown);
        CU_ASSERT_EQUAL(pixel(&r, 798, 2), 0);
        CU_ASSERT_EQUAL(pixel(&r, 0, 3), 0);
    }
    rig_close(&r);
}

static void vbe_window_is_banked(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    map_bars(&r);
    vbe_mode(&r, 640, 480, 8);
    dispi(&r, DISPI_BANK, 3);
    poke(&r, 0xA1234, 0x11223344, 4);
    CU_ASSERT_EQUAL(peek(&r, LFB + 0x31234, 4), 0x11223344);
    CU_ASSERT_EQUAL(peek(&r, 0xA1235, 2), 0x2233);
    CU_ASSERT_EQUAL(peek(&r, 0xB1234, 1), 0xFF);
    dispi(&r, DISPI_BANK, 0x103); /* 256 banks of 16 MB */
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_BANK), 3);
    rig_close(&r);
}

static void vbe_scrolls_in_a_virtual_screen(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    map_bars(&r);
    vbe_mode(&r, 640, 480, 32);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_VIRT_WIDTH), 640);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_VIRT_HEIGHT), (16u << 20) / 2560);
    dispi(&r, DISPI_VIRT_WIDTH, 1024);
    dispi(&r, DISPI_X_OFFSET, 5);
    dispi(&r, DISPI_Y_OFFSET, 7);
    poke(&r, LFB + (7 * 1024 + 5) * 4, 0xABCDEF, 4);
    poke(&r, LFB + (8 * 1024 + 6) * 4, 0x123456, 4);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 0), 0xABCDEF);
    CU_ASSERT_EQUAL(pixel(&r, 1, 1), 0x123456);
    /* The last line that fits is 4096 - 480; one more does not. */
    dispi(&r, DISPI_X_OFFSET, 0);
    dispi(&r, DISPI_Y_OFFSET, 4096 - 480);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_Y_OFFSET), 4096 - 480);
    dispi(&r, DISPI_Y_OFFSET, 4097 - 480);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_Y_OFFSET), 0);
    rig_close(&r);
}

static void vbe_clears_memory_unless_told_not_to(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    map_bars(&r);
    poke(&r, LFB + 100, 0x55, 1);
    dispi(&r, DISPI_XRES, 640), dispi(&r, DISPI_YRES, 480);
    dispi(&r, DISPI_BPP, 8);
    dispi(&r, DISPI_ENABLE, DISPI_ENABLED | DISPI_NOCLEARMEM);
    CU_ASSERT_EQUAL(peek(&r, LFB + 100, 1), 0x55);
    dispi(&r, DISPI_ENABLE, 0);
    dispi(&r, DISPI_ENABLE, DISPI_ENABLED);
    CU_ASSERT_EQUAL(peek(&r, LFB + 100, 1), 0);
    rig_close(&r);
}

static void vbe_planar_reaches_800x600(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_12);
    vbe_mode(&r, 800, 600, 4);
    set(&r, 0x3C4, 2, 0x05);
    poke(&r, 0xA0000 + 599 * 100 + 99, 0x01, 1);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 800);
    CU_ASSERT_EQUAL(pixel(&r, 799, 599), color_of(5));
    CU_ASSERT_EQUAL(pixel(&r, 798, 599), color_of(0));
    /* Offsets count pixels, and bank 1 is 64 KB further in each plane. */
    dispi(&r, DISPI_VIRT_WIDTH, 1024);
    dispi(&r, DISPI_BANK, 1);
    dispi(&r, DISPI_Y_OFFSET, 512); /* 512 x 128 bytes */
    dispi(&r, DISPI_X_OFFSET, 3);
    poke(&r, 0xA0000, 0x10, 1);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 0, 0), color_of(5));
    CU_ASSERT_EQUAL(pixel(&r, 1, 0), color_of(0));
    rig_close(&r);
}

static void vbe_never_shows_more_than_there_is(void)
{
    struct rig r;
    rig_open(&r, 256u << 10);
    set_mode(&r, &mode_03);
    vbe_mode(&r, 0xFFFF, 0xFFFF, 77);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_BPP), 8);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_XRES), 2560);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_YRES), (256u << 10) / 2560);
    dispi(&r, DISPI_VIRT_WIDTH, 0xFFFF);
    dispi(&r, DISPI_BPP, 32);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_YRES), 1);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.height, 1);
    dispi(&r, DISPI_Y_OFFSET, 0xFFFF);
    dispi(&r, DISPI_X_OFFSET, 0xFFFF);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_Y_OFFSET), 0);
    render(&r);
    rig_close(&r);
}

static void leaving_vbe_gives_the_vga_back(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    vbe_mode(&r, 640, 480, 32);
    dispi(&r, DISPI_BANK, 2);
    dispi(&r, DISPI_ENABLE, 0);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_BANK), 0);
    set_mode(&r, &mode_03);
    poke(&r, 0xB8000, 0x0741, 2);
    render(&r);
    CU_ASSERT_EQUAL(r.surface.width, 720);
    CU_ASSERT_EQUAL(plane(&r, 0, 0), 0x41);
    rig_close(&r);
}

/* ----------------------------------------------------------------- PCI */

static void pci_header_is_a_standard_vga(void)
{
    struct rig r;
    rig_open(&r, 0);
    struct pci_function *f = vga_pci(r.dev);
    CU_ASSERT_EQUAL(pci_config_read(f, 0, 4), 0x11111234);
    CU_ASSERT_EQUAL(pci_config_read(f, 8, 4), 0x03000002);
    pci_config_write(f, PCI_BAR0, 0xFFFFFFFF, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0, 4), 0xFF000008);
    pci_config_write(f, PCI_BAR0 + 8, 0xFFFFFFFF, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0 + 8, 4), 0xFFFFF000);
    pci_config_write(f, PCI_ROM, 0xC0000001, 4);
    pci_config_write(f, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    CU_ASSERT_EQUAL(peek(&r, 0xC0000000 + 599, 1), (599 * 7) & 0xFF);
    CU_ASSERT_EQUAL(peek(&r, 0xC0000000 + 600, 1), 0xFF);
    device_reset(r.dev);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0, 4), 0x00000008);
    CU_ASSERT_PTR_NULL(bus_find(&r.memory, 0xC0000000));
    rig_close(&r);
}

static void mmio_page_holds_ports_dispi_and_byte_order(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    map_bars(&r);
    poke(&r, MMIO + 0x414, 0x5A0E, 2); /* 3D4 index, 3D5 data */
    CU_ASSERT_EQUAL(get(&r, 0x3D4, 0x0E), 0x5A);
    CU_ASSERT_EQUAL(peek(&r, MMIO + 0x40C, 1), 0x67); /* 3CC */
    CU_ASSERT_EQUAL(peek(&r, MMIO + 0x500, 2), 0xB0C5);
    poke(&r, MMIO + 0x502, 640, 2);
    poke(&r, MMIO + 0x504, 480, 2);
    poke(&r, MMIO + 0x506, 32, 2);
    poke(&r, MMIO + 0x508, 0x41, 2);
    CU_ASSERT_EQUAL(dispi_get(&r, DISPI_VIRT_WIDTH), 640);
    CU_ASSERT_EQUAL(peek(&r, MMIO + 0x504, 4), 480 | 32u << 16);
    CU_ASSERT_EQUAL(peek(&r, MMIO + 0x600, 4), 8);
    CU_ASSERT_EQUAL(peek(&r, MMIO + 0x604, 4), 0x1E1E1E1E);
    poke(&r, LFB, 0x00563412, 4);
    poke(&r, LFB + 4, 0x78563412, 4);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 1, 0), 0x563412);
    poke(&r, MMIO + 0x604, 0xBEBEBEBE, 4);
    CU_ASSERT_EQUAL(peek(&r, MMIO + 0x604, 4), 0xBEBEBEBE);
    render(&r);
    CU_ASSERT_EQUAL(pixel(&r, 1, 0), 0x345678);
    poke(&r, MMIO + 0x604, 0x12345678, 4);
    CU_ASSERT_EQUAL(peek(&r, MMIO + 0x604, 4), 0xBEBEBEBE);
    rig_close(&r);
}

static void impossible_sizes_are_refused(void)
{
    static const uint32_t sizes[] = {1, 128u << 10, 3u << 20, 512u << 20};
    for (unsigned i = 0; i < 4; i++) {
        struct rig r;
        rig_open(&r, 0);
        struct vga_config config = {.vram_bytes = sizes[i]};
        struct device *dev =
            device_new(&vga_class, "vga2", &r.clock, &r.memory, &r.io, &r.log);
        dev->config = &config;
        CU_ASSERT_EQUAL(device_init(dev), -EINVAL);
        device_free(dev);
        rig_close(&r);
    }
}

static void loaded_state_is_checked(void)
{
    struct rig r;
    rig_open(&r, 0);
    set_mode(&r, &mode_03);
    vbe_mode(&r, 640, 480, 32);
    CU_ASSERT_EQUAL(vga_class.loaded(r.dev), 0);
    r.v->dispi[DISPI_XRES] = 0xFFFF;
    CU_ASSERT(vga_class.loaded(r.dev) < 0);
    r.v->dispi[DISPI_XRES] = 640;
    r.v->cr_index = 200;
    CU_ASSERT(vga_class.loaded(r.dev) < 0);
    rig_close(&r);
}

/* --------------------------------------------------------------- storm */

static uint32_t storm_address(unsigned what)
{
    switch (what) {
    case 0:
        return LFB + ((uint32_t)rand() << 3) % (2u << 20);
    case 1:
        return MMIO + (uint32_t)rand() % 4096;
    case 2:
        return MMIO + 0x500 + (uint32_t)rand() % 24;
    default:
        return 0xA0000 + (uint32_t)rand() % 0x20000;
    }
}

static void storm_of_anything_leaves_it_standing(void)
{
    static const unsigned ports[] = {0x1CE, 0x1CF, 0x1D0, 0x3B4, 0x3B5, 0x3BA,
                                     0x3C0, 0x3C1, 0x3C2, 0x3C4, 0x3C5, 0x3C6,
                                     0x3C7, 0x3C8, 0x3C9, 0x3CE, 0x3CF, 0x3D4,
                                     0x3D5, 0x3DA};
    static const uint32_t vram[3] = {256u << 10, 2u << 20, 16u << 20};
    char text[4096];

    for (unsigned round = 0; round < 3; round++) {
        struct rig r;
        rig_open(&r, vram[round]);
        map_bars(&r);
        srand(round + 7);
        for (unsigned i = 0; i < 200000; i++) {
            unsigned size = 1u << (rand() & 3);
            uint64_t value = (uint64_t)rand() << 33 ^ (uint64_t)rand();
            unsigned port = ports[(unsigned)rand() % 20];
            switch (rand() % 8) {
            case 0:
                dispi(&r, (unsigned)rand() % 12,
                      rand() & 1 ? (unsigned)rand() & 0xFFFF
                                 : (unsigned)rand() & 0xE1);
                break;
            case 1:
                dispi(&r, DISPI_ENABLE, DISPI_NOCLEARMEM | (rand() & 1));
                break;
            case 2:
                bus_read(&r.io, port, size > 4 ? 4 : size);
                break;
            case 3:
            case 4:
                bus_write(&r.io, port, value, size > 4 ? 4 : size);
                break;
            case 5:
                peek(&r, storm_address((unsigned)rand() & 7), size);
                break;
            default:
                poke(&r, storm_address((unsigned)rand() & 7), value, size);
            }
            if (i % 2048 == 0) {
                /* Half the pictures are sure to be shown. */
                if (rand() & 1) {
                    r.v->ar_index |= 0x20;
                    r.v->sr[1] &= 0x1F;
                }
                render(&r);
                r.display.text(r.display.ctx, text,
                               (size_t)rand() % sizeof(text));
            }
            r.clock.instructions += (uint64_t)rand() & 0xFFFF;
        }
        rig_close(&r);
    }
}

static void storm_of_crtc_registers_renders_every_picture(void)
{
    struct rig r;
    rig_open(&r, 256u << 10);
    srand(99);
    for (unsigned i = 0; i < 400; i++) {
        out(&r, 0x3C2, 3);
        set(&r, 0x3D4, 0x11, 0);
        for (unsigned c = 0; c < 25; c++)
            if (c != 0x11)
                set(&r, 0x3D4, c, (unsigned)rand() & 0xFF);
        for (unsigned c = 1; c < 5; c++)
            set(&r, 0x3C4, c, (unsigned)rand() & 0xDF);
        for (unsigned c = 0; c < 9; c++)
            set(&r, 0x3CE, c, (unsigned)rand() & 0xFF);
        set_ar(&r, 0x10 + (unsigned)rand() % 5, (unsigned)rand() & 0xFF);
        poke(&r, 0xA0000 + (uint32_t)rand() % 0x20000, (uint64_t)rand(), 4);
        render(&r);
        struct vga_geometry g = vga_geometry(r.v);
        CU_ASSERT_EQUAL(r.surface.width,
                        g.columns * g.dots_per_char * (g.dot_doubling ? 2 : 1));
        CU_ASSERT_EQUAL(r.surface.height, g.lines);
    }
    rig_close(&r);
}

#define TEST(NAME)                                                             \
    {                                                                          \
#NAME, NAME                                                            \
    }
static const struct test tests[] = {
    TEST(crtc_protect_locks_0_to_7_but_line_compare),
    TEST(misc_bit_0_moves_the_crtc),
    TEST(attribute_flip_flop_starts_over_at_status_reads),
    TEST(palette_is_locked_while_it_feeds_the_screen),
    TEST(dac_counts_through_red_green_blue),
    TEST(retrace_comes_70_times_a_second_in_text_mode),
    TEST(retrace_comes_whatever_the_crtc_holds),
    TEST(write_mode_0_masks_planes_and_bits),
    TEST(set_reset_rotate_and_logic_shape_mode_0),
    TEST(write_mode_1_copies_latches),
    TEST(write_mode_2_takes_a_colour),
    TEST(write_mode_3_uses_the_byte_as_a_mask),
    TEST(read_modes_choose_a_plane_or_compare_colours),
    TEST(chain_4_spreads_bytes_over_planes),
    TEST(text_memory_is_odd_even),
    TEST(window_answers_where_gr6_says),
    TEST(short_cuts_give_what_the_data_path_gives),
    TEST(text_shows_glyphs_colours_and_the_ninth_dot),
    TEST(text_has_two_fonts),
    TEST(cursor_and_attributes_blink),
    TEST(text_dump_is_utf8),
    TEST(forty_columns_and_fifty_lines),
    TEST(mode_13h_shows_each_pixel_as_2x2),
    TEST(mode_x_pans_scrolls_and_splits),
    TEST(mode_12h_shows_four_planes),
    TEST(cga_modes_interleave_lines),
    TEST(blanked_screen_is_black_and_keeps_its_size),
    TEST(vbe_tells_what_it_can),
    TEST(vbe_shows_every_depth),
    TEST(vbe_window_is_banked),
    TEST(vbe_scrolls_in_a_virtual_screen),
    TEST(vbe_clears_memory_unless_told_not_to),
    TEST(vbe_planar_reaches_800x600),
    TEST(vbe_never_shows_more_than_there_is),
    TEST(leaving_vbe_gives_the_vga_back),
    TEST(pci_header_is_a_standard_vga),
    TEST(mmio_page_holds_ports_dispi_and_byte_order),
    TEST(impossible_sizes_are_refused),
    TEST(loaded_state_is_checked),
    TEST(storm_of_anything_leaves_it_standing),
    TEST(storm_of_crtc_registers_renders_every_picture),
    {NULL, NULL},
};

TEST_MAIN("vga", tests)
