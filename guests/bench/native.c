/*
 * The bench guest's compute workloads as a host program: the same objects, the
 * same markers on standard output. See bench.c for the protocol. Some take less
 * time than a pipe's reader needs to wake up, so END has a third word here: the
 * nanoseconds, measured in the program itself.
 *
 *     bench-native [only=NAME[,NAME...]]
 */
#include "guests/bench/workloads.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static int selected(const char *only, const char *name)
{
    char word[64];

    if (!only)
        return 1;
    while (*only) {
        size_t length = strcspn(only, ",");

        if (length > 0 && length < sizeof word) {
            memcpy(word, only, length);
            word[length] = '\0';
            if (strstr(name, word))
                return 1;
        }
        only += length;
        only += *only == ',';
    }
    return 0;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    uint8_t *arena;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "only=", 5) == 0)
            only = argv[i] + 5;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* writable and executable, for the workloads that write code */
    arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (arena == MAP_FAILED) {
        perror("bench-native: mmap of writable, executable memory");
        return 1;
    }
    for (const struct workload *w = compute_workloads; w->name; w++) {
        uint64_t sum, start;

        if (!selected(only, w->name))
            continue;
        printf("WORKLOAD %s compute\nBEGIN %s\n", w->name, w->name);
        start = now_ns();
        sum = w->run(arena);
        printf("END %s %016llx %llu\n", w->name, (unsigned long long)sum,
               (unsigned long long)(now_ns() - start));
    }
    printf("BENCH DONE\n");
    return 0;
}
