/* Sums that wait for the last round of their loop: of (late + x) + y, where late comes from a phi
 * and x and y do not, late moves to the end: (x + y) + late. What a round hands on to the next is
 * then one operation away from what it was handed, however many operands there are. The same for
 * products and bit operations. Plain accumulation stays as it is.
 *
 * Heights are the cycles, roughly, that a value needs from the start of its round; values from
 * outside of the loop have 0, those that a round hands on LATE. */
#include "opt/passes.h"
#include "host.h"

#include <string.h>

enum { LATE = 64, HEIGHT_MAX = 1 << 20 };

static bool associates(unsigned op)
{
    return op == IR_ADD || op == IR_MUL || op == IR_AND || op == IR_OR || op == IR_XOR;
}

static uint32_t latency(unsigned op)
{
    switch (op) {
    case IR_MUL: return 3;
    case IR_LOAD: return 4;
    default: return ir_flags[op] & IR_K ? 0 : 1;
    }
}

static bool is_int(const struct ir_ins *ins)
{
    return ins->type == IR_I32 || ins->type == IR_I64;
}

/* Whether phi R of a loop becomes V = R op x op y …: as many operations as operands, which take
 * longer to come than to be added. */
static bool accumulates(const struct ir_func *f, ir_ref r, ir_ref v)
{
    unsigned op = f->ins[v].op;
    for (int steps = 0; steps < 64 && associates(op) && f->ins[v].op == op; steps++) {
        const struct ir_ins *ins = &f->ins[v];
        if (ins->a == r || ins->b == r)
            return true;
        v = f->ins[ins->a].op == op ? ins->a : ins->b;
    }
    return false;
}

/* A phi whose next value needs more than accumulation; of a count it is known rounds ahead. */
static bool is_late(struct ir_func *f, ir_ref r)
{
    const struct ir_ins *phi = &f->ins[r];
    const struct ir_block *block = &f->blocks[phi->block];
    if (!is_int(phi) || !(block->flags & IR_BLOCK_LOOP_HEADER))
        return false;
    for (uint32_t i = 0; i < phi->count; i++) {
        if (f->blocks[ir_preds(f, phi->block)[i]].rpo >= block->rpo &&
            !accumulates(f, r, f->pool[phi->list + i]))
            return true;
    }
    return false;
}

/* Uses of each value, 255 at most; NULL without memory. */
static uint8_t *count_uses(struct ir_func *f)
{
    uint8_t *uses = wasm_host_alloc(f->ins_count);
    if (!uses)
        return NULL;
    memset(uses, 0, f->ins_count);
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            uint32_t count = ir_operand_count(ins);
            for (uint32_t k = 0; k < count; k++) {
                uint8_t *n = &uses[*ir_operand(f, ins, k)];
                *n = (uint8_t)(*n + (*n < 255));
            }
        }
    return uses;
}

/* How many cycles behind the start of a round of LOOP. */
static uint32_t height(const struct ir_func *f, ir_ref r, ir_block_ref loop)
{
    const struct ir_ins *ins = &f->ins[r];
    return f->blocks[ins->block].loop == loop ? ins->mark : 0;
}

struct reassociation {
    struct ir_func *f;
    uint8_t *uses;  /* of the KNOWN first values; NULL: nobody has asked yet */
    uint32_t known; /* those that were there when it began */
};

static bool used_once(struct reassociation *ra, ir_ref r)
{
    if (!ra->uses && !(ra->uses = count_uses(ra->f))) {
        ra->f->failed = true;
        return false;
    }
    return ra->uses[r] == 1;
}

/* R = (p op q) op y, in LOOP, becomes (q op y) op p where p comes last by far. */
static void move_late(struct reassociation *ra, ir_ref r, ir_block_ref loop)
{
    struct ir_func *f = ra->f;
    struct ir_ins *ins = &f->ins[r];
    for (int side = 0; side < 2; side++) {
        ir_ref inner = side ? ins->b : ins->a, y = side ? ins->a : ins->b;
        const struct ir_ins *in = &f->ins[inner];
        if (in->op != ins->op || in->type != ins->type || in->block != ins->block ||
            inner >= ra->known)
            continue;
        ir_ref p = in->a, q = in->b;
        if (height(f, p, loop) < height(f, q, loop)) {
            p = in->b;
            q = in->a;
        }
        uint32_t late = height(f, p, loop), others = height(f, q, loop);
        if (height(f, y, loop) > others)
            others = height(f, y, loop);
        if (late < LATE || others + latency(ins->op) > late || f->ins[q].op == IR_CONST ||
            f->ins[y].op == IR_CONST || !used_once(ra, inner))
            continue;
        ir_ref early = ir_insert_before(f, r, ins->op, ins->type);
        if (f->failed)
            return;
        struct ir_ins *new = &f->ins[early];
        ins = &f->ins[r];
        new->a = q;
        new->b = y;
        new->pos = ins->pos;
        new->mark = others + latency(ins->op);
        ins->a = early;
        ins->b = p;
        return;
    }
}

static void visit_block(struct reassociation *ra, ir_block_ref b)
{
    struct ir_func *f = ra->f;
    ir_block_ref loop = f->blocks[b].loop;
    for (ir_ref r = f->blocks[b].first; r && !f->failed; r = f->ins[r].next) {
        struct ir_ins *ins = &f->ins[r];
        if (ins->op == IR_PHI) {
            ins->mark = loop == b && is_late(f, r) ? LATE : 0;
            continue;
        }
        if (associates(ins->op) && is_int(ins) && r < ra->known)
            move_late(ra, r, loop);
        ins = &f->ins[r];
        uint32_t highest = 0, count = ir_operand_count(ins);
        for (uint32_t k = 0; k < count; k++) {
            uint32_t h = height(f, *ir_operand(f, ins, k), loop);
            highest = h > highest ? h : highest;
        }
        ins->mark = highest + latency(ins->op);
        if (ins->mark > HEIGHT_MAX)
            ins->mark = HEIGHT_MAX;
    }
}

bool opt_reassociate(struct ir_func *f)
{
    bool found = false;
    for (uint32_t i = 0; i < f->order_count && !found; i++)
        if (f->blocks[f->order[i]].flags & IR_BLOCK_LOOP_HEADER)
            for (ir_ref r = f->blocks[f->order[i]].first; r && f->ins[r].op == IR_PHI;
                 r = f->ins[r].next)
                found = found || is_late(f, r);
    if (!found)
        return true;
    struct reassociation ra = {.f = f, .known = f->ins_count};
    for (uint32_t i = 0; i < f->order_count && !f->failed; i++)
        if (f->blocks[f->order[i]].loop != IR_NONE)
            visit_block(&ra, f->order[i]);
    wasm_host_free(ra.uses);
    return !f->failed;
}
