/*
 * Intel 8254 programmable interval timer (data sheet 231164): three 16-bit
 * counters, six modes, binary and BCD, latch and read-back commands.
 *
 * Nothing ticks. A counter is a start tick and a count, from which its
 * reading and its OUT follow for any later tick of the 1.193182 MHz clock.
 * Only OUT 0 is a wire, so only counter 0 has a timer, for its rising edges.
 *
 * Wire 0 differs from the pin in one respect: in modes 2 and 3 it falls only
 * just before it rises again. The 8259A withdraws a request whose line falls,
 * and a host that runs late must not lose interrupts that way. Edges that are
 * overdue count as one; no two are closer than MIN_GAP ticks, so that a count
 * of 2 cannot take all of the host's time. i8254_out() and status bytes
 * always show the pin itself.
 *
 * Not modelled: the illegal count 1 in modes 2 and 3 (OUT does not move);
 * BCD digits above 9 count as their weight.
 *
 * Invariants: mode is 0 to 5; 1 <= count, reload <= MAX_COUNT; start is a
 * tick, modulo 2^64, and may lie in the future by one.
 */
#include "devices/i8254.h"

#include <errno.h>

#define MAX_COUNT 0x10000u
#define BCD_DIGITS 10000u
#define MIN_GAP 12u /* 10 us */

enum access { ACCESS_LATCH, ACCESS_LSB, ACCESS_MSB, ACCESS_BOTH };

enum {
    READ_BACK_NO_COUNT = 0x20,
    READ_BACK_NO_STATUS = 0x10,
    STATUS_OUT = 0x80,
    STATUS_NULL = 0x40,
};

struct counter {
    uint8_t control; /* RW, M, BCD as written: status bits 5:0 */
    uint8_t mode;
    bool bcd;
    bool gate;
    bool write_high, read_high; /* next byte of a pair is the high one */
    uint8_t low;                /* first byte of a pair being written */
    bool loaded;                /* CR has been written since the control word */
    bool null;                  /* CR has a count that CE has not */
    bool running;               /* `start` is valid: CE has been loaded */
    uint64_t start;             /* tick at which CE took `count` */
    uint32_t count;             /* what CE was loaded with */
    uint32_t reload;            /* CR */
    bool reloading;             /* CR goes into CE at `reload_at` */
    uint64_t reload_at;
    uint64_t frozen; /* ticks already counted when the gate stopped it */
    bool status_latched;
    uint8_t status;
    uint8_t latched; /* bytes of `latch` still to be read */
    uint16_t latch;
};

struct i8254 {
    struct counter counter[I8254_CHANNELS];
    struct timer timer;
    bool rising; /* the timer's deadline is a rising edge */
    bool irq;    /* level last driven on wire 0 */
};

#define COUNTER_FIELDS(N)                                                      \
    FIELD(i8254, counter[N].control, FIELD_U8),                                \
        FIELD(i8254, counter[N].mode, FIELD_U8),                               \
        FIELD(i8254, counter[N].bcd, FIELD_BOOL),                              \
        FIELD(i8254, counter[N].gate, FIELD_BOOL),                             \
        FIELD(i8254, counter[N].write_high, FIELD_BOOL),                       \
        FIELD(i8254, counter[N].read_high, FIELD_BOOL),                        \
        FIELD(i8254, counter[N].low, FIELD_U8),                                \
        FIELD(i8254, counter[N].loaded, FIELD_BOOL),                           \
        FIELD(i8254, counter[N].null, FIELD_BOOL),                             \
        FIELD(i8254, counter[N].running, FIELD_BOOL),                          \
        FIELD(i8254, counter[N].start, FIELD_U64),                             \
        FIELD(i8254, counter[N].count, FIELD_U32),                             \
        FIELD(i8254, counter[N].reload, FIELD_U32),                            \
        FIELD(i8254, counter[N].reloading, FIELD_BOOL),                        \
        FIELD(i8254, counter[N].reload_at, FIELD_U64),                         \
        FIELD(i8254, counter[N].frozen, FIELD_U64),                            \
        FIELD(i8254, counter[N].status_latched, FIELD_BOOL),                   \
        FIELD(i8254, counter[N].status, FIELD_U8),                             \
        FIELD(i8254, counter[N].latched, FIELD_U8),                            \
        FIELD(i8254, counter[N].latch, FIELD_U16)

static const struct field i8254_fields[] = {
    COUNTER_FIELDS(0),
    COUNTER_FIELDS(1),
    COUNTER_FIELDS(2),
    FIELD(i8254, timer, FIELD_TIMER),
    FIELD(i8254, rising, FIELD_BOOL),
    FIELD(i8254, irq, FIELD_BOOL),
    FIELD_END,
};

static uint64_t now_ticks(const struct device *dev)
{
    return clock_ticks(dev->clock, I8254_HZ);
}

/* Ticks in the high half of a square wave of `count` ticks. */
static uint32_t high_half(uint32_t count)
{
    return (count + 1) / 2;
}

static bool periodic(const struct counter *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* Does a low gate hold the counter (rather than only trigger it)? */
static bool gate_holds(const struct counter *c)
{
    return c->mode == 0 || c->mode == 4;
}

/* Ticks since CE was loaded, with the time that the gate held it left out. */
static uint64_t elapsed(const struct counter *c, uint64_t now)
{
    if (!c->gate && gate_holds(c))
        return c->frozen;
    /* `start` is at most one tick ahead, just after a load. */
    return (int64_t)(now - c->start) < 0 ? 0 : now - c->start;
}

/* Modes 2 and 3: a new count takes over at the end of the (half) cycle. */
static void take_reload(struct counter *c, uint64_t now)
{
    if (!c->reloading || (int64_t)(now - c->reload_at) < 0)
        return;
    c->reloading = false;
    c->null = false;
    uint64_t in_cycle = (c->reload_at - c->start) % c->count;
    c->start = c->reload_at;
    if (c->mode == 3 && in_cycle != 0)
        c->start -= high_half(c->reload); /* the low half comes first */
    c->count = c->reload;
}

static bool out_at(const struct counter *c, uint64_t now)
{
    if (!c->running)
        return c->mode != 0;
    uint64_t t = elapsed(c, now);
    switch (c->mode) {
    case 0:
    case 1:
        return t >= c->count;
    case 2:
        return !c->gate || c->count == 1 || t % c->count != c->count - 1;
    case 3:
        return !c->gate || t % c->count < high_half(c->count);
    default:
        return t != c->count;
    }
}

static uint16_t to_bcd(uint32_t n)
{
    return (uint16_t)((n / 1000 % 10) << 12 | (n / 100 % 10) << 8 |
                      (n / 10 % 10) << 4 | n % 10);
}

static uint32_t from_bcd(uint32_t n)
{
    return (n >> 12 & 15) * 1000 + (n >> 8 & 15) * 100 + (n >> 4 & 15) * 10 +
           (n & 15);
}

/* What CE holds, as OL would latch it. */
static uint16_t reading(const struct counter *c, uint64_t now)
{
    uint32_t modulus = c->bcd ? BCD_DIGITS : MAX_COUNT;
    uint64_t t = c->running ? elapsed(c, now) : 0;
    uint64_t value;
    if (c->running && periodic(c) && !c->gate)
        t = c->frozen;
    if (c->mode == 2) {
        value = c->count - t % c->count;
    } else if (c->mode == 3) {
        /* Counts down by two, once for each half; an odd count is loaded
         * one less. */
        t %= c->count;
        if (t >= high_half(c->count))
            t -= high_half(c->count);
        value = (c->count & ~1u) - 2 * t;
    } else {
        value = c->count % modulus + modulus - t % modulus;
    }
    uint32_t v = (uint32_t)(value % modulus);
    return c->bcd ? to_bcd(v) : (uint16_t)v;
}

static void drive(struct device *dev, bool level)
{
    struct i8254 *s = dev->state;
    if (s->irq != level) {
        s->irq = level;
        device_drive(dev, I8254_OUT_IRQ, level);
    }
}

/* The next tick after `now` at which wire 0 has something to do; false when
 * there is none. */
static bool next_event(struct i8254 *s, uint64_t now, uint64_t *tick)
{
    const struct counter *c = &s->counter[0];
    s->rising = true;
    if (!c->running || (!c->gate && c->mode != 1 && c->mode != 5))
        return false;
    uint64_t t = elapsed(c, now);
    uint64_t ahead = (int64_t)(now - c->start) < 0 ? c->start - now : 0;
    if (!periodic(c)) {
        uint64_t edge = c->mode < 4 ? c->count : c->count + 1u;
        if (t >= edge)
            return false;
        *tick = now + ahead + edge - t;
        return true;
    }
    if (c->count == 1 && !c->reloading)
        return false;
    uint64_t wait = c->count - t % c->count;
    if (wait < MIN_GAP && c->count < MIN_GAP)
        wait += MIN_GAP - MIN_GAP % c->count;
    *tick = now + ahead + wait;
    if (c->reloading && (int64_t)(*tick - c->reload_at) >= 0) {
        /* Mode 3 may change its count in mid-cycle, where OUT falls. */
        s->rising = (c->reload_at - c->start) % c->count == 0;
        *tick = c->reload_at;
    }
    return true;
}

static void schedule(struct device *dev)
{
    struct i8254 *s = dev->state;
    uint64_t tick;
    if (next_event(s, now_ticks(dev), &tick))
        timer_arm(&s->timer, clock_ticks_to_ns(tick, I8254_HZ));
    else
        timer_disarm(&s->timer);
}

static void expire(void *ctx)
{
    struct device *dev = ctx;
    struct i8254 *s = dev->state;
    take_reload(&s->counter[0], now_ticks(dev));
    if (s->rising) {
        drive(dev, false);
        drive(dev, true);
    }
    schedule(dev);
}

/* Brings a counter up to the present before it is looked at or changed. An
 * edge that is due but not yet delivered is delivered first. */
static uint64_t catch_up(struct device *dev, unsigned channel)
{
    struct i8254 *s = dev->state;
    if (channel == 0 && s->timer.deadline_ns <= clock_now_ns(dev->clock)) {
        timer_disarm(&s->timer);
        expire(dev);
    }
    uint64_t now = now_ticks(dev);
    take_reload(&s->counter[channel], now);
    return now;
}

/* After a change of counter `channel` that may move its OUT. */
static void changed(struct device *dev, unsigned channel, uint64_t now)
{
    struct i8254 *s = dev->state;
    if (channel != 0)
        return;
    const struct counter *c = &s->counter[0];
    bool level = out_at(c, now);
    /* See the top: in modes 2 and 3 the wire does not show the low part. */
    drive(dev, periodic(c) ? true : level);
    schedule(dev);
}

static void load_ce(struct counter *c, uint64_t now)
{
    c->count = c->reload;
    c->start = now + 1; /* on the next clock */
    c->frozen = 0;
    c->running = true;
    c->null = false;
    c->reloading = false;
}

static void write_control(struct device *dev, unsigned channel, uint8_t value,
                          uint64_t now)
{
    struct i8254 *s = dev->state;
    struct counter *c = &s->counter[channel];
    unsigned mode = value >> 1 & 7;
    c->control = value & 0x3F;
    c->mode = (uint8_t)(mode > 5 ? mode - 4 : mode);
    c->bcd = value & 1;
    c->write_high = false;
    c->read_high = false;
    c->loaded = false;
    c->null = true;
    c->running = false;
    c->reloading = false;
    c->frozen = 0;
    c->latched = 0;
    c->status_latched = false;
    changed(dev, channel, now);
}

static void latch_count(struct counter *c, uint64_t now)
{
    if (c->latched)
        return; /* an unread latch is kept */
    c->latch = reading(c, now);
    c->latched = (c->control >> 4) == ACCESS_BOTH ? 2 : 1;
    c->read_high = false;
}

static void latch_status(struct counter *c, uint64_t now)
{
    if (c->status_latched)
        return;
    bool null = c->null || (c->running && (int64_t)(now - c->start) < 0);
    c->status = (uint8_t)(c->control | (null ? STATUS_NULL : 0) |
                          (out_at(c, now) ? STATUS_OUT : 0));
    c->status_latched = true;
}

/* CR has a whole new count. */
static void write_count(struct counter *c, uint32_t raw, uint64_t now)
{
    uint32_t n = c->bcd ? from_bcd(raw) : raw;
    if (n == 0)
        n = c->bcd ? BCD_DIGITS : MAX_COUNT;
    c->reload = n;
    bool first = !c->loaded;
    c->loaded = true;
    c->null = true;
    if (c->mode == 1 || c->mode == 5)
        return; /* the gate's next rising edge loads it */
    if (!periodic(c) || first || !c->gate) {
        load_ce(c, now);
        return;
    }
    uint64_t t = elapsed(c, now) % c->count;
    uint64_t end = c->count;
    if (c->mode == 3 && t < high_half(c->count) && c->count > 1)
        end = high_half(c->count);
    c->reloading = true;
    c->reload_at = ((int64_t)(now - c->start) < 0 ? c->start : now) + end - t;
}

static void write_counter(struct device *dev, unsigned channel, uint8_t value,
                          uint64_t now)
{
    struct i8254 *s = dev->state;
    struct counter *c = &s->counter[channel];
    switch (c->control >> 4 & 3) {
    case ACCESS_LSB:
        write_count(c, value, now);
        break;
    case ACCESS_MSB:
        write_count(c, (uint32_t)value << 8, now);
        break;
    default:
        if (!c->write_high) {
            c->low = value;
            c->write_high = true;
            if (c->mode == 0)
                c->running = false; /* the first byte stops mode 0 */
            break;
        }
        c->write_high = false;
        write_count(c, (uint32_t)value << 8 | c->low, now);
        break;
    }
    changed(dev, channel, now);
}

static uint8_t read_counter(struct counter *c, uint64_t now)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    unsigned access = c->control >> 4 & 3;
    uint16_t value = c->latched ? c->latch : reading(c, now);
    bool high = access == ACCESS_MSB;
    if (access == ACCESS_BOTH) {
        high = c->read_high;
        c->read_high = !c->read_high;
    }
    if (c->latched)
        c->latched--;
    return (uint8_t)(high ? value >> 8 : value);
}

static uint64_t i8254_read(struct device *dev, unsigned bank, uint64_t off,
                           unsigned size)
{
    struct i8254 *s = dev->state;
    (void)bank;
    (void)size;
    unsigned channel = off & 3;
    if (channel == 3)
        return 0xFF; /* "no-operation (3-state)" */
    uint64_t now = catch_up(dev, channel);
    return read_counter(&s->counter[channel], now);
}

static void i8254_write(struct device *dev, unsigned bank, uint64_t off,
                        uint64_t value, unsigned size)
{
    struct i8254 *s = dev->state;
    (void)bank;
    (void)size;
    uint8_t v = (uint8_t)value;
    unsigned channel = off & 3;
    if (channel != 3) {
        write_counter(dev, channel, v, catch_up(dev, channel));
        return;
    }
    if (v >> 6 != 3) {
        channel = v >> 6;
        uint64_t now = catch_up(dev, channel);
        if ((v >> 4 & 3) == ACCESS_LATCH)
            latch_count(&s->counter[channel], now);
        else
            write_control(dev, channel, v, now);
        return;
    }
    for (channel = 0; channel < I8254_CHANNELS; channel++) {
        if (!(v >> (channel + 1) & 1))
            continue;
        uint64_t now = catch_up(dev, channel);
        if (!(v & READ_BACK_NO_COUNT))
            latch_count(&s->counter[channel], now);
        if (!(v & READ_BACK_NO_STATUS))
            latch_status(&s->counter[channel], now);
    }
}

bool i8254_out(struct device *dev, unsigned channel)
{
    struct i8254 *s = dev->state;
    if (channel >= I8254_CHANNELS)
        return false;
    uint64_t now = catch_up(dev, channel);
    return out_at(&s->counter[channel], now);
}

void i8254_set_gate(struct device *dev, unsigned channel, bool level)
{
    struct i8254 *s = dev->state;
    if (channel >= I8254_CHANNELS || s->counter[channel].gate == level)
        return;
    uint64_t now = catch_up(dev, channel);
    struct counter *c = &s->counter[channel];
    if (!level) {
        c->frozen = c->running ? elapsed(c, now) : 0;
        c->gate = false;
    } else {
        c->gate = true;
        if (gate_holds(c))
            c->start = now - c->frozen;
        else if (c->loaded)
            load_ce(c, now);
    }
    changed(dev, channel, now);
}

static void i8254_line(struct device *dev, unsigned n, bool level)
{
    i8254_set_gate(dev, n, level);
}

static int i8254_init(struct device *dev)
{
    struct i8254 *s = dev->state;
    timer_init(&s->timer, dev->clock, "pit.0", expire, dev);
    for (unsigned i = 0; i < I8254_CHANNELS; i++) {
        s->counter[i].count = MAX_COUNT;
        s->counter[i].reload = MAX_COUNT;
    }
    return 0;
}

/* The data sheet leaves it undefined; as QEMU has it, all counters make a
 * square wave of 65536 ticks, and gate 2 is low until port 0x61 says so. */
static void i8254_reset(struct device *dev)
{
    struct i8254 *s = dev->state;
    uint64_t now = now_ticks(dev);
    for (unsigned i = 0; i < I8254_CHANNELS; i++) {
        struct counter *c = &s->counter[i];
        *c = (struct counter){.control = 0x36,
                              .mode = 3,
                              .gate = i != 2,
                              .loaded = true,
                              .reload = MAX_COUNT};
        load_ce(c, now);
    }
    changed(dev, 0, now);
}

static int i8254_loaded(struct device *dev)
{
    const struct i8254 *s = dev->state;
    for (unsigned i = 0; i < I8254_CHANNELS; i++) {
        const struct counter *c = &s->counter[i];
        if (c->mode > 5 || c->count == 0 || c->count > MAX_COUNT ||
            c->reload == 0 || c->reload > MAX_COUNT || c->control > 0x3F ||
            c->latched > 2)
            return -EINVAL;
    }
    return 0;
}

static void i8254_fini(struct device *dev)
{
    struct i8254 *s = dev->state;
    timer_fini(&s->timer);
}

const struct device_class i8254_class = {
    .name = "i8254",
    .description = "programmable interval timer",
    .state_size = sizeof(struct i8254),
    .fields = i8254_fields,
    .max_access = 1,
    .init = i8254_init,
    .reset = i8254_reset,
    .loaded = i8254_loaded,
    .fini = i8254_fini,
    .read = i8254_read,
    .write = i8254_write,
    .line = i8254_line,
};
