/*
 * The machine: CPUs, memory, ports, devices, clock, ledger and engine, held
 * together. All state hangs off struct machine; nothing is at file scope.
 */
#ifndef EMU_MACHINE_H
#define EMU_MACHINE_H

#include "emu/accel.h"
#include "emu/bus.h"
#include "emu/clock.h"
#include "emu/debug.h"
#include "emu/device.h"
#include "emu/event.h"
#include "emu/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cpu;

/* What a guest or the user asked the machine to do next; machine_request(). */
enum request {
    REQUEST_NONE = 0,
    REQUEST_RESET = 1u << 0,    /* system reset (0xCF9, 0x92, 8042, triple) */
    REQUEST_SHUTDOWN = 1u << 1, /* power off (ACPI S5, isa-debug-exit) */
    REQUEST_STOP = 1u << 2,     /* pause: back to the prompt */
    REQUEST_QUIT = 1u << 3,     /* end of the process, from the host side */
};

/* Where interrupts come from: the local APIC, as the CPU sees it. */
struct intc {
    void *ctx;
    /* The vector to deliver now, acknowledged; -1 if it went away. */
    int (*acknowledge)(void *ctx);
    uint64_t (*get_base)(void *ctx);            /* IA32_APIC_BASE */
    bool (*set_base)(void *ctx, uint64_t base); /* false: #GP */
    uint8_t (*get_tpr)(void *ctx);              /* bits 7:4 serve CR8 */
    void (*set_tpr)(void *ctx, uint8_t tpr);
};

#define MACHINE_MAX_CPUS 1

struct machine {
    const char *name;
    struct cpu *cpu[MACHINE_MAX_CPUS];
    unsigned cpus;
    struct bus memory, io;
    uint8_t *ram; /* all of it; mapped piecewise by the board */
    uint64_t ram_bytes;
    struct clock clock;
    struct ledger ledger;
    struct debug debug;
    uint64_t run_limit; /* machine_run() stops when clock.instructions gets
                           here; UINT64_MAX: never. machine_step() sets it */
    struct log log;
    struct device *devices; /* in the order of the board's table */
    const struct accel *accel;
    void *engine; /* the accel's self */
    struct intc intc;
    struct display display; /* render NULL without an adapter */
    struct input input;
    atomic_uint requests; /* enum request bits, from any thread */
    atomic_bool kicked;   /* engines look at this at least every 50,000
                             instructions */
    int exit_status;      /* what isa-debug-exit asked for */
    bool no_reboot, no_shutdown;
    enum stop last_stop; /* why the last machine_run() ended: STOP_KICK for
                            a request, STOP_DEBUG, STOP_ERROR, ... */
    uint64_t slice_deadline_ns;   /* -icount: the timer that the current slice
                                     was cut for; else 0 */
    struct bus_listener listener; /* hands memory changes to the engine */
    char error[256]; /* one line for the user, when something failed */
    /* The host side: called between runs on the CPU thread; hands over what
     * arrived on other threads (bytes, keys). May be NULL. */
    void (*pump)(void *ctx, struct machine *machine);
    /* Sleeps until `deadline_ns` (virtual) or a kick. NULL: spin. */
    void (*sleep)(void *ctx, struct machine *machine, uint64_t deadline_ns);
    void (*wake)(void *ctx); /* ends sleep(); from any thread */
    void *host;
    /* Puts software that no firmware loads (-kernel) and the CPU back as they
     * must start, at the end of every machine_reset(). May be NULL. */
    void (*reload)(void *ctx, struct machine *machine);
    void *reload_ctx;
};

/* Allocates the machine with RAM of this size, empty buses and `cpus` CPUs.
 * NULL on failure (out of memory). */
struct machine *machine_new(uint64_t ram_bytes, unsigned cpus);
void machine_free(struct machine *machine);

/* Makes a device, wires its buses, clock and log, and lists it. */
struct device *machine_add(struct machine *machine,
                           const struct device_class *class, const char *name);
struct device *machine_find(struct machine *machine, const char *name);

/* Chooses the engine. 0 or -errno with machine->error set. */
int machine_set_accel(struct machine *machine, const struct accel *accel);

/* Resets CPUs and devices to their power-on state. */
void machine_reset(struct machine *machine);

/* Runs until something asks it to stop: returns the request bits, among
 * REQUEST_SHUTDOWN, REQUEST_STOP, REQUEST_QUIT (and REQUEST_RESET when
 * no_reboot is set). */
unsigned machine_run(struct machine *machine);
/* Runs exactly `count` instructions (an interrupt that is due is delivered, and
 * a halted CPU is waited for), or fewer if something stops it sooner. As
 * machine_run(); last_stop is STOP_BUDGET when all were run. */
unsigned machine_step(struct machine *machine, uint64_t count);
/* Asks for something; from any thread. */
void machine_request(struct machine *machine, unsigned request);
/* Makes machine_run() come round soon, to pump; from any thread. */
void machine_kick(struct machine *machine);

/*
 * The one door. Serves a PIO or MMIO event through the bus (a read's value is
 * filled in), then counts and publishes it. Other kinds are only published.
 */
void machine_trap(struct machine *machine, struct event *event);

/* Port and MMIO accesses of a CPU, as events. size: 1, 2, 4 or 8 bytes. */
uint64_t machine_pio_read(struct machine *machine, struct cpu *cpu,
                          uint16_t port, unsigned size);
void machine_pio_write(struct machine *machine, struct cpu *cpu, uint16_t port,
                       uint64_t value, unsigned size);
uint64_t machine_mmio_read(struct machine *machine, struct cpu *cpu,
                           uint64_t gpa, unsigned size);
void machine_mmio_write(struct machine *machine, struct cpu *cpu, uint64_t gpa,
                        uint64_t value, unsigned size);

/* The local APIC's INTR and NMI outputs; from devices, on the CPU thread. */
void machine_set_intr(struct machine *machine, unsigned cpu, bool level);
void machine_set_nmi(struct machine *machine, unsigned cpu, bool level);
void machine_set_a20(struct machine *machine, bool enabled);

#endif
