/*
 * Floating point where results are not all: faults, deferred exceptions, the
 * images of the environment, and what the host's control state goes through.
 * Results are tests/isa's affair.
 */
#include "emu/machine.h"
#include "emu/x86/decode.h"
#include "emu/x86/fpu.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define RAM_BYTES (UINT64_C(1) << 20)
#define DATA 0x2000u /* where the instructions' operands are */
#define NO_FAULT (-1)

struct rig {
    struct machine *machine;
    struct cpu *cpu;
    struct region ram;
};

static struct segment flat(uint16_t access)
{
    return (struct segment){.limit = UINT32_MAX, .selector = 8,
                            .access = access};
}

enum code { CODE16_REAL, CODE16, CODE32, CODE64 };

static void rig_mode(struct rig *r, enum code code)
{
    struct cpu *c = r->cpu;
    c->cr0 = CR0_ET | CR0_NE | CR0_MP | (code == CODE16_REAL ? 0 : CR0_PE);
    c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->long_mode = code == CODE64;
    unsigned access = code == CODE64   ? 0xA09B
                      : code == CODE32 ? 0xC09B
                                       : 0x809B;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        c->seg[i] = flat(i == SEG_CS ? (uint16_t)access : 0xC093);
    cpu_mode_changed(c);
    c->pending = 0;
}

static void rig_init(struct rig *r, enum code code)
{
    memset(r, 0, sizeof *r);
    r->machine = machine_new(RAM_BYTES, 1);
    CU_ASSERT_FATAL(r->machine != NULL);
    r->ram = (struct region){.name = "ram", .size = RAM_BYTES,
                             .kind = REGION_RAM, .host = r->machine->ram};
    CU_ASSERT_FATAL(bus_map(&r->machine->memory, &r->ram) == 0);
    r->cpu = r->machine->cpu[0];
    cpu_reset(r->cpu);
    rig_mode(r, code);
    fpu_init(r->cpu);
}

static void rig_fini(struct rig *r)
{
    machine_free(r->machine);
}

static const struct uop *stop(UOP_ARGS)
{
    c->fa = fa;
    c->fb = fb;
    c->budget = budget;
    (void)u;
    return NULL;
}

/* Runs one instruction; the vector of the fault, or NO_FAULT. */
static int run(struct rig *r, const char *bytes, size_t size)
{
    struct cpu *c = r->cpu;
    struct insn insn;
    struct uop uops[2];
    memset(uops, 0, sizeof uops);
    if (decode((const uint8_t *)bytes, size, c->mode, &insn) != DECODE_OK) {
        CU_FAIL("the instruction is not in opcodes.def");
        return VEC_UD;
    }
    CU_ASSERT_EQUAL(insn.length, size);
    decode_bind(&insn, c->mode, &uops[0]);
    uops[1].fn = stop;
    int vector = NO_FAULT;
    fp_enter(c);
    if (!setjmp(c->unwind))
        uops[0].fn(c, uops, c->fa, c->fb, 1000);
    else
        vector = c->fault.vector;
    fp_leave(c);
    c->pending = 0;
    return vector;
}
#define RUN(R, BYTES) run(R, BYTES, sizeof BYTES - 1)

/* [disp32] in 32-bit code and in 64-bit code */
#define AT_DATA32 "\x05\x00\x20\x00\x00"
#define ADDPS "\x0F\x58\xC1"
#define PADDB "\x0F\xFC\xC1"
#define FLD1 "\xD9\xE8"
#define FLDZ "\xD9\xEE"
#define FDIVP "\xDE\xF9"
#define FNCLEX "\xDB\xE2"
#define FNSTSW_AX "\xDF\xE0"
#define FWAIT "\x9B"

static void sse_faults_when_it_is_off(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    CU_ASSERT_EQUAL(RUN(&r, ADDPS), NO_FAULT);
    r.cpu->cr4 &= ~(uint64_t)CR4_OSFXSR;
    cpu_mode_changed(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, ADDPS), VEC_UD);
    CU_ASSERT_EQUAL(RUN(&r, PADDB), NO_FAULT);
    rig_mode(&r, CODE32);
    r.cpu->cr0 |= CR0_TS;
    cpu_mode_changed(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, ADDPS), VEC_NM);
    CU_ASSERT_EQUAL(RUN(&r, PADDB), VEC_NM);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), VEC_NM);
    CU_ASSERT_EQUAL(RUN(&r, FNSTSW_AX), VEC_NM);
    rig_mode(&r, CODE32);
    r.cpu->cr0 |= CR0_EM;
    cpu_mode_changed(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, ADDPS), VEC_UD);
    CU_ASSERT_EQUAL(RUN(&r, PADDB), VEC_UD);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), VEC_NM);
    rig_fini(&r);
}

static void wait_needs_mp_and_ts_to_fault(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    CU_ASSERT_EQUAL(RUN(&r, FWAIT), NO_FAULT);
    r.cpu->cr0 |= CR0_TS;
    cpu_mode_changed(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, FWAIT), VEC_NM);
    r.cpu->cr0 &= ~(uint64_t)CR0_MP;
    CU_ASSERT_EQUAL(RUN(&r, FWAIT), NO_FAULT);
    rig_fini(&r);
}

/* 1 / 0 with ZM clear: in ST(1) and ST(0). */
static void divide_by_zero(struct rig *r)
{
    r->cpu->fpu.fcw = 0x37B;
    CU_ASSERT_EQUAL(RUN(r, FLD1), NO_FAULT);
    CU_ASSERT_EQUAL(RUN(r, FLDZ), NO_FAULT);
    CU_ASSERT_EQUAL(RUN(r, FDIVP), NO_FAULT);
}

static void unmasked_exception_waits_for_the_next_instruction(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    divide_by_zero(&r);
    /* Operands and TOP are as they were; ZE, ES and B are set. */
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0xB084);
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0xC0);
    CU_ASSERT_EQUAL(RUN(&r, FNSTSW_AX), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->r[R_AX] & 0xFFFF, 0xB084);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), VEC_MF);
    CU_ASSERT_EQUAL(RUN(&r, FWAIT), VEC_MF);
    CU_ASSERT_EQUAL(RUN(&r, PADDB), VEC_MF);
    CU_ASSERT_EQUAL(RUN(&r, FNCLEX), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0x3000);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), NO_FAULT);
    rig_fini(&r);
}

static void without_ne_the_exception_stands_and_work_goes_on(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    r.cpu->cr0 &= ~(uint64_t)CR0_NE;
    divide_by_zero(&r);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0xA884);
    CU_ASSERT_EQUAL(RUN(&r, FDIVP), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw & 0x84, 0x84);
    rig_fini(&r);
}

static void unmasked_invalid_store_leaves_memory_and_stack(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    r.cpu->fpu.fcw = 0x37E;
    r.cpu->fpu.fsw = 0x3800;
    r.cpu->fpu.tags = 0x80;
    r.cpu->fpu.reg[7].mantissa = UINT64_C(3) << 62; /* a NaN */
    r.cpu->fpu.reg[7].exponent = 0x7FFF;
    memset(r.machine->ram + DATA, 0x55, 8);
    CU_ASSERT_EQUAL(RUN(&r, "\xDB\x1D\x00\x20\x00\x00"), NO_FAULT); /* FISTP */
    CU_ASSERT_EQUAL(r.machine->ram[DATA], 0x55);
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0x80);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0xB881);
    /* Masked, the indefinite integer is stored and the stack popped. */
    r.cpu->fpu.fcw = 0x37F;
    r.cpu->fpu.fsw = 0x3800;
    CU_ASSERT_EQUAL(RUN(&r, "\xDB\x1D\x00\x20\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(r.machine->ram[DATA + 3], 0x80);
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0);
    rig_fini(&r);
}

static void store_that_faults_does_not_pop(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), NO_FAULT);
    r.cpu->seg[SEG_DS].limit = DATA + 6;
    cpu_mode_changed(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, "\xDD\x1D\x00\x20\x00\x00"), VEC_GP); /* FSTP m64 */
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0x80);
    CU_ASSERT_EQUAL(RUN(&r, "\xD9\x1D\x00\x20\x00\x00"), NO_FAULT); /* m32 */
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0);
    rig_fini(&r);
}

static void simd_exception_leaves_the_destination(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    r.cpu->mxcsr = 0x1D80; /* ZM clear */
    cpu_mode_changed(r.cpu);
    for (unsigned i = 0; i < 4; i++)
        r.cpu->xmm[0].f32[i] = 1.0f;
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\x5E\xC1"), VEC_XM); /* DIVPS */
    CU_ASSERT_EQUAL(r.cpu->mxcsr, 0x1D84);
    CU_ASSERT_EQUAL(r.cpu->xmm[0].u32[0], 0x3F800000);
    r.cpu->cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\x5E\xC1"), VEC_UD);
    /* Masked: infinity, and the flag sticks. */
    r.cpu->mxcsr = 0x1F80;
    cpu_mode_changed(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\x5E\xC1"), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->mxcsr, 0x1F84);
    CU_ASSERT_EQUAL(r.cpu->xmm[0].u32[0], 0x7F800000);
    rig_fini(&r);
}

static void unmasked_underflow_is_raised_by_an_exact_tiny_result(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    r.cpu->mxcsr = 0x1780; /* UM clear */
    cpu_mode_changed(r.cpu);
    r.cpu->xmm[0].u32[0] = 0x00800000; /* smallest normal, times 1/2 */
    r.cpu->xmm[1].f32[0] = 0.5f;
    CU_ASSERT_EQUAL(RUN(&r, "\xF3\x0F\x59\xC1"), VEC_XM); /* MULSS */
    CU_ASSERT_EQUAL(r.cpu->mxcsr & MXCSR_UE, MXCSR_UE);
    r.cpu->mxcsr = 0x1F80; /* masked it is not even flagged */
    cpu_mode_changed(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, "\xF3\x0F\x59\xC1"), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->mxcsr, 0x1F80);
    CU_ASSERT_EQUAL(r.cpu->xmm[0].u32[0], 0x00400000);
    rig_fini(&r);
}

static void misaligned_operand_is_gp(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    for (unsigned warm = 0; warm < 2; warm++) { /* with the TLB empty, filled */
        CU_ASSERT_EQUAL(RUN(&r, "\x0F\x58\x05\x08\x20\x00\x00"), VEC_GP);
        CU_ASSERT_EQUAL(RUN(&r, "\x0F\x29\x05\x08\x20\x00\x00"), VEC_GP);
        CU_ASSERT_EQUAL(RUN(&r, "\x0F\x10\x05\x08\x20\x00\x00"), NO_FAULT);
        CU_ASSERT_EQUAL(RUN(&r, "\x0F\x11\x05\x08\x20\x00\x00"), NO_FAULT);
        CU_ASSERT_EQUAL(RUN(&r, "\x0F\x58\x05\x10\x20\x00\x00"), NO_FAULT);
    }
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\xAE\x05\x08\x20\x00\x00"), VEC_GP);
    rig_fini(&r);
}

static void operand_across_pages_is_whole(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    for (unsigned i = 0; i < 16; i++)
        r.machine->ram[0x2FF9 + i] = (uint8_t)(i + 1);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\x10\x05\xF9\x2F\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->xmm[0].u8[0], 1);
    CU_ASSERT_EQUAL(r.cpu->xmm[0].u8[15], 16);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\x11\x05\xF8\x3F\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(memcmp(r.machine->ram + 0x3FF8, &r.cpu->xmm[0], 16), 0);
    rig_fini(&r);
}

static void reserved_mxcsr_bits_are_gp(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    memcpy(r.machine->ram + DATA, &(uint32_t){0x11F80}, 4);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\xAE\x15\x00\x20\x00\x00"), VEC_GP);
    CU_ASSERT_EQUAL(r.cpu->mxcsr, 0x1F80);
    memcpy(r.machine->ram + DATA, &(uint32_t){0xFFBF}, 4);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\xAE\x15\x00\x20\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->mxcsr, 0xFFBF);
    rig_fini(&r);
}

static void maskmovdqu_writes_the_chosen_bytes(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    r.cpu->r[R_DI] = DATA + 3;
    for (unsigned i = 0; i < 16; i++) {
        r.cpu->xmm[0].u8[i] = (uint8_t)(i + 1);
        r.cpu->xmm[1].u8[i] = i % 3 ? 0x7F : 0x80;
    }
    CU_ASSERT_EQUAL(RUN(&r, "\x66\x0F\xF7\xC1"), NO_FAULT);
    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(r.machine->ram[DATA + 3 + i], i % 3 ? 0 : i + 1);
    rig_fini(&r);
}

static void mmx_takes_over_the_x87_stack(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), NO_FAULT);
    r.cpu->fpu.reg[0].mantissa = 0x0102;
    r.cpu->fpu.reg[1].mantissa = 0x01FF;
    CU_ASSERT_EQUAL(RUN(&r, PADDB), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->fpu.reg[0].mantissa, 0x0201);
    CU_ASSERT_EQUAL(r.cpu->fpu.reg[0].exponent, 0xFFFF);
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0xFF);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\x77"), NO_FAULT); /* EMMS */
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0);
    rig_fini(&r);
}

static uint16_t word(const struct rig *r, unsigned at)
{
    uint16_t value;
    memcpy(&value, r->machine->ram + DATA + at, 2);
    return value;
}

static void set_pointers(struct cpu *c)
{
    c->fpu.fip = 0x12345;
    c->fpu.fcs = 0x10;
    c->fpu.fop = 0x1D8;
    c->fpu.fdp = 0x54321;
    c->fpu.fds = 0x20;
}

static void environment_in_protected_mode(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    CU_ASSERT_EQUAL(RUN(&r, FLDZ), NO_FAULT);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), NO_FAULT);
    r.cpu->fpu.fcw = 0x360;
    set_pointers(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, "\xD9\x35\x00\x20\x00\x00"),
                    NO_FAULT); /* FNSTENV */
    CU_ASSERT_EQUAL(word(&r, 0), 0x360);
    CU_ASSERT_EQUAL(word(&r, 4), 0x3000);
    CU_ASSERT_EQUAL(word(&r, 8), 0x4FFF); /* ST(1) is zero, ST(0) valid */
    CU_ASSERT_EQUAL(word(&r, 12), 0x2345);
    CU_ASSERT_EQUAL(word(&r, 14), 1);
    CU_ASSERT_EQUAL(word(&r, 16), 0x10);
    CU_ASSERT_EQUAL(word(&r, 18), 0x1D8);
    CU_ASSERT_EQUAL(word(&r, 20), 0x4321);
    CU_ASSERT_EQUAL(word(&r, 24), 0x20);
    CU_ASSERT_EQUAL(r.cpu->fpu.fcw, 0x37F); /* and all are masked */
    fpu_init(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, "\xD9\x25\x00\x20\x00\x00"), NO_FAULT); /* FLDENV */
    CU_ASSERT_EQUAL(r.cpu->fpu.fcw, 0x360);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0x3000);
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0xC0);
    CU_ASSERT_EQUAL(r.cpu->fpu.fip, 0x12345);
    /* 16-bit operand size: seven words, no FOP */
    set_pointers(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, "\x66\xD9\x35\x00\x20\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(word(&r, 2), 0x3000);
    CU_ASSERT_EQUAL(word(&r, 6), 0x2345);
    CU_ASSERT_EQUAL(word(&r, 8), 0x10);
    CU_ASSERT_EQUAL(word(&r, 12), 0x20);
    rig_fini(&r);
}

static void environment_in_real_mode(void)
{
    struct rig r;
    rig_init(&r, CODE16_REAL);
    r.cpu->fpu.fip = 0x2345;
    r.cpu->fpu.fcs = 0x1000;
    r.cpu->fpu.fop = 0x1D8;
    r.cpu->fpu.fdp = 0x4321;
    r.cpu->fpu.fds = 0x5000;
    CU_ASSERT_EQUAL(RUN(&r, "\xD9\x36\x00\x20"), NO_FAULT); /* FNSTENV */
    CU_ASSERT_EQUAL(word(&r, 6), 0x2345);
    CU_ASSERT_EQUAL(word(&r, 8), 0x11D8);
    CU_ASSERT_EQUAL(word(&r, 10), 0x4321);
    CU_ASSERT_EQUAL(word(&r, 12), 0x5000);
    CU_ASSERT_EQUAL(RUN(&r, "\xD9\x26\x00\x20"), NO_FAULT); /* FLDENV */
    CU_ASSERT_EQUAL(r.cpu->fpu.fip, 0x12345);
    CU_ASSERT_EQUAL(r.cpu->fpu.fdp, 0x54321);
    CU_ASSERT_EQUAL(r.cpu->fpu.fop, 0x1D8);
    rig_fini(&r);
}

static void fldenv_with_an_unmasked_flag_makes_it_pending(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    uint32_t image[7] = {0x37E, 0x0001, 0xFFFF};
    memcpy(r.machine->ram + DATA, image, sizeof image);
    CU_ASSERT_EQUAL(RUN(&r, "\xD9\x25\x00\x20\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0x8081);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), VEC_MF);
    rig_fini(&r);
}

static void fnsave_initialises_and_frstor_brings_back(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    CU_ASSERT_EQUAL(RUN(&r, FLDZ), NO_FAULT);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), NO_FAULT);
    CU_ASSERT_EQUAL(RUN(&r, "\xDD\x35\x00\x20\x00\x00"), NO_FAULT); /* FNSAVE */
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0);
    CU_ASSERT_EQUAL(r.cpu->fpu.fsw, 0);
    CU_ASSERT_EQUAL(word(&r, 28 + 8), 0x3FFF); /* ST(0) is first */
    memset(r.cpu->fpu.reg, 0, sizeof r.cpu->fpu.reg);
    CU_ASSERT_EQUAL(RUN(&r, "\xDD\x25\x00\x20\x00\x00"), NO_FAULT); /* FRSTOR */
    CU_ASSERT_EQUAL(r.cpu->fpu.reg[6].exponent, 0x3FFF);
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0xC0);
    rig_fini(&r);
}

static void fxsave_holds_the_registers_that_the_mode_has(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    uint8_t *image = r.machine->ram + DATA;
    memset(r.cpu->xmm, 0x77, sizeof r.cpu->xmm);
    memset(image, 0x11, 512);
    CU_ASSERT_EQUAL(RUN(&r, FLD1), NO_FAULT);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\xAE" AT_DATA32), NO_FAULT);
    CU_ASSERT_EQUAL(image[4], 0x80);       /* the tags, a bit each */
    CU_ASSERT_EQUAL(word(&r, 28), 0xFFFF); /* MXCSR_MASK */
    CU_ASSERT_EQUAL(word(&r, 32 + 8), 0x3FFF);
    CU_ASSERT_EQUAL(image[160 + 127], 0x77);
    CU_ASSERT_EQUAL(image[160 + 128], 0x11);
    memset(r.cpu->xmm, 0, sizeof r.cpu->xmm);
    fpu_init(r.cpu);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\xAE\x0D\x00\x20\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(r.cpu->fpu.tags, 0x80);
    CU_ASSERT_EQUAL(r.cpu->xmm[7].u8[15], 0x77);
    CU_ASSERT_EQUAL(r.cpu->xmm[8].u8[0], 0);
    r.cpu->cr4 &= ~(uint64_t)CR4_OSFXSR;
    cpu_mode_changed(r.cpu);
    memset(image, 0x11, 512);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\xAE" AT_DATA32), NO_FAULT);
    CU_ASSERT_EQUAL(image[160], 0x11);
    rig_fini(&r);
    rig_init(&r, CODE64);
    image = r.machine->ram + DATA;
    memset(r.cpu->xmm, 0x77, sizeof r.cpu->xmm);
    CU_ASSERT_EQUAL(RUN(&r, "\x0F\xAE\x04\x25\x00\x20\x00\x00"), NO_FAULT);
    CU_ASSERT_EQUAL(image[160 + 255], 0x77);
    rig_fini(&r);
}

static void host_control_is_the_guests_only_while_it_runs(void)
{
    struct rig r;
    rig_init(&r, CODE32);
    uint16_t fcw = 0;
    r.cpu->mxcsr = 0x7FC0 | MXCSR_PE; /* towards zero, DAZ */
    r.cpu->fpu.fcw = 0x7F;
    fp_enter(r.cpu);
    uint32_t mxcsr = fp_get_host_mxcsr();
    __asm__ volatile("fnstcw %0" : "=m"(fcw));
    fp_leave(r.cpu);
    CU_ASSERT_EQUAL(mxcsr, 0x7FC0);
    CU_ASSERT_EQUAL(fcw, 0x7F);
    CU_ASSERT_EQUAL(fp_get_host_mxcsr(), 0x1F80);
    __asm__ volatile("fnstcw %0" : "=m"(fcw));
    CU_ASSERT_EQUAL(fcw, 0x37F);
    CU_ASSERT_EQUAL(r.cpu->mxcsr, 0x7FC0 | MXCSR_PE);
    rig_fini(&r);
}

static const struct test tests[] = {
    {"sse_faults_when_it_is_off", sse_faults_when_it_is_off},
    {"wait_needs_mp_and_ts_to_fault", wait_needs_mp_and_ts_to_fault},
    {"unmasked_exception_waits_for_the_next_instruction",
     unmasked_exception_waits_for_the_next_instruction},
    {"without_ne_the_exception_stands_and_work_goes_on",
     without_ne_the_exception_stands_and_work_goes_on},
    {"unmasked_invalid_store_leaves_memory_and_stack",
     unmasked_invalid_store_leaves_memory_and_stack},
    {"store_that_faults_does_not_pop", store_that_faults_does_not_pop},
    {"simd_exception_leaves_the_destination",
     simd_exception_leaves_the_destination},
    {"unmasked_underflow_is_raised_by_an_exact_tiny_result",
     unmasked_underflow_is_raised_by_an_exact_tiny_result},
    {"misaligned_operand_is_gp", misaligned_operand_is_gp},
    {"operand_across_pages_is_whole", operand_across_pages_is_whole},
    {"reserved_mxcsr_bits_are_gp", reserved_mxcsr_bits_are_gp},
    {"maskmovdqu_writes_the_chosen_bytes", maskmovdqu_writes_the_chosen_bytes},
    {"mmx_takes_over_the_x87_stack", mmx_takes_over_the_x87_stack},
    {"environment_in_protected_mode", environment_in_protected_mode},
    {"environment_in_real_mode", environment_in_real_mode},
    {"fldenv_with_an_unmasked_flag_makes_it_pending",
     fldenv_with_an_unmasked_flag_makes_it_pending},
    {"fnsave_initialises_and_frstor_brings_back",
     fnsave_initialises_and_frstor_brings_back},
    {"fxsave_holds_the_registers_that_the_mode_has",
     fxsave_holds_the_registers_that_the_mode_has},
    {"host_control_is_the_guests_only_while_it_runs",
     host_control_is_the_guests_only_while_it_runs},
    {NULL, NULL},
};

TEST_MAIN("fp", tests)
