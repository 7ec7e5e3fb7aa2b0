/* Calls every exported function of a module in order and prints what each gives, for comparison
 * with what another engine prints (differential.mjs). Imported functions print their arguments.
 * NaNs print alike, whatever their bits. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "wasm.h"

static void print_value(uint8_t type, const union wasm_value *v)
{
    switch (type) {
    case WASM_I32: printf(" i32:%" PRId32, (int32_t)v->i32); break;
    case WASM_I64: printf(" i64:%" PRId64, (int64_t)v->i64); break;
    case WASM_F32:
        if (v->f32 != v->f32)
            printf(" f32:nan");
        else
            printf(" f32:%08" PRIx32, v->i32);
        break;
    case WASM_F64:
        if (v->f64 != v->f64)
            printf(" f64:nan");
        else
            printf(" f64:%016" PRIx64, v->i64);
        break;
    default: printf(" ref"); break;
    }
}

static void log_i32(struct wasm_instance *caller, uint32_t a)
{
    (void)caller;
    printf("log i32:%" PRId32 "\n", (int32_t)a);
}
static void log_i64(struct wasm_instance *caller, uint64_t a)
{
    (void)caller;
    printf("log i64:%" PRId64 "\n", (int64_t)a);
}
static void log_f32(struct wasm_instance *caller, float a)
{
    (void)caller;
    printf("log");
    print_value(WASM_F32, &(union wasm_value){.f32 = a});
    printf("\n");
}
static void log_f64(struct wasm_instance *caller, double a)
{
    (void)caller;
    printf("log");
    print_value(WASM_F64, &(union wasm_value){.f64 = a});
    printf("\n");
}

/* Made once, released at the end. */
static struct wasm_func *made[64];
static uint32_t made_count;

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)context;
    if (import->kind != WASM_FUNC || import->func.param_count != 1 || import->func.result_count)
        return false;
    out->kind = WASM_FUNC;
    switch (import->func.params[0]) {
    case WASM_I32: out->func = wasm_func_host("i:", (wasm_host_fn)log_i32); break;
    case WASM_I64: out->func = wasm_func_host("I:", (wasm_host_fn)log_i64); break;
    case WASM_F32: out->func = wasm_func_host("f:", (wasm_host_fn)log_f32); break;
    case WASM_F64: out->func = wasm_func_host("F:", (wasm_host_fn)log_f64); break;
    default: return false;
    }
    if (!out->func || made_count == sizeof made / sizeof *made)
        return false;
    made[made_count++] = out->func;
    return true;
}

/* The same arguments as in differential.mjs. */
static union wasm_value argument(uint8_t type, uint32_t i)
{
    union wasm_value v = {0};
    switch (type) {
    case WASM_I32: v.i32 = i * 2654435761u; break;
    case WASM_I64: v.i64 = (uint64_t)i * 0x9e3779b97f4a7c15u; break;
    case WASM_F32: v.f32 = (float)(i * 1.5 - 2); break;
    case WASM_F64: v.f64 = i * 1.25 - 3; break;
    default: break;
    }
    return v;
}

int main(int argc, char **argv)
{
    if (!host_port_thread_init())
        return 2;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!file)
        return 2;
    static uint8_t bytes[8 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct wasm_error err;
    struct wasm_load_options load = {.passes = argc > 2 ? argv[2] : NULL};
    struct wasm_module *module = wasm_module_load(bytes, size, &load, &err);
    if (!module) {
        printf("load: %s\n", err.message);
        return 1;
    }
    struct wasm_instance_options options = {.resolve = resolve};
    struct wasm_instance *instance = wasm_instance_new(module, &options, &err);
    if (!instance) {
        printf("%s\n", err.kind == WASM_ERR_TRAP ? "instantiate: trap" : err.message);
        return 0;
    }
    for (uint32_t i = 0; i < wasm_module_export_count(module); i++) {
        const struct wasm_export *e = wasm_module_export(module, i);
        if (e->kind != WASM_FUNC || e->func.param_count > 32 || e->func.result_count > 32)
            continue;
        struct wasm_extern ext;
        union wasm_value args[32], results[32] = {0};
        if (!wasm_instance_export(instance, e->name, e->name_len, &ext))
            continue;
        for (uint32_t k = 0; k < e->func.param_count; k++)
            args[k] = argument(e->func.params[k], i + k);
        enum wasm_trap trap = wasm_call(ext.func, args, results);
        if (trap) {
            printf("%s: trap %s\n", e->name, wasm_trap_name(trap));
            continue;
        }
        printf("%s:", e->name);
        for (uint32_t k = 0; k < e->func.result_count; k++)
            print_value(e->func.results[k], &results[k]);
        printf("\n");
    }
    wasm_instance_free(instance);
    wasm_module_release(module);
    while (made_count)
        wasm_func_release(made[--made_count]);
    return 0;
}
