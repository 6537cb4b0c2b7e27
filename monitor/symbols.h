/*
 * Names of addresses, from ELF symbol tables (ELF32 and ELF64, little endian).
 *
 * The file is somebody's: every offset and size in it is checked before use.
 * Not modelled: DWARF (no source lines), .dynsym, big-endian files,
 * relocatable objects' section-relative values, demangling.
 */
#ifndef MONITOR_SYMBOLS_H
#define MONITOR_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    const char *name;
    uint64_t addr, size;
    bool code;
};

/* Sorted by address. */
struct symbols {
    struct symbol *list;
    size_t count;
    char *names; /* what the names point into */
};

/* Reads a file's symbols. NULL with one line in `error`. */
struct symbols *symbols_load(const char *path, char *error, size_t error_size);
/* The same from memory, for tests. */
struct symbols *symbols_parse(const uint8_t *data, size_t size, char *error,
                              size_t error_size);
void symbols_free(struct symbols *symbols);

/* False when no symbol is called so. NULL for `symbols` is allowed. */
bool symbols_find(const struct symbols *symbols, const char *name,
                  size_t length, uint64_t *addr);
/* The symbol that contains (or, without a size, precedes) the address; NULL
 * when there is none within reach. */
const struct symbol *symbols_at(const struct symbols *symbols, uint64_t addr);
/* Its name, and how far behind its start the address is; NULL: none. */
const char *symbols_name(const struct symbols *symbols, uint64_t addr,
                         uint64_t *offset);
/* Writes "name" or "name+0x12" and returns its length; "" and 0 when no symbol
 * is near. */
size_t symbols_format(const struct symbols *symbols, uint64_t addr, char *text,
                      size_t size);

#endif
