/*
 * 82441FX PCI and memory controller (Intel 290549-001), as QEMU's pc has it:
 * configuration mechanism 1 (3.1), PAM registers (3.2.13), SMRAM (3.2.20).
 *
 * The memory map that this chip makes:
 *
 *     0 .. 9FFFF           RAM
 *     A0000 .. BFFFF       the display adapter; RAM while SMRAM is open
 *     C0000 .. FFFFF       13 segments, each under its PAM nibble
 *     100000 .. below_4g   RAM
 *     4G-bios .. 4G        firmware
 *     4G ..                RAM above 4 GiB
 *
 * A PAM nibble says who answers, for reads and for writes separately:
 *
 *      WE RE   reads        writes
 *      0  0    ROM or PCI   nobody
 *      0  1    RAM          nobody        (how firmware locks its copy)
 *      1  0    ROM or PCI   RAM           (how firmware makes its copy)
 *      1  1    RAM          RAM
 *
 * Invariants: each segment is mapped as at most one region, and that region
 * is what its nibble says after every configuration write and reset.
 *
 * Not modelled: DRAM geometry and timing (the registers only store), SMM, so
 * that G_SMRAME and D_CLS have no effect; ECC and error reporting; AGP;
 * busses other than 0; configuration mechanism 2.
 */
#include "devices/i440fx.h"

#include <errno.h>
#include <string.h>

#define SEGMENTS 13
#define SMRAM_BASE UINT64_C(0xA0000)
#define SMRAM_SIZE UINT64_C(0x20000)
#define ROM_ALIAS_BASE 0xE0000u
#define ROM_ALIAS_SIZE 0x20000u
#define FOUR_GIB (UINT64_C(1) << 32)
#define CONFADD_ENABLE 0x80000000u
#define DISPLACED 4

/* Configuration registers. */
enum { PAM0 = 0x59, PAM6 = 0x5F, SMRAM = 0x72 };
/* SMRAM bits. */
enum { SMRAM_D_OPEN = 0x40, SMRAM_D_CLS = 0x20, SMRAM_D_LCK = 0x10,
       SMRAM_G_SMRAME = 0x08, SMRAM_C_BASE_SEG = 0x02 };

struct i440fx {
    struct pci_function function;
    uint32_t confadd;
    bool smram_locked;
    struct pci_function *plugged[256];
    struct region ram_low, ram_main, ram_high, bios, smram;
    struct region segment[SEGMENTS];
    /* What SMRAM took the place of, to be put back. */
    struct region *displaced[DISPLACED];
};

static const struct field fields[] = {
    FIELD_ARRAY(i440fx, function.config, FIELD_U8, 256),
    FIELD(i440fx, confadd, FIELD_U32),
    FIELD(i440fx, smram_locked, FIELD_BOOL),
    FIELD_END,
};

static const char *const segment_names[SEGMENTS] = {
    "pam.c0000", "pam.c4000", "pam.c8000", "pam.cc000", "pam.d0000",
    "pam.d4000", "pam.d8000", "pam.dc000", "pam.e0000", "pam.e4000",
    "pam.e8000", "pam.ec000", "pam.f0000",
};

static uint32_t segment_base(unsigned n)
{
    return 0xC0000u + n * 0x4000u;
}

static uint32_t segment_size(unsigned n)
{
    return n == SEGMENTS - 1 ? 0x10000u : 0x4000u;
}

/* F0000 is PAM0's upper nibble; the others follow from PAM1's lower one. */
static unsigned segment_nibble(const struct i440fx *s, unsigned n)
{
    const uint8_t *config = s->function.config;

    if (n == SEGMENTS - 1)
        return (unsigned)config[PAM0] >> 4 & 3u;
    return (unsigned)config[PAM0 + 1 + n / 2] >> (n % 2 ? 4 : 0) & 3u;
}

/* The firmware bytes that show at `gpa` when RAM does not; NULL for none. */
static uint8_t *rom_alias(const struct i440fx_config *config, uint32_t gpa)
{
    uint32_t visible = config->bios_bytes;

    if (visible > ROM_ALIAS_SIZE)
        visible = ROM_ALIAS_SIZE;
    if (gpa < 0x100000u - visible)
        return NULL;
    return config->bios + config->bios_bytes - (0x100000u - gpa);
}

static void map(struct device *dev, struct region *region)
{
    if (bus_map(dev->memory, region) < 0)
        log_line(dev->log, LOG_GUEST_ERRORS,
                 "%s: %s at %#llx overlaps another region\n", dev->name,
                 region->name, (unsigned long long)region->base);
}

static void update_segment(struct device *dev, unsigned n)
{
    struct i440fx *s = dev->state;
    const struct i440fx_config *config = dev->config;
    struct region *region = &s->segment[n];
    uint32_t base = segment_base(n);
    uint8_t *rom = rom_alias(config, base);
    enum region_kind kind = REGION_ROM;
    uint8_t *host = rom;

    switch (segment_nibble(s, n)) {
    case 1:
        host = config->ram + base;
        break;
    case 2:
        kind = REGION_DEVICE;
        host = NULL;
        break;
    case 3:
        kind = REGION_RAM;
        host = config->ram + base;
        break;
    default:
        break;
    }
    /* Moving nothing is common (firmware writes all PAMs in a row), and each
     * change costs every CPU its translations. */
    if (region->mapped && region->kind == kind && region->host == host)
        return;
    bus_unmap(dev->memory, region);
    region->kind = kind;
    region->host = host;
    region->dev = kind == REGION_DEVICE ? dev : NULL;
    if (kind == REGION_DEVICE || host)
        map(dev, region);
}

static void open_smram(struct device *dev)
{
    struct i440fx *s = dev->state;
    unsigned n = 0;

    memset(s->displaced, 0, sizeof(s->displaced));
    for (uint64_t gpa = SMRAM_BASE; gpa < SMRAM_BASE + SMRAM_SIZE;
         gpa += 0x1000) {
        struct region *region = bus_find(dev->memory, gpa);

        if (!region || n == DISPLACED)
            continue;
        bus_unmap(dev->memory, region);
        s->displaced[n++] = region;
    }
    map(dev, &s->smram);
}

static void close_smram(struct device *dev)
{
    struct i440fx *s = dev->state;

    bus_unmap(dev->memory, &s->smram);
    for (unsigned i = 0; i < DISPLACED && s->displaced[i]; i++)
        map(dev, s->displaced[i]);
    memset(s->displaced, 0, sizeof(s->displaced));
}

static void update_smram(struct device *dev)
{
    struct i440fx *s = dev->state;
    uint8_t value = s->function.config[SMRAM];
    bool open;

    /* D_LCK closes SMRAM and holds until reset (3.2.20). */
    if (s->smram_locked || (value & SMRAM_D_LCK) != 0) {
        s->smram_locked = true;
        value = (uint8_t)((value | SMRAM_D_LCK) & ~SMRAM_D_OPEN);
    }
    value = (uint8_t)((value & ~7u) | SMRAM_C_BASE_SEG);
    s->function.config[SMRAM] = value;
    open = (value & SMRAM_D_OPEN) != 0;
    if (open && !s->smram.mapped)
        open_smram(dev);
    else if (!open && s->smram.mapped)
        close_smram(dev);
}

static void update_map(struct device *dev)
{
    for (unsigned n = 0; n < SEGMENTS; n++)
        update_segment(dev, n);
    update_smram(dev);
}

static void config_written(struct pci_function *function, unsigned off,
                           unsigned size)
{
    if (off <= PAM6 && off + size > PAM0)
        for (unsigned n = 0; n < SEGMENTS; n++)
            update_segment(function->dev, n);
    if (off <= SMRAM && off + size > SMRAM)
        update_smram(function->dev);
}

static struct region ram_region(const char *name, uint64_t base, uint64_t size,
                                uint8_t *host)
{
    struct region region = {
        .name = name,
        .base = base,
        .size = size,
        .kind = REGION_RAM,
        .host = host,
    };

    return region;
}

static int init_map(struct device *dev)
{
    struct i440fx *s = dev->state;
    const struct i440fx_config *config = dev->config;
    int err;

    s->ram_low = ram_region("ram.low", 0, SMRAM_BASE, config->ram);
    s->smram =
        ram_region("smram", SMRAM_BASE, SMRAM_SIZE, config->ram + SMRAM_BASE);
    s->ram_main = ram_region("ram", 0x100000, config->ram_below_4g - 0x100000,
                             config->ram + 0x100000);
    s->ram_high = ram_region("ram.high", FOUR_GIB, config->ram_above_4g,
                             config->ram + config->ram_below_4g);
    s->bios = ram_region("bios", FOUR_GIB - config->bios_bytes,
                         config->bios_bytes, config->bios);
    s->bios.kind = REGION_ROM;
    for (unsigned n = 0; n < SEGMENTS; n++) {
        s->segment[n] = ram_region(segment_names[n], segment_base(n),
                                   segment_size(n), NULL);
        s->segment[n].bank = I440FX_SHADOW + n;
    }
    err = bus_map(dev->memory, &s->ram_low);
    if (!err && s->ram_main.size)
        err = bus_map(dev->memory, &s->ram_main);
    if (!err && s->ram_high.size)
        err = bus_map(dev->memory, &s->ram_high);
    if (!err && s->bios.size)
        err = bus_map(dev->memory, &s->bios);
    return err;
}

static int init(struct device *dev)
{
    struct i440fx *s = dev->state;
    const struct i440fx_config *config = dev->config;
    struct pci_function *f = &s->function;

    if (!config || !config->ram || config->ram_below_4g < 0x100000 ||
        config->bios_bytes > I440FX_BIOS_MAX ||
        (config->bios_bytes & 0xFFF) != 0)
        return -EINVAL;
    pci_init(f, dev, 0x8086, 0x1237, 0x0600, 0, 2, 0);
    pci_set16(f, PCI_STATUS, 0x0200);
    pci_set16(f, PCI_SUBSYSTEM_VENDOR, 0x1AF4);
    pci_set16(f, PCI_SUBSYSTEM, 0x1100);
    /* The bridge always answers as a target and always masters. */
    f->writable[PCI_COMMAND] = 0;
    f->writable[PCI_COMMAND + 1] = 0;
    f->writable[PCI_INTERRUPT_LINE] = 0;
    memset(f->writable + 0x50, 0xFF, PAM0 - 0x50);
    memset(f->writable + PAM0, 0x33, PAM6 - PAM0 + 1);
    f->writable[PAM0] = 0x30;
    memset(f->writable + 0x60, 0xFF, 9);
    f->writable[SMRAM] = 0x78;
    f->written = config_written;
    s->plugged[0] = f;
    return init_map(dev);
}

static void reset(struct device *dev)
{
    struct i440fx *s = dev->state;
    struct pci_function *f = &s->function;

    pci_reset(f);
    pci_set16(f, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    memset(f->config + 0x50, 0, 0x69 - 0x50);
    memset(f->config + 0x60, 1, 8); /* DRB: row boundaries */
    f->config[0x57] = 1;            /* DRAMC */
    f->config[SMRAM] = SMRAM_C_BASE_SEG;
    s->smram_locked = false;
    s->confadd = 0;
    update_map(dev);
}

static int loaded(struct device *dev)
{
    struct i440fx *s = dev->state;

    pci_remap(&s->function);
    update_map(dev);
    return 0;
}

/*
 * CONFADD:  31  | 30-24 | 23-16 | 15-11  | 10-8     | 7-2      | 1-0
 *           EN  |  0    |  bus  | device | function | register |  0
 *
 * NULL when the address selects no function that is there.
 */
static struct pci_function *selected(const struct i440fx *s)
{
    if (!(s->confadd & CONFADD_ENABLE) || (s->confadd & 0xFF0000u) != 0)
        return NULL;
    return s->plugged[s->confadd >> 8 & 0xFFu];
}

/* Port 0xCF9 within an access at `off` of 0xCF8 that is no dword. */
static bool reaches_cf9(const struct i440fx_config *config, uint64_t off,
                        unsigned size)
{
    return config->isa_bridge && off <= 1 && off + size > 1;
}

static uint64_t confadd_read(struct device *dev, uint64_t off, unsigned size)
{
    const struct i440fx *s = dev->state;
    const struct i440fx_config *config = dev->config;
    uint64_t value = UINT64_MAX;
    struct device *isa = config->isa_bridge;

    if (off == 0 && size == 4)
        return s->confadd;
    if (reaches_cf9(config, off, size)) {
        unsigned shift = off == 1 ? 0 : 8;
        uint64_t byte = isa->class->read(isa, config->isa_bridge_bank, 0, 1);

        value &= ~(UINT64_C(0xFF) << shift);
        value |= (byte & 0xFF) << shift;
    }
    return size >= 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    struct i440fx *s = dev->state;
    const struct i440fx_config *config = dev->config;
    struct pci_function *f;
    uint64_t value = 0;

    if (bank == I440FX_CONFADD)
        return confadd_read(dev, off, size);
    if (bank == I440FX_CONFDATA) {
        f = selected(s);
        if (!f || off + size > 4)
            return UINT64_MAX >> (64 - size * 8);
        return pci_config_read(f, (s->confadd & 0xFCu) | (unsigned)off, size);
    }
    for (unsigned i = 0; i < size; i++) {
        uint32_t gpa = segment_base(bank - I440FX_SHADOW) + (uint32_t)off + i;
        const uint8_t *rom = rom_alias(config, gpa);

        value |= (uint64_t)(rom ? *rom : 0xFF) << i * 8;
    }
    return value;
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    struct i440fx *s = dev->state;
    const struct i440fx_config *config = dev->config;
    struct device *isa = config->isa_bridge;
    struct pci_function *f;

    if (bank == I440FX_CONFADD) {
        if (off == 0 && size == 4)
            s->confadd = (uint32_t)value & 0x80FFFFFCu;
        else if (reaches_cf9(config, off, size))
            isa->class->write(isa, config->isa_bridge_bank, 0,
                              (off == 1 ? value : value >> 8) & 0xFF, 1);
        return;
    }
    if (bank == I440FX_CONFDATA) {
        f = selected(s);
        if (f && off + size <= 4)
            pci_config_write(f, (s->confadd & 0xFCu) | (unsigned)off,
                             (uint32_t)value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint32_t gpa = segment_base(bank - I440FX_SHADOW) + (uint32_t)off + i;

        config->ram[gpa] = (uint8_t)(value >> i * 8);
    }
}

const struct device_class i440fx_class = {
    .name = "i440fx",
    .description = "82441FX host bridge and memory controller",
    .state_size = sizeof(struct i440fx),
    .fields = fields,
    .max_access = 4,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .read = read,
    .write = write,
};

struct pci_function *i440fx_pci(struct device *dev)
{
    struct i440fx *s = dev->state;

    return &s->function;
}

int i440fx_plug(struct device *dev, struct pci_function *function,
                unsigned devfn)
{
    struct i440fx *s = dev->state;

    if (devfn > 255 || devfn == 0 || s->plugged[devfn])
        return -EEXIST;
    s->plugged[devfn] = function;
    return 0;
}

struct pci_function *i440fx_function(struct device *dev, unsigned devfn)
{
    struct i440fx *s = dev->state;

    return devfn < 256 ? s->plugged[devfn] : NULL;
}
