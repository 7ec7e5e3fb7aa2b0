/* What crossing the border costs: a call through a pointer in C, from C into an export and from an
 * export into C, with a time limit and without. Prints "name nanoseconds" for each in each round.
 * The same program runs on the host and as an image in ring 0.
 * usage: calls [ROUNDS [CALLS]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#ifdef IN_KERNEL
static bool host_port_thread_init(void)
{
    return true;
}
#else
#include "port.h"
#endif

/* clang-format off */
__asm__(".section .rodata\n"
        "calls_wasm: .incbin \"" CALLS_WASM "\"\n"
        "calls_wasm_end:\n"
        ".previous");
/* clang-format on */
extern const uint8_t calls_wasm[], calls_wasm_end[];

/* Within a page: QEMU's translator chains no jumps that leave one. */
#define NOINLINE __attribute__((noinline, aligned(512)))

static uint32_t calls = 100000;
static uint64_t sink;

/* The callees in C. */
static NOINLINE void native0(void)
{
    __asm__ volatile("");
}
static NOINLINE uint32_t native4(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return a + b + c + d;
}
static NOINLINE void host0(struct wasm_instance *caller)
{
    __asm__ volatile("" : : "r"(caller));
}
static NOINLINE uint32_t host4(struct wasm_instance *caller, uint32_t a, uint32_t b, uint32_t c,
                               uint32_t d)
{
    (void)caller;
    return a + b + c + d;
}

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    struct wasm_func **funcs = context;
    out->kind = WASM_FUNC;
    out->func = funcs[import->name[4] == '4'];
    return out->func != NULL;
}

static struct wasm_instance *instance;
static struct wasm_entry entry0, entry4, loop0, loop4;
static void (*volatile pointer0)(void) = native0;
static uint32_t (*volatile pointer4)(uint32_t, uint32_t, uint32_t, uint32_t) = native4;

/* The loops. Each answers whether all went well. */
static NOINLINE bool run_native0(void)
{
    for (uint32_t i = 0; i < calls; i++)
        pointer0();
    return true;
}
static NOINLINE bool run_native4(void)
{
    for (uint32_t i = 0; i < calls; i++)
        sink += pointer4(i, 2, 3, i);
    return true;
}
static NOINLINE bool run_entry0(void)
{
    bool ok = true;
    uint64_t result;
    for (uint32_t i = 0; i < calls; i++)
        ok &= !wasm_entry_call0(&entry0, &result);
    return ok;
}
static NOINLINE bool run_entry4(void)
{
    bool ok = true;
    uint64_t result;
    for (uint32_t i = 0; i < calls; i++) {
        ok &= !wasm_entry_call4(&entry4, i, 2, 3, i, &result);
        sink += result;
    }
    return ok;
}
static NOINLINE bool run_wasm_call4(void)
{
    bool ok = true;
    struct wasm_func *func = wasm_instance_func(instance, "wasm4");
    for (uint32_t i = 0; i < calls; i++) {
        union wasm_value args[4] = {{.i32 = i}, {.i32 = 2}, {.i32 = 3}, {.i32 = i}}, result;
        ok &= !wasm_call(func, args, &result);
        sink += result.i32;
    }
    return ok;
}
static NOINLINE bool run_host0(void)
{
    uint64_t result;
    return !wasm_entry_call1(&loop0, calls, &result);
}
static NOINLINE bool run_host4(void)
{
    uint64_t result = 0;
    bool ok = !wasm_entry_call1(&loop4, calls, &result);
    sink += result;
    return ok;
}

static const struct {
    const char *name;
    bool (*run)(void);
    bool wasm;
} measures[] = {
    {"native0", run_native0, false},      {"native4", run_native4, false},
    {"entry0", run_entry0, true},         {"entry4", run_entry4, true},
    {"wasm_call4", run_wasm_call4, true}, {"host0", run_host0, true},
    {"host4", run_host4, true},
};

static bool measure(unsigned i, const char *suffix)
{
    uint64_t start = wasm_host_now();
    bool ok = measures[i].run();
    uint64_t taken = wasm_host_now() - start;
    printf("%s%s %.4f\n", measures[i].name, suffix, (double)taken / calls);
    return ok;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
    calls = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : calls;
    struct wasm_func *funcs[2] = {wasm_func_host(":", (wasm_host_fn)host0),
                                  wasm_func_host("iiii:i", (wasm_host_fn)host4)};
    struct wasm_error err = {0};
    struct wasm_module *module =
        host_port_thread_init()
            ? wasm_module_load(calls_wasm, (size_t)(calls_wasm_end - calls_wasm), NULL, &err)
            : NULL;
    struct wasm_instance_options options = {.resolve = resolve, .context = funcs};
    instance = module ? wasm_instance_new(module, &options, &err) : NULL;
    if (!calls || !instance ||
        !wasm_entry_prepare(&entry0, wasm_instance_func(instance, "wasm0"), ":") ||
        !wasm_entry_prepare(&entry4, wasm_instance_func(instance, "wasm4"), "iiii:i") ||
        !wasm_entry_prepare(&loop0, wasm_instance_func(instance, "loop0"), "i") ||
        !wasm_entry_prepare(&loop4, wasm_instance_func(instance, "loop4"), "i:i")) {
        printf("cannot be set up: %s\n", err.message);
        return 1;
    }
    bool ok = true;
    for (unsigned long n = 0; ok && n < rounds; n++) {
        for (unsigned i = 0; ok && i < sizeof(measures) / sizeof(*measures); i++) {
            wasm_instance_set_budget(instance, 0);
            ok = measure(i, "");
            if (!ok || !measures[i].wasm)
                continue;
            wasm_instance_set_budget(instance, 1000000000);
            ok = measure(i, "-limit");
        }
    }
    printf("%s\n", ok ? "done" : "a call failed");
    wasm_instance_free(instance);
    wasm_module_release(module);
    wasm_func_release(funcs[0]);
    wasm_func_release(funcs[1]);
    return !ok || sink == 1;
}
