/*
 * The options whose value is a list of properties: "a,key=value,key=value".
 * A comma inside a value is written twice, as in QEMU.
 */
#include "emu/options_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct property {
    char *key;   /* the implied key when the first has no '=' */
    char *value; /* "on" when there is no '=' */
};

/* Takes the next property off *cursor. 1, 0 at the end, -1 out of memory. */
static int next_property(struct parser *p, const char **cursor,
                         const char *implied, struct property *property)
{
    const char *text = *cursor;

    if (!text || *text == '\0')
        return 0;
    char *copy = option_string(p, text, strlen(text));
    if (!copy)
        return option_fail(p, "out of memory");
    /* Copies up to a single comma, turning ",," into ",". */
    char *out = copy;
    while (*text && !(text[0] == ',' && text[1] != ',')) {
        if (text[0] == ',')
            text++;
        *out++ = *text++;
    }
    *out = '\0';
    *cursor = *text ? text + 1 : text;
    char *equals = strchr(copy, '=');
    if (equals) {
        *equals = '\0';
        *property = (struct property){.key = copy, .value = equals + 1};
    } else if (implied) {
        property->key = option_string(p, implied, strlen(implied));
        property->value = copy;
    } else {
        property->key = copy;
        property->value = option_string(p, "on", 2);
    }
    if (!property->key || !property->value)
        return option_fail(p, "out of memory");
    return 1;
}

static bool is(const struct property *property, const char *key)
{
    return strcmp(property->key, key) == 0;
}

static int unknown_property(struct parser *p, const struct property *property,
                            const char *known)
{
    return option_fail(p, "no property \"%.40s\"; there are %s",
                       property->key, known);
}

static int parse_bool(struct parser *p, const struct property *property,
                      bool *result)
{
    static const char *const yes[] = {"on", "yes", "true", NULL};
    static const char *const no[] = {"off", "no", "false", NULL};

    for (unsigned i = 0; yes[i]; i++) {
        if (strcmp(property->value, yes[i]) == 0) {
            *result = true;
            return 0;
        }
        if (strcmp(property->value, no[i]) == 0) {
            *result = false;
            return 0;
        }
    }
    return option_fail(p, "%.30s=%.30s: on or off, please", property->key,
                       property->value);
}

static int parse_number(struct parser *p, const struct property *property,
                        unsigned long max, unsigned long *result)
{
    char *end;
    const char *text = property->value;

    unsigned long number = strtoul(text, &end, 0);
    if (!isdigit((unsigned char)text[0]) || *end || number > max)
        return option_fail(p, "%.30s=%.30s: a number up to %#lx, please",
                           property->key, text, max);
    *result = number;
    return 0;
}

static int list(struct parser *p, const char *topic)
{
    p->o->action = OPTIONS_LIST;
    p->o->list = topic;
    return 0;
}

/* Machine and engine. --------------------------------------------------- */

static int add_accel(struct parser *p, const char *name)
{
    static const char *const known[] = {"interp", "tcg", "kvm", "jit", "hax",
                                        "hvf",    "whpx", "xen", NULL};
    unsigned i;

    for (i = 0; known[i] && strcmp(known[i], name) != 0; i++)
        ;
    if (!known[i])
        return option_fail(p, "there is no engine \"%.40s\"; use -accel "
                              "interp",
                           name);
    size_t room = sizeof(p->accels) / sizeof(p->accels[0]);
    if (p->accel_count < room)
        p->accels[p->accel_count++] = known[i];
    return 0;
}

/* QEMU writes a list of engines with colons: accel=kvm:tcg. */
static int add_accels(struct parser *p, const char *value)
{
    while (*value) {
        size_t length = strcspn(value, ":");
        const char *name = option_string(p, value, length);
        if (!name)
            return option_fail(p, "out of memory");
        if (add_accel(p, name) < 0)
            return -1;
        value += length;
        if (*value == ':')
            value++;
    }
    return 0;
}

int option_accel(struct parser *p, const char *value)
{
    struct property property;
    int more;

    if (strcmp(value, "help") == 0)
        return list(p, "accel");
    const char *cursor = value;
    if (next_property(p, &cursor, "accel", &property) != 1)
        return option_fail(p, "names no engine; use -accel interp");
    if (!is(&property, "accel"))
        return unknown_property(p, &property, "none yet");
    bool ours = strcmp(property.value, "interp") == 0;
    if (add_accels(p, property.value) < 0)
        return -1;
    /* The other engines' properties do not matter: they are not used. */
    while ((more = next_property(p, &cursor, NULL, &property)) > 0)
        if (ours && !is(&property, "thread"))
            return unknown_property(p, &property, "none for interp");
    return more;
}

int option_machine(struct parser *p, const char *value)
{
    /* What QEMU's pc has and makes no difference here. */
    static const char *const harmless[] = {
        "usb", "vmport", "dump-guest-core", "mem-merge", "graphics",
        "smm", "hmat", "suppress-vmdesc", NULL};
    struct property property;
    int more;

    if (strcmp(value, "help") == 0)
        return list(p, "machine");
    const char *implied = "type";
    while ((more = next_property(p, &value, implied, &property)) > 0) {
        unsigned i;
        implied = NULL;
        if (is(&property, "type")) {
            if (strcmp(property.value, "pc") != 0 &&
                strncmp(property.value, "pc-i440fx", 9) != 0)
                return option_fail(p, "there is no board \"%.40s\"; use "
                                      "-machine pc",
                                   property.value);
        } else if (is(&property, "accel")) {
            if (add_accels(p, property.value) < 0)
                return -1;
        } else if (is(&property, "acpi") || is(&property, "hpet")) {
            bool on;
            if (parse_bool(p, &property, &on) < 0)
                return -1;
            *(is(&property, "acpi") ? &p->o->no_acpi : &p->o->no_hpet) = !on;
        } else {
            for (i = 0; harmless[i] && !is(&property, harmless[i]); i++)
                ;
            if (!harmless[i])
                return unknown_property(p, &property,
                                        "type, accel, acpi and hpet");
        }
    }
    return more;
}

int option_smp(struct parser *p, const char *value)
{
    unsigned long cpus = 1, product = 1, number;
    struct property property;
    bool given = false;
    const char *implied = "cpus";
    int more;

    if (*value == '\0')
        return option_fail(p, "needs a number; use -smp 1");
    while ((more = next_property(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (parse_number(p, &property, 4096, &number) < 0)
            return -1;
        if (number == 0)
            return option_fail(p, "%.20s=0: at least one CPU, please",
                               property.key);
        if (is(&property, "cpus")) {
            cpus = number;
            given = true;
        } else if (is(&property, "cores") || is(&property, "threads") ||
                   is(&property, "sockets") || is(&property, "dies")) {
            product *= number;
            if (product > 4096)
                product = 4096;
        } else if (!is(&property, "maxcpus")) {
            return unknown_property(
                p, &property, "cpus, sockets, dies, cores and threads");
        }
    }
    if (more < 0)
        return -1;
    if (!given)
        cpus = product;
    if (cpus > 1)
        return option_fail(p, "%lu CPUs: one CPU so far; use -smp 1", cpus);
    p->o->cpus = 1;
    return 0;
}

static int parse_date(struct parser *p, const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!end) {
        tm = (struct tm){0};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (!end || *end)
        return option_fail(p, "base=%.40s: utc, localtime, "
                              "2006-06-17T16:01:21 or 2006-06-17, please",
                           text);
    p->o->rtc = RTC_DATE;
    p->o->rtc_date = timegm(&tm);
    return 0;
}

int option_rtc(struct parser *p, const char *value)
{
    struct property property;
    int more;

    while ((more = next_property(p, &value, NULL, &property)) > 0) {
        if (is(&property, "base")) {
            if (strcmp(property.value, "utc") == 0)
                p->o->rtc = RTC_UTC;
            else if (strcmp(property.value, "localtime") == 0)
                p->o->rtc = RTC_LOCALTIME;
            else if (parse_date(p, property.value) < 0)
                return -1;
        } else if (is(&property, "clock")) {
            if (strcmp(property.value, "vm") != 0 &&
                strcmp(property.value, "host") != 0 &&
                strcmp(property.value, "rt") != 0)
                return option_fail(p, "clock=%.30s: host or vm, please",
                                   property.value);
            p->o->rtc_vm = strcmp(property.value, "vm") == 0;
        } else if (!is(&property, "driftfix")) {
            return unknown_property(p, &property, "base and clock");
        }
    }
    return more;
}

/* Devices and lines. ---------------------------------------------------- */

static int debug_exit(struct parser *p, const char *cursor)
{
    struct property property;
    unsigned long number;
    int more;

    p->o->debug_exit = true;
    p->o->debug_exit_iobase = 0x501;
    p->o->debug_exit_iosize = 2;
    while ((more = next_property(p, &cursor, NULL, &property)) > 0) {
        if (is(&property, "iobase")) {
            if (parse_number(p, &property, 0xFFFF, &number) < 0)
                return -1;
            p->o->debug_exit_iobase = (uint16_t)number;
        } else if (is(&property, "iosize")) {
            if (parse_number(p, &property, 8, &number) < 0)
                return -1;
            if (number != 1 && number != 2 && number != 4)
                return option_fail(p, "iosize=%lu: 1, 2 or 4, please", number);
            p->o->debug_exit_iosize = (unsigned)number;
        } else if (!is(&property, "id")) {
            return unknown_property(p, &property, "iobase and iosize");
        }
    }
    if (more == 0 &&
        p->o->debug_exit_iobase + p->o->debug_exit_iosize > 0x10000)
        return option_fail(p, "iobase=%#x: the ports end at 0xffff",
                           (unsigned)p->o->debug_exit_iobase);
    return more;
}

static int debugcon_device(struct parser *p, const char *cursor)
{
    struct property property;
    unsigned long port = 0xE9;
    const char *id = NULL;
    int more;

    while ((more = next_property(p, &cursor, NULL, &property)) > 0) {
        if (is(&property, "iobase")) {
            if (parse_number(p, &property, 0xFFFF, &port) < 0)
                return -1;
        } else if (is(&property, "chardev")) {
            id = property.value;
        } else if (!is(&property, "id") && !is(&property, "readback")) {
            return unknown_property(p, &property, "iobase and chardev");
        }
    }
    if (more < 0)
        return -1;
    if (!id)
        return option_fail(p, "isa-debugcon needs chardev=ID of a -chardev");
    char text[64];
    snprintf(text, sizeof(text), "chardev:%.50s", id);
    const char *line = option_string(p, text, strlen(text));
    if (!line)
        return option_fail(p, "out of memory");
    if (option_debugcon(p, line) < 0)
        return -1;
    p->o->debugcon[p->o->debugcons - 1].iobase = (uint16_t)port;
    return 0;
}

int option_device(struct parser *p, const char *value)
{
    const char *cursor = value;
    struct property property;

    if (strcmp(value, "help") == 0)
        return list(p, "device");
    if (next_property(p, &cursor, "driver", &property) != 1 ||
        !is(&property, "driver"))
        return option_fail(p, "\"%.40s\" names no device; -device help lists "
                              "them",
                           value);
    if (strcmp(property.value, "isa-debug-exit") == 0)
        return debug_exit(p, cursor);
    if (strcmp(property.value, "isa-debugcon") == 0)
        return debugcon_device(p, cursor);
    return option_fail(p, "there is no device \"%.40s\" in this version; "
                          "-device help lists them",
                       property.value);
}

int option_global(struct parser *p, const char *value)
{
    struct property property;
    unsigned long port;

    if (strncmp(value, "isa-debugcon.iobase=", 20) != 0)
        return option_fail(p, "%.60s: only isa-debugcon.iobase=PORT, please",
                           value);
    if (next_property(p, &value, NULL, &property) != 1 ||
        parse_number(p, &property, 0xFFFF, &port) < 0)
        return -1;
    if (p->o->debugcons == 0)
        return option_fail(p, "there is no -debugcon before it to move");
    p->o->debugcon[p->o->debugcons - 1].iobase = (uint16_t)port;
    return 0;
}

int option_chardev(struct parser *p, const char *value)
{
    struct property property;
    const char *kind = NULL, *id = NULL, *path = NULL, *implied = "backend";
    bool mux = false, signals = true;
    char text[300];
    int more;

    while ((more = next_property(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (is(&property, "backend"))
            kind = property.value;
        else if (is(&property, "id"))
            id = property.value;
        else if (is(&property, "path"))
            path = property.value;
        else if (is(&property, "mux")) {
            if (parse_bool(p, &property, &mux) < 0)
                return -1;
        } else if (is(&property, "signal")) {
            if (parse_bool(p, &property, &signals) < 0)
                return -1;
        } else
            return unknown_property(p, &property,
                                    "id, path, mux and signal");
    }
    if (more < 0)
        return -1;
    if (!id || *id == '\0')
        return option_fail(p, "needs id=ID");
    bool file = kind && strcmp(kind, "file") == 0;
    bool stdio = kind && strcmp(kind, "stdio") == 0;
    if (!kind || (!file && !stdio && strcmp(kind, "pty") != 0 &&
                  strcmp(kind, "null") != 0))
        return option_fail(p, "%.40s is not stdio, file, pty or null",
                           kind ? kind : "that");
    if (file && (!path || strlen(path) > 255))
        return option_fail(p, "file needs path=PATH (of at most 255 bytes)");
    for (unsigned i = 0; i < p->o->chardevs; i++)
        if (strcmp(p->o->chardev[i].id, id) == 0)
            return option_fail(p, "id=%.40s is taken", id);
    if (p->o->chardevs == OPTIONS_MAX_CHARDEVS)
        return option_fail(p, "given more than %d times",
                           OPTIONS_MAX_CHARDEVS);
    /* Without signals Ctrl-C goes to the guest, so Ctrl-A x must end it. */
    snprintf(text, sizeof(text), "%s%s%s%s",
             stdio && (mux || !signals) ? "mon:" : "", kind, file ? ":" : "",
             file ? path : "");
    const char *spec = option_string(p, text, strlen(text));
    if (!spec)
        return option_fail(p, "out of memory");
    p->o->chardev[p->o->chardevs++] =
        (struct options_chardev){.id = id, .spec = spec};
    return 0;
}

int option_fw_cfg(struct parser *p, const char *value)
{
    struct options_fw_cfg item = {0};
    struct property property;
    const char *implied = "name";
    int more;

    while ((more = next_property(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (is(&property, "name"))
            item.name = property.value;
        else if (is(&property, "file"))
            item.file = property.value;
        else if (is(&property, "string"))
            item.string = property.value;
        else
            return unknown_property(p, &property, "name, file and string");
    }
    if (more < 0)
        return -1;
    if (!item.name || *item.name == '\0' || strlen(item.name) > 55)
        return option_fail(p, "needs name=opt/NAME of at most 55 letters");
    if (!item.file == !item.string)
        return option_fail(p, "needs either file=FILE or string=TEXT");
    if (p->o->fw_cfgs == OPTIONS_MAX_FW_CFG)
        return option_fail(p, "given more than %d times", OPTIONS_MAX_FW_CFG);
    p->o->fw_cfg[p->o->fw_cfgs++] = item;
    return 0;
}

/* Disks and booting. ---------------------------------------------------- */

static int check_letters(struct parser *p, const char *letters)
{
    for (const char *c = letters; *c; c++) {
        if (!strchr("abcdn", *c))
            return option_fail(p, "%.20s: letters of a, b (floppies), c "
                                  "(disk), d (CD), n (network), please",
                               letters);
        if (strchr(c + 1, *c))
            return option_fail(p, "%.20s: %c is there twice", letters, *c);
    }
    return *letters ? 0 : option_fail(p, "the order is empty; try -boot c");
}

int option_boot(struct parser *p, const char *value)
{
    struct property property;
    const char *implied = "order";
    bool ignored;
    int more;

    if (*value == '\0')
        return check_letters(p, value);
    while ((more = next_property(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (is(&property, "order") || is(&property, "once")) {
            if (check_letters(p, property.value) < 0)
                return -1;
            *(is(&property, "order") ? &p->o->boot_order
                                     : &p->o->boot_once) = property.value;
        } else if (is(&property, "menu")) {
            if (parse_bool(p, &property, &p->o->boot_menu) < 0)
                return -1;
        } else if (is(&property, "strict")) {
            if (parse_bool(p, &property, &ignored) < 0)
                return -1;
        } else {
            return unknown_property(p, &property, "order, once and menu");
        }
    }
    return more;
}

static int add_drive(struct parser *p, struct options_drive drive,
                     bool any_index)
{
    struct options *o = p->o;
    unsigned places = drive.interface == DRIVE_IDE ? 4 : 2;

    /* -drive without an index takes the first free place; a CD's is the
     * second channel's master, if that is still free. */
    for (unsigned n = 0; any_index && n < places; n++) {
        bool taken = false;
        unsigned at = drive.cdrom ? (n + 2) % places : n;
        for (unsigned i = 0; i < o->drives; i++)
            taken |= o->drive[i].interface == drive.interface &&
                     o->drive[i].index == at;
        if (taken)
            continue;
        drive.index = at;
        any_index = false;
    }
    if (any_index)
        return option_fail(p, "%.60s: all %u places are taken",
                           drive.file ? drive.file : "empty", places);
    if (drive.index >= places)
        return option_fail(p, "index=%u: 0 to %u, please", drive.index,
                           places - 1);
    for (unsigned i = 0; i < o->drives; i++)
        if (o->drive[i].interface == drive.interface &&
            o->drive[i].index == drive.index)
            return option_fail(p, "%.60s: this place is taken by -%s %.60s",
                               drive.file ? drive.file : "empty",
                               o->drive[i].option,
                               o->drive[i].file ? o->drive[i].file : "");
    o->drive[o->drives++] = drive;
    return 0;
}

int option_drive_short(struct parser *p, const char *value)
{
    static const struct {
        const char *name;
        struct options_drive drive;
    } shorts[] = {
        {"fda", {.interface = DRIVE_FLOPPY, .index = 0}},
        {"fdb", {.interface = DRIVE_FLOPPY, .index = 1}},
        {"hda", {.interface = DRIVE_IDE, .index = 0}},
        {"hdb", {.interface = DRIVE_IDE, .index = 1}},
        {"hdc", {.interface = DRIVE_IDE, .index = 2}},
        {"hdd", {.interface = DRIVE_IDE, .index = 3}},
        {"cdrom", {.interface = DRIVE_IDE, .index = 2, .cdrom = true}},
    };
    if (*value == '\0')
        return option_fail(p, "the file has no name");
    for (unsigned i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++) {
        if (strcmp(shorts[i].name, p->entry->name) != 0)
            continue;
        struct options_drive drive = shorts[i].drive;
        drive.file = value;
        drive.option = shorts[i].name;
        drive.read_only = drive.cdrom;
        return add_drive(p, drive, false);
    }
    return option_fail(p, "not a drive");
}

static int drive_interface(struct parser *p, const struct property *property,
                           struct options_drive *drive)
{
    if (strcmp(property->value, "ide") == 0)
        drive->interface = DRIVE_IDE;
    else if (strcmp(property->value, "floppy") == 0)
        drive->interface = DRIVE_FLOPPY;
    else
        return option_fail(p, "if=%.30s is not in this version; use if=ide or "
                              "if=floppy",
                           property->value);
    return 0;
}

/* One property of -drive. `place` collects index, bus and unit. */
static int drive_property(struct parser *p, const struct property *property,
                          struct options_drive *drive, long place[3])
{
    static const char *const harmless[] = {"id", "cache", "aio", "werror",
                                           "rerror", "discard",
                                           "detect-zeroes", NULL};
    unsigned long number;

    if (is(property, "file")) {
        drive->file = property->value;
    } else if (is(property, "format")) {
        if (strcmp(property->value, "raw") != 0)
            return option_fail(p, "format=%.30s is not in this version; "
                                  "convert with qemu-img convert -O raw",
                               property->value);
    } else if (is(property, "if")) {
        return drive_interface(p, property, drive);
    } else if (is(property, "media")) {
        drive->cdrom = strcmp(property->value, "cdrom") == 0;
        if (!drive->cdrom && strcmp(property->value, "disk") != 0)
            return option_fail(p, "media=%.30s: disk or cdrom, please",
                               property->value);
    } else if (is(property, "snapshot")) {
        return parse_bool(p, property, &drive->snapshot);
    } else if (is(property, "readonly") || is(property, "read-only")) {
        return parse_bool(p, property, &drive->read_only);
    } else if (is(property, "index") || is(property, "bus") ||
               is(property, "unit")) {
        if (parse_number(p, property, 15, &number) < 0)
            return -1;
        place[is(property, "index") ? 0 : is(property, "bus") ? 1 : 2] =
            (long)number;
    } else {
        for (unsigned i = 0; harmless[i]; i++)
            if (is(property, harmless[i]))
                return 0;
        return unknown_property(p, property,
                                "file, format, if, index, bus, unit, media, "
                                "snapshot and readonly");
    }
    return 0;
}

int option_drive(struct parser *p, const char *value)
{
    struct options_drive drive = {.option = "drive"};
    struct property property;
    long place[3] = {-1, -1, -1}; /* index, bus, unit */
    int more;

    while ((more = next_property(p, &value, NULL, &property)) > 0)
        if (drive_property(p, &property, &drive, place) < 0)
            return -1;
    if (more < 0)
        return -1;
    if (drive.file && *drive.file == '\0')
        drive.file = NULL;
    if (!drive.file && !drive.cdrom && drive.interface != DRIVE_FLOPPY)
        return option_fail(p, "needs file=FILE");
    if (drive.cdrom && drive.interface == DRIVE_FLOPPY)
        return option_fail(p, "media=cdrom needs if=ide");
    drive.read_only |= drive.cdrom;
    if (place[0] >= 0 && (place[1] >= 0 || place[2] >= 0))
        return option_fail(p, "either index= or bus= and unit=, please");
    if (place[1] > 1 || place[2] > 1)
        return option_fail(p, "bus= and unit= are 0 or 1");
    if (place[0] < 0 && (place[1] >= 0 || place[2] >= 0)) {
        place[0] = place[2] > 0 ? 1 : 0;
        if (drive.interface == DRIVE_IDE && place[1] > 0)
            place[0] += 2;
    }
    drive.index = place[0] >= 0 ? (unsigned)place[0] : 0;
    return add_drive(p, drive, place[0] < 0);
}
