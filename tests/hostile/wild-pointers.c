// Host functions with pointers and lengths that are not its own: each must answer with an error,
// and none may touch a byte outside of the module's memory.
//! hook=net.rx
//! need=log,random,packet.write
//! map=a array value=64 max=4
//! map=h hash key=32 value=64 max=4
//! ring=r 4K
//! init_budget=1s
//! budget=100ms
// expect attached
#include <quince_ext.h>

QUINCE_PACKET_BUFFER(128);

static const struct {
    uint32_t at, len;
} wild[] = {
    {0xffffffff, 1},     {0xffffffff, 0xffffffff}, {0xfffffff0, 64},  {0, 0xffffffff},
    {65536, 0xfffffff0}, {0x80000000, 64},         {0x7fffffff, 128}, {0x10000000, 0x10000000},
    {0x00400000, 64},    {1, 0xfffffffe},
};

static void must_fail(int32_t result)
{
    if (result >= 0) {
        __builtin_trap();
    }
}

static void *at(uint32_t address)
{
    return (void *)address;
}

static void try_all(bool packet)
{
    static uint8_t good[64];
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        void *p = at(wild[i].at);
        uint32_t len = wild[i].len;
        must_fail(quince_log(QUINCE_LOG_DEBUG, p, len));
        must_fail(quince_random(p, len));
        must_fail(quince_packet_read(0, p, len));
        must_fail(quince_packet_write(0, p, len));
        must_fail(quince_emit(0, p, len));
        must_fail(quince_cfg_read(p, len, good, sizeof good));
        must_fail(quince_cfg_read("x", 1, p, len));
        if (len < 64) {
            continue; /* a map's sizes are its own: these addresses may be good for it */
        }
        if (wild[i].at < 4096) {
            continue;
        }
        must_fail(quince_map_get(0, p, good));
        must_fail(quince_map_get(1, p, good));
        must_fail(quince_map_get(0, good, p));
        must_fail(quince_map_put(0, good, p, 0));
        must_fail(quince_map_put(1, p, good, 0));
        must_fail(quince_map_add(1, p, 0, 1));
        must_fail(quince_map_del(1, p));
    }
    /* Numbers of things that are not there. */
    must_fail(quince_map_get(2, good, good));
    must_fail(quince_map_put(0xffffffff, good, good, 0));
    must_fail(quince_map_put(1, good, good, 77));
    must_fail(quince_map_add(0, good, 57, 1));
    must_fail(quince_map_add(0, good, 0xffffffff, 1));
    must_fail(quince_emit(1, good, 1));
    must_fail(quince_log(4, "x", 1));
    /* Places outside of the packet, or no packet at all. */
    must_fail(quince_packet_read(0xffffffff, good, 1));
    must_fail(quince_packet_read(60000, good, 64));
    must_fail(quince_packet_write(0xffffffff, good, 64));
    must_fail(quince_packet_adjust(0x7fffffff, 0x7fffffff));
    must_fail(quince_packet_adjust((int32_t)0x80000000, 0));
    must_fail(quince_packet_adjust(0, (int32_t)0x80000000));
    if (!packet) {
        must_fail(quince_packet_read(0, good, 1));
        must_fail(quince_packet_adjust(0, 0));
    }
}

QUINCE_ON_INIT
{
    try_all(false);
}

QUINCE_ON_PACKET(packet)
{
    (void)packet;
    try_all(true);
    return QUINCE_PASS;
}
