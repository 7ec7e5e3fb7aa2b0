/* Vectorising: several rounds of a loop at once. Loops of one block are looked at whose operations
 * on memory go through consecutive elements: vectorise_match.c says which, vectorise_emit.c makes
 * the code, which leaves to the scalar loop what it cannot do, and the last rounds.
 *
 * Nothing can be seen of it: floating-point values are computed by the same operations (sums in a
 * loop are left alone), and where an access would trap, or one touch what another has stored a few
 * elements before, the scalar loop runs. */
#include "opt/repair.h"
#include "opt/vectorise.h"
#include "host.h"

#include <string.h>

enum {
    LOOPS_MAX = 64,       /* in a function */
    GROWTH = 2,           /* a function grows by half of it */
    GROWTH_ALWAYS = 2000, /* and instructions more */
};

/* A loop of one block that touches memory and might do. The predecessor outside, IR_NONE: no. */
static inline ir_block_ref candidate(const struct ir_func *f, ir_block_ref b)
{
    const struct ir_block *block = &f->blocks[b];
    if (!(block->flags & IR_BLOCK_LOOP_HEADER) || block->pred_count != 2 ||
        f->ins[block->last].op != IR_BRANCH)
        return IR_NONE;
    const ir_block_ref *preds = ir_preds(f, b), *succs = ir_succs(f, b);
    if ((succs[0] == b) == (succs[1] == b) || (preds[0] == b) == (preds[1] == b))
        return IR_NONE;
    bool has_memory = false;
    uint32_t count = 0;
    for (ir_ref r = block->first; r; r = f->ins[r].next) {
        unsigned op = f->ins[r].op;
        if (++count >= VEC_BODY)
            return IR_NONE;
        if (op == IR_LOAD || op == IR_STORE)
            has_memory = true;
        else if (op != IR_PHI && op != IR_BRANCH && !(ir_flags[op] & IR_P))
            return IR_NONE;
    }
    return has_memory ? preds[preds[0] == b] : IR_NONE;
}

/* Marks what of the loops LOOPS is used outside of its block, and of it and the loop around. */
static bool mark_wanted(struct ir_func *f, const ir_block_ref *loops, uint32_t count)
{
    uint8_t *loop_of =
        wasm_host_alloc(f->block_count); /* its number and 1, also of what is around */
    if (!loop_of)
        return false;
    memset(loop_of, 0, f->block_count);
    for (uint32_t i = 0; i < count; i++) {
        ir_block_ref around[3] = {loops[i]};
        around[1] = vec_nest_around(f, loops[i], &around[2]);
        for (unsigned k = 0; k < (around[1] == IR_NONE ? 1 : 3); k++) {
            loop_of[around[k]] = (uint8_t)(i + 1);
            for (ir_ref r = f->blocks[around[k]].first; r; r = f->ins[r].next)
                f->ins[r].mark = 0;
        }
    }
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            ir_block_ref b = f->ins[r].block;
            uint32_t operands = ir_operand_count(&f->ins[r]);
            for (uint32_t k = 0; k < operands; k++) {
                struct ir_ins *used = &f->ins[*ir_operand(f, &f->ins[r], k)];
                if (!loop_of[used->block] || used->block == b)
                    continue;
                used->mark |= VEC_WANTED;
                if (loop_of[used->block] != loop_of[b])
                    used->mark |= VEC_WANTED_NEST;
            }
        }
    wasm_host_free(loop_of);
    return true;
}

static void sort_defs(struct repair_def *defs, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = i; k && defs[k - 1].original > defs[k].original; k--) {
            struct repair_def d = defs[k];
            defs[k] = defs[k - 1];
            defs[k - 1] = d;
        }
}

struct vectoriser {
    struct vec_loop loop;
    struct repair_def defs[LOOPS_MAX * VEC_PHIS];
    uint32_t def_count;
    bool changed, in_loops; /* a loop, one inside of others */
};

/* Describes loop B if it is worth it. */
static bool begin(struct vectoriser *w, struct ir_func *f, ir_block_ref b)
{
    ir_block_ref before = candidate(f, b);
    if (before == IR_NONE)
        return false;
    uint32_t entries = 0;
    for (uint32_t k = 0; k < f->blocks[before].succ_count; k++)
        entries += ir_succs(f, before)[k] == b;
    return entries == 1 && vec_begin(&w->loop, f, b, before);
}

static bool visit(struct vectoriser *w, struct ir_func *f, ir_block_ref b)
{
    struct vec_loop *v = &w->loop;
    bool changed = false, good;
    if (candidate(f, b) == IR_NONE)
        return true;
    if (begin(w, f, b) && vec_match(v)) {
        vec_limit_repairs(v, w->def_count);
        changed = true;
        good = vec_emit(v, w->defs, &w->def_count);
    } else {
        good = vec_nest(v, f, b, w->defs, &w->def_count, &changed);
    }
    w->changed |= changed;
    w->in_loops |= changed && f->blocks[v->block].outer_loop != IR_NONE;
    return good;
}

bool opt_vectorise(struct ir_func *f)
{
    ir_block_ref loops[LOOPS_MAX];
    uint32_t count = 0, limit = f->ins_count + f->ins_count / GROWTH + GROWTH_ALWAYS;
    struct vectoriser *w = NULL;
    /* Before anything is known of what is wanted: most loops cannot be done anyway. */
    for (uint32_t i = 0; i < f->order_count && count < LOOPS_MAX; i++) {
        ir_block_ref latch;
        if (candidate(f, f->order[i]) == IR_NONE)
            continue;
        if (!w && !(w = wasm_host_alloc(sizeof *w)))
            return false;
        if (vec_nest_around(f, f->order[i], &latch) != IR_NONE ||
            (begin(w, f, f->order[i]) && vec_match(&w->loop)))
            loops[count++] = f->order[i];
    }
    if (!count) {
        wasm_host_free(w);
        return true;
    }
    w->def_count = 0;
    w->changed = w->in_loops = false;
    bool good = mark_wanted(f, loops, count);
    for (uint32_t i = 0; i < count && good && f->ins_count < limit; i++)
        good = visit(w, f, loops[i]);
    if (good && w->changed) {
        sort_defs(w->defs, w->def_count);
        good = ir_analyse(f) && (!w->def_count || repair_ssa(f, w->defs, w->def_count));
    }
    /* Much of the tests does not change in the loops around. */
    if (good && w->in_loops)
        good = opt_licm(f);
    wasm_host_free(w);
    return good;
}
