/* The extensions that ship, and one more, as one: a module of 10 KB for bench/first_result.py. */
#include <quince_ext.h>

QUINCE_MANIFEST("name=first\n"
                "hook=net.rx,net.tx prio=-10 snap=2048\n"
                "need=clock,log\n"
                "map=by_flow lru key=40 value=56 max=4096\n"
                "map=matches array key=4 value=8 max=33\n"
                "map=by_name lru key=64 value=16 max=512\n"
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

/* The one more: which names are asked for, in DNS, in the first message of TLS
 * and in HTTP. */
enum { BY_NAME = 2 };
struct asked_name {
    uint8_t bytes[64]; /* in lower case, cut if longer; the rest is 0 */
    uint32_t count;
};
struct asked {
    uint64_t times, last;
};

static void name_add(struct asked_name *name, uint8_t byte)
{
    if (name->count < sizeof name->bytes)
        name->bytes[name->count++] = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* Labels from AT on; pointers lead to earlier ones in the message that starts at START. */
static uint32_t dns_name(const struct quince_packet *packet, uint32_t start, uint32_t at,
                         struct asked_name *name)
{
    uint32_t behind = 0;
    for (uint32_t labels = 0, jumps = 0; labels < 64; labels++) {
        if (at >= packet->captured)
            return 0;
        uint32_t length = packet->data[at];
        if ((length & 0xc0) == 0xc0) {
            if (packet->captured - at < 2 || jumps++ == 8)
                return 0;
            behind = behind ? behind : at + 2;
            at = start + (quince_get16(packet->data + at) & 0x3fff);
            continue;
        }
        if (!length)
            return behind ? behind : at + 1;
        if (length > 63 || packet->captured - at <= length)
            return 0;
        if (name->count)
            name_add(name, '.');
        for (uint32_t i = 1; i <= length; i++)
            name_add(name, packet->data[at + i]);
        at += length + 1;
    }
    return 0;
}

static void count(const struct quince_packet *packet, const struct asked_name *name)
{
    struct asked asked = {0};
    quince_map_get(BY_NAME, name->bytes, &asked);
    asked.times++;
    asked.last = packet->timestamp;
    quince_map_put(BY_NAME, name->bytes, &asked, QUINCE_PUT_ANY);
}

static void dns(const struct quince_packet *packet, uint32_t start)
{
    if (packet->captured < start || packet->captured - start < 12 ||
        (packet->data[start + 2] & 0xf8)) /* an answer, or no standard query */
        return;
    uint32_t at = start + 12;
    for (uint32_t left = quince_get16(packet->data + start + 4); left && left < 8; left--) {
        struct asked_name name = {{0}, 0};
        at = dns_name(packet, start, at, &name);
        if (!at || packet->captured < at || packet->captured - at < 4)
            return;
        count(packet, &name);
        at += 4;
    }
}

/* Over a vector with its length in WIDTH bytes before it. */
static bool skip_vector(const struct quince_packet *packet, uint32_t *at, uint32_t width)
{
    if (packet->captured < *at || packet->captured - *at < width)
        return false;
    uint32_t length = width == 1 ? packet->data[*at] : quince_get16(packet->data + *at);
    *at += width;
    if (packet->captured - *at < length)
        return false;
    *at += length;
    return true;
}

static void tls(const struct quince_packet *packet, uint32_t at)
{
    const uint8_t *data = packet->data;
    if (packet->captured < at || packet->captured - at < 43 || data[at] != 22 ||
        data[at + 1] != 3 ||
        data[at + 5] != 1) /* a handshake record of version 3.x with a ClientHello */
        return;
    at += 43;
    if (!skip_vector(packet, &at, 1) || !skip_vector(packet, &at, 2) ||
        !skip_vector(packet, &at, 1) || packet->captured - at < 2)
        return;
    at += 2;
    while (packet->captured - at >= 4) {
        uint32_t type = quince_get16(data + at), body = at + 4;
        at += 2;
        if (!skip_vector(packet, &at, 2))
            return;
        if (type != 0 || at - body < 5 || data[body + 2] != 0) /* server_name, host_name */
            continue;
        uint32_t length = quince_get16(data + body + 3);
        if (length > at - body - 5)
            return;
        struct asked_name name = {{0}, 0};
        for (uint32_t i = 0; i < length; i++)
            name_add(&name, data[body + 5 + i]);
        count(packet, &name);
    }
}

/* The line "Host:" of a request that begins at AT, without its port. */
static void http(const struct quince_packet *packet, uint32_t at)
{
    static const char header[] = "\nhost:";
    uint32_t matched = 0, end = packet->captured;
    for (; at < end && matched < sizeof header - 1; at++) {
        uint8_t byte = packet->data[at];
        if (byte >= 'A' && byte <= 'Z')
            byte |= 0x20;
        matched = byte == (uint8_t)header[matched] ? matched + 1 : byte == '\n';
    }
    while (at < end && (packet->data[at] == ' ' || packet->data[at] == '\t'))
        at++;
    struct asked_name name = {{0}, 0};
    bool bracket = false;
    for (; at < end && packet->data[at] > ' ' && (packet->data[at] != ':' || bracket); at++) {
        bracket = packet->data[at] == '[' || (bracket && packet->data[at] != ']');
        name_add(&name, packet->data[at]);
    }
    if (matched == sizeof header - 1 && name.count && at < end)
        count(packet, &name);
}

static void names(const struct quince_packet *packet)
{
    struct quince_ip ip;
    uint16_t source, destination;
    if (!quince_parse_ip(packet, &ip) || !quince_parse_ports(packet, &ip, &source, &destination))
        return;
    if (ip.protocol == QUINCE_UDP && destination == 53)
        dns(packet, ip.transport + 8);
    if (ip.protocol != QUINCE_TCP || packet->captured - ip.transport < 20)
        return;
    uint32_t behind = ip.transport + (packet->data[ip.transport + 12] >> 4) * 4u;
    if (destination == 443)
        tls(packet, behind);
    else if (destination == 80)
        http(packet, behind);
}

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
    names(packet);
    return verdict == QUINCE_PASS ? flows(packet) : verdict;
}
