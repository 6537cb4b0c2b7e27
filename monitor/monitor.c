/*
 * The shell: a line in, the command found and run; and the commands that are
 * about the shell itself.
 */
#include "monitor/monitor.h"

#include "monitor/shell.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct shell *shell_new(struct machine *machine, FILE *out)
{
    struct shell *shell = calloc(1, sizeof(*shell));

    if (!shell)
        return NULL;
    shell->mon = (struct monitor){
        .machine = machine, .out = out, .impl = shell};
    return shell;
}

void shell_free(struct shell *shell)
{
    if (!shell)
        return;
    while (shell->points)
        point_remove(&shell->mon, shell->points);
    trace_close(&shell->trace);
    if (shell->printing)
        ledger_remove_sink(&shell->mon.machine->ledger, &shell->printer);
    symbols_free(shell->mon.symbols);
    free(shell);
}

struct monitor *monitor_new(struct machine *machine, FILE *out)
{
    struct shell *shell = shell_new(machine, out);

    return shell ? &shell->mon : NULL;
}

void monitor_free(struct monitor *mon)
{
    if (mon)
        shell_free(shell_of(mon));
}

int monitor_line(struct monitor *mon, const char *line)
{
    struct arg args[SHELL_ARGS];
    char buffer[SHELL_LINE + SHELL_ARGS], error[1024];
    const char *rest;

    while (isspace((unsigned char)*line))
        line++;
    if (*line == '\0')
        return 0;
    if (strlen(line) >= SHELL_LINE)
        return shell_error(mon, "a line has at most %d bytes", SHELL_LINE - 1);
    const struct command *command =
        command_find(line, &rest, error, sizeof(error));
    if (!command)
        return shell_error(mon, "%s", error);
    if (command_parse(mon, command, rest, args, buffer) < 0)
        return -1;
    return command->run(mon, args) < 0 ? -1 : 0;
}

/* --- help ---------------------------------------------------------------- */

static void help_line(struct monitor *mon, const struct command *c)
{
    char usage[160];

    command_usage(c, usage, sizeof(usage));
    fprintf(mon->out, "%-34s %s%s%s%s\n", usage, c->help,
            c->aliases ? " (" : "", c->aliases ? c->aliases : "",
            c->aliases ? ")" : "");
}

static int help(struct monitor *mon, const struct arg *args)
{
    const struct command *c;
    unsigned shown = 0;
    char error[1024];
    const char *rest;

    for (unsigned i = 0; (c = command_at(i)); i++) {
        if (args[0].given &&
            strncmp(c->name, args[0].text, strlen(args[0].text)) != 0)
            continue;
        help_line(mon, c);
        shown++;
    }
    if (shown)
        return 0;
    c = command_find(args[0].text, &rest, error, sizeof(error));
    if (!c)
        return shell_error(mon, "%s", error);
    help_line(mon, c);
    return 0;
}

/* --- assert, print, source ----------------------------------------------- */

static int assert_true(struct monitor *mon, const struct arg *args)
{
    struct shell *shell = shell_of(mon);
    uint64_t value = 0;

    shell->asserts++;
    int result = shell_eval(mon, args[0].text, &value);
    bool good = result == 0 && value;
    if (shell->tap)
        fprintf(mon->out, "%s %u - %s\n", good ? "ok" : "not ok",
                shell->asserts, args[0].text);
    else if (result == 0 && !value)
        fprintf(mon->out, "assertion failed: %s\n", args[0].text);
    if (good)
        return 0;
    shell->failed++;
    /* What the left side was helps most. */
    const char *end;
    char error[EXPR_ERROR];
    struct expr_context context = {.machine = mon->machine,
                                   .cpu = mon->machine->cpu[mon->cpu]};
    char left[SHELL_LINE];
    size_t n = strcspn(args[0].text, "=!<>");
    snprintf(left, sizeof(left), "%.*s", (int)n, args[0].text);
    struct expr *e = expr_parse(left, mon->symbols, false, &end, error);
    if (e && *end == '\0' && expr_eval(e, &context, &value, error))
        fprintf(mon->out, "%sit is 0x%" PRIx64 " (%" PRIu64 ")\n",
                shell->tap ? "# " : "", value, value);
    expr_free(e);
    return -1;
}

static int print(struct monitor *mon, const struct arg *args)
{
    uint64_t value = args[0].value;
    char symbol[240];

    fprintf(mon->out, "0x%" PRIx64 " = %" PRIu64, value, value);
    if (symbols_format(mon->symbols, value, symbol, sizeof(symbol)))
        fprintf(mon->out, " <%s>", symbol);
    fputc('\n', mon->out);
    return 0;
}

static int echo(struct monitor *mon, const struct arg *args)
{
    fprintf(mon->out, "%s\n", args[0].given ? args[0].text : "");
    return 0;
}

static int source(struct monitor *mon, const struct arg *args)
{
    return shell_script(mon, args[0].text);
}

static int symbols(struct monitor *mon, const struct arg *args)
{
    char error[160];
    struct symbols *loaded = symbols_load(args[0].text, error, sizeof(error));

    if (!loaded)
        return shell_error(mon, "%s: %s", args[0].text, error);
    symbols_free(mon->symbols);
    mon->symbols = loaded;
    fprintf(mon->out, "%zu symbols of %s\n", loaded->count, args[0].text);
    return 0;
}

static int tap(struct monitor *mon, const struct arg *args)
{
    bool off = args[0].given && strcmp(args[0].text, "off") == 0;

    if (args[0].given && !off && strcmp(args[0].text, "on") != 0)
        return shell_error(mon, "tap on, or tap off");
    shell_of(mon)->tap = !off;
    return 0;
}

const struct command shell_commands[] = {
    {"help", "h ?", "command:r?", "list the commands, or explain one", help},
    {"print", "p", "value:x", "show what an expression is", print},
    {"assert", NULL, "expression:r",
     "fail, and end a script, unless it is true: assert exits pio >= 3",
     assert_true},
    {"echo", NULL, "text:r?", "print the text", echo},
    {"source", NULL, "file:f", "run the commands in FILE", source},
    {"symbols", "symbol-file", "file:f", "load the symbols of an ELF FILE",
     symbols},
    {"tap", NULL, "on:w?", "tell asserts in TAP, for graders", tap},
    {NULL, NULL, NULL, NULL, NULL},
};
