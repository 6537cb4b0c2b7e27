/*
 * The event ledger: whatever leaves the CPU is one struct event, goes through
 * one function (machine_trap), and is what the monitor, the traces, the
 * statistics and the tests read.
 *
 * A sink is called synchronously on the CPU thread. Counting is always on;
 * the ring keeps, of the last EVENT_RING events, those of the kinds in
 * `recorded`.
 */
#ifndef EMU_EVENT_H
#define EMU_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind {
    EVENT_PIO,       /* addr = port, value = data */
    EVENT_MMIO,      /* addr = guest-physical address, value = data */
    EVENT_SENSITIVE, /* addr = linear rip; detail = enum sensitive */
    EVENT_EXCEPTION, /* reason = vector, value = error code, addr = CR2 */
    EVENT_IRQ,       /* reason = vector delivered (2 = NMI) */
    EVENT_PAGING,    /* detail = enum paging_event; addr, value by detail */
    EVENT_HLT,
    EVENT_MSR,       /* addr = MSR number, value = data, write */
    EVENT_CPUID,     /* addr = leaf (EAX), value = subleaf (ECX) */
    EVENT_TIMER,     /* a clock timer ran; addr = deadline in ns */
    EVENT_STOP,      /* reset, shutdown, triple fault; detail = enum stop */
    EVENT_KVM,       /* an exit of KVM_RUN that has no kind of its own */
    EVENT_KINDS
};

/* detail of EVENT_PAGING. */
enum paging_event {
    PAGING_CR0,    /* value = new CR0 (only when PG, WP or CD/NW change) */
    PAGING_CR3,    /* value = new CR3 */
    PAGING_CR4,    /* value = new CR4 */
    PAGING_INVLPG, /* addr = linear address */
    PAGING_EFER,   /* value = new EFER */
};

/* detail of EVENT_SENSITIVE: which instruction (SDM 3C 25.1, and Robin and
 * Irvine's list of those that do not trap). */
enum sensitive {
    SENSITIVE_NONE,
    SENSITIVE_CLI, SENSITIVE_STI, SENSITIVE_PUSHF, SENSITIVE_POPF,
    SENSITIVE_IRET, SENSITIVE_INT, SENSITIVE_LGDT, SENSITIVE_LIDT,
    SENSITIVE_LLDT, SENSITIVE_LTR, SENSITIVE_SGDT, SENSITIVE_SIDT,
    SENSITIVE_SLDT, SENSITIVE_STR, SENSITIVE_SMSW, SENSITIVE_LMSW,
    SENSITIVE_MOV_CR, SENSITIVE_MOV_DR, SENSITIVE_CLTS, SENSITIVE_WBINVD,
    SENSITIVE_SWAPGS, SENSITIVE_SYSCALL, SENSITIVE_SYSRET,
    SENSITIVE_SYSENTER, SENSITIVE_SYSEXIT, SENSITIVE_RDTSC, SENSITIVE_RDPMC,
    SENSITIVE_PAUSE, SENSITIVE_LAR, SENSITIVE_LSL, SENSITIVE_VERR,
    SENSITIVE_VERW, SENSITIVE_POP_SEG, SENSITIVE_PUSH_SEG,
    SENSITIVE_MOV_SEG, SENSITIVE_FAR_CALL, SENSITIVE_FAR_JMP,
    SENSITIVE_FAR_RET, SENSITIVE_HLT, SENSITIVE_INVLPG, SENSITIVE_MONITOR,
    SENSITIVE_XSETBV, SENSITIVE_IO, SENSITIVE_CPUID, SENSITIVE_MSR,
    SENSITIVE_KINDS
};

struct event {
    uint64_t seq;     /* 1, 2, 3 ... over the life of the machine */
    uint64_t time_ns; /* virtual time */
    uint64_t rip;     /* of the instruction that caused it */
    uint64_t addr, value;
    uint64_t cost_ns; /* time the handler took; 0 where not measured */
    uint16_t cpu;
    uint16_t reason; /* a VMX exit-reason number (SDM 3C appendix C), or the
                        vector of an exception or interrupt */
    uint8_t kind;    /* enum event_kind */
    uint8_t size;    /* bytes of a port or memory access */
    uint8_t write;   /* 1 for a write */
    uint8_t detail;  /* see the kinds */
};

struct event_sink {
    void (*on_event)(void *ctx, const struct event *event);
    void *ctx;
    uint32_t kinds; /* bit mask: 1u << enum event_kind */
    struct event_sink *next;
};

#define EVENT_RING 4096u /* a power of two */
#define EVENT_ALL ((1u << EVENT_KINDS) - 1)

struct ledger {
    uint32_t wanted;   /* kinds that some sink or the ring wants */
    uint32_t recorded; /* kinds that go into the ring */
    uint64_t seq;
    uint64_t count[EVENT_KINDS];
    uint64_t vector_count[256]; /* exceptions and IRQs */
    uint64_t sensitive_count[SENSITIVE_KINDS];
    uint64_t paging_count[8];
    struct event_sink *sinks;
    struct event *ring; /* EVENT_RING entries, by seq modulo EVENT_RING */
};

int ledger_init(struct ledger *ledger);
void ledger_fini(struct ledger *ledger);
void ledger_add_sink(struct ledger *ledger, struct event_sink *sink);
void ledger_remove_sink(struct ledger *ledger, struct event_sink *sink);
/* Puts events of these kinds (and no others) into the ring from now on. */
void ledger_record(struct ledger *ledger, uint32_t kinds);
/* Stamps the sequence number, counts, rings and publishes a served event. */
void ledger_publish(struct ledger *ledger, struct event *event);

const char *event_kind_name(enum event_kind kind);
const char *sensitive_name(enum sensitive sensitive);
const char *paging_event_name(enum paging_event event);
/* One line of text, without a newline: what `-d exits` writes. */
size_t event_format(const struct event *event, char *text, size_t size);
/* One JSON object, without a newline: what `-trace file=` writes. */
size_t event_json(const struct event *event, char *text, size_t size);

#endif
