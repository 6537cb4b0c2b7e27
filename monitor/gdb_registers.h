/*
 * The CPU's registers as gdb numbers them: as QEMU's x86-64 target does, so
 * that scripts made for one work with the other. The layout is always the
 * 64-bit one; outside 64-bit mode only the lower halves count, and R8 to R15
 * read as 0 and ignore writes.
 */
#ifndef MONITOR_GDB_REGISTERS_H
#define MONITOR_GDB_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;

#define GDB_REGISTERS 66u
#define GDB_REGISTER_BYTES 16u /* the longest */

/* The features of the target description that gdb knows, and ours. */
enum gdb_feature {
    GDB_FEATURE_CORE,
    GDB_FEATURE_SEGMENTS,
    GDB_FEATURE_SYSTEM,
    GDB_FEATURE_SSE,
    GDB_FEATURES
};

struct gdb_register {
    const char *name;
    unsigned bits;
    const char *type;  /* gdb's, or one that target.xml defines */
    const char *group; /* NULL: as gdb thinks */
    enum gdb_feature feature;
};
extern const struct gdb_register gdb_registers[GDB_REGISTERS];

/* Little endian. Returns the length in bytes; 0: there is no such register. */
size_t gdb_register_read(struct cpu *cpu, unsigned number,
                         uint8_t data[GDB_REGISTER_BYTES]);
/* Sets it with all that hangs on it: a selector loads its segment, CR3 flushes
 * the TLB. A value that is already there changes nothing. False: no such
 * register, or the CPU would not take the value (#GP, a missing descriptor).*/
bool gdb_register_write(struct cpu *cpu, unsigned number,
                        const uint8_t data[GDB_REGISTER_BYTES]);

/* Target.xml, to be freed; NULL: out of memory. */
char *gdb_target_xml(size_t *size);

#endif
