/* System calls that are cancellation points. Without asynchronous signals a thread is cancelled
 * when it enters one; a pending request is seen before the call, and again after it was
 * interrupted. The three labels exist because musl's cancellation handler asks whether it
 * interrupted the range. */
#include <errno.h>
#include "pthread_impl.h"
#include "syscall.h"

hidden long __cancel(void);
hidden long __syscall_cp_asm(volatile void *cancel, syscall_arg_t nr, syscall_arg_t a,
                             syscall_arg_t b, syscall_arg_t c, syscall_arg_t d, syscall_arg_t e,
                             syscall_arg_t f);
hidden const char __cp_begin[1] = {0}, __cp_end[1] = {0}, __cp_cancel[1] = {0};

long __syscall_cp_asm(volatile void *cancel, syscall_arg_t nr, syscall_arg_t a, syscall_arg_t b,
                      syscall_arg_t c, syscall_arg_t d, syscall_arg_t e, syscall_arg_t f)
{
    volatile int *requested = (volatile int *)cancel;
    if (*requested)
        return __cancel();
    long result = quince_syscall(nr, a, b, c, d, e, f);
    if (result == -EINTR && *requested)
        return __cancel();
    return result;
}
