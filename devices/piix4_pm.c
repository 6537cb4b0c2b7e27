/*
 * 82371AB PCI ISA IDE Xcelerator, function 3 (Intel 290562-001, chapter 7 and
 * 11), seen through ACPI 1.0 4.7: PM1a event and control blocks, PM timer,
 * GPE0 (which is not the PIIX4's own: QEMU's pc has it at port 0xAFE0), the
 * SMI command ports 0xB2/0xB3, and an SMBus host with an empty bus.
 *
 *     PM1_STS  15 WAK  10 RTC  8 PWRBTN  5 GBL  4 BM  0 TMR  (1 clears)
 *     PM1_EN           10 RTC  8 PWRBTN  5 GBL        0 TMR
 *     PM1_CNT  13 SLP_EN  12-10 SLP_TYP  2 GBL_RLS  1 BM_RLD  0 SCI_EN
 *
 * The PM timer is a free-running 24-bit counter; TMR_STS is set whenever its
 * top bit changes, every 2.34 s. It is computed when looked at; a clock timer
 * exists only for the interrupt.
 *
 * With no SMM, writing 0xB2 does at once what firmware's SMI handler would:
 * 0xF1 sets SCI_EN, 0xF0 clears it. DEVACTB (config 0x58) resets with
 * APMC_EN set, which tells SeaBIOS that SMM is already taken care of.
 *
 * Invariants: SCI is high exactly while SCI_EN is set and an enabled status
 * bit is, or an enabled GPE0 bit is.
 *
 * Not modelled: SMI, device monitors and traps, the PIIX4's own GPSTS block
 * (its ports read 0), clock throttling, S1 to S4 (a sleep type other than 0
 * is logged and does nothing), SMBus slaves: every transaction ends with
 * DEV_ERR at once.
 */
#include "devices/piix4_pm.h"

#include <string.h>

#define TIMER_HALF (UINT64_C(1) << 23)

/* Configuration registers. */
enum { PMBA = 0x40, DEVACTB = 0x58, PMREGMISC = 0x80, SMBBA = 0x90,
       SMBHSTCFG = 0xD2 };
/* Offsets in the PM block. */
enum { PM1_STS = 0, PM1_EN = 2, PM1_CNT = 4, PM_TMR = 8 };
enum { TMR = 0x0001, GBL = 0x0020, PWRBTN = 0x0100, RTC = 0x0400,
       WAK = 0x8000 };
enum { STS_BITS = TMR | 0x10 | GBL | PWRBTN | RTC | WAK,
       EN_BITS = TMR | GBL | PWRBTN | RTC };
enum { SCI_EN = 0x0001, GBL_RLS = 0x0004, SLP_EN = 0x2000 };
#define SLP_TYP(CNT) ((CNT) >> 10 & 7u)
#define SLP_TYP_S5 0u
/* SMBus. */
enum { SMBHSTSTS, SMBSLVSTS, SMBHSTCNT, SMBHSTCMD, SMBHSTADD, SMBHSTDAT0,
       SMBHSTDAT1, SMBBLKDAT };
enum { SMBHSTSTS_DEV_ERR = 0x04, SMBHSTCNT_START = 0x40 };

struct piix4_pm {
    struct pci_function function;
    uint16_t pm1_sts, pm1_en, pm1_cnt;
    uint16_t gpe_sts, gpe_en;
    uint8_t apmc, apms;
    uint8_t smbus[8];
    uint8_t smbus_block[32], smbus_index;
    bool button;
    uint64_t next_overflow; /* in PM timer ticks: when TMR_STS is set next */
    struct timer overflow;
    struct region pm_io, smbus_io;
};

static const struct field fields[] = {
    FIELD_ARRAY(piix4_pm, function.config, FIELD_U8, 256),
    FIELD(piix4_pm, pm1_sts, FIELD_U16),
    FIELD(piix4_pm, pm1_en, FIELD_U16),
    FIELD(piix4_pm, pm1_cnt, FIELD_U16),
    FIELD(piix4_pm, gpe_sts, FIELD_U16),
    FIELD(piix4_pm, gpe_en, FIELD_U16),
    FIELD(piix4_pm, apmc, FIELD_U8),
    FIELD(piix4_pm, apms, FIELD_U8),
    FIELD_ARRAY(piix4_pm, smbus, FIELD_U8, 8),
    FIELD_ARRAY(piix4_pm, smbus_block, FIELD_U8, 32),
    FIELD(piix4_pm, smbus_index, FIELD_U8),
    FIELD(piix4_pm, button, FIELD_BOOL),
    FIELD(piix4_pm, next_overflow, FIELD_U64),
    FIELD(piix4_pm, overflow, FIELD_TIMER),
    FIELD_END,
};

static uint64_t ticks(struct device *dev)
{
    return clock_ticks(dev->clock, PIIX4_PM_TIMER_HZ);
}

/* The status as of now, with the timer's bit brought up to date. */
static uint16_t status(struct device *dev)
{
    struct piix4_pm *s = dev->state;

    if (ticks(dev) >= s->next_overflow)
        s->pm1_sts |= TMR;
    return s->pm1_sts;
}

static void update(struct device *dev)
{
    struct piix4_pm *s = dev->state;
    uint16_t sts = status(dev);
    bool event =
        (sts & s->pm1_en & EN_BITS) != 0 || (s->gpe_sts & s->gpe_en) != 0;

    device_drive(dev, PIIX4_PM_OUT_SCI, event && (s->pm1_cnt & SCI_EN));
    if ((s->pm1_en & TMR) && !(sts & TMR))
        timer_arm(&s->overflow,
                  clock_ticks_to_ns(s->next_overflow, PIIX4_PM_TIMER_HZ));
    else
        timer_disarm(&s->overflow);
}

static void expire(void *ctx)
{
    update(ctx);
}

/* Writing 1s clears; the timer's next overflow counts from here. */
static void clear_status(struct device *dev, uint16_t bits)
{
    struct piix4_pm *s = dev->state;

    (void)status(dev);
    if (bits & TMR)
        s->next_overflow = (ticks(dev) | (TIMER_HALF - 1)) + 1;
    s->pm1_sts &= (uint16_t)~bits;
    update(dev);
}

static void write_control(struct device *dev, uint16_t value)
{
    struct piix4_pm *s = dev->state;

    /* SLP_EN and GBL_RLS act and read as 0. */
    s->pm1_cnt = value & 0x1C03u;
    if (value & SLP_EN) {
        if (SLP_TYP(value) == SLP_TYP_S5) {
            device_drive(dev, PIIX4_PM_OUT_SHUTDOWN, true);
            device_drive(dev, PIIX4_PM_OUT_SHUTDOWN, false);
        } else {
            log_line(dev->log, LOG_UNIMP, "%s: sleep type %u\n", dev->name,
                     SLP_TYP(value));
        }
    }
    update(dev);
}

static void write_apm(struct device *dev, uint64_t off, uint8_t value)
{
    struct piix4_pm *s = dev->state;

    if (off == 1) {
        s->apms = value;
        return;
    }
    s->apmc = value;
    if (value == PIIX4_PM_ACPI_ENABLE)
        s->pm1_cnt |= SCI_EN;
    else if (value == PIIX4_PM_ACPI_DISABLE)
        s->pm1_cnt &= (uint16_t)~SCI_EN;
    update(dev);
}

static uint8_t read_smbus(struct piix4_pm *s, uint64_t off)
{
    if (off == SMBHSTCNT) /* reading it rewinds the block buffer */
        s->smbus_index = 0;
    if (off == SMBBLKDAT)
        return s->smbus_block[s->smbus_index++ % 32u];
    return off < sizeof(s->smbus) ? s->smbus[off] : 0;
}

static void write_smbus(struct piix4_pm *s, uint64_t off, uint8_t value)
{
    switch (off) {
    case SMBHSTSTS:
    case SMBSLVSTS:
        s->smbus[off] &= (uint8_t)~value;
        break;
    case SMBHSTCNT:
        s->smbus[off] = value & 0x1Fu;
        if (value & SMBHSTCNT_START) {
            s->smbus[SMBHSTSTS] |= SMBHSTSTS_DEV_ERR;
            s->smbus_index = 0;
        }
        break;
    case SMBBLKDAT:
        s->smbus_block[s->smbus_index++ % 32u] = value;
        break;
    default:
        if (off < sizeof(s->smbus))
            s->smbus[off] = value;
        break;
    }
}

/* One byte of the 16-bit registers of the PM and GPE blocks. */
static uint8_t read_pm(struct device *dev, uint64_t off)
{
    struct piix4_pm *s = dev->state;
    unsigned shift = off & 1 ? 8 : 0;

    switch (off & ~UINT64_C(1)) {
    case PM1_STS: return (uint8_t)(status(dev) >> shift);
    case PM1_EN: return (uint8_t)(s->pm1_en >> shift);
    case PM1_CNT: return (uint8_t)(s->pm1_cnt >> shift);
    default: return 0;
    }
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    struct piix4_pm *s = dev->state;
    uint64_t value = 0;

    /* One sample: the bytes of the counter must belong together. */
    if (bank == PIIX4_PM_IO && off >= PM_TMR && off < PM_TMR + 4)
        return (ticks(dev) & 0xFFFFFF) >> (off - PM_TMR) * 8;
    for (unsigned i = 0; i < size; i++) {
        uint64_t at = off + i, byte = 0;

        if (bank == PIIX4_PM_IO)
            byte = read_pm(dev, at);
        else if (bank == PIIX4_PM_SMBUS)
            byte = read_smbus(s, at);
        else if (bank == PIIX4_PM_APM)
            byte = at == 1 ? s->apms : s->apmc;
        else if (at < 4)
            byte = (uint8_t)((at < 2 ? s->gpe_sts : s->gpe_en) >>
                             (at & 1 ? 8 : 0));
        value |= byte << i * 8;
    }
    return value;
}

static void write_pm(struct device *dev, uint64_t off, uint8_t byte)
{
    struct piix4_pm *s = dev->state;
    unsigned shift = off & 1 ? 8 : 0;
    uint16_t value = (uint16_t)(byte << shift);
    uint16_t keep = (uint16_t)(0xFF00u >> shift);

    switch (off & ~UINT64_C(1)) {
    case PM1_STS:
        clear_status(dev, value & STS_BITS);
        break;
    case PM1_EN:
        s->pm1_en = ((s->pm1_en & keep) | value) & EN_BITS;
        update(dev);
        break;
    case PM1_CNT:
        write_control(dev, (uint16_t)((s->pm1_cnt & keep) | value));
        break;
    default:
        break;
    }
}

static void write_gpe(struct device *dev, uint64_t off, uint8_t byte)
{
    struct piix4_pm *s = dev->state;
    unsigned shift = off & 1 ? 8 : 0;
    uint16_t value = (uint16_t)(byte << shift);

    if (off < 2)
        s->gpe_sts &= (uint16_t)~value;
    else if (off < 4)
        s->gpe_en = (uint16_t)((s->gpe_en & 0xFF00u >> shift) | value);
    update(dev);
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    /* A whole word of PM1_CNT takes effect at once: SLP_TYP's bits and
     * SLP_EN are all in its upper byte. */
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> i * 8);

        if (bank == PIIX4_PM_IO)
            write_pm(dev, off + i, byte);
        else if (bank == PIIX4_PM_SMBUS)
            write_smbus(dev->state, off + i, byte);
        else if (bank == PIIX4_PM_APM)
            write_apm(dev, off + i, byte);
        else
            write_gpe(dev, off + i, byte);
    }
}

/* Moves one of the two blocks that the guest places itself. */
static void place(struct device *dev, struct region *region, uint16_t base,
                  bool on)
{
    if (region->mapped && on && region->base == base)
        return;
    bus_unmap(dev->io, region);
    region->base = base;
    if (on && base && bus_map(dev->io, region) < 0)
        log_line(dev->log, LOG_GUEST_ERRORS, "%s: cannot map %s at port %#x\n",
                 dev->name, region->name, base);
}

static void place_blocks(struct device *dev)
{
    struct piix4_pm *s = dev->state;
    const struct pci_function *f = &s->function;

    place(dev, &s->pm_io, pci_get16(f, PMBA) & 0xFFC0u,
          (f->config[PMREGMISC] & 1) != 0);
    place(dev, &s->smbus_io, pci_get16(f, SMBBA) & 0xFFF0u,
          (f->config[SMBHSTCFG] & 1) != 0);
}

static void config_written(struct pci_function *function, unsigned off,
                           unsigned size)
{
    (void)off;
    (void)size;
    place_blocks(function->dev);
}

static struct region block(struct device *dev, const char *name, uint64_t size,
                           unsigned bank)
{
    struct region region = {
        .name = name,
        .size = size,
        .kind = REGION_DEVICE,
        .dev = dev,
        .bank = bank,
    };

    return region;
}

static int init(struct device *dev)
{
    struct piix4_pm *s = dev->state;
    struct pci_function *f = &s->function;

    pci_init(f, dev, 0x8086, 0x7113, 0x0680, 0, 3, 1);
    pci_set16(f, PCI_STATUS, 0x0280);
    pci_set16(f, PCI_SUBSYSTEM_VENDOR, 0x1AF4);
    pci_set16(f, PCI_SUBSYSTEM, 0x1100);
    f->writable[PCI_COMMAND] = PCI_COMMAND_IO;
    f->writable[PMBA] = 0xC0;
    f->writable[PMBA + 1] = 0xFF;
    memset(f->writable + 0x44, 0xFF, 0x3C);
    f->writable[PMREGMISC] = 0x01;
    f->writable[SMBBA] = 0xF0;
    f->writable[SMBBA + 1] = 0xFF;
    memset(f->writable + SMBHSTCFG, 0x0F, 4);
    f->written = config_written;
    s->pm_io = block(dev, "piix4-pm", 64, PIIX4_PM_IO);
    s->smbus_io = block(dev, "piix4-smbus", 16, PIIX4_PM_SMBUS);
    timer_init(&s->overflow, dev->clock, "pm-timer", expire, dev);
    return 0;
}

static void reset(struct device *dev)
{
    struct piix4_pm *s = dev->state;
    struct pci_function *f = &s->function;

    pci_reset(f);
    memset(f->config + 0x40, 0, 0xC0);
    f->config[PMBA] = 0x01; /* an I/O space indicator, wired */
    f->config[SMBBA] = 0x01;
    f->config[DEVACTB + 3] = 0x02; /* APMC_EN */
    /* Which ports are decoded; firmware and old OSs look: LPT1 no, FDC and
     * keyboard yes, COM1 and COM2 yes. */
    f->config[0x5F] = 0x10;
    f->config[0x63] = 0x60;
    f->config[0x67] = 0x98;
    place_blocks(dev);
    s->pm1_sts = 0;
    s->pm1_en = 0;
    s->pm1_cnt = 0;
    s->gpe_sts = 0;
    s->gpe_en = 0;
    s->apmc = 0;
    s->apms = 0;
    memset(s->smbus, 0, sizeof(s->smbus));
    memset(s->smbus_block, 0, sizeof(s->smbus_block));
    s->smbus_index = 0;
    s->next_overflow = (ticks(dev) | (TIMER_HALF - 1)) + 1;
    update(dev);
}

static int loaded(struct device *dev)
{
    struct piix4_pm *s = dev->state;

    pci_remap(&s->function);
    place_blocks(dev);
    s->pm1_en &= EN_BITS;
    s->pm1_cnt &= 0x1C03u;
    return 0;
}

static void fini(struct device *dev)
{
    struct piix4_pm *s = dev->state;

    if (s->overflow.clock)
        timer_fini(&s->overflow);
}

static void line(struct device *dev, unsigned n, bool level)
{
    struct piix4_pm *s = dev->state;

    if (n != PIIX4_PM_LINE_POWER_BUTTON)
        return;
    if (level && !s->button)
        s->pm1_sts |= PWRBTN;
    s->button = level;
    update(dev);
}

const struct device_class piix4_pm_class = {
    .name = "piix4-pm",
    .description = "82371AB ACPI power management",
    .state_size = sizeof(struct piix4_pm),
    .fields = fields,
    .max_access = 4,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .fini = fini,
    .read = read,
    .write = write,
    .line = line,
};

struct pci_function *piix4_pm_pci(struct device *dev)
{
    struct piix4_pm *s = dev->state;

    return &s->function;
}

void piix4_pm_power_button(struct device *dev)
{
    line(dev, PIIX4_PM_LINE_POWER_BUTTON, true);
    line(dev, PIIX4_PM_LINE_POWER_BUTTON, false);
}

uint16_t piix4_pm_base(struct device *dev)
{
    const struct piix4_pm *s = dev->state;

    return s->function.config[PMREGMISC] & 1
               ? pci_get16(&s->function, PMBA) & 0xFFC0u
               : 0;
}
