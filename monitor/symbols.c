/*
 * ELF symbol tables. See symbols.h.
 *
 * Invariant: nothing of the file is looked at before part() has said that it
 * lies within; the number of symbols is bounded by the file's size.
 */
#include "monitor/symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 30)
/* A label without a size reaches this far. */
#define REACH 0x10000u

struct image {
    const uint8_t *data;
    size_t size;
    bool wide; /* ELF64 */
};

struct section {
    uint32_t type, link;
    uint64_t offset, size, entry_size;
};

static int fail(char *error, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(char *error, size_t size, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(error, size, format, ap);
    va_end(ap);
    return -1;
}

static bool part(const struct image *im, uint64_t offset, uint64_t size)
{
    return offset <= im->size && size <= im->size - offset;
}

/* Little-endian, as the file. */
static uint64_t number(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)p[i] << (i * 8);
    return value;
}

#define GET(P, TYPE, MEMBER)                                                   \
    number((P) + offsetof(TYPE, MEMBER), sizeof(((TYPE *)0)->MEMBER))
#define GET2(WIDE, P, NAME, MEMBER)                                            \
    ((WIDE) ? GET(P, Elf64_##NAME, MEMBER) : GET(P, Elf32_##NAME, MEMBER))

static bool read_section(const struct image *im, uint64_t index,
                         struct section *s)
{
    const uint8_t *h = im->data;
    uint64_t table = GET2(im->wide, h, Ehdr, e_shoff);
    uint64_t each = GET2(im->wide, h, Ehdr, e_shentsize);
    uint64_t count = GET2(im->wide, h, Ehdr, e_shnum);
    uint64_t least = im->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);

    /* index and each have 16 bits: the product cannot overflow. */
    if (index >= count || each < least || table > im->size ||
        !part(im, table + index * each, least))
        return false;
    const uint8_t *p = h + table + index * each;
    s->type = (uint32_t)GET2(im->wide, p, Shdr, sh_type);
    s->link = (uint32_t)GET2(im->wide, p, Shdr, sh_link);
    s->offset = GET2(im->wide, p, Shdr, sh_offset);
    s->size = GET2(im->wide, p, Shdr, sh_size);
    s->entry_size = GET2(im->wide, p, Shdr, sh_entsize);
    return true;
}

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    /* Of several names, the one with a size comes last and is shown. */
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void take(struct symbols *s, const struct image *im, const uint8_t *p,
                 uint64_t names_size)
{
    uint64_t name = GET2(im->wide, p, Sym, st_name);
    unsigned info = (unsigned)GET2(im->wide, p, Sym, st_info);
    uint64_t section = GET2(im->wide, p, Sym, st_shndx);
    unsigned type = info & 15;

    if (name >= names_size || !s->names[name] || section == SHN_UNDEF ||
        type == STT_SECTION || type == STT_FILE || type == STT_TLS)
        return;
    s->list[s->count++] = (struct symbol){
        .name = s->names + name,
        .addr = GET2(im->wide, p, Sym, st_value),
        .size = GET2(im->wide, p, Sym, st_size),
        .code = type == STT_FUNC || type == STT_NOTYPE,
    };
}

/* The symbols of one section, with the names of another. */
static int read_table(struct symbols *s, const struct image *im,
                      const struct section *table)
{
    struct section strings;
    uint64_t least = im->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);

    if (!read_section(im, table->link, &strings) || table->entry_size < least ||
        !part(im, table->offset, table->size) ||
        !part(im, strings.offset, strings.size))
        return -EINVAL;
    uint64_t count = table->size / table->entry_size;
    s->list = calloc((size_t)count + 1, sizeof(*s->list));
    s->names = malloc((size_t)strings.size + 1);
    if (!s->list || !s->names)
        return -ENOMEM;
    memcpy(s->names, im->data + strings.offset, (size_t)strings.size);
    s->names[strings.size] = '\0';
    for (uint64_t i = 0; i < count; i++)
        take(s, im, im->data + table->offset + i * table->entry_size,
             strings.size);
    qsort(s->list, s->count, sizeof(*s->list), by_address);
    return 0;
}

static int read_elf(struct symbols *s, struct image *im, char *error,
                    size_t size)
{
    if (!part(im, 0, sizeof(Elf32_Ehdr)) ||
        memcmp(im->data, ELFMAG, SELFMAG) != 0)
        return fail(error, size, "it is no ELF file");
    if (im->data[EI_DATA] != ELFDATA2LSB ||
        (im->data[EI_CLASS] != ELFCLASS32 && im->data[EI_CLASS] != ELFCLASS64))
        return fail(error, size, "it is no ELF file of an x86");
    im->wide = im->data[EI_CLASS] == ELFCLASS64;
    if (im->wide && !part(im, 0, sizeof(Elf64_Ehdr)))
        return fail(error, size, "its ELF header is cut off");
    struct section section;
    for (uint64_t i = 0; read_section(im, i, &section); i++) {
        if (section.type != SHT_SYMTAB)
            continue;
        int result = read_table(s, im, &section);
        if (result == -ENOMEM)
            return fail(error, size, "out of memory");
        if (result < 0)
            return fail(error, size, "its symbol table is damaged");
        return 0;
    }
    return fail(error, size, "it has no symbol table (stripped?)");
}

struct symbols *symbols_parse(const uint8_t *data, size_t size, char *error,
                              size_t error_size)
{
    struct symbols *s = calloc(1, sizeof(*s));
    struct image im = {.data = data, .size = size};

    if (!s) {
        fail(error, error_size, "out of memory");
        return NULL;
    }
    if (read_elf(s, &im, error, error_size) < 0) {
        symbols_free(s);
        return NULL;
    }
    return s;
}

static uint8_t *read_file(const char *path, size_t *size, char *error,
                          size_t error_size)
{
    FILE *file = fopen(path, "re");
    uint8_t *data = NULL;
    size_t used = 0, room = 0, n;

    if (!file) {
        fail(error, error_size, "%s", strerror(errno));
        return NULL;
    }
    do {
        if (used == room) {
            room = room ? room * 2 : 65536;
            uint8_t *grown = room <= MAX_FILE ? realloc(data, room) : NULL;
            if (!grown) {
                fail(error, error_size, "it is too large");
                free(data);
                fclose(file);
                return NULL;
            }
            data = grown;
        }
        n = fread(data + used, 1, room - used, file);
        used += n;
    } while (n);
    if (ferror(file)) {
        fail(error, error_size, "it cannot be read");
        free(data);
        data = NULL;
    }
    fclose(file);
    *size = used;
    return data;
}

struct symbols *symbols_load(const char *path, char *error, size_t error_size)
{
    size_t size = 0;
    uint8_t *data = read_file(path, &size, error, error_size);

    if (!data)
        return NULL;
    struct symbols *s = symbols_parse(data, size, error, error_size);
    free(data);
    return s;
}

void symbols_free(struct symbols *symbols)
{
    if (!symbols)
        return;
    free(symbols->list);
    free(symbols->names);
    free(symbols);
}

bool symbols_find(const struct symbols *symbols, const char *name,
                  size_t length, uint64_t *addr)
{
    for (size_t i = 0; symbols && i < symbols->count; i++) {
        const char *known = symbols->list[i].name;
        if (strncmp(known, name, length) == 0 && known[length] == '\0') {
            *addr = symbols->list[i].addr;
            return true;
        }
    }
    return false;
}

const struct symbol *symbols_at(const struct symbols *symbols, uint64_t addr)
{
    size_t low = 0, high = symbols ? symbols->count : 0;

    while (low < high) { /* the first behind the address */
        size_t middle = low + (high - low) / 2;
        if (symbols->list[middle].addr <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct symbol *s = &symbols->list[low - 1];
    return addr - s->addr < (s->size ? s->size : REACH) ? s : NULL;
}

const char *symbols_name(const struct symbols *symbols, uint64_t addr,
                         uint64_t *offset)
{
    const struct symbol *s = symbols_at(symbols, addr);

    *offset = s ? addr - s->addr : 0;
    return s ? s->name : NULL;
}

size_t symbols_format(const struct symbols *symbols, uint64_t addr, char *text,
                      size_t size)
{
    const struct symbol *s = symbols_at(symbols, addr);
    int n;

    if (size)
        text[0] = '\0';
    if (!s)
        return 0;
    if (addr == s->addr)
        n = snprintf(text, size, "%.200s", s->name);
    else
        n = snprintf(text, size, "%.200s+0x%llx", s->name,
                     (unsigned long long)(addr - s->addr));
    return n > 0 ? (size_t)n : 0;
}
