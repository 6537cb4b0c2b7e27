/*
 * Raw disk images (and host block devices) as `struct block`.
 *
 * A block that is opened belongs to the caller, who ends it with
 * blk->close(blk), which frees the struct too.
 */
#ifndef DEVICES_HOST_BLOCK_FILE_H
#define DEVICES_HOST_BLOCK_FILE_H

#include "emu/backend.h"

#include <stdbool.h>
#include <stddef.h>

struct block_options {
    bool read_only; /* the guest's writes fail */
    bool snapshot;  /* the guest's writes go to a temporary file that has no
                       name; the image is opened for reading only */
};

/*
 * Opens the image at `path`. `name` is the drive's ("ide0-hd0") and is copied.
 * NULL options: read and write. On failure returns NULL, with one line (no
 * newline) that says what is wrong and what to do in `error`.
 *
 * The image is locked (flock): one writer, or any number of readers. The lock
 * ends with the block, or with the process.
 */
struct block *block_file_open(const char *name, const char *path,
                              const struct block_options *options, char *error,
                              size_t size);

/* A drive without a medium (inserted is false, nothing can be read); NULL when
 * out of memory. For block_change() to fill later. */
struct block *block_file_empty(const char *name);

#endif
