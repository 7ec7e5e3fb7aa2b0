/* The processor: interrupts on and off, idling, per-CPU base, cycle counter, the fence
 * towards devices, entropy. Contract of every architecture; arch/<name>/cpu_inline.h supplies the
 * inline part. */
#ifndef QUINCE_ARCH_CPU_H
#define QUINCE_ARCH_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct percpu; /* sched/percpu.h */

/* Previous interrupt state, to hand back to cpu_irq_restore(). */
typedef unsigned long cpu_irq_state;
static inline cpu_irq_state cpu_irq_save(void);
static inline void cpu_irq_restore(cpu_irq_state state);
static inline void cpu_irq_enable(void);
static inline void cpu_irq_disable(void);
static inline bool cpu_irq_enabled(void);
/* Enables interrupts and sleeps until one came, without a window between the two. */
static inline void cpu_idle(void);
static inline void cpu_relax(void);
static inline struct percpu *cpu_percpu(void);
static inline uint64_t cpu_cycles(void);
/* What was stored before it is seen by devices before anything is loaded behind it: for the memory
 * that is shared with them, where each side stores a wish and then looks at the other's. Does what
 * it says also where the emulator leaves barriers out. */
void cpu_device_fence(void);
/* A hardware random number; false where there is none. */
bool cpu_random(uint64_t *value);
/* Ends the machine. CODE 0…127 reaches the host where the machine has a way to tell. Never returns.
 */
_Noreturn void cpu_exit(int code);
_Noreturn void cpu_reboot(void);

#include "cpu_inline.h" /* from arch/<name>/ */
#endif
