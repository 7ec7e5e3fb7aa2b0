/* What a network driver and the stack know of each other: frames in, frames out. */
#ifndef QUINCE_NET_NETDEV_H
#define QUINCE_NET_NETDEV_H

#include <stddef.h>
#include <stdint.h>

struct net_buffer { /* a piece of a frame */
    void *data;
    size_t len;
};
enum netdev_offload { NETDEV_TX_CHECKSUM = 1, NETDEV_RX_CHECKSUM = 2 };

struct netdev {
    const char *name;
    uint8_t mac[6];
    uint16_t mtu;
    uint32_t offloads;
    void *driver;
    /* Queues a frame of COUNT pieces, copied; 0 or -ENOBUFS (nothing was sent; try again later).
     * All functions are called with the stack's lock held, from threads. CHECKSUM_FLAGS has
     * NETDEV_TX_CHECKSUM when the device is to sum from CHECKSUM_START on and store at
     * CHECKSUM_START + CHECKSUM_OFFSET. */
    int (*transmit)(struct netdev *dev, const struct net_buffer *pieces, unsigned count,
                    uint32_t checksum_flags, uint16_t checksum_start, uint16_t checksum_offset);
    /* Takes received frames out of the device by calling net_receive() for each, at most BUDGET;
     * returns how many. Interrupts are off at the device while frames remain; poll re-enables them
     * when it returns fewer than BUDGET. */
    unsigned (*poll)(struct netdev *dev, unsigned budget);
    unsigned rx_loans; /* how many received frames the stack may hold before it has to copy */
    void *stack;       /* the stack's own */
    struct netdev *next;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_dropped;
};
int netdev_register(struct netdev *dev); /* by the driver, INIT_DRIVER; supplied by net/ */
void netdev_wake(struct netdev *dev);    /* by the driver's interrupt: frames wait */
/* Every registered device. */
void netdev_for_each(void (*fn)(const struct netdev *dev, void *context), void *context);
/* Hands a received frame over; DATA stays the stack's until it calls FREE(data) (with its lock
 * held, at once or later). CHECKSUM_FLAGS: NETDEV_RX_CHECKSUM when the device vouches for the
 * checksums. */
void net_receive(struct netdev *dev, void *data, size_t len, uint32_t checksum_flags,
                 void (*free)(struct netdev *dev, void *data));

#endif
