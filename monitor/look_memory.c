/*
 * Guest memory as the monitor shows it: QEMU's x and xp, write, search, save
 * and load.
 *
 * Invariant: only RAM and ROM are read, never a device, whose registers might
 * change by being read. Permissions do not matter, presence does.
 */
#include "monitor/look.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS 65536u
#define MAX_STRING 256u
#define MAX_MATCHES 100u
#define MAX_PATTERN 256u
#define MAX_SEARCH (UINT64_C(4) << 30)
#define PAGE UINT64_C(4096)

/* --- bytes ---------------------------------------------------------------- */

/* Host bytes from addr to the end of its page at most; NULL: not there. */
static uint8_t *page_at(struct cpu *c, enum look_space space, uint64_t addr,
                        size_t *size, bool write, uint64_t *gpa)
{
    size_t left = (size_t)(PAGE - (addr & (PAGE - 1)));

    if (*size > left)
        *size = left;
    *gpa = addr;
    if (space == LOOK_LINEAR) {
        struct look_path path;

        if (!look_path(c, addr, &path))
            return NULL;
        *gpa = path.gpa & c->a20_mask;
    }
    return bus_host(&c->machine->memory, *gpa, *size, write);
}

size_t look_read(struct cpu *c, enum look_space space, uint64_t addr,
                 void *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t n = size - done;
        uint64_t gpa;
        const uint8_t *host = page_at(c, space, addr + done, &n, false, &gpa);

        if (!host)
            break;
        memcpy((uint8_t *)data + done, host, n);
        done += n;
    }
    return done;
}

size_t look_write(struct cpu *c, enum look_space space, uint64_t addr,
                  const void *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t n = size - done;
        uint64_t gpa;

        if (!page_at(c, space, addr + done, &n, true, &gpa))
            break;
        bus_write_block(&c->machine->memory, gpa, (const uint8_t *)data + done,
                        n);
        done += n;
    }
    return done;
}

/* --- x -------------------------------------------------------------------- */

bool look_parse_format(const char *text, struct look_format *f, FILE *out)
{
    *f = (struct look_format){.count = 1, .format = 'x', .size = 0};
    if (!text)
        text = "";
    if (isdigit((unsigned char)*text)) {
        char *end;

        f->count = strtoull(text, &end, 0);
        text = end;
    }
    for (; *text; text++) {
        switch (*text) {
        case 'x':
        case 'd':
        case 'u':
        case 'o':
        case 'c':
        case 'i':
        case 's':
            f->format = *text;
            break;
        case 'b': f->size = 1; break;
        case 'h': f->size = 2; break;
        case 'w': f->size = 4; break;
        case 'g': f->size = 8; break;
        default:
            fprintf(out, "invalid char in format: '%c'\n",
                    isprint((unsigned char)*text) ? *text : '?');
            return false;
        }
    }
    if (!f->size)
        f->size = 4;
    if (f->format == 'c')
        f->size = 1;
    if (f->count > MAX_ITEMS) {
        fprintf(out, "count: at most %u\n", MAX_ITEMS);
        return false;
    }
    return true;
}

static void print_char(FILE *out, uint8_t byte, char quote)
{
    if (byte == (uint8_t)quote || byte == '\\')
        fprintf(out, "\\%c", byte);
    else if (byte == '\n')
        fprintf(out, "\\n");
    else if (byte == '\r')
        fprintf(out, "\\r");
    else if (byte >= 32 && byte < 127)
        fputc(byte, out);
    else
        fprintf(out, "\\x%02x", byte);
}

static void print_item(FILE *out, char format, unsigned size, uint64_t value)
{
    /* QEMU's widths: the most digits that a value of this size can have. */
    const unsigned bits = size * 8;

    switch (format) {
    case 'o':
        fprintf(out, " 0%0*" PRIo64, (int)(bits + 2) / 3, value);
        break;
    case 'u':
        fprintf(out, " %*" PRIu64, (int)(bits * 10 + 32) / 33, value);
        break;
    case 'd':
        fprintf(out, " %*" PRId64, (int)(bits * 10 + 32) / 33, (int64_t)value);
        break;
    case 'c':
        fprintf(out, " '");
        print_char(out, (uint8_t)value, '\'');
        fprintf(out, "'");
        break;
    default:
        fprintf(out, " 0x%0*" PRIx64, (int)bits / 4, value);
        break;
    }
}

static int examine_items(struct cpu *c, FILE *out, const struct look_format *f,
                         enum look_space space, uint64_t *addr)
{
    const unsigned line = f->size == 1 ? 8 : 16;

    for (uint64_t left = f->count * f->size; left;) {
        unsigned n = left < line ? (unsigned)left : line;
        uint8_t bytes[16];
        size_t have = look_read(c, space, *addr, bytes, n);

        fprintf(out, "%016" PRIx64 ":", *addr);
        for (unsigned i = 0; i + f->size <= have; i += f->size) {
            uint64_t value = 0;

            memcpy(&value, bytes + i, f->size);
            print_item(out, f->format, f->size, value);
        }
        if (have < n) {
            fprintf(out, " Cannot access memory\n");
            return -1;
        }
        fputc('\n', out);
        *addr += n;
        left -= n;
    }
    return 0;
}

static int examine_strings(struct cpu *c, FILE *out, uint64_t count,
                           enum look_space space, uint64_t *addr)
{
    for (; count; count--) {
        unsigned n = 0;
        uint8_t byte = 0;
        bool there;

        fprintf(out, "%016" PRIx64 ": \"", *addr);
        while ((there = look_read(c, space, *addr, &byte, 1) == 1)) {
            ++*addr;
            if (!byte || ++n > MAX_STRING)
                break;
            print_char(out, byte, '"');
        }
        fprintf(out, "\"%s\n",
                !there           ? " Cannot access memory"
                : n > MAX_STRING ? "..."
                                 : "");
        if (!there)
            return -1;
    }
    return 0;
}

int look_examine(struct cpu *c, FILE *out, const struct symbols *symbols,
                 const struct look_format *f, enum look_space space,
                 uint64_t addr, uint64_t *next)
{
    int result;

    if (f->format == 'i')
        return look_disassemble(c, out, symbols, space, addr, f->count, next);
    if (f->format == 's')
        result = examine_strings(c, out, f->count, space, &addr);
    else
        result = examine_items(c, out, f, space, &addr);
    if (next)
        *next = addr;
    return result;
}

/* --- search --------------------------------------------------------------- */

/* "text" or hexadecimal bytes. Returns their number, 0 when it is neither. */
static size_t parse_pattern(const char *text, uint8_t *bytes)
{
    size_t n = 0, digits = 0;

    while (isspace((unsigned char)*text))
        text++;
    if (*text == '"') {
        for (text++; *text && *text != '"' && n < MAX_PATTERN; text++)
            bytes[n++] = (uint8_t)*text;
        return *text == '"' ? n : 0;
    }
    for (; *text; text++) {
        static const char hex[] = "0123456789abcdef";
        const char *digit = strchr(hex, tolower((unsigned char)*text));

        if (isspace((unsigned char)*text)) {
            if (digits % 2)
                return 0;
            continue;
        }
        if (!digit || digits / 2 >= MAX_PATTERN)
            return 0;
        unsigned value = (unsigned)(digit - hex);
        if (digits % 2 == 0)
            bytes[n++] = (uint8_t)(value << 4);
        else
            bytes[n - 1] |= (uint8_t)value;
        digits++;
    }
    return digits % 2 ? 0 : n;
}

struct search {
    struct cpu *c;
    FILE *out;
    enum look_space space;
    const uint8_t *pattern;
    size_t length;
    unsigned matches;
};

/* All matches that begin in `data`; a match may reach past it. */
static void search_page(struct search *s, uint64_t addr, const uint8_t *data,
                        size_t size)
{
    const uint8_t *at = data;

    while (s->matches < MAX_MATCHES &&
           (at = memchr(at, s->pattern[0], size - (size_t)(at - data)))) {
        uint64_t where = addr + (uint64_t)(at - data);
        uint8_t bytes[MAX_PATTERN];

        if (look_read(s->c, s->space, where, bytes, s->length) == s->length &&
            !memcmp(bytes, s->pattern, s->length)) {
            fprintf(s->out, "%016" PRIx64 "\n", where);
            s->matches++;
        }
        at++;
        if (at == data + size)
            break;
    }
}

int look_search(struct cpu *c, FILE *out, enum look_space space, uint64_t addr,
                uint64_t size, const char *text)
{
    uint8_t pattern[MAX_PATTERN], page[PAGE];
    struct search s = {.c = c, .out = out, .space = space, .pattern = pattern,
                       .length = parse_pattern(text ? text : "", pattern)};
    uint64_t unread = 0;

    if (!s.length) {
        fprintf(out, "pattern: bytes like 55 aa, or text in \"quotes\"\n");
        return -1;
    }
    if (size > MAX_SEARCH) {
        fprintf(out, "size: at most 4 GiB\n");
        return -1;
    }
    while (size && s.matches < MAX_MATCHES) {
        size_t n = (size_t)(PAGE - (addr & (PAGE - 1)));

        if (n > size)
            n = (size_t)size;
        if (look_read(c, space, addr, page, n) == n)
            search_page(&s, addr, page, n);
        else
            unread += n;
        addr += n;
        size -= n;
    }
    if (s.matches == MAX_MATCHES)
        fprintf(out, "... stopped after %u matches\n", MAX_MATCHES);
    else
        fprintf(out, "%u match%s\n", s.matches, s.matches == 1 ? "" : "es");
    if (unread)
        fprintf(out, "%" PRIu64 " bytes are not memory: left out\n", unread);
    return s.matches ? 0 : -1;
}

/* --- files ---------------------------------------------------------------- */

int look_save(struct cpu *c, FILE *out, enum look_space space, uint64_t addr,
              uint64_t size, const char *path)
{
    uint8_t page[PAGE];
    uint64_t done = 0;
    FILE *file = fopen(path, "wb");

    if (!file) {
        fprintf(out, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    while (done < size) {
        size_t n = size - done < PAGE ? (size_t)(size - done) : PAGE;
        size_t have = look_read(c, space, addr + done, page, n);

        if (fwrite(page, 1, have, file) != have)
            break;
        done += have;
        if (have < n) {
            fprintf(out, "%016" PRIx64 ": Cannot access memory\n", addr + done);
            break;
        }
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) || failed)
        fprintf(out, "%s: %s\n", path, strerror(errno));
    fprintf(out, "%" PRIu64 " bytes saved to %s\n", done, path);
    return done == size && !failed ? 0 : -1;
}

int look_load(struct cpu *c, FILE *out, enum look_space space, uint64_t addr,
              const char *path)
{
    uint8_t page[PAGE];
    uint64_t done = 0;
    size_t n;
    bool fits = true;
    FILE *file = fopen(path, "rb");

    if (!file) {
        fprintf(out, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    while (fits && (n = fread(page, 1, sizeof(page), file)) > 0) {
        size_t written = look_write(c, space, addr + done, page, n);

        done += written;
        fits = written == n;
    }
    bool failed = ferror(file) != 0;
    if (failed)
        fprintf(out, "%s: %s\n", path, strerror(errno));
    if (!fits)
        fprintf(out, "%016" PRIx64 ": Cannot write memory\n", addr + done);
    (void)fclose(file);
    fprintf(out, "%" PRIu64 " bytes loaded at %016" PRIx64 "\n", done, addr);
    return fits && !failed ? 0 : -1;
}
