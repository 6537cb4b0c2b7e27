/*
 * The x87's control instructions (SDM 1 8.1.8 to 8.1.11, 8.3.11; SDM 2): the
 * control, status and tag words, the environment and the whole state; and
 * FXSAVE, FXRSTOR (SDM 1 10.5).
 *
 * The environment's formats, 14 bytes with a 16-bit operand size, else 28:
 *
 *   FCW  FSW  FTW  protected mode: FIP, FCS (32-bit: and FOP), FDP, FDS
 *                  real and v86 mode: linear FIP and FDP in pieces, and FOP
 *
 * Not modelled: FFXSR.
 */
#include "emu/x86/fpu.h"

#define FXSAVE_XMM 160

void fpu_init(struct cpu *c)
{
    struct fpu *f = &c->fpu;
    f->fcw = FCW_INIT;
    f->fsw = 0;
    f->tags = 0;
    f->fop = 0;
    f->fip = f->fdp = 0;
    f->fcs = f->fds = 0;
    fpu_control_changed(c);
}

/* --- words ---------------------------------------------------------------- */

/* The full tag word: valid, zero, special, empty. */
static uint16_t tag_word(const struct fpu *f)
{
    unsigned word = 0;
    for (unsigned n = 0; n < 8; n++) {
        unsigned exponent = f->reg[n].exponent & 0x7FFFu;
        uint64_t mantissa = f->reg[n].mantissa;
        unsigned tag = 0;
        if (!((f->tags >> n) & 1))
            tag = 3;
        else if (exponent == 0 && mantissa == 0)
            tag = 1;
        else if (exponent == 0 || exponent == 0x7FFF || !(mantissa >> 63))
            tag = 2;
        word |= tag << (n * 2);
    }
    return (uint16_t)word;
}

static void set_tag_word(struct fpu *f, unsigned word)
{
    f->tags = 0;
    for (unsigned n = 0; n < 8; n++)
        if (((word >> (n * 2)) & 3) != 3)
            f->tags |= (uint8_t)(1u << n);
}

static void set_fcw(struct cpu *c, uint64_t fcw)
{
    c->fpu.fcw = (uint16_t)((fcw & FCW_DEFINED) | FCW_ONE);
}

/* --- the environment ------------------------------------------------------ */

static void put(uint8_t *p, unsigned width, unsigned n, uint64_t value)
{
    memcpy(p + n * width, &value, width);
}
static uint32_t get(const uint8_t *p, unsigned width, unsigned n)
{
    uint32_t value = 0;
    memcpy(&value, p + n * width, width);
    return value;
}

/* What a 32-bit image has in the upper halves of its 16-bit fields. */
#define RESERVED 0xFFFF0000u

static unsigned make_environment(const struct cpu *c, const struct uop *u,
                                 uint8_t image[28])
{
    const struct fpu *f = &c->fpu;
    unsigned width = u->size == 2 ? 2 : 4;
    put(image, width, 0, f->fcw | RESERVED);
    put(image, width, 1, f->fsw | RESERVED);
    put(image, width, 2, tag_word(f) | RESERVED);
    if (cpu_protected(c)) {
        put(image, width, 3, f->fip);
        put(image, width, 4, f->fcs | (unsigned)f->fop << 16);
        put(image, width, 5, f->fdp);
        put(image, width, 6, f->fds | RESERVED);
    } else {
        uint64_t ip = f->fip + ((uint64_t)f->fcs << 4);
        uint64_t dp = f->fdp + ((uint64_t)f->fds << 4);
        uint64_t high = width == 2 ? 0xF0000 : 0xFFFF0000;
        put(image, width, 3, (ip & 0xFFFF) | RESERVED);
        put(image, width, 4, (ip & high) >> 4 | f->fop);
        put(image, width, 5, (dp & 0xFFFF) | RESERVED);
        put(image, width, 6, (dp & high) >> 4);
    }
    return width * 7;
}

static void take_environment(struct cpu *c, const struct uop *u,
                             const uint8_t *image)
{
    struct fpu *f = &c->fpu;
    unsigned width = u->size == 2 ? 2 : 4;
    set_fcw(c, get(image, width, 0));
    f->fsw = (uint16_t)get(image, width, 1);
    set_tag_word(f, get(image, width, 2));
    if (cpu_protected(c)) {
        f->fip = get(image, width, 3);
        f->fcs = (uint16_t)get(image, width, 4);
        if (width == 4)
            f->fop = (get(image, width, 4) >> 16) & 0x7FF;
        f->fdp = get(image, width, 5);
        f->fds = (uint16_t)get(image, width, 6);
    } else {
        uint32_t high = width == 2 ? 0xF000 : 0x0FFFF000;
        f->fip = (get(image, width, 3) & 0xFFFF) | (get(image, width, 4) & high)
                                                       << 4;
        f->fop = get(image, width, 4) & 0x7FF;
        f->fdp = (get(image, width, 5) & 0xFFFF) | (get(image, width, 6) & high)
                                                       << 4;
        f->fcs = f->fds = 0;
    }
    fpu_control_changed(c);
}

static unsigned environment_bytes(const struct uop *u)
{
    return u->size == 2 ? 14 : 28;
}

static void store_environment(struct cpu *c, const struct uop *u)
{
    fpu_check(c);
    uint8_t image[28];
    unsigned size = make_environment(c, u, image);
    mmu_store_block(c, uop_linear(c, u, size, true), image, size);
    c->fpu.fcw |= FCW_MASKS;
    fpu_control_changed(c);
}

static void load_environment(struct cpu *c, const struct uop *u)
{
    fpu_check_waiting(c);
    uint8_t image[28];
    unsigned size = environment_bytes(u);
    mmu_load_block(c, uop_linear(c, u, size, false), image, size);
    take_environment(c, u, image);
}

static void save(struct cpu *c, const struct uop *u)
{
    fpu_check(c);
    uint8_t image[108];
    unsigned at = make_environment(c, u, image);
    unsigned size = at + 80;
    for (unsigned n = 0; n < 8; n++)
        memcpy(image + at + n * 10, fpu_st(c, n), 10);
    mmu_store_block(c, uop_linear(c, u, size, true), image, size);
    fpu_init(c);
}

static void restore(struct cpu *c, const struct uop *u)
{
    fpu_check_waiting(c);
    uint8_t image[108];
    unsigned at = environment_bytes(u);
    unsigned size = at + 80;
    mmu_load_block(c, uop_linear(c, u, size, false), image, size);
    take_environment(c, u, image);
    for (unsigned n = 0; n < 8; n++)
        memcpy(fpu_st(c, n), image + at + n * 10, 10);
}

const struct uop *op_fnstenv(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    store_environment(c, u);
    return uop_resume(c, u);
}

const struct uop *op_fldenv(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    load_environment(c, u);
    return uop_resume(c, u);
}

const struct uop *op_fnsave(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    save(c, u);
    return uop_resume(c, u);
}

const struct uop *op_frstor(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    restore(c, u);
    return uop_resume(c, u);
}

/* --- single words --------------------------------------------------------- */

const struct uop *op_fldcw(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check_waiting(c);
    set_fcw(c, mem_load(c, uop_linear(c, u, 2, false), 2));
    fpu_control_changed(c);
    return uop_resume(c, u);
}

const struct uop *op_fnstcw(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check(c);
    mem_store(c, uop_linear(c, u, 2, true), c->fpu.fcw, 2);
    return uop_resume(c, u);
}

const struct uop *op_fnstsw(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check(c);
    if (u->flags & UOP_MEM)
        mem_store(c, uop_linear(c, u, 2, true), c->fpu.fsw, 2);
    else
        reg_set(c, R_AX, c->fpu.fsw, 2);
    return uop_resume(c, u);
}

const struct uop *op_fnclex(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check(c);
    c->fpu.fsw &= (uint16_t) ~(FSW_FLAGS | FSW_SF | FSW_ES | FSW_B);
    fpu_control_changed(c);
    return uop_resume(c, u);
}

const struct uop *op_fninit(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check(c);
    fpu_init(c);
    return uop_resume(c, u);
}

/* What the 8087's FENI and FDISI, and the 287's FSETPM became. */
const struct uop *op_fnop(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fpu_check(c);
    return uop_resume(c, u);
}

const struct uop *op_fwait(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    if ((c->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        cpu_fault(c, VEC_NM);
    /* With MP clear, WAIT looks for exceptions although TS is set. */
    if ((c->fpu.fsw & FSW_ES) && (c->cr0 & CR0_NE))
        cpu_fault(c, VEC_MF);
    return uop_resume(c, u);
}

/* --- FXSAVE, FXRSTOR ------------------------------------------------------ */

/* Registers that the image holds: eight outside 64-bit mode, none to an OS
 * that does not know of them. */
static unsigned xmm_registers(const struct cpu *c)
{
    if (!(c->cr4 & CR4_OSFXSR))
        return 0;
    return cpu_64bit(c) ? 16 : 8;
}

static uint64_t fx_address(struct cpu *c, const struct uop *u, bool write)
{
    fpu_check(c);
    uint64_t linear = uop_linear(c, u, 512, write);
    if (linear & 15)
        cpu_gp(c);
    return linear;
}

static void fx_save(struct cpu *c, const struct uop *u)
{
    uint64_t linear = fx_address(c, u, true);
    const struct fpu *f = &c->fpu;
    uint8_t image[512] = {0};
    mmu_probe_write(c, linear, sizeof image);
    fp_collect(c);
    put(image, 2, 0, f->fcw);
    put(image, 2, 1, f->fsw);
    put(image, 2, 2, f->tags);
    put(image, 2, 3, f->fop);
    put(image, 8, 1,
        u->size == 8 ? f->fip : (uint32_t)f->fip | (uint64_t)f->fcs << 32);
    put(image, 8, 2,
        u->size == 8 ? f->fdp : (uint32_t)f->fdp | (uint64_t)f->fds << 32);
    put(image, 4, 6, c->mxcsr);
    put(image, 4, 7, MXCSR_DEFINED);
    for (unsigned n = 0; n < 8; n++)
        memcpy(image + 32 + n * 16, fpu_st(c, n), 10);
    unsigned bytes = FXSAVE_XMM + xmm_registers(c) * 16;
    memcpy(image + FXSAVE_XMM, c->xmm, bytes - FXSAVE_XMM);
    mmu_store_block(c, linear, image, bytes);
}

static void fx_restore(struct cpu *c, const struct uop *u)
{
    uint64_t linear = fx_address(c, u, false);
    struct fpu *f = &c->fpu;
    uint8_t image[512];
    mmu_load_block(c, linear, image, sizeof image);
    uint32_t mxcsr = get(image, 4, 6);
    bool sse = (c->cr4 & CR4_OSFXSR) != 0;
    if (sse && (mxcsr & ~MXCSR_DEFINED))
        cpu_gp(c);
    set_fcw(c, get(image, 2, 0));
    f->fsw = (uint16_t)get(image, 2, 1);
    f->tags = image[4];
    f->fop = get(image, 2, 3) & 0x7FF;
    f->fip = get(image, 4, 2);
    f->fdp = get(image, 4, 4);
    if (u->size == 8) {
        f->fip |= (uint64_t)get(image, 4, 3) << 32;
        f->fdp |= (uint64_t)get(image, 4, 5) << 32;
    } else {
        f->fcs = (uint16_t)get(image, 4, 3);
        f->fds = (uint16_t)get(image, 4, 5);
    }
    for (unsigned n = 0; n < 8; n++)
        memcpy(fpu_st(c, n), image + 32 + n * 16, 10);
    fpu_control_changed(c);
    memcpy(c->xmm, image + FXSAVE_XMM, xmm_registers(c) * 16);
    if (sse)
        fp_set_mxcsr(c, mxcsr);
}

const struct uop *op_fxsave(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fx_save(c, u);
    return uop_resume(c, u);
}

const struct uop *op_fxrstor(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    fx_restore(c, u);
    return uop_resume(c, u);
}
