/* Counts its timer's ticks in a map, which outlives it: with the fifth tick it traps. */
#include <quince_ext.h>

QUINCE_MANIFEST("name=clock\n"
                "need=timer,clock,log,random\n"
                "map=ticks counter key=5 max=4\n"
                "memory=128K budget=100ms\n");

static uint32_t ticks;

QUINCE_ON_INIT
{
    uint8_t bytes[16] = {0};
    if (quince_random(bytes, sizeof bytes) != sizeof bytes ||
        quince_now(QUINCE_REALTIME) < 1600000000000000000u || quince_now(2) + 22 != 0) {
        __builtin_trap();
    }
    quince_log_text(QUINCE_LOG_WARN, "the clock starts");
    quince_timer_set(1, 10000000);
}

QUINCE_ON_TIMER(id)
{
    quince_map_add(0, "ticks", 0, 1);
    if (id != 1 || ++ticks == 5) {
        __builtin_trap();
    }
    quince_timer_set(1, 10000000);
}
