/*
 * What devices know of the host: byte streams, disks, pictures and keys, each
 * a small struct of functions. devices/host/ implements them; tests fake them.
 *
 * Everything here is called on the CPU thread. A backend that faces another
 * thread (window, sockets) does its own queueing behind these functions.
 */
#ifndef EMU_BACKEND_H
#define EMU_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A byte stream: a serial line's other end. */
struct chardev {
    const char *name;
    /* Takes all `size` bytes (drops them if the other end is gone). */
    void (*write)(struct chardev *chr, const uint8_t *data, size_t size);
    void (*close)(struct chardev *chr);
    /* Set by the device: how many bytes it can take now, and taking them.
     * Without them, what comes in is dropped. */
    size_t (*room)(void *ctx);
    void (*receive)(void *ctx, const uint8_t *data, size_t size);
    void *ctx;
    void *impl; /* the backend's own */
};

/* A disk, CD or floppy image. Offsets and sizes are bytes. */
struct block {
    const char *name; /* "ide0-hd0" */
    uint64_t size_bytes;
    bool read_only;
    bool inserted; /* removable media: is one in the drive? */
    /* 0 or -errno. The caller stays within size_bytes. */
    int (*read)(struct block *blk, uint64_t offset, void *data, size_t size);
    int (*write)(struct block *blk, uint64_t offset, const void *data,
                 size_t size);
    int (*flush)(struct block *blk);
    void (*close)(struct block *blk);
    /* Set by the device: the medium was changed or removed. */
    void (*changed)(void *ctx);
    void *ctx;
    void *impl;
};

/* A picture: 32-bit 0x00RRGGBB pixels, `stride` pixels from row to row. */
struct surface {
    uint32_t *pixels;
    unsigned width, height, stride;
    unsigned capacity; /* pixels allocated */
};

/* Makes the surface at least width x height, clears nothing. 0 or -ENOMEM. */
int surface_resize(struct surface *surface, unsigned width, unsigned height);
void surface_free(struct surface *surface);
/* Writes a binary PPM (as QEMU's screendump does). 0 or -errno. */
int surface_write_ppm(const struct surface *surface, const char *path);

/* What a display adapter offers to whoever shows it. */
struct display {
    /* Draws the whole screen as it is now, resizing the surface. */
    void (*render)(void *ctx, struct surface *surface);
    /* The text screen as lines of UTF-8 or, in a graphics mode, an empty
     * string. Returns the length; `text` is always terminated. */
    size_t (*text)(void *ctx, char *text, size_t size);
    void *ctx;
};

/*
 * Keys are named by their PS/2 set-1 scan code: 0x01 (Esc) to 0x7F as they
 * stand, with KEY_E0 added where the key sends an 0xE0 prefix. KEY_PAUSE
 * stands for the sequence that Pause sends.
 */
#define KEY_E0 0x80u
#define KEY_PAUSE 0x146u

/* What a keyboard and mouse take from whoever has real ones. */
struct input {
    void (*key)(void *ctx, unsigned key, bool down);
    /* Movement in counts (y grows downwards), wheel steps, buttons as a mask:
     * 1 left, 2 right, 4 middle. */
    void (*mouse)(void *ctx, int dx, int dy, int dz, unsigned buttons);
    void *ctx;
};

#endif
