/* What lwIP asks of compiler and kernel. */
#ifndef QUINCE_LWIP_CC_H
#define QUINCE_LWIP_CC_H

#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#ifndef BYTE_ORDER
#define BYTE_ORDER LITTLE_ENDIAN
#endif
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H  0

#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS
#define lwip_htons(x) __builtin_bswap16((uint16_t)(x))
#define lwip_htonl(x) __builtin_bswap32((uint32_t)(x))

uint32_t random_u32(void);
#define LWIP_RAND() random_u32()

/* Ones' complement sum of memory, folded, not inverted; net/checksum.c. */
uint16_t net_checksum(const void *data, int len);
#define LWIP_CHKSUM net_checksum

_Noreturn void net_assert_failed(const char *what);
#define LWIP_PLATFORM_ASSERT(message) net_assert_failed(message)
#define LWIP_PLATFORM_DIAG(message)   ((void)0)

#endif
