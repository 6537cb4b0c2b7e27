/* The bus: who answers, how accesses are split, what listeners hear. */
#include "emu/bus.h"
#include "emu/device.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A device that remembers what it was asked. */
struct call {
    bool write;
    unsigned bank, size;
    uint64_t off, value;
};
struct recorder {
    struct call call[16];
    unsigned calls;
    struct bus *unmap_from; /* when set, a write unmaps this region */
    struct region *unmap;
};

static void record(struct recorder *r, struct call call)
{
    if (r->calls < 16)
        r->call[r->calls++] = call;
}

static uint64_t recorder_read(struct device *dev, unsigned bank, uint64_t off,
                              unsigned size)
{
    record(dev->state, (struct call){false, bank, size, off, 0});
    /* Each byte is its offset + 0x10; what is above `size` is rubbish. */
    uint64_t value = UINT64_C(0xA5A5A5A5A5A5A5A5);
    uint8_t bytes[8];
    memcpy(bytes, &value, 8);
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(off + i + 0x10);
    memcpy(&value, bytes, 8);
    return value;
}

static void recorder_write(struct device *dev, unsigned bank, uint64_t off,
                           uint64_t value, unsigned size)
{
    struct recorder *r = dev->state;

    record(r, (struct call){true, bank, size, off, value});
    if (r->unmap)
        bus_unmap(r->unmap_from, r->unmap);
}

#define RECORDER(MAX)                                                          \
    {                                                                          \
        .name = "recorder", .state_size = sizeof(struct recorder),             \
        .max_access = (MAX), .read = recorder_read, .write = recorder_write    \
    }
static const struct device_class byte_class = RECORDER(1);
static const struct device_class word_class = RECORDER(2);
static const struct device_class dword_class = RECORDER(4);
static const struct device_class qword_class = RECORDER(8);
static const struct device_class silent_class = {
    .name = "silent", .state_size = 1, .max_access = 4};
static const struct device_class broken_class = RECORDER(3);

static struct device *make(const struct device_class *class)
{
    return device_new(class, "probe", NULL, NULL, NULL, NULL);
}

static struct recorder *calls(struct device *dev)
{
    return dev->state;
}

static struct region device_region(struct device *dev, uint64_t base,
                                   uint64_t size)
{
    return (struct region){.name = "regs",
                           .base = base,
                           .size = size,
                           .kind = REGION_DEVICE,
                           .dev = dev,
                           .bank = 3};
}

static void unmapped_reads_ones_and_ignores_writes(void)
{
    struct bus memory, io;

    CU_ASSERT_EQUAL_FATAL(bus_init(&memory, "memory", UINT64_C(1) << 52), 0);
    CU_ASSERT_EQUAL_FATAL(bus_init(&io, "io", 65536), 0);
    const uint64_t addrs[] = {0, 0xFFFF, 0x10000, UINT64_MAX - 2};
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(bus_read(&memory, addrs[i], 1), 0xFF);
        CU_ASSERT_EQUAL(bus_read(&memory, addrs[i], 8), UINT64_MAX);
        CU_ASSERT_EQUAL(bus_read(&io, addrs[i], 2), 0xFFFF);
        CU_ASSERT_EQUAL(bus_read(&io, addrs[i], 4), 0xFFFFFFFF);
        bus_write(&memory, addrs[i], 1, 8);
        bus_write(&io, addrs[i], 1, 4);
    }
    bus_fini(&memory);
    bus_fini(&io);
}

static void overlap_and_bad_regions_are_refused(void)
{
    struct bus bus;
    struct device *dev = make(&byte_class), *broken = make(&broken_class);
    uint8_t *host = calloc(1, 4096);

    bus_init(&bus, "io", 65536);
    struct region a = device_region(dev, 0x100, 0x10);
    struct region over[] = {
        device_region(dev, 0x100, 0x10), device_region(dev, 0xF8, 9),
        device_region(dev, 0x10F, 1),    device_region(dev, 0x104, 2),
        device_region(dev, 0, 65536),
    };
    CU_ASSERT_EQUAL(bus_map(&bus, &a), 0);
    CU_ASSERT_TRUE(a.mapped);
    CU_ASSERT_EQUAL(bus_map(&bus, &a), -EEXIST);
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(bus_map(&bus, &over[i]), -EEXIST);
        CU_ASSERT_FALSE(over[i].mapped);
    }
    struct region below = device_region(dev, 0xF0, 0x10);
    struct region above = device_region(dev, 0x110, 0x10);
    CU_ASSERT_EQUAL(bus_map(&bus, &below), 0);
    CU_ASSERT_EQUAL(bus_map(&bus, &above), 0);

    struct region bad[] = {
        device_region(dev, 0x1000, 0),
        device_region(dev, 0x10000, 1),
        device_region(dev, 0xFFFF, 2),
        device_region(dev, 0x1000, UINT64_MAX),
        device_region(NULL, 0x1000, 1),
        device_region(broken, 0x1000, 1),
        {.base = 0x1000, .size = 0x1000, .kind = REGION_RAM},
        {.base = 0x1800, .size = 0x1000, .kind = REGION_RAM, .host = host},
        {.base = 0x1000, .size = 0x800, .kind = REGION_ROM, .host = host},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CU_ASSERT_EQUAL(bus_map(&bus, &bad[i]), -EINVAL);
    CU_ASSERT_EQUAL(bus.count, 3);
    bus_fini(&bus);
    free(host);
    device_free(dev);
    device_free(broken);
}

static void device_gets_bank_offset_and_masked_value(void)
{
    struct bus bus;
    struct device *dev = make(&dword_class);

    bus_init(&bus, "io", 65536);
    struct region r = device_region(dev, 0x3F8, 8);
    bus_map(&bus, &r);
    CU_ASSERT_EQUAL(bus_read(&bus, 0x3FA, 2), 0x1312);
    bus_write(&bus, 0x3F8, UINT64_C(0x1122334455667788), 4);
    const struct call *c = calls(dev)->call;
    CU_ASSERT_EQUAL(calls(dev)->calls, 2);
    CU_ASSERT(!c[0].write && c[0].bank == 3 && c[0].off == 2 && c[0].size == 2);
    CU_ASSERT(c[1].write && c[1].off == 0 && c[1].size == 4 &&
              c[1].value == 0x55667788);
    CU_ASSERT_EQUAL(r.reads, 1);
    CU_ASSERT_EQUAL(r.writes, 1);
    bus_fini(&bus);
    device_free(dev);
}

static void wide_accesses_are_split_little_endian(void)
{
    static const struct device_class *const classes[] = {
        &byte_class, &word_class, &dword_class, &qword_class};

    for (unsigned i = 0; i < 4; i++) {
        struct bus bus;
        struct device *dev = make(classes[i]);
        unsigned max = 1u << i;

        bus_init(&bus, "memory", UINT64_C(1) << 52);
        struct region r = device_region(dev, 0xFED00000, 0x400);
        bus_map(&bus, &r);
        CU_ASSERT_EQUAL(bus_read(&bus, 0xFED00000, 8),
                        UINT64_C(0x1716151413121110));
        CU_ASSERT_EQUAL(calls(dev)->calls, 8 / max);
        calls(dev)->calls = 0;
        bus_write(&bus, 0xFED00000, UINT64_C(0x0807060504030201), 8);
        CU_ASSERT_EQUAL(calls(dev)->calls, 8 / max);
        for (unsigned k = 0; k < 8 / max; k++) {
            const struct call *c = &calls(dev)->call[k];
            uint64_t expect = 0;
            for (unsigned b = 0; b < max; b++)
                expect |= (uint64_t)(k * max + b + 1) << (b * 8);
            CU_ASSERT(c->off == k * max && c->size == max &&
                      c->value == expect);
        }
        bus_fini(&bus);
        device_free(dev);
    }
}

static void access_across_a_regions_end_is_split(void)
{
    struct bus bus;
    struct device *dev = make(&dword_class);

    bus_init(&bus, "io", 65536);
    struct region r = device_region(dev, 0x70, 7);
    bus_map(&bus, &r);
    /* Bytes 4, 5 and 6 answer; the fourth is nobody's. */
    CU_ASSERT_EQUAL(bus_read(&bus, 0x74, 4), 0xFF161514);
    CU_ASSERT_EQUAL(calls(dev)->calls, 2);
    CU_ASSERT_EQUAL(calls(dev)->call[0].size, 2);
    CU_ASSERT_EQUAL(calls(dev)->call[1].size, 1);
    CU_ASSERT_EQUAL(calls(dev)->call[1].off, 6);
    /* And from below into it. */
    CU_ASSERT_EQUAL(bus_read(&bus, 0x6E, 4), 0x1110FFFF);

    struct region top = device_region(dev, 0xFFFF, 1);
    bus_map(&bus, &top);
    CU_ASSERT_EQUAL(bus_read(&bus, 0xFFFF, 4), 0xFFFFFF10);
    bus_write(&bus, 0xFFFF, 0x44332211, 4);
    bus_fini(&bus);
    device_free(dev);
}

static void device_without_functions_reads_ones(void)
{
    struct bus bus;
    struct device *dev = make(&silent_class);

    bus_init(&bus, "io", 65536);
    struct region r = device_region(dev, 0x80, 4);
    bus_map(&bus, &r);
    bus_write(&bus, 0x80, 1, 4);
    CU_ASSERT_EQUAL(bus_read(&bus, 0x80, 4), 0xFFFFFFFF);
    bus_fini(&bus);
    device_free(dev);
}

static void write_that_unmaps_its_own_region_is_safe(void)
{
    struct bus bus;
    struct device *dev = make(&byte_class);

    bus_init(&bus, "io", 65536);
    struct region r = device_region(dev, 0xCF8, 8);
    bus_map(&bus, &r);
    calls(dev)->unmap_from = &bus;
    calls(dev)->unmap = &r;
    bus_write(&bus, 0xCF8, 0x44332211, 4);
    CU_ASSERT_EQUAL(calls(dev)->calls, 1); /* the rest went nowhere */
    CU_ASSERT_FALSE(r.mapped);
    bus_unmap(&bus, &r); /* no effect */
    CU_ASSERT_EQUAL(bus_read(&bus, 0xCF8, 1), 0xFF);
    bus_fini(&bus);
    device_free(dev);
}

struct heard {
    struct bus_listener listener;
    unsigned maps, unmaps, writes;
    uint64_t gpa, size;
};

static void on_changed(void *ctx, const struct region *region, bool mapped)
{
    struct heard *h = ctx;

    CU_ASSERT_EQUAL(region->mapped, mapped);
    h->maps += mapped;
    h->unmaps += !mapped;
}

static void on_written(void *ctx, uint64_t gpa, uint64_t size)
{
    struct heard *h = ctx;

    h->writes++;
    h->gpa = gpa;
    h->size = size;
}

/* RAM at 0 (8 KiB), ROM at 0x2000, a device at 0x3000, RAM at 0x5000. */
struct board {
    struct bus bus;
    struct device *dev;
    uint8_t *ram, *rom;
    struct region low, bios, regs, high;
    struct heard heard;
};

static void board_init(struct board *b)
{
    memset(b, 0, sizeof(*b));
    bus_init(&b->bus, "memory", UINT64_C(1) << 52);
    b->dev = make(&qword_class);
    b->ram = calloc(3, 4096);
    b->rom = calloc(1, 4096);
    memset(b->rom, 0x5A, 4096);
    b->low = (struct region){.base = 0, .size = 0x2000, .host = b->ram};
    b->bios = (struct region){
        .base = 0x2000, .size = 0x1000, .kind = REGION_ROM, .host = b->rom};
    b->regs = device_region(b->dev, 0x3000, 0x1000);
    b->high = (struct region){
        .base = 0x5000, .size = 0x1000, .host = b->ram + 0x2000};
    b->heard.listener = (struct bus_listener){
        .changed = on_changed, .written = on_written, .ctx = &b->heard};
    bus_add_listener(&b->bus, &b->heard.listener);
    /* Not in order, so that insertion has to sort. */
    CU_ASSERT_EQUAL(bus_map(&b->bus, &b->high), 0);
    CU_ASSERT_EQUAL(bus_map(&b->bus, &b->low), 0);
    CU_ASSERT_EQUAL(bus_map(&b->bus, &b->regs), 0);
    CU_ASSERT_EQUAL(bus_map(&b->bus, &b->bios), 0);
}

static void board_fini(struct board *b)
{
    bus_fini(&b->bus);
    device_free(b->dev);
    free(b->ram);
    free(b->rom);
}

static void listeners_hear_of_mappings_and_dma_writes(void)
{
    struct board b;
    uint8_t data[0x20];

    board_init(&b);
    CU_ASSERT_EQUAL(b.heard.maps, 4);
    memset(data, 1, sizeof(data));
    bus_write_block(&b.bus, 0x1FF0, data, sizeof(data)); /* half is ROM */
    CU_ASSERT_EQUAL(b.heard.writes, 1);
    CU_ASSERT_EQUAL(b.heard.gpa, 0x1FF0);
    CU_ASSERT_EQUAL(b.heard.size, 0x10);
    CU_ASSERT_EQUAL(b.rom[0], 0x5A);
    bus_write(&b.bus, 0x5008, 7, 4);
    CU_ASSERT_EQUAL(b.heard.writes, 2);
    CU_ASSERT_EQUAL(b.heard.gpa, 0x5008);
    bus_write(&b.bus, 0x2008, 7, 4); /* ROM: nothing was written */
    CU_ASSERT_EQUAL(b.heard.writes, 2);
    CU_ASSERT_EQUAL(bus_read(&b.bus, 0x2008, 4), 0x5A5A5A5A);
    bus_unmap(&b.bus, &b.bios);
    CU_ASSERT_EQUAL(b.heard.unmaps, 1);
    board_fini(&b);
}

static void blocks_cross_ram_rom_gaps_and_devices(void)
{
    struct board b;
    uint8_t data[0x7000];

    board_init(&b);
    memset(b.ram, 0x11, 0x2000);
    memset(b.ram + 0x2000, 0x22, 0x1000);
    memset(data, 0, sizeof(data));
    bus_read_block(&b.bus, 0, data, sizeof(data));
    for (unsigned i = 0; i < sizeof(data); i++) {
        static const uint8_t expect[] = {0x11, 0x11, 0x5A, 0xFF,
                                         0xFF, 0x22, 0xFF};
        CU_ASSERT_EQUAL_FATAL(data[i], expect[i >> 12]);
    }
    CU_ASSERT_EQUAL(calls(b.dev)->calls, 0); /* DMA reaches no registers */
    memset(data, 0x77, sizeof(data));
    bus_write_block(&b.bus, 0, data, sizeof(data));
    CU_ASSERT_EQUAL(b.ram[0x1FFF], 0x77);
    CU_ASSERT_EQUAL(b.ram[0x2FFF], 0x77);
    CU_ASSERT_EQUAL(b.rom[0], 0x5A);
    CU_ASSERT_EQUAL(calls(b.dev)->calls, 0);
    bus_read_block(&b.bus, UINT64_MAX - 3, data, 4);
    CU_ASSERT_EQUAL(data[0], 0xFF);
    board_fini(&b);
}

static void host_pointers_stay_within_one_region(void)
{
    struct board b;

    board_init(&b);
    CU_ASSERT_PTR_EQUAL(bus_host(&b.bus, 0x10, 0x1FF0, true), b.ram + 0x10);
    CU_ASSERT_PTR_NULL(bus_host(&b.bus, 0x10, 0x1FF1, true));
    CU_ASSERT_PTR_NULL(bus_host(&b.bus, 0x10, SIZE_MAX, true));
    CU_ASSERT_PTR_EQUAL(bus_host(&b.bus, 0x2000, 0x1000, false), b.rom);
    CU_ASSERT_PTR_NULL(bus_host(&b.bus, 0x2000, 1, true));
    CU_ASSERT_PTR_NULL(bus_host(&b.bus, 0x3000, 1, false));
    CU_ASSERT_PTR_NULL(bus_host(&b.bus, 0x4000, 1, false));
    CU_ASSERT_PTR_EQUAL(bus_host(&b.bus, 0x5FFF, 1, true), b.ram + 0x2FFF);
    board_fini(&b);
}

static void access_across_ram_and_device_reaches_both(void)
{
    struct board b;

    board_init(&b);
    bus_unmap(&b.bus, &b.bios);
    bus_unmap(&b.bus, &b.regs);
    b.regs.base = 0x2000;
    CU_ASSERT_EQUAL(bus_map(&b.bus, &b.regs), 0);
    b.ram[0x1FFE] = 0xCD;
    b.ram[0x1FFF] = 0xAB;
    CU_ASSERT_EQUAL(bus_read(&b.bus, 0x1FFE, 4), 0x1110ABCD);
    bus_write(&b.bus, 0x1FFE, 0x44332211, 4);
    CU_ASSERT_EQUAL(b.ram[0x1FFE], 0x11);
    CU_ASSERT_EQUAL(b.ram[0x1FFF], 0x22);
    const struct call *c = &calls(b.dev)->call[calls(b.dev)->calls - 1];
    CU_ASSERT(c->write && c->size == 2 && c->value == 0x4433);
    board_fini(&b);
}

/* Random maps and unmaps against a plain array that says who answers. */
static void lookup_agrees_with_a_plain_map(void)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        struct bus bus;
        struct device *dev = make(&byte_class);
        struct region region[24];
        struct region *owner[256] = {NULL};

        bus_init(&bus, "test", kind ? 65536 : 65537);
        for (unsigned i = 0; i < 24; i++)
            region[i] = device_region(dev, 0, 1);
        srand(3);
        for (unsigned i = 0; i < 20000; i++) {
            struct region *r = &region[rand() % 24];
            if (r->mapped) {
                bus_unmap(&bus, r);
                for (unsigned a = 0; a < 256; a++)
                    owner[a] = owner[a] == r ? NULL : owner[a];
            } else {
                r->base = (unsigned)rand() % 240;
                r->size = (unsigned)rand() % 16 + 1;
                bool is_free = true;
                for (uint64_t a = r->base; a < r->base + r->size; a++)
                    is_free = is_free && !owner[a];
                CU_ASSERT_EQUAL_FATAL(bus_map(&bus, r), is_free ? 0 : -EEXIST);
                for (uint64_t a = r->base; is_free && a < r->base + r->size;
                     a++)
                    owner[a] = r;
            }
            for (unsigned k = 0; k < 16; k++) {
                unsigned a = (unsigned)rand() % 256;
                CU_ASSERT_PTR_EQUAL_FATAL(bus_find(&bus, a), owner[a]);
            }
        }
        bus_fini(&bus);
        device_free(dev);
    }
}

static const struct test tests[] = {
    {"unmapped_reads_ones_and_ignores_writes",
     unmapped_reads_ones_and_ignores_writes},
    {"overlap_and_bad_regions_are_refused",
     overlap_and_bad_regions_are_refused},
    {"device_gets_bank_offset_and_masked_value",
     device_gets_bank_offset_and_masked_value},
    {"wide_accesses_are_split_little_endian",
     wide_accesses_are_split_little_endian},
    {"access_across_a_regions_end_is_split",
     access_across_a_regions_end_is_split},
    {"device_without_functions_reads_ones",
     device_without_functions_reads_ones},
    {"write_that_unmaps_its_own_region_is_safe",
     write_that_unmaps_its_own_region_is_safe},
    {"listeners_hear_of_mappings_and_dma_writes",
     listeners_hear_of_mappings_and_dma_writes},
    {"blocks_cross_ram_rom_gaps_and_devices",
     blocks_cross_ram_rom_gaps_and_devices},
    {"host_pointers_stay_within_one_region",
     host_pointers_stay_within_one_region},
    {"access_across_ram_and_device_reaches_both",
     access_across_ram_and_device_reaches_both},
    {"lookup_agrees_with_a_plain_map", lookup_agrees_with_a_plain_map},
    {NULL, NULL},
};
TEST_MAIN("bus", tests)
