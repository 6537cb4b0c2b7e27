/*
 * Multiboot 1 kernels (Multiboot Specification 0.6.96): ELF32, ELF64 for
 * x86-64 (as GRUB takes them: the entry is still 32-bit code), and files whose
 * multiboot header carries load addresses (the "a.out kludge").
 *
 * The kernel is entered with EAX = 2BADB002, EBX = the information structure,
 * flat 32-bit segments, paging and interrupts off, A20 on. The structure lies
 * below 640 KiB, in a gap that the kernel leaves:
 *
 *     +0     multiboot_info            +128   memory map, filled by rom.S
 *     +1664  module table              after  strings
 *
 * Not modelled: symbol tables (flags 4 and 5), drives, APM, VBE modes: header
 * flag 2 (video) is answered with the text screen.
 */
#include "emu/boot/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAGIC 0x1BADB002u
#define SEARCH_BYTES 8192u
#define PAGE_BYTES 4096u
#define MIB (1u << 20)
#define LOADER_NAME "vitrine"

/* Flags of the header. */
enum {
    ALIGN_MODULES = 1u << 0,
    WANT_MEMORY = 1u << 1,
    WANT_VIDEO = 1u << 2,
    REQUIRED_MASK = 0xFFFF,
    HAS_ADDRESSES = 1u << 16
};
/* Flags of the information. */
enum {
    INFO_MEMORY = 1u << 0,
    INFO_BOOT_DEVICE = 1u << 1,
    INFO_CMDLINE = 1u << 2,
    INFO_MODULES = 1u << 3,
    INFO_MMAP = 1u << 6,
    INFO_LOADER_NAME = 1u << 9,
    INFO_FRAMEBUFFER = 1u << 12
};
/* Offsets in the information. */
enum {
    MBI_FLAGS = 0,
    MBI_BOOT_DEVICE = 12,
    MBI_CMDLINE = 16,
    MBI_MODS_COUNT = 20,
    MBI_MODS_ADDR = 24,
    MBI_MMAP_ADDR = 48,
    MBI_LOADER_NAME = 64,
    MBI_FB_ADDR = 88,
    MBI_FB_PITCH = 96,
    MBI_FB_WIDTH = 100,
    MBI_FB_HEIGHT = 104,
    MBI_FB_BPP = 108,
    MBI_FB_TYPE = 109
};
/* What no BIOS drive could be: "unknown", as QEMU says too. */
#define BOOT_DEVICE_UNKNOWN 0x8000FFFFu

/* The information's layout; rom.S knows INFO_MMAP_OFFSET as well. */
#define INFO_MMAP_OFFSET 128u
#define INFO_MMAP_BYTES (64u * 24)
#define INFO_MODULES_OFFSET (INFO_MMAP_OFFSET + INFO_MMAP_BYTES)
#define MODULE_ENTRY_BYTES 16u

/* Below: the ROM's own stack and the BIOS's. Above: the BIOS's EBDA. */
#define LOWEST_GPA 0x9000u
#define INFO_END_GPA 0x90000u
#define LOW_END_GPA 0x9F000u
#define BIOS_GPA 0xF0000u

enum { EM_386 = 3, EM_X86_64 = 62, PT_LOAD = 1 };

/* Program headers of either class, widened. */
struct program_header {
    uint32_t type;
    uint64_t offset, vaddr, paddr, file_bytes, memory_bytes;
};

static int add_segment(struct multiboot_image *image, uint64_t gpa,
                       uint64_t offset, uint64_t file_bytes,
                       uint64_t memory_bytes, struct boot_error *error)
{
    /* Linkers like to put the file's headers into the first segment, and so
     * just below a kernel at 1 MiB, where the BIOS is. Nobody misses them. */
    if (offset == 0 && gpa >= BIOS_GPA && gpa < MIB) {
        uint64_t clip = MIB - gpa;
        offset += clip;
        gpa = MIB;
        file_bytes = file_bytes > clip ? file_bytes - clip : 0;
        memory_bytes = memory_bytes > clip ? memory_bytes - clip : 0;
    }
    if (memory_bytes == 0)
        return 0;
    if (image->segments == MULTIBOOT_MAX_SEGMENTS)
        return boot_fail(error,
                         "this kernel has more than %d segments; is "
                         "the file damaged?",
                         MULTIBOOT_MAX_SEGMENTS);
    if (gpa > UINT32_MAX || memory_bytes > UINT32_MAX ||
        gpa + memory_bytes > UINT32_MAX)
        return boot_fail(error,
                         "this kernel wants %#llx bytes at %#llx, and "
                         "must lie below 4 GiB; is the file damaged?",
                         (unsigned long long)memory_bytes,
                         (unsigned long long)gpa);
    image->segment[image->segments++] = (struct multiboot_segment){
        .gpa = (uint32_t)gpa,
        .offset = (uint32_t)offset,
        .file_bytes = (uint32_t)file_bytes,
        .memory_bytes = (uint32_t)memory_bytes,
    };
    return 0;
}

static struct program_header read_header(const uint8_t *p, bool wide)
{
    if (wide)
        return (struct program_header){.type = get_le32(p),
                                       .offset = get_le64(p + 8),
                                       .vaddr = get_le64(p + 16),
                                       .paddr = get_le64(p + 24),
                                       .file_bytes = get_le64(p + 32),
                                       .memory_bytes = get_le64(p + 40)};
    return (struct program_header){.type = get_le32(p),
                                   .offset = get_le32(p + 4),
                                   .vaddr = get_le32(p + 8),
                                   .paddr = get_le32(p + 12),
                                   .file_bytes = get_le32(p + 16),
                                   .memory_bytes = get_le32(p + 20)};
}

static int parse_segments(const uint8_t *data, size_t size, bool wide,
                          struct multiboot_image *image,
                          struct boot_error *error)
{
    uint64_t entry = wide ? get_le64(data + 24) : get_le32(data + 24);
    uint64_t table = wide ? get_le64(data + 32) : get_le32(data + 28);
    unsigned entry_bytes = get_le16(data + (wide ? 54 : 42));
    unsigned count = get_le16(data + (wide ? 56 : 44));
    uint64_t physical_entry = entry;

    if (entry_bytes < (wide ? 56u : 32u))
        return boot_fail(error,
                         "this ELF file's program headers have %u "
                         "bytes each, too few; is it damaged?",
                         entry_bytes);
    if (table > size || (uint64_t)count * entry_bytes > size - table)
        return boot_fail(error,
                         "this ELF file is cut short: its %u program "
                         "headers are not all there; get it again",
                         count);
    for (unsigned i = 0; i < count; i++) {
        struct program_header h =
            read_header(data + table + (uint64_t)i * entry_bytes, wide);
        if (h.type != PT_LOAD)
            continue;
        if (h.file_bytes > h.memory_bytes)
            return boot_fail(error,
                             "segment %u of this ELF file has more "
                             "bytes in the file than in memory; is it "
                             "damaged?",
                             i);
        if (h.file_bytes && (h.offset > size || h.file_bytes > size - h.offset))
            return boot_fail(error,
                             "this ELF file is cut short: segment %u "
                             "wants %llu bytes at offset %llu of %zu; "
                             "get it again",
                             i, (unsigned long long)h.file_bytes,
                             (unsigned long long)h.offset, size);
        if (add_segment(image, h.paddr, h.offset, h.file_bytes, h.memory_bytes,
                        error) < 0)
            return -1;
        /* A kernel linked high gives its entry as a virtual address. */
        if (entry >= h.vaddr && entry - h.vaddr < h.memory_bytes)
            physical_entry = entry - h.vaddr + h.paddr;
    }
    if (physical_entry > UINT32_MAX)
        return boot_fail(error, "this kernel's entry %#llx is in no segment",
                         (unsigned long long)entry);
    image->entry = (uint32_t)physical_entry;
    return 0;
}

static int parse_elf(const uint8_t *data, size_t size,
                     struct multiboot_image *image, struct boot_error *error)
{
    if (size < 52 || memcmp(data, "\177ELF", 4) != 0)
        return boot_fail(error, "this multiboot kernel is no ELF file and its "
                                "header has no load addresses; link it as ELF "
                                "or set header flag 16");
    bool wide = data[4] == 2;
    unsigned machine = get_le16(data + 18);
    if ((data[4] != 1 && data[4] != 2) || data[5] != 1 ||
        (wide ? machine != EM_X86_64 : machine != EM_386))
        return boot_fail(error,
                         "this ELF file is for another machine (class "
                         "%u, machine %u); build it for i386 or "
                         "x86-64",
                         data[4], machine);
    if (wide && size < 64)
        return boot_fail(error, "this ELF file is cut short; get it again");
    return parse_segments(data, size, wide, image, error);
}

/* The header has the addresses itself. */
static int parse_addresses(const uint8_t *data, size_t size, size_t at,
                           struct multiboot_image *image,
                           struct boot_error *error)
{
    if (size - at < 32)
        return boot_fail(error, "this multiboot header is cut short; get the "
                                "file again");
    uint32_t header = get_le32(data + at + 12);
    uint32_t load = get_le32(data + at + 16);
    uint32_t load_end = get_le32(data + at + 20);
    uint32_t bss_end = get_le32(data + at + 24);
    image->entry = get_le32(data + at + 28);
    if (header < load || header - load > at)
        return boot_fail(error,
                         "the multiboot header's addresses disagree "
                         "with where it is in the file (load %#x, "
                         "header %#x at offset %zu)",
                         load, header, at);
    size_t offset = at - (header - load);
    size_t left = size - offset;
    if (load_end && load_end < load)
        return boot_fail(error,
                         "the multiboot header ends (%#x) before it "
                         "begins (%#x)",
                         load_end, load);
    size_t bytes = load_end ? load_end - load : left;
    if (bytes > left)
        return boot_fail(error,
                         "this kernel is cut short: %zu of %zu bytes "
                         "are there; get it again",
                         left, bytes);
    uint64_t memory_bytes = bytes;
    if (bss_end > load && bss_end - load > memory_bytes)
        memory_bytes = bss_end - load;
    return add_segment(image, load, offset, bytes, memory_bytes, error);
}

/* Offset of the header, or `size` when there is none. */
static size_t find_header(const uint8_t *data, size_t size)
{
    size_t end = size < SEARCH_BYTES ? size : SEARCH_BYTES;

    for (size_t at = 0; at + 12 <= end; at += 4) {
        uint32_t magic = get_le32(data + at);
        if (magic == HEADER_MAGIC &&
            magic + get_le32(data + at + 4) + get_le32(data + at + 8) == 0)
            return at;
    }
    return size;
}

static int check_places(const struct multiboot_image *image,
                        struct boot_error *error)
{
    bool entry_inside = false;

    if (image->segments == 0)
        return boot_fail(error, "this kernel has nothing to load; is the file "
                                "damaged?");
    for (unsigned i = 0; i < image->segments; i++) {
        const struct multiboot_segment *s = &image->segment[i];
        uint32_t end = s->gpa + s->memory_bytes;
        if (s->gpa < LOWEST_GPA || (s->gpa < MIB && end > LOW_END_GPA))
            return boot_fail(error,
                             "this kernel wants %u bytes at %#x, where "
                             "the BIOS and the display are; link it at "
                             "1 MiB",
                             s->memory_bytes, s->gpa);
        entry_inside |= image->entry >= s->gpa && image->entry < end;
    }
    if (!entry_inside)
        return boot_fail(error, "this kernel's entry %#x is in no segment",
                         image->entry);
    return 1;
}

int multiboot_parse(const uint8_t *data, size_t size,
                    struct multiboot_image *image, struct boot_error *error)
{
    memset(image, 0, sizeof(*image));
    size_t at = find_header(data, size);
    if (at == size)
        return 0;
    image->flags = get_le32(data + at + 4);
    uint32_t unknown = image->flags & REQUIRED_MASK &
                       ~(uint32_t)(ALIGN_MODULES | WANT_MEMORY | WANT_VIDEO);
    if (unknown)
        return boot_fail(error,
                         "this multiboot kernel requires features that "
                         "do not exist (header flags %#x)",
                         unknown);
    if (size > UINT32_MAX)
        return boot_fail(error, "this kernel is too large");
    int result = image->flags & HAS_ADDRESSES
                     ? parse_addresses(data, size, at, image, error)
                     : parse_elf(data, size, image, error);
    return result < 0 ? -1 : check_places(image, error);
}

/* Placing. -------------------------------------------------------------- */

static int copy_segments(struct boot_plan *plan,
                         const struct multiboot_image *image)
{
    const uint32_t kernel = (uint32_t)BOOT_KERNEL_DATA << 16;
    const uint32_t nothing = (uint32_t)BOOT_KEY_NONE << 16;

    for (unsigned i = 0; i < image->segments; i++) {
        const struct multiboot_segment *s = &image->segment[i];
        uint32_t zeros = s->memory_bytes - s->file_bytes;
        if (s->file_bytes &&
            (boot_plan_step(plan, kernel | BOOT_STEP_SELECT | BOOT_STEP_SKIP,
                            s->offset, 0) < 0 ||
             boot_plan_step(plan, BOOT_STEP_READ, s->file_bytes, s->gpa) < 0))
            return -1;
        if (zeros &&
            boot_plan_step(plan, nothing | BOOT_STEP_SELECT | BOOT_STEP_READ,
                           zeros, s->gpa + s->file_bytes) < 0)
            return -1;
    }
    return 0;
}

/* A gap for the information below 640 KiB; 0 when there is none. */
static uint32_t find_gap(const struct multiboot_image *image, size_t size)
{
    for (uint32_t at = LOWEST_GPA; at + size <= INFO_END_GPA;
         at += PAGE_BYTES) {
        bool free_here = true;
        for (unsigned i = 0; i < image->segments; i++) {
            const struct multiboot_segment *s = &image->segment[i];
            if (s->gpa < at + size && at < s->gpa + s->memory_bytes)
                free_here = false;
        }
        if (free_here)
            return at;
    }
    return 0;
}

struct info {
    struct image bytes;
    uint32_t gpa;
    size_t used; /* strings go here */
};

static uint32_t info_string(struct info *info, const char *text)
{
    size_t length = strlen(text) + 1;
    uint32_t gpa = info->gpa + (uint32_t)info->used;

    memcpy(info->bytes.data + info->used, text, length);
    info->used += length;
    return gpa;
}

/* Modules follow the kernel, each on a page of its own. */
static int place_modules(struct boot_plan *plan,
                         const struct multiboot_image *image,
                         const struct multiboot_module *modules, unsigned count,
                         uint64_t top, struct info *info, struct image *all,
                         struct boot_error *error)
{
    uint64_t at = MIB;

    for (unsigned i = 0; i < image->segments; i++)
        if (image->segment[i].gpa + (uint64_t)image->segment[i].memory_bytes >
            at)
            at = image->segment[i].gpa +
                 (uint64_t)image->segment[i].memory_bytes;
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct image *module = &modules[i].image;
        at = (at + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES;
        if (at + module->size > top)
            return boot_fail(error,
                             "module \"%.80s\" does not fit below %llu "
                             "MiB; use a larger -m",
                             modules[i].text, (unsigned long long)(top >> 20));
        memcpy(all->data + used, module->data, module->size);
        used += module->size;
        uint32_t control = BOOT_STEP_READ;
        if (i == 0)
            control |= (uint32_t)BOOT_INITRD_DATA << 16 | BOOT_STEP_SELECT;
        if (boot_plan_step(plan, control, (uint32_t)module->size,
                           (uint32_t)at) < 0)
            return boot_fail(error, "there are too many modules");
        uint8_t *entry =
            info->bytes.data + INFO_MODULES_OFFSET + i * MODULE_ENTRY_BYTES;
        put_le32(entry, (uint32_t)at);
        put_le32(entry + 4, (uint32_t)(at + module->size));
        put_le32(entry + 8, info_string(info, modules[i].text));
        put_le32(entry + 12, 0);
        at += module->size;
    }
    return 0;
}

static void fill_info(struct info *info, const struct multiboot_image *image,
                      const char *cmdline, unsigned module_count)
{
    uint8_t *p = info->bytes.data;
    uint32_t flags = INFO_MEMORY | INFO_BOOT_DEVICE | INFO_CMDLINE |
                     INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME;

    if (image->flags & WANT_VIDEO) {
        /* The colour text screen that the BIOS leaves. */
        flags |= INFO_FRAMEBUFFER;
        put_le32(p + MBI_FB_ADDR, 0xB8000);
        put_le32(p + MBI_FB_PITCH, 160);
        put_le32(p + MBI_FB_WIDTH, 80);
        put_le32(p + MBI_FB_HEIGHT, 25);
        p[MBI_FB_BPP] = 16;
        p[MBI_FB_TYPE] = 2;
    }
    put_le32(p + MBI_FLAGS, flags);
    put_le32(p + MBI_BOOT_DEVICE, BOOT_DEVICE_UNKNOWN);
    put_le32(p + MBI_CMDLINE, info_string(info, cmdline));
    put_le32(p + MBI_MODS_COUNT, module_count);
    put_le32(p + MBI_MODS_ADDR, info->gpa + INFO_MODULES_OFFSET);
    put_le32(p + MBI_MMAP_ADDR, info->gpa + INFO_MMAP_OFFSET);
    put_le32(p + MBI_LOADER_NAME, info_string(info, LOADER_NAME));
}

static int make_info(struct info *info, const struct multiboot_image *image,
                     const char *cmdline,
                     const struct multiboot_module *modules, unsigned count,
                     struct boot_error *error)
{
    size_t size = INFO_MODULES_OFFSET + count * MODULE_ENTRY_BYTES +
                  strlen(cmdline) + 1 + sizeof(LOADER_NAME);

    for (unsigned i = 0; i < count; i++)
        size += strlen(modules[i].text) + 1;
    info->gpa = find_gap(image, size);
    if (info->gpa == 0)
        return boot_fail(error,
                         "there is no room below 576 KiB for %zu bytes "
                         "of command lines; shorten them, or link the "
                         "kernel at 1 MiB",
                         size);
    info->bytes.data = calloc(1, size);
    if (!info->bytes.data)
        return boot_fail(error, "out of memory");
    info->bytes.size = size;
    info->used = INFO_MODULES_OFFSET + count * MODULE_ENTRY_BYTES;
    return 0;
}

static int check_memory(const struct multiboot_image *image, uint64_t top,
                        struct boot_error *error)
{
    for (unsigned i = 0; i < image->segments; i++) {
        uint64_t end =
            image->segment[i].gpa + (uint64_t)image->segment[i].memory_bytes;
        if (end > top)
            return boot_fail(error,
                             "this kernel needs memory up to %llu MiB; "
                             "use a larger -m",
                             (unsigned long long)((end + 2 * MIB - 1) >> 20));
    }
    return 0;
}

int multiboot_plan(struct boot_plan *plan, const struct multiboot_image *image,
                   struct image *kernel, const char *cmdline,
                   const struct multiboot_module *modules,
                   unsigned module_count, uint64_t low_ram_bytes,
                   struct boot_error *error)
{
    uint64_t top = low_ram_bytes > BOOT_TOP_RESERVE_BYTES
                       ? low_ram_bytes - BOOT_TOP_RESERVE_BYTES
                       : 0;
    struct info info = {0};
    struct image all = {0};
    int result = -1;

    plan->kind = BOOT_MULTIBOOT;
    plan->entry = image->entry;
    for (unsigned i = 0; i < module_count; i++)
        all.size += modules[i].image.size;
    if (check_memory(image, top, error) < 0 ||
        make_info(&info, image, cmdline, modules, module_count, error) < 0)
        goto out;
    if (all.size > UINT32_MAX || (all.size && !(all.data = malloc(all.size)))) {
        boot_fail(error, "out of memory for the modules");
        goto out;
    }
    plan->info = info.gpa;
    if (copy_segments(plan, image) < 0) {
        boot_fail(error, "this kernel has too many segments");
        goto out;
    }
    if (place_modules(plan, image, modules, module_count, top, &info, &all,
                      error) < 0)
        goto out;
    fill_info(&info, image, cmdline, module_count);
    if (boot_plan_step(plan,
                       (uint32_t)BOOT_SETUP_DATA << 16 | BOOT_STEP_SELECT |
                           BOOT_STEP_READ,
                       (uint32_t)info.bytes.size, info.gpa) < 0 ||
        boot_plan_blob(plan, BOOT_SETUP_DATA, &info.bytes) < 0 ||
        boot_plan_blob(plan, BOOT_KERNEL_DATA, kernel) < 0 ||
        (all.data && boot_plan_blob(plan, BOOT_INITRD_DATA, &all) < 0)) {
        boot_fail(error, "there are too many pieces to load");
        goto out;
    }
    result = 0;
out:
    image_free(&info.bytes);
    image_free(&all);
    image_free(kernel);
    return result;
}
