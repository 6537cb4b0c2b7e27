/*
 * Intel 8237A DMA controller (data sheet 231466), one of a PC's two, and the
 * page registers that give it addresses above 64 KiB.
 *
 * The 16-bit controller counts words: its address register is bits 16:1 of
 * the address, and bit 0 of the page is not used.
 *
 * A device hands over its bytes with i8237_transfer(), which stops at terminal
 * count. Then the channel masks itself, or reloads when in autoinitialise
 * mode, so that the next call starts over.
 *
 * Not modelled: memory-to-memory transfers, software requests (both bits of
 * state are kept), timing, priorities, extended writes; the cascade of the
 * first controller through channel 4.
 *
 * Invariants: an address never leaves its 64 Ki units: the page does not
 * count.
 */
#include "devices/i8237.h"

#include <errno.h>
#include <string.h>

enum {
    REG_STATUS = 8, /* write: command */
    REG_REQUEST,
    REG_MASK,
    REG_MODE,
    REG_FLIP_FLOP,
    REG_TEMPORARY, /* write: master clear */
    REG_CLEAR_MASK,
    REG_ALL_MASK,
};

enum {
    COMMAND_DISABLE = 0x04,
    MODE_TYPE = 0x0C,
    MODE_VERIFY = 0x00,
    MODE_TO_MEMORY = 0x04,
    MODE_FROM_MEMORY = 0x08,
    MODE_AUTOINIT = 0x10,
    MODE_DECREMENT = 0x20,
    MODE_CASCADE = 0xC0,
};

#define PAGES 16u

struct channel {
    uint16_t base_address, base_count;
    uint16_t address, count;
    uint8_t mode;
    bool tc; /* the last transfer ended with terminal count */
};

struct i8237 {
    struct channel channel[I8237_CHANNELS];
    uint8_t page[PAGES]; /* by port - 0x80 */
    uint8_t command, mask, request, dreq;
    uint8_t reached; /* status bits 3:0: terminal counts since last read */
    bool high;       /* the byte pointer flip-flop */
};

#define CHANNEL_FIELDS(N)                                                      \
    FIELD(i8237, channel[N].base_address, FIELD_U16),                          \
        FIELD(i8237, channel[N].base_count, FIELD_U16),                        \
        FIELD(i8237, channel[N].address, FIELD_U16),                           \
        FIELD(i8237, channel[N].count, FIELD_U16),                             \
        FIELD(i8237, channel[N].mode, FIELD_U8),                               \
        FIELD(i8237, channel[N].tc, FIELD_BOOL)

static const struct field i8237_fields[] = {
    CHANNEL_FIELDS(0),
    CHANNEL_FIELDS(1),
    CHANNEL_FIELDS(2),
    CHANNEL_FIELDS(3),
    FIELD_ARRAY(i8237, page, FIELD_U8, PAGES),
    FIELD(i8237, command, FIELD_U8),
    FIELD(i8237, mask, FIELD_U8),
    FIELD(i8237, request, FIELD_U8),
    FIELD(i8237, dreq, FIELD_U8),
    FIELD(i8237, reached, FIELD_U8),
    FIELD(i8237, high, FIELD_BOOL),
    FIELD_END,
};

static const struct i8237_config *config(const struct device *dev)
{
    return dev->config;
}

static uint8_t page_of(const struct device *dev, unsigned channel)
{
    /* Where the PC/AT wired the page registers, by shift and channel. */
    static const uint8_t wiring[2][I8237_CHANNELS] = {
        {0x7, 0x3, 0x1, 0x2},
        {0xF, 0xB, 0x9, 0xA},
    };
    const struct device *owner = config(dev)->pages ? config(dev)->pages : dev;
    const struct i8237 *s = owner->state;
    return s->page[wiring[config(dev)->shift][channel]];
}

/* Where unit `address` of the channel lies in memory. */
static uint64_t physical(const struct device *dev, unsigned channel,
                         uint16_t address)
{
    unsigned shift = config(dev)->shift;
    uint64_t page = page_of(dev, channel);
    return (page & ~(uint64_t)shift) << 16 | (uint64_t)address << shift;
}

static void move(struct device *dev, uint64_t gpa, uint8_t *buf, size_t size,
                 unsigned type)
{
    if (type == MODE_TO_MEMORY)
        bus_write_block(dev->memory, gpa, buf, size);
    else if (type == MODE_FROM_MEMORY)
        bus_read_block(dev->memory, gpa, buf, size);
}

/* Terminal count: the count has gone from 0 to 0xFFFF. */
static void terminal_count(struct i8237 *s, unsigned n)
{
    struct channel *c = &s->channel[n];
    c->tc = true;
    s->reached |= (uint8_t)(1u << n);
    s->request &= (uint8_t) ~(1u << n);
    if (c->mode & MODE_AUTOINIT) {
        c->address = c->base_address;
        c->count = c->base_count;
    } else {
        s->mask |= (uint8_t)(1u << n);
    }
}

static bool may_transfer(const struct device *dev, unsigned n, bool to_memory)
{
    const struct i8237 *s = dev->state;
    const struct channel *c = &s->channel[n];
    unsigned type = c->mode & MODE_TYPE;
    if ((s->mask >> n & 1) || (s->command & COMMAND_DISABLE) ||
        (c->mode & MODE_CASCADE) == MODE_CASCADE)
        return false;
    if (type == MODE_VERIFY ||
        type == (to_memory ? MODE_TO_MEMORY : MODE_FROM_MEMORY))
        return true;
    log_line(dev->log, LOG_GUEST_ERRORS,
             "%s: channel %u has mode 0x%02x, wrong for this transfer\n",
             dev->name, n, c->mode);
    return false;
}

size_t i8237_transfer(struct device *dev, unsigned channel, void *buf,
                      size_t size, bool to_memory)
{
    struct i8237 *s = dev->state;
    unsigned shift = config(dev)->shift;
    if (channel >= I8237_CHANNELS)
        return 0;
    struct channel *c = &s->channel[channel];
    c->tc = false;
    if (!may_transfer(dev, channel, to_memory))
        return 0;
    bool down = (c->mode & MODE_DECREMENT) != 0;
    size_t units = size >> shift, done = 0;
    while (done < units && !c->tc) {
        /* As many as lie in a row: one downwards, or up to the wrap. */
        size_t run = down ? 1 : 0x10000u - c->address;
        if (run > units - done)
            run = units - done;
        if (run > c->count + (size_t)1)
            run = c->count + (size_t)1;
        move(dev, physical(dev, channel, c->address),
             (uint8_t *)buf + (done << shift), run << shift,
             c->mode & MODE_TYPE);
        done += run;
        c->address = (uint16_t)(c->address + (down ? (size_t)-1 : run));
        bool last = run == c->count + (size_t)1;
        c->count = (uint16_t)(c->count - run);
        if (last)
            terminal_count(s, channel);
    }
    return done << shift;
}

bool i8237_terminal_count(const struct device *dev, unsigned channel)
{
    const struct i8237 *s = dev->state;
    return channel < I8237_CHANNELS && s->channel[channel].tc;
}

/* Both bytes of a 16-bit register go through one port, low byte first. */
static void set_byte(struct i8237 *s, uint16_t *base, uint16_t *current,
                     uint8_t value)
{
    *base = (uint16_t)(s->high ? (*base & 0x00FF) | value << 8
                               : (*base & 0xFF00) | value);
    *current = *base;
    s->high = !s->high;
}

static void master_clear(struct i8237 *s)
{
    s->command = 0;
    s->reached = 0;
    s->request = 0;
    s->high = false;
    s->mask = 0xF;
}

static void write_register(struct device *dev, unsigned reg, uint8_t value)
{
    struct i8237 *s = dev->state;
    struct channel *c = &s->channel[reg < REG_STATUS ? reg / 2 : value & 3u];
    uint8_t bit = (uint8_t)(1u << (value & 3));
    switch (reg) {
    case REG_STATUS:
        if (value & 1)
            log_line(dev->log, LOG_UNIMP, "%s: memory to memory\n", dev->name);
        s->command = value;
        break;
    case REG_REQUEST:
        s->request =
            (uint8_t)(value & 4 ? s->request | bit : s->request & ~bit);
        break;
    case REG_MASK:
        s->mask = (uint8_t)(value & 4 ? s->mask | bit : s->mask & ~bit);
        break;
    case REG_MODE:
        c->mode = value & 0xFC;
        break;
    case REG_FLIP_FLOP:
        s->high = false;
        break;
    case REG_TEMPORARY:
        master_clear(s);
        break;
    case REG_CLEAR_MASK:
        s->mask = 0;
        break;
    case REG_ALL_MASK:
        s->mask = value & 0xF;
        break;
    default:
        if (reg & 1)
            set_byte(s, &c->base_count, &c->count, value);
        else
            set_byte(s, &c->base_address, &c->address, value);
        break;
    }
}

static uint8_t read_register(struct i8237 *s, unsigned reg)
{
    if (reg < REG_STATUS) {
        const struct channel *c = &s->channel[reg / 2];
        uint16_t v = reg & 1 ? c->count : c->address;
        bool high = s->high;
        s->high = !high;
        return (uint8_t)(high ? v >> 8 : v);
    }
    if (reg == REG_STATUS) {
        uint8_t v = (uint8_t)((s->dreq | s->request) << 4 | s->reached);
        s->reached = 0;
        return v;
    }
    /* The PIIX reads back the mask; elsewhere the bus floats low. */
    return reg == REG_ALL_MASK ? s->mask : 0;
}

static uint64_t i8237_read(struct device *dev, unsigned bank, uint64_t off,
                           unsigned size)
{
    struct i8237 *s = dev->state;
    (void)size;
    if (bank == I8237_BANK_PAGES)
        return s->page[(off + 1) % PAGES];
    return read_register(s, (unsigned)(off >> config(dev)->shift) & 15);
}

static void i8237_write(struct device *dev, unsigned bank, uint64_t off,
                        uint64_t value, unsigned size)
{
    struct i8237 *s = dev->state;
    (void)size;
    if (bank == I8237_BANK_PAGES)
        s->page[(off + 1) % PAGES] = (uint8_t)value;
    else
        write_register(dev, (unsigned)(off >> config(dev)->shift) & 15,
                       (uint8_t)value);
}

static void i8237_line(struct device *dev, unsigned n, bool level)
{
    struct i8237 *s = dev->state;
    if (n >= I8237_CHANNELS)
        return;
    uint8_t bit = (uint8_t)(1u << n);
    s->dreq = (uint8_t)(level ? s->dreq | bit : s->dreq & ~bit);
}

static int i8237_init(struct device *dev)
{
    return dev->config && config(dev)->shift <= 1 ? 0 : -EINVAL;
}

static void i8237_reset(struct device *dev)
{
    struct i8237 *s = dev->state;
    *s = (struct i8237){.dreq = s->dreq};
    master_clear(s);
}

static int i8237_loaded(struct device *dev)
{
    const struct i8237 *s = dev->state;
    bool ok =
        s->mask <= 15 && s->request <= 15 && s->dreq <= 15 && s->reached <= 15;
    return ok ? 0 : -EINVAL;
}

const struct device_class i8237_class = {
    .name = "i8237",
    .description = "DMA controller",
    .state_size = sizeof(struct i8237),
    .fields = i8237_fields,
    .max_access = 1,
    .init = i8237_init,
    .reset = i8237_reset,
    .loaded = i8237_loaded,
    .read = i8237_read,
    .write = i8237_write,
    .line = i8237_line,
};
