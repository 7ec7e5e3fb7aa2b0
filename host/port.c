/* The engine's port to POSIX: mmap for address space and code, signals for faults, timers per
 * thread for time budgets. */
#define _GNU_SOURCE
#include "port.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "host.h"
#include "wasm.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { SIGNAL_STACK = 128 * 1024 };

void *wasm_host_alloc(size_t size)
{
    return malloc(size);
}

void *wasm_host_realloc(void *p, size_t size)
{
    return realloc(p, size);
}

void wasm_host_free(void *p)
{
    free(p);
}

/* Address space */

void *wasm_host_reserve(size_t size, size_t align)
{
    size_t extra = align > 4096 ? align : 0;
    if (size + extra < size)
        return NULL;
    uint8_t *p =
        mmap(NULL, size + extra, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (extra) {
        uint8_t *start = (uint8_t *)(((uintptr_t)p + align - 1) & ~(uintptr_t)(align - 1));
        if (start > p)
            munmap(p, (size_t)(start - p));
        if (start + size < p + size + extra)
            munmap(start + size, (size_t)(p + extra - start));
        p = start;
    }
    return p;
}

bool wasm_host_commit(void *addr, size_t size)
{
    return !mprotect(addr, size, PROT_READ | PROT_WRITE);
}

void wasm_host_decommit(void *addr, size_t size)
{
    mmap(addr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void wasm_host_release(void *addr, size_t size)
{
    if (addr)
        munmap(addr, size);
}

static size_t page_round(size_t size)
{
    return (size + 4095) & ~(size_t)4095;
}

void *wasm_host_publish(const void *code, size_t size,
                        void (*relocate)(void *context, uint8_t *bytes, uintptr_t address),
                        void *context)
{
    /* All of it will be written at once. */
    uint8_t *p = mmap(NULL, page_round(size), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    memcpy(p, code, size);
    if (relocate)
        relocate(context, p, (uintptr_t)p);
    if (mprotect(p, page_round(size), PROT_READ | PROT_EXEC)) {
        munmap(p, page_round(size));
        return NULL;
    }
    return p;
}

void wasm_host_unpublish(void *code, size_t size)
{
    munmap(code, page_round(size));
}

void wasm_host_wait(uint32_t *word, uint32_t value, uint64_t until)
{
    struct timespec when = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
    /* With a bitset the time is absolute, on the clock of wasm_host_now(). */
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
            until == UINT64_MAX ? NULL : &when, NULL, FUTEX_BITSET_MATCH_ANY);
}

void wasm_host_wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void wasm_host_lock(void)
{
    pthread_mutex_lock(&lock);
}

void wasm_host_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void wasm_host_log(const char *line)
{
    fprintf(stderr, "quince: %s\n", line);
}

uint64_t wasm_host_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Signals */

static void context_get(const ucontext_t *from, struct wasm_context *to)
{
#if defined(__x86_64__)
    const greg_t *r = from->uc_mcontext.gregs;
    *to = (struct wasm_context){(uintptr_t)r[REG_RIP], (uintptr_t)r[REG_RSP], (uintptr_t)r[REG_RBP],
                                (uintptr_t)r[REG_R15], (uintptr_t)r[REG_RDI]};
#else
#error "the port knows no registers of this architecture"
#endif
}

static void context_set(ucontext_t *to, const struct wasm_context *from)
{
#if defined(__x86_64__)
    greg_t *r = to->uc_mcontext.gregs;
    r[REG_RIP] = (greg_t)from->pc;
    r[REG_RSP] = (greg_t)from->sp;
    r[REG_RBP] = (greg_t)from->fp;
    r[REG_R15] = (greg_t)from->instance;
    r[REG_RDI] = (greg_t)from->arg0;
#endif
}

static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction previous[sizeof(fault_signals) / sizeof(*fault_signals)];

/* Not ours: what would have happened without us. */
static void chain(int number, siginfo_t *info, void *context)
{
    size_t i = 0;
    while (fault_signals[i] != number)
        i++;
    const struct sigaction *old = &previous[i];
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(number, info, context);
    } else if (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN) {
        /* Ends the process when the faulting instruction runs again (or the raised signal is
         * unblocked). */
        signal(number, SIG_DFL);
        if (info->si_code <= 0)
            raise(number);
    } else {
        old->sa_handler(number);
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    struct wasm_context registers;
    context_get(context, &registers);
    enum wasm_fault fault = number == SIGFPE   ? WASM_FAULT_DIVIDE
                            : number == SIGILL ? WASM_FAULT_ILLEGAL
                                               : WASM_FAULT_ACCESS;
    /* A signal that a process sent says nothing about the instruction it came upon. */
    if (info->si_code > 0 && wasm_handle_fault(&registers, fault, (uintptr_t)info->si_addr))
        context_set(context, &registers);
    else
        chain(number, info, context);
    errno = saved;
}

/* Ticks: a timer per thread. A system call that one comes upon is started anew where that can be;
 * another timer, whose signal does not start them anew, ends those that a call which is over its
 * budget is blocked in. */
enum { TICK, SPENT, TIMERS };

static __thread struct {
    bool ready;
    void *signal_stack;
    timer_t timers[TIMERS];
    struct wasm_thread calls;
} self;

static int timer_signal(unsigned timer)
{
    return SIGRTMIN + 1 + (int)timer;
}

static void timer_set(unsigned timer, uint64_t ns)
{
    struct itimerspec when = {.it_value = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)}};
    timer_settime(self.timers[timer], 0, &when, NULL);
}

static void on_timer(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    if (!self.ready)
        return;
    int saved = errno;
    struct wasm_context registers;
    context_get(context, &registers);
    uint64_t next = wasm_handle_tick(&self.calls, &registers);
    context_set(context, &registers);
    if (next)
        timer_set(self.calls.spent ? SPENT : TICK, next);
    errno = saved;
}

struct wasm_thread *wasm_host_thread(void)
{
    return &self.calls;
}

void wasm_host_tick(uint64_t ns)
{
    if (self.ready)
        timer_set(TICK, ns);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool handlers_set;

static void set_handlers(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    /* A tick does not interrupt the handling of a fault, which moves the same registers. */
    for (unsigned i = 0; i < TIMERS; i++)
        sigaddset(&action.sa_mask, timer_signal(i));
    action.sa_sigaction = on_fault;
    handlers_set = true;
    for (size_t i = 0; i < sizeof(fault_signals) / sizeof(*fault_signals); i++)
        handlers_set &= !sigaction(fault_signals[i], &action, &previous[i]);
    action.sa_sigaction = on_timer;
    for (unsigned i = 0; i < TIMERS; i++) {
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | (i == SPENT ? 0 : SA_RESTART);
        handlers_set &= !sigaction(timer_signal(i), &action, NULL);
    }
}

static void signal_stack_free(void)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    munmap(self.signal_stack, SIGNAL_STACK);
}

bool host_port_thread_init(void)
{
    if (self.ready)
        return true;
    pthread_once(&once, set_handlers);
    if (!handlers_set)
        return false;
    self.signal_stack =
        mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (self.signal_stack == MAP_FAILED)
        return false;
    stack_t stack = {.ss_sp = self.signal_stack, .ss_size = SIGNAL_STACK};
    if (sigaltstack(&stack, NULL)) {
        munmap(self.signal_stack, SIGNAL_STACK);
        return false;
    }
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID};
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    for (unsigned i = 0; i < TIMERS; i++) {
        event.sigev_signo = timer_signal(i);
        if (timer_create(CLOCK_MONOTONIC, &event, &self.timers[i])) {
            while (i--)
                timer_delete(self.timers[i]);
            signal_stack_free();
            return false;
        }
    }
    self.calls.frequency = 0; /* asked for while there was no timer */
    self.ready = true;
    return true;
}

void host_port_thread_exit(void)
{
    if (!self.ready)
        return;
    self.ready = false;
    for (unsigned i = 0; i < TIMERS; i++)
        timer_delete(self.timers[i]);
    signal_stack_free();
}
