/* Bounds-checked primitives of the binary format (spec 5.1 and 5.2). */
#include "decode/reader.h"

#include <stdarg.h>
#include <stdio.h>

void reader_record(struct reader *r, enum wasm_error_kind kind, size_t offset, const char *format,
                   ...)
{
    if (r->err->kind == WASM_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(r->err->message, sizeof r->err->message, format, args);
        va_end(args);
        r->err->kind = kind;
        r->err->offset = (uint32_t)offset;
    }
    r->p = r->end;
}

/* At most ceil(bits / 7) bytes, whose unused bits repeat the sign (or are zero). */
static bool read_leb(struct reader *r, uint32_t bits, bool is_signed, uint64_t *value)
{
    const uint8_t *start = r->p;
    uint64_t result = 0;
    for (uint32_t shift = 0;; shift += 7) {
        uint8_t byte;
        if (!read_u8(r, &byte))
            return false;
        if (shift + 7 >= bits) {
            if (byte & 0x80)
                return reader_fail_at(r, WASM_ERR_MALFORMED, (size_t)(start - r->base),
                                      "integer representation too long");
            uint32_t used = bits - shift; /* 1 to 7 bits of this byte count */
            uint8_t unused = (uint8_t)(0x7f & ~((1u << used) - 1));
            bool negative = is_signed && (byte >> (used - 1) & 1);
            if ((byte & unused) != (negative ? unused : 0))
                return reader_fail_at(r, WASM_ERR_MALFORMED, (size_t)(start - r->base),
                                      "integer too large");
        }
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            if (is_signed && byte & 0x40 && shift + 7 < 64)
                result |= ~UINT64_C(0) << (shift + 7);
            *value = result;
            return true;
        }
    }
}

bool read_u32_slow(struct reader *r, uint32_t *value)
{
    uint64_t wide;
    if (!read_leb(r, 32, false, &wide))
        return false;
    *value = (uint32_t)wide;
    return true;
}

bool read_s32_slow(struct reader *r, int32_t *value)
{
    uint64_t wide;
    if (!read_leb(r, 32, true, &wide))
        return false;
    *value = (int32_t)(uint32_t)wide;
    return true;
}

bool read_s33(struct reader *r, int64_t *value)
{
    uint64_t wide;
    if (!read_leb(r, 33, true, &wide))
        return false;
    *value = (int64_t)wide;
    return true;
}

bool read_s64(struct reader *r, int64_t *value)
{
    uint64_t wide;
    if (!read_leb(r, 64, true, &wide))
        return false;
    *value = (int64_t)wide;
    return true;
}

bool read_u64(struct reader *r, uint64_t *value)
{
    return read_leb(r, 64, false, value);
}

bool read_bytes(struct reader *r, size_t len, const uint8_t **bytes)
{
    if (len > reader_left(r))
        return reader_fail(r, WASM_ERR_MALFORMED, "length out of bounds");
    *bytes = r->p;
    r->p += len;
    return true;
}

bool utf8_valid(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t lead = s[i++];
        if (lead < 0x80)
            continue;
        /* Continuation bytes to come, and the range of the first of them, which shuts out overlong
         * forms, surrogates and what lies beyond U+10FFFF. */
        uint32_t more;
        uint8_t low = 0x80, high = 0xbf;
        if (lead >= 0xc2 && lead <= 0xdf) {
            more = 1;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            more = 2;
            low = lead == 0xe0 ? 0xa0 : low;
            high = lead == 0xed ? 0x9f : high;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            more = 3;
            low = lead == 0xf0 ? 0x90 : low;
            high = lead == 0xf4 ? 0x8f : high;
        } else {
            return false;
        }
        if (more > len - i)
            return false;
        for (uint32_t k = 0; k < more; k++, i++) {
            if (s[i] < low || s[i] > high)
                return false;
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}

bool read_name(struct reader *r, const uint8_t **bytes, uint32_t *len)
{
    if (!read_u32(r, len))
        return false;
    size_t offset = reader_offset(r);
    if (!read_bytes(r, *len, bytes))
        return false;
    if (!utf8_valid(*bytes, *len))
        return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "malformed UTF-8 encoding");
    return true;
}
