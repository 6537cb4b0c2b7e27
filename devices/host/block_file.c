/*
 * Raw images: byte n of the disk is byte n of the file.
 *
 * Nothing is cached here: a guest's write is a pwrite of whole sectors before
 * the command ends, in the guest's order, and a flush is fdatasync. So the
 * process can be killed at any moment and the image holds what a disk would
 * hold after a power cut.
 *
 * snapshot: writes go to an unlinked temporary file as large as the image
 * (sparse), and one bit a sector says which file has the sector's newest data.
 *
 * Not modelled: qcow2 and other formats; discard; growing an image.
 *
 * Invariants: no access leaves 0 to size_bytes; with read_only or snapshot the
 * image's descriptor cannot write.
 */
#include "devices/host/block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR UINT64_C(512)

struct file {
    int fd;         /* the image; -1 in an empty drive */
    int overlay;    /* snapshot: the temporary file, else -1 */
    uint8_t *dirty; /* snapshot: a bit a sector */
};

static void set_error(char *error, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set_error(char *error, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, size, format, args);
    va_end(args);
}

/* ---- transfers -------------------------------------------------------- */

static int read_all(int fd, uint64_t offset, uint8_t *data, size_t size)
{
    while (size) {
        ssize_t n = pread(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO; /* somebody has cut the file short */
        data += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_all(int fd, uint64_t offset, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        data += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static bool within(const struct block *blk, uint64_t offset, size_t size)
{
    return blk->inserted && offset <= blk->size_bytes &&
           size <= blk->size_bytes - offset;
}

static bool is_dirty(const struct file *f, uint64_t sector)
{
    return f->dirty[sector / 8] >> (sector % 8) & 1;
}

/* Length of the run from `offset` that lies in one of the two files. */
static size_t run_length(const struct file *f, uint64_t offset, size_t size)
{
    bool dirty = is_dirty(f, offset / SECTOR);
    uint64_t end = offset - offset % SECTOR + SECTOR;

    while (end < offset + size && is_dirty(f, end / SECTOR) == dirty)
        end += SECTOR;
    return end - offset < size ? (size_t)(end - offset) : size;
}

static int file_read(struct block *blk, uint64_t offset, void *data,
                     size_t size)
{
    const struct file *f = blk->impl;
    uint8_t *to = data;

    if (!within(blk, offset, size))
        return -EINVAL;
    if (f->overlay < 0)
        return read_all(f->fd, offset, to, size);
    while (size) {
        size_t n = run_length(f, offset, size);
        int fd = is_dirty(f, offset / SECTOR) ? f->overlay : f->fd;
        int result = read_all(fd, offset, to, n);
        if (result < 0)
            return result;
        to += n;
        offset += n;
        size -= n;
    }
    return 0;
}

/* A part of a sector that the overlay does not have yet: all of it goes
 * there, so that a sector is never in two places. */
static int overlay_sector(struct file *f, uint64_t sector)
{
    uint8_t data[SECTOR];
    int result;

    if (is_dirty(f, sector))
        return 0;
    result = read_all(f->fd, sector * SECTOR, data, SECTOR);
    if (result == 0)
        result = write_all(f->overlay, sector * SECTOR, data, SECTOR);
    if (result == 0)
        f->dirty[sector / 8] |= (uint8_t)(1u << (sector % 8));
    return result;
}

static int overlay_write(struct file *f, uint64_t offset, const void *data,
                         size_t size)
{
    int result = 0;

    if (size == 0)
        return 0;
    uint64_t first = offset / SECTOR, last = (offset + size - 1) / SECTOR;
    if (offset % SECTOR)
        result = overlay_sector(f, first);
    if (result == 0 && (offset + size) % SECTOR)
        result = overlay_sector(f, last);
    if (result == 0)
        result = write_all(f->overlay, offset, data, size);
    for (uint64_t s = first; result == 0 && s <= last; s++)
        f->dirty[s / 8] |= (uint8_t)(1u << (s % 8));
    return result;
}

static int file_write(struct block *blk, uint64_t offset, const void *data,
                      size_t size)
{
    struct file *f = blk->impl;

    if (blk->read_only)
        return -EROFS;
    if (!within(blk, offset, size))
        return -EINVAL;
    if (f->overlay >= 0)
        return overlay_write(f, offset, data, size);
    return write_all(f->fd, offset, data, size);
}

static int file_flush(struct block *blk)
{
    const struct file *f = blk->impl;

    /* What a snapshot holds dies with the process anyway. */
    if (f->fd < 0 || f->overlay >= 0 || blk->read_only)
        return 0;
    while (fdatasync(f->fd) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static void file_close(struct block *blk)
{
    struct file *f = blk->impl;

    if (f->overlay >= 0)
        close(f->overlay);
    if (f->fd >= 0)
        close(f->fd);
    free(f->dirty);
    free(f);
    free((char *)(uintptr_t)blk->name);
    free(blk);
}

/* ---- opening ---------------------------------------------------------- */

struct block *block_file_empty(const char *name)
{
    struct block *blk = calloc(1, sizeof(*blk));
    struct file *f = calloc(1, sizeof(*f));
    char *copy = strdup(name);

    if (!blk || !f || !copy) {
        free(blk);
        free(f);
        free(copy);
        return NULL;
    }
    f->fd = f->overlay = -1;
    *blk = (struct block){
        .name = copy,
        .read = file_read,
        .write = file_write,
        .flush = file_flush,
        .close = file_close,
        .impl = f,
    };
    return blk;
}

/* What kind of thing it is, and how long. */
static int measure(int fd, const char *path, uint64_t *bytes, char *error,
                   size_t size)
{
    struct stat st;
    const char *what = NULL;

    if (fstat(fd, &st) < 0) {
        set_error(error, size, "cannot examine disk image '%s': %s", path,
                  strerror(errno));
        return -1;
    }
    if (S_ISBLK(st.st_mode)) {
        if (ioctl(fd, BLKGETSIZE64, bytes) < 0) {
            set_error(error, size, "cannot tell the size of '%s': %s", path,
                      strerror(errno));
            return -1;
        }
        return 0;
    }
    if (S_ISDIR(st.st_mode))
        what = "directory";
    else if (S_ISCHR(st.st_mode))
        what = "character device";
    else if (!S_ISREG(st.st_mode))
        what = "pipe or socket";
    if (what) {
        set_error(error, size,
                  "'%s' is a %s, not a disk image: give an image file or a "
                  "block device",
                  path, what);
        return -1;
    }
    *bytes = (uint64_t)st.st_size;
    return 0;
}

static int check_size(const char *path, uint64_t bytes, char *error,
                      size_t size)
{
    if (bytes == 0) {
        set_error(error, size,
                  "disk image '%s' is empty: make it larger, for example with "
                  "'truncate -s 64M FILE'",
                  path);
        return -1;
    }
    if (bytes % SECTOR) {
        set_error(error, size,
                  "disk image '%s' has %llu bytes, not a multiple of 512: pad "
                  "it with 'truncate -s %%512 FILE'",
                  path, (unsigned long long)bytes);
        return -1;
    }
    return 0;
}

/* An image that is being written is nobody else's business. */
static int lock(int fd, const char *path, bool writer, char *error, size_t size)
{
    while (flock(fd, (writer ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return 0; /* a file system without locks */
        set_error(error, size,
                  writer ? "disk image '%s' is in use: close the other program "
                           "first, or add snapshot=on if it only reads"
                         : "disk image '%s' is being written by another "
                           "program: close that one first",
                  path);
        return -1;
    }
    return 0;
}

static int open_image(const char *path, bool writer, char *error, size_t size)
{
    /* O_NONBLOCK: a pipe must not make us wait. */
    int flags = (writer ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, flags);
    int why = errno;
    bool readable = fd < 0 && writer && access(path, R_OK) == 0;

    if (fd >= 0)
        return fd;
    if (why == EISDIR)
        set_error(error, size,
                  "'%s' is a directory, not a disk image: give an image file "
                  "or a block device",
                  path);
    else if (readable &&
             (why == EACCES || why == EROFS || why == EPERM || why == ETXTBSY))
        set_error(error, size,
                  "cannot open disk image '%s' for writing: %s (add "
                  "readonly=on or snapshot=on)",
                  path, strerror(why));
    else
        set_error(error, size, "cannot open disk image '%s': %s", path,
                  strerror(why));
    return -1;
}

static int open_temporary(void)
{
    const char *dir = getenv("TMPDIR");
    char name[4096];

    if (!dir || !*dir)
        dir = "/var/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    /* A file system without O_TMPFILE. */
    int n = snprintf(name, sizeof(name), "%s/vitrine-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

static int start_snapshot(struct file *f, uint64_t bytes, const char *path,
                          char *error, size_t size)
{
    f->dirty = calloc(1, (size_t)(bytes / SECTOR / 8 + 1));
    if (!f->dirty) {
        set_error(error, size,
                  "not enough memory for snapshot=on with '%s' (%llu bytes)",
                  path, (unsigned long long)bytes);
        return -1;
    }
    f->overlay = open_temporary();
    if (f->overlay < 0 || ftruncate(f->overlay, (off_t)bytes) < 0) {
        set_error(error, size,
                  "cannot make a temporary file for snapshot=on with '%s': %s "
                  "(set TMPDIR to a directory with room)",
                  path, strerror(errno));
        return -1;
    }
    return 0;
}

struct block *block_file_open(const char *name, const char *path,
                              const struct block_options *options, char *error,
                              size_t size)
{
    const struct block_options none = {0};
    const struct block_options *o = options ? options : &none;
    bool writer = !o->read_only && !o->snapshot;
    struct block *blk = block_file_empty(name);

    if (!blk) {
        set_error(error, size, "not enough memory to open '%s'", path);
        return NULL;
    }
    struct file *f = blk->impl;
    f->fd = open_image(path, writer, error, size);
    if (f->fd < 0 || measure(f->fd, path, &blk->size_bytes, error, size) < 0 ||
        check_size(path, blk->size_bytes, error, size) < 0 ||
        lock(f->fd, path, writer, error, size) < 0)
        goto fail;
    if (o->snapshot && !o->read_only &&
        start_snapshot(f, blk->size_bytes, path, error, size) < 0)
        goto fail;
    blk->read_only = o->read_only;
    blk->inserted = true;
    return blk;

fail:
    blk->close(blk);
    return NULL;
}
