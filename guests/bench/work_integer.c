/*
 * Integer workloads: what stays in registers, or in a table that fits a cache.
 */
#include "guests/bench/workloads.h"

/* A hash's finaliser, over and over: each operation waits for the last one. */
uint64_t work_int_mix(uint8_t *arena)
{
    uint64_t x = 0x9E3779B97F4A7C15u;

    (void)arena;
    for (uint32_t i = 0; i < 16000000; i++) {
        x ^= x >> 33;
        x *= 0xFF51AFD7ED558CCDu;
        x = (x << 27 | x >> 37) + i;
        x ^= x >> 29 & ~(x << 3);
        x -= x << 11;
    }
    return x;
}

uint64_t work_sieve(uint8_t *arena)
{
    const uint32_t limit = 1500000;
    uint64_t sum = 0;

    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < limit; i++)
            arena[i] = 1;
        for (uint32_t i = 2; i * i < limit; i++) {
            if (!arena[i])
                continue;
            for (uint32_t k = i * i; k < limit; k += i)
                arena[k] = 0;
        }
        for (uint32_t i = 2; i < limit; i++) {
            if (arena[i])
                sum += i + round;
        }
    }
    return sum;
}

uint64_t work_matmul_int(uint8_t *arena)
{
    enum { SIDE = 128 };
    int32_t *a = (int32_t *)arena, *b = a + SIDE * SIDE, *c = b + SIDE * SIDE;
    uint64_t sum = 0;

    for (int i = 0; i < SIDE * SIDE; i++) {
        a[i] = i % 97 - 48;
        b[i] = i % 89 - 44;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < SIDE; i++) {
            for (int k = 0; k < SIDE; k++) {
                int32_t cell = 0;

                for (int j = 0; j < SIDE; j++)
                    cell += a[i * SIDE + j] * b[j * SIDE + k];
                c[i * SIDE + k] = cell;
            }
        }
        for (int i = 0; i < SIDE * SIDE; i++) {
            sum = sum * 31 + (uint32_t)c[i];
            a[i] = c[i] & 0xFF;
        }
    }
    return sum;
}

static uint32_t rotate_right(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* FIPS 180-4: 64 rounds over a block of 64 bytes. */
static void sha256_block(uint32_t state[8], const uint32_t k[64],
                         const uint8_t *block)
{
    uint32_t w[64], s[8];

    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];

        w[i] = w[i - 16] + w[i - 7] +
               (rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3) +
               (rotate_right(y, 17) ^ rotate_right(y, 19) ^ y >> 10);
    }
    for (int i = 0; i < 8; i++)
        s[i] = state[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t1 =
            s[7] +
            (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
            ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
        uint32_t t2 =
            (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
            ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

        for (int j = 7; j > 0; j--)
            s[j] = s[j - 1];
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

/*
 * The fraction of a prime's square or cube root, 32 bits of it: that is where
 * SHA-256's constants come from. The root times 2^32 is below 2^36, its cube
 * below 2^108.
 */
static uint32_t root_fraction(uint32_t prime, unsigned root)
{
    uint64_t low = 0, high = 1ull << 36;

    while (high - low > 1) {
        uint64_t mid = low + (high - low) / 2;
        unsigned __int128 power = (unsigned __int128)mid * mid;

        if (root == 3)
            power *= mid;
        if (power > (unsigned __int128)prime << 32 * root)
            high = mid;
        else
            low = mid;
    }
    return (uint32_t)low;
}

uint64_t work_sha256(uint8_t *arena)
{
    const uint32_t bytes = 1u << 18;
    uint32_t k[64], state[8], prime = 2;

    for (int count = 0; count < 64; prime++) {
        uint32_t divisor = 2;

        while (divisor * divisor <= prime && prime % divisor)
            divisor++;
        if (divisor * divisor <= prime)
            continue;
        if (count < 8)
            state[count] = root_fraction(prime, 2);
        k[count++] = root_fraction(prime, 3);
    }
    for (uint32_t i = 0; i < bytes; i++)
        arena[i] = (uint8_t)(i * 7 + (i >> 8));
    for (int round = 0; round < 15; round++) {
        for (uint32_t i = 0; i < bytes; i += 64)
            sha256_block(state, k, arena + i);
    }
    return (uint64_t)state[0] << 32 | state[7];
}

uint64_t work_crc32(uint8_t *arena)
{
    uint32_t *table = (uint32_t *)arena, crc = ~0u;
    uint8_t *data = arena + 4096;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
        table[i] = c;
    }
    for (uint32_t i = 0; i < 1u << 20; i++)
        data[i] = (uint8_t)(i ^ i >> 7);
    for (int round = 0; round < 12; round++) {
        for (uint32_t i = 0; i < 1u << 20; i++)
            crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xFF];
    }
    return ~crc;
}

uint64_t work_div_mul(uint8_t *arena)
{
    uint64_t x = 88172645463325252u, sum = 0;

    (void)arena;
    for (uint32_t i = 0; i < 6000000; i++) {
        unsigned __int128 product;
        int32_t small;

        x = next_random(x);
        product = (unsigned __int128)x * (x >> 3 | 1);
        sum += (uint64_t)(product >> 64) ^ (uint64_t)product;
        sum += x / ((x >> 37) + 3) + x % ((x >> 50) + 1);
        small = (int32_t)x / ((int32_t)(x >> 40) | 1);
        sum ^= (uint32_t)small;
    }
    return sum;
}

/* Collatz: whether a step is taken depends on nothing that can be guessed. */
uint64_t work_branchy(uint8_t *arena)
{
    uint64_t steps = 0, top = 0;

    (void)arena;
    for (uint64_t start = 1; start < 250000; start++) {
        uint64_t n = start;

        while (n != 1) {
            if (n & 1)
                n = 3 * n + 1;
            else
                n /= 2;
            if (n > top)
                top = n;
            steps++;
        }
    }
    return steps ^ top;
}

uint64_t work_bits(uint8_t *arena)
{
    uint64_t x = 0x123456789ABCDEFu, sum = 0;

    (void)arena;
    for (uint32_t i = 0; i < 10000000; i++) {
        uint64_t y, r;

        x = next_random(x);
        y = x - (x >> 1 & 0x5555555555555555u);
        y = (y & 0x3333333333333333u) + (y >> 2 & 0x3333333333333333u);
        y = (y + (y >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
        sum += y * 0x0101010101010101u >> 56;
        sum += (uint64_t)__builtin_ctzll(x) * 3;
        sum ^= (uint64_t)__builtin_clzll(x);
        r = __builtin_bswap64(x);
        r = (r >> 4 & 0x0F0F0F0F0F0F0F0Fu) | (r & 0x0F0F0F0F0F0F0F0Fu) << 4;
        sum += r >> (x & 63);
        /* BT and CMOV, which the compiler would write some other way */
        __asm__("btq %2, %1\n\tcmovcq %1, %0"
                : "+r"(r)
                : "r"(sum), "r"(x & 63)
                : "cc");
        sum += r;
    }
    return sum;
}

/* Fibonacci numbers of 4096 bits, by chains of ADC. */
uint64_t work_bignum(uint8_t *arena)
{
    enum { WORDS = 64 };
    uint64_t *a = (uint64_t *)arena, *b = a + WORDS;

    for (int i = 0; i < WORDS; i++)
        a[i] = b[i] = 0;
    b[0] = 1;
    for (uint32_t i = 0; i < 250000; i++) {
        uint64_t *sum = a, count = WORDS;
        const uint64_t *term = b;

        /* INC, DEC and LEA leave the carry alone: the chain hangs on that */
        __asm__ volatile("clc\n"
                         "1:\tmovq (%1), %%rax\n\t"
                         "adcq %%rax, (%0)\n\t"
                         "leaq 8(%0), %0\n\t"
                         "leaq 8(%1), %1\n\t"
                         "decq %2\n\t"
                         "jnz 1b"
                         : "+r"(sum), "+r"(term), "+r"(count)
                         :
                         : "rax", "cc", "memory");
        term = a;
        a = b;
        b = (uint64_t *)(uintptr_t)term;
    }
    return a[0] ^ a[WORDS - 1] ^ b[WORDS / 2];
}
