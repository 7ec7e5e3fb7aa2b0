/* 9P2000.L messages: see 9p_wire.h. */
#include "fs/9p_wire.h"

#include <errno.h>
#include <string.h>
#include "drivers/channel.h"
#include "mm/frame.h"

enum { TAG = 1, NO_TAG = 0xffff, MESSAGES_ORDER = 2, DATA_ORDER = 5 };
_Static_assert(2 * P9_MESSAGE <= PAGE_SIZE << MESSAGES_ORDER, "a request and an answer fit");

static uint8_t *put(struct p9_cursor *c, size_t size)
{
    uint8_t *at = c->at;
    if (c->bad || (size_t)(c->end - at) < size) {
        c->bad = true;
        return NULL;
    }
    c->at += size;
    return at;
}

#define PUT(bits)                                                                                  \
    void p9_put##bits(struct p9_cursor *c, uint##bits##_t value)                                   \
    {                                                                                              \
        uint8_t *to = put(c, sizeof value);                                                        \
        for (size_t i = 0; to && i < sizeof value; i++)                                            \
            to[i] = (uint8_t)((uint64_t)value >> 8 * i);                                           \
    }
#define GET(bits)                                                                                  \
    uint##bits##_t p9_get##bits(struct p9_cursor *c)                                               \
    {                                                                                              \
        uint64_t value = 0;                                                                        \
        const uint8_t *from = put(c, bits / 8);                                                    \
        for (size_t i = 0; from && i < bits / 8; i++)                                              \
            value |= (uint64_t)from[i] << 8 * i;                                                   \
        return (uint##bits##_t)value;                                                              \
    }
PUT(8)
PUT(16)
PUT(32)
PUT(64)
GET(8)
GET(16)
GET(32)
GET(64)

void p9_put_text(struct p9_cursor *c, const char *text)
{
    size_t length = strlen(text);
    if (length > UINT16_MAX) {
        c->bad = true;
        return;
    }
    p9_put16(c, (uint16_t)length);
    uint8_t *to = put(c, length);
    if (to)
        memcpy(to, text, length);
}

const char *p9_get_text(struct p9_cursor *c, size_t *length)
{
    *length = p9_get16(c);
    return (const char *)put(c, *length);
}

struct p9_qid p9_get_qid(struct p9_cursor *c)
{
    struct p9_qid qid;
    qid.type = p9_get8(c);
    qid.version = p9_get32(c);
    qid.path = p9_get64(c);
    return qid;
}

struct p9_cursor p9_begin(struct p9_link *link, enum p9_type type)
{
    mutex_lock(&link->lock);
    struct p9_cursor c = {link->request, link->request + P9_MESSAGE, false};
    p9_put32(&c, 0); /* the size, later */
    p9_put8(&c, (uint8_t)type);
    p9_put16(&c, type == P9_VERSION ? NO_TAG : TAG);
    return c;
}

void p9_end(struct p9_link *link)
{
    mutex_unlock(&link->lock);
}

uint32_t p9_new_fid(struct p9_link *link)
{
    if (++link->last_fid == P9_NO_ID)
        link->last_fid = 1;
    return link->last_fid;
}

int p9_call(struct p9_link *link, struct p9_cursor *c, uint32_t sent, uint32_t wanted)
{
    if (c->bad)
        return -ENAMETOOLONG; /* only names and targets vary in length */
    size_t size = (size_t)(c->at - link->request);
    uint8_t type = link->request[4];
    uint16_t tag = (uint16_t)(link->request[5] | link->request[6] << 8);
    struct p9_cursor head = {link->request, link->request + 4, false};
    p9_put32(&head, (uint32_t)size + sent);

    struct virtio_buffer buffers[4];
    unsigned out = 0, in = 0;
    buffers[out++] = (struct virtio_buffer){link->request, size};
    if (sent)
        buffers[out++] = (struct virtio_buffer){link->data, sent};
    /* What is wanted goes where it is wanted: an answer's head has one size, whatever it says. */
    buffers[out + in++] = (struct virtio_buffer){link->answer, wanted ? P9_DATA_HEAD : P9_MESSAGE};
    if (wanted)
        buffers[out + in++] = (struct virtio_buffer){link->data, wanted};
    int got = channel_call(link->channel, buffers, out, in);
    if (got < 0)
        return got;

    uint32_t room = wanted ? P9_DATA_HEAD : P9_MESSAGE,
             kept = (uint32_t)got < room ? (uint32_t)got : room;
    *c = (struct p9_cursor){link->answer, link->answer + kept, false};
    uint32_t stated = p9_get32(c);
    uint8_t answered = p9_get8(c);
    if (p9_get16(c) != tag || c->bad || stated != (uint32_t)got)
        return -EIO;
    if (answered == P9_ERROR) {
        uint32_t error = p9_get32(c);
        return c->bad || error == 0 || error > 4095 ? -EIO : -(int)error;
    }
    return answered == type + 1 ? 0 : -EIO;
}

static void give_back(void *memory, unsigned order)
{
    if (memory)
        frame_free_order(virt_to_frame(memory), order);
}

static void *take(unsigned order)
{
    paddr_t frame = frame_alloc_order(order);
    return frame == FRAME_NONE ? NULL : frame_to_virt(frame);
}

int p9_link_start(struct p9_link *link, struct channel *channel)
{
    static const char version[] = "9P2000.L";
    unsigned order = DATA_ORDER;
    *link = (struct p9_link){.channel = channel, .request = take(MESSAGES_ORDER)};
    while (!(link->data = take(order)) && order)
        order--;
    int error = -ENOMEM;
    if (link->request && link->data) {
        link->answer = link->request + P9_MESSAGE;
        link->data_size = (uint32_t)(PAGE_SIZE << order);
        struct p9_cursor c = p9_begin(link, P9_VERSION);
        p9_put32(&c, link->data_size + P9_MESSAGE);
        p9_put_text(&c, version);
        error = p9_call(link, &c, 0, 0);
        uint32_t agreed = error ? 0 : p9_get32(&c);
        size_t length = 0;
        const char *text = error ? NULL : p9_get_text(&c, &length);
        if (!error && (!text || length != sizeof version - 1 || memcmp(text, version, length) ||
                       agreed < P9_MESSAGE))
            error = -EPROTONOSUPPORT;
        else if (!error && agreed - P9_OVERHEAD < link->data_size)
            link->data_size = agreed - P9_OVERHEAD;
        p9_end(link);
    }
    if (error && error != -EIO) {
        give_back(link->request, MESSAGES_ORDER);
        give_back(link->data, order);
    }
    return error;
}
