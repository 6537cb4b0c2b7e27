/*
 * Motorola MC146818A real-time clock with 128 bytes of CMOS RAM; see
 * mc146818.c.
 */
#ifndef DEVICES_MC146818_H
#define DEVICES_MC146818_H

#include "emu/device.h"

extern const struct device_class mc146818_class;

#define MC146818_BYTES 128u

enum {
    MC146818_BANK = 0, /* two ports: 0x70 index, 0x71 data */
};

enum {
    MC146818_OUT_IRQ = 0, /* wire: IRQ (active high here), to IRQ8 */
};

/* Puts a byte into the CMOS RAM (index 0x0E to 0x7F; others are ignored), as
 * the board's battery would have kept it: a reset does not change it. */
void mc146818_set_cmos(struct device *dev, unsigned index, uint8_t value);
/* What a guest would read there now, without the side effects of a read. */
uint8_t mc146818_get_cmos(struct device *dev, unsigned index);

/* Bit 7 of port 0x70: NMI is masked. */
bool mc146818_nmi_masked(const struct device *dev);

#endif
