/*
 * Floating-point and vector workloads. The results are exact to the bit: SSE
 * and x87 arithmetic is IEEE 754, and the code is compiled without any licence
 * to reorder or to fuse.
 */
#include "guests/bench/workloads.h"

#include <emmintrin.h>

uint64_t work_mandelbrot(uint8_t *arena)
{
    enum { WIDTH = 240, HEIGHT = 160, LIMIT = 200 };
    uint64_t sum = 0;

    (void)arena;
    for (int row = 0; row < HEIGHT; row++) {
        for (int column = 0; column < WIDTH; column++) {
            double cr = -2.0 + 3.0 * column / WIDTH;
            double ci = -1.0 + 2.0 * row / HEIGHT;
            double r = 0, i = 0;
            uint32_t n = 0;

            while (n < LIMIT && r * r + i * i < 4.0) {
                double t = r * r - i * i + cr;

                i = 2 * r * i + ci;
                r = t;
                n++;
            }
            sum = sum * 31 + n;
        }
    }
    return sum;
}

/* A filter of 16 taps over single-precision samples, with conversions. */
uint64_t work_float_filter(uint8_t *arena)
{
    enum { TAPS = 16, SAMPLES = 8192 };
    float *in = (float *)arena, *out = in + SAMPLES, tap[TAPS];
    uint64_t sum = 0;

    for (int i = 0; i < TAPS; i++)
        tap[i] = 1.0f / (float)(i + 3);
    for (int i = 0; i < SAMPLES; i++)
        in[i] = (float)(i * 37 % 1001 - 500) / 7.0f;
    for (int round = 0; round < 80; round++) {
        for (int i = 0; i < SAMPLES - TAPS; i++) {
            float y = 0;

            for (int k = 0; k < TAPS; k++)
                y += in[i + k] * tap[k];
            out[i] = y;
        }
        for (int i = 0; i < SAMPLES - TAPS; i++) {
            sum += (uint64_t)(int64_t)(out[i] * 1000.0f);
            in[i] = out[i] * 0.5f;
        }
    }
    return sum;
}

/* 80-bit arithmetic on the x87 stack: a continued fraction, and roots. */
uint64_t work_x87_divide(uint8_t *arena)
{
    union {
        long double value;
        uint64_t significand;
    } result = {0};
    uint64_t sum = 0;

    (void)arena;
    for (uint32_t i = 1; i < 60000; i++) {
        long double x = 1;

        for (uint32_t k = 20; k > 0; k--)
            x = k + i / (k + x);
        __asm__("fsqrt" : "+t"(x));
        result.value = x;
        sum = sum * 31 + result.significand;
    }
    return sum;
}

uint64_t work_sse2_int(uint8_t *arena)
{
    enum { VECTORS = 1024 };
    __m128i *data = (__m128i *)arena, total = _mm_setzero_si128();
    const __m128i odd = _mm_set1_epi16(0x00FF), step = _mm_set1_epi32(40503);
    uint64_t half[2];

    for (uint32_t i = 0; i < VECTORS * 4; i++)
        ((uint32_t *)arena)[i] = i * 2654435761u;
    for (uint32_t round = 0; round < 2000; round++) {
        for (uint32_t i = 0; i < VECTORS; i++) {
            __m128i v = _mm_load_si128(data + i);
            __m128i even = _mm_and_si128(v, odd);

            even = _mm_packus_epi16(even, _mm_srli_epi16(v, 8));
            even = _mm_adds_epu8(even, _mm_shuffle_epi32(v, 0x1B));
            v = _mm_add_epi32(_mm_xor_si128(v, even), step);
            v = _mm_mullo_epi16(v, _mm_unpacklo_epi8(even, v));
            total = _mm_add_epi64(total, _mm_sad_epu8(v, even));
            total = _mm_xor_si128(total, _mm_cmpgt_epi32(v, even));
            _mm_store_si128(data + i, v);
        }
    }
    _mm_storeu_si128((__m128i *)half, total);
    return half[0] ^ (half[1] << 1 | half[1] >> 63);
}
