/*
 * A machine of RAM only, for the tests of what needs ring 0: descriptor
 * tables, page tables and a TSS stand ready, snippets of guest code are copied
 * in and run until they halt.
 *
 * Every vector leads to a HLT of its own, so a test sees which exception or
 * interrupt came, and what was pushed, in struct outcome. Every run is made
 * under -icount, hence deterministic. With the environment variable RIG_STEP
 * set, instructions are run one at a time: the results must be the same.
 */
#ifndef TESTS_SUPPORT_RIG_H
#define TESTS_SUPPORT_RIG_H

#include "emu/accel.h"
#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "tests/support/test.h"

/* Guest-physical addresses; linear ones are the same. All of the first 4 MiB
 * is mapped, user and writable, with 4 KiB pages. */
enum {
    RIG_GDT = 0x1000, RIG_LDT = 0x1800, RIG_IDT = 0x2000, RIG_TSS = 0x3000,
    RIG_TSS2 = 0x3800, RIG_HANDLERS = 0x4000, /* 16 bytes a vector */
    RIG_STACK0 = 0x6000, RIG_STACK1 = 0x6400, RIG_STACK2 = 0x6800,
    RIG_STACK3 = 0x7000, RIG_IST = 0x7800, /* tops; stacks grow down */
    RIG_CODE = 0x8000, RIG_DATA = 0x10000,
    RIG_PML4 = 0x20000, RIG_PDPT = 0x21000, RIG_PD64 = 0x22000,
    RIG_PT64 = 0x23000, /* and 24000: 4 MiB in all, also for PAE */
    RIG_PD32 = 0x25000, RIG_PT32 = 0x26000, RIG_PDPT32 = 0x27000,
    RIG_RAM = 32 << 20,
};

/* Selectors in the GDT. Those from RIG_FREE on are the tests' own. */
enum {
    SEL_CODE32 = 0x08, SEL_DATA = 0x10, SEL_UCODE32 = 0x1B, SEL_UDATA = 0x23,
    SEL_CODE64 = 0x28, SEL_UCODE64 = 0x33, SEL_CODE16 = 0x38,
    SEL_DATA16 = 0x40, SEL_TSS = 0x48, SEL_LDT = 0x58, SEL_FREE = 0x68,
    SEL_FREE2 = 0x70, SEL_FREE3 = 0x78, SEL_FREE4 = 0x80,
    SEL_CODE32_1 = 0x89, SEL_DATA_1 = 0x91, /* ring 1 */
};
/* access word (bits 8 to 15 and 20 to 23 of a descriptor's upper half, here
 * as in struct segment) */
enum {
    ACCESS_CODE32 = 0xC09A, ACCESS_DATA = 0xC092, ACCESS_CODE16 = 0x009A,
    ACCESS_DATA16 = 0x0092, ACCESS_CODE64 = 0xA09A, ACCESS_RING3 = 0x60,
};

enum rig_mode {
    RIG_REAL,    /* real-address mode, flat in the first 64 KiB */
    RIG_V86,     /* virtual-8086, CPL 3, no paging */
    RIG_PROT16,  /* 16-bit code and stack in protected mode */
    RIG_PROT32,  /* protected, no paging */
    RIG_PAGED32, /* 32-bit paging */
    RIG_PAE,     /* PAE paging */
    RIG_LONG,    /* 64-bit code */
    RIG_COMPAT,  /* 32-bit code in long mode */
};

struct outcome {
    enum stop stop;
    int vector;             /* whose handler halted; -1: a HLT elsewhere */
    uint32_t error;         /* 0xFFFFFFFF when the vector has none */
    uint64_t ip, flags, sp; /* as pushed; sp where it was */
    uint16_t cs, ss;
    uint64_t seg[4]; /* ES DS FS GS pushed on the way out of v86 mode */
};

struct rig {
    struct machine *machine;
    struct cpu *cpu;
    struct region ram;
    struct outcome out;
    int irq; /* the vector that acknowledging gives; -1: none */
    bool step;
};

/* A machine in the mode, at this CPL, about to run at RIG_CODE. Aborts the
 * test when out of memory. */
struct rig *rig_new(enum rig_mode mode, unsigned cpl);
void rig_free(struct rig *rig);

/* Copies guest code; start and end come from GUEST. */
void rig_load(struct rig *rig, uint32_t gpa, const uint8_t *start,
              const uint8_t *end);
#define RIG_LOAD(RIG, NAME) rig_load(RIG, RIG_CODE, NAME, NAME##_end)
/* Runs until HLT, shutdown or 200,000 instructions; fills rig->out. */
const struct outcome *rig_run(struct rig *rig);
/* Loads the code at RIG_CODE and runs it. */
#define RIG_RUN(RIG, NAME) (RIG_LOAD(RIG, NAME), rig_run(RIG))

/* Guest memory, behind the CPU's back. */
void rig_poke(struct rig *rig, uint32_t gpa, uint64_t value, unsigned size);
uint64_t rig_peek(const struct rig *rig, uint32_t gpa, unsigned size);

/* Writes a GDT entry (or LDT, if the selector says so). */
void rig_descriptor(struct rig *rig, unsigned selector, uint32_t base,
                    uint32_t limit, unsigned access);
/* Writes a gate's eight bytes (in long mode 16) at gpa. */
void rig_gate(struct rig *rig, uint32_t gpa, unsigned type, unsigned dpl,
              unsigned selector, uint64_t offset, unsigned low_bits);
/* Replaces a gate of the IDT: same offset, other type, DPL or IST. */
void rig_idt(struct rig *rig, unsigned vector, unsigned type, unsigned dpl,
             unsigned ist);
/* Address of the vector's HLT. */
static inline uint32_t rig_handler(unsigned vector)
{
    return RIG_HANDLERS + vector * 16;
}
/* The page-table entry of a linear address below 4 MiB; writing flushes
 * nothing. */
uint64_t rig_pte(const struct rig *rig, uint32_t linear);
void rig_set_pte(struct rig *rig, uint32_t linear, uint64_t entry);
/* Raises INTR, whose vector will be this. It falls on acknowledgement. */
void rig_interrupt(struct rig *rig, unsigned vector);

/*
 * Guest code: GUEST(name, 32, "...") makes name and name_end. Intel syntax,
 * local numeric labels; position-independent, or for RIG_CODE: the address of
 * label 1 is AT(name, 1f).
 */
#define GUEST(NAME, BITS, TEXT)                                                \
    extern const uint8_t NAME[], NAME##_end[];                                 \
    __asm__(".pushsection .rodata.guest,\"a\",@progbits\n"                     \
            ".code" #BITS "\n.intel_syntax noprefix\n" #NAME ":\n" TEXT        \
            "\n" #NAME "_end:\n.att_syntax prefix\n.code64\n.popsection\n");
#define AT(NAME, LABEL) "(" #LABEL "-" #NAME "+0x8000)"

/* Assertions that show what they saw. */
void rig_expect(uint64_t got, uint64_t want, const char *text, const char *file,
                unsigned line);
#define EXPECT(GOT, WANT)                                                      \
    rig_expect((uint64_t)(GOT), (uint64_t)(WANT), #GOT, __FILE__, __LINE__)
/* The run ended in a fault's handler: vector, error code, and where. */
void rig_expect_fault(const struct rig *rig, int vector, uint32_t error,
                      uint64_t ip, const char *file, unsigned line);
#define NO_ERROR 0xFFFFFFFFu
#define EXPECT_FAULT(RIG, VECTOR, ERROR, IP)                                   \
    rig_expect_fault(RIG, VECTOR, ERROR, IP, __FILE__, __LINE__)
/* It ended at a HLT of the test's own code. */
#define EXPECT_DONE(RIG) rig_expect_fault(RIG, -1, 0, 0, __FILE__, __LINE__)

#endif
