/* Vector instructions, behind the prefix 0xfd (spec 5.4.9, and the relaxed ones from 0x100 on).
 *
 * What works on values is described by the table of ir/simd.h. What touches memory is composed here
 * of a load or store and one of those operations, so that nothing behind the front end has to know
 * the many widths. */
#include "decode/body.h"
#include "ir/simd.h"

#include <string.h>

enum { V128_CONST = 12, RELAXED = 0x100, SHUFFLE_BYTES = 32 };

static const uint8_t *read_16(struct body_decoder *d)
{
    const uint8_t *bytes = d->r.p;
    if (reader_left(&d->r) < 16) {
        (void)read_end(&d->r);
        return NULL;
    }
    d->r.p += 16;
    return bytes;
}

static bool op_v128_const(struct body_decoder *d)
{
    const uint8_t *bytes = read_16(d);
    if (!bytes)
        return false;
    ir_ref value = 0;
    if (d->live) {
        value = body_emit(d, IR_CONST, IR_V128);
        memcpy(&d->f->ins[value].imm, bytes, 8);
        memcpy(&d->f->ins[value].imm2, bytes + 8, 8);
    }
    return body_push(d, WASM_V128, value);
}

/* Lane number, below that of the shape. */
static bool read_lane(struct body_decoder *d, uint32_t number, uint8_t *lane)
{
    if (!read_u8(&d->r, lane))
        return false;
    return *lane < simd_lanes(number) ||
           body_fail(d, WASM_ERR_INVALID, "invalid lane index %u: %s has %u", *lane, d->op->name,
                     simd_lanes(number));
}

static uint8_t wasm_type_of(char type)
{
    switch (type) {
    case 'i': return WASM_I32;
    case 'l': return WASM_I64;
    case 'S': return WASM_F32;
    case 'D': return WASM_F64;
    default: return WASM_V128;
    }
}

static ir_ref emit_simd(struct body_decoder *d, uint32_t number, const ir_ref *operands,
                        uint64_t imm)
{
    static const uint8_t ops[] = {IR_NOP, IR_SIMD1, IR_SIMD2, IR_SIMD3};
    const char *types = simd_op_info[number].types;
    ir_ref result = body_emit(d, ops[strlen(types) - 1], ir_type_of(wasm_type_of(types[0])));
    struct ir_ins *ins = ir_at(d->f, result);
    ins->aux = number;
    ins->a = operands[0];
    ins->b = types[2] ? operands[1] : 0;
    ins->c = types[2] && types[3] ? operands[2] : 0;
    ins->imm = imm;
    return result;
}

/* An instruction of the table: NUMBER. */
static bool op_vector(struct body_decoder *d, uint32_t number)
{
    const struct simd_op_info *info = &simd_op_info[number];
    const uint8_t *shuffle = NULL;
    uint8_t lane = 0;
    if (number == SIMD_I8X16_SHUFFLE) {
        shuffle = read_16(d);
        if (!shuffle)
            return false;
        for (unsigned i = 0; i < 16; i++)
            if (shuffle[i] >= SHUFFLE_BYTES)
                return body_fail(d, WASM_ERR_INVALID, "invalid lane index %u: %s chooses from %u",
                                 shuffle[i], info->name, SHUFFLE_BYTES);
    } else if (info->flags & SIMD_L && !read_lane(d, number, &lane)) {
        return false;
    }
    ir_ref operands[3] = {0};
    for (size_t i = strlen(info->types) - 1; i-- > 0;)
        if (!body_pop(d, wasm_type_of(info->types[i + 1]), &operands[i]))
            return false;
    ir_ref result = 0;
    if (d->live) {
        result = emit_simd(d, number, operands, lane);
        if (shuffle) {
            memcpy(&d->f->ins[result].imm, shuffle, 8);
            memcpy(&d->f->ins[result].imm2, shuffle + 8, 8);
        }
    }
    return body_push(d, wasm_type_of(info->types[0]), result);
}

/* Instructions on memory: the access, the type it has in the intermediate representation, and the
 * operation on what was loaded (or before it is stored); 0: none. */
struct vector_access {
    struct opcode op; /* first: body_decoder.op points here */
    uint8_t type;     /* enum ir_type */
    uint8_t simd;     /* enum simd_op */
};

static const struct vector_access *access_of(const struct body_decoder *d)
{
    return (const struct vector_access *)d->op;
}

static ir_ref emit_load(struct body_decoder *d, uint32_t memory, uint64_t offset, ir_ref address)
{
    return body_emit_access(d, IR_LOAD, access_of(d)->type, memory, offset, address);
}

/* v128.load and those that extend, repeat or complete with zeros what they load. */
static bool op_vector_load(struct body_decoder *d)
{
    uint32_t memory;
    uint64_t offset;
    ir_ref address, value = 0;
    if (!body_read_memarg(d, &memory, &offset) ||
        !body_pop(d, body_address_type(d, memory), &address))
        return false;
    if (d->live) {
        value = emit_load(d, memory, offset, address);
        if (access_of(d)->simd)
            value = emit_simd(d, access_of(d)->simd, &value, 0);
    }
    return body_push(d, WASM_V128, value);
}

static bool op_vector_store(struct body_decoder *d)
{
    uint32_t memory;
    uint64_t offset;
    ir_ref address, value;
    if (!body_read_memarg(d, &memory, &offset) || !body_pop(d, WASM_V128, &value) ||
        !body_pop(d, body_address_type(d, memory), &address))
        return false;
    if (d->live) {
        ir_ref store = body_emit_access(d, IR_STORE, IR_VOID, memory, offset, address);
        d->f->ins[store].b = value;
    }
    return true;
}

static bool op_vector_load_lane(struct body_decoder *d)
{
    uint32_t memory;
    uint64_t offset;
    uint8_t lane;
    ir_ref address, operands[2];
    if (!body_read_memarg(d, &memory, &offset) || !read_lane(d, access_of(d)->simd, &lane) ||
        !body_pop(d, WASM_V128, &operands[0]) ||
        !body_pop(d, body_address_type(d, memory), &address))
        return false;
    ir_ref value = 0;
    if (d->live) {
        operands[1] = emit_load(d, memory, offset, address);
        value = emit_simd(d, access_of(d)->simd, operands, lane);
    }
    return body_push(d, WASM_V128, value);
}

static bool op_vector_store_lane(struct body_decoder *d)
{
    uint32_t memory;
    uint64_t offset;
    uint8_t lane;
    ir_ref address, value;
    if (!body_read_memarg(d, &memory, &offset) || !read_lane(d, access_of(d)->simd, &lane) ||
        !body_pop(d, WASM_V128, &value) || !body_pop(d, body_address_type(d, memory), &address))
        return false;
    if (d->live) {
        value = emit_simd(d, access_of(d)->simd, &value, lane);
        ir_ref store = body_emit_access(d, IR_STORE, IR_VOID, memory, offset, address);
        d->f->ins[store].b = value;
    }
    return true;
}

/* A row a line. */
/* clang-format off */
#define ACCESS(text, function, width, log2, type_, operation)                                      \
    {{.name = (text), .handler = (function), .access = IR_##width, .natural = (log2)}, IR_##type_, \
     (operation)}
static const struct vector_access accesses[] = {
    [0x00] = ACCESS("v128.load", op_vector_load, 128, 4, V128, 0),
    [0x01] = ACCESS("v128.load8x8_s", op_vector_load, ACCESS_F64, 3, V128, SIMD_I16X8_EXTEND_LOW_I8X16_S),
    [0x02] = ACCESS("v128.load8x8_u", op_vector_load, ACCESS_F64, 3, V128, SIMD_I16X8_EXTEND_LOW_I8X16_U),
    [0x03] = ACCESS("v128.load16x4_s", op_vector_load, ACCESS_F64, 3, V128, SIMD_I32X4_EXTEND_LOW_I16X8_S),
    [0x04] = ACCESS("v128.load16x4_u", op_vector_load, ACCESS_F64, 3, V128, SIMD_I32X4_EXTEND_LOW_I16X8_U),
    [0x05] = ACCESS("v128.load32x2_s", op_vector_load, ACCESS_F64, 3, V128, SIMD_I64X2_EXTEND_LOW_I32X4_S),
    [0x06] = ACCESS("v128.load32x2_u", op_vector_load, ACCESS_F64, 3, V128, SIMD_I64X2_EXTEND_LOW_I32X4_U),
    [0x07] = ACCESS("v128.load8_splat", op_vector_load, U8, 0, I32, SIMD_I8X16_SPLAT),
    [0x08] = ACCESS("v128.load16_splat", op_vector_load, U16, 1, I32, SIMD_I16X8_SPLAT),
    [0x09] = ACCESS("v128.load32_splat", op_vector_load, ACCESS_F32, 2, F32, SIMD_F32X4_SPLAT),
    [0x0a] = ACCESS("v128.load64_splat", op_vector_load, ACCESS_F64, 3, F64, SIMD_F64X2_SPLAT),
    [0x0b] = ACCESS("v128.store", op_vector_store, 128, 4, V128, 0),
    [0x54] = ACCESS("v128.load8_lane", op_vector_load_lane, U8, 0, I32, SIMD_I8X16_REPLACE_LANE),
    [0x55] = ACCESS("v128.load16_lane", op_vector_load_lane, U16, 1, I32, SIMD_I16X8_REPLACE_LANE),
    [0x56] = ACCESS("v128.load32_lane", op_vector_load_lane, U32, 2, I32, SIMD_I32X4_REPLACE_LANE),
    [0x57] = ACCESS("v128.load64_lane", op_vector_load_lane, 64, 3, I64, SIMD_I64X2_REPLACE_LANE),
    [0x58] = ACCESS("v128.store8_lane", op_vector_store_lane, U8, 0, I32, SIMD_I8X16_EXTRACT_LANE_U),
    [0x59] = ACCESS("v128.store16_lane", op_vector_store_lane, U16, 1, I32, SIMD_I16X8_EXTRACT_LANE_U),
    [0x5a] = ACCESS("v128.store32_lane", op_vector_store_lane, U32, 2, I32, SIMD_I32X4_EXTRACT_LANE),
    [0x5b] = ACCESS("v128.store64_lane", op_vector_store_lane, 64, 3, I64, SIMD_I64X2_EXTRACT_LANE),
    [0x5c] = ACCESS("v128.load32_zero", op_vector_load, ACCESS_F32, 2, V128, 0),
    [0x5d] = ACCESS("v128.load64_zero", op_vector_load, ACCESS_F64, 3, V128, 0),
};
/* clang-format on */

bool op_prefix_fd(struct body_decoder *d)
{
    uint32_t number;
    if (!read_u32(&d->r, &number))
        return false;
    if (number < sizeof accesses / sizeof *accesses && accesses[number].op.handler) {
        d->op = &accesses[number].op;
        return d->op->handler(d);
    }
    if (number == V128_CONST) {
        d->vector = (struct opcode){.name = "v128.const", .handler = op_v128_const};
        d->op = &d->vector;
        return op_v128_const(d);
    }
    if (number >= SIMD_OP_COUNT || !simd_op_info[number].types ||
        (number >= RELAXED && !has_feature(d->info, WASM_FEATURE_RELAXED_SIMD)))
        return refuse_unknown(&d->r, d->offset, IN_CODE_FD, number, "illegal opcode 0xfd");
    d->vector = (struct opcode){.name = simd_op_info[number].name};
    d->op = &d->vector;
    return op_vector(d, number);
}
