/*
 * The firmware configuration device (QEMU's docs/specs/fw_cfg.rst).
 *
 * Port 0x510 takes a 16-bit key; port 0x511 then yields that item's bytes, one
 * after the other, and 0 past its end. Key 0x19 is the directory of the files.
 * The DMA interface takes the guest-physical address of a request, big-endian,
 * high half at 0x514 and low half at 0x518; writing the low half starts it:
 *
 *     u32 control   31-16 key, 4 WRITE, 3 SELECT, 2 SKIP, 1 READ, 0 ERROR
 *     u32 length    bytes
 *     u64 address   of the buffer             (all big-endian)
 *
 * Control reads 0 when it is done, or ERROR.
 *
 * Invariants: the offset never exceeds the selected item's size. One request
 * costs time in proportion to the RAM that it fills: past the item's end, READ
 * stores zeros, but to no more than the RAM that is there.
 *
 * Not modelled: writable items (WRITE always ends in ERROR); writes to port
 * 0x511, which have done nothing since QEMU 2.4.
 */
#include "devices/fw_cfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 56
#define DIR_ENTRY 64u
#define GENERIC_KEYS (FW_CFG_FILE_FIRST + FW_CFG_FILES)
#define LOCAL_KEYS 16u
#define KEYS (GENERIC_KEYS + LOCAL_KEYS)
#define NO_ITEM KEYS
#define DMA_SIGNATURE UINT64_C(0x51454D5520434647) /* "QEMU CFG" */
#define CHUNK 4096u

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8,
       DMA_WRITE = 16 };
/* FW_CFG_ID: bit 0 the port interface, bit 1 DMA. */
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };

struct item {
    uint8_t *data; /* NULL: not there */
    size_t size;
    fw_cfg_refresh *refresh;
    void *ctx;
};

struct fw_cfg {
    uint16_t key;
    uint32_t offset;
    uint64_t dma_address;
    struct item item[KEYS];
    char name[FW_CFG_FILES][NAME_SIZE];
    unsigned files;
};

static const struct field fields[] = {
    FIELD(fw_cfg, key, FIELD_U16),
    FIELD(fw_cfg, offset, FIELD_U32),
    FIELD(fw_cfg, dma_address, FIELD_U64),
    FIELD_END,
};

static void put_be32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* Where a key's item is kept; NO_ITEM for a key that cannot have one. */
static unsigned slot(unsigned key)
{
    if (key < GENERIC_KEYS)
        return key;
    if (key >= FW_CFG_ARCH_LOCAL && key < FW_CFG_ARCH_LOCAL + LOCAL_KEYS)
        return key - FW_CFG_ARCH_LOCAL + GENERIC_KEYS;
    return NO_ITEM;
}

static struct item *selected(struct fw_cfg *s)
{
    unsigned n = slot(s->key);

    return n != NO_ITEM && s->item[n].data ? &s->item[n] : NULL;
}

static void select_key(struct fw_cfg *s, uint16_t key)
{
    struct item *item;

    s->key = key;
    s->offset = 0;
    item = selected(s);
    if (item && item->refresh)
        item->refresh(item->ctx, item->data, item->size);
}

/* Moves on by at most `length`; returns the bytes passed, and where they are
 * in *from. */
static uint32_t take(struct fw_cfg *s, uint32_t length, const uint8_t **from)
{
    const struct item *item = selected(s);
    uint32_t left = item ? (uint32_t)item->size - s->offset : 0;

    if (length > left)
        length = left;
    *from = item ? item->data + s->offset : NULL;
    s->offset += length;
    return length;
}

/* Zeros for `length` bytes from `gpa`: region by region, so that a huge length
 * costs no more than the RAM that it covers. */
static void write_zeros(struct bus *memory, uint64_t gpa, uint32_t length)
{
    static const uint8_t zeros[CHUNK];
    uint64_t end = gpa + length;

    if (end < gpa)
        end = UINT64_MAX;
    for (size_t i = 0; i < memory->count; i++) {
        const struct region *r = memory->regions[i];
        uint64_t from = r->base > gpa ? r->base : gpa;
        uint64_t to = r->base + r->size < end ? r->base + r->size : end;

        if (r->kind != REGION_RAM)
            continue;
        for (; from < to; from += CHUNK)
            bus_write_block(memory, from, zeros,
                            to - from < CHUNK ? to - from : CHUNK);
    }
}

/* READ: the item's bytes, then zeros. */
static void dma_read(struct device *dev, uint64_t gpa, uint32_t length)
{
    const uint8_t *from;
    uint32_t n = take(dev->state, length, &from);

    if (n)
        bus_write_block(dev->memory, gpa, from, n);
    write_zeros(dev->memory, gpa + n, length - n);
}

static void dma_run(struct device *dev)
{
    struct fw_cfg *s = dev->state;
    uint64_t request = s->dma_address, gpa;
    uint8_t bytes[16];
    uint32_t control, length;
    const uint8_t *from;

    s->dma_address = 0;
    bus_read_block(dev->memory, request, bytes, sizeof(bytes));
    control = get_be32(bytes);
    length = get_be32(bytes + 4);
    gpa = (uint64_t)get_be32(bytes + 8) << 32 | get_be32(bytes + 12);

    if (control & DMA_SELECT)
        select_key(s, (uint16_t)(control >> 16));
    if (control & DMA_READ)
        dma_read(dev, gpa, length);
    else if (control & DMA_SKIP)
        (void)take(s, length, &from);
    if ((control & DMA_WRITE) && !(control & DMA_READ)) {
        log_line(dev->log, LOG_GUEST_ERRORS,
                 "%s: write to item %#x, which is read-only\n", dev->name,
                 s->key);
        put_be32(bytes, DMA_ERROR);
    } else {
        put_be32(bytes, 0);
    }
    bus_write_block(dev->memory, request, bytes, 4);
}

static uint64_t dma_register(const struct fw_cfg *s, uint64_t off,
                             unsigned size)
{
    uint64_t value = 0;

    (void)s;
    /* Big-endian: the byte at offset 0 is the signature's first letter. */
    for (unsigned i = 0; i < size; i++)
        value |= (DMA_SIGNATURE >> (56 - 8 * (off + i)) & 0xFF) << i * 8;
    return value;
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    struct fw_cfg *s = dev->state;
    const uint8_t *from;
    uint64_t value = 0;

    if (bank == FW_CFG_DMA)
        return off + size <= 8 ? dma_register(s, off, size) : 0;
    /* The selector cannot be read back; a word access at 0x510 is not one of
     * the data port's. */
    for (unsigned i = 0; i < size; i++)
        if (off + i == 1 && take(s, 1, &from))
            value |= (uint64_t)*from << i * 8;
    return value;
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    struct fw_cfg *s = dev->state;

    if (bank == FW_CFG_IO) {
        if (off == 0)
            select_key(s, (uint16_t)(size == 1 ? value & 0xFF : value));
        return;
    }
    if (size == 4 && off == 0) {
        s->dma_address = (uint64_t)__builtin_bswap32((uint32_t)value) << 32;
    } else if (size == 4 && off == 4) {
        s->dma_address |= __builtin_bswap32((uint32_t)value);
        dma_run(dev);
    } else if (size == 8 && off == 0) {
        s->dma_address = __builtin_bswap64(value);
        dma_run(dev);
    }
}

static int add(struct device *dev, unsigned key, const void *data, size_t size)
{
    struct fw_cfg *s = dev->state;
    unsigned n = slot(key);
    uint8_t *copy;

    if (n == NO_ITEM || size > UINT32_MAX)
        return -EINVAL;
    if (s->item[n].data)
        return -EEXIST;
    copy = malloc(size ? size : 1);
    if (!copy)
        return -ENOMEM;
    if (size)
        memcpy(copy, data, size);
    s->item[n].data = copy;
    s->item[n].size = size;
    return 0;
}

int fw_cfg_add_bytes(struct device *dev, unsigned key, const void *data,
                     size_t size)
{
    if (key >= FW_CFG_FILE_FIRST && key < GENERIC_KEYS)
        return -EINVAL;
    return add(dev, key, data, size);
}

static int add_little_endian(struct device *dev, unsigned key, uint64_t value,
                             unsigned size)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> i * 8);
    return fw_cfg_add_bytes(dev, key, bytes, size);
}

int fw_cfg_add_i16(struct device *dev, unsigned key, uint16_t value)
{
    return add_little_endian(dev, key, value, 2);
}

int fw_cfg_add_i32(struct device *dev, unsigned key, uint32_t value)
{
    return add_little_endian(dev, key, value, 4);
}

int fw_cfg_add_i64(struct device *dev, unsigned key, uint64_t value)
{
    return add_little_endian(dev, key, value, 8);
}

int fw_cfg_add_string(struct device *dev, unsigned key, const char *text)
{
    return fw_cfg_add_bytes(dev, key, text, strlen(text) + 1);
}

/* The directory has its final size from the start; only its count grows. */
static int directory_add(struct fw_cfg *s, const char *name, size_t size)
{
    struct item *dir = &s->item[FW_CFG_FILE_DIR];
    uint8_t *entry;

    if (!dir->data) {
        dir->data = calloc(1, 4 + FW_CFG_FILES * DIR_ENTRY);
        if (!dir->data)
            return -ENOMEM;
        dir->size = 4 + FW_CFG_FILES * DIR_ENTRY;
    }
    entry = dir->data + 4 + s->files * DIR_ENTRY;
    put_be32(entry, (uint32_t)size);
    put_be32(entry + 4, (uint32_t)(FW_CFG_FILE_FIRST + s->files) << 16);
    memcpy(entry + 8, name, strlen(name) + 1);
    put_be32(dir->data, s->files + 1);
    return 0;
}

int fw_cfg_add_file(struct device *dev, const char *name, const void *data,
                    size_t size)
{
    struct fw_cfg *s = dev->state;
    int err;

    if (strlen(name) >= NAME_SIZE || size > UINT32_MAX)
        return -EINVAL;
    if (fw_cfg_find(dev, name) >= 0)
        return -EEXIST;
    if (s->files == FW_CFG_FILES)
        return -ENOSPC;
    err = add(dev, FW_CFG_FILE_FIRST + s->files, data, size);
    if (err < 0)
        return err;
    err = directory_add(s, name, size);
    if (err < 0)
        return err;
    memcpy(s->name[s->files], name, strlen(name) + 1);
    s->files++;
    return 0;
}

int fw_cfg_find(struct device *dev, const char *name)
{
    const struct fw_cfg *s = dev->state;

    for (unsigned i = 0; i < s->files; i++)
        if (strcmp(s->name[i], name) == 0)
            return (int)(FW_CFG_FILE_FIRST + i);
    return -ENOENT;
}

int fw_cfg_set_refresh(struct device *dev, const char *name,
                       fw_cfg_refresh *refresh, void *ctx)
{
    struct fw_cfg *s = dev->state;
    int key = fw_cfg_find(dev, name);

    if (key < 0)
        return key;
    s->item[key].refresh = refresh;
    s->item[key].ctx = ctx;
    return 0;
}

const uint8_t *fw_cfg_item(struct device *dev, unsigned key, size_t *size)
{
    struct fw_cfg *s = dev->state;
    unsigned n = slot(key);

    if (n == NO_ITEM || !s->item[n].data)
        return NULL;
    *size = s->item[n].size;
    return s->item[n].data;
}

static int init(struct device *dev)
{
    int err = fw_cfg_add_bytes(dev, FW_CFG_SIGNATURE, "QEMU", 4);

    if (!err)
        err = fw_cfg_add_i32(dev, FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
    return err;
}

static void reset(struct device *dev)
{
    struct fw_cfg *s = dev->state;

    s->dma_address = 0;
    select_key(s, FW_CFG_SIGNATURE);
}

static int loaded(struct device *dev)
{
    struct fw_cfg *s = dev->state;
    const struct item *item = selected(s);

    return s->offset > (item ? item->size : 0) ? -EINVAL : 0;
}

static void fini(struct device *dev)
{
    struct fw_cfg *s = dev->state;

    for (unsigned i = 0; i < KEYS; i++)
        free(s->item[i].data);
}

const struct device_class fw_cfg_class = {
    .name = "fw_cfg",
    .description = "firmware configuration",
    .state_size = sizeof(struct fw_cfg),
    .fields = fields,
    .max_access = 8,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .fini = fini,
    .read = read,
    .write = write,
};
