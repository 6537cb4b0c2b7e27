/*
 * The odd ports: 0x61 with the timer behind it, 0x92, POST codes, the debug
 * console and the exit port.
 */
#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/i8254.h"
#include "devices/ports.h"
#include "tests/devices/rig.h"

struct board {
    struct rig rig;
    struct device *ports;
    struct ports_config config;
};

static void open_board(struct board *b)
{
    rig_open(&b->rig);
    struct device *pit = rig_add(&b->rig, &i8254_class, NULL);
    device_wire(pit, I8254_OUT_IRQ, b->rig.probe_device, 31);
    b->config.pit = pit;
    b->ports = rig_add(&b->rig, &ports_class, &b->config);
    rig_start(&b->rig);
    rig_map(&b->rig, pit, I8254_BANK, 0x40, 4);
    rig_map(&b->rig, b->ports, PORTS_BANK_CONTROL_B, 0x61, 1);
    rig_map(&b->rig, b->ports, PORTS_BANK_CONTROL_A, 0x92, 1);
    rig_map(&b->rig, b->ports, PORTS_BANK_POST, 0x80, 1);
    rig_map(&b->rig, b->ports, PORTS_BANK_POST, 0x190, 1);
}

/* How Linux measures its TSC: counter 2 in mode 0, gate up, wait for OUT2. */
static void port_61_gates_and_shows_counter_2(void)
{
    struct board b;
    open_board(&b);
    rig_out(&b.rig, 0x61, 0x01);
    rig_out(&b.rig, 0x43, 0xB0);
    rig_out(&b.rig, 0x42, 0x00);
    rig_out(&b.rig, 0x42, 0x10);
    CU_ASSERT_EQUAL(rig_in(&b.rig, 0x61) & 0x21, 0x01);
    rig_pass(&b.rig, clock_ticks_to_ns(0x1000, I8254_HZ) - 1000);
    CU_ASSERT_EQUAL(rig_in(&b.rig, 0x61) & 0x20, 0x00);
    rig_pass(&b.rig, 3000);
    CU_ASSERT_EQUAL(rig_in(&b.rig, 0x61) & 0x20, 0x20);
    rig_close(&b.rig);
}

static void port_61_keeps_its_low_bits_and_drives_the_speaker(void)
{
    struct board b;
    open_board(&b);
    rig_out(&b.rig, 0x61, 0xFF);
    CU_ASSERT_EQUAL(rig_in(&b.rig, 0x61) & 0xCF, 0x0F);
    CU_ASSERT_TRUE(b.rig.probe->level[PORTS_OUT_SPEAKER]);
    rig_out(&b.rig, 0x61, 0x00);
    CU_ASSERT_EQUAL(rig_in(&b.rig, 0x61) & 0xCF, 0x00);
    CU_ASSERT_FALSE(b.rig.probe->level[PORTS_OUT_SPEAKER]);
    rig_close(&b.rig);
}

static void refresh_bit_toggles_every_15_us(void)
{
    struct board b;
    open_board(&b);
    unsigned toggles = 0, last = rig_in(&b.rig, 0x61) & 0x10;
    for (unsigned i = 0; i < 1000; i++) {
        rig_pass(&b.rig, 1000);
        unsigned now = rig_in(&b.rig, 0x61) & 0x10;
        toggles += now != last;
        last = now;
    }
    CU_ASSERT_TRUE(toggles == 66 || toggles == 67);
    rig_close(&b.rig);
}

static void port_92_drives_a20_and_reset(void)
{
    struct board b;
    open_board(&b);
    const struct probe *p = b.rig.probe;
    CU_ASSERT_TRUE(p->level[PORTS_OUT_A20]);
    CU_ASSERT_EQUAL(rig_in(&b.rig, 0x92), 0x02);
    rig_out(&b.rig, 0x92, 0x00);
    CU_ASSERT_FALSE(p->level[PORTS_OUT_A20]);
    rig_out(&b.rig, 0x92, 0x02);
    CU_ASSERT_TRUE(p->level[PORTS_OUT_A20]);
    CU_ASSERT_EQUAL(p->rises[PORTS_OUT_RESET], 0);
    rig_out(&b.rig, 0x92, 0x03);
    CU_ASSERT_EQUAL(p->rises[PORTS_OUT_RESET], 1);
    rig_out(&b.rig, 0x92, 0x03); /* only when it rises */
    CU_ASSERT_EQUAL(p->rises[PORTS_OUT_RESET], 1);
    rig_close(&b.rig);
}

static void post_codes_are_kept(void)
{
    struct board b;
    open_board(&b);
    CU_ASSERT_EQUAL(ports_post_count(b.ports), 0);
    rig_out(&b.rig, 0x80, 0x12);
    rig_out(&b.rig, 0x190, 0x34);
    CU_ASSERT_EQUAL(ports_post_code(b.ports), 0x34);
    CU_ASSERT_EQUAL(ports_post_count(b.ports), 2);
    CU_ASSERT_EQUAL(rig_in(&b.rig, 0x80), 0x34);
    rig_close(&b.rig);
}

struct sink {
    struct chardev chr;
    uint8_t bytes[64];
    size_t count;
};

static void sink_write(struct chardev *chr, const uint8_t *data, size_t size)
{
    struct sink *s = chr->impl;
    for (size_t i = 0; i < size && s->count < sizeof(s->bytes); i++)
        s->bytes[s->count++] = data[i];
}

static void debug_console_answers_and_passes_bytes_on(void)
{
    struct rig r;
    struct sink sink = {.count = 0};
    sink.chr.write = sink_write;
    sink.chr.impl = &sink;
    rig_open(&r);
    struct device *with = rig_add(&r, &debugcon_class, NULL);
    struct device *without = rig_add(&r, &debugcon_class, NULL);
    with->chardev = &sink.chr;
    rig_start(&r);
    rig_map(&r, with, DEBUGCON_BANK, 0xE9, 1);
    rig_map(&r, without, DEBUGCON_BANK, 0x402, 1);
    CU_ASSERT_EQUAL(rig_in(&r, 0xE9), 0xE9);
    CU_ASSERT_EQUAL(rig_in(&r, 0x402), 0xE9);
    rig_out(&r, 0xE9, 'o');
    rig_out(&r, 0x402, 'x');
    rig_out(&r, 0xE9, 'k');
    CU_ASSERT_EQUAL(sink.count, 2);
    CU_ASSERT_EQUAL(memcmp(sink.bytes, "ok", 2), 0);
    rig_storm(&r, 20000, 9);
    rig_close(&r);
}

static void exit_port_makes_an_odd_status(void)
{
    struct rig r;
    rig_open(&r);
    struct device *dev = rig_add(&r, &debug_exit_class, NULL);
    rig_start(&r);
    rig_map(&r, dev, DEBUG_EXIT_BANK, 0x501, 1);
    rig_map(&r, dev, DEBUG_EXIT_BANK, 0xF4, 4);
    CU_ASSERT_EQUAL(r.probe->rises[DEBUG_EXIT_OUT], 0);
    rig_out(&r, 0xF4, 0x10);
    CU_ASSERT_EQUAL(debug_exit_status(dev), 0x21);
    CU_ASSERT_EQUAL(r.probe->rises[DEBUG_EXIT_OUT], 1);
    rig_out(&r, 0x501, 0);
    CU_ASSERT_EQUAL(debug_exit_status(dev), 1);
    bus_write(&r.io, 0xF4, 0x1234, 4);
    CU_ASSERT_EQUAL(debug_exit_status(dev), 0x2469);
    CU_ASSERT_EQUAL(r.probe->rises[DEBUG_EXIT_OUT], 3);
    bus_write(&r.io, 0xF4, 0xFFFFFFFF, 4);
    CU_ASSERT_TRUE(debug_exit_status(dev) > 0);
    CU_ASSERT_EQUAL(bus_read(&r.io, 0xF4, 4), 0);
    rig_close(&r);
}

static void works_without_a_timer(void)
{
    struct rig r;
    rig_open(&r);
    struct device *dev = rig_add(&r, &ports_class, NULL);
    rig_start(&r);
    rig_map(&r, dev, PORTS_BANK_CONTROL_B, 0x61, 1);
    rig_out(&r, 0x61, 3);
    CU_ASSERT_EQUAL(rig_in(&r, 0x61) & 0x2F, 3);
    rig_close(&r);
}

static void storm(void)
{
    struct board b;
    open_board(&b);
    rig_storm(&b.rig, 200000, 10);
    CU_ASSERT_EQUAL(ports_post_count(b.ports), 0);
    rig_close(&b.rig);
}

static const struct test tests[] = {
    {"port_61_gates_and_shows_counter_2", port_61_gates_and_shows_counter_2},
    {"port_61_keeps_its_low_bits_and_drives_the_speaker",
     port_61_keeps_its_low_bits_and_drives_the_speaker},
    {"refresh_bit_toggles_every_15_us", refresh_bit_toggles_every_15_us},
    {"port_92_drives_a20_and_reset", port_92_drives_a20_and_reset},
    {"post_codes_are_kept", post_codes_are_kept},
    {"debug_console_answers_and_passes_bytes_on",
     debug_console_answers_and_passes_bytes_on},
    {"exit_port_makes_an_odd_status", exit_port_makes_an_odd_status},
    {"works_without_a_timer", works_without_a_timer},
    {"storm", storm},
    {NULL, NULL},
};

TEST_MAIN("ports", tests)
