/* The kernel that the extension system sees, over POSIX threads: locks, threads, clocks, heap, log.
 */
#include "sim.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "arch/cpu.h"
#include "boot.h"
#include "drivers/random.h"
#include "host/port.h"
#include "init.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/vm.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

/* Initialisation. */

static struct {
    int (*fn)(void);
    const char *name;
} entries[16];
static int entry_count;

void init_register(int level, int (*fn)(void), const char *name)
{
    (void)level;
    entries[entry_count].fn = fn;
    entries[entry_count++].name = name;
}

void sim_start(void)
{
    for (int i = 0; i < entry_count; i++) {
        if (entries[i].fn() != 0) {
            fprintf(stderr, "%s failed\n", entries[i].name);
            exit(1);
        }
    }
}

/* No command line. */
int boot_option(const char *name, char *value, size_t size)
{
    (void)name, (void)value, (void)size;
    return -1;
}

/* Threads. */

static _Thread_local struct percpu percpu;
static _Thread_local struct thread main_thread;

struct percpu *host_percpu(void)
{
    if (!percpu.current) {
        percpu.current = &main_thread;
    }
    return &percpu;
}

struct start {
    struct thread *thread;
    void (*fn)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    percpu.current = start.thread;
    if (!host_port_thread_init()) {
        perror("host_port_thread_init");
        exit(1);
    }
    start.fn(start.arg);
    return NULL;
}

static struct thread *threads[16];
static int thread_count;

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg, size_t stack_size,
                             unsigned priority)
{
    (void)stack_size;
    (void)priority;
    struct thread *thread = calloc(1, sizeof *thread);
    struct start *start = malloc(sizeof *start);
    snprintf(thread->name, sizeof thread->name, "%s", name);
    *start = (struct start){thread, fn, arg};
    pthread_t handle;
    if (pthread_create(&handle, NULL, thread_main, start) != 0) {
        return NULL;
    }
    pthread_detach(handle);
    thread->id = (uint32_t)thread_count + 1;
    threads[thread_count++] = thread; /* they live as long as the program */
    return thread;
}
void thread_detach(struct thread *thread)
{
    (void)thread;
}
void thread_for_each(bool (*fn)(struct thread *thread, void *context), void *context)
{
    for (int i = 0; i < thread_count && fn(threads[i], context); i++) {
    }
}
uint64_t thread_cpu_ns(const struct thread *thread)
{
    return thread->cpu_ns;
}
void thread_sleep_until(uint64_t deadline)
{
    uint64_t now = clock_now();
    if (deadline > now) {
        struct timespec ts = {(time_t)((deadline - now) / NS_PER_S),
                              (long)((deadline - now) % NS_PER_S)};
        nanosleep(&ts, NULL);
    }
}

/* Locks. */

cpu_irq_state spin_lock(struct spinlock *lock)
{
    while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
    return 0;
}
void spin_unlock(struct spinlock *lock, cpu_irq_state state)
{
    (void)state;
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

/* One lock and one condition for all queues: every wake-up makes everyone look. */
static pthread_mutex_t wait_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wait_changed;

__attribute__((constructor)) static void make_condition(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wait_changed, &attributes);
}

int wait_until(struct wait_queue *queue, bool (*condition)(void *context), void *context,
               uint64_t deadline)
{
    (void)queue;
    int error = 0;
    pthread_mutex_lock(&wait_lock);
    while (!condition(context) && error == 0) {
        if (deadline == WAIT_FOREVER) {
            pthread_cond_wait(&wait_changed, &wait_lock);
        } else {
            struct timespec ts = {(time_t)(deadline / NS_PER_S), (long)(deadline % NS_PER_S)};
            error = -pthread_cond_timedwait(&wait_changed, &wait_lock, &ts);
        }
    }
    pthread_mutex_unlock(&wait_lock);
    return error;
}
unsigned wait_wake(struct wait_queue *queue, unsigned max)
{
    (void)queue;
    (void)max;
    pthread_mutex_lock(&wait_lock);
    pthread_cond_broadcast(&wait_changed);
    pthread_mutex_unlock(&wait_lock);
    return 0;
}

bool mutex_trylock(struct mutex *mutex)
{
    struct thread *nobody = NULL;
    return __atomic_compare_exchange_n(&mutex->owner, &nobody, thread_current(), false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
void mutex_lock(struct mutex *mutex)
{
    if (mutex->owner == thread_current()) {
        fprintf(stderr, "mutex taken twice\n");
        abort();
    }
    while (!mutex_trylock(mutex)) {
        sched_yield();
    }
}
void mutex_unlock(struct mutex *mutex)
{
    if (mutex->owner != thread_current()) {
        fprintf(stderr, "mutex unlocked by another thread\n");
        abort();
    }
    __atomic_store_n(&mutex->owner, NULL, __ATOMIC_RELEASE);
}

static bool counted(void *context)
{
    struct semaphore *s = context;
    if (s->count == 0) {
        return false;
    }
    s->count--;
    return true;
}
void semaphore_init(struct semaphore *s, uint32_t count)
{
    s->count = count;
}
int semaphore_wait(struct semaphore *s, uint64_t deadline)
{
    return wait_until(&s->queue, counted, s, deadline);
}
void semaphore_post(struct semaphore *s)
{
    pthread_mutex_lock(&wait_lock);
    s->count++;
    pthread_cond_broadcast(&wait_changed);
    pthread_mutex_unlock(&wait_lock);
}

/* Time, memory, randomness. */

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}
uint64_t clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}
uint64_t clock_realtime(void)
{
    return read_clock(CLOCK_REALTIME);
}

enum { MACHINE_FRAMES = (128 << 20) / 4096 };
static uint64_t heap_bytes, heap_blocks;

/* Blocks know their size, so that what is handed out can be counted. */
static void *counted_alloc(void *p, size_t size)
{
    if (p) {
        *(size_t *)p = size;
        __atomic_add_fetch(&heap_bytes, size, __ATOMIC_RELAXED);
        __atomic_add_fetch(&heap_blocks, 1, __ATOMIC_RELAXED);
        p = (char *)p + 16;
    }
    return p;
}
static bool fits(size_t size)
{
    return size < ((size_t)128 << 20) - __atomic_load_n(&heap_bytes, __ATOMIC_RELAXED);
}
void *kmalloc(size_t size)
{
    return counted_alloc(fits(size) ? malloc(size + 16) : NULL, size);
}
void *kcalloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || !fits(bytes)) {
        return NULL;
    }
    return counted_alloc(calloc(1, bytes + 16), bytes);
}
void kfree(void *p)
{
    if (p) {
        void *block = (char *)p - 16;
        __atomic_sub_fetch(&heap_bytes, *(size_t *)block, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&heap_blocks, 1, __ATOMIC_RELAXED);
        free(block);
    }
}
void heap_stats(struct heap_stats *out)
{
    *out = (struct heap_stats){heap_bytes, heap_bytes, heap_blocks};
}
void frame_stats(struct frame_stats *out)
{
    *out = (struct frame_stats){MACHINE_FRAMES, MACHINE_FRAMES - heap_bytes / 4096};
}
uint64_t vm_mapped_bytes(void)
{
    return 0;
}
void random_bytes(void *buffer, size_t size)
{
    if (getrandom(buffer, size, 0) != (ssize_t)size) {
        abort();
    }
}
void cpu_exit(int code)
{
    exit(code);
}

/* The log. */

static char log_text[1 << 16];
static uint64_t log_written;
static struct spinlock log_lock;

void klog(enum log_level level, const char *format, ...)
{
    char line[400];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    len = len < (int)sizeof line - 2 ? len : (int)sizeof line - 2;
    line[len++] = '\n';
    spin_lock(&log_lock);
    for (int i = 0; i < len; i++) {
        log_text[log_written++ % sizeof log_text] = line[i];
    }
    spin_unlock(&log_lock, 0);
    if (level <= LOG_WARN && sim_verbose) {
        fwrite(line, 1, (size_t)len, stderr);
    }
}
size_t klog_read(uint64_t *cursor, char *buffer, size_t size)
{
    size_t n = 0;
    spin_lock(&log_lock);
    if (log_written - *cursor > sizeof log_text) {
        *cursor = log_written - sizeof log_text;
    }
    while (n < size && *cursor < log_written) {
        buffer[n++] = log_text[(*cursor)++ % sizeof log_text];
    }
    spin_unlock(&log_lock, 0);
    return n;
}
