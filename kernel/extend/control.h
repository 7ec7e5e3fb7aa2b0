/* The control channel: docs/control-protocol.md over the port org.quince.control.
 *
 * control.c reads frames and sends answers; control_ops.c is the table of what can be asked;
 * control_streams.c follows logs and rings. Loads and unloads are handed to the loader's thread, so
 * that the channel answers while they run. */
#ifndef QUINCE_EXTEND_CONTROL_H
#define QUINCE_EXTEND_CONTROL_H

#include "cJSON.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request as it was read. Whoever handles it answers once and frees it. */
struct control_request {
    uint32_t id;
    cJSON *header;
    uint8_t *body;
    uint32_t body_len;
};
void control_request_free(struct control_request *request);

/* The answer's header begun: {"id": …, "ok": true}. NULL when out of memory. */
cJSON *control_answer(uint32_t id);
/* Sends and frees HEADER (NULL: sends that memory is short). false: nobody is listening. */
bool control_send(uint32_t id, cJSON *header, const void *body, uint32_t body_len);
void control_refuse(uint32_t id, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* control_ops.c: handles REQUEST and frees it, at once or later. */
void control_handle(struct control_request *request);

/* control_streams.c. A stream lives until it is cancelled, its source ends or the host hangs up. */
struct ring;
int stream_logs(uint32_t id, uint64_t cursor);
int stream_ring(uint32_t id, struct ring *ring); /* takes a reference of its own; 0 or -errno */
int stream_cancel(uint32_t id);                  /* 0 or -ENOENT */
void stream_cancel_all(void);
int stream_start(void); /* its thread; 0 or -errno */

#endif
