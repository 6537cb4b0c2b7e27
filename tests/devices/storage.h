/*
 * A bench for disk controllers: 1 MiB of RAM, the I/O bus, a clock that only
 * tests move, a device that remembers interrupt levels, and disks in memory
 * that count what is done to them.
 */
#ifndef TESTS_DEVICES_STORAGE_H
#define TESTS_DEVICES_STORAGE_H

#include "emu/device.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_RAM 0x100000u

/* A disk in memory. */
struct ram_disk {
    struct block block;
    uint8_t *data;
    unsigned reads, writes, flushes, outside;
    uint64_t bad_sector; /* reads and writes of it fail; UINT64_MAX: none */
};

struct wire_sink {
    bool level[4];
    unsigned edges[4]; /* low to high */
};

struct rig {
    struct clock clock;
    struct bus memory, io;
    struct log log;
    struct region ram;
    struct device *dev, *sink;
};

static inline bool ram_disk_bad(struct ram_disk *d, uint64_t offset,
                                size_t size)
{
    if (offset + size > d->block.size_bytes || !d->block.inserted) {
        d->outside++;
        return true;
    }
    return d->bad_sector != UINT64_MAX && d->bad_sector * 512 >= offset &&
           d->bad_sector * 512 < offset + size;
}

static inline int ram_disk_read(struct block *blk, uint64_t offset, void *data,
                                size_t size)
{
    struct ram_disk *d = blk->impl;

    d->reads++;
    if (ram_disk_bad(d, offset, size))
        return -EIO;
    memcpy(data, d->data + offset, size);
    return 0;
}

static inline int ram_disk_write(struct block *blk, uint64_t offset,
                                 const void *data, size_t size)
{
    struct ram_disk *d = blk->impl;

    d->writes++;
    if (blk->read_only || offset % 512 || size % 512)
        d->outside++;
    if (ram_disk_bad(d, offset, size))
        return -EIO;
    memcpy(d->data + offset, data, size);
    return 0;
}

static inline int ram_disk_flush(struct block *blk)
{
    struct ram_disk *d = blk->impl;

    d->flushes++;
    return 0;
}

/* Sector n starts with n as a 32-bit number; the rest is a pattern of it. */
static inline void ram_disk_init(struct ram_disk *d, size_t bytes)
{
    memset(d, 0, sizeof(*d));
    d->data = calloc(1, bytes ? bytes : 1);
    d->bad_sector = UINT64_MAX;
    for (size_t i = 0; i < bytes; i++)
        d->data[i] = (uint8_t)(i % 512 < 4 ? i / 512 >> (8 * (i % 512))
                                           : i * 7 + i / 512);
    d->block = (struct block){.name = "ram", .size_bytes = bytes,
                              .inserted = bytes != 0, .read = ram_disk_read,
                              .write = ram_disk_write,
                              .flush = ram_disk_flush, .impl = d};
}

static inline void ram_disk_fini(struct ram_disk *d)
{
    free(d->data);
}

static inline void sink_line(struct device *dev, unsigned n, bool level)
{
    struct wire_sink *s = dev->state;

    if (level && !s->level[n])
        s->edges[n]++;
    s->level[n] = level;
}

static const struct device_class rig_sink_class = {
    .name = "sink", .state_size = sizeof(struct wire_sink), .max_access = 1,
    .line = sink_line};

static inline struct wire_sink *rig_wires(struct rig *rig)
{
    return rig->sink->state;
}

/* Makes everything but calls neither init nor reset of the device. */
static inline void rig_init(struct rig *rig, const struct device_class *class)
{
    memset(rig, 0, sizeof(*rig));
    clock_init(&rig->clock, true, 0);
    bus_init(&rig->memory, "memory", UINT64_C(1) << 40);
    bus_init(&rig->io, "io", 0x10000);
    log_init(&rig->log);
    rig->ram = (struct region){.name = "ram", .size = RIG_RAM,
                               .kind = REGION_RAM,
                               .host = aligned_alloc(4096, RIG_RAM)};
    memset(rig->ram.host, 0, RIG_RAM);
    CU_ASSERT_EQUAL_FATAL(bus_map(&rig->memory, &rig->ram), 0);
    rig->dev = device_new(class, "disk", &rig->clock, &rig->memory, &rig->io,
                          &rig->log);
    rig->sink = device_new(&rig_sink_class, "sink", &rig->clock, &rig->memory,
                           &rig->io, &rig->log);
    for (unsigned i = 0; i < 4; i++)
        device_wire(rig->dev, i, rig->sink, i);
}

static inline void rig_fini(struct rig *rig)
{
    device_free(rig->dev);
    device_free(rig->sink);
    bus_fini(&rig->memory);
    bus_fini(&rig->io);
    log_fini(&rig->log);
    free(rig->ram.host);
}

static inline uint32_t rig_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static inline uint8_t inb(struct rig *rig, unsigned port)
{
    return (uint8_t)bus_read(&rig->io, port, 1);
}

static inline void outb(struct rig *rig, unsigned port, unsigned value)
{
    bus_write(&rig->io, port, value, 1);
}

#endif
