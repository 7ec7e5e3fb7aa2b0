/* Hardware faults and spent budgets, turned into traps. Runs in signal handlers and on
 * exception stacks: no locks, no allocation, only memory that is certainly there. */
#include "runtime/instance.h"

const struct code_trap *module_find_trap(const struct wasm_module *module, uint32_t offset)
{
    uint32_t low = 0, high = module->trap_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (module->traps[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < module->trap_count && module->traps[low].offset == offset ? &module->traps[low]
                                                                           : NULL;
}

static void leave(struct wasm_context *ctx, struct wasm_store *store, enum wasm_trap trap)
{
    store->exec.trap = trap;
    store->exec.trap_pc = ctx->pc;
    store->exec.trap_sp = ctx->sp;
    store->exec.trap_fp = ctx->fp;
    trace_capture(store, ctx->pc, ctx->sp);
    ctx->arg0 = trap;
    ctx->pc = ((struct wasm_instance *)ctx->instance)->exit_stub;
}

/* Does ADDR lie in the reservation of a memory of INSTANCE? */
static bool in_memory(const struct wasm_instance *instance, uintptr_t addr)
{
    uint32_t count = instance_of((struct wasm_instance *)instance)->module->info.memory_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct wasm_memory *memory = instance->memories[i];
        if (addr - (uintptr_t)memory->base < memory->reserved)
            return true;
    }
    return false;
}

bool wasm_handle_fault(struct wasm_context *ctx, enum wasm_fault fault, uintptr_t addr)
{
    struct wasm_module *module = range_find(ctx->pc);
    if (!module)
        return false;
    /* In code of ours the instance register holds an instance: an instance's, or in a thunk that of
     * either side of the call. */
    struct wasm_instance *instance = (struct wasm_instance *)ctx->instance;
    struct wasm_store *store = instance_of(instance)->store;
    if (fault == WASM_FAULT_ACCESS && addr >= store->exec.guard_low &&
        addr < store->exec.stack_low) {
        leave(ctx, store, WASM_TRAP_STACK);
        return true;
    }
    const struct code_trap *trap =
        module_find_trap(module, (uint32_t)(ctx->pc - (uintptr_t)module->code));
    if (!trap)
        return false;
    switch (fault) {
    case WASM_FAULT_ACCESS:
        if (trap->trap == WASM_TRAP_MEMORY ? !in_memory(instance, addr) : addr >= 4096)
            return false;
        break;
    case WASM_FAULT_DIVIDE:
        if (trap->trap != WASM_TRAP_DIV_ZERO && trap->trap != WASM_TRAP_INT_OVERFLOW)
            return false;
        break;
    case WASM_FAULT_ILLEGAL: break; /* ud2 of an explicit check */
    }
    leave(ctx, store, (enum wasm_trap)trap->trap);
    return true;
}

bool trap_timeout(struct instance *instance, struct wasm_context *ctx)
{
    struct wasm_module *module = ctx ? range_find(ctx->pc) : NULL;
    if (module && module_find_func(module, (uint32_t)(ctx->pc - (uintptr_t)module->code)) != ~0u) {
        leave(ctx, instance_of((struct wasm_instance *)ctx->instance)->store, WASM_TRAP_TIMEOUT);
        return true;
    }
    call_interrupt(instance);
    return false;
}
