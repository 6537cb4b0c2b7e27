/*
 * Every row of opcodes.def against the host CPU: random and edge operands,
 * registers, flags, memory, x87 and SSE state, and the exception if there is
 * one. What user mode cannot run is listed with the test that covers it; a row
 * that is neither generated nor listed fails.
 */
#include "tests/isa/emulated.h"
#include "tests/support/test.h"

#include "emu/x86/decode.h"
#include "emu/x86/disasm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 200

/* Rows that the host cannot run here, by handler, and where they are tested. */
static const struct {
    const char *handlers, *where;
} elsewhere[] = {
    {"select_jcc select_jmp select_call select_call_rm select_jmp_rm "
     "select_ret op_loop",
     "test_control"},
    {"op_push_seg op_pop_seg op_mov_from_seg op_mov_to_seg op_lseg op_arpl "
     "op_callf op_callf_mem op_jmpf op_jmpf_mem op_retf op_int3 op_int "
     "op_into op_int1 op_iret op_in op_out op_ins op_outs op_hlt op_cli "
     "op_sti op_sldt op_str op_lldt op_ltr op_verr op_verw op_lar op_lsl "
     "op_sgdt op_sidt op_lgdt op_lidt op_smsw op_lmsw op_invlpg op_clac "
     "op_stac op_swapgs op_rdtsc op_rdtscp op_rdpmc op_syscall op_sysret "
     "op_sysenter op_sysexit op_clts op_wbinvd op_mov_from_cr op_mov_to_cr "
     "op_mov_from_dr op_mov_to_dr op_wrmsr op_rdmsr op_cpuid op_clflush "
     "op_rdsegbase op_wrsegbase op_popf op_pushf",
     "test_system, and the guests' boots"},
};

static bool tested_elsewhere(const struct opcode *o)
{
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        const char *at = strstr(elsewhere[i].handlers, o->handler_name);
        size_t n = strlen(o->handler_name);
        while (at && ((at != elsewhere[i].handlers && at[-1] != ' ') ||
                      (at[n] != ' ' && at[n] != '\0')))
            at = strstr(at + 1, o->handler_name);
        if (at)
            return true;
    }
    return false;
}

/* --- random numbers ------------------------------------------------------- */

struct random {
    uint64_t state;
};
static uint64_t next_random(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}
static unsigned below(struct random *r, unsigned n)
{
    return (unsigned)(next_random(r) >> 33) % n;
}

static uint64_t edge_value(struct random *r)
{
    static const uint64_t edges[] = {
        0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000,
        0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000,
        0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF,
        0x5555555555555555, 0xAAAAAAAAAAAAAAAA};
    switch (below(r, 4)) {
    case 0:
        return edges[below(r, sizeof edges / sizeof *edges)];
    case 1:
        return next_random(r) & 0xFF;
    default:
        return next_random(r);
    }
}

/* Floating-point bit patterns that matter, in 4- and 8-byte lanes. */
static void random_vector(struct random *r, uint8_t *out)
{
    static const uint64_t doubles[] = {
        0, 0x8000000000000000, 0x3FF0000000000000, 0xBFF0000000000000,
        0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000001,
        0x7FF0000000000001, 0x0000000000000001, 0x000FFFFFFFFFFFFF,
        0x7FEFFFFFFFFFFFFF, 0x3FB999999999999A, 0x41DFFFFFFFC00000,
        0x43E0000000000000};
    static const uint32_t floats[] = {
        0, 0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000,
        0x7FC00001, 0x7F800001, 1, 0x007FFFFF, 0x7F7FFFFF, 0x3DCCCCCD,
        0x4F000000, 0xCF000000};
    for (unsigned i = 0; i < 16; i += 4) {
        uint32_t v = (uint32_t)next_random(r);
        if (below(r, 3) == 0)
            v = floats[below(r, sizeof floats / sizeof *floats)];
        else if (below(r, 3) == 0)
            v = (v & 0x807FFFFF) | ((110 + below(r, 40)) << 23);
        memcpy(out + i, &v, 4);
        if (!(i & 4) && below(r, 2)) {
            uint64_t d = doubles[below(r, sizeof doubles / sizeof *doubles)];
            if (below(r, 2))
                d = (next_random(r) & 0x800FFFFFFFFFFFFF) |
                    ((uint64_t)(1000 + below(r, 60)) << 52);
            memcpy(out + i, &d, 8);
            i += 4;
        }
    }
}

/* An 80-bit value: usually a normal number, sometimes anything. */
static void random_extended(struct random *r, uint8_t *out)
{
    static const struct {
        uint16_t exponent;
        uint64_t mantissa;
    } edges[] = {{0, 0},
                 {0x8000, 0},
                 {0x3FFF, UINT64_C(1) << 63},
                 {0xBFFF, UINT64_C(1) << 63},
                 {0x7FFF, UINT64_C(1) << 63},
                 {0xFFFF, UINT64_C(1) << 63},
                 {0x7FFF, UINT64_C(3) << 62},
                 {0x7FFF, (UINT64_C(1) << 63) + 5},
                 {0, 1},
                 {0, UINT64_C(1) << 63},
                 {0x7FFE, UINT64_MAX},
                 {0x3FFE, 0xB17217F7D1CF79AC},
                 {0x4000, 0xC90FDAA22168C235}};
    uint16_t exponent =
        (uint16_t)((0x3FFF - 40 + below(r, 80)) | (below(r, 2) << 15));
    uint64_t mantissa = next_random(r) | UINT64_C(1) << 63;
    if (below(r, 4) == 0) {
        unsigned n = below(r, sizeof edges / sizeof *edges);
        exponent = edges[n].exponent;
        mantissa = edges[n].mantissa;
    }
    memcpy(out, &mantissa, 8);
    memcpy(out + 8, &exponent, 2);
}

static void random_state(struct random *r, struct isa_state *s, bool code32)
{
    memset(s, 0, sizeof *s);
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = edge_value(r);
        if (code32)
            s->gpr[i] = i < 8 ? (uint32_t)s->gpr[i] : 0;
    }
    s->flags = 0x202 | (next_random(r) & 0x8D5) | (below(r, 4) ? 0 : FLAG_DF);
    uint16_t fcw = 0x037F;
    if (below(r, 2))
        fcw = (uint16_t)(0x007F | (below(r, 4) << 10) |
                         ((below(r, 2) ? 3u : 2u) << 8));
    uint16_t fsw = (uint16_t)(below(r, 8) << 11);
    memcpy(s->fx, &fcw, 2);
    memcpy(s->fx + 2, &fsw, 2);
    s->fx[4] = below(r, 3) ? 0xFF : (uint8_t)next_random(r);
    uint32_t mxcsr = 0x1F80 | (below(r, 2) ? below(r, 4) << 13 : 0);
    memcpy(s->fx + 24, &mxcsr, 4);
    for (unsigned i = 0; i < 8; i++)
        random_extended(r, s->fx + 32 + i * 16);
    for (unsigned i = 0; i < (code32 ? 8u : 16u); i++)
        random_vector(r, s->fx + 160 + i * 16);
}

/* --- making an instruction ------------------------------------------------ */

struct maker {
    struct random *r;
    const struct opcode *o;
    bool code32;
    uint8_t bytes[16];
    unsigned size;
    bool memory;
};

static void put(struct maker *k, uint64_t v, unsigned n)
{
    memcpy(k->bytes + k->size, &v, n);
    k->size += n;
}

static bool has(const struct opcode *o, unsigned operand)
{
    return o->operand[0] == operand || o->operand[1] == operand ||
           o->operand[2] == operand;
}

static bool row_has_modrm(const struct opcode *o)
{
    if (o->ext != X_NONE)
        return true;
    for (unsigned i = 0; i < 3; i++) {
        unsigned p = o->operand[i];
        if ((p >= Eb && p <= Gz) || (p >= M && p <= My) ||
            (p >= Sw && p <= Ry) || (p >= Pq && p <= Ux))
            return true;
    }
    return false;
}

/* Memory operands use rbx or r11, which point at the data. */
static void put_modrm(struct maker *k, struct isa_state *s)
{
    const struct opcode *o = k->o;
    unsigned kind = o->ext & 0xF00, value = o->ext & 0xFF;
    unsigned reg = below(k->r, 8), rm = below(k->r, 8);
    if (kind == X_B(0)) {
        put(k, value, 1);
        return;
    }
    if (kind == X_R(0) || kind == X_MR(0) || kind == X_RR(0))
        reg = value;
    else if ((reg == 3 || reg == 4) && !strcmp(o->handler_name, "select_bt"))
        reg = 2; /* the bit index must not be an address */
    bool only_register = kind == X_REG || kind == X_RR(0) || has(o, Ux) ||
                         has(o, Nq) || has(o, Ry);
    bool only_memory = kind == X_MEM || kind == X_MR(0);
    k->memory = !only_register && (only_memory || below(k->r, 2));
    if (!k->memory) {
        put(k, 0xC0 | reg << 3 | rm, 1);
        return;
    }
    unsigned displacement = below(k->r, 7) * 16;
    if (below(k->r, 8) == 0)
        displacement += below(k->r, 16);
    s->gpr[3] = NATIVE_DATA + 1024;
    s->gpr[11] = NATIVE_DATA + 1024;
    put(k, 0x40 | reg << 3 | 3, 1);
    put(k, displacement, 1);
}

static void put_immediates(struct maker *k, unsigned opsize)
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t v = edge_value(k->r);
        switch (k->o->operand[i]) {
        case Ib:
        case Ibs:
            put(k, v, 1);
            break;
        case Iw:
            put(k, v & 0xFF, 2);
            break;
        case Iz:
            put(k, v, opsize == 2 ? 2 : 4);
            break;
        case Iv:
            put(k, v, opsize);
            break;
        case Ob:
        case Ov:
            put(k, NATIVE_DATA + 1024 + below(k->r, 64), k->code32 ? 4 : 8);
            break;
        default:
            break;
        }
    }
}

/* Registers that an instruction uses without naming them. */
static void prepare(struct maker *k, struct isa_state *s)
{
    const struct opcode *o = k->o;
    const char *h = o->handler_name;
    s->gpr[4] = NATIVE_DATA + 2048;
    if (o->attributes & (A_REP | A_REPZ)) {
        s->gpr[1] = below(k->r, 40);
        s->gpr[6] = NATIVE_DATA + 1024 + below(k->r, 64);
        s->gpr[7] = NATIVE_DATA + 1024 + below(k->r, 64);
    }
    if (strstr(h, "maskmov"))
        s->gpr[7] = NATIVE_DATA + 1024 + below(k->r, 64);
    if (!strcmp(h, "op_xlat"))
        s->gpr[3] = NATIVE_DATA + 1024;
    if (!strcmp(h, "select_leave") || !strcmp(h, "op_enter"))
        s->gpr[5] = NATIVE_DATA + 2048;
    if (!strcmp(h, "select_bt") && k->memory && has(o, Gv))
        for (unsigned i = 0; i < 16; i++)
            if (i != 3 && i != 4 && i != 11)
                s->gpr[i] = below(k->r, 512);
    if (!strcmp(h, "op_div") || !strcmp(h, "op_idiv")) {
        if (below(k->r, 2))
            s->gpr[2] = below(k->r, 2) ? 0 : below(k->r, 16);
        if (below(k->r, 4) == 0)
            s->gpr[2] = UINT64_MAX;
    }
}

/* Encodes one form of the row. False when this mode has none. */
static bool make(struct maker *k, struct isa_state *s)
{
    const struct opcode *o = k->o;
    if ((o->attributes & A_ONLY64) ? k->code32
                                   : (o->attributes & A_NO64) && !k->code32)
        return false;
    bool opsize = o->prefix == P_66 || (o->prefix == P_ANY && !below(k->r, 4));
    bool popcnt_or_crc = !strcmp(o->handler_name, "op_popcnt") ||
                         !strcmp(o->handler_name, "op_crc32");
    if (popcnt_or_crc)
        opsize = !below(k->r, 4);
    k->size = 0;
    k->memory = false;
    if (opsize)
        put(k, 0x66, 1);
    if (o->prefix == P_F2 || o->prefix == P_F3)
        put(k, o->prefix == P_F2 ? 0xF2 : 0xF3, 1);
    if ((o->attributes & (A_REP | A_REPZ)) && below(k->r, 2))
        put(k, below(k->r, 2) ? 0xF2 : 0xF3, 1);
    unsigned rex = 0;
    if (!k->code32 && below(k->r, 2)) {
        rex = 0x40 | below(k->r, 16);
        if (o->byte == 0x90 && o->map == M1)
            rex &= ~1u;
        /* XADD, CMPXCHG and others with rsp as r12's low half: fine */
        put(k, rex, 1);
    }
    if (o->map != M1)
        put(k, 0x0F, 1);
    if (o->map == M38 || o->map == M3A)
        put(k, o->map == M38 ? 0x38 : 0x3A, 1);
    put(k, o->byte, 1);
    if (row_has_modrm(o))
        put_modrm(k, s);
    put_immediates(k, (rex & 8) ? 8 : opsize ? 2 : 4);
    prepare(k, s);
    return true;
}

/* Is it a whole instruction, and of which row? */
static bool usable(const struct maker *k, const struct opcode **row)
{
    struct insn i;
    uint32_t mode = k->code32 ? MODE_CODE32 : MODE_CODE64;
    if (decode(k->bytes, k->size, mode, &i) != DECODE_OK || i.length != k->size)
        return false;
    *row = i.opcode;
    return true;
}

/* --- comparing ------------------------------------------------------------ */

struct compare {
    const struct maker *k;
    const struct isa_result *host, *ours;
    const uint8_t *host_data, *our_data;
    uint32_t flag_mask;
    bool fpu, fp_pointers;
};

static int differs(const struct compare *d, char *what, size_t size)
{
    const struct isa_state *h = &d->host->state, *o = &d->ours->state;
    if (d->host->vector != d->ours->vector)
        return snprintf(what, size, "vector: host %d, ours %d", d->host->vector,
                        d->ours->vector);
    for (unsigned i = 0; i < (d->k->code32 ? 8u : 16u); i++)
        if (h->gpr[i] != o->gpr[i])
            return snprintf(what, size, "gpr %u: host %llx, ours %llx", i,
                            (unsigned long long)h->gpr[i],
                            (unsigned long long)o->gpr[i]);
    if (d->host->vector >= 0)
        return 0;
    uint32_t mask = d->flag_mask;
    if ((h->flags & mask) != (o->flags & mask))
        return snprintf(what, size, "flags: host %llx, ours %llx",
                        (unsigned long long)(h->flags & mask),
                        (unsigned long long)(o->flags & mask));
    if (h->rip != o->rip)
        return snprintf(what, size, "rip: host %llx, ours %llx",
                        (unsigned long long)h->rip, (unsigned long long)o->rip);
    if (memcmp(d->host_data, d->our_data, NATIVE_DATA_SIZE)) {
        unsigned n = 0;
        while (d->host_data[n] == d->our_data[n])
            n++;
        return snprintf(what, size, "memory at +%x: host %02x, ours %02x", n,
                        d->host_data[n], d->our_data[n]);
    }
    if (memcmp(h->fx, o->fx, 5) || memcmp(h->fx + 24, o->fx + 24, 4))
        return snprintf(
            what, size,
            "fcw/fsw/tag/mxcsr: host %02x%02x %02x%02x %02x %02x%02x, ours "
            "%02x%02x %02x%02x %02x %02x%02x",
            h->fx[1], h->fx[0], h->fx[3], h->fx[2], h->fx[4], h->fx[25],
            h->fx[24], o->fx[1], o->fx[0], o->fx[3], o->fx[2], o->fx[4],
            o->fx[25], o->fx[24]);
    for (unsigned i = 0; i < 8; i++)
        if (memcmp(h->fx + 32 + i * 16, o->fx + 32 + i * 16, 10)) {
            uint64_t hm, om;
            uint16_t he, oe;
            memcpy(&hm, h->fx + 32 + i * 16, 8);
            memcpy(&om, o->fx + 32 + i * 16, 8);
            memcpy(&he, h->fx + 40 + i * 16, 2);
            memcpy(&oe, o->fx + 40 + i * 16, 2);
            return snprintf(what, size,
                            "st%u: host %04x %016llx, ours %04x %016llx", i, he,
                            (unsigned long long)hm, oe, (unsigned long long)om);
        }
    for (unsigned i = 0; i < (d->k->code32 ? 8u : 16u); i++)
        if (memcmp(h->fx + 160 + i * 16, o->fx + 160 + i * 16, 16))
            return snprintf(what, size, "xmm%u", i);
    return 0;
}

static void report(const struct maker *k, const struct isa_state *in,
                   const char *what)
{
    char text[128], hex[64];
    uint32_t mode = k->code32 ? MODE_CODE32 : MODE_CODE64;
    disasm(k->bytes, k->size, mode, NATIVE_CODE, text, sizeof text);
    for (unsigned i = 0; i < k->size; i++)
        snprintf(hex + i * 3, 4, "%02x ", k->bytes[i]);
    printf("\n    %s [%s] %s  rax=%llx rcx=%llx rdx=%llx flags=%llx", text, hex,
           what, (unsigned long long)in->gpr[0], (unsigned long long)in->gpr[1],
           (unsigned long long)in->gpr[2], (unsigned long long)in->flags);
}

/* Flags that the host and we must agree on. */
static uint32_t comparable_flags(const struct opcode *o, const struct maker *k,
                                 const struct isa_state *in)
{
    uint32_t mask = FLAGS_ARITH | FLAG_DF;
    bool shift = !strcmp(o->handler_name, "select_shift");
    if (shift) { /* OF is defined for a count of 1, AF never */
        uint64_t count = o->operand[1] == one  ? 1
                         : o->operand[1] == CL ? in->gpr[1]
                                               : k->bytes[k->size - 1];
        struct insn i;
        decode(k->bytes, k->size, k->code32 ? MODE_CODE32 : MODE_CODE64, &i);
        count &= i.operand_size == 8 ? 63 : 31;
        if (count == 0)
            return mask;
        if (o->parameter >= SHIFT_SHL)
            mask &= ~(uint32_t)FLAG_AF;
        if (count != 1)
            mask &= ~(uint32_t)FLAG_OF;
        if (count >= i.operand_size * 8u && o->parameter != SHIFT_SAR &&
            o->parameter >= SHIFT_SHL)
            mask &= ~(uint32_t)FLAG_CF;
        return mask;
    }
    return mask & ~(uint32_t)o->undefined;
}

/* --- the tests ------------------------------------------------------------ */

struct bench {
    struct machine *machine;
    struct random random;
    unsigned rows, failures;
};

/* True when one case agrees (or could not be made). */
static bool one_case(struct bench *b, const struct opcode *o, bool code32,
                     bool *ran)
{
    struct maker k = {.r = &b->random, .o = o, .code32 = code32};
    struct isa_state in;
    const struct opcode *row = NULL;
    random_state(&b->random, &in, code32);
    *ran = false;
    if (!make(&k, &in) || !usable(&k, &row) || row != o)
        return true;
    if (code32)
        for (unsigned i = 0; i < 16; i++)
            in.gpr[i] = i < 8 ? (uint32_t)in.gpr[i] : 0;
    uint8_t data[NATIVE_DATA_SIZE];
    uint8_t *host_data = (uint8_t *)(uintptr_t)NATIVE_DATA;
    for (unsigned i = 0; i < sizeof data; i += 16)
        random_vector(&b->random, data + i);
    memcpy(host_data, data, sizeof data);
    struct isa_result host, ours;
    native_run(k.bytes, k.size, code32, &in, &host);
    emulated_run(b->machine, k.bytes, k.size, code32, &in, data, &ours);
    struct compare d = {.k = &k, .host = &host, .ours = &ours,
                        .host_data = host_data, .our_data = data,
                        .flag_mask = comparable_flags(o, &k, &in)};
    char what[200];
    *ran = true;
    if (differs(&d, what, sizeof what) == 0)
        return true;
    report(&k, &in, what);
    return false;
}

static void run_rows(bool code32, unsigned map)
{
    struct bench b = {.machine = emulated_new(),
                      .random = {UINT64_C(0x9E3779B97F4A7C15)}};
    CU_ASSERT_PTR_NOT_NULL_FATAL(b.machine);
    for (size_t n = 0; n < opcode_count; n++) {
        const struct opcode *o = &opcodes[n];
        if (o->map != map || tested_elsewhere(o))
            continue;
        if ((o->attributes & A_ONLY64) ? code32
                                       : (o->attributes & A_NO64) && !code32)
            continue;
        unsigned ran = 0, bad = 0;
        for (unsigned t = 0; t < TRIES * 20 && ran < TRIES && bad < 3; t++) {
            bool did;
            bad += !one_case(&b, o, code32, &did);
            ran += did;
        }
        b.rows++;
        if (ran == 0) {
            printf("\n    %s (%02x, %s): no case could be made", o->mnemonic,
                   o->byte, o->handler_name);
            bad = 1;
        }
        b.failures += bad != 0;
    }
    if (b.failures)
        printf("\n    %u of %u rows differ from the host ", b.failures, b.rows);
    CU_ASSERT_EQUAL(b.failures, 0);
    emulated_free(b.machine);
}

static void one_byte_64(void)
{
    run_rows(false, M1);
}
static void one_byte_32(void)
{
    run_rows(true, M1);
}
static void two_byte_64(void)
{
    run_rows(false, M0F);
}
static void two_byte_32(void)
{
    run_rows(true, M0F);
}
static void three_byte_64(void)
{
    run_rows(false, M38);
    run_rows(false, M3A);
}

/* The decoder searches backwards among neighbours only. */
static void rows_are_grouped(void)
{
    for (size_t n = 0; n + 1 < opcode_count; n++)
        for (size_t m = n + 2; m < opcode_count; m++) {
            const struct opcode *a = &opcodes[n], *b = &opcodes[m];
            if (a->map != b->map || a->byte != b->byte)
                continue;
            const struct opcode *between = &opcodes[m - 1];
            CU_ASSERT(between->map == a->map && between->byte == a->byte);
        }
}

static const struct test tests[] = {
    {"rows_of_one_opcode_stand_together", rows_are_grouped},
    {"one_byte_opcodes_agree_with_the_host_in_64_bit_mode", one_byte_64},
    {"one_byte_opcodes_agree_with_the_host_in_32_bit_mode", one_byte_32},
    {"two_byte_opcodes_agree_with_the_host_in_64_bit_mode", two_byte_64},
    {"two_byte_opcodes_agree_with_the_host_in_32_bit_mode", two_byte_32},
    {"three_byte_opcodes_agree_with_the_host_in_64_bit_mode", three_byte_64},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    if (native_init()) {
        fprintf(stderr, "cannot map the test pages\n");
        return 1;
    }
    return test_main("isa", tests, argc, argv);
}
