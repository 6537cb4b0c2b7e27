/*
 * libFuzzer: the decoder against Zydis, in the mode that the first byte says,
 * at every offset of the input; what was decoded is bound to a handler.
 */
#include "tests/isa/against_zydis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    ZydisDecoder z;
    struct verdict v = {.mode = data[0] % 3u};
    verdict_decoder(&z, v.mode);
    for (size_t at = 1; at < size; at++) {
        size_t n = size - at < VERDICT_BYTES ? size - at : VERDICT_BYTES;
        memset(v.bytes, 0, sizeof(v.bytes));
        memcpy(v.bytes, data + at, n);
        if (!verdict_make(&v, &z)) {
            verdict_print(&v);
            fflush(stdout);
            abort();
        }
        if (v.ours == DECODE_OK) {
            struct uop uop;
            /* Any mode with the same code size: the rest chooses handlers. */
            uint32_t mode = ((uint32_t)data[0] << 2 | v.mode) & 0x3FF;
            decode_bind(&v.insn, mode, &uop);
            if (!uop.fn)
                abort();
        }
    }
    return 0;
}
