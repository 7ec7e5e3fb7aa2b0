/* Between network devices and lwIP: frames in through the receive hook, frames out through the send
 * hook; addresses by DHCP, from the command line, by IPv6 autoconfiguration. */
#include "net/netdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "boot.h"
#include "log.h"
#include "net/packet.h"
#include "net/stack.h"
#include "time/clock.h"

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/inet_chksum.h"
#include "lwip/netif.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"
#include "netif/ethernet.h"

/* Frames below this are copied: that costs less than lending the device's buffer, and a peer's many
 * small segments cannot hold all of its buffers. */
enum { COPY_BELOW = 512, PIECES_MAX = 32 };
enum { CONFIGURE_S = 15 };

/* lwIP's interface and ours; netdev->stack. */
struct interface {
    struct netif netif;
    struct netdev *dev;
    bool pending; /* the device has frames; set in interrupts */
    bool configuring;
    ip4_addr_t logged;
    unsigned lent; /* received buffers lwIP holds */
};

static struct netdev *devices;
static bool started;
static uint64_t configure_until; /* clock_now() scale */

struct loan {
    struct pbuf_custom pbuf;
    struct netdev *dev;
    void *data;
    void (*free)(struct netdev *dev, void *data);
};

/* ---- receiving ---- */

static void loan_return(struct pbuf *p)
{
    struct loan *loan = (struct loan *)p;
    struct interface *interface = loan->dev->stack;
    interface->lent--;
    loan->free(loan->dev, loan->data);
    net_free(loan);
}

static struct pbuf *take_frame(struct netdev *dev, void *data, size_t len,
                               void (*free)(struct netdev *dev, void *data))
{
    struct interface *interface = dev->stack;
    if (len >= COPY_BELOW && interface->lent < dev->rx_loans) {
        struct loan *loan = net_alloc(sizeof *loan);
        if (loan) {
            *loan = (struct loan){
                .pbuf.custom_free_function = loan_return, .dev = dev, .data = data, .free = free};
            interface->lent++;
            return pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &loan->pbuf, data,
                                       (u16_t)len);
        }
    }
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
    if (p)
        memcpy(p->payload, data, len);
    free(dev, data);
    return p;
}

static err_t link_output(struct netif *netif, struct pbuf *p);

/* What the receive hook says; the frame to go on with or NULL. */
static struct pbuf *filter_received(struct netdev *dev, struct netif *netif, struct pbuf *p,
                                    uint32_t checksum_flags)
{
    struct packet packet = {
        .pbuf = p,
        .netif = netif,
        .direction = PACKET_RX,
        .checksum_flags = checksum_flags & NETDEV_RX_CHECKSUM ? 1 : 0,
    };
    enum verdict verdict = packet_run_hook(&packet);
    if (verdict == VERDICT_PASS)
        return packet.pbuf;
    if (verdict == VERDICT_TX)
        link_output(netif, packet.pbuf);
    else
        dev->rx_dropped++;
    pbuf_free(packet.pbuf);
    return NULL;
}

void net_receive(struct netdev *dev, void *data, size_t len, uint32_t checksum_flags,
                 void (*free)(struct netdev *dev, void *data))
{
    struct interface *interface = dev->stack;
    struct netif *netif = &interface->netif;
    if (len < SIZEOF_ETH_HDR || len > UINT16_MAX) {
        dev->rx_dropped++;
        free(dev, data);
        return;
    }
    dev->rx_packets++;
    dev->rx_bytes += len;
    struct pbuf *p = take_frame(dev, data, len, free);
    if (!p) {
        dev->rx_dropped++;
        return;
    }
    if (packet_hooked(PACKET_RX)) {
        p = filter_received(dev, netif, p, checksum_flags);
        if (!p)
            return;
    }
    /* lwIP knows checksums vouched for per interface, we know per frame. */
    uint16_t checks = netif->chksum_flags;
    if (checksum_flags & NETDEV_RX_CHECKSUM)
        netif->chksum_flags =
            (uint16_t)(checks & ~(NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_TCP));
    if (netif->input(p, netif) != ERR_OK)
        pbuf_free(p);
    netif->chksum_flags = checks;
}

void netdev_wake(struct netdev *dev)
{
    struct interface *interface = dev->stack;
    if (!interface)
        return;
    __atomic_store_n(&interface->pending, true, __ATOMIC_SEQ_CST);
    net_kick();
}

bool netif_devices_poll(unsigned budget)
{
    bool more = false;
    for (struct netdev *dev = devices; dev; dev = dev->next) {
        struct interface *interface = dev->stack;
        if (interface && __atomic_exchange_n(&interface->pending, false, __ATOMIC_SEQ_CST) &&
            dev->poll(dev, budget) == budget) {
            interface->pending = true;
            more = true;
        }
    }
    netif_poll_all();
    return more;
}

bool netif_work_waits(void)
{
    struct netif *netif;
    NETIF_FOREACH(netif)
    {
        if (netif->loop_first)
            return true;
    }
    return false;
}

/* ---- sending ---- */

/* Where the device is to put the checksum of a frame lwIP left without one: stores the pseudo
 * header's sum there, as devices expect. false: the frame carries none. */
static bool prepare_checksum(struct pbuf *p, uint16_t *start, uint16_t *offset)
{
    /* lwIP keeps all headers of a segment in the first piece. */
    uint8_t *frame = p->payload;
    uint16_t type, header = SIZEOF_ETH_HDR;
    if (p->len < SIZEOF_ETH_HDR + IP_HLEN)
        return false;
    memcpy(&type, frame + 12, sizeof type);
    uint8_t protocol;
    uint32_t sum;
    uint16_t length;
    if (type == PP_HTONS(ETHTYPE_IP)) {
        uint16_t fragment;
        memcpy(&fragment, frame + header + 6, sizeof fragment);
        if (fragment & PP_HTONS(IP_MF | IP_OFFMASK))
            return false; /* summed by the stack before it was cut */
        protocol = frame[header + 9];
        sum = net_checksum(frame + header + 12, 8);
        uint16_t ip_header = (uint16_t)((frame[header] & 15) * 4);
        length = (uint16_t)(p->tot_len - header - ip_header);
        header = (uint16_t)(header + ip_header);
    } else if (type == PP_HTONS(ETHTYPE_IPV6) && p->len >= SIZEOF_ETH_HDR + IP6_HLEN) {
        protocol = frame[header + 6];
        sum = net_checksum(frame + header + 8, 32);
        header += IP6_HLEN;
        length = (uint16_t)(p->tot_len - header);
    } else {
        return false;
    }
    if (protocol == IP_PROTO_TCP)
        *offset = 16;
    else if (protocol == IP_PROTO_UDP)
        *offset = 6;
    else
        return false;
    if (p->len < header + *offset + 2)
        return false;
    *start = header;
    sum += PP_HTONS(protocol) + lwip_htons(length);
    sum = (sum & 0xffff) + (sum >> 16);
    uint16_t folded = (uint16_t)((sum & 0xffff) + (sum >> 16));
    memcpy(frame + header + *offset, &folded, sizeof folded);
    return true;
}

static err_t transmit(struct netdev *dev, struct pbuf *p)
{
    uint32_t flags = 0;
    uint16_t start = 0, offset = 0;
    if ((dev->offloads & NETDEV_TX_CHECKSUM) && prepare_checksum(p, &start, &offset))
        flags = NETDEV_TX_CHECKSUM;
    struct net_buffer pieces[PIECES_MAX];
    unsigned count = 0;
    for (struct pbuf *q = p; q; q = q->next) {
        if (q->len == 0)
            continue;
        if (count == PIECES_MAX) {
            dev->tx_dropped++;
            return ERR_BUF;
        }
        pieces[count++] = (struct net_buffer){q->payload, q->len};
    }
    if (dev->transmit(dev, pieces, count, flags, start, offset) < 0) {
        dev->tx_dropped++;
        return ERR_MEM; /* TCP keeps the segment and tries again */
    }
    dev->tx_packets++;
    dev->tx_bytes += p->tot_len;
    return ERR_OK;
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct interface *interface = netif->state;
    struct netdev *dev = interface->dev;
    if (!packet_hooked(PACKET_TX))
        return transmit(dev, p);

    struct packet packet = {
        .pbuf = p,
        .netif = netif,
        .direction = PACKET_TX,
        .checksum_flags = dev->offloads & NETDEV_TX_CHECKSUM ? 2 : 0,
    };
    pbuf_ref(p); /* ours; a hook that changes the frame replaces it */
    enum verdict verdict = packet_run_hook(&packet);
    err_t error = ERR_OK; /* a dropped frame is a lost one to the stack */
    if (verdict == VERDICT_PASS || verdict == VERDICT_TX)
        error = transmit(dev, packet.pbuf);
    else
        dev->tx_dropped++;
    pbuf_free(packet.pbuf);
    return error;
}

/* ---- addresses ---- */

static void log_addresses(struct netif *netif)
{
    char ip[IP4ADDR_STRLEN_MAX], gateway[IP4ADDR_STRLEN_MAX];
    struct interface *interface = netif->state;
    if (ip4_addr_cmp(&interface->logged, netif_ip4_addr(netif)))
        return; /* something about IPv6 changed */
    ip4_addr_copy(interface->logged, *netif_ip4_addr(netif));
    if (!ip4_addr_isany_val(*netif_ip4_addr(netif))) {
        ip4addr_ntoa_r(netif_ip4_addr(netif), ip, sizeof ip);
        ip4addr_ntoa_r(netif_ip4_gw(netif), gateway, sizeof gateway);
        klog(LOG_INFO, "%s: address %s, gateway %s", interface->dev->name, ip, gateway);
        interface->configuring = false;
        net_configuration_changed();
    }
}

/* ADDRESS[/BITS][,GATEWAY[,DNS]] */
static bool configure_static(struct netif *netif, char *text)
{
    ip4_addr_t address, mask, gateway = {0};
    ip_addr_t server;
    char *router = strchr(text, ','), *dns = NULL;
    if (router) {
        *router++ = 0;
        dns = strchr(router, ',');
        if (dns)
            *dns++ = 0;
    }
    char *bits = strchr(text, '/');
    unsigned long prefix = 24;
    if (bits) {
        char *end;
        *bits++ = 0;
        prefix = strtoul(bits, &end, 10);
        if (end == bits || *end || prefix > 32)
            return false;
    }
    ip4_addr_set_u32(&mask, prefix ? lwip_htonl(0xffffffffu << (32 - prefix)) : 0);
    if (!ip4addr_aton(text, &address) || (router && !ip4addr_aton(router, &gateway)) ||
        (dns && !ipaddr_aton(dns, &server)))
        return false;
    netif_set_addr(netif, &address, &mask, &gateway);
    if (dns)
        dns_setserver(0, &server);
    return true;
}

static void configure(struct interface *interface)
{
    struct netif *netif = &interface->netif;
    char option[128];
    if (boot_option("ip", option, sizeof option) < 0)
        strcpy(option, "dhcp");
    if (strcmp(option, "off") == 0)
        return;
    netif_set_link_up(netif);
    netif_set_up(netif);
    netif_create_ip6_linklocal_address(netif, 1);
    netif_set_ip6_autoconfig_enabled(netif, 1);
    if (strcmp(option, "dhcp") == 0) {
        interface->configuring = dhcp_start(netif) == ERR_OK;
        if (!interface->configuring)
            klog(LOG_ERROR, "%s: no memory for DHCP", interface->dev->name);
    } else if (!configure_static(netif, option)) {
        klog(LOG_ERROR, "%s: cannot read option ip=%s", interface->dev->name, option);
    }
}

bool netif_configuring(void)
{
    if (clock_now() > configure_until)
        return false; /* nobody answers: programs are not held up any longer */
    for (struct netdev *dev = devices; dev; dev = dev->next) {
        struct interface *interface = dev->stack;
        if (interface && interface->configuring)
            return true;
    }
    return false;
}

/* ---- registration ---- */

static err_t init_netif(struct netif *netif)
{
    struct interface *interface = netif->state;
    struct netdev *dev = interface->dev;
    netif->name[0] = 'e';
    netif->name[1] = 't';
    netif->hostname = "quince";
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, dev->mac, ETH_HWADDR_LEN);
    netif->mtu = dev->mtu;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    if (dev->offloads & NETDEV_TX_CHECKSUM)
        netif->chksum_flags =
            (uint16_t)(netif->chksum_flags & ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP));
    return ERR_OK;
}

static int attach(struct netdev *dev)
{
    struct interface *interface = net_calloc(1, sizeof *interface);
    if (!interface)
        return -ENOMEM;
    interface->dev = dev;
    dev->stack = interface;
    if (!netif_add(&interface->netif, NULL, NULL, NULL, interface, init_netif, ethernet_input)) {
        dev->stack = NULL;
        net_free(interface);
        return -ENOMEM;
    }
    netif_set_status_callback(&interface->netif, log_addresses);
    if (!netif_default)
        netif_set_default(&interface->netif);
    configure(interface);
    interface->pending = true; /* frames may have come before */
    return 0;
}

int netdev_register(struct netdev *dev)
{
    dev->stack = NULL;
    dev->next = NULL;
    struct netdev **link = &devices;
    while (*link)
        link = &(*link)->next;
    *link = dev;
    if (!started)
        return 0; /* netif_start() does the rest */
    net_lock();
    int error = attach(dev);
    net_unlock();
    return error;
}

void netdev_for_each(void (*fn)(const struct netdev *dev, void *context), void *context)
{
    for (struct netdev *dev = devices; dev; dev = dev->next)
        fn(dev, context);
}

int netif_start(void)
{
    started = true;
    configure_until = clock_now() + CONFIGURE_S * NS_PER_S;
    for (struct netdev *dev = devices; dev; dev = dev->next) {
        int error = attach(dev);
        if (error < 0)
            klog(LOG_ERROR, "%s: cannot attach to the stack (%d)", dev->name, error);
    }
    return 0;
}
