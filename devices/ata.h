/*
 * What ide.c and ide_master.c (channels), ata.c (hard disks) and atapi.c and
 * atapi_info.c (CD-ROMs) share. Nobody else includes this; the board's header
 * is ide.h.
 *
 * A unit moves data in chunks: what one DRQ assertion covers under PIO, up to
 * 64 KiB under DMA. A chunk lies in `buffer` from 0 to `length`, and
 * `position` counts how much of it the host has moved. When they meet, the
 * unit's chunk_done decides what comes next.
 *
 * Invariants: position <= length <= IDE_BUFFER. A medium is reached only
 * through ide_read and ide_write, which check every range against the
 * medium that is in the drive at that moment.
 */
#ifndef DEVICES_ATA_H
#define DEVICES_ATA_H

#include "devices/ide.h"

#define IDE_BUFFER 65536u
#define ATA_SECTOR 512u
#define CD_SECTOR 2048u
#define CD_RAW_SECTOR 2352u

/* Status register. */
enum {
    ATA_ERR = 0x01, ATA_DRQ = 0x08, ATA_DSC = 0x10, ATA_DF = 0x20,
    ATA_DRDY = 0x40, ATA_BSY = 0x80,
};
/* Error register. */
enum { ATA_ABRT = 0x04, ATA_IDNF = 0x10, ATA_UNC = 0x40 };
/* Device register. */
enum { ATA_DEV = 0x10, ATA_LBA = 0x40, ATA_OBSOLETE = 0xA0 };
/* Sector count register of an ATAPI unit: the interrupt reason. */
enum { ATAPI_CD = 0x01, ATAPI_IO = 0x02 };

/* What the data port or the bus master may do now. */
enum ide_phase {
    IDE_IDLE,
    IDE_DATA_IN,  /* PIO, unit to host */
    IDE_DATA_OUT, /* PIO, host to unit */
    IDE_PACKET,   /* PIO, the twelve bytes of an ATAPI command */
    IDE_DMA_IN,
    IDE_DMA_OUT,
    IDE_PHASES
};

/* The registers that are two bytes deep for 48-bit addresses. */
struct ide_taskfile {
    uint8_t features, count, low, mid, high;
};

/* A medium change, as the guest is told of it: first that the medium is gone,
 * then that there may be another. */
enum cd_change { CD_SAME, CD_GONE, CD_NEW };

/* The packet side of a unit. */
struct cd {
    uint8_t sense_key, asc, ascq;
    bool tray_open;
    bool locked;      /* PREVENT ALLOW MEDIUM REMOVAL */
    uint8_t change;   /* enum cd_change */
    bool new_medium;  /* for GET EVENT STATUS NOTIFICATION */
    bool dma;         /* PACKET with features bit 0 */
    uint8_t format;   /* READ CD byte 9; 0 for plain 2048-byte sectors */
    bool from_medium; /* the data comes from the medium, not the buffer */
    uint32_t limit;   /* bytes a DRQ block may have */
    uint32_t lba;     /* first sector of the transfer */
    uint32_t sector_bytes;
    uint64_t offset, total; /* bytes of the transfer done, and in all */
};

struct ide_channel;

struct ide_unit {
    struct device *dev;
    struct ide_channel *channel;
    unsigned number; /* 0 to 3, index into dev->drive */
    bool present, cdrom;
    const char *model, *serial;

    /* Hard disks: size, default and current translation. */
    uint64_t sectors;
    uint16_t cylinders, heads, spt;
    uint16_t current_cylinders, current_heads, current_spt;

    struct ide_taskfile task, previous;
    uint8_t device, status, error;
    bool intrq;       /* before nIEN */
    uint8_t multiple; /* sectors a block of READ MULTIPLE; 0 = disabled */
    bool write_cache;
    uint8_t mwdma, udma; /* selected mode as a bit, or 0 */

    uint8_t phase; /* enum ide_phase */
    bool extended; /* the running command has a 48-bit address */
    uint32_t position, length;
    uint64_t lba;   /* of the chunk in the buffer */
    uint32_t left;  /* sectors from there to the end of the command */
    uint32_t block; /* sectors a chunk */
    struct cd cd;
    uint8_t buffer[IDE_BUFFER];
};

/* One channel's bus master registers (PIIX3 2.7), and where it is in the
 * table of physical region descriptors. */
struct ide_master {
    uint8_t command, status;
    uint32_t table;
    uint32_t entry;   /* address of the next descriptor */
    uint32_t address; /* of the region being moved */
    uint32_t left;    /* bytes of it still to move */
    bool last;        /* it is the table's last */
};

struct ide_channel {
    struct device *dev;
    unsigned number; /* 0 or 1 */
    struct ide_unit unit[2];
    uint8_t control; /* device control register */
    uint8_t selected;
    bool irq; /* level of the wire */
    struct ide_master master;
};

/* ide.c: what the units ask of the channel. */

/* Sets INTRQ; the wire follows when the unit is selected and nIEN is clear. */
void ide_raise(struct ide_unit *unit);
/* The command is over, without and with an error; both interrupt. */
void ide_complete(struct ide_unit *unit);
void ide_fail(struct ide_unit *unit, uint8_t error);
/* Offers or awaits `length` bytes of the buffer, at the data port or by bus
 * master as `phase` says. The caller decides whether that interrupts, and
 * calls ide_run_dma() when a bus master transfer is set up: it runs as soon
 * as, and as long as, the guest lets the bus master run. */
void ide_start(struct ide_unit *unit, enum ide_phase phase, uint32_t length);
/* The host has moved the whole chunk. */
void ide_chunk_done(struct ide_unit *unit);
/* The registers after a reset say what kind of unit this is. */
void ide_signature(struct ide_unit *unit);
/* 0 or -errno; never touches a byte outside the medium. */
int ide_read(struct ide_unit *unit, uint64_t offset, void *data, size_t size);
int ide_write(struct ide_unit *unit, uint64_t offset, const void *data,
              size_t size);
int ide_flush(struct ide_unit *unit);

static inline struct ide_unit *ide_selected(struct ide_channel *ch)
{
    return &ch->unit[ch->selected & 1];
}

/* ide_master.c */
void ide_run_dma(struct ide_channel *ch);
uint8_t ide_master_read(const struct ide_channel *ch, unsigned off);
void ide_master_write(struct ide_channel *ch, unsigned off, uint8_t value);
/* The channel's interrupt was asserted. */
void ide_master_irq(struct ide_channel *ch);

/* ata.c */
void ata_command(struct ide_unit *unit, uint8_t command);
void ata_chunk_done(struct ide_unit *unit);
/* Takes size and translation from the medium. */
void ata_measure(struct ide_unit *unit);
/* Shared with ATAPI: SET FEATURES, and text in the byte order of IDENTIFY. */
void ata_set_features(struct ide_unit *unit);
void ata_put_text(uint8_t *buffer, unsigned word, const char *text,
                  unsigned size);
void ata_put16(uint8_t *buffer, unsigned word, unsigned value);

/* atapi.c */
void atapi_command(struct ide_unit *unit, uint8_t command);
/* The command packet is in the buffer. */
void atapi_packet(struct ide_unit *unit);
void atapi_chunk_done(struct ide_unit *unit);
/* The medium was changed or removed by the host. */
void atapi_changed(struct ide_unit *unit);
/* Can a sector be read now? */
bool atapi_ready(const struct ide_unit *unit);
/* 2048-byte sectors on the medium; a last piece counts as one. */
uint32_t atapi_sectors(const struct ide_unit *unit);
/* Ends a packet command: with CHECK CONDITION, without data, or with the
 * first min(size, allocation) bytes of the buffer. */
void atapi_check(struct ide_unit *unit, unsigned key, unsigned asc,
                 unsigned ascq);
void atapi_good(struct ide_unit *unit);
void atapi_reply(struct ide_unit *unit, uint32_t size, uint32_t allocation);
static inline uint32_t atapi_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}
static inline uint32_t atapi_be32(const uint8_t *p)
{
    return atapi_be16(p) << 16 | atapi_be16(p + 2);
}
static inline void atapi_put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}
static inline void atapi_put32(uint8_t *p, uint32_t value)
{
    atapi_put16(p, value >> 16);
    atapi_put16(p + 2, value);
}
/* A sector number as minute, second, frame: 00:02:00 is sector 0. */
void atapi_put_msf(uint8_t *msf, uint32_t lba);

/* atapi_info.c: the commands that report. `cdb` is a copy of the packet. */
void atapi_inquiry(struct ide_unit *unit, const uint8_t *cdb);
void atapi_request_sense(struct ide_unit *unit, const uint8_t *cdb);
void atapi_mode_sense(struct ide_unit *unit, const uint8_t *cdb);
void atapi_read_toc(struct ide_unit *unit, const uint8_t *cdb);
void atapi_get_configuration(struct ide_unit *unit, const uint8_t *cdb);
void atapi_get_event(struct ide_unit *unit, const uint8_t *cdb);
void atapi_read_disc_info(struct ide_unit *unit, const uint8_t *cdb);
void atapi_mechanism_status(struct ide_unit *unit, const uint8_t *cdb);

#endif
