/* Ranges of i32 values: what an unsigned comparison could tell of each. One forward pass; the phi
 * of a loop gets a range where it counts by a constant towards a bound that ends the loop, or where
 * another one does and tells how often the loop comes round, or where what it becomes is compared
 * on the way back. */
#include "ir/ir.h"

#define FULL ((struct ir_range){0, UINT32_MAX})

static struct ir_range join(struct ir_range a, struct ir_range b)
{
    return (struct ir_range){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

/* Of sums in 64 bits: kept if none wraps or all do. */
static struct ir_range wrapped(uint64_t lo, uint64_t hi)
{
    return lo >> 32 == hi >> 32 ? (struct ir_range){(uint32_t)lo, (uint32_t)hi} : FULL;
}

/* The smallest 2^n - 1 that is not below X. */
static uint32_t mask_of(uint32_t x)
{
    return x ? UINT32_MAX >> __builtin_clz(x) : 0;
}

static bool constant(const struct ir_func *f, ir_ref r, uint32_t *k)
{
    *k = (uint32_t)f->ins[r].imm;
    return f->ins[r].op == IR_CONST && f->ins[r].type == IR_I32;
}

/* What the comparison at the end of BLOCK says of REF on the way to TO: REF op BOUND. */
struct bound {
    uint16_t op;
    ir_ref limit; /* 0: the constant 0 */
};

static bool bound_on(const struct ir_func *f, ir_block_ref block, ir_block_ref to, ir_ref ref,
                     struct bound *bound)
{
    /* A block that only splits an edge says what its predecessor says. */
    const struct ir_ins *end = &f->ins[f->blocks[block].last];
    if (end->op == IR_JUMP && f->blocks[block].pred_count == 1) {
        to = block;
        block = ir_preds(f, block)[0];
        end = &f->ins[f->blocks[block].last];
    }
    const ir_block_ref *succs = ir_succs(f, block);
    if (end->op != IR_BRANCH || succs[0] == succs[1])
        return false;
    bool taken = succs[0] == to;
    ir_ref condition = end->a;
    const struct ir_ins *c = &f->ins[condition];
    if (condition == ref || (c->op == IR_EQZ && c->a == ref)) {
        *bound = (struct bound){(condition == ref) == taken ? IR_NE : IR_EQ, 0};
        return true;
    }
    if (c->op < IR_EQ || c->op > IR_GE_U || (c->a != ref && c->b != ref))
        return false;
    bound->op = c->a == ref ? c->op : ir_swapped[c->op];
    bound->limit = c->a == ref ? c->b : c->a;
    if (!taken)
        bound->op = ir_negated[bound->op];
    return true;
}

/* What is known of the limit of BOUND in the blocks from HEADER on, whose loop may be the limit's.
 */
static struct ir_range limit_of(const struct ir_func *f, const struct ir_range *ranges,
                                const struct bound *bound, ir_block_ref header)
{
    if (!bound->limit)
        return (struct ir_range){0, 0};
    const struct ir_ins *l = &f->ins[bound->limit];
    if (l->type != IR_I32)
        return FULL;
    if (l->op == IR_CONST)
        return (struct ir_range){(uint32_t)l->imm, (uint32_t)l->imm};
    return f->blocks[l->block].rpo < f->blocks[header].rpo ? ranges[bound->limit] : FULL;
}

/* RANGE as far as it is on LIMIT's side: op LIMIT. */
static struct ir_range narrowed(struct ir_range range, unsigned op, struct ir_range limit)
{
    struct ir_range side = FULL;
    switch (op) {
    case IR_EQ: side = limit; break;
    case IR_LT_S:
        if (range.hi > INT32_MAX || limit.hi > INT32_MAX)
            return range;
        /* fall through */
    case IR_LT_U: side.hi = limit.hi ? limit.hi - 1 : 0; break;
    case IR_LE_S:
        if (range.hi > INT32_MAX || limit.hi > INT32_MAX)
            return range;
        /* fall through */
    case IR_LE_U: side.hi = limit.hi; break;
    case IR_GT_S:
    case IR_GE_S:
        if (limit.hi > INT32_MAX)
            return range;
        side = (struct ir_range){limit.lo, INT32_MAX};
        break;
    case IR_GT_U:
    case IR_GE_U: side.lo = limit.lo; break;
    default: break;
    }
    struct ir_range both = {range.lo > side.lo ? range.lo : side.lo,
                            range.hi < side.hi ? range.hi : side.hi};
    return both.lo <= both.hi ? both : range; /* else the way is never taken */
}

/* The phi R = (START, R + STEP) of the loop at HEADER, whose other predecessor is LATCH. */
static struct ir_range counted(const struct ir_func *f, const struct ir_range *ranges, ir_ref r,
                               ir_ref next, struct ir_range start, uint32_t step,
                               ir_block_ref header, ir_block_ref latch)
{
    struct bound bound;
    /* The bound is on the count after its step (AFTER) or before it. */
    bool after = bound_on(f, latch, header, next, &bound);
    if (!after && !bound_on(f, latch, header, r, &bound))
        return FULL;
    struct ir_range limit = limit_of(f, ranges, &bound, header);
    bool down = step >> 31;
    uint32_t stride = down ? 0 - step : step;
    if (bound.op == IR_NE) {
        /* It ends on the limit exactly, or runs around. */
        if (start.lo != start.hi || limit.lo != limit.hi)
            return FULL;
        uint32_t distance = down ? start.lo - limit.lo : limit.lo - start.lo;
        if (distance % stride || (after && !distance))
            return FULL;
        uint32_t reach = after ? distance - stride : distance;
        if (down)
            return start.lo >= reach ? (struct ir_range){start.lo - reach, start.lo} : FULL;
        return (uint64_t)start.lo + reach <= UINT32_MAX
                   ? (struct ir_range){start.lo, start.lo + reach}
                   : FULL;
    }
    if (down)
        return FULL;
    uint64_t most = limit.hi; /* that lets the loop go on */
    uint64_t end = bound.op == IR_LT_S || bound.op == IR_LE_S ? INT32_MAX : UINT32_MAX;
    switch (bound.op) {
    case IR_LT_U:
    case IR_LT_S:
        if (!most)
            return FULL;
        most--;
        break;
    case IR_LE_U:
    case IR_LE_S: break;
    default: return FULL;
    }
    /* Signed bounds only while everything stays in the half they share with unsigned ones. */
    if (limit.hi > end || start.hi > end)
        return FULL;
    uint64_t hi = after ? most : most + stride;
    if (hi < start.hi)
        hi = start.hi;
    return hi + stride <= end ? (struct ir_range){start.lo, (uint32_t)hi} : FULL;
}

/* Of an operation, but for those that need more than the ranges A and B of its operands. */
static struct ir_range of_operation(const struct ir_func *f, const struct ir_ins *ins,
                                    struct ir_range a, struct ir_range b)
{
    uint32_t k = 0;
    switch (ins->op) {
    case IR_CONST: return (struct ir_range){(uint32_t)ins->imm, (uint32_t)ins->imm};
    case IR_COPY: return a;
    case IR_ADD: return wrapped((uint64_t)a.lo + b.lo, (uint64_t)a.hi + b.hi);
    case IR_SUB: return a.lo >= b.hi ? (struct ir_range){a.lo - b.hi, a.hi - b.lo} : FULL;
    case IR_MUL: /* several multiples of 2^32 may lie between products that do wrap */
        return (uint64_t)a.hi * b.hi <= UINT32_MAX ? (struct ir_range){a.lo * b.lo, a.hi * b.hi}
                                                   : FULL;
    case IR_AND: return (struct ir_range){0, a.hi < b.hi ? a.hi : b.hi};
    case IR_OR: return (struct ir_range){a.lo > b.lo ? a.lo : b.lo, mask_of(a.hi | b.hi)};
    case IR_XOR: return (struct ir_range){0, mask_of(a.hi | b.hi)};
    case IR_SHL:
        if (!constant(f, ins->b, &k) || a.hi > UINT32_MAX >> (k & 31))
            return FULL;
        return (struct ir_range){a.lo << (k & 31), a.hi << (k & 31)};
    case IR_SHR_U:
        return constant(f, ins->b, &k) ? (struct ir_range){a.lo >> (k & 31), a.hi >> (k & 31)}
                                       : (struct ir_range){0, a.hi};
    case IR_SHR_S:
        if (a.hi > INT32_MAX)
            return FULL;
        return constant(f, ins->b, &k) ? (struct ir_range){a.lo >> (k & 31), a.hi >> (k & 31)}
                                       : (struct ir_range){0, a.hi};
    case IR_DIV_U:
        return constant(f, ins->b, &k) && k ? (struct ir_range){a.lo / k, a.hi / k}
                                            : (struct ir_range){0, a.hi};
    case IR_REM_U: {
        uint32_t most = b.hi ? b.hi - 1 : 0;
        return (struct ir_range){0, a.hi < most ? a.hi : most};
    }
    case IR_EXT8: return a.hi <= INT8_MAX ? a : FULL;
    case IR_EXT16: return a.hi <= INT16_MAX ? a : FULL;
    case IR_LOAD:
    case IR_ATOMIC_LOAD:
        return ins->access == IR_U8    ? (struct ir_range){0, UINT8_MAX}
               : ins->access == IR_U16 ? (struct ir_range){0, UINT16_MAX}
                                       : FULL;
    case IR_CLZ:
    case IR_CTZ:
    case IR_POPCNT: return (struct ir_range){0, 32};
    case IR_REF_IS_NULL: return (struct ir_range){0, 1};
    default: return ir_is_comparison(ins->op) ? (struct ir_range){0, 1} : FULL;
    }
}

/* What holds of R whatever its operands are: a mask bounds it, for instance. */
static struct ir_range of_any(const struct ir_func *f, ir_ref r)
{
    const struct ir_ins *ins = &f->ins[r];
    uint32_t k;
    if (ir_shapes[ins->op].fixed > 1 && constant(f, ins->b, &k))
        return of_operation(f, ins, FULL, (struct ir_range){k, k});
    return of_operation(f, ins, FULL, FULL);
}

/* What a phi of HEADER gets where it becomes REF on the way from LATCH. */
static struct ir_range come_back(const struct ir_func *f, const struct ir_range *ranges, ir_ref ref,
                                 ir_block_ref latch, ir_block_ref header)
{
    struct ir_range range = of_any(f, ref);
    struct bound bound;
    if (!bound_on(f, latch, header, ref, &bound))
        return range;
    return narrowed(range, bound.op, limit_of(f, ranges, &bound, header));
}

/* Instead of an entry of a phi. */
#define SEVERAL  (UINT32_MAX - 1)
#define NO_LATCH UINT32_MAX

/* What phi R starts with: what all edges but those from behind give; what these give whatever the
 * loop does; and which one it is, if it is one. False: it starts with anything. */
static bool starts(const struct ir_func *f, const struct ir_range *ranges, ir_ref r,
                   struct ir_range *start, struct ir_range *back, uint32_t *latch)
{
    const struct ir_ins *phi = &f->ins[r];
    const uint32_t *operands = f->pool + phi->list;
    const ir_block_ref *preds = ir_preds(f, phi->block);
    *start = *back = (struct ir_range){UINT32_MAX, 0};
    *latch = NO_LATCH;
    for (uint32_t i = 0; i < phi->count; i++) {
        const struct ir_ins *operand = &f->ins[operands[i]];
        uint32_t k;
        if (f->blocks[preds[i]].rpo >= f->blocks[phi->block].rpo) {
            *latch = *latch == NO_LATCH ? i : SEVERAL;
            if (operands[i] != r)
                *back = join(*back, come_back(f, ranges, operands[i], preds[i], phi->block));
        } else if (constant(f, operands[i], &k)) {
            *start = join(*start, (struct ir_range){k, k});
        } else if (f->blocks[operand->block].rpo <= f->blocks[preds[i]].rpo) {
            *start = join(*start, ranges[operands[i]]);
        } else {
            return false;
        }
    }
    return *latch == NO_LATCH || start->lo <= start->hi;
}

/* The constant that phi R grows by from round to round, 0 if it does not. */
static uint32_t step_of(const struct ir_func *f, ir_ref r, uint32_t latch)
{
    const struct ir_ins *next = &f->ins[f->pool[f->ins[r].list + latch]];
    uint32_t step;
    return next->op == IR_ADD && next->a == r && constant(f, next->b, &step) ? step : 0;
}

#define ENDLESS UINT64_MAX

/* Steps of STEP, at most ROUNDS of them, none of which may wrap. */
static struct ir_range stepped(struct ir_range start, uint32_t step, uint64_t rounds)
{
    if (!step || rounds > UINT32_MAX)
        return FULL;
    bool down = step >> 31;
    uint64_t way = rounds * (down ? 0 - step : step);
    if (down)
        return start.lo >= way ? (struct ir_range){start.lo - (uint32_t)way, start.hi} : FULL;
    return start.hi + way <= UINT32_MAX ? (struct ir_range){start.lo, start.hi + (uint32_t)way}
                                        : FULL;
}

/* The phis of a block. In a loop one that counts towards a bound tells how often the loop comes
 * round, and so how far the others get. */
static void of_phis(const struct ir_func *f, struct ir_range *ranges, ir_ref first)
{
    uint64_t rounds = ENDLESS;
    bool others = false;
    for (ir_ref r = first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        struct ir_range start, back;
        uint32_t latch;
        ranges[r] = FULL;
        if (f->ins[r].type != IR_I32 || !starts(f, ranges, r, &start, &back, &latch))
            continue;
        uint32_t step = latch < SEVERAL ? step_of(f, r, latch) : 0;
        if (!step) {
            ranges[r] = join(start, back);
            continue;
        }
        ir_block_ref block = f->ins[r].block;
        struct ir_range range = counted(f, ranges, r, f->pool[f->ins[r].list + latch], start, step,
                                        block, ir_preds(f, block)[latch]);
        ranges[r] = range;
        bool full = range.lo == 0 && range.hi == UINT32_MAX;
        others |= full;
        uint64_t most = full ? ENDLESS : (range.hi - range.lo) / (step >> 31 ? 0 - step : step);
        if (most < rounds)
            rounds = most;
    }
    if (!others || rounds == ENDLESS)
        return;
    for (ir_ref r = first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next) {
        struct ir_range start, back;
        uint32_t latch;
        if (f->ins[r].type == IR_I32 && ranges[r].lo == 0 && ranges[r].hi == UINT32_MAX &&
            starts(f, ranges, r, &start, &back, &latch) && latch < SEVERAL)
            ranges[r] = stepped(start, step_of(f, r, latch), rounds);
    }
}

static struct ir_range of(const struct ir_func *f, const struct ir_range *ranges, ir_ref r)
{
    const struct ir_ins *ins = &f->ins[r];
    switch (ins->op) {
    case IR_SELECT: return join(ranges[ins->a], ranges[ins->b]);
    case IR_COPY:
    case IR_EXT8:
    case IR_EXT16: return of_operation(f, ins, ranges[ins->a], FULL);
    default:
        /* Operands of arithmetic have the type of the result. */
        if (ins->op >= IR_ADD && ins->op <= IR_ROTR)
            return of_operation(f, ins, ranges[ins->a], ranges[ins->b]);
        return of_operation(f, ins, FULL, FULL);
    }
}

void ir_ranges(const struct ir_func *f, struct ir_range *ranges)
{
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_ref r = f->blocks[f->order[i]].first;
        if (f->ins[r].op == IR_PHI)
            of_phis(f, ranges, r);
        while (f->ins[r].op == IR_PHI)
            r = f->ins[r].next;
        for (; r; r = f->ins[r].next)
            ranges[r] = f->ins[r].type == IR_I32 ? of(f, ranges, r) : FULL;
    }
}
