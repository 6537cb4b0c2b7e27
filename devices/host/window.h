/*
 * A window: shows a machine's screen, and collects keys and mouse. SDL 2 lives
 * wholly on the window's own thread; the functions here may be called from any
 * other (the CPU thread, that is) and never wait for the host's display.
 *
 *   Ctrl-Alt-G  grab or release the mouse (a click in the window grabs it)
 *   Ctrl-Alt-F  full screen and back
 */
#ifndef DEVICES_HOST_WINDOW_H
#define DEVICES_HOST_WINDOW_H

#include "emu/backend.h"

#include <stdbool.h>
#include <stddef.h>

struct window;

struct window_config {
    const char *name; /* the machine's; the title is "Vitrine - name" */
    /* Called on the window's thread when the queue stops being empty, to end
     * a sleep of whoever polls. May be NULL. */
    void (*wake)(void *ctx);
    void *ctx;
};

enum window_event_kind { WINDOW_KEY, WINDOW_MOUSE, WINDOW_CLOSE };

struct window_event {
    enum window_event_kind kind;
    unsigned key; /* KEY: a KEY_ code, going down or up */
    bool down;
    int dx, dy, dz;   /* MOUSE: counts, y downwards; wheel steps, up is -1 */
    unsigned buttons; /* MOUSE: 1 left, 2 right, 4 middle, as they are now */
};

/* Opens a window and waits until it is there. NULL when there is no display
 * or no memory, with a line that says so and what to do in `error`. */
struct window *window_open(const struct window_config *config, char *error,
                           size_t error_size);
/* Ends the thread and frees the window. NULL is fine. */
void window_close(struct window *window);

/* Hands over a picture; it is copied, and shown within a frame or so. Cheap
 * enough for every frame. A picture too large for memory is not shown. */
void window_present(struct window *window, const struct surface *surface);
/* Could a new picture be shown now, or is the last one still waiting? Saves
 * drawing what nobody would see. */
bool window_wants_picture(struct window *window);

/* Takes the oldest event; false when there is none. Keys that are down when
 * the window loses the focus are released. */
bool window_poll(struct window *window, struct window_event *event);

/* Puts an event into the queue as if the host had: for tests. False when the
 * queue is full. */
bool window_push(struct window *window, const struct window_event *event);

/* The KEY_ code of a key in SDL's numbering (by position, whatever the host's
 * layout); 0 for keys that a PC does not have. */
unsigned window_key(unsigned sdl_scancode);

#endif
