/* Locks and waiting. Spinlocks disable interrupts and may be taken anywhere; mutexes and condition
 * variables sleep and belong to threads; wait_wake() is allowed in interrupts. */
#ifndef QUINCE_SCHED_SYNC_H
#define QUINCE_SCHED_SYNC_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/cpu.h"
#include "sched/list.h"

#define WAIT_FOREVER UINT64_MAX

struct spinlock {
    uint32_t locked;
};
cpu_irq_state spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock, cpu_irq_state state);

struct wait_queue {
    struct spinlock lock;
    struct list_node waiters;
};
/* Zero-initialised is an empty queue too. */
#define WAIT_QUEUE(name) struct wait_queue name = {{0}, {&(name).waiters, &(name).waiters}}
void wait_queue_init(struct wait_queue *queue);
/* Sleeps until condition(context) holds, checked under the queue's lock before every sleep, or the
 * deadline (clock_now() scale) passes: 0 or -ETIMEDOUT. Whoever makes it true calls wait_wake(). */
int wait_until(struct wait_queue *queue, bool (*condition)(void *context), void *context,
               uint64_t deadline);
unsigned wait_wake(struct wait_queue *queue, unsigned max); /* number woken */

/* Zero-initialised is unlocked. Not recursive; the holder must unlock. */
struct mutex {
    struct wait_queue queue;
    struct thread *owner;
    uint32_t waiting; /* threads on their way into or out of the queue */
};
void mutex_lock(struct mutex *mutex);
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

struct semaphore {
    struct wait_queue queue;
    uint32_t count;
};
void semaphore_init(struct semaphore *s, uint32_t count);
int semaphore_wait(struct semaphore *s, uint64_t deadline); /* 0 or -ETIMEDOUT */
void semaphore_post(struct semaphore *s);                   /* interrupts too */

/* Address wait (futex): sleeps if *word still equals EXPECTED. 0, -EAGAIN or -ETIMEDOUT. */
int futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline);
unsigned futex_wake(uint32_t *word, unsigned max);
/* Wakes WAKE waiters of FROM, moves MOVE further ones to TO; how many of both. */
unsigned futex_requeue(uint32_t *from, unsigned wake, uint32_t *to, unsigned move);

#endif
