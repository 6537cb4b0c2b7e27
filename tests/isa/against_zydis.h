/*
 * decode() and Zydis on the same bytes. For the property test and the fuzzer.
 *
 * Zydis knows far more than this CPU announces. An instruction of a set that
 * CPUID does not announce has to be #UD here; where the encoding means
 * something older without that set (TZCNT is BSF, ENDBR is a NOP), Zydis is
 * told to do without it. Where the two differ on purpose, deliberate() in the
 * .c file says so and why.
 */
#ifndef TESTS_ISA_AGAINST_ZYDIS_H
#define TESTS_ISA_AGAINST_ZYDIS_H

#include "emu/x86/decode.h"

#include <Zydis/Zydis.h>

#define VERDICT_BYTES 16u /* one more than an instruction may have */

/* One string, as both see it. */
struct verdict {
    uint32_t mode; /* MODE_CODE16, MODE_CODE32, MODE_CODE64 */
    uint8_t bytes[VERDICT_BYTES];
    struct insn insn;
    enum decode_result ours, theirs;
    bool known; /* Zydis has an instruction there, announced or not */
    ZyanStatus status;
    ZydisDecodedInstruction z;
};

void verdict_decoder(ZydisDecoder *z, uint32_t mode);
/* Decodes v->bytes twice. True if the two agree, or differ on purpose. */
bool verdict_make(struct verdict *v, const ZydisDecoder *z);
void verdict_print(const struct verdict *v);

#endif
