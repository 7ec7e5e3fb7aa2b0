/* What lwIP calls back for; included by its sources. */
#ifndef QUINCE_LWIP_HOOKS_H
#define QUINCE_LWIP_HOOKS_H

#include "lwip/ip_addr.h"

/* Initial sequence numbers (RFC 6528), net/stack.c. */
u32_t net_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                  u16_t remote_port);
#define LWIP_HOOK_TCP_ISN net_tcp_isn

#endif
