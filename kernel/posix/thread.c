/* Threads of the application: clone() as pthread_create() uses it, ending, identity. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "arch/context.h"
#include "log.h"
#include "mm/heap.h"
#include "posix/internal.h"

/* What kernel/posix/musl/clone.c hands over as the sixth argument. */
struct clone_entry {
    int (*fn)(void *);
    void *arg;
};

/* For the thread that main() runs on, and kernel threads that make a call. */
static struct posix_thread main_thread;

struct posix_thread *posix_thread(void)
{
    struct posix_thread *self = thread_current()->posix;
    return self ? self : &main_thread;
}

uint32_t posix_tid(void)
{
    return thread_current()->id;
}

_Noreturn static void end_thread(void *unmap, size_t size)
{
    struct thread *self = thread_current();
    struct posix_thread *own = self->posix;
    if (own) {
        self->posix = NULL;
        self->clear_on_exit = own->child_tid;
        kfree(own);
    }
    if (size && memory_forget(unmap, size))
        thread_exit_release(unmap, size);
    thread_exit();
}

static void thread_start(void *context)
{
    struct posix_thread *own = context;
    thread_current()->posix = own;
    if (own->parent_tid)
        __atomic_store_n(own->parent_tid, (int)posix_tid(), __ATOMIC_RELEASE);
    own->fn(own->arg);
    end_thread(NULL, 0);
}

SYSCALL(clone)
{
    const unsigned long needed = CLONE_VM | CLONE_THREAD;
    const struct clone_entry *entry = (const struct clone_entry *)f;
    if (((unsigned long)a & needed) != needed || !b || !entry) {
        static bool said;
        if (!said)
            klog(LOG_WARN,
                 "clone without CLONE_VM|CLONE_THREAD: a unikernel has one process (ENOSYS)");
        said = true;
        return -ENOSYS;
    }
    struct posix_thread *own = kcalloc(1, sizeof *own);
    if (!own)
        return -EAGAIN;
    own->fn = entry->fn;
    own->arg = entry->arg;
    own->signal_mask = posix_thread()->signal_mask;
    if (a & CLONE_PARENT_SETTID)
        own->parent_tid = (int *)c;
    if (a & CLONE_CHILD_CLEARTID)
        own->child_tid = (uint32_t *)d;
    uintptr_t tls = a & CLONE_SETTLS ? (uintptr_t)e : thread_current()->tls;
    /* The thread may run, and end, before this returns; its id is stored by itself as well. */
    preempt_disable();
    struct thread *thread = thread_create_on("app", thread_start, own, (void *)(b & ~15l), tls);
    long id = thread ? (long)thread->id : -EAGAIN;
    if (thread && (a & CLONE_PARENT_SETTID))
        *(int *)c = (int)id;
    preempt_enable();
    if (!thread)
        kfree(own);
    return id;
}

/* The second and third argument are ours: a stack to unmap (kernel/posix/musl/unmapself.c). */
SYSCALL(exit)
{
    end_thread((void *)b, (size_t)c);
}

/* Of net/, if the image has it: what was sent reaches its peers. */
__attribute__((weak)) void net_drain(uint64_t deadline);

SYSCALL(exit_group)
{
    enum { DRAIN_S = 2 };
    if (net_drain)
        net_drain(clock_now() + DRAIN_S * NS_PER_S);
    posix_exit((int)a);
}

SYSCALL(set_tid_address)
{
    posix_thread()->child_tid = (uint32_t *)a;
    return posix_tid();
}

SYSCALL(gettid)
{
    return posix_tid();
}

SYSCALL(arch_prctl)
{
    enum { ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003 };
    if (a == ARCH_GET_FS) {
        *(uintptr_t *)b = thread_current()->tls;
        return 0;
    }
    if (a != ARCH_SET_FS)
        return -EINVAL;
    thread_current()->tls = (uintptr_t)b;
    context_set_tls((uintptr_t)b);
    return 0;
}

SYSCALL(prctl)
{
    enum { NAME = 16 }; /* Linux's limit, with the terminating zero */
    if (a == PR_SET_NAME) {
        char *name = thread_current()->name;
        size_t length = strnlen((const char *)b, NAME - 1);
        memcpy(name, (const char *)b, length);
        name[length] = 0;
        return 0;
    }
    if (a == PR_GET_NAME) {
        size_t length = strnlen(thread_current()->name, NAME - 1);
        memcpy((char *)b, thread_current()->name, length);
        ((char *)b)[length] = 0;
        return 0;
    }
    return a == PR_SET_PDEATHSIG || a == PR_SET_DUMPABLE || a == PR_SET_NO_NEW_PRIVS ? 0 : -EINVAL;
}

SYSCALL(sched_yield)
{
    thread_yield();
    return 0;
}

/* A robust mutex of a thread that ends is released by the C library itself; there is no way for a
 * thread to end without it. */
SYSCALL(set_robust_list)
{
    return 0;
}

SYSCALL(sched_getaffinity)
{
    if ((size_t)b < sizeof(unsigned long) || !c)
        return -EINVAL;
    memset((void *)c, 0, sizeof(unsigned long));
    *(unsigned long *)c = 1; /* one CPU runs threads */
    return sizeof(unsigned long);
}

SYSCALL(sched_setaffinity)
{
    return (size_t)b >= 1 && c && *(const uint8_t *)c & 1 ? 0 : -EINVAL;
}

SYSCALL(getcpu)
{
    if (a)
        *(unsigned *)a = cpu_percpu()->cpu;
    if (b)
        *(unsigned *)b = 0;
    return 0;
}

/* One scheduling class; its parameters are accepted as they are. */
SYSCALL(sched_getscheduler)
{
    return SCHED_OTHER;
}

SYSCALL(sched_setscheduler)
{
    return b == SCHED_OTHER ? 0 : -EPERM;
}

SYSCALL(sched_getparam)
{
    *(int *)b = 0;
    return 0;
}

SYSCALL(sched_setparam)
{
    return 0;
}

SYSCALL(sched_get_priority_max)
{
    return 0;
}

SYSCALL(sched_get_priority_min)
{
    return 0;
}

SYSCALL(membarrier)
{
    return a == 0 ? 0
                  : -EINVAL; /* one CPU: the commands are not offered, so nobody relies on them */
}
