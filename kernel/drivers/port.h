/* Named byte streams to the host: the ports of a virtio-serial device. (QEMU 7.2 may leave a port
 * blocked whose host went away while data for it was under way: hosts should read to the end.) */
#ifndef QUINCE_DRIVERS_PORT_H
#define QUINCE_DRIVERS_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port;
struct port *port_find(const char *name); /* NULL: the machine has no such port */
/* Blocks until at least one byte or the deadline: bytes, 0 when the host closed its end, -errno. */
int port_read(struct port *port, void *buffer, size_t size, uint64_t deadline);
/* Writes all of it, blocking while the host does not read; -EPIPE when it closed its end. */
int port_write(struct port *port, const void *buffer, size_t size);
bool port_connected(const struct port *port);
/* Waits until the host has taken all that was written: 0, -EPIPE or -ETIMEDOUT. */
int port_flush(struct port *port, uint64_t deadline);
/* Bytes that port_read() would not wait for; *ENDED: it would report the host's end of the stream.
 */
size_t port_waiting(struct port *port, bool *ended);
/* CALL is called, perhaps in an interrupt, when what port_waiting() says may have changed. One at a
 * time; NULL: nobody any more. */
void port_watch(struct port *port, void (*call)(void *context), void *context);

#endif
