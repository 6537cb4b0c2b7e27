/*
 * The guest's memory and the points in it, as gdb asks for them. Addresses are
 * linear (or guest-physical in QEMU's PhyMemMode); the base of CS or DS is not
 * added, in real mode either.
 *
 * RAM and ROM are read and written without the guest noticing, whatever the
 * page's rights are; a device's memory is accessed a byte at a time, as QEMU
 * does, with the effects that the device's registers have.
 */
#include "monitor/gdb_internal.h"

#include "emu/x86/mmu.h"

#include <stdlib.h>
#include <string.h>

#define PAGE UINT64_C(4096)

static uint64_t linear_address(const struct cpu *c, uint64_t addr)
{
    return c->long_mode ? addr : (uint32_t)addr;
}

/* Supervisor and user pages both, which SMAP would keep apart. */
static bool translate(struct gdb *gdb, uint64_t addr, uint64_t *gpa)
{
    struct cpu *c = gdb_cpu(gdb);
    struct walk w;

    if (gdb->physical) {
        *gpa = addr;
        return true;
    }
    if (!mmu_walk(c, addr, ACCESS_READ, false, false, &w) &&
        !mmu_walk(c, addr, ACCESS_READ, true, false, &w))
        return false;
    *gpa = w.gpa & c->a20_mask;
    return true;
}

/* The region behind the address, and how many bytes until it or the page
 * ends. */
static struct region *find(struct gdb *gdb, uint64_t addr, size_t size,
                           uint64_t *gpa, size_t *length)
{
    if (!translate(gdb, addr, gpa))
        return NULL;
    struct region *region = bus_find(&gdb->machine->memory, *gpa);
    uint64_t left = PAGE - (*gpa & (PAGE - 1));
    if (!region)
        return NULL;
    if (left > region->base + region->size - *gpa)
        left = region->base + region->size - *gpa;
    *length = left < size ? (size_t)left : size;
    return region;
}

size_t gdb_memory_read(struct gdb *gdb, uint64_t addr, void *data, size_t size)
{
    struct bus *bus = &gdb->machine->memory;
    uint8_t *to = data;
    size_t done = 0, length;
    uint64_t gpa;

    if (!gdb->physical)
        addr = linear_address(gdb_cpu(gdb), addr);
    while (done < size) {
        struct region *region =
            find(gdb, addr + done, size - done, &gpa, &length);
        if (!region)
            break;
        if (region->kind != REGION_DEVICE)
            bus_read_block(bus, gpa, to + done, length);
        for (size_t i = 0; region->kind == REGION_DEVICE && i < length; i++)
            to[done + i] = (uint8_t)bus_read(bus, gpa + i, 1);
        done += length;
    }
    return done;
}

/* ROM too: a debugger's breakpoint or patch may go anywhere. */
static void write_rom(struct machine *machine, uint64_t gpa, const void *data,
                      size_t size)
{
    uint8_t *host = bus_host(&machine->memory, gpa, size, false);

    if (!host)
        return;
    memcpy(host, data, size);
    if (machine->accel && machine->accel->written)
        machine->accel->written(machine->engine, gpa, size);
}

bool gdb_memory_write(struct gdb *gdb, uint64_t addr, const void *data,
                      size_t size)
{
    struct machine *machine = gdb->machine;
    const uint8_t *from = data;
    size_t done = 0, length;
    uint64_t gpa;

    if (!gdb->physical)
        addr = linear_address(gdb_cpu(gdb), addr);
    while (done < size) {
        struct region *region =
            find(gdb, addr + done, size - done, &gpa, &length);
        if (!region)
            return false;
        if (region->kind == REGION_RAM)
            bus_write_block(&machine->memory, gpa, from + done, length);
        else if (region->kind == REGION_ROM)
            write_rom(machine, gpa, from + done, length);
        else
            for (size_t i = 0; i < length; i++)
                bus_write(&machine->memory, gpa + i, from[done + i], 1);
        done += length;
    }
    return true;
}

/* --- Points -------------------------------------------------------------- */

static struct gdb_point **locate(struct gdb *gdb, enum gdb_point_type type,
                                 uint64_t addr, uint64_t size)
{
    struct gdb_point **at = &gdb->points;

    while (*at && ((*at)->type != type || (*at)->point.addr != addr ||
                   (*at)->point.size != size))
        at = &(*at)->next;
    return at;
}

bool gdb_point_add(struct gdb *gdb, enum gdb_point_type type, uint64_t addr,
                   uint64_t size)
{
    struct gdb_point **at = locate(gdb, type, addr, size);

    if (*at)
        return true;
    if (gdb->point_count >= GDB_MAX_POINTS || size == 0 ||
        addr + (size - 1) < addr)
        return false;
    struct gdb_point *p = calloc(1, sizeof(*p));
    if (!p)
        return false;
    p->type = type;
    p->point = (struct debug_point){
        .kind = type <= GDB_POINT_HARDWARE ? DEBUG_EXEC : DEBUG_WATCH,
        .addr = addr,
        .size = size,
        .read = type == GDB_POINT_READ || type == GDB_POINT_ACCESS,
        .write = type == GDB_POINT_WRITE || type == GDB_POINT_ACCESS,
        .enabled = true,
    };
    debug_add(gdb->machine, &p->point);
    *at = p;
    gdb->point_count++;
    return true;
}

static void remove_at(struct gdb *gdb, struct gdb_point **at)
{
    struct gdb_point *p = *at;

    *at = p->next;
    debug_remove(gdb->machine, &p->point);
    free(p);
    gdb->point_count--;
}

void gdb_point_remove(struct gdb *gdb, enum gdb_point_type type, uint64_t addr,
                      uint64_t size)
{
    struct gdb_point **at = locate(gdb, type, addr, size);

    if (*at)
        remove_at(gdb, at);
}

void gdb_points_clear(struct gdb *gdb)
{
    while (gdb->points)
        remove_at(gdb, &gdb->points);
}
