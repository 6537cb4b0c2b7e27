/* The ATAPI CD-ROM drive: packets by PIO and DMA, reports, medium changes. */
#include "devices/ide.h"
#include "tests/devices/storage.h"

#define CMD 0x170u
#define CTL 0x376u
#define BM 0xC008u
#define SECTORS 50u

struct bench {
    struct rig rig;
    struct ram_disk cd;
    uint8_t data[65536];
    size_t got;      /* bytes of the last PIO reply */
    unsigned blocks; /* DRQ blocks it came in */
};

static void setup(struct bench *b)
{
    static const struct ide_config config = {
        .unit = {[2] = {.cdrom = true, .model = "TEST CD", .serial = "S1"}}};

    rig_init(&b->rig, &ide_class);
    ram_disk_init(&b->cd, SECTORS * 2048);
    b->cd.block.read_only = true;
    b->rig.dev->config = &config;
    b->rig.dev->drive[2] = &b->cd.block;
    CU_ASSERT_EQUAL_FATAL(device_init(b->rig.dev), 0);
    device_reset(b->rig.dev);
    struct pci_function *f = ide_pci(b->rig.dev);
    pci_config_write(f, PCI_BAR0 + 16, BM & ~15u, 4);
    pci_config_write(f, PCI_COMMAND, 5, 2);
}

static void teardown(struct bench *b)
{
    CU_ASSERT_EQUAL(b->cd.outside, 0);
    CU_ASSERT_EQUAL(b->cd.writes, 0);
    rig_fini(&b->rig);
    ram_disk_fini(&b->cd);
}

/* Sends a packet; features bit 0 asks for DMA. */
static void send(struct bench *b, const uint8_t *cdb, unsigned limit,
                 unsigned features)
{
    outb(&b->rig, CMD + 6, 0xA0);
    outb(&b->rig, CMD + 1, features);
    outb(&b->rig, CMD + 4, limit & 0xFF);
    outb(&b->rig, CMD + 5, limit >> 8);
    outb(&b->rig, CMD + 7, 0xA0);
    CU_ASSERT_EQUAL(inb(&b->rig, CMD + 7), 0x58);
    CU_ASSERT_EQUAL(inb(&b->rig, CMD + 2), 1); /* send the command */
    for (unsigned i = 0; i < 12; i += 2)
        bus_write(&b->rig.io, CMD, (uint32_t)cdb[i] | (uint32_t)cdb[i + 1] << 8,
                  2);
}

/* Sends and collects the reply by PIO. Returns the final status. */
static uint8_t packet(struct bench *b, const uint8_t *cdb, unsigned limit)
{
    b->got = 0;
    b->blocks = 0;
    send(b, cdb, limit, 0);
    for (;;) {
        CU_ASSERT_TRUE(rig_wires(&b->rig)->level[1]);
        uint8_t status = inb(&b->rig, CMD + 7);
        if (!(status & 8)) {
            CU_ASSERT_EQUAL(inb(&b->rig, CMD + 2), 3);
            return status;
        }
        CU_ASSERT_EQUAL(inb(&b->rig, CMD + 2), 2);
        unsigned bytes = inb(&b->rig, CMD + 4) | (unsigned)inb(&b->rig, CMD + 5)
                                                     << 8;
        CU_ASSERT(bytes > 0 && bytes <= limit);
        for (unsigned i = 0; i < bytes; i += 2) {
            uint16_t word = (uint16_t)bus_read(&b->rig.io, CMD, 2);
            if (b->got + i + 1 < sizeof(b->data))
                memcpy(b->data + b->got + i, &word, 2);
        }
        b->got += bytes;
        if (++b->blocks > 100)
            return 0xFF;
    }
}

static uint8_t simple(struct bench *b, uint8_t opcode, uint8_t byte4)
{
    const uint8_t cdb[12] = {opcode, 0, 0, 0, byte4};

    return packet(b, cdb, 0xFFFE);
}

/* REQUEST SENSE as key << 16 | asc << 8 | ascq. */
static uint32_t sense(struct bench *b)
{
    CU_ASSERT_EQUAL(simple(b, 0x03, 18), 0x50);
    CU_ASSERT_EQUAL(b->got, 18);
    return (uint32_t)b->data[2] << 16 | (uint32_t)b->data[12] << 8 |
           b->data[13];
}

static void reset_leaves_the_packet_signature(void)
{
    struct bench b;

    setup(&b);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 4), 0x14);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 5), 0xEB);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0);
    outb(&b.rig, CMD + 4, 0);
    outb(&b.rig, CMD + 7, 0xEC); /* IDENTIFY DEVICE aborts with it too */
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 4), 0x14);
    outb(&b.rig, CMD + 4, 0);
    outb(&b.rig, CMD + 7, 0x08);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 5), 0xEB);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[1]);
    outb(&b.rig, CMD + 7, 0x30); /* a disk's command */
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    teardown(&b);
}

static void identify_packet_device_is_one_pio_block(void)
{
    struct bench b;
    uint16_t id[256];

    setup(&b);
    outb(&b.rig, CMD + 7, 0xA1);
    CU_ASSERT_EQUAL(rig_wires(&b.rig)->edges[1], 1);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x58);
    for (unsigned i = 0; i < 256; i++)
        id[i] = (uint16_t)bus_read(&b.rig.io, CMD, 2);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    CU_ASSERT_EQUAL(rig_wires(&b.rig)->edges[1], 1);
    CU_ASSERT_EQUAL(id[0], 0x85C0);
    CU_ASSERT_EQUAL(id[27], 'T' << 8 | 'E');
    CU_ASSERT_EQUAL(id[10], 'S' << 8 | '1');
    teardown(&b);
}

static void inquiry_names_a_removable_cd_rom(void)
{
    struct bench b;

    setup(&b);
    CU_ASSERT_EQUAL(simple(&b, 0x12, 36), 0x50);
    CU_ASSERT_EQUAL(b.got, 36);
    CU_ASSERT_EQUAL(b.data[0], 5);
    CU_ASSERT_EQUAL(b.data[1], 0x80);
    CU_ASSERT_EQUAL(memcmp(b.data + 16, "TEST CD         ", 16), 0);
    CU_ASSERT_EQUAL(simple(&b, 0x12, 5), 0x50); /* allocation, odd */
    CU_ASSERT_EQUAL(b.got, 5);
    CU_ASSERT_EQUAL(simple(&b, 0x12, 0), 0x50);
    CU_ASSERT_EQUAL(b.got, 0);
    teardown(&b);
}

static void read10_comes_in_blocks_of_the_byte_count(void)
{
    struct bench b;
    const uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 3};
    static const unsigned limits[] = {2048, 512, 0xFFFE, 3000, 6144};
    static const unsigned blocks[] = {3, 12, 1, 3, 1};

    setup(&b);
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(packet(&b, cdb, limits[i]), 0x50);
        CU_ASSERT_EQUAL(b.got, 6144);
        CU_ASSERT_EQUAL(b.blocks, blocks[i]);
        CU_ASSERT_EQUAL(memcmp(b.data, b.cd.data + 7 * 2048, 6144), 0);
    }
    teardown(&b);
}

static void read12_by_dma_fills_memory(void)
{
    struct bench b;
    const uint8_t cdb[12] = {0xA8, 0, 0, 0, 0, 2, 0, 0, 0, 40};

    setup(&b);
    bus_write(&b.rig.memory, 0x1000, 0x10000, 4);
    bus_write(&b.rig.memory, 0x1004, 0, 4);
    bus_write(&b.rig.memory, 0x1008, 0x20000, 4);
    bus_write(&b.rig.memory, 0x100C, 0x80000000u | (40 * 2048 - 65536), 4);
    bus_write(&b.rig.io, BM + 4, 0x1000, 4);
    send(&b, cdb, 0xFFFE, 1);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[1]);
    outb(&b.rig, BM, 9);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[1]);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 4);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 2), 3);
    CU_ASSERT_EQUAL(
        memcmp(b.rig.ram.host + 0x10000, b.cd.data + 4096, 40 * 2048), 0);
    teardown(&b);
}

static void read_beyond_the_end_is_refused(void)
{
    struct bench b;
    uint8_t cdb[12] = {0x28, 0, 0, 0, 0, SECTORS - 1, 0, 0, 2};
    const uint8_t far[12] = {0xA8, 0, 0xFF, 0xFF, 0xFF, 0xFF,
                             0xFF, 0xFF, 0xFF, 0xFF};

    setup(&b);
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x51);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1) >> 4, 5);
    CU_ASSERT_EQUAL(sense(&b), 0x052100);
    CU_ASSERT_EQUAL(sense(&b), 0); /* told once */
    CU_ASSERT_EQUAL(packet(&b, far, 2048), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x052100);
    cdb[8] = 0; /* nothing to read is no error */
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x50);
    cdb[0] = 0x2B;
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x50);
    cdb[5] = SECTORS;
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x51);
    teardown(&b);
}

static void unreadable_sector_is_a_medium_error(void)
{
    struct bench b;
    const uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 3};

    setup(&b);
    b.cd.bad_sector = 8 * 4;
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x51);
    CU_ASSERT_EQUAL(b.got, 2048);
    CU_ASSERT_EQUAL(sense(&b), 0x031100);
    teardown(&b);
}

static void odd_image_ends_with_zeros(void)
{
    struct bench b;
    const uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 9, 0, 0, 1};

    setup(&b);
    b.cd.block.size_bytes = 9 * 2048 + 512;
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x50);
    CU_ASSERT_EQUAL(memcmp(b.data, b.cd.data + 9 * 2048, 512), 0);
    for (unsigned i = 512; i < 2048; i++)
        if (b.data[i])
            CU_FAIL("not zero");
    teardown(&b);
}

static void read_cd_builds_raw_sectors(void)
{
    struct bench b;
    uint8_t cdb[12] = {0xBE, 0, 0, 0, 0, 5, 0, 0, 2, 0xF8};
    static const uint8_t head[16] = {0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                     0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0,
                                     0, 2, 5, 1};

    setup(&b);
    CU_ASSERT_EQUAL(packet(&b, cdb, 2352), 0x50);
    CU_ASSERT_EQUAL(b.got, 2 * 2352);
    CU_ASSERT_EQUAL(memcmp(b.data, head, 16), 0);
    CU_ASSERT_EQUAL(memcmp(b.data + 16, b.cd.data + 5 * 2048, 2048), 0);
    CU_ASSERT_EQUAL(memcmp(b.data + 2352 + 16, b.cd.data + 6 * 2048, 2048), 0);
    cdb[9] = 0x10;
    CU_ASSERT_EQUAL(packet(&b, cdb, 0xFFFE), 0x50);
    CU_ASSERT_EQUAL(memcmp(b.data, b.cd.data + 5 * 2048, 4096), 0);
    cdb[9] = 0;
    CU_ASSERT_EQUAL(packet(&b, cdb, 0xFFFE), 0x50);
    CU_ASSERT_EQUAL(b.got, 0);
    cdb[1] = 1 << 2; /* audio */
    CU_ASSERT_EQUAL(packet(&b, cdb, 0xFFFE), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x056400);
    teardown(&b);
}

static void capacity_and_toc_describe_one_data_track(void)
{
    struct bench b;
    uint8_t toc[12] = {0x43, 0, 0, 0, 0, 0, 0, 0x03, 0x00};

    setup(&b);
    CU_ASSERT_EQUAL(simple(&b, 0x25, 0), 0x50);
    static const uint8_t capacity[8] = {0, 0, 0, SECTORS - 1, 0, 0, 8, 0};
    CU_ASSERT_EQUAL(memcmp(b.data, capacity, 8), 0);

    CU_ASSERT_EQUAL(packet(&b, toc, 2048), 0x50);
    static const uint8_t lba[20] = {0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0,
                                    0, 0x14, 0xAA, 0, 0, 0, 0, SECTORS};
    CU_ASSERT_EQUAL(b.got, 20);
    CU_ASSERT_EQUAL(memcmp(b.data, lba, 20), 0);
    toc[1] = 2; /* MSF */
    CU_ASSERT_EQUAL(packet(&b, toc, 2048), 0x50);
    CU_ASSERT_EQUAL(b.data[10], 2);
    CU_ASSERT_EQUAL(b.data[18], 2); /* 50 frames after 00:02:00 */
    CU_ASSERT_EQUAL(b.data[19], 50);
    toc[6] = 0xAA;
    CU_ASSERT_EQUAL(packet(&b, toc, 2048), 0x50);
    CU_ASSERT_EQUAL(b.got, 12);
    toc[6] = 2;
    CU_ASSERT_EQUAL(packet(&b, toc, 2048), 0x51);
    toc[6] = 0;
    toc[9] = 0x40; /* sessions, in the older place */
    CU_ASSERT_EQUAL(packet(&b, toc, 2048), 0x50);
    CU_ASSERT_EQUAL(b.got, 12);
    toc[9] = 0;
    toc[2] = 2;
    CU_ASSERT_EQUAL(packet(&b, toc, 2048), 0x50);
    CU_ASSERT_EQUAL(b.got, 4 + 4 * 11);
    CU_ASSERT_EQUAL(b.data[4 + 3], 0xA0);
    CU_ASSERT_EQUAL(b.data[4 + 33 + 3], 1);
    toc[2] = 5;
    CU_ASSERT_EQUAL(packet(&b, toc, 2048), 0x51);
    teardown(&b);
}

static void mode_sense_pages(void)
{
    struct bench b;
    uint8_t cdb[12] = {0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 128};

    setup(&b);
    CU_ASSERT_EQUAL(packet(&b, cdb, 512), 0x50);
    CU_ASSERT_EQUAL(b.got, 28);
    CU_ASSERT_EQUAL(b.data[1], 26);
    CU_ASSERT_EQUAL(b.data[8], 0x2A);
    CU_ASSERT_EQUAL(b.data[9], 18);
    cdb[2] = 0x3F;
    CU_ASSERT_EQUAL(packet(&b, cdb, 512), 0x50);
    CU_ASSERT_EQUAL(b.got, 8 + 8 + 16 + 20);
    cdb[2] = 0xEA; /* saved */
    CU_ASSERT_EQUAL(packet(&b, cdb, 512), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x053900);
    cdb[2] = 0x6A; /* changeable: nothing */
    CU_ASSERT_EQUAL(packet(&b, cdb, 512), 0x50);
    CU_ASSERT_EQUAL(b.data[8], 0x2A);
    CU_ASSERT_EQUAL(b.data[10], 0);
    cdb[2] = 0x05;
    CU_ASSERT_EQUAL(packet(&b, cdb, 512), 0x51);
    const uint8_t six[12] = {0x1A, 0, 0x01, 0, 255};
    CU_ASSERT_EQUAL(packet(&b, six, 512), 0x50);
    CU_ASSERT_EQUAL(b.got, 12);
    CU_ASSERT_EQUAL(b.data[0], 11);
    teardown(&b);
}

static void configuration_disc_and_mechanism(void)
{
    struct bench b;
    uint8_t cdb[12] = {0x46, 0, 0, 0, 0, 0, 0, 4, 0};

    setup(&b);
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x50);
    CU_ASSERT_EQUAL(b.data[7], 8); /* CD-ROM */
    CU_ASSERT_EQUAL(b.data[3] + 4u, b.got);
    cdb[1] = 2; /* one feature */
    cdb[3] = 0x10;
    CU_ASSERT_EQUAL(packet(&b, cdb, 2048), 0x50);
    CU_ASSERT_EQUAL(b.got, 20);
    CU_ASSERT_EQUAL(b.data[9], 0x10);
    const uint8_t disc[12] = {0x51, 0, 0, 0, 0, 0, 0, 0, 34};
    CU_ASSERT_EQUAL(packet(&b, disc, 2048), 0x50);
    CU_ASSERT_EQUAL(b.got, 34);
    CU_ASSERT_EQUAL(b.data[2], 0x0E);
    const uint8_t mechanism[12] = {0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8};
    CU_ASSERT_EQUAL(packet(&b, mechanism, 2048), 0x50);
    CU_ASSERT_EQUAL(b.got, 8);
    CU_ASSERT_EQUAL(simple(&b, 0xBB, 0), 0x50);
    CU_ASSERT_EQUAL(simple(&b, 0x42, 0), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x052000);
    teardown(&b);
}

static void medium_change_is_told_in_two_steps(void)
{
    struct bench b;
    const uint8_t event[12] = {0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8};

    setup(&b);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x50);
    b.cd.block.changed(b.cd.block.ctx);
    CU_ASSERT_EQUAL(packet(&b, event, 2048), 0x50);
    CU_ASSERT_EQUAL(b.data[4], 2); /* new medium */
    CU_ASSERT_EQUAL(b.data[5], 2);
    CU_ASSERT_EQUAL(packet(&b, event, 2048), 0x50);
    CU_ASSERT_EQUAL(b.data[4], 0);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x023A00);
    CU_ASSERT_EQUAL(simple(&b, 0x12, 36), 0x50); /* INQUIRY never minds */
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x062800);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x50);
    /* Out, and in again. */
    b.cd.block.inserted = false;
    b.cd.block.changed(b.cd.block.ctx);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x023A01);
    CU_ASSERT_EQUAL(simple(&b, 0x25, 0), 0x51);
    CU_ASSERT_EQUAL(packet(&b, event, 2048), 0x50);
    CU_ASSERT_EQUAL(b.data[5], 0);
    b.cd.block.inserted = true;
    b.cd.block.changed(b.cd.block.ctx);
    simple(&b, 0, 0);
    simple(&b, 0, 0);
    CU_ASSERT_EQUAL(sense(&b), 0x062800);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x50);
    teardown(&b);
}

static void eject_waits_for_the_lock(void)
{
    struct bench b;

    setup(&b);
    CU_ASSERT_EQUAL(simple(&b, 0x1E, 1), 0x50);
    CU_ASSERT_EQUAL(simple(&b, 0x1B, 2), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x055302);
    CU_ASSERT_EQUAL(simple(&b, 0x1E, 0), 0x50);
    CU_ASSERT_EQUAL(simple(&b, 0x1B, 2), 0x50);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x023A02); /* tray open */
    device_reset(b.rig.dev);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x51);
    CU_ASSERT_EQUAL(simple(&b, 0x1B, 3), 0x50); /* load */
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x062800);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x50);
    teardown(&b);
}

static void medium_removed_in_a_transfer_ends_it(void)
{
    struct bench b;
    const uint8_t cdb[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 3};

    setup(&b);
    send(&b, cdb, 2048, 0);
    b.cd.block.inserted = false;
    b.cd.block.changed(b.cd.block.ctx);
    for (unsigned i = 0; i < 1024; i++)
        bus_read(&b.rig.io, CMD, 2);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x023A00);
    teardown(&b);
}

static void drive_without_a_block_is_empty(void)
{
    static const struct ide_config config = {.unit = {[2] = {.cdrom = true}}};
    struct bench b;

    memset(&b, 0, sizeof(b));
    rig_init(&b.rig, &ide_class);
    b.rig.dev->config = &config;
    CU_ASSERT_EQUAL_FATAL(device_init(b.rig.dev), 0);
    device_reset(b.rig.dev);
    CU_ASSERT_EQUAL(simple(&b, 0, 0), 0x51);
    CU_ASSERT_EQUAL(sense(&b), 0x023A01);
    CU_ASSERT_EQUAL(simple(&b, 0x1B, 3), 0x50);
    rig_fini(&b.rig);
}

#define T(NAME)                                                                \
    {                                                                          \
#NAME, NAME                                                            \
    }
static const struct test tests[] = {
    T(reset_leaves_the_packet_signature),
    T(identify_packet_device_is_one_pio_block),
    T(inquiry_names_a_removable_cd_rom),
    T(read10_comes_in_blocks_of_the_byte_count),
    T(read12_by_dma_fills_memory),
    T(read_beyond_the_end_is_refused),
    T(unreadable_sector_is_a_medium_error),
    T(odd_image_ends_with_zeros),
    T(read_cd_builds_raw_sectors),
    T(capacity_and_toc_describe_one_data_track),
    T(mode_sense_pages),
    T(configuration_disc_and_mechanism),
    T(medium_change_is_told_in_two_steps),
    T(eject_waits_for_the_lock),
    T(medium_removed_in_a_transfer_ends_it),
    T(drive_without_a_block_is_empty),
    {NULL, NULL},
};

TEST_MAIN("atapi", tests)
