/* Selection of exceptions: the one on its way stands in the execution context, its values behind
 * its header. How it gets from the throw to a handler is the runtime's (abi.h). */
#include "target/x86_64/select.h"

#include "runtime/abi.h"

#define OFFSET(type, field) ((uint32_t)offsetof(struct type, field))

static int32_t value_offset(const struct ir_ins *ins)
{
    return (int32_t)(OFFSET(wasm_exception, values) + (uint32_t)ins->imm * 16);
}

void select_exception(struct target_compiler *c, ir_ref ref)
{
    const struct ir_ins *ins = ins_at(c, ref);
    mreg to = result_reg(c, ref), base;
    struct mins *m;
    switch (ins->op) {
    case IR_EXCEPTION:
        base = put_pointer(c, R_R15, OFFSET(wasm_instance, exec));
        put_move(c, 8, to, put_pointer(c, base, OFFSET(wasm_exec, exception)));
        return;
    case IR_EXCEPTION_CLEAR:
        base = put_pointer(c, R_R15, OFFSET(wasm_instance, exec));
        m = put_store(c, IR_REF, base, (int32_t)OFFSET(wasm_exec, exception), R_NONE);
        m->form = B_IMM;
        return;
    case IR_EXCEPTION_TAG:
        put_move(c, 8, to, put_pointer(c, value_reg(c, ins->a), OFFSET(wasm_exception, tag)));
        return;
    case IR_EXCEPTION_GET:
        put_load(c, ins->type, to, value_reg(c, ins->a), value_offset(ins));
        return;
    case IR_EXCEPTION_SET: {
        mreg value = value_reg(c, ins->b);
        base = value_reg(c, ins->a);
        put_store(c, ins_at(c, ins->b)->type, base, value_offset(ins), value);
        return;
    }
    default: /* IR_TAG */
        base = put_pointer(c, R_R15, OFFSET(wasm_instance, tags));
        put_move(c, 8, to, put_pointer(c, base, ins->aux * 8));
        return;
    }
}
