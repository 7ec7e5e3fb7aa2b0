/* Waiting at an address: what the C library's locks are made of. Waiters hang in a table hashed by
 * address; each remembers its word, so a bucket may hold waiters of several. */
#include <errno.h>
#include "sched/schedule.h"
#include "sched/sync.h"
#include "time/clock.h"
#include "time/timer.h"

enum { BUCKETS = 64 };

struct waiter {
    struct list_node node;
    struct thread *thread;
    uint32_t *word; /* NULL: woken */
    struct timer timer;
    bool timed_out;
};

/* One lock for all: with a bucket's own, moving waiters between two would need both in order, and
 * none is held for longer than a short list takes. */
static struct spinlock lock;
static struct list_node buckets[BUCKETS];

static struct list_node *bucket_of(const uint32_t *word)
{
    uint64_t hash = (uintptr_t)word / sizeof *word * 0x9e3779b97f4a7c15ull;
    struct list_node *bucket = &buckets[hash >> 58];
    if (!bucket->next)
        list_init(bucket);
    return bucket;
}

static void wake(struct waiter *waiter)
{
    list_remove(&waiter->node);
    waiter->word = NULL;
    cpu_irq_state state = spin_lock(&schedule_lock);
    schedule_ready(waiter->thread);
    spin_unlock(&schedule_lock, state);
}

static void on_timeout(struct timer *timer)
{
    struct waiter *waiter = timer->context;
    cpu_irq_state state = spin_lock(&lock);
    if (waiter->word) {
        waiter->timed_out = true;
        wake(waiter);
    }
    spin_unlock(&lock, state);
}

int futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline)
{
    struct waiter waiter = {.thread = thread_current(), .word = word};
    cpu_irq_state state = spin_lock(&lock);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected) {
        spin_unlock(&lock, state);
        return -EAGAIN;
    }
    if (deadline != WAIT_FOREVER && clock_now() >= deadline) {
        spin_unlock(&lock, state);
        return -ETIMEDOUT;
    }
    list_add_tail(bucket_of(word), &waiter.node);
    if (deadline != WAIT_FOREVER) {
        waiter.timer.fn = on_timeout;
        waiter.timer.context = &waiter;
        timer_arm(&waiter.timer, deadline);
    }
    (void)spin_lock(&schedule_lock);
    waiter.thread->state = THREAD_BLOCKED;
    spin_unlock(&lock, 0);
    schedule_away();
    if (deadline != WAIT_FOREVER)
        timer_cancel(&waiter.timer);
    cpu_irq_restore(state);
    schedule_after_wake();
    return waiter.timed_out ? -ETIMEDOUT : 0;
}

unsigned futex_requeue(uint32_t *from, unsigned wake_max, uint32_t *to, unsigned move_max)
{
    unsigned woken = 0, moved = 0;
    cpu_irq_state state = spin_lock(&lock);
    struct list_node *bucket = bucket_of(from), *target = to ? bucket_of(to) : NULL;
    list_for_each(node, bucket)
    {
        struct waiter *waiter = list_entry(node, struct waiter, node);
        if (waiter->word != from)
            continue;
        if (woken < wake_max) {
            wake(waiter);
            woken++;
        } else if (target && moved < move_max) {
            waiter->word = to;
            list_remove(&waiter->node);
            list_add_tail(target, &waiter->node);
            moved++;
        } else {
            break;
        }
    }
    spin_unlock(&lock, state);
    schedule_after_wake();
    return woken + moved;
}

unsigned futex_wake(uint32_t *word, unsigned max)
{
    return futex_requeue(word, max, NULL, 0);
}
