/* Hook points for packets: ordered chains of extensions on each direction, the context a packet is
 * shown with, verdicts.
 *
 * A chain runs from low to high prio, at equal prio in order of loading, until a verdict other than
 * PASS: that one counts for the packet. Verdicts beyond REDIRECT count as ABORTED. */
#ifndef QUINCE_EXTEND_HOOK_H
#define QUINCE_EXTEND_HOOK_H

#include "extend/extension.h"

enum { HOOK_CHAIN_MAX = 16 };

/* What stands at the start of the packet buffer, before the snapped bytes: 32 bytes, little endian.
 * The SDKs know it as struct quince_packet. */
struct packet_context {
    uint32_t length;    /* of the frame, from its Ethernet header on */
    uint32_t captured;  /* bytes of it that follow */
    uint64_t timestamp; /* nanoseconds since the Unix epoch */
    uint32_t flow_hash; /* equal for both directions of a conversation */
    uint16_t interface;
    uint16_t vlan;     /* of its 802.1Q tag; 0: none */
    uint8_t direction; /* 0 received, 1 to be sent */
    uint8_t checksum;  /* 1: verified by the device, 2: to be filled in by it */
    uint16_t reserved16;
    uint32_t reserved32;
};
_Static_assert(sizeof(struct packet_context) == 32, "part of the extension ABI");

/* Bytes the packet buffer of EXT must have. */
uint32_t hook_buffer_size(const struct manifest *manifest);
/* Puts EXT on the chains it declares, between two packets: 0, -ENOSPC, -ENODEV (an image without
 * network) and a reason. */
int hook_attach(struct extension *ext, char *reason, size_t size);
/* Takes it off; when this returns, no packet is inside it and none will enter. */
void hook_detach(struct extension *ext);
/* The packet's calls for extensions, as the image has a network or not. */
size_t hook_packet_length(const struct packet *packet);
int hook_packet_read(const struct packet *packet, uint32_t offset, void *buffer, uint32_t len);
int hook_packet_write(struct packet *packet, uint32_t offset, const void *buffer, uint32_t len);
int hook_packet_adjust(struct packet *packet, int32_t head, int32_t tail);
/* Runs FN between two packets; at once in an image without network. 0 or -errno. */
int hook_between_packets(void (*fn)(void *context), void *context);

#endif
