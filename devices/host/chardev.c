/*
 * Byte streams on the host. See chardev.h.
 *
 * The escape key of "mon:stdio" is QEMU's Ctrl-A: x leaves, h helps, Ctrl-A
 * sends itself, b would send a break and c go to the monitor.
 *
 * Not modelled: a break, sockets, the monitor.
 *
 * Invariants: `lock` guards the queue; nothing blocks while it is held. End of
 * file on input only ends the input.
 */
#include "devices/host/chardev.h"

#include "devices/host/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x01 /* Ctrl-A */
#define WRITE_CHUNK 512u
#define WRITE_WAIT_MS 100
#define PTY_RECHECK_MS 200
#define LEFT_RECHECK_MS 1

struct port {
    struct chardev chr;
    struct chardev_set *set;
    struct loop_source source;
    int in_fd, out_fd; /* -1: none */
    bool escapes;      /* Ctrl-A is the escape key */
    bool is_tty, is_pty;
    bool may_block;   /* output is no plain file */
    bool escaped;     /* the byte before was Ctrl-A; host thread only */
    bool recheck;     /* pty: look whether someone opened it */
    atomic_bool gone; /* nobody reads: drop output */
    bool listening;   /* `source` is in the loop */
    pthread_mutex_t lock;
    uint8_t queue[CHARDEV_QUEUE_BYTES];
    size_t head, used;
    struct port *next;
};

struct chardev_set {
    struct loop *loop;
    void (*wake)(void *ctx);
    void (*quit)(void *ctx);
    void *ctx;
    atomic_bool stopping;
    bool stdio_taken;
    struct port *ports;
};

/* Output. --------------------------------------------------------------- */

/* Waits until the other end takes something. False: drop it. */
static bool wait_writable(struct port *port)
{
    struct pollfd set = {.fd = port->out_fd, .events = POLLOUT};

    for (;;) {
        int ready = poll(&set, 1, WRITE_WAIT_MS);
        if (ready > 0)
            return !(set.revents & (POLLERR | POLLNVAL)) &&
                   (set.revents & POLLOUT);
        if (ready < 0 && errno != EINTR)
            return false;
        /* A paused terminal may wait; the end of the process may not. */
        if (atomic_load(&port->set->stopping))
            return false;
    }
}

static void write_out(struct chardev *chr, const uint8_t *data, size_t size)
{
    struct port *port = chr->impl;

    while (size && port->out_fd >= 0) {
        if (atomic_load(&port->gone) ||
            (port->may_block && !wait_writable(port)))
            return;
        /* A small piece: a terminal that is ready has room for that much. */
        size_t piece = size < WRITE_CHUNK ? size : WRITE_CHUNK;
        ssize_t n = write(port->out_fd, data, piece);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return;
        data += n;
        size -= (size_t)n;
    }
}

static void say(struct port *port, const char *text)
{
    write_out(&port->chr, (const uint8_t *)text, strlen(text));
}

/* Input, on the host thread. -------------------------------------------- */

static void enqueue(struct port *port, uint8_t byte)
{
    if (port->used == CHARDEV_QUEUE_BYTES)
        return; /* only a terminal's keys come here when it is full */
    port->queue[(port->head + port->used) % CHARDEV_QUEUE_BYTES] = byte;
    port->used++;
}

static void escape_command(struct port *port, uint8_t byte)
{
    switch (byte) {
    case 'x':
        say(port, "vitrine: terminated\n");
        port->set->quit(port->set->ctx);
        break;
    case 'h':
    case '?':
        say(port, "\nC-a h    print this help\n"
                  "C-a x    exit vitrine\n"
                  "C-a C-a  send C-a\n");
        break;
    case 'c':
        say(port,
            "\nvitrine: no monitor on this line: start with -monitor stdio,\n"
            "and the serial port elsewhere (-serial pty)\n");
        break;
    default: /* b, s, t: nothing to do here */
        break;
    }
}

/* Takes what was read, with the escape key seen to. */
static void take_input(struct port *port, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = data[i];
        bool command = port->escaped && byte != ESCAPE;
        if (port->escapes && byte == ESCAPE && !port->escaped) {
            port->escaped = true;
            continue;
        }
        port->escaped = false;
        if (command) {
            escape_command(port, byte);
            continue;
        }
        pthread_mutex_lock(&port->lock);
        enqueue(port, byte);
        pthread_mutex_unlock(&port->lock);
    }
}

static size_t queue_room(struct port *port)
{
    pthread_mutex_lock(&port->lock);
    size_t room = CHARDEV_QUEUE_BYTES - port->used;
    pthread_mutex_unlock(&port->lock);
    return room;
}

static short prepare(void *ctx, int *timeout_ms)
{
    struct port *port = ctx;

    size_t room = queue_room(port);
    /* Nobody tells us when the device has room again: try often. */
    if (room < CHARDEV_QUEUE_BYTES && !atomic_load(&port->set->stopping)) {
        *timeout_ms = LEFT_RECHECK_MS;
        port->set->wake(port->set->ctx);
    }
    if (port->in_fd < 0)
        return 0;
    if (port->recheck) {
        struct pollfd set = {.fd = port->in_fd};
        if (poll(&set, 1, 0) > 0 && (set.revents & POLLHUP)) {
            if (*timeout_ms < 0)
                *timeout_ms = PTY_RECHECK_MS;
            return 0;
        }
        port->recheck = false;
        atomic_store(&port->gone, false);
    }
    /* Ctrl-A x must work even when the guest reads nothing. */
    return room || (port->escapes && port->is_tty) ? POLLIN : 0;
}

static void end_of_input(struct port *port)
{
    if (port->is_pty) {
        atomic_store(&port->gone, true);
        port->recheck = true;
        return;
    }
    port->in_fd = -1;
}

static void ready(void *ctx, short revents)
{
    struct port *port = ctx;
    uint8_t data[512];
    size_t room = queue_room(port);

    (void)revents;
    if (room > sizeof(data) || (port->escapes && port->is_tty))
        room = sizeof(data);
    if (room == 0)
        return;
    ssize_t n = read(port->in_fd, data, room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        end_of_input(port);
        return;
    }
    take_input(port, data, (size_t)n);
    port->set->wake(port->set->ctx);
}

/* Input, on the CPU thread. --------------------------------------------- */

/* Moves one run of bytes. False when nothing moved. */
static bool deliver(struct port *port)
{
    uint8_t data[256];
    struct chardev *chr = &port->chr;

    size_t room =
        chr->receive && chr->room ? chr->room(chr->ctx) : sizeof(data);
    if (room > sizeof(data))
        room = sizeof(data);
    pthread_mutex_lock(&port->lock);
    size_t size = port->used < room ? port->used : room;
    for (size_t i = 0; i < size; i++)
        data[i] = port->queue[(port->head + i) % CHARDEV_QUEUE_BYTES];
    port->head = (port->head + size) % CHARDEV_QUEUE_BYTES;
    port->used -= size;
    pthread_mutex_unlock(&port->lock);
    if (size && chr->receive)
        chr->receive(chr->ctx, data, size);
    return size != 0;
}

bool chardev_set_pump(struct chardev_set *set)
{
    bool left = false;

    for (struct port *port = set->ports; port; port = port->next) {
        if (!port->listening)
            continue;
        /* Bounded: a device that always has room empties the queue. */
        for (unsigned i = 0; i < CHARDEV_QUEUE_BYTES / 256; i++)
            if (!deliver(port))
                break;
        left |= queue_room(port) < CHARDEV_QUEUE_BYTES;
    }
    return left;
}

/* Opening. -------------------------------------------------------------- */

static int fail(char *error, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(char *error, size_t size, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(error, size, format, ap);
    va_end(ap);
    return -1;
}

static void listen_to(struct port *port, int fd)
{
    port->in_fd = fd;
    port->source = (struct loop_source){
        .fd = fd, .prepare = prepare, .ready = ready, .ctx = port};
    port->listening = true;
    loop_add(port->set->loop, &port->source);
}

static void open_stdio(struct port *port, bool escapes)
{
    struct chardev_set *set = port->set;

    port->out_fd = STDOUT_FILENO;
    if (set->stdio_taken)
        return;
    set->stdio_taken = true;
    port->escapes = escapes;
    port->is_tty = terminal_raw(!escapes);
    /* In the background of a terminal, reading would stop the process. */
    if (!isatty(STDIN_FILENO) || port->is_tty)
        listen_to(port, STDIN_FILENO);
}

static int open_file(struct port *port, const char *path, char *error,
                     size_t error_size)
{
    port->out_fd = open(
        path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        0666);
    if (port->out_fd < 0)
        return fail(error, error_size, "file:%.120s: cannot be written: %s",
                    path,
                    errno == ENXIO ? "it is a pipe that nobody reads"
                                   : strerror(errno));
    return 0;
}

static int open_pty(struct port *port, const char *label, char *error,
                    size_t error_size)
{
    char name[128];
    struct termios mode;
    int slave = -1;

    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 ||
        ptsname_r(fd, name, sizeof(name)) != 0 ||
        (slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
        fail(error, error_size, "pty: there is none: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (tcgetattr(slave, &mode) == 0) {
        cfmakeraw(&mode);
        tcsetattr(slave, TCSANOW, &mode);
    }
    /* From here on the master tells (POLLHUP) whether someone is there. */
    close(slave);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    port->is_pty = true;
    port->recheck = true;
    atomic_store(&port->gone, true);
    port->out_fd = fd;
    printf("char device redirected to %s (label %s)\n", name, label);
    fflush(stdout);
    listen_to(port, fd);
    return 0;
}

static int open_spec(struct port *port, const char *spec, const char *label,
                     char *error, size_t error_size)
{
    if (strcmp(spec, "null") == 0 || strncmp(spec, "vc", 2) == 0)
        return 0;
    if (strcmp(spec, "stdio") == 0 || strcmp(spec, "mon:stdio") == 0) {
        open_stdio(port, spec[0] == 'm');
        return 0;
    }
    if (strncmp(spec, "file:", 5) == 0)
        return open_file(port, spec + 5, error, error_size);
    if (strcmp(spec, "pty") == 0)
        return open_pty(port, label, error, error_size);
    return fail(error, error_size, "%.60s: no such line", spec);
}

static void close_port(struct chardev *chr)
{
    struct port *port = chr->impl;
    struct chardev_set *set = port->set;

    for (struct port **p = &set->ports; *p; p = &(*p)->next) {
        if (*p == port) {
            *p = port->next;
            break;
        }
    }
    if (port->listening)
        loop_remove(set->loop, &port->source);
    if (port->out_fd > STDERR_FILENO)
        close(port->out_fd);
    pthread_mutex_destroy(&port->lock);
    free(port);
}

int chardev_open(struct chardev_set *set, const char *spec, const char *label,
                 struct chardev **chardev, char *error, size_t error_size)
{
    *chardev = NULL;
    if (strcmp(spec, "none") == 0)
        return 0;
    struct port *port = calloc(1, sizeof(*port));
    if (!port)
        return fail(error, error_size, "out of memory");
    port->set = set;
    port->in_fd = port->out_fd = -1;
    pthread_mutex_init(&port->lock, NULL);
    port->chr = (struct chardev){
        .name = label, .write = write_out, .close = close_port, .impl = port};
    if (open_spec(port, spec, label, error, error_size) < 0) {
        close_port(&port->chr);
        return -1;
    }
    struct stat st;
    port->may_block = fstat(port->out_fd, &st) < 0 || !S_ISREG(st.st_mode);
    port->next = set->ports;
    set->ports = port;
    *chardev = &port->chr;
    return 0;
}

struct chardev_set *chardev_set_new(struct loop *loop, void (*wake)(void *ctx),
                                    void (*quit)(void *ctx), void *ctx)
{
    struct chardev_set *set = calloc(1, sizeof(*set));

    if (!set)
        return NULL;
    set->loop = loop;
    set->wake = wake;
    set->quit = quit;
    set->ctx = ctx;
    return set;
}

void chardev_set_stop(struct chardev_set *set)
{
    atomic_store(&set->stopping, true);
}

void chardev_set_free(struct chardev_set *set)
{
    if (!set)
        return;
    atomic_store(&set->stopping, true);
    while (set->ports)
        close_port(&set->ports->chr);
    terminal_restore();
    free(set);
}
