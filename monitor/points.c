/*
 * The user's breakpoints and watchpoints: their list, their conditions, and
 * what is said when one stops the machine. debug.h does the stopping.
 *
 * A condition of a breakpoint or an event is asked where it happens. That of a
 * watchpoint and of a change of mode is asked after the instruction, when its
 * effect can be seen.
 */
#include "monitor/shell.h"

#include "emu/x86/mmu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A write to a control register that is about to happen: its number and the
 * value, as addr and value. False: it is something else. */
static bool control_write(struct cpu *cpu, const struct event *from,
                          struct event *event)
{
    uint8_t code[16] = {0};
    size_t got = mmu_peek(cpu, cpu_linear_rip(cpu), code, 15), i = 0;
    unsigned rex = 0;

    *event = *from;
    event->write = 1;
    while (i < got && (code[i] == 0x66 || code[i] == 0x67 || code[i] == 0xF0 ||
                       code[i] == 0xF2 || code[i] == 0xF3 ||
                       (code[i] & 0xE7) == 0x26 || (code[i] & 0xFE) == 0x64))
        i++;
    if (i < got && cpu_64bit(cpu) && (code[i] & 0xF0) == 0x40)
        rex = code[i++];
    if (i + 2 >= sizeof(code) || code[i] != 0x0F)
        return false;
    unsigned reg = (code[i + 2] >> 3) & 7, rm = code[i + 2] & 7;
    switch (code[i + 1]) {
    case 0x06: /* CLTS */
        event->addr = 0;
        event->value = cpu->cr0 & ~(uint64_t)CR0_TS;
        return true;
    case 0x22: /* MOV CRn, r */
        event->addr = reg | (rex & 4) << 1;
        event->value = cpu->r[rm | (rex & 1) << 3];
        if (!cpu_64bit(cpu))
            event->value = (uint32_t)event->value;
        return true;
    case 0x01: /* LMSW; from memory, the value is not decoded */
        event->addr = 0;
        event->value = code[i + 2] >= 0xC0 ? cpu->r[rm] & 0xFFFF : 0;
        return reg == 6;
    default:
        return false;
    }
}

static bool holds(struct point *p, struct cpu *cpu, const struct event *event)
{
    struct expr_context context = {
        .machine = p->mon->machine, .cpu = cpu, .event = event};
    char error[EXPR_ERROR];
    uint64_t value;

    /* What cannot be evaluated stops: silence would hide the mistake. */
    return !p->condition || !expr_eval(p->condition, &context, &value, error) ||
           value;
}

/* Instructions, and what else comes in between, that may change the mode. */
static bool may_change_mode(const struct event *event)
{
    if (event->kind != EVENT_SENSITIVE)
        return true;
    switch ((enum sensitive)event->detail) {
    case SENSITIVE_MOV_CR:
    case SENSITIVE_LMSW:
    case SENSITIVE_FAR_CALL:
    case SENSITIVE_FAR_JMP:
    case SENSITIVE_FAR_RET:
    case SENSITIVE_IRET:
    case SENSITIVE_INT:
    case SENSITIVE_SYSCALL:
    case SENSITIVE_SYSRET:
    case SENSITIVE_SYSENTER:
    case SENSITIVE_SYSEXIT:
        return true;
    default:
        return false;
    }
}

static bool condition(void *ctx, struct debug_point *debug, struct cpu *cpu,
                      const struct event *event)
{
    struct point *p = ctx;
    struct event write;

    (void)debug;
    if (event && p->detail >= 0 && event->kind == EVENT_SENSITIVE &&
        event->detail != p->detail)
        return false;
    if (p->what == POINT_MODE)
        return event && may_change_mode(event);
    if (p->what == POINT_CR_WRITE) {
        if (!event || !control_write(cpu, event, &write))
            return false;
        event = &write;
    }
    return p->late || holds(p, cpu, event);
}

struct point *point_add(struct monitor *mon, const struct point *like)
{
    struct shell *shell = shell_of(mon);
    struct point *p = malloc(sizeof(*p)), **end = &shell->points;
    struct cpu *cpu = mon->machine->cpu[mon->cpu];

    if (!p)
        return NULL;
    *p = *like;
    p->mon = mon;
    p->debug.condition = condition;
    p->debug.ctx = p;
    p->debug.enabled = true;
    p->next = NULL;
    shell_mode(cpu, p->mode, sizeof(p->mode));
    while (*end)
        end = &(*end)->next;
    *end = p;
    unsigned id = mon->machine->debug.next_id;
    debug_add(mon->machine, &p->debug);
    if (p->internal) /* the user's numbers have no gaps */
        mon->machine->debug.next_id = id;
    if (p->internal)
        p->debug.id = 0;
    return p;
}

void point_remove(struct monitor *mon, struct point *point)
{
    struct shell *shell = shell_of(mon);

    debug_remove(mon->machine, &point->debug);
    for (struct point **at = &shell->points; *at; at = &(*at)->next)
        if (*at == point) {
            *at = point->next;
            break;
        }
    expr_free(point->condition);
    free(point->text);
    free(point->if_text);
    free(point);
}

/* What a watched place holds; 0 when it cannot be read. */
static uint64_t watched(struct monitor *mon, const struct point *p)
{
    struct machine *m = mon->machine;
    uint64_t value = 0;
    size_t size = p->debug.size < 8 ? (size_t)p->debug.size : 8;

    if (p->debug.kind == DEBUG_WATCH) {
        mmu_peek(m->cpu[mon->cpu], p->debug.addr, &value, size);
    } else {
        const uint8_t *host = bus_host(&m->memory, p->debug.addr, size, false);
        if (host)
            memcpy(&value, host, size);
    }
    return value;
}

static bool is_watch(const struct point *p)
{
    return p->debug.kind == DEBUG_WATCH ||
           p->debug.kind == DEBUG_WATCH_PHYSICAL;
}

void points_before_run(struct monitor *mon)
{
    for (struct point *p = shell_of(mon)->points; p; p = p->next) {
        p->hits_before = p->debug.hits;
        p->ignore_before = p->debug.ignore;
        if (is_watch(p))
            p->old = watched(mon, p);
        if (p->what == POINT_MODE)
            shell_mode(mon->machine->cpu[mon->cpu], p->mode, sizeof(p->mode));
    }
}

static bool mode_changed(struct monitor *mon, const struct point *p)
{
    char now[48];

    shell_mode(mon->machine->cpu[mon->cpu], now, sizeof(now));
    return strcmp(now, p->mode) != 0;
}

/* Came up in this run, and means to stop? Takes back a hit that it was not. */
static bool means_it(struct monitor *mon, struct point *p)
{
    uint64_t hits = p->debug.hits - p->hits_before;
    uint64_t ignored = p->ignore_before - p->debug.ignore;

    if (hits == 0)
        return false;
    if (!p->late)
        return hits > ignored;
    if ((p->what == POINT_MODE && !mode_changed(mon, p)) ||
        !holds(p, mon->machine->cpu[mon->cpu], NULL)) {
        p->debug.hits = p->hits_before;
        p->debug.ignore = p->ignore_before;
        return false;
    }
    return hits > ignored;
}

static void say_watch(struct monitor *mon, const struct point *p)
{
    const struct debug_hit *hit = &mon->machine->debug.hit;
    int digits = p->debug.size < 8 ? (int)p->debug.size * 2 : 16;
    uint64_t now = watched(mon, p);

    if (hit->point == &p->debug)
        fprintf(mon->out, ": %s of %u byte%s at 0x%" PRIx64,
                hit->write ? "write" : "read", hit->size,
                hit->size == 1 ? "" : "s",
                p->debug.kind == DEBUG_WATCH ? hit->linear : hit->gpa);
    if (now != p->old)
        fprintf(mon->out, ", was 0x%0*" PRIx64 ", is 0x%0*" PRIx64 "\n", digits,
                p->old, digits, now);
    else
        fprintf(mon->out, ", is 0x%0*" PRIx64 "\n", digits, now);
}

static void say(struct monitor *mon, const struct point *p)
{
    const struct debug_hit *hit = &mon->machine->debug.hit;
    char text[256];

    fprintf(mon->out, "%s %u, %s", is_watch(p) ? "watchpoint" : "breakpoint",
            p->debug.id, p->text);
    if (is_watch(p)) {
        say_watch(mon, p);
        return;
    }
    if (p->what == POINT_MODE) {
        shell_mode(mon->machine->cpu[mon->cpu], text, sizeof(text));
        fprintf(mon->out, ": from %s to %s\n", p->mode, text);
        return;
    }
    if (p->debug.kind == DEBUG_EVENT && hit->point == &p->debug) {
        event_format(&hit->event, text, sizeof(text));
        fprintf(mon->out, ": %s", text);
    }
    fputc('\n', mon->out);
}

bool points_stopped(struct monitor *mon, bool quiet, bool *user)
{
    bool stop = false;

    for (struct point *p = shell_of(mon)->points, *next; p; p = next) {
        next = p->next;
        if (!means_it(mon, p))
            continue;
        stop = true;
        if (p->internal)
            continue;
        *user = true;
        (void)quiet; /* a point of the user's is always told */
        say(mon, p);
        if (p->debug.temporary)
            point_remove(mon, p);
    }
    /* Someone else's, as gdb's. */
    return stop || (mon->machine->debug.hit.point &&
                    mon->machine->debug.hit.point->condition != condition);
}
