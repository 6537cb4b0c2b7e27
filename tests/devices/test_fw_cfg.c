/* fw_cfg: items, the directory, the DMA interface and its bounds. */
#include "devices/fw_cfg.h"
#include "tests/devices/chip.h"

#include <errno.h>
#include <stdlib.h>

#define RAM_BYTES 0x20000u

struct bench {
    struct chip chip;
    struct region ram;
};

static void open_bench(struct bench *b)
{
    chip_open_empty(&b->chip);
    b->ram = (struct region){.name = "ram", .size = RAM_BYTES};
    b->ram.host = malloc(RAM_BYTES);
    memset(b->ram.host, 0xEE, RAM_BYTES);
    CU_ASSERT_EQUAL_FATAL(bus_map(&b->chip.memory, &b->ram), 0);
    chip_add(&b->chip, &fw_cfg_class, NULL);
}

static void close_bench(struct bench *b)
{
    chip_close(&b->chip);
    free(b->ram.host);
}

static void choose(struct bench *b, uint16_t key)
{
    chip_write(&b->chip, FW_CFG_IO, 0, key, 2);
}

static uint8_t next(struct bench *b)
{
    return (uint8_t)chip_read(&b->chip, FW_CFG_IO, 1, 1);
}

static void put_be32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, 4);
}

static uint32_t get_be32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, 4);
    return __builtin_bswap32(value);
}

/* Runs one request at 0x100; returns what control became. */
static uint32_t dma(struct bench *b, uint32_t control, uint32_t length,
                    uint64_t gpa)
{
    uint8_t *request = b->ram.host + 0x100;

    put_be32(request, control);
    put_be32(request + 4, length);
    put_be32(request + 8, (uint32_t)(gpa >> 32));
    put_be32(request + 12, (uint32_t)gpa);
    chip_write(&b->chip, FW_CFG_DMA, 0, 0, 4);
    chip_write(&b->chip, FW_CFG_DMA, 4, __builtin_bswap32(0x100), 4);
    return get_be32(request);
}

static void signature_and_id_show_dma(void)
{
    struct bench b;

    open_bench(&b);
    CU_ASSERT_EQUAL(next(&b), 'Q'); /* selected by reset */
    choose(&b, FW_CFG_SIGNATURE);
    CU_ASSERT_EQUAL(next(&b), 'Q');
    CU_ASSERT_EQUAL(next(&b), 'E');
    CU_ASSERT_EQUAL(next(&b), 'M');
    CU_ASSERT_EQUAL(next(&b), 'U');
    CU_ASSERT_EQUAL(next(&b), 0); /* past the end */
    CU_ASSERT_EQUAL(next(&b), 0);
    choose(&b, FW_CFG_ID);
    CU_ASSERT_EQUAL(next(&b), 3);
    CU_ASSERT_EQUAL(chip_read(&b.chip, FW_CFG_DMA, 0, 8),
                    UINT64_C(0x47464320554D4551)); /* "QEMU CFG" as bytes */
    CU_ASSERT_EQUAL(chip_read(&b.chip, FW_CFG_DMA, 4, 4), 0x47464320);
    close_bench(&b);
}

static void items_read_back_and_keys_are_checked(void)
{
    struct bench b;

    open_bench(&b);
    CU_ASSERT_EQUAL(fw_cfg_add_i16(b.chip.dev, FW_CFG_NB_CPUS, 0x0102), 0);
    CU_ASSERT_EQUAL(fw_cfg_add_i32(b.chip.dev, FW_CFG_IRQ0_OVERRIDE, 1), 0);
    CU_ASSERT_EQUAL(
        fw_cfg_add_i64(b.chip.dev, FW_CFG_RAM_SIZE, 0x1122334455667788), 0);
    CU_ASSERT_EQUAL(fw_cfg_add_string(b.chip.dev, FW_CFG_CMDLINE_DATA, "x y"),
                    0);
    choose(&b, FW_CFG_NB_CPUS);
    CU_ASSERT_EQUAL(next(&b), 2);
    CU_ASSERT_EQUAL(next(&b), 1);
    choose(&b, FW_CFG_IRQ0_OVERRIDE);
    CU_ASSERT_EQUAL(next(&b), 1);
    choose(&b, FW_CFG_RAM_SIZE);
    CU_ASSERT_EQUAL(next(&b), 0x88);
    choose(&b, FW_CFG_CMDLINE_DATA);
    CU_ASSERT_EQUAL(next(&b), 'x');
    CU_ASSERT_EQUAL(fw_cfg_add_i16(b.chip.dev, FW_CFG_NB_CPUS, 1), -EEXIST);
    CU_ASSERT_EQUAL(fw_cfg_add_i16(b.chip.dev, 0x20, 1), -EINVAL);
    CU_ASSERT_EQUAL(fw_cfg_add_i16(b.chip.dev, 0x4000, 1), -EINVAL);
    CU_ASSERT_EQUAL(fw_cfg_add_i16(b.chip.dev, 0x8010, 1), -EINVAL);
    for (unsigned key = 0; key < 0x10000; key++) {
        choose(&b, (uint16_t)key);
        (void)next(&b);
    }
    choose(&b, 0xFFFF);
    CU_ASSERT_EQUAL(next(&b), 0);
    close_bench(&b);
}

static void directory_lists_the_files(void)
{
    static const char long_name[] =
        "a123456789a123456789a123456789a123456789a123456789a12345";
    struct bench b;
    const uint8_t *dir;
    size_t size;
    char name[16];

    open_bench(&b);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "etc/e820", "12345", 5), 0);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "empty", NULL, 0), 0);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "etc/e820", "1", 1), -EEXIST);
    CU_ASSERT_EQUAL(strlen(long_name), 56);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, long_name, "1", 1), -EINVAL);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, long_name + 1, "1", 1), 0);
    CU_ASSERT_EQUAL(fw_cfg_find(b.chip.dev, "empty"), 0x21);
    CU_ASSERT_EQUAL(fw_cfg_find(b.chip.dev, "none"), -ENOENT);
    dir = fw_cfg_item(b.chip.dev, FW_CFG_FILE_DIR, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    CU_ASSERT_EQUAL(get_be32(dir), 3);
    CU_ASSERT_EQUAL(get_be32(dir + 4), 5);
    CU_ASSERT_EQUAL(get_be32(dir + 8), 0x00200000); /* key, reserved */
    CU_ASSERT_STRING_EQUAL(dir + 12, "etc/e820");
    choose(&b, 0x20);
    CU_ASSERT_EQUAL(next(&b), '1');
    choose(&b, 0x21);
    CU_ASSERT_EQUAL(next(&b), 0);
    for (unsigned i = 3; i < FW_CFG_FILES; i++) {
        (void)snprintf(name, sizeof(name), "f%u", i);
        CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, name, "x", 1), 0);
    }
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "last", "x", 1), -ENOSPC);
    close_bench(&b);
}

static void dma_reads_skips_and_selects(void)
{
    struct bench b;
    const uint8_t *ram;

    open_bench(&b);
    ram = b.ram.host;
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "f", "0123456789", 10), 0);
    CU_ASSERT_EQUAL(dma(&b, 0x0020000A, 4, 0x1000), 0); /* select, read */
    CU_ASSERT_EQUAL(memcmp(ram + 0x1000, "0123\xEE", 5), 0);
    CU_ASSERT_EQUAL(dma(&b, 0x00000004, 2, 0), 0); /* skip */
    CU_ASSERT_EQUAL(dma(&b, 0x00000002, 2, 0x1000), 0);
    CU_ASSERT_EQUAL(memcmp(ram + 0x1000, "67", 2), 0);
    CU_ASSERT_EQUAL(next(&b), '8'); /* the port goes on from there */
    CU_ASSERT_EQUAL(dma(&b, 0x00000002, 4, 0x1000), 0);
    CU_ASSERT_EQUAL(memcmp(ram + 0x1000, "9\0\0\0\xEE", 5), 0);
    CU_ASSERT_EQUAL(dma(&b, 0x00000004, UINT32_MAX, 0), 0);
    CU_ASSERT_EQUAL(next(&b), 0);
    /* Writing is an error, and changes nothing. */
    CU_ASSERT_EQUAL(dma(&b, 0x00200018, 4, 0x1000), 1);
    choose(&b, 0x20);
    CU_ASSERT_EQUAL(next(&b), '0');
    close_bench(&b);
}

static void dma_stays_within_memory(void)
{
    struct bench b;

    open_bench(&b);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "f", "0123456789", 10), 0);
    /* Across the end of RAM, and past any end. */
    CU_ASSERT_EQUAL(dma(&b, 0x0020000A, 10, RAM_BYTES - 4), 0);
    CU_ASSERT_EQUAL(memcmp(b.ram.host + RAM_BYTES - 4, "0123", 4), 0);
    CU_ASSERT_EQUAL(dma(&b, 0x0020000A, UINT32_MAX, UINT64_MAX - 3), 0);
    CU_ASSERT_EQUAL(dma(&b, 0x0020000A, UINT32_MAX, UINT64_C(1) << 39), 0);
    /* A request that is nowhere: all ones, so an impossible WRITE. */
    chip_write(&b.chip, FW_CFG_DMA, 0, UINT32_MAX, 4);
    chip_write(&b.chip, FW_CFG_DMA, 4, UINT32_MAX, 4);
    /* Over the request itself. */
    CU_ASSERT_EQUAL(dma(&b, 0x0020000A, 64, 0x100), 0);
    close_bench(&b);
}

static void refresh_runs_at_selection(void *ctx, uint8_t *data, size_t size)
{
    CU_ASSERT_EQUAL(size, 1);
    data[0] = (uint8_t)(data[0] + *(uint8_t *)ctx);
}

static void a_refreshed_item_is_current_when_selected(void)
{
    struct bench b;
    uint8_t step = 2;

    open_bench(&b);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "f", "0", 1), 0);
    CU_ASSERT_EQUAL(
        fw_cfg_set_refresh(b.chip.dev, "g", refresh_runs_at_selection, &step),
        -ENOENT);
    CU_ASSERT_EQUAL(
        fw_cfg_set_refresh(b.chip.dev, "f", refresh_runs_at_selection, &step),
        0);
    choose(&b, 0x20);
    CU_ASSERT_EQUAL(next(&b), '2');
    CU_ASSERT_EQUAL(dma(&b, 0x0020000A, 1, 0x1000), 0);
    CU_ASSERT_EQUAL(b.ram.host[0x1000], '4');
    close_bench(&b);
}

static void random_storm(void)
{
    static const uint32_t sizes[] = {2, 8};
    struct bench b;

    open_bench(&b);
    CU_ASSERT_EQUAL(fw_cfg_add_file(b.chip.dev, "f", "0123456789", 10), 0);
    chip_storm(&b.chip, sizes, 2, 0, 200000);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t r = chip_random(&b.chip);

        (void)dma(&b, (uint32_t)(r & 0x1F) | (uint32_t)(r >> 5 & 0x3F) << 16,
                  (uint32_t)(r >> 16 & 0xFFF), r >> 32 & (RAM_BYTES * 2 - 1));
    }
    device_reset(b.chip.dev);
    CU_ASSERT_EQUAL(next(&b), 'Q');
    close_bench(&b);
}

static const struct test tests[] = {
    {"signature_and_id_show_dma", signature_and_id_show_dma},
    {"items_read_back_and_keys_are_checked",
     items_read_back_and_keys_are_checked},
    {"directory_lists_the_files", directory_lists_the_files},
    {"dma_reads_skips_and_selects", dma_reads_skips_and_selects},
    {"dma_stays_within_memory", dma_stays_within_memory},
    {"a_refreshed_item_is_current_when_selected",
     a_refreshed_item_is_current_when_selected},
    {"random_storm", random_storm},
    {NULL, NULL},
};

TEST_MAIN("fw_cfg", tests)
