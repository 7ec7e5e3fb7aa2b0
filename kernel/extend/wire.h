/* Frames of the control protocol (docs/control-protocol.md): reading them off a byte stream whose
 * other end is hostile. Knows neither ports nor JSON. */
#ifndef QUINCE_EXTEND_WIRE_H
#define QUINCE_EXTEND_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAGIC "QNC1"
enum { WIRE_PREFIX = 12 };
#define WIRE_HEADER_MAX 65536u
#define WIRE_BODY_MAX   (64u << 20)

/* Reads 1 to SIZE bytes; 0: the other end closed; -errno. */
typedef int (*wire_read_fn)(void *context, void *buffer, size_t size);
struct wire {
    wire_read_fn read;
    void *context;
};

/* All of SIZE bytes: 0; -EPIPE when the stream ended before. */
int wire_read_all(const struct wire *wire, void *buffer, size_t size);
/* Reads SIZE bytes and forgets them. */
int wire_drain(const struct wire *wire, size_t size);
/* The prefix of the next frame: 0, -EPIPE, or -EPROTO when it breaks the limits. */
int wire_read_prefix(const struct wire *wire, uint32_t *header_len, uint32_t *body_len);
void wire_prefix(uint8_t out[WIRE_PREFIX], uint32_t header_len, uint32_t body_len);

#endif
