/* Times a program compiled natively: prints the result, then the milliseconds of each call, as
 * `quince exec --invoke run --repeat` does. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "bench.h"

int main(int argc, char **argv)
{
    uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    int repeat = argc > 2 ? atoi(argv[2]) : 1;
    for (int i = 0; i < repeat; i++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        uint32_t result = run(rounds);
        clock_gettime(CLOCK_MONOTONIC, &end);
        if (i == 0)
            printf("%u\n", result);
        printf("time_ms %.3f\n", (double)(end.tv_sec - start.tv_sec) * 1e3 +
                                     (double)(end.tv_nsec - start.tv_nsec) / 1e6);
    }
    return 0;
}
