/* Memory, table and reference instructions. What is rare or large becomes a call of a helper, whose
 * arguments stand in runtime/abi.h: the operands, then the immediates as constants. */
#include "decode/body.h"
#include "runtime/abi.h"

static bool need_memory(struct body_decoder *d, uint32_t memory)
{
    return memory < d->info->memory_count ||
           body_fail(d, WASM_ERR_INVALID, "unknown memory %u: %s", memory, d->op->name);
}

/* The memory's index; a single byte that is 0 while there can only be one. */
static bool read_memory(struct body_decoder *d, uint32_t *memory)
{
    uint8_t byte;
    if (has_feature(d->info, WASM_FEATURE_MULTI_MEMORY))
        return read_u32(&d->r, memory);
    *memory = 0;
    if (!read_u8(&d->r, &byte))
        return false;
    if (byte)
        return body_fail(d, WASM_ERR_MALFORMED, "zero byte expected: %s", d->op->name);
    return true;
}

static bool read_table(struct body_decoder *d, uint32_t *table)
{
    if (!read_u32(&d->r, table))
        return false;
    return *table < d->info->table_count ||
           body_fail(d, WASM_ERR_INVALID, "unknown table %u: %s", *table, d->op->name);
}

static bool need_elem(struct body_decoder *d, uint32_t segment)
{
    return segment < d->info->elem_count ||
           body_fail(d, WASM_ERR_INVALID, "unknown elem segment %u: %s", segment, d->op->name);
}

static bool read_data(struct body_decoder *d, uint32_t *segment)
{
    if (!read_u32(&d->r, segment))
        return false;
    if (!d->info->has_data_count && d->info->data_count)
        return body_fail(d, WASM_ERR_MALFORMED, "data count section required by %s", d->op->name);
    return true;
}

/* After the rest of the immediates, since those are malformed first. */
static bool need_data(struct body_decoder *d, uint32_t segment)
{
    return segment < d->info->declared_data_count ||
           body_fail(d, WASM_ERR_INVALID, "unknown data segment %u: %s", segment, d->op->name);
}

/* What is wrong with the immediates of an access, if not that it must be aligned exactly. */
static __attribute__((cold)) bool refuse_memarg(struct body_decoder *d, uint32_t memory,
                                                uint32_t align)
{
    if (align >= 32)
        return body_fail(d, WASM_ERR_MALFORMED, "malformed memop flags 0x%x", align);
    return need_memory(d, memory) &&
           body_fail(d, WASM_ERR_INVALID, "alignment must not be larger than natural: 2^%u for %s",
                     align, d->op->name);
}

enum { HAS_MEMORY = 64 }; /* beside the alignment's logarithm */

static __attribute__((noinline)) bool read_memarg_slowly(struct body_decoder *d, uint32_t *memory,
                                                         uint64_t *offset)
{
    const struct module_info *info = d->info;
    uint32_t align, offset32;
    *memory = 0;
    if (!read_u32(&d->r, &align))
        return false;
    if (align & HAS_MEMORY && align < 2 * HAS_MEMORY &&
        has_feature(info, WASM_FEATURE_MULTI_MEMORY)) {
        align -= HAS_MEMORY;
        if (!read_u32(&d->r, memory))
            return false;
    }
    bool known = *memory < info->memory_count;
    if (known && info->memories[*memory].is64) {
        if (!read_u64(&d->r, offset))
            return false;
    } else {
        if (!read_u32(&d->r, &offset32))
            return false;
        *offset = offset32;
    }
    if (!known || align > d->op->natural)
        return refuse_memarg(d, *memory, align);
    return align == d->op->natural || !d->op->exact ||
           body_fail(d, WASM_ERR_INVALID, "atomic alignment must be natural: 2^%u for %s", align,
                     d->op->name);
}

static inline bool read_memarg(struct body_decoder *d, uint32_t *memory, uint64_t *offset)
{
    const uint8_t *p = d->r.p;
    if (reader_left(&d->r) < 2 || p[0] > d->op->natural || p[1] >= 0x80 || !d->plain_memory ||
        d->op->exact)
        return read_memarg_slowly(d, memory, offset);
    d->r.p += 2;
    *memory = 0;
    *offset = p[1];
    return true;
}

bool body_read_memarg(struct body_decoder *d, uint32_t *memory, uint64_t *offset)
{
    return read_memarg(d, memory, offset);
}

static inline ir_ref emit_access(struct body_decoder *d, enum ir_op op, enum ir_type type,
                                 uint32_t memory, uint64_t offset, ir_ref address)
{
    ir_ref access = body_emit(d, op, type);
    struct ir_ins *ins = ir_at(d->f, access);
    ins->a = address;
    ins->imm = offset;
    ins->access = d->op->access;
    ins->aux = memory;
    return access;
}

ir_ref body_emit_access(struct body_decoder *d, enum ir_op op, enum ir_type type, uint32_t memory,
                        uint64_t offset, ir_ref address)
{
    return emit_access(d, op, type, memory, offset, address);
}

bool op_load(struct body_decoder *d)
{
    uint32_t memory;
    uint64_t offset;
    ir_ref address;
    if (!read_memarg(d, &memory, &offset) || !body_pop(d, body_address_type(d, memory), &address))
        return false;
    ir_ref load = 0;
    if (d->live)
        load = emit_access(d, IR_LOAD, ir_type_of(d->op->result), memory, offset, address);
    return body_push(d, d->op->result, load);
}

bool op_store(struct body_decoder *d)
{
    uint32_t memory;
    uint64_t offset;
    ir_ref address, value;
    if (!read_memarg(d, &memory, &offset) || !body_pop(d, d->op->params[0], &value) ||
        !body_pop(d, body_address_type(d, memory), &address))
        return false;
    if (d->live) {
        ir_ref store = emit_access(d, IR_STORE, IR_VOID, memory, offset, address);
        d->f->ins[store].b = value;
    }
    return true;
}

bool op_memory_size(struct body_decoder *d)
{
    uint32_t memory;
    if (!read_memory(d, &memory) || !need_memory(d, memory))
        return false;
    ir_ref size = 0;
    if (d->live) {
        size = body_emit(d, IR_MEMORY_SIZE, ir_type_of(body_address_type(d, memory)));
        d->f->ins[size].aux = memory;
    }
    return body_push(d, body_address_type(d, memory), size);
}

#define MAX_HELPER_ARGS 5

/* Pops COUNT operands of TYPES, calls the helper of the current instruction with them and the
 * IMMEDIATES, pushes a RESULT unless that is 0. */
bool body_call_helper(struct body_decoder *d, const uint8_t *types, uint32_t count,
                      const uint32_t *immediates, uint32_t immediate_count, uint8_t result)
{
    struct ir_func *f = d->f;
    ir_ref args[MAX_HELPER_ARGS];
    for (uint32_t i = count; i-- > 0;)
        if (!body_pop(d, types[i], &args[i]))
            return false;
    ir_ref call = 0;
    if (d->live) {
        for (uint32_t i = 0; i < immediate_count; i++) {
            args[count + i] = body_emit(d, IR_CONST, IR_I32);
            f->ins[args[count + i]].imm = immediates[i];
        }
        uint32_t list = ir_list_new(f, count + immediate_count);
        call = body_emit(d, IR_CALL_HELPER, ir_type_of(result));
        if (f->failed)
            return body_nomem(d);
        f->ins[call].aux = d->op->helper;
        f->ins[call].list = list;
        f->ins[call].count = count + immediate_count;
        for (uint32_t i = 0; i < count + immediate_count; i++)
            f->pool[list + i] = args[i];
    }
    return !result || body_push(d, result, call);
}

bool op_memory_grow(struct body_decoder *d)
{
    uint32_t memory;
    if (!read_memory(d, &memory) || !need_memory(d, memory))
        return false;
    uint8_t type = body_address_type(d, memory);
    return body_call_helper(d, &type, 1, &memory, 1, type);
}

bool op_memory_init(struct body_decoder *d)
{
    uint32_t segment, memory;
    if (!read_data(d, &segment) || !read_memory(d, &memory) || !need_memory(d, memory) ||
        !need_data(d, segment))
        return false;
    const uint8_t types[] = {body_address_type(d, memory), WASM_I32, WASM_I32};
    const uint32_t immediates[] = {segment, memory};
    return body_call_helper(d, types, 3, immediates, 2, 0);
}

bool op_memory_copy(struct body_decoder *d)
{
    uint32_t to, from;
    if (!read_memory(d, &to) || !read_memory(d, &from) || !need_memory(d, to) ||
        !need_memory(d, from))
        return false;
    uint8_t to_type = body_address_type(d, to), from_type = body_address_type(d, from);
    const uint8_t types[] = {to_type, from_type, to_type == from_type ? to_type : WASM_I32};
    const uint32_t immediates[] = {to, from};
    return body_call_helper(d, types, 3, immediates, 2, 0);
}

bool op_memory_fill(struct body_decoder *d)
{
    uint32_t memory;
    if (!read_memory(d, &memory) || !need_memory(d, memory))
        return false;
    const uint8_t types[] = {body_address_type(d, memory), WASM_I32, body_address_type(d, memory)};
    return body_call_helper(d, types, 3, &memory, 1, 0);
}

bool op_data_drop(struct body_decoder *d)
{
    uint32_t segment;
    return read_data(d, &segment) && need_data(d, segment) &&
           body_call_helper(d, NULL, 0, &segment, 1, 0);
}

bool op_table_get(struct body_decoder *d)
{
    static const uint8_t types[] = {WASM_I32};
    uint32_t table;
    return read_table(d, &table) &&
           body_call_helper(d, types, 1, &table, 1, d->info->tables[table].type);
}

bool op_table_set(struct body_decoder *d)
{
    uint32_t table;
    if (!read_table(d, &table))
        return false;
    const uint8_t types[] = {WASM_I32, d->info->tables[table].type};
    return body_call_helper(d, types, 2, &table, 1, 0);
}

bool op_table_size(struct body_decoder *d)
{
    uint32_t table;
    return read_table(d, &table) && body_call_helper(d, NULL, 0, &table, 1, WASM_I32);
}

bool op_table_grow(struct body_decoder *d)
{
    uint32_t table;
    if (!read_table(d, &table))
        return false;
    const uint8_t types[] = {d->info->tables[table].type, WASM_I32};
    return body_call_helper(d, types, 2, &table, 1, WASM_I32);
}

bool op_table_fill(struct body_decoder *d)
{
    uint32_t table;
    if (!read_table(d, &table))
        return false;
    const uint8_t types[] = {WASM_I32, d->info->tables[table].type, WASM_I32};
    return body_call_helper(d, types, 3, &table, 1, 0);
}

bool op_table_copy(struct body_decoder *d)
{
    static const uint8_t types[] = {WASM_I32, WASM_I32, WASM_I32};
    uint32_t to, from;
    if (!read_table(d, &to) || !read_table(d, &from))
        return false;
    if (d->info->tables[to].type != d->info->tables[from].type)
        return body_fail(d, WASM_ERR_INVALID, "type mismatch: table.copy from %s to %s",
                         wasm_type_name(d->info->tables[from].type),
                         wasm_type_name(d->info->tables[to].type));
    const uint32_t immediates[] = {to, from};
    return body_call_helper(d, types, 3, immediates, 2, 0);
}

bool op_table_init(struct body_decoder *d)
{
    static const uint8_t types[] = {WASM_I32, WASM_I32, WASM_I32};
    uint32_t segment, table;
    if (!read_u32(&d->r, &segment) || !read_table(d, &table) || !need_elem(d, segment))
        return false;
    if (d->info->tables[table].type != d->info->elems[segment].type)
        return body_fail(d, WASM_ERR_INVALID, "type mismatch: table.init of %s into a table of %s",
                         wasm_type_name(d->info->elems[segment].type),
                         wasm_type_name(d->info->tables[table].type));
    const uint32_t immediates[] = {segment, table};
    return body_call_helper(d, types, 3, immediates, 2, 0);
}

bool op_elem_drop(struct body_decoder *d)
{
    uint32_t segment;
    return read_u32(&d->r, &segment) && need_elem(d, segment) &&
           body_call_helper(d, NULL, 0, &segment, 1, 0);
}

bool op_ref_null(struct body_decoder *d)
{
    uint8_t type;
    if (!read_heap_type(&d->r, &type))
        return false;
    return body_push(d, type, d->live ? body_emit(d, IR_REF_NULL, IR_REF) : 0);
}

bool op_ref_is_null(struct body_decoder *d)
{
    struct operand operand;
    if (!body_pop_any(d, &operand))
        return false;
    if (operand.type != TYPE_UNKNOWN && !is_reference(operand.type))
        return body_fail(d, WASM_ERR_INVALID, "type mismatch: ref.is_null of %s",
                         wasm_type_name(operand.type));
    ir_ref result = 0;
    if (d->live) {
        result = body_emit(d, IR_REF_IS_NULL, IR_I32);
        d->f->ins[result].a = operand.value;
    }
    return body_push(d, WASM_I32, result);
}

bool op_ref_func(struct body_decoder *d)
{
    uint32_t index;
    if (!read_u32(&d->r, &index))
        return false;
    if (index >= d->info->func_count)
        return body_fail(d, WASM_ERR_INVALID, "unknown function %u", index);
    if (!(d->info->declared[index / 8] >> index % 8 & 1))
        return body_fail(d, WASM_ERR_INVALID, "undeclared function reference %u", index);
    return body_call_helper(d, NULL, 0, &index, 1, WASM_FUNCREF);
}
