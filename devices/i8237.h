/*
 * Intel 8237A DMA controller with a PC's page registers; see i8237.c.
 */
#ifndef DEVICES_I8237_H
#define DEVICES_I8237_H

#include "emu/device.h"

extern const struct device_class i8237_class;

#define I8237_CHANNELS 4u

enum {
    /* 16 registers, `1 << shift` ports apart: 0x00-0x0F or 0xC0-0xDF. */
    I8237_BANK_CONTROLLER = 0,
    /* 15 ports, 0x81 to 0x8F, on the 8-bit controller only. Port 0x80, the
     * first byte of this register file, is the POST port of ports.h. */
    I8237_BANK_PAGES = 1,
};

enum {
    I8237_LINE_DREQ0 = 0, /* lines 0 to 3: shown in the status register */
};

/* Required. */
struct i8237_config {
    /* 0: 8-bit transfers, channels 0 to 3; 1: 16-bit transfers, channels 4
     * to 7 (called 0 to 3 here), registers every second port. */
    unsigned shift;
    /* The i8237 that has the page registers; NULL: this one. */
    struct device *pages;
};

/*
 * Moves up to `size` bytes between `buf` and memory, as the channel (0 to 3
 * of this controller) is programmed, and returns how many it moved: fewer at
 * terminal count, 0 when the channel is masked, disabled, in cascade mode or
 * programmed for the other direction. `to_memory`: the device writes memory
 * (a floppy read). In verify mode the count runs and no memory is touched.
 * On the 16-bit controller an odd last byte stays.
 */
size_t i8237_transfer(struct device *dev, unsigned channel, void *buf,
                      size_t size, bool to_memory);

/* Did the channel's last transfer end with terminal count (the TC pin)? */
bool i8237_terminal_count(const struct device *dev, unsigned channel);

#endif
