/*
 * A PS/2 keyboard: the far end of the 8042's first port. Not a device of its
 * own; i8042.c embeds one. See ps2_keyboard.c.
 */
#ifndef DEVICES_PS2_KEYBOARD_H
#define DEVICES_PS2_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

#define PS2_KEY_QUEUE 256u /* a power of two */
#define PS2_REPLY_QUEUE 8u /* a power of two, longer than any reply */

struct ps2_keyboard {
    uint8_t set;        /* scan code set in use: 1 to 3 */
    bool scanning;      /* F4/F5: keys are reported */
    uint8_t leds;       /* as the last ED said: scroll, num, caps lock */
    uint8_t rate;       /* typematic rate and delay, stored only */
    uint8_t command;    /* waiting for this command's argument, or 0 */
    uint8_t last;       /* last byte sent, for FE (resend) */
    bool overrun;       /* keys were lost and the host was told so */
    bool alt, ctrl;     /* held: they change PrtSc and Pause */
    uint8_t down[32];   /* bit map of keys held, by set-1 code with KEY_E0 */
    uint8_t breaks[32]; /* set 3: bit map of codes that report their release */
    uint8_t keys[PS2_KEY_QUEUE];
    uint32_t key_head, key_count;
    uint8_t replies[PS2_REPLY_QUEUE];
    uint32_t reply_head, reply_count;
};

/* Power-on state: set 2, scanning, nothing queued. */
void ps2_keyboard_reset(struct ps2_keyboard *kbd);

/* A byte from the host: a command, or a command's argument. */
void ps2_keyboard_write(struct ps2_keyboard *kbd, uint8_t value);

/* Takes the next byte for the host, replies before keys. False: none. */
bool ps2_keyboard_read(struct ps2_keyboard *kbd, uint8_t *value);
bool ps2_keyboard_has_data(const struct ps2_keyboard *kbd);

/* A key went down or up. `key` is as emu/backend.h says; others are ignored.
 * A key that would not fit the queue is lost as a whole. */
void ps2_keyboard_key(struct ps2_keyboard *kbd, unsigned key, bool down);

/* What an 8042 with translation on makes of a set-2 byte (the break prefix
 * 0xF0 is the controller's business): IBM PS/2 technical reference. */
uint8_t ps2_translate(uint8_t set2);

/* Can this state be (after a snapshot was loaded)? */
bool ps2_keyboard_valid(const struct ps2_keyboard *kbd);

#endif
