/* The port for tests that run no Wasm code: heap and clock from the C library. */
#include "host.h"

#include <stdlib.h>
#include <time.h>

void *wasm_host_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *wasm_host_realloc(void *p, size_t size)
{
    return realloc(p, size ? size : 1);
}

void wasm_host_free(void *p)
{
    free(p);
}

uint64_t wasm_host_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
