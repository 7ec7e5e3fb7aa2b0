/* Control flow that is decided already: branches and switches on constants become jumps, which may
 * leave blocks unreachable. */
#include "opt/passes.h"

/* Takes FROM out of the predecessors of TO and the operands of its phis. */
static void drop_edge(struct ir_func *f, ir_block_ref from, ir_block_ref to)
{
    struct ir_block *b = &f->blocks[to];
    uint32_t slot = 0;
    while (slot < b->pred_count && f->pool[b->preds + slot] != from)
        slot++;
    if (slot == b->pred_count)
        return;
    for (uint32_t k = slot + 1; k < b->pred_count; k++)
        f->pool[b->preds + k - 1] = f->pool[b->preds + k];
    b->pred_count--;
    for (ir_ref r = b->first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        uint32_t *list = f->pool + f->ins[r].list;
        for (uint32_t k = slot + 1; k < f->ins[r].count; k++)
            list[k - 1] = list[k];
        f->ins[r].count--;
    }
}

/* The successor that block B always takes, IR_NONE if that is not known. */
static ir_block_ref decided(const struct ir_func *f, ir_block_ref b)
{
    const struct ir_ins *end = &f->ins[f->blocks[b].last];
    const ir_block_ref *succs = ir_succs(f, b);
    int64_t k;
    if (end->op == IR_BRANCH) {
        if (succs[0] == succs[1])
            return succs[0];
        return opt_const(f, end->a, &k) ? succs[k ? 0 : 1] : IR_NONE;
    }
    if (end->op != IR_SWITCH)
        return IR_NONE;
    uint32_t n = f->blocks[b].succ_count;
    if (opt_const(f, end->a, &k))
        return succs[(uint32_t)k < n ? (uint32_t)k : n - 1];
    return n == 1 ? succs[0] : IR_NONE;
}

/* Phis with one operand are that operand. */
static void drop_single_phis(struct ir_func *f)
{
    for (uint32_t i = 0; i < f->order_count; i++) {
        const struct ir_block *b = &f->blocks[f->order[i]];
        if (b->pred_count != 1)
            continue;
        for (ir_ref r = b->first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
            f->ins[r].op = IR_COPY;
            f->ins[r].a = f->pool[f->ins[r].list];
            f->ins[r].b = f->ins[r].c = 0;
        }
    }
}

bool opt_branch(struct ir_func *f)
{
    bool changed = false;
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i], to = decided(f, b);
        if (to == IR_NONE)
            continue;
        uint32_t n = f->blocks[b].succ_count;
        uint32_t *succs = f->pool + f->blocks[b].succs;
        for (uint32_t k = 0; k < n; k++)
            if (succs[k] != to)
                drop_edge(f, b, succs[k]);
        succs[0] = to;
        f->blocks[b].succ_count = 1;
        struct ir_ins *end = &f->ins[f->blocks[b].last];
        end->op = IR_JUMP;
        end->a = end->b = end->c = 0;
        changed = true;
    }
    if (!changed)
        return true;
    if (!ir_analyse(f))
        return false;
    drop_single_phis(f);
    return ir_resolve(f);
}
