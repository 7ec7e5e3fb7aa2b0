/* Jump threading. Where a block decides, by a switch or branch, on a value that is a constant for
 * whoever comes a certain way, that way gets a copy of the blocks up to the decision and jumps on
 * from there: a state machine goes from state to state without its dispatch, and every state gets
 * an indirect jump, if one remains, of its own.
 *
 * The way back from a decision leads through single predecessors to the phi it depends on; from an
 * operand of it that is a phi in turn it goes on. Bounded: so many blocks and instructions on a
 * way, so many ways and instructions in a function. Calls are not copied. What was defined on the
 * way has several definitions then: repair.c. */
#include "opt/fold.h"
#include "opt/repair.h"
#include "host.h"

#include <string.h>

enum {
    WAY_BLOCKS = 8,
    WAY_PHIS = 4,       /* on the way back from a switch */
    WAY_SIZE = 56,      /* instructions to copy for a switch */
    BRANCH_SIZE = 10,   /* and for a branch */
    WAYS_MAX = 24,      /* in a function */
    PREDS_MAX = 64,     /* of the blocks involved */
    PHIS_MAX = 32,      /* of a block that a way leads to */
    SUCCS_MAX = 4,      /* of a block on a way before the decision */
    VALUE_STEPS = 3,    /* between phi and decision */
    REPAIR_FACTOR = 16, /* originals × blocks, of the function's instructions */
};

/* From block FROM over the edge to blocks[0] and so on to the last one, which then goes to TO. */
struct way {
    ir_block_ref from, blocks[WAY_BLOCKS], to;
    uint32_t length;
};

struct threader {
    struct ir_func *f;
    struct way ways[WAYS_MAX];
    uint32_t way_count, copied; /* instructions to copy */
    struct repair_def *defs;
    uint32_t def_count, def_capacity;
};

/* What block D decides on: phi op constants. */
struct decision {
    ir_block_ref block;
    ir_ref phi, steps[VALUE_STEPS]; /* the last step is the first on the way from the phi */
    uint32_t count;
};

static bool find_decision(const struct ir_func *f, ir_block_ref d, struct decision *decision)
{
    if (f->blocks[d].succ_count < 2)
        return false;
    *decision = (struct decision){.block = d};
    for (ir_ref r = f->ins[f->blocks[d].last].a;; r = f->ins[r].a) {
        const struct ir_ins *ins = &f->ins[r];
        int64_t k;
        if (ins->op == IR_PHI) {
            decision->phi = r;
            return true;
        }
        bool step =
            ins->op == IR_EQZ ||
            (((ins->op >= IR_EQ && ins->op <= IR_GE_U) || ins->op == IR_ADD || ins->op == IR_AND) &&
             opt_const(f, ins->b, &k));
        if (!step || decision->count == VALUE_STEPS)
            return false;
        decision->steps[decision->count++] = r;
    }
}

/* Where the decision goes when its phi is the constant REF. */
static ir_block_ref decide(const struct ir_func *f, const struct decision *d, ir_ref ref)
{
    int64_t value, k = 0;
    if (!opt_const(f, ref, &value))
        return IR_NONE;
    bool is_64 = f->ins[ref].type == IR_I64;
    for (uint32_t i = d->count; i-- > 0;) {
        const struct ir_ins *ins = &f->ins[d->steps[i]];
        uint64_t result;
        if (ins->op != IR_EQZ)
            opt_const(f, ins->b, &k);
        if (!fold_value(ins->op == IR_EQZ ? IR_EQ : ins->op, value, ins->op == IR_EQZ ? 0 : k,
                        is_64, &result))
            return IR_NONE;
        is_64 = ins->type == IR_I64;
        value = is_64 ? (int64_t)result : (int32_t)result;
    }
    const struct ir_block *block = &f->blocks[d->block];
    const ir_block_ref *succs = ir_succs(f, d->block);
    if (f->ins[block->last].op == IR_BRANCH)
        return succs[(uint32_t)value ? 0 : 1];
    return succs[(uint32_t)value < block->succ_count ? (uint32_t)value : block->succ_count - 1];
}

/* Instructions a copy of B has; more than LIMIT if it cannot be copied. */
static uint32_t copy_size(const struct ir_func *f, ir_block_ref b, uint32_t limit)
{
    uint32_t size = 0;
    for (ir_ref r = f->blocks[b].first; r && size <= limit; r = f->ins[r].next) {
        unsigned flags = ir_flags[f->ins[r].op];
        if (flags & IR_K || f->ins[r].op == IR_RESULT || f->ins[r].op == IR_PARAM)
            return limit + 1;
        size += f->ins[r].op != IR_CONST;
    }
    return size;
}

static bool on_way(const struct way *way, ir_block_ref b)
{
    for (uint32_t i = 0; i < way->length; i++)
        if (way->blocks[i] == b)
            return true;
    return false;
}

/* Puts B before the way, and its single predecessors, up to block UP. */
static bool extend(const struct ir_func *f, struct way *way, ir_block_ref b, ir_block_ref up,
                   uint32_t limit, uint32_t *size)
{
    for (;; b = ir_preds(f, b)[0]) {
        if (way->length == WAY_BLOCKS || on_way(way, b))
            return false;
        *size += copy_size(f, b, limit);
        if (*size > limit)
            return false;
        memmove(way->blocks + 1, way->blocks, way->length * sizeof *way->blocks);
        way->blocks[0] = b;
        way->length++;
        if (b == up)
            return true;
        if (f->blocks[b].pred_count != 1)
            return false;
    }
}

/* Whether another edge to B is cheap: each of its phis gets an operand. */
static bool can_lead_to(const struct ir_func *f, ir_block_ref b)
{
    uint32_t phis = 0;
    for (ir_ref r = f->blocks[b].first; r && f->ins[r].op == IR_PHI && phis <= PHIS_MAX;
         r = f->ins[r].next)
        phis++;
    return phis <= PHIS_MAX && f->blocks[b].pred_count <= PREDS_MAX;
}

static bool leads_on(const struct ir_func *f, const struct way *way, ir_block_ref to)
{
    for (uint32_t i = 0; i + 1 < way->length; i++) {
        const struct ir_block *b = &f->blocks[way->blocks[i]];
        if (b->succ_count > SUCCS_MAX)
            return false;
        for (uint32_t k = 0; k < b->succ_count; k++)
            if (!can_lead_to(f, ir_succs(f, way->blocks[i])[k]))
                return false;
    }
    return can_lead_to(f, to);
}

static bool taken(const struct threader *t, ir_block_ref from, ir_block_ref to)
{
    for (uint32_t i = 0; i < t->way_count; i++)
        if (t->ways[i].from == from && t->ways[i].blocks[0] == to)
            return true;
    return false;
}

static void add_way(struct threader *t, const struct way *way, ir_block_ref from, ir_block_ref to,
                    uint32_t size)
{
    struct ir_func *f = t->f;
    const struct ir_block *first = &f->blocks[way->blocks[0]];
    if (t->way_count == WAYS_MAX || f->blocks[from].loop_depth < first->loop_depth ||
        on_way(way, from) || !leads_on(f, way, to) || taken(t, from, way->blocks[0]) ||
        t->copied + size > f->ins_count / 4 + 64)
        return;
    struct way *w = &t->ways[t->way_count++];
    *w = *way;
    w->from = from;
    w->to = to;
    t->copied += size;
}

/* The ways to a decision whose outcome is known. */
static void find_ways(struct threader *t, const struct decision *d)
{
    struct ir_func *f = t->f;
    struct {
        ir_ref phi;
        ir_block_ref from; /* the way so far comes from there */
        struct way way;
        uint32_t size;
    } stack[WAY_PHIS];
    bool is_switch = f->ins[f->blocks[d->block].last].op == IR_SWITCH;
    uint32_t limit = is_switch ? WAY_SIZE : BRANCH_SIZE, depth = 0, looked = 0;
    stack[depth++] = (typeof(stack[0])){.phi = d->phi, .from = d->block};
    while (depth) {
        typeof(stack[0]) at = stack[--depth];
        ir_block_ref home = f->ins[at.phi].block;
        if (++looked > 2 * WAY_PHIS || f->blocks[home].pred_count > PREDS_MAX ||
            !extend(f, &at.way, at.from, home, limit, &at.size))
            continue;
        for (uint32_t k = 0; k < f->ins[at.phi].count; k++) {
            ir_ref operand = f->pool[f->ins[at.phi].list + k];
            ir_block_ref from = ir_preds(f, home)[k], to = decide(f, d, operand);
            if (to != IR_NONE)
                add_way(t, &at.way, from, to, at.size);
            else if (is_switch && f->ins[operand].op == IR_PHI && depth < WAY_PHIS &&
                     !on_way(&at.way, from))
                stack[depth++] = (typeof(stack[0])){operand, from, at.way, at.size};
        }
    }
}

static bool note_def(struct threader *t, ir_ref original, ir_ref copy, ir_block_ref block)
{
    if (t->def_count == t->def_capacity) {
        uint32_t fresh = t->def_capacity ? t->def_capacity * 2 : 64;
        void *bigger = wasm_host_realloc(t->defs, fresh * sizeof *t->defs);
        if (!bigger)
            return false;
        t->defs = bigger;
        t->def_capacity = fresh;
    }
    t->defs[t->def_count++] = (struct repair_def){original, copy, block};
    return true;
}

/* What ORIGINAL is in the way being copied; its own definitions begin at FIRST. */
static ir_ref renamed(const struct threader *t, uint32_t first, ir_ref original)
{
    for (uint32_t i = t->def_count; i-- > first;)
        if (t->defs[i].original == original)
            return t->defs[i].copy;
    return original;
}

static uint32_t pred_slot(const struct ir_func *f, ir_block_ref b, ir_block_ref pred)
{
    uint32_t k = 0;
    while (k < f->blocks[b].pred_count && ir_preds(f, b)[k] != pred)
        k++;
    return k;
}

/* COPY, a copy of block B on the way, also leads to TO. */
static void add_edge(struct threader *t, uint32_t first, ir_block_ref copy, ir_block_ref b,
                     ir_block_ref to)
{
    struct ir_func *f = t->f;
    if (pred_slot(f, to, copy) < f->blocks[to].pred_count)
        return;
    uint32_t slot = pred_slot(f, to, b);
    ir_pred_add(f, to, copy);
    for (ir_ref r = f->blocks[to].first; r && f->ins[r].op == IR_PHI && !f->failed;
         r = f->ins[r].next) {
        uint32_t count = f->ins[r].count, list = ir_list_new(f, count + 1);
        if (f->failed)
            return;
        memcpy(f->pool + list, f->pool + f->ins[r].list, count * sizeof *f->pool);
        f->pool[list + count] = renamed(t, first, f->pool[list + slot]);
        f->ins[r].list = list;
        f->ins[r].count = count + 1;
    }
}

/* Copies of B's phis, which come over predecessor PRED. */
static bool copy_phis(struct threader *t, uint32_t first, ir_block_ref copy, ir_block_ref b,
                      ir_block_ref pred)
{
    struct ir_func *f = t->f;
    uint32_t slot = pred_slot(f, b, pred), until = t->def_count;
    for (ir_ref r = f->blocks[b].first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        ir_ref value = f->pool[f->ins[r].list + slot];
        /* All phis of a block happen at once: none sees another. */
        for (uint32_t i = until; i-- > first;) {
            if (t->defs[i].original == value) {
                value = t->defs[i].copy;
                break;
            }
        }
        ir_ref c = ir_append(f, copy, IR_COPY, (enum ir_type)f->ins[r].type);
        if (f->failed || !note_def(t, r, c, copy))
            return false;
        f->ins[c].a = value;
        f->ins[c].access = REPAIR_PHI;
        f->ins[c].pos = f->ins[r].pos;
    }
    return true;
}

/* A copy of instruction R at the end of block COPY. */
static bool copy_ins(struct threader *t, uint32_t first, ir_block_ref copy, ir_ref r)
{
    struct ir_func *f = t->f;
    ir_ref c = ir_append(f, copy, (enum ir_op)f->ins[r].op, (enum ir_type)f->ins[r].type);
    if (f->failed)
        return false;
    struct ir_ins *ins = &f->ins[c];
    uint32_t prev = ins->prev;
    *ins = f->ins[r];
    ins->block = copy;
    ins->prev = prev;
    ins->next = 0;
    uint32_t count = ir_operand_count(ins);
    if (ir_shapes[ins->op].list) {
        uint32_t list = ir_list_new(f, ins->count);
        if (f->failed)
            return false;
        memcpy(f->pool + list, f->pool + ins->list, ins->count * sizeof *f->pool);
        ins->list = list;
    }
    for (uint32_t k = 0; k < count; k++) {
        uint32_t *operand = ir_operand(f, ins, k);
        *operand = renamed(t, first, *operand);
    }
    return f->ins[r].type == IR_VOID || note_def(t, r, c, copy);
}

/* Copies the blocks of a way; its first copy is answered, IR_NONE: no memory. Nothing leads there
 * yet. */
static ir_block_ref copy_way(struct threader *t, const struct way *way)
{
    struct ir_func *f = t->f;
    uint32_t first = t->def_count;
    ir_block_ref start = IR_NONE, pred = way->from, before = way->from;
    for (uint32_t i = 0; i < way->length; i++) {
        ir_block_ref b = way->blocks[i], copy = ir_block_new(f);
        if (f->failed)
            return IR_NONE;
        bool last = i + 1 == way->length;
        ir_block_ref next = last ? way->to : way->blocks[i + 1];
        f->blocks[copy].flags = f->blocks[b].flags & IR_BLOCK_COLD;
        if (i == 0)
            start = copy;
        else /* the copy before leads here already, but as to the original */
            ir_pred_add(f, copy, before);
        if (!copy_phis(t, first, copy, b, pred))
            return IR_NONE;
        ir_ref end = f->blocks[b].last;
        for (ir_ref r = f->blocks[b].first; r != end; r = f->ins[r].next)
            if (f->ins[r].op != IR_PHI && !copy_ins(t, first, copy, r))
                return IR_NONE;
        uint32_t count = f->blocks[b].succ_count;
        if (last) {
            ir_ref jump = ir_jump(f, copy, next);
            f->ins[jump].pos = f->ins[end].pos;
            add_edge(t, first, copy, b, next);
        } else {
            uint32_t succs = ir_list_new(f, count);
            if (f->failed || !copy_ins(t, first, copy, end))
                return IR_NONE;
            f->blocks[copy].succs = succs;
            f->blocks[copy].succ_count = count;
            for (uint32_t k = 0; k < count && !f->failed; k++) {
                ir_block_ref to = ir_succs(f, b)[k];
                f->pool[succs + k] = to == next ? f->block_count : to; /* the next copy */
                if (to != next)
                    add_edge(t, first, copy, b, to);
            }
        }
        if (f->failed)
            return IR_NONE;
        pred = b;
        before = copy;
    }
    return start;
}

/* FROM goes to COPY instead of TO. */
static void redirect(struct ir_func *f, ir_block_ref from, ir_block_ref to, ir_block_ref copy)
{
    for (uint32_t k = 0; k < f->blocks[from].succ_count; k++)
        if (ir_succs(f, from)[k] == to)
            f->pool[f->blocks[from].succs + k] = copy;
    uint32_t slot = pred_slot(f, to, from);
    struct ir_block *b = &f->blocks[to];
    b->pred_count--;
    memmove(f->pool + b->preds + slot, f->pool + b->preds + slot + 1,
            (b->pred_count - slot) * sizeof *f->pool);
    for (ir_ref r = b->first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        struct ir_ins *phi = &f->ins[r];
        phi->count--;
        memmove(f->pool + phi->list + slot, f->pool + phi->list + slot + 1,
                (phi->count - slot) * sizeof *f->pool);
    }
    ir_pred_add(f, copy, from);
}

/* By original, in any order of the copies: a radix of one digit, by the mark of originals. */
static bool sort_defs(struct threader *t)
{
    struct ir_func *f = t->f;
    struct repair_def *sorted = wasm_host_alloc((t->def_count + 1) * sizeof *sorted);
    if (!sorted)
        return false;
    /* mark: how many definitions, then where the next one goes */
    for (uint32_t i = 0; i < t->def_count; i++)
        f->ins[t->defs[i].original].mark = 0;
    for (uint32_t i = 0; i < t->def_count; i++)
        f->ins[t->defs[i].original].mark++;
    uint32_t place = 0;
    for (uint32_t i = 0; i < t->def_count; i++) {
        struct ir_ins *original = &f->ins[t->defs[i].original];
        if (!(original->mark >> 31)) {
            uint32_t count = original->mark;
            original->mark = place | 1u << 31;
            place += count;
        }
        sorted[original->mark++ & INT32_MAX] = t->defs[i];
    }
    wasm_host_free(t->defs);
    t->defs = sorted;
    return true;
}

static bool thread_all(struct threader *t)
{
    struct ir_func *f = t->f;
    ir_block_ref starts[WAYS_MAX];
    for (uint32_t i = 0; i < t->way_count; i++) {
        starts[i] = copy_way(t, &t->ways[i]);
        if (starts[i] == IR_NONE)
            return false;
    }
    for (uint32_t i = 0; i < t->way_count; i++)
        redirect(f, t->ways[i].from, t->ways[i].blocks[0], starts[i]);
    return !f->failed && ir_analyse(f) && sort_defs(t) && repair_ssa(f, t->defs, t->def_count);
}

bool opt_thread(struct ir_func *f)
{
    struct threader *t = NULL;
    for (uint32_t i = 0; i < f->order_count; i++) {
        struct decision decision;
        if (!find_decision(f, f->order[i], &decision))
            continue;
        if (!t) {
            t = wasm_host_alloc(sizeof *t);
            if (!t)
                return false;
            memset(t, 0, sizeof *t);
            t->f = f;
        }
        find_ways(t, &decision);
    }
    if (!t)
        return true;
    /* Repairing takes originals times blocks. */
    uint64_t budget = (uint64_t)f->ins_count * REPAIR_FACTOR + 4096;
    bool good = !t->way_count || (uint64_t)t->copied * f->order_count > budget || thread_all(t);
    wasm_host_free(t->defs);
    wasm_host_free(t);
    return good;
}
