/*
 * "isa_irqs": the solder between everything that interrupts and the two kinds
 * of interrupt controller (MultiProcessor Specification 3.6.2.3, symmetric
 * I/O mode). No chip: on a real board this is copper and a few gates.
 *
 * Invariants: an output is the OR of its sources and is driven only when that
 * changes, so that an edge goes out once; but for IOAPIC pin 2, see line().
 *
 * Not modelled: the IMCR (PIC and IOAPIC are always both connected).
 */
#include "devices/irq_fan.h"

#define PIN2 (1u << (IRQ_FAN_OUT_IOAPIC + 2))

struct irq_fan {
    uint64_t in;  /* a bit an input line */
    uint32_t out; /* a bit an output */
};

static const struct field fields[] = {
    FIELD(irq_fan, in, FIELD_U64),
    FIELD(irq_fan, out, FIELD_U32),
    FIELD_END,
};

static uint32_t outputs(uint64_t in)
{
    uint32_t isa = in & 0xFFFF, irqs, ioapic;

    if (in >> IRQ_FAN_HPET_LEGACY & 1) {
        isa &= ~0x101u;
        isa |= in >> IRQ_FAN_HPET_IRQ0 & 1;
        isa |= (uint32_t)(in >> IRQ_FAN_HPET_IRQ8 & 1) << 8;
    }
    /* IRQ2 is the cascade: nothing on the bus is called that. */
    irqs = (isa | (uint32_t)(in >> IRQ_FAN_STEERED & 0xFFFF) |
            (uint32_t)(in >> IRQ_FAN_SHARED & 0xFFFF)) &
           ~4u;
    ioapic = (irqs & ~1u) | (irqs & 1u) << 2 |
             (uint32_t)(in >> IRQ_FAN_HPET_PIN2 & 1) << 2;
    return irqs << IRQ_FAN_OUT_PIC | ioapic << IRQ_FAN_OUT_IOAPIC;
}

static void line(struct device *dev, unsigned n, bool level)
{
    struct irq_fan *s = dev->state;
    uint32_t now, changed;

    if (n >= IRQ_FAN_LINES)
        return;
    if (level)
        s->in |= UINT64_C(1) << n;
    else
        s->in &= ~(UINT64_C(1) << n);
    now = outputs(s->in);
    changed = now ^ s->out;
    /* The 8254 leaves IRQ 0 up between its edges, the HPET pulses: each of its
     * pulses is an edge of its own, as if the two were not ORed. */
    if (n == IRQ_FAN_HPET_PIN2 && level && !(changed & PIN2)) {
        device_drive(dev, IRQ_FAN_OUT_IOAPIC + 2, false);
        device_drive(dev, IRQ_FAN_OUT_IOAPIC + 2, true);
    }
    s->out = now;
    while (changed) {
        unsigned out = (unsigned)__builtin_ctz(changed);

        changed &= changed - 1;
        device_drive(dev, out, (now >> out & 1) != 0);
    }
}

static int loaded(struct device *dev)
{
    struct irq_fan *s = dev->state;

    s->in &= (UINT64_C(1) << IRQ_FAN_LINES) - 1;
    s->out = outputs(s->in);
    return 0;
}

const struct device_class irq_fan_class = {
    .name = "isa-irqs",
    .description = "interrupt wiring to PIC and IOAPIC",
    .state_size = sizeof(struct irq_fan),
    .fields = fields,
    .max_access = 1,
    .loaded = loaded,
    .line = line,
};
