/*
 * Raw terminal. A signal handler gets no context, and the terminal is the
 * process's anyway: so this file, alone, keeps state at file scope.
 */
#include "devices/host/terminal.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct {
    struct termios saved, raw;
    volatile sig_atomic_t active;
    bool prepared;
} terminal;

void terminal_restore(void)
{
    if (!terminal.active)
        return;
    terminal.active = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
}

static void on_fatal(int number)
{
    terminal_restore();
    /* SA_RESETHAND: this time the default action is taken. */
    raise(number);
}

/* For each signal that would kill the process, unless someone (a sanitizer, a
 * debugger) handles it already. */
static void catch_fatal_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
                                  SIGABRT, SIGQUIT, SIGSYS, SIGXCPU};
    struct sigaction action = {.sa_handler = on_fatal,

                               .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    struct sigaction before;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &before) == 0 &&
            before.sa_handler == SIG_DFL)
            sigaction(numbers[i], &action, NULL);
}

static bool in_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

bool terminal_raw(bool signals)
{
    if (!isatty(STDIN_FILENO) || !in_foreground() ||
        (!terminal.active && tcgetattr(STDIN_FILENO, &terminal.saved) < 0))
        return false;
    struct termios raw = terminal.saved;
    raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR |
                               IGNCR | ICRNL | IXON);
    /* Output stays cooked: our own messages end in a bare newline. */
    raw.c_oflag |= OPOST;
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals)
        raw.c_lflag &= ~(tcflag_t)ISIG;
    raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
    raw.c_cflag |= CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (!terminal.prepared) {
        terminal.prepared = true;
        catch_fatal_signals();
        atexit(terminal_restore);
    }
    terminal.raw = raw;
    terminal.active = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    return true;
}

void terminal_resume(void)
{
    if (terminal.active && in_foreground())
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.raw);
}
