/* pcap: every packet, received and sent, as a record of a pcap file into the ring `packets`. The
 * host writes the file's header, with nanosecond timestamps (magic 0xa1b23c4d) and link type 1, and
 * the records behind it as they come.
 *
 * Settings: snaplen=N, bytes kept of each packet (default and most: 2048). */
#include <quince_ext.h>

QUINCE_MANIFEST("name=pcap\n"
                "hook=net.rx,net.tx prio=-100 snap=2048\n"
                "ring=packets 1M\n"
                "memory=128K stack=32K budget=20ms\n");

enum { PACKETS, SNAP = 2048 };
QUINCE_PACKET_BUFFER(SNAP);

/* A record's header, as the file format has it. */
struct record {
    uint32_t seconds, nanoseconds;
    uint32_t captured, length;
};

static uint32_t snaplen = SNAP;

QUINCE_ON_INIT
{
    char text[8];
    int32_t len = quince_cfg_read("snaplen", 7, text, sizeof text);
    uint32_t value = 0;
    for (int32_t i = 0; i < len && i < (int32_t)sizeof text; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return;
        }
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (value > 0 && value < SNAP) {
        snaplen = value;
    }
}

QUINCE_ON_PACKET(packet)
{
    /* The record's header replaces the end of the context, right before the bytes: one piece. */
    struct record *record = (struct record *)(packet->data - sizeof *record);
    uint64_t time = packet->timestamp;
    uint32_t captured = packet->captured < snaplen ? packet->captured : snaplen;
    *record = (struct record){(uint32_t)(time / 1000000000u), (uint32_t)(time % 1000000000u),
                              captured, packet->length};
    quince_emit(PACKETS, record, sizeof *record + captured);
    return QUINCE_PASS;
}
