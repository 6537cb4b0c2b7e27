/*
 * The way to gdb: a listening socket, at most one client, and a thread that
 * waits for either to have something. It reads nothing: it stops the machine,
 * so that the CPU thread does. While nothing comes nothing is polled.
 */
#ifndef MONITOR_GDB_LINK_H
#define MONITOR_GDB_LINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct machine;

struct gdb_link {
    int listen_fd, client_fd, event_fd; /* -1: none */
    char unix_path[108];                /* to be removed at the end */
    struct machine *machine;
    pthread_t thread;
    bool started;
    /* Under `lock`: */
    pthread_mutex_t lock;
    bool armed;     /* the thread watches */
    bool attention; /* something came; REQUEST_STOP goes with it */
    bool ending;
};

/* Listens at "tcp:[HOST]:PORT" (loopback without a host; port 0 is any, and
 * said on stderr) or "unix:PATH". 0, or -1 with one line in `error`. */
int gdb_link_open(struct gdb_link *link, const char *address, char *error,
                  size_t error_size);
/* Starts the thread. 0 or -errno. */
int gdb_link_start(struct gdb_link *link, struct machine *machine);
void gdb_link_close(struct gdb_link *link);

/* Watches for input (or a client), once: then the machine is asked to stop. */
void gdb_link_arm(struct gdb_link *link);
/* Did something come? It is taken back together with its REQUEST_STOP. */
bool gdb_link_take(struct gdb_link *link);
/* The same, without taking it. */
bool gdb_link_pending(struct gdb_link *link);

/* The next client, when one waits and none is there. */
bool gdb_link_accept(struct gdb_link *link);
/* Bytes read; 0: none now; -1: the client has gone. */
ssize_t gdb_link_receive(struct gdb_link *link, void *data, size_t size);
/* Sends all. False: the client has gone, or takes nothing for 5 s. */
bool gdb_link_send(struct gdb_link *link, const char *data, size_t size);
void gdb_link_drop(struct gdb_link *link);

#endif
