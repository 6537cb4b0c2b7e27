/*
 * What an engine is. It only makes CPUs move: the board, the devices and the
 * memory belong to the machine, and everything that leaves the CPU goes
 * through machine_trap().
 */
#ifndef EMU_ACCEL_H
#define EMU_ACCEL_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct machine;
struct region;

/* Why run() came back. */
enum stop {
    STOP_NONE,
    STOP_BUDGET,   /* `until` instructions have retired */
    STOP_KICK,     /* accel.kick, or something the machine must see to */
    STOP_HALT,     /* HLT with nothing pending */
    STOP_SHUTDOWN, /* triple fault */
    STOP_DEBUG,    /* a breakpoint or watchpoint; rip is at it */
    STOP_ERROR,    /* the engine cannot go on; it has logged why */
};

struct accel {
    const char *name;
    const char *description;
    uint32_t observes; /* bit mask of event kinds this engine can see */
    /* 0 or -errno, with a line for the user already in machine->error. */
    int (*open)(struct machine *machine, void **self);
    /* Runs `cpu` until clock.instructions reaches `until` (or, under an
     * engine that cannot count, until kicked). */
    enum stop (*run)(void *self, struct cpu *cpu, uint64_t until);
    /* From any thread: makes run() return soon. Never lost. */
    void (*kick)(void *self);
    /* Register state out of and into the engine; NULL where it works on
     * struct cpu directly. */
    void (*pull)(void *self, struct cpu *cpu);
    void (*push)(void *self, const struct cpu *cpu);
    /* Memory map changed / memory written behind the CPU's back. */
    void (*region)(void *self, const struct region *region, bool mapped);
    void (*written)(void *self, uint64_t gpa, uint64_t size);
    /* Drops every translation. */
    void (*flush)(void *self);
    void (*close)(void *self);
};

#endif
