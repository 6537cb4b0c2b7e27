/*
 * Byte streams on the host: terminal, file, pseudo-terminal, nothing.
 *
 * Input is read on the host thread into a queue; the CPU thread moves it to
 * the device in chardev_set_pump(), as much as the device has room for.
 * Output is written at once, on the CPU thread.
 */
#ifndef DEVICES_HOST_CHARDEV_H
#define DEVICES_HOST_CHARDEV_H

#include "devices/host/loop.h"
#include "emu/backend.h"

#include <stdbool.h>
#include <stddef.h>

/* Input that no device has taken yet; reading stops when it is full. */
#define CHARDEV_QUEUE_BYTES 65536u

struct chardev_set;

/* `wake` is called on the host thread when input has come; `quit` when the
 * user typed Ctrl-A x. */
struct chardev_set *chardev_set_new(struct loop *loop, void (*wake)(void *ctx),
                                    void (*quit)(void *ctx), void *ctx);
/* Closes all of them and restores the terminal. */
void chardev_set_free(struct chardev_set *set);

/*
 * Opens what -serial would: "none", "null", "vc" (both drop output), "stdio",
 * "mon:stdio" (Ctrl-A is the escape key), "file:PATH", "pty". `label` is for
 * messages. *chardev is NULL for "none". The set owns it. 0, or -1 with one
 * line in `error`. Only the first that opens stdio gets its input.
 */
int chardev_open(struct chardev_set *set, const char *spec, const char *label,
                 struct chardev **chardev, char *error, size_t error_size);

/* CPU thread: gives queued input to the devices. True while some is left. */
bool chardev_set_pump(struct chardev_set *set);

/* From any thread: output must not wait for a slow reader any more. */
void chardev_set_stop(struct chardev_set *set);

#endif
