/* An image that must die well: the option how= says of what. run.py looks for the lines. */
#include <string.h>
#include "arch/cpu.h"
#include "arch/fault.h"
#include "include/boot.h"
#include "include/init.h"
#include "include/log.h"
#include "sched/thread.h"

static __attribute__((noinline)) void crash_by_write(void)
{
    char *volatile nowhere = (char *)16;
    *nowhere = 1;
}

static volatile unsigned depth_limit = ~0u;

static __attribute__((noinline)) int crash_by_overflow(volatile char *up, unsigned depth)
{
    volatile char here[256];
    here[0] = up[0];
    return depth == depth_limit ? 0 : crash_by_overflow(here, depth + 1) + here[1];
}

static __attribute__((noinline)) void crash_by_panic(void)
{
    panic("the answer is %d", 42);
}

static __attribute__((noinline)) void crash(void)
{
    char how[16] = "";
    volatile char start = 0;
    (void)boot_option("how", how, sizeof how);
    if (strcmp(how, "write") == 0)
        crash_by_write();
    else if (strcmp(how, "overflow") == 0)
        (void)crash_by_overflow(&start, 0);
    else if (strcmp(how, "panic") == 0)
        crash_by_panic();
    cpu_exit(3);
}

static void victim(void *unused)
{
    (void)unused;
    thread_current()->extension = (void *)"flows";
    crash();
}

void application_start(void)
{
    struct thread *thread = thread_create("victim", victim, NULL, 16384, THREAD_PRIORITY_DEFAULT);
    if (thread)
        thread_detach(thread);
}
