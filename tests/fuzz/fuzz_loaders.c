/*
 * libFuzzer: bytes as a BIOS, a VGA BIOS, a multiboot kernel and a bzImage,
 * parsed and, where they are accepted, planned and put into the option ROM.
 * Links emu/boot only.
 */
#include "emu/boot/bios.h"
#include "emu/boot/kernel.h"

#include <stdlib.h>
#include <string.h>

#define LOW_RAM_BYTES (UINT64_C(3) << 30)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct image copy_of(const uint8_t *data, size_t size)
{
    struct image image = {.data = malloc(size ? size : 1), .size = size};

    if (!image.data)
        abort();
    memcpy(image.data, data, size);
    return image;
}

static void try_multiboot(const uint8_t *data, size_t size,
                          struct boot_plan *plan)
{
    struct multiboot_image image;
    struct boot_error error;

    if (multiboot_parse(data, size, &image, &error) <= 0)
        return;
    struct image kernel = copy_of(data, size);
    struct image bytes = copy_of(data, size);
    struct multiboot_module modules[] = {
        {.image = bytes, .text = "first argument"},
        {.image = {.data = bytes.data, .size = 1}, .text = "second"},
    };
    unsigned count = size % 3;
    memset(plan, 0, sizeof(*plan));
    if (multiboot_plan(plan, &image, &kernel, "kernel arguments", modules,
                       count, LOW_RAM_BYTES, &error) == 0 &&
        boot_rom_make(plan) < 0)
        abort();
    boot_plan_free(plan);
    image_free(&bytes);
}

static void try_linux(const uint8_t *data, size_t size, struct boot_plan *plan)
{
    struct linux_image image;
    struct boot_error error;

    if (linux_parse(data, size, &image, &error) <= 0)
        return;
    struct image kernel = copy_of(data, size);
    struct image initrd = copy_of(data, size / 2);
    memset(plan, 0, sizeof(*plan));
    if (linux_plan(plan, &image, &kernel, &initrd, "console=x vga=ask",
                   LOW_RAM_BYTES, &error) == 0 &&
        boot_rom_make(plan) < 0)
        abort();
    boot_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boot_error error;
    struct boot_plan *plan = malloc(sizeof(*plan));

    if (!plan)
        return 0;
    bios_check(data, size, "bios", &error);
    bios_check_vga(data, size, "vga", &error);
    try_multiboot(data, size, plan);
    try_linux(data, size, plan);
    free(plan);
    return 0;
}
