/*
 * VGA: the text screen as text. What `info` commands, tests and `-display
 * none` users read: the characters in plane 0, code page 437 (the font that
 * every VGA BIOS loads) as UTF-8, one line a row, trailing blanks dropped.
 *
 * Not modelled: fonts that a guest has loaded; attributes; the split screen.
 *
 * Invariant: never more than `size` bytes, and never half a character.
 */
#include "devices/vga_state.h"

/* Code page 437 above ASCII, and its pictures below it. */
static const uint16_t cp437_low[32] = {
    0x0020, 0x263A, 0x263B, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022,
    0x25D8, 0x25CB, 0x25D9, 0x2642, 0x2640, 0x266A, 0x266B, 0x263C,
    0x25BA, 0x25C4, 0x2195, 0x203C, 0x00B6, 0x00A7, 0x25AC, 0x21A8,
    0x2191, 0x2193, 0x2192, 0x2190, 0x221F, 0x2194, 0x25B2, 0x25BC};

static const uint16_t cp437_high[128] = {
    0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7,
    0x00EA, 0x00EB, 0x00E8, 0x00EF, 0x00EE, 0x00EC, 0x00C4, 0x00C5,
    0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9,
    0x00FF, 0x00D6, 0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192,
    0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA, 0x00BA,
    0x00BF, 0x2310, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
    0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510,
    0x2514, 0x2534, 0x252C, 0x251C, 0x2500, 0x253C, 0x255E, 0x255F,
    0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256C, 0x2567,
    0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B,
    0x256A, 0x2518, 0x250C, 0x2588, 0x2584, 0x258C, 0x2590, 0x2580,
    0x03B1, 0x00DF, 0x0393, 0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4,
    0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6, 0x03B5, 0x2229,
    0x2261, 0x00B1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00F7, 0x2248,
    0x00B0, 0x2219, 0x00B7, 0x221A, 0x207F, 0x00B2, 0x25A0, 0x0020};

static unsigned unicode(unsigned ch)
{
    if (ch < 0x20)
        return cp437_low[ch];
    if (ch == 0x7F)
        return 0x2302;
    return ch < 0x80 ? ch : cp437_high[ch - 0x80];
}

/* Bytes written, up to 3; 0 when they do not fit. */
static size_t put_utf8(char *to, size_t room, unsigned code)
{
    char bytes[3];
    size_t count;

    if (code < 0x80) {
        bytes[0] = (char)code;
        count = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xC0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3F));
        count = 2;
    } else {
        bytes[0] = (char)(0xE0 | code >> 12);
        bytes[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        bytes[2] = (char)(0x80 | (code & 0x3F));
        count = 3;
    }
    if (count > room)
        return 0;
    memcpy(to, bytes, count);
    return count;
}

/* One row into `text`; returns its length, *full when it was cut. */
static size_t put_row(const struct vga *v, uint32_t counter, unsigned columns,
                      char *text, size_t room, bool *full)
{
    size_t length = 0, inked = 0;

    for (unsigned x = 0; x < columns; x++) {
        uint32_t at = vga_fetch_offset(v, counter + x, 0);
        unsigned code = unicode(vga_cell(v, at)[0]);
        size_t n = put_utf8(text + length, room - length, code);
        if (n == 0) {
            *full = true;
            break;
        }
        length += n;
        if (code != ' ')
            inked = length;
    }
    return inked;
}

size_t vga_text(void *ctx, char *text, size_t size)
{
    struct device *dev = ctx;
    const struct vga *v = dev->state;
    size_t length = 0;
    bool full = false;

    if (size == 0)
        return 0;
    text[0] = '\0';
    if (vga_vbe_on(v) || v->gr[6] & 1)
        return 0;

    struct vga_geometry g = vga_geometry(v);
    unsigned height = g.row_lines * (g.line_doubling ? 2 : 1);
    unsigned rows = g.lines / height;
    uint32_t counter = (uint32_t)(v->cr[0x0C] << 8 | v->cr[0x0D]);
    for (unsigned y = 0; y < rows && !full; y++) {
        /* One byte for the newline, one for the end. */
        if (size - length < 2)
            break;
        length += put_row(v, counter, g.columns, text + length,
                          size - length - 2, &full);
        text[length++] = '\n';
        counter += v->cr[0x13] * 2u;
    }
    text[length] = '\0';
    return length;
}
