/* Calls with paths, relative to a directory the program holds. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "functions.h"
#include "resolve.h"

/* Resolves PATH beneath descriptor FD with RIGHTS. */
static uint32_t beneath(struct wasm_instance *in, uint32_t fd, uint64_t rights, uint32_t path,
                        uint32_t len, bool follow, struct resolved *out)
{
    uint32_t error = WASI_ESUCCESS;
    const struct wasi_fd *f = wasi_fd_get(wasi_of(in), fd, rights, &error);
    return f ? resolve(in, f, path, len, follow, out) : error;
}

static bool valid_lookup(uint32_t flags)
{
    return !(flags & ~(uint32_t)LOOKUP_SYMLINK_FOLLOW);
}

/* Ends a call: the resolution's descriptors go, the POSIX result becomes ours. */
static uint32_t finish(struct resolved *r, int result)
{
    uint32_t error = result < 0 ? wasi_errno(errno) : WASI_ESUCCESS;
    resolve_done(r);
    return error;
}

uint32_t wasi_path_create_directory(struct wasm_instance *in, uint32_t fd, uint32_t path,
                                    uint32_t len)
{
    struct resolved r;
    uint32_t error = beneath(in, fd, RIGHT_PATH_CREATE_DIRECTORY, path, len, false, &r);
    return error ? error : finish(&r, mkdirat(r.dir, r.name, 0777));
}

uint32_t wasi_path_remove_directory(struct wasm_instance *in, uint32_t fd, uint32_t path,
                                    uint32_t len)
{
    struct resolved r;
    uint32_t error = beneath(in, fd, RIGHT_PATH_REMOVE_DIRECTORY, path, len, false, &r);
    return error ? error : finish(&r, unlinkat(r.dir, r.name, AT_REMOVEDIR));
}

uint32_t wasi_path_unlink_file(struct wasm_instance *in, uint32_t fd, uint32_t path, uint32_t len)
{
    struct resolved r;
    uint32_t error = beneath(in, fd, RIGHT_PATH_UNLINK_FILE, path, len, false, &r);
    if (error)
        return error;
    if (r.slash) {
        resolve_done(&r);
        return WASI_ENOTDIR;
    }
    return finish(&r, unlinkat(r.dir, r.name, 0));
}

static int stat_at(const struct resolved *r, struct stat *out)
{
    if (fstatat(r->dir, r->name, out, AT_SYMLINK_NOFOLLOW))
        return -1;
    if (r->slash && !S_ISDIR(out->st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    return 0;
}

uint32_t wasi_path_filestat_get(struct wasm_instance *in, uint32_t fd, uint32_t flags,
                                uint32_t path, uint32_t len, uint32_t out)
{
    struct resolved r;
    struct stat st;
    uint8_t filestat[64];
    if (!valid_lookup(flags))
        return WASI_EINVAL;
    uint32_t error =
        beneath(in, fd, RIGHT_PATH_FILESTAT_GET, path, len, flags & LOOKUP_SYMLINK_FOLLOW, &r);
    if (error || (error = finish(&r, stat_at(&r, &st))))
        return error;
    wasi_filestat(&st, filestat);
    return guest_put(in, out, filestat, sizeof(filestat)) ? WASI_ESUCCESS : WASI_EFAULT;
}

uint32_t wasi_path_filestat_set_times(struct wasm_instance *in, uint32_t fd, uint32_t flags,
                                      uint32_t path, uint32_t len, uint64_t atim, uint64_t mtim,
                                      uint32_t fst_flags)
{
    struct resolved r;
    struct timespec times[2];
    if (!valid_lookup(flags) || !wasi_times(atim, mtim, fst_flags, times))
        return WASI_EINVAL;
    uint32_t error = beneath(in, fd, RIGHT_PATH_FILESTAT_SET_TIMES, path, len,
                             flags & LOOKUP_SYMLINK_FOLLOW, &r);
    return error ? error : finish(&r, utimensat(r.dir, r.name, times, AT_SYMLINK_NOFOLLOW));
}

uint32_t wasi_path_link(struct wasm_instance *in, uint32_t old_fd, uint32_t flags,
                        uint32_t old_path, uint32_t old_len, uint32_t new_fd, uint32_t new_path,
                        uint32_t new_len)
{
    struct resolved from, to;
    if (!valid_lookup(flags))
        return WASI_EINVAL;
    uint32_t error = beneath(in, old_fd, RIGHT_PATH_LINK_SOURCE, old_path, old_len,
                             flags & LOOKUP_SYMLINK_FOLLOW, &from);
    if (error)
        return error;
    error = beneath(in, new_fd, RIGHT_PATH_LINK_TARGET, new_path, new_len, false, &to);
    if (!error && (from.slash || to.slash)) {
        resolve_done(&to);
        error = WASI_ENOENT;
    }
    if (!error)
        error = finish(&to, linkat(from.dir, from.name, to.dir, to.name, 0));
    resolve_done(&from);
    return error;
}

uint32_t wasi_path_rename(struct wasm_instance *in, uint32_t old_fd, uint32_t old_path,
                          uint32_t old_len, uint32_t new_fd, uint32_t new_path, uint32_t new_len)
{
    struct resolved from, to;
    uint32_t error = beneath(in, old_fd, RIGHT_PATH_RENAME_SOURCE, old_path, old_len, false, &from);
    if (error)
        return error;
    error = beneath(in, new_fd, RIGHT_PATH_RENAME_TARGET, new_path, new_len, false, &to);
    struct stat st;
    if (!error && (from.slash || to.slash) &&
        !fstatat(from.dir, from.name, &st, AT_SYMLINK_NOFOLLOW) && !S_ISDIR(st.st_mode)) {
        resolve_done(&to);
        error = WASI_ENOTDIR;
    }
    if (!error)
        error = finish(&to, renameat(from.dir, from.name, to.dir, to.name));
    resolve_done(&from);
    return error;
}

uint32_t wasi_path_readlink(struct wasm_instance *in, uint32_t fd, uint32_t path, uint32_t len,
                            uint32_t buffer, uint32_t size, uint32_t out)
{
    struct resolved r;
    uint32_t error = beneath(in, fd, RIGHT_PATH_READLINK, path, len, false, &r);
    if (error)
        return error;
    char *to = wasm_memory_at(in, buffer, size);
    if (!to || !wasm_memory_at(in, out, 4)) {
        resolve_done(&r);
        return WASI_EFAULT;
    }
    ssize_t n = readlinkat(r.dir, r.name, to, size);
    error = finish(&r, n < 0 ? -1 : 0);
    if (error)
        return error;
    return guest_put32(in, out, (uint32_t)n) ? WASI_ESUCCESS : WASI_EFAULT;
}

/* A link may hold any relative target: following it is checked when it is followed. */
uint32_t wasi_path_symlink(struct wasm_instance *in, uint32_t target, uint32_t target_len,
                           uint32_t fd, uint32_t path, uint32_t len)
{
    struct resolved r;
    if (target_len >= 4096)
        return WASI_ENAMETOOLONG;
    char *text = malloc(target_len + 1);
    if (!text)
        return WASI_ENOMEM;
    uint32_t error = WASI_EFAULT;
    if (guest_get(in, target, text, target_len)) {
        text[target_len] = '\0';
        error = strlen(text) != target_len ? WASI_EINVAL
                : text[0] == '/'           ? WASI_ENOTCAPABLE
                                 : beneath(in, fd, RIGHT_PATH_SYMLINK, path, len, false, &r);
    }
    if (!error && r.slash) {
        resolve_done(&r);
        error = WASI_ENOENT;
    }
    if (!error)
        error = finish(&r, symlinkat(text, r.dir, r.name));
    free(text);
    return error;
}

uint32_t wasi_path_open(struct wasm_instance *in, uint32_t fd, uint32_t lookup, uint32_t path,
                        uint32_t len, uint32_t oflags, uint64_t rights, uint64_t inheriting,
                        uint32_t fdflags, uint32_t out)
{
    struct wasi *wasi = wasi_of(in);
    struct resolved r;
    uint32_t error = WASI_ESUCCESS;
    uint64_t needed = RIGHT_PATH_OPEN;
    if (oflags & OFLAG_CREAT)
        needed |= RIGHT_PATH_CREATE_FILE;
    if (oflags & OFLAG_TRUNC)
        needed |= RIGHT_PATH_FILESTAT_SET_SIZE;
    const struct wasi_fd *base = wasi_fd_get(wasi, fd, needed, &error);
    if (!base)
        return error;
    /* A directory cannot be made this way; systems differ in what they do when asked to. */
    if (oflags > 15 || fdflags > 31 || !valid_lookup(lookup) ||
        (oflags & (OFLAG_CREAT | OFLAG_DIRECTORY)) == (OFLAG_CREAT | OFLAG_DIRECTORY))
        return WASI_EINVAL;
    if (!wasm_memory_at(in, out, 4))
        return WASI_EFAULT;
    /* Programs ask for all there is and live with less, but reading and writing are why they open.
     */
    if (rights & ~base->inheriting & (RIGHT_FD_READ | RIGHT_FD_WRITE))
        return WASI_ENOTCAPABLE;
    rights &= base->inheriting;
    inheriting &= base->inheriting;
    error = resolve(in, base, path, len, lookup & LOOKUP_SYMLINK_FOLLOW, &r);
    if (error)
        return error;
    const uint64_t writing = RIGHT_FD_WRITE | RIGHT_FD_ALLOCATE | RIGHT_FD_FILESTAT_SET_SIZE;
    bool writes = (rights & writing) != 0 && !(oflags & OFLAG_DIRECTORY) && !r.slash;
    bool reads = (rights & (RIGHT_FD_READ | RIGHT_FD_READDIR)) != 0 || !writes;
    int flags = (writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC |
                (oflags & OFLAG_CREAT ? O_CREAT : 0) |
                (oflags & OFLAG_DIRECTORY || r.slash ? O_DIRECTORY : 0) |
                (oflags & OFLAG_EXCL ? O_EXCL : 0) | (oflags & OFLAG_TRUNC ? O_TRUNC : 0) |
                wasi_to_fdflags(fdflags);
    int host = openat(r.dir, r.name, flags, 0666);
    if (host < 0 && writes && !(oflags & OFLAG_CREAT) && errno == EISDIR) {
        /* Programs ask for all rights; on a directory the writing ones mean nothing. */
        host = openat(r.dir, r.name, (flags & ~O_ACCMODE) | O_RDONLY, 0666);
        writes = false;
    }
    if (host < 0)
        return finish(&r, -1);
    resolve_done(&r);
    struct stat st;
    if (fstat(host, &st)) {
        error = wasi_errno(errno);
        close(host);
        return error;
    }
    uint8_t type = wasi_filetype(st.st_mode);
    if (type == FILETYPE_DIRECTORY)
        rights &= RIGHTS_DIRECTORY;
    else
        rights &= type == FILETYPE_REGULAR
                      ? RIGHTS_FILE
                      : RIGHTS_FILE & ~(uint64_t)(RIGHT_FD_SEEK | RIGHT_FD_TELL);
    uint32_t made = wasi_fd_new(wasi, host, type, rights, inheriting);
    if (made == WASI_NO_FD) {
        error = wasi_errno(errno);
        close(host);
        return error;
    }
    return guest_put32(in, out, made) ? WASI_ESUCCESS : WASI_EFAULT;
}
