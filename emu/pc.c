/*
 * THE BOARD. Its parts, where each answers, what is soldered to what, and
 * what the firmware is told. To change the machine, change a table.
 *
 *      CPU -- LAPIC ---------- IOAPIC        HPET
 *       |       \ INTR           |            |
 *       |        PIC0 - PIC1 - isa-irqs ------+--- ISA: PIT RTC KBD COM FDC
 *     i440fx ---- RAM, BIOS      |
 *       | PCI bus 0            PIRQA-D
 *       +- 00.0 i440fx           |
 *       +- 01.0 PIIX3 -----------+
 *       +- 01.1 IDE     IRQ14, IRQ15
 *       +- 01.3 PM      SCI = IRQ9
 *       +- 02.0 VGA
 *
 * The parts' tables have one entry a part; a part that the options leave out
 * is NULL, and whatever is soldered or mapped of it is skipped. This file's
 * own device, "board", comes last: it hears reset, power and A20, and owns
 * what the tables need to live as long as the machine.
 *
 * Not modelled: the NMI switch (port 0x70 bit 7), FERR# to IRQ13, ISA cards.
 */
#include "emu/pc.h"

#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i82077.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ide.h"
#include "devices/ioapic.h"
#include "devices/irq_fan.h"
#include "devices/lapic.h"
#include "devices/mc146818.h"
#include "devices/ns16550.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/ports.h"
#include "devices/vga.h"
#include "emu/pc_firmware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Parts -------------------------------------------------------------- */

enum part {
    BRIDGE, ISA, IDE, PM, IOAPIC, HPET, IRQS, PIC0, PIC1, DMA0, DMA1, PIT, RTC,
    KBD, PORTS, FDC, COM1, COM2, COM3, COM4, VGA, FW_CFG, DEBUG_EXIT,
    DEBUGCON0, DEBUGCON1, DEBUGCON2, DEBUGCON3, LAPIC0, BOARD, PARTS
};

static const struct device_class board_class;

static const struct {
    const char *name;
    const struct device_class *class;
} parts[PARTS] = {
    [BRIDGE] = {"i440fx", &i440fx_class},
    [ISA] = {"piix3", &piix3_class},
    [IDE] = {"ide", &ide_class},
    [PM] = {"piix4-pm", &piix4_pm_class},
    [IOAPIC] = {"ioapic", &ioapic_class},
    [HPET] = {"hpet", &hpet_class},
    [IRQS] = {"isa-irqs", &irq_fan_class},
    [PIC0] = {"pic0", &i8259_class},
    [PIC1] = {"pic1", &i8259_class},
    [DMA0] = {"dma0", &i8237_class},
    [DMA1] = {"dma1", &i8237_class},
    [PIT] = {"pit", &i8254_class},
    [RTC] = {"rtc", &mc146818_class},
    [KBD] = {"kbd", &i8042_class},
    [PORTS] = {"ports", &ports_class},
    [FDC] = {"fdc", &i82077_class},
    [COM1] = {"com1", &ns16550_class},
    [COM2] = {"com2", &ns16550_class},
    [COM3] = {"com3", &ns16550_class},
    [COM4] = {"com4", &ns16550_class},
    [VGA] = {"vga", &vga_class},
    [FW_CFG] = {"fw_cfg", &fw_cfg_class},
    [DEBUG_EXIT] = {"debug-exit", &debug_exit_class},
    [DEBUGCON0] = {"debugcon0", &debugcon_class},
    [DEBUGCON1] = {"debugcon1", &debugcon_class},
    [DEBUGCON2] = {"debugcon2", &debugcon_class},
    [DEBUGCON3] = {"debugcon3", &debugcon_class},
    [LAPIC0] = {"lapic0", &lapic_class},
    [BOARD] = {"board", &board_class},
};

/* --- Where each part answers ------------------------------------------- */

/* Parts that are not here map themselves: the bridge its memory, IDE and VGA
 * their legacy ports, LAPIC and PM where the guest says, PCI functions by
 * their BARs. */
static const struct {
    enum part part;
    unsigned bank;
    uint32_t base, size;
    bool memory;
} places[] = {
    {DMA0, I8237_BANK_CONTROLLER, 0x0000, 16, false},
    {PIC0, I8259_BANK_COMMAND, 0x0020, 2, false},
    {PIT, I8254_BANK, 0x0040, 4, false},
    {KBD, I8042_BANK_DATA, 0x0060, 1, false},
    {PORTS, PORTS_BANK_CONTROL_B, 0x0061, 1, false},
    {KBD, I8042_BANK_COMMAND, 0x0064, 1, false},
    {RTC, MC146818_BANK, 0x0070, 2, false},
    {PORTS, PORTS_BANK_POST, 0x0080, 1, false},
    {DMA0, I8237_BANK_PAGES, 0x0081, 15, false},
    {PORTS, PORTS_BANK_CONTROL_A, 0x0092, 1, false},
    {PIC1, I8259_BANK_COMMAND, 0x00A0, 2, false},
    {PM, PIIX4_PM_APM, 0x00B2, 2, false},
    {DMA1, I8237_BANK_CONTROLLER, 0x00C0, 32, false},
    {PORTS, PORTS_BANK_POST, 0x0190, 1, false},
    {COM4, NS16550_BANK, 0x02E8, 8, false},
    {COM2, NS16550_BANK, 0x02F8, 8, false},
    {COM3, NS16550_BANK, 0x03E8, 8, false},
    {FDC, I82077_BANK_LOW, 0x03F0, 6, false}, /* 0x3F6 is IDE's */
    {FDC, I82077_BANK_HIGH, 0x03F7, 1, false},
    {COM1, NS16550_BANK, 0x03F8, 8, false},
    {PIC0, I8259_BANK_ELCR, 0x04D0, 1, false},
    {PIC1, I8259_BANK_ELCR, 0x04D1, 1, false},
    {FW_CFG, FW_CFG_IO, 0x0510, 2, false},
    {FW_CFG, FW_CFG_DMA, 0x0514, 8, false},
    {BRIDGE, I440FX_CONFADD, 0x0CF8, 4, false}, /* and 0xCF9 is PIIX3's */
    {BRIDGE, I440FX_CONFDATA, 0x0CFC, 4, false},
    {PM, PIIX4_PM_GPE, PIIX4_PM_GPE0_BASE, 4, false},
    {IOAPIC, IOAPIC_MMIO, 0xFEC00000, 0x1000, true},
    {HPET, HPET_MMIO, 0xFED00000, 0x400, true},
};

/* --- What is soldered to what ------------------------------------------ */

enum board_line { LINE_RESET, LINE_SHUTDOWN, LINE_A20, LINE_DEBUG_EXIT };

static const struct {
    enum part from;
    unsigned out;
    enum part to;
    unsigned line;
} wires[] = {
    /* Interrupts of the ISA bus. */
    {PIT, I8254_OUT_IRQ, IRQS, IRQ_FAN_ISA + 0},
    {KBD, I8042_OUT_IRQ1, IRQS, IRQ_FAN_ISA + 1},
    {COM2, NS16550_OUT_IRQ, IRQS, IRQ_FAN_ISA + 3},
    {COM4, NS16550_OUT_IRQ, IRQS, IRQ_FAN_SHARED + 3},
    {COM1, NS16550_OUT_IRQ, IRQS, IRQ_FAN_ISA + 4},
    {COM3, NS16550_OUT_IRQ, IRQS, IRQ_FAN_SHARED + 4},
    {FDC, I82077_WIRE_IRQ, IRQS, IRQ_FAN_ISA + 6},
    {RTC, MC146818_OUT_IRQ, IRQS, IRQ_FAN_ISA + 8},
    {PM, PIIX4_PM_OUT_SCI, IRQS, IRQ_FAN_ISA + 9},
    {KBD, I8042_OUT_IRQ12, IRQS, IRQ_FAN_ISA + 12},
    {IDE, IDE_WIRE_PRIMARY, IRQS, IRQ_FAN_ISA + 14},
    {IDE, IDE_WIRE_SECONDARY, IRQS, IRQ_FAN_ISA + 15},
    /* HPET. */
    {HPET, 2, IRQS, IRQ_FAN_HPET_PIN2},
    {HPET, HPET_OUT_IRQ0, IRQS, IRQ_FAN_HPET_IRQ0},
    {HPET, HPET_OUT_IRQ8, IRQS, IRQ_FAN_HPET_IRQ8},
    {HPET, HPET_OUT_LEGACY, IRQS, IRQ_FAN_HPET_LEGACY},
    /* Interrupt controllers. */
    {PIC1, I8259_OUT_INT, PIC0, I8259_LINE_IR0 + I8259_CASCADE},
    {PIC0, I8259_OUT_INT, LAPIC0, LAPIC_LINT0},
    /* Reset, power, A20. */
    {ISA, PIIX3_OUT_RESET, BOARD, LINE_RESET},
    {KBD, I8042_OUT_RESET, BOARD, LINE_RESET},
    {PORTS, PORTS_OUT_RESET, BOARD, LINE_RESET},
    {PM, PIIX4_PM_OUT_SHUTDOWN, BOARD, LINE_SHUTDOWN},
    {DEBUG_EXIT, DEBUG_EXIT_OUT, BOARD, LINE_DEBUG_EXIT},
    {KBD, I8042_OUT_A20, BOARD, LINE_A20},
    {PORTS, PORTS_OUT_A20, BOARD, LINE_A20},
};

/* The PCI bus; device << 3 | function. */
static const struct {
    enum part part;
    unsigned devfn;
    struct pci_function *(*function)(struct device *dev);
} slots[] = {
    {ISA, 1 << 3 | 0, piix3_pci},
    {IDE, 1 << 3 | 1, ide_pci},
    {PM, 1 << 3 | 3, piix4_pm_pci},
    {VGA, 2 << 3 | 0, vga_pci},
};

/* --- The board itself --------------------------------------------------- */

#define PLACES (sizeof(places) / sizeof(places[0]))
#define REGIONS (PLACES + PC_DEBUGCONS + 1)

struct board {
    struct machine *machine;
    struct device *part[PARTS];
    struct region region[REGIONS];
    size_t regions;
    uint8_t *bios, *vga_rom;
    struct i440fx_config bridge;
    struct ide_config ide;
    struct hpet_config hpet;
    struct lapic_config lapic;
    struct ioapic_config ioapic;
    struct i8259_config pic[2];
    struct i8237_config dma[2];
    struct ports_config ports;
    struct i82077_config fdc;
    struct vga_config vga;
};

/* The "board" device's state is only a pointer: the rest has to be there
 * before that device is. */
struct board_state {
    struct board *board;
};

static const struct field board_fields[] = {FIELD_END};

static void board_reset(struct device *dev)
{
    const struct board_state *s = dev->state;

    /* Last of all resets, so that no other device's leaves A20 masked. */
    if (s->board)
        machine_set_a20(s->board->machine, true);
}

static void board_line(struct device *dev, unsigned n, bool level)
{
    const struct board_state *s = dev->state;
    struct board *board = s->board;
    struct machine *machine;

    if (!board)
        return;
    machine = board->machine;
    switch (n) {
    case LINE_A20:
        machine_set_a20(machine, level);
        break;
    case LINE_RESET:
        if (level)
            machine_request(machine, REQUEST_RESET);
        break;
    case LINE_DEBUG_EXIT:
        if (level)
            machine->exit_status = debug_exit_status(board->part[DEBUG_EXIT]);
        /* fall through */
    default:
        if (level)
            machine_request(machine, REQUEST_SHUTDOWN);
        break;
    }
}

static void board_free(struct board *board)
{
    free(board->bios);
    free(board->vga_rom);
    free(board);
}

static void board_fini(struct device *dev)
{
    const struct board_state *s = dev->state;

    if (s->board)
        board_free(s->board);
}

static const struct device_class board_class = {
    .name = "board",
    .description = "reset, power and A20 of the board",
    .state_size = sizeof(struct board_state),
    .fields = board_fields,
    .max_access = 1,
    .reset = board_reset,
    .fini = board_fini,
    .line = board_line,
};

/* --- What wires cannot carry -------------------------------------------- */

static void cpu_intr(void *ctx, bool level)
{
    machine_set_intr(((struct board *)ctx)->machine, 0, level);
}

static void cpu_nmi(void *ctx, bool level)
{
    machine_set_nmi(((struct board *)ctx)->machine, 0, level);
}

static int pic_acknowledge(void *ctx)
{
    struct board *board = ctx;

    return i8259_acknowledge(board->part[PIC0], board->part[PIC1]);
}

static void eoi_broadcast(void *ctx, uint8_t vector)
{
    ioapic_eoi(((struct board *)ctx)->part[IOAPIC], vector);
}

static void apic_send(void *ctx, const struct apic_message *message)
{
    (void)apic_bus_deliver(&((struct board *)ctx)->part[LAPIC0], 1, message);
}

/* The floppy controller is on DMA channel 2. */
#define FLOPPY_CHANNEL 2u

static size_t floppy_dma(void *ctx, void *buf, size_t size, bool to_memory)
{
    return i8237_transfer(ctx, FLOPPY_CHANNEL, buf, size, to_memory);
}

static bool floppy_terminal_count(void *ctx)
{
    return i8237_terminal_count(ctx, FLOPPY_CHANNEL);
}

static void input_key(void *ctx, unsigned key, bool down)
{
    i8042_key(ctx, key, down);
}

static void input_mouse(void *ctx, int dx, int dy, int dz, unsigned buttons)
{
    i8042_mouse(ctx, dx, dy, dz, buttons);
}

/* --- Building ----------------------------------------------------------- */

static bool is_there(enum part part, const struct pc_options *options)
{
    if (part >= COM1 && part <= COM4)
        return options->serial[part - COM1] != NULL;
    if (part >= DEBUGCON0 && part <= DEBUGCON3)
        return options->debugcon[part - DEBUGCON0].chardev != NULL;
    if (part == VGA)
        return options->vga != PC_VGA_NONE;
    if (part == HPET)
        return !options->no_hpet;
    if (part == DEBUG_EXIT)
        return options->debug_exit;
    return true;
}

static int fail(struct machine *machine, int err, const char *what)
{
    (void)snprintf(machine->error, sizeof(machine->error), "%s: %s", what,
                   strerror(-err));
    return err;
}

static int add_parts(struct board *board, const struct pc_options *options)
{
    for (enum part p = 0; p < PARTS; p++) {
        if (!is_there(p, options))
            continue;
        board->part[p] =
            machine_add(board->machine, parts[p].class, parts[p].name);
        if (!board->part[p])
            return fail(board->machine, -ENOMEM, parts[p].name);
    }
    ((struct board_state *)board->part[BOARD]->state)->board = board;
    return 0;
}

static int copy_bytes(uint8_t **to, const uint8_t *from, size_t size)
{
    if (!from || !size)
        return 0;
    *to = malloc(size);
    if (!*to)
        return -ENOMEM;
    memcpy(*to, from, size);
    return 0;
}

uint64_t pc_ram_below_4g(uint64_t ram_bytes)
{
    return ram_bytes >= UINT64_C(0xE0000000) ? UINT64_C(0xC0000000) : ram_bytes;
}

static int configure_memory(struct board *board,
                            const struct pc_options *options)
{
    struct machine *machine = board->machine;
    uint64_t below = pc_ram_below_4g(machine->ram_bytes);

    if (options->bios_bytes > I440FX_BIOS_MAX ||
        copy_bytes(&board->bios, options->bios, options->bios_bytes) < 0 ||
        copy_bytes(&board->vga_rom, options->vga_rom, options->vga_rom_bytes) <
            0)
        return fail(machine, -ENOMEM, "BIOS images");
    board->bridge = (struct i440fx_config){
        .ram = machine->ram,
        .ram_below_4g = below,
        .ram_above_4g = machine->ram_bytes - below,
        .bios = board->bios,
        .bios_bytes = board->bios ? (uint32_t)options->bios_bytes : 0,
        .isa_bridge = board->part[ISA],
        .isa_bridge_bank = PIIX3_RCR,
    };
    board->part[BRIDGE]->config = &board->bridge;
    return 0;
}

static void configure_interrupts(struct board *board)
{
    board->pic[0] = (struct i8259_config){.slave = false, .elcr_mask = 0xF8};
    board->pic[1] = (struct i8259_config){.slave = true, .elcr_mask = 0xDE};
    board->part[PIC0]->config = &board->pic[0];
    board->part[PIC1]->config = &board->pic[1];
    board->ioapic = (struct ioapic_config){.ctx = board, .deliver = apic_send};
    board->part[IOAPIC]->config = &board->ioapic;
    board->lapic = (struct lapic_config){
        .ctx = board,
        .id = 0,
        .bootstrap = true,
        .intr = cpu_intr,
        .nmi = cpu_nmi,
        .pic_acknowledge = pic_acknowledge,
        .eoi = eoi_broadcast,
        .send = apic_send,
    };
    board->part[LAPIC0]->config = &board->lapic;
    board->machine->intc = lapic_intc(board->part[LAPIC0]);
    if (board->part[HPET]) {
        board->hpet = (struct hpet_config){.routes = 1u << 2};
        board->part[HPET]->config = &board->hpet;
    }
}

static void configure_isa(struct board *board, const struct pc_options *options)
{
    board->dma[0] = (struct i8237_config){.shift = 0, .pages = NULL};
    board->dma[1] = (struct i8237_config){.shift = 1,
                                          .pages = board->part[DMA0]};
    board->part[DMA0]->config = &board->dma[0];
    board->part[DMA1]->config = &board->dma[1];
    board->ports = (struct ports_config){.pit = board->part[PIT]};
    board->part[PORTS]->config = &board->ports;
    board->fdc = (struct i82077_config){
        .dma = floppy_dma,
        .terminal_count = floppy_terminal_count,
        .ctx = board->part[DMA0],
    };
    board->part[FDC]->config = &board->fdc;
    for (unsigned i = 0; i < PC_FLOPPIES; i++)
        board->part[FDC]->drive[i] = options->floppy[i];
    for (unsigned i = 0; i < PC_SERIALS; i++)
        if (board->part[COM1 + i])
            board->part[COM1 + i]->chardev = options->serial[i];
    for (unsigned i = 0; i < PC_DEBUGCONS; i++)
        if (board->part[DEBUGCON0 + i])
            board->part[DEBUGCON0 + i]->chardev = options->debugcon[i].chardev;
    board->machine->input = (struct input){
        .key = input_key,
        .mouse = input_mouse,
        .ctx = board->part[KBD],
    };
}

static void configure_pci(struct board *board, const struct pc_options *options)
{
    for (unsigned i = 0; i < PC_IDE_DRIVES; i++) {
        board->part[IDE]->drive[i] = options->ide[i];
        board->ide.unit[i].cdrom = options->cdrom[i];
    }
    board->part[IDE]->config = &board->ide;
    if (board->part[VGA]) {
        board->vga = (struct vga_config){
            .rom = board->vga_rom,
            .rom_bytes = board->vga_rom ? options->vga_rom_bytes : 0,
        };
        board->part[VGA]->config = &board->vga;
    }
}

static void solder(struct board *board)
{
    struct device **part = board->part;

    for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++)
        if (part[wires[i].from] && part[wires[i].to])
            device_wire(part[wires[i].from], wires[i].out, part[wires[i].to],
                        wires[i].line);
    for (unsigned irq = 0; irq < 16; irq++) {
        device_wire(part[ISA], irq, part[IRQS], IRQ_FAN_STEERED + irq);
        if (irq != I8259_CASCADE)
            device_wire(part[IRQS], IRQ_FAN_OUT_PIC + irq,
                        part[irq < 8 ? PIC0 : PIC1], I8259_LINE_IR0 + irq % 8);
        device_wire(part[IRQS], IRQ_FAN_OUT_IOAPIC + irq, part[IOAPIC], irq);
    }
}

static int init_parts(struct board *board)
{
    for (enum part p = 0; p < PARTS; p++) {
        int err = board->part[p] ? device_init(board->part[p]) : 0;

        if (err < 0)
            return fail(board->machine, err, parts[p].name);
    }
    return 0;
}

static int place(struct board *board, struct device *dev, unsigned bank,
                 uint32_t base, uint32_t size, bool memory)
{
    struct region *region = &board->region[board->regions++];
    int err;

    *region = (struct region){
        .name = dev->name,
        .base = base,
        .size = size,
        .kind = REGION_DEVICE,
        .dev = dev,
        .bank = bank,
    };
    err = bus_map(memory ? dev->memory : dev->io, region);
    if (err < 0)
        (void)snprintf(board->machine->error, sizeof(board->machine->error),
                       "%s: %s %#x is in use by another device", dev->name,
                       memory ? "address" : "port", base);
    return err;
}

static int place_parts(struct board *board, const struct pc_options *options)
{
    int err = 0;

    for (size_t i = 0; i < PLACES && !err; i++)
        if (board->part[places[i].part])
            err = place(board, board->part[places[i].part], places[i].bank,
                        places[i].base, places[i].size, places[i].memory);
    for (unsigned i = 0; i < PC_DEBUGCONS && !err; i++)
        if (board->part[DEBUGCON0 + i])
            err = place(board, board->part[DEBUGCON0 + i], DEBUGCON_BANK,
                        options->debugcon[i].port, 1, false);
    if (board->part[DEBUG_EXIT] && !err)
        err = place(board, board->part[DEBUG_EXIT], DEBUG_EXIT_BANK,
                    options->debug_exit_port, options->debug_exit_ports, false);
    return err;
}

static int plug_functions(struct board *board)
{
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        struct device *dev = board->part[slots[i].part];
        int err = dev ? i440fx_plug(board->part[BRIDGE], slots[i].function(dev),
                                    slots[i].devfn)
                      : 0;

        if (err < 0)
            return fail(board->machine, err, dev->name);
    }
    return 0;
}

int pc_build(struct machine *machine, const struct pc_options *options)
{
    struct board *board = calloc(1, sizeof(*board));
    int err;

    if (!board)
        return fail(machine, -ENOMEM, "board");
    board->machine = machine;
    err = add_parts(board, options);
    if (err < 0) {
        /* Without its last part nobody else would free it. */
        board_free(board);
        return err;
    }
    err = configure_memory(board, options);
    if (err < 0)
        return err;
    configure_interrupts(board);
    configure_isa(board, options);
    configure_pci(board, options);
    solder(board);
    err = init_parts(board);
    if (!err)
        err = place_parts(board, options);
    if (!err)
        err = plug_functions(board);
    if (err < 0)
        return err;
    if (board->part[VGA])
        vga_display(board->part[VGA], &machine->display);
    pc_fill_cmos(machine, options);
    err = pc_fill_fw_cfg(machine, options);
    return err < 0 ? fail(machine, err, "fw_cfg") : 0;
}

void pc_power_button(struct machine *machine)
{
    struct device *pm = machine_find(machine, parts[PM].name);

    if (pm)
        piix4_pm_power_button(pm);
}

void pc_nmi(struct machine *machine)
{
    struct device *lapic = machine_find(machine, parts[LAPIC0].name);

    if (!lapic)
        return;
    lapic->class->line(lapic, LAPIC_LINT1, true);
    lapic->class->line(lapic, LAPIC_LINT1, false);
}
