/*
 * Motorola MC146818A real-time clock and CMOS RAM (data sheet ADI-856), as a
 * PC has it: 128 bytes, an index port whose bit 7 masks NMI, and the century
 * in byte 0x32.
 *
 * The time of day is clock->rtc_offset_s plus virtual time plus what the
 * guest has set. Flags are worked out when somebody looks, and a timer is
 * armed only for an enabled interrupt whose flag is still clear, so that an
 * interrupt nobody answers costs nothing.
 *
 * A seconds boundary is where the registers change and UF rises; UIP is up
 * for the 2228 us before it (tBUC + tUC). The registers may be read then and
 * show the old time.
 *
 * Not modelled: square wave pin, daylight saving (DSE is stored), impossible
 * dates (the 31st of February becomes the 3rd of March once SET is clear),
 * other time bases than 32.768 kHz. All years are 0 to 9999.
 *
 * Invariants: `phase_ns` and `base_s` say that at virtual time phase_ns the
 * time was rtc_offset_s + base_s; while `halted` the time is in the registers.
 */
#include "devices/mc146818.h"

#include <errno.h>
#include <string.h>

enum {
    SECONDS = 0,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    WEEKDAY,
    DATE,
    MONTH,
    YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    CENTURY = 0x32,
};

enum {
    A_UIP = 0x80,
    A_DIVIDER_RESET = 0x60, /* DV2 and DV1 both set */
    A_RATE = 0x0F,
    B_SET = 0x80,
    B_PIE = 0x40,
    B_AIE = 0x20,
    B_UIE = 0x10,
    B_SQWE = 0x08,
    B_BINARY = 0x04,
    B_24H = 0x02,
    C_IRQF = 0x80,
    C_PF = 0x40,
    C_AF = 0x20,
    C_UF = 0x10,
    C_FLAGS = C_PF | C_AF | C_UF,
    D_VRT = 0x80,
    HOURS_PM = 0x80,
    ALARM_ANY = 0xC0,
};

#define RTC_HZ 32768u
#define UPDATE_NS UINT64_C(2228000)
#define DAY_S 86400
#define LAST_SECOND INT64_C(315569519999) /* the year 9999, from year 0 */
#define EPOCH_S INT64_C(62167219200)      /* 1970, from year 0 */

struct mc146818 {
    uint8_t cmos[MC146818_BYTES];
    uint8_t index;
    bool nmi_masked;
    bool halted; /* SET, or the divider is held in reset */
    int64_t base_s;
    int64_t phase_ns;
    uint8_t weekday_shift; /* guest's day of the week less the true one */
    uint64_t seen_ns;      /* flags are right up to here */
    struct timer timer;
    bool irq;
};

static const struct field mc146818_fields[] = {
    FIELD_ARRAY(mc146818, cmos, FIELD_U8, MC146818_BYTES),
    FIELD(mc146818, index, FIELD_U8),
    FIELD(mc146818, nmi_masked, FIELD_BOOL),
    FIELD(mc146818, halted, FIELD_BOOL),
    FIELD(mc146818, base_s, FIELD_I64),
    FIELD(mc146818, phase_ns, FIELD_I64),
    FIELD(mc146818, weekday_shift, FIELD_U8),
    FIELD(mc146818, seen_ns, FIELD_U64),
    FIELD(mc146818, timer, FIELD_TIMER),
    FIELD(mc146818, irq, FIELD_BOOL),
    FIELD_END,
};

/* The calendar, in days and seconds from the 1st of January of year 0. */
struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
    unsigned weekday; /* 0 is Sunday */
};

static int64_t days_before_year(int64_t year)
{
    /* Year 0 is a leap year. */
    int64_t y = year + 399; /* keeps the divisions positive for year 0 */
    return 365 * year + (y / 4 - y / 100 + y / 400) - (399 / 4 - 399 / 100);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned month_days(int64_t year, unsigned month)
{
    if (month == 2)
        return is_leap(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* `t`: seconds from year 0, 0 to LAST_SECOND. */
static struct date to_date(int64_t t)
{
    struct date d = {.month = 1};
    int64_t days = t / DAY_S;
    unsigned rest = (unsigned)(t % DAY_S);
    d.hour = rest / 3600;
    d.minute = rest / 60 % 60;
    d.second = rest % 60;
    d.weekday = (unsigned)((days + 6) % 7); /* it began with a Saturday */
    d.year = days / 366;
    while (days_before_year(d.year + 1) <= days)
        d.year++;
    days -= days_before_year(d.year);
    while (days >= month_days(d.year, d.month))
        days -= month_days(d.year, d.month++);
    d.day = (unsigned)days + 1;
    return d;
}

static int64_t from_date(const struct date *d)
{
    int64_t days = days_before_year(d->year) + d->day - 1;
    for (unsigned m = 1; m < d->month; m++)
        days += month_days(d->year, m);
    return days * DAY_S + d->hour * 3600 + d->minute * 60 + d->second;
}

static uint8_t encode(const struct mc146818 *s, unsigned n)
{
    return (uint8_t)(s->cmos[REG_B] & B_BINARY ? n : n / 10 << 4 | n % 10);
}

static unsigned decode(const struct mc146818 *s, uint8_t v)
{
    return s->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15u);
}

static uint8_t encode_hour(const struct mc146818 *s, unsigned hour)
{
    if (s->cmos[REG_B] & B_24H)
        return encode(s, hour);
    unsigned twelve = hour % 12 ? hour % 12 : 12;
    return (uint8_t)(encode(s, twelve) | (hour >= 12 ? HOURS_PM : 0));
}

static unsigned decode_hour(const struct mc146818 *s, uint8_t v)
{
    if (s->cmos[REG_B] & B_24H)
        return decode(s, v);
    unsigned hour = decode(s, v & 0x7F) % 12;
    return hour + (v & HOURS_PM ? 12 : 0);
}

static uint64_t since_phase(const struct mc146818 *s, uint64_t now)
{
    return now - (uint64_t)s->phase_ns;
}

/* The time of day at virtual time `ns`, in seconds from year 0. */
static int64_t time_at(const struct device *dev, uint64_t ns)
{
    const struct mc146818 *s = dev->state;
    uint64_t t = dev->clock->rtc_offset_s + (uint64_t)s->base_s +
                 (uint64_t)EPOCH_S + since_phase(s, ns) / NS_PER_SECOND;
    return (int64_t)(t % (uint64_t)(LAST_SECOND + 1));
}

/* Writes the time into the registers, as they are when they can be read. */
static void show_time(struct device *dev, uint64_t now)
{
    struct mc146818 *s = dev->state;
    if (s->halted)
        return;
    struct date d = to_date(time_at(dev, now));
    s->cmos[SECONDS] = encode(s, d.second);
    s->cmos[MINUTES] = encode(s, d.minute);
    s->cmos[HOURS] = encode_hour(s, d.hour);
    s->cmos[WEEKDAY] = encode(s, (d.weekday + s->weekday_shift) % 7 + 1);
    s->cmos[DATE] = encode(s, d.day);
    s->cmos[MONTH] = encode(s, d.month);
    s->cmos[YEAR] = encode(s, (unsigned)(d.year % 100));
    s->cmos[CENTURY] = encode(s, (unsigned)(d.year / 100));
}

static unsigned clamp(unsigned n, unsigned low, unsigned high)
{
    return n < low ? low : n > high ? high : n;
}

/* Takes the time from the registers. The sub-second phase is kept. */
static void set_time(struct device *dev, uint64_t now)
{
    struct mc146818 *s = dev->state;
    struct date d = {
        .year = (int64_t)clamp(decode(s, s->cmos[CENTURY]), 0, 99) * 100 +
                clamp(decode(s, s->cmos[YEAR]), 0, 99),
        .month = clamp(decode(s, s->cmos[MONTH]), 1, 12),
        .day = clamp(decode(s, s->cmos[DATE]), 1, 31),
        .hour = clamp(decode_hour(s, s->cmos[HOURS]), 0, 23),
        .minute = clamp(decode(s, s->cmos[MINUTES]), 0, 59),
        .second = clamp(decode(s, s->cmos[SECONDS]), 0, 59),
    };
    int64_t t = from_date(&d);
    unsigned weekday = clamp(decode(s, s->cmos[WEEKDAY]), 1, 7) - 1;
    s->weekday_shift = (uint8_t)((weekday + 7 - to_date(t).weekday) % 7);
    uint64_t base = (uint64_t)t - (uint64_t)EPOCH_S - dev->clock->rtc_offset_s -
                    since_phase(s, now) / NS_PER_SECOND;
    s->base_s = (int64_t)base;
}

/* 32.768 kHz ticks between periodic flags; 0 when there are none. */
static unsigned period(const struct mc146818 *s)
{
    unsigned rate = s->cmos[REG_A] & A_RATE;
    if (rate == 0 || (s->cmos[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET)
        return 0;
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static bool alarm_matches(uint8_t alarm, uint8_t value)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value;
}

/* Seconds from `t` (not included) to the next alarm: 1 to 86400; 0 when the
 * alarm registers name a time that never comes. */
static unsigned to_alarm(const struct mc146818 *s, int64_t t)
{
    bool hours[24], minutes[60], seconds[60];
    for (unsigned i = 0; i < 24; i++)
        hours[i] = alarm_matches(s->cmos[HOURS_ALARM], encode_hour(s, i));
    for (unsigned i = 0; i < 60; i++) {
        minutes[i] = alarm_matches(s->cmos[MINUTES_ALARM], encode(s, i));
        seconds[i] = alarm_matches(s->cmos[SECONDS_ALARM], encode(s, i));
    }
    unsigned first = (unsigned)((t + 1) % DAY_S);
    unsigned n = 0;
    /* Steps over whole hours and minutes that cannot match. */
    while (n < DAY_S) {
        unsigned at = (first + n) % DAY_S;
        if (!hours[at / 3600])
            n += 3600 - at % 3600;
        else if (!minutes[at / 60 % 60])
            n += 60 - at % 60;
        else if (!seconds[at % 60])
            n++;
        else
            return n + 1;
    }
    return 0;
}

/* Brings register C up to `now`. */
static void sync_flags(struct device *dev, uint64_t now)
{
    struct mc146818 *s = dev->state;
    unsigned p = period(s);
    uint64_t from = since_phase(s, s->seen_ns), to = since_phase(s, now);
    if (p && clock_ns_to_ticks(from, RTC_HZ) / p !=
                 clock_ns_to_ticks(to, RTC_HZ) / p)
        s->cmos[REG_C] |= C_PF;
    uint64_t seconds = to / NS_PER_SECOND - from / NS_PER_SECOND;
    if (!s->halted && seconds) {
        s->cmos[REG_C] |= C_UF;
        if (!(s->cmos[REG_C] & C_AF)) {
            unsigned wait = to_alarm(s, time_at(dev, s->seen_ns));
            if (wait && wait <= seconds)
                s->cmos[REG_C] |= C_AF;
        }
    }
    s->seen_ns = now;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Drives IRQ and arms the timer for the next interrupt that can come. */
static void update(struct device *dev, uint64_t now)
{
    struct mc146818 *s = dev->state;
    uint8_t enabled = s->cmos[REG_B] & C_FLAGS; /* same bits in B and C */
    bool irq = (s->cmos[REG_C] & enabled) != 0;
    s->cmos[REG_C] = (uint8_t)((s->cmos[REG_C] & C_FLAGS) | (irq ? C_IRQF : 0));
    if (irq != s->irq) {
        s->irq = irq;
        device_drive(dev, MC146818_OUT_IRQ, irq);
    }
    uint64_t to = since_phase(s, now), wait = CLOCK_NEVER;
    uint64_t second = to / NS_PER_SECOND;
    unsigned p = period(s);
    if (!irq && (enabled & B_PIE) && p) {
        uint64_t tick = (clock_ns_to_ticks(to, RTC_HZ) / p + 1) * p;
        wait = clock_ticks_to_ns(tick, RTC_HZ) - to;
    }
    if (!irq && (enabled & B_UIE) && !s->halted)
        wait = earlier(wait, (second + 1) * NS_PER_SECOND - to);
    if (!irq && (enabled & B_AIE) && !s->halted) {
        unsigned alarm = to_alarm(s, time_at(dev, now));
        if (alarm)
            wait = earlier(wait, (second + alarm) * NS_PER_SECOND - to);
    }
    timer_arm(&s->timer, wait == CLOCK_NEVER ? CLOCK_NEVER : now + wait);
}

static void expire(void *ctx)
{
    struct device *dev = ctx;
    uint64_t now = clock_now_ns(dev->clock);
    sync_flags(dev, now);
    update(dev, now);
}

/* After A or B changed: does the time stop, or go on? */
static void set_halted(struct device *dev, uint64_t now, uint8_t a, uint8_t b)
{
    struct mc146818 *s = dev->state;
    bool in_reset = (a & A_DIVIDER_RESET) == A_DIVIDER_RESET;
    bool was = (s->cmos[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
    bool halted = in_reset || (b & B_SET);
    if (halted && !s->halted)
        show_time(dev, now); /* with the old B, which says how */
    bool started = !halted && s->halted;
    s->halted = halted;
    s->cmos[REG_A] = a;
    s->cmos[REG_B] = b;
    if (was && !in_reset) /* the first update comes half a second later */
        s->phase_ns = (int64_t)(now - NS_PER_SECOND / 2);
    if (started)
        set_time(dev, now);
}

static void write_register(struct device *dev, unsigned index, uint8_t v)
{
    struct mc146818 *s = dev->state;
    uint64_t now = clock_now_ns(dev->clock);
    sync_flags(dev, now);
    switch (index) {
    case REG_A:
        set_halted(dev, now, v & (uint8_t)~A_UIP, s->cmos[REG_B]);
        break;
    case REG_B:
        if (v & B_SET)
            v &= (uint8_t)~B_UIE; /* "SET ... clears UIE" */
        set_halted(dev, now, s->cmos[REG_A], v);
        break;
    case REG_C:
    case REG_D:
        break; /* read-only */
    case SECONDS:
    case MINUTES:
    case HOURS:
    case WEEKDAY:
    case DATE:
    case MONTH:
    case YEAR:
    case CENTURY:
        show_time(dev, now);
        s->cmos[index] = v;
        if (!s->halted)
            set_time(dev, now);
        break;
    default:
        s->cmos[index] = v;
        break;
    }
    update(dev, now);
}

/* The value of a register at `now`; flags must have been synchronised. */
static uint8_t peek(struct device *dev, unsigned index, uint64_t now)
{
    struct mc146818 *s = dev->state;
    uint64_t in_second = since_phase(s, now) % NS_PER_SECOND;
    show_time(dev, now);
    if (index == REG_A && !s->halted && in_second >= NS_PER_SECOND - UPDATE_NS)
        return s->cmos[REG_A] | A_UIP;
    if (index == REG_D)
        return D_VRT;
    return s->cmos[index];
}

static uint64_t mc146818_read(struct device *dev, unsigned bank, uint64_t off,
                              unsigned size)
{
    struct mc146818 *s = dev->state;
    (void)bank;
    (void)size;
    if (!(off & 1))
        return 0xFF; /* the index cannot be read back */
    uint64_t now = clock_now_ns(dev->clock);
    sync_flags(dev, now);
    update(dev, now);
    uint8_t v = peek(dev, s->index, now);
    if (s->index == REG_C) {
        s->cmos[REG_C] = 0;
        update(dev, now);
    }
    return v;
}

static void mc146818_write(struct device *dev, unsigned bank, uint64_t off,
                           uint64_t value, unsigned size)
{
    struct mc146818 *s = dev->state;
    (void)bank;
    (void)size;
    if (off & 1) {
        write_register(dev, s->index, (uint8_t)value);
    } else {
        s->index = value & (MC146818_BYTES - 1);
        s->nmi_masked = (value & 0x80) != 0;
    }
}

void mc146818_set_cmos(struct device *dev, unsigned index, uint8_t value)
{
    struct mc146818 *s = dev->state;
    if (index > REG_D && index < MC146818_BYTES && index != CENTURY)
        s->cmos[index] = value;
}

uint8_t mc146818_get_cmos(struct device *dev, unsigned index)
{
    uint64_t now = clock_now_ns(dev->clock);
    sync_flags(dev, now);
    update(dev, now);
    return index < MC146818_BYTES ? peek(dev, index, now) : 0xFF;
}

bool mc146818_nmi_masked(const struct device *dev)
{
    const struct mc146818 *s = dev->state;
    return s->nmi_masked;
}

static int mc146818_init(struct device *dev)
{
    struct mc146818 *s = dev->state;
    s->cmos[REG_A] = 0x26; /* 32.768 kHz, 1024 Hz */
    s->cmos[REG_B] = B_24H;
    s->seen_ns = clock_now_ns(dev->clock);
    timer_init(&s->timer, dev->clock, "rtc", expire, dev);
    return 0;
}

/* RESET leaves time, alarm and RAM alone, which a battery keeps. */
static void mc146818_reset(struct device *dev)
{
    struct mc146818 *s = dev->state;
    uint64_t now = clock_now_ns(dev->clock);
    sync_flags(dev, now);
    s->cmos[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->cmos[REG_C] = 0;
    s->index = 0;
    s->nmi_masked = false;
    update(dev, now);
}

static int mc146818_loaded(struct device *dev)
{
    const struct mc146818 *s = dev->state;
    bool ok = s->index < MC146818_BYTES && s->weekday_shift < 7;
    return ok ? 0 : -EINVAL;
}

static void mc146818_fini(struct device *dev)
{
    struct mc146818 *s = dev->state;
    timer_fini(&s->timer);
}

const struct device_class mc146818_class = {
    .name = "mc146818",
    .description = "real-time clock and CMOS RAM",
    .state_size = sizeof(struct mc146818),
    .fields = mc146818_fields,
    .max_access = 1,
    .init = mc146818_init,
    .reset = mc146818_reset,
    .loaded = mc146818_loaded,
    .fini = mc146818_fini,
    .read = mc146818_read,
    .write = mc146818_write,
};
