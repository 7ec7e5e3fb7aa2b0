/* Stream sockets over lwIP's raw API. The application's thread calls straight into TCP under the
 * stack's lock; the callbacks below run there too, on whichever thread holds it. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include "mm/heap.h"
#include "net/stack.h"
#include "sched/thread.h"
#include "time/clock.h"

/* netinet/tcp.h would collide with lwIP; the values are Linux's. */
enum {
    OPTION_NODELAY = 1,
    OPTION_MAXSEG = 2,
    OPTION_CORK = 3,
    OPTION_KEEPIDLE = 4,
    OPTION_KEEPINTVL = 5,
    OPTION_KEEPCNT = 6,
    OPTION_DEFER_ACCEPT = 9,
    OPTION_QUICKACK = 12,
    OPTION_USER_TIMEOUT = 18,
};

#include "lwip/tcp.h"

enum { MEMORY_RETRY_MS = 5 };

static void update_tx(struct socket *s)
{
    /* The field: lwIP's tcp_sndbuf() ends at 65535. */
    s->tx_ready =
        s->tcp && s->tcp->snd_buf >= TCP_SNDLOWAT && tcp_sndqueuelen(s->tcp) < TCP_SNDQUEUELOWAT;
}

/* ---- callbacks; the lock is held ---- */

static err_t on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)error;
    struct socket *s = arg;
    if (!p) {
        s->eof = true;
        socket_wake_rx(s);
        return ERR_OK;
    }
    if (s->rx_shutdown) {
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    s->rx_bytes += p->tot_len;
    if (s->rx_last)
        s->rx_last->next = p;
    else
        s->rx_first = p;
    while (p->next)
        p = p->next;
    s->rx_last = p;
    socket_wake_rx(s);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)pcb;
    (void)len;
    struct socket *s = arg;
    bool was = s->tx_ready;
    update_tx(s);
    if (s->tx_ready && !was)
        socket_wake_tx(s);
    return ERR_OK;
}

/* The connection is gone, and its pcb with it. */
static void on_error(void *arg, err_t error)
{
    struct socket *s = arg;
    bool connecting = s->state == SOCKET_CONNECTING;
    s->tcp = NULL;
    s->state = SOCKET_DEAD;
    s->eof = true;
    if (error == ERR_RST)
        s->error = connecting ? ECONNREFUSED : ECONNRESET;
    else if (error != ERR_CLSD)
        s->error = ETIMEDOUT; /* lwIP gave up retransmitting */
    socket_wake_rx(s);
    socket_wake_tx(s);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)pcb;
    (void)error;
    struct socket *s = arg;
    s->state = SOCKET_CONNECTED;
    update_tx(s);
    socket_wake_tx(s);
    return ERR_OK;
}

static void adopt(struct socket *s, struct tcp_pcb *pcb)
{
    s->tcp = pcb;
    tcp_arg(pcb, s);
    tcp_recv(pcb, on_receive);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct socket *listener = arg;
    if (error != ERR_OK || !pcb)
        return ERR_VAL;
    struct socket *s = socket_new(&tcp_socket_ops, listener->domain, SOCK_STREAM, IPPROTO_TCP);
    if (!s) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    tcp_backlog_delayed(pcb); /* counts until accept() takes it */
    s->state = SOCKET_CONNECTED;
    s->v6only = listener->v6only;
    s->rx_timeout = listener->rx_timeout;
    s->tx_timeout = listener->tx_timeout;
    adopt(s, pcb);
    s->nodelay = listener->nodelay;
    if (s->nodelay)
        tcp_nagle_disable(pcb);
    update_tx(s);
    s->listener = listener;
    list_add_tail(&listener->queue, &s->queue_node);
    listener->queue_count++;
    socket_wake_rx(listener);
    return ERR_OK;
}

/* ---- operations ---- */

int tcp_socket_open(struct socket *s)
{
    net_lock();
    struct tcp_pcb *pcb = tcp_new_ip_type(socket_ip_type(s));
    if (pcb)
        adopt(s, pcb);
    net_unlock();
    return pcb ? 0 : -ENOBUFS;
}

static int tcp_socket_bind(struct socket *s, const struct endpoint *local)
{
    int error = -EINVAL;
    net_lock();
    if (s->state == SOCKET_IDLE && s->tcp && s->tcp->local_port == 0) {
        ip_addr_t ip = local->ip;
        if (s->domain == AF_INET6 && !s->v6only && ip_addr_isany(&ip))
            ip = *IP_ANY_TYPE;
        error = -EADDRNOTAVAIL;
        if (socket_address_is_ours(&local->ip))
            error = socket_errno(tcp_bind(s->tcp, &ip, local->port));
    }
    net_unlock();
    return error;
}

static int tcp_socket_listen(struct socket *s, int backlog)
{
    int error = 0;
    if (backlog < 1)
        backlog = 1;
    if (backlog > 255)
        backlog = 255;
    net_lock();
    if (s->state == SOCKET_LISTENING) {
        tcp_backlog_set(s->tcp, (u8_t)backlog);
    } else if (s->state != SOCKET_IDLE || !s->tcp) {
        error = -EINVAL;
    } else {
        err_t result = ERR_OK;
        if (s->tcp->local_port == 0)
            result = tcp_bind(s->tcp, s->domain == AF_INET ? IP4_ADDR_ANY : IP_ANY_TYPE, 0);
        struct tcp_pcb *listening =
            result == ERR_OK ? tcp_listen_with_backlog_and_err(s->tcp, (u8_t)backlog, &result)
                             : NULL;
        if (listening) {
            s->tcp = listening; /* the old pcb is gone */
            s->state = SOCKET_LISTENING;
            tcp_arg(listening, s);
            tcp_accept(listening, on_accept);
        } else {
            error = socket_errno(result);
        }
    }
    net_unlock();
    return error;
}

static int tcp_socket_accept(struct socket *s, struct socket **connection, bool wait)
{
    uint64_t start = clock_now();
    for (;;) {
        net_lock();
        if (s->state != SOCKET_LISTENING || s->rx_shutdown) {
            net_unlock();
            return -EINVAL;
        }
        if (!list_empty(&s->queue)) {
            struct socket *taken = list_entry(s->queue.next, struct socket, queue_node);
            list_remove(&taken->queue_node);
            s->queue_count--;
            taken->listener = NULL;
            if (taken->tcp)
                tcp_backlog_accepted(taken->tcp);
            net_unlock();
            *connection = taken;
            return 0;
        }
        net_unlock();
        int error = wait ? socket_wait_rx(s, start) : -EAGAIN;
        if (error < 0)
            return error;
    }
}

static int start_connecting(struct socket *s, const struct endpoint *peer)
{
    switch (s->state) {
    case SOCKET_CONNECTED: return -EISCONN;
    case SOCKET_CONNECTING: return -EALREADY;
    case SOCKET_LISTENING: return -EISCONN;
    case SOCKET_DEAD: return s->error ? socket_take_error(s) : -EISCONN;
    case SOCKET_IDLE: break;
    }
    if (peer->port == 0)
        return -ECONNREFUSED;
    ip_addr_t ip = peer->ip;
    if (ip_addr_isany(&ip)) { /* "this machine", as on Linux */
        ip_addr_set_loopback(IP_IS_V6_VAL(ip), &ip);
    }
    s->state = SOCKET_CONNECTING;
    err_t result = tcp_connect(s->tcp, &ip, peer->port, on_connected);
    if (result != ERR_OK) {
        s->state = SOCKET_IDLE;
        return result == ERR_RTE   ? -ENETUNREACH
               : result == ERR_USE ? -EADDRNOTAVAIL
                                   : socket_errno(result);
    }
    return -EINPROGRESS;
}

static int tcp_socket_connect(struct socket *s, const struct endpoint *peer, bool wait)
{
    if (!peer)
        return -EAFNOSUPPORT;
    uint64_t start = clock_now();
    socket_await_route(&peer->ip, wait);
    net_lock();
    int error = start_connecting(s, peer);
    net_unlock();
    while (wait && (error == -EINPROGRESS || (error == -EALREADY && start != 0))) {
        int waited = socket_wait_tx(s, start);
        net_lock();
        if (s->state == SOCKET_CONNECTED)
            error = 0;
        else if (s->state != SOCKET_CONNECTING)
            error = s->error ? socket_take_error(s) : -ECONNABORTED;
        else if (waited < 0)
            error = -EINPROGRESS, wait = false;
        net_unlock();
    }
    return error;
}

/* Queues what there is room for; bytes or -errno. The lock is held. */
static ssize_t queue_data(struct socket *s, struct iov_cursor *cursor, bool more)
{
    size_t done = 0, len;
    const char *piece;
    if (s->error)
        return socket_take_error(s);
    if (s->tx_shutdown || s->state == SOCKET_DEAD)
        return -EPIPE;
    if (s->state != SOCKET_CONNECTED)
        return s->state == SOCKET_CONNECTING ? -EAGAIN : -ENOTCONN;
    while ((piece = iov_piece(cursor, &len)) != NULL) {
        size_t room = s->tcp->snd_buf;
        if (len > room)
            len = room;
        if (len > UINT16_MAX)
            len = UINT16_MAX;
        bool last = len + cursor->offset == cursor->iov->iov_len && cursor->left == 1;
        err_t result = len == 0 ? ERR_MEM
                                : tcp_write(s->tcp, piece, (u16_t)len,
                                            (u8_t)(TCP_WRITE_FLAG_COPY |
                                                   (last && !more ? 0 : TCP_WRITE_FLAG_MORE)));
        if (result == ERR_MEM)
            break;
        if (result != ERR_OK)
            return done ? (ssize_t)done : result == ERR_CONN ? -EPIPE : socket_errno(result);
        iov_advance(cursor, len);
        done += len;
    }
    update_tx(s);
    return done ? (ssize_t)done : -EAGAIN;
}

static ssize_t tcp_socket_send(struct socket *s, struct message *message)
{
    struct iov_cursor cursor = {message->iov, message->count, 0};
    bool more = (message->flags & MSG_MORE) || s->cork;
    uint64_t start = clock_now();
    size_t done = 0;
    if (message->size == 0)
        return 0;
    for (;;) {
        net_lock();
        ssize_t moved = queue_data(s, &cursor, more);
        if (moved > 0) {
            done += (size_t)moved;
            if (!more || done < message->size)
                tcp_output(s->tcp);
        }
        bool starved = moved == -EAGAIN && s->tx_ready; /* room, but no memory */
        net_unlock();
        if (done == message->size)
            return (ssize_t)done;
        if (moved < 0 && moved != -EAGAIN)
            return done ? (ssize_t)done : moved;
        if (!message->wait)
            return done ? (ssize_t)done : -EAGAIN;
        int error = 0;
        if (starved)
            thread_sleep_until(clock_now() + MEMORY_RETRY_MS * NS_PER_MS);
        else
            error = socket_wait_tx(s, start);
        if (error < 0)
            return done ? (ssize_t)done : error;
    }
}

/* Copies out what has arrived; the lock is held. */
static size_t take_data(struct socket *s, struct iov_cursor *cursor, bool peek)
{
    size_t done = 0, len, offset = s->rx_offset;
    char *piece;
    struct pbuf *p = s->rx_first;
    while (p && (piece = iov_piece(cursor, &len)) != NULL) {
        size_t have = p->len - offset;
        if (len > have)
            len = have;
        memcpy(piece, (const char *)p->payload + offset, len);
        iov_advance(cursor, len);
        done += len;
        offset += len;
        if (offset < p->len)
            continue;
        offset = 0;
        struct pbuf *next = p->next;
        if (!peek) {
            s->rx_first = next;
            if (!next)
                s->rx_last = NULL;
            p->next = NULL;
            p->tot_len = p->len;
            pbuf_free(p);
        }
        p = next;
    }
    if (!peek) {
        s->rx_offset = offset;
        s->rx_bytes -= done;
        for (size_t left = done; left > 0 && s->tcp;) {
            u16_t step = (u16_t)(left < UINT16_MAX ? left : UINT16_MAX);
            tcp_recved(s->tcp, step);
            left -= step;
        }
    }
    return done;
}

static ssize_t tcp_socket_recv(struct socket *s, struct message *message)
{
    struct iov_cursor cursor = {message->iov, message->count, 0};
    bool peek = message->flags & MSG_PEEK;
    uint64_t start = clock_now();
    size_t done = 0;
    if (message->size == 0)
        return 0;
    for (;;) {
        ssize_t result = -EAGAIN;
        net_lock();
        if (s->rx_bytes > 0)
            done += take_data(s, &cursor, peek);
        else if (s->error)
            result = done ? 0 : socket_take_error(s);
        else if (s->eof || s->rx_shutdown)
            result = 0;
        else if (s->state == SOCKET_IDLE || s->state == SOCKET_LISTENING)
            result = -ENOTCONN;
        net_unlock();
        if (done == message->size ||
            (done > 0 && (!(message->flags & MSG_WAITALL) || peek || result == 0)))
            return (ssize_t)done;
        if (result != -EAGAIN)
            return result;
        int error = message->wait ? socket_wait_rx(s, start) : -EAGAIN;
        if (error < 0)
            return done ? (ssize_t)done : error;
    }
}

static int tcp_socket_shutdown(struct socket *s, bool receive, bool transmit)
{
    int error = 0;
    net_lock();
    if (s->state == SOCKET_LISTENING) {
        if (receive)
            s->rx_shutdown = true; /* accept() ends */
    } else if (s->state != SOCKET_CONNECTED) {
        error = -ENOTCONN;
    } else {
        if (receive)
            s->rx_shutdown = true;
        if (transmit && !s->tx_shutdown) {
            /* Never both at once: lwIP would free the pcb under us. */
            err_t result = tcp_shutdown(s->tcp, 0, 1);
            if (result == ERR_OK || result == ERR_CONN)
                s->tx_shutdown = true;
            else
                error = -ENOBUFS;
        }
    }
    net_unlock();
    socket_wake_rx(s);
    socket_wake_tx(s);
    return error;
}

static int tcp_socket_name(struct socket *s, bool peer, struct endpoint *out)
{
    int error = 0;
    net_lock();
    memset(out, 0, sizeof *out);
    if (peer && (s->state != SOCKET_CONNECTED || !s->tcp)) {
        error = -ENOTCONN;
    } else if (s->tcp) {
        out->ip = peer ? s->tcp->remote_ip : s->tcp->local_ip;
        out->port = peer ? s->tcp->remote_port : s->tcp->local_port;
    }
    net_unlock();
    return error;
}

/* ---- options ---- */

static int tcp_socket_set_option(struct socket *s, int level, int name, int value)
{
    int error = 0;
    net_lock();
    struct tcp_pcb *pcb = s->state == SOCKET_LISTENING ? NULL : s->tcp;
    if (level == SOL_SOCKET) {
        uint8_t flag = name == SO_REUSEADDR ? SOF_REUSEADDR : SOF_KEEPALIVE;
        if (name != SO_REUSEADDR && name != SO_KEEPALIVE)
            error = -ENOPROTOOPT;
        else if (s->tcp && value)
            ip_set_option(s->tcp, flag);
        else if (s->tcp)
            ip_reset_option(s->tcp, flag);
    } else if (level == IPPROTO_IP) {
        if (s->tcp)
            s->tcp->ttl = (u8_t)value;
    } else if (level != IPPROTO_TCP) {
        error = -ENOPROTOOPT;
    } else {
        switch (name) {
        case OPTION_NODELAY:
            s->nodelay = value != 0;
            if (pcb && value) {
                tcp_nagle_disable(pcb);
                tcp_output(pcb);
            } else if (pcb) {
                tcp_nagle_enable(pcb);
            }
            break;
        case OPTION_CORK:
            s->cork = value != 0;
            if (!s->cork && pcb)
                tcp_output(pcb);
            break;
        case OPTION_KEEPIDLE:
        case OPTION_KEEPINTVL:
        case OPTION_KEEPCNT:
            if (value < 1 || value > 32767) {
                error = -EINVAL;
            } else if (pcb) {
                if (name == OPTION_KEEPIDLE)
                    pcb->keep_idle = (u32_t)value * 1000;
                else if (name == OPTION_KEEPINTVL)
                    pcb->keep_intvl = (u32_t)value * 1000;
                else
                    pcb->keep_cnt = (u32_t)value;
            }
            break;
        case OPTION_QUICKACK:
        case OPTION_DEFER_ACCEPT:
        case OPTION_USER_TIMEOUT:
        case OPTION_MAXSEG: break; /* hints */
        default: error = -ENOPROTOOPT; break;
        }
    }
    net_unlock();
    return error;
}

static int tcp_socket_get_option(struct socket *s, int level, int name, int *value)
{
    int error = 0;
    net_lock();
    struct tcp_pcb *pcb = s->state == SOCKET_LISTENING ? NULL : s->tcp;
    if (level == SOL_SOCKET && name == SO_REUSEADDR) {
        *value = s->tcp && ip_get_option(s->tcp, SOF_REUSEADDR) != 0;
    } else if (level == SOL_SOCKET && name == SO_KEEPALIVE) {
        *value = s->tcp && ip_get_option(s->tcp, SOF_KEEPALIVE) != 0;
    } else if (level == IPPROTO_IP) {
        *value = s->tcp ? s->tcp->ttl : 0;
    } else if (level != IPPROTO_TCP) {
        error = -ENOPROTOOPT;
    } else {
        switch (name) {
        case OPTION_NODELAY: *value = s->nodelay; break;
        case OPTION_CORK: *value = s->cork; break;
        case OPTION_MAXSEG: *value = pcb ? tcp_mss(pcb) : TCP_MSS; break;
        case OPTION_KEEPIDLE: *value = pcb ? (int)(pcb->keep_idle / 1000) : 0; break;
        case OPTION_KEEPINTVL: *value = pcb ? (int)(pcb->keep_intvl / 1000) : 0; break;
        case OPTION_KEEPCNT: *value = pcb ? (int)pcb->keep_cnt : 0; break;
        default: error = -ENOPROTOOPT; break;
        }
    }
    net_unlock();
    return error;
}

static size_t tcp_socket_available(struct socket *s)
{
    return s->rx_bytes;
}

static unsigned tcp_socket_poll(struct socket *s)
{
    unsigned events = 0;
    switch (s->state) {
    case SOCKET_LISTENING: return s->queue_count || s->rx_shutdown ? POLLIN | POLLRDNORM : 0;
    case SOCKET_IDLE: return POLLOUT | POLLWRNORM | POLLHUP;
    case SOCKET_CONNECTING: return s->error ? POLLERR : 0;
    case SOCKET_CONNECTED:
        if (s->tx_ready || s->tx_shutdown)
            events |= POLLOUT | POLLWRNORM;
        break;
    case SOCKET_DEAD: events |= POLLOUT | POLLWRNORM | POLLHUP; break;
    }
    if (s->rx_bytes > 0 || s->eof || s->rx_shutdown)
        events |= POLLIN | POLLRDNORM;
    if (s->eof || s->rx_shutdown)
        events |= POLLRDHUP;
    if (s->eof && s->tx_shutdown)
        events |= POLLHUP;
    if (s->error)
        events |= POLLERR;
    return events;
}

/* ---- end ---- */

static void drop_received(struct socket *s)
{
    for (struct pbuf *p = s->rx_first, *next; p; p = next) {
        next = p->next;
        p->next = NULL;
        p->tot_len = p->len;
        pbuf_free(p);
    }
    s->rx_first = s->rx_last = NULL;
    s->rx_bytes = 0;
}

/* The lock is held. What was queued to send goes on without the socket; unread data makes lwIP
 * reset the connection, as on Linux. */
static void disconnect(struct socket *s, bool abort)
{
    struct tcp_pcb *pcb = s->tcp;
    s->tcp = NULL;
    drop_received(s);
    if (!pcb)
        return;
    tcp_arg(pcb, NULL);
    if (s->state != SOCKET_LISTENING) {
        tcp_recv(pcb, NULL);
        tcp_sent(pcb, NULL);
        tcp_err(pcb, NULL);
    }
    if (abort || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

static void tcp_socket_release(struct socket *s)
{
    net_lock();
    while (!list_empty(&s->queue)) {
        struct socket *waiting = list_entry(s->queue.next, struct socket, queue_node);
        list_remove(&waiting->queue_node);
        disconnect(waiting, true);
        kfree(waiting);
    }
    disconnect(s, s->linger && s->linger_seconds == 0 && s->state != SOCKET_LISTENING);
    net_unlock();
}

const struct socket_ops tcp_socket_ops = {
    .bind = tcp_socket_bind,
    .connect = tcp_socket_connect,
    .listen = tcp_socket_listen,
    .accept = tcp_socket_accept,
    .send = tcp_socket_send,
    .recv = tcp_socket_recv,
    .shutdown = tcp_socket_shutdown,
    .name = tcp_socket_name,
    .set_option = tcp_socket_set_option,
    .get_option = tcp_socket_get_option,
    .available = tcp_socket_available,
    .poll = tcp_socket_poll,
    .release = tcp_socket_release,
};
