/*
 * The virtual clock and its timers. A machine has a few dozen timers at most,
 * and arms them far more often than it looks for a new nearest one: a list
 * with the nearest remembered is both the simplest and the fastest.
 *
 * Not modelled: drift, and host time that jumps (CLOCK_MONOTONIC does not).
 *
 * Invariant: `nearest` is the armed timer with the lowest (deadline,
 * sequence), or NULL when none is armed.
 */
#include "emu/clock.h"

#include <string.h>
#include <time.h>

uint64_t clock_host_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void clock_init(struct clock *clock, bool icount, unsigned shift)
{
    memset(clock, 0, sizeof(*clock));
    clock->icount = icount;
    clock->icount_shift = shift > 10 ? 10 : shift;
}

uint64_t clock_now_ns(struct clock *clock)
{
    if (clock->icount)
        return (clock->instructions << clock->icount_shift) + clock->skew_ns;
    if (!clock->running)
        return clock->stopped_at_ns;
    return clock->stopped_at_ns + (clock_host_ns() - clock->host_base_ns);
}

void clock_start(struct clock *clock)
{
    if (clock->running)
        return;
    clock->host_base_ns = clock_host_ns();
    clock->running = true;
}

void clock_stop(struct clock *clock)
{
    if (!clock->running)
        return;
    clock->stopped_at_ns = clock_now_ns(clock);
    clock->running = false;
}

uint64_t clock_ns_to_ticks(uint64_t ns, uint64_t hz)
{
    /* Whole seconds apart: both divisions are by a constant, and the sum is
     * the exact floor. */
    unsigned __int128 ticks =
        (unsigned __int128)(ns / NS_PER_SECOND) * hz +
        (unsigned __int128)(ns % NS_PER_SECOND) * hz / NS_PER_SECOND;

    return ticks > UINT64_MAX ? UINT64_MAX : (uint64_t)ticks;
}

uint64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
    if (hz == 0)
        return CLOCK_NEVER;
    unsigned __int128 ns =
        ((unsigned __int128)ticks * NS_PER_SECOND + (hz - 1)) / hz;

    return ns > CLOCK_NEVER ? CLOCK_NEVER : (uint64_t)ns;
}

uint64_t clock_ticks(struct clock *clock, uint64_t hz)
{
    return clock_ns_to_ticks(clock_now_ns(clock), hz);
}

static bool earlier(const struct timer *a, const struct timer *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->sequence < b->sequence;
}

/* The earliest armed timer among those armed before `sequence`. */
static struct timer *earliest_before(const struct clock *clock,
                                     uint64_t sequence)
{
    struct timer *best = NULL;

    for (struct timer *t = clock->timers; t; t = t->next) {
        if (t->deadline_ns == CLOCK_NEVER || t->sequence >= sequence)
            continue;
        if (!best || earlier(t, best))
            best = t;
    }
    return best;
}

void timer_init(struct timer *timer, struct clock *clock, const char *name,
                void (*expire)(void *ctx), void *ctx)
{
    timer->name = name;
    timer->deadline_ns = CLOCK_NEVER;
    timer->sequence = 0;
    timer->expire = expire;
    timer->ctx = ctx;
    timer->clock = clock;
    timer->next = NULL;

    /* At the end, so that `info timers` lists them in the board's order. */
    struct timer **end = &clock->timers;
    while (*end)
        end = &(*end)->next;
    *end = timer;
}

void timer_fini(struct timer *timer)
{
    /* A device whose init failed half-way frees timers it never had. */
    if (!timer->clock)
        return;
    timer_disarm(timer);
    for (struct timer **t = &timer->clock->timers; *t; t = &(*t)->next) {
        if (*t == timer) {
            *t = timer->next;
            break;
        }
    }
    timer->clock = NULL;
    timer->next = NULL;
}

void timer_arm(struct timer *timer, uint64_t deadline_ns)
{
    struct clock *clock = timer->clock;
    bool was_nearest = clock->nearest == timer;

    if (deadline_ns == CLOCK_NEVER) {
        timer_disarm(timer);
        return;
    }
    bool later = was_nearest && deadline_ns >= timer->deadline_ns;
    timer->deadline_ns = deadline_ns;
    timer->sequence = clock->next_sequence++;
    if (later)
        clock->nearest = earliest_before(clock, UINT64_MAX);
    else if (!clock->nearest || earlier(timer, clock->nearest))
        clock->nearest = timer;
}

void timer_disarm(struct timer *timer)
{
    struct clock *clock = timer->clock;

    timer->deadline_ns = CLOCK_NEVER;
    if (clock->nearest == timer)
        clock->nearest = earliest_before(clock, UINT64_MAX);
}

uint64_t clock_deadline_ns(const struct clock *clock)
{
    return clock->nearest ? clock->nearest->deadline_ns : CLOCK_NEVER;
}

unsigned clock_run(struct clock *clock)
{
    if (!clock->nearest)
        return 0;

    uint64_t now = clock_now_ns(clock);
    /* What a timer arms while it runs waits for the next call, even when it
     * is already due: a guest that asks for a period of 0 gets no loop. */
    uint64_t limit = clock->next_sequence;
    unsigned ran = 0;

    while (clock->nearest && clock->nearest->deadline_ns <= now) {
        struct timer *timer = clock->nearest;
        if (timer->sequence >= limit)
            timer = earliest_before(clock, limit);
        if (!timer || timer->deadline_ns > now)
            break;

        uint64_t deadline_ns = timer->deadline_ns;
        timer_disarm(timer);
        if (clock->expired)
            clock->expired(clock->expired_ctx, timer, deadline_ns);
        timer->expire(timer->ctx);
        ran++;
    }
    return ran;
}

void clock_skip_to(struct clock *clock, uint64_t ns)
{
    if (!clock->icount)
        return;
    uint64_t now = clock_now_ns(clock);
    if (ns > now)
        clock->skew_ns += ns - now;
}
