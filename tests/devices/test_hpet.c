/* HPET: the counter, one-shot and periodic timers, widths, legacy routes. */
#include "devices/hpet.h"
#include "tests/devices/chip.h"

enum { CAP = 0x00, CONF = 0x10, STATUS = 0x20, COUNTER = 0xF0 };
#define T_CONF(N) (0x100u + 0x20u * (N))
#define T_CMP(N) (0x108u + 0x20u * (N))

enum { LEVEL = 2, INT_ENB = 4, PERIODIC = 8, VAL_SET = 0x40, MODE32 = 0x100 };
#define ROUTE(PIN) ((PIN) << 9)

static const struct hpet_config config = {.routes = 0x00FF0104};

static uint64_t get(struct chip *chip, unsigned off)
{
    return chip_read(chip, HPET_MMIO, off, 8);
}

static void set(struct chip *chip, unsigned off, uint64_t value)
{
    chip_write(chip, HPET_MMIO, off, value, 8);
}

static void capabilities(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    CU_ASSERT_EQUAL(get(&chip, CAP), UINT64_C(0x009896808086A201));
    CU_ASSERT_EQUAL(chip_read(&chip, HPET_MMIO, CAP + 4, 4), 10000000);
    for (unsigned n = 0; n < 3; n++)
        CU_ASSERT_EQUAL(get(&chip, T_CONF(n)), UINT64_C(0x00FF010400000030));
    CU_ASSERT_EQUAL(get(&chip, T_CONF(3)), 0);
    CU_ASSERT_EQUAL(get(&chip, 0x3F8), 0);
    chip_close(&chip);
}

static void counter_runs_only_when_enabled(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    chip_advance(&chip, 12345);
    CU_ASSERT_EQUAL(get(&chip, COUNTER), 0);
    set(&chip, COUNTER, 0xFFFFFFF0);
    set(&chip, CONF, 1);
    chip_advance(&chip, 1000);
    CU_ASSERT_EQUAL(get(&chip, COUNTER), UINT64_C(0x100000054));
    set(&chip, COUNTER, 0); /* not while it runs */
    CU_ASSERT_EQUAL(get(&chip, COUNTER), UINT64_C(0x100000054));
    set(&chip, CONF, 0);
    chip_advance(&chip, 1000);
    CU_ASSERT_EQUAL(get(&chip, COUNTER), UINT64_C(0x100000054));
    chip_write(&chip, HPET_MMIO, COUNTER + 4, 7, 4); /* halves */
    CU_ASSERT_EQUAL(get(&chip, COUNTER), UINT64_C(0x700000054));
    chip_close(&chip);
}

static void one_shot_edge_pulses_at_equality(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    set(&chip, T_CONF(0), INT_ENB | ROUTE(2));
    set(&chip, T_CMP(0), 100);
    chip_advance(&chip, 100000);
    CU_ASSERT_EQUAL(chip_rises(&chip, 2), 0); /* halted */
    set(&chip, CONF, 1);
    chip_advance(&chip, 999);
    CU_ASSERT_EQUAL(chip_rises(&chip, 2), 0);
    chip_advance(&chip, 1);
    CU_ASSERT_EQUAL(chip_rises(&chip, 2), 1);
    CU_ASSERT_FALSE(chip_level(&chip, 2));
    chip_advance(&chip, NS_PER_SECOND);
    CU_ASSERT_EQUAL(chip_rises(&chip, 2), 1);
    CU_ASSERT_EQUAL(get(&chip, STATUS), 0);
    chip_close(&chip);
}

static void thirty_two_bit_timer_fires_again_after_a_wrap(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    set(&chip, T_CONF(1), INT_ENB | MODE32 | ROUTE(8));
    set(&chip, T_CMP(1), UINT64_C(0x500000064));
    CU_ASSERT_EQUAL(get(&chip, T_CMP(1)), 0x64);
    set(&chip, CONF, 1);
    chip_advance(&chip, 2000);
    CU_ASSERT_EQUAL(chip_rises(&chip, 8), 1);
    /* Written behind the counter: once round. */
    set(&chip, T_CMP(1), 0x10);
    chip_advance(&chip, 42 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(chip_rises(&chip, 8), 1);
    chip_advance(&chip, NS_PER_SECOND);
    CU_ASSERT_EQUAL(chip_rises(&chip, 8), 2);
    chip_close(&chip);
}

static void periodic_as_linux_sets_it_up(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    set(&chip, CONF, 3); /* legacy replacement */
    CU_ASSERT_TRUE(chip_level(&chip, HPET_OUT_LEGACY));
    chip_advance(&chip, 5000);
    chip_write(&chip, HPET_MMIO, T_CONF(0),
               INT_ENB | PERIODIC | VAL_SET | MODE32, 4);
    chip_write(&chip, HPET_MMIO, T_CMP(0), 500 + 10000, 4);
    CU_ASSERT_EQUAL(get(&chip, T_CONF(0)) & VAL_SET, 0);
    chip_advance(&chip, 1000);
    chip_write(&chip, HPET_MMIO, T_CMP(0), 10000, 4); /* the period */
    CU_ASSERT_EQUAL(get(&chip, T_CMP(0)), 10500);
    chip_advance(&chip, 98999);
    CU_ASSERT_EQUAL(chip_rises(&chip, HPET_OUT_IRQ0), 0);
    chip_advance(&chip, 1);
    CU_ASSERT_EQUAL(chip_rises(&chip, HPET_OUT_IRQ0), 1);
    chip_advance(&chip, 100000 * 99);
    CU_ASSERT_EQUAL(chip_rises(&chip, HPET_OUT_IRQ0), 100);
    CU_ASSERT_EQUAL(get(&chip, T_CMP(0)), 500 + 10000 * 101);
    chip_close(&chip);
}

static void legacy_edge_stays_up_until_the_next_one(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    set(&chip, CONF, 3);
    chip_write(&chip, HPET_MMIO, T_CONF(0), INT_ENB | MODE32, 4);
    chip_write(&chip, HPET_MMIO, T_CMP(0), 100, 4);
    chip_advance(&chip, 1000);
    CU_ASSERT_EQUAL(chip_rises(&chip, HPET_OUT_IRQ0), 1);
    CU_ASSERT_TRUE(chip_level(&chip, HPET_OUT_IRQ0));
    /* What the other timers are told is no matter. */
    chip_write(&chip, HPET_MMIO, T_CONF(2), INT_ENB | MODE32, 4);
    set(&chip, STATUS, 7);
    CU_ASSERT_TRUE(chip_level(&chip, HPET_OUT_IRQ0));
    chip_write(&chip, HPET_MMIO, T_CMP(0), 200, 4);
    chip_advance(&chip, 1000);
    CU_ASSERT_EQUAL(chip_rises(&chip, HPET_OUT_IRQ0), 2);
    set(&chip, CONF, 1);
    CU_ASSERT_FALSE(chip_level(&chip, HPET_OUT_IRQ0));
    chip_close(&chip);
}

static void level_interrupt_holds_until_its_status_is_cleared(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    set(&chip, T_CONF(2), INT_ENB | LEVEL | ROUTE(20));
    set(&chip, T_CMP(2), 10);
    set(&chip, CONF, 1);
    chip_advance(&chip, 100);
    CU_ASSERT_TRUE(chip_level(&chip, 20));
    CU_ASSERT_EQUAL(get(&chip, STATUS), 4);
    set(&chip, STATUS, 3); /* other timers' */
    CU_ASSERT_TRUE(chip_level(&chip, 20));
    chip_write(&chip, HPET_MMIO, STATUS, 4, 4);
    CU_ASSERT_FALSE(chip_level(&chip, 20));
    CU_ASSERT_EQUAL(get(&chip, STATUS), 0);
    /* Without INT_ENB the status still tells. */
    set(&chip, T_CONF(2), LEVEL | ROUTE(20));
    set(&chip, T_CMP(2), 1000);
    chip_advance(&chip, 20000);
    CU_ASSERT_EQUAL(get(&chip, STATUS), 4);
    CU_ASSERT_FALSE(chip_level(&chip, 20));
    chip_close(&chip);
}

static void a_pin_that_is_not_wired_stays_silent(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    set(&chip, T_CONF(0), INT_ENB | ROUTE(5));
    set(&chip, T_CMP(0), 10);
    set(&chip, T_CONF(1), INT_ENB | ROUTE(31));
    set(&chip, T_CMP(1), 10);
    set(&chip, CONF, 1);
    chip_advance(&chip, 1000);
    for (unsigned n = 0; n < 32; n++)
        CU_ASSERT_EQUAL(chip_rises(&chip, n), 0);
    chip_close(&chip);
}

static void a_period_of_one_tick_does_not_hang(void)
{
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    set(&chip, CONF, 1);
    set(&chip, T_CONF(0), INT_ENB | PERIODIC | VAL_SET | ROUTE(2));
    set(&chip, T_CMP(0), 1);
    set(&chip, T_CMP(0), 1);
    chip_advance(&chip, 1000000);
    CU_ASSERT(chip_rises(&chip, 2) > 900 && chip_rises(&chip, 2) <= 1001);
    /* Period 0 is none. */
    set(&chip, T_CMP(0), 0);
    chip_advance(&chip, 1000000);
    CU_ASSERT(chip_rises(&chip, 2) <= 1002);
    chip_close(&chip);
}

static void random_storm(void)
{
    static const uint32_t sizes[] = {0x180};
    struct chip chip;

    chip_open(&chip, &hpet_class, &config);
    for (unsigned i = 0; i < 20; i++) {
        set(&chip, CONF, 1 | (i & 2));
        chip_storm(&chip, sizes, 1, 0, 10000);
    }
    device_reset(chip.dev);
    CU_ASSERT_EQUAL(get(&chip, CONF), 0);
    CU_ASSERT_EQUAL(clock_deadline_ns(&chip.clock), CLOCK_NEVER);
    for (unsigned n = 0; n < 32; n++)
        CU_ASSERT_FALSE(chip_level(&chip, n));
    chip_close(&chip);
}

static const struct test tests[] = {
    {"capabilities", capabilities},
    {"counter_runs_only_when_enabled", counter_runs_only_when_enabled},
    {"one_shot_edge_pulses_at_equality", one_shot_edge_pulses_at_equality},
    {"thirty_two_bit_timer_fires_again_after_a_wrap",
     thirty_two_bit_timer_fires_again_after_a_wrap},
    {"periodic_as_linux_sets_it_up", periodic_as_linux_sets_it_up},
    {"legacy_edge_stays_up_until_the_next_one",
     legacy_edge_stays_up_until_the_next_one},
    {"level_interrupt_holds_until_its_status_is_cleared",
     level_interrupt_holds_until_its_status_is_cleared},
    {"a_pin_that_is_not_wired_stays_silent",
     a_pin_that_is_not_wired_stays_silent},
    {"a_period_of_one_tick_does_not_hang", a_period_of_one_tick_does_not_hang},
    {"random_storm", random_storm},
    {NULL, NULL},
};

TEST_MAIN("hpet", tests)
