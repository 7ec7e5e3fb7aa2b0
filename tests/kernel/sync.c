/* Mutexes, semaphores, wait queues, futexes. */
#include "test.h"
#include <errno.h>
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

enum { THREADS = 4, ROUNDS = 2000 };

static struct {
    struct mutex mutex;
    unsigned value;
    unsigned inside;
    bool crowded;
} shared;

static void increment(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        mutex_lock(&shared.mutex);
        shared.crowded |= shared.inside++ != 0;
        unsigned value = shared.value;
        if (i % 100 == 0)
            thread_yield();
        shared.value = value + 1;
        shared.inside--;
        mutex_unlock(&shared.mutex);
    }
}

TEST(mutex_excludes)
{
    struct thread *threads[THREADS];
    shared.value = 0;
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = thread_create("m", increment, NULL, 8192, THREAD_PRIORITY_DEFAULT);
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    CHECK_EQ(shared.value, THREADS * ROUNDS);
    CHECK(!shared.crowded);
    CHECK(mutex_trylock(&shared.mutex));
    mutex_unlock(&shared.mutex);
}

static volatile bool stop, holder_done;
static struct mutex inherited;
static struct semaphore go;

static void hold(void *argument)
{
    (void)argument;
    mutex_lock(&inherited);
    semaphore_post(&go);
    uint64_t until = clock_now() + 20 * NS_PER_MS;
    while (clock_now() < until)
        ;
    holder_done = true;
    mutex_unlock(&inherited);
}

static void hog(void *argument)
{
    (void)argument;
    while (!stop)
        ;
}

static void want(void *argument)
{
    mutex_lock(&inherited);
    *(volatile uint64_t *)argument = clock_now();
    mutex_unlock(&inherited);
    stop = true;
}

TEST(mutex_lends_priority)
{
    uint64_t got = 0, start = clock_now();
    stop = holder_done = false;
    semaphore_init(&go, 0);
    struct thread *low = thread_create("low", hold, NULL, 8192, THREAD_PRIORITIES - 1);
    CHECK_EQ(semaphore_wait(&go, WAIT_FOREVER), 0);
    struct thread *middle = thread_create("middle", hog, NULL, 8192, THREAD_PRIORITY_DEFAULT);
    struct thread *high = thread_create("high", want, &got, 8192, THREAD_PRIORITY_NET);
    thread_join(high);
    CHECK(holder_done && got > start);
    CHECK(got - start < 5 * NS_PER_S);
    CHECK_EQ(low->priority, THREAD_PRIORITIES - 1);
    stop = true;
    thread_join(middle);
    thread_join(low);
}

static struct semaphore items, room;
static unsigned buffer[8];

static void produce(void *argument)
{
    unsigned count = *(unsigned *)argument;
    for (unsigned i = 0; i < count; i++) {
        (void)semaphore_wait(&room, WAIT_FOREVER);
        buffer[i % 8] = i;
        semaphore_post(&items);
    }
}

TEST(semaphore_hands_over)
{
    unsigned count = 1000, wrong = 0;
    semaphore_init(&items, 0);
    semaphore_init(&room, 8);
    struct thread *producer =
        thread_create("producer", produce, &count, 8192, THREAD_PRIORITY_DEFAULT);
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQ(semaphore_wait(&items, WAIT_FOREVER), 0);
        wrong += buffer[i % 8] != i;
        semaphore_post(&room);
    }
    CHECK_EQ(wrong, 0);
    thread_join(producer);
}

TEST(semaphore_times_out)
{
    struct semaphore s;
    semaphore_init(&s, 1);
    uint64_t start = clock_now();
    CHECK_EQ(semaphore_wait(&s, start), 0); /* there is one: the past deadline does not matter */
    CHECK_EQ(semaphore_wait(&s, start), -ETIMEDOUT);
    CHECK_EQ(semaphore_wait(&s, start + 20 * NS_PER_MS), -ETIMEDOUT);
    CHECK(clock_now() - start >= 20 * NS_PER_MS);
    semaphore_post(&s);
    CHECK_EQ(semaphore_wait(&s, clock_now() + NS_PER_S), 0);
}

static struct wait_queue gate;
static bool opened;
static bool is_open(void *context)
{
    (void)context;
    return opened;
}

static void pass(void *argument)
{
    if (wait_until(&gate, is_open, NULL, WAIT_FOREVER) == 0)
        ++*(unsigned *)argument;
}

TEST(wait_queue_wakes_all)
{
    unsigned passed = 0;
    struct thread *threads[THREADS];
    opened = false;
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = thread_create("gate", pass, &passed, 8192, THREAD_PRIORITY_DEFAULT);
    thread_sleep_until(clock_now() + 2 * NS_PER_MS);
    CHECK_EQ(wait_wake(&gate, 1), 1); /* looks, and goes back to sleep */
    thread_sleep_until(clock_now() + 2 * NS_PER_MS);
    CHECK_EQ(passed, 0);
    opened = true;
    CHECK_EQ(wait_wake(&gate, 100), THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    CHECK_EQ(passed, THREADS);
    CHECK_EQ(wait_wake(&gate, 100), 0);
}

static uint32_t word, other;
static unsigned woken;

static void wait_word(void *argument)
{
    (void)argument;
    if (futex_wait(&word, 0, WAIT_FOREVER) == 0)
        __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
}

TEST(futex_wakes_and_requeues)
{
    struct thread *threads[6];
    word = other = 0;
    woken = 0;
    CHECK_EQ(futex_wait(&word, 1, WAIT_FOREVER), -EAGAIN);
    uint64_t start = clock_now();
    CHECK_EQ(futex_wait(&word, 0, start + 10 * NS_PER_MS), -ETIMEDOUT);
    CHECK(clock_now() - start >= 10 * NS_PER_MS);
    for (unsigned i = 0; i < 6; i++)
        threads[i] = thread_create("futex", wait_word, NULL, 8192, THREAD_PRIORITY_DEFAULT);
    thread_sleep_until(clock_now() + 2 * NS_PER_MS);
    CHECK_EQ(futex_wake(&other, 10), 0);
    CHECK_EQ(futex_wake(&word, 1), 1);
    CHECK_EQ(futex_requeue(&word, 1, &other, 2), 3);
    thread_sleep_until(clock_now() + 2 * NS_PER_MS);
    CHECK_EQ(woken, 2);
    CHECK_EQ(futex_wake(&word, 10), 2);
    CHECK_EQ(futex_wake(&other, 10), 2);
    for (unsigned i = 0; i < 6; i++)
        thread_join(threads[i]);
    CHECK_EQ(woken, 6);
}

static void finish(void *argument)
{
    thread_current()->clear_on_exit = argument;
}

TEST(futex_announces_the_end_of_a_thread)
{
    word = 77;
    struct thread *thread = thread_create("c", finish, &word, 8192, THREAD_PRIORITY_DEFAULT);
    thread_detach(thread);
    while (word == 77)
        (void)futex_wait(&word, 77, WAIT_FOREVER);
    CHECK_EQ(word, 0);
}
