/*
 * CPU models and the CPUID instruction (SDM 2 CPUID; hypervisor leaves as
 * every hypervisor has them).
 *
 * A model announces only what the emulator does. IA32_ARCH_CAPABILITIES says
 * that there is no speculation to be mitigated, which is true, and spares
 * guests page-table isolation and retpolines.
 *
 * Not modelled: leaf 2's many descriptors (one L1 pair and one L2 are named),
 * topology (leaf 0BH), monitor/mwait, XSAVE, performance counters.
 */
#include "emu/x86/cpuid.h"

#include "emu/machine.h"
#include "emu/x86/system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TSC_HZ 1000000000u

#define EDX_PENTIUM                                                            \
    (CPUID_FPU | CPUID_DE | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_MCE |    \
     CPUID_CX8 | CPUID_APIC | CPUID_MMX)
#define EDX_ALL                                                                \
    (EDX_PENTIUM | CPUID_PAE | CPUID_SEP | CPUID_MTRR | CPUID_PGE |            \
     CPUID_MCA | CPUID_CMOV | CPUID_PAT | CPUID_PSE36 | CPUID_CLFSH |          \
     CPUID_FXSR | CPUID_SSE | CPUID_SSE2)
#define ECX_ALL                                                                \
    (CPUID_SSE3 | CPUID_SSSE3 | CPUID_CX16 | CPUID_SSE41 | CPUID_SSE42 |       \
     CPUID_MOVBE | CPUID_POPCNT | CPUID_HYPERVISOR)
#define LEAF7_ALL (CPUID_FSGSBASE | CPUID_SMEP | CPUID_SMAP)
#define LEAF7_EDX_ALL (CPUID_SPEC_CTRL | CPUID_ARCH_CAPABILITIES)
#define EXT_ECX_ALL (CPUID_LAHF64 | CPUID_PREFETCHW)
#define EXT_EDX_ALL                                                            \
    (CPUID_SYSCALL | CPUID_NX | CPUID_PDPE1GB | CPUID_RDTSCP | CPUID_LM)

#define MODEL_64(NAME)                                                         \
    {                                                                          \
        .name = (NAME), .vendor = "GenuineIntel",                              \
        .brand = "Vitrine virtual CPU", .family = 6, .model = 15,              \
        .stepping = 11, .leaf1_ecx = ECX_ALL, .leaf1_edx = EDX_ALL,            \
        .leaf7_ebx = LEAF7_ALL, .leaf7_edx = LEAF7_EDX_ALL,                    \
        .ext_ecx = EXT_ECX_ALL, .ext_edx = EXT_EDX_ALL, .physical_bits = 40,   \
        .linear_bits = 48                                                      \
    }

const struct cpu_model cpu_models[] = {
    MODEL_64("qemu64"),
    MODEL_64("max"),
    MODEL_64("host"),
    {
        .name = "qemu32", .vendor = "GenuineIntel",
        .brand = "Vitrine virtual CPU (32 bit)", .family = 6, .model = 15,
        .stepping = 11, .leaf1_ecx = ECX_ALL & ~(uint32_t)CPUID_CX16,
        .leaf1_edx = EDX_ALL, .leaf7_ebx = CPUID_SMEP | CPUID_SMAP,
        .leaf7_edx = LEAF7_EDX_ALL, .ext_edx = CPUID_NX | CPUID_RDTSCP,
        .physical_bits = 36, .linear_bits = 32,
    },
    {
        .name = "pentium", .vendor = "GenuineIntel",
        .brand = "Vitrine virtual CPU (Pentium)", .family = 5, .model = 4,
        .stepping = 3, .leaf1_edx = EDX_PENTIUM, .physical_bits = 32,
        .linear_bits = 32,
    },
    {
        .name = "486", .vendor = "GenuineIntel",
        .brand = "Vitrine virtual CPU (486)", .family = 4, .model = 8,
        .leaf1_edx = CPUID_FPU, .physical_bits = 32, .linear_bits = 32,
    },
    {.name = NULL},
};

const struct cpu_model *cpu_model_find(const char *name)
{
    for (const struct cpu_model *m = cpu_models; m->name; m++) {
        if (!strcmp(m->name, name))
            return m;
    }
    return NULL;
}

uint32_t cpu_model_signature(const struct cpu_model *m)
{
    return (m->family & 0xF) << 8 | (m->model & 0xF) << 4 |
           (m->stepping & 0xF) | (m->model >> 4) << 16;
}

/* --- -cpu NAME,+feature,-feature ----------------------------------------- */

struct feature {
    const char *name;
    uint32_t offset; /* of the word in struct cpu_model */
    uint32_t bit;    /* 0: known, but never there */
};
#define F1D(NAME, BIT)                                                         \
    {                                                                          \
        NAME, offsetof(struct cpu_model, leaf1_edx), BIT                       \
    }
#define F1C(NAME, BIT)                                                         \
    {                                                                          \
        NAME, offsetof(struct cpu_model, leaf1_ecx), BIT                       \
    }
#define F7B(NAME, BIT)                                                         \
    {                                                                          \
        NAME, offsetof(struct cpu_model, leaf7_ebx), BIT                       \
    }
#define F7D(NAME, BIT)                                                         \
    {                                                                          \
        NAME, offsetof(struct cpu_model, leaf7_edx), BIT                       \
    }
#define FXC(NAME, BIT)                                                         \
    {                                                                          \
        NAME, offsetof(struct cpu_model, ext_ecx), BIT                         \
    }
#define FXD(NAME, BIT)                                                         \
    {                                                                          \
        NAME, offsetof(struct cpu_model, ext_edx), BIT                         \
    }
#define NEVER(NAME)                                                            \
    {                                                                          \
        NAME, 0, 0                                                             \
    }

static const struct feature features[] = {
    F1D("fpu", CPUID_FPU), F1D("de", CPUID_DE), F1D("pse", CPUID_PSE),
    F1D("tsc", CPUID_TSC), F1D("msr", CPUID_MSR), F1D("pae", CPUID_PAE),
    F1D("mce", CPUID_MCE), F1D("cx8", CPUID_CX8), F1D("apic", CPUID_APIC),
    F1D("sep", CPUID_SEP), F1D("mtrr", CPUID_MTRR), F1D("pge", CPUID_PGE),
    F1D("mca", CPUID_MCA), F1D("cmov", CPUID_CMOV), F1D("pat", CPUID_PAT),
    F1D("pse36", CPUID_PSE36), F1D("clflush", CPUID_CLFSH),
    F1D("mmx", CPUID_MMX), F1D("fxsr", CPUID_FXSR), F1D("sse", CPUID_SSE),
    F1D("sse2", CPUID_SSE2),
    F1C("sse3", CPUID_SSE3), F1C("pni", CPUID_SSE3),
    F1C("ssse3", CPUID_SSSE3), F1C("cx16", CPUID_CX16),
    F1C("sse4.1", CPUID_SSE41), F1C("sse4_1", CPUID_SSE41),
    F1C("sse4.2", CPUID_SSE42), F1C("sse4_2", CPUID_SSE42),
    F1C("movbe", CPUID_MOVBE), F1C("popcnt", CPUID_POPCNT),
    F1C("hypervisor", CPUID_HYPERVISOR),
    F7B("fsgsbase", CPUID_FSGSBASE), F7B("smep", CPUID_SMEP),
    F7B("smap", CPUID_SMAP), F7D("spec-ctrl", CPUID_SPEC_CTRL),
    F7D("arch-capabilities", CPUID_ARCH_CAPABILITIES),
    FXC("lahf_lm", CPUID_LAHF64), FXC("lahf-lm", CPUID_LAHF64),
    FXC("3dnowprefetch", CPUID_PREFETCHW), FXD("syscall", CPUID_SYSCALL),
    FXD("nx", CPUID_NX), FXD("pdpe1gb", CPUID_PDPE1GB),
    FXD("rdtscp", CPUID_RDTSCP), FXD("lm", CPUID_LM),
    NEVER("vme"), NEVER("pclmulqdq"), NEVER("monitor"), NEVER("vmx"),
    NEVER("svm"), NEVER("fma"), NEVER("x2apic"), NEVER("tsc-deadline"),
    NEVER("aes"), NEVER("xsave"), NEVER("avx"), NEVER("f16c"),
    NEVER("rdrand"), NEVER("bmi1"), NEVER("avx2"), NEVER("bmi2"),
    NEVER("erms"), NEVER("invpcid"), NEVER("rdseed"), NEVER("adx"),
    NEVER("pcid"), NEVER("umip"), NEVER("pku"), NEVER("la57"),
    NEVER("abm"), NEVER("sse4a"), NEVER("npt"), NEVER("avx512f"),
    NEVER("invtsc"), NEVER("tsc_adjust"), NEVER("ht"), NEVER("ss"),
    NEVER("mmxext"), NEVER("fxsr_opt"), NEVER("3dnow"), NEVER("kvm"),
};

/* Switches one feature. 0, or -EINVAL with `error` filled. */
static int set_feature(struct cpu_model *m, const char *name, bool on,
                       char *error, size_t size)
{
    for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
        const struct feature *f = &features[i];
        if (strcmp(f->name, name) != 0)
            continue;
        if (!f->bit && on) {
            snprintf(error, size, "-cpu: feature '%s' is not available", name);
            return -EINVAL;
        }
        if (f->bit) {
            uint32_t word;
            char *at = (char *)m + f->offset;
            memcpy(&word, at, sizeof(word));
            word = on ? word | f->bit : word & ~f->bit;
            memcpy(at, &word, sizeof(word));
        }
        return 0;
    }
    snprintf(error, size, "-cpu: unknown feature '%s'", name);
    return -EINVAL;
}

/* One item: +f, -f, f=on, f=off, f; check and enforce change nothing, for
 * nothing is ever announced that is not there. */
static int parse_item(struct cpu_model *m, char *item, char *error, size_t size)
{
    char *value = strchr(item, '=');
    bool on = true;

    if (*item == '+' || *item == '-')
        return set_feature(m, item + 1, *item == '+', error, size);
    if (value) {
        *value++ = '\0';
        if (!strcmp(value, "off"))
            on = false;
        else if (strcmp(value, "on") != 0) {
            snprintf(error, size, "-cpu: %s: 'on' or 'off' expected", item);
            return -EINVAL;
        }
    }
    if (!strcmp(item, "check") || !strcmp(item, "enforce"))
        return 0;
    return set_feature(m, item, on, error, size);
}

int cpu_model_parse(const char *spec, struct cpu_model *out, char *error,
                    size_t size)
{
    char text[256];
    char *save = NULL;

    if (snprintf(text, sizeof(text), "%s", spec) >= (int)sizeof(text)) {
        snprintf(error, size, "-cpu: too long");
        return -EINVAL;
    }
    const char *name = strtok_r(text, ",", &save);
    const struct cpu_model *model = name ? cpu_model_find(name) : NULL;
    if (!model) {
        snprintf(error, size, "-cpu: unknown model '%s'", name ? name : "");
        return -EINVAL;
    }
    *out = *model;
    for (char *item; (item = strtok_r(NULL, ",", &save));) {
        int result = parse_item(out, item, error, size);
        if (result)
            return result;
    }
    return 0;
}

/* --- the instruction ----------------------------------------------------- */

static uint32_t pack(const char *text)
{
    uint32_t value;
    memcpy(&value, text, 4);
    return value;
}

static bool is_modern(const struct cpu_model *m)
{
    return m->family >= 6;
}

static void basic_1(struct cpu *c, uint32_t out[4])
{
    const struct cpu_model *m = c->model;
    const struct intc *intc = &c->machine->intc;

    out[0] = cpu_model_signature(m);
    out[1] = c->index << 24 | (m->leaf1_edx & CPUID_CLFSH ? 8u << 8 : 0);
    out[2] = m->leaf1_ecx;
    out[3] = m->leaf1_edx;
    /* Software-disabled through IA32_APIC_BASE, the APIC is not there. */
    if (intc->get_base && !(intc->get_base(intc->ctx) & 0x800))
        out[3] &= ~(uint32_t)CPUID_APIC;
}

/* Deterministic cache parameters: 32 KiB L1D and L1I, 2 MiB L2, 8 ways. */
static void basic_4(uint32_t subleaf, uint32_t out[4])
{
    static const uint32_t type[] = {0x121, 0x122, 0x143};

    if (subleaf > 2)
        return;
    out[0] = type[subleaf];
    out[1] = 7u << 22 | 63u;
    out[2] = subleaf == 2 ? 4095 : 63;
    out[3] = subleaf == 2 ? 1 : 0;
}

/* Subleaf 2 says that SPEC_CTRL has BHI_DIS_S: a guest that writes a bit does
 * not have to clear branch history on every system call. */
static void basic_7(const struct cpu_model *m, uint32_t subleaf,
                    uint32_t out[4])
{
    bool spec_ctrl = (m->leaf7_edx & CPUID_SPEC_CTRL) != 0;

    if (subleaf == 0) {
        out[0] = spec_ctrl ? 2 : 0;
        out[1] = m->leaf7_ebx;
        out[3] = m->leaf7_edx;
    } else if (subleaf == 2 && spec_ctrl) {
        out[3] = 1u << 4;
    }
}

static void basic_leaf(struct cpu *c, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4])
{
    const struct cpu_model *m = c->model;

    switch (leaf) {
    case 0:
        out[0] = is_modern(m) ? 0x16 : 1;
        out[1] = pack(m->vendor);
        out[2] = pack(m->vendor + 8);
        out[3] = pack(m->vendor + 4);
        break;
    case 1:
        basic_1(c, out);
        break;
    case 2:
        out[0] = 1;
        out[3] = 0x002C307D; /* L1D, L1I 32 KiB; L2 2 MiB */
        break;
    case 4:
        basic_4(subleaf, out);
        break;
    case 7:
        basic_7(m, subleaf, out);
        break;
    case 0x15: /* TSC = crystal * EBX / EAX */
        out[0] = out[1] = 1;
        out[2] = TSC_HZ;
        break;
    case 0x16:
        out[0] = out[1] = TSC_HZ / 1000000;
        out[2] = 100;
        break;
    default:
        break;
    }
}

static void brand_leaf(const struct cpu_model *m, uint32_t leaf,
                       uint32_t out[4])
{
    char brand[48] = {0};

    snprintf(brand, sizeof(brand), "%s", m->brand);
    for (unsigned i = 0; i < 4; i++)
        out[i] = pack(brand + (leaf - 0x80000002u) * 16 + i * 4);
}

static void extended_leaf(struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    const struct cpu_model *m = c->model;

    switch (leaf) {
    case 0x80000000u:
        out[0] = is_modern(m) ? 0x80000008u : 0x80000004u;
        break;
    case 0x80000001u:
        out[2] = m->ext_ecx;
        out[3] = m->ext_edx;
        if (!cpu_64bit(c)) /* SDM 2, CPUID table 3-8: only there in 64-bit */
            out[3] &= ~(uint32_t)CPUID_SYSCALL;
        break;
    case 0x80000002u:
    case 0x80000003u:
    case 0x80000004u:
        brand_leaf(m, leaf, out);
        break;
    case 0x80000006u:
        out[2] = 2048u << 16 | 6u << 12 | 64u;
        break;
    case 0x80000007u:
        out[3] = 1u << 8; /* the TSC never changes its rate */
        break;
    case 0x80000008u:
        out[0] = m->physical_bits | m->linear_bits << 8;
        break;
    default:
        break;
    }
}

void cpu_cpuid(struct cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct cpu_model *m = c->model;
    uint32_t most = is_modern(m) ? 0x16 : 1;
    uint32_t most_extended = is_modern(m) ? 0x80000008u : 0x80000004u;

    memset(out, 0, 4 * sizeof(*out));
    if (leaf == 0x40000000u && (m->leaf1_ecx & CPUID_HYPERVISOR)) {
        out[0] = leaf;
        out[1] = pack("Vitr");
        out[2] = pack("ineV");
        out[3] = pack("itri");
    } else if (leaf >= 0x80000000u && leaf <= most_extended) {
        extended_leaf(c, leaf, out);
    } else {
        /* Intel: what is out of range reads as the highest basic leaf. */
        basic_leaf(c, leaf > most ? most : leaf, subleaf, out);
    }
}
