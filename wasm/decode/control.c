/* Control instructions: blocks, branches, calls. They shape the control flow graph.
 *
 * A label gets a block only when something branches to it. The values a branch carries are
 * variables too, namely the stack slots they will stand in, so that merging them is the same work
 * as merging locals. Such a slot is written right before a jump and read right after it, never
 * further away. */
#include "decode/body.h"
#include "host.h"
#include "limits.h"

#include <string.h>

bool body_push_control(struct body_decoder *d, enum control_kind kind, const uint8_t *params,
                       uint32_t param_count, const uint8_t *results, uint32_t result_count)
{
    if (d->control_count >= WASM_MAX_NESTING)
        return body_fail(d, WASM_ERR_LIMIT, "blocks nested deeper than %u", WASM_MAX_NESTING);
    if (d->control_count == d->control_capacity) {
        uint32_t capacity = d->control_capacity ? d->control_capacity * 2 : 32;
        struct control *bigger = wasm_host_realloc(d->controls, capacity * sizeof *d->controls);
        if (!bigger)
            return body_nomem(d);
        d->controls = bigger;
        d->control_capacity = capacity;
    }
    d->top = &d->controls[d->control_count++];
    *d->top = (struct control){
        .params = params,
        .results = results,
        .param_count = param_count,
        .result_count = result_count,
        .height = d->operand_count - param_count,
        .before = d->block,
        .written = ssa_enter(&d->ssa),
        .label = IR_NONE,
        .other = IR_NONE,
        .handler = IR_NONE,
        .protector = d->protector,
        .offset = d->offset,
        .kind = (uint8_t)kind,
    };
    return true;
}

bool body_read_block_type(struct body_decoder *d, const uint8_t **params, uint32_t *param_count,
                          const uint8_t **results, uint32_t *result_count)
{
    struct reader *r = &d->r;
    int64_t index;
    *param_count = *result_count = 0;
    *params = *results = NULL;
    if (r->p == r->end)
        return read_end(r);
    if (*r->p == 0x40) {
        r->p++;
        return true;
    }
    if (*r->p > 0x40 && *r->p < 0x80) {
        uint8_t type;
        *results = r->p; /* the module's bytes live as long as the decoder */
        *result_count = 1;
        return read_value_type(r, &type);
    }
    uint32_t offset = reader_offset(r);
    if (!read_s33(r, &index))
        return false;
    if (index < 0)
        return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "malformed block type");
    if (index >= d->info->type_count)
        return reader_fail_at(r, WASM_ERR_INVALID, offset, "unknown type %lld", (long long)index);
    const struct module_type *type = &d->info->types[index];
    *params = type->params;
    *param_count = type->param_count;
    *results = type->results;
    *result_count = type->result_count;
    return true;
}

/* The top COUNT operands become the variables of the slots from HEIGHT on, as seen from BLOCK. */
static void write_slots(struct body_decoder *d, ir_block_ref block, uint32_t height, uint32_t count)
{
    ssa_step(&d->ssa, count);
    for (uint32_t i = 0; i < count; i++)
        ssa_write(&d->ssa, d->local_count + height + i, block,
                  d->operands[d->operand_count - count + i].value);
}

/* The operands from HEIGHT on become what BLOCK finds in their slots: the stack is cut there and
 * TYPES are pushed. While nothing is live the values are 0. */
static bool read_slots(struct body_decoder *d, uint32_t height, const uint8_t *types,
                       uint32_t count)
{
    ssa_step(&d->ssa, count);
    d->operand_count = height;
    for (uint32_t i = 0; i < count; i++) {
        ir_ref value = 0;
        if (d->live) {
            if (d->operand_count == d->operand_capacity && !body_grow_operands(d, 1))
                return false;
            value = ssa_read(&d->ssa, d->local_count + height + i, ir_type_of(types[i]), d->block);
        }
        if (!body_push(d, types[i], value))
            return false;
    }
    return true;
}

/* RETURN with the function's results from the top of the stack, at the end of BLOCK. */
static void emit_return(struct body_decoder *d, ir_block_ref block)
{
    struct ir_func *f = d->f;
    uint32_t count = d->controls[0].result_count;
    uint32_t list = ir_list_new(f, count);
    ir_ref ret = ir_append(f, block, IR_RETURN, IR_VOID);
    if (f->failed)
        return;
    f->ins[ret].pos = d->offset;
    f->ins[ret].list = list;
    f->ins[ret].count = count;
    for (uint32_t i = 0; i < count; i++)
        f->pool[list + i] = d->operands[d->operand_count - count + i].value;
}

const uint8_t *body_label_types(const struct control *c)
{
    return c->kind == CONTROL_LOOP ? c->params : c->results;
}

static ir_block_ref label_block(struct body_decoder *d, struct control *c)
{
    if (c->label == IR_NONE)
        c->label = ssa_block_new(&d->ssa);
    return c->label;
}

void body_jump_to_label(struct body_decoder *d, struct control *c, ir_block_ref block)
{
    if (c->kind == CONTROL_FUNC) {
        emit_return(d, block);
        return;
    }
    ir_block_ref label = label_block(d, c);
    write_slots(d, block, c->height, body_label_count(c));
    ssa_jump(&d->ssa, block, label);
}

void body_set_unreachable(struct body_decoder *d)
{
    struct control *top = body_top(d);
    d->operand_count = top->height;
    top->unreachable = true;
    d->live = false;
}

bool body_read_label(struct body_decoder *d, struct control **label)
{
    uint32_t depth;
    if (!read_u32(&d->r, &depth))
        return false;
    if (depth >= d->control_count)
        return body_fail(d, WASM_ERR_INVALID, "unknown label %u", depth);
    *label = &d->controls[d->control_count - 1 - depth];
    return true;
}

bool op_unreachable(struct body_decoder *d)
{
    if (d->live) {
        ir_ref trap = body_emit(d, IR_TRAP, IR_VOID);
        d->f->ins[trap].aux = WASM_TRAP_UNREACHABLE;
    }
    body_set_unreachable(d);
    return true;
}

bool op_nop(struct body_decoder *d)
{
    (void)d;
    return true;
}

bool op_block(struct body_decoder *d)
{
    const uint8_t *params, *results;
    uint32_t param_count, result_count;
    return body_read_block_type(d, &params, &param_count, &results, &result_count) &&
           body_check_top(d, params, param_count) &&
           body_push_control(d, CONTROL_BLOCK, params, param_count, results, result_count);
}

bool op_loop(struct body_decoder *d)
{
    const uint8_t *params, *results;
    uint32_t param_count, result_count;
    if (!body_read_block_type(d, &params, &param_count, &results, &result_count) ||
        !body_check_top(d, params, param_count) ||
        !body_push_control(d, CONTROL_LOOP, params, param_count, results, result_count))
        return false;
    if (!d->live)
        return true;
    struct control *c = body_top(d);
    c->label = ssa_header_new(&d->ssa);
    body_jump_to_label(d, c, d->block);
    d->block = c->label;
    return read_slots(d, c->height, params, param_count);
}

bool op_if(struct body_decoder *d)
{
    const uint8_t *params, *results;
    uint32_t param_count, result_count;
    ir_ref condition;
    if (!body_read_block_type(d, &params, &param_count, &results, &result_count) ||
        !body_pop(d, WASM_I32, &condition) || !body_check_top(d, params, param_count) ||
        !body_push_control(d, CONTROL_IF, params, param_count, results, result_count))
        return false;
    if (!d->live)
        return true;
    struct control *c = body_top(d);
    write_slots(d, d->block, c->height, param_count); /* for the other part to find */
    ir_block_ref then = ssa_block_new(&d->ssa);
    c->other = ssa_block_new(&d->ssa);
    ir_ref branch = ssa_branch(&d->ssa, d->block, condition, then, c->other);
    d->f->ins[branch].pos = d->offset;
    d->block = then;
    return true;
}

bool body_finish_part(struct body_decoder *d)
{
    struct control *top = body_top(d);
    if (!body_check_top(d, top->results, top->result_count))
        return false;
    if (d->operand_count - top->height != top->result_count)
        return body_fail(d, WASM_ERR_INVALID,
                         "type mismatch: %u values instead of %u at the end of the %s at 0x%x",
                         d->operand_count - top->height, top->result_count,
                         top->kind == CONTROL_FUNC ? "function" : "block", top->offset);
    return true;
}

/* From the end of the first part of an `if` to the start of the other. */
static bool start_other(struct body_decoder *d)
{
    struct control *top = body_top(d);
    if (d->live)
        body_jump_to_label(d, top, d->block);
    d->live = top->other != IR_NONE;
    if (d->live)
        d->block = top->other;
    top->kind = CONTROL_ELSE;
    top->unreachable = false;
    return read_slots(d, top->height, top->params, top->param_count);
}

bool op_else(struct body_decoder *d)
{
    if (body_top(d)->kind != CONTROL_IF)
        return body_fail(d, WASM_ERR_MALFORMED, "else without if");
    return body_finish_part(d) && start_other(d);
}

bool body_end_block(struct body_decoder *d)
{
    struct control *top = body_top(d);
    switch (top->kind) {
    case CONTROL_FUNC:
        if (d->live)
            emit_return(d, d->block);
        d->live = false;
        break;
    case CONTROL_LOOP:
        if (top->label != IR_NONE)
            ssa_seal(&d->ssa, top->label);
        break;
    default:
        if (top->label == IR_NONE)
            break; /* nothing branched here: the block goes on */
        if (d->live)
            body_jump_to_label(d, top, d->block);
        d->live = true;
        d->block = top->label;
        ssa_join(&d->ssa, top->label, top->before);
        if (!read_slots(d, top->height, top->results, top->result_count))
            return false;
        break;
    }
    ssa_leave(&d->ssa, top->written);
    if (--d->control_count)
        d->top--;
    return true;
}

bool op_end(struct body_decoder *d)
{
    struct control *top = body_top(d);
    if (!body_finish_part(d))
        return false;
    if (top->kind == CONTROL_IF) {
        /* Without an else, the parameters are the results. */
        if (top->param_count != top->result_count ||
            (top->param_count && memcmp(top->params, top->results, top->param_count) != 0))
            return body_fail(d, WASM_ERR_INVALID,
                             "type mismatch: the if at 0x%x changes types, but has no else",
                             top->offset);
        if (top->other != IR_NONE && !start_other(d))
            return false;
    }
    return exceptions_end(d) && body_end_block(d);
}

bool op_br(struct body_decoder *d)
{
    struct control *label;
    if (!body_read_label(d, &label) ||
        !body_check_top(d, body_label_types(label), body_label_count(label)))
        return false;
    if (d->live)
        body_jump_to_label(d, label, d->block);
    body_set_unreachable(d);
    return true;
}

bool op_br_if(struct body_decoder *d)
{
    struct control *label;
    ir_ref condition;
    if (!body_read_label(d, &label) || !body_pop(d, WASM_I32, &condition) ||
        !body_check_top(d, body_label_types(label), body_label_count(label)))
        return false;
    if (!d->live)
        return true;
    ir_block_ref next, target;
    if (label->kind == CONTROL_FUNC) {
        target = ssa_block_new(&d->ssa);
        emit_return(d, target);
    } else {
        target = label_block(d, label);
        write_slots(d, d->block, label->height, body_label_count(label));
    }
    next = ssa_block_new(&d->ssa);
    ir_ref branch = ssa_branch(&d->ssa, d->block, condition, target, next);
    d->f->ins[branch].pos = d->offset;
    d->block = next;
    return true;
}

/* The block a br_table leads to for label C. Labels may want the values in different slots, so what
 * carries values gets a block of its own on the way; it serves all entries for this label. */
static ir_block_ref table_target(struct body_decoder *d, struct control *c)
{
    if (c->table_seen == d->tables_seen)
        return c->table_edge;
    c->table_seen = d->tables_seen;
    if (c->kind == CONTROL_FUNC || body_label_count(c)) {
        c->table_edge = ssa_block_new(&d->ssa);
        body_jump_to_label(d, c, c->table_edge);
    } else {
        c->table_edge = label_block(d, c);
    }
    ssa_pred_add(&d->ssa, c->table_edge, d->block);
    return c->table_edge;
}

bool op_br_table(struct body_decoder *d)
{
    uint32_t count;
    ir_ref index;
    if (!read_u32(&d->r, &count))
        return false;
    if (count >= reader_left(&d->r))
        return body_fail(d, WASM_ERR_MALFORMED,
                         "unexpected end of section or function: br_table of %u labels", count);
    if (count > WASM_MAX_BR_TABLE)
        return body_fail(d, WASM_ERR_LIMIT, "br_table of more than %u labels", WASM_MAX_BR_TABLE);
    if (!body_pop(d, WASM_I32, &index))
        return false;
    d->tables_seen++;
    ir_ref ins = 0;
    if (d->live) {
        ins = ir_switch(d->f, d->block, index, count + 1);
        d->f->ins[ins].pos = d->offset;
    }
    uint32_t arity = 0;
    for (uint32_t i = 0; i <= count; i++) {
        struct control *label;
        if (!body_read_label(d, &label))
            return false;
        if (i == 0)
            arity = body_label_count(label);
        if (body_label_count(label) != arity)
            return body_fail(d, WASM_ERR_INVALID,
                             "type mismatch: br_table labels take %u and %u values", arity,
                             body_label_count(label));
        /* In unreachable code each label may see another type in what is missing, so the stack is
         * looked at, not changed. */
        bool seen = label->table_seen == d->tables_seen;
        if (!seen && !body_match_top(d, body_label_types(label), arity))
            return false;
        if (!d->live) {
            label->table_seen = d->tables_seen;
            continue;
        }
        ir_block_ref target = table_target(d, label);
        if (d->f->failed)
            return body_nomem(d);
        d->f->pool[d->f->blocks[d->block].succs + i] = target;
    }
    body_set_unreachable(d);
    return true;
}

bool op_return(struct body_decoder *d)
{
    const struct control *func = &d->controls[0];
    if (!body_check_top(d, func->results, func->result_count))
        return false;
    if (d->live)
        emit_return(d, d->block);
    body_set_unreachable(d);
    return true;
}

/* Pops the arguments and builds the call at the end of the block, results not yet pushed. */
static bool build_call(struct body_decoder *d, enum ir_op op, const struct module_type *type,
                       uint32_t aux, ir_ref element, uint32_t table, ir_ref *call)
{
    struct ir_func *f = d->f;
    *call = 0;
    if (!body_check_top(d, type->params, type->param_count))
        return false;
    d->operand_count -= type->param_count;
    if (!d->live)
        return true;
    bool ends = ir_flags[op] & IR_E;
    uint32_t list = ir_list_new(f, type->param_count);
    *call = body_emit(d, op, type->result_count && !ends ? ir_type_of(type->results[0]) : IR_VOID);
    if (f->failed)
        return body_nomem(d);
    struct ir_ins *ins = ir_at(f, *call);
    ins->aux = aux;
    ins->a = element;
    ins->list = list;
    ins->count = type->param_count;
    if (op == IR_CALL_INDIRECT || op == IR_TAIL_CALL_INDIRECT)
        ins->table = table;
    for (uint32_t i = 0; i < type->param_count; i++)
        f->pool[list + i] = d->operands[d->operand_count + i].value;
    return true;
}

static bool call(struct body_decoder *d, enum ir_op op, const struct module_type *type,
                 uint32_t aux, ir_ref element, uint32_t table)
{
    ir_ref ins;
    ssa_step(&d->ssa, 16 * (uint64_t)type->result_count);
    if (!build_call(d, op, type, aux, element, table, &ins))
        return false;
    for (uint32_t i = 0; i < type->result_count; i++) {
        ir_ref result = ins;
        if (d->live && i) {
            result = body_emit(d, IR_RESULT, ir_type_of(type->results[i]));
            d->f->ins[result].a = ins;
            d->f->ins[result].aux = i;
        }
        if (!body_push(d, type->results[i], result))
            return false;
    }
    return body_may_throw(d, ins);
}

/* Ends the block: the callee's results are the function's. */
static bool tail_call(struct body_decoder *d, enum ir_op op, const struct module_type *type,
                      uint32_t aux, ir_ref element, uint32_t table)
{
    const struct control *func = &d->controls[0];
    ir_ref ins;
    if (type->result_count != func->result_count ||
        (type->result_count && memcmp(type->results, func->results, type->result_count) != 0))
        return body_fail(d, WASM_ERR_INVALID, "type mismatch: %s of a function with other results",
                         d->op->name);
    if (!build_call(d, op, type, aux, element, table, &ins))
        return false;
    body_set_unreachable(d);
    return true;
}

static bool read_callee(struct body_decoder *d, uint32_t *index, const struct module_type **type)
{
    if (!read_u32(&d->r, index))
        return false;
    if (*index >= d->info->func_count)
        return body_fail(d, WASM_ERR_INVALID, "unknown function %u", *index);
    *type = &d->info->types[d->info->func_types[*index]];
    return true;
}

/* The immediates of an indirect call, and its element from the stack. */
static bool read_indirect(struct body_decoder *d, uint32_t *type, uint32_t *table, ir_ref *element)
{
    if (!read_u32(&d->r, type) || !read_u32(&d->r, table))
        return false;
    if (*table >= d->info->table_count)
        return body_fail(d, WASM_ERR_INVALID, "unknown table %u", *table);
    if (d->info->tables[*table].type != WASM_FUNCREF)
        return body_fail(d, WASM_ERR_INVALID, "type mismatch: %s in a table of %s", d->op->name,
                         wasm_type_name(d->info->tables[*table].type));
    if (*type >= d->info->type_count)
        return body_fail(d, WASM_ERR_INVALID, "unknown type %u", *type);
    return body_pop(d, WASM_I32, element);
}

bool op_call(struct body_decoder *d)
{
    uint32_t index;
    const struct module_type *type = NULL;
    return read_callee(d, &index, &type) && call(d, IR_CALL, type, index, 0, 0);
}

bool op_call_indirect(struct body_decoder *d)
{
    uint32_t type, table;
    ir_ref element;
    return read_indirect(d, &type, &table, &element) &&
           call(d, IR_CALL_INDIRECT, &d->info->types[type], type, element, table);
}

bool op_return_call(struct body_decoder *d)
{
    uint32_t index;
    const struct module_type *type = NULL;
    return body_need_feature(d, WASM_FEATURE_TAIL_CALLS) && read_callee(d, &index, &type) &&
           tail_call(d, IR_TAIL_CALL, type, index, 0, 0);
}

bool op_return_call_indirect(struct body_decoder *d)
{
    uint32_t type, table;
    ir_ref element;
    return body_need_feature(d, WASM_FEATURE_TAIL_CALLS) &&
           read_indirect(d, &type, &table, &element) &&
           tail_call(d, IR_TAIL_CALL_INDIRECT, &d->info->types[type], type, element, table);
}
