/* Pipes and local socket pairs: byte queues between two ends. A pair of sockets is two queues
 * crossed. */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "posix/internal.h"

enum { CAPACITY = 65536, START_CAPACITY = 4096, ATOMIC = PIPE_BUF };

struct queue {
    struct mutex lock;
    struct wait_queue readers, writers;
    struct file *read_end, *write_end; /* to notify; NULL: closed */
    uint8_t *data;
    size_t capacity, start, used; /* a ring */
    size_t limit;                 /* how far it may grow; its size once memory ran short */
    bool write_closed, read_closed;
    unsigned references;
};
struct end {                /* what a file refers to */
    struct queue *in, *out; /* NULL: this end cannot do that */
};

static struct queue *queue_new(void)
{
    struct queue *queue = kcalloc(1, sizeof *queue);
    if (queue && !(queue->data = kmalloc(START_CAPACITY))) {
        kfree(queue);
        return NULL;
    }
    if (queue) {
        queue->capacity = START_CAPACITY;
        queue->limit = CAPACITY;
        queue->references = 2;
        wait_queue_init(&queue->readers);
        wait_queue_init(&queue->writers);
    }
    return queue;
}

static void queue_drop(struct queue *queue)
{
    mutex_lock(&queue->lock);
    bool last = --queue->references == 0;
    mutex_unlock(&queue->lock);
    if (last) {
        kfree(queue->data);
        kfree(queue);
    }
}

/* Wakes and notifies whoever waits at the other end; with the queue's lock held. */
static void tell(struct wait_queue *waiting, struct file *other)
{
    wait_wake(waiting, UINT32_MAX);
    if (other)
        file_notify(other);
}

static bool can_read(void *context)
{
    struct queue *queue = context;
    return queue->used || queue->write_closed;
}

static bool can_write(void *context)
{
    struct queue *queue = context;
    return queue->limit - queue->used >= ATOMIC || queue->read_closed;
}

/* Doubles a ring that is full, up to its limit, so that small pipes stay small. */
static void queue_grow(struct queue *queue, size_t wanted)
{
    while (queue->capacity < queue->limit && queue->capacity - queue->used < wanted) {
        size_t capacity = queue->capacity * 2;
        uint8_t *data = kmalloc(capacity);
        if (!data) {
            queue->limit = queue->capacity;
            return;
        }
        size_t first = queue->capacity - queue->start;
        if (first > queue->used)
            first = queue->used;
        struct iovec parts = {data, capacity};
        iov_fill(&parts, 1, 0, queue->data + queue->start, first);
        iov_fill(&parts, 1, first, queue->data, queue->used - first);
        kfree(queue->data);
        queue->data = data;
        queue->start = 0;
        queue->capacity = capacity;
    }
}

static ssize_t end_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)offset;
    struct queue *queue = ((struct end *)file->object)->in;
    if (!queue)
        return -EBADF;
    size_t want = iov_length(iov, count);
    if (want == 0)
        return 0;
    mutex_lock(&queue->lock);
    while (!queue->used && !queue->write_closed) {
        mutex_unlock(&queue->lock);
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        wait_until(&queue->readers, can_read, queue, WAIT_FOREVER);
        mutex_lock(&queue->lock);
    }
    size_t done = 0;
    while (done < want && queue->used) {
        size_t run = queue->capacity - queue->start;
        if (run > queue->used)
            run = queue->used;
        if (run > want - done)
            run = want - done;
        iov_fill(iov, count, done, queue->data + queue->start, run);
        done += run;
        queue->used -= run;
        queue->start = queue->used ? (queue->start + run) % queue->capacity : 0;
    }
    if (done && queue->limit - queue->used >= ATOMIC)
        tell(&queue->writers, queue->write_end);
    mutex_unlock(&queue->lock);
    return (ssize_t)done;
}

static ssize_t end_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)offset;
    struct queue *queue = ((struct end *)file->object)->out;
    if (!queue)
        return -EBADF;
    size_t want = iov_length(iov, count), done = 0;
    mutex_lock(&queue->lock);
    while (done < want) {
        if (queue->read_closed) {
            mutex_unlock(&queue->lock);
            return done ? (ssize_t)done : -EPIPE; /* SIGPIPE is never raised */
        }
        /* Up to PIPE_BUF bytes go in one piece or not at all. */
        queue_grow(queue, want - done);
        size_t room = queue->capacity - queue->used;
        if (room == 0 || (want <= ATOMIC && room < want)) {
            mutex_unlock(&queue->lock);
            if (file->flags & O_NONBLOCK)
                return done ? (ssize_t)done : -EAGAIN;
            wait_until(&queue->writers, can_write, queue, WAIT_FOREVER);
            mutex_lock(&queue->lock);
            continue;
        }
        size_t at = (queue->start + queue->used) % queue->capacity;
        size_t run = queue->capacity - at;
        if (run > room)
            run = room;
        if (run > want - done)
            run = want - done;
        iov_drain(iov, count, done, queue->data + at, run);
        done += run;
        queue->used += run;
        tell(&queue->readers, queue->read_end);
    }
    mutex_unlock(&queue->lock);
    return (ssize_t)done;
}

static unsigned end_poll(struct file *file)
{
    struct end *end = file->object;
    unsigned holds = 0;
    if (end->in) {
        if (end->in->used)
            holds |= POLLIN | POLLRDNORM;
        if (end->in->write_closed)
            holds |= end->out ? POLLIN | POLLRDHUP | POLLHUP : POLLHUP;
    }
    if (end->out) {
        if (end->out->read_closed)
            holds |= POLLERR | POLLOUT;
        else if (can_write(end->out))
            holds |= POLLOUT | POLLWRNORM;
    }
    return holds;
}

static void end_release(struct file *file)
{
    struct end *end = file->object;
    if (end->in) {
        mutex_lock(&end->in->lock);
        end->in->read_closed = true;
        end->in->read_end = NULL;
        tell(&end->in->writers, end->in->write_end);
        mutex_unlock(&end->in->lock);
        queue_drop(end->in);
    }
    if (end->out) {
        mutex_lock(&end->out->lock);
        end->out->write_closed = true;
        end->out->write_end = NULL;
        tell(&end->out->readers, end->out->read_end);
        mutex_unlock(&end->out->lock);
        queue_drop(end->out);
    }
    kfree(end);
}

static int end_ioctl(struct file *file, unsigned long request, unsigned long argument)
{
    struct end *end = file->object;
    if (request != FIONREAD)
        return -ENOTTY;
    *(int *)argument = end->in ? (int)end->in->used : 0;
    return 0;
}

static int end_stat(struct file *file, struct stat *out)
{
    struct end *end = file->object;
    out->st_mode = (end->in && end->out ? S_IFSOCK : S_IFIFO) | 0600;
    out->st_blksize = PIPE_BUF;
    return 0;
}

static const struct file_ops end_ops = {.name = "pipe",
                                        .read = end_read,
                                        .write = end_write,
                                        .stat = end_stat,
                                        .ioctl = end_ioctl,
                                        .poll = end_poll,
                                        .release = end_release};

static struct file *end_new(struct queue *in, struct queue *out, int flags)
{
    struct end *end = kmalloc(sizeof *end);
    struct file *file = end ? file_new(&end_ops, end, flags) : NULL;
    if (!file) {
        kfree(end);
        return NULL;
    }
    *end = (struct end){in, out};
    if (in)
        in->read_end = file;
    if (out)
        out->write_end = file;
    return file;
}

/* Installs both, or neither. */
static long install_two(struct file *first, struct file *second, int *fds, bool cloexec)
{
    int one = fd_install(first, cloexec);
    if (one < 0) {
        file_release(second);
        return one;
    }
    int two = fd_install(second, cloexec);
    if (two < 0) {
        fd_close(one);
        return two;
    }
    fds[0] = one;
    fds[1] = two;
    return 0;
}

static long make_pipe(int *fds, int flags)
{
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct queue *queue = queue_new();
    if (!queue)
        return -ENOMEM;
    struct file *reader = end_new(queue, NULL, O_RDONLY | (flags & O_NONBLOCK));
    struct file *writer = end_new(NULL, queue, O_WRONLY | (flags & O_NONBLOCK));
    if (reader && writer)
        return install_two(reader, writer, fds, flags & O_CLOEXEC);
    /* An end that was not made holds its reference still. */
    if (reader)
        file_release(reader);
    else
        queue_drop(queue);
    if (writer)
        file_release(writer);
    else
        queue_drop(queue);
    return -ENOMEM;
}

SYSCALL(pipe)
{
    return make_pipe((int *)a, 0);
}

SYSCALL(pipe2)
{
    return make_pipe((int *)a, (int)b);
}

SYSCALL(socketpair)
{
    int type = (int)b & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (a != AF_UNIX)
        return -EAFNOSUPPORT;
    if (type != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    struct queue *one = queue_new(), *two = queue_new();
    int flags = O_RDWR | (b & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    struct file *left = one && two ? end_new(one, two, flags) : NULL;
    struct file *right = left ? end_new(two, one, flags) : NULL;
    if (right)
        return install_two(left, right, (int *)d, b & SOCK_CLOEXEC);
    if (left)
        file_release(left); /* drops one reference of each queue */
    for (int i = left ? 1 : 0; i < 2; i++) {
        if (one)
            queue_drop(one);
        if (two)
            queue_drop(two);
    }
    return -ENOMEM;
}
