/* A packet on its way between a network device and the stack, as hooks see it. */
#ifndef QUINCE_NET_PACKET_H
#define QUINCE_NET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netif;
struct pbuf;

enum verdict { VERDICT_ABORTED, VERDICT_DROP, VERDICT_PASS, VERDICT_TX, VERDICT_REDIRECT };
enum packet_direction { PACKET_RX, PACKET_TX };

struct packet {
    struct pbuf *pbuf; /* the frame from its Ethernet header on; a hook may replace it */
    struct netif *netif;
    enum packet_direction direction;
    uint16_t interface;
    uint16_t vlan;
    uint32_t checksum_flags; /* 1: verified by the device, 2: to be filled in by the device */
    uint64_t timestamp;      /* clock_realtime() */
};
size_t packet_length(const struct packet *packet);
/* Copies from / to the frame; bytes moved, or -EINVAL when [offset, offset+len) is not within. */
int packet_read(const struct packet *packet, size_t offset, void *buffer, size_t len);
int packet_write(struct packet *packet, size_t offset, const void *buffer, size_t len);
/* Grows (positive) or shrinks the frame at its head and tail; 0, -EINVAL or -ENOMEM. */
int packet_adjust(struct packet *packet, int head, int tail);

/* The hook of each direction; NULL: none. Called with the stack's lock held, once per frame, before
 * the stack sees a received one and after it made one to send: on the network thread or, for a
 * frame that a system call sends, on the thread that made the call. Never in interrupt context, and
 * never twice at a time. Verdicts: PASS goes on; TX sends the frame back out of the interface it
 * came from (a frame to be sent goes on); DROP, ABORTED and REDIRECT (there is no second interface
 * yet) drop and count it. */
typedef enum verdict (*packet_hook_fn)(struct packet *packet);
void packet_set_hook(enum packet_direction direction, packet_hook_fn hook);
bool packet_hooked(enum packet_direction direction);
/* Runs the hook of PACKET's direction: what is to become of it. Inside net/. */
enum verdict packet_run_hook(struct packet *packet);
/* Runs FN between two packets, with the stack's lock held, on the calling thread: no hook is
 * running meanwhile. -EDEADLK when called from within a hook. FN must not call into sockets. */
int net_call(void (*fn)(void *context), void *context);

#endif
