/* Requests to the host that are answered one for one: the queue of a virtio-9p device, under the
 * name ("mount tag") that the host gave it. What the bytes mean is not known here. */
#ifndef QUINCE_DRIVERS_CHANNEL_H
#define QUINCE_DRIVERS_CHANNEL_H

#include "bus/virtio.h"

struct channel;
struct channel *channel_find(const char *tag); /* NULL: the machine has no such device */
/* Sends the first OUT of BUFFERS and waits until the host has answered into the IN after them:
 * bytes of the answer, or -EIO when the device is broken or keeps silent for a minute; it stays
 * broken then, and the buffers must never be used again. One call at a time. */
int channel_call(struct channel *channel, const struct virtio_buffer *buffers, unsigned out,
                 unsigned in);

#endif
