/* poll, select, epoll, eventfd, timerfd, and sockets over loopback. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *write_later(void *argument)
{
    usleep(10000);
    return (void *)(intptr_t)write((int)(intptr_t)argument, "12345678", 8);
}

static void poll_pipe(void)
{
    int ends[2];
    pthread_t writer;
    char bytes[8];
    CHECK(pipe(ends) == 0);
    struct pollfd fds[] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {-1, POLLIN, 0}};
    CHECK(poll(fds, 3, 0) == 1 && fds[0].revents == 0 && fds[1].revents == POLLOUT);
    uint64_t start = now_ms();
    CHECK(poll(fds, 1, 20) == 0 && now_ms() - start >= 19);
    CHECK(pthread_create(&writer, NULL, write_later, (void *)(intptr_t)ends[1]) == 0);
    CHECK(poll(fds, 1, 5000) == 1 && fds[0].revents == POLLIN);
    CHECK(pthread_join(writer, NULL) == 0 && read(ends[0], bytes, 8) == 8);
    CHECK(close(ends[1]) == 0 && poll(fds, 1, 1000) == 1 && fds[0].revents & POLLHUP);
    CHECK(close(ends[0]) == 0 && poll(fds, 1, 0) == 1 && fds[0].revents == POLLNVAL);
}

static void select_pipe(void)
{
    int ends[2];
    char bytes[8];
    pthread_t writer;
    CHECK(pipe(ends) == 0);
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(ends[0], &readable);
    struct timeval timeout = {0, 10000};
    CHECK(select(ends[0] + 1, &readable, NULL, NULL, &timeout) == 0);
    CHECK(!FD_ISSET(ends[0], &readable));
    FD_SET(ends[0], &readable);
    CHECK(pthread_create(&writer, NULL, write_later, (void *)(intptr_t)ends[1]) == 0);
    CHECK(select(ends[0] + 1, &readable, NULL, NULL, NULL) == 1 && FD_ISSET(ends[0], &readable));
    CHECK(pthread_join(writer, NULL) == 0 && read(ends[0], bytes, 8) == 8);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static int wait_now(int set)
{
    struct epoll_event event;
    return epoll_wait(set, &event, 1, 0);
}

static void epoll_modes(void)
{
    int ends[2], set = epoll_create1(0);
    char bytes[8];
    CHECK(set >= 0 && pipe(ends) == 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, got;
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) < 0 && errno == EEXIST);
    CHECK(wait_now(set) == 0 && write(ends[1], "ab", 2) == 2);
    /* Level: as long as it holds. */
    CHECK(epoll_wait(set, &got, 1, 1000) == 1 && got.data.u64 == 77 && got.events == EPOLLIN);
    CHECK(wait_now(set) == 1 && read(ends[0], bytes, 8) == 2 && wait_now(set) == 0);
    /* Edge: once per change. */
    event.events = EPOLLIN | EPOLLET;
    CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0 && write(ends[1], "a", 1) == 1);
    CHECK(wait_now(set) == 1 && wait_now(set) == 0 && write(ends[1], "b", 1) == 1);
    CHECK(wait_now(set) == 1 && wait_now(set) == 0);
    /* One shot: until it is armed again. */
    event.events = EPOLLIN | EPOLLONESHOT;
    CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0 && wait_now(set) == 1);
    CHECK(write(ends[1], "c", 1) == 1 && wait_now(set) == 0);
    CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0 && wait_now(set) == 1);
    CHECK(epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL) == 0 && wait_now(set) == 0);
    CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) < 0 && errno == ENOENT);
    /* A file that is closed leaves the set. */
    event.events = EPOLLIN;
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0 && wait_now(set) == 1);
    CHECK(close(ends[0]) == 0 && wait_now(set) == 0);
    CHECK(close(ends[1]) == 0 && close(set) == 0);
}

static void epoll_wakes(void)
{
    int ends[2], set = epoll_create1(0), outer = epoll_create1(0);
    pthread_t writer;
    CHECK(set >= 0 && outer >= 0 && pipe(ends) == 0);
    struct epoll_event event = {.events = EPOLLIN}, got;
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
    CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, set, &event) == 0);
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, outer, &event) < 0 && errno == ELOOP);
    uint64_t start = now_ms();
    CHECK(epoll_wait(set, &got, 1, 20) == 0 && now_ms() - start >= 19);
    CHECK(pthread_create(&writer, NULL, write_later, (void *)(intptr_t)ends[1]) == 0);
    CHECK(epoll_wait(outer, &got, 1, 5000) == 1 && epoll_wait(set, &got, 1, 5000) == 1);
    CHECK(pthread_join(writer, NULL) == 0);
    CHECK(close(outer) == 0 && close(set) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void event_and_timer(void)
{
    uint64_t value = 3;
    int event = eventfd(5, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    CHECK(event >= 0 && timer >= 0 && write(event, &value, 8) == 8);
    CHECK(read(event, &value, 8) == 8 && value == 8);
    CHECK(read(event, &value, 8) < 0 && errno == EAGAIN);
    struct itimerspec spec = {.it_value.tv_nsec = 10000000, .it_interval.tv_nsec = 10000000};
    CHECK(timerfd_settime(timer, 0, &spec, NULL) == 0);
    CHECK(read(timer, &value, 8) < 0 && errno == EAGAIN);
    struct pollfd fd = {timer, POLLIN, 0};
    CHECK(poll(&fd, 1, 5000) == 1 && read(timer, &value, 8) == 8 && value >= 1);
    usleep(35000);
    CHECK(read(timer, &value, 8) == 8 && value >= 2);
    CHECK(close(timer) == 0 && close(event) == 0);
}

static void socket_pair(void)
{
    int ends[2];
    char bytes[8];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(write(ends[0], "to", 2) == 2 && write(ends[1], "fro", 3) == 3);
    CHECK(read(ends[1], bytes, 8) == 2 && read(ends[0], bytes, 8) == 3);
    CHECK(close(ends[0]) == 0 && read(ends[1], bytes, 8) == 0 && close(ends[1]) == 0);
}

static void *echo_once(void *argument)
{
    int listener = (int)(intptr_t)argument, client = accept(listener, NULL, NULL);
    char bytes[1024];
    ssize_t got;
    while ((got = read(client, bytes, sizeof bytes)) > 0)
        if (write(client, bytes, (size_t)got) != got)
            break;
    close(client);
    return NULL;
}

static void tcp_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t server;
    char bytes[1024];
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listener >= 0 && client >= 0);
    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 4) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0 && address.sin_port);
    CHECK(pthread_create(&server, NULL, echo_once, (void *)(intptr_t)listener) == 0);
    CHECK(connect(client, (struct sockaddr *)&address, length) == 0);
    for (int i = 0; i < 50; i++) {
        memset(bytes, i, sizeof bytes);
        CHECK(send(client, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes);
        size_t total = 0;
        while (total < sizeof bytes) {
            struct pollfd fd = {client, POLLIN, 0};
            CHECK(poll(&fd, 1, 5000) == 1);
            ssize_t got = recv(client, bytes, sizeof bytes - total, 0);
            CHECK(got > 0 && bytes[0] == i);
            total += (size_t)got;
        }
    }
    CHECK(close(client) == 0 && pthread_join(server, NULL) == 0 && close(listener) == 0);
}

static void udp_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    char bytes[16];
    int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(one >= 0 && two >= 0 && bind(one, (struct sockaddr *)&address, length) == 0);
    CHECK(getsockname(one, (struct sockaddr *)&address, &length) == 0);
    CHECK(sendto(two, "hello", 5, 0, (struct sockaddr *)&address, length) == 5);
    struct pollfd fd = {one, POLLIN, 0};
    CHECK(poll(&fd, 1, 5000) == 1 && recv(one, bytes, sizeof bytes, 0) == 5);
    CHECK(close(one) == 0 && close(two) == 0);
}

const struct test poll_tests[] = {
    {"poll: pipe", poll_pipe},
    {"poll: select", select_pipe},
    {"poll: epoll level, edge, one-shot", epoll_modes},
    {"poll: epoll wakes, nests", epoll_wakes},
    {"poll: eventfd, timerfd", event_and_timer},
    {"poll: socketpair", socket_pair},
    {"sockets: TCP over loopback", tcp_loopback},
    {"sockets: UDP over loopback", udp_loopback},
    {NULL, NULL},
};
