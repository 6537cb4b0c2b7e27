/*
 * ATA hard disks (ATA/ATAPI-6, clause 8): commands, addresses, IDENTIFY.
 *
 * An address comes in one of three forms. Extended commands take 48 bits from
 * both layers of the task file; others take 28 bits when the device register's
 * LBA bit is set, or cylinder, head and sector (from 1) in the current
 * translation.
 *
 * A write reaches the medium when its block (one sector, or `multiple`
 * sectors) is complete in the buffer, never in part. With the write cache
 * switched off it is also flushed before the command ends.
 *
 * Not modelled: READ/WRITE LONG, SMART, security, HPA (SET MAX), queued
 * commands: they are aborted, and IDENTIFY does not announce them.
 *
 * Invariants: lba + left <= sectors when a transfer starts; each chunk's range
 * is checked again by ide_read and ide_write.
 */
#include "devices/ata.h"

#include <string.h>

#define MAX_MULTIPLE 16u
#define DMA_SECTORS (IDE_BUFFER / ATA_SECTOR)
#define LBA28_SECTORS 0x0FFFFFFFu

/* What a row of the command table means. */
enum {
    CMD_EXT = 1u << 0,      /* 48-bit address and 16-bit count */
    CMD_DMA = 1u << 1,
    CMD_MULTIPLE = 1u << 2, /* blocks of several sectors */
    CMD_WRITE = 1u << 3,
    CMD_ATAPI = 1u << 4,    /* packet devices have it too */
};

struct ata_command {
    uint8_t first, last; /* opcodes */
    uint8_t flags;
    void (*run)(struct ide_unit *unit, unsigned flags);
};

/* ---- addresses -------------------------------------------------------- */

void ata_measure(struct ide_unit *unit)
{
    const struct block *blk = unit->dev->drive[unit->number];

    unit->sectors =
        !unit->cdrom && blk && blk->inserted ? blk->size_bytes / ATA_SECTOR : 0;
    if (unit->sectors > UINT64_C(1) << 48)
        unit->sectors = UINT64_C(1) << 48;
    unit->heads = 16;
    unit->spt = 63;
    uint64_t cylinders = unit->sectors / (16 * 63);
    unit->cylinders = cylinders > 16383 ? 16383
                      : cylinders < 1   ? 1
                                        : (uint16_t)cylinders;
}

/* The task file's address; false when no sector can have it. */
static bool get_address(const struct ide_unit *unit, bool extended,
                        uint64_t *lba)
{
    const struct ide_taskfile *t = &unit->task, *p = &unit->previous;
    uint32_t low24 =
        (uint32_t)t->low | (uint32_t)t->mid << 8 | (uint32_t)t->high << 16;
    uint32_t head = unit->device & 0x0F;

    if (extended) {
        *lba = low24 | (uint64_t)p->low << 24 | (uint64_t)p->mid << 32 |
               (uint64_t)p->high << 40;
        return true;
    }
    if (unit->device & ATA_LBA) {
        *lba = low24 | head << 24;
        return true;
    }
    uint32_t cylinder = (uint32_t)t->mid | (uint32_t)t->high << 8;
    if (t->low == 0 || t->low > unit->current_spt ||
        head >= unit->current_heads)
        return false;
    *lba =
        ((uint64_t)cylinder * unit->current_heads + head) * unit->current_spt +
        t->low - 1;
    return true;
}

/* The reverse: where a command ended or failed. */
static void put_address(struct ide_unit *unit, uint64_t lba)
{
    struct ide_taskfile *t = &unit->task, *p = &unit->previous;
    uint64_t high = lba >> 16;

    if (!unit->extended && !(unit->device & ATA_LBA)) {
        uint32_t spt = unit->current_spt, heads = unit->current_heads;
        if (spt == 0 || heads == 0)
            return;
        uint64_t cylinder = lba / spt / heads;
        t->low = (uint8_t)(lba % spt + 1);
        t->mid = (uint8_t)cylinder;
        t->high = (uint8_t)(cylinder >> 8);
        unit->device =
            (uint8_t)((unit->device & 0xF0) | (lba / spt % heads & 0x0F));
        return;
    }
    t->low = (uint8_t)lba;
    t->mid = (uint8_t)(lba >> 8);
    t->high = (uint8_t)high;
    if (unit->extended) {
        p->low = (uint8_t)(lba >> 24);
        p->mid = (uint8_t)(lba >> 32);
        p->high = (uint8_t)(lba >> 40);
    } else {
        unit->device = (uint8_t)((unit->device & 0xF0) | ((lba >> 24) & 0x0F));
    }
}

static uint32_t get_count(const struct ide_unit *unit, bool extended)
{
    uint32_t count = unit->task.count;

    if (!extended)
        return count ? count : 256;
    count |= (uint32_t)unit->previous.count << 8;
    return count ? count : 65536;
}

/* Takes address and count; on a bad one the command has failed. */
static bool take_range(struct ide_unit *unit, bool extended)
{
    unit->extended = extended;
    uint32_t count = get_count(unit, extended);
    if (!get_address(unit, extended, &unit->lba) ||
        unit->lba >= unit->sectors || count > unit->sectors - unit->lba) {
        ide_fail(unit, ATA_IDNF);
        return false;
    }
    unit->left = count;
    return true;
}

/* ---- transfers -------------------------------------------------------- */

static void fail_at(struct ide_unit *unit, uint8_t error)
{
    put_address(unit, unit->lba);
    ide_fail(unit, error);
}

/* Fills or asks for the chunk at `lba`. False: the command has failed. */
static bool next_chunk(struct ide_unit *unit, enum ide_phase phase)
{
    uint32_t sectors = unit->left < unit->block ? unit->left : unit->block;
    uint32_t length = sectors * ATA_SECTOR;

    if ((phase == IDE_DATA_IN || phase == IDE_DMA_IN) &&
        ide_read(unit, unit->lba * ATA_SECTOR, unit->buffer, length) < 0) {
        fail_at(unit, ATA_UNC);
        return false;
    }
    ide_start(unit, phase, length);
    return true;
}

void ata_chunk_done(struct ide_unit *unit)
{
    enum ide_phase phase = (enum ide_phase)unit->phase;
    bool out = phase == IDE_DATA_OUT || phase == IDE_DMA_OUT;
    uint32_t sectors = unit->length / ATA_SECTOR;

    if (unit->left == 0) { /* IDENTIFY: the buffer was all there is */
        unit->phase = IDE_IDLE;
        unit->status = ATA_DRDY | ATA_DSC;
        return;
    }
    if (out && ide_write(unit, unit->lba * ATA_SECTOR, unit->buffer,
                         unit->length) < 0) {
        fail_at(unit, ATA_ABRT);
        return;
    }
    unit->lba += sectors;
    unit->left -= sectors < unit->left ? sectors : unit->left;
    if (unit->left) {
        if (next_chunk(unit, phase) &&
            (phase == IDE_DATA_IN || phase == IDE_DATA_OUT))
            ide_raise(unit);
        return;
    }
    if (out && !unit->write_cache && ide_flush(unit) < 0) {
        fail_at(unit, ATA_ABRT);
        return;
    }
    put_address(unit, unit->lba - 1);
    unit->task.count = 0;
    if (phase == IDE_DATA_IN) { /* no interrupt after the last block */
        unit->phase = IDE_IDLE;
        unit->status = ATA_DRDY | ATA_DSC;
        return;
    }
    ide_complete(unit);
}

static void transfer(struct ide_unit *unit, unsigned flags)
{
    bool out = (flags & CMD_WRITE) != 0;

    if ((flags & CMD_MULTIPLE) && unit->multiple == 0) {
        ide_fail(unit, ATA_ABRT);
        return;
    }
    const struct block *blk = unit->dev->drive[unit->number];
    if (out && (!blk || blk->read_only)) {
        ide_fail(unit, ATA_ABRT);
        return;
    }
    if (!take_range(unit, (flags & CMD_EXT) != 0))
        return;
    unit->block = flags & CMD_DMA        ? DMA_SECTORS
                  : flags & CMD_MULTIPLE ? unit->multiple
                                         : 1;
    if (flags & CMD_DMA) {
        if (next_chunk(unit, out ? IDE_DMA_OUT : IDE_DMA_IN))
            ide_run_dma(unit->channel);
        return;
    }
    /* The first block of a PIO write is asked for without an interrupt. */
    if (next_chunk(unit, out ? IDE_DATA_OUT : IDE_DATA_IN) && !out)
        ide_raise(unit);
}

static void verify(struct ide_unit *unit, unsigned flags)
{
    if (!take_range(unit, (flags & CMD_EXT) != 0))
        return;
    while (unit->left) {
        uint32_t n = unit->left < DMA_SECTORS ? unit->left : DMA_SECTORS;
        if (ide_read(unit, unit->lba * ATA_SECTOR, unit->buffer,
                     n * ATA_SECTOR) < 0) {
            fail_at(unit, ATA_UNC);
            return;
        }
        unit->lba += n;
        unit->left -= n;
    }
    put_address(unit, unit->lba - 1);
    ide_complete(unit);
}

/* ---- IDENTIFY --------------------------------------------------------- */

void ata_put16(uint8_t *buffer, unsigned word, unsigned value)
{
    buffer[2 * word] = (uint8_t)value;
    buffer[2 * word + 1] = (uint8_t)(value >> 8);
}

static void put64(uint8_t *buffer, unsigned word, uint64_t value,
                  unsigned words)
{
    for (unsigned i = 0; i < words; i++)
        ata_put16(buffer, word + i, (unsigned)(value >> (16 * i)) & 0xFFFFu);
}

/* Text is padded with spaces; the first character is a word's high byte. */
void ata_put_text(uint8_t *buffer, unsigned word, const char *text,
                  unsigned size)
{
    bool ended = false;

    for (unsigned i = 0; i < size; i++) {
        ended = ended || !text[i];
        buffer[(2 * word + i) ^ 1] = (uint8_t)(ended ? ' ' : text[i]);
    }
}

/* A constant row of IDENTIFY DEVICE. */
static const struct {
    uint8_t word;
    uint16_t value;
} identity[] = {
    {0, 0x0040}, /* fixed drive */
    {20, 3},
    {21, 512}, /* obsolete: dual-ported cache, 256 KiB */
    {47, 0x8000 | MAX_MULTIPLE},
    {48, 1},      /* 32-bit data port */
    {49, 0x0F00}, /* IORDY, LBA, DMA */
    {50, 0x4000},
    {51, 0x0200},
    {52, 0x0200},
    {53, 0x0007}, /* words 54-58, 64-70 and 88 are valid */
    {64, 0x0003}, /* PIO 3 and 4 */
    {65, 120},
    {66, 120},
    {67, 120},
    {68, 120},    /* cycle times, ns */
    {80, 0x0070}, /* ATA-4 to ATA/ATAPI-6 */
    {82, 0x4028}, /* NOP, write cache, power management */
    {83, 0x7400}, /* FLUSH CACHE (EXT), 48-bit addresses */
    {84, 0x4000},
    {86, 0x3400},
    {87, 0x4000},
    {93, 0x6001}, /* reset result: device 0, 80-wire cable */
};

static void identify(struct ide_unit *unit, unsigned flags)
{
    uint8_t *b = unit->buffer;
    uint32_t current = (uint32_t)unit->current_cylinders * unit->current_heads *
                       unit->current_spt;
    char serial[16] = "VT0000000";

    (void)flags;
    memset(b, 0, ATA_SECTOR);
    for (size_t i = 0; i < sizeof(identity) / sizeof(identity[0]); i++)
        ata_put16(b, identity[i].word, identity[i].value);
    serial[8] = (char)('1' + unit->number);
    ata_put16(b, 1, unit->cylinders);
    ata_put16(b, 3, unit->heads);
    ata_put16(b, 6, unit->spt);
    ata_put_text(b, 10, unit->serial ? unit->serial : serial, 20);
    ata_put_text(b, 23, "1.0", 8);
    ata_put_text(b, 27, unit->model ? unit->model : "VITRINE HARDDISK", 40);
    ata_put16(b, 54, unit->current_cylinders);
    ata_put16(b, 55, unit->current_heads);
    ata_put16(b, 56, unit->current_spt);
    put64(b, 57, current, 2);
    if (unit->multiple)
        ata_put16(b, 59, 0x0100u | unit->multiple);
    put64(b, 60, unit->sectors < LBA28_SECTORS ? unit->sectors : LBA28_SECTORS,
          2);
    ata_put16(b, 63, 0x07u | (unsigned)unit->mwdma << 8);
    ata_put16(b, 85, 0x4008u | (unit->write_cache ? 0x20u : 0));
    ata_put16(b, 88, 0x3Fu | (unsigned)unit->udma << 8);
    put64(b, 100, unit->sectors, 4);
    /* Word 255: signature, and a byte that makes the sum of all zero. */
    unsigned sum = 0xA5;
    for (unsigned i = 0; i < 510; i++)
        sum += b[i];
    ata_put16(b, 255, 0xA5u | ((0u - sum) & 0xFFu) << 8);
    ide_start(unit, IDE_DATA_IN, ATA_SECTOR);
    ide_raise(unit);
}

/* ---- the rest --------------------------------------------------------- */

static void set_features(struct ide_unit *unit, unsigned flags)
{
    (void)flags;
    ata_set_features(unit);
}

/* SET FEATURES 03h: the count register is mode class (7:3) and number. */
static bool set_transfer_mode(struct ide_unit *unit, uint8_t mode)
{
    unsigned n = mode & 7u;

    switch (mode >> 3) {
    case 0: /* PIO, default */
        return n <= 1;
    case 1: /* PIO with flow control */
        return n <= 4;
    case 4:
        if (n > 2)
            return false;
        unit->mwdma = (uint8_t)(1u << n);
        unit->udma = 0;
        return true;
    case 8:
        if (n > 5)
            return false;
        unit->udma = (uint8_t)(1u << n);
        unit->mwdma = 0;
        return true;
    default:
        return false;
    }
}

void ata_set_features(struct ide_unit *unit)
{
    bool done = true;

    switch (unit->task.features) {
    case 0x02:
        done = !unit->cdrom;
        unit->write_cache = true;
        break;
    case 0x82:
        /* What the cache holds must be safe before it is gone. */
        done = !unit->cdrom && ide_flush(unit) == 0;
        unit->write_cache = !done;
        break;
    case 0x03:
        done = set_transfer_mode(unit, unit->task.count);
        break;
    case 0x55: /* read look-ahead off and on: there is none to see */
    case 0xAA:
    case 0x66: /* keep settings over a soft reset, or revert to defaults */
    case 0xCC:
        break;
    default:
        done = false;
    }
    if (done)
        ide_complete(unit);
    else
        ide_fail(unit, ATA_ABRT);
}

static void set_multiple(struct ide_unit *unit, unsigned flags)
{
    unsigned n = unit->task.count;

    (void)flags;
    if (n > MAX_MULTIPLE || (n & (n - 1)) != 0) {
        ide_fail(unit, ATA_ABRT);
        return;
    }
    unit->multiple = (uint8_t)n;
    ide_complete(unit);
}

static void set_geometry(struct ide_unit *unit, unsigned flags)
{
    unsigned spt = unit->task.count, heads = (unit->device & 0x0Fu) + 1;

    (void)flags;
    if (spt == 0) {
        ide_fail(unit, ATA_ABRT);
        return;
    }
    uint64_t cylinders = unit->sectors / (heads * spt);
    unit->current_spt = (uint16_t)spt;
    unit->current_heads = (uint16_t)heads;
    unit->current_cylinders = cylinders > 65535 ? 65535 : (uint16_t)cylinders;
    ide_complete(unit);
}

static void recalibrate(struct ide_unit *unit, unsigned flags)
{
    (void)flags;
    unit->task.mid = unit->task.high = 0;
    ide_complete(unit);
}

static void seek(struct ide_unit *unit, unsigned flags)
{
    uint64_t lba;

    (void)flags;
    if (!get_address(unit, false, &lba) || lba >= unit->sectors)
        ide_fail(unit, ATA_IDNF);
    else
        ide_complete(unit);
}

static void flush(struct ide_unit *unit, unsigned flags)
{
    (void)flags;
    if (ide_flush(unit) < 0)
        ide_fail(unit, ATA_ABRT);
    else
        ide_complete(unit);
}

static void read_native_max(struct ide_unit *unit, unsigned flags)
{
    uint64_t last = unit->sectors ? unit->sectors - 1 : 0;

    unit->extended = (flags & CMD_EXT) != 0;
    if (!unit->extended && last >= LBA28_SECTORS)
        last = LBA28_SECTORS - 1;
    put_address(unit, last);
    ide_complete(unit);
}

static void power(struct ide_unit *unit, unsigned flags)
{
    (void)flags;
    ide_complete(unit);
}

/* Standby may cut the power: what is cached goes to the medium first. */
static void standby(struct ide_unit *unit, unsigned flags)
{
    flush(unit, flags);
}

static void check_power(struct ide_unit *unit, unsigned flags)
{
    unit->task.count = 0xFF; /* active or idle */
    power(unit, flags);
}

static const struct ata_command commands[] = {
    {0x10, 0x1F, 0, recalibrate},
    {0x20, 0x21, 0, transfer},
    {0x24, 0x24, CMD_EXT, transfer},
    {0x25, 0x25, CMD_EXT | CMD_DMA, transfer},
    {0x27, 0x27, CMD_EXT, read_native_max},
    {0x29, 0x29, CMD_EXT | CMD_MULTIPLE, transfer},
    {0x30, 0x31, CMD_WRITE, transfer},
    {0x34, 0x34, CMD_WRITE | CMD_EXT, transfer},
    {0x35, 0x35, CMD_WRITE | CMD_EXT | CMD_DMA, transfer},
    {0x39, 0x39, CMD_WRITE | CMD_EXT | CMD_MULTIPLE, transfer},
    {0x3C, 0x3C, CMD_WRITE, transfer}, /* WRITE VERIFY */
    {0x40, 0x41, 0, verify},
    {0x42, 0x42, CMD_EXT, verify},
    {0x70, 0x7F, 0, seek},
    {0x91, 0x91, 0, set_geometry},
    {0x94, 0x94, CMD_ATAPI, standby}, /* STANDBY IMMEDIATE, before ATA-4 */
    {0x95, 0x95, CMD_ATAPI, power},   /* IDLE IMMEDIATE */
    {0x96, 0x96, CMD_ATAPI, standby},
    {0x97, 0x97, CMD_ATAPI, power},
    {0x98, 0x98, CMD_ATAPI, check_power},
    {0x99, 0x99, CMD_ATAPI, standby}, /* SLEEP */
    {0xC4, 0xC4, CMD_MULTIPLE, transfer},
    {0xC5, 0xC5, CMD_WRITE | CMD_MULTIPLE, transfer},
    {0xC6, 0xC6, 0, set_multiple},
    {0xC8, 0xC9, CMD_DMA, transfer},
    {0xCA, 0xCB, CMD_WRITE | CMD_DMA, transfer},
    {0xE0, 0xE0, CMD_ATAPI, standby}, /* STANDBY IMMEDIATE */
    {0xE1, 0xE1, CMD_ATAPI, power},   /* IDLE IMMEDIATE */
    {0xE2, 0xE2, CMD_ATAPI, standby},
    {0xE3, 0xE3, CMD_ATAPI, power},
    {0xE5, 0xE5, CMD_ATAPI, check_power},
    {0xE6, 0xE6, CMD_ATAPI, standby}, /* SLEEP */
    {0xE7, 0xE7, CMD_ATAPI, flush},
    {0xEA, 0xEA, 0, flush}, /* FLUSH CACHE EXT */
    {0xEC, 0xEC, 0, identify},
    {0xEF, 0xEF, CMD_ATAPI, set_features},
    {0xF8, 0xF8, 0, read_native_max},
};

void ata_command(struct ide_unit *unit, uint8_t command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct ata_command *c = &commands[i];
        if (command < c->first || command > c->last)
            continue;
        if (unit->cdrom && !(c->flags & CMD_ATAPI))
            break;
        c->run(unit, c->flags);
        return;
    }
    log_line(unit->dev->log, LOG_UNIMP, "ide: unit %u: command 0x%02x\n",
             unit->number, command);
    ide_fail(unit, ATA_ABRT);
}
