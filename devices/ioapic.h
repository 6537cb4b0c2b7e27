/*
 * The I/O APIC: 24 interrupt pins, each with an entry that says which local
 * APIC hears of it, and how.
 */
#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

#include "emu/device.h"

#include <stdint.h>

struct apic_message;

extern const struct device_class ioapic_class;

#define IOAPIC_PINS 24

/* Bank. MMIO: 4 KiB at 0xFEC00000. Input lines: the pins 0 to 23, high =
 * asserted. */
enum { IOAPIC_MMIO };

struct ioapic_config {
    void *ctx;
    /* Puts a message on the APIC bus. May be NULL (nobody listens). */
    void (*deliver)(void *ctx, const struct apic_message *message);
};

/* A local APIC's EOI broadcast: level-triggered pins with this vector may
 * interrupt again, and do when they are still asserted. */
void ioapic_eoi(struct device *dev, uint8_t vector);

#endif
