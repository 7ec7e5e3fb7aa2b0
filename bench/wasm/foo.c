/* foo.wat for the native compiler, which is kept from seeing that the call does nothing. */
#include "bench.h"

__attribute__((noipa)) static void foo(void)
{
}

EXPORT
{
    uint32_t done = 0;
    for (; done < rounds * 1000; done++)
        foo();
    return done;
}
