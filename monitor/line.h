/* Reading lines at the prompt: readline on a terminal, plain lines else. */
#ifndef MONITOR_LINE_H
#define MONITOR_LINE_H

#include "monitor/shell.h"

/* Before the first and after the last line: the history. */
void line_open(struct shell *shell);
void line_close(struct shell *shell);
/* The next line, to be freed; NULL at the end of the input or when the process
 * shall end. An empty one is what the user typed. */
char *line_read(struct shell *shell, const char *prompt);
/* What may stand at `start` in `line` and begins with the rest of it: the
 * n-th, to be freed; NULL: no more. For completion. */
char *line_candidate(struct monitor *mon, const char *line, size_t start,
                     unsigned n);

#endif
