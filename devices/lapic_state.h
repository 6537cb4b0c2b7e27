/*
 * What lapic.c and lapic_timer.c share; for nobody else.
 */
#ifndef DEVICES_LAPIC_STATE_H
#define DEVICES_LAPIC_STATE_H

#include "devices/lapic.h"

enum { SVR_ENABLE = 0x100 };
enum { LVT_VECTOR = 0xFF, LVT_REMOTE_IRR = 0x4000,
       LVT_LEVEL = 0x8000, LVT_MASKED = 0x10000, LVT_PERIODIC = 0x20000,
       LVT_DEADLINE = 0x40000 };
enum { ESR_SEND_VECTOR = 0x20, ESR_RECEIVE_VECTOR = 0x40,
       ESR_REGISTER = 0x80 };
enum { ICR_LOGICAL = 0x800, ICR_ASSERT = 0x4000, ICR_LEVEL = 0x8000 };
enum lvt { TIMER, THERMAL, COUNTER, LINT0, LINT1, ERROR, LVTS };

struct lapic {
    uint64_t base; /* IA32_APIC_BASE */
    uint32_t id, ldr, dfr, svr, esr, esr_pending, icr[2], lvt[LVTS];
    uint32_t initial_count, divide;
    uint8_t tpr;
    uint32_t isr[8], tmr[8], irr[8];
    bool line[2];        /* LINT0, LINT1 */
    bool extint;         /* an ExtINT message waits */
    bool intr;           /* what the CPU was last told */
    bool reporting;      /* in error(): an error LVT must not report itself */
    uint64_t started_ns; /* when the count was loaded */
    uint64_t deadline_tsc;
    struct timer timer;
    struct region mmio;
};

/* lapic.c: the LVT entry's interrupt happens. */
void lapic_local_interrupt(struct device *dev, enum lvt n);

/* lapic_timer.c. ---------------------------------------------------------- */

/* Nanoseconds a count, from the divide configuration register. */
uint64_t lapic_timer_tick_ns(const struct lapic *s);
bool lapic_deadline_mode(const struct lapic *s);
/* What the current count register reads. */
uint32_t lapic_timer_count(struct device *dev);
/* Arms the clock timer for the next moment at which the count reaches 0. */
void lapic_timer_arm(struct device *dev);
/* The clock timer's function; ctx is the device. */
void lapic_timer_expire(void *ctx);

#endif
