/* Which module a program counter belongs to. Fault handlers ask, at any moment and on any thread,
 * so readers take no lock: they announce themselves in a counter, and a module that was taken off
 * the list is let go only when no reader is left. A handler is short and never waits, so the
 * removing thread, which cannot be in one, spins briefly at most. */
#include "runtime/module.h"

#include <stdatomic.h>

#include "host.h"

static struct wasm_module *_Atomic first;
static atomic_uint readers;

void range_add(struct wasm_module *module)
{
    wasm_host_lock();
    module->next = atomic_load_explicit(&first, memory_order_relaxed);
    atomic_store_explicit(&first, module, memory_order_release);
    wasm_host_unlock();
}

void range_remove(struct wasm_module *module)
{
    wasm_host_lock();
    struct wasm_module *m = atomic_load_explicit(&first, memory_order_relaxed);
    if (m == module) {
        atomic_store(&first, module->next);
    } else {
        while (m && m->next != module)
            m = m->next;
        if (m)
            __atomic_store_n(&m->next, module->next, __ATOMIC_SEQ_CST);
    }
    wasm_host_unlock();
    while (atomic_load(&readers))
        ;
}

struct wasm_module *range_find(uintptr_t pc)
{
    atomic_fetch_add(&readers, 1);
    struct wasm_module *m = atomic_load(&first);
    while (m && pc - (uintptr_t)m->code >= m->code_size)
        m = __atomic_load_n(&m->next, __ATOMIC_SEQ_CST);
    atomic_fetch_sub(&readers, 1);
    return m;
}
