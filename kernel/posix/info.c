/* Who and where we are: names, numbers, limits, random bytes. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include "arch/cpu.h"
#include "mm/frame.h"
#include "posix/internal.h"

/* drivers/random.c, in images that have it. */
__attribute__((weak)) void random_bytes(void *buffer, size_t size);

/* Programs ask for the system they know how to talk to; the version says what it is. */
SYSCALL(uname)
{
    static const struct utsname name = {.sysname = "Linux",
                                        .nodename = "quince",
                                        .release = "5.10.0-quince",
                                        .version = "Quince " QUINCE_VERSION,
                                        .machine = QUINCE_ARCH,
                                        .domainname = "(none)"};
    memcpy((void *)a, &name, sizeof name);
    return 0;
}

SYSCALL(sysinfo)
{
    struct sysinfo *out = (struct sysinfo *)a;
    struct frame_stats frames;
    frame_stats(&frames);
    memset(out, 0, sizeof *out);
    out->uptime = clock_now() / NS_PER_S;
    out->totalram = frames.total * PAGE_SIZE;
    out->freeram = frames.free * PAGE_SIZE;
    out->procs = 1;
    out->mem_unit = 1;
    return 0;
}

SYSCALL(getpid)
{
    return POSIX_PID;
}

SYSCALL(getppid)
{
    return 0;
}

SYSCALL(getpgid)
{
    return a == 0 || a == POSIX_PID ? POSIX_PID : -ESRCH;
}

SYSCALL(getpgrp)
{
    return POSIX_PID;
}

SYSCALL(getsid)
{
    return a == 0 || a == POSIX_PID ? POSIX_PID : -ESRCH;
}

SYSCALL(setsid)
{
    return POSIX_PID;
}

SYSCALL(setpgid)
{
    return 0;
}

/* One user, who may do everything and become nobody else. */
SYSCALL(getuid)
{
    return 0;
}

SYSCALL(geteuid)
{
    return 0;
}

SYSCALL(getgid)
{
    return 0;
}

SYSCALL(getegid)
{
    return 0;
}

SYSCALL(setuid)
{
    return a ? -EPERM : 0;
}

SYSCALL(setgid)
{
    return a ? -EPERM : 0;
}

SYSCALL(getgroups)
{
    return 0;
}

SYSCALL(setgroups)
{
    return 0;
}

SYSCALL(umask)
{
    static uint32_t mask = 022;
    return __atomic_exchange_n(&mask, (uint32_t)a & 0777, __ATOMIC_RELAXED);
}

static int limit_of(int resource, struct rlimit *out)
{
    uint64_t limit = RLIM_INFINITY;
    if (resource < 0 || resource >= RLIM_NLIMITS)
        return -EINVAL;
    if (resource == RLIMIT_NOFILE)
        limit = (uint64_t)fd_limit();
    else if (resource == RLIMIT_STACK)
        limit = posix_stack_size();
    else if (resource == RLIMIT_CORE)
        limit = 0;
    *out = (struct rlimit){limit, limit};
    return 0;
}

SYSCALL(prlimit64)
{
    struct rlimit now;
    if (a != 0 && a != POSIX_PID)
        return -ESRCH;
    int error = limit_of((int)b, &now);
    if (error)
        return error;
    const struct rlimit *next = (const struct rlimit *)c;
    if (next && (next->rlim_cur > next->rlim_max || next->rlim_max > now.rlim_max))
        return -EPERM;
    if (d)
        *(struct rlimit *)d = now; /* limits are the machine's and cannot be lowered */
    return 0;
}

SYSCALL(getrlimit)
{
    return limit_of((int)a, (struct rlimit *)b);
}

SYSCALL(setrlimit)
{
    struct rlimit now;
    int error = limit_of((int)a, &now);
    return error ? error : ((const struct rlimit *)b)->rlim_max > now.rlim_max ? -EPERM : 0;
}

/* Random bytes from the generator, else straight from the processor; -EAGAIN where there is
 * neither, since guessable ones would be worse than none. */
long posix_random(void *buffer, size_t size)
{
    if (random_bytes) {
        random_bytes(buffer, size);
        return (long)size;
    }
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t value;
        if (!cpu_random(&value))
            return -EAGAIN;
        size_t n = size - done < sizeof value ? size - done : sizeof value;
        memcpy((uint8_t *)buffer + done, &value, n);
    }
    return (long)size;
}

SYSCALL(getrandom)
{
    if (c & ~(GRND_NONBLOCK | GRND_RANDOM | 4 /* GRND_INSECURE */))
        return -EINVAL;
    size_t size = (size_t)b;
    if (size > SSIZE_MAX)
        return -EINVAL;
    return posix_random((void *)a, size);
}
