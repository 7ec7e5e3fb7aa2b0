/* futex(): the C library's mutexes, condition variables and joins sleep here. */
#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include "posix/internal.h"

enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_PRIVATE = 128,
    FUTEX_CLOCK_REALTIME = 256,
};

static unsigned limit(long count)
{
    return count < 0 ? 0 : count > INT_MAX ? INT_MAX : (unsigned)count;
}

/* There is one address space, so private and shared are the same. Bit sets select whom to wake: all
 * are woken instead, since a futex may always wake without cause. */
SYSCALL(futex)
{
    uint32_t *word = (uint32_t *)a, expected = (uint32_t)c;
    long op = b & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    if ((uintptr_t)word % sizeof *word)
        return -EINVAL;
    switch (op) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
        uint64_t deadline = WAIT_FOREVER;
        clockid_t clock = b & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        if (d &&
            deadline_of(clock, (const struct timespec *)d, op == FUTEX_WAIT_BITSET, &deadline) < 0)
            return -EINVAL;
        return futex_wait(word, expected, deadline);
    }
    case FUTEX_WAKE: return futex_wake(word, limit((int)c));
    case FUTEX_WAKE_BITSET: return futex_wake(word, limit((int)c));
    case FUTEX_CMP_REQUEUE:
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != (uint32_t)f)
            return -EAGAIN;
        return futex_requeue(word, limit((int)c), (uint32_t *)e, limit(d));
    case FUTEX_REQUEUE: return futex_requeue(word, limit((int)c), (uint32_t *)e, limit(d));
    default: return -ENOSYS;
    }
}
