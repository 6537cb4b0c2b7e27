/*
 * IDE hard disks through their ports: registers, PIO, bus master, and what a
 * hostile guest may try. ATAPI is in test_atapi.c.
 */
#include "devices/ide.h"
#include "tests/devices/storage.h"

#define CMD 0x1F0u
#define CTL 0x3F6u
#define BM 0xC000u
#define SECTORS 4096u

struct bench {
    struct rig rig;
    struct ram_disk disk;
};

static void setup(struct bench *b)
{
    rig_init(&b->rig, &ide_class);
    ram_disk_init(&b->disk, SECTORS * 512);
    b->rig.dev->drive[0] = &b->disk.block;
    CU_ASSERT_EQUAL_FATAL(device_init(b->rig.dev), 0);
    device_reset(b->rig.dev);
    struct pci_function *f = ide_pci(b->rig.dev);
    pci_config_write(f, PCI_BAR0 + 16, BM, 4);
    pci_config_write(f, PCI_COMMAND, 5, 2);
}

static void teardown(struct bench *b)
{
    CU_ASSERT_EQUAL(b->disk.outside, 0);
    rig_fini(&b->rig);
    ram_disk_fini(&b->disk);
}

static void task(struct bench *b, uint32_t lba, unsigned count,
                 unsigned command)
{
    struct rig *r = &b->rig;

    outb(r, CMD + 6, 0xE0 | (lba >> 24 & 15));
    outb(r, CMD + 2, count & 0xFF);
    outb(r, CMD + 3, lba & 0xFF);
    outb(r, CMD + 4, lba >> 8 & 0xFF);
    outb(r, CMD + 5, lba >> 16 & 0xFF);
    outb(r, CMD + 7, command);
}

static void task_ext(struct bench *b, uint64_t lba, unsigned count,
                     unsigned command)
{
    struct rig *r = &b->rig;

    outb(r, CMD + 6, 0x40);
    outb(r, CMD + 2, count >> 8);
    outb(r, CMD + 3, (unsigned)(lba >> 24) & 0xFF);
    outb(r, CMD + 4, (unsigned)(lba >> 32) & 0xFF);
    outb(r, CMD + 5, (unsigned)(lba >> 40) & 0xFF);
    outb(r, CMD + 2, count & 0xFF);
    outb(r, CMD + 3, (unsigned)lba & 0xFF);
    outb(r, CMD + 4, (unsigned)(lba >> 8) & 0xFF);
    outb(r, CMD + 5, (unsigned)(lba >> 16) & 0xFF);
    outb(r, CMD + 7, command);
}

static void take(struct bench *b, void *to, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        uint16_t word = (uint16_t)bus_read(&b->rig.io, CMD, 2);
        memcpy((uint8_t *)to + 2 * i, &word, 2);
    }
}

static void give(struct bench *b, const void *from, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        uint16_t word;
        memcpy(&word, (const uint8_t *)from + 2 * i, 2);
        bus_write(&b->rig.io, CMD, word, 2);
    }
}

/* Reads status without acknowledging. */
static uint8_t status(struct bench *b)
{
    return inb(&b->rig, CTL);
}

static void prd(struct bench *b, unsigned n, uint32_t address, unsigned bytes,
                bool last)
{
    bus_write(&b->rig.memory, 0x1000 + 8 * n, address, 4);
    bus_write(&b->rig.memory, 0x1004 + 8 * n,
              (bytes & 0xFFFF) | (last ? 0x80000000u : 0), 4);
}

static void start_master(struct bench *b, bool to_memory)
{
    bus_write(&b->rig.io, BM + 4, 0x1000, 4);
    outb(&b->rig, BM + 2, 6);
    outb(&b->rig, BM, to_memory ? 9 : 1);
}

static bool same(struct bench *b, uint32_t gpa, uint32_t lba, size_t bytes)
{
    return memcmp(b->rig.ram.host + gpa, b->disk.data + 512 * (size_t)lba,
                  bytes) == 0;
}

/* ---- registers -------------------------------------------------------- */

static void reset_leaves_the_ata_signature(void)
{
    struct bench b;

    setup(&b);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 1);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 2), 1);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3), 1);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 4), 0);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 5), 0);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    teardown(&b);
}

static void srst_shows_busy_and_aborts_a_transfer(void)
{
    struct bench b;

    setup(&b);
    task(&b, 3, 1, 0x20);
    CU_ASSERT_EQUAL(status(&b), 0x58);
    outb(&b.rig, CTL, 4);
    CU_ASSERT_EQUAL(status(&b), 0x80);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]);
    outb(&b.rig, CMD + 7, 0x20); /* ignored while reset is held */
    outb(&b.rig, CTL, 0);
    CU_ASSERT_EQUAL(status(&b), 0x50);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3), 1);
    teardown(&b);
}

static void absent_drives_read_zero(void)
{
    struct bench b;

    setup(&b);
    outb(&b.rig, CMD + 6, 0xB0);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0);
    outb(&b.rig, CMD + 7, 0xEC);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x177), 0);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x376), 0);
    outb(&b.rig, 0x172, 0x55);
    CU_ASSERT_EQUAL(inb(&b.rig, 0x172), 0);
    outb(&b.rig, 0x177, 0x90);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[1]);
    teardown(&b);
}

static void hob_shows_the_older_register_layer(void)
{
    struct bench b;

    setup(&b);
    outb(&b.rig, CMD + 3, 0x12);
    outb(&b.rig, CMD + 3, 0x34);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3), 0x34);
    outb(&b.rig, CTL, 0x80);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3), 0x12);
    outb(&b.rig, CMD + 2, 1); /* any write clears HOB */
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3), 0x34);
    teardown(&b);
}

static void interrupt_follows_nien_and_status_clears_it(void)
{
    struct bench b;

    setup(&b);
    task(&b, 0, 1, 0x40);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 4, 0x04);
    status(&b);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    inb(&b.rig, CMD + 7);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]);
    outb(&b.rig, CTL, 2);
    task(&b, 0, 1, 0x40);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]);
    outb(&b.rig, CTL, 0); /* still pending */
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    teardown(&b);
}

/* ---- commands --------------------------------------------------------- */

static void identify_tells_size_modes_and_name(void)
{
    struct bench b;
    uint16_t id[256];
    uint8_t sum = 0;

    setup(&b);
    task(&b, 0, 0, 0xEC);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    take(&b, id, 256);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    CU_ASSERT_EQUAL(id[0], 0x0040);
    CU_ASSERT_EQUAL(id[1], SECTORS / 1008);
    CU_ASSERT_EQUAL(id[3], 16);
    CU_ASSERT_EQUAL(id[6], 63);
    CU_ASSERT_EQUAL(id[27], 'V' << 8 | 'I');
    CU_ASSERT_EQUAL(id[60] | (uint32_t)id[61] << 16, SECTORS);
    CU_ASSERT_EQUAL(id[100], SECTORS);
    CU_ASSERT_EQUAL(id[63], 0x0407);
    CU_ASSERT_EQUAL(id[83] & 0xC400, 0x4400);
    for (size_t i = 0; i < 512; i++)
        sum = (uint8_t)(sum + ((uint8_t *)id)[i]);
    CU_ASSERT_EQUAL(sum, 0);
    unsigned c, h, s;
    CU_ASSERT_TRUE(ide_geometry(b.rig.dev, 0, &c, &h, &s));
    CU_ASSERT_EQUAL(c, id[1]);
    CU_ASSERT_FALSE(ide_geometry(b.rig.dev, 1, &c, &h, &s));
    teardown(&b);
}

static void pio_read_interrupts_once_a_sector(void)
{
    struct bench b;
    uint8_t data[1536];

    setup(&b);
    task(&b, 100, 3, 0x20);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(rig_wires(&b.rig)->edges[0], i + 1);
        CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x58);
        take(&b, data + 512 * i, 256);
    }
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    CU_ASSERT_EQUAL(rig_wires(&b.rig)->edges[0], 3);
    CU_ASSERT_EQUAL(memcmp(data, b.disk.data + 51200, 1536), 0);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3), 102);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 2), 0);
    teardown(&b);
}

static void data_port_takes_bytes_and_dwords(void)
{
    struct bench b;
    uint8_t data[512];

    setup(&b);
    task(&b, 9, 1, 0x20);
    for (unsigned i = 0; i < 64; i++)
        data[i] = inb(&b.rig, CMD);
    for (unsigned i = 64; i < 512; i += 4) {
        uint32_t word = (uint32_t)bus_read(&b.rig.io, CMD, 4);
        memcpy(data + i, &word, 4);
    }
    CU_ASSERT_EQUAL(memcmp(data, b.disk.data + 9 * 512, 512), 0);
    CU_ASSERT_EQUAL(status(&b), 0x50);
    CU_ASSERT_EQUAL(bus_read(&b.rig.io, CMD, 2), 0);
    teardown(&b);
}

static void pio_write_reaches_the_disk_sector_by_sector(void)
{
    struct bench b;
    uint8_t data[1024];

    setup(&b);
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i ^ 0xA5);
    task(&b, 7, 2, 0x30);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]); /* first block: no irq */
    CU_ASSERT_EQUAL(status(&b), 0x58);
    give(&b, data, 255);
    CU_ASSERT_EQUAL(b.disk.writes, 0);
    give(&b, data + 510, 1);
    CU_ASSERT_EQUAL(b.disk.writes, 1);
    CU_ASSERT_EQUAL(memcmp(b.disk.data + 7 * 512, data, 512), 0);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x58);
    give(&b, data + 512, 256);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    CU_ASSERT_EQUAL(memcmp(b.disk.data + 7 * 512, data, 1024), 0);
    teardown(&b);
}

static void multiple_moves_blocks(void)
{
    struct bench b;
    uint8_t data[4096];

    setup(&b);
    task(&b, 0, 8, 0xC4);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51); /* not set: aborted */
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 4);
    task(&b, 0, 3, 0xC6);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    task(&b, 0, 4, 0xC6);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    unsigned edges = rig_wires(&b.rig)->edges[0];
    task(&b, 20, 6, 0xC4);
    take(&b, data, 4 * 256);
    take(&b, data + 2048, 2 * 256);
    inb(&b.rig, CMD + 7);
    CU_ASSERT_EQUAL(rig_wires(&b.rig)->edges[0], edges + 1);
    CU_ASSERT_EQUAL(memcmp(data, b.disk.data + 20 * 512, 6 * 512), 0);
    CU_ASSERT_EQUAL(status(&b), 0x50);
    task_ext(&b, 200, 5, 0x39);
    give(&b, data, 5 * 256);
    CU_ASSERT_EQUAL(memcmp(data, b.disk.data + 200 * 512, 5 * 512), 0);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    teardown(&b);
}

static void chs_uses_the_current_translation(void)
{
    struct bench b;
    uint8_t data[512];

    setup(&b);
    /* cylinder 2, head 3, sector 4 of 16 x 63 */
    outb(&b.rig, CMD + 6, 0xA3);
    outb(&b.rig, CMD + 2, 1);
    outb(&b.rig, CMD + 3, 4);
    outb(&b.rig, CMD + 4, 2);
    outb(&b.rig, CMD + 5, 0);
    outb(&b.rig, CMD + 7, 0x20);
    take(&b, data, 256);
    CU_ASSERT_EQUAL(data[0] | data[1] << 8, (2 * 16 + 3) * 63 + 3);
    /* 4 heads of 17 sectors */
    outb(&b.rig, CMD + 6, 0xA3);
    outb(&b.rig, CMD + 2, 17);
    outb(&b.rig, CMD + 7, 0x91);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    outb(&b.rig, CMD + 2, 1);
    outb(&b.rig, CMD + 3, 17);
    outb(&b.rig, CMD + 4, 1);
    outb(&b.rig, CMD + 7, 0x20);
    take(&b, data, 256);
    CU_ASSERT_EQUAL(data[0], (1 * 4 + 3) * 17 + 16);
    /* sector 0, and head 4 of 4, do not exist */
    outb(&b.rig, CMD + 3, 0);
    outb(&b.rig, CMD + 7, 0x20);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 0x10);
    outb(&b.rig, CMD + 3, 1);
    outb(&b.rig, CMD + 6, 0xA4);
    outb(&b.rig, CMD + 7, 0x20);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 0x10);
    /* no sectors a track */
    outb(&b.rig, CMD + 2, 0);
    outb(&b.rig, CMD + 7, 0x91);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 4);
    teardown(&b);
}

static void nothing_beyond_the_end_is_touched(void)
{
    struct bench b;
    static const uint8_t reads[] = {0x20, 0x40, 0xC8}, writes[] = {0x30, 0xCA};

    setup(&b);
    for (unsigned i = 0; i < sizeof(reads); i++) {
        task(&b, SECTORS - 1, 2, reads[i]);
        CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
        CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 0x10);
    }
    for (unsigned i = 0; i < sizeof(writes); i++) {
        task(&b, SECTORS - 3, 4, writes[i]);
        CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    }
    task_ext(&b, UINT64_C(0xFFFFFFFFFFFF), 0, 0x34);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    task_ext(&b, 0, 0, 0x24); /* 65536 sectors */
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    CU_ASSERT_EQUAL(b.disk.writes, 0);
    task(&b, SECTORS - 1, 1, 0x40);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    teardown(&b);
}

static void bad_sector_is_named(void)
{
    struct bench b;
    uint8_t data[512];

    setup(&b);
    b.disk.bad_sector = 301;
    task(&b, 300, 4, 0x20);
    take(&b, data, 256);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 0x40);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3), 301 & 0xFF);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 4), 301 >> 8);
    teardown(&b);
}

static void read_only_disk_refuses_writes(void)
{
    struct bench b;

    setup(&b);
    b.disk.block.read_only = true;
    task(&b, 0, 1, 0x30);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    task(&b, 0, 1, 0xCA);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    CU_ASSERT_EQUAL(b.disk.writes, 0);
    teardown(&b);
}

static void flush_and_write_cache_off_reach_the_backend(void)
{
    struct bench b;
    uint8_t data[512] = {0};

    setup(&b);
    task(&b, 0, 0, 0xE7);
    CU_ASSERT_EQUAL(b.disk.flushes, 1);
    task(&b, 0, 0, 0xEA);
    CU_ASSERT_EQUAL(b.disk.flushes, 2);
    task(&b, 5, 1, 0x30);
    give(&b, data, 256);
    CU_ASSERT_EQUAL(b.disk.flushes, 2);
    outb(&b.rig, CMD + 1, 0x82);
    outb(&b.rig, CMD + 7, 0xEF);
    CU_ASSERT_EQUAL(b.disk.flushes, 3);
    task(&b, 5, 1, 0x30);
    give(&b, data, 256);
    CU_ASSERT_EQUAL(b.disk.flushes, 4);
    teardown(&b);
}

static void other_commands_answer_as_the_standard_says(void)
{
    struct bench b;

    setup(&b);
    static const uint8_t good[] = {0x10, 0x1F, 0x70, 0x94, 0x95, 0x96, 0x97,
                                   0x99, 0xE0, 0xE1, 0xE2, 0xE3, 0xE6};
    static const uint8_t aborted[] = {0x00, 0x08, 0xA0, 0xA1, 0xB0, 0xF9,
                                      0xFF, 0x22, 0x32};
    for (unsigned i = 0; i < sizeof(good); i++) {
        task(&b, 1, 1, good[i]);
        CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    }
    for (unsigned i = 0; i < sizeof(aborted); i++) {
        task(&b, 1, 1, aborted[i]);
        CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
        CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 4);
    }
    task(&b, 0, 0, 0xE5);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 2), 0xFF);
    task(&b, 0, 0, 0xF8);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 3) | inb(&b.rig, CMD + 4) << 8,
                    SECTORS - 1);
    task_ext(&b, 0, 0, 0x27);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 4), (SECTORS - 1) >> 8);
    outb(&b.rig, CMD + 2, 0x45);
    outb(&b.rig, CMD + 1, 3);
    outb(&b.rig, CMD + 7, 0xEF);
    uint16_t id[256];
    task(&b, 0, 0, 0xEC);
    take(&b, id, 256);
    CU_ASSERT_EQUAL(id[88], 0x203F);
    CU_ASSERT_EQUAL(id[63], 0x0007);
    outb(&b.rig, CMD + 7, 0x90);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 1), 1);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    teardown(&b);
}

/* ---- bus master ------------------------------------------------------- */

static void dma_read_gathers_into_regions(void)
{
    struct bench b;

    setup(&b);
    prd(&b, 0, 0x10000, 510, false); /* not a whole sector */
    prd(&b, 1, 0x20000, 1538, true);
    task(&b, 64, 4, 0xC8);
    CU_ASSERT_EQUAL(status(&b), 0x58);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]);
    start_master(&b, true);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 4);
    CU_ASSERT_TRUE(same(&b, 0x10000, 64, 510));
    CU_ASSERT_EQUAL(
        memcmp(b.rig.ram.host + 0x20000, b.disk.data + 64 * 512 + 510, 1538),
        0);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    CU_ASSERT_EQUAL(b.rig.ram.host[0x10000 + 510], 0);
    teardown(&b);
}

static void dma_runs_when_the_master_was_started_first(void)
{
    struct bench b;

    setup(&b);
    prd(&b, 0, 0x10000, 0, true); /* 64 KiB */
    start_master(&b, true);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 1);
    task_ext(&b, 1000, 128, 0x25);
    CU_ASSERT_TRUE(same(&b, 0x10000, 1000, 65536));
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 4);
    teardown(&b);
}

static void dma_write_reaches_the_disk(void)
{
    struct bench b;

    setup(&b);
    for (unsigned i = 0; i < 0x20000; i++)
        b.rig.ram.host[0x40000 + i] = (uint8_t)(i * 3 + (i >> 8));
    prd(&b, 0, 0x40000, 0, false);
    prd(&b, 1, 0x50000, 0x8000, true);
    task(&b, 500, 192, 0xCA);
    start_master(&b, false);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    CU_ASSERT_TRUE(same(&b, 0x40000, 500, 0x18000));
    CU_ASSERT_EQUAL(b.disk.data[(500 + 192) * 512], (500 + 192) & 0xFF);
    teardown(&b);
}

static void long_table_leaves_the_master_active(void)
{
    struct bench b;

    setup(&b);
    prd(&b, 0, 0x10000, 2048, true);
    task(&b, 0, 1, 0xC8);
    start_master(&b, true);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 5);
    outb(&b.rig, BM, 0);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 4);
    outb(&b.rig, BM + 2, 4);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 0);
    teardown(&b);
}

static void short_table_stalls_and_a_new_one_goes_on(void)
{
    struct bench b;

    setup(&b);
    prd(&b, 0, 0x10000, 700, true);
    task(&b, 8, 2, 0xC8);
    start_master(&b, true);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 0);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]);
    CU_ASSERT_EQUAL(status(&b), 0x58);
    outb(&b.rig, BM, 0);
    prd(&b, 0, 0x10000 + 700, 324, true);
    start_master(&b, true);
    CU_ASSERT_TRUE(rig_wires(&b.rig)->level[0]);
    CU_ASSERT_TRUE(same(&b, 0x10000, 8, 1024));
    teardown(&b);
}

static void dma_needs_bus_mastering_enabled(void)
{
    struct bench b;

    setup(&b);
    pci_config_write(ide_pci(b.rig.dev), PCI_COMMAND, 1, 2);
    prd(&b, 0, 0x10000, 512, true);
    task(&b, 8, 1, 0xC8);
    start_master(&b, true);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]);
    CU_ASSERT_EQUAL(b.rig.ram.host[0x10000], 0);
    teardown(&b);
}

static void endless_table_ends_with_an_error(void)
{
    struct bench b;

    setup(&b);
    /* The table is all two-byte regions, and describes itself. */
    for (unsigned i = 0; i < 0x10000; i += 8) {
        bus_write(&b.rig.memory, 0x80000 + i, 0x20000, 4);
        bus_write(&b.rig.memory, 0x80004 + i, 2, 4);
    }
    task(&b, 0, 256, 0xC8);
    bus_write(&b.rig.io, BM + 4, 0x80000, 4);
    outb(&b.rig, BM, 9);
    CU_ASSERT_EQUAL(inb(&b.rig, BM + 2) & 7, 2);
    CU_ASSERT_FALSE(rig_wires(&b.rig)->level[0]);
    /* A new command is not disturbed by it. */
    outb(&b.rig, BM, 0);
    prd(&b, 0, 0x30000, 512, true);
    task(&b, 1, 1, 0xC8);
    start_master(&b, true);
    CU_ASSERT_TRUE(same(&b, 0x30000, 1, 512));
    teardown(&b);
}

static void table_and_data_outside_memory_are_harmless(void)
{
    struct bench b;

    setup(&b);
    prd(&b, 0, 0xFFFFFFFE, 0, false);
    prd(&b, 1, 0xF0000000, 0, true);
    task(&b, 0, 0, 0xC8);
    start_master(&b, true);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x50);
    bus_write(&b.rig.io, BM + 4, 0xFFFFFFFC, 4);
    CU_ASSERT_EQUAL(bus_read(&b.rig.io, BM + 4, 4), 0xFFFFFFFC);
    outb(&b.rig, BM, 0);
    task(&b, 0, 0, 0xC8);
    outb(&b.rig, BM, 9);
    /* A region that covers its own descriptor table. */
    prd(&b, 0, 0x1000, 0, false);
    prd(&b, 1, 0x1000, 0, true);
    outb(&b.rig, BM, 0);
    task(&b, 0, 0, 0xC8);
    start_master(&b, true);
    CU_ASSERT_TRUE(true);
    teardown(&b);
}

static void shrunken_medium_fails_a_running_transfer(void)
{
    struct bench b;
    uint8_t data[512];

    setup(&b);
    task(&b, SECTORS - 4, 4, 0x20);
    take(&b, data, 256);
    b.disk.block.size_bytes = 1024;
    b.disk.block.changed(b.disk.block.ctx);
    take(&b, data, 256);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    task(&b, 4, 1, 0x30);
    CU_ASSERT_EQUAL(inb(&b.rig, CMD + 7), 0x51);
    teardown(&b);
}

/* Something a driver might do, half of the time. */
static void purposeful(struct bench *b, uint32_t *seed)
{
    static const uint8_t commands[] = {0x20, 0x24, 0x25, 0x30, 0x34, 0x35,
                                       0x39, 0xC4, 0xC5, 0xC8, 0xCA, 0xC6};
    static const uint8_t packets[] = {0x00, 0x03, 0x12, 0x1A, 0x1B, 0x25,
                                      0x28, 0x43, 0x46, 0x4A, 0x51, 0x5A,
                                      0xA8, 0xBD, 0xBE, 0x1E};
    uint32_t x = rig_random(seed), y = rig_random(seed);
    uint8_t cdb[12] = {packets[y % sizeof(packets)]};

    outb(&b->rig, 0x3F6, 0);
    if (x & 1) {
        task(b, x >> 8 & 0xFF, y >> 8 & 0x1F, commands[y % sizeof(commands)]);
    } else {
        outb(&b->rig, 0x1F6, 0xB0);
        outb(&b->rig, 0x1F1, x >> 4 & 1);
        outb(&b->rig, 0x1F4, x >> 8 & 0xFF);
        outb(&b->rig, 0x1F5, x >> 16 & 0x1F);
        outb(&b->rig, 0x1F7, 0xA0);
        for (unsigned i = 1; i < 12; i++)
            cdb[i] = rig_random(seed) & 3 ? 0 : (uint8_t)(x >> 13);
        cdb[8] = (uint8_t)(y >> 12);
        give(b, cdb, 6);
    }
    for (unsigned i = 0; i < (x >> 24) * 4; i++) {
        if (x & 2)
            bus_read(&b->rig.io, 0x1F0, 4);
        else
            bus_write(&b->rig.io, 0x1F0, i * y, 4);
    }
    if (x & 4) {
        for (unsigned i = 0; i < 0x100; i++)
            b->rig.ram.host[0x1000 + i] = (uint8_t)rig_random(seed);
        for (unsigned i = 2; i < 0x100; i += 8) { /* most of it RAM */
            b->rig.ram.host[0x1000 + i] &= 0x0F;
            b->rig.ram.host[0x1001 + i] = 0;
        }
        start_master(b, x & 8);
    }
}

static void storm(uint32_t seed)
{
    struct bench b;
    static const struct ide_config config = {
        .unit = {[1] = {.cdrom = true}, [2] = {.cdrom = true}}};
    static const uint8_t commands[] = {
        0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0xC4, 0xC5, 0xC8,
        0xCA, 0xC6, 0x91, 0xEC, 0xA0, 0xA1, 0xEF, 0x90, 0x42, 0x08};
    struct ram_disk cd, second;

    rig_init(&b.rig, &ide_class);
    ram_disk_init(&b.disk, 300 * 512);
    ram_disk_init(&cd, 100 * 2048 + 512);
    ram_disk_init(&second, 64 * 512);
    cd.block.read_only = true;
    b.rig.dev->config = &config;
    b.rig.dev->drive[0] = &b.disk.block;
    b.rig.dev->drive[1] = &cd.block;
    b.rig.dev->drive[3] = &second.block;
    CU_ASSERT_EQUAL_FATAL(device_init(b.rig.dev), 0);
    device_reset(b.rig.dev);
    pci_config_write(ide_pci(b.rig.dev), PCI_BAR0 + 16, BM, 4);
    pci_config_write(ide_pci(b.rig.dev), PCI_COMMAND, 5, 2);
    static const struct {
        uint16_t base, size;
    } ports[] = {{0x1F0, 8}, {0x170, 8}, {0x3F6, 1}, {0x376, 1}, {BM, 16}};
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t x = rig_random(&seed), value = rig_random(&seed);
        unsigned p = x % 5, size = 1u << (x >> 8) % 3;
        unsigned port = ports[p].base + (x >> 12) % ports[p].size;
        if ((x >> 20) % 4 == 0)
            port = ports[p & 1].base; /* data */
        if ((x >> 24) % 8 == 0) {
            port = ports[p & 1].base + 7u;
            value = commands[value % sizeof(commands)];
            size = 1;
        }
        if (p == 2 && (x >> 24) % 4) /* not always in reset */
            value &= ~4u;
        if ((x >> 16) % 3 == 0)
            bus_read(&b.rig.io, port, size);
        else
            bus_write(&b.rig.io, port, value, size);
        if (i % 64 == 0) { /* small addresses: ranges that exist */
            for (unsigned r = 2; r < 6; r++)
                outb(&b.rig, 0x1F0 + r, r < 4 ? value >> (8 * r) & 0x3F : 0);
            outb(&b.rig, 0x1F6, 0x40 | (x & 0x10));
            bus_write(&b.rig.io, BM + (x & 8) + 4, value & 0xFFFFC, 4);
        }
        if (i % 128 == 0)
            purposeful(&b, &seed);
        if (i % 3000 == 0) {
            cd.block.inserted = !cd.block.inserted;
            cd.block.changed(cd.block.ctx);
        }
        b.rig.clock.instructions += x % 100000;
        clock_run(&b.rig.clock);
    }
    CU_ASSERT_EQUAL(cd.outside + second.outside, 0);
    CU_ASSERT(b.disk.writes > 0);
    CU_ASSERT(b.disk.reads > 0);
    CU_ASSERT(cd.reads > 0);
    ram_disk_fini(&cd);
    ram_disk_fini(&second);
    teardown(&b);
}

static void storm_of_random_accesses(void)
{
    storm(0x12345678);
}

static void second_storm(void)
{
    storm(0xC0FFEE);
}

static void impossible_snapshot_is_refused(void)
{
    struct bench b;

    setup(&b);
    CU_ASSERT_EQUAL(ide_class.loaded(b.rig.dev), 0);
    for (const struct field *f = ide_class.fields; f->name; f++) {
        if (strcmp(f->name, "channel[0].unit[0].length"))
            continue;
        uint32_t *length =
            (uint32_t *)(void *)((uint8_t *)b.rig.dev->state + f->offset);
        *length = 65537;
        CU_ASSERT_EQUAL(ide_class.loaded(b.rig.dev), -EINVAL);
    }
    teardown(&b);
}

#define T(NAME)                                                                \
    {                                                                          \
#NAME, NAME                                                            \
    }
static const struct test tests[] = {
    T(reset_leaves_the_ata_signature),
    T(srst_shows_busy_and_aborts_a_transfer),
    T(absent_drives_read_zero),
    T(hob_shows_the_older_register_layer),
    T(interrupt_follows_nien_and_status_clears_it),
    T(identify_tells_size_modes_and_name),
    T(pio_read_interrupts_once_a_sector),
    T(data_port_takes_bytes_and_dwords),
    T(pio_write_reaches_the_disk_sector_by_sector),
    T(multiple_moves_blocks),
    T(chs_uses_the_current_translation),
    T(nothing_beyond_the_end_is_touched),
    T(bad_sector_is_named),
    T(read_only_disk_refuses_writes),
    T(flush_and_write_cache_off_reach_the_backend),
    T(other_commands_answer_as_the_standard_says),
    T(dma_read_gathers_into_regions),
    T(dma_runs_when_the_master_was_started_first),
    T(dma_write_reaches_the_disk),
    T(long_table_leaves_the_master_active),
    T(short_table_stalls_and_a_new_one_goes_on),
    T(dma_needs_bus_mastering_enabled),
    T(endless_table_ends_with_an_error),
    T(table_and_data_outside_memory_are_harmless),
    T(shrunken_medium_fails_a_running_transfer),
    T(storm_of_random_accesses),
    T(second_storm),
    T(impossible_snapshot_is_refused),
    {NULL, NULL},
};

TEST_MAIN("ide", tests)
