/*
 * decode() against Zydis, over millions of random byte strings in all three
 * modes: the same strings are instructions, and they are equally long.
 *
 * Zydis knows far more than this CPU announces. An instruction of a set that
 * is not in announced() has to be #UD here; where the encoding means something
 * older without that set (TZCNT is BSF, ENDBR is a NOP), Zydis is told to do
 * without it. Where the two differ on purpose, deliberate() says so and why.
 */
#include "emu/x86/decode.h"
#include "tests/support/test.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRINGS 3000000u
#define STRING_BYTES 16u

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * UINT64_C(0x2545F4914F6CDD1D);
}

/* --- strings that look like instructions ----------------------------------- */

static unsigned add_prefixes(uint8_t *bytes, uint64_t random, bool code64)
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0xF2, 0xF3, 0xF3, 0x67,
                                       0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x64,
                                       0x65, 0x66, 0xF2, 0x67};
    static const uint8_t counts[] = {0, 0, 0, 1, 1, 1, 2, 3};
    unsigned n = counts[random & 7];
    for (unsigned i = 0; i < n; i++)
        bytes[i] = prefixes[(random >> (4 + 4 * i)) & 15];
    if (code64 && (random >> 40) & 1)
        bytes[n++] = (uint8_t)(0x40 | ((random >> 41) & 15));
    return n;
}

static void add_map(uint8_t *bytes, uint64_t random)
{
    static const uint8_t maps[] = {M1, M1, M1, M0F, M0F, M0F, M38, M3A};
    unsigned map = maps[random & 7];
    if (map != M1)
        bytes[0] = 0x0F;
    if (map == M38 || map == M3A)
        bytes[1] = map == M38 ? 0x38 : 0x3A;
}

static void make_string(uint8_t bytes[STRING_BYTES], uint64_t *seed,
                        bool code64)
{
    uint64_t random = next_random(seed);
    unsigned at = 0;
    for (unsigned i = 0; i < STRING_BYTES; i += 8) {
        uint64_t rest = next_random(seed);
        memcpy(bytes + i, &rest, 8);
    }
    if ((random & 15) == 0) /* no pattern at all */
        return;
    at = add_prefixes(bytes, random >> 4, code64);
    add_map(bytes + at, random >> 56);
}

/* --- what Zydis says ------------------------------------------------------- */

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

static void reference_init(ZydisDecoder *z, uint32_t mode)
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

/* One string, as both see it. */
struct verdict {
    uint32_t mode;
    const uint8_t *bytes;
    struct insn insn;
    enum decode_result ours, theirs;
    bool known; /* Zydis has an instruction there, announced or not */
    ZyanStatus status;
    ZydisDecodedInstruction z;
};

static void judge(struct verdict *v, const ZydisDecoder *z)
{
    v->ours = decode(v->bytes, STRING_BYTES, v->mode, &v->insn);
    v->status = ZydisDecoderDecodeInstruction(z, NULL, v->bytes, STRING_BYTES,
                                              &v->z);
    v->known = ZYAN_SUCCESS(v->status);
    if (v->status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        v->theirs = DECODE_LONG;
    else if (v->known && announced(v->z.meta.isa_set))
        v->theirs = DECODE_OK;
    else
        v->theirs = DECODE_UD;
}

/* --- deliberate differences ------------------------------------------------- */

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

static void print_difference(const struct verdict *v)
{
    static const char *const names[] = {"ok", "#UD", "more", "too long"};
    static const unsigned bits[] = {16, 32, 64};
    printf("\n    %u-bit ", bits[v->mode]);
    for (unsigned i = 0; i < 15; i++)
        printf("%02x ", v->bytes[i]);
    printf(": ours %s %u %s; Zydis %s %u %s %s", names[v->ours],
           v->insn.length, v->insn.opcode ? v->insn.opcode->mnemonic : "-",
           names[v->theirs], v->known ? v->z.length : 0,
           v->known ? ZydisMnemonicGetString(v->z.mnemonic) : "-",
           v->known ? ZydisISASetGetString(v->z.meta.isa_set) : "-");
}

/* One line for each pair of instructions that are taken for one another. */
struct differences {
    unsigned count;
    bool *seen; /* by Zydis's mnemonic, then by our row */
};

static void note_difference(struct differences *d, const struct verdict *v)
{
    size_t theirs = v->known ? (size_t)v->z.mnemonic : 0;
    size_t ours = v->insn.opcode ? (size_t)(v->insn.opcode - opcodes) + 1 : 0;
    bool *seen = &d->seen[theirs * (opcode_count + 1) + ours];
    d->count++;
    if (!*seen)
        print_difference(v);
    *seen = true;
}

static void agrees_with_zydis(uint32_t mode)
{
    ZydisDecoder z;
    struct differences d = {
        .seen = calloc(ZYDIS_MNEMONIC_MAX_VALUE + 1, opcode_count + 1)};
    uint8_t bytes[STRING_BYTES];
    struct verdict v = {.mode = mode, .bytes = bytes};
    uint64_t seed = UINT64_C(0x5EED0001) + mode;
    unsigned valid = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(d.seen);
    reference_init(&z, mode);
    for (unsigned n = 0; n < STRINGS; n++) {
        make_string(bytes, &seed, mode == MODE_CODE64);
        judge(&v, &z);
        valid += v.ours == DECODE_OK;
        if (!agree(&v) && !deliberate(&v))
            note_difference(&d, &v);
    }
    free(d.seen);
    if (d.count)
        printf("\n    %u of %u strings differ ", d.count, STRINGS);
    CU_ASSERT_EQUAL(d.count, 0);
    CU_ASSERT(valid > STRINGS / 4); /* the strings are worth something */
}

static void agrees_in_16_bit_mode(void)
{
    agrees_with_zydis(MODE_CODE16);
}
static void agrees_in_32_bit_mode(void)
{
    agrees_with_zydis(MODE_CODE32);
}
static void agrees_in_64_bit_mode(void)
{
    agrees_with_zydis(MODE_CODE64);
}

/* --- properties that need no reference --------------------------------------- */

/* A string that is cut short asks for more; one with bytes to spare does not
 * look at them. The bytes are on the heap, so that ASan sees who reads on. */
static void bytes_beyond_the_end_do_not_matter(void)
{
    uint64_t seed = UINT64_C(0x5EED0010);
    unsigned bad = 0;
    for (unsigned n = 0; n < 200000; n++) {
        uint8_t bytes[STRING_BYTES];
        uint32_t mode = n % 3;
        struct insn whole, part;
        make_string(bytes, &seed, mode == MODE_CODE64);
        if (decode(bytes, 15, mode, &whole) != DECODE_OK)
            continue;
        for (unsigned size = 0; size <= whole.length; size++) {
            uint8_t *copy = malloc(size ? size : 1);
            CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
            memcpy(copy, bytes, size);
            enum decode_result result = decode(copy, size, mode, &part);
            bad += result != (size < whole.length ? DECODE_MORE : DECODE_OK);
            free(copy);
        }
        bad += part.length != whole.length || part.opcode != whole.opcode ||
               part.imm != whole.imm || part.disp != whole.disp;
    }
    CU_ASSERT_EQUAL(bad, 0);
}

static void fifteen_bytes_are_the_limit(void)
{
    uint8_t bytes[STRING_BYTES];
    struct insn insn;
    for (uint32_t mode = MODE_CODE16; mode <= MODE_CODE64; mode++) {
        memset(bytes, 0x66, sizeof(bytes));
        CU_ASSERT_EQUAL(decode(bytes, 16, mode, &insn), DECODE_LONG);
        CU_ASSERT_EQUAL(decode(bytes, 14, mode, &insn), DECODE_MORE);
        bytes[14] = 0x90;
        CU_ASSERT_EQUAL(decode(bytes, 15, mode, &insn), DECODE_OK);
        CU_ASSERT_EQUAL(insn.length, 15);
        bytes[14] = 0xB0; /* mov al, imm8: a byte too many */
        CU_ASSERT_EQUAL(decode(bytes, 16, mode, &insn), DECODE_LONG);
    }
}

/* Whatever was decoded can be bound to a handler. */
static void every_instruction_has_a_handler(void)
{
    uint64_t seed = UINT64_C(0x5EED0020);
    unsigned bad = 0;
    for (unsigned n = 0; n < 1000000; n++) {
        uint8_t bytes[STRING_BYTES];
        struct insn insn;
        struct uop uop;
        uint32_t mode = (uint32_t)next_random(&seed) & 0x3FF;
        if ((mode & MODE_CODE) == MODE_CODE)
            mode ^= 1;
        make_string(bytes, &seed, (mode & MODE_CODE) == MODE_CODE64);
        if (decode(bytes, 15, mode, &insn) != DECODE_OK)
            continue;
        decode_bind(&insn, mode, &uop);
        if (uop.fn && uop.len == insn.length && uop.base < R_COUNT &&
            uop.index < R_COUNT && uop.seg < SEG_COUNT && uop.scale)
            continue;
        if (!bad++)
            printf("\n    %s %02x ", insn.opcode->mnemonic,
                   insn.opcode->byte);
    }
    CU_ASSERT_EQUAL(bad, 0);
}

static const struct test tests[] = {
    {"length_and_validity_agree_with_zydis_in_16_bit_mode",
     agrees_in_16_bit_mode},
    {"length_and_validity_agree_with_zydis_in_32_bit_mode",
     agrees_in_32_bit_mode},
    {"length_and_validity_agree_with_zydis_in_64_bit_mode",
     agrees_in_64_bit_mode},
    {"bytes_beyond_the_end_do_not_matter", bytes_beyond_the_end_do_not_matter},
    {"fifteen_bytes_are_the_limit", fifteen_bytes_are_the_limit},
    {"every_instruction_has_a_handler", every_instruction_has_a_handler},
    {NULL, NULL},
};

TEST_MAIN("decode", tests)
