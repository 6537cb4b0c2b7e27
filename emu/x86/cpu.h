/*
 * One x86 CPU: its architectural state, and the few derived values that make
 * running it quick. All engines share this struct; the interpreter works on
 * it directly.
 *
 * Invariants
 * - r[R_ZERO] is always 0: an absent base or index register reads it.
 * - The arithmetic flags live in `fa` and `fb` (see flags.h); `eflags` holds
 *   the others and has zeros in the arithmetic places. Use cpu_get_eflags().
 * - While an instruction runs, `rip` is valid only after uop_sync().
 * - cpu_mode_changed() is called after any change of CR0, CR4, EFER, CPL,
 *   EFLAGS.AC/VM/TF, DR7 or a segment register, before the next instruction.
 */
#ifndef EMU_X86_CPU_H
#define EMU_X86_CPU_H

#include "emu/event.h"
#include "emu/field.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

struct machine;
struct uop;

enum reg {
    R_AX, R_CX, R_DX, R_BX, R_SP, R_BP, R_SI, R_DI,
    R_8, R_9, R_10, R_11, R_12, R_13, R_14, R_15,
    R_ZERO,   /* reads as 0: no base, no index */
    R_IPPAGE, /* offset within CS of the start of the current code page, so
                 that rip = r[R_IPPAGE] + offset in page */
    R_COUNT
};

enum seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* A segment register with its hidden part. `access` has the layout of a VMX
 * access-rights field (SDM 3C 24.4.1):
 *
 *   15  14   13  12   11..8   7   6..5  4   3..0
 *    G  D/B   L  AVL    0     P    DPL  S   type
 */
struct segment {
    uint64_t base;
    uint32_t limit; /* in bytes: G is already applied */
    uint16_t selector;
    uint16_t access;
};
#define ACC_TYPE 0x000Fu
#define ACC_ACCESSED 0x0001u
#define ACC_WRITABLE 0x0002u    /* data; for code: readable */
#define ACC_EXPAND_DOWN 0x0004u /* data; for code: conforming */
#define ACC_CODE 0x0008u
#define ACC_S 0x0010u
#define ACC_DPL(a) (((a) >> 5) & 3u)
#define ACC_P 0x0080u
#define ACC_L 0x2000u
#define ACC_DB 0x4000u
#define ACC_G 0x8000u

struct table_register {
    uint64_t base;
    uint16_t limit;
};

enum { /* EFLAGS */
    FLAG_CF = 1u << 0, FLAG_PF = 1u << 2, FLAG_AF = 1u << 4,
    FLAG_ZF = 1u << 6, FLAG_SF = 1u << 7, FLAG_TF = 1u << 8,
    FLAG_IF = 1u << 9, FLAG_DF = 1u << 10, FLAG_OF = 1u << 11,
    FLAG_IOPL = 3u << 12, FLAG_NT = 1u << 14, FLAG_RF = 1u << 16,
    FLAG_VM = 1u << 17, FLAG_AC = 1u << 18, FLAG_VIF = 1u << 19,
    FLAG_VIP = 1u << 20, FLAG_ID = 1u << 21,
    FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};
enum { /* CR0 */
    CR0_PE = 1u << 0, CR0_MP = 1u << 1, CR0_EM = 1u << 2, CR0_TS = 1u << 3,
    CR0_ET = 1u << 4, CR0_NE = 1u << 5, CR0_WP = 1u << 16,
    CR0_AM = 1u << 18, CR0_NW = 1u << 29, CR0_CD = 1u << 30,
};
#define CR0_PG 0x80000000u
enum { /* CR4 */
    CR4_VME = 1u << 0, CR4_PVI = 1u << 1, CR4_TSD = 1u << 2,
    CR4_DE = 1u << 3, CR4_PSE = 1u << 4, CR4_PAE = 1u << 5,
    CR4_MCE = 1u << 6, CR4_PGE = 1u << 7, CR4_PCE = 1u << 8,
    CR4_OSFXSR = 1u << 9, CR4_OSXMMEXCPT = 1u << 10,
    CR4_FSGSBASE = 1u << 16, CR4_SMEP = 1u << 20, CR4_SMAP = 1u << 21,
};
enum { /* IA32_EFER */
    EFER_SCE = 1u << 0, EFER_LME = 1u << 8, EFER_LMA = 1u << 10,
    EFER_NXE = 1u << 11,
};

enum vector {
    VEC_DE, VEC_DB, VEC_NMI, VEC_BP, VEC_OF, VEC_BR, VEC_UD, VEC_NM, VEC_DF,
    VEC_TS = 10, VEC_NP, VEC_SS, VEC_GP, VEC_PF, VEC_MF = 16, VEC_AC, VEC_MC,
    VEC_XM,
};

/* Bits of cpu.mode: all that decoding depends on. Blocks are keyed by it. */
enum {
    MODE_CODE16 = 0, MODE_CODE32 = 1, MODE_CODE64 = 2, MODE_CODE = 3,
    MODE_STACK32 = 1u << 2,  /* SS.B (without meaning in 64-bit mode) */
    MODE_FLAT_ES = 1u << 3,  /* base 0, limit 4 GiB, writable; all three set */
    MODE_FLAT_SS = 1u << 4,  /* in 64-bit mode */
    MODE_FLAT_DS = 1u << 5,
    MODE_CS_SHORT = 1u << 6, /* CS.limit < 4 GiB - 1: check at block entry */
    MODE_NO_FPU = 1u << 7,   /* CR0.EM or TS: x87 and MMX fault */
    MODE_NO_SSE = 1u << 8,   /* those, or not CR4.OSFXSR: SSE faults */
    MODE_SSE_TRAPS = 1u << 9, /* MXCSR unmasks an exception */
};

/* The software TLB. A page is usable for an access of `size` bytes at linear
 * address `a` when  a - tag <= 4096 - size  (unsigned): one comparison for tag,
 * permission and page crossing. What must not be touched directly (MMIO, pages
 * with decoded code when writing, watchpoints, ROM when writing) has a tag
 * that its index can never match. */
#define TLB_BITS 10
#define TLB_SIZE (1u << TLB_BITS)
struct tlb_entry {
    uint64_t tag_r, tag_w;
    uint64_t addend; /* host address = linear address + addend */
    uint64_t gpa;    /* page frame | TLB_GLOBAL, TLB_LARGE, TLB_FILLED */
};
#define TLB_GLOBAL 1u
#define TLB_LARGE 2u
#define TLB_FILLED 4u
#define TLB_DIRTY 8u /* the guest entry's D bit is set (or paging is off) */
enum tlb_bank {
    TLB_KERNEL,    /* CPL 0 to 2 */
    TLB_USER,      /* CPL 3 */
    TLB_KERNEL_AC, /* CPL 0 to 2 while EFLAGS.AC lifts SMAP */
    TLB_CHECKED,   /* never filled: every access goes the slow way (#AC) */
    TLB_BANKS
};
struct tlb {
    struct tlb_entry entry[TLB_SIZE];
    uint16_t filled[TLB_SIZE]; /* indices of entries that hold something */
    unsigned filled_count;
    bool large; /* some entry is a piece of a large page */
};

/* x87 and MMX: registers by physical number, 80 bits in a 16-byte slot. */
struct fpu {
    struct {
        uint64_t mantissa;
        uint16_t exponent; /* with the sign in bit 15 */
        uint16_t pad[3];
    } reg[8];
    uint16_t fcw;
    uint16_t fsw; /* TOP included */
    uint8_t tags; /* bit i: physical register i is not empty */
    uint16_t fop;
    uint64_t fip, fdp;
    uint16_t fcs, fds;
};

union xmm {
    uint8_t u8[16];
    uint16_t u16[8];
    uint32_t u32[4];
    uint64_t u64[2];
    float f32[4];
    double f64[2];
} __attribute__((aligned(16)));

/* Model-specific registers that are plain storage or nearly so. */
struct msrs {
    uint64_t efer, star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, mtrr_def_type;
    uint64_t mtrr_base[8], mtrr_mask[8], mtrr_fixed[11];
    uint64_t mcg_status, bios_sign_id, debugctl, feature_control;
    uint64_t spec_ctrl;
    int64_t tsc_offset; /* guest TSC = ns of virtual time + this */
};

/* Guest-physical page to host pointer, for page walks and TLB fills. */
#define PHYS_CACHE 256u
struct phys_page {
    uint64_t gpa; /* of the page; 1 when empty */
    uint8_t *host;
    bool writable;
};

/* Linear page to guest-physical page for instruction fetch. */
#define FETCH_TLB 64u
struct fetch_page {
    uint64_t linear; /* of the page, | 1 for user; all ones when empty */
    uint64_t gpa;
    uint8_t *host;
};

/* Code address to decoded block, for returns and other branches that are not
 * linked. An entry is good while `key` equals cpu.jump_key. */
#define JUMP_CACHE 4096u
struct jump {
    uint64_t rip; /* offset in CS */
    uint64_t key;
    uint64_t ip_page; /* what R_IPPAGE becomes */
    const struct uop *first;
};

/* Which 64-byte granules of which guest-physical pages hold decoded code; all
 * CPUs of a machine share it. The engine that decodes owns it. */
struct code_map {
    uint64_t *granules; /* one bit a granule, one word a page */
    uint64_t pages;
    /* Code in [gpa, gpa + size) is about to change. */
    void (*invalidate)(void *ctx, uint64_t gpa, uint64_t size);
    void *ctx;
};

/* What ran into the run loop. */
enum unwind { UNWIND_NONE, UNWIND_FAULT, UNWIND_LEAVE };

struct fault {
    uint8_t vector;
    bool has_error;
    uint32_t error;
};

/* Reasons, as a mask, to come back to the run loop before the next
 * instruction: cpu.pending. Zero almost always. */
enum {
    PENDING_INTR = 1u << 0,   /* the INTR line is up and EFLAGS.IF is set */
    PENDING_NMI = 1u << 1,
    PENDING_SHADOW = 1u << 2, /* STI, MOV SS, POP SS: no interrupt yet */
    PENDING_LEAVE = 1u << 3,  /* current block is stale, mode changed, ... */
    PENDING_STEP = 1u << 4,   /* TF or armed debug registers: run singly */
    PENDING_TRAP = 1u << 5,   /* #DB trap after this instruction: dr6_trap */
    PENDING_HALT = 1u << 6,   /* HLT executed, waiting */
    PENDING_SHUTDOWN = 1u << 7,
    PENDING_DEBUG = 1u << 9, /* a watchpoint or event point was hit: stop */
    PENDING_SS = 1u << 8,     /* with SHADOW: SS was loaded, so that debug
                                 exceptions wait, too */
};

struct cpu {
    uint64_t r[R_COUNT];
    uint64_t fa, fb; /* lazy flags: flags.h */
    uint64_t rip;
    uint64_t ip_mask;             /* 2^32 - 1, or 2^64 - 1 in 64-bit mode */
    struct tlb *tlb_now;          /* the bank for the current CPL, AC */
    uint64_t seg_base[SEG_COUNT]; /* what effective addresses add: 0 for ES,
                                     CS, SS, DS in 64-bit mode */
    int64_t budget;        /* instructions this run may still retire, as of
                              the entry of the current block */
    int64_t budget_held;   /* the rest of it, during a single step */
    const struct uop *uop; /* the one that synced last; NULL between blocks */
    uint64_t run_until;    /* clock.instructions when budget reaches 0 */
    uint32_t pending;
    uint32_t mode;
    uint32_t eflags;
    uint8_t cpl;
    bool long_mode; /* EFER.LMA */

    struct segment seg[SEG_COUNT], ldtr, tr;
    struct table_register gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8;
    uint64_t dr[8];
    uint64_t pdpte[4]; /* PAE: loaded by MOV CR3 */
    struct msrs msr;
    struct fpu fpu;
    union xmm xmm[16];
    uint32_t mxcsr;

    bool intr_line;      /* level of the APIC's INTR output */
    bool nmi_blocked;    /* until IRET */
    uint64_t shadow_rip; /* after STI, MOV SS or POP SS: no interrupt here,
                            should it come before the next instruction */
    uint64_t dr6_trap;
    struct fault fault;  /* being raised, or being delivered */
    uint16_t delivering; /* vector + 1 of the exception or interrupt whose
                            delivery is under way; 0: none */
    bool delivering_contributory, delivering_pf, delivering_df;

    uint64_t a20_mask;
    struct machine *machine;
    unsigned index;
    const struct cpu_model *model;
    void *engine; /* the engine's per-CPU part */
    struct code_map *code;
    uint64_t jump_key;           /* code_generation, mode and CPL in one */
    const struct uop *link_from; /* a branch that waits for its target */
    struct jump jump[JUMP_CACHE];
    uint64_t code_generation; /* bumped when linear->code lookups go stale */
    uint64_t fetched[16];     /* hash set of linear pages fetched from since
                                 code_generation was bumped */
    struct fetch_page fetch[FETCH_TLB];
    struct phys_page phys[PHYS_CACHE];
    jmp_buf unwind;
    struct tlb tlb[TLB_BANKS];
};

/* What CPUID announces (cpuid.c). */
struct cpu_model {
    const char *name, *vendor, *brand;
    uint32_t family, model, stepping;
    uint32_t leaf1_ecx, leaf1_edx, leaf7_ebx, ext_ecx, ext_edx;
    uint32_t leaf7_edx;
    unsigned physical_bits, linear_bits;
};

/* Where the jump cache keeps the block at `rip`. */
static inline struct jump *jump_slot(struct cpu *cpu, uint64_t rip)
{
    return &cpu->jump[(rip ^ (rip >> 12)) % JUMP_CACHE];
}

struct cpu *cpu_new(struct machine *machine, unsigned index);
void cpu_free(struct cpu *cpu);
void cpu_reset(struct cpu *cpu);
extern const struct field cpu_fields[];

/* Lines and questions for the machine. */
void cpu_set_intr(struct cpu *cpu, bool level);
void cpu_set_nmi(struct cpu *cpu, bool level);
void cpu_set_a20(struct cpu *cpu, bool enabled);
bool cpu_has_work(struct cpu *cpu); /* something that ends HLT is pending */
bool cpu_halted(const struct cpu *cpu);
uint64_t cpu_rip(const struct cpu *cpu);
/* CS base + rip, as code is fetched. */
uint64_t cpu_linear_rip(const struct cpu *cpu);
unsigned cpu_index(const struct cpu *cpu);
/* Writes registers as QEMU's `info registers` shows them, to the log file. */
void cpu_dump(struct cpu *cpu, void *stdio_file);

uint32_t cpu_get_eflags(const struct cpu *cpu);
/* Stores all of EFLAGS without any check. */
void cpu_set_eflags(struct cpu *cpu, uint32_t eflags);
/* Recomputes mode, tlb_now, seg_base, ip_mask, PENDING_STEP. */
void cpu_mode_changed(struct cpu *cpu);
/* Brings PENDING_INTR in line with the INTR line and EFLAGS.IF; after any
 * change of IF that did not go through cpu_set_eflags(). */
void cpu_interrupt_window(struct cpu *cpu);
/* Guest time-stamp counter, 1 GHz. */
uint64_t cpu_tsc(struct cpu *cpu);

/* Raises a fault: unwinds to the run loop, which delivers it with rip at the
 * current instruction. cpu_fault_error pushes an error code. */
_Noreturn void cpu_fault(struct cpu *cpu, enum vector vector);
_Noreturn void cpu_fault_error(struct cpu *cpu, enum vector vector,
                               uint32_t error);
/* #GP(0): the commonest. */
_Noreturn void cpu_gp(struct cpu *cpu);

/* Brings clock.instructions up to the current instruction. Before anything that
 * reads instruction-derived time in the middle of a run. */
void cpu_sync_clock(struct cpu *cpu);

/* Ledger: counts a sensitive instruction (detail) at the current rip. */
void cpu_sensitive(struct cpu *cpu, enum sensitive what);
void cpu_event(struct cpu *cpu, struct event *event);

static inline bool cpu_real_or_v86(const struct cpu *cpu)
{
    return !(cpu->cr0 & CR0_PE) || (cpu->eflags & FLAG_VM);
}
static inline bool cpu_protected(const struct cpu *cpu)
{
    return !cpu_real_or_v86(cpu);
}
static inline bool cpu_64bit(const struct cpu *cpu)
{
    return (cpu->mode & MODE_CODE) == MODE_CODE64;
}

/* --- segment.c --------------------------------------------------------- */
/* MOV/POP to a segment register other than CS, with all checks and faults. */
void segment_load(struct cpu *cpu, enum seg seg, uint16_t selector);
/* Real-mode and v86 style: base = selector * 16; limit kept (unreal mode). */
void segment_load_real(struct cpu *cpu, enum seg seg, uint16_t selector);
/* Loads CS (already checked) and sets cpl. */
void segment_far_jump(struct cpu *cpu, uint16_t selector, uint64_t offset,
                      unsigned operand_size);
void segment_far_call(struct cpu *cpu, uint16_t selector, uint64_t offset,
                      unsigned operand_size, uint64_t return_rip);
void segment_far_return(struct cpu *cpu, unsigned operand_size,
                        unsigned pop_bytes);

/* --- interrupt.c ------------------------------------------------------- */
/* Delivers cpu->fault, raising #DF or returning false on a triple fault. Call
 * it in the run loop only: it may unwind. */
bool interrupt_raise(struct cpu *cpu);
void interrupt_external(struct cpu *cpu, unsigned vector);
void interrupt_nmi(struct cpu *cpu);
/* INT n, INT3, INTO, INT1: return_rip is after the instruction. */
void interrupt_software(struct cpu *cpu, unsigned vector, uint64_t return_rip);
/* #DB as a trap, with DR6 bits (BS, B0-3, BT). */
void interrupt_debug_trap(struct cpu *cpu, uint64_t dr6_bits);
void interrupt_return(struct cpu *cpu, unsigned operand_size);

#endif
