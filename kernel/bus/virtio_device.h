/* Inside the bus: what virtio.c, the transports (virtio_mmio.c, virtio_pci.c) and virtqueue.c know
 * of a device. Drivers use virtio.h only. */
#ifndef QUINCE_BUS_VIRTIO_DEVICE_H
#define QUINCE_BUS_VIRTIO_DEVICE_H

#include "bus/virtio.h"
#include "bus/virtqueue.h"

enum virtio_status {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_FAILED = 128,
};

enum { VIRTIO_MAX_QUEUES = 64 };

struct virtio_transport {
    const char *name;
    uint8_t (*get_status)(struct virtio_device *dev);
    void (*set_status)(struct virtio_device *dev, uint8_t status); /* 0 resets and waits for it */
    uint64_t (*get_features)(struct virtio_device *dev);
    void (*set_features)(struct virtio_device *dev, uint64_t features);
    /* One access of 1, 2 or 4 bytes, naturally aligned; out of range reads as 0. */
    uint32_t (*config_load)(struct virtio_device *dev, size_t offset, unsigned width);
    void (*config_store)(struct virtio_device *dev, size_t offset, unsigned width, uint32_t value);
    uint32_t (*config_generation)(struct virtio_device *dev);
    /* Largest size of queue INDEX the device allows; 0: no such queue. Selects it. */
    unsigned (*queue_max)(struct virtio_device *dev, unsigned index);
    /* Tells the device where VQ's rings lie and how it is to interrupt, and enables it. */
    int (*queue_enable)(struct virtio_device *dev, struct virtqueue *vq);
    void (*notify)(struct virtio_device *dev, struct virtqueue *vq);
};

struct virtio_device {
    const struct virtio_transport *transport;
    uint32_t id; /* enum virtio_id as the device says */
    uint64_t features;
    char name[24]; /* for the log: "mmio@feb00e00", "pci 00:03.0" */
    unsigned queue_count;
    struct virtqueue *queues[VIRTIO_MAX_QUEUES]; /* in order of creation */
    struct virtio_device *next;
};

/* The bus found DEV (transport, id, name filled in); virtio.c keeps it and probes it later. */
void virtio_device_add(struct virtio_device *dev);
/* Calls the callbacks of every queue with finished chains; from the interrupt of a transport that
 * has one line for all queues. */
void virtio_interrupt(struct virtio_device *dev);

#endif
