#include "opt/bytes.h"
#include "opt/fold.h"

enum { STACK = 16, VISITS = 64 };

struct place {
    ir_ref ref;
    uint8_t byte;
    bool cut; /* bytes below this one are not all looked at: a sum could carry unseen */
};

/* Shift count of INS in bytes; false: not known or not whole bytes. */
static bool whole_bytes(const struct ir_func *f, const struct ir_ins *ins, unsigned *count)
{
    int64_t k;
    if (!opt_const(f, ins->b, &k))
        return false;
    unsigned bits = (unsigned)k & (byte_width(ins) * 8 - 1);
    *count = bits / 8;
    return bits % 8 == 0;
}

enum step { STEP_ON, STEP_ZERO, STEP_LEAF, STEP_UNKNOWN, STEP_BOTH };

/* One step back from *P. */
static enum step step_back(const struct ir_func *f, struct place *p)
{
    const struct ir_ins *ins = &f->ins[p->ref];
    unsigned width = byte_width(ins), k;
    int64_t mask;
    switch (ins->op) {
    case IR_CONST: return (ins->imm >> (8 * p->byte) & 0xff) == 0 ? STEP_ZERO : STEP_UNKNOWN;
    case IR_OR:
    case IR_XOR: return STEP_BOTH;
    case IR_ADD: return p->cut ? STEP_UNKNOWN : STEP_BOTH;
    case IR_SHL:
        if (!whole_bytes(f, ins, &k))
            return STEP_LEAF;
        if (p->byte < k)
            return STEP_ZERO;
        p->byte = (uint8_t)(p->byte - k);
        break;
    case IR_SHR_U:
    case IR_SHR_S:
        if (!whole_bytes(f, ins, &k))
            return STEP_LEAF;
        if (p->byte + k >= width)
            return ins->op == IR_SHR_U ? STEP_ZERO : STEP_UNKNOWN;
        p->byte = (uint8_t)(p->byte + k);
        p->cut = true;
        break;
    case IR_ROTL:
    case IR_ROTR:
        if (!whole_bytes(f, ins, &k))
            return STEP_LEAF;
        p->byte = (uint8_t)((ins->op == IR_ROTL ? p->byte + width - k : p->byte + k) % width);
        p->cut = true;
        break;
    case IR_AND:
        if (!opt_const(f, ins->b, &mask))
            return STEP_LEAF;
        mask = mask >> (8 * p->byte) & 0xff;
        if (mask == 0)
            return STEP_ZERO;
        if (mask != 0xff)
            return STEP_LEAF;
        p->cut = true;
        break;
    case IR_BSWAP:
        p->byte = (uint8_t)(width - 1 - p->byte);
        p->cut = true;
        break;
    case IR_ZEXT:
        if (p->byte >= 4)
            return STEP_ZERO;
        break;
    case IR_WRAP: break;
    case IR_SEXT:
    case IR_EXT8:
    case IR_EXT16:
    case IR_EXT32:
        if (p->byte >= (ins->op == IR_EXT8 ? 1 : ins->op == IR_EXT16 ? 2 : 4))
            return STEP_UNKNOWN;
        break;
    case IR_LOAD:
        if (p->byte >= ir_access_bytes(ins->access))
            return ins->access == IR_U8 || ins->access == IR_U16 || ins->access == IR_U32
                       ? STEP_ZERO
                       : STEP_UNKNOWN;
        return STEP_LEAF;
    default: return ir_limit(f, p->ref) >> (8 * p->byte) == 0 ? STEP_ZERO : STEP_LEAF;
    }
    p->ref = ins->a;
    return STEP_ON;
}

bool byte_source(const struct ir_func *f, ir_ref ref, unsigned byte, struct byte_source *from)
{
    struct place stack[STACK];
    unsigned depth = 0, visits = 0;
    stack[depth++] = (struct place){ref, (uint8_t)byte, false};
    *from = (struct byte_source){0, 0};
    while (depth) {
        struct place p = stack[--depth];
        enum step step;
        do {
            if (++visits > VISITS)
                return false;
            step = step_back(f, &p);
        } while (step == STEP_ON);
        if (step == STEP_UNKNOWN)
            return false;
        if (step == STEP_LEAF) {
            if (from->source)
                return false;
            *from = (struct byte_source){p.ref, p.byte};
        } else if (step == STEP_BOTH) {
            if (depth + 2 > STACK)
                return false;
            stack[depth++] = (struct place){f->ins[p.ref].a, p.byte, p.cut};
            stack[depth++] = (struct place){f->ins[p.ref].b, p.byte, p.cut};
        }
    }
    return true;
}

struct byte_address byte_address(const struct ir_func *f, const struct ir_ins *ins)
{
    const struct ir_ins *a = &f->ins[ins->a];
    int64_t k;
    if (a->type == IR_I32 && a->op == IR_ADD && opt_const(f, a->b, &k))
        return (struct byte_address){a->a, (uint32_t)k};
    if (a->type == IR_I32 && a->op == IR_CONST)
        return (struct byte_address){0, (uint32_t)a->imm};
    return (struct byte_address){ins->a, 0};
}

bool byte_distance(const struct ir_func *f, const struct ir_ins *x, const struct ir_ins *y,
                   int64_t *distance, bool *wraps)
{
    if (x->aux != y->aux)
        return false;
    *wraps = false;
    if (x->a == y->a) {
        *distance = (int64_t)(x->imm - y->imm);
        return true;
    }
    struct byte_address p = byte_address(f, x), q = byte_address(f, y);
    if (p.base != q.base || f->ins[x->a].type != IR_I32)
        return false;
    if (!p.base) {
        *distance = (int64_t)(p.constant + x->imm) - (int64_t)(q.constant + y->imm);
        return true;
    }
    if (x->imm != y->imm)
        return false;
    *distance = (int32_t)(p.constant - q.constant);
    *wraps = true;
    return true;
}

static ir_ref unary(struct ir_func *f, ir_ref where, enum ir_op op, uint8_t type, ir_ref a)
{
    return fold_binary(f, where, op, type, a, 0);
}

ir_ref byte_swapped(struct ir_func *f, ir_ref where, ir_ref value, unsigned count, uint8_t type)
{
    if (count == 8)
        return unary(f, where, IR_BSWAP, IR_I64, value);
    if (f->ins[value].type == IR_I64)
        value = unary(f, where, IR_WRAP, IR_I32, value);
    ir_ref swapped = unary(f, where, IR_BSWAP, IR_I32, value);
    if (count == 2)
        swapped =
            fold_binary(f, where, IR_SHR_U, IR_I32, swapped, fold_const(f, where, IR_I32, 16));
    return type == IR_I64 ? unary(f, where, IR_ZEXT, IR_I64, swapped) : swapped;
}
