/* Directories as open files: what is in them. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "fs/tree.h"
#include "posix/internal.h"

/* The position is the inode number of the last entry that was given out (numbers grow
 * in the order of the list); 0 and 1 stand before "." and "..". */
struct kernel_dirent {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

size_t directory_put(uint8_t *buffer, size_t size, size_t used, uint64_t inode, off_t next,
                     uint8_t type, const char *name, size_t length)
{
    size_t total = (offsetof(struct kernel_dirent, name) + length + 1 + 7) & ~(size_t)7;
    if (total > size - used)
        return 0;
    struct kernel_dirent *entry = (struct kernel_dirent *)(buffer + used);
    entry->inode = inode;
    entry->offset = next;
    entry->length = (uint16_t)total;
    entry->type = type;
    memcpy(entry->name, name, length);
    entry->name[length] = '\0';
    return total;
}

/* The same for a node; false: no room. */
static bool put_entry(uint8_t *buffer, size_t size, size_t *used, const struct node *node,
                      const char *name, off_t offset)
{
    static const uint8_t types[] = {DT_DIR, DT_REG, DT_LNK, DT_CHR};
    size_t put = directory_put(buffer, size, *used, node->inode, offset, types[node->kind], name,
                               strlen(name));
    *used += put;
    return put != 0;
}

static ssize_t directory_getdents(struct file *file, void *buffer, size_t size)
{
    struct node *directory = file->object;
    size_t used = 0;
    bool room = true;
    if (directory->fs && directory->fs->getdents)
        return directory->fs->getdents(directory, &file->offset, buffer, size);
    mutex_lock(&tree_lock);
    struct node *parent = directory->parent ? directory->parent : directory;
    if (file->offset == 0 && (room = put_entry(buffer, size, &used, directory, ".", 1)))
        file->offset = 1;
    if (file->offset == 1 && room && (room = put_entry(buffer, size, &used, parent, "..", 2)))
        file->offset = 2;
    if (file->offset >= 2)
        list_for_each(entry, &directory->children)
        {
            struct node *node = list_entry(entry, struct node, sibling);
            off_t position = (off_t)node->inode + 2;
            if (position <= file->offset)
                continue;
            if (!(room = room && put_entry(buffer, size, &used, node, node->name, position)))
                break;
            file->offset = position;
        }
    mutex_unlock(&tree_lock);
    return used || room ? (ssize_t)used : -EINVAL; /* the buffer holds not even one */
}

static ssize_t directory_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)file, (void)iov, (void)count, (void)offset;
    return -EISDIR;
}

static off_t directory_seek(struct file *file, off_t offset, int whence)
{
    if (whence == SEEK_CUR && offset == 0)
        return file->offset;
    return whence == SEEK_SET && offset >= 0 ? offset : -EINVAL;
}

static int directory_stat(struct file *file, struct stat *out)
{
    return node_stat(file->object, out);
}

static void directory_release(struct file *file)
{
    node_release(file->object);
}

const struct file_ops directory_ops = {.name = "directory",
                                       .is_node = true,
                                       .read = directory_read,
                                       .seek = directory_seek,
                                       .stat = directory_stat,
                                       .getdents = directory_getdents,
                                       .release = directory_release};

SYSCALL(getdents64)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result = -ENOTDIR;
    if (file->ops->getdents) {
        mutex_lock(&file->lock);
        result = file->ops->getdents(file, (void *)b, (size_t)(unsigned)c);
        mutex_unlock(&file->lock);
    }
    file_release(file);
    return result;
}
