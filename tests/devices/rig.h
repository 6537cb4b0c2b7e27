/*
 * A bench for one or more devices without a board: two buses, a clock that
 * moves only when told to, and a probe that records what a wire does.
 */
#ifndef TESTS_DEVICES_RIG_H
#define TESTS_DEVICES_RIG_H

#include "emu/device.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define RIG_RAM (UINT64_C(4) << 20)
#define RIG_REGIONS 16
#define RIG_DEVICES 4
#define PROBE_LINES 32

/* What each line of the probe has seen. */
struct probe {
    bool level[PROBE_LINES];
    unsigned rises[PROBE_LINES], falls[PROBE_LINES];
};

struct rig {
    struct clock clock;
    struct bus memory, io;
    struct log log;
    uint8_t *ram;
    struct region ram_region;
    struct region region[RIG_REGIONS];
    unsigned regions;
    struct device *device[RIG_DEVICES];
    unsigned devices;
    struct device *probe_device;
    struct probe *probe;
};

static inline void probe_line(struct device *dev, unsigned n, bool level)
{
    struct probe *p = dev->state;
    if (n >= PROBE_LINES)
        return;
    if (level && !p->level[n])
        p->rises[n]++;
    if (!level && p->level[n])
        p->falls[n]++;
    p->level[n] = level;
}

static const struct device_class probe_class = {
    .name = "probe",
    .description = "records its lines",
    .state_size = sizeof(struct probe),
    .max_access = 1,
    .line = probe_line,
};

/* A running icount clock at 1 s, 4 MiB of RAM at 0, a probe. */
static inline void rig_open(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    clock_init(&r->clock, true, 0);
    clock_start(&r->clock);
    clock_skip_to(&r->clock, NS_PER_SECOND);
    log_init(&r->log);
    CU_ASSERT_EQUAL_FATAL(bus_init(&r->memory, "memory", UINT64_C(1) << 40), 0);
    CU_ASSERT_EQUAL_FATAL(bus_init(&r->io, "io", 0x10000), 0);
    r->ram = calloc(1, RIG_RAM);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->ram);
    r->ram_region = (struct region){
        .name = "ram", .size = RIG_RAM, .kind = REGION_RAM, .host = r->ram};
    CU_ASSERT_EQUAL_FATAL(bus_map(&r->memory, &r->ram_region), 0);
    r->probe_device = device_new(&probe_class, "probe", &r->clock, &r->memory,
                                 &r->io, &r->log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->probe_device);
    r->probe = r->probe_device->state;
}

static inline void rig_close(struct rig *r)
{
    while (r->devices)
        device_free(r->device[--r->devices]);
    device_free(r->probe_device);
    bus_fini(&r->memory);
    bus_fini(&r->io);
    log_fini(&r->log);
    free(r->ram);
}

/* Makes a device whose outputs all go to the probe, line for line. The caller
 * sets chardev or drives, then calls rig_start(). */
static inline struct device *
rig_add(struct rig *r, const struct device_class *class, const void *config)
{
    CU_ASSERT_FATAL(r->devices < RIG_DEVICES);
    struct device *dev =
        device_new(class, class->name, &r->clock, &r->memory, &r->io, &r->log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dev);
    dev->config = config;
    for (unsigned i = 0; i < DEVICE_WIRES; i++)
        device_wire(dev, i, r->probe_device, i);
    r->device[r->devices++] = dev;
    return dev;
}

/* Initialises and resets every device, in the order of adding. */
static inline void rig_start(struct rig *r)
{
    for (unsigned i = 0; i < r->devices; i++)
        CU_ASSERT_EQUAL_FATAL(device_init(r->device[i]), 0);
    for (unsigned i = 0; i < r->devices; i++)
        device_reset(r->device[i]);
}

static inline void rig_map(struct rig *r, struct device *dev, unsigned bank,
                           uint64_t base, uint64_t size)
{
    CU_ASSERT_FATAL(r->regions < RIG_REGIONS);
    struct region *region = &r->region[r->regions++];
    *region = (struct region){.name = dev->class->name,
                              .base = base,
                              .size = size,
                              .kind = REGION_DEVICE,
                              .dev = dev,
                              .bank = bank};
    CU_ASSERT_EQUAL_FATAL(bus_map(&r->io, region), 0);
}

static inline uint8_t rig_in(struct rig *r, unsigned port)
{
    return (uint8_t)bus_read(&r->io, port, 1);
}

static inline void rig_out(struct rig *r, unsigned port, unsigned value)
{
    bus_write(&r->io, port, value, 1);
}

/* Lets `ns` pass, stopping at every timer on the way. Returns how many ran. */
static inline unsigned rig_pass(struct rig *r, uint64_t ns)
{
    uint64_t end = clock_now_ns(&r->clock) + ns;
    unsigned ran = 0;
    while (clock_deadline_ns(&r->clock) <= end) {
        clock_skip_to(&r->clock, clock_deadline_ns(&r->clock));
        ran += clock_run(&r->clock);
    }
    clock_skip_to(&r->clock, end);
    return ran;
}

/* xorshift64*: the storms' random numbers, the same on every run. */
static inline uint64_t rig_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545F4914F6CDD1D);
}

/*
 * The storm: `count` random accesses of every mapped region, in all sizes,
 * and line changes, with time going on. Whatever it does must not crash,
 * hang or trip a sanitizer, and the state that it leaves must be one that
 * loaded() accepts. Ends with a reset. Returns the number of timers that ran.
 */
static inline uint64_t rig_storm(struct rig *r, unsigned count, uint64_t seed)
{
    uint64_t timers = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t n = rig_random(&seed);
        const struct region *region = &r->region[n % r->regions];
        uint64_t port = region->base + (n >> 8) % region->size;
        unsigned size = 1u << (n >> 40) % 3;
        if (n >> 16 & 1)
            bus_write(&r->io, port, rig_random(&seed), size);
        else
            (void)bus_read(&r->io, port, size);
        struct device *dev = r->device[(n >> 17) % r->devices];
        if ((n >> 24) % 8 == 0 && dev->class->line)
            dev->class->line(dev, (unsigned)(n >> 32) % 36, n >> 38 & 1);
        if ((n >> 44) % 4 == 0)
            clock_skip_to(&r->clock, clock_now_ns(&r->clock) +
                                         (rig_random(&seed) >> (n >> 58)) %
                                             (NS_PER_SECOND / 16));
        timers += clock_run(&r->clock);
    }
    for (unsigned i = 0; i < r->devices; i++) {
        struct device *dev = r->device[i];
        if (dev->class->loaded)
            CU_ASSERT_EQUAL(dev->class->loaded(dev), 0);
        device_reset(dev);
    }
    return timers;
}

#endif
