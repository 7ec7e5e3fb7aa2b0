/* Following logs and rings: one thread that sends what is new in frames of their streams. */
#include <errno.h>

#include "extend/control.h"
#include "extend/report.h"
#include "extend/ring.h"
#include "log.h"
#include "mm/heap.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

enum { STREAMS = 16, CHUNK = 128 * 1024, STREAM_STACK = 64 * 1024 };
#define LOG_PERIOD (100 * NS_PER_MS) /* the log has no way to wake us */

struct stream {
    uint32_t id;       /* 0: free */
    struct ring *ring; /* NULL: the log */
    struct ring_cursor cursor;
    uint64_t log_cursor;
    bool cancelled;
};
static struct stream streams[STREAMS];
static struct mutex streams_lock; /* the table; not held while sending */
static bool table_changed;        /* since the thread last went through it */
static uint8_t *chunk;            /* kept, so that a stream needs no memory later */

static int add(struct stream stream)
{
    int error = -EBUSY;
    mutex_lock(&streams_lock);
    for (unsigned i = 0; i < STREAMS && error; i++) {
        if (streams[i].id == 0) {
            streams[i] = stream;
            error = 0;
        }
    }
    __atomic_store_n(&table_changed, true, __ATOMIC_RELEASE);
    mutex_unlock(&streams_lock);
    wait_wake(&ring_activity, UINT32_MAX);
    return error;
}

int stream_logs(uint32_t id, uint64_t cursor)
{
    return add((struct stream){.id = id, .log_cursor = cursor});
}

int stream_ring(uint32_t id, struct ring *ring)
{
    ring_retain(ring);
    ring_watch(ring, 1);
    int error = add((struct stream){.id = id, .ring = ring});
    if (error) {
        ring_watch(ring, -1);
        ring_release(ring);
    }
    return error;
}

/* Marks streams; the thread ends them. */
static int cancel(uint32_t id, bool all)
{
    int error = -ENOENT;
    mutex_lock(&streams_lock);
    for (unsigned i = 0; i < STREAMS; i++) {
        if (streams[i].id && (all || streams[i].id == id)) {
            streams[i].cancelled = true;
            error = 0;
        }
    }
    mutex_unlock(&streams_lock);
    wait_wake(&ring_activity, UINT32_MAX);
    return error;
}

int stream_cancel(uint32_t id)
{
    return cancel(id, false);
}

void stream_cancel_all(void)
{
    cancel(0, true);
}

/* Only the stream thread frees entries, so it may use one without the lock. */

static void finish(struct stream *stream)
{
    cJSON *answer = control_answer(stream->id);
    cJSON_AddFalseToObject(answer, "more");
    if (stream->ring) {
        ring_watch(stream->ring, -1);
        ring_release(stream->ring);
    }
    control_send(stream->id, answer, NULL, 0);
    mutex_lock(&streams_lock);
    stream->id = 0;
    mutex_unlock(&streams_lock);
}

/* Sends one chunk of what is new; false: there was nothing, or nobody listens. */
static bool advance(struct stream *stream)
{
    uint64_t lost = 0;
    int len = stream->ring ? ring_read(stream->ring, &stream->cursor, chunk, CHUNK, &lost)
                           : (int)klog_read(&stream->log_cursor, (char *)chunk, CHUNK);
    if (len <= 0) {
        return false;
    }
    cJSON *answer = control_answer(stream->id);
    if (stream->ring) {
        report_number(answer, "lost", lost);
    } else {
        report_number(answer, "cursor", stream->log_cursor);
    }
    cJSON_AddTrueToObject(answer, "more");
    return control_send(stream->id, answer, chunk, (uint32_t)len);
}

/* Under a spinlock; a stale look costs a turn of the loop at most. */
static bool something(void *context)
{
    (void)context;
    if (__atomic_load_n(&table_changed, __ATOMIC_ACQUIRE)) {
        return true; /* a stream of the log, say, which does not wake us by itself */
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct stream *stream = &streams[i];
        if (stream->id &&
            (stream->cancelled || (stream->ring && (ring_closed(stream->ring) ||
                                                    ring_has(stream->ring, &stream->cursor))))) {
            return true;
        }
    }
    return false;
}

static void stream_main(void *arg)
{
    (void)arg;
    for (;;) {
        bool logs = false;
        __atomic_store_n(&table_changed, false, __ATOMIC_RELEASE);
        for (unsigned i = 0; i < STREAMS; i++) {
            struct stream *stream = &streams[i];
            mutex_lock(&streams_lock);
            bool used = stream->id != 0, cancelled = stream->cancelled;
            mutex_unlock(&streams_lock);
            if (!used) {
                continue;
            }
            logs = logs || !stream->ring;
            bool sent = !cancelled && advance(stream);
            if (cancelled || (!sent && stream->ring && ring_closed(stream->ring))) {
                finish(stream);
            }
        }
        wait_until(&ring_activity, something, NULL, logs ? clock_now() + LOG_PERIOD : WAIT_FOREVER);
    }
}

int stream_start(void)
{
    chunk = kmalloc(CHUNK);
    struct thread *thread = chunk ? thread_create("control-streams", stream_main, NULL,
                                                  STREAM_STACK, THREAD_PRIORITY_DEFAULT)
                                  : NULL;
    if (!thread) {
        return -ENOMEM;
    }
    thread_detach(thread);
    return 0;
}
