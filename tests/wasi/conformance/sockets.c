/* A granted listener. The runner connects four times, in order: sends "hello, socket" and waits for
 * an answer and the end; connects and is gone; sends 100 kB and ends its side; connects and leaves
 * reading to us. */
#include <string.h>

#include "wasi1.h"

static u32 accepted(u32 flags)
{
    struct subscription s = {.userdata = 1, .tag = 1, .fd = LISTENER};
    struct event e;
    u32 n = 0, fd = ~0u;
    is(poll_oneoff(P(&s), P(&e), 1, P(&n)), SUCCESS, "somebody calls");
    is(sock_accept(LISTENER, flags, P(&fd)), SUCCESS, "sock_accept");
    return fd;
}

static u32 wait_read(u32 fd)
{
    struct subscription s = {.userdata = 1, .tag = 1, .fd = fd};
    struct event e;
    u32 n = 0;
    return poll_oneoff(P(&s), P(&e), 1, P(&n));
}

void test_sockets(void)
{
    enum { PEEK = 1, WAITALL = 2, READ = 1, WRITE = 2 };
    struct fdstat st;
    static char text[1 << 17];
    char head[4] = "";
    u32 n = 0, fd = ~0u;
    uint16_t flags = 99;
    struct iovec_ iov = {P(text), sizeof(text)}, two[2] = {{P(head), 3}, {P(text), 100}};

    is(fd_fdstat_get(LISTENER, P(&st)), SUCCESS, "fd_fdstat_get: a listener");
    is(st.type, T_STREAM, "  a stream's");
    is((st.base & R_ACCEPT) && !(st.base & (R_READ | R_WRITE)), 1, "  one can only accept from it");
    is(sock_recv(LISTENER, P(&iov), 1, 0, P(&n), P(&flags)), NOTCAPABLE, "sock_recv: from it");
    is(sock_send(LISTENER, P(&iov), 1, 0, P(&n)), NOTCAPABLE, "sock_send: to it");
    is(sock_shutdown(LISTENER, READ), NOTCAPABLE, "sock_shutdown: it");
    is(fd_fdstat_set_flags(LISTENER, F_NONBLOCK), SUCCESS, "not to wait");
    is(sock_accept(LISTENER, 0, P(&fd)), AGAIN, "sock_accept: nobody calls yet");
    is(sock_accept(LISTENER, 1, P(&fd)), INVAL, "sock_accept: no such flag");
    is(sock_accept(LISTENER, 0, OUTSIDE), FAULT, "sock_accept: outside");
    is(fd_fdstat_set_flags(LISTENER, 0), SUCCESS, "to wait again");
    is(fd_write(1, P(&(struct iovec_){P("# ready\n"), 8}), 1, P(&n)), SUCCESS,
       "the runner may connect");

    fd = accepted(0);
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "fd_fdstat_get: a connection");
    is(st.type, T_STREAM, "  a stream");
    is(st.flags, 0, "  that waits");
    is(wait_read(fd), SUCCESS, "something comes");
    is(sock_recv(fd, P(two), 2, PEEK, P(&n), P(&flags)), SUCCESS, "sock_recv: looked at");
    is(n == 13 && same(head, "hel", 3) && same(text, "lo, socket", 10) && flags == 0, 1,
       "  all of it");
    is(sock_recv(fd, P(&iov), 1, 4, P(&n), P(&flags)), INVAL, "sock_recv: no such flag");
    is(sock_recv(fd, OUTSIDE, 1, 0, P(&n), P(&flags)), FAULT, "sock_recv: pieces outside");
    is(sock_recv(fd, P(&iov), 1, 0, OUTSIDE, P(&flags)), FAULT, "sock_recv: size outside");
    is(sock_recv(fd, P(&iov), 1, 0, P(&n), OUTSIDE), FAULT, "sock_recv: flags outside");
    is(sock_recv(fd, P(two), 2, 0, P(&n), P(&flags)), SUCCESS, "sock_recv: still there");
    is(n, 13, "  all of it");
    is(fd_fdstat_set_flags(fd, F_NONBLOCK), SUCCESS, "not to wait");
    is(sock_recv(fd, P(&iov), 1, 0, P(&n), P(&flags)), AGAIN, "sock_recv: nothing more");
    is(fd_fdstat_set_flags(fd, 0), SUCCESS, "to wait again");
    struct iovec_ answer[2] = {{P("goodbye, "), 9}, {P("socket"), 6}};
    is(sock_send(fd, P(answer), 2, 0, P(&n)), SUCCESS, "sock_send");
    is(n, 15, "  all of it");
    is(sock_send(fd, P(answer), 2, 1, P(&n)), INVAL, "sock_send: no such flag");
    is(sock_send(fd, OUTSIDE, 2, 0, P(&n)), FAULT, "sock_send: pieces outside");
    is(fd_write(fd, P(&(struct iovec_){P("!\n"), 2}), 1, P(&n)), SUCCESS, "fd_write: to it too");
    u64 p;
    is(fd_seek(fd, 0, SEEK_SET_, P(&p)), SPIPE, "fd_seek: in it");
    is(sock_shutdown(fd, 0), INVAL, "sock_shutdown: nothing");
    is(sock_shutdown(fd, 4), INVAL, "sock_shutdown: no such direction");
    is(sock_shutdown(fd, WRITE), SUCCESS, "sock_shutdown: our side");
    is(sock_send(fd, P(answer), 1, 0, P(&n)), PIPE, "sock_send: after that");
    is(sock_accept(fd, 0, P(&n)), NOTCAPABLE, "sock_accept: from a connection");
    is(fd_close(fd), SUCCESS, "closed");
    is(sock_shutdown(fd, WRITE), BADF, "sock_shutdown: closed");

    fd = accepted(F_NONBLOCK);
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "a connection that does not wait");
    is(st.flags, F_NONBLOCK, "  says so");
    is(wait_read(fd), SUCCESS, "  its end");
    is(sock_recv(fd, P(&iov), 1, 0, P(&n), P(&flags)), SUCCESS, "sock_recv: at the end");
    is(n, 0, "  nothing");
    is(fd_close(fd), SUCCESS, "closed");

    fd = accepted(0);
    u32 total = 0, error = SUCCESS;
    u64 sum = 0;
    do {
        iov.len = 30000;
        error = sock_recv(fd, P(&iov), 1, WAITALL, P(&n), P(&flags));
        for (u32 i = 0; !error && i < n; i++)
            sum += (u64)(uint8_t)text[i] * (total + i + 1);
        total += n;
    } while (!error && n);
    is(error, SUCCESS, "sock_recv: to the end");
    is(total, 100000, "  100 kB");
    is(sum, 590004252306ull, "  the right ones");
    is(fd_close(fd), SUCCESS, "closed");

    fd = accepted(0);
    memset(text, 'z', sizeof(text));
    for (total = 0; total < 1000000 && !error; total += n) {
        iov.len = 1000000 - total < sizeof(text) ? 1000000 - total : sizeof(text);
        error = sock_send(fd, P(&iov), 1, 0, P(&n));
    }
    is(error, SUCCESS, "sock_send: a million bytes");
    is(total, 1000000, "  all of them");
    is(sock_shutdown(fd, READ | WRITE), SUCCESS, "sock_shutdown: both sides");
    is(fd_close(fd), SUCCESS, "closed");
    is(fd_close(LISTENER), SUCCESS, "the listener closed");
    is(sock_accept(LISTENER, 0, P(&fd)), BADF, "  is gone");
}
