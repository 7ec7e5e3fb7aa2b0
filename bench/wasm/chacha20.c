/* ChaCha20 (RFC 8439) keystream over 64 KiB. */
#include "bench.h"

static uint32_t rol(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

#define QUARTER(a, b, c, d)                                                                        \
    a += b, d = rol(d ^ a, 16), c += d, b = rol(b ^ c, 12), a += b, d = rol(d ^ a, 8), c += d,     \
            b = rol(b ^ c, 7)

static void block(uint32_t out[16], const uint32_t in[16])
{
    uint32_t x[16];
    for (int i = 0; i < 16; i++)
        x[i] = in[i];
    for (int i = 0; i < 10; i++) {
        QUARTER(x[0], x[4], x[8], x[12]);
        QUARTER(x[1], x[5], x[9], x[13]);
        QUARTER(x[2], x[6], x[10], x[14]);
        QUARTER(x[3], x[7], x[11], x[15]);
        QUARTER(x[0], x[5], x[10], x[15]);
        QUARTER(x[1], x[6], x[11], x[12]);
        QUARTER(x[2], x[7], x[8], x[13]);
        QUARTER(x[3], x[4], x[9], x[14]);
    }
    for (int i = 0; i < 16; i++)
        out[i] = x[i] + in[i];
}

static uint32_t text[16384];

EXPORT
{
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (uint32_t i = 4; i < 16; i++)
        state[i] = i * 0x01010101u;
    while (rounds--)
        for (size_t at = 0; at < 16384; at += 16) {
            uint32_t stream[16];
            block(stream, state);
            state[12]++;
            for (size_t i = 0; i < 16; i++)
                text[at + i] ^= stream[i];
        }
    uint32_t sum = 0;
    for (size_t i = 0; i < 16384; i++)
        sum = mix(sum, text[i]);
    return sum;
}
