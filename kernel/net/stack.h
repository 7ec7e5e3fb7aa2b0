/* Inside net/: the one lock all of lwIP runs under, and the thread that feeds it. Whoever holds the
 * lock may call lwIP; an application's thread does so itself instead of asking the network thread.
 */
#ifndef QUINCE_NET_STACK_H
#define QUINCE_NET_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void net_lock(void);
void net_unlock(void); /* hands work that came meanwhile to the network thread */
/* Work for the network thread; anywhere, interrupts too. */
void net_kick(void);

/* Memory of lwIP, the sockets' queues included: bounded as a whole. Lock held. */
void *net_alloc(size_t size);
void *net_calloc(size_t count, size_t size);
void net_free(void *p);
size_t net_memory_used(void);
size_t net_memory_limit(void);

/* Waits until an interface got its address or none is going to; the lock is not held. */
void net_wait_configured(uint64_t deadline);
void net_configuration_changed(void);

/* drain.c, called by posix/ where it is linked: waits until all that was sent over TCP has been
 * taken by its peers, or until DEADLINE. */
void net_drain(uint64_t deadline);

/* netif.c: takes frames from the devices, at most BUDGET each; true: more may wait. Lock held. */
bool netif_devices_poll(unsigned budget);
/* Frames wait in a device or in the loopback queue. */
bool netif_work_waits(void);
bool netif_configuring(void); /* an interface still asks for an address */
int netif_start(void);

#endif
