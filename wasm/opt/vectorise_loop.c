/* A loop of one block for the vectoriser: its instructions, what it counts with, and where its
 * accesses go. */
#include "opt/vectorise.h"

#include <string.h>

/* ---- the body ---- */

bool vec_plain_memory(const struct ir_func *f, uint32_t memory)
{
    const struct ir_module *m = f->module;
    return m && memory < m->memory_count && !m->memories[memory].is64 &&
           !m->memories[memory].shared;
}

unsigned vec_access_size(unsigned access)
{
    return access < IR_128 ? ir_access_bytes(access) : 0;
}

/* Gives every instruction its position; false: something in it cannot be done several at once. */
static bool read_body(struct vec_loop *v)
{
    struct ir_func *f = v->f;
    bool first = true;
    for (ir_ref r = f->blocks[v->block].first; r; r = f->ins[r].next) {
        struct ir_ins *ins = &f->ins[r];
        if (v->body_count + 1 == VEC_BODY)
            return false;
        v->body[++v->body_count] = r;
        ins->mark = (ins->mark & ~VEC_POSITION) | v->body_count;
        v->uses[v->body_count] = 0;
        v->covered[v->body_count] = ins->op == IR_CONST;
        if (ins->op == IR_LOAD || ins->op == IR_STORE) {
            uint8_t type = ins->op == IR_LOAD ? ins->type : f->ins[ins->b].type;
            if (!vec_plain_memory(f, ins->aux) || (!first && ins->aux != v->memory) ||
                type == IR_V128 || !vec_access_size(ins->access) || ins->imm >= VEC_OFFSET)
                return false;
            v->memory = ins->aux;
            first = false;
            v->accesses[v->access_count++] =
                (struct vec_access){.ref = r, .size = (uint8_t)vec_access_size(ins->access)};
        } else if (ins->op != IR_PHI && ins->op != IR_BRANCH && !(ir_flags[ins->op] & IR_P)) {
            return false;
        }
    }
    for (uint32_t i = 1; i <= v->body_count; i++) {
        struct ir_ins *ins = &f->ins[v->body[i]];
        uint32_t count = ir_operand_count(ins);
        for (uint32_t k = 0; k < count; k++) {
            ir_ref used = *ir_operand(f, ins, k);
            if (f->ins[used].block == v->block && v->uses[vec_position(v, used)] < UINT8_MAX)
                v->uses[vec_position(v, used)]++;
        }
    }
    return v->access_count != 0;
}

static ir_ref start_value(const struct vec_loop *v, const struct ir_ins *phi)
{
    return v->f->pool[phi->list + v->slot];
}

static bool find_inductions(struct vec_loop *v)
{
    struct ir_func *f = v->f;
    uint32_t phis = 0;
    for (ir_ref r = f->blocks[v->block].first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        if (++phis > VEC_PHIS)
            return false;
        ir_ref next = vec_latch_value(v, &f->ins[r]);
        const struct ir_ins *n = &f->ins[next];
        int64_t k;
        if (f->ins[r].type != IR_I32 || n->op != IR_ADD || n->block != v->block || n->a != r ||
            !opt_const(f, n->b, &k) || !k)
            continue;
        v->inductions[v->induction_count++] = (struct vec_induction){
            .phi = r, .next = next, .start = start_value(v, &f->ins[r]), .step = (uint32_t)k};
        v->covered[vec_position(v, r)] = v->covered[vec_position(v, next)] = true;
    }
    return v->induction_count != 0;
}

const struct vec_induction *vec_induction_of(const struct vec_induction *inductions, uint32_t count,
                                             ir_ref phi)
{
    for (uint32_t i = 0; i < count; i++)
        if (inductions[i].phi == phi)
            return &inductions[i];
    return NULL;
}

/* ---- how often it comes round ---- */

static const struct vec_induction *tested_by(const struct vec_induction *inductions, uint32_t count,
                                             ir_ref ref)
{
    for (uint32_t i = 0; i < count; i++)
        if (inductions[i].phi == ref || inductions[i].next == ref)
            return &inductions[i];
    return NULL;
}

bool vec_find_counter(const struct ir_func *f, ir_block_ref latch, ir_block_ref header,
                      const struct vec_induction *inductions, uint32_t count,
                      struct vec_counter *counter)
{
    ir_ref tested = f->ins[f->blocks[latch].last].a, limit = 0;
    uint16_t op = IR_NE;
    const struct ir_ins *c = &f->ins[tested];
    const struct vec_induction *i = tested_by(inductions, count, tested);
    if (!i && c->op == IR_EQZ) {
        op = IR_EQ;
        tested = c->a;
    } else if (!i && c->op >= IR_EQ && c->op <= IR_GE_U) {
        bool first = tested_by(inductions, count, c->a);
        op = first ? c->op : ir_swapped[c->op];
        tested = first ? c->a : c->b;
        limit = first ? c->b : c->a;
    }
    i = tested_by(inductions, count, tested);
    if (!i)
        return false;
    if (ir_succs(f, latch)[0] != header) /* it goes on where the condition does not hold */
        op = ir_negated[op];
    bool down = i->step >> 31;
    uint32_t stride = down ? 0 - i->step : i->step;
    *counter = (struct vec_counter){.start = i->start,
                                    .limit = limit,
                                    .step = i->step,
                                    .test = op,
                                    .tests_next = tested == i->next};
    bool fixed = f->ins[i->start].op == IR_CONST && (!limit || f->ins[limit].op == IR_CONST);
    if (stride & (stride - 1) && !fixed)
        return false;
    if (fixed && op == IR_NE) {
        uint32_t end = limit ? (uint32_t)f->ins[limit].imm : 0;
        uint32_t start = (uint32_t)f->ins[i->start].imm, way = down ? start - end : end - start;
        counter->known_rounds = way / stride + !counter->tests_next;
        return way % stride == 0 && counter->known_rounds;
    }
    static const bool upwards[] = {
        [IR_LT_S] = true, [IR_LT_U] = true, [IR_LE_S] = true, [IR_LE_U] = true, [IR_GT_U] = false};
    return op == IR_NE || (op != IR_EQ && op <= IR_GE_U && op >= IR_LT_S &&
                           (op < sizeof upwards && upwards[op]) == !down);
}

uint32_t vec_most_rounds(const struct ir_func *f, const struct vec_counter *c)
{
    bool down = c->step >> 31;
    uint32_t stride = down ? 0 - c->step : c->step;
    ir_ref low = down ? c->limit : c->start, high = down ? c->start : c->limit;
    if (c->known_rounds)
        return c->known_rounds;
    if (!high || (low && (f->ins[low].op != IR_CONST || (uint32_t)f->ins[low].imm)))
        return UINT32_MAX; /* counted from another number than 0 */
    uint64_t most = ir_limit(f, high) / stride + 1;
    return ir_limit(f, high) <= INT32_MAX ? (uint32_t)most : UINT32_MAX;
}

/* ---- addresses ---- */

bool vec_add_term(struct vec_linear *l, ir_ref value, uint32_t factor)
{
    uint32_t i = 0;
    while (i < l->count && l->terms[i].value < value)
        i++;
    if (i < l->count && l->terms[i].value == value) {
        l->terms[i].factor += factor;
        return l->terms[i].factor != 0;
    }
    if (l->count == VEC_TERMS)
        return false;
    memmove(&l->terms[i + 1], &l->terms[i], (l->count - i) * sizeof *l->terms);
    l->terms[i].value = value;
    l->terms[i].factor = factor;
    l->count++;
    return true;
}

bool vec_linear(const struct vec_loop *v, ir_ref ref, struct vec_linear *linear)
{
    enum { DEPTH = 8, STEPS = 16 };
    struct ir_func *f = v->f;
    struct {
        ir_ref ref;
        uint32_t factor;
    } stack[DEPTH];
    uint32_t depth = 0, steps = 0;
    *linear = (struct vec_linear){0};
    stack[depth++] = (typeof(stack[0])){ref, 1};
    while (depth) {
        typeof(stack[0]) at = stack[--depth];
        const struct ir_ins *ins = &f->ins[at.ref];
        int64_t k;
        if (ins->type != IR_I32 || ++steps > STEPS || depth + 2 > DEPTH)
            return false;
        const struct vec_induction *i;
        if (ins->op == IR_CONST) {
            linear->constant += at.factor * (uint32_t)ins->imm;
        } else if (!vec_inside(v, at.ref) && ins->op == IR_ADD && f->ins[ins->b].op == IR_CONST) {
            /* so that distances of what was computed before the loop are seen */
            stack[depth++] = (typeof(stack[0])){ins->a, at.factor};
            stack[depth++] = (typeof(stack[0])){ins->b, at.factor};
        } else if (!vec_inside(v, at.ref)) {
            if (!vec_add_term(linear, at.ref, at.factor))
                return false;
        } else if ((i = vec_induction_of(v->inductions, v->induction_count, at.ref))) {
            linear->step += at.factor * i->step;
            if (!vec_add_term(linear, at.ref, at.factor))
                return false;
        } else if (ins->op == IR_ADD || ins->op == IR_SUB) {
            stack[depth++] = (typeof(stack[0])){ins->a, at.factor};
            stack[depth++] =
                (typeof(stack[0])){ins->b, ins->op == IR_ADD ? at.factor : 0 - at.factor};
        } else if ((ins->op == IR_SHL || ins->op == IR_MUL) && opt_const(f, ins->b, &k)) {
            uint32_t factor = ins->op == IR_SHL ? UINT32_C(1) << (k & 31) : (uint32_t)k;
            stack[depth++] = (typeof(stack[0])){ins->a, at.factor * factor};
        } else {
            return false;
        }
    }
    return true;
}

bool vec_same_terms(const struct vec_linear *a, const struct vec_linear *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->terms[i].value != b->terms[i].value || a->terms[i].factor != b->terms[i].factor)
            return false;
    return true;
}

/* Every access gets a pointer, the lowest of those at constant distances. */
static bool find_pointers(struct vec_loop *v)
{
    struct ir_func *f = v->f;
    for (uint32_t i = 0; i < v->access_count; i++) {
        struct vec_access *a = &v->accesses[i];
        struct vec_linear at;
        if (!vec_linear(v, f->ins[a->ref].a, &at) || at.step > VEC_STEP ||
            (!at.step && f->ins[a->ref].op == IR_STORE))
            return false;
        uint32_t p = 0;
        while (p < v->pointer_count &&
               (!vec_same_terms(&v->pointers[p].at, &at) ||
                at.constant - v->pointers[p].at.constant + VEC_OFFSET >= 2 * VEC_OFFSET))
            p++;
        if (p == VEC_POINTERS)
            return false;
        if (p == v->pointer_count)
            v->pointers[v->pointer_count++] = (struct vec_pointer){.at = at};
        a->pointer = (uint8_t)p;
        int32_t distance = (int32_t)(at.constant - v->pointers[p].at.constant);
        a->offset = distance;
        if (v->pointers[p].lowest > distance)
            v->pointers[p].lowest = distance;
    }
    /* Offsets of the accesses themselves are not part of what wraps. */
    for (uint32_t i = 0; i < v->access_count; i++) {
        struct vec_access *a = &v->accesses[i];
        a->offset += (int64_t)f->ins[a->ref].imm - v->pointers[a->pointer].lowest;
    }
    for (uint32_t p = 0; p < v->pointer_count; p++)
        v->pointers[p].at.constant += (uint32_t)v->pointers[p].lowest;
    return true;
}

struct vec_access *vec_access_of(struct vec_loop *v, ir_ref ref)
{
    /* They are in order of position. */
    uint32_t low = 0, high = v->access_count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (vec_position(v, v->accesses[middle].ref) <= vec_position(v, ref))
            low = middle;
        else
            high = middle;
    }
    return &v->accesses[low];
}

/* Elements a round, from the first store or load that steps by a multiple of its size. */
static bool find_lanes(struct vec_loop *v)
{
    for (uint32_t i = 0; i < v->access_count; i++) {
        const struct vec_access *a = &v->accesses[i];
        uint32_t step = v->pointers[a->pointer].at.step;
        if (!step)
            continue; /* always the same place */
        if (step % a->size || (v->lanes && v->lanes != step / a->size))
            return false;
        v->lanes = step / a->size;
    }
    return v->lanes && v->lanes <= VEC_LANES;
}

bool vec_begin(struct vec_loop *v, struct ir_func *f, ir_block_ref block, ir_block_ref before)
{
    memset(v, 0, offsetof(struct vec_loop, inductions));
    v->f = f;
    v->block = v->latch = block;
    v->before = before;
    v->slot = ir_preds(f, block)[0] == block;
    v->exit = ir_succs(f, block)[ir_succs(f, block)[0] == block];
    return read_body(v) && find_inductions(v) &&
           vec_find_counter(f, block, block, v->inductions, v->induction_count, &v->counter) &&
           (!v->counter.limit || !vec_inside(v, v->counter.limit)) && find_pointers(v) &&
           find_lanes(v);
}
