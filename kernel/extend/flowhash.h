/* A number that the packets of one conversation share, in both directions. */
#ifndef QUINCE_EXTEND_FLOWHASH_H
#define QUINCE_EXTEND_FLOWHASH_H

#include <stddef.h>
#include <stdint.h>

enum { FLOWHASH_BYTES = 96 }; /* of a frame that it looks at, at most */

/* Of an Ethernet frame's first LEN bytes: addresses, protocol and ports for IPv4 and IPv6 (ports
 * not of fragments), else of the Ethernet addresses. SEED makes it unpredictable. */
uint32_t flowhash(const uint8_t *frame, size_t len, uint64_t seed);

#endif
