/* The scheduler: strict priorities, round robin within one. A CPU that has one runnable thread
 * takes no timer interrupts; a slice is armed only when another of the same priority waits. */
#include "sched/schedule.h"
#include "arch/context.h"
#include "arch/fault.h"
#include "time/clock.h"

#define SLICE (10 * NS_PER_MS)

struct spinlock schedule_lock;
LIST_HEAD(all_threads);

cpu_irq_state spin_lock(struct spinlock *lock)
{
    cpu_irq_state state = cpu_irq_save();
    while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE))
        cpu_relax();
    return state;
}

void spin_unlock(struct spinlock *lock, cpu_irq_state state)
{
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
    cpu_irq_restore(state);
}

void schedule_init(struct thread *idle)
{
    struct percpu *cpu = cpu_percpu();
    for (unsigned i = 0; i < THREAD_PRIORITIES; i++)
        list_init(&cpu->run_queue[i]);
    cpu->idle = idle;
    cpu->current = idle;
    idle->state = THREAD_RUNNING;
    idle->priority = idle->base_priority = THREAD_PRIORITIES; /* below all */
    context_start_first(idle);
}

/* A slice is needed when somebody else of the running thread's priority waits. */
static void arm_slice(struct percpu *cpu)
{
    struct thread *current = cpu->current;
    bool shared = current != cpu->idle && !list_empty(&cpu->run_queue[current->priority]);
    if (!shared) {
        timer_set_slice(UINT64_MAX);
        return;
    }
    uint64_t now = clock_now();
    if (current->slice_end <= now)
        current->slice_end = now + SLICE;
    timer_set_slice(current->slice_end);
}

void schedule_ready(struct thread *thread)
{
    struct percpu *cpu = cpu_percpu();
    thread->state = THREAD_READY;
    list_add_tail(&cpu->run_queue[thread->priority], &thread->run_node);
    if (thread->priority < cpu->current->priority)
        cpu->need_resched = true;
    else if (thread->priority == cpu->current->priority)
        arm_slice(cpu);
}

static struct thread *pick_next(struct percpu *cpu)
{
    for (unsigned i = 0; i < THREAD_PRIORITIES; i++) {
        if (!list_empty(&cpu->run_queue[i])) {
            struct thread *next = list_entry(cpu->run_queue[i].next, struct thread, run_node);
            list_remove(&next->run_node);
            return next;
        }
    }
    return cpu->idle;
}

/* After a switch, on the new thread: the lock goes, and what the previous one left is dealt with.
 */
static void finish_switch(void)
{
    struct percpu *cpu = cpu_percpu();
    struct thread *dead = cpu->dead;
    cpu->dead = NULL;
    spin_unlock(&schedule_lock, 0);
    if (dead)
        thread_finished(dead);
}

void schedule_away(void)
{
    struct percpu *cpu = cpu_percpu();
    struct thread *previous = cpu->current;
    cpu->need_resched = false;
    if (previous->state == THREAD_RUNNING && previous != cpu->idle) {
        /* Preempted within its slice it stays first in line. */
        bool spent = previous->slice_end <= clock_now();
        previous->state = THREAD_READY;
        if (spent)
            list_add_tail(&cpu->run_queue[previous->priority], &previous->run_node);
        else
            list_add_head(&cpu->run_queue[previous->priority], &previous->run_node);
    } else if (previous == cpu->idle) {
        previous->state = THREAD_READY;
    } else if (previous->state == THREAD_DEAD) {
        cpu->dead = previous;
    }

    struct thread *next = pick_next(cpu);
    next->state = THREAD_RUNNING;
    if (next != previous) {
        uint64_t now = clock_now();
        previous->cpu_ns += now - previous->switched_in;
        next->switched_in = now;
        cpu->current = next;
        cpu->switches++;
        arm_slice(cpu);
        context_switch(previous, next);
    } else {
        arm_slice(cpu);
    }
    finish_switch();
}

static bool may_switch(const struct percpu *cpu)
{
    return cpu->need_resched && cpu->preempt_count == 0 && cpu->irq_depth == 0;
}

void schedule_after_wake(void)
{
    if (!may_switch(cpu_percpu()) || !cpu_irq_enabled())
        return;
    cpu_irq_state saved = spin_lock(&schedule_lock);
    schedule_away();
    cpu_irq_restore(saved);
}

void schedule_from_interrupt(struct trap_frame *frame)
{
    struct percpu *cpu = cpu_percpu();
    struct thread *self = cpu->current;
    if (*self->irq_canary != IRQ_CANARY)
        panic("interrupt stack overflow");
    if (may_switch(cpu)) {
        (void)spin_lock(&schedule_lock);
        if (self->fpu)
            context_fpu_save(self);
        schedule_away();
        if (self->fpu)
            context_fpu_restore(self);
    }
    if (self->resume_hook)
        self->resume_hook(self, frame);
}

void schedule_thread_started(void)
{
    finish_switch();
    cpu_irq_enable();
}

void schedule_slice_expired(void)
{
    cpu_percpu()->need_resched = true;
}

void schedule_set_priority(struct thread *thread, unsigned priority)
{
    cpu_irq_state state = spin_lock(&schedule_lock);
    if (thread->state == THREAD_READY) {
        list_remove(&thread->run_node);
        thread->priority = priority;
        schedule_ready(thread);
    } else {
        thread->priority = priority;
    }
    /* Lowered, it may have to make room. */
    if (thread == thread_current())
        cpu_percpu()->need_resched = true;
    spin_unlock(&schedule_lock, state);
    schedule_after_wake();
}

void thread_yield(void)
{
    cpu_irq_state state = spin_lock(&schedule_lock);
    thread_current()->slice_end = 0;
    schedule_away();
    cpu_irq_restore(state);
}

void preempt_disable(void)
{
    cpu_percpu()->preempt_count++;
    __asm__ volatile("" : : : "memory");
}

void preempt_enable(void)
{
    __asm__ volatile("" : : : "memory");
    struct percpu *cpu = cpu_percpu();
    if (--cpu->preempt_count == 0 && cpu->need_resched)
        schedule_after_wake();
}
