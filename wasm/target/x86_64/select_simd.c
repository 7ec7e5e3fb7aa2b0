/* Selection of vector operations: the table of what becomes of each, and the regular ones.
 *
 * Needs SSE4.1 (target_lacks() says so). From AVX on every instruction has three operands and takes
 * unaligned memory, so that loads are folded.
 *
 * What relaxed operations do, within what the specification leaves open:
 *   i8x16.relaxed_swizzle        index with the top bit set: 0; else its low four bits select
 *   relaxed_trunc_*              saturate, NaN becomes 0
 *   relaxed_madd, relaxed_nmadd  rounded twice, on every CPU
 *   relaxed_laneselect           with AVX the top bit of each byte (i8x16, i16x8), of each lane
 *                                (i32x4, i64x2); without as v128.bitselect
 *   relaxed_min, relaxed_max     with a NaN or two zeros the second operand
 *   relaxed_q15mulr_s            0x8000 times itself is 0x8000
 *   relaxed_dot_i8x16_i7x16_s    the second operand's bytes are unsigned; sums of two saturate */
#include "target/x86_64/select_simd.h"

struct operand in_pool(struct simd *s, uint64_t low, uint64_t high)
{
    return (struct operand){.form = B_POOL, .imm = pool_add(s->c, 16, low, high)};
}

mreg vec_new(struct simd *s)
{
    return vreg_new(s->c, true, 16);
}

/* Operands of vector instructions are read whole but where the opcode says otherwise. */
mreg vec_op_imm(struct simd *s, mreg to, uint32_t op, unsigned imm, mreg a, struct operand b)
{
    if (!to)
        to = vec_new(s);
    struct mins *m = put_xmm(s->c, 16, op, to, a, &b);
    if (imm != NO_IMM)
        set_imm(m, imm);
    return to;
}

mreg vec_op(struct simd *s, mreg to, uint32_t op, mreg a, struct operand b)
{
    return vec_op_imm(s, to, op, NO_IMM, a, b);
}

mreg vec_unary_imm(struct simd *s, mreg to, uint32_t op, unsigned imm, struct operand b)
{
    if (!to)
        to = vec_new(s);
    struct mins *m = put_xmm_unary(s->c, 16, op, to, &b);
    if (imm != NO_IMM)
        set_imm(m, imm);
    return to;
}

mreg vec_unary(struct simd *s, mreg to, uint32_t op, struct operand b)
{
    return vec_unary_imm(s, to, op, NO_IMM, b);
}

mreg vec_shift(struct simd *s, mreg to, uint32_t op, unsigned digit, unsigned count, mreg a)
{
    if (!to)
        to = vec_new(s);
    if (!s->c->cpu.avx)
        put_move(s->c, 16, to, a);
    struct mins *m = put(s->c, s->c->cpu.avx ? M_VEX_SHIFT : M_SSE_SHIFT);
    m->size = 16;
    m->list = op;
    m->sub = (uint8_t)digit;
    m->imm = count;
    m->dst = to;
    if (s->c->cpu.avx)
        m->a = a;
    return to;
}

mreg vec_const(struct simd *s, uint64_t low, uint64_t high)
{
    mreg to = vec_new(s);
    struct mins *m = put(s->c, M_VCONST);
    m->size = 16;
    m->dst = to;
    m->imm = pool_add(s->c, 16, low, high);
    return to;
}

mreg vec_blend(struct simd *s, mreg to, uint32_t op, mreg a, mreg b, mreg mask)
{
    if (!to)
        to = vec_new(s);
    if (s->c->cpu.avx) {
        struct mins *m = put(s->c, M_VBLEND);
        m->size = 16;
        m->list = op;
        m->dst = to;
        m->a = a;
        m->b = b;
        m->index = mask;
        return to;
    }
    mreg kept = vec_op(s, R_NONE, PAND, b, in_reg(mask));
    mreg others = vec_op(s, R_NONE, PANDN, mask, in_reg(a));
    return vec_op(s, to, POR, kept, in_reg(others));
}

mreg vec_copy(struct simd *s, mreg to, mreg a)
{
    put_move(s->c, 16, to, a);
    return to;
}

mreg vec_not(struct simd *s, mreg to, mreg a)
{
    return vec_op(s, to, PXOR, a, in_pool(s, UINT64_MAX, UINT64_MAX));
}

static bool folds(struct simd *s, ir_ref ref)
{
    return s->c->cpu.avx && can_fold_load(s->c, ref, 16);
}

/* Which operand is better as the first: one that neither memory nor the pool holds; without a third
 * operand one that is not needed afterwards. */
static bool better_swapped(struct simd *s, ir_ref a, ir_ref b)
{
    uint64_t bits[2];
    const struct ir_use *counts = s->c->counts.data;
    if (vector_bits(s->c, b, bits))
        return false;
    if (vector_bits(s->c, a, bits))
        return true;
    if (folds(s, a) || folds(s, b))
        return !folds(s, b);
    return !s->c->cpu.avx && counts[a].count > 1 && counts[b].count == 1;
}

/* An immediate of the row is stored plus 1, 0 being none. */
static void binary(struct simd *s, ir_ref a, ir_ref b)
{
    struct operand o = operand_xmm(s->c, b, 16);
    vec_op_imm(s, s->to, s->row->op, s->row->imm ? s->row->imm - 1 : NO_IMM, value_reg(s->c, a), o);
}

void simd_binary(struct simd *s)
{
    bool swap = simd_op_info[s->ins->aux].flags & SIMD_C && better_swapped(s, s->ins->a, s->ins->b);
    binary(s, swap ? s->ins->b : s->ins->a, swap ? s->ins->a : s->ins->b);
}

void simd_swapped(struct simd *s)
{
    binary(s, s->ins->b, s->ins->a);
}

void simd_unary(struct simd *s)
{
    vec_unary_imm(s, s->to, s->row->op, s->row->imm ? s->row->imm : NO_IMM, operand_a(s));
}

static void select_not(struct simd *s)
{
    vec_not(s, s->to, reg_a(s));
}

/* ROW(operation, how, opcode, second opcode, immediate) */
/* clang-format off */
static const struct simd_row rows[SIMD_OP_COUNT] = {
#define ROW(name, how, ...) [SIMD_##name] = {simd_##how, __VA_ARGS__}
    [SIMD_V128_NOT] = {select_not, 0, 0, 0},
    ROW(V128_AND, binary, PAND, 0, 0),
    ROW(V128_ANDNOT, swapped, PANDN, 0, 0),
    ROW(V128_OR, or, POR, 0, 0),
    ROW(V128_XOR, binary, PXOR, 0, 0),
    ROW(V128_BITSELECT, bitselect, 0, 0, 0),
    ROW(V128_ANY_TRUE, truth, 0, 0, 0),

    /* lanes; the immediate is the lane's size, with 0x80 sign-extended */
    ROW(I8X16_SHUFFLE, shuffle, 0, 0, 0),
    ROW(I8X16_SWIZZLE, swizzle, 0, 0, 0),
    ROW(I8X16_RELAXED_SWIZZLE, binary, PSHUFB, 0, 0),
    ROW(I8X16_SPLAT, splat, X86(66, 2, 78), 0, 1),
    ROW(I16X8_SPLAT, splat, X86(66, 2, 79), 0, 2),
    ROW(I32X4_SPLAT, splat, X86(66, 2, 58), 0, 4),
    ROW(I64X2_SPLAT, splat, X86(66, 2, 59), 0, 8),
    ROW(F32X4_SPLAT, splat_float, 0, 0, 4),
    ROW(F64X2_SPLAT, splat_float, 0, 0, 8),
    ROW(I8X16_EXTRACT_LANE_S, extract, 0, 0, 0x81),
    ROW(I8X16_EXTRACT_LANE_U, extract, 0, 0, 1),
    ROW(I16X8_EXTRACT_LANE_S, extract, 0, 0, 0x82),
    ROW(I16X8_EXTRACT_LANE_U, extract, 0, 0, 2),
    ROW(I32X4_EXTRACT_LANE, extract, 0, 0, 4),
    ROW(I64X2_EXTRACT_LANE, extract, 0, 0, 8),
    ROW(F32X4_EXTRACT_LANE, extract_float, 0, 0, 4),
    ROW(F64X2_EXTRACT_LANE, extract_float, 0, 0, 8),
    ROW(I8X16_REPLACE_LANE, replace, X86(66, 3, 20), 0, 1),
    ROW(I16X8_REPLACE_LANE, replace, X86(66, 1, c4), 0, 2),
    ROW(I32X4_REPLACE_LANE, replace, X86(66, 3, 22), 0, 4),
    ROW(I64X2_REPLACE_LANE, replace, X86(66, 3, 22) | X86_W, 0, 8),
    ROW(F32X4_REPLACE_LANE, replace_float, 0, 0, 4),
    ROW(F64X2_REPLACE_LANE, replace_float, 0, 0, 8),

    /* comparisons; inclusive: min or max, then equality with the first operand; strict: the lane's
     * size, with 0x80 greater */
    ROW(I8X16_EQ, binary, X86(66, 1, 74), 0, 0),
    ROW(I8X16_NE, not_equal, X86(66, 1, 74), 0, 0),
    ROW(I8X16_LT_S, swapped, X86(66, 1, 64), 0, 0),
    ROW(I8X16_LT_U, strict_unsigned, X86(66, 1, de), X86(66, 1, 74), 1),
    ROW(I8X16_GT_S, binary, X86(66, 1, 64), 0, 0),
    ROW(I8X16_GT_U, strict_unsigned, X86(66, 1, da), X86(66, 1, 74), 0x81),
    ROW(I8X16_LE_S, inclusive, X86(66, 2, 38), X86(66, 1, 74), 0),
    ROW(I8X16_LE_U, inclusive, X86(66, 1, da), X86(66, 1, 74), 0),
    ROW(I8X16_GE_S, inclusive, X86(66, 2, 3c), X86(66, 1, 74), 0),
    ROW(I8X16_GE_U, inclusive, X86(66, 1, de), X86(66, 1, 74), 0),
    ROW(I16X8_EQ, binary, X86(66, 1, 75), 0, 0),
    ROW(I16X8_NE, not_equal, X86(66, 1, 75), 0, 0),
    ROW(I16X8_LT_S, swapped, X86(66, 1, 65), 0, 0),
    ROW(I16X8_LT_U, strict_unsigned, X86(66, 2, 3e), X86(66, 1, 75), 2),
    ROW(I16X8_GT_S, binary, X86(66, 1, 65), 0, 0),
    ROW(I16X8_GT_U, strict_unsigned, X86(66, 2, 3a), X86(66, 1, 75), 0x82),
    ROW(I16X8_LE_S, inclusive, X86(66, 1, ea), X86(66, 1, 75), 0),
    ROW(I16X8_LE_U, inclusive, X86(66, 2, 3a), X86(66, 1, 75), 0),
    ROW(I16X8_GE_S, inclusive, X86(66, 1, ee), X86(66, 1, 75), 0),
    ROW(I16X8_GE_U, inclusive, X86(66, 2, 3e), X86(66, 1, 75), 0),
    ROW(I32X4_EQ, binary, X86(66, 1, 76), 0, 0),
    ROW(I32X4_NE, not_equal, X86(66, 1, 76), 0, 0),
    ROW(I32X4_LT_S, swapped, X86(66, 1, 66), 0, 0),
    ROW(I32X4_LT_U, strict_unsigned, X86(66, 2, 3f), X86(66, 1, 76), 4),
    ROW(I32X4_GT_S, binary, X86(66, 1, 66), 0, 0),
    ROW(I32X4_GT_U, strict_unsigned, X86(66, 2, 3b), X86(66, 1, 76), 0x84),
    ROW(I32X4_LE_S, inclusive, X86(66, 2, 39), X86(66, 1, 76), 0),
    ROW(I32X4_LE_U, inclusive, X86(66, 2, 3b), X86(66, 1, 76), 0),
    ROW(I32X4_GE_S, inclusive, X86(66, 2, 3d), X86(66, 1, 76), 0),
    ROW(I32X4_GE_U, inclusive, X86(66, 2, 3f), X86(66, 1, 76), 0),
    ROW(I64X2_EQ, binary, X86(66, 2, 29), 0, 0),
    ROW(I64X2_NE, not_equal, X86(66, 2, 29), 0, 0),
    ROW(I64X2_LT_S, compare64, 0, 0, 0),
    ROW(I64X2_GT_S, compare64, 0, 0, 0),
    ROW(I64X2_LE_S, compare64, 0, 0, 0),
    ROW(I64X2_GE_S, compare64, 0, 0, 0),
    /* the immediate is the predicate, plus 1 */
    ROW(F32X4_EQ, binary, X86(0, 1, c2), 0, 1),
    ROW(F32X4_NE, binary, X86(0, 1, c2), 0, 5),
    ROW(F32X4_LT, binary, X86(0, 1, c2), 0, 2),
    ROW(F32X4_GT, swapped, X86(0, 1, c2), 0, 2),
    ROW(F32X4_LE, binary, X86(0, 1, c2), 0, 3),
    ROW(F32X4_GE, swapped, X86(0, 1, c2), 0, 3),
    ROW(F64X2_EQ, binary, X86(66, 1, c2), 0, 1),
    ROW(F64X2_NE, binary, X86(66, 1, c2), 0, 5),
    ROW(F64X2_LT, binary, X86(66, 1, c2), 0, 2),
    ROW(F64X2_GT, swapped, X86(66, 1, c2), 0, 2),
    ROW(F64X2_LE, binary, X86(66, 1, c2), 0, 3),
    ROW(F64X2_GE, swapped, X86(66, 1, c2), 0, 3),

    /* integers */
    ROW(I8X16_ABS, unary, X86(66, 2, 1c), 0, 0),
    ROW(I8X16_NEG, neg, X86(66, 1, f8), 0, 0),
    ROW(I8X16_POPCNT, popcnt, 0, 0, 0),
    ROW(I8X16_ALL_TRUE, truth, X86(66, 1, 74), 0, 0),
    ROW(I8X16_BITMASK, bitmask, X86(66, 1, d7), 0, 1),
    ROW(I8X16_NARROW_I16X8_S, binary, X86(66, 1, 63), 0, 0),
    ROW(I8X16_NARROW_I16X8_U, binary, X86(66, 1, 67), 0, 0),
    ROW(I8X16_SHL, shift8, X86(66, 1, f1), 0, LEFT),
    ROW(I8X16_SHR_S, shift8, X86(66, 1, e1), 0, RIGHT_SIGNED),
    ROW(I8X16_SHR_U, shift8, X86(66, 1, d1), 0, RIGHT),
    ROW(I8X16_ADD, binary, X86(66, 1, fc), 0, 0),
    ROW(I8X16_ADD_SAT_S, binary, X86(66, 1, ec), 0, 0),
    ROW(I8X16_ADD_SAT_U, binary, X86(66, 1, dc), 0, 0),
    ROW(I8X16_SUB, binary, X86(66, 1, f8), 0, 0),
    ROW(I8X16_SUB_SAT_S, binary, X86(66, 1, e8), 0, 0),
    ROW(I8X16_SUB_SAT_U, binary, X86(66, 1, d8), 0, 0),
    ROW(I8X16_MIN_S, binary, X86(66, 2, 38), 0, 0),
    ROW(I8X16_MIN_U, binary, X86(66, 1, da), 0, 0),
    ROW(I8X16_MAX_S, binary, X86(66, 2, 3c), 0, 0),
    ROW(I8X16_MAX_U, binary, X86(66, 1, de), 0, 0),
    ROW(I8X16_AVGR_U, binary, X86(66, 1, e0), 0, 0),
    ROW(I8X16_RELAXED_LANESELECT, laneselect, PBLENDVB, 0, 0),
    ROW(I16X8_EXTADD_PAIRWISE_I8X16_S, extadd8, 0, 0, 1),
    ROW(I16X8_EXTADD_PAIRWISE_I8X16_U, extadd8, 0, 0, 0),
    ROW(I16X8_ABS, unary, X86(66, 2, 1d), 0, 0),
    ROW(I16X8_NEG, neg, X86(66, 1, f9), 0, 0),
    ROW(I16X8_Q15MULR_SAT_S, q15mulr, X86(66, 2, 0b), 0, 0),
    ROW(I16X8_RELAXED_Q15MULR_S, binary, X86(66, 2, 0b), 0, 0),
    ROW(I16X8_ALL_TRUE, truth, X86(66, 1, 75), 0, 0),
    ROW(I16X8_BITMASK, bitmask, X86(66, 1, d7), 0, 2),
    ROW(I16X8_NARROW_I32X4_S, binary, X86(66, 1, 6b), 0, 0),
    ROW(I16X8_NARROW_I32X4_U, binary, X86(66, 2, 2b), 0, 0),
    ROW(I16X8_EXTEND_LOW_I8X16_S, extend, X86(66, 2, 20), 0, 0),
    ROW(I16X8_EXTEND_HIGH_I8X16_S, extend, X86(66, 2, 20), 0, 1),
    ROW(I16X8_EXTEND_LOW_I8X16_U, extend, X86(66, 2, 30), 0, 0),
    ROW(I16X8_EXTEND_HIGH_I8X16_U, extend, X86(66, 2, 30), X86(66, 1, 68), 1),
    ROW(I16X8_SHL, shift, X86(66, 1, f1), SHIFT16, LEFT),
    ROW(I16X8_SHR_S, shift, X86(66, 1, e1), SHIFT16, RIGHT_SIGNED),
    ROW(I16X8_SHR_U, shift, X86(66, 1, d1), SHIFT16, RIGHT),
    ROW(I16X8_ADD, binary, X86(66, 1, fd), 0, 0),
    ROW(I16X8_ADD_SAT_S, binary, X86(66, 1, ed), 0, 0),
    ROW(I16X8_ADD_SAT_U, binary, X86(66, 1, dd), 0, 0),
    ROW(I16X8_SUB, binary, X86(66, 1, f9), 0, 0),
    ROW(I16X8_SUB_SAT_S, binary, X86(66, 1, e9), 0, 0),
    ROW(I16X8_SUB_SAT_U, binary, X86(66, 1, d9), 0, 0),
    ROW(I16X8_MUL, binary, X86(66, 1, d5), 0, 0),
    ROW(I16X8_MIN_S, binary, X86(66, 1, ea), 0, 0),
    ROW(I16X8_MIN_U, binary, X86(66, 2, 3a), 0, 0),
    ROW(I16X8_MAX_S, binary, X86(66, 1, ee), 0, 0),
    ROW(I16X8_MAX_U, binary, X86(66, 2, 3e), 0, 0),
    ROW(I16X8_AVGR_U, binary, X86(66, 1, e3), 0, 0),
    ROW(I16X8_EXTMUL_LOW_I8X16_S, extmul8, X86(66, 2, 20), 0, 0),
    ROW(I16X8_EXTMUL_HIGH_I8X16_S, extmul8, X86(66, 2, 20), 0, 1),
    ROW(I16X8_EXTMUL_LOW_I8X16_U, extmul8, X86(66, 2, 30), 0, 0),
    ROW(I16X8_EXTMUL_HIGH_I8X16_U, extmul8, X86(66, 2, 30), X86(66, 1, 68), 1),
    ROW(I16X8_RELAXED_LANESELECT, laneselect, PBLENDVB, 0, 0),
    ROW(I16X8_RELAXED_DOT_I8X16_I7X16_S, swapped, X86(66, 2, 04), 0, 0),
    ROW(I32X4_EXTADD_PAIRWISE_I16X8_S, extadd16, 0, 0, 1),
    ROW(I32X4_EXTADD_PAIRWISE_I16X8_U, extadd16, 0, 0, 0),
    ROW(I32X4_ABS, unary, X86(66, 2, 1e), 0, 0),
    ROW(I32X4_NEG, neg, X86(66, 1, fa), 0, 0),
    ROW(I32X4_ALL_TRUE, truth, X86(66, 1, 76), 0, 0),
    ROW(I32X4_BITMASK, bitmask, X86(0, 1, 50), 0, 4),
    ROW(I32X4_EXTEND_LOW_I16X8_S, extend, X86(66, 2, 23), 0, 0),
    ROW(I32X4_EXTEND_HIGH_I16X8_S, extend, X86(66, 2, 23), 0, 1),
    ROW(I32X4_EXTEND_LOW_I16X8_U, extend, X86(66, 2, 33), 0, 0),
    ROW(I32X4_EXTEND_HIGH_I16X8_U, extend, X86(66, 2, 33), X86(66, 1, 69), 1),
    ROW(I32X4_SHL, shift, X86(66, 1, f2), SHIFT32, LEFT),
    ROW(I32X4_SHR_S, shift, X86(66, 1, e2), SHIFT32, RIGHT_SIGNED),
    ROW(I32X4_SHR_U, shift, X86(66, 1, d2), SHIFT32, RIGHT),
    ROW(I32X4_ADD, binary, X86(66, 1, fe), 0, 0),
    ROW(I32X4_SUB, binary, X86(66, 1, fa), 0, 0),
    ROW(I32X4_MUL, binary, X86(66, 2, 40), 0, 0),
    ROW(I32X4_MIN_S, binary, X86(66, 2, 39), 0, 0),
    ROW(I32X4_MIN_U, binary, X86(66, 2, 3b), 0, 0),
    ROW(I32X4_MAX_S, binary, X86(66, 2, 3d), 0, 0),
    ROW(I32X4_MAX_U, binary, X86(66, 2, 3f), 0, 0),
    ROW(I32X4_DOT_I16X8_S, binary, X86(66, 1, f5), 0, 0),
    ROW(I32X4_EXTMUL_LOW_I16X8_S, extmul16, X86(66, 1, e5), X86(66, 1, 61), 0),
    ROW(I32X4_EXTMUL_HIGH_I16X8_S, extmul16, X86(66, 1, e5), X86(66, 1, 69), 0),
    ROW(I32X4_EXTMUL_LOW_I16X8_U, extmul16, X86(66, 1, e4), X86(66, 1, 61), 0),
    ROW(I32X4_EXTMUL_HIGH_I16X8_U, extmul16, X86(66, 1, e4), X86(66, 1, 69), 0),
    ROW(I32X4_RELAXED_LANESELECT, laneselect, BLENDVPS, 0, 0),
    ROW(I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S, dot8, 0, 0, 0),
    ROW(I64X2_ABS, abs64, 0, 0, 0),
    ROW(I64X2_NEG, neg, PSUBQ, 0, 0),
    ROW(I64X2_ALL_TRUE, truth, X86(66, 2, 29), 0, 0),
    ROW(I64X2_BITMASK, bitmask, X86(66, 1, 50), 0, 8),
    ROW(I64X2_EXTEND_LOW_I32X4_S, extend, X86(66, 2, 25), 0, 0),
    ROW(I64X2_EXTEND_HIGH_I32X4_S, extend, X86(66, 2, 25), 0, 1),
    ROW(I64X2_EXTEND_LOW_I32X4_U, extend, X86(66, 2, 35), 0, 0),
    ROW(I64X2_EXTEND_HIGH_I32X4_U, extend, X86(66, 2, 35), X86(66, 1, 6a), 1),
    ROW(I64X2_SHL, shift, X86(66, 1, f3), SHIFT64, LEFT),
    ROW(I64X2_SHR_S, shr_s64, X86(66, 1, d3), 0, 0),
    ROW(I64X2_SHR_U, shift, X86(66, 1, d3), SHIFT64, RIGHT),
    ROW(I64X2_ADD, binary, PADDQ, 0, 0),
    ROW(I64X2_SUB, binary, PSUBQ, 0, 0),
    ROW(I64X2_MUL, mul64, 0, 0, 0),
    ROW(I64X2_EXTMUL_LOW_I32X4_S, extmul32, X86(66, 2, 28), 0, 0x50),
    ROW(I64X2_EXTMUL_HIGH_I32X4_S, extmul32, X86(66, 2, 28), 0, 0xfa),
    ROW(I64X2_EXTMUL_LOW_I32X4_U, extmul32, X86(66, 1, f4), 0, 0x50),
    ROW(I64X2_EXTMUL_HIGH_I32X4_U, extmul32, X86(66, 1, f4), 0, 0xfa),
    ROW(I64X2_RELAXED_LANESELECT, laneselect, BLENDVPD, 0, 0),

    /* floats; of the rounding ones the immediate is the mode, and 8: inexact raises no flag */
    ROW(F32X4_CEIL, unary, X86(66, 3, 08), 0, 10),
    ROW(F32X4_FLOOR, unary, X86(66, 3, 08), 0, 9),
    ROW(F32X4_TRUNC, unary, X86(66, 3, 08), 0, 11),
    ROW(F32X4_NEAREST, unary, X86(66, 3, 08), 0, 8),
    ROW(F32X4_ABS, sign, X86(0, 1, 54), 0, 4),
    ROW(F32X4_NEG, sign, X86(0, 1, 57), 0, 4),
    ROW(F32X4_SQRT, unary, X86(0, 1, 51), 0, 0),
    ROW(F32X4_ADD, binary, X86(0, 1, 58), 0, 0),
    ROW(F32X4_SUB, binary, X86(0, 1, 5c), 0, 0),
    ROW(F32X4_MUL, binary, X86(0, 1, 59), 0, 0),
    ROW(F32X4_DIV, binary, X86(0, 1, 5e), 0, 0),
    ROW(F32X4_MIN, minmax, X86(0, 1, 5d), X86(0, 1, 56), 4),
    ROW(F32X4_MAX, minmax, X86(0, 1, 5f), X86(0, 1, 54), 4),
    ROW(F32X4_PMIN, swapped, X86(0, 1, 5d), 0, 0),
    ROW(F32X4_PMAX, swapped, X86(0, 1, 5f), 0, 0),
    ROW(F32X4_RELAXED_MIN, binary, X86(0, 1, 5d), 0, 0),
    ROW(F32X4_RELAXED_MAX, binary, X86(0, 1, 5f), 0, 0),
    ROW(F32X4_RELAXED_MADD, madd, 0, X86(0, 1, 58), 0),
    ROW(F32X4_RELAXED_NMADD, madd, 1, X86(0, 1, 5c), 0),
    ROW(F64X2_CEIL, unary, X86(66, 3, 09), 0, 10),
    ROW(F64X2_FLOOR, unary, X86(66, 3, 09), 0, 9),
    ROW(F64X2_TRUNC, unary, X86(66, 3, 09), 0, 11),
    ROW(F64X2_NEAREST, unary, X86(66, 3, 09), 0, 8),
    ROW(F64X2_ABS, sign, X86(66, 1, 54), 0, 8),
    ROW(F64X2_NEG, sign, X86(66, 1, 57), 0, 8),
    ROW(F64X2_SQRT, unary, X86(66, 1, 51), 0, 0),
    ROW(F64X2_ADD, binary, X86(66, 1, 58), 0, 0),
    ROW(F64X2_SUB, binary, X86(66, 1, 5c), 0, 0),
    ROW(F64X2_MUL, binary, X86(66, 1, 59), 0, 0),
    ROW(F64X2_DIV, binary, X86(66, 1, 5e), 0, 0),
    ROW(F64X2_MIN, minmax, X86(66, 1, 5d), X86(66, 1, 56), 8),
    ROW(F64X2_MAX, minmax, X86(66, 1, 5f), X86(66, 1, 54), 8),
    ROW(F64X2_PMIN, swapped, X86(66, 1, 5d), 0, 0),
    ROW(F64X2_PMAX, swapped, X86(66, 1, 5f), 0, 0),
    ROW(F64X2_RELAXED_MIN, binary, X86(66, 1, 5d), 0, 0),
    ROW(F64X2_RELAXED_MAX, binary, X86(66, 1, 5f), 0, 0),
    ROW(F64X2_RELAXED_MADD, madd, 0, X86(66, 1, 58), 0),
    ROW(F64X2_RELAXED_NMADD, madd, 1, X86(66, 1, 5c), 0),

    /* conversions */
    ROW(F32X4_DEMOTE_F64X2_ZERO, unary, X86(66, 1, 5a), 0, 0),
    ROW(F64X2_PROMOTE_LOW_F32X4, extend, X86(0, 1, 5a), 0, 0),
    ROW(I32X4_TRUNC_SAT_F32X4_S, trunc_f32, 0, 0, 1),
    ROW(I32X4_TRUNC_SAT_F32X4_U, trunc_f32, 0, 0, 0),
    ROW(I32X4_RELAXED_TRUNC_F32X4_S, trunc_f32, 0, 0, 1),
    ROW(I32X4_RELAXED_TRUNC_F32X4_U, trunc_f32, 0, 0, 0),
    ROW(I32X4_TRUNC_SAT_F64X2_S_ZERO, trunc_f64, 0, 0, 1),
    ROW(I32X4_TRUNC_SAT_F64X2_U_ZERO, trunc_f64, 0, 0, 0),
    ROW(I32X4_RELAXED_TRUNC_F64X2_S_ZERO, trunc_f64, 0, 0, 1),
    ROW(I32X4_RELAXED_TRUNC_F64X2_U_ZERO, trunc_f64, 0, 0, 0),
    ROW(F32X4_CONVERT_I32X4_S, unary, X86(0, 1, 5b), 0, 0),
    ROW(F32X4_CONVERT_I32X4_U, convert_unsigned, 0, 0, 0),
    ROW(F64X2_CONVERT_LOW_I32X4_S, extend, X86(f3, 1, e6), 0, 0),
    ROW(F64X2_CONVERT_LOW_I32X4_U, convert_low_unsigned, 0, 0, 0),
#undef ROW
};
/* clang-format on */

const struct simd_row *simd_row(unsigned op)
{
    return op < SIMD_OP_COUNT && rows[op].select ? &rows[op] : NULL;
}

void select_simd(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    struct simd s = {c, ins, simd_row(ins->aux), result_or_dummy(c, ref)};
    if (s.row)
        s.row->select(&s);
    else
        mir_fail(c);
}
