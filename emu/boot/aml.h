/*
 * An emitter of ACPI machine language: one function a term, bytes appended to
 * a growing buffer. It knows the encoding (ACPI 6.4, chapters 20 and 6.4), not
 * the meaning; acpi.c writes the definition block with it.
 *
 * Terms that contain others are opened and closed:
 *
 *     size_t dev = aml_device(aml, "COM1");
 *     aml_name_integer(aml, "_UID", 1);
 *     aml_close(aml, dev);
 *
 * Errors (memory, a name that is none, a package that is too long) stick:
 * aml->failed is set and the bytes mean nothing any more.
 */
#ifndef EMU_BOOT_AML_H
#define EMU_BOOT_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
    uint8_t *data; /* malloc'd */
    size_t size, capacity;
    bool failed;
};

void aml_free(struct aml *aml);

/* Raw bytes, and little-endian numbers of `size` bytes. */
void aml_bytes(struct aml *aml, const void *data, size_t size);
void aml_number(struct aml *aml, uint64_t value, unsigned size);

/* Data: the shortest integer, a string, and a NameString: "\\_SB.PCI0",
 * "^PRQ0", "_STA"; segments are 1 to 4 characters, padded with '_'. */
void aml_integer(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text);
void aml_path(struct aml *aml, const char *path);
/* "PNP0A03" as the integer that _HID holds. */
uint32_t aml_eisa_id(const char *id);

/* Terms that contain others; each returns what aml_close() takes. */
size_t aml_scope(struct aml *aml, const char *path);
size_t aml_device(struct aml *aml, const char *path);
size_t aml_method(struct aml *aml, const char *path, unsigned args,
                  bool serialized);
size_t aml_package(struct aml *aml, uint8_t elements);
size_t aml_if(struct aml *aml); /* the predicate is emitted next */
size_t aml_else(struct aml *aml);
/* Elements: aml_field_unit() and aml_field_skip(). */
size_t aml_field(struct aml *aml, const char *region, uint8_t flags);
void aml_close(struct aml *aml, size_t mark);

/* Field flags: byte accesses, no lock, preserve the other bits. */
enum { AML_FIELD_BYTE = 0x01 };
void aml_field_unit(struct aml *aml, const char *name, unsigned bits);

enum aml_space { AML_SYSTEM_MEMORY, AML_SYSTEM_IO, AML_PCI_CONFIG };
void aml_operation_region(struct aml *aml, const char *name,
                          enum aml_space space, uint64_t offset,
                          uint64_t length);
/* Processor (ACPI 1.0 16.2.3.4.1.11), empty. */
void aml_processor(struct aml *aml, const char *path, uint8_t id);

void aml_name(struct aml *aml, const char *path); /* the object follows */
void aml_name_integer(struct aml *aml, const char *path, uint64_t value);
void aml_name_string(struct aml *aml, const char *path, const char *text);
void aml_name_eisa(struct aml *aml, const char *path, const char *id);

/* Statements and expressions, prefix: the operands follow. */
enum aml_op {
    AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_LOCAL0 = 0x60,
    AML_ARG0 = 0x68, AML_STORE = 0x70, AML_AND = 0x7B, AML_OR = 0x7D,
    AML_CREATE_DWORD_FIELD = 0x8A, AML_LESS = 0x95, AML_RETURN = 0xA4,
};
void aml_op(struct aml *aml, enum aml_op op);

/* A resource template (ACPI 6.4, 6.4) as a buffer; close it with
 * aml_resources_close(). */
size_t aml_resources(struct aml *aml);
void aml_resources_close(struct aml *aml, size_t mark);
/* IO (Decode16, base, base, 1, length). */
void aml_io(struct aml *aml, uint16_t base, uint8_t length);
/* IRQNoFlags () {irq}; DMA (Compatibility, NotBusMaster, Transfer8). */
void aml_irq(struct aml *aml, unsigned irq);
void aml_dma(struct aml *aml, unsigned channel);
/* Memory32Fixed. */
void aml_memory32(struct aml *aml, bool writable, uint32_t base,
                  uint32_t length);
/* Interrupt (ResourceConsumer, Level, ActiveHigh, Shared). */
void aml_interrupts(struct aml *aml, const uint32_t *irqs, uint8_t count);
/* Windows that a bridge passes on, first to last inclusive. */
void aml_window_bus(struct aml *aml, uint16_t first, uint16_t last);
void aml_window_io(struct aml *aml, uint16_t first, uint16_t last);
void aml_window_memory(struct aml *aml, bool cacheable, uint32_t first,
                       uint32_t last);

#endif
