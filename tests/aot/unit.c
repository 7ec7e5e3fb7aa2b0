/* Compiling ahead of time, on this machine and under sanitizers: what is saved runs as what was
 * compiled; every flipped bit and every cut is refused by name; what does not fit is refused by
 * name; the reader holds against files that lie.
 *
 *     aot-unit SAMPLE.wasm                 the tests
 *     aot-unit --make MODULE.wasm FOLDER   files for run.py: good, spoiled, and the keys */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "aot.h"
#include "host.h"
#include "port.h"

static unsigned number, failed;

static void check(bool ok, const char *name)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !ok;
}

/* Allocations that fail, through the linker's --wrap. */
static long fail_after = -1;
void *__real_wasm_host_alloc(size_t size);
void *__wrap_wasm_host_alloc(size_t size);
void *__wrap_wasm_host_alloc(size_t size)
{
    if (fail_after == 0)
        return NULL;
    fail_after -= fail_after > 0;
    return __real_wasm_host_alloc(size);
}

static struct test_key ours, theirs;
static uint8_t keys[2][SIGNATURE_KEY];

static enum signature_state state_of(const uint8_t *file, size_t size, char *reason)
{
    /* A copy of exactly this size, so that the sanitizer sees a step too far. */
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, file, size);
    enum signature_state state =
        signature_check(copy, size, (const uint8_t(*)[SIGNATURE_KEY])keys, 1, NULL, reason, 256);
    free(copy);
    return state;
}

/* Running it. */

static uint32_t host(struct wasm_instance *caller, uint32_t value)
{
    (void)caller;
    return value + 1000;
}

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    *out = (struct wasm_extern){.kind = WASM_FUNC, .func = context};
    return strcmp(import->name, "host") == 0;
}

static uint64_t call(struct wasm_instance *instance, const char *name, uint64_t a, uint64_t b,
                     enum wasm_trap *trap)
{
    union wasm_value args[2] = {{.i64 = a}, {.i64 = b}}, result = {.i64 = 0};
    *trap = wasm_call(wasm_instance_func(instance, name), args, &result);
    return result.i64;
}

static void runs(const uint8_t *file, size_t size)
{
    struct wasm_error err;
    enum wasm_trap trap;
    char trace[512];
    struct wasm_module *module = wasm_module_load_compiled(file, size, NULL, &err);
    struct wasm_func *func = wasm_func_host("i:i", (wasm_host_fn)host);
    struct wasm_instance_options options = {.resolve = resolve, .context = func};
    struct wasm_instance *in = module ? wasm_instance_new(module, &options, &err) : NULL;
    check(in, "a saved module loads and links");
    if (!in)
        return;
    check(call(in, "apply", 0, 21, &trap) == 42 && !trap, "an indirect call");
    check(call(in, "apply", 1, 5, &trap) == 1005 && !trap, "an indirect call of a host function");
    call(in, "apply", 2, 5, &trap);
    check(trap == WASM_TRAP_SIGNATURE, "an indirect call of another type traps");
    call(in, "apply", 3, 5, &trap);
    check(trap == WASM_TRAP_NULL, "an indirect call of nothing traps");
    check(call(in, "add", 3, 1ull << 40, &trap) == (1ull << 40) + 3 && !trap, "another type");
    check(call(in, "load", 8, 0, &trap) == 42 && !trap, "its data");
    call(in, "load", 70000, 0, &trap);
    check(trap == WASM_TRAP_MEMORY, "a fault in memory is found in the trap table");
    call(in, "divide", 1, 0, &trap);
    check(trap == WASM_TRAP_DIV_ZERO, "a division by zero too");
    check(wasm_backtrace(in, trace, sizeof trace) && strstr(trace, "divide"),
          "the backtrace has its names");
    size_t len;
    check(wasm_module_custom(module, "name", 0, &len) && len > 10, "its custom sections");
    size_t again_size;
    uint8_t *again = wasm_module_save(module, file + 56, &again_size);
    check(again_size == size && !memcmp(again, file, size - 72), "saved again it is the same");
    wasm_host_free(again);
    wasm_instance_free(in);
    wasm_func_release(func);
    wasm_module_release(module);
}

/* Signatures. */

static void good(const uint8_t *file, size_t size)
{
    char reason[256];
    memcpy(keys[0], ours.public, sizeof keys[0]);
    check(state_of(file, size, reason) == SIGNATURE_GOOD, "signed by a known key");
    memcpy(keys[0], theirs.public, sizeof keys[0]);
    check(state_of(file, size, reason) == SIGNATURE_UNKNOWN_KEY && strstr(reason, "unknown key: "),
          "signed by an unknown key");
    check(signature_check(file, size, NULL, 0, NULL, reason, sizeof reason) ==
              SIGNATURE_UNKNOWN_KEY,
          "no keys are known");
    memcpy(keys[1], ours.public, sizeof keys[1]);
    check(signature_check(file, size, (const uint8_t(*)[SIGNATURE_KEY])keys, 2, NULL, reason,
                          sizeof reason) == SIGNATURE_GOOD,
          "signed by the second of two keys");
    memcpy(keys[0], ours.public, sizeof keys[0]);
    uint8_t *copy = malloc(size);
    memcpy(copy, file, size);
    memset(copy + size - 72, 0, 72);
    check(state_of(copy, size, reason) == SIGNATURE_NONE && strstr(reason, "not signed: "),
          "not signed");
    test_key_sign(&theirs, copy, size);
    signature_key_id(ours.public, copy + size - 72);
    check(state_of(copy, size, reason) == SIGNATURE_BAD && strstr(reason, "bad signature: "),
          "signed by one key in another's name");
    free(copy);
}

/* Every bit: what it is called depends on where it stands. */
static void flips(const uint8_t *file, size_t size)
{
    uint8_t *copy = malloc(size);
    char reason[256];
    unsigned long wrong = 0;
    memcpy(copy, file, size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum signature_state expected = bit / 8 < QWO_MAGIC_SIZE ? SIGNATURE_NOT_COMPILED
                                        : bit / 8 < size - 72 || bit / 8 >= size - 64
                                            ? SIGNATURE_BAD
                                            : SIGNATURE_UNKNOWN_KEY;
        enum signature_state state = signature_check(
            copy, size, (const uint8_t(*)[SIGNATURE_KEY])keys, 1, NULL, reason, sizeof reason);
        const char *name = signature_state_name(expected);
        wrong += state != expected || strncmp(reason, name, strlen(name)) != 0;
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    printf("# %zu bits\n", size * 8);
    check(wrong == 0, "every flipped bit is refused by name");
    free(copy);
}

static void cuts(const uint8_t *file, size_t size)
{
    char reason[256];
    unsigned long taken = 0, opened = 0;
    for (size_t len = 0; len < size; len++) {
        taken += state_of(file, len, reason) == SIGNATURE_GOOD;
        struct wasm_compiled out;
        struct wasm_error err;
        uint8_t *copy = malloc(len ? len : 1);
        memcpy(copy, file, len);
        opened += wasm_compiled_open(copy, len, &out, &err);
        free(copy);
    }
    check(taken == 0, "a file cut anywhere is refused by its signature");
    check(opened == 0, "a file cut anywhere is refused by the reader");
    uint8_t *longer = calloc(1, size + 8);
    struct wasm_compiled out;
    struct wasm_error err;
    memcpy(longer, file, size);
    check(!wasm_compiled_open(longer, size + 8, &out, &err), "a file with more behind it too");
    free(longer);
}

static void unfit(const uint8_t *file, size_t size)
{
    uint8_t *copy = malloc(size);
    for (unsigned i = 0; i < misfit_count; i++) {
        const struct misfit *m = &misfits[i];
        char reason[256];
        struct wasm_error err = {.kind = WASM_OK};
        memcpy(copy, file, size);
        misfit_make(m, &ours, copy, size);
        enum signature_state state = state_of(copy, size, reason);
        struct wasm_module *module =
            state == SIGNATURE_GOOD ? wasm_module_load_compiled(copy, size, NULL, &err) : NULL;
        const char *said = state == SIGNATURE_GOOD ? err.message : reason;
        bool ok = state == m->state && !module && strstr(said, m->message) &&
                  (state != SIGNATURE_GOOD || err.kind == m->kind);
        if (!ok)
            printf("# %s\n", said);
        check(ok, m->name);
    }
    free(copy);
}

static void no_memory(const uint8_t *file, size_t size)
{
    struct wasm_error err;
    long n = 0;
    bool named = true;
    for (struct wasm_module *module = NULL; !module && n < 1000; n++) {
        fail_after = n;
        module = wasm_module_load_compiled(file, size, NULL, &err);
        fail_after = -1;
        named = named && (module || err.kind == WASM_ERR_NOMEM);
        wasm_module_release(module);
        if (module)
            break;
    }
    check(named && n > 5 && n < 1000, "every allocation may fail");
}

static void other_cpu(const uint8_t *wasm, size_t wasm_size)
{
    struct wasm_error err;
    struct wasm_load_options options = {.cpu = "avx,nonsense,bmi1"};
    check(!wasm_module_load(wasm, wasm_size, &options, &err) && err.kind == WASM_ERR_FEATURE &&
              strstr(err.message, "'nonsense'"),
          "an unknown CPU feature is named");
    options.cpu = "avx2,popcnt";
    struct wasm_module *module = wasm_module_load(wasm, wasm_size, &options, &err);
    size_t size;
    uint8_t hash[32] = {0}, *file = module ? wasm_module_save(module, hash, &size) : NULL;
    struct wasm_compiled out;
    check(file && wasm_compiled_open(file, size, &out, &err) && out.features == 0x63,
          "features are recorded, with those they stand on");
    wasm_host_free(file);
    wasm_module_release(module);
}

/* For run.py. */

static void write_file(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
        exit(2);
    }
}

static void make_files(const char *folder, uint8_t *file, size_t size)
{
    char line[SIGNATURE_KEY_TEXT + 8], name[64], digits[65];
    sodium_bin2hex(digits, sizeof digits, ours.public, SIGNATURE_KEY);
    snprintf(line, sizeof line, SIGNATURE_KEY_PREFIX "%s\n", digits);
    write_file(folder, "test.pub", line, strlen(line));
    write_file(folder, "good.qwo", file, size);
    for (unsigned i = 0; i < misfit_count; i++) {
        uint8_t *copy = malloc(size);
        memcpy(copy, file, size);
        misfit_make(&misfits[i], &ours, copy, size);
        snprintf(name, sizeof name, "%s.qwo", misfits[i].name);
        write_file(folder, name, copy, size);
        free(copy);
    }
    test_key_sign(&theirs, file, size);
    write_file(folder, "unknown-key.qwo", file, size);
    memset(file + size - 72, 0, 72);
    write_file(folder, "unsigned.qwo", file, size);
}

int main(int argc, char **argv)
{
    bool make = argc == 4 && strcmp(argv[1], "--make") == 0;
    if ((!make && argc != 2) || sodium_init() < 0 || !host_port_thread_init())
        return 2;
    size_t wasm_size, size;
    uint8_t *wasm = read_test_file(argv[make ? 2 : 1], &wasm_size);
    test_key_make(&ours, 1);
    test_key_make(&theirs, 2);
    uint8_t *file = compile_signed(&ours, wasm, wasm_size, &size);
    if (make) {
        make_files(argv[3], file, size);
    } else {
        runs(file, size);
        good(file, size);
        flips(file, size);
        cuts(file, size);
        unfit(file, size);
        no_memory(file, size);
        other_cpu(wasm, wasm_size);
        unsigned rounds = 30000, taken = fuzz_parser(file, size, rounds);
        printf("# %u of %u mutated files loaded\n", taken, rounds);
        check(taken > rounds / 100 && taken < rounds / 2,
              "the reader holds against mutated files, some of which it has to take");
        printf("1..%u\n", number);
    }
    free(file);
    free(wasm);
    host_port_thread_exit();
    return failed != 0;
}
