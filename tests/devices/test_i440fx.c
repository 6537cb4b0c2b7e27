/* 82441FX: configuration mechanism 1, PAM, SMRAM, the memory map. */
#include "devices/i440fx.h"
#include "devices/piix3.h"
#include "tests/devices/chip.h"

#include <errno.h>
#include <stdlib.h>

#define RAM_BYTES (2u << 20)
#define BIOS_BYTES (256u << 10)

struct bench {
    struct chip chip;
    struct device *isa;
    struct i440fx_config config;
    uint8_t *ram, *bios;
};

static void open_bench(struct bench *b)
{
    chip_open_empty(&b->chip);
    b->ram = malloc(RAM_BYTES + 0x10000);
    b->bios = malloc(BIOS_BYTES);
    memset(b->ram, 0x11, RAM_BYTES + 0x10000);
    for (unsigned i = 0; i < BIOS_BYTES; i++)
        b->bios[i] = (uint8_t)(i >> 12 ^ i);
    b->isa = device_new(&piix3_class, "piix3", &b->chip.clock, &b->chip.memory,
                        &b->chip.io, &b->chip.log);
    device_wire(b->isa, PIIX3_OUT_RESET, b->chip.probe, 40);
    CU_ASSERT_EQUAL_FATAL(device_init(b->isa), 0);
    device_reset(b->isa);
    b->config = (struct i440fx_config){
        .ram = b->ram,
        .ram_below_4g = RAM_BYTES,
        .ram_above_4g = 0x10000,
        .bios = b->bios,
        .bios_bytes = BIOS_BYTES,
        .isa_bridge = b->isa,
        .isa_bridge_bank = PIIX3_RCR,
    };
    chip_add(&b->chip, &i440fx_class, &b->config);
    CU_ASSERT_EQUAL(i440fx_plug(b->chip.dev, piix3_pci(b->isa), 1 << 3), 0);
}

static void close_bench(struct bench *b)
{
    chip_close(&b->chip);
    device_free(b->isa);
    free(b->ram);
    free(b->bios);
}

static uint32_t config_address(unsigned devfn, unsigned reg)
{
    return 0x80000000u | devfn << 8 | (reg & 0xFC);
}

static uint32_t config_read(struct bench *b, unsigned devfn, unsigned reg,
                            unsigned size)
{
    chip_write(&b->chip, I440FX_CONFADD, 0, config_address(devfn, reg), 4);
    return (uint32_t)chip_read(&b->chip, I440FX_CONFDATA, reg & 3, size);
}

static void config_write(struct bench *b, unsigned devfn, unsigned reg,
                         uint32_t value, unsigned size)
{
    chip_write(&b->chip, I440FX_CONFADD, 0, config_address(devfn, reg), 4);
    chip_write(&b->chip, I440FX_CONFDATA, reg & 3, value, size);
}

static void set_pam(struct bench *b, uint8_t value)
{
    for (unsigned reg = 0x59; reg <= 0x5F; reg++)
        config_write(b, 0, reg, value, 1);
}

static void functions_are_found_by_devfn(void)
{
    struct bench b;

    open_bench(&b);
    CU_ASSERT_EQUAL(config_read(&b, 0, 0, 4), 0x12378086);
    CU_ASSERT_EQUAL(config_read(&b, 0, 0x2C, 4), 0x11001AF4);
    CU_ASSERT_EQUAL(config_read(&b, 0, 0x0A, 2), 0x0600);
    CU_ASSERT_EQUAL(config_read(&b, 1 << 3, 2, 2), 0x7000);
    CU_ASSERT_EQUAL(config_read(&b, 2 << 3, 0, 4), 0xFFFFFFFF);
    CU_ASSERT_EQUAL(i440fx_plug(b.chip.dev, piix3_pci(b.isa), 1 << 3), -EEXIST);
    CU_ASSERT_EQUAL(i440fx_plug(b.chip.dev, piix3_pci(b.isa), 256), -EEXIST);
    close_bench(&b);
}

static void mechanism_1_needs_enable_and_bus_0(void)
{
    struct bench b;

    open_bench(&b);
    chip_write(&b.chip, I440FX_CONFADD, 0, 0x00000000, 4);
    CU_ASSERT_EQUAL(chip_read(&b.chip, I440FX_CONFDATA, 0, 4), 0xFFFFFFFF);
    chip_write(&b.chip, I440FX_CONFADD, 0, 0x80010000, 4);
    CU_ASSERT_EQUAL(chip_read(&b.chip, I440FX_CONFDATA, 0, 4), 0xFFFFFFFF);
    /* Reserved bits and the two lowest do not store. */
    chip_write(&b.chip, I440FX_CONFADD, 0, 0xFFFFFFFF, 4);
    CU_ASSERT_EQUAL(chip_read(&b.chip, I440FX_CONFADD, 0, 4), 0x80FFFFFC);
    /* Only a dword write is an address (3.1). */
    chip_write(&b.chip, I440FX_CONFADD, 0, 0x55, 1);
    chip_write(&b.chip, I440FX_CONFADD, 2, 0x5555, 2);
    CU_ASSERT_EQUAL(chip_read(&b.chip, I440FX_CONFADD, 0, 4), 0x80FFFFFC);
    close_bench(&b);
}

static void port_cf9_resets_through_the_isa_bridge(void)
{
    struct bench b;

    open_bench(&b);
    chip_write(&b.chip, I440FX_CONFADD, 1, 0x02, 1);
    CU_ASSERT_EQUAL(chip_rises(&b.chip, 40), 0);
    CU_ASSERT_EQUAL(chip_read(&b.chip, I440FX_CONFADD, 1, 1), 0x02);
    CU_ASSERT_EQUAL(chip_read(&b.chip, I440FX_CONFADD, 0, 2), 0x02FF);
    chip_write(&b.chip, I440FX_CONFADD, 1, 0x06, 1);
    CU_ASSERT_EQUAL(chip_rises(&b.chip, 40), 1);
    /* As a dword it is an address, not a reset. */
    chip_write(&b.chip, I440FX_CONFADD, 0, 0x80000600, 4);
    CU_ASSERT_EQUAL(chip_rises(&b.chip, 40), 1);
    close_bench(&b);
}

static void memory_map_after_reset(void)
{
    struct bench b;
    struct bus *m;

    open_bench(&b);
    m = &b.chip.memory;
    CU_ASSERT_EQUAL(bus_read(m, 0x9FFFF, 1), 0x11);
    CU_ASSERT_EQUAL(bus_read(m, 0xA0000, 1), 0xFF);
    CU_ASSERT_EQUAL(bus_read(m, 0xC0000, 1), 0xFF);
    CU_ASSERT_EQUAL(bus_read(m, 0x1FFFFF, 1), 0x11);
    CU_ASSERT_EQUAL(bus_read(m, 0x200000, 1), 0xFF);
    CU_ASSERT_EQUAL(bus_read(m, UINT64_C(0x100000000), 1), 0x11);
    for (unsigned i = 0; i < BIOS_BYTES; i += 4093)
        CU_ASSERT_EQUAL(bus_read(m, 0x100000000 - BIOS_BYTES + i, 1),
                        b.bios[i]);
    for (unsigned i = 0; i < 0x20000; i += 4093)
        CU_ASSERT_EQUAL(bus_read(m, 0xE0000 + i, 1),
                        b.bios[BIOS_BYTES - 0x20000 + i]);
    bus_write(m, 0xF0000, 0x99, 1);
    CU_ASSERT_EQUAL(b.ram[0xF0000], 0x11);
    close_bench(&b);
}

static void each_pam_nibble_moves_its_own_segment(void)
{
    struct bench b;

    open_bench(&b);
    for (unsigned n = 0; n < 13; n++) {
        unsigned reg = n == 12 ? 0x59 : 0x5A + n / 2;
        unsigned shift = n == 12 || n % 2 ? 4 : 0;
        uint32_t size = n == 12 ? 0x10000 : 0x4000;
        uint32_t base = 0xC0000 + n * 0x4000;

        config_write(&b, 0, reg, 3u << shift, 1);
        CU_ASSERT_PTR_EQUAL(bus_host(&b.chip.memory, base, size, true),
                            b.ram + base);
        if (base > 0xC0000)
            CU_ASSERT_PTR_NULL(bus_host(&b.chip.memory, base - 1, 1, true));
        if (n < 12)
            CU_ASSERT_PTR_NULL(bus_host(&b.chip.memory, base + size, 1, true));
        config_write(&b, 0, reg, 0, 1);
    }
    close_bench(&b);
}

static void firmware_shadows_itself_and_locks(void)
{
    struct bench b;
    struct bus *m;

    open_bench(&b);
    m = &b.chip.memory;
    /* Reads from ROM, writes to RAM: a copy onto itself. */
    set_pam(&b, 0x22);
    for (uint32_t gpa = 0xE0000; gpa < 0x100000; gpa += 4)
        bus_write(m, gpa, bus_read(m, gpa, 4) ^ 0x5A5A5A5A, 4);
    CU_ASSERT_EQUAL(bus_read(m, 0xF1234, 1), b.bios[BIOS_BYTES - 0xEDCC]);
    /* Reads from RAM, writes to nobody: locked. */
    set_pam(&b, 0x11);
    CU_ASSERT_EQUAL(bus_read(m, 0xF1234, 1),
                    b.bios[BIOS_BYTES - 0xEDCC] ^ 0x5A);
    bus_write(m, 0xF1234, 0x77, 1);
    CU_ASSERT_EQUAL(bus_read(m, 0xF1234, 1),
                    b.bios[BIOS_BYTES - 0xEDCC] ^ 0x5A);
    /* Both to RAM. */
    set_pam(&b, 0x33);
    bus_write(m, 0xF1234, 0x77, 1);
    CU_ASSERT_EQUAL(bus_read(m, 0xF1234, 1), 0x77);
    /* Below the image's alias there is no ROM, but writes still reach RAM. */
    set_pam(&b, 0x22);
    CU_ASSERT_EQUAL(bus_read(m, 0xC8000, 4), 0xFFFFFFFF);
    bus_write(m, 0xC8000, 0x01020304, 4);
    CU_ASSERT_EQUAL(b.ram[0xC8001], 0x03);
    /* A reset shows the ROM again and keeps RAM. */
    device_reset(b.chip.dev);
    CU_ASSERT_EQUAL(bus_read(m, 0xF1234, 1), b.bios[BIOS_BYTES - 0xEDCC]);
    CU_ASSERT_EQUAL(b.ram[0xF1234], 0x77);
    close_bench(&b);
}

static void smram_opens_over_the_display_and_locks(void)
{
    struct bench b;
    struct region window = {.name = "vga",
                            .base = 0xA0000,
                            .size = 0x20000,
                            .kind = REGION_DEVICE};

    open_bench(&b);
    window.dev = b.isa;
    CU_ASSERT_EQUAL(bus_map(&b.chip.memory, &window), 0);
    CU_ASSERT_EQUAL(config_read(&b, 0, 0x72, 1), 0x02);
    config_write(&b, 0, 0x72, 0x4A, 1);
    CU_ASSERT_FALSE(window.mapped);
    bus_write(&b.chip.memory, 0xA0010, 0x42, 1);
    CU_ASSERT_EQUAL(b.ram[0xA0010], 0x42);
    config_write(&b, 0, 0x72, 0x0A, 1);
    CU_ASSERT_TRUE(window.mapped);
    CU_ASSERT_PTR_EQUAL(bus_find(&b.chip.memory, 0xBFFFF), &window);
    /* D_LCK closes it for good. */
    config_write(&b, 0, 0x72, 0x5A, 1);
    CU_ASSERT_EQUAL(config_read(&b, 0, 0x72, 1), 0x1A);
    config_write(&b, 0, 0x72, 0x48, 1);
    CU_ASSERT_TRUE(window.mapped);
    device_reset(b.chip.dev);
    config_write(&b, 0, 0x72, 0x48, 1);
    CU_ASSERT_FALSE(window.mapped);
    /* A reset with SMRAM open puts the display back. */
    device_reset(b.chip.dev);
    CU_ASSERT_TRUE(window.mapped);
    close_bench(&b);
}

static void impossible_boards_are_refused(void)
{
    static uint8_t byte;
    const struct i440fx_config bad[] = {
        {.ram = NULL, .ram_below_4g = 0x100000},
        {.ram = &byte, .ram_below_4g = 0x9F000},
        {.ram = &byte, .ram_below_4g = 0x100000, .bios_bytes = 100},
        {.ram = &byte, .ram_below_4g = 0x100000, .bios_bytes = 17u << 20},
    };
    struct chip chip;

    for (unsigned i = 0; i < 4; i++) {
        chip_open_empty(&chip);
        chip.dev = device_new(&i440fx_class, "i440fx", &chip.clock,
                              &chip.memory, &chip.io, &chip.log);
        chip.dev->config = &bad[i];
        CU_ASSERT_EQUAL(device_init(chip.dev), -EINVAL);
        chip_close(&chip);
    }
}

static void random_storm(void)
{
    static const uint32_t sizes[] = {4,      4,      0x4000, 0x4000, 0x4000,
                                     0x4000, 0x4000, 0x4000, 0x4000, 0x4000,
                                     0x4000, 0x4000, 0x4000, 0x4000, 0x10000};
    struct bench b;

    open_bench(&b);
    chip_storm(&b.chip, sizes, 2, 0, 100000);
    chip_storm(&b.chip, sizes, 15, 0, 100000);
    /* And with addresses that hit. */
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t r = chip_random(&b.chip);
        unsigned off = r & 3, size = 1u << (r >> 2 & 3) % 3;

        if (off + size > 4)
            continue;
        chip_write(&b.chip, I440FX_CONFADD, 0,
                   config_address(r >> 8 & 8, 0x50 + (r >> 16 & 0x3F)), 4);
        chip_write(&b.chip, I440FX_CONFDATA, off,
                   r >> 32 & ((UINT64_C(1) << size * 8) - 1), size);
        bus_write(&b.chip.memory, 0xA0000 + (r >> 24 & 0x7FFFF), r, 4);
    }
    device_reset(b.chip.dev);
    CU_ASSERT_EQUAL(config_read(&b, 0, 0, 4), 0x12378086);
    CU_ASSERT_EQUAL(bus_read(&b.chip.memory, 0xFFFFF, 1),
                    b.bios[BIOS_BYTES - 1]);
    close_bench(&b);
}

static const struct test tests[] = {
    {"functions_are_found_by_devfn", functions_are_found_by_devfn},
    {"mechanism_1_needs_enable_and_bus_0", mechanism_1_needs_enable_and_bus_0},
    {"port_cf9_resets_through_the_isa_bridge",
     port_cf9_resets_through_the_isa_bridge},
    {"memory_map_after_reset", memory_map_after_reset},
    {"each_pam_nibble_moves_its_own_segment",
     each_pam_nibble_moves_its_own_segment},
    {"firmware_shadows_itself_and_locks", firmware_shadows_itself_and_locks},
    {"smram_opens_over_the_display_and_locks",
     smram_opens_over_the_display_and_locks},
    {"impossible_boards_are_refused", impossible_boards_are_refused},
    {"random_storm", random_storm},
    {NULL, NULL},
};

TEST_MAIN("i440fx", tests)
