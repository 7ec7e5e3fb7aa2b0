/* Shared among the files of posix/ only. */
#ifndef QUINCE_POSIX_INTERNAL_H
#define QUINCE_POSIX_INTERNAL_H

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/uio.h>
#include <time.h>
#include "arch/mmu.h" /* its PAGE_SIZE, not that of limits.h */
#include "posix/file.h"
#include "sched/thread.h"
#include "time/clock.h"

enum {
    POSIX_PID = 1,
    POSIX_IOV_MAX = 1024,
    POSIX_OPEN_MAX = 4096,
};

/* What a thread of the application has beside the kernel's struct thread. */
struct posix_thread {
    int (*fn)(void *);
    void *arg;
    int *parent_tid;     /* where its id is stored before it runs; NULL: nowhere */
    uint32_t *child_tid; /* CLONE_CHILD_CLEARTID */
    uint64_t signal_mask;
};
struct posix_thread *posix_thread(void); /* of the running thread; never NULL */
uint32_t posix_tid(void);

/* A point in time of CLOCK_MONOTONIC from one of CLOCK; -EINVAL for fields out of range. */
int deadline_of(clockid_t clock, const struct timespec *time, bool absolute, uint64_t *deadline);
void timespec_of(uint64_t ns, struct timespec *out);

/* fd.c */
int fd_install_from(struct file *file, bool cloexec, int lowest); /* as fd_install() */
int fd_close(int fd);
int fd_limit(void);

/* memory.c: a whole mapping that the caller will vm_release() itself; false: it is none. */
bool memory_forget(void *addr, size_t size);

/* io.c: checked lengths, the file's position and its access mode. */
ssize_t file_readv(struct file *file, const struct iovec *iov, int count);
ssize_t file_writev(struct file *file, const struct iovec *iov, int count);
size_t iov_length(const struct iovec *iov, int count); /* SIZE_MAX: invalid */
/* Copies between an iovec and a flat buffer, from OFFSET bytes into the iovec; bytes copied. */
size_t iov_fill(const struct iovec *iov, int count, size_t offset, const void *from, size_t size);
size_t iov_drain(const struct iovec *iov, int count, size_t offset, void *to, size_t size);

/* Watching a file for changes of its poll state (poll.c, epoll.c). notify() runs under a spinlock,
 * perhaps in an interrupt: it may set flags, move list nodes and wake. */
struct watcher {
    struct list_node node;
    void (*notify)(struct watcher *watcher);
};
cpu_irq_state watch_lock(void);
void watch_unlock(cpu_irq_state state);
void watch_add(struct file *file, struct watcher *watcher);
void watch_remove(struct watcher *watcher);
void file_notify_locked(struct file *file); /* within watch_lock() */
/* Called when a watched file goes away: epoll sets forget it. */
void epoll_file_released(struct file *file);
unsigned file_poll(struct file *file); /* POLL* that hold */

/* Bytes filled or -EAGAIN (no source of randomness). */
long posix_random(void *buffer, size_t size);

/* Ends the machine with the status of exit(). */
_Noreturn void posix_exit(int status);
/* The application ends by a signal: says so and ends the machine. */
_Noreturn void posix_killed(int signal);
uint64_t posix_stack_size(void); /* of the main thread */

#endif
