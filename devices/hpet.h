/*
 * The High Precision Event Timer: a 64-bit counter and three comparators.
 */
#ifndef DEVICES_HPET_H
#define DEVICES_HPET_H

#include "emu/device.h"

#include <stdint.h>

extern const struct device_class hpet_class;

/* Bank. MMIO: 1 KiB at 0xFED00000. */
enum { HPET_MMIO };

#define HPET_TIMERS 3
/* The counter's tick. */
#define HPET_PERIOD_NS 10u

/* Output wires: 0 to 23 are IOAPIC pins; with legacy replacement on, LEGACY is
 * high and timers 0 and 1 use IRQ0 and IRQ8 in the place of PIT and RTC. */
enum { HPET_OUT_IRQ0 = 24, HPET_OUT_IRQ8 = 25, HPET_OUT_LEGACY = 26 };

struct hpet_config {
    uint32_t routes; /* Tn_INT_ROUTE_CAP: which IOAPIC pins are wired */
};

#endif
