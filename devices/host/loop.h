/*
 * The thread that faces the host: it polls file descriptors and calls who
 * owns them. What arrives is queued by its owner and taken by the CPU thread.
 */
#ifndef DEVICES_HOST_LOOP_H
#define DEVICES_HOST_LOOP_H

#include <poll.h>

struct loop;

/* One file descriptor. Both functions are called on the loop's thread. */
struct loop_source {
    int fd;
    /* Which of POLLIN, POLLOUT it waits for now; 0: not now. It may lower
     * *timeout_ms to be asked again sooner. */
    short (*prepare)(void *ctx, int *timeout_ms);
    void (*ready)(void *ctx, short revents);
    void *ctx;
    struct loop_source *next;
};

/* Makes the loop and starts its thread. NULL on failure. */
struct loop *loop_new(void);
/* Stops and joins the thread. Sources are their owners'. */
void loop_free(struct loop *loop);
/* From any thread but the loop's own. After loop_remove() has returned, none
 * of the source's functions runs any more. */
void loop_add(struct loop *loop, struct loop_source *source);
void loop_remove(struct loop *loop, struct loop_source *source);
/* From any thread: sources are to be asked again what they wait for. */
void loop_wake(struct loop *loop);

#endif
