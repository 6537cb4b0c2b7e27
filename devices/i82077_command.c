/*
 * 82077AA: the command table, and the commands that move no data (data sheet
 * 290166, chapter 5.2). A command runs when its last byte has come.
 */
#include "devices/i82077_state.h"

void fdc_move_head(struct device *dev, unsigned unit, unsigned track)
{
    struct i82077 *s = dev->state;
    const struct block *blk = fdc_block_of(dev, unit);

    if (!blk)
        return;
    if (track != s->drive[unit].track && blk->inserted)
        s->drive[unit].changed = false;
    s->drive[unit].track = (uint8_t)track;
}

static void seek_done(struct device *dev, unsigned unit, unsigned st0)
{
    struct i82077 *s = dev->state;

    s->seek_st0[unit] = (uint8_t)(st0 | unit);
    s->seeks |= (uint8_t)(1u << unit);
    s->busy_drives |= (uint8_t)(1u << unit);
    fdc_await_command(s);
    fdc_set_irq(dev, true);
}

static void recalibrate(struct device *dev)
{
    struct i82077 *s = dev->state;
    unsigned unit = s->fifo[1] & 3u;

    if (!fdc_block_of(dev, unit)) { /* track 0 was never found */
        seek_done(dev, unit, ST0_AT | ST0_SE | ST0_EC);
        return;
    }
    fdc_move_head(dev, unit, 0);
    s->drive[unit].pcn = 0;
    seek_done(dev, unit, ST0_SE);
}

static void seek_to(struct device *dev, unsigned unit, unsigned track)
{
    struct i82077 *s = dev->state;

    if (unit < FDC_DRIVES) {
        fdc_move_head(dev, unit, track);
        s->drive[unit].pcn = (uint8_t)track;
    }
    seek_done(dev, unit, ST0_SE | (s->fifo[1] & 4u));
}

static void seek(struct device *dev)
{
    struct i82077 *s = dev->state;

    /* With bit 7 of the opcode set the seek is relative; bit 6 is inwards. */
    unsigned unit = s->fifo[1] & 3u, track = s->fifo[2];
    if (s->fifo[0] & 0x80) {
        unsigned from = unit < FDC_DRIVES ? s->drive[unit].track : 0;
        if (s->fifo[0] & 0x40)
            track = from + track > 255 ? 255 : from + track;
        else
            track = from > track ? from - track : 0;
    }
    seek_to(dev, unit, track);
}

static void sense_interrupt(struct device *dev)
{
    struct i82077 *s = dev->state;
    unsigned unit;

    /* A finished seek comes first: some firmware senses only once after a
     * reset, and then wants to hear of its recalibration. */
    if (s->seeks & 15) {
        for (unit = 0; !(s->seeks >> unit & 1); unit++)
            ;
        s->seeks &= (uint8_t) ~(1u << unit);
        s->busy_drives &= (uint8_t) ~(1u << unit);
        s->fifo[0] = s->seek_st0[unit];
    } else if (s->polled) {
        unit = (4u - s->polled--) & 3u;
        s->fifo[0] = (uint8_t)(ST0_POLL | unit);
    } else {
        fdc_invalid_command(dev);
        return;
    }
    s->fifo[1] = unit < FDC_DRIVES ? s->drive[unit].pcn : 0;
    fdc_give_result(s, 2);
    /* One request stands for all four drives after a reset; a second
     * finished seek asks again. */
    fdc_set_irq(dev, false);
    if (s->seeks)
        fdc_set_irq(dev, true);
}

static void sense_drive(struct device *dev)
{
    struct i82077 *s = dev->state;
    unsigned unit = s->fifo[1] & 3u;
    const struct block *blk = fdc_block_of(dev, unit);

    /* ST3: write protect, ready (always), track 0, two sides. */
    unsigned st3 = 0x28u | (s->fifo[1] & 7u);
    if (blk && s->drive[unit].track == 0)
        st3 |= 0x10;
    if (blk && blk->inserted && blk->read_only)
        st3 |= 0x40;
    s->fifo[0] = (uint8_t)st3;
    fdc_give_result(s, 1);
}

static void specify(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->srt_hut = s->fifo[1];
    s->hlt_nd = s->fifo[2];
    fdc_await_command(s);
}

static void configure(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->config = s->fifo[2] & 0x7F;
    s->pretrk = s->fifo[3];
    fdc_await_command(s);
}

static void perpendicular(struct device *dev)
{
    struct i82077 *s = dev->state;

    /* OW (bit 7) lets the drive bits 5:2 be changed. */
    if (s->fifo[1] & 0x80)
        s->perpendicular = s->fifo[1] & 0x3F;
    else
        s->perpendicular =
            (uint8_t)((s->perpendicular & 0x3C) | (s->fifo[1] & 3));
    fdc_await_command(s);
}

static void lock(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->lock = (s->fifo[0] & 0x80) != 0;
    s->fifo[0] = s->lock ? 0x10 : 0;
    fdc_give_result(s, 1);
}

static void dumpreg(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->fifo[0] = s->drive[0].pcn;
    s->fifo[1] = s->drive[1].pcn;
    s->fifo[2] = 0;
    s->fifo[3] = 0;
    s->fifo[4] = s->srt_hut;
    s->fifo[5] = s->hlt_nd;
    s->fifo[6] = s->eot;
    s->fifo[7] = (uint8_t)((s->lock ? 0x80 : 0) | s->perpendicular);
    s->fifo[8] = s->config;
    s->fifo[9] = s->pretrk;
    fdc_give_result(s, 10);
}

static void version(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->fifo[0] = 0x90; /* enhanced controller */
    fdc_give_result(s, 1);
}

/* The 82077AA calls this invalid; 41h is what drivers know from QEMU. */
static void part_id(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->fifo[0] = 0x41;
    fdc_give_result(s, 1);
}

struct fdc_command {
    uint8_t mask, opcode;
    uint8_t length; /* with the opcode */
    void (*run)(struct device *dev);
};

static const struct fdc_command commands[] = {
    {0x1F, 0x06, 9, fdc_read},          /* MT MFM SK */
    {0x1F, 0x0C, 9, fdc_read_deleted},  /* MT MFM SK */
    {0x9F, 0x02, 9, fdc_read_track},
    {0x3F, 0x05, 9, fdc_write},         /* MT MFM */
    {0x3F, 0x09, 9, fdc_write},         /* WRITE DELETED DATA */
    {0x1F, 0x16, 9, fdc_verify},        /* MT MFM SK */
    {0xBF, 0x0D, 6, fdc_format},        /* MFM */
    {0xBF, 0x0A, 2, fdc_read_id},       /* MFM */
    {0xFF, 0x07, 2, recalibrate},
    {0xFF, 0x08, 1, sense_interrupt},
    {0xFF, 0x03, 3, specify},
    {0xFF, 0x04, 2, sense_drive},
    {0xFF, 0x0F, 3, seek},
    {0xBF, 0x8F, 3, seek},          /* RELATIVE SEEK, DIR */
    {0xFF, 0x0E, 1, dumpreg},
    {0xFF, 0x10, 1, version},
    {0xFF, 0x12, 2, perpendicular},
    {0xFF, 0x13, 4, configure},
    {0x7F, 0x14, 1, lock},          /* LOCK */
    {0xFF, 0x18, 1, part_id},
};

static const struct fdc_command *find_command(uint8_t opcode)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if ((opcode & commands[i].mask) == commands[i].opcode)
            return &commands[i];
    return NULL;
}

void fdc_command_byte(struct device *dev, uint8_t value)
{
    struct i82077 *s = dev->state;

    s->fifo[s->fifo_at++ % FDC_FIFO] = value;
    const struct fdc_command *c = find_command(s->fifo[0]);
    if (!c) {
        log_line(dev->log, LOG_GUEST_ERRORS, "fdc: command 0x%02x\n",
                 s->fifo[0]);
        fdc_invalid_command(dev);
    } else if (s->fifo_at >= c->length) {
        c->run(dev);
    }
}
