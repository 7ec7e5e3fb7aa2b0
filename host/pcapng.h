/* Writing captured Ethernet packets: as pcapng, or as pcap by libpcap. */
#ifndef QUINCE_HOST_PCAPNG_H
#define QUINCE_HOST_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct packet_writer;

/* One packet as it was captured. */
struct captured {
    uint64_t ns; /* since the Unix epoch */
    uint32_t captured, length;
    const uint8_t *bytes;
};

/* OUT stays the caller's to close for pcapng; for pcap the writer owns it. INTERFACE is a name
 * shown in pcapng. NULL: out of memory. */
struct packet_writer *packet_writer_new(FILE *out, bool pcapng, const char *interface);
void packet_write(struct packet_writer *writer, const struct captured *packet);
/* Whether all could be written so far; flushes. */
bool packet_writer_flush(struct packet_writer *writer);
void packet_writer_free(struct packet_writer *writer);

#endif
