/*
 * The gdb stub's loop: runs the machine or waits, as the client said last.
 *
 * The CPU thread does everything; the link's thread only ends its runs and its
 * sleeps when there is something to read. So packets need no locks, and are
 * served between two instructions.
 *
 * Not modelled: QEMU's masking of interrupts and timers while stepping
 * (qemu.sstep): a step goes into the handler of an interrupt that is due.
 */
#include "monitor/gdb_internal.h"
#include "monitor/gdb_registers.h"

#include "emu/x86/cpu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECEIVE_BYTES 4096
#define NAP_NS 1000000

struct cpu *gdb_cpu(struct gdb *gdb)
{
    return gdb->machine->cpu[gdb->cpu];
}

/* --- The client ---------------------------------------------------------- */

/* The machine is free again, and without what the client put into it. */
static void release(struct gdb *gdb)
{
    gdb_link_drop(&gdb->link);
    gdb_points_clear(gdb);
    gdb->running = gdb->touched || gdb->ran_before;
    gdb->stepping = false;
    gdb->leaving = false;
}

static void welcome(struct gdb *gdb)
{
    memset(&gdb->parser, 0, sizeof(gdb->parser));
    gdb->frame_size = 0;
    gdb->no_ack = gdb->swbreak = gdb->hwbreak = false;
    gdb->physical = gdb->touched = false;
    gdb->cpu = 0;
    gdb->ran_before = gdb->running;
    gdb->running = gdb->stepping = false;
    snprintf(gdb->stop_text, sizeof(gdb->stop_text), "T05thread:01;");
}

static void send_frame(struct gdb *gdb)
{
    if (gdb->link.client_fd >= 0 &&
        !gdb_link_send(&gdb->link, gdb->frame, gdb->frame_size))
        gdb->leaving = true;
}

void gdb_send(struct gdb *gdb)
{
    gdb->frame_size = gdb_frame(gdb->reply.data, gdb->reply.size, gdb->frame);
    send_frame(gdb);
    gdb_reply_clear(&gdb->reply);
    gdb->answered = true;
}

static void acknowledge(struct gdb *gdb, char sign)
{
    if (!gdb->no_ack && !gdb_link_send(&gdb->link, &sign, 1))
        gdb->leaving = true;
}

/* Why it stopped, behind the signal and the thread. */
static void describe(const struct gdb *gdb, char *text, size_t size)
{
    static const char *const watch[] = {
        [GDB_POINT_WRITE] = "watch",
        [GDB_POINT_READ] = "rwatch",
        [GDB_POINT_ACCESS] = "awatch",
    };
    const struct debug_hit *hit = &gdb->machine->debug.hit;
    const struct gdb_point *p = gdb->points;

    text[0] = '\0';
    if (gdb->machine->last_stop != STOP_DEBUG || !hit->point)
        return;
    while (p && &p->point != hit->point)
        p = p->next;
    if (!p)
        return; /* the monitor's */
    if (p->type == GDB_POINT_SOFTWARE && gdb->swbreak)
        snprintf(text, size, "swbreak:;");
    else if (p->type == GDB_POINT_HARDWARE && gdb->hwbreak)
        snprintf(text, size, "hwbreak:;");
    else if (p->type >= GDB_POINT_WRITE)
        snprintf(text, size, "%s:%" PRIx64 ";", watch[p->type], p->point.addr);
}

void gdb_stop(struct gdb *gdb, enum gdb_signal signal)
{
    char reason[64];

    gdb->running = gdb->stepping = false;
    describe(gdb, reason, sizeof(reason));
    snprintf(gdb->stop_text, sizeof(gdb->stop_text), "T%02xthread:%02x;%s",
             (unsigned)signal, gdb->cpu + 1, reason);
    gdb_reply_clear(&gdb->reply);
    gdb_reply_text(&gdb->reply, "%s", gdb->stop_text);
    gdb_send(gdb);
}

static void take_byte(struct gdb *gdb, uint8_t byte)
{
    switch (gdb_parser_feed(&gdb->parser, byte)) {
    case GDB_INPUT_PACKET:
        gdb->touched = true;
        acknowledge(gdb, '+');
        gdb_serve(gdb, gdb->parser.data, gdb->parser.size);
        break;
    case GDB_INPUT_BAD:
        acknowledge(gdb, '-');
        break;
    case GDB_INPUT_NAK:
        if (!gdb->no_ack && gdb->frame_size)
            send_frame(gdb);
        break;
    case GDB_INPUT_BREAK:
        gdb->touched = true;
        if (gdb->running)
            gdb_stop(gdb, GDB_SIGNAL_INT);
        break;
    case GDB_INPUT_NONE:
    case GDB_INPUT_ACK:
        break;
    }
}

static void serve_input(struct gdb *gdb)
{
    uint8_t data[RECEIVE_BYTES];
    ssize_t got;

    if (gdb_link_accept(&gdb->link))
        welcome(gdb);
    if (gdb->link.client_fd < 0)
        return;
    while ((got = gdb_link_receive(&gdb->link, data, sizeof(data))) > 0) {
        for (ssize_t i = 0; i < got && !gdb->leaving && !gdb->result; i++)
            take_byte(gdb, data[i]);
        if (gdb->leaving || gdb->result)
            break;
    }
    if (got < 0 || gdb->leaving)
        release(gdb);
}

/* --- The machine --------------------------------------------------------- */

/* Is a step over a source line (vCont;r) to go on? */
static bool in_range(struct gdb *gdb)
{
    uint64_t rip = cpu_rip(gdb_cpu(gdb));

    return rip >= gdb->range_begin && rip < gdb->range_end;
}

static void ended(struct gdb *gdb, unsigned result)
{
    gdb->result = result;
    gdb_reply_clear(&gdb->reply);
    gdb_reply_text(&gdb->reply, "W%02x",
                   (unsigned)gdb->machine->exit_status & 0xFF);
    gdb_send(gdb);
}

static void run(struct gdb *gdb)
{
    struct machine *machine = gdb->machine;
    uint64_t before = machine->clock.instructions;
    unsigned result =
        gdb->stepping ? machine_step(machine, 1) : machine_run(machine);

    if (result & ~(unsigned)REQUEST_STOP) {
        ended(gdb, result);
        return;
    }
    switch (machine->last_stop) {
    case STOP_KICK:
        if (!gdb_link_pending(&gdb->link))
            gdb_stop(gdb, GDB_SIGNAL_QUIT); /* off, under -no-shutdown */
        else if (gdb->stepping && machine->clock.instructions != before)
            gdb_stop(gdb, GDB_SIGNAL_TRAP);
        break;
    case STOP_BUDGET:
        if (!in_range(gdb))
            gdb_stop(gdb, GDB_SIGNAL_TRAP);
        break;
    case STOP_ERROR:
        if (gdb->link.client_fd < 0)
            gdb->result = result;
        else
            gdb_stop(gdb, GDB_SIGNAL_ABRT);
        break;
    default:
        gdb_stop(gdb, GDB_SIGNAL_TRAP);
        break;
    }
}

/* Time stands still; the window lives on. */
static void wait(struct gdb *gdb)
{
    struct machine *machine = gdb->machine;
    const struct timespec nap = {.tv_nsec = NAP_NS};

    if (machine->pump)
        machine->pump(machine->host, machine);
    if (gdb_link_pending(&gdb->link))
        return;
    if (machine->sleep)
        machine->sleep(machine->host, machine, CLOCK_NEVER);
    else
        nanosleep(&nap, NULL);
}

/* What was asked for while the machine stood, by the monitor or a signal. */
static void serve_requests(struct gdb *gdb)
{
    unsigned asked = atomic_load(&gdb->machine->requests);

    if (!gdb->running && (asked & REQUEST_QUIT))
        ended(gdb, REQUEST_QUIT);
}

unsigned gdb_main(struct gdb *gdb, struct machine *machine, bool stopped)
{
    gdb->machine = machine;
    gdb->running = !stopped;
    gdb->result = 0;
    if (gdb_link_start(&gdb->link, machine) < 0) {
        snprintf(machine->error, sizeof(machine->error),
                 "-gdb: no thread to be had");
        machine->last_stop = STOP_ERROR;
        return REQUEST_STOP;
    }
    while (!gdb->result) {
        if (gdb_link_take(&gdb->link))
            serve_input(gdb);
        else if (gdb->leaving)
            release(gdb);
        if (!gdb->result)
            serve_requests(gdb);
        if (gdb->result)
            break;
        gdb_link_arm(&gdb->link);
        if (gdb->running)
            run(gdb);
        else
            wait(gdb);
    }
    gdb_points_clear(gdb);
    return gdb->result;
}

/* --- Open and close ------------------------------------------------------ */

struct gdb *gdb_open(const char *address, char *error, size_t error_size)
{
    struct gdb *gdb = calloc(1, sizeof(*gdb));

    if (!gdb) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    if (gdb_link_open(&gdb->link, address, error, error_size) < 0) {
        gdb_close(gdb);
        return NULL;
    }
    gdb->xml = gdb_target_xml(&gdb->xml_size);
    if (!gdb->xml) {
        snprintf(error, error_size, "out of memory");
        gdb_close(gdb);
        return NULL;
    }
    return gdb;
}

void gdb_set_command(struct gdb *gdb, gdb_command_fn *command, void *ctx)
{
    gdb->command = command;
    gdb->command_ctx = ctx;
}

void gdb_close(struct gdb *gdb)
{
    if (!gdb)
        return;
    if (gdb->machine)
        gdb_points_clear(gdb);
    gdb_link_close(&gdb->link);
    free(gdb->xml);
    free(gdb);
}
