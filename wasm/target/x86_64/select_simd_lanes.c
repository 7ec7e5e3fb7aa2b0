/* Selection of vector operations that move lanes in and out, and of those that ask about them. */
#include "target/x86_64/select_simd.h"

/* The lane's source: a folded load of just its size, or a register. */
static struct operand lane_operand(struct simd *s, ir_ref ref, unsigned size)
{
    if (can_fold_load(s->c, ref, size))
        return operand_of(s->c, ref, size);
    return in_reg(value_reg(s->c, ref));
}

void simd_splat(struct simd *s)
{
    struct target_compiler *c = s->c;
    unsigned size = s->row->imm;
    struct operand lane = {.form = B_REG};
    if (size >= 4 || c->cpu.avx2)
        lane = lane_operand(s, s->ins->a, size);
    else
        lane.reg = value_reg(c, s->ins->a);
    if (lane.form == B_MEM && (size < 4 || (size == 4 && c->cpu.avx))) {
        put_xmm_unary(c, size, size == 4 ? X86(66, 2, 18) : s->row->op, s->to, &lane);
        return;
    }
    if (lane.form == B_MEM && size == 8) {
        put_xmm_unary(c, 8, X86(f2, 1, 12), s->to, &lane);
        return;
    }
    mreg first = vec_new(s);
    if (lane.form == B_MEM) {
        put_xmm_unary(c, 4, X86(66, 1, 6e), first, &lane);
    } else {
        struct mins *m = put(c, M_GPR_TO_XMM);
        m->size = size == 8 ? 8 : 4;
        m->dst = first;
        m->a = lane.reg;
    }
    if (size >= 4)
        vec_unary_imm(s, s->to, PSHUFD, size == 4 ? 0 : 0x44, in_reg(first));
    else if (c->cpu.avx2)
        vec_unary(s, s->to, s->row->op, in_reg(first));
    else
        vec_op(s, s->to, PSHUFB, first, size == 1 ? in_pool(s, 0, 0) : pool_splat16(s, 0x0100));
}

void simd_splat_float(struct simd *s)
{
    struct target_compiler *c = s->c;
    unsigned size = s->row->imm;
    if (size == 8) {
        struct operand lane = operand_xmm(c, s->ins->a, 8);
        put_xmm_unary(c, 8, X86(f2, 1, 12), s->to, &lane);
        return;
    }
    if (c->cpu.avx && can_fold_load(c, s->ins->a, 4)) {
        struct operand lane = operand_xmm(c, s->ins->a, 4);
        put_xmm_unary(c, 4, X86(66, 2, 18), s->to, &lane);
        return;
    }
    mreg a = reg_a(s);
    vec_op_imm(s, s->to, X86(0, 1, c6), 0, a, in_reg(a));
}

static unsigned lane_number(struct simd *s)
{
    return (unsigned)s->ins->imm & (16u / (s->row->imm & 15) - 1);
}

void simd_extract(struct simd *s)
{
    unsigned size = s->row->imm & 15;
    bool extend = s->row->imm & 0x80;
    mreg a = reg_a(s), to = extend ? new_reg(s->c, IR_I32) : s->to;
    struct mins *m = put(s->c, M_PEXTR);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)lane_number(s);
    m->dst = to;
    m->a = a;
    if (!extend)
        return;
    m = put(s->c, M_SEXT);
    m->size = 4;
    m->sub = (uint8_t)size;
    m->dst = s->to;
    m->b = to;
}

void simd_extract_float(struct simd *s)
{
    unsigned size = s->row->imm, lane = lane_number(s);
    if (!lane) {
        put_move(s->c, size, s->to, reg_a(s));
        return;
    }
    uint32_t op = !s->c->cpu.avx ? PSHUFD : size == 4 ? X86(66, 3, 04) : X86(66, 3, 05);
    vec_unary_imm(s, s->to, op, size == 8 && !s->c->cpu.avx ? 0xee : lane, operand_a(s));
}

void simd_replace(struct simd *s)
{
    unsigned size = s->row->imm;
    struct operand lane = lane_operand(s, s->ins->b, size);
    set_imm(put_xmm(s->c, size, s->row->op, s->to, reg_a(s), &lane), lane_number(s));
}

void simd_replace_float(struct simd *s)
{
    struct target_compiler *c = s->c;
    unsigned size = s->row->imm, number = lane_number(s);
    if (size == 4) {
        struct operand lane = operand_xmm(c, s->ins->b, 4);
        set_imm(put_xmm(c, 4, X86(66, 3, 21), s->to, reg_a(s), &lane), number << 4);
        return;
    }
    if (can_fold_load(c, s->ins->b, 8)) {
        struct operand lane = operand_xmm(c, s->ins->b, 8);
        put_xmm(c, 8, number ? X86(66, 1, 16) : X86(66, 1, 12), s->to, reg_a(s), &lane);
        return;
    }
    mreg a = reg_a(s);
    if (number)
        vec_op(s, s->to, X86(66, 1, 14), a, in_reg(reg_b(s)));
    else
        vec_op_imm(s, s->to, X86(66, 3, 0d), 1, a, in_reg(reg_b(s)));
}

bool select_lane_store(struct target_compiler *c, const struct ir_ins *store, unsigned size)
{
    const struct ir_ins *value = ins_at(c, store->b);
    if (value->op != IR_SIMD1 || !can_fold(c, store->b))
        return false;
    unsigned lane;
    switch (value->aux) {
    case SIMD_I8X16_EXTRACT_LANE_S:
    case SIMD_I8X16_EXTRACT_LANE_U: lane = 1; break;
    case SIMD_I16X8_EXTRACT_LANE_S:
    case SIMD_I16X8_EXTRACT_LANE_U: lane = 2; break;
    case SIMD_I32X4_EXTRACT_LANE:
    case SIMD_F32X4_EXTRACT_LANE: lane = 4; break;
    case SIMD_I64X2_EXTRACT_LANE:
    case SIMD_F64X2_EXTRACT_LANE: lane = 8; break;
    default: return false;
    }
    if (lane != size)
        return false;
    mreg from = value_reg(c, value->a);
    struct amode mode = address_of(c, store);
    struct mins *m = put_mem(c, M_PEXTR_STORE, &mode);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)(value->imm & (16 / size - 1));
    m->b = from;
    return true;
}

/* The half REF of a vector: a load of 8 bytes may be folded, one of 16 may not, for it would not
 * trap where it has to. */
static struct operand low_half(struct simd *s, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(s->c, ref);
    if (ins->op == IR_LOAD && can_fold_load(s->c, ref, 8))
        return operand_xmm(s->c, ref, 8);
    return in_reg(value_reg(s->c, ref));
}

mreg vec_extend(struct simd *s, mreg to, ir_ref ref)
{
    if (!s->row->imm) {
        struct operand half = low_half(s, ref);
        if (!to)
            to = vec_new(s);
        put_xmm_unary(s->c, 16, s->row->op, to, &half);
        return to;
    }
    if (s->row->op2) /* unsigned: interleaved with zeros */
        return vec_op(s, to, s->row->op2, value_reg(s->c, ref), in_pool(s, 0, 0));
    mreg high = vec_unary_imm(s, R_NONE, PSHUFD, 0xee, operand_xmm(s->c, ref, 16));
    return vec_unary(s, to, s->row->op, in_reg(high));
}

void simd_extend(struct simd *s)
{
    vec_extend(s, s->to, s->ins->a);
}

void simd_bitmask(struct simd *s)
{
    mreg a = reg_a(s);
    if (s->row->imm == 2)
        a = vec_op(s, R_NONE, X86(66, 1, 63), a, in_pool(s, 0, 0));
    struct mins *m = put(s->c, M_MOVMSK);
    m->size = 4;
    m->list = s->row->op;
    m->dst = s->to;
    m->a = a;
}

/* Size of the lanes that are all ones or all zeros in what INS computes; 0: not known to be. */
static unsigned mask_lanes(const struct ir_ins *ins)
{
    if (ins->op != IR_SIMD2)
        return 0;
    unsigned op = ins->aux;
    if (op >= SIMD_I8X16_EQ && op <= SIMD_I8X16_GE_U)
        return 1;
    if (op >= SIMD_I16X8_EQ && op <= SIMD_I16X8_GE_U)
        return 2;
    if (op >= SIMD_I32X4_EQ && op <= SIMD_F32X4_GE)
        return 4;
    return (op >= SIMD_F64X2_EQ && op <= SIMD_F64X2_GE) ||
                   (op >= SIMD_I64X2_EQ && op <= SIMD_I64X2_GE_S)
               ? 8
               : 0;
}

static void put_ptest(struct target_compiler *c, mreg a, const struct operand *b)
{
    struct mins *m = put(c, M_PTEST);
    m->size = 16;
    m->a = a;
    apply_operand(m, b);
}

static unsigned truth(struct simd *s)
{
    static const uint8_t sizes[] = {[SIMD_I8X16_ALL_TRUE] = 1,
                                    [SIMD_I16X8_ALL_TRUE] = 2,
                                    [SIMD_I32X4_ALL_TRUE] = 4,
                                    [SIMD_I64X2_ALL_TRUE] = 8};
    struct target_compiler *c = s->c;
    const struct ir_ins *a = ins_at(c, s->ins->a);
    struct operand o;
    if (s->ins->aux == SIMD_V128_ANY_TRUE) {
        if (a->op == IR_SIMD2 && a->aux == SIMD_V128_AND && can_fold(c, s->ins->a)) {
            o = operand_xmm(c, a->b, 16);
            put_ptest(c, value_reg(c, a->a), &o);
        } else {
            o = in_reg(reg_a(s));
            put_ptest(c, o.reg, &o);
        }
        return CC_NE;
    }
    if (mask_lanes(a) >= sizes[s->ins->aux]) {
        mreg mask = reg_a(s);
        o = in_pool(s, UINT64_MAX, UINT64_MAX);
        put_ptest(c, mask, &o);
        return CC_B;
    }
    o = in_reg(vec_op(s, R_NONE, s->row->op, reg_a(s), in_pool(s, 0, 0)));
    put_ptest(c, o.reg, &o);
    return CC_E;
}

void simd_truth(struct simd *s)
{
    unsigned cc = truth(s);
    struct mins *m = put(s->c, M_SETCC);
    m->sub = (uint8_t)cc;
    m->size = 4;
    m->dst = s->to;
}

bool simd_condition(struct target_compiler *c, const struct ir_ins *ins, unsigned *cc)
{
    if (ins->op != IR_SIMD1)
        return false;
    switch (ins->aux) {
    case SIMD_V128_ANY_TRUE:
    case SIMD_I8X16_ALL_TRUE:
    case SIMD_I16X8_ALL_TRUE:
    case SIMD_I32X4_ALL_TRUE:
    case SIMD_I64X2_ALL_TRUE: {
        struct simd s = {c, ins, simd_row(ins->aux), R_NONE};
        *cc = truth(&s);
        return true;
    }
    default: return false;
    }
}

/* A mask of whole words as an immediate; false: not one. */
static bool word_mask(const uint64_t bits[2], unsigned *mask)
{
    *mask = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned word = (unsigned)(bits[i / 4] >> i % 4 * 16) & 0xffff;
        if (word && word != 0xffff)
            return false;
        *mask |= (word & 1) << i;
    }
    return true;
}

void simd_bitselect(struct simd *s)
{
    struct target_compiler *c = s->c;
    uint64_t bits[2];
    unsigned words;
    if (vector_bits(c, s->ins->c, bits)) {
        if (word_mask(bits, &words)) {
            struct operand a = operand_a(s);
            vec_op_imm(s, s->to, PBLENDW, words, reg_b(s), a);
            return;
        }
        mreg a = vec_op(s, R_NONE, PAND, reg_a(s), in_pool(s, bits[0], bits[1]));
        mreg b = vec_op(s, R_NONE, PAND, reg_b(s), in_pool(s, ~bits[0], ~bits[1]));
        vec_op(s, s->to, POR, a, in_reg(b));
        return;
    }
    mreg mask = value_reg(c, s->ins->c);
    if (c->cpu.avx && mask_lanes(ins_at(c, s->ins->c))) {
        mreg a = reg_a(s), b = reg_b(s);
        vec_blend(s, s->to, PBLENDVB, b, a, mask);
        return;
    }
    mreg a = vec_op(s, R_NONE, PAND, mask, operand_a(s));
    mreg b = vec_op(s, R_NONE, PANDN, mask, operand_b(s));
    vec_op(s, s->to, POR, a, in_reg(b));
}

void simd_laneselect(struct simd *s)
{
    mreg a = reg_a(s), b = reg_b(s), mask = value_reg(s->c, s->ins->c);
    vec_blend(s, s->to, s->row->op, b, a, mask);
}

/* pshufb makes 0 of indices with the top bit set: those from 16 on get it. */
void simd_swizzle(struct simd *s)
{
    uint64_t bits[2];
    mreg a = reg_a(s);
    if (vector_bits(s->c, s->ins->b, bits)) {
        for (unsigned i = 0; i < 16; i++)
            if (bits[i / 8] >> i % 8 * 8 & 0xf0)
                bits[i / 8] |= (uint64_t)0x80 << i % 8 * 8;
        vec_op(s, s->to, PSHUFB, a, in_pool(s, bits[0], bits[1]));
        return;
    }
    mreg index = vec_op(s, R_NONE, X86(66, 1, dc), reg_b(s), pool_splat8(s, 0x70));
    vec_op(s, s->to, PSHUFB, a, in_reg(index));
}
