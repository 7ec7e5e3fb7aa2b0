/* Waiting for several files at once: watchers hang on each file, so that a change wakes exactly who
 * asked, and poll(), ppoll(), select() and pselect(). epoll.c builds on the same watchers. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "posix/internal.h"

/* One lock for all lists of watchers: holding times are a few list operations. */
static struct spinlock lock;

cpu_irq_state watch_lock(void)
{
    return spin_lock(&lock);
}

void watch_unlock(cpu_irq_state state)
{
    spin_unlock(&lock, state);
}

void watch_add(struct file *file, struct watcher *watcher)
{
    cpu_irq_state state = watch_lock();
    list_add_tail(&file->watchers, &watcher->node);
    watch_unlock(state);
}

void watch_remove(struct watcher *watcher)
{
    cpu_irq_state state = watch_lock();
    list_remove(&watcher->node);
    watch_unlock(state);
}

void file_notify_locked(struct file *file)
{
    list_for_each(node, &file->watchers)
    {
        struct watcher *watcher = list_entry(node, struct watcher, node);
        watcher->notify(watcher);
    }
}

void file_notify(struct file *file)
{
    cpu_irq_state state = watch_lock();
    file_notify_locked(file);
    watch_unlock(state);
}

unsigned file_poll(struct file *file)
{
    return file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

/* A thread in poll() and the files it watches. */
struct poll_waiter {
    struct wait_queue queue;
    bool changed;
};
struct poll_entry {
    struct watcher watcher;
    struct poll_waiter *waiter;
    struct file *file;
};

static void poll_changed(struct watcher *watcher)
{
    struct poll_waiter *waiter = list_entry(watcher, struct poll_entry, watcher)->waiter;
    waiter->changed = true;
    wait_wake(&waiter->queue, 1);
}

static bool has_changed(void *context)
{
    return ((struct poll_waiter *)context)->changed;
}

/* Fills in revents; how many are not zero. */
static int poll_scan(struct pollfd *fds, struct poll_entry *entries, nfds_t count)
{
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        unsigned events = (unsigned short)fds[i].events | POLLERR | POLLHUP;
        fds[i].revents = 0;
        if (entries[i].file)
            fds[i].revents = (short)(file_poll(entries[i].file) & events);
        else if (fds[i].fd >= 0)
            fds[i].revents = POLLNVAL;
        ready += fds[i].revents != 0;
    }
    return ready;
}

static long poll_until(struct pollfd *fds, nfds_t count, uint64_t deadline)
{
    enum { ON_STACK = 8 };
    struct poll_entry few[ON_STACK], *entries = few;
    struct poll_waiter waiter = {0};
    if (count > POSIX_OPEN_MAX)
        return -EINVAL;
    if (count > ON_STACK && !(entries = kcalloc(count, sizeof *entries)))
        return -ENOMEM;
    for (nfds_t i = 0; i < count; i++)
        entries[i].file = fds[i].fd >= 0 ? fd_get(fds[i].fd) : NULL;

    int ready = poll_scan(fds, entries, count);
    if (!ready && deadline > clock_now()) {
        wait_queue_init(&waiter.queue);
        for (nfds_t i = 0; i < count; i++) {
            entries[i].waiter = &waiter;
            entries[i].watcher.notify = poll_changed;
            if (entries[i].file)
                watch_add(entries[i].file, &entries[i].watcher);
        }
        for (int late = 0; !late;) {
            __atomic_store_n(&waiter.changed, false, __ATOMIC_SEQ_CST);
            if ((ready = poll_scan(fds, entries, count)))
                break;
            late = wait_until(&waiter.queue, has_changed, &waiter, deadline);
            if (late)
                ready = poll_scan(fds, entries, count);
        }
        for (nfds_t i = 0; i < count; i++)
            if (entries[i].file)
                watch_remove(&entries[i].watcher);
    }
    for (nfds_t i = 0; i < count; i++)
        if (entries[i].file)
            file_release(entries[i].file);
    if (entries != few)
        kfree(entries);
    return ready;
}

SYSCALL(poll)
{
    int ms = (int)c;
    uint64_t deadline = WAIT_FOREVER;
    if (ms >= 0)
        deadline = ms ? clock_now() + (unsigned)ms * NS_PER_MS : 0;
    return poll_until((struct pollfd *)a, (nfds_t)b, deadline);
}

SYSCALL(ppoll)
{
    uint64_t deadline = WAIT_FOREVER;
    const struct timespec *timeout = (const struct timespec *)c;
    if (timeout && deadline_of(CLOCK_MONOTONIC, timeout, false, &deadline) < 0)
        return -EINVAL;
    return poll_until((struct pollfd *)a, (nfds_t)b, deadline);
}

static long select_until(int count, fd_set *sets[3], uint64_t deadline)
{
    enum { WORD_BITS = 64 };
    static const short wanted[3] = {POLLIN, POLLOUT, POLLPRI};
    static const short answered[3] = {POLLIN | POLLHUP | POLLERR | POLLRDNORM,
                                      POLLOUT | POLLERR | POLLWRNORM, POLLPRI};
    if (count < 0)
        return -EINVAL;
    if (count > FD_SETSIZE)
        count = FD_SETSIZE;
    struct pollfd *fds = kcalloc((size_t)count + 1, sizeof *fds);
    if (!fds)
        return -ENOMEM;
    nfds_t used = 0;
    for (int fd = 0; fd < count; fd++) {
        short events = 0;
        for (int set = 0; set < 3; set++)
            if (sets[set] && (sets[set]->fds_bits[fd / WORD_BITS] >> (fd % WORD_BITS) & 1))
                events |= wanted[set];
        if (events)
            fds[used++] = (struct pollfd){fd, events, 0};
    }
    long result = poll_until(fds, used, deadline);
    for (nfds_t i = 0; i < used && result >= 0; i++)
        if (fds[i].revents & POLLNVAL)
            result = -EBADF;
    if (result >= 0) {
        result = 0;
        for (int set = 0; set < 3; set++)
            if (sets[set])
                memset(sets[set], 0, ((size_t)count + WORD_BITS - 1) / WORD_BITS * 8);
        for (nfds_t i = 0; i < used; i++)
            for (int set = 0; set < 3; set++)
                if (fds[i].events & wanted[set] && fds[i].revents & answered[set]) {
                    sets[set]->fds_bits[fds[i].fd / WORD_BITS] |= 1ul << (fds[i].fd % WORD_BITS);
                    result++;
                }
    }
    kfree(fds);
    return result;
}

SYSCALL(select)
{
    fd_set *sets[3] = {(fd_set *)b, (fd_set *)c, (fd_set *)d};
    uint64_t deadline = WAIT_FOREVER;
    const struct timeval *timeout = (const struct timeval *)e;
    if (timeout) {
        struct timespec time = {timeout->tv_sec, timeout->tv_usec * 1000};
        if (deadline_of(CLOCK_MONOTONIC, &time, false, &deadline) < 0)
            return -EINVAL;
    }
    return select_until((int)a, sets, deadline);
}

SYSCALL(pselect6)
{
    fd_set *sets[3] = {(fd_set *)b, (fd_set *)c, (fd_set *)d};
    uint64_t deadline = WAIT_FOREVER;
    const struct timespec *timeout = (const struct timespec *)e;
    if (timeout && deadline_of(CLOCK_MONOTONIC, timeout, false, &deadline) < 0)
        return -EINVAL;
    return select_until((int)a, sets, deadline);
}
