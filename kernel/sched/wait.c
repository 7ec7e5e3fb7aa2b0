/* Waiting: queues of sleeping threads, and what is built of them: mutex and semaphore. */
#include <errno.h>
#include "arch/fault.h"
#include "sched/schedule.h"
#include "sched/sync.h"
#include "time/clock.h"
#include "time/timer.h"

void wait_queue_init(struct wait_queue *queue)
{
    queue->lock.locked = 0;
    list_init(&queue->waiters);
}

/* Takes THREAD out of QUEUE and makes it ready; QUEUE's lock held. */
static void wake(struct thread *thread)
{
    list_remove(&thread->wait_node);
    thread->waiting_on = NULL;
    cpu_irq_state state = spin_lock(&schedule_lock);
    schedule_ready(thread);
    spin_unlock(&schedule_lock, state);
}

struct timeout {
    struct timer timer;
    struct thread *thread;
    struct wait_queue *queue;
};

static void on_timeout(struct timer *timer)
{
    struct timeout *timeout = timer->context;
    cpu_irq_state state = spin_lock(&timeout->queue->lock);
    if (timeout->thread->waiting_on == timeout->queue)
        wake(timeout->thread);
    spin_unlock(&timeout->queue->lock, state);
}

/* Sleeps once; QUEUE's lock is held before and after, interrupts are off. */
static void sleep_once(struct wait_queue *queue, uint64_t deadline)
{
    struct thread *self = thread_current();
    if (!queue->waiters.next)
        list_init(&queue->waiters);
    list_add_tail(&queue->waiters, &self->wait_node);
    self->waiting_on = queue;

    struct timeout timeout = {{.fn = on_timeout, .context = &timeout}, self, queue};
    if (deadline != WAIT_FOREVER)
        timer_arm(&timeout.timer, deadline);
    (void)spin_lock(&schedule_lock);
    self->state = THREAD_BLOCKED;
    spin_unlock(&queue->lock, 0);
    schedule_away();
    if (deadline != WAIT_FOREVER)
        timer_cancel(&timeout.timer);
    (void)spin_lock(&queue->lock);
}

int wait_until(struct wait_queue *queue, bool (*condition)(void *context), void *context,
               uint64_t deadline)
{
    if (in_interrupt() || cpu_percpu()->preempt_count)
        panic("sleeping where that is not allowed");
    int result = 0;
    cpu_irq_state state = spin_lock(&queue->lock);
    while (!condition(context)) {
        if (deadline != WAIT_FOREVER && clock_now() >= deadline) {
            result = -ETIMEDOUT;
            break;
        }
        sleep_once(queue, deadline);
    }
    spin_unlock(&queue->lock, state);
    schedule_after_wake(); /* for what ended threads woke while this one was switched to */
    return result;
}

unsigned wait_wake(struct wait_queue *queue, unsigned max)
{
    unsigned count = 0;
    cpu_irq_state state = spin_lock(&queue->lock);
    while (count < max && queue->waiters.next && !list_empty(&queue->waiters)) {
        wake(list_entry(queue->waiters.next, struct thread, wait_node));
        count++;
    }
    spin_unlock(&queue->lock, state);
    schedule_after_wake();
    return count;
}

/* A mutex lends the priority of who waits to who holds it, so that a thread of middling priority
 * cannot keep both from running. Whoever holds several gets its own back when it has unlocked the
 * last. */
static bool try_lock(struct mutex *mutex, struct thread *self)
{
    struct thread *none = NULL;
    if (!__atomic_compare_exchange_n(&mutex->owner, &none, self, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    self->mutexes_held++;
    return true;
}

static bool lock_or_lend(void *context)
{
    struct mutex *mutex = context;
    struct thread *self = thread_current();
    if (try_lock(mutex, self))
        return true;
    struct thread *owner = mutex->owner;
    if (owner && owner->priority > self->priority)
        schedule_set_priority(owner, self->priority);
    return false;
}

void mutex_lock(struct mutex *mutex)
{
    struct thread *self = thread_current();
    if (try_lock(mutex, self))
        return;
    if (mutex->owner == self)
        panic("%s locks a mutex twice", self->name);
    __atomic_add_fetch(&mutex->waiting, 1, __ATOMIC_SEQ_CST);
    (void)wait_until(&mutex->queue, lock_or_lend, mutex, WAIT_FOREVER);
    __atomic_sub_fetch(&mutex->waiting, 1, __ATOMIC_SEQ_CST);
}

bool mutex_trylock(struct mutex *mutex)
{
    return try_lock(mutex, thread_current());
}

void mutex_unlock(struct mutex *mutex)
{
    struct thread *self = thread_current();
    if (mutex->owner != self)
        panic("%s unlocks a mutex it does not hold", self->name);
    self->mutexes_held--;
    __atomic_store_n(&mutex->owner, NULL, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&mutex->waiting, __ATOMIC_SEQ_CST))
        (void)wait_wake(&mutex->queue, 1);
    if (self->priority != self->base_priority && self->mutexes_held == 0)
        schedule_set_priority(self, self->base_priority);
}

void semaphore_init(struct semaphore *s, uint32_t count)
{
    wait_queue_init(&s->queue);
    s->count = count;
}

static bool take(void *context)
{
    struct semaphore *s = context;
    if (s->count == 0)
        return false;
    s->count--;
    return true;
}

int semaphore_wait(struct semaphore *s, uint64_t deadline)
{
    return wait_until(&s->queue, take, s, deadline);
}

void semaphore_post(struct semaphore *s)
{
    /* In one go: who takes it may be gone with the semaphore as soon as the lock is free. */
    cpu_irq_state state = spin_lock(&s->queue.lock);
    s->count++;
    if (s->queue.waiters.next && !list_empty(&s->queue.waiters))
        wake(list_entry(s->queue.waiters.next, struct thread, wait_node));
    spin_unlock(&s->queue.lock, state);
    schedule_after_wake();
}
