/*
 * A medium change swaps what two blocks have inside: the drive's block, which
 * devices point to, and a fresh one that is then closed with the old medium.
 * The name and the device's callback stay with the drive.
 *
 * Invariant: the new medium is open before the old one is closed, so a change
 * that fails changes nothing.
 */
#include "devices/host/block_change.h"

#include <errno.h>

static void swap_media(struct block *blk, struct block *fresh)
{
    struct block old = *blk;

    *blk = *fresh;
    blk->name = old.name;
    blk->changed = old.changed;
    blk->ctx = old.ctx;
    old.name = fresh->name;
    *fresh = old;
    fresh->changed = NULL;
    fresh->close(fresh);
    if (blk->changed)
        blk->changed(blk->ctx);
}

int block_change(struct block *blk, const char *path,
                 const struct block_options *options, char *error, size_t size)
{
    struct block *fresh =
        block_file_open(blk->name, path, options, error, size);

    if (!fresh)
        return -1;
    swap_media(blk, fresh);
    return 0;
}

int block_eject(struct block *blk)
{
    if (!blk->inserted)
        return 0;
    struct block *empty = block_file_empty(blk->name);
    if (!empty)
        return -ENOMEM;
    swap_media(blk, empty);
    return 0;
}
