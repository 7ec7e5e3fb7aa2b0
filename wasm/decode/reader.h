/* Reading untrusted bytes: bounds, LEB128, UTF-8, and the first error. Once something failed the
 * reader stands still and every call returns false. */
#ifndef QUINCE_WASM_DECODE_READER_H
#define QUINCE_WASM_DECODE_READER_H

#include "wasm.h"

struct reader {
    const uint8_t *base, *p, *end; /* base: offset 0 of the module */
    const char *end_message;       /* what running into END is called here */
    struct wasm_error *err;
    uint32_t without; /* enum wasm_feature: what is not to be understood */
};

/* Records an error at byte offset OFFSET and stops the reader. The first error stays. */
void reader_record(struct reader *r, enum wasm_error_kind kind, size_t offset, const char *format,
                   ...) __attribute__((format(printf, 4, 5), cold));
/* The same as an expression, which is always false. */
#define reader_fail_at(r, kind, offset, ...) (reader_record(r, kind, offset, __VA_ARGS__), false)
#define reader_fail(r, kind, ...)            reader_fail_at(r, kind, (size_t)((r)->p - (r)->base), __VA_ARGS__)
#define read_end(r)                          reader_fail(r, WASM_ERR_MALFORMED, "%s", (r)->end_message)

bool read_u32_slow(struct reader *r, uint32_t *value);
bool read_s32_slow(struct reader *r, int32_t *value);
bool read_s64(struct reader *r, int64_t *value);
bool read_u64(struct reader *r, uint64_t *value);
bool read_s33(struct reader *r, int64_t *value);
/* LEN bytes, given as a pointer into the module. */
bool read_bytes(struct reader *r, size_t len, const uint8_t **bytes);
/* A length-prefixed string, checked to be UTF-8. */
bool read_name(struct reader *r, const uint8_t **bytes, uint32_t *len);
bool utf8_valid(const uint8_t *bytes, size_t len);

static inline uint32_t reader_offset(const struct reader *r)
{
    return (uint32_t)(r->p - r->base);
}
static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->p);
}
static inline bool read_u8(struct reader *r, uint8_t *value)
{
    if (r->p == r->end)
        return read_end(r);
    *value = *r->p++;
    return true;
}
/* A number of one byte, as most have, or of two, as most others: its bits, of which there are 7 or
 * 14. 0: it is longer, or does not end, and nothing was read. */
static inline unsigned read_short(struct reader *r, uint32_t *value)
{
    const uint8_t *p = r->p;
    size_t left = reader_left(r);
    if (left && p[0] < 0x80) {
        *value = p[0];
        r->p = p + 1;
        return 7;
    }
    if (left >= 2 && p[1] < 0x80) {
        *value = (uint32_t)(p[0] & 0x7f) | (uint32_t)p[1] << 7;
        r->p = p + 2;
        return 14;
    }
    return 0;
}
static inline bool read_u32(struct reader *r, uint32_t *value)
{
    return read_short(r, value) || read_u32_slow(r, value);
}
static inline bool read_s32(struct reader *r, int32_t *value)
{
    uint32_t read;
    unsigned bits = read_short(r, &read);
    if (!bits)
        return read_s32_slow(r, value);
    uint32_t sign = 1u << (bits - 1);
    *value = (int32_t)(read ^ sign) - (int32_t)sign;
    return true;
}

#endif
