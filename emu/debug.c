/* Breakpoints and watchpoints: see debug.h. */
#include "emu/debug.h"

#include "emu/machine.h"
#include "emu/x86/cpu.h"

static bool is_exec(const struct debug_point *p)
{
    return p->kind == DEBUG_EXEC || p->kind == DEBUG_EXEC_PHYSICAL;
}
static bool is_watch(const struct debug_point *p)
{
    return p->kind == DEBUG_WATCH || p->kind == DEBUG_WATCH_PHYSICAL;
}

/* Counts an arrival at a point whose place matches. True: stop. */
static bool arrive(struct debug_point *p, struct cpu *cpu,
                   const struct event *event)
{
    if (!p->enabled || (p->condition && !p->condition(p->ctx, p, cpu, event)))
        return false;
    p->hits++;
    if (p->ignore) {
        p->ignore--;
        return false;
    }
    return true;
}

static void on_event(void *ctx, const struct event *event)
{
    struct machine *m = ctx;
    struct cpu *cpu = event->cpu < m->cpus ? m->cpu[event->cpu] : NULL;
    for (struct debug_point *p = m->debug.points; p && cpu; p = p->next) {
        if (p->kind != DEBUG_EVENT || !(p->event_kinds & (1u << event->kind)) ||
            !arrive(p, cpu, event))
            continue;
        m->debug.hit = (struct debug_hit){
            .point = p, .cpu = event->cpu, .linear = event->rip,
            .size = event->size, .write = event->write, .event = *event};
        cpu->pending |= PENDING_DEBUG;
    }
}

void debug_changed(struct machine *m)
{
    struct debug *d = &m->debug;
    uint32_t kinds = 0;
    d->exec_armed = d->watch_armed = false;
    for (const struct debug_point *p = d->points; p; p = p->next) {
        if (!p->enabled)
            continue;
        d->exec_armed = d->exec_armed || is_exec(p);
        d->watch_armed = d->watch_armed || is_watch(p);
        if (p->kind == DEBUG_EVENT)
            kinds |= p->event_kinds;
    }
    if (d->sink.on_event)
        ledger_remove_sink(&m->ledger, &d->sink);
    d->sink = (struct event_sink){0};
    if (kinds) {
        d->sink = (struct event_sink){
            .on_event = on_event, .ctx = m, .kinds = kinds};
        ledger_add_sink(&m->ledger, &d->sink);
    }
    /* Decoded blocks and TLB entries know the points. */
    if (m->accel && m->accel->flush)
        m->accel->flush(m->engine);
}

void debug_add(struct machine *m, struct debug_point *point)
{
    struct debug_point **at = &m->debug.points;
    while (*at)
        at = &(*at)->next;
    point->id = ++m->debug.next_id;
    point->next = NULL;
    *at = point;
    debug_changed(m);
}

void debug_remove(struct machine *m, struct debug_point *point)
{
    for (struct debug_point **at = &m->debug.points; *at; at = &(*at)->next)
        if (*at == point) {
            *at = point->next;
            break;
        }
    if (m->debug.hit.point == point)
        m->debug.hit.point = NULL;
    debug_changed(m);
}

struct debug_point *debug_find(struct machine *m, unsigned id)
{
    struct debug_point *p = m->debug.points;
    while (p && p->id != id)
        p = p->next;
    return p;
}

void debug_resume(struct machine *m, uint64_t linear)
{
    m->debug.resuming = true;
    m->debug.resume_linear = linear;
}

static bool exec_matches(const struct debug_point *p, uint64_t linear,
                         uint64_t gpa)
{
    return (p->kind == DEBUG_EXEC && p->addr == linear) ||
           (p->kind == DEBUG_EXEC_PHYSICAL && p->addr == gpa);
}

bool debug_exec_at(const struct machine *m, uint64_t linear, uint64_t gpa)
{
    for (const struct debug_point *p = m->debug.points; p; p = p->next)
        if (p->enabled && exec_matches(p, linear, gpa))
            return true;
    return false;
}

bool debug_exec_hit(struct machine *m, struct cpu *cpu, uint64_t linear,
                    uint64_t gpa)
{
    struct debug *d = &m->debug;
    bool pass = d->resuming && d->resume_linear == linear;
    bool stop = false;
    d->resuming = false;
    if (pass)
        return false;
    for (struct debug_point *p = d->points; p; p = p->next) {
        if (!exec_matches(p, linear, gpa) || !arrive(p, cpu, NULL))
            continue;
        if (!stop)
            d->hit = (struct debug_hit){.point = p, .cpu = cpu_index(cpu),
                                        .linear = linear, .gpa = gpa};
        stop = true;
    }
    return stop;
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a - b < b_size || b - a < a_size;
}

bool debug_page_watched(const struct machine *m, uint64_t linear, uint64_t gpa)
{
    for (const struct debug_point *p = m->debug.points; p; p = p->next) {
        uint64_t page = p->kind == DEBUG_WATCH ? linear : gpa;
        if (p->enabled && is_watch(p) &&
            overlaps(p->addr, p->size, page & ~UINT64_C(4095), 4096))
            return true;
    }
    return false;
}

bool debug_access_hit(struct machine *m, struct cpu *cpu, uint64_t linear,
                      uint64_t gpa, unsigned size, bool write)
{
    bool stop = false;
    for (struct debug_point *p = m->debug.points; p; p = p->next) {
        uint64_t at = p->kind == DEBUG_WATCH ? linear : gpa;
        if (!is_watch(p) || !(write ? p->write : p->read) ||
            !overlaps(p->addr, p->size, at, size) || !arrive(p, cpu, NULL))
            continue;
        m->debug.hit = (struct debug_hit){
            .point = p, .cpu = cpu_index(cpu), .linear = linear,
            .gpa = gpa, .size = size, .write = write};
        stop = true;
    }
    if (stop)
        cpu->pending |= PENDING_DEBUG;
    return stop;
}
