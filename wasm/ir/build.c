/* Construction of a function's SSA: the arena of instructions, blocks and lists, and the small
 * operations by which every other part changes it. */
#include "ir/ir.h"
#include "host.h"

#include <string.h>

/* Numbers stay below this so that sums of two of them fit 32 bits. */
#define MAX_ENTRIES 0x40000000u
#define LARGE       ((size_t)1 << 20)

/* Doubles CAPACITY until it holds NEEDED entries. STATIC_ENTRY, if the array still is that one, is
 * copied instead of reallocated. */
static bool grow(struct ir_func *f, void **array, uint32_t *capacity, uint64_t needed,
                 size_t entry_size, const void *static_entry, uint32_t first)
{
    if (needed <= *capacity)
        return true;
    if (f->failed || needed > MAX_ENTRIES)
        goto failed;
    uint64_t fresh = *capacity > first ? *capacity : first;
    /* What is large grows slowly: for the time of the growth there may be two of it. */
    while (fresh < needed)
        fresh += fresh * entry_size > LARGE ? fresh / 2 : fresh;
    bool is_static = static_entry && *array == static_entry;
    void *bigger = wasm_host_realloc(is_static ? NULL : *array, (size_t)fresh * entry_size);
    if (!bigger)
        goto failed;
    if (is_static)
        memcpy(bigger, static_entry, entry_size);
    *array = bigger;
    *capacity = (uint32_t)fresh;
    return true;
failed:
    f->failed = true;
    return false;
}

void ir_func_init(struct ir_func *f, const struct ir_module *module, uint32_t index)
{
    memset(f, 0, sizeof *f);
    f->module = module;
    f->index = index;
    if (module && index < module->func_count)
        f->signature = &module->types[module->func_types[index]];
    f->ins = &f->spare_ins;
    f->ins_count = f->ins_capacity = 1;
    f->blocks = &f->spare_block;
    f->block_capacity = 1;
    f->pool = &f->spare_word;
}

void ir_func_reset(struct ir_func *f)
{
    f->ins_count = 1;
    memset(&f->ins[0], 0, sizeof f->ins[0]);
    f->block_count = 0;
    f->pool_count = 0;
    f->order_count = 0;
    f->last_call = 0;
    f->failed = f->shifts = false;
}

void ir_func_drop(struct ir_func *f)
{
    if ((size_t)f->ins_capacity * sizeof *f->ins <= LARGE)
        return;
    const struct ir_module *module = f->module;
    uint32_t index = f->index;
    uint64_t deadline = f->deadline;
    bool late = f->late;
    ir_func_free(f);
    ir_func_init(f, module, index);
    f->deadline = deadline;
    f->late = late;
}

void ir_func_free(struct ir_func *f)
{
    if (f->ins != &f->spare_ins)
        wasm_host_free(f->ins);
    if (f->blocks != &f->spare_block)
        wasm_host_free(f->blocks);
    if (f->pool != &f->spare_word)
        wasm_host_free(f->pool);
    wasm_host_free(f->order);
    wasm_host_free(f->scratch);
    memset(f, 0, sizeof *f);
}

static __attribute__((noinline)) bool block_room(struct ir_func *f)
{
    void *blocks = f->blocks;
    bool good = grow(f, &blocks, &f->block_capacity, (uint64_t)f->block_count + 1,
                     sizeof *f->blocks, &f->spare_block, 256);
    f->blocks = blocks;
    return good;
}

ir_block_ref ir_block_new(struct ir_func *f)
{
    if (f->block_count == f->block_capacity && !block_room(f))
        return 0;
    struct ir_block *b = &f->blocks[f->block_count];
    memset(b, 0, sizeof *b);
    b->loop = b->outer_loop = IR_NONE;
    return f->block_count++;
}

static __attribute__((noinline)) bool pool_room(struct ir_func *f, uint32_t count)
{
    void *pool = f->pool;
    bool good = grow(f, &pool, &f->pool_capacity, (uint64_t)f->pool_count + count, sizeof *f->pool,
                     &f->spare_word, 2048);
    f->pool = pool;
    return good;
}

/* A pool range of COUNT entries with undefined contents. */
static inline uint32_t pool_take(struct ir_func *f, uint32_t count)
{
    uint32_t range = f->pool_count;
    if (count > f->pool_capacity - range && !pool_room(f, count))
        return 0;
    f->pool_count = range + count;
    return range;
}

uint32_t ir_list_new(struct ir_func *f, uint32_t count)
{
    uint32_t range = pool_take(f, count);
    if (!f->failed && count)
        memset(f->pool + range, 0, (size_t)count * sizeof *f->pool);
    return range;
}

static __attribute__((noinline)) void pred_add_slowly(struct ir_func *f, ir_block_ref block,
                                                      ir_block_ref pred, uint32_t room)
{
    if (pool_room(f, room))
        ir_pred_add(f, block, pred);
}

void ir_pred_add(struct ir_func *f, ir_block_ref block, ir_block_ref pred)
{
    struct ir_block *b = &f->blocks[block];
    if (f->failed)
        return;
    if (b->pred_count == b->pred_capacity) {
        uint32_t capacity = b->pred_count ? b->pred_count * 2 : 2, range = f->pool_count;
        if (capacity > f->pool_capacity - range) {
            pred_add_slowly(f, block, pred, capacity);
            return;
        }
        f->pool_count = range + capacity;
        for (uint32_t i = 0; i < b->pred_count; i++)
            f->pool[range + i] = f->pool[b->preds + i];
        b->preds = range;
        b->pred_capacity = capacity;
    }
    f->pool[b->preds + b->pred_count++] = pred;
}

static bool ins_room(struct ir_func *f)
{
    void *ins = f->ins;
    bool good = !f->failed && grow(f, &ins, &f->ins_capacity, (uint64_t)f->ins_count + 1,
                                   sizeof *f->ins, &f->spare_ins, 1024);
    f->ins = ins;
    return good;
}

/* The next number's, for which there is room. */
static inline struct ir_ins *ins_new(struct ir_func *f, ir_block_ref block, enum ir_op op,
                                     enum ir_type type)
{
    struct ir_ins *ins = &f->ins[f->ins_count++];
    *ins = (struct ir_ins){.op = (uint16_t)op, .type = (uint8_t)type, .block = block};
    f->shifts |= ir_is_shift(op);
    return ins;
}

/* Apart, so that who finds room has no registers to save. */
static __attribute__((noinline)) ir_ref append_slowly(struct ir_func *f, ir_block_ref block,
                                                      enum ir_op op, enum ir_type type)
{
    return ins_room(f) ? ir_append(f, block, op, type) : 0;
}

ir_ref ir_append(struct ir_func *f, ir_block_ref block, enum ir_op op, enum ir_type type)
{
    if (f->failed || f->ins_count == f->ins_capacity)
        return append_slowly(f, block, op, type);
    ir_ref ref = f->ins_count;
    struct ir_ins *ins = ins_new(f, block, op, type);
    struct ir_block *b = &f->blocks[block];
    ins->prev = b->last;
    if (b->last)
        f->ins[b->last].next = ref;
    else
        b->first = ref;
    b->last = ref;
    if (op == IR_CALL) {
        ins->mark = f->last_call;
        f->last_call = ref;
    }
    return ref;
}

ir_ref ir_insert_before(struct ir_func *f, ir_ref where, enum ir_op op, enum ir_type type)
{
    if ((f->failed || f->ins_count == f->ins_capacity) && !ins_room(f))
        return 0;
    ir_ref ref = f->ins_count, prev = f->ins[where].prev;
    ir_block_ref block = f->ins[where].block;
    struct ir_ins *ins = ins_new(f, block, op, type);
    ins->prev = prev;
    ins->next = where;
    f->ins[where].prev = ref;
    if (prev)
        f->ins[prev].next = ref;
    else
        f->blocks[block].first = ref;
    return ref;
}

ir_ref ir_phi_new(struct ir_func *f, ir_block_ref block, enum ir_type type)
{
    if (f->failed)
        return 0;
    uint32_t count = f->blocks[block].pred_count;
    uint32_t list = ir_list_new(f, count);
    ir_ref first = f->blocks[block].first;
    ir_ref phi =
        first ? ir_insert_before(f, first, IR_PHI, type) : ir_append(f, block, IR_PHI, type);
    f->ins[phi].list = list;
    f->ins[phi].count = count;
    return phi;
}

void ir_unlink(struct ir_func *f, ir_ref ins)
{
    const struct ir_ins *i = &f->ins[ins];
    struct ir_block *b = &f->blocks[i->block];
    if (i->prev)
        f->ins[i->prev].next = i->next;
    else
        b->first = i->next;
    if (i->next)
        f->ins[i->next].prev = i->prev;
    else
        b->last = i->prev;
}

void ir_remove(struct ir_func *f, ir_ref ins)
{
    ir_unlink(f, ins);
    f->ins[ins].op = IR_NOP;
    f->ins[ins].a = f->ins[ins].b = f->ins[ins].c = 0;
    f->ins[ins].prev = f->ins[ins].next = 0;
}

static inline ir_ref terminate(struct ir_func *f, ir_block_ref from, enum ir_op op,
                               uint32_t succ_count)
{
    uint32_t succs = pool_take(f, succ_count);
    ir_ref ref = ir_append(f, from, op, IR_VOID);
    if (!f->failed) {
        f->blocks[from].succs = succs;
        f->blocks[from].succ_count = succ_count;
    }
    return ref;
}

ir_ref ir_jump(struct ir_func *f, ir_block_ref from, ir_block_ref to)
{
    ir_ref ref = terminate(f, from, IR_JUMP, 1);
    if (!f->failed)
        f->pool[f->blocks[from].succs] = to;
    return ref;
}

ir_ref ir_branch(struct ir_func *f, ir_block_ref from, ir_ref condition, ir_block_ref if_true,
                 ir_block_ref if_false)
{
    ir_ref ref = terminate(f, from, IR_BRANCH, 2);
    if (!f->failed) {
        f->ins[ref].a = condition;
        f->pool[f->blocks[from].succs] = if_true;
        f->pool[f->blocks[from].succs + 1] = if_false;
    }
    return ref;
}

ir_ref ir_switch(struct ir_func *f, ir_block_ref from, ir_ref index, uint32_t succ_count)
{
    ir_ref ref = terminate(f, from, IR_SWITCH, succ_count);
    if (!f->failed) {
        f->ins[ref].a = index;
        memset(f->pool + f->blocks[from].succs, 0, (size_t)succ_count * sizeof *f->pool);
    }
    return ref;
}

bool ir_late(struct ir_func *f)
{
    if (!f->late && f->deadline && wasm_host_now() > f->deadline)
        f->late = true;
    return f->late;
}
