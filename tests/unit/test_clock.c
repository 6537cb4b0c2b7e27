/* Virtual time and timers. */
#include "emu/clock.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What ran, in order, and what to do when it does. */
struct probe {
    struct timer timer;
    char letter;
    char *log;
    uint64_t rearm_ns;  /* CLOCK_NEVER: do not */
    struct timer *stop; /* disarmed when this one runs */
};

static void fired(void *ctx)
{
    struct probe *p = ctx;
    size_t n = strlen(p->log);

    p->log[n] = p->letter;
    p->log[n + 1] = '\0';
    CU_ASSERT_EQUAL(p->timer.deadline_ns, CLOCK_NEVER);
    if (p->rearm_ns != CLOCK_NEVER)
        timer_arm(&p->timer, p->rearm_ns);
    if (p->stop)
        timer_disarm(p->stop);
}

static void probe_init(struct probe *p, struct clock *clock, char letter,
                       char *log)
{
    *p = (struct probe){.letter = letter, .log = log, .rearm_ns = CLOCK_NEVER};
    timer_init(&p->timer, clock, "probe", fired, p);
}

static void icount_time_is_instructions_shifted_plus_skew(void)
{
    struct clock clock;

    clock_init(&clock, true, 3);
    CU_ASSERT_EQUAL(clock_now_ns(&clock), 0);
    clock.instructions = 1000;
    CU_ASSERT_EQUAL(clock_now_ns(&clock), 8000);
    clock_skip_to(&clock, 9000);
    CU_ASSERT_EQUAL(clock_now_ns(&clock), 9000);
    clock_skip_to(&clock, 5); /* never back */
    CU_ASSERT_EQUAL(clock_now_ns(&clock), 9000);
    clock.instructions++;
    CU_ASSERT_EQUAL(clock_now_ns(&clock), 9008);
}

static void host_time_stands_still_while_stopped(void)
{
    struct clock clock;
    struct timespec nap = {.tv_nsec = 3000000};

    clock_init(&clock, false, 0);
    nanosleep(&nap, NULL);
    CU_ASSERT_EQUAL(clock_now_ns(&clock), 0);
    clock_start(&clock);
    nanosleep(&nap, NULL);
    clock_stop(&clock);
    uint64_t stopped = clock_now_ns(&clock);
    CU_ASSERT(stopped >= 3000000);
    CU_ASSERT(stopped < NS_PER_SECOND);
    nanosleep(&nap, NULL);
    CU_ASSERT_EQUAL(clock_now_ns(&clock), stopped);
    clock_start(&clock);
    clock_start(&clock); /* a second start is no jump back */
    CU_ASSERT(clock_now_ns(&clock) >= stopped);
    clock_skip_to(&clock, stopped + 10 * NS_PER_SECOND);
    CU_ASSERT(clock_now_ns(&clock) < stopped + 5 * NS_PER_SECOND);
    clock_stop(&clock);
}

static void host_time_never_goes_back(void)
{
    struct clock clock;
    uint64_t last = 0;

    clock_init(&clock, false, 0);
    for (unsigned i = 0; i < 20000; i++) {
        if (i % 100 == 0)
            clock_start(&clock);
        if (i % 100 == 50)
            clock_stop(&clock);
        uint64_t now = clock_now_ns(&clock);
        CU_ASSERT_FATAL(now >= last);
        last = now;
    }
}

static void ticks_are_exact_for_centuries(void)
{
    const uint64_t pit = 1193182, century = UINT64_C(3155760000);

    CU_ASSERT_EQUAL(clock_ns_to_ticks(NS_PER_SECOND, pit), pit);
    CU_ASSERT_EQUAL(clock_ns_to_ticks(century * NS_PER_SECOND, pit),
                    century * pit);
    CU_ASSERT_EQUAL(clock_ns_to_ticks(century * NS_PER_SECOND, 3000000000u),
                    century * 3000000000u);
    CU_ASSERT_EQUAL(clock_ticks_to_ns(pit, pit), NS_PER_SECOND);
    CU_ASSERT_EQUAL(clock_ticks_to_ns(1, 0), CLOCK_NEVER);
    CU_ASSERT_EQUAL(clock_ticks_to_ns(UINT64_MAX, 1), CLOCK_NEVER);
    CU_ASSERT_EQUAL(clock_ns_to_ticks(UINT64_MAX, UINT64_MAX), UINT64_MAX);
}

static void ticks_to_ns_is_the_first_ns_with_that_many_ticks(void)
{
    const uint64_t rates[] = {1,       1000,      32768,     1193182,
                              3579545, 100000000, 999999999, 2400000000u};

    srand(1);
    for (unsigned i = 0; i < 8 * 2000; i++) {
        uint64_t hz = rates[i % 8];
        uint64_t ticks = ((uint64_t)rand() << 8) % (hz * 1000) + 1;
        uint64_t ns = clock_ticks_to_ns(ticks, hz);
        CU_ASSERT_FATAL(clock_ns_to_ticks(ns, hz) >= ticks);
        CU_ASSERT_FATAL(clock_ns_to_ticks(ns - 1, hz) < ticks);
    }
}

static void timers_run_in_order_of_deadline_then_arming(void)
{
    struct clock clock;
    struct probe p[4];
    char log[16] = "";

    clock_init(&clock, true, 0);
    for (unsigned i = 0; i < 4; i++)
        probe_init(&p[i], &clock, (char)('a' + i), log);
    timer_arm(&p[2].timer, 100);
    timer_arm(&p[0].timer, 100);
    timer_arm(&p[1].timer, 50);
    timer_arm(&p[3].timer, 101);
    CU_ASSERT_EQUAL(clock_deadline_ns(&clock), 50);
    CU_ASSERT_EQUAL(clock_run(&clock), 0);
    clock_skip_to(&clock, 49);
    CU_ASSERT_EQUAL(clock_run(&clock), 0);
    clock_skip_to(&clock, 100);
    CU_ASSERT_EQUAL(clock_run(&clock), 3);
    CU_ASSERT_STRING_EQUAL(log, "bca");
    CU_ASSERT_EQUAL(clock_deadline_ns(&clock), 101);
    clock_skip_to(&clock, 1000);
    CU_ASSERT_EQUAL(clock_run(&clock), 1);
    CU_ASSERT_EQUAL(clock_deadline_ns(&clock), CLOCK_NEVER);
}

static void timer_that_rearms_in_the_past_runs_once_a_call(void)
{
    struct clock clock;
    struct probe p[2];
    char log[16] = "";

    clock_init(&clock, true, 0);
    probe_init(&p[0], &clock, 'a', log);
    probe_init(&p[1], &clock, 'b', log);
    p[0].rearm_ns = 0; /* what a guest's period of 0 comes to */
    timer_arm(&p[0].timer, 10);
    timer_arm(&p[1].timer, 20);
    clock_skip_to(&clock, 30);
    CU_ASSERT_EQUAL(clock_run(&clock), 2); /* and b is not starved */
    CU_ASSERT_STRING_EQUAL(log, "ab");
    CU_ASSERT_EQUAL(clock_deadline_ns(&clock), 0);
    CU_ASSERT_EQUAL(clock_run(&clock), 1);
    CU_ASSERT_STRING_EQUAL(log, "aba");
}

static void timer_disarmed_by_another_does_not_run(void)
{
    struct clock clock;
    struct probe p[2];
    char log[16] = "";

    clock_init(&clock, true, 0);
    probe_init(&p[0], &clock, 'a', log);
    probe_init(&p[1], &clock, 'b', log);
    p[0].stop = &p[1].timer;
    timer_arm(&p[0].timer, 1);
    timer_arm(&p[1].timer, 2);
    clock_skip_to(&clock, 5);
    CU_ASSERT_EQUAL(clock_run(&clock), 1);
    CU_ASSERT_STRING_EQUAL(log, "a");
}

static void rearming_and_removing_keep_the_nearest_right(void)
{
    struct clock clock;
    struct probe p[8];
    char log[2048] = "";
    bool removed[8] = {false};

    clock_init(&clock, true, 0);
    for (unsigned i = 0; i < 8; i++)
        probe_init(&p[i], &clock, 'x', log);
    srand(7);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned k = (unsigned)rand() % 8;
        uint64_t at = (uint64_t)rand() % 5;
        if (removed[k]) {
            timer_init(&p[k].timer, &clock, "probe", fired, &p[k]);
            removed[k] = false;
        } else if (rand() % 20 == 0) {
            timer_fini(&p[k].timer);
            removed[k] = true;
        } else {
            timer_arm(&p[k].timer, at == 4 ? CLOCK_NEVER : at);
        }
        struct timer *best = NULL;
        for (unsigned j = 0; j < 8; j++) {
            struct timer *t = &p[j].timer;
            if (removed[j] || t->deadline_ns == CLOCK_NEVER)
                continue;
            if (!best || t->deadline_ns < best->deadline_ns ||
                (t->deadline_ns == best->deadline_ns &&
                 t->sequence < best->sequence))
                best = t;
        }
        CU_ASSERT_PTR_EQUAL_FATAL(clock.nearest, best);
    }
}

static void fini_of_a_timer_never_made_is_harmless(void)
{
    struct timer timer;

    memset(&timer, 0, sizeof(timer));
    timer_fini(&timer);
    timer_fini(&timer);
    CU_ASSERT_PTR_NULL(timer.clock);
}

struct hook_log {
    unsigned calls;
    uint64_t last_ns;
};

static void hook(void *ctx, const struct timer *timer, uint64_t deadline_ns)
{
    struct hook_log *log = ctx;

    CU_ASSERT_STRING_EQUAL(timer->name, "probe");
    log->calls++;
    log->last_ns = deadline_ns;
}

static void hook_hears_of_each_timer_with_its_deadline(void)
{
    struct clock clock;
    struct probe p;
    char log[16] = "";
    struct hook_log heard = {0};

    clock_init(&clock, true, 0);
    clock.expired = hook;
    clock.expired_ctx = &heard;
    probe_init(&p, &clock, 'a', log);
    timer_arm(&p.timer, 77);
    clock_skip_to(&clock, 500);
    clock_run(&clock);
    CU_ASSERT_EQUAL(heard.calls, 1);
    CU_ASSERT_EQUAL(heard.last_ns, 77);
}

static const struct test tests[] = {
    {"icount_time_is_instructions_shifted_plus_skew",
     icount_time_is_instructions_shifted_plus_skew},
    {"host_time_stands_still_while_stopped",
     host_time_stands_still_while_stopped},
    {"host_time_never_goes_back", host_time_never_goes_back},
    {"ticks_are_exact_for_centuries", ticks_are_exact_for_centuries},
    {"ticks_to_ns_is_the_first_ns_with_that_many_ticks",
     ticks_to_ns_is_the_first_ns_with_that_many_ticks},
    {"timers_run_in_order_of_deadline_then_arming",
     timers_run_in_order_of_deadline_then_arming},
    {"timer_that_rearms_in_the_past_runs_once_a_call",
     timer_that_rearms_in_the_past_runs_once_a_call},
    {"timer_disarmed_by_another_does_not_run",
     timer_disarmed_by_another_does_not_run},
    {"rearming_and_removing_keep_the_nearest_right",
     rearming_and_removing_keep_the_nearest_right},
    {"fini_of_a_timer_never_made_is_harmless",
     fini_of_a_timer_never_made_is_harmless},
    {"hook_hears_of_each_timer_with_its_deadline",
     hook_hears_of_each_timer_with_its_deadline},
    {NULL, NULL},
};
TEST_MAIN("clock", tests)
