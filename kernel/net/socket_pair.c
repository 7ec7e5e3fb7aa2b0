/* socketpair(): two ends joined by a queue each way, without a network. Streams and datagrams alike are
 * lists of pieces; a datagram's piece is taken whole. */
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "net/stack.h"
#include "time/clock.h"

enum { PAIR_LIMIT = 256 * 1024, PIECE_MAX = 64 * 1024 };

struct piece {
    struct list_node node;
    size_t len, taken;
    char data[];
};

/* Shared by both ends; freed with the second. */
struct pair {
    struct socket *end[2]; /* NULL: closed */
};

static struct socket *other_end(struct socket *s)
{
    return s->pair->end[s->pair->end[0] == s];
}

static void update_tx(struct socket *s, const struct socket *reader)
{
    s->tx_ready = !reader || reader->rx_bytes < PAIR_LIMIT / 2;
}

/* One piece into READER's queue: bytes or -errno. The lock is held. */
static ssize_t pair_push(struct socket *reader, struct iov_cursor *cursor, size_t want)
{
    size_t room = reader->rx_bytes < PAIR_LIMIT ? PAIR_LIMIT - reader->rx_bytes : 0;
    if (reader->type == SOCK_STREAM) {
        if (want > room)
            want = room;
        if (want > PIECE_MAX)
            want = PIECE_MAX;
        if (want == 0)
            return -EAGAIN;
    } else if (want > room) {
        return want > PAIR_LIMIT ? -EMSGSIZE : -EAGAIN;
    }
    struct piece *piece = kmalloc(sizeof *piece + want);
    if (!piece)
        return -ENOBUFS;
    piece->len = want;
    piece->taken = 0;
    for (size_t done = 0, len; done < want; done += len) {
        const char *from = iov_piece(cursor, &len);
        if (len > want - done)
            len = want - done;
        memcpy(piece->data + done, from, len);
        iov_advance(cursor, len);
    }
    list_add_tail(&reader->queue, &piece->node);
    reader->queue_count++;
    reader->rx_bytes += want;
    return (ssize_t)want;
}

static ssize_t pair_send(struct socket *s, struct message *message)
{
    struct iov_cursor cursor = {message->iov, message->count, 0};
    uint64_t start = clock_now();
    size_t done = 0;
    if (message->size == 0 && s->type == SOCK_STREAM)
        return 0;
    for (;;) {
        ssize_t moved;
        net_lock();
        struct socket *reader = other_end(s);
        if (s->tx_shutdown || !reader || reader->rx_shutdown) {
            moved = -EPIPE;
        } else {
            moved = pair_push(reader, &cursor, message->size - done);
            update_tx(s, reader);
            if (moved == -EAGAIN)
                s->tx_ready = false;
            if (moved >= 0)
                socket_wake_rx(reader);
        }
        net_unlock();
        if (moved >= 0)
            done += (size_t)moved;
        if (done == message->size && moved >= 0)
            return (ssize_t)done;
        if (moved < 0) {
            if (moved != -EAGAIN || !message->wait)
                return done ? (ssize_t)done : moved;
            int error = socket_wait_tx(s, start);
            if (error < 0)
                return done ? (ssize_t)done : error;
        }
    }
}

/* Takes from the first piece; true: the message is complete. The lock is held. */
static bool pair_pop(struct socket *s, struct iov_cursor *cursor, struct message *message,
                     size_t *done)
{
    struct piece *piece = list_entry(s->queue.next, struct piece, node);
    bool stream = s->type == SOCK_STREAM, peek = message->flags & MSG_PEEK;
    size_t from = piece->taken, len;
    char *out;
    while (from < piece->len && (out = iov_piece(cursor, &len)) != NULL) {
        if (len > piece->len - from)
            len = piece->len - from;
        memcpy(out, piece->data + from, len);
        iov_advance(cursor, len);
        from += len;
        *done += len;
    }
    if (!stream && from < piece->len)
        message->result |= MSG_TRUNC;
    if (peek)
        return true;
    if (!stream)
        from = piece->len;
    s->rx_bytes -= from - piece->taken;
    piece->taken = from;
    if (from == piece->len) {
        list_remove(&piece->node);
        s->queue_count--;
        kfree(piece);
    }
    return !stream || *done == message->size;
}

static ssize_t pair_recv(struct socket *s, struct message *message)
{
    struct iov_cursor cursor = {message->iov, message->count, 0};
    uint64_t start = clock_now();
    size_t done = 0;
    if (message->size == 0 && s->type == SOCK_STREAM)
        return 0;
    for (;;) {
        bool complete = false, end = false;
        net_lock();
        while (!complete && !list_empty(&s->queue))
            complete = pair_pop(s, &cursor, message, &done);
        struct socket *writer = other_end(s);
        end = s->eof || s->rx_shutdown || !writer;
        if (writer) {
            bool was = writer->tx_ready;
            update_tx(writer, s);
            if (writer->tx_ready && !was)
                socket_wake_tx(writer);
        }
        net_unlock();
        if (complete || (done > 0 && (!(message->flags & MSG_WAITALL) || end)))
            return (ssize_t)done;
        if (end)
            return 0;
        int error = message->wait ? socket_wait_rx(s, start) : -EAGAIN;
        if (error < 0)
            return done ? (ssize_t)done : error;
    }
}

static int pair_shutdown(struct socket *s, bool receive, bool transmit)
{
    net_lock();
    struct socket *other = other_end(s);
    if (receive)
        s->rx_shutdown = true;
    if (transmit) {
        s->tx_shutdown = true;
        if (other)
            other->eof = true;
    }
    socket_wake_rx(s);
    socket_wake_tx(s);
    if (other) {
        socket_wake_rx(other);
        socket_wake_tx(other);
    }
    net_unlock();
    return 0;
}

static size_t pair_available(struct socket *s)
{
    return s->rx_bytes;
}

static unsigned pair_poll(struct socket *s)
{
    unsigned events = 0;
    if (s->queue_count || s->eof || s->rx_shutdown)
        events |= POLLIN | POLLRDNORM;
    if (s->tx_ready || s->tx_shutdown)
        events |= POLLOUT | POLLWRNORM;
    if (s->eof || s->rx_shutdown)
        events |= POLLRDHUP;
    if (s->state == SOCKET_DEAD || (s->eof && s->tx_shutdown))
        events |= POLLHUP;
    return events;
}

static void pair_release(struct socket *s)
{
    net_lock();
    struct pair *pair = s->pair;
    struct socket *other = other_end(s);
    pair->end[pair->end[1] == s] = NULL;
    list_for_each(node, &s->queue)
        kfree(list_entry(node, struct piece, node));
    if (other) {
        other->eof = true;
        other->state = SOCKET_DEAD;
        socket_wake_rx(other);
        socket_wake_tx(other);
    }
    net_unlock();
    if (!other)
        kfree(pair);
}

static const struct socket_ops pair_ops = {
    .send = pair_send,
    .recv = pair_recv,
    .shutdown = pair_shutdown,
    .available = pair_available,
    .poll = pair_poll,
    .release = pair_release,
};

int socket_pair_open(int type, int flags, int fds[2])
{
    struct pair *pair = kcalloc(1, sizeof *pair);
    struct socket *s[2] = {socket_new(&pair_ops, AF_UNIX, type, 0),
                           socket_new(&pair_ops, AF_UNIX, type, 0)};
    if (!pair || !s[0] || !s[1]) {
        kfree(pair);
        kfree(s[0]);
        kfree(s[1]);
        return -ENOMEM;
    }
    for (int i = 0; i < 2; i++) {
        pair->end[i] = s[i];
        s[i]->pair = pair;
        s[i]->state = SOCKET_CONNECTED;
        s[i]->tx_ready = true;
    }
    fds[0] = socket_install(s[0], flags);
    if (fds[0] < 0) {
        socket_free(s[1]);
        return fds[0];
    }
    fds[1] = socket_install(s[1], flags);
    if (fds[1] < 0) {
        int error = fds[1];
        quince_syscall(SYS_close, fds[0], 0, 0, 0, 0, 0);
        return error;
    }
    return 0;
}
