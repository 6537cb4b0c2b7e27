/*
 * A PS/2 mouse with a wheel: the far end of the 8042's second port. Not a
 * device of its own; i8042.c embeds one. See ps2_mouse.c.
 */
#ifndef DEVICES_PS2_MOUSE_H
#define DEVICES_PS2_MOUSE_H

#include <stdbool.h>
#include <stdint.h>

#define PS2_MOUSE_QUEUE 16u /* a power of two: some replies, some packets */

struct ps2_mouse {
    bool reporting;     /* F4/F5, in stream mode */
    bool remote;        /* F0: packets only when EB asks */
    bool wrap;          /* EE: echo everything */
    bool scaling;       /* E7: 2:1 */
    uint8_t id;         /* 0 standard, 3 IntelliMouse (packets of 4 bytes) */
    uint8_t rate;       /* samples a second, as F3 set it */
    uint8_t resolution; /* 0 to 3: 1, 2, 4, 8 counts a millimetre */
    uint8_t knock;      /* how much of 200, 100, 80 has been seen */
    uint8_t command;    /* waiting for this command's argument, or 0 */
    uint8_t last;       /* last byte sent, for FE */
    uint8_t buttons;    /* 1 left, 2 right, 4 middle */
    bool changed;       /* buttons differ from the last packet */
    int32_t dx, dy, dz; /* not yet reported; y and wheel grow downwards */
    uint8_t queue[PS2_MOUSE_QUEUE];
    uint32_t head, count;
};

void ps2_mouse_reset(struct ps2_mouse *mouse);
/* A byte from the host: a command, or a command's argument. */
void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t value);
/* Takes the next byte for the host; makes a packet of what has moved when
 * nothing is queued. False: there is none. */
bool ps2_mouse_read(struct ps2_mouse *mouse, uint8_t *value);
bool ps2_mouse_has_data(const struct ps2_mouse *mouse);
/* Movement and buttons, as in struct input. `dz` grows as the wheel turns
 * towards the user (downwards on a page). */
void ps2_mouse_move(struct ps2_mouse *mouse, int dx, int dy, int dz,
                    unsigned buttons);
/* Can this state be (after a snapshot was loaded)? */
bool ps2_mouse_valid(const struct ps2_mouse *mouse);

#endif
