/* Between options.c, options_value.c and options_help.c only. */
#ifndef EMU_OPTIONS_TABLE_H
#define EMU_OPTIONS_TABLE_H

#include "emu/options.h"

/* Parsing in progress. */
struct parser {
    struct options *o;
    const struct option_entry *entry; /* the option being handled */
    const char *accels[8];            /* -accel and accel=, in order */
    unsigned accel_count;
    bool vga_given;
};

/*
 * One option. `arg` is NULL when it takes none, and otherwise what the help
 * calls it. `many` may be repeated. An entry whose `help` is NULL is hidden;
 * one whose handler is option_later is a QEMU option that this version lacks,
 * and `help` says what to do instead.
 */
struct option_entry {
    const char *name;
    const char *arg;
    bool many;
    const char *help;
    int (*handle)(struct parser *p, const char *value);
    const char *group; /* heading of the help; NULL: as the entry before */
};
extern const struct option_entry option_table[]; /* ends with a NULL name */

/* What `-device help`, `-machine help`, ... print. */
struct option_choice {
    const char *topic, *name, *help;
};
extern const struct option_choice option_choices[]; /* ends with NULLs */

/* Sets options->error to "-name: message" and returns -1. */
int option_fail(struct parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A copy that options_free() frees, or NULL. */
char *option_string(struct parser *p, const char *text, size_t length);
/* Smallest number of typing errors between two words. */
unsigned option_distance(const char *a, const char *b);

/* A list of properties, "a,key=value,key": options_property.c. */
struct property {
    char *key;   /* the implied key when the first has no '=' */
    char *value; /* "on" when there is no '=' */
};
/* Takes the next property off *cursor. 1, 0 at the end, -1 out of memory. */
int property_next(struct parser *p, const char **cursor, const char *implied,
                  struct property *property);
bool property_is(const struct property *property, const char *key);
/* An error that names the properties there are; returns -1. */
int property_unknown(struct parser *p, const struct property *property,
                     const char *known);
/* The value as on or off, or as a number up to max. 0, or -1 with an error. */
int property_bool(struct parser *p, const struct property *property,
                  bool *result);
int property_number(struct parser *p, const struct property *property,
                    unsigned long max, unsigned long *result);

/* The handlers, one for each kind of option. */
int option_accel(struct parser *p, const char *value);
int option_append(struct parser *p, const char *value);
int option_bios(struct parser *p, const char *value);
int option_boot(struct parser *p, const char *value);
int option_chardev(struct parser *p, const char *value);
int option_cpu(struct parser *p, const char *value);
int option_debugcon(struct parser *p, const char *value);
int option_device(struct parser *p, const char *value);
int option_display(struct parser *p, const char *value);
int option_drive(struct parser *p, const char *value);
int option_drive_short(struct parser *p, const char *value);
int option_fw_cfg(struct parser *p, const char *value);
int option_gdb(struct parser *p, const char *value);
int option_gdb_short(struct parser *p, const char *value);
int option_generate_man(struct parser *p, const char *value);
int option_global(struct parser *p, const char *value);
int option_help(struct parser *p, const char *value);
int option_icount(struct parser *p, const char *value);
int option_ignore(struct parser *p, const char *value);
int option_initrd(struct parser *p, const char *value);
int option_kernel(struct parser *p, const char *value);
int option_later(struct parser *p, const char *value);
int option_log(struct parser *p, const char *value);
int option_log_file(struct parser *p, const char *value);
int option_machine(struct parser *p, const char *value);
int option_memory(struct parser *p, const char *value);
int option_monitor(struct parser *p, const char *value);
int option_name(struct parser *p, const char *value);
int option_net(struct parser *p, const char *value);
int option_no_acpi(struct parser *p, const char *value);
int option_no_hpet(struct parser *p, const char *value);
int option_no_reboot(struct parser *p, const char *value);
int option_no_shutdown(struct parser *p, const char *value);
int option_nodefaults(struct parser *p, const char *value);
int option_nographic(struct parser *p, const char *value);
int option_parallel(struct parser *p, const char *value);
int option_path(struct parser *p, const char *value);
int option_rtc(struct parser *p, const char *value);
int option_serial(struct parser *p, const char *value);
int option_smp(struct parser *p, const char *value);
int option_snapshot(struct parser *p, const char *value);
int option_stopped(struct parser *p, const char *value);
int option_trace(struct parser *p, const char *value);
int option_script(struct parser *p, const char *value);
int option_symbols(struct parser *p, const char *value);
int option_uuid(struct parser *p, const char *value);
int option_version(struct parser *p, const char *value);
int option_vga(struct parser *p, const char *value);

#endif
