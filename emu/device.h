/*
 * What a device is: a chip with registers, lines and a clock, and no idea of
 * where it is mapped, what CPU runs, or what the host is.
 *
 * A device's outputs are wires: out[k] leads to line n of another device (or
 * of the board). The board (pc.c) solders them. Devices run on the CPU thread
 * only and need no locks.
 *
 * A device must survive anything that a guest can do to it: any register
 * sequence, any size, any DMA address. What a guest does wrong is answered as
 * the hardware would and logged with LOG_GUEST_ERRORS; it is never an assert.
 */
#ifndef EMU_DEVICE_H
#define EMU_DEVICE_H

#include "emu/backend.h"
#include "emu/bus.h"
#include "emu/clock.h"
#include "emu/field.h"
#include "emu/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_WIRES 32
#define DEVICE_DRIVES 4

struct device;

struct device_class {
    const char *name;           /* "i8254" */
    const char *description;    /* "programmable interval timer" */
    size_t state_size;          /* bytes of zeroed state to allocate */
    const struct field *fields; /* ends with FIELD_END */
    unsigned max_access;        /* largest access read and write take: 1, 2,
                                   4 or 8; the bus splits larger ones */
    /* After the wiring, before the first reset. 0 or -errno. */
    int (*init)(struct device *dev);
    void (*reset)(struct device *dev);
    /* State was just loaded from a snapshot: -EINVAL if it is impossible. */
    int (*loaded)(struct device *dev);
    void (*fini)(struct device *dev);
    /* `off` counts from the region's base; size is a power of two. */
    uint64_t (*read)(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size);
    void (*write)(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size);
    /* Input line n changed (or was driven again with the same level). */
    void (*line)(struct device *dev, unsigned n, bool level);
};

/* Where an output leads: `to` NULL means not connected. */
struct wire {
    struct device *to;
    unsigned line;
};

struct device {
    const struct device_class *class;
    const char *name;   /* "pit", unique on the board */
    void *state;        /* class->state_size bytes */
    const void *config; /* the class's own constants, may be NULL */
    struct clock *clock;
    struct bus *memory; /* guest-physical memory, for bus masters */
    struct bus *io;     /* ports, for chips that remap themselves (PCI) */
    struct log *log;
    struct chardev *chardev;            /* serial, debug consoles; or NULL */
    struct block *drive[DEVICE_DRIVES]; /* disks; NULL = not there */
    struct wire out[DEVICE_WIRES];
    struct device *next;
};

/* Allocates a device of a class; it still needs wiring and device_init().
 * NULL when out of memory. */
struct device *device_new(const struct device_class *class, const char *name,
                          struct clock *clock, struct bus *memory,
                          struct bus *io, struct log *log);
int device_init(struct device *dev);
void device_reset(struct device *dev);
void device_free(struct device *dev);

/* Solders output `out` of `from` to input `line` of `to`. */
void device_wire(struct device *from, unsigned out, struct device *to,
                 unsigned line);
/* Drives output `out`; nothing happens when it leads nowhere. */
void device_drive(struct device *dev, unsigned out, bool level);

#endif
