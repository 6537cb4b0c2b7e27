/*
 * 82371SB PCI ISA IDE Xcelerator, function 0 (Intel 290550-002): PIRQ route
 * control (2.2.12) and reset control (2.6.3).
 *
 * A slot's four INTx pins reach the four PIRQ lines rotated by the slot
 * number, (slot - 1 + pin) mod 4, so that single-interrupt cards spread out.
 * Each PIRQRC then picks an ISA interrupt:
 *
 *        7        6-4   3-0
 *      disabled    0    IRQ (3 to 7, 9 to 12, 14, 15)
 *
 * Several functions and several PIRQs may share one interrupt: the output is
 * the OR of all of them. The IOAPIC hears PIRQs only as the ISA interrupts
 * that they are routed to, as on QEMU's pc.
 *
 * Not modelled: X-Bus chip selects, ISA timing and DMA buffering (the
 * registers store), SMI generation (PIIX4's function 3 has ports 0xB2/0xB3
 * here). The edge/level registers 0x4D0 are the interrupt controllers'.
 */
#include "devices/piix3.h"

#include <string.h>

#define PIRQS 4
#define VALID_IRQS 0xDEF8u /* 3-7, 9-12, 14, 15 */

enum { PIRQRCA = 0x60 };
enum { PIRQRC_DISABLED = 0x80 };
/* RCR: SRST chooses hard reset, RCPU's rise does it. */
enum { RCR_SRST = 2, RCR_RCPU = 4 };

struct piix3 {
    struct pci_function function;
    uint32_t asserted[PIRQS]; /* a bit a slot */
    uint16_t irqs;            /* outputs now high */
    uint8_t rcr;
};

static const struct field fields[] = {
    FIELD_ARRAY(piix3, function.config, FIELD_U8, 256),
    FIELD_ARRAY(piix3, asserted, FIELD_U32, PIRQS),
    FIELD(piix3, irqs, FIELD_U16),
    FIELD(piix3, rcr, FIELD_U8),
    FIELD_END,
};

static void update(struct device *dev)
{
    struct piix3 *s = dev->state;
    unsigned now = 0, changed;

    for (unsigned i = 0; i < PIRQS; i++) {
        uint8_t route = s->function.config[PIRQRCA + i];

        if (s->asserted[i] && !(route & PIRQRC_DISABLED))
            now |= 1u << (route & 15u) & VALID_IRQS;
    }
    changed = now ^ s->irqs;
    s->irqs = (uint16_t)now;
    for (unsigned irq = 0; irq < 16; irq++)
        if (changed >> irq & 1)
            device_drive(dev, irq, (now >> irq & 1) != 0);
}

static void config_written(struct pci_function *function, unsigned off,
                           unsigned size)
{
    if (off < PIRQRCA + PIRQS && off + size > PIRQRCA)
        update(function->dev);
}

static int init(struct device *dev)
{
    struct piix3 *s = dev->state;
    struct pci_function *f = &s->function;

    pci_init(f, dev, 0x8086, 0x7000, 0x0601, 0, 0, 0);
    f->config[PCI_HEADER_TYPE] = 0x80; /* functions 1 to 3 follow */
    pci_set16(f, PCI_STATUS, 0x0200);
    pci_set16(f, PCI_SUBSYSTEM_VENDOR, 0x1AF4);
    pci_set16(f, PCI_SUBSYSTEM, 0x1100);
    f->writable[PCI_COMMAND] = 0x08; /* special cycles; the rest is wired */
    f->writable[PCI_COMMAND + 1] = 0x01;
    f->writable[PCI_INTERRUPT_LINE] = 0;
    f->writable[0x4C] = 0xFF;
    f->writable[0x4E] = 0xFF;
    f->writable[0x4F] = 0x01;
    memset(f->writable + PIRQRCA, 0x8F, PIRQS);
    f->writable[0x69] = 0xFE;
    f->writable[0x6A] = 0x10;
    f->writable[0x70] = 0xEF;
    memset(f->writable + 0x76, 0x8F, 2);
    memset(f->writable + 0x78, 0xFF, 2);
    memset(f->writable + 0xA0, 0xFF, 16);
    f->written = config_written;
    return 0;
}

static void reset(struct device *dev)
{
    struct piix3 *s = dev->state;
    struct pci_function *f = &s->function;

    pci_reset(f);
    pci_set16(f, PCI_COMMAND,
              PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    memset(f->config + 0x40, 0, 0xC0);
    f->config[0x4C] = 0x4D;
    f->config[0x4E] = 0x03;
    memset(f->config + PIRQRCA, PIRQRC_DISABLED, PIRQS);
    f->config[0x69] = 0x02;
    f->config[0x70] = 0x80;
    f->config[0x76] = 0x0C;
    f->config[0x77] = 0x0C;
    f->config[0x78] = 0x02;
    f->config[0xA0] = 0x08;
    f->config[0xA8] = 0x0F;
    /* Whoever asserts a line will drive it low in its own reset. */
    s->rcr = 0;
    update(dev);
}

static int loaded(struct device *dev)
{
    struct piix3 *s = dev->state;

    pci_remap(&s->function);
    return 0;
}

static void line(struct device *dev, unsigned n, bool level)
{
    struct piix3 *s = dev->state;
    unsigned slot = n / 4, pirq = (slot + 3 + n % 4) % PIRQS;

    if (slot > 31)
        return;
    if (level)
        s->asserted[pirq] |= 1u << slot;
    else
        s->asserted[pirq] &= ~(1u << slot);
    update(dev);
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    const struct piix3 *s = dev->state;

    (void)bank;
    (void)off;
    (void)size;
    return s->rcr;
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    struct piix3 *s = dev->state;
    bool was = (s->rcr & RCR_RCPU) != 0;

    (void)bank;
    (void)off;
    (void)size;
    s->rcr = (uint8_t)(value & (RCR_SRST | RCR_RCPU));
    if ((s->rcr & RCR_RCPU) != 0 && !was) {
        device_drive(dev, PIIX3_OUT_RESET, true);
        device_drive(dev, PIIX3_OUT_RESET, false);
    }
}

const struct device_class piix3_class = {
    .name = "piix3",
    .description = "82371SB PCI-to-ISA bridge",
    .state_size = sizeof(struct piix3),
    .fields = fields,
    .max_access = 1,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .read = read,
    .write = write,
    .line = line,
};

struct pci_function *piix3_pci(struct device *dev)
{
    struct piix3 *s = dev->state;

    return &s->function;
}
