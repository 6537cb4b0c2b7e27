/*
 * A debug console: one port whose bytes go to a chardev. Bochs has it at
 * 0xE9, SeaBIOS writes its messages to one at 0x402; see debugcon.c.
 */
#ifndef DEVICES_DEBUGCON_H
#define DEVICES_DEBUGCON_H

#include "emu/device.h"

extern const struct device_class debugcon_class;

enum {
    DEBUGCON_BANK = 0, /* one port */
};

/* What the port reads as: how software finds out that it is there. */
#define DEBUGCON_MAGIC 0xE9u

#endif
