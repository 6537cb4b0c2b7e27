/*
 * The host's side of struct machine. See host.h.
 *
 * The CPU thread sleeps on an eventfd, so that whatever comes on the host
 * thread (bytes, signals) ends the sleep at once. Signals come by signalfd on
 * the host thread: no handler ever runs.
 *
 * Invariant: host->machine is only changed while no machine runs; the host
 * thread reads it under `lock`.
 */
#include "devices/host/host.h"

#include "devices/host/terminal.h"
#include "devices/host/window.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define REFRESH_NS (NS_PER_SECOND / 30)
/* A second signal kills, but only this long after the first. */
#define PATIENCE_NS NS_PER_SECOND

struct host {
    struct loop *loop;
    struct chardev_set *chardevs;
    struct loop_source signals;
    int event_fd;
    pthread_mutex_t lock;
    struct machine *machine;
    struct window *window;
    struct surface surface;
    uint64_t next_refresh_ns; /* of the host's clock */
    bool quit;                /* asked for while no machine was attached */
    atomic_bool stops;        /* SIGINT stops the machine, no more */
    uint64_t told_ns;         /* when a first signal came; 0: not yet */
};

/* From other threads. --------------------------------------------------- */

static void wake(void *ctx)
{
    struct host *host = ctx;
    uint64_t one = 1;
    /* It fails only when the counter is full, and then it is readable. */
    ssize_t written = write(host->event_fd, &one, sizeof(one));
    (void)written;
}

static void input_came(void *ctx)
{
    struct host *host = ctx;

    pthread_mutex_lock(&host->lock);
    if (host->machine)
        machine_kick(host->machine);
    pthread_mutex_unlock(&host->lock);
}

static void ask_quit(void *ctx)
{
    struct host *host = ctx;

    pthread_mutex_lock(&host->lock);
    host->quit = true;
    if (host->machine)
        machine_request(host->machine, REQUEST_QUIT);
    pthread_mutex_unlock(&host->lock);
    chardev_set_stop(host->chardevs);
    wake(host);
}

static void ask_stop(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    if (host->machine)
        machine_request(host->machine, REQUEST_STOP);
    pthread_mutex_unlock(&host->lock);
    wake(host);
}

/* Signals. -------------------------------------------------------------- */

static short signals_prepare(void *ctx, int *timeout_ms)
{
    (void)ctx;
    (void)timeout_ms;
    return POLLIN;
}

static void signals_ready(void *ctx, short revents)
{
    struct host *host = ctx;
    struct signalfd_siginfo info;

    (void)revents;
    if (read(host->signals.fd, &info, sizeof(info)) != sizeof(info))
        return;
    int number = (int)info.ssi_signo;
    if (number == SIGCONT) {
        terminal_resume();
        return;
    }
    if (number == SIGINT && atomic_load(&host->stops)) {
        ask_stop(host);
        return;
    }
    uint64_t now_ns = clock_host_ns();
    if (host->told_ns && now_ns - host->told_ns < PATIENCE_NS)
        return; /* timeout(1), for one, signals both us and our group */
    if (host->told_ns) {
        /* The machine does not listen: end as any program would. */
        sigset_t set;
        terminal_restore();
        signal(number, SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, number);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        raise(number);
    }
    host->told_ns = now_ns;
    terminal_restore();
    fprintf(stderr, "vitrine: terminating on signal %d\n", number);
    ask_quit(host);
}

static int take_signals(struct host *host)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCONT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is no reason to end */
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -1;
    host->signals = (struct loop_source){.fd = fd,
                                         .prepare = signals_prepare,
                                         .ready = signals_ready,
                                         .ctx = host};
    loop_add(host->loop, &host->signals);
    return 0;
}

/* On the CPU thread. ---------------------------------------------------- */

static void refresh(struct host *host, struct machine *machine)
{
    uint64_t now_ns = clock_host_ns();

    if (now_ns < host->next_refresh_ns || !machine->display.render ||
        !window_wants_picture(host->window))
        return;
    host->next_refresh_ns = now_ns + REFRESH_NS;
    machine->display.render(machine->display.ctx, &host->surface);
    window_present(host->window, &host->surface);
}

static void serve_window(struct host *host, struct machine *machine)
{
    const struct input *input = &machine->input;
    struct window_event event;

    while (window_poll(host->window, &event)) {
        switch (event.kind) {
        case WINDOW_KEY:
            if (input->key)
                input->key(input->ctx, event.key, event.down);
            break;
        case WINDOW_MOUSE:
            if (input->mouse)
                input->mouse(input->ctx, event.dx, event.dy, event.dz,
                             event.buttons);
            break;
        case WINDOW_CLOSE:
            machine_request(machine, REQUEST_QUIT);
            break;
        }
    }
    refresh(host, machine);
}

static void pump(void *ctx, struct machine *machine)
{
    struct host *host = ctx;

    chardev_set_pump(host->chardevs);
    if (host->window)
        serve_window(host, machine);
}

static void drain(struct host *host)
{
    uint64_t count;
    ssize_t got = read(host->event_fd, &count, sizeof(count));
    (void)got;
}

static void host_sleep(void *ctx, struct machine *machine, uint64_t deadline_ns)
{
    struct host *host = ctx;
    struct pollfd set = {.fd = host->event_fd, .events = POLLIN};
    uint64_t wait_ns = CLOCK_NEVER;

    if (deadline_ns != CLOCK_NEVER) {
        uint64_t now_ns = clock_now_ns(&machine->clock);
        if (deadline_ns <= now_ns)
            return;
        wait_ns = deadline_ns - now_ns;
    }
    if (host->window && wait_ns > REFRESH_NS)
        wait_ns = REFRESH_NS;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / NS_PER_SECOND),
                            .tv_nsec = (long)(wait_ns % NS_PER_SECOND)};
    ppoll(&set, 1, wait_ns == CLOCK_NEVER ? NULL : &wait, NULL);
    if (set.revents)
        drain(host);
}

void host_attach(struct host *host, struct machine *machine)
{
    machine->pump = pump;
    machine->sleep = host_sleep;
    machine->wake = wake;
    machine->host = host;
    pthread_mutex_lock(&host->lock);
    host->machine = machine;
    if (host->quit)
        machine_request(machine, REQUEST_QUIT);
    pthread_mutex_unlock(&host->lock);
}

void host_detach(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    struct machine *machine = host->machine;
    host->machine = NULL;
    pthread_mutex_unlock(&host->lock);
    if (!machine)
        return;
    machine->pump = NULL;
    machine->sleep = NULL;
    machine->wake = NULL;
    machine->host = NULL;
}

int host_open_window(struct host *host, const char *name, char *error,
                     size_t error_size)
{
    struct window_config config = {
        .name = name, .wake = input_came, .ctx = host};

    host->window = window_open(&config, error, error_size);
    return host->window ? 0 : -1;
}

void host_wait_quit(struct host *host)
{
    struct machine *machine = host->machine;

    while (machine && !(atomic_load(&machine->requests) & REQUEST_QUIT)) {
        pump(host, machine);
        host_sleep(host, machine, CLOCK_NEVER);
    }
}

void host_interrupt_stops(struct host *host, bool stops)
{
    atomic_store(&host->stops, stops);
}

struct chardev_set *host_chardevs(struct host *host)
{
    return host->chardevs;
}

struct host *host_new(void)
{
    struct host *host = calloc(1, sizeof(*host));

    if (!host)
        return NULL;
    pthread_mutex_init(&host->lock, NULL);
    host->signals.fd = -1;
    host->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    host->loop = loop_new();
    /* The default lets a sleep end 50 us late, which a guest's timer feels. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    if (host->loop)
        host->chardevs =
            chardev_set_new(host->loop, input_came, ask_quit, host);
    if (host->event_fd < 0 || !host->chardevs || take_signals(host) < 0) {
        host_free(host);
        return NULL;
    }
    return host;
}

void host_free(struct host *host)
{
    if (!host)
        return;
    host_detach(host);
    window_close(host->window);
    chardev_set_free(host->chardevs);
    if (host->signals.fd >= 0)
        loop_remove(host->loop, &host->signals);
    loop_free(host->loop);
    surface_free(&host->surface);
    if (host->signals.fd >= 0)
        close(host->signals.fd);
    if (host->event_fd >= 0)
        close(host->event_fd);
    pthread_mutex_destroy(&host->lock);
    free(host);
}
