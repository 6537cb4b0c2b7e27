/*
 * 82077AA: the media, and the commands that move data (data sheet 290166,
 * chapter 5.1). See i82077.c for what is not modelled.
 *
 * Invariants: position <= length <= FDC_SECTOR; a command touches at most
 * 2 x 256 sectors; only find_sector computes a place in the image, from the
 * medium that is in the drive at that moment.
 */
#include "devices/i82077_state.h"

#include <errno.h>
#include <string.h>

/* Data rates, as CCR has them. */
enum { RATE_500K, RATE_300K, RATE_250K, RATE_1M };
#define ON(RATE) (1u << (RATE))

struct format {
    uint16_t kib; /* of a full image */
    uint8_t tracks, heads, spt;
    uint8_t rates; /* mask: a 5.25" disk turns faster in a 1.2M drive */
    uint8_t cmos;
};

static const struct format formats[] = {
    {160, 40, 1, 8, ON(RATE_250K) | ON(RATE_300K), 1},
    {180, 40, 1, 9, ON(RATE_250K) | ON(RATE_300K), 1},
    {320, 40, 2, 8, ON(RATE_250K) | ON(RATE_300K), 1},
    {360, 40, 2, 9, ON(RATE_250K) | ON(RATE_300K), 1},
    {720, 80, 2, 9, ON(RATE_250K) | ON(RATE_300K), 3},
    {1200, 80, 2, 15, ON(RATE_500K), 2},
    {1440, 80, 2, 18, ON(RATE_500K), 4},
    {1680, 80, 2, 21, ON(RATE_500K), 4},
    {1722, 82, 2, 21, ON(RATE_500K), 4},
    {2880, 80, 2, 36, ON(RATE_1M), 5},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))
#define FORMAT_1440 6

/*
 * The image's format; NULL without a medium. An image of another size counts
 * as a 1.44M disk if it fits one (a boot sector alone, a kernel that nobody
 * padded), else as 2.88M.
 */
static const struct format *format_of(const struct block *blk)
{
    if (!blk || !blk->inserted)
        return NULL;
    for (size_t i = 0; i < FORMATS; i++)
        if (blk->size_bytes == formats[i].kib * UINT64_C(1024))
            return &formats[i];
    return blk->size_bytes <= formats[FORMAT_1440].kib * UINT64_C(1024)
               ? &formats[FORMAT_1440]
               : &formats[FORMATS - 1];
}

unsigned i82077_cmos_type(const struct block *drive)
{
    const struct format *f = format_of(drive);

    return !drive ? 0 : f ? f->cmos : formats[FORMAT_1440].cmos;
}

/* A sector beyond a short image reads as zeros; it cannot be written. */
static int read_sector(struct block *blk, uint64_t at, uint8_t *data)
{
    memset(data, 0, FDC_SECTOR);
    if (at + FDC_SECTOR > blk->size_bytes)
        return 0;
    return blk->read(blk, at, data, FDC_SECTOR);
}

static int write_sector(struct block *blk, uint64_t at, const uint8_t *data)
{
    if (at + FDC_SECTOR > blk->size_bytes || !blk->write)
        return -EINVAL;
    return blk->write(blk, at, data, FDC_SECTOR);
}

/* ---- the end of a command --------------------------------------------- */

static void end_data(struct device *dev, unsigned st0)
{
    struct i82077 *s = dev->state;

    s->fifo[0] = (uint8_t)(st0 | (unsigned)s->h << 2 | s->unit);
    s->fifo[1] = s->st1;
    s->fifo[2] = s->st2;
    s->fifo[3] = s->c;
    s->fifo[4] = s->h;
    s->fifo[5] = s->r;
    s->fifo[6] = 2;
    s->data_irq = true;
    fdc_give_result(s, 7);
    fdc_set_irq(dev, true);
}

static void fail_data(struct device *dev, unsigned st1, unsigned st2)
{
    struct i82077 *s = dev->state;

    s->st1 |= (uint8_t)st1;
    s->st2 |= (uint8_t)st2;
    end_data(dev, ST0_AT);
}

/* ---- sectors ---------------------------------------------------------- */

/* Steps to the next sector. False: the command's last one is behind us, and
 * C, H, R say what would follow (data sheet, table 5-6). */
static bool next_sector(struct i82077 *s)
{
    if (s->r != s->eot) {
        s->r++;
        return true;
    }
    s->r = 1;
    if (s->multi_track && s->h == 0) {
        s->h = 1;
        return true;
    }
    if (s->multi_track)
        s->h = 0;
    s->c++;
    return false;
}

/* Where the sector is in the image. False: it is not under the head, and the
 * command has failed. */
static bool find_sector(struct device *dev, uint64_t *at)
{
    struct i82077 *s = dev->state;
    const struct format *f = format_of(fdc_block_of(dev, s->unit));

    if (!f || !(f->rates >> s->rate & 1)) {
        fail_data(dev, ST1_MA, 0);
        return false;
    }
    uint8_t track = s->drive[s->unit].track;
    if (track >= f->tracks || s->h >= f->heads) {
        fail_data(dev, ST1_MA, 0); /* that part was never formatted */
        return false;
    }
    if (s->c != track) {
        fail_data(dev, ST1_ND, ST2_WC);
        return false;
    }
    if (s->r < 1 || s->r > f->spt) {
        fail_data(dev, ST1_ND, 0);
        return false;
    }
    *at =
        (((uint64_t)track * f->heads + s->h) * f->spt + s->r - 1) * FDC_SECTOR;
    return true;
}

/* Brings sector C, H, R into the buffer, or makes room for it. */
static bool begin_sector(struct device *dev)
{
    struct i82077 *s = dev->state;
    uint64_t at;

    s->position = 0;
    s->length = s->action == FDC_FORMAT ? 4 : FDC_SECTOR;
    if (s->action == FDC_FORMAT)
        return true;
    if (!find_sector(dev, &at))
        return false;
    if (s->action != FDC_WRITE &&
        read_sector(fdc_block_of(dev, s->unit), at, s->buffer) < 0) {
        fail_data(dev, ST1_DE, 0);
        return false;
    }
    return true;
}

/* The sector's data have moved: takes effect. */
static bool commit_sector(struct device *dev)
{
    struct i82077 *s = dev->state;
    uint64_t at;

    if (s->action == FDC_FORMAT) {
        uint8_t n = s->buffer[3];
        s->c = s->buffer[0];
        s->h = s->buffer[1] & 1;
        s->r = s->buffer[2];
        if (n != 2) {
            log_line(dev->log, LOG_UNIMP, "fdc: format with %u-byte sectors\n",
                     128u << (n & 7));
            fail_data(dev, ST1_ND, 0);
            return false;
        }
        memset(s->buffer, s->gap_or_fill, FDC_SECTOR);
    } else if (s->action != FDC_WRITE) {
        return true;
    }
    if (!find_sector(dev, &at))
        return false;
    if (write_sector(fdc_block_of(dev, s->unit), at, s->buffer) < 0) {
        fail_data(dev, ST1_DE, 0);
        return false;
    }
    return true;
}

/* After a sector. False: that was all, and the result is out. `terminal` says
 * whether the host has said that it wants no more. */
static bool advance(struct device *dev, bool terminal)
{
    struct i82077 *s = dev->state;
    bool more;

    s->moved = true;
    if (s->action == FDC_FORMAT) {
        more = --s->count > 0;
        if (!more)
            end_data(dev, 0);
        return more;
    }
    more = next_sector(s);
    if (s->counted && --s->count == 0) {
        terminal = true;
        if (s->action == FDC_READ) /* READ DELETED met a normal mark */
            s->st2 |= ST2_CM;
    }
    if (terminal) {
        end_data(dev, 0);
        return false;
    }
    if (!more) { /* end of cylinder without a terminal count */
        s->st1 |= ST1_EN;
        end_data(dev, ST0_AT);
    }
    return more;
}

/* ---- execution -------------------------------------------------------- */

static bool to_host(const struct i82077 *s)
{
    return s->action == FDC_READ;
}

static void run_verify(struct device *dev)
{
    struct i82077 *s = dev->state;

    /* Reaching EOT is success when there is no count to reach. */
    while (begin_sector(dev)) {
        bool last =
            !s->counted && s->r == s->eot && !(s->multi_track && s->h == 0);
        if (!advance(dev, last))
            return;
    }
}

static void run_dma(struct device *dev)
{
    struct i82077 *s = dev->state;
    const struct i82077_config *config = dev->config;

    while (begin_sector(dev)) {
        size_t n =
            config && config->dma && (s->dor & DOR_DMAGATE)
                ? config->dma(config->ctx, s->buffer, s->length, to_host(s))
                : 0;
        if (n > s->length)
            n = s->length;
        if (n == 0) {
            /* Nobody serves us; after some data that is a terminal count. */
            if (s->moved)
                end_data(dev, 0);
            else
                fail_data(dev, ST1_OR, 0);
            return;
        }
        bool terminal = n < s->length;
        if (terminal && s->action == FDC_FORMAT) {
            end_data(dev, 0);
            return;
        }
        if (terminal && !to_host(s)) /* the rest is filled with zeros */
            memset(s->buffer + n, 0, s->length - n);
        if (!terminal) {
            bool last = s->r == s->eot && !(s->multi_track && s->h == 0);
            terminal = config->terminal_count
                           ? config->terminal_count(config->ctx)
                           : last;
        }
        if (!commit_sector(dev) || !advance(dev, terminal))
            return;
    }
}

/* Non-DMA mode: the next byte of data is wanted or ready. */
static void begin_pio(struct device *dev)
{
    struct i82077 *s = dev->state;

    if (!begin_sector(dev))
        return;
    s->phase = to_host(s) ? FDC_DATA_IN : FDC_DATA_OUT;
    fdc_set_irq(dev, true);
}

void fdc_step_pio(struct device *dev)
{
    struct i82077 *s = dev->state;

    /* An edge a byte: each is a request of its own. */
    fdc_set_irq(dev, false);
    if (s->position < s->length) {
        fdc_set_irq(dev, true);
        return;
    }
    if (commit_sector(dev) && advance(dev, false))
        begin_pio(dev);
}

static void execute(struct device *dev)
{
    struct i82077 *s = dev->state;

    if (s->action == FDC_VERIFY)
        run_verify(dev);
    else if (s->hlt_nd & 1)
        begin_pio(dev);
    else
        run_dma(dev);
}

/* ---- commands --------------------------------------------------------- */

/* The drive a command names, checked for a medium; NULL: the command has
 * failed. The hardware would wait for an index pulse for ever. */
static struct block *ready_drive(struct device *dev)
{
    struct i82077 *s = dev->state;
    struct block *blk = fdc_block_of(dev, s->unit);

    if (blk && blk->inserted)
        return blk;
    s->st1 |= ST1_MA;
    end_data(dev, ST0_AT | ST0_NR);
    return NULL;
}

static void start_data(struct i82077 *s, enum fdc_action action)
{
    s->action = (uint8_t)action;
    s->unit = s->fifo[1] & 3;
    s->st1 = s->st2 = 0;
    s->moved = false;
    s->multi_track = (s->fifo[0] & CMD_MT) != 0;
    s->counted = false;
}

/* C H R N EOT GPL DTL follow the drive byte. `limit` is the most sectors that
 * it may touch; 0 is no limit. */
static void data_command(struct device *dev, enum fdc_action action,
                         uint8_t limit)
{
    struct i82077 *s = dev->state;

    start_data(s, action);
    s->counted = limit != 0;
    s->count = limit;
    s->c = s->fifo[2];
    s->h = s->fifo[3] & 1;
    s->r = s->fifo[4];
    s->eot = s->fifo[6];
    struct block *blk = ready_drive(dev);
    if (!blk)
        return;
    if (action == FDC_WRITE && blk->read_only) {
        fail_data(dev, ST1_NW, 0);
        return;
    }
    if ((s->config & CONFIG_EIS) && s->c != s->drive[s->unit].pcn) {
        fdc_move_head(dev, s->unit, s->c);
        s->drive[s->unit].pcn = s->c;
    }
    /* No ID field on the disk has another size or another head. */
    if (s->fifo[5] != 2 || s->fifo[3] != (s->fifo[1] >> 2 & 1)) {
        fail_data(dev, ST1_ND, 0);
        return;
    }
    execute(dev);
}

void fdc_read(struct device *dev)
{
    data_command(dev, FDC_READ, 0);
}

/* Every sector has a normal data mark: with SK all are skipped, without it
 * the first ends the command (table 5-8). */
void fdc_read_deleted(struct device *dev)
{
    struct i82077 *s = dev->state;

    if (s->fifo[0] & CMD_SK) {
        start_data(s, FDC_READ);
        s->c = s->fifo[2];
        s->h = s->fifo[3] & 1;
        s->r = s->fifo[6];
        if (ready_drive(dev))
            fail_data(dev, ST1_ND, 0);
        return;
    }
    data_command(dev, FDC_READ, 1);
}

/* Physical order from the index hole: R is not looked at. */
void fdc_read_track(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->fifo[0] &= (uint8_t)~CMD_MT;
    s->fifo[4] = 1;
    data_command(dev, FDC_READ, 0);
}

void fdc_write(struct device *dev)
{
    data_command(dev, FDC_WRITE, 0);
}

void fdc_verify(struct device *dev)
{
    struct i82077 *s = dev->state;
    bool counted = (s->fifo[1] & 0x80) != 0;

    s->count = s->fifo[8];
    start_data(s, FDC_VERIFY);
    s->c = s->fifo[2];
    s->h = s->fifo[3] & 1;
    s->r = s->fifo[4];
    s->eot = s->fifo[6];
    s->counted = counted && s->count;
    if (!ready_drive(dev))
        return;
    if (s->fifo[5] != 2 || s->fifo[3] != (s->fifo[1] >> 2 & 1))
        fail_data(dev, ST1_ND, 0);
    else
        execute(dev);
}

void fdc_format(struct device *dev)
{
    struct i82077 *s = dev->state;
    struct block *blk;

    start_data(s, FDC_FORMAT);
    s->c = s->unit < FDC_DRIVES ? s->drive[s->unit].track : 0;
    s->h = s->fifo[1] >> 2 & 1;
    s->r = 1;
    s->eot = 0;
    s->count = s->fifo[3];
    s->gap_or_fill = s->fifo[5];
    blk = ready_drive(dev);
    if (!blk)
        return;
    if (blk->read_only)
        fail_data(dev, ST1_NW, 0);
    else if (s->fifo[2] != 2)
        fail_data(dev, ST1_ND, 0);
    else if (s->count == 0)
        end_data(dev, 0);
    else
        execute(dev);
}

void fdc_read_id(struct device *dev)
{
    struct i82077 *s = dev->state;
    uint64_t at;

    start_data(s, FDC_VERIFY);
    s->h = s->fifo[1] >> 2 & 1;
    s->c = s->unit < FDC_DRIVES ? s->drive[s->unit].track : 0;
    s->r = 1;
    const struct format *f = format_of(ready_drive(dev));
    if (!f)
        return;
    if (!find_sector(dev, &at))
        return;
    /* Five turns a second: which ID field comes by depends on when one
     * looks. */
    uint64_t turn = clock_now_ns(dev->clock) % (NS_PER_SECOND / 5);
    s->r = (uint8_t)(1 + turn * f->spt / (NS_PER_SECOND / 5));
    end_data(dev, 0);
}
