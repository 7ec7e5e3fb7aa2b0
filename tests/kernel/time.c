/* Clocks, sleeping, timers. */
#include "test.h"
#include "arch/cpu.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"
#include "time/timer.h"

TEST(time_is_monotonic)
{
    uint64_t last = clock_now();
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t now = clock_now();
        if (now < last) {
            test_fail(__FILE__, __LINE__, "%llu after %llu", (unsigned long long)now,
                      (unsigned long long)last);
            break;
        }
        last = now;
    }
}

TEST(time_of_day_is_plausible)
{
    uint64_t now = clock_realtime();
    CHECK(now > 1700000000 * NS_PER_S && now < 4000000000 * NS_PER_S);
    clock_set_realtime(now + 1000 * NS_PER_S);
    CHECK(clock_realtime() - now >= 1000 * NS_PER_S);
    CHECK(clock_realtime() - now < 1001 * NS_PER_S);
    clock_set_realtime(now);
}

TEST(time_sleep_is_neither_short_nor_long)
{
    static const uint64_t lengths[] = {0, 100 * NS_PER_US, NS_PER_MS, 7 * NS_PER_MS,
                                       50 * NS_PER_MS};
    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint64_t start = clock_now();
        thread_sleep_until(start + lengths[i]);
        uint64_t slept = clock_now() - start;
        CHECK(slept >= lengths[i]);
        CHECK(slept < lengths[i] + 500 * NS_PER_MS);
    }
}

TEST(time_sleep_leaves_the_cpu_idle)
{
    uint64_t interrupts = cpu_percpu()->interrupts;
    thread_sleep_until(clock_now() + 200 * NS_PER_MS);
    CHECK(cpu_percpu()->interrupts - interrupts < 5);
}

enum { TIMERS = 200 };
static struct {
    struct timer timer;
    uint64_t wanted, fired;
    bool in_interrupt;
} slots[TIMERS];
static unsigned fired_count, misordered;
static uint64_t last_deadline;
static struct semaphore all_fired;

static void on_timer(struct timer *timer)
{
    size_t i = (size_t)(uintptr_t)timer->context;
    slots[i].fired = clock_now();
    slots[i].in_interrupt = in_interrupt();
    misordered += slots[i].wanted < last_deadline;
    last_deadline = slots[i].wanted;
    if (++fired_count == TIMERS - TIMERS / 4)
        semaphore_post(&all_fired);
}

TEST(timer_many_fire_in_order_unless_cancelled)
{
    fired_count = misordered = 0;
    last_deadline = 0;
    semaphore_init(&all_fired, 0);
    uint64_t start = clock_now() + 5 * NS_PER_MS;
    for (size_t i = 0; i < TIMERS; i++) {
        slots[i].timer.fn = on_timer;
        slots[i].timer.context = (void *)(uintptr_t)i;
        slots[i].fired = 0;
        slots[i].wanted = start + (i * 7919 % TIMERS) * 100 * NS_PER_US;
        /* Armed twice: the second deadline counts. */
        timer_arm(&slots[i].timer, start + NS_PER_S * 10);
        timer_arm(&slots[i].timer, slots[i].wanted);
    }
    for (size_t i = 0; i < TIMERS; i += 4)
        CHECK(timer_cancel(&slots[i].timer));
    CHECK_EQ(semaphore_wait(&all_fired, start + 9 * NS_PER_S), 0);
    CHECK_EQ(misordered, 0);
    for (size_t i = 0; i < TIMERS; i++) {
        CHECK(!timer_cancel(&slots[i].timer));
        if (i % 4 == 0) {
            CHECK_EQ(slots[i].fired, 0);
        } else {
            CHECK(slots[i].fired >= slots[i].wanted && slots[i].in_interrupt);
        }
    }
}

static unsigned repeats;
static void again(struct timer *timer)
{
    if (++repeats < 20)
        timer_arm(timer, clock_now() + NS_PER_MS);
    else
        semaphore_post(timer->context);
}

TEST(timer_may_arm_itself_again)
{
    struct semaphore done;
    semaphore_init(&done, 0);
    struct timer timer = {.fn = again, .context = &done};
    repeats = 0;
    timer_arm(&timer, clock_now() + NS_PER_MS);
    CHECK_EQ(semaphore_wait(&done, clock_now() + 10 * NS_PER_S), 0);
    CHECK_EQ(repeats, 20);
}
