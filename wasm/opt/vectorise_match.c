/* Whether a loop of one block can be vectorised: the same operations for every element, found from
 * the stores and sums backwards, and what of memory must not overlap. */
#include "opt/vectorise.h"

#include <string.h>

/* ---- nodes ---- */

/* The node of LANES (v->lanes of them): one there is, or a new one. VEC_NODES: no room. */
static uint32_t node_of(struct vec_loop *v, const ir_ref *lanes)
{
    for (uint32_t n = 0; n < v->node_count; n++)
        if (!memcmp(&v->lane_refs[v->nodes[n].lanes], lanes, v->lanes * sizeof *lanes))
            return n;
    if (v->node_count == VEC_NODES || v->lane_ref_count + v->lanes > VEC_LANE_REFS)
        return VEC_NODES;
    v->nodes[v->node_count] = (struct vec_node){
        .kind = VEC_PENDING, .type = v->f->ins[lanes[0]].type, .lanes = v->lane_ref_count};
    memcpy(&v->lane_refs[v->lane_ref_count], lanes, v->lanes * sizeof *lanes);
    v->lane_ref_count += v->lanes;
    return v->node_count++;
}

static bool same_value(const struct ir_func *f, ir_ref a, ir_ref b)
{
    const struct ir_ins *x = &f->ins[a], *y = &f->ins[b];
    return a == b || (x->op == IR_CONST && y->op == IR_CONST && x->type == y->type &&
                      x->imm == y->imm && x->type != IR_V128);
}

/* The comparison that says the same of operands the other way round; OP of anything else. */
static unsigned turned_op(unsigned op)
{
    static const uint16_t turned[][2] = {{IR_LT_S, IR_GT_S}, {IR_LT_U, IR_GT_U}, {IR_LE_S, IR_GE_S},
                                         {IR_LE_U, IR_GE_U}, {IR_FLT, IR_FGT},   {IR_FLE, IR_FGE}};
    for (unsigned i = 0; i < sizeof turned / sizeof *turned; i++)
        for (unsigned k = 0; k < 2; k++)
            if (turned[i][k] == op)
                return turned[i][!k];
    return op;
}

/* How alike two operands are, looked at without their operands. */
static unsigned likeness(struct vec_loop *v, ir_ref a, ir_ref b)
{
    struct ir_func *f = v->f;
    if (same_value(f, a, b))
        return 3;
    if (vec_inside(v, a) != vec_inside(v, b) ||
        (f->ins[a].op != f->ins[b].op && f->ins[a].op != turned_op(f->ins[b].op)))
        return 0;
    if (f->ins[a].op == IR_LOAD && vec_inside(v, a))
        return vec_access_of(v, a)->pointer == vec_access_of(v, b)->pointer ? 3 : 1;
    return 2;
}

static bool all_inside_alike(struct vec_loop *v, const ir_ref *lanes)
{
    struct ir_func *f = v->f;
    const struct ir_ins *first = &f->ins[lanes[0]];
    for (uint32_t k = 0; k < v->lanes; k++) {
        const struct ir_ins *ins = &f->ins[lanes[k]];
        if (!vec_inside(v, lanes[k]) || (ins->op != first->op && ins->op != turned_op(first->op)) ||
            ins->type != first->type || ins->access != first->access ||
            (ir_is_comparison(ins->op) && f->ins[ins->a].type != f->ins[first->a].type))
            return false;
    }
    return true;
}

static void cover(struct vec_loop *v, const ir_ref *lanes)
{
    for (uint32_t k = 0; k < v->lanes; k++)
        v->covered[vec_position(v, lanes[k])] = true;
}

/* Consecutive elements of the same pointer. */
static bool match_access(struct vec_loop *v, struct vec_node *n, const ir_ref *lanes)
{
    const struct vec_access *first = vec_access_of(v, lanes[0]);
    struct vec_pointer *p = &v->pointers[first->pointer];
    bool fixed = !p->at.step;
    if (fixed)
        n->kind = VEC_FIXED;
    for (uint32_t k = 0; k < v->lanes; k++) {
        struct vec_access *a = vec_access_of(v, lanes[k]);
        if (a->pointer != first->pointer || a->size != first->size ||
            a->offset != first->offset + (fixed ? 0 : k * first->size))
            return false;
        a->used = true;
    }
    if ((!fixed && p->at.step != v->lanes * first->size) || first->offset >= VEC_OFFSET)
        return false;
    n->pointer = first->pointer;
    n->offset = (uint32_t)first->offset;
    n->size = first->size;
    if (p->high < n->offset + (fixed ? n->size : 0))
        p->high = n->offset + (fixed ? n->size : 0);
    cover(v, lanes);
    return true;
}

/* Values that count, evenly from lane to lane and from round to round. */
static bool match_counter(struct vec_loop *v, struct vec_node *n, const ir_ref *lanes)
{
    if (n->type != IR_I32 || !vec_linear(v, lanes[0], &n->linear) || n->linear.step % v->lanes)
        return false;
    n->delta = n->linear.step / v->lanes;
    for (uint32_t k = 1; k < v->lanes; k++) {
        struct vec_linear other;
        if (!vec_linear(v, lanes[k], &other) || !vec_same_terms(&other, &n->linear) ||
            other.constant - n->linear.constant != k * n->delta)
            return false;
    }
    n->kind = VEC_COUNTER;
    return true;
}

/* A phi in lane 0, and in each lane behind it what it gets from the one before. */
static bool match_previous(struct vec_loop *v, uint32_t node, const ir_ref *lanes)
{
    struct ir_func *f = v->f;
    ir_ref from[VEC_LANES];
    if (f->ins[lanes[0]].op != IR_PHI || f->ins[lanes[0]].block != v->block)
        return false;
    memcpy(from, lanes + 1, (v->lanes - 1) * sizeof *from);
    from[v->lanes - 1] = vec_latch_value(v, &f->ins[lanes[0]]);
    if (!vec_inside(v, from[0]) || f->ins[from[0]].op == IR_PHI)
        return false;
    struct vec_node *n = &v->nodes[node];
    n->kind = VEC_PREVIOUS;
    n->scalar = lanes[0];
    v->covered[vec_position(v, lanes[0])] = true;
    uint32_t operand = node_of(v, from);
    n->operands[0] = (uint8_t)operand;
    n->operand_count = 1;
    return operand < VEC_NODES;
}

/* The operands of an operation that all lanes do. */
static bool match_operands(struct vec_loop *v, uint32_t node, const ir_ref *lanes)
{
    struct ir_func *f = v->f;
    const struct ir_ins *first = &f->ins[lanes[0]];
    bool is_store = first->op == IR_STORE;
    uint32_t count = ir_shapes[first->op].fixed;
    if (ir_shapes[first->op].list)
        return false;
    if (first->op == IR_SHL || first->op == IR_SHR_S || first->op == IR_SHR_U) {
        v->nodes[node].kind = VEC_SHIFT;
        v->nodes[node].scalar = first->b;
        for (uint32_t k = 0; k < v->lanes; k++)
            if (vec_inside(v, f->ins[lanes[k]].b) || !same_value(f, f->ins[lanes[k]].b, first->b))
                return false;
        count = 1;
    }
    v->nodes[node].operand_count = (uint8_t)(is_store ? 1 : count);
    for (uint32_t o = is_store; o < count; o++) {
        ir_ref from[VEC_LANES];
        for (uint32_t k = 0; k < v->lanes; k++) {
            const struct ir_ins *ins = &f->ins[lanes[k]];
            bool turn = ins->op != first->op;
            if (ir_flags[ins->op] & IR_C && k)
                turn = likeness(v, first->a, ins->b) + likeness(v, first->b, ins->a) >
                       likeness(v, first->a, ins->a) + likeness(v, first->b, ins->b);
            from[k] = turn ? ins->abc[1 - o] : ins->abc[o];
        }
        uint32_t operand = node_of(v, from);
        if (operand == VEC_NODES)
            return false;
        v->nodes[node].operands[is_store ? 0 : o] = (uint8_t)operand;
    }
    return true;
}

static bool match_node(struct vec_loop *v, uint32_t node)
{
    struct ir_func *f = v->f;
    struct vec_node *n = &v->nodes[node];
    const ir_ref *lanes = &v->lane_refs[n->lanes];
    if (!vec_inside(v, lanes[0])) {
        for (uint32_t k = 1; k < v->lanes; k++)
            if (!same_value(f, lanes[0], lanes[k]))
                return false;
        n->kind = VEC_SPLAT;
        return true;
    }
    if (match_counter(v, n, lanes))
        return true;
    if (f->ins[lanes[0]].op == IR_PHI)
        return match_previous(v, node, lanes);
    if (!all_inside_alike(v, lanes))
        return false;
    cover(v, lanes);
    unsigned op = f->ins[lanes[0]].op;
    if (op == IR_LOAD) {
        n->kind = VEC_LOAD;
        return match_access(v, n, lanes);
    }
    n->kind = op == IR_STORE ? VEC_STORE : VEC_OP;
    if (op >= IR_EQ && op <= IR_FGE) {
        n->type = f->ins[f->ins[lanes[0]].a].type;
        n->is_mask = true;
    }
    if (op == IR_STORE) {
        n->type = f->ins[f->ins[lanes[0]].b].type;
        if (!match_access(v, n, lanes))
            return false;
    }
    return match_operands(v, node, lanes);
}

/* ---- where it starts from ---- */

/* The stores, each from its lowest element on. */
static bool match_stores(struct vec_loop *v)
{
    struct ir_func *f = v->f;
    for (uint32_t i = 0; i < v->access_count; i++) {
        if (f->ins[v->accesses[i].ref].op != IR_STORE || v->accesses[i].used)
            continue;
        struct vec_access *low = &v->accesses[i];
        for (uint32_t k = i + 1; k < v->access_count; k++) {
            struct vec_access *a = &v->accesses[k];
            if (f->ins[a->ref].op == IR_STORE && !a->used && a->pointer == low->pointer &&
                a->size == low->size && a->offset < low->offset)
                low = a;
        }
        ir_ref lanes[VEC_LANES] = {low->ref};
        uint32_t found = 1;
        for (uint32_t k = 0; k < v->access_count && found <= v->lanes; k++) {
            struct vec_access *a = &v->accesses[k];
            if (f->ins[a->ref].op != IR_STORE || a->used || a->pointer != low->pointer ||
                a->size != low->size || a == low)
                continue;
            int64_t lane = (a->offset - low->offset) / low->size;
            if ((a->offset - low->offset) % low->size || lane >= (int64_t)v->lanes)
                continue;
            if (lane <= 0 || lanes[lane])
                return false; /* the same place twice */
            lanes[lane] = a->ref;
            found++;
        }
        if (found != v->lanes)
            return false;
        uint32_t node = node_of(v, lanes);
        if (node == VEC_NODES || !match_node(v, node))
            return false;
        i -= !v->accesses[i].used; /* that was another stream of the same pointer */
    }
    return true;
}

/* The place of the lowest load that a term is made of: what tells the lanes apart. */
static bool term_key(struct vec_loop *v, ir_ref term, uint64_t *key)
{
    enum { STACK = 16, STEPS = 32 };
    struct ir_func *f = v->f;
    ir_ref stack[STACK];
    uint32_t depth = 0, steps = 0;
    *key = UINT64_MAX;
    stack[depth++] = term;
    while (depth && ++steps < STEPS) {
        ir_ref r = stack[--depth];
        struct ir_ins *ins = &f->ins[r];
        if (!vec_inside(v, r) || ins->op == IR_PHI)
            continue;
        if (ins->op == IR_LOAD) {
            const struct vec_access *a = vec_access_of(v, r);
            uint64_t k = (uint64_t)a->pointer << 32 | (uint32_t)a->offset;
            if (k < *key && v->pointers[a->pointer].at.step)
                *key = k;
            continue;
        }
        uint32_t count = ir_operand_count(ins);
        for (uint32_t k = 0; k < count && depth < STACK; k++)
            stack[depth++] = *ir_operand(f, ins, k);
    }
    return *key != UINT64_MAX;
}

static bool is_reduction(unsigned op)
{
    return op == IR_ADD || op == IR_AND || op == IR_OR || op == IR_XOR || op == IR_MUL;
}

/* The terms of the sum that phi R is of, lane by lane. */
static bool match_reduction(struct vec_loop *v, ir_ref phi)
{
    struct ir_func *f = v->f;
    ir_ref next = vec_latch_value(v, &f->ins[phi]), terms[VEC_REDUCTION_TERMS],
           stack[VEC_REDUCTION_TERMS];
    ir_ref inner[VEC_REDUCTION_TERMS]; /* of the tree */
    uint64_t keys[VEC_REDUCTION_TERMS];
    uint32_t depth = 0, count = 0, size = 0;
    unsigned op = f->ins[next].op, phis = 0;
    if (!vec_inside(v, next) || !is_reduction(op) || v->reduction_count == VEC_REDUCTIONS ||
        v->uses[vec_position(v, phi)] != 1 || v->uses[vec_position(v, next)] != 1)
        return false;
    stack[depth++] = next;
    while (depth) {
        ir_ref r = stack[--depth];
        if (vec_inside(v, r) && f->ins[r].op == op && v->uses[vec_position(v, r)] == 1 &&
            !(f->ins[r].mark & VEC_WANTED && r != next)) {
            if (depth + 2 > VEC_REDUCTION_TERMS || size == VEC_REDUCTION_TERMS)
                return false;
            inner[size++] = r;
            stack[depth++] = f->ins[r].b;
            stack[depth++] = f->ins[r].a;
        } else if (r == phi) {
            phis++;
        } else {
            if (count == VEC_REDUCTION_TERMS || !term_key(v, r, &keys[count]))
                return false;
            terms[count++] = r;
        }
    }
    if (phis != 1 || !count || count % v->lanes)
        return false;
    struct vec_reduction *reduction = &v->reductions[v->reduction_count];
    *reduction = (struct vec_reduction){
        .phi = phi, .next = next, .op = (uint16_t)op, .type = f->ins[phi].type};
    /* The lowest term that is left, and those one element further each. */
    for (uint32_t left = count; left; left -= v->lanes) {
        ir_ref lanes[VEC_LANES];
        uint64_t at = 0;
        uint32_t step = 0;
        for (uint32_t lane = 0; lane < v->lanes; lane++) {
            uint32_t best = count;
            for (uint32_t k = 0; k < count; k++)
                if (terms[k] &&
                    (lane ? keys[k] == at + step && f->ins[terms[k]].op == f->ins[lanes[0]].op
                          : best == count || keys[k] < keys[best]))
                    best = k;
            if (best == count)
                return false;
            lanes[lane] = terms[best];
            at = keys[best];
            step = v->pointers[at >> 32].at.step / v->lanes;
            terms[best] = 0;
        }
        uint32_t node = node_of(v, lanes);
        if (node == VEC_NODES)
            return false;
        reduction->terms[reduction->term_count++] = (uint8_t)node;
    }
    for (uint32_t k = 0; k < size; k++)
        v->covered[vec_position(v, inner[k])] = true;
    v->covered[vec_position(v, phi)] = true;
    v->reduction_count++;
    return true;
}

/* ---- what it comes to ---- */

/* Whether the low bits of a node's value are right in lanes of SIZE < 4 bytes. Of what the round
 * before had all bits are wanted after the loop. */
static bool fits_narrow(const struct vec_loop *v, const struct vec_node *n, uint32_t size)
{
    const struct ir_func *f = v->f;
    const struct ir_ins *ins = &f->ins[v->lane_refs[n->lanes]];
    if (n->type != IR_I32)
        return false;
    switch (n->kind) {
    case VEC_SPLAT:
    case VEC_FIXED: return true;
    case VEC_LOAD:
    case VEC_STORE: return n->size == size;
    case VEC_SHIFT: {
        int64_t k;
        const struct vec_node *a = &v->nodes[n->operands[0]];
        const struct ir_ins *load = &f->ins[v->lane_refs[a->lanes]];
        bool is_signed = load->access == IR_S8 || load->access == IR_S16;
        return opt_const(f, n->scalar, &k) && (k & 31) < 8 * size &&
               (ins->op == IR_SHL || (a->kind == VEC_LOAD && is_signed == (ins->op == IR_SHR_S)));
    }
    case VEC_OP:
        return ins->op == IR_ADD || ins->op == IR_SUB || ins->op == IR_MUL || ins->op == IR_AND ||
               ins->op == IR_OR || ins->op == IR_XOR || (ins->op == IR_EXT8 && size == 1) ||
               (ins->op == IR_EXT16 && size == 2);
    default: return false;
    }
}

/* Whether all nodes have operations on lanes of SIZE bytes. */
static bool choose_size(struct vec_loop *v, uint32_t size)
{
    struct ir_func *f = v->f;
    for (uint32_t i = 0; i < v->node_count; i++) {
        struct vec_node *n = &v->nodes[i];
        unsigned op = f->ins[v->lane_refs[n->lanes]].op;
        if (size < 4 && !fits_narrow(v, n, size))
            return false;
        if (!vec_splat_op(n->type, size))
            return false;
        for (uint32_t k = 0; k < n->operand_count; k++)
            if (v->nodes[n->operands[k]].is_mask != (op == IR_SELECT && k == 2))
                return false;
        switch (n->kind) {
        case VEC_LOAD:
        case VEC_STORE:
            if (n->size > size || 16 / size * n->size < 4)
                return false;
            break;
        case VEC_COUNTER:
            if (size != 4)
                return false;
            break;
        case VEC_SWAP:
        case VEC_SAME: n->kind = VEC_OP; __attribute__((fallthrough));
        case VEC_OP:
            if (op == IR_BSWAP) {
                n->kind = VEC_SWAP;
                break;
            }
            if (op == IR_BITCAST || op == IR_EXT8 || op == IR_EXT16) {
                if (op != IR_BITCAST && size >= 4)
                    return false;
                n->kind = VEC_SAME;
                break;
            }
            __attribute__((fallthrough));
        case VEC_SHIFT:
            n->simd = vec_lane_op(op, n->type, size);
            if (!n->simd)
                return false;
            break;
        default: break;
        }
    }
    for (uint32_t i = 0; i < v->reduction_count; i++) {
        const struct vec_reduction *r = &v->reductions[i];
        if (size < 4 || !vec_lane_op(r->op, r->type, size))
            return false;
        for (uint32_t t = 0; t < r->term_count; t++)
            if (v->nodes[r->terms[t]].is_mask &&
                (r->op != IR_ADD || r->type != IR_I32 || size != 4))
                return false;
    }
    v->lane_size = size;
    return true;
}

static bool choose_shape(struct vec_loop *v)
{
    static const uint8_t sizes[] = {1, 2, 4, 8};
    uint32_t k = 0;
    while (k < sizeof sizes && !choose_size(v, sizes[k]))
        k++;
    if (k == sizeof sizes)
        return false;
    uint32_t width = 16 / v->lane_size, common = v->lanes & (0 - v->lanes);
    v->rounds = common < width ? width / common : 1;
    v->vectors = v->rounds * v->lanes / width;
    /* Two vectors a round make up for its counting. */
    if (v->vectors == 1 && width <= 4 && v->node_count <= 24) {
        v->rounds *= 2;
        v->vectors *= 2;
    }
    return vec_most_rounds(v->f, &v->counter) > v->rounds && v->vectors <= VEC_VECTORS &&
           v->vectors * v->node_count <= 4 * VEC_NODES;
}

/* Operands before what uses them, stores last and as they stand. False: something depends on what
 * it gave in the round before. */
static bool find_order(struct vec_loop *v)
{
    bool done[VEC_NODES] = {false};
    uint32_t count = 0, before;
    do {
        before = count;
        for (uint32_t i = 0; i < v->node_count; i++) {
            struct vec_node *n = &v->nodes[i];
            bool ready = !done[i] && n->kind != VEC_STORE;
            for (uint32_t k = 0; k < n->operand_count; k++)
                ready &= done[n->operands[k]];
            if (!ready)
                continue;
            done[i] = true;
            v->order[count++] = (uint8_t)i;
        }
    } while (count != before);
    uint32_t stores = count;
    for (uint32_t i = 0; i < v->node_count; i++) {
        if (v->nodes[i].kind != VEC_STORE)
            continue;
        if (!done[v->nodes[i].operands[0]])
            return false;
        v->order[count++] = (uint8_t)i;
    }
    return count == v->node_count && (count != stores || v->reduction_count);
}

/* In each lane A comes before B. */
static bool comes_before(const struct vec_loop *v, const struct vec_node *a,
                         const struct vec_node *b)
{
    for (uint32_t k = 0; k < v->lanes; k++)
        if (vec_position(v, v->lane_refs[a->lanes + k]) >=
            vec_position(v, v->lane_refs[b->lanes + k]))
            return false;
    return true;
}

/* Load X reads elements that store S reaches some rounds later, or later in the same one: in the
 * order of vectors too, since in each the loads come first. */
static bool reads_ahead(const struct vec_loop *v, const struct vec_node *x,
                        const struct vec_node *s)
{
    if (x->kind != VEC_LOAD || x->offset < s->offset || (x->offset - s->offset) % s->size)
        return false;
    for (uint32_t k = 0, to = (x->offset - s->offset) / s->size; to < v->lanes; k++, to++)
        if (vec_position(v, v->lane_refs[x->lanes + k]) >=
            vec_position(v, v->lane_refs[s->lanes + to]))
            return false;
    return true;
}

static bool add_pair(struct vec_loop *v, uint32_t store, const struct vec_node *other,
                     bool same_fits)
{
    uint32_t high = other->offset + (other->kind == VEC_FIXED ? other->size : 0);
    uint32_t i = 0;
    while (i < v->pair_count &&
           (v->pairs[i].store != store || v->pairs[i].pointer != other->pointer))
        i++;
    struct vec_pair *p = &v->pairs[i];
    if (i == VEC_PAIRS)
        return false;
    if (i == v->pair_count) {
        v->pair_count++;
        *p = (struct vec_pair){(uint8_t)store, other->pointer, same_fits, other->offset, high};
        return true;
    }
    p->same_fits &= same_fits && p->low == other->offset;
    if (p->low > other->offset)
        p->low = other->offset;
    if (p->high < high)
        p->high = high;
    return true;
}

/* In one round of the vector loop no element may touch what another stores; of one element loads
 * come before stores. From round to round the order stays as it was. */
static bool find_pairs(struct vec_loop *v)
{
    for (uint32_t i = 0; i < v->node_count; i++) {
        const struct vec_node *s = &v->nodes[i];
        if (s->kind != VEC_STORE)
            continue;
        for (uint32_t k = 0; k < v->node_count; k++) {
            const struct vec_node *x = &v->nodes[k];
            if ((x->kind != VEC_LOAD && x->kind != VEC_STORE && x->kind != VEC_FIXED) || k == i ||
                (x->kind == VEC_STORE && k > i))
                continue;
            bool fits = x->kind == VEC_LOAD && comes_before(v, x, s);
            if (x->pointer != s->pointer) {
                if (!add_pair(v, i, x, fits))
                    return false;
                continue;
            }
            uint32_t distance =
                s->offset > x->offset ? s->offset - x->offset : x->offset - s->offset;
            if (distance ? distance < v->rounds * v->lanes * s->size && !reads_ahead(v, x, s)
                         : !fits)
                return false;
        }
    }
    return true;
}

/* What is wanted of the loop outside must be there after the vector loop, or the scalar one does
 * the last round. */
static void find_wanted(struct vec_loop *v)
{
    struct ir_func *f = v->f;
    for (uint32_t i = 1; i <= v->body_count; i++) {
        ir_ref r = v->body[i];
        if (!(f->ins[r].mark & VEC_WANTED))
            continue;
        bool known = f->ins[r].op == IR_CONST;
        for (uint32_t k = 0; k < v->induction_count; k++)
            known |= v->inductions[k].phi == r || v->inductions[k].next == r;
        for (uint32_t k = 0; k < v->reduction_count; k++)
            known |= v->reductions[k].next == r;
        if (!known || v->wanted_count == VEC_PHIS) {
            v->leaves_last = true;
            return;
        }
        v->wanted[v->wanted_count++] = r;
    }
}

/* Everything that has an effect, and every phi, is accounted for. */
static bool all_covered(const struct vec_loop *v)
{
    const struct ir_func *f = v->f;
    for (uint32_t i = 1; i <= v->body_count; i++) {
        unsigned op = f->ins[v->body[i]].op;
        if (!v->covered[i] && (op == IR_PHI || op == IR_LOAD || op == IR_STORE))
            return false;
    }
    return true;
}

bool vec_match(struct vec_loop *v)
{
    struct ir_func *f = v->f;
    if (!match_stores(v))
        return false;
    for (ir_ref r = f->blocks[v->block].first; f->ins[r].op == IR_PHI; r = f->ins[r].next)
        if (!vec_induction_of(v->inductions, v->induction_count, r))
            match_reduction(v, r);
    for (uint32_t n = 0; n < v->node_count; n++)
        if (v->nodes[n].kind == VEC_PENDING && !match_node(v, n))
            return false;
    if (!v->node_count || !all_covered(v) || !choose_shape(v) || !find_order(v) || !find_pairs(v))
        return false;
    find_wanted(v);
    return true;
}
