/*
 * A port that ends the emulator with an exit status, for test kernels
 * (QEMU's isa-debug-exit); see debug_exit.c.
 */
#ifndef DEVICES_DEBUG_EXIT_H
#define DEVICES_DEBUG_EXIT_H

#include "emu/device.h"

extern const struct device_class debug_exit_class;

enum {
    DEBUG_EXIT_BANK = 0, /* iosize ports from iobase: 1, 2 or 4 */
};

enum {
    DEBUG_EXIT_OUT = 0, /* wire: rises when a status has been written */
};

/* The exit status asked for: (value << 1) | 1, so never 0; as a process
 * returns it, only its low 8 bits are seen. */
int debug_exit_status(const struct device *dev);

#endif
