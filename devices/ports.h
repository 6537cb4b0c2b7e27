/*
 * The odd ports of a PC/AT's board: system control ports A (0x92) and B
 * (0x61), and the POST code display (0x80); see ports.c.
 */
#ifndef DEVICES_PORTS_H
#define DEVICES_PORTS_H

#include "emu/device.h"

extern const struct device_class ports_class;

enum {
    PORTS_BANK_CONTROL_B = 0, /* one port, 0x61 */
    PORTS_BANK_CONTROL_A = 1, /* one port, 0x92 */
    PORTS_BANK_POST = 2,      /* 0x80 (and wherever else a ROM writes codes,
                                 0x190 say: every port is the same latch) */
};

enum {
    PORTS_OUT_A20 = 0,     /* wire: 0x92 bit 1 was written, this is its level */
    PORTS_OUT_RESET = 1,   /* wire: rises when 0x92 bit 0 does */
    PORTS_OUT_SPEAKER = 2, /* wire: 0x61 bit 1, speaker data enable */
};

/* Optional: without a timer, 0x61 has no gate 2 and OUT2 reads low. */
struct ports_config {
    struct device *pit; /* the i8254 behind port 0x61 */
};

/* The last POST code, and how many were written since the reset. */
uint8_t ports_post_code(const struct device *dev);
uint64_t ports_post_count(const struct device *dev);

#endif
