/*
 * The AML emitter (ACPI 6.4, 20.2): see aml.h.
 *
 * A PkgLength counts itself and takes 1 to 4 bytes, as many as its value
 * needs. So a term's contents are emitted first, and aml_close() moves them up
 * to make room. The marks of enclosing terms lie below and stay valid.
 *
 * Invariant: size <= capacity, and data is NULL only when both are 0.
 */
#include "emu/boot/aml.h"

#include <stdlib.h>
#include <string.h>

enum { EXT_PREFIX = 0x5B, EXT_REGION = 0x80, EXT_FIELD = 0x81,
       EXT_DEVICE = 0x82, EXT_PROCESSOR = 0x83 };
enum { OP_BYTE = 0x0A, OP_WORD = 0x0B, OP_DWORD = 0x0C, OP_STRING = 0x0D,
       OP_QWORD = 0x0E, OP_SCOPE = 0x10, OP_BUFFER = 0x11, OP_PACKAGE = 0x12,
       OP_METHOD = 0x14, OP_DUAL_NAME = 0x2E, OP_MULTI_NAME = 0x2F,
       OP_IF = 0xA0, OP_ELSE = 0xA1 };
#define PKG_MAX ((size_t)1 << 28)

static bool reserve(struct aml *aml, size_t more)
{
    size_t capacity = aml->capacity ? aml->capacity : 1024;
    uint8_t *data;

    if (aml->failed || more > PKG_MAX || aml->size > PKG_MAX) {
        aml->failed = true;
        return false;
    }
    while (capacity < aml->size + more)
        capacity *= 2;
    if (capacity == aml->capacity)
        return true;
    data = realloc(aml->data, capacity);
    if (!data) {
        aml->failed = true;
        return false;
    }
    aml->data = data;
    aml->capacity = capacity;
    return true;
}

void aml_free(struct aml *aml)
{
    free(aml->data);
    memset(aml, 0, sizeof(*aml));
}

void aml_bytes(struct aml *aml, const void *data, size_t size)
{
    if (!size || !reserve(aml, size))
        return;
    memcpy(aml->data + aml->size, data, size);
    aml->size += size;
}

void aml_number(struct aml *aml, uint64_t value, unsigned size)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> i * 8);
    aml_bytes(aml, bytes, size < 8 ? size : 8);
}

static void byte(struct aml *aml, unsigned value)
{
    aml_number(aml, value, 1);
}

void aml_op(struct aml *aml, enum aml_op op)
{
    byte(aml, (unsigned)op);
}

void aml_integer(struct aml *aml, uint64_t value)
{
    static const uint8_t prefix[] = {OP_BYTE, OP_WORD, OP_DWORD, OP_QWORD};
    unsigned log = 0;

    if (value <= 1) {
        byte(aml, (unsigned)value);
        return;
    }
    while (log < 3 && value >> (8u << log))
        log++;
    byte(aml, prefix[log]);
    aml_number(aml, value, 1u << log);
}

void aml_string(struct aml *aml, const char *text)
{
    byte(aml, OP_STRING);
    aml_bytes(aml, text, strlen(text) + 1);
}

/* One NameSeg, padded; returns what follows it. */
static const char *name_segment(struct aml *aml, const char *at)
{
    char segment[4] = {'_', '_', '_', '_'};
    unsigned n = 0;

    while (*at && *at != '.') {
        bool letter = *at == '_' || (*at >= 'A' && *at <= 'Z');
        bool digit = n && *at >= '0' && *at <= '9';

        if (n == 4 || !(letter || digit)) {
            aml->failed = true;
            return at + strlen(at);
        }
        segment[n++] = *at++;
    }
    if (!n)
        aml->failed = true;
    aml_bytes(aml, segment, 4);
    return at;
}

void aml_path(struct aml *aml, const char *path)
{
    unsigned segments = 1;

    while (*path == '\\' || *path == '^')
        byte(aml, (unsigned char)*path++);
    if (!*path) {
        byte(aml, 0); /* NullName */
        return;
    }
    for (const char *at = path; *at; at++)
        segments += *at == '.';
    if (segments == 2) {
        byte(aml, OP_DUAL_NAME);
    } else if (segments > 2) {
        byte(aml, OP_MULTI_NAME);
        byte(aml, segments & 0xFF);
    }
    for (unsigned i = 0; i < segments; i++) {
        path = name_segment(aml, path);
        if (*path == '.')
            path++;
    }
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10) & 15u;
}

/* Three letters of 5 bits and four hexadecimal digits, big-endian. */
uint32_t aml_eisa_id(const char *id)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 3 && id[i]; i++)
        value = value << 5 | ((uint32_t)(id[i] - 0x40) & 31u);
    for (unsigned i = 3; i < 7 && id[i]; i++)
        value = value << 4 | hex_digit(id[i]);
    return __builtin_bswap32(value);
}

/* --- Terms that contain others ----------------------------------------- */

/* Emits the opcode; the mark is where the PkgLength will go. */
static size_t open_term(struct aml *aml, bool extended, unsigned op)
{
    if (extended)
        byte(aml, EXT_PREFIX);
    byte(aml, op);
    return aml->size;
}

void aml_close(struct aml *aml, size_t mark)
{
    size_t length = aml->size - mark, total;
    uint8_t lead[4];
    unsigned count = 1;

    /* One byte holds 6 bits; n bytes hold 4 + 8 (n - 1). */
    if (length + 1 > 0x3F)
        for (count = 2; length + count >= (size_t)1 << (8 * count - 4);)
            if (++count > 4)
                break;
    if (count > 4 || !reserve(aml, count)) {
        aml->failed = true;
        return;
    }
    total = length + count;
    if (count == 1) {
        lead[0] = (uint8_t)total;
    } else {
        lead[0] = (uint8_t)((count - 1) << 6 | (total & 15));
        for (unsigned i = 1; i < count; i++)
            lead[i] = (uint8_t)(total >> (8 * i - 4));
    }
    memmove(aml->data + mark + count, aml->data + mark, length);
    memcpy(aml->data + mark, lead, count);
    aml->size += count;
}

size_t aml_scope(struct aml *aml, const char *path)
{
    size_t mark = open_term(aml, false, OP_SCOPE);

    aml_path(aml, path);
    return mark;
}

size_t aml_device(struct aml *aml, const char *path)
{
    size_t mark = open_term(aml, true, EXT_DEVICE);

    aml_path(aml, path);
    return mark;
}

size_t aml_method(struct aml *aml, const char *path, unsigned args,
                  bool serialized)
{
    size_t mark = open_term(aml, false, OP_METHOD);

    aml_path(aml, path);
    byte(aml, (args & 7u) | (serialized ? 8u : 0u));
    return mark;
}

size_t aml_package(struct aml *aml, uint8_t elements)
{
    size_t mark = open_term(aml, false, OP_PACKAGE);

    byte(aml, elements);
    return mark;
}

size_t aml_if(struct aml *aml)
{
    return open_term(aml, false, OP_IF);
}

size_t aml_else(struct aml *aml)
{
    return open_term(aml, false, OP_ELSE);
}

size_t aml_field(struct aml *aml, const char *region, uint8_t flags)
{
    size_t mark = open_term(aml, true, EXT_FIELD);

    aml_path(aml, region);
    byte(aml, flags);
    return mark;
}

void aml_field_unit(struct aml *aml, const char *name, unsigned bits)
{
    (void)name_segment(aml, name);
    /* Its width is encoded as a PkgLength; one byte will do here. */
    if (bits > 0x3F)
        aml->failed = true;
    byte(aml, bits & 0x3F);
}

void aml_operation_region(struct aml *aml, const char *name,
                          enum aml_space space, uint64_t offset,
                          uint64_t length)
{
    byte(aml, EXT_PREFIX);
    byte(aml, EXT_REGION);
    aml_path(aml, name);
    byte(aml, (unsigned)space);
    aml_integer(aml, offset);
    aml_integer(aml, length);
}

void aml_processor(struct aml *aml, const char *path, uint8_t id)
{
    size_t mark = open_term(aml, true, EXT_PROCESSOR);

    aml_path(aml, path);
    byte(aml, id);
    aml_number(aml, 0, 4); /* no P_BLK */
    byte(aml, 0);
    aml_close(aml, mark);
}

void aml_name(struct aml *aml, const char *path)
{
    aml_op(aml, AML_NAME);
    aml_path(aml, path);
}

void aml_name_integer(struct aml *aml, const char *path, uint64_t value)
{
    aml_name(aml, path);
    aml_integer(aml, value);
}

void aml_name_string(struct aml *aml, const char *path, const char *text)
{
    aml_name(aml, path);
    aml_string(aml, text);
}

void aml_name_eisa(struct aml *aml, const char *path, const char *id)
{
    aml_name_integer(aml, path, aml_eisa_id(id));
}

/* --- Resource templates ------------------------------------------------ */

size_t aml_resources(struct aml *aml)
{
    size_t mark = open_term(aml, false, OP_BUFFER);

    /* The buffer's size, as a word so that it can be filled in later. */
    byte(aml, OP_WORD);
    aml_number(aml, 0, 2);
    return mark;
}

void aml_resources_close(struct aml *aml, size_t mark)
{
    size_t size;

    byte(aml, 0x79); /* end tag, its checksum 0: not used */
    byte(aml, 0);
    if (aml->failed)
        return;
    size = aml->size - mark - 3;
    if (size > UINT16_MAX)
        aml->failed = true;
    aml->data[mark + 1] = (uint8_t)size;
    aml->data[mark + 2] = (uint8_t)(size >> 8);
    aml_close(aml, mark);
}

void aml_io(struct aml *aml, uint16_t base, uint8_t length)
{
    byte(aml, 0x47);
    byte(aml, 1); /* decodes 16 bits */
    aml_number(aml, base, 2);
    aml_number(aml, base, 2);
    byte(aml, 1);
    byte(aml, length);
}

void aml_irq(struct aml *aml, unsigned irq)
{
    byte(aml, 0x22);
    aml_number(aml, 1u << (irq & 15u), 2);
}

void aml_dma(struct aml *aml, unsigned channel)
{
    byte(aml, 0x2A);
    byte(aml, 1u << (channel & 7u));
    byte(aml, 0);
}

void aml_memory32(struct aml *aml, bool writable, uint32_t base,
                  uint32_t length)
{
    byte(aml, 0x86);
    aml_number(aml, 9, 2);
    byte(aml, writable);
    aml_number(aml, base, 4);
    aml_number(aml, length, 4);
}

void aml_interrupts(struct aml *aml, const uint32_t *irqs, uint8_t count)
{
    byte(aml, 0x89);
    aml_number(aml, 2u + 4u * count, 2);
    byte(aml, 0x09); /* consumer, shared */
    byte(aml, count);
    for (unsigned i = 0; i < count; i++)
        aml_number(aml, irqs[i], 4);
}

/* Address space descriptors: producer, minimum and maximum fixed, positive
 * decode. `width` is 2 (word) or 4 (dword). */
static void window(struct aml *aml, unsigned width, unsigned type,
                   unsigned type_flags, uint64_t first, uint64_t last)
{
    byte(aml, width == 2 ? 0x88 : 0x87);
    aml_number(aml, 3 + 5 * width, 2);
    byte(aml, type);
    byte(aml, 0x0C);
    byte(aml, type_flags);
    aml_number(aml, 0, width); /* granularity */
    aml_number(aml, first, width);
    aml_number(aml, last, width);
    aml_number(aml, 0, width); /* translation */
    aml_number(aml, last - first + 1, width);
}

void aml_window_bus(struct aml *aml, uint16_t first, uint16_t last)
{
    window(aml, 2, 2, 0, first, last);
}

void aml_window_io(struct aml *aml, uint16_t first, uint16_t last)
{
    window(aml, 2, 1, 3, first, last); /* the entire range, not ISA's only */
}

void aml_window_memory(struct aml *aml, bool cacheable, uint32_t first,
                       uint32_t last)
{
    window(aml, 4, 0, cacheable ? 3 : 1, first, last);
}
