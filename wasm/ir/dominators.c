/* Reverse post-order by depth-first search and immediate dominators by Lengauer and Tarjan's
 * algorithm with path compression (O(m log n), whatever the shape of the graph: the simpler
 * iterative algorithm is quadratic for a long run of branches to one label, which an attacker can
 * write). */
#include "ir/dominators.h"
#include "host.h"

#include <string.h>

uint32_t *ir_scratch(struct ir_func *f, uint32_t arrays, uint32_t extra)
{
    uint64_t needed = (uint64_t)arrays * f->block_count + extra;
    if (needed > UINT32_MAX / 2) {
        f->failed = true;
        return NULL;
    }
    if (needed > f->scratch_capacity) {
        uint32_t capacity = f->scratch_capacity > 512 ? f->scratch_capacity : 512;
        while (capacity < needed)
            capacity *= 2;
        uint32_t *bigger = wasm_host_alloc((size_t)capacity * sizeof *bigger);
        if (!bigger) {
            f->failed = true;
            return NULL;
        }
        wasm_host_free(f->scratch);
        f->scratch = bigger;
        f->scratch_capacity = capacity;
    }
    return f->scratch;
}

/* The state of Lengauer-Tarjan, all in depth-first numbers. */
struct forest {
    uint32_t *parent, *semi, *ancestor, *label, *stack;
};

/* The vertex with the smallest semidominator on the path from V to the root of its tree so far. */
static uint32_t eval(struct forest *t, uint32_t v)
{
    if (t->ancestor[v] == IR_NONE)
        return v;
    uint32_t depth = 0;
    for (uint32_t x = v; t->ancestor[t->ancestor[x]] != IR_NONE; x = t->ancestor[x])
        t->stack[depth++] = x;
    while (depth) {
        uint32_t x = t->stack[--depth], above = t->ancestor[x];
        if (t->semi[t->label[above]] < t->semi[t->label[x]])
            t->label[x] = t->label[above];
        t->ancestor[x] = t->ancestor[above];
    }
    return t->label[v];
}

void ir_dominator_tree(const struct ir_func *f, uint32_t *memory, struct ir_tree *tree)
{
    uint32_t n = f->block_count;
    uint32_t *array[IR_TREE_ARRAYS];
    for (uint32_t i = 0; i < IR_TREE_ARRAYS; i++)
        array[i] = memory + (size_t)i * n;
    tree->order = array[0];
    tree->rpo = array[1];
    tree->idom = array[2];
    tree->first = array[3];
    tree->size = array[4];
    tree->order_count = 0;
    if (!n)
        return;

    uint32_t *number = array[5], *vertex = array[6];
    struct forest forest = {array[7], array[8], array[9], array[10], array[11]};
    uint32_t *next_succ = tree->size, *stack = forest.stack; /* of the search */
    memset(number, 0xff, n * sizeof *number);
    memset(tree->rpo, 0xff, n * sizeof *tree->rpo);

    /* Depth first; blocks get their number on the way in and are listed on the way out. */
    uint32_t count = 0, finished = 0, depth = 0;
    number[0] = count++;
    vertex[0] = 0;
    forest.parent[0] = 0;
    next_succ[0] = 0;
    stack[depth++] = 0;
    while (depth) {
        ir_block_ref b = stack[depth - 1];
        if (next_succ[b] == f->blocks[b].succ_count) {
            tree->order[finished++] = b;
            depth--;
            continue;
        }
        ir_block_ref s = f->pool[f->blocks[b].succs + next_succ[b]++];
        if (number[s] != IR_NONE)
            continue;
        number[s] = count++;
        vertex[number[s]] = s;
        forest.parent[number[s]] = number[b];
        next_succ[s] = 0;
        stack[depth++] = s;
    }
    for (uint32_t i = 0; i < count / 2; i++) {
        ir_block_ref b = tree->order[i];
        tree->order[i] = tree->order[count - 1 - i];
        tree->order[count - 1 - i] = b;
    }
    for (uint32_t i = 0; i < count; i++)
        tree->rpo[tree->order[i]] = i;
    tree->order_count = count;

    uint32_t *bucket = tree->first, *bucket_next = tree->size, *idom = tree->idom; /* by number */
    for (uint32_t i = 0; i < count; i++) {
        forest.semi[i] = forest.label[i] = i;
        forest.ancestor[i] = bucket[i] = IR_NONE;
    }
    idom[0] = 0;
    for (uint32_t w = count; w-- > 1;) {
        const struct ir_block *b = &f->blocks[vertex[w]];
        for (uint32_t i = 0; i < b->pred_count; i++) {
            uint32_t v = number[f->pool[b->preds + i]];
            if (v == IR_NONE)
                continue;
            uint32_t semi = forest.semi[eval(&forest, v)];
            if (semi < forest.semi[w])
                forest.semi[w] = semi;
        }
        bucket_next[w] = bucket[forest.semi[w]];
        bucket[forest.semi[w]] = w;
        uint32_t parent = forest.parent[w];
        forest.ancestor[w] = parent;
        for (uint32_t v = bucket[parent]; v != IR_NONE; v = bucket_next[v]) {
            uint32_t u = eval(&forest, v);
            idom[v] = forest.semi[u] < forest.semi[v] ? u : parent;
        }
        bucket[parent] = IR_NONE;
    }
    for (uint32_t w = 1; w < count; w++)
        if (idom[w] != forest.semi[w])
            idom[w] = idom[idom[w]];

    /* From numbers to blocks, through arrays that are free by now. */
    memcpy(forest.label, idom, count * sizeof *idom);
    memset(tree->idom, 0xff, n * sizeof *tree->idom);
    for (uint32_t w = 0; w < count; w++)
        tree->idom[vertex[w]] = vertex[forest.label[w]];

    /* Intervals of the dominator tree: sizes from the leaves up, places from the root down. */
    uint32_t *place = forest.semi;
    memset(tree->first, 0xff, n * sizeof *tree->first);
    memset(tree->size, 0, n * sizeof *tree->size);
    for (uint32_t i = count; i-- > 0;) {
        ir_block_ref b = tree->order[i];
        tree->size[b]++;
        if (b)
            tree->size[tree->idom[b]] += tree->size[b];
    }
    tree->first[0] = 0;
    place[0] = 1;
    for (uint32_t i = 1; i < count; i++) {
        ir_block_ref b = tree->order[i];
        tree->first[b] = place[tree->idom[b]];
        place[tree->idom[b]] += tree->size[b];
        place[b] = tree->first[b] + 1;
    }
}
