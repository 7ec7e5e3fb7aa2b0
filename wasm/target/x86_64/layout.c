/* The order of blocks in the code: reverse post-order, with each loop in one piece and what is cold
 * at the end. */
#include "target/x86_64/select.h"

#include <string.h>

/* Chains of blocks: of each loop, by its header, and of the function, which counts as loop of the
 * number behind the last block. A nested loop stands in the chain around it by its header, behind
 * which its own chain comes. IR_NONE: the end. */
struct chains {
    uint32_t *next; /* of blocks */
    uint32_t *first, *last;
};

/* How many there are, and how many from branches to what others lead to as well. */
struct edge_counts {
    uint64_t succs, preds, critical;
};

static bool is_cold(const struct ir_func *f, ir_block_ref b)
{
    return f->blocks[b].flags & IR_BLOCK_COLD;
}

/* Chains blocks up and marks the cold ones: what the front end says, what traps, and what such a
 * block dominates, so that definitions keep standing before their uses. */
static struct edge_counts chain_blocks(struct ir_func *f, struct chains chains)
{
    struct edge_counts edges = {0, 0, 0};
    uint32_t entries = f->block_count + 1;
    memset(chains.next, 0xff, entries * sizeof *chains.next);
    memset(chains.first, 0xff, entries * sizeof *chains.first);
    memset(chains.last, 0xff, entries * sizeof *chains.last);
    f->blocks[f->order[0]].flags &= (uint16_t)~IR_BLOCK_COLD;
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        struct ir_block *block = &f->blocks[b];
        edges.succs += block->succ_count;
        edges.preds += block->pred_count;
        for (uint32_t k = 0; k < 2 && block->succ_count == 2; k++)
            edges.critical += f->blocks[f->pool[block->succs + k]].pred_count > 1;
        if (i && (is_cold(f, block->idom) || f->ins[block->last].op == IR_TRAP))
            block->flags |= IR_BLOCK_COLD;
        ir_block_ref loop = block->flags & IR_BLOCK_LOOP_HEADER ? block->outer_loop : block->loop;
        loop = loop == IR_NONE ? f->block_count : loop;
        if (chains.last[loop] == IR_NONE)
            chains.first[loop] = b;
        else
            chains.next[chains.last[loop]] = b;
        chains.last[loop] = b;
    }
    return edges;
}

static void place_block(struct target_compiler *c, ir_block_ref b)
{
    const struct ir_block *from = &c->f->blocks[b];
    c->place.data[b] = c->blocks.count;
    c->blocks.data[c->blocks.count++] = (struct mblock){
        .ir = b,
        .depth = from->loop_depth,
        .cold = is_cold(c->f, b),
        .apart = from->flags & IR_BLOCK_APART,
        .header = from->flags & IR_BLOCK_LOOP_HEADER,
    };
}

/* In the order of the chains, what is cold behind all others. */
static void place_blocks(struct target_compiler *c, struct chains chains)
{
    struct ir_func *f = c->f;
    uint32_t loop = f->block_count, b = chains.first[loop], cold = 0;
    c->blocks.count = 0;
    for (;;) {
        if (b == IR_NONE) {
            if (loop == f->block_count)
                break;
            b = chains.next[loop];
            loop = f->blocks[loop].outer_loop;
            loop = loop == IR_NONE ? f->block_count : loop;
            continue;
        }
        if (is_cold(f, b))
            c->cold_blocks.data[cold++] = b;
        else
            place_block(c, b);
        if (f->blocks[b].flags & IR_BLOCK_LOOP_HEADER && chains.first[b] != IR_NONE) {
            loop = b;
            b = chains.first[b];
        } else {
            b = chains.next[b];
        }
    }
    for (uint32_t i = 0; i < cold; i++)
        place_block(c, c->cold_blocks.data[i]);
}

static struct span span_of(struct span a, struct span b)
{
    return (struct span){a.first < b.first ? a.first : b.first, a.last > b.last ? a.last : b.last};
}

static void add_join(struct target_compiler *c, uint32_t block, struct span from)
{
    uint32_t k = c->joins.count++;
    struct span *group = &c->join_groups.data[k / JOIN_GROUP];
    c->joins.data[k] = (struct join){block, from};
    *group = k % JOIN_GROUP ? span_of(*group, from) : from;
}

bool layout_blocks(struct target_compiler *c)
{
    struct ir_func *f = c->f;
    uint32_t entries = f->block_count + 1, n = f->order_count;
    if (!vec_reserve(c, c->work, (uint64_t)entries * 3))
        return false;
    struct chains chains = {c->work.data, c->work.data + entries,
                            c->work.data + 2 * (size_t)entries};
    struct edge_counts edges = chain_blocks(f, chains);
    uint64_t most = n + edges.critical;
    if (!vec_reserve(c, c->place, f->block_count) || !vec_reserve(c, c->blocks, most) ||
        !vec_reserve(c, c->cold_blocks, n) || !vec_reserve(c, c->pred_first, most + 1) ||
        !vec_reserve(c, c->targets, edges.succs) ||
        !vec_reserve(c, c->preds, edges.preds + edges.critical) ||
        !vec_reserve(c, c->joins, (uint64_t)n + JOIN_GROUP) ||
        !vec_reserve(c, c->join_groups, n / JOIN_GROUP + 1) ||
        !vec_reserve(c, c->join_from, (uint64_t)n + 2))
        return false;
    c->split_most = (uint32_t)edges.critical;
    place_blocks(c, chains);
    const uint32_t *place = c->place.data;
    n = c->blocks.count;
    uint32_t *targets = c->targets.data, *preds = c->preds.data;
    c->joins.count = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct mblock *b = &c->blocks.data[i];
        const struct ir_block *block = &f->blocks[b->ir];
        b->succs = (uint32_t)(targets - c->targets.data);
        b->succ_count = block->succ_count;
        for (uint32_t k = 0; k < block->succ_count; k++)
            *targets++ = place[f->pool[block->succs + k]];
        struct span from = {UINT32_MAX, 0};
        c->pred_first.data[i] = (uint32_t)(preds - c->preds.data);
        for (uint32_t k = 0; k < block->pred_count; k++) {
            uint32_t pred = place[f->pool[block->preds + k]];
            *preds++ = pred;
            from = span_of(from, (struct span){pred, pred});
        }
        c->join_from.data[i] = c->joins.count;
        if (from.first != i - 1 || from.last != i - 1)
            add_join(c, i, from);
    }
    c->targets.count = (uint32_t)(targets - c->targets.data);
    c->pred_first.data[n] = c->preds.count = (uint32_t)(preds - c->preds.data);
    c->join_from.data[n] = c->join_from.data[n + 1] = c->joins.count;
    for (unsigned k = 0; k < JOIN_GROUP; k++) /* as far as a step over the last group leads */
        c->joins.data[c->joins.count + k].block = UINT32_MAX;
    return true;
}
