/* Sets the thread pointer of the running thread. */
#include "pthread_impl.h"
#include "syscall.h"

int __set_thread_area(void *pointer)
{
    enum { ARCH_SET_FS = 0x1002 };
    return (int)__syscall(SYS_arch_prctl, ARCH_SET_FS, pointer);
}
