/* The virtqueue against a device made of a few lines: an honest one that fulfils chains in any
 * order, and hostile ones that write nonsense into everything a device can write to. Under
 * sanitizers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bus/virtqueue.h"

static unsigned tests, failures, notifications, reports;

static void check(bool condition, const char *what)
{
    tests++;
    if (!condition)
        failures++;
    printf("%sok %u - %s\n", condition ? "" : "not ", tests, what);
}

uint64_t virtqueue_bus_address(const void *p)
{
    return (uintptr_t)p;
}

void virtqueue_notify(struct virtqueue *vq)
{
    (void)vq;
    notifications++;
}

/* What a device does that comes just then: earlier stores it has seen, later loads see its own. */
static void (*at_fence)(void);

void virtqueue_fence(void)
{
    void (*act)(void) = at_fence;
    at_fence = NULL;
    if (act)
        act();
}

void virtqueue_report(struct virtqueue *vq, const char *reason)
{
    (void)vq;
    (void)reason;
    reports++;
}

/* ---- the device's side, reading the rings as the specification lays them out ---- */

struct rig {
    struct virtqueue vq;
    struct virtqueue_slot slots[VIRTQUEUE_MAX_SIZE];
    void *shared;
    unsigned size;
    uint16_t seen;
};

static struct rig *rig_new(unsigned size, bool event_index)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->size = size;
    rig->shared =
        calloc(1, virtqueue_bytes(size)); /* exactly: the sanitizer sees one byte beyond */
    virtqueue_setup(&rig->vq, 3, size, rig->shared, rig->slots, event_index);
    notifications = reports = 0;
    return rig;
}

static void rig_free(struct rig *rig)
{
    free(rig->shared);
    free(rig);
}

static struct vring_desc *descriptors(struct rig *rig)
{
    return rig->shared;
}

static uint16_t *available(struct rig *rig)
{
    return (uint16_t *)((char *)rig->shared + 16 * rig->size);
}

static uint16_t *used(struct rig *rig)
{
    size_t offset = 16 * rig->size + 2 * (3 + rig->size);
    return (uint16_t *)((char *)rig->shared + ((offset + 3) & ~(size_t)3));
}

/* The next chain the driver offered; -1: none. */
static int device_take(struct rig *rig)
{
    uint16_t *avail = available(rig);
    if (avail[1] == rig->seen)
        return -1;
    return avail[2 + rig->seen++ % rig->size];
}

static void device_finish(struct rig *rig, uint32_t id, uint32_t len)
{
    uint16_t *ring = used(rig);
    struct vring_used_element element = {id, len};
    memcpy((char *)(ring + 2) + 8 * (ring[1] % rig->size), &element, sizeof element);
    ring[1]++;
}

static int offer(struct rig *rig, void *data, size_t len, void *token)
{
    struct virtio_buffer buffer = {data, len};
    return virtqueue_add(&rig->vq, &buffer, 0, 1, token);
}

/* ---- an honest device ---- */

static void test_chain(void)
{
    struct rig *rig = rig_new(8, true);
    char header[16], body[100], status[1];
    struct virtio_buffer buffers[] = {{header, 16}, {body, 100}, {status, 1}};
    int error = virtqueue_add(&rig->vq, buffers, 1, 2, &rig);
    int head = device_take(rig);
    struct vring_desc *d = descriptors(rig);
    bool good = error == 0 && head >= 0 && d[head].len == 16 && d[head].flags == 1;
    struct vring_desc *second = &d[d[head].next], *third = &d[second->next];
    good = good && second->address == (uintptr_t)body && second->flags == 3 && third->flags == 2;
    check(good, "a chain is laid out as readable, writable, writable");
    check(virtqueue_free_slots(&rig->vq) == 5, "three descriptors are in use");
    virtqueue_kick(&rig->vq);
    check(notifications == 1, "the device is notified");

    uint32_t len = 0;
    check(virtqueue_get(&rig->vq, &len) == NULL, "nothing is finished before the device says so");
    device_finish(rig, (uint32_t)head, 77);
    check(virtqueue_get(&rig->vq, &len) == &rig && len == 77,
          "the token comes back with the length");
    check(virtqueue_free_slots(&rig->vq) == 8, "the descriptors are free again");
    rig_free(rig);
}

static void test_order(bool event_index)
{
    struct rig *rig = rig_new(16, event_index);
    char data[16][32];
    unsigned outstanding = 0, done = 0, random = 12345;
    int taken[16];
    bool good = true, in_flight[16] = {false};
    while (done < 100000 && good) {
        random = random * 1103515245 + 12345;
        unsigned choice = random >> 16;
        if (choice % 3 != 0 && outstanding < 16) {
            unsigned free_token = 0;
            while (in_flight[free_token])
                free_token++;
            good = offer(rig, data[free_token], 32, &data[free_token]) == 0;
            in_flight[free_token] = true;
            virtqueue_kick(&rig->vq);
            taken[outstanding++] = device_take(rig);
        } else if (outstanding > 0) {
            unsigned which = choice / 3 % outstanding;
            device_finish(rig, (uint32_t)taken[which], choice % 33);
            taken[which] = taken[--outstanding];
            uint32_t len;
            char(*token)[32] = virtqueue_get(&rig->vq, &len);
            good = token && len == choice % 33 && in_flight[token - data];
            if (good)
                in_flight[token - data] = false;
            done++;
        }
    }
    check(good && !rig->vq.broken, event_index ? "100000 chains in any order, event index"
                                               : "100000 chains in any order, flags");
    rig_free(rig);
}

static void test_full(void)
{
    struct rig *rig = rig_new(4, true);
    char data[8];
    for (int i = 0; i < 4; i++)
        offer(rig, data, 8, data);
    check(offer(rig, data, 8, data) == -ENOSPC, "a full ring refuses");
    struct virtio_buffer many[5] = {{data, 8}};
    check(virtqueue_add(&rig->vq, many, 0, 5, data) == -EINVAL, "a chain longer than the ring too");
    check(virtqueue_add(&rig->vq, many, 0, 0, data) == -EINVAL, "and an empty one");
    rig_free(rig);
}

static void test_notifications(void)
{
    struct rig *rig = rig_new(8, true);
    char data[8];
    uint16_t *avail_event = used(rig) + 2 + 4 * rig->size;
    *avail_event = 0;
    offer(rig, data, 8, data);
    virtqueue_kick(&rig->vq);
    offer(rig, data, 8, data);
    virtqueue_kick(&rig->vq); /* the event lies behind */
    check(notifications == 1, "no notification the device did not ask for (event index)");
    *avail_event = 2;
    offer(rig, data, 8, data);
    virtqueue_kick(&rig->vq);
    check(notifications == 2, "one when it asks again");
    virtqueue_kick(&rig->vq);
    check(notifications == 2, "none without anything new");

    uint16_t *used_event = available(rig) + 2 + rig->size;
    check(virtqueue_irq_enable(&rig->vq) && *used_event == 0, "interrupts on: at the next chain");
    virtqueue_irq_disable(&rig->vq);
    check(*used_event == 0xffff, "interrupts off: as far away as can be");
    device_finish(rig, (uint32_t)device_take(rig), 8);
    check(!virtqueue_irq_enable(&rig->vq), "turning them on tells of what waits already");
    rig_free(rig);

    rig = rig_new(8, false);
    used(rig)[0] = 1;
    offer(rig, data, 8, data);
    virtqueue_kick(&rig->vq);
    check(notifications == 0, "no notification the device did not ask for (flags)");
    virtqueue_irq_disable(&rig->vq);
    check(available(rig)[0] == 1, "interrupts off by flag");
    rig_free(rig);
}

/* ---- a device that comes in between ---- */

static struct rig *between;
static uint16_t used_event_seen;

static void finish_between(void)
{
    used_event_seen = available(between)[2 + between->size];
    device_finish(between, (uint32_t)device_take(between), 8);
}

static void ask_between(void)
{
    uint16_t *avail_event = used(between) + 2 + 4 * between->size;
    *avail_event = (uint16_t)(available(between)[1] - 1);
}

/* Each side stores its own index and then looks for the other's. A device that acts between the two
 * has seen the driver's, and the driver sees the device's: nobody sleeps on work. */
static void test_between(void)
{
    struct rig *rig = between = rig_new(8, true);
    char data[8];
    uint32_t len;
    for (int i = 0; i < 4; i++)
        offer(rig, data, 8, data);
    virtqueue_irq_disable(&rig->vq);
    at_fence = finish_between;
    check(!virtqueue_irq_enable(&rig->vq) && !at_fence && used_event_seen == 0,
          "what finishes while interrupts are turned on is told");
    at_fence = finish_between;
    check(virtqueue_get(&rig->vq, &len) == data && !at_fence && used_event_seen == 1,
          "taking one asks for an interrupt at the next");
    check(virtqueue_get(&rig->vq, &len) == data, "and the next is seen if it came meanwhile");

    uint16_t *avail_event = used(rig) + 2 + 4 * rig->size;
    *avail_event = 100; /* the device does not ask */
    virtqueue_kick(&rig->vq);
    notifications = 0;
    offer(rig, data, 8, data);
    at_fence = ask_between;
    virtqueue_kick(&rig->vq);
    check(notifications == 1 && !at_fence, "a device that asks while it is kicked is notified");
    rig_free(rig);
}

/* ---- hostile devices ---- */

static void test_unknown_id(void)
{
    struct rig *rig = rig_new(8, true);
    char data[8];
    uint32_t len;
    offer(rig, data, 8, data);
    device_finish(rig, 8, 8);
    check(virtqueue_get(&rig->vq, &len) == NULL && rig->vq.broken && reports == 1,
          "an id beyond the ring breaks the queue");
    check(offer(rig, data, 8, data) == -EIO && virtqueue_free_slots(&rig->vq) == 0,
          "a broken queue takes nothing more");
    check(virtqueue_get(&rig->vq, &len) == NULL && reports == 1, "and complains once");
    rig_free(rig);

    rig = rig_new(8, true);
    offer(rig, data, 8, data);
    device_finish(rig, 0xffffffff, 8);
    check(virtqueue_get(&rig->vq, &len) == NULL, "an id of all ones too");
    rig_free(rig);

    rig = rig_new(8, true);
    offer(rig, data, 8, data);
    device_finish(rig, 5, 8);
    check(virtqueue_get(&rig->vq, &len) == NULL && rig->vq.broken, "an id not in flight too");
    rig_free(rig);

    rig = rig_new(8, true);
    struct virtio_buffer two[2] = {{data, 8}, {data, 8}};
    virtqueue_add(&rig->vq, two, 1, 1, data);
    int head = device_take(rig);
    device_finish(rig, descriptors(rig)[head].next, 8);
    check(virtqueue_get(&rig->vq, &len) == NULL && rig->vq.broken, "the middle of a chain too");
    rig_free(rig);
}

static void test_twice(void)
{
    struct rig *rig = rig_new(8, true);
    char data[8];
    uint32_t len;
    offer(rig, data, 8, data);
    offer(rig, data, 8, data);
    int head = device_take(rig);
    device_finish(rig, (uint32_t)head, 8);
    device_finish(rig, (uint32_t)head, 8);
    check(virtqueue_get(&rig->vq, &len) == data, "the first of two equal entries counts");
    check(virtqueue_get(&rig->vq, &len) == NULL && rig->vq.broken, "the second breaks the queue");
    rig_free(rig);
}

static void test_lengths(void)
{
    struct rig *rig = rig_new(8, true);
    char data[8];
    uint32_t len = 0;
    offer(rig, data, 8, data);
    device_finish(rig, (uint32_t)device_take(rig), 0xffffffff);
    check(virtqueue_get(&rig->vq, &len) == data && len == 8, "a length is cut to what was offered");
    struct virtio_buffer out = {data, 8};
    virtqueue_add(&rig->vq, &out, 1, 0, data);
    device_finish(rig, (uint32_t)device_take(rig), 100);
    check(virtqueue_get(&rig->vq, &len) == data && len == 0,
          "nothing can be written to a sent buffer");
    rig_free(rig);
}

static void test_index(void)
{
    struct rig *rig = rig_new(8, true);
    char data[8];
    uint32_t len;
    offer(rig, data, 8, data);
    used(rig)[1] = 2;
    check(virtqueue_get(&rig->vq, &len) == NULL && rig->vq.broken,
          "a used index ahead of what was offered breaks the queue");
    rig_free(rig);
    rig = rig_new(8, true);
    used(rig)[1] = 0xffff;
    check(virtqueue_get(&rig->vq, &len) == NULL && rig->vq.broken, "one behind too");
    rig_free(rig);
}

/* Everything shared is overwritten between any two calls: no crash, no token that was not offered.
 */
static void test_storm(void)
{
    unsigned random = 99, broken = 0;
    bool good = true;
    for (unsigned round = 0; round < 2000; round++) {
        struct rig *rig = rig_new(1u << (round % 7), round & 1);
        char data[64];
        for (unsigned step = 0; step < 40; step++) {
            uint32_t len = 0;
            struct virtio_buffer two[2] = {{data, 32}, {data + 32, 32}};
            virtqueue_add(&rig->vq, two, 1, round % 2, data);
            virtqueue_kick(&rig->vq);
            unsigned char *shared = rig->shared;
            for (unsigned i = 0; i < 1 + round % 16; i++) {
                random = random * 1103515245 + 12345;
                shared[(random >> 8) % virtqueue_bytes(rig->size)] = (unsigned char)(random >> 24);
            }
            if (step % 3 == 0) /* often enough a plausible index */
                used(rig)[1] = (uint16_t)(rig->vq.used_index + 1);
            void *token = virtqueue_get(&rig->vq, &len);
            good = good && (token == NULL || (token == data && len <= 32));
            if (step & 1)
                virtqueue_irq_enable(&rig->vq);
            else
                virtqueue_irq_disable(&rig->vq);
        }
        broken += rig->vq.broken;
        rig_free(rig);
    }
    check(good && broken > 0, "random writes to the rings: no foreign token, no long length");
}

int main(void)
{
    test_chain();
    test_order(true);
    test_order(false);
    test_full();
    test_notifications();
    test_between();
    test_unknown_id();
    test_twice();
    test_lengths();
    test_index();
    test_storm();
    printf("1..%u\n", tests);
    return failures != 0;
}
