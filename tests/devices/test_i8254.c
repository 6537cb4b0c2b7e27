/*
 * The interval timer: what OUT does and what a counter reads as in each mode
 * (8254 data sheet, "Mode definitions"), and interrupts on the wire.
 */
#include "devices/i8254.h"
#include "tests/devices/rig.h"

#define IRQ 0

struct pit {
    struct rig rig;
    struct device *dev;
};

static void open_pit(struct pit *p)
{
    rig_open(&p->rig);
    p->dev = rig_add(&p->rig, &i8254_class, NULL);
    rig_start(&p->rig);
    rig_map(&p->rig, p->dev, I8254_BANK, 0x40, 4);
}

/* Moves to the first nanosecond of the tick `n` ticks after this one. */
static void ticks(struct pit *p, uint64_t n)
{
    uint64_t to = clock_ticks(&p->rig.clock, I8254_HZ) + n;
    uint64_t now = clock_now_ns(&p->rig.clock);
    uint64_t ns = clock_ticks_to_ns(to, I8254_HZ);
    rig_pass(&p->rig, ns > now ? ns - now : 0);
}

static void program(struct pit *p, unsigned channel, unsigned mode,
                    unsigned count)
{
    rig_out(&p->rig, 0x43, channel << 6 | 0x30 | mode << 1);
    rig_out(&p->rig, 0x40 + channel, count & 0xFF);
    rig_out(&p->rig, 0x40 + channel, count >> 8 & 0xFF);
}

static unsigned read_count(struct pit *p, unsigned channel)
{
    rig_out(&p->rig, 0x43, channel << 6);
    unsigned low = rig_in(&p->rig, 0x40 + channel);
    return low | (unsigned)rig_in(&p->rig, 0x40 + channel) << 8;
}

static unsigned status(struct pit *p, unsigned channel)
{
    rig_out(&p->rig, 0x43, 0xE0 | 2u << channel);
    return rig_in(&p->rig, 0x40 + channel);
}

static bool out(struct pit *p, unsigned channel)
{
    return i8254_out(p->dev, channel);
}

static void mode_0_rises_one_tick_after_its_count(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 0, 0, 5);
    unsigned rises = p.rig.probe->rises[IRQ];
    CU_ASSERT_FALSE(p.rig.probe->level[IRQ]);
    ticks(&p, 5);
    CU_ASSERT_FALSE(out(&p, 0));
    CU_ASSERT_FALSE(p.rig.probe->level[IRQ]);
    ticks(&p, 1);
    CU_ASSERT_TRUE(out(&p, 0));
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1);
    /* It counts on, through 0xFFFF, and OUT stays. */
    ticks(&p, 2);
    CU_ASSERT_EQUAL(read_count(&p, 0), 0xFFFE);
    ticks(&p, 200000);
    CU_ASSERT_TRUE(out(&p, 0));
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1);
    rig_close(&p.rig);
}

static void mode_0_first_byte_stops_it(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 0, 0, 100);
    ticks(&p, 50);
    rig_out(&p.rig, 0x40, 10);
    ticks(&p, 500);
    CU_ASSERT_FALSE(out(&p, 0));
    rig_out(&p.rig, 0x40, 0);
    ticks(&p, 11);
    CU_ASSERT_TRUE(out(&p, 0));
    rig_close(&p.rig);
}

static void mode_0_gate_holds_the_count(void)
{
    struct pit p;
    open_pit(&p);
    i8254_set_gate(p.dev, 2, true);
    program(&p, 2, 0, 100);
    ticks(&p, 11);
    CU_ASSERT_EQUAL(read_count(&p, 2), 90);
    i8254_set_gate(p.dev, 2, false);
    ticks(&p, 1000);
    CU_ASSERT_EQUAL(read_count(&p, 2), 90);
    CU_ASSERT_FALSE(out(&p, 2));
    i8254_set_gate(p.dev, 2, true);
    ticks(&p, 90);
    CU_ASSERT_TRUE(out(&p, 2));
    rig_close(&p.rig);
}

static void mode_1_is_a_retriggerable_one_shot(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 2, 1, 10);
    CU_ASSERT_TRUE(out(&p, 2));
    ticks(&p, 100);
    CU_ASSERT_TRUE(out(&p, 2)); /* nothing without a trigger */
    i8254_set_gate(p.dev, 2, true);
    ticks(&p, 1);
    CU_ASSERT_FALSE(out(&p, 2));
    ticks(&p, 8);
    i8254_set_gate(p.dev, 2, false); /* the level does not matter */
    i8254_set_gate(p.dev, 2, true);
    ticks(&p, 10);
    CU_ASSERT_FALSE(out(&p, 2));
    ticks(&p, 1);
    CU_ASSERT_TRUE(out(&p, 2));
    rig_close(&p.rig);
}

static void mode_2_interrupts_once_a_period(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 0, 2, 11932); /* 100 Hz */
    unsigned rises = p.rig.probe->rises[IRQ];
    rig_pass(&p.rig, NS_PER_SECOND);
    unsigned n = p.rig.probe->rises[IRQ] - rises;
    CU_ASSERT_TRUE(n == 99 || n == 100);
    rig_close(&p.rig);
}

static void mode_2_counts_from_n_to_1(void)
{
    struct pit p;
    open_pit(&p);
    i8254_set_gate(p.dev, 2, true);
    program(&p, 2, 2, 3);
    ticks(&p, 1);
    unsigned seen[7];
    bool level[7];
    for (unsigned i = 0; i < 7; i++) {
        seen[i] = read_count(&p, 2);
        level[i] = out(&p, 2);
        ticks(&p, 1);
    }
    static const unsigned expected[7] = {3, 2, 1, 3, 2, 1, 3};
    CU_ASSERT_EQUAL(memcmp(seen, expected, sizeof(seen)), 0);
    for (unsigned i = 0; i < 7; i++)
        CU_ASSERT_EQUAL(level[i], expected[i] != 1);
    rig_close(&p.rig);
}

static void mode_2_new_count_waits_for_the_end_of_the_period(void)
{
    struct pit p;
    open_pit(&p);
    i8254_set_gate(p.dev, 2, true);
    program(&p, 2, 2, 100);
    ticks(&p, 1 + 30);
    rig_out(&p.rig, 0x42, 20);
    rig_out(&p.rig, 0x42, 0);
    CU_ASSERT_EQUAL(read_count(&p, 2), 70);
    CU_ASSERT_EQUAL(status(&p, 2) & 0x40, 0x40); /* null count */
    ticks(&p, 69);
    CU_ASSERT_EQUAL(read_count(&p, 2), 1);
    ticks(&p, 1);
    CU_ASSERT_EQUAL(read_count(&p, 2), 20);
    CU_ASSERT_EQUAL(status(&p, 2) & 0x40, 0);
    ticks(&p, 20);
    CU_ASSERT_EQUAL(read_count(&p, 2), 20);
    rig_close(&p.rig);
}

static void mode_2_gate_reloads(void)
{
    struct pit p;
    open_pit(&p);
    i8254_set_gate(p.dev, 2, true);
    program(&p, 2, 2, 100);
    ticks(&p, 100); /* count 1: OUT is low */
    CU_ASSERT_FALSE(out(&p, 2));
    i8254_set_gate(p.dev, 2, false);
    CU_ASSERT_TRUE(out(&p, 2));
    ticks(&p, 500);
    CU_ASSERT_EQUAL(read_count(&p, 2), 1);
    i8254_set_gate(p.dev, 2, true);
    ticks(&p, 1);
    CU_ASSERT_EQUAL(read_count(&p, 2), 100);
    rig_close(&p.rig);
}

static void mode_3_halves_an_odd_count_unevenly(void)
{
    struct pit p;
    open_pit(&p);
    i8254_set_gate(p.dev, 2, true);
    program(&p, 2, 3, 5);
    ticks(&p, 1);
    unsigned seen[10];
    bool level[10];
    for (unsigned i = 0; i < 10; i++) {
        seen[i] = read_count(&p, 2);
        level[i] = out(&p, 2);
        ticks(&p, 1);
    }
    static const unsigned expected[10] = {4, 2, 0, 4, 2, 4, 2, 0, 4, 2};
    static const bool high[10] = {1, 1, 1, 0, 0, 1, 1, 1, 0, 0};
    CU_ASSERT_EQUAL(memcmp(seen, expected, sizeof(seen)), 0);
    CU_ASSERT_EQUAL(memcmp(level, high, sizeof(level)), 0);
    rig_close(&p.rig);
}

static void mode_3_new_count_waits_for_the_end_of_the_half(void)
{
    struct pit p;
    open_pit(&p);
    i8254_set_gate(p.dev, 2, true);
    program(&p, 2, 3, 100);
    ticks(&p, 1 + 10);
    rig_out(&p.rig, 0x42, 20);
    rig_out(&p.rig, 0x42, 0);
    ticks(&p, 39);
    CU_ASSERT_TRUE(out(&p, 2)); /* the old high half, 50 ticks */
    ticks(&p, 1);
    for (unsigned i = 0; i < 10; i++) { /* the new low half */
        CU_ASSERT_FALSE(out(&p, 2));
        ticks(&p, 1);
    }
    CU_ASSERT_TRUE(out(&p, 2));
    rig_close(&p.rig);
}

static void mode_3_interrupts_stay_requested_when_the_host_is_late(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 0, 3, 1000);
    unsigned rises = p.rig.probe->rises[IRQ];
    /* Late by a period and a half: OUT is low by then. */
    clock_skip_to(&p.rig.clock, clock_now_ns(&p.rig.clock) +
                                    clock_ticks_to_ns(2600, I8254_HZ));
    clock_run(&p.rig.clock);
    CU_ASSERT_FALSE(out(&p, 0));
    CU_ASSERT_TRUE(p.rig.probe->level[IRQ]);
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1); /* two are one */
    rig_close(&p.rig);
}

static void mode_4_strobes_for_one_tick(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 0, 4, 6);
    unsigned rises = p.rig.probe->rises[IRQ];
    ticks(&p, 6);
    CU_ASSERT_TRUE(out(&p, 0));
    ticks(&p, 1);
    CU_ASSERT_FALSE(out(&p, 0));
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises);
    ticks(&p, 1);
    CU_ASSERT_TRUE(out(&p, 0));
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1);
    ticks(&p, 300000);
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1);
    rig_close(&p.rig);
}

static void mode_5_strobes_after_a_trigger(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 2, 5, 6);
    ticks(&p, 50);
    CU_ASSERT_TRUE(out(&p, 2));
    i8254_set_gate(p.dev, 2, true);
    ticks(&p, 7);
    CU_ASSERT_FALSE(out(&p, 2));
    ticks(&p, 1);
    CU_ASSERT_TRUE(out(&p, 2));
    rig_close(&p.rig);
}

static void bcd_counts_in_tens(void)
{
    struct pit p;
    open_pit(&p);
    rig_out(&p.rig, 0x43, 0x71); /* channel 1, both bytes, mode 0, BCD */
    rig_out(&p.rig, 0x41, 0x00);
    rig_out(&p.rig, 0x41, 0x10); /* 1000 */
    ticks(&p, 2);
    CU_ASSERT_EQUAL(read_count(&p, 1), 0x0999);
    ticks(&p, 1000);
    CU_ASSERT_EQUAL(read_count(&p, 1), 0x9999);
    rig_close(&p.rig);
}

static void zero_is_the_largest_count(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 0, 2, 0);
    unsigned rises = p.rig.probe->rises[IRQ];
    ticks(&p, 0x10000);
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises);
    ticks(&p, 1);
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1);
    CU_ASSERT_EQUAL(read_count(&p, 0), 0);
    rig_close(&p.rig);
}

static void latch_holds_until_it_is_read(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 1, 2, 0x8000);
    ticks(&p, 1 + 0x100);
    rig_out(&p.rig, 0x43, 0x40);
    ticks(&p, 0x100);
    rig_out(&p.rig, 0x43, 0x40); /* ignored: the first is still unread */
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x00);
    ticks(&p, 0x100);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x7F);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x00); /* live again: 0x7D00 */
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x7D);
    rig_close(&p.rig);
}

static void read_back_latches_status_before_count(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 1, 2, 0x1234);
    ticks(&p, 1);
    rig_out(&p.rig, 0x43, 0xC4); /* both, counter 1 */
    ticks(&p, 100);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0xB4); /* OUT, both bytes, mode 2 */
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x34);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x12);
    rig_out(&p.rig, 0x43, 0x50); /* LSB only, mode 0, no count yet */
    CU_ASSERT_EQUAL(status(&p, 1), 0x50);
    rig_out(&p.rig, 0x41, 9);
    ticks(&p, 1);
    CU_ASSERT_EQUAL(status(&p, 1), 0x10);
    rig_close(&p.rig);
}

static void single_byte_access_reads_and_writes_one_half(void)
{
    struct pit p;
    open_pit(&p);
    rig_out(&p.rig, 0x43, 0x60); /* MSB only, mode 0 */
    rig_out(&p.rig, 0x41, 0x02);
    ticks(&p, 1);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x02);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x02);
    ticks(&p, 1);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x41), 0x01);
    rig_close(&p.rig);
}

static void tiny_periods_do_not_flood_the_host(void)
{
    static const unsigned modes[] = {0, 2, 3, 4};
    for (unsigned m = 0; m < 4; m++) {
        for (unsigned count = 1; count < 16; count++) {
            struct pit p;
            open_pit(&p);
            program(&p, 0, modes[m], count);
            unsigned ran = rig_pass(&p.rig, NS_PER_SECOND / 100);
            CU_ASSERT_TRUE(ran <= 1100); /* no closer than 10 us, about */
            if (modes[m] == 2 && count > 1)
                CU_ASSERT_TRUE(ran >= 500);
            rig_close(&p.rig);
        }
    }
}

static void overdue_edge_is_delivered_before_a_new_program(void)
{
    struct pit p;
    open_pit(&p);
    program(&p, 0, 0, 100);
    unsigned rises = p.rig.probe->rises[IRQ];
    clock_skip_to(&p.rig.clock, clock_now_ns(&p.rig.clock) +
                                    clock_ticks_to_ns(200, I8254_HZ));
    program(&p, 0, 0, 100);
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1);
    CU_ASSERT_FALSE(p.rig.probe->level[IRQ]);
    rig_close(&p.rig);
}

/* OUT 0 as it is computed and the wire as the timer drives it are two ways to
 * the same edges: count both over random programs. */
static void wire_and_out_agree_on_random_programs(void)
{
    uint64_t seed = 3;
    static const unsigned modes[] = {0, 2, 3, 4};
    for (unsigned i = 0; i < 200; i++) {
        struct pit p;
        open_pit(&p);
        unsigned mode = modes[rig_random(&seed) % 4];
        program(&p, 0, mode, 13 + (unsigned)(rig_random(&seed) % 60));
        unsigned wire = p.rig.probe->rises[IRQ], pin = 0;
        bool last = out(&p, 0);
        for (unsigned t = 0; t < 600; t++) {
            if (rig_random(&seed) % 128 == 0) {
                unsigned count = 13 + (unsigned)(rig_random(&seed) % 60);
                rig_out(&p.rig, 0x40, count);
                rig_out(&p.rig, 0x40, 0);
                last = last && out(&p, 0); /* a fall caused by the write */
            }
            ticks(&p, 1);
            bool level = out(&p, 0);
            pin += level && !last;
            last = level;
        }
        CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ] - wire, pin);
        rig_close(&p.rig);
    }
}

static void storm(void)
{
    struct pit p;
    open_pit(&p);
    rig_storm(&p.rig, 200000, 2);
    program(&p, 0, 2, 1000);
    unsigned rises = p.rig.probe->rises[IRQ];
    ticks(&p, 1001);
    CU_ASSERT_EQUAL(p.rig.probe->rises[IRQ], rises + 1);
    rig_close(&p.rig);
}

static const struct test tests[] = {
    {"mode_0_rises_one_tick_after_its_count",
     mode_0_rises_one_tick_after_its_count},
    {"mode_0_first_byte_stops_it", mode_0_first_byte_stops_it},
    {"mode_0_gate_holds_the_count", mode_0_gate_holds_the_count},
    {"mode_1_is_a_retriggerable_one_shot", mode_1_is_a_retriggerable_one_shot},
    {"mode_2_interrupts_once_a_period", mode_2_interrupts_once_a_period},
    {"mode_2_counts_from_n_to_1", mode_2_counts_from_n_to_1},
    {"mode_2_new_count_waits_for_the_end_of_the_period",
     mode_2_new_count_waits_for_the_end_of_the_period},
    {"mode_2_gate_reloads", mode_2_gate_reloads},
    {"mode_3_halves_an_odd_count_unevenly",
     mode_3_halves_an_odd_count_unevenly},
    {"mode_3_new_count_waits_for_the_end_of_the_half",
     mode_3_new_count_waits_for_the_end_of_the_half},
    {"mode_3_interrupts_stay_requested_when_the_host_is_late",
     mode_3_interrupts_stay_requested_when_the_host_is_late},
    {"mode_4_strobes_for_one_tick", mode_4_strobes_for_one_tick},
    {"mode_5_strobes_after_a_trigger", mode_5_strobes_after_a_trigger},
    {"bcd_counts_in_tens", bcd_counts_in_tens},
    {"zero_is_the_largest_count", zero_is_the_largest_count},
    {"latch_holds_until_it_is_read", latch_holds_until_it_is_read},
    {"read_back_latches_status_before_count",
     read_back_latches_status_before_count},
    {"single_byte_access_reads_and_writes_one_half",
     single_byte_access_reads_and_writes_one_half},
    {"tiny_periods_do_not_flood_the_host", tiny_periods_do_not_flood_the_host},
    {"overdue_edge_is_delivered_before_a_new_program",
     overdue_edge_is_delivered_before_a_new_program},
    {"wire_and_out_agree_on_random_programs",
     wire_and_out_agree_on_random_programs},
    {"storm", storm},
    {NULL, NULL},
};

TEST_MAIN("i8254", tests)
