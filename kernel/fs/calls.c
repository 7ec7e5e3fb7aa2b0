/* System calls that take paths. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include "fs/tree.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "posix/internal.h"

static struct node *working; /* directory, with a reference; NULL: the root */

/* Where relative paths of an *at() call start, with a reference; NULL and -errno in *ERROR. */
static struct node *base_of(int fd, const char *path, int *error)
{
    struct node *base = NULL;
    *error = 0;
    if (!path) {
        *error = -EFAULT;
        return NULL;
    }
    if (tree_trim) {
        mutex_lock(&tree_lock);
        tree_trim();
        mutex_unlock(&tree_lock);
    }
    if (*path == '/' || fd == AT_FDCWD) {
        mutex_lock(&tree_lock);
        base = working && *path != '/' ? working : tree_root;
        node_retain(base);
        mutex_unlock(&tree_lock);
        return base;
    }
    struct file *file = fd_get(fd);
    if (!file) {
        *error = -EBADF;
        return NULL;
    }
    if (file->ops == &directory_ops)
        node_retain(base = file->object);
    else
        *error = -ENOTDIR;
    file_release(file);
    return base;
}

/* An open file for NODE, whose reference it takes; fd or -errno. */
static long open_node(struct node *node, int flags)
{
    int kept = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC | O_DIRECTORY);
    int error = node->fs && node->fs->open ? node->fs->open(node, kept) : 0;
    if (error) {
        node_release(node);
        return error;
    }
    struct file *file = file_new(node->ops, node, kept);
    if (!file) {
        if (node->fs && node->fs->close)
            node->fs->close(node, kept);
        node_release(node);
        return -ENOMEM;
    }
    return fd_install(file, flags & O_CLOEXEC);
}

static int may_open(const struct node *node, int flags)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    if (node->kind == NODE_LINK)
        return flags & O_PATH ? 0 : -ELOOP;
    if ((flags & O_DIRECTORY) && node->kind != NODE_DIRECTORY)
        return -ENOTDIR;
    if (writes && node->kind == NODE_DIRECTORY)
        return -EISDIR;
    if (writes && node->read_only)
        return -EROFS;
    return 0;
}

/* With tree_lock held: a new node, in memory or where DIRECTORY lies. */
static int make_node(struct node *directory, const char *name, enum node_kind kind, mode_t mode,
                     const char *target, struct node **out)
{
    const struct fs_ops *fs = directory->fs;
    if (fs) {
        int error = fs->make ? fs->make(directory, name, kind, mode, target) : -EROFS;
        return error ? error : fs->lookup(directory, name, NULL, out);
    }
    char *copy = NULL;
    if (target && !(copy = kmalloc(strlen(target) + 1)))
        return -ENOSPC;
    *out = tree_add(directory, name, kind, mode);
    if (!*out) {
        kfree(copy);
        return -ENOSPC;
    }
    (*out)->target = copy ? strcpy(copy, target) : NULL;
    return 0;
}

static int truncate_node(struct node *node, uint64_t size)
{
    if (node->fs)
        return node->fs->truncate ? node->fs->truncate(node, size) : -EROFS;
    return ram_truncate(node, size);
}

static long open_at(int fd, const char *path, int flags, mode_t mode)
{
    char name[NAME_MAX + 1];
    struct node *directory, *node, *base;
    int error;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    if (!(base = base_of(fd, path, &error)))
        return error;
    bool exclusive = (flags & O_CREAT) && (flags & O_EXCL);
    unsigned walk_flags = (flags & O_NOFOLLOW) || exclusive ? TREE_NO_FOLLOW : 0;
    mutex_lock(&tree_lock);
    error = tree_walk(base, path, walk_flags, &directory, name, &node);
    if (!error && node && exclusive)
        error = -EEXIST;
    else if (!error && node)
        error = may_open(node, flags);
    else if (!error && !(flags & O_CREAT))
        error = -ENOENT;
    else if (!error && path[strlen(path) - 1] == '/')
        error = -EISDIR;
    else if (!error)
        error = make_node(directory, name, NODE_FILE, mode & 0777, NULL, &node);
    if (!error)
        node_retain(node);
    mutex_unlock(&tree_lock);
    node_release(base);
    if (error)
        return error;
    if ((flags & O_TRUNC) && node->kind == NODE_FILE && (error = truncate_node(node, 0))) {
        node_release(node);
        return error;
    }
    return open_node(node, flags);
}

SYSCALL(open)
{
    return open_at(AT_FDCWD, (const char *)a, (int)b, (mode_t)c);
}

SYSCALL(openat)
{
    return open_at((int)a, (const char *)b, (int)c, (mode_t)d);
}

SYSCALL(creat)
{
    return open_at(AT_FDCWD, (const char *)a, O_CREAT | O_WRONLY | O_TRUNC, (mode_t)b);
}

/* What a path names, with a reference. */
static long find_at(int fd, const char *path, unsigned flags, struct node **out)
{
    int error;
    struct node *base = base_of(fd, path, &error);
    if (!base)
        return error;
    error = tree_find(base, path, flags, out);
    node_release(base);
    return error;
}

static long stat_fd(int fd, struct stat *out)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    memset(out, 0, sizeof *out);
    out->st_mode = S_IFCHR | 0600;
    out->st_blksize = (blksize_t)PAGE_SIZE;
    out->st_nlink = 1;
    long result = file->ops->stat ? file->ops->stat(file, out) : 0;
    file_release(file);
    return result;
}

static long stat_at(int fd, const char *path, struct stat *out, int flags)
{
    struct node *node;
    if ((flags & AT_EMPTY_PATH) && path && !*path && fd != AT_FDCWD)
        return stat_fd(fd, out);
    long error = find_at(fd, path, flags & AT_SYMLINK_NOFOLLOW ? TREE_NO_FOLLOW : 0, &node);
    if (error)
        return error;
    error = node_stat(node, out);
    node_release(node);
    return error;
}

SYSCALL(stat)
{
    return stat_at(AT_FDCWD, (const char *)a, (struct stat *)b, 0);
}

SYSCALL(lstat)
{
    return stat_at(AT_FDCWD, (const char *)a, (struct stat *)b, AT_SYMLINK_NOFOLLOW);
}

SYSCALL(fstat)
{
    return stat_fd((int)a, (struct stat *)b);
}

SYSCALL(newfstatat)
{
    return stat_at((int)a, (const char *)b, (struct stat *)c, (int)d);
}

/* There is one user who may do everything; only what lies in an archive cannot be written. */
static long access_at(int fd, const char *path, long mode, int flags)
{
    struct node *node;
    if (mode & ~7l)
        return -EINVAL;
    long error = find_at(fd, path, flags & AT_SYMLINK_NOFOLLOW ? TREE_NO_FOLLOW : 0, &node);
    if (error)
        return error;
    if ((mode & 2) && node->read_only)
        error = -EROFS;
    else if ((mode & 1) && node->kind == NODE_FILE && !(node->mode & 0111))
        error = -EACCES;
    node_release(node);
    return error;
}

SYSCALL(access)
{
    return access_at(AT_FDCWD, (const char *)a, b, 0);
}

SYSCALL(faccessat)
{
    return access_at((int)a, (const char *)b, c, 0);
}

SYSCALL(faccessat2)
{
    return access_at((int)a, (const char *)b, c, (int)d);
}

static long make_at(int fd, const char *path, enum node_kind kind, mode_t mode, const char *target)
{
    char name[NAME_MAX + 1];
    struct node *directory, *node, *base;
    int error;
    if (target) {
        size_t length = strnlen(target, PATH_MAX);
        if (length == 0 || length == PATH_MAX)
            return length ? -ENAMETOOLONG : -ENOENT;
    }
    if (!(base = base_of(fd, path, &error)))
        return error;
    mutex_lock(&tree_lock);
    error = tree_walk(base, path, TREE_NO_FOLLOW, &directory, name, &node);
    if (!error)
        error = node ? -EEXIST : make_node(directory, name, kind, mode, target, &node);
    mutex_unlock(&tree_lock);
    node_release(base);
    return error;
}

SYSCALL(mkdir)
{
    return make_at(AT_FDCWD, (const char *)a, NODE_DIRECTORY, (mode_t)b, NULL);
}

SYSCALL(mkdirat)
{
    return make_at((int)a, (const char *)b, NODE_DIRECTORY, (mode_t)c, NULL);
}

SYSCALL(symlink)
{
    return make_at(AT_FDCWD, (const char *)b, NODE_LINK, 0777, (const char *)a);
}

SYSCALL(symlinkat)
{
    return make_at((int)b, (const char *)c, NODE_LINK, 0777, (const char *)a);
}

/* The root, "." and ".." cannot be removed; Linux has an answer for each. */
static int refuse_dots(const char *path, bool directory_wanted)
{
    size_t end = strlen(path);
    while (end && path[end - 1] == '/')
        end--;
    bool dot = end && path[end - 1] == '.';
    bool two = dot && end > 1 && path[end - 2] == '.';
    return !directory_wanted ? -EISDIR : two ? -ENOTEMPTY : dot ? -EINVAL : -EBUSY;
}

static bool is_mount(const struct node *node)
{
    return node->fs != node->parent->fs;
}

static long remove_at(int fd, const char *path, bool directory_wanted)
{
    char name[NAME_MAX + 1];
    struct node *directory, *node, *base;
    int error;
    if (!(base = base_of(fd, path, &error)))
        return error;
    mutex_lock(&tree_lock);
    error = tree_walk(base, path, TREE_NO_FOLLOW, &directory, name, &node);
    if (!error && !node)
        error = -ENOENT;
    else if (!error && !directory)
        error = refuse_dots(path, directory_wanted);
    else if (!error && node->read_only)
        error = -EROFS;
    else if (!error && directory_wanted && node->kind != NODE_DIRECTORY)
        error = -ENOTDIR;
    else if (!error && !directory_wanted && node->kind == NODE_DIRECTORY)
        error = -EISDIR;
    else if (!error && is_mount(node))
        error = -EBUSY;
    else if (!error && node->fs)
        error = node->fs->remove ? node->fs->remove(node) : -EROFS;
    else if (!error && !list_empty(&node->children))
        error = -ENOTEMPTY;
    if (!error)
        tree_remove(node);
    mutex_unlock(&tree_lock);
    node_release(base);
    return error;
}

SYSCALL(unlink)
{
    return remove_at(AT_FDCWD, (const char *)a, false);
}

SYSCALL(rmdir)
{
    return remove_at(AT_FDCWD, (const char *)a, true);
}

SYSCALL(unlinkat)
{
    return c & ~AT_REMOVEDIR ? -EINVAL : remove_at((int)a, (const char *)b, c & AT_REMOVEDIR);
}

/* Whether INNER lies below OUTER. */
static bool lies_in(const struct node *inner, const struct node *outer)
{
    while (inner != outer && inner != tree_root && inner->parent)
        inner = inner->parent;
    return inner == outer;
}

/* With tree_lock held: may NODE take the place of OLD (NULL: nothing) in DIRECTORY? */
static int may_rename(struct node *node, struct node *directory, struct node *old)
{
    if (node->read_only || (old && old->read_only))
        return -EROFS;
    if (is_mount(node) || (old && is_mount(old)))
        return -EBUSY;
    if (node->fs != directory->fs)
        return -EXDEV;
    if (node->kind == NODE_DIRECTORY && lies_in(directory, node))
        return -EINVAL;
    if (!old)
        return 0;
    if (node->kind == NODE_DIRECTORY && old->kind != NODE_DIRECTORY)
        return -ENOTDIR;
    if (node->kind != NODE_DIRECTORY && old->kind == NODE_DIRECTORY)
        return -EISDIR;
    return old->fs || list_empty(&old->children) ? 0 : -ENOTEMPTY;
}

static long rename_at(int from_fd, const char *from, int to_fd, const char *to, bool keep)
{
    char name[NAME_MAX + 1], new_name[NAME_MAX + 1];
    struct node *directory, *node, *new_directory, *old;
    int error;
    struct node *from_base = base_of(from_fd, from, &error);
    struct node *to_base = from_base ? base_of(to_fd, to, &error) : NULL;
    if (to_base) {
        mutex_lock(&tree_lock);
        error = tree_walk(from_base, from, TREE_NO_FOLLOW, &directory, name, &node);
        if (!error)
            error = tree_walk(to_base, to, TREE_NO_FOLLOW, &new_directory, new_name, &old);
        if (!error && !node)
            error = -ENOENT;
        else if (!error && (!directory || !new_directory))
            error = -EBUSY;
        else if (!error && old && keep)
            error = -EEXIST;
        else if (!error && old != node)
            error = may_rename(node, new_directory, old);
        if (!error && old != node && node->fs) {
            error = node->fs->move ? node->fs->move(node, new_directory, new_name, old) : -EROFS;
            /* What the tree cannot keep under its new name is looked up again. */
            if (!error && tree_move(node, new_directory, new_name))
                tree_remove(node);
            if (!error && old)
                tree_remove(old);
            error = error == FS_SAME ? 0 : error;
        } else if (!error && old != node) {
            /* The name first: it is what can fail. */
            error = tree_move(node, new_directory, new_name);
            if (!error && old)
                tree_remove(old);
        }
        mutex_unlock(&tree_lock);
    }
    if (to_base)
        node_release(to_base);
    if (from_base)
        node_release(from_base);
    return error;
}

SYSCALL(rename)
{
    return rename_at(AT_FDCWD, (const char *)a, AT_FDCWD, (const char *)b, false);
}

SYSCALL(renameat)
{
    return rename_at((int)a, (const char *)b, (int)c, (const char *)d, false);
}

SYSCALL(renameat2)
{
    enum { NO_REPLACE = 1 };
    if (e & ~NO_REPLACE)
        return -EINVAL;
    return rename_at((int)a, (const char *)b, (int)c, (const char *)d, e & NO_REPLACE);
}

/* With tree_lock held. In memory a file has one name; Linux too answers EPERM on file systems that
 * cannot link. */
static int link_node(struct node *node, struct node *directory, const char *name)
{
    if (node->kind == NODE_DIRECTORY)
        return -EPERM;
    if (node->fs != directory->fs)
        return -EXDEV;
    return node->fs && node->fs->link ? node->fs->link(node, directory, name) : -EPERM;
}

static long link_at(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    char name[NAME_MAX + 1];
    struct node *node, *directory, *old, *base;
    int error;
    if (flags & ~AT_SYMLINK_FOLLOW)
        return -EINVAL;
    long found = find_at(from_fd, from, flags & AT_SYMLINK_FOLLOW ? 0 : TREE_NO_FOLLOW, &node);
    if (found)
        return found;
    if ((base = base_of(to_fd, to, &error))) {
        mutex_lock(&tree_lock);
        error = tree_walk(base, to, TREE_NO_FOLLOW, &directory, name, &old);
        if (!error)
            error = old ? -EEXIST : link_node(node, directory, name);
        mutex_unlock(&tree_lock);
        node_release(base);
    }
    node_release(node);
    return error;
}

SYSCALL(link)
{
    return link_at(AT_FDCWD, (const char *)a, AT_FDCWD, (const char *)b, 0);
}

SYSCALL(linkat)
{
    return link_at((int)a, (const char *)b, (int)c, (const char *)d, (int)e);
}

static long read_link(int fd, const char *path, char *buffer, size_t size)
{
    struct node *node;
    if (size == 0 || size > SSIZE_MAX)
        return -EINVAL;
    long result = find_at(fd, path, TREE_NO_FOLLOW, &node);
    if (result)
        return result;
    if (node->kind == NODE_LINK) {
        size_t length = strlen(node->target);
        result = (long)(length < size ? length : size);
        memcpy(buffer, node->target, (size_t)result);
    } else {
        result = -EINVAL;
    }
    node_release(node);
    return result;
}

SYSCALL(readlink)
{
    return read_link(AT_FDCWD, (const char *)a, (char *)b, (size_t)c);
}

SYSCALL(readlinkat)
{
    return read_link((int)a, (const char *)b, (char *)c, (size_t)d);
}

SYSCALL(getcwd)
{
    mutex_lock(&tree_lock);
    struct node *node = working ? working : tree_root;
    node_retain(node);
    mutex_unlock(&tree_lock);
    long result = tree_path(node, (char *)a, (size_t)b);
    node_release(node);
    return result;
}

/* Takes NODE's reference. */
static void set_working(struct node *node)
{
    mutex_lock(&tree_lock);
    struct node *old = working;
    working = node;
    mutex_unlock(&tree_lock);
    if (old)
        node_release(old);
}

SYSCALL(chdir)
{
    struct node *node;
    long error = find_at(AT_FDCWD, (const char *)a, TREE_DIRECTORY, &node);
    if (!error)
        set_working(node);
    return error;
}

SYSCALL(fchdir)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    bool directory = file->ops == &directory_ops;
    if (directory) {
        node_retain(file->object);
        set_working(file->object);
    }
    file_release(file);
    return directory ? 0 : -ENOTDIR;
}

SYSCALL(truncate)
{
    struct node *node;
    long error = find_at(AT_FDCWD, (const char *)a, 0, &node);
    if (error)
        return error;
    if (b < 0 || node->kind == NODE_DEVICE)
        error = -EINVAL;
    else
        error = node->kind == NODE_DIRECTORY ? -EISDIR : truncate_node(node, (uint64_t)b);
    node_release(node);
    return error;
}

SYSCALL(ftruncate)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result = -EINVAL;
    if (file->ops->truncate && (file->flags & O_ACCMODE) != O_RDONLY)
        result = file->ops->truncate(file, b);
    file_release(file);
    return result;
}

/* Reserving space would be a promise; writing gives ENOSPC in time. Only the size is set. */
SYSCALL(fallocate)
{
    struct file *file = fd_get((int)a);
    off_t end;
    if (!file)
        return -EBADF;
    long result = -EOPNOTSUPP;
    if (c < 0 || d <= 0 || __builtin_add_overflow(c, d, &end))
        result = -EINVAL;
    else if (b == 0 && file->ops->truncate && (file->flags & O_ACCMODE) != O_RDONLY) {
        struct stat st = {0};
        result = file->ops->stat(file, &st);
        if (!result && end > st.st_size)
            result = file->ops->truncate(file, end);
    }
    file_release(file);
    return result;
}

/* Hints: nothing here reads ahead or keeps what need not be kept, so there is nothing to heed. */
SYSCALL(fadvise64)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result = !file->ops->seek ? -ESPIPE : d < 0 || d > 5 || c < 0 ? -EINVAL : 0;
    file_release(file);
    return result;
}

static int set_mode(struct node *node, mode_t mode)
{
    if (node->fs)
        return node->fs->set_mode ? node->fs->set_mode(node, mode & 07777) : -EROFS;
    if (node->read_only)
        return -EROFS;
    node->mode = mode & 07777;
    node->changed = clock_realtime();
    return 0;
}

static long change_mode(int fd, const char *path, mode_t mode)
{
    struct node *node;
    long error = find_at(fd, path, 0, &node);
    if (error)
        return error;
    error = set_mode(node, mode);
    node_release(node);
    return error;
}

SYSCALL(chmod)
{
    return change_mode(AT_FDCWD, (const char *)a, (mode_t)b);
}

SYSCALL(fchmodat)
{
    return change_mode((int)a, (const char *)b, (mode_t)c);
}

SYSCALL(fchmod)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result = file->ops->is_node ? set_mode(file->object, (mode_t)b) : 0;
    file_release(file);
    return result;
}

/* Everything belongs to the one user there is. */
SYSCALL(chown)
{
    return 0;
}

SYSCALL(lchown)
{
    return 0;
}

SYSCALL(fchown)
{
    return 0;
}

SYSCALL(fchownat)
{
    return 0;
}

static void set_time(uint64_t *at, const struct timespec *time)
{
    if (time->tv_nsec == UTIME_NOW)
        *at = clock_realtime();
    else if (time->tv_nsec != UTIME_OMIT)
        *at = (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec;
}

static int set_times(struct node *node, const struct timespec *times)
{
    static const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    if (!times)
        times = now;
    for (int i = 0; i < 2; i++) {
        long ns = times[i].tv_nsec;
        if (ns == UTIME_NOW || ns == UTIME_OMIT)
            continue;
        if (ns < 0 || ns >= (long)NS_PER_S || times[i].tv_sec < 0 ||
            (uint64_t)times[i].tv_sec > UINT64_MAX / NS_PER_S - 1)
            return -EINVAL;
    }
    if (node->fs)
        return node->fs->set_times ? node->fs->set_times(node, times) : -EROFS;
    if (node->read_only)
        return -EROFS;
    set_time(&node->accessed, &times[0]);
    set_time(&node->modified, &times[1]);
    node->changed = clock_realtime();
    return 0;
}

SYSCALL(utimensat)
{
    const struct timespec *times = (const struct timespec *)c;
    struct node *node;
    if (!b) {
        struct file *file = fd_get((int)a);
        if (!file)
            return -EBADF;
        long result = file->ops->is_node ? set_times(file->object, times) : -EINVAL;
        file_release(file);
        return result;
    }
    long error =
        find_at((int)a, (const char *)b, d & AT_SYMLINK_NOFOLLOW ? TREE_NO_FOLLOW : 0, &node);
    if (!error) {
        error = set_times(node, times);
        node_release(node);
    }
    return error;
}

static void fill_statfs(struct statfs *out)
{
    struct frame_stats stats;
    frame_stats(&stats);
    memset(out, 0, sizeof *out);
    out->f_type = 0x01021994; /* Linux's tmpfs, which is what this resembles */
    out->f_bsize = PAGE_SIZE;
    out->f_blocks = stats.total / 2;
    out->f_bfree = out->f_bavail = stats.free < stats.total / 2 ? stats.free : stats.total / 2;
    out->f_namelen = NAME_MAX;
}

SYSCALL(statfs)
{
    struct node *node;
    long error = find_at(AT_FDCWD, (const char *)a, 0, &node);
    if (!error) {
        fill_statfs((struct statfs *)b);
        node_release(node);
    }
    return error;
}

SYSCALL(fstatfs)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    file_release(file);
    fill_statfs((struct statfs *)b);
    return 0;
}
