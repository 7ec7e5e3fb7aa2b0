/* UTF-8: validate and decode mixed text, count code points by class. */
#include "bench.h"

enum { SIZE = 65536 };
static uint8_t text[SIZE + 4];
static size_t length;

static void make_text(void)
{
    random_seed(9);
    size_t n = 0;
    while (n + 4 <= SIZE) {
        uint32_t r = random_next(), c = r >> 8;
        if (r % 8 < 5) {
            text[n++] = (uint8_t)(32 + c % 95);
        } else if (r % 8 == 5) {
            c = 0x80 + c % 0x780;
            text[n++] = (uint8_t)(0xc0 | c >> 6);
            text[n++] = (uint8_t)(0x80 | (c & 63));
        } else if (r % 8 == 6) {
            c = 0x800 + c % 0xc000;
            text[n++] = (uint8_t)(0xe0 | c >> 12);
            text[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
            text[n++] = (uint8_t)(0x80 | (c & 63));
        } else {
            c = 0x10000 + c % 0x100000;
            text[n++] = (uint8_t)(0xf0 | c >> 18);
            text[n++] = (uint8_t)(0x80 | (c >> 12 & 63));
            text[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
            text[n++] = (uint8_t)(0x80 | (c & 63));
        }
    }
    length = n;
}

/* The code point at P and its length, or length 0 when malformed. */
static uint32_t decode(const uint8_t *p, const uint8_t *end, size_t *used)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = *p;
    if (lead < 0x80) {
        *used = 1;
        return lead;
    }
    size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    *used = 0;
    if (lead < 0xc2 || lead > 0xf4 || n > (size_t)(end - p))
        return 0;
    uint32_t c = lead & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 63);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *used = n;
    return c;
}

EXPORT
{
    make_text();
    uint32_t sum = 0;
    while (rounds--) {
        uint32_t classes[4] = {0}, bad = 0;
        for (size_t at = 0, used; at < length; at += used) {
            uint32_t c = decode(text + at, text + length, &used);
            if (!used) {
                bad++;
                used = 1;
                continue;
            }
            classes[c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3] += c & 15;
        }
        for (int i = 0; i < 4; i++)
            sum = mix(sum, classes[i] + bad);
    }
    return sum;
}
