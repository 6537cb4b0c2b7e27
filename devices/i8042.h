/*
 * Intel 8042 keyboard controller of a PS/2-style PC; see i8042.c.
 */
#ifndef DEVICES_I8042_H
#define DEVICES_I8042_H

#include "emu/device.h"

extern const struct device_class i8042_class;

enum {
    I8042_BANK_DATA = 0,    /* one port, 0x60 */
    I8042_BANK_COMMAND = 1, /* one port, 0x64 */
};

enum {
    I8042_OUT_IRQ1 = 0,  /* wire: keyboard data in the output buffer */
    I8042_OUT_IRQ12 = 1, /* wire: mouse data in the output buffer */
    I8042_OUT_A20 = 2,   /* wire: P21, high = A20 is not masked */
    I8042_OUT_RESET = 3, /* wire: rises when the guest pulls reset (P20) */
};

/* Input from the host, as struct input has it: i8042_key fits input.key with
 * the device as ctx, but for the type of the pointer. */
void i8042_key(struct device *dev, unsigned key, bool down);
/* `dz` grows as the wheel turns towards the user. */
void i8042_mouse(struct device *dev, int dx, int dy, int dz, unsigned buttons);

/* Is the Caps Lock (bit 2), Num Lock (1), Scroll Lock (0) light on? */
unsigned i8042_leds(const struct device *dev);

#endif
