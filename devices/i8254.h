/*
 * Intel 8254 programmable interval timer; see i8254.c.
 */
#ifndef DEVICES_I8254_H
#define DEVICES_I8254_H

#include "emu/device.h"

extern const struct device_class i8254_class;

#define I8254_HZ UINT64_C(1193182)
#define I8254_CHANNELS 3u

enum {
    I8254_BANK = 0, /* four ports, 0x40 to 0x43 */
};

enum {
    I8254_OUT_IRQ = 0, /* wire: OUT of counter 0, to IRQ0 */
};

enum {
    I8254_LINE_GATE0 = 0, /* lines 0 to 2 are the gates */
    I8254_LINE_GATE2 = 2,
};

/* The level of OUT `channel` (0 to 2; others read low) at this moment. */
bool i8254_out(struct device *dev, unsigned channel);
/* Drives GATE `channel`; port 0x61 bit 0 is gate 2 on a PC. */
void i8254_set_gate(struct device *dev, unsigned channel, bool level);

#endif
