/* Selection of vector operations on integers that no single instruction does. */
#include "target/x86_64/select_simd.h"

enum { PCMPEQD = X86(66, 1, 76), PCMPGTD = X86(66, 1, 66), PMULUDQ = X86(66, 1, f4) };

void simd_not_equal(struct simd *s)
{
    struct operand b = operand_b(s);
    vec_not(s, s->to, vec_op(s, R_NONE, s->row->op, reg_a(s), b));
}

void simd_inclusive(struct simd *s)
{
    struct operand b = operand_b(s);
    mreg a = reg_a(s), extreme = vec_op(s, R_NONE, s->row->op, a, b);
    vec_op(s, s->to, s->row->op2, extreme, in_reg(a));
}

/* Adds DELTA to each lane of SIZE bytes; false if one wraps around. */
static bool lanes_add(uint64_t bits[2], unsigned size, int delta)
{
    uint64_t mask = UINT64_MAX >> (64 - 8 * size);
    for (unsigned half = 0; half < 2; half++) {
        uint64_t sum = 0;
        for (unsigned shift = 0; shift < 64; shift += 8 * size) {
            uint64_t lane = bits[half] >> shift & mask;
            if (lane == (delta < 0 ? 0 : mask))
                return false;
            sum |= ((lane + (uint64_t)(int64_t)delta) & mask) << shift;
        }
        bits[half] = sum;
    }
    return true;
}

/* a < k is max(a, k - 1) = k - 1; a < b is not max(a, b) = a; likewise the other way round. */
void simd_strict_unsigned(struct simd *s)
{
    uint64_t bits[2];
    unsigned size = s->row->imm & 15;
    mreg a = reg_a(s);
    if (vector_bits(s->c, s->ins->b, bits) && lanes_add(bits, size, s->row->imm & 0x80 ? 1 : -1)) {
        struct operand k = in_pool(s, bits[0], bits[1]);
        vec_op(s, s->to, s->row->op2, vec_op(s, R_NONE, s->row->op, a, k), k);
        return;
    }
    mreg extreme = vec_op(s, R_NONE, s->row->op, a, operand_b(s));
    vec_not(s, s->to, vec_op(s, R_NONE, s->row->op2, extreme, in_reg(a)));
}

mreg vec_greater64(struct simd *s, mreg to, mreg a, mreg b)
{
    if (s->c->cpu.avx)
        return vec_op(s, to, PCMPGTQ, a, in_reg(b));
    /* The upper halves decide, unless they are equal: then the borrow of b - a. */
    mreg borrow = vec_op(s, R_NONE, PSUBQ, b, in_reg(a));
    mreg equal = vec_op(s, R_NONE, PCMPEQD, a, in_reg(b));
    mreg low = vec_op(s, R_NONE, PAND, equal, in_reg(borrow));
    mreg high = vec_op(s, R_NONE, PCMPGTD, a, in_reg(b));
    mreg either = vec_op(s, R_NONE, POR, high, in_reg(low));
    return vec_unary_imm(s, to, PSHUFD, 0xf5, in_reg(either));
}

void simd_compare64(struct simd *s)
{
    unsigned op = s->ins->aux;
    bool inclusive = op == SIMD_I64X2_LE_S || op == SIMD_I64X2_GE_S;
    bool swap = op == SIMD_I64X2_LT_S || op == SIMD_I64X2_GE_S;
    mreg a = reg_a(s), b = reg_b(s);
    mreg greater = vec_greater64(s, inclusive ? R_NONE : s->to, swap ? b : a, swap ? a : b);
    if (inclusive)
        vec_not(s, s->to, greater);
}

void simd_neg(struct simd *s)
{
    struct operand a = operand_a(s);
    vec_op(s, s->to, s->row->op, vec_const(s, 0, 0), a);
}

void simd_abs64(struct simd *s)
{
    mreg a = reg_a(s);
    if (s->c->cpu.avx) {
        mreg negative = vec_op(s, R_NONE, PSUBQ, vec_const(s, 0, 0), in_reg(a));
        vec_blend(s, s->to, BLENDVPD, a, negative, a);
        return;
    }
    mreg sign = vec_unary_imm(s, R_NONE, PSHUFD, 0xf5, in_reg(a));
    sign = vec_shift(s, R_NONE, SHIFT32, RIGHT_SIGNED, 31, sign);
    mreg flipped = vec_op(s, R_NONE, PXOR, a, in_reg(sign));
    vec_op(s, s->to, PSUBQ, flipped, in_reg(sign));
}

/* Lanes rotated by whole bytes: a shift to the left joined with one to the right. */
static bool rotation(struct simd *s)
{
    static const struct {
        uint16_t left, right;
        uint8_t size;
    } pairs[] = {{SIMD_I16X8_SHL, SIMD_I16X8_SHR_U, 2},
                 {SIMD_I32X4_SHL, SIMD_I32X4_SHR_U, 4},
                 {SIMD_I64X2_SHL, SIMD_I64X2_SHR_U, 8}};
    struct target_compiler *c = s->c;
    ir_ref refs[2] = {s->ins->a, s->ins->b};
    const struct ir_ins *x = ins_at(c, refs[0]), *y = ins_at(c, refs[1]);
    if (x->op != IR_SIMD2 || y->op != IR_SIMD2 || x->a != y->a || !is_const(c, x->b) ||
        !is_const(c, y->b) || refs[0] == refs[1] || !can_fold(c, refs[0]) || !can_fold(c, refs[1]))
        return false;
    for (unsigned k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        const struct ir_ins *left = x->aux == pairs[k].left ? x : y, *right = left == x ? y : x;
        if (left->aux != pairs[k].left || right->aux != pairs[k].right)
            continue;
        unsigned size = pairs[k].size, bits = 8 * size;
        unsigned by = (unsigned)ins_at(c, left->b)->imm & (bits - 1);
        unsigned back = (unsigned)ins_at(c, right->b)->imm & (bits - 1);
        if (by % 8 || by + back != bits)
            return false;
        uint64_t order[2] = {0, 0};
        for (unsigned i = 0; i < 16; i++) {
            unsigned from = i / size * size + (i + size - by / 8) % size;
            order[i / 8] |= (uint64_t)from << i % 8 * 8;
        }
        vec_op(s, s->to, PSHUFB, value_reg(c, x->a), in_pool(s, order[0], order[1]));
        return true;
    }
    return false;
}

void simd_or(struct simd *s)
{
    if (!rotation(s))
        simd_binary(s);
}

/* By a table of the bits in four bits. */
void simd_popcnt(struct simd *s)
{
    mreg a = reg_a(s), table = vec_const(s, 0x0302020102010100, 0x0403030203020201);
    struct operand mask = pool_splat8(s, 0x0f);
    mreg low = vec_op(s, R_NONE, PAND, a, mask);
    mreg high = vec_shift(s, R_NONE, SHIFT16, RIGHT, 4, a);
    high = vec_op(s, R_NONE, PAND, high, mask);
    low = vec_op(s, R_NONE, PSHUFB, table, in_reg(low));
    high = vec_op(s, R_NONE, PSHUFB, table, in_reg(high));
    vec_op(s, s->to, X86(66, 1, fc), low, in_reg(high));
}

/* The count taken modulo MASK + 1, in an xmm register. */
static mreg shift_count(struct simd *s, unsigned mask, unsigned plus)
{
    struct target_compiler *c = s->c;
    mreg count = value_reg(c, s->ins->b), to = vec_new(s);
    if (plus || c->bounds.data[s->ins->b].hi > mask) {
        mreg reduced = new_reg(c, IR_I32);
        put_move(c, 4, reduced, count);
        for (unsigned step = 0; step < (plus ? 2 : 1); step++) {
            struct mins *m = put(c, M_ALU);
            m->size = 4;
            m->sub = step ? ALU_ADD : ALU_AND;
            m->form = B_IMM;
            m->imm = step ? plus : mask;
            m->dst = reduced;
        }
        count = reduced;
    }
    struct mins *m = put(c, M_GPR_TO_XMM);
    m->size = 4;
    m->dst = to;
    m->a = count;
    return to;
}

static bool constant_count(struct simd *s, unsigned mask, unsigned *count)
{
    if (!is_const(s->c, s->ins->b))
        return false;
    *count = (unsigned)ins_at(s->c, s->ins->b)->imm & mask;
    return true;
}

void simd_shift(struct simd *s)
{
    uint32_t by_constant = s->row->op2;
    unsigned mask = by_constant == SHIFT16 ? 15 : by_constant == SHIFT32 ? 31 : 63, count;
    mreg a = reg_a(s);
    if (!constant_count(s, mask, &count))
        vec_op(s, s->to, s->row->op, a, in_reg(shift_count(s, mask, 0)));
    else if (count)
        vec_shift(s, s->to, by_constant, s->row->imm, count, a);
    else
        vec_copy(s, s->to, a);
}

static void shift8_constant(struct simd *s, unsigned count)
{
    mreg a = reg_a(s);
    unsigned digit = s->row->imm;
    if (!count) {
        vec_copy(s, s->to, a);
        return;
    }
    if (digit == RIGHT_SIGNED && count == 7) {
        vec_op(s, s->to, X86(66, 1, 64), vec_const(s, 0, 0), in_reg(a)); /* 0 > a */
        return;
    }
    if (digit == LEFT && count == 1) {
        vec_op(s, s->to, X86(66, 1, fc), a, in_reg(a));
        return;
    }
    mreg words = vec_shift(s, R_NONE, SHIFT16, digit == LEFT ? LEFT : RIGHT, count, a);
    unsigned mask = digit == LEFT ? 0xffu << count & 0xff : 0xffu >> count;
    bool is_signed = digit == RIGHT_SIGNED;
    mreg shifted = vec_op(s, is_signed ? R_NONE : s->to, PAND, words, pool_splat8(s, mask));
    if (is_signed) { /* extends the sign bit where it is now */
        struct operand sign = pool_splat8(s, 0x80u >> count);
        mreg flipped = vec_op(s, R_NONE, PXOR, shifted, sign);
        vec_op(s, s->to, X86(66, 1, f8), flipped, sign);
    }
}

/* There are shifts of words only: what crosses the bytes' border is masked out, or the bytes are
 * made words. */
void simd_shift8(struct simd *s)
{
    unsigned count, digit = s->row->imm;
    if (constant_count(s, 7, &count)) {
        shift8_constant(s, count);
        return;
    }
    mreg a = reg_a(s);
    if (digit == RIGHT_SIGNED) {
        mreg by = shift_count(s, 7, 8);
        mreg low = vec_op(s, R_NONE, X86(66, 1, 60), a, in_reg(a));
        mreg high = vec_op(s, R_NONE, X86(66, 1, 68), a, in_reg(a));
        low = vec_op(s, R_NONE, s->row->op, low, in_reg(by));
        high = vec_op(s, R_NONE, s->row->op, high, in_reg(by));
        vec_op(s, s->to, X86(66, 1, 63), low, in_reg(high));
        return;
    }
    mreg by = shift_count(s, 7, 0);
    mreg ones = vec_const(s, 0x00ff00ff00ff00ff, 0x00ff00ff00ff00ff);
    mreg mask = vec_op(s, R_NONE, X86(66, 1, d1), ones, in_reg(by));
    mask = vec_op(s, R_NONE, X86(66, 1, 67), mask, in_reg(mask));
    if (digit == LEFT) {
        mreg kept = vec_op(s, R_NONE, PAND, a, in_reg(mask));
        vec_op(s, s->to, s->row->op, kept, in_reg(by));
    } else {
        mreg words = vec_op(s, R_NONE, s->row->op, a, in_reg(by));
        vec_op(s, s->to, PAND, words, in_reg(mask));
    }
}

/* Unsigned, then the sign bit where it is now is extended. */
void simd_shr_s64(struct simd *s)
{
    unsigned count;
    mreg a = reg_a(s), shifted;
    struct operand sign;
    if (constant_count(s, 63, &count)) {
        if (!count) {
            vec_copy(s, s->to, a);
            return;
        }
        shifted = vec_shift(s, R_NONE, SHIFT64, RIGHT, count, a);
        sign = pool_splat64(s, 0x8000000000000000 >> count);
    } else {
        mreg by = shift_count(s, 63, 0);
        mreg top = vec_const(s, 0x8000000000000000, 0x8000000000000000);
        sign = in_reg(vec_op(s, R_NONE, s->row->op, top, in_reg(by)));
        shifted = vec_op(s, R_NONE, s->row->op, a, in_reg(by));
    }
    mreg flipped = vec_op(s, R_NONE, PXOR, shifted, sign);
    vec_op(s, s->to, PSUBQ, flipped, sign);
}

void simd_mul64(struct simd *s)
{
    mreg a = reg_a(s), b = reg_b(s);
    mreg ah = vec_shift(s, R_NONE, SHIFT64, RIGHT, 32, a);
    mreg bh = vec_shift(s, R_NONE, SHIFT64, RIGHT, 32, b);
    ah = vec_op(s, R_NONE, PMULUDQ, ah, in_reg(b));
    bh = vec_op(s, R_NONE, PMULUDQ, bh, in_reg(a));
    mreg high = vec_op(s, R_NONE, PADDQ, ah, in_reg(bh));
    high = vec_shift(s, R_NONE, SHIFT64, LEFT, 32, high);
    mreg low = vec_op(s, R_NONE, PMULUDQ, a, in_reg(b));
    vec_op(s, s->to, PADDQ, low, in_reg(high));
}

/* pmulhrsw overflows for -1 times -1 only, to the smallest integer. */
void simd_q15mulr(struct simd *s)
{
    struct operand b = operand_b(s);
    mreg product = vec_op(s, R_NONE, s->row->op, reg_a(s), b);
    mreg over = vec_op(s, R_NONE, X86(66, 1, 75), product, pool_splat16(s, 0x8000));
    vec_op(s, s->to, PXOR, product, in_reg(over));
}

/* pmaddubsw: the first operand's bytes are unsigned, the second's signed. */
void simd_extadd8(struct simd *s)
{
    if (s->row->imm) {
        struct operand a = operand_a(s);
        vec_op(s, s->to, X86(66, 2, 04), vec_splat8(s, 1), a);
    } else {
        vec_op(s, s->to, X86(66, 2, 04), reg_a(s), pool_splat8(s, 1));
    }
}

void simd_extadd16(struct simd *s)
{
    mreg a = reg_a(s);
    if (s->row->imm) {
        vec_op(s, s->to, X86(66, 1, f5), a, pool_splat16(s, 1));
        return;
    }
    mreg high = vec_shift(s, R_NONE, SHIFT32, RIGHT, 16, a);
    mreg low = vec_op(s, R_NONE, PAND, a, pool_splat32(s, 0xffff));
    vec_op(s, s->to, X86(66, 1, fe), low, in_reg(high));
}

void simd_extmul8(struct simd *s)
{
    mreg a = vec_extend(s, R_NONE, s->ins->a), b = vec_extend(s, R_NONE, s->ins->b);
    vec_op(s, s->to, X86(66, 1, d5), a, in_reg(b));
}

/* Low and high halves of the products, then interleaved. */
void simd_extmul16(struct simd *s)
{
    mreg a = reg_a(s), b = reg_b(s);
    mreg low = vec_op(s, R_NONE, X86(66, 1, d5), a, in_reg(b));
    mreg high = vec_op(s, R_NONE, s->row->op, a, in_reg(b));
    vec_op(s, s->to, s->row->op2, low, in_reg(high));
}

/* The multiplication looks at even lanes. */
void simd_extmul32(struct simd *s)
{
    mreg a = vec_unary_imm(s, R_NONE, PSHUFD, s->row->imm, operand_a(s));
    mreg b = vec_unary_imm(s, R_NONE, PSHUFD, s->row->imm, operand_b(s));
    vec_op(s, s->to, s->row->op, a, in_reg(b));
}

void simd_dot8(struct simd *s)
{
    struct operand a = operand_a(s);
    mreg sums = vec_op(s, R_NONE, X86(66, 2, 04), reg_b(s), a);
    sums = vec_op(s, R_NONE, X86(66, 1, f5), sums, pool_splat16(s, 1));
    vec_op(s, s->to, X86(66, 1, fe), sums, operand_xmm(s->c, s->ins->c, 16));
}
