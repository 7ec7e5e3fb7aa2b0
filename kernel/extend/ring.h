/* Rings: records that an extension emits, on their way to the operator.
 *
 * Writing never blocks and never fails for want of a reader: a full ring gives up its oldest
 * records, so what it holds is always the latest. Each reader has a cursor of its own and learns
 * how many records it came too late for; any number may read without disturbing each other. */
#ifndef QUINCE_EXTEND_RING_H
#define QUINCE_EXTEND_RING_H

#include "extend/manifest.h"
#include "sched/sync.h"

enum { RING_RECORD_MAX = 65536 }; /* bytes of one record; half of a ring smaller than 128K */

struct ring;
struct ring_cursor {
    uint64_t position; /* bytes written before it since the ring was made; 0: the oldest kept */
    uint64_t sequence; /* records, likewise */
};

struct ring *ring_new(const struct ring_spec *spec); /* NULL: out of memory */
/* Counted: a reader's reference keeps the ring readable while its extension goes. */
void ring_retain(struct ring *ring);
void ring_release(struct ring *ring);
uint32_t ring_references(const struct ring *ring);
void ring_close(struct ring *ring); /* no more records will come */
bool ring_closed(const struct ring *ring);
const struct ring_spec *ring_spec(const struct ring *ring);
size_t ring_bytes(const struct ring *ring); /* of kernel memory */
uint32_t ring_record_max(const struct ring *ring);

/* 0, or -EMSGSIZE (nothing is written). */
int ring_emit(struct ring *ring, const void *record, uint32_t len);

struct ring_stats {
    uint64_t written, overwritten, refused; /* records */
};
void ring_stats(struct ring *ring, struct ring_stats *out);

/* Copies whole records, each u32 length (little endian) and its bytes, as SIZE allows; advances the
 * cursor; adds to *LOST those that were overwritten before they could be read. Bytes written; 0 at
 * the end; -EMSGSIZE when the next record is larger than SIZE. */
int ring_read(struct ring *ring, struct ring_cursor *cursor, uint8_t *buffer, uint32_t size,
              uint64_t *lost);
/* Whether ring_read() would give something. Takes no lock. */
bool ring_has(const struct ring *ring, const struct ring_cursor *cursor);

/* Woken when a ring with watchers is written or closed; conditions look at ring_has(). */
extern struct wait_queue ring_activity;
void ring_watch(struct ring *ring, int change); /* +1 or -1 watcher */

#endif
