/* Answers UDP datagrams to port 9 by itself: turns them round, puts four bytes more at their end,
 * and sends them back out, all before the network stack sees them. */
#include <quince_ext.h>

QUINCE_MANIFEST("name=reflect\n"
                "hook=net.rx snap=64\n"
                "need=packet.write\n"
                "memory=128K budget=100ms\n");
QUINCE_PACKET_BUFFER(64);

enum { TAIL = 4 };

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

static void checksum_ip(uint8_t *header, uint32_t len)
{
    uint32_t sum = 0;
    put16(header + 10, 0);
    for (uint32_t i = 0; i < len; i += 2) {
        sum += quince_get16(header + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    put16(header + 10, ~(sum + (sum >> 16)));
}

QUINCE_ON_PACKET(packet)
{
    struct quince_ip ip;
    uint16_t source, destination;
    if (!quince_parse_ip(packet, &ip) || ip.version != 4 || ip.protocol != QUINCE_UDP ||
        !quince_parse_ports(packet, &ip, &source, &destination) || destination != 9) {
        return QUINCE_PASS;
    }
    uint32_t start = ip.source - 12, end = start + ip.length;
    uint8_t *frame = packet->data, *udp = frame + ip.transport;
    swap(frame, frame + 6, 6);
    swap(frame + ip.source, frame + ip.destination, 4);
    swap(udp, udp + 2, 2);
    put16(frame + start + 2, ip.length + TAIL);
    put16(udp + 4, quince_get16(udp + 4) + TAIL);
    put16(udp + 6, 0); /* no checksum */
    checksum_ip(frame + start, ip.transport - start);
    /* Frames may be padded beyond the packet; the tail starts where the packet ends. */
    int32_t grow = (int32_t)(end + TAIL) - (int32_t)packet->length;
    if (quince_packet_adjust(0, grow) != (int32_t)(end + TAIL) ||
        quince_packet_write(0, frame, ip.transport + 8) < 0 ||
        quince_packet_write(end, "echo", TAIL) < 0) {
        return QUINCE_ABORTED;
    }
    return QUINCE_TX;
}
