/* Split virtqueues (virtio 1.x, 2.7): the rings shared with a device and the driver's private book
 * of what it offered. Everything the device writes is checked against that book. Portable: asks
 * only for memory, bus addresses and a way to notify, so the unit test runs it on the host. */
#ifndef QUINCE_BUS_VIRTQUEUE_H
#define QUINCE_BUS_VIRTQUEUE_H

#include "bus/virtio.h"

enum { VIRTQUEUE_MAX_SIZE = 256 };

struct vring_desc {
    uint64_t address;
    uint32_t len;
    uint16_t flags, next;
};
struct vring_used_element {
    uint32_t id, len;
};

struct virtqueue {
    struct virtio_device *dev;
    void (*callback)(struct virtqueue *vq, void *context);
    void *context;
    uint16_t index, size; /* size is a power of two */
    bool event_index;
    bool irq_disabled;
    bool broken; /* the device wrote nonsense; the queue is dead until the device is reset */

    /* shared with the device */
    struct vring_desc *desc;
    volatile uint16_t *avail; /* flags, index, ring[size], used_event */
    volatile uint16_t *used;  /* flags, index, elements[size], avail_event */
    volatile struct vring_used_element *used_ring;

    /* private */
    uint16_t free_head, free_count;
    uint16_t avail_index, kicked_index, used_index;
    struct virtqueue_slot {
        void *token;
        uint32_t writable; /* bytes offered for writing by the chain that starts here */
        uint16_t next,
            count; /* count: descriptors of the chain, 0: not the head of one in flight */
    } * slots;

    uintptr_t notify_address; /* transport's */
    uint16_t vector;          /* transport's */
};

/* Bytes of shared memory for SIZE entries. */
size_t virtqueue_bytes(unsigned size);
/* Prepares VQ over zeroed SHARED memory of virtqueue_bytes(size) and SIZE slots. */
void virtqueue_setup(struct virtqueue *vq, unsigned index, unsigned size, void *shared,
                     struct virtqueue_slot *slots, bool event_index);
/* true: finished chains wait (or the device claims so). */
bool virtqueue_pending(const struct virtqueue *vq);

/* Supplied by virtio.c; by the test on the host. */
uint64_t virtqueue_bus_address(const void *p);
void virtqueue_notify(struct virtqueue *vq);
void virtqueue_fence(void);                                      /* cpu_device_fence() */
void virtqueue_report(struct virtqueue *vq, const char *reason); /* became broken */

#endif
