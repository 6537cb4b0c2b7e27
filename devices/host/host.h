/*
 * The host's side of struct machine: what its pump, sleep and wake do, the
 * signals that end it, and its picture at 30 Hz.
 */
#ifndef DEVICES_HOST_HOST_H
#define DEVICES_HOST_HOST_H

#include "devices/host/chardev.h"
#include "emu/machine.h"

struct host;

/* Takes SIGINT, SIGTERM and SIGHUP over: each asks the running machine to
 * quit, and another one a second later kills. Before any other thread is
 * started. NULL when the host lacks what it takes. */
struct host *host_new(void);
/* Restores the terminal and closes lines and window. Its machine must be gone
 * or host_detach()ed. */
void host_free(struct host *host);

/* Lines for chardev_open(). */
struct chardev_set *host_chardevs(struct host *host);

/* Becomes pump, sleep and wake of the machine; host_detach() ends that. */
void host_attach(struct host *host, struct machine *machine);
void host_detach(struct host *host);

/* Opens a window for the machine's display and input. 0, or -1 with one line
 * in `error`. */
int host_open_window(struct host *host, const char *name, char *error,
                     size_t error_size);

/* Waits, with the window alive and time stopped, until the user asks for the
 * end: what follows -S and -no-shutdown. */
void host_wait_quit(struct host *host);

/* SIGINT (Ctrl-C) stops the machine instead of ending it: for a monitor. */
void host_interrupt_stops(struct host *host, bool stops);

#endif
