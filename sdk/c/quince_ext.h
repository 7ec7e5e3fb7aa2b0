/* Extensions for Quince in C: all a module needs, in one header.
 *
 *     #include <quince_ext.h>
 *
 *     QUINCE_MANIFEST("name=count\n"
 *                     "hook=net.rx snap=64\n"
 *                     "map=protocols array value=8 max=256\n");
 *     QUINCE_PACKET_BUFFER(64);
 *
 *     QUINCE_ON_PACKET(packet)
 *     {
 *         struct quince_ip ip;
 *         if (quince_parse_ip(packet, &ip)) {
 *             uint32_t protocol = ip.protocol;
 *             quince_map_add(0, &protocol, 0, 1);
 *         }
 *         return QUINCE_PASS;
 *     }
 *
 *     clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -I sdk/c -o count.wasm count.c
 *
 * No libc is needed; what clang itself calls (memcpy and its kin) is here. The kernel calls into an
 * extension one call at a time, so there are no threads to think of. docs/extensions.md has the
 * whole story. */
#ifndef QUINCE_EXT_H
#define QUINCE_EXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __wasm__
#error "extensions are compiled with clang --target=wasm32"
#endif

/* --- What the module says about itself ------------------------------------------------------- */

#define QUINCE_TEXT_(...) #__VA_ARGS__
#define QUINCE_TEXT(...)  QUINCE_TEXT_(__VA_ARGS__)
/* key=value lines, each with its \n: see docs/extensions.md. May be used more than once. */
#define QUINCE_MANIFEST(...)                                                                       \
    __asm__(".section .custom_section.quince,\"\",@\n.ascii " QUINCE_TEXT(__VA_ARGS__) "\n."       \
                                                                                       "text\n")

/* How the operator's `quince map dump` shows a map: lines MAP=FORMAT, each with its \n, where the
 * format names the fields of key and value; see docs/maps.md. */
#define QUINCE_FORMAT(...)                                                                         \
    __asm__(".section .custom_section.quince.format,\"\",@\n.ascii " QUINCE_TEXT(                  \
        __VA_ARGS__) "\n.text\n")

#define QUINCE_EXPORT(name) __attribute__((export_name(#name), used, visibility("default")))

/* --- What the kernel calls -------------------------------------------------------------------- */

/* Verdicts about a packet. */
enum {
    QUINCE_ABORTED, /* drop it and count an error */
    QUINCE_DROP,
    QUINCE_PASS, /* to the next extension, then to the stack or the device */
    QUINCE_TX,   /* back out of the interface it came from */
    QUINCE_REDIRECT,
};

/* What a packet is shown as: filled in by the kernel before each call. */
struct quince_packet {
    uint32_t length;    /* of the frame, from its Ethernet header on */
    uint32_t captured;  /* bytes in data[]; at most the snap= of the manifest */
    uint64_t timestamp; /* nanoseconds since the Unix epoch */
    uint32_t flow_hash; /* equal for both directions of a conversation */
    uint16_t interface;
    uint16_t vlan;     /* of its 802.1Q tag; 0: none */
    uint8_t direction; /* QUINCE_RX or QUINCE_TX_DIRECTION */
    uint8_t checksum;  /* 1: verified by the device, 2: to be filled in by it */
    uint16_t reserved16;
    uint32_t reserved32;
    uint8_t data[];
};
_Static_assert(sizeof(struct quince_packet) == 32, "the kernel's layout");
enum { QUINCE_RX, QUINCE_TX_DIRECTION };

/* Where the kernel puts packets: room for SNAP bytes of each. */
#define QUINCE_PACKET_BUFFER(snap)                                                                 \
    static _Alignas(16) uint8_t quince_buffer_[sizeof(struct quince_packet) + (snap)];             \
    QUINCE_EXPORT(quince_packet_buffer) void *quince_packet_buffer(uint32_t size);                 \
    void *quince_packet_buffer(uint32_t size)                                                      \
    {                                                                                              \
        return size <= sizeof quince_buffer_ ? quince_buffer_ : 0;                                 \
    }                                                                                              \
    _Static_assert(1, "")

/* QUINCE_ON_PACKET(p) { … return QUINCE_PASS; }: called for every packet of the hooks. */
#define QUINCE_ON_PACKET(packet)                                                                   \
    QUINCE_EXPORT(quince_packet)                                                                   \
    uint32_t quince_packet_(struct quince_packet *packet, uint32_t quince_captured_);              \
    uint32_t quince_packet_(struct quince_packet *packet,                                          \
                            uint32_t quince_captured_ __attribute__((unused)))
/* QUINCE_ON_INIT { … }: once, before packets come. */
#define QUINCE_ON_INIT                                                                             \
    QUINCE_EXPORT(_initialize) void quince_initialize_(void);                                      \
    void quince_initialize_(void)
/* QUINCE_ON_TIMER(id) { … }: a timer set by quince_timer_set() is due. */
#define QUINCE_ON_TIMER(id)                                                                        \
    QUINCE_EXPORT(quince_timer) void quince_timer_(uint32_t id);                                   \
    void quince_timer_(uint32_t id)
/* QUINCE_ON_FINI { … }: before it is unloaded. */
#define QUINCE_ON_FINI                                                                             \
    QUINCE_EXPORT(quince_fini) void quince_fini_(void);                                            \
    void quince_fini_(void)

/* --- What it may call: results are ≥ 0 or −errno -----------------------------------------------
 */

#define QUINCE_IMPORT(name) __attribute__((import_module("quince1"), import_name(#name)))

enum { QUINCE_LOG_ERROR, QUINCE_LOG_WARN, QUINCE_LOG_INFO, QUINCE_LOG_DEBUG };
/* One line to the kernel log. Needs log. */
QUINCE_IMPORT(log) int32_t quince_log(uint32_t level, const char *text, uint32_t len);

enum { QUINCE_MONOTONIC, QUINCE_REALTIME };
/* Nanoseconds since boot, or since the Unix epoch. Needs clock. */
QUINCE_IMPORT(now) uint64_t quince_now(uint32_t clock);

/* Random bytes, at most 4096. Needs random. */
QUINCE_IMPORT(random) int32_t quince_random(void *to, uint32_t len);

/* Timer ID (0…7) is due once in NS nanoseconds; 0 switches it off. Needs timer. */
QUINCE_IMPORT(timer_set) int32_t quince_timer_set(uint32_t id, uint64_t ns);

/* Copies from the packet being decided about; all of it, not only what was captured. −EINVAL when
 * [offset, offset + len) is not within. */
QUINCE_IMPORT(packet_read) int32_t quince_packet_read(uint32_t offset, void *to, uint32_t len);
/* Changes it. Needs packet.write. */
QUINCE_IMPORT(packet_write)
int32_t quince_packet_write(uint32_t offset, const void *from, uint32_t len);
/* Grows (positive) or shrinks it at its head and tail: its new length. Needs packet.write. */
QUINCE_IMPORT(packet_adjust) int32_t quince_packet_adjust(int32_t head, int32_t tail);

/* Maps and rings are numbered in the order of their lines in the manifest, from 0. Keys and values
 * have the sizes declared there. */
QUINCE_IMPORT(map_get) int32_t quince_map_get(uint32_t map, const void *key, void *value);
enum { QUINCE_PUT_ANY, QUINCE_PUT_NEW, QUINCE_PUT_EXISTING };
QUINCE_IMPORT(map_put)
int32_t quince_map_put(uint32_t map, const void *key, const void *value, uint32_t flags);
QUINCE_IMPORT(map_del) int32_t quince_map_del(uint32_t map, const void *key);
/* Adds to the 64-bit number at OFFSET of the value; a missing entry starts from zeroes. */
QUINCE_IMPORT(map_add)
int32_t quince_map_add(uint32_t map, const void *key, uint32_t offset, uint64_t delta);

/* A record into a ring. Never blocks: the oldest records give way. */
QUINCE_IMPORT(emit) int32_t quince_emit(uint32_t ring, const void *record, uint32_t len);

/* A setting given at load: its length, of which at most SIZE bytes were copied; −ENOENT. */
QUINCE_IMPORT(cfg_read)
int32_t quince_cfg_read(const char *name, uint32_t name_len, void *to, uint32_t size);

enum {
    QUINCE_EPERM = 1,
    QUINCE_ENOENT = 2,
    QUINCE_EBADF = 9,
    QUINCE_EAGAIN = 11,
    QUINCE_EFAULT = 14,
    QUINCE_EEXIST = 17,
    QUINCE_EINVAL = 22,
    QUINCE_ENOSPC = 28,
    QUINCE_ENODATA = 61,
    QUINCE_EMSGSIZE = 90,
};

/* --- What clang calls when there is no libc --------------------------------------------------- */

#define QUINCE_BUILTIN __attribute__((weak, no_builtin, visibility("hidden")))
QUINCE_BUILTIN void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    while (n--) {
        *t++ = *f++;
    }
    return to;
}
QUINCE_BUILTIN void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t < f) {
        while (n--) {
            *t++ = *f++;
        }
    } else {
        while (n--) {
            t[n] = f[n];
        }
    }
    return to;
}
QUINCE_BUILTIN void *memset(void *to, int value, size_t n)
{
    uint8_t *t = to;
    while (n--) {
        *t++ = (uint8_t)value;
    }
    return to;
}
QUINCE_BUILTIN int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (; n; n--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
QUINCE_BUILTIN size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        n++;
    }
    return n;
}

/* Logs a string literal or other string. */
static inline int32_t quince_log_text(uint32_t level, const char *text)
{
    return quince_log(level, text, (uint32_t)strlen(text));
}

/* --- Reading packets ---------------------------------------------------------------------------
 */

static inline uint16_t quince_get16(const uint8_t *at) /* network byte order */
{
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline uint32_t quince_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

enum {
    QUINCE_ETHERTYPE_IPV4 = 0x0800,
    QUINCE_ETHERTYPE_ARP = 0x0806,
    QUINCE_ETHERTYPE_IPV6 = 0x86dd,
    QUINCE_ICMP = 1,
    QUINCE_TCP = 6,
    QUINCE_UDP = 17,
    QUINCE_ICMPV6 = 58,
};

/* The network layer's header. Every offset below lies within the captured bytes. */
struct quince_ip {
    uint8_t version;              /* 4 or 6 */
    uint8_t protocol;             /* behind IPv6's extension headers as far as captured */
    bool fragment;                /* a later fragment: there is no transport header */
    uint32_t source, destination; /* offsets of the addresses in data[]: 4 or 16 bytes */
    uint32_t transport;           /* offset of the transport header; may equal captured */
    uint32_t length;              /* of the IP packet as its header says */
};

/* The ethertype behind at most two VLAN tags and where what it names starts; 0: too short. */
static inline uint16_t quince_parse_ethernet(const struct quince_packet *packet, uint32_t *offset)
{
    uint32_t at = 12;
    for (int tags = 0; tags < 3; tags++, at += 4) {
        if (packet->captured < at + 2) {
            return 0;
        }
        uint16_t type = quince_get16(packet->data + at);
        if (type != 0x8100 && type != 0x88a8) {
            *offset = at + 2;
            return type;
        }
    }
    return 0;
}

/* Steps over IPv6 extension headers from IP->transport on. */
static inline void quince_skip_ipv6_(const struct quince_packet *packet, struct quince_ip *ip)
{
    for (int headers = 0; headers < 8; headers++) {
        bool options = ip->protocol == 0 || ip->protocol == 43 || ip->protocol == 60;
        bool fragment = ip->protocol == 44;
        if ((!options && !fragment) || packet->captured - ip->transport < 8) {
            return;
        }
        const uint8_t *header = packet->data + ip->transport;
        uint32_t len = fragment ? 8 : (header[1] + 1u) * 8;
        if (len > packet->captured - ip->transport) {
            return;
        }
        ip->fragment = ip->fragment || (fragment && (quince_get16(header + 2) & 0xfff8) != 0);
        ip->protocol = header[0];
        ip->transport += len;
    }
}

/* false: not IP, or its header was not captured whole. */
static inline bool quince_parse_ip(const struct quince_packet *packet, struct quince_ip *ip)
{
    uint32_t at = 0;
    uint16_t type = quince_parse_ethernet(packet, &at);
    const uint8_t *header = packet->data + at;
    if (type == QUINCE_ETHERTYPE_IPV4 && packet->captured - at >= 20 && header[0] >> 4 == 4) {
        uint32_t len = (header[0] & 15u) * 4;
        if (len < 20 || packet->captured - at < len) {
            return false;
        }
        *ip = (struct quince_ip){4,
                                 header[9],
                                 (quince_get16(header + 6) & 0x1fff) != 0,
                                 at + 12,
                                 at + 16,
                                 at + len,
                                 quince_get16(header + 2)};
        return true;
    }
    if (type == QUINCE_ETHERTYPE_IPV6 && packet->captured - at >= 40 && header[0] >> 4 == 6) {
        *ip = (struct quince_ip){
            6, header[6], false, at + 8, at + 24, at + 40, quince_get16(header + 4) + 40u};
        quince_skip_ipv6_(packet, ip);
        return true;
    }
    return false;
}

/* The ports of TCP and UDP: false when the packet is neither or they were not captured. */
static inline bool quince_parse_ports(const struct quince_packet *packet,
                                      const struct quince_ip *ip, uint16_t *source,
                                      uint16_t *destination)
{
    if ((ip->protocol != QUINCE_TCP && ip->protocol != QUINCE_UDP) || ip->fragment ||
        packet->captured - ip->transport < 4) {
        return false;
    }
    *source = quince_get16(packet->data + ip->transport);
    *destination = quince_get16(packet->data + ip->transport + 2);
    return true;
}

enum {
    QUINCE_FIN = 1,
    QUINCE_SYN = 2,
    QUINCE_RST = 4,
    QUINCE_PSH = 8,
    QUINCE_ACK = 16,
    QUINCE_URG = 32,
};
/* The flags of a TCP segment; −1 when it is not one or its header was not captured. */
static inline int quince_tcp_flags(const struct quince_packet *packet, const struct quince_ip *ip)
{
    if (ip->protocol != QUINCE_TCP || ip->fragment || packet->captured - ip->transport < 20) {
        return -1;
    }
    return packet->data[ip->transport + 13];
}

#endif
