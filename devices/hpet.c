/*
 * IA-PC HPET (specification 1.0a): general registers (2.3.4 to 2.3.7) and
 * three timers (2.3.8), all 64 bits wide and able to be periodic.
 *
 *     Tn_CONF  13-9 ROUTE  8 32MODE  6 VAL_SET  5 SIZE_CAP  4 PER_CAP
 *              3 PERIODIC  2 INT_ENB  1 LEVEL;  63-32 ROUTE_CAP
 *
 * The counter is the clock in 10 ns ticks plus an offset, so nothing runs
 * while nobody waits. A timer fires when the counter comes to equal its
 * comparator, within the width that 32MODE chooses; a comparator written
 * behind the counter therefore waits for the counter to wrap.
 *
 * Invariants: a clock timer is armed only for a comparator that can be met
 * while the counter runs; in level mode the wire is high exactly while the
 * timer's status bit is set.
 *
 * Not modelled: FSB (message) interrupts, which are not offered.
 */
#include "devices/hpet.h"

#include <errno.h>
#include <string.h>

/* Revision 1, 3 timers, 64 bits, legacy replacement, Intel. */
#define CAPABILITIES ((uint64_t)HPET_PERIOD_NS * 1000000u << 32 | 0x8086A201u)
/* A periodic timer interrupts at most this often; missed periods are skipped
 * over, not made up for. */
#define MIN_NS 1000u

enum { GCAP_ID = 0x00, GEN_CONF = 0x10, GINTR_STA = 0x20, MAIN_CNT = 0xF0,
       TIMER_BASE = 0x100, TIMER_STRIDE = 0x20 };
enum { TN_CONF = 0x00, TN_CMP = 0x08 };
enum { ENABLE_CNF = 1, LEG_RT_CNF = 2 };
enum { TN_LEVEL = 0x0002, TN_INT_ENB = 0x0004, TN_PERIODIC = 0x0008,
       TN_PER_CAP = 0x0010, TN_SIZE_CAP = 0x0020, TN_VAL_SET = 0x0040,
       TN_32MODE = 0x0100, TN_ROUTE = 0x3E00 };
#define TN_WRITABLE                                                            \
    (TN_LEVEL | TN_INT_ENB | TN_PERIODIC | TN_VAL_SET | TN_32MODE | TN_ROUTE)

struct hpet {
    uint64_t config, status;
    uint64_t counter; /* while halted; else the value at clock tick 0 */
    uint64_t conf[HPET_TIMERS], compare[HPET_TIMERS], period[HPET_TIMERS];
    struct timer timer[HPET_TIMERS];
    struct device *self[HPET_TIMERS]; /* &self[n] is timer n's context */
};

static const struct field fields[] = {
    FIELD(hpet, config, FIELD_U64),
    FIELD(hpet, status, FIELD_U64),
    FIELD(hpet, counter, FIELD_U64),
    FIELD_ARRAY(hpet, conf, FIELD_U64, HPET_TIMERS),
    FIELD_ARRAY(hpet, compare, FIELD_U64, HPET_TIMERS),
    FIELD_ARRAY(hpet, period, FIELD_U64, HPET_TIMERS),
    FIELD_ARRAY(hpet, timer, FIELD_TIMER, HPET_TIMERS),
    FIELD_END,
};

static const char *const timer_names[HPET_TIMERS] = {
    "hpet.0", "hpet.1", "hpet.2",
};

static bool running(const struct hpet *s)
{
    return (s->config & ENABLE_CNF) != 0;
}

static uint64_t counter(struct device *dev)
{
    const struct hpet *s = dev->state;

    return s->counter +
           (running(s) ? clock_now_ns(dev->clock) / HPET_PERIOD_NS : 0);
}

static uint64_t width(const struct hpet *s, unsigned n)
{
    return s->conf[n] & TN_32MODE ? UINT32_MAX : UINT64_MAX;
}

/* The output that timer n's interrupt uses; DEVICE_WIRES for none. */
static unsigned route(struct device *dev, unsigned n)
{
    const struct hpet *s = dev->state;
    const struct hpet_config *config = dev->config;
    unsigned pin = (unsigned)(s->conf[n] >> 9) & 31u;

    if ((s->config & LEG_RT_CNF) && n < 2)
        return n ? HPET_OUT_IRQ8 : HPET_OUT_IRQ0;
    if (pin >= HPET_OUT_IRQ0 || !(config->routes >> pin & 1))
        return DEVICE_WIRES;
    return pin;
}

static bool holds_line(const struct hpet *s, unsigned n)
{
    return (s->status >> n & 1) && (s->conf[n] & TN_LEVEL) &&
           (s->conf[n] & TN_INT_ENB);
}

/* Level-triggered wires follow the status; two timers may share one. A legacy
 * wire is its timer's alone, and an edge still waiting on it is left so. */
static void update_lines(struct device *dev)
{
    const struct hpet *s = dev->state;
    uint32_t high = 0;

    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        unsigned out = route(dev, n);

        if (out < DEVICE_WIRES && holds_line(s, n))
            high |= 1u << out;
    }
    for (unsigned out = 0; out < HPET_OUT_LEGACY; out++) {
        bool legacy = out >= HPET_OUT_IRQ0;

        if (!legacy || (s->conf[out - HPET_OUT_IRQ0] & TN_LEVEL))
            device_drive(dev, out, (high >> out & 1) != 0);
    }
}

/* The legacy replacement goes on or off, with nothing asked for yet. */
static void drop_legacy(struct device *dev)
{
    const struct hpet *s = dev->state;

    device_drive(dev, HPET_OUT_IRQ0, false);
    device_drive(dev, HPET_OUT_IRQ8, false);
    device_drive(dev, HPET_OUT_LEGACY, (s->config & LEG_RT_CNF) != 0);
}

static void fire(struct device *dev, unsigned n)
{
    struct hpet *s = dev->state;
    unsigned out;

    if (s->conf[n] & TN_LEVEL) {
        s->status |= UINT64_C(1) << n;
        update_lines(dev);
        return;
    }
    out = route(dev, n);
    if (!(s->conf[n] & TN_INT_ENB) || out >= DEVICE_WIRES)
        return;
    if (out >= HPET_OUT_IRQ0) {
        /* An 8259A withdraws a request whose line falls before it is
         * acknowledged, so these stay up until just before the next edge. */
        device_drive(dev, out, false);
        device_drive(dev, out, true);
        return;
    }
    device_drive(dev, out, true);
    device_drive(dev, out, false);
    update_lines(dev); /* another timer may hold the wire */
}

static void arm(struct device *dev, unsigned n)
{
    struct hpet *s = dev->state;
    uint64_t now = clock_now_ns(dev->clock), mask = width(s, n), left;

    left = (s->compare[n] - counter(dev)) & mask;
    if (left == 0)
        left = mask; /* met already: once round */
    /* Half a century ahead is the same as never. */
    if (!running(s) || left > UINT64_C(1) << 57) {
        timer_disarm(&s->timer[n]);
        return;
    }
    left *= HPET_PERIOD_NS;
    if ((s->conf[n] & TN_PERIODIC) && left < MIN_NS)
        left = MIN_NS;
    else
        left -= now % HPET_PERIOD_NS; /* to the tick, not past it */
    timer_arm(&s->timer[n], now + left);
}

static void arm_all(struct device *dev)
{
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        arm(dev, n);
}

static void expire(void *ctx)
{
    struct device **self = ctx, *dev = *self;
    struct hpet *s = dev->state;
    unsigned n = (unsigned)(self - s->self);
    uint64_t mask = width(s, n), period = s->period[n] & mask;

    if ((s->conf[n] & TN_PERIODIC) && period) {
        uint64_t late = (counter(dev) - s->compare[n]) & mask;

        /* To the first multiple of the period ahead of the counter. */
        s->compare[n] = (s->compare[n] + (late / period + 1) * period) & mask;
    }
    arm(dev, n);
    fire(dev, n);
}

static void write_config(struct device *dev, uint64_t value)
{
    struct hpet *s = dev->state;
    uint64_t old = s->config;
    uint64_t now = clock_now_ns(dev->clock) / HPET_PERIOD_NS;

    s->config = value & (ENABLE_CNF | LEG_RT_CNF);
    if (!(old & ENABLE_CNF) && running(s))
        s->counter -= now;
    else if ((old & ENABLE_CNF) && !running(s))
        s->counter += now;
    if ((old ^ s->config) & LEG_RT_CNF)
        drop_legacy(dev);
    arm_all(dev);
    update_lines(dev);
}

/* `mask` has the half, or both, that is being written. */
static void write_compare(struct device *dev, unsigned n, uint64_t value,
                          uint64_t mask)
{
    struct hpet *s = dev->state;

    mask &= width(s, n);
    if (!mask)
        return;
    value &= mask;
    /* VAL_SET aims the next write of a periodic timer at the comparator; the
     * write after it sets the period (2.3.9.2.2). */
    if (!(s->conf[n] & TN_PERIODIC) || (s->conf[n] & TN_VAL_SET))
        s->compare[n] = (s->compare[n] & ~mask & width(s, n)) | value;
    if (s->conf[n] & TN_PERIODIC)
        s->period[n] = (s->period[n] & ~mask) | value;
    s->conf[n] &= ~(uint64_t)TN_VAL_SET;
    arm(dev, n);
}

static void write_timer_config(struct device *dev, unsigned n, uint64_t value)
{
    struct hpet *s = dev->state;
    bool was_level = (s->conf[n] & TN_LEVEL) != 0;

    s->conf[n] = (s->conf[n] & ~(uint64_t)TN_WRITABLE) | (value & TN_WRITABLE);
    if (s->conf[n] & TN_32MODE) {
        s->compare[n] &= UINT32_MAX;
        s->period[n] &= UINT32_MAX;
    }
    if (!(s->conf[n] & TN_LEVEL)) {
        s->status &= ~(UINT64_C(1) << n);
        if (was_level && n < 2)
            device_drive(dev, HPET_OUT_IRQ0 + n, false);
    }
    arm(dev, n);
    update_lines(dev);
}

static uint64_t read_register(struct device *dev, uint64_t reg)
{
    const struct hpet *s = dev->state;
    unsigned n = (unsigned)((reg - TIMER_BASE) / TIMER_STRIDE);

    switch (reg) {
    case GCAP_ID: return CAPABILITIES;
    case GEN_CONF: return s->config;
    case GINTR_STA: return s->status;
    case MAIN_CNT: return counter(dev);
    default: break;
    }
    if (reg < TIMER_BASE || n >= HPET_TIMERS)
        return 0;
    switch ((reg - TIMER_BASE) % TIMER_STRIDE) {
    case TN_CONF: return s->conf[n];
    case TN_CMP: return s->compare[n];
    default: return 0;
    }
}

/* Half a register keeps the other half, except where writing is an action:
 * of the status, only the bits written are cleared. */
static void write_register(struct device *dev, uint64_t reg, uint64_t value,
                           uint64_t mask)
{
    struct hpet *s = dev->state;
    unsigned n = (unsigned)((reg - TIMER_BASE) / TIMER_STRIDE);

    if (reg == GINTR_STA) {
        s->status &= ~value;
        update_lines(dev);
        return;
    }
    if (reg >= TIMER_BASE && n < HPET_TIMERS &&
        (reg - TIMER_BASE) % TIMER_STRIDE == TN_CMP) {
        write_compare(dev, n, value, mask);
        return;
    }
    value |= read_register(dev, reg) & ~mask;
    switch (reg) {
    case GEN_CONF:
        write_config(dev, value);
        return;
    case MAIN_CNT:
        /* 2.3.7: only while halted. */
        if (!running(s))
            s->counter = value;
        return;
    default:
        break;
    }
    if (reg >= TIMER_BASE && n < HPET_TIMERS &&
        (reg - TIMER_BASE) % TIMER_STRIDE == TN_CONF)
        write_timer_config(dev, n, value);
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    (void)bank;
    if ((off & 7) + size > 8)
        return 0;
    return read_register(dev, off & ~UINT64_C(7)) >> (off & 7) * 8;
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    unsigned shift = off & 4 ? 32 : 0;

    (void)bank;
    if (size < 4 || (off & (size - 1)) != 0) {
        log_line(dev->log, LOG_GUEST_ERRORS,
                 "%s: write of %u bytes at offset %#llx\n", dev->name, size,
                 (unsigned long long)off);
        return;
    }
    if (size == 4)
        write_register(dev, off & ~UINT64_C(7), value << shift,
                       UINT64_C(0xFFFFFFFF) << shift);
    else
        write_register(dev, off, value, UINT64_MAX);
}

static int init(struct device *dev)
{
    struct hpet *s = dev->state;

    if (!dev->config)
        return -EINVAL;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        s->self[n] = dev;
        timer_init(&s->timer[n], dev->clock, timer_names[n], expire,
                   &s->self[n]);
    }
    return 0;
}

static void reset(struct device *dev)
{
    struct hpet *s = dev->state;
    const struct hpet_config *config = dev->config;

    s->config = 0;
    s->status = 0;
    s->counter = 0;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        s->conf[n] = (uint64_t)config->routes << 32 | TN_PER_CAP | TN_SIZE_CAP;
        s->compare[n] = UINT64_MAX;
        s->period[n] = 0;
        timer_disarm(&s->timer[n]);
    }
    drop_legacy(dev);
    update_lines(dev);
}

static int loaded(struct device *dev)
{
    struct hpet *s = dev->state;
    const struct hpet_config *config = dev->config;

    s->config &= ENABLE_CNF | LEG_RT_CNF;
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        s->conf[n] = (uint64_t)config->routes << 32 | TN_PER_CAP | TN_SIZE_CAP |
                     (s->conf[n] & TN_WRITABLE);
    return 0;
}

static void fini(struct device *dev)
{
    struct hpet *s = dev->state;

    for (unsigned n = 0; n < HPET_TIMERS; n++)
        if (s->timer[n].clock)
            timer_fini(&s->timer[n]);
}

const struct device_class hpet_class = {
    .name = "hpet",
    .description = "high precision event timer",
    .state_size = sizeof(struct hpet),
    .fields = fields,
    .max_access = 8,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .fini = fini,
    .read = read,
    .write = write,
};
