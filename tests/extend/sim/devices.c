/* The simulated machine's devices: a control port over a Unix socket, and a network on which
 * packets come and go all the time. */
#include "sim.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "drivers/port.h"
#include "host/port.h"
#include "net/netdev.h"
#include "net/packet.h"
#include "sched/thread.h"
#include "time/clock.h"

/* The port. */

struct port {
    int listener, connection;
};
static struct port port = {-1, -1};

bool sim_port_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return false;
    }
    strcpy(address.sun_path, path);
    port.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    return port.listener >= 0 &&
           bind(port.listener, (struct sockaddr *)&address, sizeof address) == 0 &&
           listen(port.listener, 1) == 0;
}

struct port *port_find(const char *name)
{
    return strcmp(name, "org.quince.control") == 0 && port.listener >= 0 ? &port : NULL;
}
bool port_connected(const struct port *p)
{
    return p->connection >= 0;
}
int port_read(struct port *p, void *buffer, size_t size, uint64_t deadline)
{
    (void)deadline;
    if (p->connection < 0) {
        p->connection = accept(p->listener, NULL, NULL);
    }
    ssize_t n = recv(p->connection, buffer, size, 0);
    if (n <= 0) {
        close(p->connection);
        p->connection = -1;
        return 0;
    }
    return (int)n;
}
int port_write(struct port *p, const void *buffer, size_t size)
{
    const char *at = buffer;
    while (size) {
        ssize_t n = send(p->connection, at, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return -EPIPE;
        }
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* The network. */

struct pbuf {
    size_t len;
    uint8_t bytes[2048];
};
static pthread_mutex_t stack_lock = PTHREAD_MUTEX_INITIALIZER;
static packet_hook_fn hooks[2];
static struct netdev device = {.name = "sim0"};

void netdev_for_each(void (*fn)(const struct netdev *dev, void *context), void *context)
{
    fn(&device, context);
}
size_t packet_length(const struct packet *packet)
{
    return packet->pbuf->len;
}
static bool within(const struct packet *packet, size_t offset, size_t len)
{
    return offset <= packet->pbuf->len && len <= packet->pbuf->len - offset;
}
int packet_read(const struct packet *packet, size_t offset, void *buffer, size_t len)
{
    if (!within(packet, offset, len)) {
        return -EINVAL;
    }
    memcpy(buffer, packet->pbuf->bytes + offset, len);
    return (int)len;
}
int packet_write(struct packet *packet, size_t offset, const void *buffer, size_t len)
{
    if (!within(packet, offset, len)) {
        return -EINVAL;
    }
    memcpy(packet->pbuf->bytes + offset, buffer, len);
    return (int)len;
}
int packet_adjust(struct packet *packet, int head, int tail)
{
    long len = (long)packet->pbuf->len + head + tail;
    if (len < 14 || len > (long)sizeof packet->pbuf->bytes || head < -(long)packet->pbuf->len) {
        return -EINVAL;
    }
    packet->pbuf->len = (size_t)len;
    return 0;
}
void packet_set_hook(enum packet_direction direction, packet_hook_fn hook)
{
    hooks[direction] = hook;
}
int net_call(void (*fn)(void *context), void *context)
{
    pthread_mutex_lock(&stack_lock);
    fn(context);
    pthread_mutex_unlock(&stack_lock);
    return 0;
}

/* A TCP segment between 10.0.2.2 and 10.0.2.15:80, by turns. */
static void one_packet(uint32_t n)
{
    static struct pbuf frame;
    bool sent = n & 1;
    uint8_t *b = frame.bytes;
    frame.len = 60 + n % 1400;
    memset(b, 0, 54);
    b[12] = 8;
    b[14] = 0x45;
    b[16] = (uint8_t)((frame.len - 14) >> 8);
    b[17] = (uint8_t)(frame.len - 14);
    b[23] = 6;
    const uint8_t guest[6] = {10, 0, 2, 15, 0, 80};
    const uint8_t client[6] = {10, 0, 2, 2, (uint8_t)(0x80 | (n >> 8 & 7)), 1};
    memcpy(b + 26, sent ? guest : client, 4);
    memcpy(b + 30, sent ? client : guest, 4);
    memcpy(b + 34, sent ? guest + 4 : client + 4, 2);
    memcpy(b + 36, sent ? client + 4 : guest + 4, 2);
    b[46] = 0x50;
    b[47] = 0x10;
    struct packet packet = {
        .pbuf = &frame, .direction = sent ? PACKET_TX : PACKET_RX, .timestamp = clock_realtime()};
    pthread_mutex_lock(&stack_lock);
    packet_hook_fn hook = hooks[packet.direction];
    if (!hook || hook(&packet) == VERDICT_PASS) {
        *(sent ? &device.tx_packets : &device.rx_packets) += 1;
    } else {
        *(sent ? &device.tx_dropped : &device.rx_dropped) += 1;
    }
    pthread_mutex_unlock(&stack_lock);
}

static unsigned packet_rate;

static void network_main(void *arg)
{
    (void)arg;
    for (uint32_t n = 0;; n++) {
        one_packet(n);
        struct timespec pause = {0, 1000000000l / packet_rate};
        nanosleep(&pause, NULL);
    }
}

void sim_packets_start(unsigned rate)
{
    packet_rate = rate;
    thread_create("net", network_main, NULL, 0, 0);
}
