/* Virtio devices whatever the transport: the table of drivers, feature negotiation, queues. */
#include "bus/virtio_device.h"

#include <errno.h>
#include <string.h>
#include "arch/cpu.h"
#include "init.h"
#include "log.h"
#include "bus/dma.h"
#include "mm/frame.h"
#include "mm/heap.h"

#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

/* Linker script: the drivers linked into this image. */
extern const struct virtio_driver *const __start_virtio_drivers[];
extern const struct virtio_driver *const __stop_virtio_drivers[];

static struct virtio_device *devices;

void virtio_device_add(struct virtio_device *dev)
{
    struct virtio_device **link = &devices;
    while (*link)
        link = &(*link)->next;
    dev->next = NULL;
    *link = dev;
}

uint64_t virtio_features(const struct virtio_device *dev)
{
    return dev->features;
}

/* Splits an access to configuration space into the natural ones devices accept. */
static unsigned access_width(size_t offset, size_t len)
{
    if (len >= 4 && offset % 4 == 0)
        return 4;
    return len >= 2 && offset % 2 == 0 ? 2 : 1;
}

void virtio_config_read(struct virtio_device *dev, size_t offset, void *buffer, size_t len)
{
    /* A changing generation means a torn read; a device that changes it forever gets no loop. */
    for (unsigned attempt = 0; attempt < 8; attempt++) {
        uint32_t generation = dev->transport->config_generation(dev);
        for (size_t done = 0; done < len;) {
            unsigned width = access_width(offset + done, len - done);
            uint32_t value = dev->transport->config_load(dev, offset + done, width);
            memcpy((char *)buffer + done, &value, width);
            done += width;
        }
        if (dev->transport->config_generation(dev) == generation)
            return;
    }
}

void virtio_config_write(struct virtio_device *dev, size_t offset, const void *buffer, size_t len)
{
    for (size_t done = 0; done < len;) {
        unsigned width = access_width(offset + done, len - done);
        uint32_t value = 0;
        memcpy(&value, (const char *)buffer + done, width);
        dev->transport->config_store(dev, offset + done, width, value);
        done += width;
    }
}

static unsigned power_of_two_below(unsigned n)
{
    unsigned power = 1;
    while (power * 2 <= n)
        power *= 2;
    return power;
}

struct virtqueue *virtio_queue(struct virtio_device *dev, unsigned index, unsigned max_size,
                               void (*callback)(struct virtqueue *vq, void *context), void *context)
{
    unsigned size = dev->transport->queue_max(dev, index);
    if (size > max_size)
        size = max_size;
    if (size > VIRTQUEUE_MAX_SIZE)
        size = VIRTQUEUE_MAX_SIZE;
    if (size == 0 || dev->queue_count == VIRTIO_MAX_QUEUES)
        return NULL;
    size = power_of_two_below(size);

    unsigned order = 0;
    while ((PAGE_SIZE << order) < virtqueue_bytes(size))
        order++;
    paddr_t frames = frame_alloc_order(order);
    if (frames == FRAME_NONE)
        return NULL;
    struct virtqueue *vq = kcalloc(1, sizeof *vq + size * sizeof(struct virtqueue_slot));
    if (!vq) {
        frame_free_order(frames, order);
        return NULL;
    }
    void *shared = frame_to_virt(frames);
    memset(shared, 0, PAGE_SIZE << order);
    vq->dev = dev;
    vq->callback = callback;
    vq->context = context;
    virtqueue_setup(vq, index, size, shared, (struct virtqueue_slot *)(vq + 1),
                    dev->features & VIRTIO_F_EVENT_IDX);
    if (dev->transport->queue_enable(dev, vq) < 0) {
        kfree(vq);
        frame_free_order(frames, order);
        return NULL;
    }
    dev->queues[dev->queue_count++] = vq;
    return vq;
}

void virtio_ready(struct virtio_device *dev)
{
    uint8_t status = dev->transport->get_status(dev);
    dev->transport->set_status(dev, status | VIRTIO_STATUS_DRIVER_OK);
}

void virtio_interrupt(struct virtio_device *dev)
{
    for (unsigned i = 0; i < dev->queue_count; i++) {
        struct virtqueue *vq = dev->queues[i];
        if (vq->callback && !vq->irq_disabled && virtqueue_pending(vq))
            vq->callback(vq, vq->context);
    }
}

uint64_t virtqueue_bus_address(const void *p)
{
    return dma_address(p);
}

void virtqueue_notify(struct virtqueue *vq)
{
    vq->dev->transport->notify(vq->dev, vq);
}

void virtqueue_fence(void)
{
    cpu_device_fence();
}

void virtqueue_report(struct virtqueue *vq, const char *reason)
{
    klog(LOG_ERROR, "virtio %s: queue %u: %s; queue shut down", vq->dev->name, vq->index, reason);
}

static int negotiate(struct virtio_device *dev, const struct virtio_driver *driver)
{
    const struct virtio_transport *transport = dev->transport;
    transport->set_status(dev, 0);
    transport->set_status(dev, VIRTIO_STATUS_ACKNOWLEDGE);
    uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
    transport->set_status(dev, status);

    uint64_t offered = transport->get_features(dev);
    if (!(offered & VIRTIO_F_VERSION_1)) {
        klog(LOG_ERROR,
             "virtio %s: legacy device refused (QEMU: -global virtio-mmio.force-legacy=false)",
             dev->name);
        return -ENODEV;
    }
    dev->features = offered & (driver->features | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    transport->set_features(dev, dev->features);
    status |= VIRTIO_STATUS_FEATURES_OK;
    transport->set_status(dev, status);
    if (!(transport->get_status(dev) & VIRTIO_STATUS_FEATURES_OK)) {
        klog(LOG_ERROR, "virtio %s: device refuses features %#llx", dev->name,
             (unsigned long long)dev->features);
        return -ENODEV;
    }
    return 0;
}

static int virtio_probe(void)
{
    for (struct virtio_device *dev = devices; dev; dev = dev->next) {
        const struct virtio_driver *driver = NULL;
        for (const struct virtio_driver *const *p = __start_virtio_drivers;
             p < __stop_virtio_drivers; p++)
            if ((uint32_t)(*p)->id == dev->id)
                driver = *p;
        if (!driver) {
            klog(LOG_INFO, "virtio %s: no driver for device type %u", dev->name, dev->id);
            continue;
        }
        int error = negotiate(dev, driver);
        if (error == 0)
            error = driver->probe(dev);
        if (error < 0) {
            dev->transport->set_status(dev, VIRTIO_STATUS_FAILED);
            klog(LOG_ERROR, "virtio %s: %s: probe failed (%d)", dev->name, driver->name, error);
        } else {
            klog(LOG_INFO, "virtio %s: %s, features %#llx", dev->name, driver->name,
                 (unsigned long long)dev->features);
        }
    }
    return 0;
}
INIT(3, virtio_probe);
