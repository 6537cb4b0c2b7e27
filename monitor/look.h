/*
 * Looking into a stopped machine. Every function prints to a FILE, changes
 * nothing that the guest could notice (but look_write() and what is built on
 * it), never faults, never reads a device, and is bounded in time and output
 * whatever tables the guest has made.
 */
#ifndef MONITOR_LOOK_H
#define MONITOR_LOOK_H

#include "emu/machine.h"
#include "emu/x86/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct symbols;

/* --- look_memory.c -------------------------------------------------------- */

enum look_space { LOOK_LINEAR, LOOK_PHYSICAL };

/* Copies guest memory; returns the bytes copied before the first one that is
 * not mapped, or is neither RAM nor ROM. */
size_t look_read(struct cpu *cpu, enum look_space space, uint64_t addr,
                 void *data, size_t size);
/* The same for writing; page permissions do not matter, ROM stays as it is.
 * Engines hear of it. */
size_t look_write(struct cpu *cpu, enum look_space space, uint64_t addr,
                  const void *data, size_t size);

/* What follows the slash in x/8xb. */
struct look_format {
    uint64_t count;
    char format;   /* x d u o c i s */
    unsigned size; /* bytes of an item: 1, 2, 4, 8 */
};
/* Parses "8xb" (NULL or "": 1xw). False: a message was printed. */
bool look_parse_format(const char *text, struct look_format *format, FILE *out);
/* `x` and `xp`, in QEMU's layout; instructions are Intel syntax. Returns 0,
 * or -1 when memory was not there. *next becomes the address after it (next
 * may be NULL). */
int look_examine(struct cpu *cpu, FILE *out, const struct symbols *symbols,
                 const struct look_format *format, enum look_space space,
                 uint64_t addr, uint64_t *next);
/* Finds bytes ("55 aa", or text in double quotes) in [addr, addr + size). */
/* 0 when there was a match. */
int look_search(struct cpu *cpu, FILE *out, enum look_space space,
                uint64_t addr, uint64_t size, const char *pattern);
int look_save(struct cpu *cpu, FILE *out, enum look_space space, uint64_t addr,
              uint64_t size, const char *path);
int look_load(struct cpu *cpu, FILE *out, enum look_space space, uint64_t addr,
              const char *path);

/* --- look_code.c ---------------------------------------------------------- */

/* `count` instructions, an arrow at rip. */
int look_disassemble(struct cpu *cpu, FILE *out, const struct symbols *symbols,
                     enum look_space space, uint64_t addr, uint64_t count,
                     uint64_t *next);
/* One instruction as text into `text`; its length, 0 if it is unreadable. */
unsigned look_instruction(struct cpu *cpu, uint64_t linear, char *text,
                          size_t size);
/* "<name+0x10>" or "" into `text`. */
void look_symbol(const struct symbols *symbols, uint64_t addr, char *text,
                 size_t size);
void look_stack(struct cpu *cpu, FILE *out, const struct symbols *symbols,
                uint64_t words);
/* The rBP chain, at most `frames` deep. */
void look_backtrace(struct cpu *cpu, FILE *out, const struct symbols *symbols,
                    uint64_t frames);

/* --- look_paging.c -------------------------------------------------------- */

enum look_end {
    LOOK_MAPPED,
    LOOK_NO_PAGING,     /* CR0.PG is 0: linear is physical */
    LOOK_NOT_PRESENT,
    LOOK_RESERVED,      /* reserved bits are set in the last entry */
    LOOK_NOT_RAM,       /* the last entry lies outside RAM and ROM */
    LOOK_NOT_CANONICAL,
};

struct look_level {
    const char *name; /* "PML4E" ... */
    unsigned index;
    uint64_t gpa, entry;
};

/* Every level of a page walk, permissions left out. */
struct look_path {
    enum look_end end;
    unsigned levels;
    struct look_level level[4];
    uint64_t gpa, page_size; /* when mapped (or without paging) */
    uint64_t reserved;       /* the bits that LOOK_RESERVED is about */
    unsigned entry_size;     /* 4 or 8 bytes */
};
/* True when linear is mapped. */
bool look_path(struct cpu *cpu, uint64_t linear, struct look_path *path);
/* `walk`: 0, or -1 when it is not mapped. */
int look_walk(struct cpu *cpu, FILE *out, uint64_t linear);
/* `info mem`, `info tlb`: QEMU's layout, from address `from` on. */
void look_mem(struct cpu *cpu, FILE *out);
void look_tlb(struct cpu *cpu, FILE *out, uint64_t from);
/* Names of an entry's bits: "P RW US A D". */
void look_entry_bits(uint64_t entry, unsigned entry_size, char *text,
                     size_t size);

/* --- look_registers.c ----------------------------------------------------- */

void look_registers(struct cpu *cpu, FILE *out);
void look_segments(struct cpu *cpu, FILE *out);
void look_control(struct cpu *cpu, FILE *out); /* CRn, EFER, EFLAGS by bit */
void look_fpu(struct cpu *cpu, FILE *out);
void look_sse(struct cpu *cpu, FILE *out);
void look_msrs(struct cpu *cpu, FILE *out);
void look_debug_registers(struct cpu *cpu, FILE *out);
/* One line of all set bits' names, from a table of `look_bit`. */
void look_eflags(uint32_t eflags, char *text, size_t size);

/* --- look_tables.c -------------------------------------------------------- */

/* A segment descriptor as it stands in memory. */
struct look_descriptor {
    uint64_t linear;
    uint32_t lo, hi, hi2;
    bool wide; /* takes 16 bytes */
};
enum look_descriptor_state {
    LOOK_DESCRIPTOR_OK,
    LOOK_DESCRIPTOR_NULL,    /* selectors 0 to 3 */
    LOOK_DESCRIPTOR_OUTSIDE, /* beyond the limit, or no LDT */
    LOOK_DESCRIPTOR_UNREADABLE,
};
enum look_descriptor_state look_descriptor(struct cpu *cpu, uint16_t selector,
                                           struct look_descriptor *desc);
/* The gate of a vector in protected mode. */
enum look_descriptor_state look_gate(struct cpu *cpu, unsigned vector,
                                     struct look_descriptor *gate);
/* One line without an end of line. */
void look_print_descriptor(struct cpu *cpu, FILE *out,
                           const struct look_descriptor *desc);
/* A selector, its parts and its descriptor. */
void look_print_selector(struct cpu *cpu, FILE *out, uint16_t selector);
void look_gdt(struct cpu *cpu, FILE *out);
void look_ldt(struct cpu *cpu, FILE *out);
/* In real mode the IVT at IDTR. */
void look_idt(struct cpu *cpu, FILE *out, const struct symbols *symbols);
void look_ivt(struct cpu *cpu, FILE *out);
void look_tss(struct cpu *cpu, FILE *out);
/* "TSS32-busy" and so on, of a system descriptor. */
const char *look_system_type(const struct cpu *cpu, unsigned type);
/* "#PF page fault" */
const char *look_vector_name(unsigned vector);

/* --- look_why.c ----------------------------------------------------------- */

/* Explains the last exception; after a triple fault, the last three. 0, or -1
 * when there was none or it was not observed. */
int look_why(struct cpu *cpu, FILE *out, const struct symbols *symbols);

/* --- look_devices.c ------------------------------------------------------- */

void look_mtree(struct machine *machine, FILE *out);
void look_pci(struct machine *machine, FILE *out);
void look_device_list(struct machine *machine, FILE *out);
/* Everything in the field table. -1: no such device. */
int look_device(struct machine *machine, FILE *out, const char *name);
void look_pic(struct machine *machine, FILE *out);
void look_lapic(struct machine *machine, FILE *out);
void look_ioapic(struct machine *machine, FILE *out);
void look_timers(struct machine *machine, FILE *out);
void look_cpus(struct machine *machine, FILE *out, unsigned current);
void look_status(struct machine *machine, FILE *out);
void look_version(FILE *out);
/* A field's element of a device's state; false when there is none such. */
bool look_field(const struct device *dev, const char *name, uint32_t element,
                uint64_t *value);

#endif
