/* Loop-invariant code: what a loop computes from values of outside moves before it. Pure operations
 * from everywhere in the loop; globals when nothing in the loop may change them; loads only from
 * the start of the loop's header, when the loop changes no memory: there they are executed anyway
 * and trap before anything else can be seen.
 *
 * The place before a loop is the only predecessor outside of it, if it leads nowhere else. */
#include "opt/passes.h"
#include "host.h"

#include <string.h>

enum { WRITES_MEMORY = 1, WRITES_GLOBALS = 2 };

struct loop {
    ir_block_ref before; /* IR_NONE: no place */
    uint8_t effects;
};

static bool inside(const struct ir_func *f, ir_block_ref block, ir_block_ref header)
{
    for (ir_block_ref h = f->blocks[block].loop; h != IR_NONE; h = f->blocks[h].outer_loop)
        if (h == header)
            return true;
    return false;
}

static void find_place(const struct ir_func *f, ir_block_ref header, struct loop *loop)
{
    loop->before = IR_NONE;
    for (uint32_t k = 0; k < f->blocks[header].pred_count; k++) {
        ir_block_ref p = ir_preds(f, header)[k];
        if (inside(f, p, header))
            continue;
        if (loop->before != IR_NONE || f->blocks[p].succ_count != 1) {
            loop->before = IR_NONE;
            return;
        }
        loop->before = p;
    }
}

static uint8_t effects_of(const struct ir_ins *ins)
{
    if (ins->op == IR_GLOBAL_SET)
        return WRITES_GLOBALS;
    if (ins->op == IR_STORE)
        return WRITES_MEMORY;
    return ir_op_info[ins->op].flags & (IR_W | IR_K) ? WRITES_MEMORY | WRITES_GLOBALS : 0;
}

/* Worth a register throughout the loop? Constants and what is free are not. */
static bool movable(const struct ir_ins *ins)
{
    if (ins->op == IR_CONST || ins->op == IR_PHI || ins->op == IR_PARAM || ins->op == IR_RESULT ||
        ins->op == IR_COPY || ins->op == IR_ZEXT || ins->op == IR_REF_NULL)
        return false;
    /* A comparison fuses with its branch. */
    if (ins->op >= IR_EQZ && ins->op <= IR_FGE)
        return false;
    return ir_op_info[ins->op].flags & IR_P;
}

static bool operands_outside(struct ir_func *f, struct ir_ins *ins, ir_block_ref header)
{
    uint32_t count = ir_operand_count(ins);
    for (uint32_t k = 0; k < count; k++) {
        const struct ir_ins *operand = &f->ins[*ir_operand(f, ins, k)];
        if (operand->op != IR_CONST && inside(f, operand->block, header))
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
        if (f->ins[operand].op == IR_CONST && inside(f, f->ins[operand].block, header))
            move_to_end(f, operand, to);
    }
    move_to_end(f, r, to);
}

/* The outermost loop before which R can stand. */
static ir_block_ref target_of(struct ir_func *f, ir_ref r, const struct loop *loops, uint8_t bars)
{
    ir_block_ref best = IR_NONE;
    for (ir_block_ref h = f->blocks[f->ins[r].block].loop; h != IR_NONE;
         h = f->blocks[h].outer_loop) {
        if (loops[h].before == IR_NONE || loops[h].effects & bars ||
            !operands_outside(f, &f->ins[r], h))
            break;
        best = h;
    }
    return best;
}

bool opt_licm(struct ir_func *f)
{
    bool any = false;
    for (uint32_t i = 0; i < f->order_count && !any; i++)
        any = f->blocks[f->order[i]].flags & IR_BLOCK_LOOP_HEADER;
    if (!any)
        return true;
    struct loop *loops = wasm_host_alloc((size_t)f->block_count * sizeof *loops);
    if (!loops)
        return false;
    memset(loops, 0, (size_t)f->block_count * sizeof *loops);
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        if (f->blocks[b].flags & IR_BLOCK_LOOP_HEADER)
            find_place(f, b, &loops[b]);
        if (f->blocks[b].loop == IR_NONE)
            continue;
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next)
            loops[f->blocks[b].loop].effects |= effects_of(&f->ins[r]);
    }
    /* Inner loops' effects are the outer ones' too; headers of inner ones come later in the order.
     */
    for (uint32_t i = f->order_count; i-- > 0;) {
        const struct ir_block *b = &f->blocks[f->order[i]];
        if (b->flags & IR_BLOCK_LOOP_HEADER && b->outer_loop != IR_NONE)
            loops[b->outer_loop].effects |= loops[f->order[i]].effects;
    }
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        if (f->blocks[b].loop == IR_NONE)
            continue;
        bool first = f->blocks[b].flags & IR_BLOCK_LOOP_HEADER; /* nothing seen that may trap */
        for (ir_ref r = f->blocks[b].first, next; r; r = next) {
            next = f->ins[r].next;
            unsigned flags = ir_op_info[f->ins[r].op].flags;
            ir_block_ref header = IR_NONE;
            if (movable(&f->ins[r])) {
                header = target_of(f, r, loops, 0);
            } else if (f->ins[r].op == IR_GLOBAL_GET) {
                header = target_of(f, r, loops, WRITES_GLOBALS);
            } else if (f->ins[r].op == IR_LOAD && first) {
                /* Out of the innermost loop only: the outer header may do other things first. */
                header = f->blocks[b].loop;
                if (loops[header].before == IR_NONE || loops[header].effects & WRITES_MEMORY ||
                    !operands_outside(f, &f->ins[r], header))
                    header = IR_NONE;
            }
            if (header != IR_NONE)
                move_ins(f, r, header, loops[header].before);
            else if (flags & (IR_W | IR_K) || (flags & IR_T && f->ins[r].op != IR_LOAD))
                first = false;
        }
    }
    wasm_host_free(loops);
    return true;
}
