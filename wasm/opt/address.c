/* Addresses relative to others that are known to be inside of memory. What an access has used as
 * its address lies below the memory's end, and no memory has the last page of 4 GiB
 * (MEMORY_MAX_PAGES), so a sum of it and less than a page cannot wrap around 32 bits: behind
 * an access at p, one at p + 8 is one at p with the offset 8, which the addressing mode has for
 * nothing.
 *
 * It also works between sums: behind p + 8, p + 12 is that sum and 4; and for loads before the one
 * from p, if nothing can be seen between them. */
#include "opt/passes.h"
#include "host.h"

#include <string.h>

#define REACH        65536u /* bytes: what stays unused at the end of the 4 GiB */
#define OFFSET_MAX   0x3fffffffu
#define FACTS_LOOKED 4  /* newest first; the others are as good as forgotten */
#define SOON         24 /* instructions */

/* VALUE = root + constant, and an access in BLOCK had it for its address. */
struct fact {
    uint32_t constant, next; /* next of the same root; 0: none */
    ir_ref value;
    ir_block_ref block;
};

/* p + constant, whose wrapping is in question. */
static bool is_sum(const struct ir_func *f, ir_ref ref)
{
    const struct ir_ins *ins = &f->ins[ref];
    return ins->op == IR_ADD && ins->type == IR_I32 && f->ins[ins->b].op == IR_CONST;
}

static bool is_access(const struct ir_func *f, const struct ir_ins *ins)
{
    return (ins->op == IR_LOAD || ins->op == IR_STORE) && f->ins[ins->a].type == IR_I32 &&
           f->ins[ins->a].op != IR_CONST;
}

/* Leaves in the mark of a sum whether INS uses it for anything but an address: it is made anyway
 * then, and using its operand as well would only keep that alive. */
static void mark_sums(struct ir_func *f, struct ir_ins *ins, bool access)
{
    uint32_t count = ir_operand_count(ins);
    for (uint32_t k = access; k < count; k++) {
        ir_ref used = *ir_operand(f, ins, k);
        if (is_sum(f, used))
            f->ins[used].mark = 1;
    }
}

/* Marks the values and counts the accesses. WANTED: whether the address of one of them is a sum. */
static uint32_t look(struct ir_func *f, bool *wanted)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            bool access = is_access(f, ins);
            ins->mark = 0; /* before its uses, but those by phis */
            if (ins->op != IR_PHI)
                mark_sums(f, ins, access);
            count += access;
            *wanted = *wanted || (access && is_sum(f, ins->a));
        }
    for (uint32_t i = 0; i < f->order_count && *wanted; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r && f->ins[r].op == IR_PHI;
             r = f->ins[r].next)
            mark_sums(f, &f->ins[r], false);
    return count;
}

/* Whether ROOT itself is loaded from soon behind load R, with nothing in between that has an effect
 * or another kind of trap. Then that may as well have come first: if it traps, R might. */
static bool loaded_soon(const struct ir_func *f, ir_ref r, ir_ref root)
{
    for (int steps = 0; steps < SOON; steps++) {
        r = f->ins[r].next;
        if (!r)
            return false;
        const struct ir_ins *ins = &f->ins[r];
        if (ins->op == IR_LOAD) {
            if (ins->a == root)
                return true;
        } else if (ir_op_info[ins->op].flags & (IR_W | IR_K | IR_T | IR_E)) {
            return false;
        }
    }
    return false;
}

/* Rewrites the access R, or learns from it. FACTS has room. */
static void visit(struct ir_func *f, struct fact *facts, uint32_t *fact_count, ir_ref r)
{
    struct ir_ins *ins = &f->ins[r];
    ir_ref value = ins->a, root = value;
    uint32_t constant = 0;
    if (is_sum(f, value)) {
        root = f->ins[value].a;
        constant = (uint32_t)f->ins[f->ins[value].b].imm;
        if (is_sum(f, root)) /* its mark is taken */
            return;
    }
    uint32_t at = f->ins[root].mark;
    for (int looked = 0; at && looked < FACTS_LOOKED; looked++, at = facts[at].next) {
        const struct fact *fact = &facts[at];
        uint32_t distance = constant - fact->constant;
        if (distance >= REACH || !ir_dominates(f, fact->block, ins->block))
            continue;
        if (value != root && !f->ins[value].mark && ins->imm <= OFFSET_MAX) {
            ins->a = fact->value;
            ins->imm += distance;
        }
        if (distance < REACH / 2)
            return;
        break;
    }
    if (value != root && ins->a == value && !f->ins[value].mark && ins->op == IR_LOAD &&
        constant < REACH && ins->imm <= OFFSET_MAX && loaded_soon(f, r, root)) {
        ins->a = root;
        ins->imm += constant;
        return;
    }
    facts[++*fact_count] = (struct fact){
        .constant = constant, .next = f->ins[root].mark, .value = value, .block = ins->block};
    f->ins[root].mark = *fact_count;
}

bool opt_address(struct ir_func *f)
{
    bool wanted = false;
    uint32_t count = look(f, &wanted), fact_count = 0;
    if (!wanted)
        return true;
    struct fact *facts = wasm_host_alloc((size_t)(count + 1) * sizeof *facts);
    if (!facts)
        return false;
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next)
            if (is_access(f, &f->ins[r]))
                visit(f, facts, &fact_count, r);
    wasm_host_free(facts);
    return true;
}
