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

void budget_enter(struct instance *instance, struct wasm_outer_call *outer)
{
    struct wasm_thread *thread = wasm_host_thread();
    *outer = (struct wasm_outer_call){thread->instance, thread->outer, thread->charged};
    IN_ORDER();
    if (outer->instance)
        SET(thread->outer, outer);
    SET(thread->charged, 0);
    IN_ORDER();
    SET(thread->instance, &instance->abi);
    IN_ORDER(); /* a tick ends them, or it has seen the call */
    if (instance->tick_frequency > __atomic_load_n(&thread->frequency, __ATOMIC_RELAXED)) {
        SET(thread->frequency, instance->tick_frequency);
        wasm_host_tick(slice_of(instance->tick_frequency));
    }
}

static bool is_spent(struct wasm_instance *instance, uint64_t charged)
{
    uint64_t budget = instance_of(instance)->budget_ns;
    return budget && charged > budget;
}

void budget_leave(const struct wasm_outer_call *outer)
{
    struct wasm_thread *thread = wasm_host_thread();
    SET(thread->instance, outer->instance);
    IN_ORDER();
    SET(thread->charged, outer->charged);
    SET(thread->outer, outer->outer);
    /* If it was ended because the one around it is over its budget, that one is not to go on. */
    if (outer->instance && is_spent(outer->instance, outer->charged))
        SET(outer->instance->exec->interrupted, 1);
}

/* Charges a call; true when it is over its budget. */
static bool charge(struct wasm_instance *instance, uint64_t *charged, uint64_t ns,
                   uint32_t *frequency)
{
    *charged += *charged ? ns : 1;
    if (instance_of(instance)->tick_frequency > *frequency)
        *frequency = instance_of(instance)->tick_frequency;
    return is_spent(instance, *charged);
}

uint64_t wasm_handle_tick(struct wasm_thread *thread, struct wasm_context *ctx)
{
    uint32_t needed = 0;
    bool spent = false;
    if (thread->instance && thread->frequency) {
        uint64_t ns = slice_of(thread->frequency);
        spent = charge(thread->instance, &thread->charged, ns, &needed);
        for (struct wasm_outer_call *call = thread->outer; call; call = call->outer)
            spent |= charge(call->instance, &call->charged, ns, &needed);
    }
    thread->frequency = needed;
    thread->spent = spent && !trap_timeout(thread->instance, ctx);
    if (!needed)
        return 0;
    return spent && slice_of(needed) > RETRY_NS ? RETRY_NS : slice_of(needed);
}

bool wasm_call_spent(struct wasm_instance *caller)
{
    return __atomic_load_n(&caller->exec->interrupted, __ATOMIC_RELAXED);
}
