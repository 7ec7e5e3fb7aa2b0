/* Arguments, environment, clocks, random numbers, yielding. The runner gives the arguments
 * "groups…" and the environment A=1, EMPTY=. */
#include <string.h>

#include "wasi1.h"

static void strings(const char *what, u32 (*get)(u32, u32), u32 (*sizes)(u32, u32))
{
    u32 count = 0, bytes = 0, list[64] = {0}, total = 0;
    static char text[4096];
    is(sizes(P(&count), P(&bytes)), SUCCESS, what);
    is(count > 0 && count < 64 && bytes < sizeof(text), 1, "  a few strings");
    is(get(P(list), P(text)), SUCCESS, "  they come");
    for (u32 i = 0; i < count; i++) {
        is(list[i] == P(text) + total, 1, "  each pointer at the next string");
        total += (u32)strlen(text + total) + 1;
    }
    is(total, bytes, "  their sizes add up");
    is(get(OUTSIDE, P(text)), FAULT, "  pointers outside");
    is(get(P(list), OUTSIDE), FAULT, "  strings outside");
    is(sizes(OUTSIDE, P(&bytes)), FAULT, "  count outside");
    is(sizes(P(&count), OUTSIDE), FAULT, "  size outside");
}

static void clocks(void)
{
    for (u32 id = 0; id < 4; id++) {
        u64 resolution = 0, a = 0, b = 0;
        is(clock_res_get(id, P(&resolution)), SUCCESS, "clock_res_get");
        is(resolution > 0 && resolution <= 1000000000, 1, "  at most a second");
        is(clock_time_get(id, 1000, P(&a)), SUCCESS, "clock_time_get");
        is(clock_time_get(id, 0, P(&b)), SUCCESS, "  again");
        is(id == 0 || b >= a, 1, "  it does not run backwards");
        is(id != 0 || a > 1600000000ull * 1000000000, 1, "  and is of this century");
    }
    u64 out;
    is(clock_time_get(4, 0, P(&out)), INVAL, "clock_time_get: no such clock");
    is(clock_res_get(~0u, P(&out)), INVAL, "clock_res_get: no such clock");
    is(clock_time_get(0, 0, OUTSIDE), FAULT, "clock_time_get: outside");
    is(clock_res_get(0, OUTSIDE), FAULT, "clock_res_get: outside");
}

void test_environment(void)
{
    strings("args_sizes_get, args_get", args_get, args_sizes_get);
    strings("environ_sizes_get, environ_get", environ_get, environ_sizes_get);
    u32 list[64];
    static char text[4096];
    environ_get(P(list), P(text));
    is(same(text, "A=1\0EMPTY=", 11), 1, "the environment is what was given, in its order");
    clocks();

    static uint8_t a[5000], b[5000];
    u32 counts[256] = {0}, most = 0;
    is(random_get(P(a), sizeof(a)), SUCCESS, "random_get: 5000 bytes");
    is(random_get(P(b), sizeof(b)), SUCCESS, "  again");
    is(same(a, b, sizeof(a)), 0, "  they differ");
    for (u32 i = 0; i < sizeof(a); i++)
        most = ++counts[a[i]] > most ? counts[a[i]] : most;
    is(most < 60, 1, "  no value is frequent");
    a[0] = a[1] = 7;
    is(random_get(P(a), 0), SUCCESS, "  none");
    is(a[0] == 7 && a[1] == 7, 1, "  writes none");
    is(random_get(OUTSIDE, 32), FAULT, "random_get: outside");
    is(random_get(P(a), 0xffffffff), FAULT, "random_get: more than there is");
    is(sched_yield(), SUCCESS, "sched_yield");
    is(proc_raise(99), INVAL, "proc_raise: no such signal");
}
