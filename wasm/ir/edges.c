/* Splitting of critical edges, for code generators that place moves for phis on edges. */
#include "ir/dominators.h"

#include <string.h>

static bool has_phi(const struct ir_func *f, ir_block_ref b)
{
    return f->blocks[b].first && f->ins[f->blocks[b].first].op == IR_PHI;
}

/* A block on the edge (or edges) from FROM to predecessor slot SLOT of TO. */
static ir_block_ref edge_block(struct ir_func *f, ir_block_ref from, ir_block_ref to, uint32_t slot)
{
    ir_block_ref edge = ir_block_new(f);
    ir_pred_add(f, edge, from);
    ir_ref jump = ir_jump(f, edge, to);
    if (f->failed)
        return 0;
    f->ins[jump].pos = f->ins[f->blocks[from].last].pos;
    f->blocks[edge].flags =
        (f->blocks[to].flags & IR_BLOCK_COLD) | (f->blocks[from].flags & IR_BLOCK_APART);
    f->pool[f->blocks[to].preds + slot] = edge;
    return edge;
}

/* Edges to B, from blocks that lead elsewhere too, may need a block of their own. */
static bool wants_split(const struct ir_func *f, ir_block_ref b, bool all)
{
    return has_phi(f, b) || (all && f->blocks[b].pred_count > 1);
}

/* The edge from a branch to B can still be split when it is known whether something is moved on it.
 */
static bool can_wait(const struct ir_func *f, ir_block_ref from, ir_block_ref b)
{
    const ir_block_ref *succs = ir_succs(f, from);
    return f->ins[f->blocks[from].last].op == IR_BRANCH && succs[0] != succs[1] && !has_phi(f, b);
}

/* Reverse post-order once more. */
static bool order_again(struct ir_func *f)
{
    uint32_t *memory = ir_scratch(f, 3, 0);
    if (!memory || !ir_order_reserve(f))
        return false;
    f->order_count = ir_reverse_post_order(f, memory + f->block_count, f->order, memory);
    for (uint32_t i = 0; i < f->order_count; i++)
        f->blocks[f->order[i]].rpo = i;
    return true;
}

/* Brings the analyses up to date after blocks from FIRST on were put on edges: nothing changes for
 * the others, provided that where such a block leads to can be reached in another way too. */
static bool analyse_edges(struct ir_func *f, ir_block_ref first)
{
    for (ir_block_ref e = first; e < f->block_count; e++) {
        struct ir_block *edge = &f->blocks[e];
        ir_block_ref from = ir_preds(f, e)[0], to = ir_succs(f, e)[0];
        const struct ir_block *target = &f->blocks[to];
        if (target->pred_count == 1)
            return ir_analyse(f);
        edge->idom = from;
        edge->place = edge->below = f->blocks[from].place;
        /* On the way into a loop it is not yet inside. */
        bool enters = target->flags & IR_BLOCK_LOOP_HEADER && !ir_dominates(f, to, from);
        edge->loop = enters ? target->outer_loop : target->loop;
        edge->loop_depth = edge->loop == IR_NONE ? 0 : f->blocks[edge->loop].loop_depth;
    }
    return order_again(f);
}

static bool split_edges(struct ir_func *f, bool all)
{
    /* slot_of[to]: position of the block under work in to's predecessors. Filled from the targets'
     * lists sorted by source, so that a wide switch costs no search: head[from] starts a chain of
     * (target, slot) records. */
    uint32_t blocks = f->block_count;
    uint64_t records = 0; /* at most */
    for (ir_block_ref b = 0; b < blocks; b++)
        records += f->blocks[b].pred_count;
    uint32_t *memory = records > UINT32_MAX / 8 ? NULL : ir_scratch(f, 2, (uint32_t)records * 3);
    if (!memory || f->failed) {
        f->failed = true;
        return false;
    }
    uint32_t *head = memory, *edge_to = memory + blocks, *record = memory + 2 * (size_t)blocks;
    for (ir_block_ref b = 0; b < blocks; b++)
        head[b] = edge_to[b] = IR_NONE;
    uint32_t used = 0;
    for (ir_block_ref b = 0; b < blocks; b++) {
        if (!wants_split(f, b, all))
            continue;
        for (uint32_t slot = 0; slot < f->blocks[b].pred_count; slot++) {
            ir_block_ref from = f->pool[f->blocks[b].preds + slot];
            if (f->blocks[from].succ_count < 2 || can_wait(f, from, b))
                continue;
            record[used] = b;
            record[used + 1] = slot;
            record[used + 2] = head[from];
            head[from] = used;
            used += 3;
        }
    }
    for (ir_block_ref from = 0; from < blocks; from++) {
        if (head[from] == IR_NONE)
            continue;
        for (uint32_t r = head[from]; r != IR_NONE; r = record[r + 2])
            edge_to[record[r]] = edge_block(f, from, record[r], record[r + 1]);
        if (f->failed)
            return false;
        uint32_t *succs = f->pool + f->blocks[from].succs;
        for (uint32_t i = 0; i < f->blocks[from].succ_count; i++)
            if (edge_to[succs[i]] != IR_NONE)
                succs[i] = edge_to[succs[i]];
        for (uint32_t r = head[from]; r != IR_NONE; r = record[r + 2])
            edge_to[record[r]] = IR_NONE;
    }
    return !used || analyse_edges(f, blocks);
}

bool ir_split_critical_edges(struct ir_func *f)
{
    return split_edges(f, false);
}

bool ir_split_edges(struct ir_func *f)
{
    return split_edges(f, true);
}
