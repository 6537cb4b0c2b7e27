/*
 * Disks and the boot order: -drive and its short forms, -boot.
 */
#include "emu/options_table.h"

#include <string.h>

static int check_letters(struct parser *p, const char *letters)
{
    for (const char *c = letters; *c; c++) {
        if (!strchr("abcdn", *c))
            return option_fail(p,
                               "%.20s: letters of a, b (floppies), c "
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
    while ((more = property_next(p, &value, implied, &property)) > 0) {
        implied = NULL;
        if (property_is(&property, "order") || property_is(&property, "once")) {
            if (check_letters(p, property.value) < 0)
                return -1;
            *(property_is(&property, "order") ? &p->o->boot_order
                                              : &p->o->boot_once) =
                property.value;
        } else if (property_is(&property, "menu")) {
            if (property_bool(p, &property, &p->o->boot_menu) < 0)
                return -1;
        } else if (property_is(&property, "strict")) {
            if (property_bool(p, &property, &ignored) < 0)
                return -1;
        } else {
            return property_unknown(p, &property, "order, once and menu");
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
        return option_fail(p,
                           "if=%.30s is not in this version; use if=ide or "
                           "if=floppy",
                           property->value);
    return 0;
}

/* One property of -drive. `place` collects index, bus and unit. */
static int drive_property(struct parser *p, const struct property *property,
                          struct options_drive *drive, long place[3])
{
    static const char *const harmless[] = {
        "id",     "cache",   "aio",           "werror",
        "rerror", "discard", "detect-zeroes", NULL};
    unsigned long number;

    if (property_is(property, "file")) {
        drive->file = property->value;
    } else if (property_is(property, "format")) {
        if (strcmp(property->value, "raw") != 0)
            return option_fail(p,
                               "format=%.30s is not in this version; "
                               "convert with qemu-img convert -O raw",
                               property->value);
    } else if (property_is(property, "if")) {
        return drive_interface(p, property, drive);
    } else if (property_is(property, "media")) {
        drive->cdrom = strcmp(property->value, "cdrom") == 0;
        if (!drive->cdrom && strcmp(property->value, "disk") != 0)
            return option_fail(p, "media=%.30s: disk or cdrom, please",
                               property->value);
    } else if (property_is(property, "snapshot")) {
        return property_bool(p, property, &drive->snapshot);
    } else if (property_is(property, "readonly") ||
               property_is(property, "read-only")) {
        return property_bool(p, property, &drive->read_only);
    } else if (property_is(property, "index") || property_is(property, "bus") ||
               property_is(property, "unit")) {
        if (property_number(p, property, 15, &number) < 0)
            return -1;
        place[property_is(property, "index") ? 0
              : property_is(property, "bus") ? 1
                                             : 2] = (long)number;
    } else {
        for (unsigned i = 0; harmless[i]; i++)
            if (property_is(property, harmless[i]))
                return 0;
        return property_unknown(p, property,
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

    while ((more = property_next(p, &value, NULL, &property)) > 0)
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
