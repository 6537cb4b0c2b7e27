/*
 * National Semiconductor PC16550D UART; see ns16550.c.
 */
#ifndef DEVICES_NS16550_H
#define DEVICES_NS16550_H

#include "emu/device.h"

extern const struct device_class ns16550_class;

enum {
    NS16550_BANK = 0, /* eight ports: 0x3F8 or 0x2F8 */
};

enum {
    NS16550_OUT_IRQ = 0, /* wire: INTR, to IRQ4 or IRQ3 */
};

/* Optional: without it, all false. */
struct ns16550_config {
    /* MCR.OUT2 = 0 keeps the interrupt from the bus, as a real PC's serial
     * card does. QEMU does not, and kernels that were only ever run there
     * (xv6, JOS: they write 0 to MCR) get no interrupts with it. */
    bool out2_gates_irq;
};

#endif
