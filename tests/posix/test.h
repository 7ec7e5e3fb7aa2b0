/* Tests of what programs see of the system: run in an image, and on Linux to test the tests. */
#ifndef POSIX_TEST_H
#define POSIX_TEST_H

#include <stdbool.h>
#include <stdio.h>

struct test {
    const char *name;
    void (*run)(void);
};
extern const struct test thread_tests[], memory_tests[], file_tests[], poll_tests[], time_tests[],
    system_tests[]; /* each ended by an empty entry */

void test_fail(const char *file, int line, const char *what);
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, #condition);                                             \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#endif
