/*
 * The option ROM of rom.S, with a plan's numbers and DMA requests put in.
 *
 *     0     55 AA, size, entry        0x40  parameters
 *     0x20  Plug and Play header      end   requests, 16 bytes each
 *
 * Invariant: bytes of the ROM add up to 0 modulo 256, and so do those of its
 * Plug and Play header.
 */
#include "emu/boot/kernel.h"

#include <stdlib.h>
#include <string.h>

__asm__(".include \"emu/boot/rom.S\"\n");

extern const uint8_t boot_rom_start[], boot_rom_parameters[], boot_rom_end[];

#define ROM_UNIT_BYTES 512u
#define ROM_CHECKSUM 0x06
#define ROM_PNP 0x20
#define PNP_BYTES 32u
#define PNP_CHECKSUM 9
#define STEP_BYTES 16u

static void put_be32(uint8_t *p, uint32_t value)
{
    put_le32(p, __builtin_bswap32(value));
}

/* Sets p[at] so that the bytes add up to 0. */
static void set_checksum(uint8_t *p, size_t size, size_t at)
{
    uint8_t sum = 0;

    p[at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + p[i]);
    p[at] = (uint8_t)-sum;
}

int boot_rom_make(struct boot_plan *plan)
{
    size_t code_bytes = (size_t)(boot_rom_end - boot_rom_start);
    size_t parameters = (size_t)(boot_rom_parameters - boot_rom_start);
    size_t size = code_bytes + plan->steps * STEP_BYTES;

    size = (size + ROM_UNIT_BYTES - 1) & ~(size_t)(ROM_UNIT_BYTES - 1);
    uint8_t *rom = calloc(1, size);
    if (!rom)
        return -1;
    memcpy(rom, boot_rom_start, code_bytes);
    rom[2] = (uint8_t)(size / ROM_UNIT_BYTES);
    put_le16(rom + parameters, (uint16_t)plan->kind);
    put_le16(rom + parameters + 2, (uint16_t)plan->steps);
    put_le32(rom + parameters + 4, plan->entry);
    put_le32(rom + parameters + 8, plan->info);
    for (unsigned i = 0; i < plan->steps; i++) {
        uint8_t *request = rom + code_bytes + i * STEP_BYTES;
        put_be32(request, plan->step[i].control);
        put_be32(request + 4, plan->step[i].length);
        put_be32(request + 12, plan->step[i].gpa);
    }
    set_checksum(rom + ROM_PNP, PNP_BYTES, PNP_CHECKSUM);
    set_checksum(rom, size, ROM_CHECKSUM);
    plan->rom = (struct image){.data = rom, .size = size};
    return 0;
}
