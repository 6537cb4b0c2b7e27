/*
 * The commands that look: a thin layer from the shell's arguments to look.h.
 *
 * Invariant: args[] stands in the order of the args string.
 */
#include "monitor/look.h"
#include "monitor/monitor.h"
#include "monitor/shell.h"

#include <ctype.h>
#include <string.h>

static struct cpu *current(const struct monitor *mon)
{
    return mon->machine->cpu[mon->cpu];
}

/* Commands that take no argument and print something of the CPU or of the
 * machine. */
#define CPU_COMMAND(NAME)                                                      \
    static int NAME(struct monitor *mon, const struct arg *args)               \
    {                                                                          \
        (void)args;                                                            \
        look_##NAME(current(mon), mon->out);                                   \
        return 0;                                                              \
    }
#define MACHINE_COMMAND(NAME)                                                  \
    static int NAME(struct monitor *mon, const struct arg *args)               \
    {                                                                          \
        (void)args;                                                            \
        look_##NAME(mon->machine, mon->out);                                   \
        return 0;                                                              \
    }
#define DEVICE_COMMAND(FUNCTION, DEVICE)                                       \
    static int FUNCTION(struct monitor *mon, const struct arg *args)           \
    {                                                                          \
        (void)args;                                                            \
        return look_device(mon->machine, mon->out, DEVICE);                    \
    }

CPU_COMMAND(registers)
CPU_COMMAND(segments)
CPU_COMMAND(control)
CPU_COMMAND(fpu)
CPU_COMMAND(sse)
CPU_COMMAND(msrs)
CPU_COMMAND(debug_registers)
CPU_COMMAND(gdt)
CPU_COMMAND(ldt)
CPU_COMMAND(ivt)
CPU_COMMAND(tss)
CPU_COMMAND(mem)
MACHINE_COMMAND(mtree)
MACHINE_COMMAND(pci)
MACHINE_COMMAND(device_list)
MACHINE_COMMAND(pic)
MACHINE_COMMAND(lapic)
MACHINE_COMMAND(ioapic)
MACHINE_COMMAND(timers)
MACHINE_COMMAND(status)
DEVICE_COMMAND(pit, "pit")
DEVICE_COMMAND(rtc, "rtc")
DEVICE_COMMAND(ide, "ide")
DEVICE_COMMAND(vga, "vga")
DEVICE_COMMAND(hpet, "hpet")
DEVICE_COMMAND(fdc, "fdc")

static int idt(struct monitor *mon, const struct arg *args)
{
    (void)args;
    look_idt(current(mon), mon->out, mon->symbols);
    return 0;
}

static int tlb(struct monitor *mon, const struct arg *args)
{
    look_tlb(current(mon), mon->out, args[0].given ? args[0].value : 0);
    return 0;
}

static int cpus(struct monitor *mon, const struct arg *args)
{
    (void)args;
    look_cpus(mon->machine, mon->out, mon->cpu);
    return 0;
}

static int version(struct monitor *mon, const struct arg *args)
{
    (void)args;
    look_version(mon->out);
    return 0;
}

static int device(struct monitor *mon, const struct arg *args)
{
    return look_device(mon->machine, mon->out, args[0].text);
}

static int walk(struct monitor *mon, const struct arg *args)
{
    /* A walk that fails is an answer too. */
    look_walk(current(mon), mon->out,
              args[0].given ? args[0].value : cpu_linear_rip(current(mon)));
    return 0;
}

static int why(struct monitor *mon, const struct arg *args)
{
    (void)args;
    return look_why(current(mon), mon->out, mon->symbols);
}

/* --- memory --------------------------------------------------------------- */

/* "/8xb ADDR", "/8xb" or "ADDR": the format sticks to the command's name. */
static int examine(struct monitor *mon, const char *text, enum look_space space)
{
    struct look_format format;
    char spec[32] = "";
    uint64_t addr = cpu_linear_rip(current(mon));

    while (isspace((unsigned char)*text))
        text++;
    if (*text == '/') {
        size_t n = strcspn(++text, " \t");

        if (n >= sizeof(spec))
            return shell_error(mon, "format is too long");
        memcpy(spec, text, n);
        spec[n] = '\0';
        text += n + strspn(text + n, " \t");
    }
    if (!look_parse_format(spec, &format, mon->out) ||
        (*text && shell_eval(mon, text, &addr)))
        return -1;
    return look_examine(current(mon), mon->out, mon->symbols, &format, space,
                        addr, NULL);
}

static int x(struct monitor *mon, const struct arg *args)
{
    return examine(mon, args[0].given ? args[0].text : "", LOOK_LINEAR);
}

static int xp(struct monitor *mon, const struct arg *args)
{
    return examine(mon, args[0].given ? args[0].text : "", LOOK_PHYSICAL);
}

static int disassemble(struct monitor *mon, const struct arg *args)
{
    struct cpu *c = current(mon);

    return look_disassemble(c, mon->out, mon->symbols, LOOK_LINEAR,
                            args[0].given ? args[0].value : cpu_linear_rip(c),
                            args[1].given ? args[1].value : 10, NULL);
}

static int store(struct monitor *mon, const struct arg *args,
                 enum look_space space)
{
    const uint64_t size = args[2].given ? args[2].value : 4;
    const uint64_t value = args[1].value;

    if (size != 1 && size != 2 && size != 4 && size != 8)
        return shell_error(mon, "size is 1, 2, 4 or 8 bytes");
    if (look_write(current(mon), space, args[0].value, &value, (size_t)size) !=
        size)
        return shell_error(mon, "cannot write memory at 0x%llx",
                           (unsigned long long)args[0].value);
    return 0;
}

static int setmem(struct monitor *mon, const struct arg *args)
{
    return store(mon, args, LOOK_LINEAR);
}

static int setpmem(struct monitor *mon, const struct arg *args)
{
    return store(mon, args, LOOK_PHYSICAL);
}

static int memsave(struct monitor *mon, const struct arg *args)
{
    return look_save(current(mon), mon->out, LOOK_LINEAR, args[0].value,
                     args[1].value, args[2].text);
}

static int pmemsave(struct monitor *mon, const struct arg *args)
{
    return look_save(current(mon), mon->out, LOOK_PHYSICAL, args[0].value,
                     args[1].value, args[2].text);
}

static int memload(struct monitor *mon, const struct arg *args)
{
    return look_load(current(mon), mon->out, LOOK_LINEAR, args[0].value,
                     args[1].text);
}

static int pmemload(struct monitor *mon, const struct arg *args)
{
    return look_load(current(mon), mon->out, LOOK_PHYSICAL, args[0].value,
                     args[1].text);
}

static int search(struct monitor *mon, const struct arg *args)
{
    return look_search(current(mon), mon->out, LOOK_LINEAR, args[0].value,
                       args[1].value, args[2].text);
}

static int stack(struct monitor *mon, const struct arg *args)
{
    look_stack(current(mon), mon->out, mon->symbols,
               args[0].given ? args[0].value : 16);
    return 0;
}

static int backtrace(struct monitor *mon, const struct arg *args)
{
    look_backtrace(current(mon), mon->out, mon->symbols,
                   args[0].given ? args[0].value : 32);
    return 0;
}

const struct command look_commands[] = {
    {"info registers", "r regs registers", "",
     "registers as QEMU shows them, flags and CRn by name", registers},
    {"info control", "creg", "", "CRn, EFER and EFLAGS bit by bit", control},
    {"info segments", "sreg", "", "segment registers with hidden parts",
     segments},
    {"info fpu", "fpu", "", "x87 registers", fpu},
    {"info sse", "sse", "", "XMM registers and MXCSR", sse},
    {"info debug-registers", "dreg", "", "DR0 to DR7", debug_registers},
    {"info msrs", "msrs", "", "model-specific registers", msrs},
    {"info gdt", NULL, "", "the global descriptor table", gdt},
    {"info ldt", NULL, "", "the local descriptor table", ldt},
    {"info idt", NULL, "", "the interrupt descriptor table", idt},
    {"info ivt", NULL, "", "the real-mode interrupt vectors", ivt},
    {"info tss", NULL, "", "the task state segment", tss},
    {"info mem", NULL, "", "mapped linear ranges", mem},
    {"info tlb", NULL, "from:a?", "mapped pages, one a line", tlb},
    {"info tab", NULL, "", "the same as info mem, by Bochs's name", mem},
    {"info mtree", NULL, "", "who answers on both buses", mtree},
    {"info pci", NULL, "", "PCI functions and their BARs", pci},
    {"info qtree", "devices", "", "devices and their wires",
     device_list},
    {"info device", NULL, "name:w", "all state of a device", device},
    {"info pic", NULL, "", "the two 8259A", pic},
    {"info apic", "apic", "", "the local APIC", lapic},
    {"info ioapic", NULL, "", "the I/O APIC", ioapic},
    {"info pit", NULL, "", "the 8254's state", pit},
    {"info rtc", NULL, "", "the clock's state", rtc},
    {"info ide", NULL, "", "the IDE channels' state", ide},
    {"info vga", NULL, "", "the display adapter's state", vga},
    {"info hpet", NULL, "", "the HPET's state", hpet},
    {"info fdc", NULL, "", "the floppy controller's state", fdc},
    {"info timers", NULL, "", "timers and when they are due", timers},
    {"info cpus", NULL, "", "CPUs and where they are", cpus},
    {"info status", NULL, "", "why the machine stands still", status},
    {"info version", NULL, "", "the version", version},
    {"x", NULL, "format:r?",
     "memory at a linear address: x/8xb ADDR; formats x d u o c i s, sizes b "
     "h w g", x},
    {"xp", NULL, "format:r?", "the same for a physical address", xp},
    {"disassemble", "u disas", "addr:a? count:n?",
     "instructions, from the next one on", disassemble},
    {"setmem", "write", "addr:a value:x size:n?",
     "writes 1, 2, 4 or 8 bytes to linear memory (4)", setmem},
    {"setpmem", NULL, "addr:a value:x size:n?",
     "writes 1, 2, 4 or 8 bytes to physical memory (4)", setpmem},
    {"memsave", "save", "addr:a size:x file:f",
     "saves linear memory to a file", memsave},
    {"pmemsave", NULL, "addr:a size:x file:f",
     "saves physical memory to a file", pmemsave},
    {"memload", "load", "addr:a file:f", "loads a file into linear memory",
     memload},
    {"pmemload", NULL, "addr:a file:f", "loads a file into physical memory",
     pmemload},
    {"search", "find", "addr:a size:x pattern:r",
     "finds bytes (55 aa) or \"text\" in linear memory", search},
    {"stack", "print-stack", "words:n?", "words at the stack pointer", stack},
    {"backtrace", "bt", "frames:n?", "the chain of rBP frames",
     backtrace},
    {"walk", "page", "addr:a?", "every level of a page walk, and why it fails",
     walk},
    {"why", NULL, "", "the last fault (or triple fault) explained", why},
    {NULL, NULL, NULL, NULL, NULL},
};
