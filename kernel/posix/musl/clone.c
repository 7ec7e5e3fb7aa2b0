/* clone() for threads: the kernel starts FN(ARG) itself, so nothing returns twice and no assembly
 * is needed. The numbers and order of the arguments beyond Linux's five are between this file and
 * kernel/posix/thread.c. */
#include <stdarg.h>
#include "pthread_impl.h"
#include "syscall.h"

/* What SYS_clone finds behind its sixth argument; the same in kernel/posix/thread.c. */
struct clone_entry {
    int (*fn)(void *);
    void *arg;
};

int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    va_list ap;
    va_start(ap, arg);
    int *parent_tid = va_arg(ap, int *);
    void *tls = va_arg(ap, void *);
    int *child_tid = va_arg(ap, int *);
    va_end(ap);
    struct clone_entry entry = {fn, arg};
    return (int)__syscall(SYS_clone, flags, stack, parent_tid, child_tid, tls, &entry);
}
