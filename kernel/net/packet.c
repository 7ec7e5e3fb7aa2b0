/* Packets as hooks see them: reading, changing, and running the hook of a direction. */
#include "net/packet.h"

#include <errno.h>
#include <string.h>
#include "time/clock.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ethernet.h"

enum { FRAME_MIN = SIZEOF_ETH_HDR, FRAME_MAX = 65535 };

static packet_hook_fn hooks[2];

void packet_set_hook(enum packet_direction direction, packet_hook_fn hook)
{
    __atomic_store_n(&hooks[direction], hook, __ATOMIC_RELEASE);
}

bool packet_hooked(enum packet_direction direction)
{
    return __atomic_load_n(&hooks[direction], __ATOMIC_ACQUIRE) != NULL;
}

static uint16_t vlan_of(const struct pbuf *p)
{
    uint8_t tag[4];
    if (pbuf_copy_partial(p, tag, sizeof tag, 12) != sizeof tag || tag[0] != 0x81 || tag[1] != 0)
        return 0;
    return (uint16_t)((tag[2] << 8 | tag[3]) & 0xfff);
}

enum verdict packet_run_hook(struct packet *packet)
{
    packet_hook_fn hook = __atomic_load_n(&hooks[packet->direction], __ATOMIC_ACQUIRE);
    if (!hook)
        return VERDICT_PASS;
    packet->interface = netif_get_index(packet->netif);
    packet->vlan = vlan_of(packet->pbuf);
    packet->timestamp = clock_realtime();
    return hook(packet);
}

size_t packet_length(const struct packet *packet)
{
    return packet->pbuf->tot_len;
}

static bool within(const struct packet *packet, size_t offset, size_t len)
{
    size_t total = packet->pbuf->tot_len;
    return offset <= total && len <= total - offset;
}

int packet_read(const struct packet *packet, size_t offset, void *buffer, size_t len)
{
    if (!within(packet, offset, len))
        return -EINVAL;
    return pbuf_copy_partial(packet->pbuf, buffer, (u16_t)len, (u16_t)offset);
}

/* A flat frame of LEN bytes takes the place of the packet's. */
static struct pbuf *replace(struct packet *packet, size_t len)
{
    struct pbuf *flat = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
    if (flat) {
        pbuf_free(packet->pbuf);
        packet->pbuf = flat;
    }
    return flat;
}

/* The stack keeps what it sends for retransmission: a frame that somebody else holds too is copied
 * before it is changed. */
static int make_private(struct packet *packet)
{
    bool shared = false;
    for (const struct pbuf *p = packet->pbuf; p; p = p->next)
        shared |= p->ref > 1;
    if (packet->direction == PACKET_RX && !shared)
        return 0;
    if (!shared && packet->pbuf->next == NULL && pbuf_match_type(packet->pbuf, PBUF_RAM))
        return 0;
    struct pbuf *old = packet->pbuf;
    struct pbuf *flat = pbuf_alloc(PBUF_RAW, old->tot_len, PBUF_RAM);
    if (!flat)
        return -ENOMEM;
    pbuf_copy_partial(old, flat->payload, old->tot_len, 0);
    pbuf_free(old);
    packet->pbuf = flat;
    return 0;
}

int packet_write(struct packet *packet, size_t offset, const void *buffer, size_t len)
{
    if (!within(packet, offset, len))
        return -EINVAL;
    if (len == 0)
        return 0;
    int error = make_private(packet);
    if (error < 0)
        return error;
    pbuf_take_at(packet->pbuf, buffer, (u16_t)len, (u16_t)offset);
    return (int)len;
}

int packet_adjust(struct packet *packet, int head, int tail)
{
    struct pbuf *old = packet->pbuf;
    long length = (long)old->tot_len + head + tail;
    long keep_from = head < 0 ? -(long)head : 0;
    long keep = (long)old->tot_len - keep_from + (tail < 0 ? tail : 0);
    if (length < FRAME_MIN || length > FRAME_MAX || keep < 0)
        return -EINVAL;
    if (head == 0 && tail == 0)
        return 0;
    pbuf_ref(old);
    struct pbuf *flat = replace(packet, (size_t)length);
    if (flat) {
        size_t front = head > 0 ? (size_t)head : 0;
        memset(flat->payload, 0, (size_t)length);
        pbuf_copy_partial(old, (char *)flat->payload + front, (u16_t)keep, (u16_t)keep_from);
    }
    pbuf_free(old);
    return flat ? 0 : -ENOMEM;
}
