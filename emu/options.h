/*
 * The command line: QEMU's syntax, from one table. options_parse() fills a
 * struct options and does nothing else: it opens no file and prints nothing,
 * so that it can be tested and fuzzed. main.c acts on the result.
 *
 * What QEMU's options mean is in its manual, "System Emulation / Invocation".
 * Where Vitrine is stricter: an option that takes a value and is given twice
 * with different values is an error, not a silent "last one wins".
 */
#ifndef EMU_OPTIONS_H
#define EMU_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_MAX_DRIVES 6
#define OPTIONS_MAX_SERIALS 4
#define OPTIONS_MAX_DEBUGCONS 4
#define OPTIONS_MAX_CHARDEVS 8
#define OPTIONS_MAX_PATHS 16
#define OPTIONS_MAX_TRACES 4
#define OPTIONS_MAX_FW_CFG 16
#define OPTIONS_VERSION "0.1.0"

/* What the process is to do. */
enum options_action {
    OPTIONS_RUN,  /* run a machine */
    OPTIONS_HELP, /* print options_print_help() and leave */
    OPTIONS_MAN,  /* print options_print_man() and leave */
    OPTIONS_PRINT_VERSION,
    OPTIONS_LIST, /* options_print_list() of what `list` names */
};

enum options_display { DISPLAY_DEFAULT, DISPLAY_NONE, DISPLAY_SDL };
enum options_vga { VGA_STD, VGA_NONE };
enum options_rtc { RTC_UTC, RTC_LOCALTIME, RTC_DATE };
enum options_drive_if { DRIVE_IDE, DRIVE_FLOPPY };

struct options_drive {
    const char *file; /* NULL: an empty removable drive */
    enum options_drive_if interface;
    unsigned index; /* IDE: channel * 2 + unit; floppy: 0 = A */
    bool cdrom, snapshot, read_only;
    const char *option; /* "-hda", for messages */
};

struct options_debugcon {
    const char *chardev; /* as -serial takes it */
    uint16_t iobase;
};

/* -chardev: `spec` is the same as -serial would take ("stdio", "file:x"). */
struct options_chardev {
    const char *id, *spec;
};

/* -fw_cfg name=...: exactly one of file and string. */
struct options_fw_cfg {
    const char *name, *file, *string;
};

struct options {
    enum options_action action;
    const char *list; /* OPTIONS_LIST: "machine", "cpu", "device", ... */

    const char *accel; /* the first usable of those asked for; "interp" */
    const char *machine;
    const char *cpu; /* NULL: the default model; else NAME[,feature...] */
    uint64_t ram_bytes;
    unsigned cpus;
    bool stopped;    /* -S */
    const char *gdb; /* -gdb: where the stub listens; NULL: there is none */
    bool no_reboot, no_shutdown, nographic, no_acpi, no_hpet;
    bool nodefaults; /* no empty drives, serial port or VGA unasked */
    enum options_display display;
    enum options_vga vga;

    const char *serial[OPTIONS_MAX_SERIALS]; /* "none", "null", "stdio", ... */
    unsigned serials; /* 0: none was asked for; defaults are filled in */
    struct options_debugcon debugcon[OPTIONS_MAX_DEBUGCONS];
    unsigned debugcons;
    struct options_chardev chardev[OPTIONS_MAX_CHARDEVS];
    unsigned chardevs;

    bool monitor_stdio;         /* -monitor stdio */
    const char *monitor_script; /* -monitor script:FILE or -x FILE */
    const char *symbols;        /* -symbols FILE */

    const char *log_items, *log_file; /* -d, -D */
    const char *trace[OPTIONS_MAX_TRACES];
    unsigned traces;

    bool icount;
    unsigned icount_shift;
    enum options_rtc rtc;
    int64_t rtc_date; /* RTC_DATE: seconds since 1970 */
    bool rtc_vm;      /* clock=vm */

    const char *name;
    bool has_uuid;
    uint8_t uuid[16];

    bool debug_exit;
    uint16_t debug_exit_iobase;
    unsigned debug_exit_iosize;

    const char *bios;
    const char *path[OPTIONS_MAX_PATHS]; /* -L, in order */
    unsigned paths;
    const char *boot_order; /* letters of abcdn, or NULL */
    const char *boot_once;
    bool boot_menu;

    struct options_drive drive[OPTIONS_MAX_DRIVES];
    unsigned drives;
    bool snapshot; /* -snapshot: already applied to every drive */

    const char *kernel, *initrd, *append;
    struct options_fw_cfg fw_cfg[OPTIONS_MAX_FW_CFG];
    unsigned fw_cfgs;

    char error[256]; /* one line, when options_parse() failed */
    char **strings;  /* what options_free() frees */
    size_t string_count;
};

/*
 * Parses the command line. 0, or -1 with one line in options->error that says
 * what is wrong and what to do. The strings of `argv` must stay alive. Call
 * options_free() in either case.
 */
int options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);

/* -help, the manual page (troff), and the lists of `-machine help` and its
 * like; all from the tables. */
void options_print_help(FILE *out);
void options_print_man(FILE *out);
void options_print_list(const struct options *options, FILE *out);

/* Resolves "chardev:ID" to what -chardev said; anything else is returned as
 * it is. NULL when there is no such ID. */
const char *options_chardev_spec(const struct options *options,
                                 const char *spec);

/* A number with an optional K, M, G or T (powers of 1024); `unit` multiplies
 * one without a suffix. False when it is not one or exceeds 64 bits. */
bool options_size(const char *text, uint64_t unit, uint64_t *bytes);

#endif
