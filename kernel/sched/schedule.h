/* The scheduler as its neighbours see it: sched/, time/ and arch/. Everyone else uses thread.h and
 * sync.h. */
#ifndef QUINCE_SCHED_SCHEDULE_H
#define QUINCE_SCHED_SCHEDULE_H

#include <stdint.h>
#include "sched/sync.h"
#include "sched/thread.h"

struct trap_frame;

#define IRQ_CANARY 0x71c3e9025ad4860bull

/* Guards run queues, thread states and the list of threads. Taken inside queue locks, outside the
 * timer's. Held across a switch: whoever runs next lets go of it. */
extern struct spinlock schedule_lock;
extern struct list_node all_threads;

/* The boot context becomes the idle thread IDLE. */
void schedule_init(struct thread *idle);
/* Makes a thread ready; schedule_lock held. */
void schedule_ready(struct thread *thread);
/* Gives the CPU away in whatever state the current thread was put; schedule_lock held, interrupts
 * off. Releases the lock; interrupts stay off. */
void schedule_away(void);
/* Switches if a wake-up asked for it and that is allowed here (no lock held, not in an interrupt).
 */
void schedule_after_wake(void);
/* End of every interrupt: preemption, then thread->resume_hook. */
void schedule_from_interrupt(struct trap_frame *frame);
/* First thing in a new thread: lets go of the lock, interrupts on. */
void schedule_thread_started(void);
void schedule_slice_expired(void); /* from the timer interrupt */
void schedule_set_priority(struct thread *thread, unsigned priority);

/* thread.c: a thread is off its stack for good. Interrupts off, no locks. */
void thread_finished(struct thread *thread);
/* Frees what ended threads left. */
void thread_reap(void);
void thread_init_idle(void);

/* time/timer.c: the end of the running thread's slice, UINT64_MAX: none. */
void timer_set_slice(uint64_t deadline);

#endif
