/* eventfd: a counter that can be waited for. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "posix/internal.h"

static const uint64_t COUNTER_MAX = UINT64_MAX - 1;

struct event {
    struct spinlock lock;
    struct wait_queue queue;
    uint64_t counter;
    bool semaphore;
};

static bool not_zero(void *context)
{
    return ((struct event *)context)->counter != 0;
}

static bool has_room(void *context)
{
    struct event *event = context;
    return event->counter < COUNTER_MAX;
}

static ssize_t event_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)offset;
    struct event *event = file->object;
    if (iov_length(iov, count) < sizeof(uint64_t))
        return -EINVAL;
    for (;;) {
        cpu_irq_state state = spin_lock(&event->lock);
        uint64_t value = event->semaphore ? event->counter != 0 : event->counter;
        event->counter -= value;
        spin_unlock(&event->lock, state);
        if (value) {
            wait_wake(&event->queue, UINT32_MAX);
            file_notify(file);
            return (ssize_t)iov_fill(iov, count, 0, &value, sizeof value);
        }
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        wait_until(&event->queue, not_zero, event, WAIT_FOREVER);
    }
}

static ssize_t event_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)offset;
    struct event *event = file->object;
    uint64_t value;
    if (iov_length(iov, count) < sizeof value)
        return -EINVAL;
    iov_drain(iov, count, 0, &value, sizeof value);
    if (value > COUNTER_MAX)
        return -EINVAL;
    for (;;) {
        cpu_irq_state state = spin_lock(&event->lock);
        bool fits = value <= COUNTER_MAX - event->counter;
        if (fits)
            event->counter += value;
        spin_unlock(&event->lock, state);
        if (fits) {
            wait_wake(&event->queue, UINT32_MAX);
            file_notify(file);
            return sizeof value;
        }
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        wait_until(&event->queue, has_room, event, WAIT_FOREVER);
        thread_yield(); /* room for some values may not be room for this one */
    }
}

static unsigned event_poll(struct file *file)
{
    struct event *event = file->object;
    return (not_zero(event) ? POLLIN | POLLRDNORM : 0) |
           (has_room(event) ? POLLOUT | POLLWRNORM : 0);
}

static void event_release(struct file *file)
{
    kfree(file->object);
}

static const struct file_ops event_ops = {.name = "eventfd",
                                          .read = event_read,
                                          .write = event_write,
                                          .poll = event_poll,
                                          .release = event_release};

static long event_create(uint64_t initial, int flags)
{
    if (flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE))
        return -EINVAL;
    struct event *event = kcalloc(1, sizeof *event);
    struct file *file = event ? file_new(&event_ops, event, O_RDWR | (flags & EFD_NONBLOCK)) : NULL;
    if (!file) {
        kfree(event);
        return -ENOMEM;
    }
    wait_queue_init(&event->queue);
    event->counter = initial;
    event->semaphore = flags & EFD_SEMAPHORE;
    return fd_install(file, flags & EFD_CLOEXEC);
}

SYSCALL(eventfd)
{
    return event_create((unsigned)a, 0);
}

SYSCALL(eventfd2)
{
    return event_create((unsigned)a, (int)b);
}
