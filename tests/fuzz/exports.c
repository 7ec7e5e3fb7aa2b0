#include "exports.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "host.h"
#include "runtime/abi.h"

enum {
    MAX_EXPORTS = 400,
    MAX_VALUES = 64,
    MAX_IMPORTS = 256,
    MAX_PAGES = 2048, /* as v8.mjs is told */
    HASHED = 1 << 20,
    HASHED_END = 1 << 16
};

static FILE *put_to;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (put_to)
        vfprintf(put_to, format, args);
    va_end(args);
}

/* As text behind a space; NaNs are all alike, and of a reference is told only whether it is null.
 * Vectors cannot be looked at in another engine. */
static void format_value(uint8_t type, const union wasm_value *v, char *text, size_t size)
{
    switch (type) {
    case WASM_I32: snprintf(text, size, " i32:%" PRId32, (int32_t)v->i32); break;
    case WASM_I64: snprintf(text, size, " i64:%" PRId64, (int64_t)v->i64); break;
    case WASM_F32:
        if (v->f32 != v->f32)
            snprintf(text, size, " f32:nan");
        else
            snprintf(text, size, " f32:%08" PRIx32, v->i32);
        break;
    case WASM_F64:
        if (v->f64 != v->f64)
            snprintf(text, size, " f64:nan");
        else
            snprintf(text, size, " f64:%016" PRIx64, v->i64);
        break;
    case WASM_FUNCREF:
    case WASM_EXTERNREF: snprintf(text, size, "%s", v->ref ? " ref" : " null"); break;
    default: snprintf(text, size, " ?"); break;
    }
}

static void put_value(uint8_t type, const union wasm_value *v)
{
    char text[48];
    format_value(type, v, text, sizeof text);
    put("%s", text);
}

/* Host functions: those with one parameter and no result tell it, the others give a number. */
static void log_i32(struct wasm_instance *caller, uint32_t a)
{
    (void)caller;
    put("log i32:%" PRId32 "\n", (int32_t)a);
}
static void log_i64(struct wasm_instance *caller, uint64_t a)
{
    (void)caller;
    put("log i64:%" PRId64 "\n", (int64_t)a);
}
static void log_f32(struct wasm_instance *caller, float a)
{
    (void)caller;
    put("log");
    put_value(WASM_F32, &(union wasm_value){.f32 = a});
    put("\n");
}
static void log_f64(struct wasm_instance *caller, double a)
{
    (void)caller;
    put("log");
    put_value(WASM_F64, &(union wasm_value){.f64 = a});
    put("\n");
}
static void give_nothing(struct wasm_instance *caller)
{
    (void)caller;
}
static uint32_t give_i32(struct wasm_instance *caller)
{
    (void)caller;
    return 7;
}
static uint64_t give_i64(struct wasm_instance *caller)
{
    (void)caller;
    return 7;
}
static float give_f32(struct wasm_instance *caller)
{
    (void)caller;
    return 1.5f;
}
static double give_f64(struct wasm_instance *caller)
{
    (void)caller;
    return 2.5;
}
static void *give_null(struct wasm_instance *caller)
{
    (void)caller;
    return NULL;
}

/* What the imports were bound to, released at the end. */
static struct wasm_extern made[MAX_IMPORTS];
static uint32_t made_count;

static char letter(uint8_t type)
{
    switch (type) {
    case WASM_I32: return 'i';
    case WASM_I64: return 'I';
    case WASM_F32: return 'f';
    case WASM_F64: return 'F';
    case WASM_V128: return 0;
    default: return 'r';
    }
}

static struct wasm_func *stand_in(const struct wasm_functype *type)
{
    char text[MAX_VALUES + 3];
    if (type->param_count > MAX_VALUES || type->result_count > 1)
        return NULL;
    char *p = text;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (!(*p++ = letter(type->params[i])))
            return NULL;
    *p++ = ':';
    uint8_t result = type->result_count ? type->results[0] : 0;
    if (result && !(*p++ = letter(result)))
        return NULL;
    *p = 0;
    wasm_host_fn fn = (wasm_host_fn)give_nothing;
    if (!result && type->param_count == 1)
        switch (type->params[0]) {
        case WASM_I32: fn = (wasm_host_fn)log_i32; break;
        case WASM_I64: fn = (wasm_host_fn)log_i64; break;
        case WASM_F32: fn = (wasm_host_fn)log_f32; break;
        case WASM_F64: fn = (wasm_host_fn)log_f64; break;
        default: break;
        }
    switch (result) {
    case 0: break;
    case WASM_I32: fn = (wasm_host_fn)give_i32; break;
    case WASM_I64: fn = (wasm_host_fn)give_i64; break;
    case WASM_F32: fn = (wasm_host_fn)give_f32; break;
    case WASM_F64: fn = (wasm_host_fn)give_f64; break;
    default: fn = (wasm_host_fn)give_null; break;
    }
    return wasm_func_host(text, fn);
}

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)context;
    if (made_count == MAX_IMPORTS)
        return false;
    union wasm_value value;
    memset(&value, 0, sizeof value);
    out->kind = import->kind;
    switch (import->kind) {
    case WASM_FUNC: out->func = stand_in(&import->func); break;
    case WASM_MEMORY:
        if (import->min > MAX_PAGES || import->is64)
            return false;
        out->memory = (import->shared ? wasm_memory_new_shared : wasm_memory_new)(
            import->min, import->has_max && import->max < MAX_PAGES ? import->max : MAX_PAGES);
        break;
    case WASM_TABLE:
        if (import->min > 100000)
            return false;
        out->table = wasm_table_new(
            import->type, (uint32_t)import->min,
            import->has_max && import->max < UINT32_MAX ? (uint32_t)import->max : UINT32_MAX);
        break;
    case WASM_GLOBAL:
        switch (import->type) {
        case WASM_I32: value.i32 = 666; break;
        case WASM_I64: value.i64 = 666; break;
        case WASM_F32: value.f32 = 666.5f; break;
        case WASM_F64: value.f64 = 666.5; break;
        default: break;
        }
        out->global = wasm_global_new(import->type, import->mutable_, value);
        break;
    default: return false;
    }
    if (!out->func)
        return false;
    made[made_count++] = *out;
    return true;
}

static void release_imports(void)
{
    while (made_count) {
        struct wasm_extern *e = &made[--made_count];
        switch (e->kind) {
        case WASM_FUNC: wasm_func_release(e->func); break;
        case WASM_MEMORY: wasm_memory_release(e->memory); break;
        case WASM_TABLE: wasm_table_release(e->table); break;
        default: wasm_global_release(e->global); break;
        }
    }
}

/* The same arguments as in v8.mjs: first small ones, then others. */
static union wasm_value argument(uint8_t type, uint32_t i, uint32_t round)
{
    union wasm_value v;
    memset(&v, 0, sizeof v);
    switch (type) {
    case WASM_I32: v.i32 = round ? i * 2654435761u : i; break;
    case WASM_I64: v.i64 = round ? (uint64_t)i * 0x9e3779b97f4a7c15u : i; break;
    case WASM_F32: v.f32 = (float)(round ? i * 1.5 - 2 : i); break;
    case WASM_F64: v.f64 = round ? i * 1.25 - 3 : i; break;
    default: break;
    }
    return v;
}

static uint32_t hash_words(uint32_t h, const uint8_t *p, uint64_t size)
{
    for (uint64_t i = 0; i + 4 <= size; i += 4) {
        uint32_t word;
        memcpy(&word, p + i, 4);
        h = (h ^ word) * 0x01000193u;
        h ^= h >> 15;
    }
    return h;
}

static uint32_t hash_memory(struct wasm_memory *memory)
{
    const uint8_t *data = wasm_memory_data(memory);
    uint64_t size = wasm_memory_size(memory);
    uint32_t h = hash_words(0x811c9dc5u, data, size < HASHED ? size : HASHED);
    return size > HASHED ? hash_words(h, data + size - HASHED_END, HASHED_END) : h;
}

/* What was last told of each exported memory or global. */
static char told[MAX_EXPORTS][48];

static void describe(const struct wasm_export *e, const struct wasm_extern *ext, char *text,
                     size_t size)
{
    if (e->kind == WASM_MEMORY)
        snprintf(text, size, " %" PRIu64 " %08" PRIx32, wasm_memory_size(ext->memory),
                 hash_memory(ext->memory));
    else
        format_value(ext->global->type, &ext->global->value, text, size);
}

static void put_state(struct wasm_module *module, struct wasm_instance *instance)
{
    uint32_t count = wasm_module_export_count(module);
    for (uint32_t i = 0; i < count && i < MAX_EXPORTS && put_to; i++) {
        const struct wasm_export *e = wasm_module_export(module, i);
        struct wasm_extern ext;
        char text[sizeof told[0]];
        if ((e->kind != WASM_MEMORY && e->kind != WASM_GLOBAL) ||
            !wasm_instance_export(instance, e->name, e->name_len, &ext))
            continue;
        describe(e, &ext, text, sizeof text);
        if (!strcmp(text, told[i]))
            continue;
        memcpy(told[i], text, sizeof text);
        put("%s %" PRIu32 ":%s\n", e->kind == WASM_MEMORY ? "memory" : "global", i, text);
    }
}

/* Whether to go on behind it. */
static bool call(const struct wasm_export *e, struct wasm_instance *instance, uint32_t i,
                 uint32_t round)
{
    struct wasm_extern ext;
    union wasm_value args[MAX_VALUES], results[MAX_VALUES];
    memset(results, 0, sizeof results);
    if (!wasm_instance_export(instance, e->name, e->name_len, &ext))
        return true;
    for (uint32_t k = 0; k < e->func.param_count; k++)
        args[k] = argument(e->func.params[k], i + k, round);
    enum wasm_trap trap = wasm_call(ext.func, args, results);
    put("%" PRIu32 "#%" PRIu32 ":", i, round);
    if (trap)
        put(" trap %s", wasm_trap_name(trap));
    for (uint32_t k = 0; k < e->func.result_count && !trap; k++)
        put_value(e->func.results[k], &results[k]);
    put("\n");
    return trap != WASM_TRAP_TIMEOUT && trap != WASM_TRAP_STACK;
}

static bool comparable(const struct wasm_functype *type)
{
    if (type->param_count > MAX_VALUES || type->result_count > MAX_VALUES)
        return false;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type->params[i] == WASM_V128 || type->params[i] == WASM_EXNREF)
            return false;
    for (uint32_t i = 0; i < type->result_count; i++)
        if (type->results[i] == WASM_V128 || type->results[i] == WASM_EXNREF)
            return false;
    return true;
}

void run_exports(struct wasm_module *module, uint64_t budget_ns, uint64_t total_ns, FILE *out)
{
    struct wasm_error err;
    struct wasm_instance_options options = {.resolve = resolve,
                                            .stack_size = 512 * 1024,
                                            .max_pages = MAX_PAGES,
                                            .budget_ns = budget_ns};
    put_to = out;
    uint64_t end = wasm_host_now() + total_ns;
    struct wasm_instance *instance = wasm_instance_new(module, &options, &err);
    if (!instance) {
        if (err.kind == WASM_ERR_TRAP)
            put("instantiate: trap %s\n", wasm_trap_name(err.trap));
        else
            put("instantiate: %s\n", err.kind == WASM_ERR_UNLINKABLE ? "unlinkable" : "limit");
        release_imports();
        return;
    }
    put("instantiate: ok\n");
    memset(told, 0, sizeof told);
    put_state(module, instance);
    uint32_t count = wasm_module_export_count(module);
    bool on = true;
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < count && i < MAX_EXPORTS && on; i++) {
            const struct wasm_export *e = wasm_module_export(module, i);
            if (e->kind != WASM_FUNC || !comparable(&e->func))
                continue;
            on = call(e, instance, i, round);
            if (on)
                put_state(module, instance);
            if (wasm_host_now() > end) {
                put("%s", on ? "end\n" : "");
                on = false;
            }
        }
    wasm_instance_free(instance);
    release_imports();
}
