/* Loads a module, runs it, prints what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec.h"
#include "extend/signature.h"
#include "host.h"
#include "wasi.h"
#include "wasm.h"

static uint8_t *read_whole(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *data = NULL;
    size_t used = 0;
    if (fd < 0)
        return NULL;
    if (!fstat(fd, &st)) {
        size_t room = st.st_size > 0 ? (size_t)st.st_size + 1 : 65536;
        data = malloc(room);
        while (data) {
            ssize_t n = read(fd, data + used, room - used);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0) {
                free(data);
                data = NULL;
            }
            if (n <= 0)
                break;
            used += (size_t)n;
            if (used == room) {
                uint8_t *more = realloc(data, room *= 2);
                if (!more) {
                    free(data);
                    errno = ENOMEM;
                }
                data = more;
            }
        }
    }
    close(fd);
    *size = used;
    return data;
}

static bool parse_value(const char *text, uint8_t type, union wasm_value *out)
{
    char *end;
    errno = 0;
    switch (type) {
    case WASM_I32:
    case WASM_I64: {
        bool negative = *text == '-';
        unsigned long long n = strtoull(text + negative, &end, 0);
        if (end == text + negative || *end || errno)
            return false;
        if (type == WASM_I32) {
            if (n > (negative ? 0x80000000ull : 0xffffffffull))
                return false;
            out->i32 = negative ? 0u - (uint32_t)n : (uint32_t)n;
        } else {
            if (negative && n > 1ull << 63)
                return false;
            out->i64 = negative ? 0ull - n : n;
        }
        return true;
    }
    case WASM_F32: out->f32 = strtof(text, &end); return end != text && !*end;
    case WASM_F64: out->f64 = strtod(text, &end); return end != text && !*end;
    case WASM_FUNCREF:
    case WASM_EXTERNREF: out->ref = NULL; return !strcmp(text, "null");
    default: return false;
    }
}

/* Floats in the fewest digits that read back as the same number. */
static void print_float(double value, bool is_single)
{
    char text[48];
    if (isnan(value)) {
        puts(signbit(value) ? "-nan" : "nan");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (is_single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    puts(text);
}

static void print_value(const union wasm_value *value, uint8_t type)
{
    switch (type) {
    case WASM_I32: printf("%d\n", (int)value->i32); break;
    case WASM_I64: printf("%lld\n", (long long)value->i64); break;
    case WASM_F32: print_float((double)value->f32, true); break;
    case WASM_F64: print_float(value->f64, false); break;
    case WASM_V128:
        printf("0x");
        for (int i = 15; i >= 0; i--)
            printf("%02x", value->v128[i]);
        putchar('\n');
        break;
    default:
        if (value->ref)
            printf("%p\n", value->ref);
        else
            puts("null");
    }
}

/* What a call that did not return means for the exit code; says why on standard error. */
static int ended(struct wasm_instance *instance, struct wasi *wasi, enum wasm_trap trap)
{
    if (trap == WASM_TRAP_EXIT)
        return (int)(wasi_exit_code(wasi) & 0xff);
    char trace[4096];
    fflush(stdout);
    fprintf(stderr, "quince: trap: %s\n", wasm_trap_name(trap));
    if (instance && wasm_backtrace(instance, trace, sizeof(trace)))
        fputs(trace, stderr);
    return EXEC_EXIT_TRAP;
}

static int invoke(const struct exec_options *o, struct wasm_instance *instance, struct wasi *wasi)
{
    struct wasm_func *func = wasm_instance_func(instance, o->invoke);
    if (!func) {
        fprintf(stderr, "quince: %s: no exported function \"%s\"\n", o->module, o->invoke);
        return EXEC_EXIT_LOAD;
    }
    struct wasm_functype type = wasm_func_type(func);
    if ((uint32_t)o->arg_count != type.param_count) {
        fprintf(stderr, "quince: %s takes %u arguments, not %d\n", o->invoke, type.param_count,
                o->arg_count);
        return EXEC_EXIT_LOAD;
    }
    unsigned calls = o->repeat ? o->repeat : 1;
    union wasm_value *args = calloc(type.param_count + 1, sizeof(*args));
    union wasm_value *results = calloc(type.result_count + 1, sizeof(*results));
    uint64_t *times = calloc(calls, sizeof(*times));
    int code = EXEC_EXIT_LOAD;
    if (!args || !results || !times) {
        fprintf(stderr, "quince: out of memory\n");
        goto out;
    }
    for (uint32_t i = 0; i < type.param_count; i++) {
        if (!parse_value(o->args[i], type.params[i], &args[i])) {
            fprintf(stderr, "quince: argument %u of %s: \"%s\" is not of its type\n", i + 1,
                    o->invoke, o->args[i]);
            goto out;
        }
    }
    for (unsigned i = 0; i < calls; i++) {
        uint64_t start = wasm_host_now();
        enum wasm_trap trap = wasm_call(func, args, results);
        times[i] = wasm_host_now() - start;
        if (trap) {
            code = ended(instance, wasi, trap);
            goto out;
        }
    }
    for (uint32_t i = 0; i < type.result_count; i++)
        print_value(&results[i], type.results[i]);
    for (unsigned i = 0; i < o->repeat; i++)
        printf("time_ms %.6f\n", (double)times[i] / 1e6);
    code = 0;
out:
    free(args);
    free(results);
    free(times);
    return code;
}

static int run(const struct exec_options *o, struct wasm_instance *instance, struct wasi *wasi)
{
    struct wasm_func *initialize = wasm_instance_func(instance, "_initialize");
    if (initialize && !(o->invoke && !strcmp(o->invoke, "_initialize"))) {
        struct wasm_functype type = wasm_func_type(initialize);
        enum wasm_trap trap = type.param_count || type.result_count
                                  ? WASM_TRAP_NONE
                                  : wasm_call(initialize, NULL, NULL);
        if (trap)
            return ended(instance, wasi, trap);
    }
    if (o->invoke)
        return invoke(o, instance, wasi);
    struct wasm_func *start = wasm_instance_func(instance, "_start");
    struct wasm_functype type = {0};
    if (start)
        type = wasm_func_type(start);
    if (!start || type.param_count || type.result_count) {
        fprintf(stderr, "quince: %s: no _start to run; --invoke NAME calls an export\n", o->module);
        return EXEC_EXIT_LOAD;
    }
    enum wasm_trap trap = wasm_call(start, NULL, NULL);
    return trap ? ended(instance, wasi, trap) : 0;
}

static bool furnish(const struct exec_options *o, struct wasi *wasi)
{
    bool ok = wasi_arg(wasi, o->module);
    for (int i = 0; ok && !o->invoke && i < o->arg_count; i++)
        ok = wasi_arg(wasi, o->args[i]);
    for (unsigned i = 0; ok && i < o->env_count; i++)
        ok = wasi_env(wasi, o->env[i]);
    if (!ok)
        fprintf(stderr, "quince: out of memory\n");
    for (unsigned i = 0; ok && i < o->dir_count; i++) {
        ok = wasi_dir(wasi, o->dirs[i].host, o->dirs[i].guest, o->dirs[i].read_only);
        if (!ok)
            fprintf(stderr, "quince: --dir %s: %s\n", o->dirs[i].host, strerror(errno));
    }
    for (unsigned i = 0; ok && i < o->listener_count; i++) {
        const struct exec_listener *l = &o->listeners[i];
        ok = wasi_listen(wasi, l->address, l->port);
        if (!ok)
            fprintf(stderr, "quince: --listen %s:%s: %s\n", l->address, l->port, strerror(errno));
    }
    return ok;
}

/* Code that was made elsewhere runs only if the owner of the given key signed it. */
static bool signature_holds(const struct exec_options *o, const uint8_t *bytes, size_t size,
                            struct wasm_error *err)
{
    uint8_t key[1][SIGNATURE_KEY];
    size_t key_size = 0;
    const char *path = o->key_file ? o->key_file : o->key;
    char *text = path ? (char *)read_whole(path, &key_size) : NULL;
    bool known = text && signature_key_parse(text, key_size, key[0]);
    free(text);
    *err = (struct wasm_error){.kind = WASM_ERR_UNLINKABLE};
    if (o->key && !known) {
        snprintf(err->message, sizeof(err->message), "%.100s is not a public key", o->key);
        return false;
    }
    enum signature_state state = signature_check(bytes, size, (const uint8_t(*)[SIGNATURE_KEY])key,
                                                 known, NULL, err->message, sizeof(err->message));
    if (state == SIGNATURE_UNKNOWN_KEY && !o->key)
        snprintf(err->message, sizeof(err->message),
                 "it is run only if it is signed by a key that --key NAME.pub names");
    return state == SIGNATURE_GOOD;
}

static struct wasm_module *load_module(const struct exec_options *o, const uint8_t *bytes,
                                       size_t size, const struct wasm_load_options *options,
                                       struct wasm_error *err)
{
    if (!wasm_is_compiled(bytes, size))
        return wasm_module_load(bytes, size, options, err);
    return signature_holds(o, bytes, size, err)
               ? wasm_module_load_compiled(bytes, size, options, err)
               : NULL;
}

int exec_run(const struct exec_options *o)
{
    size_t size = 0;
    uint8_t *bytes = read_whole(o->module_file ? o->module_file : o->module, &size);
    if (!bytes) {
        fprintf(stderr, "quince: %s: %s\n", o->module, strerror(errno));
        return EXEC_EXIT_LOAD;
    }
    struct wasm_error err;
    struct wasm_load_options load = {.passes = o->passes, .cpu = o->cpu, .debugger = true};
    uint64_t start = wasm_host_now();
    struct wasm_module *module = load_module(o, bytes, size, &load, &err);
    uint64_t loaded = wasm_host_now();
    bool compiled = wasm_is_compiled(bytes, size);
    free(bytes);
    if (!module) {
        if (compiled)
            fprintf(stderr, "quince: %s: %s\n", o->module, err.message);
        else
            fprintf(stderr, "quince: %s: offset 0x%x: %s\n", o->module, err.offset, err.message);
        return EXEC_EXIT_LOAD;
    }
    struct wasi *wasi = wasi_new();
    int code = EXEC_EXIT_LOAD;
    if ((!o->loaded || o->loaded(module)) && wasi && furnish(o, wasi)) {
        struct wasm_instance_options options = {
            .resolve = wasi_resolve,
            .context = wasi,
            .host_data = wasi,
            .stack_size = (size_t)o->stack_size,
            .max_pages = o->max_pages,
            .budget_ns = o->budget_ns,
        };
        struct wasm_instance *instance = wasm_instance_new(module, &options, &err);
        if (o->verbose)
            fprintf(stderr,
                    "quince: %zu bytes of Wasm, %zu of code, compiled in %.3f ms, instance made in "
                    "%.3f ms\n",
                    size, wasm_module_code_size(module), (double)(loaded - start) / 1e6,
                    (double)(wasm_host_now() - loaded) / 1e6);
        if (instance) {
            code = run(o, instance, wasi);
        } else if (err.kind == WASM_ERR_TRAP && err.trap == WASM_TRAP_EXIT) {
            code = ended(NULL, wasi, WASM_TRAP_EXIT);
        } else {
            fprintf(stderr, "quince: %s%s: %s\n", err.kind == WASM_ERR_TRAP ? "trap: " : "",
                    o->module, err.message);
            code = err.kind == WASM_ERR_TRAP ? EXEC_EXIT_TRAP : EXEC_EXIT_LOAD;
        }
        if (fflush(stdout) && !code)
            code = 1;
        wasm_instance_free(instance);
    }
    wasi_free(wasi);
    wasm_module_release(module);
    return code;
}
