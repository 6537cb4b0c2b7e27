/*
 * The floppy controller's inside, shared by its three files: i82077.c
 * (registers, interrupt, fields), i82077_command.c (the command table and all
 * that moves no data) and i82077_data.c (media and data commands).
 */
#ifndef DEVICES_I82077_STATE_H
#define DEVICES_I82077_STATE_H

#include "devices/i82077.h"

#define FDC_SECTOR 512u
#define FDC_FIFO 16u
#define FDC_DRIVES 2u

enum { DOR_RESET = 0x04, DOR_DMAGATE = 0x08 };
enum { MSR_BUSY = 0x10, MSR_NDMA = 0x20, MSR_DIO = 0x40, MSR_RQM = 0x80 };
enum { DSR_RESET = 0x80 };
/* Status registers. */
enum { ST0_NR = 0x08, ST0_EC = 0x10, ST0_SE = 0x20, ST0_AT = 0x40,
       ST0_IC = 0x80, ST0_POLL = 0xC0 };
enum { ST1_MA = 0x01, ST1_NW = 0x02, ST1_ND = 0x04, ST1_OR = 0x10,
       ST1_DE = 0x20, ST1_EN = 0x80 };
enum { ST2_WC = 0x10, ST2_CM = 0x40 };
enum { CONFIG_POLL = 0x10, CONFIG_EIS = 0x40 };
enum { CMD_MT = 0x80, CMD_SK = 0x20 };

enum fdc_phase { FDC_COMMAND, FDC_DATA_IN, FDC_DATA_OUT, FDC_RESULT,
                 FDC_PHASES };

/* What a data command does with each sector. */
enum fdc_action { FDC_READ, FDC_WRITE, FDC_VERIFY, FDC_FORMAT };

struct fdc_drive {
    uint8_t track; /* where the head is */
    uint8_t pcn;   /* where the controller believes it to be */
    bool changed;  /* DSKCHG */
};

struct i82077 {
    uint8_t dor, tdr, dsr, rate, phase;
    uint8_t srt_hut, hlt_nd, config, pretrk, perpendicular;
    bool lock;
    uint8_t fifo[FDC_FIFO];
    uint8_t fifo_at, fifo_count; /* command bytes taken, results to give */
    bool irq;                    /* before DMAGATE */
    uint8_t polled;              /* resets still to be sensed, 4 to 0 */
    uint8_t seeks;               /* drives with a seek to be sensed */
    uint8_t seek_st0[4];
    uint8_t busy_drives;
    /* The data command. */
    uint8_t action;
    uint8_t unit, c, h, r, eot, gap_or_fill;
    bool multi_track, moved;
    bool data_irq; /* reading the result ends the request */
    uint8_t count; /* sectors left for FORMAT and VERIFY with EC */
    bool counted;
    uint8_t st1, st2;
    uint16_t position, length;
    uint8_t buffer[FDC_SECTOR];
    struct fdc_drive drive[FDC_DRIVES];
};

/* i82077.c */

/* The interrupt request, before DMAGATE. */
void fdc_set_irq(struct device *dev, bool level);
/* Phases: the next command's bytes; `count` bytes of the FIFO as result. */
void fdc_await_command(struct i82077 *s);
void fdc_give_result(struct i82077 *s, unsigned count);
void fdc_invalid_command(struct device *dev);
/* The drive's block; NULL where there is no drive. */
struct block *fdc_block_of(struct device *dev, unsigned unit);

/* i82077_command.c */

/* A byte for the FIFO in the command phase. */
void fdc_command_byte(struct device *dev, uint8_t value);
/* Moves the head. The step pulses clear DSKCHG if a disk is there. */
void fdc_move_head(struct device *dev, unsigned unit, unsigned track);

/* i82077_data.c: the data commands, and a byte's step of non-DMA mode. */
void fdc_step_pio(struct device *dev);
void fdc_read(struct device *dev);
void fdc_read_deleted(struct device *dev);
void fdc_read_track(struct device *dev);
void fdc_write(struct device *dev);
void fdc_verify(struct device *dev);
void fdc_format(struct device *dev);
void fdc_read_id(struct device *dev);

#endif
