/*
 * Linux bzImages, by the 16-bit boot protocol 2.02 and later (the kernel's
 * Documentation/arch/x86/boot.rst): its own setup code runs first, asks the
 * BIOS for the memory map and the video mode, and enters protected mode.
 *
 *     0x10000  boot sector and setup code     entered at 0x1020:0
 *     0x1E000  end of the setup code's heap and stack
 *     0x20000  command line
 *     1 MiB    protected-mode kernel (64 KiB for the old zImage)
 *     top      initial RAM disk, below what the BIOS keeps there
 *
 * Not modelled: setup_data lists, the EFI handover entry (OVMF loads kernels
 * itself), kernels loaded above 4 GiB.
 */
#include "emu/boot/kernel.h"

#include <stdlib.h>
#include <string.h>

#define SETUP_GPA 0x10000u
#define HEAP_END 0xE000u /* offset in the setup segment */
#define CMDLINE_GPA 0x20000u
#define CMDLINE_LIMIT 0xFFFFu
#define HIGH_GPA 0x100000u
#define LOW_GPA 0x10000u
#define SECTOR_BYTES 512u
#define MAX_SETUP_SECTORS 64u
#define PAGE_BYTES 4096u

/* Offsets in the setup header. */
enum {
    HDR_SETUP_SECTS = 0x1F1,
    HDR_SYSSIZE = 0x1F4,
    HDR_VID_MODE = 0x1FA,
    HDR_BOOT_FLAG = 0x1FE,
    HDR_MAGIC = 0x202,
    HDR_VERSION = 0x206,
    HDR_TYPE_OF_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211,
    HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21C,
    HDR_HEAP_END_PTR = 0x224,
    HDR_CMD_LINE_PTR = 0x228,
    HDR_INITRD_ADDR_MAX = 0x22C,
    HDR_CMDLINE_SIZE = 0x238,
    HDR_PREF_ADDRESS = 0x258,
    HDR_INIT_SIZE = 0x260,
    HDR_END = 0x264,
};
enum { LOADED_HIGH = 0x01, CAN_USE_HEAP = 0x80 };
#define LOADER_UNDEFINED 0xFFu

static int parse_layout(const uint8_t *data, size_t size,
                        struct linux_image *image, struct boot_error *error)
{
    unsigned sectors = data[HDR_SETUP_SECTS] ? data[HDR_SETUP_SECTS] : 4;

    if (sectors > MAX_SETUP_SECTORS)
        return boot_fail(error,
                         "Linux's setup code claims %u sectors, more "
                         "than 64: the file is damaged; get it again",
                         sectors);
    image->setup_bytes = (sectors + 1) * SECTOR_BYTES;
    if (image->setup_bytes >= size)
        return boot_fail(error,
                         "this bzImage is cut short: %zu bytes do not "
                         "hold its setup code of %u; get it again",
                         size, image->setup_bytes);
    if (size - image->setup_bytes > UINT32_MAX / 2)
        return boot_fail(error, "this bzImage is too large");
    image->kernel_bytes = (uint32_t)(size - image->setup_bytes);
    uint64_t claimed = image->protocol >= 0x0204 ? get_le32(data + HDR_SYSSIZE)
                                                 : get_le16(data + HDR_SYSSIZE);
    claimed *= 16;
    /* The last paragraph may be partly there. */
    if (image->kernel_bytes + UINT64_C(15) < claimed)
        return boot_fail(error,
                         "this bzImage is cut short: %u of %llu bytes "
                         "of kernel are there; get it again",
                         image->kernel_bytes, (unsigned long long)claimed);
    return 0;
}

int linux_parse(const uint8_t *data, size_t size, struct linux_image *image,
                struct boot_error *error)
{
    *image = (struct linux_image){0};
    if (size < HDR_MAGIC + 4 || get_le16(data + HDR_BOOT_FLAG) != 0xAA55 ||
        memcmp(data + HDR_MAGIC, "HdrS", 4) != 0)
        return 0;
    if (size < HDR_END)
        return boot_fail(error,
                         "this bzImage is cut short: %zu bytes do not "
                         "hold its header; get it again",
                         size);
    image->protocol = get_le16(data + HDR_VERSION);
    if (image->protocol < 0x0202)
        return boot_fail(error,
                         "this Linux speaks boot protocol %u.%02u; "
                         "2.02 (Linux 2.4) or later is needed",
                         image->protocol >> 8, image->protocol & 0xFF);
    if (parse_layout(data, size, image, error) < 0)
        return -1;
    bool high = data[HDR_LOADFLAGS] & LOADED_HIGH;
    image->load_gpa = high ? HIGH_GPA : LOW_GPA;
    if (!high)
        return boot_fail(error, "this is a zImage, which loads below 640 KiB; "
                                "build a bzImage");
    image->initrd_max_gpa = image->protocol >= 0x0203
                                ? get_le32(data + HDR_INITRD_ADDR_MAX)
                                : 0x37FFFFFF;
    image->cmdline_max =
        image->protocol >= 0x0206 ? get_le32(data + HDR_CMDLINE_SIZE) : 255;
    if (image->cmdline_max > CMDLINE_LIMIT)
        image->cmdline_max = CMDLINE_LIMIT;
    image->work_end_gpa = (uint64_t)image->load_gpa + image->kernel_bytes;
    if (image->protocol >= 0x020A) {
        uint64_t start = get_le64(data + HDR_PREF_ADDRESS);
        uint64_t end = start + get_le32(data + HDR_INIT_SIZE);
        /* An address that makes no sense is not one to work at. */
        if (start < UINT32_MAX && end > image->work_end_gpa)
            image->work_end_gpa = end;
    }
    return 1;
}

/* vga= is for the boot loader: it goes into the header (boot.rst, "Special
 * command line options"). 0 when it is not there or not a mode. */
static uint16_t video_mode(const char *cmdline)
{
    const char *vga = strstr(cmdline, "vga=");

    if (!vga || (vga != cmdline && vga[-1] != ' '))
        return 0;
    vga += 4;
    if (strncmp(vga, "normal", 6) == 0)
        return 0xFFFF;
    if (strncmp(vga, "ext", 3) == 0)
        return 0xFFFE;
    if (strncmp(vga, "ask", 3) == 0)
        return 0xFFFD;
    return (uint16_t)strtoul(vga, NULL, 0);
}

static void patch_header(uint8_t *setup, const char *append,
                         uint32_t initrd_gpa, uint32_t initrd_bytes)
{
    setup[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    setup[HDR_LOADFLAGS] |= CAN_USE_HEAP;
    put_le16(setup + HDR_HEAP_END_PTR, HEAP_END - 0x200);
    put_le32(setup + HDR_CMD_LINE_PTR, CMDLINE_GPA);
    put_le32(setup + HDR_RAMDISK_IMAGE, initrd_gpa);
    put_le32(setup + HDR_RAMDISK_SIZE, initrd_bytes);
    uint16_t mode = video_mode(append);
    if (mode)
        put_le16(setup + HDR_VID_MODE, mode);
}

/* As high as the kernel allows: the lower memory is where it unpacks. */
static int place_initrd(const struct linux_image *image, size_t size,
                        uint64_t low_ram_bytes, uint32_t *gpa,
                        struct boot_error *error)
{
    uint64_t top = low_ram_bytes - BOOT_TOP_RESERVE_BYTES;

    if (top > (uint64_t)image->initrd_max_gpa + 1)
        top = (uint64_t)image->initrd_max_gpa + 1;
    top &= ~(uint64_t)(PAGE_BYTES - 1);
    uint64_t need = ((uint64_t)size + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES;
    if (need > top || top - need < image->work_end_gpa)
        return boot_fail(
            error,
            "kernel and initrd need %llu MiB of memory "
            "below %llu MiB; use a larger -m",
            (unsigned long long)((image->work_end_gpa + need + 0xFFFFF) >> 20),
            (unsigned long long)(top >> 20));
    *gpa = (uint32_t)(top - need);
    return 0;
}

/* Splits the file at the end of the setup code. */
static int split(struct boot_plan *plan, const struct linux_image *image,
                 struct image *kernel, struct image *setup,
                 struct boot_error *error)
{
    setup->data = malloc(image->setup_bytes);
    setup->size = image->setup_bytes;
    if (!setup->data)
        return boot_fail(error, "out of memory");
    memcpy(setup->data, kernel->data, image->setup_bytes);
    memmove(kernel->data, kernel->data + image->setup_bytes,
            image->kernel_bytes);
    kernel->size = image->kernel_bytes;
    return boot_plan_blob(plan, BOOT_KERNEL_DATA, kernel);
}

static int add_cmdline(struct boot_plan *plan, const char *append,
                       struct boot_error *error)
{
    struct image text = {.size = strlen(append) + 1};

    text.data = malloc(text.size);
    if (!text.data)
        return boot_fail(error, "out of memory");
    memcpy(text.data, append, text.size);
    uint32_t size = (uint32_t)text.size;
    return boot_plan_blob(plan, BOOT_CMDLINE_DATA, &text) |
           boot_plan_number(plan, BOOT_CMDLINE_ADDR, CMDLINE_GPA) |
           boot_plan_number(plan, BOOT_CMDLINE_SIZE, size) |
           boot_plan_step(plan,
                          (uint32_t)BOOT_CMDLINE_DATA << 16 | BOOT_STEP_SELECT |
                              BOOT_STEP_READ,
                          size, CMDLINE_GPA);
}

static int load_step(struct boot_plan *plan, enum boot_key key, uint32_t size,
                     uint32_t gpa)
{
    return boot_plan_step(
        plan, (uint32_t)key << 16 | BOOT_STEP_SELECT | BOOT_STEP_READ, size,
        gpa);
}

int linux_plan(struct boot_plan *plan, const struct linux_image *image,
               struct image *kernel, struct image *initrd, const char *append,
               uint64_t low_ram_bytes, struct boot_error *error)
{
    struct image setup = {0};
    uint32_t initrd_gpa = 0, initrd_bytes = (uint32_t)initrd->size;
    int result = -1;

    plan->kind = BOOT_LINUX;
    plan->entry = SETUP_GPA >> 4;
    plan->info = HEAP_END;
    if (strlen(append) > image->cmdline_max) {
        boot_fail(error,
                  "-append has %zu characters, and this kernel takes "
                  "%u; shorten it",
                  strlen(append), image->cmdline_max);
        goto out;
    }
    if (low_ram_bytes < HIGH_GPA + BOOT_TOP_RESERVE_BYTES ||
        image->work_end_gpa > low_ram_bytes - BOOT_TOP_RESERVE_BYTES) {
        boot_fail(error,
                  "this kernel needs %llu MiB to unpack; use a larger "
                  "-m",
                  (unsigned long long)((image->work_end_gpa + 0x1FFFFF) >> 20));
        goto out;
    }
    if (initrd->size && place_initrd(image, initrd->size, low_ram_bytes,
                                     &initrd_gpa, error) < 0)
        goto out;
    if (split(plan, image, kernel, &setup, error) < 0)
        goto out;
    patch_header(setup.data, append, initrd_gpa, initrd_bytes);
    if (boot_plan_blob(plan, BOOT_SETUP_DATA, &setup) < 0 ||
        boot_plan_number(plan, BOOT_KERNEL_ADDR, image->load_gpa) < 0 ||
        boot_plan_number(plan, BOOT_KERNEL_SIZE, image->kernel_bytes) < 0 ||
        boot_plan_number(plan, BOOT_SETUP_ADDR, SETUP_GPA) < 0 ||
        boot_plan_number(plan, BOOT_SETUP_SIZE, image->setup_bytes) < 0 ||
        load_step(plan, BOOT_SETUP_DATA, image->setup_bytes, SETUP_GPA) < 0 ||
        load_step(plan, BOOT_KERNEL_DATA, image->kernel_bytes,
                  image->load_gpa) < 0 ||
        add_cmdline(plan, append, error) < 0)
        goto out;
    if (initrd_bytes &&
        (boot_plan_blob(plan, BOOT_INITRD_DATA, initrd) < 0 ||
         boot_plan_number(plan, BOOT_INITRD_ADDR, initrd_gpa) < 0 ||
         boot_plan_number(plan, BOOT_INITRD_SIZE, initrd_bytes) < 0 ||
         load_step(plan, BOOT_INITRD_DATA, initrd_bytes, initrd_gpa) < 0))
        goto out;
    result = 0;
out:
    image_free(&setup);
    image_free(kernel);
    image_free(initrd);
    return result;
}
