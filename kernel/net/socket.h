/* Inside net/: sockets. socket.c has the system calls and what is common, socket_tcp.c and
 * socket_udp.c what a kind does. All fields but the waiting are guarded by the stack's lock; a poll
 * or a wait condition may read the plain flags without it. */
#ifndef QUINCE_NET_SOCKET_H
#define QUINCE_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "posix/file.h"
#include "sched/list.h"
#include "sched/sync.h"

#include "lwip/ip_addr.h"

struct pbuf;
struct tcp_pcb;
struct udp_pcb;
struct socket;

struct endpoint { /* an address in the stack's terms */
    ip_addr_t ip;
    uint16_t port;
};

/* One send or receive. */
struct message {
    const struct iovec *iov;
    int count;
    size_t size; /* of all pieces */
    int flags;   /* MSG_* asked for */
    int result;  /* MSG_* to report */
    bool wait;   /* may block */
    bool addressed;
    struct endpoint peer;
};

/* 0 or bytes, or -errno. NULL entries: EOPNOTSUPP. Called without the lock. */
struct socket_ops {
    int (*bind)(struct socket *s, const struct endpoint *local);
    int (*connect)(struct socket *s, const struct endpoint *peer, bool wait); /* NULL peer: undo */
    int (*listen)(struct socket *s, int backlog);
    int (*accept)(struct socket *s, struct socket **connection, bool wait);
    ssize_t (*send)(struct socket *s, struct message *message);
    ssize_t (*recv)(struct socket *s, struct message *message);
    int (*shutdown)(struct socket *s, bool receive, bool transmit);
    int (*name)(struct socket *s, bool peer, struct endpoint *out);
    /* Options of the kind's own level; -ENOPROTOOPT: none such. */
    int (*set_option)(struct socket *s, int level, int name, int value);
    int (*get_option)(struct socket *s, int level, int name, int *value);
    size_t (*available)(struct socket *s); /* FIONREAD */
    unsigned (*poll)(struct socket *s);    /* without the lock, anywhere */
    void (*release)(struct socket *s);     /* frees what the kind added; not S */
};

enum socket_state {
    SOCKET_IDLE,
    SOCKET_CONNECTING,
    SOCKET_CONNECTED,
    SOCKET_LISTENING,
    SOCKET_DEAD
};

struct socket {
    const struct socket_ops *ops;
    struct file *file; /* NULL: not accepted yet */
    int domain, type, protocol;
    enum socket_state state;
    union {
        struct tcp_pcb *tcp;
        struct udp_pcb *udp;
    };
    struct wait_queue rx_wait, tx_wait;
    uint64_t rx_timeout, tx_timeout; /* ns; 0: none */
    int error;                       /* to be reported once */
    bool eof, rx_shutdown, tx_shutdown;
    bool tx_ready;              /* there is room worth sending into */
    bool v6only, cork, nodelay; /* NODELAY passes on to accepted connections */
    bool linger;
    int linger_seconds;
    int rx_limit, tx_limit; /* SO_RCVBUF, SO_SNDBUF */

    /* stream: received pieces, linked by pbuf->next; tot_len is not kept up */
    struct pbuf *rx_first, *rx_last;
    size_t rx_offset; /* taken from the first */
    size_t rx_bytes;

    struct list_node queue; /* datagrams, or connections to be accepted */
    unsigned queue_count;
    struct list_node queue_node; /* in the listener's queue */
    struct socket *listener;
};

struct socket *socket_new(const struct socket_ops *ops, int domain, int type, int protocol);
int socket_install(struct socket *s, int type_flags); /* a descriptor; frees S on failure */
void socket_free(struct socket *s);
void socket_wake_rx(struct socket *s); /* and the pollers */
void socket_wake_tx(struct socket *s);
/* Sleeps, without the lock, until something may have happened; 0 or -EAGAIN after the timeout that
 * began at START. */
int socket_wait_rx(struct socket *s, uint64_t start);
int socket_wait_tx(struct socket *s, uint64_t start);
int socket_take_error(struct socket *s); /* -errno, once */
int socket_errno(int lwip_error);        /* -errno for an err_t */
/* Until the network is configured a destination other than this machine cannot be reached: waits.
 */
void socket_await_route(const ip_addr_t *destination, bool wait);
bool socket_address_is_ours(const ip_addr_t *ip); /* lock held */
/* The address type a new pcb of S has. */
uint8_t socket_ip_type(const struct socket *s);

extern const struct socket_ops tcp_socket_ops, udp_socket_ops;
int tcp_socket_open(struct socket *s);
int udp_socket_open(struct socket *s);

/* socket_address.c */
int address_read(const struct socket *s, const void *addr, size_t len, struct endpoint *out);
/* Writes at most *LEN bytes and sets *LEN to the full size. */
void address_write(const struct socket *s, const struct endpoint *from, void *addr, socklen_t *len);

/* socket_option.c */
long socket_set_option(struct socket *s, int level, int name, const void *value, socklen_t len);
long socket_get_option(struct socket *s, int level, int name, void *value, socklen_t *len);

/* Walks the pieces of a message. */
struct iov_cursor {
    const struct iovec *iov;
    int left;
    size_t offset;
};
void *iov_piece(struct iov_cursor *cursor, size_t *len); /* NULL: at the end */
void iov_advance(struct iov_cursor *cursor, size_t len); /* within the piece */

#endif
