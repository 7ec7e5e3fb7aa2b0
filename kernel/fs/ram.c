/* Contents of files: in place (an archive's, read-only) or in frames that come with the first
 * write. All files together take at most half of memory, so that a log file cannot starve the
 * machine; then writes answer ENOSPC. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "fs/tree.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "posix/file.h"
#include "posix/internal.h"

static uint64_t frames_used;
static const uint64_t SIZE_LIMIT = 1ull << 40;

static uint8_t *page_new(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    if (__atomic_add_fetch(&frames_used, 1, __ATOMIC_RELAXED) <= stats.total / 2) {
        paddr_t frame = frame_alloc();
        if (frame != FRAME_NONE)
            return memset(frame_to_virt(frame), 0, PAGE_SIZE);
    }
    __atomic_sub_fetch(&frames_used, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void page_free(uint8_t *page)
{
    if (!page)
        return;
    frame_free(virt_to_frame(page));
    __atomic_sub_fetch(&frames_used, 1, __ATOMIC_RELAXED);
}

void ram_free(struct node *node)
{
    for (size_t i = 0; i < node->page_count; i++)
        page_free(node->pages[i]);
    kfree(node->pages);
    node->pages = NULL;
    node->page_count = 0;
}

/* Entries for COUNT pages; with the node's lock held. */
static int pages_grow(struct node *node, size_t count)
{
    if (count <= node->page_count)
        return 0;
    size_t room = node->page_count ? node->page_count : 4;
    while (room < count)
        room *= 2;
    uint8_t **pages = krealloc(node->pages, room * sizeof *pages);
    if (!pages)
        return -ENOSPC;
    memset(pages + node->page_count, 0, (room - node->page_count) * sizeof *pages);
    node->pages = pages;
    node->page_count = room;
    return 0;
}

int ram_truncate(struct node *node, uint64_t size)
{
    if (node->read_only)
        return -EROFS;
    if (size > SIZE_LIMIT)
        return -EFBIG;
    mutex_lock(&node->lock);
    if (size < node->size) {
        size_t keep = (size + PAGE_SIZE - 1) / PAGE_SIZE;
        for (size_t i = keep; i < node->page_count; i++) {
            page_free(node->pages[i]);
            node->pages[i] = NULL;
        }
        /* What is beyond the end must read as zero when the file grows again. */
        if (size % PAGE_SIZE && keep <= node->page_count && node->pages[keep - 1])
            memset(node->pages[keep - 1] + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
    }
    node->size = size;
    node_touch(node);
    mutex_unlock(&node->lock);
    return 0;
}

static ssize_t ram_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    struct node *node = file->object;
    uint64_t at = (uint64_t)offset, done = 0, want = iov_length(iov, count);
    if (node->fixed) {
        uint64_t left = at < node->size ? node->size - at : 0;
        if (want > left)
            want = left;
        return want ? (ssize_t)iov_fill(iov, count, 0, node->fixed + at, want) : 0;
    }
    static const uint8_t zeros[PAGE_SIZE];
    mutex_lock(&node->lock);
    uint64_t left = at < node->size ? node->size - at : 0;
    if (want > left)
        want = left;
    while (done < want) {
        size_t index = (at + done) / PAGE_SIZE, within = (at + done) % PAGE_SIZE;
        size_t n = PAGE_SIZE - within < want - done ? PAGE_SIZE - within : want - done;
        const uint8_t *page = index < node->page_count ? node->pages[index] : NULL;
        iov_fill(iov, count, done, (page ? page : zeros) + within, n);
        done += n;
    }
    mutex_unlock(&node->lock);
    return (ssize_t)done;
}

static ssize_t ram_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    struct node *node = file->object;
    uint64_t done = 0, want = iov_length(iov, count), end;
    if (node->read_only)
        return -EROFS;
    mutex_lock(&node->lock);
    uint64_t at = offset < 0 ? node->size : (uint64_t)offset;
    int error = 0;
    if (__builtin_add_overflow(at, want, &end) || end > SIZE_LIMIT)
        error = -EFBIG;
    else if (want)
        error = pages_grow(node, (end + PAGE_SIZE - 1) / PAGE_SIZE);
    while (!error && done < want) {
        size_t index = (at + done) / PAGE_SIZE, within = (at + done) % PAGE_SIZE;
        size_t n = PAGE_SIZE - within < want - done ? PAGE_SIZE - within : want - done;
        if (!node->pages[index] && !(node->pages[index] = page_new())) {
            error = -ENOSPC;
            break;
        }
        iov_drain(iov, count, done, node->pages[index] + within, n);
        done += n;
    }
    if (done) {
        if (at + done > node->size)
            node->size = at + done;
        node_touch(node);
    }
    mutex_unlock(&node->lock);
    if (offset < 0 && done)
        file->offset = (off_t)(at + done);
    return done ? (ssize_t)done : error;
}

static off_t ram_seek(struct file *file, off_t offset, int whence)
{
    struct node *node = file->object;
    off_t base = 0, result;
    switch (whence) {
    case SEEK_SET: break;
    case SEEK_CUR: base = file->offset; break;
    case SEEK_END: base = (off_t)node->size; break;
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(base, offset, &result))
        return -EINVAL; /* as Linux answers, though POSIX would have EOVERFLOW */
    return result < 0 ? -EINVAL : result;
}

static int ram_stat(struct file *file, struct stat *out)
{
    return node_stat(file->object, out);
}

static int ram_file_truncate(struct file *file, off_t size)
{
    return size < 0 ? -EINVAL : ram_truncate(file->object, (uint64_t)size);
}

static void ram_release(struct file *file)
{
    node_release(file->object);
}

const struct file_ops ram_file_ops = {.name = "file",
                                      .is_node = true,
                                      .read = ram_read,
                                      .write = ram_write,
                                      .seek = ram_seek,
                                      .stat = ram_stat,
                                      .truncate = ram_file_truncate,
                                      .release = ram_release};
