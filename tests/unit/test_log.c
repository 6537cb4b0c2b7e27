/* The log's items and files, and the pictures that screendump writes. */
#include "emu/backend.h"
#include "emu/log.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A scratch file's name; the caller unlinks it. */
static void scratch(char path[32])
{
    strcpy(path, "/tmp/vitrine-test-XXXXXX");
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
}

static size_t slurp(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "rb");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
    return n;
}

static void items_add_up_in_the_mask(void)
{
    struct log log;

    log_init(&log);
    CU_ASSERT_EQUAL(log.mask, 0);
    CU_ASSERT_PTR_NULL(log_parse(&log, "int"));
    CU_ASSERT_TRUE(log_on(&log, LOG_INT));
    CU_ASSERT_FALSE(log_on(&log, LOG_EXITS));
    CU_ASSERT_PTR_NULL(log_parse(&log, "cpu_reset,exits"));
    CU_ASSERT_EQUAL(log.mask, LOG_INT | LOG_CPU_RESET | LOG_EXITS);
    log_fini(&log);
}

static void every_listed_item_parses_to_its_own_bit(void)
{
    uint32_t seen = 0;

    for (const struct log_help *item = log_items; item->name; item++) {
        struct log log;
        log_init(&log);
        CU_ASSERT_PTR_NULL(log_parse(&log, item->name));
        CU_ASSERT_EQUAL(log.mask, (uint32_t)item->item);
        CU_ASSERT_EQUAL(seen & (uint32_t)item->item, 0);
        CU_ASSERT(strlen(item->help) > 0);
        seen |= (uint32_t)item->item;
        log_fini(&log);
    }
    CU_ASSERT_EQUAL(seen, LOG_INT | LOG_CPU_RESET | LOG_GUEST_ERRORS |
                              LOG_IN_ASM | LOG_EXITS | LOG_UNIMP);
}

static void unknown_item_is_pointed_at_and_nothing_changes(void)
{
    static const struct {
        const char *items;
        size_t at;
    } bad[] = {{"int,nonsense,exits", 4},
               {"", 0},
               {"in", 0},
               {"int,", 4},
               {",int", 0},
               {"INT", 0},
               {"int,,exits", 4},
               {"int exits", 0}};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct log log;
        log_init(&log);
        CU_ASSERT_PTR_EQUAL(log_parse(&log, bad[i].items),
                            bad[i].items + bad[i].at);
        CU_ASSERT_EQUAL(log.mask, 0);
        log_fini(&log);
    }
}

static void lines_go_to_the_file_only_when_on(void)
{
    struct log log;
    char path[32], text[256];

    scratch(path);
    log_init(&log);
    CU_ASSERT_EQUAL_FATAL(log_open(&log, path), 0);
    log_line(&log, LOG_INT, "silent %d", 1);
    log_parse(&log, "int");
    log_line(&log, LOG_INT, "vector %d", 14);
    log_line(&log, LOG_INT, "with newline\n");
    log_line(&log, LOG_EXITS, "silent too");
    slurp(path, text, sizeof(text)); /* by the line: no flush needed */
    CU_ASSERT_STRING_EQUAL(text, "vector 14\nwith newline\n");
    log_fini(&log);
    CU_ASSERT_PTR_EQUAL(log.file, stderr);
    unlink(path);
}

static void file_that_cannot_be_opened_is_an_error_and_keeps_the_old(void)
{
    struct log log;

    log_init(&log);
    CU_ASSERT_EQUAL(log_open(&log, "/nonexistent/dir/log"), -ENOENT);
    CU_ASSERT_PTR_EQUAL(log.file, stderr);
    CU_ASSERT_FALSE(log.owned);
    log_fini(&log);
}

static void surface_grows_shrinks_and_refuses_the_absurd(void)
{
    struct surface s = {0};

    CU_ASSERT_EQUAL(surface_resize(&s, 720, 400), 0);
    CU_ASSERT(s.width == 720 && s.height == 400 && s.stride >= 720);
    s.pixels[720 * 400 - 1] = 1;
    CU_ASSERT_EQUAL(surface_resize(&s, 320, 200), 0);
    CU_ASSERT(s.width == 320 && s.capacity >= 720 * 400);
    CU_ASSERT_EQUAL(surface_resize(&s, ~0u, ~0u), -ENOMEM);
    CU_ASSERT(s.width == 320 && s.height == 200);
    surface_free(&s);
    CU_ASSERT(!s.pixels && !s.capacity);
}

static void ppm_has_a_header_and_rgb_bytes(void)
{
    struct surface s = {0};
    char path[32], text[64];

    scratch(path);
    surface_resize(&s, 2, 1);
    s.pixels[0] = 0xFF112233;
    s.pixels[1] = 0x00445566;
    CU_ASSERT_EQUAL(surface_write_ppm(&s, path), 0);
    size_t n = slurp(path, text, sizeof(text));
    CU_ASSERT_EQUAL(n, 17);
    CU_ASSERT_EQUAL(memcmp(text, "P6\n2 1\n255\n\x11\x22\x33\x44\x55\x66", 17),
                    0);
    CU_ASSERT_EQUAL(surface_write_ppm(&s, "/nonexistent/x.ppm"), -ENOENT);
    surface_free(&s);
    unlink(path);
}

static const struct test tests[] = {
    {"items_add_up_in_the_mask", items_add_up_in_the_mask},
    {"every_listed_item_parses_to_its_own_bit",
     every_listed_item_parses_to_its_own_bit},
    {"unknown_item_is_pointed_at_and_nothing_changes",
     unknown_item_is_pointed_at_and_nothing_changes},
    {"lines_go_to_the_file_only_when_on", lines_go_to_the_file_only_when_on},
    {"file_that_cannot_be_opened_is_an_error_and_keeps_the_old",
     file_that_cannot_be_opened_is_an_error_and_keeps_the_old},
    {"surface_grows_shrinks_and_refuses_the_absurd",
     surface_grows_shrinks_and_refuses_the_absurd},
    {"ppm_has_a_header_and_rgb_bytes", ppm_has_a_header_and_rgb_bytes},
    {NULL, NULL},
};
TEST_MAIN("log", tests)
