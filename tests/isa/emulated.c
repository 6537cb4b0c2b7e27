/* See emulated.h. */
#include "tests/isa/emulated.h"

#include "accel/interp/interp.h"
#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "emu/x86/mmu.h"

#include <stdlib.h>
#include <string.h>

#define RAM_BYTES (UINT64_C(1) << 30)
#define TABLES 0x100000u /* page tables: identity, 1 GiB, user */

struct emulated {
    struct region ram;
    struct event_sink sink;
    int vector;
};

static void on_event(void *ctx, const struct event *event)
{
    struct emulated *e = ctx;
    if (event->kind == EVENT_EXCEPTION && e->vector < 0)
        e->vector = event->reason;
}

static int acknowledge(void *ctx)
{
    (void)ctx;
    return -1;
}

struct machine *emulated_new(void)
{
    struct machine *m = machine_new(RAM_BYTES, 1);
    struct emulated *e = calloc(1, sizeof *e);
    if (!m || !e) {
        free(e);
        return NULL;
    }
    e->ram = (struct region){.name = "ram", .size = RAM_BYTES,
                             .kind = REGION_RAM, .host = m->ram};
    bus_map(&m->memory, &e->ram);
    m->host = e;
    m->intc.acknowledge = acknowledge;
    e->sink = (struct event_sink){.on_event = on_event, .ctx = e,
                                  .kinds = 1u << EVENT_EXCEPTION};
    ledger_add_sink(&m->ledger, &e->sink);
    uint64_t pml4 = (TABLES + 0x1000) | 7, pdpt = 0x87; /* one 1 GiB page */
    memcpy(m->ram + TABLES, &pml4, 8);
    memcpy(m->ram + TABLES + 0x1000, &pdpt, 8);
    uint32_t pse_page = 0x87;
    for (uint32_t i = 0; i < 256; i++) { /* 32-bit: 4 MiB pages */
        uint32_t entry = (i << 22) | pse_page;
        memcpy(m->ram + TABLES + 0x2000 + i * 4, &entry, 4);
    }
    if (machine_set_accel(m, &interp_accel)) {
        machine_free(m);
        return NULL;
    }
    return m;
}

void emulated_free(struct machine *m)
{
    free(m->host);
    machine_free(m);
}

static struct segment flat(uint16_t selector, uint16_t access)
{
    return (struct segment){.limit = UINT32_MAX, .selector = selector,
                            .access = access};
}

static void set_mode(struct cpu *c, bool code32)
{
    cpu_reset(c);
    c->cr4 = CR4_PAE | CR4_PSE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE;
    c->cr3 = TABLES;
    c->msr.efer = EFER_SCE | EFER_NXE | EFER_LME | EFER_LMA;
    c->long_mode = true;
    c->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_MP | CR0_WP | CR0_PG;
    c->seg[SEG_CS] =
        flat(code32 ? 0x23 : 0x33, (uint16_t)(code32 ? 0xC0FB : 0xA0FB));
    c->seg[SEG_SS] = c->seg[SEG_DS] = c->seg[SEG_ES] = flat(0x2B, 0xC0F3);
    c->seg[SEG_FS] = c->seg[SEG_GS] = flat(0, 0);
    c->cpl = 3;
    c->idtr.limit = 0;
    c->gdtr.limit = 0;
    c->eflags = FLAG_IF | 2;
    mmu_flush_all(c);
    cpu_mode_changed(c);
}

/* The FXSAVE64 image and struct cpu. */
static void put_fx(struct cpu *c, const uint8_t *fx)
{
    memcpy(&c->fpu.fcw, fx, 2);
    memcpy(&c->fpu.fsw, fx + 2, 2);
    c->fpu.tags = fx[4];
    memcpy(&c->mxcsr, fx + 24, 4);
    unsigned top = (c->fpu.fsw >> 11) & 7;
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = (top + i) & 7;
        memcpy(&c->fpu.reg[n].mantissa, fx + 32 + i * 16, 8);
        memcpy(&c->fpu.reg[n].exponent, fx + 40 + i * 16, 2);
    }
    for (unsigned i = 0; i < 16; i++)
        memcpy(&c->xmm[i], fx + 160 + i * 16, 16);
}

static void get_fx(const struct cpu *c, uint8_t *fx)
{
    memset(fx, 0, 512);
    memcpy(fx, &c->fpu.fcw, 2);
    memcpy(fx + 2, &c->fpu.fsw, 2);
    fx[4] = c->fpu.tags;
    memcpy(fx + 24, &c->mxcsr, 4);
    unsigned top = (c->fpu.fsw >> 11) & 7;
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = (top + i) & 7;
        memcpy(fx + 32 + i * 16, &c->fpu.reg[n].mantissa, 8);
        memcpy(fx + 40 + i * 16, &c->fpu.reg[n].exponent, 2);
    }
    for (unsigned i = 0; i < 16; i++)
        memcpy(fx + 160 + i * 16, &c->xmm[i], 16);
}

void emulated_run(struct machine *m, const uint8_t *code, size_t size,
                  bool code32, const struct isa_state *in, uint8_t *data,
                  struct isa_result *out)
{
    struct cpu *c = m->cpu[0];
    struct emulated *e = m->host;
    set_mode(c, code32);
    memset(m->ram + NATIVE_CODE, 0x90, 64);
    memcpy(m->ram + NATIVE_CODE, code, size);
    memcpy(m->ram + NATIVE_DATA, data, NATIVE_DATA_SIZE);
    m->accel->written(m->engine, NATIVE_CODE, 64);
    memcpy(c->r, in->gpr, sizeof in->gpr);
    if (code32)
        for (unsigned i = 0; i < 8; i++)
            c->r[i] = (uint32_t)c->r[i];
    cpu_set_eflags(c, (uint32_t)in->flags);
    put_fx(c, in->fx);
    cpu_mode_changed(c);
    c->rip = NATIVE_CODE;
    c->pending &= (uint32_t)PENDING_STEP;
    e->vector = -1;
    m->clock.icount = true; /* exactly one instruction */
    m->accel->run(m->engine, c, m->clock.instructions + 1);
    memcpy(out->state.gpr, c->r, sizeof out->state.gpr);
    out->state.flags = cpu_get_eflags(c);
    out->state.rip = c->rip;
    get_fx(c, out->state.fx);
    memcpy(data, m->ram + NATIVE_DATA, NATIVE_DATA_SIZE);
    out->vector = e->vector;
}
