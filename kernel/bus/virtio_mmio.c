/* Virtio over memory-mapped registers (virtio 1.x, 4.2), version 2. Devices are named on the
 * command line, virtio_mmio.device=SIZE@ADDRESS:IRQ, as QEMU's microvm and Firecracker append it.
 */
#include "bus/virtio_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/irq.h"
#include "boot.h"
#include "bus/dma.h"
#include "init.h"
#include "log.h"
#include "mm/heap.h"
#include "mm/vm.h"

enum mmio_register {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SELECT = 0x014,
    REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SELECT = 0x024,
    REG_QUEUE_SELECT = 0x030,
    REG_QUEUE_SIZE_MAX = 0x034,
    REG_QUEUE_SIZE = 0x038,
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT_STATUS = 0x060,
    REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESC = 0x080,
    REG_QUEUE_DRIVER = 0x090,
    REG_QUEUE_DEVICE = 0x0a0,
    REG_CONFIG_GENERATION = 0x0fc,
    REG_CONFIG = 0x100,
};
#define MMIO_MAGIC 0x74726976u /* "virt" */

struct mmio_device {
    struct virtio_device virtio;
    volatile char *registers;
    size_t size;
    unsigned irq;
};

static uint32_t load(struct mmio_device *mmio, size_t reg)
{
    return *(volatile uint32_t *)(mmio->registers + reg);
}

static void store(struct mmio_device *mmio, size_t reg, uint32_t value)
{
    *(volatile uint32_t *)(mmio->registers + reg) = value;
}

static void store64(struct mmio_device *mmio, size_t reg, uint64_t value)
{
    store(mmio, reg, (uint32_t)value);
    store(mmio, reg + 4, (uint32_t)(value >> 32));
}

static struct mmio_device *of(struct virtio_device *dev)
{
    return (struct mmio_device *)dev;
}

static uint8_t mmio_get_status(struct virtio_device *dev)
{
    return (uint8_t)load(of(dev), REG_STATUS);
}

static void mmio_set_status(struct virtio_device *dev, uint8_t status)
{
    store(of(dev), REG_STATUS, status);
}

static uint64_t mmio_get_features(struct virtio_device *dev)
{
    store(of(dev), REG_DEVICE_FEATURES_SELECT, 0);
    uint64_t low = load(of(dev), REG_DEVICE_FEATURES);
    store(of(dev), REG_DEVICE_FEATURES_SELECT, 1);
    return low | (uint64_t)load(of(dev), REG_DEVICE_FEATURES) << 32;
}

static void mmio_set_features(struct virtio_device *dev, uint64_t features)
{
    store(of(dev), REG_DRIVER_FEATURES_SELECT, 0);
    store(of(dev), REG_DRIVER_FEATURES, (uint32_t)features);
    store(of(dev), REG_DRIVER_FEATURES_SELECT, 1);
    store(of(dev), REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static bool config_within(struct mmio_device *mmio, size_t offset, unsigned width)
{
    return offset <= mmio->size - REG_CONFIG && width <= mmio->size - REG_CONFIG - offset;
}

static uint32_t mmio_config_load(struct virtio_device *dev, size_t offset, unsigned width)
{
    struct mmio_device *mmio = of(dev);
    if (!config_within(mmio, offset, width))
        return 0;
    volatile char *p = mmio->registers + REG_CONFIG + offset;
    if (width == 4)
        return *(volatile uint32_t *)p;
    return width == 2 ? *(volatile uint16_t *)p : *(volatile uint8_t *)p;
}

static void mmio_config_store(struct virtio_device *dev, size_t offset, unsigned width,
                              uint32_t value)
{
    struct mmio_device *mmio = of(dev);
    if (!config_within(mmio, offset, width))
        return;
    volatile char *p = mmio->registers + REG_CONFIG + offset;
    if (width == 4)
        *(volatile uint32_t *)p = value;
    else if (width == 2)
        *(volatile uint16_t *)p = (uint16_t)value;
    else
        *(volatile uint8_t *)p = (uint8_t)value;
}

static uint32_t mmio_config_generation(struct virtio_device *dev)
{
    return load(of(dev), REG_CONFIG_GENERATION);
}

static unsigned mmio_queue_max(struct virtio_device *dev, unsigned index)
{
    store(of(dev), REG_QUEUE_SELECT, index);
    return load(of(dev), REG_QUEUE_READY) ? 0 : load(of(dev), REG_QUEUE_SIZE_MAX);
}

static int mmio_queue_enable(struct virtio_device *dev, struct virtqueue *vq)
{
    struct mmio_device *mmio = of(dev);
    store(mmio, REG_QUEUE_SELECT, vq->index);
    store(mmio, REG_QUEUE_SIZE, vq->size);
    store64(mmio, REG_QUEUE_DESC, dma_address(vq->desc));
    store64(mmio, REG_QUEUE_DRIVER, dma_address((const void *)vq->avail));
    store64(mmio, REG_QUEUE_DEVICE, dma_address((const void *)vq->used));
    store(mmio, REG_QUEUE_READY, 1);
    return 0;
}

static void mmio_notify(struct virtio_device *dev, struct virtqueue *vq)
{
    store(of(dev), REG_QUEUE_NOTIFY, vq->index);
}

static void mmio_interrupt(void *context)
{
    struct mmio_device *mmio = context;
    /* Both causes are acknowledged unread: that saves an exit to the hypervisor per interrupt, and
     * no driver waits for a change of configuration alone. Before the queues are looked at: what
     * finishes later raises the line again. */
    store(mmio, REG_INTERRUPT_ACK, 3);
    virtio_interrupt(&mmio->virtio);
}

static const struct virtio_transport mmio_transport = {
    .name = "mmio",
    .get_status = mmio_get_status,
    .set_status = mmio_set_status,
    .get_features = mmio_get_features,
    .set_features = mmio_set_features,
    .config_load = mmio_config_load,
    .config_store = mmio_config_store,
    .config_generation = mmio_config_generation,
    .queue_max = mmio_queue_max,
    .queue_enable = mmio_queue_enable,
    .notify = mmio_notify,
};

/* Devices share pages; one mapping serves neighbours. */
static volatile char *map_registers(uint64_t address, size_t size)
{
    static uint64_t mapped_page;
    static char *mapping;
    uint64_t page = address & ~(uint64_t)(PAGE_SIZE - 1);
    size_t offset = (size_t)(address - page);
    if (mapping && mapped_page == page && offset + size <= PAGE_SIZE)
        return mapping + offset;
    char *fresh = vm_map_device(page, (offset + size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
    if (!fresh)
        return NULL;
    mapped_page = page;
    mapping = fresh;
    return fresh + offset;
}

static int add_device(uint64_t size, uint64_t address, unsigned irq)
{
    volatile char *registers = map_registers(address, (size_t)size);
    if (!registers)
        return -ENOMEM;
    struct mmio_device *mmio = kcalloc(1, sizeof *mmio);
    if (!mmio)
        return -ENOMEM;
    mmio->registers = registers;
    mmio->size = (size_t)size;
    mmio->irq = irq;
    mmio->virtio.transport = &mmio_transport;
    snprintf(mmio->virtio.name, sizeof mmio->virtio.name, "mmio@%llx", (unsigned long long)address);

    int error = -ENODEV;
    if (load(mmio, REG_MAGIC) != MMIO_MAGIC)
        klog(LOG_WARN, "virtio %s: nothing there", mmio->virtio.name);
    else if (load(mmio, REG_VERSION) != 2)
        klog(LOG_ERROR,
             "virtio %s: legacy device refused (QEMU: -global virtio-mmio.force-legacy=false)",
             mmio->virtio.name);
    else if ((mmio->virtio.id = load(mmio, REG_DEVICE_ID)) == 0)
        error = 0; /* an empty slot */
    else
        error = irq_attach_gsi(irq, IRQ_EDGE, mmio_interrupt, mmio);
    if (error < 0 || mmio->virtio.id == 0) {
        kfree(mmio);
        return error;
    }
    virtio_device_add(&mmio->virtio);
    return 0;
}

/* SIZE@ADDRESS:IRQ, SIZE with an optional K; an id behind a second colon is ignored as on Linux. */
static bool parse_device(const char *text, uint64_t *size, uint64_t *address, unsigned *irq)
{
    char *end;
    *size = strtoull(text, &end, 0);
    if (*end == 'K' || *end == 'k') {
        *size *= 1024;
        end++;
    }
    if (*end != '@')
        return false;
    *address = strtoull(end + 1, &end, 0);
    if (*end != ':')
        return false;
    unsigned long line = strtoul(end + 1, &end, 0);
    *irq = (unsigned)line;
    return (*end == ' ' || *end == ':' || *end == 0) && line < 256 && *size > REG_CONFIG &&
           *size <= 65536 && *address % 4 == 0 && *address + *size > *address;
}

static int virtio_mmio_scan(void)
{
    static const char option[] = "virtio_mmio.device=";
    /* QEMU appends the devices to the very end, behind the application's arguments. */
    for (const char *p = boot_info.command_line; (p = strstr(p, option)) != NULL;) {
        bool token = p == boot_info.command_line || p[-1] == ' ';
        p += sizeof option - 1;
        if (!token)
            continue;
        uint64_t size, address;
        unsigned irq;
        if (!parse_device(p, &size, &address, &irq))
            klog(LOG_WARN, "virtio mmio: cannot read device '%.40s'", p);
        else
            add_device(size, address, irq);
    }
    return 0;
}
INIT(2, virtio_mmio_scan);
