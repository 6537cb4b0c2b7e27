/*
 * The target description (GDB manual, appendix G), made from the table of
 * registers: core, SSE and segment bases as gdb wants them, and the control
 * registers as a feature of our own under QEMU's names, with their bits.
 */
#include "monitor/gdb_registers.h"

#include <stdio.h>
#include <stdlib.h>

struct bits {
    const char *name;
    unsigned first, last;
};

static const struct bits eflags[] = {
    {"CF", 0, 0},    {"", 1, 1},      {"PF", 2, 2},    {"AF", 4, 4},
    {"ZF", 6, 6},    {"SF", 7, 7},    {"TF", 8, 8},    {"IF", 9, 9},
    {"DF", 10, 10},  {"OF", 11, 11},  {"IOPL", 12, 13}, {"NT", 14, 14},
    {"RF", 16, 16},  {"VM", 17, 17},  {"AC", 18, 18},  {"VIF", 19, 19},
    {"VIP", 20, 20}, {"ID", 21, 21},  {NULL, 0, 0},
};
static const struct bits cr0[] = {
    {"PE", 0, 0},   {"MP", 1, 1},   {"EM", 2, 2},   {"TS", 3, 3},
    {"ET", 4, 4},   {"NE", 5, 5},   {"WP", 16, 16}, {"AM", 18, 18},
    {"NW", 29, 29}, {"CD", 30, 30}, {"PG", 31, 31}, {NULL, 0, 0},
};
static const struct bits cr3[] = {
    {"PCID", 0, 11}, {"PDBR", 12, 63}, {NULL, 0, 0},
};
static const struct bits cr4[] = {
    {"VME", 0, 0},     {"PVI", 1, 1},         {"TSD", 2, 2},
    {"DE", 3, 3},      {"PSE", 4, 4},         {"PAE", 5, 5},
    {"MCE", 6, 6},     {"PGE", 7, 7},         {"PCE", 8, 8},
    {"OSFXSR", 9, 9},  {"OSXMMEXCPT", 10, 10}, {"UMIP", 11, 11},
    {"LA57", 12, 12},  {"VMXE", 13, 13},      {"SMXE", 14, 14},
    {"FSGSBASE", 16, 16}, {"PCIDE", 17, 17},  {"OSXSAVE", 18, 18},
    {"SMEP", 20, 20},  {"SMAP", 21, 21},      {"PKE", 22, 22},
    {NULL, 0, 0},
};
static const struct bits efer[] = {
    {"SCE", 0, 0},     {"LME", 8, 8},    {"LMA", 10, 10}, {"NXE", 11, 11},
    {"SVME", 12, 12},  {"LMSLE", 13, 13}, {"FFXSR", 14, 14}, {"TCE", 15, 15},
    {NULL, 0, 0},
};
static const struct bits mxcsr[] = {
    {"IE", 0, 0},   {"DE", 1, 1},   {"ZE", 2, 2},   {"OE", 3, 3},
    {"UE", 4, 4},   {"PE", 5, 5},   {"DAZ", 6, 6},  {"IM", 7, 7},
    {"DM", 8, 8},   {"ZM", 9, 9},   {"OM", 10, 10}, {"UM", 11, 11},
    {"PM", 12, 12}, {"FZ", 15, 15}, {NULL, 0, 0},
};

static const struct {
    const char *id;
    unsigned bytes;
    const struct bits *bits;
    enum gdb_feature feature;
} flag_types[] = {
    {"x64_eflags", 4, eflags, GDB_FEATURE_CORE},
    {"x64_cr0", 8, cr0, GDB_FEATURE_SYSTEM},
    {"x64_cr3", 8, cr3, GDB_FEATURE_SYSTEM},
    {"x64_cr4", 8, cr4, GDB_FEATURE_SYSTEM},
    {"x64_efer", 8, efer, GDB_FEATURE_SYSTEM},
    {"x64_mxcsr", 4, mxcsr, GDB_FEATURE_SSE},
};

/* The ways to look at an XMM register; gdb's own names, so that its users find
 * $xmm0.v4_float. */
static const struct {
    const char *id, *type, *field;
    unsigned count;
} vectors[] = {
    {"v4f", "ieee_single", "v4_float", 4},
    {"v2d", "ieee_double", "v2_double", 2},
    {"v16i8", "int8", "v16_int8", 16},
    {"v8i16", "int16", "v8_int16", 8},
    {"v4i32", "int32", "v4_int32", 4},
    {"v2i64", "int64", "v2_int64", 2},
};

static const char *const features[GDB_FEATURES] = {
    [GDB_FEATURE_CORE] = "org.gnu.gdb.i386.core",
    [GDB_FEATURE_SEGMENTS] = "org.gnu.gdb.i386.segments",
    [GDB_FEATURE_SYSTEM] = "org.vitrine.i386.system",
    [GDB_FEATURE_SSE] = "org.gnu.gdb.i386.sse",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_flags(FILE *f, enum gdb_feature feature)
{
    for (size_t i = 0; i < COUNT(flag_types); i++) {
        if (flag_types[i].feature != feature)
            continue;
        fprintf(f, "<flags id=\"%s\" size=\"%u\">\n", flag_types[i].id,
                flag_types[i].bytes);
        for (const struct bits *b = flag_types[i].bits; b->name; b++)
            fprintf(f, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>\n",
                    b->name, b->first, b->last);
        fputs("</flags>\n", f);
    }
}

static void put_vectors(FILE *f)
{
    for (size_t i = 0; i < COUNT(vectors); i++)
        fprintf(f, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>\n",
                vectors[i].id, vectors[i].type, vectors[i].count);
    fputs("<union id=\"vec128\">\n", f);
    for (size_t i = 0; i < COUNT(vectors); i++)
        fprintf(f, "<field name=\"%s\" type=\"%s\"/>\n", vectors[i].field,
                vectors[i].id);
    fputs("<field name=\"uint128\" type=\"uint128\"/>\n</union>\n", f);
}

static void put_feature(FILE *f, enum gdb_feature feature)
{
    fprintf(f, "<feature name=\"%s\">\n", features[feature]);
    put_flags(f, feature);
    if (feature == GDB_FEATURE_SSE)
        put_vectors(f);
    for (unsigned n = 0; n < GDB_REGISTERS; n++) {
        const struct gdb_register *r = &gdb_registers[n];
        if (r->feature != feature)
            continue;
        fprintf(f, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"",
                r->name, r->bits, r->type, n);
        if (r->group)
            fprintf(f, " group=\"%s\"", r->group);
        fputs("/>\n", f);
    }
    fputs("</feature>\n", f);
}

char *gdb_target_xml(size_t *size)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, size);

    if (!f)
        return NULL;
    fputs("<?xml version=\"1.0\"?>\n"
          "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
          "<target version=\"1.0\">\n"
          "<architecture>i386:x86-64</architecture>\n",
          f);
    for (unsigned i = 0; i < GDB_FEATURES; i++)
        put_feature(f, (enum gdb_feature)i);
    fputs("</target>\n", f);
    bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
