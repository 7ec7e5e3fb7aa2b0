/* timerfd: expirations of a timer as a readable counter. */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include "mm/heap.h"
#include "posix/internal.h"
#include "time/timer.h"

struct timer_object {
    struct spinlock lock;
    struct timer timer;
    struct wait_queue queue;
    struct file *file;
    clockid_t clock;
    uint64_t next, interval; /* next expiration, clock_now() scale; 0: disarmed */
    uint64_t expirations;
};

/* Interrupt context. */
static void timer_expired(struct timer *timer)
{
    struct timer_object *object = timer->context;
    cpu_irq_state state = spin_lock(&object->lock);
    uint64_t now = clock_now();
    if (object->next && object->next <= now) {
        uint64_t missed = object->interval ? (now - object->next) / object->interval : 0;
        object->expirations += 1 + missed;
        object->next = object->interval ? object->next + (missed + 1) * object->interval : 0;
    }
    if (object->next)
        timer_arm(timer, object->next);
    spin_unlock(&object->lock, state);
    wait_wake(&object->queue, UINT32_MAX);
    file_notify(object->file);
}

static bool has_expired(void *context)
{
    return ((struct timer_object *)context)->expirations != 0;
}

static ssize_t timer_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)offset;
    struct timer_object *object = file->object;
    if (iov_length(iov, count) < sizeof(uint64_t))
        return -EINVAL;
    for (;;) {
        cpu_irq_state state = spin_lock(&object->lock);
        uint64_t expirations = object->expirations;
        object->expirations = 0;
        spin_unlock(&object->lock, state);
        if (expirations)
            return (ssize_t)iov_fill(iov, count, 0, &expirations, sizeof expirations);
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        wait_until(&object->queue, has_expired, object, WAIT_FOREVER);
    }
}

static unsigned timer_poll(struct file *file)
{
    return has_expired(file->object) ? POLLIN | POLLRDNORM : 0;
}

static void timer_release(struct file *file)
{
    struct timer_object *object = file->object;
    cpu_irq_state state = spin_lock(&object->lock);
    object->next = 0; /* an interrupt on its way does not arm it again */
    spin_unlock(&object->lock, state);
    timer_cancel(&object->timer);
    kfree(object);
}

static const struct file_ops timer_ops = {
    .name = "timerfd", .read = timer_read, .poll = timer_poll, .release = timer_release};

SYSCALL(timerfd_create)
{
    if (b & ~(TFD_CLOEXEC | TFD_NONBLOCK) ||
        (a != CLOCK_REALTIME && a != CLOCK_MONOTONIC && a != CLOCK_BOOTTIME))
        return -EINVAL;
    struct timer_object *object = kcalloc(1, sizeof *object);
    struct file *file =
        object ? file_new(&timer_ops, object, O_RDWR | ((int)b & TFD_NONBLOCK)) : NULL;
    if (!file) {
        kfree(object);
        return -ENOMEM;
    }
    object->timer = (struct timer){.fn = timer_expired, .context = object};
    wait_queue_init(&object->queue);
    object->file = file;
    object->clock = (clockid_t)a;
    return fd_install(file, b & TFD_CLOEXEC);
}

/* What remains, with the object's lock held. */
static void remaining(const struct timer_object *object, struct itimerspec *out)
{
    uint64_t now = clock_now();
    timespec_of(object->next > now ? object->next - now : object->next ? 1 : 0, &out->it_value);
    timespec_of(object->interval, &out->it_interval);
}

static long set_time(struct timer_object *object, int flags, const struct itimerspec *spec,
                     struct itimerspec *old)
{
    uint64_t next = 0, interval = 0;
    bool arms = spec->it_value.tv_sec || spec->it_value.tv_nsec;
    if (deadline_of(object->clock, &spec->it_value, flags & TFD_TIMER_ABSTIME, &next) < 0 ||
        deadline_of(CLOCK_MONOTONIC, &spec->it_interval, true, &interval) < 0)
        return -EINVAL;
    timer_cancel(&object->timer);
    cpu_irq_state state = spin_lock(&object->lock);
    if (old)
        remaining(object, old);
    object->next = arms ? (next ? next : 1) : 0;
    object->interval = arms ? interval : 0;
    object->expirations = 0;
    spin_unlock(&object->lock, state);
    return arms ? timer_arm(&object->timer, object->next) : 0;
}

SYSCALL(timerfd_settime)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result =
        file->ops == &timer_ops && c
            ? set_time(file->object, (int)b, (const struct itimerspec *)c, (struct itimerspec *)d)
            : -EINVAL;
    file_release(file);
    return result;
}

SYSCALL(timerfd_gettime)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result = -EINVAL;
    if (file->ops == &timer_ops) {
        struct timer_object *object = file->object;
        cpu_irq_state state = spin_lock(&object->lock);
        remaining(object, (struct itimerspec *)b);
        spin_unlock(&object->lock, state);
        result = 0;
    }
    file_release(file);
    return result;
}
