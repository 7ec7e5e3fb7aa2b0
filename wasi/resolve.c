/* Path resolution component by component. The kernel of an image has no openat2, and even where it
 * is there a walk by hand behaves the same everywhere: each directory is opened from its parent
 * without following links, ".." goes back to the directory that was opened before, links are read
 * and their targets walked the same way. */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LINKS = 32, MAX_PATH = 4096 };

void resolve_done(struct resolved *r)
{
    while (r->depth > 1)
        close(r->stack[--r->depth]);
}

/* Puts the target of link NAME before what is left of the path; 0 or an error. TARGET is room for
 * MAX_PATH bytes (not on the stack, of which a host function has little). */
static uint32_t put_target(int dir, const char *name, char *rest, char *target, unsigned *links)
{
    ssize_t n = readlinkat(dir, name, target, MAX_PATH);
    if (n < 0)
        return wasi_errno(errno);
    if (++*links > MAX_LINKS)
        return WASI_ELOOP;
    size_t left = strlen(rest);
    if ((size_t)n + 1 + left + 1 > MAX_PATH)
        return WASI_ENAMETOOLONG;
    if (n > 0 && target[0] == '/')
        return WASI_ENOTCAPABLE;
    memmove(rest + n + 1, rest, left + 1);
    memcpy(rest, target, (size_t)n);
    rest[n] = '/';
    /* A link in last place keeps the path's own ending. */
    if (!left)
        rest[n] = '\0';
    return WASI_ESUCCESS;
}

static bool is_link(int dir, const char *name)
{
    struct stat st;
    return !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode);
}

static uint32_t walk(char *rest, char *target, bool follow, struct resolved *r)
{
    unsigned links = 0;
    for (;;) {
        size_t skip = strspn(rest, "/"), len = strcspn(rest + skip, "/");
        if (skip)
            memmove(rest, rest + skip, strlen(rest + skip) + 1);
        if (len >= sizeof(r->name))
            return WASI_ENAMETOOLONG;
        if (!len) { /* ended on a directory */
            strcpy(r->name, ".");
            return WASI_ESUCCESS;
        }
        memcpy(r->name, rest, len);
        r->name[len] = '\0';
        size_t slashes = strspn(rest + len, "/");
        bool last = !rest[len + slashes];
        if (last)
            r->slash = slashes > 0;
        memmove(rest, rest + len + slashes, strlen(rest + len + slashes) + 1);
        if (!strcmp(r->name, "."))
            continue;
        if (!strcmp(r->name, "..")) {
            if (r->depth == 1)
                return WASI_ENOTCAPABLE;
            close(r->stack[--r->depth]);
            r->dir = r->stack[r->depth - 1];
            continue;
        }
        if (last) {
            if (!((follow || r->slash) && is_link(r->dir, r->name)))
                return WASI_ESUCCESS;
            bool slash = r->slash;
            uint32_t error = put_target(r->dir, r->name, rest, target, &links);
            if (error)
                return error;
            if (slash) {
                size_t n = strlen(rest);
                if (n + 2 > MAX_PATH)
                    return WASI_ENAMETOOLONG;
                memcpy(rest + n, "/", 2);
            }
            continue;
        }
        int next = openat(r->dir, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next >= 0) {
            if (r->depth == sizeof(r->stack) / sizeof(*r->stack)) {
                close(next);
                return WASI_ENAMETOOLONG;
            }
            r->stack[r->depth++] = r->dir = next;
            continue;
        }
        int error = errno;
        if ((error != ENOTDIR && error != ELOOP) || !is_link(r->dir, r->name))
            return wasi_errno(error);
        uint32_t failed = put_target(r->dir, r->name, rest, target, &links);
        if (failed)
            return failed;
    }
}

uint32_t resolve(struct wasm_instance *in, const struct wasi_fd *fd, uint32_t path, uint32_t len,
                 bool follow, struct resolved *out)
{
    out->dir = fd->host;
    out->stack[0] = fd->host;
    out->depth = 1;
    out->slash = false;
    if (fd->type != FILETYPE_DIRECTORY)
        return WASI_ENOTDIR;
    const char *guest = wasm_memory_at(in, path, len);
    if (!guest)
        return WASI_EFAULT;
    if (len >= MAX_PATH)
        return WASI_ENAMETOOLONG;
    char *rest = malloc(2 * MAX_PATH);
    if (!rest)
        return WASI_ENOMEM;
    memcpy(rest, guest, len);
    rest[len] = '\0';
    uint32_t error = strlen(rest) != len ? WASI_EINVAL
                     : !len              ? WASI_ENOENT
                     : rest[0] == '/'    ? WASI_ENOTCAPABLE
                                         : walk(rest, rest + MAX_PATH, follow, out);
    free(rest);
    if (error)
        resolve_done(out);
    return error;
}
