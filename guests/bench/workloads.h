/*
 * The compute workloads of the bench guest, freestanding: no library, no
 * state but the arena. The same objects are linked into the guest (bench.elf)
 * and into a host program (bench-native), so the loops that are compared are
 * the same machine code, and so must the checksums be.
 *
 * Invariant: a workload initialises every byte of the arena it reads, and uses
 * no vectors beyond SSE2, no clock and no input: its checksum is a constant.
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include <stdint.h>

/* The size of the memory that a workload gets; page aligned and executable. */
#define ARENA_BYTES (8u << 20)

struct workload {
    const char *name;
    uint64_t (*run)(uint8_t *arena); /* returns a checksum */
};

/* Ends with an entry without a name. */
extern const struct workload compute_workloads[];

/* work_integer.c */
uint64_t work_int_mix(uint8_t *arena);
uint64_t work_sieve(uint8_t *arena);
uint64_t work_matmul_int(uint8_t *arena);
uint64_t work_sha256(uint8_t *arena);
uint64_t work_crc32(uint8_t *arena);
uint64_t work_div_mul(uint8_t *arena);
uint64_t work_branchy(uint8_t *arena);
uint64_t work_bits(uint8_t *arena);
uint64_t work_bignum(uint8_t *arena);

/* work_memory.c */
uint64_t work_pointer_chase(uint8_t *arena);
uint64_t work_rep_movsb(uint8_t *arena);
uint64_t work_rep_stosq(uint8_t *arena);
uint64_t work_string_ops(uint8_t *arena);
uint64_t work_byte_loop(uint8_t *arena);
uint64_t work_text_search(uint8_t *arena);
uint64_t work_hash_table(uint8_t *arena);
uint64_t work_tree(uint8_t *arena);
uint64_t work_list_alloc(uint8_t *arena);
uint64_t work_sse_copy(uint8_t *arena);

/* work_code.c */
uint64_t work_quicksort(uint8_t *arena);
uint64_t work_fib(uint8_t *arena);
uint64_t work_bytecode(uint8_t *arena);
uint64_t work_indirect_calls(uint8_t *arena);
uint64_t work_self_modifying(uint8_t *arena);
uint64_t work_fresh_code(uint8_t *arena);

/* work_float.c */
uint64_t work_mandelbrot(uint8_t *arena);
uint64_t work_x87_divide(uint8_t *arena);
uint64_t work_sse2_int(uint8_t *arena);
uint64_t work_float_filter(uint8_t *arena);

/* One step of xorshift64: pseudo-random, never 0 if x is not 0. */
static inline uint64_t next_random(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

#endif
