/* PIIX3 function 0: interrupt steering and reset control; isa-irqs too. */
#include "devices/piix3.h"
#include "tests/devices/chip.h"

static void route(struct chip *chip, unsigned pirq, uint8_t value)
{
    pci_config_write(piix3_pci(chip->dev), 0x60 + pirq, value, 1);
}

static void is_a_multifunction_isa_bridge(void)
{
    struct chip chip;
    struct pci_function *f;

    chip_open(&chip, &piix3_class, NULL);
    f = piix3_pci(chip.dev);
    CU_ASSERT_EQUAL(pci_config_read(f, 0, 4), 0x70008086);
    CU_ASSERT_EQUAL(pci_config_read(f, 0x0A, 2), 0x0601);
    CU_ASSERT_EQUAL(pci_config_read(f, 0x0E, 1), 0x80);
    CU_ASSERT_EQUAL(pci_config_read(f, 0x60, 4), 0x80808080);
    chip_close(&chip);
}

static void pins_rotate_with_the_slot(void)
{
    struct chip chip;

    chip_open(&chip, &piix3_class, NULL);
    for (unsigned pirq = 0; pirq < 4; pirq++)
        route(&chip, pirq, (uint8_t)(9 + pirq % 4));
    for (unsigned slot = 1; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            unsigned irq = 9 + (slot - 1 + pin) % 4;

            chip_line(&chip, PIIX3_INTX(slot, pin), true);
            for (unsigned n = 0; n < 16; n++)
                CU_ASSERT_EQUAL(chip_level(&chip, n), n == irq);
            chip_line(&chip, PIIX3_INTX(slot, pin), false);
            CU_ASSERT_FALSE(chip_level(&chip, irq));
        }
    }
    chip_close(&chip);
}

static void shared_interrupt_stays_until_all_release(void)
{
    struct chip chip;

    chip_open(&chip, &piix3_class, NULL);
    route(&chip, 0, 11);
    route(&chip, 1, 11);
    chip_line(&chip, PIIX3_INTX(1, 0), true); /* PIRQA */
    chip_line(&chip, PIIX3_INTX(5, 0), true); /* PIRQA */
    chip_line(&chip, PIIX3_INTX(2, 0), true); /* PIRQB */
    CU_ASSERT_EQUAL(chip_rises(&chip, 11), 1);
    chip_line(&chip, PIIX3_INTX(1, 0), false);
    chip_line(&chip, PIIX3_INTX(2, 0), false);
    CU_ASSERT_TRUE(chip_level(&chip, 11));
    chip_line(&chip, PIIX3_INTX(5, 0), false);
    CU_ASSERT_FALSE(chip_level(&chip, 11));
    chip_close(&chip);
}

static void rerouting_moves_an_asserted_line(void)
{
    struct chip chip;

    chip_open(&chip, &piix3_class, NULL);
    chip_line(&chip, PIIX3_INTX(3, 0), true); /* PIRQC, disabled */
    for (unsigned n = 0; n < 16; n++)
        CU_ASSERT_FALSE(chip_level(&chip, n));
    route(&chip, 2, 10);
    CU_ASSERT_TRUE(chip_level(&chip, 10));
    route(&chip, 2, 5);
    CU_ASSERT_FALSE(chip_level(&chip, 10));
    CU_ASSERT_TRUE(chip_level(&chip, 5));
    /* IRQs 0, 1, 2, 8 and 13 cannot be had (2.2.12). */
    for (unsigned irq = 0; irq < 16; irq++) {
        bool valid = irq != 0 && irq != 1 && irq != 2 && irq != 8 && irq != 13;

        route(&chip, 2, (uint8_t)irq);
        CU_ASSERT_EQUAL(chip_level(&chip, irq), valid);
    }
    route(&chip, 2, 0x8A);
    CU_ASSERT_FALSE(chip_level(&chip, 10));
    chip_close(&chip);
}

static void reset_control_resets_on_the_rise_of_rcpu(void)
{
    struct chip chip;

    chip_open(&chip, &piix3_class, NULL);
    chip_write(&chip, PIIX3_RCR, 0, 0x02, 1);
    CU_ASSERT_EQUAL(chip_rises(&chip, PIIX3_OUT_RESET), 0);
    chip_write(&chip, PIIX3_RCR, 0, 0xFF, 1);
    CU_ASSERT_EQUAL(chip_rises(&chip, PIIX3_OUT_RESET), 1);
    CU_ASSERT_FALSE(chip_level(&chip, PIIX3_OUT_RESET));
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX3_RCR, 0, 1), 0x06);
    chip_write(&chip, PIIX3_RCR, 0, 0x06, 1);
    CU_ASSERT_EQUAL(chip_rises(&chip, PIIX3_OUT_RESET), 1);
    device_reset(chip.dev);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX3_RCR, 0, 1), 0);
    chip_close(&chip);
}

static void random_storm(void)
{
    static const uint32_t sizes[] = {1};
    struct chip chip;

    chip_open(&chip, &piix3_class, NULL);
    chip_storm(&chip, sizes, 1, 140, 200000);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t r = chip_random(&chip);

        pci_config_write(piix3_pci(chip.dev), r & 0xFC, (uint32_t)(r >> 32), 4);
        chip_line(&chip, r >> 8 & 0xFF, (r >> 16 & 1) != 0);
    }
    CU_ASSERT_EQUAL(pci_config_read(piix3_pci(chip.dev), 0, 4), 0x70008086);
    for (unsigned n = 0; n < 128; n++)
        chip_line(&chip, n, false);
    for (unsigned n = 0; n < 16; n++)
        CU_ASSERT_FALSE(chip_level(&chip, n));
    chip_close(&chip);
}

static const struct test tests[] = {
    {"is_a_multifunction_isa_bridge", is_a_multifunction_isa_bridge},
    {"pins_rotate_with_the_slot", pins_rotate_with_the_slot},
    {"shared_interrupt_stays_until_all_release",
     shared_interrupt_stays_until_all_release},
    {"rerouting_moves_an_asserted_line", rerouting_moves_an_asserted_line},
    {"reset_control_resets_on_the_rise_of_rcpu",
     reset_control_resets_on_the_rise_of_rcpu},
    {"random_storm", random_storm},
    {NULL, NULL},
};

TEST_MAIN("piix3", tests)
