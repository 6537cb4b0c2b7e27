/*
 * 82371SB (PIIX3) function 0, the PCI-to-ISA bridge: steers the PCI interrupt
 * lines to ISA interrupts, and resets the system.
 */
#ifndef DEVICES_PIIX3_H
#define DEVICES_PIIX3_H

#include "devices/pci.h"
#include "emu/device.h"

extern const struct device_class piix3_class;

/* Bank. RCR: 1 port at 0xCF9, the reset control register. */
enum { PIIX3_RCR };

/* Output wires: 0 to 15 are ISA interrupts (level, active high); RESET is
 * pulsed when the guest asks for a system reset. */
enum { PIIX3_OUT_RESET = 16 };

/* The input line of a slot's INTx: pin 0 is INTA#. Level, high = asserted. */
#define PIIX3_INTX(SLOT, PIN) ((unsigned)(SLOT)*4u + (unsigned)(PIN))

/* Device 1, function 0; the board plugs it in. */
struct pci_function *piix3_pci(struct device *dev);

#endif
