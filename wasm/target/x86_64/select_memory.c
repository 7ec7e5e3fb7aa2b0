/* Selection of what touches memory: addresses, loads, stores, globals. */
#include "target/x86_64/select.h"

#include "runtime/abi.h"

#define OFFSET(type, field) ((uint32_t)offsetof(struct type, field))

static mreg put_imm(struct target_compiler *c, uint64_t value)
{
    mreg to = vreg_new(c, false, 8);
    struct mins *m = put(c, M_CONST);
    m->size = 8;
    m->dst = to;
    m->imm = value;
    return to;
}

/* Whether a use of sum or shift A had better use its operand: for free if nobody else wants A in a
 * register, or the operand is in one anyway. */
static bool can_look_through(struct target_compiler *c, ir_ref a)
{
    if (can_fold(c, a))
        return true;
    return !c->values.data[a] &&
           (ins_at(c, a)->block == c->block || c->values.data[ins_at(c, a)->a]);
}

/* The i32 address without what the addressing mode can do: constants and a scale, where neither can
 * carry out of 32 bits. */
static ir_ref strip_address(struct target_compiler *c, ir_ref a, int64_t *offset, uint8_t *scale)
{
    for (int steps = 0; steps < 8; steps++) {
        const struct ir_ins *ins = ins_at(c, a);
        if ((ins->op != IR_ADD && ins->op != IR_SHL) || !is_const(c, ins->b) ||
            !can_look_through(c, a))
            return a;
        uint32_t k = (uint32_t)ins_at(c, ins->b)->imm;
        struct ir_range range = c->bounds.data[ins->a];
        if (ins->op == IR_SHL) {
            k &= 31;
            if (*scale + k > 3 || range.hi > UINT32_MAX >> k)
                return a;
            *scale = (uint8_t)(*scale + k);
            a = ins->a;
            continue;
        }
        int64_t sum = *offset;
        if ((uint64_t)range.hi + k <= UINT32_MAX) {
            sum += (int64_t)k << *scale;
        } else if (range.lo >= 0 - k) { /* a subtraction that stays above 0 */
            sum -= (int64_t)(0 - k) << *scale;
        } else {
            return a;
        }
        if (sum != (int32_t)sum) /* no displacement: the addition is cheaper */
            return a;
        *offset = sum;
        a = ins->a;
    }
    return a;
}

static void put_trap(struct target_compiler *c)
{
    put(c, M_TRAP)->imm = WASM_TRAP_MEMORY;
}

/* A 64-bit address must be below 2^32: no memory is larger, so with an offset below 2^32 as well
 * the guard behind it finds the rest. What is used is the low half, so that no speculation leaves
 * the reservation, whatever it thinks of the check. */
static mreg checked_address(struct target_compiler *c, const struct ir_ins *ins)
{
    mreg address = value_reg(c, ins->a), low = vreg_new(c, false, 8);
    struct operand limit = {.form = B_POOL, .imm = pool_add(c, 8, UINT32_MAX, 0)};
    struct mins *m = put(c, M_CMP);
    m->size = 8;
    m->a = address;
    apply_operand(m, &limit);
    m = put(c, M_TRAP_IF);
    m->sub = CC_A;
    m->imm = WASM_TRAP_MEMORY;
    m = put(c, M_MOVZX32);
    m->size = 4;
    m->dst = low;
    m->a = address;
    return low;
}

/* [base + index + offset] of a 64-bit memory; traps at once when that can only be outside. */
static mreg wide_index(struct target_compiler *c, const struct ir_ins *ins, uint64_t *offset)
{
    if (is_const(c, ins->a)) {
        uint64_t address = ins_at(c, ins->a)->imm;
        if (address <= UINT32_MAX && *offset <= UINT32_MAX) {
            *offset += address;
            return R_NONE;
        }
    } else if (*offset <= UINT32_MAX) {
        return checked_address(c, ins);
    }
    put_trap(c);
    *offset = 0;
    return R_NONE;
}

struct amode address_of(struct target_compiler *c, const struct ir_ins *ins)
{
    struct amode m = {.base = R_R14, .flags = MI_TRAPS};
    if (ins->aux)
        m.base = memory_base(c, ins->aux);
    uint64_t offset = ins->imm;
    ir_ref a = ins->a;
    if (ins_at(c, a)->type == IR_I64) {
        m.index = wide_index(c, ins, &offset);
    } else if (is_const(c, a)) {
        offset += (uint32_t)ins_at(c, a)->imm;
    } else {
        int64_t sum = (int64_t)offset;
        a = strip_address(c, a, &sum, &m.scale);
        m.index = value_reg(c, a);
        offset = (uint64_t)sum;
    }
    if ((int64_t)offset != (int32_t)offset) {
        mreg far = put_imm(c, offset);
        if (m.index) {
            struct amode sum = {.base = far, .index = m.index, .scale = m.scale};
            mreg to = vreg_new(c, false, 8);
            struct mins *lea = put_mem(c, M_LEA, &sum);
            lea->size = 8;
            lea->dst = to;
            far = to;
        }
        m.index = far;
        m.scale = 0;
        offset = 0;
    }
    m.disp = (int32_t)offset;
    return m;
}

static void select_load(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    mreg to = result_or_dummy(c, ref);
    struct amode mode = address_of(c, ins);
    struct mins *m = put_mem(c, M_LOAD, &mode);
    m->size = (uint8_t)type_size(ins->type);
    m->sub = ins->access;
    m->dst = to;
}

/* Stores of fewer bits do not look at the others. */
static ir_ref stored_bits(struct target_compiler *c, ir_ref ref, unsigned size)
{
    for (;;) {
        const struct ir_ins *ins = ins_at(c, ref);
        if (!can_fold(c, ref))
            return ref;
        bool through = ins->op == IR_WRAP || (ins->op == IR_EXT8 && size == 1) ||
                       (ins->op == IR_EXT16 && size <= 2);
        if (ins->op == IR_AND && is_const(c, ins->b)) {
            uint64_t k = ins_at(c, ins->b)->imm;
            through = (size == 1 && (k & 0xff) == 0xff) || (size == 2 && (k & 0xffff) == 0xffff);
        }
        if (!through || is_const(c, ins->a))
            return ref;
        ref = ins->a;
    }
}

/* [mem] op= x: a store of an operation on what was loaded from the same place. */
static bool select_update(struct target_compiler *c, const struct ir_ins *store, unsigned size)
{
    const struct ir_ins *op = ins_at(c, store->b);
    unsigned alu;
    switch (op->op) {
    case IR_ADD: alu = ALU_ADD; break;
    case IR_SUB: alu = ALU_SUB; break;
    case IR_AND: alu = ALU_AND; break;
    case IR_OR: alu = ALU_OR; break;
    case IR_XOR: alu = ALU_XOR; break;
    default: return false;
    }
    if (!can_fold(c, store->b))
        return false;
    ir_ref loaded = op->a, other = op->b;
    for (int turn = 0;; turn++) {
        const struct ir_ins *load = ins_at(c, loaded);
        if (can_fold_load(c, loaded, size) && load->a == store->a && load->imm == store->imm &&
            load->aux == store->aux)
            break;
        if (turn || alu == ALU_SUB)
            return false;
        loaded = op->b;
        other = op->a;
    }
    struct operand o = {.form = B_REG};
    if (is_const(c, other))
        o = operand_of(c, other, type_size(op->type));
    if (o.form == B_POOL)
        return false;
    if (o.form == B_REG)
        o.reg = value_reg(c, stored_bits(c, other, size));
    c->folded.data[loaded >> 5] |= 1u << (loaded & 31);
    struct amode mode = address_of(c, store);
    struct mins *m = put_mem(c, M_ALU_STORE, &mode);
    m->size = (uint8_t)size;
    m->sub = (uint8_t)alu;
    m->form = o.form;
    m->b = o.reg;
    m->imm = size == 1 ? (uint64_t)(int8_t)o.imm : size == 2 ? (uint64_t)(int16_t)o.imm : o.imm;
    return true;
}

static void select_store(struct target_compiler *c, const struct ir_ins *ins)
{
    unsigned size = ir_access_bytes(ins->access);
    if (size < 16 && ins->access != IR_ACCESS_F32 && ins->access != IR_ACCESS_F64 &&
        select_update(c, ins, size))
        return;
    ir_ref value = ins->b;
    uint8_t access = ins->access;
    if (size <= 4 && !type_is_xmm(ins_at(c, value)->type))
        value = stored_bits(c, value, size);
    const struct ir_ins *v = ins_at(c, value);
    mreg from = R_NONE;
    int64_t k = 0;
    bool immediate = false;
    if (v->op == IR_CONST && v->type != IR_V128) {
        k = type_size(v->type) == 4 ? (int32_t)v->imm : (int64_t)v->imm;
        immediate = k == (int32_t)k || size <= 4;
        if (immediate && access == IR_ACCESS_F32)
            access = IR_U32;
        if (immediate && access == IR_ACCESS_F64)
            access = IR_64;
    }
    if (!immediate)
        from = value_reg(c, value);
    struct amode mode = address_of(c, ins);
    struct mins *m = put_mem(c, M_STORE, &mode);
    m->size = (uint8_t)size;
    m->sub = access;
    m->form = immediate ? B_IMM : B_REG;
    m->b = from;
    m->imm = (uint64_t)k;
}

static void select_global(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    bool set = ins->op == IR_GLOBAL_SET;
    mreg value = set ? value_reg(c, ins->a) : result_reg(c, ref);
    uint8_t type = set ? ins_at(c, ins->a)->type : ins->type;
    mreg globals = put_pointer(c, R_R15, OFFSET(wasm_instance, globals));
    mreg global = put_pointer(c, globals, ins->aux * 8);
    if (set)
        put_store(c, type, global, 0, value);
    else
        put_load(c, type, value, global, 0);
}

void select_memory(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    switch (ins->op) {
    case IR_LOAD: select_load(c, ref); return;
    case IR_STORE: select_store(c, ins); return;
    case IR_GLOBAL_GET:
    case IR_GLOBAL_SET: select_global(c, ref); return;
    default: break;
    }
    mreg to = result_reg(c, ref);
    mreg memories = put_pointer(c, R_R15, OFFSET(wasm_instance, memories));
    mreg memory = put_pointer(c, memories, ins->aux * 8);
    mreg size = put_pointer(c, memory, OFFSET(wasm_memory, size));
    put_move(c, 8, to, size);
    struct mins *m = put(c, M_SHIFT);
    m->size = 8;
    m->sub = 5;
    m->dst = to;
    m->imm = 16;
}
