/* Clocks and sleeping. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include "posix/internal.h"

void timespec_of(uint64_t ns, struct timespec *out)
{
    out->tv_sec = (time_t)(ns / NS_PER_S);
    out->tv_nsec = (long)(ns % NS_PER_S);
}

int deadline_of(clockid_t clock, const struct timespec *time, bool absolute, uint64_t *deadline)
{
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= (long)NS_PER_S)
        return -EINVAL;
    uint64_t now = clock_now(), ns;
    if (__builtin_mul_overflow((uint64_t)time->tv_sec, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, (uint64_t)time->tv_nsec, &ns))
        ns = WAIT_FOREVER;
    if (absolute && clock == CLOCK_REALTIME && ns != WAIT_FOREVER) {
        uint64_t real = clock_realtime();
        ns = ns > real ? ns - real : 0;
        absolute = false;
    }
    if (!absolute && __builtin_add_overflow(ns, now, &ns))
        ns = WAIT_FOREVER;
    *deadline = ns;
    return 0;
}

static bool add_cpu_time(struct thread *thread, void *context)
{
    if (thread != cpu_percpu()->idle)
        *(uint64_t *)context += thread_cpu_ns(thread);
    return true;
}

static uint64_t process_cpu_ns(void)
{
    uint64_t total = 0;
    thread_for_each(add_cpu_time, &total);
    return total;
}

static int clock_read(clockid_t clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: *ns = clock_realtime(); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: *ns = clock_now(); return 0;
    case CLOCK_PROCESS_CPUTIME_ID: *ns = process_cpu_ns(); return 0;
    case CLOCK_THREAD_CPUTIME_ID: *ns = thread_cpu_ns(thread_current()); return 0;
    default: return -EINVAL;
    }
}

SYSCALL(clock_gettime)
{
    uint64_t ns;
    if (clock_read((clockid_t)a, &ns) < 0)
        return -EINVAL;
    timespec_of(ns, (struct timespec *)b);
    return 0;
}

SYSCALL(clock_getres)
{
    uint64_t ns;
    if (clock_read((clockid_t)a, &ns) < 0)
        return -EINVAL;
    if (b)
        timespec_of(1, (struct timespec *)b);
    return 0;
}

SYSCALL(clock_settime)
{
    const struct timespec *time = (const struct timespec *)b;
    if (a != CLOCK_REALTIME || time->tv_sec < 0 || time->tv_nsec < 0 ||
        time->tv_nsec >= (long)NS_PER_S)
        return -EINVAL;
    clock_set_realtime((uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec);
    return 0;
}

SYSCALL(gettimeofday)
{
    struct timeval *out = (struct timeval *)a;
    uint64_t now = clock_realtime();
    if (out) {
        out->tv_sec = (time_t)(now / NS_PER_S);
        out->tv_usec = (suseconds_t)(now % NS_PER_S / NS_PER_US);
    }
    return 0;
}

SYSCALL(time)
{
    time_t now = (time_t)(clock_realtime() / NS_PER_S);
    if (a)
        *(time_t *)a = now;
    return now;
}

static long sleep_for(clockid_t clock, bool absolute, const struct timespec *time)
{
    uint64_t deadline;
    if (deadline_of(clock, time, absolute, &deadline) < 0)
        return -EINVAL;
    thread_sleep_until(deadline);
    return 0;
}

SYSCALL(nanosleep)
{
    return sleep_for(CLOCK_MONOTONIC, false, (const struct timespec *)a);
}

SYSCALL(clock_nanosleep)
{
    if (a != CLOCK_REALTIME && a != CLOCK_MONOTONIC && a != CLOCK_BOOTTIME)
        return -EINVAL;
    return sleep_for((clockid_t)a, b & TIMER_ABSTIME, (const struct timespec *)c);
}

SYSCALL(times)
{
    enum { TICKS_PER_S = 100 };
    struct tms *out = (struct tms *)a;
    if (out)
        *out = (struct tms){.tms_utime = (clock_t)(process_cpu_ns() / (NS_PER_S / TICKS_PER_S))};
    return (long)(clock_now() / (NS_PER_S / TICKS_PER_S));
}

SYSCALL(getrusage)
{
    struct rusage *out = (struct rusage *)b;
    uint64_t ns = a == RUSAGE_CHILDREN         ? 0
                  : a == 1 /* RUSAGE_THREAD */ ? thread_cpu_ns(thread_current())
                                               : process_cpu_ns();
    __builtin_memset(out, 0, offsetof(struct rusage, __reserved));
    out->ru_utime.tv_sec = (time_t)(ns / NS_PER_S);
    out->ru_utime.tv_usec = (suseconds_t)(ns % NS_PER_S / NS_PER_US);
    return 0;
}
