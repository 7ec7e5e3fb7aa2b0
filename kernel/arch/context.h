/* Switching between threads. */
#ifndef QUINCE_ARCH_CONTEXT_H
#define QUINCE_ARCH_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

struct thread;
/* First entry of a new thread: on its stack, calls entry(arg) with interrupts on. */
void context_init(struct thread *thread, void (*entry)(void *arg), void *arg);
/* Saves callee-saved state (all of the FPU when the thread was preempted), loads NEXT's. Interrupts
 * off. */
void context_switch(struct thread *previous, struct thread *next);
void context_set_tls(uintptr_t base); /* thread pointer of the running thread */

#endif
