/*
 * The bus: a sorted array of regions. Lookups remember the last region found,
 * since a driver talks to one device at a time; the I/O bus is small enough to
 * have one pointer a port and needs no search at all.
 *
 * Not modelled: bus width and timing, and the locked cycle. An access that
 * crosses from one region into another is split there, low bytes first.
 *
 * Invariant: a device's read or write may map and unmap regions (PCI base
 * registers do), so nothing found before such a call is used after it.
 */
#include "emu/bus.h"

#include "emu/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IO_PORTS UINT64_C(0x10000)
#define PAGE_MASK UINT64_C(0xFFF)

int bus_init(struct bus *bus, const char *name, uint64_t limit)
{
    memset(bus, 0, sizeof(*bus));
    bus->name = name;
    bus->limit = limit;
    if (limit == IO_PORTS) {
        bus->ports = calloc(IO_PORTS, sizeof(*bus->ports));
        if (!bus->ports)
            return -ENOMEM;
    }
    return 0;
}

void bus_fini(struct bus *bus)
{
    /* The regions are not touched: their owners may be gone already. */
    free(bus->regions);
    free(bus->ports);
    memset(bus, 0, sizeof(*bus));
}

/* Index of the first region that ends after `addr`: the one that holds it, or
 * the next one above. bus->count when there is none. */
static size_t lower_bound(const struct bus *bus, uint64_t addr)
{
    size_t low = 0, high = bus->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct region *r = bus->regions[middle];
        if (r->base + (r->size - 1) < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool valid(const struct bus *bus, const struct region *region)
{
    if (region->size == 0 || region->base >= bus->limit ||
        region->size > bus->limit - region->base)
        return false;
    if (region->kind != REGION_DEVICE)
        return region->host && !((region->base | region->size) & PAGE_MASK);

    unsigned max = region->dev ? region->dev->class->max_access : 0;
    return max == 1 || max == 2 || max == 4 || max == 8;
}

static void fill_ports(struct bus *bus, const struct region *region,
                       struct region *with)
{
    if (!bus->ports)
        return;
    for (uint64_t i = 0; i < region->size; i++)
        bus->ports[region->base + i] = with;
}

static void tell_changed(struct bus *bus, const struct region *region,
                         bool mapped)
{
    for (struct bus_listener *l = bus->listeners; l; l = l->next) {
        if (l->changed)
            l->changed(l->ctx, region, mapped);
    }
}

static void tell_written(struct bus *bus, uint64_t addr, uint64_t size)
{
    for (struct bus_listener *l = bus->listeners; l; l = l->next) {
        if (l->written)
            l->written(l->ctx, addr, size);
    }
}

int bus_map(struct bus *bus, struct region *region)
{
    if (!valid(bus, region))
        return -EINVAL;

    size_t at = lower_bound(bus, region->base);
    if (at < bus->count &&
        bus->regions[at]->base <= region->base + (region->size - 1))
        return -EEXIST;

    if (bus->count == bus->capacity) {
        size_t capacity = bus->capacity ? bus->capacity * 2 : 32;
        struct region **regions =
            realloc(bus->regions, capacity * sizeof(struct region *));
        if (!regions)
            return -ENOMEM;
        bus->regions = regions;
        bus->capacity = capacity;
    }
    memmove(bus->regions + at + 1, bus->regions + at,
            (bus->count - at) * sizeof(struct region *));
    bus->regions[at] = region;
    bus->count++;
    bus->last = NULL;
    region->mapped = true;
    fill_ports(bus, region, region);
    tell_changed(bus, region, true);
    return 0;
}

void bus_unmap(struct bus *bus, struct region *region)
{
    if (!region->mapped)
        return;
    size_t at = lower_bound(bus, region->base);
    if (at == bus->count || bus->regions[at] != region)
        return;
    bus->count--;
    memmove(bus->regions + at, bus->regions + at + 1,
            (bus->count - at) * sizeof(struct region *));
    bus->last = NULL;
    region->mapped = false;
    fill_ports(bus, region, NULL);
    tell_changed(bus, region, false);
}

void bus_add_listener(struct bus *bus, struct bus_listener *listener)
{
    listener->next = bus->listeners;
    bus->listeners = listener;
}

struct region *bus_find(struct bus *bus, uint64_t addr)
{
    if (bus->ports)
        return addr < IO_PORTS ? bus->ports[addr] : NULL;

    struct region *last = bus->last;
    if (last && addr - last->base < last->size)
        return last;
    size_t at = lower_bound(bus, addr);
    if (at == bus->count || bus->regions[at]->base > addr)
        return NULL;
    bus->last = bus->regions[at];
    return bus->last;
}

static inline uint64_t mask_of(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
}

static uint64_t region_read(struct region *region, uint64_t off, unsigned size)
{
    uint64_t value = 0;

    if (region->kind != REGION_DEVICE) {
        memcpy(&value, region->host + off, size);
        return value;
    }
    region->reads++;
    struct device *dev = region->dev;
    if (!dev->class->read)
        return mask_of(size);
    return dev->class->read(dev, region->bank, off, size) & mask_of(size);
}

static void region_write(struct bus *bus, struct region *region, uint64_t off,
                         uint64_t value, unsigned size)
{
    if (region->kind == REGION_DEVICE) {
        region->writes++;
        struct device *dev = region->dev;
        if (dev->class->write)
            dev->class->write(dev, region->bank, off, value & mask_of(size),
                              size);
    } else if (region->kind == REGION_RAM) {
        memcpy(region->host + off, &value, size);
        tell_written(bus, region->base + off, size);
    }
}

/* How much of an access of `size` bytes at `off` the region takes at once: a
 * power of two. */
static inline unsigned piece(const struct region *region, uint64_t off,
                             unsigned size)
{
    unsigned most = 8;

    if (region->kind == REGION_DEVICE)
        most = region->dev->class->max_access;
    uint64_t left = region->size - off;
    while (most > size || most > left)
        most /= 2;
    return most;
}

uint64_t bus_read(struct bus *bus, uint64_t addr, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0; done < size;) {
        struct region *region = bus_find(bus, addr + done);
        unsigned n = 1;
        uint64_t part = 0xFF;
        if (region) {
            uint64_t off = addr + done - region->base;
            n = piece(region, off, size - done);
            part = region_read(region, off, n);
        }
        value |= part << (done * 8);
        done += n;
    }
    return value;
}

void bus_write(struct bus *bus, uint64_t addr, uint64_t value, unsigned size)
{
    for (unsigned done = 0; done < size;) {
        struct region *region = bus_find(bus, addr + done);
        unsigned n = 1;
        if (region) {
            uint64_t off = addr + done - region->base;
            n = piece(region, off, size - done);
            region_write(bus, region, off, value >> (done * 8), n);
        }
        done += n;
    }
}

/* One step of a block transfer: the bytes from `addr` on that are all in one
 * region (in *region) or all in one gap (NULL). At most `size`, at least 1. */
static size_t stretch(struct bus *bus, uint64_t addr, size_t size,
                      struct region **region)
{
    size_t at = lower_bound(bus, addr);
    uint64_t length = size;

    *region = NULL;
    if (at == bus->count)
        return size;
    struct region *r = bus->regions[at];
    if (r->base > addr) {
        length = r->base - addr;
    } else {
        *region = r;
        length = r->size - (addr - r->base);
    }
    return length < size ? (size_t)length : size;
}

void bus_read_block(struct bus *bus, uint64_t addr, void *data, size_t size)
{
    uint8_t *to = data;

    while (size) {
        struct region *region;
        size_t n = stretch(bus, addr, size, &region);
        if (region && region->kind != REGION_DEVICE)
            memcpy(to, region->host + (addr - region->base), n);
        else
            memset(to, 0xFF, n);
        to += n;
        addr += n;
        size -= n;
    }
}

void bus_write_block(struct bus *bus, uint64_t addr, const void *data,
                     size_t size)
{
    const uint8_t *from = data;

    while (size) {
        struct region *region;
        size_t n = stretch(bus, addr, size, &region);
        if (region && region->kind == REGION_RAM) {
            memcpy(region->host + (addr - region->base), from, n);
            tell_written(bus, addr, n);
        }
        from += n;
        addr += n;
        size -= n;
    }
}

uint8_t *bus_host(struct bus *bus, uint64_t addr, size_t size, bool for_write)
{
    struct region *region = bus_find(bus, addr);

    if (!region || region->kind == REGION_DEVICE ||
        (for_write && region->kind != REGION_RAM))
        return NULL;
    uint64_t off = addr - region->base;
    if (size > region->size - off)
        return NULL;
    return region->host + off;
}
