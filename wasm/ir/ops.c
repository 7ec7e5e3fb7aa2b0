/* The operation table as data, and what follows from it: how to walk an instruction's operands and
 * how to resolve copies. */
#include "ir/ir.h"
#include "ir/simd.h"

#include <string.h>

const struct ir_op_info ir_op_info[IR_OP_COUNT] = {
#define X(name, operands, flags) {#name, operands},
    IR_OPS(X)
#undef X
};
const uint8_t ir_flags[IR_OP_COUNT] = {
#define X(name, operands, flags) flags,
    IR_OPS(X)
#undef X
};

const struct simd_op_info simd_op_info[SIMD_OP_COUNT] = {
#define X(number, name, text, types, flags) [number] = {text, types, flags},
    SIMD_OPS(X)
#undef X
};

uint32_t simd_lanes(uint32_t op)
{
    uint32_t lanes = 0;
    for (const char *p = strchr(simd_op_info[op].name, 'x') + 1; *p >= '0' && *p <= '9'; p++)
        lanes = 10 * lanes + (uint32_t)(*p - '0');
    return lanes;
}

#define HAS(s, n, ch) ((s)[(n) < sizeof(s) ? (n) : 0] == (ch))
#define FIXED(s)      (uint8_t)(HAS(s, 0, 'a') + HAS(s, 1, 'b') + HAS(s, 2, 'c'))
#define LIST(s)       (uint8_t)(HAS(s, 0, 'l') || HAS(s, 1, 'l'))
const struct ir_shape ir_shapes[IR_OP_COUNT] = {
#define X(name, operands, flags) {FIXED(operands), LIST(operands)},
    IR_OPS(X)
#undef X
};

const uint16_t ir_negated[] = {
    [IR_EQ] = IR_NE,     [IR_NE] = IR_EQ,     [IR_LT_S] = IR_GE_S, [IR_GE_S] = IR_LT_S,
    [IR_LT_U] = IR_GE_U, [IR_GE_U] = IR_LT_U, [IR_GT_S] = IR_LE_S, [IR_LE_S] = IR_GT_S,
    [IR_GT_U] = IR_LE_U, [IR_LE_U] = IR_GT_U};
const uint16_t ir_swapped[] = {
    [IR_EQ] = IR_EQ,     [IR_NE] = IR_NE,     [IR_LT_S] = IR_GT_S, [IR_GT_S] = IR_LT_S,
    [IR_LT_U] = IR_GT_U, [IR_GT_U] = IR_LT_U, [IR_LE_S] = IR_GE_S, [IR_GE_S] = IR_LE_S,
    [IR_LE_U] = IR_GE_U, [IR_GE_U] = IR_LE_U};

ir_ref ir_follow_copy(struct ir_func *f, ir_ref ref)
{
    ir_ref end = ref;
    while (f->ins[end].op == IR_COPY)
        end = f->ins[end].a;
    while (f->ins[ref].op == IR_COPY) {
        ir_ref next = f->ins[ref].a;
        f->ins[ref].a = end;
        ref = next;
    }
    return end;
}

void ir_resolve_list(struct ir_func *f, const struct ir_ins *ins)
{
    uint32_t *list = f->pool + ins->list;
    for (uint32_t i = 0; i < ins->count; i++)
        if (ir_is_copy(f, list[i]))
            list[i] = ir_follow_copy(f, list[i]);
}

void ir_resolve_abc(struct ir_func *f, struct ir_ins *ins)
{
    for (uint32_t k = 0; k < 3; k++)
        ins->abc[k] = ir_follow(f, ins->abc[k]);
}

static void resolve_phis(struct ir_func *f, ir_block_ref b)
{
    for (ir_ref r = f->blocks[b].first; r && f->ins[r].op == IR_PHI; r = f->ins[r].next)
        ir_resolve_list(f, &f->ins[r]);
}

bool ir_resolve_phis(struct ir_func *f)
{
    for (uint32_t i = 0; i < f->order_count && !f->failed; i++)
        resolve_phis(f, f->order[i]);
    return !f->failed;
}

bool ir_resolve_back_phis(struct ir_func *f)
{
    for (uint32_t i = 0; i < f->order_count && !f->failed; i++)
        if (f->blocks[f->order[i]].flags & IR_BLOCK_COMES_BACK)
            resolve_phis(f, f->order[i]);
    return !f->failed;
}

bool ir_resolve(struct ir_func *f)
{
    if (f->failed)
        return false;
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next) {
            if (f->ins[r].op == IR_COPY)
                ir_unlink(f, r);
            else
                ir_resolve_operands(f, &f->ins[r]);
        }
    }
    return true;
}
