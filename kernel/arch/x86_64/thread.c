/* What a thread is on this processor: its first stack frame, its thread pointer, its FPU state. */
#include "x86.h"
#include <string.h>
#include "arch/context.h"
#include "sched/thread.h"

void x86_switch(uintptr_t *save_sp, uintptr_t sp);
extern char x86_thread_entry[];

/* As x86_switch pops it. */
struct switch_frame {
    uint32_t mxcsr, control_word;
    uint64_t r15, r14, r13, r12, rbx, rbp, pc;
};
enum { MXCSR_DEFAULT = 0x1f80, CONTROL_WORD_DEFAULT = 0x37f };

/* Kernel threads have no thread pointer of their own, but C library functions may store errno
 * through it: they share one (kernel/posix/musl/kernel_tls.c). */
extern char posix_kernel_tls[];

void context_init(struct thread *thread, void (*entry)(void *arg), void *arg)
{
    uintptr_t top = thread->sp & ~15ul;
    struct switch_frame *frame = (struct switch_frame *)(top - sizeof *frame);
    *frame = (struct switch_frame){
        .mxcsr = MXCSR_DEFAULT,
        .control_word = CONTROL_WORD_DEFAULT,
        .r12 = (uintptr_t)entry,
        .r13 = (uintptr_t)arg,
        .pc = (uintptr_t)x86_thread_entry,
    };
    thread->sp = (uintptr_t)frame;
    if (!thread->tls)
        thread->tls = (uintptr_t)posix_kernel_tls;
}

static void load_tls(uintptr_t base)
{
    if (x86_features.fsgsbase)
        __asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
    else
        x86_wrmsr(MSR_FS_BASE, base);
}

void context_set_tls(uintptr_t base)
{
    thread_current()->tls = base;
    load_tls(base);
}

void context_switch(struct thread *previous, struct thread *next)
{
    x86_cpu()->tss.ist[IST_INTERRUPT - 1] = next->irq_stack;
    if (next->tls != previous->tls)
        load_tls(next->tls);
    x86_switch(&previous->sp, next->sp);
}

void context_start_first(struct thread *thread)
{
    x86_cpu()->tss.ist[IST_INTERRUPT - 1] = thread->irq_stack;
    thread->tls = (uintptr_t)posix_kernel_tls;
    load_tls(thread->tls);
}

size_t context_fpu_size(void)
{
    return (x86_features.fpu_size + 63u) & ~63u;
}

void context_fpu_save(struct thread *thread)
{
    if (x86_features.xsave) {
        __asm__ volatile("xsave64 (%0)" : : "r"(thread->fpu), "a"(~0u), "d"(~0u) : "memory");
        /* The next thread expects an empty x87 stack; clean upper halves cost it nothing. */
        __asm__ volatile("fninit");
        if (x86_features.fpu_size > 576)
            __asm__ volatile("vzeroupper");
    } else {
        __asm__ volatile("fxsave64 (%0)\n\tfninit" : : "r"(thread->fpu) : "memory");
    }
}

void context_fpu_restore(struct thread *thread)
{
    if (x86_features.xsave)
        __asm__ volatile("xrstor64 (%0)" : : "r"(thread->fpu), "a"(~0u), "d"(~0u) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(thread->fpu) : "memory");
}
