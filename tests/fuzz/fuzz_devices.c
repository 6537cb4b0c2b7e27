/*
 * libFuzzer: bytes as a program that a guest's driver might run: accesses of
 * all registers of the board's devices, of PCI configuration space and of
 * memory that devices read, while time passes, keys are pressed, bytes arrive
 * on the serial line and media change. No CPU runs.
 *
 * An access is an opcode byte and its operands; see perform(). What it reads
 * is thrown away: nothing may crash, hang or leak.
 */
#include "emu/machine.h"
#include "emu/pc.h"

#include <stdlib.h>
#include <string.h>

#define RAM_BYTES (UINT64_C(4) << 20)
#define BIOS_BYTES 0x10000u
#define DISK_BYTES 0x40000u
#define FLOPPY_BYTES 1474560u
#define MAX_STEPS 2000u
#define MAX_PICTURES 2u /* they are large */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A medium in memory. */
struct disk {
    struct block block;
    uint8_t *bytes;
};

struct lab {
    struct machine *machine;
    struct chardev serial, debug;
    struct disk disk[4];
    struct surface surface;
    unsigned pictures;
    const uint8_t *at, *end;
};

/* The input, byte for byte; zeros behind its end. */
static uint64_t take(struct lab *lab, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes && lab->at < lab->end; i++)
        v |= (uint64_t)*lab->at++ << (i * 8);
    return v;
}

/* --- backends ------------------------------------------------------------- */

static void swallow(struct chardev *chr, const uint8_t *data, size_t size)
{
    (void)chr;
    /* Touches what it is given, so that ASan sees it. */
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + data[i]);
    chr->impl = (uint8_t *)chr + sum % 2;
}

static void check_range(const struct block *blk, uint64_t offset, size_t size)
{
    if (!blk->inserted || offset > blk->size_bytes ||
        size > blk->size_bytes - offset)
        abort(); /* backend.h: the caller stays within size_bytes */
}

static int disk_read(struct block *blk, uint64_t offset, void *data,
                     size_t size)
{
    struct disk *d = blk->impl;
    check_range(blk, offset, size);
    memcpy(data, d->bytes + offset, size);
    return 0;
}

static int disk_write(struct block *blk, uint64_t offset, const void *data,
                      size_t size)
{
    struct disk *d = blk->impl;
    check_range(blk, offset, size);
    if (blk->read_only)
        abort();
    memcpy(d->bytes + offset, data, size);
    return 0;
}

static int disk_flush(struct block *blk)
{
    (void)blk;
    return 0;
}

static void disk_open(struct disk *d, const char *name, uint64_t size,
                      bool read_only)
{
    d->bytes = calloc(1, size);
    if (!d->bytes)
        abort();
    d->block = (struct block){
        .name = name, .size_bytes = size, .read_only = read_only,
        .inserted = true, .read = disk_read, .write = disk_write,
        .flush = disk_flush, .impl = d,
    };
}

/* --- the board ------------------------------------------------------------ */

static uint64_t read_base(void *ctx)
{
    (void)ctx;
    return 0;
}

static void lab_open(struct lab *lab)
{
    static const char *const names[] = {"hd", "hd2", "cd", "fd"};
    static const uint64_t sizes[] = {DISK_BYTES, DISK_BYTES, DISK_BYTES,
                                     FLOPPY_BYTES};
    uint8_t *bios = calloc(1, BIOS_BYTES);
    /* A display adapter's 16 MiB take longer than all the rest. */
    bool display = take(lab, 1) % 4 == 0;
    struct pc_options options = {
        .vga = display ? PC_VGA_STD : PC_VGA_NONE, .bios = bios, .bios_bytes = BIOS_BYTES, .serial = {&lab->serial},
        .debugcon = {{.port = 0x402, .chardev = &lab->debug}},
        .debug_exit = true, .debug_exit_port = 0xF4, .debug_exit_ports = 4,
        .vga_rom = bios, .vga_rom_bytes = 0x8000,
    };
    lab->serial = (struct chardev){.name = "serial", .write = swallow};
    lab->debug = (struct chardev){.name = "debug", .write = swallow};
    for (unsigned i = 0; i < 4; i++)
        disk_open(&lab->disk[i], names[i], sizes[i], i == 1 || i == 2);
    options.ide[0] = &lab->disk[0].block;
    options.ide[1] = &lab->disk[1].block;
    options.ide[2] = &lab->disk[2].block;
    options.cdrom[2] = true;
    options.floppy[0] = &lab->disk[3].block;
    lab->machine = machine_new(RAM_BYTES, 1);
    if (!bios || !lab->machine)
        abort();
    clock_init(&lab->machine->clock, true, 0);
    if (pc_build(lab->machine, &options) < 0)
        abort();
    machine_reset(lab->machine);
    clock_start(&lab->machine->clock);
    if (!lab->machine->intc.get_base)
        lab->machine->intc.get_base = read_base;
    free(bios);
}

static void lab_close(struct lab *lab)
{
    machine_free(lab->machine);
    for (unsigned i = 0; i < 4; i++)
        free(lab->disk[i].bytes);
    surface_free(&lab->surface);
}

/* --- the program ---------------------------------------------------------- */

/* An address in one of a bus's device regions; any, if there is none. */
static uint64_t pick_address(struct lab *lab, struct bus *bus)
{
    uint64_t which = take(lab, 1), offset = take(lab, 2), seen = 0, devices = 0;
    for (size_t i = 0; i < bus->count; i++)
        devices += bus->regions[i]->kind == REGION_DEVICE;
    for (size_t i = 0; devices && i < bus->count; i++) {
        const struct region *region = bus->regions[i];
        if (region->kind == REGION_DEVICE && seen++ == which % devices)
            return region->base + offset % region->size;
    }
    return offset;
}

static void pass_time(struct lab *lab, uint64_t ns)
{
    struct clock *clock = &lab->machine->clock;
    uint64_t end = clock_now_ns(clock) + ns;
    /* From timer to timer for a while; then, as a busy host does, late. */
    for (unsigned i = 0; i < 32 && clock_deadline_ns(clock) < end; i++) {
        clock_skip_to(clock, clock_deadline_ns(clock));
        clock_run(clock);
    }
    clock_skip_to(clock, end);
    clock_run(clock);
}

static void configure(struct lab *lab)
{
    static const uint8_t functions[] = {0x00, 0x08, 0x09, 0x0B, 0x10, 0x18};
    struct bus *io = &lab->machine->io;
    uint64_t choice = take(lab, 1);
    uint32_t reg = (uint32_t)take(lab, 1);
    unsigned size = 1u << (choice >> 6) % 3;
    bus_write(io, 0xCF8,
              0x80000000u | (uint32_t)functions[choice % 6] << 8 | (reg & 0xFC),
              4);
    if (choice & 0x20)
        bus_write(io, 0xCFC + (reg & 3), take(lab, size), size);
    else
        bus_read(io, 0xCFC + (reg & 3), size);
}

static void receive(struct lab *lab)
{
    struct chardev *chr = &lab->serial;
    uint8_t bytes[16];
    size_t room = chr->room ? chr->room(chr->ctx) : 0;
    size_t n = take(lab, 1) % sizeof(bytes);
    if (n > room)
        n = room;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)take(lab, 1);
    if (n && chr->receive)
        chr->receive(chr->ctx, bytes, n);
}

/* Takes a medium out or puts it back. */
static void change_medium(struct lab *lab)
{
    struct block *blk = &lab->disk[2 + take(lab, 1) % 2].block;
    blk->inserted = !blk->inserted;
    if (blk->changed)
        blk->changed(blk->ctx);
}

static void look(struct lab *lab)
{
    static const uint64_t sizes[] = {1, 2, 80, 5000};
    struct display *display = &lab->machine->display;
    if (lab->pictures++ >= MAX_PICTURES)
        return;
    size_t size = sizes[take(lab, 1) % 4];
    char *text = malloc(size);
    if (!text)
        abort();
    if (display->render)
        display->render(display->ctx, &lab->surface);
    if (display->text && display->text(display->ctx, text, size) >= size)
        abort();
    free(text);
}

static void other(struct lab *lab)
{
    struct machine *m = lab->machine;
    uint64_t what = take(lab, 1), a = take(lab, 2);
    switch (what % 10) {
    case 0: receive(lab); break;
    case 1: change_medium(lab); break;
    case 2: look(lab); break;
    case 3: machine_reset(m); break;
    case 4: m->input.key(m->input.ctx, (unsigned)(a & 0x1FF), a >> 15); break;
    case 5:
        m->input.mouse(m->input.ctx, (int8_t)a, (int8_t)(a >> 8),
                       (int)(a % 5) - 2, (unsigned)(a >> 3) & 7);
        break;
    case 6: m->intc.acknowledge(m->intc.ctx); break;
    case 7: m->intc.set_base(m->intc.ctx, a << 11); break;
    case 8: m->intc.set_tpr(m->intc.ctx, (uint8_t)a); break;
    default: pc_power_button(m); break;
    }
}

/* One step: bits 2:0 say what, bits 4:3 the size, 7:5 how much time passes. */
static void perform(struct lab *lab)
{
    struct bus *io = &lab->machine->io, *memory = &lab->machine->memory;
    uint64_t op = take(lab, 1), address;
    unsigned size = 1u << (op >> 3) % 4;
    switch (op & 7) {
    case 0:
    case 1:
        address = pick_address(lab, io);
        bus_write(io, address, take(lab, size), size);
        break;
    case 2:
        bus_read(io, pick_address(lab, io), size);
        break;
    case 3:
        address = pick_address(lab, memory);
        bus_write(memory, address, take(lab, size), size);
        break;
    case 4:
        bus_read(memory, pick_address(lab, memory), size);
        break;
    case 5: /* what bus masters will read */
        address = take(lab, 2);
        bus_write(memory, address * 4, take(lab, size), size);
        break;
    case 6:
        configure(lab);
        break;
    default:
        other(lab);
        break;
    }
    if (op >> 5)
        pass_time(lab, UINT64_C(50) << ((op >> 5) * 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lab lab = {.at = data, .end = data + size};
    lab_open(&lab);
    for (unsigned n = 0; n < MAX_STEPS && lab.at < lab.end; n++)
        perform(&lab);
    lab_close(&lab);
    return 0;
}
