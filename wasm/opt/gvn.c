/* Global value numbering: a computation that a dominating block has done already, on the same
 * operands, becomes a copy of that one. Also divisions and truncations: had they trapped, the
 * second would not be reached. And phis of one block that choose among the same values. */
#include "opt/passes.h"
#include "host.h"
#include "ir/simd.h"

#include <string.h>

/* Not comparisons, which cost nothing beside their branch, but a register as a value. */
static const bool can_share[IR_OP_COUNT] = {
#define X(name, operands, flags)                                                                   \
    [IR_##name] = ((flags)&IR_P || (flags) == IR_T) && IR_##name != IR_PARAM &&                    \
                  IR_##name != IR_COPY && (IR_##name < IR_EQZ || IR_##name > IR_FGE),
    IR_OPS(X)
#undef X
};

static bool commutes(const struct ir_ins *ins)
{
    return ins->op == IR_SIMD2 ? simd_op_info[ins->aux].flags & SIMD_C : ir_flags[ins->op] & IR_C;
}

static uint32_t hash_phi(const struct ir_func *f, const struct ir_ins *phi)
{
    uint64_t h = phi->block * 0x9e3779b97f4a7c15u + phi->type;
    for (uint32_t k = 0; k < phi->count; k++)
        h = (h ^ h >> 32 ^ f->pool[phi->list + k]) * 0xff51afd7ed558ccdu;
    return (uint32_t)(h >> 32);
}

static bool same_phi(const struct ir_func *f, const struct ir_ins *x, const struct ir_ins *y)
{
    return x->op == IR_PHI && x->block == y->block && x->type == y->type &&
           !memcmp(f->pool + x->list, f->pool + y->list, y->count * sizeof *f->pool);
}

static uint32_t hash(const struct ir_ins *ins)
{
    uint64_t h = ins->op * 0x9e3779b97f4a7c15u + ins->type;
    h = (h ^ ins->a) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 29 ^ ins->b) * 0xc4ceb9fe1a85ec53u;
    h = (h ^ h >> 31 ^ ins->c ^ ins->imm ^ (uint64_t)ins->aux << 32) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 30 ^ ins->imm2) * 0xff51afd7ed558ccdu; /* of constants and shuffles */
    return (uint32_t)(h >> 32);
}

static bool same(const struct ir_ins *x, const struct ir_ins *y)
{
    return x->op == y->op && x->type == y->type && x->a == y->a && x->b == y->b && x->c == y->c &&
           x->imm == y->imm && x->imm2 == y->imm2 && x->aux == y->aux;
}

bool opt_gvn(struct ir_func *f)
{
    uint32_t size = 64;
    while (size < f->ins_count)
        size *= 2;
    uint32_t *table = wasm_host_alloc((size_t)size * sizeof *table);
    if (!table)
        return false;
    memset(table, 0, (size_t)size * sizeof *table);
    bool changed = false; /* there are copies */
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            if (changed)
                ir_resolve_operands(f, ins);
            bool phi = ins->op == IR_PHI;
            if (!phi && !can_share[ins->op])
                continue;
            if (commutes(ins) && ins->a > ins->b && f->ins[ins->b].op != IR_CONST) {
                ir_ref t = ins->a;
                ins->a = ins->b;
                ins->b = t;
            }
            /* A bounded number of places; an old entry that does not dominate makes room. */
            uint32_t at = (phi ? hash_phi(f, ins) : hash(ins)) & (size - 1), steps = 0;
            for (; steps < 8; steps++, at = (at + 1) & (size - 1)) {
                ir_ref other = table[at];
                if (!other) {
                    table[at] = r;
                    break;
                }
                if (phi ? !same_phi(f, &f->ins[other], ins) : !same(&f->ins[other], ins))
                    continue;
                if (ir_dominates(f, f->ins[other].block, b)) {
                    ins->op = IR_COPY;
                    ins->a = other;
                    ins->b = ins->c = 0;
                    ir_unlink(f, r);
                    changed = true;
                } else {
                    table[at] = r;
                }
                break;
            }
        }
    }
    wasm_host_free(table);
    return !changed || ir_resolve_back_phis(f);
}
