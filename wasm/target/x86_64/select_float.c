/* Selection of floating-point arithmetic and conversions. */
#include "target/x86_64/select.h"

#include "runtime/abi.h"

static struct mins *put_sse(struct target_compiler *c, enum mop op, unsigned size, uint32_t opcode,
                            mreg to, const struct operand *o)
{
    struct mins *m = put(c, op);
    m->size = (uint8_t)size;
    m->list = opcode;
    m->dst = to;
    apply_operand(m, o);
    return m;
}

struct mins *put_xmm(struct target_compiler *c, unsigned size, uint32_t opcode, mreg to, mreg a,
                     const struct operand *o)
{
    if (!c->cpu.avx) {
        put_move(c, vreg_at(c, to)->size, to, a);
        return put_sse(c, M_SSE, size, opcode, to, o);
    }
    struct mins *m = put_sse(c, M_VEX, size, opcode, to, o);
    m->a = a;
    return m;
}

struct mins *put_xmm_unary(struct target_compiler *c, unsigned size, uint32_t opcode, mreg to,
                           const struct operand *o)
{
    return put_sse(c, M_SSE_UNARY, size, opcode, to, o);
}

/* The scalar opcode of SIZE: f3 for f32, f2 for f64. */
static uint32_t scalar(unsigned size, unsigned byte)
{
    return (size == 4 ? X86(f3, 1, 00) : X86(f2, 1, 00)) | byte;
}

static void select_binary(struct target_compiler *c, const struct ir_ins *ins, mreg to,
                          unsigned byte)
{
    unsigned size = type_size(ins->type);
    ir_ref a = ins->a, b = ins->b;
    bool commutes = ins->op == IR_FADD || ins->op == IR_FMUL;
    if (commutes && !is_const(c, b) &&
        (is_const(c, a) || (can_fold_load(c, a, size) && !can_fold_load(c, b, size)) ||
         (!c->cpu.avx && c->counts.data[a].count > 1 && c->counts.data[b].count == 1 &&
          !can_fold_load(c, b, size)))) {
        ir_ref t = a;
        a = b;
        b = t;
    }
    struct operand o = operand_xmm(c, b, size);
    put_xmm(c, size, scalar(size, byte), to, value_reg(c, a), &o);
}

/* minss and minsd give their second operand where the two are equal or one is no number. */
bool select_smaller(struct target_compiler *c, const struct ir_ins *select, mreg to)
{
    const struct ir_ins *test = ins_at(c, select->c);
    bool straight = test->a == select->a && test->b == select->b;
    if ((test->op != IR_FLT && test->op != IR_FGT) ||
        (!straight && (test->a != select->b || test->b != select->a)))
        return false;
    bool smaller = (test->op == IR_FLT) == straight;
    unsigned size = type_size(select->type);
    struct operand o = operand_xmm(c, select->b, size);
    put_xmm(c, size, scalar(size, smaller ? 0x5d : 0x5f), to, value_reg(c, select->a), &o);
    return true;
}

static void select_minmax(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned size = type_size(ins->type);
    mreg b = value_reg(c, ins->b);
    put_move(c, size, to, value_reg(c, ins->a));
    struct mins *m = put(c, M_FMINMAX);
    m->size = (uint8_t)size;
    m->sub = ins->op == IR_FMAX;
    m->dst = to;
    m->b = b;
}

static struct operand mask_operand(struct target_compiler *c, unsigned size, bool sign)
{
    uint64_t bit = size == 4 ? 0x8000000080000000 : 0x8000000000000000;
    uint64_t bits = sign ? bit : ~bit;
    return (struct operand){.form = B_POOL, .imm = pool_add(c, 16, bits, bits)};
}

static void select_sign(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned size = type_size(ins->type);
    struct operand mask = mask_operand(c, size, ins->op == IR_FNEG);
    put_xmm(c, 16, ins->op == IR_FNEG ? X86(0, 1, 57) : X86(0, 1, 54), to, value_reg(c, ins->a),
            &mask);
}

static void select_copysign(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned size = type_size(ins->type);
    mreg a = value_reg(c, ins->a), b = value_reg(c, ins->b), sign = vreg_new(c, true, size);
    mreg rest = vreg_new(c, true, size);
    struct operand mask = mask_operand(c, size, true);
    put_xmm(c, 16, X86(0, 1, 54), sign, b, &mask);
    mask = mask_operand(c, size, false);
    put_xmm(c, 16, X86(0, 1, 54), rest, a, &mask);
    struct operand o = {.form = B_REG, .reg = sign};
    put_xmm(c, 16, X86(0, 1, 56), to, rest, &o);
}

/* Calls the C helper for f → f; its argument and result are in xmm0. */
static void round_by_helper(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    static const uint8_t f32[] = {WASM_HELPER_f32_ceil, WASM_HELPER_f32_floor,
                                  WASM_HELPER_f32_trunc, WASM_HELPER_f32_nearest};
    static const uint8_t f64[] = {WASM_HELPER_f64_ceil, WASM_HELPER_f64_floor,
                                  WASM_HELPER_f64_trunc, WASM_HELPER_f64_nearest};
    struct marg arg = {value_arg(c, ins->a), R_XMM0};
    uint32_t list = c->args.count;
    vec_push(c, c->args, arg);
    struct mins *m = put(c, M_CALL_HELPER);
    m->imm = (ins->type == IR_F32 ? f32 : f64)[ins->op - IR_FCEIL];
    m->list = list;
    m->count = 1;
    c->calls = true;
    put_move(c, type_size(ins->type), to, R_XMM0);
}

static void select_round(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    /* Rounding mode, and 8: inexact results raise no flag. */
    static const uint8_t mode[] = {10, 9, 11, 8}; /* ceil, floor, trunc, nearest */
    unsigned size = type_size(ins->type);
    if (!c->cpu.sse41) {
        round_by_helper(c, ins, to);
        return;
    }
    struct operand o = operand_xmm(c, ins->a, size);
    set_imm(put_xmm_unary(c, size, size == 4 ? X86(66, 3, 0a) : X86(66, 3, 0b), to, &o),
            mode[ins->op - IR_FCEIL]);
}

static void select_trunc(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    bool saturate = ins->op == IR_TRUNC_SAT_S || ins->op == IR_TRUNC_SAT_U;
    bool is_unsigned = ins->op == IR_TRUNC_U || ins->op == IR_TRUNC_SAT_U;
    mreg from = value_reg(c, ins->a);
    mreg temp = is_unsigned ? vreg_new(c, false, 8) : R_NONE;
    struct mins *m = put(c, M_TRUNC);
    m->size = (uint8_t)type_size(ins->type);
    m->sub = (uint8_t)((ins_at(c, ins->a)->type == IR_F64 ? TRUNC_F64 : 0) |
                       (ins->type == IR_I64 ? TRUNC_64 : 0) | (is_unsigned ? TRUNC_UNSIGNED : 0) |
                       (saturate ? TRUNC_SAT : 0));
    m->dst = to;
    m->a = from;
    m->b = temp;
}

static void select_convert(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned size = type_size(ins->type);
    bool wide = ins_at(c, ins->a)->type == IR_I64;
    bool is_unsigned = ins->op == IR_CONVERT_U;
    if (wide && is_unsigned) {
        mreg from = value_reg(c, ins->a), temp = vreg_new(c, false, 8);
        struct mins *m = put(c, M_CONVERT_U64);
        m->size = (uint8_t)size;
        m->dst = to;
        m->a = from;
        m->b = temp;
        return;
    }
    struct operand o = {.form = B_REG};
    if (!is_unsigned && can_fold_load(c, ins->a, wide ? 8 : 4))
        o = operand_of(c, ins->a, wide ? 8 : 4);
    else
        o.reg = value_reg(c, ins->a);
    /* An unsigned i32 is zero-extended in its register. */
    put_sse(c, M_SSE_UNARY, size, scalar(size, 0x2a) | (wide || is_unsigned ? X86_W : 0), to, &o);
}

static void select_bitcast(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    mreg from = value_reg(c, ins->a);
    struct mins *m = put(c, type_is_xmm(ins->type) ? M_GPR_TO_XMM : M_XMM_TO_GPR);
    m->size = (uint8_t)type_size(ins->type);
    m->dst = to;
    m->a = from;
}

void select_float(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    mreg to = result_or_dummy(c, ref);
    unsigned size = type_size(ins->type);
    struct operand o;
    switch (ins->op) {
    case IR_FADD: select_binary(c, ins, to, 0x58); return;
    case IR_FSUB: select_binary(c, ins, to, 0x5c); return;
    case IR_FMUL: select_binary(c, ins, to, 0x59); return;
    case IR_FDIV: select_binary(c, ins, to, 0x5e); return;
    case IR_FMIN:
    case IR_FMAX: select_minmax(c, ins, to); return;
    case IR_FCOPYSIGN: select_copysign(c, ins, to); return;
    case IR_FABS:
    case IR_FNEG: select_sign(c, ins, to); return;
    case IR_FSQRT:
        o = operand_xmm(c, ins->a, size);
        put_sse(c, M_SSE_UNARY, size, scalar(size, 0x51), to, &o);
        return;
    case IR_PROMOTE:
        o = operand_xmm(c, ins->a, 4);
        put_sse(c, M_SSE_UNARY, 4, X86(f3, 1, 5a), to, &o);
        return;
    case IR_DEMOTE:
        o = operand_xmm(c, ins->a, 8);
        put_sse(c, M_SSE_UNARY, 8, X86(f2, 1, 5a), to, &o);
        return;
    case IR_TRUNC_S:
    case IR_TRUNC_U:
    case IR_TRUNC_SAT_S:
    case IR_TRUNC_SAT_U: select_trunc(c, ins, to); return;
    case IR_CONVERT_S:
    case IR_CONVERT_U: select_convert(c, ins, to); return;
    case IR_BITCAST: select_bitcast(c, ins, to); return;
    default: select_round(c, ins, to); return;
    }
}
