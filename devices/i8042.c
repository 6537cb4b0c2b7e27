/*
 * Intel 8042 keyboard controller with a PS/2 keyboard and a PS/2 mouse (IBM
 * PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller").
 *
 *   status (0x64):  PERR TO MOBF INH A2 SYS IBF OBF
 *   command byte:   0 XLATE DISABLE2 DISABLE1 0 SYS INT2 INT1
 *   output port P2: DATA CLK IRQ12 IRQ1 - - A20 RESET#
 *
 * The controller's own answers and the first byte of a device's answer to a
 * command are in the output buffer at once. Every further byte comes over the
 * serial line, SERIAL_NS after the one before it was read; software that
 * reads port 0x60 twice for one interrupt gets the same byte twice.
 *
 * At reset the command byte is as a BIOS leaves it (interrupts and
 * translation on), for the sake of kernels that are loaded without one.
 *
 * Not modelled: IBF (a write is consumed at once), parity and time-out
 * errors, passwords, the keyboard lock, reading P1 as anything but idle.
 *
 * Invariants: at most one byte in the output buffer; IRQ1 and IRQ12 follow
 * OBF; answers wait in order in `answers`, which gives up its oldest.
 */
#include "devices/i8042.h"

#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"

#include <errno.h>

#define SERIAL_NS UINT64_C(400000)
#define RAM_BYTES 32u
#define ANSWERS 8u /* a power of two */

enum {
    STATUS_OBF = 0x01,
    STATUS_SYS = 0x04,
    STATUS_A2 = 0x08, /* the last write went to port 0x64 */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX = 0x20,
    MODE_INT1 = 0x01,
    MODE_INT2 = 0x02,
    MODE_SYS = 0x04,
    MODE_DISABLE1 = 0x10,
    MODE_DISABLE2 = 0x20,
    MODE_XLATE = 0x40,
    PORT_RESET = 0x01, /* active low */
    PORT_A20 = 0x02,
    PORT_IRQ1 = 0x10,
    PORT_IRQ12 = 0x20,
    PORT_IDLE = 0xCC,
    BREAK = 0xF0,
};

/* Who put a byte into the output buffer. */
enum source { FROM_KEYBOARD, FROM_MOUSE, FROM_CONTROLLER };

struct i8042 {
    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;
    uint8_t ram[RAM_BYTES]; /* byte 0 is the command byte */
    uint8_t data;           /* output buffer; stays after it was read */
    bool obf;
    bool aux;        /* the byte is the mouse's */
    bool a2, sys;    /* status bits */
    uint8_t port;    /* P2, RESET# and A20 only */
    uint8_t command; /* of port 0x64, waiting for a byte at 0x60, or 0 */
    bool prefix;     /* translation: an 0xF0 has been swallowed */
    uint8_t answers[ANSWERS];
    bool answer_aux[ANSWERS];
    uint32_t answer_head, answer_count;
    uint64_t ready_ns; /* when the serial line can deliver again */
    struct timer timer;
};

#define KBD(MEMBER, TYPE) FIELD(i8042, keyboard.MEMBER, TYPE)
#define MOUSE(MEMBER, TYPE) FIELD(i8042, mouse.MEMBER, TYPE)

static const struct field i8042_fields[] = {
    FIELD_ARRAY(i8042, ram, FIELD_U8, RAM_BYTES),
    FIELD(i8042, data, FIELD_U8),
    FIELD(i8042, obf, FIELD_BOOL),
    FIELD(i8042, aux, FIELD_BOOL),
    FIELD(i8042, a2, FIELD_BOOL),
    FIELD(i8042, sys, FIELD_BOOL),
    FIELD(i8042, port, FIELD_U8),
    FIELD(i8042, command, FIELD_U8),
    FIELD(i8042, prefix, FIELD_BOOL),
    FIELD_ARRAY(i8042, answers, FIELD_U8, ANSWERS),
    FIELD_ARRAY(i8042, answer_aux, FIELD_BOOL, ANSWERS),
    FIELD(i8042, answer_head, FIELD_U32),
    FIELD(i8042, answer_count, FIELD_U32),
    FIELD(i8042, ready_ns, FIELD_U64),
    FIELD(i8042, timer, FIELD_TIMER),
    KBD(set, FIELD_U8),
    KBD(scanning, FIELD_BOOL),
    KBD(leds, FIELD_U8),
    KBD(rate, FIELD_U8),
    KBD(command, FIELD_U8),
    KBD(last, FIELD_U8),
    KBD(overrun, FIELD_BOOL),
    KBD(alt, FIELD_BOOL),
    KBD(ctrl, FIELD_BOOL),
    FIELD_ARRAY(i8042, keyboard.down, FIELD_U8, 32),
    FIELD_ARRAY(i8042, keyboard.breaks, FIELD_U8, 32),
    FIELD_ARRAY(i8042, keyboard.keys, FIELD_U8, PS2_KEY_QUEUE),
    KBD(key_head, FIELD_U32),
    KBD(key_count, FIELD_U32),
    FIELD_ARRAY(i8042, keyboard.replies, FIELD_U8, PS2_REPLY_QUEUE),
    KBD(reply_head, FIELD_U32),
    KBD(reply_count, FIELD_U32),
    MOUSE(reporting, FIELD_BOOL),
    MOUSE(remote, FIELD_BOOL),
    MOUSE(wrap, FIELD_BOOL),
    MOUSE(scaling, FIELD_BOOL),
    MOUSE(id, FIELD_U8),
    MOUSE(rate, FIELD_U8),
    MOUSE(resolution, FIELD_U8),
    MOUSE(knock, FIELD_U8),
    MOUSE(command, FIELD_U8),
    MOUSE(last, FIELD_U8),
    MOUSE(buttons, FIELD_U8),
    MOUSE(changed, FIELD_BOOL),
    MOUSE(dx, FIELD_I32),
    MOUSE(dy, FIELD_I32),
    MOUSE(dz, FIELD_I32),
    FIELD_ARRAY(i8042, mouse.queue, FIELD_U8, PS2_MOUSE_QUEUE),
    MOUSE(head, FIELD_U32),
    MOUSE(count, FIELD_U32),
    FIELD_END,
};

static uint8_t mode(const struct i8042 *s)
{
    return s->ram[0];
}

static void drive_irqs(struct device *dev)
{
    const struct i8042 *s = dev->state;
    device_drive(dev, I8042_OUT_IRQ1,
                 s->obf && !s->aux && (mode(s) & MODE_INT1));
    device_drive(dev, I8042_OUT_IRQ12,
                 s->obf && s->aux && (mode(s) & MODE_INT2));
}

static void fill(struct device *dev, uint8_t value, bool aux)
{
    struct i8042 *s = dev->state;
    s->data = value;
    s->aux = aux;
    s->obf = true;
    drive_irqs(dev);
}

/* A keyboard byte as the guest is to see it; false when translation keeps
 * the byte (a break prefix) for later. */
static bool translate(struct i8042 *s, uint8_t *value)
{
    if (!(mode(s) & MODE_XLATE))
        return true;
    if (*value == BREAK) {
        s->prefix = true;
        return false;
    }
    *value = (uint8_t)(ps2_translate(*value) | (s->prefix ? 0x80 : 0));
    s->prefix = false;
    return true;
}

static bool keyboard_byte(struct i8042 *s, uint8_t *value)
{
    /* Bounded: every turn takes a byte from a bounded queue. */
    while (!(mode(s) & MODE_DISABLE1) &&
           ps2_keyboard_read(&s->keyboard, value)) {
        if (translate(s, value))
            return true;
    }
    return false;
}

/* Moves the next waiting byte into the output buffer, if it is free. */
static void pump(struct device *dev)
{
    struct i8042 *s = dev->state;
    uint8_t value;
    if (s->obf)
        return;
    if (s->answer_count) {
        uint32_t at = s->answer_head;
        s->answer_head = (at + 1) % ANSWERS;
        s->answer_count--;
        fill(dev, s->answers[at], s->answer_aux[at]);
        return;
    }
    bool kbd =
        !(mode(s) & MODE_DISABLE1) && ps2_keyboard_has_data(&s->keyboard);
    bool mouse = !(mode(s) & MODE_DISABLE2) && ps2_mouse_has_data(&s->mouse);
    if (!kbd && !mouse)
        return;
    if (clock_now_ns(dev->clock) < s->ready_ns) {
        timer_arm(&s->timer, s->ready_ns);
        return;
    }
    if (keyboard_byte(s, &value))
        fill(dev, value, false);
    else if (mouse && ps2_mouse_read(&s->mouse, &value))
        fill(dev, value, true);
}

static void expire(void *ctx)
{
    pump(ctx);
}

/* A byte of the controller's own. */
static void answer_from(struct device *dev, uint8_t value, bool aux)
{
    struct i8042 *s = dev->state;
    if (s->answer_count == ANSWERS) {
        s->answer_head = (s->answer_head + 1) % ANSWERS;
        s->answer_count--;
    }
    uint32_t at = (s->answer_head + s->answer_count) % ANSWERS;
    s->answers[at] = value;
    s->answer_aux[at] = aux;
    s->answer_count++;
    pump(dev);
}

static void answer(struct device *dev, uint8_t value)
{
    answer_from(dev, value, false);
}

static uint8_t output_port(const struct i8042 *s)
{
    return (uint8_t)(PORT_IDLE | s->port | (s->obf && !s->aux ? PORT_IRQ1 : 0) |
                     (s->obf && s->aux ? PORT_IRQ12 : 0));
}

static void pull_reset(struct device *dev)
{
    device_drive(dev, I8042_OUT_RESET, true);
    device_drive(dev, I8042_OUT_RESET, false);
}

static void set_output_port(struct device *dev, uint8_t value)
{
    struct i8042 *s = dev->state;
    s->port = value & (PORT_RESET | PORT_A20);
    device_drive(dev, I8042_OUT_A20, (value & PORT_A20) != 0);
    if (!(value & PORT_RESET)) {
        /* Held low it would hold the CPU in reset for ever; the board's
         * reset puts it right. */
        s->port |= PORT_RESET;
        pull_reset(dev);
    }
}

static void set_mode(struct device *dev, uint8_t value)
{
    struct i8042 *s = dev->state;
    s->ram[0] = value;
    if (!(value & MODE_XLATE))
        s->prefix = false;
    drive_irqs(dev);
    pump(dev); /* an interface may have been enabled */
}

static void set_a20(struct device *dev, bool on)
{
    struct i8042 *s = dev->state;
    set_output_port(dev,
                    (uint8_t)((s->port & ~PORT_A20) | (on ? PORT_A20 : 0)));
}

static void write_command(struct device *dev, uint8_t value)
{
    struct i8042 *s = dev->state;
    s->command = 0;
    if (value >= 0x20 && value <= 0x3F) {
        answer(dev, s->ram[value & 0x1F]);
        return;
    }
    if ((value >= 0x60 && value <= 0x7F) || (value >= 0xD1 && value <= 0xD4)) {
        s->command = value;
        return;
    }
    if (value >= 0xF0) { /* pulses the bits of P2 that are 0 */
        if (!(value & PORT_RESET))
            pull_reset(dev);
        return;
    }
    switch (value) {
    case 0xA4: /* is there a password? no */
        answer(dev, 0xF1);
        break;
    case 0xA7:
        set_mode(dev, mode(s) | MODE_DISABLE2);
        break;
    case 0xA8:
        set_mode(dev, mode(s) & (uint8_t)~MODE_DISABLE2);
        break;
    case 0xA9: /* test of the mouse port */
    case 0xAB: /* and of the keyboard port */
        answer(dev, 0x00);
        break;
    case 0xAA: /* self-test */
        s->sys = true;
        answer(dev, 0x55);
        break;
    case 0xAD:
        set_mode(dev, mode(s) | MODE_DISABLE1);
        break;
    case 0xAE:
        set_mode(dev, mode(s) & (uint8_t)~MODE_DISABLE1);
        break;
    case 0xC0: /* P1: not locked, nothing jumpered */
        answer(dev, 0x80);
        break;
    case 0xD0:
        answer(dev, output_port(s));
        break;
    case 0xDD:
    case 0xDF:
        set_a20(dev, value == 0xDF);
        break;
    case 0xE0: /* test inputs: both clocks idle */
        answer(dev, 0x00);
        break;
    default:
        log_line(dev->log, LOG_UNIMP, "%s: command 0x%02x\n", dev->name, value);
        break;
    }
}

static void write_data(struct device *dev, uint8_t value)
{
    struct i8042 *s = dev->state;
    uint8_t command = s->command;
    s->command = 0;
    switch (command) {
    case 0x60:
        s->sys = (value & MODE_SYS) != 0;
        set_mode(dev, value);
        return;
    case 0xD1:
        set_output_port(dev, value);
        return;
    case 0xD2:
        answer(dev, value);
        return;
    case 0xD3:
        answer_from(dev, value, true);
        return;
    case 0xD4: /* sending opens the line, and the answer comes at once */
        s->ram[0] &= (uint8_t)~MODE_DISABLE2;
        ps2_mouse_write(&s->mouse, value);
        break;
    case 0x00:
        s->ram[0] &= (uint8_t)~MODE_DISABLE1;
        s->prefix = false;
        ps2_keyboard_write(&s->keyboard, value);
        break;
    default:
        s->ram[command & 0x1F] = value;
        return;
    }
    s->ready_ns = clock_now_ns(dev->clock);
    pump(dev);
}

static void i8042_write(struct device *dev, unsigned bank, uint64_t off,
                        uint64_t value, unsigned size)
{
    struct i8042 *s = dev->state;
    (void)off;
    (void)size;
    s->a2 = bank == I8042_BANK_COMMAND;
    if (s->a2)
        write_command(dev, (uint8_t)value);
    else
        write_data(dev, (uint8_t)value);
}

static uint64_t i8042_read(struct device *dev, unsigned bank, uint64_t off,
                           unsigned size)
{
    struct i8042 *s = dev->state;
    (void)off;
    (void)size;
    if (bank == I8042_BANK_COMMAND)
        return (s->obf ? STATUS_OBF : 0u) | (s->sys ? STATUS_SYS : 0u) |
               (s->a2 ? STATUS_A2 : 0u) | STATUS_UNLOCKED |
               (s->obf && s->aux ? STATUS_AUX : 0u);
    uint8_t value = s->data;
    if (s->obf) {
        s->obf = false;
        drive_irqs(dev);
        s->ready_ns = clock_now_ns(dev->clock) + SERIAL_NS;
        pump(dev);
    }
    return value;
}

void i8042_key(struct device *dev, unsigned key, bool down)
{
    struct i8042 *s = dev->state;
    ps2_keyboard_key(&s->keyboard, key, down);
    pump(dev);
}

void i8042_mouse(struct device *dev, int dx, int dy, int dz, unsigned buttons)
{
    struct i8042 *s = dev->state;
    ps2_mouse_move(&s->mouse, dx, dy, dz, buttons);
    pump(dev);
}

unsigned i8042_leds(const struct device *dev)
{
    const struct i8042 *s = dev->state;
    return s->keyboard.leds;
}

static int i8042_init(struct device *dev)
{
    struct i8042 *s = dev->state;
    timer_init(&s->timer, dev->clock, "i8042.serial", expire, dev);
    ps2_keyboard_reset(&s->keyboard);
    ps2_mouse_reset(&s->mouse);
    return 0;
}

static void i8042_reset(struct device *dev)
{
    struct i8042 *s = dev->state;
    timer_disarm(&s->timer);
    ps2_keyboard_reset(&s->keyboard);
    ps2_mouse_reset(&s->mouse);
    for (unsigned i = 0; i < RAM_BYTES; i++)
        s->ram[i] = 0;
    s->ram[0] = MODE_INT1 | MODE_INT2 | MODE_XLATE;
    s->data = 0;
    s->obf = s->aux = s->a2 = s->sys = s->prefix = false;
    s->port = PORT_RESET | PORT_A20;
    s->command = 0;
    s->answer_head = s->answer_count = 0;
    s->ready_ns = 0;
    drive_irqs(dev);
    device_drive(dev, I8042_OUT_A20, true);
    device_drive(dev, I8042_OUT_RESET, false);
}

static int i8042_loaded(struct device *dev)
{
    const struct i8042 *s = dev->state;
    bool ok = s->answer_head < ANSWERS && s->answer_count <= ANSWERS &&
              ps2_keyboard_valid(&s->keyboard) && ps2_mouse_valid(&s->mouse);
    return ok ? 0 : -EINVAL;
}

static void i8042_fini(struct device *dev)
{
    struct i8042 *s = dev->state;
    timer_fini(&s->timer);
}

const struct device_class i8042_class = {
    .name = "i8042",
    .description = "keyboard controller with PS/2 keyboard and mouse",
    .state_size = sizeof(struct i8042),
    .fields = i8042_fields,
    .max_access = 1,
    .init = i8042_init,
    .reset = i8042_reset,
    .loaded = i8042_loaded,
    .fini = i8042_fini,
    .read = i8042_read,
    .write = i8042_write,
};
