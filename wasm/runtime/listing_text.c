/* Instructions in the text format (spec chapter 6), from bytes that were found valid: the name is
 * the opcode table's, the immediates are told by the opcode. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "decode/sections.h"
#include "runtime/module.h"

struct writer {
    const struct wasm_module *module;
    const uint8_t *p, *end;
    char *text;
    size_t size, used;
};

static void put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->used, w->size - w->used, format, args);
    va_end(args);
    if (n > 0)
        w->used += (size_t)n < w->size - w->used ? (size_t)n : w->size - w->used - 1;
}

/* LEB128: what is too short, which no valid module has, reads as what there is. */
static uint64_t read_bits(struct writer *w, unsigned *bits)
{
    uint64_t value = 0;
    *bits = 0;
    while (w->p < w->end && *bits < 64) {
        uint8_t byte = *w->p++;
        value |= (uint64_t)(byte & 0x7f) << *bits;
        *bits += 7;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

static uint64_t read_unsigned(struct writer *w)
{
    unsigned bits;
    return read_bits(w, &bits);
}

static int64_t read_signed(struct writer *w)
{
    unsigned bits;
    uint64_t value = read_bits(w, &bits);
    if (bits && bits < 64 && value >> (bits - 1) & 1)
        value |= UINT64_MAX << bits;
    return (int64_t)value;
}

static void put_numbers(struct writer *w)
{
    while (w->p < w->end)
        put(w, " %" PRIu64, read_unsigned(w));
}

/* Nothing, a value type, or the index of a function type. */
static void put_block_type(struct writer *w)
{
    if (w->p == w->end)
        return;
    uint8_t byte = *w->p;
    if (byte == 0x40) {
        w->p++;
    } else if (byte > 0x40 && byte < 0x80) {
        w->p++;
        put(w, " (result %s)", wasm_type_name(byte));
    } else {
        put(w, " (type %" PRId64 ")", read_signed(w));
    }
}

static void put_func(struct writer *w)
{
    uint64_t index = read_unsigned(w);
    put(w, " %" PRIu64, index);
    const char *name = index <= UINT32_MAX ? wasm_module_func_name(w->module, (uint32_t)index) : "";
    if (*name)
        put(w, " <%.60s>", name);
}

static void put_call_indirect(struct writer *w)
{
    uint64_t type = read_unsigned(w), table = read_unsigned(w);
    put(w, " (type %" PRIu64 ")", type);
    if (table)
        put(w, " table %" PRIu64, table);
}

static void put_memarg(struct writer *w, uint32_t natural)
{
    uint64_t align = read_unsigned(w);
    if (align & 0x40) /* several memories */
        put(w, " memory %" PRIu64, read_unsigned(w));
    align &= ~(uint64_t)0x40;
    uint64_t offset = read_unsigned(w);
    if (offset)
        put(w, " offset=%" PRIu64, offset);
    if (align != natural && align < 32)
        put(w, " align=%u", 1u << align);
}

/* A NaN has bits that a number does not tell. */
static void put_float(struct writer *w, bool is_double)
{
    if (is_double) {
        double value = 0;
        uint64_t bits;
        memcpy(&value, w->p, (size_t)(w->end - w->p) < sizeof(value) ? 0 : sizeof(value));
        memcpy(&bits, &value, sizeof(bits));
        if (isnan(value))
            put(w, " nan:0x%" PRIx64, bits & 0xfffffffffffff);
        else
            put(w, " %.17g", value);
    } else {
        float value = 0;
        uint32_t bits;
        memcpy(&value, w->p, (size_t)(w->end - w->p) < sizeof(value) ? 0 : sizeof(value));
        memcpy(&bits, &value, sizeof(bits));
        if (isnan(value))
            put(w, " nan:0x%x", bits & 0x7fffff);
        else
            put(w, " %.9g", (double)value);
    }
    w->p = w->end;
}

static void put_vector(struct writer *w)
{
    put(w, " 0x");
    for (const uint8_t *p = w->end; p > w->p; p--)
        put(w, "%02x", p[-1]);
    w->p = w->end;
}

static void put_simd(struct writer *w, uint32_t natural)
{
    uint64_t number = read_unsigned(w);
    if (number <= 11 || (number >= 0x54 && number <= 0x5d))
        put_memarg(w, natural);
    else if (number == 12)
        put_vector(w);
}

static void put_immediates(struct writer *w, uint32_t natural)
{
    uint8_t code = *w->p++;
    switch (code) {
    case 0x02: /* block */
    case 0x03: /* loop */
    case 0x04: /* if */
    case 0x06: /* try */
    case 0x1f: /* try_table */ put_block_type(w); break;
    case 0x10: /* call */
    case 0x12: /* return_call */
    case 0xd2: /* ref.func */ put_func(w); break;
    case 0x11: /* call_indirect */
    case 0x13: /* return_call_indirect */ put_call_indirect(w); break;
    case 0x0e: /* br_table: a count, which the text does without */ read_unsigned(w); break;
    case 0x1c: /* select */
        for (uint64_t n = read_unsigned(w); n && w->p < w->end; n--)
            put(w, " (result %s)", wasm_type_name(*w->p++));
        break;
    case 0x41: /* i32.const */
    case 0x42: /* i64.const */ put(w, " %" PRId64, read_signed(w)); break;
    case 0x43: /* f32.const */ put_float(w, false); break;
    case 0x44: /* f64.const */ put_float(w, true); break;
    case 0xd0: /* ref.null */ put(w, " %s", w->p < w->end ? wasm_type_name(*w->p++) : ""); break;
    case 0xfc: read_unsigned(w); break;
    case 0xfd: put_simd(w, natural); break;
    case 0xfe:
        if (read_unsigned(w) != 3) /* atomic.fence */
            put_memarg(w, natural);
        break;
    default:
        if (code >= 0x28 && code <= 0x3e) /* loads and stores */
            put_memarg(w, natural);
        break;
    }
    put_numbers(w); /* the rest: indices, lanes */
}

void listing_text(const struct wasm_module *module, uint32_t offset, uint32_t end, const char *name,
                  uint32_t natural, char *text, size_t size)
{
    struct writer w = {module, module->bytes + offset, module->bytes + end, text, size, 0};
    text[0] = '\0';
    put(&w, "%s", name);
    if (offset < end)
        put_immediates(&w, natural);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}
