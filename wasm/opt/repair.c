#include "opt/repair.h"
#include "host.h"

#include <string.h>

/* One use of an original, and the next one of the same. */
struct use {
    ir_ref user;
    uint32_t operand, next;
};

struct repair {
    struct ir_func *f;
    const struct repair_def *defs;
    uint32_t def_count;
    struct use *uses;
    uint32_t use_count, use_capacity;
    uint64_t *originals;     /* a bit set of instructions */
    uint32_t *first;         /* by number of definition: uses of its original (the first of its) */
    uint32_t *stamp, *value; /* by block: what reaches its end, if the stamp is that of now */
    uint32_t *path;          /* blocks */
    ir_ref *phis;            /* made, of all originals */
    uint32_t phi_count, phi_capacity, block_count;
};

static bool reserve(void **data, uint32_t *capacity, uint32_t needed, size_t size)
{
    if (needed <= *capacity)
        return true;
    uint32_t fresh = *capacity ? *capacity * 2 : 64;
    void *bigger = wasm_host_realloc(*data, fresh * size);
    if (!bigger)
        return false;
    *data = bigger;
    *capacity = fresh;
    return true;
}

static bool note_use(struct repair *r, ir_ref user, uint32_t operand, uint32_t def)
{
    void *uses = r->uses;
    bool good = reserve(&uses, &r->use_capacity, r->use_count + 1, sizeof *r->uses);
    r->uses = uses;
    if (!good)
        return false;
    r->uses[r->use_count] = (struct use){user, operand, r->first[def]};
    r->first[def] = r->use_count++;
    return true;
}

/* USED, if it is an original, is operand K of USER. mark of originals: number of the first
 * definition. */
static inline bool look_at(struct repair *r, ir_ref user, uint32_t k, ir_ref used)
{
    if (!(r->originals[used / 64] >> used % 64 & 1))
        return true;
    const struct ir_ins *original = &r->f->ins[used], *ins = &r->f->ins[user];
    /* An original that cannot be reached any more has lost its place. */
    if (original->op != IR_NOP && original->block == ins->block && ins->op != IR_PHI)
        return true;
    return note_use(r, user, k, original->mark);
}

/* All uses of originals outside of their own blocks. */
static bool find_uses(struct repair *r)
{
    struct ir_func *f = r->f;
    for (uint32_t i = r->def_count; i-- > 0;) {
        ir_ref original = r->defs[i].original;
        f->ins[original].mark = i;
        r->originals[original / 64] |= UINT64_C(1) << original % 64;
        r->first[i] = IR_NONE;
    }
    for (uint32_t i = 0; i < f->order_count; i++) {
        for (ir_ref n = f->blocks[f->order[i]].first; n; n = f->ins[n].next) {
            const struct ir_ins *ins = &f->ins[n];
            struct ir_shape shape = ir_shapes[ins->op];
            for (uint32_t k = 0; k < shape.fixed; k++)
                if (!look_at(r, n, k, ins->abc[k]))
                    return false;
            for (uint32_t k = 0; shape.list && k < ins->count; k++)
                if (!look_at(r, n, shape.fixed + k, f->pool[ins->list + k]))
                    return false;
        }
    }
    return true;
}

/* What reaches the end of BLOCK: a definition, or a phi, whose operands are still to be found. */
static ir_ref reaching(struct repair *r, ir_block_ref block, uint32_t now, uint8_t type)
{
    struct ir_func *f = r->f;
    uint32_t depth = 0;
    ir_ref found = 0;
    for (ir_block_ref b = block;; b = ir_preds(f, b)[0]) {
        if (r->stamp[b] == now) {
            found = r->value[b];
            break;
        }
        r->path[depth++] = b;
        if (f->blocks[b].pred_count == 1 && depth < r->block_count)
            continue;
        found = ir_phi_new(f, b, (enum ir_type)type);
        void *phis = r->phis;
        if (f->failed || !reserve(&phis, &r->phi_capacity, r->phi_count + 1, sizeof *r->phis)) {
            f->failed = true;
            r->phis = phis;
            return 0;
        }
        r->phis = phis;
        r->phis[r->phi_count++] = found;
        break;
    }
    while (depth) {
        ir_block_ref b = r->path[--depth];
        r->stamp[b] = now;
        r->value[b] = found;
    }
    return found;
}

/* The uses of the original of definitions FIRST to END. */
static void repair_one(struct repair *r, uint32_t first, uint32_t end)
{
    struct ir_func *f = r->f;
    ir_ref original = r->defs[first].original;
    uint32_t now = first + 1, done = r->phi_count;
    uint8_t type = f->ins[original].type;
    if (f->ins[original].op != IR_NOP) {
        r->stamp[f->ins[original].block] = now;
        r->value[f->ins[original].block] = original;
    }
    for (uint32_t i = first; i < end; i++) {
        r->stamp[r->defs[i].block] = now;
        r->value[r->defs[i].block] = r->defs[i].copy;
    }
    for (uint32_t u = r->first[first]; u != IR_NONE && !f->failed; u = r->uses[u].next) {
        ir_ref user = r->uses[u].user;
        const struct ir_ins *ins = &f->ins[user];
        ir_block_ref at = ins->block;
        if (ins->op == IR_PHI)
            at = ir_preds(f, at)[r->uses[u].operand];
        else if (ins->op == IR_COPY && ins->access == REPAIR_PHI)
            at = ir_preds(f, at)[0];
        ir_ref value = reaching(r, at, now, type);
        *ir_operand(f, &f->ins[user], r->uses[u].operand) = value;
    }
    for (; done < r->phi_count && !f->failed; done++) {
        ir_ref phi = r->phis[done];
        for (uint32_t k = 0; k < f->ins[phi].count; k++) {
            ir_ref value = reaching(r, ir_preds(f, f->ins[phi].block)[k], now, type);
            f->pool[f->ins[phi].list + k] = value;
        }
    }
}

/* Phis of one value become copies of it, those made last first. */
static void drop_superfluous(struct repair *r)
{
    struct ir_func *f = r->f;
    bool changed = true;
    for (unsigned turn = 0; turn < 4 && changed; turn++) {
        changed = false;
        for (uint32_t i = r->phi_count; i-- > 0;) {
            struct ir_ins *phi = &f->ins[r->phis[i]];
            if (phi->op != IR_PHI)
                continue;
            ir_ref one = 0;
            bool several = false;
            for (uint32_t k = 0; k < phi->count && !several; k++) {
                ir_ref x = f->pool[phi->list + k];
                while (f->ins[x].op == IR_COPY)
                    x = f->ins[x].a;
                several = x != r->phis[i] && one && x != one;
                if (x != r->phis[i])
                    one = x;
            }
            if (several || !one)
                continue;
            phi->op = IR_COPY;
            phi->a = one;
            phi->b = phi->c = 0;
            changed = true;
        }
    }
}

static void unlink_copy(struct ir_func *f, ir_ref r)
{
    if (f->ins[r].op == IR_COPY)
        ir_unlink(f, r);
}

/* Takes the copies away. What uses them is a use of an original, a phi, or as new as they are. */
static bool drop_copies(struct repair *r)
{
    struct ir_func *f = r->f;
    ir_ref first = f->ins_count;
    for (uint32_t i = 0; i < r->def_count; i++)
        first = r->defs[i].copy < first ? r->defs[i].copy : first;
    for (uint32_t u = 0; u < r->use_count; u++)
        ir_resolve_operands(f, &f->ins[r->uses[u].user]);
    for (ir_ref n = first; n < f->ins_count; n++)
        ir_resolve_operands(f, &f->ins[n]);
    for (uint32_t i = 0; i < r->def_count; i++)
        unlink_copy(f, r->defs[i].copy);
    for (uint32_t i = 0; i < r->phi_count; i++)
        unlink_copy(f, r->phis[i]);
    return ir_resolve_phis(f);
}

bool repair_ssa(struct ir_func *f, const struct repair_def *defs, uint32_t count)
{
    struct repair r = {.f = f, .defs = defs, .def_count = count, .block_count = f->block_count};
    size_t set = f->ins_count / 64 + 1, words = (size_t)count + 3 * (size_t)f->block_count;
    r.originals = wasm_host_alloc(set * sizeof *r.originals + words * sizeof *r.first);
    bool good = r.originals;
    if (good) {
        r.first = (uint32_t *)(r.originals + set);
        r.stamp = r.first + count;
        r.value = r.stamp + f->block_count;
        r.path = r.value + f->block_count;
        memset(r.originals, 0, set * sizeof *r.originals);
        memset(r.stamp, 0, f->block_count * sizeof *r.stamp);
        good = find_uses(&r);
    }
    for (uint32_t i = 0, end; good && i < count; i = end) {
        end = i + 1;
        while (end < count && defs[end].original == defs[i].original)
            end++;
        repair_one(&r, i, end);
        good = !f->failed;
    }
    if (good) {
        drop_superfluous(&r);
        good = drop_copies(&r);
    }
    wasm_host_free(r.originals);
    wasm_host_free(r.uses);
    wasm_host_free(r.phis);
    return good;
}
