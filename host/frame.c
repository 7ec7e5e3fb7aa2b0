/* Frames and the buffers they travel in: see frame.h. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"

static const char magic[4] = {'Q', 'N', 'C', '1'};

void buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
    if (buffer->room - buffer->end < size && buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, buffer_size(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->room - buffer->end < size) {
        size_t room = buffer->room ? buffer->room : 4096;
        while (room - buffer->end < size) {
            room *= 2;
        }
        buffer->data = xrealloc(buffer->data, room);
        buffer->room = room;
    }
    if (size) {
        memcpy(buffer->data + buffer->end, bytes, size);
        buffer->end += size;
    }
}

void buffer_drop(struct buffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start == buffer->end) {
        buffer->start = buffer->end = 0;
    }
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void put32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

enum frame_state frame_peek(const struct buffer *buffer, struct frame *frame)
{
    const uint8_t *data = buffer_data(buffer);
    if (buffer_size(buffer) < FRAME_PREFIX) {
        return FRAME_PARTIAL;
    }
    uint32_t header_len = get32(data + 4), body_len = get32(data + 8);
    if (memcmp(data, magic, sizeof magic) != 0 || header_len == 0 ||
        header_len > FRAME_HEADER_MAX || body_len > FRAME_BODY_MAX) {
        return FRAME_BROKEN;
    }
    size_t size = (size_t)FRAME_PREFIX + header_len + body_len;
    if (buffer_size(buffer) < size) {
        return FRAME_PARTIAL;
    }
    cJSON *header = cJSON_ParseWithLength((const char *)data + FRAME_PREFIX, header_len);
    if (!cJSON_IsObject(header)) {
        cJSON_Delete(header);
        return FRAME_BROKEN;
    }
    *frame = (struct frame){header, data + FRAME_PREFIX + header_len, body_len, size};
    return FRAME_WHOLE;
}

void frame_add(struct buffer *buffer, const cJSON *header, const void *body, uint32_t body_len)
{
    char *text = cJSON_PrintUnformatted(header);
    if (!text) {
        die("out of memory");
    }
    size_t length = strlen(text);
    uint8_t prefix[FRAME_PREFIX];
    memcpy(prefix, magic, sizeof magic);
    put32(prefix + 4, (uint32_t)length);
    put32(prefix + 8, body_len);
    buffer_add(buffer, prefix, sizeof prefix);
    buffer_add(buffer, text, length);
    buffer_add(buffer, body, body_len);
    cJSON_free(text);
}

uint32_t frame_id(const cJSON *header)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(header, "id");
    bool good = cJSON_IsNumber(id) && id->valuedouble >= 1 && id->valuedouble <= UINT32_MAX;
    return good ? (uint32_t)id->valuedouble : 0;
}

void frame_set_id(cJSON *header, uint32_t id)
{
    cJSON_DeleteItemFromObjectCaseSensitive(header, "id");
    cJSON_AddNumberToObject(header, "id", id);
}
