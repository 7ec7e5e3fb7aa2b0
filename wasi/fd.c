/* The descriptor table and the calls on open descriptors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "functions.h"

enum { MAX_FDS = 65536 };

struct wasi_fd *wasi_fd_get(struct wasi *wasi, uint32_t fd, uint64_t rights, uint32_t *error)
{
    if (fd >= wasi->fd_count || !wasi->fds[fd].used) {
        *error = WASI_EBADF;
        return NULL;
    }
    if ((wasi->fds[fd].rights & rights) != rights) {
        *error = WASI_ENOTCAPABLE;
        return NULL;
    }
    return &wasi->fds[fd];
}

uint32_t wasi_fd_new(struct wasi *wasi, int host, uint8_t type, uint64_t rights,
                     uint64_t inheriting)
{
    uint32_t fd = 0;
    while (fd < wasi->fd_count && wasi->fds[fd].used)
        fd++;
    if (fd == wasi->fd_count) {
        if (fd >= MAX_FDS) {
            errno = EMFILE;
            return WASI_NO_FD;
        }
        uint32_t count = fd ? fd * 2 : 8;
        struct wasi_fd *fds = realloc(wasi->fds, count * sizeof(*fds));
        if (!fds)
            return WASI_NO_FD;
        memset(fds + fd, 0, (count - fd) * sizeof(*fds));
        wasi->fds = fds;
        wasi->fd_count = count;
    }
    wasi->fds[fd] = (struct wasi_fd){
        .used = true, .type = type, .host = host, .rights = rights, .inheriting = inheriting};
    return fd;
}

void wasi_fd_drop(struct wasi_fd *fd)
{
    if (fd->dir)
        closedir(fd->dir);
    if (!fd->keep)
        close(fd->host);
    else if (fd->flags >= 0)
        fcntl(fd->host, F_SETFL, fd->flags);
    free(fd->preopen);
    memset(fd, 0, sizeof(*fd));
}

uint8_t wasi_filetype(mode_t mode)
{
    return S_ISREG(mode)    ? FILETYPE_REGULAR
           : S_ISDIR(mode)  ? FILETYPE_DIRECTORY
           : S_ISCHR(mode)  ? FILETYPE_CHARACTER
           : S_ISBLK(mode)  ? FILETYPE_BLOCK
           : S_ISLNK(mode)  ? FILETYPE_SYMLINK
           : S_ISSOCK(mode) ? FILETYPE_STREAM
                            : FILETYPE_UNKNOWN;
}

int wasi_to_fdflags(uint32_t flags)
{
    return (flags & FDFLAG_APPEND ? O_APPEND : 0) | (flags & FDFLAG_DSYNC ? O_DSYNC : 0) |
           (flags & FDFLAG_NONBLOCK ? O_NONBLOCK : 0) |
           (flags & (FDFLAG_SYNC | FDFLAG_RSYNC) ? O_SYNC : 0);
}

static uint16_t from_fdflags(int flags)
{
    return (uint16_t)((flags & O_APPEND ? FDFLAG_APPEND : 0) |
                      ((flags & O_SYNC) == O_SYNC     ? FDFLAG_SYNC
                       : (flags & O_DSYNC) == O_DSYNC ? FDFLAG_DSYNC
                                                      : 0) |
                      (flags & O_NONBLOCK ? FDFLAG_NONBLOCK : 0));
}

/* What lies before 1970 or after 2554 has no number in WASI. */
static uint64_t to_ns(struct timespec time)
{
    const uint64_t second = 1000000000u;
    if (time.tv_sec < 0)
        return 0;
    if ((uint64_t)time.tv_sec >= UINT64_MAX / second)
        return UINT64_MAX;
    return (uint64_t)time.tv_sec * second + (uint64_t)time.tv_nsec;
}

void wasi_filestat(const struct stat *from, uint8_t out[64])
{
    uint64_t fields[8] = {(uint64_t)from->st_dev,       (uint64_t)from->st_ino,
                          wasi_filetype(from->st_mode), (uint64_t)from->st_nlink,
                          (uint64_t)from->st_size,      to_ns(from->st_atim),
                          to_ns(from->st_mtim),         to_ns(from->st_ctim)};
    memcpy(out, fields, sizeof(fields));
}

bool wasi_times(uint64_t atim, uint64_t mtim, uint32_t flags, struct timespec out[2])
{
    const struct timespec omit = {0, UTIME_OMIT}, now = {0, UTIME_NOW};
    if ((flags & FSTFLAG_ATIM && flags & FSTFLAG_ATIM_NOW) ||
        (flags & FSTFLAG_MTIM && flags & FSTFLAG_MTIM_NOW) || flags > 15)
        return false;
    out[0] = out[1] = omit;
    if (flags & FSTFLAG_ATIM)
        out[0] = (struct timespec){(time_t)(atim / 1000000000u), (long)(atim % 1000000000u)};
    if (flags & FSTFLAG_ATIM_NOW)
        out[0] = now;
    if (flags & FSTFLAG_MTIM)
        out[1] = (struct timespec){(time_t)(mtim / 1000000000u), (long)(mtim % 1000000000u)};
    if (flags & FSTFLAG_MTIM_NOW)
        out[1] = now;
    return true;
}

/* 0 or the error of a POSIX call that returns -1. */
static uint32_t status(int result)
{
    return result < 0 ? wasi_errno(errno) : WASI_ESUCCESS;
}

#define FD_GET(name, fd, rights)                                                                   \
    uint32_t error_;                                                                               \
    struct wasi_fd *name = wasi_fd_get(wasi_of(in), fd, rights, &error_);                          \
    if (!name)                                                                                     \
        return error_;

uint32_t wasi_fd_advise(struct wasm_instance *in, uint32_t fd, uint64_t offset, uint64_t len,
                        uint32_t advice)
{
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    FD_GET(f, fd, RIGHT_FD_ADVISE)
    if (advice >= sizeof(advices) / sizeof(*advices) || offset > INT64_MAX || len > INT64_MAX)
        return WASI_EINVAL;
    if (f->type == FILETYPE_DIRECTORY)
        return WASI_EBADF;
    return wasi_errno(posix_fadvise(f->host, (off_t)offset, (off_t)len, advices[advice]));
}

uint32_t wasi_fd_allocate(struct wasm_instance *in, uint32_t fd, uint64_t offset, uint64_t len)
{
    FD_GET(f, fd, RIGHT_FD_ALLOCATE)
    if (offset > INT64_MAX || len > INT64_MAX)
        return WASI_EINVAL;
    return wasi_errno(posix_fallocate(f->host, (off_t)offset, (off_t)len));
}

uint32_t wasi_fd_close(struct wasm_instance *in, uint32_t fd)
{
    FD_GET(f, fd, 0)
    wasi_fd_drop(f);
    return WASI_ESUCCESS;
}

uint32_t wasi_fd_datasync(struct wasm_instance *in, uint32_t fd)
{
    FD_GET(f, fd, RIGHT_FD_DATASYNC)
    return status(fdatasync(f->host));
}

uint32_t wasi_fd_sync(struct wasm_instance *in, uint32_t fd)
{
    FD_GET(f, fd, RIGHT_FD_SYNC)
    return status(fsync(f->host));
}

uint32_t wasi_fd_fdstat_get(struct wasm_instance *in, uint32_t fd, uint32_t out)
{
    FD_GET(f, fd, 0)
    int flags = fcntl(f->host, F_GETFL);
    if (flags < 0)
        return wasi_errno(errno);
    uint8_t stat[24] = {f->type};
    uint16_t fdflags = from_fdflags(flags);
    memcpy(stat + 2, &fdflags, 2);
    memcpy(stat + 8, &f->rights, 8);
    memcpy(stat + 16, &f->inheriting, 8);
    return guest_put(in, out, stat, sizeof(stat)) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_fd_fdstat_set_flags(struct wasm_instance *in, uint32_t fd, uint32_t flags)
{
    FD_GET(f, fd, RIGHT_FD_FDSTAT_SET_FLAGS)
    if (flags > 31)
        return WASI_EINVAL;
    /* The others cannot be changed on an open descriptor. */
    int old = fcntl(f->host, F_GETFL), now = wasi_to_fdflags(flags);
    if (old < 0)
        return wasi_errno(errno);
    if ((old ^ now) & O_SYNC)
        return WASI_ENOTSUP;
    return status(fcntl(f->host, F_SETFL, (old & ~(O_APPEND | O_NONBLOCK)) | now));
}

uint32_t wasi_fd_fdstat_set_rights(struct wasm_instance *in, uint32_t fd, uint64_t rights,
                                   uint64_t inheriting)
{
    FD_GET(f, fd, 0)
    if ((rights & ~f->rights) || (inheriting & ~f->inheriting))
        return WASI_ENOTCAPABLE;
    f->rights = rights;
    f->inheriting = inheriting;
    return WASI_ESUCCESS;
}

uint32_t wasi_fd_filestat_get(struct wasm_instance *in, uint32_t fd, uint32_t out)
{
    FD_GET(f, fd, RIGHT_FD_FILESTAT_GET)
    struct stat st;
    uint8_t filestat[64];
    if (fstat(f->host, &st))
        return wasi_errno(errno);
    wasi_filestat(&st, filestat);
    filestat[16] = f->type;
    return guest_put(in, out, filestat, sizeof(filestat)) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_fd_filestat_set_size(struct wasm_instance *in, uint32_t fd, uint64_t size)
{
    FD_GET(f, fd, RIGHT_FD_FILESTAT_SET_SIZE)
    return size > INT64_MAX ? WASI_EINVAL : status(ftruncate(f->host, (off_t)size));
}

uint32_t wasi_fd_filestat_set_times(struct wasm_instance *in, uint32_t fd, uint64_t atim,
                                    uint64_t mtim, uint32_t flags)
{
    FD_GET(f, fd, RIGHT_FD_FILESTAT_SET_TIMES)
    struct timespec times[2];
    return wasi_times(atim, mtim, flags, times) ? status(futimens(f->host, times)) : WASI_EINVAL;
}

/* Streams have no position, whatever the rights say. */
static bool is_stream(const struct wasi_fd *f)
{
    return f->type != FILETYPE_REGULAR && f->type != FILETYPE_DIRECTORY &&
           f->type != FILETYPE_BLOCK;
}

/* Reading and writing. AT is the offset of the positioned calls, -1 for the others. */
static uint32_t transfer(struct wasm_instance *in, uint32_t fd, uint64_t right, uint32_t iovs,
                         uint32_t count, off_t at, uint32_t out)
{
    FD_GET(f, fd, right)
    if (at >= 0 && is_stream(f))
        return WASI_ESPIPE;
    if (at >= 0 && !(f->rights & RIGHT_FD_SEEK))
        return WASI_ENOTCAPABLE;
    struct iovec iov[WASI_IOVS];
    int n = guest_iovecs(in, iovs, count, iov);
    if (n < 0 || !wasm_memory_at(in, out, 4))
        return WASI_EFAULT;
    bool reads = right == RIGHT_FD_READ;
    ssize_t moved = at < 0 ? (reads ? readv(f->host, iov, n) : writev(f->host, iov, n))
                           : (reads ? preadv(f->host, iov, n, at) : pwritev(f->host, iov, n, at));
    if (moved < 0)
        return wasi_errno(errno);
    return guest_put32(in, out, (uint32_t)moved) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_fd_read(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                      uint32_t out)
{
    return transfer(in, fd, RIGHT_FD_READ, iovs, count, -1, out);
}

uint32_t wasi_fd_write(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                       uint32_t out)
{
    return transfer(in, fd, RIGHT_FD_WRITE, iovs, count, -1, out);
}

uint32_t wasi_fd_pread(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                       uint64_t offset, uint32_t out)
{
    return offset > INT64_MAX ? WASI_EINVAL
                              : transfer(in, fd, RIGHT_FD_READ, iovs, count, (off_t)offset, out);
}

uint32_t wasi_fd_pwrite(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                        uint64_t offset, uint32_t out)
{
    return offset > INT64_MAX ? WASI_EINVAL
                              : transfer(in, fd, RIGHT_FD_WRITE, iovs, count, (off_t)offset, out);
}

static uint32_t seek(struct wasm_instance *in, struct wasi_fd *f, int64_t offset, int whence,
                     uint32_t out)
{
    if (!wasm_memory_at(in, out, 8))
        return WASI_EFAULT;
    off_t at = lseek(f->host, (off_t)offset, whence);
    if (at < 0)
        return wasi_errno(errno);
    return guest_put64(in, out, (uint64_t)at) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_fd_seek(struct wasm_instance *in, uint32_t fd, uint64_t offset, uint32_t whence,
                      uint32_t out)
{
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    /* Asking where it stands needs less than moving it. */
    bool tells = whence == 1 && !offset;
    FD_GET(f, fd, 0)
    if (is_stream(f))
        return WASI_ESPIPE;
    if (!(f->rights & RIGHT_FD_SEEK) && !(tells && f->rights & RIGHT_FD_TELL))
        return WASI_ENOTCAPABLE;
    if (whence >= sizeof(whences) / sizeof(*whences))
        return WASI_EINVAL;
    return seek(in, f, (int64_t)offset, whences[whence], out);
}

uint32_t wasi_fd_tell(struct wasm_instance *in, uint32_t fd, uint32_t out)
{
    FD_GET(f, fd, 0)
    if (is_stream(f))
        return WASI_ESPIPE;
    if (!(f->rights & RIGHT_FD_TELL))
        return WASI_ENOTCAPABLE;
    return seek(in, f, 0, SEEK_CUR, out);
}

uint32_t wasi_fd_prestat_get(struct wasm_instance *in, uint32_t fd, uint32_t out)
{
    FD_GET(f, fd, 0)
    if (!f->preopen)
        return WASI_EBADF;
    uint32_t prestat[2] = {0 /* a directory */, (uint32_t)strlen(f->preopen)};
    return guest_put(in, out, prestat, sizeof(prestat)) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_fd_prestat_dir_name(struct wasm_instance *in, uint32_t fd, uint32_t path,
                                  uint32_t len)
{
    FD_GET(f, fd, 0)
    if (!f->preopen)
        return WASI_EBADF;
    uint32_t have = (uint32_t)strlen(f->preopen);
    if (len < have)
        return WASI_ENAMETOOLONG;
    return guest_put(in, path, f->preopen, have) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_fd_renumber(struct wasm_instance *in, uint32_t from, uint32_t to)
{
    FD_GET(f, from, 0)
    struct wasi_fd *t = wasi_fd_get(wasi_of(in), to, 0, &error_);
    if (!t)
        return error_;
    if (f == t)
        return WASI_ESUCCESS;
    wasi_fd_drop(t);
    *t = *f;
    memset(f, 0, sizeof(*f));
    return WASI_ESUCCESS;
}

static uint8_t entry_type(const struct dirent *entry)
{
    switch (entry->d_type) {
    case DT_REG: return FILETYPE_REGULAR;
    case DT_DIR: return FILETYPE_DIRECTORY;
    case DT_LNK: return FILETYPE_SYMLINK;
    case DT_CHR: return FILETYPE_CHARACTER;
    case DT_BLK: return FILETYPE_BLOCK;
    case DT_SOCK: return FILETYPE_STREAM;
    default: return FILETYPE_UNKNOWN;
    }
}

uint32_t wasi_fd_readdir(struct wasm_instance *in, uint32_t fd, uint32_t buffer, uint32_t len,
                         uint64_t cookie, uint32_t out)
{
    FD_GET(f, fd, RIGHT_FD_READDIR)
    uint8_t *to = wasm_memory_at(in, buffer, len);
    if (cookie > INT64_MAX)
        return WASI_EINVAL;
    if (!to || !wasm_memory_at(in, out, 4))
        return WASI_EFAULT;
    if (!f->dir) {
        int own = openat(f->host, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        f->dir = own < 0 ? NULL : fdopendir(own);
        if (!f->dir) {
            int error = errno;
            if (own >= 0)
                close(own);
            return wasi_errno(error);
        }
    }
    if (cookie)
        seekdir(f->dir, (long)cookie);
    else
        rewinddir(f->dir);
    uint32_t used = 0;
    /* Entries until the buffer is full; the last may be cut, which tells that there are more. */
    while (used < len) {
        errno = 0;
        const struct dirent *entry = readdir(f->dir);
        if (!entry) {
            if (errno)
                return wasi_errno(errno);
            break;
        }
        uint8_t head[24] = {0};
        uint64_t next = (uint64_t)telldir(f->dir), ino = entry->d_ino;
        uint32_t name = (uint32_t)strlen(entry->d_name);
        memcpy(head, &next, 8);
        memcpy(head + 8, &ino, 8);
        memcpy(head + 16, &name, 4);
        head[20] = entry_type(entry);
        uint32_t part = len - used < sizeof(head) ? len - used : (uint32_t)sizeof(head);
        memcpy(to + used, head, part);
        used += part;
        part = len - used < name ? len - used : name;
        memcpy(to + used, entry->d_name, part);
        used += part;
    }
    return guest_put32(in, out, used) ? WASI_ESUCCESS : WASI_EFAULT;
}
