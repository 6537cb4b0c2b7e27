/* The same instruction on the emulated CPU: see native.h. */
#ifndef TESTS_ISA_EMULATED_H
#define TESTS_ISA_EMULATED_H

#include "tests/isa/native.h"

struct machine;

/* A machine of RAM only, its CPU in user mode, flat, every page mapped. NULL
 * when out of memory. */
struct machine *emulated_new(void);
void emulated_free(struct machine *machine);
/* As native_run(). Data at NATIVE_DATA is copied in from `data` and out. */
void emulated_run(struct machine *machine, const uint8_t *code, size_t size,
                  bool code32, const struct isa_state *in, uint8_t *data,
                  struct isa_result *out);

#endif
