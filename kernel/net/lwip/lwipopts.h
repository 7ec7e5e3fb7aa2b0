/* lwIP as Quince uses it: no operating-system layer of its own. All of lwIP runs under one lock
 * (net/stack.h), sockets call its raw API directly, and net/stack.c drives its timers. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#include <stddef.h>
#include <stdint.h>

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS          1
#define LWIP_TIMERS_CUSTOM   1 /* stack.c: never fails for want of memory */
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_RAW             0

/* Memory: kernel heap within a bound (stack.c), so that no traffic can exhaust the kernel. */
void *net_alloc(size_t size);
void *net_calloc(size_t count, size_t size);
void net_free(void *p);
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define mem_clib_malloc net_alloc
#define mem_clib_calloc net_calloc
#define mem_clib_free   net_free
#define MEM_ALIGNMENT   16
#define LWIP_STATS      0

/* Link */
#define LWIP_ARP                           1
#define ARP_TABLE_SIZE                     32
#define ARP_QUEUEING                       1
#define ARP_QUEUE_LEN                      8
#define ETHARP_SUPPORT_VLAN                0
#define LWIP_ETHERNET                      1
#define ETH_PAD_SIZE                       0
#define LWIP_NETIF_HOSTNAME                1
#define LWIP_NETIF_STATUS_CALLBACK         1
#define LWIP_NETIF_EXT_STATUS_CALLBACK     0
#define LWIP_NETIF_LOOPBACK                1
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 0
#define LWIP_LOOPBACK_MAX_PBUFS            512
#define LWIP_HAVE_LOOPIF                   1
#define LWIP_CHECKSUM_CTRL_PER_NETIF       1

/* Internet */
#define LWIP_IPV4                 1
#define LWIP_IPV6                 1
#define IP_FORWARD                0
#define IP_REASSEMBLY             1
#define IP_FRAG                   1
#define IP_REASS_MAX_PBUFS        64
#define MEMP_NUM_REASSDATA        16
#define IP_SOF_BROADCAST          1
#define IP_SOF_BROADCAST_RECV     1
#define LWIP_ICMP                 1
#define LWIP_BROADCAST_PING       0
#define LWIP_MULTICAST_PING       0
#define LWIP_IGMP                 1
#define LWIP_MULTICAST_TX_OPTIONS 1
#define LWIP_IPV6_MLD             1
#define LWIP_IPV6_REASS           1
#define IPV6_FRAG_COPYHEADER      1 /* pointers are wider than the header fields */
#define LWIP_IPV6_AUTOCONFIG      1
#define LWIP_IPV6_NUM_ADDRESSES   4
#define LWIP_ND6_QUEUEING         1
#define LWIP_ICMP6                1
#define LWIP_DHCP                 1
#define DHCP_DOES_ARP_CHECK       0 /* costs seconds before the first packet */
#define LWIP_DHCP_DOES_ACD_CHECK  0
#define LWIP_DNS                  1 /* keeps the servers' addresses; musl resolves */
#define DNS_MAX_SERVERS           3
#define LWIP_DHCP_MAX_DNS_SERVERS 3
#define DNS_TABLE_SIZE            2
#define DNS_MAX_NAME_LENGTH       32

/* UDP, TCP */
#define LWIP_UDP                        1
#define LWIP_NETBUF_RECVINFO            0
#define LWIP_TCP                        1
#define TCP_MSS                         1460
#define LWIP_WND_SCALE                  1
#define TCP_RCV_SCALE                   3
#define TCP_WND                         (256 * 1024)
#define TCP_SND_BUF                     (256 * 1024)
#define TCP_SND_QUEUELEN                1024
#define TCP_SNDLOWAT                    (64 * 1024)
#define TCP_SNDQUEUELOWAT               512
#define TCP_QUEUE_OOSEQ                 1
#define TCP_OOSEQ_MAX_BYTES             (256 * 1024)
#define TCP_OOSEQ_MAX_PBUFS             256
#define LWIP_TCP_SACK_OUT               1
#define TCP_OVERSIZE                    TCP_MSS
#define TCP_LISTEN_BACKLOG              1
#define TCP_DEFAULT_LISTEN_BACKLOG      128
#define LWIP_TCP_KEEPALIVE              1
#define TCP_MSL                         2000 /* ms; TIME-WAIT lasts twice that */
#define TCP_CALCULATE_EFF_SEND_MSS      1
#define SO_REUSE                        1
#define LWIP_DISABLE_TCP_SANITY_CHECKS  1 /* they assume pools of fixed size */
#define LWIP_DISABLE_MEMP_SANITY_CHECKS 1

#define LWIP_HOOK_FILENAME              "lwip_hooks.h"

#endif
