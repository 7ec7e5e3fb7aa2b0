/* One running copy of an extension: linking, initialising, calling, ending. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "extend/api.h"
#include "extend/extension.h"
#include "extend/hook.h"
#include "mm/heap.h"
#include "sched/thread.h"
#include "time/clock.h"

/* Elements of all tables of an extension: 8 bytes each, beside its memory quota. */
enum { TABLE_ELEMENTS = 65536 };

static const struct entry_point {
    const char *name;
    const char *params, *results; /* i: i32 */
} entry_points[] = {
    {"_initialize", "", ""},   {"quince_packet", "ii", "i"}, {"quince_packet_buffer", "i", "i"},
    {"quince_timer", "i", ""}, {"quince_fini", "", ""},
};

static bool types_are(const uint8_t *types, uint32_t count, const char *wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        if (types[i] != WASM_I32) {
            return false;
        }
    }
    return count == strlen(wanted);
}

/* Every export with a name of ours has the type we call it with. */
static int check_exports(const struct wasm_module *module, char *reason, size_t size)
{
    for (uint32_t i = 0; i < wasm_module_export_count(module); i++) {
        const struct wasm_export *export = wasm_module_export(module, i);
        for (unsigned e = 0; e < sizeof entry_points / sizeof *entry_points; e++) {
            const struct entry_point *point = &entry_points[e];
            if (export->name_len != strlen(point->name) ||
                memcmp(export->name, point->name, export->name_len) != 0) {
                continue;
            }
            if (export->kind != WASM_FUNC ||
                !types_are(export->func.params, export->func.param_count, point->params) ||
                !types_are(export->func.results, export->func.result_count, point->results)) {
                snprintf(reason, size, "export '%s' is not a function of %zu i32 to %zu i32",
                         point->name, strlen(point->params), strlen(point->results));
                return -EINVAL;
            }
        }
    }
    return 0;
}

/* Names EXT as what runs on this thread, for the panic screen; returns what was there. */
static void *name_thread(void *name)
{
    struct thread *self = thread_current();
    void *previous = self->extension;
    self->extension = name;
    return previous;
}

/* A call of the start-up: not in the books. */
static enum wasm_trap start_call(struct extension *ext, struct wasm_func *func,
                                 const union wasm_value *args, union wasm_value *results)
{
    void *previous = name_thread(ext->name);
    enum wasm_trap trap = wasm_call(func, args, results);
    name_thread(previous);
    return trap;
}

enum wasm_trap running_call(struct extension *ext, struct wasm_func *func,
                            const union wasm_value *args, union wasm_value *results)
{
    void *previous = name_thread(ext->name);
    ext->inside = true;
    uint64_t start = clock_now();
    enum wasm_trap trap = wasm_call(func, args, results);
    usage_add(&ext->usage, clock_now() - start);
    ext->inside = false;
    name_thread(previous);
    return trap;
}

enum wasm_trap running_packet(struct extension *ext, uint32_t captured, uint32_t *verdict)
{
    struct running *running = ext->running;
    uint64_t answer = 0;
    void *previous = name_thread(ext->name);
    ext->inside = true;
    uint64_t start = clock_now();
    /* Packets to be sent come on the thread of who sends them. */
    wasm_entry_bind(&running->packet_entry);
    enum wasm_trap trap =
        wasm_entry_call2(&running->packet_entry, running->buffer, captured, &answer);
    usage_add(&ext->usage, clock_now() - start);
    ext->inside = false;
    name_thread(previous);
    *verdict = (uint32_t)answer;
    return trap;
}

int extension_gate(struct extension *ext, void (*fn)(void *context), void *context)
{
    if (extension_on_packets(ext)) {
        return hook_between_packets(fn, context);
    }
    fn(context);
    return 0;
}

static int errno_of(const struct wasm_error *err)
{
    switch (err->kind) {
    case WASM_ERR_NOMEM: return -ENOMEM;
    case WASM_ERR_LIMIT: return -E2BIG;
    case WASM_ERR_UNLINKABLE: return -ENOENT;
    case WASM_ERR_TRAP: return err->trap == WASM_TRAP_TIMEOUT ? -ETIMEDOUT : -EFAULT;
    case WASM_ERR_TIMEOUT: return -ETIMEDOUT;
    case WASM_ERR_UNSUPPORTED: return -ENOTSUP;
    default: return -EINVAL;
    }
}

/* A call of the start-up ended in TRAP: notes the backtrace, names it. */
static int trapped(struct extension *ext, struct wasm_instance *instance, const char *what,
                   enum wasm_trap trap, char *reason, size_t size)
{
    char *trace = kmalloc(EXTENSION_BACKTRACE);
    if (trace) {
        trace[0] = 0;
        wasm_backtrace(instance, trace, EXTENSION_BACKTRACE);
        extension_note(ext, NULL, trace);
        kfree(trace);
    }
    snprintf(reason, size, "%s: %s", what, wasm_trap_name(trap));
    return trap == WASM_TRAP_TIMEOUT ? -ETIMEDOUT : -EFAULT;
}

/* Asks the module for the buffer that packets are shown in, and checks what it says. */
static int find_buffer(struct extension *ext, struct running *running, char *reason, size_t size)
{
    struct wasm_func *func = wasm_instance_func(running->instance, "quince_packet_buffer");
    if (!running->packet || !func) {
        snprintf(reason, size, "hook point '%s' needs the export '%s'",
                 ext->manifest.hooks[0].point,
                 running->packet ? "quince_packet_buffer" : "quince_packet");
        return -EINVAL;
    }
    running->buffer_size = hook_buffer_size(&ext->manifest);
    union wasm_value arg = {.i32 = running->buffer_size}, result;
    enum wasm_trap trap = start_call(ext, func, &arg, &result);
    if (trap != WASM_TRAP_NONE) {
        return trapped(ext, running->instance, "quince_packet_buffer", trap, reason, size);
    }
    if (!wasm_entry_prepare(&running->packet_entry, running->packet, "ii:i")) {
        snprintf(reason, size, "quince_packet cannot be called"); /* its type was checked */
        return -EINVAL;
    }
    running->buffer = result.i32;
    if (result.i32 == 0 || !wasm_memory_at(running->instance, result.i32, running->buffer_size)) {
        snprintf(reason, size, "packet buffer of %u bytes at 0x%x is outside of the memory",
                 running->buffer_size, result.i32);
        return -EFAULT;
    }
    return 0;
}

static int initialise(struct extension *ext, struct running *running, char *reason, size_t size)
{
    running->packet = wasm_instance_func(running->instance, "quince_packet");
    running->timer = wasm_instance_func(running->instance, "quince_timer");
    running->fini = wasm_instance_func(running->instance, "quince_fini");
    wasm_instance_set_budget(running->instance, ext->budget.init_ns);
    struct wasm_func *init = wasm_instance_func(running->instance, "_initialize");
    if (init) {
        enum wasm_trap trap = start_call(ext, init, NULL, NULL);
        if (trap != WASM_TRAP_NONE) {
            return trapped(ext, running->instance, "_initialize", trap, reason, size);
        }
    }
    if (extension_on_packets(ext)) {
        int error = find_buffer(ext, running, reason, size);
        if (error) {
            return error;
        }
    }
    wasm_instance_set_budget(running->instance, ext->budget.call_ns);
    return 0;
}

int running_start(struct extension *ext, struct running **out, char *reason, size_t size)
{
    int error = check_exports(ext->module, reason, size);
    if (error == 0) {
        error = api_check(ext, reason, size);
    }
    if (error) {
        return error;
    }
    struct running *running = kcalloc(1, sizeof *running);
    if (!running) {
        snprintf(reason, size, "out of memory");
        return -ENOMEM;
    }
    struct wasm_instance_options options = {
        .resolve = api_resolve,
        .context = ext,
        .host_data = ext,
        .stack_size = ext->manifest.stack,
        .max_pages = ext->max_pages,
        .max_elements = TABLE_ELEMENTS,
        .budget_ns = ext->budget.init_ns,
    };
    struct wasm_error err = {.kind = WASM_OK};
    void *previous = name_thread(ext->name);
    running->instance = wasm_instance_new(ext->module, &options, &err);
    name_thread(previous);
    if (!running->instance) {
        snprintf(reason, size, "%s", err.message);
        kfree(running);
        return errno_of(&err);
    }
    error = initialise(ext, running, reason, size);
    if (error) {
        running_stop(running);
        return error;
    }
    *out = running;
    return 0;
}

void running_stop(struct running *running)
{
    if (running) {
        wasm_instance_free(running->instance);
        kfree(running);
    }
}
