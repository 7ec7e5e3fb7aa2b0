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
    default: return ir_op_info[op].flags & IR_K ? 0 : 1;
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

/* Uses of each value, 255 at most. */
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

/* R = (p op q) op y becomes (q op y) op p where p comes last by far. USES has KNOWN entries. */
static void move_late(struct ir_func *f, const uint8_t *uses, uint32_t known, ir_ref r)
{
    struct ir_ins *ins = &f->ins[r];
    for (int side = 0; side < 2; side++) {
        ir_ref inner = side ? ins->b : ins->a, y = side ? ins->a : ins->b;
        const struct ir_ins *in = &f->ins[inner];
        if (in->op != ins->op || in->type != ins->type || in->block != ins->block ||
            inner >= known || uses[inner] != 1)
            continue;
        ir_ref p = in->a, q = in->b;
        if (f->ins[p].mark < f->ins[q].mark) {
            p = in->b;
            q = in->a;
        }
        uint32_t others = f->ins[q].mark > f->ins[y].mark ? f->ins[q].mark : f->ins[y].mark;
        if (f->ins[p].mark < LATE || others + latency(ins->op) > f->ins[p].mark ||
            f->ins[q].op == IR_CONST || f->ins[y].op == IR_CONST)
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

bool opt_reassociate(struct ir_func *f)
{
    bool found = false;
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r && f->ins[r].op == IR_PHI;
             r = f->ins[r].next)
            found = found || is_late(f, r);
    if (!found)
        return true;
    uint8_t *uses = count_uses(f);
    if (!uses)
        return false;
    uint32_t known = f->ins_count; /* of which the uses are counted */
    for (uint32_t i = 0; i < f->order_count && !f->failed; i++) {
        ir_block_ref b = f->order[i], loop = f->blocks[b].loop;
        for (ir_ref r = f->blocks[b].first; r && !f->failed; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            uint32_t height = 0, count = loop == IR_NONE ? 0 : ir_operand_count(ins);
            if (ins->op == IR_PHI) {
                ins->mark = loop == b && is_late(f, r) ? LATE : 0;
                continue;
            }
            if (loop != IR_NONE && associates(ins->op) && is_int(ins) && r < known)
                move_late(f, uses, known, r);
            ins = &f->ins[r];
            for (uint32_t k = 0; k < count; k++) {
                const struct ir_ins *operand = &f->ins[*ir_operand(f, ins, k)];
                if (f->blocks[operand->block].loop == loop && operand->mark > height)
                    height = operand->mark;
            }
            ins->mark = height + latency(ins->op);
            if (ins->mark > HEIGHT_MAX)
                ins->mark = HEIGHT_MAX;
        }
    }
    wasm_host_free(uses);
    return !f->failed;
}
