/* Clocks over the architecture's counter. */
#include "time/clock.h"
#include "arch/timer.h"

static uint64_t realtime_offset; /* real time at clock_now() == 0; 0: not asked yet */

uint64_t clock_now(void)
{
    return timer_now_ns();
}

uint64_t clock_realtime(void)
{
    uint64_t offset = __atomic_load_n(&realtime_offset, __ATOMIC_RELAXED);
    if (!offset) {
        offset = timer_realtime_at_boot_ns();
        __atomic_store_n(&realtime_offset, offset, __ATOMIC_RELAXED);
    }
    return offset + clock_now();
}

void clock_set_realtime(uint64_t ns)
{
    uint64_t now = clock_now();
    __atomic_store_n(&realtime_offset, ns > now ? ns - now : 1, __ATOMIC_RELAXED);
}
