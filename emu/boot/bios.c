/*
 * BIOS images. A system BIOS is mapped so that it ends at 4 GiB, where the
 * CPU takes its first instruction from the last 16 bytes; the last 128 KiB
 * are also seen below 1 MiB (the board does that). A VGA BIOS is an option
 * ROM: 55 AA, its size in 512-byte units, code.
 *
 * Not modelled: flash variables (OVMF_VARS), Intel HEX images.
 */
#include "emu/boot/bios.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BIOS_GRAIN_BYTES 0x10000u
#define BIOS_MAX_BYTES (16u << 20)
#define VGA_MAX_BYTES 0x10000u
#define ROM_UNIT_BYTES 512u

const char *const bios_search_path[] = {
    "/usr/share/seabios", "/usr/share/vgabios", "/usr/share/qemu",
    "/usr/share/ovmf",    "/usr/share/OVMF",    NULL,
};

static int try_path(char *path, size_t path_size, const char *dir,
                    const char *name)
{
    int length = dir ? snprintf(path, path_size, "%s/%s", dir, name)
                     : snprintf(path, path_size, "%s", name);
    return length >= 0 && (size_t)length < path_size && access(path, F_OK) == 0;
}

int bios_find(const char *name, const char *const *dirs, unsigned dir_count,
              char *path, size_t path_size, struct boot_error *error)
{
    if (try_path(path, path_size, NULL, name))
        return 0;
    if (name[0] == '/')
        return boot_fail(error, "%.120s: no such file; check the name", name);
    for (unsigned i = 0; i < dir_count; i++)
        if (try_path(path, path_size, dirs[i], name))
            return 0;
    for (unsigned i = 0; bios_search_path[i]; i++)
        if (try_path(path, path_size, bios_search_path[i], name))
            return 0;
    return boot_fail(error,
                     "%.100s: not found in -L directories nor in %s "
                     "and its neighbours; apt-get install seabios, or "
                     "name it with -bios",
                     name, bios_search_path[0]);
}

int bios_check(const uint8_t *data, size_t size, const char *name,
               struct boot_error *error)
{
    if (size == 0 || size % BIOS_GRAIN_BYTES || size > BIOS_MAX_BYTES)
        return boot_fail(error,
                         "%.120s has %zu bytes; a BIOS image has a "
                         "multiple of 64 KiB, 16 MiB at most",
                         name, size);
    /* The reset vector: an image of zeros or ones runs nowhere. */
    const uint8_t *vector = data + size - 16;
    if (vector[0] == vector[1] && (vector[0] == 0 || vector[0] == 0xFF))
        return boot_fail(error,
                         "%.120s has no code at its reset vector (16 "
                         "bytes before its end); it is no BIOS image",
                         name);
    return 0;
}

int bios_check_vga(const uint8_t *data, size_t size, const char *name,
                   struct boot_error *error)
{
    if (size < ROM_UNIT_BYTES || size > VGA_MAX_BYTES)
        return boot_fail(error,
                         "%.120s has %zu bytes; a VGA BIOS has 512 to "
                         "65536",
                         name, size);
    if (data[0] != 0x55 || data[1] != 0xAA)
        return boot_fail(error,
                         "%.120s does not begin with 55 AA; it is no "
                         "VGA BIOS",
                         name);
    if (data[2] * ROM_UNIT_BYTES > size || data[2] == 0)
        return boot_fail(error,
                         "%.120s is cut short: %zu of %u bytes; get it "
                         "again",
                         name, size, data[2] * ROM_UNIT_BYTES);
    return 0;
}

int bios_load(const char *name, const char *const *dirs, unsigned dir_count,
              struct image *image, struct boot_error *error)
{
    char path[4096];

    if (bios_find(name, dirs, dir_count, path, sizeof(path), error) < 0 ||
        image_read(image, path, BIOS_MAX_BYTES, error) < 0)
        return -1;
    if (bios_check(image->data, image->size, path, error) < 0) {
        image_free(image);
        return -1;
    }
    return 0;
}

int bios_load_vga(const char *name, const char *const *dirs, unsigned dir_count,
                  struct image *image, struct boot_error *error)
{
    char path[4096];

    if (bios_find(name, dirs, dir_count, path, sizeof(path), error) < 0 ||
        image_read(image, path, VGA_MAX_BYTES, error) < 0)
        return -1;
    if (bios_check_vga(image->data, image->size, path, error) < 0) {
        image_free(image);
        return -1;
    }
    return 0;
}
