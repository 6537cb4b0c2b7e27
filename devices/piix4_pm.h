/*
 * 82371AB (PIIX4) function 3: ACPI power management, the SMI command ports
 * and the SMBus host.
 */
#ifndef DEVICES_PIIX4_PM_H
#define DEVICES_PIIX4_PM_H

#include "devices/pci.h"
#include "emu/device.h"

#include <stdint.h>

extern const struct device_class piix4_pm_class;

/* Banks. PM (64 ports) and SMBUS (16 ports) the guest places through PCI
 * configuration space and the device maps itself. APM: 2 ports at 0xB2; GPE:
 * 4 ports at 0xAFE0; the board maps these. */
enum { PIIX4_PM_IO, PIIX4_PM_SMBUS, PIIX4_PM_APM, PIIX4_PM_GPE };

/* Where GPE0 is, and what the SMI command port takes; for the ACPI tables. */
#define PIIX4_PM_GPE0_BASE 0xAFE0u
#define PIIX4_PM_ACPI_ENABLE 0xF1u
#define PIIX4_PM_ACPI_DISABLE 0xF0u
#define PIIX4_PM_TIMER_HZ UINT64_C(3579545)

/* Output wires. SCI is level, high = asserted; SHUTDOWN is pulsed when the
 * guest enters S5. */
enum { PIIX4_PM_OUT_SCI, PIIX4_PM_OUT_SHUTDOWN };
/* Input lines: the power button's, high = pressed. */
enum { PIIX4_PM_LINE_POWER_BUTTON };

struct pci_function *piix4_pm_pci(struct device *dev);
/* Presses and releases the power button. */
void piix4_pm_power_button(struct device *dev);
/* Where the guest put the PM registers: a port, or 0 when they are off. */
uint16_t piix4_pm_base(struct device *dev);

#endif
