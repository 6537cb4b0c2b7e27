/*
 * The PIIX3's IDE bus master (Intel 82371SB, 2.7.1 to 2.7.3 and 3.6.2): moves
 * a command's data between a unit's buffer and the regions of a table in
 * guest memory.
 *
 *   +0 command     ---- R/W -- start      (R/W = 1: to memory)
 *   +2 status      - d1 d0 -- irq err act (irq, err: write 1 to clear)
 *   +4 table       address of the first descriptor, a multiple of 4
 *   descriptor     base address (31:1), bytes (47:33; 0 = 64 KiB), EOT (63)
 *
 * irq set and act clear: table and command were equally long; both set: the
 * table was longer; act clear and no irq: the table was too short, and the
 * unit waits for the guest's patience to end.
 *
 * Not modelled: R/W (the unit's command decides the direction), which on the
 * hardware moves garbage when it disagrees.
 *
 * Invariants: a run is bounded by its command (32 MiB for a disk, the medium
 * for a CD-ROM) and by the table, which cannot leave the 64 KiB it starts in.
 */
#include "devices/ata.h"

enum { BM_START = 0x01, BM_TO_MEMORY = 0x08 };
enum { BM_ACTIVE = 0x01, BM_ERROR = 0x02, BM_IRQ = 0x04, BM_CAPABLE = 0x60 };

void ide_master_irq(struct ide_channel *ch)
{
    ch->master.status |= BM_IRQ;
}

/* Loads the next region. False: the table has ended. */
static bool next_region(struct ide_channel *ch)
{
    struct ide_master *m = &ch->master;
    uint8_t raw[8];

    if (m->last) {
        m->status &= (uint8_t)~BM_ACTIVE;
        return false;
    }
    /* A table may not cross 64 KiB; running off its end is what bounds a
     * table without EOT. */
    if ((m->entry ^ m->table) & ~0xFFFFu) {
        log_line(ch->dev->log, LOG_GUEST_ERRORS,
                 "ide: bus master %u: descriptor table has no end\n",
                 ch->number);
        m->status = (uint8_t)((m->status & ~BM_ACTIVE) | BM_ERROR);
        return false;
    }
    bus_read_block(ch->dev->memory, m->entry, raw, sizeof(raw));
    uint32_t base = (uint32_t)raw[0] | (uint32_t)raw[1] << 8 |
                    (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24;
    uint32_t bytes = (uint32_t)raw[4] | (uint32_t)raw[5] << 8;
    m->address = base & ~1u;
    m->left = bytes & 0xFFFEu;
    if (m->left == 0)
        m->left = 0x10000;
    m->last = (raw[7] & 0x80) != 0;
    m->entry += 8;
    return true;
}

/* Moves up to `size` bytes between the buffer and the table's regions. */
static uint32_t move(struct ide_channel *ch, uint8_t *data, uint32_t size,
                     bool to_memory)
{
    struct ide_master *m = &ch->master;
    uint32_t done = 0;

    while (done < size) {
        if (m->left == 0 && !next_region(ch))
            break;
        uint32_t n = size - done < m->left ? size - done : m->left;
        if (to_memory)
            bus_write_block(ch->dev->memory, m->address, data + done, n);
        else
            bus_read_block(ch->dev->memory, m->address, data + done, n);
        m->address += n;
        m->left -= n;
        done += n;
    }
    /* Exactly used up: the region count and the command agree. */
    if (m->left == 0 && m->last)
        m->status &= (uint8_t)~BM_ACTIVE;
    return done;
}

static bool master_runs(struct ide_channel *ch)
{
    return (ch->master.command & BM_START) && (ch->master.status & BM_ACTIVE) &&
           (ide_pci(ch->dev)->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

void ide_run_dma(struct ide_channel *ch)
{
    struct ide_unit *unit = ide_selected(ch);

    while (master_runs(ch) &&
           (unit->phase == IDE_DMA_IN || unit->phase == IDE_DMA_OUT)) {
        unit->position +=
            move(ch, unit->buffer + unit->position,
                 unit->length - unit->position, unit->phase == IDE_DMA_IN);
        if (unit->position < unit->length)
            break; /* the table was too short: the unit keeps waiting */
        ide_chunk_done(unit);
    }
}

void ide_master_write(struct ide_channel *ch, unsigned off, uint8_t value)
{
    struct ide_master *m = &ch->master;
    bool started = (m->command & BM_START) != 0;

    switch (off) {
    case 0:
        m->command = value & (BM_START | BM_TO_MEMORY);
        if (!(value & BM_START)) {
            m->status &= (uint8_t)~BM_ACTIVE;
        } else if (!started) {
            m->entry = m->table;
            m->left = 0;
            m->last = false;
            m->status |= BM_ACTIVE;
            ide_run_dma(ch);
        }
        break;
    case 2:
        m->status &= (uint8_t) ~(BM_CAPABLE | (value & (BM_ERROR | BM_IRQ)));
        m->status |= value & BM_CAPABLE;
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        m->table &= ~(0xFFu << (8 * (off - 4)));
        m->table |= (uint32_t)value << (8 * (off - 4));
        m->table &= ~3u;
        break;
    }
}

uint8_t ide_master_read(const struct ide_channel *ch, unsigned off)
{
    switch (off) {
    case 0:
        return ch->master.command;
    case 2:
        return ch->master.status;
    case 4:
    case 5:
    case 6:
    case 7:
        return (uint8_t)(ch->master.table >> (8 * (off - 4)));
    default:
        return 0;
    }
}
