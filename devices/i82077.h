/*
 * Intel 82077AA floppy disk controller with two drives, in AT mode.
 *
 * Drives: dev->drive[0] and [1]; NULL is no drive at all, a block without a
 * medium is an empty drive. Set them before device_init(); the device takes
 * over their `changed` callbacks. The format follows from the image's size.
 */
#ifndef DEVICES_I82077_H
#define DEVICES_I82077_H

#include "emu/device.h"

#include <stdbool.h>
#include <stddef.h>

/* Output 0: the interrupt, IRQ 6 on a PC. */
enum i82077_wire { I82077_WIRE_IRQ };

/* Banks. The gap is 0x3F6, which is the hard disk's. */
enum i82077_bank {
    I82077_BANK_LOW,  /* 0x3F0, 6 ports: SRA SRB DOR TDR MSR/DSR FIFO */
    I82077_BANK_HIGH, /* 0x3F7, 1 port: DIR / CCR */
};

/* dev->config; may be NULL, and then there is no DMA. */
struct i82077_config {
    /* Moves up to `size` bytes by DMA (channel 2 on a PC), to memory or from
     * it. Returns how many: fewer when the channel's count ran out, 0 when it
     * is masked or had already run out. */
    size_t (*dma)(void *ctx, void *buf, size_t size, bool to_memory);
    /* May be NULL: did the last transfer end on the channel's terminal count?
     * Without it, DMA that took every byte up to the command's last sector is
     * assumed to have ended there. */
    bool (*terminal_count)(void *ctx);
    void *ctx;
};

extern const struct device_class i82077_class;

/* What CMOS register 0x10 holds in a nibble for this drive: 0 none, 1 360K,
 * 2 1.2M, 3 720K, 4 1.44M (also for an empty drive), 5 2.88M. */
unsigned i82077_cmos_type(const struct block *drive);

#endif
