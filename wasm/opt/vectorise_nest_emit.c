/* The code of vectorised nests of loops: a vector loop around a loop whose values are vectors where
 * they depend on the round of the outer one. */
#include "opt/vectorise_nest.h"
#include "ir/simd.h"

#include <string.h>

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
    ir_ref rounds = vec_count_rounds(e, &n->counter, 1); /* 0: 2^32 */
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
    return nest_inside(n, ref) ? nest_value_of(n, ref)->scalar : vec_outside(e, ref);
}

/* Splats of values from outside stand before the loops, in block PLACE. */
static ir_ref outer_splat(struct emitter *e, struct nest *n, ir_block_ref place, ir_ref ref)
{
    for (uint32_t i = 0; i < n->splat_count; i++)
        if (n->splats[i].value == ref)
            return n->splats[i].splat;
    ir_block_ref now = e->now;
    if (n->splat_count < NEST_SPLATS)
        e->now = place;
    ir_ref splat = vec_splat(e, n->f->ins[ref].type, vec_outside(e, ref));
    e->now = now;
    if (n->splat_count < NEST_SPLATS) {
        n->splats[n->splat_count].value = ref;
        n->splats[n->splat_count++].splat = splat;
    }
    return splat;
}

/* Vector J of REF, here; PLACE is the block before the loops. */
static ir_ref vector(struct emitter *e, struct nest *n, ir_block_ref place, ir_ref ref, uint32_t j)
{
    if (!nest_inside(n, ref))
        return outer_splat(e, n, place, ref);
    struct nest_value *v = nest_value_of(n, ref);
    if (v->kind == NEST_VECTOR)
        return v->vectors[j];
    if (!v->splat)
        v->splat = vec_splat(e, n->f->ins[ref].type, v->scalar);
    if (v->kind == NEST_UNIFORM)
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
        } else if (nest_same_bits(ins.op)) {
            v->vectors[j] = vector(e, n, place, ins.a, j);
        } else if (ins.op == IR_SELECT) {
            ir_ref first = vector(e, n, place, ins.a, j), second = vector(e, n, place, ins.b, j);
            v->vectors[j] = vec_chosen(e, first, second, vector(e, n, place, ins.c, j));
        } else if (ins.op == IR_BSWAP) {
            v->vectors[j] = vec_turned(e, vector(e, n, place, ins.a, j));
        } else {
            uint8_t type = ir_is_comparison(ins.op) ? f->ins[ins.a].type : ins.type;
            uint16_t op = vec_lane_op(ins.op, type, n->outer->lane_size);
            ir_ref a = vector(e, n, place, ins.a, j), b = 0;
            if (nest_is_shift(ins.op)) {
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
            ir_flags[ins->op] & IR_E)
            continue;
        if (n->values[p].kind == NEST_VECTOR || ins->op == IR_STORE)
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
        if (n->values[p].kind != NEST_VECTOR)
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
            n->starts[p][j] = n->values[p].kind == NEST_VECTOR ? vector(e, n, place, start, j)
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
        bool is_vector = n->values[p].kind == NEST_VECTOR;
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
        if (v->kind != NEST_VECTOR) {
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
        nest_value_of(n, v->inductions[i].phi)->scalar = phis[i];
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

void vec_nest_emit(struct emitter *e, struct nest *n)
{
    check_memory(e, n);
    if (!n->f->failed)
        emit_loops(e, n);
}
