/* A small web server for static files: what its parts know of each other. Runs in an image and,
 * unchanged, on Linux. */
#ifndef HTTPD_H
#define HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum {
    REQUEST_MAX = 8192,     /* of a request's head */
    BODY_MAX = 1 << 20,     /* of a request's body, which is read and forgotten */
    HEAD_MAX = 1024,        /* of a response's head */
    OUTPUT_SIZE = 32 << 10, /* what goes out in one write: head and small files together */
    PATH_LIMIT = 1024,
};

struct settings {
    const char *root;
    uint16_t port;
    unsigned connections_max, threads, idle_seconds;
};
extern struct settings settings;

struct request {
    enum { METHOD_GET, METHOD_HEAD, METHOD_OTHER } method;
    char path[PATH_LIMIT]; /* decoded, starts with '/', without "." and ".." */
    bool keep_alive;
    uint64_t body_length;
    bool has_range;
    uint64_t range_start, range_end; /* inclusive; start UINT64_MAX: the last END bytes */
};
/* Length of the head in DATA, with its empty line; 0: not complete yet. */
size_t request_head(const char *data, size_t size);
/* 200, or the status to refuse it with; after a refusal the connection cannot go on. */
int request_parse(const char *head, size_t length, struct request *request);

/* What is being sent. */
struct response {
    char output[OUTPUT_SIZE];
    size_t used, sent; /* of output */
    int file;          /* what is left comes from here; -1: nothing */
    uint64_t offset, left;
};
/* Makes the response to a parsed request, or an error's. */
void response_make(struct response *response, const struct request *request);
void response_error(struct response *response, int status, bool head_only, bool keep_alive);
/* Fills the output from the file when all of it was sent. false: the file cannot be read. */
bool response_refill(struct response *response);
void response_end(struct response *response);

/* A thread that serves connections. */
struct worker;
struct worker *worker_start(void);
/* Gives it a connected, non-blocking socket; false: it cannot take it (the caller closes). */
bool worker_take(struct worker *worker, int socket);
extern unsigned connections; /* open ones; atomic */

#endif
