/*
 * The window's thread, and what it shares with the CPU's.
 *
 *   CPU thread                     |  window thread (all of SDL)
 *   window_present --- picture --->|---> texture ---> screen
 *   window_poll <----- queue ------|<--- host's events
 *
 * Both sides hold the lock for a copy and no longer. The picture has one slot:
 * a newer one replaces one that has not been shown. The queue is bounded;
 * mouse movement is merged with what still waits, so that a machine which
 * does not look (stopped at the prompt) costs nothing but late keys.
 *
 * Not modelled: absolute pointers (tablets), several windows (SDL has one
 * event loop a process), clipboard, HiDPI scaling.
 *
 * Invariants: only the window thread calls SDL. A key goes to the queue as
 * down at most once before it goes as up, but for the host's auto-repeat.
 */
#include "devices/host/window.h"

#include <SDL.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE 512u
#define FRAME_MS 16

struct window {
    struct window_config config;
    char name[64];
    pthread_t thread;
    atomic_bool quit;

    pthread_mutex_t lock; /* what follows, up to the next blank line */
    pthread_cond_t opened;
    enum { OPENING, OPEN, FAILED } status;
    char error[200];
    struct surface picture;
    bool fresh; /* the picture has not been taken yet */
    struct window_event queue[QUEUE];
    unsigned head, count;

    /* The window thread's own. */
    struct surface shown; /* swapped with the picture when that is fresh */
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
    unsigned width, height; /* of the texture */
    bool grabbed, full_screen;
    unsigned buttons;
    bool down[SDL_NUM_SCANCODES]; /* keys that the guest takes for pressed */
};

/* Under the lock. Movement joins the newest event where nothing but movement
 * has happened since; false when there is no room. */
static bool enqueue(struct window *w, const struct window_event *event)
{
    if (w->count && event->kind == WINDOW_MOUSE) {
        struct window_event *last = &w->queue[(w->head + w->count - 1) % QUEUE];
        if (last->kind == WINDOW_MOUSE && last->buttons == event->buttons) {
            last->dx += event->dx;
            last->dy += event->dy;
            last->dz += event->dz;
            return true;
        }
    }
    if (w->count == QUEUE)
        return false;
    w->queue[(w->head + w->count++) % QUEUE] = *event;
    return true;
}

bool window_push(struct window *window, const struct window_event *event)
{
    pthread_mutex_lock(&window->lock);
    bool first = window->count == 0;
    bool taken = enqueue(window, event);
    pthread_mutex_unlock(&window->lock);
    if (first && taken && window->config.wake)
        window->config.wake(window->config.ctx);
    return taken;
}

bool window_poll(struct window *window, struct window_event *event)
{
    pthread_mutex_lock(&window->lock);
    bool any = window->count != 0;
    if (any) {
        *event = window->queue[window->head];
        window->head = (window->head + 1) % QUEUE;
        window->count--;
    }
    pthread_mutex_unlock(&window->lock);
    return any;
}

void window_present(struct window *window, const struct surface *surface)
{
    pthread_mutex_lock(&window->lock);
    if (surface->width && surface->height &&
        !surface_resize(&window->picture, surface->width, surface->height)) {
        for (unsigned y = 0; y < surface->height; y++)
            memcpy(window->picture.pixels + (size_t)y * window->picture.stride,
                   surface->pixels + (size_t)y * surface->stride,
                   surface->width * sizeof(*surface->pixels));
        window->fresh = true;
    }
    pthread_mutex_unlock(&window->lock);
}

bool window_wants_picture(struct window *window)
{
    pthread_mutex_lock(&window->lock);
    bool wants = !window->fresh;
    pthread_mutex_unlock(&window->lock);
    return wants;
}

static void set_title(struct window *w)
{
    char title[160];

    snprintf(title, sizeof(title), "Vitrine - %s%s", w->name,
             w->grabbed ? " - Ctrl-Alt-G releases the mouse" : "");
    SDL_SetWindowTitle(w->window, title);
}

static void set_grab(struct window *w, bool grab)
{
    w->grabbed = grab;
    SDL_SetRelativeMouseMode(grab ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowGrab(w->window, grab ? SDL_TRUE : SDL_FALSE);
    set_title(w);
}

static void send_key(struct window *w, SDL_Scancode code, bool down)
{
    unsigned key = window_key((unsigned)code);

    if (key == 0 || (!down && !w->down[code]))
        return;
    struct window_event event = {
        .kind = WINDOW_KEY, .key = key, .down = down};
    /* A press that finds the queue full is lost; a release that does stays
     * noted, and goes out with the next release_keys(). */
    if (window_push(w, &event))
        w->down[code] = down;
}

static void send_mouse(struct window *w, int dx, int dy, int dz)
{
    struct window_event event = {.kind = WINDOW_MOUSE,
                                 .dx = dx,
                                 .dy = dy,
                                 .dz = dz,
                                 .buttons = w->buttons};

    window_push(w, &event);
}

static void release_keys(struct window *w)
{
    for (int code = 0; code < SDL_NUM_SCANCODES; code++) {
        if (w->down[code])
            send_key(w, (SDL_Scancode)code, false);
    }
    if (w->buttons) {
        w->buttons = 0;
        send_mouse(w, 0, 0, 0);
    }
}

/* The window's own keys. The guest has seen Ctrl and Alt go down: it must see
 * them go up, too, and not what came with them. */
static bool own_key(struct window *w, const SDL_KeyboardEvent *key)
{
    SDL_Scancode code = key->keysym.scancode;

    if (!(key->keysym.mod & KMOD_CTRL) || !(key->keysym.mod & KMOD_ALT) ||
        (code != SDL_SCANCODE_G && code != SDL_SCANCODE_F))
        return false;
    if (key->repeat)
        return true;
    release_keys(w);
    if (code == SDL_SCANCODE_G) {
        set_grab(w, !w->grabbed);
    } else {
        w->full_screen = !w->full_screen;
        SDL_SetWindowFullscreen(
            w->window, w->full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    }
    return true;
}

static void button(struct window *w, const SDL_MouseButtonEvent *event)
{
    unsigned bit = event->button == SDL_BUTTON_LEFT     ? 1
                   : event->button == SDL_BUTTON_RIGHT  ? 2
                   : event->button == SDL_BUTTON_MIDDLE ? 4
                                                        : 0;

    if (!w->grabbed) {
        /* The first click is the window's. */
        if (event->type == SDL_MOUSEBUTTONDOWN && bit == 1)
            set_grab(w, true);
        return;
    }
    if (event->type == SDL_MOUSEBUTTONDOWN)
        w->buttons |= bit;
    else
        w->buttons &= ~bit;
    send_mouse(w, 0, 0, 0);
}

/* Returns whether the picture must be drawn again. */
static bool handle(struct window *w, const SDL_Event *event)
{
    switch (event->type) {
    case SDL_QUIT:
        window_push(w, &(struct window_event){.kind = WINDOW_CLOSE});
        return false;
    case SDL_KEYDOWN:
        if (!own_key(w, &event->key))
            send_key(w, event->key.keysym.scancode, true);
        return false;
    case SDL_KEYUP:
        send_key(w, event->key.keysym.scancode, false);
        return false;
    case SDL_MOUSEMOTION:
        if (w->grabbed)
            send_mouse(w, event->motion.xrel, event->motion.yrel, 0);
        return false;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        button(w, &event->button);
        return false;
    case SDL_MOUSEWHEEL:
        if (w->grabbed)
            send_mouse(w, 0, 0, -event->wheel.y);
        return false;
    case SDL_WINDOWEVENT:
        if (event->window.event == SDL_WINDOWEVENT_FOCUS_LOST) {
            release_keys(w);
            if (w->grabbed)
                set_grab(w, false);
        }
        return event->window.event == SDL_WINDOWEVENT_EXPOSED ||
               event->window.event == SDL_WINDOWEVENT_SIZE_CHANGED;
    default:
        return false;
    }
}

/* A guest changed its mode: the texture does, and the window follows unless
 * the user has made it their own (full screen, maximised). */
static void resize_texture(struct window *w, unsigned width, unsigned height)
{
    if (w->texture)
        SDL_DestroyTexture(w->texture);
    w->texture =
        SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888,
                          SDL_TEXTUREACCESS_STREAMING, (int)width, (int)height);
    w->width = width;
    w->height = height;
    if (!w->full_screen &&
        !(SDL_GetWindowFlags(w->window) & SDL_WINDOW_MAXIMIZED))
        SDL_SetWindowSize(w->window, (int)width, (int)height);
}

/* Takes the newest picture, if there is one. */
static bool take_picture(struct window *w)
{
    pthread_mutex_lock(&w->lock);
    bool fresh = w->fresh;
    if (fresh) {
        struct surface taken = w->picture;
        w->picture = w->shown;
        w->shown = taken;
        w->fresh = false;
    }
    pthread_mutex_unlock(&w->lock);
    if (fresh) {
        unsigned width = w->shown.width, height = w->shown.height;
        if (!w->texture || width != w->width || height != w->height)
            resize_texture(w, width, height);
        if (w->texture)
            SDL_UpdateTexture(w->texture, NULL, w->shown.pixels,
                              (int)(w->shown.stride * sizeof(uint32_t)));
    }
    return fresh;
}

/* By whole numbers where there is room, shrunk where there is not. */
static void draw(struct window *w)
{
    int room_x = 0, room_y = 0;

    SDL_SetRenderDrawColor(w->renderer, 0, 0, 0, 255);
    SDL_RenderClear(w->renderer);
    SDL_GetRendererOutputSize(w->renderer, &room_x, &room_y);
    if (w->texture && room_x > 0 && room_y > 0) {
        int width = (int)w->width, height = (int)w->height;
        int scale =
            room_x / width < room_y / height ? room_x / width : room_y / height;
        SDL_Rect to = {.w = width * scale, .h = height * scale};
        if (scale == 0) {
            double shrink = (double)room_x / width < (double)room_y / height
                                ? (double)room_x / width
                                : (double)room_y / height;
            to.w = (int)(width * shrink);
            to.h = (int)(height * shrink);
        }
        to.x = (room_x - to.w) / 2;
        to.y = (room_y - to.h) / 2;
        SDL_RenderCopy(w->renderer, w->texture, NULL, &to);
    }
    SDL_RenderPresent(w->renderer);
}

/* Left to itself SDL tries everything, down to a screen that nobody can see.
 * SDL_VIDEODRIVER is the user's word and is not overruled. */
static bool choose_driver(void)
{
    bool x11 = getenv("DISPLAY") != NULL;
    bool wayland = getenv("WAYLAND_DISPLAY") != NULL;

    if (getenv("SDL_VIDEODRIVER"))
        return true;
    SDL_SetHint(SDL_HINT_VIDEODRIVER, x11 && wayland ? "x11,wayland"
                                      : x11          ? "x11"
                                                     : "wayland");
    return x11 || wayland;
}

static const char *open_sdl(struct window *w)
{
    if (!choose_driver())
        return "neither DISPLAY nor WAYLAND_DISPLAY is set";
    /* Ctrl-C in the terminal stays the program's. */
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    /* Copying a picture needs no GPU, nor the threads of a software one. */
    SDL_SetHintWithPriority(SDL_HINT_RENDER_DRIVER, "software",
                            SDL_HINT_DEFAULT);
    if (SDL_Init(SDL_INIT_VIDEO))
        return SDL_GetError();
    w->window = SDL_CreateWindow("Vitrine", SDL_WINDOWPOS_UNDEFINED,
                                 SDL_WINDOWPOS_UNDEFINED, 720, 400,
                                 SDL_WINDOW_RESIZABLE);
    if (!w->window)
        return SDL_GetError();
    w->renderer = SDL_CreateRenderer(w->window, -1, 0);
    if (!w->renderer)
        return SDL_GetError();
    set_title(w);
    return NULL;
}

static void close_sdl(struct window *w)
{
    if (w->texture)
        SDL_DestroyTexture(w->texture);
    if (w->renderer)
        SDL_DestroyRenderer(w->renderer);
    if (w->window)
        SDL_DestroyWindow(w->window);
    SDL_Quit();
}

static void *window_thread(void *ctx)
{
    struct window *w = ctx;
    const char *error = open_sdl(w);

    pthread_mutex_lock(&w->lock);
    if (error)
        snprintf(w->error, sizeof(w->error), "%s", error);
    w->status = error ? FAILED : OPEN;
    pthread_cond_signal(&w->opened);
    pthread_mutex_unlock(&w->lock);

    bool stale = !error;
    while (!error && !atomic_load(&w->quit)) {
        SDL_Event event;
        /* Waits for the host at most a frame, then looks for a picture. */
        if (SDL_WaitEventTimeout(&event, FRAME_MS)) {
            do
                stale |= handle(w, &event);
            while (SDL_PollEvent(&event));
        }
        stale |= take_picture(w);
        if (stale)
            draw(w);
        stale = false;
    }
    close_sdl(w);
    return NULL;
}

static void window_free(struct window *w)
{
    surface_free(&w->picture);
    surface_free(&w->shown);
    pthread_cond_destroy(&w->opened);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct window *window_open(const struct window_config *config, char *error,
                           size_t error_size)
{
    struct window *w = calloc(1, sizeof(*w));

    if (!w) {
        snprintf(error, error_size, "cannot open a window: out of memory");
        return NULL;
    }
    w->config = *config;
    snprintf(w->name, sizeof(w->name), "%s",
             config->name ? config->name : "machine");
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->opened, NULL);
    if (pthread_create(&w->thread, NULL, window_thread, w)) {
        snprintf(error, error_size, "cannot open a window: no more threads");
        window_free(w);
        return NULL;
    }
    pthread_mutex_lock(&w->lock);
    while (w->status == OPENING)
        pthread_cond_wait(&w->opened, &w->lock);
    bool failed = w->status == FAILED;
    pthread_mutex_unlock(&w->lock);
    if (failed) {
        pthread_join(w->thread, NULL);
        snprintf(error, error_size,
                 "cannot open a window: %s (-display none and -nographic do "
                 "without)",
                 w->error);
        window_free(w);
        return NULL;
    }
    return w;
}

void window_close(struct window *window)
{
    if (!window)
        return;
    atomic_store(&window->quit, true);
    pthread_join(window->thread, NULL);
    window_free(window);
}
