/* The extension system's threads: see worker.h. */
#include "extend/worker.h"

#include <errno.h>
#include <stdbool.h>

#include "extend/extension.h"
#include "init.h"
#include "log.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

enum { LOADER_STACK = 256 * 1024, TIMEKEEPER_STACK = 64 * 1024 };

static WAIT_QUEUE(work_queue);
static struct mutex work_lock;
static LIST_HEAD(work_list);

static bool work_waits(void *context)
{
    (void)context;
    return !list_empty(&work_list);
}

static void loader_main(void *arg)
{
    (void)arg;
    for (;;) {
        wait_until(&work_queue, work_waits, NULL, WAIT_FOREVER);
        mutex_lock(&work_lock);
        struct work *work = list_entry(work_list.next, struct work, node);
        list_remove(&work->node);
        mutex_unlock(&work_lock);
        work->fn(work);
    }
}

void loader_submit(struct work *work)
{
    mutex_lock(&work_lock);
    list_add_tail(&work_list, &work->node);
    mutex_unlock(&work_lock);
    wait_wake(&work_queue, 1);
}

struct errand {
    struct work work;
    void (*fn)(void *context);
    void *context;
    struct semaphore done;
};

static void run_errand(struct work *work)
{
    struct errand *errand = list_entry(work, struct errand, work);
    errand->fn(errand->context);
    semaphore_post(&errand->done);
}

void loader_run(void (*fn)(void *context), void *context)
{
    struct errand errand = {.work.fn = run_errand, .fn = fn, .context = context};
    semaphore_init(&errand.done, 0);
    loader_submit(&errand.work);
    semaphore_wait(&errand.done, WAIT_FOREVER);
}

/* Timers and restarts. */

static WAIT_QUEUE(time_queue);
static uint32_t kicks; /* counts up; the timekeeper sleeps while it is as it saw it */

void timekeeper_kick(void)
{
    __atomic_add_fetch(&kicks, 1, __ATOMIC_RELEASE);
    wait_wake(&time_queue, 1);
}

static bool kicked(void *context)
{
    return __atomic_load_n(&kicks, __ATOMIC_ACQUIRE) != *(uint32_t *)context;
}

static uint64_t next_due(const struct extension *ext)
{
    uint64_t due = __atomic_load_n(&ext->restart_at, __ATOMIC_ACQUIRE);
    due = due ? due : WAIT_FOREVER;
    for (unsigned i = 0; i < EXTENSION_TIMERS; i++) {
        uint64_t at = __atomic_load_n(&ext->timers[i], __ATOMIC_ACQUIRE);
        due = at && at < due ? at : due;
    }
    return due;
}

struct due {
    uint64_t now, next;
    struct extension *ext; /* with a reference; NULL: nothing is due */
};

static bool find_due(struct extension *ext, void *context)
{
    struct due *due = context;
    uint64_t at = next_due(ext);
    if (at <= due->now) {
        __atomic_add_fetch(&ext->references, 1, __ATOMIC_RELAXED);
        due->ext = ext;
        return false;
    }
    due->next = at < due->next ? at : due->next;
    return true;
}

struct timer_call {
    struct extension *ext;
    uint32_t id;
};

static void call_timer(void *context)
{
    struct timer_call *call = context;
    struct running *running = call->ext->running;
    if (running && running->timer) {
        union wasm_value arg = {.i32 = call->id};
        enum wasm_trap trap = running_call(call->ext, running->timer, &arg, NULL);
        if (trap != WASM_TRAP_NONE) {
            extension_fault(call->ext, trap, "quince_timer");
        }
    }
}

static void serve(struct extension *ext, uint64_t now)
{
    mutex_lock(&ext->call_lock);
    if (ext->state != EXTENSION_DETACHED) {
        if (ext->restart_at && ext->restart_at <= now) {
            extension_restart(ext);
        }
        for (uint32_t i = 0; i < EXTENSION_TIMERS; i++) {
            uint64_t at = __atomic_load_n(&ext->timers[i], __ATOMIC_ACQUIRE);
            /* Switched off before the call, which may set it again; one that was set anew since is
             * not due. */
            if (at && at <= now &&
                __atomic_compare_exchange_n(&ext->timers[i], &at, 0, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE)) {
                extension_gate(ext, call_timer, &(struct timer_call){ext, i});
            }
        }
    }
    mutex_unlock(&ext->call_lock);
}

static void timekeeper_main(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t seen = __atomic_load_n(&kicks, __ATOMIC_ACQUIRE);
        struct due due = {clock_now(), WAIT_FOREVER, NULL};
        extension_for_each(find_due, &due);
        if (due.ext) {
            serve(due.ext, due.now);
            extension_put(due.ext);
        } else {
            wait_until(&time_queue, kicked, &seen, due.next);
        }
    }
}

static int start(void)
{
    struct thread *loader =
        thread_create("extend-load", loader_main, NULL, LOADER_STACK, THREAD_PRIORITY_DEFAULT);
    struct thread *timekeeper = thread_create("extend-time", timekeeper_main, NULL,
                                              TIMEKEEPER_STACK, THREAD_PRIORITY_DEFAULT);
    if (!loader || !timekeeper) {
        return -ENOMEM;
    }
    thread_detach(loader);
    thread_detach(timekeeper);
    return 0;
}
INIT(6, start);
