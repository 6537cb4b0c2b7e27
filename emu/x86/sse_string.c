/*
 * SSE4.2's string comparisons and CRC32 (SDM 2; 1 12.10).
 *
 * PCMPxSTRx take their mode from the immediate: each has a shelf with one host
 * instruction for each value. They set CF, ZF, SF and OF, and clear AF and PF.
 * A memory operand need not be aligned.
 */
#include "emu/x86/sse.h"

/* REX.W 66 0F 3A OP /r ib, xmm1 to xmm0; ret; nop. REX.W makes the lengths of
 * the explicit forms RAX and RDX, which is right for sign-extended 32-bit ones
 * too, as they saturate. */
#define SHELF(NAME, OP)                                                        \
    __asm__(".pushsection .text\n"                                             \
            "sse_shelf_" #NAME ":\n"                                           \
            ".set sse_imm, 0\n"                                                \
            ".rept 256\n"                                                      \
            ".byte 0x66, 0x48, 0x0F, 0x3A, " #OP ", 0xC1, sse_imm, 0xC3\n"     \
            ".set sse_imm, sse_imm + 1\n"                                      \
            ".endr\n"                                                          \
            ".popsection\n");                                                  \
    extern const uint8_t sse_shelf_##NAME[256 * 8];
SHELF(PCMPESTRM, 0x60)
SHELF(PCMPESTRI, 0x61)
SHELF(PCMPISTRM, 0x62)
SHELF(PCMPISTRI, 0x63)

/* The length in EAX or EDX, or RAX or RDX with REX.W. */
static uint64_t length_of(const struct cpu *c, const struct uop *u,
                          enum reg reg)
{
    return u->size == 8 ? c->r[reg] : sign_extend((uint32_t)c->r[reg], 4);
}

static void compare(struct cpu *c, const struct uop *u, const uint8_t *shelf,
                    bool index)
{
    sse_check(c);
    __m128i source = sse_load(c, u, 16, false);
    uint64_t ax = length_of(c, u, R_AX), cx = 0, dx = length_of(c, u, R_DX);
    uint64_t flags;
    register __m128i b __asm__("xmm1") = source;
    register __m128i a __asm__("xmm0") = xmm_get(c, u->reg);
    __asm__("leaq -128(%%rsp), %%rsp\n\t" /* the red zone */
            "call *%[entry]\n\t"
            "pushfq\n\t"
            "popq %[flags]\n\t"
            "leaq 128(%%rsp), %%rsp"
            : "+x"(a), "+c"(cx), [flags] "=&r"(flags)
            : [entry] "r"(shelf + (uint8_t)u->imm * 8), "x"(b), "a"(ax), "d"(dx)
            : "cc");
    if (index)
        reg_set(c, R_CX, cx, 4);
    else
        xmm_set(c, 0, a);
    flags_unpack((uint32_t)flags, &c->fa, &c->fb);
}

const struct uop *op_pcmpestrm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    compare(c, u, sse_shelf_PCMPESTRM, false);
    return uop_resume(c, u);
}
const struct uop *op_pcmpestri(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    compare(c, u, sse_shelf_PCMPESTRI, true);
    return uop_resume(c, u);
}
const struct uop *op_pcmpistrm(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    compare(c, u, sse_shelf_PCMPISTRM, false);
    return uop_resume(c, u);
}
const struct uop *op_pcmpistri(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    compare(c, u, sse_shelf_PCMPISTRI, true);
    return uop_resume(c, u);
}

/* CRC32 works on general registers and needs no SSE state. u->size is the
 * source's; the result is 32 bits, zero-extended. */
const struct uop *op_crc32(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    uint64_t source = uop_get_rm(c, u, u->size);
    uint64_t crc = (uint32_t)c->r[u->reg];
    switch (u->size) {
    case 1:
        __asm__("crc32b %b1, %k0" : "+r"(crc) : "r"(source));
        break;
    case 2:
        __asm__("crc32w %w1, %k0" : "+r"(crc) : "r"(source));
        break;
    case 4:
        __asm__("crc32l %k1, %k0" : "+r"(crc) : "r"(source));
        break;
    default:
        __asm__("crc32q %1, %0" : "+r"(crc) : "r"(source));
        break;
    }
    c->r[u->reg] = (uint32_t)crc;
    return uop_resume(c, u);
}
