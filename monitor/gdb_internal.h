/* Between monitor/gdb*.c only. */
#ifndef MONITOR_GDB_INTERNAL_H
#define MONITOR_GDB_INTERNAL_H

#include "emu/machine.h"
#include "monitor/gdb.h"
#include "monitor/gdb_link.h"
#include "monitor/gdb_packet.h"

#define GDB_MAX_POINTS 4096u

/* The signals of the protocol, which has its own numbers. */
enum gdb_signal {
    GDB_SIGNAL_NONE = 0, GDB_SIGNAL_INT = 2, GDB_SIGNAL_QUIT = 3,
    GDB_SIGNAL_TRAP = 5, GDB_SIGNAL_ABRT = 6,
};

/* The types of Z packets. */
enum gdb_point_type {
    GDB_POINT_SOFTWARE, GDB_POINT_HARDWARE, GDB_POINT_WRITE, GDB_POINT_READ,
    GDB_POINT_ACCESS, GDB_POINT_TYPES
};
struct gdb_point {
    struct debug_point point;
    enum gdb_point_type type;
    struct gdb_point *next;
};

struct gdb {
    struct machine *machine;
    struct gdb_link link;
    struct gdb_parser parser;
    struct gdb_reply reply;
    char frame[GDB_FRAME_BYTES]; /* what was sent last, for a '-' */
    size_t frame_size;
    char *xml;
    size_t xml_size;
    struct gdb_point *points;
    unsigned point_count;
    gdb_command_fn *command;
    void *command_ctx;

    /* What the client wants. */
    bool running, stepping;
    uint64_t range_begin, range_end; /* stepping goes on within; or equal */
    bool no_ack, swbreak, hwbreak;
    bool physical; /* memory packets mean guest-physical addresses */
    bool touched;  /* it has sent a packet */
    bool ran_before;
    bool answered; /* the packet needs no (further) reply */
    bool leaving;  /* drop the client when the reply is out */
    unsigned cpu;
    char stop_text[128]; /* the stop reply of the last stop */
    unsigned result;     /* of gdb_main(); not 0: it is to end */
};

/* --- gdb_commands.c ------------------------------------------------------ */
/* Serves the packet (0-terminated; `size` bytes) and replies, if there is a
 * reply to it. */
void gdb_serve(struct gdb *gdb, const char *packet, size_t size);
/* What came behind `monitor`. */
void gdb_monitor(struct gdb *gdb, const char *line);

/* --- gdb_memory.c -------------------------------------------------------- */
/* Without a fault; bytes copied, up to the first that is not there. */
size_t gdb_memory_read(struct gdb *gdb, uint64_t addr, void *data, size_t size);
bool gdb_memory_write(struct gdb *gdb, uint64_t addr, const void *data,
                      size_t size);
/* Z and z. False: it cannot be had. */
bool gdb_point_add(struct gdb *gdb, enum gdb_point_type type, uint64_t addr,
                   uint64_t size);
void gdb_point_remove(struct gdb *gdb, enum gdb_point_type type, uint64_t addr,
                      uint64_t size);
void gdb_points_clear(struct gdb *gdb);

/* --- gdb.c --------------------------------------------------------------- */
/* Sends gdb->reply. */
void gdb_send(struct gdb *gdb);
/* Stops, and tells the client why. */
void gdb_stop(struct gdb *gdb, enum gdb_signal signal);
struct cpu *gdb_cpu(struct gdb *gdb);

#endif
