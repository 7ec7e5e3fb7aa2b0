/* An LZ77 compressor of the LZ4 kind (hash of four bytes, literals and matches) and its
 * decompressor. */
#include "bench.h"

enum { SIZE = 65536, HASH = 4096 };
static uint8_t source[SIZE], packed[SIZE + SIZE / 128 + 64], back[SIZE];
static uint32_t last[HASH];

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static uint8_t *put_length(uint8_t *out, size_t n)
{
    for (; n >= 255; n -= 255)
        *out++ = 255;
    *out++ = (uint8_t)n;
    return out;
}
static uint8_t *put_run(uint8_t *out, const uint8_t *literals, size_t count)
{
    out = put_length(out, count);
    for (size_t i = 0; i < count; i++)
        *out++ = literals[i];
    return out;
}

/* literals count, literals, match length - 4, distance (2 bytes), …; ends after literals. */
static size_t compress(void)
{
    for (int i = 0; i < HASH; i++)
        last[i] = 0;
    uint8_t *out = packed;
    size_t anchor = 0, at = 1;
    while (at + 4 <= SIZE) {
        uint32_t w = word(source + at), slot = w * 2654435761u >> 20;
        size_t candidate = last[slot];
        last[slot] = (uint32_t)at;
        if (at - candidate > 65535 || word(source + candidate) != w) {
            at++;
            continue;
        }
        size_t n = 4;
        while (at + n < SIZE && source[candidate + n] == source[at + n])
            n++;
        out = put_run(out, source + anchor, at - anchor);
        out = put_length(out, n - 4);
        *out++ = (uint8_t)(at - candidate);
        *out++ = (uint8_t)((at - candidate) >> 8);
        at += n;
        anchor = at;
    }
    out = put_run(out, source + anchor, SIZE - anchor);
    return (size_t)(out - packed);
}

static const uint8_t *get_length(const uint8_t *in, size_t *n)
{
    uint8_t byte;
    *n = 0;
    do
        *n += byte = *in++;
    while (byte == 255);
    return in;
}
static size_t decompress(size_t size)
{
    const uint8_t *in = packed, *end = packed + size;
    size_t at = 0;
    for (;;) {
        size_t n;
        in = get_length(in, &n);
        while (n--)
            back[at++] = *in++;
        if (in >= end)
            return at;
        in = get_length(in, &n);
        size_t from = at - (size_t)(in[0] | in[1] << 8);
        in += 2;
        for (n += 4; n--;)
            back[at++] = back[from++];
    }
}

EXPORT
{
    random_seed(13);
    for (size_t i = 0; i < SIZE;) { /* text-like: words from a small vocabulary */
        uint32_t id = random_next() % 500;
        uint32_t length = 2 + id % 9;
        for (uint32_t j = 0; j < length && i < SIZE; j++)
            source[i++] = (uint8_t)('a' + (id * 7 + j * 13 + id / (j + 1)) % 26);
        if (i < SIZE)
            source[i++] = ' ';
    }
    uint32_t sum = 0;
    while (rounds--) {
        size_t size = compress();
        size_t restored = decompress(size);
        sum = mix(mix(sum, (uint32_t)size), (uint32_t)restored);
        for (size_t i = 0; i < SIZE; i += 37)
            sum = mix(sum, back[i] + (back[i] != source[i]) * 256u);
        source[rounds % SIZE] ^= 1;
    }
    return sum;
}
