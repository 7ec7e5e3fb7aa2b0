/* read(), write() and their kin over whatever a descriptor refers to: lengths, the position and the
 * access mode are checked here once. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "posix/internal.h"

size_t iov_length(const struct iovec *iov, int count)
{
    if (count < 0 || count > POSIX_IOV_MAX)
        return SIZE_MAX;
    size_t total = 0;
    for (int i = 0; i < count; i++)
        if (iov[i].iov_len > SSIZE_MAX || (total += iov[i].iov_len) > SSIZE_MAX)
            return SIZE_MAX;
    return total;
}

static size_t iov_copy(const struct iovec *iov, int count, size_t offset, uint8_t *flat,
                       size_t size, bool into_iov)
{
    size_t done = 0;
    for (int i = 0; i < count && done < size; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        size_t n = iov[i].iov_len - offset;
        if (n > size - done)
            n = size - done;
        uint8_t *piece = (uint8_t *)iov[i].iov_base + offset;
        memcpy(into_iov ? piece : flat + done, into_iov ? flat + done : piece, n);
        done += n;
        offset = 0;
    }
    return done;
}

size_t iov_fill(const struct iovec *iov, int count, size_t offset, const void *from, size_t size)
{
    return iov_copy(iov, count, offset, (uint8_t *)(uintptr_t)from, size, true);
}

size_t iov_drain(const struct iovec *iov, int count, size_t offset, void *to, size_t size)
{
    return iov_copy(iov, count, offset, to, size, false);
}

static ssize_t transfer(struct file *file, const struct iovec *iov, int count, bool writing)
{
    if ((file->flags & O_ACCMODE) == (writing ? O_RDONLY : O_WRONLY) || file->flags & O_PATH)
        return -EBADF;
    ssize_t (*move)(struct file *, const struct iovec *, int, off_t) =
        writing ? file->ops->write : file->ops->read;
    if (!move || iov_length(iov, count) == SIZE_MAX)
        return -EINVAL;
    if (!file->ops->seek)
        return move(file, iov, count, -1);
    mutex_lock(&file->lock);
    bool append = writing && file->flags & O_APPEND;
    ssize_t moved = move(file, iov, count, append ? -1 : file->offset);
    if (moved > 0 && !append)
        file->offset += moved;
    mutex_unlock(&file->lock);
    return moved;
}

ssize_t file_readv(struct file *file, const struct iovec *iov, int count)
{
    return transfer(file, iov, count, false);
}

ssize_t file_writev(struct file *file, const struct iovec *iov, int count)
{
    return transfer(file, iov, count, true);
}

static long fd_transfer(int fd, const struct iovec *iov, int count, bool writing)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    long moved = transfer(file, iov, count, writing);
    file_release(file);
    return moved;
}

static long fd_transfer_at(int fd, const struct iovec *iov, int count, off_t offset, bool writing)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    size_t total = iov_length(iov, count);
    ssize_t (*move)(struct file *, const struct iovec *, int, off_t) =
        writing ? file->ops->write : file->ops->read;
    long moved;
    if ((file->flags & O_ACCMODE) == (writing ? O_RDONLY : O_WRONLY) || file->flags & O_PATH)
        moved = -EBADF;
    else if (!file->ops->seek)
        moved = -ESPIPE;
    else if (!move || offset < 0 || total == SIZE_MAX ||
             __builtin_add_overflow(offset, (off_t)total, &(off_t){0}))
        moved = -EINVAL;
    else
        moved = move(file, iov, count, offset);
    file_release(file);
    return moved;
}

SYSCALL(read)
{
    return fd_transfer((int)a, &(struct iovec){(void *)b, (size_t)c}, 1, false);
}

SYSCALL(write)
{
    return fd_transfer((int)a, &(struct iovec){(void *)b, (size_t)c}, 1, true);
}

SYSCALL(readv)
{
    return fd_transfer((int)a, (const struct iovec *)b, (int)c, false);
}

SYSCALL(writev)
{
    return fd_transfer((int)a, (const struct iovec *)b, (int)c, true);
}

SYSCALL(pread64)
{
    return fd_transfer_at((int)a, &(struct iovec){(void *)b, (size_t)c}, 1, d, false);
}

SYSCALL(pwrite64)
{
    return fd_transfer_at((int)a, &(struct iovec){(void *)b, (size_t)c}, 1, d, true);
}

SYSCALL(preadv)
{
    return fd_transfer_at((int)a, (const struct iovec *)b, (int)c, d, false);
}

SYSCALL(pwritev)
{
    return fd_transfer_at((int)a, (const struct iovec *)b, (int)c, d, true);
}

SYSCALL(lseek)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result = -ESPIPE;
    if (file->ops->seek) {
        mutex_lock(&file->lock);
        result = file->ops->seek(file, b, (int)c);
        if (result >= 0)
            file->offset = result;
        mutex_unlock(&file->lock);
    }
    file_release(file);
    return result;
}

SYSCALL(ioctl)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    long result = 0;
    if ((unsigned)b == FIONBIO)
        file->flags = *(int *)c ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK;
    else if ((unsigned)b == FIOCLEX || (unsigned)b == FIONCLEX)
        result = 0; /* there is no exec */
    else
        result = file->ops->ioctl ? file->ops->ioctl(file, (unsigned)b, (unsigned long)c) : -ENOTTY;
    file_release(file);
    return result;
}

/* Copies COUNT bytes from IN (at OFFSET, or at its position when that is NULL) to OUT. */
static long send_file(struct file *out, struct file *in, off_t *offset, size_t count)
{
    enum { PIECE = 32768 };
    if (!in->ops->seek || !in->ops->read)
        return -EINVAL;
    off_t position = offset ? *offset : in->offset;
    if (position < 0)
        return -EINVAL;
    uint8_t *buffer = kmalloc(count < PIECE ? count + 1 : PIECE);
    if (!buffer)
        return -ENOMEM;
    size_t done = 0;
    long error = 0;
    while (done < count) {
        struct iovec piece = {buffer, count - done < PIECE ? count - done : PIECE};
        ssize_t got = in->ops->read(in, &piece, 1, position);
        if (got <= 0) {
            error = got;
            break;
        }
        size_t sent = 0;
        while (sent < (size_t)got) {
            struct iovec rest = {buffer + sent, (size_t)got - sent};
            ssize_t put = file_writev(out, &rest, 1);
            if (put <= 0) {
                error = put;
                break;
            }
            sent += (size_t)put;
        }
        done += sent;
        position += (off_t)sent;
        if (sent < (size_t)got)
            break;
    }
    kfree(buffer);
    if (offset)
        *offset = position;
    else
        in->offset = position;
    return done ? (long)done : error;
}

SYSCALL(sendfile)
{
    struct file *out = fd_get((int)a), *in = fd_get((int)b);
    long result = -EBADF;
    if (out && in && (in->flags & O_ACCMODE) != O_WRONLY)
        result = send_file(out, in, (off_t *)c, d < 0 ? 0 : (size_t)d);
    if (out)
        file_release(out);
    if (in)
        file_release(in);
    return result;
}

/* Files in memory are as safe as they will get; others know what to do. */
static long sync_file(int fd, bool data_only)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    long result = file->ops->sync ? file->ops->sync(file, data_only) : 0;
    file_release(file);
    return result;
}

SYSCALL(fsync)
{
    return sync_file((int)a, false);
}

SYSCALL(fdatasync)
{
    return sync_file((int)a, true);
}

SYSCALL(sync)
{
    return 0;
}
