/* Disassembly: a thin layer over Zydis. */
#include "emu/x86/disasm.h"
#include "emu/x86/cpu.h"

#include <Zydis/Zydis.h>
#include <stdio.h>

unsigned disasm(const uint8_t *bytes, size_t size, uint32_t mode, uint64_t rip,
                char *text, size_t text_size)
{
    static const ZydisMachineMode modes[] = {
        [MODE_CODE16] = ZYDIS_MACHINE_MODE_LEGACY_16,
        [MODE_CODE32] = ZYDIS_MACHINE_MODE_LEGACY_32,
        [MODE_CODE64] = ZYDIS_MACHINE_MODE_LONG_64,
    };
    ZydisDisassembledInstruction insn;
    if (!ZYAN_SUCCESS(ZydisDisassembleIntel(modes[mode & MODE_CODE], rip, bytes,
                                            size, &insn))) {
        snprintf(text, text_size, "(bad)");
        return 1;
    }
    snprintf(text, text_size, "%s", insn.text);
    return insn.info.length;
}
