/* Clocks and sleep. */
#include <errno.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static uint64_t ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void monotonic(void)
{
    uint64_t last = ns(CLOCK_MONOTONIC);
    for (int i = 0; i < 10000; i++) {
        uint64_t now = ns(CLOCK_MONOTONIC);
        CHECK(now >= last);
        last = now;
    }
}

static void sleeping(void)
{
    uint64_t start = ns(CLOCK_MONOTONIC);
    CHECK(nanosleep(&(struct timespec){0, 20000000}, NULL) == 0);
    uint64_t taken = ns(CLOCK_MONOTONIC) - start;
    CHECK(taken >= 20000000 && taken < 2000000000);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec--;
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    CHECK(nanosleep(&(struct timespec){0, 1000000000}, NULL) < 0 && errno == EINVAL);
}

static void of_day(void)
{
    struct timeval now;
    struct tm parts;
    time_t seconds = time(NULL);
    CHECK(gettimeofday(&now, NULL) == 0 && now.tv_sec - seconds <= 1);
    CHECK(seconds > 1700000000); /* the machine's clock was read */
    CHECK(gmtime_r(&seconds, &parts) && parts.tm_year >= 123);
    CHECK(timegm(&parts) == seconds);
}

static void processor_time(void)
{
    uint64_t start = ns(CLOCK_THREAD_CPUTIME_ID), whole = ns(CLOCK_PROCESS_CPUTIME_ID);
    for (volatile int i = 0; i < 1000000; i++)
        ;
    uint64_t busy = ns(CLOCK_THREAD_CPUTIME_ID) - start;
    CHECK(busy > 0 && ns(CLOCK_PROCESS_CPUTIME_ID) > whole && clock() > 0);
    start = ns(CLOCK_THREAD_CPUTIME_ID);
    usleep(50000);
    CHECK(ns(CLOCK_THREAD_CPUTIME_ID) - start < 40000000);
}

const struct test time_tests[] = {
    {"time: monotonic clock", monotonic},
    {"time: sleep", sleeping},
    {"time: time of day", of_day},
    {"time: processor time", processor_time},
    {NULL, NULL},
};
