/*
 * Command lines: from the tables to a command and its arguments.
 *
 * Each word of a command's name may be cut short as long as that says which
 * is meant; an alias is one word, and exact. "x/4i rip" is the command x with
 * "/4i" as its first argument: an argument that the table calls "fmt" is
 * taken only when it begins with a slash.
 */
#include "monitor/shell.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int shell_error(struct monitor *mon, const char *format, ...)
{
    va_list ap;

    fputs("error: ", mon->out);
    va_start(ap, format);
    vfprintf(mon->out, format, ap);
    va_end(ap);
    fputc('\n', mon->out);
    return -1;
}

const struct command *command_at(unsigned index)
{
    const struct command *const tables[] = {control_commands, look_commands,
                                            shell_commands};

    for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
        for (const struct command *c = tables[t]; c->name; c++)
            if (index-- == 0)
                return c;
    return NULL;
}

static const char *skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static size_t word_length(const char *text)
{
    size_t n = 0;

    while (text[n] && !isspace((unsigned char)text[n]) && text[n] != '/')
        n++;
    return n;
}

/* How the line begins with the command's name: 0 not at all, 1 abbreviated, 2
 * in full. *end: behind it; *words: how many it had. */
static int match_name(const char *name, const char *line, const char **end,
                      unsigned *words)
{
    int result = 2;

    *words = 0;
    while (*name) {
        size_t full = strcspn(name, " "), n;
        line = skip_blanks(line);
        n = word_length(line);
        if (n == 0 || n > full || strncmp(name, line, n) != 0)
            return 0;
        if (n < full)
            result = 1;
        line += n;
        name += full + (name[full] == ' ');
        ++*words;
    }
    *end = line;
    return result;
}

static bool match_alias(const char *aliases, const char *line, const char **end)
{
    line = skip_blanks(line);
    size_t n = word_length(line);

    for (const char *a = aliases; a && *a;) {
        size_t full = strcspn(a, " ");
        if (n == full && n && strncmp(a, line, n) == 0) {
            *end = line + n;
            return true;
        }
        a += full + (a[full] == ' ');
    }
    return false;
}

/* What a line that fits nothing, or too much, could have meant. */
static void list_matches(const char *line, char *error, size_t size)
{
    const struct command *c;
    line = skip_blanks(line);
    size_t n = word_length(line), used;
    unsigned found = 0;

    used = (size_t)snprintf(error, size, "\"%.*s\": which of",
                            (int)(n < 40 ? n : 40), line);
    for (unsigned i = 0; (c = command_at(i)) && used < size; i++) {
        if (strncmp(c->name, line, n) != 0)
            continue;
        int more = snprintf(error + used, size - used, "%s %s",
                            found ? "," : "", c->name);
        used += (size_t)more;
        found++;
    }
    if (!found)
        snprintf(error, size,
                 "\"%.*s\": there is no such command (help lists them)",
                 (int)(n < 40 ? n : 40), line);
}

const struct command *command_find(const char *line, const char **rest,
                                   char *error, size_t error_size)
{
    const struct command *c, *best = NULL;
    unsigned best_words = 0, words = 0, same = 0;
    const char *end = line;
    int best_how = 0;

    for (unsigned i = 0; (c = command_at(i)); i++) {
        int how = match_name(c->name, line, &end, &words);
        if (match_alias(c->aliases, line, &end)) {
            how = 2;
            words = 1;
        }
        if (!how || how < best_how || (how == best_how && words < best_words))
            continue;
        same = how == best_how && words == best_words ? same + 1 : 1;
        best = c;
        best_how = how;
        best_words = words;
        *rest = end;
    }
    if (same == 1 && best)
        return best;
    list_matches(line, error, error_size);
    return NULL;
}

void command_usage(const struct command *command, char *text, size_t size)
{
    const char *a = command->args ? command->args : "";
    size_t used = (size_t)snprintf(text, size, "%s", command->name);

    while (*(a = skip_blanks(a)) && used < size) {
        size_t n = strcspn(a, " "), name = strcspn(a, ": ");
        bool optional = a[n - 1] == '?';
        int more = snprintf(text + used, size - used,
                            optional ? " [%.*s]" : " %.*s", (int)name, a);
        for (size_t i = used; i < used + (size_t)more && i < size; i++)
            text[i] = (char)toupper((unsigned char)text[i]);
        used += (size_t)more;
        a += n;
    }
}

/* --- arguments ----------------------------------------------------------- */

static int usage_error(struct monitor *mon, const struct command *command,
                       const char *what)
{
    char usage[160];

    command_usage(command, usage, sizeof(usage));
    return shell_error(mon, "%s (usage: %s)", what, usage);
}

/* One expression off *at. */
static int take_expression(struct monitor *mon, const char **at,
                           uint64_t *value)
{
    struct expr_context context = {.machine = mon->machine,
                                   .cpu = mon->machine->cpu[mon->cpu]};
    char error[EXPR_ERROR];

    struct expr *e = expr_parse(*at, mon->symbols, false, at, error);
    if (!e)
        return shell_error(mon, "%s", error);
    bool good = expr_eval(e, &context, value, error);
    expr_free(e);
    return good ? 0 : shell_error(mon, "%s", error);
}

int shell_eval(struct monitor *mon, const char *text, uint64_t *value)
{
    const char *at = text;

    if (take_expression(mon, &at, value) < 0)
        return -1;
    if (*at)
        return shell_error(mon, "column %zu: \"%.40s\" is left over",
                           (size_t)(at - text) + 1, at);
    return 0;
}

/* A word, or a file name that may stand in double quotes. */
static int take_word(struct monitor *mon, const char **at, char **buffer,
                     bool quotes, const char **text)
{
    const char *from = *at;
    size_t n;

    if (quotes && *from == '"') {
        from++;
        n = strcspn(from, "\"");
        if (from[n] != '"')
            return shell_error(mon, "the closing \" is missing");
        *at = from + n + 1;
    } else {
        for (n = 0; from[n] && !isspace((unsigned char)from[n]); n++)
            ;
        *at = from + n;
    }
    *text = *buffer;
    memcpy(*buffer, from, n);
    (*buffer)[n] = '\0';
    *buffer += n + 1;
    return 0;
}

static int take_rest(const char **at, char **buffer, const char **text)
{
    size_t n = strlen(*at);

    while (n && isspace((unsigned char)(*at)[n - 1]))
        n--;
    *text = *buffer;
    memcpy(*buffer, *at, n);
    (*buffer)[n] = '\0';
    *buffer += n + 1;
    *at += strlen(*at);
    return 0;
}

static int take(struct monitor *mon, char type, const char **at, char **buffer,
                struct arg *arg)
{
    switch (type) {
    case 'w': return take_word(mon, at, buffer, false, &arg->text);
    case 'f': return take_word(mon, at, buffer, true, &arg->text);
    case 'r': return take_rest(at, buffer, &arg->text);
    default: return take_expression(mon, at, &arg->value);
    }
}

int command_parse(struct monitor *mon, const struct command *command,
                  const char *rest, struct arg args[SHELL_ARGS], char *buffer)
{
    const char *spec = command->args ? command->args : "";
    unsigned n = 0;

    memset(args, 0, SHELL_ARGS * sizeof(*args));
    for (; *(spec = skip_blanks(spec)) && n < SHELL_ARGS;
         spec += strcspn(spec, " "), n++) {
        size_t length = strcspn(spec, " "), name = strcspn(spec, ": ");
        bool optional = spec[length - 1] == '?';
        char type = spec[name] == ':' ? spec[name + 1] : 'r';
        struct arg *arg = &args[n];
        arg->name = spec; /* up to the colon */
        rest = skip_blanks(rest);
        bool absent =
            *rest == '\0' ||
            (name == 3 && strncmp(spec, "fmt", 3) == 0 && *rest != '/');
        if (absent && optional)
            continue;
        if (absent) {
            char what[80];
            snprintf(what, sizeof(what), "%.*s is missing", (int)name, spec);
            return usage_error(mon, command, what);
        }
        if (take(mon, type, &rest, &buffer, arg) < 0)
            return -1;
        arg->given = true;
    }
    rest = skip_blanks(rest);
    if (*rest) {
        char what[80];
        snprintf(what, sizeof(what), "\"%.40s\" is left over", rest);
        return usage_error(mon, command, what);
    }
    return 0;
}
