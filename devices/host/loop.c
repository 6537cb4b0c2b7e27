/*
 * The host thread. One mutex guards the list of sources and is held while
 * their functions run, so that removing a source waits for them.
 *
 * Invariant: the thread holds no lock while it sleeps in poll().
 */
#include "devices/host/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_SOURCES 16

struct loop {
    pthread_t thread;
    pthread_mutex_t lock;
    struct loop_source *sources;
    int event_fd;
    bool stop;
};

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    /* It fails only when the counter is full, and then it is readable. */
    ssize_t written = write(loop->event_fd, &one, sizeof(one));
    (void)written;
}

/* Fills the set. Returns how many; *timeout_ms as poll() has it. */
static nfds_t collect(struct loop *loop, struct pollfd *set,
                      struct loop_source **owner, int *timeout_ms)
{
    nfds_t count = 0;

    *timeout_ms = -1;
    for (struct loop_source *s = loop->sources; s; s = s->next) {
        int wanted_ms = -1;
        short events = s->prepare(s->ctx, &wanted_ms);
        if (wanted_ms >= 0 && (*timeout_ms < 0 || wanted_ms < *timeout_ms))
            *timeout_ms = wanted_ms;
        if (!events || count == MAX_SOURCES)
            continue;
        owner[count] = s;
        set[count++] = (struct pollfd){.fd = s->fd, .events = events};
    }
    return count;
}

static bool is_listed(const struct loop *loop, const struct loop_source *source)
{
    for (const struct loop_source *s = loop->sources; s; s = s->next)
        if (s == source)
            return true;
    return false;
}

static void *run(void *arg)
{
    struct loop *loop = arg;
    struct loop_source *owner[MAX_SOURCES];
    struct pollfd set[MAX_SOURCES + 1];
    int timeout_ms;

    pthread_mutex_lock(&loop->lock);
    while (!loop->stop) {
        nfds_t count = collect(loop, set, owner, &timeout_ms);
        set[count] = (struct pollfd){.fd = loop->event_fd, .events = POLLIN};
        pthread_mutex_unlock(&loop->lock);
        int ready = poll(set, count + 1, timeout_ms);
        if (ready > 0 && set[count].revents) {
            uint64_t drained;
            ssize_t got = read(loop->event_fd, &drained, sizeof(drained));
            (void)got;
        }
        pthread_mutex_lock(&loop->lock);
        /* A source may have gone while nobody held the lock. */
        for (nfds_t i = 0; ready > 0 && i < count; i++)
            if (set[i].revents && is_listed(loop, owner[i]))
                owner[i]->ready(owner[i]->ctx, set[i].revents);
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    sigset_t all, before;

    if (!loop)
        return NULL;
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->event_fd < 0)
        goto fail;
    pthread_mutex_init(&loop->lock, NULL);
    /* Signals are for the main thread or for a signalfd, never for this
     * thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&loop->thread, NULL, run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return loop;
    pthread_mutex_destroy(&loop->lock);
    close(loop->event_fd);
fail:
    free(loop);
    return NULL;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_lock(&loop->lock);
    loop->stop = true;
    pthread_mutex_unlock(&loop->lock);
    loop_wake(loop);
    pthread_join(loop->thread, NULL);
    pthread_mutex_destroy(&loop->lock);
    close(loop->event_fd);
    free(loop);
}

void loop_add(struct loop *loop, struct loop_source *source)
{
    pthread_mutex_lock(&loop->lock);
    source->next = loop->sources;
    loop->sources = source;
    pthread_mutex_unlock(&loop->lock);
    loop_wake(loop);
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    pthread_mutex_lock(&loop->lock);
    for (struct loop_source **s = &loop->sources; *s; s = &(*s)->next) {
        if (*s == source) {
            *s = source->next;
            break;
        }
    }
    pthread_mutex_unlock(&loop->lock);
    loop_wake(loop);
}
