/* The runtime: calls in and out, traps of every kind and life after them, budgets, linking, quotas,
 * and that freeing gives back every byte. Runs modules compiled from runtime.wat and linked.wat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "port.h"
#include "wasm.h"

static unsigned number, failed;

static void check(bool ok, const char *name)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !ok;
}

/* Every byte and mapping, through the linker's --wrap. */
static long blocks, mappings;
void *__real_wasm_host_alloc(size_t size);
void *__real_wasm_host_realloc(void *p, size_t size);
void __real_wasm_host_free(void *p);
void *__real_wasm_host_reserve(size_t size, size_t align);
void __real_wasm_host_release(void *addr, size_t size);
void *__real_wasm_host_publish(const void *code, size_t size,
                               void (*relocate)(void *, uint8_t *, uintptr_t), void *context);
void __real_wasm_host_unpublish(void *code, size_t size);
void *__wrap_wasm_host_alloc(size_t size);
void *__wrap_wasm_host_realloc(void *p, size_t size);
void __wrap_wasm_host_free(void *p);
void *__wrap_wasm_host_reserve(size_t size, size_t align);
void __wrap_wasm_host_release(void *addr, size_t size);
void *__wrap_wasm_host_publish(const void *code, size_t size,
                               void (*relocate)(void *, uint8_t *, uintptr_t), void *context);
void __wrap_wasm_host_unpublish(void *code, size_t size);

static long fail_after = -1; /* allocations until one fails; -1: none does */

static bool is_refused(void)
{
    if (fail_after < 0)
        return false;
    if (fail_after == 0)
        return true;
    fail_after--;
    return false;
}

void *__wrap_wasm_host_alloc(size_t size)
{
    void *p = is_refused() ? NULL : __real_wasm_host_alloc(size);
    blocks += p != NULL;
    return p;
}
void *__wrap_wasm_host_realloc(void *p, size_t size)
{
    void *q = is_refused() ? NULL : __real_wasm_host_realloc(p, size);
    blocks += !p && q;
    return q;
}
void __wrap_wasm_host_free(void *p)
{
    blocks -= p != NULL;
    __real_wasm_host_free(p);
}
void *__wrap_wasm_host_reserve(size_t size, size_t align)
{
    void *p = is_refused() ? NULL : __real_wasm_host_reserve(size, align);
    mappings += p != NULL;
    return p;
}
void __wrap_wasm_host_release(void *addr, size_t size)
{
    mappings -= addr != NULL;
    __real_wasm_host_release(addr, size);
}
void *__wrap_wasm_host_publish(const void *code, size_t size,
                               void (*relocate)(void *, uint8_t *, uintptr_t), void *context)
{
    void *p = is_refused() ? NULL : __real_wasm_host_publish(code, size, relocate, context);
    mappings += p != NULL;
    return p;
}
void __wrap_wasm_host_unpublish(void *code, size_t size)
{
    mappings--;
    __real_wasm_host_unpublish(code, size);
}

/* What the modules import. */

static unsigned touched;
static uint64_t host_touch(struct wasm_instance *caller, uint32_t a, uint64_t b, float c, double d)
{
    touched++;
    return wasm_instance_data(caller) == &touched ? a + b + (uint64_t)(c * 2 + (float)d * 2) : 0;
}

static uint32_t host_again(struct wasm_instance *caller, uint32_t n)
{
    union wasm_value arg = {.i32 = n - 1}, result = {.i32 = 0};
    if (!n)
        wasm_call(wasm_instance_func(caller, "unreachable"), NULL, NULL);
    else if (wasm_call(wasm_instance_func(caller, "nest"), &arg, &result))
        return 1000;
    return result.i32 + 1;
}

static void host_refuse(struct wasm_instance *caller)
{
    wasm_trap(caller, WASM_TRAP_HOST);
}

static void host_slow(struct wasm_instance *caller)
{
    (void)caller;
    /* 40 ms of running, which budgets count; a busy machine may take the CPU away. */
    for (clock_t end = clock() + CLOCKS_PER_SEC / 25; clock() < end;)
        ;
}

static const struct wasm_host_func host_funcs[] = {
    {"touch", "iIfF:I", (wasm_host_fn)host_touch},
    {"again", "i:i", (wasm_host_fn)host_again},
    {"refuse", ":", (wasm_host_fn)host_refuse},
    {"slow", ":", (wasm_host_fn)host_slow},
};
struct linking {
    struct wasm_func *funcs[4];
    struct wasm_instance *a;
};

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    struct linking *l = context;
    if (!strcmp(import->module, "a"))
        return l->a && wasm_instance_export(l->a, import->name, import->name_len, out);
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(import->name, host_funcs[i].name))
            continue;
        if (!l->funcs[i])
            l->funcs[i] = wasm_func_host(host_funcs[i].type, host_funcs[i].fn);
        out->kind = WASM_FUNC;
        out->func = l->funcs[i];
        return out->func != NULL;
    }
    return false;
}

static void linking_done(struct linking *l)
{
    for (unsigned i = 0; i < 4; i++)
        wasm_func_release(l->funcs[i]);
}

static uint8_t *bytes[2];
static size_t sizes[2];

static bool read_module(unsigned i, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    bytes[i] = malloc(1 << 16);
    sizes[i] = fread(bytes[i], 1, 1 << 16, f);
    fclose(f);
    return sizes[i] > 0;
}

static struct wasm_instance *make(unsigned i, struct linking *l, uint64_t max_pages,
                                  uint64_t budget_ns, struct wasm_error *err)
{
    struct wasm_module *module = wasm_module_load(bytes[i], sizes[i], NULL, err);
    if (!module)
        return NULL;
    struct wasm_instance_options options = {.resolve = resolve,
                                            .context = l,
                                            .host_data = &touched,
                                            .max_pages = max_pages,
                                            .budget_ns = budget_ns,
                                            .stack_size = 256 * 1024};
    struct wasm_instance *instance = wasm_instance_new(module, &options, err);
    wasm_module_release(module);
    return instance;
}

static union wasm_value results[16];

/* Calls export NAME with up to two integers. */
static enum wasm_trap call(struct wasm_instance *in, const char *name, uint64_t a, uint64_t b)
{
    union wasm_value args[4] = {{.i64 = a}, {.i64 = b}}; /* room for the widest export */
    struct wasm_func *func = wasm_instance_func(in, name);
    if (!func) {
        printf("# no export %s\n", name);
        exit(1);
    }
    memset(results, 0, sizeof(results));
    return wasm_call(func, args, results);
}

static void test_calls(struct wasm_instance *in)
{
    check(!call(in, "add", 20, 22) && results[0].i32 == 42, "a call with two arguments");
    union wasm_value args[19] = {{.i32 = 7}, {.i64 = 1ull << 40}, {.f32 = 1.5f}, {.f64 = -2.5}};
    check(!wasm_call(wasm_instance_func(in, "swap"), args, results) && results[0].f64 == -2.5 &&
              results[1].f32 == 1.5f && results[2].i64 == 1ull << 40 && results[3].i32 == 7,
          "several results of several types");
    for (unsigned i = 0; i < 19; i++)
        args[i] = i < 8    ? (union wasm_value){.i32 = 100 + i}
                  : i == 8 ? (union wasm_value){.i64 = 1ull << 50}
                  : i < 18 ? (union wasm_value){.f32 = (float)i}
                           : (union wasm_value){.f64 = 18.25};
    check(!wasm_call(wasm_instance_func(in, "many"), args, results) &&
              results[0].i64 == (1ull << 50) + 107 && results[1].i64 == 100 &&
              results[2].i64 == 106 && results[3].f64 == 17 && results[4].f64 == 18.25 &&
              results[5].f64 == 9,
          "arguments and results on the stack");
    touched = 0;
    check(!call(in, "host", 1, 0) && results[0].i64 == 1 + 0x123456789abc + 3 + 5 && touched == 1,
          "a host function sees its arguments and its caller");
    check(!call(in, "nest", 5, 0) && results[0].i32 == 6, "nested calls through the host");
    check(call(in, "host_touch", 1, 2) == WASM_TRAP_NONE, "an exported import is called");
    check(call(in, "refuse", 0, 0) == WASM_TRAP_HOST, "a host function ends its own call");
    check(call(in, "call_refuse", 0, 0) == WASM_TRAP_HOST,
          "a host function ends its caller's call");
    check(call(in, "indirect_void", 1, 0) == WASM_TRAP_HOST, "a host function called by table");
}

static void test_traps(struct wasm_instance *in)
{
    static const struct {
        const char *func;
        uint64_t a, b;
        enum wasm_trap trap;
    } cases[] = {
        {"unreachable", 0, 0, WASM_TRAP_UNREACHABLE},
        {"load8", 65535, 0, WASM_TRAP_NONE},
        {"load8", 65536, 0, WASM_TRAP_MEMORY},
        {"load8", 0xffffffff, 0, WASM_TRAP_MEMORY},
        {"load64", 65528, 0, WASM_TRAP_NONE},
        {"load64", 65529, 0, WASM_TRAP_MEMORY},
        {"load64", 0xfffffff9, 0, WASM_TRAP_MEMORY},
        {"load64_far", 0, 0, WASM_TRAP_MEMORY},
        {"load64_far", 0xffffffff, 0, WASM_TRAP_MEMORY},
        {"store64", 65529, 0, WASM_TRAP_MEMORY},
        {"store64", 0xffffffff, 0, WASM_TRAP_MEMORY},
        {"div", 1, 0, WASM_TRAP_DIV_ZERO},
        {"div", 0x80000000, 0xffffffff, WASM_TRAP_INT_OVERFLOW},
        {"indirect", 0, 0, WASM_TRAP_NONE},
        {"indirect", 1, 0, WASM_TRAP_SIGNATURE},
        {"indirect", 3, 0, WASM_TRAP_NULL},
        {"indirect", 4, 0, WASM_TRAP_UNDEFINED},
        {"indirect", 0xffffffff, 0, WASM_TRAP_UNDEFINED},
        {"recurse", 0, 0, WASM_TRAP_STACK},
        {"recurse_helper", 0, 0, WASM_TRAP_STACK},
        {"recurse_host", 0, 0, WASM_TRAP_STACK},
        {"nest", 0x7fffffff, 0, WASM_TRAP_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char name[128];
        enum wasm_trap trap = call(in, cases[i].func, cases[i].a, cases[i].b);
        snprintf(name, sizeof(name), "%s(0x%llx): %s", cases[i].func,
                 (unsigned long long)cases[i].a, wasm_trap_name(cases[i].trap));
        check(trap == cases[i].trap, name);
        if (trap != cases[i].trap)
            printf("# got: %s\n", wasm_trap_name(trap));
    }
    check(!call(in, "add", 1, 2) && results[0].i32 == 3, "it can be called after all of them");
    check(!call(in, "deep", 0, 0), "reading inside");
    check(call(in, "deep", 0x20000, 0) == WASM_TRAP_MEMORY, "reading outside, two frames down");
    char text[1024];
    wasm_backtrace(in, text, sizeof(text));
    const char *first = strstr(text, "#0 deep2"), *second = strstr(text, "#1 deep1");
    check(first && second && strstr(text, "#2 deep"), "the backtrace names the frames");
    if (!first || !second)
        printf("# %s\n", text);
    check(call(in, "call_refuse", 0, 0) == WASM_TRAP_HOST &&
              wasm_backtrace(in, text, sizeof(text)) && strstr(text, "call_refuse"),
          "the backtrace of a trap in a host function names its caller");
}

static void test_budget(struct wasm_instance *in)
{
    static const char *const loops[] = {"spin", "spin_calls", "spin_host", "spin_grow"};
    wasm_instance_set_budget(in, 5000000);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t start = wasm_host_now();
        bool ok = call(in, loops[i], 0, 0) == WASM_TRAP_TIMEOUT;
        check(ok && wasm_host_now() - start < 1000000000, loops[i]);
    }
    check(call(in, "call_slow", 0, 0) == WASM_TRAP_TIMEOUT, "over budget within a host function");
    struct wasm_extern count;
    check(wasm_instance_export(in, "count", 5, &count) && wasm_global_get(count.global).i32 != 99,
          "it does not go on after that");
    bool ok = true;
    for (unsigned i = 0; i < 10000; i++)
        ok &= !call(in, "add", i, 1) && results[0].i32 == i + 1;
    check(ok, "calls within their budget");
    wasm_instance_set_budget(in, 0);
    check(!call(in, "call_slow", 0, 0), "without a budget it may take its time");
}

static void test_memory(void)
{
    struct linking l = {0};
    struct wasm_error err;
    struct wasm_instance *in = make(0, &l, 3, 0, &err);
    check(in != NULL, "an instance with a quota of 3 pages");
    if (!in)
        return;
    check(!call(in, "grow", 1, 0) && results[0].i32 == 1, "grow within the quota");
    check(!call(in, "grow", 2, 0) && results[0].i32 == ~0u, "grow beyond the quota");
    check(!call(in, "grow", 0xffffffff, 0) && results[0].i32 == ~0u, "grow by everything");
    check(!call(in, "grow", 1, 0) && results[0].i32 == 2, "grow to the quota");
    check(!call(in, "size", 0, 0) && results[0].i32 == 3, "the size after all that");
    check(!call(in, "load64", 3 * 65536 - 8, 0) && !results[0].i64, "new pages are zero");
    check(!call(in, "table_grow", 4, 0) && results[0].i32 == 4, "a table grows to its maximum");
    check(!call(in, "table_grow", 1, 0) && results[0].i32 == ~0u, "and not beyond");
    uint64_t size = 3 * 65536;
    check(wasm_memory_at(in, 0, size) && wasm_memory_at(in, size, 0) &&
              !wasm_memory_at(in, size, 1) && !wasm_memory_at(in, 1, size) &&
              !wasm_memory_at(in, ~0ull, 2) && !wasm_memory_at(in, 2, ~0ull) &&
              !wasm_memory_at(in, ~0ull, ~0ull),
          "guest pointers are checked without overflow");
    wasm_instance_free(in);
    linking_done(&l);
}

static void test_linking(void)
{
    struct linking l = {0};
    struct wasm_error err;
    check(!make(1, &l, 0, 0, &err) && err.kind == WASM_ERR_UNLINKABLE &&
              strstr(err.message, "\"a\" \"table\""),
          "a missing import is named");
    l.a = make(0, &l, 0, 0, &err);
    struct wasm_instance *b = make(1, &l, 0, 0, &err);
    check(l.a && b, "two linked instances");
    if (!l.a || !b)
        return;
    check(!call(l.a, "indirect", 2, 0) && results[0].i32 == 42 + 1001,
          "a function of the other through the table");
    check(!call(b, "run", 2, 0) && results[0].i32 == 3 + 1002, "its own through the same table");
    struct wasm_extern count;
    check(wasm_instance_export(l.a, "count", 5, &count) && wasm_global_get(count.global).i32 == 2,
          "a shared global");
    uint32_t *shared = wasm_memory_at(l.a, 16, 4);
    check(shared && *shared == 1002, "a shared memory");
    check(call(l.a, "indirect", 3, 0) == WASM_TRAP_UNREACHABLE, "a trap in the other");
    char text[512];
    wasm_backtrace(l.a, text, sizeof(text));
    check(strstr(text, "fault") && strstr(text, "indirect"), "a backtrace across instances");
    wasm_instance_free(b);
    check(!call(l.a, "indirect", 2, 0) && results[0].i32 == 42 + 1003,
          "references to a freed instance stay valid");
    wasm_instance_free(l.a);
    linking_done(&l);
}

/* Loading and linking with every allocation failing in turn. */
static void test_no_memory(void)
{
    bool ok = true;
    long n = 0;
    for (; n < 5000; n++) {
        struct linking l = {0};
        struct wasm_error err;
        fail_after = n;
        struct wasm_instance *in = make(0, &l, 0, 0, &err);
        bool done = fail_after > 0;
        fail_after = -1;
        ok &= in || err.kind == WASM_ERR_NOMEM || err.kind == WASM_ERR_UNLINKABLE;
        wasm_instance_free(in);
        linking_done(&l);
        ok &= !blocks && !mappings;
        if (!ok)
            printf("# allocation %ld failing: error %d %s, %ld blocks and %ld mappings left\n", n,
                   err.kind, err.message, blocks, mappings);
        if (done || !ok)
            break;
    }
    check(ok && n < 5000, "every allocation may fail and nothing is left");
}

/* (func (result i32) (i32x4.extract_lane 0 (i32x4.splat (i32.const 5)))) */
static void test_cpu(void)
{
    static const uint8_t vectors[] = {0,    'a', 's',  'm', 1,   0,  0,   0,  1,  5,  1,
                                      0x60, 0,   1,    127, 3,   2,  1,   0,  10, 11, 1,
                                      9,    0,   0x41, 5,   253, 17, 253, 27, 0,  11};
    struct wasm_load_options old = {.cpu = "baseline"}, unknown = {.cpu = "sse4.1,abacus"};
    struct wasm_error err;
    struct wasm_module *module = wasm_module_load(vectors, sizeof(vectors), &old, &err);
    check(!module && err.kind == WASM_ERR_UNSUPPORTED && !strcmp(err.message, "SIMD needs SSE4.1"),
          "a module with vectors is refused by a CPU without SSE4.1");
    wasm_module_release(module);
    module = wasm_module_load(bytes[0], sizes[0], &old, &err);
    check(module, "one without is not");
    wasm_module_release(module);
    module = wasm_module_load(vectors, sizeof(vectors), &unknown, &err);
    check(!module && strstr(err.message, "abacus"), "an unknown CPU is refused by name");
    wasm_module_release(module);
}

int main(int argc, char **argv)
{
    struct linking l = {0};
    struct wasm_error err;
    if (argc != 3 || !read_module(0, argv[1]) || !read_module(1, argv[2]) ||
        !host_port_thread_init()) {
        fprintf(stderr, "usage: runtime runtime.wasm linked.wasm\n");
        return 2;
    }
    struct wasm_instance *in = make(0, &l, 0, 0, &err);
    check(in != NULL, "load and instantiate");
    if (!in) {
        printf("# offset 0x%x: %s\n", err.offset, err.message);
        return 1;
    }
    test_calls(in);
    test_traps(in);
    test_budget(in);
    wasm_instance_free(in);
    linking_done(&l);
    check(!blocks && !mappings, "freeing gives back every byte");
    test_memory();
    check(!blocks && !mappings, "again, after growing");
    test_linking();
    check(!blocks && !mappings, "again, after linking");
    test_no_memory();
    test_cpu();
    printf("1..%u\n", number);
    return failed != 0;
}
