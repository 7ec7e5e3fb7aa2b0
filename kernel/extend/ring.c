/* Byte rings of records: see ring.h. Positions count bytes for ever; the place in the buffer is the
 * position modulo its size, a power of two. */
#include "extend/ring.h"

#include <errno.h>
#include <string.h>

#include "mm/heap.h"

struct ring {
    struct ring_spec spec;
    struct spinlock lock;
    uint32_t references;
    uint32_t watchers;
    bool closed;
    struct ring_cursor head, tail; /* where the next record goes; the oldest kept */
    uint64_t refused;
    uint8_t data[];
};

enum { LENGTH = sizeof(uint32_t) };

WAIT_QUEUE(ring_activity);

struct ring *ring_new(const struct ring_spec *spec)
{
    struct ring *ring = kmalloc(sizeof *ring + spec->size);
    if (ring) {
        *ring = (struct ring){.spec = *spec, .references = 1};
    }
    return ring;
}

void ring_retain(struct ring *ring)
{
    __atomic_add_fetch(&ring->references, 1, __ATOMIC_RELAXED);
}

void ring_release(struct ring *ring)
{
    if (ring && __atomic_sub_fetch(&ring->references, 1, __ATOMIC_ACQ_REL) == 0) {
        kfree(ring);
    }
}

uint32_t ring_references(const struct ring *ring)
{
    return __atomic_load_n(&ring->references, __ATOMIC_ACQUIRE);
}

void ring_close(struct ring *ring)
{
    __atomic_store_n(&ring->closed, true, __ATOMIC_RELEASE);
    wait_wake(&ring_activity, UINT32_MAX);
}

bool ring_closed(const struct ring *ring)
{
    return __atomic_load_n(&ring->closed, __ATOMIC_ACQUIRE);
}

const struct ring_spec *ring_spec(const struct ring *ring)
{
    return &ring->spec;
}

size_t ring_bytes(const struct ring *ring)
{
    return sizeof *ring + ring->spec.size;
}

uint32_t ring_record_max(const struct ring *ring)
{
    uint32_t half = ring->spec.size / 2;
    return half < RING_RECORD_MAX ? half : RING_RECORD_MAX;
}

static void copy_in(struct ring *ring, uint64_t position, const void *from, uint32_t len)
{
    uint32_t at = (uint32_t)position & (ring->spec.size - 1);
    uint32_t first = ring->spec.size - at < len ? ring->spec.size - at : len;
    memcpy(ring->data + at, from, first);
    memcpy(ring->data, (const uint8_t *)from + first, len - first);
}

static void copy_out(const struct ring *ring, uint64_t position, void *to, uint32_t len)
{
    uint32_t at = (uint32_t)position & (ring->spec.size - 1);
    uint32_t first = ring->spec.size - at < len ? ring->spec.size - at : len;
    memcpy(to, ring->data + at, first);
    memcpy((uint8_t *)to + first, ring->data, len - first);
}

static void step(const struct ring *ring, struct ring_cursor *cursor)
{
    uint32_t len;
    copy_out(ring, cursor->position, &len, LENGTH);
    cursor->position += LENGTH + (uint64_t)len;
    cursor->sequence++;
}

int ring_emit(struct ring *ring, const void *record, uint32_t len)
{
    int result = 0;
    cpu_irq_state state = spin_lock(&ring->lock);
    if (len > ring_record_max(ring)) {
        ring->refused++;
        result = -EMSGSIZE;
    } else {
        uint64_t end = ring->head.position + LENGTH + len;
        while (end - ring->tail.position > ring->spec.size) {
            step(ring, &ring->tail);
        }
        copy_in(ring, ring->head.position, &len, LENGTH);
        copy_in(ring, ring->head.position + LENGTH, record, len);
        ring->head.sequence++;
        __atomic_store_n(&ring->head.position, end, __ATOMIC_RELEASE);
    }
    bool watched = ring->watchers != 0;
    spin_unlock(&ring->lock, state);
    if (watched && result == 0) {
        wait_wake(&ring_activity, UINT32_MAX);
    }
    return result;
}

void ring_stats(struct ring *ring, struct ring_stats *out)
{
    cpu_irq_state state = spin_lock(&ring->lock);
    *out = (struct ring_stats){ring->head.sequence, ring->tail.sequence, ring->refused};
    spin_unlock(&ring->lock, state);
}

/* One record of at most SIZE bytes with its length; bytes, 0 at the end, -EMSGSIZE. */
static int read_one(struct ring *ring, struct ring_cursor *cursor, uint8_t *buffer, uint32_t size,
                    uint64_t *lost)
{
    int result = 0;
    uint32_t len;
    cpu_irq_state state = spin_lock(&ring->lock);
    if (cursor->position < ring->tail.position) {
        *lost += ring->tail.sequence - cursor->sequence;
        *cursor = ring->tail;
    }
    if (cursor->position < ring->head.position) {
        copy_out(ring, cursor->position, &len, LENGTH);
        if (len + LENGTH > size) {
            result = -EMSGSIZE;
        } else {
            copy_out(ring, cursor->position, buffer, len + LENGTH);
            result = (int)(len + LENGTH);
            step(ring, cursor);
        }
    }
    spin_unlock(&ring->lock, state);
    return result;
}

int ring_read(struct ring *ring, struct ring_cursor *cursor, uint8_t *buffer, uint32_t size,
              uint64_t *lost)
{
    uint32_t done = 0;
    for (;;) {
        int n = read_one(ring, cursor, buffer + done, size - done, lost);
        if (n == 0 || (n < 0 && done)) {
            return (int)done;
        }
        if (n < 0) {
            return n;
        }
        done += (uint32_t)n;
    }
}

bool ring_has(const struct ring *ring, const struct ring_cursor *cursor)
{
    return __atomic_load_n(&ring->head.position, __ATOMIC_ACQUIRE) > cursor->position;
}

void ring_watch(struct ring *ring, int change)
{
    cpu_irq_state state = spin_lock(&ring->lock);
    ring->watchers += (uint32_t)change;
    spin_unlock(&ring->lock, state);
}
