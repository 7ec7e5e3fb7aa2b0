/* Timers in a pairing heap, whose nodes are the timers themselves: arming never needs memory. The
 * hardware is programmed for the earliest of them or the end of the running thread's slice. */
#include "time/timer.h"
#include <stddef.h>
#include "arch/timer.h"
#include "sched/schedule.h"
#include "time/clock.h"

static struct spinlock lock;
static struct timer *root;
static uint64_t slice_end = UINT64_MAX;
static uint64_t programmed = UINT64_MAX;

/* A node's children are a list through next; previous is the left sibling, or the parent for the
 * first child. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->deadline < a->deadline) {
        struct timer *other = a;
        a = b;
        b = other;
    }
    b->previous = a;
    b->next = a->child;
    if (a->child)
        a->child->previous = b;
    a->child = b;
    a->next = a->previous = NULL;
    return a;
}

/* Melds a list of siblings: pairs from left to right, then the pairs from right to left. */
static struct timer *meld_siblings(struct timer *first)
{
    struct timer *pairs = NULL;
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->previous = NULL;
        if (b)
            b->next = b->previous = NULL;
        struct timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct timer *result = NULL;
    while (pairs) {
        struct timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        result = meld(result, pair);
    }
    return result;
}

static void detach(struct timer *timer)
{
    if (timer == root) {
        root = meld_siblings(timer->child);
    } else {
        if (timer->previous->child == timer)
            timer->previous->child = timer->next;
        else
            timer->previous->next = timer->next;
        if (timer->next)
            timer->next->previous = timer->previous;
        root = meld(root, meld_siblings(timer->child));
    }
    timer->child = timer->next = timer->previous = NULL;
    timer->deadline = 0;
}

/* An interrupt that comes too early costs less than programming the hardware at every change. */
static void program(void)
{
    uint64_t wanted = root && root->deadline < slice_end ? root->deadline : slice_end;
    if (wanted < programmed) {
        programmed = wanted;
        timer_program(wanted);
    }
}

int timer_arm(struct timer *timer, uint64_t deadline)
{
    cpu_irq_state state = spin_lock(&lock);
    if (timer->deadline)
        detach(timer);
    timer->deadline = deadline ? deadline : 1;
    timer->child = timer->next = timer->previous = NULL;
    root = meld(root, timer);
    program();
    spin_unlock(&lock, state);
    return 0;
}

bool timer_cancel(struct timer *timer)
{
    cpu_irq_state state = spin_lock(&lock);
    bool armed = timer->deadline != 0;
    if (armed)
        detach(timer);
    spin_unlock(&lock, state);
    return armed;
}

void timer_set_slice(uint64_t deadline)
{
    cpu_irq_state state = spin_lock(&lock);
    slice_end = deadline;
    program();
    spin_unlock(&lock, state);
}

void timer_fired(void)
{
    cpu_irq_state state = spin_lock(&lock);
    programmed = UINT64_MAX;
    uint64_t now = clock_now();
    while (root && root->deadline <= now) {
        struct timer *timer = root;
        detach(timer);
        spin_unlock(&lock, state);
        timer->fn(timer);
        state = spin_lock(&lock);
    }
    bool expired = slice_end <= now;
    if (expired)
        slice_end = UINT64_MAX;
    program();
    spin_unlock(&lock, state);
    if (expired)
        schedule_slice_expired();
}
