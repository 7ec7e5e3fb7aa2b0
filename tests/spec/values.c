/* Values as the JSON of wast2json writes them: numbers in decimal strings, floats as their bits. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

static const char *member(const cJSON *json, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static unsigned lane_bytes(const char *lane)
{
    return !strcmp(lane, "i8")                            ? 1
           : !strcmp(lane, "i16")                         ? 2
           : !strcmp(lane, "i32") || !strcmp(lane, "f32") ? 4
                                                          : 8;
}

bool spec_value(const cJSON *json, union wasm_value *out)
{
    memset(out, 0, sizeof(*out));
    const char *type = member(json, "type"), *value = member(json, "value");
    if (!type)
        return false;
    if (!strcmp(type, "v128")) {
        const char *lane = member(json, "lane_type");
        const cJSON *lanes = cJSON_GetObjectItemCaseSensitive(json, "value"), *item;
        if (!lane)
            return false;
        unsigned size = lane_bytes(lane), at = 0;
        cJSON_ArrayForEach(item, lanes)
        {
            const char *text = cJSON_GetStringValue(item);
            if (!text || at + size > 16)
                return false;
            uint64_t bits = strtoull(text, NULL, 10);
            memcpy(out->v128 + at, &bits, size);
            at += size;
        }
        return at == 16;
    }
    if (!value)
        return false;
    if (!strcmp(type, "externref") || !strcmp(type, "funcref")) {
        /* Host reference N is an address that is not null. */
        out->ref =
            strcmp(value, "null") ? (void *)(uintptr_t)(strtoull(value, NULL, 10) + 1) : NULL;
        return true;
    }
    if (!strcmp(type, "i32") || !strcmp(type, "f32"))
        out->i32 = (uint32_t)strtoull(value, NULL, 10);
    else
        out->i64 = strtoull(value, NULL, 10);
    return true;
}

/* EXPECTED is a decimal string or one of the two NaN patterns. */
static bool float_matches(const char *expected, uint64_t bits, unsigned size)
{
    uint64_t exponent = size == 4 ? 0x7f800000u : 0x7ff0000000000000u;
    uint64_t quiet = size == 4 ? 0x00400000u : 0x0008000000000000u;
    uint64_t magnitude = size == 4 ? 0x7fffffffu : 0x7fffffffffffffffu;
    if (!strcmp(expected, "nan:canonical"))
        return (bits & magnitude) == (exponent | quiet);
    if (!strcmp(expected, "nan:arithmetic"))
        return (bits & (exponent | quiet)) == (exponent | quiet);
    return bits == strtoull(expected, NULL, 10);
}

bool spec_matches(const cJSON *expected, const union wasm_value *value, uint8_t type)
{
    const char *name = member(expected, "type"), *text = member(expected, "value");
    if (!name)
        return false;
    switch (type) {
    case WASM_I32:
        return !strcmp(name, "i32") && text && value->i32 == (uint32_t)strtoull(text, NULL, 10);
    case WASM_I64: return !strcmp(name, "i64") && text && value->i64 == strtoull(text, NULL, 10);
    case WASM_F32: return !strcmp(name, "f32") && text && float_matches(text, value->i32, 4);
    case WASM_F64: return !strcmp(name, "f64") && text && float_matches(text, value->i64, 8);
    case WASM_FUNCREF:
        return !strcmp(name, "funcref") && (text && !strcmp(text, "null")) == !value->ref;
    case WASM_EXTERNREF: {
        union wasm_value want;
        return !strcmp(name, "externref") &&
               (text ? spec_value(expected, &want) && want.ref == value->ref : value->ref != NULL);
    }
    case WASM_V128: {
        const char *lane = member(expected, "lane_type");
        const cJSON *lanes = cJSON_GetObjectItemCaseSensitive(expected, "value"), *item;
        if (!lane)
            return false;
        unsigned size = lane_bytes(lane), at = 0;
        cJSON_ArrayForEach(item, lanes)
        {
            uint64_t bits = 0;
            const char *want = cJSON_GetStringValue(item);
            if (!want || at + size > 16)
                return false;
            memcpy(&bits, value->v128 + at, size);
            uint64_t mask = size == 8 ? ~0ull : (1ull << size * 8) - 1;
            if (lane[0] == 'f' ? !float_matches(want, bits, size)
                               : bits != (strtoull(want, NULL, 10) & mask))
                return false;
            at += size;
        }
        return at == 16;
    }
    default: return false;
    }
}

void spec_print_value(const union wasm_value *value, uint8_t type, char *text, size_t size)
{
    switch (type) {
    case WASM_I32:
    case WASM_F32: snprintf(text, size, "0x%" PRIx32, value->i32); break;
    case WASM_V128: {
        uint64_t half[2];
        memcpy(half, value, 16);
        snprintf(text, size, "0x%016" PRIx64 "%016" PRIx64, half[1], half[0]);
        break;
    }
    default: snprintf(text, size, "0x%" PRIx64, value->i64);
    }
}
