/*
 * Intel 8259A programmable interrupt controller; see i8259.c.
 */
#ifndef DEVICES_I8259_H
#define DEVICES_I8259_H

#include "emu/device.h"

extern const struct device_class i8259_class;

enum {
    I8259_BANK_COMMAND = 0, /* two ports, A0 = 0 and 1: 0x20/0x21, 0xA0/0xA1 */
    I8259_BANK_ELCR = 1,    /* one port, edge/level control: 0x4D0, 0x4D1 */
};

enum {
    I8259_LINE_IR0 = 0, /* lines 0 to 7 are IR0 to IR7 */
    I8259_CASCADE = 2,  /* the IR of the master that the slave's INT drives */
};

enum {
    I8259_OUT_INT = 0, /* wire: INT, active high */
};

/* Required: which of the PC's two controllers this is. */
struct i8259_config {
    bool slave;
    /* Bits of the ELCR that can be set: 0xF8 master, 0xDE slave in a PIIX.
     * Not 0 also disables ICW1.LTIM, as the PIIX does; 0 is a bare 8259A. */
    uint8_t elcr_mask;
};

/*
 * What the INTA cycles do: moves the highest request from IRR to ISR and
 * returns its vector (0 to 255). `slave` may be NULL. With nothing to deliver
 * it is the spurious IR7 of the chip that was asked (8259A p. 17).
 */
int i8259_acknowledge(struct device *master, struct device *slave);

/* Is INT up? For tests and boards that poll. */
bool i8259_pending(const struct device *dev);

#endif
