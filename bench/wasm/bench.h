/* What every program of the compute benchmark shares: exact integer types, a deterministic source
 * of data, a checksum. A program defines `uint32_t run(uint32_t rounds)`, whose result depends on
 * all the work it did; the harness compares it with the value in programs.py and between engines.
 *
 * The same source is compiled for wasm32 without a libc and natively, where native.c times it. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
#define EXPORT __attribute__((export_name("run"))) uint32_t run(uint32_t rounds)
/* Compilers call these three on their own. */
__attribute__((weak)) void *memset(void *to, int c, size_t n)
{
    unsigned char *p = to;
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)c;
    return to;
}
__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    for (size_t i = 0; i < n; i++)
        t[i] = f[i];
    return to;
}
__attribute__((weak)) int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
#else
#include <string.h>
#define EXPORT uint32_t run(uint32_t rounds)
uint32_t run(uint32_t rounds);
#endif

/* xorshift: the same numbers everywhere. */
static uint32_t random_state = 2463534242u;
static inline void random_seed(uint32_t seed)
{
    random_state = seed ? seed : 1;
}
static inline uint32_t random_next(void)
{
    uint32_t x = random_state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return random_state = x;
}
static inline uint32_t mix(uint32_t sum, uint32_t value)
{
    return (sum ^ value) * 16777619u;
}
/* Folds a double in a way that forgives no wrong bit. */
static inline uint32_t mix_double(uint32_t sum, double value)
{
    union {
        double d;
        uint32_t w[2];
    } u = {.d = value};
    return mix(mix(sum, u.w[0]), u.w[1]);
}

#endif
