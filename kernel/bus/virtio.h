/* Virtio 1.x devices over PCI or MMIO: feature negotiation, split virtqueues with event index. A
 * driver declares itself; the bus finds devices and calls probe. */
#ifndef QUINCE_BUS_VIRTIO_H
#define QUINCE_BUS_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum virtio_id {
    VIRTIO_NET = 1,
    VIRTIO_BLOCK = 2,
    VIRTIO_CONSOLE = 3,
    VIRTIO_RNG = 4,
    VIRTIO_9P = 9
};

struct virtio_device;
struct virtqueue;
struct virtio_driver {
    enum virtio_id id;
    const char *name;
    uint64_t features;                       /* wanted, beside VERSION_1 and EVENT_IDX */
    int (*probe)(struct virtio_device *dev); /* 0 or -errno */
};
#define VIRTIO_DRIVER(driver)                                                                      \
    static const struct virtio_driver *const virtio_driver_##driver                                \
        __attribute__((used, section(".virtio_drivers"), aligned(8))) = &(driver)

uint64_t virtio_features(const struct virtio_device *dev); /* negotiated */
void virtio_config_read(struct virtio_device *dev, size_t offset, void *buffer, size_t len);
void virtio_config_write(struct virtio_device *dev, size_t offset, const void *buffer, size_t len);
/* CALLBACK runs in interrupt context. NULL: no memory or no such queue. */
struct virtqueue *virtio_queue(struct virtio_device *dev, unsigned index, unsigned max_size,
                               void (*callback)(struct virtqueue *vq, void *context),
                               void *context);
void virtio_ready(struct virtio_device *dev); /* DRIVER_OK */

struct virtio_buffer {
    void *data; /* direct-map or heap address; physically contiguous */
    size_t len;
};
/* Adds a chain: OUT readable pieces, then IN writable ones; TOKEN comes back from virtqueue_get().
 * 0 or -ENOSPC. Callers serialise per queue. */
int virtqueue_add(struct virtqueue *vq, const struct virtio_buffer *buffers, unsigned out,
                  unsigned in, void *token);
void virtqueue_kick(struct virtqueue *vq); /* notifies the device if it wants to be */
/* A finished chain: its token and bytes written by the device (never more than was offered); NULL:
 * none. Hostile used rings are detected and give NULL. */
void *virtqueue_get(struct virtqueue *vq, uint32_t *len);
void virtqueue_irq_disable(struct virtqueue *vq);
bool virtqueue_irq_enable(struct virtqueue *vq); /* false: chains are waiting already */
unsigned virtqueue_free_slots(const struct virtqueue *vq);

#endif
