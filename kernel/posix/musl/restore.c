/* Where a signal handler returns to. Quince delivers none asynchronously; the symbol is what musl
 * stores in its sigaction. */
#include "pthread_impl.h"
#include "syscall.h"

hidden void __restore_rt(void);
hidden void __restore(void);

void __restore_rt(void)
{
    __syscall(SYS_rt_sigreturn);
}

void __restore(void)
{
    __syscall(SYS_rt_sigreturn);
}
