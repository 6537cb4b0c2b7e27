/*
 * Sockets and the watching thread: see gdb_link.h.
 *
 * Not modelled: -gdb stdio and serial lines; more than one client at a time
 * (the next waits in the backlog).
 *
 * Invariants: file descriptors are changed by the CPU thread only, while the
 * thread is not armed. REQUEST_STOP is in machine.requests because of us only
 * while `attention` is set, or the machine has stopped for it already.
 */
#include "monitor/gdb_link.h"

#include "emu/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_PATIENCE_MS 5000
#define SEND_SLICE_MS 100

/* --- Addresses ----------------------------------------------------------- */

/* QEMU's words for what is the case here anyway. */
static bool options_known(const char *list)
{
    static const char *const known[] = {
        "server", "server=on", "nowait", "wait=off", "wait=no", "nodelay",
        "nodelay=on",
    };
    while (*list == ',') {
        size_t length = strcspn(++list, ","), i = 0;
        while (i < sizeof(known) / sizeof(known[0]) &&
               (strlen(known[i]) != length ||
                strncmp(known[i], list, length) != 0))
            i++;
        if (i == sizeof(known) / sizeof(known[0]))
            return false;
        list += length;
    }
    return true;
}

static int listen_unix(struct gdb_link *link, const char *path, char *error,
                       size_t error_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat old;

    if (!path[0] || strlen(path) >= sizeof(address.sun_path)) {
        snprintf(error, error_size,
                 "unix:%.60s: a path of 1 to %zu "
                 "characters is needed",
                 path, sizeof(address.sun_path) - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* One that an earlier run left behind; never another file. */
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
        unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, 1) < 0) {
        snprintf(error, error_size, "unix:%.60s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    memcpy(link->unix_path, address.sun_path, sizeof(link->unix_path));
    link->listen_fd = fd;
    return 0;
}

static int bind_tcp(const struct addrinfo *found)
{
    int on = 1;
    int fd =
        socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* With port 0 the host has chosen one: say which. */
static void say_port(int fd)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    char port[16];

    if (getsockname(fd, (struct sockaddr *)&name, &size) == 0 &&
        getnameinfo((struct sockaddr *)&name, size, NULL, 0, port, sizeof(port),
                    NI_NUMERICSERV) == 0)
        fprintf(stderr, "vitrine: gdb: target remote :%s\n", port);
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits >= 1 && digits <= 5 && !text[digits] &&
           strtol(text, NULL, 10) <= UINT16_MAX;
}

static int listen_tcp(struct gdb_link *link, const char *where, char *error,
                      size_t error_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char host[128];
    const char *port = strrchr(where, ':');
    const char *begin = where;

    if (!port || !is_port(port + 1)) {
        snprintf(error, error_size, "tcp:%.60s: give it as tcp:[HOST]:PORT",
                 where);
        return -1;
    }
    size_t length = (size_t)(port - where);
    if (length >= 2 && where[0] == '[' && where[length - 1] == ']') {
        begin++;
        length -= 2;
    }
    snprintf(host, sizeof(host), "%.*s", (int)length, begin);
    int result =
        getaddrinfo(length ? host : "127.0.0.1", port + 1, &hints, &found);
    if (result != 0) {
        snprintf(error, error_size, "tcp:%.60s: %s", where,
                 gai_strerror(result));
        return -1;
    }
    for (struct addrinfo *a = found; a && link->listen_fd < 0; a = a->ai_next)
        link->listen_fd = bind_tcp(a);
    if (link->listen_fd < 0)
        snprintf(error, error_size, "tcp:%.60s: %s", where, strerror(errno));
    else if (strtol(port + 1, NULL, 10) == 0)
        say_port(link->listen_fd);
    freeaddrinfo(found);
    return link->listen_fd < 0 ? -1 : 0;
}

int gdb_link_open(struct gdb_link *link, const char *address, char *error,
                  size_t error_size)
{
    char text[256];
    size_t length = strcspn(address, ",");

    *link = (struct gdb_link){.listen_fd = -1, .client_fd = -1,
                              .event_fd = -1};
    if (length >= sizeof(text) || !options_known(address + length)) {
        snprintf(error, error_size,
                 "%.80s: only tcp:[HOST]:PORT and "
                 "unix:PATH are served",
                 address);
        return -1;
    }
    memcpy(text, address, length);
    text[length] = '\0';
    if (strncmp(text, "tcp:", 4) == 0)
        return listen_tcp(link, text + 4, error, error_size);
    if (strncmp(text, "unix:", 5) == 0)
        return listen_unix(link, text + 5, error, error_size);
    snprintf(error, error_size,
             "%.80s: only tcp:[HOST]:PORT and unix:PATH "
             "are served",
             address);
    return -1;
}

/* --- The thread ---------------------------------------------------------- */

static void wake(struct gdb_link *link)
{
    uint64_t one = 1;
    ssize_t written = write(link->event_fd, &one, sizeof(one));
    (void)written;
}

static void *watch(void *ctx)
{
    struct gdb_link *link = ctx;
    bool ending = false;

    while (!ending) {
        pthread_mutex_lock(&link->lock);
        int fd = link->client_fd >= 0 ? link->client_fd : link->listen_fd;
        struct pollfd set[2] = {{.fd = link->event_fd, .events = POLLIN},
                                {.fd = fd, .events = POLLIN}};
        nfds_t count = link->armed ? 2 : 1;
        pthread_mutex_unlock(&link->lock);
        poll(set, count, -1);
        pthread_mutex_lock(&link->lock);
        if (set[0].revents) {
            uint64_t drained;
            ssize_t got = read(link->event_fd, &drained, sizeof(drained));
            (void)got;
        }
        ending = link->ending;
        if (count == 2 && set[1].revents && link->armed && !ending) {
            link->armed = false;
            link->attention = true;
            machine_request(link->machine, REQUEST_STOP);
        }
        pthread_mutex_unlock(&link->lock);
    }
    return NULL;
}

int gdb_link_start(struct gdb_link *link, struct machine *machine)
{
    sigset_t all, before;

    link->machine = machine;
    link->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->event_fd < 0)
        return -errno;
    pthread_mutex_init(&link->lock, NULL);
    sigfillset(&all); /* signals are the host's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&link->thread, NULL, watch, link);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        pthread_mutex_destroy(&link->lock);
    link->started = !error;
    return -error;
}

void gdb_link_close(struct gdb_link *link)
{
    if (link->started) {
        pthread_mutex_lock(&link->lock);
        link->ending = true;
        pthread_mutex_unlock(&link->lock);
        wake(link);
        pthread_join(link->thread, NULL);
        gdb_link_take(link);
        pthread_mutex_destroy(&link->lock);
        link->started = false;
    }
    gdb_link_drop(link);
    if (link->event_fd >= 0)
        close(link->event_fd);
    if (link->listen_fd >= 0)
        close(link->listen_fd);
    if (link->unix_path[0])
        unlink(link->unix_path);
    link->event_fd = link->listen_fd = -1;
    link->unix_path[0] = '\0';
}

void gdb_link_arm(struct gdb_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool tell = !link->armed && !link->attention;
    link->armed = link->armed || tell;
    pthread_mutex_unlock(&link->lock);
    if (tell)
        wake(link);
}

bool gdb_link_take(struct gdb_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool came = link->attention;
    link->attention = false;
    if (came)
        atomic_fetch_and(&link->machine->requests, ~(unsigned)REQUEST_STOP);
    pthread_mutex_unlock(&link->lock);
    return came;
}

bool gdb_link_pending(struct gdb_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool came = link->attention;
    pthread_mutex_unlock(&link->lock);
    return came;
}

/* --- The client ---------------------------------------------------------- */

bool gdb_link_accept(struct gdb_link *link)
{
    int on = 1;

    if (link->client_fd >= 0)
        return false;
    link->client_fd =
        accept4(link->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (link->client_fd < 0)
        return false;
    /* Fails on a Unix socket, which waits for nothing anyway. */
    setsockopt(link->client_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return true;
}

ssize_t gdb_link_receive(struct gdb_link *link, void *data, size_t size)
{
    for (;;) {
        if (link->client_fd < 0)
            return -1;
        ssize_t got = recv(link->client_fd, data, size, 0);
        if (got > 0)
            return got;
        if (got < 0 && errno == EINTR)
            continue;
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
    }
}

bool gdb_link_send(struct gdb_link *link, const char *data, size_t size)
{
    int waited_ms = 0;

    while (size && link->client_fd >= 0) {
        ssize_t sent = send(link->client_fd, data, size, MSG_NOSIGNAL);
        if (sent >= 0) {
            data += sent;
            size -= (size_t)sent;
            waited_ms = 0;
            continue;
        }
        if (errno == EINTR)
            continue;
        if ((errno != EAGAIN && errno != EWOULDBLOCK) ||
            waited_ms >= SEND_PATIENCE_MS ||
            (atomic_load(&link->machine->requests) & REQUEST_QUIT))
            return false;
        struct pollfd set = {.fd = link->client_fd, .events = POLLOUT};
        poll(&set, 1, SEND_SLICE_MS);
        waited_ms += SEND_SLICE_MS;
    }
    return size == 0;
}

void gdb_link_drop(struct gdb_link *link)
{
    int fd = link->client_fd;

    if (link->started) {
        pthread_mutex_lock(&link->lock);
        link->armed = false;
        link->client_fd = -1;
        pthread_mutex_unlock(&link->lock);
        wake(link);
    }
    link->client_fd = -1;
    if (fd >= 0)
        close(fd);
}
