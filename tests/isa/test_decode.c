/*
 * decode() against Zydis (against_zydis.h), over millions of random byte
 * strings in all three modes: the same strings are instructions, and they are
 * equally long. And what else must hold for every string.
 */
#include "tests/isa/against_zydis.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRINGS 3000000u

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * UINT64_C(0x2545F4914F6CDD1D);
}

/* --- strings that look like instructions ---------------------------------- */

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

static void make_string(uint8_t bytes[VERDICT_BYTES], uint64_t *seed,
                        bool code64)
{
    uint64_t random = next_random(seed);
    unsigned at = 0;
    for (unsigned i = 0; i < VERDICT_BYTES; i += 8) {
        uint64_t rest = next_random(seed);
        memcpy(bytes + i, &rest, 8);
    }
    if ((random & 15) == 0) /* no pattern at all */
        return;
    at = add_prefixes(bytes, random >> 4, code64);
    add_map(bytes + at, random >> 56);
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
        verdict_print(v);
    *seen = true;
}

static void agrees_with_zydis(uint32_t mode)
{
    ZydisDecoder z;
    struct differences d = {
        .seen = calloc(ZYDIS_MNEMONIC_MAX_VALUE + 1, opcode_count + 1)};
    struct verdict v = {.mode = mode};
    uint64_t seed = UINT64_C(0x5EED0001) + mode;
    unsigned valid = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(d.seen);
    verdict_decoder(&z, mode);
    for (unsigned n = 0; n < STRINGS; n++) {
        make_string(v.bytes, &seed, mode == MODE_CODE64);
        if (!verdict_make(&v, &z))
            note_difference(&d, &v);
        valid += v.ours == DECODE_OK;
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

/* --- properties that need no reference ------------------------------------ */

/* A string that is cut short asks for more; one with bytes to spare does not
 * look at them. The bytes are on the heap, so that ASan sees who reads on. */
static void bytes_beyond_the_end_do_not_matter(void)
{
    uint64_t seed = UINT64_C(0x5EED0010);
    unsigned bad = 0;
    for (unsigned n = 0; n < 200000; n++) {
        uint8_t bytes[VERDICT_BYTES];
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
    uint8_t bytes[VERDICT_BYTES];
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
        uint8_t bytes[VERDICT_BYTES];
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
            printf("\n    %s %02x ", insn.opcode->mnemonic, insn.opcode->byte);
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
