/* Life of an open file, from file_new() to the release of its last reference. */
#include "mm/heap.h"
#include "posix/internal.h"

struct file *file_new(const struct file_ops *ops, void *object, int flags)
{
    struct file *file = kcalloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->ops = ops;
    file->object = object;
    file->flags = flags;
    file->references = 1;
    list_init(&file->watchers);
    return file;
}

void file_retain(struct file *file)
{
    __atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
}

void file_release(struct file *file)
{
    if (__atomic_sub_fetch(&file->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (!list_empty(&file->watchers))
        epoll_file_released(file);
    if (file->ops->release)
        file->ops->release(file);
    kfree(file);
}
