/* pthreads over clone() and futex(). */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum { MANY = 100, ROUNDS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long counter;

static void *count_up(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
    }
    return argument;
}

static void create_and_join(void)
{
    pthread_t threads[MANY];
    counter = 0;
    for (uintptr_t i = 0; i < MANY; i++)
        CHECK(pthread_create(&threads[i], NULL, count_up, (void *)i) == 0);
    for (uintptr_t i = 0; i < MANY; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0);
        CHECK(result == (void *)i);
    }
    CHECK(counter == MANY * ROUNDS);
}

static sem_t ended;

static void *post(void *argument)
{
    sem_post(&ended);
    return argument;
}

/* Each gives its stack back as it ends: many more than fit at once. */
static void detached(void)
{
    pthread_attr_t attributes;
    CHECK(sem_init(&ended, 0, 0) == 0);
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    for (int i = 0; i < 2000; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &attributes, post, NULL) == 0);
        CHECK(sem_wait(&ended) == 0);
    }
}

static __thread int own = 42;
static __thread char zeroed[256];

static void *use_tls(void *argument)
{
    if (own != 42 || zeroed[100] != 0)
        return NULL;
    own = (int)(intptr_t)argument;
    zeroed[100] = 1;
    for (int i = 0; i < 10; i++) {
        sched_yield();
        if (own != (int)(intptr_t)argument)
            return NULL;
    }
    errno = own;
    sched_yield();
    return errno == own ? argument : NULL;
}

static void thread_local_storage(void)
{
    pthread_t threads[8];
    for (intptr_t i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, use_tls, (void *)(i + 1)) == 0);
    for (intptr_t i = 0; i < 8; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1));
    }
    CHECK(own == 42);
}

static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *take_turns(void *argument)
{
    int mine = (int)(intptr_t)argument;
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 3 != mine)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void condition_variable(void)
{
    pthread_t threads[3];
    turn = 0;
    for (intptr_t i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, take_turns, (void *)i) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(turn == 300);
}

static void timed_wait(void)
{
    struct timespec deadline;
    pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_nsec += 20000000;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    pthread_mutex_lock(&own_lock);
    CHECK(pthread_cond_timedwait(&never, &own_lock, &deadline) == ETIMEDOUT);
    pthread_mutex_unlock(&own_lock);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(now.tv_sec > deadline.tv_sec ||
          (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec));
}

static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_count, pair[2];

static void count_once(void)
{
    once_count++;
}

static void *mixed(void *argument)
{
    pthread_once(&once, count_once);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 500; i++) {
        if (argument) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            sched_yield();
            pair[1]++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            if (pair[0] != pair[1])
                abort();
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void barrier_rwlock_once(void)
{
    pthread_t threads[4];
    CHECK(pthread_barrier_init(&barrier, NULL, 4) == 0);
    for (intptr_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, mixed, i < 2 ? (void *)1 : NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(pair[0] == 1000 && pair[1] == 1000 && once_count == 1);
}

static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
    destroyed += (int)(intptr_t)value;
}

static void *set_key(void *argument)
{
    pthread_setspecific(key, argument);
    return NULL;
}

static void keys_and_destructors(void)
{
    pthread_t thread;
    CHECK(pthread_key_create(&key, destroy) == 0);
    CHECK(pthread_create(&thread, NULL, set_key, (void *)7) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(destroyed == 7);
}

static void *spin(void *argument)
{
    volatile bool *stop = argument;
    while (!*stop)
        ;
    return NULL;
}

/* A thread that never gives the processor away must not keep the others from it. */
static void preemption(void)
{
    static volatile bool stop;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, spin, (void *)&stop) == 0);
    usleep(30000);
    stop = true;
    CHECK(pthread_join(thread, NULL) == 0);
}

static volatile double sum;

static void *sum_up(void *argument)
{
    double own_sum = 0, step = (double)(intptr_t)argument;
    for (int i = 0; i < 300000; i++)
        own_sum += step / 3;
    sum = own_sum;
    return own_sum > step * 99999 && own_sum < step * 100001 ? argument : NULL;
}

/* Registers of the floating point unit survive preemption. */
static void floating_point(void)
{
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, sum_up, (void *)(i + 1)) == 0);
    for (intptr_t i = 0; i < 4; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1));
    }
}

static void *wait_cancelled(void *argument)
{
    for (;;)
        usleep(1000);
    return argument;
}

static void cancellation(void)
{
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, wait_cancelled, NULL) == 0);
    usleep(2000);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
}

const struct test thread_tests[] = {
    {"pthread: 100 threads, one mutex", create_and_join},
    {"pthread: detached threads give their stacks back", detached},
    {"pthread: thread-local storage and errno", thread_local_storage},
    {"pthread: condition variable", condition_variable},
    {"pthread: timed wait", timed_wait},
    {"pthread: barrier, rwlock, once", barrier_rwlock_once},
    {"pthread: keys and destructors", keys_and_destructors},
    {"pthread: preemption", preemption},
    {"pthread: floating point across switches", floating_point},
    {"pthread: cancellation", cancellation},
    {NULL, NULL},
};
