/* virtio-net (virtio 1.x, 5.1): one pair of queues, mergeable receive buffers, checksum offload.
 * Received frames are lent to the stack and their buffers come back by free_frame(); the stack's
 * lock serialises everything but the interrupt, which only asks for a poll. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "bus/virtio.h"
#include "drivers/random.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/netdev.h"

#define NET_F_CSUM       (1ull << 0)
#define NET_F_GUEST_CSUM (1ull << 1)
#define NET_F_MTU        (1ull << 3)
#define NET_F_MAC        (1ull << 5)
#define NET_F_MRG_RXBUF  (1ull << 15)

enum { CONFIG_MAC = 0, CONFIG_MTU = 10 };
enum { HEADER_NEEDS_CHECKSUM = 1, HEADER_DATA_VALID = 2 };

struct frame_header {
    uint8_t flags, gso_type;
    uint16_t header_len, gso_size, checksum_start, checksum_offset, buffers;
};

enum {
    BUFFER_SIZE = 2048,
    BUFFERS_PER_FRAME = PAGE_SIZE / BUFFER_SIZE,
    RX_BUFFERS = 128,
    RX_BUFFERS_SMALL = 32, /* with little memory */
    TX_BUFFERS = 128,
    MTU_DEFAULT = 1500,
    MTU_MAX = BUFFER_SIZE - 12 - 14 - 4, /* with headers and a VLAN tag in one buffer */
};

struct net_device {
    struct netdev netdev;
    char name[8];
    struct virtio_device *dev;
    struct virtqueue *rx, *tx;
    char *tx_free[TX_BUFFERS];
    unsigned tx_free_count, tx_allocated;
};

/* ---- receiving ---- */

static void offer(struct net_device *net, void *buffer)
{
    struct virtio_buffer piece = {buffer, BUFFER_SIZE};
    virtqueue_add(net->rx, &piece, 0, 1, buffer);
}

static void free_frame(struct netdev *dev, void *data)
{
    struct net_device *net = dev->driver;
    offer(net, (char *)data - sizeof(struct frame_header));
    virtqueue_kick(net->rx);
}

static void free_assembled(struct netdev *dev, void *data)
{
    (void)dev;
    kfree(data);
}

/* A frame over several buffers, which the device may only build for frames larger than one: copied
 * together. COUNT is the device's word. */
static void receive_merged(struct net_device *net, char *first, uint32_t len, unsigned count,
                           uint32_t checksum_flags)
{
    size_t capacity = (size_t)count * BUFFER_SIZE, size = len - sizeof(struct frame_header);
    char *whole = capacity <= UINT16_MAX ? kmalloc(capacity) : NULL;
    if (whole)
        memcpy(whole, first + sizeof(struct frame_header), size);
    offer(net, first);
    for (unsigned i = 1; i < count; i++) {
        char *buffer = virtqueue_get(net->rx, &len);
        if (!buffer) { /* the device promised more than it delivered */
            kfree(whole);
            net->netdev.rx_dropped++;
            return;
        }
        if (whole)
            memcpy(whole + size, buffer, len);
        size += len;
        offer(net, buffer);
    }
    if (whole)
        net_receive(&net->netdev, whole, size, checksum_flags, free_assembled);
    else
        net->netdev.rx_dropped++;
}

static void receive(struct net_device *net, char *buffer, uint32_t len)
{
    struct frame_header header;
    if (len < sizeof header) {
        net->netdev.rx_dropped++;
        offer(net, buffer);
        return;
    }
    memcpy(&header, buffer, sizeof header);
    uint32_t flags =
        header.flags & (HEADER_NEEDS_CHECKSUM | HEADER_DATA_VALID) ? NETDEV_RX_CHECKSUM : 0;
    if (!(virtio_features(net->dev) & NET_F_GUEST_CSUM))
        flags = 0;
    bool merged = virtio_features(net->dev) & NET_F_MRG_RXBUF;
    if (merged && header.buffers > 1)
        receive_merged(net, buffer, len, header.buffers, flags);
    else
        net_receive(&net->netdev, buffer + sizeof header, len - sizeof header, flags, free_frame);
}

static unsigned net_poll(struct netdev *dev, unsigned budget)
{
    struct net_device *net = dev->driver;
    unsigned done = 0;
    while (done < budget) {
        uint32_t len;
        char *buffer = virtqueue_get(net->rx, &len);
        if (buffer) {
            receive(net, buffer, len);
            done++;
        } else if (virtqueue_irq_enable(net->rx)) {
            break;
        } else {
            virtqueue_irq_disable(net->rx);
        }
    }
    virtqueue_kick(net->rx);
    return done;
}

static void rx_interrupt(struct virtqueue *vq, void *context)
{
    struct net_device *net = context;
    virtqueue_irq_disable(vq);
    netdev_wake(&net->netdev);
}

/* ---- sending ---- */

static char *tx_buffer(struct net_device *net)
{
    char *buffer;
    uint32_t len;
    if (net->tx_free_count == 0 || virtqueue_free_slots(net->tx) == 0)
        while ((buffer = virtqueue_get(net->tx, &len)) != NULL)
            net->tx_free[net->tx_free_count++] = buffer;
    if (net->tx_free_count == 0 && net->tx_allocated < TX_BUFFERS) {
        paddr_t frame = frame_alloc();
        if (frame == FRAME_NONE)
            return NULL;
        buffer = frame_to_virt(frame);
        for (unsigned i = 0; i < BUFFERS_PER_FRAME; i++)
            net->tx_free[net->tx_free_count++] = buffer + i * BUFFER_SIZE;
        net->tx_allocated += BUFFERS_PER_FRAME;
    }
    return net->tx_free_count ? net->tx_free[--net->tx_free_count] : NULL;
}

static int net_transmit(struct netdev *dev, const struct net_buffer *pieces, unsigned count,
                        uint32_t checksum_flags, uint16_t checksum_start, uint16_t checksum_offset)
{
    struct net_device *net = dev->driver;
    size_t total = sizeof(struct frame_header);
    for (unsigned i = 0; i < count; i++)
        total += pieces[i].len;
    if (total > BUFFER_SIZE)
        return -EMSGSIZE;
    char *buffer = tx_buffer(net);
    if (!buffer) {
        virtqueue_kick(net->tx);
        return -ENOBUFS;
    }
    struct frame_header header = {.flags = 0};
    if (checksum_flags & NETDEV_TX_CHECKSUM) {
        header.flags = HEADER_NEEDS_CHECKSUM;
        header.checksum_start = checksum_start;
        header.checksum_offset = checksum_offset;
    }
    memcpy(buffer, &header, sizeof header);
    char *p = buffer + sizeof header;
    for (unsigned i = 0; i < count; i++) {
        memcpy(p, pieces[i].data, pieces[i].len);
        p += pieces[i].len;
    }
    struct virtio_buffer out = {buffer, total};
    if (virtqueue_add(net->tx, &out, 1, 0, buffer) < 0) {
        net->tx_free[net->tx_free_count++] = buffer;
        return -ENOBUFS;
    }
    virtqueue_kick(net->tx);
    return 0;
}

/* ---- start ---- */

static int fill(struct net_device *net)
{
    struct frame_stats frames;
    frame_stats(&frames);
    unsigned wanted = frames.free * PAGE_SIZE < (32u << 20) ? RX_BUFFERS_SMALL : RX_BUFFERS;
    if (wanted > virtqueue_free_slots(net->rx))
        wanted = virtqueue_free_slots(net->rx);
    unsigned count = 0;
    while (count < wanted) {
        paddr_t frame = frame_alloc();
        if (frame == FRAME_NONE)
            break;
        char *page = frame_to_virt(frame);
        for (unsigned i = 0; i < BUFFERS_PER_FRAME; i++, count++)
            offer(net, page + i * BUFFER_SIZE);
    }
    net->netdev.rx_loans = count / 2;
    return count ? 0 : -ENOMEM;
}

static int net_probe(struct virtio_device *dev)
{
    static unsigned number;
    struct net_device *net = kcalloc(1, sizeof *net);
    if (!net)
        return -ENOMEM;
    net->dev = dev;
    net->rx = virtio_queue(dev, 0, 256, rx_interrupt, net);
    net->tx = virtio_queue(dev, 1, TX_BUFFERS, NULL, NULL);
    if (!net->rx || !net->tx)
        return -ENOMEM;

    uint64_t features = virtio_features(dev);
    snprintf(net->name, sizeof net->name, "net%u", number++);
    net->netdev.name = net->name;
    net->netdev.driver = net;
    net->netdev.transmit = net_transmit;
    net->netdev.poll = net_poll;
    net->netdev.mtu = MTU_DEFAULT;
    if (features & NET_F_MTU) {
        uint16_t mtu = 0;
        virtio_config_read(dev, CONFIG_MTU, &mtu, sizeof mtu);
        if (mtu >= 1280)
            net->netdev.mtu = mtu < MTU_MAX ? mtu : MTU_MAX;
    }
    if (features & NET_F_MAC) {
        virtio_config_read(dev, CONFIG_MAC, net->netdev.mac, sizeof net->netdev.mac);
    } else {
        random_bytes(net->netdev.mac, sizeof net->netdev.mac);
        net->netdev.mac[0] = (uint8_t)((net->netdev.mac[0] & 0xfe) | 2); /* unicast, local */
    }
    if (features & NET_F_CSUM)
        net->netdev.offloads |= NETDEV_TX_CHECKSUM;
    if (features & NET_F_GUEST_CSUM)
        net->netdev.offloads |= NETDEV_RX_CHECKSUM;
    virtqueue_irq_disable(net->tx);
    int error = fill(net);
    if (error == 0)
        error = netdev_register(&net->netdev);
    if (error < 0)
        return error;
    virtio_ready(dev);
    virtqueue_kick(net->rx);
    return 0;
}

static const struct virtio_driver net_driver = {
    .id = VIRTIO_NET,
    .name = "virtio-net",
    .features = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MTU | NET_F_MAC | NET_F_MRG_RXBUF,
    .probe = net_probe,
};
VIRTIO_DRIVER(net_driver);
