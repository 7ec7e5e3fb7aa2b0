/* Vectorising of an outer loop: several of its rounds at once, each a lane, where every round runs
 * the inner loop equally often. A product of matrices is one: the innermost loop goes down a column,
 * but the loop around it goes from column to column. Nothing is reassociated: every lane does what
 * its round did, in the same order.
 *
 * Three blocks: HEADER, a jump to INNER, a loop of one block, and LATCH. What does not depend on the
 * round stays scalar; addresses that grow by one element a round stand for all lanes. */
#include "opt/vectorise_emit.h"
#include "ir/simd.h"
#include "host.h"

#include <string.h>

enum {
    BODY = 256,    /* instructions */
    GROUPS = 8,    /* of addresses at constant distances */
    SPLATS = 24,   /* of values from outside */
    VECTORS = 2,   /* of each value in a round */
    TURNS = 6,     /* until it is known what depends on the round */
    STEP = 1 << 20 /* below: bytes that an address grows by in a round of the inner loop */
};

enum nest_class { UNIFORM, LINEAR, VECTOR };

struct nest_value {
    uint8_t kind;  /* enum nest_class */
    bool needed;
    uint32_t step; /* LINEAR: what it grows by in a round of the outer loop */
    ir_ref scalar, vectors[VECTORS]; /* while code is made */
    ir_ref splat;                    /* of scalar */
};

/* Addresses: those of outside, and how they grow. */
struct nest_group {
    struct vec_linear at; /* its step is that of the outer loop; the lowest constant */
    uint32_t inner_step;
    uint32_t high; /* highest offset, with the size for what does not grow */
    bool stores;
    ir_ref low_end, high_end; /* I64 */
};

struct nest_access {
    uint32_t position;
    uint8_t group;
    int64_t offset;
};

struct nest {
    struct vec_loop *outer;
    struct ir_func *f;
    ir_block_ref blocks[3]; /* header, inner, latch */
    struct vec_counter counter; /* of the inner loop */
    uint32_t inner_slot; /* of the header among the inner loop's predecessors */
    uint32_t vectors, induction_count, body_count, group_count, access_count, splat_count;
    /* From here on nothing is there before it is counted. */
    struct vec_induction inductions[VEC_PHIS]; /* of the inner loop */
    ir_ref body[BODY]; /* by position, from 1 */
    struct nest_value values[BODY];
    struct nest_group groups[GROUPS];
    struct nest_access accesses[BODY];
    struct {
        ir_ref value, splat;
    } splats[SPLATS];
    ir_ref starts[BODY][VECTORS]; /* of the inner loop's phis */
};

static bool inside(const struct nest *n, ir_ref ref)
{
    const struct ir_ins *ins = &n->f->ins[ref];
    return ins->op != IR_CONST && (ins->block == n->blocks[0] || ins->block == n->blocks[1] ||
                                   ins->block == n->blocks[2]);
}

static struct nest_value *value_of(struct nest *n, ir_ref ref)
{
    return &n->values[n->f->ins[ref].mark & VEC_POSITION];
}

/* ---- what there is ---- */

static bool read_blocks(struct nest *n)
{
    struct ir_func *f = n->f;
    bool first = true;
    for (unsigned b = 0; b < 3; b++)
        for (ir_ref r = f->blocks[n->blocks[b]].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            if (n->body_count + 1 == BODY)
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
            } else if (ins->op != IR_PHI && !(ir_op_info[ins->op].flags & (IR_P | IR_E))) {
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

static const struct vec_induction *find(const struct vec_induction *inductions, uint32_t count,
                                        ir_ref phi)
{
    for (uint32_t i = 0; i < count; i++)
        if (inductions[i].phi == phi)
            return &inductions[i];
    return NULL;
}

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
        } else if ((i = find(n->outer->inductions, n->outer->induction_count, at.ref))) {
            g->at.step += at.factor * i->step;
            stack[depth++] = (typeof(stack[0])){i->start, at.factor};
        } else if ((i = find(n->inductions, n->induction_count, at.ref))) {
            g->inner_step += at.factor * i->step;
            stack[depth++] = (typeof(stack[0])){i->start, at.factor};
        } else if ((inside(n, at.ref) && (ins->op == IR_ADD || ins->op == IR_SUB)) ||
                   (ins->op == IR_ADD && f->ins[ins->b].op == IR_CONST)) {
            stack[depth++] = (typeof(stack[0])){ins->a, at.factor};
            stack[depth++] =
                (typeof(stack[0])){ins->b, ins->op == IR_ADD ? at.factor : 0 - at.factor};
        } else if (!inside(n, at.ref)) {
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
    int32_t lowest[GROUPS] = {0};
    for (uint32_t i = 0; i < n->access_count; i++) {
        struct nest_access *a = &n->accesses[i];
        const struct ir_ins *ins = &f->ins[n->body[a->position]];
        struct nest_group at;
        uint32_t size = vec_access_size(ins->access), g = 0;
        /* One element further each round, or always the same. */
        if (!linear(n, ins->a, &at) || at.inner_step + STEP >= 2 * STEP ||
            (at.at.step != size && (at.at.step || ins->op == IR_STORE)))
            return false;
        while (g < n->group_count &&
               (!vec_same_terms(&n->groups[g].at, &at.at) || n->groups[g].at.step != at.at.step ||
                n->groups[g].inner_step != at.inner_step ||
                at.at.constant - n->groups[g].at.constant + VEC_OFFSET >= 2 * VEC_OFFSET))
            g++;
        if (g == GROUPS)
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
            int64_t distance = x->offset > s->offset ? x->offset - s->offset : s->offset - x->offset;
            if (x->group == s->group && distance &&
                distance < (int64_t)(n->outer->rounds * n->groups[s->group].at.step))
                return false;
        }
    }
    return true;
}

/* ---- what depends on the round of the outer loop ---- */

static uint8_t class_of(struct nest *n, ir_ref ref, uint32_t *step)
{
    *step = 0;
    if (!inside(n, ref))
        return UNIFORM;
    const struct nest_value *v = value_of(n, ref);
    *step = v->step;
    return v->kind;
}

static struct nest_value classify(struct nest *n, ir_ref r)
{
    struct ir_func *f = n->f;
    struct ir_ins *ins = &f->ins[r];
    uint32_t steps[3] = {0}, count = ir_operand_count(ins);
    uint8_t kinds[3] = {0}, most = UNIFORM;
    if (ins->op == IR_PHI || count > 3)
        return *value_of(n, r);
    for (uint32_t k = 0; k < count; k++) {
        kinds[k] = class_of(n, *ir_operand(f, ins, k), &steps[k]);
        if (kinds[k] > most)
            most = kinds[k];
    }
    int64_t k;
    if (most == UNIFORM)
        return (struct nest_value){.kind = UNIFORM};
    if (ins->op == IR_LOAD) /* find_groups() has looked at the address */
        return (struct nest_value){.kind = VECTOR};
    uint32_t step;
    if (most != LINEAR || ins->type != IR_I32)
        return (struct nest_value){.kind = VECTOR};
    if (ins->op == IR_ADD)
        step = steps[0] + steps[1];
    else if (ins->op == IR_SUB)
        step = steps[0] - steps[1];
    else if (ins->op == IR_SHL && opt_const(f, ins->b, &k))
        step = steps[0] << (k & 31);
    else if (ins->op == IR_MUL && opt_const(f, ins->b, &k))
        step = steps[0] * (uint32_t)k;
    else
        return (struct nest_value){.kind = VECTOR};
    return (struct nest_value){.kind = step ? LINEAR : UNIFORM, .step = step};
}

/* Phis of the inner loop and behind it are taken for what they begin with until what they get
 * proves to be another. */
static bool classify_all(struct nest *n)
{
    struct ir_func *f = n->f;
    bool changed = true;
    for (uint32_t i = 0; i < n->outer->induction_count; i++) {
        struct nest_value *v = value_of(n, n->outer->inductions[i].phi);
        v->kind = LINEAR;
        v->step = n->outer->inductions[i].step;
    }
    for (unsigned turn = 0; changed && turn < TURNS; turn++) {
        changed = false;
        for (uint32_t p = 1; p <= n->body_count; p++) {
            ir_ref r = n->body[p];
            const struct ir_ins *ins = &f->ins[r];
            struct nest_value now = n->values[p];
            if (ins->op == IR_PHI && ins->block != n->blocks[0]) {
                for (uint32_t k = 0; k < ins->count; k++) {
                    uint32_t step;
                    uint8_t kind = class_of(n, f->pool[ins->list + k], &step);
                    bool first = ins->block == n->blocks[2] || k == n->inner_slot;
                    if (first && !turn) {
                        now.kind = kind;
                        now.step = step;
                    } else if (turn && (kind != now.kind || step != now.step)) {
                        now = (struct nest_value){.kind = VECTOR};
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
    uint32_t stack[BODY];
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
            if ((ins->op == IR_PHI && ins->block == n->blocks[0]) || !inside(n, operand) ||
                value_of(n, operand)->needed)
                continue;
            value_of(n, operand)->needed = true;
            stack[depth++] = f->ins[operand].mark & VEC_POSITION;
        }
    }
}

static bool is_shift(unsigned op)
{
    return op == IR_SHL || op == IR_SHR_S || op == IR_SHR_U;
}

static bool same_bits(unsigned op)
{
    return op == IR_BITCAST || op == IR_COPY;
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
        /* The address of lane 0 has to be known. */
        if ((ins->op == IR_LOAD || ins->op == IR_STORE) && class_of(n, ins->a, &step) == VECTOR)
            return false;
        if (ins->op == IR_STORE) {
            uint8_t type = f->ins[ins->b].type;
            if (!vec_splat_op(type, size) || vec_access_size(ins->access) > size)
                return false;
            if (class_of(n, ins->b, &step) == LINEAR && size != 4)
                return false;
            continue;
        }
        if (ins->op == IR_BRANCH) {
            if (class_of(n, ins->a, &step) != UNIFORM)
                return false;
            continue;
        }
        if (n->values[p].kind != VECTOR)
            continue;
        if (!vec_splat_op(ins->type, size))
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
        bool shift = is_shift(ins->op);
        if (count > 2 || (shift && class_of(n, ins->b, &step) != UNIFORM))
            return false;
        for (uint32_t k = 0; k < (shift ? 1 : count); k++)
            if (!vec_splat_op(f->ins[ins->abc[k]].type, size))
                return false;
        if (!same_bits(ins->op) && ins->op != IR_BSWAP && !vec_lane_op(ins->op, ins->type, size))
            return false;
    }
    n->outer->lane_size = size;
    return any;
}

static bool limit_fits(const struct nest *n, const struct vec_counter *c)
{
    return !inside(n, c->start) && (!c->limit || !inside(n, c->limit));
}

static bool match(struct nest *n)
{
    struct ir_func *f = n->f;
    struct vec_loop *v = n->outer;
    v->induction_count = find_inductions(n, v->block, v->slot, v->inductions, true);
    n->induction_count =
        find_inductions(n, n->blocks[1], n->inner_slot, n->inductions, false);
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
    return (!known || known > v->rounds) && stores_fit(n);
}

/* ---- tests ---- */

static ir_ref first_value(struct emitter *e, const struct vec_linear *l)
{
    ir_ref sum = vec_constant(e, IR_I32, l->constant);
    for (uint32_t t = 0; t < l->count; t++) {
        ir_ref value = vec_put_k(e, IR_MUL, IR_I32, l->terms[t].value, l->terms[t].factor);
        sum = vec_put(e, IR_ADD, IR_I32, value, sum);
    }
    return sum;
}

/* Everything in memory, and stores apart from the other groups. */
static void check_memory(struct emitter *e, struct nest *n)
{
    struct ir_func *f = n->f;
    ir_ref rounds = vec_count_rounds(e, &n->counter);
    vec_check(e, vec_put_k(e, IR_NE, IR_I32, rounds, 0)); /* 2^32 */
    ir_ref steps = vec_put_k(e, IR_SUB, IR_I64, rounds, 1);
    ir_ref pages = ir_append(f, e->now, IR_MEMORY_SIZE, IR_I32);
    f->ins[pages].aux = n->outer->memory;
    ir_ref wide = vec_put(e, IR_ZEXT, IR_I64, pages, 0);
    ir_ref size = vec_put_k(e, IR_SHL, IR_I64, wide, 16);
    for (uint32_t i = 0; i < n->group_count; i++) {
        struct nest_group *g = &n->groups[i];
        bool down = g->inner_step >> 31;
        ir_ref start = vec_put(e, IR_ZEXT, IR_I64, first_value(e, &g->at), 0);
        ir_ref way = vec_put_k(e, IR_MUL, IR_I64, steps, down ? 0 - g->inner_step : g->inner_step);
        ir_ref bytes = vec_put_k(e, IR_MUL, IR_I64, e->rounds, g->at.step);
        ir_ref end = vec_put(e, IR_ADD, IR_I64, start, bytes);
        g->low_end = down ? vec_put(e, IR_SUB, IR_I64, start, way) : start;
        if (!down)
            end = vec_put(e, IR_ADD, IR_I64, end, way);
        g->high_end = vec_put_k(e, IR_ADD, IR_I64, end, g->high);
        if (down)
            vec_check(e, vec_put_k(e, IR_GE_S, IR_I32, g->low_end, 0));
        vec_check(e, vec_put(e, IR_LE_S, IR_I32, g->high_end, size));
    }
    for (uint32_t i = 0; i < n->group_count; i++)
        for (uint32_t k = 0; k < n->group_count; k++) {
            const struct nest_group *s = &n->groups[i], *x = &n->groups[k];
            if (!s->stores || i == k || (x->stores && k > i))
                continue;
            ir_ref before = vec_put(e, IR_LE_S, IR_I32, s->high_end, x->low_end);
            ir_ref behind = vec_put(e, IR_LE_S, IR_I32, x->high_end, s->low_end);
            vec_check(e, vec_put(e, IR_OR, IR_I32, before, behind));
        }
}

/* ---- the vector loops ---- */

/* REF as a scalar: of lane 0 for what depends on the round. */
static ir_ref scalar(struct emitter *e, struct nest *n, ir_ref ref)
{
    return inside(n, ref) ? value_of(n, ref)->scalar : vec_outside(e, ref);
}

/* Splats of values from outside stand before the loops, in block PLACE. */
static ir_ref outer_splat(struct emitter *e, struct nest *n, ir_block_ref place, ir_ref ref)
{
    for (uint32_t i = 0; i < n->splat_count; i++)
        if (n->splats[i].value == ref)
            return n->splats[i].splat;
    ir_block_ref now = e->now;
    if (n->splat_count < SPLATS)
        e->now = place;
    ir_ref splat = vec_splat(e, n->f->ins[ref].type, vec_outside(e, ref));
    e->now = now;
    if (n->splat_count < SPLATS) {
        n->splats[n->splat_count].value = ref;
        n->splats[n->splat_count++].splat = splat;
    }
    return splat;
}

/* Vector J of REF, here; PLACE is the block before the loops. */
static ir_ref vector(struct emitter *e, struct nest *n, ir_block_ref place, ir_ref ref, uint32_t j)
{
    if (!inside(n, ref))
        return outer_splat(e, n, place, ref);
    struct nest_value *v = value_of(n, ref);
    if (v->kind == VECTOR)
        return v->vectors[j];
    if (!v->splat)
        v->splat = vec_splat(e, n->f->ins[ref].type, v->scalar);
    if (v->kind == UNIFORM)
        return v->splat;
    uint32_t lane = j * (16 / n->outer->lane_size) * v->step;
    ir_ref lanes = vec_simd(e, SIMD_I32X4_ADD, IR_V128, v->splat, vec_ramp(e, v->step));
    return j ? vec_simd(e, SIMD_I32X4_ADD, IR_V128, lanes, vec_repeated(e, lane)) : lanes;
}

static void copy_scalar(struct emitter *e, struct nest *n, uint32_t p)
{
    struct ir_func *f = n->f;
    ir_ref r = n->body[p], operands[3] = {0};
    uint32_t count = ir_shapes[f->ins[r].op].fixed;
    for (uint32_t k = 0; k < count; k++)
        operands[k] = scalar(e, n, f->ins[r].abc[k]);
    ir_ref c = ir_append(f, e->now, (enum ir_op)f->ins[r].op, (enum ir_type)f->ins[r].type);
    if (f->failed)
        return;
    struct ir_ins *ins = &f->ins[c];
    uint32_t prev = ins->prev;
    *ins = f->ins[r];
    ins->block = e->now;
    ins->prev = prev;
    ins->next = 0;
    ins->mark = 0;
    memcpy(ins->abc, operands, sizeof operands);
    n->values[p].scalar = c;
}

static void emit_vector(struct emitter *e, struct nest *n, ir_block_ref place, uint32_t p)
{
    struct ir_func *f = n->f;
    const struct ir_ins ins = f->ins[n->body[p]];
    struct nest_value *v = &n->values[p];
    uint32_t width = 16 / n->outer->lane_size;
    for (uint32_t j = 0; j < n->vectors; j++) {
        uint64_t offset = ins.imm + j * width * vec_access_size(ins.access);
        if (ins.op == IR_STORE) {
            ir_ref value = vector(e, n, place, ins.b, j);
            vec_store(e, n->body[p], scalar(e, n, ins.a), offset, value);
        } else if (ins.op == IR_LOAD) {
            v->vectors[j] = vec_load(e, n->body[p], scalar(e, n, ins.a), offset);
        } else if (same_bits(ins.op)) {
            v->vectors[j] = vector(e, n, place, ins.a, j);
        } else if (ins.op == IR_BSWAP) {
            v->vectors[j] = vec_turned(e, vector(e, n, place, ins.a, j));
        } else {
            uint16_t op = vec_lane_op(ins.op, ins.type, n->outer->lane_size);
            ir_ref a = vector(e, n, place, ins.a, j), b = 0;
            if (is_shift(ins.op)) {
                b = scalar(e, n, ins.b);
                if (f->ins[b].type == IR_I64)
                    b = vec_put(e, IR_WRAP, IR_I32, b, 0);
            } else if (ir_shapes[ins.op].fixed > 1) {
                b = vector(e, n, place, ins.b, j);
            }
            v->vectors[j] = vec_simd(e, op, IR_V128, a, b);
        }
    }
}

/* The needed instructions of block B, but for phis and its end. */
static void emit_body(struct emitter *e, struct nest *n, ir_block_ref place, ir_block_ref b)
{
    struct ir_func *f = n->f;
    for (uint32_t p = 1; p <= n->body_count && !f->failed; p++) {
        const struct ir_ins *ins = &f->ins[n->body[p]];
        if (ins->block != b || !n->values[p].needed || ins->op == IR_PHI || ins->op == IR_CONST ||
            ir_op_info[ins->op].flags & IR_E)
            continue;
        if (n->values[p].kind == VECTOR || ins->op == IR_STORE)
            emit_vector(e, n, place, p);
        else
            copy_scalar(e, n, p);
    }
}

/* Behind phis of one operand stands that. */
static void emit_latch_phis(struct emitter *e, struct nest *n, ir_block_ref place)
{
    struct ir_func *f = n->f;
    for (uint32_t p = 1; p <= n->body_count; p++) {
        const struct ir_ins *ins = &f->ins[n->body[p]];
        if (ins->block != n->blocks[2] || ins->op != IR_PHI || !n->values[p].needed)
            continue;
        ir_ref operand = f->pool[ins->list];
        if (n->values[p].kind != VECTOR)
            n->values[p].scalar = scalar(e, n, operand);
        else
            for (uint32_t j = 0; j < n->vectors; j++)
                n->values[p].vectors[j] = vector(e, n, place, operand, j);
    }
}

/* The inner loop in block LOOP, which comes from where code is made now. */
static void emit_inner(struct emitter *e, struct nest *n, ir_block_ref place, ir_block_ref loop,
                       ir_block_ref latch)
{
    struct ir_func *f = n->f;
    for (uint32_t p = 1; p <= n->body_count; p++) {
        const struct ir_ins *ins = &f->ins[n->body[p]];
        if (ins->block != n->blocks[1] || ins->op != IR_PHI || !n->values[p].needed)
            continue;
        ir_ref start = f->pool[ins->list + n->inner_slot];
        for (uint32_t j = 0; j < n->vectors; j++)
            n->starts[p][j] = n->values[p].kind == VECTOR ? vector(e, n, place, start, j)
                                                       : scalar(e, n, start);
    }
    ir_jump(f, e->now, loop);
    ir_pred_add(f, loop, e->now);
    ir_pred_add(f, loop, loop);
    ir_pred_add(f, latch, loop);
    e->now = loop;
    for (uint32_t p = 1; p <= n->body_count; p++) {
        const struct ir_ins *ins = &f->ins[n->body[p]];
        if (ins->block != n->blocks[1] || ins->op != IR_PHI || !n->values[p].needed)
            continue;
        bool is_vector = n->values[p].kind == VECTOR;
        uint8_t type = ins->type;
        for (uint32_t j = 0; j < (is_vector ? n->vectors : 1); j++) {
            ir_ref phi = ir_phi_new(f, loop, is_vector ? IR_V128 : (enum ir_type)type);
            if (f->failed)
                return;
            f->pool[f->ins[phi].list] = n->starts[p][j];
            if (is_vector)
                n->values[p].vectors[j] = phi;
            else
                n->values[p].scalar = phi;
        }
    }
    emit_body(e, n, place, n->blocks[1]);
    for (uint32_t p = 1; p <= n->body_count && !f->failed; p++) {
        const struct ir_ins *ins = &f->ins[n->body[p]];
        if (ins->block != n->blocks[1] || ins->op != IR_PHI || !n->values[p].needed)
            continue;
        ir_ref next = f->pool[ins->list + !n->inner_slot];
        struct nest_value *v = &n->values[p];
        if (v->kind != VECTOR) {
            ir_ref value = scalar(e, n, next);
            f->pool[f->ins[v->scalar].list + 1] = value;
            continue;
        }
        for (uint32_t j = 0; j < n->vectors; j++) {
            ir_ref value = vector(e, n, place, next, j);
            f->pool[f->ins[v->vectors[j]].list + 1] = value;
        }
    }
    ir_ref condition = scalar(e, n, f->ins[f->blocks[n->blocks[1]].last].a);
    bool again = ir_succs(f, n->blocks[1])[0] == n->blocks[1];
    ir_branch(f, loop, condition, again ? loop : latch, again ? latch : loop);
}

static void emit_loops(struct emitter *e, struct nest *n)
{
    struct ir_func *f = n->f;
    struct vec_loop *v = n->outer;
    ir_block_ref place = e->now, loop = ir_block_new(f), latch = ir_block_new(f);
    ir_ref phis[VEC_PHIS];
    if (f->failed)
        return;
    ir_pred_add(f, e->vector, place);
    ir_pred_add(f, e->vector, latch);
    e->now = e->vector;
    for (uint32_t i = 0; i < v->induction_count; i++) {
        phis[i] = ir_phi_new(f, e->vector, IR_I32);
        if (f->failed)
            return;
        e->now = place;
        ir_ref start = vec_outside(e, v->inductions[i].start);
        e->now = e->vector;
        f->pool[f->ins[phis[i]].list] = start;
        value_of(n, v->inductions[i].phi)->scalar = phis[i];
    }
    emit_body(e, n, place, n->blocks[0]);
    if (!f->failed)
        emit_inner(e, n, place, loop, latch);
    if (f->failed)
        return;
    e->now = latch;
    emit_latch_phis(e, n, place);
    emit_body(e, n, place, n->blocks[2]);
    ir_ref counted = 0, end = 0;
    for (uint32_t i = 0; i < v->induction_count && !f->failed; i++) {
        const struct vec_induction *induction = &v->inductions[i];
        ir_ref next = vec_put_k(e, IR_ADD, IR_I32, phis[i], v->rounds * induction->step);
        f->pool[f->ins[phis[i]].list + 1] = next;
        if (counted || induction->start != v->counter.start || induction->step != v->counter.step)
            continue;
        counted = next;
        e->now = place;
        ir_ref way = vec_put_k(e, IR_MUL, IR_I32, vec_put(e, IR_WRAP, IR_I32, e->rounds, 0),
                               induction->step);
        end = vec_put(e, IR_ADD, IR_I32, vec_outside(e, induction->start), way);
        e->now = latch;
    }
    ir_ref again = vec_put(e, IR_NE, IR_I32, counted, end);
    ir_branch(f, latch, again, e->vector, e->after);
    ir_pred_add(f, e->after, latch);
    ir_jump(f, place, e->vector);
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
    check_memory(&e, n);
    if (!n->f->failed)
        emit_loops(&e, n);
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
        t->pred_count != 1 || f->ins[t->last].op != IR_BRANCH ||
        f->ins[h->last].op != IR_JUMP)
        return IR_NONE;
    const ir_block_ref *around = ir_preds(f, header), *ends = ir_succs(f, after);
    if ((around[0] == after) == (around[1] == after) || (ends[0] == header) == (ends[1] == header))
        return IR_NONE;
    return header;
}

bool vec_nest(struct vec_loop *v, struct ir_func *f,
              ir_block_ref inner, struct repair_def *defs, uint32_t *def_count, bool *changed)
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
