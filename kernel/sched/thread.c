/* Threads: birth, end, and what is freed when. */
#include "sched/thread.h"
#include <string.h>
#include "arch/context.h"
#include "include/log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/vm.h"
#include "sched/schedule.h"
#include "time/clock.h"

/* Two frames per thread: the interrupt stack above, the FPU's saved state below, a canary between.
 */
enum { IRQ_BLOCK_ORDER = 1 };
#define IRQ_BLOCK_SIZE (PAGE_SIZE << IRQ_BLOCK_ORDER)

static struct thread idle;
static uint64_t idle_irq_stack[IRQ_BLOCK_SIZE / 8] __attribute__((aligned(16)));
static uint32_t last_id = 1; /* which is the application's */

/* Ended and detached, to be freed by the next thread_reap(). */
static LIST_HEAD(ended);
static struct wait_queue exits;

void thread_init_idle(void)
{
    strcpy(idle.name, "idle");
    idle.irq_stack = (uintptr_t)idle_irq_stack + sizeof idle_irq_stack;
    idle.irq_canary = idle_irq_stack;
    *idle.irq_canary = IRQ_CANARY;
    list_add_tail(&all_threads, &idle.all_node);
    schedule_init(&idle);
}

static struct thread *new_thread(const char *name, unsigned priority)
{
    thread_reap();
    struct thread *thread = kcalloc(1, sizeof *thread);
    paddr_t block = frame_alloc_order(IRQ_BLOCK_ORDER);
    if (!thread || block == FRAME_NONE) {
        kfree(thread);
        if (block != FRAME_NONE)
            frame_free_order(block, IRQ_BLOCK_ORDER);
        return NULL;
    }
    thread->fpu = frame_to_virt(block);
    memset(thread->fpu, 0, context_fpu_size());
    thread->irq_stack = (uintptr_t)thread->fpu + IRQ_BLOCK_SIZE;
    thread->irq_canary = (uint64_t *)((char *)thread->fpu + context_fpu_size());
    *thread->irq_canary = IRQ_CANARY;
    strncpy(thread->name, name, sizeof thread->name - 1);
    thread->priority = thread->base_priority = priority;
    list_init(&thread->run_node);
    list_init(&thread->wait_node);
    return thread;
}

static void start(struct thread *thread, void (*fn)(void *arg), void *arg)
{
    context_init(thread, fn, arg);
    cpu_irq_state state = spin_lock(&schedule_lock);
    thread->id = ++last_id;
    list_add_tail(&all_threads, &thread->all_node);
    schedule_ready(thread);
    spin_unlock(&schedule_lock, state);
}

static void free_thread(struct thread *thread)
{
    if (thread->stack_owned)
        vm_release((void *)thread->stack_base, thread->stack_size);
    frame_free_order(virt_to_frame(thread->fpu), IRQ_BLOCK_ORDER);
    kfree(thread);
}

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg, size_t stack_size,
                             unsigned priority)
{
    struct thread *thread = new_thread(name, priority);
    if (!thread)
        return NULL;
    stack_size = (stack_size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    void *stack = vm_alloc_stack(stack_size);
    if (!stack) {
        free_thread(thread);
        return NULL;
    }
    thread->stack_base = (uintptr_t)stack;
    thread->stack_size = stack_size;
    thread->stack_owned = true;
    thread->sp = (uintptr_t)stack + stack_size;
    start(thread, fn, arg);
    schedule_after_wake();
    return thread;
}

struct thread *thread_create_on(const char *name, void (*fn)(void *arg), void *arg, void *stack_top,
                                uintptr_t tls)
{
    struct thread *thread = new_thread(name, thread_current()->base_priority);
    if (!thread)
        return NULL;
    thread->sp = (uintptr_t)stack_top;
    thread->tls = tls;
    thread->detached = true;
    start(thread, fn, arg);
    return thread;
}

void thread_exit(void)
{
    timer_cancel(&thread_current()->tick);
    (void)spin_lock(&schedule_lock);
    struct thread *self = thread_current();
    cpu_percpu()->preempt_count = 0;
    self->state = THREAD_DEAD;
    schedule_away();
    __builtin_unreachable();
}

void thread_exit_release(void *addr, size_t size)
{
    struct thread *self = thread_current();
    self->stack_base = (uintptr_t)addr;
    self->stack_size = size;
    self->stack_owned = true;
    thread_exit();
}

void thread_finished(struct thread *thread)
{
    if (thread->clear_on_exit) {
        __atomic_store_n(thread->clear_on_exit, 0, __ATOMIC_RELEASE);
        (void)futex_wake(thread->clear_on_exit, 1);
    }
    cpu_irq_state state = spin_lock(&schedule_lock);
    list_remove(&thread->all_node);
    thread->finished = true;
    if (thread->detached)
        list_add_tail(&ended, &thread->run_node);
    spin_unlock(&schedule_lock, state);
    /* THREAD may be gone from here on: its joiner need not wait for the wake-up. */
    wait_wake(&exits, ~0u);
}

void thread_detach(struct thread *thread)
{
    cpu_irq_state state = spin_lock(&schedule_lock);
    thread->detached = true;
    if (thread->finished)
        list_add_tail(&ended, &thread->run_node);
    spin_unlock(&schedule_lock, state);
}

static bool has_finished(void *context)
{
    return ((struct thread *)context)->finished;
}

void thread_join(struct thread *thread)
{
    (void)wait_until(&exits, has_finished, thread, WAIT_FOREVER);
    free_thread(thread);
}

void thread_reap(void)
{
    for (;;) {
        struct thread *thread = NULL;
        cpu_irq_state state = spin_lock(&schedule_lock);
        if (!list_empty(&ended)) {
            thread = list_entry(ended.next, struct thread, run_node);
            list_remove(&thread->run_node);
        }
        spin_unlock(&schedule_lock, state);
        if (!thread)
            return;
        free_thread(thread);
    }
}

uint64_t thread_cpu_ns(const struct thread *thread)
{
    cpu_irq_state state = spin_lock(&schedule_lock);
    uint64_t spent = thread->cpu_ns;
    if (thread->state == THREAD_RUNNING)
        spent += clock_now() - thread->switched_in;
    spin_unlock(&schedule_lock, state);
    return spent;
}

void thread_for_each(bool (*fn)(struct thread *thread, void *context), void *context)
{
    /* Preemption off keeps the list as it is: only threads add to it and take from it. */
    preempt_disable();
    list_for_each(node, &all_threads)
    {
        if (!fn(list_entry(node, struct thread, all_node), context))
            break;
    }
    preempt_enable();
}

static bool never(void *context)
{
    (void)context;
    return false;
}

void thread_sleep_until(uint64_t deadline_ns)
{
    struct wait_queue nobody;
    wait_queue_init(&nobody);
    (void)wait_until(&nobody, never, NULL, deadline_ns);
}
