/* The internet checksum (RFC 1071), eight bytes at a time. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "arch/cc.h"

uint16_t net_checksum(const void *data, int len)
{
    const unsigned char *p = data;
    uint64_t sum = 0, carries = 0, word;
    size_t left = (size_t)len;
    /* 32-bit halves cannot overflow 64-bit accumulators for any frame. */
    while (left >= 32) {
        uint64_t w[4];
        memcpy(w, p, sizeof w);
        sum +=
            (w[0] & 0xffffffff) + (w[1] & 0xffffffff) + (w[2] & 0xffffffff) + (w[3] & 0xffffffff);
        carries += (w[0] >> 32) + (w[1] >> 32) + (w[2] >> 32) + (w[3] >> 32);
        p += 32;
        left -= 32;
    }
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        sum += word & 0xffffffff;
        carries += word >> 32;
    }
    if (left > 0) {
        word = 0;
        for (size_t i = 0; i < left; i++)
            word |= (uint64_t)p[i] << (8 * i);
        sum += word & 0xffffffff;
        carries += word >> 32;
    }
    sum += carries;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}
