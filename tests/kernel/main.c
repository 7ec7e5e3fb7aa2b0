/* Runs the registered tests; the option test=PREFIX picks those whose names begin with it. */
#include "test.h"
#include <setjmp.h>
#include <string.h>
#include "arch/cpu.h"
#include "include/boot.h"
#include "include/init.h"
#include "mm/frame.h"
#include "sched/schedule.h"
#include "sched/thread.h"
#include "time/clock.h"

extern const struct kernel_test __start_kernel_tests[], __stop_kernel_tests[];

static bool failed;
static const char *skipped;

static void print(const char *text, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *text, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, text);
    int length = format_text(line, sizeof line, text, arguments);
    va_end(arguments);
    console_write(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

void test_fail(const char *file, int line, const char *text, ...)
{
    char message[200];
    va_list arguments;
    va_start(arguments, text);
    format_text(message, sizeof message, text, arguments);
    va_end(arguments);
    print("# %s:%d: %s\n", file, line, message);
    failed = true;
}

void test_skip(const char *reason)
{
    skipped = reason;
}

/* An expected fault resumes in recover(), on the stack below who expects it. */
static jmp_buf recovery;
static uintptr_t recovery_sp;
static struct {
    bool armed;
    enum fault_kind kind;
    uintptr_t address;
} expected;

static _Noreturn void recover(void)
{
    longjmp(recovery, 1);
}

static bool on_fault(struct trap_frame *frame, enum fault_kind kind, uintptr_t address)
{
    if (!expected.armed)
        return false;
    expected.armed = false;
    expected.kind = kind;
    expected.address = address;
    struct fault_registers registers;
    frame_get(frame, &registers);
    registers.pc = (uintptr_t)recover;
    registers.sp = recovery_sp;
    frame_set(frame, &registers);
    return true;
}

bool test_faults(void (*fn)(void *argument), void *argument, enum fault_kind *kind,
                 uintptr_t *address)
{
    char below;
    recovery_sp = (((uintptr_t)&below - 2048) & ~15ul) - 8; /* as at a function's entry */
    fault_set_handler(on_fault);
    if (setjmp(recovery) == 0) {
        expected.armed = true;
        fn(argument);
        expected.armed = false;
        return false;
    }
    *kind = expected.kind;
    *address = expected.address;
    return true;
}

static struct {
    paddr_t frame;
    unsigned order;
} hogged[256];
static size_t hogged_count;

void test_hog(size_t keep)
{
    for (unsigned order = 21; order-- > 0;) {
        struct frame_stats stats;
        for (;;) {
            frame_stats(&stats);
            if (stats.free < keep + (1ul << order) ||
                hogged_count == sizeof hogged / sizeof hogged[0])
                break;
            paddr_t frame = frame_alloc_order(order);
            if (frame == FRAME_NONE)
                break;
            hogged[hogged_count].frame = frame;
            hogged[hogged_count++].order = order;
        }
    }
}

void test_unhog(void)
{
    while (hogged_count > 0) {
        hogged_count--;
        frame_free_order(hogged[hogged_count].frame, hogged[hogged_count].order);
    }
}

static void run_all(void *unused)
{
    (void)unused;
    char prefix[64] = "";
    (void)boot_option("test", prefix, sizeof prefix);
    size_t prefix_length = strlen(prefix);
    unsigned count = 0, failures = 0;
    /* What booting left is freed first: tests compare free memory. */
    thread_sleep_until(clock_now() + 5 * NS_PER_MS);
    thread_reap();
    for (const struct kernel_test *test = __start_kernel_tests; test < __stop_kernel_tests; test++)
        count += strncmp(test->name, prefix, prefix_length) == 0;
    print("1..%u\n", count);
    count = 0;
    for (const struct kernel_test *test = __start_kernel_tests; test < __stop_kernel_tests;
         test++) {
        if (strncmp(test->name, prefix, prefix_length) != 0)
            continue;
        failed = false;
        skipped = NULL;
        test->fn();
        print("%sok %u - %s%s%s\n", failed ? "not " : "", ++count, test->name,
              skipped ? " # SKIP " : "", skipped ? skipped : "");
        failures += failed;
    }
    cpu_exit(failures ? 1 : 0);
}

void application_start(void)
{
    struct thread *thread =
        thread_create("tests", run_all, NULL, 64 << 10, THREAD_PRIORITY_DEFAULT);
    if (!thread)
        panic("no memory for the tests' thread");
    thread_detach(thread);
}
