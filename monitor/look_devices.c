/*
 * The board: buses, devices, timers and the machine's own state.
 *
 * The monitor knows no device's struct, only its class's field table, by
 * name; a decoded view asks for the fields that it is about, and a field that
 * is not there is "not observable" rather than 0.
 */
#include "monitor/look.h"

#include "emu/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool look_field(const struct device *dev, const char *name, uint32_t element,
                uint64_t *value)
{
    if (!dev || !dev->class->fields)
        return false;
    for (const struct field *f = dev->class->fields; f->name; f++) {
        const size_t size = field_size((enum field_type)f->type);
        const uint8_t *at = (const uint8_t *)dev->state + f->offset;

        if (strcmp(f->name, name))
            continue;
        if (element >= f->count || size > sizeof(*value))
            return false;
        *value = 0;
        memcpy(value, at + element * size, size);
        return true;
    }
    return false;
}

/* --- buses ---------------------------------------------------------------- */

static void print_bus(const struct bus *bus, FILE *out)
{
    static const char *const kinds[] = {"ram", "rom", "i/o"};

    fprintf(out, "address-space: %s\n", bus->name);
    for (size_t i = 0; i < bus->count; i++) {
        const struct region *r = bus->regions[i];

        fprintf(out, "  %016" PRIx64 "-%016" PRIx64 " (%s): %s", r->base,
                r->base + (r->size - 1), kinds[r->kind], r->name);
        if (r->dev && strcmp(r->dev->name, r->name))
            fprintf(out, " @%s", r->dev->name);
        if (r->kind == REGION_DEVICE)
            fprintf(out, " bank %u, %" PRIu64 " reads, %" PRIu64 " writes",
                    r->bank, r->reads, r->writes);
        fputc('\n', out);
    }
}

void look_mtree(struct machine *m, FILE *out)
{
    print_bus(&m->memory, out);
    fputc('\n', out);
    print_bus(&m->io, out);
}

/* --- devices -------------------------------------------------------------- */

void look_device_list(struct machine *m, FILE *out)
{
    for (const struct device *dev = m->devices; dev; dev = dev->next) {
        fprintf(out, "%-12s %s, %s\n", dev->name, dev->class->name,
                dev->class->description ? dev->class->description : "");
        for (unsigned i = 0; i < DEVICE_WIRES; i++)
            if (dev->out[i].to)
                fprintf(out, "    out %u -> %s line %u\n", i,
                        dev->out[i].to->name, dev->out[i].line);
        for (unsigned i = 0; i < DEVICE_DRIVES; i++)
            if (dev->drive[i])
                fprintf(out, "    drive %u\n", i);
    }
}

int look_device(struct machine *m, FILE *out, const char *name)
{
    const struct device *dev = machine_find(m, name);

    if (!dev) {
        fprintf(out, "no device \"%s\"; `info qtree` lists them\n", name);
        return -1;
    }
    fprintf(out, "%s: %s, %s\n", dev->name, dev->class->name,
            dev->class->description ? dev->class->description : "");
    if (!dev->class->fields || !dev->class->fields->name) {
        fprintf(out, "it has no state that a guest could see\n");
        return 0;
    }
    size_t size = field_print(dev->class->fields, dev->state, NULL, 0) + 1;
    char *text = malloc(size);
    if (!text) {
        fprintf(out, "out of memory\n");
        return -1;
    }
    (void)field_print(dev->class->fields, dev->state, text, size);
    fputs(text, out);
    free(text);
    return 0;
}

/* --- interrupt controllers ------------------------------------------------ */

/* "name=value", or that it cannot be seen. */
static void print_field(const struct device *dev, FILE *out, const char *label,
                        const char *name, int digits)
{
    uint64_t value;

    if (look_field(dev, name, 0, &value))
        fprintf(out, " %s=%0*" PRIx64, label, digits, value);
    else
        fprintf(out, " %s not observable", label);
}

void look_pic(struct machine *m, FILE *out)
{
    static const char *const names[] = {"pic0", "pic1"};

    for (unsigned i = 0; i < 2; i++) {
        const struct device *dev = machine_find(m, names[i]);
        uint64_t latched, lines, elcr;

        if (!dev) {
            fprintf(out, "%s: not on this board\n", names[i]);
            continue;
        }
        fprintf(out, "%s:", names[i]);
        /* IRR: edges are latched, level-triggered lines are themselves. */
        if (look_field(dev, "latched", 0, &latched) &&
            look_field(dev, "lines", 0, &lines) &&
            look_field(dev, "elcr", 0, &elcr))
            fprintf(out, " irr=%02" PRIx64, (latched & ~elcr) | (lines & elcr));
        print_field(dev, out, "imr", "imr", 2);
        print_field(dev, out, "isr", "isr", 2);
        print_field(dev, out, "elcr", "elcr", 2);
        print_field(dev, out, "irq_base", "icw2", 2);
        print_field(dev, out, "lines", "lines", 2);
        print_field(dev, out, "highest", "highest", 1);
        print_field(dev, out, "INT", "intr", 1);
        fputc('\n', out);
    }
}

static const char *const delivery_modes[] = {
    "fixed", "lowest", "SMI", "reserved", "NMI", "INIT", "SIPI", "ExtINT",
};

static void print_vectors(const struct device *dev, FILE *out, const char *name)
{
    fprintf(out, "%-4s", name);
    for (unsigned i = 0; i < 256; i++) {
        uint64_t word;

        if (!look_field(dev, name, i / 32, &word)) {
            fprintf(out, " not observable");
            break;
        }
        if (word >> (i % 32) & 1)
            fprintf(out, " %02x", i);
    }
    fputc('\n', out);
}

void look_lapic(struct machine *m, FILE *out)
{
    static const char *const lvt[] = {"timer", "thermal", "counter", "LINT0",
                                      "LINT1", "error"};
    const struct device *dev = machine_find(m, "lapic0");

    if (!dev) {
        fprintf(out, "no local APIC on this board\n");
        return;
    }
    fprintf(out, "lapic0:");
    print_field(dev, out, "base", "base", 8);
    print_field(dev, out, "id", "id", 1);
    print_field(dev, out, "svr", "svr", 3);
    print_field(dev, out, "tpr", "tpr", 2);
    print_field(dev, out, "ldr", "ldr", 8);
    print_field(dev, out, "dfr", "dfr", 8);
    print_field(dev, out, "esr", "esr", 2);
    fputc('\n', out);
    for (unsigned i = 0; i < 6; i++) {
        uint64_t v;

        if (!look_field(dev, "lvt", i, &v))
            break;
        fprintf(out, "LVT %u %-8s %08" PRIx64 " vector %02x %s%s%s\n", i,
                lvt[i], v, (unsigned)v & 0xFF, delivery_modes[(v >> 8) & 7],
                v & 0x10000 ? " masked" : "", v & 0x8000 ? " level" : "");
    }
    fprintf(out, "timer:");
    print_field(dev, out, "initial", "initial_count", 8);
    print_field(dev, out, "divide", "divide", 1);
    fputc('\n', out);
    print_vectors(dev, out, "isr");
    print_vectors(dev, out, "irr");
    print_vectors(dev, out, "tmr");
}

void look_ioapic(struct machine *m, FILE *out)
{
    const struct device *dev = machine_find(m, "ioapic");
    uint64_t lines = 0, e;

    if (!dev) {
        fprintf(out, "no I/O APIC on this board\n");
        return;
    }
    fprintf(out, "ioapic:");
    print_field(dev, out, "id", "id", 8);
    print_field(dev, out, "select", "select", 2);
    fputc('\n', out);
    bool have = look_field(dev, "lines", 0, &lines);
    for (unsigned i = 0; i < 24 && look_field(dev, "entry", i, &e); i++)
        fprintf(out,
                "pin %-2u %016" PRIx64 " vector %02x %s %s %s to %02x"
                "%s%s%s%s\n",
                i, e, (unsigned)e & 0xFF, delivery_modes[(e >> 8) & 7],
                e & 0x8000 ? "level" : "edge",
                e & 0x800 ? "logical" : "physical", (unsigned)(e >> 56),
                e & 0x2000 ? " active-low" : "",
                e & 0x4000 ? " remote-IRR" : "", e & 0x10000 ? " masked" : "",
                have && lines >> i & 1 ? " asserted" : "");
}

/* --- PCI ------------------------------------------------------------------ */

/* Configuration space of a function: a 256-byte field whose name ends so. */
static const uint8_t *config_space(const struct device *dev)
{
    const struct field *f = dev->class->fields;

    for (; f && f->name; f++) {
        const char *dot = strrchr(f->name, '.');

        if (dot && !strcmp(dot, ".config") && f->count == 256 &&
            f->type == FIELD_U8)
            return (const uint8_t *)dev->state + f->offset;
    }
    return NULL;
}

static uint32_t get(const uint8_t *config, unsigned off, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, config + off, size);
    return value;
}

static void print_function(const struct device *dev, const uint8_t *config,
                           FILE *out)
{
    fprintf(out, "%s: %04x:%04x class %04x prog-if %02x revision %02x\n",
            dev->name, get(config, 0, 2), get(config, 2, 2),
            get(config, 0x0A, 2), config[9], config[8]);
    fprintf(out, "    command %04x%s%s%s status %04x", get(config, 4, 2),
            config[4] & 1 ? " I/O" : "", config[4] & 2 ? " memory" : "",
            config[4] & 4 ? " master" : "", get(config, 6, 2));
    if (config[0x3D] >= 1 && config[0x3D] <= 4)
        fprintf(out, " INT%c# line %u", 'A' + config[0x3D] - 1, config[0x3C]);
    fputc('\n', out);
    for (unsigned n = 0; n < 6; n++) {
        uint32_t bar = get(config, 0x10 + n * 4, 4);

        if (bar & 1)
            fprintf(out, "    BAR%u: I/O at 0x%04x\n", n, bar & ~3u);
        else if (bar)
            fprintf(out, "    BAR%u: memory at 0x%08x%s\n", n, bar & ~15u,
                    bar & 8 ? " prefetchable" : "");
    }
    if (get(config, 0x30, 4))
        fprintf(out, "    ROM: 0x%08x %s\n", get(config, 0x30, 4) & ~0x7FFu,
                config[0x30] & 1 ? "on" : "off");
}

void look_pci(struct machine *m, FILE *out)
{
    unsigned found = 0;

    for (const struct device *dev = m->devices; dev; dev = dev->next) {
        const uint8_t *config = config_space(dev);

        if (!config)
            continue;
        print_function(dev, config, out);
        found++;
    }
    if (!found)
        fprintf(out, "no PCI functions on this board\n");
}

/* --- the machine ---------------------------------------------------------- */

void look_timers(struct machine *m, FILE *out)
{
    const uint64_t now = clock_now_ns(&m->clock);

    fprintf(out, "virtual time %" PRIu64 " ns, %s\n", now,
            m->clock.icount ? "from instructions (-icount)" : "host clock");
    for (const struct timer *t = m->clock.timers; t; t = t->next) {
        fprintf(out, "%-20s ", t->name);
        if (t->deadline_ns == CLOCK_NEVER)
            fprintf(out, "not armed\n");
        else if (t->deadline_ns <= now)
            fprintf(out, "%" PRIu64 " ns: due\n", t->deadline_ns);
        else
            fprintf(out, "%" PRIu64 " ns: in %" PRIu64 " ns\n", t->deadline_ns,
                    t->deadline_ns - now);
    }
}

void look_cpus(struct machine *m, FILE *out, unsigned current)
{
    for (unsigned i = 0; i < m->cpus; i++) {
        const struct cpu *c = m->cpu[i];

        fprintf(out, "%c CPU #%u: %s, pc=0x%016" PRIx64 ", CPL %u%s\n",
                i == current ? '*' : ' ', i,
                m->accel ? m->accel->name : "no engine", cpu_linear_rip(c),
                c->cpl, cpu_halted(c) ? " (halted)" : "");
    }
}

void look_status(struct machine *m, FILE *out)
{
    static const char *const why[] = {
        [STOP_NONE] = "not started", [STOP_BUDGET] = "stepped",
        [STOP_KICK] = "stopped by request", [STOP_HALT] = "halted",
        [STOP_SHUTDOWN] = "triple fault", [STOP_DEBUG] = "debug",
        [STOP_ERROR] = "engine failed",
    };

    fprintf(out, "VM status: paused (%s)\n",
            m->last_stop < sizeof(why) / sizeof(why[0]) ? why[m->last_stop]
                                                        : "?");
    fprintf(out, "engine: %s\n", m->accel ? m->accel->name : "none");
    fprintf(out, "RAM: %" PRIu64 " MiB, CPUs: %u\n", m->ram_bytes >> 20,
            m->cpus);
    if (m->clock.instructions || m->clock.icount)
        fprintf(out, "instructions: %" PRIu64 "\n", m->clock.instructions);
    else
        fprintf(out, "instructions: none counted\n");
    fprintf(out, "virtual time: %" PRIu64 " ns\n", clock_now_ns(&m->clock));
    if (m->error[0])
        fprintf(out, "%s\n", m->error);
}

void look_version(FILE *out)
{
    fprintf(out, "vitrine %s\n", OPTIONS_VERSION);
}
