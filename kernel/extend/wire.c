/* The control protocol's frames: see wire.h. */
#include "extend/wire.h"

#include <errno.h>
#include <string.h>

int wire_read_all(const struct wire *wire, void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        int n = wire->read(wire->context, (uint8_t *)buffer + done, size - done);
        if (n <= 0) {
            return -EPIPE;
        }
        done += (size_t)n;
    }
    return 0;
}

int wire_drain(const struct wire *wire, size_t size)
{
    uint8_t bin[512];
    while (size) {
        size_t piece = size < sizeof bin ? size : sizeof bin;
        int error = wire_read_all(wire, bin, piece);
        if (error) {
            return error;
        }
        size -= piece;
    }
    return 0;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put32(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
    at[2] = (uint8_t)(v >> 16);
    at[3] = (uint8_t)(v >> 24);
}

int wire_read_prefix(const struct wire *wire, uint32_t *header_len, uint32_t *body_len)
{
    uint8_t prefix[WIRE_PREFIX];
    int error = wire_read_all(wire, prefix, sizeof prefix);
    if (error) {
        return error;
    }
    *header_len = get32(prefix + 4);
    *body_len = get32(prefix + 8);
    bool good = memcmp(prefix, WIRE_MAGIC, 4) == 0 && *header_len >= 1 &&
                *header_len <= WIRE_HEADER_MAX && *body_len <= WIRE_BODY_MAX;
    return good ? 0 : -EPROTO;
}

void wire_prefix(uint8_t out[WIRE_PREFIX], uint32_t header_len, uint32_t body_len)
{
    memcpy(out, WIRE_MAGIC, 4);
    put32(out + 4, header_len);
    put32(out + 8, body_len);
}
