/*
 * A bench for one chip: two buses, a clock that moves only when it is told
 * to, a silent log, and a probe that records what the chip's wires do.
 */
#ifndef TESTS_DEVICES_CHIP_H
#define TESTS_DEVICES_CHIP_H

#include "emu/device.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define CHIP_PROBES 64

struct probe {
    bool level[CHIP_PROBES];
    unsigned rises[CHIP_PROBES];
};

struct chip {
    struct bus memory, io;
    struct clock clock;
    struct log log;
    struct device *dev;
    struct device *probe; /* state: struct probe */
    uint64_t random;
};

static inline void chip_probe_line(struct device *dev, unsigned n, bool level)
{
    struct probe *probe = dev->state;

    if (n >= CHIP_PROBES)
        return;
    if (level && !probe->level[n])
        probe->rises[n]++;
    probe->level[n] = level;
}

static inline const struct device_class *chip_probe_class(void)
{
    static const struct field none[] = {FIELD_END};
    static const struct device_class class = {
        .name = "probe",
        .description = "records its input lines",
        .state_size = sizeof(struct probe),
        .fields = none,
        .max_access = 1,
        .line = chip_probe_line,
    };

    return &class;
}

/* Buses and clock only; for tests that add devices and RAM of their own. */
static inline void chip_open_empty(struct chip *chip)
{
    memset(chip, 0, sizeof(*chip));
    CU_ASSERT_EQUAL_FATAL(bus_init(&chip->memory, "memory", UINT64_C(1) << 40),
                          0);
    CU_ASSERT_EQUAL_FATAL(bus_init(&chip->io, "io", 0x10000), 0);
    clock_init(&chip->clock, true, 0);
    clock_start(&chip->clock);
    log_init(&chip->log);
    chip->random = UINT64_C(0x9E3779B97F4A7C15);
    chip->probe = device_new(chip_probe_class(), "probe", &chip->clock,
                             &chip->memory, &chip->io, &chip->log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(chip->probe);
}

/* All of the chip's outputs lead to the probe's lines of the same number. */
static inline struct device *chip_add(struct chip *chip,
                                      const struct device_class *class,
                                      const void *config)
{
    chip->dev = device_new(class, class->name, &chip->clock, &chip->memory,
                           &chip->io, &chip->log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(chip->dev);
    chip->dev->config = config;
    for (unsigned i = 0; i < DEVICE_WIRES; i++)
        device_wire(chip->dev, i, chip->probe, i);
    CU_ASSERT_EQUAL_FATAL(device_init(chip->dev), 0);
    device_reset(chip->dev);
    return chip->dev;
}

static inline struct device *chip_open(struct chip *chip,
                                       const struct device_class *class,
                                       const void *config)
{
    chip_open_empty(chip);
    return chip_add(chip, class, config);
}

static inline void chip_close(struct chip *chip)
{
    device_free(chip->dev);
    device_free(chip->probe);
    bus_fini(&chip->memory);
    bus_fini(&chip->io);
    log_fini(&chip->log);
}

static inline bool chip_level(const struct chip *chip, unsigned n)
{
    return ((const struct probe *)chip->probe->state)->level[n];
}

static inline unsigned chip_rises(const struct chip *chip, unsigned n)
{
    return ((const struct probe *)chip->probe->state)->rises[n];
}

static inline void chip_line(struct chip *chip, unsigned n, bool level)
{
    chip->dev->class->line(chip->dev, n, level);
}

static inline uint64_t chip_read(struct chip *chip, unsigned bank, uint64_t off,
                                 unsigned size)
{
    uint64_t value = chip->dev->class->read(chip->dev, bank, off, size);

    return size < 8 ? value & ((UINT64_C(1) << size * 8) - 1) : value;
}

static inline void chip_write(struct chip *chip, unsigned bank, uint64_t off,
                              uint64_t value, unsigned size)
{
    chip->dev->class->write(chip->dev, bank, off, value, size);
}

/* Lets time pass, running every timer at its own moment. */
static inline void chip_advance(struct chip *chip, uint64_t ns)
{
    uint64_t end = clock_now_ns(&chip->clock) + ns;

    while (clock_deadline_ns(&chip->clock) <= end) {
        clock_skip_to(&chip->clock, clock_deadline_ns(&chip->clock));
        if (!clock_run(&chip->clock))
            break;
    }
    clock_skip_to(&chip->clock, end);
    clock_run(&chip->clock);
}

/* xorshift64*, the same on every run. */
static inline uint64_t chip_random(struct chip *chip)
{
    uint64_t x = chip->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    chip->random = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

/*
 * A storm of random accesses within `sizes[bank]` bytes of each bank, random
 * input lines and random pauses, with a reset now and then. It proves that
 * nothing crashes, hangs or (under the sanitizers) overruns; the caller checks
 * the chip's invariants afterwards.
 */
static inline void chip_storm(struct chip *chip, const uint32_t *sizes,
                              unsigned banks, unsigned lines, unsigned count)
{
    const struct device_class *class = chip->dev->class;

    for (unsigned i = 0; i < count; i++) {
        uint64_t r = chip_random(chip);
        unsigned bank = (unsigned)(r & 0xFF) % banks;
        unsigned size = 1u << (r >> 8 & 3);
        uint64_t value = chip_random(chip);

        while (size > class->max_access || size > sizes[bank])
            size /= 2;
        uint64_t off = (r >> 16 & 0xFFFFFF) % (sizes[bank] - size + 1);
        /* Most registers are where the alignment is. */
        if (r >> 40 & 3)
            off &= ~(uint64_t)(size - 1);
        /* Small values meet more cases than large ones. */
        if (r >> 42 & 1)
            value &= 0xFF;
        switch (r >> 44 & 7) {
        case 0:
        case 1:
        case 2:
            (void)class->read(chip->dev, bank, off, size);
            break;
        case 3:
            if (lines && class->line)
                class->line(chip->dev, (unsigned)value % (lines + 1),
                            (value >> 32 & 1) != 0);
            break;
        default:
            if (class->write)
                class->write(chip->dev, bank, off,
                             size < 8 ? value & ((UINT64_C(1) << size * 8) - 1)
                                      : value,
                             size);
            break;
        }
        if ((r >> 48 & 15) == 0)
            chip_advance(chip, r >> 52 & 0xFFF);
        if (i % 50000 == 49999)
            device_reset(chip->dev);
    }
}

#endif
