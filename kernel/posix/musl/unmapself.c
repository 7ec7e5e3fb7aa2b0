/* A detached thread gives back its own stack and ends. The kernel does both in one step: it runs on
 * that very stack, so it unmaps it only after the thread has left it. */
#include "pthread_impl.h"
#include "syscall.h"

void __unmapself(void *base, size_t size)
{
    for (;;)
        __syscall(SYS_exit, 0, base, size);
}
