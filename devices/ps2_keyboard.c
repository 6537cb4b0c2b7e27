/*
 * A PS/2 keyboard with 101 to 104 keys (IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard"): scan code sets 1, 2 and 3, all commands.
 *
 * Keys come in as set-1 codes. Set 2 is the 8042's translation table read
 * backwards, so that table is the only one for sets 1 and 2.
 *
 * Not modelled: typematic repeat (the host's own repeat arrives as repeated
 * presses), the shift codes that grey keys send around themselves with Num
 * Lock on, the time that a self-test takes.
 *
 * Invariants: set is 1 to 3; queues never overflow: a key sequence that does
 * not fit is dropped whole, so no prefix is left without its code.
 */
#include "devices/ps2_keyboard.h"

#include "emu/backend.h"

#include <stddef.h>
#include <string.h>

enum {
    ACK = 0xFA,
    RESEND = 0xFE,
    BAT_OK = 0xAA,
    BREAK = 0xF0,
    CMD_LEDS = 0xED,
    CMD_ECHO = 0xEE,
    CMD_SET = 0xF0,
    CMD_ID = 0xF2,
    CMD_RATE = 0xF3,
    CMD_ENABLE = 0xF4,
    CMD_DISABLE = 0xF5,
    CMD_DEFAULT = 0xF6,
    CMD_ALL_REPEAT = 0xF7,
    CMD_ALL_MAKE_BREAK = 0xF8,
    CMD_ALL_MAKE = 0xF9,
    CMD_ALL_REPEAT_BREAK = 0xFA,
    CMD_KEY_REPEAT = 0xFB,
    CMD_KEY_MAKE_BREAK = 0xFC,
    CMD_KEY_MAKE = 0xFD,
    CMD_RESEND = 0xFE,
    CMD_RESET = 0xFF,
};

/* Set-1 codes that matter here. */
enum {
    KEY_CTRL = 0x1D,
    KEY_ALT = 0x38,
    KEY_SYSRQ = 0x54,
    KEY_PRINT = KEY_E0 | 0x37,
    KEY_BREAK = KEY_E0 | 0x46,
};

#define SEQUENCE_MAX 8u

static const uint8_t translation[0x80] = {
    0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, /* 00 */
    0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29, 0x59, /* 08 */
    0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, /* 10 */
    0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11, 0x03, 0x5B, /* 18 */
    0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, /* 20 */
    0x68, 0x39, 0x2F, 0x21, 0x14, 0x13, 0x06, 0x5D, /* 28 */
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, /* 30 */
    0x6A, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5F, /* 38 */
    0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, /* 40 */
    0x6C, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0C, 0x61, /* 48 */
    0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, /* 50 */
    0x3A, 0x36, 0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76, /* 58 */
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, /* 60 */
    0x7C, 0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F, /* 68 */
    0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45, /* 70 */
    0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54, /* 78 */
};

/* Set 3 by set-1 code; the keys with an E0 prefix are listed below. */
static const uint8_t set3[0x59] = {
    [0x01] = 0x08, [0x02] = 0x16, [0x03] = 0x1E, [0x04] = 0x26, [0x05] = 0x25,
    [0x06] = 0x2E, [0x07] = 0x36, [0x08] = 0x3D, [0x09] = 0x3E, [0x0A] = 0x46,
    [0x0B] = 0x45, [0x0C] = 0x4E, [0x0D] = 0x55, [0x0E] = 0x66, [0x0F] = 0x0D,
    [0x10] = 0x15, [0x11] = 0x1D, [0x12] = 0x24, [0x13] = 0x2D, [0x14] = 0x2C,
    [0x15] = 0x35, [0x16] = 0x3C, [0x17] = 0x43, [0x18] = 0x44, [0x19] = 0x4D,
    [0x1A] = 0x54, [0x1B] = 0x5B, [0x1C] = 0x5A, [0x1D] = 0x11, [0x1E] = 0x1C,
    [0x1F] = 0x1B, [0x20] = 0x23, [0x21] = 0x2B, [0x22] = 0x34, [0x23] = 0x33,
    [0x24] = 0x3B, [0x25] = 0x42, [0x26] = 0x4B, [0x27] = 0x4C, [0x28] = 0x52,
    [0x29] = 0x0E, [0x2A] = 0x12, [0x2B] = 0x5C, [0x2C] = 0x1A, [0x2D] = 0x22,
    [0x2E] = 0x21, [0x2F] = 0x2A, [0x30] = 0x32, [0x31] = 0x31, [0x32] = 0x3A,
    [0x33] = 0x41, [0x34] = 0x49, [0x35] = 0x4A, [0x36] = 0x59, [0x37] = 0x7E,
    [0x38] = 0x19, [0x39] = 0x29, [0x3A] = 0x14, [0x3B] = 0x07, [0x3C] = 0x0F,
    [0x3D] = 0x17, [0x3E] = 0x1F, [0x3F] = 0x27, [0x40] = 0x2F, [0x41] = 0x37,
    [0x42] = 0x3F, [0x43] = 0x47, [0x44] = 0x4F, [0x45] = 0x76, [0x46] = 0x5F,
    [0x47] = 0x6C, [0x48] = 0x75, [0x49] = 0x7D, [0x4A] = 0x84, [0x4B] = 0x6B,
    [0x4C] = 0x73, [0x4D] = 0x74, [0x4E] = 0x7C, [0x4F] = 0x69, [0x50] = 0x72,
    [0x51] = 0x7A, [0x52] = 0x70, [0x53] = 0x71, [0x54] = 0x57, [0x56] = 0x13,
    [0x57] = 0x56, [0x58] = 0x5E,
};

static const struct {
    uint8_t set1, set3;
} set3_e0[] = {
    {0x1C, 0x79}, {0x1D, 0x58}, {0x35, 0x77}, {0x37, 0x57}, {0x38, 0x39},
    {0x46, 0x62}, {0x47, 0x6E}, {0x48, 0x63}, {0x49, 0x6F}, {0x4B, 0x61},
    {0x4D, 0x6A}, {0x4F, 0x65}, {0x50, 0x60}, {0x51, 0x6D}, {0x52, 0x67},
    {0x53, 0x64}, {0x5B, 0x8B}, {0x5C, 0x8C}, {0x5D, 0x8D},
};

/* Bytes of one key, gathered before any is queued. */
struct sequence {
    uint8_t byte[SEQUENCE_MAX];
    unsigned count;
};

uint8_t ps2_translate(uint8_t set2)
{
    if (set2 < 0x80)
        return translation[set2];
    /* F7 and SysRq lie above the table; the rest is not a key. */
    return set2 == 0x83 ? 0x41 : set2 == 0x84 ? 0x54 : set2;
}

/* Backwards; the later of two candidates is the one that keyboards send. 0:
 * no such key. */
static uint8_t set2_code(uint8_t set1)
{
    uint8_t code = 0x84;
    while (code && ps2_translate(code) != set1)
        code--;
    return code;
}

static uint8_t set3_code(unsigned key)
{
    uint8_t code = key & 0x7F;
    if (!(key & KEY_E0))
        return code < sizeof(set3) ? set3[code] : 0;
    for (size_t i = 0; i < sizeof(set3_e0) / sizeof(set3_e0[0]); i++) {
        if (set3_e0[i].set1 == code)
            return set3_e0[i].set3;
    }
    return 0;
}

static bool map_get(const uint8_t *map, unsigned n)
{
    return map[(n & 0xFF) / 8] >> (n % 8) & 1;
}

static void map_set(uint8_t *map, unsigned n, bool on)
{
    uint8_t mask = (uint8_t)(1u << (n % 8));
    if (on)
        map[(n & 0xFF) / 8] |= mask;
    else
        map[(n & 0xFF) / 8] &= (uint8_t)~mask;
}

static void add(struct sequence *seq, uint8_t byte)
{
    if (seq->count < SEQUENCE_MAX)
        seq->byte[seq->count++] = byte;
}

/* One key's make or break code in sets 1 and 2. */
static void add_code(struct sequence *seq, uint8_t set, unsigned key, bool down)
{
    uint8_t code = key & 0x7F;
    if (set == 2)
        code = set2_code(code);
    if (!code)
        return;
    if (key & KEY_E0)
        add(seq, 0xE0);
    if (set == 1) {
        add(seq, (uint8_t)(code | (down ? 0 : 0x80)));
    } else {
        if (!down)
            add(seq, BREAK);
        add(seq, code);
    }
}

static void queue_keys(struct ps2_keyboard *kbd, const struct sequence *seq)
{
    /* One place is kept for the overrun code. */
    if (kbd->key_count + seq->count >= PS2_KEY_QUEUE) {
        if (!kbd->overrun && kbd->key_count < PS2_KEY_QUEUE) {
            uint32_t at = (kbd->key_head + kbd->key_count) % PS2_KEY_QUEUE;
            kbd->keys[at] = kbd->set == 1 ? 0xFF : 0x00;
            kbd->key_count++;
        }
        kbd->overrun = true;
        return;
    }
    kbd->overrun = false;
    for (unsigned i = 0; i < seq->count; i++) {
        uint32_t at = (kbd->key_head + kbd->key_count) % PS2_KEY_QUEUE;
        kbd->keys[at] = seq->byte[i];
        kbd->key_count++;
    }
}

/* Pause has a make sequence and no break; in set 3 it is an ordinary key. */
static void add_pause(struct sequence *seq, const struct ps2_keyboard *kbd)
{
    if (kbd->ctrl) { /* that makes it Break, down and up at once */
        add_code(seq, kbd->set, KEY_BREAK, true);
        add_code(seq, kbd->set, KEY_BREAK, false);
        return;
    }
    /* E1 1D 45 E1 9D C5 in set 1: E1 instead of E0, twice two codes. */
    add(seq, 0xE1);
    add_code(seq, kbd->set, KEY_CTRL, true);
    add_code(seq, kbd->set, 0x45, true);
    add(seq, 0xE1);
    add_code(seq, kbd->set, KEY_CTRL, false);
    add_code(seq, kbd->set, 0x45, false);
}

static void add_print(struct sequence *seq, const struct ps2_keyboard *kbd,
                      bool down)
{
    if (kbd->alt) {
        add_code(seq, kbd->set, KEY_SYSRQ, down);
    } else if (down) { /* it brings its own shift */
        add_code(seq, kbd->set, KEY_E0 | 0x2A, true);
        add_code(seq, kbd->set, KEY_PRINT, true);
    } else {
        add_code(seq, kbd->set, KEY_PRINT, false);
        add_code(seq, kbd->set, KEY_E0 | 0x2A, false);
    }
}

void ps2_keyboard_key(struct ps2_keyboard *kbd, unsigned key, bool down)
{
    bool pause = key == KEY_PAUSE;
    if (!pause && (key > 0xFF || (key & 0x7F) == 0))
        return;
    unsigned held = pause ? KEY_BREAK : key;
    if (!down && !map_get(kbd->down, held))
        return; /* a key that was never pressed is not released */
    map_set(kbd->down, held, down);
    if ((key & 0x7F) == KEY_ALT)
        kbd->alt = down;
    if ((key & 0x7F) == KEY_CTRL)
        kbd->ctrl = down;
    if (!kbd->scanning)
        return;
    struct sequence seq = {.count = 0};
    if (kbd->set == 3) {
        uint8_t code = set3_code(held);
        if (!code || (!down && !map_get(kbd->breaks, code)))
            return;
        if (!down)
            add(&seq, BREAK);
        add(&seq, code);
    } else if (pause) {
        if (!down)
            return;
        add_pause(&seq, kbd);
    } else if (key == KEY_PRINT) {
        add_print(&seq, kbd, down);
    } else {
        add_code(&seq, kbd->set, key, down);
    }
    queue_keys(kbd, &seq);
}

static void reply(struct ps2_keyboard *kbd, uint8_t byte)
{
    if (kbd->reply_count == PS2_REPLY_QUEUE) {
        /* A host that never reads: the oldest byte gives way. */
        kbd->reply_head = (kbd->reply_head + 1) % PS2_REPLY_QUEUE;
        kbd->reply_count--;
    }
    uint32_t at = (kbd->reply_head + kbd->reply_count) % PS2_REPLY_QUEUE;
    kbd->replies[at] = byte;
    kbd->reply_count++;
}

/* F5, F6 and reset: the power-on defaults. */
static void defaults(struct ps2_keyboard *kbd)
{
    /* Set 3 reports the release of shift, control, alt and caps lock only. */
    static const uint8_t make_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};
    kbd->set = 2;
    kbd->rate = 0x2B;
    kbd->leds = 0;
    memset(kbd->breaks, 0, sizeof(kbd->breaks));
    for (size_t i = 0; i < sizeof(make_break); i++)
        map_set(kbd->breaks, make_break[i], true);
    kbd->key_count = 0;
}

void ps2_keyboard_reset(struct ps2_keyboard *kbd)
{
    memset(kbd, 0, sizeof(*kbd));
    kbd->scanning = true;
    kbd->last = BAT_OK;
    defaults(kbd);
}

static void write_argument(struct ps2_keyboard *kbd, uint8_t command,
                           uint8_t value)
{
    switch (command) {
    case CMD_LEDS:
        kbd->leds = value & 7;
        break;
    case CMD_RATE:
        kbd->rate = value & 0x7F;
        break;
    case CMD_SET:
        if (value > 3) {
            reply(kbd, RESEND);
            return;
        }
        reply(kbd, ACK);
        if (value == 0) {
            reply(kbd, kbd->set);
        } else {
            kbd->set = value;
            kbd->key_count = 0;
        }
        return;
    default: /* FB, FC, FD: types of one key, any number of times */
        map_set(kbd->breaks, value, command == CMD_KEY_MAKE_BREAK);
        kbd->command = command;
        break;
    }
    reply(kbd, ACK);
}

static void write_command(struct ps2_keyboard *kbd, uint8_t value)
{
    switch (value) {
    case CMD_ECHO:
        reply(kbd, CMD_ECHO);
        return;
    case CMD_RESEND:
        reply(kbd, kbd->last);
        return;
    case CMD_LEDS:
    case CMD_RATE:
    case CMD_SET:
    case CMD_KEY_REPEAT:
    case CMD_KEY_MAKE_BREAK:
    case CMD_KEY_MAKE:
        kbd->command = value;
        break;
    case CMD_ID:
        reply(kbd, ACK);
        reply(kbd, 0xAB);
        reply(kbd, 0x83);
        return;
    case CMD_ENABLE:
        kbd->key_count = 0;
        kbd->scanning = true;
        break;
    case CMD_DISABLE:
        defaults(kbd);
        kbd->scanning = false;
        break;
    case CMD_DEFAULT:
        defaults(kbd);
        break;
    case CMD_ALL_REPEAT:
    case CMD_ALL_MAKE:
        memset(kbd->breaks, 0, sizeof(kbd->breaks));
        break;
    case CMD_ALL_MAKE_BREAK:
    case CMD_ALL_REPEAT_BREAK:
        memset(kbd->breaks, 0xFF, sizeof(kbd->breaks));
        break;
    case CMD_RESET:
        ps2_keyboard_reset(kbd);
        reply(kbd, ACK);
        reply(kbd, BAT_OK);
        return;
    default:
        reply(kbd, RESEND);
        return;
    }
    reply(kbd, ACK);
}

void ps2_keyboard_write(struct ps2_keyboard *kbd, uint8_t value)
{
    uint8_t command = kbd->command;
    kbd->command = 0;
    kbd->reply_count = 0; /* a new byte from the host aborts a reply */
    /* No argument is as high as a command: that one replaces it. */
    if (command && value < CMD_LEDS)
        write_argument(kbd, command, value);
    else
        write_command(kbd, value);
}

bool ps2_keyboard_has_data(const struct ps2_keyboard *kbd)
{
    return kbd->reply_count || kbd->key_count;
}

bool ps2_keyboard_read(struct ps2_keyboard *kbd, uint8_t *value)
{
    if (kbd->reply_count) {
        *value = kbd->replies[kbd->reply_head];
        kbd->reply_head = (kbd->reply_head + 1) % PS2_REPLY_QUEUE;
        kbd->reply_count--;
    } else if (kbd->key_count && !kbd->command) {
        *value = kbd->keys[kbd->key_head];
        kbd->key_head = (kbd->key_head + 1) % PS2_KEY_QUEUE;
        kbd->key_count--;
    } else {
        return false;
    }
    kbd->last = *value;
    return true;
}

bool ps2_keyboard_valid(const struct ps2_keyboard *kbd)
{
    return kbd->set >= 1 && kbd->set <= 3 && kbd->key_head < PS2_KEY_QUEUE &&
           kbd->key_count <= PS2_KEY_QUEUE &&
           kbd->reply_head < PS2_REPLY_QUEUE &&
           kbd->reply_count <= PS2_REPLY_QUEUE;
}
