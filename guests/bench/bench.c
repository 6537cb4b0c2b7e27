/*
 * The bench guest: runs workloads and says on COM1 when each begins and ends,
 * so that the host can do the timing. A guest's own clock is part of what is
 * being measured; the host's is not.
 *
 *     WORKLOAD name group        what comes next, compute or system
 *     BEGIN name                 the clock starts at this line's newline
 *     END name checksum          and stops at this line's first byte
 *     BENCH DONE                 the last line
 *
 * Each line is followed by a wait until the UART has sent its last bit, so
 * that no byte of BEGIN is still under way when the workload starts.
 *
 * The multiboot command line may have only=NAME[,NAME...]: the workloads whose
 * name contains one of them.
 *
 * Compute workloads run in ring 3 (where real programs run, and where a KVM
 * without VT-x runs natively), system workloads in ring 0.
 *
 * Reference: Multiboot Specification 0.6.96, 3.3; 16550; PIIX4 7.2 (PM1a_CNT).
 * Not modelled: interrupts, a second CPU, a screen.
 */
#include "guests/bench/bench.h"
#include "guests/bench/workloads.h"

#define MULTIBOOT_LOADED 0x2BADB002u
#define COM1 0x3F8

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));

static void uart_wait(uint8_t bits)
{
    for (uint32_t i = 0; i < 0x1000000; i++) {
        if (port_read(COM1 + 5) & bits)
            return;
    }
}

static void put_char(char c)
{
    uart_wait(0x20); /* THRE: it can take one more */
    port_write(COM1, (uint8_t)c);
}

static void put(const char *text)
{
    for (; *text; text++)
        put_char(*text);
}

static void put_hex(uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        put_char("0123456789abcdef"[value >> shift & 15]);
}

static void end_line(void)
{
    put_char('\n');
    uart_wait(0x40); /* TEMT: all of it is out */
}

static void uart_init(void)
{
    port_write(COM1 + 1, 0);
    port_write(COM1 + 3, 0x80);
    port_write(COM1, 1); /* 115200 baud */
    port_write(COM1 + 1, 0);
    port_write(COM1 + 3, 3);
    port_write(COM1 + 2, 7);
    port_write(COM1 + 4, 3);
}

/* Does text contain the first length characters of word? */
static int contains(const char *text, const char *word, uint32_t length)
{
    for (; *text; text++) {
        uint32_t i = 0;

        while (i < length && text[i] && text[i] == word[i])
            i++;
        if (i == length)
            return 1;
    }
    return 0;
}

/* The value of only= on the command line, or a null pointer. */
static const char *find_only(const char *line)
{
    static const char key[] = "only=";

    for (; line && *line; line++) {
        uint32_t i = 0;

        while (key[i] && line[i] == key[i])
            i++;
        if (!key[i])
            return line + i;
    }
    return 0;
}

static int selected(const char *only, const char *name)
{
    uint32_t length;

    if (!only)
        return 1;
    while (*only && *only != ' ') {
        length = 0;
        while (only[length] && only[length] != ',' && only[length] != ' ')
            length++;
        if (length > 0 && contains(name, only, length))
            return 1;
        only += length;
        only += *only == ',';
    }
    return 0;
}

static void begin(const char *name, const char *group)
{
    put("WORKLOAD ");
    put(name);
    put(group);
    end_line();
    put("BEGIN ");
    put(name);
    end_line();
}

static void end(const char *name, uint64_t sum)
{
    put("END ");
    put(name);
    put_char(' ');
    put_hex(sum);
    end_line();
}

/* isa-debug-exit, then ACPI soft-off where the PIIX4 says, then HLT. */
static _Noreturn void power_off(void)
{
    uint16_t pm_base = 0x600;

    port_write(0xF4, 0);
    port_write32(0xCF8, 0x80000B00); /* PCI 00:01.3, its identity */
    if (port_read32(0xCFC) == 0x71138086) {
        port_write32(0xCF8, 0x80000B40); /* PMBA */
        pm_base = (uint16_t)(port_read32(0xCFC) & 0xFFC0);
    }
    port_write16((uint16_t)(pm_base + 4), 0x2000); /* SLP_EN, S5 */
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void bench_panic(uint64_t vector, uint64_t error, uint64_t rip,
                           uint64_t cr2)
{
    put("\nBENCH PANIC vector ");
    put_hex(vector);
    put(" error ");
    put_hex(error);
    put(" rip ");
    put_hex(rip);
    put(" cr2 ");
    put_hex(cr2);
    end_line();
    power_off();
}

void bench_main(uint32_t magic, const uint32_t *information)
{
    const char *only = 0;

    uart_init();
    /* Bit 2 of the flags: the address of the command line is at offset 16. */
    if (magic == MULTIBOOT_LOADED && (information[0] & 4))
        only = find_only((const char *)(uintptr_t)information[4]);

    for (const struct workload *w = compute_workloads; w->name; w++) {
        if (!selected(only, w->name))
            continue;
        begin(w->name, " compute");
        end(w->name, run_user(w->run, arena));
    }
    for (const struct system_workload *w = system_workloads; w->name; w++) {
        if (!selected(only, w->name))
            continue;
        begin(w->name, " system");
        end(w->name, w->run(arena));
    }
    put("BENCH DONE");
    end_line();
    power_off();
}
