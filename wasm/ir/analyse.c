/* What every pass wants to know of the control flow: order, dominators, loops. Also drops what
 * cannot be reached. */
#include "ir/dominators.h"
#include "host.h"

#include <string.h>

/* Takes unreachable predecessors out of B's list and the corresponding entries out of its phis. */
static void filter_preds(struct ir_func *f, ir_block_ref block, const struct ir_tree *tree)
{
    struct ir_block *b = &f->blocks[block];
    uint32_t *preds = f->pool + b->preds, kept = 0;
    for (uint32_t i = 0; i < b->pred_count; i++)
        kept += tree->rpo[preds[i]] != IR_NONE;
    if (kept == b->pred_count)
        return;
    for (ir_ref r = b->first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        uint32_t *list = f->pool + f->ins[r].list, count = 0;
        for (uint32_t i = 0; i < f->ins[r].count; i++)
            if (tree->rpo[preds[i]] != IR_NONE)
                list[count++] = list[i];
        f->ins[r].count = count;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->pred_count; i++)
        if (tree->rpo[preds[i]] != IR_NONE)
            preds[count++] = preds[i];
    b->pred_count = count;
}

static void drop_block(struct ir_func *f, ir_block_ref block)
{
    struct ir_block *b = &f->blocks[block];
    for (ir_ref r = b->first, next; r; r = next) {
        next = f->ins[r].next;
        f->ins[r].op = IR_NOP;
        f->ins[r].a = f->ins[r].b = f->ins[r].c = 0;
        f->ins[r].prev = f->ins[r].next = 0;
    }
    memset(b, 0, sizeof *b);
    b->loop = b->outer_loop = b->idom = b->rpo = IR_NONE;
    b->flags = IR_BLOCK_UNREACHABLE;
}

static uint32_t find(uint32_t *loop_of, uint32_t b)
{
    while (loop_of[b] != b) {
        loop_of[b] = loop_of[loop_of[b]];
        b = loop_of[b];
    }
    return b;
}

/* Natural loops, inner ones first. A loop once found is represented by its header, so that an outer
 * loop steps over it at once. What leads against the order to a block that does not dominate it
 * makes no loop. */
static void find_loops(struct ir_func *f, const struct ir_tree *tree, uint32_t *loop_of,
                       uint32_t *work)
{
    for (uint32_t i = 0; i < tree->order_count; i++)
        loop_of[tree->order[i]] = tree->order[i];
    for (uint32_t i = tree->header_count; i-- > 0;) {
        uint32_t place = tree->headers[i], depth = 0;
        ir_block_ref header = tree->order[place], from = header;
        struct ir_block *h = &f->blocks[header];
        /* The first round looks at the back edges, later ones at all ways into a member. */
        for (;;) {
            const struct ir_block *b = &f->blocks[from];
            for (uint32_t p = 0; p < b->pred_count; p++) {
                ir_block_ref pred = f->pool[b->preds + p];
                if (from == header) {
                    if (!ir_tree_dominates(tree, place, tree->rpo[pred]))
                        continue;
                    h->flags |= IR_BLOCK_LOOP_HEADER;
                    h->loop = header;
                }
                ir_block_ref member = find(loop_of, pred);
                if (member == header)
                    continue;
                loop_of[member] = header;
                if (f->blocks[member].flags & IR_BLOCK_LOOP_HEADER)
                    f->blocks[member].outer_loop = header;
                else
                    f->blocks[member].loop = header;
                work[depth++] = member;
            }
            if (!depth)
                break;
            from = work[--depth];
        }
    }
    for (uint32_t i = 0; i < tree->order_count; i++) {
        struct ir_block *b = &f->blocks[tree->order[i]];
        ir_block_ref around = b->flags & IR_BLOCK_LOOP_HEADER ? b->outer_loop : b->loop;
        uint32_t depth = around == IR_NONE ? 0 : f->blocks[around].loop_depth;
        if (b->flags & IR_BLOCK_LOOP_HEADER && depth < UINT16_MAX)
            depth++;
        b->loop_depth = (uint16_t)depth;
    }
}

bool ir_order_reserve(struct ir_func *f)
{
    if (f->order_capacity >= f->block_count)
        return true;
    ir_block_ref *order = wasm_host_realloc(f->order, f->block_capacity * sizeof *order);
    if (!order) {
        f->failed = true;
        return false;
    }
    f->order = order;
    f->order_capacity = f->block_capacity;
    return true;
}

bool ir_analyse(struct ir_func *f)
{
    uint32_t *memory = f->failed ? NULL : ir_scratch(f, IR_TREE_ARRAYS, 0);
    if (!memory || !ir_order_reserve(f))
        return false;
    struct ir_tree tree;
    ir_dominator_tree(f, memory, &tree);
    if (tree.order_count < f->block_count) {
        for (uint32_t i = 0; i < tree.order_count; i++)
            filter_preds(f, tree.order[i], &tree);
        for (ir_block_ref b = 0; b < f->block_count; b++)
            if (tree.rpo[b] == IR_NONE)
                drop_block(f, b);
    }
    f->order_count = tree.order_count;
    for (uint32_t i = 0; i < tree.order_count; i++) {
        ir_block_ref b = f->order[i] = tree.order[i];
        struct ir_block *block = &f->blocks[b];
        block->rpo = i;
        block->idom = tree.order[tree.idom[i]];
        block->place = tree.first[i];
        block->below = tree.first[i] + tree.size[i];
        block->loop = block->outer_loop = IR_NONE;
        block->loop_depth = 0;
        block->flags &= IR_BLOCK_GIVEN;
    }
    for (uint32_t i = 0; i < tree.header_count; i++)
        f->blocks[tree.order[tree.headers[i]]].flags |= IR_BLOCK_COMES_BACK;
    uint32_t *free_memory = memory + (size_t)IR_TREE_RESULTS * f->block_count;
    if (tree.header_count)
        find_loops(f, &tree, free_memory, free_memory + f->block_count);
    return true;
}
