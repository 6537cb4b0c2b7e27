/*
 * Breakpoints and watchpoints: what the monitor and the gdb stub ask for, and
 * what engines consult. Off means free: an engine looks here only when it
 * decodes a block, fills its TLB, or is on a slow path already.
 *
 * A point stops the machine before the instruction (execution) or after it
 * (memory, events): machine_run() returns REQUEST_STOP with last_stop
 * STOP_DEBUG, and debug.hit says why. Continuing from an execution point runs
 * the instruction there.
 */
#ifndef EMU_DEBUG_H
#define EMU_DEBUG_H

#include "emu/event.h"

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct machine;

enum debug_kind {
    DEBUG_EXEC,           /* addr: linear */
    DEBUG_EXEC_PHYSICAL,  /* addr: guest-physical */
    DEBUG_WATCH,          /* [addr, addr + size), linear */
    DEBUG_WATCH_PHYSICAL, /* the same, guest-physical */
    DEBUG_EVENT,          /* `kinds` of the ledger */
};

struct debug_point {
    unsigned id; /* given by debug_add(), from 1 */
    enum debug_kind kind;
    uint64_t addr, size;
    bool read, write;     /* watchpoints: which accesses */
    uint32_t event_kinds; /* DEBUG_EVENT: mask of 1u << enum event_kind */
    bool enabled;
    bool temporary;  /* removed by its owner when it has stopped once */
    uint64_t hits;   /* times the place was reached, condition true */
    uint64_t ignore; /* hits still to be passed over */
    /* May be NULL. False: not this time. `event` is NULL but for events. */
    bool (*condition)(void *ctx, struct debug_point *point, struct cpu *cpu,
                      const struct event *event);
    void *ctx;
    struct debug_point *next;
};

/* Why the machine stopped last. */
struct debug_hit {
    struct debug_point *point; /* NULL: none */
    unsigned cpu;
    uint64_t linear, gpa; /* of the instruction or the access */
    unsigned size;
    bool write;
    struct event event; /* DEBUG_EVENT */
};

struct debug {
    struct debug_point *points; /* in the order of their ids */
    unsigned next_id;
    bool exec_armed, watch_armed; /* some enabled point of the kind exists */
    struct event_sink sink;       /* registered while events are watched */
    struct debug_hit hit;
    bool resuming; /* pass over a point at resume_linear once */
    uint64_t resume_linear;
};

/* Takes the point (the caller owns its memory until debug_remove()), numbers
 * and arms it. */
void debug_add(struct machine *machine, struct debug_point *point);
void debug_remove(struct machine *machine, struct debug_point *point);
/* After a change of a point's fields (enabled, addr ...). */
void debug_changed(struct machine *machine);
struct debug_point *debug_find(struct machine *machine, unsigned id);

/* Before running on: the instruction at this linear address is run even if a
 * point is there. machine_run() and machine_step() call it. */
void debug_resume(struct machine *machine, uint64_t linear);

/* For engines. Is an enabled execution point here? */
bool debug_exec_at(const struct machine *machine, uint64_t linear,
                   uint64_t gpa);
/* The CPU is about to run this instruction: stop? Records the hit. */
bool debug_exec_hit(struct machine *machine, struct cpu *cpu, uint64_t linear,
                    uint64_t gpa);
/* Is part of the page (linear, physical) watched? */
bool debug_page_watched(const struct machine *machine, uint64_t linear,
                        uint64_t gpa);
/* An access happens: stop after this instruction? Records the hit. */
bool debug_access_hit(struct machine *machine, struct cpu *cpu, uint64_t linear,
                      uint64_t gpa, unsigned size, bool write);

#endif
