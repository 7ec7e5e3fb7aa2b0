/* Reverse post-order by depth-first search, and immediate dominators: by the algorithm of Cooper,
 * Harvey and Kennedy ("A Simple, Fast Dominance Algorithm", 2001), which for a reducible graph is
 * done after one walk in that order, or by that of Lengauer and Tarjan with path compression, which
 * is O(m log n) whatever the shape of the graph. The latter is for what has loops with several
 * entries and for shapes on which the former takes long: it is quadratic at worst, and an attacker
 * can write the worst. */
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

uint32_t ir_reverse_post_order(const struct ir_func *f, uint32_t *memory, ir_block_ref *order,
                               uint32_t *rpo)
{
    uint32_t n = f->block_count, *stack = memory, *next_succ = memory + n; /* the latter by depth */
    uint32_t place = n, depth = 0;
    memset(rpo, 0xff, n * sizeof *rpo);
    if (!n)
        return 0;
    rpo[0] = 0; /* anything but IR_NONE: seen */
    stack[depth] = 0;
    next_succ[depth++] = 0;
    while (depth) {
        ir_block_ref b = stack[depth - 1];
        const struct ir_block *block = &f->blocks[b];
        if (next_succ[depth - 1] == block->succ_count) {
            order[--place] = b;
            rpo[b] = place;
            depth--;
            continue;
        }
        ir_block_ref s = f->pool[block->succs + next_succ[depth - 1]++];
        if (rpo[s] != IR_NONE)
            continue;
        rpo[s] = 0;
        stack[depth] = s;
        next_succ[depth++] = 0;
    }
    uint32_t count = n - place;
    if (place) {
        memmove(order, order + place, count * sizeof *order);
        for (uint32_t i = 0; i < count; i++)
            rpo[order[i]] = i;
    }
    return count;
}

/* Up from places A and B to where both ways meet; STEPS counts. */
static uint32_t common_dominator(const uint32_t *idom, uint32_t a, uint32_t b, uint64_t *steps)
{
    while (a != b) {
        if (a > b)
            a = idom[a];
        else
            b = idom[b];
        ++*steps;
    }
    return a;
}

/* Immediate dominators if what comes from later places of the order is left out, which changes
 * nothing in a reducible graph. Notes in headers where it was left out. False: the dominators would
 * take too long. */
static bool forward_dominators(const struct ir_func *f, struct ir_tree *tree)
{
    uint64_t steps = 0, budget = 4 * (uint64_t)tree->order_count + 64;
    tree->header_count = 0;
    tree->idom[0] = 0;
    for (uint32_t i = 0; i < tree->order_count; i++) {
        const struct ir_block *b = &f->blocks[tree->order[i]];
        const ir_block_ref *preds = f->pool + b->preds;
        uint32_t idom = IR_NONE;
        bool header = false;
        budget += 4 * (uint64_t)b->pred_count;
        /* From the last one: they stand in about the order of the code, so each is likely to
         * dominate the one before in this walk. */
        for (uint32_t p = b->pred_count; p-- > 0;) {
            uint32_t from = tree->rpo[preds[p]];
            if (from >= i)
                header |= from != IR_NONE;
            else if (idom == IR_NONE)
                idom = from;
            else if (steps <= budget)
                idom = common_dominator(tree->idom, from, idom, &steps);
        }
        if (header)
            tree->headers[tree->header_count++] = i;
        if (i)
            tree->idom[i] = idom;
    }
    return steps <= budget;
}

/* Intervals of the dominator tree: sizes from the leaves up, places from the root down. */
static void number_tree(struct ir_tree *tree, uint32_t *next)
{
    uint32_t count = tree->order_count;
    for (uint32_t i = 0; i < count; i++)
        tree->size[i] = 1;
    for (uint32_t i = count; i-- > 1;)
        tree->size[tree->idom[i]] += tree->size[i];
    tree->first[0] = 0;
    next[0] = 1;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t idom = tree->idom[i], first = next[idom];
        tree->first[i] = first;
        next[i] = first + 1;
        next[idom] = first + tree->size[i];
    }
}

/* Whether every edge against the order leads to a dominator, as in a reducible graph. */
static bool is_reducible(const struct ir_func *f, const struct ir_tree *tree)
{
    for (uint32_t h = 0; h < tree->header_count; h++) {
        uint32_t header = tree->headers[h];
        const struct ir_block *b = &f->blocks[tree->order[header]];
        for (uint32_t p = 0; p < b->pred_count; p++) {
            uint32_t from = tree->rpo[f->pool[b->preds + p]];
            if (from >= header && from != IR_NONE && !ir_tree_dominates(tree, header, from))
                return false;
        }
    }
    return true;
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

/* MEMORY: eight arrays; first and size serve for a while. */
static void lengauer_tarjan(const struct ir_func *f, uint32_t *memory, struct ir_tree *tree)
{
    uint32_t n = f->block_count;
    uint32_t *number = memory, *vertex = memory + n, *idom = memory + 2 * (size_t)n; /* by number */
    struct forest forest = {memory + 3 * (size_t)n, memory + 4 * (size_t)n, memory + 5 * (size_t)n,
                            memory + 6 * (size_t)n, memory + 7 * (size_t)n};
    uint32_t *next_succ = tree->size, *stack = forest.stack; /* of the search */
    memset(number, 0xff, n * sizeof *number);

    /* Depth first as before; blocks get their number on the way in. */
    uint32_t count = 0, depth = 0;
    number[0] = count++;
    vertex[0] = 0;
    forest.parent[0] = 0;
    next_succ[0] = 0;
    stack[depth++] = 0;
    while (depth) {
        ir_block_ref b = stack[depth - 1];
        if (next_succ[b] == f->blocks[b].succ_count) {
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

    uint32_t *bucket = tree->first, *bucket_next = tree->size; /* by number */
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

    for (uint32_t w = 0; w < count; w++)
        tree->idom[tree->rpo[vertex[w]]] = tree->rpo[vertex[idom[w]]];
}

void ir_dominator_tree(const struct ir_func *f, uint32_t *memory, struct ir_tree *tree)
{
    size_t n = f->block_count;
    *tree = (struct ir_tree){.order = memory,
                             .rpo = memory + n,
                             .idom = memory + 2 * n,
                             .first = memory + 3 * n,
                             .size = memory + 4 * n,
                             .headers = memory + 5 * n};
    memory += 6 * n;
    tree->order_count = ir_reverse_post_order(f, memory, tree->order, tree->rpo);
    if (!n)
        return;
    if (forward_dominators(f, tree)) {
        number_tree(tree, memory);
        if (!tree->header_count || is_reducible(f, tree))
            return;
    }
    lengauer_tarjan(f, memory, tree);
    number_tree(tree, memory);
}
