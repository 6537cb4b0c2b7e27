/* Disassembly, by Zydis. */
#ifndef EMU_X86_DISASM_H
#define EMU_X86_DISASM_H

#include <stddef.h>
#include <stdint.h>

/* Writes one instruction as Intel-syntax text ("(bad)" where Zydis knows
 * none) and returns its length in bytes, at least 1. `mode` is as cpu.mode
 * (MODE_CODE counts); `rip` makes relative targets absolute. */
unsigned disasm(const uint8_t *bytes, size_t size, uint32_t mode, uint64_t rip,
                char *text, size_t text_size);

#endif
