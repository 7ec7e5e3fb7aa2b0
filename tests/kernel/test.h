/* Kernel tests: functions registered where they stand, run one after another in a booted image,
 * which prints TAP to the console and exits with 0 when all passed. */
#ifndef QUINCE_TESTS_KERNEL_TEST_H
#define QUINCE_TESTS_KERNEL_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/fault.h"
#include "include/log.h"

struct kernel_test {
    const char *name;
    void (*fn)(void);
};
/* TEST(group_what_holds) { … } */
#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    static const struct kernel_test kernel_test_##name                                             \
        __attribute__((used, section(".kernel_tests"), aligned(8))) = {#name, test_##name};        \
    static void test_##name(void)

/* Fails the running test and goes on. */
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                       \
    } while (0)
#define CHECK_EQ(actual, expected)                                                                 \
    do {                                                                                           \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);                \
        if (actual_ != expected_)                                                                  \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #actual, actual_, expected_);    \
    } while (0)
/* The rest of the test makes no sense on this machine. */
void test_skip(const char *reason);

/* Runs FN(ARGUMENT); true if it ended in an exception, whose kind and address are stored. */
bool test_faults(void (*fn)(void *argument), void *argument, enum fault_kind *kind,
                 uintptr_t *address);

/* Takes free frames until about KEEP are left, without touching them; gives them back. Tests of
 * exhaustion need not fill a large machine. */
void test_hog(size_t keep);
void test_unhog(void);

#endif
