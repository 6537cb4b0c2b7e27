/*
 * The ledger: counts, the ring and the sinks; and events as text.
 *
 * Invariants: `wanted` covers `recorded` and every sink's kinds, so an event
 * of a kind outside it needs no time stamp and no text. Counts and sequence
 * numbers go on whether or not anyone listens.
 */
#include "emu/event.h"

#include "emu/accel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[EVENT_KINDS] = {
    [EVENT_PIO] = "pio",
    [EVENT_MMIO] = "mmio",
    [EVENT_SENSITIVE] = "sensitive",
    [EVENT_EXCEPTION] = "exception",
    [EVENT_IRQ] = "irq",
    [EVENT_PAGING] = "paging",
    [EVENT_HLT] = "hlt",
    [EVENT_MSR] = "msr",
    [EVENT_CPUID] = "cpuid",
    [EVENT_TIMER] = "timer",
    [EVENT_STOP] = "stop",
    [EVENT_KVM] = "kvm",
};

static const char *const sensitive_names[SENSITIVE_KINDS] = {
    [SENSITIVE_NONE] = "none",         [SENSITIVE_CLI] = "cli",
    [SENSITIVE_STI] = "sti",           [SENSITIVE_PUSHF] = "pushf",
    [SENSITIVE_POPF] = "popf",         [SENSITIVE_IRET] = "iret",
    [SENSITIVE_INT] = "int",           [SENSITIVE_LGDT] = "lgdt",
    [SENSITIVE_LIDT] = "lidt",         [SENSITIVE_LLDT] = "lldt",
    [SENSITIVE_LTR] = "ltr",           [SENSITIVE_SGDT] = "sgdt",
    [SENSITIVE_SIDT] = "sidt",         [SENSITIVE_SLDT] = "sldt",
    [SENSITIVE_STR] = "str",           [SENSITIVE_SMSW] = "smsw",
    [SENSITIVE_LMSW] = "lmsw",         [SENSITIVE_MOV_CR] = "mov-cr",
    [SENSITIVE_MOV_DR] = "mov-dr",     [SENSITIVE_CLTS] = "clts",
    [SENSITIVE_WBINVD] = "wbinvd",     [SENSITIVE_SWAPGS] = "swapgs",
    [SENSITIVE_SYSCALL] = "syscall",   [SENSITIVE_SYSRET] = "sysret",
    [SENSITIVE_SYSENTER] = "sysenter", [SENSITIVE_SYSEXIT] = "sysexit",
    [SENSITIVE_RDTSC] = "rdtsc",       [SENSITIVE_RDPMC] = "rdpmc",
    [SENSITIVE_PAUSE] = "pause",       [SENSITIVE_LAR] = "lar",
    [SENSITIVE_LSL] = "lsl",           [SENSITIVE_VERR] = "verr",
    [SENSITIVE_VERW] = "verw",         [SENSITIVE_POP_SEG] = "pop-seg",
    [SENSITIVE_PUSH_SEG] = "push-seg", [SENSITIVE_MOV_SEG] = "mov-seg",
    [SENSITIVE_FAR_CALL] = "far-call", [SENSITIVE_FAR_JMP] = "far-jmp",
    [SENSITIVE_FAR_RET] = "far-ret",   [SENSITIVE_HLT] = "hlt",
    [SENSITIVE_INVLPG] = "invlpg",     [SENSITIVE_MONITOR] = "monitor",
    [SENSITIVE_XSETBV] = "xsetbv",     [SENSITIVE_IO] = "io",
    [SENSITIVE_CPUID] = "cpuid",       [SENSITIVE_MSR] = "msr",
};

static const char *const paging_names[] = {
    [PAGING_CR0] = "cr0",       [PAGING_CR3] = "cr3",   [PAGING_CR4] = "cr4",
    [PAGING_INVLPG] = "invlpg", [PAGING_EFER] = "efer",
};

static const char *const stop_names[] = {
    [STOP_NONE] = "none",
    [STOP_BUDGET] = "budget",
    [STOP_KICK] = "kick",
    [STOP_HALT] = "halt",
    [STOP_SHUTDOWN] = "triple-fault",
    [STOP_DEBUG] = "debug",
    [STOP_ERROR] = "error",
};

static const char *name_in(const char *const *names, size_t count,
                           unsigned index)
{
    return index < count && names[index] ? names[index] : "unknown";
}

const char *event_kind_name(enum event_kind kind)
{
    return name_in(kind_names, EVENT_KINDS, (unsigned)kind);
}

const char *sensitive_name(enum sensitive sensitive)
{
    return name_in(sensitive_names, SENSITIVE_KINDS, (unsigned)sensitive);
}

const char *paging_event_name(enum paging_event event)
{
    return name_in(paging_names, sizeof(paging_names) / sizeof(*paging_names),
                   (unsigned)event);
}

int ledger_init(struct ledger *ledger)
{
    memset(ledger, 0, sizeof(*ledger));
    ledger->ring = calloc(EVENT_RING, sizeof(*ledger->ring));
    return ledger->ring ? 0 : -ENOMEM;
}

void ledger_fini(struct ledger *ledger)
{
    free(ledger->ring);
    memset(ledger, 0, sizeof(*ledger));
}

static void update_wanted(struct ledger *ledger)
{
    uint32_t wanted = ledger->recorded;

    for (const struct event_sink *s = ledger->sinks; s; s = s->next)
        wanted |= s->kinds;
    ledger->wanted = wanted;
}

void ledger_add_sink(struct ledger *ledger, struct event_sink *sink)
{
    /* At the end: sinks hear of an event in the order they came. */
    struct event_sink **end = &ledger->sinks;
    while (*end)
        end = &(*end)->next;
    sink->next = NULL;
    *end = sink;
    update_wanted(ledger);
}

void ledger_remove_sink(struct ledger *ledger, struct event_sink *sink)
{
    for (struct event_sink **s = &ledger->sinks; *s; s = &(*s)->next) {
        if (*s == sink) {
            *s = sink->next;
            break;
        }
    }
    update_wanted(ledger);
}

void ledger_record(struct ledger *ledger, uint32_t kinds)
{
    ledger->recorded = kinds & EVENT_ALL;
    update_wanted(ledger);
}

static void count_event(struct ledger *ledger, const struct event *event)
{
    if (event->kind >= EVENT_KINDS)
        return;
    ledger->count[event->kind]++;
    switch (event->kind) {
    case EVENT_EXCEPTION:
    case EVENT_IRQ:
        ledger->vector_count[event->reason & 0xFF]++;
        break;
    case EVENT_SENSITIVE:
        if (event->detail < SENSITIVE_KINDS)
            ledger->sensitive_count[event->detail]++;
        break;
    case EVENT_PAGING:
        ledger->paging_count[event->detail & 7]++;
        break;
    default:
        break;
    }
}

void ledger_publish(struct ledger *ledger, struct event *event)
{
    event->seq = ++ledger->seq;
    count_event(ledger, event);

    uint32_t bit = event->kind < EVENT_KINDS ? 1u << event->kind : 0;
    if (!(ledger->wanted & bit))
        return;
    if (ledger->recorded & bit)
        ledger->ring[event->seq & (EVENT_RING - 1)] = *event;
    for (struct event_sink *s = ledger->sinks, *next; s; s = next) {
        next = s->next; /* a sink may remove itself */
        if (s->kinds & bit)
            s->on_event(s->ctx, event);
    }
}

/* Text for `detail` where the kind has one, or NULL. */
static const char *detail_name(const struct event *event)
{
    switch (event->kind) {
    case EVENT_SENSITIVE:
        return sensitive_name((enum sensitive)event->detail);
    case EVENT_PAGING:
        return paging_event_name((enum paging_event)event->detail);
    case EVENT_STOP:
        return name_in(stop_names, sizeof(stop_names) / sizeof(*stop_names),
                       event->detail);
    default:
        return NULL;
    }
}

static const char *vector_name(unsigned vector)
{
    static const char *const names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
        "#DF", "CSO", "#TS", "#NP", "#SS", "#GP", "#PF", "15",
        "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    };
    return vector < sizeof(names) / sizeof(*names) ? names[vector] : "";
}

/* The part of the line that differs from kind to kind. */
static void format_detail(const struct event *e, char *text, size_t size)
{
    switch (e->kind) {
    case EVENT_PIO:
        snprintf(text, size, "%s port 0x%04" PRIx64 " size %u value 0x%" PRIx64,
                 e->write ? "out" : "in", e->addr, e->size, e->value);
        break;
    case EVENT_MMIO:
        snprintf(text, size, "%s gpa 0x%08" PRIx64 " size %u value 0x%" PRIx64,
                 e->write ? "write" : "read", e->addr, e->size, e->value);
        break;
    case EVENT_EXCEPTION:
        snprintf(text, size, "vector %u %s error 0x%" PRIx64 " cr2 0x%" PRIx64,
                 e->reason, vector_name(e->reason), e->value, e->addr);
        break;
    case EVENT_IRQ:
        snprintf(text, size, "vector 0x%02x", e->reason);
        break;
    case EVENT_SENSITIVE:
        snprintf(text, size, "%s", detail_name(e));
        break;
    case EVENT_PAGING:
        snprintf(text, size, "%s addr 0x%" PRIx64 " value 0x%" PRIx64,
                 detail_name(e), e->addr, e->value);
        break;
    case EVENT_MSR:
        snprintf(text, size, "%s 0x%" PRIx64 " value 0x%" PRIx64,
                 e->write ? "wrmsr" : "rdmsr", e->addr, e->value);
        break;
    case EVENT_CPUID:
        snprintf(text, size, "leaf 0x%" PRIx64 " subleaf 0x%" PRIx64, e->addr,
                 e->value);
        break;
    case EVENT_TIMER:
        snprintf(text, size, "deadline %" PRIu64, e->addr);
        break;
    case EVENT_STOP:
        snprintf(text, size, "%s requests 0x%" PRIx64, detail_name(e),
                 e->value);
        break;
    default:
        snprintf(text, size,
                 "reason %u detail %u addr 0x%" PRIx64 " value 0x%" PRIx64,
                 e->reason, e->detail, e->addr, e->value);
        break;
    }
}

size_t event_format(const struct event *event, char *text, size_t size)
{
    char detail[128];

    format_detail(event, detail, sizeof(detail));
    int n = snprintf(text, size,
                     "%" PRIu64 " %" PRIu64 ".%09" PRIu64 " cpu%u %016" PRIx64
                     " %s %s",
                     event->seq, event->time_ns / 1000000000u,
                     event->time_ns % 1000000000u, event->cpu, event->rip,
                     event_kind_name((enum event_kind)event->kind), detail);
    return n > 0 ? (size_t)n : 0;
}

size_t event_json(const struct event *event, char *text, size_t size)
{
    const char *detail = detail_name(event);
    char detail_text[40];

    if (detail)
        snprintf(detail_text, sizeof(detail_text), "\"%s\"", detail);
    else
        snprintf(detail_text, sizeof(detail_text), "%u", event->detail);
    /* Addresses and data are strings: JSON numbers end at 2^53. */
    int n = snprintf(text, size,
                     "{\"seq\":%" PRIu64 ",\"time_ns\":%" PRIu64 ",\"cpu\":%u"
                     ",\"rip\":\"0x%" PRIx64 "\",\"kind\":\"%s\",\"detail\":%s"
                     ",\"reason\":%u,\"addr\":\"0x%" PRIx64
                     "\",\"value\":\"0x%" PRIx64
                     "\",\"size\":%u,\"write\":%s,\"cost_ns\":%" PRIu64 "}",
                     event->seq, event->time_ns, event->cpu, event->rip,
                     event_kind_name((enum event_kind)event->kind), detail_text,
                     event->reason, event->addr, event->value, event->size,
                     event->write ? "true" : "false", event->cost_ns);
    return n > 0 ? (size_t)n : 0;
}
