/* The code of a vectorised loop. Before the scalar loop:
 *
 *   tests    how often it comes round; all it touches is in memory; stores touch nothing that they
 *            should not. Where one fails: to JOIN
 *   vector   the loop, several rounds of the scalar one at once
 *   after    sums are added up; to JOIN if rounds are left, else to the exit
 *   join     the scalar loop begins, with what is left of it
 *
 * All sums of addresses are made in 64 bits. */
#include "opt/fold.h"
#include "opt/repair.h"
#include "opt/vectorise_emit.h"
#include "ir/simd.h"

#include <string.h>

ir_ref vec_constant(struct emitter *e, uint8_t type, uint64_t value)
{
    ir_ref r = ir_append(e->f, e->now, IR_CONST, (enum ir_type)type);
    e->f->ins[r].imm = type == IR_I32 ? (uint32_t)value : value;
    return r;
}

ir_ref vec_vector_constant(struct emitter *e, uint64_t low, uint64_t high)
{
    ir_ref r = vec_constant(e, IR_V128, low);
    e->f->ins[r].imm2 = high;
    return r;
}

/* One or two operands; TYPE that of the result. */
ir_ref vec_put(struct emitter *e, enum ir_op op, uint8_t type, ir_ref a, ir_ref b)
{
    struct ir_func *f = e->f;
    int64_t x = 0, y = 0;
    bool known = opt_const(f, a, &x), b_known = b && opt_const(f, b, &y);
    uint64_t value;
    if (known && b_known && fold_value(op, x, y, f->ins[a].type == IR_I64, &value))
        return vec_constant(e, type, value);
    if (known && op == IR_ZEXT)
        return vec_constant(e, type, (uint32_t)x);
    if (known && op == IR_SEXT)
        return vec_constant(e, type, (uint64_t)x);
    if (known && op == IR_WRAP)
        return vec_constant(e, type, (uint64_t)x);
    if (b_known && !y && (op == IR_ADD || op == IR_SUB || op == IR_SHL || op == IR_SHR_U))
        return a;
    if (b_known && op == IR_MUL && y > 0 && !(y & (y - 1)))
        return vec_put(e, IR_SHL, type, a,
                       vec_constant(e, type, (uint64_t)__builtin_ctzll((uint64_t)y)));
    ir_ref r = ir_append(f, e->now, op, (enum ir_type)type);
    f->ins[r].a = a;
    f->ins[r].b = b;
    return r;
}

ir_ref vec_put_k(struct emitter *e, enum ir_op op, uint8_t type, ir_ref a, uint64_t k)
{
    return vec_put(e, op, type, a, vec_constant(e, e->f->ins[a].type, k));
}

ir_ref vec_simd(struct emitter *e, uint16_t op, uint8_t type, ir_ref a, ir_ref b)
{
    ir_ref r = ir_append(e->f, e->now, b ? IR_SIMD2 : IR_SIMD1, (enum ir_type)type);
    e->f->ins[r].a = a;
    e->f->ins[r].b = b;
    e->f->ins[r].aux = op;
    return r;
}

/* Bytes LANES of the two. */
static ir_ref vec_shuffle(struct emitter *e, ir_ref a, ir_ref b, const uint8_t lanes[16])
{
    ir_ref r = vec_simd(e, SIMD_I8X16_SHUFFLE, IR_V128, a, b);
    uint64_t words[2] = {0};
    for (unsigned k = 0; k < 16; k++)
        words[k / 8] |= (uint64_t)lanes[k] << (k % 8 * 8);
    e->f->ins[r].imm = words[0];
    e->f->ins[r].imm2 = words[1];
    return r;
}

ir_ref vec_splat(struct emitter *e, uint8_t type, ir_ref value)
{
    return vec_simd(e, vec_splat_op(type, e->v->lane_size), IR_V128, value, 0);
}

/* What REF of outside is here: constants may stand in the loop. */
ir_ref vec_outside(struct emitter *e, ir_ref ref)
{
    const struct ir_ins *ins = &e->f->ins[ref];
    if (ins->op != IR_CONST)
        return ref;
    uint64_t imm2 = ins->imm2, imm = ins->imm;
    ir_ref r = ir_append(e->f, e->now, IR_CONST, (enum ir_type)ins->type);
    e->f->ins[r].imm = imm;
    e->f->ins[r].imm2 = imm2;
    return r;
}

/* Goes on in a new block if CONDITION holds, else to the scalar loop. */
void vec_check(struct emitter *e, ir_ref condition)
{
    struct ir_func *f = e->f;
    int64_t k;
    if (opt_const(f, condition, &k) && k)
        return;
    ir_block_ref next = ir_block_new(f);
    ir_branch(f, e->now, condition, next, e->join);
    ir_pred_add(f, next, e->now);
    ir_pred_add(f, e->join, e->now);
    f->blocks[next].flags |= IR_BLOCK_APART;
    e->now = next;
}

/* ---- tests ---- */

ir_ref vec_count_rounds(struct emitter *e, const struct vec_counter *c, uint32_t least)
{
    bool down = c->step >> 31;
    uint32_t stride = down ? 0 - c->step : c->step, count = 0;
    unsigned shift = (unsigned)__builtin_ctz(stride);
    if (c->known_rounds)
        return vec_constant(e, IR_I64, c->known_rounds);
    ir_ref start = vec_outside(e, c->start), total, conditions[2];
    ir_ref limit = c->limit ? vec_outside(e, c->limit) : vec_constant(e, IR_I32, 0);
    if (c->test == IR_NE) {
        ir_ref distance = vec_put(e, IR_SUB, IR_I32, down ? start : limit, down ? limit : start);
        if (stride > 1)
            conditions[count++] =
                vec_put_k(e, IR_EQ, IR_I32, vec_put_k(e, IR_AND, IR_I32, distance, stride - 1), 0);
        total = vec_put(e, IR_ZEXT, IR_I64, vec_put_k(e, IR_SHR_U, IR_I32, distance, shift), 0);
    } else {
        bool is_signed =
            c->test == IR_LT_S || c->test == IR_LE_S || c->test == IR_GT_S || c->test == IR_GE_S;
        bool meets =
            c->test == IR_LE_S || c->test == IR_LE_U || c->test == IR_GE_S || c->test == IR_GE_U;
        enum ir_op extend = is_signed ? IR_SEXT : IR_ZEXT;
        ir_ref from = vec_put(e, extend, IR_I64, start, 0),
               to = vec_put(e, extend, IR_I64, limit, 0);
        ir_ref distance = vec_put(e, IR_SUB, IR_I64, down ? from : to, down ? to : from);
        conditions[count++] = vec_put_k(e, IR_GT_S, IR_I32, distance, meets ? UINT64_MAX : 0);
        distance = vec_put_k(e, IR_ADD, IR_I64, distance, stride - 1 + meets);
        total = stride & (stride - 1) ? vec_put_k(e, IR_DIV_U, IR_I64, distance, stride)
                                      : vec_put_k(e, IR_SHR_U, IR_I64, distance, shift);
        if (stride > 1 || meets) {
            /* What it counts with does not wrap before the end. */
            ir_ref way = vec_put_k(e, IR_MUL, IR_I64, total, stride);
            ir_ref last = vec_put(e, down ? IR_SUB : IR_ADD, IR_I64, from, way);
            int64_t lowest = is_signed ? INT32_MIN : 0,
                    highest = is_signed ? INT32_MAX : UINT32_MAX;
            conditions[count++] = vec_put_k(e, down ? IR_GE_S : IR_LE_S, IR_I32, last,
                                            (uint64_t)(down ? lowest : highest));
        }
    }
    if (!c->tests_next)
        total = vec_put_k(e, IR_ADD, IR_I64, total, 1);
    if (least) /* the one that often does not hold */
        vec_check(e, vec_put_k(e, IR_GE_U, IR_I32, total, least));
    for (uint32_t i = 0; i < count; i++)
        vec_check(e, conditions[i]);
    return total;
}

/* LINEAR when the loop begins. */
static ir_ref first_value(struct emitter *e, const struct vec_linear *linear)
{
    const struct vec_loop *v = e->v;
    ir_ref sum = 0;
    for (uint32_t t = 0; t < linear->count; t++) {
        ir_ref value = linear->terms[t].value;
        for (uint32_t i = 0; i < v->induction_count; i++)
            if (v->inductions[i].phi == value)
                value = v->inductions[i].start;
        value = vec_put_k(e, IR_MUL, IR_I32, vec_outside(e, value), linear->terms[t].factor);
        sum = sum ? vec_put(e, IR_ADD, IR_I32, sum, value) : value;
    }
    if (!sum)
        return vec_constant(e, IR_I32, linear->constant);
    return vec_put_k(e, IR_ADD, IR_I32, sum, linear->constant);
}

static void check_memory(struct emitter *e)
{
    struct vec_loop *v = e->v;
    ir_ref pages = ir_append(e->f, e->now, IR_MEMORY_SIZE, IR_I32);
    e->f->ins[pages].aux = v->memory;
    ir_ref size = vec_put_k(e, IR_SHL, IR_I64, vec_put(e, IR_ZEXT, IR_I64, pages, 0), 16);
    for (uint32_t p = 0; p < v->pointer_count; p++) {
        const struct vec_pointer *pointer = &v->pointers[p];
        e->start[p] = first_value(e, &pointer->at);
        e->wide[p] = vec_put(e, IR_ZEXT, IR_I64, e->start[p], 0);
        ir_ref bytes = vec_put_k(e, IR_MUL, IR_I64, e->rounds, pointer->at.step);
        e->end[p] = vec_put(e, IR_ADD, IR_I64, e->wide[p], bytes);
        ir_ref last = vec_put_k(e, IR_ADD, IR_I64, e->end[p], pointer->high);
        vec_check(e, vec_put(e, IR_LE_U, IR_I32, last, size));
    }
}

/* The store and what other pointers load or store are never the same bytes within a round of the
 * vector loop. */
static void check_pair(struct emitter *e, const struct vec_pair *pair)
{
    struct vec_loop *v = e->v;
    const struct vec_node *s = &v->nodes[pair->store];
    uint32_t p = s->pointer, q = pair->pointer;
    uint32_t round = v->rounds * v->pointers[p].at.step;
    if (v->pointers[p].at.step == v->pointers[q].at.step) {
        /* The distance stays: it is not in the open interval (low - round, high + round). */
        ir_ref distance = vec_put(e, IR_SUB, IR_I32, e->start[p], e->start[q]);
        ir_ref above =
            vec_put_k(e, IR_ADD, IR_I32, distance, (uint32_t)(s->offset - pair->low + round - 1));
        ir_ref far = vec_put_k(e, IR_GE_U, IR_I32, above, pair->high - pair->low + 2 * round - 1);
        if (pair->same_fits && pair->low == pair->high) {
            ir_ref same = vec_put_k(e, IR_EQ, IR_I32, distance, (uint32_t)(pair->low - s->offset));
            far = vec_put(e, IR_OR, IR_I32, far, same);
        }
        vec_check(e, far);
        return;
    }
    /* One is over before the other begins. */
    ir_ref store_end = vec_put_k(e, IR_ADD, IR_I64, e->end[p], (uint64_t)s->offset - pair->low);
    ir_ref before = vec_put(e, IR_LE_S, IR_I32, store_end, e->wide[q]);
    ir_ref other_end = vec_put_k(e, IR_ADD, IR_I64, e->end[q], (uint64_t)pair->high - s->offset);
    ir_ref behind = vec_put(e, IR_LE_S, IR_I32, other_end, e->wide[p]);
    vec_check(e, vec_put(e, IR_OR, IR_I32, before, behind));
}

/* ---- the vector loop ---- */

/* Lane k: k × DELTA. */
ir_ref vec_ramp(struct emitter *e, uint32_t delta)
{
    return vec_vector_constant(e, (uint64_t)delta << 32,
                               (uint64_t)(2 * delta) | (uint64_t)(3 * delta) << 32);
}

ir_ref vec_repeated(struct emitter *e, uint32_t value)
{
    uint64_t two = (uint64_t)value << 32 | value;
    return vec_vector_constant(e, two, two);
}

static ir_ref fixed_load(struct emitter *e, const struct vec_node *n)
{
    const struct ir_ins scalar = e->f->ins[e->v->lane_refs[n->lanes]];
    ir_ref r = ir_append(e->f, e->now, IR_LOAD, (enum ir_type)scalar.type);
    struct ir_ins *ins = &e->f->ins[r];
    ins->a = e->start[n->pointer];
    ins->imm = n->offset;
    ins->aux = scalar.aux;
    ins->access = scalar.access;
    ins->pos = scalar.pos;
    return r;
}

/* Before the loop. */
static void prepare(struct emitter *e)
{
    struct vec_loop *v = e->v;
    for (uint32_t i = 0; i < v->node_count; i++) {
        struct vec_node *n = &v->nodes[i];
        ir_ref scalar = v->lane_refs[n->lanes];
        if (n->kind == VEC_SPLAT) {
            n->value = vec_splat(e, n->type, vec_outside(e, scalar));
        } else if (n->kind == VEC_FIXED) {
            n->value = vec_splat(e, n->type, fixed_load(e, n));
        } else if (n->kind == VEC_SHIFT) {
            n->start = vec_outside(e, n->scalar);
            if (e->f->ins[n->start].type == IR_I64)
                n->start = vec_put(e, IR_WRAP, IR_I32, n->start, 0);
        } else if (n->kind == VEC_PREVIOUS) {
            n->start = vec_splat(e, n->type, e->f->pool[e->f->ins[n->scalar].list + v->slot]);
        } else if (n->kind == VEC_COUNTER) {
            ir_ref first = vec_splat(e, IR_I32, first_value(e, &n->linear));
            n->start = vec_simd(e, SIMD_I32X4_ADD, IR_V128, first, vec_ramp(e, n->delta));
        }
    }
    for (uint32_t i = 0; i < v->reduction_count; i++) {
        struct vec_reduction *r = &v->reductions[i];
        uint64_t k = r->op == IR_AND ? UINT64_MAX : r->op == IR_MUL ? UINT64_C(0x100000001) : 0;
        r->result = vec_vector_constant(e, k, k);
    }
}

static ir_ref phi(struct emitter *e, uint8_t type, ir_ref start)
{
    ir_ref r = ir_phi_new(e->f, e->vector, (enum ir_type)type);
    if (!e->f->failed)
        e->f->pool[e->f->ins[r].list] = start;
    return r;
}

static void close_phi(struct emitter *e, ir_ref r, ir_ref next)
{
    if (!e->f->failed)
        e->f->pool[e->f->ins[r].list + 1] = next;
}

ir_ref vec_load(struct emitter *e, ir_ref scalar, ir_ref address, uint64_t offset)
{
    struct vec_loop *v = e->v;
    unsigned access = e->f->ins[scalar].access;
    uint32_t element = vec_access_size(access), bytes = 16 / v->lane_size * element;
    ir_ref r = ir_append(e->f, e->now, IR_LOAD, IR_V128);
    struct ir_ins *ins = &e->f->ins[r];
    ins->a = address;
    ins->imm = offset;
    ins->aux = v->memory;
    ins->access = bytes == 16 ? IR_128 : bytes == 8 ? IR_ACCESS_F64 : IR_ACCESS_F32;
    ins->pos = e->f->ins[scalar].pos;
    bool is_signed = access == IR_S8 || access == IR_S16 || access == IR_S32;
    for (uint32_t size = element; size < v->lane_size; size *= 2)
        r = vec_simd(e, vec_extend_op(size, is_signed), IR_V128, r, 0);
    return r;
}

void vec_store(struct emitter *e, ir_ref scalar, ir_ref address, uint64_t offset, ir_ref value)
{
    struct vec_loop *v = e->v;
    uint32_t element = vec_access_size(e->f->ins[scalar].access), width = 16 / v->lane_size,
             bytes = width * element;
    uint8_t access = IR_128;
    if (bytes < 16) {
        uint8_t lanes[16];
        for (unsigned k = 0; k < 16; k++)
            lanes[k] = (uint8_t)(k / element % width * v->lane_size + k % element);
        value = vec_shuffle(e, value, value, lanes);
        value = bytes == 8 ? vec_simd(e, SIMD_F64X2_EXTRACT_LANE, IR_F64, value, 0)
                           : vec_simd(e, SIMD_I32X4_EXTRACT_LANE, IR_I32, value, 0);
        access = bytes == 8 ? IR_ACCESS_F64 : IR_U32;
    }
    ir_ref r = ir_append(e->f, e->now, IR_STORE, IR_VOID);
    struct ir_ins *ins = &e->f->ins[r];
    ins->a = address;
    ins->b = value;
    ins->imm = offset;
    ins->aux = v->memory;
    ins->access = access;
    ins->pos = e->f->ins[scalar].pos;
}

ir_ref vec_turned(struct emitter *e, ir_ref value)
{
    uint8_t lanes[16];
    uint32_t size = e->v->lane_size;
    for (unsigned k = 0; k < 16; k++)
        lanes[k] = (uint8_t)(k / size * size + size - 1 - k % size);
    return vec_shuffle(e, value, value, lanes);
}

ir_ref vec_chosen(struct emitter *e, ir_ref a, ir_ref b, ir_ref mask)
{
    ir_ref r = ir_append(e->f, e->now, IR_SIMD3, IR_V128);
    e->f->ins[r].a = a;
    e->f->ins[r].b = b;
    e->f->ins[r].c = mask;
    e->f->ins[r].aux = SIMD_V128_BITSELECT;
    return r;
}

/* Vector J of node N. */
static void compute(struct emitter *e, struct vec_node *n, uint32_t j)
{
    struct vec_loop *v = e->v;
    uint32_t width = 16 / v->lane_size;
    uint64_t offset = n->offset + j * width * n->size;
    ir_ref scalar = v->lane_refs[n->lanes];
    ir_ref a = n->operand_count ? v->nodes[n->operands[0]].value : 0;
    ir_ref b = n->operand_count > 1 ? v->nodes[n->operands[1]].value : 0;
    switch (n->kind) {
    case VEC_LOAD: n->value = vec_load(e, scalar, e->pointer[n->pointer], offset); break;
    case VEC_STORE: vec_store(e, scalar, e->pointer[n->pointer], offset, a); break;
    case VEC_OP:
        n->value = n->operand_count == 3 ? vec_chosen(e, a, b, v->nodes[n->operands[2]].value)
                                         : vec_simd(e, n->simd, IR_V128, a, b);
        break;
    case VEC_SHIFT: n->value = vec_simd(e, n->simd, IR_V128, a, n->start); break;
    case VEC_SAME: n->value = a; break;
    case VEC_SWAP: n->value = vec_turned(e, a); break;
    case VEC_COUNTER:
        n->value = n->phi;
        if (j)
            n->value =
                vec_simd(e, SIMD_I32X4_ADD, IR_V128, n->phi, vec_repeated(e, j * width * n->delta));
        break;
    case VEC_PREVIOUS: {
        uint8_t lanes[16];
        for (unsigned k = 0; k < 16; k++)
            lanes[k] = (uint8_t)(16 - v->lane_size + k);
        n->value = vec_shuffle(e, j ? n->last : n->phi, a, lanes);
        n->last = a;
        break;
    }
    default: break;
    }
}

static void emit_loop(struct emitter *e)
{
    struct vec_loop *v = e->v;
    struct ir_func *f = e->f;
    prepare(e);
    uint32_t counted = 0; /* the pointer that ends the loop */
    while (!v->pointers[counted].at.step)
        counted++;
    ir_ref end = vec_put(e, IR_WRAP, IR_I32, e->end[counted], 0);
    ir_jump(f, e->now, e->vector);
    ir_pred_add(f, e->vector, e->now);
    ir_pred_add(f, e->vector, e->vector);
    f->blocks[e->vector].flags = f->blocks[e->after].flags =
        f->blocks[e->now].flags & IR_BLOCK_APART;
    e->now = e->vector;
    for (uint32_t p = 0; p < v->pointer_count; p++)
        if (v->pointers[p].at.step)
            e->pointer[p] = phi(e, IR_I32, e->start[p]);
    for (uint32_t i = 0; i < v->node_count; i++)
        if (v->nodes[i].kind == VEC_COUNTER || v->nodes[i].kind == VEC_PREVIOUS)
            v->nodes[i].phi = phi(e, IR_V128, v->nodes[i].start);
    for (uint32_t i = 0; i < v->reduction_count; i++) {
        struct vec_reduction *r = &v->reductions[i];
        r->accumulator = phi(e, IR_V128, r->result);
        r->result = r->accumulator;
    }
    for (uint32_t j = 0; j < v->vectors; j++) {
        for (uint32_t i = 0; i < v->node_count; i++)
            compute(e, &v->nodes[v->order[i]], j);
        for (uint32_t i = 0; i < v->reduction_count; i++) {
            struct vec_reduction *r = &v->reductions[i];
            for (uint32_t t = 0; t < r->term_count; t++) {
                /* A mask is -1 where the comparison is 1. */
                const struct vec_node *term = &v->nodes[r->terms[t]];
                uint16_t op = vec_lane_op(term->is_mask ? IR_SUB : r->op, r->type, v->lane_size);
                r->result = vec_simd(e, op, IR_V128, r->result, term->value);
            }
        }
    }
    for (uint32_t i = 0; i < v->node_count; i++) {
        struct vec_node *n = &v->nodes[i];
        if (n->kind == VEC_PREVIOUS)
            close_phi(e, n->phi, n->last);
        else if (n->kind == VEC_COUNTER)
            close_phi(e, n->phi,
                      vec_simd(e, SIMD_I32X4_ADD, IR_V128, n->phi,
                               vec_repeated(e, v->rounds * v->lanes * n->delta)));
    }
    for (uint32_t i = 0; i < v->reduction_count; i++)
        close_phi(e, v->reductions[i].accumulator, v->reductions[i].result);
    ir_ref first = 0;
    for (uint32_t p = 0; p < v->pointer_count; p++) {
        uint32_t step = v->rounds * v->pointers[p].at.step;
        if (!step)
            continue;
        ir_ref next = vec_put_k(e, IR_ADD, IR_I32, e->pointer[p], step);
        close_phi(e, e->pointer[p], next);
        if (p == counted)
            first = next;
    }
    ir_branch(f, e->now, vec_put(e, IR_NE, IR_I32, first, end), e->vector, e->after);
    ir_pred_add(f, e->after, e->vector);
}

/* ---- behind it ---- */

/* All lanes of a sum in one. */
static ir_ref joined(struct emitter *e, const struct vec_reduction *r, ir_ref start)
{
    uint32_t size = e->v->lane_size;
    ir_ref sum = r->result;
    for (unsigned half = 8; half >= size; half /= 2) {
        uint8_t lanes[16];
        for (unsigned k = 0; k < 16; k++)
            lanes[k] = (uint8_t)((k + half) % 16);
        sum = vec_simd(e, vec_lane_op(r->op, r->type, size), IR_V128, sum,
                       vec_shuffle(e, sum, sum, lanes));
    }
    sum =
        vec_simd(e, size == 4 ? SIMD_I32X4_EXTRACT_LANE : SIMD_I64X2_EXTRACT_LANE, r->type, sum, 0);
    return vec_put(e, (enum ir_op)r->op, r->type, start, sum);
}

/* The last lane of what a value was. */
static ir_ref last_lane(struct emitter *e, const struct vec_node *n)
{
    static const uint16_t ops[][2] = {[IR_I32] = {SIMD_I32X4_EXTRACT_LANE, 3},
                                      [IR_I64] = {SIMD_I64X2_EXTRACT_LANE, 1},
                                      [IR_F32] = {SIMD_F32X4_EXTRACT_LANE, 3},
                                      [IR_F64] = {SIMD_F64X2_EXTRACT_LANE, 1}};
    ir_ref r = vec_simd(e, ops[n->type][0], n->type, n->last, 0);
    e->f->ins[r].imm = ops[n->type][1];
    return r;
}

/* What phi R of the scalar loop is after the rounds of the vector loop. */
static ir_ref resumed(struct emitter *e, ir_ref r)
{
    struct vec_loop *v = e->v;
    ir_ref start = e->f->pool[e->f->ins[r].list + v->slot];
    for (uint32_t i = 0; i < v->induction_count; i++)
        if (v->inductions[i].phi == r) {
            ir_ref rounds = vec_put(e, IR_WRAP, IR_I32, e->rounds, 0);
            ir_ref way = vec_put_k(e, IR_MUL, IR_I32, rounds, v->inductions[i].step);
            return vec_put(e, IR_ADD, IR_I32, start, way);
        }
    for (uint32_t i = 0; i < v->reduction_count; i++)
        if (v->reductions[i].phi == r)
            return joined(e, &v->reductions[i], start);
    for (uint32_t i = 0; i < v->node_count; i++)
        if (v->nodes[i].kind == VEC_PREVIOUS && v->nodes[i].scalar == r)
            return last_lane(e, &v->nodes[i]);
    return start; /* not reached: every phi is one of these */
}

/* What WANTED of the scalar loop is, PHIS those of the loop and RESUMED what they are. */
static ir_ref result_of(struct emitter *e, ir_ref wanted, const ir_ref *phis,
                        const ir_ref *resumed_phis, uint32_t count)
{
    struct vec_loop *v = e->v;
    if (e->f->ins[wanted].op == IR_CONST)
        return vec_outside(e, wanted);
    for (uint32_t i = 0; i < v->induction_count; i++)
        if (v->inductions[i].phi == wanted)
            for (uint32_t k = 0; k < count; k++)
                if (phis[k] == wanted)
                    return vec_put_k(e, IR_SUB, IR_I32, resumed_phis[k], v->inductions[i].step);
    for (uint32_t k = 0; k < count; k++)
        if (e->f->pool[e->f->ins[phis[k]].list + !v->slot] == wanted)
            return resumed_phis[k];
    return 0;
}

/* The exit also comes from behind the vector loop. */
static void lead_to_exit(struct emitter *e, const struct repair_def *defs, uint32_t def_count)
{
    struct vec_loop *v = e->v;
    struct ir_func *f = e->f;
    uint32_t slot = 0;
    while (ir_preds(f, v->exit)[slot] != v->latch)
        slot++;
    ir_pred_add(f, v->exit, e->after);
    for (ir_ref r = f->blocks[v->exit].first; r && f->ins[r].op == IR_PHI && !f->failed;
         r = f->ins[r].next) {
        uint32_t count = f->ins[r].count, list = ir_list_new(f, count + 1);
        if (f->failed)
            return;
        memcpy(f->pool + list, f->pool + f->ins[r].list, count * sizeof *f->pool);
        ir_ref value = f->pool[list + slot];
        for (uint32_t i = 0; i < def_count; i++)
            if (defs[i].original == value)
                value = defs[i].copy;
        f->pool[list + count] = value;
        f->ins[r].list = list;
        f->ins[r].count = count + 1;
    }
}

/* The scalar loop begins where JOIN comes from. */
static void emit_join(struct emitter *e, const ir_ref *phis, const ir_ref *resumed_phis,
                      uint32_t count)
{
    struct vec_loop *v = e->v;
    struct ir_func *f = e->f;
    for (uint32_t k = 0; k < count && !f->failed; k++) {
        ir_ref r = ir_phi_new(f, e->join, (enum ir_type)f->ins[phis[k]].type);
        if (f->failed)
            return;
        ir_ref *start = &f->pool[f->ins[phis[k]].list + v->slot];
        for (uint32_t p = 0; p < f->blocks[e->join].pred_count; p++)
            f->pool[f->ins[r].list + p] =
                ir_preds(f, e->join)[p] == e->after ? resumed_phis[k] : *start;
        *start = r;
    }
    ir_jump(f, e->join, v->block);
    f->pool[f->blocks[v->block].preds + v->slot] = e->join;
}

void vec_emit_after(struct emitter *e, struct repair_def *defs, uint32_t *def_count)
{
    struct vec_loop *v = e->v;
    struct ir_func *f = e->f;
    ir_ref phis[VEC_PHIS], resumed_phis[VEC_PHIS];
    uint32_t count = 0;
    e->now = e->after;
    for (ir_ref r = f->blocks[v->block].first; r && f->ins[r].op == IR_PHI && count < VEC_PHIS;
         r = f->ins[r].next) {
        phis[count] = r;
        resumed_phis[count++] = resumed(e, r);
    }
    ir_ref left = vec_put(e, IR_NE, IR_I32, e->total, e->rounds);
    int64_t known = v->leaves_last;
    if (v->leaves_last || (opt_const(f, left, &known) && known)) {
        ir_jump(f, e->after, e->join);
        ir_pred_add(f, e->join, e->after);
    } else {
        for (uint32_t i = 0; i < v->wanted_count; i++)
            defs[(*def_count)++] = (struct repair_def){
                v->wanted[i], result_of(e, v->wanted[i], phis, resumed_phis, count), e->after};
        if (f->ins[left].op == IR_CONST) {
            ir_jump(f, e->after, v->exit);
        } else {
            ir_branch(f, e->after, left, e->join, v->exit);
            ir_pred_add(f, e->join, e->after);
        }
        if (!f->failed)
            lead_to_exit(e, defs, *def_count);
    }
    if (!f->failed)
        emit_join(e, phis, resumed_phis, count);
}

bool vec_emit_begin(struct emitter *e)
{
    struct vec_loop *v = e->v;
    struct ir_func *f = e->f;
    ir_block_ref first = ir_block_new(f);
    e->now = first;
    e->join = ir_block_new(f);
    e->vector = ir_block_new(f);
    e->after = ir_block_new(f);
    if (f->failed)
        return false;
    for (uint32_t k = 0; k < f->blocks[v->before].succ_count; k++)
        if (ir_succs(f, v->before)[k] == v->block)
            f->pool[f->blocks[v->before].succs + k] = first;
    ir_pred_add(f, first, v->before);
    e->total = vec_count_rounds(e, &v->counter, v->rounds + v->leaves_last);
    ir_ref most = v->leaves_last ? vec_put_k(e, IR_SUB, IR_I64, e->total, 1) : e->total;
    e->rounds = vec_put_k(e, IR_AND, IR_I64, most, 0 - (uint64_t)v->rounds);
    return !f->failed;
}

bool vec_emit(struct vec_loop *v, struct repair_def *defs, uint32_t *def_count)
{
    struct ir_func *f = v->f;
    struct emitter e = {.v = v, .f = f};
    if (!vec_emit_begin(&e))
        return false;
    check_memory(&e);
    for (uint32_t i = 0; i < v->pair_count; i++)
        check_pair(&e, &v->pairs[i]);
    if (f->failed)
        return false;
    emit_loop(&e);
    if (f->failed)
        return false;
    vec_emit_after(&e, defs, def_count);
    return !f->failed;
}
