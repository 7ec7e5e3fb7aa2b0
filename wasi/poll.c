/* poll_oneoff: clocks and descriptors together. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "functions.h"

enum { EVENT_CLOCK, EVENT_READ, EVENT_WRITE };
enum { SUBSCRIPTION_SIZE = 48, EVENT_SIZE = 32, MAX_SUBSCRIPTIONS = 4096, ABSTIME = 1, HANGUP = 1 };

struct subscription {
    uint64_t userdata;
    uint8_t tag;
    uint32_t clock_or_fd;
    uint64_t timeout; /* ns from the start of the call */
    int index;        /* in the pollfds; -1: none */
    uint32_t error;
};

static uint64_t now_of(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void subscription_read(const uint8_t *from, struct subscription *s)
{
    uint16_t flags;
    memcpy(&s->userdata, from, 8);
    s->tag = from[8];
    memcpy(&s->clock_or_fd, from + 16, 4);
    memcpy(&s->timeout, from + 24, 8);
    memcpy(&flags, from + 40, 2);
    s->index = -1;
    s->error = WASI_ESUCCESS;
    if (s->tag != EVENT_CLOCK)
        return;
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    if (s->clock_or_fd >= sizeof(clocks) / sizeof(*clocks)) {
        /* The other two clocks stand still while a program waits. */
        s->error = s->clock_or_fd < 4 ? WASI_ENOTSUP : WASI_EINVAL;
        s->timeout = 0;
    } else if (flags & ABSTIME) {
        uint64_t now = now_of(clocks[s->clock_or_fd]);
        s->timeout = s->timeout > now ? s->timeout - now : 0;
    }
}

static bool event_write(struct wasm_instance *in, uint32_t addr, const struct subscription *s,
                        const struct pollfd *fd)
{
    uint8_t event[EVENT_SIZE] = {0};
    uint16_t error = (uint16_t)s->error, flags = 0;
    uint64_t bytes = 0;
    if (fd) {
        int waiting = 0;
        if (s->tag == EVENT_READ && !ioctl(fd->fd, FIONREAD, &waiting) && waiting > 0)
            bytes = (uint64_t)waiting;
        if (fd->revents & POLLNVAL)
            error = WASI_EBADF;
        else if (fd->revents & POLLERR)
            error = WASI_EIO;
        if (fd->revents & POLLHUP)
            flags = HANGUP;
    }
    memcpy(event, &s->userdata, 8);
    memcpy(event + 8, &error, 2);
    event[10] = s->tag;
    memcpy(event + 16, &bytes, 8);
    memcpy(event + 24, &flags, 2);
    return guest_put(in, addr, event, sizeof(event));
}

/* The descriptor S is about, if it may be waited for so; a listener is read by accepting. */
static const struct wasi_fd *subscribed(struct wasi *wasi, struct subscription *s)
{
    const struct wasi_fd *fd =
        wasi_fd_get(wasi, s->clock_or_fd, RIGHT_POLL_FD_READWRITE, &s->error);
    uint64_t either =
        s->tag == EVENT_READ ? RIGHT_FD_READ | RIGHT_SOCK_ACCEPT : (uint64_t)RIGHT_FD_WRITE;
    if (fd && !(fd->rights & either)) {
        s->error = WASI_ENOTCAPABLE;
        return NULL;
    }
    return fd;
}

/* Waits for the first of the pollfds or the shortest timeout from START; 0 or an error. */
static uint32_t wait_for(struct wasm_instance *in, struct pollfd *fds, nfds_t count,
                         bool has_timeout, uint64_t start, uint64_t timeout)
{
    for (;;) {
        uint64_t gone = now_of(CLOCK_MONOTONIC) - start;
        uint64_t left = timeout > gone ? timeout - gone : 0;
        uint64_t ms = (left + 999999) / 1000000;
        int wait = !has_timeout ? -1 : ms > 1000000 ? 1000000 : (int)ms;
        if (!count && has_timeout) {
            struct timespec nap = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
            if (nanosleep(&nap, NULL) == 0)
                return WASI_ESUCCESS;
            if (errno != EINTR || wasm_call_spent(in))
                return wasi_errno(errno);
            continue; /* a tick of the call's time budget */
        }
        int n = poll(fds, count, wait);
        if (n < 0 && errno == EINTR && !wasm_call_spent(in))
            continue;
        if (n < 0)
            return wasi_errno(errno);
        if (n > 0 || (has_timeout && now_of(CLOCK_MONOTONIC) - start >= timeout))
            return WASI_ESUCCESS;
    }
}

uint32_t wasi_poll_oneoff(struct wasm_instance *in, uint32_t subscriptions, uint32_t events,
                          uint32_t count, uint32_t out)
{
    struct wasi *wasi = wasi_of(in);
    if (!count || count > MAX_SUBSCRIPTIONS)
        return WASI_EINVAL;
    const uint8_t *from = wasm_memory_at(in, subscriptions, (uint64_t)count * SUBSCRIPTION_SIZE);
    if (!from || !wasm_memory_at(in, events, (uint64_t)count * EVENT_SIZE) ||
        !wasm_memory_at(in, out, 4))
        return WASI_EFAULT;
    struct subscription *subs = calloc(count, sizeof(*subs));
    struct pollfd *fds = calloc(count, sizeof(*fds));
    uint32_t result = subs && fds ? WASI_ESUCCESS : WASI_ENOMEM;
    nfds_t fd_count = 0;
    bool has_timeout = false;
    uint64_t timeout = UINT64_MAX, start = now_of(CLOCK_MONOTONIC);
    for (uint32_t i = 0; !result && i < count; i++) {
        struct subscription *s = &subs[i];
        subscription_read(from + i * SUBSCRIPTION_SIZE, s);
        if (s->tag == EVENT_CLOCK) {
            has_timeout = true;
            timeout = s->timeout < timeout ? s->timeout : timeout;
        } else if (s->tag == EVENT_READ || s->tag == EVENT_WRITE) {
            const struct wasi_fd *fd = subscribed(wasi, s);
            if (!fd) {
                has_timeout = true; /* it is an event already */
                timeout = 0;
                continue;
            }
            s->index = (int)fd_count;
            fds[fd_count++] = (struct pollfd){fd->host, s->tag == EVENT_READ ? POLLIN : POLLOUT, 0};
        } else {
            result = WASI_EINVAL;
        }
    }
    if (!result)
        result = wait_for(in, fds, fd_count, has_timeout, start, timeout);
    uint64_t gone = now_of(CLOCK_MONOTONIC) - start;
    uint32_t happened = 0;
    for (uint32_t i = 0; !result && i < count; i++) {
        const struct subscription *s = &subs[i];
        const struct pollfd *fd = s->index >= 0 ? &fds[s->index] : NULL;
        bool is_due =
            fd ? fd->revents != 0 : s->error != 0 || (s->tag == EVENT_CLOCK && s->timeout <= gone);
        if (is_due && !event_write(in, events + happened++ * EVENT_SIZE, s, fd))
            result = WASI_EFAULT;
    }
    free(subs);
    free(fds);
    if (!result && !guest_put32(in, out, happened))
        result = WASI_EFAULT;
    return result;
}
