/* epoll: sets of watched files whose changes queue them on a ready list, so that waiting costs what
 * is ready and not what is watched. Level-triggered entries return to the list after they were
 * reported, edge-triggered ones when they change, one-shot ones when they are armed again.
 *
 * Locks: `sets` (a mutex) guards which entries exist and keeps files alive while they are asked;
 * the watchers' spinlock guards the ready lists, since changes come from interrupts too. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "posix/internal.h"

struct epoll {
    struct wait_queue queue;
    struct file *file;          /* its own, for who watches it; no reference */
    struct list_node ready;     /* entries that may have something to report */
    struct epoll_entry **entry; /* by descriptor */
    int limit;                  /* of `entry` */
    bool holds_epoll;           /* watches another set: may not be watched itself */
};
struct epoll_entry {
    struct watcher watcher;
    struct list_node ready_node; /* points to itself: not on the list */
    struct epoll *epoll;
    struct file *file; /* no reference: removed when the file goes away */
    int fd;
    uint32_t events;
    epoll_data_t data;
};

static struct mutex sets;
static const struct file_ops epoll_ops;

/* With the watchers' lock held. */
static void entry_ready(struct epoll_entry *entry)
{
    struct epoll *epoll = entry->epoll;
    if (!list_empty(&entry->ready_node) || !(entry->events & ~(EPOLLET | EPOLLONESHOT)))
        return;
    list_add_tail(&epoll->ready, &entry->ready_node);
    wait_wake(&epoll->queue, 1);
    file_notify_locked(epoll->file);
}

static void entry_changed(struct watcher *watcher)
{
    entry_ready(list_entry(watcher, struct epoll_entry, watcher));
}

static void entry_remove(struct epoll_entry *entry)
{
    struct epoll *epoll = entry->epoll;
    cpu_irq_state state = watch_lock();
    list_remove(&entry->watcher.node);
    list_remove(&entry->ready_node);
    watch_unlock(state);
    if (epoll->entry[entry->fd] == entry)
        epoll->entry[entry->fd] = NULL;
    kfree(entry);
}

/* Whoever is in poll() holds a reference, so what still watches a file without any is an entry. */
void epoll_file_released(struct file *file)
{
    mutex_lock(&sets);
    while (!list_empty(&file->watchers))
        entry_remove(list_entry(file->watchers.next, struct epoll_entry, watcher.node));
    mutex_unlock(&sets);
}

static void epoll_release(struct file *file)
{
    struct epoll *epoll = file->object;
    mutex_lock(&sets);
    for (int fd = 0; fd < epoll->limit; fd++)
        if (epoll->entry[fd])
            entry_remove(epoll->entry[fd]);
    mutex_unlock(&sets);
    kfree(epoll->entry);
    kfree(epoll);
}

static unsigned epoll_poll(struct file *file)
{
    struct epoll *epoll = file->object;
    return list_empty(&epoll->ready) ? 0 : POLLIN | POLLRDNORM;
}

static const struct file_ops epoll_ops = {
    .name = "epoll", .poll = epoll_poll, .release = epoll_release};

static long set_create(int flags)
{
    if (flags & ~EPOLL_CLOEXEC)
        return -EINVAL;
    struct epoll *epoll = kcalloc(1, sizeof *epoll);
    struct file *file = epoll ? file_new(&epoll_ops, epoll, O_RDWR) : NULL;
    if (!file) {
        kfree(epoll);
        return -ENOMEM;
    }
    wait_queue_init(&epoll->queue);
    list_init(&epoll->ready);
    epoll->file = file;
    return fd_install(file, flags & EPOLL_CLOEXEC);
}

SYSCALL(epoll_create)
{
    return a > 0 ? set_create(0) : -EINVAL;
}

SYSCALL(epoll_create1)
{
    return set_create((int)a);
}

/* Room for FD in the set's index. */
static int index_grow(struct epoll *epoll, int fd)
{
    if (fd < epoll->limit)
        return 0;
    int limit = epoll->limit ? epoll->limit : 32;
    while (limit <= fd)
        limit *= 2;
    struct epoll_entry **grown = krealloc(epoll->entry, (size_t)limit * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    for (int i = epoll->limit; i < limit; i++)
        grown[i] = NULL;
    epoll->entry = grown;
    epoll->limit = limit;
    return 0;
}

/* Sets what an entry waits for, and queues it when that holds already. */
static void entry_arm(struct epoll_entry *entry, const struct epoll_event *event)
{
    cpu_irq_state state = watch_lock();
    entry->events = event->events | EPOLLERR | EPOLLHUP;
    entry->data = event->data;
    watch_unlock(state);
    if (file_poll(entry->file) & entry->events) {
        state = watch_lock();
        entry_ready(entry);
        watch_unlock(state);
    }
}

static int entry_add(struct epoll *epoll, struct file *file, int fd,
                     const struct epoll_event *event)
{
    /* One level of nesting: a set that holds a set cannot be held. */
    if (file->ops == &epoll_ops) {
        if (((struct epoll *)file->object)->holds_epoll || !list_empty(&epoll->file->watchers))
            return -ELOOP;
        epoll->holds_epoll = true;
    }
    int error = index_grow(epoll, fd);
    struct epoll_entry *entry = error ? NULL : kcalloc(1, sizeof *entry);
    if (!entry)
        return -ENOMEM;
    entry->watcher.notify = entry_changed;
    list_init(&entry->ready_node);
    entry->epoll = epoll;
    entry->file = file;
    entry->fd = fd;
    epoll->entry[fd] = entry;
    watch_add(file, &entry->watcher);
    entry_arm(entry, event);
    return 0;
}

static int control(struct epoll *epoll, int op, int fd, struct file *file,
                   const struct epoll_event *event)
{
    if (op != EPOLL_CTL_DEL && !event)
        return -EFAULT;
    struct epoll_entry *entry = fd < epoll->limit ? epoll->entry[fd] : NULL;
    if (entry && entry->file != file) {
        entry_remove(
            entry); /* the descriptor was closed and used again; a duplicate keeps its file */
        entry = NULL;
    }
    switch (op) {
    case EPOLL_CTL_ADD: return entry ? -EEXIST : entry_add(epoll, file, fd, event);
    case EPOLL_CTL_MOD:
        if (entry)
            entry_arm(entry, event);
        return entry ? 0 : -ENOENT;
    case EPOLL_CTL_DEL:
        if (entry)
            entry_remove(entry);
        return entry ? 0 : -ENOENT;
    default: return -EINVAL;
    }
}

SYSCALL(epoll_ctl)
{
    struct file *set = fd_get((int)a), *file = fd_get((int)c);
    long result = -EBADF;
    if (set && file) {
        result = -EINVAL;
        if (set->ops == &epoll_ops && set != file) {
            mutex_lock(&sets);
            result = control(set->object, (int)b, (int)c, file, (const struct epoll_event *)d);
            mutex_unlock(&sets);
        }
    }
    if (file)
        file_release(file);
    if (set)
        file_release(set);
    return result;
}

/* Reports up to MAX ready entries. */
static int collect(struct epoll *epoll, struct epoll_event *events, int max)
{
    int count = 0;
    LIST_HEAD(again); /* level-triggered ones that were reported */
    mutex_lock(&sets);
    while (count < max) {
        cpu_irq_state state = watch_lock();
        struct epoll_entry *entry = NULL;
        if (!list_empty(&epoll->ready)) {
            entry = list_entry(epoll->ready.next, struct epoll_entry, ready_node);
            list_remove(&entry->ready_node); /* a change from here on queues it anew */
        }
        watch_unlock(state);
        if (!entry)
            break;
        uint32_t holds = file_poll(entry->file) & entry->events;
        if (!holds)
            continue;
        events[count++] = (struct epoll_event){holds, entry->data};
        state = watch_lock();
        if (entry->events & EPOLLONESHOT) {
            entry->events = 0;
            list_remove(&entry->ready_node);
        } else if (!(entry->events & EPOLLET)) {
            list_remove(&entry->ready_node); /* it may have been queued meanwhile */
            list_add_tail(&again, &entry->ready_node);
        }
        watch_unlock(state);
    }
    cpu_irq_state state = watch_lock();
    while (!list_empty(&again)) {
        struct list_node *node = again.next;
        list_remove(node);
        list_add_tail(&epoll->ready, node);
    }
    watch_unlock(state);
    mutex_unlock(&sets);
    return count;
}

static bool has_ready(void *context)
{
    return !list_empty(&((struct epoll *)context)->ready);
}

static long wait_for_events(int fd, struct epoll_event *events, int max, uint64_t deadline)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    long result = -EINVAL;
    if (file->ops == &epoll_ops && max > 0) {
        struct epoll *epoll = file->object;
        bool late = deadline <= clock_now();
        while (!(result = collect(epoll, events, max)) && !late)
            late = wait_until(&epoll->queue, has_ready, epoll, deadline) < 0;
    }
    file_release(file);
    return result;
}

static uint64_t deadline_ms(long ms)
{
    return ms < 0 ? WAIT_FOREVER : ms == 0 ? 0 : clock_now() + (uint64_t)ms * NS_PER_MS;
}

SYSCALL(epoll_wait)
{
    return wait_for_events((int)a, (struct epoll_event *)b, (int)c, deadline_ms((int)d));
}

SYSCALL(epoll_pwait)
{
    return wait_for_events((int)a, (struct epoll_event *)b, (int)c, deadline_ms((int)d));
}
