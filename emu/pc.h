/*
 * The board: an IBM PC/AT's descendant with Intel's 440FX, as QEMU's machine
 * "pc" is. See pc.c.
 */
#ifndef EMU_PC_H
#define EMU_PC_H

#include "emu/backend.h"
#include "emu/machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_plan;

#define PC_SERIALS 4
#define PC_DEBUGCONS 4
#define PC_IDE_DRIVES 4
#define PC_FLOPPIES 2

enum pc_vga { PC_VGA_STD, PC_VGA_NONE };

/* A file for the guest's firmware (-fw_cfg). */
struct pc_file {
    const char *name;
    const void *data;
    size_t size;
};

/*
 * What is on the board. All bytes are copied; drives, chardevs and strings
 * that a member says so about must outlive the machine. RAM and CPUs are the
 * machine's; the time of day is machine->clock.rtc_offset_s.
 */
struct pc_options {
    const uint8_t *bios; /* NULL: none; the CPU then finds ones at reset */
    size_t bios_bytes;   /* whole pages, up to 16 MiB */
    enum pc_vga vga;
    const uint8_t *vga_rom; /* NULL: none */
    size_t vga_rom_bytes;

    /* Primary master, primary slave, secondary master, secondary slave. Not
     * NULL: a disk is there, or with cdrom a CD-ROM drive, which may also be
     * there without a disc. Outlive the machine. */
    struct block *ide[PC_IDE_DRIVES];
    bool cdrom[PC_IDE_DRIVES];
    struct block *floppy[PC_FLOPPIES]; /* A, B; outlive the machine */

    struct chardev *serial[PC_SERIALS]; /* COM1 to COM4; NULL: no port */
    struct {
        uint16_t port;
        struct chardev *chardev;
    } debugcon[PC_DEBUGCONS]; /* chardev NULL: none */
    bool debug_exit;          /* isa-debug-exit */
    uint16_t debug_exit_port;
    unsigned debug_exit_ports; /* 1, 2 or 4 */

    const char *boot_order; /* letters: a floppy, c disk, d CD, n network */
    bool boot_menu;
    unsigned boot_menu_wait_ms;   /* 0: the firmware's default */
    const struct boot_plan *plan; /* -kernel; NULL: none */
    const struct pc_file *files;
    size_t file_count;
    const uint8_t *uuid; /* 16 bytes, or NULL */
    bool no_acpi, no_hpet;
    bool nographic; /* firmware may talk on the serial line */
};

/*
 * Puts the devices on the board, solders them together and resets nothing:
 * machine_reset() is the caller's. 0, or -errno with machine->error set;
 * machine_free() is then all that is left to do.
 *
 * Devices are found by name with machine_find(): "board" "i440fx" "piix3"
 * "ide" "piix4-pm" "lapic0" "ioapic" "hpet" "isa-irqs" "pic0" "pic1" "dma0"
 * "dma1" "pit" "rtc" "kbd" "ports" "fdc" "com1" to "com4" "vga" "fw_cfg"
 * "debug-exit" "debugcon0" to "debugcon3".
 */
int pc_build(struct machine *machine, const struct pc_options *options);

/* RAM below and above 4 GiB for a machine of this size. */
uint64_t pc_ram_below_4g(uint64_t ram_bytes);
/* Presses the power button (`system_powerdown`). */
void pc_power_button(struct machine *machine);
/* Pulses the NMI pin (`nmi`). */
void pc_nmi(struct machine *machine);

#endif
