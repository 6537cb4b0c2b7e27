/*
 * What the files of the system half of the CPU share: descriptors, far
 * transfers, task switches, interrupts, control registers, MSRs and CPUID.
 * Only emu/x86/ includes it (and cpuid.h what others may want).
 */
#ifndef EMU_X86_SYSTEM_H
#define EMU_X86_SYSTEM_H

#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "emu/x86/cpuid.h"
#include "emu/x86/mmu.h"

/* --- descriptors (SDM 3A 3.4.5, 5.8.3): segment.c ------------------------ */

/* An entry of the GDT or LDT as it stands in memory, and where that is. */
struct descriptor {
    uint64_t linear;
    uint16_t selector;
    uint32_t lo, hi;
    uint32_t hi2; /* bits 63:32 of the base in 16-byte descriptors */
};

/* Bits of descriptor.hi; shifted right by 8 they are access bits. */
#define DESC_ACCESS(d) ((uint16_t)(((d)->hi >> 8) & 0xF0FFu))
#define DESC_TYPE(d) (((d)->hi >> 8) & 0xFu)
#define DESC_DPL(d) (((d)->hi >> 13) & 3u)
#define DESC_P 0x8000u
#define DESC_S 0x1000u
#define DESC_L 0x200000u
#define DESC_DB 0x400000u
#define DESC_CODE 0x0800u       /* of a segment descriptor (S set) */
#define DESC_CONFORMING 0x0400u /* of a code segment */

enum { /* types of system descriptors (S clear) */
    SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4,
    SYS_TASK_GATE = 5, SYS_INT16 = 6, SYS_TRAP16 = 7, SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11, SYS_CALL32 = 12, SYS_INT32 = 14, SYS_TRAP32 = 15,
};

static inline bool selector_null(uint16_t selector)
{
    return (selector & 0xFFFCu) == 0;
}
static inline bool descriptor_is_code(const struct descriptor *d)
{
    return (d->hi & (DESC_S | DESC_CODE)) == (DESC_S | DESC_CODE);
}
static inline bool descriptor_is_writable_data(const struct descriptor *d)
{
    return (d->hi & (DESC_S | DESC_CODE | 0x200u)) == (DESC_S | 0x200u);
}
static inline bool canonical(uint64_t linear)
{
    return ((uint64_t)((int64_t)(linear << 16) >> 16)) == linear;
}
/* Linear address in a system table: wraps at 4 GiB outside long mode. */
static inline uint64_t system_linear(const struct cpu *c, uint64_t base,
                                     uint64_t offset)
{
    uint64_t linear = base + offset;
    return c->long_mode ? linear : (uint32_t)linear;
}

/* Reads the descriptor of a selector that is not null. False: it lies outside
 * its table (or there is no LDT). */
bool descriptor_read(struct cpu *cpu, uint16_t selector,
                     struct descriptor *desc);
/* The same, but raises `vector` with the selector as error code. */
void descriptor_fetch(struct cpu *cpu, uint16_t selector, enum vector vector,
                      struct descriptor *desc);
/* Reads the upper half of a 16-byte system descriptor or gate into hi2;
 * `vector`(selector) if it is cut off by the limit or its type is not 0. */
void descriptor_fetch_upper(struct cpu *cpu, enum vector vector,
                            struct descriptor *desc);
uint32_t descriptor_base(const struct descriptor *desc);
uint32_t descriptor_limit(const struct descriptor *desc);
/* Fills the hidden part (without base bits 63:32). */
void descriptor_to_segment(const struct descriptor *desc,
                           struct segment *segment);
/* Sets the accessed bit in memory and in desc->hi. */
void descriptor_set_accessed(struct cpu *cpu, struct descriptor *desc);
/* Sets or clears the busy bit of a TSS descriptor in memory. */
void descriptor_set_busy(struct cpu *cpu, struct descriptor *desc, bool busy);

/* A null selector as it is after a load or a privilege change. */
void segment_set_null(struct cpu *cpu, enum seg seg, uint16_t selector);
/* Do `size` bytes at `offset` lie within the limit (SDM 3A 5.3)? */
bool segment_within(const struct segment *segment, uint64_t offset,
                    unsigned size);
/* Fixed attributes of v86 mode: base selector * 16, limit FFFF, DPL 3. */
void segment_set_v86(struct cpu *cpu, enum seg seg, uint16_t selector);
/* Loads ES, SS, DS, FS or GS in protected mode, for a stack segment at
 * privilege `cpl`; checks that fail raise `vector`, or #TS in a task switch.*/
void segment_load_protected(struct cpu *cpu, enum seg seg, uint16_t selector,
                            enum vector vector);
/* On a return to an outer ring: data segments it may not use become null. */
void segment_drop_inner(struct cpu *cpu);
/* Checks a code segment's type, privilege and presence for a direct far jump
 * or call at the current CPL. */
void code_check_direct(struct cpu *cpu, const struct descriptor *desc);
/* The same for a return to its selector's RPL. */
void code_check_return(struct cpu *cpu, const struct descriptor *desc);
/* #GP(0) when the offset is outside the code segment that is to be loaded. */
void code_check_offset(struct cpu *cpu, const struct descriptor *desc,
                       uint64_t offset);
/* Is the target a 64-bit code segment? */
static inline bool code_is_64bit(const struct cpu *c,
                                 const struct descriptor *d)
{
    return c->long_mode && (d->hi & DESC_L);
}
/* Loads CS and CPL from a checked descriptor. Nothing here faults but the
 * setting of the accessed bit, which comes first. */
void code_load(struct cpu *cpu, struct descriptor *desc, unsigned cpl);
/* Checks a stack segment for a return to ring `rpl` or, for #TS, an inner
 * ring's, whose presence fault is #SS(selector). */
void stack_check(struct cpu *cpu, const struct descriptor *desc, unsigned dpl,
                 enum vector vector);

/* --- stacks that are written before they are current: farcall.c ---------- */
struct stack {
    struct segment ss;
    struct descriptor desc; /* of ss; selector 0 when nothing was fetched */
    uint64_t sp, mask;
    unsigned cpl;
    uint32_t error; /* of #SS when a push does not fit */
    bool flat64;    /* no limits: 64-bit mode */
};
/* The stack in use, as the given code width sees it. */
void stack_current(struct cpu *cpu, bool wide, struct stack *stack);
/* The stack that the TSS holds for ring `cpl` (SDM 3A 5.8.5, 7.7); in long
 * mode, IST entry `ist` when not 0. */
void stack_from_tss(struct cpu *cpu, unsigned cpl, unsigned ist,
                    struct stack *stack);
void stack_push(struct cpu *cpu, struct stack *stack, uint64_t value,
                unsigned size);
/* Reads `size` bytes at SP + offset of the current stack, with its checks. */
uint64_t stack_peek(struct cpu *cpu, uint64_t offset, unsigned size);
/* SP from the stack, in the width of its mask. */
void stack_set_sp(struct cpu *cpu, uint64_t sp, uint64_t mask);
/* Makes it current; `inner` loads SS too. */
void stack_commit(struct cpu *cpu, struct stack *stack, bool inner);
/* 2^64 - 1, 2^32 - 1 or 2^16 - 1, by mode and SS.B. */
uint64_t stack_mask(const struct cpu *cpu);

/* --- farcall.c, interrupt.c ---------------------------------------------- */
/* Pops SS:SP of an outer ring from `offset` above SP and goes there: the last
 * part of RETF and IRET. `release` bytes are dropped from the new stack. */
void return_outer(struct cpu *cpu, struct descriptor *code, uint64_t rip,
                  uint64_t offset, unsigned size, uint64_t release);

/* --- task.c -------------------------------------------------------------- */
enum task_source { TASK_JUMP, TASK_CALL, TASK_INTERRUPT, TASK_RETURN };
/* Switches to the (checked, not 64-bit) TSS. return_rip is what the old task
 * will continue at. Sets rip; faults in the new task after the switch. */
void task_switch(struct cpu *cpu, struct descriptor *tss,
                 enum task_source source, uint64_t return_rip);
/* Follows a task gate: the TSS selector in `gate`. */
void task_gate(struct cpu *cpu, const struct descriptor *gate,
               enum task_source source, uint64_t return_rip);
/* IRET with EFLAGS.NT: the back link. */
void task_return(struct cpu *cpu, uint64_t return_rip);
/* #GP(0) unless the TSS's bitmap allows these ports (SDM 1 18.5.2). */
void task_check_io(struct cpu *cpu, unsigned port, unsigned size);

/* --- exec_control_regs.c ------------------------------------------------- */
/* Stores CR0/CR3/CR4 with all side effects; false: #GP(0), nothing changed. */
bool cr0_write(struct cpu *cpu, uint64_t value);
bool cr3_write(struct cpu *cpu, uint64_t value);
bool cr4_write(struct cpu *cpu, uint64_t value);
void cpu_paging_event(struct cpu *cpu, enum paging_event what, uint64_t value);

/* --- exec_msr.c ---------------------------------------------------------- */
/* False: #GP(0). */
bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write(struct cpu *cpu, uint32_t index, uint64_t value);

/* --- interrupt.c --------------------------------------------------------- */
/* INT1 (ICEBP): a #DB that no gate's DPL stops. */
void interrupt_icebp(struct cpu *cpu, uint64_t return_rip);

/* --- cpu.c --------------------------------------------------------------- */
/* Chooses tlb_now for CPL, EFLAGS.AC and CR4.SMAP; cpu_mode_changed() does it
 * too. Decoded code does not depend on it. */
void cpu_choose_bank(struct cpu *cpu);
/* Instruction-derived time as of this instruction. */
static inline void cpu_sync_icount(struct cpu *c)
{
    if (c->machine->clock.icount)
        cpu_sync_clock(c);
}
/* Starts the interrupt shadow that lasts until the instruction at `next` has
 * been executed (SDM 3A 6.8.3). */
static inline void cpu_start_shadow(struct cpu *c, uint64_t next)
{
    if (c->pending)
        c->pending |= PENDING_SHADOW;
    else
        c->shadow_rip = next;
}
/* The same for MOV SS and POP SS, which hold off debug exceptions as well. */
static inline void cpu_start_ss_shadow(struct cpu *c, uint64_t next)
{
    if (c->pending)
        c->pending |= PENDING_SS;
    cpu_start_shadow(c, next);
}
/* #GP(0) unless CPL is 0. */
static inline void cpu_require_cpl0(struct cpu *c)
{
    if (c->cpl != 0)
        cpu_gp(c);
}

#endif
