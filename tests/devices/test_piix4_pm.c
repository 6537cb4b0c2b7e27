/* PIIX4 power management: PM1, PM timer, SCI, S5, SMI ports, GPE0, SMBus. */
#include "devices/piix4_pm.h"
#include "tests/devices/chip.h"

#define BASE 0x600u
enum { STS = BASE, EN = BASE + 2, CNT = BASE + 4, TMR = BASE + 8 };

static void open_pm(struct chip *chip)
{
    struct pci_function *f;

    chip_open(chip, &piix4_pm_class, NULL);
    f = piix4_pm_pci(chip->dev);
    pci_config_write(f, 0x40, BASE | 1, 4);
    pci_config_write(f, 0x80, 1, 1);
}

static uint32_t in(struct chip *chip, unsigned port, unsigned size)
{
    return (uint32_t)bus_read(&chip->io, port, size);
}

static void out(struct chip *chip, unsigned port, uint32_t value, unsigned size)
{
    bus_write(&chip->io, port, value, size);
}

static void blocks_are_where_the_guest_puts_them(void)
{
    struct chip chip;
    struct pci_function *f;

    chip_open(&chip, &piix4_pm_class, NULL);
    f = piix4_pm_pci(chip.dev);
    CU_ASSERT_EQUAL(pci_config_read(f, 0, 4), 0x71138086);
    CU_ASSERT_EQUAL(pci_config_read(f, 0x0A, 2), 0x0680);
    CU_ASSERT_EQUAL(pci_config_read(f, 0x40, 4), 1);
    CU_ASSERT_EQUAL(piix4_pm_base(chip.dev), 0);
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 0xFFFF);
    pci_config_write(f, 0x40, 0xFFFFB000, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, 0x40, 4), 0xB001);
    CU_ASSERT_EQUAL(piix4_pm_base(chip.dev), 0);
    pci_config_write(f, 0x80, 1, 1);
    CU_ASSERT_EQUAL(piix4_pm_base(chip.dev), 0xB000);
    CU_ASSERT_EQUAL(in(&chip, 0xB004, 2), 0);
    pci_config_write(f, 0x40, BASE, 4);
    CU_ASSERT_EQUAL(in(&chip, 0xB004, 2), 0xFFFF);
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 0);
    pci_config_write(f, 0x90, 0x701, 4);
    CU_ASSERT_EQUAL(in(&chip, 0x700, 1), 0xFF);
    pci_config_write(f, 0xD2, 0x09, 1);
    CU_ASSERT_EQUAL(in(&chip, 0x700, 1), 0);
    /* SeaBIOS looks at APMC_EN and then leaves SMM alone. */
    CU_ASSERT_TRUE((pci_config_read(f, 0x58, 4) & 0x02000000) != 0);
    device_reset(chip.dev);
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 0xFFFF);
    chip_close(&chip);
}

static void a_taken_place_is_left_alone(void)
{
    struct chip chip;
    struct region other = {.name = "other", .base = 0x610, .size = 8,
                           .kind = REGION_DEVICE};

    chip_open(&chip, &piix4_pm_class, NULL);
    other.dev = chip.probe;
    CU_ASSERT_EQUAL(bus_map(&chip.io, &other), 0);
    pci_config_write(piix4_pm_pci(chip.dev), 0x40, BASE | 1, 4);
    pci_config_write(piix4_pm_pci(chip.dev), 0x80, 1, 1);
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 0xFFFF);
    pci_config_write(piix4_pm_pci(chip.dev), 0x40, 0xB001, 4);
    CU_ASSERT_EQUAL(in(&chip, 0xB004, 2), 0);
    chip_close(&chip);
}

static void timer_counts_24_bits_at_3_579545_mhz(void)
{
    struct chip chip;
    uint32_t before;

    open_pm(&chip);
    before = in(&chip, TMR, 4);
    chip_advance(&chip, NS_PER_SECOND);
    CU_ASSERT_EQUAL((in(&chip, TMR, 4) - before) & 0xFFFFFF, 3579545);
    chip_advance(&chip, 4 * NS_PER_SECOND);
    CU_ASSERT_EQUAL((in(&chip, TMR, 4) - before) & 0xFFFFFF,
                    5 * 3579545 - 0x1000000);
    CU_ASSERT_EQUAL(in(&chip, TMR, 4) >> 24, 0);
    CU_ASSERT_EQUAL(in(&chip, TMR + 1, 1), in(&chip, TMR, 4) >> 8 & 0xFF);
    chip_close(&chip);
}

static void timer_status_is_set_when_the_top_bit_changes(void)
{
    struct chip chip;
    uint64_t half_ns = (UINT64_C(1) << 23) * NS_PER_SECOND / 3579545;

    open_pm(&chip);
    chip_advance(&chip, half_ns - 1000);
    CU_ASSERT_EQUAL(in(&chip, STS, 2) & 1, 0);
    chip_advance(&chip, 2000);
    CU_ASSERT_EQUAL(in(&chip, STS, 2) & 1, 1);
    out(&chip, STS, 1, 2);
    CU_ASSERT_EQUAL(in(&chip, STS, 2) & 1, 0);
    chip_advance(&chip, half_ns); /* and when it falls */
    CU_ASSERT_EQUAL(in(&chip, STS, 2) & 1, 1);
    chip_close(&chip);
}

static void timer_overflow_raises_sci(void)
{
    struct chip chip;

    open_pm(&chip);
    chip_write(&chip, PIIX4_PM_APM, 0, PIIX4_PM_ACPI_ENABLE, 1);
    CU_ASSERT_EQUAL(clock_deadline_ns(&chip.clock), CLOCK_NEVER);
    out(&chip, EN, 1, 2);
    chip_advance(&chip, UINT64_C(2343000000));
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SCI));
    chip_advance(&chip, 1000000);
    CU_ASSERT_TRUE(chip_level(&chip, PIIX4_PM_OUT_SCI));
    out(&chip, STS, 1, 2);
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SCI));
    chip_advance(&chip, UINT64_C(2344000000));
    CU_ASSERT_EQUAL(chip_rises(&chip, PIIX4_PM_OUT_SCI), 2);
    chip_close(&chip);
}

static void smi_command_port_switches_sci_en(void)
{
    struct chip chip;

    open_pm(&chip);
    chip_write(&chip, PIIX4_PM_APM, 0, 0xF1, 1);
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 1);
    chip_write(&chip, PIIX4_PM_APM, 0, 0x00, 1);
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 1);
    chip_write(&chip, PIIX4_PM_APM, 0, 0xF0, 1);
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 0);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_APM, 0, 1), 0xF0);
    chip_write(&chip, PIIX4_PM_APM, 1, 0x5A, 1);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_APM, 1, 1), 0x5A);
    chip_close(&chip);
}

static void power_button_sets_its_status_and_sci(void)
{
    struct chip chip;

    open_pm(&chip);
    piix4_pm_power_button(chip.dev);
    CU_ASSERT_EQUAL(in(&chip, STS, 2) & 0x100, 0x100);
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SCI));
    out(&chip, EN, 0x100, 2);
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SCI)); /* no SCI_EN */
    out(&chip, CNT, 1, 2);
    CU_ASSERT_TRUE(chip_level(&chip, PIIX4_PM_OUT_SCI));
    out(&chip, STS + 1, 0x01, 1); /* byte accesses reach their half */
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SCI));
    CU_ASSERT_EQUAL(in(&chip, EN + 1, 1), 1);
    chip_close(&chip);
}

static void sleep_type_0_shuts_down(void)
{
    struct chip chip;

    open_pm(&chip);
    out(&chip, CNT, 0x2401, 2); /* type 1: not S5 */
    CU_ASSERT_EQUAL(chip_rises(&chip, PIIX4_PM_OUT_SHUTDOWN), 0);
    out(&chip, CNT, 0x0001, 2);
    CU_ASSERT_EQUAL(chip_rises(&chip, PIIX4_PM_OUT_SHUTDOWN), 0);
    out(&chip, CNT, 0x2001, 2);
    CU_ASSERT_EQUAL(chip_rises(&chip, PIIX4_PM_OUT_SHUTDOWN), 1);
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SHUTDOWN));
    CU_ASSERT_EQUAL(in(&chip, CNT, 2), 0x0001); /* SLP_EN reads 0 */
    chip_close(&chip);
}

static void gpe0_block(void)
{
    struct chip chip;

    open_pm(&chip);
    chip_write(&chip, PIIX4_PM_GPE, 2, 0x1234, 2);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_GPE, 2, 2), 0x1234);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_GPE, 0, 4), 0x12340000);
    chip_write(&chip, PIIX4_PM_GPE, 3, 0x56, 1);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_GPE, 2, 2), 0x5634);
    chip_write(&chip, PIIX4_PM_GPE, 0, 0xFFFF, 2);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_GPE, 0, 2), 0);
    chip_close(&chip);
}

static void smbus_says_that_nobody_is_there(void)
{
    struct chip chip;

    open_pm(&chip);
    chip_write(&chip, PIIX4_PM_SMBUS, 4, 0xA1, 1);
    chip_write(&chip, PIIX4_PM_SMBUS, 2, 0x48, 1); /* start, byte data */
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_SMBUS, 0, 1), 0x04);
    chip_write(&chip, PIIX4_PM_SMBUS, 0, 0x04, 1);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_SMBUS, 0, 1), 0);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_SMBUS, 4, 1), 0xA1);
    chip_write(&chip, PIIX4_PM_SMBUS, 7, 0x11, 1);
    chip_write(&chip, PIIX4_PM_SMBUS, 7, 0x22, 1);
    (void)chip_read(&chip, PIIX4_PM_SMBUS, 2, 1); /* rewinds */
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_SMBUS, 7, 1), 0x11);
    CU_ASSERT_EQUAL(chip_read(&chip, PIIX4_PM_SMBUS, 7, 1), 0x22);
    chip_close(&chip);
}

static void random_storm(void)
{
    static const uint32_t sizes[] = {64, 16, 2, 4};
    struct chip chip;

    open_pm(&chip);
    chip_storm(&chip, sizes, 4, 1, 200000);
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t r = chip_random(&chip);

        pci_config_write(piix4_pm_pci(chip.dev), r & 0xFC, (uint32_t)(r >> 32),
                         4);
        bus_write(&chip.io, r >> 16 & 0xFFFF, r, 4);
    }
    device_reset(chip.dev);
    CU_ASSERT_EQUAL(pci_config_read(piix4_pm_pci(chip.dev), 0, 4), 0x71138086);
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SCI));
    CU_ASSERT_FALSE(chip_level(&chip, PIIX4_PM_OUT_SHUTDOWN));
    chip_close(&chip);
}

static const struct test tests[] = {
    {"blocks_are_where_the_guest_puts_them",
     blocks_are_where_the_guest_puts_them},
    {"a_taken_place_is_left_alone", a_taken_place_is_left_alone},
    {"timer_counts_24_bits_at_3_579545_mhz",
     timer_counts_24_bits_at_3_579545_mhz},
    {"timer_status_is_set_when_the_top_bit_changes",
     timer_status_is_set_when_the_top_bit_changes},
    {"timer_overflow_raises_sci", timer_overflow_raises_sci},
    {"smi_command_port_switches_sci_en", smi_command_port_switches_sci_en},
    {"power_button_sets_its_status_and_sci",
     power_button_sets_its_status_and_sci},
    {"sleep_type_0_shuts_down", sleep_type_0_shuts_down},
    {"gpe0_block", gpe0_block},
    {"smbus_says_that_nobody_is_there", smbus_says_that_nobody_is_there},
    {"random_storm", random_storm},
    {NULL, NULL},
};

TEST_MAIN("piix4_pm", tests)
