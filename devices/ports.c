/*
 * Small things on a PC/AT's board (82371SB data sheet, 2.5.5 and 2.5.6).
 *
 *   0x61 read:  SERR# IOCHK# OUT2 REFRESH IOCHK_EN PERR_EN SPKR GATE2
 *   0x92:       bit 1 A20, bit 0 resets the CPU when it rises
 *   0x80:       POST codes; reads back, as the DMA page latch there does
 *
 * The refresh bit toggles every 15.085 us, as real as software that counts it
 * for a delay needs it.
 *
 * Not modelled: NMI sources (no parity, no ISA cards, so bits 7:6 are 0), the
 * speaker's sound.
 *
 * Invariant: post[] holds the last POST_HISTORY codes, by count modulo that.
 */
#include "devices/ports.h"

#include "devices/i8254.h"

#include <errno.h>

#define REFRESH_NS 15085u
#define POST_HISTORY 64u

enum {
    B_GATE2 = 0x01,
    B_SPEAKER = 0x02,
    B_WRITABLE = 0x0F,
    B_REFRESH = 0x10,
    B_OUT2 = 0x20,
    A_RESET = 0x01,
    A_A20 = 0x02,
};

struct ports {
    uint8_t control_b, control_a;
    uint8_t last_post; /* 0x80 as it reads */
    uint8_t post[POST_HISTORY];
    uint64_t post_count;
};

static const struct field ports_fields[] = {
    FIELD(ports, control_b, FIELD_U8),
    FIELD(ports, control_a, FIELD_U8),
    FIELD(ports, last_post, FIELD_U8),
    FIELD_ARRAY(ports, post, FIELD_U8, POST_HISTORY),
    FIELD(ports, post_count, FIELD_U64),
    FIELD_END,
};

static struct device *pit(const struct device *dev)
{
    const struct ports_config *config = dev->config;
    return config ? config->pit : NULL;
}

static uint8_t read_control_b(struct device *dev)
{
    const struct ports *s = dev->state;
    uint8_t v = s->control_b;
    if (clock_now_ns(dev->clock) / REFRESH_NS % 2)
        v |= B_REFRESH;
    if (pit(dev) && i8254_out(pit(dev), 2))
        v |= B_OUT2;
    return v;
}

static void write_control_b(struct device *dev, uint8_t value)
{
    struct ports *s = dev->state;
    s->control_b = value & B_WRITABLE;
    if (pit(dev))
        i8254_set_gate(pit(dev), 2, (value & B_GATE2) != 0);
    device_drive(dev, PORTS_OUT_SPEAKER, (value & B_SPEAKER) != 0);
}

static void write_control_a(struct device *dev, uint8_t value)
{
    struct ports *s = dev->state;
    bool reset = (value & A_RESET) && !(s->control_a & A_RESET);
    s->control_a = value;
    device_drive(dev, PORTS_OUT_A20, (value & A_A20) != 0);
    if (reset) {
        device_drive(dev, PORTS_OUT_RESET, true);
        device_drive(dev, PORTS_OUT_RESET, false);
    }
}

static void write_post(struct device *dev, uint8_t value)
{
    struct ports *s = dev->state;
    s->last_post = value;
    s->post[s->post_count % POST_HISTORY] = value;
    s->post_count++;
}

static uint64_t ports_read(struct device *dev, unsigned bank, uint64_t off,
                           unsigned size)
{
    const struct ports *s = dev->state;
    (void)off;
    (void)size;
    switch (bank) {
    case PORTS_BANK_CONTROL_B:
        return read_control_b(dev);
    case PORTS_BANK_CONTROL_A:
        return s->control_a;
    default:
        return s->last_post;
    }
}

static void ports_write(struct device *dev, unsigned bank, uint64_t off,
                        uint64_t value, unsigned size)
{
    (void)off;
    (void)size;
    switch (bank) {
    case PORTS_BANK_CONTROL_B:
        write_control_b(dev, (uint8_t)value);
        break;
    case PORTS_BANK_CONTROL_A:
        write_control_a(dev, (uint8_t)value);
        break;
    default:
        write_post(dev, (uint8_t)value);
        break;
    }
}

uint8_t ports_post_code(const struct device *dev)
{
    const struct ports *s = dev->state;
    return s->last_post;
}

uint64_t ports_post_count(const struct device *dev)
{
    const struct ports *s = dev->state;
    return s->post_count;
}

/* A20 starts enabled: the reset vector needs it. */
static void ports_reset(struct device *dev)
{
    struct ports *s = dev->state;
    *s = (struct ports){.control_a = A_A20};
    write_control_b(dev, 0);
    device_drive(dev, PORTS_OUT_A20, true);
    device_drive(dev, PORTS_OUT_RESET, false);
}

static int ports_loaded(struct device *dev)
{
    const struct ports *s = dev->state;
    return s->control_b & ~B_WRITABLE ? -EINVAL : 0;
}

const struct device_class ports_class = {
    .name = "ports",
    .description = "system control ports and POST codes",
    .state_size = sizeof(struct ports),
    .fields = ports_fields,
    .max_access = 1,
    .reset = ports_reset,
    .loaded = ports_loaded,
    .read = ports_read,
    .write = ports_write,
};
