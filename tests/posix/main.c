/* Runs all tests, or those whose names begin with an argument. */
#include <errno.h>
#include <string.h>

#include "test.h"

static bool failed;

void test_fail(const char *file, int line, const char *what)
{
    printf("# %s:%d: %s (errno: %s)\n", file, line, what, strerror(errno));
    failed = true;
}

int main(int argc, char **argv)
{
    static const struct test *const groups[] = {thread_tests, memory_tests, file_tests, poll_tests,
                                                time_tests,   system_tests, NULL};
    unsigned count = 0, failures = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const struct test *const *group = groups; *group; group++) {
        for (const struct test *test = *group; test->name; test++) {
            if (argc > 1 && strncmp(test->name, argv[1], strlen(argv[1])) != 0)
                continue;
            failed = false;
            errno = 0;
            test->run();
            printf("%sok %u - %s\n", failed ? "not " : "", ++count, test->name);
            failures += failed;
        }
    }
    printf("1..%u\n", count);
    return failures != 0;
}
