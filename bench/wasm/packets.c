/* A packet analyser's inner loop: parse Ethernet, IPv4, TCP or UDP, find the flow in a hash table.
 */
#include "bench.h"

enum { PACKETS = 512, FLOWS = 4096, SNAP = 96 };
struct flow {
    uint32_t source, target;
    uint16_t source_port, target_port;
    uint8_t protocol, used;
    uint64_t packets, bytes;
};
static uint8_t packet[PACKETS][SNAP];
static uint16_t packet_length[PACKETS];
static struct flow flows[FLOWS];

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void make_packets(void)
{
    random_seed(4);
    for (size_t i = 0; i < PACKETS; i++) {
        uint8_t *p = packet[i];
        for (size_t j = 0; j < SNAP; j++)
            p[j] = (uint8_t)random_next();
        put16(p + 12, random_next() % 16 ? 0x0800 : 0x86dd);
        p[14] = random_next() % 8 ? 0x45 : 0x46;
        p[23] = random_next() % 3 ? 6 : 17;
        for (size_t j = 26; j < 34; j++) /* few hosts, so that flows recur */
            p[j] &= 3;
        size_t head = (p[14] & 15u) * 4;
        put16(p + 14 + head, random_next() % 8);
        put16(p + 16 + head, 80);
        packet_length[i] = (uint16_t)(60 + random_next() % 1400);
        put16(p + 16, packet_length[i] - 14u);
    }
}

static int account(const uint8_t *p, uint32_t captured, uint32_t length)
{
    if (captured < 34 || get16(p + 12) != 0x0800 || p[14] >> 4 != 4)
        return 0;
    uint32_t head = (p[14] & 15u) * 4;
    if (head < 20 || 14 + head + 4 > captured || get16(p + 16) > length - 14)
        return 0;
    uint8_t protocol = p[23];
    if (protocol != 6 && protocol != 17)
        return 0;
    const uint8_t *l4 = p + 14 + head;
    uint32_t source = get32(p + 26), target = get32(p + 30);
    uint16_t source_port = get16(l4), target_port = get16(l4 + 2);
    uint32_t hash = source * 0x9e3779b1u ^ target * 0x85ebca6bu;
    hash ^= ((uint32_t)source_port << 16 | target_port) * 0xc2b2ae35u ^ protocol;
    hash ^= hash >> 15;
    for (uint32_t probe = 0; probe < FLOWS; probe++) {
        struct flow *f = &flows[(hash + probe) & (FLOWS - 1)];
        if (!f->used) {
            *f = (struct flow){source, target, source_port, target_port, protocol, 1, 1, length};
            return 1;
        }
        if (f->source == source && f->target == target && f->source_port == source_port &&
            f->target_port == target_port && f->protocol == protocol) {
            f->packets++;
            f->bytes += length;
            return 1;
        }
    }
    return 0;
}

EXPORT
{
    make_packets();
    for (size_t i = 0; i < FLOWS; i++)
        flows[i].used = 0;
    uint32_t accounted = 0;
    while (rounds--)
        for (size_t i = 0; i < PACKETS; i++)
            accounted += (uint32_t)account(packet[i], SNAP, packet_length[i]);
    uint32_t sum = accounted;
    for (size_t i = 0; i < FLOWS; i++)
        if (flows[i].used)
            sum = mix(sum, (uint32_t)(flows[i].packets + flows[i].bytes));
    return sum;
}
