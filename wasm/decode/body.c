/* Function bodies: locals, the loop over instructions, and those that move values: constants,
 * variables, arithmetic (which the table describes). */
#include "decode/body.h"
#include "host.h"
#include "limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool body_fail(struct body_decoder *d, enum wasm_error_kind kind, const char *format, ...)
{
    char message[sizeof d->r.err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return reader_fail_at(&d->r, kind, d->offset, "%s", message);
}

bool body_mismatch(struct body_decoder *d, uint8_t wanted, uint8_t found)
{
    const char *name = d->op ? d->op->name : "body";
    if (!found)
        return body_fail(d, WASM_ERR_INVALID,
                         "type mismatch: %s needs %s, but the stack of this block is empty", name,
                         wanted ? wasm_type_name(wanted) : "a value");
    return body_fail(d, WASM_ERR_INVALID, "type mismatch: %s needs %s, found %s", name,
                     wasm_type_name(wanted), wasm_type_name(found));
}

bool body_nomem(struct body_decoder *d)
{
    return body_fail(d, WASM_ERR_NOMEM, "out of memory");
}

/* Room for COUNT entries, by doubling. */
static bool grow(struct body_decoder *d, void *array, uint32_t *capacity, uint32_t count,
                 size_t size)
{
    if (count <= *capacity)
        return true;
    uint64_t fresh = *capacity ? *capacity : 64;
    while (fresh < count)
        fresh *= 2;
    void *old, *bigger;
    memcpy(&old, array, sizeof old);
    bigger = wasm_host_realloc(old, (size_t)fresh * size);
    if (!bigger)
        return body_nomem(d);
    memcpy(array, &bigger, sizeof bigger);
    *capacity = (uint32_t)fresh;
    return true;
}

bool body_grow_operands(struct body_decoder *d, uint32_t more)
{
    /* A slot of the stack is also a variable, above the locals. */
    uint32_t count = d->operand_count + more;
    if (count > WASM_MAX_OPERANDS)
        return body_fail(d, WASM_ERR_LIMIT, "operand stack higher than %u", WASM_MAX_OPERANDS);
    if (!grow(d, &d->operands, &d->operand_capacity, count, sizeof *d->operands))
        return false;
    if (d->operand_capacity > WASM_MAX_OPERANDS)
        d->operand_capacity = WASM_MAX_OPERANDS; /* so that whoever needs more comes here */
    return true;
}

bool body_need_feature(struct body_decoder *d, enum wasm_feature feature)
{
    return has_feature(d->info, feature) ||
           body_fail(d, WASM_ERR_MALFORMED, "illegal opcode: %s", d->op->name);
}

bool body_clause_push(struct body_decoder *d, const struct clause *clause)
{
    if (d->clause_count >= WASM_MAX_NESTING)
        return body_fail(d, WASM_ERR_LIMIT, "more than %u catch clauses open", WASM_MAX_NESTING);
    if (!grow(d, &d->clauses, &d->clause_capacity, d->clause_count + 1, sizeof *d->clauses))
        return false;
    d->clauses[d->clause_count++] = *clause;
    return true;
}

bool body_match_top(struct body_decoder *d, const uint8_t *types, uint32_t count)
{
    const struct control *top = body_top(d);
    uint32_t there = d->operand_count - top->height;
    uint32_t missing = there < count ? count - there : 0;
    if (missing && !top->unreachable)
        return body_mismatch(d, types[missing - 1], 0);
    for (uint32_t i = missing; i < count; i++) {
        uint8_t type = d->operands[d->operand_count - count + i].type;
        if (type != types[i] && type != TYPE_UNKNOWN)
            return body_mismatch(d, types[i], type);
    }
    return true;
}

bool body_check_types(struct body_decoder *d, const uint8_t *types, uint32_t count)
{
    if (!body_match_top(d, types, count))
        return false;
    const struct control *top = body_top(d);
    if (!top->unreachable)
        return true;
    uint32_t there = d->operand_count - top->height;
    if (there < count) {
        if (!body_grow_operands(d, count - there))
            return false;
        d->operand_count = top->height + count;
    }
    for (uint32_t i = 0; i < count; i++)
        d->operands[d->operand_count - count + i] = (struct operand){0, types[i]};
    return true;
}

/* In unreachable code, or on the way to an error. */
static __attribute__((noinline)) bool numeric_slowly(struct body_decoder *d)
{
    const struct opcode *op = d->op;
    ir_ref a, b;
    if ((op->param_count == 2 && !body_pop(d, op->params[1], &b)) ||
        !body_pop(d, op->params[0], &a))
        return false;
    return body_push(d, op->result, 0);
}

bool op_numeric(struct body_decoder *d)
{
    const struct opcode *op = d->op;
    uint32_t last = op->param_count - 1u; /* there are one or two */
    if (!d->live || d->operand_count - d->top->height <= last)
        return numeric_slowly(d);
    struct operand *a = &d->operands[d->operand_count - 1 - last];
    if (a->type != op->params[0] || a[last].type != op->params[last])
        return numeric_slowly(d);
    ir_ref result = body_emit(d, op->ir, ir_type_of(op->result));
    struct ir_ins *ins = ir_at(d->f, result);
    ins->a = a->value;
    ins->b = last ? a[1].value : 0;
    *a = (struct operand){result, op->result};
    d->operand_count -= last;
    return true;
}

static inline bool push_const(struct body_decoder *d, uint8_t type, uint64_t bits)
{
    return body_push(d, type, d->live ? ssa_constant(&d->ssa, ir_type_of(type), bits) : 0);
}

bool op_i32_const(struct body_decoder *d)
{
    int32_t value;
    return read_s32(&d->r, &value) && push_const(d, WASM_I32, (uint32_t)value);
}

bool op_i64_const(struct body_decoder *d)
{
    int64_t value;
    return read_s64(&d->r, &value) && push_const(d, WASM_I64, (uint64_t)value);
}

bool op_f32_const(struct body_decoder *d)
{
    uint32_t bits;
    if (reader_left(&d->r) < sizeof bits)
        return read_end(&d->r);
    memcpy(&bits, d->r.p, sizeof bits);
    d->r.p += sizeof bits;
    return push_const(d, WASM_F32, bits);
}

bool op_f64_const(struct body_decoder *d)
{
    uint64_t bits;
    if (reader_left(&d->r) < sizeof bits)
        return read_end(&d->r);
    memcpy(&bits, d->r.p, sizeof bits);
    d->r.p += sizeof bits;
    return push_const(d, WASM_F64, bits);
}

bool op_drop(struct body_decoder *d)
{
    struct operand operand;
    return body_pop_any(d, &operand);
}

static bool push_select(struct body_decoder *d, uint8_t type, ir_ref a, ir_ref b, ir_ref c)
{
    ir_ref result = 0;
    if (d->live) {
        result = body_emit(d, IR_SELECT, ir_type_of(type));
        d->f->ins[result].a = a;
        d->f->ins[result].b = b;
        d->f->ins[result].c = c;
    }
    return body_push(d, type, result);
}

bool op_select(struct body_decoder *d)
{
    struct operand a, b;
    ir_ref condition;
    if (!body_pop(d, WASM_I32, &condition) || !body_pop_any(d, &b) || !body_pop_any(d, &a))
        return false;
    if (is_reference(a.type) || is_reference(b.type))
        return body_fail(d, WASM_ERR_INVALID,
                         "type mismatch: select without a type needs numbers, found %s",
                         wasm_type_name(is_reference(a.type) ? a.type : b.type));
    if (a.type != b.type && a.type != TYPE_UNKNOWN && b.type != TYPE_UNKNOWN)
        return body_fail(d, WASM_ERR_INVALID, "type mismatch: select between %s and %s",
                         wasm_type_name(a.type), wasm_type_name(b.type));
    return push_select(d, a.type ? a.type : b.type, a.value, b.value, condition);
}

bool op_select_typed(struct body_decoder *d)
{
    uint32_t count;
    uint8_t type;
    ir_ref a, b, condition;
    if (!read_u32(&d->r, &count))
        return false;
    if (count != 1)
        return body_fail(d, WASM_ERR_INVALID, "invalid result arity %u of select", count);
    return read_value_type(&d->r, &type) && body_pop(d, WASM_I32, &condition) &&
           body_pop(d, type, &b) && body_pop(d, type, &a) && push_select(d, type, a, b, condition);
}

static bool read_local(struct body_decoder *d, uint32_t *index)
{
    if (!read_u32(&d->r, index))
        return false;
    return *index < d->local_count || body_fail(d, WASM_ERR_INVALID, "unknown local %u", *index);
}

bool op_local_get(struct body_decoder *d)
{
    uint32_t index;
    if (!read_local(d, &index))
        return false;
    uint8_t type = d->locals[index];
    return body_push(d, type, d->live ? ssa_read(&d->ssa, index, ir_type_of(type), d->block) : 0);
}

bool op_local_set(struct body_decoder *d)
{
    uint32_t index;
    ir_ref value;
    if (!read_local(d, &index) || !body_pop(d, d->locals[index], &value))
        return false;
    if (d->live)
        ssa_write(&d->ssa, index, d->block, value);
    return true;
}

bool op_local_tee(struct body_decoder *d)
{
    uint32_t index;
    ir_ref value;
    if (!read_local(d, &index) || !body_pop(d, d->locals[index], &value))
        return false;
    if (d->live)
        ssa_write(&d->ssa, index, d->block, value);
    return body_push(d, d->locals[index], value);
}

static bool read_global(struct body_decoder *d, uint32_t *index)
{
    if (!read_u32(&d->r, index))
        return false;
    return *index < d->info->global_count ||
           body_fail(d, WASM_ERR_INVALID, "unknown global %u", *index);
}

bool op_global_get(struct body_decoder *d)
{
    uint32_t index;
    if (!read_global(d, &index))
        return false;
    uint8_t type = d->info->globals[index].type;
    ir_ref value = 0;
    if (d->live) {
        value = body_emit(d, IR_GLOBAL_GET, ir_type_of(type));
        d->f->ins[value].aux = index;
    }
    return body_push(d, type, value);
}

bool op_global_set(struct body_decoder *d)
{
    uint32_t index;
    ir_ref value;
    if (!read_global(d, &index))
        return false;
    if (!d->info->globals[index].mutable_)
        return body_fail(d, WASM_ERR_INVALID, "global is immutable: global.set %u", index);
    if (!body_pop(d, d->info->globals[index].type, &value))
        return false;
    if (d->live) {
        ir_ref set = body_emit(d, IR_GLOBAL_SET, IR_VOID);
        d->f->ins[set].a = value;
        d->f->ins[set].aux = index;
    }
    return true;
}

bool op_prefix_fc(struct body_decoder *d)
{
    uint32_t number;
    if (!read_u32(&d->r, &number))
        return false;
    if (number >= OPCODES_FC_COUNT)
        return refuse_unknown(&d->r, d->offset, IN_CODE_FC, number, "illegal opcode 0xfc");
    d->op = &opcodes_fc[number];
    return d->op->handler(d);
}

/* Parameters and declared locals, the latter in runs of one type. */
static bool read_locals(struct body_decoder *d, const struct module_type *type)
{
    struct reader *r = &d->r;
    uint32_t runs;
    d->local_count = 0;
    if (!read_u32(r, &runs) ||
        !grow(d, &d->locals, &d->local_capacity, type->param_count, sizeof *d->locals))
        return false;
    if (type->param_count)
        memcpy(d->locals, type->params, type->param_count);
    uint64_t total = type->param_count;
    for (uint32_t i = 0; i < runs; i++) {
        uint32_t count;
        uint8_t local_type;
        d->offset = reader_offset(r);
        if (!read_u32(r, &count) || !read_value_type(r, &local_type))
            return false;
        uint64_t old = total;
        total += count;
        if (total > UINT32_MAX)
            return body_fail(d, WASM_ERR_MALFORMED, "too many locals");
        if (total > WASM_MAX_LOCALS)
            continue; /* there may be worse to come */
        if (!grow(d, &d->locals, &d->local_capacity, (uint32_t)total, sizeof *d->locals))
            return false;
        if (count)
            memset(d->locals + old, local_type, count);
    }
    if (total > WASM_MAX_LOCALS)
        return body_fail(d, WASM_ERR_LIMIT, "too many locals: more than %u", WASM_MAX_LOCALS);
    d->local_count = (uint32_t)total;
    return true;
}

/* Why reading cannot go on after an instruction that is as it should be. */
static __attribute__((cold)) bool refuse_to_go_on(struct body_decoder *d)
{
    if (d->f->failed)
        return body_nomem(d);
    if (d->ssa.late)
        return body_fail(d, WASM_ERR_TIMEOUT, "compiling took longer than its deadline");
    return body_fail(d, WASM_ERR_LIMIT, "control flow complexity: more than %u steps per byte",
                     WASM_SSA_STEPS_PER_BYTE);
}

static bool read_code(struct body_decoder *d)
{
    enum { LOOK_BYTES = 8192 }; /* of code between two looks at the clock */
    struct reader *r = &d->r;
    const uint8_t *base = r->base, *end = r->end;
    const struct ir_func *f = d->f;
    body_observer observer = d->observer;
    uint32_t look = reader_offset(r) + LOOK_BYTES;
    while (d->control_count) {
        const uint8_t *at = r->p;
        uint32_t offset = d->offset = (uint32_t)(at - base);
        if (at == end)
            return body_fail(d, WASM_ERR_MALFORMED,
                             "unexpected end of section or function: END opcode expected");
        r->p = at + 1;
        const struct opcode *op = d->op = &opcodes[*at];
        if (!op->handler)
            return refuse_opcode(r, offset, *at);
        if (!op->handler(d))
            return false;
        if (observer)
            observer(d->observer_context, offset, reader_offset(r), d->op->name, d->op->natural,
                     d->control_count);
        if (offset > look) {
            look = offset + LOOK_BYTES;
            ssa_is_late(&d->ssa);
        }
        if (f->failed || d->ssa.exhausted)
            return refuse_to_go_on(d);
    }
    if (r->p != r->end)
        return reader_fail(r, WASM_ERR_MALFORMED,
                           "END opcode expected: %zu bytes left over after the function's end",
                           reader_left(r));
    return true;
}

bool decode_body(struct body_decoder *d, uint32_t index, struct ir_func *f, struct wasm_error *err)
{
    const struct module_info *info = d->info;
    memset(err, 0, sizeof *err);
    const struct module_func_body *body = &info->bodies[index - info->imported_funcs];
    const struct module_type *type = &info->types[info->func_types[index]];
    d->r = (struct reader){.base = info->bytes,
                           .p = info->bytes + body->start,
                           .end = info->bytes + body->end,
                           .end_message = "unexpected end of section or function",
                           .err = err,
                           .without = info->without};
    d->f = f;
    d->op = NULL;
    d->offset = body->start;
    d->operand_count = d->control_count = d->clause_count = d->tables_seen = 0;
    d->protector = IR_NONE;
    d->live = true;
    d->block = 0;
    ir_func_reset(f);
    f->module = &info->ir;
    f->index = index;
    f->signature = &info->ir.types[info->func_types[index]];
    ssa_reset(&d->ssa, f,
              WASM_SSA_STEPS_FREE + (uint64_t)WASM_SSA_STEPS_PER_BYTE * (body->end - body->start));
    if (!read_locals(d, type))
        return false;
    /* Beside the locals a few values that branches carry. */
    ssa_table(&d->ssa, d->local_count + 8, 4096 + 4 * (uint64_t)(body->end - body->start));
    if (f->failed)
        return body_nomem(d);
    if (!body_push_control(d, CONTROL_FUNC, type->results, 0, type->results, type->result_count) ||
        !read_code(d))
        return false;
    return (ssa_finish(&d->ssa) && ir_analyse(f)) || body_nomem(d);
}

struct body_decoder *body_decoder_new(const struct module_info *info)
{
    struct body_decoder *d = wasm_host_alloc(sizeof *d);
    if (!d)
        return NULL;
    memset(d, 0, sizeof *d);
    d->info = info;
    d->plain_memory = info->memory_count && !info->memories[0].is64;
    ssa_init(&d->ssa);
    return d;
}

void body_decoder_set_deadline(struct body_decoder *d, uint64_t ns)
{
    d->ssa.deadline = ns;
}

void body_decoder_observe(struct body_decoder *d, body_observer observer, void *context)
{
    d->observer = observer;
    d->observer_context = context;
}

void body_decoder_free(struct body_decoder *d)
{
    if (!d)
        return;
    ssa_free(&d->ssa);
    wasm_host_free(d->operands);
    wasm_host_free(d->controls);
    wasm_host_free(d->clauses);
    wasm_host_free(d->locals);
    wasm_host_free(d);
}
