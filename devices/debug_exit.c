/*
 * QEMU's isa-debug-exit: writing v asks for the exit status (v << 1) | 1.
 * It exists in emulators only. The port reads as 0.
 *
 * Invariant: `status` is valid once the wire has risen.
 */
#include "devices/debug_exit.h"

struct debug_exit {
    uint32_t status;
};

static const struct field debug_exit_fields[] = {
    FIELD(debug_exit, status, FIELD_U32),
    FIELD_END,
};

int debug_exit_status(const struct device *dev)
{
    const struct debug_exit *s = dev->state;
    return (int)s->status;
}

static uint64_t debug_exit_read(struct device *dev, unsigned bank, uint64_t off,
                                unsigned size)
{
    (void)dev;
    (void)bank;
    (void)off;
    (void)size;
    return 0;
}

static void debug_exit_write(struct device *dev, unsigned bank, uint64_t off,
                             uint64_t value, unsigned size)
{
    struct debug_exit *s = dev->state;
    (void)bank;
    (void)off;
    (void)size;
    /* Cut so that it stays a positive int. */
    s->status = ((uint32_t)value << 1 | 1) & 0x7FFFFFFF;
    device_drive(dev, DEBUG_EXIT_OUT, true);
    device_drive(dev, DEBUG_EXIT_OUT, false);
}

static void debug_exit_reset(struct device *dev)
{
    struct debug_exit *s = dev->state;
    s->status = 0;
}

const struct device_class debug_exit_class = {
    .name = "isa-debug-exit",
    .description = "port that ends the emulator with a status",
    .state_size = sizeof(struct debug_exit),
    .fields = debug_exit_fields,
    .max_access = 4,
    .reset = debug_exit_reset,
    .read = debug_exit_read,
    .write = debug_exit_write,
};
