/* Constant expressions: initial values of globals, offsets and items of segments (spec 3.3.10). */
#include "decode/sections.h"
#include "limits.h"

#include <string.h>

void info_declare(struct module_info *info, uint32_t func)
{
    if (info->declared)
        info->declared[func / 8] |= (uint8_t)(1u << func % 8);
}

/* One instruction's value; false also when it is none that is constant. */
static bool read_constant(struct module_decoder *d, uint8_t opcode, uint32_t offset,
                          struct module_init *init)
{
    struct module_info *info = d->info;
    struct reader *r = &d->r;
    const uint8_t *bytes;
    int32_t i32;
    int64_t i64;
    init->kind = INIT_CONST;
    switch (opcode) {
    case OP_I32_CONST:
        if (!read_s32(r, &i32))
            return false;
        init->type = WASM_I32;
        init->value.i32 = (uint32_t)i32;
        return true;
    case OP_I64_CONST:
        if (!read_s64(r, &i64))
            return false;
        init->type = WASM_I64;
        init->value.i64 = (uint64_t)i64;
        return true;
    case OP_F32_CONST:
        if (reader_left(r) < 4)
            return read_end(r);
        init->type = WASM_F32;
        read_bytes(r, 4, &bytes);
        memcpy(&init->value.i32, bytes, 4);
        return true;
    case OP_F64_CONST:
        if (reader_left(r) < 8)
            return read_end(r);
        init->type = WASM_F64;
        read_bytes(r, 8, &bytes);
        memcpy(&init->value.i64, bytes, 8);
        return true;
    case OP_SIMD: {
        uint32_t number;
        if (!read_u32(r, &number))
            return false;
        if (number != SIMD_V128_CONST)
            return reader_fail_at(r, WASM_ERR_INVALID, offset,
                                  "constant expression required, found 0xfd 0x%02x", number);
        if (reader_left(r) < sizeof init->value.v128)
            return read_end(r);
        init->type = WASM_V128;
        read_bytes(r, sizeof init->value.v128, &bytes);
        memcpy(init->value.v128, bytes, sizeof init->value.v128);
        return true;
    }
    case OP_REF_NULL: init->kind = INIT_REF_NULL; return read_heap_type(r, &init->type);
    case OP_REF_FUNC:
        init->kind = INIT_REF_FUNC;
        init->type = WASM_FUNCREF;
        if (!read_u32(r, &init->index))
            return false;
        if (init->index >= info->func_count)
            return reader_fail_at(r, WASM_ERR_INVALID, offset, "unknown function %u", init->index);
        info_declare(info, init->index);
        return true;
    case OP_GLOBAL_GET:
        init->kind = INIT_GLOBAL;
        if (!read_u32(r, &init->index))
            return false;
        if (init->index >= info->imported_globals)
            return reader_fail_at(r, WASM_ERR_INVALID, offset,
                                  init->index < info->global_count
                                      ? "unknown global %u: not imported"
                                      : "unknown global %u",
                                  init->index);
        if (info->globals[init->index].mutable_)
            return reader_fail_at(r, WASM_ERR_INVALID, offset,
                                  "constant expression required: global %u is mutable",
                                  init->index);
        init->type = info->globals[init->index].type;
        return true;
    default:
        if (!opcode_name(opcode))
            return refuse_opcode(r, offset, opcode);
        return reader_fail_at(r, WASM_ERR_INVALID, offset, "constant expression required, found %s",
                              opcode_name(opcode));
    }
}

/* The type that OPCODE adds, subtracts or multiplies, 0 for others. */
static uint8_t arithmetic_type(uint8_t opcode)
{
    return opcode >= OP_I32_ADD && opcode <= OP_I32_MUL   ? WASM_I32
           : opcode >= OP_I64_ADD && opcode <= OP_I64_MUL ? WASM_I64
                                                          : 0;
}

bool read_init(struct module_decoder *d, uint8_t type, struct module_init *init)
{
    struct reader *r = &d->r;
    uint8_t types[WASM_MAX_CONST_DEPTH];
    uint32_t start = reader_offset(r), depth = 0, count = 0;
    bool extended = has_feature(d->info, WASM_FEATURE_EXTENDED_CONST);
    for (;; count++) {
        uint32_t offset = reader_offset(r);
        uint8_t opcode;
        if (!read_u8(r, &opcode))
            return false;
        if (opcode == OP_END) {
            if (depth != 1)
                return reader_fail_at(r, WASM_ERR_INVALID, offset,
                                      "type mismatch: %u values instead of one in a constant "
                                      "expression",
                                      depth);
            if (types[0] != type)
                return reader_fail_at(
                    r, WASM_ERR_INVALID, offset,
                    "type mismatch: expected %s, found %s in a constant expression",
                    wasm_type_name(type), wasm_type_name(types[0]));
            break;
        }
        uint8_t operands = extended ? arithmetic_type(opcode) : 0;
        if (operands) {
            if (depth < 2 || types[depth - 1] != operands || types[depth - 2] != operands)
                return reader_fail_at(r, WASM_ERR_INVALID, offset,
                                      "type mismatch: %s in a constant expression",
                                      opcode_name(opcode));
            depth--;
            continue;
        }
        if (depth == WASM_MAX_CONST_DEPTH)
            return reader_fail_at(r, WASM_ERR_LIMIT, offset, "constant expression deeper than %u",
                                  WASM_MAX_CONST_DEPTH);
        memset(init, 0, sizeof *init);
        if (!read_constant(d, opcode, offset, init))
            return false;
        types[depth++] = init->type;
    }
    if (count > 1)
        *init = (struct module_init){
            .kind = INIT_EXPR, .type = type, .index = start, .end = reader_offset(r)};
    return true;
}
