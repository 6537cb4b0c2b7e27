/*
 * The shell's insides, shared by monitor.c, script.c, commands_*.c and
 * start.c. What others need of it is in monitor.h and start.h.
 */
#ifndef MONITOR_SHELL_H
#define MONITOR_SHELL_H

#include "emu/trace.h"
#include "emu/x86/cpu.h"
#include "monitor/expr.h"
#include "monitor/monitor.h"
#include "monitor/symbols.h"

#define SHELL_LINE 1024
#define SHELL_ARGS 8
#define SHELL_NEST 8 /* scripts that run scripts */

/* How a point decides, beyond its place, once the machine has stopped. */
enum point_what {
    POINT_PLAIN,
    POINT_CR_WRITE, /* MOV CRn, LMSW and CLTS: decoded when they come */
    POINT_MODE,     /* stops only where the CPU's mode has changed */
};

/* A breakpoint or watchpoint of the user's, or of next, until and finish. */
struct point {
    struct debug_point debug;
    enum point_what what;
    bool internal; /* made by a command, gone when it ends */
    bool late;     /* the condition is looked at after the stop */
    int detail;    /* events: only this detail; -1: any */
    char *text;    /* as `info breakpoints` shows it */
    char *if_text; /* or NULL */
    struct expr *condition;
    uint64_t old;  /* watch: what was there */
    char mode[48]; /* POINT_MODE: the mode so far */
    uint64_t hits_before, ignore_before;
    struct monitor *mon;
    struct point *next;
};

struct shell {
    struct monitor mon;
    struct point *points;
    bool interactive; /* a prompt, not a script */
    bool off;         /* the guest has shut down */
    bool tap;         /* asserts are told as TAP */
    unsigned asserts, failed;
    unsigned nest;
    char last[SHELL_LINE]; /* what an empty line repeats */
    uint64_t stop_seq;
    struct trace trace;
    struct event_sink printer; /* trace on exits, to the monitor's output */
    bool printing;
    const char *trace_item;
    char trace_path[256];
    char history[512];
};

struct shell *shell_new(struct machine *machine, FILE *out);
void shell_free(struct shell *shell);

static inline struct shell *shell_of(struct monitor *mon)
{
    return mon->impl;
}

/* Prints "error: ..." and returns -1. */
int shell_error(struct monitor *mon, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- parse.c ------------------------------------------------------------- */
/* The table's commands, one after the other; NULL at the end. */
const struct command *command_at(unsigned index);
/* Finds the command a line begins with; *rest is what follows its name. NULL
 * when there is none or more than one, with a message in `error`. */
const struct command *command_find(const char *line, const char **rest,
                                   char *error, size_t error_size);
/* Fills args[] after the command's args string. Texts go into `buffer` (of
 * SHELL_LINE bytes). 0, or -1 with a message printed. */
int command_parse(struct monitor *mon, const struct command *command,
                  const char *rest, struct arg args[SHELL_ARGS], char *buffer);
/* "break WHERE [REST...]" */
void command_usage(const struct command *command, char *text, size_t size);
/* An expression that is all of the text. 0, or -1 with a message printed. */
int shell_eval(struct monitor *mon, const char *text, uint64_t *value);

/* --- run.c: moving the machine ------------------------------------------- */
/* Runs until something stops it, or `count` instructions (0: no limit), and
 * says where and why unless `quiet`. 0, or -1 after an error of the engine or
 * when the guest is off. */
int shell_run(struct monitor *mon, uint64_t count, bool quiet);
/* Prints the place the CPU is at: address, symbol, bytes, instruction. */
void shell_where(struct monitor *mon);
/* Decodes at linear `addr`: the length, 0 when it cannot be read. */
unsigned shell_disasm(struct monitor *mon, uint64_t addr, uint64_t rip,
                      char *text, size_t size, uint8_t bytes[16]);
/* What the CPU's mode is called: "real mode", "64-bit mode, paging". */
void shell_mode(const struct cpu *cpu, char *text, size_t size);

/* --- points.c ------------------------------------------------------------ */
/* Adds a point; takes over what it points to. NULL: out of memory. */
struct point *point_add(struct monitor *mon, const struct point *like);
void point_remove(struct monitor *mon, struct point *point);
/* All that came up in this stop: prints them unless `quiet`, removes temporary
 * ones. False: none of them means it, run on. */
bool points_stopped(struct monitor *mon, bool quiet, bool *user);
void points_before_run(struct monitor *mon);

/* --- script.c ------------------------------------------------------------ */
/* Runs a file of commands; stops at the first failure. 0 or -1. */
int shell_script(struct monitor *mon, const char *path);

#endif
