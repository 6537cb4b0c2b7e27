/*
 * Files that are loaded whole: BIOS images, kernels, initial RAM disks.
 *
 * Only regular files are read, and never more than the caller allows: a name
 * such as /dev/zero, a pipe or a directory is an error with a sentence.
 */
#ifndef EMU_BOOT_IMAGE_H
#define EMU_BOOT_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* One line for the user. */
struct boot_error {
    char text[256];
};

struct image {
    uint8_t *data; /* malloc'd; NULL when there is none */
    size_t size;
};

/* Writes the line (control characters become '?') and returns -1. */
int boot_fail(struct boot_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads a file of 1 to `max` bytes. 0, or -1 with the error set. */
int image_read(struct image *image, const char *path, size_t max,
               struct boot_error *error);
void image_free(struct image *image);

/* Little-endian numbers at any alignment. */
static inline uint16_t get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return get_le16(p) | (uint32_t)get_le16(p + 2) << 16;
}

static inline uint64_t get_le64(const uint8_t *p)
{
    return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

static inline void put_le16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t value)
{
    put_le16(p, (uint16_t)value);
    put_le16(p + 2, (uint16_t)(value >> 16));
}

#endif
