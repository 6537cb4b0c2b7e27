/*
 * Running one instruction on the host CPU, in user mode, 64-bit or 32-bit:
 * the oracle of the isa tests.
 *
 * Code, data and state live at fixed addresses below 4 GiB, so that both the
 * host and the emulated CPU use the very same linear addresses.
 */
#ifndef TESTS_ISA_NATIVE_H
#define TESTS_ISA_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NATIVE_STATE                                                           \
    0x20000000u                 /* struct native_page; its offsets are used    \
                                   by the assembly in native.c */
#define NATIVE_CODE 0x20010000u /* instruction under test */
#define NATIVE_DATA 0x20020000u /* memory operands and stack */
#define NATIVE_DATA_SIZE 4096u

struct isa_state {
    uint64_t gpr[16];
    uint64_t flags;
    uint64_t rip;
    uint8_t fx[512] __attribute__((aligned(16))); /* FXSAVE64 image */
};

/* What came of an instruction. */
struct isa_result {
    struct isa_state state;
    int vector; /* exception, or -1 */
};

/* Maps the pages and installs the signal handlers. 0 or -errno. */
int native_init(void);
/* Runs `size` bytes of code at NATIVE_CODE from `in`. Memory at NATIVE_DATA is
 * changed in place. code32: in a 32-bit code segment. */
void native_run(const uint8_t *code, size_t size, bool code32,
                const struct isa_state *in, struct isa_result *out);

#endif
