/* flows: who talks to whom. One entry per conversation in the LRU map `by_flow`: packets and bytes
 * in both directions, first and last time, the TCP flags seen and the connection's state.
 *
 * Both directions share an entry; its ends stand in the order of their addresses. Key and
 * value are little endian and have no holes; the host's `quince map dump` decodes the same layout.
 *
 * Of a fragmented datagram only the first piece has ports; the others count under port 0. */
#include <quince_ext.h>

QUINCE_MANIFEST("name=flows\n"
                "hook=net.rx,net.tx prio=10 snap=128\n"
                "map=by_flow lru key=40 value=56 max=4096\n"
                "memory=128K stack=32K budget=20ms\n");

QUINCE_FORMAT("by_flow=-version:u8,protocol:proto,-port0:u16,-port1:u16,_:2,-end0:ip46,-end1:ip46,"
              "-packets0:u64,-packets1:u64,-bytes0:u64,-bytes1:u64,-first:u64,-last:u64,_:2,"
              "state:enum:-|opening|open|closing|closed|reset,-initiator:u8,_:4,"
              "client:ip46=initiator?end1:end0,port:u16=initiator?port1:port0,"
              "server:ip46=initiator?end0:end1,server_port:u16=initiator?port0:port1,"
              "packets:u64=packets0+packets1,bytes:u64=bytes0+bytes1,"
              "duration:time=last-first\n");

enum { BY_FLOW };
QUINCE_PACKET_BUFFER(128);

/* Ends in the order of their bytes, so that both directions make the same key. */
struct flow_key {
    uint8_t version, protocol; /* 4 or 6; IP's number */
    uint16_t ports[2];
    uint16_t reserved;
    uint8_t addresses[2][16]; /* IPv4: the first four bytes */
};
_Static_assert(sizeof(struct flow_key) == 40, "as declared");

enum tcp_state { STATE_NONE, STATE_OPENING, STATE_OPEN, STATE_CLOSING, STATE_CLOSED, STATE_RESET };

/* Counters by sender: [0] for packets of the key's end 0. */
struct flow {
    uint64_t packets[2], bytes[2]; /* bytes of whole frames */
    uint64_t first, last;          /* nanoseconds since the Unix epoch */
    uint8_t flags[2];              /* of TCP, or-ed */
    uint8_t state;                 /* enum tcp_state */
    uint8_t initiator;             /* which end spoke first */
    uint32_t reserved;
};
_Static_assert(sizeof(struct flow) == 56, "as declared");

/* Fills KEY; returns which of its ends sent the packet, or -1 when it is not IP. */
static int make_key(const struct quince_packet *packet, struct quince_ip *ip, struct flow_key *key)
{
    if (!quince_parse_ip(packet, ip)) {
        return -1;
    }
    uint16_t source = 0, destination = 0;
    quince_parse_ports(packet, ip, &source, &destination);
    uint32_t len = ip->version == 4 ? 4 : 16;
    const uint8_t *from = packet->data + ip->source, *to = packet->data + ip->destination;
    int order = memcmp(from, to, len);
    int sender = order > 0 || (order == 0 && source > destination);
    *key = (struct flow_key){.version = ip->version, .protocol = ip->protocol};
    key->ports[sender] = source;
    key->ports[!sender] = destination;
    memcpy(key->addresses[sender], from, len);
    memcpy(key->addresses[!sender], to, len);
    return sender;
}

/* What a segment with FLAGS by SENDER makes of the connection. */
static void follow_tcp(struct flow *flow, int sender, uint8_t flags)
{
    flow->flags[sender] |= flags;
    uint8_t both = flow->flags[0] & flow->flags[1];
    if (flags & QUINCE_RST) {
        flow->state = STATE_RESET;
    } else if (both & QUINCE_FIN) {
        flow->state = STATE_CLOSED;
    } else if ((flow->flags[0] | flow->flags[1]) & QUINCE_FIN) {
        flow->state = STATE_CLOSING;
    } else if (both & QUINCE_ACK) {
        flow->state = STATE_OPEN;
    } else {
        flow->state = STATE_OPENING;
    }
}

QUINCE_ON_PACKET(packet)
{
    struct quince_ip ip;
    struct flow_key key;
    int sender = make_key(packet, &ip, &key);
    if (sender < 0) {
        return QUINCE_PASS;
    }
    int flags = quince_tcp_flags(packet, &ip);
    struct flow flow;
    bool found = quince_map_get(BY_FLOW, &key, &flow) >= 0;
    /* A SYN after the end is a new connection between the same ports. */
    bool again = found && flow.state >= STATE_CLOSED && flags >= 0 && (flags & QUINCE_SYN);
    if (!found || again) {
        flow = (struct flow){.first = packet->timestamp, .initiator = (uint8_t)sender};
    }
    flow.packets[sender]++;
    flow.bytes[sender] += packet->length;
    flow.last = packet->timestamp;
    if (flags >= 0) {
        follow_tcp(&flow, sender, (uint8_t)flags);
    }
    quince_map_put(BY_FLOW, &key, &flow, QUINCE_PUT_ANY);
    return QUINCE_PASS;
}
