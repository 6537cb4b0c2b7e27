/*
 * The bench guest's kernel: what bench.c, system.c and boot.S share.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

struct system_workload {
    const char *name;
    uint64_t (*run)(uint8_t *arena); /* in ring 0; returns a checksum */
};

/* Ends with an entry without a name. */
extern const struct system_workload system_workloads[];

/* boot.S: calls function(arena) in ring 3 and returns what it returns. */
uint64_t run_user(uint64_t (*function)(uint8_t *), uint8_t *arena);

/* boot.S: loops for ring 3, and how often they go round. */
uint64_t user_syscalls(uint8_t *arena);
uint64_t user_int80s(uint8_t *arena);
extern uint32_t syscall_rounds, int80_rounds;

/* boot.S: exceptions that were expected, and what makes them so: the entry to
 * mark present again on #PF; whether UD2 is stepped over. 0: unexpected. */
extern volatile uint64_t trap_count, expect_ud;
extern uint64_t *volatile fault_entry;

/* boot.S: the top level of the page tables; its entry 0 maps 0 to 4 GiB. */
extern uint64_t pml4[512];

/* bench.c: called by boot.S. */
void bench_main(uint32_t magic, const uint32_t *information);
_Noreturn void bench_panic(uint64_t vector, uint64_t error, uint64_t rip,
                           uint64_t cr2);

static inline void port_write(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t port_read32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

#endif
