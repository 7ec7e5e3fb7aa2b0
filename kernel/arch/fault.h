/* Exceptions and the registers they interrupt. */
#ifndef QUINCE_ARCH_FAULT_H
#define QUINCE_ARCH_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Saved registers of the interrupted code; layout is the architecture's. Lives on an exception
 * stack; changes take effect on return. */
struct trap_frame;

enum fault_kind { FAULT_ACCESS, FAULT_DIVIDE, FAULT_ILLEGAL, FAULT_OTHER };

/* The registers an embedder of compiled code needs, copied out of and into a frame. */
struct fault_registers {
    uintptr_t pc, sp, fp, instance, arg0; /* x86-64: rip rsp rbp r15 rdi */
};
void frame_get(const struct trap_frame *frame, struct fault_registers *out);
void frame_set(struct trap_frame *frame, const struct fault_registers *in);

/* Offered every synchronous exception before it becomes a panic. Called with interrupts off on the
 * exception stack; must not sleep or take locks. true: handled, resume with the changed frame. */
typedef bool (*fault_handler_fn)(struct trap_frame *frame, enum fault_kind kind, uintptr_t addr);
void fault_set_handler(fault_handler_fn handler);

/* Called on the way out of every interrupt, with the frame about to be resumed in the current
 * thread, when thread->resume_hook is set; see sched/thread.h. */

/* Where FP and return addresses lie in a frame chain is the architecture's; walks it safely.
 * Returns the number of program counters stored. */
size_t backtrace(uintptr_t pc, uintptr_t fp, uintptr_t *pcs, size_t max);

/* Prints symbolised backtrace, running thread and extension, then cpu_exit(101). */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for an exception, with the registers of FRAME and the backtrace of what it interrupted.
 */
_Noreturn void panic_frame(const struct trap_frame *frame, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Registers in lines to the console; part of panic_frame(). */
void frame_print(const struct trap_frame *frame);

#endif
