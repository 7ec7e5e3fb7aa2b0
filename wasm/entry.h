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
    uintptr_t sp, fp, saved[2], resume, unused[3];
};

/* Made by wasm_entry_prepare(); the fields are not for others. Used by one thread at a time, as its
 * instance, and only while that is not freed. */
struct wasm_entry {
    struct wasm_thread *thread;
    struct wasm_entry_head *instance;
    uintptr_t code;
    uint32_t float_control; /* the default, as the processor takes it */
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

#include "target/entry_inline.h"

/* COUNT, a constant, of the arguments are passed. */
static inline __attribute__((always_inline)) enum wasm_trap
wasm_entry_call(struct wasm_entry *entry, unsigned count, uint64_t a, uint64_t b, uint64_t c,
                uint64_t d, uint64_t e, uint64_t *result)
{
    struct wasm_thread *thread = entry->thread;
    if (__builtin_expect(thread->running != 0, 0))
        return wasm_entry_slow(entry, a, b, c, d, e, result);
    struct wasm_entry_head *instance = entry->instance;
    /* From here on a tick sees the call; it may come between any two instructions. */
    *(volatile uintptr_t *)&thread->running = (uintptr_t)instance;
    __asm__ volatile("" : : : "memory");
    if (__builtin_expect(instance->entry_frequency > thread->frequency, 0)) {
        *(volatile uintptr_t *)&thread->running = 0;
        return wasm_entry_slow(entry, a, b, c, d, e, result);
    }
    uint64_t value;
    instance = wasm_entry_switch(entry, instance, count, a, b, c, d, e, &value);
    /* The call trapped, or it was ticked, or something was freed in it. */
    if (__builtin_expect(thread->running != (uintptr_t)instance, 0))
        return wasm_entry_finish(entry, !instance, value, result);
    *(volatile uintptr_t *)&thread->running = 0;
    *result = value;
    return WASM_TRAP_NONE;
}

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
