/* The extensions that ship as one: a module of some 10 KB for bench/first_result.py. */
#include <quince_ext.h>

QUINCE_MANIFEST("name=first\n"
                "hook=net.rx,net.tx prio=-10 snap=2048\n"
                "need=clock,log\n"
                "map=by_flow lru key=40 value=56 max=4096\n"
                "map=matches array key=4 value=8 max=33\n"
                "ring=packets 1M\n"
                "memory=128K stack=32K budget=20ms\n");
QUINCE_PACKET_BUFFER(2048);

/* What each of them says for itself is left out. */
#undef QUINCE_MANIFEST
#undef QUINCE_FORMAT
#undef QUINCE_PACKET_BUFFER
#undef QUINCE_ON_INIT
#undef QUINCE_ON_PACKET
#define QUINCE_MANIFEST(...)       _Static_assert(1, "")
#define QUINCE_FORMAT(...)         _Static_assert(1, "")
#define QUINCE_PACKET_BUFFER(snap) _Static_assert(1, "")

#define QUINCE_ON_PACKET(packet)   static uint32_t flows(struct quince_packet *packet)
#include "../extensions/flows.c"
#undef QUINCE_ON_PACKET

#define QUINCE_ON_INIT           static void firewall_init(void)
#define QUINCE_ON_PACKET(packet) static uint32_t firewall(struct quince_packet *packet)
#include "../extensions/firewall.c"
#undef QUINCE_ON_INIT
#undef QUINCE_ON_PACKET

#define QUINCE_ON_INIT           static void pcap_init(void)
#define QUINCE_ON_PACKET(packet) static uint32_t pcap(struct quince_packet *packet)
#include "../extensions/pcap.c"
#undef QUINCE_ON_INIT
#undef QUINCE_ON_PACKET

QUINCE_EXPORT(_initialize) void initialize(void);
void initialize(void)
{
    firewall_init();
    pcap_init();
}

QUINCE_EXPORT(quince_packet) uint32_t on_packet(struct quince_packet *packet, uint32_t captured);
uint32_t on_packet(struct quince_packet *packet, uint32_t captured)
{
    (void)captured;
    uint32_t verdict = firewall(packet);
    pcap(packet);
    return verdict == QUINCE_PASS ? flows(packet) : verdict;
}
