/* Loads of what is known to be in memory: read or written before, with nothing in between that may
 * have changed it; the same for globals. What a block knows at its start is what all its
 * predecessors know at their ends; of the ways back to the header of a loop that is what came in
 * and nothing in the loop may change.
 *
 * A load that is left out was preceded by an access of the same bytes, so it would not trap. */
#include "opt/alias.h"
#include "host.h"

#include <string.h>

#define KNOWN_MAX  16
#define BLOCKS_MAX 16384u /* beyond it the states would take too much memory */

/* VALUE is what a load with ACCESS and TYPE at a place gives, or global AUX (base 0). */
struct known {
    struct place at;
    ir_ref value;
    uint8_t access, type;
};

struct state {
    uint32_t count, oldest;
    struct known known[KNOWN_MAX];
};

static void forget(struct state *s, uint32_t k)
{
    s->known[k] = s->known[--s->count];
}

static void forget_all(struct state *s, bool memory, bool globals)
{
    for (uint32_t k = s->count; k-- > 0;)
        if (s->known[k].at.base ? memory : globals)
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
        if (e->at.base == p->at.base && e->at.offset == p->at.offset && e->at.aux == p->at.aux &&
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
    if (*changed)
        ir_resolve_operands(f, ins);
    if (!(ir_flags[ins->op] & (IR_R | IR_W | IR_K)))
        return;
    if (ins->op == IR_LOAD) {
        struct known p = {place_of(f, ins), .access = ins->access, .type = ins->type};
        p.value = find(s, &p);
        if (p.value) {
            become_copy(f, r, p.value);
            *changed = true;
            return;
        }
        p.value = r;
        learn(s, &p);
    } else if (ins->op == IR_STORE) {
        struct known p = {place_of(f, ins), ins->b, ins->access, f->ins[ins->b].type};
        for (uint32_t k = s->count; k-- > 0;)
            if (s->known[k].at.base && place_overlaps(f, &s->known[k].at, &p.at))
                forget(s, k);
        if (whole(ins, p.type))
            learn(s, &p);
    } else if (ins->op == IR_GLOBAL_GET || ins->op == IR_GLOBAL_SET) {
        bool set = ins->op == IR_GLOBAL_SET;
        struct known p = {.at.aux = ins->aux, .type = set ? f->ins[ins->a].type : ins->type};
        if (set) {
            /* Two imported globals may be one. */
            bool imported = !f->module || f->module->globals[ins->aux].imported;
            for (uint32_t k = s->count; k-- > 0;)
                if (!s->known[k].at.base && (imported || s->known[k].at.aux == ins->aux))
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
    } else if (ir_flags[ins->op] & (IR_W | IR_K)) {
        forget_all(s, true, true);
    }
}

/* What a loop writes is not known at its header, whatever was before it. */
static void forget_written(const struct ir_func *f, struct state *s, const struct loop_writes *loop)
{
    for (uint32_t k = s->count; k-- > 0;) {
        const struct place *at = &s->known[k].at;
        if (at->base ? loop_changes_place(f, loop, at) : loop_changes_global(f, loop, at->aux))
            forget(s, k);
    }
}

/* What all predecessors of B know; their states are in STATES by position in the order. Of those
 * that come later it counts what the loop leaves alone, if B is the header of one: LOOPS, NULL if
 * there is none. */
static void meet(const struct ir_func *f, ir_block_ref b, const struct state *states,
                 const struct loop_writes *loops, struct state *out)
{
    const struct ir_block *block = &f->blocks[b];
    bool first = true;
    out->count = out->oldest = 0;
    for (uint32_t i = 0; i < block->pred_count; i++) {
        ir_block_ref pred = ir_preds(f, b)[i];
        if (f->blocks[pred].rpo >= block->rpo &&
            !(block->flags & IR_BLOCK_LOOP_HEADER && loop_has(f, b, pred)))
            return; /* a loop of several entries */
    }
    for (uint32_t i = 0; i < block->pred_count; i++) {
        const struct ir_block *pred = &f->blocks[ir_preds(f, b)[i]];
        if (pred->rpo >= block->rpo)
            continue;
        const struct state *p = &states[pred->rpo];
        if (first) {
            first = false;
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
    if (block->flags & IR_BLOCK_LOOP_HEADER)
        forget_written(f, out, &loops[b]);
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
    struct loop_writes *loops = loop_writes_new(f, &any);
    struct state *states = NULL;
    if (loops || !any)
        states = wasm_host_alloc((size_t)f->order_count * sizeof *states);
    if (!states) {
        wasm_host_free(loops);
        return false;
    }
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        struct state *s = &states[f->blocks[b].rpo];
        meet(f, b, states, loops, s);
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next)
            visit(f, s, r, &changed);
    }
    wasm_host_free(states);
    wasm_host_free(loops);
    return !changed || ir_resolve_back_phis(f);
}
