/*
 * BIOS and VGA BIOS images: where they are found, and whether they can be.
 */
#ifndef EMU_BOOT_BIOS_H
#define EMU_BOOT_BIOS_H

#include "emu/boot/image.h"

#define BIOS_DEFAULT "bios-256k.bin"
#define BIOS_VGA_DEFAULT "vgabios-stdvga.bin"

/* Where images are looked for after the user's own directories; NULL at the
 * end. */
extern const char *const bios_search_path[];

/*
 * Finds `name`: as it stands, then in each of `dirs`, then on the search path.
 * Writes the path into `path`. 0, or -1 with the error set.
 */
int bios_find(const char *name, const char *const *dirs, unsigned dir_count,
              char *path, size_t path_size, struct boot_error *error);

/* Finds and reads a system BIOS: a multiple of 64 KiB, at most 16 MiB, as it
 * is mapped to end at 4 GiB. */
int bios_load(const char *name, const char *const *dirs, unsigned dir_count,
              struct image *image, struct boot_error *error);
/* Finds and reads an option ROM for the display: 55 AA, its length, at most
 * 64 KiB. */
int bios_load_vga(const char *name, const char *const *dirs, unsigned dir_count,
                  struct image *image, struct boot_error *error);

/* Whether bytes can be what the two functions above load; pure. `name` is for
 * the message. */
int bios_check(const uint8_t *data, size_t size, const char *name,
               struct boot_error *error);
int bios_check_vga(const uint8_t *data, size_t size, const char *name,
                   struct boot_error *error);

#endif
