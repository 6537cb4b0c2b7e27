/*
 * CPU models and CPUID, for the board (-cpu), the monitor and KVM.
 */
#ifndef EMU_X86_CPUID_H
#define EMU_X86_CPUID_H

#include "emu/x86/cpu.h"

#include <stddef.h>

/* All models, the default first; ends with a NULL name. */
extern const struct cpu_model cpu_models[];
const struct cpu_model *cpu_model_find(const char *name);
/* Parses `-cpu` of QEMU: NAME[,+feature][,-feature][,feature=on|off]. 0, or
 * -EINVAL with one line in `error`. */
int cpu_model_parse(const char *spec, struct cpu_model *out, char *error,
                    size_t size);
/* Family, model and stepping as CPUID.1:EAX has them. */
uint32_t cpu_model_signature(const struct cpu_model *model);

/* What the CPUID instruction returns: eax, ebx, ecx, edx. */
void cpu_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf,
               uint32_t out[4]);

/* Feature bits that behaviour depends on. */
enum { /* CPUID.1:EDX */
    CPUID_FPU = 1u << 0, CPUID_DE = 1u << 2, CPUID_PSE = 1u << 3,
    CPUID_TSC = 1u << 4, CPUID_MSR = 1u << 5, CPUID_PAE = 1u << 6,
    CPUID_MCE = 1u << 7, CPUID_CX8 = 1u << 8, CPUID_APIC = 1u << 9,
    CPUID_SEP = 1u << 11, CPUID_MTRR = 1u << 12, CPUID_PGE = 1u << 13,
    CPUID_MCA = 1u << 14, CPUID_CMOV = 1u << 15, CPUID_PAT = 1u << 16,
    CPUID_PSE36 = 1u << 17, CPUID_CLFSH = 1u << 19, CPUID_MMX = 1u << 23,
    CPUID_FXSR = 1u << 24, CPUID_SSE = 1u << 25, CPUID_SSE2 = 1u << 26,
};
enum { /* CPUID.1:ECX */
    CPUID_SSE3 = 1u << 0, CPUID_SSSE3 = 1u << 9, CPUID_CX16 = 1u << 13,
    CPUID_SSE41 = 1u << 19, CPUID_SSE42 = 1u << 20, CPUID_MOVBE = 1u << 22,
    CPUID_POPCNT = 1u << 23,
};
#define CPUID_HYPERVISOR 0x80000000u
enum { /* CPUID.7:EBX, EDX */
    CPUID_FSGSBASE = 1u << 0, CPUID_SMEP = 1u << 7, CPUID_SMAP = 1u << 20,
    CPUID_SPEC_CTRL = 1u << 26, CPUID_ARCH_CAPABILITIES = 1u << 29,
};
enum { /* CPUID.80000001H:ECX, EDX */
    CPUID_LAHF64 = 1u << 0, CPUID_PREFETCHW = 1u << 8,
    CPUID_SYSCALL = 1u << 11, CPUID_NX = 1u << 20, CPUID_PDPE1GB = 1u << 26,
    CPUID_RDTSCP = 1u << 27, CPUID_LM = 1u << 29,
};

#endif
