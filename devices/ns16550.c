/*
 * National Semiconductor PC16550D UART with its 16-byte FIFOs (data sheet
 * TL/C/8652). The other end is dev->chardev.
 *
 * A byte that is written is sent at once, so THR and transmitter are always
 * empty and the transmit FIFO is never seen with anything in it. The transmit
 * interrupt keeps its rules: it is latched when THR becomes empty or when
 * IER.ETBEI is set while it is, and cleared by reading it from IIR or by
 * writing THR.
 *
 * Modem inputs are as of a connected terminal (CTS, DSR, DCD on, RI off), or
 * in loopback mode what MCR says.
 *
 * Not modelled: bit times (a divisor only decides the receive time-out),
 * framing and parity errors, sending breaks (LCR bit 6 is kept), DMA mode.
 *
 * Invariants: count <= depth, which is 16 or, without FIFO, 1; a received byte
 * that does not fit is lost and sets OE.
 */
#include "devices/ns16550.h"

#include <errno.h>

#define FIFO_BYTES 16u
#define BAUD_BASE 115200u

enum { RBR_THR = 0, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

enum {
    IER_RDI = 0x01, /* received data available, and time-out */
    IER_THRI = 0x02,
    IER_RLSI = 0x04,
    IER_MSI = 0x08,
    IIR_NONE = 0x01,
    IIR_MSI = 0x00,
    IIR_THRI = 0x02,
    IIR_RDI = 0x04,
    IIR_RLSI = 0x06,
    IIR_TIMEOUT = 0x0C,
    IIR_FIFO = 0xC0,
    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    FCR_KEPT = 0xC9,
    LCR_DLAB = 0x80,
    LCR_PARITY = 0x08,
    LCR_STOP = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,
    LSR_DR = 0x01,
    LSR_OE = 0x02,
    LSR_ERRORS = 0x1E, /* OE PE FE BI */
    LSR_EMPTY = 0x60,  /* THRE, TEMT: always */
    MSR_DELTAS = 0x0F,
    MSR_RI = 0x40,
    MSR_CONNECTED = 0xB0, /* DCD, DSR, CTS */
};

struct ns16550 {
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint8_t dll, dlm;
    bool thri;      /* the transmit interrupt is latched */
    bool timed_out; /* bytes below the trigger level have waited too long */
    uint8_t fifo[FIFO_BYTES];
    uint32_t head, count;
    uint8_t rbr; /* last byte read: what an empty receiver reads as */
    bool irq;
    struct timer timer;
};

static const struct field ns16550_fields[] = {
    FIELD(ns16550, ier, FIELD_U8),
    FIELD(ns16550, fcr, FIELD_U8),
    FIELD(ns16550, lcr, FIELD_U8),
    FIELD(ns16550, mcr, FIELD_U8),
    FIELD(ns16550, lsr, FIELD_U8),
    FIELD(ns16550, msr, FIELD_U8),
    FIELD(ns16550, scr, FIELD_U8),
    FIELD(ns16550, dll, FIELD_U8),
    FIELD(ns16550, dlm, FIELD_U8),
    FIELD(ns16550, thri, FIELD_BOOL),
    FIELD(ns16550, timed_out, FIELD_BOOL),
    FIELD_ARRAY(ns16550, fifo, FIELD_U8, FIFO_BYTES),
    FIELD(ns16550, head, FIELD_U32),
    FIELD(ns16550, count, FIELD_U32),
    FIELD(ns16550, rbr, FIELD_U8),
    FIELD(ns16550, irq, FIELD_BOOL),
    FIELD(ns16550, timer, FIELD_TIMER),
    FIELD_END,
};

static bool fifo_on(const struct ns16550 *s)
{
    return s->fcr & FCR_ENABLE;
}

static unsigned depth(const struct ns16550 *s)
{
    return fifo_on(s) ? FIFO_BYTES : 1;
}

/* Bytes at which the receiver interrupts. */
static unsigned trigger(const struct ns16550 *s)
{
    static const uint8_t level[4] = {1, 4, 8, 14};
    return fifo_on(s) ? level[s->fcr >> 6] : 1;
}

/* Four character times: how long bytes may wait in the FIFO unnoticed. */
static uint64_t timeout_ns(const struct ns16550 *s)
{
    unsigned divisor = s->dll | (unsigned)s->dlm << 8;
    unsigned bits = 1 + 5 + (s->lcr & 3u) + 1 + (s->lcr & LCR_STOP ? 1 : 0) +
                    (s->lcr & LCR_PARITY ? 1 : 0);
    if (divisor == 0)
        divisor = 1;
    return 4 * bits * (uint64_t)divisor * NS_PER_SECOND / BAUD_BASE;
}

/* The pending interrupt with the highest priority, as IIR shows it. */
static uint8_t interrupt(const struct ns16550 *s)
{
    if ((s->ier & IER_RLSI) && (s->lsr & LSR_ERRORS))
        return IIR_RLSI;
    if ((s->ier & IER_RDI) && s->count >= trigger(s))
        return IIR_RDI;
    if ((s->ier & IER_RDI) && s->timed_out)
        return IIR_TIMEOUT;
    if ((s->ier & IER_THRI) && s->thri)
        return IIR_THRI;
    if ((s->ier & IER_MSI) && (s->msr & MSR_DELTAS))
        return IIR_MSI;
    return IIR_NONE;
}

static void update(struct device *dev)
{
    struct ns16550 *s = dev->state;
    const struct ns16550_config *config = dev->config;
    bool irq = interrupt(s) != IIR_NONE;
    /* In loopback the OUT2 pin is off, whatever MCR says. */
    if (config && config->out2_gates_irq &&
        (s->mcr & (MCR_OUT2 | MCR_LOOP)) != MCR_OUT2)
        irq = false;
    if (irq != s->irq) {
        s->irq = irq;
        device_drive(dev, NS16550_OUT_IRQ, irq);
    }
}

/* Starts the time-out again after the FIFO was touched. */
static void touch(struct device *dev)
{
    struct ns16550 *s = dev->state;
    s->timed_out = false;
    if (fifo_on(s) && s->count)
        timer_arm(&s->timer, clock_now_ns(dev->clock) + timeout_ns(s));
    else
        timer_disarm(&s->timer);
}

static void expire(void *ctx)
{
    struct device *dev = ctx;
    struct ns16550 *s = dev->state;
    s->timed_out = fifo_on(s) && s->count;
    update(dev);
}

static void take_byte(struct device *dev, uint8_t byte)
{
    struct ns16550 *s = dev->state;
    if (s->count < depth(s)) {
        s->fifo[(s->head + s->count) % FIFO_BYTES] = byte;
        s->count++;
    } else {
        s->lsr |= LSR_OE;
        /* With a FIFO the new byte is lost, without one the old byte. */
        if (!fifo_on(s))
            s->fifo[s->head] = byte;
    }
    touch(dev);
}

static void clear_receiver(struct device *dev)
{
    struct ns16550 *s = dev->state;
    s->head = s->count = 0;
    s->lsr &= (uint8_t)~LSR_ERRORS;
    touch(dev);
}

static size_t room(void *ctx)
{
    struct device *dev = ctx;
    const struct ns16550 *s = dev->state;
    /* In loopback the input pin is not connected: nothing is let in. */
    return s->mcr & MCR_LOOP ? 0 : depth(s) - s->count;
}

static void receive(void *ctx, const uint8_t *data, size_t size)
{
    struct device *dev = ctx;
    const struct ns16550 *s = dev->state;
    if (s->mcr & MCR_LOOP)
        return;
    for (size_t i = 0; i < size; i++)
        take_byte(dev, data[i]);
    update(dev);
}

/* Modem inputs changed, or MCR did: levels and deltas of MSR. */
static void update_msr(struct ns16550 *s)
{
    uint8_t levels = MSR_CONNECTED;
    /* Loopback: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD. */
    if (s->mcr & MCR_LOOP)
        levels = (uint8_t)((s->mcr & 0x0C) << 4 | (s->mcr & 2) << 3 |
                           (s->mcr & 1) << 5);
    uint8_t change = (uint8_t)((s->msr ^ levels) & 0xF0);
    if (levels & MSR_RI)
        change &= (uint8_t)~MSR_RI; /* only RI's end counts */
    s->msr = (uint8_t)(levels | (s->msr & MSR_DELTAS) | change >> 4);
}

static void transmit(struct device *dev, uint8_t byte)
{
    struct ns16550 *s = dev->state;
    if (s->mcr & MCR_LOOP)
        take_byte(dev, byte);
    else if (dev->chardev && dev->chardev->write)
        dev->chardev->write(dev->chardev, &byte, 1);
    s->thri = true; /* empty again */
}

static void write_ier(struct ns16550 *s, uint8_t value)
{
    if ((value & IER_THRI) && !(s->ier & IER_THRI))
        s->thri = true;
    s->ier = value & 0x0F;
}

static void write_fcr(struct device *dev, uint8_t value)
{
    struct ns16550 *s = dev->state;
    bool switched = (s->fcr ^ value) & FCR_ENABLE;
    /* The other bits can be written only together with the enable bit. */
    s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    if (switched || ((value & FCR_ENABLE) && (value & FCR_CLEAR_RX)))
        clear_receiver(dev);
}

static uint8_t read_rbr(struct device *dev)
{
    struct ns16550 *s = dev->state;
    if (s->count) {
        s->rbr = s->fifo[s->head];
        s->head = (s->head + 1) % FIFO_BYTES;
        s->count--;
        touch(dev);
    }
    return s->rbr;
}

static uint8_t read_iir(struct ns16550 *s)
{
    uint8_t v = interrupt(s);
    if (v == IIR_THRI)
        s->thri = false;
    return (uint8_t)(v | (fifo_on(s) ? IIR_FIFO : 0));
}

static uint8_t read_register(struct device *dev, unsigned reg)
{
    struct ns16550 *s = dev->state;
    bool dlab = (s->lcr & LCR_DLAB) != 0;
    uint8_t v;
    switch (reg) {
    case RBR_THR:
        return dlab ? s->dll : read_rbr(dev);
    case IER:
        return dlab ? s->dlm : s->ier;
    case IIR_FCR:
        return read_iir(s);
    case LCR:
        return s->lcr;
    case MCR:
        return s->mcr;
    case LSR:
        v = (uint8_t)(s->lsr | LSR_EMPTY | (s->count ? LSR_DR : 0));
        s->lsr &= (uint8_t)~LSR_ERRORS;
        return v;
    case MSR:
        v = s->msr;
        s->msr &= (uint8_t)~MSR_DELTAS;
        return v;
    default:
        return s->scr;
    }
}

static void write_register(struct device *dev, unsigned reg, uint8_t value)
{
    struct ns16550 *s = dev->state;
    bool dlab = (s->lcr & LCR_DLAB) != 0;
    switch (reg) {
    case RBR_THR:
        if (dlab) {
            s->dll = value;
            break;
        }
        s->thri = false;
        update(dev); /* the line falls before it rises again */
        transmit(dev, value);
        break;
    case IER:
        if (dlab)
            s->dlm = value;
        else
            write_ier(s, value);
        break;
    case IIR_FCR:
        write_fcr(dev, value);
        break;
    case LCR:
        s->lcr = value;
        break;
    case MCR:
        s->mcr = value & 0x1F;
        update_msr(s);
        break;
    case SCR:
        s->scr = value;
        break;
    default: /* LSR and MSR are for reading */
        break;
    }
}

static uint64_t ns16550_read(struct device *dev, unsigned bank, uint64_t off,
                             unsigned size)
{
    (void)bank;
    (void)size;
    uint8_t v = read_register(dev, off & 7);
    update(dev);
    return v;
}

static void ns16550_write(struct device *dev, unsigned bank, uint64_t off,
                          uint64_t value, unsigned size)
{
    (void)bank;
    (void)size;
    write_register(dev, off & 7, (uint8_t)value);
    update(dev);
}

static int ns16550_init(struct device *dev)
{
    struct ns16550 *s = dev->state;
    timer_init(&s->timer, dev->clock, dev->name, expire, dev);
    if (dev->chardev) {
        dev->chardev->room = room;
        dev->chardev->receive = receive;
        dev->chardev->ctx = dev;
    }
    return 0;
}

static void ns16550_reset(struct device *dev)
{
    struct ns16550 *s = dev->state;
    s->ier = s->fcr = s->lcr = s->mcr = s->lsr = s->scr = 0;
    s->dll = 12; /* undefined; 9600 baud, as QEMU has it */
    s->dlm = 0;
    s->msr = MSR_CONNECTED;
    s->thri = false;
    s->rbr = 0;
    clear_receiver(dev);
    update(dev);
}

static int ns16550_loaded(struct device *dev)
{
    const struct ns16550 *s = dev->state;
    return s->head < FIFO_BYTES && s->count <= depth(s) ? 0 : -EINVAL;
}

static void ns16550_fini(struct device *dev)
{
    struct ns16550 *s = dev->state;
    timer_fini(&s->timer);
}

const struct device_class ns16550_class = {
    .name = "ns16550",
    .description = "16550A serial port",
    .state_size = sizeof(struct ns16550),
    .fields = ns16550_fields,
    .max_access = 1,
    .init = ns16550_init,
    .reset = ns16550_reset,
    .loaded = ns16550_loaded,
    .fini = ns16550_fini,
    .read = ns16550_read,
    .write = ns16550_write,
};
