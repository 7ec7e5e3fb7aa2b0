/* virtio-rng (virtio 1.x, 5.4): entropy of the host, mixed into the generator once at start. What
 * the device says is never trusted alone: it is one of several sources. */
#include <errno.h>
#include <string.h>
#include "bus/virtio.h"
#include "drivers/random.h"
#include "mm/frame.h"

enum { SEED_BYTES = 64 };

static unsigned char *seed; /* a frame the device writes to */

static void rng_interrupt(struct virtqueue *vq, void *context)
{
    (void)context;
    uint32_t len;
    if (virtqueue_get(vq, &len)) {
        unsigned char copy[SEED_BYTES];
        memcpy(copy, seed, sizeof copy);
        random_mix(copy, len);
        explicit_bzero(copy, sizeof copy);
        memset(seed, 0, SEED_BYTES);
    }
}

static int rng_probe(struct virtio_device *dev)
{
    if (seed)
        return -EBUSY; /* one source is enough */
    struct virtqueue *vq = virtio_queue(dev, 0, 4, rng_interrupt, NULL);
    if (!vq)
        return -ENOMEM;
    paddr_t frame = frame_alloc();
    if (frame == FRAME_NONE)
        return -ENOMEM;
    seed = frame_to_virt(frame);
    virtio_ready(dev);
    struct virtio_buffer buffer = {seed, SEED_BYTES};
    int error = virtqueue_add(vq, &buffer, 0, 1, seed);
    virtqueue_kick(vq);
    return error;
}

static const struct virtio_driver rng_driver = {
    .id = VIRTIO_RNG,
    .name = "virtio-rng",
    .probe = rng_probe,
};
VIRTIO_DRIVER(rng_driver);
