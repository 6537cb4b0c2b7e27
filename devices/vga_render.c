/*
 * VGA: what the registers and the memory look like on the screen. The CRTC
 * walks memory a character clock at a time, the sequencer makes eight (nine,
 * four) dots of what it fetches, the attribute controller and the DAC make
 * colours of dots. IBM PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem".
 *
 *      counter + row scan --CR14, CR17--> plane offset --> 32 bits
 *          text:    plane 0 character, 1 attribute, 2 font
 *          GR5 = 0  8 dots of 4 bits, one from each plane
 *          GR5.5    CGA: 4 dots from planes 0, 2, then 4 from planes 1, 3
 *          GR5.6    4 pixels of 8 bits, two dots wide
 *
 * The picture is as large as the raster: mode 13h is 640x400, each pixel 2x2.
 *
 * Not modelled: borders (overscan), CRTC skews, count-by-two and -by-four with
 * the slower shift loads (SR1.2, SR1.4, CR14.5, CR17.3), CR17.2, blinking in
 * graphics modes, changes while the beam is half-way: the registers are looked
 * at once a picture.
 *
 * Invariants: a line buffer holds LINE_DOTS, more than 257 characters of nine;
 * every fetch goes through vga_cell() or a mask.
 */
#include "devices/vga_state.h"

#define LINE_DOTS (258u * 9u + 16u)

/* What does not change within a picture. */
struct raster {
    const struct vga *v;
    struct vga_geometry g;
    uint32_t colors[256]; /* of a dot in the line buffer */
    uint32_t row_step;    /* counter units from one row to the next */
    unsigned pan;         /* dots dropped on the left */
    bool graphics;
    bool blink_off, cursor_off; /* the hidden half of their periods */
    uint16_t cursor;
};

static uint32_t dac_color(const struct vga *v, unsigned index)
{
    const uint8_t *rgb = v->dac + (index & v->dac_mask) * 3u;
    bool wide = (v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC) != 0;
    uint32_t color = 0;

    for (unsigned i = 0; i < 3; i++) {
        /* Six bits widen so that 0x3F is full white. */
        uint32_t level =
            wide ? rgb[i] : ((rgb[i] & 0x3Fu) << 2 | (rgb[i] & 0x3Fu) >> 4);
        color = color << 8 | level;
    }
    return color;
}

/* 16-colour modes: palette, colour select (AR14), then the DAC. */
static uint32_t attribute_color(const struct vga *v, unsigned index)
{
    unsigned pel = v->ar[index & v->ar[0x12] & 15] & 0x3Fu;

    if (v->ar[0x10] & 0x80)
        pel = (pel & 0x0F) | (v->ar[0x14] & 0x03u) << 4;
    return dac_color(v, pel | (v->ar[0x14] & 0x0Cu) << 4);
}

static void fill_colors(struct raster *r, bool direct)
{
    for (unsigned i = 0; i < 256; i++)
        r->colors[i] =
            direct ? dac_color(r->v, i) : attribute_color(r->v, i & 15);
}

/* The CRTC's counter to a plane offset: how a program thinks of addresses
 * (bytes, words, double words) decides which bits the planes get to see. */
uint32_t vga_fetch_offset(const struct vga *v, uint32_t counter, unsigned row)
{
    uint32_t a = counter & 0xFFFF;

    if (v->cr[0x14] & 0x40)
        a = (a << 2) | (a >> 14);
    else if (!(v->cr[0x17] & 0x40))
        a = (a << 1) | ((a >> (v->cr[0x17] & 0x20 ? 15 : 13)) & 1);
    /* CGA and Hercules interleave: the row scan is an address bit. */
    if (!(v->cr[0x17] & 0x01))
        a = (a & ~0x2000u) | (row & 1) << 13;
    if (!(v->cr[0x17] & 0x02))
        a = (a & ~0x4000u) | (row & 2) << 13;
    return a & 0xFFFF;
}

/* Eight dots at once: byte i of the result is bit 7 - i of `bits`. */
static uint64_t spread(unsigned bits)
{
    uint64_t x = (bits & 0xFF) * UINT64_C(0x0101010101010101);

    x &= UINT64_C(0x0102040810204080);
    /* A byte that kept its bit carries into bit 7, and never further. */
    x += UINT64_C(0x7F7F7F7F7F7F7F7F);
    return (x >> 7) & UINT64_C(0x0101010101010101);
}

static void store_dots(uint8_t *to, uint64_t dots)
{
    dots = htole64(dots);
    memcpy(to, &dots, sizeof(dots));
}

static void graphics_char(const struct vga *v, uint32_t cell, uint8_t *to)
{
    unsigned p0 = cell & 0xFF, p1 = (cell >> 8) & 0xFF;
    unsigned p2 = (cell >> 16) & 0xFF, p3 = cell >> 24;

    if (v->gr[5] & 0x40) {
        for (unsigned i = 0; i < 8; i++)
            to[i] = (uint8_t)(cell >> (i / 2) * 8);
    } else if (v->gr[5] & 0x20) {
        for (unsigned i = 0; i < 4; i++) {
            unsigned shift = 6 - i * 2;
            to[i] = (uint8_t)(((p0 >> shift) & 3) | ((p2 >> shift) & 3) << 2);
            to[i + 4] =
                (uint8_t)(((p1 >> shift) & 3) | ((p3 >> shift) & 3) << 2);
        }
    } else {
        store_dots(to, spread(p0) | spread(p1) << 1 | spread(p2) << 2 |
                           spread(p3) << 3);
    }
}

/* Plane 2 offset of character map `n` (SR3's order): 8 KB steps, odd ones
 * interleaved. */
static uint32_t font_base(unsigned n)
{
    return (n & 3) * 0x4000u + (n >> 2) * 0x2000u;
}

static void text_char(const struct raster *r, uint32_t cell, uint32_t counter,
                      unsigned row, uint8_t *to)
{
    const struct vga *v = r->v;
    unsigned ch = cell & 0xFF, attr = (cell >> 8) & 0xFF;
    unsigned maps = v->sr[3];
    unsigned map = attr & 0x08 ? ((maps >> 2) & 3) | ((maps >> 3) & 4)
                               : (maps & 3) | ((maps >> 2) & 4);
    unsigned font = vga_cell(v, font_base(map) + ch * 32 + row)[2];
    unsigned front = attr & 15, back = attr >> 4;

    if (v->ar[0x10] & 0x08) {
        if (back & 8 && r->blink_off)
            font = 0;
        back &= 7;
    }
    if ((attr & 7) == 1 && row == (v->cr[0x14] & 0x1Fu))
        font = 0xFF; /* underlined, as MDA has it */
    bool ninth = font & 1 && v->ar[0x10] & 0x04 && (ch & 0xE0) == 0xC0;
    if ((counter & 0xFFFF) == r->cursor && !r->cursor_off &&
        row >= (v->cr[0x0A] & 0x1Fu) && row <= (v->cr[0x0B] & 0x1Fu)) {
        font = 0xFF;
        ninth = true;
    }
    uint64_t ink = spread(font) * 0xFF;
    store_dots(to, (ink & front * UINT64_C(0x0101010101010101)) |
                       (~ink & back * UINT64_C(0x0101010101010101)));
    to[8] = (uint8_t)(ninth ? front : back);
}

/* What a scan line shows: equal ones are drawn once. */
struct scan {
    uint32_t counter; /* of its first character */
    unsigned row;     /* row scan counter */
    unsigned pan;
    bool second; /* of a doubled line */
};

static void draw_line(const struct raster *r, const struct scan *s,
                      uint32_t *out)
{
    uint8_t dots[LINE_DOTS];
    unsigned step = r->graphics ? 8 : r->g.dots_per_char;
    unsigned width = r->g.columns * r->g.dots_per_char;
    uint8_t *to = dots;

    /* As many as it takes to fill the line after panning. */
    for (uint32_t n = s->counter; to < dots + width + s->pan; n++, to += step) {
        uint32_t cell =
            vga_load32(vga_cell(r->v, vga_fetch_offset(r->v, n, s->row)));
        if (r->graphics)
            graphics_char(r->v, cell, to);
        else
            text_char(r, cell, n, s->row, to);
    }
    const uint8_t *from = dots + s->pan;
    if (r->g.dot_doubling) {
        for (unsigned x = 0; x < width; x++)
            out[2 * x] = out[2 * x + 1] = r->colors[from[x]];
    } else {
        for (unsigned x = 0; x < width; x++)
            out[x] = r->colors[from[x]];
    }
}

static void raster_init(struct raster *r, struct vga *v)
{
    r->v = v;
    r->g = vga_geometry(v);
    r->graphics = (v->gr[6] & 1) != 0;
    r->row_step = v->cr[0x13] * 2u;
    unsigned pan = v->ar[0x13] & 15u;
    if (r->g.dots_per_char == 9)
        r->pan = pan >= 8 ? 0 : pan + 1;
    else
        r->pan = pan & 7;
    r->cursor = (uint16_t)(v->cr[0x0E] << 8 | v->cr[0x0F]);
    /* The cursor blinks every 8 frames, text every 16: of 60 a second, as a
     * guest that reprograms the raster cannot make it flicker. */
    uint64_t frames = clock_ticks(v->dev->clock, 60);
    r->cursor_off = v->cr[0x0A] & 0x20 || (frames / 8) & 1;
    r->blink_off = (frames / 16) & 1;
    fill_colors(r, r->graphics && v->gr[5] & 0x40);
}

static bool looks_alike(const struct raster *r, const struct scan *a,
                        const struct scan *b)
{
    /* In graphics only CGA's interleave looks at the row scan. */
    bool row_matters = !r->graphics || (r->v->cr[0x17] & 3) != 3;

    return a->counter == b->counter && a->pan == b->pan &&
           (a->row == b->row || !row_matters);
}

/* To the scan line after `y`. */
static void next_scan(const struct raster *r, struct scan *s, unsigned y)
{
    if (y == r->g.line_compare) {
        /* The split: memory from 0 on, panned no more if AR10.5 says so. */
        s->counter = s->row = 0;
        s->second = false;
        if (r->v->ar[0x10] & 0x20)
            s->pan = 0;
    } else if (r->g.line_doubling && !s->second) {
        s->second = true;
    } else {
        s->second = false;
        if (s->row == r->g.row_lines - 1) {
            s->row = 0;
            s->counter += r->row_step;
        } else {
            s->row = (s->row + 1) & 0x1F;
        }
    }
}

static void render_raster(struct vga *v, struct surface *surface)
{
    struct raster r;

    raster_init(&r, v);
    unsigned width = r.g.columns * r.g.dots_per_char;
    if (r.g.dot_doubling)
        width *= 2;
    if (surface_resize(surface, width, r.g.lines))
        return;

    struct scan now = {
        .counter = (uint32_t)(v->cr[0x0C] << 8 | v->cr[0x0D]) +
                   ((v->cr[0x08] >> 5) & 3u),
        .row = v->cr[0x08] & 0x1Fu,
        .pan = r.pan,
    };
    struct scan before = now;
    for (unsigned y = 0; y < r.g.lines; y++) {
        uint32_t *out = surface->pixels + (size_t)y * surface->stride;
        if (y > 0 && looks_alike(&r, &now, &before))
            memcpy(out, out - surface->stride, width * sizeof(*out));
        else
            draw_line(&r, &now, out);
        before = now;
        next_scan(&r, &now, y);
    }
}

static uint32_t unpack(unsigned bpp, const uint8_t *p, bool big)
{
    unsigned half = big ? (unsigned)p[0] << 8 | p[1] : p[0] | p[1] * 256u;
    unsigned red, green, blue;

    switch (bpp) {
    case 15:
        red = (half >> 10) & 31, green = (half >> 5) & 31, blue = half & 31;
        return (red << 3 | red >> 2) << 16 | (green << 3 | green >> 2) << 8 |
               (blue << 3 | blue >> 2);
    case 16:
        red = half >> 11, green = (half >> 5) & 63, blue = half & 31;
        return (red << 3 | red >> 2) << 16 | (green << 2 | green >> 4) << 8 |
               (blue << 3 | blue >> 2);
    default:
        if (big && bpp == 24)
            return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        if (big)
            return (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
    }
}

static void render_packed(struct vga *v, struct surface *surface)
{
    unsigned bpp = v->dispi[DISPI_BPP], bytes = (bpp + 7) / 8;
    unsigned width = v->dispi[DISPI_XRES], height = v->dispi[DISPI_YRES];
    uint32_t pitch = vga_vbe_pitch(v);
    uint64_t start = vga_vbe_start(v);
    uint32_t colors[256];

    if (surface_resize(surface, width, height))
        return;
    for (unsigned i = 0; bpp == 8 && i < 256; i++)
        colors[i] = dac_color(v, i);
    for (unsigned y = 0; y < height; y++) {
        uint32_t *out = surface->pixels + (size_t)y * surface->stride;
        uint64_t at = start + (uint64_t)y * pitch;
        /* fix_up() has seen to it; a picture is not worth trusting it. */
        if (at + (uint64_t)width * bytes > v->vram_bytes)
            return;
        const uint8_t *from = v->vram + at;
        if (bpp == 8) {
            for (unsigned x = 0; x < width; x++)
                out[x] = colors[from[x]];
        } else if (bpp == 32 && !v->big_endian) {
            for (unsigned x = 0; x < width; x++)
                out[x] = vga_load32(from + (size_t)x * 4) & 0xFFFFFF;
        } else {
            for (unsigned x = 0; x < width; x++)
                out[x] = unpack(bpp, from + (size_t)x * bytes, v->big_endian);
        }
    }
}

/* VBE at 4 bits a pixel: planes, without the CRTC's addressing. */
static void render_planar(struct vga *v, struct surface *surface)
{
    unsigned width = v->dispi[DISPI_XRES], height = v->dispi[DISPI_YRES];
    uint32_t start = (uint32_t)vga_vbe_start(v), pitch = vga_vbe_pitch(v);
    unsigned pan = v->dispi[DISPI_X_OFFSET] & 7u;
    uint32_t colors[16];
    uint8_t dots[DISPI_MAX_XRES + 8];

    if (surface_resize(surface, width, height))
        return;
    for (unsigned i = 0; i < 16; i++)
        colors[i] = attribute_color(v, i);
    for (unsigned y = 0; y < height; y++) {
        uint32_t *out = surface->pixels + (size_t)y * surface->stride;
        for (unsigned x = 0; x < width + 8; x += 8) {
            uint32_t cell = vga_load32(vga_cell(v, start + y * pitch + x / 8));
            store_dots(dots + x, spread(cell) | spread(cell >> 8) << 1 |
                                     spread(cell >> 16) << 2 |
                                     spread(cell >> 24) << 3);
        }
        for (unsigned x = 0; x < width; x++)
            out[x] = colors[dots[pan + x]];
    }
}

/* Nothing is shown: SR1.5, or the palette is in the CPU's hands. The size
 * stays what it was, so that a window does not jump. */
static void render_black(struct surface *surface)
{
    if (!surface->pixels && surface_resize(surface, 640, 400))
        return;
    for (unsigned y = 0; y < surface->height; y++)
        memset(surface->pixels + (size_t)y * surface->stride, 0,
               surface->width * sizeof(*surface->pixels));
}

void vga_render(void *ctx, struct surface *surface)
{
    struct device *dev = ctx;
    struct vga *v = dev->state;

    if (v->sr[1] & 0x20 || !(v->ar_index & 0x20))
        render_black(surface);
    else if (!vga_vbe_on(v))
        render_raster(v, surface);
    else if (v->dispi[DISPI_BPP] == 4)
        render_planar(v, surface);
    else
        render_packed(v, surface);
}
