/* Constant folding, algebraic identities and strength reduction. One walk in reverse post-order, so
 * that operands are simple before their users are looked at. Floating point is left alone: what NaN
 * a processor gives is its own business. */
#include "opt/passes.h"
#include "opt/fold.h"

static void to_const(struct ir_ins *ins, uint64_t value)
{
    ins->op = IR_CONST;
    ins->a = ins->b = ins->c = 0;
    ins->imm = ins->type == IR_I32 ? (uint32_t)value : value;
    ins->imm2 = 0;
    ins->aux = 0;
}

static void to_copy(struct ir_ins *ins, ir_ref of)
{
    ins->op = IR_COPY;
    ins->a = of;
    ins->b = ins->c = 0;
}

ir_ref fold_const(struct ir_func *f, ir_ref where, uint8_t type, uint64_t value)
{
    /* All constants stand in the entry: one made in a loop would live on behind it. */
    ir_ref k = ir_insert_before(f, f->blocks[0].first, IR_CONST, type);
    f->ins[k].imm = type == IR_I32 ? (uint32_t)value : value;
    f->ins[k].pos = f->ins[where].pos;
    return k;
}

ir_ref fold_binary(struct ir_func *f, ir_ref where, enum ir_op op, uint8_t type, ir_ref a, ir_ref b)
{
    ir_ref r = ir_insert_before(f, where, op, type);
    f->ins[r].a = a;
    f->ins[r].b = b;
    f->ins[r].pos = f->ins[where].pos;
    return r;
}

static uint64_t rotate_left(uint64_t x, unsigned n, unsigned bits)
{
    n &= bits - 1;
    if (bits == 32) {
        uint32_t y = (uint32_t)x;
        return n ? (uint32_t)(y << n | y >> (32 - n)) : y;
    }
    return n ? x << n | x >> (64 - n) : x;
}

bool fold_value(unsigned op, int64_t s, int64_t t, bool is_64, uint64_t *value)
{
    /* s, t: sign-extended; u, v: zero-extended */
    uint64_t u = is_64 ? (uint64_t)s : (uint32_t)s, v = is_64 ? (uint64_t)t : (uint32_t)t;
    unsigned bits = is_64 ? 64 : 32, n = (unsigned)(v & (bits - 1));
    int64_t lowest = is_64 ? INT64_MIN : INT32_MIN;
    uint64_t r;
    switch (op) {
    case IR_ADD: r = u + v; break;
    case IR_SUB: r = u - v; break;
    case IR_MUL: r = u * v; break;
    case IR_AND: r = u & v; break;
    case IR_OR: r = u | v; break;
    case IR_XOR: r = u ^ v; break;
    case IR_SHL: r = u << n; break;
    case IR_SHR_U: r = u >> n; break;
    case IR_SHR_S: r = (uint64_t)(s >> n); break;
    case IR_ROTL: r = rotate_left(u, n, bits); break;
    case IR_ROTR: r = rotate_left(u, bits - n, bits); break;
    case IR_EQ: r = u == v; break;
    case IR_NE: r = u != v; break;
    case IR_LT_S: r = s < t; break;
    case IR_LT_U: r = u < v; break;
    case IR_GT_S: r = s > t; break;
    case IR_GT_U: r = u > v; break;
    case IR_LE_S: r = s <= t; break;
    case IR_LE_U: r = u <= v; break;
    case IR_GE_S: r = s >= t; break;
    case IR_GE_U: r = u >= v; break;
    case IR_DIV_U:
    case IR_REM_U:
        if (!v)
            return false;
        r = op == IR_DIV_U ? u / v : u % v;
        break;
    case IR_DIV_S:
    case IR_REM_S:
        if (!t || (t == -1 && s == lowest))
            return false;
        r = (uint64_t)(op == IR_DIV_S ? s / t : s % t);
        break;
    default: return false;
    }
    *value = r;
    return true;
}

/* Both operands constant. */
static bool evaluate(struct ir_ins *ins, int64_t s, int64_t t, bool is_64)
{
    uint64_t value;
    if (!fold_value(ins->op, s, t, is_64, &value))
        return false;
    to_const(ins, value);
    return true;
}

/* R becomes A op K. Instructions move when one is added: no pointer survives. */
static void become(struct ir_func *f, ir_ref r, enum ir_op op, ir_ref a, uint64_t k)
{
    ir_ref constant = fold_const(f, r, f->ins[a].type, k);
    f->shifts |= ir_is_shift(op);
    f->ins[r].op = (uint16_t)op;
    f->ins[r].a = a;
    f->ins[r].b = constant;
}

static void with_inner(struct ir_func *f, ir_ref r, ir_ref a, uint64_t k)
{
    become(f, r, f->ins[r].op, a, k);
}

/* R = (x + inner) + K. Where the first sum is a loop's and R stands behind that, it is most likely
 * what the next round would have had for x: both living on would cost a register and a move each
 * round. */
static void with_sum(struct ir_func *f, ir_ref r, uint64_t inner, uint64_t k)
{
    struct ir_ins *ins = &f->ins[r];
    const struct ir_ins *sum = &f->ins[ins->a];
    uint64_t both = ins->type == IR_I32 ? (uint32_t)(inner + k) : inner + k;
    if (f->blocks[sum->block].loop_depth > f->blocks[ins->block].loop_depth) {
        if (ins->op == IR_SUB)
            become(f, r, IR_ADD, ins->a, k);
    } else if (both) {
        become(f, r, IR_ADD, sum->a, both);
    } else {
        to_copy(ins, sum->a);
    }
}

static void with_const(struct ir_func *f, ir_ref r, int64_t k, bool is_64);

/* Bits put where x has zeros are a sum, which addresses can take in. */
static void or_of_zeros(struct ir_func *f, ir_ref r, uint64_t k, bool is_64)
{
    if (k > UINT16_MAX || k >> (ir_low_zeros(f, f->ins[r].a) & 63))
        return;
    f->ins[r].op = IR_ADD;
    with_const(f, r, (int64_t)k, is_64);
}

/* x op constant. */
static void with_const(struct ir_func *f, ir_ref r, int64_t k, bool is_64)
{
    struct ir_ins *ins = &f->ins[r];
    const struct ir_ins *a = &f->ins[ins->a];
    uint64_t u = is_64 ? (uint64_t)k : (uint32_t)k;
    unsigned mask = is_64 ? 63 : 31;
    int64_t inner = 0;
    bool inner_const = (a->op == IR_ADD || a->op == IR_AND || a->op == IR_OR || a->op == IR_XOR ||
                        a->op == IR_SHL || a->op == IR_SHR_U || a->op == IR_SHR_S) &&
                       opt_const(f, a->b, &inner);
    ir_ref x = inner_const ? a->a : 0;
    switch (ins->op) {
    case IR_ADD:
        if (!k)
            to_copy(ins, ins->a);
        else if (inner_const && a->op == IR_ADD)
            with_sum(f, r, (uint64_t)inner, u);
        return;
    case IR_SUB:
        if (!k)
            to_copy(ins, ins->a);
        else if (inner_const && a->op == IR_ADD)
            with_sum(f, r, (uint64_t)inner, 0 - u);
        else
            become(f, r, IR_ADD, ins->a, 0 - u);
        return;
    case IR_AND:
        if (!k)
            to_const(ins, 0);
        else if (u == (is_64 ? UINT64_MAX : UINT32_MAX))
            to_copy(ins, ins->a);
        else if (inner_const && a->op == IR_AND)
            with_inner(f, r, x, (uint64_t)inner & u);
        else if (!(u & (u + 1)) && ir_limit(f, ins->a) <= u)
            to_copy(ins, ins->a);
        return;
    case IR_OR:
        if (!k)
            to_copy(ins, ins->a);
        else if (inner_const && a->op == IR_OR)
            with_inner(f, r, x, (uint64_t)inner | u);
        else
            or_of_zeros(f, r, u, is_64);
        return;
    case IR_XOR:
        if (!k)
            to_copy(ins, ins->a);
        else if (inner_const && a->op == IR_XOR)
            with_inner(f, r, x, (uint64_t)inner ^ u);
        else
            or_of_zeros(f, r, u, is_64);
        return;
    case IR_MUL:
        if (!k)
            to_const(ins, 0);
        else if (u == 1)
            to_copy(ins, ins->a);
        else if (!(u & (u - 1)))
            become(f, r, IR_SHL, ins->a, (uint64_t)__builtin_ctzll(u));
        return;
    case IR_SHL:
    case IR_SHR_S:
    case IR_SHR_U:
    case IR_ROTL:
    case IR_ROTR:
        if (!(k & mask)) {
            to_copy(ins, ins->a);
            return;
        }
        if (!inner_const)
            return;
        unsigned n = (unsigned)(k & mask), m = (unsigned)(inner & mask);
        if (a->op == ins->op && n + m <= mask && ins->op <= IR_SHR_U) {
            with_inner(f, r, x, n + m);
        } else if (ins->op == IR_SHR_U && a->op == IR_SHL && n == m) {
            become(f, r, IR_AND, x, (is_64 ? UINT64_MAX : UINT32_MAX) >> n);
        } else if (ins->op == IR_SHL && (a->op == IR_SHR_U || a->op == IR_SHR_S) && n == m) {
            become(f, r, IR_AND, x, UINT64_MAX << n);
        } else if (ins->op == IR_SHR_S && a->op == IR_SHL && n == m &&
                   (n == mask - 7 || n == mask - 15 || n == mask - 31) && n) {
            ins->op = n == mask - 7 ? IR_EXT8 : n == mask - 15 ? IR_EXT16 : IR_EXT32;
            ins->a = x;
            ins->b = 0;
        }
        return;
    case IR_EQ:
        if (!k)
            ins->op = IR_EQZ, ins->b = 0;
        return;
    case IR_NE:
        if (!k && a->type == IR_I32 && ir_limit(f, ins->a) <= 1)
            to_copy(ins, ins->a);
        return;
    case IR_LT_U:
        if (!k)
            to_const(ins, 0);
        else if (u == 1)
            ins->op = IR_EQZ, ins->b = 0;
        return;
    case IR_GE_U:
        if (!k)
            to_const(ins, 1);
        return;
    case IR_DIV_U:
    case IR_DIV_S:
    case IR_REM_U:
    case IR_REM_S:
        if (k)
            fold_division(f, r, k, is_64);
        return;
    default: return;
    }
}

/* One operand twice. */
static void with_itself(struct ir_ins *ins)
{
    switch (ins->op) {
    case IR_SUB:
    case IR_XOR:
    case IR_NE:
    case IR_LT_S:
    case IR_LT_U:
    case IR_GT_S:
    case IR_GT_U: to_const(ins, 0); return;
    case IR_AND:
    case IR_OR: to_copy(ins, ins->a); return;
    case IR_EQ:
    case IR_LE_S:
    case IR_LE_U:
    case IR_GE_S:
    case IR_GE_U: to_const(ins, 1); return;
    default: return;
    }
}

/* x << k | x >> (bits - k), in either order, also with + and ^: a rotation. */
static void fold_rotation(struct ir_func *f, ir_ref r)
{
    struct ir_ins *ins = &f->ins[r];
    const struct ir_ins *a = &f->ins[ins->a], *b = &f->ins[ins->b];
    if (a->op == IR_SHR_U && b->op == IR_SHL) {
        const struct ir_ins *t = a;
        a = b;
        b = t;
    }
    int64_t left, right;
    unsigned bits = ins->type == IR_I64 ? 64 : 32;
    if (a->op != IR_SHL || b->op != IR_SHR_U || a->a != b->a || !opt_const(f, a->b, &left) ||
        !opt_const(f, b->b, &right) || left <= 0 || right <= 0 || left + right != bits)
        return;
    ins->op = IR_ROTL;
    ins->b = a->b;
    ins->a = a->a;
}

static void fold_binary_ins(struct ir_func *f, ir_ref r)
{
    struct ir_ins *ins = &f->ins[r];
    int64_t s = 0, t = 0;
    bool left = opt_const(f, ins->a, &s), right = opt_const(f, ins->b, &t);
    uint8_t type = f->ins[ins->a].type;
    if (type != IR_I32 && type != IR_I64)
        return;
    if (left && right && evaluate(ins, s, t, type == IR_I64))
        return;
    if (left && !right) {
        bool compare = ins->op >= IR_EQ && ins->op <= IR_GE_U;
        if (ir_flags[ins->op] & IR_C || compare) {
            ir_ref x = ins->a;
            ins->a = ins->b;
            ins->b = x;
            if (compare)
                ins->op = ir_swapped[ins->op];
            right = true;
            t = s;
        }
    }
    if (right)
        with_const(f, r, t, type == IR_I64);
    else if (ins->a == ins->b)
        with_itself(ins);
    else if (ins->op == IR_OR || ins->op == IR_ADD || ins->op == IR_XOR)
        fold_rotation(f, r);
}

static const uint8_t inverse[] = {IR_NE,   IR_EQ,   IR_GE_S, IR_GE_U, IR_LE_S,
                                  IR_LE_U, IR_GT_S, IR_GT_U, IR_LT_S, IR_LT_U};

static void fold_unary(struct ir_func *f, ir_ref r)
{
    struct ir_ins *ins = &f->ins[r];
    const struct ir_ins *a = &f->ins[ins->a];
    int64_t k;
    if (opt_const(f, ins->a, &k)) {
        bool is_64 = a->type == IR_I64;
        uint64_t u = is_64 ? (uint64_t)k : (uint32_t)k;
        switch (ins->op) {
        case IR_EQZ: to_const(ins, !k); return;
        case IR_WRAP:
        case IR_ZEXT: to_const(ins, (uint32_t)k); return;
        case IR_SEXT: to_const(ins, (uint64_t)(int64_t)(int32_t)k); return;
        case IR_EXT8: to_const(ins, (uint64_t)(int64_t)(int8_t)k); return;
        case IR_EXT16: to_const(ins, (uint64_t)(int64_t)(int16_t)k); return;
        case IR_EXT32: to_const(ins, (uint64_t)(int64_t)(int32_t)k); return;
        case IR_POPCNT: to_const(ins, (uint64_t)__builtin_popcountll(u)); return;
        case IR_CTZ: to_const(ins, u ? (uint64_t)__builtin_ctzll(u) : is_64 ? 64 : 32); return;
        case IR_CLZ:
            to_const(ins, u ? (uint64_t)__builtin_clzll(u) - (is_64 ? 0 : 32) : is_64 ? 64 : 32);
            return;
        default: return;
        }
    }
    switch (ins->op) {
    case IR_EQZ:
        if (a->op >= IR_EQ && a->op <= IR_GE_U) {
            ins->op = inverse[a->op - IR_EQ];
            ins->b = a->b;
            ins->a = a->a;
        } else if (a->op == IR_FEQ || a->op == IR_FNE) {
            ins->op = a->op == IR_FEQ ? IR_FNE : IR_FEQ;
            ins->b = a->b;
            ins->a = a->a;
        } else if (a->op == IR_EQZ && ir_limit(f, a->a) <= 1 && f->ins[a->a].type == IR_I32) {
            to_copy(ins, a->a);
        }
        return;
    case IR_WRAP:
        if (a->op == IR_ZEXT || a->op == IR_SEXT)
            to_copy(ins, a->a);
        return;
    case IR_EXT8:
    case IR_EXT16:
        if (a->op == ins->op)
            to_copy(ins, ins->a);
        return;
    default: return;
    }
}

static void fold_select(struct ir_func *f, ir_ref r)
{
    struct ir_ins *ins = &f->ins[r];
    const struct ir_ins *c = &f->ins[ins->c];
    int64_t k;
    if (ins->a == ins->b) {
        to_copy(ins, ins->a);
    } else if (opt_const(f, ins->c, &k)) {
        to_copy(ins, k ? ins->a : ins->b);
    } else if (c->op == IR_EQZ && f->ins[c->a].type == IR_I32) {
        ir_ref t = ins->a;
        ins->a = ins->b;
        ins->b = t;
        ins->c = c->a;
    } else if (c->op == IR_NE && f->ins[c->a].type == IR_I32 && opt_const(f, c->b, &k) && !k) {
        ins->c = c->a;
    }
}

/* All operands the same, or the phi itself. */
static void fold_phi(struct ir_func *f, ir_ref r)
{
    const uint32_t *list = f->pool + f->ins[r].list;
    ir_ref one = 0;
    for (uint32_t k = 0; k < f->ins[r].count; k++) {
        ir_ref x = list[k];
        if (x == r || x == one)
            continue;
        if (one)
            return;
        one = x;
    }
    if (one)
        to_copy(&f->ins[r], one);
}

static void fold_branch(struct ir_func *f, ir_ref r)
{
    struct ir_ins *ins = &f->ins[r];
    for (;;) {
        const struct ir_ins *c = &f->ins[ins->a];
        int64_t k;
        if (c->op == IR_NE && f->ins[c->a].type == IR_I32 && opt_const(f, c->b, &k) && !k) {
            ins->a = c->a;
        } else if (c->op == IR_EQZ && f->ins[c->a].op == IR_EQZ &&
                   f->ins[f->ins[c->a].a].type == IR_I32) {
            ins->a = f->ins[c->a].a;
        } else {
            return;
        }
    }
}

bool opt_fold(struct ir_func *f)
{
    bool copies = false;
    for (uint32_t i = 0; i < f->order_count; i++) {
        for (ir_ref r = f->blocks[f->order[i]].first; r && !f->failed; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            if (copies)
                ir_resolve_operands(f, ins);
            if (ins->op == IR_PHI)
                fold_phi(f, r);
            else if (ins->op >= IR_ADD && ins->op <= IR_ROTR)
                fold_binary_ins(f, r);
            else if (ins->op >= IR_EQ && ins->op <= IR_GE_U)
                fold_binary_ins(f, r);
            else if (ins->op == IR_SELECT)
                fold_select(f, r);
            else if (ins->op == IR_BRANCH)
                fold_branch(f, r);
            else if (ins->op == IR_EQZ || (ins->op >= IR_CLZ && ins->op <= IR_POPCNT) ||
                     (ins->op >= IR_WRAP && ins->op <= IR_EXT32))
                fold_unary(f, r);
            if (f->ins[r].op == IR_COPY) {
                ir_unlink(f, r);
                copies = true;
            }
        }
    }
    return copies ? ir_resolve_back_phis(f) : !f->failed;
}
