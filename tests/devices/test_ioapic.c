/* I/O APIC: the indirect registers, edges, levels, remote IRR, EOI. */
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "tests/devices/chip.h"

struct bench {
    struct chip chip;
    struct ioapic_config config;
    struct apic_message last;
    unsigned count;
};

static void on_deliver(void *ctx, const struct apic_message *message)
{
    struct bench *b = ctx;

    b->last = *message;
    b->count++;
}

static void open_bench(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    b->config.ctx = b;
    b->config.deliver = on_deliver;
    chip_open(&b->chip, &ioapic_class, &b->config);
}

static uint32_t get(struct bench *b, unsigned reg)
{
    chip_write(&b->chip, IOAPIC_MMIO, 0x00, reg, 4);
    return (uint32_t)chip_read(&b->chip, IOAPIC_MMIO, 0x10, 4);
}

static void set(struct bench *b, unsigned reg, uint32_t value)
{
    chip_write(&b->chip, IOAPIC_MMIO, 0x00, reg, 4);
    chip_write(&b->chip, IOAPIC_MMIO, 0x10, value, 4);
}

static void entry(struct bench *b, unsigned pin, uint32_t low)
{
    set(b, 0x10 + 2 * pin, low);
}

static void registers_after_reset(void)
{
    struct bench b;

    open_bench(&b);
    CU_ASSERT_EQUAL(get(&b, 0), 0);
    CU_ASSERT_EQUAL(get(&b, 1), 0x00170020);
    for (unsigned pin = 0; pin < 24; pin++) {
        CU_ASSERT_EQUAL(get(&b, 0x10 + 2 * pin), 0x00010000);
        CU_ASSERT_EQUAL(get(&b, 0x11 + 2 * pin), 0);
    }
    CU_ASSERT_EQUAL(get(&b, 0x40), 0);
    set(&b, 0, 0xFFFFFFFF);
    CU_ASSERT_EQUAL(get(&b, 0), 0x0F000000);
    set(&b, 1, 0);
    CU_ASSERT_EQUAL(get(&b, 1), 0x00170020);
    /* Delivery status and remote IRR are read-only. */
    set(&b, 0x10, 0xFFFFFFFF);
    CU_ASSERT_EQUAL(get(&b, 0x10), 0x0001AFFF);
    set(&b, 0x11, 0xFFFFFFFF);
    CU_ASSERT_EQUAL(get(&b, 0x11), 0xFF000000);
    CU_ASSERT_EQUAL(chip_read(&b.chip, IOAPIC_MMIO, 0, 4), 0x11);
    chip_close(&b.chip);
}

static void edge_delivers_once_a_rise(void)
{
    struct bench b;

    open_bench(&b);
    set(&b, 0x11 + 2 * 4, 0x03000000);
    entry(&b, 4, 0x0834);
    chip_line(&b.chip, 4, true);
    CU_ASSERT_EQUAL(b.count, 1);
    CU_ASSERT_EQUAL(b.last.vector, 0x34);
    CU_ASSERT_EQUAL(b.last.destination, 3);
    CU_ASSERT_TRUE(b.last.logical);
    CU_ASSERT_FALSE(b.last.level);
    CU_ASSERT_EQUAL(b.last.delivery, APIC_FIXED);
    chip_line(&b.chip, 4, true);
    CU_ASSERT_EQUAL(b.count, 1);
    chip_line(&b.chip, 4, false);
    chip_line(&b.chip, 4, true);
    CU_ASSERT_EQUAL(b.count, 2);
    chip_close(&b.chip);
}

static void edge_on_a_masked_pin_is_lost(void)
{
    struct bench b;

    open_bench(&b);
    entry(&b, 4, 0x10034);
    chip_line(&b.chip, 4, true);
    entry(&b, 4, 0x00034);
    CU_ASSERT_EQUAL(b.count, 0);
    chip_close(&b.chip);
}

static void level_waits_for_eoi_and_asks_again(void)
{
    struct bench b;

    open_bench(&b);
    entry(&b, 10, 0x8041);
    chip_line(&b.chip, 10, true);
    CU_ASSERT_EQUAL(b.count, 1);
    CU_ASSERT_TRUE(b.last.level);
    CU_ASSERT_EQUAL(get(&b, 0x10 + 20), 0xC041);
    chip_line(&b.chip, 10, false);
    chip_line(&b.chip, 10, true);
    CU_ASSERT_EQUAL(b.count, 1);
    ioapic_eoi(b.chip.dev, 0x40); /* another vector's */
    CU_ASSERT_EQUAL(b.count, 1);
    ioapic_eoi(b.chip.dev, 0x41);
    CU_ASSERT_EQUAL(b.count, 2); /* still asserted */
    chip_line(&b.chip, 10, false);
    ioapic_eoi(b.chip.dev, 0x41);
    CU_ASSERT_EQUAL(b.count, 2);
    CU_ASSERT_EQUAL(get(&b, 0x10 + 20), 0x8041);
    chip_close(&b.chip);
}

static void masked_level_is_delivered_when_unmasked(void)
{
    struct bench b;

    open_bench(&b);
    entry(&b, 11, 0x18042);
    chip_line(&b.chip, 11, true);
    CU_ASSERT_EQUAL(b.count, 0);
    entry(&b, 11, 0x08042);
    CU_ASSERT_EQUAL(b.count, 1);
    /* Masked with an EOI due: the EOI ends it, nothing is asked. */
    entry(&b, 11, 0x18042);
    ioapic_eoi(b.chip.dev, 0x42);
    CU_ASSERT_EQUAL(b.count, 1);
    chip_close(&b.chip);
}

static void switching_to_edge_clears_remote_irr(void)
{
    struct bench b;

    open_bench(&b);
    entry(&b, 9, 0x8043);
    chip_line(&b.chip, 9, true);
    entry(&b, 9, 0x18043);
    CU_ASSERT_EQUAL(get(&b, 0x10 + 18), 0x1C043);
    entry(&b, 9, 0x10043);
    entry(&b, 9, 0x08043);
    CU_ASSERT_EQUAL(b.count, 2);
    chip_close(&b.chip);
}

static void eoi_register_is_an_eoi(void)
{
    struct bench b;

    open_bench(&b);
    entry(&b, 9, 0x8043);
    chip_line(&b.chip, 9, true);
    chip_write(&b.chip, IOAPIC_MMIO, 0x40, 0x43, 4);
    CU_ASSERT_EQUAL(b.count, 2);
    chip_close(&b.chip);
}

static void nmi_and_extint_ignore_the_level_bit(void)
{
    struct bench b;

    open_bench(&b);
    entry(&b, 3, 0x8400);
    chip_line(&b.chip, 3, true);
    CU_ASSERT_EQUAL(b.count, 1);
    CU_ASSERT_EQUAL(b.last.delivery, APIC_NMI);
    CU_ASSERT_FALSE(b.last.level);
    CU_ASSERT_EQUAL(get(&b, 0x16), 0x8400);
    entry(&b, 0, 0x0700);
    chip_line(&b.chip, 0, true);
    CU_ASSERT_EQUAL(b.last.delivery, APIC_EXTINT);
    chip_close(&b.chip);
}

static void random_storm(void)
{
    static const uint32_t sizes[] = {0x100};
    struct bench b;

    open_bench(&b);
    chip_storm(&b.chip, sizes, 1, 26, 100000);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t r = chip_random(&b.chip);

        set(&b, r & 0x3F, (uint32_t)(r >> 32) & ~((r >> 8 & 1) << 16));
        chip_line(&b.chip, r >> 16 & 31, (r >> 24 & 1) != 0);
        ioapic_eoi(b.chip.dev, (uint8_t)(r >> 40));
    }
    CU_ASSERT(b.count > 1000);
    device_reset(b.chip.dev);
    CU_ASSERT_EQUAL(get(&b, 0x10), 0x10000);
    chip_close(&b.chip);
}

static const struct test tests[] = {
    {"registers_after_reset", registers_after_reset},
    {"edge_delivers_once_a_rise", edge_delivers_once_a_rise},
    {"edge_on_a_masked_pin_is_lost", edge_on_a_masked_pin_is_lost},
    {"level_waits_for_eoi_and_asks_again", level_waits_for_eoi_and_asks_again},
    {"masked_level_is_delivered_when_unmasked",
     masked_level_is_delivered_when_unmasked},
    {"switching_to_edge_clears_remote_irr",
     switching_to_edge_clears_remote_irr},
    {"eoi_register_is_an_eoi", eoi_register_is_an_eoi},
    {"nmi_and_extint_ignore_the_level_bit",
     nmi_and_extint_ignore_the_level_bit},
    {"random_storm", random_storm},
    {NULL, NULL},
};

TEST_MAIN("ioapic", tests)
