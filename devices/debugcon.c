/*
 * The debug console of Bochs ("port E9 hack") and of QEMU (isa-debugcon):
 * what is written goes out at once, a read gives 0xE9. It exists in emulators
 * only. Without a chardev the bytes are dropped and the read still answers.
 */
#include "devices/debugcon.h"

struct debugcon {
    uint64_t written; /* bytes since the reset */
};

static const struct field debugcon_fields[] = {
    FIELD(debugcon, written, FIELD_U64),
    FIELD_END,
};

static uint64_t debugcon_read(struct device *dev, unsigned bank, uint64_t off,
                              unsigned size)
{
    (void)dev;
    (void)bank;
    (void)off;
    (void)size;
    return DEBUGCON_MAGIC;
}

static void debugcon_write(struct device *dev, unsigned bank, uint64_t off,
                           uint64_t value, unsigned size)
{
    struct debugcon *s = dev->state;
    uint8_t byte = (uint8_t)value;
    (void)bank;
    (void)off;
    (void)size;
    s->written++;
    if (dev->chardev && dev->chardev->write)
        dev->chardev->write(dev->chardev, &byte, 1);
}

static void debugcon_reset(struct device *dev)
{
    struct debugcon *s = dev->state;
    s->written = 0;
}

const struct device_class debugcon_class = {
    .name = "debugcon",
    .description = "debug console port",
    .state_size = sizeof(struct debugcon),
    .fields = debugcon_fields,
    .max_access = 1,
    .reset = debugcon_reset,
    .read = debugcon_read,
    .write = debugcon_write,
};
