/* Commands on the event ledger: its tail, its counts, its traces. */
#include "monitor/commands.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_SHOWN 20u

/* Takes the next word off *at; false at the end. */
static bool next_word(const char **at, char *word, size_t size)
{
    size_t n = 0;

    while (isspace((unsigned char)**at))
        ++*at;
    while ((*at)[n] && !isspace((unsigned char)(*at)[n]))
        n++;
    snprintf(word, size, "%.*s", (int)n, *at);
    *at += n;
    return n != 0;
}

static bool find_kind(const char *word, unsigned *kind)
{
    for (unsigned k = 0; k < EVENT_KINDS; k++)
        if (strcmp(word, event_kind_name((enum event_kind)k)) == 0) {
            *kind = k;
            return true;
        }
    return false;
}

static int unknown_kind(struct monitor *mon, const char *word)
{
    return shell_error(mon,
                       "\"%s\" is no kind of event: pio mmio sensitive "
                       "exception irq paging hlt msr cpuid timer stop kvm",
                       word);
}

static int record(struct monitor *mon, const char *at)
{
    uint32_t kinds = 0;
    char word[32];
    unsigned kind;

    while (next_word(&at, word, sizeof(word))) {
        if (!find_kind(word, &kind))
            return unknown_kind(mon, word);
        kinds |= 1u << kind;
    }
    ledger_record(&mon->machine->ledger, kinds ? kinds : EVENT_ALL);
    return 0;
}

static int show(struct monitor *mon, uint64_t count, uint32_t kinds)
{
    const struct ledger *ledger = &mon->machine->ledger;
    const struct event *shown[EVENT_RING];
    unsigned found = 0;
    char line[512];

    for (uint64_t back = 0; back < EVENT_RING && found < count; back++) {
        if (back >= ledger->seq)
            break;
        uint64_t seq = ledger->seq - back;
        const struct event *e = &ledger->ring[seq & (EVENT_RING - 1)];
        if (e->seq == seq && e->kind < EVENT_KINDS && (kinds >> e->kind & 1))
            shown[found++] = e;
    }
    for (unsigned i = found; i-- > 0;) {
        event_format(shown[i], line, sizeof(line));
        fprintf(mon->out, "%s\n", line);
    }
    if (!found)
        fprintf(mon->out, "no such event among the last %u that happened%s\n",
                EVENT_RING,
                ledger->recorded == EVENT_ALL
                    ? ""
                    : " (events on: records all kinds from now on)");
    return 0;
}

int run_events(struct monitor *mon, const struct arg *args)
{
    const char *at = args[0].given ? args[0].text : "";
    uint64_t count = EVENTS_SHOWN;
    uint32_t kinds = 0;
    char word[32];
    unsigned kind;

    while (next_word(&at, word, sizeof(word))) {
        if (strcmp(word, "on") == 0)
            return record(mon, at);
        if (strcmp(word, "off") == 0) {
            ledger_record(&mon->machine->ledger, 0);
            return 0;
        }
        if (isdigit((unsigned char)word[0])) {
            if (shell_eval(mon, word, &count) < 0)
                return -1;
        } else if (find_kind(word, &kind)) {
            kinds |= 1u << kind;
        } else {
            return unknown_kind(mon, word);
        }
    }
    return show(mon, count, kinds ? kinds : EVENT_ALL);
}

/* --- info exits ---------------------------------------------------------- */

static void show_vectors(struct monitor *mon)
{
    const struct ledger *ledger = &mon->machine->ledger;

    for (unsigned v = 0; v < 256; v++)
        if (ledger->vector_count[v])
            fprintf(mon->out, "    vector 0x%02x %19" PRIu64 "\n", v,
                    ledger->vector_count[v]);
}

int run_info_exits(struct monitor *mon, const struct arg *args)
{
    const struct ledger *ledger = &mon->machine->ledger;
    uint64_t total = 0;

    (void)args;
    for (unsigned k = 0; k < EVENT_KINDS; k++)
        total += ledger->count[k];
    for (unsigned k = 0; k < EVENT_KINDS; k++) {
        if (!ledger->count[k])
            continue;
        fprintf(mon->out, "%-16s %18" PRIu64 "  %5.1f%%\n",
                event_kind_name((enum event_kind)k), ledger->count[k],
                100.0 * (double)ledger->count[k] / (double)total);
        for (unsigned i = 1; k == EVENT_SENSITIVE && i < SENSITIVE_KINDS; i++)
            if (ledger->sensitive_count[i])
                fprintf(mon->out, "    %-12s %18" PRIu64 "\n",
                        sensitive_name((enum sensitive)i),
                        ledger->sensitive_count[i]);
        for (unsigned i = 0; k == EVENT_PAGING && i <= PAGING_EFER; i++)
            if (ledger->paging_count[i])
                fprintf(mon->out, "    %-12s %18" PRIu64 "\n",
                        paging_event_name((enum paging_event)i),
                        ledger->paging_count[i]);
        if (k == EVENT_IRQ)
            fputs("    (vectors, with those of exceptions, below)\n", mon->out);
    }
    show_vectors(mon);
    fprintf(mon->out, "%-16s %18" PRIu64 "  in %" PRIu64 " instructions\n",
            "all", total, mon->machine->clock.instructions);
    return 0;
}

/* --- trace --------------------------------------------------------------- */

static void print_event(void *ctx, const struct event *event)
{
    struct monitor *mon = ctx;
    char line[512];

    event_format(event, line, sizeof(line));
    fprintf(mon->out, "%s\n", line);
}

static int trace_off(struct monitor *mon)
{
    struct shell *shell = shell_of(mon);
    int error = trace_close(&shell->trace);

    if (shell->printing)
        ledger_remove_sink(&mon->machine->ledger, &shell->printer);
    shell->printing = false;
    mon->machine->log.mask = 0;
    if (error)
        return shell_error(mon, "%s: not all was written: %s",
                           shell->trace_path, strerror(-error));
    return 0;
}

static int trace_exits(struct monitor *mon, const char *path)
{
    struct shell *shell = shell_of(mon);

    if (shell->printing || shell->trace.ledger)
        return shell_error(mon, "exits are traced already (trace off)");
    if (*path) {
        snprintf(shell->trace_path, sizeof(shell->trace_path), "%s", path);
        int error =
            trace_open(&shell->trace, &mon->machine->ledger, shell->trace_path);
        return error ? shell_error(mon, "%s: %s", path, strerror(-error)) : 0;
    }
    shell->printer = (struct event_sink){
        .on_event = print_event, .ctx = mon, .kinds = EVENT_ALL};
    ledger_add_sink(&mon->machine->ledger, &shell->printer);
    shell->printing = true;
    return 0;
}

static int trace_log_item(struct monitor *mon, const char *item,
                          const char *path)
{
    struct machine *m = mon->machine;

    if (log_parse(&m->log, item))
        return shell_error(mon,
                           "trace on \"%s\": exits, int, in_asm, "
                           "cpu_reset, guest_errors or unimp",
                           item);
    int error = *path ? log_open(&m->log, path) : 0;
    if (error)
        return shell_error(mon, "%s: %s", path, strerror(-error));
    debug_changed(m); /* blocks are decoded, and so logged, again */
    return 0;
}

int run_trace(struct monitor *mon, const struct arg *args)
{
    const char *at = args[0].text;
    char word[32], item[32] = "", path[256] = "";

    next_word(&at, word, sizeof(word));
    if (strcmp(word, "off") == 0)
        return trace_off(mon);
    if (strcmp(word, "on") != 0 || !next_word(&at, item, sizeof(item)))
        return shell_error(mon, "trace on ITEM [to FILE], or trace off");
    if (next_word(&at, word, sizeof(word)) &&
        (strcmp(word, "to") != 0 || !next_word(&at, path, sizeof(path))))
        return shell_error(mon, "after %s, only \"to FILE\" may stand", item);
    if (strcmp(item, "exits") == 0)
        return trace_exits(mon, path);
    return trace_log_item(mon, item, path);
}
