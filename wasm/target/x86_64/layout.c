/* The order of blocks in the code: reverse post-order, with each loop in one piece and what is cold
 * at the end. */
#include "target/x86_64/select.h"

/* Chains of blocks per loop: entry b of the list for header h is followed by next[b]; a nested loop
 * stands in its outer one's chain by its header, whose inside[] chain is walked there. */
static bool loops_in_one_piece(struct target_compiler *c)
{
    struct ir_func *f = c->f;
    uint32_t n = f->block_count;
    if (!vec_reserve(c, c->work, (uint64_t)n * 4 + 4) || !vec_reserve(c, c->order, n))
        return false;
    uint32_t *next = c->work.data, *first = next + n + 1, *last = first + n + 1,
             *stack = last + n + 1;
    /* Slot n of first and last is the function itself. */
    for (uint32_t i = 0; i <= n; i++)
        first[i] = last[i] = next[i] = IR_NONE;
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        bool header = f->blocks[b].flags & IR_BLOCK_LOOP_HEADER;
        ir_block_ref loop = header ? f->blocks[b].outer_loop : f->blocks[b].loop;
        uint32_t chain = loop == IR_NONE ? n : loop;
        if (last[chain] == IR_NONE)
            first[chain] = b;
        else
            next[last[chain]] = b;
        last[chain] = b;
    }
    uint32_t depth = 0, at = first[n];
    c->order.count = 0;
    while (at != IR_NONE || depth) {
        if (at == IR_NONE) {
            at = next[stack[--depth]];
            continue;
        }
        c->order.data[c->order.count++] = at;
        if (f->blocks[at].flags & IR_BLOCK_LOOP_HEADER && first[at] != IR_NONE) {
            stack[depth++] = at;
            at = first[at];
        } else {
            at = next[at];
        }
    }
    return true;
}

static bool leads_to_trap(const struct ir_func *f, ir_block_ref b)
{
    return f->ins[f->blocks[b].last].op == IR_TRAP;
}

struct edge_counts {
    uint64_t succs, preds;
};

/* Cold is what the front end says, what traps, and what such a block dominates, so that definitions
 * keep standing before their uses. Answers how many successors and predecessors there are. */
static struct edge_counts mark_cold(struct ir_func *f)
{
    struct edge_counts edges = {0, 0};
    f->blocks[f->order[0]].flags &= (uint16_t)~IR_BLOCK_COLD;
    for (uint32_t i = 0; i < f->order_count; i++) {
        struct ir_block *b = &f->blocks[f->order[i]];
        edges.succs += b->succ_count;
        edges.preds += b->pred_count;
        if (i && (f->blocks[b->idom].flags & IR_BLOCK_COLD || leads_to_trap(f, f->order[i])))
            b->flags |= IR_BLOCK_COLD;
    }
    return edges;
}

static void place_block(struct target_compiler *c, ir_block_ref b, bool cold)
{
    const struct ir_block *from = &c->f->blocks[b];
    c->place.data[b] = c->blocks.count;
    c->blocks.data[c->blocks.count++] = (struct mblock){
        .ir = b,
        .depth = from->loop_depth,
        .cold = cold,
        .header = from->flags & IR_BLOCK_LOOP_HEADER,
    };
}

bool layout_blocks(struct target_compiler *c)
{
    struct ir_func *f = c->f;
    if (!loops_in_one_piece(c))
        return false;
    uint32_t n = c->order.count, cold = 0;
    struct edge_counts edges = mark_cold(f);
    if (!vec_reserve(c, c->place, f->block_count) || !vec_reserve(c, c->blocks, n) ||
        !vec_reserve(c, c->pred_first, (uint64_t)n + 1) ||
        !vec_reserve(c, c->targets, edges.succs) || !vec_reserve(c, c->preds, edges.preds + 1))
        return false;
    uint32_t *order = c->order.data, *place = c->place.data;
    c->blocks.count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (f->blocks[order[i]].flags & IR_BLOCK_COLD)
            order[cold++] = order[i];
        else
            place_block(c, order[i], false);
    }
    for (uint32_t i = 0; i < cold; i++)
        place_block(c, order[i], true);
    uint32_t *targets = c->targets.data, *preds = c->preds.data;
    for (uint32_t i = 0; i < n; i++) {
        struct mblock *b = &c->blocks.data[i];
        const struct ir_block *from = &f->blocks[b->ir];
        b->succs = (uint32_t)(targets - c->targets.data);
        b->succ_count = from->succ_count;
        for (uint32_t k = 0; k < from->succ_count; k++)
            *targets++ = place[f->pool[from->succs + k]];
        c->pred_first.data[i] = (uint32_t)(preds - c->preds.data);
        for (uint32_t k = 0; k < from->pred_count; k++)
            *preds++ = place[f->pool[from->preds + k]];
    }
    c->targets.count = (uint32_t)(targets - c->targets.data);
    *preds = UINT32_MAX; /* so that the first of each block may be looked at */
    c->pred_first.data[n] = c->preds.count = (uint32_t)(preds - c->preds.data);
    return true;
}
