/* Lines on the host: files, pipes, terminals, and the escape key. */
#include "devices/host/chardev.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000

/* A device that takes `room` bytes at a time, and who is asked to quit. */
struct fake {
    size_t room, got;
    uint8_t bytes[300000];
    atomic_uint wakes, quits;
    struct loop *loop;
    struct chardev_set *set;
    struct chardev *chr;
    char error[256];
};

static void on_wake(void *ctx)
{
    struct fake *fake = ctx;
    atomic_fetch_add(&fake->wakes, 1);
}

static void on_quit(void *ctx)
{
    struct fake *fake = ctx;
    atomic_fetch_add(&fake->quits, 1);
}

static size_t room(void *ctx)
{
    const struct fake *fake = ctx;
    return fake->room;
}

static void receive(void *ctx, const uint8_t *data, size_t size)
{
    struct fake *fake = ctx;
    CU_ASSERT(size <= fake->room);
    CU_ASSERT_FATAL(fake->got + size <= sizeof(fake->bytes));
    memcpy(fake->bytes + fake->got, data, size);
    fake->got += size;
}

static int fake_open(struct fake *fake, const char *spec)
{
    memset(fake, 0, sizeof(*fake));
    fake->room = 16;
    fake->loop = loop_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake->loop);
    fake->set = chardev_set_new(fake->loop, on_wake, on_quit, fake);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake->set);
    int result = chardev_open(fake->set, spec, "serial0", &fake->chr,
                              fake->error, sizeof(fake->error));
    if (fake->chr) {
        fake->chr->room = room;
        fake->chr->receive = receive;
        fake->chr->ctx = fake;
    }
    return result;
}

static void fake_close(struct fake *fake)
{
    chardev_set_free(fake->set);
    loop_free(fake->loop);
}

static struct fake *fake_new(void)
{
    struct fake *fake = malloc(sizeof(*fake));
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake);
    return fake;
}

static void nap(void)
{
    struct timespec ms = {.tv_nsec = 1000000};
    nanosleep(&ms, NULL);
}

/* Pumps until the device has `size` bytes, or patience ends. */
static void pump_until(struct fake *fake, size_t size)
{
    for (unsigned i = 0; i < PATIENCE_MS && fake->got < size; i++) {
        chardev_set_pump(fake->set);
        if (fake->got < size)
            nap();
    }
}

/* Standard input or output becomes a pipe's end, and what it was again. */
struct swap {
    int fd, saved, other;
};

static void swap_in(struct swap *swap, int fd)
{
    int ends[2];
    fflush(stdout);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    swap->fd = fd;
    swap->saved = dup(fd);
    int ours = fd == STDIN_FILENO ? 0 : 1;
    dup2(ends[ours], fd);
    close(ends[ours]);
    swap->other = ends[!ours];
}

static void swap_out(struct swap *swap)
{
    fflush(stdout);
    dup2(swap->saved, swap->fd);
    close(swap->saved);
    if (swap->other >= 0)
        close(swap->other);
}

static void send(int fd, const char *text, size_t size)
{
    CU_ASSERT_EQUAL(write(fd, text, size), (ssize_t)size);
}

static void test_none_and_null(void)
{
    struct fake *fake = fake_new();
    CU_ASSERT_EQUAL(fake_open(fake, "none"), 0);
    CU_ASSERT_PTR_NULL(fake->chr);
    fake_close(fake);
    CU_ASSERT_EQUAL(fake_open(fake, "null"), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake->chr);
    fake->chr->write(fake->chr, (const uint8_t *)"dropped", 7);
    fake_close(fake);
    CU_ASSERT_EQUAL(fake_open(fake, "telegraph"), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake->error, "telegraph"));
    fake_close(fake);
    free(fake);
}

static void test_file(void)
{
    struct fake *fake = fake_new();
    char path[] = "/tmp/vitrine-chardev-XXXXXX", spec[64], text[64] = "";
    int fd = mkstemp(path);
    send(fd, "old contents", 12);
    snprintf(spec, sizeof(spec), "file:%s", path);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, spec), 0);
    fake->chr->write(fake->chr, (const uint8_t *)"hel", 3);
    fake->chr->write(fake->chr, (const uint8_t *)"lo\n", 3);
    /* At once, not when it is closed: the process may be killed. */
    CU_ASSERT_EQUAL(pread(fd, text, sizeof(text) - 1, 0), 6);
    CU_ASSERT_STRING_EQUAL(text, "hello\n");
    fake_close(fake);
    close(fd);
    unlink(path);
    CU_ASSERT_EQUAL(fake_open(fake, "file:/tmp"), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake->error, "cannot be written"));
    fake_close(fake);
    free(fake);
}

static void test_room_is_honoured(void)
{
    struct fake *fake = fake_new();
    struct swap in;
    char text[1000];
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 3);
    swap_in(&in, STDIN_FILENO);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, "stdio"), 0);
    fake->room = 0;
    send(in.other, text, sizeof(text));
    for (unsigned i = 0; i < PATIENCE_MS && !atomic_load(&fake->wakes); i++)
        nap();
    CU_ASSERT(atomic_load(&fake->wakes) > 0);
    CU_ASSERT_TRUE(chardev_set_pump(fake->set)); /* some is left */
    CU_ASSERT_EQUAL(fake->got, 0);
    fake->room = 3;
    pump_until(fake, sizeof(text));
    CU_ASSERT_EQUAL(fake->got, sizeof(text));
    CU_ASSERT_EQUAL(memcmp(fake->bytes, text, sizeof(text)), 0);
    CU_ASSERT_FALSE(chardev_set_pump(fake->set));
    fake_close(fake);
    swap_out(&in);
    free(fake);
}

static void test_end_of_input(void)
{
    struct fake *fake = fake_new();
    struct swap in;
    swap_in(&in, STDIN_FILENO);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, "mon:stdio"), 0);
    send(in.other, "last words", 10);
    close(in.other);
    in.other = -1;
    pump_until(fake, 10);
    CU_ASSERT_EQUAL(fake->got, 10);
    for (unsigned i = 0; i < 20; i++)
        nap();
    CU_ASSERT_EQUAL(atomic_load(&fake->quits), 0);
    /* Nor does it keep the host thread busy. */
    unsigned wakes = atomic_load(&fake->wakes);
    for (unsigned i = 0; i < 20; i++)
        nap();
    CU_ASSERT_EQUAL(atomic_load(&fake->wakes), wakes);
    fake_close(fake);
    swap_out(&in);
    free(fake);
}

static void test_escape_key(void)
{
    struct fake *fake = fake_new();
    struct swap in, out;
    swap_in(&in, STDIN_FILENO);
    swap_in(&out, STDOUT_FILENO);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, "mon:stdio"), 0);
    send(in.other, "a\001\001b\001bc\001hd\001ce\001x", 15);
    pump_until(fake, 6);
    for (unsigned i = 0; i < PATIENCE_MS && !atomic_load(&fake->quits); i++)
        nap();
    fake_close(fake);
    char text[1000] = "";
    ssize_t n = read(out.other, text, sizeof(text) - 1);
    swap_out(&out);
    swap_out(&in);
    CU_ASSERT_EQUAL(atomic_load(&fake->quits), 1);
    CU_ASSERT_EQUAL(fake->got, 6);
    CU_ASSERT_EQUAL(memcmp(fake->bytes, "a\001bcde", 6), 0);
    CU_ASSERT(n > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "C-a x    exit"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "no monitor on this line"));
    free(fake);
}

static void test_plain_stdio_has_no_escape_key(void)
{
    struct fake *fake = fake_new();
    struct swap in;
    swap_in(&in, STDIN_FILENO);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, "stdio"), 0);
    send(in.other, "\001x\001h", 4);
    pump_until(fake, 4);
    CU_ASSERT_EQUAL(fake->got, 4);
    CU_ASSERT_EQUAL(memcmp(fake->bytes, "\001x\001h", 4), 0);
    CU_ASSERT_EQUAL(atomic_load(&fake->quits), 0);
    fake_close(fake);
    swap_out(&in);
    free(fake);
}

static void test_full_queue_loses_nothing(void)
{
    enum { TOTAL = 200000 };
    struct fake *fake = fake_new();
    struct swap in;
    size_t sent = 0;
    swap_in(&in, STDIN_FILENO);
    fcntl(in.other, F_SETFL, O_NONBLOCK);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, "mon:stdio"), 0);
    fake->room = 0;
    for (unsigned i = 0; i < PATIENCE_MS && fake->got < TOTAL; i++) {
        while (sent < TOTAL) {
            char byte = (char)('A' + sent % 53);
            if (write(in.other, &byte, 1) != 1)
                break;
            sent++;
        }
        /* For a while the device takes nothing at all. */
        fake->room = i < 50 ? 0 : 16;
        chardev_set_pump(fake->set);
        nap();
    }
    CU_ASSERT_EQUAL(fake->got, TOTAL);
    bool in_order = true;
    for (size_t i = 0; i < fake->got; i++)
        in_order &= fake->bytes[i] == (uint8_t)('A' + i % 53);
    CU_ASSERT_TRUE(in_order);
    fake_close(fake);
    swap_out(&in);
    free(fake);
}

static void test_second_stdio_only_writes(void)
{
    struct fake *fake = fake_new();
    struct chardev *second;
    struct swap in, out;
    char text[16] = "";
    swap_in(&in, STDIN_FILENO);
    swap_in(&out, STDOUT_FILENO);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, "stdio"), 0);
    CU_ASSERT_EQUAL(chardev_open(fake->set, "stdio", "debugcon", &second,
                                 fake->error, sizeof(fake->error)),
                    0);
    second->write(second, (const uint8_t *)"x", 1);
    fake->chr->write(fake->chr, (const uint8_t *)"y", 1);
    send(in.other, "z", 1);
    pump_until(fake, 1);
    fake_close(fake);
    ssize_t n = read(out.other, text, sizeof(text) - 1);
    swap_out(&out);
    swap_out(&in);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_STRING_EQUAL(text, "xy");
    CU_ASSERT_EQUAL(fake->got, 1);
    free(fake);
}

static void test_pty(void)
{
    struct fake *fake = fake_new();
    struct swap out;
    char text[256] = "", path[128] = "";
    swap_in(&out, STDOUT_FILENO);
    CU_ASSERT_EQUAL_FATAL(fake_open(fake, "pty"), 0);
    ssize_t n = read(out.other, text, sizeof(text) - 1);
    swap_out(&out);
    CU_ASSERT(n > 0);
    CU_ASSERT_EQUAL_FATAL(
        sscanf(text, "char device redirected to %127s (label serial0)", path),
        1);
    /* Nobody is there: this must not wait. */
    for (unsigned i = 0; i < 10000; i++)
        fake->chr->write(fake->chr, (const uint8_t *)"dropped", 7);
    int fd = open(path, O_RDWR | O_NOCTTY);
    CU_ASSERT_FATAL(fd >= 0);
    send(fd, "ab\n", 3);
    pump_until(fake, 3);
    CU_ASSERT_EQUAL(fake->got, 3);
    CU_ASSERT_EQUAL(memcmp(fake->bytes, "ab\n", 3), 0);
    fake->chr->write(fake->chr, (const uint8_t *)"cd\n", 3);
    struct pollfd set = {.fd = fd, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&set, 1, PATIENCE_MS), 1);
    memset(text, 0, sizeof(text));
    CU_ASSERT_EQUAL(read(fd, text, sizeof(text)), 3);
    CU_ASSERT_STRING_EQUAL(text, "cd\n");
    /* Leaving and coming back. */
    close(fd);
    for (unsigned i = 0; i < 50; i++)
        nap();
    fd = open(path, O_RDWR | O_NOCTTY);
    send(fd, "e", 1);
    pump_until(fake, 4);
    CU_ASSERT_EQUAL(fake->got, 4);
    close(fd);
    fake_close(fake);
    free(fake);
}

/* In a child with a terminal of its own: takes it, and ends by `number`. */
static int terminal_child(int number, bool escapes)
{
    struct fake *fake = malloc(sizeof(*fake));
    struct termios mode;
    if (!fake || fake_open(fake, escapes ? "mon:stdio" : "stdio") < 0)
        return 2;
    tcgetattr(STDIN_FILENO, &mode);
    if (mode.c_lflag & (ICANON | ECHO))
        return 3;
    if (!(mode.c_lflag & ISIG) != escapes)
        return 4;
    send(STDOUT_FILENO, "!", 1);
    if (number) {
        signal(SIGALRM, SIG_DFL);
        raise(number);
    }
    fake_close(fake);
    free(fake);
    return 0;
}

static void end_in_terminal(int number, bool escapes)
{
    struct termios after;
    int master, status = 0;
    char text[64];
    fflush(stdout);
    fflush(stderr);
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    CU_ASSERT_FATAL(pid >= 0);
    if (pid == 0)
        _exit(terminal_child(number, escapes));
    CU_ASSERT(read(master, text, sizeof(text)) > 0);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    bool as_meant = number ? WIFSIGNALED(status) && WTERMSIG(status) == number
                           : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    CU_ASSERT_TRUE(as_meant);
    tcgetattr(master, &after);
    CU_ASSERT_EQUAL(after.c_lflag & (ICANON | ECHO | ISIG),
                    (tcflag_t)(ICANON | ECHO | ISIG));
    close(master);
}

static void test_terminal_is_given_back(void)
{
    end_in_terminal(0, true);
    end_in_terminal(0, false);
    end_in_terminal(SIGABRT, true);
    end_in_terminal(SIGQUIT, true);
}

static const struct test tests[] = {
    {"none_is_no_port_and_null_drops", test_none_and_null},
    {"file_is_written_at_once", test_file},
    {"room_of_the_device_is_honoured", test_room_is_honoured},
    {"end_of_input_ends_only_the_input", test_end_of_input},
    {"ctrl_a_is_the_escape_key", test_escape_key},
    {"plain_stdio_has_no_escape_key", test_plain_stdio_has_no_escape_key},
    {"full_queue_loses_nothing", test_full_queue_loses_nothing},
    {"second_stdio_only_writes", test_second_stdio_only_writes},
    {"pty_comes_and_goes", test_pty},
    {"terminal_is_given_back", test_terminal_is_given_back},
    {NULL, NULL},
};
TEST_MAIN("chardev", tests)
