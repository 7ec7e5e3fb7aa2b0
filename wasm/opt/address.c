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

/* What the first walk finds. */
struct found {
    uint64_t *sums;   /* a bit per instruction */
    ir_ref *accesses; /* in order */
    uint32_t count;   /* of those */
    bool wanted;      /* the address of one of them is a sum */
};

static bool is_found_sum(const struct found *found, ir_ref ref)
{
    return found->sums[ref / 64] >> (ref % 64) & 1;
}

/* Leaves in the mark of a sum whether INS uses it for anything but an address: it is made anyway
 * then, and using its operand as well would only keep that alive. */
static inline void mark_sums(struct ir_func *f, const struct found *found, const struct ir_ins *ins,
                             bool access)
{
    struct ir_shape shape = ir_shapes[ins->op];
    for (uint32_t k = access; k < shape.fixed; k++)
        if (is_found_sum(found, ins->abc[k]))
            f->ins[ins->abc[k]].mark = 1;
    for (uint32_t k = 0; shape.list && k < ins->count; k++)
        if (is_found_sum(found, f->pool[ins->list + k]))
            f->ins[f->pool[ins->list + k]].mark = 1;
}

static void look(struct ir_func *f, struct found *found)
{
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            ins->mark = 0; /* before its uses, but those by phis */
            if (ins->op == IR_PHI)
                continue;
            bool access = is_access(f, ins);
            mark_sums(f, found, ins, access);
            if (access) {
                found->accesses[found->count++] = r;
                found->wanted |= is_found_sum(found, ins->a);
            } else if (is_sum(f, r)) {
                found->sums[r / 64] |= 1ull << r % 64;
            }
        }
    for (uint32_t i = 0; i < f->order_count && found->wanted; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r && f->ins[r].op == IR_PHI;
             r = f->ins[r].next)
            mark_sums(f, found, &f->ins[r], false);
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
        } else if (ir_flags[ins->op] & (IR_W | IR_K | IR_T | IR_E)) {
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
    size_t words = f->ins_count / 64 + 1;
    struct found found = {.sums = wasm_host_alloc(words * sizeof *found.sums),
                          .accesses = wasm_host_alloc(f->ins_count * sizeof *found.accesses)};
    struct fact *facts = NULL;
    bool good = found.sums && found.accesses;
    if (good) {
        memset(found.sums, 0, words * sizeof *found.sums);
        look(f, &found);
    }
    if (good && found.wanted) {
        facts = wasm_host_alloc(((size_t)found.count + 1) * sizeof *facts);
        good = facts != NULL;
    }
    uint32_t fact_count = 0;
    for (uint32_t k = 0; facts && k < found.count; k++)
        visit(f, facts, &fact_count, found.accesses[k]);
    wasm_host_free(facts);
    wasm_host_free(found.accesses);
    wasm_host_free(found.sums);
    return good;
}
