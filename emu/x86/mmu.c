/*
 * Linear memory accesses and the software TLB (see mmu.h and cpu.h).
 *
 * Invariants
 * - A TLB entry's write tag is valid only if the page is RAM, the guest may
 *   write it, its D bit is set, no decoded code and no data breakpoint is on
 *   it. Its read tag is valid only without a data breakpoint and with host
 *   memory behind it.
 * - An access that crosses a page checks both pages before it changes either.
 */
#include "emu/x86/mmu.h"
#include "emu/x86/mmu_internal.h"

#include "emu/machine.h"
#include "emu/x86/system.h"

/* --- data breakpoints ---------------------------------------------------- */

/* Length of data breakpoint n from DR7's LEN field. */
static unsigned breakpoint_length(uint64_t dr7, unsigned n)
{
    static const uint8_t length[] = {1, 2, 8, 4};
    return length[(dr7 >> (18 + n * 4)) & 3];
}

/* Is a data breakpoint of DR7 armed that an access could hit? kind: 1 write,
 * 3 read or write. */
static unsigned breakpoints_hit(const struct cpu *c, uint64_t linear,
                                unsigned size, bool write)
{
    unsigned hit = 0;
    uint64_t dr7 = c->dr[7];
    for (unsigned n = 0; n < 4; n++) {
        unsigned kind = (dr7 >> (16 + n * 4)) & 3;
        if (!(dr7 & (3u << (n * 2))) || !(kind & 1) || (kind == 1 && !write))
            continue;
        unsigned length = breakpoint_length(dr7, n);
        uint64_t start = c->dr[n] & ~(uint64_t)(length - 1);
        if (linear < start + length && start < linear + size)
            hit |= 1u << n;
    }
    return hit;
}

/* An access that is allowed happens: do the guest's debug registers or the
 * user's watchpoints want to know? Both report after the instruction. */
static void observe(struct cpu *c, uint64_t linear, uint64_t gpa, unsigned size,
                    bool write)
{
    if (c->dr[7] & 0xFF) {
        unsigned hit = breakpoints_hit(c, linear, size, write);
        c->dr6_trap |= hit;
        if (hit)
            c->pending |= PENDING_TRAP;
    }
    if (c->machine->debug.watch_armed)
        debug_access_hit(c->machine, c, linear, gpa, size, write);
}

/* --- memory-mapped I/O ---------------------------------------------------- */

/* Devices may look at the clock. */
static uint64_t mmio_read(struct cpu *c, uint64_t gpa, unsigned size)
{
    cpu_sync_icount(c);
    return machine_mmio_read(c->machine, c, gpa, size);
}

static void mmio_write(struct cpu *c, uint64_t gpa, uint64_t value,
                       unsigned size)
{
    cpu_sync_icount(c);
    machine_mmio_write(c->machine, c, gpa, value, size);
}

/* --- filling -------------------------------------------------------------- */

_Noreturn static void page_fault(struct cpu *c, uint64_t linear, uint32_t error)
{
    c->cr2 = linear;
    cpu_fault_error(c, VEC_PF, error);
}

/* Rights an access made through a bank has. */
static unsigned bank_rules(unsigned bank)
{
    switch (bank) {
    case TLB_USER:
    case TLB_CHECKED:
        return WALK_USER | WALK_TOUCH;
    case TLB_KERNEL_AC:
        return WALK_SMAP_LIFTED | WALK_TOUCH;
    default:
        return WALK_TOUCH;
    }
}

static bool page_has_code(const struct cpu *c, uint64_t gpa)
{
    uint64_t page = gpa >> 12;
    return c->code && page < c->code->pages && c->code->granules[page] != 0;
}

static void fill(struct cpu *c, unsigned bank, uint64_t linear,
                 const struct walk *w, const struct phys_page *p)
{
    if (bank == TLB_CHECKED || !p->host ||
        breakpoints_hit(c, linear & ~(PAGE - 1), 4096, true) ||
        (c->machine->debug.watch_armed &&
         debug_page_watched(c->machine, linear, p->gpa)))
        return;
    struct tlb *tlb = &c->tlb[bank];
    unsigned index = (unsigned)(linear >> 12) & (TLB_SIZE - 1);
    struct tlb_entry *e = &tlb->entry[index];
    if (!(e->gpa & TLB_FILLED))
        tlb->filled[tlb->filled_count++] = (uint16_t)index;
    bool writable = w->writable || (bank != TLB_USER && !(c->cr0 & CR0_WP));
    uint64_t page = linear & ~(PAGE - 1);
    e->tag_r = page;
    e->tag_w = writable && w->dirty && p->writable && !page_has_code(c, p->gpa)
                   ? page
                   : dead_tag(index);
    e->addend = (uint64_t)(uintptr_t)p->host - page;
    e->gpa = p->gpa | TLB_FILLED | (w->global ? TLB_GLOBAL : 0u) |
             (w->page_size > PAGE ? TLB_LARGE : 0u);
    tlb->large = tlb->large || w->page_size > PAGE;
}

/* Where one access within one page goes. */
struct place {
    uint8_t *host; /* NULL: MMIO, or ROM when writing */
    uint64_t gpa;
};

static struct place resolve(struct cpu *c, unsigned bank, uint64_t linear,
                            enum access access)
{
    struct walk w;
    if (!mmu_walk_rules(c, linear, access, bank_rules(bank), &w))
        page_fault(c, linear, w.error);
    w.gpa &= c->a20_mask;
    struct phys_page *p = mmu_phys_page(c, w.gpa);
    fill(c, bank, linear, &w, p);
    struct place place = {.gpa = w.gpa};
    if (p->host && (access == ACCESS_READ || p->writable))
        place.host = p->host + (w.gpa & (PAGE - 1));
    return place;
}

/* The bank for explicit accesses now. */
static unsigned current_bank(const struct cpu *c)
{
    return (unsigned)(c->tlb_now - c->tlb);
}

/* #AC: only bank TLB_CHECKED is in use while CR0.AM, EFLAGS.AC, CPL 3. */
static void check_alignment(struct cpu *c, unsigned bank, uint64_t linear,
                            unsigned size)
{
    if (bank == TLB_CHECKED && size <= 8 && (linear & (size - 1)))
        cpu_fault_error(c, VEC_AC, 0);
}

static bool code_overlaps(const struct cpu *c, uint64_t gpa, uint64_t size)
{
    uint64_t page = gpa >> 12;
    if (!c->code || page >= c->code->pages)
        return false;
    uint64_t granules = c->code->granules[page];
    if (!granules)
        return false;
    unsigned first = (unsigned)(gpa & 4095) / 64;
    unsigned last = (unsigned)((gpa & 4095) + size - 1) / 64;
    uint64_t mask = (UINT64_MAX << first) & (UINT64_MAX >> (63 - last));
    return (granules & mask) != 0;
}

static void before_code_changes(struct cpu *c, uint64_t gpa, uint64_t size)
{
    if (UNLIKELY(code_overlaps(c, gpa, size))) {
        c->code->invalidate(c->code->ctx, gpa, size);
        c->pending |= PENDING_LEAVE;
    }
}

void mmu_physical_store(struct cpu *c, uint64_t gpa, uint64_t value,
                        unsigned size)
{
    const struct phys_page *p = mmu_phys_page(c, gpa);
    if (!p->host) {
        mmio_write(c, gpa, value, size);
    } else if (p->writable) {
        before_code_changes(c, gpa, size);
        memcpy(p->host + (gpa & (PAGE - 1)), &value, size);
    }
}

static bool crosses(uint64_t linear, size_t size)
{
    return (linear & (PAGE - 1)) + size > PAGE;
}

/* The page after an access's first one: wraps at 4 GiB outside long mode. */
static uint64_t next_page(const struct cpu *c, uint64_t linear)
{
    uint64_t next = (linear & ~(PAGE - 1)) + PAGE;
    return c->long_mode ? next : (uint32_t)next;
}

/* --- accesses ------------------------------------------------------------- */

/* Copies within the pages that `place` found; size stays within the page. */
static void place_read(struct cpu *c, struct place place, void *data,
                       size_t size)
{
    if (place.host) {
        memcpy(data, place.host, size);
        return;
    }
    uint8_t *out = data;
    while (size) {
        unsigned n = 8;
        while (n > size || (place.gpa & (n - 1)))
            n >>= 1;
        uint64_t v = mmio_read(c, place.gpa, n);
        memcpy(out, &v, n);
        out += n;
        place.gpa += n;
        size -= n;
    }
}

static void place_write(struct cpu *c, struct place place, const void *data,
                        size_t size)
{
    if (place.host) {
        before_code_changes(c, place.gpa, size);
        memcpy(place.host, data, size);
        return;
    }
    if (mmu_phys_page(c, place.gpa)->host)
        return; /* ROM */
    const uint8_t *in = data;
    while (size) {
        unsigned n = 8;
        uint64_t v = 0;
        while (n > size || (place.gpa & (n - 1)))
            n >>= 1;
        memcpy(&v, in, n);
        mmio_write(c, place.gpa, v, n);
        in += n;
        place.gpa += n;
        size -= n;
    }
}

static void load(struct cpu *c, unsigned bank, uint64_t linear, void *data,
                 size_t size)
{
    struct place first = resolve(c, bank, linear, ACCESS_READ);
    if (!crosses(linear, size)) {
        observe(c, linear, first.gpa, (unsigned)size, false);
        place_read(c, first, data, size);
        return;
    }
    size_t head = PAGE - (linear & (PAGE - 1));
    struct place second = resolve(c, bank, next_page(c, linear), ACCESS_READ);
    observe(c, linear, first.gpa, (unsigned)head, false);
    observe(c, linear + head, second.gpa, (unsigned)(size - head), false);
    place_read(c, first, data, head);
    place_read(c, second, (uint8_t *)data + head, size - head);
}

static void store(struct cpu *c, unsigned bank, uint64_t linear,
                  const void *data, size_t size)
{
    struct place first = resolve(c, bank, linear, ACCESS_WRITE);
    if (!crosses(linear, size)) {
        observe(c, linear, first.gpa, (unsigned)size, true);
        place_write(c, first, data, size);
        return;
    }
    size_t head = PAGE - (linear & (PAGE - 1));
    struct place second = resolve(c, bank, next_page(c, linear), ACCESS_WRITE);
    observe(c, linear, first.gpa, (unsigned)head, true);
    observe(c, linear + head, second.gpa, (unsigned)(size - head), true);
    place_write(c, first, data, head);
    place_write(c, second, (const uint8_t *)data + head, size - head);
}

/* MMIO that is not naturally aligned still is one access to its device. */
static bool mmio_whole(const struct place *place)
{
    return place->host == NULL;
}

static uint64_t load_value(struct cpu *c, unsigned bank, uint64_t linear,
                           unsigned size)
{
    check_alignment(c, bank, linear, size);
    uint64_t value = 0;
    if (!crosses(linear, size)) {
        struct place place = resolve(c, bank, linear, ACCESS_READ);
        observe(c, linear, place.gpa, size, false);
        if (mmio_whole(&place))
            return mmio_read(c, place.gpa, size);
        memcpy(&value, place.host, size);
        return value;
    }
    load(c, bank, linear, &value, size);
    return value;
}

static void store_value(struct cpu *c, unsigned bank, uint64_t linear,
                        uint64_t value, unsigned size)
{
    check_alignment(c, bank, linear, size);
    if (!crosses(linear, size)) {
        struct place place = resolve(c, bank, linear, ACCESS_WRITE);
        observe(c, linear, place.gpa, size, true);
        if (mmio_whole(&place)) {
            if (!mmu_phys_page(c, place.gpa)->host)
                mmio_write(c, place.gpa, value, size);
            return;
        }
        before_code_changes(c, place.gpa, size);
        memcpy(place.host, &value, size);
        return;
    }
    store(c, bank, linear, &value, size);
}

uint64_t mmu_load(struct cpu *c, uint64_t linear, unsigned size)
{
    return load_value(c, current_bank(c), linear, size);
}

void mmu_store(struct cpu *c, uint64_t linear, uint64_t value, unsigned size)
{
    store_value(c, current_bank(c), linear, value, size);
}

void mmu_load_block(struct cpu *c, uint64_t linear, void *data, size_t size)
{
    load(c, current_bank(c), linear, data, size);
}

void mmu_store_block(struct cpu *c, uint64_t linear, const void *data,
                     size_t size)
{
    store(c, current_bank(c), linear, data, size);
}

static void probe(struct cpu *c, uint64_t linear, size_t size,
                  enum access access)
{
    unsigned bank = current_bank(c);
    resolve(c, bank, linear, access);
    if (crosses(linear, size))
        resolve(c, bank, next_page(c, linear), access);
}

void mmu_probe_write(struct cpu *c, uint64_t linear, size_t size)
{
    void *host;
    if (!tlb_write(c, linear, (unsigned)size, &host))
        probe(c, linear, size, ACCESS_WRITE);
}

void mmu_probe_read(struct cpu *c, uint64_t linear, size_t size)
{
    const void *host;
    if (!tlb_read(c, linear, (unsigned)size, &host))
        probe(c, linear, size, ACCESS_READ);
}

/* Runs an access through another bank's entries, quick ones included. */
static uint64_t bank_load(struct cpu *c, unsigned bank, uint64_t linear,
                          unsigned size)
{
    const struct tlb_entry *e =
        &c->tlb[bank].entry[(linear >> 12) & (TLB_SIZE - 1)];
    if (UNLIKELY(linear - e->tag_r > PAGE - size))
        return load_value(c, bank, linear, size);
    uint64_t value = 0;
    memcpy(&value, (const void *)(uintptr_t)(linear + e->addend), size);
    return value;
}

static void bank_store(struct cpu *c, unsigned bank, uint64_t linear,
                       uint64_t value, unsigned size)
{
    const struct tlb_entry *e =
        &c->tlb[bank].entry[(linear >> 12) & (TLB_SIZE - 1)];
    if (UNLIKELY(linear - e->tag_w > PAGE - size))
        store_value(c, bank, linear, value, size);
    else
        memcpy((void *)(uintptr_t)(linear + e->addend), &value, size);
}

uint64_t mmu_system_load(struct cpu *c, uint64_t linear, unsigned size)
{
    return bank_load(c, TLB_KERNEL, linear, size);
}

void mmu_system_store(struct cpu *c, uint64_t linear, uint64_t value,
                      unsigned size)
{
    bank_store(c, TLB_KERNEL, linear, value, size);
}

uint64_t mmu_load_as(struct cpu *c, unsigned cpl, uint64_t linear,
                     unsigned size)
{
    return bank_load(c, cpl == 3 ? TLB_USER : TLB_KERNEL, linear, size);
}

void mmu_store_as(struct cpu *c, unsigned cpl, uint64_t linear, uint64_t value,
                  unsigned size)
{
    bank_store(c, cpl == 3 ? TLB_USER : TLB_KERNEL, linear, value, size);
}

size_t mmu_peek(struct cpu *c, uint64_t linear, void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        struct walk w;
        uint64_t at = linear + done;
        size_t n = PAGE - (at & (PAGE - 1));
        if (n > size - done)
            n = size - done;
        if (!mmu_walk_rules(c, at, ACCESS_READ, WALK_SMAP_LIFTED, &w))
            break;
        const struct phys_page *p = mmu_phys_page(c, w.gpa & c->a20_mask);
        if (!p->host)
            break;
        memcpy((uint8_t *)data + done, p->host + (w.gpa & (PAGE - 1)), n);
        done += n;
    }
    return done;
}

uint64_t mmu_fetch_page(struct cpu *c, uint64_t linear, uint8_t **host)
{
    bool user = c->cpl == 3;
    uint64_t key = (linear & ~(PAGE - 1)) | (user ? 1u : 0u);
    struct fetch_page *f = &c->fetch[(linear >> 12) % FETCH_TLB];
    if (LIKELY(f->linear == key)) {
        *host = f->host;
        return f->gpa;
    }
    struct walk w;
    unsigned rules = WALK_TOUCH | (user ? WALK_USER : 0u);
    if (!mmu_walk_rules(c, linear, ACCESS_FETCH, rules, &w))
        page_fault(c, linear, w.error);
    uint64_t gpa = w.gpa & c->a20_mask & ~(PAGE - 1);
    f->host = mmu_phys_page(c, gpa)->host;
    f->gpa = gpa;
    f->linear = key;
    unsigned bit = fetched_bit(linear);
    c->fetched[bit / 64] |= UINT64_C(1) << (bit % 64);
    *host = f->host;
    return gpa;
}
