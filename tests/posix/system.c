/* Identity, signals to oneself, random numbers, environment, and what is missing. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static void identity(void)
{
    struct utsname name;
    struct rlimit limit;
    CHECK(uname(&name) == 0 && strcmp(name.machine, "x86_64") == 0);
    CHECK(getpid() > 0 && sysconf(_SC_PAGESIZE) == 4096 && sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 900);
    CHECK(isatty(0) >= 0 && setenv("QUINCE_TEST", "value", 1) == 0);
    CHECK(strcmp(getenv("QUINCE_TEST"), "value") == 0);
}

static volatile int caught;

static void on_signal(int signal)
{
    caught = signal;
}

static void signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}, old;
    CHECK(sigaction(SIGUSR1, &action, &old) == 0 && old.sa_handler == SIG_DFL);
    CHECK(raise(SIGUSR1) == 0 && caught == SIGUSR1);
    CHECK(kill(getpid(), SIGUSR1) == 0 && signal(SIGUSR1, SIG_IGN) == on_signal);
    CHECK(raise(SIGUSR1) == 0 && raise(SIGCHLD) == 0);
    CHECK(kill(99999, 0) < 0 && errno == ESRCH);
}

static void random_numbers(void)
{
    unsigned char one[32] = {0}, two[32] = {0};
    CHECK(getrandom(one, 32, 0) == 32 && getrandom(two, 32, 0) == 32);
    CHECK(memcmp(one, two, 32) != 0);
}

static jmp_buf back;

static void jump(void)
{
    volatile int count = 0;
    if (setjmp(back) < 3) {
        count++;
        longjmp(back, count);
    }
    CHECK(count == 3);
}

static int compare(const void *one, const void *two)
{
    return *(const int *)one - *(const int *)two;
}

static void library(void)
{
    int numbers[1000];
    for (int i = 0; i < 1000; i++)
        numbers[i] = i * 7919 % 1000;
    qsort(numbers, 1000, sizeof *numbers, compare);
    for (int i = 0; i < 1000; i++)
        CHECK(numbers[i] == i);
    char text[64];
    snprintf(text, sizeof text, "%.10g %08.3f %a", sqrt(2.0), sin(1.0), 0.5);
    CHECK(strcmp(text, "1.414213562 0000.841 0x1p-1") == 0);
    CHECK(strtod("1e308", NULL) > 1e307 && strtol("-0x10", NULL, 0) == -16);
}

#ifdef __QUINCE__
static void missing(void)
{
    CHECK(fork() < 0 && errno == ENOSYS);
    CHECK(syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    CHECK(syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == ENOSYS);
    CHECK(syscall(100000) < 0 && errno == ENOSYS && syscall(-1) < 0 && errno == ENOSYS);
}
#endif

const struct test system_tests[] = {
    {"system: identity and limits", identity},
    {"system: signals to oneself", signals},
    {"system: getrandom", random_numbers},
    {"system: setjmp", jump},
    {"system: library and floating point", library},
#ifdef __QUINCE__
    {"system: fork and the unknown answer ENOSYS", missing},
#endif
    {NULL, NULL},
};
