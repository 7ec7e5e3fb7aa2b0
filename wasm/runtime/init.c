/* Constant expressions: the values that globals and segment items start from. */
#include "limits.h"
#include "runtime/instance.h"

#include <string.h>

/* Reads a validated LEB128 number. */
static uint64_t read_leb(const uint8_t **p, bool is_signed)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = *(*p)++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (is_signed && shift < 64 && (byte & 0x40))
        value |= ~0ull << shift;
    return value;
}

static void *func_reference(struct instance *instance, uint32_t index)
{
    uint32_t imported = instance->module->info.imported_funcs;
    return index < imported ? instance->abi.imports[index] : &instance->abi.funcs[index - imported];
}

/* An extended constant expression, validated: its operand stack has the depth that admits. */
static union wasm_value eval_expression(struct instance *instance, const uint8_t *p,
                                        const uint8_t *end)
{
    union wasm_value stack[WASM_MAX_CONST_DEPTH];
    uint32_t depth = 0;
    memset(stack, 0, sizeof(stack));
    while (p < end && *p != OP_END) {
        uint8_t op = *p++;
        if (op >= OP_I32_ADD && (op <= OP_I32_MUL || (op >= OP_I64_ADD && op <= OP_I64_MUL))) {
            if (depth < 2)
                break;
            union wasm_value *a = &stack[depth - 2], *b = &stack[depth - 1];
            switch (op) {
            case OP_I32_ADD: a->i32 += b->i32; break;
            case OP_I32_SUB: a->i32 -= b->i32; break;
            case OP_I32_MUL: a->i32 *= b->i32; break;
            case OP_I64_ADD: a->i64 += b->i64; break;
            case OP_I64_SUB: a->i64 -= b->i64; break;
            default: a->i64 *= b->i64; break;
            }
            depth--;
            continue;
        }
        if (depth == WASM_MAX_CONST_DEPTH)
            break;
        union wasm_value *v = &stack[depth++];
        memset(v, 0, sizeof(*v));
        switch (op) {
        case OP_GLOBAL_GET: *v = instance->abi.globals[read_leb(&p, false)]->value; break;
        case OP_I32_CONST: v->i32 = (uint32_t)read_leb(&p, true); break;
        case OP_I64_CONST: v->i64 = read_leb(&p, true); break;
        case OP_F32_CONST: memcpy(v, p, 4), p += 4; break;
        case OP_F64_CONST: memcpy(v, p, 8), p += 8; break;
        case OP_REF_NULL: p++; break;
        case OP_REF_FUNC: v->ref = func_reference(instance, (uint32_t)read_leb(&p, false)); break;
        case OP_SIMD:
            read_leb(&p, false); /* v128.const is the only constant one */
            memcpy(v, p, 16), p += 16;
            break;
        default: return stack[0];
        }
    }
    return stack[0];
}

union wasm_value init_eval(struct instance *instance, const struct module_init *init)
{
    union wasm_value value;
    memset(&value, 0, sizeof(value));
    switch (init->kind) {
    case INIT_CONST: return init->value;
    case INIT_GLOBAL: return instance->abi.globals[init->index]->value;
    case INIT_REF_FUNC: value.ref = func_reference(instance, init->index); return value;
    case INIT_REF_NULL: return value;
    default: {
        const uint8_t *bytes = instance->module->info.bytes;
        return eval_expression(instance, bytes + init->index, bytes + init->end);
    }
    }
}
