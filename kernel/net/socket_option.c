/* Socket options: those every socket has, then the kind's own. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include "net/stack.h"
#include "time/clock.h"

#include "lwip/igmp.h"
#include "lwip/mld6.h"

enum { BUFFER_MIN = 2048, BUFFER_MAX = 4 << 20 };

static long set_timeout(uint64_t *out, const void *value, socklen_t len)
{
    struct timeval tv;
    if (len < sizeof tv)
        return -EINVAL;
    memcpy(&tv, value, sizeof tv);
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    if (tv.tv_sec < 0 || tv.tv_sec > INT32_MAX)
        *out = 0;
    else
        *out = (uint64_t)tv.tv_sec * NS_PER_S + (uint64_t)tv.tv_usec * NS_PER_US;
    return 0;
}

static long give(void *value, socklen_t *len, const void *data, size_t size)
{
    if (*len < size)
        size = *len;
    memcpy(value, data, size);
    *len = (socklen_t)size;
    return 0;
}

static int clamp_buffer(int value)
{
    if (value < BUFFER_MIN / 2)
        return BUFFER_MIN;
    return value > BUFFER_MAX / 2 ? BUFFER_MAX : 2 * value; /* doubled, as on Linux */
}

static long membership(struct socket *s, int level, int name, const void *value, socklen_t len)
{
    err_t error;
    if (s->type != SOCK_DGRAM)
        return -EINVAL;
    if (level == IPPROTO_IP) {
        struct ip_mreq request;
        if (len < sizeof request)
            return -EINVAL;
        memcpy(&request, value, sizeof request);
        ip4_addr_t interface = {request.imr_interface.s_addr};
        ip4_addr_t group = {request.imr_multiaddr.s_addr};
        net_lock();
        error = name == IP_ADD_MEMBERSHIP ? igmp_joingroup(&interface, &group)
                                          : igmp_leavegroup(&interface, &group);
        net_unlock();
    } else {
        struct ipv6_mreq request;
        if (len < sizeof request)
            return -EINVAL;
        memcpy(&request, value, sizeof request);
        ip6_addr_t group;
        memcpy(group.addr, &request.ipv6mr_multiaddr, 16);
        ip6_addr_clear_zone(&group);
        net_lock();
        struct netif *netif = request.ipv6mr_interface
                                  ? netif_get_by_index((u8_t)request.ipv6mr_interface)
                                  : netif_default;
        error = !netif                    ? ERR_VAL
                : name == IPV6_JOIN_GROUP ? mld6_joingroup_netif(netif, &group)
                                          : mld6_leavegroup_netif(netif, &group);
        net_unlock();
    }
    return error == ERR_OK ? 0 : error == ERR_MEM ? -ENOBUFS : -EADDRNOTAVAIL;
}

static long set_common(struct socket *s, int name, const void *value, socklen_t len, int number)
{
    switch (name) {
    case SO_RCVTIMEO: return set_timeout(&s->rx_timeout, value, len);
    case SO_SNDTIMEO: return set_timeout(&s->tx_timeout, value, len);
    case SO_RCVBUF:
    case SO_RCVBUFFORCE: s->rx_limit = clamp_buffer(number); return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE: s->tx_limit = clamp_buffer(number); return 0;
    case SO_LINGER: {
        struct linger linger;
        if (len < sizeof linger)
            return -EINVAL;
        memcpy(&linger, value, sizeof linger);
        s->linger = linger.l_onoff != 0;
        s->linger_seconds = linger.l_linger;
        return 0;
    }
    /* nothing to do here, and harmless to grant */
    case SO_REUSEPORT:
    case SO_DONTROUTE:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_RCVLOWAT:
    case SO_BUSY_POLL: return 0;
    case SO_BROADCAST:
        if (s->type != SOCK_DGRAM)
            return 0;
        break;
    }
    return s->ops->set_option ? s->ops->set_option(s, SOL_SOCKET, name, number) : -ENOPROTOOPT;
}

long socket_set_option(struct socket *s, int level, int name, const void *value, socklen_t len)
{
    int number = 0;
    if (!value)
        return -EFAULT;
    if (len >= sizeof number)
        memcpy(&number, value, sizeof number);
    else if (len == 1)
        number = *(const unsigned char *)value;
    else
        return -EINVAL;

    if (level == SOL_SOCKET)
        return set_common(s, name, value, len, number);
    if (level == IPPROTO_IPV6 && s->domain == AF_INET6) {
        switch (name) {
        case IPV6_V6ONLY: {
            struct endpoint local;
            /* Only while it is unbound: lwIP's address type is settled by bind(). */
            s->ops->name(s, false, &local);
            if (local.port != 0)
                return -EINVAL;
            s->v6only = number != 0;
            return 0;
        }
        case IPV6_UNICAST_HOPS:
            return number < -1 || number > 255
                       ? -EINVAL
                       : s->ops->set_option(s, IPPROTO_IP, IP_TTL, number == -1 ? 64 : number);
        case IPV6_JOIN_GROUP:
        case IPV6_LEAVE_GROUP: return membership(s, level, name, value, len);
        case IPV6_RECVPKTINFO:
        case IPV6_TCLASS: return 0;
        }
        return -ENOPROTOOPT;
    }
    if (level == IPPROTO_IP) {
        switch (name) {
        case IP_TTL:
            return number < 1 || number > 255 ? -EINVAL
                                              : s->ops->set_option(s, level, name, number);
        case IP_ADD_MEMBERSHIP:
        case IP_DROP_MEMBERSHIP: return membership(s, level, name, value, len);
        case IP_TOS:
        case IP_MTU_DISCOVER:
        case IP_RECVERR:
        case IP_MULTICAST_LOOP:
        case IP_MULTICAST_TTL: return 0;
        }
        return -ENOPROTOOPT;
    }
    return s->ops->set_option ? s->ops->set_option(s, level, name, number) : -ENOPROTOOPT;
}

static struct timeval timeval_of(uint64_t ns)
{
    return (struct timeval){(time_t)(ns / NS_PER_S), (suseconds_t)(ns % NS_PER_S / NS_PER_US)};
}

static long get_common(struct socket *s, int name, void *value, socklen_t *len, int *number)
{
    switch (name) {
    case SO_RCVTIMEO:
    case SO_SNDTIMEO: {
        struct timeval tv = timeval_of(name == SO_RCVTIMEO ? s->rx_timeout : s->tx_timeout);
        return give(value, len, &tv, sizeof tv);
    }
    case SO_LINGER: {
        struct linger linger = {s->linger, s->linger_seconds};
        return give(value, len, &linger, sizeof linger);
    }
    case SO_ERROR:
        net_lock();
        *number = -socket_take_error(s);
        net_unlock();
        break;
    case SO_TYPE: *number = s->type; break;
    case SO_DOMAIN: *number = s->domain; break;
    case SO_PROTOCOL: *number = s->protocol; break;
    case SO_ACCEPTCONN: *number = s->state == SOCKET_LISTENING; break;
    case SO_RCVBUF: *number = s->rx_limit; break;
    case SO_SNDBUF: *number = s->tx_limit; break;
    case SO_RCVLOWAT:
    case SO_SNDLOWAT: *number = 1; break;
    case SO_REUSEPORT:
    case SO_OOBINLINE:
    case SO_DONTROUTE: *number = 0; break;
    default: {
        int error =
            s->ops->get_option ? s->ops->get_option(s, SOL_SOCKET, name, number) : -ENOPROTOOPT;
        if (error < 0)
            return error;
    }
    }
    return give(value, len, number, sizeof *number);
}

long socket_get_option(struct socket *s, int level, int name, void *value, socklen_t *len)
{
    int number = 0;
    if (level == SOL_SOCKET)
        return get_common(s, name, value, len, &number);
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && s->domain == AF_INET6) {
        number = s->v6only;
    } else if ((level == IPPROTO_IP && name == IP_TTL) ||
               (level == IPPROTO_IPV6 && name == IPV6_UNICAST_HOPS)) {
        s->ops->get_option(s, IPPROTO_IP, IP_TTL, &number);
    } else if (level == IPPROTO_IP && name == IP_TOS) {
        number = 0;
    } else {
        int error = s->ops->get_option ? s->ops->get_option(s, level, name, &number) : -ENOPROTOOPT;
        if (error < 0)
            return error;
    }
    return give(value, len, &number, sizeof number);
}
