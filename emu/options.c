/*
 * The table of options and the loop that goes through argv.
 *
 * Both -name and --name are accepted. A word that is no option is the image
 * of the first hard disk, as in QEMU. Handlers are in options_value.c, the
 * texts for people in options_help.c.
 *
 * Not modelled: -readconfig, -object, -blockdev and everything else that has
 * no row in the table.
 */
#include "emu/options_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LATER option_later, NULL
#define DEFAULT_RAM_BYTES (UINT64_C(128) << 20)

const struct option_entry option_table[] = {
    {"help", NULL, true, "print this list and leave", option_help,
     "Standard options"},
    {"h", NULL, true, NULL, option_help, NULL},
    {"?", NULL, true, NULL, option_help, NULL},
    {"version", NULL, true, "print the version and leave", option_version,
     NULL},
    {"machine", "pc[,accel=NAME]", true,
     "the board: pc (i440FX + PIIX); help lists what there is", option_machine,
     NULL},
    {"M", "pc", true, "the same as -machine", option_machine, NULL},
    {"accel", "NAME", true,
     "the engine: interp; may be repeated, the first usable one is taken",
     option_accel, NULL},
    {"cpu", "MODEL[,+FEATURE][,-FEATURE][,FEATURE=on|off]", false,
     "the CPU model; help lists them", option_cpu, NULL},
    {"smp", "1", false, "number of CPUs: one so far", option_smp, NULL},
    {"m", "[size=]N[K|M|G]", false,
     "memory, in MiB without a suffix (default 128)", option_memory, NULL},
    {"name", "NAME", false, "the machine's name, in the window's title",
     option_name, NULL},
    {"uuid", "UUID", false, "the machine's UUID, for the firmware", option_uuid,
     NULL},
    {"device", "isa-debug-exit[,iobase=PORT][,iosize=N]", true,
     "adds a device: isa-debug-exit or isa-debugcon; help lists them",
     option_device, NULL},
    {"global", "isa-debugcon.iobase=PORT", true,
     "moves the debug console of -debugcon", option_global, NULL},
    {"rtc", "[base=utc|localtime|DATE][,clock=host|vm]", false,
     "where the real-time clock starts and what drives it", option_rtc, NULL},
    {"icount", "[shift=]N|auto", false,
     "time is counted in instructions, 2^N ns each: runs are repeatable",
     option_icount, NULL},
    {"nodefaults", NULL, true,
     "no serial port, VGA or empty drives unless asked for", option_nodefaults,
     NULL},
    {"no-acpi", NULL, true, "no ACPI tables", option_no_acpi, NULL},
    {"no-hpet", NULL, true, "no HPET", option_no_hpet, NULL},
    {"no-user-config", NULL, true, NULL, option_ignore, NULL},

    {"drive",
     "file=FILE[,format=raw][,if=ide|floppy][,index=N][,media=disk|cdrom]"
     "[,snapshot=on|off][,readonly=on|off]",
     true, "adds a drive", option_drive, "Disks"},
    {"fda", "FILE", true, "image of floppy drive A", option_drive_short, NULL},
    {"fdb", "FILE", true, "image of floppy drive B", option_drive_short, NULL},
    {"hda", "FILE", true, "image of the first channel's master",
     option_drive_short, NULL},
    {"hdb", "FILE", true, "image of the first channel's slave",
     option_drive_short, NULL},
    {"hdc", "FILE", true, "image of the second channel's master",
     option_drive_short, NULL},
    {"hdd", "FILE", true, "image of the second channel's slave",
     option_drive_short, NULL},
    {"cdrom", "FILE", true, "CD in the second channel's master",
     option_drive_short, NULL},
    {"snapshot", NULL, true, "never write to the images: changes are lost",
     option_snapshot, NULL},

    {"kernel", "FILE", false,
     "a Linux bzImage, or a multiboot 1 kernel (ELF or a.out kludge)",
     option_kernel, "Booting"},
    {"initrd", "FILE", false,
     "Linux's initial RAM disk, or multiboot modules: \"a arg,b arg\"",
     option_initrd, NULL},
    {"append", "TEXT", false, "the kernel's command line", option_append, NULL},
    {"bios", "FILE", false, "the BIOS image (default bios-256k.bin)",
     option_bios, NULL},
    {"L", "DIRECTORY", true,
     "looks here for BIOS images first; help prints the search path",
     option_path, NULL},
    {"boot", "[order=]LETTERS[,once=LETTERS][,menu=on|off]", false,
     "boot order: a, b floppies, c disk, d CD, n network", option_boot, NULL},
    {"fw_cfg", "[name=]opt/NAME,file=FILE|string=TEXT", true,
     "a file for the guest to read through fw_cfg", option_fw_cfg, NULL},

    {"display", "none|sdl", false, "where the screen is shown", option_display,
     "Screen and lines"},
    {"nographic", NULL, true,
     "no window; the first serial port is the terminal (Ctrl-A h for help)",
     option_nographic, NULL},
    {"vga", "std|none", false, "the display adapter", option_vga, NULL},
    {"serial", "LINE", true,
     "a serial port: stdio, mon:stdio, file:PATH, pty, chardev:ID, vc, null "
     "or none",
     option_serial, NULL},
    {"parallel", "none", true, "parallel ports: there are none",
     option_parallel, NULL},
    {"debugcon", "LINE", true,
     "what the guest writes to port 0xE9; the same lines as -serial",
     option_debugcon, NULL},
    {"chardev", "stdio|file|pty|null,id=ID[,path=PATH]", true,
     "a line that -serial chardev:ID refers to", option_chardev, NULL},
    {"monitor", "stdio|script:FILE|none", false,
     "the monitor: a prompt on the terminal, or commands from FILE",
     option_monitor, NULL},
    {"x", "FILE", false,
     "runs the monitor's commands in FILE first; alone, as -monitor "
     "script:FILE",
     option_script, NULL},
    {"symbols", "FILE", false, "an ELF file whose symbols the monitor knows",
     option_symbols, NULL},
    {"net", "none", true, "network cards: there are none", option_net, NULL},
    {"nic", "none", true, "the same as -net", option_net, NULL},

    {"S", NULL, true, "do not start the CPU", option_stopped,
     "Running and watching"},
    {"gdb", "tcp:[HOST]:PORT|unix:PATH|none", false,
     "gdb can attach here: target remote (on loopback without a HOST)",
     option_gdb, NULL},
    {"s", NULL, true, "the same as -gdb tcp::1234", option_gdb_short, NULL},
    {"no-reboot", NULL, true, "leave instead of rebooting", option_no_reboot,
     NULL},
    {"no-shutdown", NULL, true, "stop instead of leaving at a shutdown",
     option_no_shutdown, NULL},
    {"d", "ITEM[,ITEM...]", false, "logs the items; help lists them",
     option_log, NULL},
    {"D", "FILE", false, "the log goes to FILE instead of stderr",
     option_log_file, NULL},
    {"trace", "file=FILE.jsonl", true,
     "writes every event of the ledger to FILE, one JSON object a line",
     option_trace, NULL},
    {"generate-man", NULL, true, NULL, option_generate_man, NULL},

    /* QEMU has these. Better an honest word than "unknown option". */
    {"enable-kvm", NULL, true, "use -accel interp", LATER},
    {"no-kvm", NULL, true, "leave it out", LATER},
    {"qmp", "DEVICE", true, "leave it out", LATER},
    {"vnc", "DISPLAY", true, "use -display sdl or -nographic", LATER},
    {"curses", NULL, true, "use -nographic", LATER},
    {"full-screen", NULL, true, "leave it out", LATER},
    {"netdev", "TYPE", true, "use -net none", LATER},
    {"usb", NULL, true, "leave it out: keyboard and mouse are PS/2", LATER},
    {"usbdevice", "NAME", true, "leave it out: keyboard and mouse are PS/2",
     LATER},
    {"virtfs", "TYPE", true, "put the files on a -drive", LATER},
    {"audiodev", "DRIVER", true, "leave it out", LATER},
    {"soundhw", "NAME", true, "leave it out", LATER},
    {"blockdev", "NODE", true, "use -drive", LATER},
    {"object", "TYPE", true, "leave it out", LATER},
    {"loadvm", "TAG", true, "leave it out", LATER},
    {"incoming", "URI", true, "leave it out", LATER},
    {"daemonize", NULL, true, "use the shell's &", LATER},
    {"pidfile", "FILE", true, "use the shell's $!", LATER},
    {"smbios", "TYPE", true, "leave it out", LATER},
    {"acpitable", "FILE", true, "leave it out", LATER},
    {"option-rom", "FILE", true, "leave it out", LATER},
    {NULL, NULL, false, NULL, NULL, NULL},
};

int option_fail(struct parser *p, const char *format, ...)
{
    char *text = p->o->error;
    size_t size = sizeof(p->o->error);
    int used = 0;

    if (p->entry)
        used = snprintf(text, size, "-%s: ", p->entry->name);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + used, size - (size_t)used, format, ap);
    va_end(ap);
    /* A name from the command line may hold a newline; one line is promised. */
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = '?';
    return -1;
}

char *option_string(struct parser *p, const char *text, size_t length)
{
    char **grown =
        realloc(p->o->strings, (p->o->string_count + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    p->o->strings = grown;
    char *copy = malloc(length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    grown[p->o->string_count++] = copy;
    return copy;
}

/* Optimal string alignment distance: insertions, deletions, substitutions
 * and swaps of neighbours, with three rows of the usual matrix. */
unsigned option_distance(const char *a, const char *b)
{
    enum { MAX = 48 };
    size_t na = strnlen(a, MAX), nb = strnlen(b, MAX);
    unsigned row[3][MAX + 1];

    for (size_t j = 0; j <= nb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = row[i % 3], *before = row[(i + 2) % 3];
        const unsigned *two_before = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && two_before[j - 2] + 1 < best)
                best = two_before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[na % 3][nb];
}

static const struct option_entry *find(const char *name)
{
    for (const struct option_entry *e = option_table; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

/* The option a user most likely meant; of equals, the first in the table. */
static const struct option_entry *nearest(const char *name)
{
    const struct option_entry *best = NULL;
    unsigned best_distance = 0;

    for (const struct option_entry *e = option_table; e->name; e++) {
        if (!e->help || e->handle == option_later)
            continue;
        unsigned distance = option_distance(name, e->name);
        if (!best || distance < best_distance) {
            best = e;
            best_distance = distance;
        }
    }
    return best;
}

static int unknown(struct parser *p, const char *word, const char *name)
{
    const struct option_entry *near = nearest(name);
    p->entry = NULL;
    return option_fail(p,
                       "%.60s: there is no such option; the nearest is -%s "
                       "(-help lists all)",
                       word, near->name);
}

/* Handles argv[i], and its value in argv[i + 1]. Returns how many words it
 * took, or -1. `given` has the earlier value of each option of the table. */
static int parse_word(struct parser *p, int argc, char **argv, int i,
                      const char **given)
{
    const char *word = argv[i];

    if (word[0] != '-' || word[1] == '\0') {
        p->entry = find("hda");
        return option_drive_short(p, word) == 0 ? 1 : -1;
    }
    const char *name = word + (word[1] == '-' ? 2 : 1);
    p->entry = find(name);
    if (!p->entry)
        return unknown(p, word, name);
    if (!p->entry->arg)
        return p->entry->handle(p, NULL) == 0 ? 1 : -1;
    if (i + 1 >= argc)
        return option_fail(p, "needs a value: -%s %s", p->entry->name,
                           p->entry->arg);
    const char *value = argv[i + 1];
    const char **before = &given[p->entry - option_table];
    if (!p->entry->many && *before && strcmp(*before, value) != 0)
        return option_fail(p, "given twice (%.60s and %.60s); keep one",
                           *before, value);
    *before = value;
    return p->entry->handle(p, value) == 0 ? 2 : -1;
}

/* The engines this version has. */
static int choose_accel(struct parser *p)
{
    p->o->accel = "interp";
    if (p->accel_count == 0)
        return 0;
    for (unsigned i = 0; i < p->accel_count; i++)
        if (strcmp(p->accels[i], "interp") == 0)
            return 0;
    p->entry = find("accel");
    return option_fail(p, "%s is not built in this version; use -accel interp",
                       p->accels[0]);
}

static bool is_stdio(const struct options *o, const char *line)
{
    const char *spec = options_chardev_spec(o, line);

    return spec &&
           (strcmp(spec, "stdio") == 0 || strcmp(spec, "mon:stdio") == 0);
}

/* QEMU's rules for what was not said, and what does not go together. */
static int finish(struct parser *p)
{
    struct options *o = p->o;

    p->entry = NULL;
    if (o->action != OPTIONS_RUN)
        return 0;
    if (choose_accel(p) < 0)
        return -1;
    if (!o->kernel && o->append)
        return option_fail(p, "-append needs a -kernel to pass it to");
    if (!o->kernel && o->initrd)
        return option_fail(p, "-initrd needs a -kernel to load it for");
    if (o->nographic)
        o->display = DISPLAY_NONE;
    if (o->monitor_stdio && o->nographic && o->serials == 0)
        return option_fail(p, "-nographic and -monitor stdio: both take the "
                              "terminal; use -display none, and -serial "
                              "file:PATH or none");
    if (o->gdb && (o->monitor_stdio || o->monitor_script))
        return option_fail(p, "-gdb and -monitor: one of them runs the "
                              "machine; gdb has \"monitor COMMAND\"");
    if (o->symbols && !o->monitor_stdio && !o->monitor_script)
        return option_fail(p, "-symbols needs a -monitor that uses them");
    if (o->nodefaults && !p->vga_given)
        o->vga = VGA_NONE;
    if (o->serials == 0)
        o->serial[o->serials++] = o->nographic    ? "mon:stdio"
                                  : o->nodefaults ? "none"
                                                  : "vc";
    for (unsigned i = 0; o->monitor_stdio && i < o->serials; i++)
        if (is_stdio(o, o->serial[i]))
            return option_fail(p,
                               "-serial %.60s and -monitor stdio: only one "
                               "can have the terminal",
                               o->serial[i]);
    if (o->snapshot)
        for (unsigned i = 0; i < o->drives; i++)
            o->drive[i].snapshot = true;
    for (unsigned i = 0; i < o->serials; i++)
        if (!options_chardev_spec(o, o->serial[i]))
            return option_fail(p, "-serial %.60s: no -chardev has this id",
                               o->serial[i]);
    for (unsigned i = 0; i < o->debugcons; i++)
        if (!options_chardev_spec(o, o->debugcon[i].chardev))
            return option_fail(p, "-debugcon %.60s: no -chardev has this id",
                               o->debugcon[i].chardev);
    return 0;
}

int options_parse(struct options *options, int argc, char **argv)
{
    const char *given[sizeof(option_table) / sizeof(option_table[0])] = {0};
    struct parser p = {.o = options};

    *options = (struct options){
        .machine = "pc", .ram_bytes = DEFAULT_RAM_BYTES, .cpus = 1};
    for (int i = 1; i < argc;) {
        int words = parse_word(&p, argc, argv, i, given);
        if (words < 0)
            return -1;
        /* As in QEMU: help and version act where they stand. */
        if (options->action != OPTIONS_RUN)
            return 0;
        i += words;
    }
    return finish(&p);
}

void options_free(struct options *options)
{
    for (size_t i = 0; i < options->string_count; i++)
        free(options->strings[i]);
    free(options->strings);
    options->strings = NULL;
    options->string_count = 0;
}

const char *options_chardev_spec(const struct options *options,
                                 const char *spec)
{
    if (strncmp(spec, "chardev:", 8) != 0)
        return spec;
    for (unsigned i = 0; i < options->chardevs; i++)
        if (strcmp(options->chardev[i].id, spec + 8) == 0)
            return options->chardev[i].spec;
    return NULL;
}
