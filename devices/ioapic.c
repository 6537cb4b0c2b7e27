/*
 * 82093AA I/O APIC (Intel 290566-001), with the EOI register of later chips.
 *
 *     redirection entry
 *     63-56        16    15     14          13        12      11       10-8
 *     destination  mask  level  remote IRR  polarity  status  logical  delivery
 *
 * Invariants: remote IRR is set exactly while a level-triggered interrupt of
 * this pin waits for its EOI. An edge on a masked pin is lost.
 *
 * Not modelled: polarity (lines carry "asserted", not a voltage, as on QEMU's
 * pc, whose tables call every line active high); a busy APIC bus, so delivery
 * status reads idle; arbitration.
 */
#include "devices/ioapic.h"

#include "devices/lapic.h"

#define VERSION 0x20u
#define ENTRY_DELIVERY_STATUS (UINT64_C(1) << 12)
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define ENTRY_LEVEL (UINT64_C(1) << 15)
#define ENTRY_MASKED (UINT64_C(1) << 16)
#define ENTRY_WRITABLE                                                         \
    ((UINT64_C(0xFF) << 56) | ENTRY_MASKED | ENTRY_LEVEL | 0x2FFF)

/* Offsets of the visible registers. */
enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };
/* Indirect registers. */
enum { IOAPICID, IOAPICVER, IOAPICARB, IOREDTBL = 0x10 };

struct ioapic {
    uint8_t select;
    uint32_t id;
    uint32_t lines;
    uint64_t entry[IOAPIC_PINS];
};

static const struct field fields[] = {
    FIELD(ioapic, select, FIELD_U8),
    FIELD(ioapic, id, FIELD_U32),
    FIELD(ioapic, lines, FIELD_U32),
    FIELD_ARRAY(ioapic, entry, FIELD_U64, IOAPIC_PINS),
    FIELD_END,
};

/* SMI, NMI, INIT and ExtINT are edges whatever bit 15 says. */
static bool is_level(uint64_t entry)
{
    return (entry & ENTRY_LEVEL) != 0 && (entry >> 8 & 7) <= APIC_LOWEST;
}

static void deliver(struct device *dev, unsigned pin)
{
    struct ioapic *s = dev->state;
    const struct ioapic_config *config = dev->config;
    uint64_t entry = s->entry[pin];
    struct apic_message message = {
        .destination = (uint8_t)(entry >> 56),
        .logical = (entry >> 11 & 1) != 0,
        .delivery = entry >> 8 & 7,
        .vector = entry & 0xFF,
        .level = is_level(entry),
    };

    if (message.level)
        s->entry[pin] |= ENTRY_REMOTE_IRR;
    if (config && config->deliver)
        config->deliver(config->ctx, &message);
}

/* A level-triggered pin asks while it is asserted and owes no EOI. */
static void poll_level(struct device *dev, unsigned pin)
{
    const struct ioapic *s = dev->state;
    uint64_t entry = s->entry[pin];

    if ((s->lines >> pin & 1) && is_level(entry) &&
        !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)))
        deliver(dev, pin);
}

static void line(struct device *dev, unsigned n, bool level)
{
    struct ioapic *s = dev->state;
    bool rising;

    if (n >= IOAPIC_PINS)
        return;
    rising = level && !(s->lines >> n & 1);
    if (level)
        s->lines |= 1u << n;
    else
        s->lines &= ~(1u << n);
    if (is_level(s->entry[n]))
        poll_level(dev, n);
    else if (rising && !(s->entry[n] & ENTRY_MASKED))
        deliver(dev, n);
}

void ioapic_eoi(struct device *dev, uint8_t vector)
{
    struct ioapic *s = dev->state;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if (!(s->entry[pin] & ENTRY_REMOTE_IRR) ||
            (s->entry[pin] & 0xFF) != vector)
            continue;
        s->entry[pin] &= ~ENTRY_REMOTE_IRR;
        poll_level(dev, pin);
    }
}

static uint32_t read_window(const struct ioapic *s)
{
    unsigned n = s->select;

    if (n == IOAPICID || n == IOAPICARB)
        return s->id;
    if (n == IOAPICVER)
        return VERSION | (IOAPIC_PINS - 1) << 16;
    if (n < IOREDTBL || n >= IOREDTBL + 2 * IOAPIC_PINS)
        return 0;
    return (uint32_t)(s->entry[(n - IOREDTBL) / 2] >> (n & 1 ? 32 : 0));
}

static void write_window(struct device *dev, uint32_t value)
{
    struct ioapic *s = dev->state;
    unsigned n = s->select, pin = (n - IOREDTBL) / 2;
    uint64_t entry;

    if (n == IOAPICID)
        s->id = value & 0x0F000000u;
    if (n < IOREDTBL || n >= IOREDTBL + 2 * IOAPIC_PINS)
        return;
    entry = s->entry[pin];
    if (n & 1)
        entry = (entry & 0xFFFFFFFFu) | (uint64_t)value << 32;
    else
        entry = (entry & ~UINT64_C(0xFFFFFFFF)) | value;
    entry &= ENTRY_WRITABLE;
    /* Going over to edges gives up the EOI that was due: how an OS clears a
     * remote IRR that got stuck. */
    if (is_level(entry))
        entry |= s->entry[pin] & ENTRY_REMOTE_IRR;
    s->entry[pin] = entry;
    poll_level(dev, pin);
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    const struct ioapic *s = dev->state;
    uint32_t value;

    (void)bank;
    if ((off & 15) + size > 4)
        return 0;
    switch (off & 0xF0) {
    case IOREGSEL:
        value = s->select;
        break;
    case IOWIN:
        value = read_window(s);
        break;
    default:
        value = 0;
        break;
    }
    return value >> (off & 3) * 8;
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    struct ioapic *s = dev->state;

    (void)bank;
    switch (off & 0xFF) {
    case IOREGSEL:
        s->select = (uint8_t)value;
        break;
    case IOWIN:
        /* Parts of the window cannot be written (82093AA 3.0). */
        if (size == 4)
            write_window(dev, (uint32_t)value);
        break;
    case IOEOI:
        ioapic_eoi(dev, (uint8_t)value);
        break;
    default:
        break;
    }
}

static void reset(struct device *dev)
{
    struct ioapic *s = dev->state;

    s->select = 0;
    s->id = 0;
    for (unsigned i = 0; i < IOAPIC_PINS; i++)
        s->entry[i] = ENTRY_MASKED;
}

static int loaded(struct device *dev)
{
    struct ioapic *s = dev->state;

    s->lines &= (1u << IOAPIC_PINS) - 1;
    for (unsigned i = 0; i < IOAPIC_PINS; i++)
        s->entry[i] &= ENTRY_WRITABLE | ENTRY_REMOTE_IRR;
    return 0;
}

const struct device_class ioapic_class = {
    .name = "ioapic",
    .description = "82093AA I/O APIC",
    .state_size = sizeof(struct ioapic),
    .fields = fields,
    .max_access = 4,
    .reset = reset,
    .loaded = loaded,
    .read = read,
    .write = write,
    .line = line,
};
