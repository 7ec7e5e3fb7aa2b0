/* virtio-9p (virtio 1.x has its number, QEMU and Linux its layout): one queue of requests, and the
 * mount tag in configuration space. channel.h. */
#include "drivers/channel.h"

#include <errno.h>
#include <string.h>
#include "log.h"
#include "mm/heap.h"
#include "sched/sync.h"
#include "time/clock.h"

#define FEATURE_MOUNT_TAG (1ull << 0)
enum {
    CONFIG_TAG_LENGTH = 0, /* 16 bits, then the tag, without a zero */
    CONFIG_TAG = 2,
    TAG_MAX = 63,
    QUEUE_SIZE = 16,
    PATIENCE_S = 60,
};

struct channel {
    struct channel *next;
    char tag[TAG_MAX + 1];
    struct virtqueue *vq;
    struct spinlock lock;
    struct wait_queue wait;
    bool answered, dead;
    uint32_t answer_size;
};
static struct channel *channels;

static void answer_interrupt(struct virtqueue *vq, void *context)
{
    struct channel *channel = context;
    uint32_t size;
    cpu_irq_state state = spin_lock(&channel->lock);
    if (virtqueue_get(vq, &size)) {
        channel->answer_size = size;
        channel->answered = true;
    }
    spin_unlock(&channel->lock, state);
    wait_wake(&channel->wait, UINT32_MAX);
}

static bool has_answer(void *context)
{
    return ((struct channel *)context)->answered;
}

int channel_call(struct channel *channel, const struct virtio_buffer *buffers, unsigned out,
                 unsigned in)
{
    if (channel->dead)
        return -EIO;
    cpu_irq_state state = spin_lock(&channel->lock);
    channel->answered = false;
    int error = virtqueue_add(channel->vq, buffers, out, in, channel);
    virtqueue_kick(channel->vq);
    spin_unlock(&channel->lock, state);
    if (!error)
        error =
            wait_until(&channel->wait, has_answer, channel, clock_now() + PATIENCE_S * NS_PER_S);
    if (error) {
        channel->dead = true;
        klog(LOG_ERROR, "virtio-9p: '%s' does not answer", channel->tag);
        return -EIO;
    }
    return (int)channel->answer_size;
}

struct channel *channel_find(const char *tag)
{
    struct channel *channel = channels;
    while (channel && strcmp(channel->tag, tag) != 0)
        channel = channel->next;
    return channel;
}

static int probe(struct virtio_device *dev)
{
    uint16_t length = 0;
    struct channel *channel = kcalloc(1, sizeof *channel);
    if (!channel)
        return -ENOMEM;
    wait_queue_init(&channel->wait);
    if (virtio_features(dev) & FEATURE_MOUNT_TAG)
        virtio_config_read(dev, CONFIG_TAG_LENGTH, &length, sizeof length);
    if (length == 0 || length > TAG_MAX) {
        kfree(channel);
        return -EINVAL;
    }
    virtio_config_read(dev, CONFIG_TAG, channel->tag, length);
    channel->vq = virtio_queue(dev, 0, QUEUE_SIZE, answer_interrupt, channel);
    if (!channel->vq) {
        kfree(channel);
        return -ENOMEM;
    }
    virtio_ready(dev);
    channel->next = channels;
    channels = channel;
    return 0;
}

static const struct virtio_driver driver_9p = {
    .id = VIRTIO_9P,
    .name = "virtio-9p",
    .features = FEATURE_MOUNT_TAG,
    .probe = probe,
};
VIRTIO_DRIVER(driver_9p);
