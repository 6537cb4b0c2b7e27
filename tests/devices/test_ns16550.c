/*
 * The serial port: registers, FIFOs, interrupts and loopback, with the probes
 * that Linux's 8250 driver makes.
 */
#include "devices/ns16550.h"
#include "tests/devices/rig.h"

#define IRQ 0
enum { RBR = 0x3F8, IER, IIR, LCR, MCR, LSR, MSR, SCR };

struct uart {
    struct rig rig;
    struct device *dev;
    struct chardev chr;
    struct ns16550_config config;
    uint8_t sent[64];
    size_t count;
};

static void sink_write(struct chardev *chr, const uint8_t *data, size_t size)
{
    struct uart *u = chr->impl;
    for (size_t i = 0; i < size && u->count < sizeof(u->sent); i++)
        u->sent[u->count++] = data[i];
}

static void open_uart(struct uart *u, bool gated)
{
    memset(u, 0, sizeof(*u));
    rig_open(&u->rig);
    u->chr.write = sink_write;
    u->chr.impl = u;
    u->config.out2_gates_irq = gated;
    u->dev = rig_add(&u->rig, &ns16550_class, &u->config);
    u->dev->chardev = &u->chr;
    rig_start(&u->rig);
    rig_map(&u->rig, u->dev, NS16550_BANK, RBR, 8);
}

static unsigned in(struct uart *u, unsigned port)
{
    return rig_in(&u->rig, port);
}

static void out(struct uart *u, unsigned port, unsigned value)
{
    rig_out(&u->rig, port, value);
}

static bool irq(const struct uart *u)
{
    return u->rig.probe->level[IRQ];
}

static void feed(struct uart *u, const char *text)
{
    u->chr.receive(u->chr.ctx, (const uint8_t *)text, strlen(text));
}

static void polled_output_and_input(void)
{
    struct uart u;
    open_uart(&u, false);
    CU_ASSERT_EQUAL(in(&u, LSR), 0x60);
    out(&u, RBR, 'h');
    out(&u, RBR, 'i');
    CU_ASSERT_EQUAL(u.count, 2);
    CU_ASSERT_EQUAL(memcmp(u.sent, "hi", 2), 0);
    CU_ASSERT_EQUAL(u.chr.room(u.chr.ctx), 1);
    feed(&u, "x");
    CU_ASSERT_EQUAL(u.chr.room(u.chr.ctx), 0);
    CU_ASSERT_EQUAL(in(&u, LSR), 0x61);
    CU_ASSERT_EQUAL(in(&u, RBR), 'x');
    CU_ASSERT_EQUAL(in(&u, LSR), 0x60);
    CU_ASSERT_EQUAL(u.rig.probe->rises[IRQ], 0);
    rig_close(&u.rig);
}

static void divisor_latch_hides_data_and_ier(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, IER, 0x05);
    out(&u, LCR, 0x83);
    out(&u, RBR, 0x34);
    out(&u, IER, 0x12);
    CU_ASSERT_EQUAL(u.count, 0);
    CU_ASSERT_EQUAL(in(&u, RBR), 0x34);
    CU_ASSERT_EQUAL(in(&u, IER), 0x12);
    out(&u, LCR, 0x03);
    CU_ASSERT_EQUAL(in(&u, IER), 0x05);
    CU_ASSERT_EQUAL(in(&u, LCR), 0x03);
    rig_close(&u.rig);
}

/* drivers/tty/serial/8250: autoconfig() must find a 16550A. */
static void linux_finds_a_16550a(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, IER, 0x00);
    CU_ASSERT_EQUAL(in(&u, IER) & 0x0F, 0x00);
    out(&u, IER, 0xFF);
    CU_ASSERT_EQUAL(in(&u, IER), 0x0F);
    out(&u, IER, 0x00);
    out(&u, MCR, 0x10 | 0x0A); /* loopback, OUT2, RTS */
    CU_ASSERT_EQUAL(in(&u, MSR) & 0xF0, 0x90);
    out(&u, MCR, 0x00);
    CU_ASSERT_EQUAL(in(&u, MSR) & 0xF0, 0xB0);
    out(&u, LCR, 0xBF);
    out(&u, IIR, 0x00);
    out(&u, LCR, 0x00);
    out(&u, IIR, 0x01);
    CU_ASSERT_EQUAL(in(&u, IIR) >> 6, 3);
    out(&u, LCR, 0x80); /* not a 16650: EFR does not read 0 */
    CU_ASSERT_NOT_EQUAL(in(&u, IIR), 0);
    out(&u, LCR, 0xBF);
    CU_ASSERT_NOT_EQUAL(in(&u, IIR), 0);
    out(&u, LCR, 0x00);
    out(&u, IIR, 0x21); /* not a 16750: bit 5 stays 0 */
    CU_ASSERT_EQUAL(in(&u, IIR) & 0x20, 0);
    for (unsigned v = 0; v < 256; v += 85) {
        out(&u, SCR, v);
        CU_ASSERT_EQUAL(in(&u, SCR), v);
    }
    rig_close(&u.rig);
}

/* Its size_fifo(): 256 bytes in loopback, and how many are left. */
static void loopback_shows_the_fifo_size(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, IIR, 0x07);
    out(&u, MCR, 0x10);
    CU_ASSERT_EQUAL(u.chr.room(u.chr.ctx), 0);
    for (unsigned i = 0; i < 256; i++)
        out(&u, RBR, i);
    unsigned n = 0;
    CU_ASSERT_EQUAL(in(&u, LSR), 0x63); /* overrun */
    while (in(&u, LSR) & 1 && n < 256)
        CU_ASSERT_EQUAL(in(&u, RBR), n++);
    CU_ASSERT_EQUAL(n, 16);
    CU_ASSERT_EQUAL(u.count, 0); /* nothing left the chip */
    rig_close(&u.rig);
}

static void loopback_wires_the_modem_lines(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, MCR, 0x10);
    (void)in(&u, MSR);
    static const uint8_t msr[4] = {0x20, 0x10, 0x40, 0x80};
    for (unsigned i = 0; i < 4; i++) {
        out(&u, MCR, 0x10 | 1u << i);
        CU_ASSERT_EQUAL(in(&u, MSR) & 0xF0, msr[i]);
    }
    out(&u, MCR, 0x10);
    (void)in(&u, MSR);
    out(&u, MCR, 0x12); /* RTS is CTS: it changed */
    CU_ASSERT_EQUAL(in(&u, MSR), 0x11);
    CU_ASSERT_EQUAL(in(&u, MSR), 0x10);
    out(&u, MCR, 0x16); /* RI rises: only its end counts */
    CU_ASSERT_EQUAL(in(&u, MSR), 0x50);
    out(&u, MCR, 0x12);
    CU_ASSERT_EQUAL(in(&u, MSR), 0x14);
    rig_close(&u.rig);
}

/* Its THRE and TXEN tests. */
static void transmit_interrupt_is_latched_and_comes_back(void)
{
    struct uart u;
    open_uart(&u, false);
    for (unsigned i = 0; i < 2; i++) {
        out(&u, IER, 0x02);
        CU_ASSERT_TRUE(irq(&u));
        CU_ASSERT_EQUAL(in(&u, IIR), 0x02);
        CU_ASSERT_FALSE(irq(&u));
        CU_ASSERT_EQUAL(in(&u, IIR), 0x01); /* reading took it */
        out(&u, IER, 0x00);
    }
    out(&u, IER, 0x02);
    (void)in(&u, IIR);
    unsigned rises = u.rig.probe->rises[IRQ];
    out(&u, RBR, 'a');
    CU_ASSERT_EQUAL(u.rig.probe->rises[IRQ], rises + 1);
    out(&u, RBR, 'b'); /* a new edge for every time THR becomes empty */
    CU_ASSERT_EQUAL(u.rig.probe->rises[IRQ], rises + 2);
    rig_close(&u.rig);
}

static void receive_interrupt_waits_for_the_trigger_level(void)
{
    static const unsigned level[4] = {1, 4, 8, 14};
    for (unsigned i = 0; i < 4; i++) {
        struct uart u;
        open_uart(&u, false);
        out(&u, IIR, 0x01 | i << 6);
        out(&u, IER, 0x01);
        for (unsigned n = 1; n < level[i]; n++) {
            feed(&u, "x");
            CU_ASSERT_FALSE(irq(&u));
        }
        feed(&u, "x");
        CU_ASSERT_TRUE(irq(&u));
        CU_ASSERT_EQUAL(in(&u, IIR), 0xC4);
        CU_ASSERT_EQUAL(u.chr.room(u.chr.ctx), 16 - level[i]);
        (void)in(&u, RBR); /* below the level: it drops */
        CU_ASSERT_FALSE(irq(&u));
        rig_close(&u.rig);
    }
}

static void few_bytes_time_out(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, LCR, 0x83);
    out(&u, RBR, 1); /* 115200 baud, 8N1: 347 us for four characters */
    out(&u, IER, 0);
    out(&u, LCR, 0x03);
    out(&u, IIR, 0xC1);
    out(&u, IER, 0x01);
    feed(&u, "ab");
    rig_pass(&u.rig, 347000);
    CU_ASSERT_FALSE(irq(&u));
    rig_pass(&u.rig, 1000);
    CU_ASSERT_TRUE(irq(&u));
    CU_ASSERT_EQUAL(in(&u, IIR), 0xCC);
    CU_ASSERT_EQUAL(in(&u, RBR), 'a');
    CU_ASSERT_FALSE(irq(&u)); /* reading starts the time again */
    rig_pass(&u.rig, 348000);
    CU_ASSERT_TRUE(irq(&u));
    CU_ASSERT_EQUAL(in(&u, RBR), 'b');
    CU_ASSERT_FALSE(irq(&u));
    CU_ASSERT_EQUAL(rig_pass(&u.rig, NS_PER_SECOND), 0);
    rig_close(&u.rig);
}

static void overrun_without_fifo_loses_the_old_byte(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, IER, 0x04);
    feed(&u, "ab");
    CU_ASSERT_TRUE(irq(&u));
    CU_ASSERT_EQUAL(in(&u, IIR), 0x06);
    CU_ASSERT_EQUAL(in(&u, LSR), 0x63);
    CU_ASSERT_FALSE(irq(&u));
    CU_ASSERT_EQUAL(in(&u, RBR), 'b');
    rig_close(&u.rig);
}

static void interrupts_have_an_order(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, MCR, 0x12); /* makes modem deltas */
    out(&u, MCR, 0x00);
    feed(&u, "ab");
    out(&u, IER, 0x0F);
    CU_ASSERT_EQUAL(in(&u, IIR), 0x06);
    (void)in(&u, LSR);
    CU_ASSERT_EQUAL(in(&u, IIR), 0x04);
    (void)in(&u, RBR);
    CU_ASSERT_EQUAL(in(&u, IIR), 0x02);
    CU_ASSERT_EQUAL(in(&u, IIR), 0x00);
    (void)in(&u, MSR);
    CU_ASSERT_EQUAL(in(&u, IIR), 0x01);
    CU_ASSERT_FALSE(irq(&u));
    rig_close(&u.rig);
}

static void fifo_control_clears_the_receiver(void)
{
    struct uart u;
    open_uart(&u, false);
    out(&u, IIR, 0x01);
    feed(&u, "abc");
    out(&u, IIR, 0x03);
    CU_ASSERT_EQUAL(in(&u, LSR), 0x60);
    feed(&u, "abc");
    out(&u, IIR, 0x00); /* so does switching the FIFO off */
    CU_ASSERT_EQUAL(in(&u, LSR), 0x60);
    CU_ASSERT_EQUAL(in(&u, IIR), 0x01);
    out(&u, IIR, 0xC0); /* nothing without the enable bit */
    CU_ASSERT_EQUAL(in(&u, IIR), 0x01);
    rig_close(&u.rig);
}

static void out2_gates_the_interrupt_only_when_asked(void)
{
    struct uart u;
    open_uart(&u, true);
    out(&u, IER, 0x01);
    feed(&u, "x");
    CU_ASSERT_FALSE(irq(&u));
    CU_ASSERT_EQUAL(in(&u, IIR), 0x04);
    out(&u, MCR, 0x08);
    CU_ASSERT_TRUE(irq(&u));
    out(&u, MCR, 0x18); /* loopback takes the pin away */
    CU_ASSERT_FALSE(irq(&u));
    rig_close(&u.rig);
    open_uart(&u, false);
    out(&u, MCR, 0x00);
    out(&u, IER, 0x01);
    feed(&u, "x");
    CU_ASSERT_TRUE(irq(&u));
    rig_close(&u.rig);
}

static void works_without_a_chardev(void)
{
    struct rig r;
    rig_open(&r);
    struct device *dev = rig_add(&r, &ns16550_class, NULL);
    rig_start(&r);
    rig_map(&r, dev, NS16550_BANK, RBR, 8);
    rig_out(&r, RBR, 'x');
    CU_ASSERT_EQUAL(rig_in(&r, LSR), 0x60);
    rig_close(&r);
}

static void storm(void)
{
    struct uart u;
    open_uart(&u, true);
    uint64_t seed = 11;
    for (unsigned i = 0; i < 2000; i++) {
        rig_storm(&u.rig, 100, rig_random(&seed));
        for (unsigned j = 0; j < 8; j++) {
            uint64_t n = rig_random(&seed);
            out(&u, RBR + (n & 7), (unsigned)(n >> 8) & 0xFF);
            size_t room = u.chr.room(u.chr.ctx);
            CU_ASSERT_TRUE(room <= 16);
            u.chr.receive(u.chr.ctx, (const uint8_t *)"0123456789abcdefghij",
                          (n >> 16) % 21); /* more than there is room for */
        }
    }
    rig_close(&u.rig);
}

static const struct test tests[] = {
    {"polled_output_and_input", polled_output_and_input},
    {"divisor_latch_hides_data_and_ier", divisor_latch_hides_data_and_ier},
    {"linux_finds_a_16550a", linux_finds_a_16550a},
    {"loopback_shows_the_fifo_size", loopback_shows_the_fifo_size},
    {"loopback_wires_the_modem_lines", loopback_wires_the_modem_lines},
    {"transmit_interrupt_is_latched_and_comes_back",
     transmit_interrupt_is_latched_and_comes_back},
    {"receive_interrupt_waits_for_the_trigger_level",
     receive_interrupt_waits_for_the_trigger_level},
    {"few_bytes_time_out", few_bytes_time_out},
    {"overrun_without_fifo_loses_the_old_byte",
     overrun_without_fifo_loses_the_old_byte},
    {"interrupts_have_an_order", interrupts_have_an_order},
    {"fifo_control_clears_the_receiver", fifo_control_clears_the_receiver},
    {"out2_gates_the_interrupt_only_when_asked",
     out2_gates_the_interrupt_only_when_asked},
    {"works_without_a_chardev", works_without_a_chardev},
    {"storm", storm},
    {NULL, NULL},
};

TEST_MAIN("ns16550", tests)
