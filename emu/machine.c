/*
 * The machine: what owns everything, the run loop, and the one door that
 * every access to a device goes through.
 *
 * The loop runs CPU slices, timers, the host's pump and requests in turn, all
 * on one thread. Under -icount a slice ends where the next timer is due, so
 * that a timer interrupts the same instruction in every run.
 *
 * Invariants: requests and `kicked` are all that other threads touch. A kick
 * is cleared before what it announces is looked at, so none is lost.
 */
#include "emu/machine.h"

#include "emu/x86/cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define IO_PORTS UINT64_C(0x10000)
#define PHYSICAL_LIMIT (UINT64_C(1) << 52) /* SDM 3A 4.1.4: MAXPHYADDR */
#define RAM_LIMIT (UINT64_C(1) << 40)
#define PAGE_MASK UINT64_C(0xFFF)

#define SLICE_INSTRUCTIONS 20000u
#define PUMP_PERIOD_NS 1000000u
/* VMX exit reasons, SDM 3C appendix C. */
#define EXIT_IO 30
#define EXIT_EPT_MISCONFIGURATION 49
#define EXIT_TRIPLE_FAULT 2

static void memory_changed(void *ctx, const struct region *region, bool mapped)
{
    struct machine *machine = ctx;

    if (machine->accel && machine->accel->region)
        machine->accel->region(machine->engine, region, mapped);
}

static void memory_written(void *ctx, uint64_t gpa, uint64_t size)
{
    struct machine *machine = ctx;

    if (machine->accel && machine->accel->written)
        machine->accel->written(machine->engine, gpa, size);
}

static void timer_expired(void *ctx, const struct timer *timer,
                          uint64_t deadline_ns)
{
    struct event event = {.kind = EVENT_TIMER, .addr = deadline_ns};

    (void)timer;
    machine_trap(ctx, &event);
}

static uint8_t *allocate_ram(uint64_t bytes)
{
    /* Untouched RAM costs nothing, so a guest may have more than the host
     * can spare as long as it does not use it. */
    void *ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (ram == MAP_FAILED)
        return NULL;
    madvise(ram, bytes, MADV_HUGEPAGE); /* a hint; failure is no matter */
    return ram;
}

struct machine *machine_new(uint64_t ram_bytes, unsigned cpus)
{
    if (ram_bytes == 0 || ram_bytes > RAM_LIMIT || cpus == 0 ||
        cpus > MACHINE_MAX_CPUS)
        return NULL;

    struct machine *machine = calloc(1, sizeof(*machine));
    if (!machine)
        return NULL;
    machine->name = "vitrine";
    log_init(&machine->log);
    machine->run_limit = UINT64_MAX;
    clock_init(&machine->clock, false, 0);
    machine->clock.rtc_offset_s = (uint64_t)time(NULL);
    if (ledger_init(&machine->ledger) ||
        bus_init(&machine->memory, "memory", PHYSICAL_LIMIT) ||
        bus_init(&machine->io, "io", IO_PORTS))
        goto failed;

    machine->ram_bytes = (ram_bytes + PAGE_MASK) & ~PAGE_MASK;
    machine->ram = allocate_ram(machine->ram_bytes);
    if (!machine->ram)
        goto failed;
    machine->listener.changed = memory_changed;
    machine->listener.written = memory_written;
    machine->listener.ctx = machine;
    bus_add_listener(&machine->memory, &machine->listener);

    for (unsigned i = 0; i < cpus; i++) {
        machine->cpu[i] = cpu_new(machine, i);
        if (!machine->cpu[i])
            goto failed;
        machine->cpus++;
    }
    return machine;

failed:
    machine_free(machine);
    return NULL;
}

static void close_accel(struct machine *machine)
{
    if (!machine->accel)
        return;
    const struct accel *accel = machine->accel;
    for (unsigned i = 0; accel->pull && i < machine->cpus; i++)
        accel->pull(machine->engine, machine->cpu[i]);
    machine->accel = NULL;
    if (accel->close)
        accel->close(machine->engine);
    machine->engine = NULL;
}

void machine_free(struct machine *machine)
{
    if (!machine)
        return;
    close_accel(machine);
    for (unsigned i = 0; i < machine->cpus; i++)
        cpu_free(machine->cpu[i]);
    machine->cpus = 0; /* a device's fini may still drop a line */
    while (machine->devices) {
        struct device *dev = machine->devices;
        machine->devices = dev->next;
        device_free(dev);
    }
    bus_fini(&machine->memory);
    bus_fini(&machine->io);
    ledger_fini(&machine->ledger);
    log_fini(&machine->log);
    if (machine->ram)
        munmap(machine->ram, machine->ram_bytes);
    free(machine);
}

struct device *machine_find(struct machine *machine, const char *name)
{
    for (struct device *dev = machine->devices; dev; dev = dev->next) {
        if (!strcmp(dev->name, name))
            return dev;
    }
    return NULL;
}

struct device *machine_add(struct machine *machine,
                           const struct device_class *class, const char *name)
{
    if (machine_find(machine, name))
        return NULL;
    struct device *dev =
        device_new(class, name, &machine->clock, &machine->memory, &machine->io,
                   &machine->log);
    if (!dev)
        return NULL;
    struct device **end = &machine->devices;
    while (*end)
        end = &(*end)->next;
    *end = dev;
    return dev;
}

int machine_set_accel(struct machine *machine, const struct accel *accel)
{
    void *engine = NULL;

    close_accel(machine);
    machine->error[0] = '\0';
    int error = accel->open(machine, &engine);
    if (error) {
        if (!machine->error[0])
            snprintf(machine->error, sizeof(machine->error), "%s: %s",
                     accel->name, strerror(-error));
        return error;
    }
    machine->engine = engine;
    machine->accel = accel;
    for (size_t i = 0; i < machine->memory.count; i++)
        memory_changed(machine, machine->memory.regions[i], true);
    for (unsigned i = 0; accel->push && i < machine->cpus; i++)
        accel->push(engine, machine->cpu[i]);
    return 0;
}

void machine_reset(struct machine *machine)
{
    const struct accel *accel = machine->accel;

    if (accel && accel->pull) {
        for (unsigned i = 0; i < machine->cpus; i++)
            accel->pull(machine->engine, machine->cpu[i]);
    }
    if (log_on(&machine->log, LOG_CPU_RESET)) {
        for (unsigned i = 0; i < machine->cpus; i++) {
            fprintf(machine->log.file, "CPU Reset (CPU %u)\n", i);
            cpu_dump(machine->cpu[i], machine->log.file);
        }
    }
    /* CPUs first: a device's reset drives the lines into them. */
    for (unsigned i = 0; i < machine->cpus; i++)
        cpu_reset(machine->cpu[i]);
    for (struct device *dev = machine->devices; dev; dev = dev->next)
        device_reset(dev);
    if (machine->reload)
        machine->reload(machine->reload_ctx, machine);
    if (accel && accel->push) {
        for (unsigned i = 0; i < machine->cpus; i++)
            accel->push(machine->engine, machine->cpu[i]);
    }
    if (accel && accel->flush)
        accel->flush(machine->engine);
}

void machine_kick(struct machine *machine)
{
    atomic_store(&machine->kicked, true);
    if (machine->accel && machine->accel->kick)
        machine->accel->kick(machine->engine);
    if (machine->wake)
        machine->wake(machine->host);
}

void machine_request(struct machine *machine, unsigned request)
{
    atomic_fetch_or(&machine->requests, request);
    machine_kick(machine);
}

/* --- The run loop ------------------------------------------------------- */

static void publish_stop(struct machine *machine, enum stop stop,
                         unsigned requests)
{
    struct event event = {
        .kind = EVENT_STOP,
        .rip = cpu_rip(machine->cpu[0]),
        .reason = stop == STOP_SHUTDOWN ? EXIT_TRIPLE_FAULT : 0,
        .value = requests,
        .detail = (uint8_t)stop,
    };

    machine_trap(machine, &event);
}

/* Does what was asked for. Returns what machine_run() must return with. */
static unsigned serve_requests(struct machine *machine)
{
    unsigned asked = atomic_exchange(&machine->requests, REQUEST_NONE);
    unsigned result = asked & (REQUEST_STOP | REQUEST_QUIT);

    if (!asked)
        return REQUEST_NONE;
    publish_stop(machine, STOP_KICK, asked);
    /* Power wins over reset: a machine that is off does not come back. */
    if (asked & REQUEST_SHUTDOWN)
        result |= machine->no_shutdown ? REQUEST_STOP : REQUEST_SHUTDOWN;
    else if (asked & REQUEST_RESET) {
        if (machine->no_reboot)
            result |= REQUEST_RESET;
        else
            machine_reset(machine);
    }
    return result;
}

static bool all_idle(struct machine *machine)
{
    for (unsigned i = 0; i < machine->cpus; i++) {
        if (!cpu_halted(machine->cpu[i]) || cpu_has_work(machine->cpu[i]))
            return false;
    }
    return true;
}

/* Every CPU waits: lets time pass until the next timer, or a kick. Returns
 * whether host time passed, so that the host side may have something. */
static bool idle(struct machine *machine)
{
    uint64_t deadline_ns = clock_deadline_ns(&machine->clock);

    if (machine->clock.icount && deadline_ns != CLOCK_NEVER) {
        clock_skip_to(&machine->clock, deadline_ns);
        return false;
    }
    if (machine->sleep) {
        machine->sleep(machine->host, machine, deadline_ns);
        return true;
    }
    /* Without a host side: short naps, so that a kick is not kept waiting. */
    uint64_t now_ns = clock_now_ns(&machine->clock);
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec nap = {
        .tv_nsec = left_ns < PUMP_PERIOD_NS ? (long)left_ns : PUMP_PERIOD_NS};
    if (left_ns && !atomic_load(&machine->kicked))
        nanosleep(&nap, NULL);
    return true;
}

/* How many instructions may run before something else must be seen to. */
static uint64_t slice(struct machine *machine)
{
    struct clock *clock = &machine->clock;

    if (!clock->icount)
        return SLICE_INSTRUCTIONS;
    uint64_t deadline_ns = clock_deadline_ns(clock);
    machine->slice_deadline_ns = deadline_ns;
    uint64_t now_ns = clock_now_ns(clock);
    if (deadline_ns <= now_ns)
        return 1;
    uint64_t left_ns = deadline_ns - now_ns;
    uint64_t unit_ns = UINT64_C(1) << clock->icount_shift;
    if (left_ns >= SLICE_INSTRUCTIONS * unit_ns)
        return SLICE_INSTRUCTIONS;
    return (left_ns + unit_ns - 1) >> clock->icount_shift;
}

/* Gives each CPU that has something to do a slice. */
static enum stop run_cpus(struct machine *machine)
{
    enum stop stop = STOP_BUDGET;

    for (unsigned i = 0; i < machine->cpus; i++) {
        struct cpu *cpu = machine->cpu[i];
        if (cpu_halted(cpu) && !cpu_has_work(cpu))
            continue;
        uint64_t until = machine->clock.instructions + slice(machine);
        if (until > machine->run_limit)
            until = machine->run_limit;
        stop = machine->accel->run(machine->engine, cpu, until);
        if (stop >= STOP_SHUTDOWN)
            break;
    }
    machine->slice_deadline_ns = 0;
    return stop;
}

/* One turn of the loop. Returns what machine_run() must return with. */
static unsigned turn(struct machine *machine, uint64_t *next_pump_ns)
{
    bool kicked = atomic_exchange(&machine->kicked, false);
    uint64_t host_ns = clock_host_ns();

    if (kicked || host_ns >= *next_pump_ns) {
        *next_pump_ns = host_ns + PUMP_PERIOD_NS;
        if (machine->pump)
            machine->pump(machine->host, machine);
    }
    unsigned result = serve_requests(machine);
    if (result) {
        machine->last_stop = STOP_KICK;
        return result;
    }
    if (machine->clock.instructions >= machine->run_limit) {
        machine->last_stop = STOP_BUDGET;
        return REQUEST_STOP;
    }
    clock_run(&machine->clock);
    if (all_idle(machine)) {
        if (idle(machine))
            *next_pump_ns = 0;
        return REQUEST_NONE;
    }
    enum stop stop = run_cpus(machine);
    switch (stop) {
    case STOP_SHUTDOWN:
        machine->last_stop = stop;
        publish_stop(machine, stop, REQUEST_RESET);
        if (machine->no_reboot)
            return REQUEST_RESET;
        machine_reset(machine);
        return REQUEST_NONE;
    case STOP_DEBUG:
    case STOP_ERROR:
        machine->last_stop = stop;
        publish_stop(machine, stop, REQUEST_STOP);
        return REQUEST_STOP;
    default:
        return REQUEST_NONE;
    }
}

unsigned machine_run(struct machine *machine)
{
    uint64_t next_pump_ns = 0;
    unsigned result;

    if (!machine->accel) {
        machine->last_stop = STOP_ERROR;
        return REQUEST_STOP;
    }
    machine->clock.expired = timer_expired;
    machine->clock.expired_ctx = machine;
    machine->debug.hit.point = NULL;
    for (unsigned i = 0; i < machine->cpus; i++)
        debug_resume(machine, cpu_linear_rip(machine->cpu[i]));
    clock_start(&machine->clock);
    do {
        result = turn(machine, &next_pump_ns);
    } while (!result);
    clock_stop(&machine->clock);
    return result;
}

unsigned machine_step(struct machine *machine, uint64_t count)
{
    machine->run_limit = machine->clock.instructions + count;
    unsigned result = machine_run(machine);
    machine->run_limit = UINT64_MAX;
    return result;
}

/* --- The door ----------------------------------------------------------- */

static void serve(struct machine *machine, struct event *event)
{
    struct bus *bus;

    if (event->kind == EVENT_PIO)
        bus = &machine->io;
    else if (event->kind == EVENT_MMIO)
        bus = &machine->memory;
    else
        return;
    if (event->write)
        bus_write(bus, event->addr, event->value, event->size);
    else
        event->value = bus_read(bus, event->addr, event->size);
}

static inline bool wanted(const struct machine *machine, enum event_kind kind)
{
    return (machine->ledger.wanted >> kind) & 1u;
}

/* Under -icount a slice was cut for the timers known when it began. If an
 * access has armed an earlier one, the slice has to end early too. */
static inline void check_deadline(struct machine *machine)
{
    if (clock_deadline_ns(&machine->clock) >= machine->slice_deadline_ns)
        return;
    machine->slice_deadline_ns = 0; /* asked once is enough */
    atomic_store(&machine->kicked, true);
    if (machine->accel->kick)
        machine->accel->kick(machine->engine);
}

void machine_trap(struct machine *machine, struct event *event)
{
    struct clock *clock = &machine->clock;

    if (event->kind < EVENT_KINDS &&
        wanted(machine, (enum event_kind)event->kind)) {
        event->time_ns = clock_now_ns(clock);
        serve(machine, event);
        /* Under -icount a handler takes no time, and runs must not differ. */
        if (!clock->icount && event->kind <= EVENT_MMIO)
            event->cost_ns = clock_now_ns(clock) - event->time_ns;
    } else {
        serve(machine, event);
    }
    ledger_publish(&machine->ledger, event);
    check_deadline(machine);
}

/* An access while nobody listens: the same as a trap, without the event. */
static inline void count_only(struct machine *machine, enum event_kind kind)
{
    machine->ledger.seq++;
    machine->ledger.count[kind]++;
}

static struct event access_event(struct cpu *cpu, enum event_kind kind,
                                 uint64_t addr, unsigned size)
{
    return (struct event){
        .kind = (uint8_t)kind,
        .reason = kind == EVENT_PIO ? EXIT_IO : EXIT_EPT_MISCONFIGURATION,
        .addr = addr,
        .size = (uint8_t)size,
        .rip = cpu ? cpu_rip(cpu) : 0,
        .cpu = (uint16_t)(cpu ? cpu_index(cpu) : 0),
    };
}

static inline uint64_t access_read(struct machine *machine, struct cpu *cpu,
                                   struct bus *bus, enum event_kind kind,
                                   uint64_t addr, unsigned size)
{
    if (!wanted(machine, kind)) {
        count_only(machine, kind);
        uint64_t value = bus_read(bus, addr, size);
        check_deadline(machine);
        return value;
    }
    struct event event = access_event(cpu, kind, addr, size);
    machine_trap(machine, &event);
    return event.value;
}

static inline void access_write(struct machine *machine, struct cpu *cpu,
                                struct bus *bus, enum event_kind kind,
                                uint64_t addr, uint64_t value, unsigned size)
{
    if (!wanted(machine, kind)) {
        count_only(machine, kind);
        bus_write(bus, addr, value, size);
        check_deadline(machine);
        return;
    }
    struct event event = access_event(cpu, kind, addr, size);
    event.write = 1;
    event.value = value;
    machine_trap(machine, &event);
}

uint64_t machine_pio_read(struct machine *machine, struct cpu *cpu,
                          uint16_t port, unsigned size)
{
    return access_read(machine, cpu, &machine->io, EVENT_PIO, port, size);
}

void machine_pio_write(struct machine *machine, struct cpu *cpu, uint16_t port,
                       uint64_t value, unsigned size)
{
    access_write(machine, cpu, &machine->io, EVENT_PIO, port, value, size);
}

uint64_t machine_mmio_read(struct machine *machine, struct cpu *cpu,
                           uint64_t gpa, unsigned size)
{
    return access_read(machine, cpu, &machine->memory, EVENT_MMIO, gpa, size);
}

void machine_mmio_write(struct machine *machine, struct cpu *cpu, uint64_t gpa,
                        uint64_t value, unsigned size)
{
    access_write(machine, cpu, &machine->memory, EVENT_MMIO, gpa, value, size);
}

void machine_set_intr(struct machine *machine, unsigned cpu, bool level)
{
    if (cpu < machine->cpus)
        cpu_set_intr(machine->cpu[cpu], level);
}

void machine_set_nmi(struct machine *machine, unsigned cpu, bool level)
{
    if (cpu < machine->cpus)
        cpu_set_nmi(machine->cpu[cpu], level);
}

void machine_set_a20(struct machine *machine, bool enabled)
{
    for (unsigned i = 0; i < machine->cpus; i++)
        cpu_set_a20(machine->cpu[i], enabled);
}
