/*
 * ATAPI CD-ROM drive: the packet interface (ATA/ATAPI-6, 9.8 to 9.10), the
 * medium, and the commands that move or position it (MMC-3). The commands
 * that report are in atapi_info.c.
 *
 * Interrupt reason while DRQ is set (sector count register):
 *   C/D 1, I/O 0: send the packet     C/D 0, I/O 1: take data
 *   C/D 1, I/O 1, DRQ clear: the command is over
 *
 * After a medium change the first command that needs a medium hears that
 * there is none, and the second that there may be a new one. A guest that
 * looks only now and then thus sees both halves of the change.
 *
 * Not modelled: audio, sub-channels, sessions beyond the first, data sent to
 * the drive (MODE SELECT), and the EDC/ECC bytes of READ CD, which are zero.
 *
 * Invariants: offset <= total; a read's whole range is on the medium when it
 * starts, and ide_read checks each piece again, for the medium may be changed
 * while a transfer waits for the guest.
 */
#include "devices/ata.h"

#include <string.h>

#define PACKET_BYTES 12u

/* What a command wants to be true before it runs. */
enum {
    NEED_MEDIUM = 1u << 0,   /* else NOT READY */
    PASS_CHANGE = 1u << 1,   /* runs although a change is to be reported */
};

struct packet_command {
    uint8_t opcode;
    uint8_t needs;
    void (*run)(struct ide_unit *unit, const uint8_t *cdb);
};

bool atapi_ready(const struct ide_unit *unit)
{
    const struct block *blk = unit->dev->drive[unit->number];

    return blk && blk->inserted && !unit->cd.tray_open;
}

uint32_t atapi_sectors(const struct ide_unit *unit)
{
    const struct block *blk = unit->dev->drive[unit->number];

    if (!blk || !blk->inserted)
        return 0;
    uint64_t sectors =
        blk->size_bytes / CD_SECTOR + (blk->size_bytes % CD_SECTOR != 0);
    return sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)sectors;
}

void atapi_put_msf(uint8_t *msf, uint32_t lba)
{
    uint64_t frames = (uint64_t)lba + 150;

    msf[0] = (uint8_t)(frames / 75 / 60);
    msf[1] = (uint8_t)(frames / 75 % 60);
    msf[2] = (uint8_t)(frames % 75);
}

void atapi_changed(struct ide_unit *unit)
{
    const struct block *blk = unit->dev->drive[unit->number];

    unit->cd.tray_open = false;
    unit->cd.change = blk && blk->inserted ? CD_GONE : CD_SAME;
    unit->cd.new_medium = blk && blk->inserted;
}

/* ---- the end of a command --------------------------------------------- */

void atapi_good(struct ide_unit *unit)
{
    unit->cd.sense_key = unit->cd.asc = unit->cd.ascq = 0;
    unit->task.count = ATAPI_IO | ATAPI_CD;
    ide_complete(unit);
}

void atapi_check(struct ide_unit *unit, unsigned key, unsigned asc,
                 unsigned ascq)
{
    unit->cd.sense_key = (uint8_t)key;
    unit->cd.asc = (uint8_t)asc;
    unit->cd.ascq = (uint8_t)ascq;
    unit->task.count = ATAPI_IO | ATAPI_CD;
    ide_fail(unit, (uint8_t)(key << 4 | ATA_ABRT));
}

static void bad_field(struct ide_unit *unit)
{
    atapi_check(unit, 5, 0x24, 0); /* INVALID FIELD IN CDB */
}

/* ---- data to the host ------------------------------------------------- */

/* One sector as READ CD shows it: sync, header, data, EDC/ECC as asked. */
static int read_raw(struct ide_unit *unit, uint32_t lba, uint8_t *out)
{
    const struct block *blk = unit->dev->drive[unit->number];
    uint8_t raw[CD_RAW_SECTOR] = {0};
    uint8_t format = unit->cd.format;
    uint64_t at = (uint64_t)lba * CD_SECTOR;

    if (!blk || at >= blk->size_bytes)
        return -1;
    uint64_t rest = blk->size_bytes - at;
    int result = ide_read(unit, at, raw + 16,
                          rest < CD_SECTOR ? (size_t)rest : CD_SECTOR);
    if (result < 0)
        return result;
    memset(raw + 1, 0xFF, 10);
    atapi_put_msf(raw + 12, lba);
    for (unsigned i = 12; i < 15; i++) /* the header is in BCD */
        raw[i] = (uint8_t)(raw[i] / 10 << 4 | raw[i] % 10);
    raw[15] = 1; /* mode 1 */
    if (format & 0x80) {
        memcpy(out, raw, 12);
        out += 12;
    }
    if (format & 0x20) {
        memcpy(out, raw + 12, 4);
        out += 4;
    }
    if (!format || (format & 0x10)) {
        memcpy(out, raw + 16, CD_SECTOR);
        out += CD_SECTOR;
    }
    if (format & 0x08)
        memcpy(out, raw + 16 + CD_SECTOR, 288);
    return 0;
}

static uint32_t format_bytes(uint8_t format)
{
    return (format & 0x80 ? 12u : 0) + (format & 0x20 ? 4u : 0) +
           (format & 0x10 ? CD_SECTOR : 0) + (format & 0x08 ? 288u : 0);
}

/* Bytes `offset` to `offset + size` of the transfer, into the buffer. */
static int fill(struct ide_unit *unit, uint64_t offset, uint32_t size)
{
    struct cd *cd = &unit->cd;
    const struct block *blk = unit->dev->drive[unit->number];
    uint64_t at = (uint64_t)cd->lba * CD_SECTOR + offset;
    uint8_t sector[CD_RAW_SECTOR];
    uint32_t done = 0;

    if (!atapi_ready(unit))
        return -1;
    /* Plain sectors that are all there: one read. */
    if (!cd->format && at + size <= blk->size_bytes)
        return ide_read(unit, at, unit->buffer, size);
    while (done < size) {
        uint64_t where = offset + done;
        uint32_t skip = (uint32_t)(where % cd->sector_bytes);
        uint32_t n = cd->sector_bytes - skip;
        if (n > size - done)
            n = size - done;
        memset(sector, 0, sizeof(sector));
        int result = read_raw(
            unit, cd->lba + (uint32_t)(where / cd->sector_bytes), sector);
        if (result < 0)
            return result;
        memcpy(unit->buffer + done, sector + skip, n);
        done += n;
    }
    return 0;
}

/* Offers the next piece: what the byte count limit allows, or 64 KiB. */
static void next_chunk(struct ide_unit *unit)
{
    struct cd *cd = &unit->cd;
    uint64_t rest = cd->total - cd->offset;
    uint32_t limit = cd->dma ? IDE_BUFFER : cd->limit;
    uint32_t size = rest < limit ? (uint32_t)rest : limit;

    if (cd->from_medium && fill(unit, cd->offset, size) < 0) {
        if (atapi_ready(unit))
            atapi_check(unit, 3, 0x11, 0); /* UNRECOVERED READ ERROR */
        else
            atapi_check(unit, 2, 0x3A, 0); /* MEDIUM NOT PRESENT */
        return;
    }
    if (!cd->from_medium && cd->offset)
        memmove(unit->buffer, unit->buffer + unit->length,
                (size_t)rest); /* a reply that needs several blocks */
    unit->task.count = ATAPI_IO;
    if (cd->dma) {
        ide_start(unit, IDE_DMA_IN, size);
        return;
    }
    unit->task.mid = (uint8_t)size;
    unit->task.high = (uint8_t)(size >> 8);
    ide_start(unit, IDE_DATA_IN, size);
    ide_raise(unit);
}

void atapi_chunk_done(struct ide_unit *unit)
{
    struct cd *cd = &unit->cd;

    if (cd->total == 0) { /* IDENTIFY PACKET DEVICE: not a packet's data */
        unit->phase = IDE_IDLE;
        unit->status = ATA_DRDY | ATA_DSC;
        return;
    }
    cd->offset += unit->length;
    if (cd->offset >= cd->total || unit->length == 0)
        atapi_good(unit);
    else
        next_chunk(unit);
}

static void start_data(struct ide_unit *unit, uint64_t total)
{
    if (total == 0) {
        atapi_good(unit);
        return;
    }
    unit->cd.sense_key = unit->cd.asc = unit->cd.ascq = 0;
    unit->cd.offset = 0;
    unit->cd.total = total;
    next_chunk(unit);
    if (unit->cd.dma)
        ide_run_dma(unit->channel);
}

void atapi_reply(struct ide_unit *unit, uint32_t size, uint32_t allocation)
{
    unit->cd.from_medium = false;
    start_data(unit, size < allocation ? size : allocation);
}

/* ---- commands that move the medium or its data ------------------------ */

static void read_sectors(struct ide_unit *unit, uint32_t lba, uint32_t count,
                         uint8_t format)
{
    uint32_t sectors = atapi_sectors(unit);

    if (lba > sectors || count > sectors - lba) {
        atapi_check(unit, 5, 0x21, 0); /* LBA OUT OF RANGE */
        return;
    }
    unit->cd.from_medium = true;
    unit->cd.lba = lba;
    unit->cd.format = format;
    unit->cd.sector_bytes = format ? format_bytes(format) : CD_SECTOR;
    start_data(unit, (uint64_t)count * unit->cd.sector_bytes);
}

static void read10(struct ide_unit *unit, const uint8_t *cdb)
{
    read_sectors(unit, atapi_be32(cdb + 2), atapi_be16(cdb + 7), 0);
}

static void read12(struct ide_unit *unit, const uint8_t *cdb)
{
    read_sectors(unit, atapi_be32(cdb + 2), atapi_be32(cdb + 6), 0);
}

static void read_cd(struct ide_unit *unit, const uint8_t *cdb)
{
    unsigned type = cdb[1] >> 2 & 7u;
    uint8_t format = cdb[9] & 0xF8;
    uint32_t count = (uint32_t)cdb[6] << 16 | atapi_be16(cdb + 7);

    if (type != 0 && type != 2) {      /* neither "any" nor mode 1 */
        atapi_check(unit, 5, 0x64, 0); /* ILLEGAL MODE FOR THIS TRACK */
        return;
    }
    /* There are no C2 errors and no sub-channel data. */
    if ((cdb[9] & 0x06) || (cdb[10] & 7)) {
        bad_field(unit);
        return;
    }
    if (format_bytes(format) == 0)
        count = 0;
    read_sectors(unit, atapi_be32(cdb + 2), count, format == 0x10 ? 0 : format);
}

static void seek10(struct ide_unit *unit, const uint8_t *cdb)
{
    if (atapi_be32(cdb + 2) >= atapi_sectors(unit))
        atapi_check(unit, 5, 0x21, 0);
    else
        atapi_good(unit);
}

static void read_capacity(struct ide_unit *unit, const uint8_t *cdb)
{
    uint32_t sectors = atapi_sectors(unit);

    (void)cdb;
    atapi_put32(unit->buffer, sectors ? sectors - 1 : 0);
    atapi_put32(unit->buffer + 4, CD_SECTOR);
    atapi_reply(unit, 8, 8);
}

static void succeed(struct ide_unit *unit, const uint8_t *cdb)
{
    (void)cdb;
    atapi_good(unit);
}

/* Byte 4: power condition (7:4), LoEj (1), Start (0). */
static void start_stop(struct ide_unit *unit, const uint8_t *cdb)
{
    bool load_eject = (cdb[4] & 2) && (cdb[4] >> 4) == 0;
    bool start = cdb[4] & 1;

    if (load_eject && !start) {
        if (unit->cd.locked) {
            atapi_check(unit, 5, 0x53, 2); /* MEDIUM REMOVAL PREVENTED */
            return;
        }
        unit->cd.tray_open = true;
        unit->cd.change = CD_SAME;
    } else if (load_eject && unit->cd.tray_open) {
        const struct block *blk = unit->dev->drive[unit->number];
        unit->cd.tray_open = false;
        if (blk && blk->inserted) {
            unit->cd.change = CD_NEW;
            unit->cd.new_medium = true;
        }
    }
    atapi_good(unit);
}

static void prevent_allow(struct ide_unit *unit, const uint8_t *cdb)
{
    unit->cd.locked = cdb[4] & 1;
    atapi_good(unit);
}

static const struct packet_command commands[] = {
    {0x00, NEED_MEDIUM, succeed}, /* TEST UNIT READY */
    {0x03, PASS_CHANGE, atapi_request_sense},
    {0x12, PASS_CHANGE, atapi_inquiry},
    {0x1A, 0, atapi_mode_sense},
    {0x1B, 0, start_stop},
    {0x1E, 0, prevent_allow},
    {0x25, NEED_MEDIUM, read_capacity},
    {0x28, NEED_MEDIUM, read10},
    {0x2B, NEED_MEDIUM, seek10},
    {0x43, NEED_MEDIUM, atapi_read_toc},
    {0x46, PASS_CHANGE, atapi_get_configuration},
    {0x4A, PASS_CHANGE, atapi_get_event},
    {0x51, NEED_MEDIUM, atapi_read_disc_info},
    {0x5A, 0, atapi_mode_sense},
    {0xA8, NEED_MEDIUM, read12},
    {0xBB, 0, succeed}, /* SET CD SPEED */
    {0xBD, 0, atapi_mechanism_status},
    {0xBE, NEED_MEDIUM, read_cd},
};

/* True when the command has to hear of a medium change first. */
static bool report_change(struct ide_unit *unit, unsigned needs)
{
    if (needs & PASS_CHANGE)
        return false;
    if (unit->cd.change == CD_GONE && (needs & NEED_MEDIUM)) {
        unit->cd.change = CD_NEW;
        atapi_check(unit, 2, 0x3A, 0);
        return true;
    }
    if (unit->cd.change == CD_NEW) {
        unit->cd.change = CD_SAME;
        atapi_check(unit, 6, 0x28, 0); /* MEDIUM MAY HAVE CHANGED */
        return true;
    }
    return false;
}

void atapi_packet(struct ide_unit *unit)
{
    uint8_t cdb[PACKET_BYTES];

    memcpy(cdb, unit->buffer, sizeof(cdb));
    unit->phase = IDE_IDLE;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct packet_command *c = &commands[i];
        if (c->opcode != cdb[0])
            continue;
        if (report_change(unit, c->needs))
            return;
        if ((c->needs & NEED_MEDIUM) && !atapi_ready(unit)) {
            /* MEDIUM NOT PRESENT, tray closed (1) or open (2) */
            atapi_check(unit, 2, 0x3A, unit->cd.tray_open ? 2 : 1);
            return;
        }
        c->run(unit, cdb);
        return;
    }
    log_line(unit->dev->log, LOG_UNIMP, "ide: unit %u: packet 0x%02x\n",
             unit->number, cdb[0]);
    atapi_check(unit, 5, 0x20, 0); /* INVALID COMMAND */
}

/* ---- the ATA commands that a packet device has ------------------------ */

static void identify_packet(struct ide_unit *unit)
{
    static const struct {
        uint8_t word;
        uint16_t value;
    } rows[] = {
        {0, 0x85C0},  /* ATAPI, CD-ROM, removable, DRQ at once, 12 bytes */
        {49, 0x0B00}, /* IORDY, LBA, DMA */
        {53, 0x0006}, /* words 64-70 and 88 are valid */
        {64, 0x0003}, {65, 120},    {66, 120},    {67, 120},    {68, 120},
        {71, 30},     {72, 30},     /* release and SERVICE times */
        {80, 0x0070}, {82, 0x4210}, /* NOP, DEVICE RESET, PACKET */
        {83, 0x4000}, {84, 0x4000}, {85, 0x4210}, {87, 0x4000}, {93, 0x6001},
    };
    uint8_t *b = unit->buffer;
    char serial[16] = "VC0000000";

    memset(b, 0, ATA_SECTOR);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ata_put16(b, rows[i].word, rows[i].value);
    serial[8] = (char)('1' + unit->number);
    ata_put_text(b, 10, unit->serial ? unit->serial : serial, 20);
    ata_put_text(b, 23, "1.0", 8);
    ata_put_text(b, 27, unit->model ? unit->model : "VITRINE CD-ROM", 40);
    ata_put16(b, 63, 0x07u | (unsigned)unit->mwdma << 8);
    ata_put16(b, 88, 0x3Fu | (unsigned)unit->udma << 8);
    /* One block; chunk_done has nothing to add. */
    unit->cd.offset = 0;
    unit->cd.total = 0;
    ide_start(unit, IDE_DATA_IN, ATA_SECTOR);
    ide_raise(unit);
}

static void packet(struct ide_unit *unit)
{
    uint32_t limit = (uint32_t)unit->task.mid | (uint32_t)unit->task.high << 8;

    if (unit->task.features & 2) { /* overlapped */
        ide_fail(unit, ATA_ABRT);
        return;
    }
    unit->cd.dma = unit->task.features & 1;
    /* An odd limit makes even blocks; 0 and FFFF mean FFFE (9.8.2). */
    limit &= ~1u;
    unit->cd.limit = limit ? limit : 0xFFFE;
    unit->task.count = ATAPI_CD;
    ide_start(unit, IDE_PACKET, PACKET_BYTES);
}

void atapi_command(struct ide_unit *unit, uint8_t command)
{
    switch (command) {
    case 0x08: /* DEVICE RESET: no interrupt */
        ide_signature(unit);
        unit->cd.dma = false;
        break;
    case 0xA0:
        packet(unit);
        break;
    case 0xA1:
        identify_packet(unit);
        break;
    case 0x20: /* READ SECTORS and IDENTIFY DEVICE: abort, and say what */
    case 0xEC: /* kind of device this is */
        ide_signature(unit);
        ide_fail(unit, ATA_ABRT);
        break;
    default:
        ata_command(unit, command);
    }
}
