/* The guest of net_test.py, an ordinary program: checks the socket calls from within the machine,
 * then serves what the host's side wants to talk to. Prints TAP lines; the host forwards them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void check(bool condition, const char *what)
{
    int saved = errno;
    printf("%sok - %s", condition ? "" : "not ", what);
    if (!condition)
        printf(" (errno %d: %s)", saved, strerror(saved));
    printf("\n");
}

static bool fails(int result, int wanted)
{
    return result == -1 && errno == wanted;
}

static struct sockaddr_in ipv4(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static struct sockaddr_in6 ipv6(const char *ip, int port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    inet_pton(AF_INET6, ip, &a.sin6_addr);
    return a;
}

#define SA(a) (struct sockaddr *)&(a), sizeof(a)

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- errors ---- */

static void check_errors(void)
{
    char byte = 0;
    struct sockaddr_in any = ipv4("0.0.0.0", 4000), foreign = ipv4("192.0.2.1", 4001);
    struct sockaddr_in6 six = ipv6("::1", 4002);
    check(fails(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT), "unknown family: EAFNOSUPPORT");
    check(fails(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT),
          "stream over UDP: EPROTONOSUPPORT");
    check(fails(bind(99, SA(any)), EBADF), "closed descriptor: EBADF");
    check(fails(listen(1, 5), ENOTSOCK), "the console: ENOTSOCK");
    int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);
    check(fails((int)send(s, &byte, 1, MSG_NOSIGNAL), ENOTCONN) ||
              fails((int)send(s, &byte, 1, MSG_NOSIGNAL), EPIPE),
          "send before connect: an error");
    check(fails((int)recv(s, &byte, 1, 0), ENOTCONN), "recv before connect: ENOTCONN");
    check(fails(accept(s, NULL, NULL), EINVAL), "accept without listen: EINVAL");
    check(fails(bind(s, SA(six)), EAFNOSUPPORT), "address of another family: EAFNOSUPPORT");
    check(fails(bind(s, (struct sockaddr *)&any, 4), EINVAL), "short address: EINVAL");
    check(fails(bind(s, SA(foreign)), EADDRNOTAVAIL), "address that is not ours: EADDRNOTAVAIL");
    check(bind(s, SA(any)) == 0 && listen(s, 5) == 0, "bind and listen");
    check(fails(bind(t, SA(any)), EADDRINUSE), "port in use: EADDRINUSE");
    check(fails(setsockopt(t, SOL_SOCKET, 9999, &byte, 1), ENOPROTOOPT), "unknown option");
    close(s);
    close(t);
}

/* ---- streams to ourselves ---- */

enum { BULK = 3 << 20 };
static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 131 + (i >> 8) * 7);
}

static void *bulk_writer(void *arg)
{
    int s = (int)(intptr_t)arg;
    static unsigned char data[BULK];
    for (size_t i = 0; i < BULK; i++)
        data[i] = pattern(i);
    for (size_t done = 0; done < BULK;) {
        ssize_t n = write(s, data + done, BULK - done);
        if (n <= 0)
            return NULL;
        done += (size_t)n;
    }
    shutdown(s, SHUT_WR);
    return arg;
}

static void check_stream(int family, const char *target, const char *what)
{
    char text[100];
    struct sockaddr_storage local = {0}, peer = {0};
    socklen_t len = sizeof local;
    int listener = socket(family, SOCK_STREAM, 0);
    struct sockaddr_in a4 = ipv4("0.0.0.0", 0);
    struct sockaddr_in6 a6 = ipv6("::", 0);
    int bound = family == AF_INET ? bind(listener, SA(a4)) : bind(listener, SA(a6));
    if (bound < 0 || listen(listener, 4) < 0 ||
        getsockname(listener, (struct sockaddr *)&local, &len) < 0) {
        check(false, what);
        return;
    }
    int port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&local)->sin_port
                                       : ((struct sockaddr_in6 *)&local)->sin6_port);
    bool four = strchr(target, ':') == NULL;
    int client = socket(four ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in to4 = ipv4(target, port);
    struct sockaddr_in6 to6 = ipv6(target, port);
    int connected = four ? connect(client, SA(to4)) : connect(client, SA(to6));
    snprintf(text, sizeof text, "%s: connect", what);
    check(connected == 0, text);
    len = sizeof peer;
    int server = accept(listener, (struct sockaddr *)&peer, &len);
    if (family == AF_INET6 && four) {
        char name[64] = "";
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer)->sin6_addr, name, sizeof name);
        check(strcmp(name, "::ffff:127.0.0.1") == 0, "an IPv4 peer of an IPv6 socket is mapped");
    }
    pthread_t thread;
    pthread_create(&thread, NULL, bulk_writer, (void *)(intptr_t)client);
    static unsigned char buffer[70000];
    size_t total = 0;
    bool same = true;
    ssize_t n;
    while ((n = read(server, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < n; i++)
            same = same && buffer[i] == pattern(total++);
    void *result;
    pthread_join(thread, &result);
    snprintf(text, sizeof text, "%s: 3 MiB arrive unchanged, then the end", what);
    check(same && total == BULK && n == 0 && result, text);

    /* the other direction still works after the half close */
    snprintf(text, sizeof text, "%s: half-closed, the other way still works", what);
    check(write(server, "back", 4) == 4 && read(client, buffer, 10) == 4, text);
    close(server);
    snprintf(text, sizeof text, "%s: close is seen as the end", what);
    check(read(client, buffer, 10) == 0, text);
    close(client);
    close(listener);
}

static void pair(int *a, int *b)
{
    struct sockaddr_in any = ipv4("127.0.0.1", 0);
    socklen_t len = sizeof any;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, SA(any));
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&any, &len);
    *a = socket(AF_INET, SOCK_STREAM, 0);
    connect(*a, SA(any));
    *b = accept(listener, NULL, NULL);
    close(listener);
}

static void check_calls(void)
{
    int a, b, value;
    char buffer[100];
    pair(&a, &b);
    check(fails((int)recv(a, buffer, 10, MSG_DONTWAIT), EAGAIN), "MSG_DONTWAIT: EAGAIN");
    struct timeval tv = {0, 60000};
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    double start = seconds();
    check(fails((int)recv(a, buffer, 10, 0), EAGAIN) && seconds() - start > 0.05 &&
              seconds() - start < 1,
          "SO_RCVTIMEO: EAGAIN in time");
    tv.tv_usec = 0;
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);

    struct pollfd p = {a, POLLIN | POLLOUT, 0};
    check(poll(&p, 1, 1000) == 1 && p.revents == POLLOUT, "poll: writable, not readable");
    write(b, "hello", 5);
    p.events = POLLIN;
    check(poll(&p, 1, 1000) == 1 && p.revents == POLLIN, "poll: readable");
    check(ioctl(a, FIONREAD, &value) == 0 && value == 5, "FIONREAD");
    check(recv(a, buffer, 3, MSG_PEEK) == 3 && recv(a, buffer, 100, 0) == 5 &&
              memcmp(buffer, "hello", 5) == 0,
          "MSG_PEEK leaves it there");
    struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}};
    struct iovec in[2] = {{buffer, 4}, {buffer + 50, 50}};
    struct msghdr send_header = {.msg_iov = out, .msg_iovlen = 3};
    struct msghdr recv_header = {.msg_iov = in, .msg_iovlen = 2};
    check(sendmsg(b, &send_header, 0) == 6 && recvmsg(a, &recv_header, 0) == 6 &&
              memcmp(buffer, "abcd", 4) == 0 && memcmp(buffer + 50, "ef", 2) == 0,
          "sendmsg and recvmsg scatter and gather");
    value = 1;
    socklen_t len = sizeof value;
    check(setsockopt(a, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) == 0 && !(value = 0) &&
              getsockopt(a, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0 && value == 1,
          "TCP_NODELAY is kept");
    check(getsockopt(a, SOL_SOCKET, SO_TYPE, &value, &len) == 0 && value == SOCK_STREAM, "SO_TYPE");
    close(b);
    p.events = POLLIN | POLLRDHUP;
    check(poll(&p, 1, 1000) == 1 && (p.revents & POLLRDHUP), "poll: the peer closed");
    write(a, "x", 1); /* answered by a reset */
    usleep(50000);
    check(fails((int)send(a, "x", 1, MSG_NOSIGNAL), EPIPE) || errno == ECONNRESET,
          "send to a closed peer: EPIPE or ECONNRESET");
    close(a);

    pair(&a, &b);
    struct linger linger = {1, 0};
    setsockopt(b, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(b);
    check(fails((int)recv(a, buffer, 10, 0), ECONNRESET), "linger 0 resets: ECONNRESET");
    check(recv(a, buffer, 10, 0) == 0, "and the end after that");
    close(a);
}

static void check_connect(void)
{
    int value = -1;
    socklen_t len = sizeof value;
    struct sockaddr_in closed = ipv4("10.0.2.2", 1), here = ipv4("127.0.0.1", 1);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    check(fails(connect(s, SA(here)), ECONNREFUSED), "closed port of ours: ECONNREFUSED");
    close(s);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    check(fails(connect(s, SA(closed)), EINPROGRESS), "without waiting: EINPROGRESS");
    struct pollfd p = {s, POLLOUT, 0};
    check(poll(&p, 1, 5000) == 1 && getsockopt(s, SOL_SOCKET, SO_ERROR, &value, &len) == 0 &&
              value == ECONNREFUSED,
          "closed port of the host: poll tells, SO_ERROR says ECONNREFUSED");
    close(s);
}

/* ---- datagrams ---- */

static void check_datagrams(void)
{
    char buffer[100];
    struct sockaddr_in a = ipv4("127.0.0.1", 5353), from;
    socklen_t len = sizeof from;
    int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
    check(bind(s, SA(a)) == 0 && sendto(c, "datagram", 8, 0, SA(a)) == 8, "sendto");
    check(recvfrom(s, buffer, 4, MSG_TRUNC, (struct sockaddr *)&from, &len) == 8 &&
              len == sizeof from && from.sin_port != 0,
          "recvfrom: MSG_TRUNC gives the length, the sender's address is there");
    check(fails((int)recv(s, buffer, 10, MSG_DONTWAIT), EAGAIN), "the rest of it is gone");
    check(fails((int)send(c, "x", 1, 0), EDESTADDRREQ), "send without a peer: EDESTADDRREQ");
    check(connect(c, SA(a)) == 0 && send(c, "", 0, 0) == 0 && recv(s, buffer, 10, 0) == 0,
          "an empty datagram arrives");
    static char big[70000];
    check(fails((int)send(c, big, sizeof big, 0), EMSGSIZE), "too large: EMSGSIZE");
    check(send(c, big, 20000, 0) == 20000 && recv(s, big, sizeof big, 0) == 20000,
          "a fragmented datagram arrives");
    close(s);
    close(c);
}

/* ---- what the host talks to ---- */

static void check_ipv6_host(int port)
{
    struct sockaddr_in6 host = ipv6("fec0::2", port);
    char buffer[32] = "";
    int s = -1, result = -1;
    /* the router's advertisement and duplicate detection take their time */
    for (int i = 0; i < 80 && result < 0; i++) {
        s = socket(AF_INET6, SOCK_STREAM, 0);
        result = connect(s, SA(host));
        if (result < 0) {
            close(s);
            usleep(100000);
        }
    }
    check(result == 0, "IPv6: connect to the host");
    if (result == 0) {
        check(write(s, "six", 3) == 3 && read(s, buffer, sizeof buffer) == 3 &&
                  memcmp(buffer, "SIX", 3) == 0,
              "IPv6: and talk to it");
        close(s);
    }
}

static void *echo(void *arg)
{
    int s = (int)(intptr_t)arg;
    char *buffer = malloc(65536);
    ssize_t n;
    while (buffer && (n = read(s, buffer, 65536)) > 0)
        for (ssize_t done = 0, m; done < n; done += m)
            if ((m = write(s, buffer + done, (size_t)(n - done))) <= 0)
                goto end;
end:
    free(buffer);
    close(s);
    return NULL;
}

/* Accepts and does nothing: the peer's data fills the window and stays. */
static void *hold(void *arg)
{
    sleep(5);
    close((int)(intptr_t)arg);
    return NULL;
}

static int listening; /* services the host may connect to */

struct service {
    int port;
    void *(*serve)(void *);
};

static void *listen_on(void *arg)
{
    struct service *service = arg;
    int listener = socket(AF_INET6, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in6 any = ipv6("::", service->port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, SA(any)) < 0 || listen(listener, 128) < 0)
        check(false, "listen");
    __atomic_add_fetch(&listening, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        int s = accept(listener, NULL, NULL);
        pthread_t thread;
        pthread_attr_t attributes;
        if (s < 0)
            continue;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 16384);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        if (pthread_create(&thread, &attributes, service->serve, (void *)(intptr_t)s) != 0)
            close(s);
    }
    return NULL;
}

static void *echo_datagrams(void *arg)
{
    static char buffer[65536];
    struct sockaddr_in any = ipv4("0.0.0.0", 7), from;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    bind(s, SA(any));
    __atomic_add_fetch(&listening, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(s, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &len);
        if (n >= 0)
            sendto(s, buffer, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
    return arg;
}

static void *quit(void *arg)
{
    (void)arg;
    exit(0);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    check_errors();
    check_stream(AF_INET, "127.0.0.1", "IPv4");
    check_stream(AF_INET6, "::1", "IPv6");
    check_stream(AF_INET6, "127.0.0.1", "both");
    check_calls();
    check_datagrams();
    if (argc > 1 && strcmp(argv[1], "alone") == 0) {
        printf("ready\n");
        return 0;
    }
    check_connect();
    char text[200] = "";
    FILE *resolver = fopen("/etc/resolv.conf", "r");
    check(resolver && fgets(text, sizeof text, resolver) &&
              strcmp(text, "nameserver 10.0.2.3\n") == 0,
          "the name server's address is in /etc/resolv.conf");
    if (argc > 1)
        check_ipv6_host(atoi(argv[1]));
    static struct service services[] = {{7, echo}, {9, hold}, {99, quit}};
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, listen_on, &services[i]);
    pthread_create(&thread, NULL, echo_datagrams, NULL);
    while (__atomic_load_n(&listening, __ATOMIC_SEQ_CST) < 4)
        usleep(1000);
    printf("ready\n");
    for (;;)
        sleep(1000);
}
