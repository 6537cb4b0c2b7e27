/*
 * Devices: allocation, wiring and the calls every class shares.
 *
 * Invariant: a class's fini may meet state that init has filled only in part,
 * or not at all: device_free() runs it in every case.
 */
#include "emu/device.h"

#include <stdlib.h>

struct device *device_new(const struct device_class *class, const char *name,
                          struct clock *clock, struct bus *memory,
                          struct bus *io, struct log *log)
{
    struct device *dev = calloc(1, sizeof(*dev));

    if (!dev)
        return NULL;
    dev->state = calloc(1, class->state_size ? class->state_size : 1);
    if (!dev->state) {
        free(dev);
        return NULL;
    }
    dev->class = class;
    dev->name = name;
    dev->clock = clock;
    dev->memory = memory;
    dev->io = io;
    dev->log = log;
    return dev;
}

int device_init(struct device *dev)
{
    return dev->class->init ? dev->class->init(dev) : 0;
}

void device_reset(struct device *dev)
{
    if (dev->class->reset)
        dev->class->reset(dev);
}

void device_free(struct device *dev)
{
    if (!dev)
        return;
    if (dev->class->fini)
        dev->class->fini(dev);
    free(dev->state);
    free(dev);
}

void device_wire(struct device *from, unsigned out, struct device *to,
                 unsigned line)
{
    if (out >= DEVICE_WIRES)
        return;
    from->out[out].to = to;
    from->out[out].line = line;
}

void device_drive(struct device *dev, unsigned out, bool level)
{
    if (out >= DEVICE_WIRES)
        return;
    struct device *to = dev->out[out].to;
    if (to && to->class->line)
        to->class->line(to, dev->out[out].line, level);
}
