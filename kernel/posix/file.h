/* Open files: what a descriptor refers to. Pipes, sockets, RAM files, epoll sets implement it. */
#ifndef QUINCE_POSIX_FILE_H
#define QUINCE_POSIX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "sched/sync.h"

struct stat;
struct iovec;
struct file;
struct file_ops {
    const char *name;
    bool is_node; /* its object is a struct node (fs/tree.h) */
    /* Bytes moved or -errno. Streams (ops without seek) always get OFFSET -1 and no lock is held.
     * Files with seek get the position: that of pread() and pwrite(), or file->offset, which the
     * caller advances by the result, holding file->lock meanwhile. A write at -1 there appends
     * (O_APPEND) and sets file->offset itself. May block unless file->flags has O_NONBLOCK. NULL
     * operations answer EINVAL (EBADF where the access mode forbids it). */
    ssize_t (*read)(struct file *file, const struct iovec *iov, int count, off_t offset);
    ssize_t (*write)(struct file *file, const struct iovec *iov, int count, off_t offset);
    off_t (*seek)(struct file *file, off_t offset, int whence);
    int (*stat)(struct file *file, struct stat *out);
    int (*truncate)(struct file *file, off_t size);
    int (*sync)(struct file *file, bool data_only); /* NULL: nothing is ever under way */
    int (*ioctl)(struct file *file, unsigned long request, unsigned long argument);
    ssize_t (*getdents)(struct file *file, void *buffer, size_t size);
    /* POLL* bits that hold now. Changes are announced by file_notify(file). */
    unsigned (*poll)(struct file *file);
    void (*release)(struct file *file); /* last reference is gone */
};
struct file {
    const struct file_ops *ops;
    uint32_t references;
    int flags; /* O_* */
    off_t offset;
    struct mutex lock;
    void *object;
    struct list_node watchers; /* posix/poll.c's */
};

struct file *file_new(const struct file_ops *ops, void *object, int flags); /* NULL: no memory */
void file_retain(struct file *file);
void file_release(struct file *file);
/* Takes the reference, also when it fails (then the file is released): fd or -EMFILE. */
int fd_install(struct file *file, bool cloexec);
struct file *fd_get(int fd);         /* with a reference; NULL: EBADF */
void file_notify(struct file *file); /* poll state changed; interrupts too */

/* System calls by number (include <sys/syscall.h>), registered where they are implemented so that
 * an image holds only what is linked: SYSCALL(socket) defines long sys_socket(long a, …, long f) as
 * the handler of SYS_socket. */
typedef long (*syscall_fn)(long, long, long, long, long, long);
struct syscall_entry {
    unsigned number;
    const char *name;
    syscall_fn fn;
};
#define SYSCALL_UNUSED __attribute__((unused))
#define SYSCALL(name)                                                                              \
    static long sys_##name(long, long, long, long, long, long);                                    \
    static const struct syscall_entry syscall_entry_##name                                         \
        __attribute__((used, section(".syscalls"), aligned(8))) = {SYS_##name, #name, sys_##name}; \
    static long sys_##name(long a SYSCALL_UNUSED, long b SYSCALL_UNUSED, long c SYSCALL_UNUSED,    \
                           long d SYSCALL_UNUSED, long e SYSCALL_UNUSED, long f SYSCALL_UNUSED)
/* Every system call of musl, as a plain call. Unknown: -ENOSYS, logged once by name. */
long quince_syscall(long number, long a, long b, long c, long d, long e, long f);

#endif
