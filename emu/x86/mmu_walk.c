/*
 * Page walks (SDM 3A chapter 4): 32-bit with PSE and PSE-36, PAE, 4-level.
 *
 * Accessed and dirty bits are set only when the whole translation succeeds.
 * Not modelled: protection keys, 5-level paging, PCID.
 */
#include "emu/x86/mmu.h"
#include "emu/x86/mmu_internal.h"

#include "emu/machine.h"

enum {
    PTE_P = 1u << 0, PTE_W = 1u << 1, PTE_U = 1u << 2, PTE_A = 1u << 5,
    PTE_D = 1u << 6, PTE_PS = 1u << 7, PTE_G = 1u << 8,
};
#define PTE_NX (UINT64_C(1) << 63)
#define ADDRESS_BITS UINT64_C(0x000000FFFFFFF000)  /* 40 physical bits */
#define RESERVED_HIGH UINT64_C(0x000FFF0000000000) /* bits 40 to 51 */

struct phys_page *mmu_phys_page(struct cpu *c, uint64_t gpa)
{
    uint64_t page = gpa & ~UINT64_C(4095);
    struct phys_page *p = &c->phys[(page >> 12) % PHYS_CACHE];
    if (LIKELY(p->gpa == page))
        return p;
    struct bus *bus = &c->machine->memory;
    uint8_t *host = bus_host(bus, page, 4096, true);
    p->writable = host != NULL;
    p->host = host ? host : bus_host(bus, page, 4096, false);
    p->gpa = page;
    return p;
}

static uint64_t entry_read(struct cpu *c, uint64_t gpa, unsigned size)
{
    gpa &= c->a20_mask;
    const struct phys_page *p = mmu_phys_page(c, gpa);
    uint64_t value = 0;
    if (p->host)
        memcpy(&value, p->host + (gpa & 4095), size);
    else
        value = machine_mmio_read(c->machine, c, gpa, size);
    return value;
}

static void entry_set(struct cpu *c, uint64_t gpa, unsigned size,
                      uint64_t value)
{
    mmu_physical_store(c, gpa & c->a20_mask, value, size);
}

/* What one walk needs to know all the way down. */
struct walker {
    struct cpu *c;
    struct walk *w;
    unsigned size;   /* of an entry: 4 or 8 bytes */
    uint64_t rights; /* AND of W and U, OR of NX, over the levels */
    bool nxe;
};

/* Reads one entry. False when not present or reserved bits are set. */
static bool step(struct walker *k, uint64_t gpa, uint64_t reserved,
                 uint64_t *entry)
{
    struct walk *w = k->w;
    uint64_t e = entry_read(k->c, gpa, k->size);
    w->entry[w->levels] = e;
    w->entry_gpa[w->levels] = gpa;
    w->levels++;
    *entry = e;
    if (!(e & PTE_P))
        return false;
    if (k->size == 8 && !k->nxe)
        reserved |= PTE_NX;
    if (e & reserved) {
        w->error |= PF_P | PF_RSVD;
        return false;
    }
    k->rights &= e | ~(uint64_t)(PTE_W | PTE_U);
    k->rights |= e & PTE_NX;
    return true;
}

static void leaf(struct walker *k, uint64_t linear, uint64_t entry,
                 uint64_t frame, uint64_t page_size)
{
    struct walk *w = k->w;
    w->page_size = page_size;
    w->gpa = (frame & ~(page_size - 1)) | (linear & (page_size - 1));
    w->global = (entry & PTE_G) && (k->c->cr4 & CR4_PGE);
    w->dirty = (entry & PTE_D) != 0;
}

static bool walk_32(struct walker *k, uint64_t linear)
{
    struct cpu *c = k->c;
    uint64_t e;
    k->size = 4;
    uint64_t gpa = (c->cr3 & 0xFFFFF000u) | ((linear >> 20) & 0xFFCu);
    if (!step(k, gpa, 0, &e))
        return false;
    if ((e & PTE_PS) && (c->cr4 & CR4_PSE)) {
        if (e & (1u << 21)) {
            k->w->error |= PF_P | PF_RSVD;
            return false;
        }
        uint64_t frame = (e & 0xFFC00000u) | ((e & 0x1FE000u) << 19);
        leaf(k, linear, e, frame, UINT64_C(4) << 20);
        return true;
    }
    if (!step(k, (e & 0xFFFFF000u) | ((linear >> 10) & 0xFFCu), 0, &e))
        return false;
    leaf(k, linear, e, e & 0xFFFFF000u, 4096);
    return true;
}

/* The levels that PAE and 4-level paging share: PDE and PTE. */
static bool walk_pde(struct walker *k, uint64_t linear, uint64_t table)
{
    uint64_t e;
    uint64_t gpa = (table & ADDRESS_BITS) | ((linear >> 18) & 0xFF8u);
    uint64_t high = RESERVED_HIGH;
    if (!cpu_long_paging(k->c))
        high |= UINT64_C(0x7FF0000000000000);
    if (!step(k, gpa, high, &e))
        return false;
    if (e & PTE_PS) {
        if (e & 0x1FE000u) {
            k->w->error |= PF_P | PF_RSVD;
            return false;
        }
        leaf(k, linear, e, e & ADDRESS_BITS, UINT64_C(2) << 20);
        return true;
    }
    if (!step(k, (e & ADDRESS_BITS) | ((linear >> 9) & 0xFF8u), high, &e))
        return false;
    leaf(k, linear, e, e & ADDRESS_BITS, 4096);
    return true;
}

static bool walk_long(struct walker *k, uint64_t linear)
{
    uint64_t e;
    k->size = 8;
    uint64_t gpa = (k->c->cr3 & ADDRESS_BITS) | ((linear >> 36) & 0xFF8u);
    if (!step(k, gpa, RESERVED_HIGH | PTE_PS, &e))
        return false;
    if (!step(k, (e & ADDRESS_BITS) | ((linear >> 27) & 0xFF8u), RESERVED_HIGH,
              &e))
        return false;
    if (e & PTE_PS) {
        if (e & 0x3FFFE000u) {
            k->w->error |= PF_P | PF_RSVD;
            return false;
        }
        leaf(k, linear, e, e & ADDRESS_BITS, UINT64_C(1) << 30);
        return true;
    }
    return walk_pde(k, linear, e);
}

static bool walk_pae(struct walker *k, uint64_t linear)
{
    k->size = 8;
    uint64_t e = k->c->pdpte[(linear >> 30) & 3];
    struct walk *w = k->w;
    w->entry[0] = e;
    w->entry_gpa[0] = (k->c->cr3 & 0xFFFFFFE0u) + ((linear >> 27) & 0x18u);
    w->levels = 1;
    if (!(e & PTE_P))
        return false;
    return walk_pde(k, linear, e);
}

/* Permission checks (SDM 3A 4.6) once the leaf is known. */
static bool allowed(const struct walker *k, enum access access, unsigned rules)
{
    const struct cpu *c = k->c;
    const struct walk *w = k->w;
    if (rules & WALK_USER) {
        if (!w->user || (access == ACCESS_WRITE && !w->writable))
            return false;
        return access != ACCESS_FETCH || !w->no_execute;
    }
    if (access == ACCESS_FETCH)
        return !w->no_execute && !(w->user && (c->cr4 & CR4_SMEP));
    if (w->user && (c->cr4 & CR4_SMAP) && !(rules & WALK_SMAP_LIFTED))
        return false;
    return access != ACCESS_WRITE || w->writable || !(c->cr0 & CR0_WP);
}

static void set_accessed(struct walker *k, bool write)
{
    struct walk *w = k->w;
    /* A PAE page-directory-pointer entry has no accessed bit. */
    unsigned first = (k->size == 8 && !cpu_long_paging(k->c)) ? 1 : 0;
    for (unsigned i = first; i < w->levels; i++) {
        uint64_t bits = PTE_A;
        if (write && i == w->levels - 1)
            bits |= PTE_D;
        if ((w->entry[i] & bits) == bits)
            continue;
        w->entry[i] |= bits;
        entry_set(k->c, w->entry_gpa[i], k->size, w->entry[i]);
    }
    w->dirty = w->dirty || write;
}

bool mmu_walk_rules(struct cpu *c, uint64_t linear, enum access access,
                    unsigned rules, struct walk *w)
{
    w->levels = 0;
    w->error = 0;
    if (!(c->cr0 & CR0_PG)) {
        w->gpa = linear & UINT32_MAX;
        w->page_size = 4096;
        w->global = w->no_execute = false;
        w->writable = w->user = w->dirty = true;
        return true;
    }
    struct walker k = {.c = c, .w = w, .rights = PTE_W | PTE_U,
                       .nxe = (c->msr.efer & EFER_NXE) != 0};
    bool found = cpu_long_paging(c)   ? walk_long(&k, linear)
                 : (c->cr4 & CR4_PAE) ? walk_pae(&k, linear)
                                      : walk_32(&k, linear);
    w->writable = (k.rights & PTE_W) != 0;
    w->user = (k.rights & PTE_U) != 0;
    w->no_execute = (k.rights & PTE_NX) != 0;
    if (found && allowed(&k, access, rules)) {
        if (rules & WALK_TOUCH)
            set_accessed(&k, access == ACCESS_WRITE);
        return true;
    }
    if (found)
        w->error |= PF_P;
    if (access == ACCESS_WRITE)
        w->error |= PF_W;
    if (rules & WALK_USER)
        w->error |= PF_U;
    bool nx = k.nxe && (c->cr4 & CR4_PAE);
    if (access == ACCESS_FETCH && (nx || (c->cr4 & CR4_SMEP)))
        w->error |= PF_I;
    return false;
}

bool mmu_walk(struct cpu *c, uint64_t linear, enum access access, bool user,
              bool touch, struct walk *walk)
{
    unsigned rules = (user ? WALK_USER : 0u) | (touch ? WALK_TOUCH : 0u);
    if (!user && (c->eflags & FLAG_AC))
        rules |= WALK_SMAP_LIFTED;
    return mmu_walk_rules(c, linear, access, rules, walk);
}
