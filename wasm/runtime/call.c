/* Calls across the border: from the embedder into Wasm, on the engine's stack, within a budget. */
#include <string.h>

#include "entry.h"
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
    store->stack_high = store->exec.stack_low + size - sizeof(struct wasm_entry_frame);
    return store->stack_high;
}

_Static_assert(offsetof(struct wasm_entry_head, memory0) ==
                       offsetof(struct wasm_instance, memory0) &&
                   offsetof(struct wasm_entry_head, entry_stack) ==
                       offsetof(struct wasm_instance, entry_stack) &&
                   offsetof(struct wasm_entry_head, entry_frequency) ==
                       offsetof(struct wasm_instance, entry_frequency) &&
                   sizeof(struct wasm_entry_frame) % 16 == 0,
               "entry.h says what it needs again");

void call_unready(struct wasm_exec *exec)
{
    if (exec->owner)
        __atomic_store_n(&exec->owner->entry_frequency, ENTRY_NOT_READY, __ATOMIC_RELAXED);
}

/* What a call by wasm/entry.h counts on: the context stands at the stack of INSTANCE, nothing is
 * left of earlier calls. */
static void call_ready(struct instance *instance)
{
    struct wasm_exec *exec = &instance->store->exec;
    exec->leave = (uintptr_t)target_leave_entry;
    exec->exception = NULL;
    instance->abi.entry_stack = instance->store->stack_high;
    instance->abi.entry_frequency = instance->tick_frequency;
}

void call_interrupt(struct instance *instance)
{
    struct wasm_exec *exec = &instance->store->exec;
    __atomic_store_n(&exec->interrupted, 1, __ATOMIC_RELAXED);
    call_unready(exec);
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
    exec->leave = 0;
    enum wasm_trap trap = (enum wasm_trap)entry(func, args, top, results);
    exec->leave = saved.leave;
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
    if (store->passing)
        call_unready(exec);
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
    if (budget_runs(store))
        return call_nested(func, entry, args, results);
    if (!instance->stack)
        return WASM_TRAP_HOST; /* freed */
    struct wasm_exec *exec = &store->exec;
    call_unready(exec);
    uintptr_t top = stack_enter(store, instance->stack, instance->stack_size);
    exec->owner = &instance->abi;
    exec->leave = 0;
    exec->interrupted = 0;
    exec->exception = store->passing = NULL;
    store->trace_count = 0;
    struct wasm_outer_call outer;
    budget_enter(instance, &outer);
    enum wasm_trap trap = (enum wasm_trap)entry(func, args, top, results);
    budget_leave(&outer);
    if (trap) {
        stack_unpoison(store, top);
        exec->trap = trap;
    } else if (instance->open && !exec->interrupted && !store->passing) {
        call_ready(instance);
    }
    if (!store->holds)
        store_collect(store); /* the last instance was freed from within the call */
    return trap;
}

static const struct wasm_entry_head never_ready = {.entry_frequency = ENTRY_NOT_READY};

/* TYPE's next letter, as a value type that an entry can pass, and the bits it has. */
static uint8_t entry_type(const char **type, uint64_t *mask)
{
    switch (*(*type)++) {
    case 'i': *mask = UINT32_MAX; return WASM_I32;
    case 'I': *mask = UINT64_MAX; return WASM_I64;
    default: --*type; return 0;
    }
}

bool wasm_entry_prepare(struct wasm_entry *entry, struct wasm_func *func, const char *type)
{
    if (!func || !func->owner)
        return false;
    const struct wasm_functype has = wasm_func_type(func);
    *entry = (struct wasm_entry){.float_control = target_float_control, .func = func};
    uint32_t results = 0;
    uint64_t mask;
    for (uint8_t next; (next = entry_type(&type, &mask)); entry->param_count++) {
        if (entry->param_count == WASM_ENTRY_PARAMS || entry->param_count == has.param_count ||
            has.params[entry->param_count] != next)
            return false;
        entry->masks[entry->param_count] = mask;
    }
    if (*type == ':')
        type++;
    for (uint8_t next; (next = entry_type(&type, &mask)); results++)
        if (results == 1 || results == has.result_count || has.results[results] != next)
            return false;
    if (*type || entry->param_count != has.param_count || results != has.result_count)
        return false;
    /* A function that the instance has imported from the host and exports has no code to enter. */
    entry->instance = func->instance ? (struct wasm_entry_head *)func->instance
                                     : (struct wasm_entry_head *)&never_ready;
    entry->code = func->code;
    wasm_entry_bind(entry);
    return true;
}

enum wasm_trap wasm_entry_slow(struct wasm_entry *entry, uint64_t a, uint64_t b, uint64_t c,
                               uint64_t d, uint64_t e, uint64_t *result)
{
    const uint64_t values[WASM_ENTRY_PARAMS] = {a, b, c, d, e};
    union wasm_value args[WASM_ENTRY_PARAMS] = {0}, answer = {.i64 = 0};
    for (uint32_t i = 0; i < entry->param_count; i++)
        args[i].i64 = values[i] & entry->masks[i];
    enum wasm_trap trap = wasm_call(entry->func, args, &answer);
    if (!trap)
        *result = answer.i64;
    return trap;
}

enum wasm_trap wasm_entry_finish(struct wasm_entry *entry, bool trapped, uint64_t value,
                                 uint64_t *result)
{
    struct wasm_store *store = instance_of((struct wasm_instance *)entry->instance)->store;
    enum wasm_trap trap = trapped ? (enum wasm_trap)value : WASM_TRAP_NONE;
    __atomic_store_n(&entry->thread->running, 0, __ATOMIC_RELAXED);
    if (trapped) {
        stack_unpoison(store, store->stack_high);
        store->exec.trap = trap;
        call_unready(&store->exec);
    } else {
        *result = value;
    }
    if (!store->holds)
        store_collect(store);
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
