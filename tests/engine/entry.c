/* Calls by wasm/entry.h: that they do what wasm_call() does, in every case where they have to leave
 * the short way, and that what the caller's registers and stack held is there afterwards. */
#include "entry.h"

#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"

enum { MS = 1000000 };

static unsigned number, failed;

static void check(bool ok, const char *name)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !ok;
}

/* What the module imports. */

static struct wasm_entry nest, fault;
static struct wasm_instance *to_free;
static bool nested_well = true;

/* Calls back by an entry N times deep; at the bottom into a trap, which ends there. */
static uint32_t host_again(struct wasm_instance *caller, uint32_t n)
{
    (void)caller;
    uint64_t result = 0;
    if (!n) {
        nested_well &= wasm_entry_call0(&fault, &result) == WASM_TRAP_UNREACHABLE;
        return 100;
    }
    nested_well &= wasm_entry_call1(&nest, n - 1, &result) == WASM_TRAP_NONE;
    return (uint32_t)result + 1;
}

static void host_refuse(struct wasm_instance *caller)
{
    wasm_trap(caller, WASM_TRAP_HOST);
}

static void host_free(struct wasm_instance *caller)
{
    (void)caller;
    wasm_instance_free(to_free);
    to_free = NULL;
}

static const struct wasm_host_func host_funcs[] = {
    {"again", "i:i", (wasm_host_fn)host_again},
    {"refuse", ":", (wasm_host_fn)host_refuse},
    {"free", ":", (wasm_host_fn)host_free},
};
static struct wasm_func *funcs[3];

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)context;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(import->name, host_funcs[i].name))
            continue;
        out->kind = WASM_FUNC;
        out->func = funcs[i];
        return true;
    }
    return false;
}

static struct wasm_module *module;

static struct wasm_instance *make(uint64_t budget_ns)
{
    struct wasm_error err;
    struct wasm_instance_options options = {.resolve = resolve, .budget_ns = budget_ns};
    struct wasm_instance *in = wasm_instance_new(module, &options, &err);
    if (!in) {
        printf("Bail out! %s\n", err.message);
        exit(1);
    }
    return in;
}

static struct wasm_entry prepare(struct wasm_instance *in, const char *name, const char *type)
{
    struct wasm_entry entry;
    if (!wasm_entry_prepare(&entry, wasm_instance_func(in, name), type)) {
        printf("Bail out! %s is not %s\n", name, type);
        exit(1);
    }
    return entry;
}

static void test_types(struct wasm_instance *in)
{
    static const struct {
        const char *name, *type;
        bool good;
    } cases[] = {
        {"empty", ":", true},      {"empty", "", true},      {"empty", ":i", false},
        {"empty", "i", false},     {"one", "i:I", true},     {"one", "i:i", false},
        {"one", "i", false},       {"one", "I:I", false},    {"one", "ii:I", false},
        {"two", "ii:i", true},     {"two", "ii:ii", false},  {"two", "ii:i ", false},
        {"five", "iIiIi:I", true}, {"six", "iiiiii", false}, {"double", "F", false},
        {"pair", ":ii", false},    {"pair", ":i", false},    {"imported", "i:i", true},
        {"nothing", ":", false},
    };
    bool ok = true;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct wasm_entry entry;
        bool good =
            wasm_entry_prepare(&entry, wasm_instance_func(in, cases[i].name), cases[i].type);
        if (good != cases[i].good)
            printf("# %s as %s: %d\n", cases[i].name, cases[i].type, good);
        ok &= good == cases[i].good;
    }
    check(ok, "only functions of the type asked for, of integers, are prepared");
}

static void test_values(struct wasm_instance *in)
{
    struct wasm_entry empty = prepare(in, "empty", ":"), one = prepare(in, "one", "i:I"),
                      two = prepare(in, "two", "ii:i"), three = prepare(in, "three", "IIi:I"),
                      four = prepare(in, "four", "iiii:i"), five = prepare(in, "five", "iIiIi:I"),
                      load = prepare(in, "load", "i:i"), count = prepare(in, "count", ":i");
    const uint64_t high = 0xdeadbeef00000000;
    uint64_t r = 0, before = 0;
    bool ok = !wasm_entry_call0(&count, &before);
    for (uint64_t i = 0; i < 1000; i++) {
        ok &= !wasm_entry_call0(&empty, &r);
        ok &= !wasm_entry_call1(&one, high + i, &r) && r == i;
        ok &= !wasm_entry_call2(&two, high + i, 1, &r) && (uint32_t)r == (uint32_t)i - 1;
        ok &= !wasm_entry_call3(&three, high, i, 7, &r) && r == high * i - 7;
        ok &= !wasm_entry_call4(&four, i, 2, 3, high + i, &r) && (uint32_t)r == (uint32_t)(0 - i);
        ok &= !wasm_entry_call5(&five, high + i, high, 2, i, high + 9, &r) &&
              r == i * high + 2 * i + 9;
        ok &= !wasm_entry_call1(&load, high + 5, &r) && (uint32_t)r == 0;
    }
    check(ok, "arguments and results, of i32 no more than the low half");
    ok = !wasm_entry_call0(&count, &r) && (uint32_t)r == (uint32_t)before + 1;
    check(ok, "each call is one call");
}

/* Many values in registers and on the stack around calls that trap. */
static __attribute__((noinline)) bool keeps(struct wasm_entry *entry, enum wasm_trap trap,
                                            uint64_t x)
{
    uint64_t a = x * 3, b = x ^ 0x55, c = x + 7, d = x << 3, e = ~x, f = x * x, g = x / 3, r = 42;
    double p = (double)x, q = p * 0.5;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
    __asm__ volatile("" : "+x"(p), "+x"(q));
    bool ok = wasm_entry_call(entry, 1, x, 0, 0, 0, 0, &r) == trap;
    return ok && r == 42 && a == x * 3 && b == (x ^ 0x55) && c == x + 7 && d == x << 3 && e == ~x &&
           f == x * x && g == x / 3 && p == (double)x && q == (double)x * 0.5;
}

static void test_traps(struct wasm_instance *in)
{
    static const struct {
        const char *name, *type;
        enum wasm_trap trap;
    } cases[] = {
        {"fault", ":", WASM_TRAP_UNREACHABLE},  {"deep", ":", WASM_TRAP_UNREACHABLE},
        {"refuse", ":", WASM_TRAP_HOST},        {"throw", ":", WASM_TRAP_EXCEPTION},
        {"load", "i:i", WASM_TRAP_MEMORY},      {"recurse", "i:i", WASM_TRAP_STACK},
        {"tail", "I:I", WASM_TRAP_UNREACHABLE}, /* of 1 */
    };
    struct wasm_entry two = prepare(in, "two", "ii:i"), caught = prepare(in, "catch", ":i"),
                      tail = prepare(in, "tail", "I:I");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct wasm_entry entry = prepare(in, cases[i].name, cases[i].type);
        uint64_t r, argument = cases[i].trap == WASM_TRAP_UNREACHABLE ? 1 : 70000;
        bool ok = true;
        for (unsigned k = 0; k < 50; k++) {
            /* From the ready state, and right after a trap. */
            ok &= !wasm_entry_call2(&two, 5, 3, &r) && (uint32_t)r == 2;
            ok &= !wasm_entry_call2(&two, 5, 3, &r) && (uint32_t)r == 2;
            ok &= keeps(&entry, cases[i].trap, argument);
            ok &= keeps(&entry, cases[i].trap, argument);
        }
        check(ok, cases[i].name);
    }
    char text[512];
    uint64_t r;
    struct wasm_entry deep = prepare(in, "deep", ":");
    bool ok = !wasm_entry_call2(&two, 1, 1, &r) && wasm_entry_call0(&deep, &r);
    const char *at = wasm_backtrace(in, text, sizeof(text)) ? strstr(text, "fault") : NULL;
    check(ok && at && strstr(at, "deep2") && strstr(at, "deep+"), "the backtrace has its frames");
    ok = true;
    for (unsigned k = 0; k < 1000; k++)
        ok &= !wasm_entry_call0(&caught, &r) && (uint32_t)r == 7 &&
              !wasm_entry_call1(&tail, 9 + k, &r) && r == 9 + k;
    check(ok, "exceptions that are caught, and tail calls");
}

static void test_nesting(struct wasm_instance *in)
{
    uint64_t r;
    bool ok = true;
    struct wasm_entry two = prepare(in, "two", "ii:i"), imported = prepare(in, "imported", "i:i");
    nest = prepare(in, "nest", "i:i");
    fault = prepare(in, "fault", ":");
    for (unsigned i = 0; i < 20; i++) {
        ok &= !wasm_entry_call1(&nest, i, &r) && (uint32_t)r == 100 + i;
        ok &= !wasm_entry_call2(&two, 9, i, &r) && (uint32_t)r == 9 - i;
    }
    check(ok && nested_well, "calls within calls, to a trap at the bottom");
    ok = !wasm_entry_call1(&imported, 3, &r) && (uint32_t)r == 103;
    check(ok && nested_well, "a host function that the instance exports");
    struct wasm_instance *other = make(0);
    nest = prepare(other, "nest", "i:i");
    fault = prepare(other, "fault", ":");
    struct wasm_entry first = prepare(in, "nest", "i:i");
    ok = true;
    for (unsigned i = 0; i < 20; i++)
        ok &= !wasm_entry_call1(&first, i, &r) && (uint32_t)r == 100 + i;
    check(ok && nested_well, "into another instance");
    wasm_instance_free(other);
}

static void test_budget(void)
{
    struct wasm_instance *in = make(20 * MS);
    struct wasm_entry spin = prepare(in, "spin", ":"), two = prepare(in, "two", "ii:i");
    uint64_t r;
    bool ok = true;
    for (unsigned i = 0; i < 5; i++) {
        ok &= !wasm_entry_call2(&two, 5, 4, &r);
        uint64_t start = wasm_host_now();
        ok &= wasm_entry_call0(&spin, &r) == WASM_TRAP_TIMEOUT;
        ok &= wasm_host_now() - start >= 20 * MS;
    }
    check(ok, "a loop is ended");
    /* For many times the budget. */
    uint64_t end = wasm_host_now() + 200 * MS, calls = 0;
    for (ok = true; wasm_host_now() < end; calls++)
        ok &= !wasm_entry_call2(&two, 8, calls & 3, &r) && (uint32_t)r == 8 - (calls & 3);
    check(ok && calls > 1000, "calls within it, for longer than it, are not");
    wasm_instance_set_budget(in, 2 * MS);
    ok &= !wasm_entry_call2(&two, 5, 4, &r);
    uint64_t start = wasm_host_now();
    ok = wasm_entry_call0(&spin, &r) == WASM_TRAP_TIMEOUT && wasm_host_now() - start >= 2 * MS;
    check(ok, "a smaller one, from then on");
    wasm_instance_free(in);
}

static void test_freeing(void)
{
    bool ok = true;
    uint64_t r;
    for (unsigned i = 0; i < 10; i++) {
        struct wasm_instance *in = to_free = make(i & 1 ? 100 * MS : 0);
        struct wasm_entry empty = prepare(in, "empty", ":"), freeing = prepare(in, "free", ":i");
        if (i & 2)
            ok &= !wasm_entry_call0(&empty, &r);
        ok &= !wasm_entry_call0(&freeing, &r) && (uint32_t)r == 5 && !to_free;
    }
    check(ok, "an instance that is freed within its call");
}

static void test_rounding(struct wasm_instance *in)
{
    struct wasm_entry rounds = prepare(in, "float", "i:I");
    uint64_t r;
    bool ok = !wasm_entry_call1(&rounds, 1, &r);
    fesetround(FE_UPWARD);
    ok &= !wasm_entry_call1(&rounds, 1, &r) && r == 0x3ff0000000000000;
    fesetround(FE_TONEAREST);
    check(ok, "the rounding is the default within");
}

static void *other_thread(void *entry)
{
    uint64_t r;
    bool ok = host_port_thread_init();
    wasm_entry_bind(entry);
    for (unsigned i = 0; ok && i < 3; i++)
        ok &= wasm_entry_call0(entry, &r) == WASM_TRAP_TIMEOUT;
    host_port_thread_exit();
    return ok ? entry : NULL;
}

static void test_threads(void)
{
    struct wasm_instance *in = make(5 * MS);
    struct wasm_entry spin = prepare(in, "spin", ":");
    bool ok = true;
    uint64_t r;
    for (unsigned i = 0; i < 3; i++) {
        pthread_t thread;
        void *answer = NULL;
        ok &= !pthread_create(&thread, NULL, other_thread, &spin) &&
              !pthread_join(thread, &answer) && answer;
        wasm_entry_bind(&spin);
        ok &= wasm_entry_call0(&spin, &r) == WASM_TRAP_TIMEOUT;
    }
    check(ok, "from thread to thread");
    wasm_instance_free(in);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 16];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
    if (!file || !host_port_thread_init()) {
        fprintf(stderr, "usage: entry entry.wasm\n");
        return 2;
    }
    fclose(file);
    for (unsigned i = 0; i < 3; i++)
        funcs[i] = wasm_func_host(host_funcs[i].type, host_funcs[i].fn);
    struct wasm_error err;
    module = wasm_module_load(bytes, size, NULL, &err);
    if (!module) {
        printf("Bail out! %s\n", err.message);
        return 1;
    }
    struct wasm_instance *in = make(0);
    test_types(in);
    test_values(in);
    test_traps(in);
    test_nesting(in);
    test_budget();
    test_freeing();
    test_rounding(in);
    test_threads();
    wasm_instance_free(in);
    wasm_module_release(module);
    for (unsigned i = 0; i < 3; i++)
        wasm_func_release(funcs[i]);
    printf("1..%u\n", number);
    return failed != 0;
}
