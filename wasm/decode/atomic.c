/* Atomic instructions, behind the prefix 0xfe (threads proposal). Unlike those of plain accesses,
 * their alignment must be the natural one, and a misaligned address traps. */
#include "decode/body.h"
#include "runtime/abi.h"

static bool op_atomic_load(struct body_decoder *d)
{
    uint32_t memory;
    uint64_t offset;
    ir_ref address, load = 0;
    if (!body_read_memarg(d, &memory, &offset) ||
        !body_pop(d, body_address_type(d, memory), &address))
        return false;
    if (d->live)
        load =
            body_emit_access(d, IR_ATOMIC_LOAD, ir_type_of(d->op->result), memory, offset, address);
    return body_push(d, d->op->result, load);
}

/* Stores, read-modify-writes and exchanges: an address, then the operands of the table. */
static bool op_atomic_update(struct body_decoder *d)
{
    const struct opcode *op = d->op;
    uint32_t memory;
    uint64_t offset;
    ir_ref address, values[2] = {0};
    if (!body_read_memarg(d, &memory, &offset))
        return false;
    for (uint32_t i = op->param_count; i-- > 0;)
        if (!body_pop(d, op->params[i], &values[i]))
            return false;
    if (!body_pop(d, body_address_type(d, memory), &address))
        return false;
    ir_ref update = 0;
    if (d->live) {
        update = body_emit_access(d, op->ir, ir_type_of(op->result), memory, offset, address);
        struct ir_ins *ins = ir_at(d->f, update);
        ins->b = values[0];
        ins->c = values[1];
        if (op->ir == IR_ATOMIC_RMW)
            ins->imm2 = op->rmw;
    }
    return !op->result || body_push(d, op->result, update);
}

/* memory.atomic.notify and wait: (address, offset, operands …, memory) to a helper. */
static bool op_atomic_helper(struct body_decoder *d)
{
    const struct opcode *op = d->op;
    uint32_t memory;
    uint64_t offset;
    ir_ref args[5];
    uint32_t count = 2;
    if (!body_read_memarg(d, &memory, &offset))
        return false;
    for (uint32_t i = op->param_count; i-- > 0;)
        if (!body_pop(d, op->params[i], &args[2 + i]))
            return false;
    if (!body_pop(d, body_address_type(d, memory), &args[0]))
        return false;
    count += op->param_count;
    ir_ref call = 0;
    if (d->live) {
        args[1] = body_emit(d, IR_CONST, IR_I64);
        d->f->ins[args[1]].imm = offset;
        args[count] = body_emit(d, IR_CONST, IR_I32);
        d->f->ins[args[count++]].imm = memory;
        uint32_t list = ir_list_new(d->f, count);
        call = body_emit(d, IR_CALL_HELPER, ir_type_of(op->result));
        if (d->f->failed)
            return body_nomem(d);
        struct ir_ins *ins = ir_at(d->f, call);
        ins->aux = op->helper;
        ins->list = list;
        ins->count = count;
        for (uint32_t i = 0; i < count; i++)
            d->f->pool[list + i] = args[i];
    }
    return body_push(d, op->result, call);
}

static bool op_atomic_fence(struct body_decoder *d)
{
    uint8_t byte;
    if (!read_u8(&d->r, &byte))
        return false;
    if (byte)
        return body_fail(d, WASM_ERR_MALFORMED, "zero byte expected: %s", d->op->name);
    if (d->live)
        body_emit(d, IR_FENCE, IR_VOID);
    return true;
}

/* clang-format off */
#define EXACT(width, log2) .access = IR_##width, .natural = (log2), .exact = true
#define HELPER(text, name_, log2, ...)                                                             \
    {.name = (text), .handler = op_atomic_helper, .helper = WASM_HELPER_##name_, .natural = (log2),\
     .exact = true, .result = WASM_I32, __VA_ARGS__}
#define LOAD(text, type, width, log2)                                                              \
    {.name = (text), .handler = op_atomic_load, EXACT(width, log2), .result = WASM_##type}
#define STORE(text, type, width, log2)                                                             \
    {.name = (text), .handler = op_atomic_update, .ir = IR_ATOMIC_STORE, EXACT(width, log2),       \
     .param_count = 1, .params = {WASM_##type}}
#define RMW(text, type, width, log2, operation)                                                    \
    {.name = (text), .handler = op_atomic_update, .ir = IR_ATOMIC_RMW, EXACT(width, log2),         \
     .rmw = IR_RMW_##operation, .param_count = 1, .params = {WASM_##type}, .result = WASM_##type}
#define CMPXCHG(text, type, width, log2)                                                           \
    {.name = (text), .handler = op_atomic_update, .ir = IR_ATOMIC_CMPXCHG, EXACT(width, log2),     \
     .param_count = 2, .params = {WASM_##type, WASM_##type}, .result = WASM_##type}
/* The seven widths of an instruction, from number N on. */
#define WIDTHS(n, row, full, narrow, ...)                                                          \
    [(n)] = row("i32.atomic." full, I32, U32, 2 __VA_ARGS__),                                      \
    [(n) + 1] = row("i64.atomic." full, I64, 64, 3 __VA_ARGS__),                                   \
    [(n) + 2] = row("i32.atomic." narrow(8), I32, U8, 0 __VA_ARGS__),                              \
    [(n) + 3] = row("i32.atomic." narrow(16), I32, U16, 1 __VA_ARGS__),                            \
    [(n) + 4] = row("i64.atomic." narrow(8), I64, U8, 0 __VA_ARGS__),                              \
    [(n) + 5] = row("i64.atomic." narrow(16), I64, U16, 1 __VA_ARGS__),                            \
    [(n) + 6] = row("i64.atomic." narrow(32), I64, U32, 2 __VA_ARGS__)
#define NARROW_LOAD(bits)    "load" #bits "_u"
#define NARROW_STORE(bits)   "store" #bits
#define NARROW_ADD(bits)     "rmw" #bits ".add_u"
#define NARROW_SUB(bits)     "rmw" #bits ".sub_u"
#define NARROW_AND(bits)     "rmw" #bits ".and_u"
#define NARROW_OR(bits)      "rmw" #bits ".or_u"
#define NARROW_XOR(bits)     "rmw" #bits ".xor_u"
#define NARROW_XCHG(bits)    "rmw" #bits ".xchg_u"
#define NARROW_CMPXCHG(bits) "rmw" #bits ".cmpxchg_u"
static const struct opcode opcodes_fe[] = {
    [0x00] = HELPER("memory.atomic.notify", atomic_notify, 2,
                    .param_count = 1, .params = {WASM_I32}),
    [0x01] = HELPER("memory.atomic.wait32", atomic_wait32, 2,
                    .param_count = 2, .params = {WASM_I32, WASM_I64}),
    [0x02] = HELPER("memory.atomic.wait64", atomic_wait64, 3,
                    .param_count = 2, .params = {WASM_I64, WASM_I64}),
    [0x03] = {.name = "atomic.fence", .handler = op_atomic_fence},
    WIDTHS(0x10, LOAD, "load", NARROW_LOAD),
    WIDTHS(0x17, STORE, "store", NARROW_STORE),
    WIDTHS(0x1e, RMW, "rmw.add", NARROW_ADD, , ADD),
    WIDTHS(0x25, RMW, "rmw.sub", NARROW_SUB, , SUB),
    WIDTHS(0x2c, RMW, "rmw.and", NARROW_AND, , AND),
    WIDTHS(0x33, RMW, "rmw.or", NARROW_OR, , OR),
    WIDTHS(0x3a, RMW, "rmw.xor", NARROW_XOR, , XOR),
    WIDTHS(0x41, RMW, "rmw.xchg", NARROW_XCHG, , XCHG),
    WIDTHS(0x48, CMPXCHG, "rmw.cmpxchg", NARROW_CMPXCHG),
};
/* clang-format on */

bool op_prefix_fe(struct body_decoder *d)
{
    uint32_t number;
    if (!read_u32(&d->r, &number))
        return false;
    if (number >= sizeof opcodes_fe / sizeof *opcodes_fe || !opcodes_fe[number].handler ||
        !has_feature(d->info, WASM_FEATURE_THREADS))
        return refuse_unknown(&d->r, d->offset, IN_CODE_FE, number, "illegal opcode 0xfe");
    d->op = &opcodes_fe[number];
    return d->op->handler(d);
}
