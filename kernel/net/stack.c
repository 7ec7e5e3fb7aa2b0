/* The stack's lock, thread, timers and memory. */
#include "net/stack.h"

#include <errno.h>
#include <string.h>
#include "arch/fault.h"
#include "drivers/random.h"
#include "init.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/packet.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/init.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "lwip_hooks.h"

enum { POLL_BUDGET = 64, STACK_SIZE = 32 * 1024 };

static struct mutex core;
static struct thread *net_thread;
static WAIT_QUEUE(wake);
static WAIT_QUEUE(configured);
static bool work; /* set anywhere, cleared by the network thread */

/* ---- lock and wake-ups ---- */

void net_lock(void)
{
    mutex_lock(&core);
}

void net_kick(void)
{
    __atomic_store_n(&work, true, __ATOMIC_SEQ_CST);
    /* While somebody holds the lock the network thread could only run into it: net_unlock() wakes.
     */
    if (__atomic_load_n(&core.owner, __ATOMIC_SEQ_CST) == NULL)
        wait_wake(&wake, 1);
}

void net_unlock(void)
{
    bool wanted = netif_work_waits();
    mutex_unlock(&core);
    if ((wanted || __atomic_load_n(&work, __ATOMIC_SEQ_CST)) && thread_current() != net_thread) {
        __atomic_store_n(&work, true, __ATOMIC_SEQ_CST);
        wait_wake(&wake, 1);
    }
}

int net_call(void (*fn)(void *context), void *context)
{
    if (core.owner == thread_current())
        return -EDEADLK;
    net_lock();
    fn(context);
    net_unlock();
    return 0;
}

/* ---- memory ---- */

/* Blocks of up to a frame's size are kept for reuse: a packet costs two of them. They go back to
 * the heap when there was no traffic for a second, so that an idle network holds what it held
 * before. */
enum { CLASS_BYTES = 128, CLASSES = 17, CLASS_KEEP = 16, SMALL = 512 };
struct block {
    uint32_t size, pad;
    struct block *next; /* while kept */
};
#define BLOCK_HEADER 16
static struct {
    struct block *first;
    unsigned count;
} kept[CLASSES];
static size_t memory_used, memory_limit;
static bool busy; /* since the last release_kept() */

void *net_alloc(size_t size)
{
    size_t total = size + BLOCK_HEADER;
    /* A reserve for small blocks: acknowledgements, which free memory, get through a full stack. */
    size_t limit = size <= SMALL ? memory_limit + memory_limit / 8 : memory_limit;
    if (total < size || memory_used > limit || total > limit - memory_used)
        return NULL;
    size_t class = (total + CLASS_BYTES - 1) / CLASS_BYTES;
    struct block *block;
    busy = true;
    if (class < CLASSES && kept[class].first) {
        total = class * CLASS_BYTES;
        block = kept[class].first;
        kept[class].first = block->next;
        kept[class].count--;
    } else {
        if (class < CLASSES)
            total = class * CLASS_BYTES;
        block = kmalloc(total);
        if (!block)
            return NULL;
    }
    block->size = (uint32_t)total;
    memory_used += total;
    return (char *)block + BLOCK_HEADER;
}

void *net_calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *p = net_alloc(count * size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

void net_free(void *p)
{
    if (!p)
        return;
    struct block *block = (struct block *)((char *)p - BLOCK_HEADER);
    memory_used -= block->size;
    size_t class = block->size / CLASS_BYTES;
    if (class < CLASSES && kept[class].count < CLASS_KEEP) {
        block->next = kept[class].first;
        kept[class].first = block;
        kept[class].count++;
        return;
    }
    kfree(block);
}

/* A timer. */
static void release_kept(void)
{
    bool idle = !busy;
    busy = false;
    for (unsigned class = 0; idle && class < CLASSES; class ++) {
        while (kept[class].first) {
            struct block *block = kept[class].first;
            kept[class].first = block->next;
            kfree(block);
        }
        kept[class].count = 0;
    }
}

size_t net_memory_used(void)
{
    return memory_used;
}

size_t net_memory_limit(void)
{
    return memory_limit;
}

/* ---- timers: lwIP's periodic functions, in place of its timeouts.c, which allocates and so can
 * fail ---- The one for TCP runs only while there are connections. */

static const struct {
    void (*fn)(void);
    uint32_t interval_ms;
} timers[] = {
    {tcp_tmr, TCP_TMR_INTERVAL},
    {ip_reass_tmr, IP_TMR_INTERVAL},
    {etharp_tmr, ARP_TMR_INTERVAL},
    {dhcp_coarse_tmr, DHCP_COARSE_TIMER_MSECS},
    {dhcp_fine_tmr, DHCP_FINE_TIMER_MSECS},
    {igmp_tmr, IGMP_TMR_INTERVAL},
    {nd6_tmr, ND6_TMR_INTERVAL},
    {ip6_reass_tmr, IP6_REASS_TMR_INTERVAL},
    {mld6_tmr, MLD6_TMR_INTERVAL},
    {release_kept, 1000},
};
enum { TIMERS = sizeof timers / sizeof timers[0], TCP_TIMER = 0 };
static uint64_t timer_due[TIMERS]; /* clock_now() scale; 0: off */
static uint64_t thread_sleeps_until;

u32_t sys_now(void)
{
    return (u32_t)(clock_now() / NS_PER_MS);
}

void tcp_timer_needed(void)
{
    if (timer_due[TCP_TIMER] != 0 || (!tcp_active_pcbs && !tcp_tw_pcbs))
        return;
    timer_due[TCP_TIMER] = clock_now() + TCP_TMR_INTERVAL * NS_PER_MS;
    if (timer_due[TCP_TIMER] < thread_sleeps_until)
        __atomic_store_n(&work, true, __ATOMIC_SEQ_CST); /* the thread is to look at its clock */
}

/* lwip_init() calls it. */
void sys_timeouts_init(void)
{
    uint64_t now = clock_now();
    for (unsigned i = 0; i < TIMERS; i++)
        timer_due[i] = i == TCP_TIMER ? 0 : now + timers[i].interval_ms * NS_PER_MS;
}

/* Runs what is due; when the next one is. */
static uint64_t run_timers(void)
{
    uint64_t now = clock_now(), next = WAIT_FOREVER;
    for (unsigned i = 0; i < TIMERS; i++) {
        if (timer_due[i] != 0 && timer_due[i] <= now) {
            timer_due[i] = 0;
            timers[i].fn();
            if (i != TCP_TIMER || tcp_active_pcbs || tcp_tw_pcbs)
                timer_due[i] = now + timers[i].interval_ms * NS_PER_MS;
        }
        if (timer_due[i] != 0 && timer_due[i] < next)
            next = timer_due[i];
    }
    return next;
}

/* ---- initial sequence numbers ---- */

static uint64_t isn_key[2];

static uint64_t rotate_left(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

/* SipHash-2-4 of COUNT words. */
static uint64_t siphash(const uint64_t key[2], const uint64_t *words, unsigned count)
{
    uint64_t v0 = key[0] ^ 0x736f6d6570736575, v1 = key[1] ^ 0x646f72616e646f6d;
    uint64_t v2 = key[0] ^ 0x6c7967656e657261, v3 = key[1] ^ 0x7465646279746573;
    for (unsigned i = 0; i <= count + 1; i++) {
        /* the words, the length word, then the finish */
        uint64_t m = i < count ? words[i] : i == count ? (uint64_t)(count * 8) << 56 : 0;
        if (i == count + 1)
            v2 ^= 0xff;
        v3 ^= m;
        for (unsigned round = 0; round < (i == count + 1 ? 4u : 2u); round++) {
            v0 += v1;
            v1 = rotate_left(v1, 13) ^ v0;
            v0 = rotate_left(v0, 32);
            v2 += v3;
            v3 = rotate_left(v3, 16) ^ v2;
            v0 += v3;
            v3 = rotate_left(v3, 21) ^ v0;
            v2 += v1;
            v1 = rotate_left(v1, 17) ^ v2;
            v2 = rotate_left(v2, 32);
        }
        v0 ^= m;
    }
    return v0 ^ v1 ^ v2 ^ v3;
}

u32_t net_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                  u16_t remote_port)
{
    uint64_t words[5] = {0};
    if (IP_IS_V6(local)) {
        memcpy(&words[0], ip_2_ip6(local)->addr, 16);
        memcpy(&words[2], ip_2_ip6(remote)->addr, 16);
    } else {
        words[0] = ip4_addr_get_u32(ip_2_ip4(local));
        words[2] = ip4_addr_get_u32(ip_2_ip4(remote));
    }
    words[4] = (uint64_t)local_port << 16 | remote_port;
    /* plus a clock of 4 microseconds a tick */
    return (u32_t)siphash(isn_key, words, 5) + (u32_t)(clock_now() >> 12);
}

_Noreturn void net_assert_failed(const char *what)
{
    panic("lwip: %s", what);
}

/* ---- configuration ---- */

static bool is_configured(void *context)
{
    (void)context;
    return !netif_configuring();
}

void net_wait_configured(uint64_t deadline)
{
    wait_until(&configured, is_configured, NULL, deadline);
}

void net_configuration_changed(void)
{
    wait_wake(&configured, UINT32_MAX);
}

/* ---- the thread ---- */

static bool has_work(void *context)
{
    (void)context;
    return __atomic_load_n(&work, __ATOMIC_SEQ_CST);
}

static void net_main(void *arg)
{
    (void)arg;
    struct thread *self = thread_current();
    for (;;) {
        net_lock();
        __atomic_store_n(&work, false, __ATOMIC_SEQ_CST);
        bool more = netif_devices_poll(POLL_BUDGET);
        uint64_t next = run_timers();
        thread_sleeps_until = more ? 0 : next;
        net_unlock();
        if (more) {
            /* A flood must not keep the application from running: share the CPU with it. */
            self->priority = THREAD_PRIORITY_DEFAULT;
            thread_yield();
        } else {
            self->priority = THREAD_PRIORITY_NET;
            wait_until(&wake, has_work, NULL, next);
        }
    }
}

static int net_start(void)
{
    struct frame_stats frames;
    frame_stats(&frames);
    memory_limit = frames.free * PAGE_SIZE / 4;
    if (memory_limit > (64u << 20))
        memory_limit = 64u << 20;
    random_bytes(isn_key, sizeof isn_key);

    net_lock();
    lwip_init();
    int error = netif_start();
    net_unlock();
    if (error < 0)
        return error;
    net_thread = thread_create("net", net_main, NULL, STACK_SIZE, THREAD_PRIORITY_NET);
    return net_thread ? 0 : -ENOMEM;
}
INIT(4, net_start);
