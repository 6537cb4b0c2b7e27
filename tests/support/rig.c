/* See rig.h. */
#include "tests/support/rig.h"

#include "accel/interp/interp.h"
#include "emu/x86/mmu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_INSTRUCTIONS 200000u
#define PTE_ALL 7u /* present, writable, user */

/* --- guest memory --------------------------------------------------------- */

void rig_poke(struct rig *r, uint32_t gpa, uint64_t value, unsigned size)
{
    memcpy(r->machine->ram + gpa, &value, size);
    r->machine->accel->written(r->machine->engine, gpa, size);
}

uint64_t rig_peek(const struct rig *r, uint32_t gpa, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, r->machine->ram + gpa, size);
    return value;
}

void rig_load(struct rig *r, uint32_t gpa, const uint8_t *start,
              const uint8_t *end)
{
    size_t size = (size_t)(end - start);
    memcpy(r->machine->ram + gpa, start, size);
    r->machine->accel->written(r->machine->engine, gpa, size);
}

/* --- descriptors ---------------------------------------------------------- */

void rig_descriptor(struct rig *r, unsigned selector, uint32_t base,
                    uint32_t limit, unsigned access)
{
    uint32_t at = (selector & 4 ? RIG_LDT : RIG_GDT) + (selector & 0xFFF8u);
    uint32_t lo = (limit & 0xFFFF) | base << 16;
    uint32_t hi = ((base >> 16) & 0xFF) | (base & 0xFF000000u) |
                  (limit & 0xF0000) | (access & 0xF0FFu) << 8;
    rig_poke(r, at, lo, 4);
    rig_poke(r, at + 4, hi, 4);
}

void rig_gate(struct rig *r, uint32_t gpa, unsigned type, unsigned dpl,
              unsigned selector, uint64_t offset, unsigned low_bits)
{
    uint32_t hi = (uint32_t)(offset & 0xFFFF0000u) | 0x8000u | dpl << 13 |
                  type << 8 | low_bits;
    rig_poke(r, gpa, (offset & 0xFFFF) | selector << 16, 4);
    rig_poke(r, gpa + 4, hi, 4);
    if (r->cpu->long_mode)
        rig_poke(r, gpa + 8, offset >> 32, 8);
}

void rig_idt(struct rig *r, unsigned vector, unsigned type, unsigned dpl,
             unsigned ist)
{
    bool wide = r->cpu->long_mode;
    rig_gate(r, RIG_IDT + vector * (wide ? 16 : 8), type, dpl,
             wide ? SEL_CODE64 : SEL_CODE32, rig_handler(vector), ist);
}

static void make_gdt(struct rig *r, bool wide)
{
    const unsigned u = ACCESS_RING3;
    rig_descriptor(r, SEL_CODE32, 0, 0xFFFFF, ACCESS_CODE32);
    rig_descriptor(r, SEL_DATA, 0, 0xFFFFF, ACCESS_DATA);
    rig_descriptor(r, SEL_UCODE32, 0, 0xFFFFF, ACCESS_CODE32 | u);
    rig_descriptor(r, SEL_UDATA, 0, 0xFFFFF, ACCESS_DATA | u);
    rig_descriptor(r, SEL_CODE64, 0, 0, ACCESS_CODE64);
    rig_descriptor(r, SEL_UCODE64, 0, 0, ACCESS_CODE64 | u);
    rig_descriptor(r, SEL_CODE16, 0, 0xFFFF, ACCESS_CODE16);
    rig_descriptor(r, SEL_DATA16, 0, 0xFFFF, ACCESS_DATA16);
    rig_descriptor(r, SEL_TSS, RIG_TSS, wide ? 0x67 : 0x7FF, 0x8B);
    rig_descriptor(r, SEL_LDT, RIG_LDT, 0x7FF, 0x82);
    rig_descriptor(r, SEL_CODE32_1, 0, 0xFFFFF, ACCESS_CODE32 | 0x20);
    rig_descriptor(r, SEL_DATA_1, 0, 0xFFFFF, ACCESS_DATA | 0x20);
}

/* Stacks of the inner rings; an I/O bitmap beyond the limit. */
static void make_tss(struct rig *r, bool wide)
{
    static const uint32_t tops[] = {RIG_STACK0, RIG_STACK1, RIG_STACK2};
    static const uint16_t ss[] = {SEL_DATA, SEL_DATA_1, SEL_DATA_1};
    for (unsigned i = 0; i < 3; i++) {
        rig_poke(r, RIG_TSS + 4 + i * 8, tops[i], 8);
        if (!wide)
            rig_poke(r, RIG_TSS + 8 + i * 8, ss[i], 4);
    }
    for (unsigned ist = 1; wide && ist <= 7; ist++)
        rig_poke(r, RIG_TSS + 28 + ist * 8, RIG_IST - (ist - 1) * 256, 8);
    rig_poke(r, RIG_TSS + 0x66, 0xFFFF, 2);
}

static void make_handlers(struct rig *r, bool real)
{
    for (unsigned v = 0; v < 256; v++) {
        rig_poke(r, rig_handler(v), 0xF4, 1);
        if (real)
            rig_poke(r, v * 4, rig_handler(v), 4);
        else
            rig_idt(r, v, 14, v == 3 || v == 4 || v >= 0x80 ? 3 : 0, 0);
    }
}

static void make_pages(struct rig *r)
{
    for (uint32_t i = 0; i < 1024; i++) {
        rig_poke(r, RIG_PT32 + i * 4, i << 12 | PTE_ALL, 4);
        rig_poke(r, RIG_PT64 + i * 8, i << 12 | PTE_ALL, 8);
    }
    rig_poke(r, RIG_PD32, RIG_PT32 | PTE_ALL, 4);
    rig_poke(r, RIG_PML4, RIG_PDPT | PTE_ALL, 8);
    rig_poke(r, RIG_PDPT, RIG_PD64 | PTE_ALL, 8);
    rig_poke(r, RIG_PD64, RIG_PT64 | PTE_ALL, 8);
    rig_poke(r, RIG_PD64 + 8, (RIG_PT64 + 0x1000) | PTE_ALL, 8);
    rig_poke(r, RIG_PDPT32, RIG_PD64 | 1, 8);
}

uint64_t rig_pte(const struct rig *r, uint32_t linear)
{
    if (!r->cpu->long_mode && !(r->cpu->cr4 & CR4_PAE))
        return rig_peek(r, RIG_PT32 + (linear >> 12) * 4, 4);
    return rig_peek(r, RIG_PT64 + (linear >> 12) * 8, 8);
}

void rig_set_pte(struct rig *r, uint32_t linear, uint64_t entry)
{
    if (!r->cpu->long_mode && !(r->cpu->cr4 & CR4_PAE))
        rig_poke(r, RIG_PT32 + (linear >> 12) * 4, entry, 4);
    else
        rig_poke(r, RIG_PT64 + (linear >> 12) * 8, entry, 8);
}

/* --- the CPU -------------------------------------------------------------- */

static void load_segment(struct rig *r, struct segment *s, unsigned selector)
{
    uint32_t at = RIG_GDT + (selector & 0xFFF8u);
    uint32_t lo = (uint32_t)rig_peek(r, at, 4);
    uint32_t hi = (uint32_t)rig_peek(r, at + 4, 4);
    uint32_t limit = (lo & 0xFFFF) | (hi & 0xF0000);
    *s = (struct segment){
        .base = lo >> 16 | (hi & 0xFF) << 16 | (hi & 0xFF000000u),
        .limit = hi & 0x800000 ? limit << 12 | 0xFFF : limit,
        .selector = (uint16_t)selector,
        .access = (uint16_t)((hi >> 8) & 0xF0FF),
    };
    if (s->access & ACC_S)
        s->access |= ACC_ACCESSED;
}

static void set_protected(struct rig *r, enum rig_mode mode, unsigned cpl)
{
    struct cpu *c = r->cpu;
    bool narrow = mode == RIG_PROT16, user = cpl == 3;
    unsigned cs = mode == RIG_LONG ? (user ? SEL_UCODE64 : SEL_CODE64)
                  : narrow         ? SEL_CODE16
                                   : (user ? SEL_UCODE32 : SEL_CODE32);
    unsigned data = narrow ? SEL_DATA16 : user ? SEL_UDATA : SEL_DATA;
    if (cpl == 1) {
        cs = SEL_CODE32_1;
        data = SEL_DATA_1;
    }
    load_segment(r, &c->seg[SEG_CS], cs);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (i != SEG_CS)
            load_segment(r, &c->seg[i], data);
    load_segment(r, &c->tr, SEL_TSS);
    load_segment(r, &c->ldtr, SEL_LDT);
    c->gdtr = (struct table_register){RIG_GDT, 0xFF};
    c->idtr = (struct table_register){RIG_IDT, 0xFFF};
    c->cpl = (uint8_t)cpl;
}

static void set_v86(struct cpu *c)
{
    c->eflags |= FLAG_VM;
    c->cpl = 3;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        c->seg[i] = (struct segment){.limit = 0xFFFF, .access = 0xF3};
}

static void set_paging(struct cpu *c, enum rig_mode mode)
{
    c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PSE | CR4_PGE;
    if (mode >= RIG_PAE)
        c->cr4 |= CR4_PAE;
    if (mode >= RIG_PAGED32)
        c->cr0 |= CR0_PG;
    c->cr3 = mode == RIG_PAGED32 ? RIG_PD32
             : mode == RIG_PAE   ? RIG_PDPT32
                                 : RIG_PML4;
    if (mode == RIG_PAE)
        c->pdpte[0] = RIG_PD64 | 1;
    if (c->long_mode)
        c->msr.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

static void set_mode(struct rig *r, enum rig_mode mode, unsigned cpl)
{
    struct cpu *c = r->cpu;
    cpu_reset(c);
    c->long_mode = mode >= RIG_LONG;
    make_handlers(r, mode == RIG_REAL);
    if (mode == RIG_REAL) {
        c->seg[SEG_CS].base = c->seg[SEG_CS].selector = 0;
    } else {
        c->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_MP | CR0_WP;
        make_gdt(r, c->long_mode);
        make_tss(r, c->long_mode);
        make_pages(r);
        set_protected(r, mode, cpl);
        if (mode == RIG_V86)
            set_v86(c);
        set_paging(c, mode);
    }
    cpu_mode_changed(c);
    mmu_flush_all(c);
    c->r[R_SP] = mode == RIG_V86 || cpl == 3 ? RIG_STACK3
                 : cpl == 1                  ? RIG_STACK1
                                             : RIG_STACK0;
    c->r[R_DX] = 0; /* not the signature of reset */
    c->rip = RIG_CODE;
}

static int acknowledge(void *ctx)
{
    struct rig *r = ctx;
    int vector = r->irq;
    r->irq = -1;
    cpu_set_intr(r->cpu, false);
    return vector;
}

void rig_interrupt(struct rig *r, unsigned vector)
{
    r->irq = (int)vector;
    cpu_set_intr(r->cpu, true);
}

struct rig *rig_new(enum rig_mode mode, unsigned cpl)
{
    struct rig *r = calloc(1, sizeof *r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    struct machine *m = r->machine = machine_new(RIG_RAM, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    r->ram = (struct region){.name = "ram", .size = RIG_RAM,
                             .kind = REGION_RAM, .host = m->ram};
    bus_map(&m->memory, &r->ram);
    m->intc = (struct intc){.ctx = r, .acknowledge = acknowledge};
    CU_ASSERT_EQUAL_FATAL(machine_set_accel(m, &interp_accel), 0);
    m->clock.icount = true;
    r->cpu = m->cpu[0];
    r->irq = -1;
    r->step = getenv("RIG_STEP") != NULL;
    set_mode(r, mode, cpl);
    return r;
}

void rig_free(struct rig *r)
{
    machine_free(r->machine);
    free(r);
}

/* --- running -------------------------------------------------------------- */

static bool pushes_error(unsigned vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) ||
           vector == VEC_AC;
}

/* Reads what the delivery to the current handler pushed. */
static void read_frame(struct rig *r)
{
    struct cpu *c = r->cpu;
    struct outcome *o = &r->out;
    bool protected = c->cr0 & CR0_PE;
    unsigned type = (unsigned)rig_peek(
        r, RIG_IDT + (unsigned)o->vector * (c->long_mode ? 16 : 8) + 5, 1);
    unsigned w = c->long_mode ? 8 : protected && (type & 8) ? 4 : 2;
    uint64_t sp = c->r[R_SP], words[10] = {0};
    if (!(c->seg[SEG_SS].access & ACC_DB) && !c->long_mode)
        sp &= 0xFFFF;
    sp += c->long_mode ? 0 : c->seg[SEG_SS].base;
    if (protected && pushes_error((unsigned)o->vector)) {
        mmu_peek(c, sp, &o->error, w < 4 ? w : 4);
        o->error &= w == 2 ? 0xFFFF : UINT32_MAX;
        sp += w;
    }
    for (unsigned i = 0; i < 10; i++)
        mmu_peek(c, sp + i * w, &words[i], w);
    o->ip = words[0];
    o->cs = (uint16_t)words[1];
    o->flags = words[2];
    o->sp = words[3];
    o->ss = (uint16_t)words[4];
    memcpy(o->seg, words + 5, sizeof o->seg);
}

const struct outcome *rig_run(struct rig *r)
{
    struct machine *m = r->machine;
    struct cpu *c = r->cpu;
    uint64_t end = m->clock.instructions + RUN_INSTRUCTIONS;
    enum stop stop;
    do {
        uint64_t until = r->step ? m->clock.instructions + 1 : end;
        /* As machine_run() does: a kick has been seen, and the run goes on. */
        atomic_store(&m->kicked, false);
        stop = m->accel->run(m->engine, c, until);
    } while ((stop == STOP_BUDGET || stop == STOP_KICK) &&
             m->clock.instructions < end);
    r->out = (struct outcome){.stop = stop, .vector = -1, .error = NO_ERROR};
    uint64_t at = c->seg_base[SEG_CS] + c->rip - 1 - RIG_HANDLERS;
    if (stop == STOP_HALT && at < 4096 && at % 16 == 0) {
        r->out.vector = (int)(at / 16);
        read_frame(r);
    }
    c->pending &= ~(uint32_t)PENDING_HALT;
    return &r->out;
}

/* --- assertions ----------------------------------------------------------- */

void rig_expect(uint64_t got, uint64_t want, const char *text, const char *file,
                unsigned line)
{
    char message[200];
    snprintf(message, sizeof message, "%s: got %llx, want %llx", text,
             (unsigned long long)got, (unsigned long long)want);
    CU_assertImplementation(got == want, line, message, file, "", CU_FALSE);
}

void rig_expect_fault(const struct rig *r, int vector, uint32_t error,
                      uint64_t ip, const char *file, unsigned line)
{
    const struct outcome *o = &r->out;
    char message[200];
    bool good = o->stop == STOP_HALT && o->vector == vector &&
                (vector < 0 || (o->error == error && o->ip == ip));
    snprintf(message, sizeof message,
             "vector %d(%x) at %llx, got %d(%x) at %llx, stop %d, rip %llx",
             vector, error, (unsigned long long)ip, o->vector, o->error,
             (unsigned long long)o->ip, o->stop,
             (unsigned long long)r->cpu->rip);
    CU_assertImplementation(good, line, message, file, "", CU_FALSE);
}
