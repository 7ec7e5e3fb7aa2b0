/* Features of WebAssembly that this engine does not have, by the bytes that give them away. A
 * module that uses one is told so by the feature's name; what no proposal claims is malformed. The
 * rows are listed for users in docs/engine.md, and tests/engine/unsupported.py has a module for
 * each. */
#include "decode/sections.h"

#define GC       "garbage collection"
#define FUNC_REF "typed function references"
#define STRINGS  "stringref"
#define STACKS   "stack switching"
#define SHARED   "shared-everything threads"
#define HALF     "half-precision floats"

static const struct {
    uint8_t place; /* enum encoding_place */
    uint16_t first, last;
    const char *feature;
} features[] = {
    {IN_VALUE_TYPE, 0x63, 0x64, FUNC_REF}, /* (ref null t), (ref t) */
    {IN_VALUE_TYPE, 0x6a, 0x6e, GC},       /* arrayref … anyref */
    {IN_VALUE_TYPE, 0x71, 0x74, GC},       /* nullref … nullexnref */
    {IN_VALUE_TYPE, 0x66, 0x67, STRINGS},
    {IN_VALUE_TYPE, 0x61, 0x62, STRINGS}, /* views of strings */
    {IN_VALUE_TYPE, 0x68, 0x68, STACKS},
    {IN_VALUE_TYPE, 0x75, 0x75, STACKS},
    {IN_VALUE_TYPE, 0x65, 0x65, SHARED},
    {IN_HEAP_TYPE, 0x00, 0x3f, FUNC_REF}, /* the index of a type */
    {IN_TABLE, 0x40, 0x40, FUNC_REF},     /* a table with an initial value */
    {IN_TYPE_FORM, 0x4e, 0x50, GC},       /* rec, sub final, sub */
    {IN_TYPE_FORM, 0x5e, 0x5f, GC},       /* array, struct */
    {IN_TYPE_FORM, 0x5d, 0x5d, STACKS},
    {IN_TYPE_FORM, 0x65, 0x65, SHARED},
    {IN_SECTION, 14, 14, STRINGS}, /* literals */
    {IN_CODE, 0x14, 0x15, FUNC_REF},
    {IN_CODE, 0xd3, 0xd3, GC}, /* ref.eq */
    {IN_CODE, 0xd4, 0xd6, FUNC_REF},
    {IN_CODE, 0xe0, 0xe6, STACKS},
    {IN_CODE_FB, 0x00, 0x7f, GC},
    {IN_CODE_FB, 0x80, 0xbf, STRINGS},
    {IN_CODE_FC, 18, 18, "memory control"}, /* memory.discard */
    {IN_CODE_FC, 19, 22, "wide arithmetic"},
    {IN_CODE_FC, 0x30, 0x31, HALF},
    {IN_CODE_FD, 0x114, 0x114, "bfloat16 dot product"}, /* once part of relaxed SIMD */
    {IN_CODE_FD, 0x120, 0x15f, HALF},
    {IN_CODE_FE, 0x04, 0x04, SHARED}, /* pause */
    {IN_CODE_FE, 0x4f, 0x7f, SHARED},
};

bool refuse_unknown(struct reader *r, uint32_t offset, enum encoding_place place, uint32_t number,
                    const char *what)
{
    bool type = place == IN_HEAP_TYPE || place == IN_TABLE;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if ((features[i].place == place || (type && features[i].place == IN_VALUE_TYPE)) &&
            number >= features[i].first && number <= features[i].last)
            return reader_fail_at(r, WASM_ERR_UNSUPPORTED, offset, "%s: not supported (%s 0x%02x)",
                                  features[i].feature, what, number);
    return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "%s 0x%02x", what, number);
}

bool refuse_opcode(struct reader *r, uint32_t offset, uint8_t opcode)
{
    enum { PREFIX_GC = 0xfb };
    uint32_t number;
    if (opcode != PREFIX_GC)
        return refuse_unknown(r, offset, IN_CODE, opcode, "illegal opcode");
    return read_u32(r, &number) &&
           refuse_unknown(r, offset, IN_CODE_FB, number, "illegal opcode 0xfb");
}

/* A type is a signed number in LEB128; one that goes on after the first byte is none. */
bool refuse_type(struct reader *r, uint32_t offset, enum encoding_place place, uint8_t byte,
                 const char *what)
{
    if (byte & 0x80)
        return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "integer representation too long");
    return refuse_unknown(r, offset, place, byte, what);
}
