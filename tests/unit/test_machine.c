/*
 * The run loop, requests, and the one door, with an engine made of a script:
 * each of its "instructions" is 1, and it may touch ports as a guest would.
 */
#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

struct script {
    struct machine *machine;
    enum stop stop;      /* what run() says, once */
    bool kick_every_run; /* come back after one instruction */
    bool halt;           /* halt at the end of each run */
    unsigned runs, flushes, closes, kicks, regions;
    uint64_t longest;    /* instructions in one run, at most */
    uint64_t quit_after; /* runs until REQUEST_QUIT */
    uint64_t written_gpa, written_size;
    void (*step)(struct script *); /* in the first instruction of a run */
};

static int script_open(struct machine *machine, void **self)
{
    *self = machine->host; /* the test put its script there */
    return *self ? 0 : -ENODEV;
}

static enum stop script_run(void *self, struct cpu *cpu, uint64_t until)
{
    struct script *s = self;
    struct clock *clock = &s->machine->clock;
    uint64_t length = until - clock->instructions;

    CU_ASSERT_FATAL(until > clock->instructions);
    s->longest = length > s->longest ? length : s->longest;
    s->runs++;
    if (s->step)
        s->step(s);
    if (s->kick_every_run || atomic_load(&s->machine->kicked))
        clock->instructions++;
    else
        clock->instructions = until;
    if (s->halt)
        cpu->pending |= PENDING_HALT;
    if (s->quit_after && s->runs >= s->quit_after)
        machine_request(s->machine, REQUEST_QUIT);
    enum stop stop = s->stop ? s->stop : STOP_BUDGET;
    s->stop = STOP_NONE;
    return stop;
}

static void script_kick(void *self)
{
    ((struct script *)self)->kicks++;
}

static void script_region(void *self, const struct region *region, bool mapped)
{
    (void)region;
    ((struct script *)self)->regions += mapped;
}

static void script_written(void *self, uint64_t gpa, uint64_t size)
{
    ((struct script *)self)->written_gpa = gpa;
    ((struct script *)self)->written_size = size;
}

static void script_flush(void *self)
{
    ((struct script *)self)->flushes++;
}

static void script_close(void *self)
{
    ((struct script *)self)->closes++;
}

static const struct accel script_accel = {.name = "script",
                                          .open = script_open,
                                          .run = script_run,
                                          .kick = script_kick,
                                          .region = script_region,
                                          .written = script_written,
                                          .flush = script_flush,
                                          .close = script_close};

/* A device: a register that arms a timer, counts resets, asks for things. */
struct gadget {
    struct timer timer;
    uint64_t register_0, delay_ns, fired_at_ns;
    unsigned resets, fired;
};

static void gadget_expire(void *ctx)
{
    struct device *dev = ctx;
    struct gadget *g = dev->state;

    g->fired++;
    g->fired_at_ns = clock_now_ns(dev->clock);
}

static int gadget_init(struct device *dev)
{
    struct gadget *g = dev->state;

    timer_init(&g->timer, dev->clock, "gadget", gadget_expire, dev);
    return 0;
}

static void gadget_reset(struct device *dev)
{
    struct gadget *g = dev->state;

    g->resets++;
    timer_disarm(&g->timer);
}

static void gadget_fini(struct device *dev)
{
    timer_fini(&((struct gadget *)dev->state)->timer);
}

static uint64_t gadget_read(struct device *dev, unsigned bank, uint64_t off,
                            unsigned size)
{
    (void)bank, (void)off, (void)size;
    return ((struct gadget *)dev->state)->register_0;
}

static void gadget_write(struct device *dev, unsigned bank, uint64_t off,
                         uint64_t value, unsigned size)
{
    struct gadget *g = dev->state;

    (void)bank, (void)off, (void)size;
    g->register_0 = value;
    if (g->delay_ns)
        timer_arm(&g->timer, clock_now_ns(dev->clock) + g->delay_ns);
}

static const struct device_class gadget_class = {.name = "gadget",
                                                 .state_size =
                                                     sizeof(struct gadget),
                                                 .max_access = 4,
                                                 .init = gadget_init,
                                                 .reset = gadget_reset,
                                                 .fini = gadget_fini,
                                                 .read = gadget_read,
                                                 .write = gadget_write};

struct rig {
    struct machine *machine;
    struct script script;
    struct device *dev;
    struct gadget *gadget;
    struct region port, mmio;
};

static void rig_init(struct rig *rig, bool icount, unsigned shift)
{
    memset(rig, 0, sizeof(*rig));
    struct machine *m = machine_new(1 << 20, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    rig->machine = m;
    clock_init(&m->clock, icount, shift);
    rig->script.machine = m;
    rig->dev = machine_add(m, &gadget_class, "gadget");
    rig->gadget = rig->dev->state;
    device_init(rig->dev);
    rig->port = (struct region){
        .base = 0x100, .size = 4, .dev = rig->dev, .kind = REGION_DEVICE};
    rig->mmio = rig->port;
    rig->mmio.base = 0xFED00000;
    bus_map(&m->io, &rig->port);
    bus_map(&m->memory, &rig->mmio);
    m->host = &rig->script;
    CU_ASSERT_EQUAL_FATAL(machine_set_accel(m, &script_accel), 0);
    machine_reset(m);
}

static void rig_fini(struct rig *rig)
{
    machine_free(rig->machine);
}

static void impossible_machines_are_refused(void)
{
    CU_ASSERT_PTR_NULL(machine_new(0, 1));
    CU_ASSERT_PTR_NULL(machine_new(UINT64_MAX, 1));
    CU_ASSERT_PTR_NULL(machine_new(UINT64_C(1) << 60, 1));
    CU_ASSERT_PTR_NULL(machine_new(1 << 20, 0));
    CU_ASSERT_PTR_NULL(machine_new(1 << 20, MACHINE_MAX_CPUS + 1));
}

static void device_names_are_unique_and_listed_in_order(void)
{
    struct rig rig;

    rig_init(&rig, true, 0);
    struct machine *m = rig.machine;
    CU_ASSERT_PTR_NULL(machine_add(m, &gadget_class, "gadget"));
    struct device *second = machine_add(m, &gadget_class, "second");
    device_init(second);
    CU_ASSERT_PTR_EQUAL(m->devices, rig.dev);
    CU_ASSERT_PTR_EQUAL(rig.dev->next, second);
    CU_ASSERT_PTR_EQUAL(machine_find(m, "second"), second);
    CU_ASSERT_PTR_NULL(machine_find(m, "third"));
    rig_fini(&rig);
}

static void engine_hears_of_memory_and_is_closed_when_replaced(void)
{
    struct rig rig;

    rig_init(&rig, true, 0);
    struct machine *m = rig.machine;
    CU_ASSERT_EQUAL(rig.script.regions, 1); /* mapped before it was opened */
    struct region ram = {.base = 0, .size = 0x10000, .host = m->ram};
    bus_map(&m->memory, &ram);
    CU_ASSERT_EQUAL(rig.script.regions, 2);
    bus_write_block(&m->memory, 0x1234, "abc", 3);
    CU_ASSERT_EQUAL(rig.script.written_gpa, 0x1234);
    CU_ASSERT_EQUAL(rig.script.written_size, 3);
    CU_ASSERT_EQUAL(machine_set_accel(m, &script_accel), 0);
    CU_ASSERT_EQUAL(rig.script.closes, 1);
    m->host = NULL;
    CU_ASSERT_EQUAL(machine_set_accel(m, &script_accel), -ENODEV);
    CU_ASSERT_PTR_NOT_NULL(strstr(m->error, "script"));
    CU_ASSERT_PTR_NULL(m->accel);
    CU_ASSERT_EQUAL(machine_run(m), REQUEST_STOP); /* nothing to run with */
    CU_ASSERT_EQUAL(m->last_stop, STOP_ERROR);
    rig_fini(&rig);
}

static void reset_request_resets_and_goes_on(void)
{
    struct rig rig;

    rig_init(&rig, true, 0);
    CU_ASSERT_EQUAL(rig.gadget->resets, 1);
    rig.script.quit_after = 3;
    machine_request(rig.machine, REQUEST_RESET);
    CU_ASSERT_EQUAL(machine_run(rig.machine), REQUEST_QUIT);
    CU_ASSERT_EQUAL(rig.gadget->resets, 2);
    CU_ASSERT_EQUAL(rig.script.runs, 3);
    CU_ASSERT_EQUAL(rig.script.flushes, 2);
    rig_fini(&rig);
}

static void no_reboot_and_no_shutdown_change_the_answer(void)
{
    static const struct {
        unsigned asked;
        bool no_reboot, no_shutdown;
        unsigned answer;
    } cases[] = {
        {REQUEST_RESET, true, false, REQUEST_RESET},
        {REQUEST_SHUTDOWN, false, false, REQUEST_SHUTDOWN},
        {REQUEST_SHUTDOWN, false, true, REQUEST_STOP},
        {REQUEST_SHUTDOWN | REQUEST_RESET, true, false, REQUEST_SHUTDOWN},
        {REQUEST_STOP, false, false, REQUEST_STOP},
        {REQUEST_STOP | REQUEST_RESET, false, false, REQUEST_STOP},
        {REQUEST_QUIT | REQUEST_STOP, false, false,
         REQUEST_QUIT | REQUEST_STOP},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rig rig;
        rig_init(&rig, true, 0);
        rig.machine->no_reboot = cases[i].no_reboot;
        rig.machine->no_shutdown = cases[i].no_shutdown;
        machine_request(rig.machine, cases[i].asked);
        CU_ASSERT_EQUAL(machine_run(rig.machine), cases[i].answer);
        CU_ASSERT_EQUAL(rig.machine->last_stop, STOP_KICK);
        CU_ASSERT_EQUAL(rig.script.runs, 0);
        CU_ASSERT_FALSE(rig.machine->clock.running);
        rig_fini(&rig);
    }
}

static void triple_fault_resets_or_ends_with_no_reboot(void)
{
    struct rig rig;

    rig_init(&rig, true, 0);
    rig.script.stop = STOP_SHUTDOWN;
    rig.script.quit_after = 2;
    CU_ASSERT_EQUAL(machine_run(rig.machine), REQUEST_QUIT);
    CU_ASSERT_EQUAL(rig.gadget->resets, 2);
    CU_ASSERT_EQUAL(rig.machine->ledger.count[EVENT_STOP], 2);

    rig.script.quit_after = 0;
    rig.script.stop = STOP_SHUTDOWN;
    rig.machine->no_reboot = true;
    CU_ASSERT_EQUAL(machine_run(rig.machine), REQUEST_RESET);
    CU_ASSERT_EQUAL(rig.machine->last_stop, STOP_SHUTDOWN);
    CU_ASSERT_EQUAL(rig.gadget->resets, 2); /* left as it fell */
    rig_fini(&rig);
}

static void breakpoint_and_engine_error_stop_with_their_reason(void)
{
    static const enum stop stops[] = {STOP_DEBUG, STOP_ERROR};

    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        rig_init(&rig, true, 0);
        rig.script.stop = stops[i];
        CU_ASSERT_EQUAL(machine_run(rig.machine), REQUEST_STOP);
        CU_ASSERT_EQUAL(rig.machine->last_stop, stops[i]);
        CU_ASSERT_EQUAL(rig.script.runs, 1);
        rig_fini(&rig);
    }
}

static void icount_slices_end_where_the_next_timer_is_due(void)
{
    struct rig rig;

    rig_init(&rig, true, 2);
    timer_arm(&rig.gadget->timer, 50001); /* 12501 instructions of 4 ns */
    rig.script.quit_after = 3;
    machine_run(rig.machine);
    CU_ASSERT_EQUAL(rig.gadget->fired, 1);
    CU_ASSERT_EQUAL(rig.gadget->fired_at_ns, 50004);
    CU_ASSERT_EQUAL(rig.script.longest, 20000);
    rig_fini(&rig);
}

static void write_port(struct script *s)
{
    if (s->runs == 1)
        machine_pio_write(s->machine, s->machine->cpu[0], 0x100, 1, 1);
}

static void timer_armed_inside_a_slice_cuts_it_short(void)
{
    struct rig rig;

    rig_init(&rig, true, 0);
    rig.gadget->delay_ns = 10;
    rig.script.step = write_port;
    rig.script.quit_after = 4;
    machine_run(rig.machine);
    CU_ASSERT_EQUAL(rig.gadget->fired, 1);
    CU_ASSERT_EQUAL(rig.gadget->fired_at_ns, 10);
    CU_ASSERT(rig.script.kicks >= 1);
    rig_fini(&rig);
}

static void *ask_to_quit(void *machine)
{
    struct timespec nap = {.tv_nsec = 20000000};

    nanosleep(&nap, NULL);
    machine_request(machine, REQUEST_QUIT);
    return NULL;
}

static void halted_icount_cpu_skips_to_the_next_timer(void)
{
    struct rig rig;

    rig_init(&rig, true, 0);
    timer_arm(&rig.gadget->timer, 3600 * NS_PER_SECOND);
    rig.machine->cpu[0]->pending |= PENDING_HALT;
    /* Nothing ends the halt; another thread's request ends the run. */
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(
        pthread_create(&thread, NULL, ask_to_quit, rig.machine), 0);
    CU_ASSERT_EQUAL(machine_run(rig.machine), REQUEST_QUIT);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(rig.gadget->fired, 1);
    CU_ASSERT_EQUAL(rig.gadget->fired_at_ns, 3600 * NS_PER_SECOND);
    CU_ASSERT_EQUAL(rig.script.runs, 0);
    rig_fini(&rig);
}

static void host_sleep(void *ctx, struct machine *machine, uint64_t deadline_ns)
{
    struct script *s = ctx;

    /* A host that wakes early: the loop has to ask again. */
    struct gadget *g = machine_find(machine, "gadget")->state;
    CU_ASSERT_EQUAL(deadline_ns, g->fired ? CLOCK_NEVER : 2000000);
    s->written_size++;
}

static void take_request(void *ctx, struct machine *machine)
{
    struct gadget *g = machine_find(machine, "gadget")->state;

    (void)ctx;
    if (g->fired)
        machine_request(machine, REQUEST_STOP);
    else
        CU_ASSERT_EQUAL(clock_deadline_ns(&machine->clock), 2000000);
}

static void halted_host_cpu_sleeps_until_the_deadline(void)
{
    struct rig rig;

    rig_init(&rig, false, 0);
    timer_arm(&rig.gadget->timer, 2000000);
    rig.machine->cpu[0]->pending |= PENDING_HALT;
    rig.machine->sleep = host_sleep;
    rig.machine->pump = take_request;
    CU_ASSERT_EQUAL(machine_run(rig.machine), REQUEST_STOP);
    CU_ASSERT_EQUAL(rig.gadget->fired, 1);
    CU_ASSERT(rig.gadget->fired_at_ns >= 2000000);
    CU_ASSERT(rig.script.written_size > 0);
    CU_ASSERT_EQUAL(rig.script.runs, 0);
    rig_fini(&rig);
}

struct heard {
    unsigned events;
    struct event last;
};

static void on_event(void *ctx, const struct event *event)
{
    struct heard *h = ctx;

    h->events++;
    h->last = *event;
}

static void accesses_reach_devices_and_count_unheard(void)
{
    struct rig rig;

    rig_init(&rig, true, 0);
    struct machine *m = rig.machine;
    struct cpu *cpu = m->cpu[0];
    uint64_t seq = m->ledger.seq;
    machine_pio_write(m, cpu, 0x100, 0x12345678, 4);
    CU_ASSERT_EQUAL(machine_mmio_read(m, cpu, 0xFED00000, 2), 0x5678);
    machine_mmio_write(m, NULL, 0xFED00000, 0x99, 1);
    CU_ASSERT_EQUAL(machine_pio_read(m, NULL, 0x100, 4), 0x99);
    CU_ASSERT_EQUAL(machine_pio_read(m, cpu, 0xFFFF, 4), 0xFFFFFFFF);
    CU_ASSERT_EQUAL(m->ledger.count[EVENT_PIO], 3);
    CU_ASSERT_EQUAL(m->ledger.count[EVENT_MMIO], 2);
    CU_ASSERT_EQUAL(m->ledger.seq, seq + 5);
    rig_fini(&rig);
}

static void heard_access_carries_rip_time_and_the_value_read(void)
{
    struct rig rig;
    struct heard heard = {0};
    struct event_sink sink = {on_event, &heard, EVENT_ALL, NULL};

    rig_init(&rig, true, 0);
    struct machine *m = rig.machine;
    ledger_add_sink(&m->ledger, &sink);
    rig.gadget->register_0 = 0xABCD;
    m->clock.instructions = 4711;
    CU_ASSERT_EQUAL(machine_pio_read(m, m->cpu[0], 0x100, 2), 0xABCD);
    CU_ASSERT_EQUAL(heard.events, 1);
    CU_ASSERT_EQUAL(heard.last.kind, EVENT_PIO);
    CU_ASSERT_EQUAL(heard.last.value, 0xABCD);
    CU_ASSERT_EQUAL(heard.last.addr, 0x100);
    CU_ASSERT_EQUAL(heard.last.size, 2);
    CU_ASSERT_EQUAL(heard.last.write, 0);
    CU_ASSERT_EQUAL(heard.last.time_ns, 4711);
    CU_ASSERT_EQUAL(heard.last.cost_ns, 0); /* the same in every run */
    CU_ASSERT_EQUAL(heard.last.reason, 30);
    CU_ASSERT_EQUAL(heard.last.rip, cpu_rip(m->cpu[0]));
    machine_mmio_write(m, m->cpu[0], 0xFED00000, 0x1FF, 1);
    CU_ASSERT_EQUAL(heard.last.write, 1);
    CU_ASSERT_EQUAL(heard.last.kind, EVENT_MMIO);
    CU_ASSERT_EQUAL(rig.gadget->register_0, 0xFF);
    ledger_remove_sink(&m->ledger, &sink);
    machine_pio_read(m, m->cpu[0], 0x100, 2);
    CU_ASSERT_EQUAL(heard.events, 2);
    rig_fini(&rig);
}

static void each_timer_that_runs_is_an_event(void)
{
    struct rig rig;
    struct heard heard = {0};
    struct event_sink sink = {on_event, &heard, 1u << EVENT_TIMER, NULL};

    rig_init(&rig, true, 0);
    ledger_add_sink(&rig.machine->ledger, &sink);
    timer_arm(&rig.gadget->timer, 123);
    rig.script.quit_after = 2;
    machine_run(rig.machine);
    CU_ASSERT_EQUAL(heard.events, 1);
    CU_ASSERT_EQUAL(heard.last.addr, 123);
    rig_fini(&rig);
}

static const struct test tests[] = {
    {"impossible_machines_are_refused", impossible_machines_are_refused},
    {"device_names_are_unique_and_listed_in_order",
     device_names_are_unique_and_listed_in_order},
    {"engine_hears_of_memory_and_is_closed_when_replaced",
     engine_hears_of_memory_and_is_closed_when_replaced},
    {"reset_request_resets_and_goes_on", reset_request_resets_and_goes_on},
    {"no_reboot_and_no_shutdown_change_the_answer",
     no_reboot_and_no_shutdown_change_the_answer},
    {"triple_fault_resets_or_ends_with_no_reboot",
     triple_fault_resets_or_ends_with_no_reboot},
    {"breakpoint_and_engine_error_stop_with_their_reason",
     breakpoint_and_engine_error_stop_with_their_reason},
    {"icount_slices_end_where_the_next_timer_is_due",
     icount_slices_end_where_the_next_timer_is_due},
    {"timer_armed_inside_a_slice_cuts_it_short",
     timer_armed_inside_a_slice_cuts_it_short},
    {"halted_icount_cpu_skips_to_the_next_timer",
     halted_icount_cpu_skips_to_the_next_timer},
    {"halted_host_cpu_sleeps_until_the_deadline",
     halted_host_cpu_sleeps_until_the_deadline},
    {"accesses_reach_devices_and_count_unheard",
     accesses_reach_devices_and_count_unheard},
    {"heard_access_carries_rip_time_and_the_value_read",
     heard_access_carries_rip_time_and_the_value_read},
    {"each_timer_that_runs_is_an_event", each_timer_that_runs_is_an_event},
    {NULL, NULL},
};
TEST_MAIN("machine", tests)
