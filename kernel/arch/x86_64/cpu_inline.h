/* The inline part of arch/cpu.h for x86-64. */
#ifndef QUINCE_X86_CPU_INLINE_H
#define QUINCE_X86_CPU_INLINE_H

static inline cpu_irq_state cpu_irq_save(void)
{
    cpu_irq_state flags;
    __asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void cpu_irq_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void cpu_irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void cpu_irq_restore(cpu_irq_state state)
{
    if (state & 0x200)
        cpu_irq_enable();
}

static inline bool cpu_irq_enabled(void)
{
    cpu_irq_state flags;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return (flags & 0x200) != 0;
}

/* sti takes effect after the following instruction. */
static inline void cpu_idle(void)
{
    __asm__ volatile("sti\n\thlt" : : : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* volatile: a thread may find itself on another CPU after it slept. */
static inline struct percpu *cpu_percpu(void)
{
    struct percpu *self;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(self));
    return self;
}

static inline uint64_t cpu_cycles(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

#endif
