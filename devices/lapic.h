/*
 * The local APIC: one a CPU. It takes messages from the IOAPIC and from other
 * CPUs, the PIC's INTR on LINT0 and NMI on LINT1, and drives its CPU's INTR.
 */
#ifndef DEVICES_LAPIC_H
#define DEVICES_LAPIC_H

#include "emu/device.h"
#include "emu/machine.h"

#include <stdbool.h>
#include <stdint.h>

extern const struct device_class lapic_class;

/* Bank. MMIO: 4 KiB; the device maps it itself, where IA32_APIC_BASE says. */
enum { LAPIC_MMIO };

/* Input lines: LINT0 is the PIC's INTR, LINT1 NMI. */
enum { LAPIC_LINT0, LAPIC_LINT1 };

/* SDM 3A 10.6.1, "delivery mode". */
enum apic_delivery {
    APIC_FIXED = 0, APIC_LOWEST = 1, APIC_SMI = 2, APIC_NMI = 4,
    APIC_INIT = 5, APIC_SIPI = 6, APIC_EXTINT = 7,
};

/* What travels on the APIC bus. */
struct apic_message {
    uint8_t destination; /* an APIC ID or a logical mask; 0xFF is everyone */
    bool logical;
    uint8_t delivery; /* enum apic_delivery */
    uint8_t vector;
    bool level; /* level-triggered: EOI is broadcast */
};

/* All are called on the CPU thread; ctx is handed to each. Only intr must be
 * there. */
struct lapic_config {
    void *ctx;
    unsigned id;     /* initial APIC ID */
    bool bootstrap;  /* this is the bootstrap processor's */
    uint64_t tsc_hz; /* of the CPU's TSC; 0: no TSC-deadline mode */
    void (*intr)(void *ctx, bool level);
    void (*nmi)(void *ctx, bool level);
    void (*init)(void *ctx);                     /* INIT IPI for this CPU */
    void (*start_up)(void *ctx, uint8_t vector); /* SIPI for this CPU */
    int (*pic_acknowledge)(void *ctx);           /* the PIC's vector */
    void (*eoi)(void *ctx, uint8_t vector);      /* EOI broadcast */
    /* Puts a message on the bus (apic_bus_deliver). NULL: it is lost. */
    void (*send)(void *ctx, const struct apic_message *message);
    uint64_t (*tsc)(void *ctx); /* the CPU's TSC now */
};

/* The CPU's side (emu/machine.h). */
struct intc lapic_intc(struct device *dev);
/* IA32_TSC_DEADLINE (SDM 3A 10.5.4.1). Reads 0 and ignores writes outside
 * TSC-deadline mode. */
uint64_t lapic_get_tsc_deadline(struct device *dev);
void lapic_set_tsc_deadline(struct device *dev, uint64_t tsc);

/* Is this APIC one of the message's destinations? */
bool lapic_matches(struct device *dev, const struct apic_message *message);
/* Takes a message that matches. */
void lapic_accept(struct device *dev, const struct apic_message *message);
/* Delivers to every one of `count` APICs that matches, or to the one with the
 * lowest processor priority when the message asks for that. Returns how many
 * took it. */
unsigned apic_bus_deliver(struct device *const *lapics, unsigned count,
                          const struct apic_message *message);

#endif
