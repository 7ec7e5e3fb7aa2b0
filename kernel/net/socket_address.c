/* Socket addresses between Linux's and lwIP's forms, and the walk over message pieces. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "lwip/ip.h"

static bool is_mapped(const uint8_t *bytes)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(bytes, prefix, sizeof prefix) == 0;
}

int address_read(const struct socket *s, const void *addr, size_t len, struct endpoint *out)
{
    sa_family_t family;
    if (!addr)
        return -EFAULT;
    if (len < sizeof family)
        return -EINVAL;
    memcpy(&family, addr, sizeof family);
    memset(out, 0, sizeof *out);
    if (family != s->domain)
        return -EAFNOSUPPORT;
    if (family == AF_INET) {
        struct sockaddr_in in;
        if (len < sizeof in)
            return -EINVAL;
        memcpy(&in, addr, sizeof in);
        ip_addr_set_ip4_u32_val(out->ip, in.sin_addr.s_addr);
        out->port = ntohs(in.sin_port);
        return 0;
    }
    struct sockaddr_in6 in6;
    if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
        return -EINVAL;
    memset(&in6, 0, sizeof in6);
    memcpy(&in6, addr, len < sizeof in6 ? len : sizeof in6);
    out->port = ntohs(in6.sin6_port);
    const uint8_t *bytes = in6.sin6_addr.s6_addr;
    if (is_mapped(bytes)) {
        uint32_t v4;
        memcpy(&v4, bytes + 12, sizeof v4);
        if (s->v6only)
            return -ENETUNREACH;
        ip_addr_set_ip4_u32_val(out->ip, v4);
        return 0;
    }
    ip6_addr_t v6;
    memcpy(v6.addr, bytes, sizeof v6.addr);
    ip6_addr_clear_zone(&v6);
    if (ip6_addr_has_scope(&v6, IP6_UNKNOWN)) {
        if (in6.sin6_scope_id != 0 && in6.sin6_scope_id <= 255)
            ip6_addr_set_zone(&v6, (uint8_t)in6.sin6_scope_id);
        else if (netif_default)
            ip6_addr_assign_zone(&v6, IP6_UNKNOWN, netif_default);
    }
    ip_addr_copy_from_ip6(out->ip, v6);
    return 0;
}

void address_write(const struct socket *s, const struct endpoint *from, void *addr, socklen_t *len)
{
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } out;
    socklen_t size;
    memset(&out, 0, sizeof out);
    if (s->domain == AF_INET) {
        out.in.sin_family = AF_INET;
        out.in.sin_port = htons(from->port);
        if (IP_IS_V4_VAL(from->ip))
            out.in.sin_addr.s_addr = ip_addr_get_ip4_u32(&from->ip);
        size = sizeof out.in;
    } else {
        uint8_t *bytes = out.in6.sin6_addr.s6_addr;
        out.in6.sin6_family = AF_INET6;
        out.in6.sin6_port = htons(from->port);
        if (IP_IS_V6_VAL(from->ip)) {
            memcpy(bytes, ip_2_ip6(&from->ip)->addr, 16);
            out.in6.sin6_scope_id = ip6_addr_zone(ip_2_ip6(&from->ip));
        } else if (IP_IS_V4_VAL(from->ip) && !ip4_addr_isany(ip_2_ip4(&from->ip))) {
            uint32_t v4 = ip_addr_get_ip4_u32(&from->ip);
            bytes[10] = bytes[11] = 0xff;
            memcpy(bytes + 12, &v4, sizeof v4);
        }
        size = sizeof out.in6;
    }
    if (addr && len) {
        memcpy(addr, &out, *len < size ? *len : size);
        *len = size;
    }
}

void *iov_piece(struct iov_cursor *cursor, size_t *len)
{
    while (cursor->left > 0 && cursor->offset >= cursor->iov->iov_len) {
        cursor->iov++;
        cursor->left--;
        cursor->offset = 0;
    }
    if (cursor->left == 0) {
        *len = 0;
        return NULL;
    }
    *len = cursor->iov->iov_len - cursor->offset;
    return (char *)cursor->iov->iov_base + cursor->offset;
}

void iov_advance(struct iov_cursor *cursor, size_t len)
{
    cursor->offset += len;
}
