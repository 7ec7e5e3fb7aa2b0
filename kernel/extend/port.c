/* The engine's port to the kernel: its memory from mm/, faults from arch/, deadlines from time/ and
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

/* Deadlines. A slot belongs to the thread that used it last; its timer is left to run when the
 * deadline is taken back or moved later and looks at what is armed when it fires, so that a call
 * with a budget costs a few stores. Threads are not told when they end: a slot whose thread is gone
 * has nothing armed and is taken by whoever needs one. */
enum { SLOTS = 32, RETRY_NS = 50000 };

static struct slot {
    struct thread *thread;
    struct wasm_deadline armed;
    uint64_t fires; /* when the timer does; 0: it is not armed */
    struct timer timer;
} slots[SLOTS];
static struct spinlock slots_lock;

static void slot_timer(struct slot *slot, uint64_t at)
{
    slot->fires = at;
    timer_arm(&slot->timer, at);
}

/* On the way out of an interrupt into the thread, which stands wherever it was interrupted. */
static void on_resume(struct thread *self, struct trap_frame *frame)
{
    struct slot *slot = self->resume_data;
    struct wasm_deadline armed = slot->armed;
    self->resume_hook = NULL;
    if (!armed.at)
        return;
    uint64_t now = clock_now();
    if (now < armed.at) {
        slot_timer(slot, armed.at);
        return;
    }
    struct wasm_context context;
    context_get(frame, &context);
    if (wasm_handle_deadline(armed.instance, &context)) {
        context_set(frame, &context);
        slot->armed.at = 0;
    } else {
        slot_timer(slot, now + RETRY_NS);
    }
}

static void on_timer(struct timer *timer)
{
    struct slot *slot = timer->context;
    slot->fires = 0;
    if (!slot->armed.at)
        return;
    if (clock_now() < slot->armed.at) {
        slot_timer(slot, slot->armed.at);
        return;
    }
    /* The thread is in a call, so it lives; if it is not the one interrupted, it finds the hook
     * when an interrupt next resumes it. */
    slot->thread->resume_data = slot;
    slot->thread->resume_hook = on_resume;
}

/* Under the lock. */
static struct slot *slot_of(struct thread *thread)
{
    struct slot *found = NULL;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].thread == thread)
            return &slots[i];
        if (!found && (!slots[i].thread || !slots[i].armed.at))
            found = &slots[i];
    }
    if (found) {
        timer_cancel(&found->timer);
        found->fires = 0;
        found->timer.fn = on_timer;
        found->timer.context = found;
        found->thread = thread;
    }
    return found;
}

struct wasm_deadline wasm_host_deadline(struct wasm_deadline next)
{
    struct wasm_deadline old = {0, NULL};
    cpu_irq_state state = spin_lock(&slots_lock);
    struct slot *slot = slot_of(thread_current());
    if (slot) {
        old = slot->armed;
        slot->armed = next;
        if (next.at && (!slot->fires || slot->fires > next.at))
            slot_timer(slot, next.at);
    }
    spin_unlock(&slots_lock, state);
    if (!slot && next.at)
        klog(LOG_ERROR, "wasm: more than %d threads in calls with a time budget", SLOTS);
    return old;
}

static int port_init(void)
{
    fault_set_handler(on_fault);
    return 0;
}
INIT(1, port_init);
