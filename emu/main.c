/*
 * vitrine: command line -> files -> board -> run -> exit status.
 *
 * All files are looked at before anything is shown or run, so that a mistake
 * costs one line and nothing else. Only this file ends the process.
 *
 * Not modelled: -boot once= goes back to order= only when vitrine is started
 * again, not at the guest's first reboot.
 */
#include "accel/interp/interp.h"
#include "devices/host/block_file.h"
#include "devices/host/host.h"
#include "emu/boot/bios.h"
#include "emu/boot/kernel.h"
#include "emu/machine.h"
#include "emu/options.h"
#include "emu/pc.h"
#include "emu/trace.h"
#include "emu/x86/cpuid.h"
#include "monitor/gdb.h"
#include "monitor/monitor.h"
#include "monitor/start.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FW_CFG_FILE_MAX_BYTES ((size_t)256 << 20)

/* What one run holds; session_free() gives all of it back. */
struct session {
    struct options o;
    struct host *host;
    struct machine *machine;
    struct gdb *gdb;             /* -gdb; may be NULL */
    struct monitor *gdb_monitor; /* behind gdb's "monitor" */
    struct pc_options pc;
    struct cpu_model model;
    struct image bios, vga_rom;
    struct boot_plan plan;
    struct block *blocks[PC_IDE_DRIVES + PC_FLOPPIES];
    unsigned block_count;
    struct pc_file files[OPTIONS_MAX_FW_CFG];
    struct image file_images[OPTIONS_MAX_FW_CFG];
    struct trace log_trace, traces[OPTIONS_MAX_TRACES];
};

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *format, ...)
{
    char line[400];
    va_list ap;

    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    fprintf(stderr, "vitrine: %s\n", line);
    return -1;
}

/* Files. ---------------------------------------------------------------- */

static int load_firmware(struct session *s)
{
    struct options *o = &s->o;
    struct boot_error error;
    const char *name = o->bios ? o->bios : BIOS_DEFAULT;

    if (bios_load(name, o->path, o->paths, &s->bios, &error) < 0)
        return fail("%s%s", o->bios ? "-bios " : "", error.text);
    s->pc.bios = s->bios.data;
    s->pc.bios_bytes = s->bios.size;
    if (o->vga == VGA_NONE)
        return 0;
    if (bios_load_vga(BIOS_VGA_DEFAULT, o->path, o->paths, &s->vga_rom,
                      &error) < 0)
        return fail("%s", error.text);
    s->pc.vga_rom = s->vga_rom.data;
    s->pc.vga_rom_bytes = s->vga_rom.size;
    return 0;
}

static int load_kernel(struct session *s)
{
    struct boot_error error;
    struct boot_request request = {
        .kernel = s->o.kernel,
        .initrd = s->o.initrd,
        .append = s->o.append,
        .low_ram_bytes = pc_ram_below_4g(s->o.ram_bytes),
    };

    if (!s->o.kernel)
        return 0;
    if (boot_plan_make(&s->plan, &request, &error) < 0)
        return fail("%s", error.text);
    s->pc.plan = &s->plan;
    return 0;
}

static int load_fw_cfg(struct session *s)
{
    struct boot_error error;

    for (unsigned i = 0; i < s->o.fw_cfgs; i++) {
        const struct options_fw_cfg *item = &s->o.fw_cfg[i];
        struct pc_file *file = &s->files[i];
        file->name = item->name;
        if (item->string) {
            file->data = item->string;
            file->size = strlen(item->string);
            continue;
        }
        if (image_read(&s->file_images[i], item->file, FW_CFG_FILE_MAX_BYTES,
                       &error) < 0)
            return fail("-fw_cfg %s", error.text);
        file->data = s->file_images[i].data;
        file->size = s->file_images[i].size;
    }
    s->pc.files = s->files;
    s->pc.file_count = s->o.fw_cfgs;
    return 0;
}

/* QEMU's names: ide0-hd0, ide1-cd0, floppy0. */
static void drive_name(const struct options_drive *drive, char *name,
                       size_t size)
{
    if (drive->interface == DRIVE_FLOPPY)
        snprintf(name, size, "floppy%u", drive->index);
    else
        snprintf(name, size, "ide%u-%s%u", drive->index / 2,
                 drive->cdrom ? "cd" : "hd", drive->index % 2);
}

static int open_drive(struct session *s, const struct options_drive *drive)
{
    struct block_options how = {.read_only = drive->read_only,
                                .snapshot = drive->snapshot};
    char name[32], error[256];
    struct block *blk;

    drive_name(drive, name, sizeof(name));
    if (drive->file)
        blk = block_file_open(name, drive->file, &how, error, sizeof(error));
    else
        blk = block_file_empty(name);
    if (!blk)
        return fail("-%s %s", drive->option,
                    drive->file ? error : "out of memory");
    s->blocks[s->block_count++] = blk;
    if (drive->interface == DRIVE_FLOPPY) {
        s->pc.floppy[drive->index] = blk;
    } else {
        s->pc.ide[drive->index] = blk;
        s->pc.cdrom[drive->index] = drive->cdrom;
    }
    return 0;
}

static int open_drives(struct session *s)
{
    for (unsigned i = 0; i < s->o.drives; i++)
        if (open_drive(s, &s->o.drive[i]) < 0)
            return -1;
    if (s->o.nodefaults)
        return 0;
    /* As on QEMU's board: an empty CD-ROM drive and an empty floppy drive. */
    struct options_drive cd = {.index = 2, .cdrom = true, .option = "cdrom"};
    struct options_drive floppy = {.interface = DRIVE_FLOPPY, .option = "fda"};
    if (!s->pc.ide[2] && open_drive(s, &cd) < 0)
        return -1;
    if (!s->pc.floppy[0] && open_drive(s, &floppy) < 0)
        return -1;
    return 0;
}

/* Lines, log, clock. ---------------------------------------------------- */

static int open_line(struct session *s, const char *option, const char *spec,
                     const char *label, struct chardev **chardev)
{
    char error[256];
    const char *line = options_chardev_spec(&s->o, spec);

    if (chardev_open(host_chardevs(s->host), line, label, chardev, error,
                     sizeof(error)) < 0)
        return fail("-%s %s", option, error);
    return 0;
}

static int open_lines(struct session *s)
{
    static const char *const serials[] = {"serial0", "serial1", "serial2",
                                          "serial3"};

    for (unsigned i = 0; i < s->o.serials; i++)
        if (open_line(s, "serial", s->o.serial[i], serials[i],
                      &s->pc.serial[i]) < 0)
            return -1;
    for (unsigned i = 0; i < s->o.debugcons; i++) {
        s->pc.debugcon[i].port = s->o.debugcon[i].iobase;
        if (open_line(s, "debugcon", s->o.debugcon[i].chardev, "debugcon",
                      &s->pc.debugcon[i].chardev) < 0)
            return -1;
    }
    return 0;
}

static int open_log(struct session *s)
{
    struct machine *machine = s->machine;
    int error;

    if (s->o.log_items)
        log_parse(&machine->log, s->o.log_items);
    if (s->o.log_file) {
        error = log_open(&machine->log, s->o.log_file);
        if (error)
            return fail("-D %s: %s", s->o.log_file, strerror(-error));
    }
    if (log_on(&machine->log, LOG_EXITS))
        trace_log(&s->log_trace, &machine->ledger, &machine->log);
    for (unsigned i = 0; i < s->o.traces; i++) {
        error = trace_open(&s->traces[i], &machine->ledger, s->o.trace[i]);
        if (error)
            return fail("-trace file=%s: %s", s->o.trace[i], strerror(-error));
    }
    return 0;
}

static void set_clock(struct session *s)
{
    struct clock *clock = &s->machine->clock;
    time_t now = time(NULL);
    struct tm local;

    clock_init(clock, s->o.icount, s->o.icount_shift);
    switch (s->o.rtc) {
    case RTC_UTC:
        clock->rtc_offset_s = (uint64_t)now;
        break;
    case RTC_LOCALTIME:
        localtime_r(&now, &local);
        clock->rtc_offset_s = (uint64_t)(now + local.tm_gmtoff);
        break;
    case RTC_DATE:
        clock->rtc_offset_s = (uint64_t)s->o.rtc_date;
        break;
    }
}

/* The machine. ---------------------------------------------------------- */

static int set_cpu_model(struct session *s)
{
    char error[256];

    if (!s->o.cpu)
        return 0;
    if (cpu_model_parse(s->o.cpu, &s->model, error, sizeof(error)) < 0)
        return fail("-cpu %s", error);
    for (unsigned i = 0; i < s->machine->cpus; i++)
        s->machine->cpu[i]->model = &s->model;
    return 0;
}

static void fill_board(struct session *s)
{
    struct options *o = &s->o;
    struct pc_options *pc = &s->pc;

    pc->vga = o->vga == VGA_NONE ? PC_VGA_NONE : PC_VGA_STD;
    pc->debug_exit = o->debug_exit;
    pc->debug_exit_port = o->debug_exit_iobase;
    pc->debug_exit_ports = o->debug_exit_iosize;
    pc->boot_order = o->boot_once ? o->boot_once : o->boot_order;
    pc->boot_menu = o->boot_menu;
    pc->uuid = o->has_uuid ? o->uuid : NULL;
    pc->no_acpi = o->no_acpi;
    pc->no_hpet = o->no_hpet;
    pc->nographic = o->nographic;
}

static int build(struct session *s)
{
    struct machine *machine = machine_new(s->o.ram_bytes, s->o.cpus);

    if (!machine)
        return fail("-m: the host has no %llu MiB to give; use a smaller -m",
                    (unsigned long long)(s->o.ram_bytes >> 20));
    s->machine = machine;
    if (s->o.name)
        machine->name = s->o.name;
    machine->no_reboot = s->o.no_reboot;
    machine->no_shutdown = s->o.no_shutdown;
    set_clock(s);
    if (set_cpu_model(s) < 0 || open_log(s) < 0)
        return -1;
    fill_board(s);
    if (pc_build(machine, &s->pc) < 0)
        return fail("%s", machine->error);
    if (machine_set_accel(machine, &interp_accel) < 0)
        return fail("%s", machine->error);
    host_attach(s->host, machine);
    return 0;
}

static int open_gdb(struct session *s)
{
    char error[256];

    if (!s->o.gdb)
        return 0;
    s->gdb = gdb_open(s->o.gdb, error, sizeof(error));
    if (!s->gdb)
        return fail("-gdb %s", error);
    s->gdb_monitor = monitor_new(s->machine, stdout);
    if (s->gdb_monitor)
        gdb_set_command(s->gdb, monitor_gdb_line, s->gdb_monitor);
    return 0;
}

static int open_window(struct session *s)
{
    char error[256];

    if (s->o.display == DISPLAY_NONE || s->o.vga == VGA_NONE)
        return 0;
    bool desktop = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    if (s->o.display == DISPLAY_DEFAULT && !desktop) {
        fprintf(stderr, "vitrine: no desktop here, so no window (-nographic "
                        "puts the first serial port on the terminal)\n");
        return 0;
    }
    if (host_open_window(s->host, s->machine->name, error, sizeof(error)) < 0)
        return fail("-display sdl: %s", error);
    return 0;
}

static int run_monitor(struct session *s)
{
    struct monitor_options options = {
        .stdio = s->o.monitor_stdio,
        .script = s->o.monitor_script,
        .symbols = s->o.symbols,
        .stopped = s->o.stopped,
    };

    host_interrupt_stops(s->host, s->o.monitor_stdio);
    return monitor_main(s->machine, &options);
}

/* Runs to the end. Returns the exit status. */
static int run(struct session *s)
{
    struct machine *machine = s->machine;

    machine_reset(machine);
    if (s->o.monitor_stdio || s->o.monitor_script)
        return run_monitor(s);
    if (s->o.stopped && !s->gdb) {
        host_wait_quit(s->host);
        return 0;
    }
    unsigned result =
        s->gdb ? gdb_main(s->gdb, machine, s->o.stopped) : machine_run(machine);
    if (result & REQUEST_STOP && machine->last_stop == STOP_ERROR) {
        fail("%s",
             machine->error[0] ? machine->error : "the engine cannot go on");
        return 1;
    }
    /* -no-shutdown: the machine is off and stays to be looked at. */
    if (result == REQUEST_STOP) {
        host_wait_quit(s->host);
        return 0;
    }
    return machine->exit_status;
}

static int close_traces(struct session *s)
{
    int result = 0;

    trace_close(&s->log_trace);
    for (unsigned i = 0; i < s->o.traces; i++) {
        int error = trace_close(&s->traces[i]);
        if (error)
            result = fail("-trace file=%s: not all was written: %s",
                          s->o.trace[i], strerror(-error));
    }
    return result;
}

static void session_free(struct session *s)
{
    gdb_close(s->gdb);
    monitor_free(s->gdb_monitor);
    if (s->host)
        host_detach(s->host);
    machine_free(s->machine);
    host_free(s->host);
    for (unsigned i = 0; i < s->block_count; i++)
        s->blocks[i]->close(s->blocks[i]);
    for (unsigned i = 0; i < OPTIONS_MAX_FW_CFG; i++)
        image_free(&s->file_images[i]);
    boot_plan_free(&s->plan);
    image_free(&s->bios);
    image_free(&s->vga_rom);
}

static int run_session(struct session *s)
{
    int status = 1;

    /* Before anything starts a thread: signals are the host's. */
    s->host = host_new();
    if (!s->host) {
        fail("no eventfd, signalfd or thread to be had: %s", strerror(errno));
        return 1;
    }
    if (load_firmware(s) == 0 && load_kernel(s) == 0 && load_fw_cfg(s) == 0 &&
        open_drives(s) == 0 && open_lines(s) == 0 && build(s) == 0 &&
        open_gdb(s) == 0 && open_window(s) == 0)
        status = run(s);
    if (s->machine && close_traces(s) < 0)
        status = 1;
    session_free(s);
    return status;
}

int main(int argc, char **argv)
{
    struct session *s = calloc(1, sizeof(*s));
    int status = 0;

    if (!s)
        return 1;
    if (options_parse(&s->o, argc, argv) < 0) {
        fail("%s", s->o.error);
        status = 1;
    } else {
        switch (s->o.action) {
        case OPTIONS_RUN:
            status = run_session(s);
            break;
        case OPTIONS_HELP:
            options_print_help(stdout);
            break;
        case OPTIONS_MAN:
            options_print_man(stdout);
            break;
        case OPTIONS_PRINT_VERSION:
            printf("vitrine %s\n", OPTIONS_VERSION);
            break;
        case OPTIONS_LIST:
            options_print_list(&s->o, stdout);
            break;
        }
    }
    options_free(&s->o);
    free(s);
    return status;
}
