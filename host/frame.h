/* Frames of the control protocol (docs/control-protocol.md) in byte buffers; knows no sockets. */
#ifndef QUINCE_HOST_FRAME_H
#define QUINCE_HOST_FRAME_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_PREFIX = 12 };
#define FRAME_HEADER_MAX 65536u
#define FRAME_BODY_MAX   (64u << 20)

/* Bytes that came and were not used yet, or that wait to be sent. */
struct buffer {
    uint8_t *data;
    size_t start, end, room;
};
void buffer_add(struct buffer *buffer, const void *bytes, size_t size);
void buffer_drop(struct buffer *buffer, size_t size);
void buffer_free(struct buffer *buffer);
static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}
static inline const uint8_t *buffer_data(const struct buffer *buffer)
{
    return buffer->data + buffer->start;
}

/* A frame at the front of a buffer. */
struct frame {
    cJSON *header;       /* an object; whoever peeked deletes it */
    const uint8_t *body; /* in the buffer */
    uint32_t body_len;
    size_t size; /* of the whole: drop it when done */
};

enum frame_state { FRAME_PARTIAL, FRAME_WHOLE, FRAME_BROKEN };
enum frame_state frame_peek(const struct buffer *buffer, struct frame *frame);
/* Appends a frame. */
void frame_add(struct buffer *buffer, const cJSON *header, const void *body, uint32_t body_len);

/* Request number of a header; 0: none that is valid. */
uint32_t frame_id(const cJSON *header);
void frame_set_id(cJSON *header, uint32_t id);

#endif
