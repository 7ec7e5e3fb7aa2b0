#include "opt/alias.h"
#include "opt/bytes.h"
#include "host.h"

#include <string.h>

struct place place_of(const struct ir_func *f, const struct ir_ins *ins)
{
    struct place p = {.base = ins->a,
                      .offset = ins->imm,
                      .aux = ins->aux,
                      .size = (uint8_t)ir_access_bytes(ins->access)};
    const struct ir_ins *a = &f->ins[ins->a];
    uint64_t address = a->type == IR_I32 ? (uint32_t)a->imm : a->imm;
    if (a->op == IR_CONST && p.offset + address >= address) { /* else it traps */
        p.base = IR_NONE;
        p.offset += address;
    }
    return p;
}

/* Base and constant of an i32 sum: distances hold modulo 2^32 then. */
static inline ir_ref split_sum(const struct ir_func *f, ir_ref base, uint64_t *offset)
{
    int64_t k;
    if (base != IR_NONE && base && f->ins[base].op == IR_ADD && f->ins[base].type == IR_I32 &&
        opt_const(f, f->ins[base].b, &k)) {
        *offset += (uint32_t)k;
        return f->ins[base].a;
    }
    return base;
}

bool place_overlaps(const struct ir_func *f, const struct place *x, const struct place *y)
{
    if (x->aux != y->aux)
        return true; /* different memories may be one */
    uint64_t p = x->offset, q = y->offset;
    if (split_sum(f, x->base, &p) != split_sum(f, y->base, &q))
        return true;
    uint32_t ahead = (uint32_t)(q - p), behind = (uint32_t)(p - q);
    return ahead < x->size || behind < y->size;
}

static void note(struct loop_writes *w, const struct ir_ins *ins, ir_ref r)
{
    if (ins->op == IR_STORE) {
        if (w->store_count == LOOP_STORES_KEPT)
            w->all_memory = true;
        else
            w->stores[w->store_count++] = r;
    } else if (ins->op == IR_GLOBAL_SET) {
        if (w->global_count == LOOP_GLOBALS_KEPT)
            w->all_globals = true;
        else
            w->globals[w->global_count++] = ins->aux;
    } else if (ir_flags[ins->op] & (IR_W | IR_K)) {
        w->all_memory = w->all_globals = true;
    }
}

static void join(struct ir_func *f, struct loop_writes *outer, const struct loop_writes *inner)
{
    outer->all_memory |= inner->all_memory;
    outer->all_globals |= inner->all_globals;
    for (unsigned k = 0; k < inner->store_count && !outer->all_memory; k++)
        note(outer, &f->ins[inner->stores[k]], inner->stores[k]);
    for (unsigned k = 0; k < inner->global_count && !outer->all_globals; k++) {
        if (outer->global_count == LOOP_GLOBALS_KEPT)
            outer->all_globals = true;
        else
            outer->globals[outer->global_count++] = inner->globals[k];
    }
}

struct loop_writes *loop_writes_new(struct ir_func *f, bool *any)
{
    *any = false;
    for (uint32_t i = 0; i < f->order_count && !*any; i++)
        *any = f->blocks[f->order[i]].flags & IR_BLOCK_LOOP_HEADER;
    if (!*any)
        return NULL;
    struct loop_writes *loops = wasm_host_alloc((size_t)f->block_count * sizeof *loops);
    if (!loops)
        return NULL;
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        if (f->blocks[b].flags & IR_BLOCK_LOOP_HEADER)
            memset(&loops[b], 0, sizeof loops[b]);
        if (f->blocks[b].loop == IR_NONE)
            continue;
        struct loop_writes *w = &loops[f->blocks[b].loop];
        if (w->all_memory && w->all_globals)
            continue;
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next)
            if (ir_flags[f->ins[r].op] & (IR_W | IR_K))
                note(w, &f->ins[r], r);
    }
    /* Headers of inner loops come later in the order. */
    for (uint32_t i = f->order_count; i-- > 0;) {
        const struct ir_block *b = &f->blocks[f->order[i]];
        if (b->flags & IR_BLOCK_LOOP_HEADER && b->outer_loop != IR_NONE)
            join(f, &loops[b->outer_loop], &loops[f->order[i]]);
    }
    return loops;
}

bool loop_changes_place(const struct ir_func *f, const struct loop_writes *loop,
                        const struct place *place)
{
    if (loop->all_memory)
        return true;
    for (unsigned k = 0; k < loop->store_count; k++) {
        struct place store = place_of(f, &f->ins[loop->stores[k]]);
        if (place_overlaps(f, &store, place))
            return true;
    }
    return false;
}

bool loop_changes_global(const struct ir_func *f, const struct loop_writes *loop, uint32_t global)
{
    if (loop->all_globals)
        return true;
    for (unsigned k = 0; k < loop->global_count; k++)
        /* Two imported globals may be one. */
        if (loop->globals[k] == global || !f->module ||
            f->module->globals[loop->globals[k]].imported)
            return true;
    return false;
}
