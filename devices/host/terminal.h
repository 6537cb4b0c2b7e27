/*
 * The process's terminal: raw while a guest has it, as it was afterwards,
 * whatever way the process ends (but for SIGKILL).
 */
#ifndef DEVICES_HOST_TERMINAL_H
#define DEVICES_HOST_TERMINAL_H

#include <stdbool.h>

/*
 * Takes the terminal on standard input into raw mode, if it is one and this
 * process is in its foreground. `signals`: Ctrl-C and its like still raise
 * signals; otherwise the guest gets them. Returns whether it did.
 */
bool terminal_raw(bool signals);
/* Gives it back. Safe in signal handlers, and to call twice. */
void terminal_restore(void);
/* After a stop and SIGCONT: raw again if it was. */
void terminal_resume(void);

#endif
