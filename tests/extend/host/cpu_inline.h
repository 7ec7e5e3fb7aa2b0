/* The processor as tests on the host have it: no interrupts, and per-CPU data per thread. */
static inline cpu_irq_state cpu_irq_save(void)
{
    return 0;
}
static inline void cpu_irq_restore(cpu_irq_state state)
{
    (void)state;
}
static inline void cpu_irq_enable(void)
{
}
static inline void cpu_irq_disable(void)
{
}
static inline bool cpu_irq_enabled(void)
{
    return true;
}
static inline void cpu_idle(void)
{
}
static inline void cpu_relax(void)
{
}
struct percpu *host_percpu(void); /* of the calling thread */
static inline struct percpu *cpu_percpu(void)
{
    return host_percpu();
}
static inline uint64_t cpu_cycles(void)
{
    return 0;
}
