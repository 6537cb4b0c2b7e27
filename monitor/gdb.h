/*
 * The gdb stub: gdb's remote serial protocol (GDB manual, appendix E), served
 * to one client over TCP or a Unix socket. It owns the thread that runs the
 * machine, as the monitor would.
 */
#ifndef MONITOR_GDB_H
#define MONITOR_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct gdb;
struct machine;

/* Runs a line that the user typed behind gdb's `monitor`; its text goes to
 * `out`. It may ask the machine for something, and run it. */
typedef void gdb_command_fn(void *ctx, const char *line, FILE *out);

/* Listens at "tcp:[HOST]:PORT" (loopback without a host; port 0 is any one,
 * named on stderr) or "unix:PATH". NULL with one line in `error`. */
struct gdb *gdb_open(const char *address, char *error, size_t error_size);
/* Who serves `monitor`; without, a few commands are known here. */
void gdb_set_command(struct gdb *gdb, gdb_command_fn *command, void *ctx);
void gdb_close(struct gdb *gdb);

/*
 * Runs the machine, or holds it, as the client wants; until somebody does, it
 * runs freely, unless `stopped`. A client that connects stops it, and one that
 * leaves lets it run on, without its breakpoints. Returns as machine_run()
 * does, but REQUEST_STOP only after STOP_ERROR without a client.
 */
unsigned gdb_main(struct gdb *gdb, struct machine *machine, bool stopped);

#endif
