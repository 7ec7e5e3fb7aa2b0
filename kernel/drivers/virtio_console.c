/* virtio-serial (virtio 1.x, 5.3): named byte streams to the host, port.h. The device announces its
 * ports over a pair of control queues; a port is opened towards the host, and given buffers, only
 * when somebody asked for it by name. */
#include "drivers/port.h"

#include <errno.h>
#include <string.h>
#include "bus/dma.h"
#include "bus/virtio.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

#define CONSOLE_F_MULTIPORT (1ull << 1)
enum { CONFIG_MAX_PORTS = 4 }; /* offset in configuration space */

enum control_event {
    CONTROL_DEVICE_READY,
    CONTROL_PORT_ADD,
    CONTROL_PORT_REMOVE,
    CONTROL_PORT_READY,
    CONTROL_CONSOLE_PORT,
    CONTROL_RESIZE,
    CONTROL_PORT_OPEN,
    CONTROL_PORT_NAME,
};
struct control_message {
    uint32_t port;
    uint16_t event, value;
};

enum {
    MAX_PORTS = 8,   /* more that a device may have are left alone */
    PORT_QUEUE = 16, /* ring entries per port and direction */
    RX_BUFFERS = 8,  /* pages per open port */
    TX_BUFFERS = 4,
    CONTROL_QUEUE = 32,
    CONTROL_SIZE = 128, /* a message and a name */
    CONTROL_RX = 16,
    CONTROL_TX = 16,
    SETTLE_MS = 100, /* how long after the start a port may still announce itself */
};

struct port_buffer {
    struct list_node node; /* in port->ready or, for sending, port->unused */
    char *data;            /* one page */
    uint32_t len, taken;
};

struct port {
    struct console *console;
    uint32_t id;
    char name[64];
    bool present, opened, connected;
    struct virtqueue *rx, *tx;

    struct spinlock lock;    /* queues and lists; interrupts take it */
    struct list_node ready;  /* received buffers and, where the host hung up, the hangup mark */
    struct list_node hangup; /* linked into ready */
    bool hung_up;            /* the mark is in ready */
    struct list_node unused; /* buffers to send with */
    unsigned sending;        /* buffers the device has */
    void (*watch)(void *context);
    void *watch_context;
    struct wait_queue rx_wait, tx_wait;
    struct mutex reader, writer;
    struct port_buffer rx_buffer[RX_BUFFERS], tx_buffer[TX_BUFFERS];
};

struct console {
    struct virtio_device *dev;
    bool multiport;
    struct virtqueue *control_rx, *control_tx;
    struct spinlock control_lock;
    char *control_in;                    /* CONTROL_RX pieces of CONTROL_SIZE */
    struct control_message *control_out; /* CONTROL_TX messages */
    uint32_t control_free;               /* bit set: message is free */
    struct wait_queue announced;
    uint64_t settled; /* clock_now() scale */
    unsigned port_count;
    struct port ports[MAX_PORTS];
};

static struct console *consoles[2];

/* ---- control queues ---- */

/* Takes back messages the device has read; the control lock is held. */
static void control_reap(struct console *console)
{
    struct control_message *message;
    uint32_t len;
    while ((message = virtqueue_get(console->control_tx, &len)) != NULL)
        console->control_free |= 1u << (message - console->control_out);
}

static void control_send(struct console *console, uint32_t port, enum control_event event,
                         uint16_t value)
{
    if (!console->multiport)
        return;
    cpu_irq_state state = spin_lock(&console->control_lock);
    control_reap(console);
    if (console->control_free != 0) {
        unsigned slot = (unsigned)__builtin_ctz(console->control_free);
        struct control_message *message = &console->control_out[slot];
        *message = (struct control_message){port, (uint16_t)event, value};
        struct virtio_buffer buffer = {message, sizeof *message};
        if (virtqueue_add(console->control_tx, &buffer, 1, 0, message) == 0) {
            console->control_free &= ~(1u << slot);
            virtqueue_kick(console->control_tx);
        }
    } else {
        klog(LOG_WARN, "virtio-console: device does not read its control queue");
    }
    spin_unlock(&console->control_lock, state);
}

/* ---- receiving; port->lock is held ---- */

static void rx_offer(struct port *port, struct port_buffer *buffer)
{
    buffer->len = buffer->taken = 0;
    struct virtio_buffer piece = {buffer->data, PAGE_SIZE};
    virtqueue_add(port->rx, &piece, 0, 1, buffer);
}

static void rx_collect(struct port *port)
{
    struct port_buffer *buffer;
    uint32_t len;
    while ((buffer = virtqueue_get(port->rx, &len)) != NULL) {
        buffer->len = len;
        buffer->taken = 0;
        list_add_tail(&port->ready, &buffer->node);
    }
}

/* What arrived before the host hung up is read before the end is reported; what comes later belongs
 * to the next connection. Two hang-ups unread: everything before the second is stale. */
static void rx_mark_hangup(struct port *port)
{
    rx_collect(port);
    if (port->hung_up) {
        list_for_each(node, &port->ready)
        {
            if (node == &port->hangup)
                continue;
            list_remove(node);
            rx_offer(port, list_entry(node, struct port_buffer, node));
        }
        virtqueue_kick(port->rx);
        return;
    }
    port->hung_up = true;
    list_add_tail(&port->ready, &port->hangup);
}

/* Outside the lock: whoever is told may ask what there is. */
static void tell_watcher(struct port *port)
{
    cpu_irq_state state = spin_lock(&port->lock);
    void (*watch)(void *) = port->watch;
    void *context = port->watch_context;
    spin_unlock(&port->lock, state);
    if (watch)
        watch(context);
}

static void rx_interrupt(struct virtqueue *vq, void *context)
{
    (void)vq;
    struct port *port = context;
    cpu_irq_state state = spin_lock(&port->lock);
    rx_collect(port);
    spin_unlock(&port->lock, state);
    wait_wake(&port->rx_wait, 1);
    tell_watcher(port);
}

/* ---- sending ---- */

static void tx_collect(struct port *port)
{
    struct port_buffer *buffer;
    uint32_t len;
    while ((buffer = virtqueue_get(port->tx, &len)) != NULL) {
        list_add_tail(&port->unused, &buffer->node);
        port->sending--;
    }
}

static void tx_interrupt(struct virtqueue *vq, void *context)
{
    struct port *port = context;
    cpu_irq_state state = spin_lock(&port->lock);
    virtqueue_irq_disable(vq);
    tx_collect(port);
    spin_unlock(&port->lock, state);
    wait_wake(&port->tx_wait, UINT32_MAX);
}

/* ---- control messages from the device ---- */

static void set_connected(struct port *port, bool connected)
{
    cpu_irq_state state = spin_lock(&port->lock);
    bool was = port->connected;
    port->connected = connected;
    if (was && !connected && port->opened)
        rx_mark_hangup(port);
    spin_unlock(&port->lock, state);
    if (was != connected) {
        wait_wake(&port->rx_wait, UINT32_MAX);
        wait_wake(&port->tx_wait, UINT32_MAX);
        tell_watcher(port);
    }
}

static void set_name(struct port *port, const char *name, size_t len)
{
    if (len >= sizeof port->name)
        len = sizeof port->name - 1;
    memcpy(port->name, name, len);
    port->name[len] = 0;
}

static void control_message(struct console *console, const char *data, size_t len)
{
    struct control_message message;
    if (len < sizeof message)
        return;
    memcpy(&message, data, sizeof message);
    if (message.port >= console->port_count) {
        if (message.event == CONTROL_PORT_ADD)
            control_send(console, message.port, CONTROL_PORT_READY, 0);
        return;
    }
    struct port *port = &console->ports[message.port];
    switch (message.event) {
    case CONTROL_PORT_ADD:
        if (port->rx && port->tx) {
            port->present = true;
            control_send(console, port->id, CONTROL_PORT_READY, 1);
            if (port->opened) /* it was unplugged meanwhile */
                control_send(console, port->id, CONTROL_PORT_OPEN, 1);
        }
        break;
    case CONTROL_PORT_REMOVE:
        port->present = false;
        set_connected(port, false);
        break;
    case CONTROL_PORT_OPEN: set_connected(port, message.value != 0); break;
    case CONTROL_PORT_NAME:
        set_name(port, data + sizeof message, len - sizeof message);
        wait_wake(&console->announced, UINT32_MAX);
        break;
    default: break; /* console sizes mean nothing to us */
    }
}

static void control_offer(struct console *console, char *data)
{
    struct virtio_buffer buffer = {data, CONTROL_SIZE};
    virtqueue_add(console->control_rx, &buffer, 0, 1, data);
}

static void control_interrupt(struct virtqueue *vq, void *context)
{
    struct console *console = context;
    char *data;
    uint32_t len;
    while ((data = virtqueue_get(vq, &len)) != NULL) {
        char copy[CONTROL_SIZE]; /* the device may still write to DATA */
        memcpy(copy, data, len);
        control_offer(console, data);
        control_message(console, copy, len);
    }
    virtqueue_kick(vq);
}

/* ---- port.h ---- */

static void *page_alloc(void)
{
    paddr_t frame = frame_alloc();
    return frame == FRAME_NONE ? NULL : frame_to_virt(frame);
}

static int port_open(struct port *port)
{
    mutex_lock(&port->reader);
    if (port->opened) {
        mutex_unlock(&port->reader);
        return 0;
    }
    /* Buffers of an earlier attempt that ran out of memory are kept and used now. */
    for (unsigned i = 0; i < RX_BUFFERS + TX_BUFFERS; i++) {
        struct port_buffer *buffer =
            i < RX_BUFFERS ? &port->rx_buffer[i] : &port->tx_buffer[i - RX_BUFFERS];
        if (!buffer->data)
            buffer->data = page_alloc();
        if (!buffer->data) {
            mutex_unlock(&port->reader);
            return -ENOMEM;
        }
    }
    cpu_irq_state state = spin_lock(&port->lock);
    for (unsigned i = 0; i < RX_BUFFERS; i++)
        rx_offer(port, &port->rx_buffer[i]);
    for (unsigned i = 0; i < TX_BUFFERS; i++)
        list_add_tail(&port->unused, &port->tx_buffer[i].node);
    virtqueue_kick(port->rx);
    virtqueue_irq_disable(port->tx);
    port->opened = true;
    spin_unlock(&port->lock, state);
    control_send(port->console, port->id, CONTROL_PORT_OPEN, 1);
    mutex_unlock(&port->reader);
    return 0;
}

struct wanted {
    const char *name;
    struct port *found;
};

static bool port_announced(void *context)
{
    struct wanted *wanted = context;
    for (unsigned c = 0; c < 2 && consoles[c]; c++)
        for (unsigned i = 0; i < consoles[c]->port_count; i++) {
            struct port *port = &consoles[c]->ports[i];
            if (port->present && strcmp(port->name, wanted->name) == 0)
                wanted->found = port;
        }
    return wanted->found != NULL;
}

struct port *port_find(const char *name)
{
    struct wanted wanted = {name, NULL};
    for (unsigned c = 0; c < 2 && consoles[c] && !wanted.found; c++)
        wait_until(&consoles[c]->announced, port_announced, &wanted, consoles[c]->settled);
    if (!wanted.found || port_open(wanted.found) < 0)
        return NULL;
    return wanted.found;
}

bool port_connected(const struct port *port)
{
    return port->connected;
}

static bool readable(void *context)
{
    return !list_empty(&((struct port *)context)->ready);
}

/* Takes the next received buffer, NULL when there is none or the hangup mark comes next: the mark
 * is taken too if TAKE_END. */
static struct port_buffer *rx_take(struct port *port, bool take_end)
{
    struct port_buffer *buffer = NULL;
    cpu_irq_state state = spin_lock(&port->lock);
    if (!list_empty(&port->ready)) {
        struct list_node *first = port->ready.next;
        if (first != &port->hangup) {
            list_remove(first);
            buffer = list_entry(first, struct port_buffer, node);
        } else if (take_end) {
            list_remove(first);
            port->hung_up = false;
        }
    }
    spin_unlock(&port->lock, state);
    return buffer;
}

/* Hands a taken buffer back: to the front of what is to be read, or to the device when used up. */
static void rx_put(struct port *port, struct port_buffer *buffer)
{
    cpu_irq_state state = spin_lock(&port->lock);
    if (buffer->taken < buffer->len) {
        list_add_head(&port->ready, &buffer->node);
    } else {
        rx_offer(port, buffer);
        virtqueue_kick(port->rx);
    }
    spin_unlock(&port->lock, state);
}

int port_read(struct port *port, void *out, size_t size, uint64_t deadline)
{
    if (size == 0)
        return 0;
    if (size > INT32_MAX)
        size = INT32_MAX;
    mutex_lock(&port->reader);
    int error = wait_until(&port->rx_wait, readable, port, deadline);
    size_t done = 0;
    while (error == 0 && done < size) {
        struct port_buffer *buffer = rx_take(port, done == 0);
        if (!buffer)
            break;
        size_t piece = buffer->len - buffer->taken;
        if (piece > size - done)
            piece = size - done;
        memcpy((char *)out + done, buffer->data + buffer->taken, piece);
        done += piece;
        buffer->taken += (uint32_t)piece;
        rx_put(port, buffer);
    }
    mutex_unlock(&port->reader);
    return error < 0 ? error : (int)done;
}

/* There are fewer buffers than ring entries: none free means that the queue is broken. */
static bool tx_dead(struct port *port)
{
    return virtqueue_free_slots(port->tx) == 0;
}

static bool writable(void *context)
{
    struct port *port = context;
    return !port->connected || !list_empty(&port->unused) || tx_dead(port);
}

/* A buffer to fill; NULL: the host is gone. */
static struct port_buffer *tx_take(struct port *port)
{
    for (;;) {
        struct port_buffer *buffer = NULL;
        cpu_irq_state state = spin_lock(&port->lock);
        tx_collect(port);
        if (list_empty(&port->unused) && !virtqueue_irq_enable(port->tx))
            tx_collect(port);
        if (!list_empty(&port->unused)) {
            buffer = list_entry(port->unused.next, struct port_buffer, node);
            list_remove(&buffer->node);
        }
        bool connected = port->connected && !tx_dead(port);
        if (buffer && !connected) {
            list_add_head(&port->unused, &buffer->node);
            buffer = NULL;
        }
        spin_unlock(&port->lock, state);
        if (buffer || !connected)
            return buffer;
        wait_until(&port->tx_wait, writable, port, WAIT_FOREVER);
    }
}

int port_write(struct port *port, const void *data, size_t size)
{
    size_t done = 0;
    int error = 0;
    if (size > INT32_MAX)
        return -EINVAL;
    mutex_lock(&port->writer);
    while (done < size && error == 0) {
        struct port_buffer *buffer = tx_take(port);
        if (!buffer) {
            error = -EPIPE;
            break;
        }
        size_t piece = size - done < PAGE_SIZE ? size - done : PAGE_SIZE;
        memcpy(buffer->data, (const char *)data + done, piece);
        struct virtio_buffer out = {buffer->data, piece};
        cpu_irq_state state = spin_lock(&port->lock);
        error = virtqueue_add(port->tx, &out, 1, 0, buffer);
        if (error < 0)
            list_add_head(&port->unused, &buffer->node);
        else
            port->sending++;
        virtqueue_kick(port->tx);
        spin_unlock(&port->lock, state);
        done += piece;
    }
    mutex_unlock(&port->writer);
    return error < 0 ? error : (int)size;
}

static bool is_idle(void *context)
{
    struct port *port = context;
    return port->sending == 0 || !port->connected || tx_dead(port);
}

int port_flush(struct port *port, uint64_t deadline)
{
    int error = 0;
    for (;;) {
        cpu_irq_state state = spin_lock(&port->lock);
        tx_collect(port);
        if (port->sending && !virtqueue_irq_enable(port->tx))
            tx_collect(port);
        bool done = port->sending == 0;
        spin_unlock(&port->lock, state);
        if (done || error)
            return done ? 0 : error;
        error = wait_until(&port->tx_wait, is_idle, port, deadline);
        if (!error && (!port->connected || tx_dead(port)))
            error = -EPIPE;
    }
}

size_t port_waiting(struct port *port, bool *ended)
{
    size_t bytes = 0;
    cpu_irq_state state = spin_lock(&port->lock);
    *ended = port->ready.next == &port->hangup;
    list_for_each(node, &port->ready)
    {
        if (node == &port->hangup)
            break;
        struct port_buffer *buffer = list_entry(node, struct port_buffer, node);
        bytes += buffer->len - buffer->taken;
    }
    spin_unlock(&port->lock, state);
    return bytes;
}

void port_watch(struct port *port, void (*call)(void *context), void *context)
{
    cpu_irq_state state = spin_lock(&port->lock);
    port->watch = call;
    port->watch_context = context;
    spin_unlock(&port->lock, state);
}

/* ---- start ---- */

static void port_init(struct console *console, unsigned id)
{
    struct port *port = &console->ports[id];
    port->console = console;
    port->id = id;
    list_init(&port->ready);
    list_init(&port->hangup);
    list_init(&port->unused);
    wait_queue_init(&port->rx_wait);
    wait_queue_init(&port->tx_wait);
    /* Ports come before and behind the control queues 2 and 3. */
    unsigned queue = id == 0 ? 0 : 2 * id + 2;
    port->rx = virtio_queue(console->dev, queue, PORT_QUEUE, rx_interrupt, port);
    port->tx = virtio_queue(console->dev, queue + 1, PORT_QUEUE, tx_interrupt, port);
}

static int console_probe(struct virtio_device *dev)
{
    unsigned slot = consoles[0] ? 1 : 0;
    if (consoles[slot])
        return -EBUSY;
    struct console *console = kcalloc(1, sizeof *console);
    if (!console)
        return -ENOMEM;
    console->dev = dev;
    console->multiport = virtio_features(dev) & CONSOLE_F_MULTIPORT;
    console->port_count = 1;
    wait_queue_init(&console->announced);
    if (console->multiport) {
        uint32_t count = 0;
        virtio_config_read(dev, CONFIG_MAX_PORTS, &count, sizeof count);
        console->port_count = count < MAX_PORTS ? count : MAX_PORTS;
    }
    for (unsigned i = 0; i < console->port_count; i++)
        port_init(console, i);

    if (!console->multiport) {
        if (!console->ports[0].rx || !console->ports[0].tx)
            return -ENOMEM;
        set_name(&console->ports[0], "console", 7);
        console->ports[0].present = console->ports[0].connected = true;
        virtio_ready(dev);
        consoles[slot] = console;
        return 0;
    }
    console->control_rx = virtio_queue(dev, 2, CONTROL_QUEUE, control_interrupt, console);
    console->control_tx = virtio_queue(dev, 3, CONTROL_QUEUE, NULL, NULL);
    char *page = page_alloc();
    if (!console->control_rx || !console->control_tx || !page)
        return -ENOMEM; /* the device stays reset: nothing of ours is in use */
    _Static_assert(CONTROL_RX * CONTROL_SIZE + CONTROL_TX * sizeof(struct control_message) <= 4096,
                   "control messages fit a page");
    console->control_in = page;
    console->control_out = (struct control_message *)(page + CONTROL_RX * CONTROL_SIZE);
    console->control_free = (1u << CONTROL_TX) - 1;
    virtqueue_irq_disable(console->control_tx);
    for (unsigned i = 0; i < CONTROL_RX; i++)
        control_offer(console, console->control_in + i * CONTROL_SIZE);
    consoles[slot] = console;
    virtio_ready(dev);
    virtqueue_kick(console->control_rx);
    console->settled = clock_now() + SETTLE_MS * NS_PER_MS;
    control_send(console, 0, CONTROL_DEVICE_READY, 1);
    return 0;
}

static const struct virtio_driver console_driver = {
    .id = VIRTIO_CONSOLE,
    .name = "virtio-console",
    .features = CONSOLE_F_MULTIPORT,
    .probe = console_probe,
};
VIRTIO_DRIVER(console_driver);
