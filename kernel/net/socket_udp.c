/* Datagram sockets over lwIP's raw API. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include "net/stack.h"
#include "time/clock.h"

#include "lwip/igmp.h"
#include "lwip/udp.h"

enum { DATAGRAM_MAX = 65507, DATAGRAM_COST = 256 /* beside its bytes, against the limit */ };

struct datagram {
    struct list_node node;
    struct pbuf *data;
    struct endpoint peer;
};

static void on_receive(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                       u16_t port)
{
    (void)pcb;
    struct socket *s = arg;
    struct datagram *datagram = NULL;
    if (!s->rx_shutdown && s->rx_bytes + p->tot_len + DATAGRAM_COST <= (size_t)s->rx_limit)
        datagram = net_alloc(sizeof *datagram);
    if (!datagram) {
        pbuf_free(p);
        return;
    }
    datagram->data = p;
    ip_addr_copy(datagram->peer.ip, *from);
    datagram->peer.port = port;
    s->rx_bytes += p->tot_len + DATAGRAM_COST;
    list_add_tail(&s->queue, &datagram->node);
    s->queue_count++;
    socket_wake_rx(s);
}

int udp_socket_open(struct socket *s)
{
    net_lock();
    s->udp = udp_new_ip_type(socket_ip_type(s));
    if (s->udp)
        udp_recv(s->udp, on_receive, s);
    net_unlock();
    s->tx_ready = true;
    return s->udp ? 0 : -ENOBUFS;
}

static int udp_socket_bind(struct socket *s, const struct endpoint *local)
{
    int error = -EINVAL;
    net_lock();
    if (s->udp->local_port == 0) {
        ip_addr_t ip = local->ip;
        if (s->domain == AF_INET6 && !s->v6only && ip_addr_isany(&ip))
            ip = *IP_ANY_TYPE;
        error = -EADDRNOTAVAIL;
        if (socket_address_is_ours(&local->ip) || ip_addr_ismulticast(&ip) ||
            ip_addr_cmp(&ip, IP_ADDR_BROADCAST))
            error = socket_errno(udp_bind(s->udp, &ip, local->port));
    }
    net_unlock();
    return error;
}

static int udp_socket_connect(struct socket *s, const struct endpoint *peer, bool wait)
{
    int error = 0;
    if (peer)
        socket_await_route(&peer->ip, wait);
    net_lock();
    if (!peer) {
        udp_disconnect(s->udp);
        s->state = SOCKET_IDLE;
    } else {
        err_t result = udp_connect(s->udp, &peer->ip, peer->port);
        if (result == ERR_OK)
            s->state = SOCKET_CONNECTED;
        else
            error = result == ERR_RTE ? -ENETUNREACH : socket_errno(result);
    }
    net_unlock();
    return error;
}

static ssize_t udp_socket_send(struct socket *s, struct message *message)
{
    if (message->size > DATAGRAM_MAX)
        return -EMSGSIZE;
    if (!message->addressed && s->state != SOCKET_CONNECTED)
        return -EDESTADDRREQ;
    if (message->addressed)
        socket_await_route(&message->peer.ip, message->wait);
    net_lock();
    ssize_t result = (ssize_t)message->size;
    struct pbuf *p =
        s->tx_shutdown ? NULL : pbuf_alloc(PBUF_TRANSPORT, (u16_t)message->size, PBUF_RAM);
    if (s->tx_shutdown) {
        result = -EPIPE;
    } else if (!p) {
        result = -ENOBUFS;
    } else {
        char *out = p->payload;
        for (int i = 0; i < message->count; i++) {
            memcpy(out, message->iov[i].iov_base, message->iov[i].iov_len);
            out += message->iov[i].iov_len;
        }
        err_t error = message->addressed
                          ? udp_sendto(s->udp, p, &message->peer.ip, message->peer.port)
                          : udp_send(s->udp, p);
        /* A full device drops, as the network may. */
        if (error == ERR_RTE)
            result = -ENETUNREACH;
        else if (error != ERR_OK && error != ERR_MEM)
            result = socket_errno(error);
        pbuf_free(p);
    }
    net_unlock();
    return result;
}

/* Copies the first datagram; the lock is held. */
static ssize_t take_datagram(struct socket *s, struct message *message)
{
    struct datagram *datagram = list_entry(s->queue.next, struct datagram, node);
    struct pbuf *p = datagram->data;
    size_t done = 0, total = p->tot_len;
    for (int i = 0; i < message->count && done < total; i++) {
        size_t len = message->iov[i].iov_len;
        if (len > total - done)
            len = total - done;
        pbuf_copy_partial(p, message->iov[i].iov_base, (u16_t)len, (u16_t)done);
        done += len;
    }
    message->peer = datagram->peer;
    message->addressed = true;
    if (done < total)
        message->result |= MSG_TRUNC;
    if (!(message->flags & MSG_PEEK)) {
        list_remove(&datagram->node);
        s->queue_count--;
        s->rx_bytes -= total + DATAGRAM_COST;
        pbuf_free(p);
        net_free(datagram);
    }
    return (ssize_t)(message->flags & MSG_TRUNC ? total : done);
}

static ssize_t udp_socket_recv(struct socket *s, struct message *message)
{
    uint64_t start = clock_now();
    for (;;) {
        ssize_t result = -EAGAIN;
        net_lock();
        if (!list_empty(&s->queue))
            result = take_datagram(s, message);
        else if (s->error)
            result = socket_take_error(s);
        else if (s->rx_shutdown)
            result = 0;
        net_unlock();
        if (result != -EAGAIN)
            return result;
        int error = message->wait ? socket_wait_rx(s, start) : -EAGAIN;
        if (error < 0)
            return error;
    }
}

static int udp_socket_shutdown(struct socket *s, bool receive, bool transmit)
{
    if (s->state != SOCKET_CONNECTED)
        return -ENOTCONN;
    net_lock();
    s->rx_shutdown |= receive;
    s->tx_shutdown |= transmit;
    net_unlock();
    socket_wake_rx(s);
    return 0;
}

static int udp_socket_name(struct socket *s, bool peer, struct endpoint *out)
{
    int error = 0;
    net_lock();
    memset(out, 0, sizeof *out);
    if (peer && s->state != SOCKET_CONNECTED) {
        error = -ENOTCONN;
    } else {
        out->ip = peer ? s->udp->remote_ip : s->udp->local_ip;
        out->port = peer ? s->udp->remote_port : s->udp->local_port;
    }
    net_unlock();
    return error;
}

static int udp_socket_set_option(struct socket *s, int level, int name, int value)
{
    uint8_t flag = 0;
    if (level == SOL_SOCKET)
        flag = name == SO_REUSEADDR ? SOF_REUSEADDR : name == SO_BROADCAST ? SOF_BROADCAST : 0;
    if (level == SOL_SOCKET && !flag)
        return name == SO_KEEPALIVE ? 0 : -ENOPROTOOPT;
    if (level != SOL_SOCKET && level != IPPROTO_IP)
        return -ENOPROTOOPT;
    net_lock();
    if (level == IPPROTO_IP)
        s->udp->ttl = (u8_t)value;
    else if (value)
        ip_set_option(s->udp, flag);
    else
        ip_reset_option(s->udp, flag);
    net_unlock();
    return 0;
}

static int udp_socket_get_option(struct socket *s, int level, int name, int *value)
{
    if (level == IPPROTO_IP)
        *value = s->udp->ttl;
    else if (level == SOL_SOCKET && name == SO_REUSEADDR)
        *value = ip_get_option(s->udp, SOF_REUSEADDR) != 0;
    else if (level == SOL_SOCKET && name == SO_BROADCAST)
        *value = ip_get_option(s->udp, SOF_BROADCAST) != 0;
    else if (level == SOL_SOCKET && name == SO_KEEPALIVE)
        *value = 0;
    else
        return -ENOPROTOOPT;
    return 0;
}

static size_t udp_socket_available(struct socket *s)
{
    size_t len = 0;
    net_lock();
    if (!list_empty(&s->queue))
        len = list_entry(s->queue.next, struct datagram, node)->data->tot_len;
    net_unlock();
    return len;
}

static unsigned udp_socket_poll(struct socket *s)
{
    return (unsigned)(POLLOUT | POLLWRNORM |
                      (s->queue_count || s->rx_shutdown ? POLLIN | POLLRDNORM : 0) |
                      (s->error ? POLLERR : 0) | (s->rx_shutdown ? POLLRDHUP : 0));
}

static void udp_socket_release(struct socket *s)
{
    net_lock();
    udp_remove(s->udp);
    list_for_each(node, &s->queue)
    {
        struct datagram *datagram = list_entry(node, struct datagram, node);
        pbuf_free(datagram->data);
        net_free(datagram);
    }
    net_unlock();
}

const struct socket_ops udp_socket_ops = {
    .bind = udp_socket_bind,
    .connect = udp_socket_connect,
    .send = udp_socket_send,
    .recv = udp_socket_recv,
    .shutdown = udp_socket_shutdown,
    .name = udp_socket_name,
    .set_option = udp_socket_set_option,
    .get_option = udp_socket_get_option,
    .available = udp_socket_available,
    .poll = udp_socket_poll,
    .release = udp_socket_release,
};
