/* Sockets as preview 1 has them: on descriptors the program was given. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "functions.h"

enum { RECV_PEEK = 1, RECV_WAITALL = 2, RECV_DATA_TRUNCATED = 1, SHUT_READ = 1, SHUT_WRITE = 2 };

bool wasi_listen(struct wasi *wasi, const char *address, const char *port)
{
    enum { BACKLOG = 64 };
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (getaddrinfo(address, port, &hints, &found)) {
        errno = EADDRNOTAVAIL;
        return false;
    }
    int on = 1, host = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint32_t fd = WASI_NO_FD;
    if (host >= 0 && !setsockopt(host, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
        !bind(host, found->ai_addr, found->ai_addrlen) && !listen(host, BACKLOG))
        fd = wasi_fd_new(wasi, host, FILETYPE_STREAM, RIGHTS_LISTENER, RIGHTS_CONNECTION);
    freeaddrinfo(found);
    if (fd == WASI_NO_FD && host >= 0) {
        int error = errno;
        close(host);
        errno = error;
    }
    return fd != WASI_NO_FD;
}

uint32_t wasi_sock_accept(struct wasm_instance *in, uint32_t fd, uint32_t flags, uint32_t out)
{
    uint32_t error;
    struct wasi_fd *f = wasi_fd_get(wasi_of(in), fd, RIGHT_SOCK_ACCEPT, &error);
    if (!f)
        return error;
    if (!wasm_memory_at(in, out, 4))
        return WASI_EFAULT;
    if (flags & ~(uint32_t)FDFLAG_NONBLOCK)
        return WASI_EINVAL;
    int host =
        accept4(f->host, NULL, NULL, SOCK_CLOEXEC | (flags & FDFLAG_NONBLOCK ? SOCK_NONBLOCK : 0));
    if (host < 0)
        return wasi_errno(errno);
    uint32_t made = wasi_fd_new(wasi_of(in), host, FILETYPE_STREAM, f->inheriting, 0);
    if (made == WASI_NO_FD) {
        error = wasi_errno(errno);
        close(host);
        return error;
    }
    return guest_put32(in, out, made) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_sock_recv(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                        uint32_t flags, uint32_t out, uint32_t out_flags)
{
    uint32_t error;
    struct iovec iov[WASI_IOVS];
    struct wasi_fd *f = wasi_fd_get(wasi_of(in), fd, RIGHT_FD_READ, &error);
    if (!f)
        return error;
    if (flags & ~(uint32_t)(RECV_PEEK | RECV_WAITALL))
        return WASI_EINVAL;
    int n = guest_iovecs(in, iovs, count, iov);
    if (n < 0 || !wasm_memory_at(in, out, 4) || !wasm_memory_at(in, out_flags, 2))
        return WASI_EFAULT;
    struct msghdr message = {.msg_iov = iov};
    message.msg_iovlen = (unsigned)n;
    ssize_t got =
        recvmsg(f->host, &message,
                (flags & RECV_PEEK ? MSG_PEEK : 0) | (flags & RECV_WAITALL ? MSG_WAITALL : 0));
    if (got < 0)
        return wasi_errno(errno);
    uint16_t truncated = message.msg_flags & MSG_TRUNC ? RECV_DATA_TRUNCATED : 0;
    return guest_put32(in, out, (uint32_t)got) && guest_put(in, out_flags, &truncated, 2)
               ? WASI_ESUCCESS
               : WASI_EFAULT;
}

uint32_t wasi_sock_send(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                        uint32_t flags, uint32_t out)
{
    uint32_t error;
    struct iovec iov[WASI_IOVS];
    struct wasi_fd *f = wasi_fd_get(wasi_of(in), fd, RIGHT_FD_WRITE, &error);
    if (!f)
        return error;
    if (flags)
        return WASI_EINVAL;
    int n = guest_iovecs(in, iovs, count, iov);
    if (n < 0 || !wasm_memory_at(in, out, 4))
        return WASI_EFAULT;
    struct msghdr message = {.msg_iov = iov};
    message.msg_iovlen = (unsigned)n;
    ssize_t sent = sendmsg(f->host, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return wasi_errno(errno);
    return guest_put32(in, out, (uint32_t)sent) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_sock_shutdown(struct wasm_instance *in, uint32_t fd, uint32_t how)
{
    uint32_t error;
    struct wasi_fd *f = wasi_fd_get(wasi_of(in), fd, RIGHT_SOCK_SHUTDOWN, &error);
    if (!f)
        return error;
    if (!how || how > (SHUT_READ | SHUT_WRITE))
        return WASI_EINVAL;
    int mode = how == SHUT_READ ? SHUT_RD : how == SHUT_WRITE ? SHUT_WR : SHUT_RDWR;
    return shutdown(f->host, mode) ? wasi_errno(errno) : WASI_ESUCCESS;
}
