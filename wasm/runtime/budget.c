/* Time budgets of calls. A thread in a call that has one is ticked at some eight times the rate of
 * its budget; a tick charges every call that runs on the thread what lies between two ticks. The
 * first tick of a call charges nothing, since the call may have begun right before it. So a call is
 * ended between eight and ten of them, and a gap in which the thread did not run costs it one.
 *
 * Calls leave the ticks alone: the first tick that finds no call ends them, and the next call that
 * needs more than there are asks for new ones. All that a tick and a call have in common is in
 * struct wasm_thread, which one thread uses: they interrupt each other, but never run at once. */
#include "runtime/instance.h"

enum {
    SLICES = 8,
    FASTEST = 20000,       /* ticks per second */
    RETRY_NS = 100 * 1000, /* until a call that is over its budget stands where it can be ended */
};

static uint64_t slice_of(uint32_t frequency)
{
    return 1000000000 / frequency;
}

uint32_t budget_frequency(uint64_t ns)
{
    if (!ns)
        return 0;
    uint64_t wanted = (SLICES * 1000000000ull - 1) / ns + 1;
    return wanted < FASTEST ? (uint32_t)wanted : FASTEST;
}

/* A tick may come between any two stores here; the compiler is not to move them. */
#define SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define IN_ORDER()        __atomic_signal_fence(__ATOMIC_SEQ_CST)

enum { TICKED = 1 }; /* in wasm_thread.running */

static struct instance *running_instance(uintptr_t running)
{
    return (struct instance *)(running & ~(uintptr_t)TICKED);
}

void budget_enter(struct instance *instance, struct wasm_outer_call *outer)
{
    struct wasm_thread *thread = wasm_host_thread();
    *outer = (struct wasm_outer_call){thread->running, thread->outer, thread->charged};
    IN_ORDER();
    if (outer->running)
        SET(thread->outer, outer);
    IN_ORDER();
    SET(thread->running, (uintptr_t)instance);
    IN_ORDER(); /* a tick ends them, or it has seen the call */
    if (instance->tick_frequency > __atomic_load_n(&thread->frequency, __ATOMIC_RELAXED)) {
        SET(thread->frequency, instance->tick_frequency);
        wasm_host_tick(slice_of(instance->tick_frequency));
    }
}

static bool is_spent(const struct instance *instance, uint64_t charged)
{
    return instance->budget_ns && charged > instance->budget_ns;
}

void budget_leave(const struct wasm_outer_call *outer)
{
    struct wasm_thread *thread = wasm_host_thread();
    SET(thread->running, outer->running);
    IN_ORDER();
    SET(thread->charged, outer->charged);
    SET(thread->outer, outer->outer);
    /* If it was ended because the one around it is over its budget, that one is not to go on. */
    struct instance *around = running_instance(outer->running);
    if (around && is_spent(around, outer->charged))
        call_interrupt(around);
}

/* Charges a call; true when it is over its budget. */
static bool charge(uintptr_t *running, uint64_t *charged, uint64_t ns, uint32_t *frequency)
{
    const struct instance *instance = running_instance(*running);
    *charged = *running & TICKED ? *charged + ns : 1;
    *running |= TICKED;
    if (instance->tick_frequency > *frequency)
        *frequency = instance->tick_frequency;
    return is_spent(instance, *charged);
}

/* From one tick to the next, while THREAD is as it is. */
static uint64_t interval(const struct wasm_thread *thread)
{
    uint64_t slice = slice_of(thread->frequency);
    return thread->spent && slice > RETRY_NS ? RETRY_NS : slice;
}

uint64_t wasm_handle_tick(struct wasm_thread *thread, struct wasm_context *ctx)
{
    uint32_t needed = 0;
    bool spent = false;
    if (thread->running && thread->frequency) {
        uint64_t ns = interval(thread);
        spent = charge(&thread->running, &thread->charged, ns, &needed);
        for (struct wasm_outer_call *call = thread->outer; call; call = call->outer)
            spent |= charge(&call->running, &call->charged, ns, &needed);
    }
    thread->frequency = needed;
    thread->spent = spent && !trap_timeout(running_instance(thread->running), ctx);
    return needed ? interval(thread) : 0;
}

static bool is_of(uintptr_t running, const struct wasm_store *store)
{
    return running && running_instance(running)->store == store;
}

bool budget_runs(const struct wasm_store *store)
{
    const struct wasm_thread *thread = wasm_host_thread();
    bool found = is_of(thread->running, store);
    for (const struct wasm_outer_call *call = thread->outer; call && !found; call = call->outer)
        found = is_of(call->running, store);
    return found;
}

/* As a first tick does. */
static void mark(uintptr_t *running, uint64_t *charged)
{
    if (!(*running & TICKED))
        SET(*charged, 1);
    IN_ORDER();
    SET(*running, *running | TICKED);
}

void budget_mark(const struct wasm_store *store)
{
    struct wasm_thread *thread = wasm_host_thread();
    if (is_of(thread->running, store))
        mark(&thread->running, &thread->charged);
    for (struct wasm_outer_call *call = thread->outer; call; call = call->outer)
        if (is_of(call->running, store))
            mark(&call->running, &call->charged);
}

bool wasm_call_spent(struct wasm_instance *caller)
{
    return __atomic_load_n(&caller->exec->interrupted, __ATOMIC_RELAXED);
}
