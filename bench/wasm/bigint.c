/* Big integers of 2,048 bits: schoolbook multiplication and reduction modulo a number of the form
 * 2^2048 - c. */
#include "bench.h"

enum { WORDS = 64 };
static const uint32_t c = 942087;

static void multiply(uint32_t out[2 * WORDS], const uint32_t a[WORDS], const uint32_t b[WORDS])
{
    for (int i = 0; i < 2 * WORDS; i++)
        out[i] = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < WORDS; j++) {
            carry += (uint64_t)a[i] * b[j] + out[i + j];
            out[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        out[i + WORDS] = (uint32_t)carry;
    }
}
/* high · 2^2048 + low ≡ high · c + low */
static void reduce(uint32_t out[WORDS], const uint32_t wide[2 * WORDS])
{
    uint64_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)wide[WORDS + i] * c + wide[i];
        out[i] = (uint32_t)carry;
        carry >>= 32;
    }
    while (carry) {
        carry *= c;
        for (int i = 0; i < WORDS && carry; i++) {
            carry += out[i];
            out[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
}

EXPORT
{
    uint32_t a[WORDS], b[WORDS], wide[2 * WORDS];
    random_seed(11);
    for (int i = 0; i < WORDS; i++)
        a[i] = random_next(), b[i] = random_next();
    for (uint32_t n = 0; n < rounds * 100; n++) {
        multiply(wide, a, b);
        reduce(a, wide);
    }
    uint32_t sum = 0;
    for (int i = 0; i < WORDS; i++)
        sum = mix(sum, a[i]);
    return sum;
}
