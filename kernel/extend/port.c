/* The engine's port to the kernel: its memory from mm/, faults from arch/, ticks from time/ and
 * the hook on the way out of an interrupt. */
#include <errno.h>
#include <string.h>

#include "arch/fault.h"
#include "host.h"
#include "init.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/vm.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"
#include "time/timer.h"
#include "wasm.h"

/* The engine never takes the last of memory: a module that is too large for the machine must fail,
 * not the application beside it. Left over are a sixteenth of memory, at most 4 MiB. */
static bool affordable(size_t size)
{
    if (size < PAGE_SIZE)
        return true;
    struct frame_stats frames;
    frame_stats(&frames);
    uint64_t reserve = frames.total / 16;
    if (reserve > (4ul << 20) / PAGE_SIZE)
        reserve = (4ul << 20) / PAGE_SIZE;
    return size / PAGE_SIZE + 1 + reserve <= frames.free;
}

void *wasm_host_alloc(size_t size)
{
    return affordable(size) ? kmalloc(size) : NULL;
}

void *wasm_host_realloc(void *p, size_t size)
{
    return affordable(size) ? krealloc(p, size) : NULL;
}

void wasm_host_free(void *p)
{
    kfree(p);
}

void *wasm_host_reserve(size_t size, size_t align)
{
    return vm_reserve(size, align);
}

bool wasm_host_commit(void *addr, size_t size)
{
    return affordable(size) && vm_commit(addr, size, MMU_READ | MMU_WRITE) == 0;
}

void wasm_host_decommit(void *addr, size_t size)
{
    vm_decommit(addr, size);
}

void wasm_host_release(void *addr, size_t size)
{
    if (addr)
        vm_release(addr, size);
}

static size_t page_round(size_t size)
{
    return (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

void *wasm_host_publish(const void *code, size_t size,
                        void (*relocate)(void *context, uint8_t *bytes, uintptr_t address),
                        void *context)
{
    size_t whole = page_round(size);
    uint8_t *p = whole >= size ? vm_alloc(whole, MMU_READ | MMU_WRITE) : NULL;
    if (!p)
        return NULL;
    memcpy(p, code, size);
    if (relocate)
        relocate(context, p, (uintptr_t)p);
    if (vm_make_executable(p, whole)) {
        vm_release(p, whole);
        return NULL;
    }
    return p;
}

void wasm_host_unpublish(void *code, size_t size)
{
    vm_release(code, page_round(size));
}

uint64_t wasm_host_now(void)
{
    return clock_now();
}

void wasm_host_wait(uint32_t *word, uint32_t value, uint64_t until)
{
    futex_wait(word, value, until == UINT64_MAX ? WAIT_FOREVER : until);
}

void wasm_host_wake(uint32_t *word)
{
    futex_wake(word, 1);
}

static struct mutex list_lock;

void wasm_host_lock(void)
{
    mutex_lock(&list_lock);
}

void wasm_host_unlock(void)
{
    mutex_unlock(&list_lock);
}

void wasm_host_log(const char *line)
{
    klog(LOG_INFO, "wasm: %s", line);
}

/* Faults */

static void context_get(const struct trap_frame *frame, struct wasm_context *out)
{
    struct fault_registers r;
    frame_get(frame, &r);
    *out = (struct wasm_context){r.pc, r.sp, r.fp, r.instance, r.arg0};
}

static void context_set(struct trap_frame *frame, const struct wasm_context *in)
{
    struct fault_registers r = {in->pc, in->sp, in->fp, in->instance, in->arg0};
    frame_set(frame, &r);
}

static bool on_fault(struct trap_frame *frame, enum fault_kind kind, uintptr_t addr)
{
    struct wasm_context context;
    enum wasm_fault fault;
    switch (kind) {
    case FAULT_ACCESS: fault = WASM_FAULT_ACCESS; break;
    case FAULT_DIVIDE: fault = WASM_FAULT_DIVIDE; break;
    case FAULT_ILLEGAL: fault = WASM_FAULT_ILLEGAL; break;
    default: return false;
    }
    context_get(frame, &context);
    if (!wasm_handle_fault(&context, fault, addr))
        return false;
    context_set(frame, &context);
    return true;
}

/* Ticks. Each thread has a timer for them; when it fires, the thread is asked to call the engine on
 * its way out of the interrupt, where its registers can be changed. */
enum { LOOK_AGAIN_NS = 10 * 1000 * 1000 };
_Static_assert(sizeof(struct wasm_thread) <= sizeof(((struct thread *)0)->calls) &&
                   _Alignof(struct wasm_thread) <= 8,
               "a thread has room for what the engine knows of it");

static struct wasm_thread *calls_of(struct thread *thread)
{
    return (struct wasm_thread *)(void *)thread->calls;
}

/* On the way out of an interrupt into the thread, which stands wherever it was interrupted. */
static void on_resume(struct thread *self, struct trap_frame *frame)
{
    self->resume_hook = NULL;
    struct wasm_context context;
    context_get(frame, &context);
    uint64_t next = wasm_handle_tick(calls_of(self), &context);
    context_set(frame, &context);
    if (next)
        timer_arm(&self->tick, clock_now() + next);
}

static void on_timer(struct timer *timer)
{
    struct thread *thread = timer->context;
    if (thread->state == THREAD_BLOCKED) { /* in a host function: sleeping counts as running */
        uint64_t next = wasm_handle_tick(calls_of(thread), NULL);
        if (next)
            timer_arm(timer, clock_now() + next);
        return;
    }
    thread->resume_hook = on_resume;
    /* If another thread was interrupted, there has to be an interrupt once this one runs again:
     * threads that gave up the CPU by themselves do not come back by way of one. */
    if (thread != thread_current())
        timer_arm(timer, clock_now() + LOOK_AGAIN_NS);
}

struct wasm_thread *wasm_host_thread(void)
{
    return calls_of(thread_current());
}

void wasm_host_tick(uint64_t ns)
{
    struct thread *self = thread_current();
    self->tick.fn = on_timer;
    self->tick.context = self;
    timer_arm(&self->tick, clock_now() + ns);
}

static int port_init(void)
{
    fault_set_handler(on_fault);
    return 0;
}
INIT(1, port_init);
