/* Shared memories: threads, each with an instance of its own, that count under a mutex made of wait
 * and notify, wait and are woken, grow one memory at once, and outlive who made it. The same
 * program runs here and as an image in ring 0. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "wasm.h"
#ifdef IN_KERNEL
/* The kernel's port knows every thread. */
static bool host_port_thread_init(void)
{
    return true;
}
static void host_port_thread_exit(void)
{
}
#else
#include "port.h"
#endif

/* clang-format off */
__asm__(".section .rodata\n"
        "shared_wasm: .incbin \"" SHARED_WASM "\"\n"
        "shared_wasm_end:\n"
        ".previous");
/* clang-format on */
extern const uint8_t shared_wasm[], shared_wasm_end[];

enum { THREADS = 4, ROUNDS = 5000, MS = 1000000 };

static unsigned number, failed;

static void check(bool ok, const char *name)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !ok;
}

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)import;
    *out = (struct wasm_extern){.kind = WASM_MEMORY, .memory = context};
    return true;
}

static struct wasm_instance *make(struct wasm_module *module, struct wasm_memory *memory)
{
    struct wasm_error err = {0};
    struct wasm_instance_options options = {.resolve = resolve, .context = memory};
    struct wasm_instance *instance = wasm_instance_new(module, &options, &err);
    if (!instance)
        printf("# %s\n", err.message);
    return instance;
}

struct worker {
    pthread_t thread;
    struct wasm_instance *instance;
    const char *name;
    union wasm_value args[3], result;
    enum wasm_trap trap;
    uint64_t took;
};

static void *work(void *context)
{
    struct worker *w = context;
    if (!host_port_thread_init())
        return NULL;
    uint64_t start = wasm_host_now();
    w->trap = wasm_call(wasm_instance_func(w->instance, w->name), w->args, &w->result);
    w->took = wasm_host_now() - start;
    host_port_thread_exit();
    return NULL;
}

static void start(struct worker *w, struct wasm_instance *instance, const char *name)
{
    w->instance = instance;
    w->name = name;
    w->trap = WASM_TRAP_HOST;
    pthread_create(&w->thread, NULL, work, w);
}

static uint32_t notify(struct wasm_instance *instance, uint32_t at, uint32_t count)
{
    union wasm_value args[2] = {{.i32 = at}, {.i32 = count}}, result = {.i32 = 99};
    return wasm_call(wasm_instance_func(instance, "notify"), args, &result) ? 99 : result.i32;
}

static void test_mutex(struct wasm_instance *const *instances, const uint8_t *bytes)
{
    struct worker w[THREADS];
    bool ok = true;
    uint64_t counted[2];
    for (unsigned i = 0; i < THREADS; i++) {
        w[i].args[0].i32 = ROUNDS;
        start(&w[i], instances[i], "count");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(w[i].thread, NULL);
        ok &= w[i].trap == WASM_TRAP_NONE;
    }
    memcpy(counted, bytes + 8, sizeof(counted));
    check(ok && counted[0] == THREADS * ROUNDS, "threads count under a mutex of wait and notify");
    check(ok && counted[1] == THREADS * ROUNDS, "and without it, atomically");
}

static void test_waiting(struct wasm_instance *const *instances)
{
    struct worker w[3] = {0};
    w[0].args[0].i32 = 64;
    w[0].args[1].i64 = 1;
    w[0].args[2].i64 = ~0ull;
    start(&w[0], instances[0], "wait64");
    pthread_join(w[0].thread, NULL);
    check(!w[0].trap && w[0].result.i32 == 1, "another value: 1, at once");

    w[0].args[1].i64 = 0;
    w[0].args[2].i64 = 30 * MS;
    start(&w[0], instances[0], "wait64");
    pthread_join(w[0].thread, NULL);
    check(!w[0].trap && w[0].result.i32 == 2 && w[0].took >= 30 * MS, "the timeout: 2, not early");

    for (unsigned i = 0; i < 2; i++) {
        w[i].args[0].i32 = 64;
        w[i].args[1].i64 = 0;
        w[i].args[2].i64 = ~0ull;
        start(&w[i], instances[i], "wait32");
    }
    w[2].args[0].i32 = 128; /* elsewhere: must not be woken */
    w[2].args[1].i64 = 0;
    w[2].args[2].i64 = 300 * MS;
    start(&w[2], instances[2], "wait64");
    uint32_t woken = 0, calls = 0, many = 0;
    while (woken < 2 && calls++ < 100000000) { /* until both have begun to wait */
        uint32_t n = notify(instances[3], 64, 1);
        many |= n > 1;
        woken += n;
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_join(w[i].thread, NULL);
    check(woken == 2 && !many, "notify wakes one at a time");
    check(!w[0].trap && !w[1].trap && !w[0].result.i32 && !w[1].result.i32, "who is woken gets 0");
    check(!w[2].trap && w[2].result.i32 == 2, "who waits at another address is not woken");
    check(!notify(instances[3], 64, ~0u), "nobody waits any more");

    w[0].args[2].i64 = ~0ull;
    wasm_instance_set_budget(instances[0], 50 * MS);
    start(&w[0], instances[0], "wait32");
    pthread_join(w[0].thread, NULL);
    wasm_instance_set_budget(instances[0], 0);
    check(w[0].trap == WASM_TRAP_TIMEOUT && w[0].took >= 50 * MS, "the call's time limit ends it");
    check(!notify(instances[3], 64, ~0u), "and takes it from the queue");

    w[0].args[0].i32 = 66;
    start(&w[0], instances[0], "wait32");
    pthread_join(w[0].thread, NULL);
    check(w[0].trap == WASM_TRAP_UNALIGNED, "unaligned");
    w[0].args[0].i32 = 0xfffffff8;
    start(&w[0], instances[0], "wait64");
    pthread_join(w[0].thread, NULL);
    check(w[0].trap == WASM_TRAP_MEMORY, "out of bounds");
}

static void test_growing(struct wasm_instance *const *instances, struct wasm_memory *memory)
{
    struct worker w[THREADS];
    uint32_t got = 0;
    for (unsigned i = 0; i < THREADS; i++)
        start(&w[i], instances[i], "grow");
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(w[i].thread, NULL);
        got += w[i].trap ? 1000 : w[i].result.i32;
    }
    check(got == 15 && wasm_memory_size(memory) == 16 * WASM_PAGE_SIZE,
          "threads that grow it at once get each page once");
    start(&w[0], instances[0], "size");
    pthread_join(w[0].thread, NULL);
    check(!w[0].trap && w[0].result.i32 == 16, "all see its size");
}

int main(void)
{
    struct wasm_error err = {0};
    struct wasm_instance *instances[THREADS];
    struct wasm_module *module =
        wasm_module_load(shared_wasm, (size_t)(shared_wasm_end - shared_wasm), NULL, &err);
    struct wasm_memory *memory = wasm_memory_new_shared(1, 16);
    struct wasm_memory *plain = wasm_memory_new(1, 16), *large = wasm_memory_new_shared(1, 17);
    if (!module || !memory || !plain || !large || !host_port_thread_init()) {
        printf("Bail out! %s\n", err.message);
        return 1;
    }
    struct wasm_instance_options options = {.resolve = resolve, .context = plain};
    check(!wasm_instance_new(module, &options, &err) && err.kind == WASM_ERR_UNLINKABLE,
          "a memory that is not shared does not link");
    options.context = large;
    check(!wasm_instance_new(module, &options, &err) && err.kind == WASM_ERR_UNLINKABLE,
          "nor does one that may become larger");
    wasm_memory_release(plain);
    wasm_memory_release(large);
    for (unsigned i = 0; i < THREADS; i++)
        if (!(instances[i] = make(module, memory)))
            return 1;
    test_mutex(instances, wasm_memory_data(memory));
    test_waiting(instances);
    test_growing(instances, memory);
    wasm_memory_release(memory);
    for (unsigned i = 0; i + 1 < THREADS; i++)
        wasm_instance_free(instances[i]);
    struct worker last;
    start(&last, instances[THREADS - 1], "size");
    pthread_join(last.thread, NULL);
    check(!last.trap && last.result.i32 == 16, "it lives as long as one instance has it");
    wasm_instance_free(instances[THREADS - 1]);
    wasm_module_release(module);
    host_port_thread_exit();
    printf("1..%u\n", number);
    return failed != 0;
}
