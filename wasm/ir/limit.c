/* How large a value can be at most, and how many of its low bits are 0, as its operation and those
 * of its operands tell. */
#include "ir/ir.h"

static uint64_t all_of(const struct ir_ins *ins)
{
    return ins->type == IR_I32 ? UINT32_MAX : UINT64_MAX;
}

static uint64_t of_operation(const struct ir_func *f, ir_ref ref)
{
    const struct ir_ins *ins = &f->ins[ref], *b = &f->ins[ins->b];
    uint64_t all = all_of(ins);
    switch (ins->op) {
    case IR_CONST: return ins->type == IR_I32 ? (uint32_t)ins->imm : ins->imm;
    case IR_LOAD:
        return ins->access == IR_U8    ? 0xff
               : ins->access == IR_U16 ? 0xffff
               : ins->access == IR_U32 ? UINT32_MAX
                                       : all;
    case IR_AND: return b->op == IR_CONST ? b->imm & all : all;
    case IR_SHR_U:
        return b->op == IR_CONST ? all >> (b->imm & (ins->type == IR_I32 ? 31 : 63)) : all;
    case IR_ZEXT: return UINT32_MAX;
    case IR_REF_IS_NULL: return 1;
    default: return ir_is_comparison(ins->op) ? 1 : all;
    }
}

uint64_t ir_limit(const struct ir_func *f, ir_ref ref)
{
    enum { CHOICES = 16 };
    const struct ir_ins *ins = &f->ins[ref];
    bool phi = ins->op == IR_PHI;
    if (!phi && ins->op != IR_SELECT)
        return of_operation(f, ref);
    const ir_ref *choices = phi ? f->pool + ins->list : ins->abc;
    uint32_t count = phi ? ins->count : 2;
    uint64_t highest = count > CHOICES ? all_of(ins) : 0;
    for (uint32_t k = 0; k < count && highest < all_of(ins); k++) {
        uint64_t limit = choices[k] == ref ? 0 : of_operation(f, choices[k]);
        highest = limit > highest ? limit : highest;
    }
    return highest;
}

/* PHI, for which others are asked, counts as 0: with every operation here the result has as many
 * zeros as its operands have, or a number that does not depend on them. */
static unsigned low_zeros(const struct ir_func *f, ir_ref ref, ir_ref phi, unsigned depth)
{
    enum { CHOICES = 4 };
    const struct ir_ins *ins = &f->ins[ref];
    if (ref == phi)
        return 64;
    if (ins->op == IR_CONST)
        return ins->imm ? (unsigned)__builtin_ctzll(ins->imm) : 64;
    if (!depth--)
        return 0;
    unsigned zeros = 64, other;
    switch (ins->op) {
    case IR_PHI:
        if (phi || ins->count > CHOICES)
            return 0;
        for (uint32_t k = 0; k < ins->count && zeros; k++) {
            other = low_zeros(f, f->pool[ins->list + k], ref, depth);
            zeros = other < zeros ? other : zeros;
        }
        return zeros;
    case IR_COPY:
    case IR_ZEXT:
    case IR_WRAP: return low_zeros(f, ins->a, phi, depth);
    case IR_SHL:
        if (f->ins[ins->b].op != IR_CONST)
            return 0;
        zeros = ins->type == IR_I32 ? 31 : 63;
        return low_zeros(f, ins->a, phi, depth) + ((unsigned)f->ins[ins->b].imm & zeros);
    case IR_AND:
        zeros = low_zeros(f, ins->a, phi, depth);
        other = low_zeros(f, ins->b, phi, depth);
        return other > zeros ? other : zeros;
    case IR_ADD:
    case IR_SUB:
    case IR_OR:
    case IR_XOR:
        zeros = low_zeros(f, ins->b, phi, depth);
        other = zeros ? low_zeros(f, ins->a, phi, depth) : 0;
        return other < zeros ? other : zeros;
    default: return 0;
    }
}

unsigned ir_low_zeros(const struct ir_func *f, ir_ref ref)
{
    enum { DEPTH = 5 };
    return low_zeros(f, ref, 0, DEPTH);
}
