/*
 * A PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Mouse")
 * with Microsoft's IntelliMouse wheel, which a driver unlocks by setting the
 * sample rates 200, 100, 80 in a row.
 *
 * A packet is made only when the queue is empty; until then movement adds up.
 * So the queue never holds more than a reply or one packet, and a slow guest
 * sees fewer, larger movements, as with the real thing.
 *
 *   byte 0: YO XO YS XS 1 M R L    (overflow, sign, buttons)
 *   byte 1, 2: X, Y; Y grows upwards      byte 3: wheel (IntelliMouse)
 *
 * Not modelled: the sample rate (the 8042's serial line is the limit),
 * resolution, buttons 4 and 5.
 *
 * Invariants: |dx|, |dy|, |dz| <= PENDING_MAX; resolution <= 3.
 */
#include "devices/ps2_mouse.h"

#include <string.h>

#define PENDING_MAX 4096

enum {
    ACK = 0xFA,
    RESEND = 0xFE,
    ERROR = 0xFC,
    BAT_OK = 0xAA,
    CMD_SCALE_1 = 0xE6,
    CMD_SCALE_2 = 0xE7,
    CMD_RESOLUTION = 0xE8,
    CMD_STATUS = 0xE9,
    CMD_STREAM = 0xEA,
    CMD_READ = 0xEB,
    CMD_WRAP_OFF = 0xEC,
    CMD_WRAP_ON = 0xEE,
    CMD_REMOTE = 0xF0,
    CMD_ID = 0xF2,
    CMD_RATE = 0xF3,
    CMD_ENABLE = 0xF4,
    CMD_DISABLE = 0xF5,
    CMD_DEFAULT = 0xF6,
    CMD_RESEND = 0xFE,
    CMD_RESET = 0xFF,
};

static void push(struct ps2_mouse *mouse, uint8_t byte)
{
    if (mouse->count == PS2_MOUSE_QUEUE) {
        mouse->head = (mouse->head + 1) % PS2_MOUSE_QUEUE;
        mouse->count--;
    }
    mouse->queue[(mouse->head + mouse->count) % PS2_MOUSE_QUEUE] = byte;
    mouse->count++;
}

static void forget_movement(struct ps2_mouse *mouse)
{
    mouse->dx = mouse->dy = mouse->dz = 0;
    mouse->changed = false;
}

static void defaults(struct ps2_mouse *mouse)
{
    mouse->rate = 100;
    mouse->resolution = 2;
    mouse->scaling = false;
    mouse->remote = false;
    mouse->reporting = false;
    forget_movement(mouse);
}

void ps2_mouse_reset(struct ps2_mouse *mouse)
{
    memset(mouse, 0, sizeof(*mouse));
    mouse->last = BAT_OK;
    defaults(mouse);
}

static int32_t limit(int64_t n, int32_t low, int32_t high)
{
    return (int32_t)(n < low ? low : n > high ? high : n);
}

/* 2:1 scaling: small movements as they are, large ones doubled. */
static int32_t scale(int32_t n)
{
    static const uint8_t small[6] = {0, 1, 1, 3, 6, 9};
    int32_t size = n < 0 ? -n : n;
    int32_t scaled = size < 6 ? small[size] : 2 * size;
    return limit(n < 0 ? -scaled : scaled, -256, 255);
}

/* Takes what a packet's 9-bit field can carry out of `*n`. */
static int32_t take(int32_t *n, int32_t low, int32_t high)
{
    int32_t part = limit(*n, low, high);
    *n -= part;
    return part;
}

static void push_packet(struct ps2_mouse *mouse)
{
    int32_t x = take(&mouse->dx, -256, 255);
    int32_t y = -take(&mouse->dy, -255, 256);
    int32_t z = take(&mouse->dz, -8, 7);
    if (mouse->scaling && !mouse->remote) {
        x = scale(x);
        y = scale(y);
    }
    push(mouse, (uint8_t)((mouse->buttons & 7) | 8 | (x < 0 ? 0x10 : 0) |
                          (y < 0 ? 0x20 : 0)));
    push(mouse, (uint8_t)x);
    push(mouse, (uint8_t)y);
    if (mouse->id == 3)
        push(mouse, (uint8_t)z);
    mouse->changed = false;
}

static bool moved(const struct ps2_mouse *mouse)
{
    bool wheel = mouse->dz && mouse->id == 3;
    return mouse->dx || mouse->dy || wheel || mouse->changed;
}

static bool may_stream(const struct ps2_mouse *mouse)
{
    return mouse->reporting && !mouse->remote && !mouse->wrap &&
           !mouse->command;
}

void ps2_mouse_move(struct ps2_mouse *mouse, int dx, int dy, int dz,
                    unsigned buttons)
{
    buttons &= 7;
    if (buttons != mouse->buttons) {
        mouse->buttons = (uint8_t)buttons;
        mouse->changed = true;
    }
    if (!mouse->reporting && !mouse->remote) {
        forget_movement(mouse);
        return;
    }
    mouse->dx = limit((int64_t)mouse->dx + dx, -PENDING_MAX, PENDING_MAX);
    mouse->dy = limit((int64_t)mouse->dy + dy, -PENDING_MAX, PENDING_MAX);
    mouse->dz = limit((int64_t)mouse->dz + dz, -PENDING_MAX, PENDING_MAX);
}

static void push_status(struct ps2_mouse *mouse)
{
    /* Here left is bit 2 and right is bit 0. */
    unsigned b = mouse->buttons;
    push(mouse,
         (uint8_t)((mouse->remote ? 0x40 : 0) | (mouse->reporting ? 0x20 : 0) |
                   (mouse->scaling ? 0x10 : 0) | (b & 1) << 2 | (b & 4) >> 1 |
                   (b & 2) >> 1));
    push(mouse, mouse->resolution);
    push(mouse, mouse->rate);
}

static void set_rate(struct ps2_mouse *mouse, uint8_t rate)
{
    static const uint8_t knock[3] = {200, 100, 80};
    mouse->rate = rate;
    if (rate == knock[mouse->knock])
        mouse->knock++;
    else
        mouse->knock = rate == knock[0];
    if (mouse->knock == 3) {
        mouse->knock = 0;
        mouse->id = 3;
    }
}

static void write_argument(struct ps2_mouse *mouse, uint8_t command,
                           uint8_t value)
{
    if (command == CMD_RESOLUTION && value > 3) {
        push(mouse, ERROR);
        return;
    }
    if (command == CMD_RATE)
        set_rate(mouse, value);
    else
        mouse->resolution = value;
    push(mouse, ACK);
}

static void write_command(struct ps2_mouse *mouse, uint8_t value)
{
    switch (value) {
    case CMD_SCALE_1:
    case CMD_SCALE_2:
        mouse->scaling = value == CMD_SCALE_2;
        break;
    case CMD_RESOLUTION:
    case CMD_RATE:
        mouse->command = value;
        break;
    case CMD_STATUS:
        push(mouse, ACK);
        push_status(mouse);
        return;
    case CMD_STREAM:
    case CMD_REMOTE:
        mouse->remote = value == CMD_REMOTE;
        forget_movement(mouse);
        break;
    case CMD_READ:
        push(mouse, ACK);
        push_packet(mouse);
        return;
    case CMD_WRAP_OFF:
        mouse->wrap = false;
        break;
    case CMD_WRAP_ON:
        mouse->wrap = true;
        break;
    case CMD_ID:
        push(mouse, ACK);
        push(mouse, mouse->id);
        return;
    case CMD_ENABLE:
    case CMD_DISABLE:
        mouse->reporting = value == CMD_ENABLE;
        forget_movement(mouse);
        break;
    case CMD_DEFAULT:
        defaults(mouse);
        break;
    case CMD_RESEND:
        push(mouse, mouse->last);
        return;
    case CMD_RESET:
        ps2_mouse_reset(mouse);
        push(mouse, ACK);
        push(mouse, BAT_OK);
        push(mouse, 0); /* the id of a mouse without a wheel */
        return;
    default:
        push(mouse, RESEND);
        return;
    }
    push(mouse, ACK);
}

void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t value)
{
    uint8_t command = mouse->command;
    mouse->command = 0;
    mouse->count = 0; /* a byte from the host aborts what was being sent */
    if (mouse->wrap && value != CMD_RESET && value != CMD_WRAP_OFF)
        push(mouse, value);
    else if (command && value < CMD_SCALE_1)
        write_argument(mouse, command, value);
    else
        write_command(mouse, value);
}

bool ps2_mouse_has_data(const struct ps2_mouse *mouse)
{
    return mouse->count || (may_stream(mouse) && moved(mouse));
}

bool ps2_mouse_read(struct ps2_mouse *mouse, uint8_t *value)
{
    if (!mouse->count && may_stream(mouse) && moved(mouse))
        push_packet(mouse);
    if (!mouse->count)
        return false;
    *value = mouse->queue[mouse->head];
    mouse->head = (mouse->head + 1) % PS2_MOUSE_QUEUE;
    mouse->count--;
    mouse->last = *value;
    return true;
}

bool ps2_mouse_valid(const struct ps2_mouse *mouse)
{
    return mouse->head < PS2_MOUSE_QUEUE && mouse->count <= PS2_MOUSE_QUEUE &&
           mouse->knock < 3 && mouse->resolution <= 3 &&
           (mouse->id == 0 || mouse->id == 3) && mouse->dx >= -PENDING_MAX &&
           mouse->dx <= PENDING_MAX && mouse->dy >= -PENDING_MAX &&
           mouse->dy <= PENDING_MAX && mouse->dz >= -PENDING_MAX &&
           mouse->dz <= PENDING_MAX;
}
