// Writes to the log, its ring and its maps as fast as it can with every packet: lines are cut,
// records overwrite each other, the map is full; nothing grows.
//! hook=net.rx
//! need=log
//! map=h hash key=8 value=8 max=64
//! map=l lru key=8 value=8 max=64
//! ring=r 4K
//! budget=100ms
// expect attached
#include <quince_ext.h>

QUINCE_PACKET_BUFFER(128);

QUINCE_ON_PACKET(packet)
{
    static uint64_t n;
    (void)packet;
    for (int i = 0; i < 50; i++, n++) {
        quince_log_text(QUINCE_LOG_DEBUG, "flood \033[31m of \n\r lines");
        quince_emit(0, &n, sizeof n);
        quince_map_put(0, &n, &n, QUINCE_PUT_ANY);
        quince_map_put(1, &n, &n, QUINCE_PUT_ANY);
    }
    return QUINCE_PASS;
}
