/*
 * PCI functions: configuration space (PCI 2.2, chapter 6), type 0 headers.
 *
 *   31           16 15            0
 *  +---------------+---------------+
 *  |   device id   |   vendor id   | 00
 *  |    status     |    command    | 04
 *  |      class code       |  rev  | 08
 *  | BIST  | hdr   | lat.  | line  | 0C
 *  |   base address registers 0-5  | 10 .. 24
 *  |      expansion ROM base       | 30
 *  | lat gnt pin           | line  | 3C
 *  +---------------+---------------+
 *
 * Invariants: a BAR's region is on the bus exactly when its decode bit in the
 * command register is set, its base is a place where it fits, and nobody else
 * was there first. bar[n].region.base is the place that was tried last, so a
 * conflict is logged once and not at every write.
 *
 * Not modelled: 64-bit BARs, capabilities, BIST, parity and SERR# reporting.
 */
#include "devices/pci.h"

#include <string.h>

#define PCI_HEADER_END 0x40u
#define BAR_IO 1u
#define BAR_PREFETCHABLE 8u
#define ROM_ENABLE 1u
/* Status: medium DEVSEL# timing, fast back-to-back capable. */
#define STATUS_DEFAULT 0x0280u
/* Command bits a guest may set: I/O, memory, master, parity, SERR#, INTx. */
#define COMMAND_WRITABLE 0x0547u

static uint32_t get32(const struct pci_function *function, unsigned off)
{
    const uint8_t *p = &function->config[off];
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

uint16_t pci_get16(const struct pci_function *function, unsigned off)
{
    return (uint16_t)(function->config[off] | function->config[off + 1] << 8);
}

void pci_set16(struct pci_function *function, unsigned off, uint16_t value)
{
    function->config[off] = (uint8_t)value;
    function->config[off + 1] = (uint8_t)(value >> 8);
}

void pci_set32(struct pci_function *function, unsigned off, uint32_t value)
{
    pci_set16(function, off, (uint16_t)value);
    pci_set16(function, off + 2, (uint16_t)(value >> 16));
}

static void set_writable32(struct pci_function *function, unsigned off,
                           uint32_t mask)
{
    for (unsigned i = 0; i < 4; i++)
        function->writable[off + i] = (uint8_t)(mask >> (8 * i));
}

void pci_init(struct pci_function *function, struct device *dev,
              uint16_t vendor, uint16_t device, uint16_t class_code,
              uint8_t prog_if, uint8_t revision, unsigned pin)
{
    memset(function, 0, sizeof(*function));
    function->dev = dev;
    pci_set16(function, PCI_VENDOR, vendor);
    pci_set16(function, PCI_DEVICE, device);
    pci_set16(function, PCI_CLASS, class_code);
    pci_set16(function, PCI_STATUS, STATUS_DEFAULT);
    function->config[PCI_PROG_IF] = prog_if;
    function->config[PCI_REVISION] = revision;
    function->config[PCI_INTERRUPT_PIN] = (uint8_t)pin;
    function->writable[PCI_COMMAND] = (uint8_t)COMMAND_WRITABLE;
    function->writable[PCI_COMMAND + 1] = (uint8_t)(COMMAND_WRITABLE >> 8);
    function->writable[0x0C] = 0xFF; /* cache line size */
    function->writable[0x0D] = 0xFF; /* latency timer */
    function->writable[PCI_INTERRUPT_LINE] = 0xFF;
}

static uint32_t bar_flags(const struct pci_bar *bar)
{
    return bar->io ? BAR_IO : bar->prefetchable ? BAR_PREFETCHABLE : 0;
}

void pci_add_bar(struct pci_function *function, unsigned n,
                 struct region region, bool io, bool prefetchable)
{
    struct pci_bar *bar = &function->bar[n];
    unsigned off = PCI_BAR0 + 4 * n;

    region.base = 0;
    region.mapped = false;
    if (region.kind == REGION_DEVICE && !region.dev)
        region.dev = function->dev;
    *bar = (struct pci_bar){
        .region = region, .io = io, .prefetchable = prefetchable};
    /* Address bits below the size read as zero: that is how a guest learns
     * the size. */
    uint32_t mask = (uint32_t) ~(region.size - 1);
    set_writable32(function, off, mask & (io ? ~3u : ~15u));
    pci_set32(function, off, bar_flags(bar));
}

void pci_add_rom(struct pci_function *function, struct region region)
{
    region.base = 0;
    region.mapped = false;
    function->rom = (struct pci_bar){.region = region};
    uint32_t mask = (uint32_t) ~(region.size - 1) & ~0x7FFu;
    set_writable32(function, PCI_ROM, mask | ROM_ENABLE);
    pci_set32(function, PCI_ROM, 0);
}

/* Where the BAR at `off` wants to be; false when it decodes nothing now. */
static bool bar_wants(const struct pci_function *function,
                      const struct pci_bar *bar, unsigned off, uint64_t *base)
{
    uint16_t command = pci_get16(function, PCI_COMMAND);
    uint32_t value = get32(function, off);
    uint64_t last;

    if (bar->region.size == 0)
        return false;
    if (!(command & (bar->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return false;
    if (off == PCI_ROM && !(value & ROM_ENABLE))
        return false;
    *base = value & (uint32_t) ~(bar->region.size - 1) & (bar->io ? ~3u : ~15u);
    last = *base + bar->region.size - 1;
    /* Base 0 is the reset value. All ones is a guest sizing the BAR with
     * decoding left on; there is nothing to map up there. */
    return *base != 0 && last < (bar->io ? 0x10000u : 0xFFFFFFFFu);
}

static struct bus *bar_bus(const struct pci_function *function,
                           const struct pci_bar *bar)
{
    return bar->io ? function->dev->io : function->dev->memory;
}

/* First half of a remap: what is to go away goes, so that two BARs of one
 * function can swap places. */
static void bar_leave(struct pci_function *function, struct pci_bar *bar,
                      unsigned off)
{
    uint64_t base = 0;
    bool wanted = bar_wants(function, bar, off, &base);

    if (bar->region.mapped && (!wanted || base != bar->region.base))
        bus_unmap(bar_bus(function, bar), &bar->region);
    if (!wanted && !bar->region.mapped)
        bar->region.base = 0;
}

static void bar_enter(struct pci_function *function, struct pci_bar *bar,
                      unsigned off)
{
    uint64_t base = 0;

    if (bar->region.mapped || !bar_wants(function, bar, off, &base))
        return;
    bool tried = bar->region.base == base;
    bar->region.base = base;
    int result = bus_map(bar_bus(function, bar), &bar->region);
    if (result < 0 && !tried)
        log_line(function->dev->log, LOG_GUEST_ERRORS,
                 "pci: %s: %s 0x%llx (%s, 0x%llx bytes) is taken: not mapped\n",
                 function->dev->name, bar->io ? "port" : "memory",
                 (unsigned long long)base, bar->region.name,
                 (unsigned long long)bar->region.size);
}

void pci_remap(struct pci_function *function)
{
    for (unsigned n = 0; n < PCI_BARS; n++)
        bar_leave(function, &function->bar[n], PCI_BAR0 + 4 * n);
    bar_leave(function, &function->rom, PCI_ROM);
    for (unsigned n = 0; n < PCI_BARS; n++)
        bar_enter(function, &function->bar[n], PCI_BAR0 + 4 * n);
    bar_enter(function, &function->rom, PCI_ROM);
}

void pci_reset(struct pci_function *function)
{
    pci_set16(function, PCI_COMMAND, 0);
    function->config[0x0C] = 0;
    function->config[0x0D] = 0;
    function->config[PCI_INTERRUPT_LINE] = 0;
    for (unsigned n = 0; n < PCI_BARS; n++)
        if (function->bar[n].region.size)
            pci_set32(function, PCI_BAR0 + 4 * n, bar_flags(&function->bar[n]));
    if (function->rom.region.size)
        pci_set32(function, PCI_ROM, 0);
    pci_remap(function);
}

uint32_t pci_config_read(struct pci_function *function, unsigned off,
                         unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size && i < 4; i++) {
        uint32_t byte = off + i < 256 ? function->config[off + i] : 0xFF;
        value |= byte << (8 * i);
    }
    return value;
}

void pci_config_write(struct pci_function *function, unsigned off,
                      uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size && i < 4 && off + i < 256; i++) {
        uint8_t mask = function->writable[off + i];
        uint8_t *byte = &function->config[off + i];
        *byte = (uint8_t)((*byte & ~mask) | ((value >> (8 * i)) & mask));
    }
    if (off < PCI_HEADER_END)
        pci_remap(function);
    if (function->written)
        function->written(function, off, size);
}
