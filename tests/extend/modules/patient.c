/* Works on each datagram to port 9 for some milliseconds on an emulated CPU, well within its
 * budget. */
#include <quince_ext.h>

QUINCE_MANIFEST("name=patient\n"
                "hook=net.rx snap=64\n"
                "budget=100ms\n"
                "memory=128K\n");
QUINCE_PACKET_BUFFER(64);

enum { STEPS = 6000000 };

QUINCE_ON_PACKET(packet)
{
    struct quince_ip ip;
    uint16_t source, destination;
    if (!quince_parse_ip(packet, &ip) || ip.version != 4 || ip.protocol != QUINCE_UDP ||
        !quince_parse_ports(packet, &ip, &source, &destination) || destination != 9) {
        return QUINCE_PASS;
    }
    uint32_t x = source;
    for (uint32_t i = 0; i < STEPS; i++) {
        x = x * 1664525 + 1013904223;
        x ^= x >> 15;
    }
    return x == 1 ? QUINCE_PASS : QUINCE_DROP;
}
