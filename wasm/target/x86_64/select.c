/* Instruction selection: the walk over blocks and instructions, operands, and what becomes of each
 * operation. */
#include "target/x86_64/select.h"
#include "ir/simd.h"
#include "target/x86_64/emit.h"

#include <string.h>

#define takes_registers(op)                                                                        \
    ((op) == M_DIV || (op) == M_UPDATE || (op) == M_CMPXCHG || (op) == M_SHIFT_CL ||               \
     (op) == M_FUNC || (op) == M_RET || ((op) >= M_CALL && (op) <= M_CALL_RDI))
const struct mop_info mop_info[MOP_COUNT] = {
#define NONE   0
#define LATE   DEF_LATE
#define MODIFY DEF_MODIFY
#define EARLY  DEF_EARLY
#define ANY    USE_ANY
#define MEM    USE_MEM
#define REG    USE_REG
#define TEMP   USE_TEMP
#define X(name, dst, a, b)                                                                         \
    {dst, a, b, dst == EARLY || a == TEMP || b == TEMP || takes_registers(M_##name)},
    MOPS(X)
#undef X
#undef NONE
#undef LATE
#undef MODIFY
#undef EARLY
#undef ANY
#undef MEM
#undef REG
#undef TEMP
};

static struct mins dummy_ins;

/* Apart, so that the common way saves no registers. */
__attribute__((noinline)) static struct mins *put_grown(struct target_compiler *c, enum mop op)
{
    return vec_reserve(c, c->ins, (uint64_t)c->ins.count + 1) ? put(c, op) : &dummy_ins;
}

struct mins *put(struct target_compiler *c, enum mop op)
{
    if (c->ins.count == c->ins.capacity)
        return put_grown(c, op);
    struct mins *m = &c->ins.data[c->ins.count++];
    memset(m, 0, sizeof *m);
    m->op = (uint8_t)op;
    m->pos = c->pos;
    return m;
}

struct mins *put_mem(struct target_compiler *c, enum mop op, const struct amode *mem)
{
    struct mins *m = put(c, op);
    m->base = mem->base;
    m->index = mem->index;
    m->scale = mem->scale;
    m->flags = mem->flags;
    m->disp = mem->disp;
    return m;
}

struct mins *put_move(struct target_compiler *c, unsigned size, mreg to, mreg from)
{
    struct mins *m = put(c, M_MOV);
    m->size = (uint8_t)size;
    m->dst = to;
    m->a = from;
    return m;
}

static uint8_t whole_access(uint8_t type)
{
    static const uint8_t access[IR_TYPE_COUNT] = {
        [IR_I32] = IR_U32,        [IR_I64] = IR_64,   [IR_F32] = IR_ACCESS_F32,
        [IR_F64] = IR_ACCESS_F64, [IR_V128] = IR_128, [IR_REF] = IR_64};
    return access[type];
}

struct mins *put_load(struct target_compiler *c, uint8_t type, mreg to, mreg base, int32_t disp)
{
    struct mins *m = put(c, M_LOAD);
    m->size = (uint8_t)type_size(type);
    m->sub = whole_access(type);
    m->dst = to;
    m->base = base;
    m->disp = disp;
    return m;
}

struct mins *put_store(struct target_compiler *c, uint8_t type, mreg base, int32_t disp, mreg from)
{
    struct mins *m = put(c, M_STORE);
    m->size = (uint8_t)type_size(type);
    m->sub = whole_access(type);
    m->base = base;
    m->disp = disp;
    m->b = from;
    return m;
}

mreg put_pointer(struct target_compiler *c, mreg base, uint32_t disp)
{
    mreg to = vreg_new(c, false, 8);
    put_load(c, IR_REF, to, base, (int32_t)disp);
    return to;
}

__attribute__((noinline)) static mreg vreg_grown(struct target_compiler *c, bool xmm, unsigned size)
{
    if (c->vregs.count > (1u << 28) || !vec_reserve(c, c->vregs, (uint64_t)c->vregs.count + 1))
        return FIRST_VREG; /* the compiler stops at c->failed */
    return vreg_new(c, xmm, size);
}

mreg vreg_new(struct target_compiler *c, bool xmm, unsigned size)
{
    if (c->vregs.count == c->vregs.capacity)
        return vreg_grown(c, xmm, size);
    struct vreg *v = &c->vregs.data[c->vregs.count];
    memset(v, 0, sizeof *v);
    v->xmm = xmm;
    v->size = (uint8_t)size;
    v->slot = -1;
    return FIRST_VREG + c->vregs.count++;
}

mreg vreg_const(struct target_compiler *c, bool xmm, unsigned size, uint64_t imm)
{
    mreg r = vreg_new(c, xmm, size);
    if (!c->failed) {
        vreg_at(c, r)->constant = true;
        vreg_at(c, r)->imm = imm;
    }
    return r;
}

mreg new_reg(struct target_compiler *c, uint8_t type)
{
    return vreg_new(c, type_is_xmm(type), type_size(type));
}

/* Through what costs nothing: a zero-extended i32 is the same register. */
static ir_ref transparent(struct target_compiler *c, ir_ref ref)
{
    while (ins_at(c, ref)->op == IR_ZEXT || ins_at(c, ref)->op == IR_COPY)
        ref = ins_at(c, ref)->a;
    return ref;
}

bool vector_bits(struct target_compiler *c, ir_ref ref, uint64_t bits[2])
{
    const struct ir_ins *ins = ins_at(c, ref);
    if (ins->op == IR_CONST && ins->type == IR_V128) {
        bits[0] = ins->imm;
        bits[1] = ins->imm2;
        return true;
    }
    if (ins->op != IR_SIMD1 || ins->aux < SIMD_I8X16_SPLAT || ins->aux > SIMD_F64X2_SPLAT ||
        !is_const(c, ins->a))
        return false;
    uint64_t lane = ins_at(c, ins->a)->imm;
    switch (ins->aux) {
    case SIMD_I8X16_SPLAT: lane = (lane & 0xff) * 0x0101010101010101; break;
    case SIMD_I16X8_SPLAT: lane = (lane & 0xffff) * 0x0001000100010001; break;
    case SIMD_I32X4_SPLAT:
    case SIMD_F32X4_SPLAT: lane = (lane & UINT32_MAX) * 0x100000001; break;
    default: break;
    }
    bits[0] = bits[1] = lane;
    return true;
}

static inline bool constant_bits(struct target_compiler *c, ir_ref ref, uint64_t *bits)
{
    const struct ir_ins *ins = ins_at(c, ref);
    *bits = 0;
    if (ins->op == IR_CONST && ins->type != IR_V128) {
        *bits = type_size(ins->type) == 4 ? (uint32_t)ins->imm : ins->imm;
        return true;
    }
    return ins->op == IR_REF_NULL;
}

mreg value_new(struct target_compiler *c, ir_ref ref)
{
    ref = transparent(c, ref);
    if (c->values.data[ref])
        return c->values.data[ref];
    const struct ir_ins *ins = ins_at(c, ref);
    uint64_t bits;
    if (constant_bits(c, ref, &bits)) {
        mreg to = new_reg(c, ins->type);
        struct mins *m = put(c, type_is_xmm(ins->type) ? M_FCONST : M_CONST);
        m->size = (uint8_t)type_size(ins->type);
        m->dst = to;
        m->imm = bits;
        return to;
    }
    uint64_t vector[2];
    if (ins->type == IR_V128 && vector_bits(c, ref, vector)) {
        mreg to = new_reg(c, IR_V128);
        struct mins *m = put(c, M_VCONST);
        m->size = 16;
        m->dst = to;
        m->imm = pool_add(c, 16, vector[0], vector[1]);
        return to;
    }
    mreg fresh = new_reg(c, ins->type);
    c->values.data[ref] = fresh;
    return fresh;
}

mreg value_arg(struct target_compiler *c, ir_ref ref)
{
    if (c->values.data[ref])
        return c->values.data[ref];
    ref = transparent(c, ref);
    uint8_t type = ins_at(c, ref)->type;
    uint64_t bits;
    if (constant_bits(c, ref, &bits))
        return vreg_const(c, type_is_xmm(type), type_size(type), bits);
    uint64_t vector[2];
    if (type == IR_V128 && vector_bits(c, ref, vector))
        return vreg_const(c, true, 16, pool_add(c, 16, vector[0], vector[1]));
    return value_reg(c, ref);
}

mreg result_reg(struct target_compiler *c, ir_ref ref)
{
    return c->values.data[ref];
}

bool can_fold_load(struct target_compiler *c, ir_ref ref, unsigned size)
{
    const struct ir_ins *ins = ins_at(c, ref);
    return ins->op == IR_LOAD && ir_access_bytes(ins->access) == size && can_fold(c, ref) &&
           c->counts.data[ref].behind == c->level;
}

uint32_t pool_add(struct target_compiler *c, unsigned size, uint64_t low, uint64_t high)
{
    uint32_t n = c->pool.count;
    for (uint32_t i = n > 32 ? n - 32 : 0; i < n; i++) {
        struct pool_entry *e = &c->pool.data[i];
        if (e->size == size && e->low == low && e->high == high)
            return i;
    }
    struct pool_entry entry = {.low = low, .high = high, .size = (uint8_t)size};
    return vec_push(c, c->pool, entry) ? n : 0;
}

static struct operand fold_load(struct target_compiler *c, ir_ref ref)
{
    struct operand o = {.form = B_MEM, .pos = ins_at(c, ref)->pos};
    o.mem = address_of(c, ins_at(c, ref));
    c->folded.data[ref >> 5] |= 1u << (ref & 31);
    return o;
}

struct operand operand_of(struct target_compiler *c, ir_ref ref, unsigned size)
{
    uint64_t bits;
    if (constant_bits(c, ref, &bits)) {
        int64_t value = size == 4 ? (int32_t)bits : (int64_t)bits;
        if (value == (int32_t)value)
            return (struct operand){.form = B_IMM, .imm = (uint64_t)value};
        return (struct operand){.form = B_POOL, .imm = pool_add(c, 8, bits, 0)};
    }
    if (can_fold_load(c, ref, size))
        return fold_load(c, ref);
    return (struct operand){.form = B_REG, .reg = value_reg(c, ref)};
}

struct operand operand_xmm(struct target_compiler *c, ir_ref ref, unsigned size)
{
    const struct ir_ins *ins = ins_at(c, ref);
    uint64_t vector[2];
    if (vector_bits(c, ref, vector))
        return (struct operand){.form = B_POOL, .imm = pool_add(c, 16, vector[0], vector[1])};
    if (ins->op == IR_CONST && ins->imm)
        return (struct operand){
            .form = B_POOL, .imm = pool_add(c, size, size == 4 ? (uint32_t)ins->imm : ins->imm, 0)};
    /* Legacy instructions want 16 bytes aligned. */
    if ((size < 16 || c->cpu.avx) && can_fold_load(c, ref, size))
        return fold_load(c, ref);
    return (struct operand){.form = B_REG, .reg = value_reg(c, ref)};
}

void apply_operand(struct mins *m, const struct operand *o)
{
    m->form = o->form;
    switch (o->form) {
    case B_REG: m->b = o->reg; break;
    case B_MEM:
        m->base = o->mem.base;
        m->index = o->mem.index;
        m->scale = o->mem.scale;
        m->disp = o->mem.disp;
        m->flags |= o->mem.flags;
        m->pos = o->pos;
        break;
    default: m->imm = o->imm; break;
    }
}

/* The bases of memories that are accessed. */
static bool note_bases(struct target_compiler *c)
{
    const struct ir_func *f = c->f;
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            const struct ir_ins *ins = &f->ins[r];
            bool access = ins->op == IR_LOAD || ins->op == IR_STORE ||
                          (ins->op >= IR_ATOMIC_LOAD && ins->op <= IR_ATOMIC_CMPXCHG);
            if (access && ins->aux && !bases_note(c, ins->aux, ins->block))
                return false;
        }
    return true;
}

/* Room for the stack arguments of the largest tail call. */
static void look_at_ends(struct target_compiler *c)
{
    const struct ir_func *f = c->f;
    for (uint32_t i = 0; i < f->order_count; i++) {
        const struct ir_ins *end = &f->ins[f->blocks[f->order[i]].last];
        if ((end->op == IR_TAIL_CALL || end->op == IR_TAIL_CALL_INDIRECT) &&
            tail_call_bytes(c, end) > c->incoming)
            c->incoming = tail_call_bytes(c, end);
    }
}

/* What has to be known of all before any is selected. */
static bool look_at_all(struct target_compiler *c)
{
    struct ir_func *f = c->f;
    uint32_t n = f->ins_count, words = n / 32 + 1;
    if (!vec_reserve(c, c->values, n) || !vec_reserve(c, c->counts, n) ||
        !vec_reserve(c, c->bounds, n) || !vec_reserve(c, c->folded, words) ||
        !ir_count_uses(f, c->counts.data))
        return false;
    ir_ranges(f, c->bounds.data);
    memset(c->values.data, 0, n * sizeof *c->values.data);
    memset(c->folded.data, 0, words * sizeof *c->folded.data);
    look_at_ends(c);
    return f->module->memory_count < 2 || note_bases(c);
}

/* Phis and their operands are needed from the start: a loop's phi may stand before its operand.
 * Predecessors of a block with phis lead nowhere else, so each has the operands for its way. */
static bool select_phis(struct target_compiler *c)
{
    struct ir_func *f = c->f;
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        struct mblock *block = &c->blocks.data[c->place.data[b]];
        uint32_t count = 0, preds = f->blocks[b].pred_count, first = c->args.count;
        block->own = c->targets.count;
        for (ir_ref r = f->blocks[b].first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next)
            count++;
        if (!count)
            continue;
        uint64_t args = (uint64_t)count * preds;
        if (!vec_reserve(c, c->targets, (uint64_t)c->targets.count + count) ||
            !vec_reserve(c, c->args, first + args))
            return false;
        ir_ref r = f->blocks[b].first;
        for (uint32_t k = 0; k < count; k++, r = f->ins[r].next) {
            mreg phi = c->targets.data[c->targets.count++] = value_reg(c, r);
            const ir_ref *operands = f->pool + f->ins[r].list;
            for (uint32_t p = 0; p < preds; p++)
                c->args.data[first + p * count + k] = (struct marg){value_arg(c, operands[p]), phi};
        }
        c->args.count += (uint32_t)args;
        block->own_count = count;
        for (uint32_t p = 0; p < preds; p++) {
            struct mblock *from = &c->blocks.data[c->place.data[ir_preds(f, b)[p]]];
            from->phis = first + p * count;
            from->phi_count = count;
        }
    }
    return true;
}

static void select_ins(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    unsigned flags = ir_flags[ins->op];
    bool needed = c->values.data[ref] != 0;
    if (!needed && (flags & IR_P || flags == IR_R)) /* a load may trap */
        return;
    switch (ins->op) {
    case IR_NOP:
    case IR_PHI:
    case IR_PARAM:
    case IR_CONST:
    case IR_REF_NULL:
    case IR_ZEXT:
    case IR_COPY: return;
    case IR_RESULT: /* those of a call are chained from it */
        ins_at(c, ref)->mark = ins_at(c, ins->a)->mark;
        ins_at(c, ins->a)->mark = ref;
        return;
    case IR_LOAD:
        if (!needed && c->folded.data[ref >> 5] >> (ref & 31) & 1)
            return;
        select_memory(c, ref);
        return;
    case IR_STORE:
    case IR_MEMORY_SIZE:
    case IR_GLOBAL_GET:
    case IR_GLOBAL_SET: select_memory(c, ref); return;
    case IR_ATOMIC_LOAD:
    case IR_ATOMIC_STORE:
    case IR_ATOMIC_RMW:
    case IR_ATOMIC_CMPXCHG:
    case IR_FENCE: select_atomic(c, ref); return;
    case IR_EXCEPTION:
    case IR_EXCEPTION_CLEAR:
    case IR_EXCEPTION_TAG:
    case IR_EXCEPTION_GET:
    case IR_EXCEPTION_SET:
    case IR_TAG: select_exception(c, ref); return;
    case IR_CALL:
    case IR_CALL_INDIRECT:
    case IR_CALL_HELPER:
    case IR_TAIL_CALL:
    case IR_TAIL_CALL_INDIRECT: select_call(c, ref); return;
    case IR_JUMP:
    case IR_BRANCH:
    case IR_SWITCH:
    case IR_RETURN:
    case IR_TRAP: select_end(c, ref); return;
    case IR_EQZ:
    case IR_EQ:
    case IR_NE:
    case IR_LT_S:
    case IR_LT_U:
    case IR_GT_S:
    case IR_GT_U:
    case IR_LE_S:
    case IR_LE_U:
    case IR_GE_S:
    case IR_GE_U:
    case IR_FEQ:
    case IR_FNE:
    case IR_FLT:
    case IR_FGT:
    case IR_FLE:
    case IR_FGE:
    case IR_REF_IS_NULL:
    case IR_SELECT: select_compare(c, ref); return;
    case IR_FADD:
    case IR_FSUB:
    case IR_FMUL:
    case IR_FDIV:
    case IR_FMIN:
    case IR_FMAX:
    case IR_FCOPYSIGN:
    case IR_FABS:
    case IR_FNEG:
    case IR_FSQRT:
    case IR_FCEIL:
    case IR_FFLOOR:
    case IR_FTRUNC:
    case IR_FNEAREST:
    case IR_TRUNC_S:
    case IR_TRUNC_U:
    case IR_TRUNC_SAT_S:
    case IR_TRUNC_SAT_U:
    case IR_CONVERT_S:
    case IR_CONVERT_U:
    case IR_PROMOTE:
    case IR_DEMOTE:
    case IR_BITCAST: select_float(c, ref); return;
    case IR_SIMD1:
    case IR_SIMD2:
    case IR_SIMD3: select_simd(c, ref); return;
    default: select_int(c, ref); return;
    }
}

static void reverse(struct mins *from, struct mins *to)
{
    for (; from < to; from++) {
        struct mins m = *from;
        *from = *--to;
        *to = m;
    }
}

/* What was put from START on is a group of its own: as everything will be turned around, it stands
 * backwards until then. */
static void end_group(struct target_compiler *c, uint32_t start)
{
    if (c->ins.count - start > 1)
        reverse(c->ins.data + start, c->ins.data + c->ins.count);
}

static void select_block(struct target_compiler *c, uint32_t b)
{
    struct ir_func *f = c->f;
    struct mblock *block = &c->blocks.data[b];
    c->block = block->ir;
    block->first = c->ins.count;
    c->current = b;
    const struct ir_ins *ins;
    for (ir_ref r = f->blocks[block->ir].last; r && !c->failed; r = ins->prev) {
        ins = &f->ins[r];
        c->pos = ins->pos;
        c->level = c->counts.data[r].behind;
        uint32_t start = c->ins.count;
        select_ins(c, r);
        end_group(c, start);
    }
    uint32_t start = c->ins.count;
    if (c->bases.count)
        bases_load(c, block->ir);
    end_group(c, start);
    if (block->ir == 0) {
        start = c->ins.count;
        c->pos = 0;
        select_params(c);
        end_group(c, start);
    }
    block->end = c->ins.count;
}

/* Blocks, and the instructions of each, stand from the last to the first. */
static void into_order(struct target_compiler *c)
{
    uint32_t n = c->ins.count;
    reverse(c->ins.data, c->ins.data + n);
    for (uint32_t b = 0; b < c->blocks.count; b++) {
        struct mblock *block = &c->blocks.data[b];
        uint32_t first = block->first;
        block->first = n - block->end;
        block->end = n - first;
    }
}

bool select_function(struct target_compiler *c)
{
    c->ins.count = c->args.count = c->vregs.count = 0;
    c->pool.count = 0;
    c->outgoing = c->pushed = 0;
    c->calls = c->catches = false;
    c->bases.count = 0;
    uint32_t own = c->incoming = abi_param_bytes(c->f->signature);
    if (!layout_blocks(c) || !look_at_all(c))
        return false;
    c->shift = c->incoming - own;
    /* Most need as many; growing something large costs its double for a while. */
    if (!vec_reserve(c, c->ins, c->f->ins_count) || !vec_reserve(c, c->vregs, c->f->ins_count / 2))
        return false;
    vreg_new(c, false, 8); /* stands in when memory is short */
    bases_place(c);
    if (!select_phis(c))
        return false;
    for (uint32_t b = c->blocks.count; b-- > 0 && !c->failed;)
        select_block(c, b);
    if (c->failed)
        return false;
    into_order(c);
    return true;
}
