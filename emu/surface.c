/*
 * Pictures: the pixels a display adapter draws and a window or a screendump
 * takes.
 *
 * Invariant: stride * height <= capacity.
 */
#include "emu/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* No adapter here shows more; a guest's registers could ask for 2^32. */
#define MAX_PIXELS (UINT64_C(1) << 26)

int surface_resize(struct surface *surface, unsigned width, unsigned height)
{
    uint64_t wanted = (uint64_t)width * height;

    if (wanted > MAX_PIXELS)
        return -ENOMEM;
    if (wanted > surface->capacity) {
        uint32_t *pixels =
            realloc(surface->pixels, (size_t)wanted * sizeof(*pixels));
        if (!pixels)
            return -ENOMEM;
        /* "Clears nothing", but the host's old heap is nobody's picture. */
        for (uint64_t i = surface->capacity; i < wanted; i++)
            pixels[i] = 0;
        surface->pixels = pixels;
        surface->capacity = (unsigned)wanted;
    }
    surface->width = width;
    surface->height = height;
    surface->stride = width;
    return 0;
}

void surface_free(struct surface *surface)
{
    free(surface->pixels);
    *surface = (struct surface){0};
}

int surface_write_ppm(const struct surface *surface, const char *path)
{
    size_t row_bytes = (size_t)surface->width * 3;
    uint8_t *row = malloc(row_bytes ? row_bytes : 1);
    int error = 0;

    if (!row)
        return -ENOMEM;
    FILE *file = fopen(path, "wbe");
    if (!file) {
        error = -errno;
        free(row);
        return error;
    }
    fprintf(file, "P6\n%u %u\n255\n", surface->width, surface->height);
    for (unsigned y = 0; y < surface->height; y++) {
        const uint32_t *from = surface->pixels + (size_t)y * surface->stride;
        for (unsigned x = 0; x < surface->width; x++) {
            row[x * 3u + 0] = (uint8_t)(from[x] >> 16);
            row[x * 3u + 1] = (uint8_t)(from[x] >> 8);
            row[x * 3u + 2] = (uint8_t)from[x];
        }
        fwrite(row, 1, row_bytes, file);
    }
    if (ferror(file))
        error = -EIO;
    if (fclose(file) && !error)
        error = -errno;
    free(row);
    return error;
}
