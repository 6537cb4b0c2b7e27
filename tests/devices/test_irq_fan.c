/* isa-irqs: the wiring from interrupts to PIC and IOAPIC. */
#include "devices/irq_fan.h"
#include "tests/devices/chip.h"

static void each_irq_reaches_pic_and_ioapic(void)
{
    struct chip chip;

    chip_open(&chip, &irq_fan_class, NULL);
    for (unsigned irq = 0; irq < 16; irq++) {
        unsigned pin = irq == 0 ? 2 : irq;

        if (irq == 2)
            continue;
        chip_line(&chip, IRQ_FAN_ISA + irq, true);
        for (unsigned n = 0; n < 16; n++) {
            CU_ASSERT_EQUAL(chip_level(&chip, IRQ_FAN_OUT_PIC + n), n == irq);
            CU_ASSERT_EQUAL(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + n),
                            n == pin);
        }
        chip_line(&chip, IRQ_FAN_ISA + irq, false);
        CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + irq));
        CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + pin));
    }
    chip_line(&chip, IRQ_FAN_ISA + 2, true);
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + 2));
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + 2));
    chip_close(&chip);
}

static void sources_of_one_irq_are_ored(void)
{
    struct chip chip;

    chip_open(&chip, &irq_fan_class, NULL);
    chip_line(&chip, IRQ_FAN_ISA + 9, true);
    chip_line(&chip, IRQ_FAN_STEERED + 9, true);
    chip_line(&chip, IRQ_FAN_SHARED + 9, true);
    CU_ASSERT_EQUAL(chip_rises(&chip, IRQ_FAN_OUT_PIC + 9), 1);
    chip_line(&chip, IRQ_FAN_ISA + 9, false);
    chip_line(&chip, IRQ_FAN_SHARED + 9, false);
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_PIC + 9));
    chip_line(&chip, IRQ_FAN_STEERED + 9, false);
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + 9));
    chip_close(&chip);
}

static void legacy_replacement_takes_irq0_and_irq8(void)
{
    struct chip chip;

    chip_open(&chip, &irq_fan_class, NULL);
    chip_line(&chip, IRQ_FAN_HPET_IRQ0, true);
    chip_line(&chip, IRQ_FAN_HPET_IRQ8, true);
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + 0));
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + 8));
    chip_line(&chip, IRQ_FAN_HPET_LEGACY, true);
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_PIC + 0));
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + 2));
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_PIC + 8));
    chip_line(&chip, IRQ_FAN_HPET_IRQ0, false);
    chip_line(&chip, IRQ_FAN_HPET_IRQ8, false);
    chip_line(&chip, IRQ_FAN_ISA + 0, true); /* the PIT is cut off */
    chip_line(&chip, IRQ_FAN_ISA + 8, true);
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + 0));
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + 8));
    chip_line(&chip, IRQ_FAN_HPET_LEGACY, false);
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_PIC + 0));
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_PIC + 8));
    chip_line(&chip, IRQ_FAN_ISA + 0, false);
    chip_line(&chip, IRQ_FAN_HPET_PIN2, true);
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + 2));
    CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_PIC + 0));
    chip_close(&chip);
}

static void hpet_pulse_is_an_edge_while_the_8254_is_up(void)
{
    struct chip chip;

    chip_open(&chip, &irq_fan_class, NULL);
    chip_line(&chip, IRQ_FAN_ISA + 0, true);
    CU_ASSERT_EQUAL(chip_rises(&chip, IRQ_FAN_OUT_IOAPIC + 2), 1);
    chip_line(&chip, IRQ_FAN_HPET_PIN2, true);
    chip_line(&chip, IRQ_FAN_HPET_PIN2, false);
    CU_ASSERT_EQUAL(chip_rises(&chip, IRQ_FAN_OUT_IOAPIC + 2), 2);
    CU_ASSERT_TRUE(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + 2));
    CU_ASSERT_EQUAL(chip_rises(&chip, IRQ_FAN_OUT_PIC + 0), 1);
    chip_close(&chip);
}

static void random_lines_agree_with_the_rule(void)
{
    struct chip chip;
    uint64_t in = 0;

    chip_open(&chip, &irq_fan_class, NULL);
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t r = chip_random(&chip);
        unsigned n = r & 63;
        bool level = (r >> 8 & 1) != 0;

        chip_line(&chip, n, level);
        if (n < IRQ_FAN_LINES)
            in = level ? in | UINT64_C(1) << n : in & ~(UINT64_C(1) << n);
        n = 3 + (r >> 16 & 3); /* IRQs 3 to 6 have no special rule */
        bool want = (in >> n & 1) || (in >> (IRQ_FAN_STEERED + n) & 1) ||
                    (in >> (IRQ_FAN_SHARED + n) & 1);
        CU_ASSERT_EQUAL(chip_level(&chip, IRQ_FAN_OUT_PIC + n), want);
        CU_ASSERT_EQUAL(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + n), want);
        CU_ASSERT_FALSE(chip_level(&chip, IRQ_FAN_OUT_IOAPIC + 0));
    }
    chip_close(&chip);
}

static const struct test tests[] = {
    {"each_irq_reaches_pic_and_ioapic", each_irq_reaches_pic_and_ioapic},
    {"sources_of_one_irq_are_ored", sources_of_one_irq_are_ored},
    {"legacy_replacement_takes_irq0_and_irq8",
     legacy_replacement_takes_irq0_and_irq8},
    {"hpet_pulse_is_an_edge_while_the_8254_is_up",
     hpet_pulse_is_an_edge_while_the_8254_is_up},
    {"random_lines_agree_with_the_rule", random_lines_agree_with_the_rule},
    {NULL, NULL},
};

TEST_MAIN("irq_fan", tests)
