/*
 * The options whose value is a list of properties: "a,key=value,key=value".
 * A comma inside a value is written twice, as in QEMU. Drives are in
 * options_drive.c.
 */
#include "emu/options_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Takes the next property off *cursor. 1, 0 at the end, -1 out of memory. */
int property_next(struct parser *p, const char **cursor, const char *implied,
                  struct property *property)
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

bool property_is(const struct property *property, const char *key)
{
    return strcmp(property->key, key) == 0;
}

int property_unknown(struct parser *p, const struct property *property,
                     const char *known)
{
    return option_fail(p, "no property \"%.40s\"; there are %s", property->key,
                       known);
}

int property_bool(struct parser *p, const struct property *property,
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

int property_number(struct parser *p, const struct property *property,
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
    static const char *const known[] = {"interp", "tcg",  "kvm", "jit", "hax",
                                        "hvf",    "whpx", "xen", NULL};
    unsigned i;

    for (i = 0; known[i] && strcmp(known[i], name) != 0; i++)
        ;
    if (!known[i])
        return option_fail(p,
                           "there is no engine \"%.40s\"; use -accel "
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
    if (property_next(p, &cursor, "accel", &property) != 1)
        return option_fail(p, "names no engine; use -accel interp");
    if (!property_is(&property, "accel"))
        return property_unknown(p, &property, "none yet");
    bool ours = strcmp(property.value, "interp") == 0;
    if (add_accels(p, property.value) < 0)
        return -1;
    /* The other engines' properties do not matter: they are not used. */
    while ((more = property_next(p, &cursor, NULL, &property)) > 0)
        if (ours && !property_is(&property, "thread"))
            return property_unknown(p, &property, "none for interp");
    return more;
}

int option_machine(struct parser *p, const char *value)
{
    /* What QEMU's pc has and makes no difference here. */
    static const char *const harmless[] = {
        "usb", "vmport", "dump-guest-core", "mem-merge", "graphics",
        "smm", "hmat",   "suppress-vmdesc", NULL};
    struct property property;
    int more;

    if (strcmp(value, "help") == 0)
        return list(p, "machine");
    const char *implied = "type";
    while ((more = property_next(p, &value, implied, &property)) > 0) {
        unsigned i;
        implied = NULL;
        if (property_is(&property, "type")) {
            if (strcmp(property.value, "pc") != 0 &&
                strncmp(property.value, "pc-i440fx", 9) != 0)
                return option_fail(p,
                                   "there is no board \"%.40s\"; use "
                                   "-machine pc",
                                   property.value);
        } else if (property_is(&property, "accel")) {
            if (add_accels(p, property.value) < 0)
                return -1;
        } else if (property_is(&property, "acpi") ||
                   property_is(&property, "hpet")) {
            bool on;
            if (property_bool(p, &property, &on) < 0)
                return -1;
            *(property_is(&property, "acpi") ? &p->o->no_acpi
                                             : &p->o->no_hpet) = !on;
        } else {
            for (i = 0; harmless[i] && !property_is(&property, harmless[i]);
                 i++)
                ;
            if (!harmless[i])
                return property_unknown(p, &property,
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
    while ((more = property_next(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (property_number(p, &property, 4096, &number) < 0)
            return -1;
        if (number == 0)
            return option_fail(p, "%.20s=0: at least one CPU, please",
                               property.key);
        if (property_is(&property, "cpus")) {
            cpus = number;
            given = true;
        } else if (property_is(&property, "cores") ||
                   property_is(&property, "threads") ||
                   property_is(&property, "sockets") ||
                   property_is(&property, "dies")) {
            product *= number;
            if (product > 4096)
                product = 4096;
        } else if (!property_is(&property, "maxcpus")) {
            return property_unknown(p, &property,
                                    "cpus, sockets, dies, cores and threads");
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
        return option_fail(p,
                           "base=%.40s: utc, localtime, "
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

    while ((more = property_next(p, &value, NULL, &property)) > 0) {
        if (property_is(&property, "base")) {
            if (strcmp(property.value, "utc") == 0)
                p->o->rtc = RTC_UTC;
            else if (strcmp(property.value, "localtime") == 0)
                p->o->rtc = RTC_LOCALTIME;
            else if (parse_date(p, property.value) < 0)
                return -1;
        } else if (property_is(&property, "clock")) {
            if (strcmp(property.value, "vm") != 0 &&
                strcmp(property.value, "host") != 0 &&
                strcmp(property.value, "rt") != 0)
                return option_fail(p, "clock=%.30s: host or vm, please",
                                   property.value);
            p->o->rtc_vm = strcmp(property.value, "vm") == 0;
        } else if (!property_is(&property, "driftfix")) {
            return property_unknown(p, &property, "base and clock");
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
    while ((more = property_next(p, &cursor, NULL, &property)) > 0) {
        if (property_is(&property, "iobase")) {
            if (property_number(p, &property, 0xFFFF, &number) < 0)
                return -1;
            p->o->debug_exit_iobase = (uint16_t)number;
        } else if (property_is(&property, "iosize")) {
            if (property_number(p, &property, 8, &number) < 0)
                return -1;
            if (number != 1 && number != 2 && number != 4)
                return option_fail(p, "iosize=%lu: 1, 2 or 4, please", number);
            p->o->debug_exit_iosize = (unsigned)number;
        } else if (!property_is(&property, "id")) {
            return property_unknown(p, &property, "iobase and iosize");
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

    while ((more = property_next(p, &cursor, NULL, &property)) > 0) {
        if (property_is(&property, "iobase")) {
            if (property_number(p, &property, 0xFFFF, &port) < 0)
                return -1;
        } else if (property_is(&property, "chardev")) {
            id = property.value;
        } else if (!property_is(&property, "id") &&
                   !property_is(&property, "readback")) {
            return property_unknown(p, &property, "iobase and chardev");
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
    if (property_next(p, &cursor, "driver", &property) != 1 ||
        !property_is(&property, "driver"))
        return option_fail(p,
                           "\"%.40s\" names no device; -device help lists "
                           "them",
                           value);
    if (strcmp(property.value, "isa-debug-exit") == 0)
        return debug_exit(p, cursor);
    if (strcmp(property.value, "isa-debugcon") == 0)
        return debugcon_device(p, cursor);
    return option_fail(p,
                       "there is no device \"%.40s\" in this version; "
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
    if (property_next(p, &value, NULL, &property) != 1 ||
        property_number(p, &property, 0xFFFF, &port) < 0)
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

    while ((more = property_next(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (property_is(&property, "backend"))
            kind = property.value;
        else if (property_is(&property, "id"))
            id = property.value;
        else if (property_is(&property, "path"))
            path = property.value;
        else if (property_is(&property, "mux")) {
            if (property_bool(p, &property, &mux) < 0)
                return -1;
        } else if (property_is(&property, "signal")) {
            if (property_bool(p, &property, &signals) < 0)
                return -1;
        } else
            return property_unknown(p, &property, "id, path, mux and signal");
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
        return option_fail(p, "given more than %d times", OPTIONS_MAX_CHARDEVS);
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

    while ((more = property_next(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (property_is(&property, "name"))
            item.name = property.value;
        else if (property_is(&property, "file"))
            item.file = property.value;
        else if (property_is(&property, "string"))
            item.string = property.value;
        else
            return property_unknown(p, &property, "name, file and string");
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
