/* Split virtqueues. See virtqueue.h for what is shared and what is private. */
#include "bus/virtqueue.h"

#include <errno.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2 };
enum { AVAIL_NO_INTERRUPT = 1 };
enum { USED_NO_NOTIFY = 1 };

/* The used ring starts at the next multiple of 4 behind the available ring. */
static size_t used_offset(unsigned size)
{
    return (size * sizeof(struct vring_desc) + (3 + size) * sizeof(uint16_t) + 3) & ~(size_t)3;
}

size_t virtqueue_bytes(unsigned size)
{
    return used_offset(size) + 3 * sizeof(uint16_t) + size * sizeof(struct vring_used_element);
}

void virtqueue_setup(struct virtqueue *vq, unsigned index, unsigned size, void *shared,
                     struct virtqueue_slot *slots, bool event_index)
{
    char *base = shared;
    vq->index = (uint16_t)index;
    vq->size = (uint16_t)size;
    vq->event_index = event_index;
    vq->irq_disabled = false;
    vq->broken = false;
    vq->desc = shared;
    vq->avail = (void *)(base + size * sizeof(struct vring_desc));
    vq->used = (void *)(base + used_offset(size));
    vq->used_ring = (void *)(base + used_offset(size) + 2 * sizeof(uint16_t));
    vq->free_head = 0;
    vq->free_count = (uint16_t)size;
    vq->avail_index = vq->kicked_index = vq->used_index = 0;
    vq->slots = slots;
    for (unsigned i = 0; i < size; i++)
        slots[i] = (struct virtqueue_slot){.next = (uint16_t)(i + 1)};
}

static volatile uint16_t *used_event(struct virtqueue *vq)
{
    return &vq->avail[2 + vq->size];
}

static uint16_t avail_event(const struct virtqueue *vq)
{
    return *(const volatile uint16_t *)&vq->used_ring[vq->size];
}

static uint16_t device_used_index(const struct virtqueue *vq)
{
    return __atomic_load_n(&vq->used[1], __ATOMIC_ACQUIRE);
}

static void mark_broken(struct virtqueue *vq, const char *reason)
{
    if (!vq->broken) {
        vq->broken = true;
        virtqueue_report(vq, reason);
    }
}

int virtqueue_add(struct virtqueue *vq, const struct virtio_buffer *buffers, unsigned out,
                  unsigned in, void *token)
{
    unsigned count = out + in;
    if (count == 0 || count > vq->size)
        return -EINVAL;
    if (vq->broken)
        return -EIO;
    if (vq->free_count < count)
        return -ENOSPC;

    uint16_t head = vq->free_head, slot = head;
    uint32_t writable = 0;
    for (unsigned i = 0; i < count; i++) {
        struct vring_desc *desc = &vq->desc[slot];
        desc->address = virtqueue_bus_address(buffers[i].data);
        desc->len = (uint32_t)buffers[i].len;
        desc->flags = (uint16_t)((i >= out ? DESC_WRITE : 0) | (i + 1 < count ? DESC_NEXT : 0));
        desc->next = vq->slots[slot].next;
        if (i >= out)
            writable += (uint32_t)buffers[i].len;
        slot = vq->slots[slot].next;
    }
    vq->slots[head].token = token;
    vq->slots[head].writable = writable;
    vq->slots[head].count = (uint16_t)count;
    vq->free_head = slot;
    vq->free_count = (uint16_t)(vq->free_count - count);

    vq->avail[2 + (vq->avail_index & (vq->size - 1))] = head;
    vq->avail_index++;
    __atomic_store_n(&vq->avail[1], vq->avail_index, __ATOMIC_RELEASE);
    return 0;
}

void virtqueue_kick(struct virtqueue *vq)
{
    uint16_t old = vq->kicked_index, new = vq->avail_index;
    if (old == new || vq->broken)
        return;
    vq->kicked_index = new;
    /* The index must be visible before the device's wish is read, or a wake-up gets lost. */
    virtqueue_fence();
    if (vq->event_index) {
        if ((uint16_t)(new - avail_event(vq) - 1) >= (uint16_t)(new - old))
            return;
    } else if (vq->used[0] & USED_NO_NOTIFY) {
        return;
    }
    virtqueue_notify(vq);
}

bool virtqueue_pending(const struct virtqueue *vq)
{
    return !vq->broken && device_used_index(vq) != vq->used_index;
}

void *virtqueue_get(struct virtqueue *vq, uint32_t *len)
{
    if (vq->broken)
        return NULL;
    uint16_t finished = (uint16_t)(device_used_index(vq) - vq->used_index);
    if (finished == 0)
        return NULL;
    if (finished > (uint16_t)(vq->size - vq->free_count)) {
        mark_broken(vq, "used index runs ahead of what was offered");
        return NULL;
    }
    volatile struct vring_used_element *element = &vq->used_ring[vq->used_index & (vq->size - 1)];
    uint32_t id = element->id, written = element->len;
    if (id >= vq->size || vq->slots[id].count == 0) {
        mark_broken(vq, "used entry names a chain that is not in flight");
        return NULL;
    }
    struct virtqueue_slot *head = &vq->slots[id];
    void *token = head->token;
    *len = written <= head->writable ? written : head->writable;

    uint16_t last = (uint16_t)id;
    for (unsigned i = 1; i < head->count; i++)
        last = vq->slots[last].next;
    vq->slots[last].next = vq->free_head;
    vq->free_head = (uint16_t)id;
    vq->free_count = (uint16_t)(vq->free_count + head->count);
    head->count = 0;
    head->token = NULL;
    vq->used_index++;
    if (vq->event_index && !vq->irq_disabled) {
        *used_event(vq) = vq->used_index;
        /* The wish must be visible before the index is read again, or an interrupt gets lost. */
        virtqueue_fence();
    }
    return token;
}

void virtqueue_irq_disable(struct virtqueue *vq)
{
    vq->irq_disabled = true;
    if (vq->event_index)
        *used_event(vq) = (uint16_t)(vq->used_index - 1); /* 65535 entries away */
    else
        vq->avail[0] = AVAIL_NO_INTERRUPT;
}

bool virtqueue_irq_enable(struct virtqueue *vq)
{
    vq->irq_disabled = false;
    if (vq->event_index)
        *used_event(vq) = vq->used_index;
    else
        vq->avail[0] = 0;
    virtqueue_fence();
    return !virtqueue_pending(vq);
}

unsigned virtqueue_free_slots(const struct virtqueue *vq)
{
    return vq->broken ? 0 : vq->free_count;
}
