/* Rings, frames, and the small parts. */
#include <errno.h>
#include <string.h>

#include "extend/budget.h"
#include "extend/flowhash.h"
#include "extend/ring.h"
#include "extend/wire.h"
#include "unit.h"

static void order(void)
{
    struct ring_spec spec = {.name = "r", .size = 4096};
    struct ring *ring = ring_new(&spec);
    struct ring_cursor slow = {0, 0}, fast = {0, 0};
    uint8_t buffer[8192];
    uint64_t lost_slow = 0, lost_fast = 0;
    uint32_t next = 0, wrong = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        uint8_t record[200];
        uint32_t len = 4 + i % 190;
        memset(record, (int)i, sizeof record);
        memcpy(record, &i, 4);
        wrong += ring_emit(ring, record, len) != 0;
        if (i % 7 == 0) {
            int n = ring_read(ring, &fast, buffer, sizeof buffer, &lost_fast);
            for (int at = 0; at < n;) {
                uint32_t size, number;
                memcpy(&size, buffer + at, 4);
                memcpy(&number, buffer + at + 4, 4);
                wrong += number != next || size != 4 + number % 190 ||
                         (size > 4 && buffer[at + 4 + (int)size - 1] != (uint8_t)number);
                next = number + 1;
                at += 4 + (int)size;
            }
        }
    }
    check(wrong == 0 && lost_fast == 0, "a reader that keeps up gets every record in order");
    int n = ring_read(ring, &slow, buffer, sizeof buffer, &lost_slow);
    uint32_t kept = 0, first = 0;
    for (int at = 0; at < n; kept++) {
        uint32_t size;
        memcpy(&size, buffer + at, 4);
        if (at == 0) {
            memcpy(&first, buffer + 4, 4);
        }
        at += 4 + (int)size;
    }
    check(n > 0 && lost_slow + kept == 5000 && first == lost_slow,
          "one that comes late gets the latest and knows how many it missed");
    check(!ring_has(ring, &slow) && ring_read(ring, &slow, buffer, 10, &lost_slow) == 0,
          "then there is nothing more");
    struct ring_stats stats;
    ring_stats(ring, &stats);
    check(stats.written == 5000 && stats.overwritten == lost_slow, "the ring counts too");
    ring_release(ring);
}

static void edges(void)
{
    struct ring_spec spec = {.name = "r", .size = 4096};
    struct ring *ring = ring_new(&spec);
    struct ring_cursor cursor = {0, 0};
    uint8_t record[4096] = {0}, buffer[4096];
    uint64_t lost = 0;
    check(ring_emit(ring, record, 2049) == -EMSGSIZE &&
              ring_emit(ring, record, UINT32_MAX) == -EMSGSIZE,
          "records beyond half of the ring are refused");
    check(ring_emit(ring, record, 2048) == 0 && ring_emit(ring, record, 0) == 0, "half and none");
    check(ring_read(ring, &cursor, buffer, 100, &lost) == -EMSGSIZE, "a buffer too small");
    check(ring_read(ring, &cursor, buffer, sizeof buffer, &lost) == 2056 && lost == 0,
          "both are read");
    ring_retain(ring);
    ring_close(ring);
    check(ring_closed(ring) && ring_references(ring) == 2, "closing keeps it for its readers");
    ring_release(ring);
    ring_release(ring);
}

void test_ring(void)
{
    order();
    edges();
}

/* A stream that gives its bytes a few at a time. */
struct source {
    const uint8_t *bytes;
    size_t left, step;
};

static int read_source(void *context, void *buffer, size_t size)
{
    struct source *source = context;
    size_t n = size < source->step ? size : source->step;
    n = n < source->left ? n : source->left;
    memcpy(buffer, source->bytes, n);
    source->bytes += n;
    source->left -= n;
    return (int)n;
}

static int prefix_of(const uint8_t *bytes, size_t len, uint32_t *header, uint32_t *body)
{
    struct source source = {bytes, len, 5};
    struct wire wire = {read_source, &source};
    return wire_read_prefix(&wire, header, body);
}

void test_wire(void)
{
    uint8_t prefix[WIRE_PREFIX];
    uint32_t header, body;
    wire_prefix(prefix, 65536, 64u << 20);
    check(prefix_of(prefix, 12, &header, &body) == 0 && header == 65536 && body == 64u << 20,
          "a prefix at its limits");
    check(prefix_of(prefix, 11, &header, &body) == -EPIPE, "a stream that ends early");
    wire_prefix(prefix, 65537, 0);
    check(prefix_of(prefix, 12, &header, &body) == -EPROTO, "a header too long");
    wire_prefix(prefix, 0, 0);
    check(prefix_of(prefix, 12, &header, &body) == -EPROTO, "an empty header");
    wire_prefix(prefix, 1, (64u << 20) + 1);
    check(prefix_of(prefix, 12, &header, &body) == -EPROTO, "a body too long");
    wire_prefix(prefix, 1, 0);
    prefix[3] = '2';
    check(prefix_of(prefix, 12, &header, &body) == -EPROTO, "another magic");
    static const uint8_t bytes[2000];
    struct source source = {bytes, sizeof bytes, 700};
    struct wire wire = {read_source, &source};
    check(wire_drain(&wire, 1999) == 0 && source.left == 1, "draining stops where it should");
    check(wire_drain(&wire, 2) == -EPIPE, "draining a stream that ends");
}

static void hash_flows(void)
{
    uint8_t frame[60] = {[12] = 8, [14] = 0x45, [23] = 6, [26] = 10, 0,    2,    15, 10,
                         0,        2,           2,        0x1f,      0x90, 0xc0, 0};
    uint8_t back[60];
    memcpy(back, frame, sizeof back);
    memcpy(back + 26, frame + 30, 4);
    memcpy(back + 30, frame + 26, 4);
    memcpy(back + 34, frame + 36, 2);
    memcpy(back + 36, frame + 34, 2);
    uint32_t one = flowhash(frame, sizeof frame, 99);
    check(one == flowhash(back, sizeof back, 99), "both directions have one hash");
    frame[35]++;
    check(one != flowhash(frame, sizeof frame, 99), "another port has another");
    for (size_t len = 0; len <= sizeof frame; len++) {
        flowhash(frame, len, 1);
    }
    check(flowhash(frame, 13, 1) == 0, "short frames are no trouble");
}

void test_small(void)
{
    hash_flows();
    struct manifest manifest = {.budget_ns = 2000000, .init_budget_ns = 5};
    check(budget_decide(&manifest, 0).call_ns == 2000000 &&
              budget_decide(&manifest, 500000).call_ns == 500000 &&
              budget_decide(&manifest, 9000000).call_ns == 2000000 &&
              budget_decide(&manifest, 1).call_ns == MANIFEST_BUDGET_MIN,
          "the operator can lower a budget, not raise it");
    struct log_bucket bucket = {0};
    uint64_t now = 1000000000;
    int taken = 0;
    for (int i = 0; i < 1000; i++) {
        taken += log_bucket_take(&bucket, now);
    }
    check(taken == LOG_BURST && bucket.dropped == 900, "a burst of log lines is cut");
    for (int i = 0; i < 1000; i++) {
        taken += log_bucket_take(&bucket, now += 1000000);
    }
    check(taken == LOG_BURST + LOG_RATE, "and refills with time");
}
