/*
 * The local APIC's timer (SDM 3A 10.5.4): one-shot, periodic and TSC-deadline.
 *
 * The count is never stored: it is what is left of the initial count since
 * started_ns, so a read costs a division and a running timer costs nothing.
 *
 * Invariant: in TSC-deadline mode initial_count is 0, and outside of it
 * deadline_tsc is 0; the clock timer is armed for at most one of them.
 */
#include "devices/lapic_state.h"

/* A guest can ask for an interrupt every nanosecond; it gets one this often,
 * while the count it reads stays exact. */
#define TIMER_MIN_NS 1000u

/* The bus clock is 1 GHz: a tick of the undivided timer is a nanosecond. */
uint64_t lapic_timer_tick_ns(const struct lapic *s)
{
    unsigned code = (s->divide & 3u) | (s->divide >> 1 & 4u);

    return code == 7 ? 1 : UINT64_C(2) << code;
}

static uint64_t period_ns(const struct lapic *s)
{
    return s->initial_count * lapic_timer_tick_ns(s);
}

bool lapic_deadline_mode(const struct lapic *s)
{
    return (s->lvt[TIMER] & (LVT_DEADLINE | LVT_PERIODIC)) == LVT_DEADLINE;
}

uint32_t lapic_timer_count(struct device *dev)
{
    const struct lapic *s = dev->state;
    uint64_t passed, period = period_ns(s);

    if (!period || lapic_deadline_mode(s))
        return 0;
    passed = clock_now_ns(dev->clock) - s->started_ns;
    if (s->lvt[TIMER] & LVT_PERIODIC)
        passed %= period;
    else if (passed >= period)
        return 0;
    return s->initial_count - (uint32_t)(passed / lapic_timer_tick_ns(s));
}

/* Arms the timer for the next moment at which the count reaches 0. */
void lapic_timer_arm(struct device *dev)
{
    struct lapic *s = dev->state;
    uint64_t now = clock_now_ns(dev->clock), period = period_ns(s);
    uint64_t passed = now - s->started_ns, next;

    if (lapic_deadline_mode(s))
        return;
    if (!period || (!(s->lvt[TIMER] & LVT_PERIODIC) && passed >= period)) {
        timer_disarm(&s->timer);
        return;
    }
    next = now + period - passed % period;
    if ((s->lvt[TIMER] & LVT_PERIODIC) && next < now + TIMER_MIN_NS)
        next = now + TIMER_MIN_NS;
    timer_arm(&s->timer, next);
}

static void arm_deadline(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;
    uint64_t now = clock_now_ns(dev->clock), tsc, left, wait;

    if (!s->deadline_tsc) {
        timer_disarm(&s->timer);
        return;
    }
    tsc = config->tsc(config->ctx);
    left = s->deadline_tsc > tsc ? s->deadline_tsc - tsc : 0;
    /* Centuries ahead is the same as never. */
    if (left / config->tsc_hz >= UINT64_C(1) << 32) {
        timer_disarm(&s->timer);
        return;
    }
    wait = clock_ticks_to_ns(left, config->tsc_hz);
    timer_arm(&s->timer, now + wait);
}

void lapic_timer_expire(void *ctx)
{
    struct device *dev = ctx;
    struct lapic *s = dev->state;

    if (lapic_deadline_mode(s))
        s->deadline_tsc = 0;
    else if (s->lvt[TIMER] & LVT_PERIODIC)
        lapic_timer_arm(dev);
    lapic_local_interrupt(dev, TIMER);
}

uint64_t lapic_get_tsc_deadline(struct device *dev)
{
    const struct lapic *s = dev->state;

    return lapic_deadline_mode(s) ? s->deadline_tsc : 0;
}

void lapic_set_tsc_deadline(struct device *dev, uint64_t tsc)
{
    struct lapic *s = dev->state;

    if (!lapic_deadline_mode(s))
        return;
    s->deadline_tsc = tsc;
    arm_deadline(dev);
}
