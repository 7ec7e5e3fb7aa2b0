/* What runs between the architecture's start and the application: the levels of initialisation, on
 * a thread that ends with them, and the idle loop. */
#include "include/init.h"
#include "arch/cpu.h"
#include "arch/fault.h"
#include "include/boot.h"
#include "include/log.h"
#include "mm/frame.h"
#include "sched/schedule.h"
#include "sched/thread.h"

/* Sorted by level; the early ones need no threads and run before there are any. */
extern const struct init_entry __start_init[], __stop_init_early[], __stop_init[];

enum { INIT_STACK = 32 << 10 };

static void run_levels(const struct init_entry *from, const struct init_entry *to)
{
    for (; from < to; from++) {
        int error = from->fn();
        if (error)
            klog(LOG_WARN, "%s failed: error %d", from->name, -error);
    }
}

static void init_thread(void *unused)
{
    (void)unused;
    run_levels(__stop_init_early, __stop_init);
    application_start();
    thread_detach(thread_current());
}

void kernel_start(void)
{
    run_levels(__start_init, __stop_init_early);
    thread_init_idle();
    struct frame_stats stats;
    frame_stats(&stats);
    klog(LOG_INFO, "%llu of %llu KiB free", (unsigned long long)(stats.free * PAGE_SIZE / 1024),
         (unsigned long long)(stats.total * PAGE_SIZE / 1024));
    if (!thread_create("init", init_thread, NULL, INIT_STACK, THREAD_PRIORITY_DEFAULT))
        panic("not enough memory for the first thread");
    for (;;) {
        thread_reap();
        cpu_irq_disable();
        if (cpu_percpu()->need_resched) {
            cpu_irq_enable();
            thread_yield();
        } else {
            cpu_idle();
        }
    }
}
