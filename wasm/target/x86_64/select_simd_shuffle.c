/* Selection of the shuffle: the cheapest instruction that does it, else pshufb of both operands.
 *
 * Lanes are numbered as in Wasm: 0 to 15 of the first operand, 16 to 31 of the second; ZERO where a
 * constant operand gives a zero. */
#include "target/x86_64/select_simd.h"

#include <string.h>

enum { ZERO = 0xff };

struct shuffle {
    struct simd *s;
    uint8_t lanes[16];
    ir_ref a, b; /* one operand: both the same, lanes below 16 */
    bool single, zeros;
};

/* Whether lane I, which may be anything where the pattern does not matter, is WANT. */
static bool is_lane(const struct shuffle *f, unsigned i, unsigned want)
{
    return f->lanes[i] == (f->single && want != ZERO ? want & 15 : want);
}

/* Lanes as units of SIZE bytes; false if they are not moved as such. */
static bool units(const struct shuffle *f, unsigned size, uint8_t out[16])
{
    for (unsigned i = 0; i < 16; i += size) {
        if (f->lanes[i] == ZERO || f->lanes[i] % size)
            return false;
        for (unsigned k = 1; k < size; k++)
            if (f->lanes[i + k] != f->lanes[i] + k)
                return false;
        out[i / size] = (uint8_t)(f->lanes[i] / size);
    }
    return true;
}

static unsigned pack4(const uint8_t *lanes)
{
    return (lanes[0] & 3u) | (lanes[1] & 3u) << 2 | (lanes[2] & 3u) << 4 | (lanes[3] & 3u) << 6;
}

/* One operand: pshufd, pshuflw, pshufhw, broadcasts. */
static bool within_one(struct shuffle *f)
{
    struct simd *s = f->s;
    uint8_t u[16];
    if (units(f, 4, u)) {
        unsigned order = pack4(u);
        if (order == 0xe4)
            vec_copy(s, s->to, value_reg(s->c, f->a));
        else
            vec_unary_imm(s, s->to, PSHUFD, order, operand_xmm(s->c, f->a, 16));
        return true;
    }
    if (units(f, 2, u)) {
        bool low = true, high = true;
        for (unsigned i = 0; i < 4; i++) {
            low &= u[i] == i && u[i + 4] >= 4;
            high &= u[i + 4] == i + 4 && u[i] < 4;
        }
        if (low || high) {
            vec_unary_imm(s, s->to, high ? X86(f2, 1, 70) : X86(f3, 1, 70), pack4(high ? u : u + 4),
                          operand_xmm(s->c, f->a, 16));
            return true;
        }
    }
    for (unsigned size = 1; size <= 2 && s->c->cpu.avx2; size++) {
        bool first = true;
        for (unsigned i = 0; i < 16; i++)
            first &= f->lanes[i] == i % size;
        if (first) {
            vec_unary(s, s->to, size == 1 ? X86(66, 2, 78) : X86(66, 2, 79),
                      in_reg(value_reg(s->c, f->a)));
            return true;
        }
    }
    return false;
}

/* Zeros at one end, or between: shifts of all bytes, zero-extending moves, a mask. */
static bool with_zeros(struct shuffle *f)
{
    struct simd *s = f->s;
    static const struct {
        uint8_t from, to;
        uint32_t op;
    } moves[] = {{1, 2, X86(66, 2, 30)}, {1, 4, X86(66, 2, 31)}, {1, 8, X86(66, 2, 32)},
                 {2, 4, X86(66, 2, 33)}, {2, 8, X86(66, 2, 34)}, {4, 8, X86(66, 2, 35)}};
    for (unsigned k = 0; k < sizeof moves / sizeof *moves; k++) {
        bool all = true;
        for (unsigned i = 0; i < 16 && all; i++) {
            unsigned part = i % moves[k].to;
            all =
                is_lane(f, i, part < moves[k].from ? i / moves[k].to * moves[k].from + part : ZERO);
        }
        if (all) {
            vec_unary(s, s->to, moves[k].op, in_reg(value_reg(s->c, f->a)));
            return true;
        }
    }
    for (unsigned count = 1; count < 16; count++) {
        bool left = true, right = true;
        for (unsigned i = 0; i < 16; i++) {
            left &= is_lane(f, i, i < count ? ZERO : i - count);
            right &= is_lane(f, i, i + count < 16 ? i + count : ZERO);
        }
        if (left || right) {
            vec_shift(s, s->to, SHIFT64, left ? BYTES_LEFT : BYTES_RIGHT, count,
                      value_reg(s->c, f->a));
            return true;
        }
    }
    uint64_t mask[2] = {0, 0};
    for (unsigned i = 0; i < 16; i++) {
        if (f->lanes[i] == ZERO)
            continue;
        if (f->lanes[i] != i)
            return false;
        mask[i / 8] |= (uint64_t)0xff << i % 8 * 8;
    }
    vec_op(s, s->to, PAND, value_reg(s->c, f->a), in_pool(s, mask[0], mask[1]));
    return true;
}

/* a and b, or b and a, as the operands of an instruction. */
static bool put_two(struct shuffle *f, bool swap, uint32_t op, unsigned imm)
{
    struct simd *s = f->s;
    ir_ref a = swap ? f->b : f->a, b = swap ? f->a : f->b;
    struct operand o = a == b ? in_reg(value_reg(s->c, b)) : operand_xmm(s->c, b, 16);
    vec_op_imm(s, s->to, op, imm, value_reg(s->c, a), o);
    return true;
}

static bool interleave(struct shuffle *f)
{
    static const struct {
        uint8_t size, base;
        uint32_t op;
    } ops[] = {{1, 0, X86(66, 1, 60)}, {2, 0, X86(66, 1, 61)}, {4, 0, X86(66, 1, 62)},
               {8, 0, X86(66, 1, 6c)}, {1, 8, X86(66, 1, 68)}, {2, 8, X86(66, 1, 69)},
               {4, 8, X86(66, 1, 6a)}, {8, 8, X86(66, 1, 6d)}};
    for (unsigned k = 0; k < 2 * sizeof ops / sizeof *ops; k++) {
        unsigned size = ops[k / 2].size, first = k & 1 ? 16 : 0;
        bool all = true;
        for (unsigned i = 0; i < 16 && all; i++)
            all = is_lane(f, i,
                          (ops[k / 2].base + i / (2 * size) * size + i % size) +
                              (i / size & 1 ? 16 - first : first));
        if (all)
            return put_two(f, k & 1, ops[k / 2].op, NO_IMM);
    }
    return false;
}

/* Each lane stays where it is, from one operand or the other. */
static bool blend(struct shuffle *f)
{
    struct simd *s = f->s;
    uint64_t mask[2] = {0, 0};
    for (unsigned i = 0; i < 16; i++) {
        if (f->lanes[i] == ZERO || f->lanes[i] % 16 != i)
            return false;
        if (f->lanes[i] >= 16)
            mask[i / 8] |= (uint64_t)0xff << i % 8 * 8;
    }
    uint8_t u[16];
    unsigned words = 0;
    if (units(f, 2, u)) {
        for (unsigned i = 0; i < 8; i++)
            words |= u[i] >= 8 ? 1u << i : 0;
        return put_two(f, false, PBLENDW, words);
    }
    mreg a = value_reg(s->c, f->a), b = value_reg(s->c, f->b);
    vec_blend(s, s->to, PBLENDVB, a, b, vec_const(s, mask[0], mask[1]));
    return true;
}

/* Sixteen bytes in a row of one operand behind the other. */
static bool align(struct shuffle *f)
{
    unsigned first = f->lanes[0], size = f->single ? 16 : 32;
    for (unsigned i = 0; i < 16; i++)
        if (f->lanes[i] != (first + i) % size)
            return false;
    /* The instruction's first operand is the upper half. */
    return put_two(f, first < 16, X86(66, 3, 0f), first & 15);
}

static bool two_and_two(struct shuffle *f)
{
    uint8_t u[16];
    if (f->single || !units(f, 4, u) || u[0] / 4 != u[1] / 4 || u[2] / 4 != u[3] / 4)
        return false;
    return put_two(f, u[0] >= 4, X86(0, 1, c6), pack4(u));
}

/* Lanes of 32 bits in two steps that need no constants: the four lanes wanted, then their order. */
static bool collect_and_order(struct shuffle *f)
{
    struct simd *s = f->s;
    uint8_t u[16], order[4];
    if (!units(f, 4, u))
        return false;
    unsigned from[2] = {0, 0}, words = 0, counts[2] = {0, 0}, picked[4] = {0, 0, 0, 0};
    for (unsigned i = 0; i < 4; i++) {
        unsigned k = u[i] / 4u, lane = u[i] % 4u;
        from[k] |= 1u << lane;
        words |= k ? 3u << 2 * lane : 0;
        if (counts[k] < 2)
            picked[2 * k + counts[k]] = lane;
        order[i] = (uint8_t)(2 * k + counts[k]++);
    }
    if (!(from[0] & from[1])) { /* no lane of both */
        mreg both = vec_op_imm(s, R_NONE, PBLENDW, words, value_reg(s->c, f->a),
                               operand_xmm(s->c, f->b, 16));
        vec_unary_imm(s, s->to, PSHUFD, pack4(u), in_reg(both));
        return true;
    }
    if (counts[0] != 2)
        return false;
    unsigned imm = picked[0] | picked[1] << 2 | picked[2] << 4 | picked[3] << 6;
    mreg both = vec_op_imm(s, R_NONE, X86(0, 1, c6), imm, value_reg(s->c, f->a),
                           operand_xmm(s->c, f->b, 16));
    vec_unary_imm(s, s->to, PSHUFD, pack4(order), in_reg(both));
    return true;
}

/* pshufb of each operand; constant ones are shuffled here. */
static void general(struct shuffle *f)
{
    struct simd *s = f->s;
    uint64_t masks[2][2] = {{0, 0}, {0, 0}};
    for (unsigned i = 0; i < 16; i++) {
        unsigned shift = i % 8 * 8;
        for (unsigned k = 0; k < 2; k++) {
            bool mine = f->lanes[i] != ZERO && f->lanes[i] / 16 == k;
            masks[k][i / 8] |= (uint64_t)(mine ? f->lanes[i] & 15u : 0x80u) << shift;
        }
    }
    mreg a = value_reg(s->c, f->a);
    if (f->single) {
        vec_op(s, s->to, PSHUFB, a, in_pool(s, masks[0][0], masks[0][1]));
        return;
    }
    mreg from_a = vec_op(s, R_NONE, PSHUFB, a, in_pool(s, masks[0][0], masks[0][1]));
    uint64_t bits[2];
    if (vector_bits(s->c, f->b, bits)) {
        uint64_t moved[2] = {0, 0};
        for (unsigned i = 0; i < 16; i++) {
            unsigned lane = (unsigned)(masks[1][i / 8] >> i % 8 * 8) & 0xff;
            if (lane < 16)
                moved[i / 8] |= (bits[lane / 8] >> lane % 8 * 8 & 0xff) << i % 8 * 8;
        }
        vec_op(s, s->to, POR, from_a, in_pool(s, moved[0], moved[1]));
        return;
    }
    mreg b = value_reg(s->c, f->b);
    mreg from_b = vec_op(s, R_NONE, PSHUFB, b, in_pool(s, masks[1][0], masks[1][1]));
    vec_op(s, s->to, POR, from_a, in_reg(from_b));
}

/* Exchanges the operands' roles. */
static void swap(struct shuffle *f)
{
    ir_ref t = f->a;
    f->a = f->b;
    f->b = t;
    for (unsigned i = 0; i < 16; i++)
        if (f->lanes[i] != ZERO)
            f->lanes[i] ^= 16;
}

static void mark_zeros(struct shuffle *f)
{
    ir_ref refs[2] = {f->a, f->b};
    for (unsigned k = 0; k < 2; k++) {
        uint64_t bits[2];
        if (!vector_bits(f->s->c, refs[k], bits))
            continue;
        for (unsigned i = 0; i < 16; i++) {
            unsigned lane = f->lanes[i] & 15u;
            if (f->lanes[i] == ZERO || f->lanes[i] / 16 != k ||
                bits[lane / 8] >> lane % 8 * 8 & 0xff)
                continue;
            f->lanes[i] = ZERO;
            f->zeros = true;
        }
    }
}

void simd_shuffle(struct simd *s)
{
    struct shuffle f = {.s = s, .a = s->ins->a, .b = s->ins->b};
    memcpy(f.lanes, &s->ins->imm, 8);
    memcpy(f.lanes + 8, &s->ins->imm2, 8);
    mark_zeros(&f);
    unsigned used = 0;
    for (unsigned i = 0; i < 16; i++)
        if (f.lanes[i] != ZERO)
            used |= f.lanes[i] < 16 ? 1 : 2;
    uint64_t bits[2];
    if (used == 2 || (used == 3 && vector_bits(s->c, f.a, bits)))
        swap(&f);
    if (!used) {
        vec_copy(s, s->to, vec_const(s, 0, 0));
        return;
    }
    f.single = used != 3 || f.a == f.b;
    if (f.single) {
        f.b = f.a;
        for (unsigned i = 0; i < 16; i++)
            if (f.lanes[i] != ZERO)
                f.lanes[i] &= 15;
    }
    if (f.zeros) {
        if (!f.single || !with_zeros(&f))
            general(&f);
        return;
    }
    bool done = f.single ? within_one(&f) || interleave(&f) || align(&f)
                         : interleave(&f) || blend(&f) || two_and_two(&f) || align(&f) ||
                               collect_and_order(&f);
    if (!done)
        general(&f);
}
