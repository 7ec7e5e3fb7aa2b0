/* Switching between threads. */
#ifndef QUINCE_ARCH_CONTEXT_H
#define QUINCE_ARCH_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

struct thread;
/* First entry of a new thread whose sp is the top of its stack: calls entry(arg) there with
 * interrupts on. */
void context_init(struct thread *thread, void (*entry)(void *arg), void *arg);
/* Saves callee-saved state, loads NEXT's, switches the interrupt stack and the thread pointer.
 * Interrupts off. */
void context_switch(struct thread *previous, struct thread *next);
/* The running code becomes THREAD (the idle thread of a CPU). */
void context_start_first(struct thread *thread);
void context_set_tls(uintptr_t base); /* thread pointer of the running thread */

/* All of the FPU, around a switch that preempts: code that calls into the scheduler by itself
 * expects no more than callee-saved state to survive. thread->fpu has this size, aligned to 64,
 * zeroed. */
size_t context_fpu_size(void);
void context_fpu_save(struct thread *thread);
void context_fpu_restore(struct thread *thread);

#endif
