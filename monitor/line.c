/*
 * The prompt. See line.h.
 *
 * While it waits, the machine is pumped ten times a second, so that a window
 * stays alive; Ctrl-C (which the host's thread turns into REQUEST_STOP) drops
 * the line, and a request to quit ends it.
 *
 * readline hands no context to its hooks: this file, alone, keeps a pointer.
 */
#include "monitor/line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#define HISTORY_LINES 1000

static struct shell *at_prompt;

/* --- completion ---------------------------------------------------------- */

static char *copy_if(const char *candidate, const char *typed, size_t length,
                     unsigned *n)
{
    if (strncmp(candidate, typed, length) != 0 || (*n)-- != 0)
        return NULL;
    return strdup(candidate);
}

/* The next word of a command's name, when those before are the line's. */
static char *command_word(const char *line, size_t start, unsigned n)
{
    const struct command *c;
    const char *typed = line + start;
    char earlier[64] = "";

    for (unsigned i = 0; (c = command_at(i)); i++) {
        char word[64];
        if (strlen(c->name) < start || strncmp(c->name, line, start) != 0)
            continue;
        size_t length = strcspn(c->name + start, " ");
        snprintf(word, sizeof(word), "%.*s", (int)length, c->name + start);
        if (strcmp(word, earlier) == 0)
            continue; /* info, once */
        snprintf(earlier, sizeof(earlier), "%s", word);
        char *found = copy_if(word, typed, strlen(typed), &n);
        if (found)
            return found;
    }
    return NULL;
}

static char *value_word(struct monitor *mon, const char *typed, unsigned n)
{
    bool dollar = *typed == '$';
    size_t length = strlen(typed + dollar);
    const char *name;
    char *found = NULL;

    for (unsigned i = 0; !found && (name = expr_name(i)); i++)
        found = copy_if(name, typed + dollar, length, &n);
    if (found && dollar) {
        char *with = malloc(strlen(found) + 2);
        if (with)
            sprintf(with, "$%s", found);
        free(found);
        return with;
    }
    for (size_t i = 0;
         !found && !dollar && length && mon->symbols && i < mon->symbols->count;
         i++)
        found = copy_if(mon->symbols->list[i].name, typed, length, &n);
    return found;
}

char *line_candidate(struct monitor *mon, const char *line, size_t start,
                     unsigned n)
{
    const char *rest;
    char error[1024];

    char *found = command_word(line, start, n);
    if (found || start == 0)
        return found;
    const struct command *c = command_find(line, &rest, error, sizeof(error));
    if (!c || !c->args || !*c->args)
        return NULL;
    return value_word(mon, line + start, n);
}

static char *generate(const char *typed, int state)
{
    char line[SHELL_LINE];

    snprintf(line, sizeof(line), "%.*s", rl_point, rl_line_buffer);
    size_t length = strlen(line), n = strlen(typed);
    return line_candidate(&at_prompt->mon, line, length >= n ? length - n : 0,
                          (unsigned)state);
}

static char **complete(const char *typed, int start, int end)
{
    const char *rest;
    char error[1024], line[SHELL_LINE];

    (void)end;
    /* File names, where the table says f; readline knows how. */
    snprintf(line, sizeof(line), "%.*s", start, rl_line_buffer);
    const struct command *c = command_find(line, &rest, error, sizeof(error));
    if (c && c->args && strstr(c->args, ":f"))
        return NULL;
    rl_attempted_completion_over = 1;
    return rl_completion_matches(typed, generate);
}

/* --- the prompt ---------------------------------------------------------- */

static int on_idle(void)
{
    struct machine *m = at_prompt->mon.machine;
    unsigned asked = atomic_load(&m->requests);

    if (m->pump)
        m->pump(m->host, m);
    if (asked & REQUEST_QUIT) {
        at_prompt->mon.quit = true;
        rl_done = 1;
    } else if (asked & REQUEST_STOP) {
        atomic_fetch_and(&m->requests, ~(unsigned)REQUEST_STOP);
        rl_replace_line("", 1);
        rl_crlf();
        rl_on_new_line();
        rl_redisplay();
    }
    return 0;
}

void line_open(struct shell *shell)
{
    const char *home = getenv("HOME");

    at_prompt = shell;
    if (!isatty(STDIN_FILENO))
        return;
    rl_readline_name = "vitrine";
    rl_catch_signals = 0; /* the host's thread has them */
    rl_event_hook = on_idle;
    rl_attempted_completion_function = complete;
    rl_basic_word_break_characters = " \t\n[]()+-*/%&|^!=<>,:";
    using_history();
    stifle_history(HISTORY_LINES);
    if (home && *home && strlen(home) + 20 < sizeof(shell->history)) {
        snprintf(shell->history, sizeof(shell->history), "%s/.vitrine_history",
                 home);
        read_history(shell->history);
    }
}

void line_close(struct shell *shell)
{
    if (isatty(STDIN_FILENO) && shell->history[0])
        write_history(shell->history);
    if (isatty(STDIN_FILENO))
        clear_history();
    at_prompt = NULL;
}

static void remember(const char *line)
{
    HIST_ENTRY *last =
        history_length ? history_get(history_base + history_length - 1) : NULL;

    if (*line && (!last || strcmp(last->line, line) != 0))
        add_history(line);
}

char *line_read(struct shell *shell, const char *prompt)
{
    char *line = NULL;
    size_t room = 0;

    fflush(shell->mon.out);
    if (isatty(STDIN_FILENO)) {
        line = readline(prompt);
        if (shell->mon.quit) {
            free(line);
            return NULL;
        }
        if (line)
            remember(line);
        else
            fputc('\n', shell->mon.out);
        return line;
    }
    ssize_t got = getline(&line, &room, stdin);
    if (got < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    /* A transcript reads as it would on a terminal. */
    fprintf(shell->mon.out, "%s%s\n", prompt, line);
    return line;
}
