/*
 * The local APIC of the P6 and Pentium 4 (SDM 3A, chapter 10), xAPIC mode.
 *
 * Invariants: INTR is high exactly when acknowledge() would return a vector;
 * IRR, ISR and TMR hold no vector below 16; a level-triggered vector's TMR
 * bit is set when it enters IRR and decides at EOI whether to broadcast.
 *
 * With IA32_APIC_BASE.EN clear, LINT0 and LINT1 are the CPU's INTR and NMI
 * pins. The bootstrap CPU's LINT0 starts as unmasked ExtINT ("virtual wire"),
 * as firmware would leave it, so that software entered without any firmware
 * hears the PIC too.
 *
 * Not modelled: x2APIC (setting IA32_APIC_BASE.EXTD is #GP); SMI delivery;
 * the thermal and performance counter LVTs never fire; an APIC bus that is
 * busy, so delivery status is always idle; a private map a CPU: only the
 * bootstrap CPU's APIC is mapped; remapping onto RAM (the bus refuses).
 */
#include "devices/lapic.h"

#include "devices/lapic_state.h"

#include <errno.h>
#include <string.h>

#define VERSION 0x00050014u /* LVT entries 0 to 5; integrated APIC */
#define BASE_RESET UINT64_C(0xFEE00000)
#define BASE_BSP (UINT64_C(1) << 8)
#define BASE_ENABLE (UINT64_C(1) << 11)
#define BASE_ADDRESS UINT64_C(0x000FFFFFF000)

static const struct field fields[] = {
    FIELD(lapic, base, FIELD_U64),
    FIELD(lapic, id, FIELD_U32),
    FIELD(lapic, ldr, FIELD_U32),
    FIELD(lapic, dfr, FIELD_U32),
    FIELD(lapic, svr, FIELD_U32),
    FIELD(lapic, esr, FIELD_U32),
    FIELD(lapic, esr_pending, FIELD_U32),
    FIELD_ARRAY(lapic, icr, FIELD_U32, 2),
    FIELD_ARRAY(lapic, lvt, FIELD_U32, LVTS),
    FIELD(lapic, initial_count, FIELD_U32),
    FIELD(lapic, divide, FIELD_U32),
    FIELD(lapic, tpr, FIELD_U8),
    FIELD_ARRAY(lapic, isr, FIELD_U32, 8),
    FIELD_ARRAY(lapic, tmr, FIELD_U32, 8),
    FIELD_ARRAY(lapic, irr, FIELD_U32, 8),
    FIELD_ARRAY(lapic, line, FIELD_BOOL, 2),
    FIELD(lapic, extint, FIELD_BOOL),
    FIELD(lapic, started_ns, FIELD_U64),
    FIELD(lapic, deadline_tsc, FIELD_U64),
    FIELD(lapic, timer, FIELD_TIMER),
    FIELD_END,
};

static void set_bit(uint32_t *bits, unsigned n, bool value)
{
    if (value)
        bits[n / 32] |= 1u << n % 32;
    else
        bits[n / 32] &= ~(1u << n % 32);
}

static bool get_bit(const uint32_t *bits, unsigned n)
{
    return (bits[n / 32] >> n % 32 & 1) != 0;
}

static int highest(const uint32_t *bits)
{
    for (int i = 7; i >= 0; i--)
        if (bits[i])
            return i * 32 + 31 - __builtin_clz(bits[i]);
    return -1;
}

static bool enabled(const struct lapic *s)
{
    return (s->base & BASE_ENABLE) != 0;
}

/* 10.8.3.1: the higher class of the task and of what is in service. */
static uint8_t processor_priority(const struct lapic *s)
{
    int serving = highest(s->isr);
    unsigned class = serving < 0 ? 0 : (unsigned)serving & 0xF0u;

    return (s->tpr & 0xF0u) >= class ? s->tpr : (uint8_t) class;
}

/* The vector in IRR that may interrupt now; -1 for none. */
static int deliverable(const struct lapic *s)
{
    int vector = highest(s->irr);

    if (!enabled(s) || !(s->svr & SVR_ENABLE) || vector < 0 ||
        (vector & 0xF0) <= (processor_priority(s) & 0xF0))
        return -1;
    return vector;
}

/* Does the PIC's INTR get through? */
static bool pic_waits(const struct lapic *s)
{
    if (!enabled(s))
        return s->line[0];
    return s->extint || (s->line[0] && !(s->lvt[LINT0] & LVT_MASKED) &&
                         (s->lvt[LINT0] >> 8 & 7u) == APIC_EXTINT);
}

static void update(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;
    bool intr = deliverable(s) >= 0 || pic_waits(s);

    if (intr != s->intr) {
        s->intr = intr;
        config->intr(config->ctx, intr);
    }
}

/* Collects an error, which ESR shows after the next write to it (10.5.3). */
static void error(struct device *dev, uint32_t bit)
{
    struct lapic *s = dev->state;

    if (s->esr_pending & bit)
        return;
    s->esr_pending |= bit;
    if (s->reporting)
        return;
    s->reporting = true;
    lapic_local_interrupt(dev, ERROR);
    s->reporting = false;
}

/* A fixed interrupt enters IRR. */
static void request(struct device *dev, uint8_t vector, bool level)
{
    struct lapic *s = dev->state;

    if (vector < 16) {
        error(dev, ESR_RECEIVE_VECTOR);
        return;
    }
    set_bit(s->irr, vector, true);
    set_bit(s->tmr, vector, level);
    update(dev);
}

static void pulse_nmi(struct device *dev)
{
    const struct lapic_config *config = dev->config;

    if (config->nmi) {
        config->nmi(config->ctx, true);
        config->nmi(config->ctx, false);
    }
}

void lapic_local_interrupt(struct device *dev, enum lvt n)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;
    uint32_t lvt = s->lvt[n];
    /* Only LINT pins have a trigger mode; timer and error are edges, and so
     * is LINT1 whatever its bit says (10.5.1). */
    bool level = n == LINT0 && (lvt & LVT_LEVEL) != 0;

    if (lvt & LVT_MASKED)
        return;
    /* The timer and error entries have no delivery mode. */
    switch (n == TIMER || n == ERROR ? APIC_FIXED : lvt >> 8 & 7u) {
    case APIC_FIXED:
        if (level)
            s->lvt[n] |= LVT_REMOTE_IRR;
        request(dev, lvt & LVT_VECTOR, level);
        break;
    case APIC_NMI:
        pulse_nmi(dev);
        break;
    case APIC_INIT:
        if (config->init)
            config->init(config->ctx);
        break;
    default: /* ExtINT follows the line; SMI is not modelled */
        break;
    }
}

/* LINT0 as a level: asks again while the line is high and no EOI is due. */
static void poll_lint0(struct device *dev)
{
    struct lapic *s = dev->state;
    uint32_t lvt = s->lvt[LINT0];

    if (enabled(s) && s->line[0] && (lvt & LVT_LEVEL) &&
        (lvt >> 8 & 7u) == APIC_FIXED && !(lvt & LVT_REMOTE_IRR))
        lapic_local_interrupt(dev, LINT0);
    update(dev);
}

static void line(struct device *dev, unsigned n, bool level)
{
    struct lapic *s = dev->state;
    bool rising;

    if (n > LAPIC_LINT1)
        return;
    rising = level && !s->line[n];
    s->line[n] = level;
    if (n == LAPIC_LINT1) {
        if (rising && !enabled(s))
            pulse_nmi(dev);
        else if (rising)
            lapic_local_interrupt(dev, LINT1);
        return;
    }
    if (rising && enabled(s) && !(s->lvt[LINT0] & LVT_LEVEL))
        lapic_local_interrupt(dev, LINT0);
    poll_lint0(dev);
}

/* --- Messages ---------------------------------------------------------- */

bool lapic_matches(struct device *dev, const struct apic_message *message)
{
    const struct lapic *s = dev->state;
    uint8_t destination = message->destination;
    uint8_t logical = (uint8_t)(s->ldr >> 24);

    if (!enabled(s))
        return false;
    if (destination == 0xFF)
        return true;
    if (!message->logical)
        return destination == s->id >> 24;
    if (s->dfr >> 28 == 0xF)
        return (destination & logical) != 0;
    /* Cluster model: the cluster's number, then a mask within it. */
    return destination >> 4 == logical >> 4 &&
           (destination & logical & 0xF) != 0;
}

/* INIT leaves the ID, the base and the pins alone (10.4.7.3). */
static void clear_registers(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;

    s->ldr = 0;
    s->dfr = UINT32_MAX;
    s->svr = 0xFF;
    s->esr = 0;
    s->esr_pending = 0;
    s->tpr = 0;
    memset(s->icr, 0, sizeof(s->icr));
    memset(s->isr, 0, sizeof(s->isr));
    memset(s->tmr, 0, sizeof(s->tmr));
    memset(s->irr, 0, sizeof(s->irr));
    for (unsigned i = 0; i < LVTS; i++)
        s->lvt[i] = LVT_MASKED;
    if (config->bootstrap)
        s->lvt[LINT0] = APIC_EXTINT << 8;
    s->initial_count = 0;
    s->divide = 0;
    s->extint = false;
    s->deadline_tsc = 0;
    timer_disarm(&s->timer);
}

void lapic_accept(struct device *dev, const struct apic_message *message)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;

    switch (message->delivery) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (s->svr & SVR_ENABLE)
            request(dev, message->vector, message->level);
        break;
    case APIC_NMI:
        pulse_nmi(dev);
        break;
    case APIC_INIT:
        clear_registers(dev);
        update(dev);
        if (config->init)
            config->init(config->ctx);
        break;
    case APIC_SIPI:
        if (config->start_up)
            config->start_up(config->ctx, message->vector);
        break;
    case APIC_EXTINT:
        s->extint = true;
        update(dev);
        break;
    default:
        break;
    }
}

unsigned apic_bus_deliver(struct device *const *lapics, unsigned count,
                          const struct apic_message *message)
{
    struct device *best = NULL;
    unsigned taken = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!lapic_matches(lapics[i], message))
            continue;
        taken++;
        if (message->delivery != APIC_LOWEST) {
            lapic_accept(lapics[i], message);
        } else if (((const struct lapic *)lapics[i]->state)->svr & SVR_ENABLE) {
            if (!best || processor_priority(lapics[i]->state) <
                             processor_priority(best->state))
                best = lapics[i];
        }
    }
    if (best)
        lapic_accept(best, message);
    return message->delivery == APIC_LOWEST ? best != NULL : taken;
}

/*
 * ICR:  63-56        19-18      15     14     11       10-8      7-0
 *       destination  shorthand  level  assert logical  delivery  vector
 */
static void send_ipi(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;
    uint32_t icr = s->icr[0];
    unsigned shorthand = icr >> 18 & 3u;
    struct apic_message message = {
        .destination = (uint8_t)(s->icr[1] >> 24),
        .logical = (icr & ICR_LOGICAL) != 0,
        .delivery = icr >> 8 & 7u,
        .vector = icr & 0xFFu,
    };

    if (!enabled(s))
        return;
    /* INIT level de-assert only synchronised arbitration IDs. */
    if (message.delivery == APIC_INIT && (icr & ICR_LEVEL) &&
        !(icr & ICR_ASSERT))
        return;
    if (message.delivery <= APIC_LOWEST && message.vector < 16) {
        error(dev, ESR_SEND_VECTOR);
        return;
    }
    /* Only fixed interrupts may use the shorthands that include self. */
    if (shorthand == 1) {
        if (message.delivery == APIC_FIXED)
            lapic_accept(dev, &message);
        return;
    }
    if (shorthand) {
        message.destination = 0xFF;
        message.logical = false;
    }
    if (shorthand == 3) {
        /* All but self: hide this APIC from the bus for the moment. */
        uint64_t base = s->base;

        s->base &= ~BASE_ENABLE;
        if (config->send)
            config->send(config->ctx, &message);
        s->base = base;
        return;
    }
    if (config->send)
        config->send(config->ctx, &message);
}

static void eoi(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;
    int vector = highest(s->isr);

    if (vector < 0)
        return;
    set_bit(s->isr, (unsigned)vector, false);
    if (get_bit(s->tmr, (unsigned)vector)) {
        if ((s->lvt[LINT0] & LVT_REMOTE_IRR) &&
            (s->lvt[LINT0] & LVT_VECTOR) == (unsigned)vector) {
            s->lvt[LINT0] &= ~(uint32_t)LVT_REMOTE_IRR;
            poll_lint0(dev);
        }
        if (config->eoi)
            config->eoi(config->ctx, (uint8_t)vector);
    }
    update(dev);
}

/* --- Registers --------------------------------------------------------- */

static void write_lvt(struct device *dev, enum lvt n, uint32_t value)
{
    /* What each entry has (figure 10-8). */
    static const uint32_t writable[LVTS] = {
        [TIMER] = LVT_MASKED | LVT_PERIODIC | LVT_VECTOR,
        [THERMAL] = LVT_MASKED | 0x700 | LVT_VECTOR,
        [COUNTER] = LVT_MASKED | 0x700 | LVT_VECTOR,
        [LINT0] = LVT_MASKED | LVT_LEVEL | 0x2700 | LVT_VECTOR,
        [LINT1] = LVT_MASKED | LVT_LEVEL | 0x2700 | LVT_VECTOR,
        [ERROR] = LVT_MASKED | LVT_VECTOR,
    };
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;
    uint32_t mask = writable[n], old = s->lvt[n];

    if (n == TIMER && config->tsc_hz && config->tsc)
        mask |= LVT_DEADLINE;
    s->lvt[n] = (value & mask) | (old & LVT_REMOTE_IRR);
    if (!(s->lvt[n] & LVT_LEVEL))
        s->lvt[n] &= ~(uint32_t)LVT_REMOTE_IRR;
    /* A disabled APIC keeps all entries masked (10.4.7.2). */
    if (!(s->svr & SVR_ENABLE))
        s->lvt[n] |= LVT_MASKED;
    if (n == LINT0) {
        poll_lint0(dev);
    } else if (n == TIMER &&
               ((old ^ s->lvt[n]) & (LVT_PERIODIC | LVT_DEADLINE))) {
        /* Leaving or entering TSC-deadline mode disarms (10.5.4.1). */
        if ((old ^ s->lvt[n]) & LVT_DEADLINE) {
            s->deadline_tsc = 0;
            s->initial_count = 0;
            timer_disarm(&s->timer);
        }
        lapic_timer_arm(dev);
    }
}

static void write_svr(struct device *dev, uint32_t value)
{
    struct lapic *s = dev->state;

    s->svr = value & 0x3FF;
    if (!(s->svr & SVR_ENABLE))
        for (unsigned i = 0; i < LVTS; i++)
            s->lvt[i] |= LVT_MASKED;
    update(dev);
}

/* The LVT entry of a register number; LVTS for none. */
static enum lvt lvt_of(unsigned reg)
{
    return reg >= 0x32 && reg <= 0x37 ? (enum lvt)(reg - 0x32) : LVTS;
}

static uint32_t read_register(struct device *dev, unsigned reg)
{
    struct lapic *s = dev->state;

    if (reg >= 0x10 && reg < 0x18)
        return s->isr[reg - 0x10];
    if (reg >= 0x18 && reg < 0x20)
        return s->tmr[reg - 0x18];
    if (reg >= 0x20 && reg < 0x28)
        return s->irr[reg - 0x20];
    if (lvt_of(reg) < LVTS)
        return s->lvt[lvt_of(reg)];
    switch (reg) {
    case 0x02: return s->id;
    case 0x03: return VERSION;
    case 0x08: return s->tpr;
    case 0x09: return processor_priority(s); /* APR: no bus to arbitrate */
    case 0x0A: return processor_priority(s);
    case 0x0B: return 0;
    case 0x0D: return s->ldr;
    case 0x0E: return s->dfr;
    case 0x0F: return s->svr;
    case 0x28: return s->esr;
    case 0x30: return s->icr[0];
    case 0x31: return s->icr[1];
    case 0x38: return s->initial_count;
    case 0x39: return lapic_timer_count(dev);
    case 0x3E: return s->divide;
    default:
        error(dev, ESR_REGISTER);
        return 0;
    }
}

static void write_register(struct device *dev, unsigned reg, uint32_t value)
{
    struct lapic *s = dev->state;

    if (lvt_of(reg) < LVTS) {
        write_lvt(dev, lvt_of(reg), value);
        return;
    }
    switch (reg) {
    case 0x02: s->id = value & 0xFF000000u; break;
    case 0x08:
        s->tpr = (uint8_t)value;
        update(dev);
        break;
    case 0x0B: eoi(dev); break;
    case 0x0D: s->ldr = value & 0xFF000000u; break;
    case 0x0E: s->dfr = value | 0x0FFFFFFFu; break;
    case 0x0F: write_svr(dev, value); break;
    case 0x28:
        s->esr = s->esr_pending;
        s->esr_pending = 0;
        break;
    case 0x30:
        s->icr[0] = value & 0x000CCFFFu;
        send_ipi(dev);
        break;
    case 0x31: s->icr[1] = value & 0xFF000000u; break;
    case 0x38:
        if (lapic_deadline_mode(s))
            break;
        s->initial_count = value;
        s->started_ns = clock_now_ns(dev->clock);
        lapic_timer_arm(dev);
        break;
    case 0x3E: {
        /* The count goes on from where it is, at the new rate. */
        uint32_t left = lapic_timer_count(dev);
        uint64_t now = clock_now_ns(dev->clock);

        s->divide = value & 0xB;
        s->started_ns =
            now - (s->initial_count - left) * lapic_timer_tick_ns(s);
        if (!left && !(s->lvt[TIMER] & LVT_PERIODIC))
            break; /* it has run out; a new rate does not restart it */
        lapic_timer_arm(dev);
        break;
    }
    default:
        if (reg >= 0x40 ||
            (reg < 0x10 && reg != 0x03 && reg != 0x09 && reg != 0x0A))
            error(dev, ESR_REGISTER);
        break;
    }
}

static uint64_t read(struct device *dev, unsigned bank, uint64_t off,
                     unsigned size)
{
    uint32_t value;

    (void)bank;
    /* 10.4.1: registers are 32 bits on 128-bit boundaries; what lies between
     * them is nothing. */
    if ((off & 15) + size > 4)
        return 0;
    value = read_register(dev, (unsigned)(off >> 4) & 0xFFu);
    return value >> (off & 3) * 8;
}

static void write(struct device *dev, unsigned bank, uint64_t off,
                  uint64_t value, unsigned size)
{
    (void)bank;
    if (size != 4 || (off & 15) != 0) {
        log_line(dev->log, LOG_GUEST_ERRORS,
                 "%s: write of %u bytes at offset %#llx\n", dev->name, size,
                 (unsigned long long)off);
        return;
    }
    write_register(dev, (unsigned)(off >> 4) & 0xFFu, (uint32_t)value);
}

/* --- The CPU's side ---------------------------------------------------- */

static void remap(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;

    bus_unmap(dev->memory, &s->mmio);
    s->mmio.base = s->base & BASE_ADDRESS;
    if (enabled(s) && config->bootstrap && bus_map(dev->memory, &s->mmio) < 0)
        log_line(dev->log, LOG_GUEST_ERRORS,
                 "%s: cannot map registers at %#llx\n", dev->name,
                 (unsigned long long)s->mmio.base);
}

static int acknowledge(void *ctx)
{
    struct device *dev = ctx;
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;
    int vector = deliverable(s);

    if (vector >= 0) {
        set_bit(s->irr, (unsigned)vector, false);
        set_bit(s->isr, (unsigned)vector, true);
    } else if (pic_waits(s)) {
        s->extint = false;
        if (config->pic_acknowledge)
            vector = config->pic_acknowledge(config->ctx);
    }
    update(dev);
    return vector;
}

static uint64_t get_base(void *ctx)
{
    const struct lapic *s = ((struct device *)ctx)->state;

    return s->base;
}

static bool set_base(void *ctx, uint64_t base)
{
    struct device *dev = ctx;
    struct lapic *s = dev->state;

    if (base & ~(BASE_ADDRESS | BASE_ENABLE | BASE_BSP))
        return false;
    /* Disabling forgets everything (10.4.3). */
    if (enabled(s) && !(base & BASE_ENABLE))
        clear_registers(dev);
    s->base = base;
    remap(dev);
    update(dev);
    return true;
}

static uint8_t get_tpr(void *ctx)
{
    const struct lapic *s = ((struct device *)ctx)->state;

    return s->tpr;
}

static void set_tpr(void *ctx, uint8_t tpr)
{
    struct lapic *s = ((struct device *)ctx)->state;

    s->tpr = tpr;
    update(ctx);
}

struct intc lapic_intc(struct device *dev)
{
    struct intc intc = {
        .ctx = dev,
        .acknowledge = acknowledge,
        .get_base = get_base,
        .set_base = set_base,
        .get_tpr = get_tpr,
        .set_tpr = set_tpr,
    };

    return intc;
}

static int init(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;

    if (!config || !config->intr || config->id > 254)
        return -EINVAL;
    timer_init(&s->timer, dev->clock, "lapic", lapic_timer_expire, dev);
    s->mmio.name = "lapic";
    s->mmio.size = 0x1000;
    s->mmio.kind = REGION_DEVICE;
    s->mmio.dev = dev;
    s->mmio.bank = LAPIC_MMIO;
    return 0;
}

static void reset(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;

    clear_registers(dev);
    s->id = config->id << 24;
    s->base = BASE_RESET | BASE_ENABLE | (config->bootstrap ? BASE_BSP : 0);
    remap(dev);
    /* The CPU was reset too: tell it again, whatever it was told. */
    s->intr = false;
    config->intr(config->ctx, false);
    update(dev);
}

static int loaded(struct device *dev)
{
    struct lapic *s = dev->state;
    const struct lapic_config *config = dev->config;

    if (s->base & ~(BASE_ADDRESS | BASE_ENABLE | BASE_BSP))
        return -EINVAL;
    for (unsigned i = 0; i < LVTS; i++)
        s->lvt[i] &= 0x7FFFFu;
    if (!config->tsc_hz || !config->tsc)
        s->lvt[TIMER] &= ~(uint32_t)LVT_DEADLINE;
    s->divide &= 0xB;
    s->irr[0] &= ~0xFFFFu;
    s->isr[0] &= ~0xFFFFu;
    remap(dev);
    s->intr = false;
    update(dev);
    return 0;
}

static void fini(struct device *dev)
{
    struct lapic *s = dev->state;

    if (s->timer.clock)
        timer_fini(&s->timer);
}

const struct device_class lapic_class = {
    .name = "lapic",
    .description = "local APIC",
    .state_size = sizeof(struct lapic),
    .fields = fields,
    .max_access = 4,
    .init = init,
    .reset = reset,
    .loaded = loaded,
    .fini = fini,
    .read = read,
    .write = write,
    .line = line,
};
