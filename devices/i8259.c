/*
 * Intel 8259A programmable interrupt controller, one of the PC's two
 * (8259A data sheet 231468), with the edge/level control register of the
 * PIIX3 (82371SB data sheet, 2.5.3). In 8086 mode only.
 *
 * Modelled: ICW1 to ICW4, all OCWs, fixed, rotating and specific priority,
 * automatic EOI, special mask, special fully nested mode, poll, spurious IR7.
 *
 * An edge request lasts only as long as its line stays up: "the IR inputs
 * must remain high until after the falling edge of the first INTA". So a
 * device must not pulse its line up and down; it drives low, then high.
 *
 * Not modelled: MCS-80 vectors (ICW4.uPM = 0 behaves as 1), buffered mode,
 * cascades other than the PC's: the slave is always on IR2, whatever ICW3
 * says (as in a PIIX, where that is not programmable).
 *
 * Invariants: `highest` is 0 to 7; `intr` is the level last driven on INT;
 * nothing is delivered before the first complete ICW sequence.
 */
#include "devices/i8259.h"

#include <errno.h>

/* Which ICW the next write with A0 = 1 is. */
enum init_step { READY = 0, WANT_ICW2 = 2, WANT_ICW3 = 3, WANT_ICW4 = 4 };

enum {
    ICW1_IC4 = 0x01,
    ICW1_SNGL = 0x02,
    ICW1_LTIM = 0x08,
    ICW1_INIT = 0x10,
    ICW4_AEOI = 0x02,
    ICW4_SFNM = 0x10,
    OCW2_EOI = 0x20,
    OCW2_SL = 0x40,
    OCW2_R = 0x80,
    OCW3_SELECT = 0x08,
    OCW3_RIS = 0x01,
    OCW3_RR = 0x02,
    OCW3_P = 0x04,
    OCW3_SMM = 0x20,
    OCW3_ESMM = 0x40,
};

struct i8259 {
    uint8_t lines;   /* levels of IR7..IR0 */
    uint8_t latched; /* edges seen and not yet acknowledged */
    uint8_t isr, imr, elcr;
    uint8_t icw1, icw2, icw3, icw4;
    uint8_t init_step;
    uint8_t highest; /* the IR with the highest priority */
    bool programmed; /* a whole ICW sequence has been seen */
    bool special_mask;
    bool rotate_aeoi;
    bool read_isr;
    bool poll;
    bool intr;
};

static const struct field i8259_fields[] = {
    FIELD(i8259, lines, FIELD_U8),
    FIELD(i8259, latched, FIELD_U8),
    FIELD(i8259, isr, FIELD_U8),
    FIELD(i8259, imr, FIELD_U8),
    FIELD(i8259, elcr, FIELD_U8),
    FIELD(i8259, icw1, FIELD_U8),
    FIELD(i8259, icw2, FIELD_U8),
    FIELD(i8259, icw3, FIELD_U8),
    FIELD(i8259, icw4, FIELD_U8),
    FIELD(i8259, init_step, FIELD_U8),
    FIELD(i8259, highest, FIELD_U8),
    FIELD(i8259, programmed, FIELD_BOOL),
    FIELD(i8259, special_mask, FIELD_BOOL),
    FIELD(i8259, rotate_aeoi, FIELD_BOOL),
    FIELD(i8259, read_isr, FIELD_BOOL),
    FIELD(i8259, poll, FIELD_BOOL),
    FIELD(i8259, intr, FIELD_BOOL),
    FIELD_END,
};

static uint8_t bit(unsigned n)
{
    return (uint8_t)(1u << (n & 7));
}

static const struct i8259_config *config(const struct device *dev)
{
    return dev->config;
}

/* IRR: latched edges, and levels as they are now. */
static uint8_t requests(const struct device *dev)
{
    const struct i8259 *s = dev->state;
    uint8_t level = s->elcr;
    if (!config(dev)->elcr_mask && (s->icw1 & ICW1_LTIM))
        level = 0xFF;
    return (uint8_t)((s->latched & ~level) | (s->lines & level));
}

/* The set bit with the highest priority, as its distance from `highest`; 8
 * when there is none. */
static unsigned distance(const struct i8259 *s, uint8_t set)
{
    unsigned n = 0;
    while (n < 8 && !(set & bit(s->highest + n)))
        n++;
    return n;
}

/* The IR that INT stands for, or -1. */
static int winner(const struct device *dev)
{
    const struct i8259 *s = dev->state;
    if (!s->programmed || s->init_step != READY)
        return -1;
    unsigned asking = distance(s, (uint8_t)(requests(dev) & ~s->imr));
    if (asking == 8)
        return -1;
    uint8_t busy = s->isr;
    if (s->special_mask)
        busy &= (uint8_t)~s->imr;
    unsigned serving = distance(s, busy);
    unsigned ir = (s->highest + asking) & 7;
    /* Special fully nested: the slave in service may ask again. */
    bool again = asking == serving && (s->icw4 & ICW4_SFNM) &&
                 !config(dev)->slave && ir == I8259_CASCADE;
    return asking < serving || again ? (int)ir : -1;
}

static void drive(struct device *dev, bool level)
{
    struct i8259 *s = dev->state;
    if (s->intr != level) {
        s->intr = level;
        device_drive(dev, I8259_OUT_INT, level);
    }
}

static void update(struct device *dev)
{
    drive(dev, winner(dev) >= 0);
}

/* One chip's part in INTA: the IR that was taken; -1 when spurious. */
static int take(struct device *dev)
{
    struct i8259 *s = dev->state;
    int ir = winner(dev);
    if (ir >= 0) {
        s->latched &= (uint8_t)~bit((unsigned)ir);
        if (!(s->icw4 & ICW4_AEOI))
            s->isr |= bit((unsigned)ir);
        else if (s->rotate_aeoi)
            s->highest = (uint8_t)((ir + 1) & 7);
    }
    /* INT falls with INTA, so that a slave with more to say makes a new edge
     * on its master. */
    drive(dev, false);
    update(dev);
    return ir;
}

int i8259_acknowledge(struct device *master, struct device *slave)
{
    struct i8259 *m = master->state;
    int ir = take(master);
    if (ir == I8259_CASCADE && slave && !(m->icw1 & ICW1_SNGL)) {
        const struct i8259 *s = slave->state;
        int slave_ir = take(slave);
        return s->icw2 | (slave_ir < 0 ? 7 : slave_ir);
    }
    return m->icw2 | (ir < 0 ? 7 : ir);
}

bool i8259_pending(const struct device *dev)
{
    return winner(dev) >= 0;
}

static void start_init(struct device *dev, uint8_t icw1)
{
    struct i8259 *s = dev->state;
    s->icw1 = icw1;
    s->icw4 = 0;
    s->latched = 0; /* the edge sense circuit wants a new edge */
    s->isr = 0;
    s->imr = 0;
    s->highest = 0;
    s->special_mask = false;
    s->rotate_aeoi = false;
    s->read_isr = false;
    s->poll = false;
    s->init_step = WANT_ICW2;
}

static void write_ocw2(struct i8259 *s, uint8_t value)
{
    unsigned level = value & 7;
    if (!(value & OCW2_EOI)) {
        if ((value & OCW2_SL) && (value & OCW2_R))
            s->highest = (uint8_t)((level + 1) & 7); /* set priority */
        else if (!(value & OCW2_SL))
            s->rotate_aeoi = (value & OCW2_R) != 0;
        return;
    }
    if (!(value & OCW2_SL)) {
        uint8_t busy = s->isr;
        if (s->special_mask)
            busy &= (uint8_t)~s->imr;
        unsigned first = distance(s, busy);
        if (first == 8)
            return;
        level = (s->highest + first) & 7;
    }
    s->isr &= (uint8_t)~bit(level);
    if (value & OCW2_R)
        s->highest = (uint8_t)((level + 1) & 7);
}

static void write_ocw3(struct i8259 *s, uint8_t value)
{
    if (value & OCW3_ESMM)
        s->special_mask = (value & OCW3_SMM) != 0;
    if (value & OCW3_P)
        s->poll = true; /* overrides RR */
    else if (value & OCW3_RR)
        s->read_isr = (value & OCW3_RIS) != 0;
}

/* A0 = 1: the next ICW of a sequence, or OCW1. */
static void write_data(struct i8259 *s, uint8_t value)
{
    switch (s->init_step) {
    case WANT_ICW2:
        s->icw2 = value & 0xF8;
        if (!(s->icw1 & ICW1_SNGL))
            s->init_step = WANT_ICW3;
        else
            s->init_step = s->icw1 & ICW1_IC4 ? WANT_ICW4 : READY;
        break;
    case WANT_ICW3:
        s->icw3 = value;
        s->init_step = s->icw1 & ICW1_IC4 ? WANT_ICW4 : READY;
        break;
    case WANT_ICW4:
        s->icw4 = value;
        s->init_step = READY;
        break;
    default:
        s->imr = value;
        return;
    }
    if (s->init_step == READY)
        s->programmed = true;
}

static void i8259_write(struct device *dev, unsigned bank, uint64_t off,
                        uint64_t value, unsigned size)
{
    struct i8259 *s = dev->state;
    uint8_t v = (uint8_t)value;
    (void)size;
    if (bank == I8259_BANK_ELCR)
        s->elcr = v & config(dev)->elcr_mask;
    else if (off & 1)
        write_data(s, v);
    else if (v & ICW1_INIT)
        start_init(dev, v);
    else if (v & OCW3_SELECT)
        write_ocw3(s, v);
    else
        write_ocw2(s, v);
    update(dev);
}

static uint64_t i8259_read(struct device *dev, unsigned bank, uint64_t off,
                           unsigned size)
{
    struct i8259 *s = dev->state;
    (void)size;
    if (bank == I8259_BANK_ELCR)
        return s->elcr;
    if (s->poll) {
        s->poll = false;
        int ir = take(dev);
        return ir < 0 ? 0 : 0x80u | (unsigned)ir;
    }
    if (off & 1)
        return s->imr;
    return s->read_isr ? s->isr : requests(dev);
}

static void i8259_line(struct device *dev, unsigned n, bool level)
{
    struct i8259 *s = dev->state;
    if (n > 7)
        return;
    uint8_t mask = bit(n);
    if (level && !(s->lines & mask)) {
        s->lines |= mask;
        s->latched |= mask;
    } else if (!level) {
        s->lines &= (uint8_t)~mask;
        s->latched &= (uint8_t)~mask;
    }
    update(dev);
}

static int i8259_init(struct device *dev)
{
    return dev->config ? 0 : -EINVAL;
}

static void i8259_reset(struct device *dev)
{
    struct i8259 *s = dev->state;
    /* The lines are other chips' outputs: they stay as they are. */
    *s = (struct i8259){.lines = s->lines, .intr = s->intr};
    update(dev);
}

static int i8259_loaded(struct device *dev)
{
    struct i8259 *s = dev->state;
    bool ok = s->highest <= 7 && s->init_step <= WANT_ICW4 &&
              s->init_step != 1 && !(s->elcr & ~config(dev)->elcr_mask) &&
              !(s->icw2 & 7);
    return ok ? 0 : -EINVAL;
}

const struct device_class i8259_class = {
    .name = "i8259",
    .description = "programmable interrupt controller",
    .state_size = sizeof(struct i8259),
    .fields = i8259_fields,
    .max_access = 1,
    .init = i8259_init,
    .reset = i8259_reset,
    .loaded = i8259_loaded,
    .read = i8259_read,
    .write = i8259_write,
    .line = i8259_line,
};
