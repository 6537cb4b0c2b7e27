/*
 * The packets, one function each, from a table.
 *
 * Not modelled: non-stop mode, multiprocess ids, tracepoints, file I/O, a
 * memory map (it would be one of physical addresses, and gdb's are linear).
 */
#include "monitor/gdb_internal.h"
#include "monitor/gdb_registers.h"

#include "emu/x86/cpu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MEMORY_BYTES (GDB_PACKET_BYTES / 2)

/* --- Replies ------------------------------------------------------------- */

static void ok(struct gdb *gdb)
{
    gdb_reply_text(&gdb->reply, "OK");
}

/* QEMU's numbers: 14 bad address or register, 22 malformed. */
static void bad_address(struct gdb *gdb)
{
    gdb_reply_text(&gdb->reply, "E14");
}

static void malformed(struct gdb *gdb)
{
    gdb_reply_text(&gdb->reply, "E22");
}

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* --- Registers ----------------------------------------------------------- */

/* Engines that keep registers elsewhere are asked first, and told after. */
static void pull(struct gdb *gdb)
{
    const struct accel *accel = gdb->machine->accel;

    if (accel && accel->pull)
        accel->pull(gdb->machine->engine, gdb_cpu(gdb));
}

static void push(struct gdb *gdb)
{
    const struct accel *accel = gdb->machine->accel;

    if (accel && accel->push)
        accel->push(gdb->machine->engine, gdb_cpu(gdb));
}

static void read_all(struct gdb *gdb, const char *args, size_t size)
{
    uint8_t data[GDB_REGISTER_BYTES];

    (void)args;
    (void)size;
    pull(gdb);
    for (unsigned n = 0; n < GDB_REGISTERS; n++)
        gdb_reply_hex(&gdb->reply, data,
                      gdb_register_read(gdb_cpu(gdb), n, data));
}

static void write_all(struct gdb *gdb, const char *args, size_t size)
{
    uint8_t data[GDB_REGISTER_BYTES];
    bool good = true;
    (void)size;

    pull(gdb);
    /* A short packet sets the registers that it reaches, as in QEMU. */
    for (unsigned n = 0; n < GDB_REGISTERS && *args; n++) {
        size_t bytes = gdb_registers[n].bits / 8;
        if (!gdb_hex_bytes(args, data, bytes)) {
            malformed(gdb);
            return;
        }
        args += 2 * bytes;
        good = gdb_register_write(gdb_cpu(gdb), n, data) && good;
    }
    push(gdb);
    good ? ok(gdb) : bad_address(gdb);
}

static void read_one(struct gdb *gdb, const char *args, size_t size)
{
    uint8_t data[GDB_REGISTER_BYTES];
    uint64_t number;
    (void)size;

    if (!gdb_hex_number(&args, &number) || number >= GDB_REGISTERS) {
        bad_address(gdb);
        return;
    }
    pull(gdb);
    gdb_reply_hex(&gdb->reply, data,
                  gdb_register_read(gdb_cpu(gdb), (unsigned)number, data));
}

static void write_one(struct gdb *gdb, const char *args, size_t size)
{
    uint8_t data[GDB_REGISTER_BYTES] = {0};
    uint64_t number;
    (void)size;

    if (!gdb_hex_number(&args, &number) || !skip(&args, '=')) {
        malformed(gdb);
        return;
    }
    if (number >= GDB_REGISTERS) {
        bad_address(gdb);
        return;
    }
    if (!gdb_hex_bytes(args, data, gdb_registers[number].bits / 8)) {
        malformed(gdb);
        return;
    }
    pull(gdb);
    bool good = gdb_register_write(gdb_cpu(gdb), (unsigned)number, data);
    push(gdb);
    good ? ok(gdb) : bad_address(gdb);
}

/* --- Memory -------------------------------------------------------------- */

/* "addr,length"; what follows is at *args. */
static bool place(const char **args, uint64_t *addr, uint64_t *length)
{
    return gdb_hex_number(args, addr) && skip(args, ',') &&
           gdb_hex_number(args, length);
}

static void read_memory(struct gdb *gdb, const char *args, size_t size)
{
    uint8_t data[MAX_MEMORY_BYTES];
    uint64_t addr, length;
    (void)size;

    if (!place(&args, &addr, &length)) {
        malformed(gdb);
        return;
    }
    if (length > sizeof(data))
        length = sizeof(data); /* a reply may be shorter than was asked */
    pull(gdb);
    size_t got = gdb_memory_read(gdb, addr, data, (size_t)length);
    if (got == 0 && length != 0)
        bad_address(gdb);
    else
        gdb_reply_hex(&gdb->reply, data, got);
}

static void write_memory_hex(struct gdb *gdb, const char *args, size_t size)
{
    uint8_t data[MAX_MEMORY_BYTES];
    uint64_t addr, length;
    (void)size;

    if (!place(&args, &addr, &length) || !skip(&args, ':') ||
        length > sizeof(data) || strlen(args) != 2 * length ||
        !gdb_hex_bytes(args, data, (size_t)length)) {
        malformed(gdb);
        return;
    }
    pull(gdb);
    gdb_memory_write(gdb, addr, data, (size_t)length) ? ok(gdb)
                                                      : bad_address(gdb);
}

static void write_memory_binary(struct gdb *gdb, const char *args, size_t size)
{
    const char *begin = args;
    uint64_t addr, length;

    if (!place(&args, &addr, &length) || !skip(&args, ':') ||
        length != size - (size_t)(args - begin)) {
        malformed(gdb);
        return;
    }
    pull(gdb);
    gdb_memory_write(gdb, addr, args, (size_t)length) ? ok(gdb)
                                                      : bad_address(gdb);
}

/* "type,addr,kind". */
static void point(struct gdb *gdb, const char *args, bool add)
{
    uint64_t type, addr, size;

    if (!gdb_hex_number(&args, &type) || !skip(&args, ',') ||
        !place(&args, &addr, &size)) {
        malformed(gdb);
        return;
    }
    if (type >= GDB_POINT_TYPES)
        return; /* an empty reply: not supported */
    /* A breakpoint's "size" is the kind of instruction to put there. */
    if (type <= GDB_POINT_HARDWARE)
        size = 1;
    if (!add)
        gdb_point_remove(gdb, (enum gdb_point_type)type, addr, size);
    else if (!gdb_point_add(gdb, (enum gdb_point_type)type, addr, size)) {
        malformed(gdb);
        return;
    }
    ok(gdb);
}

static void add_point(struct gdb *gdb, const char *args, size_t size)
{
    (void)size;
    point(gdb, args, true);
}

static void remove_point(struct gdb *gdb, const char *args, size_t size)
{
    (void)size;
    point(gdb, args, false);
}

/* --- Running ------------------------------------------------------------- */

static void run(struct gdb *gdb, bool step)
{
    gdb->answered = true; /* by the stop, when it comes */
    gdb->running = true;
    gdb->stepping = step;
    gdb->range_begin = gdb->range_end = 0;
}

/* [addr]: where to go on. */
static bool go_to(struct gdb *gdb, const char *args)
{
    uint8_t data[GDB_REGISTER_BYTES] = {0};
    uint64_t rip;

    if (!*args)
        return true;
    if (!gdb_hex_number(&args, &rip) || *args) {
        malformed(gdb);
        return false;
    }
    memcpy(data, &rip, sizeof(rip));
    pull(gdb);
    gdb_register_write(gdb_cpu(gdb), 16, data);
    push(gdb);
    return true;
}

static void go_on(struct gdb *gdb, const char *args, size_t size)
{
    (void)size;
    if (go_to(gdb, args))
        run(gdb, false);
}

static void step(struct gdb *gdb, const char *args, size_t size)
{
    (void)size;
    if (go_to(gdb, args))
        run(gdb, true);
}

/* "sig[;addr]": the guest has no use for the signal. */
static const char *behind_signal(const char *args)
{
    args += strcspn(args, ";");
    return *args ? args + 1 : args;
}

static void go_on_signal(struct gdb *gdb, const char *args, size_t size)
{
    go_on(gdb, behind_signal(args), size);
}

static void step_signal(struct gdb *gdb, const char *args, size_t size)
{
    step(gdb, behind_signal(args), size);
}

static void why(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb->running = false;
    gdb_reply_text(&gdb->reply, "%s", gdb->stop_text);
}

/* One action of vCont at *args, "c", "C05", "s", "S05", "t", "r a,b". */
static bool action(const char **args, char *what, uint64_t range[2])
{
    uint64_t number;

    *what = **args;
    if (!*what || !strchr("cCsStr", *what))
        return false;
    (*args)++;
    if (*what == 'C' || *what == 'S')
        return gdb_hex_number(args, &number);
    return *what != 'r' || place(args, &range[0], &range[1]);
}

/* ";action[:thread]..." The leftmost action for a thread counts; the first one
 * that names ours, or names none. */
static void v_cont(struct gdb *gdb, const char *args, size_t size)
{
    uint64_t range[2] = {0}, thread, chosen_range[2] = {0};
    char what, chosen = 0;
    (void)size;

    while (skip(&args, ';')) {
        bool ours = true;
        if (!action(&args, &what, range)) {
            malformed(gdb);
            return;
        }
        if (skip(&args, ':') && !skip(&args, '-')) {
            if (!gdb_hex_number(&args, &thread)) {
                malformed(gdb);
                return;
            }
            ours = thread == 0 || thread == gdb->cpu + 1;
        } else {
            args += strcspn(args, ";"); /* "-1": all */
        }
        if (ours && !chosen) {
            chosen = what;
            memcpy(chosen_range, range, sizeof(range));
        }
    }
    if (*args || !chosen) {
        malformed(gdb);
        return;
    }
    if (chosen == 't') {
        gdb->running = false;
        gdb_reply_text(&gdb->reply, "T00thread:%02x;", gdb->cpu + 1);
        return;
    }
    run(gdb, chosen != 'c' && chosen != 'C');
    gdb->range_begin = chosen_range[0];
    gdb->range_end = chosen_range[1];
}

static void v_cont_query(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb_reply_text(&gdb->reply, "vCont;c;C;s;S;t;r");
}

static void v_ctrl_c(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    ok(gdb);
    gdb_send(gdb);
    if (gdb->running)
        gdb_stop(gdb, GDB_SIGNAL_INT);
}

static void kill_machine(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb->answered = true;
    gdb->result = REQUEST_QUIT;
}

static void v_kill(struct gdb *gdb, const char *args, size_t size)
{
    ok(gdb);
    gdb_send(gdb);
    kill_machine(gdb, args, size);
}

static void detach(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    ok(gdb);
    gdb->leaving = true;
}

static void restart(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    machine_reset(gdb->machine);
    gdb->answered = true; /* R has no reply */
}

static void v_run(struct gdb *gdb, const char *args, size_t size)
{
    restart(gdb, args, size);
    gdb_stop(gdb, GDB_SIGNAL_TRAP);
}

/* --- Threads: one a CPU, from 1 ------------------------------------------ */

static bool cpu_of(struct gdb *gdb, const char *args, unsigned *cpu)
{
    uint64_t thread;

    if (skip(&args, '-')) {
        *cpu = gdb->cpu; /* all */
        return true;
    }
    if (!gdb_hex_number(&args, &thread) || thread > gdb->machine->cpus)
        return false;
    *cpu = thread ? (unsigned)thread - 1 : gdb->cpu; /* 0: any */
    return true;
}

static void select_thread(struct gdb *gdb, const char *args, size_t size)
{
    unsigned cpu;
    (void)size;

    if ((*args != 'g' && *args != 'c') || !cpu_of(gdb, args + 1, &cpu)) {
        malformed(gdb);
        return;
    }
    gdb->cpu = cpu;
    ok(gdb);
}

static void thread_alive(struct gdb *gdb, const char *args, size_t size)
{
    unsigned cpu;
    (void)size;
    cpu_of(gdb, args, &cpu) ? ok(gdb) : malformed(gdb);
}

static void current_thread(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb_reply_text(&gdb->reply, "QC%02x", gdb->cpu + 1);
}

static void first_threads(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    for (unsigned i = 0; i < gdb->machine->cpus; i++)
        gdb_reply_text(&gdb->reply, "%c%02x", i ? ',' : 'm', i + 1);
}

static void more_threads(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb_reply_text(&gdb->reply, "l");
}

static void thread_info(struct gdb *gdb, const char *args, size_t size)
{
    char text[64];
    unsigned cpu;
    (void)size;

    if (!cpu_of(gdb, args, &cpu)) {
        malformed(gdb);
        return;
    }
    int length =
        snprintf(text, sizeof(text), "CPU#%u [%s]", cpu,
                 cpu_halted(gdb->machine->cpu[cpu]) ? "halted " : "running");
    gdb_reply_hex(&gdb->reply, text, (size_t)length);
}

/* --- Questions ----------------------------------------------------------- */

static void supported(struct gdb *gdb, const char *args, size_t size)
{
    (void)size;
    gdb->swbreak = strstr(args, "swbreak+") != NULL;
    gdb->hwbreak = strstr(args, "hwbreak+") != NULL;
    gdb_reply_text(&gdb->reply,
                   "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;"
                   "swbreak+;hwbreak+;vContSupported+",
                   GDB_PACKET_BYTES);
}

static void no_ack_mode(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    ok(gdb);
    gdb_send(gdb);
    gdb->no_ack = true;
}

/* "target.xml:offset,length". */
static void features(struct gdb *gdb, const char *args, size_t size)
{
    static const char annex[] = "target.xml:";
    uint64_t offset, length;
    (void)size;

    if (strncmp(args, annex, sizeof(annex) - 1) != 0) {
        gdb_reply_text(&gdb->reply, "E00");
        return;
    }
    args += sizeof(annex) - 1;
    if (!place(&args, &offset, &length) || offset > gdb->xml_size) {
        malformed(gdb);
        return;
    }
    uint64_t left = gdb->xml_size - offset;
    if (length > MAX_MEMORY_BYTES)
        length = MAX_MEMORY_BYTES;
    gdb_reply_text(&gdb->reply, length < left ? "m" : "l");
    gdb_reply_bytes(&gdb->reply, gdb->xml + offset,
                    (size_t)(length < left ? length : left));
}

static void attached(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb_reply_text(&gdb->reply, "1");
}

static void monitor_line(struct gdb *gdb, const char *args, size_t size)
{
    char line[MAX_MEMORY_BYTES + 1];
    size_t length = size / 2;

    if (length > MAX_MEMORY_BYTES || !gdb_hex_bytes(args, line, length)) {
        malformed(gdb);
        return;
    }
    line[length] = '\0';
    gdb_monitor(gdb, line);
}

static void qemu_supported(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb_reply_text(&gdb->reply, "PhyMemMode");
}

static void physical_query(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    gdb_reply_text(&gdb->reply, "%d", gdb->physical);
}

static void physical_set(struct gdb *gdb, const char *args, size_t size)
{
    (void)size;
    gdb->physical = *args == '1';
    ok(gdb);
}

static void extended(struct gdb *gdb, const char *args, size_t size)
{
    (void)args;
    (void)size;
    ok(gdb);
}

static void attach(struct gdb *gdb, const char *args, size_t size)
{
    why(gdb, args, size);
}

/* --- The table ----------------------------------------------------------- */

/* The first that the packet begins with; `exact`: and ends with. */
static const struct {
    const char *name;
    void (*serve)(struct gdb *gdb, const char *args, size_t size);
    bool exact;
} table[] = {
    {"!", extended, true},
    {"?", why, true},
    {"g", read_all, true},
    {"G", write_all, false},
    {"p", read_one, false},
    {"P", write_one, false},
    {"m", read_memory, false},
    {"M", write_memory_hex, false},
    {"X", write_memory_binary, false},
    {"Z", add_point, false},
    {"z", remove_point, false},
    {"c", go_on, false},
    {"C", go_on_signal, false},
    {"s", step, false},
    {"S", step_signal, false},
    {"vCont?", v_cont_query, true},
    {"vCont", v_cont, false},
    {"vCtrlC", v_ctrl_c, true},
    {"vKill", v_kill, false},
    {"vAttach;", attach, false},
    {"vRun", v_run, false},
    {"k", kill_machine, true},
    {"D", detach, false},
    {"R", restart, false},
    {"H", select_thread, false},
    {"T", thread_alive, false},
    {"qC", current_thread, true},
    {"qfThreadInfo", first_threads, true},
    {"qsThreadInfo", more_threads, true},
    {"qThreadExtraInfo,", thread_info, false},
    {"qSupported", supported, false},
    {"QStartNoAckMode", no_ack_mode, true},
    {"qXfer:features:read:", features, false},
    {"qAttached", attached, false},
    {"qRcmd,", monitor_line, false},
    {"qqemu.Supported", qemu_supported, true},
    {"qqemu.PhyMemMode", physical_query, true},
    {"Qqemu.PhyMemMode:", physical_set, false},
};

void gdb_serve(struct gdb *gdb, const char *packet, size_t size)
{
    gdb_reply_clear(&gdb->reply);
    gdb->answered = false;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        size_t length = strlen(table[i].name);
        if (length > size || memcmp(packet, table[i].name, length) != 0 ||
            (table[i].exact && length != size))
            continue;
        table[i].serve(gdb, packet + length, size - length);
        break;
    }
    if (!gdb->answered)
        gdb_send(gdb); /* empty: not known */
}
