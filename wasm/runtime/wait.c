/* Waiting at an address of a shared memory, and waking who waits there (threads proposal). Waiters
 * stand in one list in the order they came; each sleeps on a word of its own by the port's means.
 * The engine's lock makes comparing and queueing one step. */
#include "runtime/helpers.h"
#include "runtime/instance.h"

enum { WOKEN, NOT_EQUAL, TIMED_OUT };

struct waiter {
    const uint8_t *address;
    uint32_t woken; /* what it sleeps on */
    struct waiter *next;
};
static struct waiter *first, **last = &first;

static void leave(struct waiter *waiter)
{
    struct waiter **p = &first;
    while (*p && *p != waiter)
        p = &(*p)->next;
    if (!*p)
        return;
    *p = waiter->next;
    if (last == &waiter->next)
        last = p;
}

/* The SIZE bytes at ADDRESS + OFFSET of MEMORY; traps when they are not there or not aligned. */
static uint8_t *locate(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                       unsigned size, const struct wasm_memory *memory)
{
    uint64_t at;
    if ((address + offset) % size)
        wasm_trap(instance, WASM_TRAP_UNALIGNED);
    uint64_t there = __atomic_load_n(&memory->size, __ATOMIC_ACQUIRE);
    if (__builtin_add_overflow(address, offset, &at) || there < size || at > there - size)
        wasm_trap(instance, WASM_TRAP_MEMORY);
    return memory->base + at;
}

static uint32_t wait(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                     unsigned size, uint64_t expected, int64_t timeout, uint32_t index)
{
    const struct wasm_memory *memory = instance->memories[index];
    struct waiter self = {.address = locate(instance, address, offset, size, memory)};
    if (!(memory->flags & WASM_MEMORY_SHARED))
        wasm_trap(instance, WASM_TRAP_SHARED);
    /* A loop of waits that come back at once may never be met elsewhere. */
    if (wasm_call_spent(instance))
        wasm_trap(instance, WASM_TRAP_TIMEOUT);
    uint64_t until = UINT64_MAX;
    if (timeout >= 0 && __builtin_add_overflow(wasm_host_now(), (uint64_t)timeout, &until))
        until = UINT64_MAX;

    wasm_host_lock();
    uint64_t value = size == 4
                         ? __atomic_load_n((uint32_t *)(void *)self.address, __ATOMIC_SEQ_CST)
                         : __atomic_load_n((uint64_t *)(void *)self.address, __ATOMIC_SEQ_CST);
    if (value != expected) {
        wasm_host_unlock();
        return NOT_EQUAL;
    }
    *last = &self;
    last = &self.next;
    wasm_host_unlock();

    /* A tick may not wake it, so it looks for itself whether the budget is spent. */
    uint32_t frequency = wasm_host_thread()->frequency;
    uint64_t step = frequency ? 1000000000 / frequency : UINT64_MAX, now;
    while (!__atomic_load_n(&self.woken, __ATOMIC_ACQUIRE) && !wasm_call_spent(instance) &&
           (now = wasm_host_now()) < until)
        wasm_host_wait(&self.woken, 0, until - now > step ? now + step : until);

    wasm_host_lock(); /* also keeps SELF until whoever wakes it is done with it */
    bool woken = self.woken;
    if (!woken)
        leave(&self);
    wasm_host_unlock();
    if (woken)
        return WOKEN;
    if (wasm_call_spent(instance))
        wasm_trap(instance, WASM_TRAP_TIMEOUT);
    return TIMED_OUT;
}

uint32_t helper_atomic_wait32(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                              uint32_t expected, int64_t timeout, uint32_t memory)
{
    return wait(instance, address, offset, 4, expected, timeout, memory);
}

uint32_t helper_atomic_wait64(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                              uint64_t expected, int64_t timeout, uint32_t memory)
{
    return wait(instance, address, offset, 8, expected, timeout, memory);
}

uint32_t helper_atomic_notify(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                              uint32_t count, uint32_t memory)
{
    const uint8_t *at = locate(instance, address, offset, 4, instance->memories[memory]);
    uint32_t woken = 0;
    wasm_host_lock();
    for (struct waiter *w = first, *next; w && woken < count; w = next) {
        next = w->next;
        if (w->address != at)
            continue;
        leave(w);
        __atomic_store_n(&w->woken, 1, __ATOMIC_RELEASE);
        wasm_host_wake(&w->woken);
        woken++;
    }
    wasm_host_unlock();
    return woken;
}
