/* Selection of integer arithmetic. */
#include "target/x86_64/select.h"

static mreg copy_of(struct target_compiler *c, ir_ref ref, mreg to, unsigned size)
{
    mreg from = value_arg(c, ref);
    put_move(c, size, to, from);
    return to;
}

/* 32-bit instructions look only at the low half, so a WRAP need not be made for them. */
static inline ir_ref low_half(struct target_compiler *c, ir_ref ref)
{
    while (ins_at(c, ref)->op == IR_WRAP && can_fold(c, ref) &&
           ins_at(c, ins_at(c, ref)->a)->op != IR_CONST)
        ref = ins_at(c, ref)->a;
    return ref;
}

static bool const_value(struct target_compiler *c, ir_ref ref, int64_t *value)
{
    const struct ir_ins *ins = ins_at(c, ref);
    if (ins->op != IR_CONST)
        return false;
    *value = ins->type == IR_I32 ? (int32_t)ins->imm : (int64_t)ins->imm;
    return true;
}

/* ADD as an address computation: a + b * scale + constant, or b * scale + constant. False: an
 * ordinary add is as good. */
static bool select_lea(struct target_compiler *c, const struct ir_ins *ins, mreg to, unsigned size)
{
    ir_ref a = ins->a, b = ins->b;
    struct amode m = {0};
    int64_t k;
    if (const_value(c, b, &k)) {
        const struct ir_ins *inner = ins_at(c, a);
        if (k != (int32_t)k || !can_fold(c, a))
            return false;
        m.disp = (int32_t)k;
        if (inner->op == IR_SHL) {
            b = a; /* no base */
            a = 0;
        } else if (inner->op == IR_ADD && !is_const(c, inner->b)) {
            a = inner->a;
            b = inner->b;
        } else {
            return false;
        }
    }
    for (int turn = 0; turn < 2 && b; turn++) {
        const struct ir_ins *shift = ins_at(c, b);
        if (shift->op == IR_SHL && const_value(c, shift->b, &k) && k >= 1 && k <= 3 &&
            can_fold(c, b)) {
            m.scale = (uint8_t)k;
            b = shift->a;
            break;
        }
        ir_ref swap = a;
        a = b;
        b = swap;
    }
    if (!m.scale && (!m.disp || !a || !b))
        return false;
    if (a)
        m.base = value_reg(c, size == 4 ? low_half(c, a) : a);
    m.index = value_reg(c, size == 4 ? low_half(c, b) : b);
    struct mins *lea = put_mem(c, M_LEA, &m);
    lea->size = (uint8_t)size;
    lea->dst = to;
    return true;
}

/* Whether REF is a loop's phi that takes INS over for the next round. */
static bool goes_round(struct target_compiler *c, ir_ref ref, const struct ir_ins *ins)
{
    const struct ir_ins *phi = ins_at(c, ref);
    if (phi->op != IR_PHI || phi->count != 2)
        return false;
    const uint32_t *values = c->f->pool + phi->list;
    return ins_at(c, values[0]) == ins || ins_at(c, values[1]) == ins;
}

/* For operation INS, which overwrites a: prefer as a the operand that is not needed afterwards; of
 * two the one whose register the result is to have. */
static void order_operands(struct target_compiler *c, const struct ir_ins *ins, ir_ref *a,
                           ir_ref *b, unsigned size)
{
    if (is_const(c, *b))
        return;
    bool swap = (goes_round(c, *b, ins) && !goes_round(c, *a, ins) &&
                 (c->counts.data[*b].count == 1 || c->counts.data[*a].count > 1) &&
                 !can_fold_load(c, *a, size)) ||
                is_const(c, *a) || (can_fold_load(c, *a, size) && !can_fold_load(c, *b, size)) ||
                (c->counts.data[*a].count > 1 && c->counts.data[*b].count == 1 &&
                 !can_fold_load(c, *b, size));
    if (swap) {
        ir_ref t = *a;
        *a = *b;
        *b = t;
    }
}

/* ~x that is wanted here only. */
static bool is_not(struct target_compiler *c, ir_ref ref)
{
    int64_t k;
    return ins_at(c, ref)->op == IR_XOR && can_fold(c, ref) &&
           const_value(c, ins_at(c, ref)->b, &k) && k == -1;
}

static void select_alu(struct target_compiler *c, const struct ir_ins *ins, mreg to, unsigned alu)
{
    unsigned size = type_size(ins->type);
    ir_ref a = ins->a, b = ins->b;
    int64_t k;
    if (alu == ALU_SUB && const_value(c, a, &k) && k == 0) {
        copy_of(c, b, to, size);
        struct mins *m = put(c, M_NEG);
        m->size = (uint8_t)size;
        m->dst = to;
        return;
    }
    if (alu == ALU_XOR && const_value(c, b, &k) && k == -1) {
        copy_of(c, a, to, size);
        struct mins *m = put(c, M_NOT);
        m->size = (uint8_t)size;
        m->dst = to;
        return;
    }
    if (alu == ALU_ADD && select_lea(c, ins, to, size))
        return;
    if (alu != ALU_SUB)
        order_operands(c, ins, &a, &b, size);
    if (alu == ALU_AND && const_value(c, b, &k)) {
        if (k == 0xff || k == 0xffff || (size == 8 && k == 0xffffffff)) {
            mreg from = value_reg(c, a);
            struct mins *m = put(c, M_MOVZX32);
            m->size = k == 0xff ? 1 : k == 0xffff ? 2 : 4;
            m->dst = to;
            m->a = from;
            return;
        }
        if (size == 8 && k >= 0 && k <= INT32_MAX)
            size = 4; /* the upper half comes out zero anyway */
    }
    if (alu == ALU_AND && c->cpu.bmi1 && (is_not(c, a) || is_not(c, b))) {
        if (!is_not(c, b)) {
            ir_ref t = a;
            a = b;
            b = t;
        }
        mreg inverted = value_reg(c, ins_at(c, b)->a), other = value_reg(c, a);
        struct mins *m = put(c, M_ANDN);
        m->size = (uint8_t)size;
        m->dst = to;
        m->a = inverted;
        m->b = other;
        return;
    }
    if (size == 4) {
        a = low_half(c, a);
        b = low_half(c, b);
    }
    struct operand o = operand_of(c, b, size);
    copy_of(c, a, to, size);
    struct mins *m = put(c, M_ALU);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)alu;
    m->dst = to;
    apply_operand(m, &o);
}

static void select_mul(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned size = type_size(ins->type);
    ir_ref a = ins->a, b = ins->b;
    order_operands(c, ins, &a, &b, size);
    if (size == 4) {
        a = low_half(c, a);
        b = low_half(c, b);
    }
    struct operand o = operand_of(c, b, size);
    if (o.form == B_IMM) {
        int64_t k = (int64_t)o.imm;
        if (k == 3 || k == 5 || k == 9) {
            mreg from = value_reg(c, a);
            struct amode mode = {.base = from,
                                 .index = from,
                                 .scale = (uint8_t)(k == 3   ? 1
                                                    : k == 5 ? 2
                                                             : 3)};
            struct mins *lea = put_mem(c, M_LEA, &mode);
            lea->size = (uint8_t)size;
            lea->dst = to;
            return;
        }
        struct operand from = {.form = B_REG};
        if (can_fold_load(c, a, size))
            from = operand_of(c, a, size);
        else
            from.reg = value_reg(c, a);
        struct mins *m = put(c, M_IMUL3);
        m->size = (uint8_t)size;
        m->dst = to;
        apply_operand(m, &from);
        m->imm = o.imm;
        return;
    }
    copy_of(c, a, to, size);
    struct mins *m = put(c, M_IMUL);
    m->size = (uint8_t)size;
    m->dst = to;
    apply_operand(m, &o);
}

static void select_div(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned size = type_size(ins->type);
    bool is_signed = ins->op == IR_DIV_S || ins->op == IR_REM_S;
    bool rem = ins->op == IR_REM_S || ins->op == IR_REM_U;
    int64_t k = 0;
    struct operand o = {.form = B_REG};
    bool constant = const_value(c, ins->b, &k);
    o.reg = value_reg(c, ins->b); /* a load here would make two kinds of fault at one place */
    uint32_t pos = c->pos;
    mreg dividend = value_arg(c, ins->a);
    put_move(c, size, R_RAX, dividend);
    struct mins *m = put(c, M_DIV);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)((is_signed ? DIV_SIGNED : 0) | (rem ? DIV_REM : 0) |
                       (is_signed && !(constant && k != -1) ? DIV_CHECK : 0));
    apply_operand(m, &o);
    m->pos = pos;
    put_move(c, size, to, rem ? R_RDX : R_RAX);
}

static void select_shift(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    enum { ROL, ROR, SHL = 4, SHR, SAR = 7 };
    unsigned size = type_size(ins->type);
    unsigned digit = ins->op == IR_SHL     ? SHL
                     : ins->op == IR_SHR_S ? SAR
                     : ins->op == IR_SHR_U ? SHR
                     : ins->op == IR_ROTL  ? ROL
                                           : ROR;
    ir_ref a = ins->a, b = ins->b;
    int64_t k = 0, mask = size * 8 - 1;
    if (size == 4)
        a = low_half(c, a);
    if (const_value(c, b, &k)) {
        k &= mask;
        if (digit <= ROR && c->cpu.bmi2 && c->counts.data[a].count > 1) {
            struct operand o = operand_of(c, a, size);
            if (o.form != B_IMM && o.form != B_POOL) {
                struct mins *m = put(c, M_RORX);
                m->size = (uint8_t)size;
                m->dst = to;
                apply_operand(m, &o);
                m->imm = (uint64_t)(digit == ROL ? -k & mask : k);
                return;
            }
        }
        if (digit == SHL && k >= 2 && k <= 3 && c->counts.data[a].count > 1) {
            struct amode mode = {.index = value_reg(c, a), .scale = (uint8_t)k};
            struct mins *lea = put_mem(c, M_LEA, &mode);
            lea->size = (uint8_t)size;
            lea->dst = to;
            return;
        }
        copy_of(c, a, to, size);
        struct mins *m = put(c, M_SHIFT);
        m->size = (uint8_t)size;
        m->sub = (uint8_t)digit;
        m->dst = to;
        m->imm = (uint64_t)k;
        return;
    }
    /* The processor masks the count as Wasm does. */
    if (ins_at(c, b)->op == IR_AND && can_fold(c, b) && const_value(c, ins_at(c, b)->b, &k) &&
        (k & mask) == mask)
        b = ins_at(c, b)->a;
    b = low_half(c, b);
    if (digit >= SHL && c->cpu.bmi2) {
        mreg count = value_reg(c, b);
        struct operand o = {.form = B_REG};
        if (can_fold_load(c, a, size))
            o = operand_of(c, a, size);
        else
            o.reg = value_reg(c, a);
        struct mins *m = put(c, M_SHIFTX);
        m->size = (uint8_t)size;
        m->sub = (uint8_t)digit;
        m->dst = to;
        m->a = count;
        apply_operand(m, &o);
        return;
    }
    mreg count = value_arg(c, b), from = value_arg(c, a);
    put_move(c, size, to, from);
    put_move(c, 4, R_RCX, count);
    struct mins *m = put(c, M_SHIFT_CL);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)digit;
    m->dst = to;
}

static void put_alu(struct target_compiler *c, unsigned size, unsigned alu, mreg to, mreg b)
{
    struct mins *m = put(c, M_ALU);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)alu;
    m->dst = to;
    m->b = b;
}

static mreg put_const(struct target_compiler *c, unsigned size, uint64_t value)
{
    mreg to = vreg_new(c, false, size);
    struct mins *m = put(c, M_CONST);
    m->size = (uint8_t)size;
    m->dst = to;
    m->imm = size == 4 ? (uint32_t)value : value;
    return to;
}

static mreg shifted(struct target_compiler *c, unsigned size, mreg from, unsigned by)
{
    mreg to = vreg_new(c, false, size);
    put_move(c, size, to, from);
    struct mins *m = put(c, M_SHIFT);
    m->size = (uint8_t)size;
    m->sub = 5;
    m->dst = to;
    m->imm = by;
    return to;
}

/* Bits in parallel, for processors without the instruction. */
static void popcnt_without(struct target_compiler *c, unsigned size, mreg from, mreg to)
{
    mreg t = shifted(c, size, from, 1);
    put_alu(c, size, ALU_AND, t, put_const(c, size, 0x5555555555555555));
    mreg pairs = vreg_new(c, false, size);
    put_move(c, size, pairs, from);
    put_alu(c, size, ALU_SUB, pairs, t);
    mreg mask = put_const(c, size, 0x3333333333333333);
    mreg high = shifted(c, size, pairs, 2);
    put_alu(c, size, ALU_AND, high, mask);
    mreg nibbles = vreg_new(c, false, size);
    put_move(c, size, nibbles, pairs);
    put_alu(c, size, ALU_AND, nibbles, mask);
    put_alu(c, size, ALU_ADD, nibbles, high);
    mreg bytes = shifted(c, size, nibbles, 4);
    put_alu(c, size, ALU_ADD, bytes, nibbles);
    put_alu(c, size, ALU_AND, bytes, put_const(c, size, 0x0f0f0f0f0f0f0f0f));
    mreg factor = put_const(c, size, 0x0101010101010101);
    mreg sum = vreg_new(c, false, size);
    put_move(c, size, sum, bytes);
    struct mins *m = put(c, M_IMUL);
    m->size = (uint8_t)size;
    m->dst = sum;
    m->b = factor;
    put_move(c, size, to, sum);
    m = put(c, M_SHIFT);
    m->size = (uint8_t)size;
    m->sub = 5;
    m->dst = to;
    m->imm = size * 8 - 8;
}

static void select_bits(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned size = type_size(ins->type);
    ir_ref a = size == 4 ? low_half(c, ins->a) : ins->a;
    bool direct = ins->op == IR_POPCNT ? c->cpu.popcnt
                  : ins->op == IR_CLZ  ? c->cpu.lzcnt
                                       : c->cpu.bmi1;
    if (direct) {
        struct operand o = {.form = B_REG};
        if (can_fold_load(c, a, size))
            o = operand_of(c, a, size);
        else
            o.reg = value_reg(c, a);
        struct mins *m = put(c, M_BITS);
        m->size = (uint8_t)size;
        m->sub = ins->op == IR_POPCNT ? BITS_POPCNT : ins->op == IR_CLZ ? BITS_LZCNT : BITS_TZCNT;
        m->dst = to;
        apply_operand(m, &o);
        return;
    }
    mreg from = value_reg(c, a);
    if (ins->op == IR_POPCNT) {
        popcnt_without(c, size, from, to);
        return;
    }
    /* bsr and bsf leave the result undefined and set ZF for 0. */
    bool clz = ins->op == IR_CLZ;
    mreg none = put_const(c, size, clz ? size * 16 - 1 : size * 8);
    mreg found = vreg_new(c, false, size);
    struct mins *m = put(c, M_BITS);
    m->size = (uint8_t)size;
    m->sub = clz ? BITS_BSR : BITS_BSF;
    m->dst = found;
    m->b = from;
    mreg chosen = clz ? vreg_new(c, false, size) : to;
    put_move(c, size, chosen, found);
    m = put(c, M_CMOV);
    m->size = (uint8_t)size;
    m->sub = CC_E;
    m->dst = chosen;
    m->b = none;
    if (clz) {
        put_move(c, size, to, chosen);
        m = put(c, M_ALU);
        m->size = (uint8_t)size;
        m->sub = ALU_XOR;
        m->form = B_IMM;
        m->imm = size * 8 - 1;
        m->dst = to;
    }
}

static void select_extend(struct target_compiler *c, const struct ir_ins *ins, mreg to)
{
    unsigned from = ins->op == IR_EXT8 ? 1 : ins->op == IR_EXT16 ? 2 : 4;
    ir_ref a = ins->a;
    if (ins->op != IR_EXT32 && ins->type == IR_I32)
        a = low_half(c, a);
    struct operand o = {.form = B_REG};
    if (can_fold_load(c, a, from))
        o = operand_of(c, a, from);
    else
        o.reg = value_reg(c, a);
    struct mins *m = put(c, M_SEXT);
    m->size = (uint8_t)type_size(ins->type);
    m->sub = (uint8_t)from;
    m->dst = to;
    apply_operand(m, &o);
}

void select_int(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    mreg to = result_or_dummy(c, ref);
    switch (ins->op) {
    case IR_ADD: select_alu(c, ins, to, ALU_ADD); return;
    case IR_SUB: select_alu(c, ins, to, ALU_SUB); return;
    case IR_AND: select_alu(c, ins, to, ALU_AND); return;
    case IR_OR: select_alu(c, ins, to, ALU_OR); return;
    case IR_XOR: select_alu(c, ins, to, ALU_XOR); return;
    case IR_MUL: select_mul(c, ins, to); return;
    case IR_DIV_S:
    case IR_DIV_U:
    case IR_REM_S:
    case IR_REM_U: select_div(c, ins, to); return;
    case IR_SHL:
    case IR_SHR_S:
    case IR_SHR_U:
    case IR_ROTL:
    case IR_ROTR: select_shift(c, ins, to); return;
    case IR_CLZ:
    case IR_CTZ:
    case IR_POPCNT: select_bits(c, ins, to); return;
    case IR_BSWAP: {
        copy_of(c, ins->a, to, type_size(ins->type));
        struct mins *m = put(c, M_BSWAP);
        m->size = (uint8_t)type_size(ins->type);
        m->dst = to;
        return;
    }
    case IR_SEXT:
    case IR_EXT8:
    case IR_EXT16:
    case IR_EXT32: select_extend(c, ins, to); return;
    case IR_WRAP: {
        mreg from = value_reg(c, ins->a);
        if (ir_limit(c->f, ins->a) <= UINT32_MAX) {
            put_move(c, 8, to, from);
            return;
        }
        struct mins *m = put(c, M_MOVZX32);
        m->size = 4;
        m->dst = to;
        m->a = from;
        return;
    }
    default: mir_fail(c); /* an operation this target does not know */
    }
}
