/*
 * Page tables as the guest has them (SDM 3A chapter 4): one address level by
 * level, and all mappings as ranges.
 *
 * These walks are the monitor's own: mmu_walk() reads a table that lies in a
 * device's registers from the device, which a look must not do. Permissions
 * are asked of mmu_walk() once every entry is known to be in RAM.
 *
 * Not modelled: 5-level paging, protection keys (the CPU has neither).
 */
#include "monitor/look.h"

#include "emu/x86/mmu.h"
#include "emu/x86/system.h"

#include <inttypes.h>
#include <string.h>

enum {
    PTE_P = 1u << 0, PTE_W = 1u << 1, PTE_U = 1u << 2, PTE_PWT = 1u << 3,
    PTE_PCD = 1u << 4, PTE_A = 1u << 5, PTE_D = 1u << 6, PTE_PS = 1u << 7,
    PTE_G = 1u << 8,
};
#define PTE_NX (UINT64_C(1) << 63)
#define ADDRESS_BITS UINT64_C(0x000000FFFFFFF000)
#define RESERVED_HIGH UINT64_C(0x000FFF0000000000) /* bits 40 to 51 */
#define RESERVED_PAE UINT64_C(0x7FF0000000000000)  /* outside long mode */

#define MAX_ENTRIES (UINT64_C(1) << 24) /* looked at by info mem, info tlb */
#define MAX_LINES 2000u

/* --- one address ---------------------------------------------------------- */

/* Reads the entry and notes it as the next level. False: the walk ends. */
static bool step(struct cpu *c, struct look_path *p, const char *name,
                 uint64_t gpa, unsigned index, uint64_t reserved)
{
    struct look_level *l = &p->level[p->levels];
    const uint8_t *host =
        bus_host(&c->machine->memory, gpa & c->a20_mask, p->entry_size, false);
    *l = (struct look_level){.name = name, .index = index, .gpa = gpa};
    p->levels++;
    p->end = LOOK_NOT_RAM;
    if (!host)
        return false;
    memcpy(&l->entry, host, p->entry_size);
    p->end = LOOK_NOT_PRESENT;
    if (!(l->entry & PTE_P))
        return false;
    if (p->entry_size == 8 && !(c->msr.efer & EFER_NXE))
        reserved |= PTE_NX;
    p->end = LOOK_RESERVED;
    p->reserved = l->entry & reserved;
    return p->reserved == 0;
}

static bool mapped(struct look_path *p, uint64_t linear, uint64_t frame,
                   uint64_t page_size, uint64_t reserved)
{
    uint64_t e = p->level[p->levels - 1].entry;

    p->reserved = e & reserved;
    p->end = p->reserved ? LOOK_RESERVED : LOOK_MAPPED;
    p->page_size = page_size;
    p->gpa = (frame & ~(page_size - 1)) | (linear & (page_size - 1));
    return p->end == LOOK_MAPPED;
}

static uint64_t last(const struct look_path *p)
{
    return p->level[p->levels - 1].entry;
}

static bool path_32(struct cpu *c, uint64_t linear, struct look_path *p)
{
    unsigned index = (unsigned)(linear >> 22) & 0x3FF;

    p->entry_size = 4;
    if (!step(c, p, "PDE", (c->cr3 & 0xFFFFF000u) + index * 4, index, 0))
        return false;
    if ((last(p) & PTE_PS) && (c->cr4 & CR4_PSE))
        return mapped(p, linear,
                      (last(p) & 0xFFC00000u) | (last(p) & 0x1FE000u) << 19,
                      UINT64_C(4) << 20, 1u << 21);
    index = (unsigned)(linear >> 12) & 0x3FF;
    if (!step(c, p, "PTE", (last(p) & 0xFFFFF000u) + index * 4, index, 0))
        return false;
    return mapped(p, linear, last(p) & 0xFFFFF000u, 4096, 0);
}

static bool path_pde(struct cpu *c, uint64_t linear, struct look_path *p)
{
    uint64_t high = RESERVED_HIGH | (c->long_mode ? 0 : RESERVED_PAE);
    unsigned index = (unsigned)(linear >> 21) & 0x1FF;

    if (!step(c, p, "PDE", (last(p) & ADDRESS_BITS) + index * 8, index, high))
        return false;
    if (last(p) & PTE_PS)
        return mapped(p, linear, last(p) & ADDRESS_BITS, UINT64_C(2) << 20,
                      0x1FE000u);
    index = (unsigned)(linear >> 12) & 0x1FF;
    if (!step(c, p, "PTE", (last(p) & ADDRESS_BITS) + index * 8, index, high))
        return false;
    return mapped(p, linear, last(p) & ADDRESS_BITS, 4096, 0);
}

static bool path_long(struct cpu *c, uint64_t linear, struct look_path *p)
{
    unsigned index = (unsigned)(linear >> 39) & 0x1FF;

    if (!step(c, p, "PML4E", (c->cr3 & ADDRESS_BITS) + index * 8, index,
              RESERVED_HIGH | PTE_PS))
        return false;
    index = (unsigned)(linear >> 30) & 0x1FF;
    if (!step(c, p, "PDPTE", (last(p) & ADDRESS_BITS) + index * 8, index,
              RESERVED_HIGH))
        return false;
    if (last(p) & PTE_PS)
        return mapped(p, linear, last(p) & ADDRESS_BITS, UINT64_C(1) << 30,
                      0x3FFFE000u);
    return path_pde(c, linear, p);
}

static bool path_pae(struct cpu *c, uint64_t linear, struct look_path *p)
{
    unsigned index = (unsigned)(linear >> 30) & 3;

    /* From the CPU's copy, which MOV CR3 made (SDM 3A 4.4.1). */
    p->level[0] = (struct look_level){
        .name = "PDPTE",
        .index = index,
        .gpa = (c->cr3 & 0xFFFFFFE0u) + index * 8,
        .entry = c->pdpte[index],
    };
    p->levels = 1;
    p->end = LOOK_NOT_PRESENT;
    return (last(p) & PTE_P) && path_pde(c, linear, p);
}

bool look_path(struct cpu *c, uint64_t linear, struct look_path *p)
{
    *p = (struct look_path){.entry_size = 8, .page_size = 4096};
    if (!c->long_mode)
        linear &= UINT32_MAX;
    if (!(c->cr0 & CR0_PG)) {
        p->end = LOOK_NO_PAGING;
        p->gpa = linear;
        return true;
    }
    if (c->long_mode && !canonical(linear)) {
        p->end = LOOK_NOT_CANONICAL;
        return false;
    }
    return c->long_mode         ? path_long(c, linear, p)
           : (c->cr4 & CR4_PAE) ? path_pae(c, linear, p)
                                : path_32(c, linear, p);
}

void look_entry_bits(uint64_t entry, unsigned entry_size, char *text,
                     size_t size)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {PTE_P, "P"},     {PTE_W, "RW"},    {PTE_U, "US"},
        {PTE_PWT, "PWT"}, {PTE_PCD, "PCD"}, {PTE_A, "A"},
        {PTE_D, "D"},     {PTE_PS, "PS"},   {PTE_G, "G"},
    };
    size_t used = 0;

    if (size)
        text[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((entry & names[i].bit) && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s",
                                     used ? " " : "", names[i].name);
    if (entry_size == 8 && (entry & PTE_NX) && used < size)
        (void)snprintf(text + used, size - used, "%sNX", used ? " " : "");
}

static void print_path(const struct look_path *p, FILE *out)
{
    for (unsigned i = 0; i < p->levels; i++) {
        const struct look_level *l = &p->level[i];
        bool unread = p->end == LOOK_NOT_RAM && i == p->levels - 1;
        char bits[64];

        /* Bit 7 is PAT in a PTE, PS elsewhere. */
        bool pat = !strcmp(l->name, "PTE") && (l->entry & PTE_PS);
        look_entry_bits(pat ? l->entry & ~(uint64_t)PTE_PS : l->entry,
                        p->entry_size, bits, sizeof(bits));
        fprintf(out, "%-5s [%3u] at %010" PRIx64 ": ", l->name, l->index,
                l->gpa);
        if (unread)
            fprintf(out, "not in RAM\n");
        else
            fprintf(out, "%0*" PRIx64 " %s%s\n", (int)p->entry_size * 2,
                    l->entry, bits, pat ? " PAT" : "");
    }
}

/* Which rule of SDM 3A 4.6.1 the access breaks. */
static const char *denied(const struct cpu *c, const struct walk *w,
                          enum access access, bool user)
{
    if (user && !w->user)
        return "US is 0 in some level: supervisor page";
    if (!user && w->user && access == ACCESS_FETCH && (c->cr4 & CR4_SMEP))
        return "CR4.SMEP: user page";
    if (access == ACCESS_FETCH)
        return "NX is set in some level";
    if (!user && w->user && (c->cr4 & CR4_SMAP) && !(c->eflags & FLAG_AC))
        return "CR4.SMAP: user page, EFLAGS.AC is 0";
    return user ? "RW is 0 in some level" : "CR0.WP: RW is 0 in some level";
}

static void print_access(struct cpu *c, FILE *out, uint64_t linear, bool user)
{
    static const char *const names[] = {"read", "write", "fetch"};

    fprintf(out, "%-10s", user ? "user" : "supervisor");
    for (enum access a = ACCESS_READ; a <= ACCESS_FETCH; a++) {
        struct walk w;

        if (mmu_walk(c, linear, a, user, false, &w))
            fprintf(out, "  %s: yes", names[a]);
        else
            fprintf(out, "  %s: no (%s; #PF error %x)", names[a],
                    denied(c, &w, a, user), w.error);
    }
    fprintf(out, "\n");
}

static void print_end(const struct look_path *p, FILE *out)
{
    const char *name = p->levels ? p->level[p->levels - 1].name : "";

    switch (p->end) {
    case LOOK_NOT_PRESENT:
        fprintf(out,
                "fails: P is 0 in the %s: not present "
                "(SDM 3A 4.7, error code bit 0 = 0)\n",
                name);
        break;
    case LOOK_RESERVED:
        fprintf(out,
                "fails: reserved bits %" PRIx64 " are set in the %s "
                "(SDM 3A 4.7, error code bit 3)\n",
                p->reserved, name);
        break;
    case LOOK_NOT_RAM:
        fprintf(out, "not followed: the %s is neither in RAM nor in ROM\n",
                name);
        break;
    default:
        fprintf(out, "fails: not canonical: bits 63 to 47 differ; #GP(0), or "
                     "#SS(0) through SS (SDM 1 3.3.7.1)\n");
        break;
    }
}

int look_walk(struct cpu *c, FILE *out, uint64_t linear)
{
    static const char *const modes[] = {"32-bit paging", "PAE paging",
                                        "4-level paging"};
    struct look_path p;
    bool found = look_path(c, linear, &p);

    if (!c->long_mode)
        linear &= UINT32_MAX;
    if (p.end == LOOK_NO_PAGING) {
        fprintf(out,
                "%016" PRIx64 ": paging is off (CR0.PG = 0): physical "
                "%010" PRIx64 "\n",
                linear, p.gpa);
        return 0;
    }
    fprintf(out, "%016" PRIx64 ": %s, CR3=%010" PRIx64 "\n", linear,
            modes[c->long_mode         ? 2
                  : (c->cr4 & CR4_PAE) ? 1
                                       : 0],
            c->cr3);
    print_path(&p, out);
    if (!found) {
        print_end(&p, out);
        return -1;
    }
    fprintf(out, "physical %010" PRIx64 ", page of %" PRIu64 " KiB\n", p.gpa,
            p.page_size >> 10);
    if ((p.gpa & c->a20_mask) != p.gpa)
        fprintf(out, "A20 is masked: %010" PRIx64 " is accessed\n",
                p.gpa & c->a20_mask);
    print_access(c, out, linear, false);
    print_access(c, out, linear, true);
    return 0;
}

/* --- all mappings --------------------------------------------------------- */

struct visit {
    struct cpu *c;
    FILE *out;
    uint64_t entries; /* still to be looked at */
    unsigned lines;   /* still to be printed */
    unsigned unread;  /* tables outside RAM */
    void (*leaf)(struct visit *v, uint64_t linear, uint64_t entry,
                 uint64_t frame, uint64_t page_size, unsigned rights);
    uint64_t from;
    /* info mem: the range that grows */
    uint64_t start, end;
    unsigned rights;
    bool open;
};

static uint64_t widen(const struct cpu *c, uint64_t linear)
{
    return c->long_mode ? (uint64_t)((int64_t)(linear << 16) >> 16) : linear;
}

static bool exhausted(const struct visit *v)
{
    return v->entries == 0 || v->lines == 0;
}

static uint64_t frame_of(unsigned level, uint64_t e, unsigned entry_size)
{
    if (entry_size == 8)
        return e & ADDRESS_BITS & ~((UINT64_C(1) << (3 + 9 * level)) - 1);
    if (level == 2)
        return (e & 0xFFC00000u) | (e & 0x1FE000u) << 19;
    return e & 0xFFFFF000u;
}

/* One table of level 4 (PML4) to 1. */
static void visit_table(struct visit *v, unsigned level, uint64_t gpa,
                        uint64_t linear, unsigned rights, unsigned entry_size)
{
    const unsigned count = entry_size == 8 ? 512 : 1024;
    const unsigned bits = entry_size == 8 ? 9 : 10;
    const unsigned shift = 12 + bits * (level - 1);
    const uint8_t *host =
        bus_host(&v->c->machine->memory, gpa & v->c->a20_mask, 4096, false);

    if (!host) {
        v->unread++;
        return;
    }
    for (unsigned i = 0; i < count && !exhausted(v); i++) {
        uint64_t e = 0, at = linear + ((uint64_t)i << shift);

        memcpy(&e, host + i * entry_size, entry_size);
        v->entries--;
        if (!(e & PTE_P))
            continue;
        /* One place past the last address, as a carry-free comparison. */
        if (widen(v->c, at) + ((UINT64_C(1) << shift) - 1) < v->from)
            continue;
        unsigned now = rights & (unsigned)(e & (PTE_W | PTE_U));
        bool large = level > 1 && level < 4 && (e & PTE_PS) &&
                     (entry_size == 8 || (v->c->cr4 & CR4_PSE));
        if (level == 1 || large)
            v->leaf(v, at, e, frame_of(level, e, entry_size),
                    UINT64_C(1) << shift, now);
        else
            visit_table(v, level - 1,
                        e & (entry_size == 8 ? ADDRESS_BITS : 0xFFFFF000u), at,
                        now, entry_size);
    }
}

static void visit_all(struct visit *v)
{
    struct cpu *c = v->c;
    const unsigned all = PTE_W | PTE_U;

    v->entries = MAX_ENTRIES;
    v->lines = MAX_LINES;
    if (c->long_mode) {
        visit_table(v, 4, c->cr3 & ADDRESS_BITS, 0, all, 8);
    } else if (c->cr4 & CR4_PAE) {
        for (unsigned i = 0; i < 4; i++)
            if (c->pdpte[i] & PTE_P)
                visit_table(v, 2, c->pdpte[i] & ADDRESS_BITS, (uint64_t)i << 30,
                            all, 8);
    } else {
        visit_table(v, 2, c->cr3 & 0xFFFFF000u, 0, all, 4);
    }
}

static void print_rest(const struct visit *v)
{
    if (v->lines == 0)
        fprintf(v->out, "... cut after %u lines\n", MAX_LINES);
    else if (v->entries == 0)
        fprintf(v->out, "... stopped after %" PRIu64 " entries\n", MAX_ENTRIES);
    if (v->unread)
        fprintf(v->out, "%u page tables are not in RAM: left out\n", v->unread);
}

static void range_close(struct visit *v)
{
    if (!v->open)
        return;
    fprintf(v->out, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %c%c%c\n",
            widen(v->c, v->start), widen(v->c, v->end), v->end - v->start,
            v->rights & PTE_U ? 'u' : '-', 'r', v->rights & PTE_W ? 'w' : '-');
    v->open = false;
    v->lines--;
}

static void range_leaf(struct visit *v, uint64_t linear, uint64_t entry,
                       uint64_t frame, uint64_t page_size, unsigned rights)
{
    (void)entry;
    (void)frame;
    if (v->open && (linear != v->end || rights != v->rights))
        range_close(v);
    if (!v->open) {
        v->open = true;
        v->start = linear;
        v->rights = rights;
    }
    v->end = linear + page_size;
}

void look_mem(struct cpu *c, FILE *out)
{
    struct visit v = {.c = c, .out = out, .leaf = range_leaf};

    if (!(c->cr0 & CR0_PG)) {
        fprintf(out, "PG disabled\n");
        return;
    }
    visit_all(&v);
    if (v.lines)
        range_close(&v);
    print_rest(&v);
}

static void tlb_leaf(struct visit *v, uint64_t linear, uint64_t entry,
                     uint64_t frame, uint64_t page_size, unsigned rights)
{
    (void)rights;
    fprintf(v->out, "%016" PRIx64 ": %016" PRIx64 " %c%c%c%c%c%c%c%c%c\n",
            widen(v->c, linear), frame, entry & PTE_NX ? 'X' : '-',
            entry & PTE_G ? 'G' : '-', page_size > 4096 ? 'P' : '-',
            entry & PTE_D ? 'D' : '-', entry & PTE_A ? 'A' : '-',
            entry & PTE_PCD ? 'C' : '-', entry & PTE_PWT ? 'T' : '-',
            entry & PTE_U ? 'U' : '-', entry & PTE_W ? 'W' : '-');
    v->lines--;
}

void look_tlb(struct cpu *c, FILE *out, uint64_t from)
{
    struct visit v = {.c = c, .out = out, .leaf = tlb_leaf, .from = from};

    if (!(c->cr0 & CR0_PG)) {
        fprintf(out, "PG disabled\n");
        return;
    }
    visit_all(&v);
    print_rest(&v);
}
