/* The commands' functions, between commands_*.c and the tables only. */
#ifndef MONITOR_COMMANDS_H
#define MONITOR_COMMANDS_H

#include "monitor/shell.h"

#define COMMAND(NAME)                                                          \
    int run_##NAME(struct monitor *mon, const struct arg *args)

/* commands_run.c */
COMMAND(step);
COMMAND(next);
COMMAND(finish);
COMMAND(until);
COMMAND(continue);
COMMAND(stop);
COMMAND(reset);
COMMAND(quit);
COMMAND(where);
/* commands_break.c */
COMMAND(break);
COMMAND(tbreak);
COMMAND(pbreak);
COMMAND(watch);
COMMAND(rwatch);
COMMAND(awatch);
COMMAND(info_breakpoints);
COMMAND(delete);
COMMAND(enable);
COMMAND(disable);
COMMAND(ignore);

/* commands_ledger.c */
COMMAND(events);
COMMAND(info_exits);
COMMAND(trace);
/* commands_machine.c */
COMMAND(sendkey);
COMMAND(screendump);
COMMAND(powerdown);
COMMAND(in);
COMMAND(out);

#endif
