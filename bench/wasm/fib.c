/* fib.wat as a C programmer writes it; the native build of that program. */
#include "bench.h"

static int32_t fib(int32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

EXPORT
{
    uint32_t sum = 0;
    for (; rounds; rounds--)
        sum += (uint32_t)fib(27);
    return sum;
}
