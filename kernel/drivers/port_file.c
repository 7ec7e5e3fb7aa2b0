/* The ports of virtio-serial devices as files, /dev/virtio-ports/NAME as Linux has them: a
 * program's streams to the host. A port is looked for when its name is used. Reading ends where the
 * host closed its end, and stays at the end until the port is opened again; fsync() waits until the
 * host has taken everything. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "drivers/port.h"
#include "fs/tree.h"
#include "init.h"
#include "mm/heap.h"
#include "posix/internal.h"

enum { CONNECT_MS = 1000, PIECE = 4096 };

struct view {
    struct port *port;
    struct file *watcher;
    bool ended;
};

static struct view *view_of(struct file *file)
{
    return ((struct node *)file->object)->fs_data;
}

static ssize_t view_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)offset;
    struct view *view = view_of(file);
    size_t want = iov_length(iov, count), done = 0;
    char *piece = want && !view->ended ? kmalloc(PIECE) : NULL;
    if (want && !view->ended && !piece)
        return -ENOMEM;
    bool wait = !(file->flags & O_NONBLOCK);
    int got = 0;
    while (!view->ended && done < want) {
        size_t size = want - done < PIECE ? want - done : PIECE;
        got = port_read(view->port, piece, size, done || !wait ? 0 : WAIT_FOREVER);
        if (got == 0 && done == 0)
            view->ended = true;
        if (got <= 0)
            break;
        done += iov_fill(iov, count, done, piece, (size_t)got);
        bool ends;
        if (port_waiting(view->port, &ends) == 0)
            break;
    }
    kfree(piece);
    return done ? (ssize_t)done : got == -ETIMEDOUT ? -EAGAIN : got;
}

static ssize_t view_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)offset;
    ssize_t done = 0;
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < iov[i].iov_len;) {
            size_t left = iov[i].iov_len - at, size = left < INT32_MAX ? left : INT32_MAX;
            int put = port_write(view_of(file)->port, (const char *)iov[i].iov_base + at, size);
            if (put < 0)
                return done ? done : put;
            at += (size_t)put;
            done += put;
        }
    return done;
}

static int view_stat(struct file *file, struct stat *out)
{
    int error = node_stat(file->object, out);
    out->st_mode = S_IFIFO | 0600; /* no terminal: programs buffer as into a pipe */
    return error;
}

static int view_ioctl(struct file *file, unsigned long request, unsigned long argument)
{
    bool ended;
    if (request != FIONREAD)
        return -ENOTTY;
    size_t waiting = port_waiting(view_of(file)->port, &ended);
    *(int *)argument = waiting < INT32_MAX ? (int)waiting : INT32_MAX;
    return 0;
}

static void changed(void *context)
{
    file_notify(context);
}

static unsigned view_poll(struct file *file)
{
    struct view *view = view_of(file);
    bool ended;
    if (view->watcher != file) {
        view->watcher = file;
        port_watch(view->port, changed, file);
    }
    size_t waiting = port_waiting(view->port, &ended);
    ended = ended || view->ended;
    return POLLOUT | POLLWRNORM | (waiting || ended ? POLLIN | POLLRDNORM : 0) |
           (ended && !waiting ? POLLHUP : 0);
}

static int view_sync(struct file *file, bool data_only)
{
    (void)data_only;
    return port_flush(view_of(file)->port, WAIT_FOREVER);
}

static void view_release(struct file *file)
{
    struct view *view = view_of(file);
    if (view->watcher == file) {
        port_watch(view->port, NULL, NULL);
        view->watcher = NULL;
    }
    node_release(file->object);
}

static const struct file_ops view_ops = {.name = "port",
                                         .read = view_read,
                                         .write = view_write,
                                         .stat = view_stat,
                                         .ioctl = view_ioctl,
                                         .poll = view_poll,
                                         .sync = view_sync,
                                         .release = view_release};

static const struct fs_ops ports_fs;

static int ports_lookup(struct node *directory, const char *name, struct node *known,
                        struct node **out)
{
    if (known) {
        *out = known;
        return 0;
    }
    struct port *port = port_find(name);
    if (!port)
        return -ENOENT;
    struct view *view = kcalloc(1, sizeof *view);
    struct node *node = view ? tree_add(directory, name, NODE_DEVICE, 0600) : NULL;
    if (!node) {
        kfree(view);
        return -ENOMEM;
    }
    view->port = port;
    node->fs = &ports_fs;
    node->fs_data = view;
    node->ops = &view_ops;
    *out = node;
    return 0;
}

/* The host's end may be a moment behind the port's name. */
static int ports_open(struct node *node, int flags)
{
    struct view *view = node->fs_data;
    if (!view)
        return 0; /* the directory */
    uint64_t deadline = clock_now() + CONNECT_MS * NS_PER_MS;
    while (!(flags & O_NONBLOCK) && !port_connected(view->port) && clock_now() < deadline)
        thread_sleep_until(clock_now() + NS_PER_MS);
    view->ended = false;
    return 0;
}

static void ports_release(struct node *node)
{
    kfree(node->fs_data);
}

static const struct fs_ops ports_fs = {
    .lookup = ports_lookup, .open = ports_open, .release = ports_release};

static int ports_init(void)
{
    struct node *node;
    int error = tree_make("dev/virtio-ports", NODE_DIRECTORY, 0755, &node);
    if (!error)
        node->fs = &ports_fs;
    return error;
}
INIT(5, ports_init);
