/*
 * The PIIX3's IDE function (Intel 82371SB, chapter 2.7): two channels and
 * their task files. The bus master is in ide_master.c, the drives' commands
 * are in ata.c and atapi.c. Task file semantics: ATA/ATAPI-6, clause 7 and 9.
 *
 *   command block   read            write
 *   +0              data            data
 *   +1              error           features
 *   +2              sector count    sector count      | two deep: HOB in the
 *   +3 +4 +5        LBA low/mid/high                  | control register shows
 *   +6              device          device            | the older values
 *   +7              status          command
 *   control         alt. status     HOB - - - - SRST nIEN -
 *
 * Not modelled: mechanical time. A command is done when the write that starts
 * it (to the command register, the last word of the data port, or the bus
 * master's start bit) returns, so BSY shows only under SRST. Not modelled
 * either: the timing registers' effect (IDETIM), including the decode enable;
 * power modes beyond their commands; cable select.
 *
 * Invariant: the wire's level is INTRQ of the selected unit, unless nIEN.
 */
#include "devices/ata.h"

#include <errno.h>
#include <string.h>

/* Device control register. */
enum { CONTROL_NIEN = 0x02, CONTROL_SRST = 0x04, CONTROL_HOB = 0x80 };
#define IDETIM 0x40u

struct ide {
    struct pci_function function;
    struct ide_channel channel[2];
    struct region region[4];
};

#define CHANNEL_FIELDS(C)                                                      \
    FIELD(ide, channel[C].control, FIELD_U8),                                  \
        FIELD(ide, channel[C].selected, FIELD_U8),                             \
        FIELD(ide, channel[C].irq, FIELD_BOOL),                                \
        FIELD(ide, channel[C].master.command, FIELD_U8),                       \
        FIELD(ide, channel[C].master.status, FIELD_U8),                        \
        FIELD(ide, channel[C].master.table, FIELD_U32),                        \
        FIELD(ide, channel[C].master.entry, FIELD_U32),                        \
        FIELD(ide, channel[C].master.address, FIELD_U32),                      \
        FIELD(ide, channel[C].master.left, FIELD_U32),                         \
        FIELD(ide, channel[C].master.last, FIELD_BOOL),                        \
        UNIT_FIELDS(channel[C].unit[0]), UNIT_FIELDS(channel[C].unit[1])
#define UNIT_FIELDS(U)                                                         \
    FIELD(ide, U.task.features, FIELD_U8), FIELD(ide, U.task.count, FIELD_U8), \
        FIELD(ide, U.task.low, FIELD_U8), FIELD(ide, U.task.mid, FIELD_U8),    \
        FIELD(ide, U.task.high, FIELD_U8),                                     \
        FIELD(ide, U.previous.features, FIELD_U8),                             \
        FIELD(ide, U.previous.count, FIELD_U8),                                \
        FIELD(ide, U.previous.low, FIELD_U8),                                  \
        FIELD(ide, U.previous.mid, FIELD_U8),                                  \
        FIELD(ide, U.previous.high, FIELD_U8),                                 \
        FIELD(ide, U.device, FIELD_U8), FIELD(ide, U.status, FIELD_U8),        \
        FIELD(ide, U.error, FIELD_U8), FIELD(ide, U.intrq, FIELD_BOOL),        \
        FIELD(ide, U.current_cylinders, FIELD_U16),                            \
        FIELD(ide, U.current_heads, FIELD_U16),                                \
        FIELD(ide, U.current_spt, FIELD_U16),                                  \
        FIELD(ide, U.multiple, FIELD_U8),                                      \
        FIELD(ide, U.write_cache, FIELD_BOOL), FIELD(ide, U.mwdma, FIELD_U8),  \
        FIELD(ide, U.udma, FIELD_U8), FIELD(ide, U.phase, FIELD_U8),           \
        FIELD(ide, U.extended, FIELD_BOOL),                                    \
        FIELD(ide, U.position, FIELD_U32), FIELD(ide, U.length, FIELD_U32),    \
        FIELD(ide, U.lba, FIELD_U64), FIELD(ide, U.left, FIELD_U32),           \
        FIELD(ide, U.block, FIELD_U32), FIELD(ide, U.cd.sense_key, FIELD_U8),  \
        FIELD(ide, U.cd.asc, FIELD_U8), FIELD(ide, U.cd.ascq, FIELD_U8),       \
        FIELD(ide, U.cd.tray_open, FIELD_BOOL),                                \
        FIELD(ide, U.cd.locked, FIELD_BOOL),                                   \
        FIELD(ide, U.cd.change, FIELD_U8),                                     \
        FIELD(ide, U.cd.new_medium, FIELD_BOOL),                               \
        FIELD(ide, U.cd.dma, FIELD_BOOL), FIELD(ide, U.cd.format, FIELD_U8),   \
        FIELD(ide, U.cd.from_medium, FIELD_BOOL),                              \
        FIELD(ide, U.cd.limit, FIELD_U32), FIELD(ide, U.cd.lba, FIELD_U32),    \
        FIELD(ide, U.cd.sector_bytes, FIELD_U32),                              \
        FIELD(ide, U.cd.offset, FIELD_U64), FIELD(ide, U.cd.total, FIELD_U64), \
        FIELD_ARRAY(ide, U.buffer, FIELD_U8, IDE_BUFFER)

static const struct field fields[] = {
    FIELD_ARRAY(ide, function.config, FIELD_U8, 256),
    CHANNEL_FIELDS(0),
    CHANNEL_FIELDS(1),
    FIELD_END,
};

/* ---- the medium ------------------------------------------------------- */

static bool within(const struct block *blk, uint64_t offset, size_t size)
{
    return blk && blk->inserted && offset <= blk->size_bytes &&
           size <= blk->size_bytes - offset;
}

int ide_read(struct ide_unit *unit, uint64_t offset, void *data, size_t size)
{
    struct block *blk = unit->dev->drive[unit->number];

    if (!within(blk, offset, size))
        return -ENOMEDIUM;
    return blk->read(blk, offset, data, size);
}

int ide_write(struct ide_unit *unit, uint64_t offset, const void *data,
              size_t size)
{
    struct block *blk = unit->dev->drive[unit->number];

    if (!within(blk, offset, size))
        return -ENOMEDIUM;
    if (blk->read_only || !blk->write)
        return -EROFS;
    return blk->write(blk, offset, data, size);
}

int ide_flush(struct ide_unit *unit)
{
    struct block *blk = unit->dev->drive[unit->number];

    if (!blk || !blk->inserted || !blk->flush)
        return 0;
    return blk->flush(blk);
}

/* ---- interrupts and the life of a command ----------------------------- */

static void update_irq(struct ide_channel *ch)
{
    const struct ide_unit *unit = ide_selected(ch);
    bool level = unit->present && unit->intrq && !(ch->control & CONTROL_NIEN);

    if (level == ch->irq)
        return;
    ch->irq = level;
    if (level)
        ide_master_irq(ch);
    device_drive(ch->dev, ch->number, level);
}

void ide_raise(struct ide_unit *unit)
{
    unit->intrq = true;
    update_irq(unit->channel);
}

static void stop_transfer(struct ide_unit *unit)
{
    unit->phase = IDE_IDLE;
    unit->position = 0;
    unit->length = 0;
    unit->left = 0;
}

void ide_complete(struct ide_unit *unit)
{
    stop_transfer(unit);
    unit->status = ATA_DRDY | ATA_DSC;
    unit->error = 0;
    ide_raise(unit);
}

void ide_fail(struct ide_unit *unit, uint8_t error)
{
    stop_transfer(unit);
    unit->status = ATA_DRDY | ATA_DSC | ATA_ERR;
    unit->error = error;
    ide_raise(unit);
}

void ide_start(struct ide_unit *unit, enum ide_phase phase, uint32_t length)
{
    unit->phase = (uint8_t)phase;
    unit->position = 0;
    unit->length = length;
    unit->error = 0;
    unit->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
}

void ide_signature(struct ide_unit *unit)
{
    unit->task = (struct ide_taskfile){.count = 1, .low = 1};
    if (unit->cdrom) {
        unit->task.mid = 0x14;
        unit->task.high = 0xEB;
    }
    unit->previous = (struct ide_taskfile){0};
    unit->device = ATA_OBSOLETE;
    unit->error = 0x01; /* diagnostics: passed */
    /* A packet device is not ready until it is asked something. */
    unit->status = unit->cdrom ? 0 : ATA_DRDY | ATA_DSC;
}

void ide_chunk_done(struct ide_unit *unit)
{
    if (unit->phase == IDE_PACKET)
        atapi_packet(unit);
    else if (unit->cdrom)
        atapi_chunk_done(unit);
    else
        ata_chunk_done(unit);
}

/* ---- data port -------------------------------------------------------- */

static uint32_t data_read(struct ide_channel *ch, unsigned size)
{
    struct ide_unit *unit = ide_selected(ch);
    uint32_t value = 0;

    if (!unit->present || unit->phase != IDE_DATA_IN)
        return 0;
    for (unsigned i = 0; i < size && unit->position < unit->length; i++)
        value |= (uint32_t)unit->buffer[unit->position++] << (8 * i);
    if (unit->position == unit->length)
        ide_chunk_done(unit);
    return value;
}

static void data_write(struct ide_channel *ch, uint32_t value, unsigned size)
{
    struct ide_unit *unit = ide_selected(ch);

    if (!unit->present ||
        (unit->phase != IDE_DATA_OUT && unit->phase != IDE_PACKET))
        return;
    for (unsigned i = 0; i < size && unit->position < unit->length; i++)
        unit->buffer[unit->position++] = (uint8_t)(value >> (8 * i));
    if (unit->position == unit->length)
        ide_chunk_done(unit);
}

/* ---- task file -------------------------------------------------------- */

static void soft_reset(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++) {
        stop_transfer(&ch->unit[i]);
        ch->unit[i].intrq = false;
        ch->unit[i].status = ATA_BSY;
        ch->unit[i].cd.dma = false;
    }
    update_irq(ch);
}

static void end_soft_reset(struct ide_channel *ch)
{
    ch->selected = 0;
    for (unsigned i = 0; i < 2; i++)
        ide_signature(&ch->unit[i]);
    update_irq(ch);
}

static void control_write(struct ide_channel *ch, uint8_t value)
{
    uint8_t was = ch->control;

    ch->control = value & (CONTROL_HOB | CONTROL_SRST | CONTROL_NIEN);
    if (ch->control & CONTROL_SRST)
        soft_reset(ch);
    else if (was & CONTROL_SRST)
        end_soft_reset(ch);
    update_irq(ch);
}

/* EXECUTE DEVICE DIAGNOSTIC goes to both units; unit 0 answers. */
static void diagnose(struct ide_channel *ch)
{
    soft_reset(ch);
    end_soft_reset(ch);
    ide_raise(&ch->unit[0]);
}

static void command_write(struct ide_channel *ch, uint8_t command)
{
    struct ide_unit *unit = ide_selected(ch);

    if (ch->control & CONTROL_SRST)
        return;
    if (command == 0x90 && (ch->unit[0].present || ch->unit[1].present)) {
        diagnose(ch);
        return;
    }
    if (!unit->present)
        return;
    unit->intrq = false;
    update_irq(ch);
    stop_transfer(unit);
    if (unit->cdrom)
        atapi_command(unit, command);
    else
        ata_command(unit, command);
}

static void push(uint8_t *now, uint8_t *before, uint8_t value)
{
    *before = *now;
    *now = value;
}

/* Both units of a cable hear every register write. */
static void register_write(struct ide_channel *ch, unsigned off, uint8_t value)
{
    ch->control &= (uint8_t)~CONTROL_HOB;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_taskfile *t = &ch->unit[i].task;
        struct ide_taskfile *p = &ch->unit[i].previous;
        switch (off) {
        case 1:
            push(&t->features, &p->features, value);
            break;
        case 2:
            push(&t->count, &p->count, value);
            break;
        case 3:
            push(&t->low, &p->low, value);
            break;
        case 4:
            push(&t->mid, &p->mid, value);
            break;
        case 5:
            push(&t->high, &p->high, value);
            break;
        case 6:
            ch->unit[i].device = value | ATA_OBSOLETE;
            ch->selected = (value & ATA_DEV) != 0;
            break;
        }
    }
    if (off == 6)
        update_irq(ch);
    else if (off == 7)
        command_write(ch, value);
}

/* A place where no drive is answers 0: the cable pulls the busy bit down, and
 * unit 0 answers so on behalf of a missing unit 1 (ATA-6 9.16.1). */
static uint8_t status_of(struct ide_channel *ch)
{
    return ide_selected(ch)->present ? ide_selected(ch)->status : 0;
}

static uint8_t register_read(struct ide_channel *ch, unsigned off)
{
    struct ide_unit *unit = ide_selected(ch);
    const struct ide_taskfile *t =
        ch->control & CONTROL_HOB ? &unit->previous : &unit->task;

    if (!ch->unit[0].present && !ch->unit[1].present)
        return 0;
    switch (off) {
    case 1:
        if (!unit->present)
            return 0;
        return ch->control & CONTROL_HOB ? unit->previous.features
                                         : unit->error;
    case 2:
        return t->count;
    case 3:
        return t->low;
    case 4:
        return t->mid;
    case 5:
        return t->high;
    case 6:
        return unit->device;
    default:
        unit->intrq = false;
        update_irq(ch);
        return status_of(ch);
    }
}

/* ---- the device ------------------------------------------------------- */

static uint8_t read_byte(struct ide *s, unsigned bank, unsigned off)
{
    switch (bank) {
    case IDE_BANK_COMMAND0:
    case IDE_BANK_COMMAND1:
        return register_read(&s->channel[bank == IDE_BANK_COMMAND1], off);
    case IDE_BANK_CONTROL0:
    case IDE_BANK_CONTROL1:
        return status_of(&s->channel[bank == IDE_BANK_CONTROL1]);
    default:
        return ide_master_read(&s->channel[off / 8 & 1], off % 8);
    }
}

static void write_byte(struct ide *s, unsigned bank, unsigned off,
                       uint8_t value)
{
    switch (bank) {
    case IDE_BANK_COMMAND0:
    case IDE_BANK_COMMAND1:
        register_write(&s->channel[bank == IDE_BANK_COMMAND1], off, value);
        break;
    case IDE_BANK_CONTROL0:
    case IDE_BANK_CONTROL1:
        control_write(&s->channel[bank == IDE_BANK_CONTROL1], value);
        break;
    default:
        ide_master_write(&s->channel[off / 8 & 1], off % 8, value);
        break;
    }
}

static bool is_data_port(unsigned bank, uint64_t off)
{
    return off == 0 && (bank == IDE_BANK_COMMAND0 || bank == IDE_BANK_COMMAND1);
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    struct ide *s = dev->state;
    uint64_t value = 0;

    if (is_data_port(bank, off))
        return data_read(&s->channel[bank == IDE_BANK_COMMAND1], size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read_byte(s, bank, (unsigned)off + i) << (8 * i);
    return value;
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    struct ide *s = dev->state;

    if (is_data_port(bank, off)) {
        data_write(&s->channel[bank == IDE_BANK_COMMAND1], (uint32_t)value,
                   size);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        write_byte(s, bank, (unsigned)off + i, (uint8_t)(value >> (8 * i)));
}

static void medium_changed(void *ctx)
{
    struct ide_unit *unit = ctx;

    if (unit->cdrom)
        atapi_changed(unit);
    else
        ata_measure(unit);
}

static void init_unit(struct device *dev, struct ide_channel *ch, unsigned i)
{
    const struct ide_config *config = dev->config;
    struct ide_unit *unit = &ch->unit[i];

    unit->dev = dev;
    unit->channel = ch;
    unit->number = 2 * ch->number + i;
    struct block *blk = dev->drive[unit->number];
    if (config) {
        unit->cdrom = config->unit[unit->number].cdrom;
        unit->model = config->unit[unit->number].model;
        unit->serial = config->unit[unit->number].serial;
    }
    unit->present = unit->cdrom || blk;
    if (blk) {
        blk->changed = medium_changed;
        blk->ctx = unit;
    }
    ata_measure(unit);
}

static int init(struct device *dev)
{
    static const uint16_t command_port[2] = {0x1F0, 0x170};
    static const uint16_t control_port[2] = {0x3F6, 0x376};
    static const char *const names[4] = {"ide0", "ide0-control", "ide1",
                                         "ide1-control"};
    struct ide *s = dev->state;

    pci_init(&s->function, dev, 0x8086, 0x7010, 0x0101, 0x80, 0, 0);
    pci_set16(&s->function, PCI_SUBSYSTEM_VENDOR, 0x1AF4);
    pci_set16(&s->function, PCI_SUBSYSTEM, 0x1100);
    memset(s->function.writable + IDETIM, 0xFF, 4);
    pci_add_bar(&s->function, 4,
                (struct region){.name = "ide-bus-master",
                                .size = 16,
                                .kind = REGION_DEVICE,
                                .dev = dev,
                                .bank = IDE_BANK_BUS_MASTER},
                true, false);
    for (unsigned c = 0; c < 2; c++) {
        s->channel[c].dev = dev;
        s->channel[c].number = c;
        init_unit(dev, &s->channel[c], 0);
        init_unit(dev, &s->channel[c], 1);
    }
    for (unsigned bank = 0; bank < IDE_BANK_BUS_MASTER; bank++) {
        bool control = bank & 1;
        s->region[bank] = (struct region){
            .name = names[bank],
            .base = control ? control_port[bank / 2] : command_port[bank / 2],
            .size = control ? 1 : 8,
            .kind = REGION_DEVICE,
            .dev = dev,
            .bank = bank,
        };
        int result = bus_map(dev->io, &s->region[bank]);
        if (result < 0)
            return result;
    }
    return 0;
}

static void reset_unit(struct ide_unit *unit)
{
    stop_transfer(unit);
    ata_measure(unit);
    unit->current_cylinders = unit->cylinders;
    unit->current_heads = unit->heads;
    unit->current_spt = unit->spt;
    unit->multiple = 0;
    unit->write_cache = true;
    unit->mwdma = unit->cdrom ? 0 : 1u << 2;
    unit->udma = 0;
    unit->intrq = false;
    unit->extended = false;
    unit->lba = 0;
    unit->block = 1;
    /* A reset does not push the tray in: an installer that ejects its CD
     * and reboots must not find it again. */
    unit->cd = (struct cd){.sector_bytes = CD_SECTOR,
                           .tray_open = unit->cd.tray_open};
    ide_signature(unit);
}

static void reset(struct device *dev)
{
    struct ide *s = dev->state;

    pci_reset(&s->function);
    /* Both channels decoded, as firmware would leave it: a kernel that is
     * started without one finds its disks. */
    pci_set16(&s->function, IDETIM, 0x8000);
    pci_set16(&s->function, IDETIM + 2, 0x8000);
    for (unsigned c = 0; c < 2; c++) {
        struct ide_channel *ch = &s->channel[c];
        ch->control = 0;
        ch->selected = 0;
        ch->master = (struct ide_master){0};
        reset_unit(&ch->unit[0]);
        reset_unit(&ch->unit[1]);
        ch->irq = false;
        device_drive(dev, c, false);
    }
}

static bool plausible(const struct ide_unit *unit)
{
    const struct cd *cd = &unit->cd;

    return unit->phase < IDE_PHASES && unit->length <= IDE_BUFFER &&
           unit->position <= unit->length && unit->block >= 1 &&
           unit->block <= IDE_BUFFER / ATA_SECTOR && unit->left <= 65536 &&
           unit->multiple <= 16 && unit->current_heads <= 16 &&
           unit->current_spt <= 255 && cd->limit <= 65535 &&
           cd->offset <= cd->total && cd->sector_bytes >= 1 &&
           cd->sector_bytes <= CD_RAW_SECTOR &&
           (cd->from_medium || cd->total <= IDE_BUFFER);
}

static int loaded(struct device *dev)
{
    struct ide *s = dev->state;

    for (unsigned i = 0; i < IDE_UNITS; i++)
        if (!plausible(&s->channel[i / 2].unit[i % 2]))
            return -EINVAL;
    s->channel[0].selected &= 1;
    s->channel[1].selected &= 1;
    pci_remap(&s->function);
    return 0;
}

const struct device_class ide_class = {
    .name = "piix3-ide",
    .description = "82371SB IDE controller",
    .state_size = sizeof(struct ide),
    .fields = fields,
    .max_access = 4,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .read = read,
    .write = write,
};

struct pci_function *ide_pci(struct device *dev)
{
    struct ide *s = dev->state;

    return &s->function;
}

bool ide_geometry(struct device *dev, unsigned unit, unsigned *cylinders,
                  unsigned *heads, unsigned *sectors)
{
    struct ide *s = dev->state;

    if (unit >= IDE_UNITS)
        return false;
    const struct ide_unit *u = &s->channel[unit / 2].unit[unit % 2];
    if (!u->present || u->cdrom)
        return false;
    *cylinders = u->cylinders;
    *heads = u->heads;
    *sectors = u->spt;
    return true;
}
