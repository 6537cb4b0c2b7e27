/*
 * The board's interrupt wiring: each ISA interrupt goes to both the PIC and
 * the IOAPIC, and may have several sources.
 */
#ifndef DEVICES_IRQ_FAN_H
#define DEVICES_IRQ_FAN_H

#include "emu/device.h"

extern const struct device_class irq_fan_class;

/* Input lines, all level, high = asserted: ISA + n is IRQ n of the ISA bus,
 * SHARED + n a second card on the same interrupt, STEERED + n what the PCI
 * bridge steers to IRQ n. The others are the HPET's: LEGACY high takes IRQ0
 * and IRQ8 from PIT and RTC and gives them to HPET_IRQ0 and HPET_IRQ8; PIN2 is
 * its own way to IOAPIC pin 2. */
enum { IRQ_FAN_ISA = 0, IRQ_FAN_STEERED = 16, IRQ_FAN_SHARED = 32,
       IRQ_FAN_HPET_IRQ0 = 48, IRQ_FAN_HPET_IRQ8, IRQ_FAN_HPET_LEGACY,
       IRQ_FAN_HPET_PIN2, IRQ_FAN_LINES };

/* Output wires: PIC + n is the PIC pair's input n, IOAPIC + n is the IOAPIC's
 * pin n (n = 0 to 15; IRQ0 comes out at IOAPIC pin 2, pin 0 never). */
enum { IRQ_FAN_OUT_PIC = 0, IRQ_FAN_OUT_IOAPIC = 16 };

#endif
