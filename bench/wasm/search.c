/* Substring search: Boyer-Moore-Horspool and plain scanning for many needles in 64 KiB. */
#include "bench.h"

enum { SIZE = 65536, NEEDLE = 9 };
static uint8_t hay[SIZE];

static size_t horspool(const uint8_t *h, size_t n, const uint8_t *needle, size_t m)
{
    size_t skip[256], hits = 0;
    for (int i = 0; i < 256; i++)
        skip[i] = m;
    for (size_t i = 0; i + 1 < m; i++)
        skip[needle[i]] = m - 1 - i;
    for (size_t at = 0; at + m <= n; at += skip[h[at + m - 1]]) {
        size_t i = m;
        while (i && h[at + i - 1] == needle[i - 1])
            i--;
        hits += i == 0;
    }
    return hits;
}
static size_t plain(const uint8_t *h, size_t n, const uint8_t *needle, size_t m)
{
    size_t hits = 0;
    for (size_t at = 0; at + m <= n; at++) {
        size_t i = 0;
        while (i < m && h[at + i] == needle[i])
            i++;
        hits += i == m;
    }
    return hits;
}

EXPORT
{
    random_seed(10);
    for (size_t i = 0; i < SIZE; i++)
        hay[i] = (uint8_t)("abcdefgh"[random_next() % 8]);
    uint32_t sum = 0;
    while (rounds--) {
        size_t at = random_next() % (SIZE - NEEDLE);
        sum = mix(sum, (uint32_t)horspool(hay, SIZE, hay + at, NEEDLE));
        sum = mix(sum, (uint32_t)plain(hay, SIZE, hay + at, 5));
    }
    return sum;
}
