/* Edges from a branch to a block that others lead to as well get a block of their own only where
 * something must be moved on them, which is known after allocation: most need none. */
#include "target/x86_64/mir.h"

uint32_t edge_position(struct target_compiler *c, uint32_t pred, uint32_t to)
{
    uint32_t from = c->preds.data[pred];
    struct mblock *branch = &c->blocks.data[from];
    unsigned way = c->targets.data[branch->succs] != to;
    if (!branch->split[way]) {
        struct split_edge edge = {from, branch->succs + way, pred};
        if (!vec_push(c, c->split_edges, edge))
            return 0;
        branch->split[way] = c->split_edges.count;
    }
    return 2 * (c->ins.count + branch->split[way] - 1);
}

/* There is room for all, but for instructions and targets. */
static bool make(struct target_compiler *c, const struct split_edge *edge)
{
    uint32_t i = c->ins.count, b = c->blocks.count++, to = c->targets.data[edge->target];
    struct mins jump = {.op = M_JMP, .pos = c->ins.data[c->blocks.data[edge->from].end - 1].pos};
    if (!vec_push(c, c->ins, jump) || !vec_push(c, c->targets, to))
        return false;
    const struct mblock *from = &c->blocks.data[edge->from], *behind = &c->blocks.data[to];
    bool inner = from->depth > behind->depth; /* from inside a loop to outside */
    c->blocks.data[b] = (struct mblock){
        .first = i,
        .end = i + 1,
        .succs = c->targets.count - 1,
        .succ_count = 1,
        .ir = from->ir,
        .depth = inner ? behind->depth : from->depth,
        .cold = from->cold || behind->cold,
        .apart = from->apart,
    };
    c->targets.data[edge->target] = b;
    c->block_of.data[i] = b;
    c->starts.data[b] = 2 * i;
    c->starts.data[b + 1] = 2 * (i + 1);
    if (c->loop_of.data)
        c->loop_of.data[b] = c->loop_of.data[inner ? to : edge->from];
    c->preds.data[edge->pred] = b;
    c->preds.data[c->preds.count++] = edge->from;
    c->pred_first.data[b + 1] = c->preds.count;
    return true;
}

bool edges_make(struct target_compiler *c)
{
    for (uint32_t k = 0; k < c->split_edges.count; k++)
        if (!make(c, &c->split_edges.data[k]))
            return false;
    return true;
}
