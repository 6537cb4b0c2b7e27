/*
 * Reading whole files, bounded. See image.h.
 */
#include "emu/boot/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int boot_fail(struct boot_error *error, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(error->text, sizeof(error->text), format, ap);
    va_end(ap);
    for (char *c = error->text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = '?';
    return -1;
}

static int check_kind(const char *path, const struct stat *st, size_t max,
                      struct boot_error *error)
{
    if (S_ISDIR(st->st_mode))
        return boot_fail(error, "%.120s is a directory; name a file in it",
                         path);
    if (!S_ISREG(st->st_mode))
        return boot_fail(error,
                         "%.120s is a device or a pipe, not a file; "
                         "copy what is in it to a file",
                         path);
    if (st->st_size == 0)
        return boot_fail(error, "%.120s is empty; get the file again", path);
    if ((uint64_t)st->st_size > max)
        return boot_fail(error,
                         "%.120s has %llu bytes, more than the %zu "
                         "that make sense here; is it the right file?",
                         path, (unsigned long long)st->st_size, max);
    return 0;
}

static int read_all(int fd, struct image *image, const char *path,
                    struct boot_error *error)
{
    size_t done = 0;

    while (done < image->size) {
        ssize_t n = read(fd, image->data + done, image->size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return boot_fail(error, "%.120s: cannot be read: %s", path,
                             strerror(errno));
        if (n == 0)
            return boot_fail(error,
                             "%.120s became shorter while it was "
                             "read; try again",
                             path);
        done += (size_t)n;
    }
    return 0;
}

int image_read(struct image *image, const char *path, size_t max,
               struct boot_error *error)
{
    struct stat st;
    int result = -1;

    *image = (struct image){0};
    /* O_NONBLOCK: opening a pipe must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return boot_fail(error, "%.120s: %s; check the name", path,
                         strerror(errno));
    if (fstat(fd, &st) < 0) {
        boot_fail(error, "%.120s: %s", path, strerror(errno));
        goto out;
    }
    if (check_kind(path, &st, max, error) < 0)
        goto out;
    image->size = (size_t)st.st_size;
    image->data = malloc(image->size);
    if (!image->data) {
        boot_fail(error, "%.120s: no memory for %zu bytes", path, image->size);
        goto out;
    }
    result = read_all(fd, image, path, error);
out:
    close(fd);
    if (result < 0)
        image_free(image);
    return result;
}

void image_free(struct image *image)
{
    free(image->data);
    *image = (struct image){0};
}
