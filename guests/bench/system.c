/*
 * The system workloads of the bench guest: the events that an operating system
 * is made of, and that a hypervisor or an emulator pays for. All run in ring 0
 * with interrupts off; none has a native column, for no program may do this.
 *
 * A window of virtual memory that nothing else uses begins at 4 GiB, in pages
 * of 4 KiB. A workload that plays with page tables builds its own in the
 * arena: a copy of the first levels, so that 0 to 4 GiB stay where they are.
 *
 * Manual: SDM 3 4.10.4 (when the TLB must be told), 4.6 (access rights), 5.8.8
 * (SYSCALL), 6.15 (#UD, #PF), 10.4.8 (local APIC version); 8259A, OCW1.
 * Not modelled: what needs an interrupt or a second CPU (IPIs, shootdowns).
 */
#include "guests/bench/bench.h"

#define WINDOW 0x100000000ull
#define PAGE 4096u
#define PRESENT_WRITE 3u

static inline void invalidate(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void load_cr3(uint64_t table)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(table) : "memory");
}

/*
 * Builds, in the arena's first pages, tables that map pages 4 KiB pages at
 * WINDOW to the memory at target. top is the table for CR3 that gets them.
 * Returns the lowest level, an entry a page. Uses 3 pages of tables.
 */
static uint64_t *map_window(uint64_t *top, uint8_t *tables, uint64_t target,
                            uint32_t pages)
{
    uint64_t *pdpt = (uint64_t *)(uintptr_t)(pml4[0] & ~0xFFFull);
    uint64_t *own = (uint64_t *)tables;
    uint64_t *directory = own + 512, *table = own + 1024;

    for (uint32_t i = 0; i < 512; i++) {
        own[i] = i < 4 ? pdpt[i] : 0;
        directory[i] = 0;
        table[i] = i < pages ? (target + i * PAGE) | PRESENT_WRITE : 0;
    }
    own[4] = (uint64_t)(uintptr_t)directory | PRESENT_WRITE;
    directory[0] = (uint64_t)(uintptr_t)table | PRESENT_WRITE;
    for (uint32_t i = 0; i < 512; i++)
        top[i] = 0;
    top[0] = (uint64_t)(uintptr_t)own | 7;
    return table;
}

static uint64_t sys_syscall(uint8_t *arena)
{
    syscall_rounds = 1500000;
    return run_user(user_syscalls, arena);
}

static uint64_t sys_int80(uint8_t *arena)
{
    int80_rounds = 500000;
    return run_user(user_int80s, arena);
}

/* The page goes away, is touched, and #PF brings it back. */
static uint64_t sys_page_fault(uint8_t *arena)
{
    uint64_t *table = map_window((uint64_t *)arena, arena + PAGE,
                                 (uint64_t)(uintptr_t)arena + (1u << 20), 64);
    uint64_t old = (uint64_t)(uintptr_t)pml4;

    load_cr3((uint64_t)(uintptr_t)arena);
    trap_count = 0;
    for (uint32_t i = 0; i < 120000; i++) {
        uint64_t address = WINDOW + i % 64 * PAGE;
        uint64_t *entry = &table[i % 64];

        *(volatile uint64_t *)entry &= ~1ull;
        invalidate(address);
        fault_entry = entry;
        *(volatile uint32_t *)(uintptr_t)address = i;
        fault_entry = 0;
    }
    load_cr3(old);
    return trap_count;
}

/* Two address spaces that differ in 64 pages; all of them after a switch. */
static uint64_t sys_cr3_switch(uint8_t *arena)
{
    uint64_t space[2], sum = 0, old = (uint64_t)(uintptr_t)pml4;

    for (uint32_t k = 0; k < 2; k++) {
        uint8_t *tables = arena + k * 4 * PAGE;
        uint8_t *target = arena + (1u << 20) + k * (1u << 19);

        for (uint32_t i = 0; i < 64; i++)
            *(uint32_t *)(target + i * PAGE) = i * (k + 1);
        map_window((uint64_t *)tables, tables + PAGE,
                   (uint64_t)(uintptr_t)target, 64);
        space[k] = (uint64_t)(uintptr_t)tables;
    }
    for (uint32_t i = 0; i < 20000; i++) {
        load_cr3(space[i & 1]);
        for (uint64_t page = 0; page < 64; page++)
            sum += *(volatile uint32_t *)(uintptr_t)(WINDOW + page * PAGE);
    }
    load_cr3(old);
    return sum;
}

/* One entry of the page table is pointed elsewhere, and used. */
static uint64_t sys_pte_change(uint8_t *arena)
{
    uint64_t target = (uint64_t)(uintptr_t)arena + (1u << 20), sum = 0;
    uint64_t *table = map_window((uint64_t *)arena, arena + PAGE, target, 64);
    uint64_t old = (uint64_t)(uintptr_t)pml4;

    for (uint32_t i = 0; i < 64; i++)
        *(uint32_t *)(uintptr_t)(target + i * PAGE) = i * i;
    load_cr3((uint64_t)(uintptr_t)arena);
    for (uint32_t i = 0; i < 800000; i++) {
        *(volatile uint64_t *)&table[5] =
            (target + i % 64 * PAGE) | PRESENT_WRITE;
        invalidate(WINDOW + 5 * PAGE);
        sum += *(volatile uint32_t *)(uintptr_t)(WINDOW + 5 * PAGE);
    }
    load_cr3(old);
    return sum;
}

static uint64_t sys_undefined(uint8_t *arena)
{
    (void)arena;
    trap_count = 0;
    expect_ud = 1;
    for (uint32_t i = 0; i < 200000; i++)
        __asm__ volatile("ud2");
    expect_ud = 0;
    return trap_count;
}

/* The PIC's mask register: it reads back what was written. */
static uint64_t sys_port_read(uint8_t *arena)
{
    uint64_t sum = 0;
    uint8_t old = port_read(0x21);

    (void)arena;
    port_write(0x21, 0xFB);
    for (uint32_t i = 0; i < 1000000; i++)
        sum += port_read(0x21);
    port_write(0x21, old);
    return sum;
}

static uint64_t sys_port_write(uint8_t *arena)
{
    (void)arena;
    for (uint32_t i = 0; i < 1500000; i++)
        port_write(0x80, (uint8_t)i);
    return 1500000;
}

static uint64_t sys_vga_write(uint8_t *arena)
{
    volatile uint16_t *screen = (volatile uint16_t *)(uintptr_t)0xB8000;

    (void)arena;
    for (uint32_t i = 0; i < 1500000; i++)
        screen[i % 2000] = (uint16_t)(0x0700 | ('A' + i % 26));
    return screen[0] | (uint64_t)screen[1999] << 16;
}

/* The local APIC's version, 10h to 15h: a register in memory's place. */
static uint64_t sys_apic_read(uint8_t *arena)
{
    volatile uint32_t *version = (volatile uint32_t *)(uintptr_t)0xFEE00030;
    uint64_t valid = 0;

    (void)arena;
    for (uint32_t i = 0; i < 1500000; i++) {
        uint32_t value = *version & 0xFF;

        valid += value >= 0x10 && value <= 0x15;
    }
    return valid;
}

static uint64_t sys_cpuid(uint8_t *arena)
{
    uint64_t letters = 0;

    (void)arena;
    for (uint32_t i = 0; i < 3000000; i++) {
        uint32_t a = 0, b, c = 0, d;

        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        letters += (b & c & d & 0x40404040) == 0x40404040; /* a vendor name */
    }
    return letters;
}

static uint64_t sys_rdtsc(uint8_t *arena)
{
    uint64_t last = 0, backwards = 0;

    (void)arena;
    for (uint32_t i = 0; i < 2000000; i++) {
        uint32_t low, high;
        uint64_t now;

        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        now = (uint64_t)high << 32 | low;
        backwards += now < last;
        last = now;
    }
    return backwards;
}

/* STAR's lower half is ours to play with: only 32-bit SYSCALL uses it. */
static uint64_t sys_msr(uint8_t *arena)
{
    const uint32_t star = 0xC0000081;
    uint64_t sum = 0;

    (void)arena;
    for (uint32_t i = 0; i < 500000; i++) {
        uint32_t low, high;

        __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(star));
        sum += low + (high & 0xFF);
        low = i;
        __asm__ volatile("wrmsr" : : "a"(low), "d"(high), "c"(star));
    }
    return sum;
}

/* Selector loads with their descriptor checks, and a far return. */
static uint64_t sys_segment_load(uint8_t *arena)
{
    uint64_t sum = 0;

    (void)arena;
    for (uint32_t i = 0; i < 400000; i++) {
        uint64_t selector = 0x18, scratch;

        __asm__ volatile("movl %k0, %%es\n\t"
                         "movl %k0, %%ds\n\t"
                         "movl %%es, %k0\n\t"
                         "leaq 1f(%%rip), %1\n\t"
                         "pushq $0x10\n\t"
                         "pushq %1\n\t"
                         "lretq\n"
                         "1:"
                         : "+r"(selector), "=&r"(scratch)
                         :
                         : "memory");
        sum += selector;
    }
    return sum;
}

/* MOV to CR0 that toggles TS, as kernels did for lazy x87 switching. */
static uint64_t sys_cr0_write(uint8_t *arena)
{
    uint64_t sum = 0;

    (void)arena;
    for (uint32_t i = 0; i < 400000; i++) {
        uint64_t cr0;

        __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
        sum += cr0 & 8;
        __asm__ volatile("movq %0, %%cr0" : : "r"(cr0 ^ 8));
    }
    __asm__ volatile("clts");
    return sum;
}

const struct system_workload system_workloads[] = {
    {"syscall", sys_syscall},
    {"int80", sys_int80},
    {"page-fault", sys_page_fault},
    {"cr3-switch", sys_cr3_switch},
    {"pte-change", sys_pte_change},
    {"undefined-op", sys_undefined},
    {"port-read", sys_port_read},
    {"port-write", sys_port_write},
    {"vga-write", sys_vga_write},
    {"apic-read", sys_apic_read},
    {"cpuid", sys_cpuid},
    {"rdtsc", sys_rdtsc},
    {"msr", sys_msr},
    {"segment-load", sys_segment_load},
    {"cr0-write", sys_cr0_write},
    {0, 0},
};
