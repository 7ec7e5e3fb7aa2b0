/* Time budgets count the time that a call runs: a loop is ended soon after it is over its budget,
 * one whose process was stopped for longer than that is not. The tests run in a process of their
 * own, whose parent lets it go on STOPPED_MS after it stopped itself. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "port.h"
#include "wasm.h"

enum { MS = 1000000, STOPPED_MS = 400 };

static unsigned number, failed;

static void check(bool ok, const char *name)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !ok;
}

static void sleep_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * MS};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

/* Of this thread alone. */
static uint64_t cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What the module imports. */

static int pipe_ends[2];
static struct wasm_func *inner;

static void host_stop(struct wasm_instance *caller)
{
    (void)caller;
    kill(getpid(), SIGSTOP);
}

static void host_nap(struct wasm_instance *caller)
{
    (void)caller;
    sleep_ms(5);
}

static uint32_t host_read(struct wasm_instance *caller)
{
    (void)caller;
    uint8_t byte;
    ssize_t n = read(pipe_ends[0], &byte, 1);
    return n == 1 ? byte : (uint32_t)-errno;
}

static uint32_t host_inner(struct wasm_instance *caller)
{
    (void)caller;
    return wasm_call(inner, NULL, NULL) == WASM_TRAP_TIMEOUT;
}

static const struct wasm_host_func host_funcs[] = {
    {"stop", ":", (wasm_host_fn)host_stop},
    {"nap", ":", (wasm_host_fn)host_nap},
    {"read", ":i", (wasm_host_fn)host_read},
    {"inner", ":i", (wasm_host_fn)host_inner},
};
static struct wasm_func *funcs[4];

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)context;
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(import->name, host_funcs[i].name))
            continue;
        out->kind = WASM_FUNC;
        out->func = funcs[i];
        return true;
    }
    return false;
}

static union wasm_value result;
static uint64_t wall, ran; /* by the clock, and on the CPU */

static enum wasm_trap call(struct wasm_instance *in, const char *name, uint32_t arg,
                           uint64_t budget_ms)
{
    union wasm_value args[1] = {{.i32 = arg}};
    wasm_instance_set_budget(in, budget_ms * MS);
    uint64_t start = wasm_host_now(), cpu_start = cpu_time();
    enum wasm_trap trap = wasm_call(wasm_instance_func(in, name), args, &result);
    wall = wasm_host_now() - start;
    ran = cpu_time() - cpu_start;
    wasm_instance_set_budget(in, 0);
    return trap;
}

/* Ended for its budget, not before it was spent. A tick may be late while other processes run, so
 * that the end is looked for on the thread's own clock, with room. */
static bool ended(enum wasm_trap trap, uint64_t budget_ms)
{
    bool ok =
        trap == WASM_TRAP_TIMEOUT && wall >= budget_ms * MS && ran < (budget_ms * 2 + 20) * MS;
    if (!ok)
        printf("# trap %d after %.1f ms, %.1f on the CPU\n", trap, (double)wall / MS,
               (double)ran / MS);
    return ok;
}

static void test_loops(struct wasm_instance *in)
{
    static const unsigned budgets[] = {1, 10, 100};
    for (unsigned i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof(name), "a loop with a budget of %u ms", budgets[i]);
        check(ended(call(in, "spin", 0, budgets[i]), budgets[i]), name);
    }
    check(ended(call(in, "naps", 0, 50), 50), "sleeping in host functions counts");
    check(ended(call(in, "waits", 0, 20), 20), "waits that come back at once count");
    check(ended(call(in, "sleeps", 0, 20), 20), "a wait that nobody ends is ended");
    bool ok = true;
    for (unsigned i = 0; i < 20; i++)
        ok &= ended(call(in, "spin", 0, 3), 3) && !call(in, "stops", 1, 0);
    check(ok, "again and again, calls without a budget between them");
}

/* Stops the process while the other thread is in extension code, then ends its loop. */
static void *stop_and_go(void *word)
{
    sleep_ms(10);
    kill(getpid(), SIGSTOP);
    __atomic_store_n((uint32_t *)word, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void test_stopped(struct wasm_instance *in)
{
    enum wasm_trap trap = call(in, "stops", 3, 100);
    check(!trap && wall >= 3ull * STOPPED_MS * MS, "stopped three times for four budgets: goes on");
    pthread_t thread;
    uint32_t *word = wasm_memory_at(in, 0, 4);
    bool started = !pthread_create(&thread, NULL, stop_and_go, word);
    trap = call(in, "look", 0, 200);
    if (started)
        pthread_join(thread, NULL);
    check(started && !trap && wall >= (uint64_t)STOPPED_MS * MS,
          "stopped for two budgets in extension code: goes on");
    check(ended(call(in, "spin", 0, 20), 20), "a loop after that is ended");
}

/* Something to read, after a while. */
static void *write_late(void *unused)
{
    (void)unused;
    sleep_ms(100);
    ssize_t n = write(pipe_ends[1], "x", 1);
    return n == 1 ? &pipe_ends : NULL;
}

static void test_system_calls(struct wasm_instance *in)
{
    pthread_t thread;
    if (pipe(pipe_ends) || pthread_create(&thread, NULL, write_late, NULL)) {
        check(false, "a pipe and a thread");
        return;
    }
    enum wasm_trap trap = call(in, "read", 0, 400); /* a tick every 50 ms */
    void *written;
    pthread_join(thread, &written);
    check(written && !trap && result.i32 == 'x', "a system call goes on when a tick comes");
    check(ended(call(in, "read", 0, 40), 40), "one that blocks is ended with the budget");
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void test_nested(struct wasm_instance *a, struct wasm_instance *b)
{
    inner = wasm_instance_func(b, "spin");
    check(ended(call(a, "outer", 1, 40), 40), "a call within one counts for it");
    wasm_instance_set_budget(b, 10000ull * MS);
    check(ended(call(a, "outer", 1, 40), 40), "also when it has a larger budget itself");
    wasm_instance_set_budget(b, 16 * MS);
    check(!call(a, "outer", 3, 0) && result.i32 == 3, "the inner call's budget ends it alone");
    check(!call(a, "outer", 3, 1000) && result.i32 == 3, "also within another");
    check(ended(call(a, "outer", 1000000, 100), 100), "many of them spend that of the outer one");
    wasm_instance_set_budget(b, 0);
    inner = wasm_instance_func(a, "spin");
    check(ended(call(a, "outer", 1000000, 40), 40), "of the same instance");
}

static void *other_thread(void *instance)
{
    bool ok = host_port_thread_init();
    for (unsigned i = 0; ok && i < 10; i++)
        ok &= call(instance, "spin", 0, 5) == WASM_TRAP_TIMEOUT;
    host_port_thread_exit();
    return ok ? instance : NULL;
}

static void test_threads(struct wasm_instance *in)
{
    bool ok = true;
    for (unsigned i = 0; i < 3; i++) {
        pthread_t thread;
        void *answer = NULL;
        ok &= !pthread_create(&thread, NULL, other_thread, in) && !pthread_join(thread, &answer) &&
              answer;
        ok &= ended(call(in, "spin", 0, 5), 5);
    }
    check(ok, "an instance that goes from thread to thread");
}

static struct wasm_instance *make(struct wasm_module *module, struct wasm_error *err)
{
    struct wasm_instance_options options = {.resolve = resolve};
    return wasm_instance_new(module, &options, err);
}

static int run(const char *path)
{
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
    if (file)
        fclose(file);
    if (!host_port_thread_init()) {
        fprintf(stderr, "no thread\n");
        return 2;
    }
    for (unsigned i = 0; i < 4; i++)
        funcs[i] = wasm_func_host(host_funcs[i].type, host_funcs[i].fn);
    struct wasm_error err;
    struct wasm_module *module = wasm_module_load(bytes, size, NULL, &err);
    struct wasm_instance *a = module ? make(module, &err) : NULL,
                         *b = a ? make(module, &err) : NULL;
    check(b != NULL, "two instances");
    if (!b) {
        printf("# %s\n", err.message);
        return 1;
    }
    test_loops(a);
    test_stopped(a);
    test_system_calls(a);
    test_nested(a, b);
    test_threads(a);
    wasm_instance_free(a);
    wasm_instance_free(b);
    wasm_module_release(module);
    for (unsigned i = 0; i < 4; i++)
        wasm_func_release(funcs[i]);
    printf("1..%u\n", number);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: budget budget.wasm\n");
        return 2;
    }
    pid_t child = fork();
    if (child == 0)
        return run(argv[1]);
    int status;
    while (child > 0 && waitpid(child, &status, WUNTRACED) == child) {
        if (!WIFSTOPPED(status))
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        sleep_ms(STOPPED_MS);
        kill(child, SIGCONT);
    }
    perror("fork or wait");
    return 2;
}
