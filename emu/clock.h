/*
 * The virtual clock and its timers. Devices see nothing of the host's time.
 *
 * Two sources, chosen once: host-monotonic (default), or instruction-derived
 * (`-icount shift=N`: one instruction is 2^N ns), which makes a run
 * deterministic. A stopped machine has stopped time: clock_stop() and
 * clock_start() bracket every stay at the prompt.
 *
 * Invariants: clock_now_ns() never goes backwards. A timer's function runs on
 * the CPU thread, from clock_run(), with the timer already disarmed (so it may
 * arm itself again). Timers with equal deadlines run in the order in which
 * they were armed.
 */
#ifndef EMU_CLOCK_H
#define EMU_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define CLOCK_NEVER UINT64_MAX

struct clock;

/* A named one-shot timer. Embed it in a device's state; init it once. */
struct timer {
    const char *name;     /* "pit.0", as `info timers` prints it */
    uint64_t deadline_ns; /* CLOCK_NEVER when not armed */
    uint64_t sequence;    /* order of arming, breaks ties */
    void (*expire)(void *ctx);
    void *ctx;
    struct clock *clock;
    struct timer *next; /* all timers of the clock, armed or not */
};

struct clock {
    bool icount;            /* instruction-derived time */
    unsigned icount_shift;  /* ns per instruction = 1 << shift; 0 to 10 */
    uint64_t instructions;  /* retired so far, all engines keep this */
    uint64_t skew_ns;       /* icount: time skipped while halted */
    bool running;           /* host clock: is time passing? */
    uint64_t host_base_ns;  /* host clock at the last start */
    uint64_t stopped_at_ns; /* virtual time when (last) stopped */
    struct timer *timers;
    struct timer *nearest; /* armed timer with the lowest deadline */
    uint64_t next_sequence;
    uint64_t rtc_offset_s; /* seconds since 1970 at virtual time 0 */
    /* Told of each timer just before it runs; may be NULL. The machine makes
     * EVENT_TIMER from it. */
    void (*expired)(void *ctx, const struct timer *timer, uint64_t deadline_ns);
    void *expired_ctx;
};

/* Zeroes the clock and chooses its source. It starts stopped, at 0 ns. */
void clock_init(struct clock *clock, bool icount, unsigned shift);
void clock_start(struct clock *clock);
void clock_stop(struct clock *clock);

/* The host's monotonic clock, for the machine's own pacing; never for what a
 * guest can see. */
uint64_t clock_host_ns(void);
/* Virtual time in nanoseconds since the machine was created. */
uint64_t clock_now_ns(struct clock *clock);

/* Virtual time in ticks of a `hz` oscillator, without overflow for centuries;
 * and back: the first ns at which `ticks` ticks have passed. */
uint64_t clock_ticks(struct clock *clock, uint64_t hz);
uint64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz);
uint64_t clock_ns_to_ticks(uint64_t ns, uint64_t hz);

void timer_init(struct timer *timer, struct clock *clock, const char *name,
                void (*expire)(void *ctx), void *ctx);
/* Removes the timer from the clock's list; before its memory is freed. */
void timer_fini(struct timer *timer);
/* Arms (or re-arms) the timer. A deadline in the past expires at once, that
 * is at the next clock_run(). CLOCK_NEVER disarms. */
void timer_arm(struct timer *timer, uint64_t deadline_ns);
void timer_disarm(struct timer *timer);

/* Deadline of the nearest armed timer, or CLOCK_NEVER. */
uint64_t clock_deadline_ns(const struct clock *clock);
/* Runs every timer whose deadline has come. Returns how many ran. */
unsigned clock_run(struct clock *clock);
/* Instruction-derived time only: skips to `ns` (never back), as a halted CPU
 * does. */
void clock_skip_to(struct clock *clock, uint64_t ns);

#endif
