/* What each CPU has of its own. Reached through the CPU's base register. */
#ifndef QUINCE_SCHED_PERCPU_H
#define QUINCE_SCHED_PERCPU_H

#include <stdint.h>
#include "arch/cpu.h"
#include "sched/list.h"

struct thread;
struct percpu {
    struct percpu *self; /* offset 0: how the base register is read */
    struct thread *current;
    struct thread *idle;
    uint32_t cpu;
    uint32_t preempt_count;
    uint32_t irq_depth;
    bool need_resched;
    struct thread *dead; /* switched away from for the last time */
    struct list_node run_queue[4];
    uint64_t interrupts, switches;
};
static inline struct thread *thread_current(void)
{
    return cpu_percpu()->current;
}
static inline bool in_interrupt(void)
{
    return cpu_percpu()->irq_depth != 0;
}

#endif
