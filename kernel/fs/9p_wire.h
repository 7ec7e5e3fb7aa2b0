/* The messages of 9P2000.L (the protocol as Linux and QEMU speak it): numbers in little endian,
 * strings with their length before them, one request answered before the next is sent. Everything
 * in an answer is checked against what was offered for it. */
#ifndef QUINCE_FS_9P_WIRE_H
#define QUINCE_FS_9P_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sched/sync.h"

struct channel;

/* Requests; the answer to each has the next number. */
enum p9_type {
    P9_ERROR = 7, /* an answer only */
    P9_LOPEN = 12,
    P9_LCREATE = 14,
    P9_SYMLINK = 16,
    P9_READLINK = 22,
    P9_GETATTR = 24,
    P9_SETATTR = 26,
    P9_READDIR = 40,
    P9_FSYNC = 50,
    P9_LINK = 70,
    P9_MKDIR = 72,
    P9_RENAMEAT = 74,
    P9_UNLINKAT = 76,
    P9_VERSION = 100,
    P9_ATTACH = 104,
    P9_WALK = 110,
    P9_READ = 116,
    P9_WRITE = 118,
    P9_CLUNK = 120,
    P9_REMOVE = 122,
};

enum {
    P9_MESSAGE = 8192, /* room for a request and for an answer without their data */
    P9_HEAD = 7,       /* size, type, tag */
    P9_DATA_HEAD = 11, /* of an answer that brings data, and of a whole P9_ERROR */
    P9_OVERHEAD = 24,  /* what the protocol counts a message's head as, at most */
};
#define P9_NO_ID (~0u)

struct p9_link {
    struct channel *channel;
    struct mutex lock; /* a request and what is read of its answer */
    uint8_t *request, *answer;
    uint8_t *data; /* what is read or written, apart from the messages */
    uint32_t data_size;
    uint32_t last_fid;
};

/* A message being written or read; BAD once it did not fit or ended early. */
struct p9_cursor {
    uint8_t *at, *end;
    bool bad;
};
void p9_put8(struct p9_cursor *c, uint8_t value);
void p9_put16(struct p9_cursor *c, uint16_t value);
void p9_put32(struct p9_cursor *c, uint32_t value);
void p9_put64(struct p9_cursor *c, uint64_t value);
void p9_put_text(struct p9_cursor *c, const char *text);
uint8_t p9_get8(struct p9_cursor *c);
uint16_t p9_get16(struct p9_cursor *c);
uint32_t p9_get32(struct p9_cursor *c);
uint64_t p9_get64(struct p9_cursor *c);
/* The bytes of a string, not terminated; NULL and BAD when it is cut off. */
const char *p9_get_text(struct p9_cursor *c, size_t *length);

struct p9_qid { /* the server's name for a file */
    uint8_t type;
    uint32_t version;
    uint64_t path;
};
enum { P9_QID_DIRECTORY = 0x80, P9_QID_LINK = 0x02 };
struct p9_qid p9_get_qid(struct p9_cursor *c);

/* Makes the buffers and agrees on the version and the size of messages; 0 or -errno (then
 * everything is given back, unless the host may still write to it). */
int p9_link_start(struct p9_link *link, struct channel *channel);

/* p9_begin() takes the lock and starts a request; p9_call() sends it, with SENT bytes of link->data
 * behind it or asking for at most WANTED bytes into it, and leaves the cursor at the answer's
 * content; p9_end() gives the lock back. 0, the server's -errno, or -EIO for nonsense. */
struct p9_cursor p9_begin(struct p9_link *link, enum p9_type type);
int p9_call(struct p9_link *link, struct p9_cursor *c, uint32_t sent, uint32_t wanted);
void p9_end(struct p9_link *link);
uint32_t p9_new_fid(struct p9_link *link); /* with the lock held */

#endif
