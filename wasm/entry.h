/* Calling an export again and again: resolved once, checked once, called inline without
 * marshalling. wasm_call() does the same for any function, and all the rest: these fall back to it
 * whenever a call is not of the simple kind (nested in another, the first after a trap, with a
 * budget that the thread is not ticked for yet). For functions of up to five integers and at most
 * one result, which is an integer. */
#ifndef QUINCE_WASM_ENTRY_H
#define QUINCE_WASM_ENTRY_H

#include "host.h"
#include "wasm.h"

#define WASM_ENTRY_PARAMS 5

/* How every struct wasm_instance begins. */
struct wasm_entry_head {
    void *memory0, *exec;
    uintptr_t exit_stub;
    uintptr_t entry_stack;    /* end of its stack: struct wasm_entry_frame */
    uint32_t entry_frequency; /* of ticks that its budget needs; ~0u: not ready to be entered */
};

/* What lies there during such a call: how its caller goes on. A trap restores all of it. */
struct wasm_entry_frame {
    uintptr_t sp, fp, r12, r13, resume, unused[3];
};

/* Made by wasm_entry_prepare(); the fields are not for others. Used by one thread at a time, as its
 * instance, and only while that is not freed. */
struct wasm_entry {
    struct wasm_thread *thread;
    struct wasm_entry_head *instance;
    uintptr_t code;
    uint32_t mxcsr;
    uint32_t param_count;
    uint64_t masks[WASM_ENTRY_PARAMS]; /* of the bits that a parameter has */
    struct wasm_func *func;
};

/* For calls of FUNC by this thread. TYPE as for host functions, "ii:i". false: FUNC is not of this
 * type, or it is none that can be called so. */
bool wasm_entry_prepare(struct wasm_entry *entry, struct wasm_func *func, const char *type);
/* From now on the calling thread calls ENTRY. Cheap. */
static inline void wasm_entry_bind(struct wasm_entry *entry)
{
    entry->thread = wasm_host_thread();
}

/* Calls that are not simple, and the end of calls after which something is to be done. */
enum wasm_trap wasm_entry_slow(struct wasm_entry *entry, uint64_t a, uint64_t b, uint64_t c,
                               uint64_t d, uint64_t e, uint64_t *result);
enum wasm_trap wasm_entry_finish(struct wasm_entry *entry, bool trapped, uint64_t value,
                                 uint64_t *result);

#if defined(__x86_64__)

/* Onto the instance's stack and into the function, by the engine's calling convention (abi.h). It
 * keeps rbx, rbp, r12, r13 and r15. After a trap it comes back with r15 = 0 and the trap in rax. */
#define WASM_ENTRY_SWITCH                                                                          \
    "ldmxcsr %[mxcsr]\n\t"                                                                         \
    "movq %%rsp, %%rbx\n\t"                                                                        \
    "movq %%rsp, (%[stack])\n\t"                                                                   \
    "movq %%rbp, 8(%[stack])\n\t"                                                                  \
    "movq %%r12, 16(%[stack])\n\t"                                                                 \
    "movq %%r13, 24(%[stack])\n\t"                                                                 \
    "leaq 1f(%%rip), %%r14\n\t"                                                                    \
    "movq %%r14, 32(%[stack])\n\t"                                                                 \
    "movq %[stack], %%rsp\n\t"                                                                     \
    "movq (%%r15), %%r14\n\t"                                                                      \
    "callq *%[code]\n"                                                                             \
    "1:\n\t"                                                                                       \
    "movq %%rbx, %%rsp"
#define WASM_ENTRY_CLOBBERS                                                                        \
    "rdi", "r10", "r11", "rbx", "r14", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",     \
        "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",       \
        "xmm15"

/* COUNT, a constant, of the arguments are passed. */
static inline __attribute__((always_inline)) enum wasm_trap
wasm_entry_call(struct wasm_entry *entry, unsigned count, uint64_t a, uint64_t b, uint64_t c,
                uint64_t d, uint64_t e, uint64_t *result)
{
    struct wasm_thread *thread = entry->thread;
    if (__builtin_expect(thread->running != 0, 0))
        return wasm_entry_slow(entry, a, b, c, d, e, result);
    register struct wasm_entry_head *instance __asm__("r15") = entry->instance;
    /* From here on a tick sees the call; it may come between any two instructions. */
    *(volatile uintptr_t *)&thread->running = (uintptr_t)instance;
    __asm__ volatile("" : : : "memory");
    if (__builtin_expect(instance->entry_frequency > thread->frequency, 0)) {
        *(volatile uintptr_t *)&thread->running = 0;
        return wasm_entry_slow(entry, a, b, c, d, e, result);
    }
    uint64_t rax = instance->entry_stack, rsi, rdx, rcx;
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    /* What is not passed may be anything: not an instruction. */
    __asm__ volatile("" : "=S"(rsi), "=d"(rdx), "=c"(rcx), "=r"(r8), "=r"(r9));
    if (count > 0)
        rsi = a & entry->masks[0];
    if (count > 1)
        rdx = b & entry->masks[1];
    if (count > 2)
        rcx = c & entry->masks[2];
    if (count > 3)
        r8 = d & entry->masks[3];
    if (count > 4)
        r9 = e & entry->masks[4];
    __asm__ volatile(WASM_ENTRY_SWITCH
                     : [stack] "+a"(rax), "+S"(rsi), "+d"(rdx), "+c"(rcx), "+r"(r8), "+r"(r9),
                       "+r"(instance)
                     : [mxcsr] "m"(entry->mxcsr), [code] "m"(entry->code)
                     : WASM_ENTRY_CLOBBERS);
    /* The call trapped, or it was ticked, or something was freed in it. */
    if (__builtin_expect(thread->running != (uintptr_t)instance, 0))
        return wasm_entry_finish(entry, !instance, rax, result);
    *(volatile uintptr_t *)&thread->running = 0;
    *result = rax;
    return WASM_TRAP_NONE;
}
#undef WASM_ENTRY_SWITCH
#undef WASM_ENTRY_CLOBBERS

#else
static inline enum wasm_trap wasm_entry_call(struct wasm_entry *entry, unsigned count, uint64_t a,
                                             uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                             uint64_t *result)
{
    (void)count;
    return wasm_entry_slow(entry, a, b, c, d, e, result);
}
#endif

/* Calls ENTRY with as many arguments as its function has parameters. *result is written when the
 * answer is WASM_TRAP_NONE; of an i32 the low half counts, without a result nothing does. Otherwise
 * as wasm_call(). */
static inline enum wasm_trap wasm_entry_call0(struct wasm_entry *entry, uint64_t *result)
{
    return wasm_entry_call(entry, 0, 0, 0, 0, 0, 0, result);
}
static inline enum wasm_trap wasm_entry_call1(struct wasm_entry *entry, uint64_t a,
                                              uint64_t *result)
{
    return wasm_entry_call(entry, 1, a, 0, 0, 0, 0, result);
}
static inline enum wasm_trap wasm_entry_call2(struct wasm_entry *entry, uint64_t a, uint64_t b,
                                              uint64_t *result)
{
    return wasm_entry_call(entry, 2, a, b, 0, 0, 0, result);
}
static inline enum wasm_trap wasm_entry_call3(struct wasm_entry *entry, uint64_t a, uint64_t b,
                                              uint64_t c, uint64_t *result)
{
    return wasm_entry_call(entry, 3, a, b, c, 0, 0, result);
}
static inline enum wasm_trap wasm_entry_call4(struct wasm_entry *entry, uint64_t a, uint64_t b,
                                              uint64_t c, uint64_t d, uint64_t *result)
{
    return wasm_entry_call(entry, 4, a, b, c, d, 0, result);
}
static inline enum wasm_trap wasm_entry_call5(struct wasm_entry *entry, uint64_t a, uint64_t b,
                                              uint64_t c, uint64_t d, uint64_t e, uint64_t *result)
{
    return wasm_entry_call(entry, 5, a, b, c, d, e, result);
}

#endif
