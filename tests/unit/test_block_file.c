/* Raw images on the host: what is refused, what is written, what survives. */
#include "devices/host/block_change.h"
#include "devices/host/block_file.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    char dir[64];
    char path[128];
    char error[256];
};

/* An image of `bytes` bytes in which sector n is full of n. */
static void setup(struct place *p, size_t bytes)
{
    memset(p, 0, sizeof(*p));
    strcpy(p->dir, "/tmp/vitrine-test-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/disk.img", p->dir);
    FILE *f = fopen(p->path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (size_t i = 0; i < bytes; i++)
        fputc((int)(i / 512 & 0xFF), f);
    fclose(f);
}

static void teardown(struct place *p)
{
    unlink(p->path);
    rmdir(p->dir);
}

static struct block *open_it(struct place *p, bool read_only, bool snapshot)
{
    struct block_options o = {.read_only = read_only, .snapshot = snapshot};

    p->error[0] = 0;
    return block_file_open("hd0", p->path, &o, p->error, sizeof(p->error));
}

static int file_byte(const struct place *p, long at)
{
    FILE *f = fopen(p->path, "rb");

    if (!f)
        return -1;
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fclose(f);
    return c;
}

static bool one_line_with(const struct place *p, const char *text)
{
    bool good = strstr(p->error, text) && !strchr(p->error, '\n');

    if (!good)
        printf("\n    error is '%s', not '%s'\n", p->error, text);
    return good;
}

static void write_is_in_the_file_at_once(void)
{
    struct place p;
    uint8_t data[1024], back[1024];

    setup(&p, 64 * 512);
    struct block *b = open_it(&p, false, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL(b->size_bytes, 64 * 512);
    CU_ASSERT_TRUE(b->inserted);
    CU_ASSERT_STRING_EQUAL(b->name, "hd0");
    memset(data, 0xEE, sizeof(data));
    CU_ASSERT_EQUAL(b->write(b, 10 * 512, data, 1024), 0);
    CU_ASSERT_EQUAL(file_byte(&p, 10 * 512), 0xEE);
    CU_ASSERT_EQUAL(file_byte(&p, 12 * 512 - 1), 0xEE);
    CU_ASSERT_EQUAL(file_byte(&p, 12 * 512), 12);
    CU_ASSERT_EQUAL(b->read(b, 10 * 512, back, 1024), 0);
    CU_ASSERT_EQUAL(memcmp(data, back, 1024), 0);
    CU_ASSERT_EQUAL(b->flush(b), 0);
    b->close(b);
    teardown(&p);
}

static void nothing_is_written_beyond_the_end(void)
{
    struct place p;
    uint8_t data[1024] = {0};
    struct stat st;

    setup(&p, 4 * 512);
    struct block *b = open_it(&p, false, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL(b->write(b, 3 * 512, data, 1024), -EINVAL);
    CU_ASSERT_EQUAL(b->write(b, UINT64_MAX - 511, data, 512), -EINVAL);
    CU_ASSERT_EQUAL(b->read(b, 4 * 512, data, 1), -EINVAL);
    CU_ASSERT_EQUAL(stat(p.path, &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 4 * 512);
    CU_ASSERT_EQUAL(file_byte(&p, 3 * 512), 3);
    b->close(b);
    teardown(&p);
}

static void read_only_refuses_writes(void)
{
    struct place p;
    uint8_t data[512] = {0};

    setup(&p, 8 * 512);
    chmod(p.path, 0444);
    struct block *b = open_it(&p, true, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_TRUE(b->read_only);
    CU_ASSERT_EQUAL(b->write(b, 0, data, 512), -EROFS);
    CU_ASSERT_EQUAL(b->flush(b), 0);
    CU_ASSERT_EQUAL(file_byte(&p, 0), 0);
    b->close(b);
    teardown(&p);
}

static void snapshot_reads_its_own_writes_and_keeps_the_file(void)
{
    struct place p;
    uint8_t data[8 * 512], back[16 * 512];

    setup(&p, 64 * 512);
    struct block *b = open_it(&p, false, true);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_FALSE(b->read_only);
    memset(data, 0x99, sizeof(data));
    CU_ASSERT_EQUAL(b->write(b, 20 * 512, data, 512), 0);
    CU_ASSERT_EQUAL(b->write(b, 23 * 512, data, 2 * 512), 0);
    CU_ASSERT_EQUAL(b->write(b, 30 * 512 + 100, data, 600), 0); /* parts */
    CU_ASSERT_EQUAL(b->flush(b), 0);
    CU_ASSERT_EQUAL(b->read(b, 18 * 512, back, 16 * 512), 0);
    static const uint8_t expect[16] = {18, 19, 0x99, 21, 22, 0x99, 0x99, 25,
                                       26, 27, 28, 29, 30, 0x99, 32, 33};
    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(back[i * 512], expect[i]);
    CU_ASSERT_EQUAL(back[12 * 512 + 99], 30);
    CU_ASSERT_EQUAL(back[12 * 512 + 100], 0x99);
    CU_ASSERT_EQUAL(back[13 * 512 + 187], 0x99);
    CU_ASSERT_EQUAL(back[13 * 512 + 188], 31);
    for (unsigned i = 0; i < 64; i++)
        CU_ASSERT_EQUAL(file_byte(&p, i * 512), i);
    b->close(b);
    b = open_it(&p, false, true); /* and it is forgotten */
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL(b->read(b, 20 * 512, back, 512), 0);
    CU_ASSERT_EQUAL(back[0], 20);
    b->close(b);
    teardown(&p);
}

static void snapshot_agrees_with_a_model(void)
{
    struct place p;
    enum { BYTES = 40 * 512 };
    static uint8_t model[BYTES], data[BYTES];
    uint32_t x = 5;

    setup(&p, BYTES);
    for (unsigned i = 0; i < BYTES; i++)
        model[i] = (uint8_t)(i / 512);
    struct block *b = open_it(&p, false, true);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    for (unsigned i = 0; i < 3000; i++) {
        x = x * 1664525 + 1013904223;
        uint32_t at = (x >> 8) % BYTES, size = (x >> 3) % 3000;
        if (size > BYTES - at)
            size = BYTES - at;
        if (x >> 31) {
            memset(data, (int)(i & 0xFF), size);
            memcpy(model + at, data, size);
            CU_ASSERT_EQUAL(b->write(b, at, data, size), 0);
        } else {
            CU_ASSERT_EQUAL(b->read(b, at, data, size), 0);
            CU_ASSERT_EQUAL(memcmp(data, model + at, size), 0);
        }
    }
    b->close(b);
    teardown(&p);
}

static void two_writers_never_share_an_image(void)
{
    struct place p;

    setup(&p, 8 * 512);
    struct block *a = open_it(&p, false, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_NULL(open_it(&p, false, false));
    CU_ASSERT_TRUE(one_line_with(&p, "is in use"));
    CU_ASSERT_PTR_NULL(open_it(&p, true, false));
    CU_ASSERT_TRUE(one_line_with(&p, "is being written"));
    CU_ASSERT_PTR_NULL(open_it(&p, false, true));
    a->close(a);
    a = open_it(&p, true, false);
    struct block *b = open_it(&p, false, true);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_PTR_NULL(open_it(&p, false, false));
    a->close(a);
    b->close(b);
    a = open_it(&p, false, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    a->close(a);
    teardown(&p);
}

static void bad_images_are_named_in_one_line(void)
{
    struct place p;

    setup(&p, 0);
    CU_ASSERT_PTR_NULL(open_it(&p, false, false));
    CU_ASSERT_TRUE(one_line_with(&p, "is empty"));
    CU_ASSERT_EQUAL(truncate(p.path, 1000), 0);
    CU_ASSERT_PTR_NULL(open_it(&p, true, false));
    CU_ASSERT_TRUE(one_line_with(&p, "1000 bytes, not a multiple of 512"));
    unlink(p.path);
    CU_ASSERT_PTR_NULL(open_it(&p, false, false));
    CU_ASSERT_TRUE(one_line_with(&p, "No such file or directory"));
    CU_ASSERT_EQUAL(mkfifo(p.path, 0600), 0);
    CU_ASSERT_PTR_NULL(open_it(&p, true, false)); /* and does not wait */
    CU_ASSERT_TRUE(one_line_with(&p, "is a pipe or socket"));
    teardown(&p);
    strcpy(p.path, "/tmp");
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_PTR_NULL(open_it(&p, i == 1, i == 2));
        CU_ASSERT_TRUE(one_line_with(&p, "is a directory"));
    }
    strcpy(p.path, "/dev/zero");
    CU_ASSERT_PTR_NULL(open_it(&p, false, false));
    CU_ASSERT_TRUE(one_line_with(&p, "is a character device"));
}

static void unwritable_image_hints_at_readonly(void)
{
    struct place p;
    int status = 1;

    setup(&p, 512);
    chmod(p.path, 0444);
    chmod(p.dir, 0755);
    if (getuid() != 0) {
        CU_ASSERT_PTR_NULL(open_it(&p, false, false));
        CU_ASSERT_TRUE(one_line_with(&p, "readonly=on"));
        teardown(&p);
        return;
    }
    /* Root may write everything: ask as nobody. */
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(2);
        bool good = !open_it(&p, false, false) &&
                    one_line_with(&p, "readonly=on") &&
                    open_it(&p, true, false);
        _exit(good ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    teardown(&p);
}

static void killed_writer_leaves_whole_sectors(void)
{
    struct place p;
    enum { SECTORS = 256 };
    static uint8_t data[SECTORS * 512];

    setup(&p, SECTORS * 512);
    for (unsigned round = 0; round < 20; round++) {
        int ready[2];
        CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            struct block *b = open_it(&p, false, false);
            char one = 1;
            if (!b || write(ready[1], &one, 1) != 1)
                _exit(1);
            for (unsigned n = 0;; n++) {
                memset(data, (int)(n & 0xFF), 512);
                b->write(b, n % SECTORS * 512, data, 512);
            }
        }
        char one = 0;
        CU_ASSERT_EQUAL(read(ready[0], &one, 1), 1);
        usleep(round * 300);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(ready[0]);
        close(ready[1]);
        /* The lock died with it, and every sector is of one piece. */
        struct block *b = open_it(&p, false, false);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT_EQUAL(b->size_bytes, sizeof(data));
        CU_ASSERT_EQUAL(b->read(b, 0, data, sizeof(data)), 0);
        b->close(b);
        for (unsigned i = 0; i < sizeof(data); i++)
            if (data[i] != data[i / 512 * 512])
                CU_FAIL_FATAL("torn sector");
    }
    teardown(&p);
}

static void count_change(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void medium_can_be_changed_and_ejected(void)
{
    struct place p, q;
    uint8_t data[512];
    unsigned changes = 0;

    setup(&p, 8 * 512);
    setup(&q, 16 * 512);
    struct block *b = block_file_empty("cd0");
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    b->changed = count_change;
    b->ctx = &changes;
    CU_ASSERT_FALSE(b->inserted);
    CU_ASSERT_EQUAL(b->read(b, 0, data, 512), -EINVAL);
    CU_ASSERT_EQUAL(b->flush(b), 0);
    const struct block_options ro = {.read_only = true};
    CU_ASSERT_EQUAL(block_change(b, p.path, &ro, p.error, sizeof(p.error)), 0);
    CU_ASSERT_EQUAL(b->size_bytes, 8 * 512);
    CU_ASSERT_TRUE(b->read_only);
    CU_ASSERT_EQUAL(changes, 1);
    CU_ASSERT_EQUAL(block_change(b, q.path, NULL, p.error, sizeof(p.error)), 0);
    CU_ASSERT_FALSE(b->read_only);
    CU_ASSERT_STRING_EQUAL(b->name, "cd0");
    CU_ASSERT_EQUAL(b->read(b, 15 * 512, data, 512), 0);
    CU_ASSERT_EQUAL(data[0], 15);
    CU_ASSERT_EQUAL(changes, 2);
    /* What fails changes nothing. */
    CU_ASSERT_EQUAL(block_change(b, "/nowhere", NULL, p.error, sizeof(p.error)),
                    -1);
    CU_ASSERT_TRUE(one_line_with(&p, "No such file"));
    CU_ASSERT_EQUAL(b->size_bytes, 16 * 512);
    CU_ASSERT_EQUAL(changes, 2);
    CU_ASSERT_EQUAL(block_eject(b), 0);
    CU_ASSERT_FALSE(b->inserted);
    CU_ASSERT_EQUAL(changes, 3);
    CU_ASSERT_EQUAL(block_eject(b), 0);
    CU_ASSERT_EQUAL(changes, 3);
    /* The old medium is free again. */
    struct block *again = open_it(&q, false, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    again->close(again);
    b->close(b);
    teardown(&p);
    teardown(&q);
}

#define T(NAME)                                                                \
    {                                                                          \
#NAME, NAME                                                            \
    }
static const struct test tests[] = {
    T(write_is_in_the_file_at_once),
    T(nothing_is_written_beyond_the_end),
    T(read_only_refuses_writes),
    T(snapshot_reads_its_own_writes_and_keeps_the_file),
    T(snapshot_agrees_with_a_model),
    T(two_writers_never_share_an_image),
    T(bad_images_are_named_in_one_line),
    T(unwritable_image_hints_at_readonly),
    T(killed_writer_leaves_whole_sectors),
    T(medium_can_be_changed_and_ejected),
    {NULL, NULL},
};

TEST_MAIN("block_file", tests)
