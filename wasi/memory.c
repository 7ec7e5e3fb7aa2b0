/* Guest memory and error numbers. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "internal.h"

bool guest_put(struct wasm_instance *in, uint32_t addr, const void *data, uint32_t len)
{
    void *p = wasm_memory_at(in, addr, len);
    if (p && len)
        memcpy(p, data, len);
    return p != NULL;
}

bool guest_get(struct wasm_instance *in, uint32_t addr, void *data, uint32_t len)
{
    const void *p = wasm_memory_at(in, addr, len);
    if (p && len)
        memcpy(data, p, len);
    return p != NULL;
}

bool guest_put32(struct wasm_instance *in, uint32_t addr, uint32_t value)
{
    return guest_put(in, addr, &value, sizeof(value));
}

bool guest_put64(struct wasm_instance *in, uint32_t addr, uint64_t value)
{
    return guest_put(in, addr, &value, sizeof(value));
}

int guest_iovecs(struct wasm_instance *in, uint32_t addr, uint32_t count, struct iovec *out)
{
    uint32_t n = count < WASI_IOVS ? count : WASI_IOVS, left = WASI_TRANSFER;
    if (!wasm_memory_at(in, addr, (uint64_t)count * 8))
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t pair[2];
        if (!guest_get(in, addr + i * 8, pair, sizeof(pair)))
            return -1;
        out[i].iov_base = wasm_memory_at(in, pair[0], pair[1]);
        if (!out[i].iov_base)
            return -1;
        /* Pieces may overlap, so that their sum can be more than memory has. */
        out[i].iov_len = pair[1] < left ? pair[1] : left;
        left -= (uint32_t)out[i].iov_len;
    }
    return (int)n;
}

uint32_t wasi_errno(int error)
{
    static const struct {
        int posix;
        uint8_t wasi;
    } numbers[] = {
#define X(name, number) {E##name, number},
#define ESUCCESS        0
        WASI_ERRNOS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (numbers[i].posix == error)
            return numbers[i].wasi;
    return error == ENOTSUP || error == EOPNOTSUPP ? WASI_ENOTSUP : WASI_EIO;
}
