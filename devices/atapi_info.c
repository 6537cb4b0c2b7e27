/*
 * The ATAPI CD-ROM's reporting commands (SPC-2 and MMC-3): INQUIRY, sense,
 * mode pages, table of contents, configuration, events, disc and mechanism.
 *
 * The disc is one session with one data track from sector 0 to the end. Each
 * function builds its whole answer in the unit's buffer; atapi_reply() cuts it
 * to the allocation length.
 *
 * Not modelled: vital product data pages, saved mode pages, DVD structures.
 */
#include "devices/ata.h"

#include <string.h>

#define LEAD_OUT 0xAA
#define TRACK_DATA 0x14 /* ADR 1, control 4: data track */
/* What an 80-minute disc holds; more is a DVD. */
#define CD_MAX_SECTORS (80u * 60u * 75u)
#define PROFILE_CD_ROM 0x0008u
#define PROFILE_DVD_ROM 0x0010u

static void bad_field(struct ide_unit *unit)
{
    atapi_check(unit, 5, 0x24, 0); /* INVALID FIELD IN CDB */
}

/* Space-padded text. */
static void put_text(uint8_t *to, const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    memset(to, ' ', size);
    memcpy(to, text, length);
}

void atapi_inquiry(struct ide_unit *unit, const uint8_t *cdb)
{
    uint8_t *b = unit->buffer;

    if ((cdb[1] & 3) || cdb[2]) {
        bad_field(unit);
        return;
    }
    memset(b, 0, 36);
    b[0] = 0x05; /* CD-ROM */
    b[1] = 0x80; /* removable */
    b[3] = 0x21; /* ATAPI, response format 1 */
    b[4] = 36 - 5;
    put_text(b + 8, "VITRINE", 8);
    put_text(b + 16, unit->model ? unit->model : "CD-ROM", 16);
    put_text(b + 32, "1.0", 4);
    atapi_reply(unit, 36, cdb[4]);
}

void atapi_request_sense(struct ide_unit *unit, const uint8_t *cdb)
{
    struct cd *cd = &unit->cd;
    uint8_t *b = unit->buffer;

    if (!cd->sense_key && cd->change == CD_NEW) {
        cd->change = CD_SAME;
        cd->sense_key = 6;
        cd->asc = 0x28;
    }
    memset(b, 0, 18);
    b[0] = 0x70;
    b[2] = cd->sense_key;
    b[7] = 18 - 8;
    b[12] = cd->asc;
    b[13] = cd->ascq;
    atapi_reply(unit, 18, cdb[4]);
    /* Told once. */
    cd->sense_key = cd->asc = cd->ascq = 0;
}

/* ---- mode pages ------------------------------------------------------- */

static uint32_t page_errors(uint8_t *b)
{
    b[0] = 0x01;
    b[1] = 6;
    b[3] = 5; /* retries */
    return 8;
}

static uint32_t page_audio(uint8_t *b)
{
    static const uint8_t page[16] = {0x0E, 14, 4, 0, 0, 0, 0, 75,
                                     1, 0xFF, 2, 0xFF};
    memcpy(b, page, sizeof(page));
    return sizeof(page);
}

static uint32_t page_capabilities(uint8_t *b, const struct ide_unit *unit)
{
    b[0] = 0x2A;
    b[1] = 18;
    b[2] = 0x3B; /* reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R */
    b[4] = 0x70; /* mode 2 form 1 and 2, multi-session */
    b[6] = (uint8_t)(0x29 | (unit->cd.locked ? 2 : 0)); /* tray, eject, lock */
    atapi_put16(b + 8, 706); /* maximum and current speed, kB/s: 4 x */
    atapi_put16(b + 10, 2);
    atapi_put16(b + 12, 512); /* buffer, KiB */
    atapi_put16(b + 14, 706);
    return 20;
}

/* MODE SENSE(6) is 1A, (10) is 5A; they differ in header and lengths. */
void atapi_mode_sense(struct ide_unit *unit, const uint8_t *cdb)
{
    bool ten = cdb[0] == 0x5A;
    uint32_t header = ten ? 8 : 4, n = header;
    unsigned page = cdb[2] & 0x3Fu, control = cdb[2] >> 6;
    uint8_t *b = unit->buffer;

    memset(b, 0, 128);
    if (control == 3) {
        atapi_check(unit, 5, 0x39, 0); /* SAVING NOT SUPPORTED */
        return;
    }
    if (page != 0x01 && page != 0x0E && page != 0x2A && page != 0x3F) {
        bad_field(unit);
        return;
    }
    if (page == 0x01 || page == 0x3F)
        n += page_errors(b + n);
    if (page == 0x0E || page == 0x3F)
        n += page_audio(b + n);
    if (page == 0x2A || page == 0x3F)
        n += page_capabilities(b + n, unit);
    if (control == 1) { /* which bits can be changed: none */
        for (uint32_t at = header; at < n; at += 2u + b[at + 1])
            memset(b + at + 2, 0, b[at + 1]);
    }
    /* Medium type: 70h door closed, no disc; 71h open; 01h data CD. */
    uint8_t medium = unit->cd.tray_open  ? 0x71
                     : atapi_ready(unit) ? 0x01
                                         : 0x70;
    if (ten) {
        atapi_put16(b, n - 2);
        b[2] = medium;
    } else {
        b[0] = (uint8_t)(n - 1);
        b[1] = medium;
    }
    atapi_reply(unit, n, ten ? atapi_be16(cdb + 7) : cdb[4]);
}

/* ---- table of contents ------------------------------------------------ */

static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
    if (!msf) {
        atapi_put32(to, lba);
        return;
    }
    to[0] = 0;
    atapi_put_msf(to + 1, lba);
}

static uint8_t *toc_track(uint8_t *p, uint8_t track, uint32_t lba, bool msf)
{
    p[0] = p[3] = 0;
    p[1] = TRACK_DATA;
    p[2] = track;
    put_address(p + 4, lba, msf);
    return p + 8;
}

/* A row of the full TOC: session 1, POINT, and PMIN PSEC PFRAME. */
static uint8_t *toc_point(uint8_t *p, uint8_t point, uint8_t m, uint8_t s,
                          uint8_t f)
{
    const uint8_t row[11] = {1, TRACK_DATA, 0, point, 0, 0, 0, 0, m, s, f};

    memcpy(p, row, sizeof(row));
    return p + sizeof(row);
}

static uint8_t *full_toc(uint8_t *p, uint32_t sectors)
{
    uint8_t end[3];

    atapi_put_msf(end, sectors);
    p = toc_point(p, 0xA0, 1, 0, 0); /* first track */
    p = toc_point(p, 0xA1, 1, 0, 0); /* last track */
    p = toc_point(p, 0xA2, end[0], end[1], end[2]);
    return toc_point(p, 1, 0, 2, 0);
}

void atapi_read_toc(struct ide_unit *unit, const uint8_t *cdb)
{
    bool msf = (cdb[1] & 2) != 0;
    /* The older place of the format is the top of the control byte. */
    unsigned format = cdb[2] & 0x0F ? cdb[2] & 0x0Fu : cdb[9] >> 6;
    uint8_t start = cdb[6];
    uint32_t sectors = atapi_sectors(unit);
    uint8_t *b = unit->buffer, *p = b + 4;

    b[2] = b[3] = 1; /* first and last track, or session */
    switch (format) {
    case 0:
        if (start > 1 && start != LEAD_OUT) {
            bad_field(unit);
            return;
        }
        if (start <= 1)
            p = toc_track(p, 1, 0, msf);
        p = toc_track(p, LEAD_OUT, sectors, msf);
        break;
    case 1:
        p = toc_track(p, 1, 0, msf);
        break;
    case 2:
        p = full_toc(p, sectors);
        break;
    default:
        bad_field(unit);
        return;
    }
    uint32_t size = (uint32_t)(p - b);
    atapi_put16(b, size - 2);
    atapi_reply(unit, size, atapi_be16(cdb + 7));
}

/* ---- configuration, events, disc, mechanism --------------------------- */

static unsigned profile(const struct ide_unit *unit)
{
    if (!atapi_ready(unit))
        return 0;
    return atapi_sectors(unit) > CD_MAX_SECTORS ? PROFILE_DVD_ROM
                                                : PROFILE_CD_ROM;
}

struct feature {
    uint16_t code;
    uint8_t flags; /* version (5:2), persistent (1) */
    uint8_t length;
    uint8_t data[8];
    uint16_t needs; /* profile it is current with; 0 = always */
};

/* MMC-3 5.3; the profile list's current bits are filled in. */
static const struct feature features[] = {
    {0x0000, 0x03, 8, {0, 0x10, 0, 0, 0, 0x08, 0, 0}, 0}, /* profiles */
    {0x0001, 0x03, 4, {0, 0, 0, 2}, 0},                   /* core: ATAPI */
    {0x0002, 0x02, 4, {0}, 0},            /* morphing: events are polled */
    {0x0003, 0x03, 4, {0x29}, 0},         /* removable: tray, eject, lock */
    {0x0010, 0x00, 8, {0, 0, 8, 0, 0, 1, 0, 0}, 0xFFFF}, /* random readable */
    {0x001E, 0x00, 4, {0}, PROFILE_CD_ROM},              /* CD read */
    {0x001F, 0x00, 4, {0}, PROFILE_DVD_ROM},             /* DVD read */
};

static bool is_current(const struct feature *f, unsigned now)
{
    return f->needs == 0 || f->needs == now || (f->needs == 0xFFFF && now);
}

void atapi_get_configuration(struct ide_unit *unit, const uint8_t *cdb)
{
    unsigned type = cdb[1] & 3u, now = profile(unit);
    uint32_t start = atapi_be16(cdb + 2);
    uint8_t *b = unit->buffer, *p = b + 8;

    if (type == 3) {
        bad_field(unit);
        return;
    }
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct feature *f = &features[i];
        bool current = is_current(f, now);
        if (f->code < start || (type == 1 && !current) ||
            (type == 2 && f->code != start))
            continue;
        atapi_put16(p, f->code);
        p[2] = (uint8_t)(f->flags | (current ? 1 : 0));
        p[3] = f->length;
        memcpy(p + 4, f->data, f->length);
        if (f->code == 0) {
            p[4 + 2] = now == PROFILE_DVD_ROM;
            p[8 + 2] = now == PROFILE_CD_ROM;
        }
        p += 4 + f->length;
    }
    uint32_t size = (uint32_t)(p - b);
    atapi_put32(b, size - 4);
    b[4] = b[5] = 0;
    atapi_put16(b + 6, now);
    atapi_reply(unit, size, atapi_be16(cdb + 7));
}

void atapi_get_event(struct ide_unit *unit, const uint8_t *cdb)
{
    const struct block *blk = unit->dev->drive[unit->number];
    struct cd *cd = &unit->cd;
    uint8_t *b = unit->buffer;

    if (!(cdb[1] & 1)) { /* only polled operation */
        bad_field(unit);
        return;
    }
    memset(b, 0, 8);
    b[3] = 1u << 4; /* supported: the media class */
    if (!(cdb[4] & 1u << 4)) {
        b[2] = 0x80; /* no event available */
        atapi_put16(b, 2);
        atapi_reply(unit, 4, atapi_be16(cdb + 7));
        return;
    }
    atapi_put16(b, 6);
    b[2] = 4; /* class: media */
    b[4] = cd->new_medium ? 2 : 0;
    cd->new_medium = false;
    b[5] = (uint8_t)((cd->tray_open ? 1 : 0) |
                     (blk && blk->inserted && !cd->tray_open ? 2 : 0));
    atapi_reply(unit, 8, atapi_be16(cdb + 7));
}

void atapi_read_disc_info(struct ide_unit *unit, const uint8_t *cdb)
{
    uint8_t *b = unit->buffer;

    if (cdb[1] & 7) {
        bad_field(unit);
        return;
    }
    memset(b, 0, 34);
    atapi_put16(b, 32);
    b[2] = 0x0E; /* finalised, last session complete */
    b[3] = 1;    /* first track */
    b[4] = 1;    /* sessions */
    b[5] = 1;    /* first and last track in the last session */
    b[6] = 1;
    b[7] = 0x20;             /* unrestricted use */
    memset(b + 16, 0xFF, 8); /* no further lead-in and lead-out */
    atapi_reply(unit, 34, atapi_be16(cdb + 7));
}

void atapi_mechanism_status(struct ide_unit *unit, const uint8_t *cdb)
{
    uint8_t *b = unit->buffer;

    memset(b, 0, 8);
    b[1] = unit->cd.tray_open ? 0x10 : 0; /* door open */
    b[5] = 1;                             /* slots */
    atapi_reply(unit, 8, atapi_be16(cdb + 8));
}
