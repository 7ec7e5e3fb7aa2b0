/* Loads of what is known to be in memory: read or written before, with nothing in between that may
 * have changed it; the same for globals. What a block knows at its start is what all its
 * predecessors know at their ends (nothing, if one of them comes later: a loop).
 *
 * A load that is left out was preceded by an access of the same bytes, so it would not trap. */
#include "opt/passes.h"
#include "host.h"

#include <string.h>

#define KNOWN_MAX  16
#define BLOCKS_MAX 16384u /* beyond it the states would take too much memory */

/* VALUE is what a load with ACCESS and TYPE at BASE + OFFSET gives. */
struct known {
    ir_ref base, value; /* base 0: global number AUX; IR_NONE: absolute address */
    uint64_t offset;
    uint32_t aux;
    uint8_t access, type, size;
};

struct state {
    uint32_t count, oldest;
    struct known known[KNOWN_MAX];
};

static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 4, 8, 16};

/* The address of a LOAD or STORE; of p + constant the base is p, distances then hold modulo 2^32.
 */
static struct known place_of(const struct ir_func *f, const struct ir_ins *ins)
{
    struct known p = {.base = ins->a,
                      .offset = ins->imm,
                      .aux = ins->aux,
                      .access = ins->access,
                      .size = sizes[ins->access]};
    const struct ir_ins *a = &f->ins[ins->a];
    uint64_t address = a->type == IR_I32 ? (uint32_t)a->imm : a->imm;
    if (a->op == IR_CONST && p.offset + address >= address) { /* else it traps */
        p.base = IR_NONE;
        p.offset += address;
    }
    return p;
}

/* Base and constant of an i32 sum, for telling places apart only. */
static ir_ref split_sum(const struct ir_func *f, ir_ref base, uint64_t *offset)
{
    int64_t k;
    if (base != IR_NONE && base && f->ins[base].op == IR_ADD && f->ins[base].type == IR_I32 &&
        opt_const(f, f->ins[base].b, &k)) {
        *offset += (uint32_t)k;
        return f->ins[base].a;
    }
    return base;
}

static bool may_overlap(const struct ir_func *f, const struct known *x, const struct known *y)
{
    if (!x->base || x->aux != y->aux)
        return x->base != 0; /* different memories may be one */
    uint64_t p = x->offset, q = y->offset;
    if (split_sum(f, x->base, &p) != split_sum(f, y->base, &q))
        return true;
    uint32_t ahead = (uint32_t)(q - p), behind = (uint32_t)(p - q);
    return ahead < x->size || behind < y->size;
}

static void forget(struct state *s, uint32_t k)
{
    s->known[k] = s->known[--s->count];
}

static void forget_all(struct state *s, bool memory, bool globals)
{
    for (uint32_t k = s->count; k-- > 0;)
        if (s->known[k].base ? memory : globals)
            forget(s, k);
}

static void learn(struct state *s, const struct known *what)
{
    if (s->count < KNOWN_MAX) {
        s->known[s->count++] = *what;
        return;
    }
    s->known[s->oldest] = *what;
    s->oldest = (s->oldest + 1) % KNOWN_MAX;
}

static ir_ref find(const struct state *s, const struct known *p)
{
    for (uint32_t k = 0; k < s->count; k++) {
        const struct known *e = &s->known[k];
        if (e->base == p->base && e->offset == p->offset && e->aux == p->aux &&
            e->access == p->access && e->type == p->type)
            return e->value;
    }
    return 0;
}

static void become_copy(struct ir_func *f, ir_ref r, ir_ref value)
{
    struct ir_ins *ins = &f->ins[r];
    ins->op = IR_COPY;
    ins->a = value;
    ins->b = ins->c = 0;
    ir_unlink(f, r);
}

static bool whole(const struct ir_ins *ins, uint8_t type)
{
    static const uint8_t accesses[] = {
        [IR_I32] = IR_U32,        [IR_I64] = IR_64,   [IR_F32] = IR_ACCESS_F32,
        [IR_F64] = IR_ACCESS_F64, [IR_V128] = IR_128, [IR_REF] = 0xff};
    return type < IR_TYPE_COUNT && type && ins->access == accesses[type];
}

/* CHANGED: there are copies. */
static void visit(struct ir_func *f, struct state *s, ir_ref r, bool *changed)
{
    struct ir_ins *ins = &f->ins[r];
    if (*changed && ins->op != IR_PHI)
        ir_resolve_operands(f, ins);
    if (ins->op == IR_LOAD) {
        struct known p = place_of(f, ins);
        p.type = ins->type;
        p.value = find(s, &p);
        if (p.value) {
            become_copy(f, r, p.value);
            *changed = true;
            return;
        }
        p.value = r;
        learn(s, &p);
    } else if (ins->op == IR_STORE) {
        struct known p = place_of(f, ins);
        for (uint32_t k = s->count; k-- > 0;)
            if (may_overlap(f, &s->known[k], &p))
                forget(s, k);
        p.type = f->ins[ins->b].type;
        p.value = ins->b;
        if (whole(ins, p.type))
            learn(s, &p);
    } else if (ins->op == IR_GLOBAL_GET || ins->op == IR_GLOBAL_SET) {
        bool set = ins->op == IR_GLOBAL_SET;
        struct known p = {.aux = ins->aux, .type = set ? f->ins[ins->a].type : ins->type};
        if (set) {
            /* Two imported globals may be one. */
            bool imported = !f->module || f->module->globals[ins->aux].imported;
            for (uint32_t k = s->count; k-- > 0;)
                if (!s->known[k].base && (imported || s->known[k].aux == ins->aux))
                    forget(s, k);
            p.value = ins->a;
        } else {
            p.value = find(s, &p);
            if (p.value) {
                become_copy(f, r, p.value);
                *changed = true;
                return;
            }
            p.value = r;
        }
        learn(s, &p);
    } else if (ir_op_info[ins->op].flags & (IR_W | IR_K)) {
        forget_all(s, true, true);
    }
}

/* What all predecessors of B know; their states are in STATES by position in the order. */
static void meet(const struct ir_func *f, ir_block_ref b, const struct state *states,
                 struct state *out)
{
    const struct ir_block *block = &f->blocks[b];
    out->count = out->oldest = 0;
    for (uint32_t i = 0; i < block->pred_count; i++)
        if (f->blocks[ir_preds(f, b)[i]].rpo >= block->rpo)
            return;
    for (uint32_t i = 0; i < block->pred_count; i++) {
        const struct state *p = &states[f->blocks[ir_preds(f, b)[i]].rpo];
        if (i == 0) {
            memcpy(out, p, offsetof(struct state, known) + p->count * sizeof p->known[0]);
            continue;
        }
        for (uint32_t k = out->count; k-- > 0;)
            if (find(p, &out->known[k]) != out->known[k].value)
                forget(out, k);
        out->oldest = 0;
        if (!out->count)
            return;
    }
}

bool opt_memory(struct ir_func *f)
{
    bool any = false, changed = false;
    if (f->order_count > BLOCKS_MAX)
        return true;
    for (ir_ref r = 1; r < f->ins_count && !any; r++)
        any = f->ins[r].op == IR_LOAD || f->ins[r].op == IR_GLOBAL_GET;
    if (!any)
        return true;
    struct state *states = wasm_host_alloc((size_t)f->order_count * sizeof *states);
    if (!states)
        return false;
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        struct state *s = &states[f->blocks[b].rpo];
        meet(f, b, states, s);
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next)
            visit(f, s, r, &changed);
    }
    wasm_host_free(states);
    return !changed || ir_resolve_phis(f);
}
