/*
 * Intel 82077AA floppy disk controller (data sheet 290166), AT mode.
 *
 *   0x3F0 SRA, 0x3F1 SRB   not decoded in AT mode: float
 *   0x3F2 DOR   MOT3 MOT2 MOT1 MOT0 DMAGATE /RESET SEL1 SEL0
 *   0x3F3 TDR   ------ tape select (no effect)
 *   0x3F4 MSR   RQM DIO NDMA BUSY D3 D2 D1 D0     (read)
 *   0x3F4 DSR   RESET POWER-DOWN 0 PRECOMP RATE   (write)
 *   0x3F5 FIFO  command, data and result bytes
 *   0x3F7 DIR   DSKCHG in bit 7 (read)            CCR: RATE (write)
 *
 * A command has three phases: its bytes come in, it executes, its result goes
 * out. With DMA a data command executes within the write of its last command
 * byte; without (SPECIFY's ND bit) each byte of data goes through the FIFO
 * port and interrupts. A floppy image has one sector size, 512 bytes, and
 * standard numbering: ID fields are C = track, H = head, R = 1 to spt, N = 2.
 *
 * Not modelled: time (motors, head movement and rotation; READ ID alone looks
 * at the clock), so overrun happens only when DMA serves nothing at all;
 * deleted data marks; SCAN; formatting to anything but the image's own
 * format; perpendicular mode's effect; tape.
 *
 * Invariants: fifo_at < FIFO_BYTES; position <= length <= SECTOR; a data
 * command touches at most 2 x 256 sectors.
 */
#include "devices/i82077_state.h"

#include <errno.h>

#define DRIVE_FIELDS(N)                                                        \
    FIELD(i82077, drive[N].track, FIELD_U8),                                   \
        FIELD(i82077, drive[N].pcn, FIELD_U8),                                 \
        FIELD(i82077, drive[N].changed, FIELD_BOOL)

static const struct field fields[] = {
    FIELD(i82077, dor, FIELD_U8),
    FIELD(i82077, tdr, FIELD_U8),
    FIELD(i82077, dsr, FIELD_U8),
    FIELD(i82077, rate, FIELD_U8),
    FIELD(i82077, phase, FIELD_U8),
    FIELD(i82077, srt_hut, FIELD_U8),
    FIELD(i82077, hlt_nd, FIELD_U8),
    FIELD(i82077, config, FIELD_U8),
    FIELD(i82077, pretrk, FIELD_U8),
    FIELD(i82077, perpendicular, FIELD_U8),
    FIELD(i82077, lock, FIELD_BOOL),
    FIELD_ARRAY(i82077, fifo, FIELD_U8, FDC_FIFO),
    FIELD(i82077, fifo_at, FIELD_U8),
    FIELD(i82077, fifo_count, FIELD_U8),
    FIELD(i82077, irq, FIELD_BOOL),
    FIELD(i82077, polled, FIELD_U8),
    FIELD(i82077, seeks, FIELD_U8),
    FIELD_ARRAY(i82077, seek_st0, FIELD_U8, 4),
    FIELD(i82077, busy_drives, FIELD_U8),
    FIELD(i82077, action, FIELD_U8),
    FIELD(i82077, unit, FIELD_U8),
    FIELD(i82077, c, FIELD_U8),
    FIELD(i82077, h, FIELD_U8),
    FIELD(i82077, r, FIELD_U8),
    FIELD(i82077, eot, FIELD_U8),
    FIELD(i82077, gap_or_fill, FIELD_U8),
    FIELD(i82077, multi_track, FIELD_BOOL),
    FIELD(i82077, moved, FIELD_BOOL),
    FIELD(i82077, data_irq, FIELD_BOOL),
    FIELD(i82077, count, FIELD_U8),
    FIELD(i82077, counted, FIELD_BOOL),
    FIELD(i82077, st1, FIELD_U8),
    FIELD(i82077, st2, FIELD_U8),
    FIELD(i82077, position, FIELD_U16),
    FIELD(i82077, length, FIELD_U16),
    FIELD_ARRAY(i82077, buffer, FIELD_U8, FDC_SECTOR),
    DRIVE_FIELDS(0),
    DRIVE_FIELDS(1),
    FIELD_END,
};

struct block *fdc_block_of(struct device *dev, unsigned unit)
{
    return unit < FDC_DRIVES ? dev->drive[unit] : NULL;
}

/* ---- interrupts and phases -------------------------------------------- */

static void update_irq(struct device *dev)
{
    const struct i82077 *s = dev->state;

    device_drive(dev, I82077_WIRE_IRQ, s->irq && (s->dor & DOR_DMAGATE));
}

void fdc_set_irq(struct device *dev, bool level)
{
    struct i82077 *s = dev->state;

    s->irq = level;
    update_irq(dev);
}

void fdc_await_command(struct i82077 *s)
{
    s->phase = FDC_COMMAND;
    s->fifo_at = 0;
    s->fifo_count = 0;
}

void fdc_give_result(struct i82077 *s, unsigned count)
{
    s->phase = FDC_RESULT;
    s->fifo_at = 0;
    s->fifo_count = (uint8_t)count;
}

void fdc_invalid_command(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->fifo[0] = ST0_IC;
    fdc_give_result(s, 1);
}

/* ---- registers -------------------------------------------------------- */

static void soft_reset(struct device *dev)
{
    struct i82077 *s = dev->state;

    fdc_await_command(s);
    s->data_irq = false;
    s->seeks = s->busy_drives = 0;
    s->polled = 0;
    s->perpendicular &= 0x3C;
    s->drive[0].pcn = s->drive[1].pcn = 0;
    if (!s->lock) {
        s->config = 0x20; /* FIFO off */
        s->pretrk = 0;
    }
    fdc_set_irq(dev, false);
}

/* Out of reset, the controller polls the drives and finds all four ready. The
 * data sheet says that CONFIGURE's POLL bit keeps it from that, but drivers
 * that have set and locked POLL wait for the interrupt all the same. */
static void end_reset(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->polled = 4;
    fdc_set_irq(dev, true);
}

static bool in_reset(const struct i82077 *s)
{
    return !(s->dor & DOR_RESET);
}

static uint8_t read_msr(const struct i82077 *s)
{
    if (in_reset(s))
        return 0;
    unsigned msr = MSR_RQM | s->busy_drives;
    if (s->phase != FDC_COMMAND || s->fifo_at)
        msr |= MSR_BUSY;
    if (s->phase == FDC_RESULT || s->phase == FDC_DATA_IN)
        msr |= MSR_DIO;
    if (s->phase == FDC_DATA_IN || s->phase == FDC_DATA_OUT)
        msr |= MSR_NDMA;
    return (uint8_t)msr;
}

static uint8_t read_fifo(struct device *dev)
{
    struct i82077 *s = dev->state;
    uint8_t value;

    if (in_reset(s))
        return 0;
    if (s->phase == FDC_DATA_IN) {
        value = s->buffer[s->position++ % FDC_SECTOR];
        fdc_step_pio(dev);
        return value;
    }
    if (s->phase != FDC_RESULT)
        return 0;
    value = s->fifo[s->fifo_at++ % FDC_FIFO];
    /* The first result byte ends a data command's request; a seek that has
     * ended meanwhile makes its own. */
    if (s->data_irq) {
        s->data_irq = false;
        fdc_set_irq(dev, false);
        if (s->seeks)
            fdc_set_irq(dev, true);
    }
    if (s->fifo_at >= s->fifo_count)
        fdc_await_command(s);
    return value;
}

static void write_fifo(struct device *dev, uint8_t value)
{
    struct i82077 *s = dev->state;

    if (in_reset(s))
        return;
    if (s->phase == FDC_DATA_OUT) {
        s->buffer[s->position++ % FDC_SECTOR] = value;
        fdc_step_pio(dev);
    } else if (s->phase == FDC_COMMAND) {
        fdc_command_byte(dev, value);
    } else {
        log_line(dev->log, LOG_GUEST_ERRORS,
                 "fdc: FIFO written while a result waits\n");
    }
}

static void write_dor(struct device *dev, uint8_t value)
{
    struct i82077 *s = dev->state;
    uint8_t was = s->dor;

    s->dor = value;
    if (in_reset(s))
        soft_reset(dev);
    else if (!(was & DOR_RESET))
        end_reset(dev);
    update_irq(dev);
}

/* DSKCHG comes from the drive that is selected with its motor on. */
static uint8_t read_dir(struct device *dev)
{
    const struct i82077 *s = dev->state;
    unsigned unit = s->dor & 3u;
    const struct block *blk = fdc_block_of(dev, unit);

    if (!(s->dor >> (4 + unit) & 1) || !blk)
        return 0;
    return s->drive[unit].changed || !blk->inserted ? 0x80 : 0;
}

static uint8_t read_byte(struct device *dev, unsigned bank, unsigned off)
{
    const struct i82077 *s = dev->state;

    if (bank == I82077_BANK_HIGH)
        return read_dir(dev);
    switch (off) {
    case 2:
        return s->dor;
    case 3:
        return s->tdr;
    case 4:
        return read_msr(s);
    case 5:
        return read_fifo(dev);
    default:
        return 0xFF;
    }
}

static void write_byte(struct device *dev, unsigned bank, unsigned off,
                       uint8_t value)
{
    struct i82077 *s = dev->state;

    if (bank == I82077_BANK_HIGH) {
        s->rate = value & 3;
        return;
    }
    switch (off) {
    case 2:
        write_dor(dev, value);
        break;
    case 3:
        s->tdr = value & 3;
        break;
    case 4:
        s->dsr = value & (uint8_t)~DSR_RESET;
        s->rate = value & 3;
        if ((value & DSR_RESET) && !in_reset(s)) {
            soft_reset(dev);
            end_reset(dev);
        }
        break;
    case 5:
        write_fifo(dev, value);
        break;
    }
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    (void)size;
    return read_byte(dev, bank, (unsigned)off);
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    (void)size;
    write_byte(dev, bank, (unsigned)off, (uint8_t)value);
}

/* ---- the device ------------------------------------------------------- */

static void medium_changed(void *ctx)
{
    struct fdc_drive *drive = ctx;

    drive->changed = true;
}

static int init(struct device *dev)
{
    struct i82077 *s = dev->state;

    for (unsigned i = 0; i < FDC_DRIVES; i++) {
        s->drive[i].changed = true;
        if (dev->drive[i]) {
            dev->drive[i]->changed = medium_changed;
            dev->drive[i]->ctx = &s->drive[i];
        }
    }
    return 0;
}

static void reset(struct device *dev)
{
    struct i82077 *s = dev->state;

    s->dor = 0;
    s->tdr = s->dsr = 0;
    s->rate = 2;
    s->srt_hut = s->hlt_nd = 0;
    s->perpendicular = 0;
    s->lock = false;
    s->position = 0;
    s->length = FDC_SECTOR;
    s->eot = 0;
    s->drive[0].track = s->drive[1].track = 0;
    soft_reset(dev);
}

static int loaded(struct device *dev)
{
    const struct i82077 *s = dev->state;

    if (s->phase >= FDC_PHASES || s->position > s->length ||
        s->length > FDC_SECTOR || s->fifo_at >= FDC_FIFO || s->polled > 4 ||
        s->fifo_count > FDC_FIFO || s->action > FDC_FORMAT || s->unit > 3 ||
        s->rate > 3 || s->h > 1 || (s->seeks | s->busy_drives) > 15)
        return -EINVAL;
    return 0;
}

const struct device_class i82077_class = {
    .name = "i82077",
    .description = "82077AA floppy disk controller",
    .state_size = sizeof(struct i82077),
    .fields = fields,
    .max_access = 1,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .read = read,
    .write = write,
};
