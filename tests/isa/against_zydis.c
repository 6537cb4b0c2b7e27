/* See against_zydis.h. */
#include "tests/isa/against_zydis.h"

#include <stdio.h>

/* The instruction sets that CPUID announces (emu/x86/cpuid.c), and those that
 * every 64-bit CPU has. */
static bool announced(ZydisISASet set)
{
    switch (set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_RDPMC:
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_FXSAVE64:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE_PREFETCH:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSE3X87:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_POPCNT:
    case ZYDIS_ISA_SET_MOVBE:
    case ZYDIS_ISA_SET_CMPXCHG16B:
    case ZYDIS_ISA_SET_CLFSH:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_LONGMODE:
    case ZYDIS_ISA_SET_RDTSCP:
    case ZYDIS_ISA_SET_RDWRFSGS:
    case ZYDIS_ISA_SET_SMAP:
    case ZYDIS_ISA_SET_PREFETCH_NOP:
        return true;
    default:
        return false;
    }
}

void verdict_decoder(ZydisDecoder *z, uint32_t mode)
{
    static const struct {
        ZydisMachineMode machine;
        ZydisStackWidth stack;
    } modes[] = {
        [MODE_CODE16] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        [MODE_CODE32] = {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        [MODE_CODE64] = {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    };
    static const ZydisDecoderMode without[] = {
        ZYDIS_DECODER_MODE_MPX,   ZYDIS_DECODER_MODE_CET,
        ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT,
        ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE,
    };
    ZydisDecoderInit(z, modes[mode].machine, modes[mode].stack);
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        ZydisDecoderEnableMode(z, without[i], ZYAN_FALSE);
}

static void judge(struct verdict *v, const ZydisDecoder *z)
{
    v->ours = decode(v->bytes, VERDICT_BYTES, v->mode, &v->insn);
    v->status =
        ZydisDecoderDecodeInstruction(z, NULL, v->bytes, VERDICT_BYTES, &v->z);
    v->known = ZYAN_SUCCESS(v->status);
    if (v->status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        v->theirs = DECODE_LONG;
    else if (v->known && announced(v->z.meta.isa_set))
        v->theirs = DECODE_OK;
    else
        v->theirs = DECODE_UD;
}

/* The differences that are meant. */
static bool deliberate(const struct verdict *v)
{
    const struct opcode *o = v->insn.opcode;
    /* There is no SMM, and outside of it RSM is #UD. */
    if (v->known && v->z.mnemonic == ZYDIS_MNEMONIC_RSM)
        return v->ours == DECODE_UD;
    /* A prefetch hint that the CPU does not know is a NOP (SDM 2B PREFETCHW):
     * PREFETCHWT1 has a feature bit, but its encoding needs none. */
    if (v->known && v->z.mnemonic == ZYDIS_MNEMONIC_PREFETCHWT1)
        return v->ours == DECODE_OK && v->insn.length == v->z.length;
    /* An opcode that this CPU does not have is #UD as soon as it is seen. How
     * long the instruction would have been it does not know. */
    if (!o && v->ours == DECODE_UD && v->theirs == DECODE_LONG)
        return true;
    /* Which control and debug registers there are is the handlers' business:
     * they raise #UD for CR1, CR5 and so on. */
    return o && v->status == ZYDIS_STATUS_BAD_REGISTER && o->map == M0F &&
           o->byte >= 0x20 && o->byte <= 0x23;
}

static bool agree(const struct verdict *v)
{
    if (v->ours != v->theirs)
        return false;
    return v->ours != DECODE_OK || v->insn.length == v->z.length;
}

bool verdict_make(struct verdict *v, const ZydisDecoder *z)
{
    judge(v, z);
    return agree(v) || deliberate(v);
}

void verdict_print(const struct verdict *v)
{
    static const char *const names[] = {"ok", "#UD", "more", "too long"};
    static const unsigned bits[] = {16, 32, 64};
    printf("\n    %u-bit ", bits[v->mode]);
    for (unsigned i = 0; i < 15; i++)
        printf("%02x ", v->bytes[i]);
    printf(": ours %s %u %s; Zydis %s %u %s %s", names[v->ours], v->insn.length,
           v->insn.opcode ? v->insn.opcode->mnemonic : "-", names[v->theirs],
           v->known ? v->z.length : 0,
           v->known ? ZydisMnemonicGetString(v->z.mnemonic) : "-",
           v->known ? ZydisISASetGetString(v->z.meta.isa_set) : "-");
}
