/* The descriptor table: one for the machine, since there is one process. Slots come in blocks that
 * are allocated when first used and never moved, so that looking one up is two loads and a
 * reference. */
#include <errno.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "posix/internal.h"

enum { BLOCK = 64, BLOCKS = POSIX_OPEN_MAX / BLOCK };

static struct spinlock lock;
static struct file **blocks[BLOCKS];
static uint64_t taken[BLOCKS], cloexec_bits[BLOCKS];

static struct file **slot_of(int fd)
{
    if (fd < 0 || fd >= POSIX_OPEN_MAX || !blocks[fd / BLOCK])
        return NULL;
    return &blocks[fd / BLOCK][fd % BLOCK];
}

/* Makes sure that FD's block exists; called without the lock. */
static int block_ready(int fd)
{
    unsigned block = (unsigned)fd / BLOCK;
    if (blocks[block])
        return 0;
    struct file **fresh = kcalloc(BLOCK, sizeof *fresh);
    if (!fresh)
        return -ENOMEM;
    cpu_irq_state state = spin_lock(&lock);
    if (!blocks[block]) {
        blocks[block] = fresh;
        fresh = NULL;
    }
    spin_unlock(&lock, state);
    kfree(fresh);
    return 0;
}

static int lowest_free(int from)
{
    for (unsigned block = (unsigned)from / BLOCK; block < BLOCKS; block++) {
        uint64_t used = taken[block];
        if (block == (unsigned)from / BLOCK)
            used |= (1ull << ((unsigned)from % BLOCK)) - 1;
        if (~used)
            return (int)(block * BLOCK) + __builtin_ctzll(~used);
    }
    return -1;
}

/* With the lock held. */
static void slot_set(int fd, struct file *file, bool cloexec)
{
    uint64_t bit = 1ull << (fd % BLOCK);
    blocks[fd / BLOCK][fd % BLOCK] = file;
    taken[fd / BLOCK] = file ? taken[fd / BLOCK] | bit : taken[fd / BLOCK] & ~bit;
    cloexec_bits[fd / BLOCK] =
        file && cloexec ? cloexec_bits[fd / BLOCK] | bit : cloexec_bits[fd / BLOCK] & ~bit;
}

int fd_install_from(struct file *file, bool cloexec, int lowest)
{
    if (lowest < 0 || lowest >= POSIX_OPEN_MAX) {
        file_release(file);
        return -EINVAL;
    }
    for (;;) {
        cpu_irq_state state = spin_lock(&lock);
        int fd = lowest_free(lowest);
        if (fd >= 0 && blocks[fd / BLOCK]) {
            slot_set(fd, file, cloexec);
            spin_unlock(&lock, state);
            return fd;
        }
        spin_unlock(&lock, state);
        int error = fd < 0 ? -EMFILE : block_ready(fd);
        if (error) {
            file_release(file);
            return error;
        }
    }
}

int fd_install(struct file *file, bool cloexec)
{
    return fd_install_from(file, cloexec, 0);
}

struct file *fd_get(int fd)
{
    cpu_irq_state state = spin_lock(&lock);
    struct file **slot = slot_of(fd), *file = slot ? *slot : NULL;
    if (file)
        file_retain(file);
    spin_unlock(&lock, state);
    return file;
}

int fd_close(int fd)
{
    cpu_irq_state state = spin_lock(&lock);
    struct file **slot = slot_of(fd), *file = slot ? *slot : NULL;
    if (file)
        slot_set(fd, NULL, false);
    spin_unlock(&lock, state);
    if (!file)
        return -EBADF;
    file_release(file);
    return 0;
}

int fd_limit(void)
{
    return POSIX_OPEN_MAX;
}

SYSCALL(close)
{
    return fd_close((int)a);
}

SYSCALL(dup)
{
    struct file *file = fd_get((int)a);
    return file ? fd_install(file, false) : -EBADF;
}

/* Puts what FROM refers to at TO, closing what was there. */
static int fd_duplicate(int from, int to, bool cloexec)
{
    if (to < 0 || to >= POSIX_OPEN_MAX)
        return -EBADF;
    int error = block_ready(to);
    if (error)
        return error;
    struct file *file = fd_get(from);
    if (!file)
        return -EBADF;
    cpu_irq_state state = spin_lock(&lock);
    struct file *old = *slot_of(to);
    slot_set(to, file, cloexec);
    spin_unlock(&lock, state);
    if (old)
        file_release(old);
    return to;
}

SYSCALL(dup2)
{
    if (a != b)
        return fd_duplicate((int)a, (int)b, false);
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    file_release(file);
    return b;
}

SYSCALL(dup3)
{
    if (a == b || (c & ~O_CLOEXEC))
        return -EINVAL;
    return fd_duplicate((int)a, (int)b, c & O_CLOEXEC);
}

SYSCALL(close_range)
{
    enum { CLOSE_ON_EXEC_ONLY = 4 };
    if ((unsigned)a > (unsigned)b || (c & ~(2 | CLOSE_ON_EXEC_ONLY)))
        return -EINVAL;
    if (c & CLOSE_ON_EXEC_ONLY)
        return 0; /* there is no exec */
    for (unsigned fd = (unsigned)a; fd <= (unsigned)b && fd < POSIX_OPEN_MAX; fd++)
        fd_close((int)fd);
    return 0;
}

SYSCALL(fcntl)
{
    int fd = (int)a;
    const int changeable = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    long result = 0;
    switch (b) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return fd_install_from(file, b == F_DUPFD_CLOEXEC, (int)c); /* the reference moves */
    case F_GETFD: result = (cloexec_bits[fd / BLOCK] >> (fd % BLOCK)) & 1 ? FD_CLOEXEC : 0; break;
    case F_SETFD: {
        cpu_irq_state state = spin_lock(&lock);
        if (*slot_of(fd) == file)
            slot_set(fd, file, c & FD_CLOEXEC);
        spin_unlock(&lock, state);
        break;
    }
    case F_GETFL: result = file->flags; break;
    case F_SETFL: file->flags = (file->flags & ~changeable) | ((int)c & changeable); break;
    /* One process never conflicts with itself over record locks. */
    case F_GETLK: ((struct flock *)c)->l_type = F_UNLCK; break;
    case F_SETLK:
    case F_SETLKW: break;
    case F_SETOWN:
    case F_GETOWN: break;
    default: result = -EINVAL;
    }
    file_release(file);
    return result;
}

SYSCALL(flock)
{
    struct file *file = fd_get((int)a);
    if (!file)
        return -EBADF;
    file_release(file);
    return 0; /* as for record locks: there is nobody else */
}
