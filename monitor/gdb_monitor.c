/*
 * gdb's `monitor LINE`: handed to the monitor's shell when there is one;
 * otherwise the few commands below, under QEMU's names.
 */
#include "monitor/gdb_internal.h"

#include "emu/x86/cpu.h"

#include <stdlib.h>
#include <string.h>

static void show_registers(struct gdb *gdb, FILE *out)
{
    cpu_dump(gdb_cpu(gdb), out);
}

static void reset(struct gdb *gdb, FILE *out)
{
    (void)out;
    machine_reset(gdb->machine);
}

static void quit(struct gdb *gdb, FILE *out)
{
    (void)out;
    machine_request(gdb->machine, REQUEST_QUIT);
}

static void help(struct gdb *gdb, FILE *out);

static const struct {
    const char *name;
    void (*run)(struct gdb *gdb, FILE *out);
    const char *help;
} commands[] = {
    {"info registers", show_registers, "all registers, as QEMU shows them"},
    {"system_reset", reset, "the reset button"},
    {"reset", reset, "the same"},
    {"quit", quit, "end vitrine"},
    {"q", quit, "the same"},
    {"help", help, "this list"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(struct gdb *gdb, FILE *out)
{
    (void)gdb;
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "%-15s %s\n", commands[i].name, commands[i].help);
}

static void builtin(struct gdb *gdb, const char *line, FILE *out)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(line, commands[i].name) == 0) {
            commands[i].run(gdb, out);
            return;
        }
    }
    fprintf(out, "%s: no such command; try help\n", line);
}

/* Text goes out as O packets, each a part of it. */
static void send_text(struct gdb *gdb, const char *text, size_t size)
{
    const size_t most = (GDB_PACKET_BYTES - 1) / 2;

    for (size_t at = 0; at < size; at += most) {
        size_t length = size - at < most ? size - at : most;
        gdb_reply_clear(&gdb->reply);
        gdb_reply_text(&gdb->reply, "O");
        gdb_reply_hex(&gdb->reply, text + at, length);
        gdb_send(gdb);
    }
    gdb_reply_clear(&gdb->reply);
}

void gdb_monitor(struct gdb *gdb, const char *line)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        gdb_reply_text(&gdb->reply, "E0c");
        return;
    }
    if (gdb->command) {
        /* It may run the machine: Ctrl-C must stop it. */
        gdb_link_arm(&gdb->link);
        gdb->command(gdb->command_ctx, line, out);
    } else {
        builtin(gdb, line, out);
    }
    fclose(out);
    if (text)
        send_text(gdb, text, size);
    free(text);
    gdb_reply_text(&gdb->reply, "OK");
    gdb->answered = false; /* the text was no answer yet */
}
