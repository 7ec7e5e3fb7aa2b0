/* Exceptions and the host: a host function between the throw and the catch lets one pass, keeps it
 * to itself or calls again; life after one that nobody caught; and the time limit. Runs the module
 * compiled from exceptions.wat. The instructions themselves are the specification's tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "port.h"
#include "wasm.h"

static unsigned number, failed;

static void check(bool ok, const char *name)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    failed += !ok;
}

/* What the host function does with its second argument. */
enum how {
    RETURN,       /* returns it */
    PASS,         /* calls "throw" with it, lets the exception pass */
    KEEP,         /* calls "throw" with it, returns 7 */
    PASS_OTHER,   /* the same with another tag */
    PASS_OF_TRAP, /* calls "trap", lets the trap pass */
    AFTER_CAUGHT, /* calls "caught", which throws and catches within, returns what that did */
    WITHOUT,      /* says that an exception passes when there is none */
    KEEP_THEN_WITHOUT,
    NESTED, /* calls "through" so that this is called again, with PASS */
};
static uint32_t seen; /* the trap that the nested call ended with */

static enum wasm_trap call(struct wasm_instance *in, const char *name, uint32_t a, uint32_t b,
                           uint32_t *result)
{
    union wasm_value args[2] = {{.i32 = a}, {.i32 = b}}, results[1] = {{.i64 = 0}};
    enum wasm_trap trap = wasm_call(wasm_instance_func(in, name), args, results);
    *result = results[0].i32;
    return trap;
}

static uint32_t host_call(struct wasm_instance *caller, uint32_t how, uint32_t x)
{
    uint32_t result = 0;
    enum wasm_trap trap = WASM_TRAP_NONE;
    switch ((enum how)how) {
    case RETURN: return x;
    case PASS:
    case KEEP:
    case KEEP_THEN_WITHOUT: trap = call(caller, "throw", x, 0, &result); break;
    case PASS_OTHER: trap = call(caller, "throw_other", x, 0, &result); break;
    case PASS_OF_TRAP: trap = call(caller, "trap", x, 0, &result); break;
    case AFTER_CAUGHT: trap = call(caller, "caught", x, 0, &result); break;
    case NESTED: trap = call(caller, "through", PASS, x, &result); break;
    case WITHOUT: wasm_trap(caller, WASM_TRAP_EXCEPTION);
    }
    seen = trap;
    if (how == KEEP)
        return 7;
    if (how == KEEP_THEN_WITHOUT) {
        if (call(caller, "value", x, 0, &result) || result != x)
            return 0;
        return call(caller, "through", WITHOUT, 0, &result) ? 8 : 9;
    }
    if (trap)
        wasm_trap(caller, trap);
    return result;
}

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)import;
    out->kind = WASM_FUNC;
    out->func = context;
    return true;
}

static struct wasm_instance *make(const char *path, struct wasm_func *host)
{
    static uint8_t bytes[1 << 16];
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
    if (f)
        fclose(f);
    struct wasm_error err = {0};
    struct wasm_module *module = wasm_module_load(bytes, size, NULL, &err);
    struct wasm_instance_options options = {.resolve = resolve, .context = host};
    struct wasm_instance *instance = module ? wasm_instance_new(module, &options, &err) : NULL;
    if (module)
        wasm_module_release(module);
    if (!instance) {
        printf("Bail out! %s: %s\n", path, err.message);
        exit(1);
    }
    return instance;
}

static const struct {
    const char *export, *name;
    enum how how;
    enum wasm_trap trap;
    uint32_t result;
    enum wasm_trap seen;
} cases[] = {
    {"through", "a host function returns", RETURN, WASM_TRAP_NONE, 1003, WASM_TRAP_NONE},
    {"through", "an exception passes a host function, payload and locals with it", PASS,
     WASM_TRAP_NONE, 101003, WASM_TRAP_EXCEPTION},
    {"outer", "it passes two frames without a try", PASS, WASM_TRAP_NONE, 300003,
     WASM_TRAP_EXCEPTION},
    {"plain", "nobody catches it", PASS, WASM_TRAP_EXCEPTION, 0, WASM_TRAP_EXCEPTION},
    {"through", "the host keeps it: the call has returned", KEEP, WASM_TRAP_NONE, 1007,
     WASM_TRAP_EXCEPTION},
    {"outer", "it is kept from an outer try as well", KEEP, WASM_TRAP_NONE, 8, WASM_TRAP_EXCEPTION},
    {"twice", "the try around goes on after it", KEEP, WASM_TRAP_NONE, 5, WASM_TRAP_EXCEPTION},
    {"through", "another tag arrives at catch_all", PASS_OTHER, WASM_TRAP_NONE, 200000,
     WASM_TRAP_EXCEPTION},
    {"outer", "another tag is not caught", PASS_OTHER, WASM_TRAP_EXCEPTION, 0, WASM_TRAP_EXCEPTION},
    {"through", "catch_all does not catch a trap", PASS_OF_TRAP, WASM_TRAP_UNREACHABLE, 0,
     WASM_TRAP_UNREACHABLE},
    {"through", "what was caught within is over", AFTER_CAUGHT, WASM_TRAP_NONE, 1003,
     WASM_TRAP_NONE},
    {"through", "no exception is on its way: a trap", WITHOUT, WASM_TRAP_EXCEPTION, 0,
     WASM_TRAP_NONE},
    {"through", "one that was kept does not come back", KEEP_THEN_WITHOUT, WASM_TRAP_NONE, 1008,
     WASM_TRAP_EXCEPTION},
    {"through", "a catch between two host functions", NESTED, WASM_TRAP_NONE, 1000 + 101003,
     WASM_TRAP_NONE},
};

int main(int argc, char **argv)
{
    if (argc != 2 || !host_port_thread_init())
        return 2;
    struct wasm_func *host = wasm_func_host("ii:i", (wasm_host_fn)host_call);
    struct wasm_instance *in = make(argv[1], host);
    uint32_t result = 0;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            seen = WASM_TRAP_NONE;
            enum wasm_trap trap = call(in, cases[i].export, cases[i].how, 3, &result);
            bool ok = trap == cases[i].trap && seen == cases[i].seen &&
                      (trap || result == cases[i].result);
            check(ok, cases[i].name);
            if (!ok)
                printf("# ended with \"%s\", %u; the nested call with \"%s\"\n",
                       wasm_trap_name(trap), result, wasm_trap_name(seen));
        }
    }
    char trace[256];
    bool uncaught = call(in, "throw", 3, 0, &result) == WASM_TRAP_EXCEPTION;
    wasm_backtrace(in, trace, sizeof(trace));
    check(uncaught && !strncmp(trace, "  #0 throw+", 11),
          "the backtrace of one that nobody caught begins at the throw");
    wasm_instance_set_budget(in, 20000000);
    check(call(in, "forever", 0, 0, &result) == WASM_TRAP_TIMEOUT,
          "the time limit ends a loop that throws");
    wasm_instance_set_budget(in, 0);
    check(!call(in, "caught", 4, 0, &result) && result == 4, "and what follows runs");
    wasm_instance_free(in);
    wasm_func_release(host);
    printf("1..%u\n", number);
    return failed != 0;
}
