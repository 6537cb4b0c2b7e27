/*
 * libFuzzer: a raw image, opened in all ways and accessed as a disk does. Every
 * byte read must be the one that was written last (a copy in memory says
 * which), and with read-only and snapshot the file must stay as it was.
 */
#include "devices/host/block_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BYTES 20000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct lab {
    char path[64];
    uint8_t file[MAX_BYTES], expected[MAX_BYTES];
    size_t size;
    const uint8_t *at, *end;
};

static unsigned take(struct lab *lab)
{
    return lab->at < lab->end ? *lab->at++ : 0;
}

static void fill_file(struct lab *lab)
{
    snprintf(lab->path, sizeof(lab->path), "/tmp/vitrine-fuzz-XXXXXX");
    int fd = mkstemp(lab->path);
    if (fd < 0)
        abort();
    for (size_t i = 0; i < lab->size; i++)
        lab->file[i] = lab->expected[i] = (uint8_t)(i * 7 + i / 256);
    if (write(fd, lab->file, lab->size) != (ssize_t)lab->size)
        abort();
    close(fd);
}

/* The file holds what it should, byte for byte. */
static void check_file(const struct lab *lab, const uint8_t *expected)
{
    static const size_t more = 16;
    uint8_t *now = malloc(lab->size + more);
    FILE *f = fopen(lab->path, "rb");
    if (!now || !f || fread(now, 1, lab->size + more, f) != lab->size ||
        memcmp(now, expected, lab->size) != 0)
        abort();
    fclose(f);
    free(now);
}

static void access_block(struct lab *lab, struct block *blk, bool writable)
{
    unsigned op = take(lab);
    size_t offset = (take(lab) | take(lab) << 8) % (blk->size_bytes + 1);
    size_t n = (take(lab) | take(lab) << 8) % (blk->size_bytes - offset + 1);
    uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        abort();
    if (op % 3 == 0) {
        if (blk->flush(blk) != 0)
            abort();
    } else if (op % 3 == 1) {
        memset(bytes, (int)take(lab), n);
        int result = blk->write(blk, offset, bytes, n);
        if (n && (result == 0) != writable)
            abort();
        if (result == 0)
            memcpy(lab->expected + offset, bytes, n);
    } else if (blk->read(blk, offset, bytes, n) != 0 ||
               memcmp(bytes, lab->expected + offset, n) != 0) {
        abort();
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lab lab = {.at = data, .end = data + size};
    char error[256] = "";
    unsigned how = take(&lab);
    struct block_options options = {.read_only = how & 1,
                                    .snapshot = (how & 2) != 0};
    lab.size = (take(&lab) | take(&lab) << 8) % MAX_BYTES;
    if (!(how & 8)) /* else it is refused, most of the time */
        lab.size &= ~(size_t)511;
    fill_file(&lab);
    struct block *blk = block_file_open(
        "disk", lab.path, how & 4 ? &options : NULL, error, sizeof(error));
    if (!blk) {
        if (!error[0] || strchr(error, '\n'))
            abort();
    } else {
        bool writable = !(how & 4) || !options.read_only;
        if (blk->size_bytes != lab.size)
            abort();
        while (lab.at < lab.end)
            access_block(&lab, blk, writable);
        blk->close(blk);
        check_file(&lab, (how & 4) && (options.read_only || options.snapshot)
                             ? lab.file
                             : lab.expected);
    }
    unlink(lab.path);
    return 0;
}
