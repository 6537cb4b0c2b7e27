/* Local APIC: priorities, LVTs, timer, IPIs, the PIC's way through, MSR. */
#include "devices/lapic.h"
#include "tests/devices/chip.h"

enum { ID = 0x20, VER = 0x30, TPR = 0x80, PPR = 0xA0, EOI = 0xB0, LDR = 0xD0,
       DFR = 0xE0, SVR = 0xF0, ISR = 0x100, TMR = 0x180, IRR = 0x200,
       ESR = 0x280, ICR_LOW = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320,
       LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, LVT_ERROR = 0x370,
       INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3E0 };

#define DIVIDE_BY_1 0xBu

struct bench {
    struct chip chip;
    struct lapic_config config, second_config;
    struct device *second; /* APIC ID 1 */
    struct intc cpu;
    bool intr, second_intr;
    unsigned nmis, inits, start_ups, eois, pic_acks;
    uint8_t start_vector, eoi_vector;
    int pic_vector;
    uint64_t tsc;
};

static void on_intr(void *ctx, bool level)
{
    ((struct bench *)ctx)->intr = level;
}

static void on_second_intr(void *ctx, bool level)
{
    ((struct bench *)ctx)->second_intr = level;
}

static void on_nmi(void *ctx, bool level)
{
    ((struct bench *)ctx)->nmis += level;
}

static void on_init(void *ctx)
{
    ((struct bench *)ctx)->inits++;
}

static void on_start_up(void *ctx, uint8_t vector)
{
    ((struct bench *)ctx)->start_ups++;
    ((struct bench *)ctx)->start_vector = vector;
}

static int on_pic(void *ctx)
{
    ((struct bench *)ctx)->pic_acks++;
    return ((struct bench *)ctx)->pic_vector;
}

static void on_eoi(void *ctx, uint8_t vector)
{
    ((struct bench *)ctx)->eois++;
    ((struct bench *)ctx)->eoi_vector = vector;
}

static void on_send(void *ctx, const struct apic_message *message)
{
    struct bench *b = ctx;
    struct device *both[] = {b->chip.dev, b->second};

    (void)apic_bus_deliver(both, 2, message);
}

static uint64_t on_tsc(void *ctx)
{
    return ((struct bench *)ctx)->tsc;
}

static void open_bench(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    b->config = (struct lapic_config){
        .ctx = b,
        .id = 0,
        .bootstrap = true,
        .tsc_hz = 1000000000,
        .intr = on_intr,
        .nmi = on_nmi,
        .init = on_init,
        .start_up = on_start_up,
        .pic_acknowledge = on_pic,
        .eoi = on_eoi,
        .send = on_send,
        .tsc = on_tsc,
    };
    b->second_config = b->config;
    b->second_config.id = 1;
    b->second_config.bootstrap = false;
    b->second_config.intr = on_second_intr;
    b->second_config.nmi = NULL;
    chip_open_empty(&b->chip);
    b->second = device_new(&lapic_class, "lapic1", &b->chip.clock,
                           &b->chip.memory, &b->chip.io, &b->chip.log);
    b->second->config = &b->second_config;
    CU_ASSERT_EQUAL_FATAL(device_init(b->second), 0);
    device_reset(b->second);
    chip_add(&b->chip, &lapic_class, &b->config);
    b->cpu = lapic_intc(b->chip.dev);
}

static void close_bench(struct bench *b)
{
    device_free(b->second);
    chip_close(&b->chip);
}

static uint32_t get(struct bench *b, unsigned off)
{
    return (uint32_t)chip_read(&b->chip, LAPIC_MMIO, off, 4);
}

static void set(struct bench *b, unsigned off, uint32_t value)
{
    chip_write(&b->chip, LAPIC_MMIO, off, value, 4);
}

static void enable(struct bench *b)
{
    set(b, SVR, 0x1FF);
    b->second->class->write(b->second, LAPIC_MMIO, SVR, 0x1FF, 4);
}

static void send(struct bench *b, uint8_t vector, bool level)
{
    struct apic_message message = {.vector = vector, .level = level};

    lapic_accept(b->chip.dev, &message);
}

static bool bit(struct bench *b, unsigned base, unsigned vector)
{
    return (get(b, base + vector / 32 * 16) >> vector % 32 & 1) != 0;
}

static void reset_values_are_the_manuals(void)
{
    struct bench b;

    open_bench(&b);
    CU_ASSERT_EQUAL(get(&b, ID), 0);
    CU_ASSERT_EQUAL(get(&b, VER), 0x00050014);
    CU_ASSERT_EQUAL(get(&b, SVR), 0xFF);
    CU_ASSERT_EQUAL(get(&b, DFR), 0xFFFFFFFF);
    CU_ASSERT_EQUAL(get(&b, LDR), 0);
    CU_ASSERT_EQUAL(get(&b, LVT_TIMER), 0x10000);
    CU_ASSERT_EQUAL(get(&b, LVT_LINT1), 0x10000);
    CU_ASSERT_EQUAL(b.cpu.get_base(b.cpu.ctx), 0xFEE00900);
    CU_ASSERT_EQUAL(bus_read(&b.chip.memory, 0xFEE00030, 4), 0x00050014);
    /* Only the first byte of 16 is a register (10.4.1). */
    CU_ASSERT_EQUAL(get(&b, VER + 4), 0);
    CU_ASSERT_EQUAL(chip_read(&b.chip, LAPIC_MMIO, VER + 2, 1), 5);
    close_bench(&b);
}

static void nothing_comes_while_software_disabled(void)
{
    struct bench b;

    open_bench(&b);
    send(&b, 0x40, false);
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_FALSE(bit(&b, IRR, 0x40));
    set(&b, LVT_TIMER, 0x40);
    CU_ASSERT_EQUAL(get(&b, LVT_TIMER), 0x10040); /* masks stay set */
    enable(&b);
    set(&b, LVT_TIMER, 0x40);
    CU_ASSERT_EQUAL(get(&b, LVT_TIMER), 0x40);
    set(&b, SVR, 0xFF);
    CU_ASSERT_EQUAL(get(&b, LVT_TIMER), 0x10040);
    close_bench(&b);
}

static void higher_vector_nests_and_eoi_unwinds(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    send(&b, 0x41, false);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x41);
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_TRUE(bit(&b, ISR, 0x41));
    CU_ASSERT_EQUAL(get(&b, PPR), 0x40);
    send(&b, 0x4F, false); /* the same class waits */
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), -1);
    send(&b, 0x50, false);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x50);
    set(&b, EOI, 0);
    CU_ASSERT_FALSE(bit(&b, ISR, 0x50));
    CU_ASSERT_TRUE(bit(&b, ISR, 0x41));
    set(&b, EOI, 0);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x4F);
    set(&b, EOI, 0);
    set(&b, EOI, 0); /* one too many does nothing */
    CU_ASSERT_EQUAL(b.eois, 0);
    close_bench(&b);
}

static void task_priority_holds_back_its_class(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    b.cpu.set_tpr(b.cpu.ctx, 0x50);
    CU_ASSERT_EQUAL(get(&b, TPR), 0x50);
    send(&b, 0x5F, false);
    CU_ASSERT_FALSE(b.intr);
    set(&b, TPR, 0x4F);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.get_tpr(b.cpu.ctx), 0x4F);
    set(&b, TPR, 0x50);
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), -1);
    close_bench(&b);
}

static void level_vectors_broadcast_their_eoi(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    send(&b, 0x61, true);
    CU_ASSERT_TRUE(bit(&b, TMR, 0x61));
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x61);
    set(&b, EOI, 0);
    CU_ASSERT_EQUAL(b.eois, 1);
    CU_ASSERT_EQUAL(b.eoi_vector, 0x61);
    send(&b, 0x61, false);
    CU_ASSERT_FALSE(bit(&b, TMR, 0x61));
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x61);
    set(&b, EOI, 0);
    CU_ASSERT_EQUAL(b.eois, 1);
    close_bench(&b);
}

static void pic_comes_through_lint0_as_extint(void)
{
    struct bench b;

    open_bench(&b);
    b.pic_vector = 8;
    /* From reset, before any software has seen the APIC. */
    chip_line(&b.chip, LAPIC_LINT0, true);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 8);
    CU_ASSERT_EQUAL(b.pic_acks, 1);
    CU_ASSERT_EQUAL(get(&b, ISR), 0); /* no EOI is due here */
    enable(&b);
    set(&b, LVT_LINT0, 0x10700);
    CU_ASSERT_FALSE(b.intr);
    set(&b, LVT_LINT0, 0x00700);
    CU_ASSERT_TRUE(b.intr);
    set(&b, TPR, 0xFF); /* ExtINT knows no priority */
    CU_ASSERT_TRUE(b.intr);
    chip_line(&b.chip, LAPIC_LINT0, false);
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), -1);
    close_bench(&b);
}

static void lint0_fixed_level_asks_again_after_eoi(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    set(&b, LVT_LINT0, 0x8045);
    chip_line(&b.chip, LAPIC_LINT0, true);
    CU_ASSERT_EQUAL(get(&b, LVT_LINT0), 0xC045); /* remote IRR */
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x45);
    CU_ASSERT_FALSE(b.intr);
    set(&b, EOI, 0);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x45);
    chip_line(&b.chip, LAPIC_LINT0, false);
    set(&b, EOI, 0);
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_EQUAL(get(&b, LVT_LINT0), 0x8045);
    /* As an edge: once a rise. */
    set(&b, LVT_LINT0, 0x0045);
    chip_line(&b.chip, LAPIC_LINT0, true);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x45);
    set(&b, EOI, 0);
    chip_line(&b.chip, LAPIC_LINT0, true);
    CU_ASSERT_FALSE(b.intr);
    close_bench(&b);
}

static void lint1_is_nmi(void)
{
    struct bench b;

    open_bench(&b);
    chip_line(&b.chip, LAPIC_LINT1, true);
    CU_ASSERT_EQUAL(b.nmis, 0); /* masked from reset */
    chip_line(&b.chip, LAPIC_LINT1, false);
    enable(&b);
    set(&b, LVT_LINT1, 0x400);
    chip_line(&b.chip, LAPIC_LINT1, true);
    chip_line(&b.chip, LAPIC_LINT1, true);
    CU_ASSERT_EQUAL(b.nmis, 1);
    close_bench(&b);
}

static void timer_one_shot_counts_down_once(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    set(&b, DIVIDE, 0x3); /* by 16 */
    set(&b, LVT_TIMER, 0x30);
    set(&b, INITIAL, 1000);
    chip_advance(&b.chip, 16 * 400);
    CU_ASSERT_EQUAL(get(&b, CURRENT), 600);
    CU_ASSERT_FALSE(b.intr);
    chip_advance(&b.chip, 16 * 600 - 1);
    CU_ASSERT_FALSE(b.intr);
    chip_advance(&b.chip, 1);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(get(&b, CURRENT), 0);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x30);
    set(&b, EOI, 0);
    chip_advance(&b.chip, 16 * 5000);
    CU_ASSERT_FALSE(b.intr);
    /* A masked timer counts, but says nothing. */
    set(&b, LVT_TIMER, 0x10030);
    set(&b, INITIAL, 10);
    chip_advance(&b.chip, 1000);
    CU_ASSERT_EQUAL(get(&b, CURRENT), 0);
    CU_ASSERT_FALSE(b.intr);
    close_bench(&b);
}

static void divider_codes(void)
{
    static const struct {
        uint8_t code;
        unsigned by;
    } codes[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                 {0x8, 32}, {0x9, 64}, {0xA, 128}, {0xB, 1}};
    struct bench b;

    open_bench(&b);
    enable(&b);
    for (unsigned i = 0; i < 8; i++) {
        set(&b, DIVIDE, codes[i].code);
        CU_ASSERT_EQUAL(get(&b, DIVIDE), codes[i].code);
        set(&b, INITIAL, 0xFFFFFFFF);
        chip_advance(&b.chip, 128 * 100);
        CU_ASSERT_EQUAL(0xFFFFFFFF - get(&b, CURRENT), 128 * 100 / codes[i].by);
    }
    close_bench(&b);
}

static void timer_periodic_keeps_its_phase(void)
{
    struct bench b;
    unsigned ticks = 0;

    open_bench(&b);
    enable(&b);
    set(&b, DIVIDE, DIVIDE_BY_1);
    set(&b, LVT_TIMER, 0x20031);
    set(&b, INITIAL, 10000);
    for (unsigned i = 0; i < 1000; i++) {
        chip_advance(&b.chip, 1000);
        if (b.intr) {
            CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x31);
            set(&b, EOI, 0);
            ticks++;
        }
    }
    CU_ASSERT_EQUAL(ticks, 100);
    set(&b, INITIAL, 0); /* stops it */
    chip_advance(&b.chip, 100000);
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_EQUAL(clock_deadline_ns(&b.chip.clock), CLOCK_NEVER);
    close_bench(&b);
}

static void timer_period_of_1_ns_does_not_hang(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    set(&b, DIVIDE, DIVIDE_BY_1);
    set(&b, LVT_TIMER, 0x20031);
    set(&b, INITIAL, 1);
    chip_advance(&b.chip, 10000000); /* at most one a microsecond */
    CU_ASSERT_TRUE(b.intr);
    clock_skip_to(&b.chip.clock, clock_now_ns(&b.chip.clock) + NS_PER_SECOND);
    CU_ASSERT_EQUAL(clock_run(&b.chip.clock), 1); /* missed ones are skipped */
    close_bench(&b);
}

static void tsc_deadline_fires_at_its_tsc(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    b.tsc = 5000;
    lapic_set_tsc_deadline(b.chip.dev, 6000);
    CU_ASSERT_EQUAL(lapic_get_tsc_deadline(b.chip.dev), 0); /* other mode */
    set(&b, LVT_TIMER, 0x40033);
    lapic_set_tsc_deadline(b.chip.dev, 6000);
    CU_ASSERT_EQUAL(lapic_get_tsc_deadline(b.chip.dev), 6000);
    set(&b, INITIAL, 77); /* ignored in this mode */
    CU_ASSERT_EQUAL(get(&b, CURRENT), 0);
    chip_advance(&b.chip, 999);
    CU_ASSERT_FALSE(b.intr);
    chip_advance(&b.chip, 1);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(lapic_get_tsc_deadline(b.chip.dev), 0);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x33);
    set(&b, EOI, 0);
    lapic_set_tsc_deadline(b.chip.dev, 1); /* long past */
    chip_advance(&b.chip, 1);
    CU_ASSERT_TRUE(b.intr);
    lapic_set_tsc_deadline(b.chip.dev, UINT64_MAX);
    CU_ASSERT_EQUAL(clock_deadline_ns(&b.chip.clock), CLOCK_NEVER);
    close_bench(&b);
}

static void ipis_reach_whom_they_name(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    set(&b, ICR_LOW, 0x00040055); /* self */
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x55);
    CU_ASSERT_FALSE(b.second_intr);
    set(&b, EOI, 0);
    set(&b, ICR_LOW, 0x000C0056); /* all but self */
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_TRUE(b.second_intr);
    set(&b, ICR_HIGH, 0x01000000);
    set(&b, ICR_LOW, 0x00000500 | 0x4000); /* INIT */
    CU_ASSERT_EQUAL(b.inits, 1);
    CU_ASSERT_FALSE(b.second_intr);
    set(&b, ICR_LOW, 0x00008500); /* INIT de-assert */
    CU_ASSERT_EQUAL(b.inits, 1);
    set(&b, ICR_LOW, 0x00000699); /* start-up */
    CU_ASSERT_EQUAL(b.start_ups, 1);
    CU_ASSERT_EQUAL(b.start_vector, 0x99);
    set(&b, ICR_HIGH, 0);
    set(&b, ICR_LOW, 0x00000400); /* NMI, to this one */
    CU_ASSERT_EQUAL(b.nmis, 1);
    set(&b, ICR_LOW, 0x00080057); /* all */
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(get(&b, ICR_LOW), 0x00080057); /* status idle */
    close_bench(&b);
}

static void logical_destinations(void)
{
    struct bench b;
    struct apic_message m = {.logical = true, .vector = 0x40};

    open_bench(&b);
    set(&b, LDR, 0x05000000);
    m.destination = 0x04;
    CU_ASSERT_TRUE(lapic_matches(b.chip.dev, &m));
    m.destination = 0x02;
    CU_ASSERT_FALSE(lapic_matches(b.chip.dev, &m));
    set(&b, DFR, 0x0FFFFFFF); /* cluster model */
    set(&b, LDR, 0x23000000);
    m.destination = 0x21;
    CU_ASSERT_TRUE(lapic_matches(b.chip.dev, &m));
    m.destination = 0x24;
    CU_ASSERT_FALSE(lapic_matches(b.chip.dev, &m));
    m.destination = 0x11;
    CU_ASSERT_FALSE(lapic_matches(b.chip.dev, &m));
    m.destination = 0xFF;
    CU_ASSERT_TRUE(lapic_matches(b.chip.dev, &m));
    m.logical = false;
    m.destination = 1;
    CU_ASSERT_FALSE(lapic_matches(b.chip.dev, &m));
    CU_ASSERT_TRUE(lapic_matches(b.second, &m));
    close_bench(&b);
}

static void lowest_priority_picks_one(void)
{
    struct bench b;
    struct apic_message m = {
        .destination = 0xFF, .delivery = APIC_LOWEST, .vector = 0x40};
    struct device *both[2];

    open_bench(&b);
    both[0] = b.chip.dev;
    both[1] = b.second;
    CU_ASSERT_EQUAL(apic_bus_deliver(both, 2, &m), 0); /* none is enabled */
    enable(&b);
    set(&b, TPR, 0x20);
    CU_ASSERT_EQUAL(apic_bus_deliver(both, 2, &m), 1);
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_TRUE(b.second_intr);
    close_bench(&b);
}

static void illegal_vectors_are_reported_by_esr(void)
{
    struct bench b;

    open_bench(&b);
    enable(&b);
    set(&b, LVT_ERROR, 0x3E);
    set(&b, ICR_LOW, 0x00040005); /* vector 5 to self */
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x3E);
    CU_ASSERT_EQUAL(get(&b, ESR), 0); /* shown only after a write */
    set(&b, ESR, 0);
    CU_ASSERT_EQUAL(get(&b, ESR), 0x20);
    set(&b, ESR, 0);
    CU_ASSERT_EQUAL(get(&b, ESR), 0);
    send(&b, 3, false);
    (void)get(&b, 0x40); /* reserved */
    set(&b, ESR, 0);
    CU_ASSERT_EQUAL(get(&b, ESR), 0xC0);
    /* An error vector that is illegal itself must not recurse. */
    set(&b, LVT_ERROR, 0x00);
    send(&b, 3, false);
    set(&b, ESR, 0);
    CU_ASSERT_EQUAL(get(&b, ESR), 0x40);
    close_bench(&b);
}

static void base_msr_moves_disables_and_refuses(void)
{
    struct bench b;

    open_bench(&b);
    CU_ASSERT_TRUE(b.cpu.set_base(b.cpu.ctx, 0xFE000900));
    CU_ASSERT_EQUAL(bus_read(&b.chip.memory, 0xFE000030, 4), 0x00050014);
    CU_ASSERT_EQUAL(bus_read(&b.chip.memory, 0xFEE00030, 4), 0xFFFFFFFF);
    /* x2APIC and reserved bits are #GP. */
    CU_ASSERT_FALSE(b.cpu.set_base(b.cpu.ctx, 0xFEE00D00));
    CU_ASSERT_FALSE(b.cpu.set_base(b.cpu.ctx, 0xFEE00901));
    CU_ASSERT_FALSE(b.cpu.set_base(b.cpu.ctx, UINT64_MAX));
    enable(&b);
    send(&b, 0x40, false);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_TRUE(b.cpu.set_base(b.cpu.ctx, 0xFEE00100));
    CU_ASSERT_FALSE(b.intr);
    CU_ASSERT_EQUAL(bus_read(&b.chip.memory, 0xFEE00030, 4), 0xFFFFFFFF);
    /* Now LINT0 is INTR and LINT1 is NMI. */
    b.pic_vector = 0x70;
    chip_line(&b.chip, LAPIC_LINT0, true);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x70);
    chip_line(&b.chip, LAPIC_LINT1, true);
    CU_ASSERT_EQUAL(b.nmis, 1);
    CU_ASSERT_TRUE(b.cpu.set_base(b.cpu.ctx, 0xFEE00900));
    CU_ASSERT_EQUAL(get(&b, SVR), 0xFF);
    close_bench(&b);
}

static void extint_message_asks_the_pic_once(void)
{
    struct bench b;
    struct apic_message m = {.delivery = APIC_EXTINT};

    open_bench(&b);
    enable(&b);
    b.pic_vector = 0x22;
    lapic_accept(b.chip.dev, &m);
    CU_ASSERT_TRUE(b.intr);
    CU_ASSERT_EQUAL(b.cpu.acknowledge(b.cpu.ctx), 0x22);
    CU_ASSERT_FALSE(b.intr);
    close_bench(&b);
}

static void random_storm(void)
{
    static const uint32_t sizes[] = {0x400};
    struct bench b;

    open_bench(&b);
    b.pic_vector = 0x20;
    for (unsigned round = 0; round < 20; round++) {
        enable(&b);
        chip_storm(&b.chip, sizes, 1, 2, 10000);
        for (unsigned i = 0; i < 300; i++) {
            int vector = b.cpu.acknowledge(b.cpu.ctx);

            CU_ASSERT(vector >= -1 && vector < 256);
            if (vector < 0)
                CU_ASSERT_FALSE(b.intr);
            set(&b, EOI, 0);
        }
    }
    device_reset(b.chip.dev);
    CU_ASSERT_EQUAL(get(&b, SVR), 0xFF);
    CU_ASSERT_EQUAL(get(&b, IRR), 0);
    close_bench(&b);
}

static const struct test tests[] = {
    {"reset_values_are_the_manuals", reset_values_are_the_manuals},
    {"nothing_comes_while_software_disabled",
     nothing_comes_while_software_disabled},
    {"higher_vector_nests_and_eoi_unwinds",
     higher_vector_nests_and_eoi_unwinds},
    {"task_priority_holds_back_its_class", task_priority_holds_back_its_class},
    {"level_vectors_broadcast_their_eoi", level_vectors_broadcast_their_eoi},
    {"pic_comes_through_lint0_as_extint", pic_comes_through_lint0_as_extint},
    {"lint0_fixed_level_asks_again_after_eoi",
     lint0_fixed_level_asks_again_after_eoi},
    {"lint1_is_nmi", lint1_is_nmi},
    {"timer_one_shot_counts_down_once", timer_one_shot_counts_down_once},
    {"divider_codes", divider_codes},
    {"timer_periodic_keeps_its_phase", timer_periodic_keeps_its_phase},
    {"timer_period_of_1_ns_does_not_hang", timer_period_of_1_ns_does_not_hang},
    {"tsc_deadline_fires_at_its_tsc", tsc_deadline_fires_at_its_tsc},
    {"ipis_reach_whom_they_name", ipis_reach_whom_they_name},
    {"logical_destinations", logical_destinations},
    {"lowest_priority_picks_one", lowest_priority_picks_one},
    {"illegal_vectors_are_reported_by_esr",
     illegal_vectors_are_reported_by_esr},
    {"base_msr_moves_disables_and_refuses",
     base_msr_moves_disables_and_refuses},
    {"extint_message_asks_the_pic_once", extint_message_asks_the_pic_once},
    {"random_storm", random_storm},
    {NULL, NULL},
};

TEST_MAIN("lapic", tests)
