/*
 * The interrupt controllers: priorities, end of interrupt, cascade, spurious
 * requests, polling, edge and level, from the 8259A's data sheet.
 */
#include "devices/i8259.h"
#include "tests/devices/rig.h"

static const struct i8259_config master_config = {false, 0xF8};
static const struct i8259_config slave_config = {true, 0xDE};
static const struct i8259_config bare_config = {false, 0};

struct pics {
    struct rig rig;
    struct device *master, *slave;
};

static void open_pics(struct pics *p)
{
    rig_open(&p->rig);
    p->master = rig_add(&p->rig, &i8259_class, &master_config);
    p->slave = rig_add(&p->rig, &i8259_class, &slave_config);
    device_wire(p->slave, I8259_OUT_INT, p->master, I8259_CASCADE);
    rig_start(&p->rig);
    rig_map(&p->rig, p->master, I8259_BANK_COMMAND, 0x20, 2);
    rig_map(&p->rig, p->slave, I8259_BANK_COMMAND, 0xA0, 2);
    rig_map(&p->rig, p->master, I8259_BANK_ELCR, 0x4D0, 1);
    rig_map(&p->rig, p->slave, I8259_BANK_ELCR, 0x4D1, 1);
}

static void init_pics(struct pics *p, unsigned icw4)
{
    static const unsigned bases[2] = {0x20, 0xA0};
    for (unsigned i = 0; i < 2; i++) {
        rig_out(&p->rig, bases[i], 0x11);
        rig_out(&p->rig, bases[i] + 1, i ? 0x70 : 0x08);
        rig_out(&p->rig, bases[i] + 1, i ? 0x02 : 0x04);
        rig_out(&p->rig, bases[i] + 1, icw4);
    }
}

static void start(struct pics *p)
{
    open_pics(p);
    init_pics(p, 0x01);
}

static void line(struct pics *p, unsigned irq, bool level)
{
    struct device *pic = irq < 8 ? p->master : p->slave;
    pic->class->line(pic, irq & 7, level);
}

static void pulse_down(struct pics *p, unsigned irq)
{
    line(p, irq, false);
    line(p, irq, true);
}

static bool intr(const struct pics *p)
{
    return p->rig.probe->level[0];
}

static int ack(struct pics *p)
{
    return i8259_acknowledge(p->master, p->slave);
}

static unsigned isr(struct pics *p, unsigned base)
{
    rig_out(&p->rig, base, 0x0B);
    return rig_in(&p->rig, base);
}

static unsigned irr(struct pics *p, unsigned base)
{
    rig_out(&p->rig, base, 0x0A);
    return rig_in(&p->rig, base);
}

static void nothing_is_delivered_before_initialisation(void)
{
    struct pics p;
    open_pics(&p);
    line(&p, 0, true);
    CU_ASSERT_FALSE(intr(&p));
    rig_out(&p.rig, 0x20, 0x11);
    rig_out(&p.rig, 0x21, 0x08);
    line(&p, 1, true);
    CU_ASSERT_FALSE(intr(&p));
    rig_out(&p.rig, 0x21, 0x04);
    rig_out(&p.rig, 0x21, 0x01);
    CU_ASSERT_TRUE(intr(&p));
    /* IR0's edge came before ICW1, which clears the edge sense circuit. */
    CU_ASSERT_EQUAL(ack(&p), 0x09);
    rig_close(&p.rig);
}

static void icw3_and_icw4_are_skipped_when_icw1_says_so(void)
{
    struct pics p;
    open_pics(&p);
    rig_out(&p.rig, 0x20, 0x12); /* single, no ICW4 */
    rig_out(&p.rig, 0x21, 0x4B); /* low three bits are not kept */
    rig_out(&p.rig, 0x21, 0x55); /* OCW1 already */
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x21), 0x55);
    line(&p, 3, true);
    CU_ASSERT_EQUAL(ack(&p), 0x4B);
    rig_close(&p.rig);
}

static void mask_reads_back_and_holds_requests(void)
{
    struct pics p;
    start(&p);
    rig_out(&p.rig, 0x21, 0xFB);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x21), 0xFB);
    line(&p, 4, true);
    CU_ASSERT_FALSE(intr(&p));
    CU_ASSERT_EQUAL(irr(&p, 0x20), 0x10);
    rig_out(&p.rig, 0x21, 0xEB);
    CU_ASSERT_TRUE(intr(&p));
    CU_ASSERT_EQUAL(ack(&p), 0x0C);
    CU_ASSERT_EQUAL(irr(&p, 0x20), 0);
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x10);
    rig_close(&p.rig);
}

static void lower_number_wins_and_nests(void)
{
    struct pics p;
    start(&p);
    line(&p, 5, true);
    line(&p, 3, true);
    CU_ASSERT_EQUAL(ack(&p), 0x0B);
    CU_ASSERT_FALSE(intr(&p)); /* 5 waits for the end of 3 */
    line(&p, 1, true);
    CU_ASSERT_EQUAL(ack(&p), 0x09);
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x0A);
    rig_out(&p.rig, 0x20, 0x20); /* non-specific: ends 1 */
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x08);
    rig_out(&p.rig, 0x20, 0x63); /* specific: ends 3 */
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x00);
    CU_ASSERT_EQUAL(ack(&p), 0x0D);
    rig_close(&p.rig);
}

static void slave_interrupts_through_ir2(void)
{
    struct pics p;
    start(&p);
    line(&p, 14, true);
    CU_ASSERT_TRUE(intr(&p));
    CU_ASSERT_EQUAL(irr(&p, 0x20), 0x04);
    CU_ASSERT_EQUAL(ack(&p), 0x76);
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x04);
    CU_ASSERT_EQUAL(isr(&p, 0xA0), 0x40);
    line(&p, 8, true); /* higher, but the master has IR2 in service */
    CU_ASSERT_FALSE(intr(&p));
    rig_out(&p.rig, 0xA0, 0x20);
    rig_out(&p.rig, 0x20, 0x20);
    CU_ASSERT_EQUAL(ack(&p), 0x70);
    rig_close(&p.rig);
}

static void two_slave_requests_at_once_are_both_delivered(void)
{
    struct pics p;
    start(&p);
    line(&p, 12, true);
    line(&p, 9, true);
    CU_ASSERT_EQUAL(ack(&p), 0x71);
    rig_out(&p.rig, 0xA0, 0x20);
    rig_out(&p.rig, 0x20, 0x20);
    CU_ASSERT_TRUE(intr(&p));
    CU_ASSERT_EQUAL(ack(&p), 0x74);
    rig_close(&p.rig);
}

static void special_fully_nested_lets_the_slave_interrupt_itself(void)
{
    struct pics p;
    open_pics(&p);
    init_pics(&p, 0x11);
    line(&p, 14, true);
    CU_ASSERT_EQUAL(ack(&p), 0x76);
    line(&p, 3, true); /* lower than IR2: still waits */
    CU_ASSERT_FALSE(intr(&p));
    line(&p, 8, true);
    CU_ASSERT_TRUE(intr(&p));
    CU_ASSERT_EQUAL(ack(&p), 0x70);
    rig_close(&p.rig);
}

static void withdrawn_request_is_spurious_7(void)
{
    struct pics p;
    start(&p);
    line(&p, 4, true);
    CU_ASSERT_TRUE(intr(&p));
    line(&p, 4, false);
    CU_ASSERT_FALSE(intr(&p));
    CU_ASSERT_EQUAL(ack(&p), 0x0F);
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0); /* that is how a handler tells */
    rig_close(&p.rig);
}

static void withdrawn_slave_request_is_spurious_15(void)
{
    struct pics p;
    start(&p);
    /* The race, frozen: with the wire cut, the master still has the request
     * that the slave no longer makes. */
    line(&p, 11, true);
    device_wire(p.slave, I8259_OUT_INT, p.rig.probe_device, 5);
    rig_out(&p.rig, 0xA1, 0xFF);
    CU_ASSERT_EQUAL(ack(&p), 0x77);
    CU_ASSERT_EQUAL(isr(&p, 0xA0), 0);
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x04); /* the master needs its EOI */
    rig_close(&p.rig);
}

static void edge_mode_takes_one_request_an_edge(void)
{
    struct pics p;
    start(&p);
    line(&p, 0, true);
    CU_ASSERT_EQUAL(ack(&p), 0x08);
    rig_out(&p.rig, 0x20, 0x20);
    line(&p, 0, true);
    CU_ASSERT_FALSE(intr(&p));
    pulse_down(&p, 0);
    CU_ASSERT_TRUE(intr(&p));
    rig_close(&p.rig);
}

static void level_mode_asks_again_while_the_line_is_up(void)
{
    struct pics p;
    start(&p);
    rig_out(&p.rig, 0x4D1, 0xFF);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x4D1), 0xDE); /* 8 and 13 are edge */
    rig_out(&p.rig, 0x4D0, 0xFF);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x4D0), 0xF8); /* 0, 1, 2 are edge */
    line(&p, 11, true);
    CU_ASSERT_EQUAL(ack(&p), 0x73);
    rig_out(&p.rig, 0xA0, 0x20);
    rig_out(&p.rig, 0x20, 0x20);
    CU_ASSERT_EQUAL(ack(&p), 0x73);
    line(&p, 11, false);
    rig_out(&p.rig, 0xA0, 0x20);
    rig_out(&p.rig, 0x20, 0x20);
    CU_ASSERT_FALSE(intr(&p));
    rig_close(&p.rig);
}

static void ltim_counts_only_without_elcr(void)
{
    struct rig r;
    rig_open(&r);
    struct device *pic = rig_add(&r, &i8259_class, &bare_config);
    rig_start(&r);
    rig_map(&r, pic, I8259_BANK_COMMAND, 0x20, 2);
    rig_out(&r, 0x20, 0x1A); /* LTIM, single */
    rig_out(&r, 0x21, 0x40);
    pic->class->line(pic, 6, true);
    CU_ASSERT_EQUAL(i8259_acknowledge(pic, NULL), 0x46);
    rig_out(&r, 0x20, 0x20);
    CU_ASSERT_TRUE(i8259_pending(pic));
    rig_close(&r);

    struct pics p;
    open_pics(&p);
    rig_out(&p.rig, 0x20, 0x1A);
    rig_out(&p.rig, 0x21, 0x40);
    line(&p, 6, true);
    CU_ASSERT_EQUAL(ack(&p), 0x46);
    rig_out(&p.rig, 0x20, 0x20);
    CU_ASSERT_FALSE(intr(&p));
    rig_close(&p.rig);
}

static void automatic_eoi_leaves_nothing_in_service(void)
{
    struct pics p;
    open_pics(&p);
    init_pics(&p, 0x03);
    line(&p, 1, true);
    line(&p, 6, true);
    CU_ASSERT_EQUAL(ack(&p), 0x09);
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0);
    CU_ASSERT_EQUAL(ack(&p), 0x0E);
    rig_close(&p.rig);
}

static void rotation_puts_the_served_level_last(void)
{
    struct pics p;
    start(&p);
    line(&p, 3, true);
    CU_ASSERT_EQUAL(ack(&p), 0x0B);
    rig_out(&p.rig, 0x20, 0xA0); /* rotate on non-specific EOI */
    pulse_down(&p, 3);
    line(&p, 7, true);
    CU_ASSERT_EQUAL(ack(&p), 0x0F); /* 4 to 7 come before 0 to 3 now */
    rig_out(&p.rig, 0x20, 0xE7);    /* rotate on specific EOI of 7 */
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0);
    line(&p, 0, true);
    CU_ASSERT_EQUAL(ack(&p), 0x08);
    rig_out(&p.rig, 0x20, 0x20);
    rig_out(&p.rig, 0x20, 0xC2); /* set priority: 2 is last, 3 is first */
    pulse_down(&p, 0);
    CU_ASSERT_EQUAL(ack(&p), 0x0B);
    rig_close(&p.rig);
}

static void rotation_in_automatic_eoi(void)
{
    struct pics p;
    open_pics(&p);
    init_pics(&p, 0x03);
    rig_out(&p.rig, 0x20, 0x80);
    line(&p, 1, true);
    CU_ASSERT_EQUAL(ack(&p), 0x09);
    pulse_down(&p, 1);
    line(&p, 4, true);
    CU_ASSERT_EQUAL(ack(&p), 0x0C);
    rig_out(&p.rig, 0x20, 0x00); /* off again: 5 stays first */
    line(&p, 6, true);
    pulse_down(&p, 4);
    CU_ASSERT_EQUAL(ack(&p), 0x0E);
    pulse_down(&p, 6);
    CU_ASSERT_EQUAL(ack(&p), 0x0E);
    rig_close(&p.rig);
}

static void special_mask_lets_lower_levels_in(void)
{
    struct pics p;
    start(&p);
    line(&p, 1, true);
    CU_ASSERT_EQUAL(ack(&p), 0x09);
    line(&p, 5, true);
    CU_ASSERT_FALSE(intr(&p));
    rig_out(&p.rig, 0x21, 0x02); /* mask the level in service */
    CU_ASSERT_FALSE(intr(&p));
    rig_out(&p.rig, 0x20, 0x68); /* ESMM, SMM */
    CU_ASSERT_TRUE(intr(&p));
    CU_ASSERT_EQUAL(ack(&p), 0x0D);
    rig_out(&p.rig, 0x20, 0x20); /* does not end the masked level */
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x02);
    rig_out(&p.rig, 0x20, 0x48);
    pulse_down(&p, 5);
    CU_ASSERT_FALSE(intr(&p));
    rig_close(&p.rig);
}

static void poll_acknowledges_by_reading(void)
{
    struct pics p;
    start(&p);
    rig_out(&p.rig, 0x20, 0x0C);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x20), 0x00);
    line(&p, 6, true);
    rig_out(&p.rig, 0x20, 0x0C);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x20), 0x86);
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0x40);
    CU_ASSERT_FALSE(intr(&p));
    rig_close(&p.rig);
}

static void initialisation_clears_mask_and_service(void)
{
    struct pics p;
    start(&p);
    rig_out(&p.rig, 0x21, 0x80);
    line(&p, 2, true);
    line(&p, 4, true);
    (void)ack(&p);
    CU_ASSERT_NOT_EQUAL(isr(&p, 0x20), 0);
    init_pics(&p, 0x01);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x21), 0);
    CU_ASSERT_EQUAL(rig_in(&p.rig, 0x20), 0); /* reads IRR again */
    CU_ASSERT_EQUAL(isr(&p, 0x20), 0);
    CU_ASSERT_FALSE(intr(&p));
    rig_close(&p.rig);
}

static void config_is_required(void)
{
    struct rig r;
    rig_open(&r);
    CU_ASSERT_NOT_EQUAL(device_init(rig_add(&r, &i8259_class, NULL)), 0);
    rig_close(&r);
}

static void storm(void)
{
    struct pics p;
    open_pics(&p);
    uint64_t seed = 1;
    for (unsigned i = 0; i < 20; i++) {
        rig_storm(&p.rig, 10000, rig_random(&seed));
        int vector = ack(&p);
        CU_ASSERT_TRUE(vector >= 0 && vector <= 255);
        init_pics(&p, 0x01);
        for (unsigned irq = 0; irq < 16; irq++)
            line(&p, irq, false);
        CU_ASSERT_FALSE(intr(&p));
        line(&p, 13, true);
        CU_ASSERT_EQUAL(ack(&p), 0x75);
    }
    rig_close(&p.rig);
}

static const struct test tests[] = {
    {"nothing_is_delivered_before_initialisation",
     nothing_is_delivered_before_initialisation},
    {"icw3_and_icw4_are_skipped_when_icw1_says_so",
     icw3_and_icw4_are_skipped_when_icw1_says_so},
    {"mask_reads_back_and_holds_requests", mask_reads_back_and_holds_requests},
    {"lower_number_wins_and_nests", lower_number_wins_and_nests},
    {"slave_interrupts_through_ir2", slave_interrupts_through_ir2},
    {"two_slave_requests_at_once_are_both_delivered",
     two_slave_requests_at_once_are_both_delivered},
    {"special_fully_nested_lets_the_slave_interrupt_itself",
     special_fully_nested_lets_the_slave_interrupt_itself},
    {"withdrawn_request_is_spurious_7", withdrawn_request_is_spurious_7},
    {"withdrawn_slave_request_is_spurious_15",
     withdrawn_slave_request_is_spurious_15},
    {"edge_mode_takes_one_request_an_edge",
     edge_mode_takes_one_request_an_edge},
    {"level_mode_asks_again_while_the_line_is_up",
     level_mode_asks_again_while_the_line_is_up},
    {"ltim_counts_only_without_elcr", ltim_counts_only_without_elcr},
    {"automatic_eoi_leaves_nothing_in_service",
     automatic_eoi_leaves_nothing_in_service},
    {"rotation_puts_the_served_level_last",
     rotation_puts_the_served_level_last},
    {"rotation_in_automatic_eoi", rotation_in_automatic_eoi},
    {"special_mask_lets_lower_levels_in", special_mask_lets_lower_levels_in},
    {"poll_acknowledges_by_reading", poll_acknowledges_by_reading},
    {"initialisation_clears_mask_and_service",
     initialisation_clears_mask_and_service},
    {"config_is_required", config_is_required},
    {"storm", storm},
    {NULL, NULL},
};

TEST_MAIN("i8259", tests)
