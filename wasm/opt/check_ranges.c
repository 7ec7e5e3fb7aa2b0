/* For tests, and only when asked for by name: code that traps with a division by zero where a value
 * leaves the range that ir_ranges() gave it. Addressing relies on these. */
#include "opt/fold.h"
#include "opt/passes.h"
#include "host.h"

/* 1 / (R - lo <= hi - lo), before WHERE. */
static void check(struct ir_func *f, ir_ref r, struct ir_range range, ir_ref where)
{
    ir_ref lo = fold_const(f, where, IR_I32, range.lo);
    ir_ref above = fold_binary(f, where, IR_SUB, IR_I32, r, lo);
    ir_ref width = fold_const(f, where, IR_I32, range.hi - range.lo);
    ir_ref inside = fold_binary(f, where, IR_LE_U, IR_I32, above, width);
    ir_ref one = fold_const(f, where, IR_I32, 1);
    fold_binary(f, where, IR_DIV_U, IR_I32, one, inside);
}

bool opt_check_ranges(struct ir_func *f)
{
    struct ir_range *ranges = wasm_host_alloc((size_t)f->ins_count * sizeof *ranges);
    if (!ranges)
        return false;
    ir_ranges(f, ranges);
    ir_ref count = f->ins_count;
    for (uint32_t i = 0; i < f->order_count && !f->failed; i++) {
        const struct ir_block *b = &f->blocks[f->order[i]];
        ir_ref body = b->first;
        while (f->ins[body].op == IR_PHI || f->ins[body].op == IR_PARAM)
            body = f->ins[body].next;
        for (ir_ref r = b->first; r && !f->failed; r = f->ins[r].next) {
            const struct ir_ins *ins = &f->ins[r];
            if (r >= count || ins->type != IR_I32 || ins->op == IR_CONST ||
                (ranges[r].lo == 0 && ranges[r].hi == UINT32_MAX))
                continue;
            check(f, r, ranges[r], ins->op == IR_PHI ? body : ins->next);
        }
    }
    wasm_host_free(ranges);
    return !f->failed;
}
