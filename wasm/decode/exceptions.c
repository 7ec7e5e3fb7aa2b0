/* Exceptions: try and its kin, in the older form (try, catch, delegate, rethrow) that compilers
 * emit and in that of WebAssembly 3.0 (try_table, throw_ref).
 *
 * Where something inside a try may throw, control may go on at the try's handler block: every such
 * call ends its block with a look at what is on its way (IR_EXCEPTION). The handler compares tags
 * one after another. What none of them catches goes on to the handler of the try outside, without a
 * detour, or is thrown on to the caller. */
#include "decode/body.h"
#include "host.h"
#include "limits.h"
#include "runtime/abi.h"

#include <string.h>

/* The clauses of the open try_tables, innermost last. */
enum clause_kind { CATCH, CATCH_REF, CATCH_ALL, CATCH_ALL_REF };

static struct control *protector(struct body_decoder *d)
{
    return d->protector == IR_NONE ? NULL : &d->controls[d->protector];
}

static ir_block_ref handler_of(struct body_decoder *d, struct control *c)
{
    if (c->handler == IR_NONE)
        c->handler = ssa_block_new(&d->ssa);
    return c->handler;
}

static void jump(struct body_decoder *d, ir_block_ref to)
{
    ssa_jump(&d->ssa, d->block, to);
}

/* Ends the block with a branch; OTHER becomes the block if CONDITION is 0. */
static ir_block_ref branch(struct body_decoder *d, ir_ref condition, ir_block_ref then,
                           ir_block_ref other)
{
    ir_ref ins = ssa_branch(&d->ssa, d->block, condition, then, other);
    d->f->ins[ins].pos = d->offset;
    return then;
}

bool body_may_throw(struct body_decoder *d, ir_ref call)
{
    struct control *c = protector(d);
    if (!d->live || !c)
        return true;
    d->f->ins[call].access = IR_CALL_CATCHES;
    ir_ref exception = body_emit(d, IR_EXCEPTION, IR_REF);
    ir_ref none = body_emit(d, IR_REF_IS_NULL, IR_I32);
    d->f->ins[none].a = exception;
    ir_block_ref handler = handler_of(d, c), next = ssa_block_new(&d->ssa);
    branch(d, none, next, handler);
    d->block = next;
    return true;
}

/* Ends the block by throwing EXCEPTION to whoever is outside of the try at PROTECTOR (none: the
 * caller). */
static bool throw_to(struct body_decoder *d, ir_ref exception, struct control *c)
{
    struct ir_func *f = d->f;
    uint32_t list = ir_list_new(f, 1);
    ir_ref call = body_emit(d, IR_CALL_HELPER, IR_VOID);
    if (f->failed)
        return body_nomem(d);
    f->ins[call].aux = WASM_HELPER_exception_throw;
    f->ins[call].list = list;
    f->ins[call].count = 1;
    f->pool[list] = exception;
    if (c) {
        f->ins[call].access = IR_CALL_CATCHES;
        jump(d, handler_of(d, c));
    } else {
        ir_ref end = body_emit(d, IR_TRAP, IR_VOID); /* never reached */
        f->ins[end].aux = WASM_TRAP_UNREACHABLE;
    }
    return true;
}

/* Ends the handler in progress: the exception, still on its way, goes to C's handler. */
static bool pass_on(struct body_decoder *d, ir_ref exception, struct control *c)
{
    if (!c)
        return throw_to(d, exception, NULL);
    jump(d, handler_of(d, c));
    return true;
}

static bool need_exceptions(struct body_decoder *d)
{
    return body_need_feature(d, WASM_FEATURE_EXCEPTIONS);
}

static bool read_tag(struct body_decoder *d, uint32_t *tag, const struct module_type **type)
{
    if (!read_u32(&d->r, tag))
        return false;
    if (*tag >= d->info->tag_count)
        return body_fail(d, WASM_ERR_INVALID, "unknown tag %u: %s", *tag, d->op->name);
    *type = &d->info->types[d->info->tag_types[*tag]];
    return true;
}

static bool push_try(struct body_decoder *d, enum control_kind kind, const uint8_t *params,
                     uint32_t param_count, const uint8_t *results, uint32_t result_count)
{
    if (!body_check_top(d, params, param_count) ||
        !body_push_control(d, kind, params, param_count, results, result_count))
        return false;
    d->protector = d->control_count - 1;
    return true;
}

bool op_try(struct body_decoder *d)
{
    const uint8_t *params, *results;
    uint32_t param_count, result_count;
    return need_exceptions(d) &&
           body_read_block_type(d, &params, &param_count, &results, &result_count) &&
           push_try(d, CONTROL_TRY, params, param_count, results, result_count);
}

bool op_throw(struct body_decoder *d)
{
    const struct module_type *type;
    uint32_t tag;
    if (!need_exceptions(d) || !read_tag(d, &tag, &type) ||
        !body_check_top(d, type->params, type->param_count))
        return false;
    d->operand_count -= type->param_count;
    if (d->live) {
        struct ir_func *f = d->f;
        uint32_t list = ir_list_new(f, 1);
        ir_ref number = body_emit(d, IR_CONST, IR_I32);
        f->ins[number].imm = tag;
        ir_ref exception = body_emit(d, IR_CALL_HELPER, IR_REF);
        if (f->failed)
            return body_nomem(d);
        f->ins[exception].aux = WASM_HELPER_exception_new;
        f->ins[exception].list = list;
        f->ins[exception].count = 1;
        f->pool[list] = number;
        for (uint32_t i = 0; i < type->param_count; i++) {
            ir_ref set = body_emit(d, IR_EXCEPTION_SET, IR_VOID);
            f->ins[set].a = exception;
            f->ins[set].b = d->operands[d->operand_count + i].value;
            f->ins[set].imm = i;
        }
        if (!throw_to(d, exception, protector(d)))
            return false;
    }
    body_set_unreachable(d);
    return true;
}

bool op_throw_ref(struct body_decoder *d)
{
    ir_ref exception;
    if (!need_exceptions(d) || !body_pop(d, WASM_EXNREF, &exception) ||
        (d->live && !throw_to(d, exception, protector(d))))
        return false;
    body_set_unreachable(d);
    return true;
}

bool op_rethrow(struct body_decoder *d)
{
    struct control *c;
    if (!need_exceptions(d) || !body_read_label(d, &c))
        return false;
    if (c->kind != CONTROL_CATCH && c->kind != CONTROL_CATCH_ALL)
        return body_fail(d, WASM_ERR_INVALID, "invalid rethrow label: not a catch");
    if (d->live && !throw_to(d, c->exception, protector(d)))
        return false;
    body_set_unreachable(d);
    return true;
}

/* From now on BLOCK is where an exception of C arrives. */
static void start_handler(struct body_decoder *d, struct control *c)
{
    d->live = c->handler != IR_NONE;
    if (!d->live)
        return;
    d->block = c->handler;
    d->f->blocks[d->block].flags |= IR_BLOCK_COLD;
    c->exception = body_emit(d, IR_EXCEPTION, IR_REF);
}

/* While live: BLOCK becomes one where the exception of C has TAG; answers that for others. */
static ir_block_ref test_tag(struct body_decoder *d, const struct control *c, uint32_t tag)
{
    struct ir_func *f = d->f;
    ir_ref found = body_emit(d, IR_EXCEPTION_TAG, IR_REF);
    f->ins[found].a = c->exception;
    ir_ref wanted = body_emit(d, IR_TAG, IR_REF);
    f->ins[wanted].aux = tag;
    ir_ref equal = body_emit(d, IR_EQ, IR_I32);
    f->ins[equal].a = found;
    f->ins[equal].b = wanted;
    ir_block_ref then = ssa_block_new(&d->ssa), other = ssa_block_new(&d->ssa);
    d->block = branch(d, equal, then, other);
    return other;
}

static bool push_payload(struct body_decoder *d, const struct control *c,
                         const struct module_type *type)
{
    for (uint32_t i = 0; i < type->param_count; i++) {
        ir_ref value = 0;
        if (d->live) {
            value = body_emit(d, IR_EXCEPTION_GET, ir_type_of(type->params[i]));
            d->f->ins[value].a = c->exception;
            d->f->ins[value].imm = i;
        }
        if (!body_push(d, type->params[i], value))
            return false;
    }
    return true;
}

/* Ends the part before a catch: the body of the try, or the catch before. */
static bool next_catch(struct body_decoder *d, enum control_kind kind)
{
    struct control *c = body_top(d);
    if (!need_exceptions(d))
        return false;
    if (c->kind != CONTROL_TRY && c->kind != CONTROL_CATCH)
        return body_fail(d, WASM_ERR_MALFORMED, "unexpected token: %s outside of a try",
                         d->op->name);
    if (!body_finish_part(d))
        return false;
    if (d->live)
        body_jump_to_label(d, c, d->block);
    d->operand_count = c->height;
    c->unreachable = false;
    if (c->kind == CONTROL_TRY) {
        d->protector = c->protector;
        start_handler(d, c);
    } else {
        d->live = c->other != IR_NONE;
        d->block = c->other;
        c->other = IR_NONE;
    }
    c->kind = (uint8_t)kind;
    return true;
}

bool op_catch(struct body_decoder *d)
{
    const struct module_type *type;
    uint32_t tag;
    if (!next_catch(d, CONTROL_CATCH) || !read_tag(d, &tag, &type))
        return false;
    struct control *c = body_top(d);
    if (d->live) {
        c->other = test_tag(d, c, tag);
        body_emit(d, IR_EXCEPTION_CLEAR, IR_VOID);
    }
    return push_payload(d, c, type);
}

bool op_catch_all(struct body_decoder *d)
{
    if (!next_catch(d, CONTROL_CATCH_ALL))
        return false;
    if (d->live)
        body_emit(d, IR_EXCEPTION_CLEAR, IR_VOID);
    return true;
}

/* Ends BLOCK, where exceptions arrive that C has no clause for. */
static bool leave_handler(struct body_decoder *d, struct control *c, uint32_t outer)
{
    return pass_on(d, c->exception, outer == IR_NONE ? NULL : &d->controls[outer]);
}

bool op_delegate(struct body_decoder *d)
{
    struct control *c = body_top(d), *target;
    uint32_t depth;
    if (!need_exceptions(d))
        return false;
    if (c->kind != CONTROL_TRY)
        return body_fail(d, WASM_ERR_MALFORMED, "unexpected token: delegate outside of a try");
    if (!body_finish_part(d) || !read_u32(&d->r, &depth))
        return false;
    /* Labels count from outside of the try. */
    if (depth >= d->control_count - 1)
        return body_fail(d, WASM_ERR_INVALID, "unknown label %u", depth);
    target = &d->controls[d->control_count - 2 - depth];
    bool catches = target->kind == CONTROL_TRY || target->kind == CONTROL_TRY_TABLE;
    uint32_t outer = catches ? (uint32_t)(target - d->controls) : target->protector;
    if (d->live)
        body_jump_to_label(d, c, d->block);
    d->protector = c->protector;
    start_handler(d, c);
    if (d->live && !leave_handler(d, c, outer))
        return false;
    d->live = false;
    return body_end_block(d);
}

bool op_try_table(struct body_decoder *d)
{
    const uint8_t *params, *results;
    uint32_t param_count, result_count, count, first = d->clause_count;
    if (!need_exceptions(d) ||
        !body_read_block_type(d, &params, &param_count, &results, &result_count) ||
        !read_u32(&d->r, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        static const struct module_type nothing;
        const struct module_type *type = &nothing;
        struct clause clause = {0};
        struct control *label;
        if (!read_u8(&d->r, &clause.kind))
            return false;
        if (clause.kind > CATCH_ALL_REF)
            return body_fail(d, WASM_ERR_MALFORMED, "malformed catch clause 0x%02x", clause.kind);
        bool takes_ref = clause.kind == CATCH_REF || clause.kind == CATCH_ALL_REF;
        if ((clause.kind <= CATCH_REF && !read_tag(d, &clause.tag, &type)) ||
            !body_read_label(d, &label))
            return false;
        const uint8_t *types = body_label_types(label);
        if (body_label_count(label) != type->param_count + takes_ref ||
            (type->param_count && memcmp(types, type->params, type->param_count) != 0) ||
            (takes_ref && types[type->param_count] != WASM_EXNREF))
            return body_fail(d, WASM_ERR_INVALID,
                             "type mismatch: catch clause %u does not fit its label", i);
        clause.label = (uint32_t)(label - d->controls);
        if (!body_clause_push(d, &clause))
            return false;
    }
    if (!push_try(d, CONTROL_TRY_TABLE, params, param_count, results, result_count))
        return false;
    body_top(d)->first_clause = first;
    return true;
}

/* The handler of the try_table C, whose clauses are the last ones. */
static bool emit_clauses(struct body_decoder *d, struct control *c)
{
    uint32_t count = d->clause_count, height = d->operand_count;
    start_handler(d, c);
    for (uint32_t i = c->first_clause; i < count && d->live; i++) {
        const struct clause *clause = &d->clauses[i];
        static const struct module_type nothing;
        const struct module_type *type = &nothing;
        ir_block_ref other = IR_NONE;
        if (clause->kind <= CATCH_REF) {
            type = &d->info->types[d->info->tag_types[clause->tag]];
            other = test_tag(d, c, clause->tag);
        }
        body_emit(d, IR_EXCEPTION_CLEAR, IR_VOID);
        ssa_step(&d->ssa, type->param_count);
        if (!push_payload(d, c, type))
            return false;
        if ((clause->kind == CATCH_REF || clause->kind == CATCH_ALL_REF) &&
            !body_push(d, WASM_EXNREF, c->exception))
            return false;
        body_jump_to_label(d, &d->controls[clause->label], d->block);
        d->operand_count = height;
        d->live = other != IR_NONE;
        d->block = other;
    }
    d->clause_count = c->first_clause;
    return !d->live || leave_handler(d, c, c->protector);
}

bool exceptions_end(struct body_decoder *d)
{
    struct control *c = body_top(d);
    if (c->kind < CONTROL_TRY)
        return true;
    /* What flows out of the last part waits at the label while the handler is completed. */
    if (d->live)
        body_jump_to_label(d, c, d->block);
    d->live = false;
    d->protector = c->protector;
    switch (c->kind) {
    case CONTROL_TRY_TABLE:
        if (!emit_clauses(d, c))
            return false;
        break;
    case CONTROL_TRY:
        start_handler(d, c);
        if (d->live && !leave_handler(d, c, c->protector))
            return false;
        break;
    case CONTROL_CATCH:
        d->block = c->other;
        if (c->other != IR_NONE && !leave_handler(d, c, c->protector))
            return false;
        break;
    default: break;
    }
    d->live = false;
    return true;
}
