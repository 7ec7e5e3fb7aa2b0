/* Dead code: marks what effects and terminators need, removes the rest. A load that nobody uses
 * stays: it may trap. */
#include "opt/passes.h"
#include "host.h"

static bool is_root(const struct ir_ins *ins)
{
    return ir_op_info[ins->op].flags & (IR_T | IR_W | IR_K | IR_E);
}

bool opt_dce(struct ir_func *f)
{
    uint32_t *stack = wasm_host_alloc(((size_t)f->ins_count + 1) * sizeof *stack), depth = 0;
    if (!stack)
        return false;
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            f->ins[r].mark = is_root(&f->ins[r]);
            if (f->ins[r].mark)
                stack[depth++] = r;
        }
    while (depth) {
        struct ir_ins *ins = &f->ins[stack[--depth]];
        uint32_t count = ir_operand_count(ins);
        for (uint32_t k = 0; k < count; k++) {
            ir_ref operand = *ir_operand(f, ins, k);
            stack[depth] = operand; /* there is room for one more than all */
            depth += !f->ins[operand].mark;
            f->ins[operand].mark = 1;
        }
    }
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first, next; r; r = next) {
            next = f->ins[r].next;
            if (!f->ins[r].mark)
                ir_remove(f, r);
        }
    wasm_host_free(stack);
    return true;
}
