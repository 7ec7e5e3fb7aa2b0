/* The file tree: names, directories, paths. */
#include "fs/tree.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "init.h"
#include "mm/heap.h"
#include "mm/vm.h"
#include "posix/file.h"
#include "time/clock.h"

enum { BUCKETS = 256, LINKS_MAX = 40 };

struct mutex tree_lock;
struct node *tree_root;
void (*tree_trim)(void);
static struct list_node buckets[BUCKETS];
static uint64_t last_inode = 1;

static struct list_node *bucket_of(const struct node *directory, const char *name)
{
    uint64_t hash = 14695981039346656037ull ^ directory->inode; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 1099511628211ull;
    struct list_node *bucket = &buckets[(hash ^ hash >> 32) % BUCKETS];
    if (!bucket->next)
        list_init(bucket);
    return bucket;
}

struct node *tree_child(struct node *directory, const char *name)
{
    struct list_node *bucket = bucket_of(directory, name);
    list_for_each(entry, bucket)
    {
        struct node *node = list_entry(entry, struct node, bucket);
        if (node->parent == directory && strcmp(node->name, name) == 0)
            return node;
    }
    return NULL;
}

/* 0, -ENOENT, or why the file system cannot tell. */
static int child(struct node *directory, const char *name, struct node **out)
{
    *out = tree_child(directory, name);
    if (directory->fs && !(*out && (*out)->fs != directory->fs)) {
        int error = directory->fs->lookup(directory, name, *out, out);
        if (error)
            *out = NULL;
        return error;
    }
    return *out ? 0 : -ENOENT;
}

void node_retain(struct node *node)
{
    __atomic_add_fetch(&node->references, 1, __ATOMIC_RELAXED);
}

void node_release(struct node *node)
{
    if (__atomic_sub_fetch(&node->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (node->fs && node->fs->release)
        node->fs->release(node);
    ram_free(node);
    kfree(node->target);
    kfree(node->name);
    kfree(node);
}

void node_touch(struct node *node)
{
    node->modified = node->changed = clock_realtime();
}

static struct node *node_new(const char *name, enum node_kind kind, mode_t mode)
{
    size_t length = strlen(name) + 1;
    struct node *node = kcalloc(1, sizeof *node);
    if (!node || !(node->name = kmalloc(length))) {
        kfree(node);
        return NULL;
    }
    memcpy(node->name, name, length);
    node->kind = kind;
    node->mode = mode & 07777;
    node->inode = __atomic_add_fetch(&last_inode, 1, __ATOMIC_RELAXED);
    node->references = 1;
    node_touch(node);
    node->accessed = node->modified;
    node->ops = kind == NODE_DIRECTORY ? &directory_ops : &ram_file_ops;
    list_init(&node->children);
    list_init(&node->sibling);
    list_init(&node->bucket);
    return node;
}

static void link_in(struct node *node, struct node *directory)
{
    node->parent = directory;
    list_add_tail(&directory->children, &node->sibling);
    list_add_head(bucket_of(directory, node->name), &node->bucket);
    node_touch(directory);
}

struct node *tree_add(struct node *directory, const char *name, enum node_kind kind, mode_t mode)
{
    struct node *node = node_new(name, kind, mode);
    if (node)
        link_in(node, directory);
    return node;
}

static void link_out(struct node *node)
{
    node_touch(node->parent);
    node->parent = NULL;
    list_remove(&node->sibling);
    list_remove(&node->bucket);
}

void tree_remove(struct node *node)
{
    link_out(node);
    node_release(node);
}

int tree_move(struct node *node, struct node *directory, const char *name)
{
    size_t length = strlen(name) + 1;
    char *copy = kmalloc(length);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, length);
    link_out(node);
    kfree(node->name);
    node->name = copy;
    link_in(node, directory);
    return 0;
}

/* Takes the next component off *PATH: its length, 0 at the end. */
static size_t next_component(const char **path, const char **component)
{
    *path += strspn(*path, "/");
    *component = *path;
    size_t length = strcspn(*path, "/");
    *path += length;
    return length;
}

/* What is left of a path (nothing, or from a slash on), behind the target of a symbolic link. */
static char *expand(const char *target, const char *rest)
{
    size_t first = strlen(target), second = strlen(rest);
    if (first + second + 1 > PATH_MAX)
        return NULL;
    char *path = kmalloc(first + second + 1);
    if (path) {
        memcpy(path, target, first);
        memcpy(path + first, rest, second + 1);
    }
    return path;
}

static int walk(struct node *at, const char *path, unsigned flags, unsigned links,
                struct node **directory, char name[NAME_MAX + 1], struct node **out)
{
    if (*path == '/')
        at = tree_root;
    name[0] = '\0';
    *directory = NULL;
    *out = at;
    const char *component;
    size_t length;
    while ((length = next_component(&path, &component)) != 0) {
        if (at->kind != NODE_DIRECTORY)
            return -ENOTDIR;
        if (!at->parent)
            return -ENOENT; /* removed while somebody's working directory */
        bool last = path[strspn(path, "/")] == '\0';
        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        if (component[0] == '.' && (length == 1 || (length == 2 && component[1] == '.'))) {
            at = length == 2 ? at->parent : at;
            name[0] = '\0';
            *directory = NULL;
            *out = at;
            continue;
        }
        memcpy(name, component, length);
        name[length] = '\0';
        *directory = at;
        int error = child(at, name, out);
        if (error)
            return error == -ENOENT && last ? 0 : error;
        /* A slash behind the last name asks for what the link points to. */
        if ((*out)->kind == NODE_LINK && (!last || *path == '/' || !(flags & TREE_NO_FOLLOW))) {
            if (links == 0)
                return -ELOOP;
            char *rest = expand((*out)->target, path);
            if (!rest)
                return -ENAMETOOLONG;
            error = walk(at, rest, flags, links - 1, directory, name, out);
            kfree(rest);
            return error;
        }
        if (*path == '/' && last && (*out)->kind != NODE_DIRECTORY)
            return -ENOTDIR;
        at = *out;
    }
    return 0;
}

int tree_walk(struct node *base, const char *path, unsigned flags, struct node **directory,
              char name[NAME_MAX + 1], struct node **out)
{
    size_t length = strnlen(path, PATH_MAX);
    if (length == 0)
        return -ENOENT;
    if (length == PATH_MAX)
        return -ENAMETOOLONG;
    return walk(base, path, flags, LINKS_MAX, directory, name, out);
}

int tree_find(struct node *base, const char *path, unsigned flags, struct node **out)
{
    char name[NAME_MAX + 1];
    struct node *directory;
    mutex_lock(&tree_lock);
    int error = tree_walk(base, path, flags, &directory, name, out);
    if (!error && !*out)
        error = -ENOENT;
    if (!error && (flags & TREE_DIRECTORY) && (*out)->kind != NODE_DIRECTORY)
        error = -ENOTDIR;
    if (!error)
        node_retain(*out);
    mutex_unlock(&tree_lock);
    return error;
}

int tree_make(const char *path, enum node_kind kind, mode_t mode, struct node **out)
{
    struct node *at = tree_root;
    const char *component;
    char name[NAME_MAX + 1];
    size_t length = next_component(&path, &component);
    int error = 0;
    mutex_lock(&tree_lock);
    while (length && !error) {
        if (length > NAME_MAX) {
            error = -ENAMETOOLONG;
            break;
        }
        memcpy(name, component, length);
        name[length] = '\0';
        length = next_component(&path, &component);
        bool last = length == 0;
        struct node *found = tree_child(at, name);
        if (at->kind != NODE_DIRECTORY)
            error = -ENOTDIR;
        else if (found && last && kind != NODE_DIRECTORY)
            error = -EEXIST;
        else if (!found &&
                 !(found = tree_add(at, name, last ? kind : NODE_DIRECTORY, last ? mode : 0755)))
            error = -ENOMEM;
        at = found;
    }
    if (!error && kind == NODE_DIRECTORY && at->kind != NODE_DIRECTORY)
        error = -EEXIST;
    mutex_unlock(&tree_lock);
    if (out)
        *out = error ? NULL : at;
    return error;
}

int tree_path(struct node *node, char *buffer, size_t size)
{
    /* Built from the end, then moved to the front. */
    size_t at = size;
    int result = -ERANGE;
    mutex_lock(&tree_lock);
    if (at > 0)
        buffer[--at] = '\0';
    for (; node != tree_root; node = node->parent) {
        if (!node->parent) {
            result = -ENOENT;
            goto out;
        }
        size_t length = strlen(node->name);
        if (at < length + 1)
            goto out;
        at -= length;
        memcpy(buffer + at, node->name, length);
        buffer[--at] = '/';
    }
    if (at == size - 1 && at > 0)
        buffer[--at] = '/';
    if (at < size && size - at >= 2) {
        memmove(buffer, buffer + at, size - at);
        result = (int)(size - at);
    }
out:
    mutex_unlock(&tree_lock);
    return result;
}

static struct timespec time_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
}

int node_stat(struct node *node, struct stat *out)
{
    static const mode_t types[] = {S_IFDIR, S_IFREG, S_IFLNK, S_IFCHR};
    if (node->fs && node->fs->stat)
        return node->fs->stat(node, out);
    memset(out, 0, sizeof *out);
    out->st_dev = 1;
    out->st_ino = node->inode;
    out->st_mode = types[node->kind] | node->mode;
    out->st_nlink = node->kind == NODE_DIRECTORY ? 2 : 1;
    out->st_rdev = node->device;
    out->st_size = node->kind == NODE_LINK ? (off_t)strlen(node->target) : (off_t)node->size;
    out->st_blksize = (blksize_t)PAGE_SIZE;
    out->st_blocks = (blkcnt_t)((node->size + 511) / 512);
    out->st_atim = time_of(node->accessed);
    out->st_mtim = time_of(node->modified);
    out->st_ctim = time_of(node->changed);
    return 0;
}

static int tree_init(void)
{
    tree_root = node_new("", NODE_DIRECTORY, 0755);
    if (!tree_root)
        return -ENOMEM;
    tree_root->parent = tree_root;
    return tree_make("tmp", NODE_DIRECTORY, 01777, NULL);
}
INIT(2, tree_init);
