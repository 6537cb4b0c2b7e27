/* The floppy controller through its ports: phases, DMA, PIO, drives. */
#include "devices/i82077.h"
#include "tests/devices/storage.h"

/* A DMA channel: `memory` of which `left` bytes remain to its count. */
struct channel {
    uint8_t memory[65536];
    size_t at, left;
    bool terminal;
};

struct bench {
    struct rig rig;
    struct ram_disk disk[2];
    struct channel channel;
    struct i82077_config config;
    struct region low, high;
    uint8_t result[16];
};

static size_t channel_move(void *ctx, void *buf, size_t size, bool to_memory)
{
    struct channel *c = ctx;
    size_t n = size < c->left ? size : c->left;

    if (to_memory)
        memcpy(c->memory + c->at, buf, n);
    else
        memcpy(buf, c->memory + c->at, n);
    c->at += n;
    c->left -= n;
    c->terminal = n && c->left == 0;
    return n;
}

static bool channel_terminal(void *ctx)
{
    const struct channel *c = ctx;

    return c->terminal;
}

static void setup_sized(struct bench *b, size_t bytes0, size_t bytes1)
{
    memset(b, 0, sizeof(*b));
    rig_init(&b->rig, &i82077_class);
    ram_disk_init(&b->disk[0], bytes0);
    ram_disk_init(&b->disk[1], bytes1);
    b->rig.dev->drive[0] = &b->disk[0].block;
    if (bytes1)
        b->rig.dev->drive[1] = &b->disk[1].block;
    b->config = (struct i82077_config){channel_move, channel_terminal,
                                       &b->channel};
    b->rig.dev->config = &b->config;
    b->low = (struct region){.name = "fdc", .base = 0x3F0, .size = 6,
                             .kind = REGION_DEVICE, .dev = b->rig.dev,
                             .bank = I82077_BANK_LOW};
    b->high = (struct region){.name = "fdc-dir", .base = 0x3F7, .size = 1,
                              .kind = REGION_DEVICE, .dev = b->rig.dev,
                              .bank = I82077_BANK_HIGH};
    CU_ASSERT_EQUAL_FATAL(bus_map(&b->rig.io, &b->low), 0);
    CU_ASSERT_EQUAL_FATAL(bus_map(&b->rig.io, &b->high), 0);
    CU_ASSERT_EQUAL_FATAL(device_init(b->rig.dev), 0);
    device_reset(b->rig.dev);
}

/* Sends bytes and collects the result. Returns how many there were. */
static unsigned command(struct bench *b, const uint8_t *bytes, unsigned count)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(inb(&b->rig, 0x3F4) & 0xC0, 0x80);
        outb(&b->rig, 0x3F5, bytes[i]);
    }
    while ((inb(&b->rig, 0x3F4) & 0xF0) == 0xD0 && n < 16)
        b->result[n++] = inb(&b->rig, 0x3F5);
    return n;
}

#define COMMAND(B, ...)                                                        \
    command((B), (const uint8_t[]){__VA_ARGS__},                               \
            sizeof((const uint8_t[]){__VA_ARGS__}))

static bool irq(struct bench *b)
{
    return rig_wires(&b->rig)->level[0];
}

/* Reset, four senses, SPECIFY with DMA, recalibrated, motor on, 500 kb/s. */
static void setup(struct bench *b)
{
    setup_sized(b, 1474560, 0);
    outb(&b->rig, 0x3F2, 0x1C);
    for (unsigned i = 0; i < 4; i++)
        COMMAND(b, 0x08);
    outb(&b->rig, 0x3F7, 0);
    COMMAND(b, 0x03, 0xDF, 0x02);
    COMMAND(b, 0x07, 0);
    COMMAND(b, 0x08);
}

static void teardown(struct bench *b)
{
    CU_ASSERT_EQUAL(b->disk[0].outside + b->disk[1].outside, 0);
    rig_fini(&b->rig);
    ram_disk_fini(&b->disk[0]);
    ram_disk_fini(&b->disk[1]);
}

static void dma_count(struct bench *b, size_t bytes)
{
    b->channel.at = 0;
    b->channel.left = bytes;
}

static size_t place(unsigned c, unsigned h, unsigned r)
{
    return ((c * 2 + h) * 18 + r - 1) * (size_t)512;
}

static void reset_interrupts_and_four_senses_follow(void)
{
    struct bench b;

    setup_sized(&b, 1474560, 0);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0); /* in reset */
    outb(&b.rig, 0x3F2, 0x0C);
    CU_ASSERT_TRUE(irq(&b));
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0x80);
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(COMMAND(&b, 0x08), 2);
        CU_ASSERT_EQUAL(b.result[0], 0xC0 | i);
    }
    CU_ASSERT_FALSE(irq(&b));
    CU_ASSERT_EQUAL(COMMAND(&b, 0x08), 1);
    CU_ASSERT_EQUAL(b.result[0], 0x80);
    outb(&b.rig, 0x3F4, 0x80); /* DSR reset ends by itself */
    CU_ASSERT_TRUE(irq(&b));
    teardown(&b);
}

static void dmagate_holds_the_interrupt_back(void)
{
    struct bench b;

    setup_sized(&b, 1474560, 0);
    outb(&b.rig, 0x3F2, 0x04);
    CU_ASSERT_FALSE(irq(&b));
    outb(&b.rig, 0x3F2, 0x0C);
    CU_ASSERT_TRUE(irq(&b));
    teardown(&b);
}

static void seek_and_recalibrate_report_through_sense(void)
{
    struct bench b;

    setup(&b);
    COMMAND(&b, 0x0F, 0, 42);
    CU_ASSERT_TRUE(irq(&b));
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4) & 1, 1);
    CU_ASSERT_EQUAL(COMMAND(&b, 0x08), 2);
    CU_ASSERT_EQUAL(b.result[0], 0x20);
    CU_ASSERT_EQUAL(b.result[1], 42);
    CU_ASSERT_FALSE(irq(&b));
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0x80);
    COMMAND(&b, 0x04, 0);
    CU_ASSERT_EQUAL(b.result[0], 0x28);
    COMMAND(&b, 0x8F, 0, 2); /* relative, outwards */
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(b.result[1], 40);
    COMMAND(&b, 0x07, 0);
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(b.result[1], 0);
    COMMAND(&b, 0x04, 0);
    CU_ASSERT_EQUAL(b.result[0], 0x38);
    COMMAND(&b, 0x07, 1); /* no such drive: no track 0 */
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(b.result[0], 0x71);
    teardown(&b);
}

static void one_sense_after_reset_does_not_hide_a_seek(void)
{
    struct bench b;

    setup_sized(&b, 1474560, 0);
    outb(&b.rig, 0x3F2, 0x1C);
    COMMAND(&b, 0x08);
    COMMAND(&b, 0x07, 0);
    CU_ASSERT_TRUE(irq(&b));
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(b.result[0], 0x20);
    teardown(&b);
}

static void dma_read_crosses_heads_with_multi_track(void)
{
    struct bench b;

    setup(&b);
    dma_count(&b, 4 * 512);
    CU_ASSERT_EQUAL(COMMAND(&b, 0xE6, 0, 0, 0, 17, 2, 18, 0x1B, 0xFF), 7);
    static const uint8_t good[7] = {0x04, 0, 0, 0, 1, 3, 2};
    CU_ASSERT_EQUAL(memcmp(b.result, good, 7), 0);
    CU_ASSERT_EQUAL(
        memcmp(b.channel.memory, b.disk[0].data + place(0, 0, 17), 2048), 0);
    CU_ASSERT_FALSE(irq(&b));
    teardown(&b);
}

static void terminal_count_at_the_end_of_track(void)
{
    struct bench b;

    setup(&b);
    dma_count(&b, 18 * 512);
    COMMAND(&b, 0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF);
    static const uint8_t good[7] = {0, 0, 0, 1, 0, 1, 2};
    CU_ASSERT_EQUAL(memcmp(b.result, good, 7), 0);
    dma_count(&b, 19 * 512); /* more than there is: end of cylinder */
    COMMAND(&b, 0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0x40);
    CU_ASSERT_EQUAL(b.result[1], 0x80);
    dma_count(&b, 700); /* in the middle of a sector */
    COMMAND(&b, 0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0);
    CU_ASSERT_EQUAL(b.result[5], 3);
    teardown(&b);
}

static void dma_write_reaches_the_image(void)
{
    struct bench b;

    setup(&b);
    COMMAND(&b, 0x0F, 4, 5);
    COMMAND(&b, 0x08);
    for (unsigned i = 0; i < 1024; i++)
        b.channel.memory[i] = (uint8_t)(i * 5 + 1);
    dma_count(&b, 600);
    COMMAND(&b, 0x45, 4, 5, 1, 7, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0x04);
    const uint8_t *at = b.disk[0].data + place(5, 1, 7);
    CU_ASSERT_EQUAL(memcmp(at, b.channel.memory, 600), 0);
    for (unsigned i = 600; i < 1024; i++)
        CU_ASSERT_EQUAL(at[i], 0);
    CU_ASSERT_EQUAL(b.disk[0].writes, 2);
    b.disk[0].block.read_only = true;
    dma_count(&b, 512);
    COMMAND(&b, 0x45, 4, 5, 1, 7, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0x44);
    CU_ASSERT_EQUAL(b.result[1], 0x02);
    COMMAND(&b, 0x04, 0);
    CU_ASSERT_EQUAL(b.result[0] & 0x40, 0x40);
    CU_ASSERT_EQUAL(b.disk[0].writes, 2);
    teardown(&b);
}

static void unserved_dma_is_an_overrun(void)
{
    struct bench b;

    setup(&b);
    dma_count(&b, 0);
    COMMAND(&b, 0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0x40);
    CU_ASSERT_EQUAL(b.result[1], 0x10);
    COMMAND(&b, 0x45, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[1], 0x10);
    CU_ASSERT_EQUAL(b.disk[0].writes, 0);
    teardown(&b);
}

static void sectors_that_are_not_there(void)
{
    struct bench b;
    static const struct {
        uint8_t c, h, r, n, st1, st2;
    } cases[] = {{0, 0, 19, 2, 0x04, 0},   {0, 0, 0, 2, 0x04, 0},
                 {1, 0, 1, 2, 0x04, 0x10}, {0, 1, 1, 2, 0x04, 0},
                 {0, 0, 1, 3, 0x04, 0},    {0, 0, 1, 0, 0x04, 0}};

    setup(&b);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dma_count(&b, 512);
        COMMAND(&b, 0x46, 0, cases[i].c, cases[i].h, cases[i].r, cases[i].n,
                0xFF, 0x1B, 0xFF);
        CU_ASSERT_EQUAL(b.result[0] & 0xC0, 0x40);
        CU_ASSERT_EQUAL(b.result[1], cases[i].st1);
        CU_ASSERT_EQUAL(b.result[2], cases[i].st2);
        CU_ASSERT_EQUAL(b.channel.at, 0);
    }
    COMMAND(&b, 0x0F, 0, 200);
    COMMAND(&b, 0x08);
    COMMAND(&b, 0x46, 0, 200, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[1], 0x01);
    teardown(&b);
}

static void implied_seek_moves_the_head(void)
{
    struct bench b;

    setup(&b);
    COMMAND(&b, 0x13, 0, 0x57, 0); /* EIS */
    dma_count(&b, 512);
    COMMAND(&b, 0x46, 0, 33, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0);
    CU_ASSERT_EQUAL(
        memcmp(b.channel.memory, b.disk[0].data + place(33, 0, 1), 512), 0);
    COMMAND(&b, 0x0E);
    CU_ASSERT_EQUAL(b.result[0], 33);
    teardown(&b);
}

static void pio_read_ends_at_end_of_track(void)
{
    struct bench b;
    uint8_t data[1024];

    setup(&b);
    COMMAND(&b, 0x03, 0xDF, 0x03); /* no DMA */
    COMMAND(&b, 0x46, 0, 0, 0, 17, 2, 18, 0x1B, 0xFF);
    unsigned edges = rig_wires(&b.rig)->edges[0];
    for (unsigned i = 0; i < 1024; i++) {
        CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0xF0);
        data[i] = inb(&b.rig, 0x3F5);
    }
    CU_ASSERT_EQUAL(rig_wires(&b.rig)->edges[0], edges + 1024);
    CU_ASSERT_EQUAL(memcmp(data, b.disk[0].data + place(0, 0, 17), 1024), 0);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0xD0);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F5), 0x40);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F5), 0x80);
    CU_ASSERT_FALSE(irq(&b));
    teardown(&b);
}

static void pio_write_and_format(void)
{
    struct bench b;

    setup(&b);
    COMMAND(&b, 0x03, 0xDF, 0x03);
    COMMAND(&b, 0x45, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF);
    for (unsigned i = 0; i < 512; i++) {
        CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0xB0);
        outb(&b.rig, 0x3F5, i & 0xFF);
    }
    CU_ASSERT_EQUAL(b.disk[0].data[place(0, 0, 18) + 255], 255);
    for (unsigned i = 0; i < 7; i++)
        inb(&b.rig, 0x3F5);
    COMMAND(&b, 0x4D, 4, 2, 18, 0x54, 0xF6);
    for (unsigned r = 1; r <= 18; r++) {
        outb(&b.rig, 0x3F5, 0);
        outb(&b.rig, 0x3F5, 1);
        outb(&b.rig, 0x3F5, r);
        outb(&b.rig, 0x3F5, 2);
    }
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F5) & 0xC0, 0);
    for (unsigned i = 0; i < 6; i++)
        inb(&b.rig, 0x3F5);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0x80);
    for (size_t i = place(0, 1, 1); i < place(1, 0, 1); i++)
        if (b.disk[0].data[i] != 0xF6)
            CU_FAIL("not formatted");
    CU_ASSERT_NOT_EQUAL(b.disk[0].data[place(1, 0, 1)], 0xF6);
    teardown(&b);
}

static void format_by_dma(void)
{
    struct bench b;

    setup(&b);
    for (unsigned r = 0; r < 18; r++) {
        const uint8_t id[4] = {0, 0, (uint8_t)(r + 1), 2};
        memcpy(b.channel.memory + 4 * r, id, 4);
    }
    dma_count(&b, 72);
    COMMAND(&b, 0x4D, 0, 2, 18, 0x54, 0xE5);
    CU_ASSERT_EQUAL(b.result[0], 0);
    CU_ASSERT_EQUAL(b.disk[0].writes, 18);
    CU_ASSERT_EQUAL(b.disk[0].data[place(0, 0, 18)], 0xE5);
    teardown(&b);
}

static void verify_and_deleted_data(void)
{
    struct bench b;

    setup(&b);
    COMMAND(&b, 0x56, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0);
    COMMAND(&b, 0xD6, 0x80, 0, 0, 1, 2, 18, 0x1B, 20);
    CU_ASSERT_EQUAL(b.result[0], 4);
    CU_ASSERT_EQUAL(b.result[5], 3);
    CU_ASSERT_EQUAL(b.channel.at, 0);
    dma_count(&b, 2048);
    COMMAND(&b, 0x4C, 0, 0, 0, 3, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[2], 0x40); /* control mark */
    CU_ASSERT_EQUAL(b.channel.at, 512);
    b.disk[0].bad_sector = 4;
    dma_count(&b, 2048);
    COMMAND(&b, 0x46, 0, 0, 0, 4, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[1], 0x20);
    CU_ASSERT_EQUAL(b.result[5], 5);
    teardown(&b);
}

static void formats_follow_from_the_size_and_rate(void)
{
    static const struct {
        size_t kib;
        unsigned cmos, rate, spt;
    } cases[] = {{360, 1, 2, 9},
                 {720, 3, 2, 9},
                 {1200, 2, 0, 15},
                 {1440, 4, 0, 18},
                 {2880, 5, 3, 36}};

    for (unsigned i = 0; i < 5; i++) {
        struct bench b;
        setup_sized(&b, cases[i].kib * 1024, 0);
        CU_ASSERT_EQUAL(i82077_cmos_type(b.rig.dev->drive[0]), cases[i].cmos);
        outb(&b.rig, 0x3F2, 0x1C);
        COMMAND(&b, 0x03, 0xDF, 0x02);
        for (unsigned rate = 0; rate < 4; rate++) {
            bool fits =
                rate == cases[i].rate || (cases[i].rate == 2 && rate == 1);
            outb(&b.rig, 0x3F7, rate);
            COMMAND(&b, 0x4A, 0);
            CU_ASSERT_EQUAL(b.result[0] & 0xC0, fits ? 0 : 0x40);
        }
        outb(&b.rig, 0x3F7, cases[i].rate);
        dma_count(&b, 512);
        COMMAND(&b, 0x46, 0, 0, 0, cases[i].spt & 0xFF, 2, 99, 0x1B, 0xFF);
        CU_ASSERT_EQUAL(b.result[0], 0);
        CU_ASSERT_EQUAL(b.channel.memory[0], cases[i].spt - 1);
        COMMAND(&b, 0x46, 0, 0, 0, (cases[i].spt + 1) & 0xFF, 2, 99, 0x1B, 1);
        CU_ASSERT_EQUAL(b.result[1], 4);
        teardown(&b);
    }
    CU_ASSERT_EQUAL(i82077_cmos_type(NULL), 0);
}

static void read_id_sees_the_disk_turn(void)
{
    struct bench b;
    unsigned seen = 0;

    setup(&b);
    for (unsigned i = 0; i < 18; i++) {
        COMMAND(&b, 0x4A, 4);
        CU_ASSERT_EQUAL(b.result[0], 4);
        CU_ASSERT_EQUAL(b.result[4], 1);
        CU_ASSERT_EQUAL(b.result[6], 2);
        CU_ASSERT(b.result[5] >= 1 && b.result[5] <= 18);
        seen |= 1u << b.result[5];
        b.rig.clock.instructions += 11111112;
    }
    CU_ASSERT_EQUAL(seen, 0x7FFFE);
    teardown(&b);
}

static void short_image_reads_zeros_and_takes_no_writes(void)
{
    struct bench b;

    setup_sized(&b, 1024, 0);
    outb(&b.rig, 0x3F2, 0x1C);
    outb(&b.rig, 0x3F7, 0);
    COMMAND(&b, 0x03, 0xDF, 0x02);
    memset(b.channel.memory, 0xAA, 2048);
    dma_count(&b, 1536);
    COMMAND(&b, 0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0);
    CU_ASSERT_EQUAL(b.channel.memory[512], 1);
    CU_ASSERT_EQUAL(b.channel.memory[1024], 0);
    CU_ASSERT_EQUAL(b.channel.memory[1535], 0);
    dma_count(&b, 1024);
    COMMAND(&b, 0x45, 0, 0, 0, 2, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 0x40);
    CU_ASSERT_EQUAL(b.disk[0].writes, 1);
    teardown(&b);
}

static void disk_change_line(void)
{
    struct bench b;

    setup(&b);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F7), 0x80); /* since power-on */
    COMMAND(&b, 0x07, 0);                      /* at track 0 already: no step */
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F7), 0x80);
    COMMAND(&b, 0x0F, 0, 1);
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F7), 0);
    b.disk[0].block.inserted = false;
    b.disk[0].block.changed(b.disk[0].block.ctx);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F7), 0x80);
    COMMAND(&b, 0x0F, 0, 2);
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F7), 0x80); /* still empty */
    COMMAND(&b, 0x46, 0, 2, 0, 1, 2, 18, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0] & 0xC8, 0x48);
    b.disk[0].block.inserted = true;
    COMMAND(&b, 0x0F, 0, 0);
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F7), 0);
    outb(&b.rig, 0x3F2, 0x0C); /* motor off: not driven */
    b.disk[0].block.changed(b.disk[0].block.ctx);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F7), 0);
    teardown(&b);
}

static void second_drive_is_its_own(void)
{
    struct bench b;

    setup_sized(&b, 1474560, 737280);
    outb(&b.rig, 0x3F2, 0x2D);
    outb(&b.rig, 0x3F7, 2);
    COMMAND(&b, 0x03, 0xDF, 0x02);
    COMMAND(&b, 0x0F, 1, 3);
    COMMAND(&b, 0x08);
    CU_ASSERT_EQUAL(b.result[0], 0x21);
    dma_count(&b, 512);
    COMMAND(&b, 0x46, 1, 3, 0, 9, 2, 9, 0x1B, 0xFF);
    CU_ASSERT_EQUAL(b.result[0], 1);
    CU_ASSERT_EQUAL(
        memcmp(b.channel.memory, b.disk[1].data + ((3 * 2) * 9 + 8) * 512, 512),
        0);
    COMMAND(&b, 0x0E);
    CU_ASSERT_EQUAL(b.result[0], 0);
    CU_ASSERT_EQUAL(b.result[1], 3);
    teardown(&b);
}

static void configuration_survives_reset_only_when_locked(void)
{
    struct bench b;

    setup(&b);
    CU_ASSERT_EQUAL(COMMAND(&b, 0x10), 1);
    CU_ASSERT_EQUAL(b.result[0], 0x90);
    CU_ASSERT_EQUAL(COMMAND(&b, 0x18), 1);
    COMMAND(&b, 0x13, 0, 0x1A, 9);
    CU_ASSERT_EQUAL(COMMAND(&b, 0x94), 1);
    CU_ASSERT_EQUAL(b.result[0], 0x10);
    outb(&b.rig, 0x3F4, 0x80);
    CU_ASSERT_TRUE(irq(&b)); /* drivers wait for it even with POLL set */
    CU_ASSERT_EQUAL(COMMAND(&b, 0x0E), 10);
    CU_ASSERT_EQUAL(b.result[8], 0x1A);
    CU_ASSERT_EQUAL(b.result[9], 9);
    CU_ASSERT_EQUAL(b.result[4], 0xDF);
    CU_ASSERT_EQUAL(b.result[7] & 0x80, 0x80);
    COMMAND(&b, 0x14);
    CU_ASSERT_EQUAL(b.result[0], 0);
    outb(&b.rig, 0x3F4, 0x80);
    COMMAND(&b, 0x0E);
    CU_ASSERT_EQUAL(b.result[8], 0x20);
    COMMAND(&b, 0x12, 0x87);
    COMMAND(&b, 0x0E);
    CU_ASSERT_EQUAL(b.result[7], 0x07);
    CU_ASSERT_EQUAL(COMMAND(&b, 0x1F), 1);
    CU_ASSERT_EQUAL(b.result[0], 0x80);
    teardown(&b);
}

static void result_must_be_taken_before_the_next_command(void)
{
    struct bench b;

    setup(&b);
    dma_count(&b, 512);
    static const uint8_t bytes[] = {0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF};
    for (unsigned i = 0; i < 9; i++)
        outb(&b.rig, 0x3F5, bytes[i]);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0xD0);
    CU_ASSERT_TRUE(irq(&b));
    outb(&b.rig, 0x3F5, 0x10);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0xD0);
    for (unsigned i = 0; i < 7; i++)
        inb(&b.rig, 0x3F5);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F4), 0x80);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x3F5), 0);
    teardown(&b);
}

/* What a driver does, with some of its bytes off. */
static void purposeful(struct bench *b, uint32_t *seed)
{
    static const uint8_t opcodes[] = {0x46, 0xC6, 0x45, 0xC5, 0x4D, 0x56, 0x4C};
    uint32_t x = rig_random(seed), y = rig_random(seed);
    unsigned unit = x & 1, track = x >> 8 & 7, head = x >> 4 & 1;

    outb(&b->rig, 0x3F2, 0x38);
    outb(&b->rig, 0x3F2, 0x3C);
    outb(&b->rig, 0x3F7, unit ? 2 : 0);
    COMMAND(b, 0x03, 0xDF, (uint8_t)(x >> 12 & 1));
    COMMAND(b, 0x0F, (uint8_t)unit, (uint8_t)track);
    const uint8_t data[9] = {opcodes[y % sizeof(opcodes)],
                             (uint8_t)(head << 2 | unit), (uint8_t)track,
                             (uint8_t)head, (uint8_t)(1 + (y >> 8) % 10), 2,
                             (uint8_t)(y >> 16 & 31), 0x1B, 0xFF};
    for (unsigned i = 0; i < 9; i++)
        outb(&b->rig, 0x3F5, data[i]);
    for (unsigned i = 0; i < (y >> 20 & 2047); i++) {
        if (y & 4)
            outb(&b->rig, 0x3F5, i);
        else
            inb(&b->rig, 0x3F5);
    }
}

static void storm_of_random_accesses(void)
{
    static const uint8_t opcodes[] = {0x46, 0xC6, 0x45, 0xC5, 0x4D, 0x4A, 0x07,
                                      0x08, 0x03, 0x0F, 0x8F, 0xCF, 0x56, 0x4C,
                                      0x42, 0x13, 0x94, 0x14, 0x12, 0x0E, 0x49};
    struct bench b;
    uint32_t seed = 77;

    setup_sized(&b, 1474560, 368640);
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t x = rig_random(&seed), value = rig_random(&seed);
        unsigned port = 0x3F0 + (x & 7);
        if (x & 0x300)
            port = 0x3F5;
        if (port == 0x3F2 && (x & 0x3C00))
            value = 0x3C | (value & 1);
        if (port == 0x3F5 && (x & 0xC000))
            value &= 0x1F;
        if ((x >> 16) % 32 == 0) {
            port = 0x3F5;
            value = opcodes[value % sizeof(opcodes)];
        }
        if ((x >> 22) % 4 == 0)
            bus_read(&b.rig.io, port, 1u << (x >> 28) % 3);
        else
            bus_write(&b.rig.io, port, value, 1u << (x >> 28) % 3);
        if (i % 64 == 0)
            dma_count(&b, value % 30000);
        if (i % 100 == 0)
            purposeful(&b, &seed);
        if (i % 512 == 0) {
            b.disk[x & 1].block.inserted = !(x & 2);
            b.disk[x & 1].block.changed(b.disk[x & 1].block.ctx);
        }
        b.rig.clock.instructions += x % 100000;
    }
    CU_ASSERT(b.disk[0].reads > 0);
    CU_ASSERT(b.disk[0].writes > 0);
    CU_ASSERT_EQUAL(i82077_class.loaded(b.rig.dev), 0);
    teardown(&b);
}

#define T(NAME)                                                                \
    {                                                                          \
#NAME, NAME                                                            \
    }
static const struct test tests[] = {
    T(reset_interrupts_and_four_senses_follow),
    T(dmagate_holds_the_interrupt_back),
    T(seek_and_recalibrate_report_through_sense),
    T(one_sense_after_reset_does_not_hide_a_seek),
    T(dma_read_crosses_heads_with_multi_track),
    T(terminal_count_at_the_end_of_track),
    T(dma_write_reaches_the_image),
    T(unserved_dma_is_an_overrun),
    T(sectors_that_are_not_there),
    T(implied_seek_moves_the_head),
    T(pio_read_ends_at_end_of_track),
    T(pio_write_and_format),
    T(format_by_dma),
    T(verify_and_deleted_data),
    T(formats_follow_from_the_size_and_rate),
    T(read_id_sees_the_disk_turn),
    T(short_image_reads_zeros_and_takes_no_writes),
    T(disk_change_line),
    T(second_drive_is_its_own),
    T(configuration_survives_reset_only_when_locked),
    T(result_must_be_taken_before_the_next_command),
    T(storm_of_random_accesses),
    {NULL, NULL},
};

TEST_MAIN("i82077", tests)
