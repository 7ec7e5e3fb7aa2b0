/* Inlining: a call of a small function becomes its body, that of a function in itself too, some
 * levels deep. The bodies come from whoever can decode them (struct opt_inlining); they are as
 * decoded, so that what is known of the arguments works on them in the passes that follow.
 *
 * Very small bodies pay everywhere, others in loops and in themselves. Not inlined: what loops (its
 * call costs nothing beside), may catch or has tail calls, several results, or calls that catch. A
 * function grows by half at most. */
#include "opt/passes.h"
#include "host.h"

#include <string.h>

enum {
    TINY = 10,       /* instructions that always go */
    SMALL = 40,      /* … that go in loops and recursions */
    TINY_BYTES = 28, /* of a body: longer ones are not worth decoding for that */
    SMALL_BYTES = 64,
    BLOCKS_MAX = 16,  /* of a body */
    PREDS_MAX = 64,   /* of what follows the call's block */
    GROWTH_FREE = 64, /* instructions a function may grow by beyond half */
    OWN_GROWTH = 224, /* … by calls of itself */
    ROUNDS = 2,       /* calls in what was inlined are looked at once */
    OWN_ROUNDS = 3,   /* … those of the function itself twice */
};

struct inliner {
    struct ir_func *f;
    const struct opt_inlining *in;
    uint32_t grown, limit;
    ir_ref *map; /* the body's instructions */
    uint32_t map_capacity;
    bool changed;
};

static bool is_call(const struct ir_func *f, const struct ir_ins *ins)
{
    return ins->op == IR_CALL && ins->access == 0 && f->module &&
           ins->aux >= f->module->import_count && ins->aux < f->module->func_count;
}

/* Instructions of a body that count, more than SMALL if it cannot be inlined. */
static uint32_t body_size(const struct ir_func *body)
{
    uint32_t size = 0;
    if (body->signature->result_count > 1 || body->order_count > BLOCKS_MAX)
        return SMALL + 1;
    for (uint32_t i = 0; i < body->order_count; i++) {
        if (body->blocks[body->order[i]].flags & IR_BLOCK_LOOP_HEADER)
            return SMALL + 1;
        for (ir_ref r = body->blocks[body->order[i]].first; r; r = body->ins[r].next) {
            const struct ir_ins *ins = &body->ins[r];
            bool call = ir_flags[ins->op] & IR_K;
            if (ins->op == IR_TAIL_CALL || ins->op == IR_TAIL_CALL_INDIRECT ||
                ins->op == IR_RESULT || (ins->op >= IR_EXCEPTION && ins->op <= IR_TAG) ||
                (call && ins->access))
                return SMALL + 1;
            size += call ? 3 : ins->op == IR_CONST || ins->op == IR_PARAM ? 0 : 1;
            if (size > SMALL)
                return size;
        }
    }
    return size;
}

static bool worthwhile(const struct inliner *in, ir_ref call, uint32_t size)
{
    const struct ir_ins *ins = &in->f->ins[call];
    if (ins->aux == in->f->index)
        return size <= SMALL && in->grown + size <= in->limit - GROWTH_FREE + OWN_GROWTH;
    if (size > SMALL || in->grown + size > in->limit)
        return false;
    return size <= TINY || in->f->blocks[ins->block].loop_depth;
}

/* What follows the call in its block becomes a block of its own, which is answered. IR_NONE: it
 * cannot. */
static ir_block_ref split_behind(struct ir_func *f, ir_ref call)
{
    ir_block_ref before = f->ins[call].block;
    for (uint32_t k = 0; k < f->blocks[before].succ_count; k++)
        if (f->blocks[ir_succs(f, before)[k]].pred_count > PREDS_MAX)
            return IR_NONE;
    ir_block_ref behind = ir_block_new(f);
    if (f->failed)
        return IR_NONE;
    struct ir_block *from = &f->blocks[before], *to = &f->blocks[behind];
    to->first = f->ins[call].next;
    to->last = from->last;
    to->flags = from->flags & IR_BLOCK_COLD;
    to->succs = from->succs;
    to->succ_count = from->succ_count;
    to->loop_depth = from->loop_depth;
    from->last = call;
    from->succ_count = 0;
    f->ins[call].next = 0;
    f->ins[to->first].prev = 0;
    for (ir_ref r = to->first; r; r = f->ins[r].next)
        f->ins[r].block = behind;
    for (uint32_t k = 0; k < to->succ_count; k++) {
        const struct ir_block *succ = &f->blocks[ir_succs(f, behind)[k]];
        for (uint32_t p = 0; p < succ->pred_count; p++)
            if (f->pool[succ->preds + p] == before)
                f->pool[succ->preds + p] = behind;
    }
    return behind;
}

/* Copies of the body's instructions, but for parameters and returns; operands are still the body's.
 * FIRST: the number of the copy of block 0, the others follow. */
static void copy_instructions(struct inliner *in, const struct ir_func *body, ir_ref call,
                              ir_block_ref first)
{
    struct ir_func *f = in->f;
    uint32_t args = f->ins[call].list, call_pos = f->ins[call].pos;
    for (uint32_t i = 0; i < body->order_count; i++) {
        ir_block_ref b = body->order[i];
        for (ir_ref r = body->blocks[b].first; r && !f->failed; r = body->ins[r].next) {
            const struct ir_ins *original = &body->ins[r];
            if (original->op == IR_PARAM) {
                in->map[r] = f->pool[args + original->aux];
                continue;
            }
            if (original->op == IR_RETURN)
                continue;
            ir_ref copy =
                ir_append(f, first + b, (enum ir_op)original->op, (enum ir_type)original->type);
            if (f->failed)
                return;
            struct ir_ins *ins = &f->ins[copy];
            struct ir_ins links = *ins;
            *ins = *original;
            ins->block = links.block;
            ins->prev = links.prev;
            ins->next = 0;
            ins->mark = links.mark;
            bool seen = ir_flags[ins->op] & (IR_T | IR_K);
            ins->pos = seen ? in->in->position(in->in->context, original->pos, call_pos) : call_pos;
            in->map[r] = copy;
        }
    }
}

/* Operands and successors of the copies. */
static void connect(struct inliner *in, const struct ir_func *body, ir_block_ref first)
{
    struct ir_func *f = in->f;
    for (uint32_t i = 0; i < body->order_count && !f->failed; i++) {
        ir_block_ref b = body->order[i], copy = first + b;
        for (ir_ref r = f->blocks[copy].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            if (ir_shapes[ins->op].list) {
                uint32_t list = ir_list_new(f, ins->count);
                if (f->failed)
                    return;
                memcpy(f->pool + list, body->pool + ins->list, ins->count * sizeof *f->pool);
                ins->list = list;
            }
            uint32_t count = ir_operand_count(ins);
            for (uint32_t k = 0; k < count; k++) {
                uint32_t *operand = ir_operand(f, ins, k);
                *operand = in->map[*operand];
            }
        }
        const struct ir_block *block = &body->blocks[b];
        for (uint32_t k = 0; k < block->pred_count; k++)
            ir_pred_add(f, copy, first + ir_preds(body, b)[k]);
        uint32_t succs = ir_list_new(f, block->succ_count);
        if (f->failed)
            return;
        for (uint32_t k = 0; k < block->succ_count; k++)
            f->pool[succs + k] = first + ir_succs(body, b)[k];
        f->blocks[copy].succs = succs;
        f->blocks[copy].succ_count = block->succ_count;
    }
}

/* The body's returns lead to block BEHIND; what they return, together, 0: nothing. */
static ir_ref connect_returns(struct inliner *in, const struct ir_func *body, ir_block_ref first,
                              ir_block_ref behind)
{
    struct ir_func *f = in->f;
    ir_ref values[BLOCKS_MAX], result = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < body->order_count && !f->failed; i++) {
        ir_block_ref b = body->order[i];
        const struct ir_ins *end = &body->ins[body->blocks[b].last];
        if (end->op != IR_RETURN)
            continue;
        ir_jump(f, first + b, behind);
        ir_pred_add(f, behind, first + b);
        values[count++] = end->count ? in->map[body->pool[end->list]] : 0;
    }
    if (!count || !values[0] || f->failed)
        return 0;
    result = values[0];
    if (count > 1) {
        result = ir_phi_new(f, behind, (enum ir_type)f->ins[result].type);
        if (!f->failed)
            memcpy(f->pool + f->ins[result].list, values, count * sizeof *values);
    }
    return result;
}

static bool inline_call(struct inliner *in, ir_ref call, const struct ir_func *body)
{
    struct ir_func *f = in->f;
    if (body->ins_count > in->map_capacity) {
        void *bigger = wasm_host_realloc(in->map, body->ins_count * sizeof *in->map);
        if (!bigger)
            return false;
        in->map = bigger;
        in->map_capacity = body->ins_count;
    }
    memset(in->map, 0, body->ins_count * sizeof *in->map);
    ir_block_ref behind = split_behind(f, call);
    if (behind == IR_NONE)
        return !f->failed;
    ir_block_ref before = f->ins[call].block, first = f->block_count;
    for (uint32_t b = 0; b < body->block_count && !f->failed; b++) {
        ir_block_ref copy = ir_block_new(f);
        f->blocks[copy].flags =
            (uint16_t)((f->blocks[before].flags | body->blocks[b].flags) & IR_BLOCK_COLD);
        f->blocks[copy].loop_depth =
            (uint16_t)(f->blocks[before].loop_depth + body->blocks[b].loop_depth);
    }
    if (f->failed)
        return false;
    copy_instructions(in, body, call, first);
    if (!f->failed)
        connect(in, body, first);
    ir_ref result = f->failed ? 0 : connect_returns(in, body, first, behind);
    if (f->failed)
        return false;
    struct ir_ins *ins = &f->ins[call];
    if (result) {
        ins->op = IR_COPY;
        ins->a = result;
        ins->b = ins->c = 0;
        ins->aux = 0;
    } else {
        /* Without a return nobody reaches its uses. */
        ir_remove(f, call);
    }
    ir_jump(f, before, first);
    ir_pred_add(f, first, before);
    in->changed = true;
    return !f->failed;
}

bool opt_inline(struct ir_func *f, const struct opt_inlining *inlining)
{
    struct inliner in = {.f = f, .in = inlining, .limit = f->ins_count / 2 + GROWTH_FREE};
    bool good = true;
    ir_ref from = 1;
    for (unsigned round = 0; round < OWN_ROUNDS && good; round++) {
        ir_ref end = f->ins_count;
        /* From the last one, so that the rest of a block moves on once only: calls of a block stand
         * in the order of their numbers. */
        for (ir_ref r = f->last_call, before; r >= from && good; r = before) {
            const struct ir_ins *call = &f->ins[r];
            before = call->mark;
            if (!is_call(f, call))
                continue;
            bool own = call->aux == f->index, often = own || f->blocks[call->block].loop_depth;
            if (!own && round >= ROUNDS)
                continue;
            const struct ir_func *body =
                inlining->body(inlining->context, call->aux, often ? SMALL_BYTES : TINY_BYTES);
            uint32_t size = body ? body_size(body) : 0;
            if (!body || !worthwhile(&in, r, size))
                continue;
            in.grown += size;
            good = inline_call(&in, r, body);
        }
        if (f->ins_count == end)
            break;
        from = end;
    }
    wasm_host_free(in.map);
    if (!good || f->failed)
        return false;
    return !in.changed || (ir_analyse(f) && ir_resolve(f));
}
