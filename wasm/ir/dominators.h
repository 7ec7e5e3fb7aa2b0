/* Depth-first order and dominators over a function's blocks, shared by the analyses and the
 * verifier. Internal to ir/. */
#ifndef QUINCE_WASM_IR_DOMINATORS_H
#define QUINCE_WASM_IR_DOMINATORS_H

#include "ir/ir.h"

/* Arrays of block_count entries each. Blocks that cannot be reached from the entry have IR_NONE. */
struct ir_tree {
    ir_block_ref *order; /* reachable blocks in reverse post-order */
    uint32_t *rpo;       /* position therein */
    ir_block_ref *idom;  /* of the entry: the entry */
    uint32_t *first;     /* A dominates B: first[A] <= first[B] < first[A] + size[A] */
    uint32_t *size;
    uint32_t order_count;
};
#define IR_TREE_ARRAYS 12 /* memory ir_dominator_tree() needs, in arrays of block_count entries */

/* Needs correct successors and predecessors of reachable blocks. */
void ir_dominator_tree(const struct ir_func *f, uint32_t *memory, struct ir_tree *tree);

static inline bool ir_tree_dominates(const struct ir_tree *t, ir_block_ref a, ir_block_ref b)
{
    return t->first[a] <= t->first[b] && t->first[b] < t->first[a] + t->size[a];
}

/* f->scratch with at least ARRAYS × block_count + EXTRA entries; NULL when memory is short. */
uint32_t *ir_scratch(struct ir_func *f, uint32_t arrays, uint32_t extra);

/* Room for all blocks in f->order. */
bool ir_order_reserve(struct ir_func *f);

#endif
