/* Selection of atomic operations. A plain load is one on this processor; what stores has a lock
 * prefix, or an exchange's implied one, which makes it sequentially consistent. Every access is
 * aligned or traps, and that comes before the bounds, which the memory's guard pages check. */
#include "target/x86_64/select.h"

/* The effective address against the WIDTH of the access; before anything of it is folded. */
static void check_alignment(struct target_compiler *c, const struct ir_ins *ins, unsigned width)
{
    uint64_t low = ins->imm & (width - 1);
    if (width == 1)
        return;
    if (is_const(c, ins->a)) {
        if ((ins_at(c, ins->a)->imm + low) & (width - 1))
            put(c, M_TRAP)->imm = WASM_TRAP_UNALIGNED;
        return;
    }
    mreg address = value_reg(c, ins->a);
    if (low) {
        struct amode sum = {.base = address, .disp = (int32_t)low};
        address = vreg_new(c, false, 4);
        struct mins *lea = put_mem(c, M_LEA, &sum);
        lea->size = 4;
        lea->dst = address;
    }
    struct mins *m = put(c, M_TEST);
    m->size = 4;
    m->a = address;
    m->form = B_IMM;
    m->imm = width - 1;
    m = put(c, M_TRAP_IF);
    m->sub = CC_NE;
    m->imm = WASM_TRAP_UNALIGNED;
}

/* The whole of RESULT from its low WIDTH bytes. */
static void extend_result(struct target_compiler *c, mreg to, mreg from, unsigned width)
{
    struct mins *m = put(c, M_MOVZX32);
    m->size = (uint8_t)width;
    m->dst = to;
    m->a = from;
}

static mreg copied(struct target_compiler *c, ir_ref ref)
{
    mreg from = value_arg(c, ref), to = vreg_new(c, false, 8);
    put_move(c, 8, to, from);
    return to;
}

/* [mem] op= value, the old value of no use. */
static void select_locked(struct target_compiler *c, const struct ir_ins *ins, unsigned width,
                          enum x86_alu alu)
{
    struct operand o = {.form = B_REG};
    if (is_const(c, ins->b))
        o = operand_of(c, ins->b, type_size(ins->type));
    if (o.form != B_IMM)
        o = (struct operand){.form = B_REG, .reg = value_reg(c, ins->b)};
    struct amode mode = address_of(c, ins);
    struct mins *m = put_mem(c, M_ALU_STORE, &mode);
    m->size = (uint8_t)width;
    m->sub = (uint8_t)alu;
    m->flags |= MI_LOCK;
    m->form = o.form;
    m->b = o.reg;
    m->imm = width == 1   ? (uint64_t)(int8_t)o.imm
             : width == 2 ? (uint64_t)(int16_t)o.imm
             : width == 4 ? (uint64_t)(int32_t)o.imm
                          : o.imm;
}

/* lock xadd or xchg: the register brings the operand and takes the old value. */
static void select_swap(struct target_compiler *c, const struct ir_ins *ins, ir_ref value,
                        unsigned width, enum ir_rmw rmw, mreg to)
{
    struct amode mode = address_of(c, ins);
    mreg both = copied(c, value);
    if (rmw == IR_RMW_SUB) {
        struct mins *m = put(c, M_NEG);
        m->size = 8;
        m->dst = both;
    }
    struct mins *m = put_mem(c, M_SWAP, &mode);
    m->size = (uint8_t)width;
    m->sub = rmw != IR_RMW_XCHG;
    m->dst = both;
    if (!to)
        return;
    if (width < 4)
        extend_result(c, to, both, width);
    else
        put_move(c, 8, to, both);
}

static void select_rmw(struct target_compiler *c, const struct ir_ins *ins, unsigned width, mreg to)
{
    static const uint8_t alu[] = {[IR_RMW_ADD] = ALU_ADD,
                                  [IR_RMW_SUB] = ALU_SUB,
                                  [IR_RMW_AND] = ALU_AND,
                                  [IR_RMW_OR] = ALU_OR,
                                  [IR_RMW_XOR] = ALU_XOR};
    enum ir_rmw rmw = (enum ir_rmw)ins->imm2;
    if (!to && rmw != IR_RMW_XCHG) {
        select_locked(c, ins, width, alu[rmw]);
        return;
    }
    if (rmw == IR_RMW_ADD || rmw == IR_RMW_SUB || rmw == IR_RMW_XCHG) {
        select_swap(c, ins, ins->b, width, rmw, to);
        return;
    }
    mreg value = value_reg(c, ins->b), temp = vreg_new(c, false, 8);
    struct amode mode = address_of(c, ins);
    struct mins *m = put_mem(c, M_UPDATE, &mode);
    m->size = (uint8_t)width;
    m->sub = alu[rmw];
    m->a = value;
    m->b = temp;
    put_move(c, 8, to, R_RAX);
}

static void select_cmpxchg(struct target_compiler *c, const struct ir_ins *ins, unsigned width,
                           mreg to)
{
    mreg expected = value_arg(c, ins->b), replacement = value_reg(c, ins->c);
    struct amode mode = address_of(c, ins);
    put_move(c, 8, R_RAX, expected);
    struct mins *m = put_mem(c, M_CMPXCHG, &mode);
    m->size = (uint8_t)width;
    m->b = replacement;
    if (!to)
        return;
    if (width < 8) {
        /* Where they are equal nothing is written to rax, whose upper part is that of EXPECTED. */
        mreg old = vreg_new(c, false, 8);
        put_move(c, 8, old, R_RAX);
        extend_result(c, to, old, width);
    } else {
        put_move(c, 8, to, R_RAX);
    }
}

void select_atomic(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    if (ins->op == IR_FENCE) {
        put(c, M_FENCE);
        return;
    }
    unsigned width = ir_access_bytes(ins->access);
    mreg to = result_reg(c, ref);
    check_alignment(c, ins, width);
    switch (ins->op) {
    case IR_ATOMIC_LOAD: {
        struct amode mode = address_of(c, ins);
        struct mins *m = put_mem(c, M_LOAD, &mode);
        m->size = (uint8_t)type_size(ins->type);
        m->sub = ins->access;
        m->dst = to ? to : new_reg(c, ins->type);
        return;
    }
    case IR_ATOMIC_STORE: select_swap(c, ins, ins->b, width, IR_RMW_XCHG, R_NONE); return;
    case IR_ATOMIC_RMW: select_rmw(c, ins, width, to); return;
    default: select_cmpxchg(c, ins, width, to); return;
    }
}
