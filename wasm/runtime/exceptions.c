/* Exceptions at run time: making them, finding the handler, collecting those nobody can reach.
 *
 * The way to a handler is the walk of a backtrace: compiled frames have known sizes, call sites say
 * whether they catch (abi.h). Exceptions belong to the store; what still is referred to is found by
 * looking at every word of the engine stack, the tables, the globals and the payloads, taking for a
 * reference whatever looks like one. */
#include "runtime/helpers.h"
#include "runtime/instance.h"

#include <stdlib.h>
#include <string.h>

#define NO_ASAN __attribute__((no_sanitize("address")))

enum { FIRST_THRESHOLD = 64 * 1024, MAX_BYTES = 16 * 1024 * 1024 };

static size_t size_of(const struct wasm_exception *e)
{
    return sizeof(*e) + (size_t)e->count * sizeof(e->values[0]);
}

void exceptions_free(struct wasm_store *store)
{
    for (struct wasm_exception *e = store->exceptions, *next; e; e = next) {
        next = e->next;
        wasm_host_free(e);
    }
    store->exceptions = NULL;
    store->exception_bytes = 0;
}

/* The exceptions of a store by address, those found so far, and those of them whose payloads are
 * still to be looked at. */
struct marking {
    struct wasm_exception **all, **work;
    size_t count, work_count;
};

static int compare_addresses(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return x < y ? -1 : x > y;
}

static void mark(struct marking *m, uintptr_t word)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)m->all[middle] < word)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == m->count || (uintptr_t)m->all[low] != word || m->all[low]->marked)
        return;
    m->all[low]->marked = true;
    m->work[m->work_count++] = m->all[low];
}

NO_ASAN static void mark_words(struct marking *m, const uintptr_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mark(m, words[i]);
}

static void mark_instances(struct marking *m, struct wasm_store *store)
{
    for (struct wasm_instance *i = store->members; i; i = instance_of(i)->next) {
        const struct module_info *info = &instance_of(i)->module->info;
        for (uint32_t k = 0; i->tables && k < info->table_count; k++)
            if (i->tables[k] && i->tables[k]->type == WASM_EXNREF)
                mark_words(m, (const uintptr_t *)i->tables[k]->elements, i->tables[k]->size);
        for (uint32_t k = 0; i->globals && k < info->global_count; k++)
            if (i->globals[k] && i->globals[k]->type == WASM_EXNREF)
                mark(m, (uintptr_t)i->globals[k]->value.ref);
    }
}

/* Its own frame is the lowest that matters: the caller has put the registers on the stack. */
static __attribute__((noinline)) void collect(struct wasm_store *store)
{
    struct marking m = {0};
    for (struct wasm_exception *e = store->exceptions; e; e = e->next)
        m.count++;
    m.all = wasm_host_alloc(2 * m.count * sizeof(*m.all) + 1);
    if (!m.all)
        return;
    m.work = m.all + m.count;
    size_t at = 0;
    for (struct wasm_exception *e = store->exceptions; e; e = e->next) {
        e->marked = false;
        m.all[at++] = e;
    }
    qsort(m.all, m.count, sizeof(*m.all), compare_addresses);
    uintptr_t low = (uintptr_t)__builtin_frame_address(0) & ~(sizeof(uintptr_t) - 1);
    mark_words(&m, (const uintptr_t *)low, (store->stack_high - low) / sizeof(uintptr_t));
    mark(&m, (uintptr_t)store->exec.exception);
    mark(&m, (uintptr_t)store->passing);
    mark_instances(&m, store);
    while (m.work_count) {
        const struct wasm_exception *e = m.work[--m.work_count];
        mark_words(&m, (const uintptr_t *)e->values,
                   e->count * sizeof(e->values[0]) / sizeof(uintptr_t));
    }
    wasm_host_free(m.all);
    for (struct wasm_exception **p = &store->exceptions; *p;) {
        struct wasm_exception *e = *p;
        if (e->marked) {
            p = &e->next;
            continue;
        }
        *p = e->next;
        store->exception_bytes -= size_of(e);
        wasm_host_free(e);
    }
    store->exception_threshold = store->exception_bytes * 2;
    if (store->exception_threshold < FIRST_THRESHOLD)
        store->exception_threshold = FIRST_THRESHOLD;
}

struct wasm_exception *helper_exception_new(struct wasm_instance *instance, uint32_t tag)
{
    struct instance *in = instance_of(instance);
    const struct module_info *info = &in->module->info;
    struct wasm_store *store = in->store;
    uint32_t count = info->types[info->tag_types[tag]].param_count;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    /* While a nested call runs on another stack, what lies on the first is not known. */
    bool whole = !store->extra_stacks && here >= store->exec.stack_low && here < store->stack_high;
    struct wasm_exception *e = NULL;
    size_t size = sizeof(*e) + (size_t)count * sizeof(e->values[0]);
    bool due = store->exception_bytes >= store->exception_threshold ||
               store->exception_bytes + size > MAX_BYTES;
    if (due && store->exceptions && whole) {
        __builtin_unwind_init();
        collect(store);
    }
    if (store->exception_bytes + size <= MAX_BYTES)
        e = wasm_host_alloc(size);
    if (!e)
        wasm_trap(instance, WASM_TRAP_EXCEPTION_MEMORY);
    memset(e, 0, size);
    e->tag = instance->tags[tag];
    e->count = count;
    e->next = store->exceptions;
    store->exceptions = e;
    store->exception_bytes += size;
    return e;
}

/* Goes on at the nearest call site from SP upwards that catches, PC being the one that called into
 * C code and INSTANCE the one that ran there. Does not return. */
NO_ASAN static _Noreturn void unwind(struct wasm_instance *instance, uintptr_t pc, uintptr_t sp)
{
    struct wasm_store *store = instance_of(instance)->store;
    uintptr_t thrown_at = pc, thrown_sp = sp;
    uint8_t *memory0 = instance->memory0;
    for (;;) {
        const struct wasm_module *module = range_find(pc);
        if (!module)
            break;
        uint32_t offset = (uint32_t)(pc - (uintptr_t)module->code);
        uint32_t func = module_find_func(module, offset), frame, popped;
        if (func != ~0u) {
            if (module_site_catches(module, offset)) {
                stack_unpoison(store, sp);
                target_resume(pc, sp, instance, memory0);
            }
            frame = module->funcs[func].frame_size;
            popped = module->funcs[func].popped;
        } else {
            const struct module_thunk *thunk = module_find_thunk(module, offset);
            if (!thunk || thunk->kind == THUNK_ENTRY)
                break;
            frame = thunk->frame;
            popped = thunk->popped;
            if (thunk->kind == THUNK_FOREIGN) {
                memory0 = *(uint8_t **)(sp + frame - 8);
                instance = *(struct wasm_instance **)(sp + frame - 16);
            }
        }
        pc = *(uintptr_t *)(sp + frame);
        sp += frame + sizeof(uintptr_t) + popped;
    }
    trace_capture(store, thrown_at, thrown_sp);
    target_exit(instance, WASM_TRAP_EXCEPTION);
}

NO_ASAN void helper_exception_throw(struct wasm_instance *instance,
                                    struct wasm_exception *exception)
{
    struct wasm_store *store = instance_of(instance)->store;
    const uintptr_t *frame = __builtin_frame_address(0);
    if (!exception)
        wasm_trap(instance, WASM_TRAP_NULL_REF);
    if (store->exec.interrupted) /* a loop of throwing may never be met by the timer elsewhere */
        wasm_trap(instance, WASM_TRAP_TIMEOUT);
    store->exec.exception = exception;
    unwind(instance, frame[1], (uintptr_t)(frame + 2));
}

NO_ASAN void exception_pass_on(struct wasm_instance *caller, uintptr_t fp)
{
    struct wasm_store *store = instance_of(caller)->store;
    store->exec.exception = store->passing;
    store->passing = NULL;
    /* C frames: saved fp at [fp], return address above it. */
    while (store->exec.exception && fp >= store->exec.stack_low &&
           fp < store->stack_high - 2 * sizeof(uintptr_t) && fp % sizeof(uintptr_t) == 0) {
        const uintptr_t *frame = (const uintptr_t *)fp;
        if (range_find(frame[1]))
            unwind(caller, frame[1], fp + 2 * sizeof(uintptr_t));
        if (frame[0] <= fp)
            return;
        fp = frame[0];
    }
}
