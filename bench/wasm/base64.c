/* Base64 (RFC 4648): encode and decode 48 KiB. */
#include "bench.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static uint8_t reverse[256], data[49152], back[49152];
static char text[65536];

EXPORT
{
    random_seed(8);
    for (size_t i = 0; i < 64; i++)
        reverse[(uint8_t)alphabet[i]] = (uint8_t)i;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)random_next();
    uint32_t sum = 0;
    while (rounds--) {
        char *t = text;
        for (size_t i = 0; i < sizeof data; i += 3) {
            uint32_t w = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
            *t++ = alphabet[w >> 18];
            *t++ = alphabet[w >> 12 & 63];
            *t++ = alphabet[w >> 6 & 63];
            *t++ = alphabet[w & 63];
        }
        uint8_t *b = back;
        for (size_t i = 0; i < sizeof text; i += 4) {
            uint32_t w = (uint32_t)reverse[(uint8_t)text[i]] << 18 |
                         (uint32_t)reverse[(uint8_t)text[i + 1]] << 12 |
                         (uint32_t)reverse[(uint8_t)text[i + 2]] << 6 |
                         reverse[(uint8_t)text[i + 3]];
            *b++ = (uint8_t)(w >> 16);
            *b++ = (uint8_t)(w >> 8);
            *b++ = (uint8_t)w;
        }
        for (size_t i = 0; i < sizeof data; i += 64)
            sum = mix(sum, back[i] + (back[i] != data[i]) * 256u);
        data[rounds % sizeof data] ^= 1;
    }
    return sum;
}
