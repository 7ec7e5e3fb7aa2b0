/* Virtio over PCI (virtio 1.x, 4.1), the modern interface: capabilities say where in the memory
 * BARs the registers lie. MSI-X: one vector for each queue, or one for all where the device has too
 * few. */
#include "bus/virtio_device.h"

#include <errno.h>
#include <stdio.h>
#include "bus/dma.h"
#include "bus/pci.h"
#include "init.h"
#include "log.h"
#include "mm/heap.h"
#include "time/clock.h"

enum {
    VENDOR_VIRTIO = 0x1af4,
    ID_MODERN = 0x1040,       /* plus the device type */
    ID_TRANSITIONAL = 0x1000, /* to 0x103f; the type is the subsystem's */
    CAPABILITY_VENDOR = 0x09,
    NO_VECTOR = 0xffff,
    RESET_MS = 1000,
};
enum virtio_capability { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4 };

enum common_register {
    COMMON_DEVICE_FEATURE_SELECT = 0x00,
    COMMON_DEVICE_FEATURE = 0x04,
    COMMON_DRIVER_FEATURE_SELECT = 0x08,
    COMMON_DRIVER_FEATURE = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10,
    COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15,
    COMMON_QUEUE_SELECT = 0x16,
    COMMON_QUEUE_SIZE = 0x18,
    COMMON_QUEUE_VECTOR = 0x1a,
    COMMON_QUEUE_ENABLE = 0x1c,
    COMMON_QUEUE_NOTIFY_OFFSET = 0x1e,
    COMMON_QUEUE_DESC = 0x20,
    COMMON_QUEUE_DRIVER = 0x28,
    COMMON_QUEUE_DEVICE = 0x30,
    COMMON_SIZE = 0x38,
};

struct pci_device {
    struct virtio_device virtio;
    struct pci_function *fn;
    volatile char *common, *config;
    size_t config_size;
    volatile char *notify;
    size_t notify_size;
    uint32_t notify_multiplier;
    unsigned vectors, vectors_used;
};

static struct pci_device *of(struct virtio_device *dev)
{
    return (struct pci_device *)dev;
}

static uint32_t load(volatile char *base, size_t offset, unsigned width)
{
    volatile char *p = base + offset;
    if (width == 4)
        return *(volatile uint32_t *)p;
    return width == 2 ? *(volatile uint16_t *)p : *(volatile uint8_t *)p;
}

static void store(volatile char *base, size_t offset, unsigned width, uint32_t value)
{
    volatile char *p = base + offset;
    if (width == 4)
        *(volatile uint32_t *)p = value;
    else if (width == 2)
        *(volatile uint16_t *)p = (uint16_t)value;
    else
        *(volatile uint8_t *)p = (uint8_t)value;
}

static void store64(volatile char *base, size_t offset, uint64_t value)
{
    store(base, offset, 4, (uint32_t)value);
    store(base, offset + 4, 4, (uint32_t)(value >> 32));
}

static uint8_t pci_get_status(struct virtio_device *dev)
{
    return (uint8_t)load(of(dev)->common, COMMON_STATUS, 1);
}

static void pci_set_status(struct virtio_device *dev, uint8_t status)
{
    store(of(dev)->common, COMMON_STATUS, 1, status);
    if (status == 0) {
        uint64_t deadline = clock_now() + RESET_MS * NS_PER_MS;
        while (load(of(dev)->common, COMMON_STATUS, 1) != 0 && clock_now() < deadline) {
        }
    }
}

static uint64_t pci_get_features(struct virtio_device *dev)
{
    volatile char *common = of(dev)->common;
    store(common, COMMON_DEVICE_FEATURE_SELECT, 4, 0);
    uint64_t low = load(common, COMMON_DEVICE_FEATURE, 4);
    store(common, COMMON_DEVICE_FEATURE_SELECT, 4, 1);
    return low | (uint64_t)load(common, COMMON_DEVICE_FEATURE, 4) << 32;
}

static void pci_set_features(struct virtio_device *dev, uint64_t features)
{
    volatile char *common = of(dev)->common;
    store(common, COMMON_DRIVER_FEATURE_SELECT, 4, 0);
    store(common, COMMON_DRIVER_FEATURE, 4, (uint32_t)features);
    store(common, COMMON_DRIVER_FEATURE_SELECT, 4, 1);
    store(common, COMMON_DRIVER_FEATURE, 4, (uint32_t)(features >> 32));
}

static bool config_within(struct pci_device *pci, size_t offset, unsigned width)
{
    return pci->config && offset <= pci->config_size && width <= pci->config_size - offset;
}

static uint32_t pci_config_load(struct virtio_device *dev, size_t offset, unsigned width)
{
    return config_within(of(dev), offset, width) ? load(of(dev)->config, offset, width) : 0;
}

static void pci_config_store(struct virtio_device *dev, size_t offset, unsigned width,
                             uint32_t value)
{
    if (config_within(of(dev), offset, width))
        store(of(dev)->config, offset, width, value);
}

static uint32_t pci_config_generation(struct virtio_device *dev)
{
    return load(of(dev)->common, COMMON_GENERATION, 1);
}

static unsigned pci_queue_max(struct virtio_device *dev, unsigned index)
{
    volatile char *common = of(dev)->common;
    store(common, COMMON_QUEUE_SELECT, 2, index);
    return load(common, COMMON_QUEUE_ENABLE, 2) ? 0 : load(common, COMMON_QUEUE_SIZE, 2);
}

static void queue_interrupt(void *context)
{
    struct virtqueue *vq = context;
    if (vq->callback && !vq->irq_disabled && virtqueue_pending(vq))
        vq->callback(vq, vq->context);
}

static void shared_interrupt(void *context)
{
    virtio_interrupt(context);
}

/* Vector 0 serves the queues for which none of their own is left. */
static int queue_vector(struct pci_device *pci, struct virtqueue *vq)
{
    if (!vq->callback) {
        vq->vector = NO_VECTOR;
        return 0;
    }
    if (pci->vectors_used < pci->vectors) {
        vq->vector = (uint16_t)pci->vectors_used;
        if (pci_msix_attach(pci->fn, vq->vector, queue_interrupt, vq) == 0) {
            pci->vectors_used++;
            return 0;
        }
    }
    vq->vector = 0;
    return 0;
}

static int pci_queue_enable(struct virtio_device *dev, struct virtqueue *vq)
{
    struct pci_device *pci = of(dev);
    volatile char *common = pci->common;
    store(common, COMMON_QUEUE_SELECT, 2, vq->index);
    uint64_t notify =
        (uint64_t)load(common, COMMON_QUEUE_NOTIFY_OFFSET, 2) * pci->notify_multiplier;
    if (notify > pci->notify_size || pci->notify_size - notify < 2)
        return -EINVAL;
    int error = queue_vector(pci, vq);
    if (error < 0)
        return error;
    vq->notify_address = (uintptr_t)(pci->notify + notify);
    store(common, COMMON_QUEUE_SIZE, 2, vq->size);
    store(common, COMMON_QUEUE_VECTOR, 2, vq->vector);
    if (load(common, COMMON_QUEUE_VECTOR, 2) != vq->vector)
        return -ENOSPC; /* the device could not take it */
    store64(common, COMMON_QUEUE_DESC, dma_address(vq->desc));
    store64(common, COMMON_QUEUE_DRIVER, dma_address((const void *)vq->avail));
    store64(common, COMMON_QUEUE_DEVICE, dma_address((const void *)vq->used));
    store(common, COMMON_QUEUE_ENABLE, 2, 1);
    return 0;
}

static void pci_notify(struct virtio_device *dev, struct virtqueue *vq)
{
    (void)dev;
    *(volatile uint16_t *)vq->notify_address = vq->index;
}

static const struct virtio_transport pci_transport = {
    .name = "pci",
    .get_status = pci_get_status,
    .set_status = pci_set_status,
    .get_features = pci_get_features,
    .set_features = pci_set_features,
    .config_load = pci_config_load,
    .config_store = pci_config_store,
    .config_generation = pci_config_generation,
    .queue_max = pci_queue_max,
    .queue_enable = pci_queue_enable,
    .notify = pci_notify,
};

/* Maps the region a capability of TYPE describes; NULL: none that can be used. */
static volatile char *map_region(struct pci_function *fn, enum virtio_capability type, size_t min,
                                 size_t *size, unsigned *capability)
{
    unsigned cap = 0;
    while ((cap = pci_capability(fn, CAPABILITY_VENDOR, cap, 16)) != 0) {
        if (pci_read(fn, cap + 3, 1) != type)
            continue;
        uint32_t offset = pci_read(fn, cap + 8, 4), length = pci_read(fn, cap + 12, 4);
        if (length < min)
            continue;
        if (length > 65536)
            length = 65536;
        volatile char *mapping = pci_map(fn, pci_read(fn, cap + 4, 1), offset, length);
        if (mapping) {
            *size = length;
            *capability = cap;
            return mapping;
        }
    }
    return NULL;
}

static int add_device(struct pci_function *fn, uint32_t type)
{
    struct pci_device *pci = kcalloc(1, sizeof *pci);
    if (!pci)
        return -ENOMEM;
    size_t size;
    unsigned capability;
    pci->fn = fn;
    pci->virtio.transport = &pci_transport;
    pci->virtio.id = type;
    snprintf(pci->virtio.name, sizeof pci->virtio.name, "pci %02x:%02x.%x", fn->bus, fn->device,
             fn->function);
    pci_enable(fn, true);
    pci->common = map_region(fn, CAP_COMMON, COMMON_SIZE, &size, &capability);
    pci->config = map_region(fn, CAP_DEVICE, 1, &pci->config_size, &capability);
    pci->notify = map_region(fn, CAP_NOTIFY, 2, &pci->notify_size, &capability);
    if (pci->notify && capability + 20 <= 256)
        pci->notify_multiplier = pci_read(fn, capability + 16, 4);
    if (!pci->common || !pci->notify) {
        klog(LOG_ERROR, "virtio %s: no modern interface", pci->virtio.name);
        kfree(pci);
        return -ENODEV;
    }
    int vectors = pci_msix_enable(fn);
    if (vectors < 0 || pci_msix_attach(fn, 0, shared_interrupt, &pci->virtio) < 0) {
        klog(LOG_ERROR, "virtio %s: no MSI-X", pci->virtio.name);
        kfree(pci);
        return -ENODEV;
    }
    pci->vectors = (unsigned)vectors;
    pci->vectors_used = 1;
    virtio_device_add(&pci->virtio);
    return 0;
}

static int virtio_pci_scan(void)
{
    for (struct pci_function *fn = pci_functions(); fn; fn = fn->next) {
        if (fn->vendor != VENDOR_VIRTIO)
            continue;
        if (fn->id >= ID_MODERN && fn->id < ID_MODERN + 64)
            add_device(fn, (uint32_t)(fn->id - ID_MODERN));
        else if (fn->id >= ID_TRANSITIONAL && fn->id < ID_MODERN)
            add_device(fn, fn->subsystem);
    }
    return 0;
}
INIT(2, virtio_pci_scan);
