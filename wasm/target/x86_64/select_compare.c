/* Selection of comparisons: fused into branches, selects and traps where they are used once. */
#include "target/x86_64/emit.h"
#include "target/x86_64/select.h"

/* Condition codes of EQ…GE_U in ir.h's order, and what they become when the operands swap. */
static const uint8_t int_cc[] = {CC_E, CC_NE, CC_L, CC_B, CC_G, CC_A, CC_LE, CC_BE, CC_GE, CC_AE};

static unsigned swap_cc(unsigned cc)
{
    switch (cc) {
    case CC_L: return CC_G;
    case CC_G: return CC_L;
    case CC_LE: return CC_GE;
    case CC_GE: return CC_LE;
    case CC_B: return CC_A;
    case CC_A: return CC_B;
    case CC_BE: return CC_AE;
    case CC_AE: return CC_BE;
    default: return cc;
    }
}

static unsigned invert_cc(unsigned cc)
{
    return cc == CC_FEQ ? CC_FNE : cc == CC_FNE ? CC_FEQ : cc ^ 1;
}

static struct mins *put_compare(struct target_compiler *c, enum mop op, unsigned size, mreg a)
{
    struct mins *m = put(c, op);
    m->size = (uint8_t)size;
    m->a = a;
    return m;
}

/* AND(a, b) against 0. */
static void put_test(struct target_compiler *c, const struct ir_ins *and, unsigned size)
{
    struct operand o = operand_of(c, and->b, size);
    mreg a = value_reg(c, and->a);
    struct mins *m = put_compare(c, M_TEST, size, a);
    if (o.form == B_POOL) { /* test has no such form with a register that is not free */
        m->op = M_NOP;
        m->a = R_NONE;
        mreg k = vreg_new(c, false, size);
        struct mins *load = put(c, M_CONST);
        load->size = (uint8_t)size;
        load->dst = k;
        load->imm = c->pool.data[o.imm].low;
        m = put_compare(c, M_TEST, size, a);
        m->b = k;
        return;
    }
    apply_operand(m, &o);
}

/* A narrow unsigned load against a constant: compares memory. */
static bool compare_narrow(struct target_compiler *c, const struct ir_ins *ins, unsigned cc,
                           unsigned *out)
{
    const struct ir_ins *load = ins_at(c, ins->a);
    if (!is_const(c, ins->b) || load->op != IR_LOAD || load->type != IR_I32)
        return false;
    unsigned width = load->access == IR_U8 ? 1 : load->access == IR_U16 ? 2 : 0;
    uint32_t k = (uint32_t)ins_at(c, ins->b)->imm;
    if (width != 1 || k >= 1u << 8 || !can_fold_load(c, ins->a, width))
        return false;
    /* Signed comparisons of zero-extended values are unsigned ones. */
    static const uint8_t as_unsigned[16] = {
        [CC_E] = CC_E,   [CC_NE] = CC_NE, [CC_B] = CC_B, [CC_A] = CC_A,   [CC_BE] = CC_BE,
        [CC_AE] = CC_AE, [CC_L] = CC_B,   [CC_G] = CC_A, [CC_LE] = CC_BE, [CC_GE] = CC_AE};
    struct operand o = operand_of(c, ins->a, width);
    struct mins *m = put(c, M_CMP_MEM);
    apply_operand(m, &o);
    m->size = (uint8_t)width;
    m->form = B_IMM;
    m->imm = (uint64_t)(int64_t)(int8_t)k;
    *out = as_unsigned[cc];
    return true;
}

static unsigned compare_int(struct target_compiler *c, const struct ir_ins *ins)
{
    unsigned cc = int_cc[ins->op - IR_EQ];
    uint8_t type = ins_at(c, ins->a)->type;
    unsigned size = type_size(type);
    if (compare_narrow(c, ins, cc, &cc))
        return cc;
    ir_ref a = ins->a, b = ins->b;
    if (is_const(c, a) && !is_const(c, b)) {
        ir_ref t = a;
        a = b;
        b = t;
        cc = swap_cc(cc);
    }
    bool zero =
        is_const(c, b) && (size == 4 ? (uint32_t)ins_at(c, b)->imm == 0 : ins_at(c, b)->imm == 0);
    if (zero && (cc == CC_E || cc == CC_NE) && ins_at(c, a)->op == IR_AND && can_fold(c, a)) {
        put_test(c, ins_at(c, a), size);
        return cc;
    }
    if (can_fold_load(c, a, size) && !can_fold_load(c, b, size)) {
        /* The load is b of cmp; against a constant there is cmp [mem], imm. */
        struct operand imm = {.form = B_REG};
        if (is_const(c, b))
            imm = operand_of(c, b, size);
        else
            imm.reg = value_reg(c, b);
        if (imm.form != B_POOL) {
            struct operand o = operand_of(c, a, size);
            struct mins *m = put(c, M_CMP_MEM);
            apply_operand(m, &o);
            m->size = (uint8_t)size;
            m->form = imm.form;
            m->b = imm.reg;
            m->imm = imm.imm;
            return cc;
        }
    }
    if (zero) {
        mreg r = value_reg(c, a);
        put_compare(c, M_TEST, size, r)->b = r;
        return cc;
    }
    struct operand o = operand_of(c, b, size);
    mreg r = value_reg(c, a);
    apply_operand(put_compare(c, M_CMP, size, r), &o);
    return cc;
}

/* FOLD: a load that only INS uses may become its operand. */
static unsigned compare_float(struct target_compiler *c, const struct ir_ins *ins, bool fold)
{
    unsigned size = type_size(ins_at(c, ins->a)->type);
    ir_ref a = ins->a, b = ins->b;
    unsigned cc;
    /* ucomis sets the carry for "below or unordered": only "above" conditions are false for NaN. */
    switch (ins->op) {
    case IR_FEQ: cc = CC_FEQ; break;
    case IR_FNE: cc = CC_FNE; break;
    case IR_FGT: cc = CC_A; break;
    case IR_FGE: cc = CC_AE; break;
    case IR_FLT:
        cc = CC_A;
        a = ins->b;
        b = ins->a;
        break;
    default:
        cc = CC_AE;
        a = ins->b;
        b = ins->a;
        break;
    }
    struct operand o = {.form = B_REG};
    if (fold || is_const(c, b))
        o = operand_xmm(c, b, size);
    else
        o.reg = value_reg(c, b);
    mreg r = value_reg(c, a);
    apply_operand(put_compare(c, M_UCOMIS, size, r), &o);
    return cc;
}

/* A comparison with other uses, made once more where the flags are wanted: its result as a number
 * would have to be compared as well. Its loads belong to nobody here. */
static bool compare_again(struct target_compiler *c, ir_ref ref, unsigned *cc)
{
    const struct ir_ins *ins = ins_at(c, ref);
    bool floats = ins->op >= IR_FEQ && ins->op <= IR_FGE;
    if ((!floats && (ins->op < IR_EQ || ins->op > IR_GE_U || is_const(c, ins->a))) ||
        ins->block != c->block || c->values.data[ref])
        return false;
    if (floats) {
        *cc = compare_float(c, ins, false);
        return true;
    }
    unsigned size = type_size(ins_at(c, ins->a)->type);
    struct operand o = {.form = B_REG};
    if (is_const(c, ins->b))
        o = operand_of(c, ins->b, size);
    else
        o.reg = value_reg(c, ins->b);
    mreg a = value_reg(c, ins->a);
    apply_operand(put_compare(c, M_CMP, size, a), &o);
    *cc = int_cc[ins->op - IR_EQ];
    return true;
}

unsigned condition_of(struct target_compiler *c, ir_ref ref, bool foldable)
{
    bool invert = false;
    while (foldable && ins_at(c, ref)->op == IR_EQZ && can_fold(c, ref) &&
           ins_at(c, ins_at(c, ref)->a)->type == IR_I32) {
        invert = !invert;
        ref = ins_at(c, ref)->a;
    }
    const struct ir_ins *ins = ins_at(c, ref);
    unsigned cc = CC_NE;
    if (foldable && can_fold(c, ref) && ins->op >= IR_EQ && ins->op <= IR_GE_U) {
        cc = compare_int(c, ins);
    } else if (foldable && can_fold(c, ref) && ins->op >= IR_FEQ && ins->op <= IR_FGE) {
        cc = compare_float(c, ins, true);
    } else if (foldable && can_fold(c, ref) && simd_condition(c, ins, &cc)) {
        return invert ? invert_cc(cc) : cc;
    } else if (foldable && can_fold(c, ref) && ins->op == IR_AND) {
        put_test(c, ins, type_size(ins->type));
    } else if (foldable && can_fold(c, ref) && (ins->op == IR_EQZ || ins->op == IR_REF_IS_NULL)) {
        mreg r = value_reg(c, ins->a);
        put_compare(c, M_TEST, type_size(ins_at(c, ins->a)->type), r)->b = r;
        cc = CC_E;
    } else if (!foldable || !compare_again(c, ref, &cc)) {
        mreg r = value_reg(c, ref);
        put_compare(c, M_TEST, type_size(ins->type), r)->b = r;
    }
    return invert ? invert_cc(cc) : cc;
}

static void select_select(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    if (select_smaller(c, ins, to))
        return;
    unsigned size = type_size(ins->type);
    bool xmm = type_is_xmm(ins->type);
    /* The condition's operands must not be computed between the flags and their use. */
    ir_ref a = ins->a, b = ins->b;
    mreg if_true = value_reg(c, a), if_false = value_reg(c, b);
    unsigned cc = condition_of(c, ins->c, true);
    if (cc == CC_FEQ) { /* two flags: take the other side if either says so */
        mreg t = if_true;
        if_true = if_false;
        if_false = t;
        cc = CC_FNE;
    }
    put_move(c, size, to, if_false);
    struct mins *m = put(c, xmm ? M_FSELECT : M_CMOV);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)cc;
    m->dst = to;
    m->b = if_true;
}

void select_compare(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    mreg to = result_or_dummy(c, ref);
    if (ins->op == IR_SELECT) {
        select_select(c, ins, to);
        return;
    }
    unsigned cc;
    if (ins->op == IR_EQZ || ins->op == IR_REF_IS_NULL) {
        if (ins->op == IR_EQZ && ins_at(c, ins->a)->type == IR_I32) {
            cc = invert_cc(condition_of(c, ins->a, true));
        } else {
            mreg r = value_reg(c, ins->a);
            put_compare(c, M_TEST, type_size(ins_at(c, ins->a)->type), r)->b = r;
            cc = CC_E;
        }
    } else if (ins->op >= IR_FEQ && ins->op <= IR_FGE) {
        cc = compare_float(c, ins, true);
    } else {
        cc = compare_int(c, ins);
    }
    struct mins *m = put(c, M_SETCC);
    m->sub = (uint8_t)cc;
    m->size = 4;
    m->dst = to;
}
