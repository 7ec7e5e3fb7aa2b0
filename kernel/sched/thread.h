/* Preemptive threads. Kernel and application threads are the same thing; they differ in who made
 * their stack and in having a thread pointer. */
#ifndef QUINCE_SCHED_THREAD_H
#define QUINCE_SCHED_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sched/list.h"
#include "time/timer.h"

struct trap_frame;
struct wait_queue;

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_DEAD };

struct thread {
    /* context: offsets known to arch/<name>/context.S */
    uintptr_t sp;
    uintptr_t tls;
    void *fpu; /* state saved on preemption, 64-byte aligned */
    /* Top of the thread's interrupt stack: interrupts that hit this thread run there, so that it
     * can be preempted in the middle of one, and never on the stack of the code they hit. */
    uintptr_t irq_stack;
    uint64_t *irq_canary; /* the lowest word of it; changed: it overflowed */

    struct list_node run_node, all_node, wait_node;
    enum thread_state state;
    unsigned priority; /* 0 highest … THREAD_PRIORITIES-1; raised while it holds a mutex that a
                        * more urgent thread waits for */
    unsigned base_priority; /* what it was created with */
    unsigned mutexes_held;
    uint64_t slice_end;   /* timer scale */
    uint64_t cpu_ns;      /* spent until it was last switched to; see thread_cpu_ns() */
    uint64_t switched_in; /* when that was */
    uint32_t id;          /* Linux-like tid, 1 is the application's main thread */
    char name[24];
    uintptr_t stack_base;
    size_t stack_size;
    bool stack_owned;
    bool detached;
    bool finished;           /* off its stack for good */
    uint32_t *clear_on_exit; /* set to 0 and futex-woken once the thread is off its stack for good
                              * (CLONE_CHILD_CLEARTID) */
    int wait_result;
    struct wait_queue *waiting_on;
    /* Called on the way out of an interrupt into this thread with its frame, interrupts off, while
     * not NULL; the extension system uses it to charge calls their time. */
    void (*resume_hook)(struct thread *self, struct trap_frame *frame);
    /* What the engine knows of the calls that run on this thread, and the timer that ticks while
     * they have a time budget (extend/port.c). */
    _Alignas(8) unsigned char calls[40];
    struct timer tick;
    void *extension; /* what runs on it, for the panic screen: const char *name or NULL */
    void *posix;     /* posix/: clear_child_tid and such */
};
enum { THREAD_PRIORITIES = 4, THREAD_PRIORITY_NET = 1, THREAD_PRIORITY_DEFAULT = 2 };

/* Starts FN(ARG) on a guarded stack of its own; returning ends the thread. NULL: out of memory.
 * Resources are freed when it has ended and was joined or is detached. */
struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg, size_t stack_size,
                             unsigned priority);
/* On a stack the caller owns (clone): STACK_TOP, thread pointer TLS. Detached. */
struct thread *thread_create_on(const char *name, void (*fn)(void *arg), void *arg, void *stack_top,
                                uintptr_t tls);
void thread_detach(struct thread *thread);
void thread_join(struct thread *thread);
_Noreturn void thread_exit(void);
/* Exits, then vm_release(ADDR, SIZE)s memory the caller may be standing on (detached pthreads). */
_Noreturn void thread_exit_release(void *addr, size_t size);
uint64_t thread_cpu_ns(const struct thread *thread);
static inline struct thread *thread_current(void);
void thread_yield(void);
void thread_sleep_until(uint64_t deadline_ns); /* clock_now() scale */
/* Calls FN for every thread until it returns false; threads neither appear nor vanish meanwhile:
 * FN must not sleep, create or end threads. */
void thread_for_each(bool (*fn)(struct thread *thread, void *context), void *context);

/* Nesting; between them the thread is not preempted (interrupts still come). */
void preempt_disable(void);
void preempt_enable(void);

#include "sched/percpu.h"
#endif
