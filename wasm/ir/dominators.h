/* Depth-first order and dominators over a function's blocks, shared by the analyses and the
 * verifier. Internal to ir/. */
#ifndef QUINCE_WASM_IR_DOMINATORS_H
#define QUINCE_WASM_IR_DOMINATORS_H

#include "ir/ir.h"

/* Arrays of block_count entries each. Blocks that can be reached are told by their place in the
 * order: places are what the arrays but rpo are indexed by, and what all but order contain. */
struct ir_tree {
    ir_block_ref *order; /* reachable blocks in reverse post-order */
    uint32_t *rpo;       /* place therein of a block; IR_NONE: it cannot be reached */
    uint32_t *idom;      /* of the entry: the entry */
    uint32_t *first;     /* A dominates B: first[A] <= first[B] < first[A] + size[A] */
    uint32_t *size;
    uint32_t *headers; /* where an edge from the same or a later place leads, ascending */
    uint32_t order_count, header_count;
};
/* Memory ir_dominator_tree() needs, in arrays of block_count entries. What it finds stands in the
 * first IR_TREE_RESULTS, the others are free afterwards. */
#define IR_TREE_ARRAYS  14
#define IR_TREE_RESULTS 6

/* Needs correct successors and predecessors of reachable blocks. */
void ir_dominator_tree(const struct ir_func *f, uint32_t *memory, struct ir_tree *tree);

/* Fills ORDER and RPO as above, both with room for block_count entries; MEMORY: two arrays more.
 * How many blocks can be reached. */
uint32_t ir_reverse_post_order(const struct ir_func *f, uint32_t *memory, ir_block_ref *order,
                               uint32_t *rpo);

/* Of places in the order. */
static inline bool ir_tree_dominates(const struct ir_tree *t, uint32_t a, uint32_t b)
{
    return t->first[b] - t->first[a] < t->size[a]; /* below first[a] it wraps */
}

/* f->scratch with at least ARRAYS × block_count + EXTRA entries; NULL when memory is short. */
uint32_t *ir_scratch(struct ir_func *f, uint32_t arrays, uint32_t extra);

/* Room for all blocks in f->order. */
bool ir_order_reserve(struct ir_func *f);

#endif
