/*
 * Commands that make, list and change breakpoints and watchpoints:
 *
 *   break ADDR [if EXPR]             break on KIND [N] [if EXPR]
 *   watch [phys] [byte|word|dword|qword] ADDR [SIZE] [if EXPR]
 *
 * KIND is a kind of event (pio, mmio, exception, irq ...), a sensitive
 * instruction (cli, lgdt ...), cr-write, port, mode, or triple-fault. N is the
 * vector, the port, the control register, the MSR or the leaf.
 * Not modelled: breakpoints by source line.
 */
#include "monitor/commands.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_MAX 4096u

static const char *skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* Takes a word off *at if it is this one. */
static bool take_word(const char **at, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(*at, word, n) != 0 || isalnum((unsigned char)(*at)[n]) ||
        (*at)[n] == '-' || (*at)[n] == '_')
        return false;
    *at = skip_blanks(*at + n);
    return true;
}

static int take_value(struct monitor *mon, const char **at, uint64_t *value)
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

/* "if EXPR" or nothing. */
static int take_condition(struct monitor *mon, const char *at,
                          struct point *point)
{
    char error[EXPR_ERROR];
    const char *end;

    at = skip_blanks(at);
    if (*at == '\0')
        return 0;
    if (!take_word(&at, "if"))
        return shell_error(mon, "\"%.40s\": only \"if EXPR\" may stand here",
                           at);
    bool event = point->debug.kind == DEBUG_EVENT && point->what != POINT_MODE;
    point->condition = expr_parse(at, mon->symbols, event, &end, error);
    if (!point->condition)
        return shell_error(mon, "after if, %s", error);
    if (*end)
        return shell_error(mon, "\"%.40s\" is left over after the condition",
                           end);
    point->if_text = strdup(at);
    return 0;
}

static int finish_point(struct monitor *mon, struct point *like,
                        const char *rest)
{
    int result = take_condition(mon, rest, like);
    struct point *p = NULL;

    if (result == 0) {
        p = like->text ? point_add(mon, like) : NULL;
        if (!p)
            result = shell_error(mon, "out of memory");
    }
    if (!p) {
        expr_free(like->condition);
        free(like->text);
        free(like->if_text);
        return result;
    }
    fprintf(
        mon->out, "%s%s %u, %s%s%s\n", p->debug.temporary ? "temporary " : "",
        p->debug.kind == DEBUG_WATCH || p->debug.kind == DEBUG_WATCH_PHYSICAL
            ? "watchpoint"
            : "breakpoint",
        p->debug.id, p->text, p->if_text ? " if " : "",
        p->if_text ? p->if_text : "");
    return 0;
}

static char *format(const char *pattern, ...)
    __attribute__((format(printf, 1, 2)));
static char *format(const char *pattern, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, pattern);
    vsnprintf(text, sizeof(text), pattern, ap);
    va_end(ap);
    return strdup(text);
}

/* --- break ---------------------------------------------------------------- */

/* The kind of event that a word names. */
static bool find_kind(const char *word, struct point *p)
{
    static const struct {
        const char *name;
        uint32_t kinds;
        int detail;
        enum point_what what;
    } others[] = {
        {"cr-write", 1u << EVENT_SENSITIVE, -1, POINT_CR_WRITE},
        {"mode",
         1u << EVENT_SENSITIVE | 1u << EVENT_IRQ | 1u << EVENT_EXCEPTION, -1,
         POINT_MODE},
        {"port", 1u << EVENT_PIO, -1, POINT_PLAIN},
        {"interrupt", 1u << EVENT_IRQ, -1, POINT_PLAIN},
        {"wrmsr", 1u << EVENT_MSR, -1, POINT_PLAIN},
    };

    p->detail = -1;
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(word, others[i].name) == 0) {
            p->debug.event_kinds = others[i].kinds;
            p->detail = others[i].detail;
            p->what = others[i].what;
            p->late = p->what == POINT_MODE;
            return true;
        }
    for (unsigned k = 0; k < EVENT_KINDS; k++)
        if (k != EVENT_STOP && k != EVENT_TIMER &&
            strcmp(word, event_kind_name((enum event_kind)k)) == 0) {
            p->debug.event_kinds = 1u << k;
            return true;
        }
    for (unsigned k = 1; k < SENSITIVE_KINDS; k++)
        if (strcmp(word, sensitive_name((enum sensitive)k)) == 0) {
            p->debug.event_kinds = 1u << EVENT_SENSITIVE;
            p->detail = (int)k;
            return true;
        }
    return false;
}

/* "break on exception 13" is "... if vector == 13". */
static const char *number_field(const struct point *p)
{
    if (p->what == POINT_CR_WRITE)
        return "reg";
    if (p->what == POINT_MODE)
        return NULL;
    if (p->debug.event_kinds & (1u << EVENT_EXCEPTION | 1u << EVENT_IRQ))
        return "vector";
    if (p->debug.event_kinds & (1u << EVENT_PIO | 1u << EVENT_MMIO |
                                1u << EVENT_MSR | 1u << EVENT_CPUID))
        return "addr";
    return NULL;
}

static int break_on(struct monitor *mon, const char *at, bool temporary)
{
    struct point like = {
        .debug = {.kind = DEBUG_EVENT, .temporary = temporary}};
    char word[32], rest[SHELL_LINE + 64];
    size_t n = 0;
    uint64_t value = 0;

    while (isalpha((unsigned char)at[n]) || at[n] == '-')
        n++;
    snprintf(word, sizeof(word), "%.*s", (int)(n < 31 ? n : 31), at);
    if (!find_kind(word, &like))
        return shell_error(mon,
                           "break on \"%s\": there is no such kind (pio mmio "
                           "exception irq paging cr-write mode hlt msr cpuid "
                           "sensitive, or an instruction as cli, lgdt)",
                           word);
    if (mon->machine->accel &&
        (mon->machine->accel->observes & like.debug.event_kinds) == 0)
        return shell_error(mon, "the engine %s does not see %s",
                           mon->machine->accel->name, word);
    at = skip_blanks(at + n);
    const char *field = number_field(&like);
    const char *condition = at;
    if (*at && field && !take_word(&condition, "if")) {
        if (take_value(mon, &at, &value) < 0)
            return -1;
        like.text = format("on %s 0x%" PRIx64, word, value);
        condition = skip_blanks(at);
        if (*condition && !take_word(&condition, "if"))
            return shell_error(mon, "\"%.40s\" is left over", condition);
        snprintf(rest, sizeof(rest), "if %s == 0x%" PRIx64 "%s%s%s", field,
                 value, *condition ? " && (" : "", condition,
                 *condition ? ")" : "");
        return finish_point(mon, &like, rest);
    }
    like.text = format("on %s", word);
    return finish_point(mon, &like, at);
}

static int break_at(struct monitor *mon, const char *text, bool temporary,
                    enum debug_kind kind)
{
    struct cpu *cpu = mon->machine->cpu[mon->cpu];
    struct point like = {.debug = {.kind = kind, .size = 1,
                                   .temporary = temporary},
                         .detail = -1};
    char symbol[240] = "";
    const char *at = skip_blanks(text);

    if (take_word(&at, "on"))
        return break_on(mon, at, temporary);
    like.debug.addr = cpu_linear_rip(cpu);
    const char *word = at;
    if (*at && !take_word(&word, "if") &&
        take_value(mon, &at, &like.debug.addr) < 0)
        return -1;
    if (kind == DEBUG_EXEC)
        symbols_format(mon->symbols, like.debug.addr, symbol, sizeof(symbol));
    like.text = format("%s0x%" PRIx64 "%s%s%s",
                       kind == DEBUG_EXEC ? "" : "physical ", like.debug.addr,
                       *symbol ? " <" : "", symbol, *symbol ? ">" : "");
    return finish_point(mon, &like, at);
}

int run_break(struct monitor *mon, const struct arg *args)
{
    return break_at(mon, args[0].given ? args[0].text : "", false, DEBUG_EXEC);
}

int run_tbreak(struct monitor *mon, const struct arg *args)
{
    return break_at(mon, args[0].given ? args[0].text : "", true, DEBUG_EXEC);
}

int run_pbreak(struct monitor *mon, const struct arg *args)
{
    return break_at(mon, args[0].text, false, DEBUG_EXEC_PHYSICAL);
}

/* --- watch --------------------------------------------------------------- */

static int watch(struct monitor *mon, const char *text, bool reads, bool writes)
{
    struct cpu *cpu = mon->machine->cpu[mon->cpu];
    struct point like = {.debug = {.kind = DEBUG_WATCH, .read = reads,
                                   .write = writes},
                         .late = true, .detail = -1};
    const char *at = skip_blanks(text), *word;
    uint64_t size = UINT64_C(2) << (cpu->mode & MODE_CODE);

    if (take_word(&at, "phys"))
        like.debug.kind = DEBUG_WATCH_PHYSICAL;
    size = take_word(&at, "byte")    ? 1
           : take_word(&at, "word")  ? 2
           : take_word(&at, "dword") ? 4
           : take_word(&at, "qword") ? 8
                                     : size;
    bool bracket = *at == '[';
    at += bracket;
    if (take_value(mon, &at, &like.debug.addr) < 0)
        return -1;
    if (bracket && *at != ']')
        return shell_error(mon, "] is missing");
    at = skip_blanks(at + bracket);
    word = at;
    if (*at && !take_word(&word, "if") && take_value(mon, &at, &size) < 0)
        return -1;
    if (size == 0 || size > WATCH_MAX)
        return shell_error(mon, "a watchpoint covers 1 to %u bytes", WATCH_MAX);
    like.debug.size = size;
    like.text = format("%s of %s0x%" PRIx64 ", %" PRIu64 " byte%s",
                       !reads   ? "write"
                       : writes ? "access"
                                : "read",
                       like.debug.kind == DEBUG_WATCH ? "" : "physical ",
                       like.debug.addr, size, size == 1 ? "" : "s");
    return finish_point(mon, &like, at);
}

int run_watch(struct monitor *mon, const struct arg *args)
{
    return watch(mon, args[0].text, false, true);
}

int run_rwatch(struct monitor *mon, const struct arg *args)
{
    return watch(mon, args[0].text, true, false);
}

int run_awatch(struct monitor *mon, const struct arg *args)
{
    return watch(mon, args[0].text, true, true);
}

/* --- the list ------------------------------------------------------------ */

int run_info_breakpoints(struct monitor *mon, const struct arg *args)
{
    bool any = false;

    (void)args;
    for (const struct point *p = shell_of(mon)->points; p; p = p->next) {
        if (p->internal)
            continue;
        if (!any)
            fputs("  id  on   hits  what\n", mon->out);
        any = true;
        fprintf(mon->out, "%4u  %s %6" PRIu64 "  %s%s%s%s", p->debug.id,
                p->debug.enabled ? "yes" : "no ", p->debug.hits, p->text,
                p->if_text ? " if " : "", p->if_text ? p->if_text : "",
                p->debug.temporary ? ", once" : "");
        if (p->debug.ignore)
            fprintf(mon->out, ", passes %" PRIu64 " more", p->debug.ignore);
        fputc('\n', mon->out);
    }
    if (!any)
        fputs("no breakpoints or watchpoints\n", mon->out);
    return 0;
}

static struct point *find(struct monitor *mon, uint64_t id)
{
    for (struct point *p = shell_of(mon)->points; p; p = p->next)
        if (!p->internal && p->debug.id == id)
            return p;
    shell_error(mon, "there is no breakpoint %" PRIu64, id);
    return NULL;
}

int run_delete(struct monitor *mon, const struct arg *args)
{
    if (args[0].given) {
        struct point *p = find(mon, args[0].value);
        if (p)
            point_remove(mon, p);
        return p ? 0 : -1;
    }
    while (shell_of(mon)->points)
        point_remove(mon, shell_of(mon)->points);
    return 0;
}

static int enable(struct monitor *mon, const struct arg *args, bool enabled)
{
    struct point *p = args[0].given ? find(mon, args[0].value) : NULL;

    if (args[0].given && !p)
        return -1;
    for (struct point *q = shell_of(mon)->points; q; q = q->next)
        if (!p || p == q)
            q->debug.enabled = enabled;
    debug_changed(mon->machine);
    return 0;
}

int run_enable(struct monitor *mon, const struct arg *args)
{
    return enable(mon, args, true);
}

int run_disable(struct monitor *mon, const struct arg *args)
{
    return enable(mon, args, false);
}

int run_ignore(struct monitor *mon, const struct arg *args)
{
    struct point *p = find(mon, args[0].value);

    if (!p)
        return -1;
    p->debug.ignore = args[1].value;
    fprintf(mon->out, "breakpoint %u: passes %" PRIu64 " times\n", p->debug.id,
            p->debug.ignore);
    return 0;
}
