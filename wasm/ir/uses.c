/* Uses of values, and with them what nobody uses: one walk backwards counts the operands of what
 * is needed, from the instructions with effects on. A load that nobody uses stays: it may trap. */
#include "host.h"
#include "ir/ir.h"

#include <string.h>

static bool is_root(const struct ir_ins *ins)
{
    return ir_flags[ins->op] & (IR_T | IR_W | IR_K | IR_E);
}

static inline void count(const struct ir_func *f, const struct ir_ins *ins, struct ir_use *uses)
{
    /* Those that are not there count for number 0: how many there are is hard to predict. */
    uses[ins->a].count++;
    if (ir_shapes[ins->op].list) {
        for (uint32_t k = 0; k < ins->count; k++)
            uses[f->pool[ins->list + k]].count++;
    } else {
        uses[ins->b].count++;
        uses[ins->c].count++;
    }
}

/* The same, and what turns out to be needed only now goes to WAITING. */
static uint32_t *count_late(struct ir_func *f, struct ir_ins *ins, struct ir_use *uses,
                            uint32_t *waiting)
{
    uint32_t count = ir_operand_count(ins);
    for (uint32_t k = 0; k < count; k++) {
        ir_ref operand = *ir_operand(f, ins, k);
        if (!uses[operand].count++ && !is_root(&f->ins[operand]))
            *waiting++ = operand;
    }
    return waiting;
}

bool ir_count_uses(struct ir_func *f, struct ir_use *uses)
{
    /* From the start on what waits for its operands to be counted, from the end on who has no use
     * so far: no instruction is in both more than once. */
    uint32_t *list = wasm_host_alloc(2 * ((size_t)f->ins_count + 1) * sizeof *list);
    if (!list)
        return false;
    uint32_t *waiting = list, *end = list + 2 * ((size_t)f->ins_count + 1), *unused = end;
    memset(uses, 0, f->ins_count * sizeof *uses);
    /* Uses come after definitions, but for those by phis, which are left for later. */
    for (uint32_t i = f->order_count; i-- > 0;) {
        uint32_t behind = 0;
        ir_ref r = f->blocks[f->order[i]].last;
        for (; r && f->ins[r].op != IR_PHI; r = f->ins[r].prev) {
            struct ir_ins *ins = &f->ins[r];
            uses[r].behind = behind += ir_has_effect(ins->op);
            ins->mark = 0;
            if (uses[r].count || is_root(ins))
                count(f, ins, uses);
            else
                *--unused = r;
        }
    }
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r && f->ins[r].op == IR_PHI;
             r = f->ins[r].next) {
            f->ins[r].mark = 0;
            if (uses[r].count)
                *waiting++ = r;
            else
                *--unused = r;
        }
    while (waiting > list) {
        struct ir_ins *ins = &f->ins[*--waiting];
        waiting = count_late(f, ins, uses, waiting);
    }
    for (; unused < end; unused++)
        if (!uses[*unused].count)
            ir_remove(f, *unused);
    wasm_host_free(list);
    return true;
}
