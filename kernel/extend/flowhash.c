/* Flow hashes: see flowhash.h. Both ends are mixed alone and then added, so that direction does not
 * matter. */
#include "extend/flowhash.h"

#include <stdbool.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static uint64_t end_hash(const uint8_t *address, size_t len, uint16_t port, uint64_t seed)
{
    uint64_t h = seed ^ port;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = 0;
        memcpy(&word, address + i, len - i < 8 ? len - i : 8);
        h = mix(h ^ word);
    }
    return h;
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t combine(uint64_t a, uint64_t b, uint8_t protocol)
{
    uint64_t h = mix((a + b) ^ protocol);
    return (uint32_t)(h ^ h >> 32);
}

uint32_t flowhash(const uint8_t *frame, size_t len, uint64_t seed)
{
    if (len < 14) {
        return 0;
    }
    size_t at = 14;
    uint16_t type = get16(frame + 12);
    if (type == 0x8100 && len >= 18) { /* one VLAN tag */
        type = get16(frame + 16);
        at = 18;
    }
    const uint8_t *source = frame + 6, *destination = frame;
    size_t address = 6, transport = 0;
    uint8_t protocol = 0;
    if (type == 0x0800 && len - at >= 20 && frame[at] >> 4 == 4 && (frame[at] & 15) >= 5) {
        protocol = frame[at + 9];
        source = frame + at + 12;
        destination = frame + at + 16;
        address = 4;
        bool fragment = (get16(frame + at + 6) & 0x3fff) != 0;
        transport = fragment ? 0 : at + (frame[at] & 15u) * 4;
    } else if (type == 0x86dd && len - at >= 40 && frame[at] >> 4 == 6) {
        protocol = frame[at + 6];
        source = frame + at + 8;
        destination = frame + at + 24;
        address = 16;
        transport = at + 40;
    }
    bool ports =
        transport && (protocol == 6 || protocol == 17 || protocol == 132) && len >= transport + 4;
    return combine(end_hash(source, address, ports ? get16(frame + transport) : 0, seed),
                   end_hash(destination, address, ports ? get16(frame + transport + 2) : 0, seed),
                   protocol);
}
