/* From a system call's number to its function. The table is gathered by the linker from the files
 * in this image, so a call of a part left out is simply not there. */
#include <errno.h>
#include <sys/syscall.h>
#include "init.h"
#include "log.h"
#include "posix/file.h"
#include "posix/syscall_names.h"

enum { SYSCALL_LIMIT = 512 };
extern const struct syscall_entry __start_syscalls[], __stop_syscalls[];

static syscall_fn table[SYSCALL_LIMIT];
static uint32_t reported[SYSCALL_LIMIT / 32];

static int syscall_init(void)
{
    for (const struct syscall_entry *entry = __start_syscalls; entry < __stop_syscalls; entry++)
        if (entry->number < SYSCALL_LIMIT)
            table[entry->number] = entry->fn;
    return 0;
}
INIT(1, syscall_init);

/* Says once per call that it is missing, so that porting a program starts with a list. */
static long syscall_missing(unsigned long number)
{
    if (number >= SYSCALL_LIMIT) {
        klog(LOG_WARN, "system call %lu does not exist", number);
        return -ENOSYS;
    }
    uint32_t bit = 1u << (number % 32);
    if (__atomic_fetch_or(&reported[number / 32], bit, __ATOMIC_RELAXED) & bit)
        return -ENOSYS;
    const char *name = syscall_name((unsigned)number);
    if (number == SYS_fork || number == SYS_vfork || number == SYS_execve || number == SYS_execveat)
        klog(LOG_WARN, "%s: a unikernel has one process and cannot start another (ENOSYS)", name);
    else
        klog(LOG_WARN, "system call %s (%lu) is not implemented (ENOSYS)", name, number);
    return -ENOSYS;
}

long quince_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    unsigned long n = (unsigned long)number;
    if (__builtin_expect(n >= SYSCALL_LIMIT || !table[n], 0))
        return syscall_missing(n);
    return table[n](a, b, c, d, e, f);
}
