/* Sockets: the system calls and what every kind of socket shares. */
#define _GNU_SOURCE /* struct mmsghdr */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "net/stack.h"
#include "time/clock.h"

#include "lwip/err.h"
#include "lwip/netif.h"

enum { DEFAULT_BUFFER = 212992 /* as Linux reports it */ };
enum { ROUTE_WAIT_S = 10, ROUTE_WAIT_NONBLOCK_S = 1 };

/* ---- common ---- */

struct socket *socket_new(const struct socket_ops *ops, int domain, int type, int protocol)
{
    struct socket *s = kcalloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ops = ops;
    s->domain = domain;
    s->type = type;
    s->protocol = protocol;
    s->rx_limit = s->tx_limit = DEFAULT_BUFFER;
    wait_queue_init(&s->rx_wait);
    wait_queue_init(&s->tx_wait);
    list_init(&s->queue);
    list_init(&s->queue_node);
    return s;
}

void socket_free(struct socket *s)
{
    s->ops->release(s);
    kfree(s);
}

void socket_wake_rx(struct socket *s)
{
    wait_wake(&s->rx_wait, UINT32_MAX);
    if (s->file)
        file_notify(s->file);
}

void socket_wake_tx(struct socket *s)
{
    wait_wake(&s->tx_wait, UINT32_MAX);
    if (s->file)
        file_notify(s->file);
}

static bool rx_may_go_on(void *context)
{
    const struct socket *s = context;
    return s->rx_bytes > 0 || s->eof || s->error || s->rx_shutdown || s->queue_count > 0;
}

static bool tx_may_go_on(void *context)
{
    const struct socket *s = context;
    return s->tx_ready || s->error || s->tx_shutdown || s->state == SOCKET_DEAD;
}

static uint64_t deadline_of(uint64_t start, uint64_t timeout)
{
    return timeout == 0 || start > WAIT_FOREVER - timeout ? WAIT_FOREVER : start + timeout;
}

int socket_wait_rx(struct socket *s, uint64_t start)
{
    int error = wait_until(&s->rx_wait, rx_may_go_on, s, deadline_of(start, s->rx_timeout));
    return error == -ETIMEDOUT ? -EAGAIN : error;
}

int socket_wait_tx(struct socket *s, uint64_t start)
{
    int error = wait_until(&s->tx_wait, tx_may_go_on, s, deadline_of(start, s->tx_timeout));
    return error == -ETIMEDOUT ? -EAGAIN : error;
}

int socket_take_error(struct socket *s)
{
    int error = s->error;
    s->error = 0;
    return -error;
}

int socket_errno(int lwip_error)
{
    static const uint8_t table[] = {
        [-ERR_OK] = 0,
        [-ERR_MEM] = ENOBUFS,
        [-ERR_BUF] = ENOBUFS,
        [-ERR_TIMEOUT] = ETIMEDOUT,
        [-ERR_RTE] = EHOSTUNREACH,
        [-ERR_INPROGRESS] = EINPROGRESS,
        [-ERR_VAL] = EINVAL,
        [-ERR_WOULDBLOCK] = EAGAIN,
        [-ERR_USE] = EADDRINUSE,
        [-ERR_ALREADY] = EALREADY,
        [-ERR_ISCONN] = EISCONN,
        [-ERR_CONN] = ENOTCONN,
        [-ERR_IF] = ENETDOWN,
        [-ERR_ABRT] = ECONNABORTED,
        [-ERR_RST] = ECONNRESET,
        [-ERR_CLSD] = ENOTCONN,
        [-ERR_ARG] = EINVAL,
    };
    size_t index = (size_t)-lwip_error;
    return index < sizeof table ? -(int)table[index] : -EIO;
}

void socket_await_route(const ip_addr_t *destination, bool wait)
{
    if (!netif_configuring() || (IP_IS_V4(destination) && ip_addr_isloopback(destination)) ||
        IP_IS_V6(destination))
        return;
    uint64_t seconds = wait ? ROUTE_WAIT_S : ROUTE_WAIT_NONBLOCK_S;
    net_wait_configured(clock_now() + seconds * NS_PER_S);
}

/* lwIP binds to anything. */
bool socket_address_is_ours(const ip_addr_t *ip)
{
    struct netif *netif;
    if (ip_addr_isany(ip) || ip_addr_isloopback(ip))
        return true;
    NETIF_FOREACH(netif)
    {
        if (IP_IS_V4(ip) && ip4_addr_cmp(ip_2_ip4(ip), netif_ip4_addr(netif)))
            return true;
        if (IP_IS_V6(ip) && netif_get_ip6_addr_match(netif, ip_2_ip6(ip)) >= 0)
            return true;
    }
    return false;
}

uint8_t socket_ip_type(const struct socket *s)
{
    return s->domain == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_ANY;
}

/* ---- as a file ---- */

static ssize_t sum_pieces(const struct iovec *iov, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > SSIZE_MAX - total)
            return -EINVAL;
        total += iov[i].iov_len;
    }
    return (ssize_t)total;
}

static ssize_t transfer(struct file *file, struct message *message, bool send)
{
    struct socket *s = file->object;
    ssize_t size = sum_pieces(message->iov, message->count);
    if (size < 0)
        return size;
    message->size = (size_t)size;
    message->wait = !(file->flags & O_NONBLOCK) && !(message->flags & MSG_DONTWAIT);
    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    return send ? s->ops->send(s, message) : s->ops->recv(s, message);
}

static ssize_t socket_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    struct message message = {.iov = iov, .count = count};
    (void)offset;
    return transfer(file, &message, false);
}

static ssize_t socket_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    struct message message = {.iov = iov, .count = count};
    (void)offset;
    return transfer(file, &message, true);
}

static int socket_stat(struct file *file, struct stat *out)
{
    (void)file;
    memset(out, 0, sizeof *out);
    out->st_mode = S_IFSOCK | 0777;
    out->st_nlink = 1;
    out->st_blksize = 4096;
    return 0;
}

static int socket_ioctl(struct file *file, unsigned long request, unsigned long argument)
{
    struct socket *s = file->object;
    if (request != FIONREAD)
        return -ENOTTY;
    if (s->state == SOCKET_LISTENING)
        return -EINVAL;
    size_t available = s->ops->available(s);
    *(int *)argument = available < INT32_MAX ? (int)available : INT32_MAX;
    return 0;
}

static unsigned socket_poll(struct file *file)
{
    struct socket *s = file->object;
    return s->ops->poll(s);
}

static void socket_release(struct file *file)
{
    struct socket *s = file->object;
    net_lock();
    s->file = NULL; /* nothing is announced any more */
    net_unlock();
    socket_free(s);
}

static const struct file_ops socket_file_ops = {
    .name = "socket",
    .read = socket_read,
    .write = socket_write,
    .stat = socket_stat,
    .ioctl = socket_ioctl,
    .poll = socket_poll,
    .release = socket_release,
};

int socket_install(struct socket *s, int type_flags)
{
    int flags = O_RDWR | (type_flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    struct file *file = file_new(&socket_file_ops, s, flags);
    if (!file) {
        socket_free(s);
        return -ENOMEM;
    }
    net_lock();
    s->file = file;
    net_unlock();
    return fd_install(file, type_flags & SOCK_CLOEXEC); /* takes the reference, failing too */
}

/* The socket behind a descriptor, with a reference on *FILE; 0 or -errno. */
static long get_socket(long fd, struct file **file, struct socket **s)
{
    *file = fd_get((int)fd);
    if (!*file)
        return -EBADF;
    if ((*file)->ops != &socket_file_ops) {
        file_release(*file);
        return -ENOTSOCK;
    }
    *s = (*file)->object;
    return 0;
}

/* ---- system calls ---- */

SYSCALL(socket)
{
    (void)d, (void)e, (void)f;
    int domain = (int)a, kind = (int)b & 0xf, flags = (int)b & ~0xf, protocol = (int)c;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (domain != AF_INET && domain != AF_INET6)
        return -EAFNOSUPPORT;
    bool stream = kind == SOCK_STREAM;
    if (!stream && kind != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    int only = stream ? IPPROTO_TCP : IPPROTO_UDP;
    if (protocol != 0 && protocol != only)
        return -EPROTONOSUPPORT;
    struct socket *s = socket_new(stream ? &tcp_socket_ops : &udp_socket_ops, domain, kind, only);
    if (!s)
        return -ENOMEM;
    int error = stream ? tcp_socket_open(s) : udp_socket_open(s);
    if (error < 0) {
        kfree(s);
        return error;
    }
    return socket_install(s, flags);
}

SYSCALL(bind)
{
    (void)d, (void)e, (void)f;
    long error;
    struct file *file;
    struct socket *s;
    error = get_socket(a, &file, &s);
    if (error < 0)
        return error;
    struct endpoint local;
    error = s->ops->bind ? address_read(s, (const void *)b, (size_t)c, &local) : -EOPNOTSUPP;
    if (error == 0)
        error = s->ops->bind(s, &local);
    file_release(file);
    return error;
}

SYSCALL(connect)
{
    (void)d, (void)e, (void)f;
    long error;
    struct file *file;
    struct socket *s;
    error = get_socket(a, &file, &s);
    if (error < 0)
        return error;
    struct endpoint peer;
    sa_family_t family = AF_UNSPEC;
    if (b && (size_t)c >= sizeof family)
        memcpy(&family, (const void *)b, sizeof family);
    bool wait = !(file->flags & O_NONBLOCK);
    if (!s->ops->connect)
        error = -EOPNOTSUPP;
    else if (b && (size_t)c >= sizeof family && family == AF_UNSPEC)
        error = s->ops->connect(s, NULL, wait);
    else if ((error = address_read(s, (const void *)b, (size_t)c, &peer)) == 0)
        error = s->ops->connect(s, &peer, wait);
    file_release(file);
    return error;
}

SYSCALL(listen)
{
    (void)c, (void)d, (void)e, (void)f;
    long error;
    struct file *file;
    struct socket *s;
    error = get_socket(a, &file, &s);
    if (error < 0)
        return error;
    error = s->ops->listen ? s->ops->listen(s, (int)b) : -EOPNOTSUPP;
    file_release(file);
    return error;
}

static long accept_on(long fd, void *addr, socklen_t *len, int flags)
{
    long error;
    struct file *file;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    struct socket *s;
    error = get_socket(fd, &file, &s);
    if (error < 0)
        return error;
    struct socket *connection = NULL;
    error =
        s->ops->accept ? s->ops->accept(s, &connection, !(file->flags & O_NONBLOCK)) : -EOPNOTSUPP;
    file_release(file);
    if (error < 0)
        return error;
    if (addr) {
        struct endpoint peer = {.port = 0};
        connection->ops->name(connection, true, &peer);
        address_write(connection, &peer, addr, len);
    }
    return socket_install(connection, flags);
}

SYSCALL(accept)
{
    (void)d, (void)e, (void)f;
    return accept_on(a, (void *)b, (socklen_t *)c, 0);
}

SYSCALL(accept4)
{
    (void)e, (void)f;
    return accept_on(a, (void *)b, (socklen_t *)c, (int)d);
}

static long name_of(long fd, void *addr, socklen_t *len, bool peer)
{
    long error;
    struct file *file;
    struct socket *s;
    error = get_socket(fd, &file, &s);
    if (error < 0)
        return error;
    struct endpoint endpoint = {.port = 0};
    error = !addr || !len ? -EFAULT : s->ops->name ? s->ops->name(s, peer, &endpoint) : 0;
    if (error == 0)
        address_write(s, &endpoint, addr, len);
    file_release(file);
    return error;
}

SYSCALL(getsockname)
{
    (void)d, (void)e, (void)f;
    return name_of(a, (void *)b, (socklen_t *)c, false);
}

SYSCALL(getpeername)
{
    (void)d, (void)e, (void)f;
    return name_of(a, (void *)b, (socklen_t *)c, true);
}

/* Sends or receives as struct msghdr says; lengths are written back. */
static long exchange(long fd, struct msghdr *header, int flags, bool send)
{
    long error;
    struct file *file;
    struct socket *s;
    error = get_socket(fd, &file, &s);
    if (error < 0)
        return error;
    struct message message = {
        .iov = header->msg_iov, .count = (int)header->msg_iovlen, .flags = flags};
    if (send && header->msg_name && header->msg_namelen && s->type == SOCK_DGRAM) {
        error = address_read(s, header->msg_name, header->msg_namelen, &message.peer);
        if (error < 0) {
            file_release(file);
            return error;
        }
        message.addressed = true;
    }
    long result = transfer(file, &message, send);
    if (!send && result >= 0) {
        if (header->msg_name && message.addressed)
            address_write(s, &message.peer, header->msg_name, &header->msg_namelen);
        else
            header->msg_namelen = 0;
        header->msg_controllen = 0;
        header->msg_flags = message.result;
    }
    file_release(file);
    return result;
}

SYSCALL(sendto)
{
    struct iovec iov = {(void *)b, (size_t)c};
    struct msghdr header = {
        .msg_name = (void *)e, .msg_namelen = (socklen_t)f, .msg_iov = &iov, .msg_iovlen = 1};
    return exchange(a, &header, (int)d, true);
}

SYSCALL(recvfrom)
{
    struct iovec iov = {(void *)b, (size_t)c};
    socklen_t *len = (socklen_t *)f;
    struct msghdr header = {
        .msg_name = (void *)e, .msg_namelen = len ? *len : 0, .msg_iov = &iov, .msg_iovlen = 1};
    long result = exchange(a, &header, (int)d, false);
    if (result >= 0 && len)
        *len = header.msg_namelen;
    return result;
}

SYSCALL(sendmsg)
{
    (void)d, (void)e, (void)f;
    return b ? exchange(a, (struct msghdr *)b, (int)c, true) : -EFAULT;
}

SYSCALL(recvmsg)
{
    (void)d, (void)e, (void)f;
    return b ? exchange(a, (struct msghdr *)b, (int)c, false) : -EFAULT;
}

SYSCALL(sendmmsg)
{
    (void)e, (void)f;
    struct mmsghdr *messages = (struct mmsghdr *)b;
    long done = 0;
    for (; done < c; done++) {
        long result = exchange(a, &messages[done].msg_hdr, (int)d, true);
        if (result < 0)
            return done ? done : result;
        messages[done].msg_len = (unsigned)result;
    }
    return done;
}

SYSCALL(shutdown)
{
    (void)c, (void)d, (void)e, (void)f;
    long error;
    struct file *file;
    if (b != SHUT_RD && b != SHUT_WR && b != SHUT_RDWR)
        return -EINVAL;
    struct socket *s;
    error = get_socket(a, &file, &s);
    if (error < 0)
        return error;
    error = s->ops->shutdown(s, b != SHUT_WR, b != SHUT_RD);
    file_release(file);
    return error;
}

SYSCALL(setsockopt)
{
    (void)f;
    long error;
    struct file *file;
    struct socket *s;
    error = get_socket(a, &file, &s);
    if (error < 0)
        return error;
    error = socket_set_option(s, (int)b, (int)c, (const void *)d, (socklen_t)e);
    file_release(file);
    return error;
}

SYSCALL(getsockopt)
{
    (void)f;
    long error;
    struct file *file;
    struct socket *s;
    error = get_socket(a, &file, &s);
    if (error < 0)
        return error;
    error = d && e ? socket_get_option(s, (int)b, (int)c, (void *)d, (socklen_t *)e) : -EFAULT;
    file_release(file);
    return error;
}
