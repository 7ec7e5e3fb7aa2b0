/* Calls across the border: from the embedder into Wasm, on the engine's stack, within a budget. */
#include <string.h>

#include "runtime/instance.h"

/* gcc says it by a macro, clang by a feature. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

uint8_t *stack_create(size_t size)
{
    uint8_t *stack = wasm_host_reserve(STACK_GUARD + size, 4096);
    if (stack && !wasm_host_commit(stack + STACK_GUARD, size)) {
        wasm_host_release(stack, STACK_GUARD + size);
        return NULL;
    }
    return stack;
}

void stack_destroy(uint8_t *stack, size_t size)
{
    if (stack)
        wasm_host_release(stack, STACK_GUARD + size);
}

/* Points the execution context at a stack; its top, 16-byte aligned. */
static uintptr_t stack_enter(struct wasm_store *store, uint8_t *stack, size_t size)
{
    store->exec.guard_low = (uintptr_t)stack;
    store->exec.stack_low = (uintptr_t)stack + STACK_GUARD;
    store->exec.host_limit = store->exec.stack_low + WASM_HOST_STACK;
    store->stack_high = store->exec.stack_low + size;
    return store->stack_high;
}

/* A trap leaves frames of C functions behind on the engine stack; their poison goes with them. */
void stack_unpoison(const struct wasm_store *store, uintptr_t high)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region((void *)store->exec.stack_low, high - store->exec.stack_low);
#else
    (void)store, (void)high;
#endif
}

/* References that a call brings along link the sets they come from. */
static bool link_arguments(struct wasm_func *func, const struct wasm_functype *type,
                           const union wasm_value *args)
{
    for (uint32_t i = 0; i < type->param_count; i++) {
        if (type->params[i] != WASM_FUNCREF || !args[i].ref)
            continue;
        struct wasm_func *argument = args[i].ref;
        if (!argument->owner)
            return false;
        struct wasm_store *store = instance_of(func->owner)->store;
        if (!store_unite(&store, instance_of(argument->owner)->store))
            return false;
    }
    return true;
}

typedef uint32_t (*entry_fn)(struct wasm_func *func, const union wasm_value *args,
                             uintptr_t stack_top, union wasm_value *results);

/* A call from a host function of the same store: on the stack that is in use, whose context is put
 * back afterwards. */
static __attribute__((noinline)) enum wasm_trap call_nested(struct wasm_func *func, entry_fn entry,
                                                            const union wasm_value *args,
                                                            union wasm_value *results)
{
    struct instance *instance = instance_of(func->owner);
    struct wasm_store *store = instance->store;
    struct wasm_exec *exec = &store->exec, saved = *exec;
    uintptr_t saved_high = store->stack_high;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), top = 0;
    uint8_t *extra = NULL;
    size_t extra_size = WASM_DEFAULT_STACK / 4;

    if (exec->interrupted)
        return WASM_TRAP_TIMEOUT;
    if (here < exec->stack_low || here >= store->stack_high) {
        /* By way of another store's stack: a guard fault there would not be told from that store's
         * own, so this call gets a stack for itself. */
        extra = stack_create(extra_size);
        if (!extra)
            return WASM_TRAP_STACK;
        top = stack_enter(store, extra, extra_size);
        store->extra_stacks++;
    } else if (here < exec->host_limit) {
        return WASM_TRAP_STACK;
    }
    struct wasm_outer_call outer;
    budget_enter(instance, &outer);
    store->depth++;
    enum wasm_trap trap = (enum wasm_trap)entry(func, args, top, results);
    store->depth--;
    exec->interrupted = 0;
    budget_leave(&outer);
    if (trap) {
        stack_unpoison(store, top ? top : here);
        exec->trap = trap;
    }
    if (extra) {
        stack_destroy(extra, extra_size);
        store->extra_stacks--;
    }
    /* The host function decides whether it passes; if not, its caller is not to see it. */
    store->passing = trap == WASM_TRAP_EXCEPTION ? exec->exception : NULL;
    exec->exception = NULL;
    exec->exit_sp = saved.exit_sp;
    exec->host_limit = saved.host_limit;
    exec->guard_low = saved.guard_low;
    exec->stack_low = saved.stack_low;
    store->stack_high = saved_high;
    return trap;
}

enum wasm_trap wasm_call(struct wasm_func *func, const union wasm_value *args,
                         union wasm_value *results)
{
    if (!func->owner)
        return WASM_TRAP_HOST;
    struct instance *instance = instance_of(func->owner);
    const struct wasm_module *module = instance->module;
    const struct module_signature *signature =
        &module->signatures[module->info.func_types[func->index]];
    if (!signature->entry || (!func->instance && !signature->host))
        return WASM_TRAP_HOST;
    if (signature->has_references) {
        const struct wasm_functype type = module_functype(module, func->index);
        if (!link_arguments(func, &type, args))
            return WASM_TRAP_HOST;
    }
    entry_fn entry = (entry_fn)signature->entry;
    struct wasm_store *store = instance->store;
    if (store->depth)
        return call_nested(func, entry, args, results);
    if (!instance->stack)
        return WASM_TRAP_HOST; /* freed */
    uintptr_t top = stack_enter(store, instance->stack, instance->stack_size);
    store->exec.interrupted = 0;
    store->exec.exception = store->passing = NULL;
    store->trace_count = 0;
    struct wasm_outer_call outer;
    budget_enter(instance, &outer);
    store->depth = 1;
    enum wasm_trap trap = (enum wasm_trap)entry(func, args, top, results);
    store->depth = 0;
    budget_leave(&outer);
    if (trap) {
        stack_unpoison(store, top);
        store->exec.trap = trap;
    }
    if (!store->holds)
        store_collect(store); /* the last instance was freed from within the call */
    return trap;
}

_Noreturn void wasm_trap(struct wasm_instance *caller, enum wasm_trap trap)
{
    struct wasm_store *store = instance_of(caller)->store;
    if (trap == WASM_TRAP_EXCEPTION)
        exception_pass_on(caller, (uintptr_t)__builtin_frame_address(0));
    trace_capture_host(store, (uintptr_t)__builtin_frame_address(0));
    target_exit(caller, trap ? (uint32_t)trap : WASM_TRAP_HOST);
}
