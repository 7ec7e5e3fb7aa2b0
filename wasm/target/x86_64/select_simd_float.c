/* Selection of vector operations on floats that no single instruction does. */
#include "target/x86_64/select_simd.h"

enum {
    CMPPS = X86(0, 1, c2),
    CMPPD = X86(66, 1, c2),
    CVTTPS2DQ = X86(f3, 1, 5b),
    EQUAL = 0,
    LESS_EQUAL = 2,
    UNORDERED = 3,
    GREATER_EQUAL = 13, /* VEX only */
};

void simd_sign(struct simd *s)
{
    bool negate = (s->row->op & 0xff) == 0x57;
    uint64_t sign = s->row->imm == 4 ? 0x8000000080000000 : 0x8000000000000000;
    vec_op(s, s->to, s->row->op, reg_a(s), pool_splat64(s, negate ? sign : ~sign));
}

/* The instruction answers with its second operand when the operands are zeros or one is a NaN: both
 * orders, joined, are right but for NaNs, which become canonical ones. */
void simd_minmax(struct simd *s)
{
    bool single = s->row->imm == 4;
    mreg a = reg_a(s), b = reg_b(s);
    mreg one = vec_op(s, R_NONE, s->row->op, a, in_reg(b));
    mreg other = vec_op(s, R_NONE, s->row->op, b, in_reg(a));
    mreg nan = vec_op_imm(s, R_NONE, single ? CMPPS : CMPPD, UNORDERED, a, in_reg(b));
    mreg joined = vec_op(s, R_NONE, s->row->op2, one, in_reg(other));
    joined = vec_op(s, R_NONE, X86(0, 1, 56), joined, in_reg(nan));
    mreg payload = vec_shift(s, R_NONE, single ? SHIFT32 : SHIFT64, RIGHT, single ? 10 : 13, nan);
    vec_op(s, s->to, X86(0, 1, 55), payload, in_reg(joined));
}

/* Lanes of A at or above the float K. */
static mreg at_least(struct simd *s, mreg a, uint32_t k)
{
    struct operand bound = pool_splat32(s, k);
    if (s->c->cpu.avx)
        return vec_op_imm(s, R_NONE, CMPPS, GREATER_EQUAL, a, bound);
    mreg limit = vec_const(s, (uint64_t)k << 32 | k, (uint64_t)k << 32 | k);
    return vec_op_imm(s, R_NONE, CMPPS, LESS_EQUAL, limit, in_reg(a));
}

enum { TWO_31 = 0x4f000000 };

/* The conversion answers with the smallest integer for what does not fit. */
void simd_trunc_f32(struct simd *s)
{
    mreg a = reg_a(s);
    if (s->row->imm) {
        mreg number = vec_op_imm(s, R_NONE, CMPPS, EQUAL, a, in_reg(a));
        mreg over = at_least(s, a, TWO_31);
        number = vec_op(s, R_NONE, X86(0, 1, 54), a, in_reg(number)); /* NaN: 0 */
        mreg integer = vec_unary(s, R_NONE, CVTTPS2DQ, in_reg(number));
        vec_op(s, s->to, PXOR, integer, in_reg(over));
        return;
    }
    /* NaNs and negative ones become 0. From 2^31 on the integer is the smallest one plus what the
     * float exceeds 2^31 by, the latter saturated. */
    mreg positive = vec_op(s, R_NONE, X86(0, 1, 5f), a, in_pool(s, 0, 0));
    mreg rest = vec_op(s, R_NONE, X86(0, 1, 5c), positive, pool_splat32(s, TWO_31));
    mreg over = at_least(s, rest, TWO_31);
    rest = vec_unary(s, R_NONE, CVTTPS2DQ, in_reg(rest));
    rest = vec_op(s, R_NONE, PXOR, rest, in_reg(over));
    rest = vec_op(s, R_NONE, X86(66, 2, 3d), rest, in_pool(s, 0, 0));
    mreg integer = vec_unary(s, R_NONE, CVTTPS2DQ, in_reg(positive));
    vec_op(s, s->to, X86(66, 1, fe), integer, in_reg(rest));
}

void simd_trunc_f64(struct simd *s)
{
    mreg a = reg_a(s);
    if (s->row->imm) {
        /* The bound, or 0 for a NaN: the minimum's second operand, so its answer for one. */
        mreg bound = vec_op_imm(s, R_NONE, CMPPD, EQUAL, a, in_reg(a));
        bound = vec_op(s, R_NONE, X86(66, 1, 54), bound, pool_splat64(s, 0x41dfffffffc00000));
        mreg low = vec_op(s, R_NONE, X86(66, 1, 5d), a, in_reg(bound));
        vec_unary(s, s->to, X86(66, 1, e6), in_reg(low));
        return;
    }
    /* Clamped and rounded, then moved to where the integer is the mantissa's low half. */
    mreg x = vec_op(s, R_NONE, X86(66, 1, 5f), a, in_pool(s, 0, 0));
    x = vec_op(s, R_NONE, X86(66, 1, 5d), x, pool_splat64(s, 0x41efffffffe00000));
    x = vec_unary_imm(s, R_NONE, X86(66, 3, 09), 11, in_reg(x));
    x = vec_op(s, R_NONE, X86(66, 1, 58), x, pool_splat64(s, 0x4330000000000000));
    vec_op_imm(s, s->to, X86(0, 1, c6), 0x88, x, in_pool(s, 0, 0));
}

/* The halves of each integer as mantissas of 2^23 and 2^39; the final sum rounds once. */
void simd_convert_unsigned(struct simd *s)
{
    mreg a = reg_a(s);
    mreg low = vec_op_imm(s, R_NONE, PBLENDW, 0xaa, a, pool_splat32(s, 0x4b000000));
    mreg high = vec_shift(s, R_NONE, SHIFT32, RIGHT, 16, a);
    high = vec_op_imm(s, R_NONE, PBLENDW, 0xaa, high, pool_splat32(s, 0x53000000));
    high = vec_op(s, R_NONE, X86(0, 1, 5c), high, pool_splat32(s, 0x53000080));
    vec_op(s, s->to, X86(0, 1, 58), high, in_reg(low));
}

void simd_convert_low_unsigned(struct simd *s)
{
    mreg wide = vec_op(s, R_NONE, X86(66, 1, 62), reg_a(s), pool_splat32(s, 0x43300000));
    vec_op(s, s->to, X86(66, 1, 5c), wide, pool_splat64(s, 0x4330000000000000));
}

void simd_madd(struct simd *s)
{
    bool subtract = s->row->op;
    struct target_compiler *c = s->c;
    mreg a = reg_a(s);
    mreg product = vec_op(s, R_NONE, (s->row->op2 & ~0xffu) | 0x59, a, operand_b(s));
    if (subtract)
        vec_op(s, s->to, s->row->op2, value_reg(c, s->ins->c), in_reg(product));
    else
        vec_op(s, s->to, s->row->op2, product, operand_xmm(c, s->ins->c, 16));
}
