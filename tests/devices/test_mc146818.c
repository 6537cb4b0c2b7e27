/*
 * The real-time clock: calendar, formats, SET and UIP, the three interrupts,
 * CMOS bytes.
 */
#include "devices/mc146818.h"
#include "tests/devices/rig.h"

#include <time.h>

#define IRQ 0
/* 2024-02-28 23:59:50 UTC, a Wednesday before a leap day. */
#define BASE_S UINT64_C(1709164790)

struct rtc {
    struct rig rig;
    struct device *dev;
};

static void open_rtc(struct rtc *c, uint64_t base)
{
    rig_open(&c->rig);
    c->rig.clock.rtc_offset_s = base - 1; /* the rig starts at 1 s */
    c->dev = rig_add(&c->rig, &mc146818_class, NULL);
    rig_start(&c->rig);
    rig_map(&c->rig, c->dev, MC146818_BANK, 0x70, 2);
}

static unsigned get(struct rtc *c, unsigned index)
{
    rig_out(&c->rig, 0x70, index);
    return rig_in(&c->rig, 0x71);
}

static void set(struct rtc *c, unsigned index, unsigned value)
{
    rig_out(&c->rig, 0x70, index);
    rig_out(&c->rig, 0x71, value);
}

static void expect(struct rtc *c, unsigned year, unsigned month, unsigned day,
                   unsigned hour, unsigned minute, unsigned second)
{
    CU_ASSERT_EQUAL(get(c, 0x32), year >> 8);
    CU_ASSERT_EQUAL(get(c, 9), year & 0xFF);
    CU_ASSERT_EQUAL(get(c, 8), month);
    CU_ASSERT_EQUAL(get(c, 7), day);
    CU_ASSERT_EQUAL(get(c, 4), hour);
    CU_ASSERT_EQUAL(get(c, 2), minute);
    CU_ASSERT_EQUAL(get(c, 0), second);
}

static void time_follows_the_clock_in_bcd(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    CU_ASSERT_EQUAL(get(&c, 0x0B), 0x02);
    CU_ASSERT_EQUAL(get(&c, 0x0D), 0x80);
    expect(&c, 0x2024, 0x02, 0x28, 0x23, 0x59, 0x50);
    CU_ASSERT_EQUAL(get(&c, 6), 4); /* Sunday is 1 */
    rig_pass(&c.rig, 10 * NS_PER_SECOND);
    expect(&c, 0x2024, 0x02, 0x29, 0x00, 0x00, 0x00);
    CU_ASSERT_EQUAL(get(&c, 6), 5);
    rig_pass(&c.rig, 86400 * NS_PER_SECOND);
    expect(&c, 0x2024, 0x03, 0x01, 0x00, 0x00, 0x00);
    rig_close(&c.rig);
}

/* The C library's calendar is another's work: it judges ours. */
static void calendar_agrees_with_the_c_library(void)
{
    uint64_t seed = 7;
    for (unsigned i = 0; i < 2000; i++) {
        time_t t = (time_t)(rig_random(&seed) % UINT64_C(253402300000));
        struct tm tm;
        CU_ASSERT_PTR_NOT_NULL_FATAL(gmtime_r(&t, &tm));
        struct rtc c;
        open_rtc(&c, (uint64_t)t);
        set(&c, 0x0B, 0x06); /* binary */
        CU_ASSERT_EQUAL(get(&c, 0x32) * 100 + get(&c, 9),
                        (unsigned)tm.tm_year + 1900);
        CU_ASSERT_EQUAL(get(&c, 8), (unsigned)tm.tm_mon + 1);
        CU_ASSERT_EQUAL(get(&c, 7), (unsigned)tm.tm_mday);
        CU_ASSERT_EQUAL(get(&c, 6), (unsigned)tm.tm_wday + 1);
        CU_ASSERT_EQUAL(get(&c, 4), (unsigned)tm.tm_hour);
        CU_ASSERT_EQUAL(get(&c, 2), (unsigned)tm.tm_min);
        CU_ASSERT_EQUAL(get(&c, 0), (unsigned)tm.tm_sec);
        rig_close(&c.rig);
    }
}

static void twelve_hour_format_has_noon_and_midnight(void)
{
    static const uint8_t bcd[24] = {
        0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11,
        0x92, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91,
    };
    struct rtc c;
    open_rtc(&c, 0);
    set(&c, 0x0B, 0x00);
    for (unsigned hour = 0; hour < 24; hour++) {
        CU_ASSERT_EQUAL(get(&c, 4), bcd[hour]);
        rig_pass(&c.rig, 3600 * NS_PER_SECOND);
    }
    /* And back: writing each gives that hour. */
    for (unsigned hour = 0; hour < 24; hour++) {
        set(&c, 4, bcd[hour]);
        set(&c, 0x0B, 0x02);
        CU_ASSERT_EQUAL(get(&c, 4), hour / 10 << 4 | hour % 10);
        set(&c, 0x0B, 0x00);
    }
    rig_close(&c.rig);
}

static void set_bit_freezes_the_registers(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    set(&c, 0x0B, 0x82);
    rig_pass(&c.rig, 5 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(get(&c, 0), 0x50);
    set(&c, 0x32, 0x19);
    set(&c, 9, 0x99);
    set(&c, 8, 0x12);
    set(&c, 7, 0x31);
    set(&c, 4, 0x23);
    set(&c, 2, 0x59);
    set(&c, 0, 0x59);
    set(&c, 6, 0x02);
    rig_pass(&c.rig, 5 * NS_PER_SECOND);
    expect(&c, 0x1999, 0x12, 0x31, 0x23, 0x59, 0x59);
    set(&c, 0x0B, 0x02);
    rig_pass(&c.rig, NS_PER_SECOND);
    expect(&c, 0x2000, 0x01, 0x01, 0x00, 0x00, 0x00);
    CU_ASSERT_EQUAL(get(&c, 6), 3); /* follows what the guest set */
    device_reset(c.dev);            /* a battery keeps it */
    expect(&c, 0x2000, 0x01, 0x01, 0x00, 0x00, 0x00);
    rig_close(&c.rig);
}

static void divider_reset_delays_the_first_update_by_half_a_second(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    rig_pass(&c.rig, 300000000);
    set(&c, 0x0A, 0x76);
    rig_pass(&c.rig, 3 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(get(&c, 0), 0x50);
    set(&c, 0x0A, 0x26);
    rig_pass(&c.rig, 499999999);
    CU_ASSERT_EQUAL(get(&c, 0), 0x50);
    rig_pass(&c.rig, 1);
    CU_ASSERT_EQUAL(get(&c, 0), 0x51);
    rig_close(&c.rig);
}

static void uip_precedes_every_update(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    CU_ASSERT_EQUAL(get(&c, 0x0A), 0x26);
    rig_pass(&c.rig, NS_PER_SECOND - 2228000 - 1);
    CU_ASSERT_EQUAL(get(&c, 0x0A), 0x26);
    rig_pass(&c.rig, 1);
    CU_ASSERT_EQUAL(get(&c, 0x0A), 0xA6);
    CU_ASSERT_EQUAL(get(&c, 0), 0x50);
    rig_pass(&c.rig, 2227999);
    CU_ASSERT_EQUAL(get(&c, 0x0A), 0xA6);
    rig_pass(&c.rig, 1);
    CU_ASSERT_EQUAL(get(&c, 0x0A), 0x26);
    CU_ASSERT_EQUAL(get(&c, 0), 0x51);
    set(&c, 0x0B, 0x82);
    rig_pass(&c.rig, NS_PER_SECOND - 1000000);
    CU_ASSERT_EQUAL(get(&c, 0x0A), 0x26); /* none while SET */
    rig_close(&c.rig);
}

static void update_interrupt_comes_with_the_second(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    (void)get(&c, 0x0C);
    set(&c, 0x0B, 0x12);
    rig_pass(&c.rig, NS_PER_SECOND - 1);
    CU_ASSERT_FALSE(c.rig.probe->level[IRQ]);
    rig_pass(&c.rig, 1);
    CU_ASSERT_TRUE(c.rig.probe->level[IRQ]);
    CU_ASSERT_EQUAL(get(&c, 0x0C) & 0xB0, 0x90);
    CU_ASSERT_FALSE(c.rig.probe->level[IRQ]);
    CU_ASSERT_EQUAL(get(&c, 0x0C), 0); /* cleared by reading */
    set(&c, 0x0B, 0x92);
    CU_ASSERT_EQUAL(get(&c, 0x0B), 0x82); /* SET clears UIE */
    rig_close(&c.rig);
}

static void periodic_interrupt_has_the_rate_that_was_chosen(void)
{
    static const unsigned hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};
    struct rtc c;
    open_rtc(&c, BASE_S);
    for (unsigned rate = 0; rate < 16; rate++) {
        set(&c, 0x0A, 0x20 | rate);
        (void)get(&c, 0x0C);
        set(&c, 0x0B, 0x42);
        uint64_t end = clock_now_ns(&c.rig.clock) + NS_PER_SECOND;
        unsigned rises = c.rig.probe->rises[IRQ];
        while (clock_deadline_ns(&c.rig.clock) <= end) {
            clock_skip_to(&c.rig.clock, clock_deadline_ns(&c.rig.clock));
            clock_run(&c.rig.clock);
            CU_ASSERT_EQUAL(get(&c, 0x0C) & 0xC0, 0xC0);
        }
        clock_skip_to(&c.rig.clock, end);
        CU_ASSERT_EQUAL(c.rig.probe->rises[IRQ] - rises, hz[rate]);
        set(&c, 0x0B, 0x02);
    }
    rig_close(&c.rig);
}

static void unanswered_interrupt_costs_one_timer(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    set(&c, 0x0A, 0x23);
    set(&c, 0x0B, 0x72);
    CU_ASSERT_TRUE(rig_pass(&c.rig, 10 * NS_PER_SECOND) <= 1);
    CU_ASSERT_TRUE(c.rig.probe->level[IRQ]);
    rig_close(&c.rig);
}

static void alarm_matches_time_and_wildcards(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S); /* 23:59:50 */
    set(&c, 5, 0x00);
    set(&c, 3, 0x01);
    set(&c, 1, 0x30);
    (void)get(&c, 0x0C);
    set(&c, 0x0B, 0x22);
    rig_pass(&c.rig, 100 * NS_PER_SECOND - 1);
    CU_ASSERT_FALSE(c.rig.probe->level[IRQ]);
    rig_pass(&c.rig, 1); /* 00:01:30 */
    CU_ASSERT_TRUE(c.rig.probe->level[IRQ]);
    CU_ASSERT_EQUAL(get(&c, 0x0C) & 0xA0, 0xA0);
    set(&c, 5, 0xFF);
    set(&c, 3, 0xC0);
    set(&c, 1, 0x15); /* every minute at 15 s */
    for (unsigned i = 0; i < 3; i++) {
        rig_pass(&c.rig, (i ? 60 : 45) * NS_PER_SECOND - 1);
        CU_ASSERT_FALSE(c.rig.probe->level[IRQ]);
        rig_pass(&c.rig, 1);
        CU_ASSERT_TRUE(c.rig.probe->level[IRQ]);
        (void)get(&c, 0x0C);
    }
    set(&c, 1, 0x77); /* never */
    rig_pass(&c.rig, 200000 * NS_PER_SECOND);
    CU_ASSERT_FALSE(c.rig.probe->level[IRQ]);
    rig_close(&c.rig);
}

static void flags_are_set_without_being_enabled(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    set(&c, 5, 0x23);
    set(&c, 3, 0x59);
    set(&c, 1, 0x55);
    (void)get(&c, 0x0C);
    rig_pass(&c.rig, 4 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(get(&c, 0x0C), 0x50);
    rig_pass(&c.rig, 3 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(get(&c, 0x0C), 0x70);
    CU_ASSERT_EQUAL(c.rig.probe->rises[IRQ], 0);
    set(&c, 0x0B, 0x42); /* a flag that is already up interrupts at once */
    rig_pass(&c.rig, NS_PER_SECOND);
    set(&c, 0x0B, 0x02);
    CU_ASSERT_FALSE(c.rig.probe->level[IRQ]);
    set(&c, 0x0B, 0x42);
    CU_ASSERT_TRUE(c.rig.probe->level[IRQ]);
    rig_close(&c.rig);
}

static void cmos_bytes_survive_a_reset(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    mc146818_set_cmos(c.dev, 0x34, 0xAB);
    mc146818_set_cmos(c.dev, 0x7F, 0xCD);
    mc146818_set_cmos(c.dev, 0x0B, 0xFF);  /* not RAM: ignored */
    mc146818_set_cmos(c.dev, 0x32, 0xFF);  /* nor is the century */
    mc146818_set_cmos(c.dev, 0x134, 0xFF); /* nor what is not there */
    set(&c, 0x0F, 0x05);
    set(&c, 0x0B, 0x7A);
    device_reset(c.dev);
    CU_ASSERT_EQUAL(get(&c, 0x34), 0xAB);
    CU_ASSERT_EQUAL(get(&c, 0x7F), 0xCD);
    CU_ASSERT_EQUAL(get(&c, 0x0F), 0x05);
    CU_ASSERT_EQUAL(get(&c, 0x0B), 0x02); /* enables are off */
    CU_ASSERT_EQUAL(mc146818_get_cmos(c.dev, 0x32), 0x20);
    CU_ASSERT_EQUAL(mc146818_get_cmos(c.dev, 0x7F), 0xCD);
    rig_close(&c.rig);
}

static void index_bit_7_masks_nmi(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    CU_ASSERT_FALSE(mc146818_nmi_masked(c.dev));
    CU_ASSERT_EQUAL(get(&c, 0x80 | 8), 0x02);
    CU_ASSERT_TRUE(mc146818_nmi_masked(c.dev));
    CU_ASSERT_EQUAL(rig_in(&c.rig, 0x70), 0xFF);
    rig_close(&c.rig);
}

static void storm(void)
{
    struct rtc c;
    open_rtc(&c, BASE_S);
    rig_storm(&c.rig, 200000, 4);
    /* Data port only, so that every register gets its share. */
    uint64_t seed = 5;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t n = rig_random(&seed);
        if (n & 1)
            set(&c, n >> 1 & 0x3F, n >> 8 & 0xFF);
        else
            (void)get(&c, n >> 1 & 0x7F);
        clock_skip_to(&c.rig.clock, clock_now_ns(&c.rig.clock) +
                                        (n >> 16) % (NS_PER_SECOND / 4));
        clock_run(&c.rig.clock);
    }
    rig_close(&c.rig);
}

static const struct test tests[] = {
    {"time_follows_the_clock_in_bcd", time_follows_the_clock_in_bcd},
    {"calendar_agrees_with_the_c_library", calendar_agrees_with_the_c_library},
    {"twelve_hour_format_has_noon_and_midnight",
     twelve_hour_format_has_noon_and_midnight},
    {"set_bit_freezes_the_registers", set_bit_freezes_the_registers},
    {"divider_reset_delays_the_first_update_by_half_a_second",
     divider_reset_delays_the_first_update_by_half_a_second},
    {"uip_precedes_every_update", uip_precedes_every_update},
    {"update_interrupt_comes_with_the_second",
     update_interrupt_comes_with_the_second},
    {"periodic_interrupt_has_the_rate_that_was_chosen",
     periodic_interrupt_has_the_rate_that_was_chosen},
    {"unanswered_interrupt_costs_one_timer",
     unanswered_interrupt_costs_one_timer},
    {"alarm_matches_time_and_wildcards", alarm_matches_time_and_wildcards},
    {"flags_are_set_without_being_enabled",
     flags_are_set_without_being_enabled},
    {"cmos_bytes_survive_a_reset", cmos_bytes_survive_a_reset},
    {"index_bit_7_masks_nmi", index_bit_7_masks_nmi},
    {"storm", storm},
    {NULL, NULL},
};

TEST_MAIN("mc146818", tests)
