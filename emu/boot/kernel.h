/*
 * -kernel, -initrd, -append: what a kernel file is, where its pieces go, and
 * the option ROM that puts them there.
 *
 * The machine boots its BIOS first, so that ACPI tables, the memory map and
 * the PCI set-up are the BIOS's. The pieces wait in fw_cfg; a small option ROM
 * (rom.S), which the BIOS finds as "genroms/vitrineboot.bin" and boots from,
 * fetches them by fw_cfg DMA and jumps. A struct boot_plan is all that: blobs
 * for fw_cfg, numbers for fw_cfg, the ROM. OVMF, which runs no such ROM, finds
 * a Linux kernel under the same keys.
 *
 * The parsers are pure functions over bytes: any bytes, any size.
 */
#ifndef EMU_BOOT_KERNEL_H
#define EMU_BOOT_KERNEL_H

#include "emu/boot/image.h"

#include <stdbool.h>

/* fw_cfg keys of a plan (QEMU's docs/specs/fw_cfg; x86 loaders know them). */
enum boot_key {
    BOOT_KERNEL_ADDR = 0x07,
    BOOT_KERNEL_SIZE = 0x08,
    BOOT_INITRD_ADDR = 0x0A,
    BOOT_INITRD_SIZE = 0x0B,
    BOOT_KERNEL_DATA = 0x11,
    BOOT_INITRD_DATA = 0x12,
    BOOT_CMDLINE_ADDR = 0x13,
    BOOT_CMDLINE_SIZE = 0x14,
    BOOT_CMDLINE_DATA = 0x15,
    BOOT_SETUP_ADDR = 0x16,
    BOOT_SETUP_SIZE = 0x17,
    BOOT_SETUP_DATA = 0x18,
    BOOT_KEY_NONE = 0xFFFF, /* no item: reads as zeros */
};

#define BOOT_ROM_NAME "genroms/vitrineboot.bin"
/* What the file "bootorder" must begin with, for the ROM to be booted. */
#define BOOT_ROM_PRIORITY "/rom@genroms/vitrineboot.bin"

#define BOOT_MAX_BLOBS 4
#define BOOT_MAX_NUMBERS 8
#define BOOT_MAX_STEPS 256

/* Left free below the end of low memory: the BIOS keeps ACPI tables there. */
#define BOOT_TOP_RESERVE_BYTES (1u << 20)

struct boot_blob {
    unsigned key;
    struct image image; /* owned by the plan */
};

struct boot_number {
    unsigned key;
    uint32_t value;
};

/* One fw_cfg DMA request of the ROM: select, then skip or read. */
struct boot_step {
    uint32_t control; /* as fw_cfg has it: key << 16 | flags */
    uint32_t length;
    uint32_t gpa;
};
enum { BOOT_STEP_READ = 2, BOOT_STEP_SKIP = 4, BOOT_STEP_SELECT = 8 };

enum boot_kind { BOOT_LINUX = 1, BOOT_MULTIBOOT = 2 };

struct boot_plan {
    enum boot_kind kind;
    struct boot_blob blob[BOOT_MAX_BLOBS];
    unsigned blobs;
    struct boot_number number[BOOT_MAX_NUMBERS];
    unsigned numbers;
    struct boot_step step[BOOT_MAX_STEPS];
    unsigned steps;
    uint32_t entry; /* multiboot: EIP; Linux: setup segment */
    uint32_t info;  /* multiboot: EBX; Linux: SP */
    struct image rom;
};

/* Adds a step, a number, a blob (whose bytes the plan takes over). -1 when
 * there are too many. */
int boot_plan_step(struct boot_plan *plan, uint32_t control, uint32_t length,
                   uint32_t gpa);
int boot_plan_number(struct boot_plan *plan, unsigned key, uint32_t value);
int boot_plan_blob(struct boot_plan *plan, unsigned key, struct image *image);
void boot_plan_free(struct boot_plan *plan);

/* What the user asked for. Paths may be NULL where there is none. */
struct boot_request {
    const char *kernel, *initrd, *append;
    uint64_t low_ram_bytes; /* RAM below 4 GiB */
};

/* Reads the files and makes the plan with its ROM. 0, or -1 with one line. */
int boot_plan_make(struct boot_plan *plan, const struct boot_request *request,
                   struct boot_error *error);

/* Makes plan->rom from the other members. 0, or -1 when out of memory. */
int boot_rom_make(struct boot_plan *plan);

/* Linux (Documentation/arch/x86/boot.rst). ------------------------------ */

struct linux_image {
    unsigned protocol;     /* 0x020F is 2.15 */
    uint32_t setup_bytes;  /* boot sector and setup code */
    uint32_t kernel_bytes; /* the rest */
    uint32_t load_gpa;     /* where the rest goes */
    uint64_t work_end_gpa; /* end of what the kernel uses while it unpacks */
    uint32_t initrd_max_gpa;
    uint32_t cmdline_max; /* characters, without the 0 */
};

/* 1: it is a bzImage, 0: it is none, -1: it is a broken one. */
int linux_parse(const uint8_t *data, size_t size, struct linux_image *image,
                struct boot_error *error);
/* Takes kernel's and initrd's bytes over, also when it fails. */
int linux_plan(struct boot_plan *plan, const struct linux_image *image,
               struct image *kernel, struct image *initrd, const char *append,
               uint64_t low_ram_bytes, struct boot_error *error);

/* Multiboot 1 (Multiboot Specification 0.6.96). ------------------------- */

#define MULTIBOOT_MAX_SEGMENTS 48
#define MULTIBOOT_MAX_MODULES 64

struct multiboot_segment {
    uint32_t gpa;
    uint32_t offset, file_bytes; /* in the file */
    uint32_t memory_bytes;       /* the rest is zeroed */
};

struct multiboot_image {
    uint32_t flags; /* of its header */
    uint32_t entry;
    struct multiboot_segment segment[MULTIBOOT_MAX_SEGMENTS];
    unsigned segments;
};

struct multiboot_module {
    struct image image;
    const char *text; /* "file arguments" */
};

/* 1: it is a multiboot kernel, 0: it is none, -1: it is a broken one. */
int multiboot_parse(const uint8_t *data, size_t size,
                    struct multiboot_image *image, struct boot_error *error);
/* Takes the kernel's bytes over, also when it fails; the modules' it copies.
 */
int multiboot_plan(struct boot_plan *plan, const struct multiboot_image *image,
                   struct image *kernel, const char *cmdline,
                   const struct multiboot_module *modules,
                   unsigned module_count, uint64_t low_ram_bytes,
                   struct boot_error *error);

#endif
