/* Vectorising of an outer loop: several of its rounds at once, each a lane, where every round runs
 * the inner loop equally often. A product of matrices is one: the innermost loop goes down a
 * column, but the loop around it goes from column to column. Nothing is reassociated: every lane
 * does what its round did, in the same order.
 *
 * Three blocks: HEADER, a jump to INNER, a loop of one block, and LATCH. What does not depend on
 * the round stays scalar; addresses that grow by one element a round stand for all lanes. */
#include "opt/vectorise_nest.h"
#include "host.h"

#include <string.h>

/* ---- what there is ---- */

static bool read_blocks(struct nest *n)
{
    struct ir_func *f = n->f;
    bool first = true;
    for (unsigned b = 0; b < 3; b++)
        for (ir_ref r = f->blocks[n->blocks[b]].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            if (n->body_count + 1 == NEST_BODY)
                return false;
            n->body[++n->body_count] = r;
            n->values[n->body_count] = (struct nest_value){0};
            ins->mark = (ins->mark & ~VEC_POSITION) | n->body_count;
            if (ins->op == IR_LOAD || ins->op == IR_STORE) {
                uint8_t type = ins->op == IR_LOAD ? ins->type : f->ins[ins->b].type;
                if (!vec_plain_memory(f, ins->aux) || (!first && ins->aux != n->outer->memory) ||
                    type == IR_V128 || !vec_access_size(ins->access) || ins->imm >= VEC_OFFSET ||
                    (b == 1 && ins->op == IR_STORE))
                    return false;
                n->outer->memory = ins->aux;
                first = false;
                n->accesses[n->access_count++] = (struct nest_access){.position = n->body_count};
            } else if (ins->op != IR_PHI && !(ir_flags[ins->op] & (IR_P | IR_E))) {
                return false;
            }
        }
    return n->access_count != 0;
}

/* Phis of block B that step by a constant, START at SLOT of their operands. */
static uint32_t find_inductions(const struct nest *n, ir_block_ref b, uint32_t slot,
                                struct vec_induction *inductions, bool all)
{
    struct ir_func *f = n->f;
    uint32_t count = 0;
    for (ir_ref r = f->blocks[b].first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        ir_ref next = f->pool[f->ins[r].list + !slot];
        int64_t k;
        if (count == VEC_PHIS || f->ins[r].type != IR_I32 || f->ins[next].op != IR_ADD ||
            f->ins[next].a != r || !opt_const(f, f->ins[next].b, &k) || !k) {
            if (all)
                return 0;
            continue;
        }
        inductions[count++] = (struct vec_induction){
            .phi = r, .next = next, .start = f->pool[f->ins[r].list + slot], .step = (uint32_t)k};
    }
    return count;
}

/* ---- addresses ---- */

/* REF as a sum of values from outside, which grows by at.step a round of the outer loop and
 * inner_step one of the inner. */
static bool linear(const struct nest *n, ir_ref ref, struct nest_group *g)
{
    enum { DEPTH = 10, STEPS = 24 };
    struct ir_func *f = n->f;
    struct {
        ir_ref ref;
        uint32_t factor;
    } stack[DEPTH];
    uint32_t depth = 0, steps = 0;
    *g = (struct nest_group){0};
    stack[depth++] = (typeof(stack[0])){ref, 1};
    while (depth) {
        typeof(stack[0]) at = stack[--depth];
        const struct ir_ins *ins = &f->ins[at.ref];
        int64_t k;
        const struct vec_induction *i;
        if (ins->type != IR_I32 || ++steps > STEPS || depth + 2 > DEPTH)
            return false;
        if (ins->op == IR_CONST) {
            g->at.constant += at.factor * (uint32_t)ins->imm;
        } else if ((i = vec_induction_of(n->outer->inductions, n->outer->induction_count,
                                         at.ref))) {
            g->at.step += at.factor * i->step;
            stack[depth++] = (typeof(stack[0])){i->start, at.factor};
        } else if ((i = vec_induction_of(n->inductions, n->induction_count, at.ref))) {
            g->inner_step += at.factor * i->step;
            stack[depth++] = (typeof(stack[0])){i->start, at.factor};
        } else if ((nest_inside(n, at.ref) && (ins->op == IR_ADD || ins->op == IR_SUB)) ||
                   (ins->op == IR_ADD && f->ins[ins->b].op == IR_CONST)) {
            stack[depth++] = (typeof(stack[0])){ins->a, at.factor};
            stack[depth++] =
                (typeof(stack[0])){ins->b, ins->op == IR_ADD ? at.factor : 0 - at.factor};
        } else if (!nest_inside(n, at.ref)) {
            if (!vec_add_term(&g->at, at.ref, at.factor))
                return false;
        } else if ((ins->op == IR_SHL || ins->op == IR_MUL) && opt_const(f, ins->b, &k)) {
            uint32_t factor = ins->op == IR_SHL ? UINT32_C(1) << (k & 31) : (uint32_t)k;
            stack[depth++] = (typeof(stack[0])){ins->a, at.factor * factor};
        } else {
            return false;
        }
    }
    return true;
}

static bool find_groups(struct nest *n)
{
    struct ir_func *f = n->f;
    int32_t lowest[NEST_GROUPS] = {0};
    for (uint32_t i = 0; i < n->access_count; i++) {
        struct nest_access *a = &n->accesses[i];
        const struct ir_ins *ins = &f->ins[n->body[a->position]];
        struct nest_group at;
        uint32_t size = vec_access_size(ins->access), g = 0;
        /* One element further each round, or always the same. */
        if (!linear(n, ins->a, &at) || at.inner_step + NEST_STEP >= 2 * NEST_STEP ||
            (at.at.step != size && (at.at.step || ins->op == IR_STORE)))
            return false;
        while (g < n->group_count &&
               (!vec_same_terms(&n->groups[g].at, &at.at) || n->groups[g].at.step != at.at.step ||
                n->groups[g].inner_step != at.inner_step ||
                at.at.constant - n->groups[g].at.constant + VEC_OFFSET >= 2 * VEC_OFFSET))
            g++;
        if (g == NEST_GROUPS)
            return false;
        if (g == n->group_count)
            n->groups[n->group_count++] = at;
        a->group = (uint8_t)g;
        a->offset = (int32_t)(at.at.constant - n->groups[g].at.constant);
        if (a->offset < lowest[g])
            lowest[g] = (int32_t)a->offset;
        n->groups[g].stores |= ins->op == IR_STORE;
    }
    for (uint32_t i = 0; i < n->access_count; i++) {
        struct nest_access *a = &n->accesses[i];
        const struct ir_ins *ins = &f->ins[n->body[a->position]];
        struct nest_group *g = &n->groups[a->group];
        a->offset += (int64_t)ins->imm - lowest[a->group];
        int64_t high = a->offset + (g->at.step ? 0 : vec_access_size(ins->access));
        if (a->offset >= VEC_OFFSET)
            return false;
        if (g->high < (uint32_t)high)
            g->high = (uint32_t)high;
    }
    for (uint32_t g = 0; g < n->group_count; g++)
        n->groups[g].at.constant += (uint32_t)lowest[g];
    return true;
}

/* Within a group with stores, what is nearer than a round of the vector loop is the same element:
 * each lane does it in its order. A group that the inner loop goes along has to be apart from all
 * that is stored. */
static bool stores_fit(const struct nest *n)
{
    for (uint32_t i = 0; i < n->access_count; i++) {
        const struct nest_access *s = &n->accesses[i];
        const struct ir_ins *store = &n->f->ins[n->body[s->position]];
        if (store->op != IR_STORE)
            continue;
        if (n->groups[s->group].inner_step)
            return false;
        for (uint32_t k = 0; k < n->access_count; k++) {
            const struct nest_access *x = &n->accesses[k];
            int64_t distance =
                x->offset > s->offset ? x->offset - s->offset : s->offset - x->offset;
            if (x->group == s->group && distance &&
                distance < (int64_t)(n->outer->rounds * n->groups[s->group].at.step))
                return false;
        }
    }
    return true;
}

/* ---- what depends on the round of the outer loop ---- */

uint8_t nest_class_of(struct nest *n, ir_ref ref, uint32_t *step)
{
    *step = 0;
    if (!nest_inside(n, ref))
        return NEST_UNIFORM;
    const struct nest_value *v = nest_value_of(n, ref);
    *step = v->step;
    return v->kind;
}

static struct nest_value classify(struct nest *n, ir_ref r)
{
    struct ir_func *f = n->f;
    struct ir_ins *ins = &f->ins[r];
    uint32_t steps[3] = {0}, count = ir_operand_count(ins);
    uint8_t kinds[3] = {0}, most = NEST_UNIFORM;
    if (ins->op == IR_PHI || count > 3)
        return *nest_value_of(n, r);
    for (uint32_t k = 0; k < count; k++) {
        kinds[k] = nest_class_of(n, *ir_operand(f, ins, k), &steps[k]);
        if (kinds[k] > most)
            most = kinds[k];
    }
    int64_t k;
    if (most == NEST_UNIFORM)
        return (struct nest_value){.kind = NEST_UNIFORM};
    if (ins->op == IR_LOAD) /* find_groups() has looked at the address */
        return (struct nest_value){.kind = NEST_VECTOR};
    uint32_t step;
    if (most != NEST_LINEAR || ins->type != IR_I32)
        return (struct nest_value){.kind = NEST_VECTOR};
    if (ins->op == IR_ADD)
        step = steps[0] + steps[1];
    else if (ins->op == IR_SUB)
        step = steps[0] - steps[1];
    else if (ins->op == IR_SHL && opt_const(f, ins->b, &k))
        step = steps[0] << (k & 31);
    else if (ins->op == IR_MUL && opt_const(f, ins->b, &k))
        step = steps[0] * (uint32_t)k;
    else
        return (struct nest_value){.kind = NEST_VECTOR};
    return (struct nest_value){.kind = step ? NEST_LINEAR : NEST_UNIFORM, .step = step};
}

/* Phis of the inner loop and behind it are taken for what they begin with until what they get
 * proves to be another. */
static bool classify_all(struct nest *n)
{
    struct ir_func *f = n->f;
    bool changed = true;
    for (uint32_t i = 0; i < n->outer->induction_count; i++) {
        struct nest_value *v = nest_value_of(n, n->outer->inductions[i].phi);
        v->kind = NEST_LINEAR;
        v->step = n->outer->inductions[i].step;
    }
    for (unsigned turn = 0; changed && turn < NEST_TURNS; turn++) {
        changed = false;
        for (uint32_t p = 1; p <= n->body_count; p++) {
            ir_ref r = n->body[p];
            const struct ir_ins *ins = &f->ins[r];
            struct nest_value now = n->values[p];
            if (ins->op == IR_PHI && ins->block != n->blocks[0]) {
                for (uint32_t k = 0; k < ins->count; k++) {
                    uint32_t step;
                    uint8_t kind = nest_class_of(n, f->pool[ins->list + k], &step);
                    bool first = ins->block == n->blocks[2] || k == n->inner_slot;
                    if (first && !turn) {
                        now.kind = kind;
                        now.step = step;
                    } else if (turn && (kind != now.kind || step != now.step)) {
                        now = (struct nest_value){.kind = NEST_VECTOR};
                    }
                }
            } else {
                now = classify(n, r);
            }
            changed |= now.kind != n->values[p].kind || now.step != n->values[p].step || !turn;
            n->values[p] = now;
        }
    }
    return !changed;
}

/* ---- whether it can be done ---- */

/* What stores and the inner loop's branch need. */
static void find_needed(struct nest *n)
{
    struct ir_func *f = n->f;
    uint32_t stack[NEST_BODY];
    uint32_t depth = 0;
    for (uint32_t p = 1; p <= n->body_count; p++) {
        const struct ir_ins *ins = &f->ins[n->body[p]];
        n->values[p].needed = ins->op == IR_STORE ||
                              (ins->op == IR_BRANCH && ins->block == n->blocks[1]) ||
                              (ins->op == IR_PHI && ins->block == n->blocks[0]);
        if (n->values[p].needed)
            stack[depth++] = p;
    }
    while (depth) {
        struct ir_ins *ins = &f->ins[n->body[stack[--depth]]];
        uint32_t count = ir_operand_count(ins);
        for (uint32_t k = 0; k < count; k++) {
            ir_ref operand = *ir_operand(f, ins, k);
            if ((ins->op == IR_PHI && ins->block == n->blocks[0]) || !nest_inside(n, operand) ||
                nest_value_of(n, operand)->needed)
                continue;
            nest_value_of(n, operand)->needed = true;
            stack[depth++] = f->ins[operand].mark & VEC_POSITION;
        }
    }
}

/* Comparisons of vectors: all bits of a lane or none. */
static bool is_mask(struct nest *n, ir_ref ref)
{
    uint32_t step, op = n->f->ins[ref].op;
    return op >= IR_EQ && op <= IR_FGE && nest_inside(n, ref) &&
           nest_class_of(n, ref, &step) == NEST_VECTOR;
}

/* Only SELECT takes them. */
static bool masks_fit(struct nest *n, ir_ref r)
{
    struct ir_ins *ins = &n->f->ins[r];
    uint32_t count = ir_operand_count(ins);
    for (uint32_t k = 0; k < count; k++)
        if (is_mask(n, *ir_operand(n->f, ins, k)) && (ins->op != IR_SELECT || k != 2))
            return false;
    return true;
}

/* Whether the lanes of all vectors have SIZE bytes and operations. */
static bool choose_size(struct nest *n, uint32_t size)
{
    struct ir_func *f = n->f;
    bool any = false;
    for (uint32_t p = 1; p <= n->body_count; p++) {
        const struct ir_ins *ins = &f->ins[n->body[p]];
        uint32_t step;
        if (!n->values[p].needed)
            continue;
        if (!masks_fit(n, n->body[p]))
            return false;
        /* The address of lane 0 has to be known. */
        if ((ins->op == IR_LOAD || ins->op == IR_STORE) &&
            nest_class_of(n, ins->a, &step) == NEST_VECTOR)
            return false;
        if (ins->op == IR_STORE) {
            uint8_t type = f->ins[ins->b].type;
            if (!vec_splat_op(type, size) || vec_access_size(ins->access) > size)
                return false;
            if (nest_class_of(n, ins->b, &step) == NEST_LINEAR && size != 4)
                return false;
            continue;
        }
        if (ins->op == IR_BRANCH) {
            if (nest_class_of(n, ins->a, &step) != NEST_UNIFORM)
                return false;
            continue;
        }
        if (n->values[p].kind != NEST_VECTOR)
            continue;
        uint8_t type = is_mask(n, n->body[p]) ? f->ins[ins->a].type : ins->type;
        if (!vec_splat_op(type, size))
            return false;
        if (ins->op == IR_LOAD) {
            uint32_t element = vec_access_size(ins->access);
            if (element > size || 16 / size * element < 4)
                return false;
            continue;
        }
        any |= ins->block == n->blocks[1];
        if (ins->op == IR_PHI) {
            if (ins->block == n->blocks[0])
                return false;
            continue;
        }
        /* Operands that are not of the lanes' width have no splats. */
        uint32_t count = ir_shapes[ins->op].list ? UINT32_MAX : ir_shapes[ins->op].fixed;
        bool shift = nest_is_shift(ins->op);
        if (count > 3 || (count == 3) != (ins->op == IR_SELECT) ||
            (shift && nest_class_of(n, ins->b, &step) != NEST_UNIFORM))
            return false;
        if (count == 3 && !is_mask(n, ins->c))
            return false;
        for (uint32_t k = 0; k < (shift ? 1 : count < 2 ? count : 2); k++)
            if (!vec_splat_op(f->ins[ins->abc[k]].type, size))
                return false;
        if (!nest_same_bits(ins->op) && ins->op != IR_BSWAP && !vec_lane_op(ins->op, type, size))
            return false;
    }
    n->outer->lane_size = size;
    return any;
}

static bool limit_fits(const struct nest *n, const struct vec_counter *c)
{
    return !nest_inside(n, c->start) && (!c->limit || !nest_inside(n, c->limit));
}

static bool match(struct nest *n)
{
    struct ir_func *f = n->f;
    struct vec_loop *v = n->outer;
    v->induction_count = find_inductions(n, v->block, v->slot, v->inductions, true);
    n->induction_count = find_inductions(n, n->blocks[1], n->inner_slot, n->inductions, false);
    if (!v->induction_count || !n->induction_count || !read_blocks(n) ||
        !vec_find_counter(f, v->latch, v->block, v->inductions, v->induction_count, &v->counter) ||
        !vec_find_counter(f, n->blocks[1], n->blocks[1], n->inductions, n->induction_count,
                          &n->counter) ||
        !limit_fits(n, &v->counter) || !limit_fits(n, &n->counter) || !find_groups(n) ||
        !classify_all(n))
        return false;
    find_needed(n);
    if (!choose_size(n, 4) && !choose_size(n, 8))
        return false;
    uint32_t width = 16 / v->lane_size, known = v->counter.known_rounds;
    n->vectors = v->lane_size == 8 || (known && (known % (2 * width) == 0 || known >= 64)) ? 2 : 1;
    v->rounds = n->vectors * width;
    return vec_most_rounds(f, &v->counter) > v->rounds && stores_fit(n);
}

/* The counters may be wanted outside; of anything else the scalar loop does the last round. */
static void find_wanted(struct nest *n)
{
    struct vec_loop *v = n->outer;
    for (uint32_t p = 1; p <= n->body_count; p++) {
        ir_ref r = n->body[p];
        const struct ir_ins *ins = &n->f->ins[r];
        if (!(ins->mark & VEC_WANTED_NEST))
            continue;
        bool known = ins->op == IR_CONST;
        for (uint32_t i = 0; i < v->induction_count; i++)
            known |= v->inductions[i].phi == r || v->inductions[i].next == r;
        if (!known || v->wanted_count == VEC_PHIS) {
            v->leaves_last = true;
            return;
        }
        v->wanted[v->wanted_count++] = r;
    }
}

static bool emit(struct nest *n, struct repair_def *defs, uint32_t *def_count)
{
    struct emitter e = {.v = n->outer, .f = n->f};
    find_wanted(n);
    vec_limit_repairs(n->outer, *def_count);
    if (!vec_emit_begin(&e))
        return false;
    vec_nest_emit(&e, n);
    if (!n->f->failed)
        vec_emit_after(&e, defs, def_count);
    return !n->f->failed;
}

ir_block_ref vec_nest_around(const struct ir_func *f, ir_block_ref inner, ir_block_ref *latch)
{
    const ir_block_ref *preds = ir_preds(f, inner), *succs = ir_succs(f, inner);
    ir_block_ref header = preds[preds[0] == inner], after = succs[succs[0] == inner];
    const struct ir_block *h = &f->blocks[header], *t = &f->blocks[after];
    *latch = after;
    if (!(h->flags & IR_BLOCK_LOOP_HEADER) || h->succ_count != 1 || h->pred_count != 2 ||
        t->pred_count != 1 || f->ins[t->last].op != IR_BRANCH || f->ins[h->last].op != IR_JUMP)
        return IR_NONE;
    const ir_block_ref *around = ir_preds(f, header), *ends = ir_succs(f, after);
    if ((around[0] == after) == (around[1] == after) || (ends[0] == header) == (ends[1] == header))
        return IR_NONE;
    return header;
}

bool vec_nest(struct vec_loop *v, struct ir_func *f, ir_block_ref inner, struct repair_def *defs,
              uint32_t *def_count, bool *changed)
{
    ir_block_ref latch, header = vec_nest_around(f, inner, &latch);
    if (header == IR_NONE)
        return true;
    memset(v, 0, offsetof(struct vec_loop, inductions));
    v->f = f;
    v->block = header;
    v->latch = latch;
    v->slot = ir_preds(f, header)[0] == latch;
    v->before = ir_preds(f, header)[v->slot];
    v->exit = ir_succs(f, latch)[ir_succs(f, latch)[0] == header];
    uint32_t entries = 0;
    for (uint32_t k = 0; k < f->blocks[v->before].succ_count; k++)
        entries += ir_succs(f, v->before)[k] == header;
    if (entries != 1 || v->exit == header)
        return true;
    struct nest *n = wasm_host_alloc(sizeof *n);
    if (!n)
        return false;
    memset(n, 0, offsetof(struct nest, inductions));
    n->outer = v;
    n->f = f;
    n->blocks[0] = header;
    n->blocks[1] = inner;
    n->blocks[2] = latch;
    n->inner_slot = ir_preds(f, inner)[0] == inner;
    bool good = true;
    if (match(n)) {
        *changed = true;
        good = emit(n, defs, def_count);
    }
    wasm_host_free(n);
    return good;
}
