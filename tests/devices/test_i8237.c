/*
 * The DMA controllers: registers, addresses, terminal count, modes.
 */
#include "devices/i8237.h"
#include "tests/devices/rig.h"

struct dmas {
    struct rig rig;
    struct device *low, *high;
    struct i8237_config low_config, high_config;
};

static void open_dmas(struct dmas *d)
{
    rig_open(&d->rig);
    d->low_config = (struct i8237_config){0, NULL};
    d->low = rig_add(&d->rig, &i8237_class, &d->low_config);
    d->high_config = (struct i8237_config){1, d->low};
    d->high = rig_add(&d->rig, &i8237_class, &d->high_config);
    rig_start(&d->rig);
    rig_map(&d->rig, d->low, I8237_BANK_CONTROLLER, 0x00, 16);
    rig_map(&d->rig, d->low, I8237_BANK_PAGES, 0x81, 15);
    rig_map(&d->rig, d->high, I8237_BANK_CONTROLLER, 0xC0, 32);
}

static void out(struct dmas *d, unsigned port, unsigned value)
{
    rig_out(&d->rig, port, value);
}

/* Channel 2, as a floppy driver programs it. */
static void program(struct dmas *d, unsigned mode, unsigned page,
                    unsigned address, unsigned count)
{
    out(d, 0x0A, 0x06);
    out(d, 0x0C, 0);
    out(d, 0x0B, mode | 2);
    out(d, 0x04, address & 0xFF);
    out(d, 0x04, address >> 8);
    out(d, 0x05, count & 0xFF);
    out(d, 0x05, count >> 8);
    out(d, 0x81, page);
    out(d, 0x0A, 0x02);
}

static unsigned read_word(struct dmas *d, unsigned port)
{
    out(d, 0x0C, 0);
    unsigned low = rig_in(&d->rig, port);
    return low | (unsigned)rig_in(&d->rig, port) << 8;
}

static void fill(uint8_t *buf, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf[i] = (uint8_t)(i * 7 + 1);
}

static void write_transfer_reaches_memory_and_ends_at_tc(void)
{
    struct dmas d;
    uint8_t buf[600];
    open_dmas(&d);
    fill(buf, sizeof(buf));
    program(&d, 0x44, 0x01, 0x2340, 511);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 200, true), 200);
    CU_ASSERT_FALSE(i8237_terminal_count(d.low, 2));
    CU_ASSERT_EQUAL(read_word(&d, 0x04), 0x2340 + 200);
    CU_ASSERT_EQUAL(read_word(&d, 0x05), 311);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf + 200, 400, true), 312);
    CU_ASSERT_TRUE(i8237_terminal_count(d.low, 2));
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x12340, buf, 512), 0);
    CU_ASSERT_EQUAL(d.rig.ram[0x12340 + 512], 0);
    CU_ASSERT_EQUAL(read_word(&d, 0x05), 0xFFFF);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x08), 0x04);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x08), 0x00); /* cleared by reading */
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x0F), 0x0F); /* masked itself */
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 1, true), 0);
    rig_close(&d.rig);
}

static void read_transfer_brings_memory_to_the_device(void)
{
    struct dmas d;
    uint8_t buf[64] = {0};
    open_dmas(&d);
    fill(d.rig.ram + 0x30000, 64);
    program(&d, 0x48, 0x03, 0, 63);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 64, false), 64);
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x30000, buf, 64), 0);
    rig_close(&d.rig);
}

static void direction_mask_disable_and_cascade_are_honoured(void)
{
    struct dmas d;
    uint8_t buf[16] = {0};
    open_dmas(&d);
    program(&d, 0x48, 0, 0x1000, 15);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 16, true), 0);
    out(&d, 0x0A, 0x06);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 16, false), 0);
    out(&d, 0x0A, 0x02);
    out(&d, 0x08, 0x04);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 16, false), 0);
    out(&d, 0x08, 0x00);
    out(&d, 0x0B, 0xC2);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 16, false), 0);
    out(&d, 0x0B, 0x4A);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 16, false), 16);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 4, buf, 16, false), 0);
    rig_close(&d.rig);
}

static void autoinitialise_starts_over(void)
{
    struct dmas d;
    uint8_t buf[32];
    open_dmas(&d);
    fill(buf, sizeof(buf));
    program(&d, 0x54, 0, 0x2000, 15);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 32, true), 16);
    CU_ASSERT_TRUE(i8237_terminal_count(d.low, 2));
    CU_ASSERT_EQUAL(read_word(&d, 0x04), 0x2000);
    CU_ASSERT_EQUAL(read_word(&d, 0x05), 15);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf + 16, 16, true), 16);
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x2000, buf + 16, 16), 0);
    rig_close(&d.rig);
}

static void decrement_and_verify(void)
{
    struct dmas d;
    uint8_t buf[4] = {1, 2, 3, 4};
    open_dmas(&d);
    program(&d, 0x64, 0, 0x2003, 3);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 4, true), 4);
    static const uint8_t reversed[4] = {4, 3, 2, 1};
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x2000, reversed, 4), 0);
    program(&d, 0x40, 0, 0x3000, 3);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 4, true), 4);
    CU_ASSERT_TRUE(i8237_terminal_count(d.low, 2));
    CU_ASSERT_EQUAL(d.rig.ram[0x3000], 0);
    rig_close(&d.rig);
}

static void address_wraps_within_its_page(void)
{
    struct dmas d;
    uint8_t buf[32];
    open_dmas(&d);
    fill(buf, sizeof(buf));
    program(&d, 0x44, 0x02, 0xFFF0, 31);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 32, true), 32);
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x2FFF0, buf, 16), 0);
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x20000, buf + 16, 16), 0);
    CU_ASSERT_EQUAL(d.rig.ram[0x30000], 0);
    rig_close(&d.rig);
}

static void sixteen_bit_controller_counts_words(void)
{
    struct dmas d;
    uint8_t buf[33];
    open_dmas(&d);
    fill(buf, sizeof(buf));
    out(&d, 0xD4, 0x05); /* channel 5 */
    out(&d, 0xD8, 0);
    out(&d, 0xD6, 0x45);
    out(&d, 0xC4, 0x00);
    out(&d, 0xC4, 0x80); /* word 0x8000: byte 0x10000 of the page */
    out(&d, 0xC6, 15);
    out(&d, 0xC6, 0);
    out(&d, 0x8B, 0x03); /* bit 0 does not count */
    out(&d, 0xD4, 0x01);
    CU_ASSERT_EQUAL(i8237_transfer(d.high, 1, buf, 9, true), 8);
    CU_ASSERT_EQUAL(i8237_transfer(d.high, 1, buf + 8, 25, true), 24);
    CU_ASSERT_TRUE(i8237_terminal_count(d.high, 1));
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x30000, buf, 32), 0);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0xD0), 0x02);
    rig_close(&d.rig);
}

static void page_registers_and_the_spare_ones_read_back(void)
{
    struct dmas d;
    open_dmas(&d);
    for (unsigned i = 1; i < 16; i++)
        out(&d, 0x80 + i, 0x50 + i);
    for (unsigned i = 1; i < 16; i++)
        CU_ASSERT_EQUAL(rig_in(&d.rig, 0x80 + i), 0x50 + i);
    rig_close(&d.rig);
}

static void flip_flop_masks_and_master_clear(void)
{
    struct dmas d;
    open_dmas(&d);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x0F), 0x0F); /* after reset */
    out(&d, 0x0E, 0);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x0F), 0x00);
    out(&d, 0x0F, 0x0A);
    out(&d, 0x0A, 0x04);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x0F), 0x0B);
    out(&d, 0x00, 0x34);
    out(&d, 0x0D, 0); /* clears the flip-flop as well */
    out(&d, 0x00, 0x78);
    out(&d, 0x00, 0x56);
    CU_ASSERT_EQUAL(read_word(&d, 0x00), 0x5678);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x0F), 0x0F);
    d.low->class->line(d.low, I8237_LINE_DREQ0 + 3, true);
    out(&d, 0x09, 0x05);
    CU_ASSERT_EQUAL(rig_in(&d.rig, 0x08), 0xA0);
    rig_close(&d.rig);
}

static void whole_64_kib_in_one_transfer(void)
{
    struct dmas d;
    open_dmas(&d);
    uint8_t *buf = malloc(0x20000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf);
    fill(buf, 0x20000);
    program(&d, 0x44, 0x01, 0x8000, 0xFFFF);
    CU_ASSERT_EQUAL(i8237_transfer(d.low, 2, buf, 0x20000, true), 0x10000);
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x18000, buf, 0x8000), 0);
    CU_ASSERT_EQUAL(memcmp(d.rig.ram + 0x10000, buf + 0x8000, 0x8000), 0);
    free(buf);
    rig_close(&d.rig);
}

static void storm(void)
{
    struct dmas d;
    uint8_t buf[512];
    open_dmas(&d);
    fill(buf, sizeof(buf));
    uint64_t seed = 8;
    size_t moved = 0;
    for (unsigned i = 0; i < 4000; i++) {
        rig_storm(&d.rig, 50, rig_random(&seed));
        for (unsigned j = 0; j < 20; j++) { /* rig_storm resets: program */
            uint64_t n = rig_random(&seed);
            out(&d, (unsigned)n & 15, (unsigned)(n >> 4) & 0xFF);
            out(&d, 0xC0 + ((unsigned)(n >> 12) & 31),
                (unsigned)(n >> 20) & 0xFF);
            out(&d, 0x81 + (unsigned)(n >> 28) % 15, (unsigned)(n >> 32));
            out(&d, 0x0F, 0);
            out(&d, 0xDE, 0);
        }
        for (unsigned j = 0; j < 8; j++) {
            uint64_t n = rig_random(&seed);
            moved += i8237_transfer(j & 1 ? d.low : d.high, n & 7, buf,
                                    (n >> 8) % (sizeof(buf) + 1), n >> 3 & 1);
        }
    }
    CU_ASSERT_TRUE(moved > 0);
    rig_close(&d.rig);
}

static const struct test tests[] = {
    {"write_transfer_reaches_memory_and_ends_at_tc",
     write_transfer_reaches_memory_and_ends_at_tc},
    {"read_transfer_brings_memory_to_the_device",
     read_transfer_brings_memory_to_the_device},
    {"direction_mask_disable_and_cascade_are_honoured",
     direction_mask_disable_and_cascade_are_honoured},
    {"autoinitialise_starts_over", autoinitialise_starts_over},
    {"decrement_and_verify", decrement_and_verify},
    {"address_wraps_within_its_page", address_wraps_within_its_page},
    {"sixteen_bit_controller_counts_words",
     sixteen_bit_controller_counts_words},
    {"page_registers_and_the_spare_ones_read_back",
     page_registers_and_the_spare_ones_read_back},
    {"flip_flop_masks_and_master_clear", flip_flop_masks_and_master_clear},
    {"whole_64_kib_in_one_transfer", whole_64_kib_in_one_transfer},
    {"storm", storm},
    {NULL, NULL},
};

TEST_MAIN("i8237", tests)
