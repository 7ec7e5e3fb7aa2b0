/* Loop-invariant code: what a loop computes from values of outside moves before it. Pure operations
 * from everywhere in the loop; globals and loads when nothing in the loop may change them: loads
 * that may trap only from the start of the loop's header, where they are executed anyway and trap
 * before anything else can be seen.
 *
 * The place before a loop is the only predecessor outside of it, if it leads nowhere else. */
#include "opt/alias.h"
#include "host.h"

/* The place before the loop of HEADER, IR_NONE if there is none. */
static ir_block_ref find_place(const struct ir_func *f, ir_block_ref header)
{
    ir_block_ref before = IR_NONE;
    for (uint32_t k = 0; k < f->blocks[header].pred_count; k++) {
        ir_block_ref p = ir_preds(f, header)[k];
        if (loop_has(f, header, p))
            continue;
        if (before != IR_NONE || f->blocks[p].succ_count != 1)
            return IR_NONE;
        before = p;
    }
    return before;
}

/* Worth a register throughout the loop? Constants and what is free are not, nor comparisons, which
 * fuse with their branches. */
static bool movable(unsigned op)
{
    switch (op) {
    case IR_CONST:
    case IR_PARAM:
    case IR_RESULT:
    case IR_COPY:
    case IR_ZEXT:
    case IR_REF_NULL: return false;
    default: return ir_flags[op] & IR_P && !ir_is_comparison(op);
    }
}

static bool operands_outside(struct ir_func *f, struct ir_ins *ins, ir_block_ref header)
{
    uint32_t count = ir_operand_count(ins);
    for (uint32_t k = 0; k < count; k++) {
        const struct ir_ins *operand = &f->ins[*ir_operand(f, ins, k)];
        if (operand->op != IR_CONST && loop_has(f, header, operand->block))
            return false;
    }
    return true;
}

static void move_to_end(struct ir_func *f, ir_ref r, ir_block_ref to)
{
    ir_unlink(f, r);
    struct ir_ins *ins = &f->ins[r];
    ir_ref end = f->blocks[to].last;
    ins->block = to;
    ins->next = end;
    ins->prev = f->ins[end].prev;
    if (ins->prev)
        f->ins[ins->prev].next = r;
    else
        f->blocks[to].first = r;
    f->ins[end].prev = r;
}

/* Constants go along: a definition has to dominate its use. */
static void move_ins(struct ir_func *f, ir_ref r, ir_block_ref header, ir_block_ref to)
{
    uint32_t count = ir_operand_count(&f->ins[r]);
    for (uint32_t k = 0; k < count; k++) {
        ir_ref operand = *ir_operand(f, &f->ins[r], k);
        if (f->ins[operand].op == IR_CONST && loop_has(f, header, f->ins[operand].block))
            move_to_end(f, operand, to);
    }
    move_to_end(f, r, to);
}

/* Whether loop HEADER leaves alone what R reads. */
static bool leaves_alone(const struct ir_func *f, const struct ir_ins *ins,
                         const struct loop_writes *loop)
{
    if (ins->op == IR_GLOBAL_GET)
        return !loop_changes_global(f, loop, ins->aux);
    if (ins->op != IR_LOAD)
        return true;
    struct place place = place_of(f, ins);
    return !loop_changes_place(f, loop, &place);
}

/* Whether a load cannot trap: its address is a constant below the memory's smallest size. */
static bool cannot_trap(const struct ir_func *f, const struct ir_ins *ins)
{
    struct place place = place_of(f, ins);
    if (place.base != IR_NONE || !f->module || place.aux >= f->module->memory_count)
        return false;
    uint64_t pages = f->module->memories[place.aux].min_pages;
    uint64_t size = (pages < UINT16_MAX ? pages : UINT16_MAX) << 16;
    return place.offset < size && place.size <= size - place.offset;
}

/* The outermost loop before which R can stand, MOST of them. */
static ir_block_ref target_of(struct ir_func *f, ir_ref r, const ir_block_ref *before,
                              const struct loop_writes *loops, uint32_t most)
{
    ir_block_ref best = IR_NONE;
    for (ir_block_ref h = f->blocks[f->ins[r].block].loop; h != IR_NONE && most;
         h = f->blocks[h].outer_loop, most--) {
        if (before[h] == IR_NONE || !leaves_alone(f, &f->ins[r], &loops[h]) ||
            !operands_outside(f, &f->ins[r], h))
            break;
        best = h;
    }
    return best;
}

static void visit_block(struct ir_func *f, ir_block_ref b, const ir_block_ref *before,
                        const struct loop_writes *loops)
{
    bool first = f->blocks[b].flags & IR_BLOCK_LOOP_HEADER; /* nothing was done that can be seen */
    for (ir_ref r = f->blocks[b].first, next; r; r = next) {
        const struct ir_ins *ins = &f->ins[r];
        next = ins->next;
        /* Loads that may trap go out of the innermost loop only: the outer header may do other
         * things first. */
        uint32_t most = movable(ins->op) || ins->op == IR_GLOBAL_GET ? UINT32_MAX
                        : ins->op != IR_LOAD                         ? 0
                        : cannot_trap(f, ins)                        ? UINT32_MAX
                                                                     : first;
        ir_block_ref header = most ? target_of(f, r, before, loops, most) : IR_NONE;
        unsigned flags = ir_flags[ins->op];
        if (header != IR_NONE)
            move_ins(f, r, header, before[header]);
        else if (flags & (IR_W | IR_K) || (flags & IR_T && ins->op != IR_LOAD))
            first = false;
    }
}

bool opt_licm(struct ir_func *f)
{
    bool any;
    struct loop_writes *loops = loop_writes_new(f, &any);
    if (!any)
        return true;
    ir_block_ref *before = loops ? wasm_host_alloc((size_t)f->block_count * sizeof *before) : NULL;
    if (!before) {
        wasm_host_free(loops);
        return false;
    }
    for (uint32_t i = 0; i < f->order_count; i++)
        if (f->blocks[f->order[i]].flags & IR_BLOCK_LOOP_HEADER)
            before[f->order[i]] = find_place(f, f->order[i]);
    for (uint32_t i = 0; i < f->order_count; i++)
        if (f->blocks[f->order[i]].loop != IR_NONE)
            visit_block(f, f->order[i], before, loops);
    wasm_host_free(before);
    wasm_host_free(loops);
    return true;
}
