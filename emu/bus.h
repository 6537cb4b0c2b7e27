/*
 * The bus: regions of an address space, and who answers for each. One type,
 * used twice: guest-physical memory, and the 64 Ki I/O ports.
 *
 * Invariants: regions never overlap (bus_map says -EEXIST); a RAM or ROM
 * region is page-aligned in base and size; listeners hear of every change
 * after it has happened. An address that nobody answers for reads as all ones
 * and ignores writes, as on a PC.
 */
#ifndef EMU_BUS_H
#define EMU_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;

enum region_kind {
    REGION_RAM,    /* reads and writes go to host memory */
    REGION_ROM,    /* reads go to host memory, writes are ignored */
    REGION_DEVICE, /* device_class.read and .write answer */
};

struct region {
    const char *name;
    uint64_t base; /* in bytes, or a port number */
    uint64_t size;
    enum region_kind kind;
    uint8_t *host;      /* RAM, ROM: the bytes behind `base` */
    struct device *dev; /* DEVICE: who answers; RAM: owner or NULL */
    unsigned bank;      /* handed to read and write: which of the device's
                           register files this is */
    bool mapped;
    uint64_t reads, writes; /* device accesses served, for `info mtree` */
};

/* Told of every mapping and unmapping, and of writes to RAM that no CPU made
 * (DMA, loaders): translations of that memory are stale. */
struct bus_listener {
    void (*changed)(void *ctx, const struct region *region, bool mapped);
    void (*written)(void *ctx, uint64_t gpa, uint64_t size);
    void *ctx;
    struct bus_listener *next;
};

struct bus {
    const char *name;        /* "memory", "io" */
    uint64_t limit;          /* addresses run from 0 to limit - 1 */
    struct region **regions; /* sorted by base */
    size_t count, capacity;
    struct region *last;   /* cache of the last lookup, or NULL */
    struct region **ports; /* io only: one entry a port */
    struct bus_listener *listeners;
};

int bus_init(struct bus *bus, const char *name, uint64_t limit);
void bus_fini(struct bus *bus);

/* Maps a region, which the caller owns and keeps alive. 0, -EEXIST on overlap,
 * -EINVAL when it does not fit the bus or is not aligned, -ENOMEM. */
int bus_map(struct bus *bus, struct region *region);
/* No effect when it is not mapped. */
void bus_unmap(struct bus *bus, struct region *region);
void bus_add_listener(struct bus *bus, struct bus_listener *listener);

/* The region that answers for `addr`, or NULL. */
struct region *bus_find(struct bus *bus, uint64_t addr);

/* An access of 1, 2, 4 or 8 bytes, split where it crosses a region or exceeds
 * what the device takes at once. */
uint64_t bus_read(struct bus *bus, uint64_t addr, unsigned size);
void bus_write(struct bus *bus, uint64_t addr, uint64_t value, unsigned size);

/* Block transfers, as DMA makes them. Only RAM and ROM are reached; other
 * bytes read as 0xFF and ignore writes. Listeners hear of writes. */
void bus_read_block(struct bus *bus, uint64_t addr, void *data, size_t size);
void bus_write_block(struct bus *bus, uint64_t addr, const void *data,
                     size_t size);

/* Host address of `size` contiguous bytes of RAM (or ROM, when not
 * `for_write`) at `addr`, or NULL. */
uint8_t *bus_host(struct bus *bus, uint64_t addr, size_t size, bool for_write);

#endif
