/* The Internet checksum (RFC 1071) of packets of every length, bytes taken big-endian. */
#include "bench.h"

static uint8_t data[2048];

static uint16_t checksum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (; n > 1; n -= 2, p += 2)
        sum += (uint32_t)p[0] << 8 | p[1];
    if (n)
        sum += (uint32_t)p[0] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

EXPORT
{
    random_seed(3);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)random_next();
    uint32_t sum = 0;
    while (rounds--)
        for (size_t n = 20; n <= 1500; n += 7)
            sum = mix(sum, checksum(data + (n & 15), n));
    return sum;
}
