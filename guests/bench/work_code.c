/*
 * Workloads about control flow: calls, indirect jumps, and code that is
 * written while it runs.
 */
#include "guests/bench/workloads.h"

static int compare_up(const uint32_t *a, const uint32_t *b)
{
    return *a < *b ? -1 : *a > *b;
}

static int compare_low_byte(const uint32_t *a, const uint32_t *b)
{
    uint32_t x = *a << 24 | *a >> 8, y = *b << 24 | *b >> 8;

    return x < y ? -1 : x > y;
}

static void sort(uint32_t *first, uint32_t *last,
                 int (*compare)(const uint32_t *, const uint32_t *))
{
    while (first < last) {
        uint32_t pivot = first[(last - first) / 2];
        uint32_t *low = first, *high = last;

        while (low <= high) {
            while (compare(low, &pivot) < 0)
                low++;
            while (compare(high, &pivot) > 0)
                high--;
            if (low <= high) {
                uint32_t swap = *low;

                *low++ = *high;
                *high-- = swap;
            }
        }
        if (high - first < last - low) { /* the short part by recursion */
            sort(first, high, compare);
            first = low;
        } else {
            sort(low, last, compare);
            last = high;
        }
    }
}

uint64_t work_quicksort(uint8_t *arena)
{
    const uint32_t count = 60000;
    /* volatile, or the compiler would sort without the pointer */
    int (*volatile compare[2])(const uint32_t *, const uint32_t *) = {
        compare_up, compare_low_byte};
    uint32_t *data = (uint32_t *)arena;
    uint64_t x = 11, sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        x = next_random(x);
        data[i] = (uint32_t)x;
    }
    for (uint32_t round = 0; round < 4; round++) {
        sort(data, data + count - 1, compare[round % 2]);
        for (uint32_t i = 0; i < count; i += 100)
            sum = sum * 31 + data[i];
    }
    return sum;
}

__attribute__((noinline, noclone)) static uint64_t fib(uint64_t n)
{
    if (n < 2)
        return n;
    return fib(n - 1) + fib(n - 2);
}

uint64_t work_fib(uint8_t *arena)
{
    uint64_t sum = 0;

    (void)arena;
    for (uint64_t n = 25; n < 33; n++)
        sum += fib(n);
    return sum;
}

/*
 * An interpreter in the interpreted machine: one register, computed jumps, and
 * a program whose branches depend on its data (Collatz steps of 1 to start).
 * An operand is the byte after the opcode: where to go on.
 */
uint64_t work_bytecode(uint8_t *arena)
{
    enum { LOAD, JUMP_EVEN, TRIPLE, HALVE, COUNT, JUMP_MORE, JUMP_NEXT, END };
    static const uint8_t program[] = {
        LOAD,              /* 0: n = start */
        JUMP_EVEN, 5,      /* 1 */
        TRIPLE,    COUNT,  /* 3: n = 3 * n + 1 */
        HALVE,     COUNT,  /* 5: n /= 2 */
        JUMP_MORE, 1,      /* 7: n != 1? */
        JUMP_NEXT, 0,      /* 9: --start != 0? */
        END,               /* 11 */
    };
    static const void *const labels[] = {&&load,  &&jump_even, &&triple,
                                         &&halve, &&count,     &&jump_more,
                                         &&jump_next, &&end};
    const uint8_t *pc = program;
    uint64_t start = 60000, n = 0, steps = 0;

    (void)arena;
#define NEXT goto *labels[*pc++]
    NEXT;
load:
    n = start;
    NEXT;
jump_even:
    pc = n & 1 ? pc + 1 : program + *pc;
    NEXT;
triple:
    n = 3 * n + 1;
    NEXT;
halve:
    n /= 2;
    NEXT;
count:
    steps += n & 0xFF;
    NEXT;
jump_more:
    pc = n != 1 ? program + *pc : pc + 1;
    NEXT;
jump_next:
    start--;
    pc = start ? program + *pc : pc + 1;
    NEXT;
end:
    return steps;
#undef NEXT
}

static uint64_t op_add(uint64_t a, uint64_t b)
{
    return a + b;
}

static uint64_t op_xor(uint64_t a, uint64_t b)
{
    return a ^ b;
}

static uint64_t op_rotate(uint64_t a, uint64_t b)
{
    return (a << 5 | a >> 59) + b;
}

static uint64_t op_mul(uint64_t a, uint64_t b)
{
    return a * (b | 1);
}

uint64_t work_indirect_calls(uint8_t *arena)
{
    static uint64_t (*const op[4])(uint64_t, uint64_t) = {op_add, op_xor,
                                                         op_rotate, op_mul};
    uint64_t x = 3, sum = 1;

    (void)arena;
    for (uint32_t i = 0; i < 4000000; i++) {
        x = next_random(x);
        sum = op[x >> 62](sum, x);
    }
    return sum;
}

/* MOV EAX, value; LEA EAX, [RDI + RAX]; RET */
static void emit_function(uint8_t *code, uint32_t value)
{
    code[0] = 0xB8;
    code[1] = (uint8_t)value;
    code[2] = (uint8_t)(value >> 8);
    code[3] = (uint8_t)(value >> 16);
    code[4] = (uint8_t)(value >> 24);
    code[5] = 0x8D;
    code[6] = 0x04;
    code[7] = 0x07;
    code[8] = 0xC3;
}

static uint32_t call_function(uint8_t *code, uint32_t argument)
{
    union {
        uint8_t *bytes;
        uint32_t (*function)(uint32_t);
    } pun = {code};

    __asm__ volatile("" : : : "memory"); /* what was written counts */
    return pun.function(argument);
}

/* The constant inside an instruction is changed before each of the calls. */
uint64_t work_self_modifying(uint8_t *arena)
{
    uint64_t sum = 0;

    emit_function(arena, 0);
    for (uint32_t i = 0; i < 30000; i++) {
        *(volatile uint32_t *)(arena + 1) = i * 2654435761u;
        sum += call_function(arena, i);
    }
    return sum;
}

/* Each piece of code is new, at a new place, and runs twice. */
uint64_t work_fresh_code(uint8_t *arena)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < 25000; i++) {
        uint8_t *code = arena + 64u * i;

        emit_function(code, i * 40503u);
        sum += call_function(code, i);
        sum = (sum << 1 | sum >> 63) ^ call_function(code, i + 1);
    }
    return sum;
}
