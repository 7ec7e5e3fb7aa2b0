/* Selection of calls, parameters and the ends of blocks. */
#include "target/x86_64/select.h"

#include "runtime/abi.h"

#define OFFSET(type, field) ((uint32_t)offsetof(struct type, field))

static const struct ir_signature *callee_signature(struct target_compiler *c,
                                                   const struct ir_ins *ins)
{
    const struct ir_module *module = c->f->module;
    bool indirect = ins->op == IR_CALL_INDIRECT || ins->op == IR_TAIL_CALL_INDIRECT;
    return &module->types[indirect ? ins->aux : module->func_types[ins->aux]];
}

static void push_arg(struct target_compiler *c, ir_ref ref, uint32_t where)
{
    struct marg arg = {value_arg(c, ref), where};
    vec_push(c, c->args, arg);
}

static void call_catches(struct target_compiler *c, struct mins *m, const struct ir_ins *ins)
{
    if (ins->access == IR_CALL_CATCHES) {
        m->flags |= MI_CATCHES;
        c->catches = true;
    }
}

/* ref.func is an address in the instance. */
static bool select_ref_func(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    ir_ref index_ref = c->f->pool[ins->list];
    if (!is_const(c, index_ref))
        return false;
    uint32_t index = (uint32_t)ins_at(c, index_ref)->imm, imports = c->f->module->import_count;
    mreg to = result_or_dummy(c, ref);
    if (index < imports) {
        mreg base = put_pointer(c, R_R15, OFFSET(wasm_instance, imports));
        put_move(c, 8, to, put_pointer(c, base, index * 8));
        return true;
    }
    uint64_t offset = (uint64_t)(index - imports) * sizeof(struct wasm_func);
    if (offset > INT32_MAX)
        return false;
    struct amode mode = {.disp = (int32_t)offset};
    mode.base = put_pointer(c, R_R15, OFFSET(wasm_instance, funcs));
    struct mins *m = put_mem(c, M_LEA, &mode);
    m->size = 8;
    m->dst = to;
    return true;
}

/* Helpers take integers and references only. Results are 32 bits wide unless they are references.
 */
static void select_helper(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    if (ins->aux == WASM_HELPER_ref_func && select_ref_func(c, ref))
        return;
    struct abi_walk walk = {0, 0, 0};
    uint32_t list = c->args.count;
    for (uint32_t i = 0; i < ins->count; i++) {
        ir_ref arg = c->f->pool[ins->list + i];
        push_arg(c, arg, abi_param(&walk, ins_at(c, arg)->type));
    }
    c->calls = true;
    struct mins *m = put(c, M_CALL_HELPER);
    m->imm = ins->aux;
    m->list = list;
    m->count = (uint16_t)ins->count; /* at most 1000, by limits.h */
    call_catches(c, m, ins);
    mreg to = result_reg(c, ref);
    if (!to)
        return;
    if (type_is_xmm(ins->type)) {
        put_move(c, type_size(ins->type), to, R_XMM0);
    } else if (ins->type == IR_I32) { /* C leaves the upper half undefined */
        mreg raw = vreg_new(c, false, 8);
        put_move(c, 8, raw, R_RAX);
        m = put(c, M_MOVZX32);
        m->size = 4;
        m->dst = to;
        m->a = raw;
    } else {
        put_move(c, 8, to, R_RAX);
    }
}

/* Stack results stand at rsp: the callee has taken its stack arguments away. */
static void take_results(struct target_compiler *c, ir_ref call,
                         const struct ir_signature *signature)
{
    struct abi_walk walk = {0, 0, 0};
    for (uint32_t i = 0; i < signature->result_count; i++) {
        uint8_t type = signature->results[i];
        uint32_t where = abi_result(&walk, type);
        ir_ref users = i ? ins_at(c, call)->mark : call;
        /* Value numbering may have left several RESULTs of the same number. */
        for (; users; users = i ? ins_at(c, users)->mark : 0) {
            if (i && ins_at(c, users)->aux != i)
                continue;
            mreg to = result_reg(c, users);
            if (!to)
                continue;
            if (where < REG_COUNT) {
                put_move(c, type_size(type), to, where);
                continue;
            }
            put_load(c, type, to, R_RSP, (int32_t)(where - ARG_STACK));
        }
    }
}

static void push_args(struct target_compiler *c, const struct ir_ins *ins,
                      const struct ir_signature *signature)
{
    struct abi_walk walk = {0, 0, 0};
    for (uint32_t i = 0; i < ins->count; i++)
        push_arg(c, c->f->pool[ins->list + i], abi_param(&walk, signature->params[i]));
}

/* A tail call writes its stack arguments over our own: above the return address, which moves to
 * just below them. Those that may overlap partly (v128) are gathered elsewhere first. */
static void select_tail_call(struct target_compiler *c, const struct ir_signature *signature,
                             struct mins *m, uint32_t arg_bytes)
{
    bool vectors = false;
    for (uint32_t i = 0; i < signature->param_count; i++)
        vectors |= signature->params[i] == IR_V128;
    for (uint32_t i = 0; i < c->f->signature->param_count; i++)
        vectors |= c->f->signature->params[i] == IR_V128;
    m->flags |= MI_TAIL;
    if (vectors && arg_bytes) {
        m->flags |= MI_STAGED;
        return;
    }
    for (uint32_t k = 0; k < m->count; k++) {
        uint32_t *where = &c->args.data[m->list + k].where;
        if (*where >= ARG_STACK)
            *where += ARG_INCOMING - ARG_STACK + c->incoming - arg_bytes;
    }
}

void select_call(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    if (ins->op == IR_CALL_HELPER) {
        select_helper(c, ref);
        return;
    }
    const struct ir_signature *signature = callee_signature(c, ins);
    bool tail = ins->op == IR_TAIL_CALL || ins->op == IR_TAIL_CALL_INDIRECT;
    bool indirect = ins->op == IR_CALL_INDIRECT || ins->op == IR_TAIL_CALL_INDIRECT;
    uint32_t arg_bytes = abi_param_bytes(signature), result_bytes = abi_result_bytes(signature);
    if (indirect) {
        mreg element = value_reg(c, ins->list_a), temp = vreg_new(c, false, 8);
        struct mins *m = put(c, M_FUNC);
        m->size = 4;
        m->flags = tail ? MI_TAIL : 0;
        m->a = element;
        m->b = temp;
        m->imm = ins->aux;
        m->list = ins->table;
    }
    uint32_t list = c->args.count;
    push_args(c, ins, signature);
    if (c->failed)
        return;
    bool import = !indirect && ins->aux < c->f->module->import_count;
    struct mins *m = put(c, indirect ? M_CALL_RDI : import ? M_CALL_IMPORT : M_CALL);
    m->imm = ins->aux;
    m->list = list;
    m->count = (uint16_t)ins->count; /* at most 1000, by limits.h */
    m->disp = (int32_t)arg_bytes;
    if (import && signature->result_count == 1 && signature->results[0] == IR_I32)
        m->size = 4;
    if (arg_bytes > c->pushed)
        c->pushed = arg_bytes;
    if (tail) {
        select_tail_call(c, signature, m, arg_bytes);
        return;
    }
    call_catches(c, m, ins);
    c->calls = true;
    if (result_bytes > c->outgoing)
        c->outgoing = result_bytes;
    take_results(c, ref, signature);
}

uint32_t tail_call_bytes(struct target_compiler *c, const struct ir_ins *ins)
{
    return abi_param_bytes(callee_signature(c, ins));
}

void select_params(struct target_compiler *c)
{
    struct ir_func *f = c->f;
    uint32_t first = c->ins.count;
    bool incoming = false;
    for (ir_ref r = f->blocks[0].first; r; r = f->ins[r].next) {
        if (f->ins[r].op != IR_PARAM || !c->values.data[r])
            continue;
        struct abi_walk walk = {0, 0, 0};
        uint32_t where = 0;
        for (uint32_t i = 0; i <= f->ins[r].aux; i++)
            where = abi_param(&walk, f->signature->params[i]);
        mreg to = c->values.data[r];
        if (where >= ARG_STACK) {
            incoming = vreg_at(c, to)->incoming = true;
            vreg_at(c, to)->slot = (int32_t)(where - ARG_STACK);
        } else {
            put_move(c, type_size(f->ins[r].type), to, where);
        }
    }
    if (incoming && c->ins.count == first) /* room to load what the first instruction uses */
        put(c, M_NOP);
}

static void select_return(struct target_compiler *c, const struct ir_ins *ins)
{
    const struct ir_signature *signature = c->f->signature;
    struct abi_walk walk = {0, 0, 0};
    uint32_t list = c->args.count;
    for (uint32_t i = 0; i < ins->count; i++) {
        uint32_t where = abi_result(&walk, signature->results[i]);
        if (where >= ARG_STACK)
            where += ARG_INCOMING - ARG_STACK + c->incoming;
        push_arg(c, c->f->pool[ins->list + i], where);
    }
    struct mins *m = put(c, M_RET);
    m->list = list;
    m->count = (uint16_t)ins->count; /* at most 1000, by limits.h */
}

/* How many values of a switch lead elsewhere than its default; no more than MOST + 1 are counted.
 */
static uint32_t cases_of(const struct target_compiler *c, uint32_t most)
{
    const struct mblock *block = &c->blocks.data[c->current];
    const uint32_t *succs = &c->targets.data[block->succs];
    uint32_t last = block->succ_count - 1, count = 0;
    for (uint32_t k = 0; k < last && count <= most; k++)
        count += succs[k] != succs[last];
    return count;
}

/* Few values: they are compared with. Otherwise a table. Out of range: a branch to the default,
 * which is predicted well. The index is cut to the table's size, a power of two, as well, so that
 * no speculation reads beyond it. */
enum { COMPARED_CASES = 3 };
static void select_switch(struct target_compiler *c, const struct ir_ins *ins)
{
    uint32_t last = c->blocks.data[c->current].succ_count - 1;
    mreg index = value_reg(c, ins->a);
    struct mins *m;
    if (cases_of(c, COMPARED_CASES) <= COMPARED_CASES) {
        m = put(c, M_SWITCH);
        m->sub = SWITCH_COMPARE;
        m->a = index;
        return;
    }
    mreg temp = vreg_new(c, false, 8);
    mreg entry = vreg_new(c, false, 8);
    put_move(c, 4, entry, index);
    m = put(c, M_ALU);
    m->size = 4;
    m->sub = ALU_AND;
    m->dst = entry;
    m->form = B_IMM;
    m->imm = switch_entries(last + 1) - 1;
    bool known = c->bounds.data[ins->a].hi < last;
    if (!known) {
        m = put(c, M_CMP);
        m->size = 4;
        m->a = index;
        m->form = B_IMM;
        m->imm = last;
    }
    m = put(c, M_SWITCH);
    m->sub = known ? SWITCH_IN_RANGE : SWITCH_CHECKED;
    m->a = entry;
    m->b = temp;
}

void select_end(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    struct mins *m;
    switch (ins->op) {
    case IR_JUMP: put(c, M_JMP); return;
    case IR_BRANCH: {
        unsigned cc = condition_of(c, ins->a, true);
        put(c, M_JCC)->sub = (uint8_t)cc;
        return;
    }
    case IR_SWITCH: select_switch(c, ins); return;
    case IR_TRAP:
        m = put(c, M_TRAP);
        m->imm = ins->aux;
        return;
    default: select_return(c, ins); return;
    }
}
