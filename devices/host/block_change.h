/*
 * Changing the medium of a drive while the machine runs (`change`, `eject`).
 * Both are called on the CPU thread, or with the machine stopped.
 */
#ifndef DEVICES_HOST_BLOCK_CHANGE_H
#define DEVICES_HOST_BLOCK_CHANGE_H

#include "devices/host/block_file.h"

/* Puts the image at `path` in the drive, instead of what is there, and tells
 * the device. `blk` stays the same block with the same name. 0, or -1 with one
 * line in `error` and the old medium still in the drive. */
int block_change(struct block *blk, const char *path,
                 const struct block_options *options, char *error, size_t size);

/* Takes the medium out and tells the device. 0 or -ENOMEM; an empty drive
 * stays empty. */
int block_eject(struct block *blk);

#endif
