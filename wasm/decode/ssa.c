/* SSA construction on the fly: see ssa.h. */
#include "decode/ssa.h"
#include "host.h"

#include <string.h>

static __attribute__((noinline)) bool grow_now(struct ssa *s, void *array, uint32_t *capacity,
                                               uint64_t count, size_t size)
{
    uint64_t fresh = *capacity ? *capacity : 64;
    while (fresh < count)
        fresh *= 2;
    void *old, *bigger = NULL;
    memcpy(&old, array, sizeof old);
    if (fresh <= UINT32_MAX / 2)
        bigger = wasm_host_realloc(old, (size_t)fresh * size);
    if (!bigger) {
        s->f->failed = true;
        return false;
    }
    memcpy(array, &bigger, sizeof bigger);
    *capacity = (uint32_t)fresh;
    return true;
}

/* Makes room for COUNT entries of SIZE bytes by doubling; the contents stay. */
static inline bool grow(struct ssa *s, void *array, uint32_t *capacity, uint64_t count, size_t size)
{
    return count <= *capacity || grow_now(s, array, capacity, count, size);
}

enum { GENERATION_MAX = (1 << 28) - 1 }; /* leaves room for a type beside it */

void ssa_init(struct ssa *s)
{
    memset(s, 0, sizeof *s);
}

void ssa_free(struct ssa *s)
{
    wasm_host_free(s->cells);
    wasm_host_free(s->defs);
    wasm_host_free(s->blocks);
    wasm_host_free(s->incomplete);
    wasm_host_free(s->frames);
    wasm_host_free(s->values);
    wasm_host_free(s->phis);
    wasm_host_free(s->users);
}

/* After so many steps, and as soon as there are too many. */
static void next_look(struct ssa *s)
{
    enum { STEPS = 4096 };
    bool near = !s->exhausted && s->max_steps - s->steps < STEPS;
    s->next_look = near ? s->max_steps + 1 : s->steps + STEPS;
}

void ssa_reset(struct ssa *s, struct ir_func *f, uint64_t max_steps)
{
    /* Generations of earlier functions must not fit; nothing is cleared until they run out, since
     * the arrays may be large and the function small. */
    if (++s->generation > GENERATION_MAX) {
        if (s->defs)
            memset(s->defs, 0, s->def_capacity * sizeof *s->defs);
        memset(s->consts, 0, sizeof s->consts);
        s->generation = 1;
    }
    s->f = f;
    s->block_count = s->table_blocks = 0;
    s->def_count = s->incomplete_count = s->frame_count = s->value_count = s->phi_count = 0;
    s->null = s->first_copy = 0;
    s->written = s->steps = 0;
    s->max_steps = max_steps;
    s->exhausted = s->late = false;
    next_look(s);
    ssa_block_new(s);
}

/* Room in the table for BLOCK, if it has a place there. */
static bool row_new(struct ssa *s, ir_block_ref block)
{
    if (block >= s->table_blocks)
        return true;
    uint64_t end = ((uint64_t)block + 1) * s->table_vars;
    if (!grow(s, &s->cells, &s->cell_capacity, end, sizeof *s->cells))
        return false;
    memset(s->cells + end - s->table_vars, 0, s->table_vars * sizeof *s->cells);
    return true;
}

void ssa_table(struct ssa *s, uint32_t vars, uint64_t cells)
{
    uint64_t blocks = cells / vars;
    s->table_vars = vars;
    s->table_blocks = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX;
    for (ir_block_ref b = 0; b < s->block_count; b++)
        if (!row_new(s, b))
            s->table_blocks = 0;
}

ir_block_ref ssa_block_new(struct ssa *s)
{
    ir_block_ref block = ir_block_new(s->f);
    if (!grow(s, &s->blocks, &s->block_capacity, (uint64_t)block + 1, sizeof *s->blocks) ||
        !row_new(s, block))
        return 0;
    s->block_count = block + 1;
    s->blocks[block] = (struct ssa_block){.written = UINT64_MAX,
                                          .before = IR_NONE,
                                          .above = IR_NONE,
                                          .incomplete = IR_NONE,
                                          .sealed = true};
    return block;
}

ir_block_ref ssa_header_new(struct ssa *s)
{
    ir_block_ref block = ssa_block_new(s);
    if (!s->f->failed) {
        s->blocks[block].header = true;
        s->blocks[block].sealed = false;
    }
    return block;
}

void ssa_join(struct ssa *s, ir_block_ref label, ir_block_ref before)
{
    if (s->f->failed)
        return;
    s->blocks[label].written = s->written;
    s->blocks[label].before = before;
}

void ssa_pred_add(struct ssa *s, ir_block_ref block, ir_block_ref pred)
{
    ir_pred_add(s->f, block, pred);
    if (!s->f->failed && s->blocks[block].sealed)
        s->blocks[block].above = s->f->blocks[block].pred_count == 1 ? pred : IR_NONE;
}

ir_ref ssa_jump(struct ssa *s, ir_block_ref from, ir_block_ref to)
{
    ir_ref jump = ir_jump(s->f, from, to);
    ssa_pred_add(s, to, from);
    return jump;
}

ir_ref ssa_branch(struct ssa *s, ir_block_ref from, ir_ref condition, ir_block_ref if_true,
                  ir_block_ref if_false)
{
    ir_ref branch = ir_branch(s->f, from, condition, if_true, if_false);
    ssa_pred_add(s, if_true, from);
    ssa_pred_add(s, if_false, from);
    return branch;
}

static inline uint64_t bit_of(uint32_t var)
{
    return UINT64_C(1) << var % 64;
}

/* Where to look for VAR when B does not define it, if there is only one such place. */
static inline ir_block_ref one_before(const struct ssa_block *b, uint32_t var)
{
    return b->written & bit_of(var) ? b->above : b->before;
}

static uint32_t slot_of(const struct ssa *s, uint32_t block, uint32_t var)
{
    uint64_t h = ((uint64_t)block << 32 | var) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)((h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 32) & (s->def_capacity - 1);
}

/* The entry of (BLOCK, VAR), or the free one where it would stand. Probing counts as work: whoever
 * picks colliding numbers runs out of steps. */
static struct ssa_def *def_find(struct ssa *s, uint32_t block, uint32_t var)
{
    uint32_t slot = slot_of(s, block, var);
    for (;;) {
        struct ssa_def *def = &s->defs[slot];
        if (def->generation != s->generation || (def->block == block && def->var == var))
            return def;
        slot = (slot + 1) & (s->def_capacity - 1);
        s->steps++;
    }
}

static bool def_grow(struct ssa *s)
{
    uint32_t old_capacity = s->def_capacity;
    uint32_t capacity = old_capacity ? old_capacity * 2 : 1024;
    struct ssa_def *old = s->defs, *defs = NULL;
    if (capacity <= UINT32_MAX / 4)
        defs = wasm_host_alloc((size_t)capacity * sizeof *defs);
    if (!defs) {
        s->f->failed = true;
        return false;
    }
    memset(defs, 0, (size_t)capacity * sizeof *defs);
    s->defs = defs;
    s->def_capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].generation == s->generation)
            *def_find(s, old[i].block, old[i].var) = old[i];
    wasm_host_free(old);
    return true;
}

/* The definition of VAR in BLOCK, as far as it is known; 0: none. */
static inline ir_ref def_of(struct ssa *s, ir_block_ref block, uint32_t var)
{
    if (ssa_in_table(s, block, var))
        return *ssa_cell(s, block, var);
    const struct ssa_def *def = s->def_capacity ? def_find(s, block, var) : NULL;
    return def && def->generation == s->generation ? def->value : 0;
}

void ssa_define_hashed(struct ssa *s, uint32_t var, ir_block_ref block, ir_ref value)
{
    if (s->def_count >= s->def_capacity / 2 && !def_grow(s))
        return;
    struct ssa_def *def = def_find(s, block, var);
    s->def_count += def->generation != s->generation;
    *def = (struct ssa_def){block, var, value, s->generation};
}

static void become_copy(struct ssa *s, ir_ref phi, ir_ref value)
{
    struct ir_ins *ins = &s->f->ins[phi];
    if (!s->first_copy || phi < s->first_copy)
        s->first_copy = phi;
    ins->op = IR_COPY;
    ins->list = ins->count = 0;
    ins->a = value;
}

static ir_ref phi_new(struct ssa *s, ir_block_ref block, enum ir_type type)
{
    if (!grow(s, &s->phis, &s->phi_capacity, (uint64_t)s->phi_count + 1, sizeof *s->phis))
        return 0;
    ir_ref phi = ir_phi_new(s->f, block, type);
    if (phi)
        s->phis[s->phi_count++] = phi;
    return phi;
}

/* An instruction at the start of the entry, which may have ended long ago. */
static ir_ref entry_ins(struct ssa *s, enum ir_op op, enum ir_type type)
{
    ir_ref first = s->f->blocks[0].first;
    return first ? ir_insert_before(s->f, first, op, type) : ir_append(s->f, 0, op, type);
}

static ir_ref initial_value(struct ssa *s, uint32_t var, enum ir_type type)
{
    if (s->f->signature && var < s->f->signature->param_count) {
        ir_ref param = entry_ins(s, IR_PARAM, type);
        ir_at(s->f, param)->aux = var;
        return param;
    }
    if (type != IR_REF)
        return ssa_constant(s, type, 0);
    if (!s->null)
        s->null = entry_ins(s, IR_REF_NULL, IR_REF);
    return s->null;
}

ir_ref ssa_constant(struct ssa *s, enum ir_type type, uint64_t bits)
{
    uint64_t h = (bits ^ (uint64_t)type << 56) * UINT64_C(0x9e3779b97f4a7c15);
    struct ssa_const *slot = &s->consts[h >> 32 & (SSA_CONSTS - 1)];
    uint32_t owner = s->generation << 4 | type;
    if (slot->owner == owner && slot->bits == bits)
        return slot->value;
    ir_ref value = entry_ins(s, IR_CONST, type);
    s->f->ins[value].imm = bits;
    *slot = (struct ssa_const){bits, value, owner};
    return value;
}

/* The one value all COUNT operands have, apart from PHI itself; 0 if there are several. */
static ir_ref only_value(struct ssa *s, const ir_ref *operands, uint32_t count, ir_ref phi)
{
    ir_ref only = 0;
    for (uint32_t i = 0; i < count; i++) {
        ir_ref value = ir_follow(s->f, operands[i]);
        if (value == phi || value == only)
            continue;
        if (only)
            return 0;
        only = value;
    }
    return only;
}

/* All predecessors of the top frame's block have answered; their values are the top ones. */
static ir_ref merge(struct ssa *s, const struct ssa_frame *frame, enum ir_type type)
{
    struct ir_func *f = s->f;
    uint32_t count = f->blocks[frame->block].pred_count;
    const ir_ref *operands = s->values + s->value_count - count;
    ir_ref phi = frame->phi, only = only_value(s, operands, count, phi);
    if (!only) {
        if (!phi)
            phi = phi_new(s, frame->block, type);
        if (f->failed)
            return 0;
        memcpy(f->pool + f->ins[phi].list, operands, count * sizeof *operands);
        only = phi;
    } else if (phi) {
        become_copy(s, phi, only);
    }
    s->value_count -= count;
    return only;
}

bool ssa_is_late(struct ssa *s)
{
    if (s->deadline && wasm_host_now() > s->deadline)
        s->late = s->exhausted = true;
    return s->late;
}

void ssa_look(struct ssa *s)
{
    s->exhausted |= s->steps > s->max_steps;
    ssa_is_late(s);
    next_look(s);
}

/* Down from BLOCK as long as there is one place to look at next: the first block that defines VAR
 * (its VALUE then is that, else 0) or has none or several before it. */
static inline ir_block_ref chain_end(struct ssa *s, uint32_t var, ir_block_ref block, ir_ref *value)
{
    uint32_t length = 1;
    while (!(*value = def_of(s, block, var))) {
        ir_block_ref before = one_before(&s->blocks[block], var);
        if (before == IR_NONE)
            break;
        block = before;
        length++;
    }
    ssa_step(s, length);
    return block;
}

/* The blocks of the chain from BLOCK to END, which itself knows, learn VALUE. */
static inline void define_chain(struct ssa *s, uint32_t var, ir_block_ref block, ir_block_ref end,
                                ir_ref value)
{
    const struct ssa_block *blocks = s->blocks;
    for (; block != end; block = one_before(&blocks[block], var))
        ssa_define(s, var, block, value);
}

/* The value of VAR in BLOCK, when the chain from there ends at END, which has none. */
static __attribute__((noinline)) ir_ref search(struct ssa *s, uint32_t var, enum ir_type type,
                                               ir_block_ref block, ir_block_ref end)
{
    struct ir_func *f = s->f;
    ir_block_ref asked = block;
    ir_ref value = 0;
    s->frame_count = s->value_count = 0;
    for (;; end = chain_end(s, var, asked, &value)) {
        if (f->failed || s->exhausted)
            return 0;
        if (value) {
            value = ir_follow(f, value);
        } else if (!s->blocks[end].sealed) {
            value = phi_new(s, end, type);
            if (!grow(s, &s->incomplete, &s->incomplete_capacity, (uint64_t)s->incomplete_count + 1,
                      sizeof *s->incomplete))
                return 0;
            s->incomplete[s->incomplete_count] =
                (struct ssa_incomplete){value, var, s->blocks[end].incomplete};
            s->blocks[end].incomplete = s->incomplete_count++;
            ssa_define(s, var, end, value);
        } else if (!f->blocks[end].pred_count) {
            value = initial_value(s, var, type);
            ssa_define(s, var, end, value);
        } else {
            if (!grow(s, &s->frames, &s->frame_capacity, (uint64_t)s->frame_count + 1,
                      sizeof *s->frames))
                return 0;
            ir_ref phi = 0;
            if (s->blocks[end].header) {
                phi = phi_new(s, end, type); /* ends the search around the loop */
                ssa_define(s, var, end, phi);
            }
            s->frames[s->frame_count++] = (struct ssa_frame){end, asked, 1, phi};
            asked = ir_preds(f, end)[0];
            continue;
        }

        /* Up: hand the value to those who asked, until one has to ask further. */
        for (;;) {
            define_chain(s, var, asked, end, value);
            if (!s->frame_count)
                return value;
            struct ssa_frame *frame = &s->frames[s->frame_count - 1];
            ssa_step(s, 1);
            if (!grow(s, &s->values, &s->value_capacity, (uint64_t)s->value_count + 1,
                      sizeof *s->values))
                return 0;
            s->values[s->value_count++] = value;
            if (frame->next_pred < f->blocks[frame->block].pred_count) {
                asked = ir_preds(f, frame->block)[frame->next_pred++];
                break;
            }
            value = merge(s, frame, type);
            if (f->failed)
                return 0;
            end = frame->block;
            ssa_define(s, var, end, value);
            asked = frame->asked;
            s->frame_count--;
        }
    }
}

ir_ref ssa_read_before(struct ssa *s, uint32_t var, enum ir_type type, ir_block_ref block)
{
    ir_ref value;
    ir_block_ref end = chain_end(s, var, block, &value);
    if (!value)
        return search(s, var, type, block, end);
    value = ir_follow(s->f, value);
    define_chain(s, var, block, end, value);
    return value;
}

void ssa_seal(struct ssa *s, ir_block_ref header)
{
    struct ir_func *f = s->f;
    if (f->failed)
        return;
    s->blocks[header].sealed = true;
    if (f->blocks[header].pred_count == 1)
        s->blocks[header].above = ir_preds(f, header)[0];
    ssa_join(s, header, ir_preds(f, header)[0]);
    uint32_t count = f->blocks[header].pred_count;
    for (uint32_t i = s->blocks[header].incomplete; i != IR_NONE; i = s->incomplete[i].next) {
        ir_ref phi = s->incomplete[i].phi;
        uint32_t var = s->incomplete[i].var;
        enum ir_type type = f->ins[phi].type;
        if (!(s->blocks[header].written & bit_of(var))) {
            ir_ref value = ssa_read(s, var, type, s->blocks[header].before);
            if (f->failed || s->exhausted)
                return;
            become_copy(s, phi, value);
            continue;
        }
        uint32_t list = ir_list_new(f, count);
        ssa_step(s, count);
        for (uint32_t p = 0; p < count; p++) {
            ir_ref value = ssa_read(s, var, type, ir_preds(f, header)[p]);
            if (f->failed || s->exhausted)
                return;
            f->pool[list + p] = value;
        }
        f->ins[phi].list = list;
        f->ins[phi].count = count;
        ir_ref only = only_value(s, f->pool + list, count, phi);
        if (only)
            become_copy(s, phi, only);
    }
}

/* The phis left, as a graph: which phis use which, and how far each was looked at. */
struct phi_graph {
    uint32_t *first_user, *last_user; /* by phi: chain of use records */
    uint32_t *position, *witness;     /* operands before POSITION are the phi itself or WITNESS */
    uint32_t *queue;                  /* ring of phis to look at */
    uint32_t *queued;
    uint32_t *use; /* records: phi, next */
    uint32_t queue_head, queue_count;
};

/* Whether phi number N is superfluous: goes on where it stopped the last time, which is right since
 * operands only ever become equal. */
static ir_ref phi_check(struct ssa *s, struct phi_graph *g, uint32_t n)
{
    struct ir_func *f = s->f;
    ir_ref phi = s->phis[n], witness = g->witness[n] ? ir_follow(f, g->witness[n]) : 0;
    const ir_ref *list = f->pool + f->ins[phi].list;
    uint32_t count = f->ins[phi].count, i = g->position[n];
    if (witness == phi)
        witness = 0;
    for (; i < count; i++) {
        ir_ref value = ir_follow(f, list[i]);
        if (value == phi || value == witness)
            continue;
        if (witness)
            break;
        witness = value;
    }
    g->position[n] = i;
    g->witness[n] = witness;
    return i == count ? witness : 0;
}

static void enqueue(struct ssa *s, struct phi_graph *g, uint32_t n)
{
    if (g->queued[n] || s->f->ins[s->phis[n]].op != IR_PHI)
        return;
    g->queued[n] = 1;
    uint32_t tail = g->queue_head + g->queue_count++;
    g->queue[tail < s->phi_count ? tail : tail - s->phi_count] = n;
}

/* Every phi was looked at when it got its operands, so that only those are of interest that had one
 * which has become a copy since. */
static bool remove_superfluous(struct ssa *s)
{
    struct ir_func *f = s->f;
    uint32_t n = s->phi_count;
    uint64_t uses = 0;
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct ir_ins *phi = &f->ins[s->phis[i]];
        if (phi->op != IR_PHI)
            continue;
        uses += phi->count;
        for (uint32_t k = 0; k < phi->count && !any; k++)
            any = ir_is_copy(f, f->pool[phi->list + k]);
    }
    if (!any)
        return true;
    if (!grow(s, &s->users, &s->users_capacity, 6 * (uint64_t)n + 2 * uses, sizeof *s->users))
        return false;
    uint32_t *m = s->users;
    struct phi_graph g = {m, m + n, m + 2 * n, m + 3 * n, m + 4 * n, m + 5 * n, m + 6 * n, 0, 0};
    uint32_t use_count = 0;
    memset(g.first_user, 0xff, 2 * (size_t)n * sizeof *m);
    memset(g.position, 0, 2 * (size_t)n * sizeof *m);
    memset(g.queued, 0, n * sizeof *m);
    for (uint32_t i = 0; i < n; i++)
        f->ins[s->phis[i]].mark = i;
    for (uint32_t i = 0; i < n; i++) {
        const struct ir_ins *phi = &f->ins[s->phis[i]];
        if (phi->op != IR_PHI)
            continue;
        for (uint32_t k = 0; k < phi->count; k++) {
            ir_ref operand = f->pool[phi->list + k], value = ir_follow(f, operand);
            if (value != operand)
                enqueue(s, &g, i);
            if (f->ins[value].op != IR_PHI || value == s->phis[i])
                continue;
            uint32_t of = f->ins[value].mark;
            g.use[use_count] = i;
            g.use[use_count + 1] = g.first_user[of];
            if (g.first_user[of] == IR_NONE)
                g.last_user[of] = use_count;
            g.first_user[of] = use_count;
            use_count += 2;
        }
    }
    /* Stopping early leaves phis that are not needed, no harm but to speed. */
    uint64_t budget = 8 * (uses + n);
    while (g.queue_count && budget) {
        uint32_t i = g.queue[g.queue_head];
        g.queue_head = g.queue_head + 1 < n ? g.queue_head + 1 : 0;
        g.queue_count--;
        g.queued[i] = 0;
        ir_ref only = phi_check(s, &g, i);
        budget--;
        if (!only)
            continue;
        become_copy(s, s->phis[i], only);
        if (g.first_user[i] == IR_NONE)
            continue;
        for (uint32_t u = g.first_user[i]; u != IR_NONE && budget; u = g.use[u + 1], budget--)
            enqueue(s, &g, g.use[u]);
        if (f->ins[only].op == IR_PHI) {
            uint32_t of = f->ins[only].mark;
            g.use[g.last_user[i] + 1] = g.first_user[of];
            if (g.first_user[of] == IR_NONE)
                g.last_user[of] = g.last_user[i];
            g.first_user[of] = g.first_user[i];
        }
    }
    return true;
}

/* What a huge function needed is not kept while the rest of the compiler works on it. The hash
 * table is kept only while it fits a cache: the next function, if small, would be scattered all
 * over it.
 */
static void trim(struct ssa *s)
{
    enum { LARGE = 1 << 16, LARGE_TABLE = 1 << 11, LARGE_CELLS = 1 << 18 };
#define TRIM(array, capacity, limit)                                                               \
    if (s->capacity > (limit)) {                                                                   \
        wasm_host_free(s->array);                                                                  \
        s->array = NULL;                                                                           \
        s->capacity = 0;                                                                           \
    }
    TRIM(cells, cell_capacity, LARGE_CELLS)
    TRIM(defs, def_capacity, LARGE_TABLE)
    TRIM(blocks, block_capacity, LARGE)
    TRIM(incomplete, incomplete_capacity, LARGE)
    TRIM(frames, frame_capacity, LARGE)
    TRIM(values, value_capacity, LARGE)
    TRIM(phis, phi_capacity, LARGE)
    TRIM(users, users_capacity, LARGE)
#undef TRIM
}

/* Takes the copies out of their blocks and their uses. Other than phis, what uses them has higher
 * numbers: an instruction is made when its operands are there. */
static void remove_copies(struct ssa *s)
{
    struct ir_func *f = s->f;
    for (uint32_t i = 0; i < s->phi_count; i++) {
        struct ir_ins *phi = &f->ins[s->phis[i]];
        if (phi->op == IR_COPY)
            ir_unlink(f, s->phis[i]);
        else if (s->phis[i] < s->first_copy)
            ir_resolve_list(f, phi);
    }
    for (ir_ref r = s->first_copy + 1; r < f->ins_count; r++)
        ir_resolve_operands(f, &f->ins[r]);
}

bool ssa_finish(struct ssa *s)
{
    bool good = !s->f->failed && !s->exhausted;
    if (good && s->first_copy) {
        good = remove_superfluous(s);
        if (good)
            remove_copies(s);
    }
    trim(s);
    return good;
}
