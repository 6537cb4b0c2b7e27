/*
 * The list of the compute workloads. See workloads.h.
 */
#include "guests/bench/workloads.h"

const struct workload compute_workloads[] = {
    {"int-mix", work_int_mix},
    {"sieve", work_sieve},
    {"matmul-int", work_matmul_int},
    {"pointer-chase", work_pointer_chase},
    {"quicksort", work_quicksort},
    {"fib", work_fib},
    {"bytecode", work_bytecode},
    {"indirect-calls", work_indirect_calls},
    {"rep-movsb", work_rep_movsb},
    {"rep-stosq", work_rep_stosq},
    {"string-ops", work_string_ops},
    {"byte-loop", work_byte_loop},
    {"text-search", work_text_search},
    {"crc32", work_crc32},
    {"sha256", work_sha256},
    {"hash-table", work_hash_table},
    {"tree", work_tree},
    {"list-alloc", work_list_alloc},
    {"div-mul", work_div_mul},
    {"branchy", work_branchy},
    {"bits", work_bits},
    {"bignum", work_bignum},
    {"mandelbrot", work_mandelbrot},
    {"float-filter", work_float_filter},
    {"x87-divide", work_x87_divide},
    {"sse2-int", work_sse2_int},
    {"sse-copy", work_sse_copy},
    {"self-modifying", work_self_modifying},
    {"fresh-code", work_fresh_code},
    {0, 0},
};
