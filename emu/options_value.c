/*
 * The handlers of simple options: machine, memory, clock, lines, log. Drives,
 * devices and lists of properties are in options_property.c.
 */
#include "emu/options_table.h"

#include "emu/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define MIN_RAM_BYTES MIB
#define MAX_RAM_BYTES (UINT64_C(64) << 30)
#define RAM_GRAIN_BYTES UINT64_C(8192) /* as QEMU rounds */
#define MAX_ICOUNT_SHIFT 10
/* 4 ns an instruction: about what the interpreter needs. */
#define AUTO_ICOUNT_SHIFT 2

bool options_size(const char *text, uint64_t unit, uint64_t *bytes)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 0);
    if (errno)
        return false;
    switch (*end) {
    case '\0':
        break;
    case 'B':
    case 'b':
        unit = 1;
        end++;
        break;
    case 'K':
    case 'k':
        unit = UINT64_C(1) << 10;
        end++;
        break;
    case 'M':
    case 'm':
        unit = UINT64_C(1) << 20;
        end++;
        break;
    case 'G':
    case 'g':
        unit = UINT64_C(1) << 30;
        end++;
        break;
    case 'T':
    case 't':
        unit = UINT64_C(1) << 40;
        end++;
        break;
    default:
        return false;
    }
    uint64_t product;
    if (*end || __builtin_mul_overflow((uint64_t)number, unit, &product))
        return false;
    *bytes = product;
    return true;
}

static int list(struct parser *p, const char *topic)
{
    p->o->action = OPTIONS_LIST;
    p->o->list = topic;
    return 0;
}

static bool wants_help(const char *value)
{
    return strcmp(value, "help") == 0 || strcmp(value, "?") == 0;
}

int option_help(struct parser *p, const char *value)
{
    (void)value;
    p->o->action = OPTIONS_HELP;
    return 0;
}

int option_version(struct parser *p, const char *value)
{
    (void)value;
    p->o->action = OPTIONS_PRINT_VERSION;
    return 0;
}

int option_generate_man(struct parser *p, const char *value)
{
    (void)value;
    p->o->action = OPTIONS_MAN;
    return 0;
}

int option_later(struct parser *p, const char *value)
{
    (void)value;
    return option_fail(p, "not in this version; %s", p->entry->help);
}

int option_ignore(struct parser *p, const char *value)
{
    (void)p;
    (void)value;
    return 0;
}

int option_no_reboot(struct parser *p, const char *value)
{
    (void)value;
    p->o->no_reboot = true;
    return 0;
}

int option_no_shutdown(struct parser *p, const char *value)
{
    (void)value;
    p->o->no_shutdown = true;
    return 0;
}

int option_no_acpi(struct parser *p, const char *value)
{
    (void)value;
    p->o->no_acpi = true;
    return 0;
}

int option_no_hpet(struct parser *p, const char *value)
{
    (void)value;
    p->o->no_hpet = true;
    return 0;
}

int option_nodefaults(struct parser *p, const char *value)
{
    (void)value;
    p->o->nodefaults = true;
    return 0;
}

int option_nographic(struct parser *p, const char *value)
{
    (void)value;
    p->o->nographic = true;
    return 0;
}

int option_snapshot(struct parser *p, const char *value)
{
    (void)value;
    p->o->snapshot = true;
    return 0;
}

int option_gdb(struct parser *p, const char *value)
{
    p->o->gdb = strcmp(value, "none") == 0 ? NULL : value;
    return 0;
}

int option_gdb_short(struct parser *p, const char *value)
{
    (void)value;
    return option_gdb(p, "tcp::1234");
}

int option_stopped(struct parser *p, const char *value)
{
    (void)value;
    p->o->stopped = true;
    return 0;
}

int option_kernel(struct parser *p, const char *value)
{
    p->o->kernel = value;
    return 0;
}

int option_initrd(struct parser *p, const char *value)
{
    p->o->initrd = value;
    return 0;
}

int option_append(struct parser *p, const char *value)
{
    p->o->append = value;
    return 0;
}

int option_bios(struct parser *p, const char *value)
{
    p->o->bios = value;
    return 0;
}

int option_log_file(struct parser *p, const char *value)
{
    p->o->log_file = value;
    return 0;
}

int option_path(struct parser *p, const char *value)
{
    if (wants_help(value))
        return list(p, "L");
    if (p->o->paths == OPTIONS_MAX_PATHS)
        return option_fail(p, "given more than %d times", OPTIONS_MAX_PATHS);
    p->o->path[p->o->paths++] = value;
    return 0;
}

int option_log(struct parser *p, const char *value)
{
    struct log scratch;

    if (wants_help(value))
        return list(p, "d");
    log_init(&scratch);
    const char *bad = log_parse(&scratch, value);
    if (bad)
        return option_fail(p,
                           "there is no log item \"%.*s\"; -d help lists "
                           "them",
                           (int)strcspn(bad, ","), bad);
    p->o->log_items = value;
    return 0;
}

int option_trace(struct parser *p, const char *value)
{
    if (strncmp(value, "file=", 5) != 0 || value[5] == '\0')
        return option_fail(p, "\"%.60s\" is not file=FILE.jsonl", value);
    if (p->o->traces == OPTIONS_MAX_TRACES)
        return option_fail(p, "given more than %d times", OPTIONS_MAX_TRACES);
    p->o->trace[p->o->traces++] = value + 5;
    return 0;
}

int option_memory(struct parser *p, const char *value)
{
    uint64_t bytes;
    const char *text = strncmp(value, "size=", 5) == 0 ? value + 5 : value;

    if (strchr(text, ','))
        return option_fail(p,
                           "%.40s: only a size, please: memory cannot be "
                           "plugged in later",
                           value);
    if (!options_size(text, MIB, &bytes)) {
        if (isdigit((unsigned char)text[0]) &&
            text[strspn(text, "0123456789")] == '\0')
            bytes = UINT64_MAX;
        else
            return option_fail(p, "%.40s is not a size; try -m 256 or -m 1G",
                               value);
    }
    if (bytes < MIN_RAM_BYTES)
        return option_fail(p, "%.40s: a PC needs 1 MiB or more; try -m 128",
                           value);
    if (bytes > MAX_RAM_BYTES)
        return option_fail(p,
                           "%.40s: this board holds 64 GiB at most; try "
                           "-m 1G",
                           value);
    p->o->ram_bytes = (bytes + RAM_GRAIN_BYTES - 1) & -RAM_GRAIN_BYTES;
    return 0;
}

int option_cpu(struct parser *p, const char *value)
{
    if (wants_help(value))
        return list(p, "cpu");
    if (value[0] == '\0' || value[0] == ',')
        return option_fail(p,
                           "\"%.40s\" names no CPU model; -cpu help lists "
                           "them",
                           value);
    p->o->cpu = value;
    return 0;
}

int option_name(struct parser *p, const char *value)
{
    const char *text = strncmp(value, "guest=", 6) == 0 ? value + 6 : value;
    p->o->name = option_string(p, text, strcspn(text, ","));
    return p->o->name ? 0 : option_fail(p, "out of memory");
}

int option_uuid(struct parser *p, const char *value)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    unsigned nibbles = 0;

    for (size_t i = 0; i < sizeof(shape); i++) {
        char c = value[i];
        bool good =
            shape[i] == 'x' ? isxdigit((unsigned char)c) != 0 : c == shape[i];
        if (!good)
            return option_fail(p, "%.40s is not a UUID (%s)", value, shape);
        if (shape[i] != 'x')
            continue;
        int digit = isdigit((unsigned char)c)
                        ? c - '0'
                        : tolower((unsigned char)c) - 'a' + 10;
        uint8_t *byte = &p->o->uuid[nibbles++ / 2];
        *byte = (uint8_t)(*byte << 4 | digit);
    }
    p->o->has_uuid = true;
    return 0;
}

/* Lines. ---------------------------------------------------------------- */

/* Is this something that chardev_open() takes? */
static int check_line(struct parser *p, const char *value)
{
    static const char *const plain[] = {"none", "null", "stdio", "mon:stdio",
                                        "pty",  "vc",   NULL};

    for (unsigned i = 0; plain[i]; i++)
        if (strcmp(value, plain[i]) == 0)
            return 0;
    if (strncmp(value, "file:", 5) == 0 && value[5] != '\0')
        return 0;
    if (strncmp(value, "chardev:", 8) == 0 && value[8] != '\0')
        return 0;
    if (strncmp(value, "vc:", 3) == 0)
        return 0;
    return option_fail(p,
                       "\"%.60s\" is not stdio, mon:stdio, file:PATH, pty, "
                       "chardev:ID, vc, null or none",
                       value);
}

int option_serial(struct parser *p, const char *value)
{
    if (check_line(p, value) < 0)
        return -1;
    if (p->o->serials == OPTIONS_MAX_SERIALS)
        return option_fail(p, "%.60s: there are %d serial ports only", value,
                           OPTIONS_MAX_SERIALS);
    p->o->serial[p->o->serials++] = value;
    return 0;
}

int option_debugcon(struct parser *p, const char *value)
{
    if (check_line(p, value) < 0)
        return -1;
    if (p->o->debugcons == OPTIONS_MAX_DEBUGCONS)
        return option_fail(p, "given more than %d times",
                           OPTIONS_MAX_DEBUGCONS);
    p->o->debugcon[p->o->debugcons++] =
        (struct options_debugcon){.chardev = value, .iobase = 0xE9};
    return 0;
}

int option_parallel(struct parser *p, const char *value)
{
    if (strcmp(value, "none") == 0 || strcmp(value, "null") == 0)
        return 0;
    return option_fail(p,
                       "%.60s: there is no parallel port in this version; "
                       "use -parallel none",
                       value);
}

/* -x FILE twice is one too many, and so is -x with -monitor script. */
static int set_script(struct parser *p, const char *file)
{
    if (*file == '\0')
        return option_fail(p, "the name of the script is missing");
    if (p->o->monitor_script && strcmp(p->o->monitor_script, file) != 0)
        return option_fail(p, "one script is enough: %.60s or %.60s",
                           p->o->monitor_script, file);
    p->o->monitor_script = file;
    return 0;
}

int option_monitor(struct parser *p, const char *value)
{
    if (strcmp(value, "none") == 0 || strcmp(value, "null") == 0)
        return 0;
    if (strncmp(value, "script:", 7) == 0)
        return set_script(p, value + 7);
    if (strcmp(value, "stdio") != 0)
        return option_fail(p, "\"%.60s\" is not stdio, script:FILE or none",
                           value);
    p->o->monitor_stdio = true;
    return 0;
}

int option_script(struct parser *p, const char *value)
{
    return set_script(p, value);
}

int option_symbols(struct parser *p, const char *value)
{
    p->o->symbols = value;
    return 0;
}

int option_net(struct parser *p, const char *value)
{
    if (strcmp(value, "none") == 0)
        return 0;
    return option_fail(p,
                       "%.60s: there is no network card in this version; "
                       "use -%s none",
                       value, p->entry->name);
}

int option_vga(struct parser *p, const char *value)
{
    if (wants_help(value))
        return list(p, "vga");
    p->vga_given = true;
    if (strcmp(value, "std") == 0)
        p->o->vga = VGA_STD;
    else if (strcmp(value, "none") == 0)
        p->o->vga = VGA_NONE;
    else
        return option_fail(p,
                           "%.60s is not in this version; use -vga std or "
                           "-vga none",
                           value);
    return 0;
}

int option_display(struct parser *p, const char *value)
{
    if (wants_help(value))
        return list(p, "display");
    if (strcmp(value, "none") == 0)
        p->o->display = DISPLAY_NONE;
    else if (strcmp(value, "sdl") == 0 || strcmp(value, "gtk") == 0)
        p->o->display = DISPLAY_SDL; /* one kind of window serves both */
    else
        return option_fail(p,
                           "%.60s is not in this version; use -display sdl "
                           "or -display none",
                           value);
    return 0;
}

/* A shift of -icount, or -1. */
static int parse_shift(const char *text)
{
    if (strcmp(text, "auto") == 0)
        return AUTO_ICOUNT_SHIFT;
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 2)
        return -1;
    char *end;
    unsigned long shift = strtoul(text, &end, 10);
    return *end || shift > MAX_ICOUNT_SHIFT ? -1 : (int)shift;
}

int option_icount(struct parser *p, const char *value)
{
    const char *text = strncmp(value, "shift=", 6) == 0 ? value + 6 : value;
    size_t length = strcspn(text, ",");
    const char *rest = text + length;
    char shift_text[8] = "";

    if (length < sizeof(shift_text))
        memcpy(shift_text, text, length);
    int shift = parse_shift(shift_text);
    if (shift < 0)
        return option_fail(p, "%.40s: shift is 0 to %d, or auto", value,
                           MAX_ICOUNT_SHIFT);
    if (*rest && strcmp(rest, ",sleep=on") != 0 &&
        strcmp(rest, ",sleep=off") != 0 && strcmp(rest, ",align=off") != 0)
        return option_fail(p,
                           "%.60s: only shift=0 to %d or shift=auto, "
                           "please",
                           value, MAX_ICOUNT_SHIFT);
    p->o->icount = true;
    p->o->icount_shift = (unsigned)shift;
    return 0;
}
