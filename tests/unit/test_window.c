/* The window without a screen: SDL's "dummy" driver shows nothing, and the
 * thread, the queue and the keys are what they are elsewhere. */
#include "devices/host/keynames.h"
#include "devices/host/window.h"
#include "tests/support/test.h"

#include <SDL.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct window *open_dummy(const struct window_config *config)
{
    char error[256] = "";

    setenv("SDL_VIDEODRIVER", "dummy", 1);
    struct window *window = window_open(config, error, sizeof(error));
    unsetenv("SDL_VIDEODRIVER");
    if (!window)
        CU_FAIL_FATAL(error);
    /* The driver's own news (a focus, say) are none of the tests'. */
    struct window_event event;
    while (window_poll(window, &event))
        ;
    return window;
}

static void no_display_is_one_clear_line(void)
{
    static const char *const names[] = {"DISPLAY", "WAYLAND_DISPLAY",
                                        "SDL_VIDEODRIVER"};
    char error[256] = "", *saved[3];

    for (unsigned i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        saved[i] = value ? strdup(value) : NULL;
        unsetenv(names[i]);
    }
    CU_ASSERT_PTR_NULL(
        window_open(&(struct window_config){0}, error, sizeof(error)));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "DISPLAY"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "-display none"));
    CU_ASSERT_PTR_NULL(strchr(error, '\n'));
    for (unsigned i = 0; i < 3; i++) {
        if (saved[i])
            setenv(names[i], saved[i], 1);
        free(saved[i]);
    }
}

static void events_come_out_in_order_and_movement_is_merged(void)
{
    struct window *w = open_dummy(&(struct window_config){.name = "test"});
    struct window_event e = {.kind = WINDOW_KEY, .key = 0x1E, .down = true};

    CU_ASSERT(window_push(w, &e));
    e = (struct window_event){.kind = WINDOW_MOUSE, .dx = 3, .dy = -1};
    CU_ASSERT(window_push(w, &e));
    e.dx = 4;
    e.dz = 1;
    CU_ASSERT(window_push(w, &e));
    e.buttons = 1; /* a press must not move */
    CU_ASSERT(window_push(w, &e));
    CU_ASSERT_FATAL(window_poll(w, &e));
    CU_ASSERT(e.kind == WINDOW_KEY && e.key == 0x1E && e.down);
    CU_ASSERT_FATAL(window_poll(w, &e));
    CU_ASSERT(e.kind == WINDOW_MOUSE && e.dx == 7 && e.dy == -2 && e.dz == 1);
    CU_ASSERT_EQUAL(e.buttons, 0);
    CU_ASSERT_FATAL(window_poll(w, &e));
    CU_ASSERT_EQUAL(e.buttons, 1);
    CU_ASSERT_FALSE(window_poll(w, &e));
    window_close(w);
}

static void full_queue_refuses_and_recovers(void)
{
    struct window *w = open_dummy(&(struct window_config){.name = "test"});
    struct window_event e = {.kind = WINDOW_KEY, .key = 1, .down = true};
    unsigned taken = 0, out = 0;

    while (taken < 100000 && window_push(w, &e))
        taken++;
    CU_ASSERT(taken >= 64 && taken < 100000);
    while (window_poll(w, &e))
        out++;
    CU_ASSERT_EQUAL(out, taken);
    CU_ASSERT(window_push(w, &e));
    window_close(w);
}

static void count_wakes(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void wake_is_called_when_the_queue_fills(void)
{
    atomic_uint wakes = 0;
    struct window *w = open_dummy(&(struct window_config){
        .name = "test", .wake = count_wakes, .ctx = &wakes});
    struct window_event e = {.kind = WINDOW_KEY, .key = 1, .down = true};

    atomic_store(&wakes, 0);
    window_push(w, &e);
    window_push(w, &e);
    CU_ASSERT_EQUAL(atomic_load(&wakes), 1);
    while (window_poll(w, &e))
        ;
    window_push(w, &e);
    CU_ASSERT_EQUAL(atomic_load(&wakes), 2);
    window_close(w);
}

static void pictures_of_any_size_are_taken(void)
{
    static const unsigned sizes[][2] = {
        {720, 400}, {1, 1}, {2560, 1600}, {0, 0}, {640, 480}};
    struct window *w = open_dummy(&(struct window_config){.name = "test"});
    struct surface s = {0};

    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL_FATAL(surface_resize(&s, sizes[i][0], sizes[i][1]), 0);
        window_present(w, &s);
        /* Taken within a frame; a loaded host gets a hundred. */
        for (unsigned wait = 0; wait < 200 && !window_wants_picture(w); wait++)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        CU_ASSERT(window_wants_picture(w));
    }
    surface_free(&s);
    window_close(w);
    window_close(NULL);
}

static void keys_are_by_position(void)
{
    CU_ASSERT_EQUAL(window_key(SDL_SCANCODE_A), 0x1E);
    CU_ASSERT_EQUAL(window_key(SDL_SCANCODE_RCTRL), 0x1D | KEY_E0);
    CU_ASSERT_EQUAL(window_key(SDL_SCANCODE_PAUSE), KEY_PAUSE);
    CU_ASSERT_EQUAL(window_key(SDL_SCANCODE_PRINTSCREEN), 0x37 | KEY_E0);
    CU_ASSERT_EQUAL(window_key(SDL_SCANCODE_UNKNOWN), 0);
    CU_ASSERT_EQUAL(window_key(100000), 0);
}

/* The two tables were written separately; they must agree. */
static void every_named_key_can_be_pressed_in_a_window(void)
{
    for (const struct keyname *k = keynames; k->name; k++) {
        bool there = false;
        if (!strcmp(k->name, "wake"))
            continue; /* SDL has no such key */
        for (unsigned code = 0; code < SDL_NUM_SCANCODES && !there; code++)
            there = window_key(code) == k->key;
        CU_ASSERT(there);
    }
    for (unsigned code = 0; code < SDL_NUM_SCANCODES; code++) {
        unsigned key = window_key(code);
        CU_ASSERT(key == 0 || keyname_of(key));
    }
}

static const struct test tests[] = {
    {"no_display_is_one_clear_line", no_display_is_one_clear_line},
    {"events_come_out_in_order_and_movement_is_merged",
     events_come_out_in_order_and_movement_is_merged},
    {"full_queue_refuses_and_recovers", full_queue_refuses_and_recovers},
    {"wake_is_called_when_the_queue_fills",
     wake_is_called_when_the_queue_fills},
    {"pictures_of_any_size_are_taken", pictures_of_any_size_are_taken},
    {"keys_are_by_position", keys_are_by_position},
    {"every_named_key_can_be_pressed_in_a_window",
     every_named_key_can_be_pressed_in_a_window},
    {NULL, NULL},
};

TEST_MAIN("window", tests)
