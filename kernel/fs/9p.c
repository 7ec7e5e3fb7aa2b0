/* A folder of the host in the file tree: a client of 9P2000.L, mounted by
 * mount(TAG, DIRECTORY, "9p", 0, NULL) with the tag that the host gave the virtio-9p device.
 *
 * The host stays the owner: every path is confirmed with it component by component, sizes and times
 * are asked for, contents go straight through. What stands in the tree are nodes that have been
 * looked up, each with a number ("fid") at the server; those that nobody uses are dropped when they
 * are many.
 *
 * QEMU finds most things by the name behind a fid, so a file that is removed while it is open would
 * be lost to fstat() and ftruncate(). As NFS clients do, such a file is renamed and removed with
 * its last close. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "drivers/channel.h"
#include "fs/9p_wire.h"
#include "fs/tree.h"
#include "mm/heap.h"
#include "posix/internal.h"

enum {
    NODES_KEPT = 1024,
    TRIM_LOOKS = 64,     /* nodes looked at in one go */
    FILE_MODES = 3,      /* O_RDONLY, O_WRONLY, O_RDWR */
    UMASK = 022,         /* of what is made */
    REMOVE_DIR = 0x200,  /* flag of P9_UNLINKAT */
    FIRST_DEVICE = 0x100 /* st_dev of the first mount */
};
/* What P9_SETATTR is to set. */
enum {
    SET_MODE = 1,
    SET_SIZE = 8,
    SET_ATIME = 0x10,
    SET_MTIME = 0x20,
    SET_ATIME_TO = 0x80,
    SET_MTIME_TO = 0x100
};

#define DOOMED_PREFIX ".quince-removed-"

struct mount {
    struct p9_link link;
    dev_t device;
    uint32_t root; /* fid */
};

struct p9_node {
    struct mount *mount;
    struct node *node;
    struct list_node recent;
    struct p9_qid qid;
    uint32_t fid;
    bool is_doomed; /* renamed out of the way, removed with its last close */
    struct mutex lock;
    uint32_t open_fid[FILE_MODES], opens[FILE_MODES]; /* a fid is open while there are opens */
    uint32_t listing;                                 /* fid of a directory being read; 0: none */
};

static LIST_HEAD(recent_nodes); /* longest unused first */
static struct mutex recent_lock;
static unsigned node_count;
static const struct fs_ops p9_fs;
static const struct file_ops p9_file_ops;

static struct p9_node *data_of(const struct node *node)
{
    return node->fs_data;
}

static struct p9_link *link_of(const struct node *node)
{
    return &data_of(node)->mount->link;
}

/* ---- requests ---- */

/* A request whose answer is of no interest, with one or two numbers. */
static int simple(struct p9_link *link, enum p9_type type, uint32_t first, uint32_t second)
{
    struct p9_cursor c = p9_begin(link, type);
    p9_put32(&c, first);
    if (type == P9_FSYNC || type == P9_LOPEN)
        p9_put32(&c, second);
    int error = p9_call(link, &c, 0, 0);
    p9_end(link);
    return error;
}

static void clunk(struct p9_link *link, uint32_t fid)
{
    simple(link, P9_CLUNK, fid, 0);
}

/* A fid for NAME in the directory FROM, or with NULL for FROM itself. */
static int walk_to(struct p9_link *link, uint32_t from, const char *name, uint32_t *fid,
                   struct p9_qid *qid)
{
    struct p9_cursor c = p9_begin(link, P9_WALK);
    *fid = p9_new_fid(link);
    p9_put32(&c, from);
    p9_put32(&c, *fid);
    p9_put16(&c, name ? 1 : 0);
    if (name)
        p9_put_text(&c, name);
    int error = p9_call(link, &c, 0, 0);
    if (!error && name) {
        uint16_t count = p9_get16(&c);
        struct p9_qid found = p9_get_qid(&c);
        if (c.bad || count != 1)
            error = -ENOENT; /* the fid was not made */
        else if (qid)
            *qid = found;
    }
    p9_end(link);
    return error;
}

static struct timespec get_time(struct p9_cursor *c)
{
    uint64_t seconds = p9_get64(c), ns = p9_get64(c);
    return (struct timespec){(time_t)seconds, (long)(ns < NS_PER_S ? ns : 0)};
}

static int get_attributes(struct mount *mount, uint32_t fid, struct stat *out, struct p9_qid *qid)
{
    enum { BASIC = 0x7ff };
    struct p9_cursor c = p9_begin(&mount->link, P9_GETATTR);
    p9_put32(&c, fid);
    p9_put64(&c, BASIC);
    int error = p9_call(&mount->link, &c, 0, 0);
    if (!error) {
        memset(out, 0, sizeof *out);
        p9_get64(&c); /* which of them are valid: all that were asked for */
        *qid = p9_get_qid(&c);
        out->st_dev = mount->device;
        out->st_ino = qid->path;
        out->st_mode = p9_get32(&c);
        out->st_uid = p9_get32(&c);
        out->st_gid = p9_get32(&c);
        out->st_nlink = p9_get64(&c);
        out->st_rdev = p9_get64(&c);
        out->st_size = (off_t)p9_get64(&c);
        out->st_blksize = (blksize_t)p9_get64(&c);
        out->st_blocks = (blkcnt_t)p9_get64(&c);
        out->st_atim = get_time(&c);
        out->st_mtim = get_time(&c);
        out->st_ctim = get_time(&c);
        if (c.bad || out->st_size < 0)
            error = -EIO;
    }
    p9_end(&mount->link);
    return error;
}

static int set_attributes(struct node *node, uint32_t which, mode_t mode, uint64_t size,
                          const struct timespec times[2])
{
    struct p9_link *link = link_of(node);
    struct p9_cursor c = p9_begin(link, P9_SETATTR);
    p9_put32(&c, data_of(node)->fid);
    p9_put32(&c, which);
    p9_put32(&c, mode);
    p9_put32(&c, P9_NO_ID);
    p9_put32(&c, P9_NO_ID);
    p9_put64(&c, size);
    for (int i = 0; i < 2; i++) {
        p9_put64(&c, (uint64_t)times[i].tv_sec);
        p9_put64(&c, (uint64_t)times[i].tv_nsec);
    }
    int error = p9_call(link, &c, 0, 0);
    p9_end(link);
    return error;
}

static int rename_to(struct p9_link *link, uint32_t from, const char *name, uint32_t to,
                     const char *new_name)
{
    struct p9_cursor c = p9_begin(link, P9_RENAMEAT);
    p9_put32(&c, from);
    p9_put_text(&c, name);
    p9_put32(&c, to);
    p9_put_text(&c, new_name);
    int error = p9_call(link, &c, 0, 0);
    p9_end(link);
    return error;
}

/* The target of the link FID, for the caller to free. */
static int read_target(struct p9_link *link, uint32_t fid, char **target)
{
    size_t length;
    struct p9_cursor c = p9_begin(link, P9_READLINK);
    p9_put32(&c, fid);
    int error = p9_call(link, &c, 0, 0);
    const char *text = error ? NULL : p9_get_text(&c, &length);
    if (!error && (!text || length == 0 || length >= PATH_MAX || memchr(text, 0, length)))
        error = -EIO;
    if (!error && !(*target = kmalloc(length + 1)))
        error = -ENOMEM;
    if (!error) {
        memcpy(*target, text, length);
        (*target)[length] = '\0';
    }
    p9_end(link);
    return error;
}

/* ---- nodes ---- */

static enum node_kind kind_of(mode_t mode)
{
    return S_ISDIR(mode)   ? NODE_DIRECTORY
           : S_ISREG(mode) ? NODE_FILE
           : S_ISLNK(mode) ? NODE_LINK
                           : NODE_DEVICE; /* pipes and sockets too: none can be opened */
}

static void touch(struct p9_node *data)
{
    mutex_lock(&recent_lock);
    list_remove(&data->recent);
    list_add_tail(&recent_nodes, &data->recent);
    mutex_unlock(&recent_lock);
}

/* Makes NODE one of ours. */
static void adopt(struct node *node, struct p9_node *data)
{
    data->node = node;
    node->fs = &p9_fs;
    node->fs_data = data;
    node->ops = node->kind == NODE_DIRECTORY ? &directory_ops : &p9_file_ops;
    mutex_lock(&recent_lock);
    list_add_tail(&recent_nodes, &data->recent);
    node_count++;
    mutex_unlock(&recent_lock);
}

static void p9_release(struct node *node)
{
    struct p9_node *data = data_of(node);
    struct p9_link *link = &data->mount->link;
    mutex_lock(&recent_lock);
    list_remove(&data->recent);
    node_count--;
    mutex_unlock(&recent_lock);
    if (data->listing)
        clunk(link, data->listing);
    if (!data->is_doomed)
        clunk(link, data->fid);
    kfree(data);
}

static void p9_trim(void)
{
    for (unsigned looks = 0; node_count > NODES_KEPT && looks < TRIM_LOOKS; looks++) {
        mutex_lock(&recent_lock);
        struct p9_node *data = list_entry(recent_nodes.next, struct p9_node, recent);
        list_remove(&data->recent);
        list_add_tail(&recent_nodes, &data->recent);
        struct node *node = data->node;
        bool unused = node->parent && node->fs == node->parent->fs && list_empty(&node->children) &&
                      node->references == 1;
        mutex_unlock(&recent_lock);
        if (unused)
            tree_remove(node);
    }
}

/* Whether KNOWN is still what its name leads to. */
static int confirm(struct node *known)
{
    struct p9_node *data = data_of(known);
    struct stat st;
    struct p9_qid qid;
    int error = get_attributes(data->mount, data->fid, &st, &qid);
    if (error)
        return error;
    if (qid.path != data->qid.path || kind_of(st.st_mode) != known->kind ||
        (known->kind == NODE_LINK && qid.version != data->qid.version))
        return -ENOENT;
    known->mode = st.st_mode & 07777;
    touch(data);
    return 0;
}

static int p9_lookup(struct node *directory, const char *name, struct node *known,
                     struct node **out)
{
    struct mount *mount = data_of(directory)->mount;
    struct p9_link *link = &mount->link;
    int error;
    if (known) {
        error = confirm(known);
        *out = known;
        if (error != -ENOENT)
            return error;
        tree_remove(known);
    }
    struct p9_node *data = kcalloc(1, sizeof *data);
    if (!data)
        return -ENOMEM;
    struct stat st;
    char *target = NULL;
    struct node *node = NULL;
    data->mount = mount;
    list_init(&data->recent);
    error = walk_to(link, data_of(directory)->fid, name, &data->fid, NULL);
    if (error) {
        kfree(data);
        return error;
    }
    error = get_attributes(mount, data->fid, &st, &data->qid);
    if (!error && S_ISLNK(st.st_mode))
        error = read_target(link, data->fid, &target);
    if (!error && !(node = tree_add(directory, name, kind_of(st.st_mode), st.st_mode & 07777)))
        error = -ENOMEM;
    if (error) {
        clunk(link, data->fid);
        kfree(target);
        kfree(data);
        return error;
    }
    node->target = target;
    adopt(node, data);
    *out = node;
    return 0;
}

static int make_file(struct p9_link *link, uint32_t directory, const char *name, mode_t mode)
{
    uint32_t fid;
    int error = walk_to(link, directory, NULL, &fid, NULL);
    if (error)
        return error;
    struct p9_cursor c = p9_begin(link, P9_LCREATE);
    p9_put32(&c, fid);
    p9_put_text(&c, name);
    p9_put32(&c, O_CREAT | O_EXCL | O_RDWR);
    p9_put32(&c, mode);
    p9_put32(&c, P9_NO_ID);
    error = p9_call(link, &c, 0, 0);
    p9_end(link);
    clunk(link, fid);
    return error;
}

static int p9_make(struct node *directory, const char *name, enum node_kind kind, mode_t mode,
                   const char *target)
{
    struct p9_link *link = link_of(directory);
    uint32_t fid = data_of(directory)->fid;
    mode &= 07777 & ~(mode_t)UMASK;
    if (kind == NODE_FILE)
        return make_file(link, fid, name, mode);
    if (kind == NODE_DEVICE)
        return -EPERM;
    struct p9_cursor c = p9_begin(link, kind == NODE_LINK ? P9_SYMLINK : P9_MKDIR);
    p9_put32(&c, fid);
    p9_put_text(&c, name);
    if (kind == NODE_LINK)
        p9_put_text(&c, target);
    else
        p9_put32(&c, mode);
    p9_put32(&c, P9_NO_ID); /* the group is the server's to choose */
    int error = p9_call(link, &c, 0, 0);
    p9_end(link);
    return error;
}

static bool is_open(struct p9_node *data)
{
    mutex_lock(&data->lock);
    bool open = data->opens[0] || data->opens[1] || data->opens[2];
    mutex_unlock(&data->lock);
    return open;
}

/* Renames an open file out of the way, to be removed with its last close. */
static int doom(struct node *node)
{
    static uint32_t number;
    char name[48];
    uint32_t directory = data_of(node->parent)->fid;
    struct p9_node *data = data_of(node);
    snprintf(name, sizeof name, DOOMED_PREFIX "%llx-%x", (unsigned long long)data->qid.path,
             __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED));
    int error = rename_to(link_of(node), directory, node->name, data->mount->root, name);
    if (error == -EXDEV) /* the root is on another file system of the host's */
        error = rename_to(link_of(node), directory, node->name, directory, name);
    if (!error)
        data->is_doomed = true;
    return error;
}

static int p9_remove(struct node *node)
{
    struct p9_link *link = link_of(node);
    if (node->kind == NODE_FILE && is_open(data_of(node)))
        return doom(node);
    struct p9_cursor c = p9_begin(link, P9_UNLINKAT);
    p9_put32(&c, data_of(node->parent)->fid);
    p9_put_text(&c, node->name);
    p9_put32(&c, node->kind == NODE_DIRECTORY ? REMOVE_DIR : 0);
    int error = p9_call(link, &c, 0, 0);
    p9_end(link);
    return error;
}

static int p9_move(struct node *node, struct node *directory, const char *name, struct node *old)
{
    struct p9_link *link = link_of(node);
    if (link_of(directory) != link)
        return -EXDEV;
    if (old && data_of(old)->qid.path == data_of(node)->qid.path)
        return FS_SAME;
    if (old && old->kind == NODE_FILE && is_open(data_of(old))) {
        int error = doom(old);
        if (error)
            return error;
    }
    return rename_to(link, data_of(node->parent)->fid, node->name, data_of(directory)->fid, name);
}

static int p9_link(struct node *node, struct node *directory, const char *name)
{
    struct p9_link *link = link_of(node);
    if (link_of(directory) != link)
        return -EXDEV;
    struct p9_cursor c = p9_begin(link, P9_LINK);
    p9_put32(&c, data_of(directory)->fid);
    p9_put32(&c, data_of(node)->fid);
    p9_put_text(&c, name);
    int error = p9_call(link, &c, 0, 0);
    p9_end(link);
    return error;
}

static int p9_stat(struct node *node, struct stat *out)
{
    struct p9_qid qid;
    return get_attributes(data_of(node)->mount, data_of(node)->fid, out, &qid);
}

static const struct timespec no_times[2];

static int p9_truncate(struct node *node, uint64_t size)
{
    return size > INT64_MAX ? -EFBIG : set_attributes(node, SET_SIZE, 0, size, no_times);
}

static int p9_set_mode(struct node *node, mode_t mode)
{
    return set_attributes(node, SET_MODE, mode, 0, no_times);
}

static int p9_set_times(struct node *node, const struct timespec times[2])
{
    static const uint32_t now[2] = {SET_ATIME, SET_MTIME};
    static const uint32_t given[2] = {SET_ATIME | SET_ATIME_TO, SET_MTIME | SET_MTIME_TO};
    struct timespec values[2] = {{0, 0}, {0, 0}};
    uint32_t which = 0;
    for (int i = 0; i < 2; i++) {
        if (times[i].tv_nsec == UTIME_OMIT)
            continue;
        which |= times[i].tv_nsec == UTIME_NOW ? now[i] : given[i];
        if (times[i].tv_nsec != UTIME_NOW)
            values[i] = times[i];
    }
    return which ? set_attributes(node, which, 0, 0, values) : 0;
}

/* ---- open files: their object is the node; all opens of one access mode share a fid ---- */

static int open_fid(struct p9_node *data, int mode, uint32_t *out)
{
    struct p9_link *link = &data->mount->link;
    int error = walk_to(link, data->fid, NULL, out, NULL);
    if (error)
        return error;
    error = simple(link, P9_LOPEN, *out, (uint32_t)mode);
    if (error)
        clunk(link, *out);
    return error;
}

static int p9_open(struct node *node, int flags)
{
    struct p9_node *data = data_of(node);
    int mode = flags & O_ACCMODE, error = 0;
    if (node->kind == NODE_DIRECTORY || flags & O_PATH)
        return 0;
    if (node->kind != NODE_FILE)
        return -ENXIO;
    if (mode >= FILE_MODES)
        return -EINVAL;
    mutex_lock(&data->lock);
    if (data->opens[mode] == 0)
        error = open_fid(data, mode, &data->open_fid[mode]);
    if (!error)
        data->opens[mode]++;
    mutex_unlock(&data->lock);
    return error;
}

static void p9_close(struct node *node, int flags)
{
    struct p9_node *data = data_of(node);
    int mode = flags & O_ACCMODE;
    if (node->kind != NODE_FILE || flags & O_PATH)
        return;
    mutex_lock(&data->lock);
    if (--data->opens[mode] == 0)
        clunk(&data->mount->link, data->open_fid[mode]);
    if (data->is_doomed && !data->opens[0] && !data->opens[1] && !data->opens[2])
        simple(&data->mount->link, P9_REMOVE, data->fid, 0);
    mutex_unlock(&data->lock);
}

static void file_closed(struct file *file)
{
    p9_close(file->object, file->flags);
    node_release(file->object);
}

/* One request's worth; bytes or -errno. */
static ssize_t read_piece(struct p9_link *link, uint32_t fid, const struct iovec *iov, int count,
                          size_t done, uint64_t at, size_t size)
{
    uint32_t wanted = size < link->data_size ? (uint32_t)size : link->data_size;
    struct p9_cursor c = p9_begin(link, P9_READ);
    p9_put32(&c, fid);
    p9_put64(&c, at);
    p9_put32(&c, wanted);
    ssize_t result = p9_call(link, &c, 0, wanted);
    uint32_t got = result ? 0 : p9_get32(&c);
    if (!result && (c.bad || got > wanted))
        result = -EIO;
    if (!result)
        result = (ssize_t)iov_fill(iov, count, done, link->data, got);
    p9_end(link);
    return result;
}

static ssize_t write_piece(struct p9_link *link, uint32_t fid, const struct iovec *iov, int count,
                           size_t done, uint64_t at, size_t size)
{
    uint32_t sent = size < link->data_size ? (uint32_t)size : link->data_size;
    struct p9_cursor c = p9_begin(link, P9_WRITE);
    iov_drain(iov, count, done, link->data, sent);
    p9_put32(&c, fid);
    p9_put64(&c, at);
    p9_put32(&c, sent);
    ssize_t result = p9_call(link, &c, sent, 0);
    uint32_t got = result ? 0 : p9_get32(&c);
    if (!result)
        result = c.bad || got > sent ? -EIO : (ssize_t)got;
    p9_end(link);
    return result;
}

static ssize_t transfer(struct file *file, const struct iovec *iov, int count, uint64_t at,
                        bool writing)
{
    struct p9_node *data = data_of(file->object);
    struct p9_link *link = &data->mount->link;
    uint32_t fid = data->open_fid[file->flags & O_ACCMODE];
    size_t want = iov_length(iov, count), done = 0;
    ssize_t moved = 0;
    while (done < want) {
        moved = (writing ? write_piece : read_piece)(link, fid, iov, count, done, at + done,
                                                     want - done);
        if (moved <= 0)
            break;
        done += (size_t)moved;
    }
    return done ? (ssize_t)done : moved;
}

static ssize_t p9_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    return transfer(file, iov, count, (uint64_t)offset, false);
}

static int p9_sync(struct file *file, bool data_only)
{
    struct p9_node *data = data_of(file->object);
    return simple(&data->mount->link, P9_FSYNC, data->open_fid[file->flags & O_ACCMODE], data_only);
}

static ssize_t p9_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    bool append = offset < 0;
    if (append) {
        struct stat st;
        int error = p9_stat(file->object, &st);
        if (error)
            return error;
        offset = st.st_size;
    }
    ssize_t moved = transfer(file, iov, count, (uint64_t)offset, true);
    if (moved > 0 && append)
        file->offset = offset + moved;
    if (moved > 0 && file->flags & (O_SYNC | O_DSYNC)) {
        int error = p9_sync(file, (file->flags & O_SYNC) != O_SYNC);
        if (error)
            return error;
    }
    return moved;
}

static off_t p9_seek(struct file *file, off_t offset, int whence)
{
    struct stat st = {0};
    off_t base = whence == SEEK_CUR ? file->offset : 0, result;
    if (whence == SEEK_END) {
        int error = p9_stat(file->object, &st);
        if (error)
            return error;
        base = st.st_size;
    } else if (whence != SEEK_SET && whence != SEEK_CUR) {
        return -EINVAL;
    }
    return __builtin_add_overflow(base, offset, &result) || result < 0 ? -EINVAL : result;
}

static int p9_file_stat(struct file *file, struct stat *out)
{
    return p9_stat(file->object, out);
}

static int p9_file_truncate(struct file *file, off_t size)
{
    return size < 0 ? -EINVAL : p9_truncate(file->object, (uint64_t)size);
}

static const struct file_ops p9_file_ops = {.name = "9p",
                                            .is_node = true,
                                            .read = p9_read,
                                            .write = p9_write,
                                            .seek = p9_seek,
                                            .stat = p9_file_stat,
                                            .truncate = p9_file_truncate,
                                            .sync = p9_sync,
                                            .release = file_closed};

/* ---- directories ---- */

/* Turns the server's entries into ours; bytes put, *POSITION behind the last. */
static ssize_t put_entries(struct p9_cursor *c, off_t *position, uint8_t *buffer, size_t size)
{
    size_t used = 0;
    while (c->at < c->end) {
        size_t length;
        off_t before = *position;
        struct p9_qid qid = p9_get_qid(c);
        uint64_t next = p9_get64(c);
        uint8_t type = p9_get8(c);
        const char *name = p9_get_text(c, &length);
        if (!name || length == 0 || length > NAME_MAX || memchr(name, '/', length) ||
            memchr(name, 0, length))
            return -EIO;
        *position = (off_t)next;
        if (length >= sizeof DOOMED_PREFIX &&
            !memcmp(name, DOOMED_PREFIX, sizeof DOOMED_PREFIX - 1))
            continue;
        size_t put = directory_put(buffer, size, used, qid.path, (off_t)next, type, name, length);
        if (put == 0) {
            *position = before;
            return used ? (ssize_t)used : -EINVAL;
        }
        used += put;
    }
    return (ssize_t)used;
}

static ssize_t p9_getdents(struct node *directory, off_t *position, void *buffer, size_t size)
{
    struct p9_node *data = data_of(directory);
    struct p9_link *link = &data->mount->link;
    mutex_lock(&data->lock);
    ssize_t result = 0;
    if (!data->listing) {
        uint32_t fid;
        result = open_fid(data, O_RDONLY, &fid);
        if (!result)
            data->listing = fid;
    }
    uint32_t wanted = size < link->data_size ? (uint32_t)size : link->data_size, got = wanted;
    if (!result && !wanted)
        result = -EINVAL;
    /* Again when all that came was not to be shown. */
    while (!result && got) {
        struct p9_cursor c = p9_begin(link, P9_READDIR);
        p9_put32(&c, data->listing);
        p9_put64(&c, (uint64_t)*position);
        p9_put32(&c, wanted);
        result = p9_call(link, &c, 0, wanted);
        got = result ? 0 : p9_get32(&c);
        if (!result && (c.bad || got > wanted))
            result = -EIO;
        if (!result) {
            struct p9_cursor entries = {link->data, link->data + got, false};
            result = put_entries(&entries, position, buffer, size);
        }
        p9_end(link);
    }
    mutex_unlock(&data->lock);
    return result;
}

static const struct fs_ops p9_fs = {.lookup = p9_lookup,
                                    .make = p9_make,
                                    .remove = p9_remove,
                                    .move = p9_move,
                                    .link = p9_link,
                                    .stat = p9_stat,
                                    .truncate = p9_truncate,
                                    .set_mode = p9_set_mode,
                                    .set_times = p9_set_times,
                                    .open = p9_open,
                                    .close = p9_close,
                                    .getdents = p9_getdents,
                                    .release = p9_release};

/* ---- mounting ---- */

static int attach(struct mount *mount, struct p9_node *root)
{
    struct p9_link *link = &mount->link;
    struct p9_cursor c = p9_begin(link, P9_ATTACH);
    root->fid = p9_new_fid(link);
    p9_put32(&c, root->fid);
    p9_put32(&c, P9_NO_ID);
    p9_put_text(&c, "");
    p9_put_text(&c, "");
    p9_put32(&c, P9_NO_ID); /* no user of ours: files belong to whoever runs the server */
    int error = p9_call(link, &c, 0, 0);
    if (!error)
        root->qid = p9_get_qid(&c);
    if (!error && (c.bad || !(root->qid.type & P9_QID_DIRECTORY)))
        error = -ENOTDIR;
    p9_end(link);
    return error;
}

static int mount_9p(const char *tag, const char *path)
{
    static dev_t devices;
    struct node *node;
    struct channel *channel = channel_find(tag);
    if (!channel)
        return -ENXIO;
    int error = tree_find(tree_root, path, TREE_DIRECTORY, &node);
    if (error)
        return error;
    struct mount *mount = kcalloc(1, sizeof *mount);
    struct p9_node *root = kcalloc(1, sizeof *root);
    error = mount && root ? p9_link_start(&mount->link, channel) : -ENOMEM;
    if (!error && !(error = attach(mount, root))) {
        mount->device = FIRST_DEVICE + __atomic_fetch_add(&devices, 1, __ATOMIC_RELAXED);
        mount->root = root->fid;
        root->mount = mount;
        list_init(&root->recent);
        mutex_lock(&tree_lock);
        if (node->fs || !list_empty(&node->children) || !node->parent) {
            error = -EBUSY; /* the buffers stay with the mount, which is not tried twice */
        } else {
            adopt(node, root);
            tree_trim = p9_trim;
        }
        mutex_unlock(&tree_lock);
    }
    if (error) {
        node_release(node);
        kfree(mount);
        kfree(root);
    }
    return error; /* the mount keeps its reference */
}

SYSCALL(mount)
{
    const char *source = (const char *)a, *target = (const char *)b, *type = (const char *)c;
    if (!source || !target || !type)
        return -EFAULT;
    if (strcmp(type, "9p") != 0)
        return -ENODEV;
    if (d)
        return -EINVAL; /* no flag is known */
    return mount_9p(source, target);
}
