/* A client of a machine's control channel (docs/control-protocol.md). */
#ifndef QUINCE_HOST_CLIENT_H
#define QUINCE_HOST_CLIENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct client {
    const char *machine;
    int fd;
    uint32_t next_id;
    struct buffer in;
};

struct answer {
    uint32_t id;
    cJSON *header;
    uint8_t *body; /* a copy; NULL when empty */
    uint32_t body_len;
};

/* How long a request may take; a load compiles. */
enum { CLIENT_TIMEOUT_MS = 15000, CLIENT_LOAD_TIMEOUT_MS = 120000, CLIENT_FOREVER = -1 };

/* Connects to MACHINE; dies with advice when that fails. */
struct client *client_open(const char *machine);
void client_close(struct client *client);

/* {"op": OP}, to be filled. */
cJSON *client_request(const char *op);
/* Sends a request and frees it; its number. */
uint32_t client_send(struct client *client, cJSON *request, const void *body, uint32_t body_len);
/* The next frame, of whichever request. 1; 0 when TIMEOUT_MS passed (CLIENT_FOREVER: never) or
 * WAKE (-1: none) became readable; -1 when the connection ended. */
int client_receive(struct client *client, struct answer *answer, int timeout_ms, int wake);
void answer_free(struct answer *answer);
/* Whether it says ok; whether further frames follow. */
bool answer_ok(const struct answer *answer);
bool answer_more(const struct answer *answer);
/* "EINVAL: offset 0x43: …" of a refusal; valid as long as the answer. */
const char *answer_reason(const struct answer *answer);

/* Sends and waits for the one answer; false for a refusal, which is then in ANSWER. Dies when the
 * machine goes away or keeps silent. */
bool client_try(struct client *client, cJSON *request, const void *body, uint32_t body_len,
                int timeout_ms, struct answer *answer);
/* The same for what must not fail: a refusal is printed and ends the process. */
struct answer client_call(struct client *client, cJSON *request);
/* The same, with the bodies of an answer of several frames put together. */
struct answer client_collect(struct client *client, cJSON *request);

#endif
